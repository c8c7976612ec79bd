"""PV yield of one weather cell: all variants at once, on arrays of shape (hours, sides).

pvlib's functions are called on arrays rather than through ``ModelChain``: the sun is computed once for a cell and
every side of every variant is one more column.

::

    weather hour -> sun in the middle of its sunlit part -> plane of array (Hay-Davies) -> reflection (physical)
    -> cell temperature (PVsyst) -> DC power (PVWatts) -> loss chain -> inverter with limit (PVWatts)

Labels stand at the start of their hour; the sun is taken 30 minutes later, or, where it rises or sets within the
hour, in the middle of the sunlit part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Weather
from siting.technology_tables import PvVariant
from siting.wind import speed_at_height

Floats = npt.NDArray[np.float64]

_HALF_HOUR = pd.Timedelta(minutes=30)
# The sun climbs at most 15 degrees an hour, so an hour with sunrise or sunset has its mid-hour sun within 7.5
# degrees of the horizon; one degree more for refraction.
_TWILIGHT_DEG = 8.5
_WIND_HEIGHT_M = 10.0
# Geometric elevation of a sun that refraction shows on the horizon (SPA's formula at 1010 hPa and 10 degC).
_HORIZON_DEG = -0.573


@dataclass(frozen=True)
class Sun:
    """Sun of each hour, shape ``(hours,)``. ``lit_share`` is the part of the hour with the sun's centre (refracted)
    above the horizon; angles hold for the middle of that part, or of the hour where it is 0."""

    zenith_deg: Floats
    azimuth_deg: Floats
    extra_w_per_m2: Floats
    lit_share: Floats


@dataclass(frozen=True)
class Plane:
    """Irradiance on the planes [W/m2], shape ``(hours, sides)``; zero while the sun is down. ``aoi_deg`` is the
    angle of incidence of the beam."""

    beam: Floats
    diffuse: Floats
    aoi_deg: Floats


@dataclass(frozen=True)
class PvYield:
    """``power``: shape (hours, variants), AC per grid capacity, 0..1. ``stages``: for each variant the yearly energy
    [kWh per kW DC] that is left after each item, first ``reference_yield``, last ``clipping``. ``dark_share`` is
    the share of the year's global irradiation that the weather has in hours without sun (and that is dropped)."""

    power: Floats
    stages: tuple[pd.Series, ...]
    dark_share: float


def sun_of_hours(labels: pd.DatetimeIndex, latitude: float, longitude: float, altitude_m: float) -> Sun:
    """Position of the sun for hourly means.

    Parameters
    ----------
    labels : DatetimeIndex
        Starts of the hours, with a time zone.
    latitude, longitude : float
        WGS-84 [degree].
    altitude_m : float
        Above sea level [m], for the refraction.

    Returns
    -------
    Sun
        Arrays of shape ``(len(labels),)``.

    Notes
    -----
    Positions by SPA (pvlib ``nrel_numpy``). Sunrise and sunset inside an hour come from the geometric elevation at
    the start, the middle and the end of the hour, joined by straight lines (within a minute at these latitudes).

    References
    ----------
    Reda and Andreas 2004, NREL/TP-560-34302.
    """
    from pvlib import irradiance

    middle = labels + _HALF_HOUR
    height, elevation, azimuth = _spa(middle, latitude, longitude, altitude_m)
    lit = (height > 0).astype(float)
    twilight = np.flatnonzero(np.abs(height) < _TWILIGHT_DEG)
    if twilight.size:
        start, _, _ = _spa(labels[twilight], latitude, longitude, altitude_m)
        end, _, _ = _spa(labels[twilight] + 2 * _HALF_HOUR, latitude, longitude, altitude_m)
        share, centre = _sunlit_part(np.stack([start, height[twilight], end]))
        lit[twilight] = share
        partly = (share > 0) & (share < 1)
        hours = twilight[partly]
        if hours.size:
            times = labels[hours] + pd.to_timedelta(np.round(centre[partly] * 3600), unit="s")
            _, elevation[hours], azimuth[hours] = _spa(times, latitude, longitude, altitude_m)
    extra = np.asarray(irradiance.get_extra_radiation(middle), dtype=float)
    return Sun(90 - elevation, azimuth, extra, lit)


