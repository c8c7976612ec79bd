"""Topocentric half of the solar position algorithm as one compiled loop over hours; see :mod:`siting.sun`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

_RAD = math.pi / 180
_EARTH_FLATTENING = 0.99664719
_EARTH_RADIUS_M = 6378140.0
_SUN_RADIUS_DEG = 0.26667


@njit(cache=True, nogil=True)
def _between(before: float, middle: float, after: float, offset_h: float) -> float:
    """Parabola through the values one hour before, at, and one hour after the middle."""
    rise = 0.5 * (after - before)
    bend = 0.5 * (after - 2 * middle + before)
    return middle + offset_h * (rise + offset_h * bend)


@njit(cache=True, nogil=True)
def _position(
    hour_angle_deg: float,
    declination_deg: float,
    parallax_deg: float,
    longitude: float,
    place: tuple[float, float, float, float],
    refraction: tuple[float, float],
) -> tuple[float, float, float]:
    """Geometric elevation, refracted elevation and azimuth [degree]; ``hour_angle_deg`` is that of Greenwich."""
    sin_lat, cos_lat, x, y = place
    hour = (hour_angle_deg + longitude) * _RAD
    declination = declination_deg * _RAD
    sin_parallax = math.sin(parallax_deg * _RAD)
    sin_h, cos_h = math.sin(hour), math.cos(hour)
    sin_d, cos_d = math.sin(declination), math.cos(declination)
    shift = math.atan2(-x * sin_parallax * sin_h, cos_d - x * sin_parallax * cos_h)
    seen = math.atan2((sin_d - y * sin_parallax) * math.cos(shift), cos_d - x * sin_parallax * cos_h)
    hour_seen = hour - shift
    sin_hs, cos_hs = math.sin(hour_seen), math.cos(hour_seen)
    elevation = math.asin(sin_lat * math.sin(seen) + cos_lat * math.cos(seen) * cos_hs) / _RAD
    bending = 0.0
    if elevation >= -(_SUN_RADIUS_DEG + refraction[1]):
        bending = refraction[0] * 1.02 / (60 * math.tan((elevation + 10.3 / (elevation + 5.11)) * _RAD))
    azimuth = math.atan2(sin_hs, cos_hs * sin_lat - math.tan(seen) * cos_lat) / _RAD + 180
    return elevation, elevation + bending, azimuth % 360


@njit(cache=True, nogil=True)
def _half(left: float, right: float) -> tuple[float, float]:
    """Where a straight line over a half hour is above zero: begin and end as shares of the half."""
    if left > 0 and right > 0:
        return 0.0, 1.0
    if left <= 0 and right <= 0:
        return 0.0, 0.0
    crossing = left / (left - right)
    return (0.0, crossing) if left > 0 else (crossing, 1.0)


@njit(cache=True, nogil=True)
def sunlit_part(start: float, middle: float, end: float) -> tuple[float, float]:
    """Share of the hour above the horizon, and the middle of that part as a fraction of the hour (0.5 in the dark)."""
    begin_1, finish_1 = _half(start, middle)
    begin_2, finish_2 = _half(middle, end)
    first, second = 0.5 * (finish_1 - begin_1), 0.5 * (finish_2 - begin_2)
    length = first + second
    if length <= 0:
        return 0.0, 0.5
    moment = first * 0.25 * (begin_1 + finish_1) + second * (0.5 + 0.25 * (begin_2 + finish_2))
    return length, moment / length


@njit(cache=True, nogil=True)
def position_of_hours(
    hour_angle: Floats,
    declination: Floats,
    parallax: Floats,
    latitude: float,
    longitude: float,
    altitude_m: float,
    refraction: tuple[float, float],
    horizon_deg: float,
    twilight_deg: float,
    out: Floats,
) -> None:
    """Fill ``out`` (3, hours): refracted elevation, azimuth, sunlit share.

    ``hour_angle`` and ``declination`` [degree] have shape (3, hours): one hour before the middle, the middle, one
    hour after; hour angles run on without a jump within a column. ``horizon_deg`` is the geometric elevation of a sun
    that refraction shows on the horizon; hours whose middle is nearer to it than ``twilight_deg`` are looked at in
    parts.
    """
    sin_lat, cos_lat = math.sin(latitude * _RAD), math.cos(latitude * _RAD)
    u = math.atan(_EARTH_FLATTENING * math.tan(latitude * _RAD))
    x = math.cos(u) + altitude_m / _EARTH_RADIUS_M * cos_lat
    y = _EARTH_FLATTENING * math.sin(u) + altitude_m / _EARTH_RADIUS_M * sin_lat
    place = (sin_lat, cos_lat, x, y)
    for i in range(hour_angle.shape[1]):
        xi = parallax[i]
        geometric, seen, azimuth = _position(hour_angle[1, i], declination[1, i], xi, longitude, place, refraction)
        height = geometric - horizon_deg
        lit = 1.0 if height > 0 else 0.0
        if abs(height) < twilight_deg:
            ends = np.empty(2)
            for side in range(2):
                offset = side - 0.5
                angle = _between(hour_angle[0, i], hour_angle[1, i], hour_angle[2, i], offset)
                tilt = _between(declination[0, i], declination[1, i], declination[2, i], offset)
                ends[side] = _position(angle, tilt, xi, longitude, place, refraction)[0] - horizon_deg
            lit, centre = sunlit_part(ends[0], height, ends[1])
            if 0 < lit < 1:
                offset = centre - 0.5
                angle = _between(hour_angle[0, i], hour_angle[1, i], hour_angle[2, i], offset)
                tilt = _between(declination[0, i], declination[1, i], declination[2, i], offset)
                _, seen, azimuth = _position(angle, tilt, xi, longitude, place, refraction)
        out[0, i] = seen
        out[1, i] = azimuth
        out[2, i] = lit
