"""Roofs by hand: class words, ridge and facing, shading against brute force and closed forms, sums, supply areas."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import InputError, Origin, VectorLayer
from siting.hosts.roof_stock import SHARE_COLUMN, load_roof_stock, modelled_roofs, roof_stock
from siting.hosts.roofs import (
    ROOF_SUMS,
    UNKNOWN,
    ShadingModel,
    block_names,
    classify_roofs,
    describe_roofs,
    district_codes,
    heights,
    horizons,
    load_roof_classes,
    load_shading_model,
    ridge_facing,
    roof_sums,
    shading,
    sun_year,
    supply_areas,
)
from siting.hosts.types import load_host_types
from siting.technologies.tables import load_technology_tables

CRS = "EPSG:4548"
MODEL = ShadingModel(sectors=8, reach_m=200.0, beam_share=0.5, panel_height_m=0.0)


def footprints(*shapes, **columns) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS)


def square(x: float, y: float, side: float = 20.0) -> shapely.Polygon:
    return shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


@pytest.mark.parametrize(
    ("row", "roof_class"),
    [
        ({"building": "school"}, "public"),
        ({"building": "yes", "name": "光谷國際"}, UNKNOWN),
        ({"building": "yes", "name": "第三中学"}, "public"),
        ({"kind": "building", "kind_detail": "mall"}, "industrial_commercial"),
        ({"fclass": "Government"}, "government"),
        ({"kind": "hall"}, "public"),
        ({"name": "市政府"}, "government"),
        ({"name": "学生公寓9栋"}, "town"),
        ({"building": None, "name": ""}, UNKNOWN),
        ({"building": "farm", "name": "仓库"}, "rural_home"),  # whole words of the first column come first
    ],
)
def test_truth_table_of_classes(row, roof_class) -> None:
    assert classify_roofs(pd.DataFrame([row])).tolist() == [roof_class]


def test_every_class_stands_on_rows_that_exist() -> None:
    hosts = {host.host_type: host for host in load_host_types()}
    tables = load_technology_tables()
    for one in load_roof_classes():
        assert hosts[one.host_type].usable_share == one.ratio, one.roof_class
        for variant in (one.flat_variant, one.pitched_variant, one.pitched_south_variant):
            tables.pv_variant(variant)
    classes = {one.roof_class for one in load_roof_classes()}
    assert {row.roof_class for row in load_roof_stock()} <= classes
    for row in load_roof_stock():
        assert row.low <= row.roof_share <= row.high
        assert row.source


@pytest.mark.parametrize(
    ("angle", "facing"),
    [
        (0, 180.0),  # ridge east-west: the southern slope faces south
        (90, 90.0),  # ridge north-south: of the east-west pair the eastern slope counts
        (30, 150.0),  # turned counter-clockwise by 30 degrees: south-south-east
        (-30, 210.0),
    ],
)
def test_ridge_runs_along_the_long_side(angle, facing) -> None:
    house = shapely.affinity.rotate(shapely.box(0, 0, 20, 8), angle)
    assert ridge_facing(np.array([house], dtype=object))[0] == pytest.approx(facing, abs=1e-6)


def test_heights_that_cannot_be_are_not_known() -> None:
    table = pd.DataFrame({"height": [12.0, 0.0, -3.0, 9000.0, None]})
    assert heights(table).tolist()[0] == 12.0
    assert np.isnan(heights(table)[1:]).all()
    assert np.isnan(heights(pd.DataFrame({"a": [1]}))).all()


# --- shading ----------------------------------------------------------------------------------------------------------


def test_horizon_of_one_neighbour_by_hand() -> None:
    """A tower 30 m higher, its near wall 30 m north of the roof's middle: 45 degrees in the northern sectors alone."""
    shapes = np.array([square(0, 0), square(0, 40)], dtype=object)
    horizon = np.degrees(horizons(shapes, np.array([10.0, 40.0]), MODEL))
    assert horizon[0, [0, 7]] == pytest.approx(45.0)  # 0 to 45 and 315 to 360 degrees: 18.4 on either side of north
    assert horizon[0, 1:7] == pytest.approx(0.0)
    assert horizon[1] == pytest.approx(0.0)  # nothing stands above the tower
    sky, _ = shading(shapes, np.array([10.0, 40.0]), 33.0, MODEL)
    assert sky[0] == pytest.approx((6 + 2 * 0.5) / 8)  # cos^2 45 = 1/2 in two of eight sectors


