"""Invented land, districts, weather and demand: seeded, with sourced figures, always marked as generated.

The names below are imported when they are first asked for: the weather generator brings pvlib, which a rerun that
generates nothing need not load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layers.generated.demand import generate_demand
    from layers.generated.districts import generate_districts
    from layers.generated.land import COVER, OVERLAYS, generate_land
    from layers.generated.profiles import (
        DemandProfile,
        LandProfile,
        WeatherProfile,
        demand_profile,
        land_profile,
        profile_names,
        weather_profile,
    )
    from layers.generated.weather import generate_weather

_HOME = {
    "COVER": "layers.generated.land",
    "DemandProfile": "layers.generated.profiles",
    "LandProfile": "layers.generated.profiles",
    "OVERLAYS": "layers.generated.land",
    "WeatherProfile": "layers.generated.profiles",
    "demand_profile": "layers.generated.profiles",
    "generate_demand": "layers.generated.demand",
    "generate_districts": "layers.generated.districts",
    "generate_land": "layers.generated.land",
    "generate_weather": "layers.generated.weather",
    "land_profile": "layers.generated.profiles",
    "profile_names": "layers.generated.profiles",
    "weather_profile": "layers.generated.profiles",
}

__all__ = [
    "COVER",
    "OVERLAYS",
    "DemandProfile",
    "LandProfile",
    "WeatherProfile",
    "demand_profile",
    "generate_demand",
    "generate_districts",
    "generate_land",
    "generate_weather",
    "land_profile",
    "profile_names",
    "weather_profile",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
