"""Who pays for which measure of a plan: shares by use, site by site."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.plan.agreements import agreement_cny
from grid.plan.explain import measure_use
from layers.tables import Table, column
from study.plan.search import StudyPlan

LEAST_SHARE = 1e-6

PLAN_COST_SHARES = Table(
    "plan_cost_shares",
    "Measures of the plan and the sites that use them: the shares of a measure add up to 1.",
    {
        "measure_id": column(str, "", "measure"),
        "candidate_id": column(str, "", "site that uses it"),
        "name_zh": column(str, "", "label of the site"),
        "name_en": column(str, "", "label of the site"),
        "use_share": column(float, "", "what the site puts on the rows that the measure relieves, by all sites'", ge=0),
        "investment_cny": column(float, "CNY", "share of the investment", ge=0),
        "annual_cost_cny": column(float, "CNY", "share of the yearly cost", ge=0),
    },
)


def cost_shares(table: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    """Table :data:`PLAN_COST_SHARES`, the largest share of a measure first.

    Parameters
    ----------
    table
        Candidates with ``candidate_id``, ``name_zh``, ``name_en``, ``lot`` (row of the problem's lots) and
        ``planned_mw``; the use of a lot is divided by what is built.
    """
    problem, decision = plan.answer.problem, plan.answer.decision
    paid = agreement_cny(problem, decision.called_mw, len(problem.stages) - 1)
    lot, planned = table["lot"].to_numpy(int), table["planned_mw"].to_numpy(float)
    in_lot = np.bincount(lot, planned, len(problem.lots))[lot]
    part = np.divide(planned, in_lot, out=np.zeros(len(table)), where=in_lot > 0)
    found = []
    for row, use in measure_use(plan.answer).items():
        measure = problem.measures[row]
        share = use[lot] * part
        mine = table.loc[share > LEAST_SHARE, ["candidate_id", "name_zh", "name_en"]].copy()
        mine.insert(0, "measure_id", np.full(len(mine), measure.id, dtype=object))
        mine["use_share"] = share[share > LEAST_SHARE] / share[share > LEAST_SHARE].sum()
        mine["investment_cny"] = mine["use_share"] * measure.investment_cny
        mine["annual_cost_cny"] = mine["use_share"] * (measure.cost_cny_per_a + float(paid[row]))
        found.append(mine.sort_values(["use_share", "candidate_id"], ascending=[False, True]))
    if not found:
        return PLAN_COST_SHARES.empty()
    return PLAN_COST_SHARES.validate(pd.concat(found, ignore_index=True))
