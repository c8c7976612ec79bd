"""Generated land: disjoint, complete, valid, plausible, reproducible."""

from __future__ import annotations

import dataclasses
import pickle

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import InputError, Origin, VectorLayer
from layers.generated import (
    COVER,
    OVERLAYS,
    LandProfile,
    generate_districts,
    generate_land,
    land_profile,
    settlements,
    water,
)
from layers.generated.cover import carve, carve_in_turn, stand_alone
from layers.generated.lines import gabriel_edges
from layers.generated.settlements import _shared_out
from layers.generated.shapes import Outlines, generator, nearest_distance, outlines, rectangles, scatter, thin

Land = dict[str, gpd.GeoDataFrame]


def region(area_km2: float = 700.0, count: int = 3, population: float = 420_000.0, seed: int = 5) -> gpd.GeoDataFrame:
    return generate_districts(
        centre_lon=116.2, centre_lat=33.4, area_km2=area_km2, count=count, population=population, seed=seed
    )


def mined(profile: LandProfile) -> LandProfile:
    """The profile with coal under every district."""
    return dataclasses.replace(profile, coalfield_chance=1.0)


def land(districts: gpd.GeoDataFrame, profile: LandProfile, seed: int = 1) -> Land:
    return {layer.id: layer.features for layer in generate_land(districts, seed=seed, profile=profile)}


@pytest.fixture(scope="module")
def districts() -> gpd.GeoDataFrame:
    return region()


@pytest.fixture(scope="module")
def plain(districts: gpd.GeoDataFrame) -> Land:
    return land(districts, mined(land_profile("north_anhui_plain")))


@pytest.fixture(scope="module")
def hills(districts: gpd.GeoDataFrame) -> Land:
    return land(districts, land_profile("hills"))


@pytest.fixture(params=["plain", "hills"])
def country(request: pytest.FixtureRequest) -> Land:
    return request.getfixturevalue(request.param)


def share(layers: Land, districts: gpd.GeoDataFrame, *ids: str) -> float:
    """Area of some layers per area of the region."""
    return sum(layers[i].geometry.area.sum() for i in ids) / districts.geometry.area.sum()


# ------------------------------------------------------------------------------------------- promises


def test_layers_come_in_the_promised_order_and_say_that_they_are_generated() -> None:
    layers = generate_land(region(40.0, 1, 24_000.0), seed=1, profile=land_profile("north_anhui_plain"))
    assert tuple(layer.id for layer in layers) == COVER + OVERLAYS
    assert all(isinstance(layer, VectorLayer) and layer.origin is Origin.GENERATED for layer in layers)
    assert all(layer.features.crs.to_epsg() == 4548 for layer in layers)


def test_every_shape_is_a_valid_polygon_with_area(country: Land) -> None:
    for id_, features in country.items():
        assert features.geometry.is_valid.all(), id_
        assert not features.geometry.is_empty.any(), id_
        assert (features.geometry.area > 0).all(), id_
        assert set(features.geometry.geom_type) <= {"Polygon", "MultiPolygon"}, id_


def test_every_square_metre_is_mapped_once(country: Land, districts: gpd.GeoDataFrame) -> None:
    """Trap: double counting across land types. Areas sum to the region, and no two shapes overlap."""
    region_m2 = districts.geometry.area.sum()
    assert sum(country[i].geometry.area.sum() for i in COVER) == pytest.approx(region_m2, rel=1e-7)
    shapes = np.concatenate([country[i].geometry.to_numpy() for i in COVER])
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    a, b = a[a < b], b[a < b]
    shared = shapely.area(shapely.intersection(shapes[a], shapes[b], grid_size=0.001))
    # vertices lie on a lattice of 1 mm: an edge of some kilometres may stray by that much
    assert shared.max() < 3.0
    assert shared.sum() < 1e-7 * region_m2


def test_nothing_lies_outside_its_district(country: Land, districts: gpd.GeoDataFrame) -> None:
    polygons = districts.set_index("district_code").geometry
    for id_, features in country.items():
        for code, own in features.groupby("district_code"):
            outside = shapely.difference(own.geometry.to_numpy(), polygons[code], grid_size=0.001)
            assert shapely.area(outside).sum() < 5.0, (id_, code)


