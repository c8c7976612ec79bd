"""The same sky in every format becomes the same weather; what a format lacks is modelled and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import weather_samples as samples
from weather_samples import LATITUDE, LONGITUDE, sky

from layers.contracts import WEATHER_HOURS, FindingLog, Weather
from layers.weather_checks import detect_sun_timing
from layers.weather_files import detect_format, read_weather, read_weather_years
from layers.weather_raw import Options

CSV = Options(columns=samples.CSV_COLUMNS, units={"pressure_pa": "hPa"}, latitude=LATITUDE, longitude=LONGITUDE,
              altitude_m=12.0, zone_h=8.0)  # fmt: skip

WRITERS: dict[str, tuple[str, Callable[[Path], Path], Options]] = {
    "epw": ("epw", lambda p: samples.epw(p / "a.epw", sky()), Options()),
    "tmy3": ("tmy3", lambda p: samples.tmy3(p / "a.csv", sky()), Options()),
    "pvgis tmy json": ("pvgis_tmy", lambda p: samples.pvgis_tmy_json(p / "a.json", sky()), Options()),
    "pvgis tmy csv": ("pvgis_tmy", lambda p: samples.pvgis_tmy_csv(p / "a.csv", sky(), 0.5), Options()),
    "pvgis hourly json": ("pvgis_hourly", lambda p: samples.pvgis_hourly_json(p / "a.json", sky()), Options()),
    "pvgis hourly csv": ("pvgis_hourly", lambda p: samples.pvgis_hourly_csv(p / "a.csv", sky()), Options()),
    "power json": ("nasa_power", lambda p: samples.power_json(p / "a.json", sky()), Options()),
    "power csv": ("nasa_power", lambda p: samples.power_csv(p / "a.csv", sky()), Options()),
    "era5": ("netcdf", lambda p: samples.era5(p / "a.nc", sky()), Options()),
    "csv start": ("csv", lambda p: samples.csv(p / "a.csv", samples.frame(sky())), CSV),
    "csv end": ("csv", lambda p: samples.csv(p / "a.csv", samples.frame(sky(), "end")), replace(CSV, label="end")),
    "csv centre": (
        "csv",
        lambda p: samples.csv(p / "a.csv", samples.frame(sky(), "centre")),
        replace(CSV, label="centre"),
    ),
    "csv 15 min": (
        "csv",
        lambda p: samples.csv(p / "a.csv", samples.frame(sky(), "end", 15)),
        replace(CSV, label="end"),
    ),
}
# files in UTC that are no typical year lack the first eight hours of the year in UTC+08:00, which are filled
FIRST_HOURS_FILLED = ("pvgis hourly json", "pvgis hourly csv", "power json", "power csv", "era5")


def read(path: Path, options: Options, log: FindingLog | None = None) -> Weather:
    (cell,) = read_weather(samples.card(path), "cell", options, log=log)
    return cell


@pytest.mark.parametrize("name", list(WRITERS))
def test_the_same_sky_in_every_format_is_the_same_weather(tmp_path: Path, name: str) -> None:
    kind, write, options = WRITERS[name]
    path = write(tmp_path)
    assert detect_format(path.read_bytes()).format == kind
    log = FindingLog()
    weather = read(path, options, log)
    WEATHER_HOURS.validate(weather.hours)
    assert len(weather.hours) == 8760
    assert str(weather.hours.index[0]) == "2023-01-01 00:00:00+08:00"
    assert (weather.latitude, weather.longitude) == (LATITUDE, LONGITUDE)
    s, later = sky(), slice(9, None) if name in FIRST_HOURS_FILLED else slice(None)
    derived_dni = "pvgis hourly" in name or name == "era5"
    expected = {"ghi_w_per_m2": s.ghi, "dhi_w_per_m2": s.dhi, "temp_air_c": s.temp, "wind_speed_m_per_s": s.wind}
    for column, values in expected.items():
        assert weather.hours[column].to_numpy()[later] == pytest.approx(values[later], abs=0.02), column
    up = np.flatnonzero(s.dni > 0)[1 if name in FIRST_HOURS_FILLED else 0 :]
    assert weather.hours["dni_w_per_m2"].to_numpy()[up] == pytest.approx(s.dni[up], abs=1.0 if derived_dni else 0.02)
    if "pvgis hourly" not in name:
        assert weather.hours["pressure_pa"].to_numpy()[later] == pytest.approx(s.pressure[later], abs=0.1)
        assert weather.hours["wind_from_degree"].to_numpy()[later] == pytest.approx(s.direction[later], abs=0.1)
    assert weather.wind_height_m == (100.0 if name == "era5" else 10.0)
    severities = {f.severity for f in log.findings}
    assert severities <= ({"warning", "note"} if name in FIRST_HOURS_FILLED else {"note"}), log.findings


def test_components_are_modelled_only_where_the_source_lacks_them(tmp_path: Path) -> None:
    """Trap: never re-derive DNI and DHI. MERRA-2 has global only; Erbs gives diffuse, which says so."""
    given = read(WRITERS["csv start"][1](tmp_path), CSV)
    assert not any("modelled" in words for words in given.corrections)
    assert given.hours["dni_w_per_m2"].to_numpy() == pytest.approx(sky().dni)
    merra = read(samples.merra2(tmp_path / "m.nc", sky()), Options())
    assert any("dni_w_per_m2, dhi_w_per_m2 modelled: the model of Erbs" in words for words in merra.corrections)
    assert merra.wind_height_m == 50.0
    assert (merra.hours["albedo"].dropna() == 0.2).all()
    assert (merra.hours["dhi_w_per_m2"] <= merra.hours["ghi_w_per_m2"] + 1e-9).all()
    hourly = read(samples.pvgis_hourly_json(tmp_path / "h.json", sky()), Options())
    assert any("dni_w_per_m2 modelled: closure" in words for words in hourly.corrections)
    assert any("pressure_pa modelled: standard atmosphere at 12 m" in words for words in hourly.corrections)


@pytest.mark.parametrize("missing", ["ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2"])
def test_one_missing_component_is_closed(tmp_path: Path, missing: str) -> None:
    path = samples.csv(tmp_path / "a.csv", samples.frame(sky()))
    columns = {ours: theirs for ours, theirs in samples.CSV_COLUMNS.items() if ours != missing}
    weather = read(path, replace(CSV, columns=columns))
    (words,) = weather.corrections
    assert missing in words
    assert "closure" in words
    truth = getattr(sky(), missing[:3])
    up = sky().dni > 0
    assert weather.hours[missing].to_numpy()[up] == pytest.approx(truth[up], rel=0.01, abs=1.0)


def test_satellite_readings_at_ten_past_become_means(tmp_path: Path) -> None:
    """Trap: SARAH stamps hh:10 are readings; their sun must stand at mid-hour afterwards, with the day's energy."""
    path = samples.pvgis_hourly_json(tmp_path / "a.json", sky(10.0), 10, "PVGIS-SARAH3")
    weather = read(path, Options())
    assert any("stood +10 min" in words for words in weather.corrections)
    ghi, dni, dhi = (weather.hours[f"{part}_w_per_m2"].to_numpy() for part in ("ghi", "dni", "dhi"))
    assert abs(detect_sun_timing(ghi, dni, dhi, LATITUDE, LONGITUDE).minutes - 30) <= 5
    assert ghi[24:].sum() == pytest.approx(sky(10.0).ghi[24:].sum(), rel=1e-4)


