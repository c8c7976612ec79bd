"""Distance rasters: equal to scipy's, closed forms, any workers, strips and stores alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from layers.distance import distance_m, distance_strips
from layers.mask_store import MaskStore


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 200), cols=st.integers(1, 150), share=st.floats(1e-4, 0.6), seed=st.integers(0, 999),
    size=st.sampled_from([1.0, 12.5, 30.0]),
)  # fmt: skip
def test_equal_to_scipy(rows, cols, share, seed, size) -> None:
    features = np.random.default_rng(seed).random((rows, cols)) < share
    features[seed % rows, seed % cols] = True
    expected = (distance_transform_edt(~features) * size).astype(np.float32)
    assert np.array_equal(distance_m(features, size), expected)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_strips_stores_and_workers_give_the_same_values(workers) -> None:
    features = (np.random.default_rng(3).random((517, 333)) < 1e-3).astype(np.uint16)
    whole = distance_m(features, 30.0, workers=1)
    assert np.array_equal(distance_m(MaskStore.of(features), 30.0, workers=workers), whole)
    strips = list(distance_strips(MaskStore.of(features), 30.0, workers=workers))
    assert [row0 for row0, _ in strips] == list(range(0, 517, 64))
    assert np.array_equal(np.vstack([strip for _, strip in strips]), whole)


def test_trap_diamond_distance() -> None:
    """From one cell: 3-4-5 triangles, a circle of 1 km with pi r^2 cells and not the 2 r^2 of a diamond."""
    features = np.zeros((401, 401), bool)
    features[200, 200] = True
    far = distance_m(features, 10.0)
    assert far[200 - 30, 200 + 40] == 500.0
    assert far[0, 0] == np.float32(2000 * math.sqrt(2))
    inside = np.count_nonzero(far <= 1000.0)
    assert inside == pytest.approx(math.pi * 100**2, rel=2e-3)


def test_a_line_gives_a_ramp_and_a_corner_a_circle() -> None:
    features = np.zeros((150, 90), bool)
    features[:, 20] = True
    assert np.array_equal(distance_m(features, 2.0), np.broadcast_to(2.0 * abs(np.arange(90.0) - 20), (150, 90)))
    corner = np.zeros((150, 90), bool)
    corner[75:, :20] = True
    far = distance_m(corner, 1.0)
    assert far[75 - 12, 19 + 5] == 13.0
    assert far[140, 89] == 70.0
    assert far[0, 3] == 75.0


def test_capped_distances() -> None:
    features = np.random.default_rng(5).random((300, 200)) < 2e-4
    features[10, 10] = True
    assert np.array_equal(distance_m(features, 30.0, max_distance_m=700.0), np.minimum(distance_m(features, 30.0), 700))


def test_no_feature_is_infinitely_far() -> None:
    assert np.isinf(distance_m(np.zeros((70, 5), bool), 30.0)).all()
    assert (distance_m(np.zeros((70, 5), bool), 30.0, max_distance_m=50.0) == 50).all()
    assert not distance_m(np.ones((70, 5), bool), 30.0).any()


def test_nonsense_is_refused() -> None:
    for size, cap in ((0.0, 1.0), (math.nan, 1.0), (1.0, 0.0), (1.0, math.nan)):
        with pytest.raises(ValueError, match="above 0"):
            distance_m(np.ones((2, 2), bool), size, max_distance_m=cap)
