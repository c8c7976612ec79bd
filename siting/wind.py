"""Wind yield of one weather cell. The only module that touches windpowerlib.

::

    wind at measuring height -> shear to hub height -> scaled to the long-run mean (if one is stated)
    -> air density at hub -> power curve, cut-out on the wind itself -> losses as energy, not as a cap
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError, Weather
from siting.technology_tables import Turbine

Floats = npt.NDArray[np.float64]
Shear = Literal["log", "power"]

REFERENCE_DENSITY_KG_PER_M3 = 1.225
ROUGHNESS_FLOOR_M = 2e-4
_TEMPERATURE_HEIGHT_M = 2.0
_CURVE_STEP_M_PER_S = 0.1
_STEEPEST = 4.0


@dataclass(frozen=True)
class PowerCurve:
    """Power by rated power at reference density; no power above ``cut_out_m_per_s``. Curves of the library may end
    some percent above the rating; :func:`power_from_speed` stops at it."""

    speed_m_per_s: Floats
    power_share: Floats
    cut_out_m_per_s: float


@dataclass(frozen=True)
class WindYield:
    """``power``: shape (hours,), AC per installed AC, 0..1. ``stages``: yearly energy [kWh/kW] left after each item,
    first ``reference_yield``. ``losses_met`` is False where the stated losses could not be taken without capping
    full power (see :func:`with_energy_factor`)."""

    power: Floats
    stages: pd.Series
    hub_mean_m_per_s: float
    losses_met: bool


def speed_at_height(
    speed: Floats,
    measured_height_m: float,
    target_height_m: float,
    roughness_length_m: float,
    *,
    shear: Shear = "log",
    exponent: float | None = None,
) -> Floats:
    """Wind speed at another height.

    Parameters
    ----------
    speed : array
        Wind speed at ``measured_height_m`` [m/s], any shape.
    roughness_length_m : float
        Raised to 0.0002 m (open water) where it is smaller.
    shear : "log" or "power"
        ``v ln(h/z0) / ln(h_m/z0)`` or ``v (h/h_m)**exponent``; without an exponent ``1 / ln(h/z0)``.

    Raises
    ------
    ValueError
        If a height does not lie above the roughness length: the logarithm would turn to zero or change its sign.
    """
    if measured_height_m == target_height_m:
        return np.array(speed, dtype=float)
    from windpowerlib import wind_speed

    roughness = max(roughness_length_m, ROUGHNESS_FLOOR_M)
    if not min(measured_height_m, target_height_m) > roughness:
        raise ValueError(
            f"heights {measured_height_m} m and {target_height_m} m must lie above the roughness length {roughness} m"
        )
    if shear == "log":
        result = wind_speed.logarithmic_profile(speed, measured_height_m, target_height_m, roughness)
    else:
        result = wind_speed.hellman(speed, measured_height_m, target_height_m, roughness, exponent)
    return np.asarray(result, dtype=float)


def air_density(temp_air_c: Floats, pressure_pa: Floats, hub_height_m: float) -> Floats:
    """Density of dry air at hub height [kg/m3] from temperature at 2 m and station pressure.

    Temperature falls by 6.5 K/km, pressure by 1/8 hPa/m; ideal gas with 287.058 J/(kg K).
    """
    from windpowerlib import density, temperature

    kelvin = temperature.linear_gradient(temp_air_c + 273.15, _TEMPERATURE_HEIGHT_M, hub_height_m)
    return np.asarray(density.ideal_gas(pressure_pa, 0.0, hub_height_m, kelvin), dtype=float)


def density_corrected_speed(speed: Floats, density: Floats) -> Floats:
    """Speed at reference density that carries the same power: ``v (rho / 1.225)**(1/3)`` (IEC 61400-12-1)."""
    return np.asarray(speed * np.cbrt(density / REFERENCE_DENSITY_KG_PER_M3), dtype=float)


def rotor_power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve from rotor, rating and turbulence.

    Notes
    -----
    In steady wind ``P = min(cp_max rho/2 pi/4 d^2 v^3, P_rated)``. Turbulence spreads the wind around its ten-minute
    mean (normal distribution, deviation ``turbulence_share`` times the mean, cut at three deviations), which rounds
    the knee at rated power. Below cut-in there is no power: the spread does not reach into the calm.

    References
    ----------
    Saint-Drenan et al. 2020, doi:10.1016/j.renene.2020.04.123 (parametric power curves with turbulence).
    """
    speed = np.arange(0, turbine.cut_out_m_per_s + _CURVE_STEP_M_PER_S / 2, _CURVE_STEP_M_PER_S)
    deviation = np.linspace(-3, 3, 61)
    weight = np.exp(-(deviation**2) / 2)
    area_m2 = math.pi / 4 * turbine.rotor_diameter_m**2
    gusts = speed[:, None] * (1 + turbine.turbulence_share * deviation)
    steady = 0.5 * REFERENCE_DENSITY_KG_PER_M3 * area_m2 * turbine.cp_max * gusts**3 / 1000 / turbine.rated_kw
    share = np.minimum(steady, 1) @ (weight / weight.sum())
    share[speed < turbine.cut_in_m_per_s - 1e-9] = 0
    return PowerCurve(speed, np.clip(share, 0, 1), float(speed[-1]))


