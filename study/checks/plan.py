"""Faults and gaps of targets and plan: what a target leaves open, stations that the network does not have."""

from __future__ import annotations

import math

from grid.contracts import Network
from layers.contracts import Finding, InputError
from study.schema.outputs import TargetEntry
from study.study_file import Study, nearest

_FUELS = {"pv": ("pv",), "wind": ("wind",), "renewable": ("pv", "wind"), "storage": ("storage",)}
"""Fuels of the plants that count towards a group."""


def plan_findings(study: Study) -> list[Finding]:
    """Targets that do not say how much of them stands already: all of it then counts as new. Options without effect."""
    unknown = [
        _installed_unknown(study, number, target)
        for number, target in enumerate(study.file.targets, start=1)
        if target.installed_mw is None
    ]
    return [*unknown, *_without_effect(study)]


def _without_effect(study: Study) -> list[Finding]:
    """Options of the plan that say nothing beside the others."""
    entry = study.file.plan
    if entry is None:
        return []
    found = []
    if entry.curtailment_in_cases and entry.hours == 0:
        found.append(
            Finding("warning", "plan.curtailment_free", study.shown_path, "plan", "curtailment_in_cases", "true",
                    "named cases count no hours: without representative hours what is held back costs nothing and the "
                    "utilisation floor has no effect.",
                    "Set plan.hours (24), or leave curtailment_in_cases out.")
        )  # fmt: skip
    if entry.least_mw > 0 and entry.objective != "least_cny_per_mw":
        found.append(
            Finding("warning", "plan.floor_without_effect", study.shown_path, "plan", "least_mw", f"{entry.least_mw:g}",
                    "least_mw is the floor of the objective least_cny_per_mw; for other objectives it has no effect.",
                    "Set objective = \"least_cny_per_mw\", or give a quota with least_mw.")
        )  # fmt: skip
    return found


def _installed_unknown(study: Study, number: int, target: TargetEntry) -> Finding:
    named = [p for p in study.file.network.plants if p.fuel in _FUELS[target.technology_group]]
    known = math.fsum(p.p_max_mw for p in named)
    plants = f"; network.plants names {known:g} MW of it that stand" if named else ""
    nothing = f"{known:g} if the named plants are all" if named else "0 if nothing stands"
    return Finding(
        "warning", "targets.installed_unknown", study.shown_path, f"targets.{number}",
        f"{target.quantity_zh} {target.quantity_en} {target.year}", "",
        f"the target does not say what stands already: all {target.target_mw:g} MW count as new{plants}.",
        f"Give installed_mw, on the same basis as target_mw; {nothing}.",
    )  # fmt: skip


def refuse_unknown_stations(study: Study, network: Network) -> None:
    """Refuse ``plan.dropped_stations`` that are no ids of the network's stations.

    The ids of a network that the program builds are known no earlier than the network.

    Raises
    ------
    InputError
        With one finding for each, which names the nearest id, or the id of the station with that name.
    """
    entry = study.file.plan
    stations = network.stations
    ids = stations["station_id"].astype(str).tolist()
    by_name = {
        str(name): station
        for language in ("zh", "en")
        for name, station in zip(stations[f"name_{language}"], ids, strict=True)
    }
    found = []
    for name in entry.dropped_stations if entry else ():
        if name in ids:
            continue
        remedy = f"Use its id '{by_name[name]}'." if name in by_name else nearest(name, ids)
        found.append(
            Finding("error", "plan.unknown_station", study.shown_path, "plan", "dropped_stations", name,
                    "the network has no station with this id.",
                    remedy or "Ids stand in loadflow/network/stations.csv of a run.")
        )  # fmt: skip
    if found:
        raise InputError(found)


def refuse_nothing_left(study: Study, stations: int, lots: int) -> None:
    """Refuse a plan for which ``dropped_stations`` leave none of the ``lots`` that could connect.

    Raises
    ------
    InputError
        With one finding, where no lot is left.
    """
    if lots:
        return
    raise InputError([
        Finding("error", "plan.nothing_left", study.shown_path, "plan", "dropped_stations", str(stations),
                "every station that a candidate can connect to is dropped: there is nothing to plan.",
                "Leave at least one station with candidates; plan/sites.csv of a run names the station of each.")
    ])  # fmt: skip
