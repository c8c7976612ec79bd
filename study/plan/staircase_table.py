"""The staircase as tables: its steps in words, and every measure with what it unlocks or why it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.plan.explain import where_it_binds
from grid.plan.staircase import Beside, Staircase, Step
from layers.tables import Table, column
from study.outputs.element_names import Names, named
from study.plan.search import StudyPlan

PLAN_STAIRCASE = Table(
    "plan_staircase",
    "Deliverable grid capacity against the investment in measures, cheapest step first. Step 0 is the network as it "
    "is: the most grid capacity, at whichever candidates it fits best, that passes N-1 by AC in every firm case.",
    {
        "step": column(int, "", "0 is without measures", ge=0),
        "measure_id": column(str, "", "measures added by this step, separated by blanks; empty at step 0"),
        "measure_zh": column(str, "", "what this step builds"),
        "measure_en": column(str, "", "what this step builds"),
        "deliverable_gw": column(float, "GW", "most new grid capacity that passes every limit, proved by AC", ge=0),
        "unlocked_mw": column(float, "MW", "what this step adds; at step 0 what there is without measures", ge=0),
        "step_cost_cny": column(float, "CNY", "investment of this step", ge=0),
        "cny_per_mw": column(
            float, "CNY/MW", "investment by MW added (agreements: yearly cost); empty at step 0", nullable=True, ge=0
        ),
        "grid_cost_cny": column(float, "CNY", "investment in measures so far", ge=0),
        "with_upgrades": column(bool, "", "false: the network as it is"),
        "in_plan": column(str, "", "measures of this step that the plan builds, separated by blanks"),
        "proved": column(bool, "", "whether AC load flow of every outage in every firm case breaks no limit"),
        "binding_rows": column(int, "", "limits that keep it from more", ge=0),
        "binds_zh": column(str, "", "the dearest of them; where none binds, what else keeps it from more"),
        "binds_en": column(str, "", "the dearest of them; where none binds, what else keeps it from more"),
    },
)

PLAN_MENU = Table(
    "plan_menu",
    "Every measure that was considered, with what it unlocks or why it does not: steps of the staircase first, then "
    "what brings most alone by CNY.",
    {
        "order": column(int, "", "that of the staircase's steps, then by investment a MW that it brings alone", ge=1),
        "measure_id": column(str, "", "measure", unique=True),
        "kind": column(str, "", "kind of measure"),
        "element": column(str, "", "what it strengthens"),
        "description_zh": column(str, "", "what is built"),
        "description_en": column(str, "", "what is built"),
        "step": column(str, "", "step of the staircase that builds it; empty: none"),
        "unlocked_mw": column(
            float, "MW", "what its step adds, all measures of the step together; empty: no step", nullable=True, ge=0
        ),
        "cny_per_mw": column(
            float, "CNY/MW", "investment of the step by MW added (agreements: yearly cost); empty: no step",
            nullable=True, ge=0,
        ),
        "alone_mw": column(
            float, "MW", "no step: what it adds alone to the network as it is, proved by AC; empty: not tried",
            nullable=True, ge=0,
        ),
        "note_zh": column(str, "", "what it unlocks, or why no step builds it"),
        "note_en": column(str, "", "what it unlocks, or why no step builds it"),
        "stage": column(str, "", "year from which the plan builds it; empty: not in the plan"),
        "investment_cny": column(float, "CNY", "investment, prices of price_year", ge=0),
        "annual_cost_cny": column(float, "CNY", "annuity and operation, without what is paid by the MWh", ge=0),
        "lead_time_years": column(float, "a", "from decision to operation", ge=0),
        "price_year": column(int, "", "year of the prices", ge=1990),
        "cost_source": column(str, "", "where the unit cost is from"),
        "cost_confidence": column(str, "", "A, B or C"),
    },
)  # fmt: skip

Told = tuple[str, str]
"""A sentence in Chinese and English."""


def unlocked(stairs: Staircase, step: int | None) -> tuple[float, float]:
    """MW that a step adds and CNY for each of them; NaN without a step."""
    if not step:
        return np.nan, np.nan
    one = stairs.steps[step]
    mw = one.deliverable_mw - stairs.steps[step - 1].deliverable_mw
    return mw, (one.annual_cost_cny if one.investment_cny == 0 else one.investment_cny) / mw


def staircase_table(plan: StudyPlan, words: Names) -> pd.DataFrame:
    """Table :data:`PLAN_STAIRCASE`."""
    stairs, menu = plan.staircase, plan.menu.set_index("measure_id")
    built = {m.id for m in plan.answer.decision.built(plan.answer.problem, len(plan.answer.problem.stages) - 1)}
    spent, rows = 0.0, []
    for number, step in enumerate(stairs.steps):
        spent += step.investment_cny
        mw, price = unlocked(stairs, number) if number else (step.deliverable_mw, np.nan)
        ids = list(step.measure_ids)
        rows.append(
            (
                number,
                " ".join(ids),
                "；".join(menu.loc[ids, "description_zh"]) if ids else "现有电网，不加措施",
                "; ".join(menu.loc[ids, "description_en"]) if ids else "the network as it is, no measure",
                step.deliverable_mw / 1000,
                mw,
                step.investment_cny,
                price,
                spent,
                bool(ids),
                " ".join(name for name in ids if name in built),
                step.proved,
                step.binding_rows,
                *what_binds(stairs, step, words),
            )
        )
    return PLAN_STAIRCASE.validate(pd.DataFrame(rows, columns=list(PLAN_STAIRCASE.columns)))


def what_binds(stairs: Staircase, step: Step, words: Names) -> Told:
    """The dearest limits at a step in words; where none binds, that all candidates are used."""
    if not step.binds:
        capacity = sum(lot.capacity_mw for lot in stairs.problem.lots)
        if step.deliverable_mw >= (1 - 1e-6) * capacity:
            return "全部候选场址均可送出", "every candidate is delivered in full"
        return "没有起作用的电网约束", "no limit of the network"
    told = [where_it_binds(stairs.problem, cut) for cut in step.binds]
    zh, en = ("；".join(named(a, words, "zh") for a, _ in told), "; ".join(named(b, words, "en") for _, b in told))
    more = step.binding_rows - len(told)
    return (f"{zh}；另有{more}项", f"{en}; and {more} more") if more > 0 else (zh, en)


def told_of_measures(plan: StudyPlan) -> dict[str, Told]:
    """What every measure of the menu unlocks, or why no step builds it."""
    stairs, menu = plan.staircase, plan.menu.set_index("measure_id")
    beside = {one.measure_id: one for one in stairs.beside}
    told = {}
    for name in menu.index.astype(str):
        step = stairs.step_of(name)
        if step is not None:
            told[name] = _told_step(stairs, step)
        elif name in beside:
            told[name] = _told_beside(beside[name], stairs, menu)
        else:
            told[name] = (
                "未进入方案：菜单只取最紧限制的若干项措施（most_measures）",
                "not considered: the plan takes the measures for the dearest limits alone (most_measures)",
            )
    return told


def _told_step(stairs: Staircase, step: int) -> Told:
    mw, price = unlocked(stairs, step)
    one = stairs.steps[step]
    zh, en = f"第{step}步释放{mw:.1f} MW", f"step {step} unlocks {mw:.1f} MW"
    if len(one.measure_ids) > 1:
        zh += f"（本步{len(one.measure_ids)}项措施共同释放）"
        en += f" (all {len(one.measure_ids)} measures of the step together)"
    agreed = one.investment_cny == 0
    return (
        f"{zh}，每MW {price / 1e4:.1f}万元{'/年' if agreed else ''}",
        f"{en} at {price / 1e3:,.0f} thousand CNY a MW{' and year' if agreed else ''}",
    )


def _told_beside(one: Beside, stairs: Staircase, menu: pd.DataFrame) -> Told:
    last = len(stairs.steps) - 1
    least = f"{stairs.least_mw:.0f} MW"
    alone_zh, alone_en = f"单独不足{least}", f"alone it brings less than {least}"
    if one.alone_mw > 0:
        alone_zh, alone_en = f"单独可释放{one.alone_mw:.1f} MW", f"alone it brings {one.alone_mw:.1f} MW"
    if np.isnan(one.alone_mw):
        alone_zh, alone_en = "未单独校核", "not tried alone"
    if one.why == "alternative":
        step = stairs.step_of(one.instead)
        zh, en = menu.loc[one.instead, "description_zh"], menu.loc[one.instead, "description_en"]
        return f"{alone_zh}；第{step}步已建替代措施：{zh}", f"{alone_en}; step {step} builds the alternative: {en}"
    if one.why == "covered":
        return f"{alone_zh}；第{last}步之后不再增加", f"{alone_en}; nothing more after step {last}"
    if one.why == "nothing":
        return (
            f"{alone_zh}，第{last}步之后也不增加：所缓解的限制不决定总送出容量",
            f"{alone_en}, and no more after step {last}: what it relieves is not what bounds the total",
        )
    return (
        f"{alone_zh}；计算量用尽，未逐步校核",
        f"{alone_en}; the staircase ended by its number of AC states before it",
    )


def menu_table(plan: StudyPlan) -> pd.DataFrame:
    """Table :data:`PLAN_MENU`."""
    if not len(plan.menu):
        return PLAN_MENU.empty()
    stairs, problem, decision = plan.staircase, plan.answer.problem, plan.answer.decision
    alone = {one.measure_id: one.alone_mw for one in stairs.beside}
    told = told_of_measures(plan)
    years = {
        m.id: str(problem.stages[int(decision.measures[row].argmax())].year)
        for row, m in enumerate(problem.measures)
        if decision.measures[row].any()
    }
    investments = dict(zip(plan.menu["measure_id"].astype(str), plan.menu["investment_cny"].astype(float), strict=True))
    rows = []
    for row in plan.menu.itertuples():
        name = str(row.measure_id)
        step, by_itself, investment = stairs.step_of(name), alone.get(name, np.nan), investments[name]
        dear = investment / by_itself if by_itself > 0 else np.inf
        rank = (np.inf if step is None else step, dear, investment, name)
        rows.append(
            (rank, name, row.kind, row.element, row.description_zh, row.description_en,
             "" if step is None else str(step), *unlocked(stairs, step), by_itself, *told[name], years.get(name, ""),
             investment, row.annual_cost_cny, row.lead_time_years, row.price_year, row.cost_source,
             row.cost_confidence)
        )  # fmt: skip
    rows.sort(key=lambda one: one[0])
    ordered = [(order, *one[1:]) for order, one in enumerate(rows, start=1)]
    return PLAN_MENU.validate(pd.DataFrame(ordered, columns=list(PLAN_MENU.columns)))
