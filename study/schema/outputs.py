"""What the study asks for: targets, quotas, the plan, and the files and the map that come out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from layers.contracts import Datum
from study.schema.base import Closed


class TargetEntry(Closed):
    region: str
    quantity_zh: str
    quantity_en: str
    technology_group: Literal["pv", "wind", "renewable", "storage"]
    year: int
    target_mw: Annotated[float, Field(gt=0)]
    installed_mw: Annotated[float, Field(ge=0)] | None = None
    """What of it stands already, on the same basis; left out: unknown, and all of target_mw counts as new."""
    source: str


class QuotaEntry(Closed):
    """A floor or ceiling beside the targets: a county's quota, a ratio of roofs, a goal that the study works out."""

    technology_group: Literal["pv", "wind", "renewable", "storage"] = "renewable"
    technologies: tuple[str, ...] = ()
    """Only these technologies count, e.g. pv_roof; empty: all of the group."""
    districts: tuple[str, ...] = ()
    """Codes of the districts; empty: the whole study."""
    year: int
    """Stage by which it must hold."""
    least_mw: Annotated[float, Field(ge=0)] | None = None
    """New installed capacity, at least."""
    most_mw: Annotated[float, Field(ge=0)] | None = None
    """New installed capacity, at most."""
    least_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """At least this share of the candidates' installed capacity, e.g. 0.3 of all suitable roofs."""
    source: str
    """Where the figure comes from."""


class NewStationEntry(Closed):
    """A station that the network does not have and the plan may build."""

    name_zh: str
    name_en: str
    vn_kv: Literal[110, 220]
    lon: Annotated[float, Field(ge=-180, le=180)]
    """WGS-84, degrees."""
    lat: Annotated[float, Field(ge=-90, le=90)]
    source: str = ""


MeasureKind = Literal[
    "add_transformer",
    "replace_transformer",
    "high_impedance",
    "second_circuit",
    "reconductor",
    "new_station",
    "split_bus",
    "reactor",
    "capacitor",
    "dynamic_rating",
    "curtailment_contract",
    "demand_response",
]
"""Kinds of measures that a plan may ask for; storage it sizes by itself."""


class PlanEntry(Closed):
    """Which sites, connections and measures to build, in which year, at least cost; proved by AC load flow."""

    stages: tuple[int, ...] = ()
    """Years; empty: those of the targets, or 2025 and 2030."""
    load_factors: tuple[Annotated[float, Field(gt=0, le=3)], ...] = ()
    """Load of each stage by the load of the study; empty: the same."""
    decided_in: int | None = None
    """Year of the decision: a measure stands no earlier than its lead time after it. Empty: all stand in time."""
    objective: Literal["least_cost", "most_energy", "most_mw", "least_cny_per_mw"] = "least_cost"
    budget_cny_per_a: Annotated[float, Field(gt=0)] | None = None
    """Bound of all yearly cost."""
    grid_budget_cny: Annotated[float, Field(ge=0)] | None = None
    """Bound of the investment in grid measures and storage; 0: the network as it is."""
    least_mw: Annotated[float, Field(ge=0)] = 0.0
    """Grid capacity to build at least where the objective is CNY per MW."""
    utilisation_floor: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Share of a year's output that must not be curtailed: 0.95, or 0.90 where resources are good."""
    curtailment_in_cases: bool = False
    """Whether plants may be held back in the named cases too; false: what is built there is firm."""
    hours: Annotated[int, Field(ge=0, le=200)] = 24
    """Representative hours of the year; 0: the named cases alone."""
    large_site_mw: Annotated[float, Field(gt=0)] = 40.0
    """Sites from this grid capacity on are decided one by one, smaller ones by bus and technology."""
    measures: tuple[MeasureKind, ...] = (
        "add_transformer",
        "replace_transformer",
        "second_circuit",
        "reconductor",
        "new_station",
    )
    """Kinds of measures on the menu; empty: none. Of storage the plan decides by itself."""
    stations: tuple[NewStationEntry, ...] = ()
    """Stations that the plan may build, beside planned ones of the network that have a place and do not stand yet."""
    case_call_h: Annotated[float, Field(ge=0, le=8760)] = 200.0
    """Hours of the year like a named case: for so many curtailment contracts are paid and capped where they are called
    in it (demand response at most for its own hours). 200 h bring 5 % of a PV plant's energy to about 30 % of its
    capacity."""
    most_measures: Annotated[int, Field(ge=0, le=200)] = 24
    """Measures of the network considered at once, those for the dearest limits first."""
    storage_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Storage by new grid capacity as a scenario, e.g. 0.10."""
    storage_hours: Annotated[float, Field(gt=0)] = 2.0
    storage_cny_per_mwh: Annotated[float, Field(gt=0)] | None = None
    """Investment in storage; the unit cost of the standard tables where not stated."""
    dropped_stations: tuple[str, ...] = ()
    """Ids of stations (loadflow/network/stations.csv) at which nothing may connect: a what-if."""
    quotas: tuple[QuotaEntry, ...] = ()
    gap: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Distance of the plan from its bound at which the search ends."""
    time_limit_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds of processor time of the search; what is found by then is proved and printed with its gap."""


class BaseTilesEntry(Closed):
    """Background pictures of the map from a server, off until the reader switches them on."""

    url: str
    """Template such as https://host/{z}/{x}/{y}.png; a key in it would be read by everybody who gets the map."""
    datum: Datum
    """Datum the pictures are drawn on: wgs84, cgcs2000 or gcj02; gcj02 ones are moved under the map. Never guessed."""
    attribution: str
    """Whose pictures they are, as their terms of use ask for it."""
    name_zh: str = "底图"
    name_en: str = "Base map"
    max_zoom: Annotated[int, Field(ge=1, le=22)] = 18
    """The finest pictures that the server has; beyond, they are drawn larger."""
    subdomains: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,12}$")] = "abc"
    """What stands for {s} in the template, one letter or digit a server."""


class OutputEntry(Closed):
    formats: tuple[Literal["xlsx", "csv", "gpkg", "geojson", "kml", "parquet"], ...] = (
        "xlsx",
        "csv",
        "gpkg",
        "geojson",
    )
    """Files of the project list in the run folder; 'fengguang export' writes others later."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Local processes for the hosting study; 0: one a core. The results do not depend on it."""
    base_tiles: BaseTilesEntry | None = None
    """Background pictures from a server; leave it out and the map needs no network."""
