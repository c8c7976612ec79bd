"""From horizontal irradiance to tilted planes.

A transposition model splits the diffuse light of an hour into parts that do not depend on the plane
(:class:`SkyParts`); a plane then takes each part by its own geometry::

    beam          dni   * max(cos aoi, 0)
    circumsolar   c     * max(cos aoi, 0)
    isotropic     i     * (1 + cos tilt) / 2
    horizon band  b     * sin tilt
    ground        ghi   * albedo * (1 - cos tilt) / 2

so that any number of planes, rows and rear sides share one split, see :mod:`siting.pv.kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from siting.pv.sun import Sun

Floats = npt.NDArray[np.float64]
Transposition = Literal["haydavies", "perez", "isotropic"]
TRANSPOSITIONS: tuple[str, ...] = get_args(Transposition)

_LEAST_DIFFUSE = 1e-6
_LEAST_COS_ZENITH = 0.01745
"""cos(89 degree): the bound of Hay and Davies' division, as pvlib has it."""


@dataclass(frozen=True)
class SkyParts:
    """Light of each hour [W/m2], shape ``(hours,)``; zero while the sun is down.

    ``beam`` and ``circumsolar`` on a plane that faces the sun, ``isotropic`` and ``ground`` (global) on the
    horizontal, ``band`` on a wall (may be negative under Perez).
    """

    beam: Floats
    circumsolar: Floats
    isotropic: Floats
    band: Floats
    ground: Floats


@dataclass(frozen=True)
class Plane:
    """Irradiance on the planes [W/m2], shape ``(hours, sides)``; zero while the sun is down. ``aoi_deg`` is the
    angle of incidence of the beam."""

    beam: Floats
    diffuse: Floats
    aoi_deg: Floats


def sky_parts(sun: Sun, ghi: Floats, dni: Floats, dhi: Floats, model: Transposition = "haydavies") -> SkyParts:
    """Split the light of each hour.

    Parameters
    ----------
    sun : Sun
        Shape ``(hours,)``.
    ghi, dni, dhi : array
        Means of the hour [W/m2], shape ``(hours,)``.
    model : "haydavies", "perez" or "isotropic"
        Perez takes the coefficients "allsitescomposite1990" and the air mass of Kasten and Young.

    Notes
    -----
    The circumsolar part is limited so that beam and aureole together do not exceed the extraterrestrial beam:
    ``beam + circumsolar <= extra``. Without it the division by the cosine of the zenith gives thousands of W/m2 when
    a record has much light at a low sun.

    References
    ----------
    Hay and Davies 1980; Perez et al. 1990, doi:10.1016/0038-092X(90)90055-H; Loutzenhiser et al. 2007,
    doi:10.1016/j.solener.2006.03.009.
    """
    up = sun.lit_share > 0
    extra = sun.extra_w_per_m2
    none = np.zeros_like(dhi)
    if model == "haydavies":
        anisotropy = dni / extra
        circumsolar = np.maximum(dhi * anisotropy / np.maximum(sun.vector()[2], _LEAST_COS_ZENITH), 0)
        isotropic, band = np.maximum(dhi * (1 - anisotropy), 0), none
    elif model == "perez":
        circumsolar, isotropic, band = _perez(sun, dni, dhi)
    elif model == "isotropic":
        circumsolar, isotropic, band = none, dhi, none
    else:
        raise ValueError(f"no transposition {model!r}; known: {', '.join(TRANSPOSITIONS)}")
    circumsolar = np.minimum(circumsolar, np.maximum(extra - dni, 0))
    return SkyParts(*(np.where(up, part, 0.0) for part in (dni, circumsolar, isotropic, band, ghi)))


def plane_irradiance(
    sun: Sun,
    ghi: Floats,
    dni: Floats,
    dhi: Floats,
    tilt_deg: Floats,
    azimuth_deg: Floats,
    albedo: Floats,
    *,
    model: Transposition = "haydavies",
) -> Plane:
    """Irradiance on planes that nothing shades.

    Parameters
    ----------
    sun, ghi, dni, dhi, model
        See :func:`sky_parts`.
    tilt_deg, azimuth_deg, albedo : array
        Shape ``(sides,)``; azimuth clockwise from north.
    """
    from pvlib import irradiance

    parts = sky_parts(sun, ghi, dni, dhi, model)
    zenith, azimuth = sun.zenith_deg[:, None], sun.azimuth_deg[:, None]
    projection = np.clip(irradiance.aoi_projection(tilt_deg, azimuth_deg, zenith, azimuth), -1, 1)
    facing = np.maximum(projection, 0)
    cos_tilt, sin_tilt = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
    sky = (
        parts.circumsolar[:, None] * facing
        + parts.isotropic[:, None] * (1 + cos_tilt) / 2
        + parts.band[:, None] * sin_tilt
    )
    ground = parts.ground[:, None] * albedo * (1 - cos_tilt) / 2
    return Plane(parts.beam[:, None] * facing, np.maximum(sky, 0) + ground, np.rad2deg(np.arccos(projection)))


def _perez(sun: Sun, dni: Floats, dhi: Floats) -> tuple[Floats, Floats, Floats]:
    """Perez' parts from pvlib's model on two planes: the horizontal gives F1, a wall that faces the sun F2."""
    from pvlib import atmosphere, irradiance

    zenith = np.minimum(sun.zenith_deg, 90.0)
    light = dhi > _LEAST_DIFFUSE
    some = np.where(light, dhi, 1.0)
    air_mass = np.asarray(atmosphere.get_relative_airmass(zenith), dtype=float)
    arguments = (some, dni, sun.extra_w_per_m2, zenith, sun.azimuth_deg, air_mass)
    flat = irradiance.perez(0.0, 180.0, *arguments, return_components=True)
    wall = irradiance.perez(90.0, sun.azimuth_deg, *arguments, return_components=True)
    isotropic = np.asarray(flat["poa_isotropic"], dtype=float)
    # on the horizontal the circumsolar part is F1 cos z / max(cos z, cos 85), facing the sun F1 / max(cos z, cos 85)
    bound = np.maximum(np.cos(np.deg2rad(zenith)), np.cos(np.deg2rad(85.0)))
    circumsolar = (some - isotropic) / bound
    return tuple(np.where(light, part, 0.0) for part in (circumsolar, isotropic, np.asarray(wall["poa_horizon"])))  # type: ignore[return-value]
