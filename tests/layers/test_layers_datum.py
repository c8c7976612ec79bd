"""Datum conversion and the proof of a wrongly declared datum."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers.contracts import Datum, Origin, SourceCard, VectorLayer
from layers.datum import bd09_from_gcj02, from_wgs84, gcj02_from_wgs84, to_wgs84, transform_geometries
from layers.datum_check import datum_findings, detect_datum_shift

BOZHOU = Path(__file__).resolve().parents[2] / "data" / "raw" / "bozhou" / "counties.geojson"
ZONE = "EPSG:4548"
GEOD = pyproj.Geod(ellps="WGS84")


def card(datum: Datum | None, path: Path = BOZHOU) -> SourceCard:
    return SourceCard("counties", path, f"data/{path.name}", "MIT", Origin.MAPPED, datum)


def metres_apart(lon0: float, lat0: float, lon1: float, lat1: float) -> float:
    return GEOD.inv(lon0, lat0, lon1, lat1)[2]


def test_published_example_of_gcj02() -> None:
    """The pair that every implementation of the formula quotes: 116.404, 39.915 in Beijing.

    Hand check of the north component at x = 11.404, y = 4.915: polynomial part
    -100 + 22.808 + 14.745 + 4.831 + 5.605 + 0.2 sqrt(11.404) = -51.335 m, the sines add 206.4 m, so about
    155 m north = 0.00140 degrees.
    """
    lon, lat = gcj02_from_wgs84(116.404, 39.915)
    assert float(lon) == pytest.approx(116.41024449916938, abs=1e-12)
    assert float(lat) == pytest.approx(39.91640428150164, abs=1e-12)


def test_published_example_of_bd09() -> None:
    lon, lat = bd09_from_gcj02(116.404, 39.915)
    assert float(lon) == pytest.approx(116.41036949371029, abs=1e-12)
    assert float(lat) == pytest.approx(39.92133699351022, abs=1e-12)


@given(st.floats(74.0, 135.0), st.floats(4.0, 53.0), st.sampled_from(["wgs84", "cgcs2000", "gcj02", "bd09"]))
def test_inverse_is_exact_everywhere_in_china(lon: float, lat: float, datum: Datum) -> None:
    back = to_wgs84(*from_wgs84(lon, lat, datum), datum)
    assert abs(float(back[0]) - lon) < 1e-9
    assert abs(float(back[1]) - lat) < 1e-9


def test_arrays_equal_scalars_and_nan_stays() -> None:
    lon, lat = np.array([[116.2, np.nan], [120.1, 106.7]]), np.array([[33.5, 30.0], [30.2, 30.5]])
    out = to_wgs84(lon, lat, "bd09")
    assert out[0].shape == (2, 2)
    assert np.isnan(out[0][0, 1])
    one = to_wgs84(120.1, 30.2, "bd09")
    assert abs(out[0][1, 0] - one[0]) < 1e-12
    assert abs(out[1][1, 0] - one[1]) < 1e-12


def test_shift_in_five_cities_is_larger_than_most_setbacks() -> None:
    """Traps: map data of Amap, Tencent, Baidu sit hundreds of metres off."""
    for lon, lat in ((115.8, 33.8), (120.2, 30.3), (106.7, 30.5), (115.6, 34.4), (121.2, 30.2)):
        for datum, low, high in (("gcj02", 450, 580), ("bd09", 900, 1400)):
            there = from_wgs84(lon, lat, datum)
            assert low < metres_apart(lon, lat, float(there[0]), float(there[1])) < high


def test_a_shifted_datum_outside_china_is_refused() -> None:
    with pytest.raises(ValueError, match="not defined outside China"):
        to_wgs84([116.0, 2.3], [33.0, 48.8], "gcj02")
    with pytest.raises(ValueError, match="unknown datum"):
        to_wgs84(116.0, 33.0, "xian80")  # type: ignore[arg-type]


def test_cgcs2000_and_wgs84_coordinates_stay_the_same() -> None:
    square = gpd.GeoDataFrame(geometry=[shapely.box(116.0, 33.0, 116.1, 33.1)])
    a, b = (transform_geometries(square, datum, ZONE) for datum in ("wgs84", "cgcs2000"))
    assert np.allclose(shapely.get_coordinates(a.geometry), shapely.get_coordinates(b.geometry), atol=1e-3)
    assert a.crs == b.crs == ZONE


def test_axis_order_is_east_north() -> None:
    point = gpd.GeoDataFrame(geometry=[shapely.Point(117.0, 33.0)])
    x, y = shapely.get_coordinates(transform_geometries(point, "cgcs2000", ZONE).geometry)[0]
    assert x == pytest.approx(500_000.0, abs=1e-6)
    assert 3.65e6 < y < 3.66e6


def test_rows_and_columns_survive_and_height_is_dropped() -> None:
    points = gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[shapely.Point(116, 33, 9), shapely.Point(117, 33)])
    points.index = pd.Index([7, 3])
    out = transform_geometries(points, "gcj02", ZONE)
    assert list(out.index) == [7, 3]
    assert list(out["name"]) == ["a", "b"]
    assert not out.geometry.has_z.any()


def geodesic_area_km2(features: gpd.GeoDataFrame) -> float:
    return sum(abs(GEOD.geometry_area_perimeter(g)[0]) for g in features.geometry) / 1e6


def test_area_of_bozhou_against_the_official_figure() -> None:
    """Official 8 521 km2. The plane of UTM 50N gives 8 524 after conversion; the ellipsoid gives 8 530.

    UTM shrinks areas by (0.9996)^2 near its meridian: 8 529.7 x 0.99936 = 8 524.3. Areas in this program
    are geodesic, so 8 529.7 (0.10 % above the official figure) is what it reports.
    """
    shifted = gpd.read_file(BOZHOU)
    converted = transform_geometries(shifted, "gcj02", "EPSG:4326")
    assert geodesic_area_km2(converted) == pytest.approx(8529.7, abs=0.1)
    assert geodesic_area_km2(shifted) == pytest.approx(8534.3, abs=0.1)
    assert converted.to_crs("EPSG:32650").area.sum() / 1e6 == pytest.approx(8524.3, abs=0.1)


def mapchina(real_data: Path) -> gpd.GeoDataFrame:
    path = real_data / "boundaries-mapchina-counties" / "counties_anhui_henan_zhejiang_sichuan_chongqing.gpkg"
    counties = gpd.read_file(path)
    return counties.set_index(counties["Code_County"].astype(str))


def centroid_table(counties: gpd.GeoDataFrame) -> pd.DataFrame:
    centroids = counties.to_crs(ZONE).centroid.to_crs("EPSG:4326")
    return pd.DataFrame({"lon": centroids.x, "lat": centroids.y})


@pytest.mark.real_data
def test_boundaries_of_bozhou_are_in_gcj02(real_data: Path) -> None:
    """Converting halves the symmetric difference against WGS-84 boundaries: 248.7 to 123.7 km2."""
    shifted = gpd.read_file(BOZHOU)
    truth = mapchina(real_data).loc[sorted(shifted["id"])].to_crs(ZONE).union_all()
    before = shifted.to_crs(ZONE).union_all().symmetric_difference(truth).area / 1e6
    after = transform_geometries(shifted, "gcj02", ZONE).union_all().symmetric_difference(truth).area / 1e6
    assert before == pytest.approx(248.7, abs=0.5)
    assert after == pytest.approx(123.7, abs=0.5)


def loaded(path: Path, datum: Datum) -> VectorLayer:
    features = transform_geometries(gpd.read_file(path), datum, ZONE)
    return VectorLayer("districts", features, Origin.MAPPED)


@pytest.mark.real_data
@pytest.mark.parametrize("declared", ["wgs84", "cgcs2000", "bd09"])
def test_wrong_datum_of_bozhou_is_named(real_data: Path, declared: Datum) -> None:
    points = centroid_table(mapchina(real_data))
    (finding,) = datum_findings(loaded(BOZHOU, declared), card(declared), points, code_column="id")
    assert finding.severity == "error"
    assert finding.rule == "vector.datum_wrong"
    assert "GCJ-02" in finding.message
    assert 'datum = "gcj02"' in finding.remedy


@pytest.mark.real_data
@pytest.mark.parametrize("code_column", ["id", None])
def test_right_datum_of_bozhou_is_accepted(real_data: Path, code_column: str | None) -> None:
    points = centroid_table(mapchina(real_data))
    assert datum_findings(loaded(BOZHOU, "gcj02"), card("gcj02"), points, code_column=code_column) == []


@pytest.mark.real_data
def test_two_files_of_hangzhou_one_shifted_one_not(real_data: Path) -> None:
    """Five of the thirteen 2021 districts were redrawn; the median does not mind."""
    points = centroid_table(mapchina(real_data))
    amap = real_data / "boundaries-datav-gcj02" / "citys_330100.json"
    survey = real_data / "boundaries-hangzhou-2021" / "hangzhou_counties.geojson"
    assert datum_findings(loaded(amap, "wgs84"), card("wgs84", amap), points)[0].rule == "vector.datum_wrong"
    assert datum_findings(loaded(amap, "gcj02"), card("gcj02", amap), points) == []
    assert datum_findings(loaded(survey, "cgcs2000"), card("cgcs2000", survey), points) == []


def test_points_that_scatter_by_kilometres_do_not_decide() -> None:
    """County label points lie up to 6 km from the centroids: they prove nothing about 500 m."""
    facts = pd.read_csv(BOZHOU.parents[1] / "county-facts.csv", dtype={"county_code": str}).set_index("county_code")
    for declared in ("wgs84", "gcj02"):
        (finding,) = datum_findings(loaded(BOZHOU, declared), card(declared), facts, code_column="id")
        assert (finding.severity, finding.rule) == ("note", "vector.datum_undecided")
    (finding,) = datum_findings(loaded(BOZHOU, "gcj02"), card("gcj02"), facts.iloc[:0], code_column="id")
    assert "only 0 points" in finding.message


@given(st.sampled_from(["wgs84", "gcj02", "bd09"]), st.integers(0, 10_000))
def test_any_shift_is_found_under_noise(datum: Datum, seed: int) -> None:
    """25 points with 100 m of scatter: the standard error is 30 m, the nearest alternative 450 m away."""
    draw = np.random.default_rng(seed)
    truth = np.column_stack([draw.uniform(114, 121, 25), draw.uniform(29, 34, 25)])
    seen = np.column_stack(from_wgs84(*truth.T, datum)) + draw.normal(0, 100 / 111_195, truth.shape)
    assert detect_datum_shift(seen, truth).actual == datum


def test_an_offset_that_is_no_datum_stays_undecided() -> None:
    """Half way to GCJ-02 fits nothing clearly."""
    truth = np.column_stack([np.linspace(115, 117, 9), np.linspace(33, 34, 9)])
    half = (truth + np.column_stack(from_wgs84(*truth.T, "gcj02"))) / 2
    assert detect_datum_shift(half, truth).actual is None
    with pytest.raises(ValueError, match="equal shape"):
        detect_datum_shift(half[:3], truth)


@pytest.mark.real_data
def test_matching_by_name_works_on_degrees_too(real_data: Path) -> None:
    counties = mapchina(real_data)
    points = centroid_table(counties).assign(name=counties["Name_County"])
    shifted = VectorLayer("districts", transform_geometries(gpd.read_file(BOZHOU), "wgs84", "EPSG:4326"), Origin.MAPPED)
    (finding,) = datum_findings(shifted, card("wgs84"), points, name_column="name")
    assert finding.rule == "vector.datum_wrong"
