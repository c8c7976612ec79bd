"""Wind at another height: by hand, at its limits, over two kinds of ground."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import windy

from layers.contracts import InputError
from siting.technologies.wind import load_roughness, roughness_of_class
from siting.wind.chain import WindOptions, hub_speed
from siting.wind.shear import (
    BLENDING_HEIGHT_M,
    floored_roughness,
    roughness_of_land,
    speed_at_height,
    speed_over_other_ground,
    two_level_exponent,
    two_level_speed,
)


def test_two_levels_by_hand():
    # 4 m/s at 10 m, 6 m/s at 100 m: exponent ln(1.5)/ln(10) = 0.176091; at 140 m 6 * 1.4^0.176091 = 6.36624
    low, high = np.array([4.0]), np.array([6.0])
    assert two_level_exponent(low, high, 10, 100)[0] == pytest.approx(0.176091, abs=1e-6)
    assert two_level_speed(low, high, 10, 100, 140)[0] == pytest.approx(6.36624, abs=1e-5)
    assert two_level_speed(low, high, 10, 100, 100)[0] == 6.0
    assert two_level_speed(low, high, 10, 100, 10)[0] == 4.0


def test_prefer_two_level_shear_trap():
    """From 10 m the roughness decides everything; with a measured 100 m level it decides nothing."""
    weather = windy(4.0)
    high = 1.45 * weather.hours["wind_speed_m_per_s"]
    tall = dataclasses.replace(
        weather, hours=weather.hours.assign(wind_speed_second_m_per_s=high), second_wind_height_m=100.0
    )
    rough = dataclasses.replace(tall, roughness_length_m=1.0)
    np.testing.assert_array_equal(hub_speed(tall, 140.0), hub_speed(rough, 140.0))
    expected = 1.45 * 1.4 ** (math.log(1.45) / math.log(10)) * weather.hours["wind_speed_m_per_s"].mean()
    assert hub_speed(tall, 140.0).mean() == pytest.approx(expected, rel=2e-3)
    one_level = [hub_speed(w, 140.0, WindOptions(shear="log")).mean() for w in (tall, rough)]
    assert one_level[1] > 1.2 * one_level[0]


def test_second_level_may_be_the_lower_one():
    weather = windy(4.0)
    low = weather.hours["wind_speed_m_per_s"] / 1.45
    upside = dataclasses.replace(
        weather,
        wind_height_m=100.0,
        second_wind_height_m=10.0,
        hours=weather.hours.assign(wind_speed_second_m_per_s=low),
    )
    at_level = hub_speed(upside, 100.0)
    np.testing.assert_array_equal(at_level, weather.hours["wind_speed_m_per_s"])
    assert hub_speed(upside, 140.0).mean() > at_level.mean()


def test_two_levels_asked_for_and_not_there():
    with pytest.raises(ValueError, match="no second level"):
        hub_speed(windy(4.0), 140.0, WindOptions(shear="two_level"))
    gap = windy(4.0)
    gap = dataclasses.replace(gap, second_wind_height_m=100.0, hours=gap.hours.assign(wind_speed_second_m_per_s=np.nan))
    np.testing.assert_array_equal(hub_speed(gap, 140.0), hub_speed(windy(4.0), 140.0))


def test_calm_hours_take_the_usual_exponent():
    low, high = np.array([0.0, 0.5, 4.0, 4.0]), np.array([3.0, 0.1, 6.0, 6.0])
    exponent = two_level_exponent(low, high, 10, 100)
    assert exponent == pytest.approx(np.full(4, math.log(1.5) / math.log(10)))
    assert two_level_exponent(np.zeros(3), np.zeros(3), 10, 100) == pytest.approx(np.full(3, 1 / 7))
    with pytest.raises(ValueError, match="in order"):
        two_level_exponent(low, high, 100, 10)


@settings(max_examples=100, deadline=None)
@given(low=st.floats(0, 40), high=st.floats(0, 40), target=st.floats(10, 250))
def test_two_levels_are_finite_and_never_negative(low, high, target):
    speed = two_level_speed(np.array([low]), np.array([high]), 10, 100, target)
    assert np.isfinite(speed).all()
    assert speed[0] >= 0


def test_log_law_roughness_trap():
    """Roughness of zero, below zero or NaN is open water: never NaN, never a wind that turns its sign."""
    water = speed_at_height(np.array([5.0]), 10, 100, 2e-4)
    for roughness in (0.0, -0.3, math.nan, 1e-30):
        assert floored_roughness(roughness) == 2e-4
        np.testing.assert_array_equal(speed_at_height(np.array([5.0]), 10, 100, roughness), water)
    for roughness in (10.0, 99.0):
        with pytest.raises(ValueError, match="above the roughness length"):
            speed_at_height(np.array([5.0]), 10, 100, roughness)


def test_other_ground_by_hand():
    # station z0 0.1: 60 m is ln(600)/ln(100) = 1.389076 of 10 m; site z0 0.0002: 140 m is
    # ln(700000)/ln(300000) = 1.067176 of 60 m
    speed = speed_over_other_ground(np.array([4.0]), 10, 140, 0.1, 0.0002)
    assert speed[0] == pytest.approx(4 * 1.389076 * 1.067184, rel=1e-5)
    same = speed_over_other_ground(np.array([4.0]), 10, 140, 0.1, 0.1)
    assert same[0] == pytest.approx(speed_at_height(np.array([4.0]), 10, 140, 0.1)[0], rel=1e-12)
    above = speed_over_other_ground(np.array([4.0]), BLENDING_HEIGHT_M + 40, 140, 0.1, 0.5)
    assert above[0] == pytest.approx(speed_at_height(np.array([4.0]), 100, 140, 0.5)[0], rel=1e-12)


def test_rough_site_has_less_wind_below_and_more_shear_above():
    speed = [speed_over_other_ground(np.array([4.0]), 10, h, 0.1, 1.0)[0] for h in (30, 60, 140)]
    smooth = [speed_over_other_ground(np.array([4.0]), 10, h, 0.1, 0.005)[0] for h in (30, 60, 140)]
    assert speed[0] < smooth[0]
    assert speed[1] == pytest.approx(smooth[1])
    assert speed[2] > smooth[2]


def test_roughness_classes():
    rows = load_roughness()
    lengths = [row.roughness_length_m for row in rows]
    assert lengths == sorted(lengths)
    assert lengths[0] == 2e-4
    assert roughness_of_class("farmland") == 0.1
    with pytest.raises(InputError, match="Did you mean 'farmland'"):
        roughness_of_class("farmlend")
    by_name = {row.land_class: row.roughness_length_m for row in rows}
    # geometric mean of equal halves of 0.1 and 1.0 m: 0.316228 m
    assert roughness_of_land({"farmland": 2.0, "forest": 2.0}, by_name) == pytest.approx(0.316228, abs=1e-6)
    assert roughness_of_land({"water": 1.0}, by_name) == pytest.approx(2e-4)
    for shares in ({"water": 0.0}, {"water": -1.0, "forest": 2.0}):
        with pytest.raises(ValueError, match="shares"):
            roughness_of_land(shares, by_name)
    with pytest.raises(KeyError):
        roughness_of_land({"lava": 1.0}, by_name)
