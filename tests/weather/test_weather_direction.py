"""Generated wind has a direction that follows the monsoon and moves like wind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layers.contracts import WEATHER_HOURS, Weather
from layers.generated import generate_weather


@pytest.fixture(scope="module")
def weather() -> Weather:
    rows = pd.read_csv(Path(__file__).parents[2] / "data" / "raw" / "climate-normals.csv")
    rows = rows[rows["place"] == "Bozhou"]
    return generate_weather(rows, cell_id="a", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=1)


def mean_vector(degrees: np.ndarray) -> complex:
    """Mean of unit vectors: its angle is the prevailing direction, its length the steadiness."""
    return complex(np.exp(1j * np.radians(degrees)).mean())


def test_directions_are_directions(weather: Weather) -> None:
    WEATHER_HOURS.validate(weather.hours)
    assert weather.hours["wind_from_degree"].between(0, 360).all()


def test_winter_is_northerly_and_summer_south_easterly(weather: Weather) -> None:
    direction, month = weather.hours["wind_from_degree"].to_numpy(), weather.hours.index.month
    winter, summer = (mean_vector(direction[month.isin(m)]) for m in ((12, 1), (6, 7)))
    assert abs((np.degrees(np.angle(winter)) + 180) % 360 - 180) < 45
    assert 90 < np.degrees(np.angle(summer)) % 360 < 190
    assert 0.15 < abs(winter) < 0.7
    sectors = np.histogram(direction, bins=8, range=(0, 360))[0]
    assert sectors.min() > 0.04 * 8760  # every side has its share


def test_wind_turns_slowly(weather: Weather) -> None:
    turn = np.abs((np.diff(weather.hours["wind_from_degree"].to_numpy()) + 180) % 360 - 180)
    assert np.median(turn) < 35
