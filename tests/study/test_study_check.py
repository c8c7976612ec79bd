"""``fengguang check``: everything that is wrong, in one report, nothing written."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import study_samples as samples

from layers.contracts import Finding
from maps.tiles import BaseTiles
from study.checks.all import check_study
from study.outputs.base_tiles import base_tiles
from study.study_file import BUILTIN_STUDIES, PROGRAM_ROOT, Study, read_study


@dataclass(frozen=True)
class Planted:
    """A fault, and the finding that must name it."""

    fault: str
    rule: str
    file: str
    item: str
    value: str


PLANTED = (
    Planted("missing CRS", "vector.crs_missing", "ponds.geojson", "crs", "none"),
    Planted("wrong datum", "vector.datum_wrong", "counties.geojson", "datum", "wgs84"),
    Planted("self-crossing polygon", "vector.geometry_invalid", "villages.geojson", "row 1", "Self-intersection"),
    Planted("empty layer", "vector.empty_layer", "roads.geojson", "features", "0"),
    Planted("negative setback", "rules.negative_setback", "faulty.toml", "wind_road", "-50"),
    Planted("unknown host type", "hosts.unknown_type", "faulty.toml", "row 1", "fish_pnod"),
    Planted("weights that do not add up", "criteria.weights", "faulty.toml", "weight", "1.1"),
    Planted("EPW with a gap", "epw.", "station.epw", "", ""),
    Planted("isolated bus", "network.", "buses", "c/110", ""),
    Planted("transformer ratio off by 10", "network.", "transformers", "a/T1", ""),
)

STUDY = """
[study]
name = "faulty"
code = "FY"
title_zh = "错误"
title_en = "Faulty"

[region]
districts = "counties"
facts = "facts"

[sources.counties]
path = "counties.geojson"
licence = "MIT"
datum = "wgs84"
origin = "mapped"

[sources.facts]
path = "facts.csv"
licence = "facts"
origin = "mapped"

[sources.ponds]
path = "ponds.geojson"
licence = "own"
origin = "mapped"

[sources.villages]
path = "villages.geojson"
licence = "own"
datum = "wgs84"
origin = "mapped"

[sources.roads]
path = "roads.geojson"
licence = "own"
datum = "wgs84"
origin = "mapped"

[sources.epw]
path = "station.epw"
licence = "own"
origin = "measured"

[layers.pond]
source = "ponds"

[layers.village]
source = "villages"

[layers.road]
source = "roads"

[[hosts]]
host_type = "fish_pnod"
layer = "pond"

[[exclusions]]
rule = "wind_dwelling"
layer = "village"

[[exclusions]]
rule = "wind_road"
layer = "road"
setback_m = -50

[[criteria]]
id = "cost"
label_zh = "度电成本"
label_en = "Cost"
weight = 0.6
source = "yield.lcoe_cny_per_kwh"
worst = 0.5
best = 0.2

[[criteria]]
id = "size"
label_zh = "规模"
label_en = "Size"
weight = 0.5
source = "candidate.capacity_mw"
worst = 1
best = 60

[[weather]]
id = "station"
source = "epw"

[network]
kind = "tables"
folder = "network"

[[cases]]
id = "peak"
label_zh = "高峰"
label_en = "Peak"
load_share = 1.0
pv_share = 0.0
wind_share = 0.1
"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with ten planted faults."""
    from grid.network_tables import write_network

    folder = tmp_path_factory.mktemp("faulty")
    counties = samples.copy_counties(folder)
    samples.write_facts(counties, folder / "facts.csv")
    samples.write_geojson(folder / "ponds.geojson", [samples.square(116.2, 33.4)])
    samples.write_geojson(folder / "villages.geojson", [samples.square(116.3, 33.4), samples.bow_tie(116.4, 33.4)])
    samples.write_geojson(folder / "roads.geojson", [])
    samples.write_epw(folder / "station.epw", without_rows=range(3000, 3005))
    write_network(samples.small_network(isolated_bus=True, ratio_factor=0.1), folder / "network")
    path = folder / "faulty.toml"
    path.write_text(STUDY, "utf-8")
    return path


