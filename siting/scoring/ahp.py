"""Weights from pairwise comparisons: Saaty's analytic hierarchy process (AHP).

``a_ij`` says how many times as important criterion i is as criterion j, usually 1 to 9 or one over these. The weights
are the principal eigenvector, scaled to a sum of 1. How far the comparisons contradict one another is the consistency
ratio; above 0.1 they are refused, and the pair that fits worst is named with the value that would fit.

References
----------
T. L. Saaty, The Analytic Hierarchy Process, McGraw-Hill, 1980; Notices of the AMS 60(2), 2013, 192-208
(doi 10.1090/noti944).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, InputError

Floats = npt.NDArray[np.float64]

ALLOWED_RATIO = 0.1
"""Greatest consistency ratio that is accepted (Saaty 1980)."""
SCALE = (1, 9)
"""Least and greatest strength of Saaty's scale; beyond it a comparison is refused as a slip of the pen."""

_RANDOM_INDEX = Path(__file__).parent / "ahp_random_index.csv"
_RECIPROCAL_TOLERANCE = 0.02
"""``a_ij a_ji`` may be off 1 by this much, so that 0.33 may stand for a third."""


@dataclass(frozen=True)
class Pair:
    """One comparison: ``first`` is ``value`` times as important as ``second``; ``fitting`` is what the weights say,
    ``ratio_then`` the consistency ratio if the fitting value replaced it."""

    first: str
    second: str
    value: float
    fitting: float
    ratio_then: float


@dataclass(frozen=True)
class Ahp:
    """Weights (sum 1) in the order of ``criteria``, and how consistent the comparisons are.

    ``worst`` is the pair with the largest ``|log(a_ij w_j / w_i)|``; None where every pair fits exactly.
    """

    criteria: tuple[str, ...]
    weights: tuple[float, ...]
    lambda_max: float
    consistency_index: float
    consistency_ratio: float
    worst: Pair | None


@cache
def random_index() -> dict[int, float]:
    """Mean consistency index of random reciprocal matrices by size, from ``siting/scoring/ahp_random_index.csv``."""
    with _RANDOM_INDEX.open(encoding="utf-8", newline="") as stream:
        return {int(row["n"]): float(row["random_index"]) for row in csv.DictReader(stream)}


def ahp_weights(criteria: Sequence[str], matrix: npt.ArrayLike, *, file: str = "study") -> Ahp:
    """Weights of ``criteria`` from the pairwise comparisons ``matrix``.

    Parameters
    ----------
    criteria : sequence of str
        Ids, in the order of rows and columns; 1 to 15 of them.
    matrix : array-like, shape (n, n)
        Positive, ones on the diagonal, ``a_ji = 1 / a_ij`` (within 2 %; the upper triangle is what counts).
    file : str
        Named in findings.

    Raises
    ------
    InputError
        With every fault of the matrix, or naming the worst pair where the consistency ratio exceeds 0.1.

    Notes
    -----
    ``CI = (lambda_max - n) / (n - 1)``, ``CR = CI / RI(n)``; CR is 0 for one or two criteria, which cannot contradict
    themselves.
    """
    findings = check_matrix(criteria, matrix, file=file)
    if findings:
        raise InputError(findings)
    result = solve(criteria, _reciprocal(np.asarray(matrix, float)))
    findings = check_consistency(result, file=file)
    if findings:
        raise InputError(findings)
    return result


def solve(criteria: Sequence[str], matrix: Floats) -> Ahp:
    """Weights and consistency of a sound reciprocal matrix, whatever the consistency is."""
    number = len(criteria)
    weights, largest = principal_eigenvector(matrix)
    index = max(0.0, (largest - number) / (number - 1)) if number > 2 else 0.0
    ratio = index / random_index()[number] if number > 2 else 0.0
    worst = _worst_pair(criteria, matrix, weights)
    return Ahp(tuple(criteria), tuple(weights.tolist()), largest, index, ratio, worst)


def principal_eigenvector(matrix: Floats) -> tuple[Floats, float]:
    """(eigenvector of the largest eigenvalue scaled to a sum of 1, that eigenvalue) of a positive matrix.

    By Perron and Frobenius it is real, simple and positive.
    """
    values, vectors = np.linalg.eig(matrix)
    number = int(np.argmax(values.real))
    vector = np.abs(vectors[:, number].real)
    return np.asarray(vector / vector.sum(), float), float(values[number].real)


def check_matrix(criteria: Sequence[str], matrix: npt.ArrayLike, *, file: str = "study") -> list[Finding]:
    """Everything that keeps a matrix from being pairwise comparisons: shape, signs, diagonal, reciprocals, scale."""
    number = len(criteria)
    known = random_index()
    if number not in known:
        message = f"there are {number} criteria; Saaty's random indices go from 1 to {max(known)}."
        return [_finding(file, "size", "criteria", number, message, "Group the criteria.")]
    try:
        given = np.asarray(matrix, float)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.shape != (number, number):
        message = f"the matrix must have {number} rows of {number} numbers, one for each criterion."
        return [_finding(file, "shape", "matrix", str(given.shape), message, f"Order: {', '.join(criteria)}.")]
    found = []
    for i, j in combinations(range(number), 2):
        found += _pair_faults(file, criteria[i], criteria[j], float(given[i, j]), float(given[j, i]))
    for i in range(number):
        if not abs(given[i, i] - 1) < 1e-9:
            message, item = "a criterion is not once as important as itself.", f"{criteria[i]}/{criteria[i]}"
            found.append(_finding(file, "diagonal", item, f"{given[i, i]:g}", message, "Write 1."))
    return found


