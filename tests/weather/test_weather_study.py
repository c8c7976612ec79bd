"""What a study file may say about weather, through the stage and the check."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import weather_samples as samples
from weather_samples import LATITUDE, LONGITUDE, sky

from layers.contracts import FindingLog, InputError, Weather
from layers.weather_files import split_years
from study.stages.weather import needs_region, region_bounds, weather_cells, weather_findings, weather_options
from study.study_file import Study, read_study

HEAD = """
[study]
name = "skies"
code = "SK"
title_zh = "天"
title_en = "Skies"

[generated.region]
centre_lon = 120.1
centre_lat = 30.1
area_km2 = 400.0

[network]
kind = "reference"
"""
SOURCE = """
[sources.{name}]
path = "{path}"
licence = "own"
origin = "modelled"
"""
REST = """
[[hosts]]
host_type = "roof_flat"
layer = "roofs"

[[criteria]]
id = "yield"
label_zh = "发电"
label_en = "Yield"
weight = 1.0
source = "yield.full_load_hours"
worst = 900
best = 1300

[[cases]]
id = "noon"
label_zh = "午"
label_en = "Noon"
load_share = 0.5
pv_share = 1.0
wind_share = 0.3
"""


def study(folder: Path, sources: dict[str, str], weather: str) -> Study:
    path = folder / "skies.toml"
    listed = "".join(SOURCE.format(name=name, path=file) for name, file in sources.items())
    path.write_text(HEAD + listed + weather + REST, "utf-8")
    return read_study(path)


CSV = """
[[weather]]
id = "mast"
source = "mast"
format = "csv"
label = "end"
zone = 8
lat = 30.0
lon = 120.0
altitude_m = 12.0
wind_height_m = 50.0
units = { pressure_pa = "hPa" }

[weather.columns]
time = "when"
ghi_w_per_m2 = "GHI"
dni_w_per_m2 = "DNI"
dhi_w_per_m2 = "DHI"
temp_air_c = "T"
pressure_pa = "p"
wind_speed_m_per_s = "v"
"""


def test_formats_side_by_side_share_their_hours(tmp_path: Path) -> None:
    """A station of the user's own, a satellite point and a grid: each becomes cells of one calendar."""
    samples.csv(tmp_path / "mast.csv", samples.frame(sky(), "end"))
    samples.pvgis_tmy_json(tmp_path / "point.json", sky())
    # the region reaches from 30.01 to 30.19 N and from 120.00 to 120.20 E: of 5 x 5 points one step around it stays
    points = tuple((29.5 + 0.25 * i, 119.5 + 0.25 * k) for i in range(5) for k in range(5))
    samples.era5(tmp_path / "grid.nc", sky(), points)
    entries = CSV + "".join(f'\n[[weather]]\nid = "{name}"\nsource = "{name}"\n' for name in ("point", "grid"))
    read = study(tmp_path, {"mast": "mast.csv", "point": "point.json", "grid": "grid.nc"}, entries)
    log = FindingLog()
    cells = weather_cells(read, log)
    assert [c.cell_id for c in cells[:2]] == ["mast", "point"]
    # rows 30.00 and 30.25 (29.75 is 0.26 degree away), columns 119.75, 120.00, 120.25
    assert {(c.latitude, c.longitude) for c in cells[2:]} == {
        (lat, lon) for lat in (30.0, 30.25) for lon in (119.75, 120.0, 120.25)
    }
    assert cells[0].wind_height_m == 50.0
    assert all(cell.hours.index.equals(cells[0].hours.index) for cell in cells)
    for cell in cells:
        assert cell.hours["ghi_w_per_m2"].to_numpy()[24:] == pytest.approx(sky().ghi[24:], abs=0.02)
    assert {f.severity for f in weather_findings(read)} <= {"note", "warning"}
    assert [f.value for f in log.findings if f.rule == "weather.format"] == ["pvgis_tmy", "netcdf"]


