"""Collector stations: places where small sites could gather their power at 35 kV and send it on together.

::

    site o--35 kV--\\
    site o--35 kV---[ collector 35/110 ]----110 kV trunk----| bay of a station
    site o--35 kV--/

Places that are tried stand on a lattice: in each cell the site nearest to the middle of the cell's power. Each place
may send to the stations whose trunk and bay cost least. Which of them are built, and in which size, is decided with
everything else in :mod:`grid.connections.choice`. Figures are rows of ``standards/collector_rules.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.connections.contracts import COLLECTORS, CONNECTION_OPTIONS
from grid.connections.headroom import headrooms
from grid.connections.options import lines_from, placed_buses
from grid.connections.routes import Router
from grid.connections.rules import Rules
from grid.contracts import Case, Network
from grid.standards_tables import transformer_types_between

KM_PER_DEGREE = 111.195
TRIED_BY_CANDIDATE = 4
"""A candidate looks at so many collectors, those with the cheapest own lines."""


@dataclass(frozen=True)
class Grouping:
    """Collectors in all variants (COLLECTORS) and their members' options (CONNECTION_OPTIONS)."""

    collectors: pd.DataFrame
    options: pd.DataFrame


def collector_options(
    candidates: pd.DataFrame,
    network: Network,
    hosting: pd.DataFrame,
    cases: Sequence[Case],
    rules: Rules,
    router: Router | None = None,
) -> Grouping:
    """Places, trunks and sizes of collectors, and the options of the sites that could use them."""
    figures = rules.collector
    small = (candidates["kind"] != "roof") & (candidates["grid_capacity_mw"] <= figures["member_max_mw"])
    sites = candidates[small].reset_index(drop=True)
    buses = placed_buses(network)
    ends = buses[buses["level"] == figures["trunk_kv"]].reset_index(drop=True)
    nothing = Grouping(COLLECTORS.empty(), CONNECTION_OPTIONS.empty())
    if sites.empty or ends.empty or figures["collect_kv"] not in rules.reach:
        return nothing
    collectors: list[dict[str, Any]] = []
    members: list[pd.DataFrame] = []
    places = _places(sites, figures["spacing_km"])
    trunks = _trunks(ends, sites.iloc[places], rules, router)
    for number, place in enumerate(places, start=1):
        lon, lat = float(sites["lon"].iloc[place]), float(sites["lat"].iloc[place])
        near = _members(sites, lon, lat, rules, router)
        if len(near) < figures["least_members"]:
            continue
        for end in trunks[number - 1]:
            collector_id = f"C{number:03d}>{end['bus_id']}"
            collectors += _variants(collector_id, lon, lat, end, rules)
            at = {"collector_id": collector_id, "station_id": end["station_id"], "bus_id": end["bus_id"]}
            members.append(near.assign(**at))
    if not members:
        return nothing
    options = _member_options(pd.concat(members, ignore_index=True), hosting, cases, buses, rules)
    used = set(options["collector_id"])
    table = pd.DataFrame([c for c in collectors if c["collector_id"] in used], columns=list(COLLECTORS.columns))
    return Grouping(COLLECTORS.validate(table), options)


