"""What is the same for all hours of a year's study, the hours solved by AC, and which of them are alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.vq import kmeans2

from grid.batch import BatchSolver
from grid.capacity.year_records import YearSettings
from grid.capacity.year_rows import Watched, branch_powers

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Change = Callable[[int, int], Complexes]
Progress = Callable[[str, float], None]
_HOURS_AT_A_TIME = 512
_COMPONENTS = 6


@dataclass
class Study:
    """Everything that is the same for all hours."""

    solver: BatchSolver
    change: Change
    labels: tuple[str, ...]
    month: Ints
    hour_of_day: Ints
    settings: YearSettings
    watched: Watched
    bus: Ints
    """Bus rows of the plants."""
    outages: Ints
    """Branch rows, the most loaded first; outage number k is ``outages[k - 1]``."""
    not_studied: tuple[str, ...]
    factor: Floats
    """Factor on the limits of transformers and of lines, shape (2, hours)."""
    cap_mw: Floats
    ac_states: int = 0
    largest_factors_mib: float = 0.0
    diverged: set[int] = field(default_factory=set)
    """Branch rows whose loss has no solution at some anchor."""

    @classmethod
    def of(
        cls, solver: BatchSolver, change: Change, labels: Sequence[str], buses: Iterable[int] | None,
        settings: YearSettings, line_factor: Floats | None, when: pd.DatetimeIndex | None,
    ) -> Study:  # fmt: skip
        hours = len(labels)
        if settings.limits.plant.droop_per_pu > 0:
            raise ValueError("the year's limits take a plant with a fixed power factor, not Q(U)")
        factor = np.ones((2, hours))
        if line_factor is not None:
            factor[1] = line_factor
        index = pd.date_range("2023-01-01", periods=hours, freq="h") if when is None else when
        if len(index) != hours:
            raise ValueError(f"{len(index)} times for {hours} hours")
        watched = Watched.of(solver, settings.limits)
        bus = _bus_rows(solver, buses)
        outages, left = _outages(solver) if settings.n_1 else (np.empty(0, np.int64), ())
        return cls(
            solver, change, tuple(labels), index.month.to_numpy(np.int64), index.hour.to_numpy(np.int64), settings,
            watched, bus, outages, left, factor, _caps(solver, watched, bus, settings),
        )  # fmt: skip

    def states(self, progress: Progress | None) -> tuple[Complexes, npt.NDArray[np.bool_]]:
        """Node voltages of the part in every hour, and which hours are solved."""
        hours = len(self.labels)
        voltage = np.empty((len(self.solver.members), hours), complex)
        for first in range(0, hours, _HOURS_AT_A_TIME):
            last = min(first + _HOURS_AT_A_TIME, hours)
            for block in self.solver.injections(self.change(first, last)):
                at = first + block.first
                voltage[:, at : at + len(block.status)] = block.node_voltage[self.solver.members]
            if progress:
                progress("hours", last / hours)
        self.ac_states += hours
        return voltage, np.asarray(np.isfinite(voltage).all(axis=0))

    def groups(self, voltage: Complexes, solved: Bools) -> list[Group]:
        """Hours that share an anchor, alike ones side by side."""
        hours = np.flatnonzero(solved)
        if not len(hours):
            return []
        score = main_components(self.watched, voltage, hours)
        label = _clusters(score, min(self.settings.anchors, len(hours)), self.settings.seed)
        found = []
        for k in np.unique(label):
            own = np.flatnonzero(label == k)
            nearest = int(((score[own] - score[own].mean(axis=0)) ** 2).sum(axis=1).argmin())
            found.append(_group(hours, score, own, nearest))
        return found

    def injection(self, hour: int) -> Complexes:
        return self.change(hour, hour + 1)[:, 0]


@dataclass(frozen=True)
class Group:
    """Hours around an anchor hour; ``score``: their place among all hours, shape (hours, components)."""

    anchor: int
    hours: Ints
    score: Floats
    centre: Floats
    """The anchor's score."""


def _group(hours: Ints, score: Floats, own: Ints, anchor: int) -> Group:
    order = own[np.argsort(score[own, 0], kind="stable")]
    return Group(int(hours[own[anchor]]), hours[order], score[order], score[own[anchor]])


