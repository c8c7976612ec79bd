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

import csv
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from layers.contracts import Finding, InputError
from layers.tables import Table, column
from siting.contracts import Confidence

TECHNOLOGIES_FOLDER = Path(__file__).parent / "technologies"
_SHOWN_FOLDER = "siting/technologies"

_PROVENANCE = {
    "source": column(str, "", "where the row's figures come from"),
    "confidence": column(str, "", "A read in the source, B recalled, C engineering range", isin=("A", "B", "C")),
}
_LABELS = {"label_zh": column(str, "", "label for people"), "label_en": column(str, "", "label for people")}
_LOSS_COLUMNS = {
    "loss_set": column(str, "", "name of the chain"),
    "item": column(str, "", "name of the loss"),
    "loss_percent": column(float, "%", "of what is left before the item", ge=0, le=99),
    **_PROVENANCE,
}

TECHNOLOGIES = Table(
    "technologies",
    "Cost and life; capacity is DC for PV and AC for wind.",
    {
        "technology": column(str, "", "id", unique=True),
        **_LABELS,
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
        **_PROVENANCE,
    },
)
PV_VARIANTS = Table(
    "pv_variants",
    "How PV is built on a kind of place.",
    {
        "pv_variant": column(str, "", "id", unique=True),
        **_LABELS,
        "mounting": column(str, "", "row of pv_mountings.csv"),
        "loss_set": column(str, "", "chain of pv_losses.csv"),
        "dc_ac_ratio": column(float, "1", "module DC rating by inverter AC rating", ge=0.5, le=3),
        "gamma_pdc_per_k": column(float, "1/K", "power change by cell temperature", ge=-0.01, le=0),
        "inverter_efficiency": column(float, "1", "at rated power", gt=0.8, le=1),
        "albedo": column(float, "1", "ground reflectance", ge=0, le=1),
        **_PROVENANCE,
    },
)
PV_ORIENTATIONS = Table(
    "pv_orientations",
    "Sides of a variant; shares of one variant add up to 1.",
    {
        "pv_variant": column(str, "", "row of pv_variants.csv"),
        "tilt_deg": column(float, "degree", "0 flat, 90 upright", ge=0, le=90),
        "azimuth_deg": column(float, "degree", "0 north, 90 east, 180 south, 270 west", ge=0, le=360),
        "share": column(float, "1", "share of the variant's DC capacity", gt=0, le=1),
        **_PROVENANCE,
    },
)
PV_MOUNTINGS = Table(
    "pv_mountings",
    "Heat loss coefficients of the PVsyst cell temperature model.",
    {
        "mounting": column(str, "", "id", unique=True),
        "u_c_w_per_m2_k": column(float, "W/(m2 K)", "constant part", gt=0),
        "u_v_w_s_per_m3_k": column(float, "W s/(m3 K)", "part by wind speed at 10 m", ge=0),
        **_PROVENANCE,
    },
)
PV_LOSSES = Table("pv_losses", "Loss chains of PV, applied to DC power.", _LOSS_COLUMNS)
WIND_LOSSES = Table("wind_losses", "Loss chains of wind, applied to energy.", _LOSS_COLUMNS)
TURBINES = Table(
    "turbines",
    "Wind turbines.",
    {
        "turbine": column(str, "", "id", unique=True),
        **_LABELS,
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
        **_PROVENANCE,
    },
)
EMISSION_FACTORS = Table(
    "emission_factors",
    "Average CO2 of grid electricity.",
    {
        "region": column(str, "", "country, grid region or province", unique=True),
        "year": column(float, "a", "year the factor describes", ge=2000, le=2100),
        "co2_kg_per_kwh": column(float, "kg/kWh", "average emission", ge=0, le=2),
        **_PROVENANCE,
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
class Loss:
    """One item of a loss chain; ``loss_share`` of what is left before it."""

    item: str
    loss_share: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Mounting:
    """Heat loss of a mounting: ``T_cell - T_air = 0.9 G (1 - 0.1) / (u_c + u_v v)``."""

    mounting: str
    u_c_w_per_m2_k: float
    u_v_w_s_per_m3_k: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Orientation:
    """One side of a variant. Azimuth clockwise from north, tilt from the horizontal."""

    tilt_deg: float
    azimuth_deg: float
    share: float


@dataclass(frozen=True)
class PvVariant:
    """How PV is built on a kind of place. Every side has inverters of its own."""

    pv_variant: str
    label_zh: str
    label_en: str
    orientations: tuple[Orientation, ...]
    mounting: Mounting
    losses: tuple[Loss, ...]
    dc_ac_ratio: float
    gamma_pdc_per_k: float
    inverter_efficiency: float
    albedo: float
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
    reader = _Reader(folder, shown)
    technologies = reader.read(TECHNOLOGIES)
    variants = reader.read(PV_VARIANTS)
    orientations = reader.read(PV_ORIENTATIONS)
    mountings = reader.read(PV_MOUNTINGS)
    pv_losses = reader.read(PV_LOSSES)
    wind_losses = reader.read(WIND_LOSSES)
    turbines = reader.read(TURBINES)
    factors = reader.read(EMISSION_FACTORS)
    reader.refer(technologies, TECHNOLOGIES, "turbine", turbines, only=lambda row: row["kind"] == "wind")
    reader.refer(variants, PV_VARIANTS, "mounting", mountings)
    reader.refer(variants, PV_VARIANTS, "loss_set", pv_losses)
    reader.refer(variants, PV_VARIANTS, "pv_variant", orientations)
    reader.refer(orientations, PV_ORIENTATIONS, "pv_variant", variants)
    reader.refer(turbines, TURBINES, "loss_set", wind_losses)
    reader.check_shares(orientations)
    reader.check_hours(technologies)
    reader.check_turbines(turbines)
    reader.check_loss_items(PV_LOSSES, pv_losses)
    reader.check_loss_items(WIND_LOSSES, wind_losses)
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return TechnologyTables(
        tuple(Technology(**row) for row in technologies),
        tuple(_variant(row, orientations, mountings, pv_losses) for row in variants),
        tuple(_turbine(row, wind_losses) for row in turbines),
        tuple(EmissionFactor(**row) for row in factors),
    )


_COMPUTED_STAGES = (
    "reference_yield",
    "plane_of_array",
    "reflection",
    "temperature",
    "inverter",
    "clipping",
    "long_run_mean_speed",
    "air_density",
)
_Row = dict[str, Any]
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
        _nearest(value, known),
    )
    raise InputError([finding])


def _nearest(value: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(value, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."


def _losses(rows: Sequence[_Row], loss_set: str) -> tuple[Loss, ...]:
    return tuple(
        Loss(row["item"], row["loss_percent"] / 100, row["source"], row["confidence"])
        for row in rows
        if row["loss_set"] == loss_set
    )


def _without(row: _Row, *keys: str) -> _Row:
    return {key: value for key, value in row.items() if key not in keys}


def _variant(row: _Row, orientations: list[_Row], mountings: list[_Row], losses: list[_Row]) -> PvVariant:
    return PvVariant(
        **_without(row, "mounting", "loss_set"),
        orientations=tuple(
            Orientation(o["tilt_deg"], o["azimuth_deg"], o["share"])
            for o in orientations
            if o["pv_variant"] == row["pv_variant"]
        ),
        mounting=next(Mounting(**m) for m in mountings if m["mounting"] == row["mounting"]),
        losses=_losses(losses, row["loss_set"]),
    )


def _turbine(row: _Row, losses: list[_Row]) -> Turbine:
    return Turbine(**_without(row, "loss_set"), losses=_losses(losses, row["loss_set"]))


class _Reader:
    """Reads the files of one folder and collects what is wrong with them."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder, self.shown = folder, shown
        self.findings: list[Finding] = []

    def add(self, table: Table, rule: str, item: str, value: object, message: str, remedy: str) -> None:
        file = f"{self.shown}/{table.name}.csv"
        self.findings.append(
            Finding("error", f"technology.{rule}", file, table.name, item, str(value), message, remedy)
        )

    def read(self, table: Table) -> list[_Row]:
        path = self.folder / f"{table.name}.csv"
        if not path.is_file():
            self.add(table, "file_missing", path.name, "", "The file is not there.", "Put it back.")
            return []
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not self._header(table, reader.fieldnames or ()):
                return []
            rows = [self._row(table, line, number) for number, line in enumerate(reader, start=2)]
        self._unique(table, rows)
        return rows

    def _header(self, table: Table, found: Sequence[str]) -> bool:
        missing = [name for name in table.columns if name not in found]
        unknown = [name for name in found if name not in table.columns]
        for name in missing:
            self.add(table, "column_missing", "header", name, f"Column {name!r} is missing.", "Add the column.")
        for name in unknown:
            self.add(
                table, "column_unknown", "header", name, f"Unknown column {name!r}.", _nearest(name, table.columns)
            )
        return not missing and not unknown

    def _row(self, table: Table, line: dict[str, str], number: int) -> _Row:
        return {name: self._value(table, name, line.get(name) or "", number) for name in table.columns}

    def _value(self, table: Table, name: str, text: str, number: int) -> object:
        promise, text, item = table.columns[name], text.strip(), f"row {number}, {name}"
        if not text and not promise.nullable:
            self.add(table, "value_missing", item, text, "The cell is empty.", f"State {promise.description}.")
        if promise.dtype is not float:
            if text and promise.isin is not None and text not in promise.isin:
                self.add(table, "value_not_allowed", item, text, "Not allowed.", f"Use one of {promise.isin}.")
            return text
        if not text:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        too_low = (promise.ge is not None and value < promise.ge) or (promise.gt is not None and value <= promise.gt)
        too_high = promise.le is not None and value > promise.le
        if not math.isfinite(value):
            self.add(table, "not_a_number", item, text, "Not a number.", f"Write a number [{promise.unit}].")
        elif too_low or too_high:
            low = promise.ge if promise.ge is not None else promise.gt
            self.add(table, "out_of_range", item, text, f"Outside {low}..{promise.le} {promise.unit}.", "Correct it.")
        return value

    def _unique(self, table: Table, rows: list[_Row]) -> None:
        for name, promise in table.columns.items():
            seen: set[object] = set()
            for number, row in enumerate(rows, start=2):
                if promise.unique and row[name] in seen:
                    self.add(table, "repeated_id", f"row {number}, {name}", row[name], "Id used twice.", "Rename one.")
                seen.add(row[name])

    def refer(self, rows: list[_Row], table: Table, key: str, others: list[_Row], only: Any = None) -> None:
        known = {str(row[key]) for row in others}
        for row in rows:
            if (only is None or only(row)) and row[key] not in known:
                item = f"{row[next(iter(table.columns))]}, {key}"
                self.add(table, "unknown_id", item, row[key], f"No such {key}.", _nearest(row[key], known))

    def check_shares(self, orientations: list[_Row]) -> None:
        for name in sorted({row["pv_variant"] for row in orientations}):
            total = math.fsum(row["share"] for row in orientations if row["pv_variant"] == name)
            if not abs(total - 1) < 1e-9:
                self.add(PV_ORIENTATIONS, "shares", name, total, "Shares do not add up to 1.", "Correct the shares.")

    def check_hours(self, technologies: list[_Row]) -> None:
        for row in technologies:
            if row["hours_low"] >= row["hours_high"]:
                value = f"{row['hours_low']}..{row['hours_high']}"
                message = "hours_low is not below hours_high."
                self.add(TECHNOLOGIES, "hours", row["technology"], value, message, "Exchange them.")

    def check_turbines(self, turbines: list[_Row]) -> None:
        for row in turbines:
            if row["curve"] == "library" and not row["library_type"]:
                message, remedy = "A library curve needs library_type.", "Name a type of windpowerlib's library."
                self.add(TURBINES, "library_type", row["turbine"], "", message, remedy)
            if row["curve"] == "rotor" and not (0 < row["cp_max"] < 16 / 27 and 0 <= row["turbulence_share"] < 0.3):
                value = f"cp_max {row['cp_max']}, turbulence_share {row['turbulence_share']}"
                message = "A rotor curve needs cp_max below 16/27 (Betz) and turbulence_share in 0..0.3."
                self.add(TURBINES, "rotor", row["turbine"], value, message, "State both.")

    def check_loss_items(self, table: Table, rows: list[_Row]) -> None:
        seen: set[tuple[str, str]] = set()
        for number, row in enumerate(rows, start=2):
            key = row["loss_set"], row["item"]
            if key in seen or row["item"] in _COMPUTED_STAGES:
                message = "The item is there twice, or has the name of a computed step."
                self.add(table, "loss_item", f"row {number}, item", row["item"], message, "Rename the item.")
            seen.add(key)
