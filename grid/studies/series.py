"""A year of hours by AC: every hour its own loads and outputs, one factored state for all.

The series is a table with one row an hour. Its columns name what they drive::

    load            factor on every load                     load:<load_id>        that load [MW], its power factor kept
    wind, pv, ...   share of p_max of every plant of a class  generator:<id>        that plant [MW]
    profile:<name>  output per MW of a plant that may come: drives nothing, for studies of new plants

Hours that have no solution are marked and do not stop the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.batch import BatchSolver
from grid.contracts import Status
from grid.model.contracts import FUELS, BusBranch
from grid.studies.n_1 import ratings_mva
from layers.contracts import Finding, InputError
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Progress = Callable[[str, float], None]
_HOURS_AT_A_TIME = 512
PROFILE = "profile"
"""Kind of a column that drives nothing."""

SERIES = Table(
    "series",
    "One row an hour.",
    {
        "hour": column(str, "", "label of the series"),
        "status": column(str, "", "solved, split or diverged", isin=tuple(Status)),
        "losses_mw": column(float, "MW", "network losses", nullable=True),
        "slack_p_mw": column(float, "MW", "what the slack gives beyond the base state", nullable=True),
        "vm_min_pu": column(float, "pu", "lowest voltage", nullable=True),
        "vm_min_bus": column(int, "", "its bus; -1 none"),
        "vm_max_pu": column(float, "pu", "highest voltage", nullable=True),
        "worst_branch": column(str, "", "branch of the highest loading; empty without ratings"),
        "worst_loading_percent": column(float, "%", "its loading", nullable=True),
        "overloads": column(int, "", "branches above their rating", ge=0),
    },
)

BRANCH_YEAR = Table(
    "series_branches",
    "One row a branch with a rating: what the hours bring to it.",
    {
        "branch_id": column(str, "", "branch", unique=True),
        "max_loading_percent": column(float, "%", "highest loading", nullable=True),
        "hour_of_max": column(str, "", "when"),
        "hours_above_rating": column(int, "h", "hours above the rating", ge=0),
        "mean_loading_percent": column(float, "%", "mean over the solved hours", nullable=True),
    },
)


@dataclass(frozen=True)
class SeriesResult:
    """Tables :data:`SERIES` and :data:`BRANCH_YEAR`, and counts by status."""

    hours: pd.DataFrame
    branches: pd.DataFrame
    counts: dict[str, int]


def read_series(path: Path, case: BusBranch, shown: str | None = None) -> pd.DataFrame:
    """A series from CSV or Parquet, checked against the case; the first column is the hour's label.

    Raises
    ------
    InputError
        With every unknown column, element that does not exist, and value that is no number, at once.
    """
    label = shown or path.name
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InputError([_fault(label, "unreadable", "file", str(error)[:80], "no table.", "Give CSV.")]) from error
    if table.shape[1] < 2 or table.empty:
        raise InputError([_fault(label, "empty", "file", "", "needs a label column, one series and one hour.", "Add.")])
    findings = [f for name in table.columns[1:] for f in _column_findings(table, str(name), case, label)]
    if findings:
        raise InputError(findings)
    return table


def _column_findings(table: pd.DataFrame, name: str, case: BusBranch, label: str) -> Iterator[Finding]:
    kind, _, element = name.partition(":")
    known = {"load": set(case.loads["load_id"]), "generator": set(case.generators["generator_id"]), PROFILE: {element}}
    if element and element not in known.get(kind, ()):
        yield _fault(label, "element", name, element, "no such element.", "Correct the id after the colon.")
    elif not element and kind != "load" and kind not in FUELS:
        yield _fault(label, "column", name, name, "not understood.", f"Use load, {', '.join(FUELS)}, load:<id>.")
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row, shown = int(bad[0]), str(table[name].iloc[bad[0]])
        yield _fault(
            label, "number", f"{name} row {row + 1}", shown, f"{bad.size} value(s) are no number.", "Fill them."
        )


def _fault(file: str, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"series.{rule}", file, "series", item, value, message, remedy)


def run_series(
    solver: BatchSolver, series: pd.DataFrame, rating: str = "a", progress: Progress | None = None
) -> SeriesResult:
    """Load flow of every row of a series; see the module's head for its columns.

    Memory is bounded by some hundred hours, whatever the length of the series.
    """
    drive = Drive.of(solver, series)
    return run_hours(solver, series.iloc[:, 0].astype(str).tolist(), drive.change, rating, progress)


def run_hours(
    solver: BatchSolver,
    labels: Sequence[str],
    change: Callable[[int, int], Complexes],
    rating: str = "a",
    progress: Progress | None = None,
    line_factor: Floats | None = None,
) -> SeriesResult:
    """Load flow of hours whose injections differ from the base state's.

    Parameters
    ----------
    labels
        One a hour.
    change : callable
        Called with first and last hour; gives what is added to the base state's injections [MW, Mvar], shape
        (buses, hours), positive into the network.
    line_factor : array, shape (hours,), optional
        Factor on the ratings of lines in each hour (season); transformers keep theirs.
    """
    arrays = solver.arrays
    limit = ratings_mva(arrays.case.branches, rating)
    scale = np.nan_to_num(np.where(arrays.live & (limit > 0), 100 * arrays.base_mva / limit, 0.0))
    watch = _Watch(solver, scale, np.array(list(labels), dtype=object), line_factor)
    total = len(labels)
    for first in range(0, total, _HOURS_AT_A_TIME):
        for block in solver.injections(change(first, min(first + _HOURS_AT_A_TIME, total))):
            watch.take(block.node_voltage, block.status, block.slack_mw)
        if progress:
            progress("hours", min(1.0, (first + _HOURS_AT_A_TIME) / total))
    return watch.result()


@dataclass(frozen=True)
class Drive:
    """What a series changes, as a sparse sum over its columns; :meth:`change` is for :func:`run_hours`."""

    values: Floats
    """Series values, shape (hours, columns)."""
    weights: Complexes
    """Injection of each bus per unit of each column [MVA], shape (columns, buses)."""
    offset: Complexes
    """Present injection of everything driven, which the series replaces, shape (buses,)."""

    @classmethod
    def of(cls, solver: BatchSolver, series: pd.DataFrame) -> Drive:
        arrays, case = solver.arrays, solver.arrays.case
        load = -(arrays.load_pu * arrays.base_mva)
        produced = np.where(arrays.holds, arrays.generator_pu.real, arrays.generator_pu) * arrays.base_mva
        loads_done = np.zeros(len(load), dtype=bool)
        plants_done = np.zeros(len(produced), dtype=bool)
        names = [str(n) for n in series.columns[1:]]
        weights = np.zeros((len(names), arrays.n_bus), complex)
        offset = np.zeros(arrays.n_bus, complex)
        for single in (True, False):  # a column of one element stands before one of its class
            for row, name in enumerate(names):
                kind, _, element = name.partition(":")
                if bool(element) != single or kind == PROFILE:
                    continue
                if kind == "load":
                    wanted = (case.loads["load_id"] == element).to_numpy() if element else ~loads_done
                    k = np.flatnonzero(wanted & arrays.load_on & ~loads_done)
                    loads_done |= wanted
                    share = load[k] / np.where(element and load[k].real != 0, -load[k].real, 1.0)
                    np.add.at(weights[row], arrays.load_bus[k], share)
                    np.add.at(offset, arrays.load_bus[k], load[k])
                    continue
                wanted = (case.generators["generator_id" if element else "fuel"] == (element or kind)).to_numpy()
                k = np.flatnonzero(wanted & arrays.generator_on & ~plants_done)
                plants_done |= wanted
                p_max = np.nan_to_num(case.generators["p_max_mw"].to_numpy(float), posinf=0.0)
                np.add.at(weights[row], arrays.generator_bus[k], 1.0 if element else p_max[k])
                np.add.at(offset, arrays.generator_bus[k], produced[k].real)
        return cls(series.iloc[:, 1:].to_numpy(float), weights, offset)

    def change(self, first: int, last: int) -> Complexes:
        """Added injection of the hours from ``first`` to before ``last`` [MVA], shape (buses, hours)."""
        values = self.values[first:last]
        total = values @ self.weights.real + 1j * (values @ self.weights.imag)
        return np.asarray((total - self.offset).T)


class _Watch:
    """Takes blocks of states and keeps what the tables need."""

    def __init__(
        self, solver: BatchSolver, scale: Floats, labels: npt.NDArray[np.object_], line_factor: Floats | None = None
    ) -> None:
        a = solver.arrays
        self.lines = (a.case.branches["kind"] == "line").to_numpy(bool)
        self.line_factor = np.ones(len(labels)) if line_factor is None else line_factor
        self.solver, self.scale, self.labels = solver, scale, labels
        ports = solver.ports
        self.y_from = np.ascontiguousarray(np.stack([ports[0].real, ports[0].imag, ports[1].real, ports[1].imag]))
        self.y_to = np.ascontiguousarray(np.stack([ports[2].real, ports[2].imag, ports[3].real, ports[3].imag]))
        self.rows: list[tuple[object, ...]] = []
        self.highest, self.when = np.zeros(a.n_branch), np.full(a.n_branch, -1)
        self.above, self.total = np.zeros(a.n_branch, np.int64), np.zeros(a.n_branch)
        self.solved = 0

    def take(self, node_v: Complexes, status: tuple[Status, ...], slack_mw: Floats) -> None:
        from grid.batch_kernels import branch_extremes

        a, count, first = self.solver.arrays, node_v.shape[1], len(self.rows)
        loading = np.empty((a.n_branch, count))
        branch_extremes(a.f, a.t, self.y_from, self.y_to, self.scale, np.ascontiguousarray(node_v.real),
                        np.ascontiguousarray(node_v.imag), np.full(count, -1), loading)  # fmt: skip
        loading = np.nan_to_num(loading)
        loading[self.lines] /= self.line_factor[first : first + count]
        self.rows += self._rows(first, status, self._losses(node_v), slack_mw, np.abs(node_v[a.node]), loading)
        best = loading.argmax(axis=1)
        top = loading[np.arange(a.n_branch), best]
        self.when = np.where(top > self.highest, first + best, self.when)
        self.highest = np.maximum(self.highest, top)
        self.above += (loading > 100).sum(axis=1)
        self.total += loading.sum(axis=1)
        self.solved += sum(one is not Status.DIVERGED for one in status)

    def _losses(self, node_v: Complexes) -> Floats:
        a, ports = self.solver.arrays, self.solver.ports
        vf, vt = node_v[a.f], node_v[a.t]
        s_f = vf * np.conj(ports[0][:, None] * vf + ports[1][:, None] * vt)
        s_t = vt * np.conj(ports[2][:, None] * vf + ports[3][:, None] * vt)
        lost = np.where(a.live[:, None], (s_f + s_t).real, 0.0)
        return np.asarray(np.nansum(lost, axis=0) * a.base_mva)

    def _rows(
        self, first: int, status: tuple[Status, ...], losses: Floats, slack: Floats, vm: Floats, loading: Floats
    ) -> list[tuple[object, ...]]:
        a, states = self.solver.arrays, np.arange(vm.shape[1])
        known = np.isfinite(vm)
        there = known.any(axis=0) & np.array([one is not Status.DIVERGED for one in status])
        low = np.where(known, vm, np.inf).argmin(axis=0)
        highest = np.where(known, vm, -np.inf).max(axis=0)
        worst = loading.argmax(axis=0)
        at_worst, over = loading[worst, states], (loading > 100).sum(axis=0)
        names = a.case.branches["branch_id"].to_numpy()
        nothing = (np.nan, np.nan, np.nan, -1, np.nan, "", np.nan, 0)
        rows: list[tuple[object, ...]] = []
        for s, one in enumerate(status):
            label = (self.labels[first + s], one.value)
            if not there[s]:
                rows.append((*label, *nothing))
                continue
            rated = at_worst[s] > 0
            rows.append((
                *label, float(losses[s]), float(slack[s]), float(vm[low[s], s]), int(a.bus_ids[low[s]]),
                float(highest[s]), str(names[worst[s]]) if rated else "", float(at_worst[s]) if rated else np.nan,
                int(over[s]),
            ))  # fmt: skip
        return rows

    def result(self) -> SeriesResult:
        hours = pd.DataFrame(self.rows, columns=list(SERIES.columns))
        rated = np.flatnonzero(self.scale > 0)
        branches = pd.DataFrame({
            "branch_id": self.solver.arrays.case.branches["branch_id"].to_numpy()[rated],
            "max_loading_percent": self.highest[rated],
            "hour_of_max": [self.labels[k] if k >= 0 else "" for k in self.when[rated]],
            "hours_above_rating": self.above[rated],
            "mean_loading_percent": self.total[rated] / max(1, self.solved),
        })  # fmt: skip
        branches = branches.astype({"branch_id": object, "hour_of_max": object})
        counts = {s.value: int((hours["status"] == s.value).sum()) for s in Status}
        return SeriesResult(SERIES.validate(hours), BRANCH_YEAR.validate(branches), counts)
