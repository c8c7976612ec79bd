"""Hindcast: figures by hand, truth planted and found, honest intervals, and lists with all their oddities."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hindcast_samples import BOTTOM, LEFT, REGION, SIDE, plants_at, sites
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import FindingLog
from layers.plants_file import read_plants
from siting.scoring.hindcast import Hindcast, bootstrap_interval, hindcast, in_words, percentile, top_part


def row(result: Hindcast, technology: str = "wind", positions: str = "all") -> dict[str, object]:
    table = result.results
    (found,) = table[(table["technology"] == technology) & (table["positions"] == positions)].to_dict("records")
    return {str(k): v for k, v in found.items()}


def test_percentile_by_hand() -> None:
    """Of (1, 2, 2, 4): below 2 is a quarter, half of the two ties another: 0.5."""
    assert percentile([0, 1, 2, 3, 9], [1, 2, 2, 4]).tolist() == [0.0, 0.125, 0.5, 0.75, 1.0]
    assert np.isnan(percentile([1.0], [])).all()


def test_top_part_by_hand() -> None:
    """Of ten places, six score 1 and four score 2: the best fifth is half of those with 2."""
    reference = [1.0] * 6 + [2.0] * 4
    assert top_part([0.0, 1.0, 2.0, 3.0], reference, 0.2) == pytest.approx([0.0, 0.0, 0.5, 1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_random_places_themselves_are_random(reference: list[int], share: float) -> None:
    """The mean percentile of the reference is one half and its top part the share, whatever the ties."""
    assert percentile(reference, reference).mean() == pytest.approx(0.5)
    assert top_part(reference, reference, share).mean() == pytest.approx(share)


def test_plants_on_the_best_sites_lie_higher_than_random() -> None:
    table, scores = sites()
    best = scores.sort_values("score", ascending=False).head(16).index
    centres = table.geometry.iloc[best].centroid
    found = row(hindcast(plants_at(centres.x.to_numpy(), centres.y.to_numpy()), table, scores, REGION, places=20_000))
    assert found["plants_matched"] == 16
    assert found["percentile_low"] > 0.5  # type: ignore[operator]
    assert found["lift_low"] > 1.5  # type: ignore[operator]
    assert found["over_size_low"] > 0  # type: ignore[operator]
    assert found["verdict"] == "Existing plants lie higher than random places, higher than largest first."
    assert found["matched_share"] == 1.0
    assert 0.2 < found["matched_share_random"] < 0.8  # type: ignore[operator]


def test_plants_on_the_largest_sites_do_not_speak_for_the_score() -> None:
    table, scores = sites()
    largest = table.sort_values("capacity_mw", ascending=False).head(16)
    centres = largest.geometry.centroid
    found = row(hindcast(plants_at(centres.x.to_numpy(), centres.y.to_numpy()), table, scores, REGION, places=20_000))
    assert found["over_size_high"] < 0  # type: ignore[operator]
    assert str(found["verdict"]).endswith("lower than largest first.")


def test_trap_large_sites_have_no_advantage_at_random() -> None:
    """Random plants fall on large sites more often; random places do as well. Over 25 draws of 30 plants on a score
    that is the size itself, the 95 % interval misses one half about once, and the mean is one half."""
    table, scores = sites()
    scores = scores.assign(score=table["capacity_mw"] / table["capacity_mw"].max())
    rng = np.random.default_rng(3)
    means, missed = [], 0
    for _ in range(25):
        x, y = LEFT + rng.uniform(0, SIDE, 30), BOTTOM + rng.uniform(0, SIDE, 30)
        found = row(hindcast(plants_at(x, y), table, scores, REGION, places=2000, draws=300))
        means.append(found["percentile_mean"])
        missed += not (found["percentile_low"] <= 0.5 <= found["percentile_high"])  # type: ignore[operator]
    assert np.mean(means) == pytest.approx(0.5, abs=0.05)
    assert missed <= 6


def test_too_few_plants_is_said() -> None:
    table, scores = sites()
    centres = table.geometry.head(5).centroid
    result = hindcast(plants_at(centres.x.to_numpy(), centres.y.to_numpy()), table, scores, REGION, places=2000)
    assert str(row(result)["verdict"]).startswith("Too few plants (on fewer than 10 sites) to conclude")
    assert "n = 5 of 5 in the region, on 5 sites" in in_words(result)


def test_no_plant_and_no_match_are_said() -> None:
    table, scores = sites()
    outside = plants_at(np.array([LEFT - 5000]), np.array([BOTTOM]))
    result = hindcast(outside, table, scores, REGION, places=500)
    assert row(result)["plants_in_region"] == 0
    assert "No plant of the list lies in the region" in in_words(result)
    between = plants_at(np.array([LEFT + 5000.0]), np.array([BOTTOM + 5000.0]))  # a corner of the lattice
    result = hindcast(between, table, scores, REGION, places=500, match_km=0.1)
    assert (row(result)["plants_in_region"], row(result)["plants_matched"]) == (1, 0)
    assert "on or near a candidate" in str(row(result)["verdict"])
    nothing = hindcast(outside.iloc[:0], table, scores, REGION, places=500)
    assert row(nothing, "all")["plants_in_region"] == 0


def test_candidates_with_an_unknown_score_take_no_part() -> None:
    table, scores = sites()
    centres = table.geometry.head(3).centroid
    scores.loc[:2, "score"] = np.nan
    result = hindcast(plants_at(centres.x.to_numpy(), centres.y.to_numpy()), table, scores, REGION, places=500)
    assert row(result)["plants_matched"] == 0
    assert not set(result.matches["candidate_id"]) & {"k00", "k01", "k02"}


def test_pv_plants_match_ground_sites_and_roofs_only_when_asked() -> None:
    table, scores = sites()
    table["kind"] = ["roof"] * 32 + ["ground"] * 32
    centres = table.geometry.centroid
    plants = plants_at(centres.x.to_numpy(), centres.y.to_numpy(), technology="pv")
    assert row(hindcast(plants, table, scores, REGION, places=500), "pv")["plants_matched"] == 32
    assert row(hindcast(plants, table, scores, REGION, places=500, roofs=True), "pv")["plants_matched"] == 64
    assert row(hindcast(plants, table, scores, REGION, places=500), "wind")["plants_in_region"] == 0


def test_trap_approximate_positions_are_searched_wider_and_can_be_left_out() -> None:
    """2 km off the edge: an exact position is not matched within 1 km, an approximate one is within 5 km."""
    table, scores = sites(across=2)
    edge = table.geometry.iloc[0].bounds
    x, y = np.array([edge[2] + 2000]), np.array([(edge[1] + edge[3]) / 2])
    exact = hindcast(plants_at(x, y), table, scores, REGION, places=500)
    rough = hindcast(plants_at(x, y, approximate=True), table, scores, REGION, places=500)
    assert row(exact)["plants_matched"] == 0
    assert row(rough)["plants_matched"] == 1
    assert row(rough, positions="exact")["plants_in_region"] == 0
    assert rough.matches["distance_km"].tolist() == pytest.approx([2.0], abs=0.01)


def test_same_seed_same_result() -> None:
    table, scores = sites()
    centres = table.geometry.head(12).centroid
    plants = plants_at(centres.x.to_numpy(), centres.y.to_numpy())
    one, two, other = (hindcast(plants, table, scores, REGION, places=1000, seed=s).results for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


def test_interval_is_that_of_scipy() -> None:
    from scipy import stats

    values = np.random.default_rng(5).uniform(size=25)
    ours = bootstrap_interval(values, 4000, np.random.default_rng(0))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert np.isnan(bootstrap_interval(np.empty(0), 10, np.random.default_rng(0))).all()
    assert bootstrap_interval(np.full(7, 0.3), 10, np.random.default_rng(0)) == pytest.approx((0.3, 0.3))


def test_phases_of_one_farm_are_one_witness() -> None:
    """Twelve phases on one site are too few to conclude, and the interval has no width to boast of."""
    table, scores = sites()
    centre = table.geometry.iloc[[int(scores["score"].argmax())]].centroid
    plants = plants_at(np.repeat(centre.x.to_numpy(), 12), np.repeat(centre.y.to_numpy(), 12))
    found = row(hindcast(plants, table, scores, REGION, places=1000))
    assert (found["plants_matched"], found["sites_matched"]) == (12, 1)
    assert "Too few" in str(found["verdict"])
    # two clusters of unlike size, by hand: means of drawn clusters are 0, 1 or (0 + 3) / 4
    interval = bootstrap_interval(np.array([0.0, 1, 1, 1]), 500, np.random.default_rng(0), [7, 8, 8, 8])
    assert interval == (0.0, 1.0)


@pytest.mark.real_data
def test_wind_plants_of_china_lie_on_the_better_cells_of_a_published_potential(real_data: Path) -> None:
    """WRI's wind plants on the quarter-degree cells of PyPSA-China's wind potential, score = potential of the cell:
    more than random (mean percentile 0.65), which is a known fact of where wind farms stand; by construction no more
    than largest first, because potential is size here."""
    import rasterio

    with rasterio.open(real_data / "load-cf-china-provinces" / "potential_onwind_0p25deg.tif") as source:
        potential, t = source.read(1), source.transform
    rows, cols = np.nonzero(potential > 0)
    left, top = t.c + cols * t.a, t.f + rows * t.e
    table = gpd.GeoDataFrame(
        {
            "candidate_id": [f"c{n}" for n in range(len(rows))],
            "kind": "wind",
            "capacity_mw": potential[rows, cols].astype(float),
        },
        geometry=shapely.box(left, top + t.e, left + t.a, top),
        crs="EPSG:4326",
    ).to_crs("+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84 +units=m")
    scores = pd.DataFrame({"candidate_id": table["candidate_id"], "score": table["capacity_mw"]})
    plants = read_plants(real_data / "plants-wri-china" / "wri_china_2018_all_tagged.csv.gz", log=FindingLog())
    region = gpd.GeoDataFrame(geometry=[shapely.union_all(table.geometry.to_numpy())], crs=table.crs)
    result = hindcast(plants, table, scores, region, places=20_000)
    found = row(result)
    assert found["plants_matched"] > 200
    assert found["percentile_low"] > 0.55  # type: ignore[operator]
    assert found["lift_low"] > 1.5  # type: ignore[operator]
    assert (found["over_size_low"], found["over_size_high"]) == pytest.approx((0, 0), abs=1e-9)
