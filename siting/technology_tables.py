"""Technology data: the CSV files of ``siting/technologies`` as records.

Adding a turbine, a PV variant, a loss or a cost is a new row; no Python changes. Everything that is wrong with
the files is told at once, each with file, row, column, value and remedy.

======================  =====================================================================
technologies.csv        cost, life, plausible hours; wind names its turbine
pv_variants.csv         module, inverter, DC/AC ratio, mounting, ground
pv_orientations.csv     one row for each side of a variant, weighted by ``share`` of the DC capacity
pv_mountings.csv        heat loss of the mounting (PVsyst model)
pv_losses.csv           itemised loss chains, in the order of the rows
wind_losses.csv         the same for wind
turbines.csv            rotor and rating, or a type of windpowerlib's library
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
from siting.technology_pv import Mounting, Orientation, PvVariant, pv_variant_of, read_pv_variants
from siting.technology_reader import (
    LABELS,
    LOSS_COLUMNS,
    PROVENANCE,
    Loss,
    Row,
    TableReader,
    losses_of,
    nearest,
    without,
)

__all__ = [
    "TECHNOLOGIES_FOLDER",
    "EmissionFactor",
    "Loss",
    "Mounting",
    "Orientation",
    "PvVariant",
    "Technology",
    "TechnologyTables",
    "Turbine",
    "load_technology_tables",
]

TECHNOLOGIES_FOLDER = Path(__file__).parent / "technologies"
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
WIND_LOSSES = Table("wind_losses", "Loss chains of wind, applied to energy.", LOSS_COLUMNS)
TURBINES = Table(
    "turbines",
    "Wind turbines.",
    {
        "turbine": column(str, "", "id", unique=True),
        **LABELS,
        "curve": column(
            str, "", "rotor: built from rotor and rating; library: windpowerlib", isin=("rotor", "library")
        ),
        "library_type": column(str, "", "windpowerlib turbine type; empty for rotor", nullable=True),
        "rated_kw": column(float, "kW", "rated power", gt=0),
        "rotor_diameter_m": column(float, "m", "rotor diameter", gt=0),
        "hub_height_m": column(float, "m", "hub above ground", ge=10, le=250),
        "cut_in_m_per_s": column(float, "m/s", "no power below", ge=0, le=10),
        "cut_out_m_per_s": column(float, "m/s", "no power above", gt=10, le=40),
        "cp_max": column(float, "1", "electrical power coefficient below rating; rotor curve only", nullable=True),
        "turbulence_share": column(
            float, "1", "standard deviation of wind by its mean; rotor curve only", nullable=True
        ),
        "loss_set": column(str, "", "chain of wind_losses.csv"),
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
class Turbine:
    """One row of ``turbines.csv`` with its loss chain."""

    turbine: str
    label_zh: str
    label_en: str
    curve: Literal["rotor", "library"]
    library_type: str
    rated_kw: float
    rotor_diameter_m: float
    hub_height_m: float
    cut_in_m_per_s: float
    cut_out_m_per_s: float
    cp_max: float
    turbulence_share: float
    losses: tuple[Loss, ...]
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
        Folder with the eight CSV files; by default the ones that come with the program.

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
    wind_losses = reader.read(WIND_LOSSES)
    turbines = reader.read(TURBINES)
    factors = reader.read(EMISSION_FACTORS)
    reader.refer(technologies, TECHNOLOGIES, "turbine", turbines, only=lambda row: row["kind"] == "wind")
    reader.refer(turbines, TURBINES, "loss_set", wind_losses)
    _check_hours(reader, technologies)
    _check_turbines(reader, turbines)
    reader.check_loss_items(WIND_LOSSES, wind_losses)
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return TechnologyTables(
        tuple(Technology(**row) for row in technologies),
        tuple(pv_variant_of(parts) for parts in variants),
        tuple(_turbine(row, wind_losses) for row in turbines),
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


def _turbine(row: Row, losses: list[Row]) -> Turbine:
    return Turbine(**without(row, "loss_set"), losses=losses_of(losses, row["loss_set"]))


def _check_hours(reader: TableReader, technologies: list[Row]) -> None:
    for row in technologies:
        if row["hours_low"] >= row["hours_high"]:
            value = f"{row['hours_low']}..{row['hours_high']}"
            message = "hours_low is not below hours_high."
            reader.add(TECHNOLOGIES, "hours", row["technology"], value, message, "Exchange them.")


def _check_turbines(reader: TableReader, turbines: list[Row]) -> None:
    for row in turbines:
        if row["curve"] == "library" and not row["library_type"]:
            message, remedy = "A library curve needs library_type.", "Name a type of windpowerlib's library."
            reader.add(TURBINES, "library_type", row["turbine"], "", message, remedy)
        if row["curve"] == "rotor" and not (0 < row["cp_max"] < 16 / 27 and 0 <= row["turbulence_share"] < 0.3):
            value = f"cp_max {row['cp_max']}, turbulence_share {row['turbulence_share']}"
            message = "A rotor curve needs cp_max below 16/27 (Betz) and turbulence_share in 0..0.3."
            reader.add(TURBINES, "rotor", row["turbine"], value, message, "State both.")
