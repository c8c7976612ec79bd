"""Vector files: every fault is named, nothing is guessed, the layer arrives in the right place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import affinity

from layers.contracts import Datum, FindingLog, InputError, Origin, SourceCard
from layers.datum import to_wgs84, transform_geometries
from layers.vector import inspect_vector, read_vector

REPOSITORY = Path(__file__).resolve().parents[2]
BOZHOU = REPOSITORY / "data" / "raw" / "bozhou" / "counties.geojson"
ZONE = "EPSG:4548"

SQUARE = shapely.box(116.0, 33.0, 116.01, 33.01)
BOWTIE = shapely.Polygon([(116.0, 33.0), (116.1, 33.1), (116.1, 33.0), (116.0, 33.1)])


def card(
    path: Path,
    datum: Datum | None = None,
    layer: str | None = None,
    where: str | None = None,
    sha256: str | None = None,
) -> SourceCard:
    return SourceCard("ponds", path, f"data/{path.name}", "CC0", Origin.MAPPED, datum, layer, where, sha256=sha256)


def geojson(folder: Path, shapes: list[shapely.Geometry | None], crs: str | None = None) -> Path:
    """A GeoJSON written by hand, because writers refuse what we need (null, empty, bow ties)."""
    features = [
        {
            "type": "Feature",
            "properties": {"row": i},
            "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
        }
        for i, shape in enumerate(shapes)
    ]
    text: dict[str, object] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        text["crs"] = {"type": "name", "properties": {"name": crs}}
    path = folder / "ponds.geojson"
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def package(folder: Path, shapes: list[shapely.Geometry], crs: str | None, layer: str = "ponds") -> Path:
    path = folder / "ponds.gpkg"
    gpd.GeoDataFrame({"row": range(len(shapes))}, geometry=shapes, crs=crs).to_file(path, layer=layer)
    return path


def rules(source: SourceCard) -> list[tuple[str, str]]:
    return [(f.severity, f.rule) for f in inspect_vector(source)]


def test_sound_file_has_no_finding(tmp_path: Path) -> None:
    assert inspect_vector(card(geojson(tmp_path, [SQUARE]), "wgs84")) == []
    assert inspect_vector(card(package(tmp_path, [SQUARE], "EPSG:4490"))) == []


def test_missing_file(tmp_path: Path) -> None:
    (finding,) = inspect_vector(card(tmp_path / "nowhere.gpkg"))
    assert (finding.severity, finding.rule) == ("error", "source.file_missing")
    assert finding.file == "data/nowhere.gpkg"
    assert str(tmp_path) not in "".join((finding.message, finding.value, finding.remedy))


def test_checksum(tmp_path: Path) -> None:
    path = geojson(tmp_path, [SQUARE])
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert rules(card(path, "wgs84", sha256=right)) == []
    assert rules(card(path, "wgs84", sha256="0" * 64)) == [("error", "source.sha256_mismatch")]


def test_geojson_without_crs_needs_a_datum_on_its_card(tmp_path: Path) -> None:
    """Its reader would say WGS-84, and Bozhou would be 530 m off."""
    path = geojson(tmp_path, [SQUARE])
    assert rules(card(path)) == [("error", "vector.crs_missing")]
    with pytest.raises(InputError, match=r"vector\.crs_missing"):
        read_vector(card(path), ZONE)


def test_geojson_that_states_its_crs_needs_none(tmp_path: Path) -> None:
    path = geojson(tmp_path, [SQUARE], "urn:ogc:def:crs:EPSG::4490")
    assert rules(card(path)) == []
    assert rules(card(path, "cgcs2000")) == []
    assert rules(card(path, "wgs84")) == [("warning", "vector.datum_differs_from_crs")]


def test_package_without_crs(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="crs"):
        path = package(tmp_path, [SQUARE], None)
    assert rules(card(path)) == [("error", "vector.crs_missing")]
    assert rules(card(path, "gcj02")) == []


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "EPSG:4548"])
@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_shifted_datum_contradicts_a_stated_crs(tmp_path: Path, crs: str, datum: Datum) -> None:
    shape = gpd.GeoSeries([SQUARE], crs="EPSG:4490").to_crs(crs)[0]
    path = package(tmp_path, [shape], crs)
    assert rules(card(path, datum)) == [("error", "vector.datum_contradicts_crs")]


@pytest.mark.parametrize("crs", ["EPSG:4214", "EPSG:4610", "EPSG:2437"])
def test_old_survey_datums_are_refused(tmp_path: Path, crs: str) -> None:
    """Beijing 1954 and Xian 1980: pyproj would move nothing and be 100 m off."""
    shape = gpd.GeoSeries([SQUARE], crs="EPSG:4490").to_crs(crs)[0]
    assert rules(card(package(tmp_path, [shape], crs))) == [("error", "vector.crs_unsupported")]


def test_empty_layer_and_empty_filter(tmp_path: Path) -> None:
    assert rules(card(geojson(tmp_path, []), "wgs84")) == [("error", "vector.empty_layer")]
    path = package(tmp_path, [SQUARE], "EPSG:4490")
    assert rules(card(path, where="row = 0")) == []
    assert rules(card(path, where="row = 5")) == [("error", "vector.empty_layer")]
    (finding,) = inspect_vector(card(path, where="colour = 'red'"))
    assert (finding.rule, finding.item, finding.value) == ("vector.unreadable", "where", "colour = 'red'")


def test_unknown_and_unnamed_layer(tmp_path: Path) -> None:
    path = package(tmp_path, [SQUARE], "EPSG:4490")
    package(tmp_path, [SQUARE], "EPSG:4490", layer="rivers")
    (finding,) = inspect_vector(card(path, layer="pond"))
    assert finding.rule == "vector.layer_unknown"
    assert "ponds, rivers" in finding.message
    assert rules(card(path)) == [("error", "vector.layer_unknown")]
    assert rules(card(path, layer="rivers")) == []


def test_no_vector_file_at_all(tmp_path: Path) -> None:
    path = tmp_path / "ponds.gpkg"
    path.write_text("not a GeoPackage")
    (finding,) = inspect_vector(card(path))
    assert finding.rule == "vector.unreadable"
    assert str(tmp_path) not in finding.message


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    shapes = [SQUARE, None, shapely.Polygon(), BOWTIE, SQUARE, shapely.box(117, 33, 117.1, 33.1)]
    found = inspect_vector(card(geojson(tmp_path, shapes)))
    assert [(f.severity, f.rule, f.item) for f in found] == [
        ("error", "vector.crs_missing", "crs"),
        ("error", "vector.geometry_missing", "row 1"),
        ("error", "vector.geometry_empty", "row 2"),
        ("error", "vector.geometry_invalid", "row 3"),
        ("warning", "vector.geometry_duplicated", "1 rows"),
    ]
    assert found[3].value == "Self-intersection[116.05 33.05]"
    assert found[4].value == "rows 4"
    assert all(f.message and f.remedy and f.file == "data/ponds.geojson" for f in found)


def test_a_thousand_bad_rows_do_not_drown_the_reader(tmp_path: Path) -> None:
    bad = [affinity.translate(BOWTIE, i * 1e-3) for i in range(50)]
    found = inspect_vector(card(geojson(tmp_path, bad), "wgs84"))
    assert len(found) == 21
    assert found[-1].item == "30 more rows"


def test_sliver_crossing_is_mended_with_a_warning(tmp_path: Path) -> None:
    """A spike of no width on a square: same area with and without; a bow tie is another matter."""
    spike = shapely.Polygon([(116, 33), (116.1, 33), (116.2, 33), (116.1, 33), (116.1, 33.1), (116, 33.1)])
    source = card(geojson(tmp_path, [spike]), "cgcs2000")
    assert rules(source) == [("warning", "vector.geometry_sliver")]
    log = FindingLog()
    features = read_vector(source, ZONE, log=log).features
    assert [f.rule for f in log.findings] == ["vector.geometry_sliver"]
    assert features.geometry.is_valid.all()
    square = gpd.GeoSeries([shapely.box(116, 33, 116.1, 33.1)], crs="EPSG:4490").to_crs(ZONE)
    assert features.area[0] == pytest.approx(square.area[0], rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "severity", "rule", "words"),
    [
        (shapely.box(500_000, 3_700_000, 500_100, 3_700_100), "error", "vector.not_longitude_latitude", "metres"),
        (shapely.box(33.0, 116.0, 33.1, 116.1), "error", "vector.not_longitude_latitude", "degrees"),
        (shapely.box(30.0, 76.0, 31.0, 77.0), "error", "vector.outside_china", "latitude, longitude"),
        (shapely.box(2.0, 48.0, 2.1, 48.1), "error", "vector.outside_china", "73-136 E"),
    ],
)
def test_positions_that_cannot_be(tmp_path: Path, shape, severity: str, rule: str, words: str) -> None:
    (finding,) = inspect_vector(card(geojson(tmp_path, [shape]), "wgs84"))
    assert (finding.severity, finding.rule) == (severity, rule)
    assert words in finding.message


def test_a_neighbour_outside_china_is_only_a_warning(tmp_path: Path) -> None:
    path = geojson(tmp_path, [SQUARE, shapely.box(139, 35, 140, 36)])
    assert rules(card(path, "wgs84")) == [("warning", "vector.outside_china")]


def test_projected_metres_outside_china(tmp_path: Path) -> None:
    path = package(tmp_path, [shapely.box(500_000, 100_000, 500_100, 100_100)], ZONE)
    assert rules(card(path)) == [("error", "vector.outside_china")]


def test_reading_takes_the_shift_away(tmp_path: Path) -> None:
    source = card(geojson(tmp_path, [shapely.Point(116.2, 33.5)]), "bd09")
    layer = read_vector(source, ZONE)
    back = layer.features.to_crs("EPSG:4326").geometry[0]
    lon, lat = to_wgs84(116.2, 33.5, "bd09")
    assert (back.x, back.y) == pytest.approx((float(lon), float(lat)), abs=1e-8)
    assert (layer.id, layer.origin, layer.card) == ("ponds", Origin.MAPPED, source)
    assert layer.features.crs == ZONE


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_window_reads_what_lies_in_it_in_wgs84(tmp_path: Path, datum: Datum) -> None:
    """100 posts at 0.01 degrees; the window holds those whose WGS-84 position is in it, not the file's."""
    lon, lat = np.meshgrid(116 + 0.01 * np.arange(10), 33 + 0.01 * np.arange(10))
    source = card(geojson(tmp_path, list(shapely.points(lon.ravel(), lat.ravel()))), datum)
    window = (116.0251, 33.0251, 116.0651, 33.0751)
    got = read_vector(source, ZONE, bbox_wgs84=window).features["row"].tolist()
    x, y = to_wgs84(lon.ravel(), lat.ravel(), datum)
    inside = (x >= window[0]) & (x <= window[2]) & (y >= window[1]) & (y <= window[3])
    assert got == np.flatnonzero(inside).tolist()
    assert 15 <= len(got) <= 25


