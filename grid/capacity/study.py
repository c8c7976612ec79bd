"""A capacity study of any network: every bus asked for, in every operating point, N-0 and N-1.

Work goes by operating point and by hands of buses; a finished hand is handed to a keeper at once, so that a run that
is killed goes on where it stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.broken import broken_base
from grid.capacity.climb import LANES, Answers, climb_buses
from grid.capacity.contracts import BROKEN_BASE, CAPACITY_BUSES, CAPACITY_CASES
from grid.capacity.rows import NOTHING, row_name
from grid.capacity.scenarios import CORRECTION_BYTES, Basis
from grid.capacity.settings import CapacitySettings
from grid.model.contracts import BusBranch
from grid.solve_records import SolveOptions

Progress = Callable[[str, float], None]
Bools = npt.NDArray[np.bool_]


class Keeper(Protocol):
    """Where finished hands of buses are kept: ``get`` gives a table kept under that name earlier, or None."""

    def get(self, name: str) -> pd.DataFrame | None: ...

    def put(self, name: str, table: pd.DataFrame) -> None: ...


@dataclass(frozen=True)
class HostingRequest:
    """What is asked."""

    settings: CapacitySettings = field(default_factory=CapacitySettings)
    bus_ids: tuple[int, ...] | None = None
    """Buses to study; None: every bus with a load."""
    n_1: bool = True
    certify: tuple[int, ...] | None = None
    """Buses whose answer is certified by a full sweep of AC states; None: all."""
    options: SolveOptions = field(default_factory=SolveOptions)
    threads: int = 1


@dataclass(frozen=True)
class HostingSummary:
    """What was done. ``largest_estimate_error_mw``: between slopes alone and the AC answer."""

    cases: int
    buses: int
    outages: int
    ac_states: int
    certified: int
    largest_estimate_error_mw: float
    largest_screen_error_mw: float
    diverged: tuple[str, ...]
    unswept: tuple[str, ...]
    seconds: Mapping[str, float]
    memory_bound_bytes: int


@dataclass(frozen=True)
class HostingResult:
    """Tables :data:`CAPACITY_BUSES`, :data:`CAPACITY_CASES`, :data:`BROKEN_BASE`, and what was done."""

    buses: pd.DataFrame
    cases: pd.DataFrame
    broken: pd.DataFrame
    summary: HostingSummary


def load_buses(case: BusBranch) -> tuple[int, ...]:
    """Buses with a load in service, in table order."""
    loads = case.loads[case.loads["in_service"].to_numpy(bool)]
    with_load = set(loads["bus_id"].astype(int))
    return tuple(int(b) for b in case.buses["bus_id"] if int(b) in with_load)


def hosting_study(
    cases: Mapping[str, BusBranch],
    request: HostingRequest | None = None,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
) -> HostingResult:
    """Hosting (or, with ``settings.load``, supply) capacity of buses, each alone.

    Parameters
    ----------
    cases : mapping
        Operating points of one network by name; buses and branches alike in all.
    request : HostingRequest, optional
    keeper : Keeper, optional
        Keeps finished hands of buses; the caller's names must change with the inputs.

    Returns
    -------
    HostingResult
        A case without a solution makes all its buses ``base_case`` with 0 MW.

    Raises
    ------
    KeyError
        If a bus does not exist.
    """
    request = request or HostingRequest()
    tables, broken, seconds, totals = [], [], dict[str, float](), _Totals()
    for number, (name, case) in enumerate(cases.items()):
        bus_ids = request.bus_ids if request.bus_ids is not None else load_buses(case)

        def told(label: str, share: float, name: str = name, number: int = number) -> None:
            if progress:
                progress(f"{label} {name}", share)

        start = time.perf_counter()
        table, faults = _one_case(name, case, bus_ids, request, told, keeper, totals)
        seconds[name] = time.perf_counter() - start
        tables.append(table)
        broken.append(faults)
    long = pd.concat(tables, ignore_index=True) if tables else CAPACITY_CASES.empty()
    faults = pd.concat([b for b in broken if len(b)] or [BROKEN_BASE.empty()], ignore_index=True)
    first = next(iter(cases.values()))
    wide = _by_bus(long, first, request.n_1)
    n_1 = long[(long["mode"] == "n_1") & long["certified"]]
    checked = long[long["certified"]]
    summary = HostingSummary(
        len(cases), len(wide), totals.outages, totals.states, len(n_1), _largest(checked, "estimated_mw"),
        _largest(n_1, "screened_mw"), tuple(sorted(totals.diverged)), tuple(sorted(totals.unswept)), seconds,
        totals.memory,
    )  # fmt: skip
    return HostingResult(wide, CAPACITY_CASES.validate(long), BROKEN_BASE.validate(faults), summary)


@dataclass
class _Totals:
    outages: int = 0
    states: int = 0
    memory: int = 0
    diverged: set[str] = field(default_factory=set)
    unswept: set[str] = field(default_factory=set)


def _largest(table: pd.DataFrame, name: str) -> float:
    apart = (table[name] - table["capacity_mw"]).abs()
    return float(apart.max()) if apart.notna().any() else 0.0


def memory_bound_bytes(nodes: int, branches: int, outages: int) -> int:
    """Upper bound of the arrays of one hand: states of all outages, corrections, lanes."""
    states = 16 * nodes * (outages + 1)
    corrections = min(CORRECTION_BYTES, 4 * 8 * 2 * nodes * outages)
    lanes = 8 * LANES * nodes * 24
    return states + corrections + lanes + 11 * 8 * LANES * (outages + 1) + 200 * branches


def _one_case(
    name: str,
    case: BusBranch,
    bus_ids: Sequence[int],
    request: HostingRequest,
    progress: Progress,
    keeper: Keeper | None,
    totals: _Totals,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    hands = [tuple(bus_ids[k : k + LANES]) for k in range(0, len(bus_ids), LANES)]
    kept = [keeper.get(f"{name}-{k}") if keeper else None for k in range(len(hands))]
    faults = keeper.get(f"{name}-broken") if keeper else None
    if faults is not None and all(table is not None for table in kept):
        return _joined([table for table in kept if table is not None]), faults
    try:
        basis = Basis.of_case(
            case, request.settings, request.options, n_1=request.n_1, threads=request.threads, progress=progress
        )
    except ValueError:
        records = [_nothing(bus, name, mode, "base_case") for bus in bus_ids for mode in _modes(request)]
        return _joined([pd.DataFrame(records, columns=list(CAPACITY_CASES.columns))]), BROKEN_BASE.empty()
    totals.outages = max(totals.outages, len(basis.scenarios) - 1 + len(basis.diverged) + len(basis.unswept))
    totals.diverged |= set(basis.diverged)
    totals.unswept |= set(basis.unswept)
    totals.memory = max(totals.memory, memory_bound_bytes(basis.rows.n_node, basis.rows.n_branch, len(basis.scenarios)))
    faults = broken_base(basis, name)
    if keeper:
        keeper.put(f"{name}-broken", faults)
    basis.prepare(progress)
    tables = []
    for k, hand in enumerate(hands):
        done = kept[k]
        if done is None:
            done = _hand(basis, name, hand, request, faults)
            if keeper:
                keeper.put(f"{name}-{k}", done)
        tables.append(done)
        progress("hosting", (k + 1) / len(hands))
    totals.states += basis.ac_states
    return _joined(tables), faults


def _modes(request: HostingRequest) -> tuple[str, ...]:
    return ("n_0", "n_1") if request.n_1 else ("n_0",)


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else CAPACITY_CASES.empty()


def _hand(basis: Basis, name: str, hand: Sequence[int], request: HostingRequest, faults: pd.DataFrame) -> pd.DataFrame:
    """One hand of buses in one operating point."""
    nodes = np.array([basis.node_of(bus) for bus in hand], dtype=np.int64)
    records: dict[tuple[int, str], tuple[object, ...]] = {}
    for bus, node in zip(hand, nodes.tolist(), strict=True):
        if node < 0:
            records |= {(bus, mode): _nothing(bus, name, mode, "not_connected") for mode in _modes(request)}
    there = np.flatnonzero(nodes >= 0)
    buses, nodes = [hand[k] for k in there.tolist()], nodes[there]
    strict = not request.settings.tolerate_base
    cap = search_cap(basis, nodes)
    everyone = np.ones(len(nodes), dtype=bool)
    only = np.array([0])
    n_0 = climb_buses(basis, nodes, cap, only, everyone)
    at_fault = {mode: _worst_fault(faults, mode) if strict else None for mode in _modes(request)}
    n_1 = None
    if request.n_1 and at_fault["n_1"] is None:
        wanted = everyone if request.certify is None else np.isin(buses, request.certify)
        n_1 = climb_buses(basis, nodes, n_0.capacity, np.arange(len(basis.scenarios)), wanted)
    cut = _cut_off_by(basis, nodes)
    for lane, bus in enumerate(buses):
        for mode in _modes(request):
            fault = at_fault[mode]
            if fault is not None:
                records[bus, mode] = _nothing(bus, name, mode, "base_case", *fault, cut=cut[lane])
            elif mode == "n_1" and request.settings.load and cut[lane]:
                records[bus, mode] = _nothing(bus, name, mode, "split", str(bus), cut[lane].split(";")[0], cut[lane])
            elif mode == "n_0":
                records[bus, mode] = _record(basis, bus, name, mode, n_0, n_0, lane, cut[lane])
            elif n_1 is not None:
                records[bus, mode] = _record(basis, bus, name, mode, n_1, n_0, lane, cut[lane])
    ordered = [records[bus, mode] for bus in hand for mode in _modes(request)]
    return CAPACITY_CASES.validate(pd.DataFrame(ordered, columns=list(CAPACITY_CASES.columns)))


def search_cap(basis: Basis, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Largest power looked at [pu]: a factor on the ratings of the branches at each node."""
    rows, settings = basis.rows, basis.settings
    with np.errstate(divide="ignore"):
        rating = np.where(rows.scale > 0, 1 / np.sqrt(np.maximum(rows.scale, 1e-12)), 0.0)
    total = np.bincount(rows.f, rating, rows.n_node) + np.bincount(rows.t, rating, rows.n_node)
    most = settings.search_cap_mw / basis.base_mva
    return np.asarray(np.minimum(settings.search_cap_factor * total[nodes], most), dtype=np.float64)


