"""A site's whole story, read from its run folder alone: nothing is computed again, no layer is opened.

A run folder that lacks a table (an older run, a study without a plan) gives a story without that part.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from grid.connections.contracts import CONNECTION_OPTIONS
from grid.contracts import HOSTING, SUBSTATIONS, UPGRADES
from layers.contracts import Finding, InputError
from siting.contracts import SITE_ATTRIBUTES, WATERFALL_BY_DISTRICT
from siting.cost.contracts import COST_WATERFALL
from siting.sites.rules import SITE_RULES
from siting.yields.contracts import LOSSES, YIELD_DETAILS
from siting.yields.hourly_store import SITE_VARIANTS, read_profiles
from study.outputs.element_names import element_names
from study.run_folder.missing import run_missing
from study.run_folder.reader import RunTables
from study.story.tables import HOSTS, OPERATING_POINTS, RULES_IN_FORCE

Row = Mapping[str, object]
"""One row of a table of the run: numbers as float, NaN where a cell is empty, all else as text."""

NEIGHBOURS = 5
STATIONS = 4
OPTIONS = 6
_EARTH_KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class SiteStory:
    """Everything a run says of one site. Parts of which the run has no table are empty."""

    study: str
    run_id: str
    sites: int
    """Sites in the list."""
    project: Row
    """Row of :data:`maps.contracts.PROJECTS`."""
    hosts: tuple[Row, ...]
    """Layers that carry the site's host type."""
    attributes: Row
    """Shape and place of the site."""
    rules: tuple[Row, ...]
    """Rules that concern the host type, with document and clause, what each took beside the site (``taken_km2``,
    ``alone_km2``) and in its district (``lost_km2``, ``regained_km2``)."""
    neighbours: tuple[Row, ...]
    """Nearest other sites: id, names, host type, MW, distance_km, station_id, verdict."""
    score: Row
    criteria: tuple[Row, ...]
    """Criteria with weight, and the site's value and utility."""
    stability: Row
    losses: tuple[Row, ...]
    yield_details: Row
    monthly_mwh: tuple[float, ...]
    """Twelve months, January first; empty where the run holds no profiles."""
    cost: tuple[Row, ...]
    stations: tuple[Row, ...]
    """Stations compared: the one chosen first, then the nearest with a bus of its voltage or beside it."""
    options: tuple[Row, ...]
    """Ways to connect that were compared, the cheapest first; ``cost_cny`` is what ranked them."""
    station: Row
    """The bus that the site connects to, as in substations.csv."""
    hosting: tuple[Row, ...]
    """What that bus takes alone, case by case, N-0 and N-1."""
    cases: tuple[Row, ...]
    upgrade: Row
    plan: Row
    """The site's row of ``plan/sites.csv``; empty where the run has no plan, or the plan does not know the site."""
    plan_measures: tuple[Row, ...]
    """Measures of the plan that the site uses."""
    planned_sites: int
    """Sites in the plan's project list; 0 where there is no plan."""
    names: Mapping[str, tuple[str, str]]
    """Chinese and English names of the network elements that are mentioned."""

    def as_json(self) -> str:
        """The story as JSON; cells without a value are null."""
        return json.dumps(_plain(dataclasses.asdict(self)), ensure_ascii=False, indent=2)


def explain_site(run_folder: Path, site: str) -> SiteStory:
    """The story of a site.

    Parameters
    ----------
    run_folder
        A finished run.
    site
        Id of a candidate, its name in either language, or its number in the list.

    Raises
    ------
    InputError
        If no run lies there, or it has no such site (the nearest ids are named).
    """
    run = RunTables(run_folder.resolve())
    about = _about(run)
    projects = run.projects
    project = _chosen(projects, site, run_folder.resolve().name)
    key = str(project["candidate_id"])
    criteria = run.read("scores/criteria")
    score = _one(run.read("scores/scores"), "candidate_id", key)
    station = _station(run, project)
    planned = run.read("plan/sites")
    plan = _one(planned, "candidate_id", key)
    variant = _one(run.read("yield/profile_sites", SITE_VARIANTS), "candidate_id", key)
    return SiteStory(
        study=str(about["study"]),
        run_id=str(about["run_id"]),
        sites=len(projects),
        project=project,
        hosts=_some(run.read("land/hosts", HOSTS), "host_type", project["host_type"]),
        attributes=_one(run.read("land/site_attributes", SITE_ATTRIBUTES), "candidate_id", key),
        rules=_rules(run, project),
        neighbours=_neighbours(projects, project),
        score=score,
        criteria=tuple(_criterion(row, score) for row in _rows(criteria)),
        stability=_one(run.read("scores/rank_stability"), "candidate_id", key),
        losses=_some(run.read("yield/losses", LOSSES), "variant_id", variant.get("variant_id", "")),
        yield_details=_one(run.read("yield/details", YIELD_DETAILS), "candidate_id", key),
        monthly_mwh=_monthly(run.folder / "yield" / "profiles.parquet", variant),
        cost=_some(run.read("cost/waterfall", COST_WATERFALL), "candidate_id", key),
        stations=_stations(run, project),
        options=_options(run, key),
        station=station,
        hosting=_some(run.read("loadflow/hosting", HOSTING), "bus_id", station.get("bus_id", "")),
        cases=_rows(run.read("loadflow/operating_points", OPERATING_POINTS)),
        upgrade=_one(run.read("upgrades", UPGRADES), "upgrade_id", project["upgrade_id"]),
        plan=plan,
        plan_measures=_plan_measures(run, plan),
        planned_sites=len(planned),
        names=_element_names(run),
    )


