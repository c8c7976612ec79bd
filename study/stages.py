"""What each stage computes. Thin: every function hands records to the package that does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import pandas as pd

from grid.contracts import Network
from layers.contracts import Demand, FindingLog, RasterLayer, Region, VectorLayer, Weather
from siting.contracts import YieldResult
from siting.rank_stability import Stability
from study import records, sites
from study.land import compute_land, compute_land_tables, ledger_config
from study.map_layers import compute_map_layers, map_layers_config
from study.pipeline import Results, Stage
from study.rules import pack_digest
from study.schema import StudyFile
from study.study_file import Study, resolve_path
from study.weather import needs_region, region_sources, weather_cells

_WGS84 = "EPSG:4326"
_LARGE_FRAME_CELLS = 60_000_000
"""Beyond this rasters are read by the strip when they are needed, not held (4 bytes a cell)."""
_LAYERS = ("layers",)
_GROUND = ("layers", "siting/derived_layers.py", "siting/terrain.py", "siting/terrain_kernels.py")
_SITING = ("layers", "siting")
_GRID = ("layers", "grid")


@dataclass(frozen=True)
class Ground:
    """All layers of a study on its frame's CRS."""

    vectors: tuple[VectorLayer, ...]
    rasters: tuple[RasterLayer, ...]


# --- layers -----------------------------------------------------------------------------------------------------


def compute_region(results: Results) -> Region:
    from layers.region import build_region, study_crs

    file = results.study.file
    if file.generated.region is not None:
        return _generated_region(file)
    assert file.region.districts is not None  # the check names its lack
    districts = _districts_wgs84(results.study, results.log)
    crs = study_crs(districts.features) if file.region.crs == "auto" else file.region.crs
    projected = replace(districts, features=districts.features.to_crs(crs))
    return build_region(
        projected,
        code_column="code",
        name_zh_column=file.region.name_zh_column,
        name_en_column="name_en",
        population=_population(results.study),
        resolution_m=file.region.resolution_m,
    )


def _generated_region(file: StudyFile) -> Region:
    from layers.contracts import Origin
    from layers.region import build_region

    districts = generated_districts(file)
    return build_region(
        VectorLayer("districts", districts, Origin.GENERATED),
        code_column="district_code",
        name_zh_column="name_zh",
        name_en_column="name_en",
        population=dict(zip(districts["name_zh"], districts["population"], strict=True)),
        resolution_m=file.region.resolution_m,
    )


def generated_districts(file: StudyFile) -> gpd.GeoDataFrame:
    """Districts of a study with a generated region, in the study's CRS."""
    from layers.generated.districts import generate_districts

    spec = file.generated.region
    assert spec is not None
    return generate_districts(
        centre_lon=spec.centre_lon,
        centre_lat=spec.centre_lat,
        area_km2=spec.area_km2,
        count=spec.count,
        population=spec.population,
        seed=file.study.seed,
        crs=None if file.region.crs == "auto" else file.region.crs,
    )


def _districts_wgs84(study: Study, log: FindingLog) -> VectorLayer:
    """District polygons of the study in WGS-84, with codes and English names from the facts where the file has none."""
    from layers.vector import read_vector

    region = study.file.region
    assert region.districts is not None
    layer = read_vector(study.card(region.districts), _WGS84, log=log)
    features = layer.features
    if region.only:
        chosen = features[region.name_zh_column].isin(region.only)
        if region.code_column:
            chosen |= features[region.code_column].astype(str).isin(region.only)
        features = features[chosen]
    facts = _facts(study)
    names = features[region.name_zh_column]
    pinyin = names.map(facts["name_pinyin"].map(records.plain_pinyin)) if len(facts) else names
    given = features[region.name_en_column] if region.name_en_column else pinyin
    given = names.map(region.names_en).fillna(given)
    known = names.map(facts["county_code"]) if len(facts) else names
    codes = features[region.code_column].astype(str) if region.code_column else known.fillna(names)
    features = features.assign(name_en=given.fillna(names).astype(object), code=codes.astype(object))
    features = features.reset_index(drop=True)
    return replace(layer, features=features)


