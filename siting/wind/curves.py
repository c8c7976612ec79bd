"""Power curves: from rotor and rating, from points of a table, from windpowerlib's library.

::

    power ^            ________ cut-out: read from the wind itself, not from a zero in the curve
          |          /         |
          |        /           |<--- back on only below the re-cut-in speed
          |_____/______________|____> wind at hub height
             cut-in

A curve ends at its cut-out with its last power. Zeros that a source writes at or above cut-out are dropped, so that
there are never two values at one speed, and a plain interpolation cannot hold full power in a storm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, InputError
from siting.technologies.wind import Turbine
from siting.wind import library

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

REFERENCE_DENSITY_KG_PER_M3 = 1.225
_CURVE_STEP_M_PER_S = 0.1


@dataclass(frozen=True)
class PowerCurve:
    """Power by rated power at reference density; no power above ``cut_out_m_per_s``. Curves of the library may end
    some percent above the rating; :func:`power_from_speed` stops at it. After a stop the turbine waits until the wind
    is down to ``recut_in_m_per_s`` (NaN: it starts at once)."""

    speed_m_per_s: Floats
    power_share: Floats
    cut_out_m_per_s: float
    recut_in_m_per_s: float = math.nan


def curve_from_points(
    speed: npt.ArrayLike, power_share: npt.ArrayLike, cut_out_m_per_s: float, recut_in_m_per_s: float = math.nan
) -> PowerCurve:
    """Power curve from points of a table or data sheet.

    Parameters
    ----------
    speed, power_share : array
        Any order. Points at or above the cut-out that say zero are the source's way of writing the cut-out: dropped.
        A second value at one speed is refused, for nobody can tell which is meant.
    cut_out_m_per_s : float
        At most the last speed with power.

    Raises
    ------
    ValueError
        For fewer than two points, values that are not numbers, negative power, speeds that repeat.
    """
    v, p = np.asarray(speed, float), np.asarray(power_share, float)
    if v.size < 2 or v.shape != p.shape or not (np.isfinite(v).all() and np.isfinite(p).all()):
        raise ValueError("a power curve needs at least two points of numbers")
    if (p < 0).any() or (v < 0).any():
        raise ValueError("speeds and power of a power curve cannot be negative")
    order = np.lexsort((-p, v))
    v, p = v[order], p[order]
    powered = np.flatnonzero(p > 0)
    if not powered.size:
        raise ValueError("a power curve needs a point with power")
    end = min(cut_out_m_per_s, float(v[powered[-1]]))
    keep = (v < end) | (p > 0)
    v, p = v[keep], p[keep]
    if (np.diff(v) <= 0).any():
        twice = float(v[np.flatnonzero(np.diff(v) <= 0)[0]])
        raise ValueError(f"a power curve has two values at {twice:g} m/s")
    return PowerCurve(v, p, end, recut_in_m_per_s)


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
    return PowerCurve(speed, np.clip(share, 0, 1), float(speed[-1]), turbine.recut_in_m_per_s)


def library_power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve of a turbine in windpowerlib's own library; cut-out from the table of turbines.

    Raises
    ------
    InputError
        If the library does not know the type, or knows no power curve for it.
    """
    known = library.library_points(turbine.library_type)
    if known is None:
        raise InputError([_unknown_type(turbine)])
    speed, power_w, rated_w = known
    return curve_from_points(speed, np.maximum(power_w / rated_w, 0), turbine.cut_out_m_per_s, turbine.recut_in_m_per_s)


def table_power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve from the points of ``wind_curves.csv``.

    Raises
    ------
    InputError
        If the points are no power curve.
    """
    speed, share = (np.array(values) for values in zip(*turbine.points, strict=True))
    try:
        return curve_from_points(speed, share, turbine.cut_out_m_per_s, turbine.recut_in_m_per_s)
    except ValueError as error:
        raise InputError([_bad_points(turbine, str(error))]) from error


def power_curve(turbine: Turbine) -> PowerCurve:
    """Power curve of a row of ``turbines.csv``."""
    if turbine.curve == "library":
        return library_power_curve(turbine)
    return table_power_curve(turbine) if turbine.curve == "table" else rotor_power_curve(turbine)


def power_from_speed(speed: Floats, curve: PowerCurve, equivalent_speed: Floats | None = None) -> Floats:
    """Power by rated power, 0..1, without memory of earlier storms (see :func:`running`).

    ``equivalent_speed`` is the density-corrected speed read from the curve; cut-out follows ``speed`` itself, because
    the turbine's anemometer stops it. Above cut-out the power is zero (a plain interpolation would hold full power).
    """
    read = speed if equivalent_speed is None else equivalent_speed
    share = np.interp(np.minimum(read, curve.cut_out_m_per_s), curve.speed_m_per_s, curve.power_share, left=0.0)
    return np.where(speed <= curve.cut_out_m_per_s, np.minimum(share, 1.0), 0.0)


def running(speed: Floats, cut_out_m_per_s: float, recut_in_m_per_s: float) -> Flags:
    """Whether the turbine runs: stopped above cut-out, back on when the wind is down to the re-cut-in speed.

    Parameters
    ----------
    speed : array, shape (..., hours)
        At hub height [m/s], hours in order. The first hour starts running unless it is above cut-out.
    recut_in_m_per_s : float
        NaN, or not below cut-out: no hysteresis.
    """
    if not recut_in_m_per_s < cut_out_m_per_s:
        return speed <= cut_out_m_per_s
    stop, start = speed > cut_out_m_per_s, speed <= recut_in_m_per_s
    start[..., 0] |= ~stop[..., 0]
    hour = np.where(stop | start, np.arange(speed.shape[-1]), 0)
    last = np.maximum.accumulate(hour, axis=-1)
    return np.take_along_axis(start, last, axis=-1)


def density_corrected_speed(speed: Floats, density: Floats) -> Floats:
    """Speed at reference density that carries the same power: ``v (rho / 1.225)**(1/3)`` (IEC 61400-12-1)."""
    return np.asarray(speed * np.cbrt(density / REFERENCE_DENSITY_KG_PER_M3), dtype=float)


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


def _bad_points(turbine: Turbine, reason: str) -> Finding:
    return Finding(
        "error",
        "technology.curve_points",
        "siting/technologies/wind_curves.csv",
        "wind_curves",
        turbine.curve_id,
        "",
        f"The points are no power curve: {reason}.",
        "Give rising speeds with one power each, at least one of them above zero.",
    )