def library_power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve of a turbine in windpowerlib's own library; cut-out from the table of turbines.

    Raises
    ------
    InputError
        If the library does not know the type, or knows no power curve for it.
    """
    from windpowerlib import WindTurbine
    from windpowerlib.tools import WindpowerlibUserWarning

    with warnings.catch_warnings():
        # windpowerlib only warns of an unknown type; here it is an error.
        warnings.simplefilter("ignore", WindpowerlibUserWarning)
        known = WindTurbine(turbine_type=turbine.library_type, hub_height=turbine.hub_height_m)
    if known.power_curve is None:
        raise InputError([_unknown_type(turbine)])
    curve = known.power_curve.astype(float).sort_values("wind_speed")
    speed = curve["wind_speed"].to_numpy()
    share = curve["value"].to_numpy() / float(known.nominal_power)
    cut_out = min(turbine.cut_out_m_per_s, float(speed[-1]))
    return PowerCurve(speed, np.maximum(share, 0), cut_out)


def _unknown_type(turbine: Turbine) -> Finding:
    return Finding(
        "error",
        "technology.library_type",
        "siting/technologies/turbines.csv",
        "turbines",
        turbine.turbine,
        turbine.library_type,
        "windpowerlib's library has no power curve for this type.",
        "Use a type of windpowerlib.data.get_turbine_types(), or the rotor model.",
    )


def power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve of a row of ``turbines.csv``."""
    return library_power_curve(turbine) if turbine.curve == "library" else rotor_power_curve(turbine)


def power_from_speed(speed: Floats, curve: PowerCurve, equivalent_speed: Floats | None = None) -> Floats:
    """Power by rated power, 0..1.

    ``equivalent_speed`` is the density-corrected speed read from the curve; cut-out follows ``speed`` itself, because
    the turbine's anemometer stops it. Above cut-out the power is zero (a plain interpolation would hold full power).
    """
    read = speed if equivalent_speed is None else equivalent_speed
    share = np.interp(np.minimum(read, curve.cut_out_m_per_s), curve.speed_m_per_s, curve.power_share, left=0.0)
    return np.where(speed <= curve.cut_out_m_per_s, np.minimum(share, 1.0), 0.0)


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


def wind_yield(
    weather: Weather, turbine: Turbine, *, mean_speed_m_per_s: float | None = None, shear: Shear = "log"
) -> WindYield:
    """Hourly power and energy after each loss for one turbine in one weather cell.

    Parameters
    ----------
    weather : Weather
        Hours without gaps.
    mean_speed_m_per_s : float, optional
        Long-run mean at hub height. The hours are multiplied so that their mean is this; hourly order and relative
        spread stay those of the weather. Without it the sheared wind is taken as it is.

    Raises
    ------
    ValueError
        If the heights do not lie above the roughness length, or calm weather is to be scaled.
    """
    hours = weather.hours
    measured = hours["wind_speed_m_per_s"].to_numpy(float)
    hub = speed_at_height(
        measured, weather.wind_height_m, turbine.hub_height_m, weather.roughness_length_m, shear=shear
    )
    curve = power_curve(turbine)
    stages = {"reference_yield": float(power_from_speed(hub, curve).sum())}
    if mean_speed_m_per_s is not None:
        hub = scaled_to_mean(hub, mean_speed_m_per_s)
        stages["long_run_mean_speed"] = float(power_from_speed(hub, curve).sum())
    density = air_density(
        hours["temp_air_c"].to_numpy(float), hours["pressure_pa"].to_numpy(float), turbine.hub_height_m
    )
    gross = power_from_speed(hub, curve, density_corrected_speed(hub, density))
    stages["air_density"] = float(gross.sum())
    factor = math.prod(1 - loss.loss_share for loss in turbine.losses)
    net, met = with_energy_factor(gross, factor)
    stages |= _loss_stages(turbine, float(gross.sum()), float(net.sum()), factor)
    return WindYield(net, pd.Series(stages, dtype=float), float(hub.mean()), met)


def scaled_to_mean(speed: Floats, mean_speed_m_per_s: float) -> Floats:
    """``speed`` multiplied so that its mean is ``mean_speed_m_per_s``."""
    mean = float(speed.mean())
    if not mean > 0:
        raise ValueError("calm weather (mean wind speed 0) cannot be scaled to a long-run mean")
    return speed * (mean_speed_m_per_s / mean)


def _loss_stages(turbine: Turbine, gross: float, net: float, factor: float) -> dict[str, float]:
    """Energy after each item; where the stated losses were not met, every item is weakened alike (same power)."""
    stated = math.log(factor) if factor < 1 else 0.0
    weight = math.log(net / gross) / stated if gross > 0 and stated else 1.0
    left, stages = gross, {}
    for loss in turbine.losses:
        left *= (1 - loss.loss_share) ** weight
        stages[loss.item] = left
    return stages
