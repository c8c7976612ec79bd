"""Lines of a park's own to the sites that serve it: voltage, length and yearly cost by the network's standard data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.connections.rules import Rules, great_circle_km
from grid.measures.menu import annuity
from siting.parks.supply import LINES
from study.plan.basis import CONNECTION_LIFE_A, CONNECTION_OM_SHARE, DISCOUNT_RATE

LEVELS_KV = (10.0, 35.0, 110.0, 220.0)
"""Direct lines stay at 220 kV or below."""
_BAYS = 2
"""A bay at each end of a circuit."""


def direct_lines(lon: float, lat: float, candidates: pd.DataFrame, rules: Rules | None = None) -> pd.DataFrame:
    """The cheapest line from each candidate to a park: columns candidate_id and :data:`siting.parks.supply.LINES`.

    Levels and their capacities are those of plants of the kind (``connection_voltage.csv``), lengths the straight
    distance with the level's detour factor, costs those of ``unit_costs.csv``: line, a bay at each end, step-up
    station. Roofs take the levels of ground plants where they are larger than a roof's rules go. NaN where no level
    takes the capacity. A year's cost is rate, life and O&M of the plan's connections.
    """
    rules = rules or Rules()
    straight = great_circle_km(lon, lat, candidates["lon"].to_numpy(float), candidates["lat"].to_numpy(float))
    yearly = annuity(DISCOUNT_RATE, CONNECTION_LIFE_A) + CONNECTION_OM_SHARE
    rows = []
    for name, kind, mw, km in zip(
        candidates["candidate_id"], candidates["kind"], candidates["grid_capacity_mw"], straight, strict=True
    ):
        ways = [_way(level, float(mw), float(km), rules) for level in _levels(str(kind), float(mw), rules)]
        cost, level, length = min(ways, default=(np.nan, np.nan, np.nan))
        rows.append((name, level, length, cost * yearly))
    return pd.DataFrame(rows, columns=["candidate_id", *LINES])


def _levels(kind: str, mw: float, rules: Rules) -> list[float]:
    table = rules.voltage
    fits = table[(table["min_mw"] < mw) & (mw <= table["max_mw"]) & table["vn_kv"].isin(LEVELS_KV)]
    own = fits[fits["kind"] == kind]
    chosen = own if len(own) else fits[fits["kind"] == "ground"]
    found = sorted(set(chosen["vn_kv"].to_numpy(float).tolist()))
    return found or ([LEVELS_KV[0]] if mw <= table.loc[table["vn_kv"] == LEVELS_KV[0], "max_mw"].max() else [])


def _way(level: float, mw: float, straight_km: float, rules: Rules) -> tuple[float, float, float]:
    """(investment [CNY], level [kV], length [km]) of a line at a level."""
    line, km = rules.line(level, mw), straight_km * rules.reach[level].detour_factor
    cost = km * line.cost_cny_per_km + _BAYS * line.circuits * rules.bay_cny(level)
    return cost + rules.step_up_cny(level, mw), level, km
