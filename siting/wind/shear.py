"""Wind at another height: logarithmic and power law, two measured levels, and two kinds of ground.

::

      hub   o  <- two levels: the hour's own exponent       60 m  ---- blending height: both grounds feel one wind
           /                                                      /   \\
    100 m x     10 m x  <- one level: roughness decides     station    site

A roughness length that is not known is not zero: the ground's class gives it (``wind_roughness.csv``), and nothing is
smoother than open water.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Shear = Literal["log", "power"]

ROUGHNESS_FLOOR_M = 2e-4
BLENDING_HEIGHT_M = 60.0
"""Height at which the wind no longer knows which ground lies below (Wieringa 1986)."""

_CALM_M_PER_S = 1.0
_STEADY_EXPONENTS = (-0.1, 0.6)


def floored_roughness(roughness_length_m: float) -> float:
    """Roughness length, raised to that of open water (0.0002 m) where it is smaller or not a number at all."""
    return roughness_length_m if roughness_length_m > ROUGHNESS_FLOOR_M else ROUGHNESS_FLOOR_M


def speed_at_height(
    speed: Floats,
    measured_height_m: float,
    target_height_m: float,
    roughness_length_m: float,
    *,
    shear: Shear = "log",
    exponent: float | None = None,
) -> Floats:
    """Wind speed at another height over the same ground.

    Parameters
    ----------
    speed : array
        Wind speed at ``measured_height_m`` [m/s], any shape.
    roughness_length_m : float
        Raised to 0.0002 m (open water) where it is smaller.
    shear : "log" or "power"
        ``v ln(h/z0) / ln(h_m/z0)`` or ``v (h/h_m)**exponent``; without an exponent ``1 / ln(h/z0)``.

    Raises
    ------
    ValueError
        If a height does not lie above the roughness length: the logarithm would turn to zero or change its sign.
    """
    if measured_height_m == target_height_m:
        return np.array(speed, dtype=float)
    from siting.wind import library

    roughness = floored_roughness(roughness_length_m)
    _require_above(roughness, measured_height_m, target_height_m)
    if shear == "log":
        return library.logarithmic_profile(speed, measured_height_m, target_height_m, roughness)
    return library.hellman_profile(speed, measured_height_m, target_height_m, roughness, exponent)


def speed_over_other_ground(
    speed: Floats,
    measured_height_m: float,
    target_height_m: float,
    station_roughness_m: float,
    site_roughness_m: float,
) -> Floats:
    """Wind speed over the site's ground from a station over another ground.

    Notes
    -----
    Up to the blending height h_b over the station's ground, and from there to the target over the site's::

        v (ln(h_b / z_station) / ln(h_m / z_station)) (ln(h / z_site) / ln(h_b / z_site))

    Equal grounds give :func:`speed_at_height` with the logarithmic law. Measured above the blending height, only the
    site's ground counts.

    References
    ----------
    Wieringa 1986, doi:10.1002/qj.49711247308 (blending height of 60 m).

    Raises
    ------
    ValueError
        If a height does not lie above a roughness length.
    """
    if measured_height_m >= BLENDING_HEIGHT_M:
        return speed_at_height(speed, measured_height_m, target_height_m, site_roughness_m)
    blended = speed_at_height(speed, measured_height_m, BLENDING_HEIGHT_M, station_roughness_m)
    return speed_at_height(blended, BLENDING_HEIGHT_M, target_height_m, site_roughness_m)


def two_level_exponent(low: Floats, high: Floats, low_height_m: float, high_height_m: float) -> Floats:
    """Exponent of the power law that joins two measured levels, hour by hour.

    ``ln(v_high / v_low) / ln(h_high / h_low)``, kept within -0.1..0.6. Hours in which a level has less than 1 m/s
    (where the ratio of two rounded figures means nothing) take the exponent of the means of the other hours; so do all
    hours where none is left (then 1/7).

    Parameters
    ----------
    low, high : array
        [m/s], equal shapes.

    Raises
    ------
    ValueError
        If the heights are not in order.
    """
    if not 0 < low_height_m < high_height_m:
        raise ValueError(f"two levels must be in order, not {low_height_m} m and {high_height_m} m")
    windy = (low >= _CALM_M_PER_S) & (high >= _CALM_M_PER_S)
    steps = math.log(high_height_m / low_height_m)
    usual = math.log(float(high[windy].mean()) / float(low[windy].mean())) / steps if windy.any() else 1 / 7
    ratio = np.divide(high, low, out=np.ones_like(high, dtype=float), where=windy)
    return np.clip(np.where(windy, np.log(ratio) / steps, usual), *_STEADY_EXPONENTS)


def two_level_speed(
    low: Floats, high: Floats, low_height_m: float, high_height_m: float, target_height_m: float
) -> Floats:
    """Wind speed at a height from two measured levels, by the power law through both.

    The level nearer to the target carries the speed, the exponent of :func:`two_level_exponent` carries it up or
    down, so that a target at a level is that level.
    """
    exponent = two_level_exponent(low, high, low_height_m, high_height_m)
    from_high = abs(math.log(target_height_m / high_height_m)) <= abs(math.log(target_height_m / low_height_m))
    speed, height = (high, high_height_m) if from_high else (low, low_height_m)
    return np.asarray(speed * (target_height_m / height) ** exponent, dtype=float)


def roughness_of_land(shares: Mapping[str, float], roughness_length_m: Mapping[str, float]) -> float:
    """Roughness length of mixed ground: mean of the logarithms, weighted by the share of each land class.

    Parameters
    ----------
    shares : mapping
        Share of each land class, any positive sum.
    roughness_length_m : mapping
        Roughness length of each land class, see :func:`siting.technologies.wind.load_roughness`.

    Raises
    ------
    KeyError
        If a land class has no roughness length.
    ValueError
        If the shares are negative or add up to nothing.
    """
    total = math.fsum(shares.values())
    if not total > 0 or min(shares.values()) < 0:
        raise ValueError("shares of land classes must be positive and add up to more than nothing")
    mean = math.fsum(
        share / total * math.log(floored_roughness(roughness_length_m[name])) for name, share in shares.items()
    )
    return math.exp(mean)


def _require_above(roughness_m: float, *heights_m: float) -> None:
    if not min(heights_m) > roughness_m:
        lengths = " and ".join(f"{height} m" for height in heights_m)
        raise ValueError(f"heights {lengths} must lie above the roughness length {roughness_m} m")