def test_roofs_lie_in_estates_and_towns(country: Land) -> None:
    for roofs, ground in (("factory_roof", "industrial_estate"), ("public_roof", "town")):
        shapes, grounds = country[roofs].geometry.to_numpy(), country[ground].geometry.to_numpy()
        assert len(shapes) > 20
        inside, _ = shapely.STRtree(grounds).query(shapes, predicate="within")
        assert len(np.unique(inside)) == len(shapes)
        a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        assert (a == b).all(), f"{roofs} overlap"


def test_basic_farmland_is_most_of_cropland_and_nothing_else(country: Land) -> None:
    basic, crop = country["basic_farmland"].geometry, country["cropland"].geometry
    assert 0.83 < basic.area.sum() / crop.area.sum() < 0.92
    stray = carve(basic.to_numpy(), crop.to_numpy())
    assert shapely.area(stray).sum() < 1e-6 * basic.area.sum()


# ------------------------------------------------------------------------------------------- people and attributes


def test_households_add_up(plain: Land, districts: gpd.GeoDataFrame) -> None:
    """420 000 people, 57 % in villages, 3.5 to a household: 68 400 households."""
    profile = land_profile("north_anhui_plain")
    expected = (districts["population"] * 0.57 / 3.5).round().sum()
    assert plain["village"]["households"].sum() == pytest.approx(expected, rel=0.002)  # slivers cut by rivers
    assert plain["village"]["households"].mean() == pytest.approx(profile.village_mean_households, rel=0.1)


def test_village_roofs_are_homestead_roofs(plain: Land) -> None:
    village = plain["village"]
    roof_m2 = village["roof_share"] * village.geometry.area
    whole = village["roof_share"] < 0.6
    assert (roof_m2 / village["households"])[whole].to_numpy() == pytest.approx(np.full(whole.sum(), 120.0))
    assert whole.mean() > 0.98
    assert 0.06 < (village["roof_share"] * village.geometry.area).sum() / village.geometry.area.sum() < 0.25


def test_towns_hold_the_urban_people(plain: Land, districts: gpd.GeoDataFrame) -> None:
    town = plain["town"]
    assert town["population"].sum() == pytest.approx(0.43 * districts["population"].sum(), rel=1e-3)
    assert (town.groupby("district_code")["kind"].apply(lambda kinds: (kinds == "seat").sum()) == 1).all()
    assert town["name"].notna().all()


def test_unknown_population_takes_the_profiles_density() -> None:
    """Trap: NaN is not zero."""
    districts = region(60.0, 1, 30_000.0)
    districts["population"] = np.nan
    layers = land(districts, land_profile("north_anhui_plain"))
    # 60 km2 x 600 people x 57 % / 3.5 = 5 863 households
    assert layers["village"]["households"].sum() == pytest.approx(5_863, rel=0.03)


def test_an_empty_district_has_fields_and_no_villages() -> None:
    layers = land(region(60.0, 1, 0.0), land_profile("north_anhui_plain"))
    assert len(layers["village"]) == 0
    assert list(layers["village"].columns) == ["district_code", "name", "households", "geometry", "roof_share"]
    assert len(layers["cropland"]) > 0


def test_a_crowded_district_still_fits() -> None:
    districts = region(60.0, 1, 600_000.0)
    layers = land(districts, land_profile("north_anhui_plain"))
    assert share(layers, districts, "town", "industrial_estate", "village") < 0.65
    assert layers["village"]["households"].sum() == pytest.approx(600_000 * 0.57 / 3.5, rel=0.02)


# ------------------------------------------------------------------------------------------- plausible country


def test_the_plain_has_the_shares_of_the_plain(plain: Land, districts: gpd.GeoDataFrame) -> None:
    assert 0.11 < share(plain, districts, "village", "town", "industrial_estate", "road", "railway") < 0.18
    assert 0.60 < share(plain, districts, "cropland") < 0.80
    assert share(plain, districts, "fish_pond") == pytest.approx(0.0045, rel=0.35)
    assert share(plain, districts, "subsidence_land", "subsidence_water") == pytest.approx(0.0135, rel=0.35)
    assert 0.15 < share(plain, districts, "subsidence_water") / 0.0135 < 0.6
    assert share(plain, districts, "hill") == 0


