"""Hindcast: do existing plants lie where the score is high?

Every plant is matched to the nearest candidate of its technology within a distance. The same is done with places
drawn evenly over the region. A plant's *percentile* is the share of the matched random places whose candidate scores
lower (ties count half). If plants lay at random, percentiles would be even: mean 0.5. Because plants and places go
through the same matching, large candidates have no advantage, and the rule "largest first" is judged on the same terms.

Intervals come from drawing the plants again (bootstrap), those on one site together. They say how far chance among
*these* plants reaches, not whether the list is complete; with few plants they are too narrow, which is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from layers.tables import Table, column

Floats = npt.NDArray[np.float64]

LEAST_SITES = 10
"""With plants on fewer sites nothing is concluded."""
TOP_SHARE = 0.2
"""Lift is the share of plants in this best part of the land, by this part."""
_PLACES = 50_000
_CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 200

MATCHES = Table(
    "hindcast_plants",
    "Each plant with the candidate it lies on or near.",
    {
        "name": column(str, "", "name in the list"),
        "technology": column(str, "", "pv or wind", isin=("pv", "wind")),
        "capacity_mw": column(float, "MW", "as listed", nullable=True),
        "lon": column(float, "degree", "WGS-84"),
        "lat": column(float, "degree", "WGS-84"),
        "approximate": column(bool, "", "position known roughly only"),
        "candidate_id": column(str, "", "matched candidate; empty where none is near"),
        "distance_km": column(float, "km", "to the candidate's edge; NaN where none is near", nullable=True, ge=0),
        "score": column(float, "1", "of the candidate; NaN where unknown", nullable=True),
        "percentile_score": column(float, "1", "share of random places that score lower", nullable=True, ge=0, le=1),
        "percentile_size": column(float, "1", "share of random places on smaller sites", nullable=True, ge=0, le=1),
        "top_score": column(float, "1", "part that lies in the best fifth by score", nullable=True, ge=0, le=1),
        "top_size": column(float, "1", "part that lies in the largest fifth", nullable=True, ge=0, le=1),
    },
)

RESULTS = Table(
    "hindcast",
    "Whether existing plants lie higher than random and than largest first; with 95 % intervals.",
    {
        "technology": column(str, "", "pv, wind or all"),
        "positions": column(str, "", "all plants, or those with exact positions", isin=("all", "exact")),
        "plants_in_region": column(int, "", "plants of the list inside the region", ge=0),
        "plants_matched": column(int, "", "of these, on or near a candidate with a known score", ge=0),
        "sites_matched": column(int, "", "different candidates among these; drawn whole in the intervals", ge=0),
        "matched_share": column(float, "1", "matched by in region", nullable=True),
        "matched_share_random": column(float, "1", "the same of random places", nullable=True),
        "percentile_mean": column(float, "1", "by score; 0.5 is random", nullable=True),
        "percentile_low": column(float, "1", "lower end of its interval", nullable=True),
        "percentile_high": column(float, "1", "upper end", nullable=True),
        "lift": column(float, "1", "share of plants on the best fifth by score, by 0.2; 1 is random", nullable=True),
        "lift_low": column(float, "1", "lower end", nullable=True),
        "lift_high": column(float, "1", "upper end", nullable=True),
        "lift_size": column(float, "1", "the same for largest first", nullable=True),
        "over_size": column(float, "1", "mean percentile by score less that by size", nullable=True),
        "over_size_low": column(float, "1", "lower end", nullable=True),
        "over_size_high": column(float, "1", "upper end", nullable=True),
        "verdict": column(str, "", "in words"),
    },
)


@dataclass(frozen=True)
class Hindcast:
    """``results`` follows :data:`RESULTS`, ``matches`` :data:`MATCHES` (plants of the region only)."""

    results: pd.DataFrame
    matches: pd.DataFrame


@dataclass(frozen=True)
class _Sites:
    """Candidates of one technology with a known score."""

    ids: npt.NDArray[np.object_]
    tree: shapely.STRtree
    score: Floats
    size: Floats


def hindcast(
    plants: pd.DataFrame,
    candidates: gpd.GeoDataFrame,
    scores: pd.DataFrame,
    districts: gpd.GeoDataFrame,
    *,
    match_km: float = 1.0,
    approximate_km: float = 5.0,
    roofs: bool = False,
    draws: int = 2000,
    places: int = _PLACES,
    seed: int = 0,
) -> Hindcast:
    """Compare where existing plants lie with random places and with the largest sites.

    Parameters
    ----------
    plants : DataFrame
        Follows :data:`layers.plants_file.PLANTS`.
    candidates, scores
        Follow :data:`siting.contracts.CANDIDATES` and :data:`siting.scoring.contracts.SCORES`. Candidates with an
        unknown score take no part.
    districts : GeoDataFrame
        The region, in the CRS of the candidates (metres).
    match_km, approximate_km : float
        How far from a candidate's edge an exactly and an approximately known plant may lie. Random places are matched
        at the same distances.
    roofs : bool
        PV plants may lie on roof sites as well; lists of power plants hold hardly any.
    draws, places : int
        Bootstrap draws, and random places over the region.

    Notes
    -----
    Approximate positions blur: a plant placed some kilometres off lands on a neighbour, which draws percentiles
    towards 0.5. The rows ``positions = exact`` leave them out.
    """
    region = shapely.union_all(districts.geometry.to_numpy())
    rng = np.random.default_rng(seed)
    points = gpd.GeoSeries(gpd.points_from_xy(plants["lon"], plants["lat"]), crs="EPSG:4326").to_crs(candidates.crs)
    inside = shapely.contains_xy(region, points.x.to_numpy(), points.y.to_numpy())
    plants, where = plants[inside].reset_index(drop=True), points.to_numpy()[inside]
    random_places = _random_points(region, places, rng)
    parts, shares = [], {}
    for technology in ("pv", "wind"):
        rows = (plants["technology"] == technology).to_numpy()
        part, random_share = _percentiles(
            plants[rows], where[rows], _sites_of(technology, candidates, scores, roofs), random_places,
            match_km=match_km, approximate_km=approximate_km,
        )  # fmt: skip
        parts.append(part)
        shares[technology] = random_share
    matches = MATCHES.validate(pd.concat(parts, ignore_index=True))
    results = [
        _result(technology, positions, matches, shares, draws, np.random.default_rng([seed, number]))
        for number, (technology, positions) in enumerate(
            (t, p) for t in ("pv", "wind", "all") for p in ("all", "exact")
        )
    ]
    return Hindcast(RESULTS.validate(pd.DataFrame(results, columns=list(RESULTS.columns))), matches)


def percentile(values: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Share of ``reference`` below each value, ties counted half; NaN where there is no reference."""
    asked, known = np.asarray(values, float), np.sort(np.asarray(reference, float))
    if not known.size:
        return np.full(asked.shape, np.nan)
    below, upto = np.searchsorted(known, asked, "left"), np.searchsorted(known, asked, "right")
    return np.asarray((below + upto) / 2 / known.size)


