"""DL/T 2041-2019: grade table, monotony, inheritance."""

from __future__ import annotations

import numpy as np
import pytest
import rulebook_samples as s
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.rulebook.book import RuleOverride
from grid.rulebook.dlt2041_2019 import Options2019, assess_2019, causes_reverse_flow, new_capacity_mw, reverse_load_rate

RANK = {"green": 0, "yellow": 1, "red": 2}
PASSED = dict.fromkeys(("thermal_check", "short_circuit_check", "voltage_check", "harmonics_check"), "passed")


@pytest.mark.parametrize(
    ("dg", "load", "check", "vn_kv", "grade"),
    [
        (10, 20, "passed", 110, "green"),
        (20, 20, "passed", 110, "green"),
        (21, 20, "passed", 110, "yellow"),
        (60, 20, "passed", 110, "yellow"),
        (60.1, 20, "passed", 110, "red"),
        (10, 20, "failed", 110, "red"),
        (21, 20, "failed", 110, "red"),
        (21, 20, "passed", 220, "red"),
        (20, 20, "passed", 220, "green"),
        (10, 20, "open", 110, "green"),
    ],
)
def test_grade_truth_table(dg: float, load: float, check: str, vn_kv: float, grade: str) -> None:
    change = {"dg_output_mw": dg, "load_mw": load, "other_generation_mw": 0.0, "vn_kv": vn_kv}
    row = assess_2019(s.old_equipment(PASSED | change | {"voltage_check": check})).equipment.iloc[0]
    assert row["grade"] == grade
    assert row["provisional"] == (check == "open")


def test_every_cause_of_red_is_named() -> None:
    change = {"dg_output_mw": 90.0, "vn_kv": 220.0, "thermal_check": "failed"}
    row = assess_2019(s.old_equipment(change)).equipment.iloc[0]
    for part in ("checks failed: thermal_check", "reverse load rate 1.5 > 0.8", "75 MW of reverse flow into 220 kV"):
        assert part in row["reason_en"]
    assert "反送电 75 MW" in row["reason_zh"]
    assert row["open_checks"]
    assert not row["provisional"]


@given(dg=st.floats(0, 500), load=st.floats(-200, 500), limit=st.floats(1, 500), k_r=st.floats(0.1, 1))
def test_vector_equals_scalar_and_the_limit_is_reached(dg: float, load: float, limit: float, k_r: float) -> None:
    """With k_r = 1, adding P_m of output brings the reverse load rate to exactly 1."""
    rate = reverse_load_rate(dg, load, limit)
    many = reverse_load_rate(np.array([dg, dg]), np.array([load, load]), np.array([limit, limit]))
    assert many.tolist() == [rate, rate]
    assert new_capacity_mw(many, np.array([limit, limit]), k_r).tolist() == [new_capacity_mw(rate, limit, k_r)] * 2
    full = dg + new_capacity_mw(rate, limit, 1.0)
    assert reverse_load_rate(full, load, limit) == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(dg=st.floats(0, 200), more=st.floats(0, 100), vn_kv=st.sampled_from([10.0, 110.0, 220.0]))
def test_grade_is_monotone_in_connected_capacity(dg: float, more: float, vn_kv: float) -> None:
    rows = ({"dg_output_mw": dg, "vn_kv": vn_kv}, {"equipment_id": "U", "dg_output_mw": dg + more, "vn_kv": vn_kv})
    found = assess_2019(s.old_equipment(*rows)).equipment
    assert RANK[found["grade"][1]] >= RANK[found["grade"][0]]
    assert found["open_mw"][1] <= found["open_mw"][0]


@settings(max_examples=30, deadline=None)
@given(dg=st.lists(st.floats(0, 80), min_size=3, max_size=3))
def test_a_child_of_a_red_parent_is_red(dg: list[float]) -> None:
    rows = [
        {"equipment_id": f"E{k}", "vn_kv": v, "superior_id": f"E{k + 1}" if k < 2 else "", "dg_output_mw": dg[k]}
        for k, v in enumerate((10.0, 35.0, 110.0))
    ]
    found = assess_2019(s.old_equipment(*rows)).equipment
    for k in range(2):
        assert found["open_mw"][k] <= found["open_mw"][k + 1]
        if found["grade"][k + 1] == "red":
            assert found["grade"][k] == "red"
            assert found["confidence"][k] == "C" or not found["inherited"][k]


def test_reverse_flow_that_was_there_without_distributed_generation_is_not_its_doing() -> None:
    assert causes_reverse_flow(np.array([10.0, 10.0, 0.0, 5.0]), np.array([5.0, -5.0, -5.0, 5.0])).tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_figures_of_the_study_replace_the_rule_and_are_listed() -> None:
    options = Options2019((RuleOverride("lambda_red_above", 0.5, "provincial notice"),))
    change = {"dg_output_mw": 45.0}
    plain = assess_2019(s.old_equipment(change))
    own = assess_2019(s.old_equipment(change), options)
    assert (plain.equipment["grade"][0], own.equipment["grade"][0]) == ("yellow", "red")
    assert plain.assumptions == ()
    assert own.assumptions[0].text_en.endswith("the study takes 0.5, the rule 0.8")
    assert own.assumptions[0].source == "provincial notice"
