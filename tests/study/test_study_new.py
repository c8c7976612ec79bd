"""A study file to start from: complete, commented, never over another file."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path

import pytest
import study_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from layers.contracts import InputError
from study.checks.all import check_study
from study.new import TEMPLATES, fill, nearest_place, new_study, study_code
from study.schema.file import StudyFile
from study.study_file import read_study

SIZES = {"area_km2": 1500.0, "population": 800_000.0, "lon": 116.2, "lat": 33.5, "districts": 3}


def test_a_generated_study_is_complete_and_its_check_finds_no_error(tmp_path: Path) -> None:
    path = new_study("my-city", tmp_path / "studies", generated=True, **SIZES)
    read = read_study(path)
    assert path == tmp_path / "studies" / "my-city.toml"
    assert read.findings == ()
    assert [f for f in check_study(read) if f.severity == "error"] == []


def test_the_figures_given_are_the_figures_written(tmp_path: Path) -> None:
    file = read_study(new_study("my-city", tmp_path, generated=True, **SIZES)).file
    region = file.generated.region
    assert region is not None
    assert (region.area_km2, region.population, region.centre_lon, region.centre_lat) == (1500, 800_000, 116.2, 33.5)
    assert region.count == 3
    assert file.study.code == "MC"
    # 800 000 people x 0.8 kW = 640 MW: a 500 kV infeed
    assert file.generated.demand is not None
    assert file.generated.demand.peak_mw == 640
    assert [(s.vn_kv, s.status, s.district) for s in file.network.stations] == [(500, "outside", "")]


def test_a_village_gets_a_220_kv_infeed_and_a_province_a_coarser_frame(tmp_path: Path) -> None:
    village = read_study(new_study("v", tmp_path, generated=True, **{**SIZES, "area_km2": 25, "population": 3000})).file
    province = read_study(
        new_study("p", tmp_path, generated=True, **{**SIZES, "area_km2": 140_000, "population": 6e7, "districts": 100})
    ).file
    assert [s.vn_kv for s in village.network.stations] == [220]
    assert village.generated.demand is not None
    assert village.generated.demand.peak_mw == 2.4
    # 140 000 km2 / (30 m)^2 = 156 million cells: starts at 60 m
    assert (village.region.resolution_m, province.region.resolution_m) == (30, 60)


NEAREST = [
    (116.2, 33.5, "Bozhou", "north_anhui_plain", "wind_plain"),
    (120.2, 30.2, "Hangzhou", "hills", "wind_hill"),
    (113.6, 34.7, "Zhengzhou (Henan)", "north_anhui_plain", "wind_plain"),
    (106.6, 30.5, "Guang'an (Nanchong station)", "hills", "wind_hill"),
]


@pytest.mark.parametrize(("lon", "lat", "place", "profile", "wind"), NEAREST, ids=[row[2][:8] for row in NEAREST])
def test_weather_and_land_come_from_the_nearest_place(
    tmp_path: Path, lon: float, lat: float, place: str, profile: str, wind: str
) -> None:
    file = read_study(new_study("s", tmp_path, generated=True, **{**SIZES, "lon": lon, "lat": lat})).file
    assert file.generated.weather is not None
    assert file.generated.land is not None
    assert file.generated.weather.place == place
    assert file.generated.land.profile == profile
    assert file.hosts[-1].host_type == wind


def test_distance_to_the_nearest_place_by_hand() -> None:
    # Bozhou station 33.87 N 115.77 E; from 33.5 N 116.2 E: 0.37 deg N = 41.1 km, 0.43 deg x cos 33.69 = 39.8 km
    place = nearest_place(116.2, 33.5)
    assert place.name == "Bozhou"
    assert place.distance_km == pytest.approx(math.hypot(41.14, 39.78), rel=1e-3)


@pytest.mark.parametrize("generated", [True, False])
def test_an_existing_study_is_never_overwritten(tmp_path: Path, generated: bool) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# precious\n", "utf-8")
    before = samples.snapshot(tmp_path)
    with pytest.raises(InputError) as caught:
        new_study("mine", tmp_path, generated=generated, **SIZES)
    (finding,) = caught.value.findings
    assert (finding.rule, finding.file) == ("new.exists", "mine.toml")
    assert "another name" in finding.remedy
    assert samples.snapshot(tmp_path) == before


def test_a_file_of_another_kind_in_the_schemas_place_is_kept(tmp_path: Path) -> None:
    (tmp_path / "study.schema.json").write_text('{"title": "mine"}', "utf-8")
    before = samples.snapshot(tmp_path)
    with pytest.raises(InputError) as caught:
        new_study("mine", tmp_path, generated=True, **SIZES)
    assert [f.rule for f in caught.value.findings] == ["new.schema_exists"]
    assert samples.snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "-x", "城市", "a.toml", "x" * 65, "a\n"])
def test_a_name_that_is_no_file_name_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        new_study(name, tmp_path / "studies", generated=True, **SIZES)
    assert [f.rule for f in caught.value.findings] == ["new.name"]
    assert samples.snapshot(tmp_path) == {}


def test_every_size_out_of_range_is_named_at_once(tmp_path: Path) -> None:
    wrong = {"area_km2": 0.0, "population": math.nan, "lon": 2.3, "lat": 89.0, "districts": 0}
    with pytest.raises(InputError) as caught:
        new_study("s", tmp_path, generated=True, **wrong)  # type: ignore[arg-type]
    assert {f.item for f in caught.value.findings} == set(wrong)
    assert samples.snapshot(tmp_path) == {}


CODES = [("my-city", "MC"), ("bozhou", "BOZH"), ("a", "AX"), ("a_b-c-d-e-f-g-h", "ABCDEF"), ("x1", "X1"), ("a-", "AX")]


@pytest.mark.parametrize(("name", "code"), CODES)
def test_codes(name: str, code: str) -> None:
    assert study_code(name) == code
    assert re.fullmatch("[A-Z0-9]{2,6}", code)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}", fullmatch=True))
def test_every_valid_name_has_a_code_that_the_schema_takes(name: str) -> None:
    assert re.fullmatch("[A-Z0-9]{2,6}", study_code(name))


@pytest.mark.parametrize("generated", [True, False])
def test_editors_find_the_schema_by_the_first_line(tmp_path: Path, generated: bool) -> None:
    path = new_study("s", tmp_path, generated=generated, **SIZES)
    first = path.read_text("utf-8").splitlines()[0]
    assert first == "#:schema ./study.schema.json"
    assert json.loads((tmp_path / "study.schema.json").read_text("utf-8")) == StudyFile.model_json_schema()
    new_study("second", tmp_path, generated=generated, **SIZES)  # the program's own schema may be renewed


@pytest.mark.parametrize("template", ["generated.toml", "own_data.toml"])
def test_every_section_of_the_schema_is_shown(template: str) -> None:
    """Each part of a study stands in the template, in use or as a comment to take up."""
    text = (TEMPLATES / template).read_text("utf-8")
    shown = set(re.findall(r"^#?\s?\[+([a-z]+)", text, flags=re.MULTILINE))
    optional = {"layers"} if template == "generated.toml" else {"generated"}
    assert set(StudyFile.model_fields) - optional - {"demand"} <= shown


@pytest.mark.parametrize("template", ["generated.toml", "own_data.toml"])
def test_comments_are_in_chinese_and_english(template: str) -> None:
    lines = (TEMPLATES / template).read_text("utf-8").splitlines()
    heads = [line for line in lines if line.startswith("# --- ")]
    assert len(heads) >= 8
    assert all(re.search("[\u4e00-\u9fff]", head) and re.search("[a-z]{4}", head) for head in heads)


def test_a_figure_that_a_template_lacks_is_an_error() -> None:
    assert fill("a {{x}} b", {"x": "1"}) == "a 1 b"
    with pytest.raises(KeyError):
        fill("{{y}}", {"x": "1"})


def test_the_users_own_files_are_named_one_by_one(tmp_path: Path) -> None:
    read = read_study(new_study("mine", tmp_path, generated=False, **SIZES))
    assert read.findings == ()
    errors = [f for f in check_study(read) if f.severity == "error"]
    missing = {card.path for card in read.file.sources.values()}
    assert missing <= {f.file for f in errors}
    assert any("mine-network" in f.file for f in errors)
    assert all("mine" in f.file and f.remedy for f in errors)  # and nothing else is wrong with the template


def test_the_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    first = new_study("s", tmp_path / "a", generated=True, **SIZES)
    second = new_study("s", tmp_path / "b", generated=True, **SIZES)
    assert first.read_bytes() == second.read_bytes()
    assert tomllib.loads(first.read_text("utf-8"))["study"]["name"] == "s"
