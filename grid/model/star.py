"""Three-winding transformers as three branches to a fictitious star bus.

::

    bus 1 o--o(ratio_1)--[z1]--+--[z2]--(ratio_2)o--o bus 2      star bus: is_star, base voltage of bus 1,
                               |                                 per unit of the windings' rated voltages
                              [z3]--(ratio_3)o--o bus 3
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from grid.model.contracts import CASE_BRANCHES, CASE_BUSES, CASE_THREE_WINDING, BusBranch, fill
from grid.model.nameplate import star_impedances, t_to_pi


def expand_three_winding(case: BusBranch) -> BusBranch:
    """The same case without three-winding rows: each becomes a star bus and three transformer branches.

    Star buses get numbers above every bus of the source, in table order; branch ids are ``<unit>/1`` to ``/3``.
    A winding that is open is a branch out of service; a unit with all windings open leaves an isolated star bus.
    """
    units = case.three_winding
    if units.empty:
        return case
    n = len(units)
    bus_row = case.buses.set_index("bus_id")
    first = int(case.buses["bus_id"].max()) + 1
    star_id = np.arange(first, first + n)
    first_bus = bus_row.loc[units["bus_1"]]
    live = units[[f"in_service_{k}" for k in (1, 2, 3)]].to_numpy(bool)
    stars = fill(
        CASE_BUSES,
        {
            "bus_id": star_id,
            "name": [f"{unit} *" for unit in units["transformer_id"]],
            "vn_kv": first_bus["vn_kv"].to_numpy(float),
            "kind": np.where(live.any(axis=1), "pq", "isolated"),
            "area": first_bus["area"].to_numpy(int),
            "zone": first_bus["zone"].to_numpy(int),
            "vm_pu": units["vm_star_pu"].to_numpy(float),
            "va_degree": units["va_star_degree"].to_numpy(float),
            "lon": first_bus["lon"].to_numpy(float),
            "lat": first_bus["lat"].to_numpy(float),
            "station": first_bus["station"].to_numpy(object),
            "is_star": True,
        },
    )
    pair = [units[f"r_{p}_pu"].to_numpy(float) + 1j * units[f"x_{p}_pu"].to_numpy(float) for p in ("12", "23", "31")]
    windings = star_impedances(*pair)
    y_mag = units["g_mag_pu"].to_numpy(float) + 1j * units["b_mag_pu"].to_numpy(float)
    in_t = (units["magnetising"] == "t").to_numpy(bool)
    frames = []
    for k, z in enumerate(windings, start=1):
        inside = np.where(in_t, y_mag, 0) if k == 1 else np.zeros(n, complex)
        outside = np.where(in_t, 0, y_mag) if k == 1 else np.zeros(n, complex)
        pi = t_to_pi(z, inside)
        frames.append(
            fill(
                CASE_BRANCHES,
                {
                    "branch_id": [f"{unit}/{k}" for unit in units["transformer_id"]],
                    "name": units["name"].to_numpy(object),
                    "kind": "transformer",
                    "from_bus": units[f"bus_{k}"].to_numpy(int),
                    "to_bus": star_id,
                    "r_pu": pi.z_pu.real,
                    "x_pu": pi.z_pu.imag,
                    "g_pu": pi.y_pu.real,
                    "b_pu": pi.y_pu.imag,
                    "g_from_pu": outside.real,
                    "b_from_pu": outside.imag,
                    "ratio": units[f"ratio_{k}"].to_numpy(float),
                    "shift_degree": units[f"shift_{k}_degree"].to_numpy(float),
                    "rating_a_mva": units[f"rating_{k}_mva"].to_numpy(float),
                    "in_service": live[:, k - 1],
                    "transformer_id": units["transformer_id"].to_numpy(object),
                },
            )
        )
    arms = pd.concat(frames).sort_values("branch_id", kind="stable") if n > 1 else pd.concat(frames)
    return replace(
        case,
        buses=_joined(case.buses, stars),
        branches=_joined(case.branches, arms),
        three_winding=CASE_THREE_WINDING.empty(),
    )


def _joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    return second.reset_index(drop=True) if first.empty else pd.concat([first, second], ignore_index=True)
