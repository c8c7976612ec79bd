"""One run: check, compute what is not in the cache, lay the results down whole, point ``latest`` at them."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

import geopandas as gpd
import pandas as pd

from grid.contracts import Assumption
from layers.contracts import Finding, SourceCard
from maps.contracts import SiteMapInput
from maps.tiles import BaseTiles
from study import records
from study.cache import Cache, code_digest, digest, library_versions
from study.checks.all import check_study, refuse_errors, used_sources
from study.network.curtailment import curtailment_tables, flexible_substations
from study.network.grades import grade_tables, graded_substations
from study.outputs.base_tiles import base_tiles
from study.outputs.exports import Evidence
from study.outputs.map_layers import site_profiles
from study.outputs.network_layers import NetworkLayers
from study.pipeline import Progress, Results, no_progress
from study.run_folder.manifest import (
    InputRecord,
    LibraryVersion,
    Manifest,
    StageRecord,
    hash_file,
    record_outputs,
    write_manifest,
)
from study.sites.costs import ProjectCosts, project_costs
from study.stages.graph import STAGES
from study.stages.progress import OUTPUTS
from study.stages.projects import project_list
from study.study_file import PROGRAM_ROOT, Study

PACKAGES = ("layers", "siting", "grid", "maps", "study")
PROCESSED = Path("data") / "processed"
STAGE_NAMES = tuple(stage.name for stage in STAGES)
ROOT_VARIABLE = "FENGGUANG_ROOT"
SHOWN = "shown"
"""Cache name of what a run's map and lists were drawn from."""


@dataclass(frozen=True)
class Run:
    """A finished run. ``folder`` is None when the run ended at an earlier stage on purpose."""

    study: str
    run_id: str
    folder: Path | None
    results: Results


@dataclass(frozen=True)
class Shown:
    """What a run's map and lists are drawn from."""

    map: SiteMapInput
    substations: pd.DataFrame
    upgrades: pd.DataFrame
    frame_crs: str
    evidence: tuple[Evidence, ...] = ()
    turbines: pd.DataFrame | None = None
    network: NetworkLayers | None = None
    tiles: BaseTiles | None = None


def processed_folder(root: Path | None = None) -> Path:
    """Where results lie: ``data/processed`` of ``root``, else of ``FENGGUANG_ROOT``, else of the program."""
    stated = os.environ.get(ROOT_VARIABLE)
    return (root or (Path(stated) if stated else PROGRAM_ROOT)) / PROCESSED


def open_results(study: Study, *, root: Path | None = None, progress: Progress = no_progress) -> Results:
    """Results of a study, nothing computed yet."""
    return Results(study, STAGES, Cache(processed_folder(root) / study.file.study.name / ".cache"), progress)


Announce = Callable[[Sequence[str], int], None]
"""Takes the names of the steps that a run will compute, and how many stages the cache has."""


def nobody_asked(steps: Sequence[str], cached: int) -> None:
    """An announcement that nobody reads."""


def run_study(
    study: Study,
    *,
    until: str | None = None,
    root: Path | None = None,
    progress: Progress = no_progress,
    announce: Announce = nobody_asked,
) -> Run:
    """Check the inputs, run all stages (or up to ``until``), write the run folder.

    Earlier runs are never touched. The new folder appears whole, then ``latest`` moves. ``announce`` is called once,
    after the check, with what is to be computed.

    Raises
    ------
    InputError
        If the inputs have errors; nothing was written.
    """
    started = datetime.now().astimezone()
    findings = checked(study, root=root)
    results = open_results(study, root=root, progress=progress)
    names = STAGE_NAMES[: STAGE_NAMES.index(until) + 1] if until else STAGE_NAMES
    whole = not until or until == STAGE_NAMES[-1]
    missing = [name for name in names if not results.is_cached(name)]
    announce([*missing, *([OUTPUTS] if whole else [])], len(names) - len(missing))
    for name in names:
        results.ensure(name)
    run_id = f"{started:%Y%m%dT%H%M%S}-{digest([results.key(n) for n in names])[:8]}"
    if not whole:
        return Run(study.file.study.name, run_id, None, results)
    folder = _write_run(study, results, findings, run_id, started)
    results.cache.prune()
    return Run(study.file.study.name, run_id, folder, results)


