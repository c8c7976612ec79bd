"""Sites above the largest size are cut into contiguous, compact parts of about equal size.

::

    +--------------+        +------+-------+       whole blocks of cells are handed out, never single cells;
    |    210 MW    |  -->   |104 MW| 106 MW|       the cut runs across the long axis where that leaves both
    +--------------+        +------+-------+       sides in one piece, else across a turned one

A cut may leave stray pieces of one side behind the other (a U cut across both arms): they change sides, so that every
part is contiguous in the sense in which the site is. Nothing here depends on the frame, only on the CRS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from siting.sites.patches import unique_rows
from siting.sites.runs import Floats, Runs, near_pairs

Longs = npt.NDArray[np.int64]

_FULLNESS = 0.98
_TOLERANCE = 1 + 1e-12
_BLOCKS_PER_PART = 200
_TURNS = (0.0, 0.25 * math.pi, -0.25 * math.pi, 0.5 * math.pi)
_BALANCED = 0.08
_SMALL = 0.35


@dataclass(frozen=True)
class Lattice:
    """Row and column of the frame's first cell, counted from the origin of the CRS (rows run south)."""

    row: int
    col: int


@dataclass(frozen=True)
class _Blocks:
    """Blocks of the sites that are cut: position in cells, weight, site; ``graph`` joins those that are near each
    other, None where sites need not be contiguous."""

    x: Floats
    y: Floats
    weight: Floats
    site: Longs
    graph: sparse.csr_matrix | None


def cut_large(
    runs: Runs,
    weigh: Callable[[Runs], Floats],
    largest: float,
    lattice: Lattice,
    *,
    gap_cells: float | None,
    part_cells: float,
) -> Runs:
    """Cut the sites whose weight is above ``largest``.

    Parameters
    ----------
    runs : Runs
        Sorted, with their sites.
    weigh : callable
        Weight of each run of a set of runs (MW, turbines); pieces of a run weigh together what the run weighs.
    largest : float
        Greatest weight of a part.
    lattice : Lattice
        Where the frame lies.
    gap_cells : float or None
        Gap over which a site holds together, see :func:`siting.sites.runs.label_runs`; None: it need not hold together.
    part_cells : float
        Cells of a part of the greatest size; blocks have the 200th part of that, and at least one cell.

    Returns
    -------
    Runs
        Cut at block borders where their site was cut; parts are numbered in the order of the sites, and within one
        by their first blocks. A part of one block is never cut.
    """
    if not len(runs):
        return runs
    large = (runs.total(weigh(runs)) > largest * _TOLERANCE)[runs.site]
    if not large.any():
        return runs
    side = max(1, math.floor(math.sqrt(part_cells / _BLOCKS_PER_PART)))
    pieces = runs.take(large).split(side, -(lattice.col % side))
    blocks, block = _blocks(pieces, weigh(pieces), side, lattice, gap_cells)
    site = pieces.site
    _, part = unique_rows(site, _hand_out(blocks, largest)[block])
    whole = runs.take(~large)
    # whole sites and parts are put in the order of the sites they come from
    (_, _), number = unique_rows(np.concatenate([whole.site, site]), np.concatenate([0 * whole.site, part + 1]))
    cut = pieces.with_site(number[len(whole) :])
    return Runs.together([whole.with_site(number[: len(whole)]), cut], runs.sub_m2)


def _blocks(
    pieces: Runs, weight: Floats, side: int, lattice: Lattice, gap_cells: float | None
) -> tuple[_Blocks, Longs]:
    """Blocks, and the block of each piece. A block is in one piece: two corners of a site in one square are two."""
    north = (pieces.row.astype(np.int64) + lattice.row) // side
    east = (pieces.col.astype(np.int64) + lattice.col) // side
    _, square = unique_rows(pieces.site, north, east)
    pairs = [] if gap_cells is None else list(near_pairs(pieces, gap_cells))
    block = square
    if pairs:
        count = len(pieces)
        same = [(a[m], b[m]) for a, b in pairs for m in [square[a] == square[b]]]
        block = _components(count, np.concatenate([a for a, _ in same]), np.concatenate([b for _, b in same]))
    first = np.unique(block, return_index=True)[1]
    number = np.argsort(np.argsort(first))  # in the order of their first cells
    block = number[block]
    count = len(first)
    cells = np.bincount(block, pieces.length, minlength=count)
    middle = pieces.col + 0.5 * (pieces.length - 1)
    x = np.bincount(block, pieces.length * middle, minlength=count) / cells
    y = np.bincount(block, pieces.length * pieces.row.astype(float), minlength=count) / cells
    site = np.zeros(count, np.int64)
    site[block] = pieces.site
    graph = None
    if gap_cells is not None:
        edges = [_unique_pairs(block[a], block[b], site) for a, b in pairs]
        a, b = (np.concatenate([edge[k] for edge in edges]) for k in (0, 1))
        graph = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(count, count)).tocsr()
        graph = (graph + graph.T).tocsr()
    return _Blocks(x, y, np.bincount(block, weight, minlength=count).astype(float), site, graph), block


def _unique_pairs(a: Longs, b: Longs, site: Longs) -> tuple[Longs, Longs]:
    """Distinct pairs of different blocks of one site."""
    meets = (a != b) & (site[a] == site[b])
    if not meets.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    (low, high), _ = unique_rows(np.minimum(a, b)[meets], np.maximum(a, b)[meets])
    return low, high


