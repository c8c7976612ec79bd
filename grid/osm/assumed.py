"""What is not mapped: 220 kV stations up to the load, the 110 kV level and the loads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from grid.line_parameters import line_type_parameters
from grid.osm.draft import Draft
from grid.osm.rules import rule_number
from grid.reference.design import Bank, Load, reactive_mvar
from grid.reference.geography import Floats, apportion, balanced_groups
from grid.reference.sizing import bank_mva, choose_units
from grid.standards_tables import capacity_load_ratio
from layers.contracts import Origin

GROWTH_PERCENT = 5.0
LATTICE_POINTS = 300
FEEDER_TYPE = "110 kV 2x240/30"
FEEDER_MARGIN = 1.1
UNIT_110 = ("110/10 63 MVA", 63.0)
UPSTREAM_POWER_FACTOR = 0.95
OUTAGE_SHARE = 0.75 * 0.92


@dataclass(frozen=True)
class Supply:
    """A 220 kV station, the load behind it and the places (km) of its district that are nearest to it."""

    station_id: str
    load_mw: float
    area_xy: Floats


def middle_of_band(vn_kv: float) -> float:
    """Middle of the capacity-load ratio of a level at the assumed growth."""
    low, high = capacity_load_ratio(vn_kv, GROWTH_PERCENT)
    return (low + high) / 2


def lattice(shape: shapely.Polygon | shapely.MultiPolygon, points: int = LATTICE_POINTS) -> Floats:
    """About ``points`` places inside a shape on a square lattice, shape (n, 2); its inner point if it is tiny."""
    step = math.sqrt(shape.area / points)
    west, south, east, north = shape.bounds
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    inside = shapely.contains_xy(shape, x.ravel(), y.ravel())
    found = np.column_stack([x.ravel()[inside], y.ravel()[inside]])
    inner = shape.representative_point()
    return found if len(found) else np.array([[inner.x, inner.y]])


def draw_assumed(draft: Draft, peak_mw: float) -> list[Load]:
    """220 kV stations, their units, 110 kV stations and feeders, and the loads [MW at the region's peak]."""
    supplies = _supplies(draft, peak_mw)
    draft.keep_main_part()
    for supply in supplies:
        load_mva = supply.load_mw / UPSTREAM_POWER_FACTOR
        name, units = choose_units(load_mva, middle_of_band(220), 220.0, 110.0, 4)
        draft.add_level(supply.station_id, 110.0)
        bank = Bank(supply.station_id, 220.0, 110.0, name, units, note="capacity-load ratio", origin=Origin.ASSUMED)
        draft.banks[bank.bank_id] = bank
        draft.ledger.count("osm.bank_220", units)
    return [*_level_110(draft, supplies, peak_mw), *_capacitors(draft, supplies)]


def _capacitors(draft: Draft, supplies: list[Supply]) -> list[Load]:
    """Switched capacitors at the 110 kV buses: loads without active power, so that they follow the load."""
    share = rule_number("osm.capacitors") / 100
    draft.ledger.count("osm.capacitors", len(supplies))
    banks = [draft.banks[f"T220:{supply.station_id}"] for supply in supplies]
    return [Load(b.station_id, 0.0, -share * bank_mva(b), vn_kv=110.0, origin=Origin.ASSUMED) for b in banks]


# --- 220 kV -----------------------------------------------------------------------------------------------------


def _supplies(draft: Draft, peak_mw: float) -> list[Supply]:
    areas = draft.districts
    people = dict(zip(areas.codes, areas.population, strict=True))
    mapped: dict[str, list[str]] = {code: [] for code in areas.codes}
    for key in sorted(draft.stations):
        station = draft.stations[key]
        if station.levels_kv == (220.0,) and station.in_region and key not in draft.joints:
            mapped[station.district_code].append(key)
    wanted = math.ceil(peak_mw / UPSTREAM_POWER_FACTOR * middle_of_band(220) / rule_number("osm.station_220") - 1e-9)
    needed = {code: _least_stations(peak_mw * people[code] / sum(people.values())) for code in areas.codes}
    counts = apportion(people, wanted, {code: max(needed[code], len(mapped[code])) for code in areas.codes})
    supplies, waiting = [], []
    for k, code in enumerate(areas.codes):
        places = lattice(areas.shapes[k])
        added = _assumed_stations(draft, k, places, mapped[code], counts[code])
        waiting += added
        keys = [*mapped[code], *added]
        nearest = np.argmin(_apart(places, np.array([draft.xy(key) for key in keys])), axis=1)
        load = peak_mw * people[code] / sum(people.values()) / len(keys)
        for n, key in enumerate(keys):
            area = places[nearest == n]
            supplies.append(Supply(key, load, area if len(area) else draft.xy(key)[None, :]))
    main = draft.main_part()
    loose = [s for keys in mapped.values() for s in keys if draft.stations[s].bus(220.0) not in main]
    draft.join_all([*waiting, *loose], 220.0, "assumed: two nearest stations of the level")
    tied = [key for key, s in draft.stations.items()
            if s.levels_kv[:2] == (500.0, 220.0) and draft.degree(key, 220.0) == 0]  # fmt: skip
    for key in sorted(tied):
        draft.join_nearest_two(key, 220.0, "assumed: two nearest stations of the level")
    return supplies


def _least_stations(load_mw: float) -> int:
    """Stations that carry a load with one of four units out, with a margin for losses and reactive power."""
    return max(1, math.ceil(load_mw / UPSTREAM_POWER_FACTOR / (rule_number("osm.station_220") * OUTAGE_SHARE) - 1e-9))


def _apart(a: Floats, b: Floats) -> Floats:
    return np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])


