"""A new station: buses, units, the lines of the network that are looped in, and the load it takes over.

::

        A =========== B            A ====\\  /==== B        the line A-B is cut at the foot of the station:
               .                          ||               both halves go on to the new bus and back
               . distance                 N
               N                          |
                                          n  (low side, takes a share of the nearest station's load)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import Network
from grid.measures.contracts import Measure
from grid.measures.places import KM_PER_DEGREE, line_level, nearest_line
from grid.measures.rows import appended, row_of
from grid.standards_tables import transformer_types, voltage_band
from layers.contracts import Origin

LEAST_PART_KM = 0.1
"""A line that is cut at its very end keeps so much on the short side."""


def build_station(network: Network, measure: Measure) -> Network:
    """A new network with the station of a measure, its units, its loops and its load.

    Raises
    ------
    KeyError
        If the unit's type or a line to be looped in does not exist.
    ValueError
        If a station of that id exists already.
    """
    if measure.element in set(network.stations["station_id"]):
        raise ValueError(f"station {measure.element!r} exists already")
    types = transformer_types()
    if measure.type_name not in types.index:
        raise KeyError(f"no transformer type {measure.type_name!r}")
    unit = types[types.index == measure.type_name].iloc[0]
    levels = [measure.vn_kv, *([float(unit["lv_kv"])] if _has_level(network, float(unit["lv_kv"])) else [])]
    station = {
        "station_id": measure.element,
        "name_zh": measure.name_zh,
        "name_en": measure.name_en,
        "vn_kv": measure.vn_kv,
        "lon": measure.lon,
        "lat": measure.lat,
        "district_code": "",
        "in_region": True,
        "origin": Origin.ASSUMED.value,
        "note": "planned",
    }
    built = replace(
        network,
        stations=appended(network.stations, [station]),
        buses=appended(network.buses, [_bus(network, measure.element, level) for level in levels]),
        transformers=appended(network.transformers, _units(measure, unit) if len(levels) > 1 else []),
    )
    for line_id in measure.joins.split():
        built = loop_in(built, line_id, measure)
    return _with_load(built, f"{measure.element}/{levels[-1]:g}", levels[-1], measure)


def loop_in(network: Network, line_id: str, measure: Measure) -> Network:
    """The line cut at the foot of the station; both parts reach the station's bus of the line's level.

    Of a line that other stations have cut already, the nearest part is looped in.
    """
    line_id = _nearest_part(network, line_id, measure)
    line = row_of(network.lines, "line_id", line_id)
    level = line_level(network, line_id)
    one = replace(network, lines=network.lines[network.lines["line_id"] == line_id])
    foot = nearest_line(one, level, measure.lon, measure.lat)
    assert foot is not None
    km, bus = float(line["length_km"]), f"{measure.element}/{level:g}"
    parts = [
        {**line, "line_id": f"{line_id}>{measure.element}", "to_bus": bus, "length_km": foot.share * km},
        {**line, "line_id": f"{measure.element}>{line_id}", "from_bus": bus, "length_km": (1 - foot.share) * km},
    ]
    for part in parts:
        part["length_km"] = max(LEAST_PART_KM, float(part["length_km"]) + foot.distance_km)
        part |= {"path_wkt": "", "note": "planned", "corridor_id": part["line_id"]}
    rest = network.lines[network.lines["line_id"] != line_id]
    return replace(network, lines=appended(rest, parts))


def _nearest_part(network: Network, line_id: str, measure: Measure) -> str:
    """The line itself, or the nearest of its parts (``line>station``, ``station>line``) where it is cut."""
    ids = network.lines["line_id"]
    parts = ids[[line_id in one.split(">") for one in ids]]
    if (ids == line_id).any() or parts.empty:
        return line_id
    of_line = replace(network, lines=network.lines[ids.isin(parts)])
    foot = nearest_line(of_line, line_level(network, str(parts.iloc[0])), measure.lon, measure.lat)
    assert foot is not None
    return foot.line_id


def _has_level(network: Network, vn_kv: float) -> bool:
    return bool((np.abs(np.log(network.buses["vn_kv"] / vn_kv)) < 0.15).any())


def _bus(network: Network, station_id: str, vn_kv: float) -> dict[str, Any]:
    like = network.buses[network.buses["vn_kv"] == vn_kv]
    low, high = voltage_band(vn_kv) if like.empty else (like["vm_min_pu"].median(), like["vm_max_pu"].median())
    return {
        "bus_id": f"{station_id}/{vn_kv:g}",
        "station_id": station_id,
        "vn_kv": vn_kv,
        "vm_min_pu": float(low),
        "vm_max_pu": float(high),
    }


def _units(measure: Measure, unit: pd.Series) -> list[dict[str, Any]]:
    shared = {
        "station_id": measure.element,
        "hv_bus": f"{measure.element}/{measure.vn_kv:g}",
        "lv_bus": f"{measure.element}/{float(unit['lv_kv']):g}",
        "transformer_type": measure.type_name,
        "tap_pos": float(unit["tap_neutral"]),
        "origin": Origin.ASSUMED.value,
        "note": "planned",
    }
    numbers = (
        "sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree",
        "tap_neutral", "tap_min", "tap_max", "tap_step_percent",
    )  # fmt: skip
    values = {name: float(unit[name]) for name in numbers} | {"tap_side": str(unit["tap_side"])}
    return [{"transformer_id": f"{measure.element}#{k + 1}", **shared, **values} for k in range(measure.count)]


def _with_load(network: Network, bus_id: str, vn_kv: float, measure: Measure) -> Network:
    """A share of the loads of the nearest other bus of the level moves to the new bus."""
    share = measure.load_share
    at = network.buses[network.buses["vn_kv"] == vn_kv].merge(network.stations, on="station_id")
    at = at[at["bus_id"].isin(network.loads["bus_id"]) & (at["bus_id"] != bus_id)]
    if share <= 0 or at.empty:
        return network
    east = (at["lon"] - measure.lon) * np.cos(np.deg2rad(measure.lat))
    nearest = at["bus_id"].iloc[int(np.argmin(KM_PER_DEGREE * np.hypot(east, at["lat"] - measure.lat)))]
    loads = network.loads.copy()
    there = loads["bus_id"] == nearest
    taken = loads[there].assign(bus_id=bus_id)
    taken["load_id"] = [f"{load}>{measure.element}" for load in taken["load_id"]]
    taken[["p_mw", "q_mvar"]] *= share
    loads.loc[there, ["p_mw", "q_mvar"]] *= 1 - share
    return replace(network, loads=pd.concat([loads, taken], ignore_index=True))
