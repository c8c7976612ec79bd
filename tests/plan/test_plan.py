"""The plan on a network small enough to try everything."""

from dataclasses import replace

import numpy as np
import plan_samples as samples
import pytest

from grid.hosting import hosting_capacity
from grid.limits import LimitSettings
from grid.plan.contracts import Stage, StorageTerms
from grid.plan.costs import cost_of
from grid.plan.explain import binding_rows, measure_use, why_missed
from grid.plan.greedy import greedy_plan
from grid.plan.model import Master
from grid.plan.search import Search
from grid.plan.solve import finish, search_plan, solve_plan
from grid.plan.staircase import LEAST_GAIN_MW, staircase

STORAGE = StorageTerms(0.0, 160_000.0, 979_000.0, 1.0, 8.0, 0.85, 4.0, 365.0, 50.0)


@pytest.mark.parametrize("least_mw", [45.0, 120.0, 165.0])
def test_brute_force_agrees_in_cost_and_choice(least_mw):
    one = samples.problem(least_mw)
    answer = solve_plan(one)
    cost, choice, built = samples.brute_force(one)
    assert answer.violations == ()
    assert answer.objective_cny == pytest.approx(cost, rel=1e-6)
    assert (answer.decision.mw[:, 0] > 1).astype(int).tolist() == list(choice)
    assert answer.decision.measures[:, 0].astype(int).tolist() == list(built)
    assert answer.best_bound_cny <= cost * (1 + 1e-6)


def test_the_instances_need_measures_and_leave_some_out():
    """What the comparison above is worth: at least one instance builds a measure and at least one builds none."""
    counts = [sum(samples.brute_force(samples.problem(mw))[2]) for mw in (45.0, 165.0)]
    assert counts[0] == 0
    assert counts[1] >= 1


def test_the_proof_is_ac_of_every_outage_by_other_code():
    one = samples.problem(150.0, whole=False)
    answer = solve_plan(one)
    assert samples.secure(one, answer.decision.mw[:, 0], answer.decision.config(answer.problem, 0))


def test_relaxing_a_limit_never_costs_more():
    one = samples.problem(150.0, whole=False)
    tight = solve_plan(one)
    wider = replace(one, limits=replace(one.limits, line_n_1_percent=110.0, line_percent=110.0))
    assert solve_plan(wider).objective_cny <= tight.objective_cny * (1 + 1e-9)


def test_taking_a_measure_off_the_menu_never_unlocks():
    most = [
        solve_plan(samples.with_settings(samples.problem(0.0, whole=False, measures=menu), objective="most_mw")).value
        for menu in (samples.MEASURES, samples.MEASURES[:2], samples.MEASURES[:1], ())
    ]
    assert most == sorted(most, reverse=True)
    assert most[0] > most[-1] + 10


def test_no_budget_is_hosting_capacity_without_upgrades():
    """One lot without end at D in one case: the plan finds what the climb of the hosting study finds."""
    one = samples.problem(0.0, whole=False)
    lot = replace(one.lots[2], capacity_mw=500.0)
    one = replace(one, lots=(lot,), availability=np.array([[1.0]]), points=one.points[:1])
    one = samples.with_settings(one, objective="most_mw", grid_budget_cny=0.0)
    answer = solve_plan(one)
    hosted = hosting_capacity(samples.build(frozenset(), None), samples.CASES[:1], ["D/110"])
    firm = float(hosted.loc[hosted["mode"] == "n_1", "capacity_mw"].iloc[0])
    assert answer.violations == ()
    assert not answer.decision.measures.any()
    assert firm * 0.99 <= answer.value <= firm + 0.05


def test_bounds_stand_in_order():
    one = samples.problem(140.0, whole=False)
    search, best = search_plan(Search.of(one))
    answer = finish(search, best)
    greedy = greedy_plan(search, [m.id for m in one.measures])
    assert answer.lp_bound <= answer.objective_cny * (1 + 1e-9)
    assert answer.best_bound_cny <= answer.objective_cny * (1 + 1e-9)
    assert greedy.clean
    assert answer.objective_cny <= greedy.penalised_cny * (1 + 1e-6)
    assert cost_of(answer.problem, answer.decision) == pytest.approx(answer.objective_cny, rel=1e-6)


