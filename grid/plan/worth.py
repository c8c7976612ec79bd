"""What a plan would lose without one of its measures, by the rows of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.plan.contracts import Bools, PlanAnswer, PlanProblem
from grid.plan.model import Master, Solved, Unsolved


@dataclass(frozen=True)
class Loss:
    """What lacks without a measure and those that require it: ``mw`` of targets, or of grid capacity where that is to
    be most; ``cny_per_a`` the cost that rises where nothing lacks. NaN where no plan is left at all.

    Every other measure stands as in the plan and all sites are chosen anew; rows that the network without it would
    break beside those found are not looked for, so it is the least that is lost.
    """

    mw: float
    cny_per_a: float


def losses(answer: PlanAnswer, measure_ids: list[str]) -> dict[str, Loss]:
    """Loss of each of some measures that the plan builds."""
    problem = answer.problem
    if not measure_ids:
        return {}
    master = Master(problem)
    master.add_cuts(answer.cuts)
    whole = master.solve(whole=False, measures=answer.decision.measures)
    return {name: _loss(master, problem, whole, _without(problem, answer.decision.measures, name))
            for name in measure_ids}  # fmt: skip


def _loss(master: Master, problem: PlanProblem, whole: Solved, measures: Bools) -> Loss:
    try:
        less = master.solve(whole=False, measures=measures)
    except Unsolved:
        return Loss(float("nan"), float("nan"))
    missing = float(less.decision.missing_mw.sum() - whole.decision.missing_mw.sum())
    if problem.settings.objective == "least_cost":
        return Loss(max(0.0, missing), max(0.0, less.cost_cny - whole.cost_cny) if missing < 1e-3 else 0.0)
    weights = np.array([stage.weight for stage in problem.stages])
    mw = float(weights @ (whole.decision.mw.sum(axis=0) - less.decision.mw.sum(axis=0)))
    return Loss(max(0.0, mw, missing), 0.0)


def _without(problem: PlanProblem, measures: Bools, name: str) -> Bools:
    """The plan's measures without one and without all that requires it."""
    gone = {name}
    while True:
        more = {m.id for m in problem.measures if gone & set(m.requires)} - gone
        if not more:
            break
        gone |= more
    left = measures.copy()
    left[[problem.measure_row[one] for one in gone]] = False
    return left
