"""Where the sun stands in each hour of a weather record, for one place or for many.

The solar position algorithm (SPA) has a part that depends on time alone (the earth's orbit, nutation, sidereal time:
nine tenths of the work) and a part that depends on the place. The first is computed once by pvlib's own functions and
kept in a :class:`SunClock`; the second runs for each place in compiled code. The result is SPA's to 1e-6 degree.

Labels stand at the start of their hour; the sun is taken 30 minutes later, or, where it rises or sets within the
hour, in the middle of the sunlit part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

_HOUR_S = 3600.0
_DAY_S = 86400.0
_NODE_S = 6 * _HOUR_S
"""Distance of the moments at which SPA's time terms are computed; between them a cubic spline is within 1e-8 degree."""
_HALF_HOUR = pd.Timedelta(minutes=30)
_DELTA_T_S = 67.0
_PRESSURE_HPA = 1010.0
_TEMPERATURE_C = 12.0
_REFRACTION_AT_HORIZON_DEG = 0.5667
# In half an hour the sun climbs at most 7.5 degrees times the cosine of the latitude; an hour with sunrise or sunset
# has its mid-hour sun within that of the horizon, and one degree more for refraction.
_STEEPEST_DEG = 7.5
_MARGIN_DEG = 1.0
# Geometric elevation of a sun that refraction shows on the horizon (SPA's formula at 1010 hPa and 10 degC).
_HORIZON_DEG = -0.573


@dataclass(frozen=True)
class Sun:
    """Sun of each hour, shape ``(hours,)``. ``lit_share`` is the part of the hour with the sun's centre (refracted)
    above the horizon; angles hold for the middle of that part, or of the hour where it is 0. ``towards`` is the unit
    vector to the sun (east, north, up), shape ``(3, hours)``, where it is known already."""

    zenith_deg: Floats
    azimuth_deg: Floats
    extra_w_per_m2: Floats
    lit_share: Floats
    towards: Floats | None = None

    def vector(self) -> Floats:
        """Unit vector to the sun (east, north, up), shape ``(3, hours)``."""
        if self.towards is not None:
            return self.towards
        zenith, azimuth = np.deg2rad(self.zenith_deg), np.deg2rad(self.azimuth_deg)
        return np.stack([np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth), np.cos(zenith)])


@dataclass(frozen=True)
class SunClock:
    """The part of SPA that every place shares.

    ``hour_angle_deg`` (of Greenwich, running on without a jump within a column) and ``declination_deg`` have shape
    ``(3, hours)``: one hour before the middle of the hour, the middle, one hour after. ``middle`` (5, hours) holds sine
    and cosine of both at the middle and the sine of the parallax, ``extra_w_per_m2`` has shape ``(hours,)``.
    """

    hour_angle_deg: Floats
    declination_deg: Floats
    middle: Floats
    extra_w_per_m2: Floats


def sun_clock(labels: pd.DatetimeIndex) -> SunClock:
    """Time terms of SPA for hourly means.

    Parameters
    ----------
    labels : DatetimeIndex
        Starts of the hours, with a time zone; hours need not follow on each other.

    Notes
    -----
    The terms are pvlib's, every six hours. Declination, parallax and the equation of time in between follow a cubic
    spline, and a parabola within the hour: both are within 1e-8 degree, because nothing in the orbit moves faster
    than the moon. Regular years are remembered, so that the next place has them for nothing.
    """
    if labels.tz is None:
        raise ValueError("the hours have no time zone: the sun cannot be placed")
    if len(labels) > 2 and bool((np.diff(_unix(labels)) == _HOUR_S).all()):
        return _regular_clock(labels[0].tz_convert("UTC"), len(labels))
    return _clock(labels.tz_convert("UTC"))


