"""Wind in the technology files: turbines, curves, losses, roughness, wakes and curtailment rules as records.

======================  =====================================================================
turbines.csv            rotor and rating, points of wind_curves.csv, or a type of windpowerlib's library
wind_curves.csv         power curves as points
wind_losses.csv         itemised loss chains, in the order of the rows
wind_roughness.csv      roughness length by land class
wind_wakes.csv          wake loss by installed density and number of turbines
wind_curtailment.csv    rules that stop or slow turbines by month, hour, wind and temperature
======================  =====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from layers.contracts import Finding, InputError
from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technologies.reader import LABELS, LOSS_COLUMNS, PROVENANCE, Loss, Row, TableReader, losses_of, nearest

_FOLDER = Path(__file__).parent
_SHOWN_FOLDER = "siting/technologies"
Record = TypeVar("Record")

WIND_LOSSES = Table("wind_losses", "Loss chains of wind, applied to energy.", LOSS_COLUMNS)
WIND_CURVES = Table(
    "wind_curves",
    "Power curves as points, at 1.225 kg/m3.",
    {
        "curve_id": column(str, "", "name of the curve"),
        "wind_speed_m_per_s": column(float, "m/s", "ten-minute mean at hub height", ge=0, le=40),
        "power_share": column(float, "1", "power by rated power", ge=0, le=1.1),
        **PROVENANCE,
    },
)
TURBINES = Table(
    "turbines",
    "Wind turbines.",
    {
        "turbine": column(str, "", "id", unique=True),
        **LABELS,
        "curve": column(
            str,
            "",
            "rotor: built from rotor and rating; table: points; library: windpowerlib",
            isin=("rotor", "table", "library"),
        ),
        "library_type": column(str, "", "windpowerlib turbine type; empty otherwise", nullable=True),
        "rated_kw": column(float, "kW", "rated power", gt=0),
        "rotor_diameter_m": column(float, "m", "rotor diameter", gt=0),
        "hub_height_m": column(float, "m", "hub above ground", ge=10, le=250),
        "cut_in_m_per_s": column(float, "m/s", "no power below", ge=0, le=10),
        "cut_out_m_per_s": column(float, "m/s", "no power above", gt=10, le=40),
        "cp_max": column(float, "1", "electrical power coefficient below rating; rotor curve only", nullable=True),
        "turbulence_share": column(
            float, "1", "standard deviation of wind by its mean; rotor curve only", nullable=True
        ),
        "recut_in_m_per_s": column(
            float, "m/s", "back on at this speed after a cut-out; empty: at once", nullable=True, gt=0, le=40
        ),
        "curve_id": column(str, "", "curve of wind_curves.csv; table curve only", nullable=True),
        "hub_heights_m": column(str, "m", "hub heights on offer, separated by blanks", nullable=True),
        "loss_set": column(str, "", "chain of wind_losses.csv"),
        **PROVENANCE,
    },
)
WIND_ROUGHNESS = Table(
    "wind_roughness",
    "Roughness length by land class.",
    {
        "land_class": column(str, "", "id", unique=True),
        **LABELS,
        "roughness_length_m": column(float, "m", "aerodynamic roughness length", gt=0, le=5),
        **PROVENANCE,
    },
)
WIND_WAKES = Table(
    "wind_wakes",
    "Wake loss of a wind farm by its density and size.",
    {
        "density_mw_per_km2": column(float, "MW/km2", "installed AC capacity by area of the farm", gt=0),
        "turbines": column(float, "", "number of turbines", ge=1),
        "wake_loss_percent": column(float, "%", "of the energy without wakes", ge=0, le=60),
        **PROVENANCE,
    },
)
WIND_CURTAILMENT = Table(
    "wind_curtailment",
    "When turbines are stopped or slowed; both ends of a range of months count, hours end before 'hour_to'.",
    {
        "rule": column(str, "", "id", unique=True),
        **LABELS,
        "month_from": column(float, "", "first month", ge=1, le=12),
        "month_to": column(float, "", "last month; before the first: over New Year", ge=1, le=12),
        "hour_from": column(float, "h", "first hour, local standard time", ge=0, le=23),
        "hour_to": column(float, "h", "first hour after; not after 'hour_from': over midnight", ge=0, le=24),
        "wind_from_m_per_s": column(float, "m/s", "at hub height; empty: any", nullable=True),
        "wind_to_m_per_s": column(float, "m/s", "at hub height; empty: any", nullable=True),
        "temp_from_c": column(float, "degC", "air temperature; empty: any", nullable=True),
        "temp_to_c": column(float, "degC", "air temperature; empty: any", nullable=True),
        "power_limit_share": column(float, "1", "greatest power by rated power; 0 stops", ge=0, le=1),
        **PROVENANCE,
    },
)


@dataclass(frozen=True)
class Turbine:
    """One row of ``turbines.csv`` with its loss chain and, for a table curve, its points (speed, power share)."""

    turbine: str
    label_zh: str
    label_en: str
    curve: Literal["rotor", "table", "library"]
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
    recut_in_m_per_s: float = math.nan
    curve_id: str = ""
    hub_heights_m: tuple[float, ...] = ()
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class LandRoughness:
    """One row of ``wind_roughness.csv``."""

    land_class: str
    label_zh: str
    label_en: str
    roughness_length_m: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class WakeRow:
    """One row of ``wind_wakes.csv``."""

    density_mw_per_km2: float
    turbines: float
    wake_loss_percent: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class CurtailmentRule:
    """One row of ``wind_curtailment.csv``; NaN bounds hold for any value."""

    rule: str
    label_zh: str
    label_en: str
    month_from: float
    month_to: float
    hour_from: float
    hour_to: float
    wind_from_m_per_s: float
    wind_to_m_per_s: float
    temp_from_c: float
    temp_to_c: float
    power_limit_share: float
    source: str
    confidence: Confidence


def read_turbines(reader: TableReader) -> tuple[list[Row], Callable[[], tuple[Turbine, ...]]]:
    """Rows of ``turbines.csv``, checked with the files that they refer to, and what makes records of them.

    The records are made later, because a faulty file has rows that no record can hold.
    """
    turbines, losses, curves = reader.read(TURBINES), reader.read(WIND_LOSSES), reader.read(WIND_CURVES)
    reader.refer(turbines, TURBINES, "loss_set", losses)
    reader.refer(turbines, TURBINES, "curve_id", curves, only=lambda row: row["curve"] == "table")
    reader.refer(curves, WIND_CURVES, "curve_id", turbines)
    reader.check_loss_items(WIND_LOSSES, losses)
    for row in turbines:
        _check_turbine(reader, row)
    return turbines, lambda: tuple(_turbine(row, losses, curves) for row in turbines)


@lru_cache(maxsize=4)
def load_roughness(folder: Path = _FOLDER) -> tuple[LandRoughness, ...]:
    """Roughness length of each land class."""
    return _load(WIND_ROUGHNESS, LandRoughness, folder)


@lru_cache(maxsize=4)
def load_wakes(folder: Path = _FOLDER) -> tuple[WakeRow, ...]:
    """Wake losses by density and size."""
    return _load(WIND_WAKES, WakeRow, folder)


@lru_cache(maxsize=4)
def load_curtailment_rules(folder: Path = _FOLDER) -> tuple[CurtailmentRule, ...]:
    """All curtailment rules; a study names the ones that hold."""
    return _load(WIND_CURTAILMENT, CurtailmentRule, folder)


def roughness_of_class(land_class: str) -> float:
    """Roughness length of a land class [m].

    Raises
    ------
    InputError
        If there is no such class; the nearest name is told.
    """
    return _named(load_roughness(), "land_class", land_class, "wind_roughness").roughness_length_m


def curtailment_rules(names: tuple[str, ...]) -> tuple[CurtailmentRule, ...]:
    """The named curtailment rules, in the order of the names; InputError for a name that nothing has."""
    rules = load_curtailment_rules()
    return tuple(_named(rules, "rule", name, "wind_curtailment") for name in names)


def _load(table: Table, record: Callable[..., Record], folder: Path) -> tuple[Record, ...]:
    reader = TableReader(folder, _SHOWN_FOLDER if folder == _FOLDER else folder.name)
    rows = reader.read(table)
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return tuple(record(**row) for row in rows)


def _named(records: tuple[Record, ...], key: str, name: str, table: str) -> Record:
    for record in records:
        if getattr(record, key) == name:
            return record
    file = f"{_SHOWN_FOLDER}/{table}.csv"
    remedy = nearest(name, [str(getattr(record, key)) for record in records])
    raise InputError(
        [Finding("error", "technology.unknown_id", file, table, key, name, f"There is no {key} {name!r}.", remedy)]
    )


def _turbine(row: Row, losses: list[Row], curves: list[Row]) -> Turbine:
    values: dict[str, Any] = {k: v for k, v in row.items() if k not in ("loss_set", "hub_heights_m")}
    points = tuple(
        (c["wind_speed_m_per_s"], c["power_share"])
        for c in curves
        if row["curve_id"] and c["curve_id"] == row["curve_id"]
    )
    heights = tuple(float(text) for text in row["hub_heights_m"].split())
    return Turbine(**values, losses=losses_of(losses, row["loss_set"]), hub_heights_m=heights, points=points)


def _check_turbine(reader: TableReader, row: Row) -> None:
    name = row["turbine"]
    if row["curve"] == "library" and not row["library_type"]:
        message, remedy = "A library curve needs library_type.", "Name a type of windpowerlib's library."
        reader.add(TURBINES, "library_type", name, "", message, remedy)
    if row["curve"] == "rotor" and not (0 < row["cp_max"] < 16 / 27 and 0 <= row["turbulence_share"] < 0.3):
        value = f"cp_max {row['cp_max']}, turbulence_share {row['turbulence_share']}"
        message = "A rotor curve needs cp_max below 16/27 (Betz) and turbulence_share in 0..0.3."
        reader.add(TURBINES, "rotor", name, value, message, "State both.")
    if row["recut_in_m_per_s"] > row["cut_out_m_per_s"]:
        value = f"{row['recut_in_m_per_s']:g} m/s"
        message = f"recut_in_m_per_s lies above the cut-out of {row['cut_out_m_per_s']:g} m/s."
        reader.add(TURBINES, "recut_in", name, value, message, "State a speed below cut-out, or leave it empty.")
    if not all(_is_height(text) for text in row["hub_heights_m"].split()):
        message, remedy = "hub_heights_m holds something else than heights.", "Write e.g. 110 120 140 (10 to 250 m)."
        reader.add(TURBINES, "hub_heights", name, row["hub_heights_m"], message, remedy)


def _is_height(text: str) -> bool:
    try:
        return 10 <= float(text) <= 250
    except ValueError:
        return False
