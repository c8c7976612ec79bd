"""Resampling keeps energy, is one linear rule for all columns, and gaps follow their rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import CHINA_STANDARD_TIME
from layers.weather_checks import detect_sun_timing, mean_cos_zenith
from layers.weather_gaps import fill_gaps, runs
from layers.weather_resample import means_from_readings, resample_mean, spread_by_sun

LATITUDE, LONGITUDE = 30.0, 120.0
LENGTHS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180)


def series(values: list[float], minutes: int) -> pd.DataFrame:
    index = pd.date_range("2023-06-01", periods=len(values), freq=f"{minutes}min", tz=CHINA_STANDARD_TIME)
    return pd.DataFrame({"a": values, "b": values[::-1]}, index=index, dtype=float)


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.floats(0, 1000), min_size=12, max_size=48),
    old=st.sampled_from(LENGTHS),
    new=st.sampled_from(LENGTHS),
)
def test_energy_is_kept_between_any_two_steps(values: list[float], old: int, new: int) -> None:
    """Energy of the new intervals is that of the same span of the old ones; means stay within the old extremes."""
    before = series(values, old)
    after = resample_mean(before, pd.Timedelta(minutes=new))
    span_min = len(after) * new
    whole, part = divmod(span_min / old, 1)
    padded = np.append(before["a"].to_numpy(), 0.0)
    energy = padded[: int(whole)].sum() * old + part * padded[int(whole)] * old
    assert after["a"].sum() * new == pytest.approx(energy, rel=1e-9, abs=1e-6)
    assert span_min > len(before) * old - new
    if len(after):
        assert after["a"].max() <= max(values) + 1e-6
        assert after["a"].min() >= min(values) - 1e-6


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(0, 1000), min_size=12, max_size=48), new=st.sampled_from(LENGTHS))
def test_coincident_peaks_stay_coincident(values: list[float], new: int) -> None:
    """One linear rule: the resampled sum is the sum of the resampled, so no peak of a sum is lost or made."""
    before = series(values, 15)
    after = resample_mean(before, pd.Timedelta(minutes=new))
    total = resample_mean(before.assign(c=before["a"] + before["b"])[["c"]], pd.Timedelta(minutes=new))
    np.testing.assert_allclose(total["c"], after["a"] + after["b"], atol=1e-6)


def test_four_quarters_by_hand() -> None:
    """(0 + 100 + 200 + 300) / 4 = 150; an hour with an unknown quarter is unknown."""
    hours = resample_mean(series([0, 100, 200, 300, 400, np.nan, 0, 0], 15), pd.Timedelta(hours=1))
    assert hours["a"].iloc[0] == 150.0
    assert np.isnan(hours["a"].iloc[1])


def test_there_and_back_again() -> None:
    before = series(list(np.random.default_rng(1).uniform(0, 900, 48)), 60)
    fine = resample_mean(before, pd.Timedelta(minutes=15))
    pd.testing.assert_frame_equal(resample_mean(fine, pd.Timedelta(hours=1)), before, check_freq=False)


def test_spreading_follows_the_sun_and_keeps_the_energy() -> None:
    index = pd.date_range("2023-06-01", periods=24, freq="h", tz=CHINA_STANDARD_TIME)
    ghi = 900 * mean_cos_zenith(LATITUDE, LONGITUDE, 30.0)[151 * 24 : 152 * 24]
    before = pd.DataFrame({"ghi_w_per_m2": ghi, "temp_air_c": np.arange(24.0)}, index=index)
    fine = spread_by_sun(before, pd.Timedelta(minutes=15), LATITUDE, LONGITUDE, by_sun=("ghi_w_per_m2",))
    back = resample_mean(fine, pd.Timedelta(hours=1))
    np.testing.assert_allclose(back["ghi_w_per_m2"], ghi, atol=1e-9)
    morning = fine["ghi_w_per_m2"].iloc[7 * 4 : 8 * 4].to_numpy()
    assert (np.diff(morning) > 0).all()
    assert (fine["temp_air_c"].iloc[28:32] == 7.0).all()


@pytest.mark.parametrize("minute", [0.0, 10.0, 15.0, 60.0])
def test_readings_become_means_of_the_hour(minute: float) -> None:
    """A clear sky whose truth is known: means of the hour come out of readings within a per cent."""
    at, mid = (mean_cos_zenith(LATITUDE, LONGITUDE, m) for m in (minute, 30.0))
    ghi, dhi, dni = means_from_readings(
        800 * at, 100 * at, np.where(at > 0.02, 700.0, 0.0), LATITUDE, LONGITUDE, minute
    )
    assert ghi.sum() == pytest.approx(800 * mid.sum(), rel=2e-3)
    high = mid > 0.2
    np.testing.assert_allclose(ghi[high], (800 * mid)[high], rtol=0.01)
    np.testing.assert_allclose(dni[high], 700.0, rtol=0.03)
    np.testing.assert_allclose(ghi, dhi + dni * np.where(mid > 0.02, mid, 0), atol=1e-9)
    assert (dhi >= -1e-9).all()
    assert abs(detect_sun_timing(ghi, dni, dhi, LATITUDE, LONGITUDE).minutes - 30) <= 5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), minute=st.sampled_from((-10.0, 0.0, 10.0, 60.0)))
def test_readings_keep_the_energy_of_each_day_and_never_turn_negative(seed: int, minute: float) -> None:
    clear = np.random.default_rng(seed).uniform(0.05, 1.0, 8760)
    sun = mean_cos_zenith(LATITUDE, LONGITUDE, minute)
    dni = np.where(sun > 0.02, 800 * clear, 0.0)
    filed = 120 * sun + dni * sun
    ghi, dhi, normal = means_from_readings(filed, 120 * sun, dni, LATITUDE, LONGITUDE, minute)
    np.testing.assert_allclose(ghi.reshape(365, 24).sum(axis=1), filed.reshape(365, 24).sum(axis=1), rtol=1e-6)
    assert (ghi >= 0).all()
    assert (dhi >= -1e-9).all()
    assert (normal >= 0).all()
    assert normal.max() <= dni.max() + 1e-9


def year(**columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.date_range("2023-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME))


def test_short_gaps_of_radiation_follow_the_sun() -> None:
    """Half of the sun above the air before and after: half of it inside, whatever the hour."""
    ghi = 600 * mean_cos_zenith(LATITUDE, LONGITUDE, 30.0)
    holed = ghi.copy()
    holed[4000:4003] = np.nan  # 16 June, 16:00 to 18:00: the sun goes down, a straight line would be wrong
    filled = fill_gaps(year(ghi_w_per_m2=holed), LATITUDE, LONGITUDE, ("ghi_w_per_m2",))
    np.testing.assert_allclose(filled.hours["ghi_w_per_m2"], ghi, rtol=1e-9)
    assert [(f.first, f.hours, f.rule) for f in filled.fills] == [(4000, 3, "between neighbours")]
    assert filled.refused == ()


def test_long_gaps_take_the_same_hour_of_the_days_around() -> None:
    temp = np.arange(8760.0)
    holed = temp.copy()
    holed[48:60] = np.nan
    filled = fill_gaps(year(temp_air_c=holed), LATITUDE, LONGITUDE, ("temp_air_c",))
    np.testing.assert_allclose(filled.hours["temp_air_c"], temp)  # the mean of a day before and a day after
    (fill,) = filled.fills
    assert fill.words(filled.hours.index) == "01-03 00:00 to 01-03 11:00 (12 h)"


def test_gaps_beyond_the_rules_are_refused_and_stay() -> None:
    values = np.ones(8760)
    values[1000:1500] = np.nan  # 5.7 %
    refused = fill_gaps(year(temp_air_c=values), LATITUDE, LONGITUDE, ("temp_air_c",))
    assert refused.refused == (("temp_air_c", pytest.approx(500 / 8760)),)
    assert refused.hours["temp_air_c"].isna().sum() == 500
    values = np.ones(8760)
    values[1000:1430] = np.nan  # 4.9 %, but 18 days: the eighth to the eleventh have no neighbour within ten days
    assert fill_gaps(year(temp_air_c=values), LATITUDE, LONGITUDE, ("temp_air_c",)).refused == ()
    values[1000 - 240 : 1000] = np.nan
    assert fill_gaps(year(temp_air_c=values), LATITUDE, LONGITUDE, ("temp_air_c",)).refused != ()


@given(flags=st.lists(st.booleans(), max_size=60))
def test_runs_are_the_flags(flags: list[bool]) -> None:
    back = np.zeros(len(flags), bool)
    for first, count in runs(np.array(flags, bool)):
        assert not back[max(first - 1, 0) : first].any()
        back[first : first + count] = True
    assert back.tolist() == flags
