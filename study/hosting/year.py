"""``fengguang hosting --series``: hourly limits of the studied buses around every case, and curtailment curves.

The hours are further operating points: a firm figure of ``hosting.csv`` is the least over the cases *and* the hours,
so that it never exceeds what a plant that gives way now and then may have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.batch import BatchSolver
from grid.capacity.flexible import TARGETS, SiteStorage, curtailment_curves
from grid.capacity.settings import CapacitySettings
from grid.capacity.study import HostingRequest
from grid.capacity.year import hourly_limits
from grid.capacity.year_records import NO_STATE, HourlyLimits, YearSettings, binding_hours, heat_map
from grid.contracts import Status
from grid.model.arrays import compile_case
from grid.model.contracts import FUELS, BusBranch
from grid.solve_records import Solution
from grid.studies.series import PROFILE, Drive, read_series
from layers.contracts import Finding, InputError
from study.hosting.faults import told_binding

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]
FLAT = "flat"
"""Profile of a plant that always gives its full power."""


@dataclass(frozen=True)
class SeriesAsked:
    """The series, the plant's output per MW in its hours, and the storage beside it."""

    table: pd.DataFrame
    profile: Floats
    profile_name: str
    when: pd.DatetimeIndex | None
    """Start of each hour; None where the labels tell none: a common year from 1 January."""
    storage: SiteStorage | None

    @property
    def labels(self) -> list[str]:
        return self.table.iloc[:, 0].astype(str).tolist()

    @property
    def technology(self) -> str:
        """Whose short-circuit current the plant has."""
        return "wind" if "wind" in self.profile_name else "pv"


@dataclass(frozen=True)
class HostingYear:
    """Limits and curves by case; a case without a solution has none and leaves no room."""

    asked: SeriesAsked
    limits: Mapping[str, HourlyLimits]
    curves: Mapping[str, pd.DataFrame]
    unsolved: tuple[str, ...]


def read_hours(
    path: Path, profile: str, storage: SiteStorage | None, case: BusBranch, settings: CapacitySettings
) -> SeriesAsked:
    """Read and check series and profile.

    Raises
    ------
    InputError
        With everything that is wrong with them.
    """
    findings = []
    if settings.load:
        text, remedy = "the hours are studied for added generation alone.", "Leave out --load or --series."
        findings.append(_fault("load", path, "--load", "", text, remedy))
    try:
        table = read_series(path, case)
    except InputError as error:
        raise InputError([*findings, *error.findings]) from error
    name = profile or _default_profile(table)
    values, faults = _profile(table, name, case, path)
    if findings or faults:
        raise InputError([*findings, *faults])
    return SeriesAsked(table, values, name, _times(table.iloc[:, 0].astype(str)), storage)


def _default_profile(table: pd.DataFrame) -> str:
    names = [str(name) for name in table.columns[1:]]
    own = [name for name in names if name.partition(":")[0] == PROFILE]
    return next((name for name in (*own, "pv", "wind") if name in names), "")


def _profile(table: pd.DataFrame, name: str, case: BusBranch, path: Path) -> tuple[Floats, list[Finding]]:
    """Output per MW of the plant in every hour, and what is wrong with it."""
    if name == FLAT:
        return np.ones(len(table)), []
    names = [str(column) for column in table.columns[1:]]
    usable = [n for n in names if n in FUELS or n.partition(":")[0] in (PROFILE, "generator")]
    if name not in usable:
        remedy = f"Name one with --profile: {', '.join([*usable[:12], FLAT])}."
        text = "the series has no such column of output." if name else "the series has no column of output."
        return np.ones(len(table)), [_fault("profile", path, "--profile", name, text, remedy)]
    values = table[name].to_numpy(float)
    kind, _, element = name.partition(":")
    if kind == "generator":
        values = values / _largest_output(case, element)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 and values.max() > 0):
        low, high = (f"{x:.4g}" for x in (values.min(), values.max()))
        text = "a profile is 0 to 1 per MW of capacity, and above 0 in some hour."
        remedy = "Give shares; columns generator:<id> are divided by the plant's p_max_mw."
        return values, [_fault("profile", path, name, f"{low} to {high}", text, remedy)]
    return values, []


