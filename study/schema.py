"""The study file: a closed, frozen schema that explains itself.

Every attribute's description becomes the JSON schema for editors (``fengguang schema``) and the manual. Unknown
keys are refused by name with the nearest valid key. Values that need the outside world to be judged (a setback's
sign, a host type's name, weights that must add up) are plain here and judged in :mod:`study.checks.all`, so that one
report names every fault at once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from layers.contracts import Datum, Origin
from study.schema_base import Closed, Identifier
from study.schema_outputs import BaseTilesEntry, OutputEntry, PlanEntry, QuotaEntry, TargetEntry

__all__ = ["BaseTilesEntry", "Closed", "Identifier", "OutputEntry", "PlanEntry", "QuotaEntry", "TargetEntry"]


class About(Closed):
    name: Identifier
    """Folder name of the results."""
    code: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,6}$")]
    """Prefix of candidate ids, e.g. BZ."""
    title_zh: str
    title_en: str
    language: Literal["zh", "en"] = "zh"
    """Language that the map opens in."""
    seed: int = 20240101
    """Seed of everything that is generated."""


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


class HostEntry(Closed):
    host_type: str
    """Row of siting/technologies/host_types.csv."""
    layer: str
    area_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the polygons' area that is host, e.g. roof area per settlement area."""
    area_share_source: str = ""
    area_share_confidence: Literal["A", "B", "C"] = "C"
    share_column: str = ""
    """Column of the layer with the share of each feature that is host."""
    roof_classes: tuple[str, ...] = ()
    """The layer holds footprints: those of these classes (siting/technologies/roof_classes.csv) by their attributes."""
    height_column: str = ""
    """Column with the heights of footprints in m; neighbours' shade follows from it."""
    modelled_as: str = ""
    """The layer is land use without footprints: its roofs are estimated (siting/technologies/roof_stock.csv)."""
    footprints: tuple[str, ...] = ()
    """Layers of mapped roofs that are taken off the estimate."""
    support: Literal["", "pile", "floating"] = ""
    """The layer holds ponds: those that depth and area put on piles, or on floats."""
    depth_column: str = ""
    """Column with the depth of ponds in m."""
    low_water_m: float | None = None
    """The layer is a raster of the bed's elevation: mudflats lie between low and high water."""
    high_water_m: float | None = None


class ExclusionEntry(Closed):
    """A rule of the pack applied to a layer, or a rule of the study's own."""

    rule: str
    """Rule id of the pack, or a new id with labels."""
    layer: str
    setback_m: float | None = None
    """Overrides the pack's setback; measured on the ground from the feature's edge."""
    limit: float | None = None
    """Of raster rules: the largest (raster_above) or smallest (raster_below) value allowed."""
    low: float | None = None
    """Of ranges and aspects: lower end; aspects run clockwise from north, 315 to 45 is north."""
    high: float | None = None
    share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of share rules: covered share above which a cell or feature is excluded."""
    width_m: float | None = None
    """Of vector_narrow: narrower parts of the features are excluded."""
    applies_to: tuple[str, ...] | None = None
    """Host types; leave out for the pack's own list."""
    classes: tuple[str | int, ...] = ()
    """Only features whose class_column holds one of these; for class rasters: codes."""
    class_column: str = ""
    setback_column: str = ""
    """Column with road class, voltage, ... that the pack's table of setbacks (or 'setbacks') goes by."""
    setbacks: dict[str, float] | None = None
    """Setback by value of setback_column, e.g. { motorway = 30, trunk = 20 }."""
    setbacks_from: dict[str, float] | None = None
    """Setback from a number on, e.g. { 35 = 10, 154 = 15 } by kV."""
    features_of: str = ""
    """Of feature_share: layer whose features are judged by the share of them that this layer covers."""
    known_within: str = ""
    """Polygon layer within which this layer is complete; outside it the rule leaves land unknown."""
    nodata: Literal["unknown", "eligible", "excluded"] = "unknown"
    """What cells without a value are; anything but unknown needs nodata_reason."""
    nodata_reason: str = ""
    """Why; listed with the assumptions."""
    kind: str | None = None
    """Of a rule of the study's own: vector, vector_outside, vector_narrow, cell_share, cell_share_below, feature_share,
    feature_share_below, raster_above, raster_below, raster_between, raster_outside, raster_classes,
    raster_not_classes, aspect_between."""
    label_zh: str | None = None
    label_en: str | None = None
    document: str | None = None
    clause: str | None = None
    date: str | None = None
    """Day of the document, YYYY-MM-DD."""
    confidence: Literal["A", "B", "C"] | None = None