def _facts(study: Study) -> pd.DataFrame:
    """Facts by Chinese district name; empty where the study names none."""
    if study.file.region.facts is None:
        return pd.DataFrame(columns=["name_pinyin", "population", "county_code"])
    table = pd.read_csv(study.card(study.file.region.facts).path, dtype={"county_code": str})
    return table.drop_duplicates("name_zh").set_index("name_zh")


def _population(study: Study) -> dict[str, float]:
    facts = _facts(study)
    return {**{str(k): float(v) for k, v in facts["population"].items()}, **study.file.region.population}


@dataclass(frozen=True)
class RegionFacts:
    """The light part of a region: read by a rerun that touches no raster."""

    districts: gpd.GeoDataFrame
    crs: str


def compute_region_facts(results: Results) -> RegionFacts:
    region = results.get("region")
    return RegionFacts(region.districts, region.frame.crs)


def compute_ground(results: Results) -> Ground:
    study, region = results.study, results.get("region")
    vectors: list[VectorLayer] = []
    rasters: list[RasterLayer] = []
    for name, entry in study.file.layers.items():
        card = study.card(entry.source, where=entry.where)
        if entry.kind == "raster":
            from layers.raster import read_raster
            from layers.raster_windows import open_raster

            large = region.frame.height * region.frame.width > _LARGE_FRAME_CELLS
            read = open_raster if large else read_raster
            rasters.append(replace(read(card, region.frame, log=results.log), id=name))
        elif entry.kind != "vector":
            from siting.derived_layers import derived_raster

            derived = derived_raster(
                card,
                region.frame,
                entry.kind,
                classes=entry.classes,
                level_degree=entry.level_degree,
                log=results.log,
            )
            rasters.append(replace(derived, id=name))
        else:
            from layers.vector import read_vector

            vectors.append(replace(read_vector(card, region.frame.crs, log=results.log), id=name))
    if study.file.generated.land is not None:
        from layers.generated.land import generate_land
        from layers.generated.profiles import land_profile

        vectors += generate_land(
            region.districts,
            seed=study.file.study.seed,
            profile=land_profile(study.file.generated.land.profile),
            progress=results.progress,
        )
    return Ground(tuple(vectors), tuple(rasters))


def compute_weather(results: Results) -> tuple[Weather, ...]:
    cells = weather_cells(results.study, results.log)
    if results.study.file.generated.weather is not None:
        cells.append(_generated_weather(results.study))
    return tuple(cells)


def _generated_weather(study: Study) -> Weather:
    from layers.generated.weather import generate_weather

    spec = study.file.generated.weather
    assert spec is not None
    table = pd.read_csv(study.card(spec.normals).path)
    rows = table[table["place"] == spec.place]
    first = rows.iloc[0]
    return generate_weather(
        rows,
        cell_id=spec.place,
        latitude=float(first["lat"]),
        longitude=float(first["lon"]),
        altitude_m=float(first["alt_m"]),
        seed=study.file.study.seed,
        year=spec.year,
    )


def compute_demand(results: Results) -> Demand | None:
    file = results.study.file
    if file.demand is not None:
        from layers.demand import read_provincial_demand

        title = f"{file.demand.column}: {file.demand.share:g} x {file.demand.growth:g}"
        return read_provincial_demand(
            results.study.card(file.demand.source),
            file.demand.column,
            file.demand.share,
            growth=file.demand.growth,
            title=title,
        )
    if file.generated.demand is None:
        return None
    from layers.generated.demand import generate_demand

    return generate_demand(peak_mw=file.generated.demand.peak_mw, seed=file.study.seed)


# --- siting -----------------------------------------------------------------------------------------------------


def compute_yields(results: Results) -> YieldResult:
    from siting.roof_shade import shade_factors
    from siting.yields import compute_yields as yields_of
    from study.pv import host_types, pv_options
    from study.wind import assumption_findings, wind_study

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
    from study import costs

    return costs.compute_costs(results)


def compute_parks(results: Results) -> object:
    from study import parks

    return parks.compute_parks(results)


