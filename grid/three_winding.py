"""Three-winding units and autotransformers: which base each short-circuit voltage refers to, and the star.

Chinese nameplates refer all three short-circuit voltages to the HV rating; pandapower refers each pair to the
smaller rating of the pair. Taking the one for the other changes the impedances by the ratio of the ratings (three
times for the tertiary of an autotransformer bank), and nothing in a load flow tells.

::

    HV --- z_h --- * --- z_m --- MV        z_hm = z_h + z_m   on one base
                   |                       z_hl = z_h + z_l
                  z_l                      z_ml = z_m + z_l
                   |
                   LV                      z_h = (z_hm + z_hl - z_ml) / 2, and so on
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

VkBase = Literal["hv", "pair"]


@dataclass(frozen=True)
class ShortCircuitVoltages:
    """Short-circuit voltages [%] of the three pairs and the rating [MVA] that each refers to."""

    hv_mv_percent: float
    hv_lv_percent: float
    mv_lv_percent: float
    hv_mv_mva: float
    hv_lv_mva: float
    mv_lv_mva: float

    @classmethod
    def of_type(cls, row: Mapping[str, Any]) -> ShortCircuitVoltages:
        """From a row of ``transformers_3w.csv``; ``vk_base`` is ``hv`` or ``pair`` (smaller rating of the pair).

        Raises
        ------
        ValueError
            If ``vk_base`` is neither.
        """
        hv, mv, lv = (float(row[f"sn_{side}_mva"]) for side in ("hv", "mv", "lv"))
        hm, hl, ml = (float(row[f"vk_{pair}_percent"]) for pair in ("hv_mv", "hv_lv", "mv_lv"))
        if row["vk_base"] == "hv":
            return cls(hm, hl, ml, hv, hv, hv)
        if row["vk_base"] == "pair":
            return cls(hm, hl, ml, min(hv, mv), min(hv, lv), min(mv, lv))
        raise ValueError(f"vk_base is hv or pair, not {row['vk_base']!r}")

    def on_base(self, base_mva: float) -> tuple[float, float, float]:
        """The three pairs' impedances (HV-MV, HV-LV, MV-LV) [pu of ``base_mva``]."""
        return (
            self.hv_mv_percent / 100 * base_mva / self.hv_mv_mva,
            self.hv_lv_percent / 100 * base_mva / self.hv_lv_mva,
            self.mv_lv_percent / 100 * base_mva / self.mv_lv_mva,
        )


def pandapower_short_circuit_voltages(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """``vk_hv_percent`` (HV-MV), ``vk_mv_percent`` (MV-LV), ``vk_lv_percent`` (HV-LV) as pandapower wants them,
    each on the smaller rating of its pair."""
    voltages = ShortCircuitVoltages.of_type(row)
    hv, mv, lv = (float(row[f"sn_{side}_mva"]) for side in ("hv", "mv", "lv"))
    return (
        voltages.hv_mv_percent * min(hv, mv) / voltages.hv_mv_mva,
        voltages.mv_lv_percent * min(mv, lv) / voltages.mv_lv_mva,
        voltages.hv_lv_percent * min(hv, lv) / voltages.hv_lv_mva,
    )


def star_impedances(row: Mapping[str, Any], base_mva: float) -> tuple[complex, complex, complex]:
    """Impedances of the three legs (HV, MV, LV) of the star [pu of ``base_mva``].

    Resistance: ``vkr_hv_mv_percent`` on the HV-MV pair, half on each of the two legs; the LV leg has the same
    resistance in per unit of its own rating. A leg's reactance may be negative (the middle winding's usually is
    close to zero); that is physics, not an error.
    """
    voltages = ShortCircuitVoltages.of_type(row)
    z_hm, z_hl, z_ml = voltages.on_base(base_mva)
    r_half = float(row["vkr_hv_mv_percent"]) / 200 * base_mva / voltages.hv_mv_mva
    r_low = r_half * min(float(row["sn_hv_mva"]), float(row["sn_mv_mva"])) / float(row["sn_lv_mva"])
    x_hm = math.sqrt(max(z_hm**2 - (2 * r_half) ** 2, 0.0))
    x_hl = math.sqrt(max(z_hl**2 - (r_half + r_low) ** 2, 0.0))
    x_ml = math.sqrt(max(z_ml**2 - (r_half + r_low) ** 2, 0.0))
    return (
        complex(r_half, (x_hm + x_hl - x_ml) / 2),
        complex(r_half, (x_hm + x_ml - x_hl) / 2),
        complex(r_low, (x_hl + x_ml - x_hm) / 2),
    )
