"""How much of a ranking is evidence and how much is the choice of weights.

Three questions, all answered from the utilities of the candidates, without reading anything again:

* every weight moves by up to a quarter at once (seeded draws): who stays among the first?
* one criterion is dropped, or one weight moves alone: how alike are the rankings (Kendall's tau)?
* one weight moves and the others share the rest: at which weight does a site leave the first 20? In closed form.

Candidates with an unknown score have no rank and take no part. Ties rank by candidate id, as in
:mod:`siting.scoring.score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import InputError
from siting.scoring.contracts import SENSITIVITY, STABILITY, WEIGHT_CHANGES, Criterion
from siting.scoring.score import check_criteria, ranks, utilities

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPREAD = 0.25
FIRST = 20
DRAWS = 500

_TIE = 1e12
"""Scores are compared after rounding to 12 decimals, so that sums in another order rank alike."""
_END = 1e-12
_BLOCK = 4_000_000
"""Scores held at once: candidates x draws."""
_TAU_CANDIDATES = 4096
"""Kendall's tau is counted over at most this many candidates, evenly spread over the ranks."""


@dataclass(frozen=True)
class Stability:
    """What changed weights do to a ranking.

    ``candidates`` follows :data:`siting.scoring.contracts.STABILITY`, ``changes``
    :data:`siting.scoring.contracts.WEIGHT_CHANGES`, ``sensitivity`` :data:`siting.scoring.contracts.SENSITIVITY`.
    """

    candidates: pd.DataFrame
    changes: pd.DataFrame
    sensitivity: pd.DataFrame


@dataclass(frozen=True)
class _Ranking:
    """Candidates with a known score, in the order of their ids. ``utility`` has shape (candidates, criteria), criteria
    of weight 0 left out; ``order`` holds the candidates from best to worst."""

    ids: npt.NDArray[np.object_]
    utility: Floats
    weights: Floats
    order: Ints


def stability_study(
    values: pd.DataFrame,
    criteria: Sequence[Criterion],
    *,
    spread: float = SPREAD,
    first: int = FIRST,
    draws: int = DRAWS,
    seed: int = 0,
) -> Stability:
    """All three answers; see :func:`rank_stability`, :func:`weight_changes` and :func:`sensitivity`."""
    options = {"spread": spread, "first": first, "draws": draws, "seed": seed}
    return Stability(
        rank_stability(values, criteria, **options),  # type: ignore[arg-type]
        weight_changes(values, criteria, **options),  # type: ignore[arg-type]
        sensitivity(values, criteria, first=first),
    )