def test_typical_year_turns_from_utc_and_names_the_wrap(tmp_path: Path) -> None:
    """Trap: a PVGIS typical year is UTC; the last eight hours of its year stand at the beginning in UTC+08:00."""
    weather = read(samples.pvgis_tmy_json(tmp_path / "a.json", sky()), Options())
    assert weather.hours["temp_air_c"].iloc[0] == sky().temp[0]
    assert any("turned from UTC+0" in words and "8 hours at the end" in words for words in weather.corrections)
    assert weather.years == tuple(range(2006, 2018))


def test_stated_offset_of_a_typical_year_is_used(tmp_path: Path) -> None:
    """PVGIS 5.3 says where in the hour the radiation of a typical year was read."""
    for path in (
        samples.pvgis_tmy_json(tmp_path / "a.json", sky(10.0), 10 / 60),
        samples.pvgis_tmy_csv(tmp_path / "a.csv", sky(10.0), 10 / 60),
    ):
        weather = read(path, Options())
        assert any("stood +10 min" in words for words in weather.corrections)


def test_era5_energies_become_powers_and_its_bias_is_told_not_mended(tmp_path: Path) -> None:
    """Trap: ERA5 stamps end the hour, J/m2 are not W/m2, and the 15 % of published comparisons stay in."""
    log = FindingLog()
    weather = read(samples.era5(tmp_path / "a.nc", sky()), Options(), log)
    assert [f.rule for f in log.findings if "bias" in f.rule] == ["weather.pv_bias_of_era5"]
    assert weather.hours["ghi_w_per_m2"].to_numpy()[9:] == pytest.approx(sky().ghi[9:], abs=0.01)
    assert not any("moved" in words or "averaged" in words for words in weather.corrections)
    assert (weather.wind_height_m, weather.second_wind_height_m) == (100.0, 10.0)
    assert (weather.hours["wind_speed_second_m_per_s"].dropna() == 0.0).sum() == 8752


