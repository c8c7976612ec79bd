"""Sub-cell masks: areas against closed forms, exact algebra, the same bits however the work is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from layers.frame import Frame, Tile
from layers.submask import (
    FULL,
    QUAD_SEGS,
    SUBDIVISION,
    area_m2,
    cover_share,
    pack,
    rasterize_submask,
    setback_geometries,
    unpack,
)

ZONE = "EPSG:4548"
# cells of 8 m, sub-cells of 2 m, lower left corner at the origin of a toy CRS
FRAME = Frame(ZONE, 8.0, 0.0, 800.0, 100, 100)
CELL_M2 = 64.0


def test_bits_of_one_cell() -> None:
    """A cell of 4 m at the origin, sub-cells of 1 m; bit 0 is the north-west, bit 15 the south-east.

    ::

        y=4  +--+--+--+--+
             |##|  |  |  |   bit 0
             |  |  |  |  |
             |  |  |  |  |
             |  |  |##|##|   bits 14 and 15
        y=0  +--+--+--+--+
    """
    frame = Frame(ZONE, 4.0, 0.0, 4.0, 1, 1)
    mask = rasterize_submask([shapely.box(0, 3, 1, 4), shapely.box(2, 0, 4, 1)], frame)
    assert mask[0, 0] == (1 << 0) | (1 << 14) | (1 << 15)
    assert cover_share(mask)[0, 0] == np.float32(3 / 16)
    assert unpack(mask).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]


def test_asymmetric_shape_lies_where_it_should() -> None:
    """The letter L in a frame of 3 x 2 cells: rows run south, columns east."""
    frame = Frame(ZONE, 4.0, 0.0, 12.0, 3, 2)
    letter = shapely.union_all([shapely.box(0, 0, 4, 12), shapely.box(4, 0, 8, 4)])
    mask = rasterize_submask([letter], frame)
    assert mask.tolist() == [[FULL, 0], [FULL, 0], [FULL, FULL]]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (5, 7)])
def test_pack_and_unpack_are_opposites(shape: tuple[int, int]) -> None:
    rows, cols = shape
    fine = np.random.default_rng(1).integers(0, 2, (rows * 4, (cols + cols % 2) * 4), dtype=np.uint8)
    assert np.array_equal(unpack(pack(fine)), fine)


@given(st.floats(5.0, 350.0), st.floats(395.0, 405.0), st.floats(395.0, 405.0))
@settings(max_examples=60, deadline=None)
def test_disk_has_the_area_of_a_circle(radius: float, x: float, y: float) -> None:
    """pi r^2 within what a lattice can miss: an edge of 2 pi r crosses that many sub-cells of 2 m."""
    disk = setback_geometries([shapely.Point(x, y)], radius)
    error = area_m2(rasterize_submask(disk, FRAME), CELL_M2) - math.pi * radius**2
    polygon_deficit = math.pi * radius**2 * 4.1e-4  # n = 128: 1 - sin(2 pi / n) n / (2 pi)
    lattice = 6.0 * 4.0 * math.sqrt(2 * math.pi * radius / 2.0)
    assert abs(error + polygon_deficit / 2) < polygon_deficit + lattice


def test_no_diamond_buffers() -> None:
    """Trap: a 1 000 m setback on 100 m cells as a diamond takes 265 cells and 707 m on the diagonal.

    Around one cell of 100 m the exact area is 100^2 + 4 * 100 * 1000 + pi 1000^2 = 3.5516 km2.
    """
    frame = Frame(ZONE, 100.0, 0.0, 3000.0, 30, 30)
    house = shapely.box(1500, 1500, 1600, 1600)
    mask = rasterize_submask(setback_geometries([house], 1000.0), frame)
    assert area_m2(mask, 1e4) / 1e6 == pytest.approx(0.01 + 0.4 + math.pi, rel=2e-3)
    fine = unpack(mask)
    rows, cols = np.nonzero(fine)
    x, y = 25.0 * (cols + 0.5), 3000.0 - 25.0 * (rows + 0.5)
    distance = shapely.distance(shapely.points(x, y), house)
    assert distance.max() <= 1000.0
    rows, cols = np.nonzero(fine == 0)
    x, y = 25.0 * (cols + 0.5), 3000.0 - 25.0 * (rows + 0.5)
    assert shapely.distance(shapely.points(x, y), house).min() >= 1000.0 * math.cos(math.pi / (4 * QUAD_SEGS))


@pytest.mark.parametrize("angle_deg", [0, 10, 30, 45, 77, 90])
def test_setback_of_a_road_is_a_strip_in_every_direction(angle_deg: float) -> None:
    """Trap: 20 m road setbacks on coarse cells. Strip of 400 m by 40 m plus round ends: 16 000 + pi 20^2."""
    road = affinity.rotate(shapely.LineString([(200, 400), (600, 400)]), angle_deg, origin=(401.3, 398.6))
    frame = Frame(ZONE, 32.0, 0.0, 800.0, 25, 25)
    mask = rasterize_submask(setback_geometries([road], 20.0), frame)
    assert area_m2(mask, 1024.0) == pytest.approx(16_000 + math.pi * 400, rel=0.025)


def test_right_angled_corner() -> None:
    """Around a convex corner the setback is a quarter circle: 100 x 100 m plus 50 m is 10^4 + 4*5000 + pi 50^2."""
    mask = rasterize_submask(setback_geometries([shapely.box(300, 300, 400, 400)], 50.0), FRAME)
    assert area_m2(mask, CELL_M2) == pytest.approx(1e4 + 2e4 + math.pi * 2500, rel=2e-3)


def test_hole_and_island() -> None:
    ring = shapely.Point(400, 400).buffer(300).difference(shapely.Point(400, 400).buffer(200))
    island = shapely.Point(400, 400).buffer(100)
    mask = rasterize_submask([ring, island], FRAME)
    assert area_m2(mask, CELL_M2) == pytest.approx(math.pi * (9e4 - 4e4 + 1e4), rel=3e-3)


def random_shapes(seed: int, count: int) -> list[shapely.Geometry]:
    draw = np.random.default_rng(seed)
    centres = shapely.points(draw.uniform(-50, 850, (count, 2)))
    return list(shapely.buffer(centres, draw.uniform(3, 120, count), quad_segs=3))


@given(st.integers(0, 10_000), st.integers(1, 120))
@settings(max_examples=30, deadline=None)
def test_same_bits_for_any_band(seed: int, band_rows: int) -> None:
    """Trap: tile dependence."""
    shapes = random_shapes(seed, 12)
    assert np.array_equal(rasterize_submask(shapes, FRAME, band_rows=band_rows), rasterize_submask(shapes, FRAME))


@given(st.integers(0, 10_000), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=30, deadline=None)
def test_same_bits_for_any_tile(seed: int, rows: int, cols: int) -> None:
    """A frame cut in four, each read alone, gives the bits of the whole: nothing beyond an edge is missed."""
    shapes = random_shapes(seed, 12)
    whole = rasterize_submask(shapes, FRAME)
    for tile in (
        Tile(0, rows, 0, cols),
        Tile(rows, 100, 0, cols),
        Tile(0, rows, cols, 100),
        Tile(rows, 100, cols, 100),
    ):
        assert np.array_equal(rasterize_submask(shapes, FRAME.part(tile)), whole[tile.slices])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_order_and_grouping_of_shapes_do_not_matter(seed: int) -> None:
    shapes = random_shapes(seed, 9)
    whole = rasterize_submask(shapes, FRAME)
    one_by_one = np.bitwise_or.reduce([rasterize_submask([shape], FRAME) for shape in shapes])
    assert np.array_equal(whole, one_by_one)
    assert np.array_equal(whole, rasterize_submask([shapely.MultiPoint([(1, 1)]), *reversed(shapes)], FRAME))
    assert np.array_equal(whole, rasterize_submask([shapely.GeometryCollection([shapely.union_all(shapes)])], FRAME))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_centre_rule_against_shapely(seed: int) -> None:
    """Second engine: a sub-cell is covered when shapely finds its centre inside."""
    frame = Frame(ZONE, 20.0, 0.0, 800.0, 40, 40)
    shapes = random_shapes(seed, 5)
    at = (np.arange(160) + 0.5) * 5.0
    inside = shapely.contains_xy(shapely.union_all(shapes), *np.meshgrid(at, 800.0 - at))
    assert np.array_equal(unpack(rasterize_submask(shapes, frame)), inside)


@given(st.floats(0.0, 180.0), st.floats(-60.0, 60.0))
@settings(max_examples=40, deadline=None)
def test_two_halves_make_the_whole_and_share_nothing(angle_deg: float, offset: float) -> None:
    region = shapely.Point(400, 400).buffer(330)
    cut = affinity.rotate(
        shapely.LineString([(-500, 400 + offset), (1300, 400 + offset)]), angle_deg, origin=(400, 400)
    )
    from shapely.ops import split

    halves = [rasterize_submask([half], FRAME) for half in split(region, cut).geoms]
    assert len(halves) == 2
    assert not (halves[0] & halves[1]).any()
    assert np.array_equal(halves[0] | halves[1], rasterize_submask([region], FRAME))


def test_edges_on_sub_cell_centres_go_to_one_side() -> None:
    """Squares whose edges run through centres (at 1, 3, 5, ... m): no sub-cell twice, none lost."""
    west, east = shapely.box(1, 1, 401, 799), shapely.box(401, 1, 799, 799)
    a, b = (rasterize_submask([shape], FRAME) for shape in (west, east))
    assert not (a & b).any()
    assert area_m2(a, CELL_M2) == 400 * 798
    assert area_m2(b, CELL_M2) == 398 * 798
    south, north = shapely.box(1, 1, 799, 401), shapely.box(1, 401, 799, 799)
    a, b = (rasterize_submask([shape], FRAME) for shape in (south, north))
    assert not (a & b).any()
    assert area_m2(a | b, CELL_M2) == 798 * 798


def test_disjoint_partial_covers_add_up_nested_ones_do_not() -> None:
    """Trap: combining fractions. Two halves of one cell leave 0; the minimum would say 50 %, the product 25 %."""
    frame = Frame(ZONE, 4.0, 0.0, 4.0, 1, 1)
    west, east, strip = (
        rasterize_submask([shape], frame)
        for shape in (shapely.box(0, 0, 2, 4), shapely.box(2, 0, 4, 4), shapely.box(0, 0, 1, 4))
    )
    assert [hex(int(mask[0, 0])) for mask in (west, east, strip)] == ["0x3333", "0xcccc", "0x1111"]
    assert cover_share(west | east)[0, 0] == 1.0
    assert cover_share(west | strip)[0, 0] == 0.5
    assert cover_share(west & ~strip)[0, 0] == 0.25


def test_object_just_outside_the_frame_still_sets_back_inside() -> None:
    """Trap: a village one cell beyond the edge, setback 100 m: a strip of 92 m x (100 + caps) inside."""
    village = shapely.box(-58, 300, -8, 500)
    mask = rasterize_submask(setback_geometries([village], 100.0), FRAME)
    cap = 0.25 * math.pi * 100**2 - 0.5 * (8 * math.sqrt(100**2 - 64) + 100**2 * math.asin(0.08))
    assert area_m2(mask, CELL_M2) == pytest.approx(92 * 200 + 2 * cap, rel=5e-3)
    wide = Frame(ZONE, 8.0, -400.0, 800.0, 100, 150)
    assert np.array_equal(rasterize_submask(setback_geometries([village], 100.0), wide)[:, 50:], mask)


def test_negative_setback_is_refused() -> None:
    for setback in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="0 m or more"):
            setback_geometries([shapely.Point(0, 0)], setback)


def test_what_has_no_area_covers_nothing() -> None:
    things = [None, shapely.Polygon(), shapely.LineString([(0, 0), (800, 800)]), shapely.Point(400, 400)]
    assert not rasterize_submask(things, FRAME).any()
    assert not rasterize_submask([], FRAME).any()
    assert setback_geometries([], 5.0).size == 0
    kept = setback_geometries(things, 0.0)
    assert kept[2] is things[2]


def test_area_weighs_rows_by_their_own_cell_area() -> None:
    mask = np.array([[FULL, 0], [0x000F, 0x0001]], np.uint16)
    assert area_m2(mask, 160.0) == 160 + 50
    assert area_m2(mask, np.array([160.0, 320.0])) == 160 + 100


def test_bits_do_not_depend_on_where_in_the_zone() -> None:
    """At 500 km east and 3 700 km north the same shapes give the same picture."""
    far = Frame(ZONE, 8.0, 496_000.0, 3_700_800.0, 100, 100)
    shapes = [affinity.translate(shape, 0.3, 0.7) for shape in random_shapes(3, 8)]
    moved = [affinity.translate(shape, 496_000.0, 3_700_000.0) for shape in shapes]
    assert np.array_equal(rasterize_submask(shapes, FRAME), rasterize_submask(moved, far))
    assert SUBDIVISION == 4
