"""Columns of foreign CSV tables as text, numbers and whole numbers, with findings instead of exceptions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.readers.source import fault, open_source
from layers.contracts import Finding, InputError

MOST_TOLD = 50


def read_columns(
    path: Path, shown: str, needed: Sequence[str], rule: str, findings: list[Finding], index: bool = False
) -> pd.DataFrame:
    """The table as text cells; an absent file or column is a finding, and an empty table is returned."""
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in needed})
    try:
        text = open_source(path, shown, rule).text()
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, index_col=0 if index else None)
    except InputError as error:
        findings.extend(error.findings)
        return empty
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        message = "The file is no table of commas."
        findings.append(fault(rule, shown, "not_csv", str(error), message, "Give a whole, unchanged file."))
        return empty
    for name in needed:
        if name not in table:
            message = f"The column {name} is absent."
            findings.append(
                fault(rule, shown, "column_missing", "", message, "Give a whole, unchanged file.", "", name)
            )
    return table.reindex(columns=[*needed, *(c for c in table if c not in needed)], fill_value="")


def texts(table: pd.DataFrame, name: str) -> list[str]:
    return [str(x).strip() for x in table[name]]


def numbers(
    table: pd.DataFrame,
    name: str,
    shown: str,
    rule: str,
    findings: list[Finding],
    default: float | None = None,
) -> npt.NDArray[np.float64]:
    """A column as floats; an empty cell is the default, or a finding where there is none."""
    values = np.empty(len(table))
    told = 0
    for k, cell in enumerate(texts(table, name)):
        try:
            values[k] = default if not cell and default is not None else float(cell)
        except ValueError:
            values[k] = np.nan
            told += 1
            if told <= MOST_TOLD:
                item, message = f"row {k + 2}, column {name}", "The cell is not a number."
                findings.append(fault(rule, shown, "not_a_number", cell, message, "Give a number.", "", item))
    return values


def whole(table: pd.DataFrame, name: str, shown: str, rule: str, findings: list[Finding]) -> npt.NDArray[np.int64]:
    """A column as whole numbers; anything else is a finding and 0."""
    values = numbers(table, name, shown, rule, findings)
    bad = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 2**53)
    for k in np.flatnonzero(bad & np.isfinite(values))[:MOST_TOLD]:
        item, message = f"row {k + 2}, column {name}", "A whole number belongs here."
        findings.append(fault(rule, shown, "not_whole", str(values[k]), message, "Give a whole number.", "", item))
    return np.where(bad, 0, values).astype(np.int64)
