"""The study file: a closed, frozen schema that explains itself.

Every attribute's description becomes the JSON schema for editors (``fengguang schema``) and the manual. Unknown
keys are refused by name with the nearest valid key. Values that need the outside world to be judged (a setback's
sign, a host type's name, weights that must add up) are plain here and judged in :mod:`study.checks.all`, so that one
report names every fault at once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from study.schema.base import Closed, Identifier
from study.schema.ground import (
    DemandEntry,
    Generated,
    LayerEntry,
    RegionEntry,
    SourceEntry,
    WeatherEntry,
)
from study.schema.network import (
    CaseEntry,
    ConnectionEntry,
    NetworkEntry,
)
from study.schema.outputs import OutputEntry, PlanEntry, TargetEntry
from study.schema.scores import AhpEntry, CostEntry, CriterionEntry, StabilityEntry
from study.schema.sites import ExclusionEntry, HostEntry, LandEntry, ParkEntry, PvEntry, SitesEntry, WindEntry


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