def run_check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study.cli", "check", str(path)]
    return subprocess.run(command, cwd=path.parent, env=_environment(), capture_output=True, text=True, check=False)


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(PROGRAM_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}


def test_ten_planted_faults_come_in_one_report_with_file_item_value_rule_and_remedy(faulty: Path) -> None:
    errors = [f for f in check_study(read_study(faulty)) if f.severity == "error"]
    for planted in PLANTED:
        assert any(_names(finding, planted) for finding in errors), (planted, errors)
    assert all(f.file and f.item and f.rule and f.message and f.remedy for f in errors)
    assert len(errors) == len(PLANTED), [f for f in errors if not any(_names(f, p) for p in PLANTED)]


def _names(finding: Finding, planted: Planted) -> bool:
    return (
        finding.rule.startswith(planted.rule)
        and planted.file in f"{finding.file} {finding.layer}"
        and planted.item in finding.item
        and planted.value in finding.value
    )


def test_the_command_prints_all_ten_ends_with_2_and_writes_nothing(faulty: Path) -> None:
    before, runs = samples.snapshot(faulty.parent), sorted((PROGRAM_ROOT / "data" / "processed").glob("faulty*"))
    ended = run_check(faulty)
    assert ended.returncode == 2, ended.stderr
    assert samples.snapshot(faulty.parent) == before
    assert sorted((PROGRAM_ROOT / "data" / "processed").glob("faulty*")) == runs
    for planted in PLANTED:
        assert planted.rule in ended.stderr
        assert planted.item in ended.stderr
    assert "10 error(s)" in ended.stderr
    assert str(faulty.parent) not in ended.stderr


# --- one at a time --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bozhou() -> Study:
    return read_study(BUILTIN_STUDIES / "bozhou.toml")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return samples.read_generated(tmp_path_factory.mktemp("sound"))


TILES = {"url": "https://tiles.example/{z}/{x}/{y}.png", "datum": "gcj02", "attribution": "Example"}

FAULTS: list[tuple[dict[str, Any], str, str, str]] = [
    # change to a sound generated study, rule, item, part of the remedy
    ({"criteria.0.weight": float("nan")}, "criteria.weights", "weight", "add up to 1"),
    ({"criteria.0.weight": -0.4, "criteria.1.weight": 1.1}, "criteria.weight_sign", "cost", "0 or more"),
    ({"criteria.0.best": 0.45}, "criteria.value_function", "cost", "counts fully"),
    ({"criteria.0.source": "yield.lcoe_cny_per_kw"}, "criteria.source", "cost", "yield.lcoe_cny_per_kwh"),
    ({"criteria.3.source": "distance:roud"}, "study.unknown_layers", "road", "'road'"),
    ({"criteria.1.id": "cost"}, "criteria.duplicate", "cost", "an id of its own"),
    ({"cases.1.id": "windy_night"}, "cases.duplicate", "windy_night", "an id of its own"),
    ({"cases.0.fuel_shares": {"cole": 0.9}}, "cases.unknown_fuel", "fuel_shares", "'coal'"),
    ({"cases.0.fuel_shares": {"coal": 90.0}}, "cases.fuel_share", "coal", "share"),
    ({"cases": []}, "study.missing", "cases", "Name"),
    ({"hosts.0.layer": "factory_rof"}, "study.unknown_layers", "", "'factory_roof'"),
    ({"exclusions.0.rule": "red_lin"}, "rules.unknown", "red_lin", "'red_line'"),
    ({"exclusions.0.applies_to": ["fish_pont"]}, "rules.unknown_host", "red_line", "'fish_pond'"),
    ({"exclusions.0.setback_m": float("inf")}, "rules.negative_setback", "red_line", "metres"),
    ({"land.rules": "cn-2025"}, "rules.unknown_pack", "land", "cn-2024"),
    ({"land.mapped_by": ["vilage"]}, "study.unknown_layers", "mapped_by", "'village'"),
    ({"generated.weather.place": "Bozou"}, "weather.unknown_place", "place", "'Bozhou'"),
    ({"generated.weather.year": 2024}, "weather.leap_year", "year", "365 days"),
    ({"generated.weather.normals": "normal"}, "study.unknown_sources", "normals", "'normals'"),
    ({"region.crs": "EPSG:99999"}, "region.crs_unknown", "crs", "auto"),
    ({"region.crs": "EPSG:4490"}, "region.crs_not_metric", "crs", "auto"),
    ({"sources.normals.path": "builtin:/nowhere.csv"}, "source.file_missing", "path", "'normals'"),
    ({"sources.normals.sha256": "0" * 64}, "source.sha256_mismatch", "sha256", "'normals'"),
    ({"outputs.base_tiles": TILES | {"url": "javascript:alert(1)"}}, "tiles.url", "url", "https://host/"),
    ({"outputs.base_tiles": TILES | {"datum": "bd09"}}, "tiles.datum", "datum", "GCJ-02"),
    ({"outputs.base_tiles": TILES | {"attribution": " "}}, "tiles.attribution", "attribution", "terms of use"),
]