def top_part(values: npt.ArrayLike, reference: npt.ArrayLike, share: float) -> Floats:
    """Part of each value that lies in the best ``share`` of ``reference``: 1 above its limit, 0 below it.

    Random places that score alike share their stretch of the ranking; where the limit cuts through it, that part
    counts. So the mean over the reference itself is exactly ``share``, however few sites there are. NaN without
    reference.
    """
    asked, known = np.asarray(values, float), np.sort(np.asarray(reference, float))
    if not known.size:
        return np.full(asked.shape, np.nan)
    below, upto = (np.searchsorted(known, asked, side) / known.size for side in ("left", "right"))
    inside = np.clip(upto - np.maximum(below, 1 - share), 0, None)
    whole = (below >= 1 - share).astype(float)
    return np.asarray(np.divide(inside, upto - below, out=whole, where=upto > below))


def bootstrap_interval(
    values: Floats, draws: int, rng: np.random.Generator, clusters: npt.ArrayLike | None = None
) -> tuple[float, float]:
    """95 % percentile interval of the mean of ``values`` by drawing them again; NaN for none.

    ``clusters`` (one label a value) are drawn whole: the phases of one wind farm are not so many witnesses.
    """
    if not len(values):
        return float("nan"), float("nan")
    label = np.arange(len(values)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    total, count = np.bincount(label, values), np.bincount(label).astype(float)
    means = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        drawn = rng.integers(0, len(total), (min(_DRAWS_AT_ONCE, draws - start), len(total)))
        means.append(total[drawn].sum(axis=1) / count[drawn].sum(axis=1))
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)


