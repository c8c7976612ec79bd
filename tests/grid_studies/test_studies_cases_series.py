"""Named cases and series of hours: what they change, against load flows of changed networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_studies_n_1 import ring

from grid.batch import BatchSolver
from grid.solve import solve
from grid.studies.cases import StudyCase, read_cases
from grid.studies.series import read_series, run_series
from layers.contracts import InputError


def test_a_case_scales_load_output_and_ratings():
    case = StudyCase("winter", "", 0.5, 0.9, {"infeed": 1.0}, {"coal": 0.25}).apply(ring())
    assert case.loads["p_mw"].tolist() == [30.0, 15.0, 3.5]
    assert case.generators["p_mw"].tolist() == [0.0, 10.0]  # a quarter of 40 MW
    assert case.branches["rating_a_mva"].tolist() == [90.0] * 5
    assert StudyCase().apply(ring()).loads.equals(ring().loads)


def test_cases_from_a_file(tmp_path):
    path = tmp_path / "cases.toml"
    path.write_text(
        '[[cases]]\nid = "peak"\n\n[[cases]]\nid = "windy"\nload_factor = 0.45\n[cases.fuel_shares]\nwind = 0.9\n',
        "utf-8",
    )
    peak, windy = read_cases(path)
    assert peak == StudyCase("peak")
    assert (windy.load_factor, dict(windy.fuel_shares)) == (0.45, {"wind": 0.9})


def test_every_fault_of_a_file_at_once(tmp_path):
    path = tmp_path / "cases.toml"
    path.write_text(
        '[[cases]]\nid = "a"\nlaod_factor = 1\n[cases.fuel_factors]\nsolar = 1\n'
        '[[cases]]\nid = "a"\nload_factor = "high"\n[[cases]]\nload_factor = -1\n', "utf-8",
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        read_cases(path)
    rules = [f.rule for f in caught.value.findings]
    assert {"cases.key", "cases.fuel", "cases.number", "cases.repeated"} <= set(rules)
    for text in ("", "[[cases]", "cases = 3"):
        path.write_text(text, "utf-8")
        with pytest.raises(InputError):
            read_cases(path)
    with pytest.raises(InputError):
        read_cases(tmp_path / "none.toml")


def test_hours_equal_load_flows_of_the_changed_network(tmp_path):
    table = pd.DataFrame({
        "hour": ["h0", "h1", "h2"], "load": [1.0, 0.6, 0.8], "load:a": [60.0, 20.0, 75.0], "coal": [0.5, 1.0, 0.0],
    })  # fmt: skip
    table.to_csv(tmp_path / "hours.csv", index=False)
    solver = BatchSolver.of_case(ring(rating=40.0))
    result = run_series(solver, read_series(tmp_path / "hours.csv", solver.arrays.case))
    assert result.counts == {"solved": 3, "split": 0, "diverged": 0}
    for k, row in enumerate(table.to_dict("records")):
        case = ring(rating=40.0)
        loads = case.loads.copy()
        factor = np.array([row["load:a"] / 60.0, row["load"], row["load"]])
        loads["p_mw"], loads["q_mvar"] = loads["p_mw"] * factor, loads["q_mvar"] * factor
        plants = case.generators.assign(p_mw=[0.0, 40.0 * row["coal"]])
        full = solve(replace(case, loads=loads, generators=plants))
        hour = result.hours.iloc[k]
        assert hour["losses_mw"] == pytest.approx(full.losses_mw, abs=1e-5)
        assert hour["vm_min_pu"] == pytest.approx(full.vm_pu.min(), abs=1e-7)
        assert hour["worst_loading_percent"] == pytest.approx(np.nanmax(full.loading_percent()), rel=1e-6)
    year = result.branches.set_index("branch_id")
    assert year["max_loading_percent"].max() == pytest.approx(result.hours["worst_loading_percent"].max())
    assert year["hours_above_rating"].sum() == result.hours["overloads"].sum()


def test_faults_of_a_series_at_once(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("hour,laod,load:zz,wind\n1,1,1,x\n2,1,1,\n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_series(path, ring())
    assert [f.rule for f in caught.value.findings] == ["series.column", "series.element", "series.number"]
    path.write_text("hour\n1\n", "utf-8")
    with pytest.raises(InputError):
        read_series(path, ring())
    with pytest.raises(InputError):
        read_series(tmp_path / "none.csv", ring())
