"""What a plan's answer says: what binds, who uses which measure, why a target is missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.plan.contracts import Cut, Floats, PlanAnswer, PlanProblem
from grid.plan.model import Master, counts_for
from grid.verdicts import LIMIT_EN, LIMIT_ZH

LEAST_PRICE = 1e-6
FIRST = 3
"""Rows named in one sentence."""


@dataclass(frozen=True)
class Binding:
    """A row at its limit: what a unit of its limit is worth, and the lots that it keeps from more."""

    cut: Cut
    stage: int
    price: float
    lots: tuple[int, ...]


def binding_rows(answer: PlanAnswer) -> list[Binding]:
    """Rows with a price at the plan, the dearest first: measures fixed, rows of all rounds."""
    problem = answer.problem
    master = Master(problem)
    if problem.settings.objective == "least_cny_per_mw":
        master.price_per_mw = answer.objective_cny / max(answer.value, 1e-9)
    master.add_cuts(answer.cuts)
    solved = master.solve(whole=False, measures=answer.decision.measures)
    found: dict[tuple[object, ...], Binding] = {}
    for at in np.argsort(-solved.prices, kind="stable").tolist():
        if solved.prices[at] <= LEAST_PRICE:
            break
        cut, stage = master.cuts[at]
        key = (stage, cut.point, cut.kind, cut.element, cut.outage)
        if key not in found:
            found[key] = Binding(cut, stage, float(solved.prices[at]), held_lots(problem, cut))
    return list(found.values())


def held_lots(problem: PlanProblem, cut: Cut) -> tuple[int, ...]:
    """Lots whose output at the row's point raises the row."""
    rising = cut.gradient[problem.offer_bus] * problem.availability[problem.offer_lot, cut.point] > 0
    return tuple(sorted({int(k) for k in problem.offer_lot[rising]}))


def measure_use(answer: PlanAnswer) -> dict[int, Floats]:
    """Share of every lot in each built measure, by measure row; shares of a measure sum to 1.

    The use is what a lot puts on the rows that the measure relieves, each row by its relief against its limit; a
    curtailment contract is used by the plants at its bus, a new station by those that connect there, if any does.
    """
    problem, decision = answer.problem, answer.decision
    last = len(problem.stages) - 1
    use = {m: np.zeros(len(problem.lots)) for m in range(len(problem.measures)) if decision.measures[m].any()}
    mw = np.zeros(len(problem.lots))
    np.add.at(mw, problem.offer_lot, decision.mw[:, last])
    full = problem.availability[problem.offer_lot] * decision.mw[:, last, None]
    for m, one in use.items():
        agreement = problem.measures[m].agreement
        if agreement is not None and agreement.holds_back:
            there = problem.offer_bus == problem.bus_row[agreement.bus_id]
            np.add.at(one, problem.offer_lot[there], decision.mw[there, last])
    connected = set()
    for (lot, access), one_mw in zip(problem.offers, decision.mw[:, last].tolist(), strict=True):
        station = problem.measure_row[access.requires] if access.requires else -1
        if one_mw > 0 and station in use:
            use[station][lot] += one_mw
            connected.add(station)
    for cut in answer.cuts:
        for need in cut.needs:
            if need.measure not in use or need.built or need.measure in connected:
                continue
            put = np.maximum(cut.gradient[problem.offer_bus], 0.0) * full[:, cut.point]
            weight = 1.0 if np.isinf(need.relief) else min(1.0, need.relief / abs(cut.nominal))
            np.add.at(use[need.measure], problem.offer_lot, weight * put)
    return {m: (one / one.sum() if one.sum() > 0 else _even(mw)) for m, one in use.items()}


def _even(mw: Floats) -> Floats:
    return mw / mw.sum() if mw.sum() > 0 else mw


def where_it_binds(problem: PlanProblem, cut: Cut) -> tuple[str, str]:
    """A row in words (Chinese, English): operating point, limit, element, outage."""
    case = problem.points[cut.point].case
    point_zh, point_en = case.label_zh or case.id, case.label_en or case.id
    if point_zh == point_en == case.id:  # an hour of the year has no label but its number
        point_zh, point_en = f"全年时刻{case.id}", f"hour {case.id} of the year"
    zh = f"{point_zh}方式下{LIMIT_ZH.get(cut.kind, cut.kind)}：{cut.element}"
    en = f"{LIMIT_EN.get(cut.kind, cut.kind)} in {point_en}: {cut.element}"
    if cut.outage:
        zh, en = f"{zh}（{cut.outage}停运后）", f"{en} after loss of {cut.outage}"
    return zh, en


def why_missed(answer: PlanAnswer, target: int, binding: list[Binding]) -> tuple[str, str]:
    """One sentence (Chinese, English): how many MW a target lacks and which limits keep the lots that count for it."""
    problem, decision = answer.problem, answer.decision
    goal = problem.targets[target]
    missing = float(decision.missing_mw[target])
    counting = (
        {k for k in range(len(problem.lots)) if counts_for(problem, k, goal)} if goal.group != "storage" else set()
    )
    capacity = sum(problem.lots[k].capacity_mw * problem.lots[k].installed_per_mw for k in counting)
    zh, en = f"缺{missing:.1f} MW", f"{missing:.1f} MW short"
    if not goal.ceiling and goal.group != "storage" and capacity < goal.new_mw:
        zh += f"；目标新增{goal.new_mw:.1f} MW，候选场址合计只有{capacity:.1f} MW"
        en += f"; {goal.new_mw:.1f} MW are asked for, all candidates together have {capacity:.1f} MW"
    rows = [b for b in binding if counting & set(b.lots) and b.stage <= goal.stage][:FIRST]
    for one in rows:
        where_zh, where_en = where_it_binds(problem, one.cut)
        zh, en = f"{zh}；{where_zh}", f"{en}; {where_en}"
    if np.isfinite(problem.settings.budget_cny_per_a) or np.isfinite(problem.settings.grid_budget_cny):
        zh += "；预算上限"
        en += "; the budget"
    return zh, en
