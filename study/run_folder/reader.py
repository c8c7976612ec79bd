"""Tables of a finished run, read from its folder alone and tolerant of what an older run does not have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from layers.contracts import Finding, InputError
from layers.tables import Table
from maps.contracts import PROJECTS


@dataclass(frozen=True)
class RunTables:
    """Tables of one run folder, read when asked for; an empty table where the run has none."""

    folder: Path

    def read(self, name: str, contract: Table | None = None) -> pd.DataFrame:
        """``<name>.csv`` with numbers where ``contract`` promises some; without one, where a column holds no other."""
        path = self.folder / f"{name}.csv"
        if not path.is_file():
            return pd.DataFrame(columns=list(contract.columns) if contract else [])
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        return _typed(raw, contract)

    @cached_property
    def projects(self) -> pd.DataFrame:
        """The project list, from whichever of its files the run wrote.

        Raises
        ------
        InputError
            If there is no project list.
        """
        if (self.folder / "projects.csv").is_file():
            return self.read("projects", PROJECTS)
        import pyogrio

        for name in ("projects.gpkg", "projects.geojson"):
            if (self.folder / name).is_file():
                return pd.DataFrame(pyogrio.read_dataframe(self.folder / name, layer="projects", read_geometry=False))
        remedy = "Give the folder of a run whose study has 'csv' among [outputs] formats."
        message = "no project list lies here (projects.csv, .gpkg or .geojson)."
        raise InputError([Finding("error", "run.no_projects", self.folder.name, "", "", "", message, remedy)])


def _typed(raw: pd.DataFrame, contract: Table | None) -> pd.DataFrame:
    promised = {} if contract is None else {**contract.columns, **contract.optional}
    typed: dict[str, pd.Series] = {}
    for name in raw.columns:
        promise = promised.get(name)
        if promise is not None and promise.dtype is bool:
            typed[name] = raw[name] == "True"
            continue
        numeric = promise.dtype in (float, int) if promise is not None else _holds_numbers(name, raw[name])
        typed[name] = pd.to_numeric(raw[name], errors="coerce") if numeric else raw[name].str.removeprefix("'")
    return pd.DataFrame(typed)


def _holds_numbers(name: str, cells: pd.Series) -> bool:
    """Whether a column that no contract promises holds numbers: by its cells, unless its name says it is a code."""
    if name.endswith(("_id", "_code")) or name in ("case", "element", "rule"):
        return False
    filled = cells[cells != ""]
    return bool(len(filled)) and bool(pd.to_numeric(filled, errors="coerce").notna().all())
