"""What the study stands on: sources, region, layers, weather, demand, and what of them is generated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from layers.contracts import Datum, Origin
from study.schema.base import Closed, Identifier


class SourceEntry(Closed):
    """Identity card of one file."""

    path: str
    """Relative to the study file, or beginning with ${FENGGUANG_DATA}/ or builtin:/ (the program's data/raw)."""
    licence: str
    origin: Origin
    datum: Datum | None = None
    """Datum of geographic coordinates. State it: it is never guessed."""
    layer: str | None = None
    """Layer inside a GeoPackage."""
    unit: str | None = None
    nodata: float | None = None
    sha256: str | None = None
    """When given, another content is refused."""
    attribution: str = ""
    title_zh: str = ""
    title_en: str = ""
    note: str = ""


class RegionEntry(Closed):
    districts: str | None = None
    """Source id of the district polygons; leave out for a generated region."""
    code_column: str = ""
    """Column with the district code; empty: the name is the code."""
    name_zh_column: str = "name"
    name_en_column: str = ""
    facts: str | None = None
    """Source id of a CSV with county_code, name_zh, name_pinyin, population, lon, lat (WGS-84)."""
    only: tuple[str, ...] = ()
    """Names or codes of the districts to use; empty: all."""
    crs: str = "auto"
    """'auto': the CGCS2000 3-degree zone of the region's centre; or an EPSG code."""
    resolution_m: Annotated[float, Field(gt=0, le=1000)] = 30.0
    names_en: dict[str, str] = {}
    """English names by Chinese district name, where file and facts lack them."""
    population: dict[str, float] = {}
    """Inhabitants by Chinese district name, where facts lack them."""


class GeneratedRegion(Closed):
    centre_lon: float
    centre_lat: float
    area_km2: Annotated[float, Field(gt=0)]
    count: Annotated[int, Field(ge=1)] = 1
    population: Annotated[float, Field(gt=0)] = 100_000.0


class GeneratedLand(Closed):
    profile: str
    """Row of layers/generated/profiles, e.g. north_anhui_plain."""


class GeneratedWeather(Closed):
    normals: str
    """Source id of a CSV of monthly normals."""
    place: str
    """Value of the column 'place'."""
    year: int = 2023


class GeneratedDemand(Closed):
    peak_mw: Annotated[float, Field(gt=0)]
    source: str
    confidence: Literal["A", "B", "C"] = "C"


class Generated(Closed):
    """What is generated because no source is at hand; it says so on the map and in every list."""

    region: GeneratedRegion | None = None
    land: GeneratedLand | None = None
    weather: GeneratedWeather | None = None
    demand: GeneratedDemand | None = None


class LayerEntry(Closed):
    source: str
    """Source id."""
    kind: Literal["vector", "raster", "slope", "aspect", "classes", "class_share"] = "vector"
    """slope (degrees) and aspect (degrees from north) are worked out from elevations in metres; classes are codes,
    never averaged; class_share is the share of a cell that the codes in 'classes' cover."""
    where: str | None = None
    """Attribute filter, e.g. fclass = 'forest'."""
    classes: tuple[float, ...] = ()
    """Codes that class_share counts."""
    level_degree: Annotated[float, Field(ge=0, le=90)] = 1.0
    """Ground gentler than this has no aspect."""


class WeatherEntry(Closed):
    """One weather file: a station, a satellite point, or a grid, whose points in and near the region become cells."""

    id: Identifier
    source: str
    """Source id of the file."""
    format: Literal["auto", "epw", "tmy3", "pvgis_tmy", "pvgis_hourly", "nasa_power", "netcdf", "csv"] = "auto"
    """auto: told by the content, the reason is part of the report."""
    year: int = 2023
    """Calendar that the hours are given; one for all weather of a study."""
    years: tuple[int, ...] = ()
    """Years of a series to choose from; empty: all. The one whose irradiation is nearest their mean is used."""
    columns: dict[str, str] = {}
    """csv: the file's heading for 'time', ghi_w_per_m2, dni_w_per_m2, dhi_w_per_m2, temp_air_c, pressure_pa,
    wind_speed_m_per_s, wind_from_degree, albedo."""
    units: dict[str, str] = {}
    """csv: unit of a column where it is not the one in its name, e.g. pressure_pa = 'hPa'."""
    label: Literal["start", "end", "centre", "reading"] = "start"
    """csv: where the stamp stands in its interval; reading: a value at that moment."""
    zone: Annotated[float, Field(ge=-12, le=14)] | None = None
    """csv: hours east of UTC of stamps that have no zone; 8 is Chinese standard time."""
    lat: float | None = None
    """csv: where it was measured; elsewhere it stands before the file's own."""
    lon: float | None = None
    altitude_m: float | None = None
    wind_height_m: Annotated[float, Field(gt=0, le=300)] | None = None
    second_wind_height_m: Annotated[float, Field(gt=0, le=300)] | None = None
    """csv: height of wind_speed_second_m_per_s."""
    roughness_length_m: Annotated[float, Field(gt=0, lt=5)] | None = None
    bounds: tuple[float, float, float, float] | None = None
    """netcdf: west, south, east, north of the grid points to use; leave out for the region's own."""
    labels: Literal["by_sun", "as_filed"] = "by_sun"
    """by_sun: radiation is moved to where its sun stands; as_filed: labels are kept whatever the sun says."""


class DemandEntry(Closed):
    source: str
    """Source id of an hourly table."""
    column: str
    """Province column, e.g. ZJ."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Share of the province's demand."""
    growth: Annotated[float, Field(gt=0)] = 1.0
    """Factor from the data's year to the study's."""
    note: str = ""
