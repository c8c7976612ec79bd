"""Rank stability and sensitivity: by hand, against brute force, and against scipy's tau."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from siting.scoring.contracts import Criterion
from siting.scoring.rank_stability import (
    inversions,
    kendall_tau,
    rank_stability,
    sensitivity,
    stability_study,
    weight_changes,
)
from siting.scoring.score import score_candidates


def criteria_of(*weights: float) -> list[Criterion]:
    return [Criterion(f"c{k}", "", "", w, "candidate.x", 0.0, 1.0) for k, w in enumerate(weights)]


def values_of(utility: np.ndarray) -> pd.DataFrame:
    """Long table of a (candidates, criteria) array; ids a000, a001, ..."""
    rows = [(f"a{n:03d}", f"c{k}", float(v)) for k, column in enumerate(utility.T) for n, v in enumerate(column)]
    return pd.DataFrame(rows, columns=["candidate_id", "criterion", "value"])


def first_ids(utility: np.ndarray, weights: list[float], first: int) -> list[str]:
    """The first by the score module itself."""
    table = score_candidates(values_of(utility), criteria_of(*weights)).sort_values("rank")
    return table["candidate_id"].head(first).tolist()


def random_case(seed: int, sites: int = 30, criteria: int = 4) -> tuple[np.ndarray, list[float]]:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(criteria, 2.0))
    weights = np.round(weights, 3)
    weights[0] += 1 - weights.sum()
    return np.round(rng.uniform(size=(sites, criteria)), 3), [float(w) for w in weights]


@settings(max_examples=50, deadline=None)
@given(st.permutations(list(range(13))), st.permutations(list(range(13))))
def test_inversions_by_brute_force_and_tau_of_scipy(one: list[int], two: list[int]) -> None:
    table = np.array([one, two])
    slow = [sum(row[i] > row[j] for i in range(13) for j in range(i + 1, 13)) for row in (one, two)]
    assert inversions(table).tolist() == slow
    tau = [stats.kendalltau(np.arange(13), row).statistic for row in (one, two)]
    assert kendall_tau(table.T) == pytest.approx(tau)


def test_tau_at_its_ends() -> None:
    up = np.arange(100)[:, None]
    assert kendall_tau(up).tolist() == [1.0]
    assert kendall_tau(up[::-1]).tolist() == [-1.0]
    assert np.isnan(kendall_tau(np.zeros((1, 1), int))).all()


def test_sensitivity_by_hand() -> None:
    """Two sites, one place. a000 = (1, 0), a001 = (0, 0.6), weights 0.5 / 0.5: scores 0.5 and 0.3.
    With weight t for c0: S_a = t, S_b = 0.6 (1 - t); level at t = 0.375. More weight never makes a leave."""
    table = sensitivity(values_of(np.array([[1.0, 0.0], [0.0, 0.6]])), criteria_of(0.5, 0.5), first=1)
    one, two = table.to_dict("records")
    assert one["criterion"] == "c0"
    assert one["leaves_below_weight"] == pytest.approx(0.375)
    assert one["overtaken_below_by"] == "a001"
    assert np.isnan(one["leaves_above_weight"])
    assert one["swing"] == pytest.approx(0.125)
    # of c1: level where c0 has 0.375, that is 0.625
    assert two["leaves_above_weight"] == pytest.approx(0.625)
    assert np.isnan(two["leaves_below_weight"])


@pytest.mark.parametrize("seed", range(6))
def test_sensitivity_against_a_scan(seed: int) -> None:
    """Just before the weight the site is among the first, just beyond it is not; where none is given, a scan of the
    whole side finds none either."""
    first, step = 5, 1e-7
    utility, weights = random_case(seed)
    w = np.array(weights)

    def stays(site: str, number: int, t: float) -> bool:
        moved = w * (1 - t) / (1 - w[number])
        moved[number] = t
        score = np.round(utility @ moved, 12)
        return site in [f"a{n:03d}" for n in np.argsort(-score, kind="stable")[:first]]

    assert all(stays(site, 0, w[0]) for site in first_ids(utility, weights, first))
    table = sensitivity(values_of(utility), criteria_of(*weights), first=first)
    assert len(table) == first * 4
    seen = {"edge": 0, "never": 0}
    for row in table.sample(12, random_state=seed).to_dict("records"):
        number = int(row["criterion"][1:])
        for side, way, end in (("below", -1, 0.0), ("above", 1, 1.0)):
            edge = row[f"leaves_{side}_weight"]
            if np.isnan(edge):
                seen["never"] += 1
                asked = np.linspace(w[number], abs(end - 1e-7), 25)
                assert all(stays(row["candidate_id"], number, float(t)) for t in asked)
                assert row[f"overtaken_{side}_by"] == ""
            else:
                assert 0 < edge < 1
                seen["edge"] += 1
                assert stays(row["candidate_id"], number, edge - way * step)
                assert not stays(row["candidate_id"], number, edge + way * step)
                asked = np.linspace(w[number], edge - way * step, 9)
                assert all(stays(row["candidate_id"], number, float(t)) for t in asked)
    assert seen["edge"] > 3


def test_sites_that_draw_level_at_the_end_only_do_not_leave() -> None:
    """Both are best in c0: with all weight on it they are level, and there is no more weight to give."""
    table = sensitivity(values_of(np.array([[1.0, 0.2], [1.0, 0.5]])), criteria_of(0.5, 0.5), first=1)
    assert table["candidate_id"].tolist() == ["a001", "a001"]
    assert table["leaves_above_weight"].isna().all()
    assert table["leaves_below_weight"].isna().all()
    assert table["swing"].isna().all()


def test_sites_level_with_one_another_keep_their_order_until_a_weight_moves() -> None:
    """Both score 0.5: the smaller id leads. Any more weight on c1 puts the other ahead; less never does."""
    utility = np.array([[1.0, 0.0], [0.0, 1.0]])
    table = sensitivity(values_of(utility), criteria_of(0.5, 0.5), first=1).set_index("criterion")
    assert table.at["c1", "leaves_above_weight"] == pytest.approx(0.5)
    assert np.isnan(table.at["c1", "leaves_below_weight"])
    assert table.at["c0", "swing"] == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(3))
def test_draws_against_scoring_every_draw(seed: int) -> None:
    """The shares are those of ranking every draw one after the other with the score module."""
    utility, weights = random_case(seed, sites=12)
    draws, first = 25, 4
    factors = np.random.default_rng(7).uniform(0.75, 1.25, (draws, 4))
    drawn = np.array(weights) * factors
    drawn /= drawn.sum(axis=1, keepdims=True)
    firsts = [first_ids(utility, [float(x) for x in row], first) for row in drawn]
    table = rank_stability(values_of(utility), criteria_of(*weights), first=first, draws=draws, seed=7)
    for row in table.to_dict("records"):
        assert row["top_share"] == pytest.approx(sum(row["candidate_id"] in f for f in firsts) / draws)
    base = first_ids(utility, weights, first)
    changes = weight_changes(values_of(utility), criteria_of(*weights), first=first, draws=draws, seed=7)
    kept = [len(set(f) & set(base)) / first for f in firsts]
    assert changes.loc[0, "first_kept_share"] == pytest.approx(np.mean(kept))
    orders = [first_ids(utility, [float(x) for x in row], 12) for row in drawn]
    whole = first_ids(utility, weights, 12)
    tau = [stats.kendalltau(np.arange(12), [order.index(i) for i in whole]).statistic for order in orders]
    assert changes.loc[0, "kendall_tau"] == pytest.approx(np.mean(tau))


def test_dropping_a_criterion_by_hand() -> None:
    """c0 orders a000 before a001, c1 the other way round; c0 weighs more. Without c0 the order turns: tau -1."""
    utility = np.array([[1.0, 0.0], [0.0, 1.0]])
    table = weight_changes(values_of(utility), criteria_of(0.6, 0.4), first=1)
    dropped = table[table["change"] == "dropped"].set_index("criterion")
    assert dropped["kendall_tau"].to_dict() == {"c0": -1.0, "c1": 1.0}
    assert dropped["first_kept_share"].to_dict() == {"c0": 0.0, "c1": 1.0}
    stays = rank_stability(values_of(utility), criteria_of(0.6, 0.4), first=1).set_index("candidate_id")
    assert stays.at["a000", "top_share_dropped"] == 0.5


def test_without_spread_nothing_changes() -> None:
    utility, weights = random_case(3)
    study = stability_study(values_of(utility), criteria_of(*weights), spread=0.0, first=5, draws=10)
    first = set(first_ids(utility, weights, 5))
    shares = study.candidates.set_index("candidate_id")
    assert shares["top_share"].to_dict() == {k: float(k in first) for k in shares.index}
    assert (shares["rank_p05"].dropna() == shares.loc[shares["rank_p05"].notna(), "rank"]).all()
    assert study.changes.loc[0, "kendall_tau"] == 1.0


def test_trap_missing_criterion_takes_no_part() -> None:
    """A site without a value has no rank, no share and no row; it does not push others down."""
    utility = np.array([[0.9, 0.1], [0.5, 0.5], [np.nan, 1.0], [0.1, 0.8]])
    study = stability_study(values_of(utility), criteria_of(0.5, 0.5), first=2, draws=50)
    assert study.candidates.set_index("candidate_id").loc["a002"].isna().all()
    assert study.candidates["top_share"].sum() == pytest.approx(2.0)
    assert "a002" not in set(study.sensitivity["candidate_id"])
    assert "a002" not in set(study.sensitivity["overtaken_below_by"])


@pytest.mark.parametrize("sites", [0, 1, 2])
def test_hardly_any_site(sites: int) -> None:
    study = stability_study(values_of(np.full((sites, 2), 0.5)), criteria_of(0.5, 0.5), draws=5)
    assert len(study.candidates) == sites
    assert study.sensitivity.empty
    assert study.candidates["top_share"].tolist() == [1.0] * sites


def test_one_criterion_alone_cannot_be_dropped() -> None:
    study = stability_study(values_of(np.array([[0.5], [0.7], [0.1]])), criteria_of(1.0), first=1, draws=5)
    assert study.changes["change"].tolist() == ["all_weights"]
    assert study.candidates["top_share_dropped"].isna().all()
    assert study.sensitivity.empty


def test_same_seed_same_numbers_another_seed_others() -> None:
    utility, weights = random_case(5)
    tables = [
        rank_stability(values_of(utility), criteria_of(*weights), first=5, draws=40, seed=s)["top_share"].tolist()
        for s in (1, 1, 2)
    ]
    assert tables[0] == tables[1] != tables[2]
