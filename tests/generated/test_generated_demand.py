"""Generated demand: the shape of a Chinese city's year."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from layers.contracts import InputError, Origin, Weather
from layers.generated import demand_profile, generate_demand

DAYS = pd.date_range("2023-01-01", periods=365, freq="D")
MONTH = DAYS.month.to_numpy()


@pytest.fixture(scope="module")
def load() -> npt.NDArray[np.float64]:
    """Days x hours [MW]."""
    return generate_demand(peak_mw=3_000.0, seed=1).p_mw.reshape(365, 24)


@pytest.mark.parametrize("seed", range(8))
def test_load_factor_and_peak(seed: int) -> None:
    demand = generate_demand(peak_mw=3_000.0, seed=seed)
    assert demand.p_mw.shape == (8760,)
    assert demand.peak_mw == pytest.approx(3_000.0, rel=1e-12)
    assert demand.origin is Origin.GENERATED
    assert 0.53 <= demand.p_mw.mean() / demand.peak_mw <= 0.65
    assert demand.p_mw.min() > 0.25 * demand.peak_mw
    day, hour = divmod(int(demand.p_mw.argmax()), 24)
    assert MONTH[day] in (7, 8)
    assert 18 <= hour <= 21


def test_winter_is_the_second_peak(load: npt.NDArray[np.float64]) -> None:
    monthly = np.array([load[m == MONTH].max() for m in range(1, 13)])
    winter = max(monthly[[0, 1, 11]])
    assert winter > 1.1 * max(monthly[[3, 9]])
    assert winter < 0.95 * max(monthly[[6, 7]])


def test_spring_noon_is_the_lowest_noon(load: npt.NDArray[np.float64]) -> None:
    noon = np.array([load[m == MONTH][:, 12:14].mean() for m in range(1, 13)])
    assert noon.argmin() + 1 in (3, 4, 5)
    spring = load[(MONTH >= 3) & (MONTH <= 5)].mean(axis=0)
    assert spring[12:14].mean() < 0.93 * spring[9:11].mean()
    assert spring[12:14].mean() < 0.90 * spring[18:21].mean()


def test_spring_festival_is_the_deepest_fortnight(load: npt.NDArray[np.float64]) -> None:
    daily = load.mean(axis=1)
    # Chinese New Year 2023 is 22 January, day 21
    assert abs(int(daily.argmin()) - 21) <= 6
    before, during = daily[:6].mean(), daily[20:26].mean()
    assert during < 0.85 * before


def test_sundays_are_lower_than_weekdays(load: npt.NDArray[np.float64]) -> None:
    spring = (MONTH >= 4) & (MONTH <= 5)
    weekday = DAYS.weekday.to_numpy()
    ratio = load[spring & (weekday == 6)].mean() / load[spring & (weekday < 5)].mean()
    assert 0.92 < ratio < 0.97


def test_peak_scales_everything_and_seed_repeats() -> None:
    small, large = generate_demand(peak_mw=10.0, seed=4), generate_demand(peak_mw=1_000.0, seed=4)
    np.testing.assert_allclose(large.p_mw, 100 * small.p_mw, rtol=1e-12)
    assert small.p_mw.tobytes() == generate_demand(peak_mw=10.0, seed=4).p_mw.tobytes()
    assert small.p_mw.tobytes() != generate_demand(peak_mw=10.0, seed=5).p_mw.tobytes()


def weather(temperature: npt.NDArray[np.float64]) -> Weather:
    hours = pd.DataFrame({"temp_air_c": temperature})
    return Weather("a", 33.0, 116.0, 30.0, 10.0, 0.05, hours, Origin.GENERATED, "a")


def test_a_hot_day_of_the_weather_is_a_high_day_of_the_demand() -> None:
    profile = dataclasses.replace(demand_profile(), noise_share=0.0)
    mild = np.full(8760, 15.0)
    hot = mild.copy()
    hot[180 * 24 : 181 * 24] = 30.0
    # no cooling and no heating at 15 degC; day 180 is a Friday in June
    calm = generate_demand(peak_mw=1.0, seed=1, profile=profile, weather=weather(mild)).p_mw
    warm = generate_demand(peak_mw=1.0, seed=1, profile=profile, weather=weather(hot)).p_mw
    assert warm.argmax() // 24 == 180
    # 7.5 degrees above 22.5 at 5.6 % per degree, levelling off over 9 degrees: 9 tanh(7.5 / 9) = 6.1404 degrees,
    # which add 34.4 % to the day's energy before scaling to the peak
    others = np.arange(8760) // 24 != 180
    factor = (warm[others] / calm[others]).mean()
    day = slice(180 * 24, 181 * 24)
    assert warm[day].sum() / factor / calm[day].sum() == pytest.approx(1 + 6.1404 * 0.056, rel=1e-5)


@pytest.mark.parametrize(
    ("peak_mw", "year", "rules"),
    [
        (0.0, 2023, ["demand.peak"]),
        (float("nan"), 2024, ["demand.peak", "demand.leap_year"]),
        (5.0, 1999, ["demand.spring_festival"]),
    ],
)
def test_bad_request(peak_mw: float, year: int, rules: list[str]) -> None:
    with pytest.raises(InputError) as error:
        generate_demand(peak_mw=peak_mw, seed=1, year=year)
    assert [finding.rule for finding in error.value.findings] == rules


@pytest.mark.real_data
def test_year_agrees_with_the_provinces_modelled_demand(real_data) -> None:
    """Monthly energy of the generated city against Anhui's hourly series (peak 1)."""
    path = real_data / "load-cf-china-provinces" / "hourly_demand_31_provinces_mw.parquet"
    province = pd.read_parquet(path)["AH"].to_numpy(float)[:8760]
    city = generate_demand(peak_mw=1.0, seed=1).p_mw
    month = np.repeat(MONTH, 24)
    ours = np.array([city[month == m].mean() for m in range(1, 13)]) / city.mean()
    theirs = np.array([province[month == m].mean() for m in range(1, 13)]) / province.mean()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.75
    assert abs(city.mean() / city.max() - province.mean() / province.max()) < 0.06
