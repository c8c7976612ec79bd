"""Wakes: what turbines take from one another, as a share of energy.

::

    wind ->   o---___                     top hat (Jensen): width D + 2 k x, speed even across it
              |      ---___  o            bell (Gauss, Bastankhah): widest deficit on the axis
              o---___    ---
                     ---___  o

A wake lowers the wind, not the rating: in a storm every turbine of the farm delivers full power. The loss found here is
therefore a share of the year's energy and goes into the loss chain of the turbine; peak power stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from siting.technologies.wind import Turbine, WakeRow, load_wakes
from siting.wind.curves import REFERENCE_DENSITY_KG_PER_M3, PowerCurve, power_from_speed

if TYPE_CHECKING:
    from scipy.interpolate import RegularGridInterpolator

Floats = npt.NDArray[np.float64]
WakeModel = Literal["jensen", "gauss"]

JENSEN_GROWTH = 0.075
"""Half-angle of the wake over land, dR/dx (Katic et al. 1986; 0.04 to 0.05 over the sea)."""
GAUSS_GROWTH = 0.042
"""Growth of the bell's deviation, by rotor diameter: 0.38 I + 0.004 at a turbulence of 10 % (Niayifar and Porte-Agel
2016, doi:10.3390/en9090741)."""

_DRIVE_EFFICIENCY = 0.92
_INDUCTION = np.linspace(0.0, 1 / 3, 501)
_SPEED_BIN_M_PER_S = 0.5
_LEAST_KNOWN_SHARE = 0.8
_CALM_M_PER_S = 2.5
_SECTORS = 36


@dataclass(frozen=True)
class WindRose:
    """How often the wind blows from where and how strongly; ``frequency`` has shape (directions, speeds), sum 1.

    ``uniform`` says that the directions were not known and every one counts alike.
    """

    from_degree: Floats
    speed_m_per_s: Floats
    frequency: Floats
    uniform: bool


@dataclass(frozen=True)
class WakeLoss:
    """Share of the year's energy lost to wakes: of the farm, and of each turbine, shape (turbines,)."""

    farm: float
    turbine: Floats


def wind_rose(
    hub_speed: Floats,
    from_degree: Floats | None = None,
    *,
    sectors: int = _SECTORS,
    bin_m_per_s: float = _SPEED_BIN_M_PER_S,
    frequency: Floats | None = None,
) -> WindRose:
    """Wind rose of a series.

    Parameters
    ----------
    hub_speed : array, shape (hours,)
        At hub height [m/s].
    from_degree : array, shape (hours,), optional
        Where the wind comes from, clockwise from north; NaN where not known, and in calms. Where less than 80 % of the
        hours with wind are known, or it is not given, the rose is uniform and says so.
    frequency : array, shape (hours,), optional
        Weight of each value; alike where not given.
    """
    edges = np.arange(0, float(hub_speed.max()) + 2 * bin_m_per_s, bin_m_per_s)
    bins = np.digitize(hub_speed, edges) - 1
    middle = (edges[:-1] + edges[1:]) / 2
    direction = np.arange(sectors) * 360.0 / sectors
    weight = np.ones(hub_speed.size) if frequency is None else frequency
    known = np.zeros(hub_speed.size, bool) if from_degree is None else np.isfinite(from_degree)
    blows = hub_speed >= _CALM_M_PER_S
    if from_degree is None or not blows.any() or known[blows].mean() < _LEAST_KNOWN_SHARE:
        speeds = np.bincount(bins, weight, minlength=middle.size) / weight.sum()
        return WindRose(direction, middle, np.tile(speeds / sectors, (sectors, 1)), True)
    sector = np.rint(np.mod(from_degree[known], 360.0) / (360.0 / sectors)).astype(int) % sectors
    flat = np.bincount(sector * middle.size + bins[known], weight[known], minlength=sectors * middle.size)
    return WindRose(direction, middle, (flat / flat.sum()).reshape(sectors, middle.size), False)


def thrust_coefficient(turbine: Turbine, curve: PowerCurve) -> tuple[Floats, Floats]:
    """Thrust coefficient as points (speeds, values), from the power curve by momentum theory.

    Notes
    -----
    The rotor's power coefficient is the electrical one by 0.92 (gear, generator, converter: engineering range), at most
    Betz's. Its induction solves ``cp = 4 a (1 - a)^2`` on the lightly loaded side (a <= 1/3); ``ct = 4 a (1 - a)``.
    Above the rating this gives a falling thrust, as of a pitch-controlled turbine.
    """
    speed = np.arange(_SPEED_BIN_M_PER_S, curve.cut_out_m_per_s + 1e-9, _SPEED_BIN_M_PER_S)
    area_m2 = math.pi / 4 * turbine.rotor_diameter_m**2
    wind_kw = 0.5 * REFERENCE_DENSITY_KG_PER_M3 * area_m2 * speed**3 / 1000
    cp = power_from_speed(speed, curve) * turbine.rated_kw / wind_kw / _DRIVE_EFFICIENCY
    induction = np.interp(cp, 4 * _INDUCTION * (1 - _INDUCTION) ** 2, _INDUCTION)
    return speed, 4 * induction * (1 - induction)