def test_hills_are_wooded(hills: Land, districts: gpd.GeoDataFrame) -> None:
    assert 0.33 < share(hills, districts, "forest") < 0.48
    assert 0.03 < share(hills, districts, "hill") < 0.06


def test_villages_are_about_a_kilometre_apart(plain: Land) -> None:
    centres = plain["village"].geometry.centroid
    nearest = nearest_distance(np.stack([centres.x, centres.y], 1), 0.0)
    assert 400 < np.median(nearest) < 1_000
    # open fields remain: some cropland is farther than 400 m from every village
    points = scatter(shapely.union_all(plain["cropland"].geometry.to_numpy()[:40]), 2_000, np.random.default_rng(1))
    _, distance = shapely.STRtree(plain["village"].geometry.to_numpy()).query_nearest(
        shapely.points(points), return_distance=True, all_matches=False
    )
    assert 0.08 < (distance > 400).mean() < 0.5


def test_ponds_are_rectangles_in_blocks(plain: Land) -> None:
    ponds = plain["fish_pond"]
    boxes = shapely.oriented_envelope(ponds.geometry.to_numpy())
    assert (ponds.geometry.area.to_numpy() / shapely.area(boxes)).min() > 0.999
    assert 5_000 < ponds.geometry.area.mean() < 20_000
    assert ponds.groupby(["district_code", "cluster"]).size().mean() > 3


def test_sizes_of_buildings_are_those_of_buildings(plain: Land) -> None:
    factory, public = plain["factory_roof"].geometry.area, plain["public_roof"].geometry.area
    assert 2_500 < factory.mean() < 6_000
    assert factory.max() < 45_000
    assert factory.min() >= 499
    assert 1_500 < public.mean() < 3_200
    assert factory.sum() / plain["industrial_estate"].geometry.area.sum() == pytest.approx(0.2, abs=0.07)


def test_mining_follows_the_coalfield(districts: gpd.GeoDataFrame) -> None:
    codes = list(districts["district_code"])
    profile = dataclasses.replace(
        land_profile("north_anhui_plain"), coalfield_districts=(codes[0],), coalfield_free_districts=tuple(codes[1:])
    )
    layers = land(districts, profile)
    assert set(layers["subsidence_land"]["district_code"]) == {codes[0]}
    assert set(layers["subsidence_water"]["district_code"]) == {codes[0]}


def test_water_stands_within_its_basin(districts: gpd.GeoDataFrame) -> None:
    profile = mined(land_profile("north_anhui_plain"))
    d = settlements.district("G00001", "甲县", districts.geometry.iloc[0], 2e5, profile)
    towns = settlements.place_towns(d, np.empty(0, dtype=object), 1, profile)
    nothing = np.empty(0, dtype=object)
    basins, lakes = water.subsidence(d, towns, nothing, 1, profile)
    assert len(basins) == len(lakes) > 0
    assert shapely.contains_properly(basins, lakes).all()
    assert shapely.area(basins).sum() == pytest.approx(0.0135 * d.area_m2, rel=1e-6)
    a, b = shapely.STRtree(basins).query(basins, predicate="intersects")
    assert (a == b).all()


def test_rivers_go_on_across_the_border(districts: gpd.GeoDataFrame) -> None:
    profile = land_profile("north_anhui_plain")
    both = land(districts, profile)["river"]
    first, second = districts.geometry.iloc[0], districts.geometry.iloc[1]
    border = shapely.intersection(first, second)
    by_district = [both[both["district_code"] == c].geometry.to_numpy() for c in districts["district_code"][:2]]
    near = [shapely.union_all(shapes[shapely.dwithin(shapes, border, 1.0)]) for shapes in by_district]
    crossing = [shapely.intersection(shapely.buffer(border, 1.0), side).area for side in near]
    assert crossing[0] > 0
    assert crossing[0] == pytest.approx(crossing[1], rel=0.35)


# ------------------------------------------------------------------------------------------- reproducible


