"""Compiled loops of :mod:`siting.rules.terrain`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Values = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def slope_rows(z: Values, cell_m: float, out: Values) -> None:
    """Slope [degree] of the inner cells of ``z``, Horn's weights; NaN where any of the nine is NaN."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            east, south = _gradient(z, r, c)
            # the middle cell has no weight; it must be known all the same
            rise = math.sqrt(east * east + south * south) / (8 * cell_m) + 0 * z[r + 1, c + 1]
            out[r, c] = math.degrees(math.atan(rise))


@njit(cache=True, nogil=True)
def aspect_rows(z: Values, cell_m: float, level_rise: float, out: Values) -> None:
    """Direction that the inner cells of ``z`` face [degree from north, clockwise]; -1 where the rise is smaller."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            east, south = _gradient(z, r, c)
            rise = math.sqrt(east * east + south * south) / (8 * cell_m) + 0 * z[r + 1, c + 1]
            if math.isnan(rise):
                out[r, c] = np.nan
            elif rise < level_rise or rise == 0:
                out[r, c] = -1.0
            else:
                # ground falls against its gradient: to the west where it rises to the east
                angle = np.float32(math.degrees(math.atan2(-east, south)) % 360.0)
                out[r, c] = angle if angle < 360 else np.float32(0)


@njit(cache=True, nogil=True)
def _gradient(z: Values, r: int, c: int) -> tuple[float, float]:
    """Eight times the rise per cell to the east and to the south, around the inner cell (r, c)."""
    nw, n, ne = float(z[r, c]), float(z[r, c + 1]), float(z[r, c + 2])
    w, e = float(z[r + 1, c]), float(z[r + 1, c + 2])
    sw, s, se = float(z[r + 2, c]), float(z[r + 2, c + 1]), float(z[r + 2, c + 2])
    return (ne + 2 * e + se) - (nw + 2 * w + sw), (sw + 2 * s + se) - (nw + 2 * n + ne)
