"""Henan rule, voltage deviation, breaker margin, harmonics; every row of the rule data is complete and used."""

from __future__ import annotations

import math
from string import Formatter

import numpy as np
import pandas as pd
import pytest
import rulebook_samples as s
from hypothesis import given
from hypothesis import strategies as st

from grid.rulebook.assess import RuleTables, assess
from grid.rulebook.book import (
    FOLDER,
    RuleOverride,
    beta_rule,
    editions,
    formula,
    grade_rule,
    known_editions,
    levels,
    rules,
    table_rows,
    weakest,
)
from grid.rulebook.formulas import filled, number
from grid.rulebook.henan import henan_transformer_rule
from grid.rulebook.power_quality import (
    check_breakers,
    check_harmonics,
    check_states,
    check_voltage_deviation,
    voltage_deviation_percent,
)
from layers.contracts import InputError

TABLES = sorted(path.stem for path in FOLDER.glob("*.csv"))


def test_henan_80_percent_of_the_rating() -> None:
    table = pd.DataFrame({"equipment_id": ["A", "B", "C"], "sn_mva": [50.0, 0.4, 50.0], "pv_mw": [40.0, 0.33, 0.0]})
    found = henan_transformer_rule(table)
    assert found["passed"].tolist() == [True, False, True]
    assert found["headroom_mw"].tolist() == pytest.approx([0.0, -0.01, 40.0])
    assert found["formula_en"][0] == "share of PV k = P_PV/S = 40/50 = 0.8"
    assert found["reason_zh"][1] == "光伏占额定容量 0.825 > 0.8"
    assert henan_transformer_rule(table, [RuleOverride("pv_share_max", 0.6, "county notice")])["passed"].tolist() == [
        False,
        False,
        True,
    ]
    with pytest.raises(InputError):
        henan_transformer_rule(table.assign(sn_mva=-1.0))


@pytest.mark.parametrize(
    ("vn_kv", "low", "high", "state", "margin"),
    [
        (110, 0.96, 1.05, "passed", 1.0),
        (110, 0.95, 1.05, "passed", 0.0),
        (35, 0.94, 1.05, "failed", -1.0),
        (220, 1.01, 1.09, "passed", 1.0),
        (110, 1.02, 1.11, "failed", -1.0),
        (110, 0.89, 0.97, "failed", -1.0),
        (10, 0.93, 1.07, "passed", 0.0),
        (10, 0.92, 1.0, "failed", -1.0),
        (10, 0.99, 1.075, "failed", -0.5),
        (0.38, 0.95, 1.02, "passed", 2.0),
        (0.22, 0.90, 1.06, "passed", 0.0),
        (0.22, 0.95, 1.08, "failed", -1.0),
        (110, math.nan, 1.0, "open", math.nan),
    ],
)
def test_voltage_deviation_truth_table(vn_kv: float, low: float, high: float, state: str, margin: float) -> None:
    """At 35 kV and above the sum of the absolute deviations counts, of one sign the larger; below, each bound."""
    row = check_voltage_deviation(
        pd.DataFrame({"bus_id": ["b"], "vn_kv": [vn_kv], "vm_min_pu": [low], "vm_max_pu": [high]})
    ).iloc[0]
    assert row["state"] == state
    assert row["margin"] == pytest.approx(margin, abs=1e-9, nan_ok=True)
    for shown, calculated, stated in s.worked_sums(row["formula_en"]):
        assert calculated == pytest.approx(stated, abs=1e-3), shown


@given(low=st.floats(0.5, 1.5), more=st.floats(0, 0.5))
def test_measure_of_deviation_is_between_the_larger_and_the_sum(low: float, more: float) -> None:
    down, up, measure = voltage_deviation_percent(low, low + more)
    assert max(abs(down), abs(up)) <= measure <= abs(down) + abs(up) + 1e-9


def test_breakers_given_planned_and_unknown() -> None:
    table = pd.DataFrame(
        {
            "bus_id": ["a", "b", "c"],
            "vn_kv": [220.0, 110.0, 110.0],
            "ik_3ph_ka": [47.0, 39.0, math.nan],
            "ik_1ph_ka": [48.0, math.nan, 10.0],
            "breaker_ka": [math.nan, math.nan, 31.5],
        }
    )
    found = check_breakers(table)
    assert found["state"].tolist() == ["passed", "failed", "failed", "open", "open", "passed"]
    assert found["margin"].tolist() == pytest.approx(
        [0.95 * 50 - 47, 0.95 * 50 - 48, 0.95 * 40 - 39, math.nan, math.nan, 0.95 * 31.5 - 10], nan_ok=True
    )
    assert found["limit_origin"].tolist()[0] == "planning practice for breaker ratings"
    assert found["limit_origin"].tolist()[-1] == "given"
    with pytest.raises(InputError) as error:
        check_breakers(pd.DataFrame({"bus_id": ["a"], "vn_kv": [13.8], "ik_3ph_ka": [1.0]}))
    assert error.value.findings[0].remedy == "Give breaker_ka."


