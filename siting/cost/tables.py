"""Cost data beyond the technologies themselves: what an investment consists of, leases, storage, price index.

Rows of ``siting/technologies``; each with its source and confidence, money with its price year.

==========================  ================================================================================
cost_items.csv              shares of the investment by technology, adding up to 1
land_leases.csv             scenarios of yearly rent by technology
storage_costs.csv           storage by kind
storage_scenarios.csv       scenarios of storage that comes with a plant; a scenario is not a rule
connection_allowances.csv   scenarios of connection cost before the network has been asked
price_index.csv             yearly change of prices, to bring money to one year
provinces.csv               province and grid region of a district code
==========================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from layers.contracts import InputError
from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technologies.reader import PROVENANCE, Row, TableReader
from siting.technologies.tables import TECHNOLOGIES_FOLDER, EmissionFactor, TechnologyTables

NONE = "none"
"""Scenario that holds nothing."""
NATION = "全国"

_YEAR = column(float, "a", "year of the prices", ge=2000, le=2100)
COST_ITEMS = Table(
    "cost_items",
    "What an investment consists of.",
    {
        "technology": column(str, "", "row of technologies.csv"),
        "cost_item": column(str, "", "name of the item"),
        "capex_share": column(float, "1", "share of the investment; shares of one technology add up to 1", gt=0, le=1),
        **PROVENANCE,
    },
)
LAND_LEASES = Table(
    "land_leases",
    "Yearly rent of the land or roof.",
    {
        "scenario": column(str, "", "name of the scenario"),
        "technology": column(str, "", "row of technologies.csv"),
        "cny_per_m2_a": column(float, "CNY/(m2 a)", "rent of the used area", ge=0),
        "used_area_share": column(float, "1", "used part of the equipped area: 1 for PV, pads for wind", gt=0, le=1),
        "price_year": _YEAR,
        **PROVENANCE,
    },
)
STORAGE_COSTS = Table(
    "storage_costs",
    "Electricity storage.",
    {
        "storage": column(str, "", "id", unique=True),
        "label_zh": column(str, "", "label for people"),
        "label_en": column(str, "", "label for people"),
        "capex_cny_per_kwh": column(float, "CNY/kWh", "investment per usable energy", gt=0),
        "opex_share_per_a": column(float, "1/a", "yearly operation by investment", ge=0, le=0.2),
        "life_a": column(float, "a", "years until it is replaced", ge=1, le=60),
        "price_year": _YEAR,
        **PROVENANCE,
    },
)
STORAGE_SCENARIOS = Table(
    "storage_scenarios",
    "Storage that comes with a plant.",
    {
        "scenario": column(str, "", "name of the scenario"),
        "technology": column(str, "", "row of technologies.csv"),
        "storage": column(str, "", "row of storage_costs.csv"),
        "power_share": column(float, "1", "storage power by the plant's grid capacity", gt=0, le=2),
        "duration_h": column(float, "h", "energy by power", gt=0, le=24),
        **PROVENANCE,
    },
)
CONNECTION_ALLOWANCES = Table(
    "connection_allowances",
    "Connection cost before the network has been asked.",
    {
        "scenario": column(str, "", "name of the scenario"),
        "technology": column(str, "", "row of technologies.csv"),
        "cny_per_kw_ac": column(float, "CNY/kW", "line, bay and station by grid capacity", ge=0),
        "price_year": _YEAR,
        **PROVENANCE,
    },
)
PRICE_INDEX = Table(
    "price_index",
    "Yearly change of prices.",
    {
        "year": column(float, "a", "year", unique=True, ge=1990, le=2100),
        "change_percent": column(float, "%", "from the year before", ge=-20, le=50),
        **PROVENANCE,
    },
)
PROVINCES = Table(
    "provinces",
    "Provinces by the first two digits of a GB/T 2260 code.",
    {
        "province_code": column(str, "", "two digits", unique=True),
        "province": column(str, "", "short Chinese name, as in emission_factors.csv"),
        "grid_region": column(str, "", "grid region, as in emission_factors.csv"),
        **PROVENANCE,
    },
)
COST_TABLES = (
    COST_ITEMS, LAND_LEASES, STORAGE_COSTS, STORAGE_SCENARIOS, CONNECTION_ALLOWANCES, PRICE_INDEX, PROVINCES,
)  # fmt: skip


@dataclass(frozen=True)
class CostItem:
    """One item of an investment."""

    technology: str
    cost_item: str
    capex_share: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class LandLease:
    """Rent of one technology's land in one scenario, CNY per m2 of used area and year."""

    scenario: str
    technology: str
    cny_per_m2_a: float
    used_area_share: float
    price_year: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Storage:
    """One kind of storage; investment per kWh of usable energy, replaced after ``life_a`` years."""

    storage: str
    label_zh: str
    label_en: str
    capex_cny_per_kwh: float
    opex_share_per_a: float
    life_a: float
    price_year: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class StorageScenario:
    """Storage of one technology's plants in one scenario; power is a share of the grid capacity (AC)."""

    scenario: str
    technology: str
    storage: str
    power_share: float
    duration_h: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class ConnectionAllowance:
    """Connection cost of one technology before the network has been asked, by grid capacity (AC)."""

    scenario: str
    technology: str
    cny_per_kw_ac: float
    price_year: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class YearlyPrices:
    """Change of prices from the year before."""

    year: float
    change_percent: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Province:
    """Names of the province that a district code belongs to."""

    province_code: str
    province: str
    grid_region: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class CostTables:
    """All cost data, in the order of the files."""

    items: tuple[CostItem, ...]
    leases: tuple[LandLease, ...]
    storages: tuple[Storage, ...]
    storage_scenarios: tuple[StorageScenario, ...]
    allowances: tuple[ConnectionAllowance, ...]
    prices: tuple[YearlyPrices, ...]
    provinces: tuple[Province, ...]

    def items_of(self, technology: str) -> tuple[CostItem, ...]:
        return tuple(item for item in self.items if item.technology == technology)

    @property
    def price_years(self) -> tuple[int, int]:
        """First and last year that money can be brought to."""
        years = [int(row.year) for row in self.prices]
        return min(years) - 1, max(years)

    def price_factor(self, from_year: float, to_year: float) -> float:
        """What one CNY of ``from_year`` is worth in prices of ``to_year``.

        Raises
        ------
        ValueError
            If the index does not reach one of the years.
        """
        first, last = self.price_years
        if not (first <= from_year <= last and first <= to_year <= last):
            raise ValueError(f"the price index goes from {first} to {last}, not from {from_year:g} to {to_year:g}")
        low, high = sorted((from_year, to_year))
        factor = 1.0
        for row in self.prices:
            if low < row.year <= high:
                factor *= 1 + row.change_percent / 100
        return factor if to_year >= from_year else 1 / factor


