"""Generated weather: one year of hours whose months agree with the normals of a station.

Three chains, each driven by correlated Gaussian noise that weather cells of one study share in part:

* sun: daily clearness (first-order autoregression, Beta distributed) x hourly cloud noise x clear sky, then scaled
  so that every month's GHI and DHI are the normals' to the last digit;
* temperature: smooth year + day-to-day deviation + daily swing, monthly mean and mean daily range as the normals;
* wind: Weibull speeds with a daily cycle, monthly mean as the normals; directions about the monsoon's of the month.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter
from scipy.special import gamma, ndtr
from scipy.stats import beta as beta_distribution

from layers.contracts import CHINA_STANDARD_TIME, WEATHER_HOURS, Finding, InputError, Origin, Weather
from layers.generated.profiles import WeatherProfile, weather_profile
from layers.generated.shapes import Floats, generator

_CLEAN_TURBIDITY = 2.0
_SUB_HOURS = 6
_WIND_HEIGHT_M = 10.0
_MONSOON = Path(__file__).parents[1] / "weather_monsoon.csv"

NORMALS = (
    "month",
    "ghi_kwh_m2_day",
    "dhi_kwh_m2_day",
    "temp_air_mean_c",
    "temp_air_daily_range_c",
    "wind_speed_10m_mean_m_s",
)
"""Columns that are read: monthly means of daily sums [kWh/m2], temperature and daily range [degC], 10 m wind [m/s]."""


def generate_weather(
    normals: pd.DataFrame,
    *,
    cell_id: str,
    latitude: float,
    longitude: float,
    altitude_m: float,
    seed: int,
    year: int = 2023,
    profile: WeatherProfile | None = None,
) -> Weather:
    """One year of hourly weather from monthly normals.

    Parameters
    ----------
    normals
        Twelve rows of one place with the columns :data:`NORMALS`; further columns are not read.
    cell_id
        Name of the weather cell. Cells with the same seed share most of their clouds and wind.
    latitude, longitude
        WGS-84 degrees.
    altitude_m
        Metres above sea level; gives the pressure.
    year
        A year with 365 days.
    profile
        Figures of the region, ``weather_profile()`` by default.

    Returns
    -------
    Weather
        8760 hours labelled by their start in UTC+08:00. Beam is closed with the sun at mid-interval:
        ``ghi = dhi + dni * max(cos(zenith), 0)``; where the sun is down at mid-interval all light is diffuse.

    Raises
    ------
    InputError
        If a month is missing, twice or not a number, the year is a leap year, or a month asks for more sun than a
        clean sky has, or for less diffuse light than a clean sky has.

    Notes
    -----
    Clear sky by Ineichen and Perez with pvlib's climatological Linke turbidity, averaged over the hour; a clean sky
    (turbidity 2) bounds GHI and DNI of every hour.
    """
    figures = profile or weather_profile()
    months = _checked(normals, year)
    hours = pd.date_range(f"{year}-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)
    month = hours.month.to_numpy() - 1
    noise = _Noise(seed, cell_id, figures.cell_correlation)
    sky = clear_sky(hours, latitude, longitude, altitude_m)
    ghi, dhi, dni, clearness = _sun(sky, months, month, noise, figures)
    sunrise = _sunrise_hours(sky)
    table = pd.DataFrame(
        {
            "ghi_w_per_m2": ghi,
            "dni_w_per_m2": dni,
            "dhi_w_per_m2": dhi,
            "temp_air_c": _temperature(months, month, clearness, sunrise, noise, figures),
            "wind_speed_m_per_s": _wind(months, month, noise, figures),
            "pressure_pa": np.full(8760, _pressure(altitude_m)),
            "wind_from_degree": _direction(noise, figures),
        },
        index=hours,
    )
    return Weather(
        cell_id=cell_id,
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude_m,
        wind_height_m=_WIND_HEIGHT_M,
        roughness_length_m=figures.roughness_length_m,
        hours=WEATHER_HOURS.validate(table),
        origin=Origin.GENERATED,
        title=f"Generated from monthly normals, {year}, seed {seed}",
    )


# ---------------------------------------------------------------------------------------------------- input


def _checked(normals: pd.DataFrame, year: int) -> pd.DataFrame:
    """The twelve rows in order of month, or every fault found."""
    found = []

    def fault(rule: str, item: str, value: object, message: str, remedy: str) -> None:
        found.append(Finding("error", rule, "climate normals", "weather", item, str(value), message, remedy))

    if calendar.isleap(year):
        fault("weather.leap_year", "year", year, "A weather year has 8760 hours.", "Name a year with 365 days.")
    missing = [name for name in NORMALS if name not in normals.columns]
    for name in missing:
        fault("weather.column_missing", name, "", f"The normals have no column {name}.", "Add it.")
    if not missing:
        given = sorted(normals["month"])
        if given != list(range(1, 13)):
            fault("weather.months", "month", given, "Each month is needed once.", "Give twelve rows of one place.")
        for name in NORMALS[1:]:
            for label in normals.index[~np.isfinite(normals[name].astype(float))]:
                fault(
                    "weather.not_a_number", f"row {label}", normals.at[label, name], f"{name} is unknown.", "Fill it."
                )
    if found:
        raise InputError(found)
    return normals.sort_values("month").reset_index(drop=True)


def _out_of_reach(item: str, month: int, asked: float, low: float, high: float) -> InputError:
    message = f"A clean sky allows {low:.3f} to {high:.3f} kWh/m2 a day in month {month + 1}."
    remedy = "Check the normals, the unit and the position."
    return InputError(
        [
            Finding(
                "error", "weather.sun_out_of_reach", "climate normals", "weather", item, f"{asked:.3f}", message, remedy
            )
        ]
    )


# ---------------------------------------------------------------------------------------------------- noise


@dataclass(frozen=True)
class _Noise:
    """Standard normal first-order autoregressions, shared between cells to the degree ``shared``."""

    seed: int
    cell_id: str
    shared: float

    def __call__(self, theme: str, count: int, persistence: float) -> Floats:
        region = generator(self.seed, "weather", theme).standard_normal(count)
        own = generator(self.seed, "weather", theme, self.cell_id).standard_normal(count)
        shock = np.sqrt(self.shared) * region + np.sqrt(1 - self.shared) * own
        # the first value is drawn from the stationary distribution
        scale = np.sqrt(1 - persistence**2)
        series, _ = lfilter([scale], [1, -persistence], shock[1:], zi=[persistence * shock[0]])
        return np.concatenate([shock[:1], series])


# ---------------------------------------------------------------------------------------------------- sun


@dataclass(frozen=True)
class Sky:
    """Sun and cloudless sky of each hour, arrays of shape (8760,)."""

    cos_zenith: Floats
    """Of the geometric sun at mid-interval."""
    clear_ghi: Floats
    """Mean of the hour [W/m2]."""
    clean_ghi: Floats
    """As ``clear_ghi`` under a sky of turbidity 2: the most that can be."""
    clean_dni: Floats
    """Beam at mid-interval under a sky of turbidity 2: the most that can be [W/m2]."""


def clear_sky(hours: pd.DatetimeIndex, latitude: float, longitude: float, altitude_m: float) -> Sky:
    """Cloudless sky of each hour; ``hours`` labels the interval's start."""
    import pvlib

    middle = hours + pd.Timedelta(minutes=30)
    step = 60 / _SUB_HOURS
    offsets = [pd.Timedelta(minutes=step * (k + 0.5)) for k in range(_SUB_HOURS)]
    turbidity = pvlib.clearsky.lookup_linke_turbidity(middle, latitude, longitude).to_numpy()
    pressure = _pressure(altitude_m)

    def ineichen(times: pd.DatetimeIndex, linke: Floats | float) -> tuple[Floats, Floats]:
        sun = pvlib.solarposition.get_solarposition(times, latitude, longitude, altitude=altitude_m, pressure=pressure)
        zenith = sun["apparent_zenith"].to_numpy()
        mass = pvlib.atmosphere.get_absolute_airmass(pvlib.atmosphere.get_relative_airmass(zenith), pressure)
        extra = pvlib.irradiance.get_extra_radiation(times).to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):  # pvlib divides by the cosine of a sun that is down
            sky = pvlib.clearsky.ineichen(zenith, mass, linke, altitude=altitude_m, dni_extra=extra)
        return np.nan_to_num(np.asarray(sky["ghi"])), np.nan_to_num(np.asarray(sky["dni"]))

    clear = np.mean([ineichen(hours + shift, turbidity)[0] for shift in offsets], axis=0)
    clean = np.mean([ineichen(hours + shift, _CLEAN_TURBIDITY)[0] for shift in offsets], axis=0)
    position = pvlib.solarposition.get_solarposition(
        middle, latitude, longitude, altitude=altitude_m, pressure=pressure
    )
    return Sky(
        cos_zenith=np.cos(np.radians(position["zenith"].to_numpy())),
        clear_ghi=clear,
        clean_ghi=np.maximum(clean, clear),
        clean_dni=ineichen(middle, _CLEAN_TURBIDITY)[1],
    )


