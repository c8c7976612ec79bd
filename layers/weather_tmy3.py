"""TMY3 files (and what follows their layout), read by pvlib.

Their stamps end the hour that radiation is the mean of; the year is stitched from months of several years.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from layers.contracts import Finding
from layers.weather_raw import TYPICAL_YEAR, RawWeather, Report, first_names, numbers, text_of

_COLUMNS = {
    "ghi": "ghi_w_per_m2",
    "dni": "dni_w_per_m2",
    "dhi": "dhi_w_per_m2",
    "temp_air": "temp_air_c",
    "pressure": "pressure_pa",
    "wind_speed": "wind_speed_m_per_s",
    "wind_direction": "wind_from_degree",
    "albedo": "albedo",
}
_MBAR = 100.0


def raw_tmy3(content: bytes, report: Report) -> RawWeather:
    """The hours of a TMY3 file; text is named, a broken calendar travels with the result as findings."""
    from pvlib.iotools import read_tmy3

    data, head = read_tmy3(io.StringIO(text_of(content)), map_variables=True)
    table = data[[name for name in _COLUMNS if name in data]].rename(columns=_COLUMNS)
    table = numbers(table, report)
    if "pressure_pa" in table:
        table["pressure_pa"] *= _MBAR
    starts = pd.DatetimeIndex(data.index) - pd.Timedelta(hours=1)
    table, findings = in_typical_year(table, starts, report)
    return RawWeather(
        format="TMY3",
        title=f"{str(head['Name']).strip(chr(34))} (TMY3 {head['USAF']})",
        latitude=head["latitude"],
        longitude=head["longitude"],
        altitude_m=head["altitude"],
        table=table,
        zone_h=float(head["TZ"]),
        typical=True,
        years=tuple(sorted(set(starts.year))),
        findings=tuple(findings),
    )


def in_typical_year(
    table: pd.DataFrame, starts: pd.DatetimeIndex, report: Report
) -> tuple[pd.DataFrame, list[Finding]]:
    """Rows of a stitched year in the calendar of :data:`TYPICAL_YEAR`, without 29 February.

    Parameters
    ----------
    table : DataFrame
    starts : DatetimeIndex
        Start of each row's hour in the file's zone; years differ from month to month.
    report : Report

    Returns
    -------
    table, findings
        Missing, doubled and disordered hours are errors: a typical year is whole or it is cut off.
    """
    leap = (starts.month == 2) & (starts.day == 29)
    table, starts = table[~leap], starts[~leap]
    have = pd.MultiIndex.from_arrays([starts.month, starts.day, starts.hour])
    calendar = pd.date_range(f"{TYPICAL_YEAR}-01-01", periods=8760, freq="h", tz=starts.tz)
    expected = pd.MultiIndex.from_arrays([calendar.month, calendar.day, calendar.hour])
    found = []
    missing, twice = expected.difference(have, sort=False), have[have.duplicated()]
    if len(missing):
        what = f"{len(missing)} hours of the year are missing."
        remedy = "The file is cut off or thinned; fetch it again."
        found.append(report("error", "gap", first_names(map(_name, missing)), len(missing), what, remedy))
    if len(twice):
        what = f"{len(twice)} hours occur twice."
        found.append(
            report("error", "hour_twice", first_names(map(_name, twice)), len(twice), what, "Remove the second ones.")
        )
    if not found and not have.equals(expected):
        first = int(np.flatnonzero(have != expected)[0])
        what = "the rows are not in the order of the year."
        found.append(report("error", "order", f"row {first + 1}", len(have), what, "Sort the rows."))
    index = calendar if len(table) == len(calendar) else pd.date_range(calendar[0], periods=len(table), freq="h")
    return table.set_axis(index), found


def _name(stamp: tuple[int, int, int]) -> str:
    month, day, hour = stamp
    return f"{month:02d}-{day:02d} {hour:02d}:00"
