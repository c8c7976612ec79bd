"""What is mapped: stations and corridors of 500 and 220 kV from nodes, lines and substation polygons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from grid.osm.circuits import Edge, circuits_of, level_from_ends, level_kv, split_list, without_joints
from grid.osm.draft import Draft, to_plane
from grid.osm.read import Sources
from grid.osm.rules import Ledger, rule_number, rule_text
from grid.reference.design import Bank, Corridor
from layers.contracts import Origin

JOINT_TYPES = ("joint", "merge")
FIRST_BANK_500 = ("500/220 1000 MVA", 2)
TRACTION = "牵引"


@dataclass(frozen=True)
class MappedLines:
    """Edges between nodes of the window; ``cut`` holds (inside node, level) of lines that leave it."""

    edges: tuple[Edge, ...]
    cut: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Polygons:
    """Substation polygons of the window on the plane, in the order of their places."""

    shapes: np.ndarray
    names: tuple[str, ...]
    kv_max: np.ndarray
    xy: np.ndarray


def mapped_lines(sources: Sources, ledger: Ledger) -> MappedLines:
    """Edges of the lines with both ends in the window, one a level."""
    inside = {int(v) for v in sources.nodes.loc[sources.in_window(sources.nodes), "v_id"]}
    known = _levels_of_nodes(sources)
    edges: list[Edge] = []
    cut: list[tuple[int, float]] = []
    columns = ("v_id_1", "v_id_2", "voltage", "cables", "length_m")
    for a, b, voltage, cables, length in zip(*(sources.lines[name] for name in columns), strict=True):
        ends = [int(v) for v in (a, b) if int(v) in inside]
        if not ends:
            continue
        counted = ledger if len(ends) == 2 else Ledger()
        by_level = _levels_and_circuits(voltage, cables, known, int(a), int(b), counted)
        if len(ends) == 2:
            ledger.count("osm.window")
            edges += [Edge(int(a), int(b), v, n, float(length) / 1000, (int(a), int(b))) for v, n in by_level]
        else:
            cut += [(ends[0], v) for v, _ in by_level]
    ledger.count("osm.cut_220", sum(v == 220 for _, v in cut))
    return MappedLines(tuple(edges), tuple(sorted(set(cut))))


def _levels_of_nodes(sources: Sources) -> dict[int, frozenset[float]]:
    found: dict[int, set[float]] = {}
    for node, voltage in zip(sources.nodes["v_id"], sources.nodes["voltage"], strict=True):
        found.setdefault(int(node), set()).update(v for v in map(level_kv, split_list(voltage)) if v)
    for a, b, voltage in zip(*(sources.lines[c] for c in ("v_id_1", "v_id_2", "voltage")), strict=True):
        for node in (a, b):
            found.setdefault(int(node), set()).update(v for v in map(level_kv, split_list(voltage)) if v)
    return {node: frozenset(levels) for node, levels in found.items()}


def _levels_and_circuits(
    voltage: str, cables: str, known: dict[int, frozenset[float]], a: int, b: int, ledger: Ledger
) -> tuple[tuple[float, int], ...]:
    if not split_list(voltage):
        level = level_from_ends(known, a, b)
        if level is None:
            ledger.count("osm.voltage_dropped")
            return ()
        ledger.count("osm.voltage_from_neighbours")
        voltage = f"{level * 1000:.0f}"
    found = circuits_of(voltage, cables, int(rule_number("osm.circuits_unknown")))
    if found.other_levels:
        ledger.count("osm.voltage_dropped", found.other_levels)
    if found.by_level:
        rule = {"default": "osm.circuits_unknown", "cables": "osm.circuits_cables"}.get(found.evidence)
        if rule:
            ledger.count(rule)
    return found.by_level


def polygons_of(sources: Sources, draft: Draft) -> Polygons:
    """Substations (not traction substations, not plants) with their highest voltage, NaN where not known."""
    table = sources.polygons[sources.polygons["power"] == "substation"]
    names = table["name"].fillna("").astype(str)
    table, names = table[~names.str.contains(TRACTION)], names[~names.str.contains(TRACTION)]
    shapes = to_plane(draft.districts.plane, table.geometry.to_numpy())
    xy = draft.districts.plane.to_km(table["lon"].to_numpy(float), table["lat"].to_numpy(float))
    return Polygons(shapes, tuple(names), table["kv_max"].to_numpy(float), xy)


def draw_mapped(sources: Sources, draft: Draft) -> tuple[str, ...]:
    """Put the mapped stations and corridors into the draft; returns the stations where 500 kV lines were cut."""
    ledger = draft.ledger
    lines = mapped_lines(sources, ledger)
    nodes = sources.nodes.set_index("v_id")
    used = sorted({v for e in lines.edges for v in (e.a, e.b)})
    joints = {v for v in used if nodes.loc[v, "typ"] in JOINT_TYPES}
    polygons = polygons_of(sources, draft)
    home = _polygon_of_node(draft, nodes, [v for v in used if v not in joints], polygons)
    alias = _aliases(home)
    edges = [Edge(alias.get(e.a, e.a), alias.get(e.b, e.b), e.vn_kv, e.circuits, e.length_km, e.path)
             for e in lines.edges]  # fmt: skip
    cut_500 = [(alias.get(v, v), level) for v, level in lines.cut if level == 500]
    reduced = without_joints(edges, joints, cut_500)
    ledger.count("osm.joint_merged", len(reduced.merged))
    ledger.count("osm.dead_end", len(reduced.dead_ends))
    _place_nodes(draft, nodes, reduced.edges, joints, home, polygons)
    for edge in reduced.edges:
        _place_corridor(draft, nodes, edge)
    _place_stations_of_2025(draft, polygons, set(home.values()))
    return tuple(sorted({_node_id(v) for v, _ in cut_500 if _node_id(v) in draft.stations}))


def _node_id(node: int) -> str:
    return f"osm{node}"


def _polygon_of_node(draft: Draft, nodes: pd.DataFrame, members: list[int], polygons: Polygons) -> dict[int, int]:
    """Nearest polygon within the rule's distance; of equally near ones that of the highest voltage."""
    reach_km = rule_number("osm.polygon_merge") / 1000
    home = {}
    for node in members:
        xy = draft.districts.plane.to_km(nodes.loc[[node], "lon"].to_numpy(), nodes.loc[[node], "lat"].to_numpy())[0]
        gap = shapely.distance(polygons.shapes, shapely.Point(xy))
        near = np.flatnonzero(gap <= reach_km)
        if len(near):
            kv = np.nan_to_num(polygons.kv_max)
            home[node] = int(min(near, key=lambda k: (round(float(gap[k]), 6), -kv[k], k)))
    draft.ledger.count("osm.polygon_merge", len(set(home.values())))
    return home


