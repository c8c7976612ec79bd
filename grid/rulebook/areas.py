"""A solved network as the rule book sees it: transformers, what they feed, what generates below them.

The neutral structure between the formats of networks and the tables of the rule book; no format is known here.

::

      high bus o---(unit 1, unit 2)---o low bus --line-- o bus of the same supply area --- load, plant
                      one group

Units between the same buses are one group. A bus is fed by the group whose low side it reaches over the fewest
kilometres of its own level: that gives the superior of each group and the supply area of each plant. In a meshed
level this is a reading (confidence C), and is told as an assumption.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from grid.rulebook.book import EditionName, graded_voltage_kv, levels, rules


@dataclass(frozen=True)
class Link:
    """A line, a closed tie or a unit between two buses of one level. ``length_km`` is at least 0."""

    from_bus: str
    to_bus: str
    length_km: float


@dataclass(frozen=True)
class Unit:
    """A transformer unit in operation; ``lv_buses`` has two members where it has three windings."""

    unit_id: str
    station: str
    hv_bus: str
    lv_buses: tuple[str, ...]
    sn_mva: float
    vk_percent: float
    """Short-circuit voltage on the unit's own rating; NaN: not known."""
    p_hv_mw: float
    """Active power into the unit at its high side, negative in reverse."""


@dataclass(frozen=True)
class Plant:
    """A generator; ``output_mw`` is 0 where it does not run, ``installed_mw`` counts all the same."""

    plant_id: str
    bus: str
    fuel: str
    installed_mw: float
    output_mw: float


@dataclass(frozen=True)
class SolvedNetwork:
    """One solved case. Buses have text ids; ``vn_kv`` holds every bus that the other records name."""

    name: str
    vn_kv: Mapping[str, float]
    links: tuple[Link, ...]
    units: tuple[Unit, ...]
    plants: tuple[Plant, ...]
    load_mw: Mapping[str, float]
    """Consumption by bus; buses without load may be left out."""

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Groups of units, step-up units of plants included, sorted by id."""
        return _groups(self)

    @cached_property
    def fed(self) -> dict[str, str]:
        """Bus -> id of the group that feeds it; buses that no low side reaches are left out."""
        return feeding_groups(self.links, self.groups)

    @cached_property
    def group_by_id(self) -> dict[str, Group]:
        return {group.equipment_id: group for group in self.groups}


@dataclass(frozen=True)
class Group:
    """Transformer units between the same buses. ``vn_kv`` is the level that the high side counts as."""

    equipment_id: str
    station: str
    vn_kv: float
    hv_bus: str
    lv_buses: tuple[str, ...]
    units: tuple[Unit, ...]


def same_level(network_vn_kv: Mapping[str, float], hv_bus: str, lv_bus: str) -> bool:
    """Whether both sides of a unit count as one level: it is then a link, not equipment that is graded."""
    return graded_voltage_kv(network_vn_kv[hv_bus]) == graded_voltage_kv(network_vn_kv[lv_bus])


def _groups(network: SolvedNetwork) -> tuple[Group, ...]:
    """Ids are ``station/high kV/low kV``, with ``#2`` where an id comes again."""
    rows: dict[tuple[str, str, tuple[str, ...]], list[Unit]] = defaultdict(list)
    for unit in network.units:
        rows[unit.station, unit.hv_bus, unit.lv_buses].append(unit)
    found, used = [], defaultdict[str, int](int)
    for (station, hv, low), units in sorted(rows.items(), key=lambda row: row[0]):
        name = "/".join([station, *(f"{network.vn_kv[bus]:g}" for bus in (hv, *low))])
        used[name] += 1
        unique = name if used[name] == 1 else f"{name}#{used[name]}"
        members = tuple(sorted(units, key=lambda unit: unit.unit_id))
        found.append(Group(unique, station, graded_voltage_kv(network.vn_kv[hv]), hv, low, members))
    return tuple(sorted(found, key=lambda group: group.equipment_id))


