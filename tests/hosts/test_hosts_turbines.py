"""Turbine positions: counts by formula, distances for every pair, the same place on another frame."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import InputError
from layers.frame import Frame
from layers.mask_store import MaskStore
from layers.submask import rasterize_submask, setback_geometries
from siting.sites.patches import CoverSource, Strip, find_patches
from siting.sites.runs import Runs
from siting.wind.turbine_layout import (
    Spacing,
    lattice_points,
    load_spacing_rules,
    place_turbines,
    prevailing_from,
    spacing_rule,
)

CRS = "EPSG:4548"
NORTH = Spacing(1000.0, 500.0, 0.0)
X, Y = 500_000.0, 3_700_000.0  # a multiple of both spacings


def patches_of(frame: Frame, mask) -> Runs:
    def read(a: int, b: int) -> Strip:
        return Strip.of_share(np.bitwise_count(mask[a:b]), 1.0)

    return find_patches(CoverSource(frame.shape, read, np.full(frame.height, frame.resolution_m**2 / 16)), 1, 0.0).runs


def layout(shapes, spacing=NORTH, *, bounds=None, **more):
    box = bounds or (shapely.union_all(shapes).buffer(60).bounds)
    frame = Frame.from_bounds(box, 30, CRS)
    mask = rasterize_submask(shapes, frame)
    return place_turbines(patches_of(frame, mask), mask, frame, spacing, **more)


def test_drawing_of_the_lattice() -> None:
    """Wind from the north: rows run east-west every 1000 m, 500 m in a row, every other row shifted by 250 m."""
    x, y = lattice_points((X - 1, Y - 1, X + 1001, Y + 1001), NORTH)
    points = sorted(zip(np.round(y - Y).astype(int), np.round(x - X).astype(int), strict=True))
    assert points == [(0, 0), (0, 500), (0, 1000), (1000, 250), (1000, 750)]


@pytest.mark.parametrize(("east_km", "north_km"), [(20, 20), (12.5, 30), (40, 11)])
def test_count_in_a_large_rectangle_by_formula(east_km, north_km) -> None:
    """Half-open rectangle anchored on the lattice: one turbine for each 1.0 km x 0.5 km, exactly."""
    shape = shapely.box(X + 7, Y + 11, X + 7 + east_km * 1000, Y + 11 + north_km * 1000)
    assert len(layout([shape])) == round(east_km * 2 * north_km)


def test_small_field_takes_the_best_shift() -> None:
    """800 m x 300 m fits two turbines of 500 m spacing in a row; the unshifted lattice would miss it."""
    shape = shapely.box(X + 10, Y + 300, X + 810, Y + 600)
    assert len(lattice_points(shape.bounds, NORTH)[0]) == 0
    assert len(layout([shape])) == 2


@pytest.mark.parametrize("direction", [0.0, 30.0, 45.0, 67.5, 90.0, 179.0])
def test_turned_lattice_has_its_axes(direction) -> None:
    spacing = Spacing(1092.0, 780.0, direction)
    x, y = lattice_points((X, Y, X + 30_000, Y + 30_000), spacing)
    assert len(x) == pytest.approx(9e8 / spacing.area_m2, rel=0.04)  # rows on the border count or not
    along, across = spacing.axes()
    assert along @ across == pytest.approx(0)
    # the wind blows to where `along` points: from the north, to the south
    assert along == pytest.approx([-math.sin(math.radians(direction)), -math.cos(math.radians(direction))])
    gaps = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(len(x), 1)]
    assert gaps.min() == pytest.approx(spacing.least_m, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), direction=st.floats(0, 180))
def test_least_spacing_holds_for_every_pair_even_across_patches(seed, direction) -> None:
    rng = np.random.default_rng(seed)
    shapes = [
        shapely.Point(X + rng.uniform(0, 6000), Y + rng.uniform(0, 6000)).buffer(rng.uniform(100, 900))
        for _ in range(12)
    ]
    spacing = Spacing(900.0, 500.0, direction)
    turbines = layout(shapes, spacing)
    along, across = spacing.axes()
    for a, b in itertools.combinations(range(len(turbines)), 2):
        step = np.array([turbines.x_m[a] - turbines.x_m[b], turbines.y_m[a] - turbines.y_m[b]])
        assert (step @ along / 900) ** 2 + (step @ across / 500) ** 2 >= 1 - 1e-6
        assert math.hypot(*step) >= spacing.least_m - 1e-3
    land = shapely.union_all(shapes)
    assert shapely.distance(land, shapely.points(turbines.x_m, turbines.y_m)).max(initial=0) < 7.5


def test_setback_and_blades_are_kept() -> None:
    house = shapely.Point(X + 3000, Y + 3000)
    far = setback_geometries([house], 700.0)[0]
    land = shapely.box(X, Y, X + 6000, Y + 6000).difference(far)
    towers = layout([land], Spacing(780.0, 468.0, 20.0))
    away = shapely.distance(shapely.points(towers.x_m, towers.y_m), house)
    assert away.min() > 700 - 7.5
    rotors = layout([land], Spacing(780.0, 468.0, 20.0), rotor_radius_m=78.0)
    assert 0 < len(rotors) < len(towers)
    away = shapely.distance(shapely.points(rotors.x_m, rotors.y_m), house)
    assert away.min() > 778 - 11  # a sub-cell's diagonal
    edge = shapely.distance(shapely.points(rotors.x_m, rotors.y_m), land.boundary)
    assert edge.min() > 78 - 11


def test_positions_do_not_depend_on_the_frame_or_the_store() -> None:
    shape = shapely.box(X, Y, X + 9000, Y + 7000)
    here = layout([shape])
    wider = layout([shape], bounds=(X - 3000, Y - 900, X + 12_000, Y + 9000))
    assert np.array_equal(here.x_m, wider.x_m)
    assert np.array_equal(here.y_m, wider.y_m)
    frame = Frame.from_bounds(shape.bounds, 30, CRS)
    mask = rasterize_submask([shape], frame)
    stored = place_turbines(patches_of(frame, mask), MaskStore.of(mask), frame, NORTH)
    assert np.array_equal(stored.x_m, here.x_m)


def test_region_split_keeps_large_fields_in_place() -> None:
    """A field of 400 turbines cut at the border of two regions: together they are the field, but for the border."""
    shape = shapely.box(X, Y, X + 20_000, Y + 10_000)
    whole = layout([shape])
    west, east = (
        layout([shapely.box(X, Y, X + 9990, Y + 10_000)]),
        layout([shapely.box(X + 9990, Y, X + 20_000, Y + 10_000)]),
    )
    together = sorted([*zip(west.x_m, west.y_m, strict=True), *zip(east.x_m, east.y_m, strict=True)])
    assert together == sorted(zip(whole.x_m, whole.y_m, strict=True))


@pytest.mark.parametrize(("share", "count"), [(1.0, 400), (0.25, 100), (0.1, 40), (0.001, 0)])
def test_share_of_the_ground_thins_the_turbines(share, count) -> None:
    """20 km x 10 km hold 400 turbines; where a tenth of it is host land, 40 of them, spread over the whole."""
    shape = shapely.box(X + 7, Y + 7, X + 20_007, Y + 10_007)
    frame = Frame.from_bounds(shape.bounds, 30, CRS)
    mask = rasterize_submask([shape], frame)
    patches = patches_of(frame, mask)
    thin = replace(patches, host=patches.host * share, power=patches.power * share)
    turbines = place_turbines(thin, mask, frame, NORTH)
    assert len(turbines) == count
    if count > 1:
        assert np.ptp(turbines.y_m) > 8000


def test_no_land_no_turbines() -> None:
    frame = Frame(CRS, 30.0, X, Y, 10, 10)
    mask = np.zeros((10, 10), np.uint16)
    assert len(place_turbines(patches_of(frame, mask), mask, frame, NORTH)) == 0


@pytest.mark.parametrize(
    ("speed", "direction", "axis"),
    [
        ([5, 5], [45, 225], 45.0),  # both ends of one axis
        ([5, 1], [90, 0], 90.0),  # energy, not hours
        ([5, np.nan], [100, 0], 100.0),
    ],
)
def test_prevailing_axis(speed, direction, axis) -> None:
    assert prevailing_from(speed, direction) == pytest.approx(axis, abs=0.5)


def test_no_wind_has_no_axis() -> None:
    assert math.isnan(prevailing_from([0.0], [10.0]))


def test_spacing_table() -> None:
    assert spacing_rule("wind_plain").host_type == "*"
    assert spacing_rule("wind_mudflat").host_type == "wind_mudflat"
    for rule in load_spacing_rules():
        assert rule.source
        assert rule.confidence in "ABC"


def test_faults_of_the_spacing_table_at_once(tmp_path) -> None:
    path = tmp_path / "turbine_spacing.csv"
    path.write_text(
        "host_type,along_diameters,across_diameters,prevailing_from_deg,min_turbines,blade_inside,source,confidence\n"
        "wind_plain,1,many,45,3,0,x,C\n"
    )
    with pytest.raises(InputError) as caught:
        load_spacing_rules(path)
    assert [f.rule for f in caught.value.findings] == ["spacing.range", "spacing.range", "spacing.default"]
