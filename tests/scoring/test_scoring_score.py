"""The score itself: sums by hand, and the trap of a missing value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siting.scoring.contracts import Criterion
from siting.scoring.score import explained_scores, score_candidates
from siting.scoring.value_functions import Logistic, PointTable, Trapezoid


def values_of(**columns: list[float]) -> pd.DataFrame:
    rows = [(f"k{n}", name, v) for name, column in columns.items() for n, v in enumerate(column)]
    return pd.DataFrame(rows, columns=["candidate_id", "criterion", "value"])


def test_trap_missing_criterion_value_is_not_a_lower_score() -> None:
    """A sum that skips NaN gives a row with one of two halves missing 0.4 instead of 0.8, and ranks it below 0.5.
    Here it is unknown, named, and without a rank."""
    criteria = [Criterion("a", "", "", 0.5, "", 0.0, 1.0), Criterion("b", "", "", 0.5, "", 0.0, 1.0)]
    table = score_candidates(values_of(a=[0.8, 0.8, 0.5], b=[0.8, np.nan, 0.5]), criteria).set_index("candidate_id")
    assert table.at["k0", "score"] == pytest.approx(0.8)
    assert np.isnan(table.at["k1", "score"])
    assert np.isnan(table.at["k1", "rank"])
    assert table.at["k1", "missing"] == "b"
    assert table.loc[["k0", "k2"], "rank"].tolist() == [1, 2]


def test_score_with_every_kind_of_value_function() -> None:
    """0.2 x 0.25 (linear 5 of 0..20) + 0.3 x 0.5 (logistic at its midpoint) + 0.4 x 1 (top of the trapezoid)
    + 0.1 x 0.9 (table half way from 1 to 0.8) = 0.05 + 0.15 + 0.4 + 0.09 = 0.69."""
    criteria = [
        Criterion("l", "", "", 0.2, "", 0.0, 20.0),
        Criterion("g", "", "", 0.3, "", function=Logistic(7.0, -3.0)),
        Criterion("t", "", "", 0.4, "", function=Trapezoid(0, 1, 2, 3)),
        Criterion("p", "", "", 0.1, "", function=PointTable(((0, 1), (10, 0.8)))),
    ]
    table = score_candidates(values_of(l=[5.0], g=[7.0], t=[1.5], p=[5.0]), criteria)
    assert table["score"].tolist() == pytest.approx([0.69])


def test_scores_say_what_they_are_made_of() -> None:
    """Best first; the unknown one last, with what is known of it; the sum of weight x utility is the score."""
    criteria = [Criterion("a", "", "", 0.75, "", 10.0, 0.0), Criterion("b", "", "", 0.25, "", 0.0, 1.0)]
    values = values_of(a=[5.0, 2.0, 8.0], b=[1.0, 0.4, np.nan])
    table = explained_scores(values, criteria, score_candidates(values, criteria))
    assert table["candidate_id"].tolist() == ["k1", "k0", "k2"]
    assert table["a_value"].tolist() == [2.0, 5.0, 8.0]
    assert table["a_utility"].tolist() == pytest.approx([0.8, 0.5, 0.2])
    made = 0.75 * table["a_utility"] + 0.25 * table["b_utility"]
    assert made.head(2).tolist() == pytest.approx(table["score"].head(2).tolist())
    assert table.loc[2, "missing"] == "b"
    assert np.isnan(table.loc[2, "b_utility"])
    empty = explained_scores(values.iloc[:0], criteria, score_candidates(values.iloc[:0], criteria))
    assert empty.empty
    assert list(empty.columns) == list(table.columns)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=12), st.integers(0, 2), st.floats(0, 3))
def test_a_better_value_never_lowers_a_score(rows: list[tuple[float, ...]], which: int, more: float) -> None:
    criteria = [Criterion(n, "", "", w, "", -2.0, 2.0) for n, w in (("a", 0.5), ("b", 0.3), ("c", 0.2))]
    columns = {n: [row[i] for row in rows] for i, n in enumerate("abc")}
    before = score_candidates(values_of(**columns), criteria).set_index("candidate_id")
    columns["abc"[which]][0] += more
    after = score_candidates(values_of(**columns), criteria).set_index("candidate_id")
    assert after.at["k0", "score"] >= before.at["k0", "score"]
    assert after.at["k0", "rank"] <= before.at["k0", "rank"]
    assert after["score"].drop("k0").equals(before["score"].drop("k0"))
