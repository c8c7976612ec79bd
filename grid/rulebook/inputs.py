"""Tables that the rule book takes, and how a table from outside becomes one of them: every fault at once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from layers.contracts import Finding, FindingLog
from layers.tables import Column, Table, column

CHECK_STATES = ("passed", "failed", "open")
ARRANGEMENTS = ("single", "parallel", "split")
_CHECK_DEFAULT = "open"


@dataclass(frozen=True)
class InputTable:
    """A table's promise, and the values of optional columns that are absent."""

    table: Table
    defaults: Mapping[str, object]

    @property
    def columns(self) -> dict[str, Column]:
        return {**self.table.columns, **self.table.optional}


def _check(text: str) -> Column:
    return column(str, "", f"{text}: passed, failed or open (not done)", isin=CHECK_STATES)


_NAMES = {"name_zh": column(str, "", "Chinese name"), "name_en": column(str, "", "name in pinyin or English")}

EQUIPMENT_2019 = InputTable(
    Table(
        "equipment (2019)",
        "One row a transformer or line, at the hour of its largest reverse load rate. Signs: load consumes, "
        "generation produces, both positive.",
        {
            "equipment_id": column(str, "", "stable id", unique=True),
            "vn_kv": column(float, "kV", "nominal voltage of the line or of the high side", gt=0),
            "superior_id": column(str, "", "equipment of a higher level that feeds it; empty: none in the study"),
            "limit_mva": column(float, "MVA", "operating limit S_e of the transformer or line", gt=0),
            "dg_output_mw": column(float, "MW", "output of distributed generation P_D", ge=0),
            "load_mw": column(float, "MW", "load of the supply area", ge=0),
            "other_generation_mw": column(float, "MW", "output of other generation in the supply area", ge=0),
        },
        optional={
            **_NAMES,
            "thermal_check": _check("thermal stability of what is connected"),
            "short_circuit_check": _check("short-circuit current below the breaker's"),
            "voltage_check": _check("voltage deviation, GB/T 12325"),
            "harmonics_check": _check("harmonics, GB/T 14549"),
        },
    ),
    {"name_zh": "", "name_en": ""}
    | dict.fromkeys(("thermal_check", "short_circuit_check", "voltage_check", "harmonics_check"), _CHECK_DEFAULT),
)
CHECKS_2019 = ("thermal_check", "short_circuit_check", "voltage_check", "harmonics_check")

EQUIPMENT_2025 = InputTable(
    Table(
        "equipment (2025)",
        "One row a transformer, or the transformers that share one supply area, at the typical hour. Signs: load "
        "consumes, generation produces, storage charges, all positive.",
        {
            "equipment_id": column(str, "", "stable id", unique=True),
            "vn_kv": column(float, "kV", "nominal voltage of the high side", gt=0),
            "superior_id": column(str, "", "equipment of a higher level, or county, that it obeys; empty: none"),
            "arrangement": column(str, "", "single, parallel or split (each unit on its own)", isin=ARRANGEMENTS),
            "load_mw": column(float, "MW", "load of the supply area P", ge=0),
            "other_generation_mw": column(float, "MW", "output of other generation P_G", ge=0),
            "power_factor": column(float, "1", "power factor of the transformer cos theta", gt=0, le=1),
            "storage_charge_mw": column(float, "MW", "charging power of existing storage P_ESS", ge=0),
            "tau_max": column(
                float, "1", "largest simultaneous output of distributed generation per installed capacity", gt=0, le=1
            ),
            "connected_mw": column(float, "MW", "distributed generation connected", ge=0),
            "registered_mw": column(float, "MW", "registered, not yet connected", ge=0),
        },
        optional={
            **_NAMES,
            "new_storage_min_mw": column(float, "MW", "expected new storage, lower bound", ge=0),
            "new_storage_max_mw": column(float, "MW", "expected new storage, upper bound", ge=0),
            "tripping_scheme": column(bool, "", "a scheme trips distributed generation after an outage"),
            "beta_given": column(float, "1", "reverse load rate set by the study; empty: by rule", nullable=True, ge=0),
            "beta_reason": column(str, "", "why the study sets it"),
            "largest_project_mw": column(float, "MW", "largest single project asked for; 0: none", ge=0),
            "thermal_check": _check("load flow: branches within limits"),
            "short_circuit_3ph_check": _check("three-phase short circuit against breakers"),
            "short_circuit_1ph_check": _check("single-phase short circuit against breakers"),
            "voltage_check": _check("voltage deviation, GB/T 12325"),
            "harmonics_check": _check("harmonics, GB/T 14549"),
        },
    ),
    {
        "name_zh": "",
        "name_en": "",
        "new_storage_min_mw": 0.0,
        "new_storage_max_mw": 0.0,
        "tripping_scheme": False,
        "beta_given": math.nan,
        "beta_reason": "",
        "largest_project_mw": 0.0,
    }
    | dict.fromkeys(
        ("thermal_check", "short_circuit_3ph_check", "short_circuit_1ph_check", "voltage_check", "harmonics_check"),
        _CHECK_DEFAULT,
    ),
)
CHECKS_2025 = (
    "thermal_check",
    "short_circuit_3ph_check",
    "short_circuit_1ph_check",
    "voltage_check",
    "harmonics_check",
)

