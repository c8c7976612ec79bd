"""Chinese map datums: exact conversion between WGS-84, GCJ-02 and BD-09.

Maps sold in China carry a shifted datum: GCJ-02 (Amap, Tencent, DataV) lies 300 to 700 m off WGS-84, BD-09
(Baidu) about 1 km. That is more than most setbacks. CGCS2000 (EPSG:4490), the legal datum of survey data,
agrees with WGS-84 within some decimetres and is treated as equal.

::

    WGS-84  --shift_gcj02-->  GCJ-02  --shift_bd09-->  BD-09       published, one way
    WGS-84  <--------- fixed-point iteration ---------  either     inverse, to 1e-11 degrees

No EPSG code exists for GCJ-02 or BD-09, hence no file can state them: the source card does, and
:mod:`layers.datum_check` finds out when it errs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from layers.contracts import Datum

Degrees = npt.NDArray[np.float64]
Forward = Callable[[Degrees, Degrees], tuple[Degrees, Degrees]]

WGS84, CGCS2000 = "EPSG:4326", "EPSG:4490"
GEOGRAPHIC_CRS: dict[str, str] = {"wgs84": WGS84, "cgcs2000": CGCS2000, "gcj02": WGS84, "bd09": WGS84}
"""CRS that the coordinates are in once :func:`to_wgs84` has taken the shift away."""

CHINA_BOX = (73.0, 3.0, 136.0, 54.0)
"""(west, south, east, north) in degrees: mainland and islands, where the shifted datums are defined."""

_KRASOVSKY_A_M = 6_378_245.0
_KRASOVSKY_E2 = 0.00669342162296594323
_BD09_FREQUENCY = 3000.0 * np.pi / 180.0
_ITERATIONS = 8


def gcj02_from_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """GCJ-02 position of a WGS-84 position (forward, published formula).

    Parameters
    ----------
    lon, lat : array_like
        WGS-84 longitude and latitude [degrees], any equal shape. NaN stays NaN.

    Returns
    -------
    tuple of ndarray
        GCJ-02 longitude and latitude [degrees].

    Notes
    -----
    With ``x = lon - 105`` and ``y = lat - 35`` two trigonometric sums give a displacement in metres east
    and north, which the radii of curvature of the Krasovsky 1940 ellipsoid turn into degrees. The sums are
    those of the coordinate offset that Chinese map services apply (reverse engineered and published in 2010,
    the same in every implementation since).
    """
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * root + ripple
        + (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
        + (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    east = (
        300.0 + x + 2.0 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * root + ripple
        + (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
        + (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    phi = np.radians(lat)
    w2 = 1.0 - _KRASOVSKY_E2 * np.sin(phi) ** 2
    meridian_m = _KRASOVSKY_A_M * (1.0 - _KRASOVSKY_E2) / w2**1.5
    parallel_m = _KRASOVSKY_A_M / np.sqrt(w2) * np.cos(phi)
    return lon + np.degrees(east / parallel_m), lat + np.degrees(north / meridian_m)


def bd09_from_gcj02(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """BD-09 position of a GCJ-02 position [degrees]: a ripple in polar form plus (0.0065, 0.006) degrees.

    NaN stays NaN. Notes as for :func:`gcj02_from_wgs84`.
    """
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    radius = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BD09_FREQUENCY)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BD09_FREQUENCY)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def bd09_from_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """BD-09 position of a WGS-84 position [degrees]."""
    return bd09_from_gcj02(*gcj02_from_wgs84(lon, lat))


def _same(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    return lon, lat


_FORWARD: dict[str, Forward] = {
    "wgs84": _same,
    "cgcs2000": _same,
    "gcj02": gcj02_from_wgs84,
    "bd09": bd09_from_wgs84,
}


def to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, datum: Datum) -> tuple[Degrees, Degrees]:
    """WGS-84 position of a position in ``datum``.

    Parameters
    ----------
    lon, lat : array_like
        Longitude and latitude [degrees] in ``datum``, any equal shape. NaN stays NaN.
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}
        What the coordinates are in.

    Returns
    -------
    tuple of ndarray
        WGS-84 longitude and latitude [degrees]; forward conversion of the result gives the input back
        within 1e-11 degrees (a micrometre).

    Raises
    ------
    ValueError
        If the datum is unknown, or a shifted datum is asked for outside China, where it is not defined.

    Notes
    -----
    The shift varies by less than 1 % of the distance moved, so ``p <- p + (target - forward(p))`` gains two
    digits per round. Eight rounds, always, reach rounding error; a fixed number keeps the result of a point
    independent of the points beside it.
    """
    forward = _forward(datum)
    target_lon, target_lat = np.asarray(lon, float), np.asarray(lat, float)
    if forward is _same:
        return target_lon.copy(), target_lat.copy()
    _refuse_outside_china(target_lon, target_lat, datum)
    guess_lon, guess_lat = target_lon.copy(), target_lat.copy()
    for _ in range(_ITERATIONS):
        image_lon, image_lat = forward(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + (target_lon - image_lon), guess_lat + (target_lat - image_lat)
    return guess_lon, guess_lat


def from_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, datum: Datum) -> tuple[Degrees, Degrees]:
    """Position in ``datum`` of a WGS-84 position; the opposite of :func:`to_wgs84`, same conventions."""
    forward = _forward(datum)
    lon, lat = np.array(lon, float), np.array(lat, float)
    if forward is not _same:
        _refuse_outside_china(lon, lat, datum)
    return forward(lon, lat)


def _forward(datum: str) -> Forward:
    if datum not in _FORWARD:
        raise ValueError(f"unknown datum {datum!r}; known are {', '.join(get_args(Datum))}")
    return _FORWARD[datum]


def _refuse_outside_china(lon: Degrees, lat: Degrees, datum: str) -> None:
    west, south, east, north = CHINA_BOX
    outside = (lon < west) | (lon > east) | (lat < south) | (lat > north)
    if outside.any():
        first = np.flatnonzero(outside)[0]
        where = f"({lon.ravel()[first]:.6f}, {lat.ravel()[first]:.6f})"
        raise ValueError(f"{datum} is not defined outside China; {outside.sum()} positions such as {where} lie there")


def transform_geometries(features: gpd.GeoDataFrame, datum: Datum, target_crs: str) -> gpd.GeoDataFrame:
    """Features whose coordinates are degrees in ``datum``, in ``target_crs``.

    The CRS that ``features`` carries is not looked at: ``datum`` says what the coordinates are, because no
    CRS can say GCJ-02 or BD-09. Axis order is (lon, lat) and (east, north) throughout.

    Parameters
    ----------
    features : GeoDataFrame
        Geometries in degrees (lon, lat).
    datum : {"wgs84", "cgcs2000", "gcj02", "bd09"}
        What the coordinates are in.
    target_crs : str
        CRS of the result, e.g. ``EPSG:4548``.

    Returns
    -------
    GeoDataFrame
        Same rows, index and columns, two-dimensional geometries in ``target_crs``.
    """

    def convert(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], datum))

    geometries = shapely.force_2d(np.asarray(features.geometry.array, dtype=object))
    if datum in ("gcj02", "bd09"):
        geometries = shapely.transform(geometries, convert)
    geographic = gpd.GeoSeries(geometries, index=features.index, crs=GEOGRAPHIC_CRS[datum])
    return features.set_geometry(geographic.to_crs(target_crs))
