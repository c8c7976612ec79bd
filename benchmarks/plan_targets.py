"""The plan against its own bounds: LP bound <= mixed-integer plan <= greedy plan, on the built-in study of Bozhou.

Run: python benchmarks/plan_targets.py [NEW_MW_2030]. Runs the study's stages from its cache, then searches plans of
growing targets, prints cost, bound, gap, time, AC violations, and the greedy plan with the same rows. Fails where a
bound is above a plan, a plan above a greedy one that reaches as much, or AC finds a broken limit.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from study.plan.measures import MeasureBook
from study.plan.search import compute_year_of_plan, make_plan, plan_problem
from study.run import open_results
from study.schema.outputs import QuotaEntry
from study.study_file import find_study, read_study


def main(goals: list[float]) -> None:
    study = read_study(find_study("bozhou"))
    results = open_results(study)
    basis = results.get("plan_basis")
    for goal in goals:
        quotas = tuple(
            QuotaEntry(year=y, least_mw=goal * part, source="benchmark") for y, part in ((2025, 0.7), (2030, 1.0))
        )
        file = study.file.model_copy(update={"plan": study.file.plan.model_copy(update={"quotas": quotas})})
        book = MeasureBook(results.get("network"), file.plan)
        problem = plan_problem(file, basis, book)
        year = compute_year_of_plan(results, basis, replace(problem))
        plan = make_plan(problem, book, basis, year=year)
        answer, greedy = plan.answer, plan.greedy
        missing = float(answer.decision.missing_mw.sum())
        print(
            f"{goal:7.0f} MW: {answer.objective_cny / 1e6:9.1f} million CNY/a, "
            f"bound {answer.best_bound_cny / 1e6:9.1f}, "
            f"gap {answer.gap_percent:.2f} %, {answer.seconds:.0f} s, {missing:.1f} MW missing, "
            f"{int(answer.decision.measures.any(axis=1).sum())} measures, {len(answer.violations)} AC violations; "
            f"greedy {greedy.cost_cny / 1e6:9.1f} with {greedy.missing_mw:.1f} MW missing"
        )
        assert not answer.violations
        assert answer.best_bound_cny <= answer.objective_cny * (1 + 1e-9)
        if greedy.missing_mw <= missing + 0.01:
            assert answer.objective_cny <= greedy.cost_cny * (1 + answer.gap_percent / 100 + 1e-6)


if __name__ == "__main__":
    main([float(a) for a in sys.argv[1:]] or [3900.0, 6000.0, 9000.0])
