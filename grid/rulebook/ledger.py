"""A ledger of what is connected, registered and stored below each transformer, laid over the network's own tables.

A row names an ``equipment_id`` and any columns of the edition's equipment table; an empty cell leaves the network's
figure. Figures that add up (connected, registered, storage) are those of everything below the row; a superior that the
ledger does not name takes over the changes of its inferiors, so that the parts never add up to more than the whole.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from grid.rulebook.assess import RuleTables
from grid.rulebook.book import RULE_2019, EditionName
from grid.rulebook.hierarchy import from_the_top
from grid.rulebook.inputs import EQUIPMENT_2019, EQUIPMENT_2025, InputTable, fault, typed, unknown_ids
from layers.contracts import FindingLog
from layers.tables import Table, column

ADDITIVE = (
    "connected_mw", "registered_mw", "dg_output_mw", "storage_charge_mw", "new_storage_min_mw", "new_storage_max_mw",
)  # fmt: skip
_IDENTITY = ("equipment_id", "vn_kv", "superior_id")
_ROOM_MW = 1e-6


def ledger_columns(edition: EditionName) -> tuple[str, ...]:
    """Columns that a ledger may have beside ``equipment_id``."""
    return tuple(name for name in _kind(edition).columns if name not in _IDENTITY)


def _kind(edition: EditionName) -> InputTable:
    return EQUIPMENT_2019 if edition == RULE_2019 else EQUIPMENT_2025


def with_ledger(tables: RuleTables, edition: EditionName, ledger: pd.DataFrame, *, file: str = "") -> RuleTables:
    """``tables`` with the figures of the ledger in place.

    Parameters
    ----------
    tables : RuleTables
        Of a network, every superior that is equipment being a row.
    ledger : DataFrame
        ``equipment_id`` and some of :func:`ledger_columns`; text is read as numbers.
    file : str
        Name that findings show for the ledger.

    Raises
    ------
    InputError
        Every unknown column and id, repeated row, number that is none, and superior with less than its inferiors.
    """
    log, where = FindingLog(), (file, "ledger")
    numbers = _numbers(ledger, edition, log, file)
    log.raise_errors()
    rows = numbers.set_index("equipment_id")
    unknown_ids(list(rows.index), tables.equipment["equipment_id"], log, where, "equipment_id")
    log.raise_errors()
    equipment, defaults = tables.equipment.set_index("equipment_id", drop=False), _kind(edition).defaults
    superior = {str(i): str(s) for i, s in zip(equipment.index, equipment["superior_id"], strict=True)}
    for name in rows.columns:
        now = equipment[name] if name in equipment else pd.Series(defaults[name], index=equipment.index)
        given = {str(i): value for i, value in rows[name].items() if not _blank(value)}
        if name in ADDITIVE:
            now = now.astype(float)
            given = _added_up(now.to_dict(), given, superior, name, log, where)
        equipment[name] = [given.get(str(i), value) for i, value in now.items()]
    log.raise_errors()
    return replace(tables, equipment=equipment.reset_index(drop=True))


def _numbers(ledger: pd.DataFrame, edition: EditionName, log: FindingLog, file: str) -> pd.DataFrame:
    """The ledger with numbers where the edition promises them; text and truth values stay text."""
    promised = {name: one for name, one in _kind(edition).columns.items() if name not in _IDENTITY}
    loose = {
        name: replace(one, nullable=True) if one.dtype is float else column(str, "", one.description)
        for name, one in promised.items()
        if name in ledger.columns
    }
    kind = InputTable(
        Table("ledger", "", {"equipment_id": column(str, "", "row of the equipment table", unique=True)}, loose), {}
    )
    unknown = [name for name in ledger.columns if name not in (*promised, "equipment_id")]
    for name in unknown:
        remedy = f"The edition's columns are {', '.join(promised)}."
        fault(log, "column", (file, "ledger"), str(name), "", f"{edition} has no such column.", remedy)
    return typed(ledger.drop(columns=unknown), kind, log, file)


def _blank(value: object) -> bool:
    return value == "" or (isinstance(value, float) and math.isnan(value))


def _added_up(
    now: Mapping[Any, float], given: Mapping[str, Any], superior: Mapping[str, str], name: str,
    log: FindingLog, where: tuple[str, str],
) -> dict[str, float]:  # fmt: skip
    """New figure of each row: the ledger's, or the network's with the changes of the inferiors."""
    change: dict[str, float] = defaultdict(float)
    parts: dict[str, float] = defaultdict(float)
    found: dict[str, float] = {}
    for item in reversed(from_the_top(superior)):
        found[item] = float(given[item]) if item in given else now[item] + change[item]
        if found[item] < parts[item] - _ROOM_MW:
            text = f"{name} is less than the {parts[item]:g} of what lies below it."
            fault(log, "ledger_parts", where, item, found[item], text, "Count everything below the transformer.")
        change[superior[item]] += found[item] - now[item]
        parts[superior[item]] += found[item]
    return found
