"""How sites are judged: criteria, weights, stability of the ranking, and cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from study.schema.base import Closed, Identifier


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