def test_northern_tower_takes_sky_and_southern_one_takes_sun() -> None:
    height = np.array([10.0, 40.0])
    north = shading(np.array([square(0, 0), square(0, 40)], dtype=object), height, 33.0, MODEL)
    south = shading(np.array([square(0, 0), square(0, -40)], dtype=object), height, 33.0, MODEL)
    assert north[0][0] == south[0][0]
    assert south[1][0] > 1.5 * north[1][0]
    assert north[1][0] < 0.08


def test_well_of_towers_is_dark_and_open_field_is_not() -> None:
    ring = [square(60 * math.sin(a), 60 * math.cos(a), 40) for a in np.arange(8) * math.pi / 4]
    shapes = np.array([square(0, 0), *ring], dtype=object)
    sky, loss = shading(shapes, np.array([5.0] + [300.0] * 8), 33.0, MODEL)
    assert sky[0] < 0.05
    assert loss[0] > 0.9
    alone = shading(shapes[:1], np.array([5.0]), 33.0, MODEL)
    assert alone[0][0] == 1.0
    assert alone[1][0] == 0.0


def test_unknown_height_is_unknown_not_flat() -> None:
    shapes = np.array([square(0, 0), square(0, 40)], dtype=object)
    sky, loss = shading(shapes, np.array([np.nan, 40.0]), 33.0, MODEL)
    assert np.isnan(sky[0])
    assert np.isnan(loss[0])
    assert sky[1] == 1.0


def brute_horizon(shapes, height, model) -> np.ndarray:
    """Every pair, every corner, one sector after the other."""
    result = np.zeros((len(shapes), model.sectors))
    width = 360 / model.sectors
    for i, own in enumerate(shapes):
        for j, other in enumerate(shapes):
            rise = height[j] - height[i] - model.panel_height_m
            middle = own.centroid
            if i == j or not rise > 0 or middle.distance(other) > model.reach_m:
                continue
            towards = math.degrees(math.atan2(other.centroid.x - middle.x, other.centroid.y - middle.y))
            corners = [
                (math.degrees(math.atan2(x - middle.x, y - middle.y)) - towards + 180) % 360 - 180
                for x, y in other.exterior.coords
            ]
            low, high = min(corners), max(corners)
            angle = math.atan(rise / max(middle.distance(other), 0.5))
            for k in range(model.sectors):
                # the sector's middle line or an edge of it lies within the span, or the span within the sector
                inside = other.intersects(middle) or high - low > 270
                for step in range(-3, 4):
                    a, b = k * width - towards + 360 * step, (k + 1) * width - towards + 360 * step
                    inside |= a <= high and low < b
                if inside:
                    result[i, k] = max(result[i, k], angle)
    return result


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), sectors=st.sampled_from([4, 8, 12, 16]))
def test_horizons_agree_with_brute_force(seed, sectors) -> None:
    rng = np.random.default_rng(seed)
    shapes = np.array(
        [
            shapely.affinity.rotate(shapely.box(x, y, x + a, y + b), angle)
            for x, y, a, b, angle in zip(
                *rng.uniform(0, 300, (2, 14)), *rng.uniform(8, 60, (2, 14)), rng.uniform(0, 90, 14), strict=True
            )
        ],
        dtype=object,
    )
    height = np.where(rng.random(14) < 0.2, np.nan, rng.uniform(3, 100, 14))
    model = ShadingModel(sectors, 150.0, 0.5, 1.0)
    ours, brute = horizons(shapes, height, model), brute_horizon(shapes, height, model)
    ours, brute = ours[np.isfinite(height)], brute[np.isfinite(height)]
    assert ours == pytest.approx(brute, abs=1e-9)


