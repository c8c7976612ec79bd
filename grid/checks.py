"""Does a network fit together, and are its numbers those of a network? Pure, quick, before any load flow.

A load flow converges on many wrong networks: it drops islands without a word, and drives a circulating current of
twice the rating through parallel units of different vector groups. What would make a result wrong is an error here;
what is odd but possible is a warning. Limits are rows of ``standards/network_checks.csv``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import networkx as nx

from grid.check_branches import (
    check_lengths,
    check_lines,
    check_parallel_units,
    check_transformers,
    check_vector_groups,
)
from grid.check_look import BRANCHES, BUS_COLUMNS, IDS, Look, Row, coordinates, limits, near, nearest
from grid.contracts import Network
from layers.contracts import Finding


def check_network(network: Network) -> list[Finding]:
    """Everything that is wrong or odd about a network, all at once, sorted by table and row.

    Parameters
    ----------
    network : Network
        Its tables have the contracts' columns and types; ids and values may be anything.

    Returns
    -------
    list of Finding
        Rules ``network.*``. ``file`` is the table's file (``lines.csv``), ``layer`` the network's name, ``item`` the
        row's id. Severity ``error`` for what makes a result wrong, ``warning`` for oddities. Empty when all is well.

    Notes
    -----
    A finding that only follows from another one is left out where that can be told: for the islands, a branch or an
    infeed at an unknown bus counts as one at the bus of the nearest name, and an island that ends at a name like no
    other is not judged.
    """
    look = Look.at(network)
    for check in _CHECKS:
        check(look)
    rank = {
        (f"{table}.csv", row[column]): (i, k)
        for i, (table, column) in enumerate(IDS.items())
        for k, row in reversed(list(enumerate(look.rows[table])))
    }
    last = (len(IDS), 0)
    return sorted(dict.fromkeys(look.findings), key=lambda f: (rank.get((f.file, f.item), last), f.rule))


# ---------------------------------------------------------------- ids and references


def _check_ids(look: Look) -> None:
    for table, column in IDS.items():
        counts = Counter(row[column] for row in look.rows[table])
        for item in sorted(str(name) for name, count in counts.items() if count > 1):
            count = counts[item]
            look.error(
                table, item, "duplicate_id", count, f"{count} rows of the {table} have the same {column}.",
                "Give every row an id of its own; a second circuit or unit is a row with another id.",
            )  # fmt: skip


def _check_references(look: Look) -> None:
    for table in ("buses", "transformers"):
        for item, row in look.items(table):
            if row["station_id"] not in look.stations:
                look.error(
                    table, item, "unknown_station", row["station_id"], "The station does not exist.",
                    f"Add it to stations.csv or correct station_id.{near(row['station_id'], look.stations)}",
                )  # fmt: skip
    for table, columns in BUS_COLUMNS.items():
        for item, row in look.items(table):
            for column in columns:
                if row[column] not in look.buses:
                    look.error(
                        table, item, "unknown_bus", row[column], f"{column} names a bus that does not exist.",
                        f"Add it to buses.csv or correct {column}.{near(row[column], look.buses)}",
                    )  # fmt: skip
            if len(columns) == 2 and row[columns[0]] == row[columns[1]]:
                look.error(
                    table, item, "same_bus", row[columns[0]], "Both ends are at the same bus.",
                    f"Correct {columns[0]} or {columns[1]}.",
                )  # fmt: skip


def _check_places(look: Look) -> None:
    for item, row in look.items("stations"):
        lon, lat = float(row["lon"]), float(row["lat"])
        if abs(lat) > 90 or abs(lon) > 180:
            swapped = abs(lat) <= 180 and abs(lon) <= 90
            look.error(
                "stations", item, "coordinates", f"lon {lon:g}, lat {lat:g}",
                "There is no such place" + ("; lon and lat look swapped." if swapped else "."),
                "Give lon and lat in degrees, WGS-84.",
            )  # fmt: skip
    for item, _, (bus,) in look.sound("loads"):
        station = look.stations.get(bus["station_id"])
        if station is not None and coordinates(station) is None:
            look.warning(
                "loads", item, "load_without_place", bus["station_id"], "The load's station has no coordinates.",
                "Give the station lon and lat; without them it is on no map and no distance is known.",
            )  # fmt: skip


def _check_buses(look: Look) -> None:
    for item, row in look.items("buses"):
        if not row["vm_min_pu"] < row["vm_max_pu"]:
            look.error(
                "buses", item, "voltage_band", f"{row['vm_min_pu']:g} to {row['vm_max_pu']:g}",
                "The lower voltage limit is not below the upper one.", "Correct vm_min_pu and vm_max_pu.",
            )  # fmt: skip


# ---------------------------------------------------------------- islands


def _branch_graph(look: Look) -> nx.MultiGraph:
    """Buses joined by branches; a name like no bus is a node of its own."""
    graph = nx.MultiGraph()
    graph.add_nodes_from(look.buses)
    for table in BRANCHES:
        first, second = BUS_COLUMNS[table]
        graph.add_edges_from((_meant(look, row[first]), _meant(look, row[second])) for _, row in look.items(table))
    return graph


def _meant(look: Look, bus: str) -> str:
    """The bus itself, or the one of the nearest name, or the unknown name."""
    return bus if bus in look.buses else nearest(bus, look.buses) or bus


def _check_islands(look: Look) -> None:
    graph = _branch_graph(look)
    fed = {_meant(look, row["bus_id"]) for row in look.rows["infeeds"]}
    if not fed:
        look.error(
            "infeeds", "infeeds", "no_infeed", 0, "The network has no infeed, so no bus is the reference.",
            "Add a row to infeeds.csv at the bus where the outside network is joined.",
        )  # fmt: skip
    with_infeed: list[list[str]] = []
    for island in (sorted(part) for part in nx.connected_components(graph)):
        if any(bus not in look.buses for bus in island):
            continue  # a branch to an unknown bus is named already; where the island ends is not known
        if len(island) == 1 and (island[0] not in fed or len(look.buses) > 1):
            _isolated(look, island[0])
        elif fed & set(island):
            with_infeed.append(island)
        elif fed and fed <= look.buses.keys():
            look.error(
                "buses", island[0], "island_without_infeed", _some(island),
                f"{len(island)} buses are joined to each other but to no infeed{_stranded(look, set(island))}.",
                "Join them to the network, or give the island an infeed and study it by itself.",
            )  # fmt: skip
    for island in sorted(with_infeed, key=lambda part: (-len(part), part))[1:]:
        look.error(
            "buses", island[0], "several_islands", _some(island),
            f"The network falls into {len(with_infeed)} islands with infeeds; this one has {len(island)} buses. "
            "Only one bus can be the reference.",
            "Join the islands, or study each as a network of its own.",
        )  # fmt: skip


def _isolated(look: Look, bus: str) -> None:
    look.error(
        "buses", bus, "isolated_bus", bus, f"No line and no transformer ends at the bus{_stranded(look, {bus})}.",
        "Add the branch that joins it, or delete the bus.",
    )  # fmt: skip


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _stranded(look: Look, buses: set[str]) -> str:
    load = sum(row["p_mw"] for row in look.rows["loads"] if row["bus_id"] in buses)
    plant = sum(row["p_max_mw"] for row in look.rows["generators"] if row["bus_id"] in buses)
    parts = [f"{mw:g} MW of {what}" for mw, what in ((load, "load"), (plant, "plants")) if mw]
    return f"; {' and '.join(parts)} would silently be lost" if parts else ""


# ---------------------------------------------------------------- loads, plants, infeeds


def _check_generators(look: Look) -> None:
    for item, row in look.items("generators"):
        if row["q_min_mvar"] > row["q_max_mvar"]:
            look.error(
                "generators", item, "q_limits", f"{row['q_min_mvar']:g} to {row['q_max_mvar']:g}",
                "The lower reactive limit is above the upper one.", "Swap or correct q_min_mvar and q_max_mvar.",
            )  # fmt: skip
        if not row["p_max_mw"] > 0:
            look.add(
                "warning" if row["p_max_mw"] == 0 else "error", "generators", item, "no_capacity",
                float(row["p_max_mw"]),
                "The plant has no capacity.", "Give p_max_mw, or delete the plant.",
            )  # fmt: skip
        if row["control"] == "voltage":
            _check_set_point(look, "generators", item, row)


def _check_infeeds(look: Look) -> None:
    for item, row in look.items("infeeds"):
        _check_set_point(look, "infeeds", item, row)
    weights = [row["slack_weight"] for row in look.rows["infeeds"]]
    if weights and not (min(weights) >= 0 and sum(weights) > 0):
        look.error(
            "infeeds", look.rows["infeeds"][0]["infeed_id"], "slack_weight", ", ".join(f"{w:g}" for w in weights),
            "The weights do not share out the slack power.", "Give weights of 0 or more, one of them above 0.",
        )  # fmt: skip
    held: dict[str, tuple[str, float]] = {}
    for table in ("infeeds", "generators"):
        for item, row in look.items(table):
            if table == "generators" and row["control"] != "voltage":
                continue
            first, vm_pu = held.setdefault(row["bus_id"], (item, row["vm_pu"]))
            if vm_pu != row["vm_pu"]:
                look.error(
                    table, item, "set_points", float(row["vm_pu"]),
                    f"{first} holds the same bus {row['bus_id']} at {vm_pu:g} pu.", "Give one bus one set point.",
                )  # fmt: skip


def _check_set_point(look: Look, table: str, item: str, row: Row) -> None:
    low, high = limits()["voltage_min_pu"], limits()["voltage_max_pu"]
    if not low <= row["vm_pu"] <= high:
        look.error(
            table, item, f"{table[:-1]}_voltage", float(row["vm_pu"]),
            f"The set point is outside {low:g} to {high:g} pu.", "Give vm_pu in per unit of the bus voltage.",
        )  # fmt: skip


def _check_load_share(look: Look) -> None:
    """Load of each area (buses joined by lines) against the rating of the units that feed it from above.

    What an area draws from above counts in the area above too, up to the rating of the units between, so that one
    wrong load is named once.
    """
    area_of = _areas(look)
    feeds: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for item, row, (high, low) in look.sound("transformers"):
        if high["vn_kv"] > low["vn_kv"] and area_of[row["hv_bus"]] != area_of[row["lv_bus"]] and row["sn_mva"] > 0:
            feeds[area_of[row["lv_bus"]]].append((item, row))
    fed = {area_of[row["bus_id"]] for _, row, _ in look.sound("infeeds")}
    load: dict[str, complex] = defaultdict(complex)
    own: dict[str, list[tuple[float, str]]] = defaultdict(list)
    plant_mw: dict[str, float] = defaultdict(float)
    for item, row, _ in look.sound("loads"):
        power = complex(row["p_mw"], row["q_mvar"])
        load[area_of[row["bus_id"]]] += power
        own[area_of[row["bus_id"]]].append((-abs(power), item))
    for _, row, _ in look.sound("generators"):
        plant_mw[area_of[row["bus_id"]]] += max(row["p_max_mw"], 0.0)
    for area in sorted(feeds, key=lambda bus: (look.buses[bus]["vn_kv"], bus)):
        units = feeds[area]
        rating = sum(row["sn_mva"] for _, row in units)
        drawn = max(abs(load[area]) - plant_mw[area], 0.0)
        if area not in fed and drawn > limits()["load_share_warning"] * rating:
            table, item = ("loads", min(own[area])[1]) if own[area] else ("transformers", units[0][0])
            look.add(
                "error" if drawn > limits()["load_share_error"] * rating else "warning",
                table, item, "load_beyond_transformers", f"{drawn:.4g} MVA",
                f"The load that is fed through {_some([name for name, _ in units])} is {drawn / rating:.2g} times "
                f"their {rating:g} MVA.",
                "Correct the loads of the area (MW, not kW) or the units' ratings, or add a unit.",
            )  # fmt: skip
        passed = min(drawn, rating) if area not in fed else 0.0
        direction = load[area] / abs(load[area]) if load[area] else 0.0
        for _, row in units:
            load[area_of[row["hv_bus"]]] += passed * direction * row["sn_mva"] / rating


def _areas(look: Look) -> dict[str, str]:
    """For each bus the first bus of its area."""
    graph = nx.Graph()
    graph.add_nodes_from(look.buses)
    graph.add_edges_from((row["from_bus"], row["to_bus"]) for _, row, _ in look.sound("lines"))
    return {bus: min(part) for part in nx.connected_components(graph) for bus in part}


_CHECKS: tuple[Callable[[Look], None], ...] = (
    _check_ids,
    _check_references,
    _check_places,
    _check_buses,
    _check_islands,
    check_lines,
    check_lengths,
    check_transformers,
    check_parallel_units,
    check_vector_groups,
    _check_generators,
    _check_infeeds,
    _check_load_share,
)
