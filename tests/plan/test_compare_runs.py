"""Two run folders side by side."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from layers.contracts import InputError
from study.cli import app
from study.outputs.exports import write_table
from study.run_folder.compare import compare_runs
from study.run_folder.compare_words import in_words


def run_folder(folder, mw, cost, measures, missing):
    plan = folder / "plan"
    plan.mkdir(parents=True)
    ids = list(mw)
    write_table(pd.DataFrame({"candidate_id": ids}), folder / "projects.csv")
    sites = {"candidate_id": ids, "name_zh": ["甲", "乙", "丙"], "name_en": ["one", "two", "three"]}
    sites |= {"reason_zh": ["全部建设", "全部建设", "不需要"], "reason_en": ["all", "all", "no need of it"]}
    stages = ["2025" if v > 0 else "" for v in mw.values()]
    write_table(pd.DataFrame({**sites, "stage": stages, "planned_mw": list(mw.values())}), plan / "sites.csv")
    built = {"measure_id": measures, "description_zh": ["双回"] * len(measures), "stage": ["2030"] * len(measures)}
    write_table(pd.DataFrame({**built, "investment_cny": [3e6] * len(measures)}, dtype=object), plan / "measures.csv")
    write_table(pd.DataFrame({"target": ["pv 2030"], "missing_mw": [missing]}), plan / "targets.csv")
    row = {"stage": [2030], "point": ["noon"], "limit": ["line_loading"], "element": ["AB"], "outage": ["CA"]}
    write_table(pd.DataFrame({**row, "price": [0.5]}), plan / "binding.csv")
    stage = {"stage": 2030, "grid_capacity_mw": sum(mw.values()), "energy_mwh": 1000.0}
    asked = {"plan.gap": 0.01, "plan.storage_cny_per_mwh": cost}
    summary = {"objective_cny": cost, "gap_percent": 0.5, "stages": [stage], "asked": asked}
    (plan / "summary.json").write_text(json.dumps(summary), "utf-8")
    return folder


@pytest.fixture
def folders(tmp_path):
    first = run_folder(tmp_path / "a", {"x": 10.0, "y": 5.0, "z": 0.0}, 1e6, ["second_circuit:AB"], 0.0)
    second = run_folder(tmp_path / "b", {"x": 10.0, "y": 0.0, "z": 8.0}, 2e6, [], 4.0)
    return first, second


def test_sites_cost_measures_and_targets_are_set_side_by_side(folders):
    compared = compare_runs(*folders)
    assert compared.of_plans
    change = dict(zip(compared.sites["candidate_id"], compared.sites["change"], strict=True))
    assert change == {"y": "out", "z": "in"}
    figures = compared.figures.set_index("item_en")
    assert figures.loc["grid capacity", "difference"] == pytest.approx(3.0)
    assert figures.loc["mean yearly cost", "difference"] == pytest.approx(1e6)
    (measure,) = compared.measures.itertuples()
    assert (measure.change, measure.first_stage, measure.second_stage) == ("out", "2030", "")
    assert measure.investment_cny == 3e6
    (setting,) = compared.asked.itertuples()
    assert (setting.setting, setting.first, setting.second) == ("plan.storage_cny_per_mwh", "1000000.0", "2000000.0")
    assert figures.loc["pv 2030: missing", "second"] == 4.0
    assert figures.loc["2030 noon AB CA", "first"] == 0.5


def test_a_run_beside_itself_differs_in_nothing(folders):
    compared = compare_runs(folders[0], folders[0])
    assert compared.sites.empty
    assert compared.asked.empty
    assert compared.measures["change"].tolist() == ["same"]
    assert (compared.figures["difference"].dropna() == 0).all()


def test_words_in_both_languages(folders):
    compared = compare_runs(*folders)
    english, chinese = in_words(compared, "en"), in_words(compared, "zh")
    for line in (
        "  plan.storage_cny_per_mwh: 1000000.0 -> 2000000.0",
        "  mean yearly cost [million CNY]  1 -> 2  (+1)",
        "  sites built  2",
        "  pv 2030: missing [MW]  0 -> 4  (+4)",
        "  in       z three  0 -> 8 MW, - -> 2025: no need of it",
    ):
        assert line in english.splitlines()
    assert "  新增       z 丙  0 -> 8 MW, - -> 2025: 不需要" in chinese.splitlines()
    assert "  取消       双回 (2030 -> -, 3.0 百万元)" in chinese.splitlines()


def test_a_run_without_a_plan_is_named_and_what_is_accepted_is_compared(folders, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    ids = ["x", "y", "z"]
    for folder, accepted in ((bare, [1.0, 2.0, 0.0]), (folders[0], [1.0, 0.0, 4.0])):
        names = {"name_zh": ids, "name_en": ids, "reason_zh": ids, "reason_en": ids}
        write_table(pd.DataFrame({"candidate_id": ids, **names, "accepted_mw": accepted}), folder / "projects.csv")
    compared = compare_runs(bare, folders[0])
    assert compared.without_plan == ("bare",)
    assert dict(zip(compared.sites["candidate_id"], compared.sites["change"], strict=True)) == {"y": "out", "z": "in"}
    told = in_words(compared, "en")
    assert "bare has no plan; add [plan] to its study file and run it again" in told
    assert "two different studies" not in told


def test_runs_of_two_studies_are_told_apart(folders):
    for folder, study in zip(folders, ("bozhou", "hangzhou"), strict=True):
        (folder / "about.json").write_text(json.dumps({"study": study}), "utf-8")
    assert "(two different studies: bozhou and hangzhou)" in in_words(compare_runs(*folders), "en")


def test_the_command_writes_both_tables(folders, tmp_path):
    answer = CliRunner().invoke(app, ["compare", *map(str, folders), "--out", str(tmp_path / "o"), "--language", "en"])
    assert answer.exit_code == 0
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"figures.csv", "sites.csv", "measures.csv", "asked.csv"}


def test_what_is_no_run_is_refused(folders, tmp_path):
    with pytest.raises(InputError) as error:
        compare_runs(tmp_path / "nothing", folders[0])
    assert [f.rule for f in error.value.findings] == ["compare.no_run"]
