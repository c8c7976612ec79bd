"""A site's story: what is told is what the run's tables say, from the folder alone, in both languages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from grid.connections.contracts import CONNECTION_OPTIONS
from layers.contracts import InputError
from siting.yields.hourly_store import HourlyStore, write_profiles
from study.outputs.exports import write_projects, write_table
from study.outputs.labels import Language
from study.story.explain import SiteStory, explain_site, nearest_ids
from study.story.teller import Teller, words
from study.story.text import story_text

RULE = {
    "rule": "pv_road:road", "label_zh": "公路退让", "label_en": "Roads", "layer": "road", "kind": "vector",
    "host_types": "fish_pond", "setback_m": 30.0, "limit": np.nan, "share": np.nan, "document": "GB 1",
    "clause": "4.2", "date": "2023-01-01", "confidence": "A", "province": "",
}  # fmt: skip

PLANNED = {
    "order": 1, "candidate_id": "BZ-POND-1", "stage": "2030", "planned_mw": 4.0, "planned_capacity_mw": 5.0,
    "storage_mwh": 1.6, "p50_mwh": 6000.0, "p90_mwh": 5400.0, "lcoe_cny_per_kwh": 0.3214, "station_zh": "朱集",
    "station_en": "Zhuji", "connection_kv": 110.0, "connection_km": 3.25, "own_upgrade_cny": 5.2e6,
    "shared_upgrades": "m1", "shared_upgrade_cny": 7e6, "verdict": "build_part",
    "reason_zh": "建设40%；noon方式下线路载流：L1（L1/2停运后）",
    "reason_en": "40% of it; line loading in noon: L1 after loss of L1/2",
}  # fmt: skip
NOT_PLANNED = {
    "order": 2, "candidate_id": "BZ-POND-2", "stage": "", "planned_mw": 0.0, "shared_upgrades": "",
    "verdict": "not_needed",
    "reason_zh": "目标由成本更低的场址满足", "reason_en": "cheaper sites meet the targets",
}  # fmt: skip
MEASURE = {
    "order": 1, "measure_id": "m1", "kind": "add_transformer", "element": "T1", "description_zh": "朱集加装主变",
    "description_en": "add a transformer at Zhuji", "stage": 2030, "investment_cny": 1.8e7, "annual_cost_cny": 1e6,
    "unlocked_mw": 50.0, "cny_per_mw": 3.6e5, "cost_confidence": "C",
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
        "plan/sites": pd.DataFrame([PLANNED, PLANNED | NOT_PLANNED]),
        "plan/measures": pd.DataFrame([MEASURE, MEASURE | {"measure_id": "m2"}]),
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
    assert (story.plan["stage"], story.planned_sites) == (2030, 2)
    assert [row["measure_id"] for row in story.plan_measures] == ["m1"]


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
    assert story.rules == story.losses == story.monthly_mwh == story.plan_measures == ()
    assert not story.plan
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


def test_the_plan_is_told_in_sentences(run: Path) -> None:
    """4 of the site's 10 MW at the grid; what it needs, whose share it pays, and why not more."""
    told = story_text(explain_site(run, "BZ-POND-1"), "en")
    grid = f"{explain_site(run, 'BZ-POND-1').project['grid_capacity_mw']:.1f}"
    assert f"no. 1 of 2 in the plan's list: built in part from 2030, by the last stage 4.0 of {grid} MW" in told
    assert "connects to Zhuji 110 kV by 3.2 km of line, 5.20 million CNY of its own" in told
    assert "needs: add a transformer at Zhuji, in place by 2030, 18.00 million CNY [C]" in told
    assert "its share of these measures by use: 7.00 million CNY" in told
    assert "1.6 MWh of the storage" in told
    assert "P50 6.0, P90 5.4 GWh a year; cost of energy with connection and shared measures 0.321 CNY/kWh" in told
    chinese = story_text(explain_site(run, "BZ-POND-1"), "zh")
    assert "需要措施：朱集加装主变，2030 年投运，投资 1,800 万元（可信度 C）" in chinese
    assert "planned_mw" not in told + chinese


