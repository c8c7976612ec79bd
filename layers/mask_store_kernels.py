"""Compiled loops of the mask store: cells to runs of one value, and back.

A run begins at ``col[k]`` and ends where the next one of its row begins; every row begins with one at column 0. The
runs of row r are ``start[r] <= k < start[r + 1]``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_STEP = 64
"""Cells compared at once: where all have the value of the run before them, none is looked at on its own."""


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
    col, value = np.empty(most + _STEP, np.int32), np.empty(most + _STEP, cells.dtype)
    per_word = 8 // cells.itemsize
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    each = full // (full >> np.uint64(64 - 8 * cells.itemsize))  # 1 in every cell of a word
    whole, n = cols // _STEP * _STEP, np.int64(0)
    for r in range(rows):
        line = cells[r]
        words = line[:whole].view(np.uint64)
        last = line[0]
        if n >= most:
            return start[:0], col[:0], value[:0]
        col[n], value[n] = 0, last
        n += 1
        for low in range(0, cols, _STEP):
            at = low // per_word
            if low < whole and _all_are(words[at : at + _STEP // per_word], np.uint64(last) * each):
                continue
            if n > most:
                return start[:0], col[:0], value[:0]
            part = line[low : low + _STEP]
            for k in range(part.size):  # written in any case, kept where it differs: no branch to guess
                col[n], value[n] = low + k, part[k]
                n += np.int64(part[k] != last)
                last = part[k]
        start[r + 1] = n
    if n > most:
        return start[:0], col[:0], value[:0]
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
