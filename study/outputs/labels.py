"""What columns and coded values are called in Chinese and English; the words are data in two CSV files.

``column_titles.csv`` names every column that people meet, ``value_labels.csv`` the codes in them (verdicts, kinds of
limit, origins). Units and English meanings come from the contracts, so that they are stated once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd

from layers.tables import Table

Language = Literal["zh", "en"]
Titles = Literal["zh", "en", "names"]
"""What heads a column: its title in a language, or its plain name."""

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class ColumnTitle:
    """Names and Chinese meaning of one column."""

    title_zh: str
    title_en: str
    meaning_zh: str

    def title(self, language: Language) -> str:
        return self.title_zh if language == "zh" else self.title_en


@dataclass(frozen=True)
class ValueLabel:
    """What one code in a column is called, and its colour on maps (empty where it has none)."""

    value: str
    label_zh: str
    label_en: str
    colour: str

    def label(self, language: Language) -> str:
        return self.label_zh if language == "zh" else self.label_en


@cache
def _titles() -> dict[tuple[str, str], ColumnTitle]:
    return {
        (row["table"], row["column"]): ColumnTitle(row["title_zh"], row["title_en"], row["meaning_zh"])
        for row in _rows("column_titles.csv")
    }


@cache
def _labels() -> dict[str, tuple[ValueLabel, ...]]:
    labels: dict[str, tuple[ValueLabel, ...]] = {}
    for row in _rows("value_labels.csv"):
        label = ValueLabel(row["value"], row["label_zh"], row["label_en"], row["colour"])
        labels[row["column"]] = (*labels.get(row["column"], ()), label)
    return labels


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def column_title(table: str, column: str) -> ColumnTitle:
    """Names of a column. A column without a row in ``column_titles.csv`` goes by its own name."""
    return _titles().get((table, column), ColumnTitle(column, column, ""))


def shown_titles(table: str, columns: Iterable[str], titles: Titles) -> list[str]:
    """What heads the columns of a table, in their order."""
    if titles == "names":
        return list(columns)
    return [column_title(table, column).title(titles) for column in columns]


def titled_columns(table: str) -> tuple[str, ...]:
    """Columns of ``table`` that ``column_titles.csv`` names, in its order."""
    return tuple(column for name, column in _titles() if name == table)


def value_labels(column: str, table: str = "") -> tuple[ValueLabel, ...]:
    """Codes of a column in the order of the file, of ``table`` where it has its own; empty where it has no codes."""
    return _labels().get(f"{table}.{column}") or _labels().get(column, ())


def with_value_labels(table: pd.DataFrame, language: Language, name: str = "") -> pd.DataFrame:
    """Copy of ``table`` (``name``) in which codes are replaced by their labels; values that are no known code stay."""
    shown = table.copy()
    for column in shown.columns:
        names = {label.value: label.label(language) for label in value_labels(str(column), name)}
        if names:
            shown[column] = [names.get(str(value), value) for value in shown[column]]
    return shown


def definitions(tables: Iterable[Table], sources: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The data dictionary of ``tables``: one row a column, with both names, unit, both meanings and its codes.

    ``sources`` says by the table's name where it comes from; the table's own description where it does not.
    """
    known = sources or {}
    return pd.DataFrame(
        [
            (
                table.name,
                column,
                (title := column_title(table.name, column)).title_zh,
                title.title_en,
                promise.unit,
                title.meaning_zh,
                promise.description,
                "; ".join(f"{v.value} = {v.label_zh} / {v.label_en}" for v in value_labels(column, table.name)),
                known.get(table.name, table.description),
            )
            for table in tables
            for column, promise in table.every_column.items()
        ],
        columns=titled_columns("definitions"),
    )
