"""Patches of raster cells: how wide, how connected. Read strip by strip, with the same result for any strip height.

::

    core        a cell is core when at least half of it is owned
    wide        a disk of the least width, drawn in whole cells, fits around the cell      (too_narrow is left over)
    patch       cells that touch at an edge or corner (8 neighbours), and patches with a narrow gap between them
    fringe      cells less than half owned: they join the patch they touch, or are left over

Strips see their neighbours' rows as far as a disk reaches, and patches are joined over all strips, so that no site
depends on a strip's border. What is kept in memory are runs (:mod:`siting.sites.runs`), never the frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from siting.sites.runs import Floats, Longs, Runs, label_runs, runs_at

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

HALF_COVERED = 8
"""Sub-cells of 16 from which a cell is core."""

STRIP_CELLS = 2_000_000
_WIDE = 1

_CORNER = math.sqrt(2) - 1
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class Strip:
    """Some rows of a host type. ``cover``: owned sub-cells of every cell. ``weights(at)``: sub-cells of host area, and
    the same weighted for co-use, of the cells with these numbers (row by row within the strip)."""

    cover: npt.NDArray[np.uint8]
    weights: Callable[[Longs], tuple[Floats, Floats]]

    @classmethod
    def of_share(cls, cover: npt.NDArray[np.uint8], share: float) -> Strip:
        """A strip where one share of the owned land is host."""

        def weights(at: Longs) -> tuple[Floats, Floats]:
            host = np.asarray(cover.ravel()[at] * share, np.float64)
            return host, host

        return cls(cover, weights)


@dataclass(frozen=True)
class CoverSource:
    """Where the cover of a host type is read: ``read(row0, row1)`` gives these rows."""

    shape: tuple[int, int]
    read: Callable[[int, int], Strip]
    sub_m2: Floats
    """Area of a sub-cell, one value a row of the frame."""

    def strips(self, strip_rows: int | None = None) -> Iterator[tuple[int, int]]:
        """(first row, last row + 1) of the strips."""
        step = strip_rows or max(64, STRIP_CELLS // self.shape[1] // 64 * 64)
        for row0 in range(0, self.shape[0], step):
            yield row0, min(row0 + step, self.shape[0])


@dataclass(frozen=True)
class Patches:
    """Runs of all patches that are wide enough, of any size, with their fringe (``site`` is the patch), and the land
    that is in none, by reason [m2]."""

    runs: Runs
    rest: dict[str, float]


def covered_runs(source: CoverSource, strip_rows: int | None = None) -> Runs:
    """All covered cells."""
    parts = []
    for row0, row1 in source.strips(strip_rows):
        strip = source.read(row0, row1)
        at = np.flatnonzero(strip.cover)
        if len(at):
            parts.append(runs_at(row0, source.shape[1], at, strip.cover.ravel()[at], *strip.weights(at), source.sub_m2))
    return Runs.together(parts, source.sub_m2)


def find_patches(source: CoverSource, cells_across: int, gap_cells: float, strip_rows: int | None = None) -> Patches:
    """Patches at least ``cells_across`` cells wide, joined over gaps of at most ``gap_cells``, with their fringe.

    Parameters
    ----------
    source : CoverSource
    cells_across : int
        See :func:`wide_cells`.
    gap_cells : float
        See :func:`siting.sites.runs.label_runs`.
    strip_rows : int, optional
        Rows worked on at a time. It bounds the memory and never changes a bit.
    """
    halo = reach_rows(cells_across)
    height, width = source.shape
    parts = []
    narrow = np.zeros(height, np.int64)
    for row0, row1 in source.strips(strip_rows):
        top, bottom = max(0, row0 - halo), min(height, row1 + halo)
        strip = source.read(top, bottom)
        if not strip.cover.any():
            continue
        core = strip.cover >= HALF_COVERED
        wide = wide_cells(core, cells_across)
        mine = slice((row0 - top) * width, (row1 - top) * width)
        cover = strip.cover.ravel()
        at = np.flatnonzero(cover[mine]) + mine.start
        core_at, wide_at, cover_at = core.ravel()[at], wide.ravel()[at], cover[at]
        lost = core_at & ~wide_at
        narrow[top:bottom] += np.bincount(at[lost] // width, cover_at[lost], minlength=bottom - top).astype(np.int64)
        keeps = ~lost
        kept = at[keeps]
        host, power = strip.weights(kept)
        kind = wide_at[keeps].astype(np.uint8)
        parts.append(runs_at(top, width, kept, cover_at[keeps], host, power, source.sub_m2, kind))
    found = Runs.together(parts, source.sub_m2)
    wide_runs, fringe = found.take(found.site == _WIDE), found.take(found.site != _WIDE)
    wide_runs = wide_runs.with_site(label_runs(wide_runs, gap_cells))
    joined, left = join_fringe(wide_runs, fringe)
    rest = {"fringe": float(left.land_m2.sum()), "too_narrow": float((narrow * source.sub_m2).sum())}
    return Patches(Runs.together([wide_runs, joined], source.sub_m2), rest)


def reach_rows(cells_across: int) -> int:
    """Rows beyond a strip that :func:`wide_cells` must see for the strip's own rows to be right."""
    return 0 if cells_across <= 1 else cells_across - 1 + _stub_cells(cells_across)


def _stub_cells(cells_across: int) -> int:
    return math.ceil(_CORNER * cells_across / 2) if cells_across > 3 else 0


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
    steps = _stub_cells(cells_across)
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


def join_fringe(patches: Runs, fringe: Runs) -> tuple[Runs, Runs]:
    """Fringe cells that touch a patch, with the patch they join as ``site``, and those that touch none.

    Neighbours across an edge come before those across a corner, west before east before north before south.
    """
    cells = fringe.cells()
    site = np.full(len(cells), -1, np.int64)
    for d_row, d_col in _NEIGHBOURS:
        at = patches.find(cells.row + d_row, cells.col + d_col)
        met = (site < 0) & (at >= 0)
        site[met] = patches.site[at[met]]
    joins = site >= 0
    return cells.with_site(site).take(joins), cells.take(~joins)


def unique_rows(*columns: npt.NDArray[np.signedinteger]) -> tuple[tuple[Ints, ...], Ints]:
    """Distinct rows of a table of whole numbers in lexical order, column by column, and the number of each row.

    The rows are packed into one number first, which sorts many times faster than rows.
    """
    low = [int(column.min(initial=0)) for column in columns]
    size = [int(column.max(initial=0)) - least + 1 for column, least in zip(columns, low, strict=True)]
    shifted = [column.astype(np.int64) - least for column, least in zip(columns, low, strict=True)]
    distinct, number = np.unique(np.ravel_multi_index(shifted, size), return_inverse=True)
    rows = np.unravel_index(distinct, size)
    return tuple(row.astype(np.int64) + least for row, least in zip(rows, low, strict=True)), number.ravel()
