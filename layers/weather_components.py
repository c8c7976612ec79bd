"""Components of irradiance that a source lacks: by closure where two are there, by Erbs where only GHI is.

What a source has is never derived again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from layers.weather_checks import MID_HOUR_MIN, mean_cos_zenith
from layers.weather_raw import BEAM_HORIZONTAL, RADIATION, Floats, RawWeather

_LOW_SUN = 0.02
_MOST_DNI_W_PER_M2 = 1100.0
"""What a clean, dry sky lets through."""


def derived(hours: pd.DataFrame, raw: RawWeather) -> tuple[pd.DataFrame, list[str]]:
    """Columns that the source lacks, modelled; never one that it has."""
    words = []
    lacking = [name for name in RADIATION if name not in hours]
    if lacking:
        how = "closure of the components" if _can_close(hours) else "the model of Erbs, Klein and Duffie"
        words.append(f"{', '.join(lacking)} modelled: {how}")
        hours = with_components(hours, raw, float(MID_HOUR_MIN))
    if "pressure_pa" not in hours:
        from pvlib.atmosphere import alt2pres

        words.append(f"pressure_pa modelled: standard atmosphere at {raw.altitude_m:g} m")
        hours = hours.assign(pressure_pa=float(alt2pres(raw.altitude_m)))
    return hours, words


def _can_close(hours: pd.DataFrame) -> bool:
    return BEAM_HORIZONTAL in hours or sum(name in hours for name in RADIATION) == 2


def with_components(hours: pd.DataFrame, raw: RawWeather, minute: float) -> pd.DataFrame:
    """All of GHI, DNI, DHI; those that are missing by closure, or by Erbs where only GHI is there."""
    sun = mean_cos_zenith(raw.latitude, raw.longitude, minute)
    have = {name: hours[name].to_numpy(float) for name in (*RADIATION, BEAM_HORIZONTAL) if name in hours}
    if "ghi_w_per_m2" not in have:
        have["ghi_w_per_m2"] = have["dhi_w_per_m2"] + have["dni_w_per_m2"] * sun
    ghi = have["ghi_w_per_m2"]
    if BEAM_HORIZONTAL in have:
        have.setdefault("dhi_w_per_m2", np.maximum(ghi - have[BEAM_HORIZONTAL], 0.0))
    if "dhi_w_per_m2" not in have and "dni_w_per_m2" in have:
        have["dhi_w_per_m2"] = np.clip(ghi - have["dni_w_per_m2"] * sun, 0.0, None)
    if "dhi_w_per_m2" not in have:
        have["dhi_w_per_m2"] = erbs_diffuse(ghi, sun)
    if "dni_w_per_m2" not in have:
        have["dni_w_per_m2"], have["dhi_w_per_m2"] = _beam(ghi, have["dhi_w_per_m2"], sun)
    return hours.assign(**{name: have[name] for name in RADIATION})


def erbs_diffuse(ghi: Floats, cos_zenith: Floats) -> Floats:
    """Diffuse irradiance by Erbs, Klein and Duffie for hours of a common year [W/m2], shape (8760,).

    References
    ----------
    Erbs, Klein and Duffie 1982, doi:10.1016/0038-092X(82)90302-4, as pvlib has it.
    """
    from pvlib.irradiance import erbs

    zenith = np.degrees(np.arccos(np.clip(cos_zenith, 0.0, 1.0)))
    day = np.arange(ghi.size) // 24 + 1
    return np.clip(np.nan_to_num(np.asarray(erbs(ghi, zenith, day)["dhi"], np.float64)), 0.0, ghi)


def _beam(ghi: Floats, dhi: Floats, sun: Floats) -> tuple[Floats, Floats]:
    """DNI by closure, at most :data:`_MOST_DNI_W_PER_M2`, and the diffuse that is left."""
    beam = np.divide(np.maximum(ghi - dhi, 0.0), sun, out=np.zeros_like(ghi), where=sun > _LOW_SUN)
    dni = np.minimum(beam, _MOST_DNI_W_PER_M2)
    return dni, np.maximum(ghi - dni * np.where(sun > _LOW_SUN, sun, 0.0), 0.0)
