"""The compiled rasteriser has the bits of the plain one, for any block, tile and number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from submask_reference import rasterize_submask as plain_submask

from layers.frame import Frame, Tile
from layers.mask_store import BLOCK_ROWS
from layers.submask import ShapeEdges, rasterize_store, rasterize_submask, setback_geometries

FRAME = Frame("EPSG:4548", 8.0, 496_000.0, 3_701_600.0, 200, 130)
"""Three blocks and a part of rows, of 1.6 km x 1.04 km."""


def shapes(seed: int, count: int) -> list[shapely.Geometry]:
    """Disks, rings, long lines with setbacks, and triangles as thin as slivers, in and around the frame."""
    draw = np.random.default_rng(seed)
    at = np.column_stack([draw.uniform(495_800, 497_200, count), draw.uniform(3_699_900, 3_701_700, count)])
    disks = shapely.buffer(shapely.points(at), draw.uniform(1, 150, count), quad_segs=5)
    rings = [disk.difference(affinity.scale(disk, 0.6, 0.6)) for disk in disks[::3]]
    lines = shapely.linestrings(np.stack([at, at + draw.normal(0, 900, (count, 2))], axis=1))
    triangles = shapely.polygons(
        np.stack([at, at + draw.normal(0, 300, (count, 2)), at + draw.normal(0, 5, (count, 2))], 1)
    )
    return [*disks[1::3], *rings, *setback_geometries(lines[::2], 6.0), *triangles[::2]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_same_bits_as_the_plain_rasteriser(seed: int, count: int) -> None:
    things = shapes(seed, count)
    assert np.array_equal(rasterize_submask(things, FRAME), plain_submask(things, FRAME))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 199), st.integers(1, 200))
def test_any_rows_of_the_edges_are_those_of_the_whole(seed: int, row0: int, rows: int) -> None:
    things, row1 = shapes(seed, 20), min(row0 + rows, 200)
    edges = ShapeEdges.of(things, FRAME)
    whole = edges.mask(0, FRAME.height)
    assert np.array_equal(edges.mask(row0, row1), whole[row0:row1])
    tile = Tile(row0, row1, 11, 97)
    assert np.array_equal(rasterize_submask(things, FRAME.part(tile)), whole[tile.slices])


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_store_has_the_bits_of_the_array(workers: int) -> None:
    things = shapes(4, 30)
    whole = rasterize_submask(things, FRAME)
    assert rasterize_store([things], FRAME, workers=workers) == whole
    assert rasterize_store([things[:7], [], things[7:]], FRAME, workers=workers) == whole
    other = rasterize_store([things], FRAME, workers=workers, finish=np.invert)
    assert other == ~whole
    assert rasterize_store([], FRAME) == np.zeros(FRAME.shape, np.uint16)


def test_threads_do_not_change_a_setback() -> None:
    points = list(shapely.points(np.random.default_rng(0).uniform(0, 1e4, (1000, 2))))
    one, many = (setback_geometries(points, 77.0, workers=w) for w in (1, 3))
    assert shapely.equals_exact(one, many, tolerance=0).all()


@pytest.mark.parametrize("setback_m", [0.0, 2e-311, 1e-12, 1e-9, 1e-7, 1e-3])
def test_a_vanishing_setback_keeps_the_feature(setback_m: float) -> None:
    """GEOS returns an empty polygon for distances that coordinates of millions of metres cannot hold."""
    house = shapely.box(496_100, 3_700_700, 496_500, 3_701_100)
    mask = rasterize_submask(setback_geometries([house], setback_m), FRAME)
    assert int(np.bitwise_count(mask).sum()) == 400 * 400 / 4


def test_cells_by_their_centres_against_shapely() -> None:
    """Burning a value follows the rule of cell centres; a later shape goes over an earlier one."""
    first, second = shapely.Point(496_500, 3_700_900).buffer(401.3), shapely.Point(496_800, 3_700_700).buffer(303.7)
    cells = np.zeros(FRAME.shape, np.int16)
    for value, shape in ((1, first), (2, second)):
        for row0 in range(0, FRAME.height, BLOCK_ROWS):
            ShapeEdges.of([shape], FRAME, lines_per_row=1).burn(cells[row0 : row0 + BLOCK_ROWS], row0, value)
    x = FRAME.left + (np.arange(FRAME.width) + 0.5) * 8.0
    y = FRAME.top - (np.arange(FRAME.height) + 0.5) * 8.0
    xx, yy = np.meshgrid(x, y)
    expected = np.where(shapely.contains_xy(second, xx, yy), 2, np.where(shapely.contains_xy(first, xx, yy), 1, 0))
    assert np.array_equal(cells, expected)


def test_many_crossings_in_one_line() -> None:
    """A comb of 100 teeth: more than the insertion sort takes."""
    teeth = [shapely.box(496_000 + 10 * k, 3_700_100, 496_004 + 10 * k, 3_701_000) for k in range(100)]
    comb = shapely.union_all([*teeth, shapely.box(496_000, 3_700_090, 497_000, 3_700_110)])
    assert np.array_equal(rasterize_submask([comb], FRAME), plain_submask([comb], FRAME))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 199), st.integers(1, 64))
def test_runs_are_those_of_the_dense_mask(seed: int, count: int, row0: int, rows: int) -> None:
    """Drawn as runs, the mask is the plain one, and no two neighbouring runs of a row have one value."""
    things, row1 = shapes(seed, count), min(row0 + rows, 200)
    runs = ShapeEdges.of(things, FRAME).runs(row0, row1)
    expected = plain_submask(things, FRAME)[row0:row1]
    if runs is None:
        assert not expected.any()
        return
    assert np.array_equal(np.diff(runs.start), (expected[:, 1:] != expected[:, :-1]).sum(axis=1) + 1)
    row = np.repeat(np.arange(row1 - row0), np.diff(runs.start))
    assert np.array_equal(expected[row, runs.col], runs.value)


def test_the_direction_of_rings_does_not_matter() -> None:
    """Shells and holes wound either way, as files have them."""
    ring = shapely.Point(496_500, 3_700_900).buffer(300).difference(shapely.Point(496_450, 3_700_950).buffer(120))
    shell, hole = list(ring.exterior.coords), list(ring.interiors[0].coords)
    masks = [
        rasterize_submask([shapely.Polygon(s, [h])], FRAME) for s in (shell, shell[::-1]) for h in (hole, hole[::-1])
    ]
    for mask in masks:
        assert np.array_equal(mask, plain_submask([ring], FRAME))


def test_groups_share_one_lattice() -> None:
    """The edges of several groups together are those of all shapes, in any order."""
    things = shapes(9, 25)
    groups = ShapeEdges.of_groups([things[:9], [], things[9:]], FRAME)
    assert np.array_equal(groups.mask(0, 200), rasterize_submask(things[::-1], FRAME))
    assert not ShapeEdges.of_groups([], FRAME).mask(0, 200).any()