UNITS = InputTable(
    Table(
        "units",
        "One row a transformer unit in operation.",
        {
            "unit_id": column(str, "", "stable id", unique=True),
            "equipment_id": column(str, "", "row of the equipment table"),
            "sn_mva": column(float, "MVA", "rating", gt=0),
        },
        optional={"vk_percent": column(float, "%", "short-circuit voltage on the unit's base", gt=0, nullable=True)},
    ),
    {"vk_percent": math.nan},
)

FACTORS = ("peak_load_mw", "energy_mwh", "users", "connected_mw", "new_mw", "registered_mw", "gdp_cny")
"""Columns of the county table by which the system level may be shared out."""

COUNTIES = InputTable(
    Table(
        "counties",
        "One row a county.",
        {
            "county_id": column(str, "", "stable id", unique=True),
            "connected_mw": column(float, "MW", "distributed generation connected", ge=0),
            "registered_mw": column(float, "MW", "registered, not yet connected", ge=0),
        },
        optional={
            **_NAMES,
            "system_min_mw": column(float, "MW", "system level of the county, lower bound", nullable=True, ge=0),
            "system_max_mw": column(float, "MW", "system level of the county, upper bound", nullable=True, ge=0),
            "peak_load_mw": column(float, "MW", "yearly peak of the load", nullable=True, ge=0),
            "energy_mwh": column(float, "MWh", "yearly consumption", nullable=True, ge=0),
            "users": column(float, "1", "number of users", nullable=True, ge=0),
            "new_mw": column(float, "MW", "distributed generation added in the year", nullable=True, ge=0),
            "gdp_cny": column(float, "CNY", "gross domestic product", nullable=True, ge=0),
        },
    ),
    {"name_zh": "", "name_en": ""}
    | dict.fromkeys(
        ("system_min_mw", "system_max_mw", "peak_load_mw", "energy_mwh", "users", "new_mw", "gdp_cny"), math.nan
    ),
)

SHARES = InputTable(
    Table(
        "shares",
        "Which share of a transformer serves which county; without a row it serves the county that is its superior.",
        {
            "equipment_id": column(str, "", "row of the equipment table"),
            "county_id": column(str, "", "row of the county table"),
            "share": column(float, "1", "share of the transformer's hosting capacity", gt=0, le=1),
        },
    ),
    {},
)

HENAN = InputTable(
    Table(
        "transformers (Henan)",
        "One row a main or distribution transformer.",
        {
            "equipment_id": column(str, "", "stable id", unique=True),
            "sn_mva": column(float, "MVA", "rating", gt=0),
            "pv_mw": column(float, "MW", "PV connected, under construction and planned", ge=0),
        },
        optional=_NAMES,
    ),
    {"name_zh": "", "name_en": ""},
)

ALL_INPUTS = {
    "equipment_2019": EQUIPMENT_2019,
    "equipment_2025": EQUIPMENT_2025,
    "units": UNITS,
    "counties": COUNTIES,
    "shares": SHARES,
    "henan": HENAN,
}


def fault(
    log: FindingLog, rule: str, where: tuple[str, str], item: str, value: object, message: str, remedy: str
) -> None:
    """Add one error; ``where`` is (file as people see it, table)."""
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    log.add(Finding("error", f"rulebook.{rule}", where[0], where[1], item, shown, message, remedy))


def read_rows(path: Path, shown: str, log: FindingLog) -> pd.DataFrame | None:
    """A CSV file as text, or None with a finding."""
    try:
        return pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        text = f"the file cannot be read as CSV in UTF-8 ({type(error).__name__})."
        fault(log, "file", (shown, path.stem), path.name, path.name, text, "Save it as CSV, UTF-8.")
        return None


