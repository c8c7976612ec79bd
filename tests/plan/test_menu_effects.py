"""What each measure does to the network: our engine with the measure built, pandapower with its own element changed."""

from dataclasses import replace

import menu_networks as networks
import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from gridstudy_networks import load, table

from grid.contracts import LOADS, Case, Status
from grid.engine import Engine
from grid.line_parameters import line_type_parameters
from grid.measures.apply import apply_measure, may_be_split
from grid.measures.contracts import EFFECTS, Measure
from grid.measures.effects import injection_effect, rating_effect
from grid.measures.menu import measures_menu
from grid.standards_tables import transformer_types

LIGHT = Case("light", "", "", 0.5, 0.0, 0.0)
SAME = 1e-6


def with_load(one, bus_id, mw, mvar):
    """The network of an instance with one load more."""
    more = table(LOADS, [load(bus_id, mw, mvar)])
    return replace(one.network, loads=more if one.network.loads.empty else table(LOADS, [
        *one.network.loads.to_dict("records"), load(bus_id, mw, mvar)])).validate()  # fmt: skip


def measure_of(net, element, kind, **options):
    menu = measures_menu(net, [element] if element else [], kinds=[kind], **options)
    return Measure.at(menu, menu["measure_id"].iloc[0])


def at(there, table_name, name):
    """Index of the element of a name."""
    return int(there[table_name].index[there[table_name]["name"] == name][0])


def assert_same(net, case, there):
    """Voltages of all buses and flows of all branches of both engines: 1e-6 pu, 1e-6 of the base of 100 MVA."""
    engine = Engine(net, case)
    ours = engine.solve()
    assert ours.status is Status.SOLVED
    networks.run(there)
    theirs = there.res_bus["vm_pu"].to_numpy()
    assert [engine.model.bus_ids[k] for k in range(len(theirs))] == there.bus["name"].tolist()
    np.testing.assert_allclose(ours.vm_pu, theirs, rtol=0, atol=SAME)
    for names, flows in (
        (there.line["name"], there.res_line["p_from_mw"]), (there.trafo["name"], there.res_trafo["p_hv_mw"]),
    ):  # fmt: skip
        for name, mw in zip(names, flows, strict=True):
            own = [k for k, e in enumerate(engine.model.element_ids) if e == name or e.startswith(f"{name}+")]
            assert float(ours.p_from_mw[own].sum()) / 100 == pytest.approx(mw / 100, abs=SAME)