def _sun(
    sky: Sky, months: pd.DataFrame, month: npt.NDArray[np.int64], noise: _Noise, figures: WeatherProfile
) -> tuple[Floats, Floats, Floats, Floats]:
    """GHI, DHI, DNI of each hour [W/m2] and clear-sky index of each day."""
    clearness = _daily_clearness(sky, months, month, noise, figures)
    days = np.repeat(clearness, 24)
    # hour-to-hour change is largest under broken cloud, none under a clear or a closed sky
    broken = np.clip(4 * days * (1 - np.minimum(days, 1.0)), 0, 1)
    wobble = np.exp(figures.cloud_noise * broken * noise("cloud", 8760, figures.cloud_persistence))
    first = np.minimum(sky.clear_ghi * days * wobble, sky.clean_ghi)
    ghi = _scaled_to_months(first, sky.clean_ghi, months["ghi_kwh_m2_day"].to_numpy(float), month)
    beam_room = sky.clean_dni * np.maximum(sky.cos_zenith, 0)
    least = np.maximum(ghi - beam_room, 0.0)
    share = _diffuse_share(ghi, sky, days)
    dhi = _diffuse_by_month(ghi, least, share, months["dhi_kwh_m2_day"].to_numpy(float), month)
    up = (sky.cos_zenith > 0) & (beam_room > 0)
    dni = np.divide(ghi - dhi, sky.cos_zenith, out=np.zeros_like(ghi), where=up)
    return ghi, dhi, np.maximum(dni, 0.0), clearness