class LandEntry(Closed):
    rules: str = "cn-2024"
    """Rule pack: a name that 'fengguang rules' lists, or the path of an own pack (.toml) relative to the study."""
    province: Annotated[str, Field(pattern=r"^([0-9]{2}0000)?$")] = ""
    """GB/T 2260 code of the province whose own versions of rules hold; empty: that of the district codes."""
    mapped_by: tuple[str, ...] = ()
    """Layers whose cover counts as mapped; all other land stays unknown."""
    co_use: tuple[tuple[str, str], ...] = ()
    """Pairs of host types that may share land."""
    block_km: Annotated[float, Field(gt=0)] = 15.0
    """Roofs are gathered into projects by blocks of this size."""
    dc_ac_ratio: Annotated[float, Field(ge=1, le=2)] = 1.2
    policy: Literal["priority", "best_value", "given"] = "priority"
    """Who comes first on land that several host types could use: the lower ledger_priority, the better figure of
    'values' and 'value_rasters', or the host type named first in 'order'."""
    order: tuple[str, ...] = ()
    """For policy = 'given': all host types of the study, first owner first."""
    values: dict[str, float] = {}
    """For policy = 'best_value': a figure by host type, e.g. its cost of energy or its worth per km2."""
    value_rasters: dict[str, str] = {}
    """For policy = 'best_value': raster layer by host type, where the figure varies from cell to cell."""
    lower_is_better: bool = False
    """Whether the lower figure wins (costs)."""
    rasters: bool = False
    """Write land/<host type>_state.tif and _reasons.tif with rule_sets.csv into the run folder."""
    reasons: bool = True
    """Note for every cell which rules exclude it; false saves time and leaves _reasons.tif out."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Threads of the land stage; 0: one a core. The result does not depend on it."""
    dask: str | None = None
    """Address of a Dask scheduler, e.g. tcp://host:8786, that the strips go to; leave out for local threads."""


class SitesEntry(Closed):
    """What is said of the place of each site: layers of the study, each optional."""

    roads: str = ""
    """Layer of roads, for the distance."""
    power_lines: str = ""
    """Layer of power lines; empty: the lines of the network."""
    townships: str = ""
    """Layer of townships."""
    township_column: str = "name"
    """Column with their names."""
    slope: str = ""
    """Raster layer of slopes in degrees."""
    prevailing_wind_from_deg: Annotated[float, Field(ge=0, le=360)] | None = None
    """Where the prevailing wind comes from, clockwise from north; rows of turbines stand across it. Empty: from the
    weather's directions, or where it has none from siting/technologies/turbine_spacing.csv."""


class CriterionEntry(Closed):
    id: Identifier
    label_zh: str
    label_en: str
    weight: float | None = None
    """Weights add up to 1. Leave them out where [ahp] compares the criteria."""
    source: str
    """yield.<column>, site.<column>, candidate.<column>, distance:<layer> (km), distance:stations, raster:<layer>."""
    value: Literal["linear", "trapezoid", "logistic", "table"] = "linear"
    """How the value becomes a utility of 0..1: linear from worst to best, or by corners, curve or points."""
    worst: float | None = None
    """linear: counts 0."""
    best: float | None = None
    """linear: counts 1; may be the smaller one."""
    corners: tuple[float, float, float, float] | None = None
    """trapezoid: 0 up to the first, 1 from the second to the third, 0 from the fourth."""
    midpoint: float | None = None
    """logistic: counts one half."""
    steepness: float | None = None
    """logistic: 1 by the value's unit; negative where less is better. From 0.1 to 0.9 it takes 4.39 / steepness."""
    points: tuple[tuple[float, float], ...] = ()
    """table: pairs of value and utility, straight lines between, constant beyond."""


class AhpEntry(Closed):
    """Weights from pairwise comparisons; a consistency ratio over 0.1 is refused."""

    criteria: tuple[str, ...] = ()
    """Order of the matrix; empty: that of the criteria."""
    matrix: tuple[tuple[float, ...], ...] = ()
    """Row i, column j: how many times as important i is as j (1/9 to 9)."""
    comparisons: dict[str, float] = {}
    """Instead of the matrix, every pair once: { "cost/station" = 3 }."""
    source: str = ""
    """Who compared, and when."""


