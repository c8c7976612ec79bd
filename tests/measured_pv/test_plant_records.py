"""Quality control of plant records: every fault that is planted is dropped and named, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pvlib import irradiance, location

from layers.contracts import CHINA_STANDARD_TIME, InputError
from layers.plant_records import Drop, PlantRecord, controlled, horizontal_from_plane, read_plant_record, record_years

LATITUDE, LONGITUDE, TILT, CAPACITY = 30.0, 114.3, 25.0, 100.0


@pytest.fixture(scope="module")
def clean() -> pd.DataFrame:
    """A clear year on a plane of 25 degrees under changing haze; the plant makes 0.09 MW per W/m2 up to 85 MW."""
    index = pd.date_range("2019-01-01", "2020-01-01", freq="15min", inclusive="left", tz=CHINA_STANDARD_TIME)
    middle = index + pd.Timedelta(minutes=7.5)
    place = location.Location(LATITUDE, LONGITUDE)
    sun = place.get_solarposition(middle)
    sky = place.get_clearsky(middle, solar_position=sun, linke_turbidity=4.0)
    haze = 1 - 0.1 * np.abs(np.sin(np.arange(len(index)) / 5.0))
    plane = irradiance.get_total_irradiance(
        TILT, 180, sun["apparent_zenith"], sun["azimuth"], sky["dni"], sky["ghi"], sky["dhi"],
        dni_extra=irradiance.get_extra_radiation(middle), model="haydavies",
    )["poa_global"].fillna(0.0).to_numpy() * haze  # fmt: skip
    light = np.round(plane, 1)
    return pd.DataFrame(
        {
            "irradiance_w_per_m2": light,
            "temp_air_c": 15.0 + 10 * np.sin(np.arange(len(index)) / 300.0),
            "pressure_pa": 1010.0,
            "power_mw": np.where(light > 0, np.minimum(0.09 * light, 85.0), -0.2),
        },
        index=index,
    )


def drops(table: pd.DataFrame) -> tuple[Drop, ...]:
    return controlled(table, "toy", CAPACITY).drops


def test_a_clean_record_loses_nothing(clean: pd.DataFrame) -> None:
    record = controlled(clean, "toy", CAPACITY)
    assert record.drops == ()
    assert (record.table["pressure_pa"] == 101_000.0).all()


@pytest.mark.parametrize("sentinel", [-99.0, 6553.5, 3276.7, -3276.7, -3270.0])
def test_real_data_4_sentinels(clean: pd.DataFrame, sentinel: float) -> None:
    table = clean.copy()
    table.iloc[1000:1007, :2] = sentinel
    rule = "sentinel" if sentinel != -3270.0 else None
    found = drops(table)
    assert [(d.column, d.count) for d in found] == [("irradiance_w_per_m2", 7), ("temp_air_c", 7)]
    assert {d.rule for d in found} <= ({rule} if rule else {"sentinel", "range"})


def test_real_data_4_a_sensor_that_dies_half_way(clean: pd.DataFrame) -> None:
    """From 1 July on the sensor shows nothing while the plant works: every step of those days goes."""
    table = clean.copy()
    dead = table.index >= pd.Timestamp("2019-07-01", tz=CHINA_STANDARD_TIME)
    table.loc[dead, "irradiance_w_per_m2"] = 0.0
    assert drops(table) == (Drop("dead sensor", "irradiance_w_per_m2", int(dead.sum())),)


def test_real_data_4_a_plateau_of_curtailment(clean: pd.DataFrame) -> None:
    """Three hours at 40 MW around noon of 1 June are dropped; the plant's own ceiling of 85 MW is not."""
    table = clean.copy()
    noon = table.index.get_indexer([pd.Timestamp("2019-06-01 11:00", tz=CHINA_STANDARD_TIME)])[0]
    table.iloc[noon : noon + 12, table.columns.get_loc("power_mw")] = 40.0
    assert (clean["power_mw"] == 85.0).sum() > 100
    assert drops(table) == (Drop("curtailment plateau", "power_mw", 12),)


def test_stuck_sensor_outage_and_power_in_the_dark(clean: pd.DataFrame) -> None:
    table = clean.copy()
    at = table.index.get_indexer([pd.Timestamp("2019-05-01 10:00", tz=CHINA_STANDARD_TIME)])[0]
    table.iloc[at : at + 8, 0] = 400.0
    table.iloc[at + 96 : at + 100, 3] = 0.0
    table.iloc[at + 192 : at + 195, 0] = 3.0
    assert drops(table) == (
        Drop("stuck sensor", "irradiance_w_per_m2", 8),
        Drop("power in the dark", "irradiance_w_per_m2", 3),
        Drop("outage", "power_mw", 4),
    )


def test_the_place_is_found_by_the_sun(clean: pd.DataFrame) -> None:
    record = controlled(clean, "toy", CAPACITY)
    assert record.noon_longitude == pytest.approx(LONGITUDE, abs=0.5)
    assert record.day_length_latitude == pytest.approx(LATITUDE, abs=2.0)


def test_the_plane_comes_back_from_the_horizontal() -> None:
    """The inverse against pvlib's transposition: what is turned to the horizontal and back is what it was."""
    labels = pd.date_range("2023-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)
    middle = labels + pd.Timedelta(minutes=30)
    sun = location.Location(LATITUDE, LONGITUDE).get_solarposition(middle)
    plane = np.maximum(np.cos(np.radians(sun["zenith"].to_numpy())), 0) * np.random.default_rng(3).uniform(
        80, 900, 8760
    )
    ghi, dni, dhi = horizontal_from_plane(plane, labels, LATITUDE, LONGITUDE, TILT)
    up = (sun["zenith"] < 70).to_numpy()  # lower, the random light may be more than the sky can send onto the plane
    back = irradiance.get_total_irradiance(
        TILT, 180, sun["zenith"], sun["azimuth"], dni, ghi, dhi,
        dni_extra=irradiance.get_extra_radiation(middle), albedo=0.2, model="haydavies",
    )["poa_global"].to_numpy()  # fmt: skip
    np.testing.assert_allclose(back[up], plane[up], rtol=0.02, atol=1.0)
    np.testing.assert_allclose(ghi, dhi + dni * np.cos(np.radians(sun["zenith"])).clip(0), atol=2.0)


def test_hours_with_anything_dropped_are_not_compared(clean: pd.DataFrame) -> None:
    table = clean.copy()
    table.iloc[4000, 0] = -99.0
    table.iloc[4004, 3] = np.nan
    (year,) = record_years(controlled(table, "toy", CAPACITY), LATITUDE, LONGITUDE, TILT)
    assert np.flatnonzero(np.isnan(year.power_mw)).tolist() == [1000, 1001]
    assert (year.year, year.weather.years) == (2019, (2019,))
    assert not year.weather.hours.isna().any().any()
    assert year.power_mw[np.isfinite(year.power_mw)].min() == 0.0


def test_files_that_are_no_record(tmp_path: Path, clean: pd.DataFrame) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1broken")
    with pytest.raises(InputError, match=r"plant\.unreadable"):
        read_plant_record(tmp_path / "a.parquet", "a.parquet", CAPACITY)
    clean.reset_index(drop=True).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"plant\.columns"):
        read_plant_record(tmp_path / "b.parquet", "b.parquet", CAPACITY)


def test_a_record_is_what_it_says(clean: pd.DataFrame) -> None:
    record = controlled(clean, "toy", CAPACITY)
    assert isinstance(record, PlantRecord)
    assert (record.name, record.capacity_mw, len(record.table)) == ("toy", CAPACITY, 35_040)
