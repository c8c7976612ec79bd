"""Every way in which each candidate could connect by itself: station, level, route, cost, headroom, bays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.connections.contracts import CONNECTION_OPTIONS
from grid.connections.headroom import headrooms
from grid.connections.routes import Router
from grid.connections.rules import EXISTING_FEEDER, Rules, feasible_levels, great_circle_km
from grid.contracts import Case, Network
from grid.measures.places import standard_level

LEAST_KM = 0.1

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def placed_buses(network: Network) -> pd.DataFrame:
    """Buses with the names and the place of their station; ``level`` is the standard level."""
    columns = network.stations[["station_id", "name_zh", "name_en", "lon", "lat"]]
    buses = network.buses[["bus_id", "station_id", "vn_kv"]].merge(columns, on="station_id", how="left")
    return buses.assign(level=[standard_level(float(v)) for v in buses["vn_kv"]])


@dataclass(frozen=True)
class Reached:
    """Tie lines from one place: cost as km of plain line, length, and whether a route was found on the raster."""

    equal_km: Floats
    length_km: Floats
    routed: Bools


def straight_lines(lon: float, lat: float, lons: Floats, lats: Floats, detour: float) -> Reached:
    """Great circle x detour factor."""
    km = np.maximum(great_circle_km(lon, lat, lons, lats) * detour, LEAST_KM)
    return Reached(km, km, np.zeros(len(km), dtype=bool))


def lines_from(
    router: Router | None, lon: float, lat: float, lons: Floats, lats: Floats, reach_km: float, detour: float
) -> Reached:
    """Routes from one place to others; straight lines where there is no raster or an end lies off it.

    Where the raster has no way the length is infinite.
    """
    straight = straight_lines(lon, lat, lons, lats, detour)
    at = None if router is None else router.terrain.cell(lon, lat)
    if router is None or at is None:
        return straight
    rows, cols = router.terrain.cells(lons, lats)
    on = rows >= 0
    equal, length = router.field_at(*at, reach_km).to(rows, cols)
    return Reached(
        np.where(on, equal, straight.equal_km), np.where(on, length, straight.length_km), on & np.isfinite(length)
    )


def own_options(
    candidates: pd.DataFrame,
    network: Network,
    hosting: pd.DataFrame,
    cases: Sequence[Case],
    bays: pd.DataFrame,
    rules: Rules,
    router: Router | None = None,
    stations: Collection[str] | None = None,
) -> pd.DataFrame:
    """Table CONNECTION_OPTIONS of all connections without a collector, in the order of candidates and buses.

    With ``stations`` only those at these stations; the levels that the rules choose from are the whole network's.
    """
    buses = placed_buses(network)
    asked = np.ones(len(buses), dtype=bool) if stations is None else buses["station_id"].isin(stations).to_numpy(bool)
    pairs = _pairs(candidates, buses, rules, asked)
    if pairs.empty:
        return CONNECTION_OPTIONS.empty()
    pairs = _with_routes(pairs, buses, rules, router)
    pairs = pairs[pairs["length_km"] <= pairs["reach_km"]]
    room = headrooms(hosting, cases, candidates["technology"].tolist(), buses["bus_id"])
    pairs["headroom_mw"] = [room[t][b] for t, b in zip(pairs["technology"], pairs["bus"], strict=True)]
    pairs["transformer_cny"] = (pairs["mw"] - pairs["headroom_mw"]).clip(lower=0.0) * pairs["per_mw_cny"]
    free = bays.set_index(["station_id", "vn_kv"])["bays_free"].to_dict()
    at = buses.iloc[pairs["bus"]].reset_index(drop=True)
    pairs = pairs.reset_index(drop=True)
    left = [free.get((s, v), 0) for s, v in zip(at["station_id"], pairs["vn_kv"], strict=True)]
    roof = pairs["roof"].to_numpy(bool)
    pairs["feasible"] = roof | (pairs["bays"].to_numpy(int) <= np.array(left))
    cost = pairs["equal_km"] * pairs["cost_per_km"]
    pairs["line_cny"] = np.where(roof, 0.0, cost)
    pairs["rank_cny"] = np.where(roof, cost + pairs["bay_cny"], pairs["step_up_cny"])
    pairs["bay_cny"] = np.where(roof, 0.0, pairs["bay_cny"])
    pairs["bays"] = np.where(roof, 0, pairs["bays"])
    pairs["station_id"], pairs["bus_id"], pairs["collector_id"] = at["station_id"], at["bus_id"], ""
    pairs["option_id"] = pairs["candidate_id"] + ">" + at["bus_id"]
    texts = [_why(*row) for row in zip(pairs["vn_kv"], pairs["feasible"], left, pairs["bays"], strict=True)]
    pairs["reason_zh"], pairs["reason_en"] = [t[0] for t in texts], [t[1] for t in texts]
    return CONNECTION_OPTIONS.validate(pairs[list(CONNECTION_OPTIONS.columns)])


def _why(vn_kv: float, feasible: bool, left: int, bays: int) -> tuple[str, str]:
    if not feasible:
        return (
            f"{vn_kv:g} kV无空余间隔（需{bays}个，余{left}个）",
            f"no bay left at {vn_kv:g} kV ({bays} needed, {left} free)",
        )
    return f"容量与距离符合{vn_kv:g} kV接入规则", f"capacity and distance fit {vn_kv:g} kV"


def _pairs(candidates: pd.DataFrame, buses: pd.DataFrame, rules: Rules, asked: Bools) -> pd.DataFrame:
    """Candidate, bus and level wherever the rules allow the level and the straight line is within reach; of the buses
    that are asked for."""
    level = buses["level"].to_numpy(float)
    modelled = np.unique(level).tolist()
    lons, lats = buses["lon"].to_numpy(float), buses["lat"].to_numpy(float)
    ways: list[dict[str, object]] = []
    near: list[npt.NDArray[np.int64]] = []
    row: Any
    for row in candidates.itertuples():
        mw, roof = float(row.grid_capacity_mw), row.kind == "roof"
        straight = great_circle_km(row.lon, row.lat, lons, lats)
        for vn in feasible_levels(row.kind, mw, modelled, rules.voltage):
            if vn not in rules.reach:
                continue
            reach_km, line = rules.reach[vn].max_length_km, rules.line(vn, mw)
            near.append(np.flatnonzero(asked & (level == vn) & (straight <= reach_km)))
            ways.append(
                {
                    "candidate_id": row.candidate_id,
                    "technology": row.technology,
                    "roof": roof,
                    "mw": mw,
                    "lon": float(row.lon),
                    "lat": float(row.lat),
                    "vn_kv": vn,
                    "reach_km": reach_km,
                    "line_type": EXISTING_FEEDER if roof else line.line_type,
                    "circuits": line.circuits,
                    "bays": line.circuits,
                    "cost_per_km": line.cost_cny_per_km,
                    "bay_cny": rules.bay_cny(vn) * line.circuits,
                    "step_up_cny": 0.0 if roof else rules.step_up_cny(vn, mw),
                    "per_mw_cny": rules.transformer_cny_per_mw(vn),
                }
            )
    if not any(len(at) for at in near):
        return pd.DataFrame()
    of_way = np.repeat(np.arange(len(ways)), [len(at) for at in near])
    return pd.DataFrame(ways).iloc[of_way].reset_index(drop=True).assign(bus=np.concatenate(near))


def _with_routes(pairs: pd.DataFrame, buses: pd.DataFrame, rules: Rules, router: Router | None) -> pd.DataFrame:
    """``equal_km``, ``length_km`` and ``routed`` of each pair; one search for each station."""
    n = len(pairs)
    equal, length, routed = np.full(n, np.inf), np.full(n, np.inf), np.zeros(n, dtype=bool)
    detour = pairs["vn_kv"].map({vn: reach.detour_factor for vn, reach in rules.reach.items()}).to_numpy(float)
    station = buses["station_id"].to_numpy()[pairs["bus"].to_numpy()]
    lons, lats, roof = pairs["lon"].to_numpy(float), pairs["lat"].to_numpy(float), pairs["roof"].to_numpy(bool)
    reach = pairs["reach_km"].to_numpy(float)
    for name, rows in pd.Series(np.arange(n)).groupby(station, sort=True):
        at = buses[buses["station_id"] == name].iloc[0]
        for is_roof in (False, True):
            chosen = rows.to_numpy()[roof[rows.to_numpy()] == is_roof]
            if not len(chosen):
                continue
            found = lines_from(
                None if is_roof else router, float(at["lon"]), float(at["lat"]), lons[chosen], lats[chosen],
                float(reach[chosen].max()), 1.0,
            )  # fmt: skip
            factor = np.where(found.routed, 1.0, detour[chosen])
            equal[chosen], length[chosen] = found.equal_km * factor, found.length_km * factor
            routed[chosen] = found.routed
    return pairs.assign(equal_km=equal, length_km=length, routed=routed)
