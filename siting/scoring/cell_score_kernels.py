"""Compiled loop of the cell score."""

from __future__ import annotations

import numpy as np
from numba import njit

_FEW_BREAKS = 16
"""Up to so many breakpoints the pieces are added up, which suits the processor's vector units better than a search."""


_STEP = 64
"""Cells of a row that are passed over together where none is wanted."""


@njit(cache=True, nogil=True)
def add_criterion(total, values, weight, breaks, heights, within):  # type: ignore[no-untyped-def]
    """Add ``weight * f(value)`` to ``total``, f piecewise linear through (breaks, heights), level beyond both ends.

    NaN values make the total NaN, and it stays NaN. Cells where ``within`` is 0 may be left as they are; of shape
    (0, 0) it wants all.
    """
    slope = weight * (heights[1:] - heights[:-1]) / (breaks[1:] - breaks[:-1])
    for r in range(total.shape[0]):
        for low in range(0, total.shape[1], _STEP):
            high = min(low + _STEP, total.shape[1])
            if within.size and not within[r, low:high].any():
                continue
            if breaks.size <= _FEW_BREAKS:
                _add_pieces(total[r, low:high], values[r, low:high], weight * heights[0], breaks, slope)
            else:
                _add_found(total[r, low:high], values[r, low:high], weight, breaks, heights, slope)


@njit(cache=True, nogil=True)
def _add_pieces(total, values, lowest, breaks, slope):  # type: ignore[no-untyped-def]
    """``f(x) = lowest + sum of slope_k * (x - break_k)``, each piece from 0 to its own length."""
    for k in range(slope.size):
        start, length, steep = breaks[k], breaks[k + 1] - breaks[k], slope[k]
        first = lowest if k == 0 else 0.0
        if k == 0 or steep != 0.0:
            for c in range(total.size):
                along = np.float64(values[c]) - start
                along = 0.0 if along < 0.0 else along
                along = length if along > length else along
                total[c] += first + along * steep


@njit(cache=True, nogil=True)
def _add_found(total, values, weight, breaks, heights, slope):  # type: ignore[no-untyped-def]
    n = breaks.size
    for c in range(total.size):
        x = np.float64(values[c])
        if np.isnan(x) or np.isnan(total[c]):
            total[c] = np.nan
        elif x <= breaks[0]:
            total[c] += weight * heights[0]
        elif x >= breaks[n - 1]:
            total[c] += weight * heights[n - 1]
        else:
            low, high = 0, n - 1
            while high - low > 1:
                middle = (low + high) >> 1
                if breaks[middle] <= x:
                    low = middle
                else:
                    high = middle
            total[c] += weight * heights[low] + (x - breaks[low]) * slope[low]


@njit(cache=True, nogil=True)
def as_score(score, total, within):  # type: ignore[no-untyped-def]
    """Write the totals of the cells that are not 0, NaN to all others."""
    for r in range(score.shape[0]):
        for c in range(score.shape[1]):
            score[r, c] = np.float32(total[r, c]) if within[r, c] != 0 else np.float32(np.nan)
