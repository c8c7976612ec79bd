"""Where a network's elements are: levels, units in parallel, the foot of a place on a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from grid.contracts import Network
from grid.measures.rows import row_of

STANDARD_LEVELS_KV = (10.0, 35.0, 110.0, 220.0, 500.0)
KM_PER_DEGREE = 111.195
ALIKE_LENGTH = 0.01
"""Share of its length by which a circuit may differ from one on the same route."""


def standard_level(vn_kv: float) -> float:
    """The standard level nearest to a voltage (121 kV is 110 kV)."""
    return min(STANDARD_LEVELS_KV, key=lambda level: abs(np.log(level / vn_kv)))


def parallel_units(network: Network, transformer_id: str) -> pd.Series:
    """Mask of the units between the same two buses as the named one."""
    row = row_of(network.transformers, "transformer_id", transformer_id)
    units = network.transformers
    same: pd.Series = (units["hv_bus"] == row["hv_bus"]) & (units["lv_bus"] == row["lv_bus"])
    return same


def circuits_alike(network: Network, line_id: str) -> list[str]:
    """Ids of the circuits between the same two buses with the same wires and, within 1 %, the same length, the named
    one among them, in table order: one more beside any of them is the same measure."""
    row, lines = row_of(network.lines, "line_id", line_id), network.lines
    ends = {row["from_bus"], row["to_bus"]}
    km = float(row["length_km"])
    same = (
        lines["from_bus"].isin(ends)
        & lines["to_bus"].isin(ends)
        & (lines["line_type"] == row["line_type"])
        & ((lines["length_km"] - km).abs() <= ALIKE_LENGTH * km)
    )
    alike: list[str] = lines.loc[same, "line_id"].astype(str).tolist()
    return alike


def unit_levels(network: Network, transformer_id: str) -> tuple[float, float]:
    """Standard levels of both sides of a unit [kV]."""
    row = row_of(network.transformers, "transformer_id", transformer_id)
    vn = network.buses.set_index("bus_id")["vn_kv"]
    return standard_level(float(vn[row["hv_bus"]])), standard_level(float(vn[row["lv_bus"]]))


def line_level(network: Network, line_id: str) -> float:
    """Standard level of a line [kV]."""
    bus = row_of(network.lines, "line_id", line_id)["from_bus"]
    return standard_level(float(network.buses.set_index("bus_id").loc[bus, "vn_kv"]))


def station_name(network: Network, station_id: str, language: str) -> str:
    rows = network.stations[network.stations["station_id"] == station_id]
    return str(rows[f"name_{language}"].iloc[0]) if len(rows) else station_id


def feeders(network: Network, bus_id: str) -> tuple[str, ...]:
    """The unit that feeds a bus from above, and the line with the largest impedance that ends there."""
    units = network.transformers[network.transformers["lv_bus"] == bus_id]["transformer_id"].tolist()
    at = network.lines[(network.lines["from_bus"] == bus_id) | (network.lines["to_bus"] == bus_id)]
    ohm = np.hypot(at["r_ohm_per_km"], at["x_ohm_per_km"]) * at["length_km"]
    line = [str(at.loc[ohm.idxmax(), "line_id"])] if len(at) else []
    return (*units[:1], *line)


def branch_ends(network: Network) -> dict[str, tuple[str, str]]:
    """Both buses of every line and transformer by its id."""
    lines, units = network.lines, network.transformers
    ids = (*lines["line_id"], *units["transformer_id"])
    near, far = (*lines["from_bus"], *units["hv_bus"]), (*lines["to_bus"], *units["lv_bus"])
    return {str(one): (str(f), str(t)) for one, f, t in zip(ids, near, far, strict=True)}


@dataclass(frozen=True)
class Foot:
    """Nearest point of a line: share of the line's length from its from bus, and distance to it [km]."""

    line_id: str
    share: float
    distance_km: float


def nearest_line(network: Network, vn_kv: float, lon: float, lat: float) -> Foot | None:
    """The line of a level whose route passes nearest to a place; None where the level has no line."""
    at = network.buses.merge(network.stations[["station_id", "lon", "lat"]], on="station_id").set_index("bus_id")
    same = network.lines[[standard_level(float(at.loc[b, "vn_kv"])) == vn_kv for b in network.lines["from_bus"]]]
    if same.empty:
        return None
    scale = np.array([KM_PER_DEGREE * np.cos(np.deg2rad(lat)), KM_PER_DEGREE])
    routes = shapely.transform(_routes(same, at), lambda xy: (xy - (lon, lat)) * scale)
    distance = shapely.distance(routes, shapely.Point(0.0, 0.0))
    best = int(np.argmin(distance))
    share = float(shapely.line_locate_point(routes[best], shapely.Point(0.0, 0.0), normalized=True))
    return Foot(str(same["line_id"].iloc[best]), share, float(distance[best]))


def _routes(lines: pd.DataFrame, at: pd.DataFrame) -> np.ndarray:
    found = []
    for path, f, t in zip(lines["path_wkt"], lines["from_bus"], lines["to_bus"], strict=True):
        ends = at.loc[[f, t], ["lon", "lat"]].to_numpy(float)
        found.append(shapely.from_wkt(path) if path else shapely.LineString(ends))
    return np.array(found, dtype=object)
