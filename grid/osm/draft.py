"""A network under construction: stations, corridors and banks by id, and who hangs together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely

from grid.osm.rules import Ledger, rule_number, rule_text
from grid.reference.design import Bank, Corridor, Station, bus_id
from grid.reference.geography import Floats, LocalPlane
from layers.contracts import Origin

SHORTEST_LINE_KM = 0.5


@dataclass(frozen=True)
class Districts:
    """Districts on the local plane [km], in the order of their codes."""

    plane: LocalPlane
    codes: tuple[str, ...]
    names_zh: tuple[str, ...]
    names_en: tuple[str, ...]
    population: tuple[float, ...]
    shapes: tuple[shapely.Polygon | shapely.MultiPolygon, ...]

    @classmethod
    def of(cls, districts: gpd.GeoDataFrame) -> Districts:
        west, south, east, north = districts.total_bounds
        plane = LocalPlane((west + east) / 2, (south + north) / 2)
        shapes = to_plane(plane, districts.geometry.to_numpy())
        return cls(
            plane,
            tuple(districts["district_code"].astype(str)),
            tuple(districts["name_zh"].astype(str)),
            tuple(districts["name_en"].astype(str)),
            tuple(float(p) for p in districts["population"]),
            tuple(shapely.make_valid(shapes)),
        )

    def code_at(self, xy: Floats) -> str:
        """Code of the district that holds a point, empty outside."""
        point = shapely.Point(xy)
        return next((code for code, shape in zip(self.codes, self.shapes, strict=True) if shape.covers(point)), "")

    def distance_km(self, xy: Floats) -> float:
        """Distance of a point from the nearest district, 0 inside."""
        return min(float(shape.distance(shapely.Point(xy))) for shape in self.shapes)


def _size_and_name(part: list[str]) -> tuple[int, str]:
    return -len(part), part[0]


def to_plane(plane: LocalPlane, shapes: np.ndarray) -> np.ndarray:
    """Geometries in degrees on the local plane [km]."""
    return np.asarray(shapely.transform(shapes, lambda c: plane.to_km(c[:, 0], c[:, 1])))


@dataclass
class Draft:
    """Everything drawn so far. ``joints`` are stations that are only a knot of lines."""

    districts: Districts
    ledger: Ledger
    stations: dict[str, Station] = field(default_factory=dict)
    corridors: dict[str, Corridor] = field(default_factory=dict)
    banks: dict[str, Bank] = field(default_factory=dict)
    joints: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    """UHV and converter stations: 500 kV only, fed from outside."""

    def place(
        self, station_id: str, zh: str, en: str, xy: Floats, levels: tuple[float, ...], origin: Origin, note: str
    ) -> Station:
        """Add a station at a point of the plane."""
        lon, lat = self.districts.plane.to_degree(xy)
        code = self.districts.code_at(xy)
        station = Station(station_id, zh, en, max(levels), lon, lat, code, bool(code), origin, note, levels)
        self.stations[station_id] = station
        return station

    def add_level(self, station_id: str, vn_kv: float) -> None:
        """Give a station a bus of that level, if it has none."""
        station = self.stations[station_id]
        levels = tuple(sorted({*station.levels_kv, vn_kv}, reverse=True))
        self.stations[station_id] = replace(station, levels_kv=levels, vn_kv=levels[0])

    def xy(self, station_id: str) -> Floats:
        station = self.stations[station_id]
        place = self.districts.plane.to_km(np.array([station.lon]), np.array([station.lat]))
        return np.asarray(place[0], dtype=np.float64)

    def join(self, a: str, b: str, vn_kv: float, circuits: int, line_type: str, note: str) -> None:
        """An assumed corridor with the detour factor, unless there is one; long ones of 220 kV have two circuits."""
        a, b = sorted((a, b))
        straight = float(np.hypot(*(self.xy(a) - self.xy(b))))
        length_km = round(max(SHORTEST_LINE_KM, straight * rule_number("osm.detour")), 3)
        if vn_kv == 220 and length_km > rule_number("osm.long_line"):
            circuits = max(2, circuits)
        corridor = Corridor(
            from_station=a, to_station=b, vn_kv=vn_kv, length_km=length_km, line_type=line_type,
            circuits=circuits, note=note, origin=Origin.ASSUMED,
        )  # fmt: skip
        if corridor.corridor_id not in self.corridors:
            self.corridors[corridor.corridor_id] = corridor
            self.ledger.count("osm.detour")
            self.ledger.count("osm.long_line", int(vn_kv == 220 and length_km > rule_number("osm.long_line")))

    def graph(self) -> nx.Graph:
        """Buses joined by corridors and banks."""
        graph = nx.Graph()
        graph.add_nodes_from(s.bus(v) for s in self.stations.values() for v in s.levels_kv)
        for c in self.corridors.values():
            graph.add_edge(bus_id(c.from_station, c.vn_kv), bus_id(c.to_station, c.vn_kv))
        for b in self.banks.values():
            graph.add_edge(bus_id(b.station_id, b.hv_kv), bus_id(b.station_id, b.lv_kv))
        return graph

    def main_part(self) -> set[str]:
        """Buses of the largest connected part; of equal ones that with the first bus by name."""
        parts: list[list[str]] = [sorted(part) for part in nx.connected_components(self.graph())]
        return set(sorted(parts, key=_size_and_name)[0]) if parts else set()

    def degree(self, station_id: str, vn_kv: float) -> int:
        """Corridors of a level at a station."""
        return sum(c.vn_kv == vn_kv and station_id in (c.from_station, c.to_station) for c in self.corridors.values())

    def join_nearest_two(self, station_id: str, vn_kv: float, note: str) -> None:
        """Corridors of one circuit to the two nearest stations of the level that are already connected.

        Two circuits to the only one there is. A corridor that exists counts.
        """
        main = self.main_part()
        others = [
            s for s in sorted(self.stations)
            if s != station_id and s not in self.joints and bus_id(s, vn_kv) in main
        ]  # fmt: skip
        here = self.xy(station_id)
        near = sorted(others, key=lambda s: (round(float(np.hypot(*(self.xy(s) - here))), 6), s))[:2]
        line_type = rule_text(f"osm.line_type_{vn_kv:g}")
        for other in near:
            self.join(station_id, other, vn_kv, 2 if len(near) == 1 else 1, line_type, note)

    def join_all(self, waiting: list[str], vn_kv: float, note: str) -> None:
        """Join stations one by one, always the one that is nearest to what is connected."""
        waiting = sorted(waiting)
        while waiting:
            part = self.main_part()
            main = {s for s in self.stations if bus_id(s, vn_kv) in part} - set(waiting) - self.joints
            if not main:
                main = {waiting[0]}
            places = np.array([self.xy(s) for s in sorted(main)])
            gap = {s: round(float(np.hypot(*(places - self.xy(s)).T).min()), 6) for s in waiting}
            first = min(waiting, key=lambda s: (gap[s], s))
            self.join_nearest_two(first, vn_kv, note)
            waiting.remove(first)

    def keep_main_part(self) -> None:
        """Drop what is not connected to the largest part, and count its buses."""
        main = self.main_part()
        lost = sum(s.bus(v) not in main for s in self.stations.values() for v in s.levels_kv)
        if not lost:
            return
        self.ledger.count("osm.component", lost)
        self.corridors = {k: c for k, c in self.corridors.items() if bus_id(c.from_station, c.vn_kv) in main}
        self.banks = {k: b for k, b in self.banks.items() if bus_id(b.station_id, b.hv_kv) in main}
        kept = {}
        for key, station in self.stations.items():
            levels = tuple(v for v in station.levels_kv if station.bus(v) in main)
            if levels:
                kept[key] = replace(station, levels_kv=levels, vn_kv=max(levels))
        self.stations = kept
