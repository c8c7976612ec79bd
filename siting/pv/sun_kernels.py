"""Topocentric half of the solar position algorithm as one compiled loop over hours; see :mod:`siting.pv.sun`."""

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
def _seen_from(
    sin_h: float,
    cos_h: float,
    sin_d: float,
    cos_d: float,
    sin_parallax: float,
    place: tuple[float, float, float, float],
) -> tuple[float, float, float]:
    """Sine of the geometric elevation, and the two arguments of the azimuth's arc tangent.

    ``h`` is the local hour angle, ``d`` the declination. The small turn by parallax is done on sines and cosines.
    """
    sin_lat, cos_lat, x, y = place
    across, along = -x * sin_parallax * sin_h, cos_d - x * sin_parallax * cos_h
    length = math.sqrt(across * across + along * along)
    sin_shift, cos_shift = across / length, along / length
    height = (sin_d - y * sin_parallax) * cos_shift
    slant = math.sqrt(height * height + along * along)
    sin_hs = sin_h * cos_shift - cos_h * sin_shift
    cos_hs = cos_h * cos_shift + sin_h * sin_shift
    sin_elevation = (sin_lat * height + cos_lat * along * cos_hs) / slant
    return sin_elevation, sin_hs, cos_hs * sin_lat - height / along * cos_lat


@njit(cache=True, nogil=True)
def _bending(elevation: float, refraction: tuple[float, float]) -> float:
    """Refraction [degree] at a geometric elevation [degree]."""
    if elevation < -(_SUN_RADIUS_DEG + refraction[1]):
        return 0.0
    return refraction[0] * 1.02 / (60 * math.tan((elevation + 10.3 / (elevation + 5.11)) * _RAD))


@njit(cache=True, nogil=True)
def _at(
    hour_angle: Floats,
    declination: Floats,
    hour: int,
    offset_h: float,
    longitude: float,
    sin_parallax: float,
    place: tuple[float, float, float, float],
) -> tuple[float, float, float]:
    """As :func:`_seen_from`, some part of an hour away from the middle."""
    h = (_between(hour_angle[0, hour], hour_angle[1, hour], hour_angle[2, hour], offset_h) + longitude) * _RAD
    d = _between(declination[0, hour], declination[1, hour], declination[2, hour], offset_h) * _RAD
    return _seen_from(math.sin(h), math.cos(h), math.sin(d), math.cos(d), sin_parallax, place)


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
    middle: Floats,
    latitude: float,
    longitude: float,
    altitude_m: float,
    refraction: tuple[float, float],
    horizon_deg: float,
    twilight_deg: float,
    angles: bool,
    out: Floats,
) -> None:
    """Fill ``out`` (6, hours): refracted elevation, azimuth, sunlit share, and the unit vector east, north, up.

    Without ``angles`` the first two are left alone, and hours of deep night get a sun at the nadir.

    ``hour_angle`` and ``declination`` [degree] have shape (3, hours): one hour before the middle, the middle, one
    hour after; hour angles run on without a jump within a column. ``middle`` (5, hours): sine and cosine of both in the
    middle, and the sine of the parallax. ``horizon_deg`` is the geometric elevation of a sun that refraction shows on
    the horizon; hours whose middle is nearer to it than ``twilight_deg`` are looked at in parts.
    """
    sin_lat, cos_lat = math.sin(latitude * _RAD), math.cos(latitude * _RAD)
    sin_lon, cos_lon = math.sin(longitude * _RAD), math.cos(longitude * _RAD)
    u = math.atan(_EARTH_FLATTENING * math.tan(latitude * _RAD))
    x = math.cos(u) + altitude_m / _EARTH_RADIUS_M * cos_lat
    y = _EARTH_FLATTENING * math.sin(u) + altitude_m / _EARTH_RADIUS_M * sin_lat
    place = (sin_lat, cos_lat, x, y)
    deep = math.sin((horizon_deg - twilight_deg) * _RAD)
    for i in range(hour_angle.shape[1]):
        sin_g, cos_g, sin_xi = middle[0, i], middle[1, i], middle[4, i]
        sin_h, cos_h = sin_g * cos_lon + cos_g * sin_lon, cos_g * cos_lon - sin_g * sin_lon
        sine, across, along = _seen_from(sin_h, cos_h, middle[2, i], middle[3, i], sin_xi, place)
        if sine < deep and not angles:
            out[2, i] = out[3, i] = out[4, i] = 0.0
            out[5, i] = -1.0
            continue
        elevation = math.asin(min(max(sine, -1.0), 1.0)) / _RAD
        height = elevation - horizon_deg
        lit = 1.0 if height > 0 else 0.0
        if abs(height) < twilight_deg:
            start = math.asin(_at(hour_angle, declination, i, -0.5, longitude, sin_xi, place)[0]) / _RAD - horizon_deg
            end = math.asin(_at(hour_angle, declination, i, 0.5, longitude, sin_xi, place)[0]) / _RAD - horizon_deg
            lit, centre = sunlit_part(start, height, end)
            if 0 < lit < 1:
                sine, across, along = _at(hour_angle, declination, i, centre - 0.5, longitude, sin_xi, place)
                elevation = math.asin(sine) / _RAD
        cosine = math.sqrt(max(1 - sine * sine, 0.0))
        bending = _bending(elevation, refraction)
        rise = bending * _RAD
        # sine and cosine of the bending itself, below 0.02: its powers from the fifth on are below 1e-10
        sin_rise, cos_rise = rise - rise**3 / 6, 1 - rise * rise / 2 + rise**4 / 24
        if angles:
            out[0, i] = elevation + bending
            out[1, i] = (math.atan2(across, along) / _RAD + 180) % 360
        out[2, i] = lit
        level = (cosine * cos_rise - sine * sin_rise) / max(math.sqrt(across * across + along * along), 1e-300)
        out[3, i] = -across * level
        out[4, i] = -along * level
        out[5, i] = sine * cos_rise + cosine * sin_rise
