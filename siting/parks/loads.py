"""Hourly load of a park: from a file of the user, or generated from a peak and a shape that says it is generated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, Finding, InputError, Origin, SourceCard
from layers.source_file import card_finding, file_findings
from siting.technologies.small_tables import TECHNOLOGIES_FOLDER, Row, read_small_table

Floats = npt.NDArray[np.float64]

HOURS = 8760
TIME_COLUMN = "hour_start"
_SHOWN = 5
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})$"


def load_shapes() -> pd.DataFrame:
    """The shapes of generated loads with labels, source and confidence, one row a shape.

    ``workday_share`` is an array of 24 shares of the peak, the first from 0 to 1 o'clock; ``weekend_share`` the factor
    on Saturdays and Sundays.

    Raises
    ------
    InputError
        If a row has not 24 shares of 0 to 1, the greatest of them 1.
    """
    texts = ("shape", "label_zh", "label_en", "workday_share", "source", "edition")
    allowed = {"origin": (str(Origin.GENERATED),), "confidence": ("A", "B", "C")}
    path = TECHNOLOGIES_FOLDER / "park_loads.csv"
    rows = read_small_table(path, {**dict.fromkeys(texts), **allowed}, {"weekend_share": (0.0, 1.0)})
    return pd.DataFrame([{**row, "workday_share": _day_shares(row)} for row in rows])


def _day_shares(row: Row) -> Floats:
    try:
        shares = np.array([float(text) for text in row["workday_share"].split()])
    except ValueError:
        shares = np.zeros(0)
    if len(shares) == 24 and shares.min() >= 0 and shares.max() == 1:
        return shares
    message, remedy = "A day has 24 shares of 0 to 1, and its greatest is 1.", "Correct the row."
    item = f"shape {row['shape']}, workday_share"
    shown = "siting/technologies/park_loads.csv"
    raise InputError([Finding("error", "table.day", shown, "park_loads", item, row["workday_share"], message, remedy)])


def generated_load(peak_mw: float, shape: str, *, first_weekday: int = 0, hours: int = HOURS) -> Floats:
    """Hourly load of a shape [MW], shape (hours,); Saturdays and Sundays by its weekend share.

    Parameters
    ----------
    peak_mw : float
        Load of the hour whose share is 1, on a working day.
    shape : str
        Row of ``siting/technologies/park_loads.csv``.
    first_weekday : int
        Day of the week of the first hour, Monday is 0.
    hours : int
        Number of hours from midnight.

    Raises
    ------
    KeyError
        If the shape is not listed.
    """
    table = load_shapes().set_index("shape")
    if shape not in table.index:
        raise KeyError(f"no load shape {shape!r}; there are {', '.join(map(str, table.index))}")
    hour = np.arange(hours)
    weekend = (hour // 24 + first_weekday) % 7 >= 5
    factor = np.where(weekend, float(table["weekend_share"][shape]), 1.0)
    return np.asarray(peak_mw * table["workday_share"][shape][hour % 24] * factor, dtype=np.float64)


def read_park_load(card: SourceCard, column: str) -> Floats:
    """Hourly load of a file [MW], shape (8760,).

    Parameters
    ----------
    card : SourceCard
        CSV of the 8760 hours of a common year in UTC+08:00. A column ``hour_start`` with the starts of the hours is
        checked where there is one; without it the rows are the hours in their order.
    column : str
        The column of the load [MW].

    Raises
    ------
    InputError
        With everything wrong: file, column, hours that are missing or twice, loads missing or negative.
    """
    findings = file_findings(card)
    load = np.zeros(0)
    if not any(f.rule == "source.file_missing" for f in findings):
        load, more = _hours_of(card, column)
        findings += more
    if findings:
        raise InputError(findings)
    return load


def _hours_of(card: SourceCard, column: str) -> tuple[Floats, list[Finding]]:
    try:
        table = pd.read_csv(card.path, encoding="utf-8-sig", dtype=str)
    except (OSError, ValueError):
        return np.zeros(0), [_fault(card, "unreadable", "path", card.shown_path, "the file is no readable CSV.",
                                    "Save it as CSV in UTF-8, separated by commas.")]  # fmt: skip
    if column not in table.columns:
        known = ", ".join(map(str, table.columns))
        return np.zeros(0), [_fault(card, "column_missing", "column", column, "there is no such column.",
                                    f"Name the column of the load in MW; the file has: {known}.")]  # fmt: skip
    load = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
    found = _time_findings(card, table) if TIME_COLUMN in table.columns else _count_findings(card, len(load))
    return load, found + _value_findings(card, column, load)


def _count_findings(card: SourceCard, count: int) -> list[Finding]:
    if count == HOURS:
        return []
    message = f"a year has {HOURS} hours, the table {count} rows."
    remedy = f"Give one common year by hours; with a column {TIME_COLUMN} the missing ones are named."
    return [_fault(card, "hours", "rows", count, message, remedy)]


def _time_findings(card: SourceCard, table: pd.DataFrame) -> list[Finding]:
    """Labels that are no time, stand twice, are missing, or are no start of an hour of the first label's year."""
    stamps = _local(table[TIME_COLUMN].fillna(""))
    wrong = np.flatnonzero(stamps.isna())
    if len(wrong):
        message = f"{len(wrong)} labels are no time, first rows {_first(wrong + 2)}."
        return [_fault(card, "time", TIME_COLUMN, len(wrong), message, "Write times as 2023-01-01 00:00.")]
    if stamps.empty:
        return _count_findings(card, 0)
    year = stamps[0].year
    hours = pd.date_range(f"{year}-01-01", f"{year}-12-31 23:00", freq="h")
    faults = (
        ("leap_year", hours[HOURS:], f"{year} is a leap year of {len(hours)} hours.",
         "Leave 29 February out and label the hours with a common year, or give a year with 365 days."),
        ("gap", hours.difference(stamps), "hours are missing.", "Fill them in the source; a gap is never taken as 0."),
        ("twice", stamps[stamps.duplicated()], "hours stand twice.", "Keep one row an hour."),
        ("foreign", stamps.difference(hours), "labels are no start of an hour of that year.",
         "Label whole hours of one calendar year in UTC+08:00 by their start."),
    )  # fmt: skip
    found = [
        _fault(card, rule, TIME_COLUMN, _first(which), f"{len(which)}: {message}", remedy)
        for rule, which, message, remedy in faults
        if len(which)
    ]
    if not found and not stamps.is_monotonic_increasing:
        found.append(_fault(card, "order", TIME_COLUMN, "", "the hours are not in order.", "Sort the rows by time."))
    return found


