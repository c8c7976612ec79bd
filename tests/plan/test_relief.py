"""What a measure does to rows of the network: by hand, against scipy's linear programmes, PTDF and LODF tables, AC."""

from dataclasses import replace

import numpy as np
import plan_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid.model.planning import from_network
from grid.plan.contracts import Cut, PlanMeasure
from grid.plan.expected import expected_rows, new_pairs
from grid.plan.influence import OPTIMISM, Influence, Probe
from grid.plan.linear_flows import LinearFlows
from grid.plan.relief import ReliefBook, Room, exchanged, most_within, room_of
from grid.plan.rows import NetworkBook
from grid.plan.search import Search
from grid.plan.solve import without_measures
from grid.sensitivity import dc_model, find_bridges, lodf, ptdf

numbers = st.lists(st.floats(-5, 5).map(lambda v: round(v, 2)), min_size=4, max_size=4)


@settings(max_examples=150, deadline=None)
@given(value=numbers, weight=numbers, limit=st.floats(-20, 40), low=numbers, more=numbers)
def test_most_within_is_the_linear_programme(value, weight, limit, low, more):
    low = np.array(low)
    room = Room(low, low + np.abs(more))
    own = most_within(np.array(value), np.array(weight), limit, room)
    peer = linprog(-np.array(value), [weight], [limit], bounds=list(zip(room.low, room.high, strict=True)))
    if peer.status == 2:
        assert own == -np.inf
    else:
        assert own == pytest.approx(-peer.fun, abs=1e-6)


def test_most_within_by_hand():
    """Two buses, 10 MW each. 1 p1 + 1 p2 under 1 p1 + 2 p2 <= 14: bus 1 whole (10), 4 left for bus 2: 2, in all 12."""
    assert most_within(np.array([1.0, 1.0]), np.array([1.0, 2.0]), 14.0, Room(np.zeros(2), np.full(2, 10.0))) == 12.0


def test_flows_agree_with_the_tables_of_factors():
    """All elements under all outages of the triangle, those that cut D off too."""
    case = samples.CASES[0]
    network = samples.build(frozenset({"second_circuit:AB"}), case)
    own = LinearFlows.of(network, case)
    model = dc_model(from_network(network, case))
    factors, outages = ptdf(model), lodf(model)
    names = list(own.model.element_ids)
    bridges = set(find_bridges(model.arrays).tolist())
    for e, element in enumerate(names):
        for k, outage in enumerate([*names, ""]):
            if k == e:
                assert own.line(element, outage, np.zeros(len(own.model.bus_ids))) is None
                continue
            line = own.line(element, outage, np.ones(len(own.model.bus_ids)))
            percent = own.model.rating_mva[e] / 100
            if not outage:
                expected = factors[e]
            elif k not in bridges:
                expected = factors[e] + outages.factors[e, k] * factors[k]
            else:
                continue
            # the tables know each branch's reactance alone, the plan's flows also its resistance
            assert line.slope * percent == pytest.approx(expected, abs=0.02)
            assert line.at_zero == pytest.approx(line.slope.sum(), rel=1e-9)


def test_a_cut_off_bus_has_no_effect():
    """D hangs on BD alone: after its loss what is fed at D loads nothing, and AB carries what it carried without D."""
    case = samples.CASES[0]
    own = LinearFlows.of(samples.build(frozenset(), case), case)
    after, before = (own.line("AB", out, np.zeros(own.model.n_bus)).slope for out in ("BD", ""))
    d = [k for k, bus in enumerate(own.model.bus_ids) if bus.startswith("D/")]
    rest = [k for k in range(own.model.n_bus) if k not in d]
    assert after[d] == pytest.approx(np.zeros(len(d)))
    assert after[rest] == pytest.approx(before[rest])


def cut_of(one, element, outage, gradient, limit):
    return Cut(0, 1.0, "line_loading", element, outage, np.array(gradient), limit, 100.0)


def test_doubling_a_radial_line_doubles_its_limit_by_hand():
    """All of D's plants leave over BD. Beside a second circuit BD carries half, so that a limit of L allows 2 L: a
    relief of L, whatever else is out. After the loss of BD nothing is left of the new circuit's row without it."""
    one = samples.problem(0.0, whole=False, capacity=400.0)
    book = ReliefBook(one)
    measure = one.measures[1]
    assert measure.element == "BD"
    none = frozenset()
    at_zero, slope = book.line(cut_of(one, "BD", "", [0.0] * 4, 0.0), none)
    turn = np.sign(slope[np.abs(slope).argmax()])
    cut = cut_of(one, "BD", "", np.abs(slope), 80.0 - turn * at_zero)
    # the limit is that of injections: what D's own load takes off the flow counts twice as well
    assert book.relief(cut, measure) == pytest.approx(80.0, rel=1e-6)
    n_1 = cut_of(one, "BD", "AB", np.abs(slope), 80.0 - turn * at_zero)
    assert book.relief(n_1, measure) == pytest.approx(80.0, rel=1e-6)
    gone = replace(cut_of(one, "BD+circuit1", "BD", np.abs(slope), 80.0), config=frozenset({measure.id}))
    assert book.relief(gone, measure) == np.inf


