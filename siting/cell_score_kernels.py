"""Compiled loop of the cell score."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_criterion(total, values, weight, breaks, heights):  # type: ignore[no-untyped-def]
    """Add ``weight * f(value)`` to ``total``, f piecewise linear through (breaks, heights), level beyond both ends.

    NaN values make the total NaN; cells whose total is NaN already are passed over.
    """
    n = breaks.size
    slope = np.zeros(n, np.float64)
    for k in range(n - 1):
        slope[k] = (heights[k + 1] - heights[k]) / (breaks[k + 1] - breaks[k])
    for r in range(total.shape[0]):
        for c in range(total.shape[1]):
            if np.isnan(total[r, c]):
                continue
            x = np.float64(values[r, c])
            if np.isnan(x):
                total[r, c] = np.nan
            elif x <= breaks[0]:
                total[r, c] += weight * heights[0]
            elif x >= breaks[n - 1]:
                total[r, c] += weight * heights[n - 1]
            else:
                low, high = 0, n - 1
                while high - low > 1:
                    middle = (low + high) >> 1
                    if breaks[middle] <= x:
                        low = middle
                    else:
                        high = middle
                total[r, c] += weight * (heights[low] + (x - breaks[low]) * slope[low])
