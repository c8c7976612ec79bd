"""Weighted score of candidates. A missing value makes the score unknown; it never counts as zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError
from siting.scoring.contracts import SCORES, Criterion
from siting.scoring.value_functions import Linear

Floats = npt.NDArray[np.float64]

_WEIGHT_TOLERANCE = 1e-6


def check_criteria(criteria: Sequence[Criterion]) -> list[Finding]:
    """Everything that keeps criteria from being scored: weights, value functions, repeated ids."""
    findings = []
    names = [criterion.id for criterion in criteria]
    for number, criterion in enumerate(criteria):
        if not criterion.weight >= 0:
            findings.append(_finding("weight", criterion.id, criterion.weight, "The weight is negative.", "Use 0 up."))
        for fault in criterion.value_function.faults():
            value = f"{criterion.value_function}"
            remedy = "State two different values." if criterion.function is None else "Correct the parameters."
            findings.append(_finding("value_function", criterion.id, value, f"{fault}.", remedy))
        if criterion.id in names[:number]:
            findings.append(_finding("repeated", criterion.id, criterion.id, "The id is used twice.", "Rename one."))
    total = sum(criterion.weight for criterion in criteria)
    if not abs(total - 1) <= _WEIGHT_TOLERANCE:
        message, remedy = f"The weights add up to {total:g}, not 1.", "Change the weights so that they add up to 1."
        findings.append(_finding("weights", " ".join(names), f"{total:g}", message, remedy))
    return findings


def _finding(rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"criteria.{rule}", "study", "criteria", item, str(value), message, remedy)


def value_function(values: npt.ArrayLike, worst: float, best: float) -> Floats:
    """Linear from 0 at ``worst`` to 1 at ``best`` (which may be the smaller one), clipped; NaN stays NaN."""
    return Linear(worst, best)(values)


def score_candidates(values: pd.DataFrame, criteria: Sequence[Criterion]) -> pd.DataFrame:
    """Score, rank and missing criteria of every candidate (:data:`siting.scoring.contracts.SCORES`).

    Parameters
    ----------
    values
        Follows :data:`siting.scoring.contracts.CRITERION_VALUES`.
    criteria
        Weights must add up to 1.

    Raises
    ------
    InputError
        With every finding of :func:`check_criteria`, such as weights that do not add up to 1.

    Notes
    -----
    ``score = sum_c w_c u_c``. Criteria of weight 0 do not count as missing. Ties rank by candidate id.
    """
    findings = check_criteria(criteria)
    if findings:
        raise InputError(findings)
    weights = np.array([criterion.weight for criterion in criteria])
    ids, utility = utilities(values, criteria)
    counted = weights > 0
    score = utility[:, counted] @ weights[counted]
    names = np.array([criterion.id for criterion in criteria], dtype=object)
    missing = [" ".join(names[counted & np.isnan(row)]) for row in utility]
    table = pd.DataFrame({"candidate_id": ids, "score": np.clip(score, 0, 1), "missing": missing})
    table = table.astype({"candidate_id": object, "missing": object})
    table.insert(2, "rank", ranks(table["score"].to_numpy(), ids))
    return SCORES.validate(table)


def explained_scores(values: pd.DataFrame, criteria: Sequence[Criterion], scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with what they are made of, one row a candidate, best first, unknown scores last.

    Beside the columns of :data:`siting.scoring.contracts.SCORES` there are ``<criterion>_value`` in the criterion's
    own unit and ``<criterion>_utility`` 0..1, NaN where not known; ``score = sum(weight * utility)``.
    """
    ids, utility = utilities(values, criteria)
    wide = values.pivot(index="candidate_id", columns="criterion", values="value").reindex(ids)
    columns: dict[str, Floats] = {}
    for number, criterion in enumerate(criteria):
        columns[f"{criterion.id}_value"] = wide[criterion.id].to_numpy(float) if len(wide) else np.empty(0)
        columns[f"{criterion.id}_utility"] = utility[:, number]
    made_of = pd.DataFrame(columns, index=pd.Index(ids, name="candidate_id"))
    table = scores.sort_values(["rank", "candidate_id"], na_position="last", kind="stable", ignore_index=True)
    return table.join(made_of, on="candidate_id")


def utilities(values: pd.DataFrame, criteria: Sequence[Criterion]) -> tuple[npt.NDArray[np.object_], Floats]:
    """(candidate ids, utilities of shape (candidates, criteria)), candidates sorted by id."""
    wide = values.pivot(index="candidate_id", columns="criterion", values="value").sort_index()
    if wide.empty:
        return np.empty(0, object), np.zeros((0, len(criteria)))
    columns = [c.value_function(wide[c.id].to_numpy(float)) for c in criteria]
    return wide.index.to_numpy(object), np.stack(columns, axis=1) if columns else np.zeros((len(wide), 0))


def ranks(score: Floats, ids: npt.NDArray[np.object_]) -> Floats:
    """Rank from 1 (best); NaN where the score is unknown; ties by id."""
    result = np.full(len(score), np.nan)
    known = np.flatnonzero(~np.isnan(score))
    order = known[np.lexsort((ids[known].astype(str), -np.round(score[known], 12)))]
    result[order] = np.arange(1, len(order) + 1)
    return result
