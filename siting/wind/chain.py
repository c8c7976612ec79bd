"""Wind yield of one weather cell.

::

    wind at measuring height(s) -> hub height (two levels, or roughness) -> scaled to the long-run mean (if stated)
    -> stopped by storms until the re-cut-in speed -> air density at hub -> power curve, cut-out on the wind itself
    -> losses (wakes, outages, ...) as energy, not as a cap -> curtailment rules, which do cap

windpowerlib itself is behind :mod:`siting.wind.library`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Weather
from siting.technologies.reader import Loss
from siting.technologies.wind import CurtailmentRule, Turbine
from siting.wind.curtailment_rules import apply_rules
from siting.wind.curves import (
    REFERENCE_DENSITY_KG_PER_M3,
    PowerCurve,
    density_corrected_speed,
    library_power_curve,
    power_curve,
    power_from_speed,
    rotor_power_curve,
    running,
)
from siting.wind.library import air_density
from siting.wind.shear import (
    ROUGHNESS_FLOOR_M,
    Shear,
    speed_at_height,
    speed_over_other_ground,
    two_level_speed,
)

__all__ = [
    "REFERENCE_DENSITY_KG_PER_M3",
    "ROUGHNESS_FLOOR_M",
    "PowerCurve",
    "Shear",
    "WindOptions",
    "WindYield",
    "air_density",
    "density_corrected_speed",
    "hub_speed",
    "library_power_curve",
    "power_curve",
    "power_from_speed",
    "rotor_power_curve",
    "scaled_to_mean",
    "speed_at_height",
    "wind_yield",
    "with_energy_factor",
    "with_losses",
    "with_wake",
]

Floats = npt.NDArray[np.float64]
Density = Literal["iec", "none"]

_STEEPEST = 4.0
_WAKE = "wake"
SECOND_SPEED = "wind_speed_second_m_per_s"
"""Optional column of the weather: wind at ``Weather.second_wind_height_m``."""


@dataclass(frozen=True)
class WindOptions:
    """How the wind of a weather cell becomes power.

    ``shear``: "auto" takes two levels where the weather has a second one, the logarithmic law otherwise.
    ``site_roughness_m``: roughness of the ground under the turbines where it differs from the station's.
    ``wake_loss_share``: replaces the item "wake" of the turbine's loss chain.
    ``loss_shares``: replaces other items of the chain by name.
    ``curtailment``: rules in the order in which they apply.
    """

    shear: Literal["auto", "log", "power", "two_level"] = "auto"
    shear_exponent: float | None = None
    site_roughness_m: float | None = None
    density: Density = "iec"
    hysteresis: bool = True
    wake_loss_share: float | None = None
    loss_shares: tuple[tuple[str, float], ...] = ()
    curtailment: tuple[CurtailmentRule, ...] = ()


@dataclass(frozen=True)
class WindYield:
    """``power``: shape (hours,), AC per installed AC, 0..1. ``stages``: yearly energy [kWh/kW] left after each item,
    first ``reference_yield``. ``losses_met`` is False where the stated losses could not be taken without capping
    full power (see :func:`with_energy_factor`)."""

    power: Floats
    stages: pd.Series
    hub_mean_m_per_s: float
    losses_met: bool


def hub_speed(weather: Weather, hub_height_m: float, options: WindOptions | None = None) -> Floats:
    """Wind at hub height [m/s], shape (hours,), from what the weather cell has measured.

    Raises
    ------
    ValueError
        If heights do not lie above the roughness length, or two levels are asked for and there is only one.
    """
    chosen = WindOptions() if options is None else options
    measured = weather.hours["wind_speed_m_per_s"].to_numpy(float)
    second = second_level(weather)
    if chosen.shear == "two_level" and second is None:
        raise ValueError(f"weather cell {weather.cell_id} has no second level of wind")
    if second is not None and chosen.shear in ("auto", "two_level"):
        other, other_m = second
        levels = ((measured, weather.wind_height_m), (other, other_m))
        (low, low_m), (high, high_m) = levels if weather.wind_height_m < other_m else levels[::-1]
        return two_level_speed(low, high, low_m, high_m, hub_height_m)
    shear: Shear = "power" if chosen.shear == "power" else "log"
    if chosen.site_roughness_m is not None and shear == "log":
        return speed_over_other_ground(
            measured, weather.wind_height_m, hub_height_m, weather.roughness_length_m, chosen.site_roughness_m
        )
    return speed_at_height(
        measured,
        weather.wind_height_m,
        hub_height_m,
        weather.roughness_length_m,
        shear=shear,
        exponent=chosen.shear_exponent,
    )


def second_level(weather: Weather) -> tuple[Floats, float] | None:
    """Wind and height of the second level, where the weather has one with a value in every hour."""
    height_m = weather.second_wind_height_m
    if not (height_m > 0 and height_m != weather.wind_height_m) or SECOND_SPEED not in weather.hours:
        return None
    speed = weather.hours[SECOND_SPEED].to_numpy(float)
    return (speed, height_m) if np.isfinite(speed).all() else None


def with_energy_factor(power: Floats, factor: float) -> tuple[Floats, bool]:
    """Take losses from the energy without lowering full power.

    Wakes and outages cost energy, but in a full-load hour the plant still delivers its rating, and the network has
    to be built for that. The loss goes to the hours at part load: ``p' = p - k p (1 - p)`` with
    ``k = (1 - factor) sum(p) / sum(p (1 - p))``, so that ``sum(p') = factor sum(p)``; 0 stays 0 and 1 stays 1.
    At k = 1 this is ``p**2``; where more has to go it is ``p**g`` with the exponent that meets the energy, up to 4.

    Parameters
    ----------
    power : array
        Power by rated power, 0..1.
    factor : float
        Energy left, 0..1.

    Returns
    -------
    power : array
        0..1, nowhere above the input.
    met : bool
        False where even ``p**4`` leaves more energy than stated (almost all of it at full load).
    """
    part_load = float((power * (1 - power)).sum())
    wanted = (1 - factor) * float(power.sum())
    if wanted <= 0:
        return power.copy(), True
    if part_load >= wanted:
        return power - wanted / part_load * power * (1 - power), True
    left = float(power.sum()) - wanted
    if float((power**_STEEPEST).sum()) > left:
        return power**_STEEPEST, False
    from scipy.optimize import brentq

    exponent = brentq(lambda g: float((power**g).sum()) - left, 2.0, _STEEPEST, xtol=1e-12)
    return power**exponent, True


def with_wake(losses: Sequence[Loss], wake_loss_share: float | None) -> tuple[Loss, ...]:
    """The loss chain with another wake loss; put first where the chain has no item "wake"."""
    if wake_loss_share is None:
        return tuple(losses)
    wake = Loss(_WAKE, wake_loss_share, "wakes of the layout or density, see siting.wind.wake", "C")
    if any(loss.item == _WAKE for loss in losses):
        return tuple(wake if loss.item == _WAKE else loss for loss in losses)
    return (wake, *losses)


def with_losses(losses: Sequence[Loss], shares: Mapping[str, float]) -> tuple[Loss, ...]:
    """The loss chain with other shares for the named items.

    Raises
    ------
    ValueError
        If the chain has no such item.
    """
    unknown = sorted(set(shares) - {loss.item for loss in losses})
    if unknown:
        raise ValueError(f"the loss chain has no item {unknown[0]!r}")
    return tuple(
        Loss(loss.item, shares[loss.item], "study file", "C") if loss.item in shares else loss for loss in losses
    )


def wind_yield(
    weather: Weather,
    turbine: Turbine,
    *,
    mean_speed_m_per_s: float | None = None,
    shear: Shear | None = None,
    options: WindOptions | None = None,
) -> WindYield:
    """Hourly power and energy after each loss for one turbine in one weather cell.

    Parameters
    ----------
    weather : Weather
        Hours without gaps.
    mean_speed_m_per_s : float, optional
        Long-run mean at hub height. The hours are multiplied so that their mean is this; hourly order and relative
        spread stay those of the weather. Without it the sheared wind is taken as it is.
    shear : "log" or "power", optional
        Overrides ``options.shear``.

    Notes
    -----
    Stages: ``reference_yield`` (wind at hub, curve), ``long_run_mean_speed``, ``high_wind_restart`` (hours waited after
    a storm), ``air_density``, the items of the loss chain, then one stage for each curtailment rule.

    Raises
    ------
    ValueError
        If the heights do not lie above the roughness length, or calm weather is to be scaled.
    """
    chosen = WindOptions() if options is None else options
    if shear is not None:
        chosen = WindOptions(**{**chosen.__dict__, "shear": shear})
    hours = weather.hours
    hub = hub_speed(weather, turbine.hub_height_m, chosen)
    curve = power_curve(turbine)
    gross = power_from_speed(hub, curve)
    stages = {"reference_yield": float(gross.sum())}
    if mean_speed_m_per_s is not None:
        hub = scaled_to_mean(hub, mean_speed_m_per_s)
        gross = power_from_speed(hub, curve)
        stages["long_run_mean_speed"] = float(gross.sum())
    waits = chosen.hysteresis and curve.recut_in_m_per_s < curve.cut_out_m_per_s
    runs = running(hub, curve.cut_out_m_per_s, curve.recut_in_m_per_s) if waits else np.True_
    if waits:
        stages["high_wind_restart"] = float((gross * runs).sum())
    temp_air_c = hours["temp_air_c"].to_numpy(float)
    if chosen.density == "iec":
        density = air_density(temp_air_c, hours["pressure_pa"].to_numpy(float), turbine.hub_height_m)
        gross = power_from_speed(hub, curve, density_corrected_speed(hub, density))
    gross = gross * runs
    stages["air_density"] = float(gross.sum())
    losses = with_wake(with_losses(turbine.losses, dict(chosen.loss_shares)), chosen.wake_loss_share)
    factor = math.prod(1 - loss.loss_share for loss in losses)
    net, met = with_energy_factor(gross, factor)
    stages |= _loss_stages(losses, float(gross.sum()), float(net.sum()), factor)
    net, more = apply_rules(net, chosen.curtailment, pd.DatetimeIndex(hours.index), hub, temp_air_c)
    return WindYield(net, pd.Series(stages | more, dtype=float), float(hub.mean()), met)


def scaled_to_mean(speed: Floats, mean_speed_m_per_s: float) -> Floats:
    """``speed`` multiplied so that its mean is ``mean_speed_m_per_s``."""
    mean = float(speed.mean())
    if not mean > 0:
        raise ValueError("calm weather (mean wind speed 0) cannot be scaled to a long-run mean")
    return speed * (mean_speed_m_per_s / mean)


def _loss_stages(losses: Sequence[Loss], gross: float, net: float, factor: float) -> dict[str, float]:
    """Energy after each item; where the stated losses were not met, every item is weakened alike (same power)."""
    stated = math.log(factor) if factor < 1 else 0.0
    weight = math.log(net / gross) / stated if gross > 0 and stated else 1.0
    left, stages = gross, {}
    for loss in losses:
        left *= (1 - loss.loss_share) ** weight
        stages[loss.item] = left
    return stages
