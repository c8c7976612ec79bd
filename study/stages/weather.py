"""What the study file says about its weather, in the words of the reader."""

from __future__ import annotations

import math
from collections.abc import Sequence

from layers.contracts import Finding, FindingLog, Weather
from layers.weather_raw import Options
from study.schema.file import StudyFile
from study.schema.ground import WeatherEntry
from study.study_file import Study

_GRIDS = (".nc", ".nc4", ".netcdf")
_DEGREE_KM = 111.2


def weather_cells(study: Study, log: FindingLog) -> list[Weather]:
    """Weather cells of every file of the study, in the order of the study file."""
    from layers.weather_files import read_weather

    return [
        cell
        for entry in study.file.weather
        for cell in read_weather(study.card(entry.source), entry.id, weather_options(study, entry), log=log)
    ]


def weather_findings(study: Study) -> list[Finding]:
    """Findings about every weather file whose source is there, read as the study reads it."""
    from layers.weather_files import inspect_weather

    return [
        finding
        for entry in study.file.weather
        if entry.source in study.file.sources
        for finding in inspect_weather(study.card(entry.source), weather_options(study, entry))
    ]


def weather_options(study: Study, entry: WeatherEntry) -> Options:
    """The entry as the reader's options; a grid without bounds takes those of the region."""
    bounds = entry.bounds
    if bounds is None and _is_grid(study.file, entry):
        bounds = region_bounds(study)
    return Options(
        format=entry.format,
        year=entry.year,
        years=entry.years,
        columns=entry.columns,
        units=entry.units,
        label=entry.label,
        zone_h=entry.zone,
        latitude=entry.lat,
        longitude=entry.lon,
        altitude_m=entry.altitude_m,
        wind_height_m=entry.wind_height_m,
        second_wind_height_m=entry.second_wind_height_m,
        roughness_length_m=entry.roughness_length_m,
        bounds=bounds,
        labels=entry.labels,
    )


def needs_region(file: StudyFile) -> bool:
    """Whether a weather file is a grid whose points are chosen by the region."""
    return any(entry.bounds is None and _is_grid(file, entry) for entry in file.weather)


def region_sources(file: StudyFile) -> Sequence[str | None]:
    """Sources that the choice of grid points depends on."""
    return [file.region.districts] if needs_region(file) else []


def region_bounds(study: Study) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the study's districts in degrees WGS-84; None where they cannot be read."""
    made = study.file.generated.region
    if made is not None:
        half = 0.5 * made.area_km2**0.5 / _DEGREE_KM
        wide = half / math.cos(math.radians(made.centre_lat))
        return made.centre_lon - wide, made.centre_lat - half, made.centre_lon + wide, made.centre_lat + half
    from study.checks.sources import districts_wgs84

    districts, region = districts_wgs84(study), study.file.region
    if districts is None:
        return None
    if region.only and region.name_zh_column in districts.columns:
        chosen = districts[region.name_zh_column].isin(region.only)
        if region.code_column in districts.columns:
            chosen |= districts[region.code_column].astype(str).isin(region.only)
        districts = districts[chosen] if chosen.any() else districts
    west, south, east, north = (float(value) for value in districts.total_bounds)
    return west, south, east, north


def _is_grid(file: StudyFile, entry: WeatherEntry) -> bool:
    if entry.format != "auto":
        return entry.format == "netcdf"
    source = file.sources.get(entry.source)
    return source is not None and source.path.lower().endswith(_GRIDS)
