"""What a study stands on: region, layers, weather, demand, read from its sources or generated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import geopandas as gpd
import pandas as pd

from layers.contracts import Demand, FindingLog, RasterLayer, Region, VectorLayer, Weather
from study import records
from study.pipeline import Results
from study.schema.file import StudyFile
from study.stages.weather import weather_cells
from study.study_file import Study

_WGS84 = "EPSG:4326"
_LARGE_FRAME_CELLS = 60_000_000
"""Beyond this rasters are read by the strip when they are needed, not held (4 bytes a cell)."""


@dataclass(frozen=True)
class Ground:
    """All layers of a study on its frame's CRS."""

    vectors: tuple[VectorLayer, ...]
    rasters: tuple[RasterLayer, ...]


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
            from siting.rules.derived_layers import derived_raster

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
