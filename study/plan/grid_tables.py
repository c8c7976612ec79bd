"""Tables of what a plan does to the grid: measures with what they unlock, storage, what binds in the end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.contracts import LIMIT_KINDS
from grid.plan.agreements import agreement_cny, called_mwh
from grid.plan.contracts import Decision, PlanProblem
from grid.plan.explain import Binding
from layers.tables import Table, column
from study.outputs.element_names import Names
from study.plan.search import StudyPlan
from study.plan.site_table import BUILT_MW
from study.plan.staircase_table import Told, told_of_measures, unlocked
from study.plan.target_table import MISSED_MW

PLAN_MEASURES = Table(
    "plan_measures",
    "Measures that the plan builds, in the order in which they pay, each with what it unlocks.",
    {
        "order": column(int, "", "that of the staircase's steps, then by investment", ge=1),
        "measure_id": column(str, "", "measure", unique=True),
        "kind": column(str, "", "kind of measure"),
        "element": column(str, "", "what it strengthens"),
        "description_zh": column(str, "", "what is built"),
        "description_en": column(str, "", "what is built"),
        "stage": column(int, "", "year from which it stands"),
        "investment_cny": column(float, "CNY", "investment", ge=0),
        "annual_cost_cny": column(float, "CNY", "annuity and operation; with what is paid by the MWh", ge=0),
        "called_mwh": column(float, "MWh", "held back or taken off the load in a year of the last stage", ge=0),
        "step": column(str, "", "step of the staircase that builds it; empty: none"),
        "unlocked_mw": column(
            float,
            "MW",
            "what its step adds to what the network takes, all measures of the step together; empty: no step",
            nullable=True,
            ge=0,
        ),
        "cny_per_mw": column(
            float, "CNY/MW", "investment of the step by MW unlocked (agreements: yearly cost); empty: no step",
            nullable=True, ge=0,
        ),
        "lost_mw": column(
            float, "MW", "no step: what the plan lacks without it, at least", nullable=True, ge=0
        ),
        "lost_cny_per_a": column(
            float, "CNY", "no step: what the plan costs more a year without it, at least", nullable=True, ge=0
        ),
        "note_zh": column(str, "", "what it unlocks, or why no step builds it"),
        "note_en": column(str, "", "what it unlocks, or why no step builds it"),
        "cost_confidence": column(str, "", "A, B or C"),
    },
)  # fmt: skip

PLAN_BINDING = Table(
    "plan_binding",
    "What keeps the plan from more: rows at their limit after the last step, dearest first.",
    {
        "stage": column(int, "", "year"),
        "point": column(str, "", "case or hour"),
        "point_zh": column(str, "", "case, or date and hour"),
        "point_en": column(str, "", "case, or date and hour"),
        "limit": column(str, "", "kind of limit", isin=LIMIT_KINDS),
        "element": column(str, "", "element or bus at its limit"),
        "element_zh": column(str, "", "element or bus at its limit"),
        "element_en": column(str, "", "element or bus at its limit"),
        "outage": column(str, "", "outage under which it binds; empty: intact network"),
        "outage_zh": column(str, "", "outage under which it binds"),
        "outage_en": column(str, "", "outage under which it binds"),
        "price": column(float, "", "what one unit more of the limit is worth, in price_unit", ge=0),
        "price_unit": column(str, "", "unit of price: of the objective by unit of the limit"),
    },
)

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

_PRICE_OF = {
    "least_cost": "million CNY/a",
    "least_cny_per_mw": "million CNY/a",
    "most_mw": "MW",
    "most_energy": "GWh/a",
}


def measures_table(plan: StudyPlan) -> pd.DataFrame:
    """Measures that the plan builds, in the order of the staircase, the others after them by investment."""
    problem, decision = plan.answer.problem, plan.answer.decision
    built = [m for m in range(len(problem.measures)) if decision.measures[m].any()]
    if not built:
        return PLAN_MEASURES.empty()
    steps = {m.id: plan.staircase.step_of(m.id) for m in problem.measures}
    built.sort(key=lambda m: (_last_if_none(steps[problem.measures[m].id]), problem.measures[m].investment_cny))
    menu, told = plan.menu.set_index("measure_id"), told_of_measures(plan)
    last = len(problem.stages) - 1
    paid = agreement_cny(problem, decision.called_mw, last)
    rows = []
    for order, m in enumerate(built, start=1):
        measure = problem.measures[m]
        step, loss = steps[measure.id], plan.losses.get(measure.id)
        note = _with_loss(told[measure.id], plan, measure.id)
        rows.append(
            (
                order,
                measure.id,
                measure.kind,
                measure.element,
                menu.loc[measure.id, "description_zh"],
                menu.loc[measure.id, "description_en"],
                problem.stages[int(decision.measures[m].argmax())].year,
                measure.investment_cny,
                measure.cost_cny_per_a + float(paid[m]),
                called_mwh(problem, decision.called_mw, m, last),
                "" if step is None else str(step),
                *unlocked(plan.staircase, step),
                np.nan if loss is None else loss.mw,
                np.nan if loss is None else loss.cny_per_a,
                *note,
                menu.loc[measure.id, "cost_confidence"],
            )
        )
    return PLAN_MEASURES.validate(pd.DataFrame(rows, columns=list(PLAN_MEASURES.columns)))


def _last_if_none(step: int | None) -> float:
    return np.inf if step is None else step


def _with_loss(told: Told, plan: StudyPlan, measure_id: str) -> Told:
    """The note with what the plan loses without the measure."""
    loss = plan.losses.get(measure_id)
    if loss is None:
        return told
    zh, en = told
    if np.isnan(loss.mw):
        return f"{zh}；没有它本方案无解", f"{en}; without it there is no plan"
    if loss.mw > MISSED_MW:
        zh, en = (
            f"{zh}；没有它本方案至少缺{loss.mw:.1f} MW",
            f"{en}; without it the plan lacks at least {loss.mw:.1f} MW",
        )
    elif loss.cny_per_a > 0:
        million = loss.cny_per_a / 1e6
        zh += f"；没有它本方案年费用至少增加{million:.2f}百万元"
        en += f"; without it the plan costs at least {million:.2f} million CNY a year more"
    else:
        zh += "；就已发现的约束而言，没有它也不缺"
        en += "; by the limits found nothing lacks without it"
    return zh, en


def binding_table(problem: PlanProblem, binding: list[Binding], words: Names) -> pd.DataFrame:
    """Table :data:`PLAN_BINDING`, with the names of points, elements and outages."""
    rows = []
    for b in binding:
        point, unit = problem.points[b.cut.point].id, "pu" if b.cut.kind.startswith("voltage") else "%"
        rows.append(
            (
                problem.stages[b.stage].year,
                point, *_named(point, words),
                b.cut.kind,
                b.cut.element, *_named(b.cut.element, words),
                b.cut.outage, *_named(b.cut.outage, words),
                b.price,
                f"{_PRICE_OF[problem.settings.objective]} / {unit}",
            )
        )  # fmt: skip
    if not rows:
        return PLAN_BINDING.empty()
    return PLAN_BINDING.validate(pd.DataFrame(rows, columns=list(PLAN_BINDING.columns)))


def _named(item: str, words: Names) -> tuple[str, str]:
    return words.get(item, (item, item))


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
