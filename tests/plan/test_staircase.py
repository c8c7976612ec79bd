"""The staircase: order, proof, sets of measures, and a reason for every measure that is no step."""

from dataclasses import replace

import numpy as np
import plan_samples as samples
import pytest

from grid.plan.contracts import PlanMeasure, Stage
from grid.plan.search import Search
from grid.plan.solve import search_plan
from grid.plan.staircase import LEAST_GAIN_MW, staircase


def stairs_of(one, **changes):
    search, _ = search_plan(Search.of(one))
    return staircase(search, **changes)


@pytest.fixture(scope="module")
def stairs():
    return stairs_of(samples.problem(150.0, whole=False, capacity=80.0))


def secure_mw(one, config):
    """Most MW of an even mix of sites that holds in AC of every outage, by code that is not the plan's."""
    low, high = 0.0, sum(lot.capacity_mw for lot in one.lots)
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    for _ in range(10):
        middle = (low + high) / 2
        share = capacity / capacity.sum()
        low, high = (middle, high) if samples.secure(one, share * middle, config) else (low, middle)
    return low


def test_every_measure_is_a_step_or_has_a_reason(stairs):
    told = [*stairs.order, *(one.measure_id for one in stairs.beside)]
    assert sorted(told) == sorted(m.id for m in stairs.problem.measures)
    assert len(stairs.steps) > 1
    assert stairs.steps[0].measure_ids == ()


def test_neither_mw_nor_money_falls_and_every_step_is_proved_and_says_what_binds(stairs):
    mw = [step.deliverable_mw for step in stairs.steps]
    assert (np.diff(mw) >= LEAST_GAIN_MW).all()
    assert all(step.investment_cny > 0 for step in stairs.steps[1:])
    assert all(step.proved for step in stairs.steps)
    capacity = sum(lot.capacity_mw for lot in stairs.problem.lots)
    for step in stairs.steps:
        assert step.binds or step.deliverable_mw == pytest.approx(capacity)
        assert len(step.binds) <= step.binding_rows


def test_first_and_last_step_are_about_what_an_even_mix_of_sites_can_carry_at_least(stairs):
    """An even mix, found by bisection in AC of every outage, is hardly above what the best mix carries.

    Tangents may take some per cent on so small a network (docs/plan.md).
    """
    one = samples.problem(150.0, whole=False, capacity=80.0)
    for step, config in ((stairs.steps[0], frozenset()), (stairs.steps[-1], frozenset(stairs.order))):
        assert secure_mw(one, config) <= step.deliverable_mw * 1.06


def test_the_dearer_one_of_a_group_names_what_is_built_instead():
    one = samples.problem(150.0, whole=False, capacity=80.0)
    dear = tuple(replace(m, id=f"{m.kind}:{m.element}", exclusive_group=m.element) for m in one.measures)
    # the same circuit once more, ten times as dear
    twin = [replace(m, id=f"{m.id}", exclusive_group=m.element) for m in dear]
    again = PlanMeasure(
        "second_circuit:AB", "second_circuit", "AB", twin[0].investment_cny, twin[0].cost_cny_per_a, "AB"
    )
    build = one.build
    other = replace(again, id="second_circuit:AB:twin", investment_cny=10 * again.investment_cny)

    def built(config, case):
        return build(frozenset(name.removesuffix(":twin") for name in config), case)

    stairs = stairs_of(replace(one, measures=(*twin, other), build=built))
    (beside,) = [b for b in stairs.beside if b.measure_id == other.id]
    assert (beside.why, beside.instead) == ("alternative", again.id)
    assert again.id in stairs.order
    assert beside.alone_mw > 0


def test_lead_times_and_budgets_are_no_matter_and_the_end_by_states_is_told():
    one = samples.problem(150.0, whole=False, capacity=80.0)
    late = tuple(replace(m, first_year=2100) for m in one.measures)
    bound = samples.with_settings(replace(one, measures=late, stages=(Stage(2030, 1.0),)), grid_budget_cny=0.0)
    assert len(stairs_of(bound).steps) > 1
    ended = stairs_of(one, most_states=1)
    assert len(ended.steps) == 1
    assert {b.why for b in ended.beside} <= {"not_tried", "nothing"}
    assert any(b.why == "not_tried" and np.isnan(b.alone_mw) for b in ended.beside)


def test_the_same_problem_gives_the_same_staircase():
    one = samples.problem(150.0, whole=False, capacity=80.0)
    first, second = stairs_of(one), stairs_of(one)
    assert [(s.measure_ids, s.deliverable_mw) for s in first.steps] == [
        (s.measure_ids, s.deliverable_mw) for s in second.steps
    ]
    assert first.beside == second.beside
