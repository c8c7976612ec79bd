"""Rows of a network's tables: one is read, some are added."""

from __future__ import annotations

from typing import Any

import pandas as pd


def row_of(table: pd.DataFrame, key: str, value: str) -> dict[str, Any]:
    """The row of an id.

    Raises
    ------
    KeyError
        If no row has the id.
    """
    found = table[table[key] == value]
    if found.empty:
        raise KeyError(f"no {key} {value!r}")
    return {str(k): v for k, v in found.iloc[0].to_dict().items()}


def appended(table: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The table with rows added, types kept."""
    if not rows:
        return table
    new = pd.DataFrame(rows, columns=list(table.columns)).astype(table.dtypes.to_dict())
    return new if table.empty else pd.concat([table, new], ignore_index=True)


def new_id(element: str, what: str, taken: set[str]) -> str:
    """``element+what1``, or the first number that is free."""
    number = 1
    while f"{element}+{what}{number}" in taken:
        number += 1
    return f"{element}+{what}{number}"