def compute_criteria(results: Results) -> pd.DataFrame:
    """Values of the criteria of every candidate; weights do not enter here, so that a changed weight is cheap."""
    from siting.criteria import criterion_values

    ground, network = results.get("ground"), results.get("network")
    stations = _station_layer(network, results.get("region").frame.crs)
    return criterion_values(
        results.get("sites").candidates,
        results.get("costs").yields,
        (*ground.vectors, stations),
        ground.rasters,
        records.criteria(results.study.file),
        results.get("site_attributes"),
    )


def _station_layer(network: Network, crs: str) -> VectorLayer:
    stations = network.stations
    points = gpd.GeoSeries(gpd.points_from_xy(stations["lon"], stations["lat"]), crs=_WGS84).to_crs(crs)
    features = gpd.GeoDataFrame(stations[["station_id"]].reset_index(drop=True), geometry=points.to_numpy(), crs=crs)
    return VectorLayer("stations", features, network.origin)


def compute_scores(results: Results) -> pd.DataFrame:
    from siting.score import score_candidates

    return score_candidates(results.get("criteria"), records.criteria(results.study.file))


def compute_stability(results: Results) -> Stability:
    """What changed weights would do to the ranking."""
    from siting.rank_stability import stability_study

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
    from study.network import build_network

    return build_network(results)


def compute_load_flow(results: Results) -> object:
    from grid.loadflow import run_load_flow

    return run_load_flow(results.get("network"), records.cases(results.study.file), progress=results.progress)


def compute_hosting(results: Results) -> object:
    from study import connect

    return connect.compute_hosting(results)


def compute_connection_study(results: Results) -> object:
    from study import connect

    return connect.compute_connection_study(results)


def compute_connections(results: Results) -> pd.DataFrame:
    from study import connect

    return connect.compute_connections(results)


def compute_upgrades(results: Results) -> object:
    from study import connect

    return connect.compute_upgrades(results)


def compute_verdicts(results: Results) -> object:
    from study import connect

    return connect.compute_verdicts(results)


def compute_grades(results: Results) -> object:
    from study.hosting_grades import compute_grades as grades_of

    return grades_of(results)


def compute_plan_basis(results: Results) -> object:
    from study import plan_basis

    return plan_basis.compute_plan_basis(results)


def compute_plan(results: Results) -> object:
    from study import plan

    return plan.compute_plan(results)


def compute_curtailment(results: Results) -> object:
    from study import curtailment

    return curtailment.compute_curtailment(results)


def compute_year(results: Results) -> object:
    from study.year import compute_year as year_of

    return year_of(results)


# --- the graph --------------------------------------------------------------------------------------------------


def _slice(*names: str) -> Callable[[Study], object]:
    """The parts of the study file that a stage depends on, as plain JSON."""

    def config(study: Study) -> object:
        dump = study.file.model_dump(mode="json")
        return [dump[name] for name in names]

    return config


def _no_sources(study: Study) -> Sequence[str]:
    return ()


def _named(*pick: Callable[[StudyFile], Iterable[str | None]]) -> Callable[[Study], Sequence[str]]:
    """Ids of the sources that a stage reads; None where the study names none."""

    def sources(study: Study) -> Sequence[str]:
        return sorted({name for one in pick for name in one(study.file) if name})

    return sources


def _seed_and(*names: str) -> Callable[[Study], object]:
    inner = _slice(*names)
    return lambda study: [study.file.study.seed, study.file.study.code, inner(study)]


def _criterion_sources(study: Study) -> object:
    """What the criteria read; weights and value functions come later."""
    return [(c.id, c.source) for c in study.file.criteria]


def _network_config(study: Study) -> object:
    network = study.file.network
    return [
        study.file.study.seed,
        network.model_dump(mode="json", exclude={"rule_book", "rule_book_options"}),
        _folder_digest(study, network.folder),
        _folder_digest(study, network.standards),
    ]


def _cases_config(study: Study) -> object:
    return [_slice("cases")(study), _folder_digest(study, study.file.network.standards)]


