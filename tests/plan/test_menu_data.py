"""The menu as data: every measure that a plan may take has a price with its year, a source, a grade and a lead time."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.measures.contracts import KINDS
from grid.plan.contracts import Wanted
from grid.standards_tables import standard_table
from study.plan.measures import AGREEMENT_BUSES, MeasureBook
from study.schema.outputs import PlanEntry

LEVELS = {
    "add_transformer": (110, 220, 500),
    "replace_transformer": (110, 220, 500),
    "high_impedance": (110, 220, 500),
    "line": (10, 35, 110, 220, 500),
    "reconductor": (35, 110, 220, 500),
    "dynamic_rating": (35, 110, 220, 500),
    "new_station": (110, 220),
    "split_bus": (110, 220),
    "reactor": (10, 110, 220),
    "capacitor": (10, 110),
    "storage": (10,),
    "demand_response": (10,),
    "bay": (10, 35, 110, 220, 500),
}
"""Levels at which each kind of cost has a row of its own."""


def test_every_kind_has_a_row_with_price_year_source_grade_and_lead_time():
    menu = standard_table("measures")
    assert set(menu["kind"]) == set(KINDS)
    assert menu["measure"].is_unique
    assert menu["price_year"].between(2015, 2030).all()
    assert (menu["source"].str.len() > 10).all()
    assert menu["confidence"].isin(["A", "B", "C"]).all()
    assert (menu["lead_time_years"] > 0).all()
    assert (menu["life_a"] > 0).all()
    assert (menu["vn_min_kv"] <= menu["vn_max_kv"]).all()


def test_what_a_measure_costs_is_a_row_at_its_levels_or_a_price_by_the_mwh():
    menu, costs = standard_table("measures"), standard_table("unit_costs")
    for row in menu.to_dict("records"):
        if not row["cost_kind"]:
            assert row["energy_cost_cny_per_mwh"] > 0
            continue
        of_kind = costs[costs["kind"] == row["cost_kind"]]
        assert not of_kind.empty
        at = [level for level in LEVELS[row["cost_kind"]] if row["vn_min_kv"] <= level <= row["vn_max_kv"]]
        assert at
        assert set(at) <= set(of_kind["vn_kv"])


def test_a_reactor_for_light_load_and_a_capacitor_for_heavy_load_stand_together():
    menu = standard_table("measures").set_index("measure")
    for level in ("10", "110"):
        reactor, capacitor = menu.loc[f"reactor_{level}"], menu.loc[f"capacitor_{level}"]
        assert reactor["exclusive"] != capacitor["exclusive"]
        assert reactor["load_share_max"] <= capacitor["load_share_min"]


def test_demand_response_is_offered_at_the_most_wanted_loads_however_many_buses_without_load_are_wanted_more():
    one = MeasureBook(triangle(), PlanEntry(measures=("demand_response",)))
    wanted = ("A/110", *(f"nothing {k}" for k in range(AGREEMENT_BUSES)), "D/110", "C/10")
    assert [m.element for m in one.menu(Wanted((), (), wanted))] == ["D/110", "C/10"]


@pytest.mark.parametrize("kind", LEVELS)
def test_unit_costs_have_a_range_a_source_and_a_grade(kind):
    rows = standard_table("unit_costs").query("kind == @kind")
    assert set(LEVELS[kind]) <= set(rows["vn_kv"])
    assert ((rows["cost_low_cny"] <= rows["cost_cny"]) & (rows["cost_cny"] <= rows["cost_high_cny"])).all()
    assert (rows["cost_low_cny"] > 0).all()
    assert (rows["source"].str.len() > 5).all()
    assert rows["confidence"].isin(["A", "B", "C"]).all()
