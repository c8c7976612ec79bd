"""Positive-sequence parameters of overhead lines from geometry; nothing is typed in that geometry gives.

::

      o---o     bundle of n sub-conductors on a square (or pair) of side s
      |   |     r: radius, r' = 0.81 r: geometric mean radius of a steel-cored conductor
      o---o     GMD: geometric mean distance of the three phases
"""

from __future__ import annotations

import math

import pandas as pd

from grid.ampacity import line_type_ampacity_ka
from grid.standards_tables import cached_by_standards, conductors, line_types

FREQUENCY_HZ = 50.0
GMR_PER_RADIUS = 0.81
VACUUM_PERMITTIVITY_F_PER_M = 8.8541878128e-12
_BUNDLE_FACTOR = {1: 1.0, 2: 1.0, 3: 1.0, 4: math.sqrt(2.0)}


def bundle_radius_m(radius_m: float, count: int, spacing_m: float) -> float:
    """Radius of the single conductor that is equivalent to a bundle [m].

    ``(k r s^(n-1))^(1/n)`` with k = 1 for a pair and a triangle, sqrt(2) for a square.

    Raises
    ------
    ValueError
        If the bundle has no or more than four sub-conductors.
    """
    if count not in _BUNDLE_FACTOR:
        raise ValueError(f"a bundle has 1 to 4 sub-conductors, not {count}")
    if count == 1:
        return radius_m
    return float((_BUNDLE_FACTOR[count] * radius_m * spacing_m ** (count - 1)) ** (1 / count))


def reactance_ohm_per_km(gmd_m: float, diameter_mm: float, count: int = 1, spacing_m: float = 0.0) -> float:
    """``omega mu0 / (2 pi) ln(GMD / GMR)`` [ohm/km] with mu0 = 4e-7 pi H/m."""
    gmr = bundle_radius_m(GMR_PER_RADIUS * diameter_mm / 2000, count, spacing_m)
    return 2 * math.pi * FREQUENCY_HZ * 2e-7 * math.log(gmd_m / gmr) * 1000


def capacitance_nf_per_km(gmd_m: float, diameter_mm: float, count: int = 1, spacing_m: float = 0.0) -> float:
    """``2 pi eps0 / ln(GMD / r_eq)`` [nF/km], earth neglected."""
    radius = bundle_radius_m(diameter_mm / 2000, count, spacing_m)
    return 2 * math.pi * VACUUM_PERMITTIVITY_F_PER_M / math.log(gmd_m / radius) * 1e12


def surge_impedance_loading_mw(vn_kv: float, x_ohm_per_km: float, c_nf_per_km: float) -> float:
    """Natural load ``U^2 / sqrt(x / b)`` [MW], losses neglected."""
    susceptance = 2 * math.pi * FREQUENCY_HZ * c_nf_per_km * 1e-9
    return vn_kv**2 / math.sqrt(x_ohm_per_km / susceptance)


@cached_by_standards
def _line_type_parameters() -> pd.DataFrame:
    types = line_types()
    wires = conductors()
    rows = {}
    for name, kind in types.iterrows():
        wire = wires.loc[kind["conductor"]]
        geometry = (
            float(kind["gmd_m"]),
            float(wire["diameter_mm"]),
            int(kind["bundle"]),
            float(kind["bundle_spacing_m"]),
        )
        x, c = reactance_ohm_per_km(*geometry), capacitance_nf_per_km(*geometry)
        ampacity_ka = line_type_ampacity_ka(str(name))
        rows[name] = {
            "vn_kv": float(kind["vn_kv"]),
            "r_ohm_per_km": float(wire["r20_ohm_per_km"]) / int(kind["bundle"]),
            "x_ohm_per_km": x,
            "c_nf_per_km": c,
            "max_i_ka": ampacity_ka,
            "s_max_mva": math.sqrt(3) * float(kind["vn_kv"]) * ampacity_ka,
            "sil_mw": surge_impedance_loading_mw(float(kind["vn_kv"]), x, c),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def line_type_parameters() -> pd.DataFrame:
    """Electrical parameters of every line type, index ``line_type`` in file order.

    Columns: ``vn_kv``, ``r_ohm_per_km`` (20 degC), ``x_ohm_per_km``, ``c_nf_per_km`` (50 Hz, positive sequence),
    ``max_i_ka`` (one circuit, 70 degC conductor, summer), ``s_max_mva``, ``sil_mw``.
    """
    return _line_type_parameters().copy()
