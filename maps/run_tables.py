"""The tables of a finished run as charts and reports read them: every cell as the file spells it, with its address.

A run of an older program, or one without a stage, lacks tables or columns; the field is then None, the column absent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sheet:
    """One table of a run.

    ``file`` is its path in the run folder, ``key`` the columns that tell its rows apart. The cells of ``rows`` are
    the file's own texts, numbers too, so that what is shown can be compared with the file letter by letter.
    """

    file: str
    key: tuple[str, ...]
    rows: pd.DataFrame

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, *columns: str) -> bool:
        return all(column in self.rows.columns for column in columns)

    def texts(self, column: str) -> list[str]:
        """Cells of a column as they stand; empty texts where the column is absent."""
        if column not in self.rows.columns:
            return [""] * len(self.rows)
        return [str(value) for value in self.rows[column]]

    def numbers(self, column: str) -> Floats:
        """Cells of a column as numbers; NaN where a cell is empty, no number, or the column is absent."""
        return np.array([number(cell) for cell in self.texts(column)], dtype=float)

    def flags(self, column: str) -> npt.NDArray[np.bool_]:
        return np.array([cell in ("True", "true") for cell in self.texts(column)], dtype=bool)

    def cell(self, row: int, column: str) -> str:
        return str(self.rows[column].iat[row]) if column in self.rows.columns else ""

    def key_of(self, row: int) -> str:
        """The row's address within the file: the cells of the key, separated by a bar."""
        return "|".join(self.cell(row, column) for column in self.key)

    def chosen(self, rows: npt.NDArray[Any] | list[int] | list[bool]) -> Sheet:
        """The same sheet with some of its rows, by place or by truth, in that order."""
        places = np.asarray(rows)
        if places.dtype == bool:
            places = np.flatnonzero(places)
        return dataclasses.replace(self, rows=self.rows.iloc[places.astype(int)].reset_index(drop=True))

    def where(self, column: str, value: str) -> Sheet:
        return self.chosen([cell == value for cell in self.texts(column)])

    def place(self, **cells: str) -> int | None:
        """Place of the first row with these cells; None where there is none."""
        found = np.ones(len(self), dtype=bool)
        for column, value in cells.items():
            found &= np.array([cell == value for cell in self.texts(column)], dtype=bool)
        return int(np.flatnonzero(found)[0]) if found.any() else None