def test_reliefs_leave_ac_states_of_other_networks_alone():
    """Rows of the network as it is, with a circuit's reliefs, forbid nothing that AC allows beside that circuit."""
    one = samples.with_settings(samples.problem(0.0, whole=False, capacity=120.0), objective="most_mw")
    search = Search.of(one)
    without_measures(search)
    book = NetworkBook(one)
    cuts = book.with_needs(search.cuts)
    draw = np.random.default_rng(5)
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    forbidden = checked = 0
    for _ in range(60):
        mw = capacity * draw.uniform(0, 0.9, len(capacity)) * draw.integers(0, 2, len(capacity))
        for m, config in [(-1, frozenset()), *((m, frozenset([one.measures[m].id])) for m in range(3))]:
            if not samples.secure(one, mw, config, margin=1.0):
                continue
            checked += 1
            for cut in cuts:
                injected = np.zeros(len(one.buses))
                np.add.at(injected, one.offer_bus, one.availability[one.offer_lot, cut.point] * mw)
                relief = sum(need.relief for need in cut.needs if need.measure == m)
                forbidden += cut.gradient @ injected > cut.limit + relief + 0.1
    assert checked > 30
    assert forbidden == 0


def test_exchanged_takes_what_is_required_and_excludes_its_group():
    a = PlanMeasure("a", "k", "e", 1.0, 1.0, exclusive_group="g")
    b = PlanMeasure("b", "k", "e", 1.0, 1.0, exclusive_group="g")
    c = PlanMeasure("c", "k", "f", 1.0, 1.0, requires=("b",))
    one = replace(samples.problem(0.0), measures=(a, b, c))
    assert exchanged(one, frozenset({"a"}), b) == {"b"}
    assert exchanged(one, frozenset(), c) == {"b", "c"}
    assert exchanged(one, frozenset({"b", "c"}), b) == frozenset()


def test_room_is_what_lots_storage_and_agreements_can_feed():
    one = samples.problem(0.0)
    room = room_of(one, 0)
    # noon: 0.9 of PV, 0.3 of wind; at B/110 lot 0 (40 MW PV) and lot 3 (55 MW wind)
    assert room.high[one.bus_row["B/110"]] == pytest.approx(0.9 * 40 + 0.3 * 55)
    assert room.low == pytest.approx(np.zeros(len(one.buses)))


def test_a_row_names_a_measure_with_five_per_cent_more_than_it_brings_alone():
    one = samples.problem(0.0, whole=False, capacity=200.0)
    influence = Influence(one, lambda *_: None)
    slope = ReliefBook(one).line(cut_of(one, "BD", "", [0.0] * 4, 0.0), frozenset())[1]
    cut = cut_of(one, "BD", "", np.abs(slope), 80.0)
    (need,) = [n for n in influence.needs(cut) if one.measures[n.measure].element == "BD"]
    assert not need.built
    assert need.relief == pytest.approx(OPTIMISM * influence.reliefs.relief(cut, one.measures[1]))


def test_a_doubled_radial_line_is_expected_to_carry_all_once_half_of_it_is_lost():
    """BD hangs alone: as it is nothing limits it after its own loss; doubled, the circuit that is left carries all of
    D: the same slope as BD's alone, six per cent of the rating to spare."""
    one = samples.problem(0.0, whole=False, capacity=400.0)
    reliefs = ReliefBook(one)
    base, doubled = (reliefs.flows(config, 0) for config in (frozenset(), frozenset({one.measures[1].id})))
    pairs = set(new_pairs(base, doubled))
    assert ("BD+circuit1", "BD") in pairs
    assert ("BD", "BD+circuit1") in pairs
    state = Probe(0, 1.0, np.zeros(len(one.buses)))
    rows = {(c.element, c.outage): c for c in expected_rows(one, reliefs, [state])}
    at_zero, slope = reliefs.line(cut_of(one, "BD", "", [0.0] * 4, 0.0), frozenset())
    cut = rows["BD+circuit1", "BD"]
    assert np.abs(cut.gradient) == pytest.approx(np.abs(slope), rel=1e-6)
    assert cut.limit == pytest.approx(106.0 - np.sign(slope @ cut.gradient) * at_zero, rel=1e-6)
    assert not cut.exact
    assert cut.config == {one.measures[1].id}
