"""What each measure does to the network, by load flow against values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gridstudy_networks import (
    bus,
    infeed,
    line,
    load,
    network,
    plain_pandapower,
    station,
    triangle,
    two_bus,
    unit,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.admittance import compile_model
from grid.contracts import Case, Status
from grid.engine import Engine
from grid.line_parameters import line_type_parameters
from grid.measures.apply import apply_measure, apply_measures
from grid.measures.contracts import EFFECTS, KINDS, MEASURES, Measure, PlannedStation
from grid.measures.effects import injection_effect, rating_effect
from grid.measures.menu import measures_menu
from grid.network_tables import read_network, write_network
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
from grid.studies.short_circuit_boundary import all_running, infeed_powers

PEAK = Case("peak", "", "", 1.0, 0.0, 0.0)
LIGHT = Case("light", "", "", 0.4, 1.0, 0.0)


def menu_of(net, element, kind, **options):
    menu = measures_menu(net, [element], kinds=[kind], **options)
    return Measure.at(menu, menu["measure_id"].iloc[0])


def solved(net, case=PEAK):
    engine = Engine(net, case)
    solution = engine.solve()
    assert solution.status == Status.SOLVED
    return engine.model, solution


def vm(net, bus_id, case=PEAK):
    model, solution = solved(net, case)
    return float(solution.vm_pu[model.bus_index(bus_id)])


def flow_mw(net, element, case=PEAK):
    model, solution = solved(net, case)
    return float(solution.p_from_mw[model.element_index(element)])


def seen_impedance_pu(net, bus_id):
    """Impedance between a bus and the infeeds, which hold their voltage."""
    model = compile_model(net)
    held = [model.bus_index(b) for b in net.infeeds.bus_id]
    rest = np.setdiff1d(np.arange(model.n_bus), held)
    z = np.linalg.inv(model.ybus.toarray()[np.ix_(rest, rest)])
    k = int(np.flatnonzero(rest == model.bus_index(bus_id))[0])
    return complex(z[k, k])


def two_bus_voltage(demand_mw, q_mvar, x_ohm, vn=110.0):
    """Receiving end of a reactance: V^2 is the larger root of V^4 - (1 - 2 Q X) V^2 + X^2 (P^2 + Q^2) = 0, per unit."""
    x, p, q = x_ohm / (vn**2 / 100), demand_mw / 100, q_mvar / 100
    b = 1 - 2 * q * x
    return math.sqrt((b + math.sqrt(b**2 - 4 * x**2 * (p**2 + q**2))) / 2)


def test_circuits_alike_on_a_route_offer_one_further_circuit():
    """Two equal circuits AB, one of them listed the other way round, and a third of other wires: one offer for the
    pair, named after the first, another for the third."""
    net = triangle()
    first = net.lines[net.lines["line_id"] == "AB"].iloc[0].to_dict()
    turned = {**first, "line_id": "AB2", "from_bus": first["to_bus"], "to_bus": first["from_bus"]}
    other = {**first, "line_id": "AB3", "length_km": 1.3 * first["length_km"]}
    net = replace(net, lines=pd.concat([net.lines, pd.DataFrame([turned, other])], ignore_index=True))
    menu = measures_menu(net, ["AB2", "AB", "AB3"], kinds=["second_circuit"])
    assert menu["measure_id"].tolist() == ["second_circuit:AB", "second_circuit:AB3"]


def test_second_circuit_halves_the_series_impedance():
    """10 km at 0.4 ohm/km: 4 ohm, with the second circuit 2 ohm; the voltage at 60 MW follows in closed form."""
    net = two_bus(demand=60.0)
    doubled = apply_measure(net, menu_of(net, "L#1", "second_circuit"))
    assert vm(net, "B/110") == pytest.approx(two_bus_voltage(60, 0, 4.0), abs=1e-8)
    assert vm(doubled, "B/110") == pytest.approx(two_bus_voltage(60, 0, 2.0), abs=1e-8)
    assert seen_impedance_pu(doubled, "B/110") == pytest.approx(seen_impedance_pu(net, "B/110") / 2)
    assert flow_mw(doubled, "L#1") == pytest.approx(30.0, abs=1e-6)


def test_reconductor_changes_resistance_reactance_and_rating_by_type():
    net = two_bus(demand=60.0)
    net.lines["line_type"] = "110 kV 185/30"
    net.lines["max_i_ka"] = line_type_parameters().loc["110 kV 185/30", "max_i_ka"]
    measure = menu_of(net, "L#1", "reconductor")
    built = apply_measure(net, measure).lines.iloc[0]
    kind = line_type_parameters().loc["110 kV 240/30"]
    assert measure.type_name == built.line_type == "110 kV 240/30"
    for name in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"):
        assert built[name] == kind[name]
    assert built.length_km == 10.0
    assert measure.s_mva == pytest.approx(math.sqrt(3) * 110 * (kind.max_i_ka - net.lines.max_i_ka.iloc[0]))


def test_reconductor_keeps_the_number_of_sub_conductors():
    """The towers of a single conductor do not bear a pair: the largest single type has no successor."""
    net = two_bus()
    net.lines["line_type"] = "110 kV 300/40"
    net.lines["max_i_ka"] = line_type_parameters().loc["110 kV 300/40", "max_i_ka"]
    assert measures_menu(net, ["L#1"], kinds=["reconductor"]).empty


def test_a_further_unit_and_larger_units_lower_the_impedance_as_by_hand():
    """Two 40 MVA units of 10.5 %: 10.5 / 2 on 40 MVA; three: 10.5 / 3; two of 50 MVA: 10.5 / 2 on 50 MVA.

    Units of 110/10.5 kV: seen from a 10 kV base everything is (10.5 / 10)^2 times as large.
    """
    net = triangle()
    z = {}
    for name, changed in {
        "two": net,
        "three": apply_measure(net, menu_of(net, "C#1", "add_transformer")),
        "larger": apply_measure(net, menu_of(net, "C#1", "replace_transformer")),
    }.items():
        z[name] = abs(seen_impedance_pu(changed, "C/10") / 1.05**2 - seen_impedance_pu(changed, "C/110"))
    base = 0.105 * 100 / 40
    assert z["two"] == pytest.approx(base / 2, rel=5e-3)
    assert z["three"] == pytest.approx(base / 3, rel=5e-3)
    assert z["larger"] == pytest.approx(0.105 * 100 / 50 / 2, rel=5e-3)


def fault_ka(net, bus_id):
    table = run_short_circuit(all_running(net), ShortCircuitOptions(infeed_s_sc_mva=infeed_powers(net))).buses
    (row,) = np.flatnonzero(net.buses.bus_id == bus_id)
    return float(table.ikss_3ph_ka.iloc[row])


def behind_two_units(sn, vh, vl, vk):
    """infeed A o===[ two units ]===o low side, without load: 10000 MVA behind A."""
    high, low = 220.0, 110.0
    return network(
        "units",
        stations=[station("A", high)],
        buses=[bus("A/220", high), bus("A/110", low)],
        units=[unit(f"A#{k}", "A/220", "A/110", sn, vh, vl, vk_percent=vk) for k in (1, 2)],
        infeeds=[infeed("A/220")],
    )


def test_high_impedance_units_lower_the_current_at_the_low_side_as_by_hand():
    """Two 180 MVA units of 14 %, then of 20 %, behind S"k = 10000 MVA. Per unit of 100 MVA and nominal voltages:

    Z_Q = 1.1 x 100 / 10000 = 0.011; a unit is vk x 100 / 180, corrected by K_T = 0.95 x 1.1 / (1 + 0.6 x_T), with the
    rated voltages of the sample equal to the nominal ones, so that
    I = 1.1 / |Z_Q + K_T z_T / 2| x 100 / (sqrt3 x 110 kV); R/X of the infeed 0.1, vkr 0.4 and 0.35 %.
    """

    def by_hand(vk, vkr):
        x_q = 0.011 / math.sqrt(1.01)
        x_t = math.sqrt(vk**2 - vkr**2) / 100
        k_t = 0.95 * 1.1 / (1 + 0.6 * x_t)
        z = complex(0.1 * x_q, x_q) + k_t * complex(vkr / 100, x_t) * 100 / 180 / 2
        return 1.1 / abs(z) * 100 / (math.sqrt(3) * 110)

    net = behind_two_units(180.0, 220.0, 110.0, 14.0)
    measure = menu_of(net, "A#2", "high_impedance")
    built = apply_measure(net, measure).validate()
    assert (measure.type_name, measure.count, measure.s_mva) == ("220/110 180 MVA high-z", 2, 0.0)
    assert list(built.transformers.sn_mva) == [180.0, 180.0]
    assert list(built.transformers.vk_percent) == [20.0, 20.0]
    assert list(net.transformers.vk_percent) == [14.0, 14.0]
    assert fault_ka(net, "A/110") == pytest.approx(by_hand(14.0, 0.4), rel=1e-3)
    assert fault_ka(built, "A/110") == pytest.approx(by_hand(20.0, 0.35), rel=1e-3)
    assert fault_ka(built, "A/110") < 0.8 * fault_ka(net, "A/110")
    assert fault_ka(built, "A/220") == pytest.approx(fault_ka(net, "A/220"))


def test_high_impedance_units_scale_the_impedance_of_the_load_flow_and_drop_more_voltage():
    """40 MVA of 10.5 % become 40 MVA of 16 %: the impedance between both sides grows by 16 / 10.5."""
    net = triangle()
    built = apply_measure(net, menu_of(net, "C#1", "high_impedance"))
    z = [abs(seen_impedance_pu(n, "C/10") / 1.05**2 - seen_impedance_pu(n, "C/110")) for n in (net, built)]
    assert z[0] == pytest.approx(0.105 * 100 / 40 / 2, rel=5e-3)
    assert z[1] / z[0] == pytest.approx(16 / 10.5, rel=5e-3)
    assert vm(built, "C/10") < vm(net, "C/10") - 0.005


def test_high_impedance_is_offered_only_where_it_would_raise_the_impedance_of_equal_units():
    net = triangle()
    built = apply_measure(net, menu_of(net, "C#1", "high_impedance"))
    assert measures_menu(built, ["C#1"], kinds=["high_impedance"]).empty
    for sizes in ([40.0, 50.0], [45.0, 45.0]):
        net.transformers["sn_mva"] = sizes
        assert measures_menu(net, ["C#1"], kinds=["high_impedance"]).empty


def test_split_bus_raises_the_short_circuit_impedance():
    """Two equal circuits feed B, two leave for C: each section keeps one of both, B sees 4 ohm instead of 2."""
    net = network(
        "split",
        stations=[station(s, 110.0, 116 + k / 10) for k, s in enumerate("ABC")],
        buses=[bus(f"{s}/110", 110.0) for s in "ABC"],
        lines=[
            line(f"{f}{t}#{k}", f"{f}/110", f"{t}/110", 10, r=0, x=0.4, c=0) for f, t in ("AB", "BC") for k in (1, 2)
        ],
        infeeds=[infeed("A/110"), infeed("C/110")],
        loads=[load("B/110", 10, 0), {**load("B/110", 20, 0), "load_id": "second"}],
    )
    measure = menu_of(net, "B/110", "split_bus")
    split = apply_measure(net, measure).validate()
    section = "B/110+section1"
    ohm = 110**2 / 100
    assert seen_impedance_pu(net, "B/110").imag * ohm == pytest.approx(1.0)  # four circuits of 4 ohm
    assert seen_impedance_pu(split, "B/110").imag * ohm == pytest.approx(2.0)
    assert seen_impedance_pu(split, section).imag * ohm == pytest.approx(2.0)
    assert split.buses.set_index("bus_id").loc[section, "station_id"] == "B"
    assert dict(zip(split.loads.p_mw, split.loads.bus_id, strict=True)) == {10.0: "B/110", 20.0: section}
    solved(split)


def test_split_bus_wants_branches_to_deal_out():
    assert measures_menu(two_bus(), ["B/110"], kinds=["split_bus"]).empty
    some = Measure.at(measures_menu(triangle(), ["B/110"]), "storage_2h:B/110")
    with pytest.raises(ValueError, match="nothing to deal out"):
        apply_measure(two_bus(), replace(some, kind="split_bus"))


def test_capacitor_raises_and_reactor_lowers_the_voltage_by_closed_form():
    """A shunt is an admittance: at 60 MW behind 4 ohm a bank of 20 Mvar feeds 20 V^2, the fixed point of Q."""
    net = two_bus(demand=60.0)
    raised = apply_measure(net, menu_of(net, "B/110", "capacitor"))
    lowered = apply_measure(net, menu_of(net, "B/110", "reactor"))
    expected = 1.0
    for _ in range(60):
        expected = two_bus_voltage(60, -20 * expected**2, 4.0)
    assert vm(raised, "B/110") == pytest.approx(expected, abs=1e-8)
    assert vm(raised, "B/110") > vm(net, "B/110")
    assert vm(lowered, "B/110") == vm(net, "B/110")  # in at light load only
    assert vm(lowered, "B/110", LIGHT) < vm(net, "B/110", LIGHT)
    assert vm(raised, "B/110", LIGHT) == vm(net, "B/110", LIGHT)


def test_shunts_are_the_same_for_pandapower_and_for_the_other_engine(tmp_path):
    import pandapower as pp

    from grid.model.planning import from_network
    from grid.pandapower_net import to_pandapower
    from grid.solve import SolveOptions, solve

    net = triangle()
    net = apply_measures(net, measures_menu(net, ["C/10", "D/110"], kinds=["capacitor"]))
    assert len(net.shunts) == 2
    _, solution = solved(net)
    reference = plain_pandapower(replace(net, shunts=net.shunts.iloc[:0]), PEAK)
    for row in net.shunts.itertuples():
        pp.create_shunt(reference, int(reference.bus.index[reference.bus.name == row.bus_id][0]), q_mvar=row.q_mvar)
    ours = to_pandapower(net, PEAK)
    for other in (reference, ours):
        pp.runpp(other, calculate_voltage_angles=True, trafo_model="t", distributed_slack=True, numba=False)
        assert np.allclose(other.res_bus.vm_pu, solution.vm_pu, atol=1e-7)
    assert np.allclose(solve(from_network(net, PEAK), SolveOptions()).vm_pu, solution.vm_pu, atol=1e-7)
    write_network(net, tmp_path)
    pd.testing.assert_frame_equal(read_network(tmp_path).shunts, net.shunts)
    write_network(triangle(), tmp_path)
    assert read_network(tmp_path).shunts.empty


def test_new_station_loops_a_line_in_and_takes_load():
    """N stands 0.05 degree (5.56 km) north of the middle of A-B (20 km): both parts are 10 + 5.56 km."""
    net = triangle()
    place = PlannedStation("N", "新站", "New", 110.0, 116.1, 32.95)
    menu = measures_menu(net, [], planned=[place], kinds=["new_station"])
    measure = Measure.at(menu, "new_station_110:N")
    built = apply_measure(net, measure).validate()
    km = 0.05 * 111.195
    assert measure.joins == "AB"
    assert measure.length_km == pytest.approx(2 * km, rel=1e-6)
    parts = built.lines.set_index("line_id").loc[["AB>N", "N>AB"]]
    assert parts.length_km.to_numpy() == pytest.approx([10 + km, 10 + km], rel=1e-6)
    assert "AB" not in set(built.lines.line_id)
    assert list(built.buses.bus_id[-2:]) == ["N/110", "N/10"]
    assert (built.transformers.transformer_type[-2:] == "110/10 50 MVA").all()
    assert built.loads.p_mw.sum() == pytest.approx(net.loads.p_mw.sum())
    taken = built.loads[built.loads.bus_id == "N/10"]
    assert taken.p_mw.sum() == pytest.approx(0.33 * 30)  # of C's 30 MW, the nearest 10 kV load
    model, solution = solved(built)
    assert solution.load_mw == pytest.approx(62.0)
    flow = {e: float(solution.p_from_mw[model.element_index(e)]) for e in ("N#1", "N#2")}
    assert sum(flow.values()) == pytest.approx(0.33 * 30, abs=0.2)


def test_planned_station_that_stands_already_is_not_offered():
    at_b = PlannedStation("N", "新站", "New", 110.0, 116.201, 33.0)
    same_name = PlannedStation("M", "B变", "B", 110.0, 117.0, 34.0)
    other_level = PlannedStation("O", "高", "high", 220.0, 117.0, 34.0)
    assert measures_menu(triangle(), [], planned=[at_b, same_name, other_level]).empty


def test_new_station_cannot_be_built_twice():
    net = triangle()
    measure = Measure.at(
        measures_menu(net, [], planned=[PlannedStation("N", "n", "n", 110.0, 116.1, 32.9)]), "new_station_110:N"
    )
    with pytest.raises(ValueError, match="exists already"):
        apply_measure(apply_measure(net, measure), measure)


def test_measures_that_change_limits_or_injections_are_not_built():
    net = triangle()
    menu = measures_menu(net, ["B/110", "AB", "C/10"])
    for measure_id, effect in zip(menu.measure_id, menu.effect, strict=True):
        if effect != "network":
            with pytest.raises(ValueError, match="not the network"):
                apply_measure(net, Measure.at(menu, measure_id))
    others = menu[menu.effect != "network"]
    assert apply_measures(net, others) is net


def test_dynamic_rating_by_season_table():
    measure = menu_of(triangle(), "AB", "dynamic_rating")
    factors = {s: rating_effect(measure, s).factor for s in ("summer", "transition", "winter")}
    assert factors == {"summer": 1.10, "transition": 1.12, "winter": 1.15}
    assert rating_effect(measure, "summer").element == "AB"
    with pytest.raises(KeyError, match="monsoon"):
        rating_effect(measure, "monsoon")
    with pytest.raises(ValueError, match="not injections"):
        injection_effect(measure)


def test_injections_by_hand():
    """100 MW x 4 h at 85 %; 5 % of a load of 30 MW is 1.5 MW for at most 50 h; 10 % of a year's energy."""
    menu = measures_menu(triangle(), ["C/10"])
    store = injection_effect(Measure.at(menu, "storage_4h:C/10"))
    assert (store.charge_mw, store.discharge_mw, store.energy_mwh, store.efficiency) == (100, 100, 400, 0.85)
    respond = injection_effect(Measure.at(menu, "demand_response:C/10"))
    assert (respond.charge_mw, respond.discharge_mw, respond.hours_max) == (0.0, pytest.approx(1.5), 50)
    held_back = injection_effect(Measure.at(menu, "curtailment_10_percent:C/10"))
    assert (held_back.plant_share, held_back.energy_share_max) == (1.0, 0.1)
    assert held_back.energy_cost_cny_per_mwh > 0


