"""Standard data of the network as tables: conductors, line types, transformers, limits, costs.

The data are CSV files in ``grid/standards``; every row has a ``source``, an ``edition`` (empty where the source
has none) and a ``confidence``: A read in the source, B recalled content of the source, C engineering range.
Adding a conductor or a type is a row, not code. A study may lay a folder of its own over them
(:func:`own_standards`): a row with the same key replaces the program's, other rows are added.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import pandas as pd

from layers.contracts import Finding, InputError

P = ParamSpec("P")
R = TypeVar("R")

STANDARDS_FOLDER = Path(__file__).with_name("standards")
_KEYS: dict[str, tuple[str, ...]] = {
    "conductors": ("conductor",),
    "line_types": ("line_type",),
    "transformers": ("transformer_type",),
    "transformers_3w": ("transformer_type",),
    "voltage_limits": ("vn_kv", "condition"),
    "capacity_load_ratio": ("vn_kv", "growth_min_percent", "source"),
    "connection_voltage": ("kind", "vn_kv"),
    "unit_costs": ("kind", "item", "vn_kv"),
    "short_circuit": ("vn_kv",),
    "short_circuit_sources": ("fuel",),
    "short_circuit_rules": ("rule",),
    "boundary_levels": ("vn_kv",),
    "zero_sequence": ("vn_kv",),
    "seasons": ("season",),
    "terrain_factors": ("terrain",),
    "connection_reach": ("vn_kv",),
    "study_limits": ("limit",),
    "network_checks": ("check",),
    "measures": ("measure",),
    "dynamic_rating": ("season",),
    "route_terrain": ("terrain",),
    "station_bays": ("station_kv", "vn_kv"),
    "collector_rules": ("rule",),
}
TABLE_NAMES = tuple(_KEYS)

_TEXT_COLUMNS = ("source", "edition", "confidence", "item", "note", "variant")
_own_folder: ContextVar[Path | None] = ContextVar("own_standards", default=None)


@contextmanager
def own_standards(folder: Path | None) -> Iterator[None]:
    """Within the block, rows of the CSV files in ``folder`` stand before the program's own.

    Parameters
    ----------
    folder : Path, optional
        Files named as the program's (``conductors.csv``, ``unit_costs.csv``, ...), each with the columns of its
        model; only what differs needs a row. None: the program's tables alone.

    Raises
    ------
    InputError
        With every file, column and row that does not fit; see :func:`check_own_standards`.
    """
    if folder is not None:
        findings = check_own_standards(folder)
        if findings:
            raise InputError(findings)
    token = _own_folder.set(folder)
    try:
        yield
    finally:
        _own_folder.reset(token)


def cached_by_standards(function: Callable[P, R]) -> Callable[P, R]:
    """Like :func:`functools.cache`, for functions whose result follows from the standard tables in force."""

    @cache
    def of_folder(folder: Path | None, *args: Hashable, **kwargs: Hashable) -> R:
        return function(*args, **kwargs)  # type: ignore[arg-type]

    @wraps(function)
    def of_tables_in_force(*args: P.args, **kwargs: P.kwargs) -> R:
        return of_folder(_own_folder.get(), *args, **kwargs)  # type: ignore[arg-type]

    return of_tables_in_force


def check_own_standards(folder: Path) -> list[Finding]:
    """Every fault of a folder of own standard tables: unknown files and columns, keys given twice, text in number
    columns, rows without source or with a confidence other than A, B, C."""
    if not folder.is_dir():
        return [
            _fault(folder.name, "", "folder", folder.name, "there is no such folder.", "Correct the folder's name.")
        ]
    return [finding for path in sorted(folder.glob("*.csv")) for finding in _check_own(path)]


def _check_own(path: Path) -> list[Finding]:
    name, shown = path.stem, f"{path.parent.name}/{path.name}"
    if name not in _KEYS:
        return [_fault(shown, "", "unknown_table", name, "no such standard table.", f"Use {', '.join(TABLE_NAMES)}.")]
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:
        return [_fault(shown, "", "unreadable", str(error), "not a CSV file in UTF-8.", "Save it as CSV, UTF-8.")]
    model = _program_table(name)
    found = [
        _fault(shown, str(column), "column", str(column), "the program's table has no such column.", "Remove it.")
        for column in table.columns
        if column not in model.columns
    ]
    found += [
        _fault(shown, str(column), "column", "", "the column is missing.", f"Copy the header of {name}.csv.")
        for column in model.columns
        if column not in table.columns
    ]
    return found or [finding for row in range(len(table)) for finding in _check_row(shown, table, row, model, name)]


def _check_row(shown: str, table: pd.DataFrame, row: int, model: pd.DataFrame, name: str) -> list[Finding]:
    item, found = f"row {row + 1}", []
    values = table.iloc[row]
    for column in model.columns:
        if pd.api.types.is_numeric_dtype(model[column]) and values[column] != "":
            try:
                float(values[column])
            except ValueError:
                found.append(
                    _fault(shown, f"{item} {column}", "number", values[column], "not a number.", "Give a number.")
                )
    if len(values["source"].strip()) < 4:
        found.append(_fault(shown, item, "source", values["source"], "the row has no source.", "Name the source."))
    if values["confidence"] not in ("A", "B", "C"):
        text = "confidence is A (read in the source), B (recalled) or C (engineering range)."
        found.append(_fault(shown, item, "confidence", values["confidence"], text, "Give A, B or C."))
    keys = list(_KEYS[name])
    if (table[keys].iloc[:row] == values[keys]).all(axis=1).any():
        shown_key = ", ".join(values[keys])
        found.append(_fault(shown, item, "repeated", shown_key, "two rows with the same key.", "Drop one."))
    return found


def _fault(file: str, item: str, rule: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"standards.{rule}", file, "standards", item, value, message, remedy)


@cache
def _program_table(name: str) -> pd.DataFrame:
    return _csv(STANDARDS_FOLDER / f"{name}.csv")


def _csv(path: Path) -> pd.DataFrame:
    text: dict[Hashable, type[str]] = dict.fromkeys(_TEXT_COLUMNS, str)
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].fillna("")
    return table


@cache
def _read(name: str, folder: Path | None) -> pd.DataFrame:
    program = _program_table(name)
    own = folder / f"{name}.csv" if folder is not None else None
    if own is None or not own.is_file():
        return program
    keys, rows = list(_KEYS[name]), _csv(own).reindex(columns=program.columns)
    replaced = program.set_index(keys).index.isin(rows.set_index(keys).index)
    return pd.concat([program[~replaced], rows], ignore_index=True)


def standard_table(name: str) -> pd.DataFrame:
    """A fresh copy of one standard table, in file order with a range index; a study's own rows come last.

    Parameters
    ----------
    name : str
        One of :data:`TABLE_NAMES`.

    Raises
    ------
    KeyError
        If there is no such table.
    """
    if name not in _KEYS:
        raise KeyError(f"no standard table {name!r}; there are {', '.join(TABLE_NAMES)}")
    return _read(name, _own_folder.get()).copy()


def conductors() -> pd.DataFrame:
    """Conductors by name: ``diameter_mm``, ``r20_ohm_per_km`` (DC)."""
    return standard_table("conductors").set_index("conductor")


def line_types() -> pd.DataFrame:
    """Line types by name, as the file has them: conductor, bundle and geometry. See ``grid.line_parameters``
    for the electrical parameters, which follow from the geometry."""
    return standard_table("line_types").set_index("line_type")


def transformer_types() -> pd.DataFrame:
    """Two-winding transformer types by name; ``vk_percent`` on the unit's own ``sn_mva``."""
    return standard_table("transformers").set_index("transformer_type")


