"""Plain CSV with a column map: the study file says which column is what, in which unit, and where the stamp stands."""

from __future__ import annotations

import io
import re
from datetime import timedelta, timezone

import numpy as np
import pandas as pd

from layers.contracts import WEATHER_HOURS, Finding, InputError
from layers.weather_raw import (
    BEAM_HORIZONTAL,
    DEFAULT_ROUGHNESS_M,
    Options,
    RawWeather,
    Report,
    in_contract_unit,
    known_units,
    numbers,
    text_of,
    ticks,
)

TIME = "time"
KNOWN = (*WEATHER_HOURS.columns, *WEATHER_HOURS.optional, BEAM_HORIZONTAL)
LABELS = ("start", "end", "centre", "reading")

_FORMATS = ("ISO8601", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d:%H%M")
_ZONE = re.compile(r"\d[^+\-Z]*?:\d\d(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)$")


def raw_columns(content: bytes, options: Options, report: Report) -> RawWeather:
    """The rows of a CSV.

    Parameters
    ----------
    content : bytes
        Text with one line of headings; separated by commas, semicolons or tabs; lines that begin with # are left out.
    options : Options
        ``columns`` maps contract columns, and ``time``, to the headings; a contract column that is a heading need not
        be named. ``latitude`` and ``longitude`` are needed; ``zone_h`` unless the stamps have one.
    report : Report

    Raises
    ------
    InputError
        Everything that is missing or contradicts, at once.
    """
    text = text_of(content)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) < 2:
        raise report.refuse("unreadable", "lines", len(lines), "the file has no rows.", "Fetch the file again.")
    separator = max((",", ";", "\t"), key=lines[0].count)
    table = pd.read_csv(io.StringIO("\n".join(lines)), sep=separator, dtype=str, skipinitialspace=True)
    table.columns = [str(name).strip() for name in table.columns]
    mapped = {name: name for name in (TIME, *KNOWN) if name in table.columns} | dict(options.columns)
    _raise(_map_findings(mapped, table, options, report))
    stamps, zone_h = _stamps(table[mapped[TIME]], options, report)
    values = numbers(pd.DataFrame({ours: table[theirs] for ours, theirs in mapped.items() if ours != TIME}), report)
    step_min = _step_min(stamps)
    for name, unit in options.units.items():
        values[name] = in_contract_unit(values[name].to_numpy(float), name, unit, step_min)
    start = {"start": 0.0, "end": -step_min, "centre": -step_min / 2, "reading": 0.0}[options.label]
    assert options.latitude is not None
    assert options.longitude is not None
    return RawWeather(
        format="CSV",
        title=f"{report.shown_path} at {options.latitude:g} N {options.longitude:g} E",
        latitude=options.latitude,
        longitude=options.longitude,
        altitude_m=float("nan") if options.altitude_m is None else options.altitude_m,
        table=values.set_axis(stamps),
        zone_h=zone_h,
        start_min=start,
        state_start_min=start,
        step_min=step_min,
        instant=options.label == "reading",
        wind_height_m=10.0 if options.wind_height_m is None else options.wind_height_m,
        second_wind_height_m=float("nan") if options.second_wind_height_m is None else options.second_wind_height_m,
        roughness_length_m=DEFAULT_ROUGHNESS_M if options.roughness_length_m is None else options.roughness_length_m,
    )


def _raise(findings: list[Finding]) -> None:
    if findings:
        raise InputError(findings)


def _map_findings(mapped: dict[str, str], table: pd.DataFrame, options: Options, report: Report) -> list[Finding]:
    headings = ", ".join(table.columns)
    found = [
        report("error", "column_unknown", ours, theirs, f"there is no weather column '{ours}'.",
               f"Columns: {TIME}, {', '.join(KNOWN)}.")
        for ours, theirs in mapped.items()
        if ours not in (TIME, *KNOWN)
    ]  # fmt: skip
    found += [
        report("error", "column_missing", ours, theirs, f"the file has no column '{theirs}'.",
               f"Its columns: {headings}.")
        for ours, theirs in mapped.items()
        if theirs not in table.columns
    ]  # fmt: skip
    if TIME not in mapped:
        remedy = f"Name it: columns = {{ time = ... }}. The file's columns: {headings}."
        found.append(report("error", "column_missing", TIME, "", "no column is named as the time.", remedy))
    for name, unit in options.units.items():
        if name not in mapped:
            found.append(report("error", "unit", name, unit, "a unit without a column.", "Map the column."))
            continue
        try:
            in_contract_unit(np.zeros(1), name, unit, 60.0)
        except KeyError:
            remedy = f"Units: {', '.join(known_units(name))}."
            found.append(report("error", "unit", name, unit, "this unit is not known.", remedy))
    if options.label not in LABELS:
        remedy = f"One of {', '.join(LABELS)}."
        found.append(report("error", "label", "label", options.label, "no place of a stamp.", remedy))
    for key in ("latitude", "longitude"):
        if getattr(options, key) is None:
            found.append(report("error", "position", key, "", "a plain table says not where it is.", f"State {key}."))
    return found


def _stamps(column: pd.Series, options: Options, report: Report) -> tuple[pd.DatetimeIndex, float]:
    """Stamps with their zone, and the zone [h]."""
    words = column.astype(str).str.strip()
    zones = sorted({match.group(1) if (match := _ZONE.search(word)) else "" for word in words})
    if len(zones) > 1:
        named = ", ".join(zone or "none" for zone in zones)
        remedy = "Write all stamps in one zone."
        raise report.refuse("two_time_zones", TIME, named, "the stamps have different time zones.", remedy)
    if not zones[0] and options.zone_h is None:
        remedy = "State zone = 8 for Chinese standard time, 0 for UTC."
        raise report.refuse("time_zone", TIME, words.iloc[0], "the stamps have no time zone.", remedy)
    best = max((pd.to_datetime(words, format=form, errors="coerce", utc=True) for form in _FORMATS),
               key=lambda stamps: int(stamps.notna().sum()))  # fmt: skip
    bad = best.isna().to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        what = f"{int(bad.sum())} stamps are no time."
        remedy = "Write them as 2019-01-31 23:00."
        raise report.refuse("stamp", f"row {row + 1}", words.iloc[row], what, remedy)
    index = pd.DatetimeIndex(best)
    if zones[0]:
        zone_h = 0.0 if zones[0] == "Z" else _hours(zones[0])
    else:
        zone_h = float(options.zone_h or 0.0)
        index = index - pd.Timedelta(hours=zone_h)
    return index.tz_convert(timezone(timedelta(hours=zone_h))), zone_h


def _hours(zone: str) -> float:
    """Hours east of UTC of "+08:00" or "+0800"."""
    return (1 if zone[0] == "+" else -1) * (int(zone[1:3]) + int(zone[-2:]) / 60.0)


def _step_min(stamps: pd.DatetimeIndex) -> float:
    """The commonest distance of neighbouring stamps [min]."""
    steps = pd.Series(np.diff(ticks(stamps)) / 60e9)
    steps = steps[steps > 0]
    return float(steps.mode().iloc[0]) if len(steps) else 60.0