def test_window_on_a_projected_file(tmp_path: Path) -> None:
    lon = 116 + 0.1 * np.arange(5)
    posts = gpd.GeoSeries(shapely.points(lon, 33.0), crs="EPSG:4490").to_crs("EPSG:4547")
    source = card(package(tmp_path, list(posts), "EPSG:4547"))
    layer = read_vector(source, ZONE, bbox_wgs84=(116.05, 32.9, 116.25, 33.1))
    assert layer.features["row"].tolist() == [1, 2]
    assert layer.features.to_crs("EPSG:4490").geometry.x.tolist() == pytest.approx([116.1, 116.2], abs=1e-9)


def test_window_without_features_is_said(tmp_path: Path) -> None:
    log = FindingLog()
    layer = read_vector(card(geojson(tmp_path, [SQUARE]), "wgs84"), ZONE, bbox_wgs84=(100, 30, 101, 31), log=log)
    assert len(layer.features) == 0
    assert layer.features.crs == ZONE
    assert [(f.severity, f.rule) for f in log.findings] == [("warning", "vector.nothing_in_window")]


def test_bozhou_reads_with_one_sliver() -> None:
    source = card(BOZHOU, "gcj02")
    assert rules(source) == [("warning", "vector.geometry_sliver")]
    assert rules(card(BOZHOU)) == [("error", "vector.crs_missing"), ("warning", "vector.geometry_sliver")]
    layer = read_vector(source, ZONE)
    assert len(layer.features) == 4
    assert set(layer.features.geom_type) <= {"Polygon", "MultiPolygon"}
    direct = transform_geometries(gpd.read_file(BOZHOU), "gcj02", ZONE)
    assert layer.features.area.sum() == pytest.approx(direct.area.sum(), rel=1e-9)


@pytest.mark.real_data
def test_hangzhou_land_use(real_data: Path) -> None:
    path = real_data / "land-hangzhou-osm" / "hangzhou_osm.gpkg"
    assert rules(card(path, layer="landuse")) == [("warning", "vector.geometry_duplicated")]
    assert rules(card(path, "wgs84", "water")) == [("warning", "vector.geometry_duplicated")]
    farms = read_vector(card(path, layer="landuse", where="fclass = 'farm'"), "EPSG:4549")
    assert farms.features.union_all().area / 1e6 == pytest.approx(22, abs=1)