def test_harmonics() -> None:
    table = pd.DataFrame(
        {"bus_id": list("abcde"), "vn_kv": [0.38, 10, 35, 110, 110], "thd_percent": [5.1, 4.0, 2.9, 2.1, math.nan]}
    )
    found = check_harmonics(table)
    assert found["state"].tolist() == ["failed", "passed", "passed", "failed", "open"]
    assert found["confidence"].tolist() == ["A", "A", "B", "B", "B"]


def test_level_without_limit_and_swapped_voltages_are_refused() -> None:
    with pytest.raises(InputError) as error:
        check_voltage_deviation(
            pd.DataFrame({"bus_id": ["a", "b"], "vn_kv": [27.5, 110.0], "vm_min_pu": [1, 1.1], "vm_max_pu": [1, 1.0]})
        )
    assert sorted(f.rule for f in error.value.findings) == ["rulebook.interval", "rulebook.level"]


def test_states_of_equipment_from_its_buses() -> None:
    voltages = pd.DataFrame(
        {
            "bus_id": ["a/110", "a/10", "b/110", "c/110"],
            "vn_kv": [110.0, 10.0, 110.0, 110.0],
            "vm_min_pu": [1.0, 0.9, 1.0, math.nan],
            "vm_max_pu": [1.0, 1.0, 1.0, 1.0],
        }
    )
    currents = pd.DataFrame({"bus_id": ["a/110", "b/110"], "vn_kv": [110.0, 110.0], "ik_3ph_ka": [20.0, 39.5]})
    checks = pd.concat([check_voltage_deviation(voltages), check_breakers(currents)], ignore_index=True)
    found = check_states(checks, {"a/110": "A", "a/10": "A", "b/110": "B", "c/110": "C"})
    assert found["voltage_check"].to_dict() == {"A": "failed", "B": "passed", "C": "open"}
    assert found["short_circuit_3ph_check"].to_dict() == {"A": "passed", "B": "failed", "C": "open"}
    table = s.equipment({"equipment_id": "A"}).merge(found, left_on="equipment_id", right_index=True)
    graded = assess("dlt2041-2025", RuleTables(table, s.units(("A", 50.0)))).equipment
    assert graded["verdict"].tolist() == ["improve"]
    assert graded["failed_checks"].tolist() == ["voltage_check"]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_source_and_confidence(name: str) -> None:
    rows = table_rows(name)
    assert rows
    for row in rows:
        assert None not in row, row
        assert all(value is not None for value in row.values()), row
        assert len(row["source"]) > 4
        assert row["confidence"] in ("A", "B", "C")


def test_every_row_is_read_by_its_key() -> None:
    for row in table_rows("formulas"):
        found = formula(row["edition"], row["formula"])
        names = [name for _, name, _, _ in Formatter().parse(found.filled) if name]
        text = filled(found, **dict.fromkeys(names, 1.5)).text_zh
        assert found.label_zh in text
        assert "1.5" in text
    for row in table_rows("grades"):
        assert grade_rule(row["edition"], row["grade"], row["cause"]).consequence_zh
    for row in table_rows("beta"):
        rule = beta_rule(row["edition"], int(row["level"]), row["arrangement"])
        assert math.isnan(rule.value) == (rule.method == "n_minus_1")
    for row in table_rows("rules"):
        assert rules(row["edition"])[row["rule"]].value >= 0
    assert {row["level"] for row in table_rows("beta")} == {str(v) for v in levels("dlt2041-2025").values()}
    assert {row["edition"] for row in table_rows("grades")} == set(known_editions())
    assert [edition.confidence for edition in editions()] == ["B", "A"]


def test_unknown_rows_are_key_errors() -> None:
    with pytest.raises(KeyError):
        formula("dlt2041-2025", "no such formula")


@given(value=st.floats(-1e6, 1e6))
def test_numbers_are_shown_to_four_decimals(value: float) -> None:
    text = number(value)
    assert "-" not in text
    assert text != "−0"
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=5.1e-5)


def test_negative_operands_stand_in_brackets() -> None:
    shown = filled(formula("dlt2041-2019", "lambda"), **{"p_d": 20, "p_l": -30, "s_e": 240, "lambda": 50 / 240})
    assert shown.text_en.endswith("= (20 − (−30))/240 = 0.2083")


def test_weakest_confidence() -> None:
    assert [weakest(c) for c in ((), "A", "AB", "BCA")] == ["A", "A", "B", "C"]


def test_vector_of_many_rows_equals_each_row_alone() -> None:
    generator = np.random.default_rng(20412025)
    rows = [
        {"equipment_id": f"E{k}", "load_mw": float(v), "connected_mw": float(c)}
        for k, (v, c) in enumerate(zip(generator.uniform(0, 80, 20), generator.uniform(0, 120, 20), strict=True))
    ]
    together = assess("dlt2041-2025", RuleTables(s.equipment(*rows), s.units(*[(f"E{k}", 50.0) for k in range(20)])))
    for k, row in enumerate(rows):
        alone = assess("dlt2041-2025", RuleTables(s.equipment(row), s.units((f"E{k}", 50.0)))).equipment.iloc[0]
        pd.testing.assert_series_equal(together.equipment.iloc[k], alone, check_names=False)
