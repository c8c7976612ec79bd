"""Curtailment contracts and demand response in the plan: by hand, by trying everything, by AC of every outage."""

from dataclasses import replace
from itertools import product

import numpy as np
import plan_samples as samples
import pytest

from grid.contracts import Case
from grid.plan.agreements import called_mwh, held_back_mwh
from grid.plan.contracts import Agreement, Cut, PlanMeasure, Point
from grid.plan.costs import cost_of
from grid.plan.explain import measure_use
from grid.plan.greedy import greedy_plan
from grid.plan.model import Master
from grid.plan.search import Search
from grid.plan.solve import finish, search_plan, solve_plan
from grid.plan.staircase import staircase

CALL_H = 200.0
CONTRACT = PlanMeasure(
    "curtailment_contract:D/110", "curtailment_contract", "D/110", 0.0, 0.0, "curtailment:D/110",
    agreement=Agreement("D/110", 350.0, 1.0, 0.05),
)  # fmt: skip
RESPONSE = PlanMeasure(
    "demand_response:C/10", "demand_response", "C/10", 300_000.0, 90_000.0,
    agreement=Agreement("C/10", 3000.0, power_mw=3.0, hours_max=50.0),
)  # fmt: skip


def with_contract(least_mw, *, whole=True, kinds=samples.MEASURES[:2], contract=CONTRACT, **more):
    one = samples.problem(least_mw, whole=whole, measures=kinds, **more)
    points = tuple(replace(point, call_h=CALL_H) for point in one.points)
    return replace(one, points=points, measures=(*one.measures, *((contract,) if contract else ())))


def row(one, slopes, limit):
    """A row of the network: slopes by bus, at the first point."""
    gradient = np.array([slopes.get(bus, 0.0) for bus in one.buses])
    return Cut(0, 1.0, "branch_loading", "BD", "", gradient, limit, 100.0)


def test_a_contract_by_hand():
    """50 MW of PV at D give 45 MW at noon; the row takes 40: 5 MW held back for 200 h are 1000 MWh at 350 CNY."""
    one = with_contract(50.0, whole=False, kinds=())
    one = replace(one, lots=one.lots[2:3], availability=one.availability[2:3])
    master = Master(one)
    master.add_cuts([row(one, {"D/110": 1.0}, 40.0)])
    solved = master.solve(whole=True)
    assert solved.decision.mw[0, 0] == pytest.approx(50.0)
    assert solved.decision.measures.ravel().tolist() == [True]
    assert solved.decision.called_mw[0, :, 0] == pytest.approx([5.0, 0.0])
    assert solved.decision.injections_mw(one, 0, 0) == pytest.approx([40.0])
    assert solved.cost_cny == pytest.approx(50.0 * one.lots[0].cost_cny_per_mw_a + 350_000.0)
    assert held_back_mwh(one, solved.decision.called_mw, 0) == pytest.approx(1000.0)


def test_a_contract_ends_at_its_share_of_the_year():
    """x MW at D: 0.9 x at noon, at most 0.05 x 1200 h x / 200 h = 0.3 x of it held back: 0.6 x <= 27 leaves 45 MW."""
    one = with_contract(50.0, whole=False, kinds=())
    one = replace(one, lots=one.lots[2:3], availability=one.availability[2:3])
    master = Master(one)
    master.add_cuts([row(one, {"D/110": 1.0}, 27.0)])
    solved = master.solve(whole=True)
    assert solved.decision.mw[0, 0] == pytest.approx(45.0)
    assert solved.decision.missing_mw[0] == pytest.approx(5.0)


def test_what_all_hours_hold_back_counts_towards_the_contract():
    """An hour of weight 100 h in which 6 MW must be held back leaves 2700 - 600 = 2100 MWh, 10.5 MW, for noon."""
    one = with_contract(45.0, whole=False, kinds=())
    one = replace(one, lots=one.lots[2:3], availability=np.array([[0.9, 1.0]]))
    one = replace(one, points=(one.points[0], replace(one.points[1], weight_h=100.0, curtailable=True)))
    one = samples.with_settings(one, utilisation_floor=0.0, objective="most_mw")
    in_hour = replace(row(one, {"D/110": 1.0}, 39.0), point=1)
    master = Master(one)
    master.add_cuts([row(one, {"D/110": 1.0}, 0.0), in_hour])
    solved = master.solve(whole=True, measures=np.array([[True]]))
    mw = solved.decision.mw[0, 0]
    held, lost = solved.decision.called_mw[0, 0, 0], solved.decision.curtailed_mw[0, 1, 0]
    assert held == pytest.approx(0.9 * mw)
    assert CALL_H * held + 100.0 * lost <= 0.05 * 1200.0 * mw + 1e-6