def test_only_a_grid_needs_the_region(tmp_path: Path) -> None:
    grid = '\n[[weather]]\nid = "g"\nsource = "g"\n'
    assert needs_region(study(tmp_path, {"g": "g.nc"}, grid).file)
    assert not needs_region(study(tmp_path, {"g": "g.nc"}, grid + "bounds = [119.0, 29.0, 121.0, 31.0]\n").file)
    plain = study(tmp_path, {"mast": "mast.csv"}, CSV)
    assert not needs_region(plain.file)
    assert weather_options(plain, plain.file.weather[0]).bounds is None
    bounds = region_bounds(plain)
    assert bounds is not None
    assert bounds[1] == pytest.approx(30.1 - 10 / 111.2)  # half of 20 km to the south


def test_a_bad_map_is_found_by_the_check_and_by_the_stage(tmp_path: Path) -> None:
    samples.csv(tmp_path / "mast.csv", samples.frame(sky()))
    read = study(tmp_path, {"mast": "mast.csv"}, CSV.replace('"GHI"', '"Global"').replace('"hPa"', '"torr"'))
    found = [f for f in weather_findings(read) if f.severity == "error"]
    assert [(f.rule, f.item) for f in found] == [
        ("weather.column_missing", "ghi_w_per_m2"),
        ("weather.unit", "pressure_pa"),
    ]
    with pytest.raises(InputError):
        weather_cells(read, FindingLog())


def test_the_schema_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="label"):
        study(tmp_path, {"mast": "mast.csv"}, CSV.replace('label = "end"', 'label = "ende"'))
    (found,) = study(tmp_path, {"mast": "mast.csv"}, CSV.replace("zone = 8", "zon = 8")).findings
    assert (found.severity, found.rule, found.value) == ("error", "study.unknown_key", "zon")
    assert "'zone'" in found.remedy


@pytest.fixture
def cell(tmp_path: Path) -> Weather:
    samples.csv(tmp_path / "mast.csv", samples.frame(sky(), "end"))
    return weather_cells(study(tmp_path, {"mast": "mast.csv"}, CSV), FindingLog())[0]


def test_split_years_gives_whole_years_of_one_calendar(cell: Weather) -> None:
    """2019 and the leap year 2020 whole, 2021 to June: two years, 29 February left out, the hours in their place."""
    import pandas as pd

    index = pd.date_range("2019-01-01", "2021-06-30 23:00", freq="h", tz=cell.hours.index.tz)
    take = np.arange(len(index)) % 8760
    hours = cell.hours.iloc[take].set_axis(index)
    hours["temp_air_c"] = (index.year - 2000).to_numpy(float)
    years = split_years(dataclasses.replace(cell, hours=hours))
    assert [y.years for y in years] == [(2019,), (2020,)]
    assert [set(y.hours["temp_air_c"]) for y in years] == [{19.0}, {20.0}]
    assert all(y.hours.index.equals(cell.hours.index) for y in years)
    first_of_march = np.flatnonzero((index.year == 2020) & (index.month == 3))[0]
    march = years[1].hours.loc["2023-03-01 00:00":"2023-03-01 00:00", "ghi_w_per_m2"]
    assert march.iloc[0] == hours["ghi_w_per_m2"].iloc[first_of_march]
    with pytest.raises(ValueError, match="no calendar year"):
        split_years(dataclasses.replace(cell, hours=hours.iloc[:5000]))
    with pytest.raises(ValueError, match="leap"):
        split_years(cell, year=2024)


def test_the_place_of_the_study_file_stands_before_the_file_s_own(tmp_path: Path) -> None:
    samples.pvgis_tmy_json(tmp_path / "p.json", sky())
    entry = f'\n[[weather]]\nid = "p"\nsource = "p"\nlat = {LATITUDE + 0.01}\nlon = {LONGITUDE}\n'
    (cell,) = weather_cells(study(tmp_path, {"p": "p.json"}, entry), FindingLog())
    assert cell.latitude == LATITUDE + 0.01
    assert any("latitude 30 of the file replaced by 30.01 of the study file" in words for words in cell.corrections)