def rank_stability(
    values: pd.DataFrame,
    criteria: Sequence[Criterion],
    *,
    spread: float = SPREAD,
    first: int = FIRST,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """How often each candidate stays among the first ``first`` when every weight moves by up to ``spread``.

    Each weight is multiplied by a factor drawn evenly from ``1 - spread`` to ``1 + spread``, then all are scaled back
    to a sum of 1. Criteria of weight 0 do not count as missing.

    Returns
    -------
    DataFrame
        Follows :data:`siting.scoring.contracts.STABILITY`, candidates sorted by id. ``rank_p05`` and ``rank_p95`` are
        given for the candidates that are among the first at the stated weights.

    Raises
    ------
    InputError
        As :func:`siting.scoring.score.score_candidates`.
    """
    ids, ranking, known = _ranking(values, criteria)
    shares, low, high = _membership(ranking, _drawn(ranking.weights, spread, draws, seed), first)
    dropped = np.mean(
        [_among_first(ranking, w[:, None], first)[:, 0] for w in _dropped(ranking.weights)]
        or np.full((1, len(ranking.ids)), np.nan),
        axis=0,
    )
    table = pd.DataFrame({"candidate_id": ids.astype(object)})
    columns = {
        "rank": ranks(ranking.utility @ ranking.weights, ranking.ids),
        "top_share": shares,
        "rank_p05": low,
        "rank_p95": high,
        "top_share_dropped": dropped,
    }
    for name, column in columns.items():
        full = np.full(len(ids), np.nan)
        full[known] = column
        table[name] = full
    return STABILITY.validate(table)


def weight_changes(
    values: pd.DataFrame,
    criteria: Sequence[Criterion],
    *,
    spread: float = SPREAD,
    first: int = FIRST,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """How alike the ranking stays under each change of the weights (:data:`siting.scoring.contracts.WEIGHT_CHANGES`).

    One row for all weights drawn at once (means, and the worst 5 % of the draws), one for every criterion dropped,
    and one for every weight moved alone by ``spread`` up and down; the others keep their proportions.

    Notes
    -----
    Kendall's tau counts pairs: ``(concordant - discordant) / all``. Ranks have no ties, so tau-a equals tau-b.
    """
    _, ranking, _ = _ranking(values, criteria)
    names = [c.id for c in criteria if c.weight > 0]
    several = _drawn(ranking.weights, spread, draws, seed)
    rows = [("all_weights", "", spread, *_likeness(ranking, several, first))]
    if len(names) > 1:
        for name, weights in zip(names, _dropped(ranking.weights), strict=True):
            rows.append(("dropped", name, -1.0, *_likeness(ranking, weights[:, None], first)))
        for number, name in enumerate(names):
            for change in (spread, -spread):
                moved = _moved(ranking.weights, number, ranking.weights[number] * (1 + change))
                rows.append(("one_weight", name, change, *_likeness(ranking, moved[:, None], first)))
    return WEIGHT_CHANGES.validate(pd.DataFrame(rows, columns=list(WEIGHT_CHANGES.columns)))


def sensitivity(values: pd.DataFrame, criteria: Sequence[Criterion], *, first: int = FIRST) -> pd.DataFrame:
    """At which weight of each criterion each of the first sites leaves the first ``first``, in closed form.

    Returns
    -------
    DataFrame
        Follows :data:`siting.scoring.contracts.SENSITIVITY`: one row a site and criterion, sites by rank. Empty where
        no site can leave because there are not more than ``first``; NaN where no weight makes the site leave.

    Notes
    -----
    Let the weight of criterion c go from ``w`` to ``t`` while the others keep their proportions. Then
    ``S_i(t) = t u_ic + (1 - t) r_i`` with ``r_i = (S_i - w u_ic) / (1 - w)`` is a straight line, two sites change
    places at most once, at ``t = (r_b - r_a) / ((u_a - u_b) - (r_a - r_b))``, and the site leaves where the number of
    sites above it reaches ``first``.
    """
    _, ranking, _ = _ranking(values, criteria)
    named = [c for c in criteria if c.weight > 0]
    rows: list[tuple[str, float, str, float, float, str, float, str, float]] = []
    if len(ranking.ids) > first and len(named) > 1:
        score = ranking.utility @ ranking.weights
        for rank, site in enumerate(ranking.order[:first], start=1):
            for number, criterion in enumerate(named):
                w, u = float(ranking.weights[number]), ranking.utility[:, number]
                rest = (score - w * u) / (1 - w)
                down, up = _exit(u, rest, w, int(site), rank, first, -1), _exit(u, rest, w, int(site), rank, first, 1)
                swing = np.nanmin([w - down[0], up[0] - w, np.inf])
                rows.append(
                    (
                        str(ranking.ids[site]),
                        float(rank),
                        criterion.id,
                        w,
                        down[0],
                        "" if down[1] < 0 else str(ranking.ids[down[1]]),
                        up[0],
                        "" if up[1] < 0 else str(ranking.ids[up[1]]),
                        float(swing) if np.isfinite(swing) else np.nan,
                    )
                )
    table = pd.DataFrame(rows, columns=list(SENSITIVITY.columns)) if rows else SENSITIVITY.empty()
    return SENSITIVITY.validate(table)


def kendall_tau(ranks_: Ints) -> Floats:
    """Kendall's tau of each column with the order 0, 1, 2, ...

    Parameters
    ----------
    ranks_ : int array, shape (n, k)
        Each column is a permutation of 0..n-1: the new rank of the candidates that held rank 0, 1, 2, ... before.

    Returns
    -------
    array, shape (k,)
        1 where nothing changed, -1 where the order is turned round; NaN for fewer than two candidates.
    """
    number, columns = ranks_.shape
    if number < 2:
        return np.full(columns, np.nan)
    return np.asarray(1 - 4 * inversions(ranks_.T) / (number * (number - 1)))


def inversions(permutations: Ints) -> Floats:
    """Number of pairs out of order in each row (shape (k, n), each row a permutation of 0..n-1).

    Bit by bit from the highest: among values that agree in the higher bits, a value with the bit before one without
    it is out of order; then the values are parted by the bit, each part keeping its order. ``O(n log n)`` a row.
    """
    rows, number = permutations.shape
    bits = max(1, (number - 1).bit_length())
    size = 1 << bits
    values = np.broadcast_to(np.arange(size, dtype=np.int32), (rows, size)).copy()  # those added are in order
    values[:, :number] = permutations
    place, parted = np.empty_like(values), np.empty_like(values)
    start = np.arange(rows * size, dtype=np.int32).reshape(rows, size)
    total = np.zeros(rows)
    for bit in range(bits - 1, -1, -1):
        half = 1 << bit
        has = (values >> bit) & 1
        before = np.cumsum(has.reshape(rows, -1, 2 * half), axis=2, dtype=np.int32).reshape(rows, size)
        total += np.where(has == 1, 0, before).sum(axis=1, dtype=np.int64)
        # half of each group has the bit: it goes behind the other half
        group_start = start & np.int32(~(2 * half - 1))
        np.copyto(place, np.where(has == 1, group_start + (half - 1) + before, start - before))
        parted.ravel()[place.ravel()] = values.ravel()
        values, parted = parted, values
    return total


def _ranking(
    values: pd.DataFrame, criteria: Sequence[Criterion]
) -> tuple[npt.NDArray[np.object_], _Ranking, npt.NDArray[np.bool_]]:
    """(all ids, ranking of the known ones, which are known)."""
    findings = check_criteria(criteria)
    if findings:
        raise InputError(findings)
    ids, utility = utilities(values, criteria)
    weights = np.array([criterion.weight for criterion in criteria])
    utility, weights = utility[:, weights > 0], weights[weights > 0]
    known = np.asarray(~np.isnan(utility).any(axis=1))
    utility = utility[known]
    order = np.argsort(-_keys(utility @ weights[:, None])[:, 0], kind="stable")
    return ids, _Ranking(ids[known], utility, weights, order), known


def _keys(score: Floats) -> Ints:
    """Whole numbers that sort as score, then id (rows are in the order of the ids): larger is better, none alike."""
    number = len(score)
    first_id_wins = np.arange(number - 1, -1, -1, dtype=np.int64)[:, None]
    return np.asarray(np.rint(score * _TIE).astype(np.int64) * number + first_id_wins)


def _drawn(weights: Floats, spread: float, draws: int, seed: int) -> Floats:
    """Weights of all draws, shape (criteria, draws), each summing to 1."""
    factors = np.random.default_rng(seed).uniform(1 - spread, 1 + spread, (draws, len(weights)))
    drawn = weights * factors
    return np.asarray((drawn / drawn.sum(axis=1, keepdims=True)).T)


def _dropped(weights: Floats) -> list[Floats]:
    """Weights without each criterion in turn; none where there is only one."""
    return [_moved(weights, number, 0.0) for number in range(len(weights))] if len(weights) > 1 else []


def _moved(weights: Floats, number: int, weight: float) -> Floats:
    """Weights with one of them set, the others in their proportions, summing to 1."""
    moved = weights * (1 - weight) / (1 - weights[number])
    moved[number] = weight
    return np.asarray(moved)


def _blocks(ranking: _Ranking, weights: Floats) -> list[Floats]:
    step = max(1, _BLOCK // max(1, len(ranking.ids)))
    return [weights[:, start : start + step] for start in range(0, weights.shape[1], step)]


def _among_first(ranking: _Ranking, weights: Floats, first: int) -> npt.NDArray[np.bool_]:
    """Which candidates are among the first under each column of ``weights``: shape (candidates, columns)."""
    keys = _keys(ranking.utility @ weights)
    if len(keys) <= first:
        return np.ones(keys.shape, bool)
    bound = np.partition(keys, len(keys) - first, axis=0)[len(keys) - first]
    return np.asarray(keys >= bound)


def _membership(ranking: _Ranking, weights: Floats, first: int) -> tuple[Floats, Floats, Floats]:
    """(share of the draws among the first, 5 % and 95 % quantile of the rank of those that are among the first)."""
    stays = np.zeros(len(ranking.ids))
    leaders = ranking.order[:first]
    rank_of: list[Ints] = []
    for block in _blocks(ranking, weights):
        keys = _keys(ranking.utility @ block)
        stays += _among_first(ranking, block, first).sum(axis=1)
        ranks_now = [1 + (keys > keys[site]).sum(axis=0) for site in leaders]
        rank_of.append(np.array(ranks_now, np.int64).reshape(len(leaders), block.shape[1]))
    low, high = np.full(len(ranking.ids), np.nan), np.full(len(ranking.ids), np.nan)
    if len(leaders):
        held = np.concatenate(rank_of, axis=1)
        low[leaders], high[leaders] = np.quantile(held, (0.05, 0.95), axis=1, method="nearest")
    return stays / weights.shape[1], low, high


def _likeness(ranking: _Ranking, weights: Floats, first: int) -> tuple[float, float, float, float]:
    """(mean tau, its 5 % quantile, mean share of the first that stay, its 5 % quantile) over columns of weights."""
    number = len(ranking.ids)
    if number < 2:
        return (np.nan,) * 4
    spread_out = np.unique(np.linspace(0, number - 1, min(number, _TAU_CANDIDATES)).round().astype(np.int64))
    chosen, leaders = ranking.order[spread_out], ranking.order[:first]
    tau, kept = [], []
    for block in _blocks(ranking, weights):
        keys = _keys(ranking.utility @ block)
        tau.append(kendall_tau(_new_ranks(keys[chosen])))
        kept.append(_among_first(ranking, block, first)[leaders].mean(axis=0))
    all_tau, all_kept = np.concatenate(tau), np.concatenate(kept)
    worst = [float(np.quantile(one, 0.05, method="lower")) for one in (all_tau, all_kept)]
    return float(all_tau.mean()), worst[0], float(all_kept.mean()), worst[1]


def _new_ranks(keys: Ints) -> Ints:
    """Ranks from 0 in each column of keys that are all unlike, the largest first; shape as ``keys``."""
    order = np.argsort(np.ascontiguousarray(-keys.T), axis=1)
    rank = np.empty(order.shape, np.int64)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(keys)), order.shape), axis=1)
    return rank.T


