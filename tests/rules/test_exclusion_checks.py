"""What the check says of exclusions before anything runs: columns, classes, units, kinds, extents, all at once."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rule_samples as s
import shapely

from layers.contracts import InputError
from siting.contracts import HostLayer, SetbackRow
from siting.hosts.types import load_host_types
from siting.land.checks import check_land_inputs, extent_shortage_km, same_unit
from siting.land.eligibility import evaluate_land
from study.checks.all import check_study
from study.checks.rules import exclusion_findings
from study.new import new_study
from study.records import assumptions
from study.study_file import Study, read_study

HOSTS = load_host_types()
SOURCE = 'licence = "own"\norigin = "mapped"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Roads by class, two counties, a class raster, an elevation raster in degrees, and a study that reads them."""
    folder = tmp_path_factory.mktemp("checks")
    roads = gpd.GeoDataFrame(
        {"highway": ["motorway", "track", "track"], "kv": ["110", "220", "x"]},
        geometry=[shapely.LineString([(116.1, 33.4 + k / 10), (116.3, 33.4 + k / 10)]) for k in range(3)],
        crs="EPSG:4326",
    )
    roads.to_file(folder / "roads.gpkg", layer="roads")
    counties = gpd.GeoDataFrame(
        {"name": ["甲县", "乙县"], "code": ["341602", "341621"]},
        geometry=[shapely.box(116.0, 33.4, 116.2, 33.6), shapely.box(116.2, 33.4, 116.4, 33.6)],
        crs="EPSG:4326",
    )
    counties.to_file(folder / "counties.gpkg", layer="counties")
    for name, values in (("cover", np.tile([10, 20], (40, 20))), ("dem", np.full((40, 40), 50))):
        profile = {"driver": "GTiff", "height": 40, "width": 40, "count": 1, "dtype": "int16", "nodata": -1,
                   "crs": "EPSG:4326", "transform": rasterio.Affine(0.02, 0, 115.8, 0, -0.02, 33.9)}  # fmt: skip
        with rasterio.open(folder / f"{name}.tif", "w", **profile) as target:
            target.write(values.astype("int16"), 1)
    return folder


def study(folder: Path, exclusions: str, *, layers: str = "", land: str = "", dem_unit: str = "m") -> Study:
    """A study on the sources of the folder; network and the rest are generated."""
    path = folder / "made" / "made.toml"
    if not path.is_file():
        sizes = {"area_km2": 60.0, "population": 30_000.0, "lon": 116.2, "lat": 33.5, "districts": 1}
        new_study("made", folder / "made", generated=True, **sizes)  # type: ignore[arg-type]
    text = path.read_text("utf-8")
    region = text[text.index("[generated.region]") : text.index("[generated.land]")]
    text = text.replace(region, "").replace("[region]\n", '[region]\ndistricts = "counties"\ncode_column = "code"\n', 1)
    text = text.replace("[land]\n", f"[land]\n{land}", 1)
    sources = ""
    for name, suffix in (("roads", "gpkg"), ("counties", "gpkg")):
        sources += f'\n[sources.{name}]\npath = "../{name}.{suffix}"\nlayer = "{name}"\n{SOURCE}'
    for name, unit in (("cover", "class"), ("dem", dem_unit)):
        sources += f'\n[sources.{name}]\npath = "../{name}.tif"\nunit = "{unit}"\nnodata = -1\n{SOURCE}'
    sources += '\n[layers.roads]\nsource = "roads"\n[layers.cover]\nsource = "cover"\nkind = "classes"\n'
    sources += '\n[layers.height]\nsource = "dem"\nkind = "raster"\n[layers.slope]\nsource = "dem"\nkind = "slope"\n'
    copy = path.with_name("study.toml")
    copy.write_text(text + sources + layers + exclusions, "utf-8")
    return read_study(copy)


def found(folder: Path, exclusions: str, **more: str) -> list[tuple[str, str]]:
    findings = exclusion_findings(study(folder, exclusions, **more))
    return [(f.severity, f.rule) for f in findings if f.rule not in ("terrain.coarse_dem", "rules.extent")]


def row(rule: str, layer: str, **more: object) -> str:
    lines = [f'rule = "{rule}"', f'layer = "{layer}"']
    lines += [f"{key} = {value}" for key, value in more.items()]
    return "\n[[exclusions]]\n" + "\n".join(lines) + "\n"


OWN = {"label_en": '"Own"', "label_zh": '"自定"', "document": '"plan"'}


