"""Patches: width, contiguity, gaps, fringe and cuts on drawings one can check by eye; brute force as second engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from siting.sites.patches import join_fringe, unique_rows, wide_cells
from siting.sites.runs import Runs, label_runs, runs_at


def drawing(*lines: str) -> np.ndarray:
    return np.array([[mark != "." for mark in line] for line in lines])


def runs_of(cover: np.ndarray, inside: np.ndarray | None = None) -> Runs:
    cover = (cover * 16 if cover.dtype == bool else cover).astype(np.uint8)
    host = cover.astype(float)
    at = np.flatnonzero(cover if inside is None else inside)
    host = host.ravel()[at]
    return runs_at(0, cover.shape[1], at, cover.ravel()[at], host, host, np.full(len(cover), 1 / 16))


def labelled(runs: Runs, gap: float = 0) -> Runs:
    return runs.with_site(label_runs(runs, gap))


def labels_of(core: np.ndarray, gap: float) -> list[int]:
    """Patch of each cell, in row-major order."""
    return labelled(runs_of(core), gap).cells().site.tolist()


SPUR = drawing(
    ".........",
    ".####....",
    ".########",  # a spur one cell wide leaves the block to the east
    ".####....",
    ".####....",
)


def test_spur_is_too_narrow_and_the_block_keeps_its_corners() -> None:
    assert wide_cells(SPUR, 2).sum() == 16
    assert wide_cells(SPUR, 4).sum() == 17  # from 4 cells on, giving corners back leaves a stub of one cell
    assert wide_cells(SPUR, 5).sum() == 0
    assert wide_cells(SPUR, 1).sum() == SPUR.sum()


@pytest.mark.parametrize("across", range(1, 12))
def test_straight_strip_stays_exactly_from_the_least_width_on(across) -> None:
    for width in range(1, 14):
        strip = np.zeros((width + 6, 60), bool)
        strip[3 : 3 + width] = True
        kept = wide_cells(strip, across)
        assert kept.sum() == (strip.sum() if width >= across else 0)
        assert np.array_equal(wide_cells(strip.T, across), kept.T)


@pytest.mark.parametrize("across", [3, 6, 9])
def test_oblique_strip_stays_within_a_cell_of_the_least_width(across) -> None:
    y, x = np.mgrid[0:120, 0:120]
    away = np.abs(0.8 * x - 0.6 * y - 12.3)  # distance from an oblique line
    assert not wide_cells(away <= (across - 1.5) / 2, across).any()
    wide = away <= (across + 1.5) / 2
    inner = (slice(20, 100), slice(20, 100))
    assert wide_cells(wide, across)[inner].sum() > 0.97 * wide[inner].sum()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), across=st.integers(1, 3))
def test_opening_by_a_square_agrees_with_scipy(seed, across) -> None:
    core = np.random.default_rng(seed).random((25, 31)) < 0.75
    expected = ndimage.binary_opening(core, np.ones((across, across), bool))
    assert np.array_equal(wide_cells(core, across), expected)


def test_diagonal_cells_touch() -> None:
    assert labels_of(drawing("#.", ".#"), 0) == [0, 0]


@pytest.mark.parametrize(
    ("line", "gap", "labels"),
    [
        ("#..#", 1.9, [0, 1]),
        ("#..#", 2, [0, 0]),  # two cells of dike
        ("#..#...#", 2, [0, 0, 1]),
        ("#..#...#", 3, [0, 0, 0]),
        ("#..#..#..#", 2, [0, 0, 0, 0]),  # chains grow
    ],
)
def test_gap_is_measured_between_edges(line, gap, labels) -> None:
    assert labels_of(drawing(line), gap) == labels
    assert labels_of(drawing(line).T, gap) == labels


def test_gap_across_a_corner_is_the_diagonal() -> None:
    corner = drawing("#...", "....", "....", "...#")  # two cells each way: hypot(2, 2) = 2.83
    assert labels_of(corner, 2.8) == [0, 1]
    assert labels_of(corner, 2.83) == [0, 0]


def brute_labels(core: np.ndarray, gap: float) -> list[int]:
    cells = np.argwhere(core)
    group = list(range(len(cells)))
    for a in range(len(cells)):
        for b in range(a):
            d = np.maximum(np.abs(cells[a] - cells[b]) - 1, 0)
            if np.hypot(*d) <= gap + 1e-9:
                old, new = group[a], group[b]
                group = [new if g == old else g for g in group]
    first = list(dict.fromkeys(group))
    return [first.index(g) for g in group]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.sampled_from([0, 1, 1.5, 2, 2.9, 3]), density=st.floats(0.02, 0.4))
def test_patches_agree_with_brute_force(seed, gap, density) -> None:
    core = np.random.default_rng(seed).random((13, 11)) < density
    assert labels_of(core, gap) == brute_labels(core, gap)


def test_fringe_joins_the_patch_it_touches() -> None:
    cover = np.array([[16, 16, 5, 0, 3], [0, 2, 0, 0, 0]], np.uint8)
    joined, lost = join_fringe(labelled(runs_of(cover, cover >= 8)), runs_of(cover, (cover > 0) & (cover < 8)))
    assert list(zip(joined.row, joined.col, joined.site, strict=True)) == [(0, 2, 0), (1, 1, 0)]
    assert list(zip(lost.row, lost.col, strict=True)) == [(0, 4)]  # touches nothing


def test_cover_of_oblique_ponds_is_not_biased() -> None:
    """Half-covered cells alone lose the fringe: a 100 m square pond, turned, on 30 m cells."""
    rng = np.random.default_rng(3)
    kept, core_only, true = 0.0, 0.0, 0.0
    for angle in rng.uniform(0, np.pi / 2, 40):
        y, x = (np.mgrid[0:40, 0:40] + 0.5) * 7.5 - 150 + rng.uniform(0, 30)
        c, s = np.cos(angle), np.sin(angle)
        inside = (np.abs(x * c + y * s) < 50) & (np.abs(y * c - x * s) < 50)
        cover = inside.reshape(10, 4, 10, 4).sum(axis=(1, 3)).astype(np.uint8)
        patches = labelled(runs_of(cover, cover >= 8))
        joined, _ = join_fringe(patches, runs_of(cover, (cover > 0) & (cover < 8)))
        core_only += patches.land_m2.sum() * 16
        kept += (patches.land_m2.sum() + joined.land_m2.sum()) * 16
        true += cover.sum()
    assert kept / true > 0.995
    assert core_only / true < 0.93


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), max_size=40))
def test_unique_rows_agrees_with_numpy(pairs) -> None:
    table = np.array(pairs, np.int64).reshape(-1, 2)
    rows, number = unique_rows(table[:, 0], table[:, 1])
    expected, inverse = np.unique(table, axis=0, return_inverse=True)
    assert np.array_equal(np.stack(rows, axis=1), expected)
    assert np.array_equal(number, inverse.ravel())
