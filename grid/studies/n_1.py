"""All single outages of a case by AC: what each costs, ranked; islanding kept apart from overload.

Branches run in batches (:mod:`grid.batch`); generators, bus sections, three-winding units and groups one by one with
the full load flow. Only what is worst is kept of each state, so that memory does not grow with the outages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.batch import BatchSolver, States
from grid.contracts import Status
from grid.model.arrays import CaseArrays
from grid.solve import solve_arrays
from grid.solve_records import Solution
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

KINDS = ("line", "transformer", "three_winding", "generator", "bus", "group")
CLASSES = ("diverged", "split", "overload", "voltage", "secure")
"""From the worst; a split that loses neither load nor generation ranks as what else it does."""
WORSE_PERCENT = 1.0
"""Growth of a loading from which an overload that the base case has already counts as worsened."""

N_1 = Table(
    "n_1",
    "One row an outage, the worst first.",
    {
        "rank": column(int, "", "1 is the worst"),
        "outage": column(str, "", "element or group that is lost"),
        "kind": column(str, "", "what it is", isin=KINDS),
        "status": column(str, "", "solved, split or diverged", isin=tuple(Status)),
        "severity": column(str, "", "class of the outcome", isin=CLASSES),
        "lost_load_mw": column(float, "MW", "load cut from every reference", ge=0),
        "lost_generation_mw": column(float, "MW", "generation cut from every reference", ge=0),
        "lost_buses": column(int, "", "buses cut from every reference", ge=0),
        "overloads": column(int, "", "branches above their rating", ge=0),
        "new_overloads": column(int, "", "of these, not above it in the base case, or worse by more than 1 %", ge=0),
        "worst_branch": column(str, "", "branch of the highest loading; empty without ratings"),
        "worst_loading_percent": column(float, "%", "its loading", nullable=True),
        "base_loading_percent": column(float, "%", "its loading before the outage", nullable=True),
        "vm_min_pu": column(float, "pu", "lowest voltage left", nullable=True),
        "vm_min_bus": column(int, "", "its bus; -1 none"),
        "vm_max_pu": column(float, "pu", "highest voltage", nullable=True),
        "vm_max_bus": column(int, "", "its bus; -1 none"),
        "voltage_violations": column(int, "", "buses outside their limits that are inside in the base case", ge=0),
        "note": column(str, "", "why nothing was solved"),
    },
)

VIOLATIONS = Table(
    "n_1_violations",
    "Every branch above its rating after an outage.",
    {
        "outage": column(str, "", "element or group that is lost"),
        "branch_id": column(str, "", "branch above its rating"),
        "loading_percent": column(float, "%", "loading after the outage"),
        "base_loading_percent": column(float, "%", "loading before", nullable=True),
    },
)


@dataclass(frozen=True)
class OutageOptions:
    """Which outages are studied, and against which ratings."""

    kinds: tuple[str, ...] = ("line", "transformer", "three_winding")
    """Any of line, transformer, three_winding, generator, bus (everything at a bus section is lost)."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Branch ids that are lost together, by name."""
    rating: str = "b"
    """Column of the ratings after an outage (a, b, c); where it is empty, the next one towards a."""
    rating_factor: float = 1.0
    """On all ratings (season)."""
    most_violations: int = 20_000


@dataclass(frozen=True)
class NMinus1:
    """Result: table :data:`N_1`, table :data:`VIOLATIONS` (the first ``most_violations``), counts by status."""

    outages: pd.DataFrame
    violations: pd.DataFrame
    counts: dict[str, int]
    """solved, split, diverged, overloaded (any branch above its rating), newly_overloaded, outages."""


def ratings_mva(case_branches: pd.DataFrame, rating: str, factor: float = 1.0) -> Floats:
    """Rating of each branch [MVA]: the column asked for, else the next towards a; NaN where there is none."""
    order = "abc"[: "abc".index(rating) + 1][::-1]
    values = np.full(len(case_branches), np.nan)
    for letter in order:
        given = case_branches[f"rating_{letter}_mva"].to_numpy(float)
        values = np.where(np.isnan(values), np.where(given > 0, given, np.nan), values)
    return np.asarray(values * factor, dtype=np.float64)


