"""The last step of every reader: everything about the tables that the source must answer for, told at once.

A broken promise of a table that comes out of a file is a fault of the file, so it is a finding here; after this
step :meth:`BusBranch.validate` can only fail on a fault of the program.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from grid.model.contracts import CASE_TABLES, BusBranch
from layers.contracts import Finding, InputError
from layers.tables import Column, Table

_UNLIMITED = {"q_min_mvar", "q_max_mvar", "p_min_mw", "p_max_mw"}
_REFERENCES = {
    "loads": ("bus_id",),
    "generators": ("bus_id", "regulated_bus_id"),
    "branches": ("from_bus", "to_bus"),
    "three_winding": ("bus_1", "bus_2", "bus_3"),
    "shunts": ("bus_id", "regulated_bus_id"),
    "hvdc": ("from_bus", "to_bus"),
}
MOST_SHOWN = 50
"""Findings of one kind and column that are told one by one; the rest are counted."""


def accept(case: BusBranch) -> BusBranch:
    """Return ``case`` validated, or raise :class:`InputError` with every fault of its content."""
    refuse_faults(case)
    return case.validate()


def refuse_faults(case: BusBranch) -> None:
    """Raise :class:`InputError` with every fault of the content; the promised types are not checked again."""
    findings = case_findings(case)
    if findings:
        raise InputError(findings)


def case_findings(case: BusBranch) -> list[Finding]:
    """Faults of the content: empty or repeated ids, numbers that are none, values out of range, unknown buses."""
    findings: list[Finding] = []
    if not np.isfinite(case.base_mva) or case.base_mva <= 0:
        findings.append(
            _finding(case, "base_mva", "case", "base_mva", str(case.base_mva), "The power base must be above 0 MVA.")
        )
    if case.buses.empty:
        findings.append(_finding(case, "no_buses", "buses", "", "0", "There is no bus."))
    for attribute, table in CASE_TABLES.items():
        frame: pd.DataFrame = getattr(case, attribute)
        if frame.empty:
            continue
        for name, promise in table.columns.items():
            findings += _limited(_column_findings(case, attribute, table, frame, name, promise))
    findings += _unknown_buses(case)
    findings += _limited(_missing_set_points(case))
    return findings


def _finding(case: BusBranch, rule: str, layer: str, item: str, value: str, message: str) -> Finding:
    return Finding(
        "error",
        f"case.{rule}",
        case.source.shown_path,
        layer,
        item,
        value,
        message,
        "Correct the value in the source.",
    )


def _limited(findings: Iterator[Finding]) -> list[Finding]:
    listed = list(findings)
    if len(listed) <= MOST_SHOWN:
        return listed
    last = listed[MOST_SHOWN - 1]
    more = Finding(
        last.severity,
        last.rule,
        last.file,
        last.layer,
        f"and {len(listed) - MOST_SHOWN} more",
        "",
        "The same fault in further rows.",
        last.remedy,
    )
    return [*listed[:MOST_SHOWN], more]


def _column_findings(
    case: BusBranch, attribute: str, table: Table, frame: pd.DataFrame, name: str, promise: Column
) -> Iterator[Finding]:
    values, ids = frame[name], frame[next(iter(table.columns))]
    faults: list[tuple[str, str, np.ndarray]] = []
    if promise.dtype is float:
        numbers = values.to_numpy(float)
        unusable = np.isnan(numbers) if name in _UNLIMITED else ~np.isfinite(numbers)
        if promise.nullable:
            unusable &= ~np.isnan(numbers)
        faults.append(("not_finite", "The value is not a finite number.", unusable))
        with np.errstate(invalid="ignore"):
            low = (promise.gt is not None) & (numbers <= (promise.gt or 0.0))
            low |= (promise.ge is not None) & (numbers < (promise.ge or 0.0))
        bound = f"above {promise.gt:g}" if promise.gt is not None else f"at least {promise.ge or 0:g}"
        faults.append(("out_of_range", f"The value must be {bound}.", np.asarray(low & ~unusable)))
    if promise.unique:
        faults.append(("duplicate_id", f"Several rows have this {name}.", values.duplicated().to_numpy(bool)))
    if promise.isin is not None:
        allowed = ", ".join(promise.isin)
        faults.append(("not_allowed", f"Allowed: {allowed}.", ~values.isin(list(promise.isin)).to_numpy(bool)))
    for rule, message, mask in faults:
        for k in np.flatnonzero(mask):
            yield _finding(case, rule, attribute, f"{ids.iloc[k]}, {name}", str(values.iloc[k]), message)


def _missing_set_points(case: BusBranch) -> Iterator[Finding]:
    generators = case.generators
    holds = (generators["control"] == "voltage") & generators["in_service"].astype(bool)
    message = "A generator that holds the voltage needs a set point above 0."
    for k in np.flatnonzero(holds & ~(generators["vm_pu"] > 0)):
        name, value = generators["generator_id"].iloc[k], str(generators["vm_pu"].iloc[k])
        yield _finding(case, "set_point", "generators", f"{name}, vm_pu", value, message)


def _unknown_buses(case: BusBranch) -> list[Finding]:
    known = case.buses["bus_id"].to_numpy(np.int64)
    findings: list[Finding] = []
    for attribute, columns in _REFERENCES.items():
        frame: pd.DataFrame = getattr(case, attribute)
        if frame.empty:
            continue
        key = frame.columns[0]
        for name in columns:
            values = frame[name].to_numpy(np.int64)
            wrong = ~np.isin(values, known) & ~((values == -1) & (attribute == "hvdc"))
            findings += _limited(
                _finding(
                    case, "unknown_bus", attribute, f"{frame[key].iloc[k]}, {name}", str(values[k]), "No such bus."
                )
                for k in np.flatnonzero(wrong)
            )
    return findings
