"""Where each candidate connects: feasible voltages by rule, then the station that costs least, never the nearest bus.

1. *Voltage.* ``standards/connection_voltage.csv`` lists capacity ranges per kind and level. A level that the network
   does not model (35 kV, or 10 kV in a network without it) is taken by the next level up that it does. Roofs are many
   small connections to feeders that exist: whatever their sum, they load the lowest modelled level of at least 10 kV.
2. *Cost.* tie line (great circle x detour x cost per km and circuit) + bay + what the missing headroom would cost in
   transformers. The last part ranks the alternatives, it is not part of the reported cost. Roofs use the feeders that
   exist: they pay neither line nor bay, the line's cost only ranks the supplying stations.
3. *Headroom* is the N-1 hosting capacity over the plant's share of its capacity in each case, the least of all cases,
   less what was already assigned to that bus. Larger candidates choose first, equal ones by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from grid.admittance import Floats
from grid.contracts import CONNECTIONS, Case, Network
from grid.line_parameters import line_type_parameters
from grid.standards_tables import standard_table

EARTH_RADIUS_KM = 6371.0088
LOWEST_LEVEL_KV = 10.0
EXISTING_FEEDER = "existing feeder"


@dataclass(frozen=True)
class Reach:
    """How far a level's tie lines go; ``circuit_mva`` is NaN where the line types give the rating."""

    max_length_km: float
    circuit_mva: float
    detour_factor: float


@dataclass(frozen=True)
class TieLine:
    """Tie line of one level and capacity: type, circuits and cost per km of all circuits."""

    line_type: str
    circuits: int
    cost_cny_per_km: float


@dataclass(frozen=True)
class _Choice:
    """One feasible bus for one candidate."""

    bus: int
    vn_kv: float
    length_km: float
    line_type: str
    cost_cny: float
    missing_mw: float
    penalty_cny: float


def case_share(case: Case, technology: str) -> float:
    """Output of a new plant per grid capacity in ``case``: the wind share for wind, else the PV share."""
    return case.wind_share if technology.startswith("wind") else case.pv_share


def headroom_mw(hosting: pd.DataFrame, cases: Sequence[Case], technology: str, mode: str = "n_1") -> pd.Series:
    """Grid capacity that each bus takes, alone: the least over the cases of HC / share.

    Index ``bus_id``; infinite where the technology is at rest in every case.
    """
    rows = hosting[hosting["mode"] == mode]
    share = rows["case"].map({case.id: case_share(case, technology) for case in cases}).to_numpy(float)
    with np.errstate(divide="ignore"):
        room = np.where(share > 0, rows["capacity_mw"].to_numpy(float) / np.where(share > 0, share, 1.0), np.inf)
    return pd.Series(room, index=rows["bus_id"].to_numpy()).groupby(level=0).min()