def run_n_1(solver: BatchSolver, options: OutageOptions | None = None, progress: Progress | None = None) -> NMinus1:
    """Study all single outages around a solved base state.

    Parameters
    ----------
    solver : BatchSolver
        Of the case (:meth:`grid.batch.BatchSolver.of_case`).
    options : OutageOptions, optional
    progress : callable, optional
        Called with a label and the share done.

    Returns
    -------
    NMinus1
        A state that failed is a row with status ``diverged``, never a missing row.

    Raises
    ------
    KeyError
        If a group names a branch that does not exist.
    """
    chosen = options or OutageOptions()
    judge = _Judge.of(solver, chosen)
    rows: list[tuple[object, ...]] = []
    arrays, branches = solver.arrays, solver.arrays.case.branches
    names = branches["branch_id"].to_numpy()
    in_unit = branches["transformer_id"].to_numpy() != ""
    wanted = arrays.live & ~in_unit & branches["kind"].isin(chosen.kinds).to_numpy(bool)
    lost = np.flatnonzero(wanted)
    place = 0
    for block in solver.outages(lost, progress):
        for s, outcome in enumerate(judge.block(block, lost[place : place + len(block.status)])):
            k = int(lost[place + s])
            rows.append((str(names[k]), str(branches["kind"].iloc[k]), *outcome))
        place += len(block.status)
    singles = list(_singles(solver, chosen))
    for n, (name, kind, solution) in enumerate(singles):
        rows.append((name, kind, *judge.solution(solution, name)))
        if progress:
            progress("outages", (n + 1) / len(singles))
    return _result(rows, judge)


def _singles(solver: BatchSolver, options: OutageOptions) -> Iterator[tuple[str, str, Solution]]:
    """Outages that change more than one branch, each solved in full."""
    arrays, case = solver.arrays, solver.arrays.case
    unit = case.branches["transformer_id"].to_numpy()
    if "three_winding" in options.kinds:
        for name in dict.fromkeys(unit[(unit != "") & arrays.live].tolist()):
            yield str(name), "three_winding", _without(solver, unit == name)
    names = case.branches["branch_id"].to_numpy()
    for group, members in options.groups.items():
        unknown = [m for m in members if m not in set(names) | set(unit)]
        if unknown:
            raise KeyError(f"group {group}: no branch {', '.join(unknown)}")
        yield group, "group", _without(solver, np.isin(names, members) | np.isin(unit, members))
    if "generator" in options.kinds:
        for k in np.flatnonzero(arrays.generator_on):
            on, holds = arrays.generator_on.copy(), arrays.holds.copy()
            on[k] = holds[k] = False
            fewer = replace(arrays, generator_on=on, holds=holds)
            name = str(case.generators["generator_id"].iloc[k])
            yield name, "generator", solve_arrays(fewer, solver.options, solver.base.voltage)
    if "bus" in options.kinds:
        star = case.buses["is_star"].to_numpy(bool)
        for bus in np.flatnonzero(~arrays.off & ~star):
            at = (arrays.f_bus == bus) | (arrays.t_bus == bus)
            yield str(arrays.bus_ids[bus]), "bus", _without(solver, at)


def _without(solver: BatchSolver, lost: Bools) -> Solution:
    return solve_arrays(solver.arrays, solver.options, solver.base.voltage, ~lost)


