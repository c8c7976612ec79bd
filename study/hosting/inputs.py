"""Small files beside a network for ``fengguang hosting``: ratings, counties of stations, a list of plants."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from grid.model.contracts import BusBranch
from grid.rulebook.grading import County
from layers.contracts import Finding, FindingLog, InputError

_LETTERS = ("a", "b", "c")


def read_columns(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV as text with the columns that are needed, those that are optional, and no others.

    Raises
    ------
    InputError
        For a file that is no CSV, and every column that lacks or is not known.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        text = f"the file cannot be read as CSV in UTF-8 ({type(error).__name__})."
        raise InputError([_fault(path, "file", path.name, "", text, "Save it as CSV, UTF-8.")]) from error
    log, known = FindingLog(), [*needed, *optional]
    for name in table.columns:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"The columns are {', '.join(known)}."
            log.add(_fault(path, "column", str(name), "", "there is no such column.", remedy))
    for name in needed:
        if name not in table:
            log.add(_fault(path, "column_missing", name, "", "the column is missing.", "Add it."))
    log.raise_errors()
    return table


def with_ratings(case: BusBranch, path: Path) -> BusBranch:
    """The case with the ratings of a file (``branch_id``, ``rating_a_mva``, and where given ``rating_b_mva``, ``_c_``).

    Windings of three-winding units are ``<unit>/1`` to ``<unit>/3``. An empty cell leaves what the case has.

    Raises
    ------
    InputError
        Every unknown or repeated branch and every rating that is no number above 0.
    """
    table = read_columns(path, ("branch_id", "rating_a_mva"), ("rating_b_mva", "rating_c_mva"))
    windings = [f"{unit}/{k}" for unit in case.three_winding["transformer_id"] for k in (1, 2, 3)]
    known = {str(item) for item in (*case.branches["branch_id"], *windings)}
    log = FindingLog()
    ids = table["branch_id"].str.strip()
    for item in ids[ids.duplicated()].unique():
        log.add(_fault(path, "repeated", item, item, "the branch is given twice.", "Keep one row."))
    for item in dict.fromkeys(ids):
        if item not in known:
            near = difflib.get_close_matches(item, sorted(known), 1)
            remedy = (
                f"Did you mean {near[0]}?" if near else "Use the branch ids of branches.csv of 'fengguang loadflow'."
            )
            log.add(_fault(path, "unknown_branch", item, item, "there is no such branch.", remedy))
    branches, units = case.branches.copy(), case.three_winding.copy()
    for letter in _LETTERS:
        name = f"rating_{letter}_mva"
        if name not in table:
            continue
        given = _positive(table[name], ids, name, path, log)
        own = branches["branch_id"].map(given)
        branches[name] = own.where(own.notna(), branches[name].astype(float))
        for k in (1, 2, 3) if letter == "a" else ():
            winding = (units["transformer_id"] + f"/{k}").map(given)
            units[f"rating_{k}_mva"] = winding.where(winding.notna(), units[f"rating_{k}_mva"].astype(float))
    log.raise_errors()
    return replace(case, branches=branches, three_winding=units)


def _positive(values: pd.Series, ids: pd.Series, name: str, path: Path, log: FindingLog) -> dict[str, float]:
    found = {}
    numbers = pd.to_numeric(values.str.strip(), errors="coerce")
    for item, text, number in zip(ids, values, numbers, strict=True):
        if text.strip() == "":
            continue
        if not (np.isfinite(number) and number > 0):
            message = "a rating is a number of MVA above 0."
            log.add(_fault(path, "rating", f"{item} {name}", text, message, "Correct it, or leave the cell empty."))
            continue
        found[str(item)] = float(number)
    return found


def read_counties(path: Path, stations: Sequence[str]) -> tuple[dict[str, str], tuple[County, ...]]:
    """County of each station (``station``, ``county_id``), and the counties with their names where given.

    Raises
    ------
    InputError
        Every station that the network does not have, and every one that is given twice.
    """
    table = read_columns(path, ("station", "county_id"), ("name_zh", "name_en"))
    log, known = FindingLog(), sorted(set(stations))
    for item in table["station"][table["station"].duplicated()].unique():
        log.add(_fault(path, "repeated", item, item, "the station is given twice.", "Keep one row."))
    for item in dict.fromkeys(table["station"]):
        if item not in known:
            near = difflib.get_close_matches(item, known, 1)
            remedy = f"Did you mean {near[0]}?" if near else "Use the station names of hosting.csv."
            log.add(_fault(path, "unknown_station", item, item, "there is no such station.", remedy))
    log.raise_errors()
    names = table.reindex(columns=["county_id", "name_zh", "name_en"], fill_value="").drop_duplicates("county_id")
    counties = tuple(County(str(i), str(zh), str(en)) for i, zh, en in names.itertuples(index=False))
    return dict(zip(table["station"], table["county_id"], strict=True)), counties


def read_plant_list(path: Path) -> tuple[str, ...]:
    """Generator ids of a CSV with the column ``generator_id``."""
    return tuple(str(item).strip() for item in read_columns(path, ("generator_id",))["generator_id"])


def _fault(path: Path, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"hosting.{rule}", path.name, path.stem, item, value, message, remedy)
