"""Generated demand: hourly load of a city over one year.

``load = base(month) x shape(hour, season) x day type x holiday x (1 + cooling + heating) x noise``, then scaled to the
peak. Cooling and heating follow the daily mean temperature, of the given weather or of the profile's normals.
"""

from __future__ import annotations

import calendar

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from layers.contracts import Demand, Finding, InputError, Origin, Weather
from layers.generated.profiles import DemandProfile, demand_profile
from layers.generated.shapes import Floats, generator
from layers.generated.weather import _month_hats

_NOONS: Floats = np.arange(365, dtype=np.float64) + 0.5
_COOLING_HOURS = np.concatenate(
    [
        [0.85, 0.78, 0.72, 0.68, 0.65, 0.64, 0.66, 0.74, 0.84, 0.93, 1.0, 1.05],
        [1.08, 1.1, 1.13, 1.15, 1.15, 1.14, 1.16, 1.24, 1.28, 1.25, 1.14, 0.98],
    ]
)


def generate_demand(
    *,
    peak_mw: float,
    seed: int,
    year: int = 2023,
    profile: DemandProfile | None = None,
    weather: Weather | None = None,
) -> Demand:
    """Hourly demand of a region.

    Parameters
    ----------
    peak_mw
        Largest hour of the year [MW]; met exactly.
    year
        A year with 365 days, for the calendar (weekdays, Spring Festival, National Day).
    profile
        Figures of the city, ``demand_profile()`` by default.
    weather
        When given, hot and cold days are those of this weather.

    Returns
    -------
    Demand
        8760 values [MW] of gross consumption (rooftop generation is not taken off), the same hours as the weather.

    Raises
    ------
    InputError
        If the peak is not above 0, the year has 366 days, or its Spring Festival is not in the profile.
    """
    figures = profile or demand_profile()
    festival = _checked(peak_mw, year, figures)
    days = pd.date_range(f"{year}-01-01", periods=365, freq="D")
    temperature = _daily_temperature(seed, figures, weather)
    month_weights = _month_hats(_NOONS)
    level = month_weights @ np.array(figures.monthly_base) * _calendar_factor(days, festival, figures)
    rng = generator(seed, "demand")
    level = level * (1 + figures.noise_share * _persistent(rng, 365, 0.5))
    span = figures.cooling_span_c
    cooling = figures.cooling_per_c * span * np.tanh(np.maximum(temperature - figures.cooling_from_c, 0) / span)
    heating = figures.heating_per_c * np.maximum(figures.heating_below_c - temperature, 0)
    shape = _hourly_shape(month_weights, figures)
    load = level[:, None] * (shape * (1 + heating[:, None]) + cooling[:, None] * _COOLING_HOURS / _COOLING_HOURS.mean())
    load = load.ravel() * (1 + 0.4 * figures.noise_share * _persistent(rng, 8760, 0.8))
    assumptions = (
        f"generated with profile {figures.id}, seed {seed}, calendar of {year}",
        "gross consumption: rooftop generation is not taken off",
        "temperature of the study's weather" if weather is not None else "temperature of the profile's normals",
    )
    title = f"Generated demand, {figures.title_en}, peak {peak_mw:g} MW"
    return Demand(load * (peak_mw / load.max()), Origin.GENERATED, title, assumptions)


def _checked(peak_mw: float, year: int, figures: DemandProfile) -> pd.Timestamp:
    """First day of the Chinese year, or every fault found."""
    found = []
    if not (np.isfinite(peak_mw) and peak_mw > 0):
        found.append(("demand.peak", "peak_mw", str(peak_mw), "A peak is above 0 MW.", "Give the peak in MW."))
    if calendar.isleap(year):
        found.append(("demand.leap_year", "year", str(year), "A year has 8760 hours.", "Name a year with 365 days."))
    festival = [day for day in figures.spring_festival_days if day.startswith(f"{year}-")]
    if not festival:
        known = f"{figures.spring_festival_days[0][:4]} to {figures.spring_festival_days[-1][:4]}"
        message = f"The profile knows Spring Festival from {known}."
        found.append(("demand.spring_festival", "year", str(year), message, "Name one of these years."))
    if found:
        path = f"layers/generated/profiles/demand-{figures.id}.toml"
        raise InputError(Finding("error", rule, path, "demand", *rest) for rule, *rest in found)
    return pd.Timestamp(festival[0])


def _daily_temperature(seed: int, figures: DemandProfile, weather: Weather | None) -> Floats:
    if weather is not None:
        return np.asarray(weather.hours["temp_air_c"].to_numpy().reshape(365, 24).mean(axis=1))
    deviation = _persistent(generator(seed, "demand temperature"), 365, figures.temperature_persistence)
    smooth = _month_hats(_NOONS) @ np.array(figures.monthly_temperature_c)
    return np.asarray(smooth + figures.temperature_sigma_c * deviation)


def _calendar_factor(days: pd.DatetimeIndex, festival: pd.Timestamp, figures: DemandProfile) -> Floats:
    """Weekday and holiday factor of each day; Spring Festival takes two weeks to fade in and three to fade out."""
    factor = np.ones(len(days))
    factor[days.weekday == 5] = figures.saturday_factor
    factor[days.weekday == 6] = figures.sunday_factor
    since = np.asarray((days - festival).days)
    depth = np.interp(since, [-14, -1, 4, 21], [0, 1, 1, 0], left=0, right=0)
    golden = (days.month == 10) & (days.day <= 7)
    holiday = (depth > 0.5) | golden
    factor[holiday] = 1.0
    factor[golden] *= figures.national_day_factor
    return np.asarray(factor * (1 - (1 - figures.spring_festival_factor) * depth))


def _hourly_shape(month_weights: Floats, figures: DemandProfile) -> Floats:
    """Shape of each day, shape (365, 24): winter, spring/autumn and summer days blend over the months."""
    given = (figures.hours_winter, figures.hours_spring, figures.hours_summer)
    winter, spring, summer = (np.array(hours) / np.mean(hours) for hours in given)
    by_month = [winter, winter, spring, spring, spring, summer, summer, summer, spring, spring, spring, winter]
    return np.asarray(month_weights @ np.stack(by_month))


def _persistent(rng: np.random.Generator, count: int, persistence: float) -> Floats:
    """Standard normal first-order autoregression."""
    shock = rng.standard_normal(count)
    shock[1:] *= np.sqrt(1 - persistence**2)
    return np.asarray(lfilter([1.0], [1.0, -persistence], shock))