def test_an_answer_that_holds_in_the_solver_s_scale_alone_is_solved_again_without_it(monkeypatch):
    """HiGHS may say *Optimal* of a point that breaks a row in the programme's own units. Whatever the first run says,
    the second one starts from nothing, finds the same plan and leaves the solver's scaling as it was."""
    whole, rest = Master(samples.problem(60.0)), Master(samples.problem(60.0))
    usual = [whole.solve(whole=True), whole.solve(whole=False)]
    answers = iter([True, True])
    monkeypatch.setattr("grid.plan.model._optimal_in_scale_alone", lambda highs: next(answers))
    again = [rest.solve(whole=True), rest.solve(whole=False)]
    assert next(answers, None) is None
    for one, other in zip(usual, again, strict=True):
        assert other.optimal
        assert other.objective == pytest.approx(one.objective, rel=1e-9)
    assert rest._highs.getOptionValue("simplex_scale_strategy") == whole._highs.getOptionValue("simplex_scale_strategy")


def test_a_target_out_of_reach_ends_in_an_explanation():
    one = samples.problem(400.0, whole=False)
    answer = solve_plan(one)
    whole = sum(lot.capacity_mw for lot in one.lots)
    assert answer.decision.missing_mw[0] >= 400.0 - whole
    assert answer.violations == ()
    zh, en = why_missed(answer, 0, binding_rows(answer))
    assert f"{answer.decision.missing_mw[0]:.1f} MW short" in en
    assert "candidates together" in en
    assert "缺" in zh


def test_what_binds_is_named_with_its_outage():
    one = samples.problem(200.0, whole=False, measures=(), capacity=80.0)
    answer = solve_plan(one)
    rows = binding_rows(answer)
    assert answer.decision.missing_mw[0] > 1
    assert rows
    assert rows[0].price > 0
    elements = {row.cut.element for row in rows}
    assert elements & {"AB", "BC", "CA", "BD", "C#1", "C#2"}
    assert rows[0].cut.element in why_missed(answer, 0, rows)[1]


def test_stages_never_take_down_what_stands():
    stages = (Stage(2025, 0.6), Stage(2030, 0.4, 1.2))
    one = samples.problem(150.0, whole=False, stages=stages)
    one = replace(one, targets=(replace(one.targets[0], id="first", stage=0, new_mw=60.0), one.targets[0]))
    answer = solve_plan(one)
    assert answer.violations == ()
    assert (np.diff(answer.decision.mw, axis=1) >= -1e-6).all()
    assert answer.decision.mw[:, 0].sum() == pytest.approx(60.0, abs=0.01)
    assert answer.decision.mw[:, 1].sum() == pytest.approx(150.0, abs=0.01)


def test_storage_share_is_kept_and_cheaper_storage_costs_less():
    one = samples.problem(100.0, whole=False)
    one = replace(samples.with_settings(one, storage_share=0.1), storage=STORAGE, storage_buses=("B/110", "D/110"))
    dear = solve_plan(one)
    cheap = solve_plan(replace(one, storage=replace(STORAGE, cny_per_mwh_a=80_000.0)))
    assert dear.decision.storage_mw.sum() >= 0.1 * dear.decision.mw.sum() - 1e-6
    assert dear.decision.storage_mwh.sum() >= 0.2 * dear.decision.mw.sum() - 1e-6
    assert cheap.objective_cny < dear.objective_cny


def test_least_cost_by_mw_is_no_dearer_than_any_plan_of_that_size():
    one = samples.with_settings(samples.problem(0.0, whole=False), objective="least_cny_per_mw", least_mw=80.0)
    answer = solve_plan(one)
    plain = solve_plan(samples.problem(80.0, whole=False))
    assert answer.decision.mw.sum() >= 80.0 - 1e-6
    by_mw = answer.objective_cny / answer.decision.mw.sum()
    assert by_mw <= plain.objective_cny / plain.decision.mw.sum() * (1 + 1e-6)


def test_staircase_rises_and_its_first_step_is_the_network_as_it_is():
    one = samples.problem(150.0, whole=False, capacity=80.0)
    search, _ = search_plan(Search.of(one))
    steps = staircase(search).steps
    assert (np.diff([step.deliverable_mw for step in steps]) >= LEAST_GAIN_MW).all()
    assert all(step.investment_cny > 0 for step in steps[1:])
    assert all(step.proved for step in steps)
    plain = solve_plan(samples.with_settings(replace(one, targets=()), objective="most_mw", measures_allowed=False))
    # found from another side, with other tangents; neither may claim more than AC allows, and both are proved
    assert plain.violations == ()
    assert steps[0].deliverable_mw == pytest.approx(plain.value, rel=0.1)
    assert len(steps) > 1


def test_shares_of_a_measure_add_up_to_one():
    answer = solve_plan(samples.problem(165.0))
    use = measure_use(answer)
    assert use
    for share in use.values():
        assert share.sum() == pytest.approx(1.0)
        assert (share >= 0).all()


def test_standard_limits_are_what_the_sample_uses():
    assert samples.problem(1.0).limits == LimitSettings.standard()
