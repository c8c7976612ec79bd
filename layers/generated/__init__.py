"""Invented land, districts, weather and demand: seeded, with sourced figures, always marked as generated."""

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
