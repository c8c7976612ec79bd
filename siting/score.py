"""Weighted score of candidates. A missing value makes the score unknown; it never counts as zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from siting.contracts import SCORES, Criterion

Floats = npt.NDArray[np.float64]


def value_function(values: npt.ArrayLike, worst: float, best: float) -> Floats:
    """Linear from 0 at ``worst`` to 1 at ``best`` (which may be the smaller one), clipped; NaN stays NaN."""
    return np.clip((np.asarray(values, float) - worst) / (best - worst), 0.0, 1.0)


def score_candidates(values: pd.DataFrame, criteria: Sequence[Criterion]) -> pd.DataFrame:
    """Score, rank and missing criteria of every candidate (:data:`siting.contracts.SCORES`).

    Parameters
    ----------
    values
        Follows :data:`siting.contracts.CRITERION_VALUES`.
    criteria
        Weights must add up to 1.

    Raises
    ------
    ValueError
        If the weights do not add up to 1 (the check of the study names this before).

    Notes
    -----
    ``score = sum_c w_c u_c``. Criteria of weight 0 do not count as missing. Ties rank by candidate id.
    """
    weights = np.array([criterion.weight for criterion in criteria])
    if abs(weights.sum() - 1) > 1e-6:
        raise ValueError(f"the weights add up to {weights.sum():g}, not 1")
    ids, utility = utilities(values, criteria)
    counted = weights > 0
    score = utility[:, counted] @ weights[counted]
    names = np.array([criterion.id for criterion in criteria], dtype=object)
    missing = [" ".join(names[counted & np.isnan(row)]) for row in utility]
    table = pd.DataFrame({"candidate_id": ids, "score": np.clip(score, 0, 1), "missing": missing})
    table = table.astype({"candidate_id": object, "missing": object})
    table.insert(2, "rank", ranks(table["score"].to_numpy(), ids))
    return SCORES.validate(table)


def utilities(values: pd.DataFrame, criteria: Sequence[Criterion]) -> tuple[npt.NDArray[np.object_], Floats]:
    """(candidate ids, utilities of shape (candidates, criteria)), candidates sorted by id."""
    wide = values.pivot(index="candidate_id", columns="criterion", values="value").sort_index()
    columns = [value_function(wide[c.id].to_numpy(), c.worst, c.best) for c in criteria]
    return wide.index.to_numpy(object), np.stack(columns, axis=1) if columns else np.zeros((len(wide), 0))


def ranks(score: Floats, ids: npt.NDArray[np.object_]) -> Floats:
    """Rank from 1 (best); NaN where the score is unknown; ties by id."""
    result = np.full(len(score), np.nan)
    known = np.flatnonzero(~np.isnan(score))
    order = known[np.lexsort((ids[known].astype(str), -score[known]))]
    result[order] = np.arange(1, len(order) + 1)
    return result


def rank_stability(
    values: pd.DataFrame,
    criteria: Sequence[Criterion],
    *,
    spread: float = 0.25,
    first: int = 20,
    draws: int = 500,
    seed: int = 0,
) -> pd.Series:
    """How often each candidate stays among the first ``first`` when every weight moves by up to +-``spread``.

    Weights are drawn evenly and scaled back to 1. Candidates with an unknown score have NaN.
    """  # fmt: skip
    ids, utility = utilities(values, criteria)
    weights = np.array([criterion.weight for criterion in criteria])
    factors = np.random.default_rng(seed).uniform(1 - spread, 1 + spread, (draws, len(weights)))
    drawn = weights * factors
    drawn /= drawn.sum(axis=1, keepdims=True)
    score = utility @ drawn.T
    known = np.asarray(~np.isnan(score).any(axis=1))
    better = np.argsort(np.argsort(-np.where(known[:, None], score, -1), axis=0, kind="stable"), axis=0)
    share = (better < first).mean(axis=1)
    return pd.Series(np.where(known, share, np.nan), index=pd.Index(ids, name="candidate_id"), name="stays_share")
