"""A network as a folder of tables that people open in Excel, written and read without losing a bit.

::

    folder/  network.toml  stations.csv  buses.csv  lines.csv  transformers.csv
             loads.csv  generators.csv  infeeds.csv  assumptions.csv  [shunts.csv]

CSV with commas, UTF-8 with byte order mark, ``\\r\\n``. Numbers are written so that they come back exactly. A text
that a spreadsheet would take for a formula is written with an apostrophe before it, which reading takes off again.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from grid.contracts import (
    BUSES,
    GENERATORS,
    INFEEDS,
    LINES,
    LOADS,
    SHUNTS,
    STATIONS,
    TRANSFORMERS,
    Assumption,
    Network,
)
from layers.contracts import Finding, InputError, Origin
from layers.tables import Column, Table, column

NETWORK_TABLES = (STATIONS, BUSES, LINES, TRANSFORMERS, LOADS, GENERATORS, INFEEDS)
ASSUMPTIONS = Table(
    "assumptions",
    "What no source told.",
    {
        "id": column(str, "", "stable id", unique=True),
        "subject": column(str, "", "what it is about"),
        "text_zh": column(str, "", "the assumption"),
        "text_en": column(str, "", "the assumption"),
        "value": column(str, "", "the value assumed"),
        "source": column(str, "", "where the value is from"),
        "confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
    },
)
DESCRIPTION_FILE = "network.toml"
COLUMN_DEFAULTS = {"origin": "mapped", "note": "", "name_en": "=name_zh", "path_wkt": ""}
"""Value of an absent optional column; ``=other`` copies another column."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_TRUTH = {"true": True, "1": True, "yes": True, "是": True, "false": False, "0": False, "no": False, "否": False}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def file_name(table: Table) -> str:
    return f"{table.name}.csv"


# ---------------------------------------------------------------- writing


def write_network(network: Network, folder: Path) -> None:
    """Write every table of a network to ``folder``; the same network gives the same bytes.

    Parameters
    ----------
    network : Network
        Keeps its contracts; row order is kept, the index is not.
    folder : Path
        Made when absent; files of the same names are replaced.

    Raises
    ------
    ContractError
        If a table breaks its promise: nothing is written then.
    """
    network.validate()
    folder.mkdir(parents=True, exist_ok=True)
    for table in (*NETWORK_TABLES, *((SHUNTS,) if len(network.shunts) else ())):
        frame = getattr(network, table.name)
        rows = zip(*(frame[name].tolist() for name in table.columns), strict=True)
        (folder / file_name(table)).write_bytes(_csv_bytes(list(table.columns), rows))
    if network.shunts.empty:
        (folder / file_name(SHUNTS)).unlink(missing_ok=True)
    notes = (astuple(assumption) for assumption in network.assumptions)
    (folder / file_name(ASSUMPTIONS)).write_bytes(_csv_bytes(list(ASSUMPTIONS.columns), notes))
    description = f"name = {_toml_text(network.name)}\norigin = {_toml_text(network.origin.value)}\n"
    (folder / DESCRIPTION_FILE).write_bytes(description.encode("utf-8"))


def _csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return "'" + text if _FORMULA.match(text) else text


def _toml_text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but DEL must be escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


# ---------------------------------------------------------------- reading


