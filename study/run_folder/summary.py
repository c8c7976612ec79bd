"""What a finished run says on the command line."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd

from layers.contracts import Finding
from study.network.year import Year
from study.plan.search import StudyPlan
from study.plan.target_table import below_floor_mw
from study.run import Run


def summary(run: Run) -> str:
    """A few lines: where the map and the lists are, what land and network gave, how each case ended."""
    assert run.folder is not None
    judged, flow = run.results.get("verdicts"), run.results.get("load_flow")
    candidates = run.results.get("sites").candidates
    accepted = judged.verdicts["accepted_mw"].sum()
    cached = sum(report.from_cache for report in run.results.reports.values())
    lines = [
        f"{run.study}: run {run.run_id} ({cached} of {len(run.results.reports)} stages from the cache)",
        f"  map    {_shown(run.folder / 'site_map.html')}",
        f"  list   {_shown(run.folder / 'projects.xlsx')} (also csv, gpkg, geojson)",
        f"  land   {len(candidates)} candidates, {candidates['capacity_mw'].sum():,.0f} MW",
        f"  grid   {accepted:,.0f} MW accepted by AC load flow: {_verdicts(judged.verdicts)}",
    ]
    lines += [_case_line(row) for row in flow.load_flow.to_dict("records")]
    lines += _year_lines(run.results.get("year"))
    lines += _plan_lines(run.results.get("plan"))
    lines += [f"  alarm  {finding.message} {finding.remedy}" for finding in _yield_alarms(run)]
    return "\n".join(lines)


def next_steps(run: Run) -> str:
    """What to open and what to try next, Chinese then English; the sentences are in ``next_steps.csv``."""
    assert run.folder is not None
    places = {
        "map": _shown(run.folder / "site_map.html"),
        "list": _shown(run.folder / "projects.xlsx"),
        "run": _shown(run.folder.parent / "latest"),
    }
    with Path(__file__).with_name("next_steps.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    told = [[f"  {row[language].format(**places)}" for row in rows] for language in ("zh", "en")]
    return "\n".join(["接下来：", *told[0], "", "Next:", *told[1]])


def _yield_alarms(run: Run) -> list[Finding]:
    """Implausible yields: they do not stop a run, but nobody should miss them."""
    return [f for f in run.results.stage_findings() if f.severity == "warning" and f.rule.startswith("yield.")]


def _year_lines(year: Year) -> list[str]:
    """The year of hours in a line."""
    if year.result is None:
        return []
    counts, hours = year.result.counts, year.result.hours
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    above = int((hours["overloads"] > 0).sum())
    lowest, highest = hours["vm_min_pu"].min(), hours["vm_max_pu"].max()
    return [f"  year   {told}; {above} hours with a branch above its rating, {lowest:.3f}..{highest:.3f} pu"]


def _plan_lines(plan: StudyPlan | None) -> list[str]:
    """What is optimised with its bound and the greedy plan's, proof, every stage and the staircase in a line."""
    if plan is None:
        return []
    answer, problem = plan.answer, plan.answer.problem
    lines = [
        f"  plan   {_optimised(plan)}; {len(answer.violations)} AC violations in {len(problem.points)} points; "
        f"{answer.seconds:.0f} s"
    ]
    for s, stage in enumerate(problem.stages):
        missing = sum(answer.decision.missing_mw[t] for t, one in enumerate(problem.targets) if one.stage == s)
        missing += below_floor_mw(problem, answer.decision) if s == len(problem.stages) - 1 else 0.0
        lines.append(
            f"  plan   {stage.year}: {answer.decision.mw[:, s].sum():,.0f} MW, "
            f"{answer.decision.storage_mw[:, s].sum():,.0f} MW of storage, "
            f"{answer.decision.measures[:, s].sum()} measures, {missing:,.1f} MW short"
        )
    return [*lines, _stairs_line(plan)]


def _optimised(plan: StudyPlan) -> str:
    """The objective's own quantity beside its bound and the greedy plan's; where cost is not it, the cost too."""
    answer, greedy = plan.answer, plan.greedy
    kind, cost = answer.problem.settings.objective, f"{answer.objective_cny / 1e6:,.1f} million CNY/a"
    gap = f"gap {answer.gap_percent:.2f} %"
    short = f" ({greedy.missing_mw:,.0f} MW short)" if greedy.missing_mw >= 1 else ""
    if kind == "least_cost":
        return f"{cost}{_bound(answer.best_bound_cny / 1e6)}, {gap}, greedy {greedy.cost_cny / 1e6:,.1f}{short}"
    if kind == "least_cny_per_mw":
        by_mw = [one / max(mw, 1e-9) / 1e3 for one, mw in ((answer.objective_cny, answer.value),
                                                           (greedy.cost_cny, greedy.value))]  # fmt: skip
        return (
            f"{by_mw[0]:,.1f} thousand CNY/a a MW, {gap}, greedy {by_mw[1]:,.1f}{short}; {answer.value:,.0f} MW, {cost}"
        )
    scale, unit = (1e3, "GWh/a") if kind == "most_energy" else (1.0, "MW")
    most = f"{answer.value / scale:,.0f} {unit}{_bound(answer.bound / scale)}, {gap}"
    return f"{most}, greedy {greedy.value / scale:,.0f}{short} (mean of the stages); {cost}"


def _bound(value: float) -> str:
    return f", bound {value:,.1f}" if math.isfinite(value) else ""


def _stairs_line(plan: StudyPlan) -> str:
    """What the network takes without and with all steps of the staircase."""
    first, last = plan.staircase.steps[0], plan.staircase.steps[-1]
    spent = sum(step.investment_cny for step in plan.staircase.steps)
    line = f"  plan   the network takes {first.deliverable_mw:,.0f} MW as it is"
    if last is first:
        return f"{line}; no measure brings more"
    more = last.deliverable_mw - first.deliverable_mw
    return f"{line}, {more:,.0f} more in {len(plan.staircase.steps) - 1} steps for {spent / 1e6:,.0f} million CNY"


def _case_line(row: dict[str, Any]) -> str:
    """One case in a line: how it ended, its state, its outages."""
    state = "losses {losses_mw:.1f} MW, {vm_min_pu:.3f}..{vm_max_pu:.3f} pu, at most {loading_max_percent:.0f} %"
    ends = "{n_1_solved} solved, {n_1_split} split, {n_1_diverged} diverged, {n_1_overloaded} overloaded"
    outages = f"N-1 {row['n_1_outages']}: {ends.format(**row)}"
    return f"  case   {row['case']}: {row['status']}, {state.format(**row)}; {outages}"


def _verdicts(verdicts: pd.DataFrame) -> str:
    counts = verdicts["verdict"].value_counts()
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _shown(path: Path) -> str:
    """Path relative to the working folder where that is shorter."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
