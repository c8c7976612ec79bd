"""What is wrong or implausible about yields: weather that cannot be used, inputs, hours no plant has.

Faults of inputs stop the run (:class:`layers.contracts.InputError`); implausible results do not, they raise alarms,
each with the value, the plausible range and what to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, Finding, Weather
from siting.technologies.tables import Technology

_HOURS_OF_A_YEAR = (8760, 8784)
_DARK_SHARE_ALARM = 0.005
IMPLIED_HOURS, LIGHT_AT_NIGHT, LOSSES_NOT_MET = "yield.implied_hours", "yield.light_at_night", "yield.losses_not_met"
_NO_MEAN_SPEED = "wind speed of the weather file as it is, without a long-run mean"
_REMEDIES = {
    ("pv", "low"): "Look for shade, a cell of another climate, irradiance in another unit, or hours an hour off.",
    ("pv", "high"): "Look for irradiance in another unit, double counted diffuse light, or AC taken for DC capacity.",
    (
        "wind",
        "low",
    ): "State the long-run mean at hub height ([wind] mean_speed_m_per_s): town stations show too little.",
    ("wind", "high"): "Check the unit (km/h, knots), the measuring height, and the mean speed at hub height.",
}


@dataclass(frozen=True)
class Alarm:
    """Something implausible in words, and the same as a finding."""

    text: str
    finding: Finding


def check_weather(weather: Weather) -> list[Finding]:
    """Everything that keeps a weather cell from being used: columns, hours, zone, and values that are not numbers."""
    hours = weather.hours
    missing = [name for name in WEATHER_HOURS.columns if name not in hours.columns]
    found = [
        weather_finding(weather, "column_missing", name, "", "The column is missing.", "Add it.") for name in missing
    ]
    index = hours.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        text = "The hours have no time zone."
        return [*found, weather_finding(weather, "zone", "index", str(index.dtype), text, "Use UTC+08:00.")]
    if any(stamp.utcoffset() != CHINA_STANDARD_TIME.utcoffset(None) for stamp in (index[:1].union(index[-1:]))):
        text = "The hours are not in China's standard time."
        found.append(weather_finding(weather, "zone", "index", str(index.tz), text, "Use UTC+08:00."))
    steps = np.diff(index.as_unit("s").astype("int64"))
    if len(index) not in _HOURS_OF_A_YEAR or not bool((steps == 3600).all()):
        text = f"{len(index)} rows that are not one year of whole hours without gap."
        found.append(weather_finding(weather, "hours", "index", str(len(index)), text, "Give 8760 hours."))
    for name in WEATHER_HOURS.columns:
        if name in hours.columns:
            found += _gaps(weather, name)
    return found


def _gaps(weather: Weather, name: str) -> list[Finding]:
    values = weather.hours[name].to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if not bad.size:
        return []
    first = weather.hours.index[bad[0]]
    item = f"{first:%Y-%m-%d %H:%M} {name}"
    text = f"{bad.size} hour(s) without a value in {name}, the first at {first:%Y-%m-%d %H:%M}."
    return [
        weather_finding(weather, "not_a_number", item, str(values[bad[0]]), text, "Fill the gap, or use another file.")
    ]


def weather_finding(weather: Weather, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"weather.{rule}", weather.title, weather.cell_id, item, value, message, remedy)


def input_findings(
    candidates: gpd.GeoDataFrame,
    weather: Sequence[Weather],
    mean_speed: float | None,
    source: str,
) -> list[Finding]:
    findings = [finding for cell in weather for finding in check_weather(cell)]
    if not weather and not candidates.empty:
        remedy = "Name a weather file."
        findings.append(
            Finding("error", "weather.none", "study", "weather", "", "", "There is no weather cell.", remedy)
        )
    ids = [cell.cell_id for cell in weather]
    for cell, position in zip(weather, range(len(ids)), strict=True):
        if cell.cell_id in ids[:position]:
            findings.append(
                weather_finding(cell, "repeated_id", "cell_id", cell.cell_id, "Id used twice.", "Rename one.")
            )
        if not cell.hours.index.equals(weather[0].hours.index):
            text = f"The hours differ from those of {weather[0].cell_id}."
            findings.append(
                weather_finding(cell, "hours_differ", "index", "", text, "Use one calendar year for all cells.")
            )
    if mean_speed is not None and not 2 <= mean_speed <= 15:
        text, remedy = "Implausible mean wind speed at hub height.", "State metres per second between 2 and 15."
        findings.append(
            Finding("error", "wind.mean_speed", "study", "wind", "mean_speed", f"{mean_speed}", text, remedy)
        )
    if mean_speed is not None and not source.strip():
        text, remedy = "The mean wind speed has no source.", "Say where the figure comes from."
        findings.append(Finding("error", "wind.mean_speed_source", "study", "wind", "source", "", text, remedy))
    return findings


def dark_alarm(weather: Weather, dark_share: float) -> list[Alarm]:
    """Irradiation in hours without sun, where it is more than a trace."""
    if dark_share <= _DARK_SHARE_ALARM:
        return []
    text = (
        f"{weather.cell_id}: {100 * dark_share:.1f} % of the irradiation falls in hours with the sun below "
        "the horizon and is dropped; the hour labels or the place are probably wrong"
    )
    remedy = "Check time zone, labels and place of the weather cell."
    return [_alarm(LIGHT_AT_NIGHT, weather.cell_id, f"{100 * dark_share:.1f} %", text, remedy)]


def losses_alarm(variant_id: str) -> Alarm:
    """Wind losses that full load leaves no room for."""
    text = f"{variant_id}: hardly any part load, the stated losses are not met in full"
    return _alarm(LOSSES_NOT_MET, variant_id, "", text, "Check the mean wind speed and the loss chain.")


@dataclass(frozen=True)
class ImpliedHours:
    """Alarms about yearly hours, and which candidates they concern, shape (candidates,)."""

    alarms: tuple[Alarm, ...]
    outside: npt.NDArray[np.bool_]


def implied_hours(
    candidates: gpd.GeoDataFrame,
    technologies: dict[str, Technology],
    specific_yield: npt.NDArray[np.float64],
    weather_cell: npt.NDArray[np.str_],
    mean_speed: float | None,
    source: str,
) -> ImpliedHours:
    """One alarm for each host type and weather cell with candidates whose yearly hours are implausible.

    ``technologies`` holds the technology of each host type; hours are kWh per kW of ``capacity_mw`` (PV DC, wind AC),
    the plausible range is that of ``technologies.csv``. The alarm tells the value farthest from the range.
    """
    host_type = candidates["host_type"].to_numpy(str)
    low = np.array([technologies[name].hours_low for name in host_type.tolist()])
    high = np.array([technologies[name].hours_high for name in host_type.tolist()])
    beyond = np.maximum(low - specific_yield, specific_yield - high)
    outside = beyond > 0
    alarms = []
    for name, cell in sorted(set(zip(host_type[outside].tolist(), weather_cell[outside].tolist(), strict=True))):
        rows = np.flatnonzero(outside & (host_type == name) & (weather_cell == cell))
        hours, technology = float(specific_yield[rows[beyond[rows].argmax()]]), technologies[name]
        basis = "kW AC" if technology.kind == "wind" else "kW DC"
        cause = "" if technology.kind == "pv" else f" ({_mean_speed_text(mean_speed, source)})"
        text = (
            f"{name} in weather cell {cell}: {hours:.0f} kWh per {basis} lies outside the plausible "
            f"{technology.hours_low:.0f}-{technology.hours_high:.0f}{cause}; {rows.size} candidate(s)"
        )
        remedy = _REMEDIES[technology.kind, "low" if hours < technology.hours_low else "high"]
        alarms.append(_alarm(IMPLIED_HOURS, f"{name} in {cell}", f"{hours:.0f} h", text, remedy))
    return ImpliedHours(tuple(alarms), outside)


def _alarm(rule: str, item: str, value: str, text: str, remedy: str) -> Alarm:
    return Alarm(text, Finding("warning", rule, "study", "yields", item, value, f"{text}.", remedy))


def _mean_speed_text(mean_speed: float | None, source: str) -> str:
    return _NO_MEAN_SPEED if mean_speed is None else f"scaled to {mean_speed:g} m/s at hub height, {source}"
