"""From what a file has to weather that can be used: one way for all formats, every change named.

::

    RawWeather -> values (text, sentinels, units, ranges) -> calendar (twice, order, step, gaps) -> hours in UTC+08:00
               -> years -> labels against the sun -> gaps filled -> what cannot be -> missing components -> closure
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, Finding, Origin, Weather
from layers.datum import CHINA_BOX
from layers.weather_checks import MID_HOUR_MIN, SunTiming, detect_sun_timing
from layers.weather_components import derived, with_components
from layers.weather_gaps import fill_gaps
from layers.weather_raw import (
    BEAM_HORIZONTAL,
    OPTIONAL,
    RADIATION,
    SECOND_WIND,
    STATE,
    TYPICAL_YEAR,
    Options,
    RawWeather,
    Report,
    first_names,
    limits,
    ticks,
)
from layers.weather_resample import means_from_readings, resample_mean, spread_by_sun
from layers.weather_verdicts import (
    CENTRED_TOLERANCE_MIN,
    Naming,
    closure_findings,
    lower_impossible,
    timing_findings,
)

HOURS_OF_A_YEAR = 8760
WHOLE_YEAR_SHARE = 0.95
"""Share of a calendar year's hours that a file must reach into for the year to be used."""

_CHINA_HOURS = 8.0
_HOUR = pd.Timedelta(hours=1)
_STATED_TOLERANCE_MIN = 2.0