def in_words(result: Hindcast) -> str:
    """The results as a few lines for people, whatever they say."""
    lines: list[str] = []
    for row in result.results.to_dict("records"):
        if row["positions"] == "all" or row["plants_in_region"]:
            lines += _row_in_words({str(key): value for key, value in row.items()})
    return "\n".join(lines)


def _row_in_words(row: dict[str, Any]) -> list[str]:
    counted = f"n = {row['plants_matched']} of {row['plants_in_region']} in the region"
    counted += f", on {row['sites_matched']} sites" if row["plants_matched"] else ""
    head = f"{row['technology']}, {row['positions']} positions: {counted}. {row['verdict']}"
    if not row["plants_matched"]:
        return [head]
    return [
        head,
        f"    mean percentile {row['percentile_mean']:.3f} [{row['percentile_low']:.3f}, "
        f"{row['percentile_high']:.3f}], random 0.5; over largest first {row['over_size']:+.3f} "
        f"[{row['over_size_low']:+.3f}, {row['over_size_high']:+.3f}]",
        f"    lift of the best fifth {row['lift']:.2f} [{row['lift_low']:.2f}, {row['lift_high']:.2f}], "
        f"largest first {row['lift_size']:.2f}, random 1",
        f"    on or near a candidate: {100 * row['matched_share']:.0f} % of the plants, "
        f"{100 * row['matched_share_random']:.0f} % of random places",
    ]


def _sites_of(technology: str, candidates: gpd.GeoDataFrame, scores: pd.DataFrame, roofs: bool) -> _Sites:
    score = candidates["candidate_id"].map(scores.set_index("candidate_id")["score"]).to_numpy(float)
    kinds = ["wind"] if technology == "wind" else ["ground", "roof"] if roofs else ["ground"]
    rows = candidates["kind"].isin(kinds).to_numpy() & ~np.isnan(score)
    chosen = candidates[rows]
    return _Sites(
        chosen["candidate_id"].to_numpy(object),
        shapely.STRtree(chosen.geometry.to_numpy()),
        score[rows],
        chosen["capacity_mw"].to_numpy(float),
    )


def _random_points(region: BaseGeometry, number: int, rng: np.random.Generator) -> npt.NDArray[np.object_]:
    """Points spread evenly over the region, drawn from its bounding box until there are enough."""
    shapely.prepare(region)
    left, bottom, right, top = region.bounds
    x, y = np.empty(0), np.empty(0)
    while len(x) < number:
        new_x, new_y = rng.uniform(left, right, number), rng.uniform(bottom, top, number)
        inside = shapely.contains_xy(region, new_x, new_y)
        x, y = np.concatenate([x, new_x[inside]]), np.concatenate([y, new_y[inside]])
    return np.asarray(shapely.points(x[:number], y[:number]), object)


