"""Wind power of thousands of series at once, in blocks of flat memory.

Time, weather cell and variant are the three axes of one array; a variant is a power curve at a hub height. What a
thousand sites share is computed once: sites only point to a (cell, variant).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from siting.wind_curves import PowerCurve

Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.float64] | npt.NDArray[np.float32]
DensityCorrection = Literal["none", "iec", "svenningsen"]

_BUCKETS_PER_M_PER_S = 10.0
_CORRECTIONS = {"none": 0, "iec": 1, "svenningsen": 2}


@dataclass(frozen=True)
class CurveSet:
    """Power curves as padded arrays, shape (curves, nodes): see :func:`siting.wind_kernels.power_kernel`."""

    nodes: Floats
    share: Floats
    slope: Floats
    first: npt.NDArray[np.int32]
    per_m_per_s: Floats
    last: npt.NDArray[np.int64]
    cut_out: Floats
    recut_in: Floats


def curve_set(curves: Sequence[PowerCurve]) -> CurveSet:
    """Power curves in the form that the kernel reads: buckets of 0.1 m/s point to the segment they start in."""
    count, longest = len(curves), max(curve.speed_m_per_s.size for curve in curves)
    fastest = max(float(curve.speed_m_per_s[-1]) for curve in curves)
    buckets = int(fastest * _BUCKETS_PER_M_PER_S) + 2
    nodes, share, slope = (np.zeros((count, longest)) for _ in range(3))
    first = np.zeros((count, buckets), dtype=np.int32)
    for k, curve in enumerate(curves):
        size = curve.speed_m_per_s.size
        nodes[k, :size], nodes[k, size:] = curve.speed_m_per_s, np.inf
        share[k, :size] = curve.power_share
        slope[k, : size - 1] = np.diff(curve.power_share) / np.diff(curve.speed_m_per_s)
        starts = np.arange(buckets) / _BUCKETS_PER_M_PER_S
        found = np.searchsorted(curve.speed_m_per_s, starts, side="right") - 1
        first[k] = np.clip(found, 0, size - 2)
    recut_in = np.array([curve.recut_in_m_per_s for curve in curves])
    cut_out = np.array([curve.cut_out_m_per_s for curve in curves])
    return CurveSet(
        nodes,
        share,
        slope,
        first,
        np.full(count, _BUCKETS_PER_M_PER_S),
        np.array([curve.speed_m_per_s.size - 1 for curve in curves]),
        cut_out,
        np.where(recut_in < cut_out, recut_in, np.inf),
    )


def wind_power(
    speed: AnyFloats,
    factor: Floats,
    curves: CurveSet,
    hub_m: Floats,
    *,
    temp_air_c: AnyFloats | None = None,
    pressure_pa: AnyFloats | None = None,
    density: DensityCorrection = "iec",
    out: AnyFloats | None = None,
) -> AnyFloats:
    """Power by rated power, 0..1, of every weather cell and variant.

    Parameters
    ----------
    speed : array, shape (cells, hours)
        Wind speed at the height it was measured at [m/s], hours in order.
    factor : array, shape (cells, variants)
        Wind at hub height by wind at measuring height (shear times long-run scaling).
    curves : CurveSet
        One curve for each variant.
    hub_m : array, shape (variants,)
        Hub height [m].
    temp_air_c, pressure_pa : array, shape (cells, hours)
        At 2 m [degC] and at the station [Pa]; needed for a density correction.
    density : "iec", "svenningsen" or "none"
        ``iec``: curve read at ``v (rho/1.225)**(1/3)``, cut-out on ``v`` itself (IEC 61400-12-1). ``svenningsen``:
        nodes of the curve moved by ``(1.225/rho)**p``, p from 1/3 to 2/3, as windpowerlib does it; its cut-out moves
        with them.
    out : array, shape (cells, variants, hours), optional
        Where the result is written; float32 where not given.

    Raises
    ------
    ValueError
        If a value is not a number or negative (NaN would look like calm), or shapes do not fit.
    """
    from siting import wind_kernels

    shape = (speed.shape[0], hub_m.size, speed.shape[1])
    if factor.shape != shape[:2] or curves.cut_out.size != hub_m.size:
        raise ValueError(f"factor {factor.shape} and {curves.cut_out.size} curves do not fit {shape[:2]}")
    if not bool((speed >= 0).all()) or not bool(np.isfinite(speed).all()):
        raise ValueError("wind speeds must be numbers and not negative")
    result: AnyFloats = np.empty(shape, np.float32) if out is None else out
    if result.shape != shape:
        raise ValueError(f"out {result.shape} does not fit {shape}")
    if density == "none" and not np.isfinite(curves.recut_in).any():
        wind_kernels.plain_power_kernel(
            speed, factor, curves.nodes, curves.share, curves.slope, curves.first, curves.per_m_per_s, curves.last,
            curves.cut_out, result,
        )  # fmt: skip
        return result
    if density != "none" and (temp_air_c is None or pressure_pa is None):
        raise ValueError("a density correction needs temperature and pressure")
    temp, pressure = (speed, speed) if temp_air_c is None or pressure_pa is None else (temp_air_c, pressure_pa)
    if density != "none" and not (np.isfinite(temp).all() and np.isfinite(pressure).all()):
        raise ValueError("temperature and pressure must be numbers")
    moves = density == "svenningsen"
    wind_kernels.power_kernel(
        speed, factor, temp, pressure, hub_m, _CORRECTIONS[density], curves.nodes, curves.share, curves.slope,
        curves.first, curves.per_m_per_s, curves.last, np.full(hub_m.size, np.inf) if moves else curves.cut_out,
        curves.recut_in, result,
    )  # fmt: skip
    return result


def in_blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``count`` in order."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def yearly_hours(
    cells: int,
    read: Callable[[slice], tuple[AnyFloats, AnyFloats, AnyFloats]],
    factor: Floats,
    curves: CurveSet,
    hub_m: Floats,
    *,
    density: DensityCorrection = "iec",
    block: int = 64,
) -> Floats:
    """Yearly full-load hours of any number of cells, shape (cells, variants), in the memory of one block.

    ``read`` gives speed, temperature and pressure of a slice of cells, each of shape (cells of the slice, hours).
    """
    hours = np.empty((cells, hub_m.size))
    for part in in_blocks(cells, block):
        speed, temp, pressure = read(part)
        power = wind_power(speed, factor[part], curves, hub_m, temp_air_c=temp, pressure_pa=pressure, density=density)
        hours[part] = power.sum(axis=2, dtype=np.float64)
    return hours