def plane_irradiance(
    sun: Sun, ghi: Floats, dni: Floats, dhi: Floats, tilt_deg: Floats, azimuth_deg: Floats, albedo: Floats
) -> Plane:
    """Irradiance on tilted planes by Hay and Davies.

    Parameters
    ----------
    sun : Sun
        Shape ``(hours,)``.
    ghi, dni, dhi : array
        Means of the hour [W/m2], shape ``(hours,)``.
    tilt_deg, azimuth_deg, albedo : array
        Shape ``(sides,)``; azimuth clockwise from north.

    Notes
    -----
    The circumsolar part is limited so that beam and aureole together do not exceed the extraterrestrial beam:
    ``dni + circumsolar / cos(aoi) <= extra``. Without it the model's division by the cosine of the zenith gives
    thousands of W/m2 when a record has much light at a low sun.

    References
    ----------
    Hay and Davies 1980; Loutzenhiser et al. 2007, doi:10.1016/j.solener.2006.03.009.
    """
    from pvlib import irradiance

    zenith, azimuth = sun.zenith_deg[:, None], sun.azimuth_deg[:, None]
    extra, dni_, dhi_ = sun.extra_w_per_m2[:, None], dni[:, None], dhi[:, None]
    projection = np.clip(irradiance.aoi_projection(tilt_deg, azimuth_deg, zenith, azimuth), -1, 1)
    facing = np.maximum(projection, 0)
    sky = irradiance.haydavies(tilt_deg, azimuth_deg, dhi_, dni_, extra, zenith, azimuth, return_components=True)
    circumsolar = np.minimum(sky["poa_circumsolar"], np.maximum(extra - dni_, 0) * facing)
    ground = irradiance.get_ground_diffuse(tilt_deg, ghi[:, None], albedo)
    up = sun.lit_share[:, None] > 0
    return Plane(
        np.where(up, dni_ * facing, 0.0),
        np.where(up, sky["poa_isotropic"] + circumsolar + ground, 0.0),
        np.rad2deg(np.arccos(projection)),
    )


