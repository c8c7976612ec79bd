"""Runs and cuts: brute force as second engine, contiguity in the sense of the site, limits kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from siting.sites.cuts import Lattice, cut_large
from siting.sites.patches import CoverSource, Strip, covered_runs, find_patches
from siting.sites.runs import Runs, label_runs, near_pairs, runs_at

HERE = Lattice(0, 0)


def runs_of(cover: np.ndarray) -> Runs:
    cover = (cover * 16 if cover.dtype == bool else cover).astype(np.uint8)
    host = cover.astype(float)
    at = np.flatnonzero(cover)
    return runs_at(
        0, cover.shape[1], at, cover.ravel()[at], host.ravel()[at], host.ravel()[at], np.full(len(cover), 1 / 16)
    )


def sites_of(core: np.ndarray, gap: float = 0) -> Runs:
    runs = runs_of(core)
    return runs.with_site(label_runs(runs, gap))


def area(runs: Runs) -> np.ndarray:
    return runs.land_m2


def cut(runs: Runs, largest: float, gap: float | None = 0.0, lattice: Lattice = HERE) -> Runs:
    return cut_large(runs, area, largest, lattice, gap_cells=gap, part_cells=largest)


def in_one_piece(runs: Runs, gap: float) -> bool:
    return all(label_runs(runs.take(runs.site == k), gap).max() == 0 for k in range(runs.count))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), largest=st.floats(3, 200), gap=st.sampled_from([0.0, 1.0, 2.5]))
def test_parts_are_below_the_largest_contiguous_and_add_up(seed, largest, gap) -> None:
    rng = np.random.default_rng(seed)
    core = ndimage.binary_dilation(rng.random((20, 30)) < 0.05, iterations=2)
    before = sites_of(core, gap)
    after = cut(before, largest, gap)
    total = after.total(after.land_m2)
    assert total.max(initial=0) <= largest * (1 + 1e-9)
    assert total.sum() == pytest.approx(core.sum())
    assert in_one_piece(after, gap)
    owner = np.unique(np.stack([after.site, before.site[before.find(after.row, after.col)]], axis=1), axis=0)
    assert len(owner) == after.count  # no part holds land of two sites
    assert np.array_equal(np.unique(after.site), np.arange(after.count))


def test_rectangle_is_cut_across_its_long_axis() -> None:
    after = cut(sites_of(np.ones((4, 12), bool)), 25.0)
    assert after.count == 2
    assert [np.ptp(after.cells().col[after.cells().site == k]) for k in range(2)] == [5, 5]
    assert after.site[after.col < 6].max() == 0


def test_u_is_not_cut_across_both_arms() -> None:
    """A straight cut across the arms of a U leaves two tips; each part here is in one piece."""
    drawn = np.zeros((40, 30), bool)
    drawn[:, :6] = drawn[:, -6:] = drawn[-6:] = True
    whole = sites_of(drawn)
    after = cut(whole, 0.6 * drawn.sum())
    assert in_one_piece(after, 0)
    assert after.count == 2
    assert after.total(after.land_m2).min() > 0.3 * drawn.sum()


def test_parts_are_about_equal_and_compact() -> None:
    """A disk of 700 cells radius 15 in four: each about a quarter, none a sliver."""
    y, x = np.mgrid[0:61, 0:61] - 30
    disk = np.hypot(x, y) <= 30
    after = cut(sites_of(disk), 0.26 * disk.sum())
    share = after.total(after.land_m2) / disk.sum()
    assert after.count == 4
    assert share.min() > 0.2
    for k in range(4):
        cells = after.cells()
        mine = cells.take(cells.site == k)
        assert np.ptp(mine.row) * np.ptp(mine.col) < 2.6 * share[k] * disk.sum()  # of its own box it fills 40 % or more


def test_cuts_lie_on_the_lattice_of_the_crs() -> None:
    """Trap: the same land on a frame that begins elsewhere is cut at the same places."""
    land = np.ones((60, 200), bool)
    wide = np.zeros((80, 250), bool)
    wide[13:73, 29:229] = True
    a = cut(sites_of(land), 2500.0, lattice=Lattice(-100, 1000))
    b = cut(sites_of(wide), 2500.0, lattice=Lattice(-113, 971))
    cells_a, cells_b = a.cells(), b.cells()
    assert np.array_equal(cells_a.site, cells_b.site)
    assert np.array_equal(cells_a.row + 13, cells_b.row)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), side=st.integers(1, 9), origin=st.integers(-20, 20))
def test_split_runs_hold_the_same_cells(seed, side, origin) -> None:
    core = np.random.default_rng(seed).random((9, 40)) < 0.7
    pieces = runs_of(core).split(side, origin)
    drawn = np.zeros_like(core)
    for row, col, length in zip(pieces.row, pieces.col, pieces.length, strict=True):
        assert not drawn[row, col : col + length].any()
        drawn[row, col : col + length] = True
        assert (col - origin) // side == (col + length - 1 - origin) // side
    assert np.array_equal(drawn, core)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_find_looks_up_every_cell(seed) -> None:
    core = np.random.default_rng(seed).random((7, 11)) < 0.5
    runs = runs_of(core)
    row, col = (a.ravel() for a in np.mgrid[-1:8, -1:12])
    at = runs.find(row, col)
    inside = np.pad(core, 1)
    assert np.array_equal(at >= 0, inside.ravel())
    hit = at >= 0
    assert np.array_equal(runs.row[at[hit]], row[hit])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.sampled_from([0.0, 1.5, 3.0]))
def test_pairs_join_what_labels_join(seed, gap) -> None:
    core = np.random.default_rng(seed).random((14, 17)) < 0.15
    runs = sites_of(core, gap)
    for a, b in near_pairs(runs, gap) if len(runs) else ():
        assert np.array_equal(runs.site[a], runs.site[b])
        d_row = np.maximum(np.abs(runs.row[a] - runs.row[b]) - 1, 0)
        d_col = np.maximum(np.maximum(runs.col[a] - runs.last[b], runs.col[b] - runs.last[a]) - 1, 0)
        assert (np.hypot(d_row, d_col) <= gap + 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), across=st.integers(1, 7), gap=st.sampled_from([0, 2.5]))
def test_trap_block_dependent_contiguity(seed, rows, across, gap) -> None:
    """Any strip height: the same runs, patches and remainder, to the last bit."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.uniform_filter(rng.random((60, 40)), 5)
    cover = np.clip((smooth - 0.45) * 120, 0, 16).astype(np.uint8)
    source = CoverSource(cover.shape, lambda a, b: Strip.of_share(cover[a:b], 0.3), np.linspace(50, 60, 60))
    whole, parts = (find_patches(source, across, gap, n) for n in (1000, rows))
    for name in ("row", "col", "length", "cover", "host", "site"):
        assert np.array_equal(getattr(whole.runs, name), getattr(parts.runs, name)), name
    assert whole.rest == parts.rest
    everything = covered_runs(source, rows)
    assert everything.land_m2.sum() == pytest.approx((cover * source.sub_m2[:, None]).sum())
    assert whole.runs.land_m2.sum() + sum(whole.rest.values()) == pytest.approx(everything.land_m2.sum())