def test_base_tiles_are_taken_with_their_datum_and_a_key_in_their_address_is_told(sound: Study) -> None:
    good = samples.changed(sound, {"outputs.base_tiles": TILES})
    assert [f for f in check_study(good) if f.rule.startswith("tiles.")] == []
    assert base_tiles(good.file) == BaseTiles(TILES["url"], "底图", "Base map", "gcj02", "Example")
    assert base_tiles(sound.file) is None
    (block,) = re.findall(
        r"```toml\n(\[outputs\.base_tiles\].*?)```", (PROGRAM_ROOT / "docs/recipes.md").read_text("utf-8"), re.S
    )
    recipe = samples.changed(sound, {"outputs.base_tiles": tomllib.loads(block)["outputs"]["base_tiles"]})
    assert [f for f in check_study(recipe) if f.rule.startswith("tiles.")] == []
    keyed = samples.changed(sound, {"outputs.base_tiles": TILES | {"url": TILES["url"] + "?tk=0123456789"}})
    (found,) = (f for f in check_study(keyed) if f.rule.startswith("tiles."))
    assert (found.severity, found.rule) == ("warning", "tiles.key")
    assert "0123456789" not in str(found)


@pytest.mark.parametrize(
    ("change", "rule", "item", "remedy"), FAULTS, ids=[f"{row[1]}-{next(iter(row[0]))}" for row in FAULTS]
)
def test_each_fault_is_named(sound: Study, change: dict[str, Any], rule: str, item: str, remedy: str) -> None:
    errors = [f for f in check_study(samples.changed(sound, change)) if f.severity == "error"]
    assert [f for f in errors if f.rule == rule and item in f.item and remedy in f.remedy], errors


def test_an_unknown_land_profile_is_named(sound: Study) -> None:
    errors = check_study(samples.changed(sound, {"generated.land.profile": "hils"}))
    assert any("hils" in f"{f.value}{f.message}" and "hills" in f"{f.message}{f.remedy}" for f in errors)


REGION_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"region.name_zh_column": "nam"}, "region.unknown_column", "'name'"),
    ({"region.code_column": "adcode"}, "region.unknown_column", "Its columns"),
    ({"region.only": ["谯城"]}, "region.unknown_district", "'谯城区'"),
    ({"region.districts": "countys"}, "study.unknown_sources", "'counties'"),
    ({"sources.facts.path": "builtin:/climate-normals.csv"}, "table.column_missing", "Add it"),
    ({"network.stations.2.district": "焦城区"}, "network.unknown_district", "'谯城区'"),
    ({"network.plants.0.district": "利辛"}, "network.unknown_district", "'利辛县'"),
    ({"network.kind": "osm"}, "study.missing", "network.lines_source"),
]


