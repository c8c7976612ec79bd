"""What measures cost: from the rows of two tables, by hand; another row, no code."""

from __future__ import annotations

import pytest
from gridstudy_networks import triangle

from grid.measures.contracts import MEASURES, PlannedStation
from grid.measures.menu import annuity, measures_menu, unit_cost
from grid.standards_tables import own_standards, standard_table


def menu(*elements, **options):
    return MEASURES.validate(measures_menu(triangle(), elements, **options)).set_index("measure_id")


def test_investments_by_hand():
    """40 MVA x 245 000; 2 x 50 MVA x 165 700; 20 km x the dearest 110 kV line + two bays; 200 MWh x 979 000 + a bay."""
    got = menu("C#1", "AB", "C/10")["investment_cny"]
    dearest = standard_table("unit_costs").query("kind == 'line' and vn_kv == 110").cost_cny.max()
    assert got["add_transformer:C#1"] == pytest.approx(40 * 245_000)
    assert got["replace_transformer:C#1"] == pytest.approx(100 * 165_700)
    assert got["high_impedance:C#1"] == pytest.approx(80 * 182_000)
    assert got["second_circuit:AB"] == pytest.approx(20 * dearest + 2 * 3e6)
    assert got["storage_2h:C/10"] == pytest.approx(200 * 979_000 + 200_000)
    assert got["capacitor_10:C/10"] == pytest.approx(6 * 40_000 + 200_000)
    assert got["demand_response:C/10"] == pytest.approx(0.05 * 30 * 100_000)
    assert got["curtailment_5_percent:C/10"] == 0
    assert got["dynamic_rating:AB"] == 600_000


def test_high_impedance_costs_a_tenth_more_than_a_unit_that_is_replaced():
    costs = standard_table("unit_costs")
    usual, dearer = (
        costs[costs.kind == kind].set_index("vn_kv").cost_cny for kind in ("replace_transformer", "high_impedance")
    )
    assert list(dearer.index) == [110, 220, 500]
    assert (dearer / usual).to_numpy() == pytest.approx(1.10, abs=0.002)
    got = menu("C#1").loc["high_impedance:C#1"]
    assert (got.cost_confidence, got.lead_time_years, got["count"]) == ("C", 1.5, 2)


def test_new_station_pays_units_loop_and_bays():
    """2 x 50 MVA x 570 000; 0.1 degree of latitude there and back at the dearest line; two bays of 3 million."""
    got = menu(planned=[PlannedStation("N", "n", "n", 110.0, 116.1, 32.9)]).loc["new_station_110:N"]
    dearest = standard_table("unit_costs").query("kind == 'line' and vn_kv == 110").cost_cny.max()
    assert got.investment_cny == pytest.approx(100 * 570_000 + 2 * 11.1195 * dearest + 2 * 3e6, rel=1e-6)
    assert got.cost_confidence == "C"


def test_annual_cost_by_hand():
    """6 % over 20 years: 0.0871846; with 1 % O&M 0.0971846 of the investment."""
    assert annuity(0.06, 20) == pytest.approx(0.0871846, abs=1e-7)
    assert annuity(0.0, 8) == 0.125
    got = menu("C#1").loc["add_transformer:C#1"]
    assert got.annual_cost_cny == pytest.approx(40 * 245_000 * 0.0971846, rel=1e-6)
    assert (got.life_a, got.om_share, got.discount_rate, got.price_year) == (20, 0.01, 0.06, 2023)


def test_confidence_is_the_least_of_what_entered():
    """Units at 110 kV are priced by published projects (A); the storage tender is A, its bay C."""
    got = menu("C#1", "C/10")["cost_confidence"]
    assert got["add_transformer:C#1"] == "A"
    assert got["storage_2h:C/10"] == "C"


def test_units_and_conductors_exclude_each_other():
    net = triangle()
    net.lines["line_type"], net.lines["max_i_ka"] = "110 kV 185/30", 0.36
    got = measures_menu(net, ["C#1", "C#2", "AB", "C/10"]).set_index("measure_id").exclusive_group
    assert got["add_transformer:C#1"] == got["replace_transformer:C#1"] == got["high_impedance:C#1"] != ""
    assert got["reconductor:AB"] == got["dynamic_rating:AB"] != ""
    assert got["second_circuit:AB"] == ""
    assert got["curtailment_5_percent:C/10"] == got["curtailment_10_percent:C/10"]
    assert got.index.is_unique


def test_a_deeper_contract_costs_more_by_the_mwh():
    """Else the one of 5 % would never be agreed on: the deeper one allows all that it allows."""
    prices = menu("C/10")["energy_cost_cny_per_mwh"]
    assert prices["curtailment_10_percent:C/10"] > prices["curtailment_5_percent:C/10"] > 0


def test_a_bus_stands_for_what_feeds_it():
    ids = set(menu("C/10").index)
    assert {"add_transformer:C#1", "storage_2h:C/10"} <= ids
    assert "second_circuit:BD" in set(menu("D/110").index)
    assert menu("nothing", "").empty


def test_a_row_more_is_a_measure_more(tmp_path):
    """A study's own table: storage of 30 MW x 6 h; its price is the tender's, its size the row's."""
    row = standard_table("measures").query("measure == 'storage_4h'").assign(measure="storage_6h", size=30, hours=6)
    row.to_csv(tmp_path / "measures.csv", index=False, encoding="utf-8")
    with own_standards(tmp_path):
        got = menu("C/10").loc["storage_6h:C/10"]
    assert (got.power_mw, got.energy_mwh) == (30, 180)
    assert got.investment_cny == pytest.approx(180 * 979_000 + 200_000)
    assert "storage_6h:C/10" not in menu("C/10").index


def test_a_dearer_price_is_a_dearer_measure_and_no_price_is_no_offer():
    costs = standard_table("unit_costs")
    costs.loc[costs.kind == "storage", "cost_cny"] *= 2
    assert menu("C/10", costs=costs).loc["storage_2h:C/10", "investment_cny"] > 1.9 * 200 * 979_000
    assert "storage_2h:C/10" not in menu("C/10", costs=costs[costs.kind != "storage"]).index


def test_levels_without_a_price_take_the_nearest():
    costs = standard_table("unit_costs")
    assert unit_cost(costs, "bay", 66.0).cny == unit_cost(costs, "bay", 110.0).cny
    assert unit_cost(costs, "line", 110.0, "110 kV 240/30").cny == 650_000
    assert unit_cost(costs, "teleport", 110.0) is None


def test_every_row_of_the_menu_is_used():
    net = triangle()
    net.lines["line_type"], net.lines["max_i_ka"] = "110 kV 185/30", 0.36
    offers = standard_table("measures").assign(vn_min_kv=10.0, vn_max_kv=500.0)
    places = [PlannedStation(f"N{v}", f"n{v}", "n", v, 116.1, 32.5) for v in (110.0,)]
    got = measures_menu(net, ["C#1", "AB", "C/10", "B/110", "C/110"], planned=places, offers=offers)
    found = {m.split(":")[0] for m in got.measure_id}
    # a 220 kV station needs a 220 kV line; B and C have three branches each, too few to split
    assert found | {"new_station_220", "split_bus", "new_station_110"} == set(offers.measure)