def _aliases(home: dict[int, int]) -> dict[int, int]:
    """Nodes of one polygon become the first of them."""
    first: dict[int, int] = {}
    for node in sorted(home):
        first.setdefault(home[node], node)
    return {node: first[polygon] for node, polygon in home.items()}


def _place_nodes(
    draft: Draft,
    nodes: pd.DataFrame,
    edges: tuple[Edge, ...],
    joints: set[int],
    home: dict[int, int],
    polygons: Polygons,
) -> None:
    levels: dict[int, set[float]] = {}
    for edge in edges:
        for node in (edge.a, edge.b):
            levels.setdefault(node, set()).add(edge.vn_kv)
    for node in sorted(levels):
        row = nodes.loc[node]
        found = tuple(sorted(levels[node], reverse=True))
        xy = draft.districts.plane.to_km(np.array([row["lon"]]), np.array([row["lat"]]))[0]
        name = polygons.names[home[node]] if node in home else ""
        if node in joints:
            draft.joints.add(_node_id(node))
            draft.ledger.count("osm.joint_kept", len(found))
            zh, en, note = f"接点{node}", f"joint {node}", "joint of lines, no load"
        else:
            name = name or str(row["name"])
            zh, en = name or f"{found[0]:g}千伏站{node}", name or f"{found[0]:g} kV station {node}"
            note = "mapped node of 2016" + (", substation polygon of 2025" if node in home else "")
        draft.place(_node_id(node), zh, en, xy, found, Origin.MAPPED, note)


def _place_corridor(draft: Draft, nodes: pd.DataFrame, edge: Edge) -> None:
    a, b = sorted((_node_id(edge.a), _node_id(edge.b)))
    path = edge.path if a == _node_id(edge.a) else edge.path[::-1]
    places = [f"{nodes.loc[v, 'lon']:.6f} {nodes.loc[v, 'lat']:.6f}" for v in path]
    rule = f"osm.line_type_{edge.vn_kv:g}"
    draft.ledger.count(rule)
    corridor = Corridor(
        from_station=a, to_station=b, vn_kv=edge.vn_kv, length_km=round(max(edge.length_km, 0.01), 3),
        line_type=rule_text(rule), circuits=edge.circuits, origin=Origin.MAPPED,
        note="route and circuits mapped 2016, conductor assumed", path_wkt=f"LINESTRING ({', '.join(places)})",
    )  # fmt: skip
    draft.corridors[corridor.corridor_id] = corridor


def _place_stations_of_2025(draft: Draft, polygons: Polygons, taken: set[int]) -> None:
    """Polygons that no line of 2016 reaches: 220 kV inside the region, 500 kV and above also near it."""
    reach = rule_number("osm.station_2025")
    added: dict[float, list[str]] = {500.0: [], 220.0: []}
    for k, (name, kv) in enumerate(zip(polygons.names, polygons.kv_max, strict=True)):
        level = 500.0 if kv in (500, 800, 1000) else 220.0
        if k in taken or kv not in (220, 500, 800, 1000):
            continue
        gap = draft.districts.distance_km(polygons.xy[k])
        if gap > (reach if level == 500 else 0.0):
            continue
        lon, lat = draft.districts.plane.to_degree(polygons.xy[k])
        key = f"poly{lon:.4f}_{lat:.4f}"
        zh, en = name or f"{level:g}千伏站{lon:.3f}", name or f"{level:g} kV station {lon:.3f}"
        draft.place(key, zh, en, polygons.xy[k], (level,), Origin.MAPPED, "substation polygon of 2025, lines assumed")
        added[level].append(key)
        if kv > 500:
            draft.sources.add(key)
    draft.ledger.count("osm.station_2025", sum(map(len, added.values())))
    draft.join_all(added[500.0], 500.0, "assumed: two nearest stations of the level")


def add_banks_500(draft: Draft) -> None:
    """500/220 kV units by rule; mapped UHV and converter stations and joints have none."""
    reach = rule_number("osm.bank_500")
    for key in sorted(draft.stations):
        station = draft.stations[key]
        if 500.0 not in station.levels_kv or key in draft.joints or key in draft.sources:
            continue
        if 220.0 in station.levels_kv or draft.districts.distance_km(draft.xy(key)) <= reach:
            draft.add_level(key, 220.0)
            name, units = FIRST_BANK_500
            bank = Bank(key, 500.0, 220.0, name, units, note="assumed by rule", origin=Origin.ASSUMED)
            draft.banks[bank.bank_id] = bank
            draft.ledger.count("osm.bank_500")
