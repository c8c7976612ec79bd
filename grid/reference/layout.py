"""First drawing of a reference network: where stations stand and what joins them.

::

    outside ==500== [500 kV mesh] ==500== outside          two infeeds or more
                     |        |
                    loop of 220 kV stations per 500 kV station, ties between neighbouring loops
                     |        |
              110 kV stations, each with lines to its two nearest 220 kV stations
                     |
                   10 kV bus with the load

Smaller networks leave out the upper levels. What the drawing cannot carry is strengthened in ``reinforce``.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from grid.reference.design import Bank, Corridor, Design, Infeed, Load, Station, reactive_mvar
from grid.reference.geography import (
    Floats,
    Ints,
    LocalPlane,
    apportion,
    balanced_groups,
    distances,
    loops_around,
    mesh_edges,
    split_heavy_points,
    weighted_middle,
)
from grid.reference.places import SHORTEST_LINE_KM, Level, compensated_share, given_xy, slug
from grid.reference.plants import draw_plants
from grid.reference.sizing import choose_line, choose_units, middle_ratio, station_count
from grid.reference.spec import NamedStation, ReferenceGridSpec
from layers.contracts import Origin

LARGEST_LOOP = 4
SECOND_FEED_FACTOR = 3.0
"""A second 220 kV station further away than this many times the nearest gives way to a second circuit."""
SPREAD_KM = 1.5
OUTSIDE_SHARE_MVA = 1000.0
"""Equal shares of the outside network, before the whole is scaled to the level of the boundary."""
FIRST_TAP = {220.0: -3.0}
"""Positions before taps are set by load flow: high enough a voltage for a first solution at peak."""


def draw(spec: ReferenceGridSpec, load_points: pd.DataFrame) -> Design:
    """First design, before any load flow. ``load_points`` are valid and add up to the peak."""
    plane = LocalPlane(float(load_points["lon"].mean()), float(load_points["lat"].mean()))
    xy = plane.to_km(load_points["lon"].to_numpy(float), load_points["lat"].to_numpy(float))
    districts = load_points["district_code"].to_numpy(str)
    low = _level_110(spec, plane, xy, load_points["p_mw"].to_numpy(float), districts)
    middle = _upper_level(spec, plane, low, 220.0, 110.0) if spec.top_kv >= 220 else None
    high = _upper_level(spec, plane, middle, 500.0, 220.0) if spec.top_kv >= 500 and middle is not None else None
    top = high or middle or low
    outside = _outside(spec, plane, top)
    corridors = [
        *_mesh(spec, top, outside),
        *(_loops_220(spec, high, middle) if high and middle else ()),
        *(_feeds_110(spec, middle, low) if middle else ()),
    ]
    levels = [level for level in (high, middle, low) if level]
    plant_stations, plants, plant_lines = draw_plants(spec, plane, levels)
    banks = [bank for level in levels for bank in _banks(spec, level)]
    loads = [
        Load(s.station_id, float(p), reactive_mvar(float(p), spec.power_factor))
        for s, p in zip(low.stations, low.load_mw, strict=True)
    ]
    infeeds = [
        Infeed(s.station_id, top.vn_kv, spec.infeed_vm_pu, 1.0 / len(outside.stations), OUTSIDE_SHARE_MVA,
               "share of one outside network; its short-circuit power is assumed")
        for s in outside.stations
    ]  # fmt: skip
    return Design(
        name=spec.name,
        stations=tuple(s for level in (outside, *levels) for s in level.stations) + tuple(plant_stations),
        corridors=tuple(_merged([*corridors, *plant_lines])),
        banks=tuple(banks),
        loads=tuple(loads),
        plants=tuple(plants),
        infeeds=tuple(infeeds),
        assumptions=(),
    )


# --- places -----------------------------------------------------------------------------------------------------


def _level_110(spec: ReferenceGridSpec, plane: LocalPlane, xy: Floats, load: Floats, districts: np.ndarray) -> Level:
    """110 kV stations where load is, about equally loaded, each in the district it serves."""
    ratio = middle_ratio(110, spec.growth_percent, spec.capacity_load_rule)
    named = _named(spec, 110.0, plane)
    count = station_count(float(load.sum()), ratio, spec.units_110, 110.0, 10.0, max(1, len(named)))
    fine_xy, fine_load, origin = split_heavy_points(xy, load, float(load.sum()) / count / 6, SPREAD_KM)
    label, codes = _groups(fine_xy, fine_load, districts[origin], count, named)
    places, weights = _middles(fine_xy, fine_load, label)
    return _settle(spec, plane, 110.0, (110.0, 10.0), places, weights, codes, named)


def _upper_level(spec: ReferenceGridSpec, plane: LocalPlane, below: Level, vn_kv: float, lv_kv: float) -> Level:
    """Stations of ``vn_kv`` in the middle of the groups of lower stations they feed."""
    ratio = middle_ratio(vn_kv, spec.growth_percent, spec.capacity_load_rule)
    named = _named(spec, vn_kv, plane)
    units = {500.0: spec.units_500, 220.0: spec.units_220}[vn_kv]
    at_least = max(2 if len(below.stations) > 1 else 1, len(named))
    count = station_count(float(below.load_mw.sum()), ratio, units, vn_kv, lv_kv, at_least)
    fine_xy, fine_load, origin = split_heavy_points(below.xy, below.load_mw, below.load_mw.sum() / count / 2, SPREAD_KM)
    codes_below = np.array([s.district_code for s in below.stations])
    label, codes = _groups(fine_xy, fine_load, codes_below[origin], count, named)
    places, weights = _middles(fine_xy, fine_load, label)
    return _settle(spec, plane, vn_kv, (vn_kv, lv_kv), places, weights, codes, named)


def _named(spec: ReferenceGridSpec, vn_kv: float, plane: LocalPlane) -> list[NamedStation]:
    return [s for s in spec.stations if s.vn_kv == vn_kv and s.status != "outside"]


def _groups(
    xy: Floats, load: Floats, districts: np.ndarray, count: int, named: list[NamedStation]
) -> tuple[Ints, list[str]]:
    """Group label of each point, and the district of each group. Groups keep to districts if there are enough."""
    codes = sorted(set(districts.tolist()))
    by_district = {code: float(load[districts == code].sum()) for code in codes}
    wanted = {code: sum(s.district_code == code for s in named) for code in codes}
    if count < len(codes):
        label = balanced_groups(xy, load, count)
        heaviest = [_heaviest_district(load, districts, label == g) for g in range(count)]
        return label, heaviest
    share = apportion(by_district, count, {code: max(1, n) for code, n in wanted.items()})
    label = np.zeros(len(xy), dtype=np.int64)
    owner: list[str] = []
    for code in codes:
        inside = np.flatnonzero(districts == code)
        groups = min(share[code], len(inside))
        label[inside] = balanced_groups(xy[inside], load[inside], groups) + len(owner)
        owner += [code] * groups
    return label, owner


def _heaviest_district(load: Floats, districts: np.ndarray, inside: np.ndarray) -> str:
    codes: list[str] = sorted(set(districts[inside].tolist()))
    return max(codes, key=lambda code: (float(load[inside & (districts == code)].sum()), code))


def _middles(xy: Floats, load: Floats, label: Ints) -> tuple[Floats, Floats]:
    groups = range(int(label.max()) + 1)
    middle = np.array([weighted_middle(xy[label == g], load[label == g]) for g in groups])
    return middle, np.array([load[label == g].sum() for g in groups])


def _settle(
    spec: ReferenceGridSpec,
    plane: LocalPlane,
    vn_kv: float,
    levels_kv: tuple[float, ...],
    places: Floats,
    load: Floats,
    codes: list[str],
    named: list[NamedStation],
) -> Level:
    """Give the groups their stations: named ones take the nearest group of their district, the rest a number."""
    taken: dict[int, NamedStation] = {}
    for station in named:
        free = [g for g in range(len(places)) if g not in taken and codes[g] == station.district_code]
        free = free or [g for g in range(len(places)) if g not in taken]
        given = given_xy(station, plane)
        taken[max(free, key=lambda g: (load[g], -g)) if given is None else _nearest(given, places, free)] = station
    shift = {220.0: np.array([1.2, 0.8]), 500.0: np.array([-2.5, 2.0])}.get(vn_kv, np.zeros(2))
    xy = places + shift
    stations, number = [], dict.fromkeys(sorted(set(codes)), 0)
    for g in range(len(places)):
        if g in taken:
            given = given_xy(taken[g], plane)
            xy[g] = xy[g] if given is None else given
            stations.append(_named_station(taken[g], codes[g], plane, xy[g], levels_kv, given is not None))
            continue
        number[codes[g]] += 1
        stations.append(_numbered_station(spec, vn_kv, codes[g], number[codes[g]], plane, xy[g], levels_kv))
    return Level(vn_kv, tuple(stations), xy, load)


def _nearest(point: Floats, places: Floats, free: list[int]) -> int:
    apart = distances(point[None, :], places)[0]
    return min(free, key=lambda g: (apart[g], g))


def _named_station(
    named: NamedStation, code: str, plane: LocalPlane, xy: Floats, levels_kv: tuple[float, ...], placed: bool
) -> Station:
    lon, lat = plane.to_degree(xy)
    position = "position as given" if placed else "position assumed where the load of its district is"
    note = f"{named.status}; {position}; size generated. {named.source}".strip()
    origin = Origin.MAPPED if placed else Origin.ASSUMED
    return Station(
        f"S{named.vn_kv:g}-{slug(named.name_en)}",
        named.name_zh,
        named.name_en,
        named.vn_kv,
        lon,
        lat,
        named.district_code or code,
        True,
        origin,
        note,
        levels_kv,
    )


def _numbered_station(
    spec: ReferenceGridSpec,
    vn_kv: float,
    code: str,
    number: int,
    plane: LocalPlane,
    xy: Floats,
    levels_kv: tuple[float, ...],
) -> Station:
    names = {c: (zh, en) for c, zh, en in spec.district_names}
    zh, en = names.get(code, (code, code))
    lon, lat = plane.to_degree(xy)
    return Station(
        f"S{vn_kv:g}-{code or 'x'}-{number:03d}",
        f"{zh}{vn_kv:g}kV{number}号(生成)",
        f"{en} {vn_kv:g} kV no. {number} (generated)",
        vn_kv,
        lon,
        lat,
        code,
        True,
        Origin.GENERATED,
        "generated where load is",
        levels_kv,
    )


def _outside(spec: ReferenceGridSpec, plane: LocalPlane, top: Level) -> Level:
    """Stations where the outside network feeds in: the named ones first, two at least."""
    named = [s for s in spec.stations if s.status == "outside" and s.vn_kv >= top.vn_kv]
    count = max(2, len(named), math.ceil(spec.peak_load_mw / spec.infeed_mw))
    stations, places = [], []
    for k in range(count):
        turn = 2 * np.pi * (k + 0.25) / count
        direction = np.array([np.cos(turn), np.sin(turn)])
        xy = top.xy[int(np.argmax(top.xy @ direction))] + spec.infeed_distance_km * direction
        if k < len(named):
            given = given_xy(named[k], plane)
            xy = xy if given is None else given
            station = _named_station(named[k], "", plane, xy, (top.vn_kv,), given is not None)
            station = replace(station, vn_kv=max(top.vn_kv, named[k].vn_kv), district_code="", in_region=False)
        else:
            lon, lat = plane.to_degree(xy)
            station = Station(
                f"S{top.vn_kv:g}-outside-{k + 1}",
                f"外部电网{k + 1}(等值)",
                f"Outside network {k + 1} (equivalent)",
                top.vn_kv,
                lon,
                lat,
                "",
                False,
                Origin.ASSUMED,
                "equivalent of the outside network; position assumed",
                (top.vn_kv,),
            )
        stations.append(station)
        places.append(xy)
    return Level(top.vn_kv, tuple(stations), np.array(places), np.zeros(count))


# --- lines ------------------------------------------------------------------------------------------------------


def _corridor(
    spec: ReferenceGridSpec, start: Station, end: Station, vn_kv: float, straight_km: float, mva: float, circuits: int
) -> Corridor:
    line_type, needed = choose_line(vn_kv, mva)
    length = round(max(straight_km * spec.detour_factor, SHORTEST_LINE_KM), 3)
    share = compensated_share(spec, vn_kv)
    return Corridor(start.station_id, end.station_id, vn_kv, length, line_type, max(circuits, needed), share)


def _mesh(spec: ReferenceGridSpec, top: Level, outside: Level) -> list[Corridor]:
    """The top level among itself, and every outside station to its two nearest."""
    corridors = []
    apart = distances(top.xy, top.xy)
    mva = 1.1 * float(top.load_mw.sum()) / max(len(top.stations), 2)
    if top.vn_kv > 110:
        for i, j, circuits in mesh_edges(top.xy):
            circuits = 2 if top.vn_kv >= 500 else circuits
            corridors.append(_corridor(spec, top.stations[i], top.stations[j], top.vn_kv, apart[i, j], mva, circuits))
    out = distances(outside.xy, top.xy)
    feeds = {k: [int(i) for i in np.lexsort((np.arange(len(top.xy)), out[k]))[:2]] for k in range(len(outside.xy))}
    if top.vn_kv == 110:
        feeds = {k: list(range(len(top.xy))) for k in feeds}
    for k, near in feeds.items():
        for i in near:
            circuits = 2 if top.vn_kv >= 500 or (len(near) == 1 and top.vn_kv > 110) else 1
            load = mva if top.vn_kv > 110 else 1.1 * float(top.load_mw[i])
            corridors.append(
                _corridor(spec, outside.stations[k], top.stations[i], top.vn_kv, float(out[k, i]), load, circuits)
            )
    return corridors


def _loops_220(spec: ReferenceGridSpec, high: Level, middle: Level) -> list[Corridor]:
    """Loops of 220 kV stations around the 500 kV station that feeds them, and ties between neighbours."""
    centre_of = _balanced_assignment(high, middle)
    corridors = []
    for h, centre in enumerate(high.stations):
        members = np.flatnonzero(centre_of == h)
        for loop in loops_around(high.xy[h], middle.xy[members], LARGEST_LOOP):
            path = [int(members[i]) for i in loop]
            mva = 1.1 * float(middle.load_mw[path].sum())
            corridors += _loop(spec, centre, high.xy[h], [middle.stations[i] for i in path], middle.xy[path], mva)
    if len(high.stations) > 1:
        for a, b, _ in mesh_edges(high.xy):
            left, right = np.flatnonzero(centre_of == a), np.flatnonzero(centre_of == b)
            if not (len(left) and len(right)):
                continue
            apart = distances(middle.xy[left], middle.xy[right])
            i, j = np.unravel_index(int(np.argmin(apart)), apart.shape)
            start, end = middle.stations[int(left[i])], middle.stations[int(right[j])]
            corridors.append(_corridor(spec, start, end, 220.0, float(apart[i, j]), 0.0, 1))
    return corridors


def _balanced_assignment(high: Level, middle: Level) -> Ints:
    """The nearest 500 kV station of each 220 kV station, and at least one for every 500 kV station."""
    apart = distances(middle.xy, high.xy)
    chosen: Ints = np.argmin(apart, axis=1).astype(np.int64)
    for h in range(len(high.stations)):
        if h in chosen:
            continue
        spare = [i for i in range(len(chosen)) if np.count_nonzero(chosen == chosen[i]) > 1]
        if spare:
            chosen[min(spare, key=lambda i: (apart[i, h], i))] = h
    return chosen


def _loop(
    spec: ReferenceGridSpec, centre: Station, centre_xy: Floats, members: list[Station], xy: Floats, mva: float
) -> list[Corridor]:
    stops = [centre, *members, centre]
    places = np.vstack([centre_xy, xy, centre_xy])
    steps = np.hypot(*np.diff(places, axis=0).T)
    if len(members) == 1:
        return [_corridor(spec, centre, members[0], 220.0, float(steps[0]), mva, 2)]
    last = len(stops) - 2
    return [
        _corridor(spec, stops[k], stops[k + 1], 220.0, float(steps[k]), mva if k in (0, last) else mva / 2, 1)
        for k in range(len(stops) - 1)
    ]


def _feeds_110(spec: ReferenceGridSpec, middle: Level, low: Level) -> list[Corridor]:
    """Each 110 kV station from its two nearest 220 kV stations, or twice from the nearest."""
    apart = distances(low.xy, middle.xy)
    corridors = []
    for i, station in enumerate(low.stations):
        near = [int(j) for j in np.lexsort((np.arange(len(middle.xy)), apart[i]))[:2]]
        mva = 1.1 * float(low.load_mw[i])
        two_sides = len(near) == 2 and apart[i, near[1]] <= max(SECOND_FEED_FACTOR * apart[i, near[0]], 25.0)
        for j in near if two_sides else near[:1]:
            circuits = 1 if two_sides else 2
            corridors.append(_corridor(spec, middle.stations[j], station, 110.0, float(apart[i, j]), mva, circuits))
    return corridors


def _merged(corridors: list[Corridor]) -> list[Corridor]:
    """One corridor for every pair of stations and level, with the circuits of all drawn there."""
    found: dict[tuple[str, str, float], Corridor] = {}
    for corridor in corridors:
        a, b = sorted((corridor.from_station, corridor.to_station))
        key = (a, b, corridor.vn_kv)
        known = found.get(key)
        found[key] = corridor if known is None else replace(known, circuits=known.circuits + corridor.circuits)
    return [found[key] for key in sorted(found, key=lambda k: (-k[2], k[0], k[1]))]


# --- transformers and plants ------------------------------------------------------------------------------------


def _banks(spec: ReferenceGridSpec, level: Level) -> list[Bank]:
    lv_kv = level.stations[0].levels_kv[1]
    ratio = middle_ratio(level.vn_kv, spec.growth_percent, spec.capacity_load_rule)
    preferred = {500.0: spec.units_500, 220.0: spec.units_220, 110.0: spec.units_110}[level.vn_kv]
    note = f"sized by capacity-load ratio {ratio:.2f} ({spec.capacity_load_rule}), then by N-1"
    banks = []
    for station, load in zip(level.stations, level.load_mw, strict=True):
        name, units = choose_units(float(load) / spec.power_factor, ratio, level.vn_kv, lv_kv, preferred)
        tap = FIRST_TAP.get(level.vn_kv, 0.0)
        banks.append(Bank(station.station_id, level.vn_kv, lv_kv, name, units, tap, note))
    return banks
