"""Bays for new lines that each station can still give at each level, by rule table or as the study says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from grid.connections.contracts import BAY_LIMITS
from grid.contracts import Network
from grid.measures.places import standard_level
from grid.standards_tables import standard_table


@dataclass(frozen=True)
class KnownBays:
    """What is known of one station: bays for new plants at a level. ``station`` is its id or Chinese name."""

    station: str
    vn_kv: float
    bays_free: int
    source: str = ""


def bay_limits(network: Network, known: Sequence[KnownBays] = (), table: pd.DataFrame | None = None) -> pd.DataFrame:
    """Free bays by station and level.

    ``bays_total - bays_reserved`` of the table's row (highest level of the station, level of the bus) less the
    circuits that end there where the row says so (``lines_count``), at least ``bays_least``. A pair of levels without
    a row has no bay. What ``known`` says stands before the table.

    Returns
    -------
    Table BAY_LIMITS, one row a station and level.
    """
    table = standard_table("station_bays") if table is None else table
    rules = {(row["station_kv"], row["vn_kv"]): row for row in table.to_dict("records")}
    stations = network.stations.set_index("station_id")
    taken = pd.concat([network.lines["from_bus"], network.lines["to_bus"]]).value_counts()
    given = {(bays.station, bays.vn_kv): bays for bays in known}
    records: dict[tuple[str, float], tuple[int, str, str]] = {}
    for bus, station, vn in network.buses[["bus_id", "station_id", "vn_kv"]].itertuples(index=False):
        level = standard_level(float(vn))
        own = given.get((station, level)) or given.get((str(stations.at[station, "name_zh"]), level))
        rule = rules.get((standard_level(float(stations.at[station, "vn_kv"])), level))  # type: ignore[arg-type]
        if own is not None:
            found = (own.bays_free, own.source or "study file", "B")
        elif rule is None:
            found = (0, "no row of station_bays", "C")
        else:
            lines = int(taken.get(bus, 0)) if rule["lines_count"] else 0
            free = max(int(rule["bays_least"]), int(rule["bays_total"]) - int(rule["bays_reserved"]) - lines)
            found = (free, str(rule["source"]), str(rule["confidence"]))
        before = records.get((station, level), (0, "", "A"))
        records[(station, level)] = found if own is not None or not before[1] else (before[0] + found[0], *found[1:])
    rows = [(station, level, *found) for (station, level), found in records.items()]
    return BAY_LIMITS.validate(pd.DataFrame(rows, columns=list(BAY_LIMITS.columns)))
