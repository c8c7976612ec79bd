"""Reads the CSV files of a technology folder and collects everything that is wrong with them.

Used by :mod:`siting.technologies.pv` (PV) and :mod:`siting.technologies.tables` (the rest and the public loader).
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers.contracts import Finding
from layers.tables import Table, column
from siting.contracts import Confidence

Row = dict[str, Any]

PROVENANCE = {
    "source": column(str, "", "where the row's figures come from"),
    "confidence": column(str, "", "A read in the source, B recalled, C engineering range", isin=("A", "B", "C")),
}
LABELS = {"label_zh": column(str, "", "label for people"), "label_en": column(str, "", "label for people")}
LOSS_COLUMNS = {
    "loss_set": column(str, "", "name of the chain"),
    "item": column(str, "", "name of the loss"),
    "loss_percent": column(float, "%", "of what is left before the item", ge=0, le=99),
    **PROVENANCE,
}

COMPUTED_STAGES = (
    "reference_yield",
    "plane_of_array",
    "horizon",
    "row_shading",
    "rear_irradiance",
    "reflection",
    "temperature",
    "inverter",
    "clipping",
    "long_run_mean_speed",
    "high_wind_restart",
    "air_density",
)


@dataclass(frozen=True)
class Loss:
    """One item of a loss chain; ``loss_share`` of what is left before it."""

    item: str
    loss_share: float
    source: str
    confidence: Confidence


def nearest(value: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(value, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."


def losses_of(rows: Sequence[Row], loss_set: str) -> tuple[Loss, ...]:
    return tuple(
        Loss(row["item"], row["loss_percent"] / 100, row["source"], row["confidence"])
        for row in rows
        if row["loss_set"] == loss_set
    )


def without(row: Row, *keys: str) -> Row:
    return {key: value for key, value in row.items() if key not in keys}


class TableReader:
    """Reads the files of one folder and collects what is wrong with them."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder, self.shown = folder, shown
        self.findings: list[Finding] = []

    def add(self, table: Table, rule: str, item: str, value: object, message: str, remedy: str) -> None:
        file = f"{self.shown}/{table.name}.csv"
        self.findings.append(
            Finding("error", f"technology.{rule}", file, table.name, item, str(value), message, remedy)
        )

    def read(self, table: Table) -> list[Row]:
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
            self.add(table, "column_unknown", "header", name, f"Unknown column {name!r}.", nearest(name, table.columns))
        return not missing and not unknown

    def _row(self, table: Table, line: dict[str, str], number: int) -> Row:
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

    def _unique(self, table: Table, rows: list[Row]) -> None:
        for name, promise in table.columns.items():
            seen: set[object] = set()
            for number, row in enumerate(rows, start=2):
                if promise.unique and row[name] in seen:
                    self.add(table, "repeated_id", f"row {number}, {name}", row[name], "Id used twice.", "Rename one.")
                seen.add(row[name])

    def refer(
        self, rows: list[Row], table: Table, key: str, others: list[Row], only: Callable[[Row], bool] | None = None
    ) -> None:
        known = {str(row[key]) for row in others}
        for row in rows:
            if (only is None or only(row)) and row[key] not in known:
                item = f"{row[next(iter(table.columns))]}, {key}"
                self.add(table, "unknown_id", item, row[key], f"No such {key}.", nearest(row[key], known))

    def check_loss_items(self, table: Table, rows: list[Row]) -> None:
        seen: set[tuple[str, str]] = set()
        for number, row in enumerate(rows, start=2):
            key = row["loss_set"], row["item"]
            if key in seen or row["item"] in COMPUTED_STAGES:
                message = "The item is there twice, or has the name of a computed step."
                self.add(table, "loss_item", f"row {number}, item", row["item"], message, "Rename the item.")
            seen.add(key)