def number(cell: str) -> float:
    """A cell as a number; NaN where it holds none."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def sheet_of(rows: pd.DataFrame, file: str, *key: str) -> Sheet:
    """A sheet out of a table whose cells are texts or get their plain spelling here; NaN and None are empty."""
    texts = pd.DataFrame({c: [_spelled(v) for v in rows[c]] for c in rows.columns}, dtype=object)
    return Sheet(file, key, texts)


def _spelled(value: object) -> str:
    return "" if value is None or value != value else str(value)


@dataclass(frozen=True)
class Address:
    """Where a table of a run lies and which columns tell its rows apart."""

    file: str
    key: tuple[str, ...]


ADDRESSES: Mapping[str, Address] = {
    "projects": Address("projects.csv", ("candidate_id",)),
    "substations": Address("substations.csv", ("bus_id",)),
    "targets": Address("targets.csv", ("region", "quantity_en", "technology_group", "year")),
    "upgrades": Address("upgrades.csv", ("upgrade_id",)),
    "cases": Address("loadflow/cases.csv", ("case",)),
    "buses": Address("loadflow/buses.csv", ("case", "bus_id")),
    "branches": Address("loadflow/branches.csv", ("case", "element")),
    "outages": Address("loadflow/n_1.csv", ("case", "outage")),
    "hosting": Address("loadflow/hosting.csv", ("bus_id", "case", "mode")),
    "grades": Address("loadflow/grades.csv", ("equipment_id",)),
    "short_circuit": Address("loadflow/short_circuit.csv", ("bus_id",)),
    "short_circuit_openings": Address("loadflow/short_circuit_openings.csv", ("step",)),
    "curtailment": Address("loadflow/curtailment.csv", ("bus_id", "curtailed_percent")),
    "curtailment_duration": Address("loadflow/curtailment_duration.csv", ("bus_id", "hours")),
    "curtailment_checks": Address("loadflow/curtailment_checks.csv", ("reason",)),
    "parks": Address("parks.csv", ("park_id",)),
    "park_sites": Address("parks/sites.csv", ("park_id", "candidate_id")),
    "park_rules": Address("parks/rules.csv", ("park_id", "rule")),
    "park_sizing": Address("parks/sizing.csv", ("park_id", "aim", "target_share")),
    "year_hours": Address("loadflow/year_hours.csv", ("hour",)),
    "year_branches": Address("loadflow/year_branches.csv", ("branch_id",)),
    "network_stations": Address("loadflow/network/stations.csv", ("station_id",)),
    "network_buses": Address("loadflow/network/buses.csv", ("bus_id",)),
    "network_lines": Address("loadflow/network/lines.csv", ("line_id",)),
    "network_transformers": Address("loadflow/network/transformers.csv", ("transformer_id",)),
    "network_loads": Address("loadflow/network/loads.csv", ("load_id",)),
    "network_generators": Address("loadflow/network/generators.csv", ("generator_id",)),
    "land_states": Address("land/states.csv", ("host_type",)),
    "land_waterfall": Address("land/waterfall.csv", ("host_type", "rule")),
    "rules": Address("land/rules.csv", ("rule",)),
    "cost_by_technology": Address("cost/by_technology.csv", ("technology", "cost_item")),
    "co2_avoided": Address("cost/co2_avoided.csv", ("technology",)),
    "criteria": Address("scores/criteria.csv", ("criterion",)),
    "plan_summary": Address("plan/summary.json#", ()),
    "plan_binding": Address("plan/binding.csv", ("stage", "point", "limit", "element", "outage")),
    "plan_stages": Address("plan/summary.json#stages", ("stage",)),
    "plan_violations": Address("plan/summary.json#violations", ("stage", "point", "limit", "element", "outage")),
    "plan_greedy": Address("plan/summary.json#greedy", ()),
    "plan_targets": Address("plan/targets.csv", ("target",)),
    "plan_storage": Address("plan/storage.csv", ("bus_id", "stage")),
    "plan_measures": Address("plan/measures.csv", ("measure_id",)),
    "plan_staircase": Address("plan/staircase.csv", ("step",)),
    "plan_sites": Address("plan/sites.csv", ("candidate_id",)),
    "operating_points": Address("loadflow/operating_points.csv", ("case",)),
    "sources": Address("about.json#sources", ("id",)),
    "host_types": Address("about.json#host_types", ("host_type",)),
    "inputs": Address("manifest.json#inputs", ("id",)),
    "assumptions": Address("manifest.json#assumptions", ("id",)),
    "findings": Address("manifest.json#findings", ("place",)),
    "libraries": Address("manifest.json#libraries", ("name",)),
    "outputs": Address("manifest.json#outputs", ("path",)),
    "key_figures": Address("report/key_figures.csv", ("figure",)),
    "by_verdict": Address("report/by_verdict.csv", ("verdict",)),
    "by_technology": Address("report/by_technology.csv", ("technology",)),
    "by_district": Address("report/by_district.csv", ("district_code",)),
    "by_origin": Address("report/by_origin.csv", ("origin",)),
    "binding": Address("report/binding.csv", ("binding_element",)),
    "measure_effects": Address("report/measure_effects.csv", ("upgrade_id",)),
    "capacity_load_ratio": Address("report/capacity_load_ratio.csv", ("vn_kv",)),
    "voltage_bands": Address("report/voltage_bands.csv", ("case", "vn_kv")),
    "flexible": Address("report/flexible.csv", ("bus_id",)),
    "short_circuit_levels": Address("report/short_circuit_levels.csv", ("vn_kv",)),
    "n_1_severity": Address("report/n_1_severity.csv", ("case", "outage")),
    "n_1_classes": Address("report/n_1_classes.csv", ("class", "case")),
}
"""Where each table of :class:`RunTables` lies."""


@dataclass(frozen=True)
class About:
    """What a run calls itself; from the run's ``about.json``, or from the manifest where an older run has none."""

    study: str
    title_zh: str
    title_en: str
    language: str = "zh"
    result_id: str = ""
    fengguang: str = ""
    python: str = ""
    code_sha256: str = ""
    rule_pack: str = ""


