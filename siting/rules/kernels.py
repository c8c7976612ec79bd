"""Compiled tests of cell values: what a raster rule excludes and where it cannot tell, in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from siting.land.kernels import any_bit

KINDS = (
    "raster_above", "raster_below", "raster_between", "raster_outside", "raster_classes", "raster_not_classes",
)  # fmt: skip
NODATA = ("unknown", "excluded")
"""What a cell without a value is; any other word leaves it alone."""
_FULL = np.uint16(0xFFFF)
_NONE = np.uint16(0)


@njit(cache=True, nogil=True)
def test_cells(values, kind, low, high, codes, nodata, excluded, unsure):  # type: ignore[no-untyped-def]
    """Write 0xFFFF or 0 to ``excluded`` and ``unsure``; returns whether any cell is unsure.

    Parameters
    ----------
    values : float32, shape (rows, columns)
        NaN where not known.
    kind, nodata : int
        Places in :data:`KINDS` and :data:`NODATA`.
    low, high : float32
        Bounds of the two-sided kinds; the limit of the others.
    codes : float32
        Of the class kinds.
    """
    some = False
    for r in range(values.shape[0]):
        line, out = values[r], excluded[r]
        if kind == 0:
            for c in range(line.size):
                out[c] = _FULL if line[c] > high else _NONE
        elif kind == 1:
            for c in range(line.size):
                out[c] = _FULL if line[c] < low else _NONE
        elif kind == 2:
            for c in range(line.size):
                out[c] = _FULL if (line[c] >= low) & (line[c] <= high) else _NONE
        elif kind == 3:
            for c in range(line.size):
                out[c] = _FULL if (line[c] < low) | (line[c] > high) else _NONE
        else:
            _clear(out)
            for code in codes:
                for c in range(line.size):
                    out[c] |= _FULL if line[c] == code else _NONE
        if kind == 5:
            for c in range(line.size):
                out[c] = ~out[c]
        some |= _no_value(line, out, unsure[r], nodata)
    return some


test_cells.__test__ = False  # type: ignore[attr-defined]


@njit(cache=True, nogil=True)
def _clear(words):  # type: ignore[no-untyped-def]
    for c in range(words.size):
        words[c] = _NONE


@njit(cache=True, nogil=True)
def _no_value(line, excluded, unsure, nodata):  # type: ignore[no-untyped-def]
    """What cells without a value are; whether there is any that leaves a doubt."""
    for c in range(line.size):
        unsure[c] = _FULL if line[c] != line[c] else _NONE
    if not any_bit(unsure):
        return False
    for c in range(line.size):
        excluded[c] &= ~unsure[c]
    if nodata == 1:
        for c in range(line.size):
            excluded[c] |= unsure[c]
    if nodata != 0:
        _clear(unsure)
    return nodata == 0
