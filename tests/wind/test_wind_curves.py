"""Power curves and storms: the traps of cut-out, by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import GENERIC, LIBRARY, TABLES, windy

from layers.contracts import InputError
from siting.wind.chain import WindOptions, wind_yield
from siting.wind.curves import (
    PowerCurve,
    curve_from_points,
    library_power_curve,
    power_curve,
    power_from_speed,
    rotor_power_curve,
    running,
)

ALL = [pytest.param(turbine, id=turbine.turbine) for turbine in TABLES.turbines]


@pytest.mark.parametrize("turbine", ALL)
def test_no_cut_out_in_curve_trap(turbine):
    """A curve that just ends (as the industry composite does at 25 m/s) must not hold its power above cut-out."""
    curve = power_curve(turbine)
    storm = np.array([np.nextafter(curve.cut_out_m_per_s, 99), 26.0, 30.0, 60.0])
    assert np.interp(storm, curve.speed_m_per_s, curve.power_share).max() > 0.4  # what plain interpolation would say
    np.testing.assert_array_equal(power_from_speed(storm, curve), 0)
    assert power_from_speed(np.array([curve.cut_out_m_per_s]), curve)[0] > 0.4


def test_two_values_at_one_speed_at_cut_out_trap():
    """25 m/s with full power and 25 m/s with none is one cut-out, whichever stands first."""
    for zero_first in (True, False):
        pair = [(25.0, 0.0), (25.0, 1.0)] if zero_first else [(25.0, 1.0), (25.0, 0.0)]
        speed, share = zip(*[(3.0, 0.0), (12.0, 1.0), *pair, (30.0, 0.0)], strict=True)
        curve = curve_from_points(speed, share, 40.0)
        assert curve.cut_out_m_per_s == 25.0
        assert (np.diff(curve.speed_m_per_s) > 0).all()
        power = power_from_speed(np.array([24.999, 25.0, 25.001, 27.0]), curve)
        np.testing.assert_array_equal(power, [1.0, 1.0, 0.0, 0.0])


def test_library_curves_with_a_tail_of_zeros():
    """E-101's list goes on with zeros from 25.5 to 35 m/s: the ramp between them is no power either."""
    turbine = dataclasses.replace(LIBRARY, library_type="E-101/3050", cut_out_m_per_s=40.0)
    curve = library_power_curve(turbine)
    assert curve.cut_out_m_per_s == 25.0
    assert curve.power_share[-1] > 0.9
    assert power_from_speed(np.array([25.2]), curve)[0] == 0


@pytest.mark.parametrize(
    ("speed", "share", "text"),
    [
        ([3.0], [0.0], "two points"),
        ([3.0, np.nan], [0.0, 1.0], "two points of numbers"),
        ([3.0, 12.0], [-0.1, 1.0], "negative"),
        ([3.0, 12.0], [0.0, 0.0], "with power"),
        ([3.0, 8.0, 8.0, 12.0], [0.0, 0.4, 0.6, 1.0], "two values at 8 m/s"),
    ],
)
def test_points_that_are_no_curve(speed, share, text):
    with pytest.raises(ValueError, match=text):
        curve_from_points(speed, share, 25.0)
    with pytest.raises(InputError, match="no power curve"):
        power_curve(dataclasses.replace(TABLES.turbine("atb_5500_175"), points=tuple(zip(speed, share, strict=True))))


def test_smoothing_makes_output_at_zero_trap():
    """Turbulence spreads the wind, also around 0 m/s: calm air and wind below cut-in still give nothing."""
    for turbulence in (0.05, 0.15, 0.29):
        curve = rotor_power_curve(dataclasses.replace(GENERIC, turbulence_share=turbulence))
        calm = np.array([0.0, 0.5, 1.0, 2.0, 2.89])
        np.testing.assert_array_equal(power_from_speed(calm, curve), 0)
        assert power_from_speed(np.array([3.0]), curve)[0] > 0


def test_table_curves_are_their_source():
    composite, reference = power_curve(TABLES.turbine("iec3_composite")), power_curve(TABLES.turbine("atb_5500_175"))
    assert power_from_speed(np.array([7.0]), composite)[0] == 0.433686544
    assert power_from_speed(np.array([8.0]), reference)[0] == pytest.approx(2990 / 5500, abs=1e-6)
    # cp at 8 m/s by the reference's own column: 0.396395902
    area = np.pi / 4 * 175**2
    cp = 2990e3 / (0.5 * 1.225 * area * 8**3)
    assert cp == pytest.approx(0.396395902, abs=1e-4)


def test_hysteresis_by_hand():
    """Stopped above 20 m/s, back on at 17 m/s."""
    speed = np.array([18.0, 20.0, 21.0, 19.0, 17.5, 17.0, 19.0, 20.5, 16.0])
    runs = running(speed, 20.0, 17.0)
    assert runs.tolist() == [True, True, False, False, False, True, True, False, True]
    assert running(speed, 20.0, np.nan).tolist() == [v <= 20 for v in speed]
    assert running(speed, 20.0, 20.0).tolist() == [v <= 20 for v in speed]


@settings(max_examples=150, deadline=None)
@given(speed=st.lists(st.floats(0, 40), min_size=1, max_size=60).map(np.array), back=st.floats(1, 20))
def test_hysteresis_against_a_loop(speed, back):
    stopped, expected = False, []
    for v in speed:
        stopped = v > 20 or (stopped and v > back)
        expected.append(not stopped)
    assert running(speed, 20.0, back).tolist() == expected
    both = running(np.stack([speed, speed[::-1]]), 20.0, back)
    assert both[0].tolist() == expected
    assert both[1].tolist() == running(speed[::-1], 20.0, back).tolist()


def test_storms_cost_energy_only_with_hysteresis():
    gale = windy(9.0)
    with_wait = wind_yield(gale, GENERIC)
    without = wind_yield(gale, GENERIC, options=WindOptions(hysteresis=False))
    assert with_wait.stages["high_wind_restart"] < 0.99 * with_wait.stages["reference_yield"]
    assert "high_wind_restart" not in without.stages
    assert without.power.sum() > with_wait.power.sum()
    assert with_wait.power.max() == pytest.approx(1.0)


@settings(max_examples=100, deadline=None)
@given(turbine=st.sampled_from(TABLES.turbines), speed=st.lists(st.floats(0, 60), min_size=1, max_size=30))
def test_never_above_rating_zero_below_cut_in_vector_is_scalar(turbine, speed):
    curve, speed = power_curve(turbine), np.array(speed)
    power = power_from_speed(speed, curve)
    assert ((power >= 0) & (power <= 1)).all()
    # a curve rises from its last point without power; one without such a point starts at its first
    first = max(int(np.flatnonzero(curve.power_share > 0)[0]) - 1, 0)
    assert (power[speed < curve.speed_m_per_s[first]] == 0).all()
    assert first > 0 or curve.speed_m_per_s[0] >= 1
    alone = [power_from_speed(np.array([v]), curve)[0] for v in speed]
    np.testing.assert_array_equal(power, alone)


def test_curve_stops_at_the_rating():
    over = PowerCurve(np.array([3.0, 12.0]), np.array([0.0, 1.02]), 12.0)
    assert power_from_speed(np.array([12.0]), over)[0] == 1.0