class StabilityEntry(Closed):
    """How far the ranking is tested against changed weights."""

    spread: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Every weight moves by up to this share."""
    first: Annotated[int, Field(ge=1, le=1000)] = 20
    """Number of leading sites that are looked at."""
    draws: Annotated[int, Field(ge=1, le=10_000)] = 500


class TechnologyCostEntry(Closed):
    """The study's own figures for one technology; each is listed as an assumption."""

    technology: str
    """Row of siting/technologies/technologies.csv."""
    capex_cny_per_kw: Annotated[float, Field(gt=0)] | None = None
    """Investment without grid connection, by DC capacity of PV, AC of wind."""
    opex_cny_per_kw_a: Annotated[float, Field(ge=0)] | None = None
    life_a: Annotated[float, Field(ge=1, le=60)] | None = None
    discount_rate: Annotated[float, Field(ge=0, le=0.3)] | None = None
    degradation_per_a: Annotated[float, Field(ge=0, le=0.1)] | None = None
    price_year: int | None = None
    """Year of the prices stated here; the study's where left out."""
    source: str = ""
    confidence: Literal["A", "B", "C"] = "C"


class CostEntry(Closed):
    """What the cost of energy is counted with."""

    price_year: int = 2023
    """All money is brought to prices of this year."""
    discount_rate: Annotated[float, Field(ge=0, le=0.3)] | None = None
    """Real, before tax, for all technologies; leave out for each technology's own."""
    source: str = ""
    """Where the discount rate comes from."""
    confidence: Literal["A", "B", "C"] = "C"
    land_lease: str = "none"
    """Scenario of siting/technologies/land_leases.csv, e.g. typical."""
    storage: str = "none"
    """Scenario of siting/technologies/storage_scenarios.csv, e.g. hangzhou_draft: a scenario, not a rule."""
    connection: str = "none"
    """Scenario of siting/technologies/connection_allowances.csv that counts where the network study found none."""
    co2_region: str = ""
    """Row of siting/technologies/emission_factors.csv; empty: the province of the districts."""
    technologies: tuple[TechnologyCostEntry, ...] = ()


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


class WindEntry(Closed):
    mean_speed_m_per_s: Annotated[float, Field(gt=0, le=15)] | None = None
    """Long-run mean at hub height to which the hourly series is scaled; leave out to use the series as it is."""
    source: str = ""
    confidence: Literal["A", "B", "C"] = "C"
    mean_speed_height_m: Annotated[float, Field(ge=10, le=250)] | None = None
    """Height at which the stated means hold; leave out: at hub height."""
    mean_speed_layer: str = ""
    """Raster layer with the long-run mean [m/s]: every wind site is scaled to its own value."""
    hub_height_m: Annotated[float, Field(ge=10, le=250)] | None = None
    """Hub of all turbines, one of those on offer in turbines.csv; leave out for each turbine's own."""
    shear: Literal["auto", "log", "power", "two_level"] = "auto"
    """From measuring height to hub: two levels where the weather has them (auto), logarithmic or power law."""
    shear_exponent: Annotated[float, Field(ge=-0.1, le=0.6)] | None = None
    """Of the power law; leave out for 1/ln(h/z0)."""
    land_class: str = ""
    """Ground of the wind sites, row of wind_roughness.csv; empty: as at the weather station."""
    density: Literal["iec", "none"] = "iec"
    """Air density by IEC 61400-12-1, or none."""
    hysteresis: bool = True
    """After a storm the turbine waits for its re-cut-in speed."""
    wake: Literal["loss_chain", "density", "layout"] = "loss_chain"
    """Wake loss: of the turbine's loss chain, by installed density and size, or by the positions of the turbines."""
    wake_model: Literal["jensen", "gauss"] = "jensen"
    losses_percent: dict[str, Annotated[float, Field(ge=0, le=60)]] = {}
    """Other losses than those of wind_losses.csv by item, e.g. { availability = 5 }."""
    curtailment: tuple[str, ...] = ()
    """Rules of wind_curtailment.csv that hold, e.g. ["night_noise", "bats"]."""


class PvEntry(Closed):
    """How light becomes PV power, for the whole study."""

    transposition: Literal["haydavies", "perez", "isotropic"] = "haydavies"
    """Model that brings diffuse light onto tilted planes."""
    reflection: Literal["physical", "ashrae", "none"] = "physical"
    """Loss of the beam at the glass by its angle."""
    cell_temperature: Literal["pvsyst", "faiman", "sapm"] = "pvsyst"
    """Cell temperature model; pv_mountings.csv says which mountings have coefficients."""
    module_model: Literal["pvwatts", "single_diode"] = "pvwatts"
    """pvwatts: linear in light and temperature; single_diode: De Soto with the parameters of pv_modules.csv."""
    subhourly_clipping: bool = False
    """Take the loss at the inverter's limit into account that hourly means hide (some tenths of a percent, 2 % at a
    DC/AC ratio of 2)."""
    horizon: Identifier | None = None
    """Source id of a CSV with the skyline: azimuth_deg, elevation_deg and, where they differ, weather_cell."""
    variants: dict[str, str] = {}
    """Another way of building by host type, rows of pv_variants.csv, e.g. { fish_pond = "ground_bifacial" }."""


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


