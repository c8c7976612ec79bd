"""Value functions: truth tables, limits, and breakpoints that are the function."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siting.scoring.value_functions import Linear, Logistic, PointTable, Trapezoid, ValueFunction

NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)


def rising(count: int) -> st.SearchStrategy[list[float]]:
    """``count`` numbers at least 0.01 apart."""
    steps = st.lists(st.floats(0.01, 100), min_size=count - 1, max_size=count - 1)
    return st.tuples(NUMBERS, steps).map(lambda pair: list(np.cumsum([pair[0], *pair[1]])))


FUNCTIONS: st.SearchStrategy[ValueFunction] = st.one_of(
    rising(2).map(lambda x: Linear(*x)),
    rising(2).map(lambda x: Linear(x[1], x[0])),
    rising(4).map(lambda x: Trapezoid(*x)),
    st.builds(Logistic, NUMBERS, st.one_of(st.floats(1e-3, 50), st.floats(-50, -1e-3))),
    rising(5).flatmap(
        lambda x: st.lists(st.floats(0, 1), min_size=5, max_size=5).map(
            lambda y: PointTable(tuple(zip(x, y, strict=True)))
        )
    ),
)

CASES = [
    # function, value, utility by hand
    (Linear(20, 1), 20, 0.0),
    (Linear(20, 1), 1, 1.0),
    (Linear(20, 1), 10.5, 0.5),
    (Linear(20, 1), 30, 0.0),
    (Trapezoid(0, 2, 4, 8), -1, 0.0),
    (Trapezoid(0, 2, 4, 8), 1, 0.5),
    (Trapezoid(0, 2, 4, 8), 3, 1.0),
    (Trapezoid(0, 2, 4, 8), 5, 0.75),
    (Trapezoid(0, 2, 4, 8), 9, 0.0),
    (Trapezoid(0, 2, 2, 8), 2, 1.0),
    (Logistic(5, 2), 5, 0.5),
    (Logistic(5, 2), 6, 1 / (1 + math.exp(-2))),
    (Logistic(5, -2), 6, 1 / (1 + math.exp(2))),
    (Logistic(0, 1), math.log(9), 0.9),
    (Logistic(0, 1), -1e6, 0.0),
    (PointTable(((0, 0.2), (10, 1.0), (20, 0.0))), -5, 0.2),
    (PointTable(((0, 0.2), (10, 1.0), (20, 0.0))), 5, 0.6),
    (PointTable(((0, 0.2), (10, 1.0), (20, 0.0))), 15, 0.5),
    (PointTable(((0, 0.2), (10, 1.0), (20, 0.0))), 99, 0.0),
]


@pytest.mark.parametrize(("function", "value", "utility"), CASES)
def test_utility_by_hand(function: ValueFunction, value: float, utility: float) -> None:
    assert function.faults() == ()
    assert float(function([value])[0]) == pytest.approx(utility, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(function=FUNCTIONS, values=st.lists(NUMBERS, min_size=1, max_size=30))
def test_breakpoints_are_the_function(function: ValueFunction, values: list[float]) -> None:
    """What a raster kernel gets from the breakpoints equals the function: 1e-6 for logistic, else rounding."""
    x, y = function.sample()
    asked = np.concatenate([values, x, (x[1:] + x[:-1]) / 2])
    tolerance = 1e-6 if isinstance(function, Logistic) else 1e-9
    assert np.abs(np.interp(asked, x, y) - function(asked)).max() < tolerance
    assert len(x) == len(y) >= 2
    assert (np.diff(x) > 0).all()
    assert y.min() >= 0
    assert y.max() <= 1


@settings(max_examples=60, deadline=None)
@example(function=Linear(0.0, 0.01), values=[1.7e308, -1.7e308, float("inf")])
@example(function=Logistic(0.0, 50.0), values=[1.7e308, -1.7e308, float("-inf")])
@given(function=FUNCTIONS, values=st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=1, max_size=20))
def test_utility_is_between_0_and_1_and_unknown_stays_unknown(function: ValueFunction, values: list[float]) -> None:
    given_, utility = np.array(values), function(values)
    assert (np.isnan(utility) == np.isnan(given_)).all()
    known = utility[~np.isnan(given_)]
    assert ((known >= 0) & (known <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(worst=NUMBERS, step=st.floats(0.01, 100), x=NUMBERS)
def test_turning_worst_and_best_turns_the_utility(worst: float, step: float, x: float) -> None:
    up, down = Linear(worst, worst + step), Linear(worst + step, worst)
    assert float(up([x])[0] + down([x])[0]) == pytest.approx(1.0, abs=1e-9)


FAULTS = [
    (Linear(1, 1), "same"),
    (Linear(float("nan"), 1), "no numbers"),
    (Trapezoid(0, 0, 1, 2), "do not rise"),
    (Trapezoid(0, 2, 1, 3), "do not rise"),
    (Trapezoid(0, 1, float("inf"), 3), "no number"),
    (Logistic(0, 0), "not 0"),
    (Logistic(float("nan"), 1), "numbers"),
    (PointTable(((0, 1),)), "two points"),
    (PointTable(((0, 0), (0, 1))), "do not rise"),
    (PointTable(((0, 0), (1, 1.5))), "outside 0..1"),
    (PointTable(((0, 0.5), (1, 0.5))), "same utility"),
    (PointTable(((0, 0), (float("nan"), 1))), "no number"),
]


@pytest.mark.parametrize(("function", "words"), FAULTS)
def test_faults_are_named(function: ValueFunction, words: str) -> None:
    assert any(words in fault for fault in function.faults())
