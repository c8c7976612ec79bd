"""From nameplates to per-unit branches and back: two- and three-winding transformers, lines.

Two windings (leakage z, magnetising admittance y in its middle, as pandapower's T model)::

    o--[ z/2 ]--+--[ z/2 ]--o        pi:  o--+--[ z(1 + u) ]--+--o        u = z y / 4
               [y]                          [y/2/(1+u)]    [y/2/(1+u)]

Both directions are exact, so a round trip changes nothing but rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Pi:
    """Series impedance and *total* shunt admittance (half at each end) of branches, per unit; shape (n,)."""

    z_pu: Complexes
    y_pu: Complexes


def t_to_pi(z_pu: Complexes, y_pu: Complexes) -> Pi:
    """Pi of a T: leakage ``z_pu``, magnetising admittance ``y_pu`` in its middle."""
    u = z_pu * y_pu / 4
    return Pi(z_pu * (1 + u), y_pu / (1 + u))


def pi_to_t(pi: Pi) -> tuple[Complexes, Complexes]:
    """The T (leakage, magnetising admittance) that :func:`t_to_pi` turns into ``pi``.

    With zs = z(1+u) and ys = y/(1+u): zs ys = z y = 4 u, so u is known without a root.
    """
    u = pi.z_pu * pi.y_pu / 4
    return pi.z_pu / (1 + u), pi.y_pu * (1 + u)


def leakage_pu(vk_percent: Floats, vkr_percent: Floats, sn_mva: Floats, base_mva: float) -> Complexes:
    """Leakage impedance on ``base_mva`` and the unit's rated voltages.

    A negative ``vk_percent`` stands for a negative reactance (series-compensated or equivalent branches).
    """
    vk, vkr = np.asarray(vk_percent, float), np.asarray(vkr_percent, float)
    x = np.sign(vk) * np.sqrt(np.maximum(vk**2 - vkr**2, 0.0))
    return np.asarray((vkr + 1j * x) / 100 * base_mva / np.asarray(sn_mva, float), dtype=np.complex128)


def magnetising_pu(pfe_kw: Floats, i0_percent: Floats, sn_mva: Floats, base_mva: float) -> Complexes:
    """Magnetising admittance g - jb on ``base_mva``; a negative ``i0_percent`` stands for a capacitive one."""
    g_mva = np.asarray(pfe_kw, float) / 1000
    y_mva = np.abs(np.asarray(i0_percent, float)) / 100 * np.asarray(sn_mva, float)
    b_mva = np.sqrt(np.maximum(y_mva**2 - g_mva**2, 0.0)) * np.where(np.asarray(i0_percent) < 0, -1.0, 1.0)
    return np.asarray((g_mva - 1j * b_mva) / base_mva, dtype=np.complex128)


def nameplate_percent(z_pu: Complexes, sn_mva: Floats, base_mva: float) -> tuple[Floats, Floats]:
    """(vk_percent, vkr_percent) of a leakage; vk carries the sign of the reactance."""
    z = z_pu * np.asarray(sn_mva, float) / base_mva * 100
    return np.where(z.imag < 0, -1.0, 1.0) * np.abs(z), np.asarray(z.real, dtype=np.float64)


def nameplate_no_load(y_pu: Complexes, sn_mva: Floats, base_mva: float) -> tuple[Floats, Floats]:
    """(pfe_kw, i0_percent) of a magnetising admittance; i0 is negative where it is capacitive."""
    y_mva = y_pu * base_mva
    i0 = np.abs(y_mva) / np.asarray(sn_mva, float) * 100
    return np.asarray(y_mva.real * 1000), np.asarray(np.where(y_mva.imag > 0, -1.0, 1.0) * i0)


def pair_impedances_pu(vk_percent: Floats, vkr_percent: Floats, pair_base_mva: Floats, base_mva: float) -> Complexes:
    """Impedances of the pairs 12, 23, 31 of three-winding units on ``base_mva``.

    Parameters
    ----------
    vk_percent, vkr_percent, pair_base_mva
        Shape (3, n). ``pair_base_mva`` is what each percentage refers to, stated and never guessed: Chinese
        nameplates refer all pairs to the high-voltage winding's MVA, pandapower each pair to the smaller of its two
        windings, PSS/E to the record's SBASE.
    """
    return leakage_pu(vk_percent, vkr_percent, pair_base_mva, base_mva)


def smaller_of_pairs(sn_mva: Floats) -> Floats:
    """pandapower's base of each pair 12, 23, 31: the smaller of both windings' MVA; ``sn_mva`` has shape (3, n)."""
    return np.asarray(np.minimum(sn_mva, np.roll(sn_mva, -1, axis=0)), dtype=np.float64)


def star_impedances(z_12: Complexes, z_23: Complexes, z_31: Complexes) -> tuple[Complexes, Complexes, Complexes]:
    """Impedances of the three windings towards the star point: z1 = (z12 + z31 - z23) / 2 and so on round."""
    return (z_12 + z_31 - z_23) / 2, (z_12 + z_23 - z_31) / 2, (z_23 + z_31 - z_12) / 2
