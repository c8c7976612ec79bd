"""EnergyPlus weather files: read, checked, and set right by the sun where their labels are off.

A row's "hour 1 ... 24" names the hour that *ends* then; labels here are starts, hour - 1. Whether the file keeps to
that is tested, see :mod:`layers.weather_checks`: some files of the Chinese Standard Weather Data carry measured
hourly means one hour late. Wind is left as it is: 10 m above a station that is often in a town.
"""

from __future__ import annotations

import gzip
import zlib
from calendar import isleap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import (
    CHINA_STANDARD_TIME,
    WEATHER_HOURS,
    Finding,
    FindingLog,
    InputError,
    Severity,
    SourceCard,
    Weather,
)
from layers.datum import CHINA_BOX
from layers.source_file import file_findings
from layers.weather_checks import MID_HOUR_MIN, SunTiming, detect_sun_timing, upper_limits

EPW_WIND_HEIGHT_M = 10.0
EPW_ROUGHNESS_M = 0.1
"""Roughness around a station at the edge of a town [m]; assumed, EPW files do not say."""

_HEADER_LINES = 8
_HOURS = 8760
_FEW_IMPOSSIBLE = 10
_CENTRED_TOLERANCE_MIN = 15
_KNOWN_ERRORS = Path(__file__).with_name("epw_known_errors.csv")


@dataclass(frozen=True)
class _Field:
    """A column of the file: its place, the value from which on it means "missing", and what can be true."""

    place: int
    missing_from: float
    low: float
    high: float
    name: str


_FIELDS: dict[str, _Field] = {
    "temp_air_c": _Field(6, 99.9, -60.0, 60.0, "dry bulb temperature"),
    "pressure_pa": _Field(9, 999_999.0, 50_000.0, 110_000.0, "station pressure"),
    "ghi_w_per_m2": _Field(13, 9_999.0, 0.0, np.inf, "global horizontal irradiance"),
    "dni_w_per_m2": _Field(14, 9_999.0, 0.0, np.inf, "direct normal irradiance"),
    "dhi_w_per_m2": _Field(15, 9_999.0, 0.0, np.inf, "diffuse horizontal irradiance"),
    "wind_speed_m_per_s": _Field(21, 999.0, 0.0, 75.0, "wind speed"),
}
_RADIATION = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2")


@dataclass(frozen=True)
class _Header:
    city: str
    source: str
    wmo: str
    latitude: float
    longitude: float
    zone_h: float
    altitude_m: float