def as_bytes(layers: Land) -> dict[str, bytes]:
    return {i: f.drop(columns="geometry").to_csv().encode() + b"".join(f.geometry.to_wkb()) for i, f in layers.items()}


def test_same_seed_same_bytes_in_any_order_of_districts() -> None:
    districts = region(150.0, 3, 90_000.0)
    profile = mined(land_profile("north_anhui_plain"))
    first = as_bytes(land(districts, profile))
    assert first == as_bytes(land(districts.iloc[::-1], profile))
    other = as_bytes(land(districts, profile, seed=2))
    assert all(first[i] != other[i] for i in ("river", "town", "village", "fish_pond", "cropland"))


def test_a_setback_of_fresh_land_is_that_of_stored_land(country: Land) -> None:
    """A precision grid left on the geometries would round buffers now, and be lost when the layers are stored."""
    for features in country.values():
        assert not shapely.get_precision(features.geometry.to_numpy()).any()
        stored = pickle.loads(pickle.dumps(features))
        fresh, again = (f.geometry.head(20).buffer(333.3, 32).to_numpy() for f in (features, stored))
        assert shapely.equals_exact(fresh, again, 0.0).all()


def test_a_district_keeps_its_land_when_others_leave() -> None:
    districts = region(300.0, 3, 180_000.0)
    profile = mined(land_profile("north_anhui_plain"))
    code = districts["district_code"].iloc[0]
    together, alone = land(districts, profile), land(districts.iloc[[0]], profile)
    for id_ in ("river", "town", "subsidence_water", "village", "fish_pond"):
        with_others = together[id_][together[id_]["district_code"] == code].geometry.to_numpy()
        unchanged = np.isin(shapely.to_wkb(alone[id_].geometry.to_numpy()), shapely.to_wkb(with_others))
        assert len(unchanged), id_
        # only roads to the other districts' towns may cut through
        assert unchanged.mean() > 0.8, id_


def test_progress_runs_from_nothing_to_done() -> None:
    seen: list[float] = []
    generate_land(
        region(30.0, 1, 15_000.0),
        seed=1,
        profile=land_profile("hills"),
        progress=lambda label, done: seen.append(done),
    )
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1


@settings(max_examples=6, deadline=None)
@given(area=st.floats(3, 120), seed=st.integers(0, 1_000), name=st.sampled_from(["hills", "north_anhui_plain"]))
def test_any_small_region_is_mapped_whole(area: float, seed: int, name: str) -> None:
    districts = region(area, 2, 500.0 * area, seed)
    layers = land(districts, mined(land_profile(name)), seed)
    cover = sum(layers[i].geometry.area.sum() for i in COVER)
    assert cover == pytest.approx(districts.geometry.area.sum(), rel=1e-6)
    assert all(layers[i].geometry.is_valid.all() for i in layers)


# ------------------------------------------------------------------------------------------- refusals


def test_geographic_districts_are_refused() -> None:
    """Trap: distances in degrees."""
    with pytest.raises(InputError) as error:
        generate_land(region(30.0, 1).to_crs(4326), seed=1, profile=land_profile("hills"))
    assert [f.rule for f in error.value.findings] == ["generated.crs_not_metric"]


def test_no_district_and_no_crs_are_both_reported() -> None:
    districts = region(30.0, 1)
    nothing = gpd.GeoDataFrame(pd.DataFrame(districts.iloc[:0]).drop(columns="geometry"), geometry=[])
    with pytest.raises(InputError) as error:
        generate_land(nothing, seed=1, profile=land_profile("hills"))
    assert {f.rule for f in error.value.findings} == {"generated.crs_not_metric", "generated.no_district"}


def test_a_district_without_area_is_named() -> None:
    districts = region(30.0, 2)
    districts.loc[1, "geometry"] = shapely.Polygon()
    with pytest.raises(InputError) as error:
        generate_land(districts, seed=1, profile=land_profile("hills"))
    assert [(f.rule, f.item) for f in error.value.findings] == [("generated.district_without_area", "G00002")]


# ------------------------------------------------------------------------------------------- parts, by hand


