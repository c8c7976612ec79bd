"""The search: master problem and AC states in turn until the plan is clean and the gap is closed.

1. *Without measures.* The master (a linear programme, no measure allowed) and the AC states of every point take turns
   until no limit is broken. The rows found are those of the network as it is.
2. *With measures.* The mixed-integer master chooses measures and lumpy lots; its bound holds for every plan. With that
   choice fixed, the linear programme and the AC states take turns until the plan is clean: a plan that can be built.
   Its rows join the master. Of a plan that is the best so far each measure is left out in turn, and stays out where
   the plan is better so. This is repeated until the best clean plan is within the gap of the bound, or time is up.
3. *Missing targets.* Where even the best plan lacks MW of a target, what is missing is kept at its least and step 2 is
   repeated for the cost alone, so that cost and bound speak of money only.

The bound is that of the linearised network (tangents at AC states, margins included); the plan itself is proved by AC
load flow of every outage in every point.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from grid.plan.choices import MISSING_ROOM, as_it_is, cheapest_mw, choose, gap_of
from grid.plan.contracts import Floats, PlanAnswer, PlanProblem, Point
from grid.plan.model import SMALL_COST, Master
from grid.plan.search import Best, Clean, Progress, Search
from grid.plan.wanted import with_measures


def solve_plan(problem: PlanProblem, progress: Progress | None = None) -> PlanAnswer:
    """The plan of a problem, proved by AC.

    Raises
    ------
    grid.plan.model.Unsolved
        If budgets, shares and prerequisites contradict each other so that not even the empty plan is allowed.
    """
    return finish(*search_plan(Search.of(problem, progress)))


def search_plan(search: Search) -> tuple[Search, Best]:
    """Steps 1 to 3; the search that is given back holds the menu's measures and all rows."""
    first = without_measures(search)
    search = with_measures(search, first)
    if search.problem.settings.objective == "least_cny_per_mw":
        return search, cheapest_mw(search)
    best = choose(search, None, as_it_is(search))
    missing = best.clean.solved.decision.missing_mw
    if missing.sum() > MISSING_ROOM and search.problem.settings.objective == "least_cost":
        best = choose(search, missing + MISSING_ROOM, best)
    return search, best


def without_measures(search: Search) -> Clean:
    """Step 1: the best plan on the network as it is."""
    problem = search.problem
    none = np.zeros((len(problem.measures), len(problem.stages)), dtype=bool)
    return search.clean("without measures", none, None, None)


def finish(search: Search, best: Best) -> PlanAnswer:
    """The answer of a search."""
    problem, solved = search.problem, best.clean.solved
    lowest = search.master.solve(whole=False)
    in_money = problem.settings.objective == "least_cost"
    penalty = float(solved.decision.missing_mw.sum())
    bound = best.bound * 1e6 if in_money else np.nan
    objective = solved.cost_cny
    if in_money and penalty > 0:
        bound = min(bound, objective)
    gap = 100 * gap_of(search, solved, best.bound)
    most, most_lp = _most(search, best)
    notes = (f"{best.clean.diverged} states ended before the plan's injections",) if best.clean.diverged else ()
    return PlanAnswer(
        problem,
        solved.decision,
        objective,
        bound,
        solved.quantity,
        most,
        lowest.objective * 1e6 if in_money else most_lp,
        gap,
        time.perf_counter() - search.started,
        tuple(best.clean.violations),
        tuple(search.cuts),
        tuple(search.rounds),
        search.book.states_checked,
        best.clean.diverged,
        notes,
    )


def _most(search: Search, best: Best) -> tuple[float, float]:
    """Bounds of a maximised quantity, of the search and of the LP, for plans that lack no more than this one; NaN where
    cost is the objective.

    What is minimised holds a small weight of cost beside the quantity, so that its bound is below the
    quantity's by that of the dearest plan; without a budget the LP bound stands for both.
    """
    problem, solved = search.problem, best.clean.solved
    scale = {"most_energy": 1e3, "most_mw": 1.0}.get(problem.settings.objective, np.nan)
    if np.isnan(scale):
        return scale, scale
    missing = solved.decision.missing_mw
    most_lp = search.master.most(missing + MISSING_ROOM)
    if missing.sum() > MISSING_ROOM:
        return most_lp, most_lp
    most = scale * (SMALL_COST * problem.settings.budget_cny_per_a / 1e6 - best.bound)
    return min(most, most_lp), most_lp


def with_points(search: Search, best: Best, points: tuple[Point, ...], availability: Floats) -> tuple[Search, Best]:
    """The search with further points, and its plan made clean there too; measures and lumpy lots stay.

    The bound stays what it was: more points can only cost more.
    """
    old = search.problem
    together = np.hstack([old.availability, availability])
    problem = replace(old, points=(*old.points, *points), availability=together)
    master = Master(problem)
    master.price_per_mw = search.master.price_per_mw
    master.add_cuts(search.cuts)
    wider = replace(search, problem=problem, master=master, book=search.book.of(problem))
    solved = best.clean.solved
    lacking = solved.decision.missing_mw
    missing = lacking + MISSING_ROOM if lacking.sum() > MISSING_ROOM else None
    built = search.master.built_of(solved.columns)
    clean = wider.clean("extreme hours", solved.decision.measures, built, missing)
    return wider, Best(clean, min(best.bound, clean.solved.objective))
