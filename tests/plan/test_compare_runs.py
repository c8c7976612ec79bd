"""Two run folders side by side."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from layers.contracts import InputError
from study.cli import app
from study.outputs.exports import write_table
from study.run_folder.compare import compare_runs, in_words


def run_folder(folder, mw, cost, measures, missing):
    plan = folder / "plan"
    plan.mkdir(parents=True)
    ids = list(mw)
    write_table(pd.DataFrame({"candidate_id": ids}), folder / "projects.csv")
    sites = {"candidate_id": ids, "name_zh": ["甲", "乙", "丙"], "name_en": ["one", "two", "three"]}
    stages = ["2025" if v > 0 else "" for v in mw.values()]
    write_table(pd.DataFrame({**sites, "stage": stages, "planned_mw": list(mw.values())}), plan / "sites.csv")
    write_table(pd.DataFrame({"measure_id": measures}, dtype=object), plan / "measures.csv")
    write_table(pd.DataFrame({"target": ["pv 2030"], "missing_mw": [missing]}), plan / "targets.csv")
    row = {"stage": [2030], "point": ["noon"], "limit": ["line_loading"], "element": ["AB"], "outage": ["CA"]}
    write_table(pd.DataFrame({**row, "price": [0.5]}), plan / "binding.csv")
    stage = {"stage": 2030, "grid_capacity_mw": sum(mw.values()), "energy_mwh": 1000.0}
    summary = {"objective_cny": cost, "gap_percent": 0.5, "stages": [stage]}
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
    assert figures.loc["second_circuit:AB", ["first", "second"]].tolist() == [1.0, 0.0]
    assert figures.loc["pv 2030: missing", "second"] == 4.0
    assert "2030 noon line_loading AB CA" in figures.index


def test_a_run_beside_itself_differs_in_nothing(folders):
    compared = compare_runs(folders[0], folders[0])
    assert compared.sites.empty
    assert (compared.figures["difference"].dropna() == 0).all()


def test_words_in_both_languages(folders):
    compared = compare_runs(*folders)
    assert "sites built" in in_words(compared, "en")
    assert "建设场址数" in in_words(compared, "zh")


def test_the_command_writes_both_tables(folders, tmp_path):
    answer = CliRunner().invoke(app, ["compare", *map(str, folders), "--out", str(tmp_path / "o"), "--language", "en"])
    assert answer.exit_code == 0
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"figures.csv", "sites.csv"}


def test_what_is_no_run_is_refused(folders, tmp_path):
    with pytest.raises(InputError) as error:
        compare_runs(tmp_path / "nothing", folders[0])
    assert [f.rule for f in error.value.findings] == ["compare.no_run"]
