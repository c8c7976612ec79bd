"""Compiled loops of the mask store: cells to runs of one value, and back.

A run begins at ``col[k]`` and ends where the next one of its row begins; every row begins with one at column 0. The
runs of row r are ``start[r] <= k < start[r + 1]``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_STEP = 64
"""Cells compared at once: where all equal the run's value, none is looked at on its own."""


@njit(cache=True, nogil=True)
def encode(cells, most):  # type: ignore[no-untyped-def]
    """(start, col, value) of the runs of ``cells``, none at all (``start`` empty) where there are more than ``most``.

    Parameters
    ----------
    cells : unsigned integers, shape (rows, columns)
    most : int
        At least the number of rows.
    """
    rows, cols = cells.shape
    start = np.zeros(rows + 1, np.int32)
    col, value = np.empty(most, np.int32), np.empty(most, cells.dtype)
    per_word = 8 // cells.itemsize
    alike = np.empty(per_word, cells.dtype)
    whole, n = cols // _STEP * _STEP, 0
    for r in range(rows):
        line = cells[r]
        words = line[:whole].view(np.uint64)
        last = line[0]
        if n >= most:
            return start[:0], col[:0], value[:0]
        col[n], value[n] = 0, last
        n += 1
        alike[:] = last
        pattern = alike.view(np.uint64)[0]
        for low in range(0, cols, _STEP):
            if low < whole:
                if _all_are(words[low // per_word : (low + _STEP) // per_word], pattern):
                    continue
            for c in range(low, min(low + _STEP, cols)):
                if line[c] != last:
                    if n >= most:
                        return start[:0], col[:0], value[:0]
                    last = line[c]
                    col[n], value[n] = c, last
                    n += 1
            alike[:] = last
            pattern = alike.view(np.uint64)[0]
        start[r + 1] = n
    return start, col[:n].copy(), value[:n].copy()


@njit(cache=True, nogil=True)
def _all_are(words, pattern):  # type: ignore[no-untyped-def]
    differs = np.uint64(0)
    for k in range(words.size):
        differs |= words[k] ^ pattern
    return differs == 0


@njit(cache=True, nogil=True)
def _fill(cells, value):  # type: ignore[no-untyped-def]
    for k in range(cells.size):
        cells[k] = value


@njit(cache=True, nogil=True)
def expand(start, col, value, row0, out):  # type: ignore[no-untyped-def]
    """Write the rows from ``row0`` on to ``out``, shape (rows, columns)."""
    for r in range(out.shape[0]):
        for k in range(start[row0 + r], start[row0 + r + 1]):
            end = col[k + 1] if k + 1 < start[row0 + r + 1] else out.shape[1]
            v = value[k]
            _fill(out[r, col[k] : end], v)