def test_carving_keeps_what_is_free() -> None:
    """::

    a 4 x 2 field, a 2 x 2 pond on its right half, and the same field once more
    """
    field, pond = shapely.box(0, 0, 4, 2), shapely.box(2, 0, 5, 2)
    left = carve(np.array([field], dtype=object), np.array([pond], dtype=object))
    assert left[0].equals(shapely.box(0, 0, 2, 2))
    turn = carve_in_turn(np.array([pond, field, field], dtype=object))
    assert [shape.area for shape in turn] == [6.0, 4.0, 0.0]


@pytest.mark.parametrize(("gap_m", "alone"), [(-1.0, False), (0.0, False), (0.0006, False), (0.05, True)])
def test_a_gap_that_rounding_could_close_is_no_gap(gap_m: float, alone: bool) -> None:
    """Two plots 0.6 mm apart went into one multipolygon unmerged, and the overlay that met it failed."""
    plots = np.array([shapely.box(0, 0, 10, 10), shapely.box(10 + gap_m, 0, 20, 10)], dtype=object)
    assert stand_alone(plots).tolist() == [alone, alone]


def test_gabriel_graph_by_hand() -> None:
    """::

    2 . . 3        unit square with its middle: the middle forbids both diagonals, and on the rim of
    . 4 .          each side's circle it does not forbid the sides
    0 . . 1
    """
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)], dtype=float)
    spokes = [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert gabriel_edges(corners) == sorted([(0, 1), (0, 2), (1, 3), (2, 3), *spokes])
    assert gabriel_edges(corners[:2]) == [(0, 1)]
    assert gabriel_edges(corners[:1]) == []
    on_a_line = np.array([(0, 0), (2, 2), (1, 1)], dtype=float)
    assert gabriel_edges(on_a_line) == [(0, 2), (1, 2)]


def test_thinning_keeps_first_come() -> None:
    """0 keeps out 1 (1 m away); 2 is 3 m from 0; 3 is 1 m from 2."""
    points = np.array([(0, 0), (1, 0), (3, 0), (4, 0)], dtype=float)
    assert thin(points, 1.5).tolist() == [True, False, True, False]


@settings(max_examples=30, deadline=None)
@given(total=st.integers(0, 10_000), weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_sharing_out_loses_nobody(total: int, weights: list[float]) -> None:
    parts = _shared_out(total, np.array(weights))
    exact = total * np.array(weights) / sum(weights)
    assert parts.sum() == total
    assert (np.abs(parts - exact) < 1 + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    area=st.floats(100, 1e7),
    roughness=st.floats(0, 0.3),
    squareness=st.floats(2, 12),
    vertices=st.integers(6, 60),
)
def test_outlines_are_simple_and_of_the_asked_area(
    seed: int, area: float, roughness: float, squareness: float, vertices: int
) -> None:
    style = Outlines(vertices, squareness, roughness, (1.0, 3.0), 1.0)
    centres = np.array([(4e5, 3.7e6), (4.1e5, 3.7e6)])
    shapes = outlines(centres, np.full(2, area), style, generator(seed, "test"))
    assert shapely.is_valid(shapes).all()
    assert shapely.area(shapes) == pytest.approx(np.full(2, area), rel=1e-5)
    capped = outlines(centres, np.full(2, area), style, generator(seed, "test"), radius_max_m=np.full(2, 5.0))
    reach = shapely.hausdorff_distance(capped, shapely.points(centres))
    assert (reach <= 5.0 + 1e-6).all()


def test_a_rectangle_by_hand() -> None:
    """4 long, 2 wide, turned by a quarter: 2 wide in x, 4 high in y."""
    shape = rectangles(np.array([[10.0, 20.0]]), np.array([4.0]), np.array([2.0]), np.array([np.pi / 2]))[0]
    assert shape.bounds == pytest.approx((9.0, 18.0, 11.0, 22.0))


def test_streams_of_numbers_do_not_depend_on_each_other() -> None:
    alone = generator(3, "341621", "village").uniform(size=5)
    generator(3, "341602", "village").uniform(size=1_000)
    assert (alone == generator(3, "341621", "village").uniform(size=5)).all()
    assert (alone != generator(3, "341602", "village").uniform(size=5)).all()