def checked(study: Study, *, root: Path | None = None) -> tuple[Finding, ...]:
    """Findings about the inputs, refused when there are errors; remembered by content, so that a rerun is quick."""
    cache = Cache(processed_folder(root) / study.file.study.name / ".cache")
    results = Results(study, STAGES, cache)
    try:
        key = digest(
            study.file.model_dump(mode="json"),
            code_digest(PROGRAM_ROOT, PACKAGES),
            [(name, results.input_hash(name)) for name in used_sources(study)],
            [f.message for f in study.findings],
        )
    except (OSError, KeyError):
        key = ""
    if key and study.file.network.kind != "tables" and cache.has("check", key):
        try:
            return tuple(cache.load("check", key))
        except KeyError:
            pass
    findings = tuple(check_study(study))
    refuse_errors(findings)
    if key:
        cache.store("check", key, findings)
    return findings


def _write_run(study: Study, results: Results, findings: Sequence[Finding], run_id: str, started: datetime) -> Path:
    from study.run_folder.report import write_reports

    home = processed_folder_of(results)
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    partial, final = home / f".{run_id}.partial", home / run_id
    partial.mkdir()
    try:
        results.progress(OUTPUTS, 0.0)
        write_outputs(study, results, partial, run_id)
        manifest = _manifest(study, results, findings, run_id, started, partial)
        # the reports are drawn from the folder as it stands, and then belong to it
        write_manifest(manifest, partial)
        write_reports(partial, partial)
        write_manifest(dataclasses.replace(manifest, outputs=record_outputs(partial)), partial)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _point_latest(home, run_id)
    results.progress(OUTPUTS, 1.0)
    return final


def processed_folder_of(results: Results) -> Path:
    return results.cache.folder.parent


def _sweep(home: Path) -> None:
    """Remove what killed runs left behind."""
    for left_over in home.glob(".*.partial"):
        shutil.rmtree(left_over, ignore_errors=True)


def _point_latest(home: Path, run_id: str) -> None:
    """Move the ``latest`` link in one step; where links are not to be had, write the name into ``latest.txt``."""
    link, fresh = home / "latest", home / ".latest.new"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(run_id, target_is_directory=True)
        os.replace(fresh, link)
    except OSError:
        (home / "latest.txt").write_text(run_id + "\n", "utf-8")


def assemble(study: Study, results: Results, costs: ProjectCosts) -> SiteMapInput:
    """All that the map and the lists show, out of the stages' results."""
    from siting.hosts.types import load_host_types
    from study.plan.tables import plan_on_map
    from study.stages.targets import target_table

    network, flow = results.get("network"), results.get("load_flow")
    judged, districts = results.get("verdicts"), results.get("region_facts").districts
    host_types = tuple(load_host_types())
    projects = project_list(
        results.get("sites").candidates,
        results.get("costs").yields,
        results.get("scores"),
        results.get("connections"),
        judged.verdicts,
        judged.upgrades,
        network.stations,
        districts,
        host_types,
        costs.lcoe,
    )
    graded = graded_substations(judged.substations, results.get("grades"))
    graded = flexible_substations(graded, results.get("curtailment"))
    substations = graded.merge(network.stations[["station_id", "lon", "lat"]], on="station_id", how="left")
    hosts = pd.DataFrame(
        [(h.host_type, h.label_zh, h.label_en, h.colour) for h in host_types],
        columns=["host_type", "label_zh", "label_en", "colour"],
    )
    about = study.file.study
    measures, stages = plan_on_map(results)
    return SiteMapInput(
        study=about.name,
        title_zh=about.title_zh,
        title_en=about.title_en,
        projects=projects,
        districts=districts.to_crs("EPSG:4326"),
        substations=substations,
        lines=line_features(network),
        branch_state=flow.branch_state,
        load_flow=flow.load_flow,
        targets=target_table(records.targets(study.file), projects),
        host_types=hosts,
        land_states=results.get("land_tables").states,
        cases=records.cases(study.file),
        sources=tuple(study.card(name) for name in used_sources(study)) + generated_cards(study),
        assumptions=all_assumptions(study, results),
        language=about.language,
        upgrades=judged.upgrades,
        site_facts=results.get("site_attributes"),
        profiles=site_profiles(results),
        land_pictures=results.get("map_layers").pictures,
        backdrops=results.get("map_layers").backdrops,
        branch_n_1=flow.branch_n_1,
        measures=measures,
        stages=stages,
        list_file="projects.xlsx" if "xlsx" in study.file.outputs.formats else "",
    )


def all_assumptions(study: Study, results: Results) -> tuple[Assumption, ...]:
    """Those of the study file, then those that the network, the grades and the short-circuit study needed."""
    computed = (results.get(name).assumptions for name in ("network", "grades", "short_circuit"))
    return (*records.assumptions(study.file), *(one for own in computed for one in own))


