"""The region on its frame: areas on the ellipsoid, sums that agree, an order that does not depend on the file."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from layers.contracts import DISTRICTS, InputError, Origin, Region, SourceCard, VectorLayer
from layers.datum import transform_geometries
from layers.frame import Frame
from layers.mask_store import MaskStore
from layers.region import build_region, cell_area_m2, geodesic_area_km2, study_crs
from layers.submask import area_m2
from layers.vector import read_vector

BOZHOU = Path(__file__).resolve().parents[2] / "data" / "raw" / "bozhou" / "counties.geojson"
ZONE = "EPSG:4548"


def bozhou_layer() -> VectorLayer:
    return read_vector(SourceCard("counties", BOZHOU, "data/counties.geojson", "MIT", Origin.MAPPED, "gcj02"), ZONE)


def region_of(layer: VectorLayer, resolution_m: float = 200.0, margin_m: float = 0.0) -> Region:
    return build_region(
        layer,
        code_column="id",
        name_zh_column="name",
        name_en_column=None,
        population={"341602": 1_523_000.0, "涡阳县": 1_312_000.0},
        resolution_m=resolution_m,
        margin_m=margin_m,
    )


def toy(shapes: list[shapely.Geometry], codes: list[str], crs: str = ZONE) -> VectorLayer:
    frame = gpd.GeoDataFrame({"id": codes, "name": codes}, geometry=shapes, crs=crs)
    return VectorLayer("districts", frame, Origin.MAPPED)


def rules(layer: VectorLayer, **columns: str) -> list[str]:
    names = {"code_column": "id", "name_zh_column": "name", "name_en_column": "name"} | columns
    with pytest.raises(InputError) as caught:
        build_region(layer, population=None, resolution_m=10.0, **names)
    return [f.rule for f in caught.value.findings]


def test_zone_of_the_five_cities() -> None:
    for lon, zone in ((116.2, "EPSG:4548"), (119.5, "EPSG:4549"), (106.7, "EPSG:4545"), (114.1, "EPSG:4547")):
        there = gpd.GeoDataFrame(geometry=[shapely.box(lon - 0.5, 30, lon + 0.5, 31)], crs="EPSG:4490")
        assert study_crs(there) == zone
    with pytest.raises(ValueError, match="in degrees"):
        study_crs(gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=ZONE))
    with pytest.raises(ValueError, match="no district"):
        study_crs(gpd.GeoDataFrame(geometry=[], crs="EPSG:4490"))


def test_geodesic_area_of_a_known_quadrangle() -> None:
    """One degree square 33-34 N on the WGS-84 ellipsoid, in closed form.

    Authalic integral: A = dlon b^2 [ sin p / (2 (1 - e^2 sin^2 p)) + atanh(e sin p) / (2 e) ] between latitudes.
    Parallels are no geodesics, hence 200 points along them.
    """
    a, f = 6_378_137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    e, b2 = np.sqrt(e2), a**2 * (1 - e2)
    s = np.sin(np.radians([33.0, 34.0]))
    integral = s / (2 * (1 - e2 * s**2)) + np.arctanh(e * s) / (2 * e)
    closed_km2 = np.radians(1.0) * b2 * (integral[1] - integral[0]) / 1e6
    square = shapely.segmentize(shapely.box(116.0, 33.0, 117.0, 34.0), 0.005)
    square_clockwise = shapely.Polygon(np.asarray(square.exterior.coords)[::-1])
    layer = gpd.GeoDataFrame(geometry=[square, square_clockwise], crs="EPSG:4326").to_crs(ZONE)
    assert geodesic_area_km2(layer) == pytest.approx([closed_km2, closed_km2], rel=1e-6)


def test_bozhou_has_its_geodesic_area() -> None:
    region = region_of(bozhou_layer())
    DISTRICTS.validate(region.districts)
    assert region.districts["district_code"].tolist() == ["341602", "341621", "341622", "341623"]
    assert region.districts["area_km2"].sum() == pytest.approx(8529.7, abs=0.1)
    assert region.districts["population"].tolist()[:2] == [1_523_000.0, 1_312_000.0]
    assert region.districts["population"].isna().tolist() == [False, False, True, True]
    assert region.districts["name_en"].tolist()[0] == "谯城区"


@pytest.mark.parametrize("crs", ["EPSG:4548", "EPSG:4549", "EPSG:4547"])
@pytest.mark.parametrize("resolution_m", [100.0, 250.0])
def test_cells_add_up_to_the_geodesic_area(crs: str, resolution_m: float) -> None:
    """Within 0.01 %, also in the wrong zone, where the plane is 0.2 % too large."""
    shifted = gpd.read_file(BOZHOU)
    layer = VectorLayer("counties", transform_geometries(shifted, "gcj02", crs), Origin.MAPPED)
    region = region_of(layer, resolution_m)
    cells_km2 = area_m2(region.mask, region.cell_area_m2) / 1e6
    assert cells_km2 == pytest.approx(region.districts["area_km2"].sum(), rel=1e-4)


def test_frame_mask_and_index_belong_together() -> None:
    region = region_of(bozhou_layer(), margin_m=5_000.0)
    assert region.district_index.shape == region.mask.shape == region.frame.shape
    assert region.cell_area_m2.shape == (region.frame.height,)
    assert region.district_index.dtype == np.int16
    left, bottom, right, top = region.frame.bounds
    west, south, east, north = region.districts.total_bounds
    assert min(west - left, south - bottom, right - east, top - north) >= 5_000.0
    assert not (region.district_index > 0)[np.asarray(region.mask) == 0].any()
    share = np.bincount(np.asarray(region.district_index).ravel(), minlength=5)[1:] * 0.04
    assert share == pytest.approx(region.districts.area / 1e6, rel=2e-3)


def test_index_by_cell_centre_and_sorted_by_code() -> None:
    """Two districts side by side, given in the wrong order; the border cuts the third cell off-centre.

    ::

        | b b b:a a a |   border at x = 500 027, cells of 10 m from 500 000
    """
    a, b = shapely.box(500_027, 3_700_000, 500_060, 3_700_020), shapely.box(500_000, 3_700_000, 500_027, 3_700_020)
    region = build_region(
        toy([a, b], ["2", "1"]),
        code_column="id",
        name_zh_column="name",
        name_en_column="name",
        population=None,
        resolution_m=10.0,
    )
    assert np.asarray(region.district_index).tolist() == [[1, 1, 1, 2, 2, 2]] * 2
    assert (np.asarray(region.mask) == 0xFFFF).all()
    assert region.frame.crs == ZONE


def test_everything_wrong_with_districts_is_named() -> None:
    square = shapely.box(500_000, 3_700_000, 501_000, 3_701_000)
    assert rules(toy([square], ["1"]), code_column="gb", name_zh_column="label") == ["region.column_missing"] * 2
    assert rules(toy([shapely.Point(5, 5)], ["1"])) == ["region.not_polygons"]
    assert rules(toy([], [])) == ["region.not_polygons"]
    assert rules(toy([shapely.box(116, 33, 117, 34)], ["1"], "EPSG:4490")) == ["region.crs_not_metric"]
    assert rules(toy([square, square], ["1", "1"])) == ["region.code_twice", "region.districts_overlap"]


@pytest.mark.real_data
def test_hangzhou_2021(real_data: Path) -> None:
    """Trap: pre- and post-2021 districts. The new division has 13 districts with Qiantang and Linping; 16 850 km2."""
    path = real_data / "boundaries-hangzhou-2021" / "hangzhou_counties.geojson"
    card = SourceCard("districts", path, path.name, "none", Origin.MAPPED, "cgcs2000")
    layer = read_vector(card, "EPSG:4549")
    region = build_region(
        layer, code_column="gb", name_zh_column="name", name_en_column=None, population=None, resolution_m=250.0
    )
    assert {"钱塘区", "临平区"} <= set(region.districts["name_zh"])
    assert region.districts["area_km2"].sum() == pytest.approx(16_850, rel=0.005)
    cells_km2 = area_m2(region.mask, region.cell_area_m2) / 1e6
    assert cells_km2 == pytest.approx(region.districts["area_km2"].sum(), rel=1e-4)


def test_cell_area_is_the_same_from_runs_and_from_cells() -> None:
    frame = Frame("EPSG:4548", 1000.0, 400_000.0, 3_700_000.0, 300, 250)
    mask = np.random.default_rng(3).integers(0, 2**16, frame.shape).astype(np.uint16)
    mask[10:20] = 0
    mask[40:90, 7:200] = 0xFFFF
    store = MaskStore(frame.shape)
    store.write(0, mask)
    np.testing.assert_array_equal(cell_area_m2(store, frame), cell_area_m2(mask, frame))
