"""Reading of the small rule tables beside ``host_types.csv``: every fault named, all at once."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layers.contracts import Finding, InputError

TECHNOLOGIES_FOLDER = Path(__file__).parent
_SHOWN_FOLDER = "siting/technologies"

Row = dict[str, Any]
Range = tuple[float, float]


def read_small_table(
    path: Path, texts: Mapping[str, tuple[str, ...] | None], numbers: Mapping[str, Range]
) -> list[Row]:
    """Rows of a CSV file as dictionaries.

    Parameters
    ----------
    path : Path
    texts : mapping
        Text columns with the values they may hold; None: any.
    numbers : mapping
        Number columns with their least and greatest value; an empty cell is NaN.

    Raises
    ------
    InputError
        With every finding: missing column, text that is not allowed, unreadable number, value out of range.
    """
    shown = f"{_SHOWN_FOLDER}/{path.name}" if path.parent == TECHNOLOGIES_FOLDER else path.name
    findings: list[Finding] = []

    def fault(rule: str, item: str, value: str, message: str, remedy: str) -> None:
        findings.append(Finding("error", f"table.{rule}", shown, path.stem, item, value, message, remedy))

    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        for name in (*texts, *numbers):
            if name not in (reader.fieldnames or ()):
                fault("column_missing", "header", name, f"Column {name!r} is missing.", "Add the column.")
        if findings:
            raise InputError(findings)
        rows = []
        for number, line in enumerate(reader, start=2):
            row: Row = {}
            for name, allowed in texts.items():
                row[name] = (line[name] or "").strip()
                if allowed is not None and row[name] not in allowed:
                    remedy = f"Use one of: {', '.join(allowed)}."
                    fault("value_not_allowed", f"row {number}, {name}", row[name], "Not allowed.", remedy)
            for name, (low, high) in numbers.items():
                text = (line[name] or "").strip()
                row[name] = _number(text)
                if text and not low <= row[name] <= high:
                    message = f"No number within {low:g}..{high:g}."
                    fault("range", f"row {number}, {name}", text, message, "Correct it.")
            rows.append(row)
    if findings:
        raise InputError(findings)
    return rows


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