def typed(rows: pd.DataFrame, kind: InputTable, log: FindingLog, file: str = "") -> pd.DataFrame:
    """``rows`` with the promised columns, dtypes and defaults, in the order given; every fault goes to the log.

    Text is read as numbers and truth values where the promise says so; nothing else is changed. Where there are
    faults, the returned table is for further checks only.
    """
    where = (file, kind.table.name)
    names = kind.columns
    for name in rows.columns:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"The columns are {', '.join(names)}."
            fault(log, "column", where, str(name), "", "the table has no such column.", remedy)
    missing = [name for name in kind.table.columns if name not in rows.columns]
    for name in missing:
        promise = names[name]
        fault(log, "column_missing", where, name, "", f"the column is missing: {promise.description}.", "Add it.")
    key = next(iter(kind.table.columns))
    items = [str(v) for v in rows[key]] if key in rows.columns else [f"row {i + 1}" for i in range(len(rows))]
    columns = {
        name: _column(rows[name], promise, items, name, where, log)
        if name in rows.columns
        else pd.Series([kind.defaults.get(name, _blank(promise))] * len(rows), dtype=_dtype(promise))
        for name, promise in names.items()
    }
    return pd.DataFrame(columns)


def _dtype(promise: Column) -> type:
    return object if promise.dtype in (None, str) else promise.dtype or object


def _blank(promise: Column) -> object:
    return math.nan if promise.dtype is float else False if promise.dtype is bool else ""


def _column(
    values: pd.Series, promise: Column, items: list[str], name: str, where: tuple[str, str], log: FindingLog
) -> pd.Series:
    read = _numbers if promise.dtype is float else _truths if promise.dtype is bool else _texts
    converted = read(values, promise, items, name, where, log)
    if promise.unique:
        counts = converted.value_counts()
        for value in sorted(str(v) for v in counts[counts > 1].index):
            fault(log, "repeated", where, value, value, f"{name} is given {counts[value]} times.", "Keep one row.")
    return converted


def _numbers(
    values: pd.Series, promise: Column, items: list[str], name: str, where: tuple[str, str], log: FindingLog
) -> pd.Series:
    out = np.full(len(values), math.nan)
    for k, raw in enumerate(values):
        text = "" if raw is None or (isinstance(raw, float) and math.isnan(raw)) else str(raw).strip()
        item = f"{items[k]} {name}"
        if text == "":
            if not promise.nullable:
                fault(log, "empty", where, item, "", f"no value: {promise.description}.", "Give a number.")
            continue
        try:
            value = float(text)
        except ValueError:
            fault(log, "number", where, item, text, "not a number.", f"Give a number in {promise.unit}.")
            continue
        broken = _broken_bound(value, promise)
        if broken:
            fault(log, "range", where, item, value, f"must be {broken}: {promise.description}.", "Correct the value.")
        out[k] = value
    return pd.Series(out)


def _broken_bound(value: float, promise: Column) -> str:
    if not math.isfinite(value):
        return "a finite number"
    if promise.gt is not None and not value > promise.gt:
        return f"above {promise.gt:g}"
    if promise.ge is not None and not value >= promise.ge:
        return f"at least {promise.ge:g}"
    if promise.le is not None and not value <= promise.le:
        return f"at most {promise.le:g}"
    return ""


def _truths(
    values: pd.Series, promise: Column, items: list[str], name: str, where: tuple[str, str], log: FindingLog
) -> pd.Series:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    out = []
    for k, raw in enumerate(values):
        text = str(raw).strip().lower()
        if text not in words:
            fault(log, "truth", where, f"{items[k]} {name}", raw, "neither true nor false.", "Write true or false.")
        out.append(words.get(text, False))
    return pd.Series(out, dtype=bool)


def _texts(
    values: pd.Series, promise: Column, items: list[str], name: str, where: tuple[str, str], log: FindingLog
) -> pd.Series:
    out = ["" if raw is None or (isinstance(raw, float) and math.isnan(raw)) else str(raw).strip() for raw in values]
    for k, text in enumerate(out):
        if promise.isin is not None and text not in promise.isin:
            remedy = f"Use {', '.join(promise.isin)}."
            fault(log, "word", where, f"{items[k]} {name}", text, f"not a known word: {promise.description}.", remedy)
        if promise.unique and not text:
            fault(log, "empty", where, f"row {k + 1} {name}", "", "the id is empty.", "Give an id.")
    return pd.Series(out, dtype=object)


def unknown_ids(ids: Iterable[str], known: Iterable[str], log: FindingLog, where: tuple[str, str], column: str) -> None:
    """A finding for each id that the other table does not have."""
    have = set(known)
    for item in dict.fromkeys(ids):
        if item not in have:
            near = difflib.get_close_matches(item, sorted(have), 1)
            remedy = f"Did you mean {near[0]}?" if near else "Correct the id or add the row."
            fault(log, "unknown_id", where, item, item, f"{column} names no row.", remedy)
