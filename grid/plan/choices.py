"""The choice of measures and lumpy lots: mixed-integer master and proof in turn until the gap is closed."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from grid.plan.contracts import Floats, PlanProblem
from grid.plan.model import Solved, Unsolved
from grid.plan.search import Best, Clean, Search

MISSING_ROOM = 1e-3
"""MW by which a target may lack more once the cost alone counts than in the plan that misses the least."""
MOST_CHOICES = 30
"""Choices of measures that are built and proved."""
DINKELBACH_ROUNDS = 6
LEAST_QUANTITY_MW = 1e-3
"""A plan of less is none."""
MASTER_TIME_S = 20.0
"""Least seconds by the clock for one choice; it ends by its number of nodes, so that only a machine that is many times
slower than others answers otherwise."""


def as_it_is(search: Search) -> Best | None:
    """The plan without measures once more, its lots whole: what a menu has to be better than. None where there is no
    menu, or no such plan."""
    none = np.zeros((len(search.problem.measures), len(search.problem.stages)), dtype=bool)
    if not len(none):
        return None
    try:
        whole = search.master.solve(whole=True, measures=none, gap=search.problem.settings.gap / 3)
        clean = search.clean("without measures", none, search.master.built_of(whole.columns), None)
    except Unsolved:  # a share or a quota asks for more than the network as it is can have
        return None
    return None if clean.violations else Best(clean, -np.inf)


def cheapest_mw(search: Search) -> Best:
    """Dinkelbach: the price at which cost - price x MW is least zero is the least cost by MW. The best plan of a round
    is what the next one begins with, so that none is worse."""
    best = None
    for _ in range(DINKELBACH_ROUNDS):
        best = choose(search, None, best)
        solved = best.clean.solved
        nothing = solved.quantity < LEAST_QUANTITY_MW
        price = _dearest_mw(search.problem) if nothing else solved.cost_cny / solved.quantity
        if abs(price - search.master.price_per_mw) <= 1e-6 * price:
            break
        search.master.price_per_mw = price
    assert best is not None
    return best


def _dearest_mw(problem: PlanProblem) -> float:
    """Yearly cost of the dearest candidate by MW: at this price something is worth building."""
    return max(
        problem.lots[k].cost_cny_per_mw_a + access.cny_per_mw_a + access.fixed_cny_per_a / problem.lots[k].capacity_mw
        for k, access in problem.offers
    )


def choose(search: Search, missing: Floats | None, known: Best | None = None) -> Best:
    """Step 2: choose by the mixed-integer master, make clean, compare with the bound."""
    gap, by_mw = search.problem.settings.gap, search.problem.settings.objective == "least_cny_per_mw"
    best: Clean | None = None
    bound = -np.inf
    guess = None
    if known is not None:
        best = known.clean
        if by_mw or missing is not None:
            best = pared(search, Best(priced(search, best, missing), bound), missing).clean
        guess = best.solved.columns
    tried: set[bytes] = set()
    for _ in range(MOST_CHOICES):
        begun = time.perf_counter()
        try:
            chosen = search.master.solve(
                whole=True,
                missing_at_most=missing,
                gap=gap / 3,
                room=gap / 3 * (best.solved.cost_cny / 1e6 if best is not None and by_mw else 0.0),
                time_limit_s=max(MASTER_TIME_S, search.left_s),
                start=guess,
            )
        except Unsolved:
            if best is None:
                raise
            break
        search.note("choice", chosen, 0, 0, begun)
        bound = max(bound, chosen.bound)
        clean_best = best is not None and not best.violations
        if best is not None and clean_best and gap_of(search, best.solved, bound) <= gap:
            break
        measures, built = chosen.decision.measures, search.master.built_of(chosen.columns)
        worse_than = best.solved.objective if best is not None and clean_best else np.inf
        try:
            clean = search.clean("proof", measures, built, missing, worse_than)
        except Unsolved:  # what is missing was fixed, and this choice cannot keep it any more
            if search.left_s < 0:
                break
            continue
        if best is None or (
            clean.proved and not clean.violations and (not clean_best or clean.solved.objective < worse_than)
        ):
            best = pared(search, Best(clean, bound), missing).clean
            guess = best.solved.columns
        if not best.violations and gap_of(search, best.solved, bound) <= gap:
            break
        key = measures.tobytes() + built.tobytes()
        if search.left_s < 0 or key in tried or _cost_comes_next(search, best, missing):
            break
        tried.add(key)
    assert best is not None
    if not np.isfinite(bound):
        bound = search.master.solve(whole=False, missing_at_most=missing).bound
    return Best(best, min(bound, best.solved.objective))


def _cost_comes_next(search: Search, best: Clean, missing: Floats | None) -> bool:
    """Whether half of the time has gone into missing as little as possible: the other half is for the cost of that."""
    lacking = float(best.solved.decision.missing_mw.sum())
    least_cost = search.problem.settings.objective == "least_cost"
    late = search.left_s < 0.5 * search.problem.settings.time_limit_s
    return missing is None and least_cost and lacking > MISSING_ROOM and not best.violations and late


def priced(search: Search, clean: Clean, missing: Floats | None) -> Clean:
    """A clean plan once more, valued by cost alone: its measures and lots fixed, what is missing bounded."""
    solved = clean.solved
    built = search.master.built_of(solved.columns)
    return search.clean("cost alone", solved.decision.measures, built, missing)


def pared(search: Search, best: Best, missing: Floats | None) -> Best:
    """The plan without those measures that do not pay: each is left out in turn, the dearest first, and stays out where
    the plan is better so. A choice within the gap of the bound may hold measures that nobody needs."""
    problem, clean = search.problem, best.clean
    if clean.violations:
        return best
    measures, built = clean.solved.decision.measures, search.master.built_of(clean.solved.columns)
    price = np.array([m.cost_cny_per_a for m in problem.measures])
    for row in np.argsort(-price, kind="stable").tolist():
        if not measures[row].any():
            continue
        left = measures.copy()
        left[[k for k, m in enumerate(problem.measures) if k == row or problem.measures[row].id in m.requires]] = False
        try:
            one = search.clean("one measure less", left, built, missing, clean.solved.objective)
        except Unsolved:  # a lot or a share needs it
            continue
        if one.proved and not one.violations:
            clean, measures = one, left
    return replace(best, clean=clean, bound=min(best.bound, clean.solved.objective))


def gap_of(search: Search, solved: Solved, bound: float) -> float:
    """Distance of the bound from a plan's objective, by the objective's size; where cost less price by MW is minimised,
    which ends at zero, by the plan's cost: a share of the cost by MW."""
    by_mw = search.problem.settings.objective == "least_cny_per_mw"
    size = solved.cost_cny / 1e6 if by_mw else abs(solved.objective)
    return max(0.0, solved.objective - bound) / max(size, 1e-9)