def test_sun_path_of_the_year() -> None:
    """Latitude 30: noon elevation 60 + declination, 83.4 in June; the sun culminates in the south."""
    azimuth, elevation, weight = sun_year(30.0)
    assert elevation.max() == pytest.approx(83.0, abs=1.0)
    assert weight.sum() == pytest.approx(1.0)
    noon = elevation > 80
    assert np.abs(azimuth[noon] - 180).max() < 60
    morning = azimuth < 180
    assert weight[morning].sum() == pytest.approx(0.5, abs=1e-9)


# --- sums and supply areas --------------------------------------------------------------------------------------------


def test_roofs_by_hand() -> None:
    """A school of 400 m2 and a hall of 800 m2: usable 0.4 and 0.3 of them; sums by area."""
    table = footprints(
        square(0, 0), shapely.box(100, 0, 140, 20), square(300, 0), building=["school", "warehouse", None]
    )
    roofs = describe_roofs(table, latitude=33.0)
    assert roofs["usable_m2"].tolist() == pytest.approx([160.0, 240.0, 0.0])
    assert roofs["pv_variant"].tolist() == ["roof_flat"] * 3
    sums = roof_sums(roofs, ["a", "a", "b"]).set_index(["area", "roof_class"])
    assert sums.at[("a", "public"), "footprint_m2"] == pytest.approx(400)
    assert sums.at[("a", "industrial_commercial"), "usable_m2"] == pytest.approx(240)
    assert sums.at[("b", UNKNOWN), "usable_m2"] == 0
    assert math.isnan(sums["shading_loss_share"].iloc[0])
    ROOF_SUMS.validate(roof_sums(roofs.iloc[:0], []))
    assert block_names(roofs["x_m"].to_numpy(), roofs["y_m"].to_numpy(), 0.1).tolist() == ["E0N0", "E1N0", "E3N0"]


def test_districts_of_points() -> None:
    districts = footprints(shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10), district_code=["A", "B"])
    x = np.array([1.0, 11.0, 10.0, 30.0])
    assert district_codes(x, np.full(4, 5.0), districts).tolist() == ["A", "B", "A", ""]


def test_pitch_by_class_and_height() -> None:
    long = shapely.box(0, 0, 20, 8)
    table = footprints(
        long, long, long, shapely.affinity.rotate(long, 90), kind=["farm", "house", "house", "farm"],
        height_m=[6.0, 9.0, 60.0, 6.0],
    )  # fmt: skip
    roofs = describe_roofs(table, latitude=33.0)
    assert roofs["pitched"].tolist() == [True, True, False, True]
    assert roofs["pv_variant"].tolist() == ["roof_pitched_south", "roof_pitched_south", "roof_flat", "roof_rural_mix"]
    assert math.isnan(roofs["facing_deg"][2])


def test_supply_areas_are_voronoi_clipped_by_district() -> None:
    """District B's point is nearest to A's station, but belongs to its own one; C has none and takes the nearest."""
    districts = footprints(shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10), shapely.box(20, 0, 30, 10))
    stations = footprints(shapely.Point(9, 5), shapely.Point(1, 5), shapely.Point(19, 9), station_id=["s1", "s2", "s3"])
    x = np.array([8.0, 2.0, 11.0, 21.0, 29.0])
    found = supply_areas(x, np.full(5, 5.0), stations, districts)
    assert found.tolist() == ["s1", "s2", "s3", "s3", "s3"]
    assert supply_areas(x, x, stations.iloc[:0], districts).tolist() == [""] * 5


def test_tie_between_stations_goes_to_the_first_id() -> None:
    districts = footprints(shapely.box(0, 0, 10, 10))
    stations = footprints(shapely.Point(8, 5), shapely.Point(2, 5), station_id=["b", "a"])
    assert supply_areas(np.array([5.0]), np.array([5.0]), stations, districts).tolist() == ["a"]