def _about(run: RunTables) -> Row:
    """Study and id of the run, without judging its manifest: a story may be read of a folder under change."""
    path = run.folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
        return {"study": manifest["study"], "run_id": manifest["run_id"]}
    except (OSError, ValueError, KeyError) as error:
        raise InputError([run_missing(run.folder)]) from error


def _chosen(projects: pd.DataFrame, site: str, folder: str) -> Row:
    """The site's row: by id, by name, or by its number in the list."""
    for column in ("candidate_id", "name_zh", "name_en"):
        hit = projects[projects[column].str.casefold() == site.strip().casefold()]
        if len(hit) == 1:
            return _rows(hit)[0]
    number = site.strip().lstrip("#")
    if number.isdecimal() and (projects["order"] == int(number)).any():
        return _rows(projects[projects["order"] == int(number)])[0]
    near = nearest_ids(site, projects["candidate_id"].tolist())
    remedy = f"Did you mean {', '.join(near)}? The list (projects.csv, the map's search) names all {len(projects)}."
    message = "the run has no such site."
    raise InputError([Finding("error", "explain.unknown_site", folder, "projects", "site", site, message, remedy)])


def nearest_ids(site: str, ids: Sequence[str], count: int = 3) -> list[str]:
    """Ids nearest in writing to ``site``, the best first; never none where there are ids."""
    import difflib

    return difflib.get_close_matches(site.upper(), ids, n=count, cutoff=0.3) or list(ids[:count])


def _rules(run: RunTables, project: Row) -> tuple[Row, ...]:
    """Rules for the host type, those first that took most beside the site, then in its district."""
    rules = run.read("land/rules", RULES_IN_FORCE)
    site = run.read("land/site_rules", SITE_RULES)
    lost = run.read("land/waterfall_by_district", WATERFALL_BY_DISTRICT)
    site = site[site["candidate_id"] == project["candidate_id"]].set_index("rule")
    lost = lost[(lost["host_type"] == project["host_type"]) & (lost["district_code"] == project["district_code"])]
    lost = lost.set_index("rule")
    found = []
    for row in _rows(rules):
        concerned = str(row["host_types"]).split()
        if concerned and project["host_type"] not in concerned:
            continue
        rule = str(row["rule"])
        beside = {name: _at(site, rule, name) for name in ("taken_km2", "alone_km2")}
        district = {name: _at(lost, rule, name) for name in ("lost_km2", "regained_km2")}
        found.append({**row, **beside, **district})
    return tuple(sorted(found, key=lambda r: (-_number(r["taken_km2"]), -_number(r["lost_km2"]), str(r["rule"]))))


def _neighbours(projects: pd.DataFrame, project: Row) -> tuple[Row, ...]:
    others = projects[projects["candidate_id"] != project["candidate_id"]]
    distance = _distance_km(project, others)
    near = others.assign(distance_km=distance).iloc[np.argsort(distance, kind="stable")[:NEIGHBOURS]]
    shown = ["candidate_id", "name_zh", "name_en", "host_type", "grid_capacity_mw", "accepted_mw", "verdict",
             "station_id", "distance_km"]  # fmt: skip
    return _rows(near[shown])