@pytest.mark.parametrize(
    ("language", "why"), [("zh", "目标由成本更低的场址满足"), ("en", "cheaper sites meet the targets")]
)
def test_a_site_that_the_plan_leaves_out_says_why(run: Path, language: Language, why: str) -> None:
    told = story_text(explain_site(run, "BZ-POND-2"), language)
    assert why in told
    assert ("不建设本场址" if language == "zh" else "not built") in told
    assert words()["plan_differs"][language] in told  # the verdict by order accepts part of it
    absent = story_text(explain_site(run, "BZ-WIND-1"), language)
    assert ("未列入规划项目表" if language == "zh" else "not among the 2 sites") in absent


def test_ids_in_a_reason_become_names_whole_ids_only(run: Path) -> None:
    story = explain_site(run, "1")
    named = replace(
        story,
        names={"L1": ("甲线", "line A"), "L1/2": ("乙线", "line B"), "noon": ("x", "x")},
        cases=({"case": "noon", "label_zh": "午间", "label_en": "Noon"},),
    )
    assert Teller(named, "en").named("line loading in noon: L1 after loss of L1/2, L12") == (
        "line loading in x: line A after loss of line B, L12"
    )
    named = replace(named, names={"L1": ("甲线", "line A")})
    assert Teller(named, "zh").named("noon方式下线路载流：L1（L1停运后）") == "午间方式下线路载流：甲线（甲线停运后）"


def test_json_holds_the_same_and_no_nan(run: Path) -> None:
    story = explain_site(run, "3")
    back = json.loads(story.as_json())
    assert back["project"]["candidate_id"] == "BZ-WIND-1"
    assert back["project"]["score"] is None
    assert back["project"]["district_code"] == "341602"
    assert set(back) == set(SiteStory.__dataclass_fields__)


def test_every_sentence_has_both_languages_and_the_same_places() -> None:
    import string

    for key, row in words().items():
        fields = [{f for _, f, _, _ in string.Formatter().parse(row[language]) if f} for language in ("zh", "en")]
        assert row["zh"], key
        assert row["en"], key
        assert fields[0] == fields[1], key


def test_a_verdict_tells_its_reason_in_names(run: Path) -> None:
    story = explain_site(run, "BZ-POND-1")
    reason = "0.0 of 10.0 MW now; line loading in noon: L1 after loss of L9#1"
    project = {**story.project, "verdict": "refused", "reason_en": reason}
    refused = replace(story, project=project, names={"L1": ("甲乙线", "Jia to Yi")})
    told = "0.0 of 10.0 MW now; line loading in noon: Jia to Yi after loss of L9#1"
    assert f"Refused: {told}" in story_text(refused, "en")


def test_an_agreement_of_the_plan_is_told_by_its_yearly_cost(run: Path) -> None:
    """It has no investment: what it costs is paid by the MWh."""
    story = explain_site(run, "BZ-POND-1")
    contract = {**MEASURE, "kind": "curtailment_contract", "description_en": "curtailment contract at Zhuji",
                "investment_cny": 0.0, "annual_cost_cny": 2.5e6, "called_mwh": 6250.0}  # fmt: skip
    told = story_text(replace(story, plan_measures=(contract, MEASURE)), "en")
    assert (
        "needs the agreement: curtailment contract at Zhuji, from 2030, 2.50 million CNY a year, "
        "6,250 MWh called in a year [C]" in told
    )
    assert "needs: add a transformer at Zhuji, in place by 2030, 18.00 million CNY [C]" in told


def test_criteria_have_units_and_months_names(run: Path) -> None:
    story = explain_site(run, "BZ-POND-1")
    row = {"criterion": "road", "label_zh": "距公路距离", "label_en": "Distance to a road", "weight": 0.2,
           "source": "distance:road", "value": 12.345, "utility": 0.5}  # fmt: skip
    scored = replace(story, project={**story.project, "score": 0.5}, criteria=(row,), monthly_mwh=(1500.0,) * 12)
    assert "距公路距离：12.3 km，得分 0.50，权重 0.20" in story_text(scored, "zh")
    assert "Distance to a road: 12.3 km, scores 0.50" in story_text(scored, "en")
    assert "1月 1.5；2月 1.5" in story_text(scored, "zh")
    assert "Jan 1.5; Feb 1.5" in story_text(scored, "en")
