"""Cells of a host type as runs: neighbouring cells of one row with equal cover. Memory grows with what is covered.

::

    columns   0 1 2 3 4 5 6 7 8
    row 4     . # # # . + # # .      three runs: (4, 1, length 3), (4, 5, length 1, partly covered), (4, 6, length 2)

Runs never cross a row and break only where the cover changes, so that they are the same for any height of the strips
that they are read in. They are sorted by row and column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Runs:
    """Runs of cells, each array of one value a run.

    ``cover``: owned sub-cells of each cell, 1 to 16. ``host``: sub-cells of host area of each cell (owned sub-cells
    times the share of their ground that is host). ``power``: the same, weighted with what declared co-use leaves of
    the density. ``site``: number from 0, -1 where there is none yet. ``sub_m2``: area of a sub-cell, one value a row
    of the *frame*.
    """

    row: Ints
    col: Ints
    length: Ints
    cover: npt.NDArray[np.uint8]
    host: Floats
    power: Floats
    site: Ints
    sub_m2: Floats

    @classmethod
    def none(cls, sub_m2: Floats) -> Runs:
        nothing = np.zeros(0, np.int32)
        weight = np.zeros(0)
        return cls(nothing, nothing, nothing, nothing.astype(np.uint8), weight, weight, nothing, sub_m2)

    @classmethod
    def together(cls, parts: Sequence[Runs], sub_m2: Floats) -> Runs:
        """All runs of several sets, sorted by row and column."""
        if not parts:
            return cls.none(sub_m2)
        row, col, length, cover, host, site = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("row", "col", "length", "cover", "host", "site")
        )
        shared = all(part.power is part.host for part in parts)
        power = host if shared else np.concatenate([part.power for part in parts])
        joined = cls(row, col, length, cover, host, power, site, sub_m2)
        key = row.astype(np.int64) * (int(col.max(initial=0)) + 1) + col
        return joined if bool((np.diff(key) >= 0).all()) else joined.take(np.argsort(key, kind="stable"))

    def __len__(self) -> int:
        return len(self.row)

    @property
    def last(self) -> Ints:
        """Last column of each run."""
        return self.col + self.length - np.int32(1)

    @property
    def land_m2(self) -> Floats:
        """Owned land of each run."""
        return self.cover * self.length * self.sub_m2[self.row]

    @property
    def host_m2(self) -> Floats:
        """Host area of each run."""
        return np.asarray(self.host * self.length * self.sub_m2[self.row])

    @property
    def power_m2(self) -> Floats:
        """Host area of each run, weighted with what co-use leaves of the density."""
        return np.asarray(self.power * self.length * self.sub_m2[self.row])

    @property
    def count(self) -> int:
        """Number of sites."""
        return int(self.site.max()) + 1 if len(self.site) else 0

    def total(self, values: npt.ArrayLike) -> Floats:
        """Sum of ``values`` (one a run) for each site."""
        return np.asarray(np.bincount(self.site, np.asarray(values, np.float64), minlength=self.count), np.float64)

    def take(self, which: npt.NDArray[np.intp] | Bools) -> Runs:
        """Some of the runs."""
        shared = self.power is self.host
        host = self.host[which]
        return Runs(
            self.row[which],
            self.col[which],
            self.length[which],
            self.cover[which],
            host,
            host if shared else self.power[which],
            self.site[which],
            self.sub_m2,
        )

    def with_site(self, site: npt.NDArray[np.signedinteger]) -> Runs:
        return replace(self, site=site.astype(np.int32))

    def split(self, side: int, origin_col: int) -> Runs:
        """Runs cut at every column whose number, counted from ``origin_col``, is a multiple of ``side``."""
        first = (self.col.astype(np.int64) - origin_col) // side
        pieces = (self.last.astype(np.int64) - origin_col) // side - first + 1
        of = np.repeat(np.arange(len(self)), pieces)
        nth = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        west = np.maximum((first[of] + nth) * side + origin_col, self.col[of])
        east = np.minimum((first[of] + nth + 1) * side + origin_col - 1, self.last[of])
        return replace(self.take(of), col=west.astype(np.int32), length=(east - west + 1).astype(np.int32))

    def cells(self) -> Runs:
        """Runs of one cell each."""
        return self.split(1, 0)

    def find(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Longs:
        """Number of the run that holds each cell, -1 where none does; the runs must be sorted."""
        rows, cols = np.asarray(row, np.int64), np.asarray(col, np.int64)
        if not len(self):
            return np.full(rows.shape, -1, np.int64)
        stride = max(int(self.last.max()), int(cols.max(initial=0))) + 2
        starts = self.row.astype(np.int64) * stride + self.col
        key = rows * stride + cols
        at = np.searchsorted(starts, key, side="right") - 1
        hit = (at >= 0) & (cols >= 0) & (key < starts[at] + self.length[at])
        return np.where(hit, at, -1)


def runs_at(
    row0: int,
    width: int,
    at: Longs,
    cover: npt.NDArray[np.uint8],
    host: Floats,
    power: Floats,
    sub_m2: Floats,
    kind: npt.NDArray[np.uint8] | None = None,
) -> Runs:
    """Runs of some cells of a strip.

    Parameters
    ----------
    row0, width : int
        First row of the strip, and columns of the frame.
    at : array of int64
        The cells as numbers within the strip, row by row, ascending.
    cover, host, power : array
        Of these cells; ``power`` may be ``host`` itself.
    sub_m2 : array
        Area of a sub-cell, one value a row of the frame.
    kind : array of uint8, optional
        Runs break where it changes; it becomes their ``site``.
    """
    if not len(at):
        return Runs.none(sub_m2)
    breaks = np.diff(at) != 1
    for values in (cover, host) if power is host else (cover, host, power):
        breaks |= values[1:] != values[:-1]
    if kind is not None:
        breaks |= kind[1:] != kind[:-1]
    breaks |= at[1:] % width == 0
    first = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    length = np.diff(np.append(first, len(at)))
    row, col = np.divmod(at[first], width)
    chosen = host[first]
    return Runs(
        (row + row0).astype(np.int32),
        col.astype(np.int32),
        length.astype(np.int32),
        cover[first],
        chosen,
        chosen if power is host else power[first],
        np.full(len(first), -1, np.int32) if kind is None else kind[first].astype(np.int32),
        sub_m2,
    )


def label_runs(runs: Runs, gap_cells: float) -> Ints:
    """Patch of each run, numbered from 0 in the order of the patches' first cells.

    Cells that touch at an edge or corner belong together, and so do cells with a gap of at most ``gap_cells`` between
    their edges in any direction: ``hypot(max(|dr| - 1, 0), max(|dc| - 1, 0)) <= gap_cells``.

    Notes
    -----
    Union-find over runs, one distance in rows after the other, from the nearest: later ones meet little that is not
    joined already.
    """
    if not len(runs):
        return np.zeros(0, np.int32)
    group = _chains(runs, gap_cells)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    chain = group
    for here, low, high in _facing(runs, gap_cells):
        # one run of every chain that is met stands for the chain
        more = chain[high - 1] - chain[low]
        extra = np.repeat(np.arange(len(here)), more)
        nth = np.arange(len(extra)) - np.repeat(np.cumsum(more) - more, more) + 1
        a = group[np.concatenate([here, here[extra]])]
        b = group[np.concatenate([low, starts[chain[low[extra]] + nth]])]
        group = _merged(group, a, b)
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number.ravel()].astype(np.int32)


def near_pairs(runs: Runs, gap_cells: float) -> Iterator[tuple[Longs, Longs]]:
    """Pairs of runs with a gap of at most ``gap_cells``, by distance in rows, each pair once; of the runs of one row
    only each with the next."""
    number = np.arange(len(runs))
    linked = np.flatnonzero(np.diff(_chains(runs, gap_cells)) == 0)
    yield number[linked], number[linked + 1]
    for here, low, high in _facing(runs, gap_cells):
        times = high - low
        of = np.repeat(np.arange(len(here)), times)
        yield here[of], low[of] + np.arange(len(of)) - np.repeat(np.cumsum(times) - times, times)


def _chains(runs: Runs, gap_cells: float) -> Longs:
    """Number of the chain of each run: runs of one row, each near to the next."""
    reach = math.floor(gap_cells + 1e-9) + 1
    apart = (np.diff(runs.row) != 0) | (runs.col[1:] - runs.last[:-1] > reach)
    return np.concatenate([[0], np.cumsum(apart)]).astype(np.int64)


def _facing(runs: Runs, gap_cells: float) -> Iterator[tuple[Longs, Longs, Longs]]:
    """For each distance in rows from 1 on: runs, and the first and last + 1 of the runs near to them further south."""
    reach = math.floor(gap_cells + 1e-9) + 1
    stride = int(runs.last.max()) + 3 * reach + 3
    row = runs.row.astype(np.int64) * stride + reach + 1
    first, last = row + runs.col, row + runs.last
    for down in range(1, reach + 1):
        aside = math.floor(math.sqrt(max(gap_cells**2 - (down - 1) ** 2, 0.0)) + 1e-9) + 1
        low = np.searchsorted(last, first + down * stride - aside)
        high = np.searchsorted(first, last + down * stride + aside, side="right")
        met = np.flatnonzero(high > low)
        if len(met):
            yield met, low[met], high[met]


def _merged(group: Longs, a: Longs, b: Longs) -> Longs:
    """Groups after joining those of each pair."""
    differ = a != b
    if not differ.any():
        return group
    count = int(group.max()) + 1
    graph = sparse.coo_matrix((np.ones(int(differ.sum()), np.int8), (a[differ], b[differ])), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int64)[group]
