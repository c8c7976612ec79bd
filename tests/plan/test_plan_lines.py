"""What a run says of its plan on the command line: the objective's own quantity, not always money."""

from types import SimpleNamespace

import numpy as np
import pytest

from grid.plan.staircase import Step
from study.run_folder.summary import _plan_lines

FIRST = Step((), 900.0, 0.0, 0.0, True)


def plan(objective, *, steps=(FIRST,), bound_cny=np.nan, bound=np.nan, short_mw=0.0):
    problem = SimpleNamespace(
        settings=SimpleNamespace(objective=objective, least_mw=0.0),
        stages=[SimpleNamespace(year=2030)],
        points=range(5),
        targets=[SimpleNamespace(stage=0)],
    )
    decision = SimpleNamespace(
        mw=np.array([[700.0]]),
        storage_mw=np.array([[70.0]]),
        measures=np.array([[True]]),
        missing_mw=np.array([2.0]),
    )
    answer = SimpleNamespace(
        problem=problem, decision=decision, objective_cny=200e6, best_bound_cny=bound_cny, value=700.0, bound=bound,
        gap_percent=0.5, violations=(), seconds=3.2,
    )  # fmt: skip
    greedy = SimpleNamespace(cost_cny=210e6, value=600.0, missing_mw=short_mw)
    return SimpleNamespace(answer=answer, greedy=greedy, staircase=SimpleNamespace(steps=steps))


@pytest.mark.parametrize(
    ("objective", "bounds", "told"),
    [
        ("least_cost", {"bound_cny": 199e6}, "200.0 million CNY/a, bound 199.0, gap 0.50 %, greedy 210.0"),
        ("least_cost", {}, "200.0 million CNY/a, gap 0.50 %, greedy 210.0"),
        ("least_cost", {"short_mw": 40.0}, "200.0 million CNY/a, gap 0.50 %, greedy 210.0 (40 MW short)"),
        (
            "most_mw",
            {"bound": 703.5},
            "700 MW, bound 703.5, gap 0.50 %, greedy 600 (mean of the stages); 200.0 million CNY/a",
        ),
        (
            "most_energy",
            {"bound": 800.0},
            "1 GWh/a, bound 0.8, gap 0.50 %, greedy 1 (mean of the stages); 200.0 million CNY/a",
        ),
        # 200 million by 700 MW, 210 million by 600 MW
        (
            "least_cny_per_mw",
            {},
            "285.7 thousand CNY/a a MW, gap 0.50 %, greedy 350.0; 700 MW, 200.0 million CNY/a",
        ),
    ],
)
def test_the_line_shows_what_is_optimised_with_bound_and_greedy(objective, bounds, told):
    lines = _plan_lines(plan(objective, **bounds))
    assert lines[0] == f"  plan   {told}; 0 AC violations in 5 points; 3 s"
    assert lines[1] == "  plan   2030: 700 MW, 70 MW of storage, 1 measures, 2.0 MW short"


def test_the_last_line_says_what_measures_bring():
    assert _plan_lines(plan("most_mw"))[-1] == "  plan   the network takes 900 MW as it is; no measure brings more"
    more = (FIRST, Step(("a",), 950.0, 30e6, 2e6, True), Step(("b", "c"), 960.0, 20e6, 1e6, True))
    assert _plan_lines(plan("most_mw", steps=more))[-1] == (
        "  plan   the network takes 900 MW as it is, 60 more in 2 steps for 50 million CNY"
    )
    assert _plan_lines(None) == []
