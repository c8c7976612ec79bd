"""The menu of measures: what they cost, what they do to the tables, and what they lift."""

from __future__ import annotations

import numpy as np
import pytest
from gridstudy_networks import random_network, triangle, two_bus

from grid.contracts import UPGRADES, Case
from grid.hosting import hosting_basis, hosting_capacity
from grid.standards_tables import standard_table
from grid.upgrades import apply_upgrade, apply_upgrades, study_upgrades, upgrade_options, worst_rows

LIGHT = Case("light", "", "", 0.4, 1.0, 1.0)


def test_menu_of_a_line_a_unit_and_a_bus():
    net = triangle()
    menu = UPGRADES.validate(upgrade_options(net, ["AB", "C#2", "D/110", "", "nothing", "AB"]))
    assert list(menu.upgrade_id) == [
        "second_circuit:AB",
        "add_transformer:C#1",
        "replace_transformer:C#1",
        "second_circuit:BD",
    ]
    assert (menu.cost_cny > 0).all()
    assert (menu.description_zh.str.len() > 0).all()
    assert menu.cost_source.str.len().gt(0).all()


def test_costs_by_hand():
    """A further 40 MVA unit: 40 x 245 000; two larger units of 50 MVA: 100 x 165 700; 20 km + two bays of 3 million."""
    menu = upgrade_options(triangle(), ["C#1", "AB"]).set_index("upgrade_id")
    dearest = standard_table("unit_costs").query("kind == 'line' and vn_kv == 110").cost_cny.max()
    assert menu.loc["add_transformer:C#1", "cost_cny"] == pytest.approx(40 * 245_000)
    assert menu.loc["replace_transformer:C#1", "cost_cny"] == pytest.approx(2 * 50 * 165_700)
    assert menu.loc["second_circuit:AB", "cost_cny"] == pytest.approx(20 * dearest + 2 * 3e6)


def test_measures_change_only_what_they_name():
    net = triangle()
    added = apply_upgrade(net, "add_transformer", "C#1")
    assert list(added.transformers.transformer_id) == ["C#1", "C#2", "C#1+unit1"]
    larger = apply_upgrade(net, "replace_transformer", "C#2")
    assert list(larger.transformers.sn_mva) == [50.0, 50.0]
    doubled = apply_upgrade(net, "second_circuit", "AB")
    assert list(doubled.lines.line_id) == ["AB", "BC", "CA", "BD", "AB+circuit1"]
    assert doubled.lines.corridor_id.iloc[-1] == "AB"
    for changed in (added, larger, doubled):
        changed.validate()
    assert list(net.transformers.sn_mva) == [40.0, 40.0]
    assert len(net.lines) == 4
    twice = apply_upgrade(doubled, "second_circuit", "AB")
    assert twice.lines.line_id.iloc[-1] == "AB+circuit2"


def test_unknown_measure_and_element_are_refused():
    with pytest.raises(ValueError, match="no measure"):
        apply_upgrade(triangle(), "storage", "AB")
    with pytest.raises(KeyError, match="nowhere"):
        apply_upgrade(triangle(), "second_circuit", "nowhere")


def test_largest_type_has_no_larger_one():
    net = triangle()
    net.transformers["sn_mva"] = 80.0
    assert list(upgrade_options(net, ["C#1"]).kind) == ["add_transformer"]
    with pytest.raises(KeyError, match="larger"):
        apply_upgrade(net, "replace_transformer", "C#1")


def test_second_circuit_doubles_the_two_bus_capacity():
    """N-0: two circuits carry twice; N-1: as much as one did before, where N-1 was the plant's own loss."""
    net = two_bus()
    before = hosting_capacity(net, [LIGHT], ["B/110"]).set_index("mode").capacity_mw
    doubled = hosting_capacity(apply_upgrade(net, "second_circuit", "L#1"), [LIGHT], ["B/110"]).set_index("mode")
    assert doubled.loc["n_0", "capacity_mw"] == pytest.approx(2 * before["n_0"], rel=0.01)


def test_study_finds_what_lifts_the_bus_and_to_how_much():
    """Two 40 MVA units at C bind its 10 kV bus; the study's figure is the capacity of the strengthened network."""
    net = triangle(ka=3.0)
    basis = hosting_basis(net, [LIGHT])
    hosting = hosting_capacity(net, [LIGHT], ["C/10", "B/110"], basis=basis)
    study = study_upgrades(basis, hosting, ["C/10", "B/110"])
    row = study.by_bus.set_index("bus_id").loc["C/10"]
    before = worst_rows(hosting, "n_1").loc["C/10"]
    assert before.limit == "transformer_loading"
    assert row.upgrade_id in ("add_transformer:C#1", "replace_transformer:C#1")
    stronger = apply_upgrades(net, study.upgrades[study.upgrades.upgrade_id == row.upgrade_id])
    after = hosting_capacity(stronger, [LIGHT], ["C/10"])
    assert row.n_1_after_upgrade_mw == worst_rows(after, "n_1").loc["C/10", "capacity_mw"]
    assert row.n_1_after_upgrade_mw > before.capacity_mw + 5


def test_budget_limits_what_is_built_and_nothing_helps_is_said():
    net = random_network(0, 3, 4)
    basis = hosting_basis(net, [LIGHT])
    buses = list(net.buses.bus_id)[1:7]
    hosting = hosting_capacity(net, [LIGHT], buses, basis=basis)
    study = study_upgrades(basis, hosting, buses, budget=2)
    assert len(study.upgrades) == 2
    assert list(study.by_bus.bus_id) == buses
    empty = study.by_bus.upgrade_id == ""
    assert np.isnan(study.by_bus.loc[empty, "n_1_after_upgrade_mw"]).all()
    assert empty.any()