def pv_yield(weather: Weather, variants: Sequence[PvVariant]) -> PvYield:
    """Hourly AC power and energy after each loss, for all variants in one weather cell.

    Parameters
    ----------
    weather : Weather
        Hours without gaps (NaN is the caller's to refuse, see :func:`siting.yields.check_weather`).
    variants : sequence of PvVariant
        Any number; their sides become the columns of the arrays.

    Notes
    -----
    Per kW of grid capacity a side has ``dc_ac_ratio`` kW of modules, an inverter of 1 kW AC and the whole loss
    chain on the DC side, as PVWatts has it. A variant's power is the mean of its sides weighted by their share:
    every side has inverters of its own. Reflection acts on the beam only, as in pvlib's ModelChain.

    References
    ----------
    Dobos 2014, PVWatts version 5, doi:10.2172/1158421; De Soto et al. 2006, doi:10.1016/j.solener.2005.06.010
    (reflection); PVsyst (cell temperature); ``siting/technologies/pv_*.csv`` (parameters).
    """
    from pvlib import iam, inverter, pvsystem, temperature

    hours = weather.hours
    ghi, dni, dhi = (hours[name].to_numpy(float) for name in ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2"))
    sun = sun_of_hours(pd.DatetimeIndex(hours.index), weather.latitude, weather.longitude, weather.altitude_m)
    sides = _Sides.of(variants)
    plane = plane_irradiance(sun, ghi, dni, dhi, sides.tilt_deg, sides.azimuth_deg, sides.albedo)

    incident = plane.beam + plane.diffuse
    effective = plane.beam * iam.physical(plane.aoi_deg) + plane.diffuse
    wind = speed_at_height(
        hours["wind_speed_m_per_s"].to_numpy(float), weather.wind_height_m, _WIND_HEIGHT_M, weather.roughness_length_m
    )
    air = hours["temp_air_c"].to_numpy(float)
    cell = temperature.pvsyst_cell(incident, air[:, None], wind[:, None], u_c=sides.u_c, u_v=sides.u_v)
    dc = np.maximum(pvsystem.pvwatts_dc(effective, cell, 1.0, sides.gamma_pdc_per_k), 0)
    into_inverter = dc * sides.after_losses * sides.dc_ac_ratio
    limit = 1 / sides.inverter_efficiency
    power = inverter.pvwatts(into_inverter, limit, eta_inv_nom=sides.inverter_efficiency)
    unlimited = np.where(into_inverter > limit, into_inverter * sides.inverter_efficiency, power)

    energies = _Energies(
        float(ghi.sum()) / 1000,
        incident.sum(axis=0) / 1000,
        effective.sum(axis=0) / 1000,
        dc.sum(axis=0),
        unlimited.sum(axis=0) / sides.dc_ac_ratio,
        power.sum(axis=0) / sides.dc_ac_ratio,
    )
    total = float(ghi.sum())
    dark = float(ghi[sun.lit_share <= 0].sum()) / total if total > 0 else 0.0
    stages = tuple(_stages(variant, energies, sides.weights[:, k]) for k, variant in enumerate(variants))
    return PvYield(np.clip(power @ sides.weights, 0, 1), stages, dark)


@dataclass(frozen=True)
class _Sides:
    """Parameters of all sides, shape ``(sides,)``; ``weights`` has shape ``(sides, variants)``."""

    tilt_deg: Floats
    azimuth_deg: Floats
    albedo: Floats
    u_c: Floats
    u_v: Floats
    gamma_pdc_per_k: Floats
    after_losses: Floats
    dc_ac_ratio: Floats
    inverter_efficiency: Floats
    weights: Floats

    @classmethod
    def of(cls, variants: Sequence[PvVariant]) -> _Sides:
        pairs = [(k, variant, side) for k, variant in enumerate(variants) for side in variant.orientations]
        weights = np.zeros((len(pairs), len(variants)))
        for row, (k, _, side) in enumerate(pairs):
            weights[row, k] = side.share
        return cls(
            np.array([side.tilt_deg for _, _, side in pairs]),
            np.array([side.azimuth_deg for _, _, side in pairs]),
            np.array([variant.albedo for _, variant, _ in pairs]),
            np.array([variant.mounting.u_c_w_per_m2_k for _, variant, _ in pairs]),
            np.array([variant.mounting.u_v_w_s_per_m3_k for _, variant, _ in pairs]),
            np.array([variant.gamma_pdc_per_k for _, variant, _ in pairs]),
            np.array([np.prod([1 - loss.loss_share for loss in variant.losses]) for _, variant, _ in pairs]),
            np.array([variant.dc_ac_ratio for _, variant, _ in pairs]),
            np.array([variant.inverter_efficiency for _, variant, _ in pairs]),
            weights,
        )


@dataclass(frozen=True)
class _Energies:
    """Energy per kW DC after the physical steps; arrays have shape ``(sides,)``."""

    reference: float
    incident: Floats
    effective: Floats
    dc: Floats
    unlimited: Floats
    power: Floats


def _stages(variant: PvVariant, energies: _Energies, weights: Floats) -> pd.Series:
    dc = float(energies.dc @ weights)
    stages = {
        "reference_yield": energies.reference,
        "plane_of_array": float(energies.incident @ weights),
        "reflection": float(energies.effective @ weights),
        "temperature": dc,
    }
    for loss in variant.losses:
        dc *= 1 - loss.loss_share
        stages[loss.item] = dc
    stages["inverter"] = float(energies.unlimited @ weights)
    stages["clipping"] = float(energies.power @ weights)
    return pd.Series(stages, dtype=float)


def _spa(
    times: pd.DatetimeIndex, latitude: float, longitude: float, altitude_m: float
) -> tuple[Floats, Floats, Floats]:
    """Height above the visible horizon (without refraction's kink), refracted elevation, azimuth [degree]."""
    from pvlib import solarposition

    sun = solarposition.get_solarposition(times, latitude, longitude, altitude_m, method="nrel_numpy")
    height, elevation, azimuth = (
        sun[name].to_numpy(float).copy() for name in ("elevation", "apparent_elevation", "azimuth")
    )
    return height - _HORIZON_DEG, elevation, azimuth


def _sunlit_part(elevation: Floats) -> tuple[Floats, Floats]:
    """Share of the hour above the horizon, and the middle of that part as a fraction of the hour.

    ``elevation`` has shape ``(3, n)``: start, middle and end of the hour, joined by straight lines.
    """
    length = np.zeros(elevation.shape[1])
    moment = np.zeros(elevation.shape[1])
    for offset, (left, right) in zip((0.0, 0.5), (elevation[:2], elevation[1:]), strict=True):
        rise = np.where(right == left, 1.0, right - left)
        crossing = np.clip(-left / rise, 0, 1)
        begin = np.where(left > 0, 0.0, np.where(right > 0, crossing, 0.0))
        finish = np.where(right > 0, 1.0, np.where(left > 0, crossing, 0.0))
        part = 0.5 * np.maximum(finish - begin, 0)
        length += part
        moment += part * (offset + 0.25 * (begin + finish))
    return length, np.divide(moment, length, out=np.full_like(length, 0.5), where=length > 0)