def _largest_output(case: BusBranch, generator: str) -> float:
    plants = case.generators.set_index("generator_id")["p_max_mw"]
    largest = float(plants[generator])
    return largest if largest > 0 else float("nan")


def _times(labels: pd.Series) -> pd.DatetimeIndex | None:
    """Wall time of labels such as 2023-07-01 13:00 or 2023-07-01T13:00+08:00; None unless all are."""
    if not labels.str.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}").all():
        return None
    found = pd.DatetimeIndex(pd.to_datetime(labels.str.slice(0, 16), format="ISO8601", errors="coerce"))
    return None if found.hasnans else found


def study_hours(
    cases: Mapping[str, BusBranch], solutions: Mapping[str, Solution], request: HostingRequest, asked: SeriesAsked,
    tell: Progress,
) -> HostingYear:  # fmt: skip
    """Hourly limits of the buses asked for and their curves, around each case."""
    limits, curves, unsolved = {}, {}, []
    for name, case in cases.items():
        if solutions[name].status is Status.DIVERGED:
            unsolved.append(name)
            continue
        solver = BatchSolver.at(compile_case(case), request.options, solutions[name], request.threads)
        drive = Drive.of(solver, asked.table)
        settings = YearSettings(limits=request.settings, n_1=request.n_1)
        buses = _energised(solver, request.bus_ids or ())
        if not buses:
            unsolved.append(name)
            continue
        limits[name] = hourly_limits(solver, drive.change, asked.labels, buses, settings, when=asked.when,
                                     progress=tell)  # fmt: skip
        curves[name] = curtailment_curves(limits[name], asked.profile, asked.storage)
    return HostingYear(asked, limits, curves, tuple(unsolved))


def _energised(solver: BatchSolver, buses: Iterable[int]) -> list[int]:
    a = solver.arrays
    inside = set(a.bus_ids[np.isin(a.node, solver.members) & ~a.off].tolist())
    return [bus for bus in buses if bus in inside]


# --- tables -----------------------------------------------------------------------------------------------------


def flexible_name(target: float, storage: bool = False) -> str:
    """Column of ``hosting.csv``: capacity at a share of curtailed energy."""
    return f"flexible_{target:g}_percent{'_with_storage' if storage else ''}_mw"


def with_hours(buses: pd.DataFrame, year: HostingYear, mode: str, most_mw: Floats) -> pd.DataFrame:
    """The table of buses with flexible capacities, and firm ones that hold in every hour too.

    Parameters
    ----------
    buses : DataFrame
        Table :data:`grid.capacity.contracts.CAPACITY_BUSES`.
    mode : str
        ``n_0`` or ``n_1``: which firm figure the hours bound.
    most_mw : array, shape (buses,)
        What the plant's rating may not exceed however much is curtailed (short circuit); inf where unknown.
    """
    table, ids = _firm_in_hours(buses, year, mode), buses["bus_id"]
    sizes = [False, True] if year.asked.storage is not None else [False]
    new: dict[str, Floats] = {}
    for storage in sizes:
        for target in TARGETS:
            least = np.min([_capacities(c, ids, target, storage) for c in year.curves.values()] or [most_mw], axis=0)
            least = np.minimum(least, most_mw) if year.curves and not year.unsolved else np.zeros(len(ids))
            new[flexible_name(target, storage)] = least
    for target in TARGETS:
        name = f"utilisation_at_{target:g}_percent"
        new[name] = _utilisation(year, ids, new[flexible_name(target)])
    return table.assign(**new)


def _capacities(curves: pd.DataFrame, ids: pd.Series, target: float, storage: bool) -> Floats:
    rows = curves[(curves["curtailed_percent"] == target) & (curves["storage"] == storage)]
    found = rows.set_index("bus_id")["capacity_mw"].reindex(ids)
    return np.asarray(found.fillna(0.0), dtype=np.float64)  # not energised: no room