def sun_of_hours(
    labels: pd.DatetimeIndex,
    latitude: float,
    longitude: float,
    altitude_m: float,
    *,
    clock: SunClock | None = None,
    angles: bool = True,
) -> Sun:
    """Position of the sun for hourly means.

    Parameters
    ----------
    labels : DatetimeIndex
        Starts of the hours, with a time zone.
    latitude, longitude : float
        WGS-84 [degree].
    altitude_m : float
        Above sea level [m], for the refraction.
    clock : SunClock, optional
        Of the same labels; taken or made by :func:`sun_clock` where not given.
    angles : bool
        Without it zenith and azimuth are NaN: ``towards`` and ``lit_share`` are all that many planes need, and hours
        of deep night get a sun at the nadir.

    Returns
    -------
    Sun
        Arrays of shape ``(len(labels),)``.

    Notes
    -----
    Positions by SPA with the defaults of pvlib's ``get_solarposition`` (delta T 67 s, 12 degC, standard pressure at
    the altitude). Sunrise and sunset inside an hour come from the geometric elevation at the start, the middle and
    the end of the hour, joined by straight lines (within a minute at these latitudes).

    References
    ----------
    Reda and Andreas 2004, NREL/TP-560-34302.
    """
    from pvlib.atmosphere import alt2pres

    from siting.pv.sun_kernels import position_of_hours

    known = sun_clock(labels) if clock is None else clock
    pressure_hpa = float(alt2pres(altitude_m)) / 100
    refraction = (pressure_hpa / _PRESSURE_HPA * 283.0 / (273.0 + _TEMPERATURE_C), _REFRACTION_AT_HORIZON_DEG)
    out = np.full((6, len(labels)), np.nan)
    position_of_hours(
        known.hour_angle_deg,
        known.declination_deg,
        known.middle,
        float(latitude),
        float(longitude),
        float(altitude_m),
        refraction,
        _HORIZON_DEG,
        _STEEPEST_DEG * abs(math.cos(math.radians(latitude))) + _MARGIN_DEG,
        angles,
        out,
    )
    return Sun(90 - out[0], out[1], known.extra_w_per_m2, out[2], out[3:])


@lru_cache(maxsize=8)
def _regular_clock(start: pd.Timestamp, hours: int) -> SunClock:
    return _clock(pd.date_range(start, periods=hours, freq="h"))


def _clock(labels: pd.DatetimeIndex) -> SunClock:
    from pvlib import irradiance, spa
    from scipy.interpolate import CubicSpline

    middle = labels + _HALF_HOUR
    centre = _unix(middle)
    nodes = np.arange(centre.min() - 4 * _NODE_S, centre.max() + 5 * _NODE_S, _NODE_S)
    sidereal, ascension, declination = spa.solar_position(nodes, 0.0, 0.0, 0.0, 0.0, 0.0, _DELTA_T_S, 0.0, 1, sst=True)
    (distance_au,) = spa.solar_position(nodes, 0.0, 0.0, 0.0, 0.0, 0.0, _DELTA_T_S, 0.0, 1, esd=True)
    # the hour angle without the turn of the earth is the equation of time: slow and smooth
    slow = np.unwrap(sidereal - ascension - 360 * _days(nodes), period=360)
    terms = CubicSpline(nodes, np.column_stack([slow, declination, 8.794 / (3600 * np.asarray(distance_au))]))
    three = np.stack([centre - _HOUR_S, centre, centre + _HOUR_S])
    at = terms(three)
    angle = at[..., 0] + 360 * _days(centre) + np.array([[-15.0], [0.0], [15.0]])
    tilt = np.ascontiguousarray(at[..., 1])
    h, d, parallax = np.deg2rad(angle[1]), np.deg2rad(tilt[1]), np.deg2rad(at[1, :, 2])
    middle_terms = np.stack([np.sin(h), np.cos(h), np.sin(d), np.cos(d), np.sin(parallax)])
    extra = np.asarray(irradiance.get_extra_radiation(middle), dtype=float)
    return SunClock(angle, tilt, middle_terms, extra)


def _days(unix_s: Floats) -> Floats:
    """Part of the day since midnight UTC; whole days are whole turns and left out."""
    return unix_s % _DAY_S / _DAY_S


def _unix(times: pd.DatetimeIndex) -> Floats:
    """Seconds since 1970."""
    return np.asarray(times.values.astype("datetime64[ns]").astype(np.int64) / 1e9)
