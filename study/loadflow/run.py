"""``fengguang loadflow``: one network, its cases, outages, series and short circuits, written into a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import Status
from grid.model.contracts import BusBranch, loss_findings
from grid.solve_records import Solution, SolveOptions, branch_table, bus_table
from grid.studies.cases import StudyCase
from grid.studies.n_1 import OutageOptions
from layers.contracts import Finding, InputError
from study.atomic import replaced

Progress = Callable[[str, float], None]
_DIGITS = "%.10g"


@dataclass(frozen=True)
class LoadFlowRequest:
    """What is asked for; paths of the optional parts are None where they are not wanted."""

    network: Path
    out: Path
    cases: Path | None = None
    n_1: bool = False
    outages: OutageOptions = field(default_factory=OutageOptions)
    series: Path | None = None
    short_circuit: bool = False
    options: SolveOptions = field(default_factory=SolveOptions)
    despite_errors: bool = False
    threads: int = 1


@dataclass
class _Report:
    """Tables by file name, and the summary so far."""

    summary: dict[str, Any]
    tables: dict[str, list[pd.DataFrame]] = field(default_factory=dict)

    def add(self, name: str, case: str, table: pd.DataFrame) -> None:
        table = table.copy()
        table.insert(0, "case", case)
        self.tables.setdefault(name, []).append(table)

    def joined(self) -> dict[str, pd.DataFrame]:
        return {name: pd.concat(parts, ignore_index=True) for name, parts in self.tables.items()}


def run_loadflow(request: LoadFlowRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Read, check, solve and write.

    Returns
    -------
    dict
        The content of ``summary.json``: figures of the first case at the top, every case under ``cases``.

    Raises
    ------
    InputError
        With everything wrong with network, cases and series, before anything is solved or written; with the
        checks' errors unless ``despite_errors``.
    """
    from grid.model.checks import check_case
    from grid.readers.formats import read_case
    from grid.studies.cases import read_cases

    tell = progress or (lambda label, share: None)
    tell("read", 0.0)
    case = read_case(request.network)
    cases = read_cases(request.cases) if request.cases else (StudyCase(),)
    findings = [*check_case(case), *loss_findings(case)]
    errors = [f for f in findings if f.severity == "error"]
    if errors and not request.despite_errors:
        raise InputError(errors)
    tell("read", 1.0)
    report = _Report(_identity(case))
    series_findings: list[Finding] = []
    for k, study_case in enumerate(cases):
        _study(request, case, study_case, report, tell, first=k == 0, findings=series_findings)
    first = report.summary["cases"][cases[0].id]
    report.summary.update({k: v for k, v in first.items() if k != "label"})
    told = [vars(f) for f in [*findings, *series_findings]]
    findings_table = pd.DataFrame(told, columns=list(Finding.__annotations__))
    report.summary["findings"] = {s: int((findings_table["severity"] == s).sum()) for s in ("error", "warning", "note")}
    tables = report.joined() | {"findings": findings_table}
    _write(request.out, tables, report.summary, case)
    return report.summary


def _identity(case: BusBranch) -> dict[str, Any]:
    source = case.source
    return {
        "network": case.name, "format": source.format, "version": source.version, "sha256": source.sha256,
        "buses": int((~case.buses["is_star"]).sum()), "branches": len(case.branches) + len(case.three_winding),
        "base_mva": case.base_mva, "cases": {}, "n_1_by_case": {}, "series_by_case": {},
    }  # fmt: skip


def _study(
    request: LoadFlowRequest, network: BusBranch, study_case: StudyCase, report: _Report, tell: Progress,
    *, first: bool, findings: list[Finding],
) -> None:  # fmt: skip
    from grid.solve import solve

    case = study_case.apply(network)
    tell(f"load flow {study_case.id}", 0.0)
    solution = solve(case, request.options)
    tell(f"load flow {study_case.id}", 1.0)
    report.summary["cases"][study_case.id] = {"label": study_case.label, **case_summary(solution)}
    report.add("buses", study_case.id, bus_table(solution).rename(columns={"bus_id": "bus"}))
    report.add("branches", study_case.id, branch_table(solution))
    if request.short_circuit:
        from grid.studies.short_circuit import run_short_circuit

        found = run_short_circuit(case, progress=tell)
        report.add("short_circuit", study_case.id, found.buses)
        if first:
            findings.extend(found.findings)
            report.summary["short_circuit"] = found.summary
    if solution.status is Status.DIVERGED or not (request.n_1 or request.series):
        return
    _around(request, case, study_case, solution, report, tell, first=first)


