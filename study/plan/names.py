"""What elements and operating points of a plan are called: tables of a plan name both beside their ids."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from grid.plan.contracts import PLAN_HOURS, PlanProblem, Point
from layers.tables import Table, column
from study.outputs.element_names import Names, named, names_of
from study.outputs.labels import value_labels
from study.pipeline import Results
from study.plan.basis import PlanBasis, hourly_store
from study.plan.search import StudyPlan, plan_names

MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PROOF = "highest loading under this plan"
"""Why an hour that the proof added is a point."""

HOURS = Table(
    "plan_hours",
    "Hours of the year that the plan holds in: which, for how many of the year's, and why. The hours that the proof "
    "added stand for themselves.",
    {
        "point": PLAN_HOURS.columns["point"],
        "name_zh": column(str, "", "date, hour and what hour it is"),
        "name_en": column(str, "", "date, hour and what hour it is"),
        "hour": PLAN_HOURS.columns["hour"],
        "begins": column(str, "", "month-day and hour at which it begins, local standard time"),
        "weight_h": PLAN_HOURS.columns["weight_h"],
        "why_zh": column(str, "", "medoid of hours like it, or the extreme that put it in"),
        "why_en": column(str, "", "medoid of hours like it, or the extreme that put it in"),
        "load_share": PLAN_HOURS.columns["load_share"],
        "pv_share": PLAN_HOURS.columns["pv_share"],
        "wind_share": PLAN_HOURS.columns["wind_share"],
    },
)


def plan_words(results: Results, plan: StudyPlan, basis: PlanBasis) -> Names:
    """Names of elements of the network with all measures of the plan and of the staircase, of cases and of hours."""
    problem, stairs = plan.answer.problem, plan.staircase
    words = {**_built_names(stairs.problem, frozenset(stairs.order)), **plan_names(plan)}
    words |= {p.id: (p.case.label_zh or p.id, p.case.label_en or p.id) for p in problem.points}
    words |= _hour_names(hours_table(results, plan, basis, words))
    return words


def _built_names(problem: PlanProblem, measures: frozenset[str]) -> Names:
    """Names in the network with measures; agreements build nothing."""
    config = frozenset(m.id for m in problem.measures if m.id in measures and m.agreement is None)
    return names_of(problem.build(config, problem.points[0].case))


def _hour_names(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Hours by their ids, and by what sentences call them before they have a name."""
    found = {}
    for point, zh, en in table[["point", "name_zh", "name_en"]].itertuples(index=False):
        found[str(point)] = found[f"全年时刻{point}"] = found[f"hour {point} of the year"] = (str(zh), str(en))
    return found


def hours_table(results: Results, plan: StudyPlan, basis: PlanBasis, elements: Names) -> pd.DataFrame:
    """Table :data:`HOURS`: the representative hours and those that the proof added, in the order of the year."""
    if basis.hours is None:
        return HOURS.empty()
    added = [_added(p) for p in plan.answer.problem.points if p.id in plan.extreme_hours]
    table = pd.concat([basis.hours.table, pd.DataFrame(added, columns=list(PLAN_HOURS.columns))]) if added else (
        basis.hours.table.copy()
    )  # fmt: skip
    table = table.sort_values("hour", kind="stable").reset_index(drop=True)
    index = hourly_store(results).index
    begins = [index[hour] for hour in table["hour"].tolist()]
    why = [why_of_hour(str(reason), elements) for reason in table["why"]]
    table["begins"] = [f"{at:%m-%d %H}:00" for at in begins]
    table["why_zh"], table["why_en"] = [zh for zh, _ in why], [en for _, en in why]
    table["name_zh"] = [f"{at.month}月{at.day}日{at.hour}时（{zh}）" for at, (zh, _) in zip(begins, why, strict=True)]
    table["name_en"] = [
        f"{at.day} {MONTHS_EN[at.month - 1]} {at.hour:02d}:00 ({en})" for at, (_, en) in zip(begins, why, strict=True)
    ]
    return HOURS.validate(table[list(HOURS.columns)])


def _added(point: Point) -> tuple[object, ...]:
    shares = {fuel.fuel: fuel.share for fuel in point.case.fuel_shares}
    pv, wind = shares.get("pv", 0.0), shares.get("wind", 0.0)
    return point.id, int(point.id[1:]), point.weight_h, PROOF, point.case.load_share, pv, wind


def why_of_hour(reasons: str, elements: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Reasons of an hour, separated by semicolons, in both languages; elements go by their names."""
    labels = {label.value: (label.label_zh, label.label_en) for label in value_labels("why", "plan_hours")}
    zh, en = [], []
    for reason in reasons.split("; "):
        kind, _, element = reason.partition(" of ")
        label_zh, label_en = labels[kind]
        zh.append(f"{named(element, elements, 'zh')}{label_zh}")
        en.append(f"{label_en} of {named(element, elements, 'en')}" if element else label_en)
    return "；".join(zh), "; ".join(en)