def feeding_groups(links: Sequence[Link], groups: Collection[Group]) -> dict[str, str]:
    """Bus -> equipment id of what feeds it: the shortest way [km] over the links to a low side.

    Of equally short ways the smaller equipment id wins; buses that no low side reaches are left out.
    """
    neighbours = _neighbours(links)
    queue = [(0.0, group.equipment_id, bus) for group in groups for bus in group.lv_buses]
    heapq.heapify(queue)
    fed: dict[str, str] = {}
    while queue:
        km, equipment, bus = heapq.heappop(queue)
        if bus not in fed:
            fed[bus] = equipment
            for other, more in neighbours[bus]:
                heapq.heappush(queue, (km + more, equipment, other))
    return fed


def _neighbours(links: Sequence[Link]) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for link in links:
        found[link.from_bus].append((link.to_bus, link.length_km))
        found[link.to_bus].append((link.from_bus, link.length_km))
    return found


def step_up_areas(network: SolvedNetwork) -> dict[str, frozenset[str]]:
    """Equipment id -> buses below it, of the groups that only carry plants to the network.

    Their low sides meet plants, no other high side, and no more load than the plants' own
    (``station_service_share`` of their installed capacity).
    """
    neighbours, service = _neighbours(network.links), rules("supply-areas")["station_service_share"].value
    installed: dict[str, float] = defaultdict(float)
    for plant in network.plants:
        installed[plant.bus] += plant.installed_mw if math.isfinite(plant.installed_mw) else abs(plant.output_mw)
    high = {group.hv_bus for group in network.groups}
    found = {}
    for group in network.groups:
        area = _reached(group.lv_buses, neighbours, stop=high) or set()
        load = sum(network.load_mw.get(bus, 0.0) for bus in area)
        own = [installed[bus] for bus in area if bus in installed]
        if own and load <= service * sum(own):
            found[group.equipment_id] = frozenset(area)
    return found


def connection_kv(network: SolvedNetwork) -> dict[str, float]:
    """Bus -> voltage [kV] at which a plant there meets the network: that above its own step-up units."""
    found = dict(network.vn_kv)
    for item, area in step_up_areas(network).items():
        high = network.vn_kv[network.group_by_id[item].hv_bus]
        found |= {bus: max(high, found[bus]) for bus in area}
    return found


def _reached(
    start: Sequence[str], neighbours: Mapping[str, list[tuple[str, float]]], stop: Collection[str]
) -> set[str] | None:
    """Buses reached over links from ``start``; None as soon as one of ``stop`` is met."""
    seen, open_ = set(start), list(start)
    while open_:
        bus = open_.pop()
        if bus in stop:
            return None
        for other, _ in neighbours.get(bus, ()):
            if other not in seen:
                seen.add(other)
                open_.append(other)
    return seen


def graded_groups(network: SolvedNetwork, edition: EditionName) -> tuple[Group, ...]:
    """The groups that the edition grades: of its levels, and no step-up units of plants."""
    places, step_up = levels(edition), step_up_areas(network)
    return tuple(g for g in network.groups if g.vn_kv in places and g.equipment_id not in step_up)


def feeders(network: SolvedNetwork, bus: str) -> Iterator[Group]:
    """The groups above a bus, nearest first: what feeds it, what feeds that one's high side, and so on."""
    here, seen = network.fed.get(bus, ""), set[str]()
    while here and here not in seen:
        seen.add(here)
        group = network.group_by_id[here]
        yield group
        here = network.fed.get(group.hv_bus, "")


def superiors(network: SolvedNetwork, edition: EditionName, kept: Sequence[Group]) -> dict[str, str]:
    """Equipment id -> id of the nearest graded equipment above it that is of a higher level; empty where none is."""
    places, ids = levels(edition), {group.equipment_id for group in kept}
    found = {}
    for group in kept:
        above = (g for g in feeders(network, group.hv_bus) if g.equipment_id in ids)
        found[group.equipment_id] = next(
            (g.equipment_id for g in above if places[g.vn_kv] < places[group.vn_kv]), ""
        )  # fmt: skip
    return found


def equipment_of_bus(network: SolvedNetwork, kept: Sequence[Group]) -> dict[str, str]:
    """Bus -> id of the nearest graded equipment that feeds it: what new generation at the bus pushes back through."""
    ids = {group.equipment_id for group in kept}
    found = {}
    for bus in network.vn_kv:
        nearest = next((g.equipment_id for g in feeders(network, bus) if g.equipment_id in ids), "")
        if nearest:
            found[bus] = nearest
    return found
