"""Cover of raster cells by 16 sub-cells each, one bit apiece, so that partial covers combine exactly.

::

    one cell, bit numbers                 two partial covers of one cell
    +----+----+----+----+
    |  0 |  1 |  2 |  3 |  north          west half   0x3333   8/16
    |  4 |  5 |  6 |  7 |                 east half   0xCCCC   8/16   west | east = 0xFFFF  16/16 (disjoint)
    |  8 |  9 | 10 | 11 |                 strip       0x1111   4/16   west | strip = 0x3333  8/16 (nested)
    | 12 | 13 | 14 | 15 |  south
    +----+----+----+----+

Covers kept as shares cannot tell these cases apart: the minimum is right only for nested covers, the product
for independent ones. As bits, *or*, *and* and *not* are the set operations, to 1/16 of a cell.

A sub-cell belongs to a shape when its centre lies in it; a centre on an edge belongs to the shape east and north
of it. Rows and columns of sub-cells are counted from the origin of the CRS and edges are intersected in its
coordinates, so that the bits of a place depend on the shapes alone: not on tiles, not on the frame's extent,
and a region cut in parts neither loses nor gains a bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from layers.frame import Frame
from layers.mask_store import BLOCK_ROWS, MaskStore, Runs, strips_of

SubMask = npt.NDArray[np.uint16]

SUBDIVISION = 4
SUBCELLS = SUBDIVISION * SUBDIVISION
FULL = np.uint16(0xFFFF)

QUAD_SEGS = 32
"""Chords per quarter circle of a setback: its outline lies between ``s * cos(pi / 128) = 0.99970 s`` and s."""

_LEAST_SETBACK_M = 1e-6
"""A shorter setback is none: GEOS makes nothing at all of a polygon grown by less than its coordinates can tell."""
_SHAPES_PER_CALL = 256


@dataclass(frozen=True)
class ShapeEdges:
    """Edges of polygons, ready to be cut with the lines of a lattice in any block of rows.

    ``low <= line < high`` are the lines that an edge crosses, counted from the frame's south edge; ``slope`` is
    dx/dy. Lines are those of the sub-rows for masks, of the rows for :meth:`burn`.
    """

    frame: Frame
    lines_per_row: int
    x0: npt.NDArray[np.float64]
    y0: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    low: npt.NDArray[np.int32]
    high: npt.NDArray[np.int32]
    step: npt.NDArray[np.int8]
    """+1 where the inside begins east of the edge, -1 where it ends."""
    start: npt.NDArray[np.int64]
    edge: npt.NDArray[np.int32]
    """Edges of each block of :data:`BLOCK_ROWS` rows from the north: ``edge[start[k]:start[k + 1]]``."""

    @classmethod
    def of(cls, geometries: Iterable[BaseGeometry], frame: Frame, *, lines_per_row: int = SUBDIVISION) -> ShapeEdges:
        """Edges of all polygons among ``geometries`` that can matter on the frame."""
        return cls.of_groups([geometries], frame, lines_per_row=lines_per_row)

    @classmethod
    def of_groups(
        cls, groups: Iterable[Iterable[BaseGeometry]], frame: Frame, *, lines_per_row: int = SUBDIVISION
    ) -> ShapeEdges:
        """The same for all groups together, of which one at a time is held as shapes."""
        from layers.submask_kernels import bucket_edges

        parts = [_frame_edges(geometries, frame, lines_per_row) for geometries in groups]
        fields = [list(field) for field in zip(*parts, strict=True)]
        del parts
        joined = []
        while fields:  # one field after the other, so that no more than one is there twice
            field = fields.pop(0)
            joined.append(field[0] if len(field) == 1 else np.concatenate(field))
        x0, y0, slope, low, high, step = joined or _frame_edges([], frame, lines_per_row)
        start, edge = bucket_edges(low, high, frame.height * lines_per_row, BLOCK_ROWS * lines_per_row)
        return cls(frame, lines_per_row, x0, y0, slope, low, high, step, start, edge)

    def crossings(self, row0: int, row1: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]] | None:
        """Sorted crossings in rows ``row0 <= row < row1`` (see :func:`submask_kernels.sorted_crossings`)."""
        from layers.submask_kernels import sorted_crossings

        chosen = self._chosen(row0, row1)
        if not chosen.size:
            return None
        n, frame = self.lines_per_row, self.frame
        size_m = frame.resolution_m / n
        south, west = round(frame.bounds[1] / size_m), round(frame.left / size_m)
        lines = (frame.height - row1) * n, (frame.height - row0) * n
        edges = (self.x0, self.y0, self.slope, self.low, self.high, self.step, chosen)
        found: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]] = sorted_crossings(
            *edges, *lines, size_m, south, west, frame.width * n
        )
        return found

    def _chosen(self, row0: int, row1: int) -> npt.NDArray[np.int32]:
        first, last = row0 // BLOCK_ROWS, (row1 - 1) // BLOCK_ROWS
        chosen = self.edge[self.start[first] : self.start[last + 1]]
        return chosen if first == last else np.unique(chosen)  # a long edge is in several blocks

    def mask(self, row0: int, row1: int) -> SubMask:
        """Sub-cell mask of rows ``row0 <= row < row1``."""
        mask = np.zeros((row1 - row0, self.frame.width), np.uint16)
        for top in range(row0, row1, BLOCK_ROWS):
            self.draw(mask[top - row0 : top - row0 + BLOCK_ROWS], top)
        return mask

    def draw(self, mask: SubMask, row0: int) -> bool:
        """Add the bits of rows from ``row0`` on to a mask; whether anything crosses these rows."""
        from layers.submask_kernels import fill_bits

        found = self.crossings(row0, row0 + mask.shape[0])
        if found is not None:
            fill_bits(mask, *found)
        return found is not None and found[1].size > 0

    def runs(self, row0: int, row1: int) -> Runs | None:
        """Rows ``row0 <= row < row1`` of the mask as runs of equal cells; None where nothing is covered."""
        from layers.submask_kernels import cell_runs

        found = self.crossings(row0, row1)
        if found is None or not found[1].size:
            return None
        return Runs(*cell_runs(*found, row1 - row0, self.frame.width))

    def burn(self, cells: npt.NDArray[np.integer], row0: int, value: int) -> None:
        """Write ``value`` to the covered cells of rows from ``row0`` on."""
        from layers.submask_kernels import fill_value

        found = self.crossings(row0, row0 + cells.shape[0])
        if found is not None:
            fill_value(cells, *found, value)


def rasterize_submask(geometries: Iterable[BaseGeometry], frame: Frame, *, band_rows: int | None = None) -> SubMask:
    """Cells covered by any of ``geometries``.

    Parameters
    ----------
    geometries : iterable of shapely geometries
        Valid, in the frame's CRS; they may overlap and may reach beyond the frame. Lines and points have no
        area and cover nothing: buffer them first (:func:`setback_geometries`). None and empty ones are passed
        over.
    frame : Frame
    band_rows : int, optional
        Rows of cells worked on at a time. It never changes a bit.

    Returns
    -------
    ndarray of uint16, shape ``frame.shape``
        Bit ``4 * row + column`` of the sub-cell, from the north-west.

    Notes
    -----
    Rings are oriented (shell counter-clockwise), every edge is cut with the centre lines of the sub-rows, and
    +1 or -1 is noted where it is crossed. The running sum from the west counts the shapes that hold a
    sub-cell; it is covered where that is above 0. The spans between are filled a word at a time. Work grows with
    the number of crossings and of covered cells, not with the number of shapes per cell.
    """
    edges = ShapeEdges.of(geometries, frame)
    rows = band_rows or frame.height
    mask = np.zeros(frame.shape, np.uint16)
    for row0 in range(0, frame.height if edges.x0.size else 0, rows):
        row1 = min(row0 + rows, frame.height)
        mask[row0:row1] = edges.mask(row0, row1)
    return mask


def rasterize_store(
    groups: Iterable[Iterable[BaseGeometry]],
    frame: Frame,
    *,
    workers: int = 1,
    finish: Callable[[SubMask], SubMask] | None = None,
) -> MaskStore:
    """The same as :func:`rasterize_submask`, as a :class:`MaskStore`: memory grows with the outlines only.

    Parameters
    ----------
    groups : iterable of groups of shapely geometries
        Each group is turned into edges before the next one is asked for, so that no more than one of them is held as
        shapes. The bits do not depend on the grouping.
    frame : Frame
    workers : int
        Threads; the bits do not depend on it.
    finish : function, optional
        Applied to every block of rows, also where no shape lies.
    """
    edges = ShapeEdges.of_groups(groups, frame)
    store = MaskStore(frame.shape)

    def block(row0: int) -> None:
        row1 = min(row0 + BLOCK_ROWS, frame.height)
        if finish is not None:
            store.write(row0, finish(edges.mask(row0, row1)))
        elif (runs := edges.runs(row0, row1)) is not None:
            store.write_runs(row0, runs)

    if edges.x0.size or finish is not None:
        each_block(block, frame.height, workers)
    return store


def each_block(work: Callable[[int], None], height: int, workers: int) -> None:
    """Call ``work`` with the first row of every block of :data:`BLOCK_ROWS` rows, in ``workers`` threads."""
    rows = range(0, height, BLOCK_ROWS)
    if workers <= 1 or len(rows) == 1:
        for row0 in rows:
            work(row0)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, rows):
            pass


def _polygons(geometries: Iterable[BaseGeometry]) -> npt.NDArray[np.object_]:
    parts = np.array(list(geometries), dtype=object)
    parts = parts[~shapely.is_missing(parts)] if parts.size else parts
    for _ in range(2):  # a collection may hold multipolygons
        parts = shapely.get_parts(parts) if parts.size else parts
    return parts[(shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(parts)] if parts.size else parts


def _frame_edges(geometries: Iterable[BaseGeometry], frame: Frame, lines_per_row: int) -> tuple[npt.NDArray[Any], ...]:
    """``x0, y0, slope, low, high, step`` of :class:`ShapeEdges`, see :func:`submask_kernels.ring_edges`."""
    from layers.submask_kernels import ring_edges

    polygons = _polygons(geometries)
    left, bottom, right, top = frame.bounds
    if polygons.size:
        x0, y0, x1, y1 = shapely.bounds(polygons).T
        polygons = polygons[(x0 < right) & (y0 < top) & (x1 > left) & (y1 > bottom)]
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    shell = np.diff(polygon, prepend=-1) > 0  # the outline is the first ring of its polygon
    first = np.concatenate([[0], np.cumsum(shapely.get_num_coordinates(rings))]).astype(np.int64)
    size_m = frame.resolution_m / lines_per_row
    south = round(frame.bounds[1] / size_m)  # lattice rows and columns are counted from the origin of the CRS
    found: tuple[npt.NDArray[Any], ...] = ring_edges(
        shapely.get_coordinates(rings), first, shell, frame.bounds, size_m, south, frame.height * lines_per_row
    )
    return found


def pack(fine: npt.NDArray[np.uint8]) -> SubMask:
    """Sub-cell array of zeros and ones, shape (4 h, 4 w), to a mask of shape (h, w)."""
    height, width = fine.shape[0] // SUBDIVISION, fine.shape[1] // SUBDIVISION
    bits = np.packbits(fine.reshape(-1), bitorder="little").reshape(height, SUBDIVISION, -1)
    # a byte holds one sub-row of two neighbouring cells: low nibble west, high nibble east
    nibbles = np.empty((height, SUBDIVISION, width), np.uint16)
    nibbles[:, :, 0::2] = bits & 0x0F
    nibbles[:, :, 1::2] = bits >> 4
    mask: SubMask = nibbles[:, 0] | nibbles[:, 1] << 4 | nibbles[:, 2] << 8 | nibbles[:, 3] << 12
    return mask


def unpack(mask: SubMask) -> npt.NDArray[np.uint8]:
    """The opposite of :func:`pack`: zeros and ones, shape (4 h, 4 w)."""
    height, width = mask.shape
    bits = (mask[:, :, np.newaxis] >> np.arange(SUBCELLS, dtype=np.uint16)) & 1
    fine = bits.reshape(height, width, SUBDIVISION, SUBDIVISION).swapaxes(1, 2)
    return fine.reshape(height * SUBDIVISION, width * SUBDIVISION).astype(np.uint8)


def setback_geometries(
    geometries: Iterable[BaseGeometry], setback_m: float, *, workers: int | None = None
) -> npt.NDArray[np.object_]:
    """Geometries grown by a setback, equally far in every direction.

    Parameters
    ----------
    geometries : iterable of shapely geometries
        Points, lines or polygons in a metric CRS. None and empty ones stay what they are. Include those
        beyond the frame: they set back into it.
    setback_m : float
        Distance [m], 0 or more; below a thousandth of a millimetre the shapes stay what they are.
    workers : int
        Threads, by default one a core; the result does not depend on it.

    Returns
    -------
    ndarray of shapely geometries
        Same length and order.

    Raises
    ------
    ValueError
        If the setback is negative or not finite.

    Notes
    -----
    Circles are drawn with 32 chords per quarter whose corners lie on the circle, so the reach is at most
    ``setback_m`` and nowhere less than ``setback_m * cos(pi / 128)``, 0.03 % short (0.15 m in 500 m).
    """
    if not np.isfinite(setback_m) or setback_m < 0:
        raise ValueError(f"a setback must be 0 m or more, got {setback_m} m")
    shapes = np.array(list(geometries), dtype=object)
    if setback_m < _LEAST_SETBACK_M or not shapes.size:
        return shapes
    threads = workers or os.cpu_count() or 1
    if threads == 1 or shapes.size <= _SHAPES_PER_CALL:
        return np.asarray(shapely.buffer(shapes, setback_m, quad_segs=QUAD_SEGS), dtype=object)
    parts = [shapes[k : k + _SHAPES_PER_CALL] for k in range(0, shapes.size, _SHAPES_PER_CALL)]
    with ThreadPoolExecutor(threads) as pool:
        grown = pool.map(lambda part: np.asarray(shapely.buffer(part, setback_m, quad_segs=QUAD_SEGS)), parts)
        return np.concatenate(list(grown))


def area_m2(mask: SubMask | MaskStore, cell_area_m2: float | npt.NDArray[np.float64]) -> float:
    """Covered area [m2].

    Parameters
    ----------
    mask : ndarray of uint16, shape (h, w), or MaskStore
    cell_area_m2 : float or ndarray of shape (h,)
        Area of a cell, the same for all or one value per row (as in ``Region.cell_area_m2``).
    """
    strips = (np.bitwise_count(strip).sum(axis=1, dtype=np.int64) for _, strip in strips_of(mask, BLOCK_ROWS))
    bits_per_row = np.concatenate(list(strips))
    return float(np.sum(bits_per_row * np.asarray(cell_area_m2, np.float64)) / SUBCELLS)


def cover_share(mask: SubMask) -> npt.NDArray[np.float32]:
    """Covered share of each cell, 0 to 1 in steps of 1/16, same shape."""
    return np.bitwise_count(mask).astype(np.float32) / np.float32(SUBCELLS)