def load_cost_tables(folder: Path = TECHNOLOGIES_FOLDER) -> CostTables:
    """Read and check the cost files of a folder.

    Raises
    ------
    InputError
        With every finding: missing file or column, unreadable number, value out of range, unknown technology or
        storage, a technology without items, shares that do not add up to 1, a gap in the price index, a technology
        that stands twice in a scenario.
    """
    shown = "siting/technologies" if folder == TECHNOLOGIES_FOLDER else folder.name
    reader = TableReader(folder, shown)
    technologies = [{"technology": name} for name in _technology_ids(folder)]
    rows = {table.name: reader.read(table) for table in COST_TABLES}
    for table in (COST_ITEMS, LAND_LEASES, STORAGE_SCENARIOS, CONNECTION_ALLOWANCES):
        reader.refer(rows[table.name], table, "technology", technologies)
    reader.refer(rows["storage_scenarios"], STORAGE_SCENARIOS, "storage", rows["storage_costs"])
    _check_items(reader, rows["cost_items"], [row["technology"] for row in technologies])
    for table in (LAND_LEASES, STORAGE_SCENARIOS, CONNECTION_ALLOWANCES):
        _check_scenarios(reader, table, rows[table.name])
    _check_years(reader, rows["price_index"])
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return CostTables(
        tuple(CostItem(**row) for row in rows["cost_items"]),
        tuple(LandLease(**row) for row in rows["land_leases"]),
        tuple(Storage(**row) for row in rows["storage_costs"]),
        tuple(StorageScenario(**row) for row in rows["storage_scenarios"]),
        tuple(ConnectionAllowance(**row) for row in rows["connection_allowances"]),
        tuple(YearlyPrices(**row) for row in sorted(rows["price_index"], key=lambda row: row["year"])),
        tuple(Province(**row) for row in rows["provinces"]),
    )


