"""Cell score: numpy's interpolation as the second engine, missing values, strips and workers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import Origin, RasterLayer
from layers.frame import Frame
from layers.mask_store import MaskStore
from siting.scoring.cell_score import CellCriterion, score_cells, score_strips

FRAME = Frame("EPSG:4548", 30.0, 0.0, 6000.0, 200, 170)


def criterion(name: str, weight: float, breaks, heights, seed: int = 0, gaps: float = 0.1) -> CellCriterion:
    draw = np.random.default_rng(seed)
    values = draw.uniform(-5, 35, FRAME.shape).astype(np.float32)
    values[draw.random(FRAME.shape) < gaps] = np.nan
    layer = RasterLayer(name, FRAME, values, "degree", Origin.GENERATED)
    return CellCriterion(name, layer, weight, np.array(breaks, float), np.array(heights, float))


def plain_score(criteria, within=None) -> np.ndarray:
    total = sum(c.weight for c in criteria)
    score = np.zeros(FRAME.shape)
    for c in criteria:
        value = np.interp(c.raster.values.astype(float), c.breaks, c.heights)
        score += c.weight / total * np.where(np.isnan(c.raster.values), np.nan, value)
    return score if within is None else np.where(within != 0, score, np.nan)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), weights=st.lists(st.floats(0.01, 5), min_size=1, max_size=4), n=st.integers(2, 12))
def test_equal_to_numpy(seed, weights, n) -> None:
    draw = np.random.default_rng(seed)
    criteria = [
        criterion(f"c{k}", w, np.cumsum(draw.uniform(0.1, 5, n)), draw.uniform(0, 1, n), seed + k)
        for k, w in enumerate(weights)
    ]
    within = (draw.random(FRAME.shape) < 0.7).astype(np.uint16)
    ours = score_cells(criteria, within=MaskStore.of(within))
    np.testing.assert_allclose(ours, plain_score(criteria, within), atol=1e-6)
    assert np.nanmin(ours) >= 0
    assert np.nanmax(ours) <= 1 + 1e-6


def test_by_hand() -> None:
    """Slope 6 from 1 at 0 to 0 at 24 is 0.75; speed 7 from 0 at 5 to 1 at 9 is 0.5; weights 3:1."""
    slope = criterion("slope", 3.0, [0, 24], [1, 0])
    speed = criterion("speed", 1.0, [5, 9], [0, 1])
    slope.raster.values[0, :3] = 6.0, 6.0, 30.0
    speed.raster.values[0, :3] = 7.0, np.nan, 4.0
    assert score_cells([slope, speed])[0, :3].tolist() == [0.6875, pytest.approx(np.nan, nan_ok=True), 0.0]


def test_trap_missing_criterion_is_unknown_not_lower() -> None:
    one, other = criterion("a", 0.5, [0, 30], [0, 1], 1, 0.0), criterion("b", 0.5, [0, 30], [0, 1], 2, 0.3)
    missing = np.isnan(other.raster.values)
    assert np.array_equal(np.isnan(score_cells([one, other])), missing)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_and_strips_give_the_same_bits(workers) -> None:
    criteria = [criterion("a", 2, [0, 10, 20], [0, 1, 0.3], 1), criterion("b", 1, [3, 4], [1, 0], 2)]
    strips = list(score_strips(criteria, workers=workers))
    assert np.array_equal(np.vstack([s for _, s in strips]), score_cells(criteria, workers=1), equal_nan=True)
    assert all(strip.dtype == np.float32 for _, strip in strips)


def test_what_makes_no_score_is_refused() -> None:
    good = criterion("a", 1, [0, 1], [0, 1])
    for bad, message in (
        ([], "needs a criterion"),
        ([replace(good, weight=-1.0)], "0 or more"),
        ([replace(good, weight=0.0)], "all weights"),
        ([replace(good, breaks=np.array([1.0, 0.0]))], "ascending"),
        ([good, replace(good, raster=replace(good.raster, frame=replace(FRAME, left=30.0)))], "frame of the others"),
    ):
        with pytest.raises(ValueError, match=message):
            score_cells(bad)
    with pytest.raises(ValueError, match="shape"):
        score_cells([good], within=np.ones((2, 2), np.uint16))
