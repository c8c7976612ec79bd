"""Technology data: the CSV files of ``siting/technologies`` as records.

Adding a turbine, a PV variant, a loss or a cost is a new row; no Python changes. Everything that is wrong with
the files is told at once, each with file, row, column, value and remedy.

======================  =====================================================================
technologies.csv        cost, life, plausible hours; wind names its turbine
pv_variants.csv         module, inverter, DC/AC ratio, mounting, ground
pv_orientations.csv     one row for each side of a variant, weighted by ``share`` of the DC capacity
pv_mountings.csv        heat loss of the mounting (PVsyst model)
pv_losses.csv           itemised loss chains, in the order of the rows
turbines.csv ...        turbines, curves and losses of wind: :mod:`siting.technologies.wind`
emission_factors.csv    CO2 of the electricity that is displaced
======================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from layers.contracts import Finding, InputError
from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technologies.pv import Mounting, Orientation, PvModule, PvRows, PvVariant, pv_variant_of, read_pv_variants
from siting.technologies.reader import (
    LABELS,
    PROVENANCE,
    Loss,
    Row,
    TableReader,
    nearest,
)
from siting.technologies.wind import Turbine, read_turbines

__all__ = [
    "TECHNOLOGIES_FOLDER",
    "EmissionFactor",
    "Loss",
    "Mounting",
    "Orientation",
    "PvModule",
    "PvRows",
    "PvVariant",
    "Technology",
    "TechnologyTables",
    "Turbine",
    "load_technology_tables",
]

TECHNOLOGIES_FOLDER = Path(__file__).parent
_SHOWN_FOLDER = "siting/technologies"

TECHNOLOGIES = Table(
    "technologies",
    "Cost and life; capacity is DC for PV and AC for wind.",
    {
        "technology": column(str, "", "id", unique=True),
        **LABELS,
        "kind": column(str, "", "pv or wind", isin=("pv", "wind")),
        "turbine": column(str, "", "row of turbines.csv; empty for PV", nullable=True),
        "capex_cny_per_kw": column(float, "CNY/kW", "investment without grid connection", gt=0),
        "opex_cny_per_kw_a": column(float, "CNY/(kW a)", "operation and maintenance", ge=0),
        "life_a": column(float, "a", "years of operation", ge=1, le=60),
        "discount_rate": column(float, "1/a", "real, before tax", ge=0, le=0.3),
        "degradation_per_a": column(float, "1/a", "yearly loss of output", ge=0, le=0.1),
        "price_year": column(float, "a", "year of the prices", ge=2000, le=2100),
        "hours_low": column(float, "h", "below this the yearly hours raise an alarm (per capacity_mw)", ge=0, le=8784),
        "hours_high": column(float, "h", "above this the yearly hours raise an alarm (per capacity_mw)", ge=0, le=8784),
        **PROVENANCE,
    },
)
EMISSION_FACTORS = Table(
    "emission_factors",
    "Average CO2 of grid electricity.",
    {
        "region": column(str, "", "country, grid region or province", unique=True),
        "year": column(float, "a", "year the factor describes", ge=2000, le=2100),
        "co2_kg_per_kwh": column(float, "kg/kWh", "average emission", ge=0, le=2),
        **PROVENANCE,
    },
)


@dataclass(frozen=True)
class Technology:
    """One row of ``technologies.csv``. Money and hours refer to ``capacity_mw`` (PV DC, wind AC)."""

    technology: str
    label_zh: str
    label_en: str
    kind: Literal["pv", "wind"]
    turbine: str
    capex_cny_per_kw: float
    opex_cny_per_kw_a: float
    life_a: float
    discount_rate: float
    degradation_per_a: float
    price_year: float
    hours_low: float
    hours_high: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class EmissionFactor:
    """Average CO2 of the electricity of a region in a year."""

    region: str
    year: float
    co2_kg_per_kwh: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class TechnologyTables:
    """All technology data, in the order of the files. The look-ups raise :class:`InputError` with the nearest id."""

    technologies: tuple[Technology, ...]
    pv_variants: tuple[PvVariant, ...]
    turbines: tuple[Turbine, ...]
    emission_factors: tuple[EmissionFactor, ...]

    def technology(self, technology: str) -> Technology:
        return _find(self.technologies, "technology", technology, "technologies.csv")

    def pv_variant(self, pv_variant: str) -> PvVariant:
        return _find(self.pv_variants, "pv_variant", pv_variant, "pv_variants.csv")

    def turbine(self, turbine: str) -> Turbine:
        return _find(self.turbines, "turbine", turbine, "turbines.csv")

    def emission_factor(self, region: str) -> EmissionFactor:
        return _find(self.emission_factors, "region", region, "emission_factors.csv")


def load_technology_tables(folder: Path = TECHNOLOGIES_FOLDER) -> TechnologyTables:
    """Read and check all technology files of a folder.

    Parameters
    ----------
    folder : Path
        Folder with the CSV files; by default the ones that come with the program.

    Raises
    ------
    InputError
        With every finding: missing file or column, unreadable number, value out of range, repeated id, reference
        to a row that does not exist, shares that do not add up to 1.
    """
    shown = _SHOWN_FOLDER if folder == TECHNOLOGIES_FOLDER else folder.name
    reader = TableReader(folder, shown)
    technologies = reader.read(TECHNOLOGIES)
    variants = read_pv_variants(reader)
    turbines, turbine_records = read_turbines(reader)
    factors = reader.read(EMISSION_FACTORS)
    reader.refer(technologies, TECHNOLOGIES, "turbine", turbines, only=lambda row: row["kind"] == "wind")
    _check_hours(reader, technologies)
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return TechnologyTables(
        tuple(Technology(**row) for row in technologies),
        tuple(pv_variant_of(parts) for parts in variants),
        turbine_records(),
        tuple(EmissionFactor(**row) for row in factors),
    )


_Record = TypeVar("_Record")


def _find(records: Sequence[_Record], key: str, value: str, file: str) -> _Record:
    for record in records:
        if getattr(record, key) == value:
            return record
    known = [str(getattr(record, key)) for record in records]
    finding = Finding(
        "error",
        "technology.unknown_id",
        f"{_SHOWN_FOLDER}/{file}",
        Path(file).stem,
        key,
        value,
        f"There is no {key} {value!r}.",
        nearest(value, known),
    )
    raise InputError([finding])


def _check_hours(reader: TableReader, technologies: list[Row]) -> None:
    for row in technologies:
        if row["hours_low"] >= row["hours_high"]:
            value = f"{row['hours_low']}..{row['hours_high']}"
            message = "hours_low is not below hours_high."
            reader.add(TECHNOLOGIES, "hours", row["technology"], value, message, "Exchange them.")