def extreme_groups(study: Study, voltage: Complexes, groups: list[Group], limit: Floats) -> Iterator[Group]:
    """New anchors at the hours that are the lowest of most buses, with the hours nearer to them than to their own.

    Extremes lie at the rim of their group, where its factors are worst, and they decide the firm limits.
    """
    if not groups:
        return
    anchors = [g.anchor for g in groups]
    hours = np.concatenate([g.hours for g in groups])
    score = np.concatenate([g.score for g in groups])
    apart = np.concatenate([((g.score - g.centre) ** 2).sum(axis=1) for g in groups])
    lowest, buses = np.unique(limit[limit.max(axis=1) > 0].argmin(axis=1), return_counts=True)
    chosen = [h for h in lowest[np.argsort(-buses, kind="stable")].tolist() if h not in anchors]
    chosen = [h for h in chosen if h in set(hours.tolist())][: study.settings.extreme_anchors]
    if not chosen:
        return
    place = {int(h): k for k, h in enumerate(hours)}
    to_new = np.array([((score - score[place[h]]) ** 2).sum(axis=1) for h in chosen])
    nearest = to_new.argmin(axis=0)
    for k, h in enumerate(chosen):
        own = np.flatnonzero((nearest == k) & (to_new[k] < apart))
        own = own if place[h] in own else np.append(own, place[h])
        yield _group(hours, score, own, int(np.flatnonzero(own == place[h])[0]))


def _bus_rows(solver: BatchSolver, buses: Iterable[int] | None) -> Ints:
    a = solver.arrays
    inside = np.isin(a.node, solver.members) & ~a.off
    if buses is None:
        return np.flatnonzero(inside & ~a.case.buses["is_star"].to_numpy(bool))
    position = {int(b): k for k, b in enumerate(a.bus_ids)}
    unknown = [b for b in buses if int(b) not in position or not inside[position[int(b)]]]
    if unknown:
        raise ValueError(f"no energised bus {', '.join(str(b) for b in unknown)}")
    return np.array([position[int(b)] for b in buses], dtype=np.int64)


def _outages(solver: BatchSolver) -> tuple[Ints, tuple[str, ...]]:
    """Branches lost one by one, the most loaded first, and the names of what is lost only as a whole unit."""
    a = solver.arrays
    unit = a.case.branches["transformer_id"].to_numpy()
    inside = np.isin(a.f, solver.members) & np.isin(a.t, solver.members) & (a.f != a.t)
    rows = np.flatnonzero(a.live & inside & (unit == ""))
    flow = np.abs(branch_powers(solver, rows, solver.voltage[:, None])[:, 0, 0])
    left = tuple(str(u) for u in dict.fromkeys(unit[a.live & inside & (unit != "")].tolist()))
    return rows[np.argsort(-flow, kind="stable")], left


def _caps(solver: BatchSolver, watched: Watched, bus: Ints, settings: YearSettings) -> Floats:
    """Largest injection tried: the ratings of the bus's branches times a factor; buses without rated branches take
    the largest of the others."""
    local = np.full(solver.arrays.n_node, -1)
    local[solver.members] = np.arange(len(solver.members))
    total = np.bincount(watched.near, watched.limit_0, len(solver.members)) * solver.arrays.base_mva
    total = np.where(total > 0, total, total.max(initial=0.0)) * settings.limits.search_cap_factor
    return np.asarray(np.minimum(total[local[solver.arrays.node[bus]]], settings.limits.search_cap_mw))


def main_components(watched: Watched, voltage: Complexes, hours: Ints) -> Floats:
    """Hours by the main directions in which the loadings vary, shape (hours, components)."""
    count = len(watched.end) // 2
    loading = np.empty((count, len(hours)))
    for first in range(0, len(hours), _HOURS_AT_A_TIME):
        part = slice(first, first + _HOURS_AT_A_TIME)
        loading[:, part] = watched.values(voltage[:, hours[part]]).re[:count]
    loading /= watched.limit_0[:count, None]
    loading -= loading.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(loading @ loading.T)
    return np.asarray((vectors[:, ::-1][:, :_COMPONENTS].T @ loading).T)


def _clusters(score: Floats, count: int, seed: int) -> Ints:
    if count < 2 or np.ptp(score) < 1e-9:
        return np.zeros(len(score), np.int64)
    start = score[np.argsort(score[:, 0], kind="stable")[((np.arange(count) + 0.5) * len(score) / count).astype(int)]]
    with warnings.catch_warnings():  # hours that repeat leave clusters empty, which are simply not made
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
        _, label = kmeans2(score, start, minit="matrix", missing="warn", seed=seed)
    return np.asarray(label, dtype=np.int64)
