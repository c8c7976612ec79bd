"""The sun of many places from shared time terms: pvlib's SPA to 1e-6 degree, sunrise and sunset hours included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_samples import year

from siting.pv.sun import Sun, sun_clock, sun_of_hours
from siting.pv.sun_kernels import sunlit_part

PLACES = [(33.87, 115.77, 38.0), (30.2, 120.2, 8.0), (52.9, 122.5, 300.0), (18.3, 109.5, 5.0), (38.5, 75.9, 4500.0)]


def spa(times: pd.DatetimeIndex, latitude: float, longitude: float, altitude: float) -> pd.DataFrame:
    return pvlib.solarposition.get_solarposition(times, latitude, longitude, altitude, method="nrel_numpy")


@pytest.mark.parametrize(("latitude", "longitude", "altitude"), PLACES)
def test_whole_hours_are_spa_at_mid_hour(latitude: float, longitude: float, altitude: float):
    labels = year()
    sun = sun_of_hours(labels, latitude, longitude, altitude)
    theirs = spa(labels + pd.Timedelta(30, "min"), latitude, longitude, altitude)
    whole = (sun.lit_share == 0) | (sun.lit_share == 1)
    assert np.abs(sun.zenith_deg - theirs["apparent_zenith"].to_numpy())[whole].max() < 1e-6
    turn = np.abs(sun.azimuth_deg - theirs["azimuth"].to_numpy())[whole]
    assert np.minimum(turn, 360 - turn).max() < 1e-6
    extra = pvlib.irradiance.get_extra_radiation(labels + pd.Timedelta(30, "min"))
    np.testing.assert_array_equal(sun.extra_w_per_m2, extra)


@pytest.mark.parametrize(("latitude", "longitude", "altitude"), PLACES)
def test_partly_lit_hours_are_spa_in_the_middle_of_the_lit_part(latitude: float, longitude: float, altitude: float):
    labels = year()[:2400]
    sun = sun_of_hours(labels, latitude, longitude, altitude)
    partly = np.flatnonzero((sun.lit_share > 0) & (sun.lit_share < 1))
    assert 150 < partly.size < 210
    geometric = np.stack(
        [
            spa(labels[partly] + pd.Timedelta(minutes, "min"), latitude, longitude, altitude)["elevation"] + 0.573
            for minutes in (0, 30, 60)
        ]
    )
    parts = [sunlit_part(*column) for column in geometric.T]
    np.testing.assert_allclose(sun.lit_share[partly], [share for share, _ in parts], atol=1e-7)
    seconds = np.array([3600 * centre for _, centre in parts])
    theirs = spa(labels[partly] + pd.to_timedelta(seconds, unit="s"), latitude, longitude, altitude)
    # half a microsecond of rounding in the times turns the sun by 2e-9 degree
    assert np.abs(sun.zenith_deg[partly] - theirs["apparent_zenith"].to_numpy()).max() < 1e-6
    assert np.abs(sun.azimuth_deg[partly] - theirs["azimuth"].to_numpy()).max() < 1e-6


def test_one_clock_serves_all_places():
    labels = year()
    clock = sun_clock(labels)
    assert sun_clock(labels) is clock
    for place in PLACES:
        alone = sun_of_hours(labels, *place)
        shared = sun_of_hours(labels, *place, clock=clock)
        np.testing.assert_array_equal(alone.zenith_deg, shared.zenith_deg)


def test_hours_need_not_follow_on_each_other():
    labels = year()
    some = labels[[5, 7, 4000, 4001, 8000]]
    whole, part = sun_of_hours(labels, *PLACES[0]), sun_of_hours(some, *PLACES[0])
    np.testing.assert_allclose(part.zenith_deg, whole.zenith_deg[[5, 7, 4000, 4001, 8000]], atol=1e-9)
    one = sun_of_hours(labels[11:12], *PLACES[0])
    np.testing.assert_allclose(one.azimuth_deg, whole.azimuth_deg[11:12], atol=1e-9)


def test_time_zone_of_the_index_does_not_matter():
    labels = year(240)
    here, there = sun_of_hours(labels, *PLACES[0]), sun_of_hours(labels.tz_convert("UTC"), *PLACES[0])
    np.testing.assert_array_equal(here.zenith_deg, there.zenith_deg)
    np.testing.assert_array_equal(here.extra_w_per_m2, there.extra_w_per_m2)


def test_half_hour_time_zones_are_not_rounded_trap():
    """An index at 05:30 has its middle at the full hour; a zone cut to whole hours would be 7.5 degrees off."""
    labels = pd.date_range("2023-06-01 05:30", periods=8, freq="h", tz="Asia/Kolkata")
    sun = sun_of_hours(labels, 26.0, 80.0, 100.0)
    theirs = spa(labels + pd.Timedelta(30, "min"), 26.0, 80.0, 100.0)
    full = sun.lit_share == 1
    assert full.sum() >= 7
    np.testing.assert_allclose(sun.zenith_deg[full], theirs["apparent_zenith"].to_numpy()[full], atol=1e-6)


def test_spencer_is_no_substitute_trap():
    """The cheaper declination series is off by tenths of a degree; ours is not."""
    labels = year()
    middle = labels + pd.Timedelta(30, "min")
    theirs = spa(middle, *PLACES[0])
    sun = sun_of_hours(labels, *PLACES[0])
    whole = sun.lit_share == 1
    day = middle.dayofyear
    declination = pvlib.solarposition.declination_spencer71(day)
    hour = pvlib.solarposition.hour_angle(middle, PLACES[0][1], pvlib.solarposition.equation_of_time_spencer71(day))
    cheap = np.rad2deg(
        pvlib.solarposition.solar_zenith_analytical(np.deg2rad(PLACES[0][0]), np.deg2rad(hour), declination)
    )
    assert np.abs(cheap - theirs["zenith"].to_numpy())[whole].max() > 0.1
    assert np.abs(sun.zenith_deg - theirs["apparent_zenith"].to_numpy())[whole].max() < 1e-6


def test_labels_without_a_zone_are_refused():
    with pytest.raises(ValueError, match="no time zone"):
        sun_of_hours(pd.date_range("2023-01-01", periods=3, freq="h"), 30.0, 120.0, 0.0)


@settings(max_examples=200, deadline=None)
@given(*(st.integers(-1000, 1000).map(lambda k: k / 100) for _ in range(3)))
def test_the_lit_part_against_a_fine_sum(start: float, middle: float, end: float):
    """Straight lines from start to middle to end, summed in 20 000 pieces."""
    at = (np.arange(20_000) + 0.5) / 20_000
    line = np.interp(at, [0, 0.5, 1], [start, middle, end])
    share, centre = sunlit_part(start, middle, end)
    assert share == pytest.approx((line > 0).mean(), abs=2e-4)
    if share > 0.05:
        assert centre == pytest.approx(at[line > 0].mean(), abs=5e-3)


def test_the_vector_is_that_of_the_angles():
    labels = year()
    sun = sun_of_hours(labels, *PLACES[0])
    plain = Sun(sun.zenith_deg, sun.azimuth_deg, sun.extra_w_per_m2, sun.lit_share)
    np.testing.assert_allclose(sun.vector(), plain.vector(), atol=1e-9)
    quick = sun_of_hours(labels, *PLACES[0], angles=False)
    np.testing.assert_array_equal(quick.lit_share, sun.lit_share)
    lit = sun.lit_share > 0
    np.testing.assert_array_equal(quick.vector()[:, lit], sun.vector()[:, lit])
    assert np.isnan(quick.zenith_deg).all()
    assert (quick.vector()[2][~lit] < 0.02).all()