def _distance_km(place: Row, table: pd.DataFrame) -> np.ndarray:
    """Great-circle distance, equirectangular: right to a percent within some hundred kilometres."""
    lon, lat = _number(place["lon"]), _number(place["lat"])
    lons, lats = table["lon"].to_numpy(float), table["lat"].to_numpy(float)
    east = (lons - lon) * np.cos(np.radians((lats + lat) / 2))
    return np.hypot(east, lats - lat) * _EARTH_KM_PER_DEGREE


def _criterion(row: Row, score: Row) -> Row:
    name = str(row["criterion"])
    return {**row, "value": score.get(f"{name}_value", math.nan), "utility": score.get(f"{name}_utility", math.nan)}


def _monthly(profiles: Path, variant: Row) -> tuple[float, ...]:
    """Energy of each month [MWh]: hourly power by AC capacity times the site's AC capacity; hours are UTC+08:00."""
    if not variant or not profiles.is_file():
        return ()
    hours = read_profiles(profiles, [str(variant["variant_id"])])
    step_h = (hours.index[1] - hours.index[0]).total_seconds() / 3600
    index = pd.DatetimeIndex(hours.index)
    sums = hours.iloc[:, 0].astype(float).groupby(index.month).sum() * step_h * _number(variant["capacity_mw"])
    return tuple(round(float(sums.get(month, 0.0)), 3) for month in range(1, 13))


def _station(run: RunTables, project: Row) -> Row:
    """The bus the site connects to: of its station, at its voltage."""
    table = run.read("substations", SUBSTATIONS)
    own = table[(table["station_id"] == project["station_id"]) & (table["vn_kv"] == project["connection_kv"])]
    return _rows(own)[0] if len(own) else {}


def _stations(run: RunTables, project: Row) -> tuple[Row, ...]:
    """The chosen station, then the nearest others with a bus of the same voltage: what they could take."""
    if not project["station_id"]:
        return ()
    places = run.read("loadflow/network/stations")
    table = run.read("substations", SUBSTATIONS)
    if places.empty or table.empty:
        return ()
    buses = table[table["vn_kv"] == project["connection_kv"]].merge(
        places[["station_id", "lon", "lat"]], on="station_id"
    )
    buses = buses.assign(straight_km=_distance_km(project, buses), chosen=buses["station_id"] == project["station_id"])
    ordered = buses.sort_values(["chosen", "straight_km"], ascending=[False, True]).head(STATIONS + 1)
    shown = ["station_id", "name_zh", "name_en", "vn_kv", "straight_km", "n_1_mw", "remaining_n_1_mw", "accepted_mw"]
    return _rows(ordered[shown])


def _options(run: RunTables, key: str) -> tuple[Row, ...]:
    """Options of the site by what ranked them: own line and bays, and transformers for missing headroom."""
    table = run.read("loadflow/connection_options", CONNECTION_OPTIONS)
    own = table[table["candidate_id"] == key]
    cost = own["line_cny"] + own["bay_cny"] + own["transformer_cny"]
    own = own.assign(cost_cny=cost.astype(float), feasible=own["feasible"].astype(str) == "True")
    return _rows(own.sort_values(["feasible", "cost_cny", "option_id"], ascending=[False, True, True]).head(OPTIONS))


def _plan_measures(run: RunTables, plan: Row) -> tuple[Row, ...]:
    """Measures that the plan's row names, in the order in which they pay."""
    from study.plan.grid_tables import PLAN_MEASURES

    ids = str(plan.get("shared_upgrades", "")).split()
    return tuple(row for row in _rows(run.read("plan/measures", PLAN_MEASURES)) if row["measure_id"] in ids)


def _element_names(run: RunTables) -> dict[str, tuple[str, str]]:
    """Names of lines, transformers and buses by their ids."""
    tables = (run.read(f"loadflow/network/{name}") for name in ("lines", "transformers", "stations", "buses"))
    return element_names(*tables)


# --- tables ---------------------------------------------------------------------------------------------------------


def _rows(table: pd.DataFrame) -> tuple[dict[str, object], ...]:
    return tuple({str(k): v for k, v in row.items()} for row in table.to_dict("records"))


def _some(table: pd.DataFrame, column: str, value: object) -> tuple[Row, ...]:
    return _rows(table[table[column] == value]) if column in table.columns else ()


def _one(table: pd.DataFrame, column: str, value: object) -> Row:
    found = _some(table, column, value) if value else ()
    return found[0] if found else {}


def _at(table: pd.DataFrame, key: str, column: str) -> float:
    return float(table[column].to_numpy(float)[table.index.get_loc(key)]) if key in table.index else 0.0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _plain(value: object) -> object:
    """Values that JSON has: no NaN, no numpy scalars."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