def _daily_clearness(
    sky: Sky, months: pd.DataFrame, month: npt.NDArray[np.int64], noise: _Noise, figures: WeatherProfile
) -> Floats:
    """Clear-sky index of each day, Beta distributed on (0, 1.08) about the month's mean."""
    top = 1.08
    u = ndtr(noise("clearness", 365, figures.clearness_persistence))
    clear_kwh = sky.clear_ghi.reshape(365, 24).sum(axis=1) / 1000
    day_month = month[::24]
    result = np.empty(365)
    for m in range(12):
        days = day_month == m
        mean = np.clip(months["ghi_kwh_m2_day"].iloc[m] / clear_kwh[days].mean() / top, 0.05, 0.97)
        size = 1 / figures.clearness_spread**2 - 1  # variance = mean (1 - mean) / (size + 1)
        result[days] = top * beta_distribution.ppf(u[days], mean * size, (1 - mean) * size)
    return np.clip(result, 0.03, top)


def _diffuse_share(ghi: Floats, sky: Sky, days: Floats) -> Floats:
    """First guess of the diffuse share: all under a closed sky, a quarter under a clear one."""
    index = np.divide(ghi, sky.clear_ghi, out=np.zeros_like(ghi), where=sky.clear_ghi > 0)
    return np.clip(1.02 - 0.80 * np.clip(0.75 * index + 0.25 * days, 0, 1.02) ** 1.8, 0.12, 0.999)


