"""PV yield of one weather cell: all variants at once.

::

    weather hour -> sun in the middle of its sunlit part -> plane of array -> skyline -> rows: shade, and light on the
    rear -> reflection -> cell temperature -> DC power -> loss chain -> inverter with limit

Sun and sky are computed once for a cell (:func:`siting.pv.sides.pv_cell`); every side of every variant is then one run
of a compiled loop over the lit hours (:mod:`siting.pv.kernels`), which the tests hold to pvlib's functions.

An hourly mean hides clouds: power above the inverter's limit in the bright minutes is lost although the mean stays
below it. The yearly energy is therefore some tenths of a percent too high, more at a high DC/AC ratio;
``PvOptions(subhourly_clipping=True)`` takes this loss into account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Weather
from siting.pv.options import PvOptions
from siting.pv.sides import PvCell, Sides, hour_arrays, pv_cell, sides_of
from siting.pv.sun import Sun, sun_of_hours
from siting.pv.transposition import Plane, plane_irradiance
from siting.technologies.pv import PvVariant

__all__ = [
    "Plane",
    "PvCell",
    "PvOptions",
    "PvYield",
    "Sun",
    "plane_irradiance",
    "pv_cell",
    "pv_yield",
    "pv_yield_of",
    "sun_of_hours",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PvYield:
    """``power``: shape (hours, variants), AC per grid capacity, 0..1. ``stages``: for each variant the yearly energy
    [kWh per kW DC] that is left after each item, first ``reference_yield``, last ``clipping``. ``dark_share`` is
    the share of the year's global irradiation that the weather has in hours without sun (and that is dropped).
    ``ground_light_share``: for each variant the light on the ground between its rows by that of open land, over the
    year; NaN where it has no rows."""

    power: Floats
    stages: tuple[pd.Series, ...]
    dark_share: float
    ground_light_share: tuple[float, ...] = ()


def pv_yield(weather: Weather, variants: Sequence[PvVariant], options: PvOptions | None = None) -> PvYield:
    """Hourly AC power and energy after each loss, for all variants in one weather cell.

    Parameters
    ----------
    weather : Weather
        Hours of :data:`layers.contracts.WEATHER_HOURS`.
    variants : sequence of PvVariant
        Any number; each side of each is one run over the lit hours.
    options : PvOptions, optional
        Hay-Davies, physical reflection, PVsyst cell temperature, PVWatts modules where not given.

    Raises
    ------
    InputError
        If a value that is needed is not a number, or a variant lacks what the options ask for.

    Notes
    -----
    Per kW of grid capacity a side has ``dc_ac_ratio`` kW of modules, an inverter of 1 kW AC and the whole loss
    chain on the DC side, as PVWatts has it. A variant's power is the mean of its sides weighted by their share:
    every side has inverters of its own. Reflection acts on the beam only, as in pvlib's ModelChain.

    References
    ----------
    Dobos 2014, PVWatts version 5, doi:10.2172/1158421; De Soto et al. 2006, doi:10.1016/j.solener.2005.06.010
    (reflection, single diode); PVsyst (cell temperature); Mikofski et al. 2019, doi:10.1109/PVSC40753.2019.8980572
    (rows); ``siting/technologies/pv_*.csv`` (parameters).
    """
    chosen = PvOptions() if options is None else options
    return pv_yield_of(pv_cell(weather, chosen), variants, chosen)


def pv_yield_of(cell: PvCell, variants: Sequence[PvVariant], options: PvOptions | None = None) -> PvYield:
    """As :func:`pv_yield` for a cell that :func:`siting.pv.sides.pv_cell` has prepared with the same options."""
    chosen = PvOptions() if options is None else options
    sides = sides_of(variants, chosen.horizon(cell.cell_id), chosen)
    power = np.zeros((len(variants), cell.count))
    energy = run_sides(cell, sides, chosen, power)
    horizon = chosen.horizon(cell.cell_id) is not None
    weighted = sides.share[:, None] * energy
    first = np.flatnonzero(np.diff(sides.variant, prepend=-1))  # the sides of a variant stand together
    sums = np.add.reduceat(weighted, first, axis=0) if first.size else weighted
    stages = tuple(_stages(v, cell, sums[k], horizon) for k, v in enumerate(variants))
    lit = cell.lit_wh_per_m2
    ground = tuple(
        float(sums[k, 8] / lit) if v.rows is not None and v.rows.shading and lit > 0 else math.nan
        for k, v in enumerate(variants)
    )
    total = cell.reference_wh_per_m2
    return PvYield(np.clip(power, 0, 1, out=power).T, stages, cell.dark_wh_per_m2 / total if total > 0 else 0.0, ground)


def run_sides(cell: PvCell, sides: Sides, options: PvOptions, power: Floats) -> Floats:
    """Run the kernel; adds to ``power`` (columns, hours), returns the energy table (sides, steps) of the kernel."""
    from siting.pv import kernels

    iam = {"none": kernels.IAM_NONE, "physical": kernels.IAM_PHYSICAL, "ashrae": kernels.IAM_ASHRAE}
    energy = np.zeros((sides.share.size, len(kernels.STEPS)))
    if sides.share.size:
        hours = kernels.HourArrays(*hour_arrays(cell, sides.mountings, options))  # type: ignore[arg-type]
        side_arrays = kernels.SideArrays(*sides.arrays)  # type: ignore[arg-type]
        use_horizon = options.horizon(cell.cell_id) is not None
        kernels.pv_hours(hours, side_arrays, iam[options.reflection], use_horizon, power, energy)
    return energy


def _stages(variant: PvVariant, cell: PvCell, sums: Floats, horizon: bool) -> pd.Series:
    """Energy left after each item [kWh/kW DC]; ``sums`` are the kernel's steps, weighted over the sides."""
    plane, free, rows, rear, effective = (float(value) / 1000 for value in sums[:5])
    dc = float(sums[5])
    stages = {"reference_yield": cell.reference_wh_per_m2 / 1000, "plane_of_array": plane}
    if horizon:
        stages["horizon"] = free
    if variant.rows is not None and variant.rows.shading:
        stages["row_shading"] = rows
        if rear > rows:
            stages["rear_irradiance"] = rear
    stages |= {"reflection": effective, "temperature": dc}
    for loss in variant.losses:
        dc *= 1 - loss.loss_share
        stages[loss.item] = dc
    stages["inverter"] = float(sums[6]) / variant.dc_ac_ratio
    stages["clipping"] = float(sums[7]) / variant.dc_ac_ratio
    return pd.Series(np.array(list(stages.values())), index=pd.Index(list(stages), dtype=object))
