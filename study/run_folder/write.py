"""Files of a run's folder: map, lists, tables of land, yield, cost, scores and load flow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from study import records
from study.network.curtailment import curtailment_tables, flexible_substations
from study.network.grades import grade_tables, graded_substations
from study.outputs.base_tiles import base_tiles
from study.outputs.exports import Evidence
from study.pipeline import Results
from study.run_folder.shown import SHOWN, Shown, assemble
from study.sites.costs import ProjectCosts, project_costs
from study.study_file import Study


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
    from study.story.tables import story_tables

    costs = project_costs(results)
    shown = assemble(study, results, costs)
    judged, flow, land = results.get("verdicts"), results.get("load_flow"), results.get("land_tables")
    frame_crs = results.get("region_facts").crs
    backing = evidence(results, costs)
    grades = results.get("grades")
    flexible = results.get("curtailment")
    substations = flexible_substations(graded_substations(judged.substations, grades), flexible)
    turbines = results.get("sites").turbines
    routes = results.get("connection_study").tie_lines
    drawn = network_layers(shown.projects, shown.substations, shown.lines, shown.branch_state, routes)
    drawn = replace(drawn, plan_tie_lines=shown.ties)
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
    from siting.cost.contracts import CO2_AVOIDED, COST_BY_TECHNOLOGY
    from siting.parks.contracts import PARK_RULES, PARK_SITES, PARK_SIZING, PARKS
    from siting.scoring.contracts import SENSITIVITY, STABILITY

    stability, parks = results.get("stability"), results.get("parks")
    of_parks = (("parks", parks.parks, PARKS), ("park_rules", parks.rules, PARK_RULES),
                ("park_sizing", parks.sizing, PARK_SIZING), ("park_sites", parks.sites, PARK_SITES))  # fmt: skip
    return (
        *(Evidence(name, table, contract) for name, table, contract in of_parks if len(table)),
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