@pytest.mark.parametrize(
    ("exclusions", "expected"),
    [
        (row("pv_road", "roads"), []),
        (row("pv_slope", "slope"), []),
        (row("pv_slope", "height"), [("error", "rules.unit")]),
        (row("pv_aspect", "slope"), [("error", "rules.unit")]),
        (row("pv_slope", "roads"), [("error", "rules.layer_kind")]),
        (row("pv_slope", "river"), [("error", "rules.layer_kind")]),
        (row("pv_road", "slope"), [("error", "rules.layer_kind")]),
        (row("pv_road", "roads", setback_column='"hihgway"'), [("error", "rules.unknown_column")]),
        (row("pv_road", "roads", setback_column='"highway"'), [("warning", "rules.setback_class")]),
        (row("pv_line", "roads", setback_column='"kv"'), [("warning", "rules.setback_class")]),
        (row("pv_road", "roads", setback_column='"highway"', setbacks="{ motorway = 30, track = 4 }"), []),
        (row("pv_line", "roads", setback_column='"kv"', setbacks_from="{ low = 4 }"),
         [("error", "rules.setback_row"), ("warning", "rules.setback_class")]),
        (row("forest", "roads", classes='["motorway", "tarck"]', class_column='"highway"'),
         [("error", "rules.class_absent")]),
        (row("own", "cover", kind='"raster_classes"', classes="[10, 30]", **OWN), [("warning", "rules.class_absent")]),
        (row("own", "cover", kind='"raster_classes"', classes="[10, 20]", **OWN), []),
        (row("pv_slope", "slope", limit=95), [("error", "rules.absurd_slope")]),
        (row("wind_airport", "roads", setback_m=60000), [("error", "rules.absurd_setback")]),
    ],
)  # fmt: skip
def test_each_fault_of_an_exclusion(folder, exclusions, expected) -> None:
    assert found(folder, exclusions) == expected


def test_the_remedies_name_what_is_near(folder) -> None:
    text = row("pv_road", "roads", setback_column='"hihgway"') + row("pv_slope", "height")
    findings = {f.rule: f for f in exclusion_findings(study(folder, text))}
    assert "'highway'" in findings["rules.unknown_column"].remedy
    assert 'kind = "slope"' in findings["rules.unit"].remedy
    text = row("forest", "roads", classes='["tarck"]', class_column='"highway"')
    text += row("pv_road", "roads", setback_column='"highway"')
    findings = {f.rule: f for f in exclusion_findings(study(folder, text))}
    assert "'track'" in findings["rules.class_absent"].remedy
    assert findings["rules.setback_class"].value == "track (2)"
    assert "2 of 3 features" in findings["rules.setback_class"].message
    assert "20 m" in findings["rules.setback_class"].message


def test_trap_slope_from_a_coarse_dem_is_named_before_the_run(folder) -> None:
    findings = [f for f in exclusion_findings(study(folder, row("pv_slope", "slope"))) if f.rule.startswith("terrain")]
    assert [(f.severity, f.rule) for f in findings] == [("warning", "terrain.coarse_dem")]
    feet = exclusion_findings(study(folder, "", dem_unit="ft"))
    assert "terrain.unit" in {f.rule for f in feet}


def test_class_shares_need_classes(folder) -> None:
    layer = '\n[layers.farm_share]\nsource = "cover"\nkind = "class_share"\n'
    assert found(folder, "", layers=layer) == [("error", "layers.classes")]
    assert found(folder, "", layers=layer + "classes = [10]\n") == []


def test_missing_values_taken_as_known_are_listed_as_an_assumption(folder) -> None:
    said = study(folder, row("pv_slope", "slope", nodata='"eligible"', nodata_reason='"the plain has no slopes"'))
    (listed,) = (a for a in assumptions(said.file) if a.id.startswith("nodata_"))
    assert (listed.value, listed.source) == ("eligible", "the plain has no slopes")
    assert found(folder, row("pv_slope", "slope", nodata='"eligible"')) == [("error", "rules.nodata_reason")]


def test_province_of_the_codes_or_as_the_study_says(folder) -> None:
    from study.sites.rules import study_province

    said = study(folder, "", land='province = "330000"\n')
    assert study_province(said, ["341602"]) == "330000"
    assert study_province(study(folder, ""), ["341602"]) == "340000"


def test_an_extent_that_ends_too_early_names_sides_and_kilometres(folder) -> None:
    """Roads reach from 116.1 to 116.3 E and 33.4 to 33.6 N, the counties from 116.0 to 116.4: 0.1 degree short in the
    west and the east (9.3 km), and nothing beyond the border for a setback of 200 m in the north and the south."""
    (finding,) = [f for f in exclusion_findings(study(folder, row("wind_road", "roads"))) if f.rule == "rules.extent"]
    assert (finding.severity, finding.file) == ("warning", "../roads.gpkg")
    assert finding.value == "west 9.5 km, south 0.2 km, east 9.5 km, north 0.2 km"


