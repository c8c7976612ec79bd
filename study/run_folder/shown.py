"""What a run's map and lists are drawn from, out of the stages' results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd

from grid.contracts import Assumption
from layers.contracts import SourceCard
from maps.contracts import SiteMapInput
from maps.tiles import BaseTiles
from study import records
from study.checks.all import used_sources
from study.network.curtailment import flexible_substations
from study.network.grades import graded_substations
from study.outputs.element_names import names_of
from study.outputs.exports import Evidence
from study.outputs.map_layers import site_profiles
from study.outputs.network_layers import NetworkLayers
from study.pipeline import Results
from study.sites.costs import ProjectCosts
from study.stages.projects import project_list, with_park_notes
from study.study_file import Study

SHOWN = "shown"
"""Cache name of what a run's map and lists were drawn from."""


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
        names_of(network, records.cases(study.file)),
    )
    graded = graded_substations(judged.substations, results.get("grades"))
    graded = flexible_substations(graded, results.get("curtailment"))
    substations = graded.merge(network.stations[["station_id", "lon", "lat"]], on="station_id", how="left")
    hosts = pd.DataFrame(
        [(h.host_type, h.label_zh, h.label_en, h.colour) for h in host_types],
        columns=["host_type", "label_zh", "label_en", "colour"],
    )
    about, parks = study.file.study, results.get("parks")
    projects = with_park_notes(projects, parks.sites, parks.parks)
    plan = plan_on_map(results)
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
        measures=plan.measures,
        ties=plan.ties,
        stages=plan.stages,
        parks=parks.parks if len(parks.parks) else None,
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
