"""Weights from pairwise comparisons: closed forms, a published example, and refusals that say what would fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import InputError
from siting.scoring.ahp import ahp_weights, as_comparison, check_matrix, matrix_of, random_index, solve

ABC = ("a", "b", "c")


def test_one_and_two_criteria() -> None:
    """n = 1: all weight. n = 2 with 3: (3, 1) / 4, always consistent."""
    assert ahp_weights(["a"], [[1.0]]).weights == (1.0,)
    two = ahp_weights(["a", "b"], [[1, 3], [1 / 3, 1]])
    assert two.weights == pytest.approx((0.75, 0.25))
    assert (two.consistency_ratio, two.worst) == (0.0, None)


@settings(max_examples=80, deadline=None)
@given(weights=st.lists(st.floats(0.05, 0.4), min_size=2, max_size=9))
def test_consistent_comparisons_give_their_weights_back(weights: list[float]) -> None:
    """``a_ij = w_i / w_j`` has the eigenvector w and lambda = n."""
    w = np.array(weights) / sum(weights)
    result = ahp_weights([f"c{k}" for k in range(len(w))], w[:, None] / w[None, :])
    assert result.weights == pytest.approx(tuple(w), rel=1e-9)
    assert result.lambda_max == pytest.approx(len(w))
    assert result.consistency_ratio == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(p=st.floats(0.2, 9), q=st.floats(0.2, 9), r=st.floats(0.2, 9))
def test_three_criteria_in_closed_form(p: float, q: float, r: float) -> None:
    """For n = 3 the eigenvector is the geometric mean of the rows, and lambda = 1 + t + 1/t with
    ``t = (a_13 / (a_12 a_23))**(1/3)``."""
    matrix = np.array([[1, p, q], [1 / p, 1, r], [1 / q, 1 / r, 1]])
    result = solve(ABC, matrix)
    rows = matrix.prod(axis=1) ** (1 / 3)
    assert result.weights == pytest.approx(tuple(rows / rows.sum()), rel=1e-9)
    t = (q / (p * r)) ** (1 / 3)
    assert result.lambda_max == pytest.approx(1 + t + 1 / t, rel=1e-9)
    assert result.consistency_ratio == pytest.approx((t + 1 / t - 2) / 2 / 0.58, abs=1e-7)


def test_saatys_drinks() -> None:
    """Saaty's example of what people drink (Notices of the AMS 60(2), 2013; Int. J. Services Sciences 1(1), 2008):
    weights to three decimals and the consistency ratio 0.022 as published."""
    drinks = ("coffee", "wine", "tea", "beer", "sodas", "milk", "water")
    upper = {
        (0, 1): 9, (0, 2): 5, (0, 3): 2, (0, 4): 1, (0, 5): 1, (0, 6): 1 / 2,
        (1, 2): 1 / 3, (1, 3): 1 / 9, (1, 4): 1 / 9, (1, 5): 1 / 9, (1, 6): 1 / 9,
        (2, 3): 1 / 3, (2, 4): 1 / 4, (2, 5): 1 / 3, (2, 6): 1 / 9,
        (3, 4): 1 / 2, (3, 5): 1, (3, 6): 1 / 3, (4, 5): 2, (4, 6): 1 / 2, (5, 6): 1 / 3,
    }  # fmt: skip
    matrix = np.eye(7)
    for (i, j), value in upper.items():
        matrix[i, j], matrix[j, i] = value, 1 / value
    result = ahp_weights(drinks, matrix)
    published = (0.177, 0.019, 0.042, 0.116, 0.190, 0.129, 0.327)
    assert result.weights == pytest.approx(published, abs=6e-4)
    assert result.consistency_ratio == pytest.approx(0.022, abs=5e-4)


def test_contradiction_is_refused_and_the_worst_pair_named() -> None:
    """a = 2 b = 4 c, but a/d contradicts: 1/5 where the others say about 8. The remedy mends it."""
    names = ("a", "b", "c", "d")
    comparisons = {"a/b": 2, "b/c": 2, "c/d": 2, "a/c": 4, "b/d": 4, "a/d": 1 / 5}
    matrix, faults = matrix_of(names, comparisons)
    assert faults == []
    with pytest.raises(InputError) as caught:
        ahp_weights(names, matrix)
    (finding,) = caught.value.findings
    assert (finding.rule, finding.item, finding.value) == ("ahp.consistency", "a/d", "1/5")
    assert "above 0.1" in finding.message
    worst = solve(names, matrix).worst
    assert worst is not None
    mended, _ = matrix_of(names, {**comparisons, "a/d": worst.fitting})
    assert solve(names, mended).consistency_ratio == pytest.approx(worst.ratio_then, abs=1e-9)
    assert f"{worst.ratio_then:.3f}" in finding.remedy
    repeated = {**comparisons, "a/d": 8.0}
    assert solve(names, matrix_of(names, repeated)[0]).consistency_ratio == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(0.1, 0.3), min_size=4, max_size=7),
    factor=st.floats(6, 9),
    data=st.data(),
)
def test_one_planted_contradiction_is_the_pair_that_is_named(weights: list[float], factor: float, data) -> None:
    """In consistent comparisons one pair is made ``factor`` times too large: it fits worst, and mending it helps."""
    w = np.array(weights)
    i, j = data.draw(st.sampled_from([(a, b) for a in range(len(w)) for b in range(a + 1, len(w))]))
    matrix = w[:, None] / w[None, :]
    matrix[i, j] *= factor
    matrix[j, i] = 1 / matrix[i, j]
    names = [f"c{k}" for k in range(len(w))]
    result = solve(names, matrix)
    assert result.worst is not None
    assert (result.worst.first, result.worst.second) == (names[i], names[j])
    assert result.worst.ratio_then < result.consistency_ratio


FAULTS = [
    ([[1, 2], [0.5, 1]], "ahp.shape"),
    ([[1, 2, 3], [0.5, 1]], "ahp.shape"),
    ([[1, -2, 1], [-0.5, 1, 1], [1, 1, 1]], "ahp.sign"),
    ([[1, float("nan"), 1], [0.5, 1, 1], [1, 1, 1]], "ahp.sign"),
    ([[1, 2, 1], [0.4, 1, 1], [1, 1, 1]], "ahp.reciprocal"),
    ([[1, 20, 1], [0.05, 1, 1], [1, 1, 1]], "ahp.scale"),
    ([[2, 1, 1], [1, 1, 1], [1, 1, 1]], "ahp.diagonal"),
]


@pytest.mark.parametrize(("matrix", "rule"), FAULTS)
def test_faults_of_the_matrix(matrix, rule: str) -> None:
    assert [f.rule for f in check_matrix(ABC, matrix)] == [rule]
    with pytest.raises(InputError):
        ahp_weights(ABC, matrix)


def test_a_third_may_be_written_with_two_digits() -> None:
    assert ahp_weights(["a", "b"], [[1, 3], [0.33, 1]]).weights == pytest.approx((0.75, 0.25))


def test_faults_of_the_comparisons_all_at_once() -> None:
    _, found = matrix_of(ABC, {"a/b": 3, "b/a": 0.5, "a/x": 2, "a/a": 1, "b/c": -1})
    assert sorted(f.rule for f in found) == ["ahp.missing", "ahp.pair", "ahp.pair", "ahp.repeated", "ahp.sign"]
    assert [f.value for f in found if f.rule == "ahp.missing"] == ["a/c"]


def test_too_many_criteria() -> None:
    names = [f"c{k}" for k in range(16)]
    assert [f.rule for f in check_matrix(names, np.ones((16, 16)))] == ["ahp.size"]


def test_random_indices_are_those_of_random_matrices() -> None:
    """Saaty's figures are means over random reciprocal matrices on his scale; 4 000 of our own come within 0.06."""
    rng = np.random.default_rng(1)
    scale = np.array([*range(1, 10), *(1 / k for k in range(2, 10))])
    for n in (3, 5, 8):
        index = []
        for _ in range(1500):
            upper = np.triu(rng.choice(scale, (n, n)), 1)
            with np.errstate(divide="ignore"):
                matrix = upper + np.eye(n) + np.tril(1 / upper.T, -1)
            index.append((np.linalg.eigvals(matrix).real.max() - n) / (n - 1))
        assert np.mean(index) == pytest.approx(random_index()[n], abs=0.06)


def test_comparisons_read_like_people_write_them() -> None:
    assert [as_comparison(v) for v in (3, 2.6, 0.25, 1)] == ["3", "2.6", "1/4", "1"]