def _components(count: int, a: Longs, b: Longs) -> Longs:
    graph = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], np.int64)


def _hand_out(blocks: _Blocks, largest: float) -> Longs:
    """Part of each block, numbered from 0 within its site in the order of their first blocks."""
    part = np.zeros(len(blocks.site), np.int64)
    order = np.argsort(blocks.site, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(blocks.site[order])) + 1):
        parts = _parts(members, blocks, largest)
        parts = parts if blocks.graph is None else _without_small(parts, blocks, largest)
        for number, chosen in enumerate(sorted(parts, key=lambda blocks_of: int(blocks_of.min()))):
            part[chosen] = number
    return part


def _parts(members: Longs, blocks: _Blocks, largest: float) -> list[Longs]:
    done: list[Longs] = []
    waiting = [members]
    while waiting:
        now = waiting.pop()
        total = float(blocks.weight[now].sum())
        if total <= largest * _TOLERANCE or len(now) < 2:
            done.append(now)
        else:
            waiting.extend(_halves(now, blocks, total, largest))
    return done


def _halves(members: Longs, blocks: _Blocks, total: float, largest: float) -> tuple[Longs, Longs]:
    """The two sides of the best cut: near the wanted balance, across the long axis if that serves."""
    pieces = max(2, math.ceil(total / (_FULLNESS * largest)))  # whole blocks never divide evenly
    wanted = (pieces // 2) / pieces
    near = None if blocks.graph is None else blocks.graph[members][:, members]
    angle = _long_axis(blocks.x[members], blocks.y[members], blocks.weight[members])
    best: tuple[float, npt.NDArray[np.bool_]] | None = None
    for turn in _TURNS:
        side = _cut(members, blocks, angle + turn, total * wanted)
        side = side if near is None else _contiguous(side, near, blocks.weight[members])
        off = abs(float(blocks.weight[members][side].sum()) / total - wanted)
        if best is None or off < best[0] - 1e-12:
            best = (off, side)
        if best[0] <= _BALANCED:
            break
    assert best is not None
    return members[best[1]], members[~best[1]]


def _long_axis(x: Floats, y: Floats, weight: Floats) -> float:
    """Direction of the long axis [rad]."""
    share = np.where(weight.sum() > 0, weight, 1.0)
    x, y = x - np.average(x, weights=share), y - np.average(y, weights=share)
    return 0.5 * math.atan2(2 * float(share @ (x * y)), float(share @ (x * x)) - float(share @ (y * y)))


def _cut(members: Longs, blocks: _Blocks, angle: float, wanted: float) -> npt.NDArray[np.bool_]:
    """The side of a straight cut that holds about ``wanted`` of the weight; neither side is empty."""
    x, y = blocks.x[members], blocks.y[members]
    along = np.round((x - x.mean()) * math.cos(angle) + (y - y.mean()) * math.sin(angle), 6)
    order = np.lexsort((y, x, along))
    reached = np.cumsum(blocks.weight[members][order])
    cut = min(int(np.argmin(np.abs(reached - wanted))) + 1, len(order) - 1)
    side = np.zeros(len(members), bool)
    side[order[:cut]] = True
    return side


def _contiguous(side: npt.NDArray[np.bool_], near: sparse.csr_matrix, weight: Floats) -> npt.NDArray[np.bool_]:
    """Both sides in one piece each: strays of one side go to the other, then strays of that one come back."""
    side = _heaviest(side, near, weight)
    return ~_heaviest(~side, near, weight)


def _heaviest(side: npt.NDArray[np.bool_], near: sparse.csr_matrix, weight: Floats) -> npt.NDArray[np.bool_]:
    """The connected part of ``side`` with the greatest weight."""
    chosen = np.flatnonzero(side)
    count, group = csgraph.connected_components(near[chosen][:, chosen], directed=False)
    if count == 1:
        return side
    total = np.bincount(group, weight[chosen]) + 1e-12 * np.bincount(group)
    kept = np.zeros(len(side), bool)
    kept[chosen[group == int(np.argmax(total))]] = True
    return kept


def _without_small(parts: list[Longs], blocks: _Blocks, largest: float) -> list[Longs]:
    """Parts far below the greatest size join their lightest neighbour where both fit into one part."""
    assert blocks.graph is not None
    owner = {int(block): k for k, part in enumerate(parts) for block in part}
    weight = [float(blocks.weight[part].sum()) for part in parts]
    alive = [True] * len(parts)
    for k in sorted(range(len(parts)), key=lambda k: (weight[k], int(parts[k].min()))):
        if not alive[k] or weight[k] >= _SMALL * largest:
            continue
        around = sorted({owner[int(j)] for j in blocks.graph[parts[k]].indices} - {k})
        fitting = [n for n in around if weight[n] + weight[k] <= largest * _TOLERANCE]
        if not fitting:
            continue
        n = min(fitting, key=lambda n: (weight[n], int(parts[n].min())))
        owner.update({int(block): n for block in parts[k]})
        parts[n] = np.concatenate([parts[n], parts[k]])
        weight[n] += weight[k]
        alive[k] = False
    return [part for k, part in enumerate(parts) if alive[k]]