def generated_cards(study: Study) -> tuple[SourceCard, ...]:
    """Cards of what no file holds: generated land, weather and demand say so beside the real sources."""
    from layers.contracts import Origin

    made = study.file.generated
    texts = {
        "region": ("生成的区域", "Generated region", made.region),
        "land": ("生成的土地图层", "Generated land", made.land),
        "weather": ("由气候月均值生成的气象年", "Weather year generated from monthly normals", made.weather),
        "demand": ("生成的负荷曲线", "Generated load curve", made.demand),
    }
    return tuple(
        SourceCard(
            id=f"generated_{name}",
            path=Path(f"generated/{name}"),
            shown_path=f"generated/{name}",
            licence="Apache-2.0 (this program)",
            origin=Origin.GENERATED,
            title_zh=zh,
            title_en=en,
            note=f"seed {study.file.study.seed}",
        )
        for name, (zh, en, entry) in texts.items()
        if entry is not None
    )


def line_features(network) -> gpd.GeoDataFrame:  # type: ignore[no-untyped-def]
    """Line circuits with their route in WGS-84; straight between the stations where no route is known."""
    import shapely

    lines = network.lines
    at = network.buses.merge(network.stations[["station_id", "lon", "lat"]], on="station_id").set_index("bus_id")
    paths = []
    for row in lines.itertuples():
        ends = [(at.at[bus, "lon"], at.at[bus, "lat"]) for bus in (row.from_bus, row.to_bus)]
        paths.append(shapely.from_wkt(row.path_wkt) if row.path_wkt else shapely.LineString(ends))
    table = lines[["line_id", "name_zh", "name_en", "length_km", "line_type", "origin"]].reset_index(drop=True)
    table.insert(3, "vn_kv", lines["from_bus"].map(at["vn_kv"]).to_numpy(float))
    return gpd.GeoDataFrame(table, geometry=paths, crs="EPSG:4326")


def write_outputs(study: Study, results: Results, folder: Path, run_id: str) -> None:
    """Map, lists and load-flow tables of a run."""
    from maps.site_map import write_site_map
    from siting.scoring.score import explained_scores
    from study.outputs.exports import plan_sheets, write_projects, write_table
    from study.outputs.network_layers import network_layers
    from study.outputs.park_files import write_parks
    from study.plan.tables import plan_tables, write_plan
    from study.run_folder.about import write_about
    from study.sites.candidates import roof_table
    from study.sites.land import write_rasters
    from study.story.tables import connection_study, story_tables

    costs = project_costs(results)
    shown = assemble(study, results, costs)
    judged, flow, land = results.get("verdicts"), results.get("load_flow"), results.get("land_tables")
    frame_crs = results.get("region_facts").crs
    backing = evidence(results, costs)
    grades = results.get("grades")
    flexible = results.get("curtailment")
    substations = flexible_substations(graded_substations(judged.substations, grades), flexible)
    turbines = results.get("sites").turbines
    joined = connection_study(results)
    routes = None if joined is None else joined.tie_lines
    drawn = network_layers(shown.projects, shown.substations, shown.lines, shown.branch_state, routes)
    stored = Shown(shown, substations, judged.upgrades, frame_crs, backing, turbines, drawn, base_tiles(study.file))
    results.cache.store(SHOWN, run_id, stored)
    write_site_map(shown, folder / "site_map.html", tiles=stored.tiles)
    write_about(shown, folder)
    stability = results.get("stability")
    tables = {
        "substations": substations,
        "targets": shown.targets,
        "upgrades": judged.upgrades,
        "loadflow/cases": flow.load_flow,
        "loadflow/buses": flow.bus_state,
        "loadflow/branches": flow.branch_state,
        "loadflow/n_1": flow.outages,
        "loadflow/branches_n_1": flow.branch_n_1,
        "loadflow/hosting": hosting_table(results),
        "loadflow/short_circuit": results.get("short_circuit").margins,
        "loadflow/short_circuit_openings": results.get("short_circuit").openings,
        "land/states": land.states,
        "land/waterfall": land.waterfall,
        "land/states_by_district": land.states_by_district,
        "land/waterfall_by_district": land.waterfall_by_district,
        "land/remainder": results.get("sites").remainder,
        "land/site_attributes": results.get("site_attributes"),
        "land/turbines": results.get("sites").turbines,
        "land/roofs": roof_table(results),
        "yield/losses": results.get("yields").losses,
        "yield/details": results.get("yields").details,
        "cost/waterfall": costs.waterfall,
        "cost/by_technology": costs.by_technology,
        "cost/co2_avoided": results.get("costs").co2,
        "scores/criteria": criteria_table(study, results),
        "scores/scores": explained_scores(results.get("criteria"), records.criteria(study.file), results.get("scores")),
        "scores/rank_stability": stability.candidates,
        "scores/weight_changes": stability.changes,
        "scores/sensitivity": stability.sensitivity,
    }
    tables |= {**story_tables(study, results), **grade_tables(grades), **curtailment_tables(flexible)}
    year = results.get("year").result
    if year is not None:
        tables |= {"loadflow/year_hours": year.hours, "loadflow/year_branches": year.branches}
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(table, path)
    write_parks(results.get("parks"), folder)
    planned = plan_tables(results)
    if planned is not None:
        write_plan(planned, folder / "plan")
    write_projects(
        shown.projects,
        folder,
        study.file.outputs.formats,
        frame_crs=frame_crs,
        substations=substations,
        targets=shown.targets,
        upgrades=judged.upgrades,
        sources=shown.sources,
        assumptions=shown.assumptions,
        evidence=backing,
        turbines=turbines,
        network=drawn,
        more_sheets=plan_sheets(folder),
        language=study.file.study.language,
    )
    write_rasters(results, folder / "land")
    _write_network(results, folder / "loadflow" / "network")
    _write_profiles(results, folder / "yield")


