"""Rules of connecting: levels by capacity, reach and line by level, unit costs. All figures are rows of tables.

*Voltage.* ``standards/connection_voltage.csv`` lists capacity ranges per kind and level. A level that the network does
not model (35 kV, or 10 kV in a network without it) is taken by the next level up that it does. Roofs are many small
connections to feeders that exist: whatever their sum, they load the lowest modelled level of at least 10 kV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from grid.admittance import Floats
from grid.line_parameters import line_type_parameters
from grid.standards_tables import standard_table

EARTH_RADIUS_KM = 6371.0088
LOWEST_LEVEL_KV = 10.0
EXISTING_FEEDER = "existing feeder"


@dataclass(frozen=True)
class Reach:
    """How far a level's tie lines go; ``circuit_mva`` is NaN where the line types give the rating."""

    max_length_km: float
    circuit_mva: float
    detour_factor: float


@dataclass(frozen=True)
class TieLine:
    """Tie line of one level and capacity: type, circuits and cost per km of all circuits."""

    line_type: str
    circuits: int
    cost_cny_per_km: float


@dataclass(frozen=True)
class Rules:
    """Rule tables of a study of connections; the standard ones by default."""

    voltage: pd.DataFrame = field(default_factory=lambda: standard_table("connection_voltage"))
    costs: pd.DataFrame = field(default_factory=lambda: standard_table("unit_costs"))
    reach: dict[float, Reach] = field(default_factory=lambda: read_reach(standard_table("connection_reach")))
    collector: dict[str, float] = field(default_factory=lambda: _figures("collector_rules"))

    _types: dict[float, list[LineType]] = field(default_factory=dict)
    _units: dict[tuple[str, float, str | None], float] = field(default_factory=dict)

    def line(self, vn_kv: float, capacity_mw: float) -> TieLine:
        """Cheapest tie line of a level that carries the capacity."""
        if vn_kv not in self._types:
            self._types[vn_kv] = line_types(vn_kv, self.costs, self.reach)
        return tie_line(self._types[vn_kv], capacity_mw)

    def bay_cny(self, vn_kv: float) -> float:
        return self._unit_cny("bay", vn_kv)

    def step_up_cny(self, vn_kv: float, s_mva: float) -> float:
        """Step-up station of a plant at a level; 0 below 35 kV, where the units' own transformers do it."""
        fixed = self._unit_cny("step_up", vn_kv, "fixed")
        return fixed + s_mva * self._unit_cny("step_up", vn_kv, "transformer")

    def transformer_cny_per_mw(self, vn_kv: float) -> float:
        return self._unit_cny("add_transformer", level_above(vn_kv))

    def _unit_cny(self, kind: str, vn_kv: float, item: str | None = None) -> float:
        key = (kind, vn_kv, item)
        if key not in self._units:
            self._units[key] = unit_cost_cny(self.costs, *key)
        return self._units[key]


def _figures(name: str) -> dict[str, float]:
    table = standard_table(name)
    return {str(rule): float(value) for rule, value in zip(table["rule"], table["value"], strict=True)}


def read_reach(table: pd.DataFrame) -> dict[float, Reach]:
    """Reach by level from a table with the columns of ``connection_reach.csv``."""
    columns = ("vn_kv", "max_length_km", "circuit_mva", "detour_factor")
    values = table[list(columns)].to_numpy(float).tolist()
    return {vn: Reach(length, mva, detour) for vn, length, mva, detour in values}


def feasible_levels(kind: str, capacity_mw: float, modelled_kv: Sequence[float], rules: pd.DataFrame) -> list[float]:
    """Modelled levels at which a plant of this kind and size may connect, lowest first."""
    levels = sorted({float(v) for v in modelled_kv if v >= LOWEST_LEVEL_KV})
    if not levels:
        return []
    if kind == "roof":
        return levels[:1]
    fits = (rules["kind"] == kind) & (rules["min_mw"] < capacity_mw) & (capacity_mw <= rules["max_mw"])
    found = {next((v for v in levels if v >= wanted), None) for wanted in rules.loc[fits, "vn_kv"].to_numpy(float)}
    return sorted(v for v in found if v is not None)


@dataclass(frozen=True)
class LineType:
    """A line that a level offers: rating of a circuit and its cost per km."""

    name: str
    circuit_mva: float
    cost_cny_per_km: float


def line_types(vn_kv: float, costs: pd.DataFrame, reach: dict[float, Reach]) -> list[LineType]:
    """Lines of a level that have a cost.

    Ratings are the summer ratings of the line types; a level without line types takes the circuit rating of the
    reach table.

    Raises
    ------
    KeyError
        If the level has no line cost.
    """
    rows = costs[(costs["kind"] == "line") & (costs["vn_kv"] == vn_kv)]
    if rows.empty:
        raise KeyError(f"no line cost for {vn_kv:g} kV")
    ratings = line_type_parameters()["s_max_mva"].to_dict()
    return [
        LineType(str(item), float(ratings.get(item, reach[vn_kv].circuit_mva)), float(cost_cny))
        for item, cost_cny in zip(rows["item"], rows["cost_cny"], strict=True)
    ]


def tie_line(types: Sequence[LineType], capacity_mw: float) -> TieLine:
    """Cheapest line (type and number of circuits) that carries the capacity."""
    options = []
    for line in types:
        circuits = int(np.ceil(capacity_mw / line.circuit_mva - 1e-9))
        options.append((circuits * line.cost_cny_per_km, circuits, line.name))
    cost, circuits, name = min(options)
    return TieLine(name, circuits, cost)


def unit_cost_cny(costs: pd.DataFrame, kind: str, vn_kv: float, item: str | None = None) -> float:
    """Unit cost of a kind at a level, the first row of equals; 0 where none is listed."""
    rows = costs[(costs["kind"] == kind) & (costs["vn_kv"] == vn_kv)]
    rows = rows if item is None else rows[rows["item"] == item]
    return float(rows["cost_cny"].iloc[0]) if len(rows) else 0.0


def level_above(vn_kv: float) -> float:
    """Level of the units that feed a bus of this level."""
    return {10.0: 110.0, 35.0: 110.0, 110.0: 220.0}.get(vn_kv, 500.0)


def great_circle_km(lon: float, lat: float, lons: Floats, lats: Floats) -> Floats:
    """Haversine distance on the mean sphere (within 0.5 % of the ellipsoid) [km]."""
    a, b = np.deg2rad(lat), np.deg2rad(lats)
    h = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.deg2rad(lons - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h)), dtype=np.float64)