def _scaled_to_months(first: Floats, most: Floats, daily_kwh: Floats, month: npt.NDArray[np.int64]) -> Floats:
    """``min(f * first, most)`` with the factor of each month such that its mean daily sum is ``daily_kwh``."""
    result = np.empty_like(first)
    for m in range(12):
        own = month == m
        target = daily_kwh[m] * 1000 * own.sum() / 24
        a, top = first[own], most[own]
        if not 0 < target <= top.sum():
            raise _out_of_reach("ghi_kwh_m2_day", m, daily_kwh[m], 0.0, top.sum() * 24 / own.sum() / 1000)
        ceiling = float(np.max(np.divide(top, a, out=np.zeros_like(a), where=a > 0)))
        factor = _root(lambda f, a=a, top=top, t=target: np.minimum(f * a, top).sum() - t, 0.0, ceiling)  # type: ignore[misc]
        result[own] = np.minimum(factor * a, top)
    return result


def _diffuse_by_month(
    ghi: Floats, least: Floats, share: Floats, daily_kwh: Floats, month: npt.NDArray[np.int64]
) -> Floats:
    """``max(ghi * share ** g, least)`` with the exponent of each month such that its mean daily sum is ``daily_kwh``.

    ``g`` = 0 is all diffuse; as ``g`` grows only the least remains.
    """
    result = np.empty_like(ghi)
    for m in range(12):
        own = month == m
        g, low, s = ghi[own], least[own], share[own]
        hours = own.sum()
        target = daily_kwh[m] * 1000 * hours / 24
        if not low.sum() <= target <= g.sum():
            raise _out_of_reach("dhi_kwh_m2_day", m, daily_kwh[m], low.sum() * 0.024 / hours, g.sum() * 0.024 / hours)

        def surplus(
            x: float, g: Floats = g, low: Floats = low, s: Floats = s, t: float = target
        ) -> float:  # x in [0, 1): exponent x / (1 - x)
            return float(np.maximum(g * s ** (x / (1 - x)), low).sum() - t)

        x = _root(surplus, 0.0, 1 - 1e-9)
        result[own] = np.maximum(g * s ** (x / (1 - x)), low)
    return np.minimum(result, ghi)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of a monotonic function by bisection to the last bit; an end where there is no change of sign."""
    rising = function(high) > function(low)
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if (function(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _sunrise_hours(sky: Sky) -> Floats:
    """Hour of sunrise of each day (whole hours, the first with the sun up at its middle)."""
    up = sky.cos_zenith.reshape(365, 24) > 0
    return np.where(up.any(axis=1), up.argmax(axis=1), 6).astype(float)


# ---------------------------------------------------------------------------------------------------- air


def _temperature(
    months: pd.DataFrame,
    month: npt.NDArray[np.int64],
    clearness: Floats,
    sunrise: Floats,
    noise: _Noise,
    figures: WeatherProfile,
) -> Floats:
    """Air temperature of each hour [degC]."""
    day_month = month[::24]
    at_noon = np.arange(365) + 0.5
    hour = (np.arange(8760) + 0.5) / 24
    summer = 0.5 * (1 - np.cos(2 * np.pi * (at_noon - 15) / 365))
    sigma = figures.temperature_sigma_winter_c + summer * (
        figures.temperature_sigma_summer_c - figures.temperature_sigma_winter_c
    )
    anomaly = np.interp(hour, at_noon, sigma * noise("temperature", 365, figures.temperature_persistence), period=365)
    swing_shape = _daily_swing(sunrise, figures.warmest_hour)
    wanted = months["temp_air_daily_range_c"].to_numpy(float)
    # clear days swing more; the month's mean range is met in a few rounds because the drift of the mean adds to it
    weight = 0.45 + clearness
    size = wanted[day_month] * weight
    for m in range(12):
        size[day_month == m] /= weight[day_month == m].mean()
    hats = _month_hats(hour)
    mean_of = np.stack([hats[month == m].mean(axis=0) for m in range(12)])
    for _ in range(6):
        raw = anomaly + np.interp(hour, at_noon, size, period=365) * swing_shape
        lack = months["temp_air_mean_c"].to_numpy(float) - np.array([raw[month == m].mean() for m in range(12)])
        temperature = raw + hats @ np.linalg.solve(mean_of, lack)
        span = np.ptp(temperature.reshape(365, 24), axis=1)
        for m in range(12):
            own = day_month == m
            size[own] *= np.clip(wanted[m] / span[own].mean(), 0.5, 1.5)
    return np.asarray(temperature)


def _daily_swing(sunrise: Floats, warmest: float) -> Floats:
    """Swing of each hour, from -0.5 at sunrise to 0.5 at the warmest hour, two joined half cosines, daily mean 0."""
    hour = np.arange(24) + 0.5
    low = sunrise[:, None] + 0.5
    rising = (hour >= low) & (hour <= warmest)
    up = (hour - low) / (warmest - low)
    down = np.mod(hour - warmest, 24) / (24 - (warmest - low))
    swing = np.where(rising, -0.5 * np.cos(np.pi * up), 0.5 * np.cos(np.pi * down))
    return np.asarray((swing - swing.mean(axis=1, keepdims=True)).ravel())


def _month_hats(day: Floats) -> Floats:
    """Weight of each month at each time, shape (n, 12): straight lines between mid-months, round the year."""
    starts = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    middles = (starts[:-1] + starts[1:]) / 2
    return np.stack([np.interp(day, middles, np.eye(12)[m], period=365) for m in range(12)], axis=1)


def _wind(months: pd.DataFrame, month: npt.NDArray[np.int64], noise: _Noise, figures: WeatherProfile) -> Floats:
    """Wind speed of each hour at 10 m [m/s]: Weibull by inversion of a Gaussian chain, with a daily cycle."""
    u = ndtr(noise("wind", 8760, figures.wind_persistence))
    hour = np.arange(8760) % 24 + 0.5
    cycle = 1 + figures.wind_diurnal_share * np.cos(2 * np.pi * (hour - figures.windiest_hour) / 24)
    wanted = months["wind_speed_10m_mean_m_s"].to_numpy(float)
    k = _inner_shape(figures.weibull_k, cycle * wanted[month])
    speed: Floats = cycle * (-np.log1p(-np.minimum(u, 1 - 1e-12))) ** (1 / k)
    for m in range(12):
        own = month == m
        speed[own] *= wanted[m] / speed[own].mean()
    return np.asarray(speed)


def _direction(noise: _Noise, figures: WeatherProfile) -> Floats:
    """Where the wind of each hour comes from [degree], 0 to 360.

    A steady wind of the month's direction, of length ``s / sqrt(1 - s^2)`` with the steadiness ``s`` (0: from
    everywhere alike, 1: from one side), plus a circular Gaussian wind that persists like the speed.
    """
    table = pd.read_csv(_MONSOON).sort_values("month")
    day = (np.arange(8760) + 0.5) / 24
    angle, steady = np.radians(table["from_degree"].to_numpy(float)), table["steadiness"].to_numpy(float)
    length = steady / np.sqrt(1 - steady**2)
    hats = _month_hats(day)  # straight lines between mid-months, as vectors: no jump at north
    north, east = hats @ (length * np.cos(angle)), hats @ (length * np.sin(angle))
    north = north + noise("wind north", 8760, figures.wind_persistence) / np.sqrt(2)
    east = east + noise("wind east", 8760, figures.wind_persistence) / np.sqrt(2)
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


def _inner_shape(k: float, cycle: Floats) -> float:
    """Weibull shape of the noise such that noise x cycle has over the year the variation of shape ``k``.

    For independent factors the squared variations combine as ``1 + c2 = (1 + c2_noise) (1 + c2_cycle)``.
    """

    def squared_variation(shape: float) -> float:
        return float(gamma(1 + 2 / shape) / gamma(1 + 1 / shape) ** 2 - 1)

    rest = (1 + squared_variation(k)) / (1 + (cycle.std() / cycle.mean()) ** 2) - 1
    return _root(lambda shape: squared_variation(shape) - max(rest, 0.01), 0.8, 12.0)


def _pressure(altitude_m: float) -> float:
    import pvlib

    return float(pvlib.atmosphere.alt2pres(altitude_m))