def emission_factor_of(
    district_codes: Sequence[str], technologies: TechnologyTables, costs: CostTables
) -> EmissionFactor:
    """CO2 factor of the province that all districts lie in; else of their grid region; else of the nation.

    Codes that are no GB/T 2260 codes (generated regions) give the nation's factor.
    """
    known = {factor.region: factor for factor in technologies.emission_factors}
    provinces = {row.province_code: row for row in costs.provinces}
    codes = {str(code)[:2] if len(str(code)) >= 6 and str(code).isdigit() else "" for code in district_codes}
    found = [provinces.get(code) for code in sorted(codes)]
    if found and all(found):
        for name in ("province", "grid_region"):
            names = {getattr(row, name) for row in found}
            if len(names) == 1 and (only := names.pop()) in known:
                return known[only]
    return known[NATION]


_Scenario = TypeVar("_Scenario", LandLease, StorageScenario, ConnectionAllowance)


def scenario_rows(rows: Sequence[_Scenario], scenario: str) -> dict[str, _Scenario]:
    """Rows of a scenario by technology; empty for ``none``."""
    return {row.technology: row for row in rows if row.scenario == scenario}


def scenario_names(rows: Sequence[_Scenario]) -> tuple[str, ...]:
    """Names of all scenarios, ``none`` first."""
    return (NONE, *sorted({row.scenario for row in rows}))


def _technology_ids(folder: Path) -> list[str]:
    """Ids in the first column of technologies.csv, which has its own checks."""
    path = folder / "technologies.csv"
    lines = path.read_text(encoding="utf-8-sig").splitlines()[1:] if path.is_file() else []
    return [line.split(",", 1)[0] for line in lines if line.strip()]


def _check_items(reader: TableReader, rows: list[Row], technologies: Sequence[str]) -> None:
    for name in technologies:
        items = [row["cost_item"] for row in rows if row["technology"] == name]
        total = sum(row["capex_share"] for row in rows if row["technology"] == name)
        if not abs(total - 1) < 1e-9:
            message = "The items of a technology do not add up to its investment."
            reader.add(COST_ITEMS, "shares", name, f"{total:g}", message, "Correct the shares.")
        if len(set(items)) < len(items):
            reader.add(COST_ITEMS, "repeated_id", name, " ".join(items), "An item stands twice.", "Rename one.")


def _check_scenarios(reader: TableReader, table: Table, rows: list[Row]) -> None:
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=2):
        key = row["scenario"], row["technology"]
        if key in seen or row["scenario"] == NONE:
            message = f"A technology stands twice in a scenario, or the scenario is called {NONE!r}."
            reader.add(table, "repeated_id", f"row {number}, scenario", " ".join(key), message, "Rename it.")
        seen.add(key)


def _check_years(reader: TableReader, rows: list[Row]) -> None:
    years = sorted(row["year"] for row in rows)
    gaps = [f"{a + 1:g}" for a, b in pairwise(years) if b - a > 1]
    if gaps:
        reader.add(PRICE_INDEX, "gap", "year", " ".join(gaps), "Years are missing.", "Add them.")
