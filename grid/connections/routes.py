"""Cheapest routes of tie lines on a cost raster: one search per station, not one per pair.

The search is scikit-image's ``MCP_Geometric``: Dijkstra over the eight neighbours, a step costs its length times the
mean factor of both cells. On plain land the eight directions make a route up to 8 % longer than the straight line,
which stands for the angles that every line has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
import numpy.typing as npt
from skimage.graph import MCP_Geometric

from grid.connections.terrain import RouteTerrain

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RouteField:
    """Routes from one place to everywhere within a window of the raster.

    ``row0``, ``col0`` are the window's corner, ``start`` its cell in the window. ``equal_km``: cost of the cheapest
    route as km of plain line, infinite where none is; ``back`` is MCP's traceback, indices into ``offsets``.
    """

    row0: int
    col0: int
    start: tuple[int, int]
    equal_km: npt.NDArray[np.float32]
    back: npt.NDArray[np.int8]
    offsets: Ints
    step_km: float

    def to(self, rows: Ints, cols: Ints) -> tuple[Floats, Floats]:
        """(cost as km of plain line, length in km) of the routes to cells of the raster; infinite where none is.

        A place in the start's own cell is half a cell away.
        """
        r, c = np.asarray(rows) - self.row0, np.asarray(cols) - self.col0
        height, width = self.equal_km.shape
        inside = (np.asarray(rows) >= 0) & (r >= 0) & (r < height) & (c >= 0) & (c < width)
        equal, length = np.full(len(r), np.inf), np.full(len(r), np.inf)
        equal[inside] = self.equal_km[r[inside], c[inside]]
        reached = np.isfinite(equal)
        steps = _lengths(self.back, self.offsets, r[reached], c[reached], self.start[0], self.start[1])
        half = self.step_km / 2
        length[reached] = np.maximum(steps * self.step_km, half)
        equal[reached] = np.maximum(equal[reached], half)
        return equal, length

    def path(self, row: int, col: int) -> tuple[Ints, Ints]:
        """Rows and columns (of the whole raster) of the route from a cell to the start."""
        r, c = row - self.row0, col - self.col0
        rows, cols = [r], [c]
        while (r, c) != self.start:
            dr, dc = self.offsets[self.back[r, c]]
            r, c = r - int(dr), c - int(dc)
            rows.append(r)
            cols.append(c)
        return np.array(rows) + self.row0, np.array(cols) + self.col0


@numba.njit(cache=True)
def _lengths(back, offsets, rows, cols, start_row, start_col):  # type: ignore[no-untyped-def]
    """Length in cells of each route back to the start."""
    out = np.zeros(len(rows))
    for k in range(len(rows)):
        r, c = rows[k], cols[k]
        total = 0.0
        while r != start_row or c != start_col:
            i = back[r, c]
            dr, dc = offsets[i, 0], offsets[i, 1]
            total += np.sqrt(dr * dr + dc * dc)
            r, c = r - dr, c - dc
        out[k] = total
    return out


def route_field(terrain: RouteTerrain, row: int, col: int, reach_km: float) -> RouteField:
    """Cheapest routes from a cell to all cells within a square window of ``reach_km`` to each side."""
    step_km = terrain.frame.resolution_m / 1000
    reach = int(np.ceil(reach_km / step_km))
    row0, col0 = max(0, row - reach), max(0, col - reach)
    part = terrain.factor[row0 : row + reach + 1, col0 : col + reach + 1].astype(np.float64)
    start = (row - row0, col - col0)
    part[start] = part[start] if np.isfinite(part[start]) else 1.0
    search = MCP_Geometric(np.where(np.isfinite(part), part, -1.0))
    equal, back = search.find_costs([start])
    offsets = np.asarray(search.offsets, dtype=np.int64)
    return RouteField(row0, col0, start, (equal * step_km).astype(np.float32), back.astype(np.int8), offsets, step_km)


@dataclass
class Router:
    """Route fields by place, computed when first asked for; with ``opened`` cells that lines may always reach."""

    terrain: RouteTerrain
    _fields: dict[tuple[int, int, float], RouteField] = field(default_factory=dict)

    def field_at(self, row: int, col: int, reach_km: float) -> RouteField:
        """The field of a cell; one with a longer reach serves a shorter one."""
        for (r, c, reach), known in self._fields.items():
            if (r, c) == (row, col) and reach >= reach_km:
                return known
        found = route_field(self.terrain, row, col, reach_km)
        self._fields[(row, col, reach_km)] = found
        return found


def opened(terrain: RouteTerrain, lon: Floats, lat: Floats) -> RouteTerrain:
    """The terrain with the cells of stations and sites open to lines, whatever covers them."""
    rows, cols = terrain.cells(lon, lat)
    rows, cols = rows[rows >= 0], cols[rows >= 0]
    factor = terrain.factor.copy()
    factor[rows, cols] = np.where(np.isfinite(factor[rows, cols]), factor[rows, cols], 1.0)
    return RouteTerrain(terrain.frame, factor, terrain.used)


def simplified(rows: Ints, cols: Ints) -> tuple[Ints, Ints]:
    """Only the cells at which a path turns, and its ends."""
    if len(rows) < 3:
        return rows, cols
    dr, dc = np.diff(rows), np.diff(cols)
    turns = np.flatnonzero((np.diff(dr) != 0) | (np.diff(dc) != 0)) + 1
    keep = np.concatenate([[0], turns, [len(rows) - 1]])
    return rows[keep], cols[keep]
