"""Any weather file: which format it is, what is wrong with it, and the weather cells it holds.

The format is told by the content, not by the name, and the reason is part of the report.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from layers.contracts import (
    CHINA_STANDARD_TIME,
    WEATHER_HOURS,
    Finding,
    FindingLog,
    InputError,
    SourceCard,
    Weather,
)
from layers.epw import raw_epw
from layers.source_file import file_findings
from layers.weather_prepare import prepare
from layers.weather_raw import TYPICAL_YEAR, Options, RawWeather, Report, content_of, text_of

FORMATS = ("epw", "tmy3", "pvgis_tmy", "pvgis_hourly", "nasa_power", "netcdf", "csv")

_HEAD = 4096


@dataclass(frozen=True)
class Detected:
    """A format of :data:`FORMATS` (empty: none) and why it is held to be that."""

    format: str
    reason: str


def detect_format(content: bytes) -> Detected:
    """Which format a file has, by its first lines or bytes."""
    if content[:4] == b"\x89HDF" or content[:3] == b"CDF":
        return Detected("netcdf", "it begins with the signature of netCDF")
    text = text_of(content[: 4 * _HEAD])
    lines = text.splitlines()
    if not lines or "\x00" in text:
        return Detected("", "it is empty or no text")
    first, second = lines[0], lines[1] if len(lines) > 1 else ""
    if first.upper().startswith("LOCATION,"):
        return Detected("epw", "its first line is a LOCATION header")
    if text.lstrip().startswith("{"):
        return _detect_json(text_of(content))
    if "-BEGIN HEADER-" in first:
        return Detected("nasa_power", "its first line opens a POWER header")
    if first.startswith("Latitude (decimal degrees)"):
        whole = text_of(content)
        if "time(UTC)" in whole:
            return Detected("pvgis_tmy", "PVGIS header and a column time(UTC)")
        return Detected("pvgis_hourly", "PVGIS header and a column time")
    if "Date (MM/DD/YYYY)" in second:
        return Detected("tmy3", "its second line has the headings of TMY3")
    if any(sign in first for sign in ",;\t"):
        return Detected("csv", "it is a table with headings")
    return Detected("", "neither header nor signature of a known format")


def _detect_json(text: str) -> Detected:
    if '"tmy_hourly"' in text:
        return Detected("pvgis_tmy", "JSON with tmy_hourly")
    if '"hourly"' in text:
        return Detected("pvgis_hourly", "JSON with hourly")
    if '"parameter"' in text:
        return Detected("nasa_power", "JSON with properties.parameter")
    return Detected("", "JSON without the keys of PVGIS or NASA POWER")


def inspect_weather(card: SourceCard, options: Options | None = None) -> list[Finding]:
    """Everything that is wrong with a weather file, and what reading it will mend."""
    missing = file_findings(card)
    if missing:
        return missing
    try:
        return _years_of(card, "weather", options or Options())[1]
    except InputError as error:
        return list(error.findings)


def read_weather(
    card: SourceCard, cell_id: str, options: Options | None = None, *, log: FindingLog | None = None
) -> tuple[Weather, ...]:
    """Weather cells of a file: one for a place, one for each grid point.

    Of a series over several years the one whose global irradiation lies nearest to their mean is taken; the note
    ``weather.year_chosen`` says which. :func:`read_weather_years` gives them all.

    Parameters
    ----------
    card : SourceCard
    cell_id : str
        Name of the weather cell; grid points append their position.
    options : Options, optional
    log : FindingLog, optional
        Takes warnings and notes.

    Raises
    ------
    InputError
        With every error of the file at once.
    """
    chosen = options or Options()
    years = read_weather_years(card, cell_id, chosen, log=log)
    cells: list[Weather] = []
    for name in dict.fromkeys(cell.cell_id for cell in years):
        own = [cell for cell in years if cell.cell_id == name]
        sums = np.array([cell.hours["ghi_w_per_m2"].sum() / 1000.0 for cell in own])
        best = int(np.abs(sums - sums.mean()).argmin())
        cells.append(own[best])
        if len(own) > 1 and log is not None:
            what = (
                f"of {len(own)} years, {own[best].years[0]} is taken: its {sums[best]:.0f} kWh/m2 lie nearest to the "
                f"mean of {sums.mean():.0f} ({sums.min():.0f} to {sums.max():.0f})."
            )
            report = Report(card.shown_path)
            remedy = "Name another year with years = [...]."
            log.add(report("note", "year_chosen", name, own[best].years[0], what, remedy))
    return tuple(cells)


def read_weather_years(
    card: SourceCard, cell_id: str, options: Options | None = None, *, log: FindingLog | None = None
) -> tuple[Weather, ...]:
    """Every whole year of every place of a file, in the calendar of ``options.year``; ``Weather.years`` says which.

    Raises
    ------
    InputError
        With every error of the file at once.
    ValueError
        If ``options.year`` is a leap year.
    """
    chosen = options or Options()
    if isleap(chosen.year):
        raise ValueError(f"a weather year has 8760 hours; {chosen.year} is a leap year")
    missing = file_findings(card)
    if missing:
        raise InputError(missing)
    cells, findings = _years_of(card, cell_id, chosen)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise InputError(errors)
    if log is not None:
        log.extend(findings)
    return cells


def split_years(series: Weather, *, year: int = TYPICAL_YEAR) -> tuple[Weather, ...]:
    """The whole years of a weather record whose hours run over several.

    Parameters
    ----------
    series : Weather
        Hours as the contract has them, any number of years.
    year : int
        Calendar that each year is given, so that they share their hours (P50, P75 and P90 compare them).

    Returns
    -------
    tuple of Weather
        One for each calendar year that is there from its first to its last hour, without 29 February; ``years`` says
        which. Same cell id.

    Raises
    ------
    ValueError
        If no calendar year is whole, or ``year`` is a leap year.
    """
    if isleap(year):
        raise ValueError(f"a weather year has 8760 hours; {year} is a leap year")
    index = pd.DatetimeIndex(series.hours.index)
    common = pd.date_range(f"{year}-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)
    result = []
    for one in sorted(set(index.year)):
        part = series.hours[(index.year == one) & ~((index.month == 2) & (index.day == 29))]
        if len(part) == len(common):
            hours = WEATHER_HOURS.validate(part.set_axis(common))
            result.append(replace(series, hours=hours, years=(one,), title=f"{series.title}, {one}"))
    if not result:
        raise ValueError(f"{series.title}: no calendar year is whole")
    return tuple(result)


def _years_of(card: SourceCard, cell_id: str, options: Options) -> tuple[tuple[Weather, ...], list[Finding]]:
    report = Report(card.shown_path, "epw" if options.format == "epw" else "weather")
    content = content_of(card.path, report)
    kind = options.format
    findings: list[Finding] = []
    if kind == "auto":
        detected = detect_format(content)
        kind = detected.format
        if not kind:
            remedy = f"Formats: {', '.join(FORMATS)}; state one with format = ..."
            raise report.refuse("format", "content", "", f"the format is not known: {detected.reason}.", remedy)
        what = f"read as {kind}: {detected.reason}."
        findings.append(report("note", "format", "format", kind, what, "State format = ... to choose another."))
        report = Report(card.shown_path, "epw" if kind == "epw" else "weather")
    raws = _placed(_read(kind, content, options, report), options)
    cells: list[Weather] = []
    for raw in raws:
        prepared = prepare(raw, cell_id, card.origin, options, report)
        findings += prepared.findings
        cells += prepared.cells
    if options.years and cells:
        found = sorted({cell.years[0] for cell in cells if len(cell.years) == 1})
        lacking = [year for year in options.years if year not in found]
        if lacking:
            what = f"the file has no whole year {', '.join(map(str, lacking))}."
            remedy = f"Whole years: {', '.join(map(str, found)) or 'none, the year is stitched'}."
            findings.append(report("error", "year_missing", "years", lacking[0], what, remedy))
        cells = [cell for cell in cells if cell.years and cell.years[0] in options.years]
    return tuple(cells), list(dict.fromkeys(findings))


def _placed(raws: list[RawWeather], options: Options) -> list[RawWeather]:
    """What the study file states stands before what the file says, for a file of one place."""
    stated = {
        key: value
        for key in ("latitude", "longitude", "altitude_m", "wind_height_m", "roughness_length_m")
        if (value := getattr(options, key)) is not None
    }
    if not stated or len(raws) != 1:
        return raws
    raw = raws[0]
    words = [
        f"{key} {getattr(raw, key):g} of the file replaced by {value:g} of the study file"
        for key, value in stated.items()
        if np.isfinite(getattr(raw, key)) and getattr(raw, key) != value
    ]
    return [replace(raw, **stated, corrections=(*raw.corrections, *words))]


def _read(kind: str, content: bytes, options: Options, report: Report) -> list[RawWeather]:
    """Hand the content to its reader; whatever a library stumbles over is bad input, not a fault of the program."""
    try:
        if kind == "netcdf":
            from layers.weather_netcdf import raw_netcdf

            return raw_netcdf(content, options, report)
        if kind == "csv":
            from layers.weather_columns import raw_columns

            return [raw_columns(content, options, report)]
        return [_reader(kind)(content, report)]
    except InputError:
        raise
    except Exception as error:  # broken files break libraries in every way there is
        reason = re.sub(r"<[^<>]*>", "...", f"{type(error).__name__}: {error}").splitlines()[0][:120]
        remedy = "The file is cut off or not of this format; fetch it again, or state format = ..."
        raise report.refuse("unreadable", kind, reason, f"cannot be read as {kind}.", remedy) from error


def _reader(kind: str) -> Callable[[bytes, Report], RawWeather]:
    if kind == "epw":
        return raw_epw
    if kind == "tmy3":
        from layers.weather_tmy3 import raw_tmy3

        return raw_tmy3
    if kind == "nasa_power":
        from layers.weather_nasa_power import raw_nasa_power

        return raw_nasa_power
    from layers.weather_pvgis import raw_pvgis_hourly, raw_pvgis_tmy

    return {"pvgis_tmy": raw_pvgis_tmy, "pvgis_hourly": raw_pvgis_hourly}[kind]