@dataclass(frozen=True)
class Prepared:
    """Weather of each whole year of one place (none where a finding is an error), and everything found."""

    cells: tuple[Weather, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Year:
    """One year: 8760 rows in UTC+08:00; ``minute`` is where its radiation stands after the label."""

    hours: pd.DataFrame
    minute: float
    years: tuple[int, ...]
    words: tuple[str, ...]


def prepare(raw: RawWeather, cell_id: str, origin: Origin, options: Options, report: Report) -> Prepared:
    """Weather of every whole year of a place.

    Parameters
    ----------
    raw : RawWeather
        As read.
    cell_id : str
    origin : Origin
        Of the file, as its card says.
    options : Options
        ``year`` is the calendar that every year is given (29 February is left out), ``labels`` whether the sun may
        move radiation.
    report : Report

    Returns
    -------
    Prepared
        Findings with severity error mean that there are no cells.
    """
    findings = [*raw.findings, *_notes(raw, report), *_place_findings(raw, report), *_stamp_findings(raw, report)]
    if raw.table.index.hasnans:
        return Prepared((), tuple(dict.fromkeys(findings)))  # hours without a name can be judged no further
    table, more = clean_values(raw, report)
    findings += more + _column_findings(raw, report)
    years, more = ([], []) if _errors(findings) else _years(raw, table, report)
    findings += more
    cells: list[Weather] = []
    for year in years:
        cell, more = _weather(raw, year, cell_id, origin, options, report)
        findings += more
        if cell is not None:
            cells.append(cell)
    return Prepared(() if _errors(findings) else tuple(cells), tuple(dict.fromkeys(findings)))


def _errors(findings: list[Finding]) -> bool:
    return any(f.severity == "error" for f in findings)


def _notes(raw: RawWeather, report: Report) -> list[Finding]:
    return [report("note", rule, raw.format, "", words, "Nothing need be done.") for rule, words in raw.notes]


def _place_findings(raw: RawWeather, report: Report) -> list[Finding]:
    west, south, east, north = CHINA_BOX
    if west <= raw.longitude <= east and south <= raw.latitude <= north:
        return []
    place = f"{raw.latitude}, {raw.longitude}"
    remedy = "Check the header, or latitude and longitude of the study file."
    return [report("error", "position", "position", place, "the place is not in China.", remedy)]


def _stamp_findings(raw: RawWeather, report: Report) -> list[Finding]:
    """Rows without a time: pandas reads a row that is cut off before its hour as such, without a word."""
    bad = np.asarray(raw.table.index.isna())
    if not bad.any():
        return []
    what = f"{int(bad.sum())} of {len(bad)} rows have no time."
    return [report("error", "stamp", f"row {int(np.argmax(bad)) + 1}", "", what, "Fetch the file again.")]


def _column_findings(raw: RawWeather, report: Report) -> list[Finding]:
    """Columns that cannot be derived from others."""
    have = set(raw.table.columns)
    missing = [name for name in ("temp_air_c", "wind_speed_m_per_s") if name not in have]
    if "ghi_w_per_m2" not in have and not {"dhi_w_per_m2", "dni_w_per_m2"} <= have:
        missing.append("ghi_w_per_m2")
    if "pressure_pa" not in have and not np.isfinite(raw.altitude_m):
        missing.append("pressure_pa")
    return [
        report("error", "column_missing", name, "", f"the file has no {limits().loc[name, 'title']}.",
               "Fetch the file with this quantity, or name its column." if name != "pressure_pa"
               else "Name its column, or state altitude_m.")
        for name in missing
    ]  # fmt: skip


def clean_values(raw: RawWeather, report: Report) -> tuple[pd.DataFrame, list[Finding]]:
    """Values that stand for "missing" become NaN; values out of range and wrong units are named.

    Returns
    -------
    DataFrame
        As ``raw.table``.
    list of Finding
        ``sentinel`` (warning), ``value_range`` and ``unit`` (errors).
    """
    table, found = raw.table.copy(), []
    index = pd.DatetimeIndex(table.index)
    naming = Naming(index, raw.typical, raw.hour_end_names)
    for name in table.columns:
        rule = limits().loc[name]
        values = table[name].to_numpy(float)
        flagged = np.isin(np.round(values, 2), np.round(rule["sentinels"], 2))
        if flagged.any():
            values = np.where(flagged, np.nan, values)
            signs = ", ".join(f"{value:g}" for value in np.unique(table[name].to_numpy(float)[flagged]))
            if rule["kind"] != "optional":
                what = f"{rule['title']} has {flagged.sum()} values that stand for 'missing' ({signs})."
                remedy = "They are taken as gaps."
                found.append(report("warning", "sentinel", naming(flagged), signs, what, remedy))
        mean = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        if rule["kind"] != "optional" and (mean < rule["usual_low"] or mean > rule["usual_high"]):
            what = f"the mean of {rule['title']} is {mean:.4g}: the unit may be {rule['wrong_unit']}."
            remedy = f"The column is {name}; state the unit, or correct the values."
            found.append(report("error", "unit", name, f"{mean:.4g}", what, remedy))
            continue
        wrong = (values < rule["low"]) | (values > rule["high"])
        if rule["kind"] == "optional":
            values = np.where(wrong, np.nan, values)
        elif wrong.any():
            extreme = values[wrong][np.abs(values[wrong] - (rule["low"] + min(rule["high"], 1e6)) / 2).argmax()]
            what = (
                f"{rule['title']} is outside {rule['low']:g} to {rule['high']:g} in {wrong.sum()} hours, "
                f"worst {extreme:g}."
            )
            found.append(report("error", "value_range", naming(wrong), f"{extreme:g}", what, "Correct these hours."))
        table[name] = values
    return table, found


# --- hours and years ------------------------------------------------------------------------------------------------


def _years(raw: RawWeather, table: pd.DataFrame, report: Report) -> tuple[list[_Year], list[Finding]]:
    if raw.typical:
        return _typical(raw, table, report)
    index = pd.DatetimeIndex(table.index)
    found = _calendar_findings(raw, index, report)
    if _errors(found):
        return [], found
    full = pd.date_range(index[0], index[-1], freq=pd.Timedelta(minutes=raw.step_min))
    table = table.reindex(full)
    hours, minute = _hourly(raw, table)
    hours = hours.tz_convert(CHINA_STANDARD_TIME)
    years, more = _whole_years(hours, raw, report)
    return [_Year(part, minute, (year,), words) for year, part, words in years], found + more


def _calendar_findings(raw: RawWeather, index: pd.DatetimeIndex, report: Report) -> list[Finding]:
    found = []
    if len(index) < 2:
        return [report("error", "no_whole_year", "rows", len(index), "the file has no hours.", "Fetch the file again.")]
    name = Naming(index, raw.typical, raw.hour_end_names)
    twice = index.duplicated()
    if twice.any():
        found.append(
            report("error", "hour_twice", name(twice), int(twice.sum()), f"{int(twice.sum())} hours occur twice.",
                   "Remove the second ones; with clock changes, give the file in standard time.")
        )  # fmt: skip
    elif not index.is_monotonic_increasing:
        back = np.concatenate([[False], np.diff(ticks(index)) < 0])
        found.append(
            report("error", "order", name(back), int(back.sum()), "the rows are not in the order of time.",
                   "Sort the rows by time.")
        )  # fmt: skip
    offset = (index - index.min()) % pd.Timedelta(minutes=raw.step_min)
    off = np.asarray(offset != pd.Timedelta(0))
    if off.any():
        found.append(
            report("error", "step", name(off), int(off.sum()),
                   f"{int(off.sum())} stamps do not lie on the step of {raw.step_min:g} min.",
                   "Use one step throughout.")
        )  # fmt: skip
    return found


def _hourly(raw: RawWeather, table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Rows by whole hours (label = start) and where radiation stands after the label [min]."""
    light = [name for name in table.columns if name in (*RADIATION, BEAM_HORIZONTAL)]
    rest = [name for name in table.columns if name not in light]
    start, state = pd.Timedelta(minutes=raw.start_min), pd.Timedelta(minutes=raw.state_start_min)
    step = pd.Timedelta(minutes=raw.step_min)
    index = pd.DatetimeIndex(table.index)
    if step == _HOUR:
        centre = index + start + (pd.Timedelta(0) if raw.instant else step / 2)
        label = centre.floor("h")
        minute = (centre[0] - label[0]) / pd.Timedelta(minutes=1)
        parts = [table[light].set_axis(label), table[rest].set_axis((index + state).floor("h"))]
        return parts[0].join(parts[1], how="outer"), float(minute)
    begin = index[0].floor("h")
    radiation = table[light].set_axis(index + start)
    other = table[rest].set_axis(index + state)
    if step > _HOUR:
        radiation = spread_by_sun(radiation, _HOUR, raw.latitude, raw.longitude, by_sun=tuple(light))
        fine = radiation.index
        places = (fine - other.index[0]) / _HOUR
        known = np.arange(len(other)) * (step / _HOUR)
        other = pd.DataFrame({name: np.interp(places, known, other[name]) for name in rest}, index=fine)
        return radiation.join(other), float(MID_HOUR_MIN)
    radiation, other = (resample_mean(part, _HOUR, origin=begin) for part in (radiation, other))
    return radiation.join(other, how="outer"), float(MID_HOUR_MIN)


def _whole_years(
    hours: pd.DataFrame, raw: RawWeather, report: Report
) -> tuple[list[tuple[int, pd.DataFrame, tuple[str, ...]]], list[Finding]]:
    """Calendar years in UTC+08:00 without 29 February; years that the file only touches are left out by name."""
    index = pd.DatetimeIndex(hours.index)
    kept, dropped, found = [], [], []
    for year in sorted(set(index.year)):
        expected = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="h", inclusive="left", tz=index.tz)
        share = index.year.to_numpy() == year
        if share.sum() < WHOLE_YEAR_SHARE * len(expected):
            dropped.append(f"{year} ({share.sum()} h)")
            continue
        part = hours.reindex(expected)
        words: tuple[str, ...] = ()
        if isleap(year):
            part = part.loc[~((expected.month == 2) & (expected.day == 29))]
            words = (f"29 February {year} left out",)
        kept.append((year, part, words))
    if dropped and kept:
        found.append(
            report("note", "year_incomplete", ", ".join(dropped), len(dropped),
                   "years that the file only touches are left out.", "Nothing need be done.")
        )  # fmt: skip
    if not kept:
        what = f"no calendar year of UTC+08:00 is there to {WHOLE_YEAR_SHARE:.0%}: {', '.join(dropped)}."
        found.append(report("error", "no_whole_year", first_names(dropped), len(hours), what, "Give a whole year."))
    return kept, found


def _typical(raw: RawWeather, table: pd.DataFrame, report: Report) -> tuple[list[_Year], list[Finding]]:
    """A stitched year: its hours are a circle, the zone turns it."""
    turn = _CHINA_HOURS - raw.zone_h
    if len(table) != HOURS_OF_A_YEAR or raw.step_min != 60.0:
        what = f"a typical year has {HOURS_OF_A_YEAR} hours, this one {len(table)}."
        return [], [report("error", "no_whole_year", "rows", len(table), what, "Fetch the file again.")]
    if turn != round(turn):
        what = f"the file's zone is UTC{raw.zone_h:+g}, which no whole hour brings to UTC+08:00."
        return [], [report("error", "time_zone", "zone", raw.zone_h, what, "Use a file in UTC or in UTC+08:00.")]
    centre = raw.start_min + (0.0 if raw.instant else 30.0)
    rows = int(np.floor(centre / 60.0))
    words: tuple[str, ...] = ()
    if turn:
        words = (
            f"turned from UTC{raw.zone_h:+g} to UTC+08:00: the {abs(int(turn))} hours at the "
            f"{'end' if turn > 0 else 'beginning'} of the year in the file stand at its "
            f"{'beginning' if turn > 0 else 'end'} now",
        )
    light = (*RADIATION, BEAM_HORIZONTAL)
    turned = {
        name: np.roll(table[name].to_numpy(float), int(turn) + (rows if name in light else 0)) for name in table.columns
    }
    index = pd.date_range(f"{TYPICAL_YEAR}-01-01", periods=HOURS_OF_A_YEAR, freq="h", tz=CHINA_STANDARD_TIME)
    return [_Year(pd.DataFrame(turned, index=index), centre - 60.0 * rows, raw.years, words)], []


# --- one year -------------------------------------------------------------------------------------------------------


def _weather(
    raw: RawWeather, year: _Year, cell_id: str, origin: Origin, options: Options, report: Report
) -> tuple[Weather | None, list[Finding]]:
    hours, words = year.hours, [*raw.corrections, *year.words]
    naming = Naming(pd.DatetimeIndex(hours.index), raw.typical, raw.hour_end_names)
    hours, more_words = _without_night_offset(hours)
    words += more_words
    if "ghi_w_per_m2" not in hours:
        words.append("ghi_w_per_m2 modelled: closure of the components")
        hours = with_components(hours, raw, year.minute)
    timing = _timing(hours, raw)
    minute = timing.minutes if timing is not None and timing.certain else year.minute
    hours, more_words, findings = _filled(hours, raw, float(minute), naming, report)
    words += more_words
    if _errors(findings):
        return None, findings
    hours, more_words, more = lower_impossible(hours, raw.latitude, raw.longitude, naming, report)
    words, findings = words + more_words, findings + more
    if _errors(findings):
        return None, findings
    hours, more_words, more = _by_the_sun(hours, raw, year, timing, options, report)
    words, findings = words + more_words, findings + more
    hours, more_words = derived(hours, raw)
    words += more_words
    findings += closure_findings(hours, raw.latitude, raw.longitude, report)
    columns = [*WEATHER_HOURS.columns, *(name for name in OPTIONAL if name in hours and hours[name].notna().any())]
    index = pd.date_range(f"{options.year}-01-01", periods=HOURS_OF_A_YEAR, freq="h", tz=CHINA_STANDARD_TIME)
    table = hours[columns].set_axis(index)
    for name, promise in WEATHER_HOURS.columns.items():
        table[name] = table[name].clip(promise.ge, promise.le)
    return Weather(
        cell_id=cell_id + raw.cell_suffix,
        latitude=raw.latitude,
        longitude=raw.longitude,
        altitude_m=raw.altitude_m if np.isfinite(raw.altitude_m) else _altitude(table["pressure_pa"]),
        wind_height_m=raw.wind_height_m,
        roughness_length_m=raw.roughness_length_m,
        hours=WEATHER_HOURS.validate(table),
        origin=origin,
        title=raw.title,
        corrections=tuple(words),
        years=year.years,
        second_wind_height_m=raw.second_wind_height_m if SECOND_WIND in table else float("nan"),
    ), findings


def _altitude(pressure: pd.Series) -> float:
    """Height whose standard atmosphere has the mean pressure [m]."""
    from pvlib.atmosphere import pres2alt

    return round(float(pres2alt(float(pressure.mean()))), 1)


def _without_night_offset(hours: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    light = [name for name in (*RADIATION, BEAM_HORIZONTAL) if name in hours]
    count = int((hours[light] < 0).any(axis=1).sum())
    if not count:
        return hours, []
    return hours.assign(**{name: hours[name].mask(hours[name] < 0, 0.0) for name in light}), [
        f"radiation slightly below zero in {count} hours (night offset of the sensor) set to zero"
    ]


def _timing(hours: pd.DataFrame, raw: RawWeather) -> SunTiming | None:
    if "ghi_w_per_m2" not in hours:
        return None
    nothing = np.zeros(len(hours))
    ghi, dni, dhi = (np.nan_to_num(hours[name].to_numpy(float)) if name in hours else nothing for name in RADIATION)
    return detect_sun_timing(ghi, dni, dhi, raw.latitude, raw.longitude)


def _filled(
    hours: pd.DataFrame, raw: RawWeather, minute: float, naming: Naming, report: Report
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    columns = tuple(name for name in (*RADIATION, BEAM_HORIZONTAL, *STATE) if name in hours)
    filled = fill_gaps(hours, raw.latitude, raw.longitude, columns, minute)
    words, found = [], []
    for name, share in filled.refused:
        missing = hours[name].isna().to_numpy()
        what = f"{limits().loc[name, 'title']} is missing in {missing.sum()} hours ({share:.1%}), too many to fill."
        remedy = "Use another file or station; up to 5 % and ten days on end are filled."
        found.append(report("error", "gap_share", naming(missing), name, what, remedy))
    for name in columns:
        own = [fill for fill in filled.fills if fill.column == name]
        for rule in sorted({fill.rule for fill in own}):
            these = [fill for fill in own if fill.rule == rule]
            total = sum(fill.hours for fill in these)
            listed = ", ".join(fill.words(naming.index) for fill in these)
            title = limits().loc[name, "title"]
            words.append(f"{title} filled in {total} h by the rule '{rule}': {listed}")
            what = f"{title} is missing in {total} hours and filled by the rule '{rule}'."
            remedy = "Every filled hour stands in the corrections of the weather cell."
            found.append(report("warning", "gap_filled", first_names(f.words(naming.index) for f in these), name, what,
                                remedy))  # fmt: skip
    return filled.hours, words, found


def _by_the_sun(
    hours: pd.DataFrame, raw: RawWeather, year: _Year, timing: SunTiming | None, options: Options, report: Report
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """Radiation where its sun is: moved by whole hours, then readings turned into means."""
    light = [name for name in (*RADIATION, BEAM_HORIZONTAL) if name in hours]
    if timing is None or options.labels == "as_filed":
        words = ["labels kept as filed, the sun was not asked"] if options.labels == "as_filed" else []
        return hours, words, []
    rows = timing.whole_hours_off
    minute = _reading_minute(timing, rows, year.minute)
    findings = timing_findings(timing, rows, minute, report)
    words = []
    if rows:
        hours = hours.assign(**{name: np.roll(hours[name].to_numpy(), rows) for name in light})
        words.append(
            f"radiation moved {abs(rows)} h {'later' if rows > 0 else 'earlier'}: its sun stood {timing.minutes:+d} "
            f"min from the start of the labelled hour, now {timing.after(rows):+d} min (mid-hour is {MID_HOUR_MIN:+d})"
        )
    if minute is None:
        return hours, words, findings
    hours = with_components(hours, raw, float(minute))
    ghi, dni, dhi = (hours[name].to_numpy(float) for name in RADIATION)
    ghi, dhi, dni = means_from_readings(ghi, dhi, dni, raw.latitude, raw.longitude, float(minute))
    words.append(
        f"radiation stood {minute:+.0f} min after the start of the hour; averaged over the hour by its share of the "
        "sun above the air, each day keeping its energy, DNI by closure"
    )
    return hours.assign(ghi_w_per_m2=ghi, dhi_w_per_m2=dhi, dni_w_per_m2=dni), words, findings


def _reading_minute(timing: SunTiming, rows: int, stated: float) -> float | None:
    """Where values stand that are to be averaged, or None for values that are means of their hour."""
    if not timing.certain:
        return None if abs(stated - MID_HOUR_MIN) <= _STATED_TOLERANCE_MIN else stated
    found = float(timing.after(rows))
    if abs(found - stated) <= CENTRED_TOLERANCE_MIN:
        return None if abs(stated - MID_HOUR_MIN) <= _STATED_TOLERANCE_MIN else stated
    return found if abs(found - MID_HOUR_MIN) > CENTRED_TOLERANCE_MIN else None
