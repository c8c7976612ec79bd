"""Wind power of thousands of series at once, in blocks of flat memory.

Time, weather cell and variant are the three axes of one array; a variant is a power curve at a hub height. What a
thousand sites share is computed once: sites only point to a (cell, variant).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from siting.wind.curves import PowerCurve

Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.float64] | npt.NDArray[np.float32]
DensityCorrection = Literal["none", "iec", "svenningsen"]

_BUCKETS_PER_M_PER_S = (10, 20, 100, 1000)
_ON_BUCKET = 1e-6
_CORRECTIONS = {"none": 0, "iec": 1, "svenningsen": 2}


@dataclass(frozen=True)
class CurveSet:
    """Power curves in the form that :func:`siting.wind.kernels.power_kernel` reads.

    ``offset`` and ``slope`` (curves, buckets): one straight line in each bucket of 1/``per_m_per_s`` m/s. ``nodes``
    and ``share`` (curves, points): the curve's points, padded; ``last`` the number of the last one; ``first`` (curves,
    buckets) the segment in which a bucket starts.
    """

    offset: Floats
    slope: Floats
    per_m_per_s: float
    nodes: Floats
    share: Floats
    last: npt.NDArray[np.int64]
    first: npt.NDArray[np.int32]
    cut_out: Floats
    recut_in: Floats


def curve_set(curves: Sequence[PowerCurve]) -> CurveSet:
    """Power curves as tables of straight lines: exact, because every point of a curve stands on the end of a bucket.

    Raises
    ------
    ValueError
        If a curve has points finer than 0.001 m/s.
    """
    per = _buckets(curves)
    count, longest = len(curves), max(curve.speed_m_per_s.size for curve in curves)
    buckets = int(max(float(curve.speed_m_per_s[-1]) for curve in curves) * per) + 2
    nodes, share = np.full((count, longest), np.inf), np.zeros((count, longest))
    offset, slopes = np.zeros((count, buckets)), np.zeros((count, buckets))
    first = np.zeros((count, buckets), dtype=np.int32)
    middle = (np.arange(buckets) + 0.5) / per
    for k, curve in enumerate(curves):
        v, p = curve.speed_m_per_s, curve.power_share
        nodes[k, : v.size], share[k, : v.size] = v, p
        found = np.searchsorted(v, middle, side="right") - 1
        first[k] = np.clip(found, 0, v.size - 2)
        slope = np.diff(p)[first[k]] / np.diff(v)[first[k]]
        # the bucket that starts at cut-out is read for cut-out itself: it goes on with the last line
        offset[k], slopes[k] = p[first[k]] - slope * v[first[k]], slope
        offset[k, found < 0] = slopes[k, found < 0] = 0.0
    recut_in = np.array([curve.recut_in_m_per_s for curve in curves])
    cut_out = np.array([curve.cut_out_m_per_s for curve in curves])
    last = np.array([curve.speed_m_per_s.size - 1 for curve in curves])
    no_wait = np.where(recut_in < cut_out, recut_in, np.inf)
    return CurveSet(offset, slopes, float(per), nodes, share, last, first, cut_out, no_wait)


def _buckets(curves: Sequence[PowerCurve]) -> int:
    points = np.concatenate([curve.speed_m_per_s for curve in curves])
    for per in _BUCKETS_PER_M_PER_S:
        if bool((np.abs(points * per - np.rint(points * per)) < _ON_BUCKET).all()):
            return per
    raise ValueError("points of a power curve must not be finer than 0.001 m/s")


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
    from siting.wind import kernels

    shape = (speed.shape[0], hub_m.size, speed.shape[1])
    if factor.shape != shape[:2] or curves.cut_out.size != hub_m.size:
        raise ValueError(f"factor {factor.shape} and {curves.cut_out.size} curves do not fit {shape[:2]}")
    result: AnyFloats = np.empty(shape, np.float32) if out is None else out
    if result.shape != shape:
        raise ValueError(f"out {result.shape} does not fit {shape}")
    if density != "none" and (temp_air_c is None or pressure_pa is None):
        raise ValueError("a density correction needs temperature and pressure")
    speed_ = _single(speed)
    temp = speed_ if temp_air_c is None else _single(temp_air_c)
    pressure = speed_ if pressure_pa is None else _single(pressure_pa)
    fall_k, fall_pa, per_gas = kernels.at_hub(hub_m)
    c, kernel = curves, cast(Callable[..., int], kernels.power_kernel)
    bad = kernel(
        speed_, _single(factor), temp, pressure, _single(fall_k), _single(fall_pa), np.float32(per_gas),
        _CORRECTIONS[density], _single(c.offset), _single(c.slope), _single(c.nodes), _single(c.share), c.first,
        np.float32(c.per_m_per_s), c.last, _single(c.cut_out), _single(c.recut_in), result,
    )  # fmt: skip
    if bad:
        raise ValueError(f"{bad} values of wind, temperature or pressure are no numbers, or impossible")
    return result


def _single(values: AnyFloats) -> npt.NDArray[np.float32]:
    return values.astype(np.float32, copy=False)


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
