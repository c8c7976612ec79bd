"""Every kind of measure where it is the cheapest remedy: the plan takes it, and pandapower says what holds.

The menu is the study's own, with its prices; what is cheapest is found by trying every measure of it (AC load flow of
pandapower, intact and with every branch out), beside the plan's code.
"""

from dataclasses import replace

import menu_networks as networks
import pytest
from gridstudy_networks import bus, infeed, network, station

from grid.measures.contracts import EFFECTS
from grid.plan.agreements import called_mwh
from grid.plan.contracts import PlanTarget, Stage
from grid.plan.solve import solve_plan
from study.plan.search import storage_terms
from study.schema.outputs import PlanEntry

STORE = storage_terms(PlanEntry())

WINTER = replace(networks.NOON, season="winter")
ABSORBING = replace(networks.LIMITS, plant_power_factor=0.95)
CASES = {
    "add 110/10": (networks.behind_units("110/10 40 MVA", 2, 55.0), "add_transformer:A#1"),
    "add 220/110": (networks.behind_units("220/110 180 MVA", 2, 250.0), "add_transformer:A#1"),
    "add 500/220": (networks.behind_units("500/220 750 MVA", 2, 1100.0), "add_transformer:A#1"),
    "replace 110/10": (networks.behind_units("110/10 31.5 MVA", 1, 30.0), "replace_transformer:A#1"),
    "replace 220/110": (networks.behind_units("220/110 180 MVA", 1, 170.0), "replace_transformer:A#1"),
    "replace 500/220": (networks.behind_units("500/220 1000 MVA", 1, 900.0), "replace_transformer:A#1"),
    "high impedance": (networks.two_paths(310.0), "high_impedance:S#1"),
    "second circuit": (networks.radial("110 kV 185/30", 95.0, count=2), "second_circuit:AB#1"),
    "reconductor 110": (networks.radial("110 kV 185/30", 79.0), "reconductor:AB#1"),
    "reconductor 220": (networks.radial("220 kV 300/40", 212.0), "reconductor:AB#1"),
    "dynamic rating, summer": (networks.radial("110 kV 185/30", 74.0), "dynamic_rating:AB#1"),
    "dynamic rating, winter": (networks.radial("110 kV 185/30", 121.0, case=WINTER), "dynamic_rating:AB#1"),
    "split bus": (networks.two_strings(300.0), "split_bus:B/110"),
    "reactor": (networks.far_away(80.0, case=networks.NOON, high=1.005), "reactor_110:B/110"),
    "capacitor": (
        networks.far_away(60.0, case=networks.EVENING, demand=20.0, mvar=12.0, low=0.985, limits=ABSORBING),
        "capacitor_110:B/110",
    ),
    "new station 110": (networks.ring_with_board(190.0), "new_station_110:new001"),
    "new station 220": (networks.chain_of_two(85.0), "new_station_220:new001"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plan_takes_the_cheapest_remedy(name):
    """The empty set is tried first: a remedy that is not empty says that the network as it is breaks a limit."""
    one, expected = CASES[name]
    assert networks.holds(one.network, one.case, one.limits, {})
    remedy, cost = networks.cheapest_remedy(one)
    assert remedy == {expected}
    answer = solve_plan(one.problem())
    assert answer.decision.config(answer.problem, 0) == {expected}
    assert answer.decision.missing_mw[0] == pytest.approx(0.0, abs=1e-6)
    assert answer.violations == ()
    assert answer.objective_cny == pytest.approx(one.mw * 300e3 + cost, rel=1e-6)


def test_every_kind_that_changes_the_network_or_its_ratings_is_met_above():
    met = {one[1].split(":")[0] for one in CASES.values()}
    kinds = {kind for kind, effect in EFFECTS.items() if effect != "injection"}
    assert {next(k for k in kinds if name.startswith(k)) for name in met} == kinds


def on_the_way(mw):
    """Infeed A o--- M ===== B plant, 220 kV: the single line A - M is the weak one; M is a station without plant."""
    net = network(
        "way",
        stations=[station(s, 220.0, 116 + k / 2) for k, s in enumerate("AMB")],
        buses=[bus(f"{s}/220", 220.0) for s in "AMB"],
        lines=[
            networks.typed_line("AM", "A/220", "M/220", 80, "220 kV 300/40"),
            *(networks.typed_line(f"MB#{k}", "M/220", "B/220", 10, "220 kV 2x400/35") for k in (1, 2)),
        ],
        infeeds=[infeed("A/220")],
    )
    return networks.Instance(net, "B/220", mw, kinds=("second_circuit", "reconductor"))


@pytest.mark.parametrize("at", ["B/220", "M/220"])
def test_the_plan_takes_storage_at_the_site_or_at_a_station_where_it_is_cheapest(at):
    """199 MW on a line of 194 (at its voltage): what is too much is stored for four hours, at 979 000 CNY/MWh over ten
    years. Restringing 80 km (56 million CNY) would cost more.
    """
    one = on_the_way(199.0)
    plain = one.problem()
    answer = solve_plan(replace(plain, storage=STORE, storage_buses=(at,)))

    def holds(charged):
        fed = {"B/220": one.mw}
        fed[at] = fed.get(at, 0.0) - charged
        return networks.holds(one.network, one.case, one.limits, fed)

    _, other = networks.cheapest_remedy(one)
    assert STORE.cny_per_mwh_a == pytest.approx(979_000 * (0.06 / (1 - 1.06**-10) + 0.03))
    charged = -answer.decision.storage_power_mw[0, 0, 0]
    room = 0.0025 * 189.0  # the margin of a tangent
    assert answer.violations == ()
    assert not answer.decision.measures.any()
    assert 1.0 < charged < 10.0
    assert holds(charged)
    assert not holds(charged - 1.1 * room)
    assert answer.decision.storage_mwh[0, 0] == pytest.approx(4 * charged, rel=1e-6)
    assert answer.objective_cny - one.mw * 300e3 == pytest.approx(4 * charged * STORE.cny_per_mwh_a, rel=1e-6)
    assert answer.objective_cny - one.mw * 300e3 < other


def test_the_plan_takes_a_contract_where_little_is_to_be_held_back():
    """71 MW on a line of 70 for 200 h: what is too much costs 350 CNY/MWh, a dynamic rating 99 500 CNY a year."""
    one = networks.radial("110 kV 185/30", 71.0)
    _, other = networks.cheapest_remedy(one)
    answer = solve_plan(replace(one, kinds=(*networks.OF_NETWORK, "curtailment_contract")).problem())
    (contract,) = answer.decision.built(answer.problem, 0)
    assert contract.id == "curtailment_5_percent:B/110"
    held = answer.decision.called_mw[answer.problem.measure_row[contract.id], 0, 0]

    def holds(back):
        return networks.holds(one.network, one.case, one.limits, {"B/110": one.mw - back})

    assert answer.violations == ()
    assert holds(held)
    assert not holds(held - 1.1 * 0.0025 * 70)
    assert answer.objective_cny - one.mw * 300e3 == pytest.approx(350.0 * 200.0 * held, rel=1e-6)
    assert 350.0 * 200.0 * held < other


def test_the_plan_takes_demand_response_where_the_load_burdens_the_line_too():
    """5 % of the 60 MW at C: 100 000 CNY a MW over five years, and 3000 CNY/MWh for 50 h."""
    one = networks.ring_with_board(173.0, ("second_circuit", "new_station"))
    _, other = networks.cheapest_remedy(one)
    wide = replace(one, kinds=(*one.kinds, "demand_response"))
    answer = solve_plan(wide.problem(agreement_buses=("C/10",)))
    (response,) = answer.decision.built(answer.problem, 0)
    assert response.id == "demand_response:C/10"
    row = answer.problem.measure_row[response.id]
    called = answer.decision.called_mw[row, 0, 0]

    def holds(less):
        return networks.holds(one.network, one.case, one.limits, {"B/110": one.mw, "C/10": less})

    fixed = 0.05 * 60 * 100e3 * 0.06 / (1 - 1.06**-5)
    assert answer.violations == ()
    assert called_mwh(answer.problem, answer.decision.called_mw, row, 0) == pytest.approx(50.0 * called)
    assert holds(called)
    assert not holds(called - 1.1 * 0.0025 * 70 / 0.4)
    assert answer.objective_cny - one.mw * 300e3 == pytest.approx(fixed + 150_000.0 * called, rel=1e-6)
    assert fixed + 150_000.0 * called < other


@pytest.mark.parametrize(
    ("name", "decided", "stands"),
    [("second circuit", 2024, [False, True]), ("second circuit", 2023, [True, True]),
     ("second circuit", 2029, [False, False]), ("dynamic rating, summer", 2024, [True, True])],
)  # fmt: skip
def test_a_remedy_stands_no_earlier_than_its_lead_time_after_the_decision(name, decided, stands):
    """Stages 2025 and 2030. A circuit takes two years, a dynamic rating half a one. What does not stand is not paid,
    and the plant that needs it is not built: all of it is missing."""
    one, expected = CASES[name]
    one = replace(one, decided_in=decided)
    wanted = tuple(PlanTarget(f"{k}", "renewable", k, one.mw) for k in (0, 1))
    stages = (Stage(2025, 0.6), Stage(2030, 0.4))
    answer = solve_plan(one.problem(stages=stages, targets=wanted))
    kind = expected.split(":")[0]  # of two circuits alike either may get the third beside it
    built = [[m.kind for m in answer.decision.built(answer.problem, s)] for s in (0, 1)]
    assert built == [[kind] * s for s in stands]
    assert answer.violations == ()
    assert answer.decision.mw[0] == pytest.approx([one.mw * s for s in stands])
    assert answer.decision.missing_mw == pytest.approx([one.mw * (not s) for s in stands])
    _, cost = networks.cheapest_remedy(one)
    yearly = one.mw * 300e3 + cost
    assert answer.objective_cny == pytest.approx(yearly * (0.6 * stands[0] + 0.4 * stands[1]), rel=1e-6)