def _rule_book_config(study: Study) -> object:
    chosen = study.file.network.model_dump(mode="json", include={"rule_book", "rule_book_options"})
    return [chosen, study.file.land.province, _cases_config(study)]


def _plan_basis_config(study: Study) -> object:
    """What lots and operating points depend on; targets, prices and budgets come later."""
    plan = study.file.plan
    return [_cases_config(study), None if plan is None else [plan.hours, plan.large_site_mw]]


def _plan_config(study: Study) -> object:
    plan = study.file.plan
    if plan is None:
        return None
    targets = [(t.technology_group, t.year, t.target_mw, t.installed_mw) for t in study.file.targets]
    return [plan.model_dump(mode="json"), targets, _cases_config(study)]


def _folder_digest(study: Study, folder: str | None) -> str:
    if not folder:
        return ""
    from study.cache import file_digest

    return file_digest(resolve_path(folder, study.path.parent))


def _by_own_standards(compute: Callable[[Results], object]) -> Callable[[Results], object]:
    """The stage with the study's own standard tables laid over the program's."""

    def computed(results: Results) -> object:
        from grid.standards_tables import own_standards

        folder = results.study.file.network.standards
        with own_standards(resolve_path(folder, results.study.path.parent) if folder else None):
            return compute(results)

    return computed


def _weather_config(study: Study) -> object:
    made = study.file.generated.model_dump(mode="json")
    region = [_slice("region")(study), made["region"]] if needs_region(study.file) else []
    return [study.file.study.seed, made["weather"], _slice("weather")(study), region]


