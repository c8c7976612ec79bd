"""Host types: ``siting/technologies/host_types.csv`` as :class:`~siting.contracts.HostType` records.

A new kind of place is a new row; no Python changes. Whatever is wrong with the file is told at once.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from layers.contracts import Finding, InputError
from siting.contracts import HostType

HOST_TYPES_FILE = Path(__file__).parents[1] / "technologies" / "host_types.csv"
_SHOWN = "siting/technologies/host_types.csv"

_FIELDS = dataclasses.fields(HostType)
_COLUMNS = tuple(field.name for field in _FIELDS)
_OPTIONAL = {field.name: field.default for field in _FIELDS if field.default is not dataclasses.MISSING}
_NUMBERS = {
    "density_mw_per_km2": (0.0, 1000.0),
    "density_low_mw_per_km2": (0.0, 1000.0),
    "density_high_mw_per_km2": (0.0, 1000.0),
    "usable_share": (0.0, 1.0),
    "min_area_m2": (0.0, 1e9),
    "min_width_m": (0.0, 1e5),
    "max_capacity_mw": (0.0, 1e6),
    "group_distance_m": (0.0, 5000.0),
    "strip_width_m": (0.0, 500.0),
    "ledger_priority": (0.0, 1e6),
}
_ABOVE_ZERO = ("density_mw_per_km2", "density_low_mw_per_km2", "usable_share", "max_capacity_mw")
_CHOICES = {
    "kind": ("roof", "ground", "wind"),
    "density_basis": ("dc gross", "dc net", "ac gross", "ac net"),
    "confidence": ("A", "B", "C"),
    "geometry": ("polygon", "line"),
}
_MAY_BE_EMPTY = ("pv_variant", *_OPTIONAL)


def nearest_key(value: str, known: Iterable[str]) -> str:
    """Remedy for an unknown key: the nearest known one, or the list of all.

    >>> nearest_key("fishpond", ["fish_pond", "wind_plain"])
    "Did you mean 'fish_pond'?"
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(value, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."


def load_host_types(path: Path = HOST_TYPES_FILE) -> tuple[HostType, ...]:
    """Read and check the host types, in the order of the file.

    Parameters
    ----------
    path : Path
        CSV file with one column for each field of :class:`HostType`; those with a default may be left out or empty.
        By default the one of the program.

    Raises
    ------
    InputError
        With every finding: file or column missing, unknown column, unreadable number, value out of range, a range
        that does not hold the density, repeated id, abbreviation, priority or colour.
    """
    shown = _SHOWN if path == HOST_TYPES_FILE else path.name
    if not path.is_file():
        raise InputError([_finding(shown, "file_missing", path.name, "", "The file is not there.", "Put it back.")])
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        findings = _check_header(shown, reader.fieldnames or ())
        if findings:
            raise InputError(findings)
        rows = [_row(shown, line, number, findings) for number, line in enumerate(reader, start=2)]
    _check_unique(shown, rows, findings)
    if findings:
        raise InputError(sorted(findings))
    return tuple(HostType(**row) for row in rows)


def host_type(host_types: Sequence[HostType], name: str) -> HostType:
    """The host type with an id.

    Raises
    ------
    InputError
        If there is none; the remedy names the nearest id.
    """
    for candidate in host_types:
        if candidate.host_type == name:
            return candidate
    raise InputError([unknown_host_type(name, host_types, file=_SHOWN, layer="host_types", item="host_type")])


def unknown_host_type(name: str, host_types: Sequence[HostType], *, file: str, layer: str, item: str) -> Finding:
    """Finding about a host type id that does not exist."""
    remedy = nearest_key(name, (known.host_type for known in host_types))
    message = f"There is no host type {name!r}."
    return Finding("error", "host_type.unknown", file, layer, item, name, message, remedy)


def _finding(file: str, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"host_type.{rule}", file, "host_types", item, str(value), message, remedy)


def _check_header(shown: str, found: Sequence[str]) -> list[Finding]:
    missing = [
        _finding(shown, "column_missing", "header", name, f"Column {name!r} is missing.", "Add the column.")
        for name in _COLUMNS
        if name not in found and name not in _OPTIONAL
    ]
    unknown = [
        _finding(shown, "column_unknown", "header", name, f"Unknown column {name!r}.", nearest_key(name, _COLUMNS))
        for name in found
        if name not in _COLUMNS
    ]
    return missing + unknown


def _row(shown: str, line: dict[str, str], number: int, findings: list[Finding]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in _COLUMNS:
        text, item = (line.get(name) or "").strip(), f"row {number}, {name}"
        if not text and name not in _MAY_BE_EMPTY:
            findings.append(_finding(shown, "value_missing", item, text, "The cell is empty.", "State a value."))
        if not text and name in _OPTIONAL:
            row[name] = _OPTIONAL[name]
        elif name in _NUMBERS:
            row[name] = _number(shown, name, text, item, findings)
        else:
            row[name] = text
            if name in _CHOICES and text and text not in _CHOICES[name]:
                allowed = nearest_key(text, _CHOICES[name])
                findings.append(_finding(shown, "value_not_allowed", item, text, "Not allowed.", allowed))
    row["ledger_priority"] = int(row["ledger_priority"]) if math.isfinite(row["ledger_priority"]) else -1
    _check_row(shown, row, number, findings)
    return row


def _number(shown: str, name: str, text: str, item: str, findings: list[Finding]) -> float:
    low, high = _NUMBERS[name]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if text and not math.isfinite(value):
        findings.append(_finding(shown, "not_a_number", item, text, "Not a number.", "Write a number."))
    elif value < low or value > high or (value == low and name in _ABOVE_ZERO):
        findings.append(_finding(shown, "out_of_range", item, text, f"Outside {low:g}..{high:g}.", "Correct it."))
    return value


def _check_row(shown: str, row: dict[str, Any], number: int, findings: list[Finding]) -> None:
    low, value, high = (row[f"density{part}_mw_per_km2"] for part in ("_low", "", "_high"))
    if low > value or value > high:
        message = "The density lies outside its own range."
        findings.append(_finding(shown, "density_range", f"row {number}", f"{low}..{high}", message, f"Hold {value}."))
    is_pv, basis = row["kind"] != "wind", row["density_basis"]
    if basis and basis.startswith("dc") != is_pv:
        message, remedy = "PV densities are DC, wind densities AC.", "Convert the density and correct the basis."
        findings.append(_finding(shown, "density_basis", f"row {number}, density_basis", basis, message, remedy))
    if bool(row["pv_variant"]) != is_pv:
        message, remedy = "PV needs a pv_variant and wind has none.", "Name a row of pv_variants.csv, or leave empty."
        findings.append(_finding(shown, "pv_variant", f"row {number}", row["pv_variant"], message, remedy))
    if (row["geometry"] == "line") != (row["strip_width_m"] > 0):
        message, remedy = "Lines have a strip width and polygons have none.", "Correct geometry or strip_width_m."
        item = f"row {number}, strip_width_m"
        findings.append(_finding(shown, "strip_width", item, row["strip_width_m"], message, remedy))
    if row["colour"] and not re.fullmatch(r"#[0-9a-f]{6}", row["colour"]):
        message, remedy = "Not a colour.", "Write #rrggbb in small letters."
        findings.append(_finding(shown, "colour", f"row {number}, colour", row["colour"], message, remedy))


def _check_unique(shown: str, rows: list[dict[str, Any]], findings: list[Finding]) -> None:
    for name in ("host_type", "abbreviation", "ledger_priority", "colour"):
        seen: set[object] = set()
        for number, row in enumerate(rows, start=2):
            if row[name] in seen:
                item = f"row {number}, {name}"
                findings.append(_finding(shown, "repeated", item, row[name], "Used twice.", "Change one."))
            seen.add(row[name])


def may_share_land(a: HostType, b: HostType) -> bool:
    """Whether the table lets two host types share land; either row may say so."""
    return b.host_type in a.co_use.split() or a.host_type in b.co_use.split()