def test_demand_response_by_hand():
    """The row D - C <= 42 with 45 MW at D: 3 MW off the load at C, its power, called for its 50 h of the 200."""
    one = samples.problem(50.0, whole=False, measures=())
    heavy = replace(one.points[0], call_h=CALL_H, case=replace(one.points[0].case, load_share=1.0))
    one = replace(one, points=(heavy,), lots=one.lots[2:3], availability=np.array([[0.9]]), measures=(RESPONSE,))
    master = Master(one)
    master.add_cuts([row(one, {"D/110": 1.0, "C/10": -1.0}, 42.0)])
    solved = master.solve(whole=True)
    assert solved.decision.called_mw[0, 0, 0] == pytest.approx(3.0)
    assert solved.decision.injections_mw(one, 0, 0).tolist() == pytest.approx([3.0, 45.0])
    assert solved.cost_cny == pytest.approx(50.0 * one.lots[0].cost_cny_per_mw_a + 90_000.0 + 3000.0 * 3.0 * 50.0)
    half = replace(one, points=(replace(heavy, case=replace(heavy.case, load_share=0.5)),))
    master = Master(half)
    master.add_cuts([row(half, {"D/110": 1.0, "C/10": -1.0}, 42.0)])
    # at half load half of it responds: 0.9 x - 1.5 <= 42
    assert master.solve(whole=True).decision.mw[0, 0] == pytest.approx(43.5 / 0.9)


def test_of_one_exclusive_group_one_contract_is_agreed():
    """Both together could hold back 0.4 x; the larger alone 0.3 x at the same price: it is the one."""
    small = replace(CONTRACT, id="small", agreement=replace(CONTRACT.agreement, energy_share_max=1 / 60))
    one = with_contract(50.0, whole=False, kinds=())
    one = replace(one, lots=one.lots[2:3], availability=one.availability[2:3], measures=(small, CONTRACT))
    master = Master(one)
    master.add_cuts([row(one, {"D/110": 1.0}, 27.0)])
    solved = master.solve(whole=True)
    assert solved.decision.measures[:, 0].tolist() == [False, True]
    assert solved.decision.mw[0, 0] == pytest.approx(45.0)


def least_held_back(one, mw, config):
    """Least MW held back at D in each case so that AC load flow holds; None where nothing helps."""
    found = []
    at_d = np.array([lot.accesses[0].bus_id == "D/110" for lot in one.lots])
    for h, point in enumerate(one.points):
        single = replace(one, points=(point,), availability=one.availability[:, h : h + 1])
        low, high = 0.0, float(one.availability[at_d, h] @ mw[at_d])
        if not samples.secure(single, mw, config, {"D/110": [-high]}):
            return None
        if samples.secure(single, mw, config):
            high = 0.0
        while high - low > 1e-3:
            middle = (low + high) / 2
            safe = samples.secure(single, mw, config, {"D/110": [-middle]})
            low, high = (low, middle) if safe else (middle, high)
        found.append(high)
    mwh = CALL_H * sum(found)
    return mwh if mwh <= 0.05 * 1200.0 * mw[at_d].sum() + 1e-6 else None


def brute_force(one):
    """Cheapest secure choice: (cost, lots, measures with the contract last)."""
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    price = np.array([lot.cost_cny_per_mw_a for lot in one.lots])
    built = [m for m in one.measures if m.agreement is None]
    options = []
    for choice in product((0, 1), repeat=len(one.lots)):
        mw = capacity * choice
        if mw.sum() >= one.targets[0].new_mw - 1e-9:
            for taken in product((0, 1), repeat=len(built)):
                fixed = float(price @ mw) + sum(m.cost_cny_per_a for m, b in zip(built, taken, strict=True) if b)
                options.append((fixed, choice, taken))
    best = (np.inf, (), ())
    for fixed, choice, taken in sorted(options):
        if fixed >= best[0]:
            break
        config = frozenset(m.id for m, b in zip(built, taken, strict=True) if b)
        mwh = least_held_back(one, capacity * choice, config)
        if mwh is not None and fixed + 350.0 * mwh < best[0]:
            best = (fixed + 350.0 * mwh, choice, (*taken, int(mwh > 0)))
    return best