def three_winding_types() -> pd.DataFrame:
    """Three-winding units and autotransformers by name; ``vk_base`` says what the three short-circuit voltages
    refer to (``hv``: all to the HV rating, as on Chinese nameplates). See :mod:`grid.three_winding`."""
    return standard_table("transformers_3w").set_index("transformer_type")


def transformer_types_between(hv_kv: float, lv_kv: float, variant: str = "") -> pd.DataFrame:
    """Types that join two levels, smallest rating first.

    Parameters
    ----------
    variant : str
        ``""`` for the usual units, ``high_impedance`` or ``step_up``.

    Raises
    ------
    KeyError
        If no type joins the two levels.
    """
    types = transformer_types()
    chosen = (types["hv_kv"] == hv_kv) & (types["lv_kv"] == lv_kv) & (types["variant"] == variant)
    found = types[chosen].sort_values("sn_mva")
    if found.empty:
        raise KeyError(f"no transformer type joins {hv_kv:g} and {lv_kv:g} kV")
    return found


@cached_by_standards
def voltage_band(vn_kv: float, condition: str = "normal") -> tuple[float, float]:
    """Lower and upper voltage limit [pu] of a level; ``condition`` is normal, post_fault or fixed_tap.

    A level between the listed ones takes the limits of the next listed level below; above 500 kV those of
    500 kV, below 10 kV those of 10 kV.

    Raises
    ------
    KeyError
        If the condition is not listed for that level.
    """
    table = standard_table("voltage_limits")
    levels = sorted(table["vn_kv"].unique())
    level = max((v for v in levels if v <= vn_kv), default=levels[0])
    row = table[(table["vn_kv"] == level) & (table["condition"] == condition)]
    if row.empty:
        raise KeyError(f"no {condition} voltage band for {level:g} kV")
    return float(row["vm_min_pu"].iloc[0]), float(row["vm_max_pu"].iloc[0])


def capacity_load_ratio(vn_kv: float, growth_percent: float, source: str = "Q/GDW 156") -> tuple[float, float]:
    """Band of installed transformer MVA per coincident peak MW of a level (rong zai bi).

    Parameters
    ----------
    vn_kv : float
        High-side level of the transformers: 500, 220 or 110.
    growth_percent : float
        Yearly growth of the load [%]; a value on the border belongs to the lower band.
    source : str
        Beginning of the rule's name in ``capacity_load_ratio.csv``.
    """
    table = standard_table("capacity_load_ratio")
    chosen = table[
        (table["vn_kv"] == vn_kv)
        & table["source"].str.startswith(source)
        & (table["growth_max_percent"] >= growth_percent)
    ].sort_values("growth_max_percent")
    if chosen.empty:
        raise KeyError(f"no capacity-load ratio for {vn_kv:g} kV in {source}")
    return float(chosen["ratio_min"].iloc[0]), float(chosen["ratio_max"].iloc[0])