@dataclass(frozen=True)
class RunTables:
    """Everything that charts and reports read of one run. A table that the run does not have is None."""

    about: About
    districts: gpd.GeoDataFrame | None = None
    """Outlines in WGS-84 with district_code, name_zh, name_en."""

    projects: Sheet | None = None
    substations: Sheet | None = None
    targets: Sheet | None = None
    upgrades: Sheet | None = None
    cases: Sheet | None = None
    buses: Sheet | None = None
    branches: Sheet | None = None
    outages: Sheet | None = None
    hosting: Sheet | None = None
    grades: Sheet | None = None
    short_circuit: Sheet | None = None
    short_circuit_openings: Sheet | None = None
    curtailment: Sheet | None = None
    curtailment_duration: Sheet | None = None
    curtailment_checks: Sheet | None = None
    parks: Sheet | None = None
    park_sites: Sheet | None = None
    park_rules: Sheet | None = None
    park_sizing: Sheet | None = None
    year_hours: Sheet | None = None
    year_branches: Sheet | None = None
    network_stations: Sheet | None = None
    network_buses: Sheet | None = None
    network_lines: Sheet | None = None
    network_transformers: Sheet | None = None
    network_loads: Sheet | None = None
    network_generators: Sheet | None = None
    land_states: Sheet | None = None
    land_waterfall: Sheet | None = None
    rules: Sheet | None = None
    cost_by_technology: Sheet | None = None
    co2_avoided: Sheet | None = None
    criteria: Sheet | None = None
    plan_summary: Sheet | None = None
    plan_stages: Sheet | None = None
    plan_violations: Sheet | None = None
    plan_greedy: Sheet | None = None
    plan_targets: Sheet | None = None
    plan_storage: Sheet | None = None
    plan_binding: Sheet | None = None
    plan_measures: Sheet | None = None
    plan_staircase: Sheet | None = None
    plan_sites: Sheet | None = None
    operating_points: Sheet | None = None
    sources: Sheet | None = None
    host_types: Sheet | None = None
    inputs: Sheet | None = None
    assumptions: Sheet | None = None
    findings: Sheet | None = None
    libraries: Sheet | None = None
    outputs: Sheet | None = None
    key_figures: Sheet | None = None
    by_verdict: Sheet | None = None
    by_technology: Sheet | None = None
    by_district: Sheet | None = None
    by_origin: Sheet | None = None
    binding: Sheet | None = None
    measure_effects: Sheet | None = None
    capacity_load_ratio: Sheet | None = None
    voltage_bands: Sheet | None = None
    flexible: Sheet | None = None
    short_circuit_levels: Sheet | None = None
    n_1_severity: Sheet | None = None
    n_1_classes: Sheet | None = None


def case_labels(run: RunTables, language: str) -> dict[str, str]:
    """Labels of the operating cases by their id; empty where the run does not list them."""
    points = run.operating_points
    return {} if points is None else dict(zip(points.texts("case"), points.texts(f"label_{language}"), strict=True))


def with_tables(about: About, districts: gpd.GeoDataFrame | None, read: Callable[[Address], Sheet | None]) -> RunTables:
    """The tables that ``read`` finds at their addresses."""
    return RunTables(about, districts, **{name: read(address) for name, address in ADDRESSES.items()})