def test_every_kind_is_on_the_menu_and_has_an_effect():
    net = triangle()
    net.lines["line_type"] = "110 kV 185/30"
    net.lines["max_i_ka"] = 0.36
    place = PlannedStation("N", "n", "n", 110.0, 116.1, 32.9)
    menu = MEASURES.validate(measures_menu(net, ["C#1", "AB", "B/110", "C/10", "C/110"], planned=[place]))
    assert set(menu.kind) | {"split_bus"} == set(KINDS) == set(EFFECTS)
    assert (menu.effect == menu.kind.map(EFFECTS)).all()
    built = apply_measures(net, menu.drop_duplicates("exclusive_group"))
    built.validate()
    solved(built)


def test_what_is_required_is_built_first():
    """The second circuit of a line stands in the table before the circuit it requires: order is by need."""
    menu = measures_menu(triangle(), ["AB", "BC"], kinds=["second_circuit"])
    menu.loc[0, "requires"] = menu.measure_id[1]
    assert list(apply_measures(triangle(), menu).lines.line_id[-2:]) == ["BC+circuit1", "AB+circuit1"]
    menu.loc[1, "requires"] = menu.measure_id[0]
    with pytest.raises(ValueError, match="require each other"):
        apply_measures(triangle(), menu)


def test_unknown_things_are_refused():
    menu = measures_menu(triangle(), ["AB", "C#1"])
    with pytest.raises(KeyError, match="no measure"):
        Measure.at(menu, "second_circuit:nowhere")
    circuit = Measure.at(menu, "second_circuit:AB")
    with pytest.raises(KeyError, match="nowhere"):
        apply_measure(triangle(), replace(circuit, element="nowhere"))
    with pytest.raises(KeyError, match="transformer type"):
        apply_measure(triangle(), replace(Measure.at(menu, "replace_transformer:C#1"), type_name="none"))


@settings(max_examples=15, deadline=None)
@given(demand=st.floats(5, 80), km=st.floats(2, 30), x=st.floats(0.1, 0.5))
def test_a_second_circuit_never_lowers_the_voltage(demand, km, x):
    net = two_bus(km=km, x=x, demand=demand)
    doubled = apply_measure(net, menu_of(net, "L#1", "second_circuit"))
    assert vm(doubled, "B/110") >= vm(net, "B/110")


def test_measures_leave_their_input_alone():
    net = triangle()
    before = {name: getattr(net, name).copy() for name in ("buses", "lines", "transformers", "loads", "shunts")}
    menu = measures_menu(net, ["C#1", "AB", "B/110"], planned=[PlannedStation("N", "n", "n", 110.0, 116.1, 32.9)])
    for measure_id in menu.measure_id[menu.effect == "network"]:
        apply_measure(net, Measure.at(menu, measure_id))
    for name, table in before.items():
        pd.testing.assert_frame_equal(getattr(net, name), table)