@pytest.mark.parametrize(
    ("change", "rule", "remedy"), REGION_FAULTS, ids=[row[1] + str(i) for i, row in enumerate(REGION_FAULTS)]
)
def test_faults_of_the_region_are_named(bozhou: Study, change: dict[str, Any], rule: str, remedy: str) -> None:
    errors = [f for f in check_study(samples.changed(bozhou, change)) if f.severity == "error"]
    assert [f for f in errors if f.rule == rule and remedy in f.remedy], errors


def test_the_built_in_study_has_no_error(bozhou: Study) -> None:
    assert [f for f in check_study(bozhou) if f.severity == "error"] == []


def test_a_filter_that_leaves_nothing_is_an_empty_layer(tmp_path: Path) -> None:
    """Each filter is looked at, and rows are named once, not again under every filter."""
    samples.write_geojson(tmp_path / "land.geojson", [samples.square(116, 33), samples.bow_tie(117, 33)])
    sources = {"land": {"path": "land.geojson", "licence": "own", "origin": "mapped", "datum": "wgs84"}}
    layers = {
        "all": {"source": "land"},
        "first": {"source": "land", "where": "name = 'f0'"},
        "none": {"source": "land", "where": "name = 'f9'"},
        "wrong": {"source": "land", "where": "nam = 'f0'"},
    }
    study = samples.read_generated(tmp_path)
    file = study.file.model_dump(mode="json", exclude_none=True)
    checked = samples.changed(study, {"layers": layers, "sources": {**file["sources"], **sources}})
    found = [f for f in check_study(checked) if f.file == "land.geojson" and f.severity == "error"]
    assert sorted((f.rule, f.item) for f in found) == [
        ("vector.empty_layer", "features"),
        ("vector.geometry_invalid", "row 1"),
        ("vector.unreadable", "where"),
    ]


def test_sources_that_nothing_reads_are_left_alone(sound: Study) -> None:
    extra = {"path": "nowhere.geojson", "licence": "x", "origin": "mapped"}
    assert check_study(samples.changed(sound, {"sources.spare": extra})) == check_study(sound)


def test_trap_boundaries_without_crs_declared_but_in_gcj_02(tmp_path: Path) -> None:
    """The same boundaries under their true datum pass against the same points."""
    counties = samples.copy_counties(tmp_path)
    samples.write_facts(counties, tmp_path / "facts.csv")
    path = tmp_path / "b.toml"
    path.write_text((BUILTIN_STUDIES / "bozhou.toml").read_text("utf-8"), "utf-8")
    samples.edited(
        path, ("builtin:/bozhou/counties.geojson", "counties.geojson"), ("builtin:/county-facts.csv", "facts.csv")
    )
    study = read_study(path)
    rules = {
        datum: {f.rule for f in check_study(samples.changed(study, {"sources.counties.datum": datum}))}
        for datum in ("gcj02", "wgs84", "cgcs2000", "bd09")
    }
    wrong = {datum: any(rule.startswith("vector.datum") for rule in found) for datum, found in rules.items()}
    assert wrong == {"gcj02": False, "wgs84": True, "cgcs2000": True, "bd09": True}


def test_findings_come_errors_first_and_the_same_each_time(faulty: Path) -> None:
    first, second = check_study(read_study(faulty)), check_study(read_study(faulty))
    assert first == second
    order = [("error", "warning", "note").index(f.severity) for f in first]
    assert order == sorted(order)


def test_own_standard_tables_are_checked_with_the_rest(tmp_path):
    path = samples.generated_study(tmp_path)
    folder = path.parent / "standards"
    folder.mkdir()
    (folder / "seasons.csv").write_text("season,ambient\nsummer,40\n", encoding="utf-8")
    samples.edited(path, ("[network]\n", '[network]\nstandards = "standards"\n'))
    found = [f for f in check_study(read_study(path)) if f.rule.startswith("standards.")]
    assert {f.file for f in found} == {"standards/seasons.csv"}
    assert len(found) > 2
