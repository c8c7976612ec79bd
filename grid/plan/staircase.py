"""The staircase: how many GW the network takes for how much money, measure by measure, cheapest step first.

Step 0 is the most grid capacity that passes every row of the firm points (the named cases, as a rule) on the network as
it is, proved by AC. Each further step builds
the measure with the least investment by MW that it unlocks on top of those before it; the choice follows the rows, the
step itself is proved by AC. Agreements (curtailment contracts, demand response) come after all that is built: what they
add is held back or called in the firm points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from grid.plan.contracts import PLAN_STAIRCASE, Stage
from grid.plan.model import Master
from grid.plan.solve import Search, with_measures

LEAST_GAIN_MW = 1.0


@dataclass(frozen=True)
class Step:
    """One step: measure (empty: none), what is deliverable with it and all before it [MW], its investment [CNY]."""

    measure_id: str
    deliverable_mw: float
    investment_cny: float
    proved: bool


def staircase(search: Search, most_steps: int = 12, time_limit_s: float = 60.0) -> list[Step]:
    """Steps of a finished search, in its last stage, without targets, budgets and storage; any search will do."""
    wide = _without_goals(search, time_limit_s)
    clean = wide.clean("staircase", np.zeros((len(wide.problem.measures), 1), dtype=bool), None, None)
    wide = with_measures(wide, clean)
    built = np.zeros((len(wide.problem.measures), 1), dtype=bool)
    problem = wide.problem
    steps = [Step("", clean.solved.quantity, 0.0, not clean.violations)]
    hopeless: set[int] = set()
    opening = {problem.measure_row[name] for name in problem.opening if name in problem.measure_row}
    while len(steps) <= most_steps and wide.left_s > 0:
        found = _next(wide, built, steps[-1].deliverable_mw, hopeless)
        if not found:
            break
        row = found[0]
        if row in opening:
            # no row speaks of the plants at a station before it is built: what it brings is asked of AC, then compared
            opening.remove(row)
            trial = built.copy()
            trial[_with_required(wide, row), 0] = True
            wide.clean("staircase", trial, None, None)
            continue
        built[_with_required(wide, row), 0] = True
        clean = wide.clean("staircase", built, None, None)
        gain = clean.solved.quantity - steps[-1].deliverable_mw
        if gain < LEAST_GAIN_MW:
            hopeless.add(row)
            built[row, 0] = False
            continue
        measure = problem.measures[row]
        steps.append(Step(measure.id, clean.solved.quantity, measure.investment_cny, not clean.violations))
    return steps


def staircase_table(steps: list[Step]) -> pd.DataFrame:
    """Table :data:`grid.plan.contracts.PLAN_STAIRCASE`."""
    spent = np.cumsum([step.investment_cny for step in steps])
    table = pd.DataFrame(
        {
            "step": np.arange(len(steps)),
            "measure_id": [step.measure_id for step in steps],
            "deliverable_gw": [step.deliverable_mw / 1000 for step in steps],
            "grid_cost_cny": spent.astype(float),
            "with_upgrades": [bool(step.measure_id) for step in steps],
        }
    )
    return PLAN_STAIRCASE.validate(table)


def _without_goals(search: Search, time_limit_s: float) -> Search:
    problem = search.problem
    last = problem.stages[-1]
    settings = replace(
        problem.settings,
        objective="most_mw",
        budget_cny_per_a=np.inf,
        grid_budget_cny=np.inf,
        storage_share=0.0,
        time_limit_s=time_limit_s,
        measures_allowed=True,
    )
    measures = tuple(replace(m, first_year=0) for m in problem.measures)
    # firm points decide what is deliverable: in the others plants can be held back
    firm = [h for h, point in enumerate(problem.points) if not point.curtailable] or list(range(len(problem.points)))
    wide = replace(
        problem,
        points=tuple(problem.points[h] for h in firm),
        availability=problem.availability[:, firm],
        stages=(Stage(last.year, 1.0, last.load_factor),),
        targets=(),
        settings=settings,
        storage=None,
        storage_buses=(),
        measures=measures,
    )
    old = list(problem.buses)
    kept = [old.index(bus) for bus in wide.buses]
    # rows that hold without any measure; the others come again when their measures are built
    plain = [c for c in search.cuts if c.load_factor == last.load_factor and not any(n.built for n in c.needs)]
    place = {h: k for k, h in enumerate(firm)}
    cuts = [replace(c, gradient=c.gradient[kept], point=place[c.point]) for c in plain if c.point in place]
    book = search.book.of(wide)
    master = Master(wide)
    master.add_cuts(cuts)
    return Search(wide, master, book, search.progress, cuts=cuts)


def _next(wide: Search, built: np.ndarray, so_far_mw: float, hopeless: set[int]) -> list[int]:
    """Measures that promise a gain by the rows, the cheapest MW first."""
    options: list[tuple[bool, float, int]] = []
    for row, measure in enumerate(wide.problem.measures):
        if built[row, 0] or row in hopeless or _excluded(wide, built, row):
            continue
        trial = built.copy()
        trial[_with_required(wide, row), 0] = True
        gain = wide.master.solve(whole=False, measures=trial).quantity - so_far_mw
        if gain >= LEAST_GAIN_MW:
            options.append((measure.agreement is not None, measure.investment_cny / gain, row))
    return [row for _, _, row in sorted(options)]


def _excluded(wide: Search, built: np.ndarray, row: int) -> bool:
    group = wide.problem.measures[row].exclusive_group
    return bool(group) and any(built[k, 0] and m.exclusive_group == group for k, m in enumerate(wide.problem.measures))


def _with_required(wide: Search, row: int) -> list[int]:
    return [row, *(wide.problem.measure_row[r] for r in wide.problem.measures[row].requires)]
