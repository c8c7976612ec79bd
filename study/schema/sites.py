"""Where plants may stand and what they are: hosts, exclusions, land, sites, wind, PV, parks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from study.schema.base import Closed, Identifier


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
    host_types: tuple[str, ...] = ()
    """Host types that serve within the radius; left out: all but the roofs of dwellings, which connect at 380 V."""
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
    storage_cny_per_mwh: Annotated[float, Field(gt=0)] | None = None
    """Investment in a MWh of storage, prices of the study's price year; left out: siting/technologies/storage_costs.csv
    (1.3 million CNY/MWh of 2023)."""
    sizes: Literal["stated", "least_cost"] = "stated"
    """stated: pv_mw, wind_mw and storage as they stand here; least_cost: those of the sizing that keep the rules at
    least cost, of all that is in reach."""
    sizing: bool = True
    """Work out how much PV, wind and storage reaches which green share at least cost (parks/sizing.csv)."""
    storage_hours: Annotated[float, Field(gt=0, le=24)] = 2.0
    """Content by power of the storage that is sized, where none is stated."""
    sizing_bound: bool = False
    """Also solve the linear programme of the year for each row of the sizing: no plan of any sizes and any dispatch
    costs less (half a minute or more a row)."""
    grid_limit_mw: Annotated[float, Field(ge=0)] | None = None
    """Most that the grid point exchanges; left out: no limit."""
    export_limit_mw: Annotated[float, Field(ge=0)] | None = None
    """Most that is exported, where it is another figure; 0: no export."""
    grid_price_cny_per_mwh: Annotated[float, Field(ge=0)]
    """All that a MWh from the grid costs: energy, network, levies."""
    export_price_cny_per_mwh: Annotated[float, Field(ge=0)] = 0.0
    own_use_fee_cny_per_mwh: Annotated[float, Field(ge=0)] = 0.0
    """Network, system and government fees that own power used in the park pays."""
    lines: bool = True
    """Count a line of the park's own from each site (grid/standards); false: the price of own power has it."""
    spot_market: bool = True
    """Whether the province's spot market runs continuously; without it the notice on direct connection allows no
    export, and what is too much is curtailed."""
    most_export_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """The province's own limit of export by available generation, in place of the notice's general 20 %."""
    price_source: str
    price_confidence: Literal["A", "B", "C"] = "C"
    source: str = ""
    """Where place, load and sizes are from."""
    confidence: Literal["A", "B", "C"] = "C"