def _pair_faults(file: str, first: str, second: str, there: float, back: float) -> list[Finding]:
    item = f"{first}/{second}"
    if not (np.isfinite([there, back]).all() and there > 0 and back > 0):
        value = f"{there:g} and {back:g}"
        return [_finding(file, "sign", item, value, "a comparison is not a positive number.", "Use 1/9 to 9.")]
    found = []
    if not SCALE[0] / SCALE[1] * 0.98 <= there <= SCALE[1] * 1.02:
        message = "the comparison lies outside Saaty's scale."
        found.append(_finding(file, "scale", item, f"{there:g}", message, "Use 1/9 to 9."))
    if abs(there * back - 1) > _RECIPROCAL_TOLERANCE:
        message = f"the way back {second}/{first} is {back:g}, not {as_comparison(1 / there)}."
        remedy = f"Write {1 / there:.6g} there, or state comparisons, which need one direction only."
        found.append(_finding(file, "reciprocal", item, f"{there:g}", message, remedy))
    return found


def check_consistency(result: Ahp, *, file: str = "study") -> list[Finding]:
    """The finding that refuses comparisons whose consistency ratio exceeds 0.1; empty where it does not."""
    if result.consistency_ratio <= ALLOWED_RATIO or result.worst is None:
        return []
    pair = result.worst
    message = (
        f"the comparisons contradict one another: consistency ratio {result.consistency_ratio:.3f} is above "
        f"{ALLOWED_RATIO:g}. Worst pair {pair.first}/{pair.second}: stated {as_comparison(pair.value)}, "
        f"the weights say {as_comparison(pair.fitting)}."
    )
    remedy = (
        f"Set {pair.first}/{pair.second} = {pair.fitting:.3g}, which makes the ratio {pair.ratio_then:.3f}, "
        "or look at the pairs around it again."
    )
    item = f"{pair.first}/{pair.second}"
    return [_finding(file, "consistency", item, as_comparison(pair.value), message, remedy)]


def matrix_of(
    criteria: Sequence[str], comparisons: Mapping[str, float], *, file: str = "study"
) -> tuple[Floats, list[Finding]]:
    """Reciprocal matrix out of comparisons such as ``{"cost/station": 3}``, and every fault of them.

    Each pair must stand once, in either direction. The matrix holds ones for pairs that are not sound.
    """
    matrix = np.ones((len(criteria), len(criteria)))
    place = {name: number for number, name in enumerate(criteria)}
    found: list[Finding] = []
    seen: dict[frozenset[str], str] = {}
    for text, value in comparisons.items():
        first, _, second = text.partition("/")
        if first not in place or second not in place or first == second:
            remedy = f"Write first/second with two of {', '.join(criteria)}."
            found.append(_finding(file, "pair", text, value, "this is not a pair of criteria.", remedy))
            continue
        pair = frozenset((first, second))
        if pair in seen:
            message = f"the pair stands twice, also as {seen[pair]}."
            found.append(_finding(file, "repeated", text, value, message, "Keep one."))
            continue
        seen[pair] = text
        faults = _pair_faults(file, first, second, value, 1 / value if value else 0.0)
        found += faults
        if not faults:
            matrix[place[first], place[second]], matrix[place[second], place[first]] = value, 1 / value
    lacking = [f"{a}/{b}" for a, b in combinations(criteria, 2) if frozenset((a, b)) not in seen]
    if lacking:
        message = f"{len(lacking)} pair(s) are not compared."
        found.append(_finding(file, "missing", "comparisons", " ".join(lacking), message, "Compare every pair once."))
    return matrix, found


def as_comparison(value: float) -> str:
    """A comparison as people write it: ``3``, ``2.6``, ``1/4``, ``1/2.6``."""
    return f"{value:.3g}" if value >= 1 else f"1/{1 / value:.3g}"


def _reciprocal(matrix: Floats) -> Floats:
    """The upper triangle as it is, the lower one as its exact reciprocals."""
    upper = np.triu(matrix, 1)
    return np.asarray(upper + np.eye(len(matrix)) + np.tril(1 / matrix.T, -1), float)


def _worst_pair(criteria: Sequence[str], matrix: Floats, weights: Floats) -> Pair | None:
    """The pair that is farthest from the ratio of its weights; the first one at a tie."""
    misfit = np.triu(np.abs(np.log(matrix * weights[None, :] / weights[:, None])), 1)
    if misfit.size == 0 or misfit.max() < 1e-9:
        return None
    i, j = divmod(int(np.argmax(np.round(misfit, 12))), len(criteria))
    fitting = float(weights[i] / weights[j])
    mended = matrix.copy()
    mended[i, j], mended[j, i] = fitting, 1 / fitting
    number = len(criteria)
    index = (principal_eigenvector(mended)[1] - number) / (number - 1)
    then = max(0.0, index) / random_index()[number] if number > 2 else 0.0
    return Pair(criteria[i], criteria[j], float(matrix[i, j]), fitting, then)


def _finding(file: str, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"ahp.{rule}", file, "ahp", item, str(value), message, remedy)
