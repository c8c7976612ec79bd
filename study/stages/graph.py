"""What each stage computes. Thin: every function hands records to the package that does the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import geopandas as gpd
import pandas as pd

from grid.contracts import Network
from layers.contracts import VectorLayer
from siting.scoring.rank_stability import Stability
from siting.yields.contracts import YieldResult
from study import records
from study.outputs.map_layers import compute_map_layers, map_layers_config
from study.pipeline import Results, Stage
from study.sites import candidates as sites
from study.sites.land import compute_land, compute_land_tables, ledger_config
from study.sites.rules import pack_digest
from study.stages import ground
from study.stages.inputs import (
    cases_config,
    criterion_sources,
    named,
    network_config,
    no_sources,
    parts_of,
    plan_basis_config,
    plan_config,
    rule_book_config,
    seed_and,
    station_accesses_config,
    weather_config,
)
from study.stages.weather import region_sources
from study.study_file import resolve_path

_WGS84 = "EPSG:4326"
_LAYERS = ("layers",)
_GROUND = ("layers", "siting/rules/derived_layers.py", "siting/rules/terrain.py", "siting/rules/terrain_kernels.py")
_SITING = ("layers", "siting")
_GRID = ("layers", "grid")

# --- siting -----------------------------------------------------------------------------------------------------


def compute_yields(results: Results) -> YieldResult:
    from siting.hosts.roof_shade import shade_factors
    from siting.yields.compute import compute_yields as yields_of
    from study.sites.pv import host_types, pv_options
    from study.sites.wind import assumption_findings, wind_study

    sites, types = results.get("sites"), host_types(results.study.file)
    shade = shade_factors(sites.candidates, results.get("host_layers").roofs, types)
    result = yields_of(
        sites.candidates,
        types,
        results.get("weather"),
        wind=wind_study(results),
        pv_options=pv_options(results.study),
        site_factor=sites.co_use["co_use_yield_factor"].mul(shade, fill_value=1.0),
        progress=results.progress,
    )
    results.log.extend([replace(finding, file=results.study.shown_path) for finding in result.findings])
    results.log.extend(assumption_findings(results.study, result))
    return result


def compute_costs(results: Results) -> object:
    from study.sites import costs

    return costs.compute_costs(results)


def compute_parks(results: Results) -> object:
    from study.sites import parks

    return parks.compute_parks(results)


def compute_criteria(results: Results) -> pd.DataFrame:
    """Values of the criteria of every candidate; weights do not enter here, so that a changed weight is cheap."""
    from siting.scoring.criteria import criterion_values

    layers, network = results.get("ground"), results.get("network")
    stations = _station_layer(network, results.get("region").frame.crs)
    return criterion_values(
        results.get("sites").candidates,
        results.get("costs").yields,
        (*layers.vectors, stations),
        layers.rasters,
        records.criteria(results.study.file),
        results.get("site_attributes"),
    )


def _station_layer(network: Network, crs: str) -> VectorLayer:
    stations = network.stations
    points = gpd.GeoSeries(gpd.points_from_xy(stations["lon"], stations["lat"]), crs=_WGS84).to_crs(crs)
    features = gpd.GeoDataFrame(stations[["station_id"]].reset_index(drop=True), geometry=points.to_numpy(), crs=crs)
    return VectorLayer("stations", features, network.origin)


def compute_scores(results: Results) -> pd.DataFrame:
    from siting.scoring.score import score_candidates

    return score_candidates(results.get("criteria"), records.criteria(results.study.file))


def compute_stability(results: Results) -> Stability:
    """What changed weights would do to the ranking."""
    from siting.scoring.rank_stability import stability_study

    asked = results.study.file.stability
    return stability_study(
        results.get("criteria"),
        records.criteria(results.study.file),
        spread=asked.spread,
        first=asked.first,
        draws=asked.draws,
        seed=results.study.file.study.seed,
    )


# --- grid -------------------------------------------------------------------------------------------------------


def compute_network(results: Results) -> Network:
    from study.network.build import build_network

    return build_network(results)


def compute_load_flow(results: Results) -> object:
    from grid.loadflow import run_load_flow

    return run_load_flow(results.get("network"), records.cases(results.study.file), progress=results.progress)


def compute_hosting(results: Results) -> object:
    from study.network import connect

    return connect.compute_hosting(results)


def compute_connection_study(results: Results) -> object:
    from study.network import connect

    return connect.compute_connection_study(results)


def compute_connections(results: Results) -> pd.DataFrame:
    from study.network import connect

    return connect.compute_connections(results)


def compute_upgrades(results: Results) -> object:
    from study.network import connect

    return connect.compute_upgrades(results)


def compute_verdicts(results: Results) -> object:
    from study.network import connect

    return connect.compute_verdicts(results)


def compute_grades(results: Results) -> object:
    from study.network.grades import compute_grades as grades_of

    return grades_of(results)


def compute_short_circuit(results: Results) -> object:
    from study.network import short_circuit

    return short_circuit.compute_short_circuit(results)


def compute_station_accesses(results: Results) -> object:
    from study.plan import station_access

    return station_access.compute_station_accesses(results)


def compute_plan_basis(results: Results) -> object:
    from study.plan import basis

    return basis.compute_plan_basis(results)


def compute_plan(results: Results) -> object:
    from study.plan import search

    return search.compute_plan(results)


def compute_curtailment(results: Results) -> object:
    from study.network import curtailment

    return curtailment.compute_curtailment(results)


def compute_year(results: Results) -> object:
    from study.network.year import compute_year as year_of

    return year_of(results)


# --- the graph --------------------------------------------------------------------------------------------------


def _by_own_standards(compute: Callable[[Results], object]) -> Callable[[Results], object]:
    """The stage with the study's own standard tables laid over the program's."""

    def computed(results: Results) -> object:
        from grid.standards_tables import own_standards

        folder = results.study.file.network.standards
        with own_standards(resolve_path(folder, results.study.path.parent) if folder else None):
            return compute(results)

    return computed


STAGES: tuple[Stage, ...] = (
    Stage("region", "区域", "region", (), _LAYERS,
          lambda s: [seed_and("region")(s), s.file.generated.model_dump(mode="json")["region"]],
          named(lambda f: (f.region.districts, f.region.facts)), ground.compute_region),
    Stage("region_facts", "区域概况", "region facts", ("region",), _LAYERS, lambda s: [], no_sources,
          ground.compute_region_facts),
    Stage("ground", "地面图层", "ground layers", ("region",), _GROUND,
          lambda s: [s.file.study.seed, s.file.generated.model_dump(mode="json")["land"], parts_of("layers")(s)],
          named(lambda f: [entry.source for entry in f.layers.values()]), ground.compute_ground),
    Stage("weather", "气象", "weather", (), _LAYERS, weather_config,
          named(lambda f: [c.source for c in f.weather], region_sources,
                 lambda f: [f.generated.weather.normals] if f.generated.weather else []), ground.compute_weather),
    Stage("demand", "负荷", "demand", (), _LAYERS,
          lambda s: [s.file.study.seed, s.file.generated.model_dump(mode="json")["demand"], parts_of("demand")(s)],
          named(lambda f: [f.demand.source] if f.demand else []), ground.compute_demand),
    Stage("host_layers", "场址图层", "host layers", ("region", "ground"), _SITING,
          lambda s: [s.file.pv.variants, parts_of("hosts")(s)], no_sources, sites.compute_host_layers),
    Stage("land", "土地适宜性与台账", "land and ledger", ("region", "ground", "host_layers"), _SITING,
          lambda s: [s.file.land.rules, pack_digest(s), s.file.land.province,
                     s.file.land.mapped_by, s.file.land.co_use, ledger_config(s), parts_of("hosts", "exclusions")(s)],
          no_sources, compute_land),
    Stage("land_tables", "土地统计", "land tables", ("land",), _SITING, lambda s: [], no_sources,
          compute_land_tables),
    Stage("map_layers", "地图图层", "map layers", ("region", "ground", "land"),
          (*_SITING, "maps/style.toml", "study/outputs/land_pictures.py", "study/outputs/map_layers.py",
           "study/outputs/map_backdrop.csv"),
          lambda s: [s.file.land.rules, pack_digest(s), map_layers_config(s.file)], no_sources, compute_map_layers),
    Stage("sites", "候选场址", "candidate sites", ("region", "ground", "host_layers", "land", "weather"), _SITING,
          lambda s: [s.file.study.code, s.file.pv.variants, s.file.sites.prevailing_wind_from_deg,
                     parts_of("land", "hosts")(s)], no_sources, sites.compute_sites),
    Stage("site_rules", "场址周边规则", "rules around sites", ("land", "sites"), _SITING, lambda s: [], no_sources,
          sites.compute_site_rules),
    Stage("yields", "发电量与成本", "yield and cost", ("host_layers", "sites", "weather"), _SITING,
          parts_of("wind", "pv"), named(lambda f: [f.pv.horizon]), compute_yields),
    Stage("network", "电网模型", "network", ("region", "ground", "demand"), _GRID, network_config,
          named(lambda f: (f.network.lines_source, f.network.substations_source, f.network.plants_source)),
          _by_own_standards(compute_network)),
    Stage("load_flow", "潮流与 N-1", "load flow and N-1", ("network",), _GRID, cases_config,
          no_sources, _by_own_standards(compute_load_flow)),
    Stage("hosting", "承载力", "hosting capacity", ("network",), _GRID, cases_config,
          no_sources, _by_own_standards(compute_hosting)),
    Stage("connection_study", "接入方案比选", "connection study", ("region", "ground", "sites", "network", "hosting"),
          _GRID, lambda s: [cases_config(s), parts_of("connection")(s)], no_sources,
          _by_own_standards(compute_connection_study)),
    Stage("connections", "接入方案", "connections", ("sites", "network", "hosting", "connection_study"), _GRID,
          cases_config, no_sources, _by_own_standards(compute_connections)),
    Stage("costs", "成本与减排", "cost and CO2", ("region_facts", "sites", "yields"), _SITING, parts_of("cost"),
          no_sources, compute_costs),
    Stage("parks", "园区源网荷储匹配", "parks", ("region_facts", "sites", "yields", "costs"), (*_SITING, "grid"),
          parts_of("parks", "cost"),
          named(lambda f: [park.load_source for park in f.parks]), compute_parks),
    Stage("site_attributes", "场址属性", "site attributes",
          ("region", "ground", "host_layers", "sites", "network"), _SITING,
          parts_of("sites"), no_sources, sites.compute_site_attributes),
    Stage("criteria", "指标", "criteria", ("sites", "site_attributes", "costs", "ground", "network"), _SITING,
          criterion_sources, no_sources, compute_criteria),
    Stage("scores", "评分", "scores", ("criteria",), _SITING, parts_of("criteria", "ahp"), no_sources,
          compute_scores),
    Stage("stability", "排序稳健性", "rank stability", ("criteria",), _SITING,
          seed_and("criteria", "ahp", "stability"), no_sources, compute_stability),
    Stage("upgrades", "电网措施", "grid measures", ("network", "hosting", "connections"), _GRID, cases_config,
          no_sources, _by_own_standards(compute_upgrades)),
    Stage("verdicts", "接纳结论", "verdicts",
          ("sites", "connections", "hosting", "upgrades", "scores"), _GRID, cases_config,
          no_sources, _by_own_standards(compute_verdicts)),
    Stage("grades", "承载力等级", "grades by the rule book",
          ("region_facts", "sites", "network", "load_flow", "connections", "verdicts"), (*_GRID, "siting"),
          rule_book_config, named(lambda f: [f.network.rule_book_options.ledger_source]),
          _by_own_standards(compute_grades)),
    Stage("short_circuit", "短路电流", "short circuit", ("sites", "network", "connections", "verdicts"), _GRID,
          cases_config, no_sources,
          _by_own_standards(compute_short_circuit)),
    Stage("year", "全年潮流", "year of hours", ("network", "demand", "sites", "yields", "connections", "verdicts"),
          (*_GRID, "siting"), cases_config, no_sources, _by_own_standards(compute_year)),
    Stage("curtailment", "弃电与承载力", "capacity by curtailment",
          ("network", "demand", "sites", "yields", "connections"), (*_GRID, "siting"), cases_config, no_sources,
          _by_own_standards(compute_curtailment)),
    Stage("plan_basis", "规划基础", "basis of the plan",
          ("sites", "yields", "network", "demand", "connection_study", "connections", "costs"), (*_GRID, "siting"),
          plan_basis_config, no_sources, _by_own_standards(compute_plan_basis)),
    Stage("station_accesses", "新站接入方案", "connections at new stations",
          ("region", "ground", "sites", "network", "connection_study"), _GRID, station_accesses_config, no_sources,
          _by_own_standards(compute_station_accesses)),
    Stage("plan", "规划方案", "plan", ("plan_basis", "station_accesses"), _GRID, plan_config, no_sources,
          _by_own_standards(compute_plan)),
)  # fmt: skip
