"""The compiled test of cell values is the plain one, for every kind of raster rule and every meaning of no value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.frame import Frame
from siting.contracts import Rule
from siting.rules.masks import test_raster, test_raster_into

FRAME = Frame("EPSG:4548", 30.0, 0.0, 6000.0, 37, 131)
RULES = {
    "raster_above": {"limit": 15.0},
    "raster_below": {"limit": 0.1},
    "raster_between": {"low": 3.3, "high": 15.0},
    "raster_outside": {"low": 3.3, "high": 15.0},
    "raster_classes": {"classes": ("3", "7", "15")},
    "raster_not_classes": {"classes": ("3", "7", "15")},
    "aspect_between": {"low": 315.0, "high": 45.0},
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("nodata", ["unknown", "excluded", "eligible"])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 999), gaps=st.sampled_from([0.0, 0.001, 0.3, 1.0]))
def test_equal_to_numpy(kind, nodata, seed, gaps) -> None:
    draw = np.random.default_rng(seed)
    scale = 400.0 if kind == "aspect_between" else 20.0
    values = draw.uniform(-1, scale, FRAME.shape).astype(np.float32)
    whole = draw.random(FRAME.shape) < 0.5
    values[whole] = np.floor(values[whole])  # values on the limits themselves
    values[draw.random(FRAME.shape) < gaps] = np.nan
    rule = Rule("r", "", "", "slope", (), kind=kind, nodata=nodata, nodata_reason="-", **RULES[kind])
    excluded, unsure = np.full((2, *FRAME.shape), 0x5A5A, np.uint16)
    doubts = test_raster_into(rule, values, FRAME, excluded, unsure)
    expected = test_raster(rule, values, FRAME)
    assert np.array_equal(excluded, expected[0])
    assert np.array_equal(unsure, expected[1])
    assert doubts == expected[1].any()


def test_limits_are_compared_in_the_raster_s_own_precision() -> None:
    """0.1 as float32 is above 0.1: a cell that holds it does not exceed a limit of 0.1."""
    values = np.full(FRAME.shape, 0.1, np.float32)
    rule = Rule("r", "", "", "slope", (), kind="raster_above", limit=0.1)
    excluded, unsure = np.empty((2, *FRAME.shape), np.uint16)
    assert not test_raster_into(rule, values, FRAME, excluded, unsure)
    assert not excluded.any()


def test_values_off_the_frame_are_refused() -> None:
    rule = Rule("r", "", "", "slope", (), kind="raster_above", limit=15.0)
    mask = np.empty(FRAME.shape, np.uint16)
    with pytest.raises(ValueError, match="not on a frame"):
        test_raster_into(rule, np.zeros((3, 3), np.float32), FRAME, mask, mask)
