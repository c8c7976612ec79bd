"""The rule book's tables from a solved network in neutral form: one row a group of transformers that is graded."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from grid.contracts import Assumption
from grid.rulebook.areas import (
    Group,
    SolvedNetwork,
    equipment_of_bus,
    feeders,
    graded_groups,
    step_up_areas,
    superiors,
)
from grid.rulebook.assess import RuleTables
from grid.rulebook.book import RULE_2025, EditionName, levels
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
    """Tables for :func:`grid.rulebook.assess.assess`, what belongs to their rows, and what was assumed."""

    tables: RuleTables
    assumptions: tuple[Assumption, ...]
    station: Mapping[str, str]
    """Equipment id -> station."""
    of_bus: Mapping[str, str]
    """Bus -> id of the graded equipment that feeds it; buses that none feeds are left out."""
    connected_mw: Mapping[str, float]
    """Equipment id -> installed distributed generation below it."""
    pv_mw: Mapping[str, float]
    """Equipment id -> installed PV below it, distributed or not."""


def tables_from_areas(
    network: SolvedNetwork,
    edition: EditionName,
    distributed: Collection[str],
    settings: AreaSettings | None = None,
    county_of_station: Mapping[str, str] | None = None,
) -> NetworkTables:
    """Equipment (and units) of the rule book from one solved case.

    Parameters
    ----------
    network : SolvedNetwork
    distributed : collection of str
        Ids of the plants that count as distributed.
    settings : AreaSettings, optional
    county_of_station : mapping, optional
        Station -> county id, superior of the rows that no other row feeds (2025).

    Returns
    -------
    NetworkTables
        Rows of the levels that the edition knows, step-up units of plants left out. Load minus other generation of a
        row is what flows down through it plus the distributed output below it, so losses and what a mesh passes on
        are part of it.

    Raises
    ------
    InputError
        Every unit without a known flow or rating, distributed plant that is none, or that has no known output or
        installed capacity.
    """
    settings = settings or AreaSettings()
    kept = graded_groups(network, edition)
    _check(network, kept, distributed)
    superior, ids = superiors(network, edition, kept), {group.equipment_id for group in kept}
    installed, output, pv = (defaultdict[str, float](float) for _ in range(3))
    for plant in network.plants:
        above = [group.equipment_id for group in feeders(network, plant.bus) if group.equipment_id in ids]
        for item in above if plant.plant_id in distributed else ():
            installed[item] += plant.installed_mw
            output[item] += plant.output_mw
        for item in above if plant.fuel == "pv" and math.isfinite(plant.installed_mw) else ():
            pv[item] += plant.installed_mw
    rows = []
    for group in kept:
        item = group.equipment_id
        net = sum(unit.p_hv_mw for unit in group.units) + output[item]
        top = (county_of_station or {}).get(group.station, "")
        rows.append(
            {
                "equipment_id": item,
                "vn_kv": group.vn_kv,
                "superior_id": superior[item] or top,
                "load_mw": max(net, 0.0),
                "other_generation_mw": max(-net, 0.0),
                "dg_output_mw": float(output[item]),
                "connected_mw": float(installed[item]),
                "registered_mw": 0.0,
                "arrangement": "parallel" if len(group.units) > 1 else "single",
                "power_factor": settings.power_factor,
                "storage_charge_mw": 0.0,
                "tau_max": settings.tau_max,
                "limit_mva": float(sum(unit.sn_mva for unit in group.units)),
            }
        )
    return NetworkTables(
        _of_edition(pd.DataFrame(rows), _units(kept), edition),
        _assumptions(network, edition, settings, kept, step_up_areas(network)),
        {group.equipment_id: group.station for group in kept},
        equipment_of_bus(network, kept),
        {group.equipment_id: float(installed[group.equipment_id]) for group in kept},
        {group.equipment_id: float(pv[group.equipment_id]) for group in kept},
    )


_COLUMNS_2025 = (
    "equipment_id", "vn_kv", "superior_id", "arrangement", "load_mw", "other_generation_mw", "power_factor",
    "storage_charge_mw", "tau_max", "connected_mw", "registered_mw",
)  # fmt: skip
_COLUMNS_2019 = (
    "equipment_id", "vn_kv", "superior_id", "limit_mva", "dg_output_mw", "load_mw", "other_generation_mw",
)  # fmt: skip


def _of_edition(equipment: pd.DataFrame, units: pd.DataFrame, edition: EditionName) -> RuleTables:
    if edition == RULE_2025:
        return RuleTables(equipment.reindex(columns=list(_COLUMNS_2025)), units)
    return RuleTables(equipment.reindex(columns=list(_COLUMNS_2019)))


def _units(kept: Sequence[Group]) -> pd.DataFrame:
    rows = [
        (unit.unit_id, group.equipment_id, unit.sn_mva, unit.vk_percent) for group in kept for unit in group.units
    ]  # fmt: skip
    units = pd.DataFrame(rows, columns=["unit_id", "equipment_id", "sn_mva", "vk_percent"])
    # units of which only some have an impedance share by rating, as where none has one
    units["vk_percent"] = units["vk_percent"].where(
        units.groupby("equipment_id")["vk_percent"].transform("count")
        == units.groupby("equipment_id")["unit_id"].transform("count")
    )
    return units.sort_values("unit_id", ignore_index=True)


def _check(network: SolvedNetwork, kept: Sequence[Group], distributed: Collection[str]) -> None:
    log, plants = FindingLog(), {plant.plant_id: plant for plant in network.plants}
    where = (network.name, "transformers")
    for unit in sorted((unit for group in kept for unit in group.units), key=lambda unit: unit.unit_id):
        if not math.isfinite(unit.p_hv_mw):
            text = "no flow is known through the transformer."
            fault(log, "flow_missing", where, unit.unit_id, "", text, "Use a case that was solved.")
        if not (math.isfinite(unit.sn_mva) and unit.sn_mva > 0):
            text, remedy = "no rating is known of the transformer.", "Give its rating in MVA."
            fault(log, "rating_missing", where, unit.unit_id, unit.sn_mva, text, remedy)
    where = (network.name, "generators")
    for item in sorted(distributed):
        if item not in plants:
            fault(log, "unknown_id", where, item, item, "there is no such generator.", "Correct the id.")
            continue
        if not math.isfinite(plants[item].output_mw):
            fault(log, "output_missing", where, item, "", "its output is not known.", "Give the output of the case.")
        if not (math.isfinite(plants[item].installed_mw) and plants[item].installed_mw >= 0):
            text = "its installed capacity is not known."
            fault(log, "installed_missing", where, item, plants[item].installed_mw, text, "Give p_max_mw.")
    log.raise_errors()


def _assumptions(
    network: SolvedNetwork,
    edition: EditionName,
    settings: AreaSettings,
    kept: Sequence[Group],
    step_up: Collection[str],
) -> tuple[Assumption, ...]:
    left = sorted({_high_kv(network, g) for g in network.groups if g.vn_kv not in levels(edition)})
    moved = sorted({(_high_kv(network, g), g.vn_kv) for g in kept if _high_kv(network, g) != g.vn_kv})
    found = [
        _assumed(
            "areas",
            "供电范围：按本级线路最短里程归属上级主变",
            "supply areas: a bus belongs to the transformers it reaches over the fewest kilometres of its own level",
            "nearest",
            "reading for meshed levels",
        ),
        _assumed(
            "area_settings",
            f"功率因数 {settings.power_factor:g}，最大出力系数 {settings.tau_max:g}",
            f"power factor {settings.power_factor:g}, largest simultaneous output {settings.tau_max:g}",
            f"{settings.power_factor:g}, {settings.tau_max:g}",
            settings.source,
        ),
    ]
    if step_up:
        count = str(len(step_up))
        zh, en = f"电厂升压变不参与评估：{count} 组", f"step-up units of plants are not graded: {count} groups"
        found.append(_assumed("step_up", zh, en, count, "reading: equipment that supplies an area is graded"))
    if moved:
        shown = ", ".join(f"{a:g} -> {b:g}" for a, b in moved)
        zh, en = f"按相近电压等级评估：{shown} kV", f"graded as the level nearby: {shown} kV"
        found.append(_assumed("voltage_bands", zh, en, shown, "grid/rulebook/voltage_bands.csv"))
    if left:
        shown = _shown_kv(left)
        zh, en = f"未评估的电压等级：{shown} kV", f"levels that the edition does not grade: {shown} kV"
        found.append(Assumption("rulebook/levels_left_out", "supply areas", zh, en, shown, "scope of the edition", "A"))
    return tuple(found)


def _assumed(name: str, zh: str, en: str, value: str, source: str) -> Assumption:
    return Assumption(f"rulebook/{name}", "supply areas", zh, en, value, source, "C")


def _high_kv(network: SolvedNetwork, group: Group) -> float:
    return network.vn_kv[group.hv_bus]


def _shown_kv(values: Iterable[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)
