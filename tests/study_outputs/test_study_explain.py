"""A site's story: what is told is what the run's tables say, from the folder alone, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from grid.connections.contracts import CONNECTION_OPTIONS
from layers.contracts import InputError
from siting.hourly_store import HourlyStore, write_profiles
from study.explain import SiteStory, explain_site, nearest_ids
from study.exports import write_projects, write_table
from study.labels import Language
from study.story_text import _words, story_text

RULE = {
    "rule": "pv_road:road", "label_zh": "公路退让", "label_en": "Roads", "layer": "road", "kind": "vector",
    "host_types": "fish_pond", "setback_m": 30.0, "limit": np.nan, "share": np.nan, "document": "GB 1",
    "clause": "4.2", "date": "2023-01-01", "confidence": "A", "province": "",
}  # fmt: skip


@pytest.fixture
def run(projects: gpd.GeoDataFrame, substations: pd.DataFrame, upgrades: pd.DataFrame, tmp_path: Path) -> Path:
    """A run folder with the three projects of the conftest; P2 needs the measure u1, P1 lies beside a road.

    Places: P1 115.778 E 33.844 N, P2 and P3 moved 0.1 and 0.3 degrees to the north of it: 11.12 km and 33.36 km.
    """
    folder = tmp_path / "20240101T000000-abcdef01"
    folder.mkdir()
    projects.loc[:, "lon"] = 115.778
    projects.loc[:, "lat"] = [33.844, 33.944, 34.144]
    projects.loc[1, ["upgrade_id", "binding_case", "binding_outage"]] = ["u1", "spring_noon", "t2"]
    write_projects(projects, folder, ["csv", "gpkg"])
    tables = {
        "substations": substations,
        "upgrades": upgrades,
        "land/rules": pd.DataFrame(
            [RULE, RULE | {"rule": "wind_town:town", "label_en": "Towns", "host_types": "plain"},
             RULE | {"rule": "red_line:red", "label_en": "Red line", "host_types": ""}]
        ),
        "land/site_rules": pd.DataFrame(
            {"candidate_id": ["BZ-POND-1"], "rule": ["pv_road:road"], "taken_km2": [0.05], "alone_km2": [0.02]}
        ),
        "land/waterfall_by_district": pd.DataFrame(
            {
                "district_code": ["", "341602", "341602"], "host_type": ["fish_pond"] * 3,
                "rule": ["pv_road:road", "pv_road:road", "red_line:red"], "lost_km2": [9.0, 1.5, 3.0],
                "sole_km2": [9.0, 1.0, 3.0], "shared_km2": [0.0, 0.5, 0.0], "regained_km2": [9.0, 1.0, 3.0],
            }
        ),
        "yield/losses": pd.DataFrame(
            {"variant_id": ["v", "v"], "item": ["reference_yield", "soiling"], "kwh_per_kw": [1000.0, 980.0],
             "loss_share": [0.0, 0.02]}
        ),
        "yield/profile_sites": pd.DataFrame(
            {"candidate_id": ["BZ-POND-1"], "variant_id": ["v"], "capacity_mw": [10.0]}
        ),
        "plan/projects": pd.DataFrame({"candidate_id": ["BZ-POND-2", "BZ-POND-1"], "stage": [2, 1]}),
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")
    write_profiles(_half_power(), folder / "yield" / "profiles.parquet")
    folder.joinpath("manifest.json").write_text(json.dumps({"study": "county", "run_id": folder.name}), "utf-8")
    return folder


def _half_power() -> HourlyStore:
    """A variant at half power all year: a month of d days gives 10 MW x 0.5 x 24 h x d = 120 d MWh."""
    hours = pd.date_range("2023-01-01", periods=8760, freq="h", tz="+08:00")
    sites = pd.DataFrame({"candidate_id": ["BZ-POND-1"], "variant_id": ["v"], "capacity_mw": [10.0]})
    return HourlyStore(("v",), hours, np.full((1, 8760), 0.5, np.float32), sites)


def test_the_story_is_what_the_tables_say(run: Path) -> None:
    story = explain_site(run, "BZ-POND-1")
    assert (story.study, story.run_id, story.sites) == ("county", run.name, 3)
    assert story.project["accepted_mw"] == 10.0
    assert story.monthly_mwh == tuple(120.0 * days for days in (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))
    assert [row["item"] for row in story.losses] == ["reference_yield", "soiling"]
    assert story.station["n_1_mw"] == 60.0
    assert [row["stage"] for row in story.plan] == [1]


def test_rules_of_other_host_types_are_left_out_and_the_nearest_acting_comes_first(run: Path) -> None:
    rules = explain_site(run, "BZ-POND-1").rules
    assert [row["rule"] for row in rules] == ["pv_road:road", "red_line:red"]
    assert (rules[0]["taken_km2"], rules[0]["alone_km2"], rules[0]["lost_km2"]) == (0.05, 0.02, 1.5)
    assert (rules[1]["taken_km2"], rules[1]["lost_km2"]) == (0.0, 3.0)


def test_neighbours_go_by_distance(run: Path) -> None:
    near = explain_site(run, "BZ-POND-1").neighbours
    assert [row["candidate_id"] for row in near] == ["BZ-POND-2", "BZ-WIND-1"]
    np.testing.assert_allclose([float(str(row["distance_km"])) for row in near], [11.12, 33.36], atol=0.01)


@pytest.mark.parametrize("asked", ["bz-pond-2", " BZ-POND-2 ", "2", "#2", '=HYPERLINK("x")', "@cmd|' /C calc'!A0"])
def test_a_site_is_found_by_id_number_or_name(run: Path, asked: str) -> None:
    assert explain_site(run, asked).project["candidate_id"] == "BZ-POND-2"


def test_an_unknown_site_names_the_nearest(run: Path) -> None:
    with pytest.raises(InputError) as caught:
        explain_site(run, "BZ-POND-7")
    (finding,) = caught.value.findings
    assert finding.rule == "explain.unknown_site"
    assert "BZ-POND-1" in finding.remedy
    assert "BZ-POND-2" in finding.remedy
    assert nearest_ids("zzz", ["A", "B"]) == ["A", "B"]


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        explain_site(tmp_path, "BZ-POND-1")
    assert caught.value.findings[0].rule == "run.not_found"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_words_carry_the_figures(run: Path, language: Language) -> None:
    told = story_text(explain_site(run, "BZ-POND-2"), language)
    for figure in ("BZ-POND-2", "2.5", "0.314", "11.1 km"):
        assert figure in told
    assert ("加装180 MVA主变" if language == "zh" else "add a 180 MVA transformer") in told
    assert ("1,800 万元" if language == "zh" else "18.00 million CNY") in told  # 1.8e7 CNY
    assert ("部分接入" if language == "zh" else "In part") in told
    assert "nan" not in told.lower()


def test_rules_are_told_with_document_clause_and_hectares(run: Path) -> None:
    told = story_text(explain_site(run, "1"), "en")
    assert "took 5.0 ha within 300 m of the site, 2.0 ha of it alone; 150.0 ha in the district" in told
    assert "GB 1: 4.2 (2023-01-01) [A]" in told
    assert "soiling -2.0% → 980" in told


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("site", ["1", "2", "3"])
def test_a_bare_run_folder_gives_a_shorter_story_not_a_fault(run: Path, site: str, language: Language) -> None:
    for path in run.rglob("*"):
        if path.is_file() and path.name not in ("projects.gpkg", "manifest.json"):
            path.unlink()
    story = explain_site(run, site)
    assert story.rules == story.losses == story.monthly_mwh == story.plan == ()
    assert str(story.project["candidate_id"]) in story_text(story, language)


def test_options_that_were_compared_are_told_cheapest_first(run: Path) -> None:
    """Own line and bay and missing transformers: 3.0, 2.5 and, forbidden, 0.5 million CNY."""
    assert explain_site(run, "1").options == ()
    option = dict.fromkeys(CONNECTION_OPTIONS.columns, "") | {"candidate_id": "BZ-POND-1", "vn_kv": 110.0}
    rows = [
        option | {"option_id": "far", "station_id": "zhuji", "line_cny": 2e6, "bay_cny": 1e6, "transformer_cny": 0.0},
        option | {"option_id": "near", "station_id": "b", "line_cny": 5e5, "bay_cny": 1e6, "transformer_cny": 1e6},
        option | {"option_id": "none", "station_id": "c", "line_cny": 5e5, "bay_cny": 0.0, "transformer_cny": 0.0},
    ]
    table = pd.DataFrame(rows).assign(feasible=[True, True, False], length_km=[9.0, 2.0, 1.0], reason_en="why")
    write_table(table, run / "loadflow" / "connection_options.csv")
    story = explain_site(run, "1")
    assert [(row["option_id"], row["cost_cny"]) for row in story.options] == [
        ("near", 2.5e6),
        ("far", 3e6),
        ("none", 5e5),
    ]
    told = story_text(story, "en")
    assert "compared: b 110 kV, 2.0 km, 2.50 million CNY with transformers for what lacks headroom: why" in told
    assert explain_site(run, "2").options == ()


def test_json_holds_the_same_and_no_nan(run: Path) -> None:
    story = explain_site(run, "3")
    back = json.loads(story.as_json())
    assert back["project"]["candidate_id"] == "BZ-WIND-1"
    assert back["project"]["score"] is None
    assert back["project"]["district_code"] == "341602"
    assert set(back) == set(SiteStory.__dataclass_fields__)


def test_every_sentence_has_both_languages_and_the_same_places() -> None:
    import string

    for key, row in _words().items():
        fields = [{f for _, f, _, _ in string.Formatter().parse(row[language]) if f} for language in ("zh", "en")]
        assert row["zh"], key
        assert row["en"], key
        assert fields[0] == fields[1], key


def test_a_run_with_a_study_of_connections_hands_on_its_options_one_without_does_not() -> None:
    from types import SimpleNamespace
    from typing import Any

    from study.story_tables import connection_study

    def results(*names: str) -> Any:
        return SimpleNamespace(stages=[SimpleNamespace(name=name) for name in names], get=lambda name: f"the {name}")

    assert connection_study(results("land", "connection_study")) == "the connection_study"
    assert connection_study(results("land", "connections")) is None
