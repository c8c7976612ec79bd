"""The study of connections: all options, the joint choice, and for each candidate the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import shapely

from grid.connections.bays import KnownBays, bay_limits
from grid.connections.choice import choose
from grid.connections.collectors import Grouping, collector_options
from grid.connections.contracts import COLLECTORS, CONNECTION_OPTIONS, TIE_LINES, ConnectionStudy
from grid.connections.options import own_options, placed_buses
from grid.connections.reasons import Shared, no_place, reasons
from grid.connections.routes import Router, opened, simplified
from grid.connections.rules import Rules, great_circle_km
from grid.connections.shared import SharedLimits
from grid.connections.terrain import RouteTerrain
from grid.contracts import CONNECTIONS, Case, Network

NO_RASTER = (
    "没有可用的地面图层，线路长度按直线距离乘绕行系数估算",
    "no layers of the ground: lengths are straight lines times the detour factor",
)


def study_connections(
    candidates: pd.DataFrame,
    network: Network,
    hosting: pd.DataFrame,
    cases: Sequence[Case],
    terrain: RouteTerrain | None = None,
    *,
    rules: Rules | None = None,
    known_bays: Sequence[KnownBays] = (),
    grouping: bool = True,
    lost_cny_per_mw: float = 0.0,
) -> ConnectionStudy:
    """How each candidate connects, jointly at least cost.

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
    terrain
        Cost raster of the routes; None: straight lines times the detour factor of the level, and the result says so.
    rules
        Rule tables; the standard ones where None.
    known_bays
        Free bays that are known; the others follow ``standards/station_bays.csv``.
    grouping
        Whether collector stations are offered.
    lost_cny_per_mw
        Price of a MW that all candidates together cannot inject, since buses share limits; 0: each bus counts alone.

    Returns
    -------
    ConnectionStudy. Station and bus of a connection are empty, and the numbers NaN, where no option is within reach
    or no bay is left.
    """
    rules = rules or Rules()
    bays = bay_limits(network, known_bays)
    router = router_of(terrain, candidates, network)
    own = own_options(candidates, network, hosting, cases, bays, rules, router)
    grouped = (
        collector_options(candidates, network, hosting, cases, rules, router)
        if grouping and len(candidates)
        else Grouping(COLLECTORS.empty(), CONNECTION_OPTIONS.empty())
    )
    parts = [part for part in (own, grouped.options) if len(part)]
    options = pd.concat(parts, ignore_index=True) if parts else CONNECTION_OPTIONS.empty()
    buses = placed_buses(network)
    per_mw = {b: rules.transformer_cny_per_mw(v) for b, v in zip(buses["bus_id"], buses["level"], strict=True)}
    if lost_cny_per_mw > 0:
        per_mw = {bus: max(cny, lost_cny_per_mw) for bus, cny in per_mw.items()}
    together = partial(SharedLimits, network, cases) if lost_cny_per_mw > 0 else None
    choice = choose(options, grouped.collectors, bays, candidates, hosting, cases, per_mw, together)
    collectors = grouped.collectors.assign(chosen=grouped.collectors["variant_id"].isin(choice.variant_ids))
    taken = options[options["option_id"].isin(choice.option_ids)].set_index("candidate_id")
    shared = _shares(taken, collectors[collectors["chosen"]], options, candidates)
    connections = _connections(candidates, taken, options, shared, buses)
    zh, en = ("", "") if terrain is not None else NO_RASTER
    return ConnectionStudy(
        options=CONNECTION_OPTIONS.validate(options),
        collectors=COLLECTORS.validate(collectors.astype({"chosen": bool})),
        bay_limits=bays,
        connections=CONNECTIONS.validate(connections),
        tie_lines=tie_lines_of(candidates, taken, collectors[collectors["chosen"]], buses, router, rules),
        objective_cny=choice.objective_cny,
        best_bound_cny=choice.best_bound_cny,
        fallback_zh=zh,
        fallback_en=en,
        left_out=choice.left_out,
    )


def router_of(terrain: RouteTerrain | None, candidates: pd.DataFrame, network: Network) -> Router | None:
    if terrain is None:
        return None
    stations = network.stations
    ends = [np.concatenate([stations[c].to_numpy(float), candidates[c].to_numpy(float)]) for c in ("lon", "lat")]
    return Router(opened(terrain, *ends))


def _shares(
    taken: pd.DataFrame, built: pd.DataFrame, options: pd.DataFrame, candidates: pd.DataFrame
) -> dict[str, Shared]:
    """Each member's part of its collector, by MW: trunk, bays, and the station as far as it costs more than the
    step-up stations that the members spare."""
    mw = candidates.set_index("candidate_id")["grid_capacity_mw"]
    own = options[options["feasible"] & (options["collector_id"] == "")]
    spared = own.assign(all_cny=own["line_cny"] + own["bay_cny"] + own["rank_cny"]).sort_values("all_cny")
    spared_cny = spared.groupby("candidate_id")["rank_cny"].first()
    found: dict[str, Shared] = {}
    variant: Any
    for variant in built.itertuples():
        members = list(taken.index[taken["collector_id"] == variant.collector_id])
        total = float(mw.loc[members].sum())
        for member in members:
            part = float(mw[member]) / total
            station = max(0.0, part * variant.station_cny - float(spared_cny.get(member, 0.0)))
            paid = part * (variant.trunk_cny + variant.bay_cny) + station
            found[member] = Shared(variant.collector_id, len(members), paid, variant.s_mva, variant.length_km)
    return found


def _connections(
    candidates: pd.DataFrame,
    taken: pd.DataFrame,
    options: pd.DataFrame,
    shared: dict[str, Shared],
    buses: pd.DataFrame,
) -> pd.DataFrame:
    """Table CONNECTIONS in the order of the candidates."""
    row: Any
    every: Any = buses.itertuples(index=False)
    names = {bus.bus_id: bus for bus in every}
    chosen = set(taken["option_id"])
    by_candidate: dict[str, list[Any]] = {}
    best_of: dict[str, Any] = {}
    for row in options.itertuples(index=False):
        by_candidate.setdefault(row.candidate_id, []).append(row)
        if row.option_id in chosen:
            best_of[row.candidate_id] = row
    records: list[tuple[Any, ...]] = []
    for key, mw in zip(candidates["candidate_id"], candidates["grid_capacity_mw"].astype(float), strict=True):
        of_one = by_candidate.get(key, [])
        count = sum(option.feasible for option in of_one)
        if key not in best_of:
            records.append((key, "", "", np.nan, np.nan, "", np.nan, count, *no_place(of_one)))
            continue
        best, share = best_of[key], shared.get(key)
        # behind a collector the network is entered at the trunk's level
        vn = float(best.vn_kv if share is None else names[best.bus_id].level)
        cost = float(best.line_cny + best.bay_cny) + (0.0 if share is None else share.paid_cny)
        where = (key, best.station_id, best.bus_id, vn, float(best.length_km), best.line_type)
        records.append((*where, cost, count, *reasons(best, of_one, share, names, mw)))
    return pd.DataFrame(records, columns=list(CONNECTIONS.columns)) if records else CONNECTIONS.empty()


@dataclass(frozen=True)
class _Ends:
    """Both ends of a tie line in WGS-84, the station's (or collector's) first."""

    lon0: float
    lat0: float
    lon1: float
    lat1: float


def tie_lines_of(
    candidates: pd.DataFrame,
    taken: pd.DataFrame,
    built: pd.DataFrame,
    buses: pd.DataFrame,
    router: Router | None,
    rules: Rules,
) -> pd.DataFrame:
    """Table TIE_LINES: lines of the chosen options that are built (roofs use feeders that exist), then trunks."""
    at = buses.drop_duplicates("bus_id").set_index("bus_id")[["lon", "lat"]]
    place = candidates.set_index("candidate_id")[["lon", "lat"]]
    collector = built.drop_duplicates("collector_id").set_index("collector_id")[["lon", "lat"]]
    records: list[dict[str, Any]] = []
    row: Any
    for row in taken[(taken["circuits"] > 0) & (taken["line_type"] != "existing feeder")].reset_index().itertuples():
        start = collector.loc[row.collector_id] if row.collector_id else at.loc[row.bus_id]
        ends = _Ends(start["lon"], start["lat"], *place.loc[row.candidate_id])
        reach = rules.collector["member_max_km"] if row.collector_id else rules.reach[row.vn_kv].max_length_km
        records.append(_tie_line(row, row.option_id, row.candidate_id, float(row.line_cny), ends, reach, router, rules))
    for row in built.itertuples():
        end = at.loc[row.bus_id]
        ends = _Ends(end["lon"], end["lat"], row.lon, row.lat)
        reach = rules.collector["trunk_max_km"]
        records.append(_tie_line(row, row.collector_id, "", float(row.trunk_cny), ends, reach, router, rules))
    return TIE_LINES.validate(pd.DataFrame(records, columns=list(TIE_LINES.columns))) if records else TIE_LINES.empty()


def _tie_line(
    row: Any, name: str, candidate_id: str, cny: float, ends: _Ends, reach_km: float, router: Router | None,
    rules: Rules,
) -> dict[str, Any]:  # fmt: skip
    straight = float(great_circle_km(ends.lon0, ends.lat0, np.array([ends.lon1]), np.array([ends.lat1]))[0])
    per_km = _cost_per_km(row, rules)
    length = float(row.length_km)
    return {
        "tie_line_id": name,
        "candidate_id": candidate_id,
        "station_id": row.station_id,
        "bus_id": row.bus_id,
        "collector_id": row.collector_id,
        "vn_kv": float(row.vn_kv),
        "line_type": row.line_type,
        "circuits": int(row.circuits),
        "length_km": length,
        "straight_km": straight,
        "terrain_factor": cny / (length * per_km) if length * per_km > 0 else 1.0,
        "line_cny": cny,
        "routed": bool(row.routed),
        "path_wkt": shapely.to_wkt(_path(ends, reach_km, router if row.routed else None), rounding_precision=6),
    }


def _cost_per_km(row: Any, rules: Rules) -> float:
    costs = rules.costs
    found = costs[(costs["kind"] == "line") & (costs["vn_kv"] == row.vn_kv) & (costs["item"] == row.line_type)]
    return float(found["cost_cny"].iloc[0]) * int(row.circuits)


def _path(ends: _Ends, reach_km: float, router: Router | None) -> shapely.LineString:
    """The route from the far end to the near one; straight where there is none."""
    straight = [(ends.lon1, ends.lat1), (ends.lon0, ends.lat0)]
    if router is None:
        return shapely.LineString(straight)
    start, end = router.terrain.cell(ends.lon0, ends.lat0), router.terrain.cell(ends.lon1, ends.lat1)
    assert start is not None  # a routed option has both ends on the raster
    assert end is not None
    rows, cols = simplified(*router.field_at(*start, reach_km).path(*end))
    lon, lat = router.terrain.lon_lat(rows[1:-1].astype(float), cols[1:-1].astype(float))
    return shapely.LineString([straight[0], *zip(lon.tolist(), lat.tolist(), strict=True), straight[1]])
