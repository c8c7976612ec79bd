"""Plants of a reference network: a bus of their own, tied to the nearest station that has their voltage."""

from __future__ import annotations

import numpy as np

from grid.reference.design import Corridor, Plant, Station
from grid.reference.geography import Floats, LocalPlane, weighted_middle
from grid.reference.places import SHORTEST_LINE_KM, Level, compensated_share, given_xy, slug
from grid.reference.sizing import choose_line
from grid.reference.spec import NamedPlant, ReferenceGridSpec
from layers.contracts import Origin

SYNCHRONOUS_FUELS = ("coal", "gas", "hydro", "pumped", "nuclear")
_PLANT_REACTIVE_SHARE = 0.33


def draw_plants(
    spec: ReferenceGridSpec, plane: LocalPlane, levels: list[Level]
) -> tuple[list[Station], list[Plant], list[Corridor]]:
    """Every plant at a bus of its own, tied to the nearest station that has its voltage."""
    stations, plants, lines = [], [], []
    for k, named in enumerate(spec.plants, start=1):
        buses = [v for v in (500.0, 220.0, 110.0) if any(v in level.stations[0].levels_kv for level in levels)]
        vn_kv = max((v for v in buses if v <= named.vn_kv), default=min(buses))
        hosts = [
            (s, xy)
            for level in levels
            for s, xy in zip(level.stations, level.xy, strict=True)
            if vn_kv in s.levels_kv and (vn_kv > 110 or level.vn_kv == min(220.0, levels[0].vn_kv))
        ]
        given = given_xy(named, plane)
        xy = _plant_place(named, levels, k) if given is None else given
        host, host_xy = min(hosts, key=lambda h: (float(np.hypot(*(h[1] - xy))), h[0].station_id))
        station = _plant_station(named, plane, xy, vn_kv, given is not None)
        secure = named.fuel in SYNCHRONOUS_FUELS or named.p_max_mw >= 200
        line_type, needed = choose_line(vn_kv, 1.1 * named.p_max_mw)
        length = round(max(float(np.hypot(*(host_xy - xy))) * spec.detour_factor, SHORTEST_LINE_KM), 3)
        circuits = needed + 1 if secure else needed
        share = compensated_share(spec, vn_kv)
        lines.append(Corridor(host.station_id, station.station_id, vn_kv, length, line_type, circuits, share))
        stations.append(station)
        plants.append(_plant(spec, named, station, vn_kv))
    return stations, plants, lines


def _plant_place(named: NamedPlant, levels: list[Level], k: int) -> Floats:
    """Beside the district's load, in a direction that differs from plant to plant."""
    low = levels[-1]
    inside = np.array([s.district_code == named.district_code for s in low.stations])
    inside = inside if inside.any() else np.ones(len(low.stations), dtype=bool)
    middle = weighted_middle(low.xy[inside], low.load_mw[inside])
    turn = 2.4 * k
    return middle + 12.0 * np.array([np.cos(turn), np.sin(turn)])


def _plant_station(named: NamedPlant, plane: LocalPlane, xy: Floats, vn_kv: float, placed: bool) -> Station:
    lon, lat = plane.to_degree(xy)
    note = "position as given" if placed else "position assumed in its district"
    return Station(
        f"P-{slug(named.name_en)}",
        named.name_zh,
        named.name_en,
        vn_kv,
        lon,
        lat,
        named.district_code,
        True,
        Origin.MAPPED if placed else Origin.ASSUMED,
        f"{note}. {named.source}".strip(),
        (vn_kv,),
    )


def _plant(spec: ReferenceGridSpec, named: NamedPlant, station: Station, vn_kv: float) -> Plant:
    synchronous = named.fuel in SYNCHRONOUS_FUELS
    return Plant(
        f"G-{slug(named.name_en)}",
        station.station_id,
        vn_kv,
        named.name_zh,
        named.name_en,
        named.fuel,
        named.p_max_mw,
        "voltage" if synchronous else "power",
        spec.infeed_vm_pu if vn_kv >= 500 else 1.03,
        _PLANT_REACTIVE_SHARE if synchronous else 0.0,
        named.origin,
        named.source,
    )