@pytest.mark.parametrize(
    ("least_mw", "lots", "pays"), [(45.0, range(6), False), (95.0, range(6), False), (90.0, (0, 2), True)]
)
def test_brute_force_agrees_in_cost_and_choice(least_mw, lots, pays):
    """The last instance has PV at B and D alone, which together need some 7 MW held back or a circuit."""
    one = with_contract(least_mw)
    one = replace(one, lots=tuple(one.lots[k] for k in lots), availability=one.availability[list(lots)])
    answer = solve_plan(one)
    cost, choice, taken = brute_force(one)
    assert answer.violations == ()
    # the margin of a tangent, 0.25 % of 57 MVA, is held back for 200 h at 350 CNY: some 10 000 CNY by binding row
    assert cost * (1 - 1e-6) <= answer.objective_cny <= cost + 30_000.0
    assert (answer.decision.mw[:, 0] > 1).astype(int).tolist() == list(choice)
    assert taken[-1] == pays
    used = answer.decision.measures[:, 0] & [
        m.agreement is None or called_mwh(one, answer.decision.called_mw, k, 0) > 1 for k, m in enumerate(one.measures)
    ]
    assert used.astype(int).tolist() == list(taken)


def test_the_proof_includes_what_is_held_back_and_use_falls_on_the_bus():
    one = samples.with_settings(with_contract(0.0, whole=False, kinds=()), objective="most_mw")
    answer = solve_plan(one)
    called = answer.decision.called_mw[0, :, 0]
    assert called.max() > 1
    assert answer.violations == ()
    mw = answer.decision.mw[:, 0]
    assert samples.secure(one, mw, frozenset(), {"D/110": -called})
    assert not samples.secure(one, mw, frozenset())
    share = measure_use(answer)[0]
    assert share.sum() == pytest.approx(1.0)
    assert set(np.flatnonzero(share)) <= {2, 4}


def test_a_contract_never_costs_more_and_without_it_nothing_is_unlocked():
    for least_mw in (95.0, 140.0):
        with_it = solve_plan(with_contract(least_mw, whole=False))
        without = solve_plan(with_contract(least_mw, whole=False, contract=None))
        assert with_it.decision.missing_mw.sum() <= without.decision.missing_mw.sum() + 1e-3
        if without.decision.missing_mw.sum() < 1e-3:
            assert with_it.objective_cny <= without.objective_cny * (1 + 1e-6)
    most = [
        solve_plan(samples.with_settings(with_contract(0.0, whole=False, contract=c), objective="most_mw")).value
        for c in (CONTRACT, None)
    ]
    assert most[0] >= most[1] - 1e-6


def test_bounds_stand_in_order_and_the_staircase_ends_with_agreements():
    one = with_contract(120.0, whole=False)
    search, best = search_plan(Search.of(one))
    answer = finish(search, best)
    stairs = staircase(search)
    greedy = greedy_plan(search, stairs.order)
    assert answer.lp_bound <= answer.best_bound_cny * (1 + 1e-9)
    assert answer.best_bound_cny <= answer.objective_cny * (1 + 1e-9)
    assert answer.objective_cny <= greedy.penalised_cny * (1 + 1e-6)
    assert CONTRACT.id not in greedy.measures
    assert cost_of(answer.problem, answer.decision) == pytest.approx(answer.objective_cny, rel=1e-6)
    assert CONTRACT.id not in stairs.order[:-1]
    assert all(step.proved for step in stairs.steps)


def test_demand_response_makes_room_on_a_line_that_feeds_the_load():
    """The plant at B and the load at C both load BC, with nothing out.

    By lengths: of a MW from B to A 20/60 goes by BC, of a MW of load at C 25/60 comes by BC. So 3 MW less load make
    room for 3 x 25 / 20 = 3.75 MW more at B, at 0.9 of capacity 4.2 MW.
    """
    one = samples.problem(0.0, whole=False, measures=())
    evening = Point("evening", Case("evening", "晚", "evening", 1.3, 0.0, 0.9), 0.0, False, CALL_H)
    lot = replace(one.lots[0], capacity_mw=200.0)
    limits = replace(one.limits, line_percent=50.0, line_n_1_percent=1000.0, post_fault_voltage=False)
    one = replace(one, points=(evening,), lots=(lot,), availability=np.array([[0.9]]), limits=limits)
    one = samples.with_settings(one, objective="most_mw")
    plain = solve_plan(one)
    answer = solve_plan(replace(one, measures=(RESPONSE,)))
    called = answer.decision.called_mw[0, :, 0]
    assert answer.violations == ()
    assert called[0] == pytest.approx(3.0)
    assert answer.value - plain.value == pytest.approx(3.75 / 0.9, rel=0.15)
    mw = answer.decision.mw[:, 0]
    assert samples.secure(one, mw, frozenset(), {"C/10": called})
    assert not samples.secure(one, mw, frozenset())
