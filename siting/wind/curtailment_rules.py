"""Rules that stop or slow turbines: noise at night, bats, birds, ice.

A rule holds in the hours whose month, clock, wind and temperature all lie within its bounds
(``wind_curtailment.csv``). Such a rule does cap power, unlike wakes and outages: that is what it is for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from siting.technologies.wind import CurtailmentRule

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def curtailed_hours(rule: CurtailmentRule, hours: pd.DatetimeIndex, hub_speed: Floats, temp_air_c: Floats) -> Flags:
    """Hours in which a rule holds.

    Parameters
    ----------
    hours : DatetimeIndex
        Starts of the hours in local standard time.
    hub_speed, temp_air_c : array, shape (hours,)
        Wind at hub height [m/s] and air temperature [degC]. Bounds count as inside. A value that is not a number is
        inside no bound: what is not known does not stop a turbine.
    """
    return (
        _in_months(hours.month.to_numpy(), rule.month_from, rule.month_to)
        & _in_clock(hours.hour.to_numpy(), rule.hour_from, rule.hour_to)
        & _between(hub_speed, rule.wind_from_m_per_s, rule.wind_to_m_per_s)
        & _between(temp_air_c, rule.temp_from_c, rule.temp_to_c)
    )


def curtailed_power(power: Floats, rule: CurtailmentRule, holds: Flags) -> Floats:
    """Power by rated power with the rule's limit in the hours in which it holds."""
    return np.where(holds, np.minimum(power, rule.power_limit_share), power)


def apply_rules(
    power: Floats, rules: Sequence[CurtailmentRule], hours: pd.DatetimeIndex, hub_speed: Floats, temp_air_c: Floats
) -> tuple[Floats, dict[str, float]]:
    """Power after all rules, and the energy left after each one, in their order.

    Returns
    -------
    power : array, shape (hours,)
        Nowhere above the input.
    stages : dict
        Energy after each rule [full-load hours] by ``curtailment_<rule>``.
    """
    stages: dict[str, float] = {}
    for rule in rules:
        power = curtailed_power(power, rule, curtailed_hours(rule, hours, hub_speed, temp_air_c))
        stages[f"curtailment_{rule.rule}"] = float(power.sum())
    return power, stages


def _in_months(month: npt.NDArray[np.int32], first: float, last: float) -> Flags:
    if first <= last:
        return (month >= first) & (month <= last)
    return (month >= first) | (month <= last)


def _in_clock(hour: npt.NDArray[np.int32], first: float, end: float) -> Flags:
    if first < end:
        return (hour >= first) & (hour < end)
    return (hour >= first) | (hour < end)


def _between(values: Floats, low: float, high: float) -> Flags:
    inside = np.ones(values.shape, dtype=bool)
    if np.isfinite(low):
        inside &= values >= low
    if np.isfinite(high):
        inside &= values <= high
    return inside
