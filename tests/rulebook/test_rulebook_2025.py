"""DL/T 2041-2025: identities, monotony, inheritance, counties, verification."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import rulebook_samples as s
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grid.rulebook.beta import beta_by_rule, n_minus_1_reverse_mva
from grid.rulebook.book import RULE_2025, RuleOverride, rules
from grid.rulebook.counties import CountySettings, FactorWeight
from grid.rulebook.dlt2041_2025 import Options2025, assess_2025, grade_by_capacity, hosting_interval_mw

RANK = {"green": 0, "yellow": 1, "red": 2}
MW = st.floats(0, 500)
FIGURES = rules(RULE_2025)


def one(change: dict | None = None, options: Options2025 | None = None, *ratings: float) -> pd.Series:
    """Result row of one sample transformer."""
    found = assess_2025(s.equipment(change or {}), s.units(*[("T", r) for r in ratings or (50.0,)]), options=options)
    return found.equipment.iloc[0]


def test_two_identical_parallel_units_give_beta_0_5() -> None:
    row = one({"arrangement": "parallel", "vn_kv": 220.0}, None, 180.0, 180.0)
    assert row["beta"] == 0.5
    assert "(2 − 1)/2×1 = 0.5" in row["formula_en"]
    assert row["confidence"] == "A"


@given(n=st.integers(2, 6), sn=st.floats(1, 1000), limit=st.floats(0.5, 1.0))
def test_identical_units_carry_n_minus_1_of_n(n: int, sn: float, limit: float) -> None:
    figures = rules(RULE_2025, [RuleOverride("n_1_limit", limit, "test of the study")])
    beta = beta_by_rule(1, "parallel", [str(k) for k in range(n)], [sn] * n, [np.nan] * n, figures)
    assert beta.value == pytest.approx((n - 1) / n * limit, rel=1e-12)


@given(
    units=st.lists(st.tuples(st.floats(10, 300), st.floats(8, 20)), min_size=2, max_size=5),
    out=st.integers(0, 4),
)
def test_after_any_outage_no_unit_exceeds_its_limit_and_one_reaches_it(units: list, out: int) -> None:
    """Second way: flows through parallel reactances x_i = u_i/S_i by solving for the common voltage."""
    assume(out < len(units))
    sn, vk = [u[0] for u in units], [u[1] for u in units]
    beta = beta_by_rule(1, "parallel", [str(k) for k in range(len(units))], sn, vk, FIGURES).value
    loadings = []
    for lost in range(len(units)):
        left = [k for k in range(len(units)) if k != lost]
        drop = beta * sum(sn) / sum(sn[k] / vk[k] for k in left)
        loadings.append(max(drop * sn[k] / vk[k] / sn[k] for k in left))
    intact = beta * sum(sn) / sum(s_ / v for s_, v in units) / min(vk)
    assert max([*loadings, intact]) == pytest.approx(1.0, rel=1e-9)
    assert n_minus_1_reverse_mva(sn, vk, out, 1.0) >= beta * sum(sn) * (1 - 1e-12)


def test_a_unit_that_is_lost_alone_leaves_nothing() -> None:
    assert n_minus_1_reverse_mva([50.0], [10.0], 0, 1.0) == 0.0


def test_short_time_rating_is_capped_by_the_intact_station() -> None:
    """Ten units with 130 % after an outage: 0.9 x 1.3 = 1.17 would overload them before it."""
    figures = rules(RULE_2025, [RuleOverride("n_1_limit", 1.3, "two-hour rating")])
    beta = beta_by_rule(1, "parallel", [str(k) for k in range(10)], [50.0] * 10, [np.nan] * 10, figures)
    assert beta.value == pytest.approx(1.0)
    assert "all units in service" in beta.reason_en


@pytest.mark.parametrize(
    ("vn_kv", "arrangement", "ratings", "beta"),
    [
        (330.0, "single", (240.0,), 0.8),
        (220.0, "split", (180.0, 180.0), 0.5),
        (220.0, "split", (180.0,), 0.8),
        (220.0, "parallel", (180.0, 180.0, 180.0), 2 / 3),
        (110.0, "split", (50.0, 50.0), 0.8),
        (66.0, "parallel", (50.0, 31.5), 31.5 / 81.5),
        (35.0, "split", (20.0, 20.0), 0.8),
        (10.0, "single", (0.4,), 0.8),
    ],
)
def test_beta_table(vn_kv: float, arrangement: str, ratings: tuple[float, ...], beta: float) -> None:
    row = one({"vn_kv": vn_kv, "arrangement": arrangement}, None, *ratings)
    assert row["beta"] == pytest.approx(beta, rel=1e-12)
    assert row["beta_rule"] == row["beta"]


@given(
    p=MW, g=MW, r=MW, e=MW, tau=st.floats(0.05, 1), low=MW, more=MW, scale=st.floats(0.1, 3),
    place=st.sampled_from(["after", "inside"]),
)  # fmt: skip
def test_interval_is_ordered_and_vector_equals_scalar(p, g, r, e, tau, low, more, scale, place) -> None:
    first = hosting_interval_mw(p, g, r, e, tau, (low, low + more), place)
    assert first[0] <= first[1]
    two = [np.array([v, v * scale]) for v in (p, g, r, e)]
    bounds = (np.array([low, low]), np.array([low + more, low + more]))
    vector = hosting_interval_mw(*two, np.array([tau, tau]), bounds, place)
    second = hosting_interval_mw(*(v * scale for v in (p, g, r, e)), tau, (low, low + more), place)
    assert (vector[0][0], vector[1][0]) == first
    assert (vector[0][1], vector[1][1]) == second


@given(p=MW, g=MW, r=MW, e=MW, step=MW)
def test_hosting_is_linear_in_each_input_at_tau_1(p, g, r, e, step) -> None:
    base = hosting_interval_mw(p, g, r, e, 1.0, (0.0, 0.0))[0]
    for place, sign in ((0, 1), (1, -1), (2, 1), (3, 1)):
        values = [p, g, r, e]
        values[place] += step
        moved = hosting_interval_mw(*values, 1.0, (0.0, 0.0))[0]
        assert moved - base == pytest.approx(sign * step, abs=1e-9)


def test_place_of_new_storage_agrees_only_where_tau_is_1() -> None:
    both = [one({"new_storage_max_mw": 10.0}, Options2025(new_storage=p)) for p in ("after", "inside")]
    assert both[1]["hosting_max_mw"] - both[0]["hosting_max_mw"] == pytest.approx(10 / 0.8 - 10)
    both = [one({"new_storage_max_mw": 10.0, "tau_max": 1.0}, Options2025(new_storage=p)) for p in ("after", "inside")]
    assert both[1]["hosting_max_mw"] == pytest.approx(both[0]["hosting_max_mw"])


def test_open_point_is_printed_and_lowers_the_confidence() -> None:
    found = assess_2025(s.equipment({"vn_kv": 220.0}), s.units(("T", 50.0)))
    assert found.equipment["confidence"].tolist() == ["A"]
    assert [a.id for a in found.assumptions] == ["rulebook/new_storage", "rulebook/floor_at_zero"]
    changed = assess_2025(s.equipment({"vn_kv": 220.0, "new_storage_max_mw": 1.0}), s.units(("T", 50.0)))
    assert changed.equipment["confidence"].tolist() == ["C"]
    assert "new_storage=after" in changed.equipment["switches"][0]


def test_negative_hosting_capacity_is_kept_or_floored_as_the_switch_says() -> None:
    change = {"other_generation_mw": 100.0}
    assert one(change)["hosting_min_mw"] == pytest.approx((20 - 100 + 0.8 * 50 * 0.95 + 2) / 0.8)
    floored = one(change, Options2025(floor_at_zero=True))
    assert floored["hosting_min_mw"] == 0
    assert floored["connectable_min_mw"] == -10


@pytest.mark.parametrize(
    ("c1", "c2", "grade"),
    [(10, 5, "green"), (10, 0, "yellow"), (10, -5, "yellow"), (0, -5, "red"), (0, 0, "red"), (-1, -1, "red")],
)
def test_grade_truth_table(c1: float, c2: float, grade: str) -> None:
    assert str(grade_by_capacity(float(c1), float(c2))) == grade


@settings(max_examples=30, deadline=None)
@given(connected=MW, more=MW, registered=MW)
def test_grade_is_monotone_in_connected_capacity(connected: float, more: float, registered: float) -> None:
    table = s.equipment(
        {"connected_mw": connected, "registered_mw": registered},
        {"equipment_id": "U", "connected_mw": connected + more, "registered_mw": registered},
    )
    found = assess_2025(table, s.units(("T", 50.0), ("U", 50.0))).equipment
    assert RANK[found["grade"][1]] >= RANK[found["grade"][0]]
    assert found["open_connect_mw"][1] <= found["open_connect_mw"][0]
    assert found["open_register_mw"][1] <= found["open_register_mw"][0]


@settings(max_examples=30, deadline=None)
@given(connected=st.lists(st.floats(0, 120), min_size=4, max_size=4))
def test_a_child_of_a_red_parent_is_red(connected: list[float]) -> None:
    """Chain 220 -> 110 -> 35 -> 10 kV, given from the bottom up so that the order of the rows cannot help."""
    levels_kv = (10.0, 35.0, 110.0, 220.0)
    rows = [
        {"equipment_id": f"E{k}", "vn_kv": v, "superior_id": f"E{k + 1}" if k < 3 else "", "connected_mw": connected[k]}
        for k, v in enumerate(levels_kv)
    ]
    found = assess_2025(s.equipment(*rows), s.units(*[(f"E{k}", 50.0) for k in range(4)])).equipment
    assert found["equipment_id"].tolist() == ["E0", "E1", "E2", "E3"]
    for k in range(3):
        assert found["superior_grade"][k] == found["grade"][k + 1]
        if found["grade"][k + 1] == "red":
            assert found["grade"][k] == "red"
            assert found["open_connect_mw"][k] == 0
            assert f"superior E{k + 1} is red" in found["reason_en"][k]
        else:
            assert found["grade"][k] == found["grade_own"][k]
        assert found["inherited"][k] == (found["grade"][k] == "red" and found["grade_own"][k] != "red")


COUNTIES = pd.DataFrame(
    {
        "county_id": ["X", "Y"],
        "connected_mw": [50.0, 60.0],
        "registered_mw": [10.0, 20.0],
        "peak_load_mw": [300.0, 100.0],
        "users": [1000.0, 3000.0],
    }
)


def county_table(system: tuple[float, float], load_weight: float, share: float = 1.0):
    table = s.equipment(
        {"equipment_id": "T", "vn_kv": 220.0, "superior_id": "X"},
        {"equipment_id": "U", "vn_kv": 220.0, "superior_id": "Y", "load_mw": 80.0},
        {"equipment_id": "D", "vn_kv": 110.0, "superior_id": "Y", "load_mw": 500.0},
    )
    shares = pd.DataFrame({"equipment_id": ["T", "T"], "county_id": ["X", "Y"], "share": [share, 1 - share]})
    weights = (FactorWeight("peak_load_mw", load_weight), FactorWeight("users", 1 - load_weight))
    options = Options2025(counties=CountySettings(*system, weights))
    units = s.units(("T", 100.0), ("U", 100.0), ("D", 50.0))
    return assess_2025(table, units, COUNTIES, shares if share < 1 else None, options)


@settings(max_examples=25, deadline=None)
@given(low=st.floats(0, 600), more=st.floats(0, 300), weight=st.floats(0, 1), share=st.floats(0.05, 0.95))
def test_parts_never_add_up_to_more_than_the_whole(low: float, more: float, weight: float, share: float) -> None:
    found = county_table((low, low + more), weight, share)
    counties = found.counties
    assert counties["weight"].sum() == pytest.approx(1)
    transformers = found.equipment.set_index("equipment_id").loc[["T", "U"]]
    for bound, system in (("min", low), ("max", low + more)):
        assert counties[f"hosting_{bound}_mw"].sum() <= system + 1e-6
        assert counties[f"equipment_{bound}_mw"].sum() == pytest.approx(transformers[f"hosting_{bound}_mw"].sum())
        lesser = counties[[f"system_{bound}_mw", f"equipment_{bound}_mw"]].min(axis=1)
        assert counties[f"hosting_{bound}_mw"].tolist() == lesser.tolist()
    assert (counties["hosting_min_mw"] <= counties["hosting_max_mw"]).all()


def test_lower_levels_are_not_counted_twice_in_the_county() -> None:
    assert county_table((100, 200), 0.5).counties["equipment"].tolist() == ["T", "U"]


def test_a_county_without_220_kv_is_summed_over_its_highest_level() -> None:
    rows = s.equipment(
        {"equipment_id": "A", "vn_kv": 110.0, "superior_id": "X"},
        {"equipment_id": "B", "vn_kv": 35.0, "superior_id": "X"},
    )
    county = COUNTIES[["county_id", "connected_mw", "registered_mw"]].iloc[:1]
    found = assess_2025(rows, s.units(("A", 50.0), ("B", 20.0)), county)
    assert found.counties["equipment"].tolist() == ["A"]
    assert found.counties["system_min_mw"].isna().all()
    assert found.counties["binding"].tolist() == ["equipment"]


def test_system_level_given_county_by_county() -> None:
    county = COUNTIES[["county_id", "connected_mw", "registered_mw"]].iloc[:1]
    county = county.assign(system_min_mw=30.0, system_max_mw=40.0)
    rows = s.equipment({"superior_id": "X", "vn_kv": 220.0})
    row = assess_2025(rows, s.units(("T", 50.0)), county).counties.iloc[0]
    assert (row["hosting_min_mw"], row["hosting_max_mw"], row["grade"]) == (30.0, 40.0, "red")


def test_red_county_makes_all_its_equipment_red() -> None:
    found = county_table((10, 20), 0.5)
    assert found.counties["grade"].tolist() == ["red", "red"]
    assert found.equipment["grade"].tolist() == ["red"] * 3
    assert found.equipment["reason_en"].tolist()[0].endswith("superior X is red")


@pytest.mark.parametrize(
    ("change", "demand", "verdict"),
    [
        ({}, "", "connect"),
        ({"largest_project_mw": 6.0}, "", "connect"),
        ({"largest_project_mw": 7.0}, "large project of 7 MW", "verify"),
        ({"registered_mw": 58.0}, "near zero (0.75 MW", "verify"),
        ({"registered_mw": 80.0}, "grade is yellow", "verify"),
        ({"connected_mw": 300.0}, "grade is red", "suspend"),
    ],
)
def test_verification_demands(change: dict, demand: str, verdict: str) -> None:
    """The sample takes (20 - 5 + 0.8 x 50 x 0.95 + 2)/0.8 = 68.75 MW; 10 are connected."""
    row = one(change)
    assert row["hosting_min_mw"] == pytest.approx(68.75)
    assert demand in row["demands_en"]
    assert bool(row["demands_en"]) == bool(demand)
    assert row["verdict"] == verdict


@pytest.mark.parametrize(
    ("states", "verdict"),
    [("ppppp", "warn"), ("ppopp", "verify"), ("pofpp", "improve"), ("ppppf", "improve"), ("ooooo", "verify")],
)
def test_checks_decide_the_verdict_of_a_yellow_transformer(states: str, verdict: str) -> None:
    words = {"p": "passed", "o": "open", "f": "failed"}
    names = ("thermal", "short_circuit_3ph", "short_circuit_1ph", "voltage", "harmonics")
    change = {f"{name}_check": words[state] for name, state in zip(names, states, strict=True)}
    table = s.equipment(change | {"registered_mw": 80.0})
    found = assess_2025(table, s.units(("T", 50.0)))
    assert found.equipment["verdict"].tolist() == [verdict]
    assert found.verification["state"].tolist() == [words[state] for state in states]
    assert found.verification["demanded"].all()


def test_same_input_same_bytes_whatever_the_order_of_units() -> None:
    table = s.equipment({"arrangement": "parallel"})
    units = s.units(("T", 50.0, 10.5), ("T", 40.0, 12.0), ("T", 31.5, 10.5))
    first = assess_2025(table, units).equipment.to_csv()
    assert assess_2025(table, units.iloc[::-1]).equipment.to_csv() == first


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options2025().new_storage = "inside"  # type: ignore[misc]


def test_unknown_superior_grade_is_empty_and_tables_without_rows_are_empty() -> None:
    empty = assess_2025(s.equipment().iloc[:0], s.units(("T", 1.0)).iloc[:0])
    assert empty.equipment.empty
    assert "equipment_id" in empty.equipment.columns
    assert one()["superior_grade"] == ""
