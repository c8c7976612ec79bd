"""EnergyPlus weather files.

A row's "hour 1 ... 24" names the hour that *ends* then; labels here are starts, hour - 1. Whether the file keeps to
that is tested for all formats alike (:mod:`layers.weather_prepare`). Two habits of the Chinese Standard Weather Data
show there: radiation that was measured is the mean of the hour that ended before the labelled one (an hour off),
radiation that was computed stands at the start of the labelled hour, while DNI was derived with the sun of its
middle. Wind is left as it is: 10 m above a station that is often in a town.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, Finding, FindingLog, InputError, Origin, SourceCard, Weather
from layers.source_file import file_findings
from layers.weather_prepare import Prepared, prepare
from layers.weather_raw import TYPICAL_YEAR, Options, RawWeather, Report, content_of, first_names, text_of

EPW_WIND_HEIGHT_M = 10.0

_HEADER_LINES = 8
_KNOWN_ERRORS = Path(__file__).with_name("epw_known_errors.csv")
_PLACES = {
    "temp_air_c": 6,
    "pressure_pa": 9,
    "ghi_w_per_m2": 13,
    "dni_w_per_m2": 14,
    "dhi_w_per_m2": 15,
    "wind_from_degree": 20,
    "wind_speed_m_per_s": 21,
}
_ALBEDO_PLACE = 32


@dataclass(frozen=True)
class _Header:
    city: str
    source: str
    wmo: str
    latitude: float
    longitude: float
    zone_h: float
    altitude_m: float


def inspect_epw(path: Path, shown_path: str) -> list[Finding]:
    """Everything that is wrong with a weather file, and what :func:`read_epw` will mend.

    Parameters
    ----------
    path : Path
        ``.epw`` or ``.epw.gz``.
    shown_path : str
        What findings call the file.

    Returns
    -------
    list of Finding
        Hours are named as in the file: month-day and the hour's end.
    """
    try:
        return list(_prepared(path, shown_path, "weather", Origin.MODELLED, Options()).findings)
    except InputError as error:
        return list(error.findings)


def read_epw(
    card: SourceCard,
    cell_id: str,
    year: int = TYPICAL_YEAR,
    *,
    log: FindingLog | None = None,
    options: Options | None = None,
) -> Weather:
    """One weather cell from an EPW file.

    Parameters
    ----------
    card : SourceCard
    cell_id : str
        Name of the weather cell.
    year : int
        Calendar year that the typical year is given; a common year, because the file has no 29 February.
    log : FindingLog, optional
        Takes warnings and notes.
    options : Options, optional
        ``labels`` is heeded; ``year`` stands above.

    Returns
    -------
    Weather
        8760 h in UTC+08:00, label = start of the hour. Radiation is moved by whole hours, cyclically, so that the sun
        of the values stands nearest to mid-hour; where half an hour remains, it is averaged over the hour.
        Temperature, wind and pressure are readings at the hour and stay.

    Raises
    ------
    InputError
        With every error of the file at once.
    ValueError
        If ``year`` is a leap year.
    """
    if isleap(year):
        raise ValueError(f"a weather year has 8760 hours; {year} is a leap year")
    findings = file_findings(card)
    if findings:
        raise InputError(findings)
    chosen = replace(options or Options(), year=year)
    prepared = _prepared(card.path, card.shown_path, cell_id, card.origin, chosen)
    errors = [f for f in prepared.findings if f.severity == "error"]
    if errors:
        raise InputError(errors)
    if log is not None:
        log.extend(prepared.findings)
    return prepared.cells[0]


def _prepared(path: Path, shown_path: str, cell_id: str, origin: Origin, options: Options) -> Prepared:
    report = Report(shown_path, "epw")
    return prepare(raw_epw(content_of(path, report), report), cell_id, origin, options, report)


def raw_epw(content: bytes, report: Report) -> RawWeather:
    """The hours of an EPW file.

    Raises
    ------
    InputError
        ``unreadable``, ``header``, ``row_short``: nothing can be read. Faults of the calendar travel with the result.
    """
    lines = text_of(content).splitlines()
    if len(lines) <= _HEADER_LINES:
        raise report.refuse("unreadable", "lines", len(lines), "the file has no hourly rows.", "Fetch the file again.")
    header = _header(lines[0])
    if header is None:
        raise report.refuse("header", "LOCATION", lines[0][:60], "this is no LOCATION header.", "Use an EPW file.")
    header, corrections, findings = _known_errors(header, report)
    table, years, more = _table(lines[_HEADER_LINES:], report)
    return RawWeather(
        format="EPW",
        title=f"{header.city} ({header.source}, WMO {header.wmo})",
        latitude=header.latitude,
        longitude=header.longitude,
        altitude_m=header.altitude_m,
        table=table,
        zone_h=header.zone_h,
        typical=True,
        wind_height_m=EPW_WIND_HEIGHT_M,
        years=years,
        corrections=tuple(corrections),
        findings=(*findings, *more),
        hour_end_names=True,
    )


def _header(line: str) -> _Header | None:
    words = [word.strip() for word in line.split(",")]
    if len(words) < 10 or words[0].upper() != "LOCATION":
        return None
    try:
        latitude, longitude, zone_h, altitude_m = (float(word) for word in words[6:10])
    except ValueError:
        return None
    if not np.isfinite([latitude, longitude, zone_h, altitude_m]).all():
        return None
    return _Header(words[1], words[4], words[5], latitude, longitude, zone_h, altitude_m)


def _known_errors(header: _Header, report: Report) -> tuple[_Header, list[str], list[Finding]]:
    """Headers that are known to be wrong, from the table beside this module."""
    words, findings = [], []
    table = pd.read_csv(_KNOWN_ERRORS, dtype={"wmo": str})
    for _, row in table[table["wmo"] == header.wmo].iterrows():
        field, source = str(row["field"]), str(row["source"])
        false, true = float(row["file_value"]), float(row["true_value"])
        if abs(getattr(header, field) - false) > 1e-6:
            continue
        header = replace(header, **{field: true})  # type: ignore[arg-type]
        words.append(f"{field} {false:.2f} of the header replaced by {true:.2f}: {source}")
        findings.append(
            report(
                "warning",
                "header_known_error",
                field,
                false,
                f"{source}; {true:.2f} is used.",
                "Nothing need be done; correcting the header makes this warning go away.",
            )
        )
    return header, words, findings


def _table(lines: list[str], report: Report) -> tuple[pd.DataFrame, tuple[int, ...], list[Finding]]:
    """Rows in calendar order, with the columns of :data:`_PLACES`; the years they come from; faults of the calendar."""
    rows = [line.split(",") for line in lines if line.strip()]
    short = [i for i, row in enumerate(rows) if len(row) <= max(_PLACES.values())]
    if short:
        line = short[0] + _HEADER_LINES + 1
        what = f"{len(short)} rows have too few columns."
        raise report.refuse("row_short", f"line {line}", len(short), what, "Fetch the file again.")
    places = {"year": 0, "month": 1, "day": 2, "hour": 3} | _PLACES
    if all(len(row) > _ALBEDO_PLACE for row in rows):
        places["albedo"] = _ALBEDO_PLACE
    table = pd.DataFrame(
        {name: pd.to_numeric(pd.Series([row[p] for row in rows]), errors="coerce") for name, p in places.items()}
    ).astype(float)
    table = table.where(np.isfinite(table))
    table = table[~((table["month"] == 2) & (table["day"] == 29))].reset_index(drop=True)
    findings = _calendar_findings(table, report)
    years = tuple(sorted({int(year) for year in table["year"].dropna()}))
    columns = [name for name in places if name not in ("year", "month", "day", "hour")]
    index = pd.date_range(f"{TYPICAL_YEAR}-01-01", periods=len(table), freq="h", tz=CHINA_STANDARD_TIME)
    return table[columns].set_axis(index), years, findings


def _calendar_findings(table: pd.DataFrame, report: Report) -> list[Finding]:
    stamps = pd.Series(list(zip(table["month"], table["day"], table["hour"], strict=True)))
    days = pd.date_range(f"{TYPICAL_YEAR}-01-01", f"{TYPICAL_YEAR}-12-31")
    expected = [(day.month, day.day, hour) for day in days for hour in range(1, 25)]
    present = set(stamps)
    missing = [_stamp(*stamp) for stamp in expected if stamp not in present]
    doubled = [_stamp(*stamp) for stamp in stamps[stamps.duplicated()]]
    found = []
    if missing:
        what = f"{len(missing)} hours of the year are missing."
        remedy = "Use a whole year of 8760 hours, or fill the gap from a neighbouring station."
        found.append(report("error", "gap", first_names(missing), len(missing), what, remedy))
    if doubled:
        what = f"{len(doubled)} hours occur twice."
        found.append(report("error", "hour_twice", first_names(doubled), len(doubled), what, "Remove the second ones."))
    if not found and list(stamps) != expected:
        first = next(i for i, (a, b) in enumerate(zip(stamps, expected, strict=False)) if a != b)
        what = "the rows are not in the order of the year, or hold hours that do not exist."
        found.append(
            report("error", "order", f"row {first}", len(stamps), what, "Sort the rows by month, day and hour.")
        )
    return found


def _stamp(month: float, day: float, hour: float) -> str:
    if np.isnan([month, day, hour]).any():
        return "(no date)"
    return f"{month:02.0f}-{day:02.0f} hour {hour:.0f}"
