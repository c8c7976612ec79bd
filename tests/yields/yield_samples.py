"""Weather and candidates that the yield tests share."""

from __future__ import annotations

import gzip
import io
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pvlib
from shapely.geometry import box

from layers.contracts import CHINA_STANDARD_TIME, Origin, Weather
from siting.contracts import HostType

BOZHOU = (33.87, 115.77)
PV_HOSTS = {"roof_flat": "pv_roof", "ground_fixed": "pv_ground", "floating": "pv_floating"}


def year(hours: int = 8760) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-01", periods=hours, freq="h", tz=CHINA_STANDARD_TIME)


def weather_of(
    hours: pd.DataFrame, latitude: float = BOZHOU[0], longitude: float = BOZHOU[1], cell_id: str = "cell"
) -> Weather:
    return Weather(cell_id, latitude, longitude, 40.0, 10.0, 0.1, hours, Origin.GENERATED, f"test weather {cell_id}")


@lru_cache(maxsize=4)
def clear_sky_hours(latitude: float = BOZHOU[0], longitude: float = BOZHOU[1]) -> pd.DataFrame:
    """A cloudless year: hourly means of five-minute Ineichen irradiance (turbidity 4), mild weather, breeze."""
    labels = year()
    fine = pd.date_range(labels[0], periods=8760 * 12, freq="5min") + pd.Timedelta(150, "s")
    place = pvlib.location.Location(latitude, longitude, altitude=40)
    sun = place.get_solarposition(fine)
    sky = place.get_clearsky(fine, solar_position=sun, linke_turbidity=4.0)
    mean = sky.to_numpy(float).reshape(8760, 12, 3).mean(axis=1)
    day = np.arange(8760) / 24
    hours = pd.DataFrame(mean, index=labels, columns=[f"{name}_w_per_m2" for name in sky.columns])
    hours["temp_air_c"] = 15 - 12 * np.cos(2 * np.pi * (day - 20) / 365) - 5 * np.cos(2 * np.pi * (day - 0.15))
    hours["wind_speed_m_per_s"] = 4 + 3 * np.sin(day * 2.1) + 1.5 * np.sin(day * 11.3) + 1
    hours["pressure_pa"] = 101_000.0 + 800 * np.cos(2 * np.pi * day / 365)
    return hours


def clear_sky_weather(cell_id: str = "cell", latitude: float = BOZHOU[0], longitude: float = BOZHOU[1]) -> Weather:
    return weather_of(clear_sky_hours(latitude, longitude), latitude, longitude, cell_id)


def read_station(path: Path) -> Weather:
    """A CSWD station as it is in the file: labels and values uncorrected, read by pvlib."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        data, head = pvlib.iotools.read_epw(io.StringIO(lines.read()))
    names = {
        "ghi_w_per_m2": "ghi",
        "dni_w_per_m2": "dni",
        "dhi_w_per_m2": "dhi",
        "temp_air_c": "temp_air",
        "wind_speed_m_per_s": "wind_speed",
        "pressure_pa": "atmospheric_pressure",
    }
    hours = pd.DataFrame({ours: data[theirs].to_numpy(float) for ours, theirs in names.items()}, index=year())
    return weather_of(hours, head["latitude"], head["longitude"], path.name.split(".")[1])


def host_type(name: str, technology: str, pv_variant: str) -> HostType:
    kind = "wind" if technology == "wind_onshore" else "ground"
    return HostType(
        name, name, name, kind, technology, 50.0, 40.0, 60.0, "dc net", 1.0, 1e4, 20.0, 100.0, 1, pv_variant, "#000000",
        "test", "C",
    )  # fmt: skip


HOST_TYPES = (*(host_type(name, technology, name) for name, technology in PV_HOSTS.items()),
              host_type("wind_plain", "wind_onshore", ""))  # fmt: skip


def candidates_of(rows: list[tuple[str, str, float, float, float, float]]) -> gpd.GeoDataFrame:
    """Rows of (id, host type, capacity_mw, grid_capacity_mw, lon, lat)."""
    by_name = {h.host_type: h for h in HOST_TYPES}
    frame = pd.DataFrame(
        {
            "candidate_id": [row[0] for row in rows],
            "host_type": [row[1] for row in rows],
            "technology": [by_name[row[1]].technology if row[1] in by_name else "pv_ground" for row in rows],
            "kind": [by_name[row[1]].kind if row[1] in by_name else "ground" for row in rows],
            "district_code": "341600",
            "name_zh": "甲",
            "name_en": "A",
            "area_m2": 1e5,
            "capacity_mw": [float(row[2]) for row in rows],
            "grid_capacity_mw": [float(row[3]) for row in rows],
            "origin": str(Origin.GENERATED),
            "lon": [float(row[4]) for row in rows],
            "lat": [float(row[5]) for row in rows],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[box(0, 0, 1, 1)] * len(rows), crs="EPSG:4547")
