"""The greedy plan where energy, power or CNY per MW counts: within budgets, never better than the plan, by hand."""

from dataclasses import replace

import numpy as np
import plan_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.plan.contracts import PlanTarget, Stage, StorageTerms
from grid.plan.costs import cost_of, quantity_of
from grid.plan.greedy import greedy_plan
from grid.plan.greedy_walk import Money, Walk
from grid.plan.search import Search
from grid.plan.solve import finish, search_plan, solve_plan

ENERGY = (1100.0, 1500.0, 1000.0, 2400.0, 2100.0, 1300.0)
STORAGE = StorageTerms(0.0, 160_000.0, 979_000.0, 1.0, 8.0, 0.85, 4.0, 365.0, 50.0)


def sample(whole=False, least_mw=0.0, measures=samples.MEASURES, **changes):
    """The sample with yields that do not follow the price."""
    one = samples.with_settings(samples.problem(least_mw, whole=whole, measures=measures), **changes)
    lots = [replace(lot, energy_mwh_per_mw=mwh) for lot, mwh in zip(one.lots, ENERGY, strict=True)]
    return replace(one, lots=tuple(lots))


def planned(one):
    """The plan and the greedy plan beside it."""
    search, best = search_plan(Search.of(one))
    answer = finish(search, best)
    return answer, greedy_plan(search, [m.id for m in answer.problem.measures])


@pytest.mark.parametrize(
    ("objective", "budget", "grid_budget"),
    [
        ("most_mw", 32e6, np.inf),
        ("most_mw", 60e6, np.inf),
        ("most_mw", 60e6, 0.0),
        ("most_energy", 32e6, np.inf),
        ("most_energy", 60e6, np.inf),
        ("most_energy", 60e6, 0.0),
    ],
)
def test_brute_force_plan_and_greedy_stand_in_order(objective, budget, grid_budget):
    one = sample(True, objective=objective, budget_cny_per_a=budget, grid_budget_cny=grid_budget)
    answer, greedy = planned(one)
    most, _, _ = samples.brute_force(one)
    assert most * (1 - 1e-6) <= answer.value <= most * (1 + 1e-6)
    assert answer.lp_bound >= most * (1 - 1e-6)
    assert answer.lp_bound >= answer.bound >= answer.value * (1 - 1e-6)
    assert greedy.clean
    assert 0.6 * most <= greedy.value <= answer.value * (1 + 1e-6)
    assert greedy.cost_cny <= budget * (1 + 1e-9)
    assert greedy.missing_mw == 0


@pytest.mark.parametrize(("objective", "first"), [("most_mw", 0), ("most_energy", 3)])
def test_a_small_budget_buys_the_most_by_cny_by_hand(objective, first):
    """Lot 0 is the cheapest by MW (300 000 CNY), lot 3 by MWh (351 000 / 2400); 6 million buy a part of it alone."""
    one = sample(objective=objective, budget_cny_per_a=6e6)
    answer, greedy = planned(one)
    mw = 6e6 / one.lots[first].cost_cny_per_mw_a
    gain = ENERGY[first] if objective == "most_energy" else 1.0
    assert greedy.mw == pytest.approx((mw,), rel=1e-6)
    assert greedy.value == pytest.approx(mw * gain, rel=1e-6)
    assert answer.value == pytest.approx(greedy.value, rel=1e-6)
    assert greedy.cost_cny == pytest.approx(6e6, rel=1e-6)


@settings(max_examples=8, deadline=None)
@given(
    objective=st.sampled_from(["most_mw", "most_energy"]),
    budget=st.sampled_from([np.inf, 20e6, 45e6, 80e6]),
    grid_budget=st.sampled_from([np.inf, 0.0, 2.5e7]),
    share=st.sampled_from([0.0, 0.1]),
    least_mw=st.sampled_from([0.0, 60.0]),
)
def test_greedy_keeps_budgets_and_shares_and_is_no_better_than_the_plan(
    objective, budget, grid_budget, share, least_mw
):
    one = sample(
        least_mw=least_mw,
        objective=objective,
        budget_cny_per_a=budget,
        grid_budget_cny=grid_budget,
        storage_share=share,
    )
    one = replace(one, storage=STORAGE, storage_buses=("B/110", "D/110"))
    answer, greedy = planned(one)
    invested = {m.id: m.investment_cny for m in one.measures}
    assert greedy.cost_cny <= budget * (1 + 1e-9)
    stored = share * 2.0 * greedy.mw[0] * STORAGE.investment_cny_per_mwh
    assert sum(invested[m] for m in greedy.measures) + stored <= grid_budget * (1 + 1e-9) + 1e-3
    assert answer.lp_bound >= answer.bound
    assert answer.bound >= answer.value * (1 - 1e-6) - 1e-6
    assert greedy.missing_mw >= answer.decision.missing_mw.sum() - 1e-3
    if greedy.missing_mw <= answer.decision.missing_mw.sum() + 1e-3:
        # tangents may take a little from the plan that AC allows (docs/plan.md)
        assert greedy.value <= answer.value * 1.01 + 1e-6
    if (share == 0 or grid_budget > 0) and answer.value > 1:
        assert greedy.value > 0


