"""The network and its studies: stations, plants, rule book, connection, cases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from layers.contracts import Origin
from study.schema.base import Closed, Identifier


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
    """How candidates connect, all decided together: routes, bays, collector stations, what buses share."""

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