def _utilisation(year: HostingYear, ids: pd.Series, capacity_mw: Floats) -> Floats:
    """Delivered by available energy [%] without storage, the lowest of the cases; NaN for no plant."""
    lowest = np.full(len(ids), np.nan)
    for limits in year.limits.values():
        at = pd.Index(limits.bus_ids).get_indexer(pd.Index(ids))
        given = np.minimum(capacity_mw[:, None] * year.asked.profile, limits.limit_mw[at])
        with np.errstate(invalid="ignore", divide="ignore"):
            share = 100 * given.sum(axis=1) / (capacity_mw * year.asked.profile.sum())
        lowest = np.fmin(lowest, np.where((at >= 0) & (capacity_mw > 0), share, np.nan))
    return lowest


def _firm_in_hours(buses: pd.DataFrame, year: HostingYear, mode: str) -> pd.DataFrame:
    """Firm figures lowered to the lowest hour of any case; what binds there is named."""
    table, firm = buses, "firm_n1_mw" if mode == "n_1" else "firm_n0_mw"
    for name, limits in year.limits.items():
        at = pd.Index(limits.bus_ids).get_indexer(pd.Index(table["bus_id"]))
        hour = limits.limit_mw.argmin(axis=1)[at]
        lowest = np.floor(limits.limit_mw[at, hour] * 100 + 1e-6) / 100
        lower = (at >= 0) & (lowest < table[firm].to_numpy(float))
        rows = [
            _bound_by_hour(row, firm, float(mw), f"{name} {limits.labels[h]}", limits.binding(int(limits.code[k, h])))
            if changed else row
            for row, k, h, mw, changed in zip(table.to_dict("records"), at, hour, lowest, lower, strict=True)
        ]  # fmt: skip
        table = pd.DataFrame(rows, columns=list(table.columns)).astype(table.dtypes.to_dict())
    return table


def _bound_by_hour(
    row: dict[Any, Any], firm: str, lowest_mw: float, when: str, binding: tuple[str, str, str]
) -> dict[Any, Any]:
    """The row of a bus whose lowest hour is below what the cases leave."""
    names = dict(zip(("binding_outage", "binding_element", "binding_limit"), binding, strict=True))
    before = told_binding(row, float(row[firm]))
    return {**row, **names, firm: lowest_mw, "binding_case": when, "next_binding": before, "certified": False}


def year_tables(year: HostingYear) -> dict[str, pd.DataFrame]:
    """``curtailment``, ``binding_hours``, ``heat_map`` and ``hour_checks`` with the case in front."""
    by_case = {
        "curtailment": dict(year.curves),
        "binding_hours": {name: binding_hours(limits) for name, limits in year.limits.items()},
        "heat_map": {name: heat_map(limits) for name, limits in year.limits.items()},
        "hour_checks": {name: limits.checks for name, limits in year.limits.items()},
    }
    found = {}
    for table, parts in by_case.items():
        rows = [part.rename(columns={"bus_id": "bus"}).assign(case=name) for name, part in parts.items()]
        whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"case": [], "bus": []})
        found[table] = whole[["case", *(c for c in whole.columns if c != "case")]]
    return found


def year_summary(year: HostingYear, file: str) -> dict[str, Any]:
    """What the hours were studied with, and how far their linear limits are from AC."""
    storage = year.asked.storage
    return {
        "file": file,
        "hours": len(year.asked.table),
        "times": "labels of the file" if year.asked.when is not None else "from 1 January, hour by hour",
        "profile": year.asked.profile_name,
        "full_load_hours": float(f"{year.asked.profile.sum():.6g}"),
        "storage": {"power_mw": storage.power_mw, "hours": storage.hours} if storage is not None else None,
        "cases_without_solution": list(year.unsolved),
        "by_case": {name: _case_summary(limits) for name, limits in year.limits.items()},
    }


def _case_summary(limits: HourlyLimits) -> dict[str, Any]:
    bare = limits.work
    return {
        "ac_states": bare.ac_states,
        "memory_bound_mib": float(f"{bare.memory_bound_mib:.6g}"),
        "combinations": bare.triples,
        "hours_without_solution": int((limits.code[0] == NO_STATE).sum()),
        "outages_diverged": list(limits.diverged),
        "outages_not_studied": list(limits.not_studied),
        "residuals": [
            {name: _number(value) if isinstance(value, float) else value for name, value in vars(one).items()}
            for one in limits.residuals
        ],
    }


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _fault(rule: str, path: Path, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"hosting.{rule}", path.name, "series", item, value, message, remedy)