@dataclass
class _Judge:
    """What the outcome of each state is measured against."""

    solver: BatchSolver
    per_percent: Floats
    y_from: Floats
    y_to: Floats
    base: Floats
    low: Floats
    high: Floats
    ids: Ints
    names: npt.NDArray[np.object_]
    load_mw: Floats
    generation_mw: Floats
    most: int
    violations: list[tuple[str, str, float, float]] = field(default_factory=list)

    @classmethod
    def of(cls, solver: BatchSolver, options: OutageOptions) -> _Judge:
        arrays, case = solver.arrays, solver.arrays.case
        rating = ratings_mva(case.branches, options.rating, options.rating_factor)
        per_percent = np.where(arrays.live & (rating > 0), 100 * arrays.base_mva / rating, 0.0)
        ports = solver.ports
        y_from = np.stack([ports[0].real, ports[0].imag, ports[1].real, ports[1].imag])
        y_to = np.stack([ports[2].real, ports[2].imag, ports[3].real, ports[3].imag])
        low, high = _watched_limits(case.buses, np.abs(solver.base.voltage))
        judge = cls(
            solver, np.nan_to_num(per_percent), np.ascontiguousarray(y_from), np.ascontiguousarray(y_to),
            np.zeros(arrays.n_branch), low, high, arrays.bus_ids, case.branches["branch_id"].to_numpy(),
            *_served(arrays), options.most_violations,
        )  # fmt: skip
        node_v = np.full((arrays.n_node, 1), np.nan + 0j)
        node_v[arrays.node, 0] = solver.base.voltage
        judge.base = judge._loading(node_v, np.array([-1]))[:, 0]
        return judge

    def _loading(self, node_v: npt.NDArray[np.complex128], out: Ints) -> Floats:
        from grid.batch_kernels import branch_extremes

        a = self.solver.arrays
        loading = np.empty((a.n_branch, node_v.shape[1]))
        branch_extremes(a.f, a.t, self.y_from, self.y_to, self.per_percent, np.ascontiguousarray(node_v.real),
                        np.ascontiguousarray(node_v.imag), out, loading)  # fmt: skip
        return np.nan_to_num(loading)

    def block(self, states: States, lost: Ints) -> Iterator[tuple[object, ...]]:
        loading = self._loading(states.node_voltage, lost)
        bus_v = np.abs(states.node_voltage[self.solver.arrays.node])
        for s, status in enumerate(states.status):
            cut = self._lost(int(lost[s])) if status is Status.SPLIT else (0.0, 0.0, 0)
            note = "no solution from any start" if status is Status.DIVERGED else ""
            yield self._outcome(str(self.names[lost[s]]), status, cut, loading[:, s], bus_v[:, s], note)

    def solution(self, solution: Solution, name: str) -> tuple[object, ...]:
        arrays = self.solver.arrays
        node_v = np.full((arrays.n_node, 1), np.nan + 0j)
        if solution.status is Status.DIVERGED:
            nothing, no_voltage = np.zeros(arrays.n_branch), np.full(arrays.n_bus, np.nan)
            return self._outcome(name, solution.status, (0.0, 0.0, 0), nothing, no_voltage, solution.detail)
        node_v[arrays.node, 0] = solution.voltage
        flows = np.isfinite(solution.p_from_mw)
        loading = np.where(flows, self._loading(node_v, np.array([-1]))[:, 0], 0.0)
        cut = (float(solution.lost_load_mw), float(solution.lost_generation_mw), len(solution.lost_buses))
        return self._outcome(name, solution.status, cut, loading, np.abs(solution.voltage), "")

    def _lost(self, branch: int) -> tuple[float, float, int]:
        """MW and buses that a bridge's loss cuts off."""
        arrays, solver = self.solver.arrays, self.solver
        nodes = solver.members[solver.lost_nodes(branch)]
        buses = np.flatnonzero(np.isin(arrays.node, nodes) & ~arrays.off)
        star = arrays.case.buses["is_star"].to_numpy(bool)
        return float(self.load_mw[buses].sum()), float(self.generation_mw[buses].sum()), int((~star[buses]).sum())

    def _outcome(
        self, name: str, status: Status, cut: tuple[float, float, int], loading: Floats, vm: Floats, note: str
    ) -> tuple[object, ...]:
        over = np.flatnonzero(loading > 100)
        fresh = over[(self.base[over] <= 100) | (loading[over] > self.base[over] + WORSE_PERCENT)]
        for k in over[: max(0, self.most - len(self.violations))]:
            self.violations.append((name, str(self.names[k]), float(loading[k]), float(self.base[k])))
        worst = int(loading.argmax()) if loading.size and loading.max() > 0 else -1
        known = np.isfinite(vm)
        with np.errstate(invalid="ignore"):
            outside = int(((vm < self.low) | (vm > self.high)).sum())
        low = int(np.where(known, vm, np.inf).argmin()) if known.any() else -1
        high = int(np.where(known, vm, -np.inf).argmax()) if known.any() else -1
        return (
            status.value, _severity(status, cut, len(fresh), outside), *cut, len(over), len(fresh),
            str(self.names[worst]) if worst >= 0 else "", float(loading[worst]) if worst >= 0 else np.nan,
            float(self.base[worst]) if worst >= 0 else np.nan,
            float(vm[low]) if low >= 0 else np.nan, int(self.ids[low]) if low >= 0 else -1,
            float(vm[high]) if high >= 0 else np.nan, int(self.ids[high]) if high >= 0 else -1, outside, note,
        )  # fmt: skip


