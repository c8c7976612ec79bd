"""The plan beside the plan: cheapest energy first, as much as the rows take, measures one by one when it is not enough.

It keeps every row of the network and every target that the optimised plan keeps, so that its cost can only be higher:
LP bound <= mixed-integer plan <= greedy plan. Storage stands where a target or a share asks for it and rests; nothing
is curtailed, nothing agreed on; all is built in the first stage in which a target asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.plan.agreements import agreement_cny
from grid.plan.contracts import Bools, Decision, Floats, PlanProblem
from grid.plan.model import PENALTY_PER_MW, counts_for
from grid.plan.solve import Search

MOST_ROUNDS = 12
TIME_LIMIT_S = 30.0
ROOM = 1 - 1e-9


@dataclass(frozen=True)
class GreedyPlan:
    """Cost without and with the penalty for what is missing [CNY a year], MW by stage, measures, proof by AC.

    Where targets lack MW in the one and not in the other, only the penalised costs compare.
    """

    cost_cny: float
    penalised_cny: float
    mw: tuple[float, ...]
    measures: tuple[str, ...]
    missing_mw: float
    clean: bool
    seconds: float


def greedy_plan(search: Search, measures_in_order: Sequence[str]) -> GreedyPlan:
    """Greedy plan on the rows of a search; its own AC states add rows until it is clean."""
    begun = time.perf_counter()
    problem = search.problem
    agreed = {m.id for m in problem.measures if m.agreement is not None}
    measures_in_order = [m for m in measures_in_order if m not in agreed]
    count = 0
    while True:
        built = measures_in_order[:count]
        decision, clean = _proved(search, built)
        late = time.perf_counter() - begun > TIME_LIMIT_S
        if decision.missing_mw.sum() <= 1e-6 or count >= len(measures_in_order) or late:
            break
        count += 1
    cost = cost_of(problem, decision)
    missing = float(decision.missing_mw.sum())
    return GreedyPlan(
        cost,
        cost + PENALTY_PER_MW * 1e6 * missing,
        tuple(decision.mw.sum(axis=0).tolist()),
        tuple(built),
        missing,
        clean,
        time.perf_counter() - begun,
    )


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
    """Offers by cost of energy; each as much as targets ask and rows leave."""
    p = search.problem
    stages = len(p.stages)
    measures = np.zeros((len(p.measures), stages), dtype=bool)
    measures[[p.measure_row[m] for m in built], :] = True
    gradient, room, stage_of = _rows(search, measures)
    order = np.argsort([_cost_per_mwh(p, o) for o in range(len(p.offers))], kind="stable")
    mw = np.zeros((len(p.offers), stages))
    floors = [t for t in p.targets if not t.ceiling and t.group != "storage"]
    have = np.zeros(len(floors))
    caps = {i: t.new_mw for i, t in enumerate(p.targets) if t.ceiling}
    used: set[int] = set()
    for s in range(stages):
        now = stage_of >= s
        for o in order.tolist():
            k, access = p.offers[o]
            lot = p.lots[k]
            if (k in used and mw[o].max() == 0) or access.requires or access.collector_id:
                continue
            wanted = max(
                (t.new_mw - h for t, h in zip(floors, have, strict=True) if t.stage <= s and counts_for(p, k, t)),
                default=0.0,
            )
            want = min(wanted / lot.installed_per_mw, lot.capacity_mw - mw[o, s])
            for i in caps:
                if counts_for(p, k, p.targets[i]) and p.targets[i].stage >= s:
                    want = min(want, caps[i] / lot.installed_per_mw)
            slope = gradient[now][:, o]
            rising = slope > 1e-12
            left = room[now]
            if rising.any():
                want = min(want, float((left[rising] / slope[rising]).min()))
            if want <= 1e-6 or mw[o, s] + want < lot.least_mw:
                continue
            want *= ROOM
            mw[o, s:] += want
            room[now] = left - slope * want
            used.add(k)
            for i, t in enumerate(floors):
                have[i] += want * lot.installed_per_mw * (t.stage >= s and counts_for(p, k, t))
            for i in caps:
                caps[i] -= want * lot.installed_per_mw * counts_for(p, k, p.targets[i])
    return _decision(p, mw, measures)


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


def _cost_per_mwh(problem: PlanProblem, offer: int) -> float:
    k, access = problem.offers[offer]
    lot = problem.lots[k]
    fixed = access.fixed_cny_per_a / lot.capacity_mw
    return (lot.cost_cny_per_mw_a + access.cny_per_mw_a + fixed) / max(lot.energy_mwh_per_mw, 1e-9)


def _decision(p: PlanProblem, mw: Floats, measures: Bools) -> Decision:
    s = len(p.stages)
    power, content = _storage(p, mw)
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


def _storage(p: PlanProblem, mw: Floats) -> tuple[Floats, Floats]:
    """Storage that targets and the share ask for, bus by bus up to what a bus takes; at rest it loads nothing."""
    shape = (len(p.storage_buses) if p.storage else 0, len(p.stages))
    power, content = np.zeros(shape), np.zeros(shape)
    if p.storage is None:
        return power, content
    share = p.settings.storage_share
    for s in range(len(p.stages)):
        asked = max(
            (t.new_mw for t in p.targets if t.group == "storage" and t.stage <= s and not t.ceiling), default=0.0
        )
        left = max(asked, share * mw[:, s].sum())
        hours = max(p.storage.least_hours, p.settings.storage_hours if share > 0 else 0.0)
        for k in range(shape[0]):
            power[k, s] = min(left, p.storage.most_mw_per_bus)
            content[k, s] = power[k, s] * hours
            left -= power[k, s]
    return power, content


def cost_of(problem: PlanProblem, decision: Decision) -> float:
    """Weighted mean of the stages' yearly cost [CNY], penalties left out."""
    total = 0.0
    for s, stage in enumerate(problem.stages):
        yearly = 0.0
        for o, (k, access) in enumerate(problem.offers):
            mw = decision.mw[o, s]
            if mw > 0:
                yearly += mw * (problem.lots[k].cost_cny_per_mw_a + access.cny_per_mw_a) + access.fixed_cny_per_a
        yearly += sum(m.cost_cny_per_a for m, b in zip(problem.measures, decision.measures[:, s], strict=True) if b)
        yearly += sum(c.cost_cny_per_a for c, b in zip(problem.collectors, decision.collectors[:, s], strict=True) if b)
        if problem.storage is not None:
            terms = problem.storage
            yearly += terms.cny_per_mw_a * decision.storage_mw[:, s].sum()
            yearly += terms.cny_per_mwh_a * decision.storage_mwh[:, s].sum()
        hours = np.array([point.weight_h for point in problem.points])
        lost = (decision.curtailed_mw[:, :, s] * hours).sum()
        yearly += problem.settings.curtailed_cny_per_mwh * float(lost)
        yearly += float(agreement_cny(problem, decision.called_mw, s).sum())
        total += stage.weight * yearly
    return total