STAGES: tuple[Stage, ...] = (
    Stage("region", "区域", "region", (), _LAYERS,
          lambda s: [_seed_and("region")(s), s.file.generated.model_dump(mode="json")["region"]],
          _named(lambda f: (f.region.districts, f.region.facts)), compute_region),
    Stage("region_facts", "区域概况", "region facts", ("region",), _LAYERS, lambda s: [], _no_sources,
          compute_region_facts),
    Stage("ground", "地面图层", "ground layers", ("region",), _GROUND,
          lambda s: [s.file.study.seed, s.file.generated.model_dump(mode="json")["land"], _slice("layers")(s)],
          _named(lambda f: [entry.source for entry in f.layers.values()]), compute_ground),
    Stage("weather", "气象", "weather", (), _LAYERS, _weather_config,
          _named(lambda f: [c.source for c in f.weather], region_sources,
                 lambda f: [f.generated.weather.normals] if f.generated.weather else []), compute_weather),
    Stage("demand", "负荷", "demand", (), _LAYERS,
          lambda s: [s.file.study.seed, s.file.generated.model_dump(mode="json")["demand"], _slice("demand")(s)],
          _named(lambda f: [f.demand.source] if f.demand else []), compute_demand),
    Stage("host_layers", "场址图层", "host layers", ("region", "ground"), _SITING,
          lambda s: [s.file.pv.variants, _slice("hosts")(s)], _no_sources, sites.compute_host_layers),
    Stage("land", "土地适宜性与台账", "land and ledger", ("region", "ground", "host_layers"), _SITING,
          lambda s: [s.file.land.rules, pack_digest(s), s.file.land.province,
                     s.file.land.mapped_by, s.file.land.co_use, ledger_config(s), _slice("hosts", "exclusions")(s)],
          _no_sources, compute_land),
    Stage("land_tables", "土地统计", "land tables", ("land",), _SITING, lambda s: [], _no_sources,
          compute_land_tables),
    Stage("map_layers", "地图图层", "map layers", ("region", "ground", "land"),
          (*_SITING, "maps/style.toml", "study/land_pictures.py", "study/map_layers.py",
           "study/map_backdrop.csv"),
          lambda s: [s.file.land.rules, pack_digest(s), map_layers_config(s.file)], _no_sources, compute_map_layers),
    Stage("sites", "候选场址", "candidate sites", ("region", "ground", "host_layers", "land", "weather"), _SITING,
          lambda s: [s.file.study.code, s.file.pv.variants, s.file.sites.prevailing_wind_from_deg,
                     _slice("land", "hosts")(s)], _no_sources, sites.compute_sites),
    Stage("site_rules", "场址周边规则", "rules around sites", ("land", "sites"), _SITING, lambda s: [], _no_sources,
          sites.compute_site_rules),
    Stage("yields", "发电量与成本", "yield and cost", ("host_layers", "sites", "weather"), _SITING,
          _slice("wind", "pv"), _named(lambda f: [f.pv.horizon]), compute_yields),
    Stage("network", "电网模型", "network", ("region", "ground", "demand"), _GRID, _network_config,
          _named(lambda f: (f.network.lines_source, f.network.substations_source, f.network.plants_source)),
          _by_own_standards(compute_network)),
    Stage("load_flow", "潮流与 N-1", "load flow and N-1", ("network",), _GRID, _cases_config,
          _no_sources, _by_own_standards(compute_load_flow)),
    Stage("hosting", "承载力", "hosting capacity", ("network",), _GRID, _cases_config,
          _no_sources, _by_own_standards(compute_hosting)),
    Stage("connection_study", "接入方案比选", "connection study", ("region", "ground", "sites", "network", "hosting"),
          _GRID, lambda s: [_cases_config(s), _slice("connection")(s)], _no_sources,
          _by_own_standards(compute_connection_study)),
    Stage("connections", "接入方案", "connections", ("sites", "network", "hosting", "connection_study"), _GRID,
          _cases_config, _no_sources, _by_own_standards(compute_connections)),
    Stage("costs", "成本与减排", "cost and CO2", ("region_facts", "sites", "yields"), _SITING, _slice("cost"),
          _no_sources, compute_costs),
    Stage("parks", "园区源网荷储匹配", "parks", ("sites", "yields", "costs"), _SITING, _slice("parks", "cost"),
          _named(lambda f: [park.load_source for park in f.parks]), compute_parks),
    Stage("site_attributes", "场址属性", "site attributes",
          ("region", "ground", "host_layers", "sites", "network"), _SITING,
          _slice("sites"), _no_sources, sites.compute_site_attributes),
    Stage("criteria", "指标", "criteria", ("sites", "site_attributes", "costs", "ground", "network"), _SITING,
          _criterion_sources, _no_sources, compute_criteria),
    Stage("scores", "评分", "scores", ("criteria",), _SITING, _slice("criteria", "ahp"), _no_sources,
          compute_scores),
    Stage("stability", "排序稳健性", "rank stability", ("criteria",), _SITING,
          _seed_and("criteria", "ahp", "stability"), _no_sources, compute_stability),
    Stage("upgrades", "电网措施", "grid measures", ("network", "hosting", "connections"), _GRID, _cases_config,
          _no_sources, _by_own_standards(compute_upgrades)),
    Stage("verdicts", "接纳结论", "verdicts",
          ("sites", "connections", "hosting", "upgrades", "scores"), _GRID, _cases_config,
          _no_sources, _by_own_standards(compute_verdicts)),
    Stage("grades", "承载力等级", "grades by the rule book",
          ("region_facts", "sites", "network", "load_flow", "connections", "verdicts"), (*_GRID, "siting"),
          _rule_book_config, _named(lambda f: [f.network.rule_book_options.ledger_source]),
          _by_own_standards(compute_grades)),
    Stage("year", "全年潮流", "year of hours", ("network", "demand", "sites", "yields", "connections", "verdicts"),
          (*_GRID, "siting"), _cases_config, _no_sources, _by_own_standards(compute_year)),
    Stage("curtailment", "弃电与承载力", "capacity by curtailment",
          ("network", "demand", "sites", "yields", "connections"), (*_GRID, "siting"), _cases_config, _no_sources,
          _by_own_standards(compute_curtailment)),
    Stage("plan_basis", "规划基础", "basis of the plan",
          ("sites", "yields", "network", "demand", "connections", "costs"), (*_GRID, "siting"), _plan_basis_config,
          _no_sources, _by_own_standards(compute_plan_basis)),
    Stage("plan", "规划方案", "plan", ("plan_basis",), _GRID, _plan_config, _no_sources,
          _by_own_standards(compute_plan)),
)  # fmt: skip