def _nearest(points: npt.NDArray[np.object_], sites: _Sites, within_km: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """(number of the nearest candidate or -1, distance [km]) of each point; the smallest number at a tie."""
    number, km = np.full(len(points), -1, np.int64), np.full(len(points), np.nan)
    if not len(points) or not len(sites.ids):
        return number, km
    (asked, found), metres = sites.tree.query_nearest(
        points, max_distance=max(within_km * 1000, 1e-6), return_distance=True, all_matches=True
    )
    order = np.lexsort((found, asked))
    first = order[np.unique(asked[order], return_index=True)[1]]
    number[asked[first]], km[asked[first]] = found[first], metres[first] / 1000
    return number, km


def _percentiles(
    plants: pd.DataFrame,
    where: npt.NDArray[np.object_],
    sites: _Sites,
    random_places: npt.NDArray[np.object_],
    *,
    match_km: float,
    approximate_km: float,
) -> tuple[pd.DataFrame, dict[bool, float]]:
    """(matches of plants of one technology, share of random places matched at the exact and approximate distance)."""
    table = plants.reset_index(drop=True)
    number, km = np.full(len(table), -1, np.int64), np.full(len(table), np.nan)
    ranked = {name: np.full(len(table), np.nan) for name in ("score", "size")}
    top = {name: np.full(len(table), np.nan) for name in ("score", "size")}
    value_of = {"score": sites.score, "size": sites.size}
    rough = table["approximate"].to_numpy(bool)
    random_share: dict[bool, float] = {}
    for coarse, distance in ((False, match_km), (True, approximate_km)):
        places, _ = _nearest(random_places, sites, distance)
        places = places[places >= 0]
        random_share[coarse] = len(places) / len(random_places)
        rows = np.flatnonzero(rough == coarse)
        number[rows], km[rows] = _nearest(where[rows], sites, distance)
        hit = rows[number[rows] >= 0]
        for name, value in value_of.items():
            ranked[name][hit] = percentile(value[number[hit]], value[places])
            top[name][hit] = top_part(value[number[hit]], value[places], TOP_SHARE)
    matched = number >= 0
    ids = np.full(len(table), "", object)
    ids[matched] = sites.ids[number[matched]]
    score = np.full(len(table), np.nan)
    score[matched] = sites.score[number[matched]]
    table = table.assign(
        candidate_id=ids,
        distance_km=km,
        score=score,
        percentile_score=ranked["score"],
        percentile_size=ranked["size"],
        top_score=top["score"],
        top_size=top["size"],
    )
    return table[list(MATCHES.columns)], random_share


def _result(
    technology: str,
    positions: str,
    matches: pd.DataFrame,
    shares: dict[str, dict[bool, float]],
    draws: int,
    rng: np.random.Generator,
) -> tuple[object, ...]:
    rows = matches if technology == "all" else matches[matches["technology"] == technology]
    rows = rows[~rows["approximate"]] if positions == "exact" else rows
    hits = rows[rows["candidate_id"] != ""]
    by_score, by_size = hits["percentile_score"].to_numpy(float), hits["percentile_size"].to_numpy(float)
    over = by_score - by_size
    lift, lift_size = (hits[name].to_numpy(float) / TOP_SHARE for name in ("top_score", "top_size"))
    expected = [shares[t][bool(a)] for t, a in zip(rows["technology"], rows["approximate"], strict=True)]
    farm = hits["candidate_id"].to_numpy(str)
    intervals = [bootstrap_interval(one, draws, rng, farm) for one in (by_score, lift, over)]
    return (
        technology,
        positions,
        len(rows),
        len(hits),
        len(set(farm.tolist())),
        len(hits) / len(rows) if len(rows) else np.nan,
        _mean(expected),
        _mean(by_score),
        *intervals[0],
        _mean(lift),
        *intervals[1],
        _mean(lift_size),
        _mean(over),
        *intervals[2],
        _verdict(len(rows), len(set(farm.tolist())), intervals[0], intervals[2]),
    )


def _mean(values: Sequence[float] | Floats) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _verdict(in_region: int, matched: int, random: tuple[float, float], size: tuple[float, float]) -> str:
    """What the figures say, and no more."""
    if not in_region:
        return "No plant of the list lies in the region: nothing can be said."
    if not matched:
        return "No plant lies on or near a candidate: this speaks of the land's rules, not of the score."
    than_random = _than(random, 0.5, "random places")
    than_size = _than(size, 0.0, "largest first")
    said = f"{than_random}, {than_size}"
    if matched < LEAST_SITES:
        return f"Too few plants (on fewer than {LEAST_SITES} sites) to conclude; the figures alone would say: {said}."
    return f"Existing plants lie {said}."


def _than(interval: tuple[float, float], even: float, what: str) -> str:
    low, high = interval
    if low > even:
        return f"higher than {what}"
    if high < even:
        return f"lower than {what}"
    return f"not clearly different from {what}"