# --- roof stock -------------------------------------------------------------------------------------------------------


def layer(name: str, *shapes) -> VectorLayer:
    return VectorLayer(name, footprints(*shapes), Origin.MAPPED)


def test_stock_takes_mapped_roofs_off_first() -> None:
    """10 000 m2 of estate at 0.3: 3000 m2 of roof. With 1000 m2 mapped, 2000 m2 are left on 9000 m2 of ground."""
    estate, hall = layer("estate", shapely.box(0, 0, 100, 100)), layer("hall", shapely.box(10, 10, 35, 50))
    made = modelled_roofs(estate, "m", 0.3, [hall])
    assert made.origin == Origin.MODELLED
    assert made.features[SHARE_COLUMN].tolist() == pytest.approx([2000 / 9000])
    assert made.features.area.tolist() == pytest.approx([9000])
    assert not made.features.geometry.iloc[0].contains(shapely.Point(20, 20))


def test_fully_mapped_estate_has_no_stock_left() -> None:
    estate = layer("estate", shapely.box(0, 0, 100, 100), shapely.box(200, 0, 300, 100))
    made = modelled_roofs(estate, "m", 0.3, [layer("hall", shapely.box(0, 0, 40, 100))])
    assert len(made.features) == 1
    assert made.features[SHARE_COLUMN].tolist() == pytest.approx([0.3])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.9))
def test_mapped_and_modelled_roofs_add_up_to_the_estimate(seed, share) -> None:
    rng = np.random.default_rng(seed)
    halls = [shapely.box(x, y, x + a, y + b) for x, y, a, b in rng.uniform(5, 70, (5, 4))]
    estate = shapely.box(0, 0, 100, 100)
    made = modelled_roofs(layer("estate", estate), "m", share, [layer("hall", *halls)])
    mapped = shapely.union_all(halls).intersection(estate).area
    modelled = float((made.features.area * made.features[SHARE_COLUMN]).sum())
    assert mapped + modelled == pytest.approx(max(share * 1e4, mapped))


def test_unknown_land_use_is_named() -> None:
    with pytest.raises(InputError, match="industrial"):
        roof_stock("industry")


# --- real footprints --------------------------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("city", "epsg", "count", "latitude"), [("wuhan", 4547, 265, 30.5), ("shanghai", 4549, 1572, 31.2)]
)
def test_real_footprints(real_data, city, epsg, count, latitude) -> None:
    """OSM buildings of two city districts: heights for a third and a half of them, classes for few."""
    path = real_data / "land-buildings-wuhan-shanghai" / "buildings_osm_tilezen.gpkg"
    table = gpd.GeoDataFrame(pyogrio.read_dataframe(path, layer=city)).to_crs(epsg)
    assert len(table) == count
    roofs = describe_roofs(table, latitude=latitude, default_class="town")
    assert roofs["footprint_m2"].sum() == pytest.approx(table["area_calc"].sum(), rel=0.02)
    known = roofs["height_m"].notna()
    assert 0.25 < known.mean() < 0.6
    assert roofs.loc[known, "shading_loss_share"].between(0, 1).all()
    assert roofs.loc[~known, "shading_loss_share"].isna().all()
    by_class = roofs.groupby("roof_class")["footprint_m2"].sum()
    assert by_class["industrial_commercial"] > 0
    # towers shade; most roofs of a city lose some light, none in the mean loses half
    mean = np.average(roofs.loc[known, "shading_loss_share"], weights=roofs.loc[known, "footprint_m2"])
    assert 0.01 < mean < 0.35
    sample = np.flatnonzero(known)[:40]
    shapes, model = table.geometry.to_numpy()[sample], load_shading_model()
    if all(shape.geom_type == "Polygon" for shape in shapes):
        height = roofs["height_m"].to_numpy(float)[sample]
        assert horizons(shapes, height, model) == pytest.approx(brute_horizon(shapes, height, model), abs=1e-9)