def test_grid_points_in_and_near_the_region(tmp_path: Path) -> None:
    """Points every 0.25 degree; the region 30.0 to 30.3 N takes one step around it; order is south to north."""
    points = tuple((30.0 + 0.25 * i, 120.0 + 0.25 * k) for i in range(-2, 4) for k in range(3))
    path = samples.era5(tmp_path / "a.nc", sky(), points)
    cells = read_weather(samples.card(path), "era5", Options(bounds=(120.3, 30.0, 120.4, 30.3)))
    # rows 29.75 to 30.5, columns 120.25 and 120.5 (120.0 is 0.3 degree away)
    assert [c.cell_id for c in cells][:3] == ["era5_29.75N_120.25E", "era5_29.75N_120.50E", "era5_30.00N_120.25E"]
    assert len(cells) == 4 * 2
    assert cells[0].latitude == 29.75


def test_years_of_a_series(tmp_path: Path) -> None:
    """Two years in UTC: each becomes 8760 h of one calendar; of several the one nearest the mean is taken."""
    table = pd.concat([samples.frame(sky()), samples.frame(sky()), samples.frame(sky())], ignore_index=True)
    table["when"] = pd.date_range("2019-01-01", periods=len(table), freq="h").strftime("%Y-%m-%d %H:%M")
    table.loc[:8759, ["GHI", "DNI", "DHI"]] *= 0.9
    table.loc[8760:17519, ["GHI", "DNI", "DHI"]] *= 0.97
    path = samples.csv(tmp_path / "a.csv", table)
    options = replace(CSV, labels="as_filed")
    years = read_weather_years(samples.card(path), "x", options)
    # 2019, 2020 (a leap year), 2021 lacks its last day
    assert [cell.years for cell in years] == [(2019,), (2020,), (2021,)]
    assert all(cell.hours.index.equals(years[0].hours.index) for cell in years)
    assert any("29 February 2020 left out" in words for words in years[1].corrections)
    log = FindingLog()
    (chosen,) = read_weather(samples.card(path), "x", options, log=log)
    assert chosen.years == (2020,)
    assert [f.value for f in log.findings if f.rule == "weather.year_chosen"] == ["2020"]
    (named,) = read_weather(samples.card(path), "x", replace(options, years=(2019,)))
    assert named.years == (2019,)