def _places(sites: pd.DataFrame, spacing_km: float) -> list[int]:
    """Of each cell of the lattice the site nearest to the middle of its power, by row."""
    x, y = _local_km(sites)
    cell = pd.Series(list(zip((y // spacing_km).astype(int), (x // spacing_km).astype(int), strict=True)))
    mw, found = sites["grid_capacity_mw"].to_numpy(float), []
    for _, rows in cell.groupby(cell):
        k = rows.index.to_numpy()
        mid_x, mid_y = np.average(x[k], weights=mw[k]), np.average(y[k], weights=mw[k])
        found.append(int(k[np.argmin(np.hypot(x[k] - mid_x, y[k] - mid_y))]))
    return found


def _local_km(sites: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """East and north on a lattice that does not move with the sites: whole degrees are its origin."""
    lat0 = np.floor(float(sites["lat"].min()))
    east = (sites["lon"].to_numpy(float) - np.floor(float(sites["lon"].min()))) * np.cos(np.deg2rad(lat0))
    return KM_PER_DEGREE * east, KM_PER_DEGREE * (sites["lat"].to_numpy(float) - lat0)


def _members(sites: pd.DataFrame, lon: float, lat: float, rules: Rules, router: Router | None) -> pd.DataFrame:
    """Sites whose own line to the place is short enough, with that line."""
    kv, longest = rules.collector["collect_kv"], rules.collector["member_max_km"]
    detour = rules.reach[kv].detour_factor
    lons, lats = sites["lon"].to_numpy(float), sites["lat"].to_numpy(float)
    found = lines_from(router, lon, lat, lons, lats, longest, detour)
    near = np.flatnonzero(found.length_km <= longest)
    lines = [rules.line(kv, float(mw)) for mw in sites["grid_capacity_mw"].iloc[near]]
    return pd.DataFrame(
        {
            "candidate_id": sites["candidate_id"].to_numpy(object)[near],
            "technology": sites["technology"].to_numpy(object)[near],
            "mw": sites["grid_capacity_mw"].to_numpy(float)[near],
            "vn_kv": kv,
            "length_km": found.length_km[near],
            "routed": found.routed[near],
            "line_type": [line.line_type for line in lines],
            "circuits": [line.circuits for line in lines],
            "line_cny": found.equal_km[near] * np.array([line.cost_cny_per_km for line in lines], dtype=float),
            "bay_cny": [rules.bay_cny(kv) * line.circuits for line in lines],
        }
    )


def _trunks(
    ends: pd.DataFrame, places: pd.DataFrame, rules: Rules, router: Router | None
) -> list[list[dict[str, Any]]]:
    """For each place the cheapest ends of a trunk. Searches start at the stations, where they serve other lines too."""
    kv, figures = rules.collector["trunk_kv"], rules.collector
    lons, lats = places["lon"].to_numpy(float), places["lat"].to_numpy(float)
    found = [
        lines_from(router, float(lon), float(lat), lons, lats, figures["trunk_max_km"], rules.reach[kv].detour_factor)
        for lon, lat in zip(ends["lon"], ends["lat"], strict=True)
    ]
    trunks = []
    for k in range(len(places)):
        table = ends.assign(
            equal_km=[f.equal_km[k] for f in found],
            length_km=[f.length_km[k] for f in found],
            routed=[f.routed[k] for f in found],
        )
        table = table[table["length_km"] <= figures["trunk_max_km"]].sort_values(["equal_km", "bus_id"])
        rows = table.head(int(figures["stations_tried"])).to_dict("records")
        trunks.append([{str(name): value for name, value in row.items()} for row in rows])
    return trunks


def _variants(collector_id: str, lon: float, lat: float, end: dict[str, Any], rules: Rules) -> list[dict[str, Any]]:
    kv, collect = rules.collector["trunk_kv"], rules.collector["collect_kv"]
    found = []
    sizes = transformer_types_between(kv, collect, "step_up")["sn_mva"].to_numpy(float)
    for s_mva in sorted({float(sizes.min()), float(sizes.max())}):
        line = rules.line(kv, s_mva)
        found.append(
            {
                "variant_id": f"{collector_id}:{s_mva:g}",
                "collector_id": collector_id,
                "lon": lon,
                "lat": lat,
                "collect_kv": collect,
                "vn_kv": kv,
                "station_id": end["station_id"],
                "bus_id": end["bus_id"],
                "s_mva": s_mva,
                "capacity_mw": s_mva,
                "length_km": float(end["length_km"]),
                "routed": bool(end["routed"]),
                "line_type": line.line_type,
                "circuits": line.circuits,
                "bays": line.circuits,
                "station_cny": rules.step_up_cny(kv, s_mva),
                "trunk_cny": float(end["equal_km"]) * line.cost_cny_per_km,
                "bay_cny": rules.bay_cny(kv) * line.circuits,
                "chosen": False,
            }
        )
    return found


def _member_options(
    members: pd.DataFrame, hosting: pd.DataFrame, cases: Sequence[Case], buses: pd.DataFrame, rules: Rules
) -> pd.DataFrame:
    """The members' options; of each candidate those with the cheapest own lines, of each place all ends."""
    place = members["collector_id"].str.partition(">")[0]
    own = members.assign(place=place).drop_duplicates(["candidate_id", "place"])
    own = own.sort_values(["candidate_id", "line_cny", "place"]).groupby("candidate_id").head(TRIED_BY_CANDIDATE)
    kept = set(zip(own["candidate_id"], own["place"], strict=True))
    table = members[[pair in kept for pair in zip(members["candidate_id"], place, strict=True)]].reset_index(drop=True)
    count = table.groupby("collector_id")["candidate_id"].transform("size")
    table = table[count >= rules.collector["least_members"]].reset_index(drop=True)
    if table.empty:
        return CONNECTION_OPTIONS.empty()
    room = headrooms(hosting, cases, table["technology"].tolist(), buses["bus_id"])
    position = {bus: k for k, bus in enumerate(buses["bus_id"])}
    table["headroom_mw"] = [room[t][position[b]] for t, b in zip(table["technology"], table["bus_id"], strict=True)]
    per_mw = rules.transformer_cny_per_mw(rules.collector["trunk_kv"])
    table["transformer_cny"] = (table["mw"] - table["headroom_mw"]).clip(lower=0.0) * per_mw
    table["rank_cny"] = rules.step_up_cny(rules.collector["collect_kv"], 0.0)
    table["bays"], table["feasible"] = 0, True
    table["option_id"] = table["candidate_id"] + ">" + table["collector_id"]
    table["reason_zh"] = f"可经{rules.collector['collect_kv']:g} kV汇集站接入"
    table["reason_en"] = f"may connect through a {rules.collector['collect_kv']:g} kV collector station"
    return CONNECTION_OPTIONS.validate(table[list(CONNECTION_OPTIONS.columns)])