def _local(labels: pd.Series) -> pd.DatetimeIndex:
    """Labels as local time UTC+08:00 without zone; NaT where one is no time."""
    if not labels.str.contains(_ZONE).any():
        return pd.DatetimeIndex(pd.to_datetime(labels, errors="coerce", format="mixed"))
    stamps = pd.to_datetime(labels, errors="coerce", format="mixed", utc=True)
    return pd.DatetimeIndex(stamps).tz_convert(CHINA_STANDARD_TIME).tz_localize(None)


def _value_findings(card: SourceCard, column: str, load: Floats) -> list[Finding]:
    found = []
    for rule, wrong, what in (
        ("gap", ~np.isfinite(load), "is missing or no number"),
        ("negative", load < 0, "is negative"),
    ):
        rows = np.flatnonzero(wrong) + 2
        if len(rows):
            message = f"the load {what} in {len(rows)} hours, first rows {_first(rows)}."
            remedy = "Fill or correct the hours in the source; a gap is never taken as 0."
            found.append(_fault(card, rule, f"{column} row {_first(rows)}", len(rows), message, remedy))
    return found


def _first(items: object) -> str:
    shown = [str(item) for item in list(items)[:_SHOWN]]  # type: ignore[call-overload]
    return ", ".join(shown)


def _fault(card: SourceCard, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return card_finding(card, "error", f"parks.load_{rule}", item, value, message, remedy)