def evidence(results: Results, costs: ProjectCosts) -> tuple[Evidence, ...]:
    """Tables that back the project list in the workbook."""
    from siting.contracts import SENSITIVITY, STABILITY
    from siting.cost.contracts import CO2_AVOIDED, COST_BY_TECHNOLOGY
    from siting.parks.matching import PARKS

    stability, parks = results.get("stability"), results.get("parks").parks
    return (
        *([Evidence("parks", parks, PARKS)] if len(parks) else []),
        Evidence("rank_stability", stability.candidates, STABILITY),
        Evidence("sensitivity", stability.sensitivity, SENSITIVITY),
        Evidence("cost", costs.by_technology, COST_BY_TECHNOLOGY),
        Evidence("co2", results.get("costs").co2, CO2_AVOIDED),
    )


def criteria_table(study: Study, results: Results) -> pd.DataFrame:
    """What was scored: criteria, weights, value functions, and how many candidates have no value."""
    unknown = results.get("criteria").groupby("criterion")["value"].agg(lambda values: int(values.isna().sum()))
    rows = [
        (c.id, c.label_zh, c.label_en, c.weight, c.source, str(c.value_function), int(unknown.get(c.id, 0)))
        for c in records.criteria(study.file)
    ]
    columns = ["criterion", "label_zh", "label_en", "weight", "source", "value_function", "candidates_unknown"]
    return pd.DataFrame(rows, columns=columns)


def hosting_table(results: Results) -> pd.DataFrame:
    table: pd.DataFrame = results.get("hosting").hosting
    return table


def _write_network(results: Results, folder: Path) -> None:
    from grid.network_tables import write_network

    write_network(results.get("network"), folder)


def _write_profiles(results: Results, folder: Path) -> None:
    """Hourly power by AC capacity of every variant, and which candidate follows which with how many megawatts."""
    from siting.yields.hourly_store import store_of, write_profiles
    from study.outputs.exports import write_table

    candidates = results.get("sites").candidates
    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    write_profiles(store, folder / "profiles.parquet")
    write_table(store.sites, folder / "profile_sites.csv")


def _manifest(
    study: Study, results: Results, findings: Sequence[Finding], run_id: str, started: datetime, folder: Path
) -> Manifest:
    inputs = tuple(_input_record(results, name) for name in used_sources(study))
    return Manifest(
        run_id=run_id,
        study=study.file.study.name,
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        fengguang=metadata.version("fengguang"),
        python=platform.python_version(),
        libraries=tuple(LibraryVersion(name, version) for name, version in library_versions()),
        code_sha256=code_digest(PROGRAM_ROOT, PACKAGES),
        rule_pack=study.file.land.rules,
        inputs=inputs,
        stages=tuple(
            StageRecord(r.name, r.key, round(r.seconds, 3), r.from_cache)
            for r in (results.reports[name] for name in STAGE_NAMES)
        ),
        findings=(*findings, *results.stage_findings()),
        assumptions=all_assumptions(study, results),
        outputs=record_outputs(folder),
    )


def _input_record(results: Results, name: str) -> InputRecord:
    card = results.study.card(name)
    return InputRecord(
        id=name,
        shown_path=card.shown_path,
        sha256=hash_file(card.path),
        bytes=card.path.stat().st_size,
        licence=card.licence,
        origin=str(card.origin),
        attribution=card.attribution,
    )
