"""Weather, turbines and curves that the wind tests share."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, Origin, Weather
from siting.technologies.tables import load_technology_tables

TABLES = load_technology_tables()
GENERIC = TABLES.turbine("generic_3300_156")
LIBRARY = TABLES.turbine("n131_3000")
ROUGHNESS_M = 0.1


def year(hours: int = 8760) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-01", periods=hours, freq="h", tz=CHINA_STANDARD_TIME)


def weibull_wind(mean: float, hours: int = 8760, shape: float = 2.0, seed: int = 3) -> np.ndarray:
    return mean / math.gamma(1 + 1 / shape) * np.random.default_rng(seed).weibull(shape, hours)


def windy(mean: float, hours: int = 8760, seed: int = 3, pressure: float = 101_000.0, **more) -> Weather:
    """Weibull wind at 10 m, mild weather with seasons; further columns by name."""
    index = year(hours)
    day = np.arange(hours) / 24
    table = pd.DataFrame(
        {
            "ghi_w_per_m2": 0.0,
            "dni_w_per_m2": 0.0,
            "dhi_w_per_m2": 0.0,
            "temp_air_c": 15 - 12 * np.cos(2 * np.pi * (day - 20) / 365),
            "wind_speed_m_per_s": weibull_wind(mean, hours, seed=seed),
            "pressure_pa": pressure + 800 * np.cos(2 * np.pi * day / 365),
            **more,
        },
        index=index,
    )
    return Weather("cell", 33.87, 115.77, 40.0, 10.0, ROUGHNESS_M, table, Origin.GENERATED, "test weather")


def model_chain_frame(weather: Weather) -> pd.DataFrame:
    """The weather as windpowerlib wants it."""
    hours = weather.hours
    heights = [("wind_speed", 10), ("temperature", 2), ("pressure", 0), ("roughness_length", 0)]
    values = [
        hours["wind_speed_m_per_s"],
        hours["temp_air_c"] + 273.15,
        hours["pressure_pa"],
        np.full(len(hours), weather.roughness_length_m),
    ]
    return pd.DataFrame(np.column_stack(values), index=hours.index, columns=pd.MultiIndex.from_tuples(heights))