def wake_loss(
    x_m: npt.ArrayLike,
    y_m: npt.ArrayLike,
    turbine: Turbine,
    curve: PowerCurve,
    rose: WindRose,
    *,
    model: WakeModel = "jensen",
    growth: float | None = None,
) -> WakeLoss:
    """Energy that the turbines of one farm lose in each other's wakes.

    Parameters
    ----------
    x_m, y_m : array, shape (turbines,)
        Positions, east and north [m].
    rose : WindRose
        At hub height.
    model : "jensen" or "gauss"
        Deficits of several wakes are joined by the root of the sum of squares; the thrust follows the wind that a
        turbine has left.
    growth : float, optional
        Of the wake's width; 0.075 (Jensen, radius by distance) or 0.042 (Gauss, deviation by distance).

    Raises
    ------
    ValueError
        If two turbines stand nearer than one rotor diameter: their wakes have no meaning.

    References
    ----------
    Jensen 1983, Risoe-M-2411; Katic, Hoejstrup, Jensen 1986 (sum of squares); Bastankhah and Porte-Agel 2014,
    doi:10.1016/j.renene.2014.01.002 (Gauss).
    """
    from siting.wind import kernels

    x, y = np.atleast_1d(np.asarray(x_m, float)), np.atleast_1d(np.asarray(y_m, float))
    _require_apart(x, y, turbine.rotor_diameter_m)
    blows = np.flatnonzero(rose.frequency.sum(axis=0) > 0)
    speeds, frequency = rose.speed_m_per_s[blows], rose.frequency[:, blows]
    ct_speed, ct = thrust_coefficient(turbine, curve)
    left = np.ones((rose.from_degree.size, speeds.size, x.size))
    default = JENSEN_GROWTH if model == "jensen" else GAUSS_GROWTH
    kernels.wake_kernel(
        x, y, turbine.rotor_diameter_m, rose.from_degree, speeds, ct_speed, ct,
        kernels.JENSEN if model == "jensen" else kernels.GAUSS, default if growth is None else growth, left,
    )  # fmt: skip
    free = float(frequency.sum(axis=0) @ power_from_speed(speeds, curve))
    if not free > 0:
        return WakeLoss(0.0, np.zeros(x.size))
    # cut-out is read from the free wind: a storm stops the whole farm
    waked = power_from_speed(speeds[None, :, None] * left, curve) * (speeds <= curve.cut_out_m_per_s)[None, :, None]
    lost = 1 - np.einsum("ds,dsi->i", frequency, waked) / free
    return WakeLoss(float(lost.mean()), lost)


def wake_loss_by_density(
    density_mw_per_km2: npt.ArrayLike, turbines: npt.ArrayLike, rows: Sequence[WakeRow] | None = None
) -> Floats:
    """Wake loss as a share of energy, where no positions are known: from a table by density and number of turbines.

    Linear in density and in the logarithm of the number; beyond the table its last row holds. A single turbine, or a
    density of zero, loses nothing.
    """
    table = _wake_table(load_wakes() if rows is None else tuple(rows))
    density, count = (np.atleast_1d(np.asarray(values, float)) for values in (density_mw_per_km2, turbines))
    most_dense, most = float(table.grid[0][-1]), float(np.exp(table.grid[1][-1]))
    points = np.column_stack([np.clip(density, 0, most_dense), np.log(np.clip(count, 1, most))])
    points[:, 1] = np.minimum(points[:, 1], table.grid[1][-1])
    return np.asarray(table(points), float)


@lru_cache(maxsize=4)
def _wake_table(rows: tuple[WakeRow, ...]) -> RegularGridInterpolator:
    """Loss over density and logarithm of the number of turbines, zero on both edges."""
    from scipy.interpolate import RegularGridInterpolator

    densities = sorted({row.density_mw_per_km2 for row in rows})
    counts = sorted({row.turbines for row in rows} - {1.0})
    loss = {(row.density_mw_per_km2, row.turbines): row.wake_loss_percent / 100 for row in rows}
    values = np.zeros((len(densities) + 1, len(counts) + 1))
    values[1:, 1:] = [[loss[d, n] for n in counts] for d in densities]
    return RegularGridInterpolator((np.array([0.0, *densities]), np.log(np.array([1.0, *counts]))), values)


def _require_apart(x: Floats, y: Floats, least_m: float) -> None:
    if x.size < 2:
        return
    from scipy.spatial import cKDTree

    distance, other = cKDTree(np.column_stack([x, y])).query(np.column_stack([x, y]), k=2)
    nearest = int(distance[:, 1].argmin())
    if distance[nearest, 1] < least_m:
        raise ValueError(
            f"turbines {nearest} and {int(other[nearest, 1])} stand {distance[nearest, 1]:.0f} m apart, nearer than "
            f"one rotor diameter of {least_m:g} m"
        )
