"""Plain numpy rasteriser: counts of shapes per sub-cell, summed from the west. Slow, short, and the reference of the
compiled one in :mod:`layers.submask`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from layers.frame import Frame
from layers.submask import SUBDIVISION, SubMask, pack

BAND_CELLS = 250_000


@dataclass(frozen=True)
class _Edges:
    """Edges of oriented rings with ``y0 < y1``; ``step`` is +1 where the inside begins east of the edge."""

    x0: npt.NDArray[np.float64]
    y0: npt.NDArray[np.float64]
    x1: npt.NDArray[np.float64]
    y1: npt.NDArray[np.float64]
    step: npt.NDArray[np.int16]

    def take(self, which: npt.NDArray[np.bool_]) -> _Edges:
        return _Edges(self.x0[which], self.y0[which], self.x1[which], self.y1[which], self.step[which])


def rasterize_submask(geometries: Iterable[BaseGeometry], frame: Frame, *, band_rows: int | None = None) -> SubMask:
    """Contract of :func:`layers.submask.rasterize_submask`, the plain way: edges cut with the centre lines of sub-rows.

    +1 or -1 is written where a line is crossed; a sub-cell is covered where the running sum from the west is above 0.
    """
    mask = np.zeros(frame.shape, np.uint16)
    edges = _edges(_polygons(geometries), frame)
    if not edges.x0.size:
        return mask
    rows = band_rows or max(1, BAND_CELLS // frame.width)
    for row0 in range(0, frame.height, rows):
        row1 = min(row0 + rows, frame.height)
        _fill_band(mask, edges, frame, row0, row1)
    return mask


def _polygons(geometries: Iterable[BaseGeometry]) -> npt.NDArray[np.object_]:
    parts = np.array(list(geometries), dtype=object)
    parts = parts[~shapely.is_missing(parts)] if parts.size else parts
    for _ in range(2):  # a collection may hold multipolygons
        parts = shapely.get_parts(parts) if parts.size else parts
    return parts[(shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(parts)] if parts.size else parts


def _edges(polygons: npt.NDArray[np.object_], frame: Frame) -> _Edges:
    """Edges that can matter on the frame: not level, not wholly north, south or east of it."""
    rings = shapely.get_rings(shapely.orient_polygons(polygons)) if polygons.size else polygons
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    (x0, y0), (x1, y1) = xy[:-1][same].T, xy[1:][same].T
    up = y0 < y1
    step = np.where(up, -1, 1).astype(np.int16)
    edges = _Edges(np.where(up, x0, x1), np.minimum(y0, y1), np.where(up, x1, x0), np.maximum(y0, y1), step)
    _, bottom, right, top = frame.bounds
    meets = (edges.y0 < edges.y1) & (edges.y1 > bottom) & (edges.y0 < top)
    return edges.take(meets & (np.minimum(edges.x0, edges.x1) < right))


def _fill_band(mask: SubMask, edges: _Edges, frame: Frame, row0: int, row1: int) -> None:
    """Write rows ``row0 <= row < row1`` of the mask."""
    top, bottom = (frame.top - row * frame.resolution_m for row in (row0, row1))
    near = edges.take((edges.y1 > bottom) & (edges.y0 < top))
    if not near.x0.size:
        return
    sub_m = frame.resolution_m / SUBDIVISION
    south = round(bottom / sub_m)  # sub-rows and sub-columns are counted from the origin of the CRS
    line, column, step = _crossings(near, sub_m, south, south + (row1 - row0) * SUBDIVISION)
    height, width = (row1 - row0) * SUBDIVISION, frame.width * SUBDIVISION
    row = height - 1 - (line - south)
    column = np.maximum(column - round(frame.left / sub_m), 0)
    inside = column < width
    if not inside.any():
        return
    row, column, step = row[inside], column[inside], step[inside]
    # only rows of cells that something meets, and only east of the westernmost crossing
    first = int(column.min()) // (2 * SUBDIVISION) * (2 * SUBDIVISION)
    used, place = np.unique(row // SUBDIVISION, return_inverse=True)
    cells = frame.width - first // SUBDIVISION
    padded = cells + cells % 2
    count = np.zeros((len(used) * SUBDIVISION, padded * SUBDIVISION), np.int16)
    np.add.at(count, (place * SUBDIVISION + row % SUBDIVISION, column - first), step)
    np.cumsum(count, axis=1, out=count)
    mask[row0 + used, first // SUBDIVISION :] = pack((count > 0).view(np.uint8))[:, :cells]


def _crossings(
    edges: _Edges, sub_m: float, south: int, north: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """Sub-row (from the CRS origin, ``south <= line < north``), first sub-column east, and step per crossing.

    The centre line of sub-row k lies at ``(k + 1/2) sub_m``; an edge crosses those with ``y0 <= y < y1``.
    """
    low = np.clip(np.ceil(edges.y0 / sub_m - 0.5).astype(np.int64), south, north)
    high = np.clip(np.ceil(edges.y1 / sub_m - 0.5).astype(np.int64), south, north)
    times = high - low
    of = np.repeat(np.arange(len(times)), times)
    line = np.arange(len(of)) - np.repeat(np.cumsum(times) - times, times) + low[of]
    y = (line + 0.5) * sub_m
    slope = (edges.x1 - edges.x0) / (edges.y1 - edges.y0)
    x = edges.x0[of] + (y - edges.y0[of]) * slope[of]
    return line, np.ceil(x / sub_m - 0.5).astype(np.int64), edges.step[of]