def connect_candidates(
    candidates: pd.DataFrame,
    network: Network,
    hosting: pd.DataFrame,
    cases: Sequence[Case],
    rules: pd.DataFrame | None = None,
    costs: pd.DataFrame | None = None,
    reach: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Connection of each candidate.

    Parameters
    ----------
    candidates
        Columns ``candidate_id``, ``lon``, ``lat`` (WGS-84), ``kind`` (roof, ground, wind), ``technology``,
        ``grid_capacity_mw``; the contract's table of siting will do.
    network
        Network with station places.
    hosting
        Table HOSTING. Buses without a row count as without headroom.
    cases
        The cases of ``hosting``; they give the plants' shares.
    rules, costs, reach
        Connection voltages, unit costs and reach by level; the standard tables where None.

    Returns
    -------
    Table :data:`grid.contracts.CONNECTIONS` in the order of ``candidates``. Station and bus are empty, and the
    numbers NaN, where no bus of a feasible level lies within reach.
    """
    rules = standard_table("connection_voltage") if rules is None else rules
    costs = standard_table("unit_costs") if costs is None else costs
    reaches = read_reach(standard_table("connection_reach") if reach is None else reach)
    if candidates.empty:
        return CONNECTIONS.empty()
    buses = _placed_buses(network)
    rooms = {t: headroom_mw(hosting, cases, t) for t in sorted(set(candidates["technology"]))}
    free = {t: room.reindex(buses["bus_id"]).fillna(0.0).to_numpy().copy() for t, room in rooms.items()}
    records: dict[str, tuple[Any, ...]] = {}
    row: Any
    for row in candidates.sort_values(["grid_capacity_mw", "candidate_id"], ascending=[False, True]).itertuples():
        choices = _choices(row, buses, free[row.technology], rules, costs, reaches)
        records[row.candidate_id] = _record(row, choices, buses)
        if choices:
            chosen = _cheapest(choices)
            for room in free.values():
                room[chosen.bus] = max(0.0, room[chosen.bus] - row.grid_capacity_mw)
    ordered = [(key, *records[key]) for key in candidates["candidate_id"]]
    return CONNECTIONS.validate(pd.DataFrame(ordered, columns=list(CONNECTIONS.columns)))


def read_reach(table: pd.DataFrame) -> dict[float, Reach]:
    """Reach by level from a table with the columns of ``connection_reach.csv``."""
    columns = ("vn_kv", "max_length_km", "circuit_mva", "detour_factor")
    values = table[list(columns)].to_numpy(float).tolist()
    return {vn: Reach(length, mva, detour) for vn, length, mva, detour in values}


def _placed_buses(network: Network) -> pd.DataFrame:
    columns = network.stations[["station_id", "name_zh", "name_en", "lon", "lat"]]
    return network.buses[["bus_id", "station_id", "vn_kv"]].merge(columns, on="station_id", how="left")


def feasible_levels(kind: str, capacity_mw: float, modelled_kv: Sequence[float], rules: pd.DataFrame) -> list[float]:
    """Modelled levels at which a plant of this kind and size may connect, lowest first."""
    levels = sorted({float(v) for v in modelled_kv if v >= LOWEST_LEVEL_KV})
    if not levels:
        return []
    if kind == "roof":
        return levels[:1]
    fits = (rules["kind"] == kind) & (rules["min_mw"] < capacity_mw) & (capacity_mw <= rules["max_mw"])
    found = {next((v for v in levels if v >= wanted), None) for wanted in rules.loc[fits, "vn_kv"].to_numpy(float)}
    return sorted(v for v in found if v is not None)


def tie_line(vn_kv: float, capacity_mw: float, costs: pd.DataFrame, reach: dict[float, Reach]) -> TieLine:
    """Cheapest line (type and number of circuits) of a level that carries the capacity.

    Ratings are the summer ratings of the line types; a level without line types takes the circuit rating of the
    reach table and its cheapest cost row.

    Raises
    ------
    KeyError
        If the level has no line cost.
    """
    rows = costs[(costs["kind"] == "line") & (costs["vn_kv"] == vn_kv)]
    if rows.empty:
        raise KeyError(f"no line cost for {vn_kv:g} kV")
    ratings = line_type_parameters()["s_max_mva"].to_dict()
    options = []
    for item, cost_cny in zip(rows["item"].tolist(), rows["cost_cny"].tolist(), strict=True):
        mva = float(ratings.get(item, reach[vn_kv].circuit_mva))
        circuits = int(np.ceil(capacity_mw / mva - 1e-9))
        options.append((circuits * float(cost_cny), circuits, str(item)))
    cost, circuits, item = min(options)
    return TieLine(item, circuits, cost)


def unit_cost_cny(costs: pd.DataFrame, kind: str, vn_kv: float, item: str | None = None) -> float:
    """Unit cost of a kind at a level, the first row of equals; 0 where none is listed."""
    rows = costs[(costs["kind"] == kind) & (costs["vn_kv"] == vn_kv)]
    rows = rows if item is None else rows[rows["item"] == item]
    return float(rows["cost_cny"].iloc[0]) if len(rows) else 0.0


def level_above(vn_kv: float) -> float:
    """Level of the units that feed a bus of this level."""
    return {10.0: 110.0, 35.0: 110.0, 110.0: 220.0}.get(vn_kv, 500.0)


def _choices(
    row: Any, buses: pd.DataFrame, free: Floats, rules: pd.DataFrame, costs: pd.DataFrame, reach: dict[float, Reach]
) -> list[_Choice]:
    capacity = float(row.grid_capacity_mw)
    vn = buses["vn_kv"].to_numpy(float)
    found = []
    straight = great_circle_km(row.lon, row.lat, buses["lon"].to_numpy(float), buses["lat"].to_numpy(float))
    for level in feasible_levels(row.kind, capacity, vn.tolist(), rules):
        line = tie_line(level, capacity, costs, reach)
        bay = unit_cost_cny(costs, "bay", level) * line.circuits
        per_mw = unit_cost_cny(costs, "add_transformer", level_above(level))
        length = np.maximum(straight * reach[level].detour_factor, 0.1)
        near = (vn == level) & (length <= reach[level].max_length_km)
        for bus in np.flatnonzero(near).tolist():
            missing = max(0.0, capacity - float(free[bus]))
            cost = float(length[bus]) * line.cost_cny_per_km + bay
            kind = EXISTING_FEEDER if row.kind == "roof" else line.line_type
            found.append(_Choice(bus, level, float(length[bus]), kind, cost, missing, missing * per_mw))
    return found


def _cheapest(choices: list[_Choice]) -> _Choice:
    return min(choices, key=lambda c: (c.cost_cny + c.penalty_cny, c.length_km, c.bus))


def great_circle_km(lon: float, lat: float, lons: Floats, lats: Floats) -> Floats:
    """Haversine distance on the mean sphere (within 0.5 % of the ellipsoid) [km]."""
    a, b = np.deg2rad(lat), np.deg2rad(lats)
    h = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.deg2rad(lons - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h)), dtype=np.float64)


def _record(row: Any, choices: list[_Choice], buses: pd.DataFrame) -> tuple[Any, ...]:
    if not choices:
        zh = "可行电压等级的母线均超出接入距离"
        en = "no bus of a feasible voltage lies within reach"
        return "", "", np.nan, np.nan, "", np.nan, 0, zh, en
    best = _cheapest(choices)
    at = buses.iloc[best.bus]
    roof = row.kind == "roof"
    zh, en = _reason(best, choices, buses, roof)
    cost = 0.0 if roof else best.cost_cny
    return at.station_id, at.bus_id, best.vn_kv, best.length_km, best.line_type, cost, len(choices), zh, en


def _reason(best: _Choice, choices: list[_Choice], buses: pd.DataFrame, roof: bool) -> tuple[str, str]:
    at = buses.iloc[best.bus]
    nearest = min(choices, key=lambda c: (c.length_km, c.vn_kv, c.bus))
    zh = f"{len(choices)}个可行接入点中总费用最低：{at.name_zh} {best.vn_kv:g} kV，{best.length_km:.1f} km"
    en = f"least cost of {len(choices)} feasible points: {at.name_en} {best.vn_kv:g} kV, {best.length_km:.1f} km"
    if roof:
        zh, en = zh + "，利用既有馈线", en + ", on existing feeders"
    if best.missing_mw > 0:
        zh += f"，裕度缺 {best.missing_mw:.1f} MW"
        en += f", {best.missing_mw:.1f} MW short of headroom"
    if nearest.bus != best.bus:
        other = buses.iloc[nearest.bus]
        zh += f"；最近的{other.name_zh} {nearest.vn_kv:g} kV（{nearest.length_km:.1f} km）"
        en += f"; the nearest, {other.name_en} {nearest.vn_kv:g} kV ({nearest.length_km:.1f} km),"
        if nearest.missing_mw > best.missing_mw:
            zh += f"裕度缺 {nearest.missing_mw:.1f} MW"
            en += f" lacks {nearest.missing_mw:.1f} MW of headroom"
        else:
            zh, en = zh + "费用更高", en + " costs more"
    return zh, en
