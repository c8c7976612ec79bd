"""Light on the ground between and below rows, for crops under raised racks and for judging rear gains.

The mean over the ground does not depend on the height of the racks (endless rows); the height decides how evenly the
light falls, and from about one pitch upwards it is even enough for crops.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError, Weather
from siting.pv.options import PvOptions
from siting.pv.sun import sun_of_hours
from siting.pv.transposition import sky_parts
from siting.technologies.pv import PvVariant

Floats = npt.NDArray[np.float64]


def ground_light(weather: Weather, variant: PvVariant, options: PvOptions | None = None) -> pd.Series:
    """Light left for crops: irradiation of the ground by that of open land, for each month.

    Parameters
    ----------
    weather : Weather
        One weather cell.
    variant : PvVariant
        With fixed rows (``rows``); the first orientation counts.
    options : PvOptions, optional
        Its transposition decides what part of the diffuse light comes from around the sun.

    Returns
    -------
    Series
        Index 1..12 and ``"year"``, values 0..1; NaN in a month without light.

    Raises
    ------
    InputError
        If the variant has no fixed rows.

    Notes
    -----
    Beam and aureole: ``max(0, 1 - gcr |cos t + sin t tan(phi)|)`` with phi the zenith of the sun across the rows, none
    beyond 85 degrees. Isotropic sky: ``1 - gcr (front + back view)``, what the rows do not take. The part of the light
    that plants use is taken as that of the whole.

    References
    ----------
    Mikofski et al. 2019, doi:10.1109/PVSC40753.2019.8980572.
    """
    rows = variant.rows
    if rows is None or rows.tracking != "fixed":
        message, remedy = "The light below needs fixed rows.", "Name fixed rows in pv_variants.csv."
        raise InputError([Finding("error", "pv.rows", "study", "pv", variant.pv_variant, "", message, remedy)])
    chosen = PvOptions() if options is None else options
    hours = weather.hours
    index = pd.DatetimeIndex(hours.index)
    sun = sun_of_hours(index, weather.latitude, weather.longitude, weather.altitude_m)
    ghi, dni, dhi = (hours[f"{name}_w_per_m2"].to_numpy(float) for name in ("ghi", "dni", "dhi"))
    parts = sky_parts(sun, ghi, dni, dhi, chosen.transposition)
    side = variant.orientations[0]
    cos_t, sin_t = np.cos(np.deg2rad(side.tilt_deg)), np.sin(np.deg2rad(side.tilt_deg))
    up = sun.lit_share > 0
    zenith = np.deg2rad(np.where(up, sun.zenith_deg, 0.0))
    shadow = np.tan(zenith) * np.cos(np.deg2rad(sun.azimuth_deg - side.azimuth_deg))
    beam_share = np.maximum(1 - rows.gcr * np.abs(cos_t + sin_t * shadow), 0)
    beam_share = np.where(np.abs(shadow) > np.tan(np.deg2rad(85)), 0.0, beam_share)
    sky_view = 1 - rows.gcr * (_view(rows.gcr, cos_t) + _view(rows.gcr, -cos_t))
    light = beam_share * np.maximum(parts.ground - parts.isotropic, 0) + sky_view * parts.isotropic
    sums = pd.DataFrame({"ground": light, "open": parts.ground}).groupby(np.asarray(index.month)).sum()
    share = (sums["ground"] / sums["open"].where(sums["open"] > 0)).reindex(range(1, 13))
    total = float(parts.ground.sum())
    year = pd.Series({"year": float(light.sum()) / total if total > 0 else np.nan})
    return pd.Series(pd.concat([share, year]), name="ground_light_share")


def _view(gcr: float, cos_tilt: float) -> float:
    """Mean view of the sky from one face of endless rows (crossed strings)."""
    return float(0.5 * (1 + 1 / gcr - np.sqrt(1 / gcr**2 - 2 * cos_tilt / gcr + 1)))