def with_type(there, names, type_name):
    """Units with the figures of a type."""
    row = transformer_types().loc[type_name]
    for name in names:
        for field in ("sn_mva", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent"):
            there.trafo.loc[at(there, "trafo", name), field] = float(row[field])


UNITS = with_load(networks.behind_units("220/110 180 MVA", 2, 0.0), "A/110", 150.0, 40.0)
BOARD = with_load(networks.behind_units("110/10 40 MVA", 2, 0.0), "A/10", 45.0, 12.0)
HIGH = with_load(networks.behind_units("500/220 750 MVA", 2, 0.0), "A/220", 800.0, 150.0)
LINE = with_load(networks.radial("110 kV 185/30", 0.0), "B/110", 50.0, 10.0)
STRINGS = replace(
    networks.two_strings(0.0).network, loads=table(LOADS, [load("C/110", 150.0, 30.0), load("B/110", 20.0, 5.0)])
)


@pytest.mark.parametrize("net", [BOARD, UNITS, HIGH], ids=["110/10", "220/110", "500/220"])
def test_one_more_unit_is_one_more_in_parallel(net):
    there = networks.second_engine(net, networks.EVENING)
    there.trafo.loc[at(there, "trafo", "A#1"), "parallel"] = 2
    assert_same(apply_measure(net, measure_of(net, "A#1", "add_transformer")), networks.EVENING, there)


@pytest.mark.parametrize("net", [BOARD, UNITS, HIGH], ids=["110/10", "220/110", "500/220"])
@pytest.mark.parametrize("kind", ["replace_transformer", "high_impedance"])
def test_other_units_are_units_of_the_type_that_the_menu_names(net, kind):
    measure = measure_of(net, "A#2", kind)
    there = networks.second_engine(net, networks.EVENING)
    with_type(there, ("A#1", "A#2"), measure.type_name)
    assert_same(apply_measure(net, measure), networks.EVENING, there)


def test_a_second_circuit_is_a_line_of_two_in_parallel():
    there = networks.second_engine(LINE, networks.EVENING)
    there.line.loc[at(there, "line", "AB#1"), "parallel"] = 2
    assert_same(apply_measure(LINE, measure_of(LINE, "AB#1", "second_circuit")), networks.EVENING, there)


def test_other_wires_are_a_line_with_the_type_s_figures():
    measure = measure_of(LINE, "AB#1", "reconductor")
    there = networks.second_engine(LINE, networks.EVENING)
    row = line_type_parameters().loc[measure.type_name]
    for field in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"):
        there.line.loc[at(there, "line", "AB#1"), field] = float(row[field])
    assert_same(apply_measure(LINE, measure), networks.EVENING, there)


def test_a_split_bus_is_a_second_bus_with_every_second_branch_and_load():
    built = apply_measure(STRINGS, measure_of(STRINGS, "B/110", "split_bus"))
    there = networks.second_engine(STRINGS, networks.EVENING)
    section = pp.create_bus(there, vn_kv=110.0, name="B/110+section1")
    there.line.loc[at(there, "line", "AB#2"), "to_bus"] = section
    there.line.loc[at(there, "line", "BC#2"), "from_bus"] = section
    assert_same(built, networks.EVENING, there)
    engine = Engine(built, networks.EVENING)
    vm = engine.solve(outage="AB#1").vm_pu
    assert abs(vm[engine.model.bus_index("B/110")] - vm[engine.model.bus_index("B/110+section1")]) > 1e-3


def test_a_bus_is_not_split_where_a_section_would_hang_on_one_branch():
    """With B - C single, of A - B, A - B, B - C and a spur each section would have one branch that keeps it alive: its
    loss would drop load, and count as an outage that overloads nothing."""
    net = STRINGS
    assert may_be_split(net, "B/110")
    spur = replace(net, lines=net.lines[~net.lines["line_id"].isin(["BC#2"])].reset_index(drop=True))
    assert not may_be_split(spur, "B/110")
    hanging = replace(net, lines=net.lines[~net.lines["line_id"].str.startswith("CA")].reset_index(drop=True))
    assert may_be_split(hanging, "B/110")  # C joins both sections from the other side
    ends = hanging.lines.copy()
    ends.loc[ends["line_id"] == "BC#2", "to_bus"] = "D/110"
    buses = pd.concat([net.buses, net.buses.iloc[[0]].assign(bus_id="D/110")], ignore_index=True)
    assert not may_be_split(replace(hanging, lines=ends, buses=buses), "B/110")


def test_a_further_unit_costs_what_is_built_where_units_in_parallel_differ():
    """The one that is built is like the first, whichever of them binds."""
    units = BOARD.transformers.copy()
    units.loc[1, ["sn_mva", "transformer_type"]] = [63.0, "110/10 63 MVA"]
    net = replace(BOARD, transformers=units)
    for element in ("A#1", "A#2"):
        menu = measures_menu(net, [element], kinds=["add_transformer"])
        built = apply_measure(net, Measure.at(menu, "add_transformer:A#1"))
        assert menu["s_mva"].tolist() == [built.transformers["sn_mva"].iloc[-1]] == [40.0]
        assert menu["investment_cny"].iloc[0] == 40 * 245_000


@pytest.mark.parametrize(("kind", "case", "mvar"), [("reactor", LIGHT, 20.0), ("capacitor", networks.EVENING, -20.0)])
def test_a_shunt_is_pandapower_s_shunt_and_stands_only_at_its_load(kind, case, mvar):
    built = apply_measure(LINE, measure_of(LINE, "B/110", kind))
    there = networks.second_engine(LINE, case)
    pp.create_shunt(there, at(there, "bus", "B/110"), q_mvar=mvar)
    assert_same(built, case, there)
    other = LIGHT if case is networks.EVENING else networks.EVENING
    assert_same(built, other, networks.second_engine(LINE, other))


def test_a_new_station_is_a_line_cut_two_units_and_a_third_of_the_load():
    """Both parts of the line reach the station: together they are its 25 km and twice the way to it."""
    one = networks.ring_with_board(0.0)
    measure = measure_of(one.network, "", "new_station", planned=one.stations)
    built = apply_measure(one.network, measure)
    there = networks.second_engine(one.network, networks.EVENING)
    cut = at(there, "line", measure.joins)
    old, parts = there.line.loc[cut].copy(), built.lines.set_index("line_id")["length_km"]
    high, low = pp.create_bus(there, 110.0, name="new001/110"), pp.create_bus(there, 10.0, name="new001/10")
    there.line.drop(cut, inplace=True)
    for name, ends in ((f"{old['name']}>new001", (old.from_bus, high)), (f"new001>{old['name']}", (high, old.to_bus))):
        pp.create_line_from_parameters(
            there, *map(int, ends), float(parts[name]), old.r_ohm_per_km, old.x_ohm_per_km, old.c_nf_per_km,
            old.max_i_ka, name=name,
        )  # fmt: skip
    row = transformer_types().loc["110/10 50 MVA"]
    for k in (1, 2):
        pp.create_transformer_from_parameters(
            there, high, low, 50.0, row.vn_hv_kv, row.vn_lv_kv, row.vkr_percent, row.vk_percent, row.pfe_kw,
            row.i0_percent, float(row.shift_degree), name=f"new001#{k}",
        )  # fmt: skip
    there.load.loc[0, ["p_mw", "q_mvar"]] *= 0.67
    pp.create_load(there, low, 0.33 * 60.0, 0.33 * 12.0)
    assert_same(built, networks.EVENING, there)
    assert parts[[n for n in parts.index if "new001" in n]].sum() == pytest.approx(25.0 + measure.length_km, rel=1e-6)


@pytest.mark.parametrize(("season", "factor"), [("summer", 1.10), ("transition", 1.12), ("winter", 1.15)])
def test_a_dynamic_rating_lowers_the_loading_by_its_factor_and_moves_no_flow(season, factor):
    one = networks.radial("110 kV 185/30", 60.0, case=replace(networks.NOON, season=season))
    book, measures = one.menu()
    (rating,) = [m for m in measures if m.kind == "dynamic_rating"]
    before, after = (
        networks.second_engine(book.build(config, one.case), one.case)
        for config in (frozenset(), frozenset([rating.id]))
    )
    for net in (before, after):
        pp.create_sgen(net, at(net, "bus", "B/110"), 60.0)
        networks.run(net)
    assert float(before.res_line["loading_percent"].iloc[0]) == pytest.approx(
        factor * float(after.res_line["loading_percent"].iloc[0]), rel=1e-9
    )
    assert float(before.res_line["p_from_mw"].iloc[0]) == float(after.res_line["p_from_mw"].iloc[0])
    assert rating_effect(Measure.at(book.table, rating.id), season).factor == factor


def test_what_acts_on_injections_is_storage_plant_and_load_of_pandapower():
    """A store charges 12 MW, a contract holds 5 of 40 MW back, the load of 50 MW gives its 2.5 MW."""
    menu = measures_menu(LINE, ["B/110"])
    store, contract, response = (
        injection_effect(Measure.at(menu, f"{name}:B/110"))
        for name in ("storage_2h", "curtailment_10_percent", "demand_response")
    )
    assert (store.charge_mw, store.discharge_mw, response.charge_mw) == (100.0, 100.0, 0.0)
    assert response.discharge_mw == pytest.approx(2.5)
    assert contract.plant_share == 1.0
    engine = Engine(LINE, networks.EVENING)
    injected = np.zeros(engine.model.n_bus)
    injected[engine.model.bus_index("B/110")] = 40.0 - 5.0 - 12.0 + response.discharge_mw
    ours = engine.solve(injected)
    there = networks.second_engine(LINE, networks.EVENING)
    b = at(there, "bus", "B/110")
    pp.create_sgen(there, b, 35.0)
    pp.create_storage(there, b, 12.0, max_e_mwh=24.0)
    there.load["p_mw"] -= 2.5
    networks.run(there)
    np.testing.assert_allclose(ours.vm_pu, there.res_bus["vm_pu"], rtol=0, atol=SAME)


def test_every_kind_is_compared_above():
    compared = {
        "add_transformer", "replace_transformer", "high_impedance", "second_circuit", "reconductor", "split_bus",
        "reactor", "capacitor", "new_station", "dynamic_rating", "storage", "curtailment_contract", "demand_response",
    }  # fmt: skip
    assert compared == set(EFFECTS)