def read_network(folder: Path) -> Network:
    """Read the tables that :func:`write_network` writes, or that a planner filled in.

    Absent optional columns (:data:`COLUMN_DEFAULTS`), an absent ``network.toml`` (name: the folder's; origin:
    mapped) take a default that becomes one of ``Network.assumptions``; an absent ``assumptions.csv`` means that
    there is none. Rows without any content are passed over.

    Returns
    -------
    Network
        Validated. Whether the tables fit together is the question of ``grid.checks.check_network``.

    Raises
    ------
    InputError
        With every fault of every file. Rows count as in a spreadsheet: the header is row 1.
    """
    if not folder.is_dir():
        raise InputError(
            [
                _finding(
                    "folder_missing",
                    folder.name,
                    "network",
                    "folder",
                    "",
                    "The folder of the network tables is absent.",
                    "Correct the folder in the study file.",
                )
            ]
        )
    findings: list[Finding] = []
    defaults: list[Assumption] = []
    frames = {table.name: _read_table(folder, table, findings, defaults) for table in NETWORK_TABLES}
    if (folder / file_name(SHUNTS)).exists():
        frames[SHUNTS.name] = _read_table(folder, SHUNTS, findings, defaults)
    noted = _read_assumptions(folder, findings)
    name, origin = _read_description(folder, findings, defaults)
    if findings:
        raise InputError(findings)
    known = {assumption.id for assumption in noted}
    return Network(
        name=name,
        origin=origin,
        assumptions=(*noted, *(assumption for assumption in defaults if assumption.id not in known)),
        **frames,
    ).validate()


def _finding(rule: str, file: str, layer: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"network_tables.{rule}", file, layer, item, value, message, remedy)


@dataclass(frozen=True)
class _Sheet:
    """Text cells by column, and the spreadsheet row of each record."""

    cells: Mapping[str, list[str]]
    row_numbers: list[int]


def _read_table(folder: Path, table: Table, findings: list[Finding], defaults: list[Assumption]) -> pd.DataFrame:
    sheet = _read_sheet(folder / file_name(table), table, findings)
    if sheet is None:
        return table.empty()
    parsed: dict[str, list[Any]] = {}
    for name, promise in table.columns.items():
        if name in sheet.cells:
            parsed[name] = _parse_column(table, name, promise, sheet, findings)
        else:
            parsed[name] = _default_column(table, name, sheet)
            defaults.append(_default_assumption(table, name))
    dtypes = {name: object if promise.dtype is str else promise.dtype for name, promise in table.columns.items()}
    return pd.DataFrame({name: pd.Series(values, dtype=dtypes[name]) for name, values in parsed.items()})


def _default_column(table: Table, name: str, sheet: _Sheet) -> list[str]:
    default = COLUMN_DEFAULTS[name]
    if not default.startswith("="):
        return [default] * len(sheet.row_numbers)
    return [_unescape(text) for text in sheet.cells.get(default[1:], [])]


def _default_assumption(table: Table, name: str) -> Assumption:
    default = COLUMN_DEFAULTS[name]
    value = default.removeprefix("=")
    return Assumption(
        f"network_tables.default.{table.name}.{name}",
        f"{table.name}.{name}",
        f"{file_name(table)} 没有 {name} 列,取缺省值“{value}”。",
        f"{file_name(table)} has no column {name}; its default is {value or 'empty'}.",
        value,
        "default of an absent optional column",
        "C",
    )


def _read_assumptions(folder: Path, findings: list[Finding]) -> tuple[Assumption, ...]:
    if not (folder / file_name(ASSUMPTIONS)).exists():
        return ()
    frame = _read_table(folder, ASSUMPTIONS, findings, [])
    names = [field.name for field in fields(Assumption)]
    return tuple(
        Assumption(**{n: row[n] for n in names}) for row in cast("list[dict[str, Any]]", frame.to_dict("records"))
    )