@pytest.mark.parametrize("objective", ["most_mw", "most_energy"])
def test_without_a_grid_budget_as_much_stands_as_without_a_menu_and_measures_bring_more(objective):
    free = planned(sample(objective=objective))
    unpaid = planned(sample(objective=objective, grid_budget_cny=0.0))
    bare = planned(sample(objective=objective, measures=()))
    assert unpaid[1].measures == ()
    assert not unpaid[0].decision.measures.any()
    assert unpaid[0].value == pytest.approx(bare[0].value, rel=1e-3)
    assert unpaid[1].value == pytest.approx(bare[1].value, rel=1e-2)
    assert free[0].value > 1.05 * unpaid[0].value
    assert free[1].measures
    assert free[1].value > 1.05 * unpaid[1].value


def test_greedy_reaches_the_floor_at_no_less_by_mw_than_the_plan():
    one = sample(objective="least_cny_per_mw", least_mw=0.0)
    one = samples.with_settings(one, least_mw=80.0)
    answer, greedy = planned(one)
    assert greedy.missing_mw == pytest.approx(0.0, abs=1e-3)
    assert greedy.mw[0] >= 80.0 * (1 - 1e-6)
    assert answer.objective_cny / answer.value <= greedy.cost_cny / greedy.value * (1 + 1e-6)
    assert greedy.value == pytest.approx(greedy.mw[0])


def walked(one, built=()):
    """A walk with no rows of the network."""
    measures = np.zeros((len(one.measures), len(one.stages)), dtype=bool)
    measures[list(built)] = True
    none = np.zeros((0, len(one.offers)))
    walk = Walk(one, measures, none, np.zeros(0), np.zeros(0, dtype=int))
    walk.towards_targets()
    walk.fill()
    return walk


def test_storage_that_goes_with_plants_is_paid_from_the_budget_by_hand():
    """10 % storage of 2 h: 32 000 CNY a MW of plants, 195 800 CNY of investment. Lot 0 costs 300 000 CNY a MW."""
    one = replace(sample(objective="most_mw", storage_share=0.1), storage=STORAGE, storage_buses=("B/110",))
    yearly = walked(samples.with_settings(one, budget_cny_per_a=3.32e6))
    assert yearly.mw.sum() == pytest.approx(10.0, rel=1e-6)
    invested = walked(samples.with_settings(one, grid_budget_cny=979_000.0 * 2))
    assert invested.mw.sum() == pytest.approx(10.0, rel=1e-6)
    assert walked(samples.with_settings(one, grid_budget_cny=0.0)).mw.sum() == 0
    # a target asks for 1 MW of storage anyway: 320 000 CNY, and the first 10 MW of plants bring none of their own
    asked = replace(one, targets=(PlanTarget("s", "storage", 0, 1.0),))
    got = walked(samples.with_settings(asked, budget_cny_per_a=320_000 + 3e6 + 332_000))
    assert got.mw.sum() == pytest.approx(11.0, rel=1e-6)
    power, content = got.money.storage(got.mw.sum(axis=0))
    assert (power.sum(), content.sum()) == (pytest.approx(1.1), pytest.approx(2.2))


def test_a_target_takes_no_more_storage_than_budgets_pay():
    one = replace(sample(grid_budget_cny=979_000.0 * 5), storage=STORAGE, storage_buses=("B/110",))
    one = replace(one, targets=(PlanTarget("s", "storage", 0, 20.0),))
    assert Money(one, np.zeros((3, 1), dtype=bool)).asked == pytest.approx([5.0])


def test_a_later_stage_fills_what_an_earlier_one_left_and_a_missed_target_is_not_built_twice():
    """Ceiling of 30 MW in the first stage, none in the second: the rest stands later. The floor of 50 MW of wind in the
    first stage is out of reach under it and asks for nothing afterwards."""
    stages = (Stage(2025, 0.5), Stage(2030, 0.5))
    one = replace(sample(objective="most_mw"), stages=stages)
    floor, cap = PlanTarget("f", "wind", 0, 50.0), PlanTarget("c", "renewable", 0, 30.0, ceiling=True)
    walk = walked(replace(one, targets=(floor, cap)))
    whole = sum(lot.capacity_mw for lot in one.lots)
    assert walk.mw.sum(axis=0) == pytest.approx([30.0, whole], rel=1e-6)
    least = samples.with_settings(replace(one, targets=(floor, cap)), objective="least_cost")
    walk = Walk(least, np.zeros((3, 2), dtype=bool), np.zeros((0, 6)), np.zeros(0), np.zeros(0, dtype=int))
    walk.towards_targets()
    assert walk.mw.sum(axis=0) == pytest.approx([30.0, 30.0], rel=1e-6)


def test_measures_that_cannot_stand_in_time_are_not_built():
    one = sample(True, 165.0)
    late = replace(one, measures=tuple(replace(m, first_year=2031) for m in one.measures))
    for problem, builds in ((one, True), (late, False)):
        _, greedy = planned(problem)
        assert bool(greedy.measures) == builds


def test_quantity_is_the_plans_own_value():
    for objective in ("most_mw", "most_energy", "least_cost"):
        answer = solve_plan(sample(least_mw=40.0, objective=objective, budget_cny_per_a=40e6))
        assert quantity_of(answer.problem, answer.decision) == pytest.approx(answer.value, rel=1e-9)
        assert cost_of(answer.problem, answer.decision) == pytest.approx(answer.objective_cny, rel=1e-6)
