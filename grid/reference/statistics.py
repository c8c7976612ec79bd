"""Figures by which networks are compared: how long, how meshed, how generously sized, level by level.

A drawn network is believable when its figures lie among those of real ones. The same figures for planning tables and
for cases of any format; star points of three-winding units count as parts of the unit, not as buses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Network
from grid.model.contracts import BusBranch
from grid.model.star import expand_three_winding
from layers.contracts import Origin
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NETWORK_STATISTICS = Table(
    "network_statistics",
    "One row a network: the whole of it.",
    {
        "network": column(str, "", "name", unique=True),
        "buses": column(int, "", "buses that a branch in service reaches", ge=0),
        "load_mva": column(float, "MVA", "apparent power of the summed loads", ge=0),
        "line_km": column(float, "km", "length of all circuits whose length is known; NaN none is", nullable=True),
        "line_km_per_mva": column(float, "km/MVA", "that over the load", nullable=True),
        "mean_degree": column(float, "", "neighbours of a bus, over lines and transformers", nullable=True),
        "bridge_share": column(float, "", "circuits and units whose outage splits the network, of all", nullable=True),
        "circuits_per_corridor": column(float, "", "circuits of lines between the same two buses", nullable=True),
        "r_over_x": column(float, "", "median of the lines", nullable=True),
    },
)

LEVEL_STATISTICS = Table(
    "level_statistics",
    "One row a network and voltage level, highest level first.",
    {
        "network": column(str, "", "name"),
        "vn_kv": column(float, "kV", "level"),
        "buses": column(int, "", "buses of the level that a branch in service reaches", ge=0),
        "circuits": column(int, "", "lines of the level, one a circuit", ge=0),
        "line_km": column(float, "km", "length of the circuits whose length is known", nullable=True),
        "mean_line_km": column(float, "km", "mean of them", nullable=True),
        "circuits_per_corridor": column(float, "", "circuits between the same two buses", nullable=True),
        "mean_degree": column(float, "", "neighbours of a bus over lines of its level", nullable=True),
        "r_over_x": column(float, "", "median of the lines", nullable=True),
        "supplied_mva": column(float, "MVA", "load on the levels below, without counting plants there", ge=0),
        "transformer_mva": column(float, "MVA", "units from this level down to levels with load", ge=0),
        "capacity_load_ratio": column(float, "", "transformer MVA over the load below; NaN nothing is supplied",
                                      nullable=True),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """What the figures need. Branches have shape (branches,), buses shape (buses,); ``f`` and ``t`` are bus rows.

    ``length_km`` and ``rating_mva`` are NaN where unknown. ``fictitious`` marks star points: they join, but are no
    buses. ``tie`` marks branches without impedance; their ends are one bus.
    """

    name: str
    vn_kv: Floats
    load_mva: npt.NDArray[np.complex128]
    occupied: Bools
    """Buses with a load, plant or outside equivalent."""
    fictitious: Bools
    f: Ints
    t: Ints
    line: Bools
    tie: Bools
    length_km: Floats
    rating_mva: Floats
    r_over_x: Floats


def skeleton_of_network(network: Network, origin: Origin | None = None) -> Skeleton:
    """From planning tables at the reference peak; only branches of one ``origin`` if given."""
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    lines, units, loads = network.lines, network.transformers, network.loads
    if origin is not None:
        lines, units = lines[lines["origin"] == origin], units[units["origin"] == origin]
    n, m = len(lines), len(units)
    load = np.zeros(len(row), dtype=complex)
    at = np.array([row[b] for b in loads["bus_id"]], dtype=np.int64)
    np.add.at(load, at, loads["p_mw"].to_numpy(float) + 1j * loads["q_mvar"].to_numpy(float))
    ends = [[*lines[a], *units[b]] for a, b in (("from_bus", "hv_bus"), ("to_bus", "lv_bus"))]
    ratio = lines["r_ohm_per_km"].to_numpy(float) / lines["x_ohm_per_km"].to_numpy(float)
    return Skeleton(
        network.name,
        network.buses["vn_kv"].to_numpy(float),
        load,
        np.isin(network.buses["bus_id"], [*loads["bus_id"], *network.generators["bus_id"], *network.infeeds["bus_id"]]),
        np.zeros(len(row), dtype=bool),
        np.array([row[b] for b in ends[0]], dtype=np.int64),
        np.array([row[b] for b in ends[1]], dtype=np.int64),
        np.arange(n + m) < n,
        np.zeros(n + m, dtype=bool),
        np.concatenate([lines["length_km"].to_numpy(float), np.full(m, np.nan)]),
        np.concatenate([np.full(n, np.nan), units["sn_mva"].to_numpy(float)]),
        np.concatenate([ratio, np.full(m, np.nan)]),
    )


def skeleton_of_case(case: BusBranch) -> Skeleton:
    """From a case of any format, as it stands: branches in service between buses that are on.

    The rating of a three-winding unit counts once, at the leg of its second winding. A branch called a line that
    joins two voltage levels counts as a transformer.
    """
    whole = expand_three_winding(case)
    branches, buses = whole.branches, whole.buses
    row = {int(b): k for k, b in enumerate(buses["bus_id"])}
    on = (buses["kind"] != "isolated").to_numpy(bool)
    f, t = (np.array([row[int(b)] for b in branches[end]], dtype=np.int64) for end in ("from_bus", "to_bus"))
    used = branches["in_service"].to_numpy(bool) & on[f] & on[t]
    branches, f, t = branches[used], f[used], t[used]
    load = np.zeros(len(buses), dtype=complex)
    loads = whole.loads[whole.loads["in_service"].to_numpy(bool)]
    at = np.array([row[int(b)] for b in loads["bus_id"]], dtype=np.int64)
    p = loads[["p_mw", "p_i_mw", "p_z_mw"]].to_numpy(float).sum(axis=1)
    q = loads[["q_mvar", "q_i_mvar", "q_z_mvar"]].to_numpy(float).sum(axis=1)
    np.add.at(load, at, p + 1j * q)
    vn = buses["vn_kv"].to_numpy(float)
    r, x = branches["r_pu"].to_numpy(float), branches["x_pu"].to_numpy(float)
    line = (branches["kind"] == "line").to_numpy(bool) & np.isclose(vn[f], vn[t], rtol=0.1)
    tie = np.hypot(r, x) < 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(line & (x > 0), r / x, np.nan)
    rating = branches["rating_a_mva"].to_numpy(float)
    leg = (branches["transformer_id"] != "").to_numpy(bool)
    second = branches["branch_id"].str.endswith("/2").to_numpy(bool)
    rating = np.where(leg & ~second, np.nan, rating)
    occupied = np.isin(buses["bus_id"], [*loads["bus_id"], *whole.generators["bus_id"]])
    return Skeleton(
        whole.name, vn, load, occupied, buses["is_star"].to_numpy(bool), f, t, line & ~tie, tie,
        branches["length_km"].to_numpy(float), np.where(line, np.nan, rating), ratio,
    )  # fmt: skip


# ---------------------------------------------------------------- figures


def network_statistics(skeletons: Iterable[Skeleton]) -> pd.DataFrame:
    """Table :data:`NETWORK_STATISTICS`, one row a skeleton, in their order."""
    rows = [_whole(s) for s in skeletons]
    return NETWORK_STATISTICS.validate(pd.DataFrame(rows, columns=list(NETWORK_STATISTICS.columns)))


def level_statistics(skeletons: Iterable[Skeleton], least_circuits: int = 0) -> pd.DataFrame:
    """Table :data:`LEVEL_STATISTICS`; levels with fewer lines than ``least_circuits`` and no units are left out."""
    rows = [row for s in skeletons for row in _levels(s)]
    table = pd.DataFrame(rows, columns=list(LEVEL_STATISTICS.columns))
    kept = (table["circuits"] >= least_circuits) | (table["transformer_mva"] > 0)
    return LEVEL_STATISTICS.validate(table[kept].reset_index(drop=True))


def bridges(s: Skeleton) -> Bools:
    """Branches whose loss splits the network, shape (branches,): bridges of the graph that no parallel one shares.

    A leg that leads from a star point to a bus with nothing else is not counted: no network is lost with it.
    """
    node = _nodes(s)
    graph: nx.Graph = nx.Graph()
    count: dict[tuple[int, int], int] = {}
    for a, b in zip(node[s.f].tolist(), node[s.t].tolist(), strict=True):
        if a != b:
            pair = (min(a, b), max(a, b))
            count[pair] = count.get(pair, 0) + 1
            graph.add_edge(*pair)
    cut = {(min(a, b), max(a, b)) for a, b in nx.bridges(graph)} if graph.number_of_edges() else set()
    star = {int(n) for n in node[s.fictitious]}
    occupied = {int(n) for n in node[s.occupied]}
    empty = {n for n in graph if graph.degree[n] == 1 and n not in occupied}
    found = np.zeros(len(s.f), dtype=bool)
    for k, (a, b) in enumerate(zip(node[s.f].tolist(), node[s.t].tolist(), strict=True)):
        pair = (min(a, b), max(a, b))
        idle = bool({a, b} & star) and bool({a, b} & empty)
        found[k] = pair in cut and count[pair] == 1 and not idle
    return found


def _loaded(s: Skeleton, node: Ints) -> set[int]:
    return {int(n) for n in node[s.load_mva != 0]}


def _nodes(s: Skeleton) -> Ints:
    """Row of the first bus of each group that ties join."""
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(len(s.vn_kv)))
    graph.add_edges_from(zip(s.f[s.tie].tolist(), s.t[s.tie].tolist(), strict=True))
    node = np.arange(len(s.vn_kv))
    for group in nx.connected_components(graph):
        node[list(group)] = min(group)
    return node


def _whole(s: Skeleton) -> dict[str, object]:
    node = _nodes(s)
    reached = _reached(s, node)
    load = float(abs(s.load_mva.sum()))
    km = _sum_known(s.length_km[s.line])
    count = int((~s.tie).sum())
    return {
        "network": s.name,
        "buses": len(reached),
        "load_mva": load,
        "line_km": km,
        "line_km_per_mva": km / load if load > 0 else np.nan,
        "mean_degree": _degree(s, node, reached),
        "bridge_share": float((bridges(s) & ~s.tie).sum()) / count if count else np.nan,
        "circuits_per_corridor": _per_corridor(s, node, s.line),
        "r_over_x": _median(s.r_over_x[s.line]),
    }


def _levels(s: Skeleton) -> list[dict[str, object]]:
    node = _nodes(s)
    level = np.round(s.vn_kv, 3)
    real = ~s.fictitious
    reached = _reached(s, node)
    rows: list[dict[str, object]] = []
    for kv in sorted(set(level[real].tolist()), reverse=True):
        line = s.line & (level[s.f] == kv)
        buses = {n for n in reached if level[n] == kv}
        supplied = float(abs(s.load_mva[real & (level < kv)].sum()))
        pairs = _pairs(s, node, line)
        mva = _installed_mva(s, node, level, kv)
        rows.append(
            {
                "network": s.name,
                "vn_kv": kv,
                "buses": len(buses),
                "circuits": int(line.sum()),
                "line_km": _sum_known(s.length_km[line]),
                "mean_line_km": _mean(s.length_km[line]),
                "circuits_per_corridor": _per_corridor(s, node, line),
                "mean_degree": 2 * len(pairs) / len(buses) if buses else np.nan,
                "r_over_x": _median(s.r_over_x[line]),
                "supplied_mva": supplied,
                "transformer_mva": mva,
                "capacity_load_ratio": mva / supplied if supplied > 0 and mva > 0 else np.nan,
            }
        )
    return rows


def _installed_mva(s: Skeleton, node: Ints, level: Floats, kv: float) -> float:
    """Units whose high side is the level and whose low side leads, without that level or a higher one, to a load.

    Step-up units of plants lead to none and do not count.
    """
    low = level < kv
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(np.unique(node[low]).tolist())
    inside = low[s.f] & low[s.t]
    graph.add_edges_from(zip(node[s.f[inside]].tolist(), node[s.t[inside]].tolist(), strict=True))
    loaded = _loaded(s, node)
    serving = {n for part in nx.connected_components(graph) if part & loaded for n in part}
    total = 0.0
    for k in np.flatnonzero(~s.line & ~s.tie & np.isfinite(s.rating_mva)).tolist():
        ends = _unit_ends(s, k)
        if max(level[b] for b in ends) == kv and any(low[b] and int(node[b]) in serving for b in ends):
            total += float(s.rating_mva[k])
    return total


def _unit_ends(s: Skeleton, k: int) -> set[int]:
    """Buses of a unit: both ends, or of a three-winding one the ends of all its legs."""
    ends = {int(s.f[k]), int(s.t[k])}
    stars = {b for b in ends if s.fictitious[b]}
    for star in stars:
        legs = (s.f == star) | (s.t == star)
        ends |= {int(b) for b in np.concatenate([s.f[legs], s.t[legs]])}
    return ends - stars


def _pairs(s: Skeleton, node: Ints, use: Bools) -> set[tuple[int, int]]:
    a, b = node[s.f[use]], node[s.t[use]]
    return {(min(i, j), max(i, j)) for i, j in zip(a.tolist(), b.tolist(), strict=True) if i != j}


def _reached(s: Skeleton, node: Ints) -> set[int]:
    ends = np.concatenate([node[s.f], node[s.t]])
    return {int(n) for n in np.unique(ends) if not s.fictitious[n]}


def _degree(s: Skeleton, node: Ints, reached: set[int]) -> float:
    """Mean number of neighbours; what hangs at one star point is each other's neighbour by the unit."""
    pairs = _pairs(s, node, ~s.tie)
    legs: dict[int, set[int]] = {}
    direct = set()
    for a, b in pairs:
        star = a if s.fictitious[a] else b if s.fictitious[b] else -1
        if star < 0:
            direct.add((a, b))
        else:
            legs.setdefault(star, set()).add(b if star == a else a)
    for ends in legs.values():
        direct |= {(a, b) for a in ends for b in ends if a < b}
    return 2 * len(direct) / len(reached) if reached else np.nan


def _per_corridor(s: Skeleton, node: Ints, line: Bools) -> float:
    between = line & (node[s.f] != node[s.t])
    pairs = _pairs(s, node, line)
    return float(between.sum()) / len(pairs) if pairs else np.nan


def _sum_known(values: Floats) -> float:
    return float(np.nansum(values)) if np.isfinite(values).any() else np.nan


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan
