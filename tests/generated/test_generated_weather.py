"""Generated weather: months as the normals say, hours as real hours behave."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import weibull_min

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, InputError, Origin, Weather
from layers.generated import generate_weather, weather_profile
from layers.generated.weather import clear_sky

NORMALS = pd.read_csv(Path(__file__).parents[2] / "data" / "raw" / "climate-normals.csv")
PLACES = sorted(NORMALS["place"].unique())
HOURS = pd.date_range("2023-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)
MONTH = HOURS.month.to_numpy()
DAY_MONTH = MONTH[::24]


def normals(place: str) -> pd.DataFrame:
    return NORMALS[NORMALS["place"] == place]


def make(place: str = "Bozhou", seed: int = 1, cell_id: str = "a", **changes: object) -> Weather:
    rows = normals(place)
    first = rows.iloc[0]
    arguments = {
        "cell_id": cell_id,
        "latitude": float(first["lat"]),
        "longitude": float(first["lon"]),
        "altitude_m": float(first["alt_m"]),
        "seed": seed,
    }
    return generate_weather(rows, **(arguments | changes))


@pytest.fixture(scope="module")
def bozhou() -> Weather:
    return make()


@pytest.fixture(scope="module")
def sky():
    return clear_sky(HOURS, 33.87, 115.77, 37.7)


def correlation(values: npt.NDArray[np.float64]) -> float:
    """Correlation of each value with the next."""
    return float(np.corrcoef(values[1:], values[:-1])[0, 1])


@pytest.mark.parametrize("place", PLACES)
def test_months_are_the_normals(place: str) -> None:
    weather = make(place)
    WEATHER_HOURS.validate(weather.hours)
    rows = normals(place).set_index("month")
    mean = weather.hours.groupby(MONTH).mean()
    np.testing.assert_allclose(mean["ghi_w_per_m2"] * 0.024, rows["ghi_kwh_m2_day"], rtol=1e-9)
    np.testing.assert_allclose(mean["dhi_w_per_m2"] * 0.024, rows["dhi_kwh_m2_day"], rtol=1e-9)
    np.testing.assert_allclose(mean["temp_air_c"], rows["temp_air_mean_c"], atol=1e-9)
    np.testing.assert_allclose(mean["wind_speed_m_per_s"], rows["wind_speed_10m_mean_m_s"], rtol=1e-9)
    span = np.ptp(weather.hours["temp_air_c"].to_numpy().reshape(365, 24), axis=1)
    ranges = [span[m == DAY_MONTH].mean() for m in range(1, 13)]
    np.testing.assert_allclose(ranges, rows["temp_air_daily_range_c"], rtol=0.02)


def test_record_says_what_it_is(bozhou: Weather) -> None:
    assert bozhou.origin is Origin.GENERATED
    assert bozhou.wind_height_m == 10.0
    assert bozhou.hours.index.equals(HOURS)
    assert "Generated" in bozhou.title
    # standard atmosphere at 37.7 m: 101 325 (1 - 2.25577e-5 h)^5.25588 = 100 873 Pa
    assert bozhou.hours["pressure_pa"].to_numpy() == pytest.approx(np.full(8760, 100_873), abs=5)


def test_closure_with_the_sun_at_mid_interval(bozhou: Weather) -> None:
    """Trap: sun position at mid-interval."""
    import pvlib

    middle = HOURS + pd.Timedelta(minutes=30)
    zenith = pvlib.solarposition.get_solarposition(middle, 33.87, 115.77, altitude=37.7)["zenith"].to_numpy()
    hours = bozhou.hours
    beam = hours["dni_w_per_m2"].to_numpy() * np.maximum(np.cos(np.radians(zenith)), 0)
    gap = hours["ghi_w_per_m2"].to_numpy() - hours["dhi_w_per_m2"].to_numpy() - beam
    assert np.abs(gap).max() < 0.05


@pytest.mark.parametrize("place", PLACES)
def test_light_stays_within_physics(place: str) -> None:
    weather = make(place)
    ghi, dni, dhi = (weather.hours[f"{c}_w_per_m2"].to_numpy() for c in ("ghi", "dni", "dhi"))
    sky = clear_sky(HOURS, weather.latitude, weather.longitude, weather.altitude_m)
    assert (dhi <= ghi + 1e-9).all()
    assert (ghi <= sky.clean_ghi + 1e-6).all()
    assert (dni <= sky.clean_dni + 1e-6).all()
    assert ghi.max() < 1_150


def test_sunrise_hours_have_no_runaway_beam(bozhou: Weather, sky) -> None:
    """Trap: blow-ups at low sun; the hour of sunrise divides little light by almost nothing."""
    low = (sky.cos_zenith > 0) & (sky.cos_zenith < 0.1)
    assert low.sum() > 300
    dni = bozhou.hours["dni_w_per_m2"].to_numpy()
    assert dni[low].max() < 0.75 * dni.max()
    down = sky.cos_zenith <= 0
    assert (dni[down] == 0).all()


def test_nights_are_dark(bozhou: Weather) -> None:
    hour = HOURS.hour.to_numpy()
    night = (hour >= 21) | (hour <= 3)
    assert (bozhou.hours.loc[night, ["ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2"]].to_numpy() == 0).all()


def test_clear_days_are_symmetric_about_solar_noon(bozhou: Weather, sky) -> None:
    import pvlib

    ghi = bozhou.hours["ghi_w_per_m2"].to_numpy().reshape(365, 24)
    index = ghi.sum(axis=1) / sky.clear_ghi.reshape(365, 24).sum(axis=1)
    clearest = np.argsort(-index)[:25]
    middle = np.arange(24) + 0.5
    centroid = (ghi[clearest] * middle).sum(axis=1) / ghi[clearest].sum(axis=1)
    noon_utc = HOURS[12::24][clearest].tz_convert("UTC").normalize()
    transit = pvlib.solarposition.sun_rise_set_transit_spa(noon_utc, 33.87, 115.77)["transit"]
    local = transit.dt.tz_convert(CHINA_STANDARD_TIME)
    noon = local.dt.hour + local.dt.minute / 60 + local.dt.second / 3600
    # a label at the wrong end of the interval would show as half an hour
    assert np.abs((centroid - noon.to_numpy()).mean()) < 0.1
    assert np.abs(centroid - noon.to_numpy()).max() < 0.35


def test_days_differ_as_days_do(bozhou: Weather, sky) -> None:
    ghi = bozhou.hours["ghi_w_per_m2"].to_numpy().reshape(365, 24).sum(axis=1)
    index = ghi / sky.clear_ghi.reshape(365, 24).sum(axis=1)
    assert 0.22 < index.std() < 0.33
    assert (index < 0.3).mean() > 0.05
    assert (index > 0.9).mean() > 0.15
    assert 0.25 < correlation(index) < 0.6


def test_hours_differ_within_a_broken_day(bozhou: Weather, sky) -> None:
    noon = (HOURS.hour >= 9) & (HOURS.hour <= 15)
    index = (bozhou.hours["ghi_w_per_m2"].to_numpy()[noon] / sky.clear_ghi[noon]).reshape(365, 7)
    daily = index.mean(axis=1)
    broken, closed = (daily > 0.4) & (daily < 0.7), daily < 0.15
    assert index[broken].std(axis=1).mean() > 0.06
    assert index[closed].std(axis=1).mean() < 0.05


def test_temperature_has_a_day_and_a_year(bozhou: Weather) -> None:
    days = bozhou.hours["temp_air_c"].to_numpy().reshape(365, 24)
    assert days.mean(axis=0).argmax() in (14, 15)
    assert days.mean(axis=0).argmin() in (5, 6, 7)
    assert days.mean(axis=1).argmin() // 30 in (0, 1, 11, 12)
    # no jumps, neither at midnight nor at the end of a month
    assert np.abs(np.diff(days.ravel())).max() < 4.5


def test_clear_days_swing_more(bozhou: Weather) -> None:
    span = np.ptp(bozhou.hours["temp_air_c"].to_numpy().reshape(365, 24), axis=1)
    ghi = bozhou.hours["ghi_w_per_m2"].to_numpy().reshape(365, 24).sum(axis=1)
    within = [np.corrcoef(span[m == DAY_MONTH], ghi[m == DAY_MONTH])[0, 1] for m in range(1, 13)]
    assert np.mean(within) > 0.5


def test_wind_is_weibull_persistent_and_strongest_in_the_afternoon() -> None:
    shapes, persistence = [], []
    for seed in range(4):
        speed = make(seed=seed).hours["wind_speed_m_per_s"].to_numpy()
        shapes.append(weibull_min.fit(speed, floc=0)[0])
        persistence.append(correlation(speed))
        profile = speed.reshape(365, 24).mean(axis=0) / speed.mean()
        assert profile.argmax() in (13, 14, 15)
        assert (profile.max() - profile.min()) / 2 == pytest.approx(0.22, abs=0.07)
        assert 7 < speed.max() < 16
    assert np.mean(shapes) == pytest.approx(2.0, abs=0.12)
    assert all(0.88 < p < 0.96 for p in persistence)


@settings(max_examples=4, deadline=None)
@given(k=st.floats(1.5, 3.0))
def test_weibull_shape_follows_the_profile(k: float) -> None:
    profile = dataclasses.replace(weather_profile(), weibull_k=k, wind_persistence=0.0)
    flat = normals("Bozhou").assign(wind_speed_10m_mean_m_s=3.0)
    speed = generate_weather(
        flat, cell_id="a", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=3, profile=profile
    ).hours["wind_speed_m_per_s"]
    assert weibull_min.fit(speed.to_numpy(), floc=0)[0] == pytest.approx(k, rel=0.05)


def test_cells_of_one_study_share_their_weather(bozhou: Weather) -> None:
    other = make(cell_id="b")
    for column, least in (("wind_speed_m_per_s", 0.75), ("ghi_w_per_m2", 0.9)):
        pair = np.corrcoef(bozhou.hours[column], other.hours[column])[0, 1]
        assert least < pair < 0.999
    stranger = make(cell_id="b", seed=2)
    assert np.corrcoef(bozhou.hours["wind_speed_m_per_s"], stranger.hours["wind_speed_m_per_s"])[0, 1] < 0.4


def test_same_seed_same_bytes(bozhou: Weather) -> None:
    assert make().hours.to_numpy().tobytes() == bozhou.hours.to_numpy().tobytes()
    assert make(seed=2).hours.to_numpy().tobytes() != bozhou.hours.to_numpy().tobytes()


def test_rows_may_come_in_any_order(bozhou: Weather) -> None:
    rows = normals("Bozhou").iloc[::-1]
    turned = generate_weather(rows, cell_id="a", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=1)
    pd.testing.assert_frame_equal(turned.hours, bozhou.hours)


def test_faulty_normals_are_refused_all_at_once() -> None:
    rows = normals("Bozhou").reset_index(drop=True)
    rows.loc[3, "month"] = 5
    rows.loc[6, "temp_air_mean_c"] = np.nan
    with pytest.raises(InputError) as error:
        generate_weather(rows, cell_id="a", latitude=33.9, longitude=115.8, altitude_m=38.0, seed=1, year=2024)
    assert {f.rule for f in error.value.findings} == {
        "weather.leap_year",
        "weather.months",
        "weather.not_a_number",
    }


def test_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="dhi_kwh_m2_day"):
        generate_weather(
            normals("Bozhou").drop(columns="dhi_kwh_m2_day"),
            cell_id="a",
            latitude=33.9,
            longitude=115.8,
            altitude_m=38.0,
            seed=1,
        )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("ghi_kwh_m2_day", 12.0),  # more than any sky gives
        ("ghi_kwh_m2_day", 0.0),
        ("dhi_kwh_m2_day", 2.5),  # more than all light of the month
        ("dhi_kwh_m2_day", 0.0),  # less than a clean sky scatters
    ],
)
def test_sun_out_of_reach_is_refused(column: str, value: float) -> None:
    rows = normals("Bozhou").copy()
    rows.loc[rows["month"] == 1, column] = value
    with pytest.raises(InputError) as error:
        generate_weather(rows, cell_id="a", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=1)
    assert error.value.findings[0].rule == "weather.sun_out_of_reach"
    assert error.value.findings[0].item == column


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("place", "station"), [("Bozhou", "Anhui.Boxian.581020"), ("Hangzhou", "Zhejiang.Hangzhou.584570")]
)
def test_spread_agrees_with_the_station_year(place: str, station: str, real_data: Path) -> None:
    """The generated year's days, persistence and wind spread against the typical year of the same station."""
    with gzip.open(real_data / "weather-cswd-epw" / f"CHN_{station}_CSWD.epw.gz", "rt", errors="replace") as file:
        lines = file.readlines()[8:]
    cells = np.array([[float(line.split(",")[c]) for c in (13, 6, 21)] for line in lines])
    ghi, temperature, wind = cells.T
    ours = make(place).hours
    rows = normals(place).iloc[0]
    top = clear_sky(HOURS, rows["lat"], rows["lon"], rows["alt_m"]).clear_ghi.reshape(365, 24).sum(axis=1)
    theirs_index = ghi.reshape(365, 24).sum(axis=1) / top
    ours_index = ours["ghi_w_per_m2"].to_numpy().reshape(365, 24).sum(axis=1) / top
    assert ours_index.std() == pytest.approx(theirs_index.std(), rel=0.2)
    assert correlation(ours_index) == pytest.approx(correlation(theirs_index), abs=0.2)
    daily = ours["temp_air_c"].to_numpy().reshape(365, 24).mean(axis=1)
    assert daily.std() == pytest.approx(temperature.reshape(365, 24).mean(axis=1).std(), rel=0.12)
    variation = ours["wind_speed_m_per_s"].std() / ours["wind_speed_m_per_s"].mean()
    # the Hangzhou record is whole m/s about a mean of 2, so its spread is overstated
    assert variation == pytest.approx(wind.std() / wind.mean(), rel=0.3)
