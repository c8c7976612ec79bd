"""Classes of a quantity for a map: few, with round edges, about equally full."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def round_edges(values: npt.ArrayLike, count: int) -> list[float]:
    """Lower edges of up to ``count`` classes over ``values``; NaN are left out, no value gives no class.

    Quantiles, rounded to two figures of the spread between the outer tenths, so that a legend can be read; edges that
    rounding made equal are one. The first edge is the smallest value, rounded down.
    """
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return []
    low, high = np.quantile(numbers, [0.05, 0.95])
    step = _round_step((float(high) - float(low)) / (4 * count))
    inner = np.quantile(numbers, [k / count for k in range(1, count)])
    edges = [math.floor(float(numbers.min()) / step) * step, *(round(float(q) / step) * step for q in inner)]
    return [float(f"{edge:.10g}") for edge in sorted(set(edges)) if edge <= numbers.max()]


def _round_step(about: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that does not exceed ``about``."""
    if about <= 0:
        return 1e-6
    power = 10.0 ** math.floor(math.log10(about))
    return max(k for k in (1.0, 2.0, 5.0) if k * power <= about * (1 + 1e-9)) * power


def palette(colours: Sequence[str], count: int) -> list[str]:
    """``count`` colours spread over a palette, its ends included."""
    if count <= 1:
        return list(colours[-1:])
    return [colours[round(k * (len(colours) - 1) / (count - 1))] for k in range(count)]