def test_shortage_of_an_extent_by_hand() -> None:
    region = (116.0, 33.0, 117.0, 34.0)
    assert extent_shortage_km(region, (115.0, 32.0, 118.0, 35.0), 5000) == {}
    short = extent_shortage_km(region, (116.0, 32.0, 118.0, 33.5), 1000)
    assert short == pytest.approx({"west": 1.0, "north": 56.6})


def test_all_faults_at_once_and_nothing_heavy(folder, monkeypatch) -> None:
    """Six rows, six faults; neither is land generated nor a layer read into memory for it."""
    import layers.generated.land

    monkeypatch.setattr(layers.generated.land, "generate_land", lambda *a, **k: pytest.fail("land was generated"))
    text = row("red_lin", "roads") + row("pv_slope", "slope", limit=95) + row("river", "roads", setback_m=-3)
    text += row("wind_airport", "roads", setback_m=90000) + row("forest", "roads", classes='["a"]')
    text += row("lake", "roads", applies_to='["fish_pnd"]') + row("heritage", "nowhere", known_within='"nowhere_else"')
    rules = [f.rule for f in check_study(study(folder, text)) if f.severity == "error"]
    expected = {
        "rules.unknown", "rules.absurd_slope", "rules.negative_setback", "rules.absurd_setback", "rules.classes",
        "rules.unknown_host", "study.unknown_layers",
    }  # fmt: skip
    assert expected <= set(rules)
    assert rules.count("study.unknown_layers") == 2


# --- loaded layers --------------------------------------------------------------------------------------------------


FIELD = s.layer("field", s.box(0, 0, 100, 100))
POINTS = s.layer("points", s.point(1, 1), kind=["a"])
ON_FIELD = [HostLayer("wind_plain", "field")]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (s.rule(on="points", setback_m=5, classes=("a",), class_column="kind"), []),
        (s.rule(on="points", setback_m=5, classes=("a",), class_column="knid"), ["land.column"]),
        (s.rule(on="points", setback_m=5, classes=("b",), class_column="kind"), ["land.class_absent"]),
        (s.rule(on="points", setback_rows=(SetbackRow(5.0, values=("a",)),), setback_column="kind"), []),
        (s.rule(on="points", setback_rows=(SetbackRow(-5.0, values=("a",)),), setback_column="kind"), ["land.setback"]),
        (s.rule(on="points"), ["land.setback_of_lines"]),
        (s.rule(on="field", known_within="points"), ["land.without_area"]),
        (s.rule(on="field", known_within="nowhere"), ["land.unknown_layer"]),
        (s.rule(on="field", kind="feature_share", share=0.5, features_of="points"), ["land.without_area"]),
        (s.rule(on="v", kind="raster_above", limit=1, unit="degree"), ["land.unit"]),
        (s.rule(on="v", kind="raster_above", limit=1, unit="%"), []),
        (s.rule(on="v", kind="raster_above"), ["land.limit"]),
        (s.rule(on="v", kind="raster_between", low=1), ["land.limit"]),
        (s.rule(on="w", kind="raster_above", limit=1), ["land.unknown_layer"]),
    ],
)
def test_faults_of_rules_on_loaded_layers(rule, found) -> None:
    rasters = [s.raster("v", 1.0, "percent")]
    findings = check_land_inputs(s.region(), [FIELD, POINTS], rasters, ON_FIELD, HOSTS, [rule], (), ())
    assert [f.rule for f in findings] == found
    if found:
        with pytest.raises(InputError):
            evaluate_land(s.region(), [FIELD, POINTS], rasters, ON_FIELD, HOSTS, [rule], mapped_by=())


def test_units_that_are_the_same() -> None:
    assert same_unit("degree", "°")
    assert same_unit("percent", "%")
    assert not same_unit("degree", "degree from north")


@pytest.mark.real_data
def test_hangzhou_has_no_error_and_says_how_far_its_land_use_reaches(real_data) -> None:
    from study.study_file import BUILTIN_STUDIES

    findings = exclusion_findings(read_study(BUILTIN_STUDIES / "hangzhou.toml"))
    assert [f for f in findings if f.severity == "error"] == []
    extents = {f.layer: f.value for f in findings if f.rule == "rules.extent"}
    assert set(extents) == {"landuse", "water"}
    assert extents["landuse"].startswith("west 1")  # the extract covers the city, not the western counties
