"""Tables of what a plan does to the grid: measures with what they unlock, storage, what binds in the end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.plan.agreements import agreement_cny, called_mwh
from grid.plan.contracts import PLAN_BINDING, PLAN_MEASURES, Decision, PlanProblem
from grid.plan.explain import Binding
from layers.tables import Table, column
from study.plan.search import StudyPlan
from study.plan.site_table import BUILT_MW

PLAN_STORAGE = Table(
    "plan_storage",
    "Storage of the plan.",
    {
        "bus_id": column(str, "", "bus"),
        "stage": column(int, "", "year"),
        "power_mw": column(float, "MW", "power", ge=0),
        "energy_mwh": column(float, "MWh", "content", ge=0),
        "hours": column(float, "h", "content by power", ge=0),
        "station_zh": column(str, "", "station of the bus"),
        "station_en": column(str, "", "station of the bus"),
        "investment_cny": column(float, "CNY", "of what stands by the stage", ge=0),
    },
)


def measures_table(plan: StudyPlan) -> pd.DataFrame:
    """Measures that the plan builds, in the order of the staircase, the others after them by cost."""
    problem, decision = plan.answer.problem, plan.answer.decision
    built = [m for m in range(len(problem.measures)) if decision.measures[m].any()]
    if not built:
        return PLAN_MEASURES.empty()
    stairs = {step.measure_id: k for k, step in enumerate(plan.steps)}
    gain = {
        step.measure_id: step.deliverable_mw - before.deliverable_mw
        for before, step in zip(plan.steps, plan.steps[1:], strict=False)
    }
    built.sort(key=lambda m: (stairs.get(problem.measures[m].id, 9999), problem.measures[m].investment_cny))
    menu = plan.menu.set_index("measure_id")
    last = len(problem.stages) - 1
    paid = agreement_cny(problem, decision.called_mw, last)
    rows = []
    for order, m in enumerate(built, start=1):
        measure = problem.measures[m]
        unlocked = float(gain.get(measure.id, np.nan))
        text = menu.loc[measure.id]
        rows.append(
            (
                order,
                measure.id,
                measure.kind,
                measure.element,
                text["description_zh"],
                text["description_en"],
                problem.stages[int(decision.measures[m].argmax())].year,
                measure.investment_cny,
                measure.cost_cny_per_a + float(paid[m]),
                called_mwh(problem, decision.called_mw, m, last),
                unlocked,
                measure.investment_cny / unlocked if unlocked > 0 else np.nan,
                text["cost_confidence"],
            )
        )
    return PLAN_MEASURES.validate(pd.DataFrame(rows, columns=list(PLAN_MEASURES.columns)))


def binding_table(problem: PlanProblem, binding: list[Binding]) -> pd.DataFrame:
    """Table :data:`grid.plan.contracts.PLAN_BINDING`."""
    rows = [
        (problem.stages[b.stage].year, problem.points[b.cut.point].id, b.cut.kind, b.cut.element, b.cut.outage, b.price)
        for b in binding
    ]
    return (
        PLAN_BINDING.validate(pd.DataFrame(rows, columns=list(PLAN_BINDING.columns))) if rows else PLAN_BINDING.empty()
    )


def storage_table(problem: PlanProblem, decision: Decision) -> pd.DataFrame:
    """Storage by bus and stage."""
    if problem.storage is None:
        return PLAN_STORAGE.empty()
    network = problem.build(frozenset(), problem.points[0].case)
    stations = network.buses[["bus_id", "station_id"]].merge(network.stations, on="station_id").set_index("bus_id")
    rows = []
    for k, bus in enumerate(problem.storage_buses):
        zh, en = (str(stations[f"name_{language}"].get(bus, "")) for language in ("zh", "en"))
        for s, stage in enumerate(problem.stages):
            mw, mwh = float(decision.storage_mw[k, s]), float(decision.storage_mwh[k, s])
            if mw > BUILT_MW:
                money = mwh * problem.storage.investment_cny_per_mwh
                rows.append((bus, stage.year, mw, mwh, mwh / mw, zh, en, money))
    if not rows:
        return PLAN_STORAGE.empty()
    return PLAN_STORAGE.validate(pd.DataFrame(rows, columns=list(PLAN_STORAGE.columns)))
