"""Steady-state ampacity of overhead conductors from the heat balance.

::

      sun  alpha_s d S  --->  ( conductor )  ---> convection q_c   (wind v across the conductor)
                              (  I^2 R_ac )  ---> radiation  q_r

Per metre of conductor ``I^2 R_ac(t_c) + q_s = q_c + q_r``. Three published convection formulas are offered:
``ieee738`` (the default), ``iec61597`` and ``gb50545``. They differ by up to 3 %; the first is the lowest.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from grid.standards_tables import cached_by_standards, conductors, line_types, standard_table

ConvectionModel = Literal["ieee738", "iec61597", "gb50545"]

STEFAN_BOLTZMANN = 5.670374e-8
ALPHA_ALUMINIUM_PER_K = 0.00403
AC_DC_RATIO = 1.02
"""R_ac / R_dc at 50 Hz of the listed conductors (skin effect and steel core), an engineering value."""
REFERENCE_SEASON = "summer"
_ZERO_C_K = 273.15


def _convection_ieee738(diameter_m: float, wind_m_per_s: float, surface_c: float, ambient_c: float) -> float:
    """Forced convection [W/m], the larger of the low-wind and high-wind formulas, sea level."""
    film_c = (surface_c + ambient_c) / 2
    viscosity = 1.458e-6 * (film_c + 273) ** 1.5 / (film_c + 383.4)
    density = 1.293 / (1 + 0.00367 * film_c)
    conductivity = 2.424e-2 + 7.477e-5 * film_c - 4.407e-9 * film_c**2
    reynolds = diameter_m * density * wind_m_per_s / viscosity
    nusselt = max(1.01 + 1.35 * reynolds**0.52, 0.754 * reynolds**0.6)
    return float(nusselt * conductivity * (surface_c - ambient_c))


def _convection_iec61597(diameter_m: float, wind_m_per_s: float, surface_c: float, ambient_c: float) -> float:
    """Forced convection [W/m] with a constant conductivity of air of 0.02585 W/(m K)."""
    film_k = ambient_c + _ZERO_C_K + 0.5 * (surface_c - ambient_c)
    reynolds = 1.644e9 * wind_m_per_s * diameter_m * film_k**-1.78
    nusselt = 0.65 * reynolds**0.2 + 0.23 * reynolds**0.61
    return float(0.02585 * nusselt * (surface_c - ambient_c) * np.pi)


def _convection_gb50545(diameter_m: float, wind_m_per_s: float, surface_c: float, ambient_c: float) -> float:
    """Forced convection [W/m]."""
    film_c = (surface_c + ambient_c) / 2
    conductivity = 2.42e-2 + 7.0e-5 * film_c
    viscosity = 1.32e-5 + 9.6e-8 * film_c
    reynolds = wind_m_per_s * diameter_m / viscosity
    return float(0.57 * np.pi * conductivity * (surface_c - ambient_c) * reynolds**0.485)


_CONVECTION = {"ieee738": _convection_ieee738, "iec61597": _convection_iec61597, "gb50545": _convection_gb50545}


def ampacity_a(
    diameter_mm: float,
    r20_ohm_per_km: float,
    conductor_c: float,
    ambient_c: float,
    *,
    wind_m_per_s: float = 0.5,
    sun_w_per_m2: float = 1000.0,
    emissivity: float = 0.9,
    absorptivity: float = 0.9,
    model: ConvectionModel = "ieee738",
) -> float:
    """Current [A] that keeps one conductor at ``conductor_c`` for ever.

    Parameters
    ----------
    diameter_mm, r20_ohm_per_km : float
        Outer diameter [mm] and DC resistance at 20 degC [ohm/km].
    conductor_c, ambient_c : float
        Temperature of the conductor and of the air [degC].
    wind_m_per_s : float
        Wind across the conductor [m/s]; the default 0.5 and the sun's 1000 W/m2 are GB 50545's conditions.
    sun_w_per_m2, emissivity, absorptivity : float
        Sun on the conductor's shadow area [W/m2]; radiative properties [1].
    model : str
        Convection formula.

    Returns
    -------
    float
        Ampacity [A]; 0 where sun and air alone make the conductor hotter than ``conductor_c``.

    Notes
    -----
    ``I = sqrt((q_c + q_r - q_s) / R_ac)`` with ``R_ac = 1.02 R20 (1 + 0.00403 (t_c - 20))`` and
    ``q_r = sigma eps pi d (T_c^4 - T_a^4)``.

    References
    ----------
    IEEE Std 738-2012, clause 4.4; IEC TR 61597:1995, clause 3; GB 50545-2010, appendix on ampacity.
    """
    if conductor_c <= ambient_c:
        return 0.0
    diameter_m = diameter_mm / 1000
    convection = _CONVECTION[model](diameter_m, wind_m_per_s, conductor_c, ambient_c)
    radiation = (
        STEFAN_BOLTZMANN
        * emissivity
        * np.pi
        * diameter_m
        * ((conductor_c + _ZERO_C_K) ** 4 - (ambient_c + _ZERO_C_K) ** 4)
    )
    sun = absorptivity * diameter_m * sun_w_per_m2
    resistance = AC_DC_RATIO * r20_ohm_per_km / 1000 * (1 + ALPHA_ALUMINIUM_PER_K * (conductor_c - 20))
    return float(np.sqrt(max(convection + radiation - sun, 0.0) / resistance))


@cached_by_standards
def conductor_ampacity_a(conductor: str, conductor_c: float, season: str = REFERENCE_SEASON) -> float:
    """Ampacity of one sub-conductor [A] in the air, wind and sun of a season.

    Raises
    ------
    KeyError
        If the conductor or the season is not in the standard tables.
    """
    wire = conductors().loc[conductor]
    weather = standard_table("seasons").set_index("season").loc[season]
    return ampacity_a(
        float(wire["diameter_mm"]),
        float(wire["r20_ohm_per_km"]),
        conductor_c,
        float(weather["ambient_c"]),
        wind_m_per_s=float(weather["wind_m_per_s"]),
        sun_w_per_m2=float(weather["sun_w_per_m2"]),
    )


@cached_by_standards
def line_type_ampacity_ka(line_type: str, season: str = REFERENCE_SEASON) -> float:
    """Ampacity of one circuit of a line type [kA] in a season: sub-conductors times the single ampacity."""
    kind = line_types().loc[line_type]
    single_a = conductor_ampacity_a(str(kind["conductor"]), float(kind["conductor_max_c"]), season)
    return int(kind["bundle"]) * single_a / 1000


@cached_by_standards
def season_rating_factor(season: str) -> float:
    """Line rating in ``season`` over the rating in the reference season (summer), from the seasons table.

    The table holds the smallest factor that the heat balance gives over the listed conductors, rounded down, so
    that one number serves every line, also a user's own type. Transformer ratings are not scaled.

    Raises
    ------
    KeyError
        If the table has no such season.
    """
    return float(standard_table("seasons").set_index("season")["line_rating_factor"].loc[season])
