"""Targets and quotas beside the plan, and what keeps a missed one from more: limits, sites, land."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from grid.plan.contracts import Decision, PlanAnswer, PlanProblem, PlanTarget
from grid.plan.explain import Binding, why_missed
from grid.plan.model import counts_for
from layers.tables import Table, column
from study.outputs.element_names import Names, named
from study.outputs.labels import value_labels
from study.pipeline import Results
from study.plan.search import AT_MOST, SHARE, StudyPlan, quota_id, target_id
from study.schema.file import StudyFile

MISSED_MW = 0.01
"""What a target lacks, at least, to be called missed."""

FLOOR = "least_mw"
FLOOR_LABELS = ("新增并网容量下限", "new grid capacity, at least")
"""What the table calls the floor of the objective CNY by MW."""

PLAN_TARGETS = Table(
    "plan_targets",
    "Targets and quotas beside the plan.",
    {
        "target": column(str, "", "target or quota", unique=True),
        "target_zh": column(str, "", "label"),
        "target_en": column(str, "", "label"),
        "technology_group": column(str, "", "what counts"),
        "stage": column(int, "", "year"),
        "kind": column(str, "", "at least or at most", isin=("at_least", "at_most")),
        "new_mw": column(float, "MW", "new installed capacity asked for", ge=0),
        "planned_mw": column(float, "MW", "new installed capacity of the plan", ge=0),
        "missing_mw": column(float, "MW", "by how much it is missed", ge=0),
        "why_zh": column(str, "", "what keeps it from more; empty where it is met"),
        "why_en": column(str, "", "what keeps it from more; empty where it is met"),
    },
)


def targets_table(results: Results, plan: StudyPlan, binding: list[Binding], words: Names) -> pd.DataFrame:
    """Targets beside the plan, with what keeps a missed one from more."""
    problem, decision = plan.answer.problem, plan.answer.decision
    labels = target_labels(results.study.file)
    states = results.get("land_tables").states
    carries = results.get("sites").candidates.groupby("technology")["host_type"].unique()
    rows = []
    for t, target in enumerate(problem.targets):
        missing = float(decision.missing_mw[t])
        zh, en = why_missed(plan.answer, t, binding) if missing > MISSED_MW else ("", "")
        if missing > MISSED_MW and not target.ceiling and uses_all_candidates(problem, decision, t):
            counting = {lot.technology for k, lot in enumerate(problem.lots) if counts_for(problem, k, target)}
            hosts = {host for name in counting for host in carries.get(name, ())}
            land_zh, land_en = land_that_lacks(states[states["host_type"].isin(hosts)])
            zh, en = zh + land_zh, en + land_en
        zh, en = named(zh, words, "zh"), named(en, words, "en")
        rows.append(
            (
                target.id,
                *labels.get(target.id, (target.id, target.id)),
                target.group,
                problem.stages[target.stage].year,
                "at_most" if target.ceiling else "at_least",
                target.new_mw,
                planned_mw(problem, decision, t),
                missing,
                zh,
                en,
            )
        )
    rows += _floor_row(plan.answer, binding, words)
    if not rows:
        return PLAN_TARGETS.empty()
    return PLAN_TARGETS.validate(pd.DataFrame(rows, columns=list(PLAN_TARGETS.columns)))


def _floor_row(answer: PlanAnswer, binding: list[Binding], names: Names) -> list[tuple[Any, ...]]:
    """The floor of grid capacity of the objective CNY by MW as a target; none where there is no floor.

    Lots count by grid capacity here, not by what is installed.
    """
    problem, decision, last = answer.problem, answer.decision, len(answer.problem.stages) - 1
    floor = problem.settings.least_mw
    if problem.settings.objective != "least_cny_per_mw" or floor <= 0:
        return []
    planned, missing, zh, en = float(decision.mw[:, last].sum()), below_floor_mw(problem, decision), "", ""
    if missing > MISSED_MW:
        lots = tuple(replace(lot, installed_per_mw=1.0) for lot in problem.lots)
        asked = replace(problem, lots=lots, targets=(PlanTarget(FLOOR, "renewable", last, floor),))
        one = replace(answer, problem=asked, decision=replace(decision, missing_mw=np.array([missing])))
        zh, en = why_missed(one, 0, binding)
    year = problem.stages[last].year
    texts = named(zh, names, "zh"), named(en, names, "en")
    return [(FLOOR, *FLOOR_LABELS, "renewable", year, "at_least", floor, planned, missing, *texts)]


def below_floor_mw(problem: PlanProblem, decision: Decision) -> float:
    """By how much a plan misses the floor of grid capacity of the objective CNY by MW; 0 for other objectives."""
    if problem.settings.objective != "least_cny_per_mw":
        return 0.0
    return max(0.0, problem.settings.least_mw - float(decision.mw[:, -1].sum()))


def target_labels(file: StudyFile) -> dict[str, tuple[str, str]]:
    """Labels (Chinese, English) of targets and quotas by what the plan calls them."""
    found = {target_id(k, target): (target.quantity_zh, target.quantity_en) for k, target in enumerate(file.targets)}
    groups = {label.value: label for label in value_labels("technology_group")}
    for k, quota in enumerate(file.plan.quotas if file.plan else ()):
        group = groups[quota.technology_group]
        of = "".join(f" {name}" for name in (*quota.technologies, *quota.districts))
        for end, zh, en in (("", "新增下限", "new, at least"), (SHARE, "新增比例下限", "new, least share"),
                            (AT_MOST, "新增上限", "new, at most")):  # fmt: skip
            found[quota_id(k, quota) + end] = f"{group.label_zh}{zh}{of}", f"{group.label_en} {en}{of}"
    return found


def uses_all_candidates(problem: PlanProblem, decision: Decision, t: int) -> bool:
    """Whether every candidate that counts for a target is built in full by its stage: then land keeps it from more."""
    target = problem.targets[t]
    if target.group == "storage":
        return False
    whole = sum(
        lot.capacity_mw * lot.installed_per_mw for k, lot in enumerate(problem.lots) if counts_for(problem, k, target)
    )
    return planned_mw(problem, decision, t) >= (1 - 1e-4) * whole


def land_that_lacks(states: pd.DataFrame) -> tuple[str, str]:
    """What to add (Chinese, English) where all candidates are used: eligible land and land that no source maps.

    ``states``: areas of the host types that count. Unknown land differs by host type; the least is unknown to all.
    Empty without host types.
    """
    if not len(states):
        return "", ""
    host, eligible = float(states["host_km2"].sum()), float(states["owned_km2"].sum())
    unknown, region = float(states["unknown_km2"].min()), float(states["region_km2"].max())
    zh = f"；可承载的已测绘土地{host:,.0f} km²，其中可用{eligible:,.0f} km²"
    en = f"; of {host:,.0f} km2 mapped as land for it {eligible:,.0f} km2 are eligible"
    if unknown > 0.01 * region:
        zh += f"；区域{region:,.0f} km²中{unknown:,.0f} km²没有资料，不计入"
        en += f"; {unknown:,.0f} of the region's {region:,.0f} km2 are mapped by no source and do not count"
    return zh, en


def planned_mw(problem: PlanProblem, decision: Decision, t: int) -> float:
    """New installed capacity that counts for a target [MW]."""
    target = problem.targets[t]
    if target.group == "storage":
        return float(decision.storage_mw[:, target.stage].sum())
    return float(
        sum(
            decision.mw[o, target.stage] * problem.lots[k].installed_per_mw
            for o, (k, _) in enumerate(problem.offers)
            if counts_for(problem, k, target)
        )
    )
