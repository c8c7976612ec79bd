"""Compiled loops of the exact Euclidean distance: first along columns, then along rows."""

from __future__ import annotations

import numpy as np
from numba import njit

NONE_ABOVE, NONE_BELOW = -(1 << 29), 1 << 29
"""Rows of features that do not exist, far beyond any raster."""


@njit(cache=True, nogil=True)
def ends_of_features(cells, row0, first, last):  # type: ignore[no-untyped-def]
    """First and last row with a feature in each column of a block (rows counted from ``row0``)."""
    first[:] = NONE_BELOW
    last[:] = NONE_ABOVE
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            if cells[r, c] != 0:
                last[c] = row0 + r
                if first[c] == NONE_BELOW:
                    first[c] = row0 + r


@njit(cache=True, nogil=True)
def distance_block(cells, row0, above, below, size_m, cap_m, out):  # type: ignore[no-untyped-def]
    """Distances of one block.

    Parameters
    ----------
    cells : shape (rows, columns)
        Not 0 where a feature is.
    above, below : int32, shape (columns,)
        Nearest row with a feature north and south of the block.
    size_m, cap_m : float
        Size of a cell; distances above ``cap_m`` are cut to it.
    out : float32, shape (rows, columns)
    """
    rows, cols = cells.shape
    gap = np.empty((rows, cols), np.int32)  # cells to the nearest feature in the same column
    for c in range(cols):
        gap[rows - 1, c] = 0 if cells[rows - 1, c] != 0 else below[c] - (row0 + rows - 1)
    for r in range(rows - 2, -1, -1):
        for c in range(cols):
            gap[r, c] = 0 if cells[r, c] != 0 else gap[r + 1, c] + 1
    for c in range(cols):
        gap[0, c] = min(gap[0, c], row0 - above[c])
    for r in range(1, rows):
        for c in range(cols):
            gap[r, c] = min(gap[r, c], gap[r - 1, c] + 1)
    reach = min(cap_m / size_m, 2.0e8)
    centre = np.empty(cols, np.int32)  # columns whose parabolas form the lower envelope
    start = np.empty(cols + 1, np.int32)  # where each of them begins
    height = np.empty(cols, np.float64)  # gap squared
    lifted = np.empty(cols, np.float64)  # gap squared + column squared
    root = np.empty(cols, np.float64)
    for r in range(rows):
        for c in range(cols):
            height[c] = np.float64(gap[r, c]) * np.float64(gap[r, c])
            lifted[c] = height[c] + np.float64(c) * np.float64(c)
        n = 0
        for c in range(cols):
            if gap[r, c] > reach:
                continue
            begin = 0
            while n > 0:
                before = centre[n - 1]
                # the first column where parabola c lies below the one before
                meet = np.floor((lifted[c] - lifted[before]) / (2.0 * (c - before))) + 1.0
                if meet > start[n - 1]:
                    begin = min(meet, np.float64(cols))
                    break
                n -= 1
            if n == 0:
                begin = 0
            if begin < cols:
                centre[n] = c
                start[n] = np.int32(begin)
                n += 1
        if n == 0:
            out[r, :] = np.float32(cap_m)
            continue
        start[n] = cols
        for k in range(n):
            s, h = centre[k], height[centre[k]]
            for c in range(start[k], start[k + 1]):
                d = np.float64(c - s)
                root[c] = d * d + h
        for c in range(cols):
            out[r, c] = np.float32(min(np.sqrt(root[c]) * size_m, cap_m))