def _exit(u: Floats, rest: Floats, w: float, site: int, rank: int, first: int, way: int) -> tuple[float, int]:
    """(weight at which the site leaves the first, the candidate that then makes it leave), or (NaN, -1).

    ``way`` is -1 for a falling and 1 for a rising weight. Candidates that draw level exactly at the stated weight
    count with their present order.
    """
    gain = (u - rest) - (u[site] - rest[site])  # slope of S_b - S_a in t
    ahead_now = rest - rest[site] + w * gain  # S_b - S_a at the stated weight
    with np.errstate(divide="ignore", invalid="ignore"):
        t = w - ahead_now / gain
    t = np.where((ahead_now == 0) & (gain != 0), w, t)
    # sites that only draw level where one weight is all or nothing never come past: there is no weight beyond
    reached = (t >= w) & (t < 1 - _END) if way > 0 else (t <= w) & (t > _END)
    reached[site] = False
    number = np.flatnonzero(reached)
    overtakes = gain[number] * way > 0  # comes past the site, else falls behind it
    level = np.abs(ahead_now[number]) * _TIE < 0.5
    # who is level now is above the site if its id is smaller; only a move to the other side counts
    counts = ~level | (overtakes == (number > site))
    number, overtakes = number[counts], overtakes[counts]
    by_distance = np.lexsort((number, ~overtakes, np.abs(t[number] - w)))
    above = rank - 1 + np.cumsum(np.where(overtakes[by_distance], 1, -1))
    out = np.flatnonzero(above >= first)
    if not out.size:
        return float("nan"), -1
    comes = number[by_distance[out[0]]]
    return float(t[comes]), int(comes)