@dataclass(frozen=True)
class _Report:
    """Makes findings about one file."""

    shown_path: str

    def __call__(self, severity: Severity, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
        return Finding(severity, f"epw.{rule}", self.shown_path, "weather", item, str(value), message, remedy)


@dataclass(frozen=True)
class _Checked:
    """What a file holds once it is found usable: 8760 rows in calendar order, radiation not yet moved."""

    header: _Header
    hours: pd.DataFrame
    timing: SunTiming
    corrections: tuple[str, ...]


def inspect_epw(path: Path, shown_path: str) -> list[Finding]:
    """Everything that is wrong with a weather file.

    Errors: missing or unreadable file, position or time zone that cannot be, missing or doubled hours, values that
    are missing (9999 and the like) or out of range, more than ten hours of impossible radiation. Warnings: what
    :func:`read_epw` will mend, and labels that whole hours cannot mend.

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
    return _check(path, shown_path)[1]


def read_epw(card: SourceCard, cell_id: str, year: int = 2023, *, log: FindingLog | None = None) -> Weather:
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

    Returns
    -------
    Weather
        8760 h in UTC+08:00, label = start of the hour. Radiation is moved by whole hours, cyclically, so that the sun
        of the values stands nearest to mid-hour; temperature, wind and pressure are readings at the hour and stay.
        GHI, DNI and DHI are those of the file, none is derived from the others, except in hours named in
        ``corrections``.

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
    checked: _Checked | None = None
    if not findings:
        checked, findings = _check(card.path, card.shown_path)
    if checked is None:
        raise InputError(f for f in findings if f.severity == "error")
    if log is not None:
        log.extend(findings)
    hours, moved = _moved(checked)
    index = pd.date_range(f"{year}-01-01", periods=_HOURS, freq="h", tz=CHINA_STANDARD_TIME)
    header = checked.header
    return Weather(
        cell_id=cell_id,
        latitude=header.latitude,
        longitude=header.longitude,
        altitude_m=header.altitude_m,
        wind_height_m=EPW_WIND_HEIGHT_M,
        roughness_length_m=EPW_ROUGHNESS_M,
        hours=WEATHER_HOURS.validate(hours.set_axis(index)),
        origin=card.origin,
        title=f"{header.city} ({header.source}, WMO {header.wmo})",
        corrections=(*checked.corrections, *moved),
    )


def _moved(checked: _Checked) -> tuple[pd.DataFrame, tuple[str, ...]]:
    timing, hours = checked.timing, checked.hours[list(WEATHER_HOURS.columns)].copy()
    rows = timing.whole_hours_off
    if rows == 0:
        return hours, ()
    for column in _RADIATION:
        hours[column] = np.roll(hours[column].to_numpy(), rows)
    words = (
        f"radiation moved {abs(rows)} h {'later' if rows > 0 else 'earlier'}: its sun stood {timing.minutes:+d} min "
        f"from the start of the labelled hour, now {timing.after(rows):+d} min (mid-hour is {MID_HOUR_MIN:+d})"
    )
    return hours, (words,)


def _check(path: Path, shown_path: str) -> tuple[_Checked | None, list[Finding]]:
    report = _Report(shown_path)
    lines, findings = _lines(path, report)
    header = _header(lines[0]) if lines else None
    if lines and header is None:
        findings.append(
            report("error", "header", "LOCATION", lines[0][:60], "this is no LOCATION header.", "Use an EPW file.")
        )
    if header is None:
        return None, findings
    header, corrections, more = _known_errors(header, report)
    findings += more + _header_findings(header, report)
    table, more = _table(lines[_HEADER_LINES:], report)
    findings += more
    if any(f.severity == "error" for f in findings):
        return None, findings
    table, words, more = _possible(table, header, report)
    findings += more
    if any(f.severity == "error" for f in findings):
        return None, findings
    ghi, dni, dhi = (table[column].to_numpy() for column in _RADIATION)
    timing = detect_sun_timing(ghi, dni, dhi, header.latitude, header.longitude)
    return _Checked(header, table, timing, (*corrections, *words)), findings + _timing_findings(timing, report)


def _lines(path: Path, report: _Report) -> tuple[list[str], list[Finding]]:
    remedy = "Put a readable .epw or .epw.gz there."
    if not path.is_file():
        return [], [report("error", "file_missing", "path", report.shown_path, "the file does not exist.", remedy)]
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        reason = type(error).__name__
        return [], [report("error", "unreadable", "path", report.shown_path, f"cannot be unpacked ({reason}).", remedy)]
    lines = text.splitlines()
    if len(lines) <= _HEADER_LINES:
        return [], [report("error", "unreadable", "lines", len(lines), "the file has no hourly rows.", remedy)]
    return lines, []


def _header(line: str) -> _Header | None:
    words = [word.strip() for word in line.split(",")]
    if len(words) < 10 or words[0].upper() != "LOCATION":
        return None
    try:
        latitude, longitude, zone_h, altitude_m = (float(word) for word in words[6:10])
    except ValueError:
        return None
    return _Header(words[1], words[4], words[5], latitude, longitude, zone_h, altitude_m)


def _known_errors(header: _Header, report: _Report) -> tuple[_Header, list[str], list[Finding]]:
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


def _header_findings(header: _Header, report: _Report) -> list[Finding]:
    found = []
    west, south, east, north = CHINA_BOX
    if not (west <= header.longitude <= east and south <= header.latitude <= north):
        place = f"{header.latitude}, {header.longitude}"
        found.append(
            report("error", "position", "LOCATION", place, "the station is not in China.", "Check the header.")
        )
    if header.zone_h != 8.0:
        found.append(
            report(
                "error",
                "time_zone",
                "LOCATION",
                header.zone_h,
                "hours are taken as UTC+08:00, the file says otherwise.",
                "Use a file in Chinese standard time.",
            )
        )
    return found


def _table(lines: list[str], report: _Report) -> tuple[pd.DataFrame, list[Finding]]:
    """Rows in calendar order with month, day, hour and the columns of :data:`_FIELDS`."""
    rows = [line.split(",") for line in lines if line.strip()]
    short = [i for i, row in enumerate(rows) if len(row) <= max(field.place for field in _FIELDS.values())]
    if short:
        line = short[0] + _HEADER_LINES + 1
        what = f"{len(short)} rows have too few columns."
        return pd.DataFrame(), [report("error", "row_short", f"line {line}", len(short), what, "Fetch the file again.")]
    places = {"month": 1, "day": 2, "hour": 3} | {name: field.place for name, field in _FIELDS.items()}
    table = pd.DataFrame(
        {
            name: pd.to_numeric(pd.Series([row[place] for row in rows]), errors="coerce")
            for name, place in places.items()
        }
    ).astype(float)
    table = table[~((table["month"] == 2) & (table["day"] == 29))].reset_index(drop=True)
    findings = _calendar_findings(table, report)
    for name, field in _FIELDS.items():
        findings += _value_findings(table, name, field, report)
    return table, findings


def _calendar_findings(table: pd.DataFrame, report: _Report) -> list[Finding]:
    stamps = pd.Series(list(zip(table["month"], table["day"], table["hour"], strict=True)))
    days = pd.date_range("2023-01-01", "2023-12-31")
    expected = [(day.month, day.day, hour) for day in days for hour in range(1, 25)]
    present = set(stamps)
    missing = [_stamp(*stamp) for stamp in expected if stamp not in present]
    doubled = [_stamp(*stamp) for stamp in stamps[stamps.duplicated()]]
    found = []
    if missing:
        what = f"{len(missing)} hours of the year are missing."
        remedy = "Use a whole year of 8760 hours, or fill the gap from a neighbouring station."
        found.append(report("error", "gap", _first(missing), len(missing), what, remedy))
    if doubled:
        what = f"{len(doubled)} hours occur twice."
        found.append(report("error", "hour_twice", _first(doubled), len(doubled), what, "Remove the second ones."))
    if not found and list(stamps) != expected:
        first = next(i for i, (a, b) in enumerate(zip(stamps, expected, strict=False)) if a != b)
        what = "the rows are not in the order of the year, or hold hours that do not exist."
        found.append(
            report("error", "order", f"row {first}", len(stamps), what, "Sort the rows by month, day and hour.")
        )
    return found


def _value_findings(table: pd.DataFrame, column: str, field: _Field, report: _Report) -> list[Finding]:
    values = table[column].to_numpy()
    missing = np.isnan(values) | (values >= field.missing_from)
    wrong = ~missing & ((values < field.low) | (values > field.high))
    found = []
    if missing.any():
        what = f"{field.name} is missing in {missing.sum()} hours."
        remedy = "Fill them from a neighbouring station, or use another file; nothing is filled in silently."
        found.append(report("error", "value_missing", _hours_named(table, missing), column, what, remedy))
    if wrong.any():
        extreme = values[wrong][np.abs(values[wrong] - (field.low + min(field.high, 1e6)) / 2).argmax()]
        what = f"{field.name} is outside {field.low:g} to {field.high:g} in {wrong.sum()} hours, worst {extreme:g}."
        found.append(
            report("error", "value_range", _hours_named(table, wrong), f"{extreme:g}", what, "Correct these hours.")
        )
    return found


def _hours_named(table: pd.DataFrame, which: npt.NDArray[np.bool_]) -> str:
    rows = table.loc[which, ["month", "day", "hour"]]
    return _first([_stamp(*row) for row in rows.itertuples(index=False)])


def _stamp(month: float, day: float, hour: float) -> str:
    if np.isnan([month, day, hour]).any():
        return "(no date)"
    return f"{month:02.0f}-{day:02.0f} hour {hour:.0f}"


def _first(names: list[str], shown: int = 5) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _possible(table: pd.DataFrame, header: _Header, report: _Report) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """Replace radiation above what is physically possible, and say so; many such hours are an error."""
    table, words, findings = table.copy(), [], []
    for column, limit in upper_limits(header.latitude, header.longitude).items():
        values = table[column].to_numpy()
        above = values > limit
        if not above.any():
            continue
        count, hours, worst = int(above.sum()), _hours_named(table, above), float(values[above].max())
        name = _FIELDS[column].name
        few = count <= _FEW_IMPOSSIBLE
        findings.append(
            report(
                "warning" if few else "error",
                "radiation_impossible",
                hours,
                f"{worst:g} W/m2",
                f"{name} is more than the sky can give in {count} hours"
                + (", which are set to the limit." if few else "."),
                "Look at these hours; use another file if the radiation matters there.",
            )
        )
        table.loc[above, column] = limit[above]
        words.append(f"{name} of {worst:g} W/m2 lowered to the physical limit {limit[above].max():.0f} ({hours})")
    return table, words, findings


def _timing_findings(timing: SunTiming, report: _Report) -> list[Finding]:
    opinion = (
        f"sun of GHI at {timing.minutes:+d} min after the start of the labelled hour (quarters of the year "
        f"{', '.join(f'{quarter:+d}' for quarter in timing.quarters)}; correlation {timing.correlation:.2f}); "
        "closure of the components at "
        f"{timing.closure_minutes:+d} min ({timing.closure_rms_w_per_m2:.0f} W/m2)"
    )
    value = f"{timing.minutes:+d} min"
    if not timing.certain:
        remedy = "Labels are kept. Compare the file with a neighbouring station."
        return [report("warning", "labels_uncertain", "hour", value, f"the sun does not decide: {opinion}.", remedy)]
    rows = timing.whole_hours_off
    found = []
    if rows:
        what = f"labels are {abs(rows)} h off: {opinion}. Radiation is moved by {rows:+d} rows."
        found.append(report("warning", "labels_off", "hour", value, what, "Nothing need be done."))
    rest = timing.after(rows) - MID_HOUR_MIN
    if abs(rest) > _CENTRED_TOLERANCE_MIN:
        what = (
            f"the values stand {rest:+d} min from mid-hour, which no whole hour mends: {opinion}. South-facing yields "
            "change by less than 1 %, those of east and west faces by up to 10 %."
        )
        remedy = "Labels are kept. Use a file of hourly means where east and west faces matter."
        found.append(report("warning", "labels_centred", "hour", f"{rest:+d} min", what, remedy))
    return found
