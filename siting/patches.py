"""Patches of raster cells: how wide, how connected, how cut. Pure array functions; cells are booleans or lists.

::

    core        a cell is core when at least half of it is owned
    wide        a disk of the least width, drawn in whole cells, fits around the cell      (too_narrow is left over)
    patch       cells that touch at an edge or corner (8 neighbours), and patches with a narrow gap between them
    fringe      cells less than half owned: they join the patch they touch, or are left over

Everything is worked out on the whole frame, never tile by tile, so that no site depends on a tile's border.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HALF_COVERED = 8
"""Sub-cells of 16 from which a cell is core."""

_CORNER = math.sqrt(2) - 1
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
_FULLNESS = 0.98


def wide_cells(core: Bools, cells_across: int) -> Bools:
    """Core cells of patches at least ``cells_across`` cells wide: the opening by a disk of that diameter.

    Right-angled corners, which a disk rounds off, are given back; so is a stub of a fifth of the width where a narrow
    spur leaves a wide patch. Land beyond the array counts as not core.

    Parameters
    ----------
    core : ndarray of bool, shape (h, w)
    cells_across : int
        1 or less keeps everything. A straight strip along an axis stays exactly from this width on; an oblique one
        within a cell of it.
    """
    if cells_across <= 1 or not core.any():
        return core.copy()
    runs = list(_disk_runs(cells_across))
    pad = cells_across - 1
    padded = np.pad(core, pad)
    height, width = padded.shape[0] - pad, padded.shape[1] - pad
    fits = np.ones((height, width), bool)
    for line, (first, length) in enumerate(runs):
        whole = _all_of_run(padded, length)
        fits &= whole[line : line + height, first : first + width]
    opened = np.zeros_like(padded)
    for line, (first, length) in enumerate(runs):
        for column in range(first, first + length):
            opened[line : line + height, column : column + width] |= fits
    opened = opened[pad:-pad, pad:-pad]
    steps = math.ceil(_CORNER * cells_across / 2) if cells_across > 3 else 0
    if steps:
        opened = ndimage.binary_dilation(opened, _EIGHT_NEIGHBOURS, iterations=steps, mask=core)
    return np.asarray(opened & core)


def _disk_runs(diameter: int) -> Iterator[tuple[int, int]]:
    """(first column, length) of each line of a disk drawn in whole cells; below 4 cells a full square."""
    centre, reach = (diameter - 1) / 2, diameter / 2
    for line in range(diameter):
        inside = [c for c in range(diameter) if math.hypot(line - centre, c - centre) <= reach + 1e-9]
        yield inside[0], len(inside)


def _all_of_run(cells: Bools, length: int) -> Bools:
    """True where this cell and the ``length - 1`` cells east of it are all true (those beyond the array are not)."""
    result = cells.copy()
    done = 1
    while done < length:
        step = min(done, length - done)
        result[:, :-step] &= result[:, step:]
        result[:, -step:] = False
        done += step
    return result


def label_patches(core: Bools, gap_cells: float) -> tuple[Ints, Ints, Ints]:
    """Rows, columns and patch numbers (from 0) of the core cells, in row-major order.

    Cells that touch belong together, and so do cells with a gap of at most ``gap_cells`` between their edges
    (in any direction: ``hypot(max(|dr| - 1, 0), max(|dc| - 1, 0))``). Numbers follow the first cell of each patch.
    """
    reach = math.floor(gap_cells + 1e-9) + 1
    labels, count = ndimage.label(np.pad(core, reach), _EIGHT_NEIGHBOURS)
    row, col = np.nonzero(labels)
    number = np.arange(count)  # labels run in the order of their first cells already
    if gap_cells > 0 and count > 1:
        group = _joined(labels, row, col, count, gap_cells)
        _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first))[inverse.ravel()]
    return row - reach, col - reach, number[labels[row, col] - 1]


def _joined(labels: npt.NDArray[np.int32], row: Ints, col: Ints, count: int, gap_cells: float) -> Ints:
    """Group of each label; labels with a narrow gap between any of their cells share a group."""
    rim = ~ndimage.binary_erosion(labels > 0, _EIGHT_NEIGHBOURS)[row, col]
    row, col = row[rim], col[rim]
    here = labels[row, col]
    pairs = [np.zeros((0, 2), np.int64)]
    for d_row, d_col in _offsets(gap_cells):
        there = labels[row + d_row, col + d_col]
        meets = (there > 0) & (there != here)
        if meets.any():
            pairs.append(np.unique(np.stack([here[meets], there[meets]], axis=1).astype(np.int64) - 1, axis=0))
    a, b = np.concatenate(pairs).T
    graph = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int64)


def _offsets(gap_cells: float) -> Iterator[tuple[int, int]]:
    """One of each pair of opposite steps between cells with at most that gap, beyond the neighbours."""
    reach = math.floor(gap_cells + 1e-9) + 1
    for d_row in range(0, reach + 1):
        for d_col in range(-reach if d_row else 2, reach + 1):
            gap = math.hypot(max(d_row - 1, 0), max(abs(d_col) - 1, 0))
            if 0 < gap <= gap_cells + 1e-9:
                yield d_row, d_col


def join_fringe(cover: npt.NDArray[np.uint8], row: Ints, col: Ints, site: Ints) -> tuple[Ints, Ints, Ints]:
    """Fringe cells (0 < cover < half) that touch a site's cell, with the site they join.

    Parameters
    ----------
    cover : ndarray of uint8, shape (h, w)
        Owned sub-cells, 0 to 16.
    row, col, site
        Cells of the sites.

    Returns
    -------
    row, col, site of the fringe cells, in row-major order. Neighbours across an edge come before those across a
    corner, west before east before north before south.
    """
    taken = np.zeros((cover.shape[0] + 2, cover.shape[1] + 2), np.int32)
    taken[row + 1, col + 1] = site + 1
    f_row, f_col = np.nonzero((cover > 0) & (cover < HALF_COVERED))
    found = np.zeros(len(f_row), np.int64)
    for d_row, d_col in _NEIGHBOURS:
        found = np.where(found > 0, found, taken[f_row + 1 + d_row, f_col + 1 + d_col])
    joins = found > 0
    return f_row[joins], f_col[joins], found[joins] - 1


def unique_rows(*columns: Ints) -> tuple[tuple[Ints, ...], Ints]:
    """Distinct rows of a table of whole numbers in lexical order, column by column, and the number of each row.

    The rows are packed into one number first, which sorts many times faster than rows.
    """
    low = [int(column.min(initial=0)) for column in columns]
    size = [int(column.max(initial=0)) - least + 1 for column, least in zip(columns, low, strict=True)]
    packed = np.ravel_multi_index([column - least for column, least in zip(columns, low, strict=True)], size)
    distinct, number = np.unique(packed, return_inverse=True)
    rows = np.unravel_index(distinct, size)
    return tuple(row.astype(np.int64) + least for row, least in zip(rows, low, strict=True)), number.ravel()


@dataclass(frozen=True)
class Cells:
    """Cells of one host type that belong to sites: row, column, owned area [m2], site number from 0."""

    row: Ints
    col: Ints
    area_m2: Floats
    site: Ints

    @classmethod
    def none(cls) -> Cells:
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, np.zeros(0), nothing)

    @property
    def count(self) -> int:
        """Number of sites."""
        return int(self.site.max()) + 1 if len(self.site) else 0

    def total(self, values: Floats) -> Floats:
        """Sum of ``values`` (one a cell) for each site."""
        return np.asarray(np.bincount(self.site, values, minlength=self.count), np.float64)


def cut_large(cells: Cells, largest_m2: float) -> Cells:
    """Sites above ``largest_m2`` are cut across their long axis, in about equal parts, until none is above it.

    A part of one cell is never cut. Parts are numbered in the order of the sites, along the axis.
    """
    order = np.argsort(cells.site, kind="stable")
    starts = np.flatnonzero(np.diff(cells.site[order], prepend=-1))
    site = np.zeros(len(cells.site), np.int64)
    number = 0
    for members in np.split(order, starts)[1:]:
        for part in _parts(members, cells, largest_m2):
            site[part] = number
            number += 1
    return Cells(cells.row, cells.col, cells.area_m2, site)


def _parts(members: Ints, cells: Cells, largest_m2: float) -> list[Ints]:
    total = float(cells.area_m2[members].sum())
    if total <= largest_m2 or len(members) < 2:
        return [members]
    pieces = max(2, math.ceil(total / (_FULLNESS * largest_m2)))  # whole cells never divide evenly
    ordered = members[_along_axis(cells.row[members], cells.col[members])]
    reached = np.cumsum(cells.area_m2[ordered])
    cut = int(np.argmin(np.abs(reached - total * (pieces // 2) / pieces))) + 1
    cut = min(cut, len(ordered) - 1)
    return [*_parts(ordered[:cut], cells, largest_m2), *_parts(ordered[cut:], cells, largest_m2)]


def _along_axis(row: Ints, col: Ints) -> npt.NDArray[np.intp]:
    """Order of the cells along their long axis, from its western (or northern) end."""
    x, y = col - col.mean(), row - row.mean()
    angle = 0.5 * math.atan2(2 * float(x @ y), float(x @ x) - float(y @ y))
    return np.lexsort((row, col, np.round(x * math.cos(angle) + y * math.sin(angle), 6)))
