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
    half = np.empty(cols + 1, np.float64)  # 1 / (2 d): a product instead of a division; ties may fall to either side
    for c in range(1, cols + 1):
        half[c] = 0.5 / c
    centre = np.empty(cols, np.int32)  # columns whose parabolas form the lower envelope
    start = np.empty(cols + 1, np.int32)  # where each of them begins
    base = np.empty(cols, np.float64)  # gap squared + column squared of each of them
    square = np.empty(cols, np.float64)
    east = np.float64(cols - 1)
    for r in range(rows):
        n = 0
        for c in range(cols):
            g = np.float64(gap[r, c])
            if g > reach:
                continue
            x = np.float64(c)
            mine = g * g + x * x
            # parabola c minus column squared at s: mine - 2 c s
            while n > 0 and mine - base[n - 1] <= 2.0 * (x - centre[n - 1]) * start[n - 1]:
                n -= 1
            begin = np.int32(0)
            if n > 0:
                before = centre[n - 1]
                if mine - base[n - 1] > 2.0 * (x - before) * east:
                    continue  # lower only beyond the raster
                begin = np.int32((mine - base[n - 1]) * half[c - before] + 1.0)
                if begin >= cols:
                    continue
            centre[n] = c
            start[n] = begin
            base[n] = mine
            n += 1
        if n == 0:
            out[r, :] = np.float32(cap_m)
            continue
        start[n] = cols
        for k in range(n):
            s, h = np.float64(centre[k]), base[k] - np.float64(centre[k]) * np.float64(centre[k])
            for c in range(start[k], start[k + 1]):
                d = np.float64(c) - s
                square[c] = d * d + h
        for c in range(cols):
            out[r, c] = np.float32(min(np.sqrt(square[c]) * size_m, cap_m))
