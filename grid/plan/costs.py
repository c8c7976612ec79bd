"""What a plan costs a year, item by item, and how much it builds: sums over its decisions."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from grid.plan.agreements import agreement_cny
from grid.plan.contracts import Decision, PlanProblem


@dataclass(frozen=True)
class YearlyCost:
    """Cost of a stage [CNY a year]: plants without their connection, connections and collectors, annuity and
    operation of measures, what agreements are paid by the MWh, storage, curtailed energy at the candidates' mean
    cost."""

    plants: float
    connections: float
    measures: float
    agreements: float
    storage: float
    curtailed: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(astuple(self)))


def yearly_cost(problem: PlanProblem, decision: Decision, stage: int) -> YearlyCost:
    """Cost of one stage, penalties left out."""
    mw = decision.mw[:, stage]
    plants = connections = stored = 0.0
    for (k, access), built in zip(problem.offers, mw.tolist(), strict=True):
        if built > 0:
            plants += built * problem.lots[k].cost_cny_per_mw_a
            connections += built * access.cny_per_mw_a + access.fixed_cny_per_a
    for collector, used in zip(problem.collectors, decision.collectors[:, stage], strict=True):
        connections += collector.cost_cny_per_a if used else 0.0
    if problem.storage is not None:
        stored = problem.storage.cny_per_mw_a * float(decision.storage_mw[:, stage].sum())
        stored += problem.storage.cny_per_mwh_a * float(decision.storage_mwh[:, stage].sum())
    return YearlyCost(
        plants,
        connections,
        float(sum(m.cost_cny_per_a for m in decision.built(problem, stage))),
        float(agreement_cny(problem, decision.called_mw, stage).sum()),
        stored,
        problem.settings.curtailed_cny_per_mwh * curtailed_mwh(problem, decision, stage),
    )


def curtailed_mwh(problem: PlanProblem, decision: Decision, stage: int) -> float:
    """Energy curtailed in a year of a stage [MWh], without what contracts hold back."""
    hours = np.array([point.weight_h for point in problem.points])
    return float((decision.curtailed_mw[:, :, stage] * hours).sum())


def cost_of(problem: PlanProblem, decision: Decision) -> float:
    """Weighted mean of the stages' yearly cost [CNY], penalties left out."""
    return sum(stage.weight * yearly_cost(problem, decision, s).total for s, stage in enumerate(problem.stages))


def quantity_of(problem: PlanProblem, decision: Decision) -> float:
    """Weighted mean of the stages' energy [MWh a year] where the objective is energy, else of their grid capacity [MW];
    what agreements hold back is left in."""
    energy = problem.settings.objective == "most_energy"
    gain = np.array([problem.lots[k].energy_mwh_per_mw if energy else 1.0 for k in problem.offer_lot.tolist()])
    total = 0.0
    for s, stage in enumerate(problem.stages):
        lost = curtailed_mwh(problem, decision, s) if energy else 0.0
        total += stage.weight * (float(gain @ decision.mw[:, s]) - lost)
    return total