class StationEntry(Closed):
    """A station the study names."""

    name_zh: str
    name_en: str
    vn_kv: float
    district: str = ""
    """Chinese district name; empty: outside the region."""
    lon: float | None = None
    lat: float | None = None
    status: Literal["existing", "planned", "outside"] = "existing"
    source: str = ""


class PlantEntry(Closed):
    """An existing plant the study names."""

    name_zh: str
    name_en: str
    fuel: Literal["coal", "gas", "hydro", "pumped", "wind", "pv", "biomass", "storage", "other"]
    p_max_mw: Annotated[float, Field(gt=0)]
    district: str = ""
    vn_kv: float = 220.0
    source: str = ""
    origin: Origin = Origin.ASSUMED


class RuleFigureEntry(Closed):
    """A figure of the study's own in place of the rule book's; printed with the result."""

    rule: str
    """Name of a row of grid/rulebook/rules.csv, e.g. n_1_limit or k_r."""
    value: Annotated[float, Field(ge=0)]
    source: str


class RuleBookEntry(Closed):
    """How the stations are graded by the rule book; what is not given here is the edition's or the network's."""

    new_storage: Literal["after", "inside"] = "after"
    """Place of expected new storage in the formula of 2025: after dividing by tau_max, or inside the numerator."""
    floor_at_zero: bool = False
    """Whether a negative hosting capacity counts as zero (2025)."""
    power_factor: Annotated[float, Field(gt=0, le=1)] = 0.95
    tau_max: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Largest simultaneous output of distributed generation per installed capacity."""
    typical_case: str = ""
    """Case that is the typical hour (2025); by default the transition-season case with the most sun."""
    ledger_source: str | None = None
    """CSV of what is connected, registered and stored below each transformer; columns: docs/dlt2041.md."""
    distributed: tuple[str, ...] | None = None
    """Ids of the plants that count as distributed; by default by the edition's scope."""
    henan: bool | None = None
    """Henan's 80 % rule; by default where the study lies in Henan."""
    overrides: tuple[RuleFigureEntry, ...] = ()


class NetworkEntry(Closed):
    kind: Literal["reference", "osm", "tables"]
    """reference: built on the named stations; osm: from OSM lines and stations; tables: the user's CSV folder."""
    stations: tuple[StationEntry, ...] = ()
    plants: tuple[PlantEntry, ...] = ()
    lines_source: str | None = None
    substations_source: str | None = None
    plants_source: str | None = None
    margin_degree: float = 0.3
    """OSM networks reach this far beyond the region."""
    folder: str | None = None
    """Folder of the network tables."""
    standards: str | None = None
    """Folder of own standard tables (conductors.csv, unit_costs.csv, study_limits.csv, ...): a row with the key of
    one of the program's replaces it, other rows are added."""
    rule_book: Literal["dlt2041-2025", "dlt2041-2019"] = "dlt2041-2025"
    """Edition of DL/T 2041 by which stations are graded."""
    rule_book_options: RuleBookEntry = RuleBookEntry()


class BaysEntry(Closed):
    """Bays that a station can give to new plants, where they are known."""

    station: str
    """Chinese name or id of the station."""
    vn_kv: Annotated[float, Field(gt=0)]
    bays_free: Annotated[int, Field(ge=0)]
    source: str = ""


class ConnectionEntry(Closed):
    """How candidates connect: one after the other, or jointly with routes, bays and collector stations."""

    joint: bool = False
    """All candidates are decided together; false: the larger ones choose first, on straight lines x detour factor,
    and what follows here counts for nothing."""
    routes: bool = True
    """Tie lines follow routes on a cost raster of the study's layers; false: straight lines x detour factor."""
    step_m: Annotated[float, Field(ge=50, le=2000)] | None = None
    """Edge of the cost raster's cells; leave out for one that keeps it below 200 000 cells."""
    terrain: dict[str, str] = {}
    """Class (row of grid/standards/route_terrain.csv) by layer, where the class does not name the layer; an empty
    class leaves the layer out."""
    slope: str = "slope"
    """Raster layer of slopes in degrees; ground without it counts as flat."""
    collectors: bool = True
    """Small sites may share a collector station."""
    lost_cny_per_mw: Annotated[float, Field(ge=0)] = 4e6
    """Price in the joint choice of a MW that all candidates together cannot inject after an outage, about what a MW of
    wind or sun costs to build: the dearer, the longer the lines to stations with room. 0: each bus counts alone."""
    bays: tuple[BaysEntry, ...] = ()