def _around(
    request: LoadFlowRequest, case: BusBranch, study_case: StudyCase, solution: Solution, report: _Report,
    tell: Progress, *, first: bool,
) -> None:  # fmt: skip
    """Outages and series of one case."""
    from grid.batch import BatchSolver
    from grid.model.arrays import compile_case
    from grid.studies.n_1 import run_n_1
    from grid.studies.series import read_series, run_series

    solver = BatchSolver.at(compile_case(case), request.options, solution, request.threads)
    series = read_series(request.series, case) if request.series else None
    if request.n_1:
        result = run_n_1(solver, request.outages, tell)
        report.add("n_1", study_case.id, result.outages)
        report.add("n_1_violations", study_case.id, result.violations)
        report.summary["n_1_by_case"][study_case.id] = result.counts
        if first:
            report.summary["n_1"] = result.counts
    if series is not None:
        year = run_series(solver, series, progress=tell)
        report.add("series", study_case.id, year.hours)
        report.add("series_branches", study_case.id, year.branches)
        report.summary["series_by_case"][study_case.id] = year.counts
        if first:
            report.summary["series"] = year.counts


def case_summary(solution: Solution) -> dict[str, Any]:
    """Figures of one load flow; what was not solved is null."""
    watched = ~solution.case.buses["is_star"].to_numpy(bool)
    vm = np.where(watched, solution.vm_pu, np.nan)
    solved = solution.status is not Status.DIVERGED and bool(np.isfinite(vm).any())
    loading = solution.loading_percent() if solved else np.array([np.nan])
    low = int(np.nanargmin(vm)) if solved else -1
    worst = int(np.nanargmax(loading)) if np.isfinite(loading).any() else -1
    branches = solution.case.branches["branch_id"]
    return {
        "status": solution.status.value,
        "detail": solution.detail,
        "losses_mw": _number(solution.losses_mw) if solved else None,
        "slack_p_mw": _number(solution.reference_p_mw) if solved else None,
        "load_mw": _number(solution.load_mw) if solved else None,
        "lost_load_mw": _number(solution.lost_load_mw) if solved else None,
        "vm_min_pu": _number(vm[low]) if solved else None,
        "vm_min_bus": int(solution.case.buses["bus_id"].iloc[low]) if solved else None,
        "vm_max_pu": _number(np.nanmax(vm)) if solved else None,
        "max_loading_percent": _number(loading[worst]) if worst >= 0 else None,
        "max_loading_branch": str(branches.iloc[worst]) if worst >= 0 else None,
        "generators_at_reactive_limit": len(solution.at_limit),
    }


def _number(value: float) -> float | None:
    return float(_DIGITS % value) if np.isfinite(value) else None


def _write(out: Path, tables: dict[str, pd.DataFrame], summary: dict[str, Any], case: BusBranch) -> None:
    from study.loadflow.page import loadflow_page

    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with replaced(out / f"{name}.csv") as path:
            table.to_csv(path, index=False, encoding="utf-8-sig", float_format=_DIGITS)
        with replaced(out / f"{name}.parquet") as path:
            table.to_parquet(path, index=False)
    with replaced(out / "loadflow.xlsx") as path:
        write_tables_workbook(path, tables)
    with replaced(out / "summary.html") as path:
        path.write_text(loadflow_page(summary, tables, case), encoding="utf-8")
    with replaced(out / "summary.json") as path:
        path.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_tables_workbook(path: Path, tables: dict[str, pd.DataFrame]) -> None:
    """All tables, a sheet each, frozen header and filters; the first million rows where there are more."""
    import datetime

    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime.datetime(2000, 1, 1)})
    bold = book.add_format({"bold": True})
    for name, table in tables.items():
        sheet = book.add_worksheet(name[:31])
        sheet.freeze_panes(1, 2)
        rows: Sequence[Sequence[Any]] = table.head(1_000_000).to_numpy(object).tolist()
        sheet.write_row(0, 0, list(table.columns), bold)
        for k, row in enumerate(rows, start=1):
            for c, value in enumerate(row):
                if isinstance(value, bool | np.bool_):
                    sheet.write_boolean(k, c, bool(value))
                elif isinstance(value, int | float | np.number):
                    if np.isfinite(float(value)):
                        sheet.write_number(k, c, float(value))
                else:
                    sheet.write_string(k, c, str(value)[:32_767])
        sheet.autofilter(0, 0, max(1, len(rows)), max(0, len(table.columns) - 1))
        sheet.set_column(0, len(table.columns), 16)
    book.close()
