"""From a solved network to the tables of the rule book: who feeds whom, and what lies below each transformer.

Units between the same two buses are one row. A bus is fed by the transformers whose low side it reaches over the
fewest kilometres of its own level; that gives the superior of each row and the supply area of each plant. In a meshed
level this is a reading (confidence C), and is told as an assumption.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from grid.contracts import Assumption, Network
from grid.rulebook.assess import RuleTables
from grid.rulebook.book import EditionName, levels
from grid.rulebook.inputs import fault
from layers.contracts import FindingLog


@dataclass(frozen=True)
class AreaSettings:
    """What the network does not know, the same for all rows; refine single rows in the table."""

    power_factor: float = 0.95
    tau_max: float = 1.0
    source: str = "tau_max 1: all distributed generation at its rating at once (cautious); power factor 0.95"


@dataclass(frozen=True)
class NetworkTables:
    """Tables for :func:`grid.rulebook.assess.assess`, and what was assumed to get them."""

    tables: RuleTables
    assumptions: tuple[Assumption, ...]


@dataclass(frozen=True)
class Group:
    """Transformer units between the same two buses."""

    equipment_id: str
    station_id: str
    vn_kv: float
    hv_bus: str
    lv_bus: str
    units: tuple[str, ...]


def transformer_groups(network: Network) -> tuple[Group, ...]:
    """Units between the same two buses, sorted by id ``station/high kV/low kV`` (``#2`` where an id comes again)."""
    vn_kv = dict(zip(network.buses["bus_id"], network.buses["vn_kv"].astype(float), strict=True))
    found, used = [], defaultdict[str, int](int)
    for (station, hv, lv), rows in network.transformers.groupby(["station_id", "hv_bus", "lv_bus"]):
        name = f"{station}/{vn_kv[str(hv)]:g}/{vn_kv[str(lv)]:g}"
        used[name] += 1
        unique = name if used[name] == 1 else f"{name}#{used[name]}"
        found.append(
            Group(unique, str(station), vn_kv[str(hv)], str(hv), str(lv), tuple(sorted(rows["transformer_id"])))
        )
    return tuple(sorted(found, key=lambda group: group.equipment_id))


def feeding_groups(network: Network, groups: Collection[Group]) -> dict[str, str]:
    """Bus id -> equipment id of what feeds it: the shortest way [km] over the lines to a low side.

    Of equally short ways the smaller equipment id wins; buses that no low side reaches are left out.
    """
    neighbours: dict[str, list[tuple[str, float]]] = defaultdict(list)
    lines = network.lines
    for a, b, km in zip(lines["from_bus"], lines["to_bus"], lines["length_km"].astype(float), strict=True):
        neighbours[a].append((b, km))
        neighbours[b].append((a, km))
    queue = [(0.0, group.equipment_id, group.lv_bus) for group in groups]
    heapq.heapify(queue)
    fed: dict[str, str] = {}
    while queue:
        km, equipment, bus = heapq.heappop(queue)
        if bus not in fed:
            fed[bus] = equipment
            for other, more in neighbours[bus]:
                heapq.heappush(queue, (km + more, equipment, other))
    return fed


def tables_from_network(
    network: Network,
    edition: EditionName,
    flow_hv_mw: Mapping[str, float],
    generator_mw: Mapping[str, float],
    distributed: Collection[str],
    settings: AreaSettings | None = None,
    county_of_station: Mapping[str, str] | None = None,
) -> NetworkTables:
    """Equipment (and units) of the rule book from one solved case of a network.

    Parameters
    ----------
    flow_hv_mw : mapping
        Transformer id -> active power into the unit at its high side [MW], negative in reverse
        (``p_from_mw`` of :data:`grid.contracts.BRANCH_STATE`).
    generator_mw : mapping
        Generator id -> output in that case [MW].
    distributed : collection of str
        Ids of the generators that count as distributed.
    settings : AreaSettings, optional
    county_of_station : mapping, optional
        Station id -> county id, superior of the rows that no other row feeds (2025).

    Returns
    -------
    NetworkTables
        Rows of the levels that the edition knows. Load minus other generation of a row is what flows down through it
        plus the distributed output below it, so losses and what a mesh passes on are part of it.

    Raises
    ------
    InputError
        Every transformer without a known flow, distributed generator that is none, or that has no known output.
    """
    settings, places = settings or AreaSettings(), levels(edition)
    groups = transformer_groups(network)
    kept = tuple(group for group in groups if group.vn_kv in places)
    _check(network, kept, flow_hv_mw, generator_mw, distributed)
    fed = feeding_groups(network, groups)
    names = {group.equipment_id: group for group in kept}
    superior = {group.equipment_id: _superior(group, fed, names) for group in kept}
    below = _distributed_below(network, fed, superior, generator_mw, distributed)
    rows = []
    for group in kept:
        installed, output = below.get(group.equipment_id, (0.0, 0.0))
        net = sum(flow_hv_mw[unit] for unit in group.units) + output
        top = (county_of_station or {}).get(group.station_id, "")
        rows.append(
            {
                "equipment_id": group.equipment_id,
                "vn_kv": group.vn_kv,
                "superior_id": superior[group.equipment_id] or top,
                "load_mw": max(net, 0.0),
                "other_generation_mw": max(-net, 0.0),
                "dg_output_mw": output,
                "connected_mw": installed,
                "registered_mw": 0.0,
                "arrangement": "parallel" if len(group.units) > 1 else "single",
                "power_factor": settings.power_factor,
                "storage_charge_mw": 0.0,
                "tau_max": settings.tau_max,
            }
        )
    equipment, units = pd.DataFrame(rows), _units(network, kept)
    return NetworkTables(_of_edition(equipment, units, edition), _assumptions(settings, groups, kept))


_COLUMNS_2025 = (
    "equipment_id", "vn_kv", "superior_id", "arrangement", "load_mw", "other_generation_mw", "power_factor",
    "storage_charge_mw", "tau_max", "connected_mw", "registered_mw",
)  # fmt: skip
_COLUMNS_2019 = (
    "equipment_id", "vn_kv", "superior_id", "limit_mva", "dg_output_mw", "load_mw", "other_generation_mw",
)  # fmt: skip


def _of_edition(equipment: pd.DataFrame, units: pd.DataFrame, edition: EditionName) -> RuleTables:
    if edition == "dlt2041-2025":
        return RuleTables(equipment.reindex(columns=list(_COLUMNS_2025)), units)
    ratings = units.groupby("equipment_id")["sn_mva"].sum()
    with_limit = equipment.assign(limit_mva=equipment["equipment_id"].map(ratings)) if len(equipment) else equipment
    return RuleTables(with_limit.reindex(columns=list(_COLUMNS_2019)))


def _units(network: Network, kept: tuple[Group, ...]) -> pd.DataFrame:
    group_of = {unit: group.equipment_id for group in kept for unit in group.units}
    rows = network.transformers[network.transformers["transformer_id"].isin(group_of)]
    units = rows[["transformer_id", "sn_mva", "vk_percent"]].rename(columns={"transformer_id": "unit_id"})
    units.insert(1, "equipment_id", units["unit_id"].map(group_of))
    return units.sort_values("unit_id", ignore_index=True)


def _superior(group: Group, fed: Mapping[str, str], kept: Mapping[str, Group]) -> str:
    above = fed.get(group.hv_bus, "")
    return above if above in kept and kept[above].vn_kv > group.vn_kv else ""


def _distributed_below(
    network: Network,
    fed: Mapping[str, str],
    superior: Mapping[str, str],
    generator_mw: Mapping[str, float],
    distributed: Collection[str],
) -> dict[str, tuple[float, float]]:
    """Installed and running distributed generation [MW] below each row, that of its inferiors included."""
    below: dict[str, tuple[float, float]] = {}
    chosen = network.generators[network.generators["generator_id"].isin(list(distributed))]
    for item, bus, installed in zip(chosen["generator_id"], chosen["bus_id"], chosen["p_max_mw"], strict=True):
        for equipment in _chain(fed.get(bus, ""), superior):
            before = below.get(equipment, (0.0, 0.0))
            below[equipment] = (before[0] + float(installed), before[1] + float(generator_mw[item]))
    return below


def _chain(start: str, superior: Mapping[str, str]) -> Iterator[str]:
    here = start
    while here in superior:
        yield here
        here = superior[here]


def _check(
    network: Network,
    kept: tuple[Group, ...],
    flow_hv_mw: Mapping[str, float],
    generator_mw: Mapping[str, float],
    distributed: Collection[str],
) -> None:
    log, have = FindingLog(), set(network.generators["generator_id"])
    for unit in sorted(unit for group in kept for unit in group.units):
        if not math.isfinite(flow_hv_mw.get(unit, math.nan)):
            text = "no flow is known through the transformer."
            fault(log, "flow_missing", (network.name, "transformers"), unit, "", text, "Use a case that was solved.")
    for item in sorted(distributed):
        where = (network.name, "generators")
        if item not in have:
            fault(log, "unknown_id", where, item, item, "there is no such generator.", "Correct the id.")
        elif not math.isfinite(generator_mw.get(item, math.nan)):
            fault(log, "output_missing", where, item, "", "its output is not known.", "Give the output of the case.")
    log.raise_errors()


def _assumptions(settings: AreaSettings, groups: tuple[Group, ...], kept: tuple[Group, ...]) -> tuple[Assumption, ...]:
    left = sorted({group.vn_kv for group in groups} - {group.vn_kv for group in kept})
    shown = ", ".join(f"{v:g}" for v in left)
    found = [
        Assumption(
            "rulebook/areas",
            "supply areas",
            "供电范围：按本级线路最短里程归属上级主变",
            "supply areas: a bus belongs to the transformers it reaches over the fewest kilometres of its own level",
            "nearest",
            "reading for meshed levels",
            "C",
        ),
        Assumption(
            "rulebook/area_settings",
            "supply areas",
            f"功率因数 {settings.power_factor:g}，最大出力系数 {settings.tau_max:g}",
            f"power factor {settings.power_factor:g}, largest simultaneous output {settings.tau_max:g}",
            f"{settings.power_factor:g}, {settings.tau_max:g}",
            settings.source,
            "C",
        ),
    ]
    if left:
        zh, en = f"未评估的电压等级：{shown} kV", f"levels that the edition does not grade: {shown} kV"
        found.append(Assumption("rulebook/levels_left_out", "supply areas", zh, en, shown, "scope of the edition", "A"))
    return tuple(found)