def _severity(status: Status, cut: tuple[float, float, int], fresh: int, outside: int) -> str:
    if status is Status.DIVERGED:
        return "diverged"
    if cut[0] > 0 or cut[1] > 0:
        return "split"
    return "overload" if fresh else "voltage" if outside else "secure"


def _watched_limits(buses: pd.DataFrame, base: Floats) -> tuple[Floats, Floats]:
    """Limits of the buses that keep them in the base case; the others are not blamed on an outage."""
    low, high = buses["vm_min_pu"].to_numpy(float), buses["vm_max_pu"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        inside = (base >= low) & (base <= high)
    return np.where(inside, low - 1e-6, -np.inf), np.where(inside, high + 1e-6, np.inf)


def _served(arrays: CaseArrays) -> tuple[Floats, Floats]:
    """Load and generation of each bus [MW]."""
    load, generation = np.zeros(arrays.n_bus), np.zeros(arrays.n_bus)
    power = np.where(arrays.load_on, arrays.load_pu.real + arrays.load_current_pu.real, 0.0)
    np.add.at(load, arrays.load_bus, power * arrays.base_mva)
    produced = np.where(arrays.generator_on, arrays.generator_pu.real, 0.0)
    np.add.at(generation, arrays.generator_bus, produced * arrays.base_mva)
    return np.maximum(load, 0.0), np.maximum(generation, 0.0)


def _result(rows: Sequence[tuple[object, ...]], judge: _Judge) -> NMinus1:
    names = [name for name in N_1.columns if name != "rank"]
    table = pd.DataFrame(rows, columns=names) if rows else N_1.empty().drop(columns="rank")
    keys = pd.DataFrame({
        "class": table["severity"].map(CLASSES.index) if rows else pd.Series(dtype=int),
        "lost": -table["lost_load_mw"] - table["lost_generation_mw"],
        "loading": -table["worst_loading_percent"].fillna(0.0),
        "vm": table["vm_min_pu"].fillna(9.0),
        "outage": table["outage"],
    })  # fmt: skip
    order = keys.sort_values(list(keys.columns), kind="stable").index
    table = table.loc[order].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    status = table["status"]
    counts = {s.value: int((status == s.value).sum()) for s in (Status.SOLVED, Status.SPLIT, Status.DIVERGED)}
    counts["overloaded"] = int((table["overloads"] > 0).sum())
    counts["newly_overloaded"] = int((table["new_overloads"] > 0).sum())
    counts["outages"] = len(table)
    violations = pd.DataFrame(judge.violations, columns=list(VIOLATIONS.columns))
    violations = violations if len(violations) else VIOLATIONS.empty()
    return NMinus1(N_1.validate(table.astype({"rank": int})), VIOLATIONS.validate(violations), counts)