def _assumed_stations(draft: Draft, k: int, places: Floats, mapped: list[str], count: int) -> list[str]:
    """Equal areas of the district; each mapped station takes the nearest, the others get an assumed station."""
    areas = draft.districts
    groups = min(count, len(places))
    label = balanced_groups(places, np.ones(len(places)), groups)
    middles = [_inner(places[label == g]) for g in range(groups)]
    for key in mapped:
        if middles:
            here = draft.xy(key)
            middles.pop(int(np.argmin([np.hypot(*(m - here)) for m in middles])))
    added = []
    for n, xy in enumerate(middles, start=1):
        key = f"S220:{areas.codes[k]}:{n}"
        draft.place(key, f"{areas.names_zh[k]}220千伏{n}号站", f"{areas.names_en[k]} 220 kV {n}", xy, (220.0,),
                    Origin.ASSUMED, "assumed: number by capacity-load ratio and population")  # fmt: skip
        added.append(key)
    draft.ledger.count("osm.station_220", len(added))
    return added


def _inner(places: Floats) -> Floats:
    """The place that is nearest to the middle."""
    return np.asarray(places[int(np.argmin(np.hypot(*(places - places.mean(axis=0)).T)))])


# --- 110 kV -----------------------------------------------------------------------------------------------------


def _level_110(draft: Draft, supplies: list[Supply], peak_mw: float) -> list[Load]:
    ledger, factor = draft.ledger, rule_number("osm.load")
    real = math.ceil(peak_mw / factor * middle_of_band(110) / rule_number("osm.station_110") - 1e-9)
    stands_for = math.ceil(real / rule_number("osm.drawn_110"))
    by_key = {s.station_id: s.load_mw for s in supplies}
    drawn = apportion(by_key, math.ceil(real / stands_for), dict.fromkeys(by_key, 1))
    loads: list[Load] = []
    for supply in supplies:
        places = _places_110(draft, supply, drawn[supply.station_id])
        for n, xy in enumerate(places, start=1):
            loads.append(_station_110(draft, supply, n, xy, supply.load_mw / len(places)))
    ledger.count("osm.station_110", len(loads), f"{len(loads)} / {real}")
    ledger.count("osm.drawn_110", len(loads) if stands_for > 1 else 0)
    ledger.count("osm.feeder_110", len(loads))
    ledger.count("osm.load", len(loads))
    return loads


def _places_110(draft: Draft, supply: Supply, count: int) -> list[Floats]:
    """Middles of equal parts of the supplied area, drawn in to the rule's distance from the 220 kV station."""
    home, reach = draft.xy(supply.station_id), rule_number("osm.feeder_110")
    area = supply.area_xy
    if len(area) < count:
        turn = 2 * np.pi * np.arange(count) / count
        area = home + np.column_stack([np.cos(turn), np.sin(turn)])
    label = balanced_groups(area, np.ones(len(area)), count)
    places = []
    for g in range(count):
        step = area[label == g].mean(axis=0) - home
        gap = float(np.hypot(*step))
        places.append(home + step * min(1.0, reach / gap) if gap > 0 else home)
    return places


def _station_110(draft: Draft, supply: Supply, n: int, xy: Floats, load_mw: float) -> Load:
    source = draft.stations[supply.station_id]
    key = f"S110:{supply.station_id}:{n}"
    draft.place(key, f"{source.name_zh}110千伏{n}号站", f"{source.name_en} - 110 kV {n}", xy, (110.0, 10.0),
                Origin.ASSUMED, "assumed: the load's 110 kV level")  # fmt: skip
    load_mva = load_mw / rule_number("osm.load")
    name, rating = UNIT_110
    units = max(2, math.ceil(load_mva * middle_of_band(110) / rating - 1e-9))
    bank = Bank(key, 110.0, 10.0, name, units, note="capacity-load ratio", origin=Origin.ASSUMED)
    draft.banks[bank.bank_id] = bank
    capacity = float(line_type_parameters()["s_max_mva"].loc[FEEDER_TYPE])
    circuits = max(2, math.ceil(FEEDER_MARGIN * load_mva / capacity) + 1)
    draft.join(supply.station_id, key, 110.0, circuits, FEEDER_TYPE, "assumed feeder")
    return Load(key, load_mw, reactive_mvar(load_mw, rule_number("osm.load")), origin=Origin.ASSUMED)