class CaseEntry(Closed):
    id: Identifier
    label_zh: str
    label_en: str
    load_share: Annotated[float, Field(ge=0, le=1.5)]
    pv_share: Annotated[float, Field(ge=0, le=1)]
    wind_share: Annotated[float, Field(ge=0, le=1)]
    fuel_shares: dict[str, float] = {}
    season: Literal["summer", "transition", "winter"] = "summer"


class ParkEntry(Closed):
    """A park whose hourly load is matched with wind, sun and storage near it."""

    id: Identifier
    """Names the park's file of hours."""
    name_zh: str
    name_en: str
    lon: Annotated[float, Field(ge=-180, le=180)]
    """WGS-84, degrees."""
    lat: Annotated[float, Field(ge=-90, le=90)]
    radius_km: Annotated[float, Field(gt=0, le=200)] | None = None
    """Candidates whose point lies within it serve the park, the nearest first."""
    candidates: tuple[str, ...] = ()
    """Ids of the candidates that serve the park, instead of a radius."""
    pv_mw: Annotated[float, Field(ge=0)] | None = None
    """Most PV (AC) that serves the park; left out: all that is in reach."""
    wind_mw: Annotated[float, Field(ge=0)] | None = None
    """Most wind that serves the park; left out: all that is in reach."""
    load_source: str | None = None
    """Source id of a CSV of 8760 hours, starts of the hours in UTC+08:00."""
    load_column: str = "load_mw"
    peak_mw: Annotated[float, Field(gt=0)] | None = None
    """Peak of a generated load, instead of a file."""
    shape: str = "continuous"
    """Shape of a generated load: row of siting/technologies/park_loads.csv."""
    storage_mw: Annotated[float, Field(ge=0)] = 0.0
    storage_mwh: Annotated[float, Field(ge=0)] = 0.0
    storage_efficiency: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Of the whole circle of charge and discharge."""
    grid_limit_mw: Annotated[float, Field(ge=0)] | None = None
    """Most that the grid point exchanges; left out: no limit."""
    export_limit_mw: Annotated[float, Field(ge=0)] | None = None
    """Most that is exported, where it is another figure; 0: no export."""
    grid_price_cny_per_mwh: Annotated[float, Field(ge=0)]
    """All that a MWh from the grid costs: energy, network, levies."""
    export_price_cny_per_mwh: Annotated[float, Field(ge=0)] = 0.0
    price_source: str
    price_confidence: Literal["A", "B", "C"] = "C"
    source: str = ""
    """Where place, load and sizes are from."""
    confidence: Literal["A", "B", "C"] = "C"


class AssumptionEntry(Closed):
    """Something the study's author assumes; listed in the manifest and shown with the result."""

    id: Identifier
    subject: str
    text_zh: str
    text_en: str
    value: str = ""
    source: str = ""
    confidence: Literal["A", "B", "C"] = "C"


class StudyFile(Closed):
    """One study: a region, its land, its sky, its network, and what the plan asks for."""

    study: About
    region: RegionEntry = RegionEntry()
    sources: dict[Identifier, SourceEntry] = {}
    generated: Generated = Generated()
    layers: dict[Identifier, LayerEntry] = {}
    land: LandEntry = LandEntry()
    hosts: tuple[HostEntry, ...]
    sites: SitesEntry = SitesEntry()
    exclusions: tuple[ExclusionEntry, ...] = ()
    criteria: tuple[CriterionEntry, ...]
    ahp: AhpEntry | None = None
    stability: StabilityEntry = StabilityEntry()
    cost: CostEntry = CostEntry()
    weather: tuple[WeatherEntry, ...] = ()
    wind: WindEntry = WindEntry()
    pv: PvEntry = PvEntry()
    demand: DemandEntry | None = None
    network: NetworkEntry
    connection: ConnectionEntry = ConnectionEntry()
    cases: tuple[CaseEntry, ...]
    targets: tuple[TargetEntry, ...] = ()
    plan: PlanEntry | None = None
    """Leave it out and no plan is made."""
    parks: tuple[ParkEntry, ...] = ()
    assumptions: tuple[AssumptionEntry, ...] = ()
    outputs: OutputEntry = OutputEntry()