def _worst_fault(faults: pd.DataFrame, mode: str) -> tuple[str, str] | None:
    """(element, outage) of the worst limit that is broken before anything is added."""
    rows = faults if mode == "n_1" else faults[faults["outage"] == ""]
    rows = rows[rows["limit"] != "diverged"] if mode == "n_0" else rows
    return None if rows.empty else (str(rows["element"].iloc[0]), str(rows["outage"].iloc[0]))


def _cut_off_by(basis: Basis, nodes: npt.NDArray[np.int64]) -> list[str]:
    """Outages that leave each bus without supply."""
    found: list[list[str]] = [[] for _ in nodes]
    for k, one in enumerate(basis.scenarios):
        if one.dead.any():
            for lane in np.flatnonzero(one.dead[nodes]).tolist():
                found[lane].append(basis.outage_name(k))
    return [";".join(names) for names in found]


def _nothing(
    bus: int, case: str, mode: str, limit: str, element: str = "", outage: str = "", cut: str = ""
) -> tuple[object, ...]:
    nan = float("nan")
    return (bus, case, mode, 0.0, limit, element, outage, "", "", "", nan, nan, nan, False, limit == "base_case", cut)


def _record(
    basis: Basis, bus: int, case: str, mode: str, answers: Answers, n_0: Answers, lane: int, cut: str
) -> tuple[object, ...]:
    mw = basis.base_mva
    source = answers
    if answers.row[lane] == NOTHING and answers is not n_0:
        source = n_0  # no outage binds before the intact network does
    limit, element = row_name(basis.rows, basis.case, int(source.row[lane]))
    next_row = int(source.next_row[lane])
    after = float(source.next_capacity[lane]) * mw
    further = ("", "", "", float("nan"))
    if next_row != NOTHING and np.isfinite(after):
        further = (
            *row_name(basis.rows, basis.case, next_row),
            basis.outage_name(int(source.next_scenario[lane])),
            after,
        )
    capacity = float(np.floor(answers.capacity[lane] * mw * 100 + 1e-6) / 100)
    return (
        bus, case, mode, capacity, limit, element, basis.outage_name(int(source.scenario[lane])), *further,
        float(answers.estimated[lane]) * mw, float(answers.screened[lane]) * mw, bool(answers.certified[lane]), False,
        cut,
    )  # fmt: skip