def _read_description(folder: Path, findings: list[Finding], defaults: list[Assumption]) -> tuple[str, Origin]:
    """Name and origin of the network from ``network.toml``."""

    def fault(rule: str, item: str, value: str, message: str, remedy: str) -> None:
        findings.append(_finding(rule, DESCRIPTION_FILE, "network", item, value, message, remedy))

    path = folder / DESCRIPTION_FILE
    content: dict[str, Any] = {}
    if path.exists():
        try:
            content = tomllib.loads(path.read_text("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            fault(
                "description",
                "file",
                str(error),
                "The file is not TOML in UTF-8.",
                'Write name = "..." and origin = "mapped".',
            )
            return folder.name, Origin.MAPPED
    for key in sorted(content.keys() - {"name", "origin"}):
        fault("unknown_key", key, str(content[key]), "The key is not known.", _near(key, ("name", "origin")))
    for key, default in (("name", folder.name), ("origin", Origin.MAPPED.value)):
        if key not in content:
            content[key] = default
            defaults.append(
                Assumption(
                    f"network_tables.default.network.{key}",
                    f"network.{key}",
                    f"{DESCRIPTION_FILE} 没有 {key},取缺省值“{default}”。",
                    f"{DESCRIPTION_FILE} does not give {key}; its default is {default}.",
                    default,
                    "default of an absent key",
                    "C",
                )
            )
    if not isinstance(content["name"], str):
        fault("not_text", "name", str(content["name"]), "The name is not a text.", "Put it in quotation marks.")
    if content["origin"] not in tuple(Origin):
        fault(
            "not_allowed",
            "origin",
            str(content["origin"]),
            "The origin is not one of the allowed values.",
            _near(str(content["origin"]), tuple(Origin)),
        )
        return str(content["name"]), Origin.MAPPED
    return str(content["name"]), Origin(content["origin"])


# ---------------------------------------------------------------- one file as text cells


def _read_sheet(path: Path, table: Table, findings: list[Finding]) -> _Sheet | None:
    """Text cells of one file; None (and findings) where the columns cannot be told."""

    def fault(rule: str, item: str, value: str, message: str, remedy: str) -> None:
        findings.append(_finding(rule, path.name, table.name, item, value, message, remedy))

    if not path.is_file():
        fault(
            "file_missing",
            "file",
            "",
            f"The table of the {table.name} is absent.",
            f"Add {path.name}; a table without rows has its header only.",
        )
        return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
        records = list(csv.reader(io.StringIO(text, newline="")))
    except UnicodeDecodeError as error:
        fault(
            "encoding",
            f"byte {error.start}",
            repr(error.object[error.start : error.end]),
            "The file is not UTF-8.",
            "Save it as 'CSV UTF-8 (comma delimited)'.",
        )
        return None
    except csv.Error as error:
        fault(
            "csv",
            "file",
            str(error),
            "The file cannot be split into cells.",
            "Save it as 'CSV UTF-8 (comma delimited)'.",
        )
        return None
    header = [name.strip() for name in records[0]] if records else []
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        fault(
            "delimiter",
            "row 1",
            header[0],
            "The columns are not separated by commas.",
            "Save it as 'CSV UTF-8 (comma delimited)'.",
        )
        return None
    if not _check_header(header, table, fault):
        return None
    numbered = [(k, row) for k, row in enumerate(records[1:], start=2) if any(cell.strip() for cell in row)]
    for k, row in numbered:
        if len(row) != len(header):
            fault(
                "row_width",
                f"row {k}",
                f"{len(row)} cells",
                f"The header has {len(header)} columns.",
                "Quote texts with commas; give every column a cell.",
            )
    whole = [(k, row) for k, row in numbered if len(row) == len(header)]
    cells = {name: [row[position] for _, row in whole] for position, name in enumerate(header)}
    return _Sheet(cells, [k for k, _ in whole])


def _check_header(header: list[str], table: Table, fault: Any) -> bool:
    """Name every column that is twice, unknown or missing; a misspelt one is named once."""
    known = list(table.columns)
    missing = [name for name in known if name not in header]
    sound = True
    for name in sorted({name for name in header if header.count(name) > 1 and name in known}):
        fault("column_twice", f"column {name}", name, "The column is there twice.", "Delete one of them.")
        sound = False
    for position, name in enumerate(header, start=1):
        if name in known:
            continue
        sound = False
        near = difflib.get_close_matches(name, missing, n=1, cutoff=0.6)
        if near:
            missing.remove(near[0])
            remedy = f"Rename it to {near[0]}."
        else:
            remedy = f"Delete it; the columns are {', '.join(known)}."
        fault("unknown_column", f"column {position}", name, "The column is not known.", remedy)
    for name in missing:
        if name in COLUMN_DEFAULTS and table is not ASSUMPTIONS:
            continue
        sound = False
        promise = table.columns[name]
        unit = f" [{promise.unit}]" if promise.unit else ""
        fault(
            "missing_column",
            f"column {name}",
            name,
            "The column is missing.",
            f"Add {name}{unit}: {promise.description}.",
        )
    return sound


# ---------------------------------------------------------------- one column


def _parse_column(table: Table, name: str, promise: Column, sheet: _Sheet, findings: list[Finding]) -> list[Any]:
    """Values of a column; a cell that cannot be used gives a finding and a harmless stand-in."""
    key = next(iter(table.columns))
    seen: dict[str, int] = {}
    values: list[Any] = []
    for k, (row, raw) in enumerate(zip(sheet.row_numbers, sheet.cells[name], strict=True)):
        value, fault = _parse_cell(raw, name, promise)
        if fault is None and promise.unique:
            first = seen.setdefault(value, row)
            if first != row:
                fault = ("duplicate_id", f"Row {first} has the same {name}.", "Give every row an id of its own.")
        if fault is not None:
            rule, message, remedy = fault
            owner = "" if name == key else f" ({sheet.cells[key][k]})" if key in sheet.cells else ""
            item = f"row {row}{owner}, column {name}"
            findings.append(_finding(rule, file_name(table), table.name, item, raw, message, remedy))
        values.append(value)
    return values


_Fault = tuple[str, str, str]


def _parse_cell(raw: str, name: str, promise: Column) -> tuple[Any, _Fault | None]:
    """A value and, where the cell cannot be used, rule, message and remedy."""
    if promise.dtype is bool:
        return _parse_truth(raw)
    if promise.dtype is float:
        return _parse_number(raw, promise)
    text = _unescape(raw)
    if promise.isin is not None:
        text = text.strip()
    if not text.strip() and (promise.unique or promise.isin or _is_reference(name)):
        return text, ("empty_cell", "The cell is empty.", "Fill it in, or delete the row.")
    if promise.isin is not None and text not in promise.isin:
        return text, ("not_allowed", "The value is not one of the allowed ones.", _near(text, promise.isin))
    return text, None


def _is_reference(name: str) -> bool:
    return name in {"station_id", "bus_id"} or name.endswith("_bus")


def _parse_truth(raw: str) -> tuple[bool, _Fault | None]:
    text = raw.strip().lower()
    if not text:
        return False, ("empty_cell", "The cell is empty.", "Write true or false.")
    if text not in _TRUTH:
        return False, ("not_a_truth", "The value is neither true nor false.", "Write true or false.")
    return _TRUTH[text], None


def _parse_number(raw: str, promise: Column) -> tuple[float, _Fault | None]:
    text = raw.strip()
    unit = f" in {promise.unit}" if promise.unit else ""
    if not text:
        return math.nan, ("empty_cell", "The cell is empty; unknown is not zero.", f"Give a number{unit}.")
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        return math.nan, (
            "not_a_number",
            "The cell is not a number.",
            f"Give a plain number{unit}, point as decimal mark.",
        )
    allowed = _range_words(promise)
    if allowed and not _in_range(number, promise):
        return number, ("out_of_range", f"The value must be {allowed}.", f"Give a number{unit} that is {allowed}.")
    return number, None


def _in_range(number: float, promise: Column) -> bool:
    return not (
        (promise.gt is not None and not number > promise.gt)
        or (promise.ge is not None and not number >= promise.ge)
        or (promise.le is not None and not number <= promise.le)
    )


def _range_words(promise: Column) -> str:
    limits: tuple[tuple[Literal["above", "at least", "at most"], float | None], ...] = (
        ("above", promise.gt),
        ("at least", promise.ge),
        ("at most", promise.le),
    )
    return " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


def _unescape(text: str) -> str:
    """Take off the apostrophe that stands before a text which looks like a formula."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _near(value: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, [str(a) for a in allowed], n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{guess}Allowed: {', '.join(str(a) for a in allowed)}."
