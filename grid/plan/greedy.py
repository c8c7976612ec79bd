"""The plan beside the plan: one site after the other, cheapest first, measures one by one.

Where cost is to be least: as much as targets ask, the cheapest energy first. Where energy or power is to be most:
targets first, then everything by energy or power per CNY until budgets and rows take no more. For CNY per MW: targets
and the floor of MW first, then only what brings the mean down.

It keeps every row of the network, every budget and every target that the optimised plan keeps, so that it can only be
worse: LP bound <= mixed-integer plan <= greedy plan (LP bound >= plan >= greedy where the objective is a maximum).
Storage stands where a target or a share asks for it and rests; nothing is curtailed, nothing agreed on; measures stand
from the first stage that their lead time allows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.plan.contracts import Bools, Decision, Floats, PlanProblem
from grid.plan.costs import cost_of, quantity_of
from grid.plan.greedy_walk import Walk
from grid.plan.model import PENALTY_PER_MW, counts_for
from grid.plan.search import Search

MOST_ROUNDS = 12
MOST_IDLE = 3
"""So many measures in a row that bring nothing end the search for more of them."""
MOST_STATES = 30_000
"""AC states of outages (:attr:`grid.plan.rows.NetworkBook.effort`) after which no more measures are tried: an end that
does not depend on the machine."""


@dataclass(frozen=True)
class GreedyPlan:
    """Cost without and with the penalty for what is missing [CNY a year], MW by stage, measures, proof by AC.

    ``value`` is what :class:`grid.plan.contracts.PlanAnswer` calls so: MWh where the objective is energy, else MW, of
    the mean stage. Where targets lack MW in the one and not in the other, only the penalised costs compare.
    """

    cost_cny: float
    penalised_cny: float
    mw: tuple[float, ...]
    measures: tuple[str, ...]
    missing_mw: float
    clean: bool
    seconds: float
    value: float


@dataclass(frozen=True)
class _Trial:
    """A greedy plan with some measures; ``score``: of two, the smaller one is better."""

    decision: Decision
    built: tuple[str, ...]
    clean: bool
    missing_mw: float
    score: tuple[float, ...]


def greedy_plan(search: Search, measures_in_order: Sequence[str]) -> GreedyPlan:
    """Greedy plan on the rows of a search; its own AC states add rows until it is clean."""
    begun = time.perf_counter()
    problem = search.problem
    best = _trial(search, ())
    built: tuple[str, ...] = ()
    idle = 0
    most = search.book.effort + MOST_STATES
    for name in measures_in_order:
        late = search.book.effort >= most
        reached = problem.settings.objective == "least_cost" and best.clean and best.missing_mw <= 1e-6
        if reached or late or idle >= MOST_IDLE:
            break
        wider = _with_measure(problem, built, name)
        if wider is None:
            continue
        built = wider
        trial = _trial(search, built)
        idle = 0 if trial.score < best.score else idle + 1
        best = min(best, trial, key=lambda one: one.score)
    cost = cost_of(problem, best.decision)
    return GreedyPlan(
        cost,
        cost + PENALTY_PER_MW * 1e6 * best.missing_mw,
        tuple(best.decision.mw.sum(axis=0).tolist()),
        best.built,
        best.missing_mw,
        best.clean,
        time.perf_counter() - begun,
        quantity_of(problem, best.decision),
    )


def _with_measure(problem: PlanProblem, built: tuple[str, ...], name: str) -> tuple[str, ...] | None:
    """The measures with one more and what it requires; None where groups, lead times or budgets do not allow it."""
    of = {m.id: m for m in problem.measures}
    wanted = tuple(dict.fromkeys((*built, *of[name].requires, name)))
    if not problem.settings.measures_allowed or wanted == built:
        return None
    chosen = [of[m] for m in wanted]
    groups = [m.exclusive_group for m in chosen if m.exclusive_group]
    never = any(m.agreement is not None or m.first_year > problem.stages[-1].year for m in chosen)
    spent = sum(m.investment_cny for m in chosen)
    yearly = sum(m.cost_cny_per_a for m in chosen)
    settings = problem.settings
    dear = spent > settings.grid_budget_cny or yearly > settings.budget_cny_per_a
    return None if never or dear or len(set(groups)) < len(groups) else wanted


def _trial(search: Search, built: tuple[str, ...]) -> _Trial:
    p = search.problem
    decision, clean = _proved(search, built)
    missing = float(decision.missing_mw.sum())
    if p.settings.objective == "least_cny_per_mw":
        missing += max(0.0, p.settings.least_mw - float(decision.mw[:, -1].sum()))
    cost, quantity = cost_of(p, decision), quantity_of(p, decision)
    worth = {
        "least_cost": (cost + PENALTY_PER_MW * 1e6 * missing,),
        "least_cny_per_mw": (round(missing, 3), cost / max(quantity, 1e-9)),
    }.get(p.settings.objective, (round(missing, 3), -quantity, cost))
    return _Trial(decision, built, clean, missing, (float(not clean), *worth))


def _proved(search: Search, built: Sequence[str]) -> tuple[Decision, bool]:
    for _ in range(MOST_ROUNDS):
        decision = _walk(search, built)
        asked = search.ask(decision)
        if not asked.violations:
            return decision, True
        if not asked.cuts:
            break
    return decision, False


def _walk(search: Search, built: Sequence[str]) -> Decision:
    """Targets first, then what the objective wants beside them."""
    p = search.problem
    measures = np.zeros((len(p.measures), len(p.stages)), dtype=bool)
    for name in built:
        row = p.measure_row[name]
        measures[row] = [stage.year >= p.measures[row].first_year for stage in p.stages]
    walk = Walk(p, measures, *_rows(search, measures))
    walk.towards_targets()
    if p.settings.objective != "least_cost":
        walk.fill()
    return _decision(p, walk, measures)


def _rows(search: Search, measures: Bools) -> tuple[Floats, Floats, np.ndarray]:
    """Slopes by offer, limits, stage of every row that holds with these measures."""
    p = search.problem
    slopes, limits, stages = [], [], []
    for cut, s in search.master.cuts:
        relief = sum(n.relief for n in cut.needs if bool(measures[n.measure, s]) != n.built)
        if np.isinf(relief):
            continue
        slopes.append(cut.gradient[p.offer_bus] * p.availability[p.offer_lot, cut.point])
        limits.append(cut.limit + relief)
        stages.append(s)
    width = len(p.offers)
    return np.array(slopes).reshape(-1, width), np.array(limits), np.array(stages, dtype=int)


def _decision(p: PlanProblem, walk: Walk, measures: Bools) -> Decision:
    s, mw = len(p.stages), walk.mw
    power, content = walk.money.storage(mw.sum(axis=0))
    missing = []
    for t in p.targets:
        have = sum(
            mw[o, t.stage] * p.lots[k].installed_per_mw for o, (k, _) in enumerate(p.offers) if counts_for(p, k, t)
        )
        have = power[:, t.stage].sum() if t.group == "storage" else have
        missing.append(max(0.0, have - t.new_mw if t.ceiling else t.new_mw - have))
    return Decision(
        mw,
        measures,
        power,
        content,
        np.zeros((len(p.buses), len(p.points), s)),
        np.zeros((len(p.storage_buses), len(p.points), s)),
        np.array(missing),
        np.zeros((len(p.collectors), s), dtype=bool),
    )