def _by_bus(long: pd.DataFrame, case: BusBranch, n_1: bool) -> pd.DataFrame:
    """Worst of the operating points, one row a bus."""
    if long.empty:
        return CAPACITY_BUSES.empty()
    buses = case.buses.set_index("bus_id")
    records = []
    for key, rows in long.groupby("bus_id", sort=False):
        bus = int(str(key))
        of = {mode: part.loc[part["capacity_mw"].idxmin()] for mode, part in rows.groupby("mode", sort=False)}
        worst, about = of["n_1" if n_1 else "n_0"], buses.loc[bus]
        further = ""
        if worst["next_limit"]:
            where = f" after {worst['next_outage']}" if worst["next_outage"] else ""
            further = f"{worst['next_limit']} {worst['next_element']}{where} at {worst['next_mw']:.1f} MW"
        records.append((
            bus, str(about["name"]), str(about["station"]), float(about["vn_kv"]), float(about["lon"]),
            float(about["lat"]), float(of["n_0"]["capacity_mw"]), float(worst["capacity_mw"]) if n_1 else float("nan"),
            worst["case"], worst["outage"], worst["element"], worst["limit"], further, bool(rows["certified"].all()),
            bool(rows["base_case"].any()), worst["cut_off_by"],
        ))  # fmt: skip
    return CAPACITY_BUSES.validate(pd.DataFrame(records, columns=list(CAPACITY_BUSES.columns)))
