"""Several cases and sites as one study: AC points, what is clean, and first exits along a direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.capacity.rows import DIVERGED, SPLIT
from grid.capacity.settings import CapacitySettings
from grid.capacity.together_records import Bound, NamedCase, Site, TogetherOptions
from grid.capacity.together_rows import diverged, first_exit, name_of, over_limits, residuals
from grid.capacity.together_states import CaseModel, Measured, States
from grid.model.arrays import Floats, Ints
from grid.solve_records import SolveOptions
from grid.studies.n_1 import ratings_mva
from layers.contracts import Finding, InputError

Progress = Callable[[str, float], None]

AIM = 0.01
"""Share of the tolerances that the search aims at; the tolerances themselves judge what it ends with."""
STEP_MW = 0.05
"""A first exit is known to within this total."""
MOST_SWEEPS = 30


@dataclass(frozen=True)
class Point:
    """AC states of all cases at one allocation. ``states`` is None where some intact network has no solution."""

    mw: Floats
    states: tuple[States, ...] | None
    measured: tuple[Measured, ...]
    residual_percent: float
    residual_pu: float
    diverged: tuple[Bound, ...]

    @property
    def solved(self) -> bool:
        return self.states is not None and not self.diverged

    @property
    def total_mw(self) -> float:
        return float(self.mw.sum())


@dataclass
class Study:
    """Make it by :meth:`of`; ``start`` is the point with nothing added, ``cap_mw`` the most at each site."""

    sites: tuple[Site, ...]
    models: tuple[CaseModel, ...]
    settings: CapacitySettings
    options: TogetherOptions
    cap_mw: Floats
    cut_off: tuple[Bound | None, ...]
    """Why a site gets nothing by itself: not connected, or cut off by an outage that counts."""
    start: Point
    base_broken: tuple[Bound, ...]

    @classmethod
    def of(
        cls, cases: Sequence[NamedCase], sites: Sequence[Site], settings: CapacitySettings | None = None,
        options: TogetherOptions | None = None, solve_options: SolveOptions | None = None,
        progress: Progress | None = None,
    ) -> Study:  # fmt: skip
        """Solve every case and outage with nothing added.

        Raises
        ------
        InputError
            If sites repeat or ask for less than nothing, buses, outages or ratings are missing, the states need too
            much memory, or the plants follow Q(U).
        ValueError
            If a case itself does not converge.
        """
        chosen, how = settings or CapacitySettings(), options or TogetherOptions()
        _refuse(cases, sites, chosen)
        models = []
        for number, named in enumerate(cases):
            models.append(CaseModel.of(named, sites, chosen, how, solve_options))
            if progress:
                progress("cases", (number + 1) / len(cases))
        starts = tuple(model.base for model in models)
        nothing = Point(np.zeros(len(sites)), starts, tuple(m.start for m in models), 0.0, 0.0, ())
        cut = tuple(_cut_off(models, how, s) for s in range(len(sites)))
        cap = np.array([_cap(models, site, s, chosen) for s, site in enumerate(sites)])
        cap = np.where([c is not None for c in cut], 0.0, cap)
        broken = tuple(b for c, m in enumerate(models) for b in _broken_before(c, m, how))
        return cls(tuple(sites), tuple(models), chosen, how, cap, cut, nothing, broken)

    def only(self, sites: Sequence[str]) -> Study:
        """The same study with nothing at all other sites."""
        kept = np.isin([site.id for site in self.sites], list(sites))
        return replace(self, cap_mw=np.where(kept, self.cap_mw, 0.0))

    @property
    def ac_states(self) -> int:
        return sum(model.ac_states for model in self.models)

    @property
    def base_case(self) -> bool:
        """Whether something is broken before anything is added, and that is not tolerated."""
        return bool(self.base_broken) and not self.settings.tolerate_base

    def point(self, mw: Floats, near: Point | None = None) -> Point:
        """All cases and outages by AC."""
        states, measured, lost = [], [], []
        worst, worst_pu = 0.0, 0.0
        for number, model in enumerate(self.models):
            before = near.states[number] if near is not None and near.states is not None else None
            found = model.states(mw, before)
            if found is None:
                return Point(mw, None, (), np.inf, np.inf, (Bound(number, 0, DIVERGED),))
            values = model.measure(found)
            lost += [Bound(number, int(k), DIVERGED) for k in diverged(model, found)]
            percent, pu = residuals(model, values)
            worst, worst_pu = max(worst, percent), max(worst_pu, pu)
            states.append(found)
            measured.append(values)
        return Point(mw, tuple(states), tuple(measured), worst, worst_pu, tuple(lost))

    def clean(self, point: Point, share: float = 1.0) -> bool:
        """Whether everything is solved and within ``share`` of the tolerances."""
        within = point.residual_percent <= share * self.options.loading_tolerance_percent
        return point.solved and within and point.residual_pu <= share * self.options.voltage_tolerance_pu

    def broken(self, point: Point, share: float = AIM) -> list[tuple[Bound, float]]:
        """Rows of a point beyond ``share`` of the tolerances, the worst of each case first; diverged outages before."""
        found = [(bound, np.inf) for bound in point.diverged]
        if point.states is None:
            return found
        loading, pu = share * self.options.loading_tolerance_percent / 100, share * self.options.voltage_tolerance_pu
        for number, (model, values) in enumerate(zip(self.models, point.measured, strict=True)):
            over = over_limits(model, values, loading, pu)
            found += [(Bound(number, int(s), int(r)), float(x))
                      for s, r, x in zip(over.state, over.row, over.amount, strict=True)]  # fmt: skip
        return found

    def excess(self, point: Point, bound: Bound) -> float:
        """How far a row is beyond its bound, negative inside."""
        model, values = self.models[bound.case], point.measured[bound.case]
        nb, n, row, s = model.rows.n_branch, model.rows.n_node, bound.row, bound.state
        if row < 2 * nb:
            return float(values.loading[row % nb, s] - model.loading_top[row % nb, s])
        if row >= 2 * nb + 2 * n:
            k = row - 2 * nb - 2 * n
            return float(values.reverse[k] - model.reverse_top[k])
        i = (row - 2 * nb) % n
        if row < 2 * nb + n:
            return float(values.voltage[i, s] - model.high[i, s])
        return float(model.low[i, s] - values.voltage[i, s])

    def words(self, bound: Bound) -> tuple[str, str, str, str]:
        """(case, outage, kind of limit, element)."""
        model = self.models[bound.case]
        outage = model.name(bound.state)
        if bound.row == DIVERGED:
            return model.id, outage, "diverged", ""
        if bound.row == SPLIT:
            return model.id, outage, "split", ""
        return (model.id, outage, *name_of(model, bound.row))

    # along a line

    def climb(self, start: Point, direction: Floats, most: float) -> Climbed:
        """Walk from a clean point along a direction until a row meets its bound; never beyond ``most`` steps.

        Every step goes to the first exit that the slopes of the last clean point foretell for any row of any outage;
        a broken point is pulled back by the rows that are broken there.
        """
        least = STEP_MW / max(float(np.abs(direction).sum()), 1e-12)
        good, at, bad, blocked, blocked_at = start, 0.0, None, None, np.inf
        step, bound = self._first_exit(good, direction) if most > 0 else (np.inf, None)
        for _ in range(MOST_SWEEPS):
            if at >= most:
                return Climbed(good, at, None, np.nan)
            if step <= least:
                return Climbed(good, at, bound, min(blocked_at, at + step))
            if blocked_at - at <= least:
                break
            aim = min(most, at + step) if bad is None else self._pulled(good, at, bad, blocked_at)
            there = self.point(start.mw + aim * direction, good)
            if self.clean(there, AIM):
                good, at = there, aim
                step, bound = self._first_exit(good, direction)
            else:
                bad, blocked_at = there, aim
                rows = self.broken(there)
                blocked = rows[0][0] if rows else None
        return Climbed(good, at, blocked, blocked_at)

    def _first_exit(self, point: Point, direction: Floats) -> tuple[float, Bound | None]:
        best, bound = np.inf, None
        assert point.states is not None
        for number, (model, states) in enumerate(zip(self.models, point.states, strict=True)):
            found = first_exit(model, states, direction)
            if found.step < best:
                best, bound = found.step, Bound(number, found.state, found.row)
        return best, bound

    def _pulled(self, good: Point, at: float, bad: Point, bad_at: float) -> float:
        """Where the rows broken at ``bad`` meet their bounds, between the two points."""
        if not bad.solved:
            return 0.5 * (at + bad_at)
        share = 1.0
        for bound, over in self.broken(bad):
            before = self.excess(good, bound)
            share = min(share, max(0.0, -before) / (over - before)) if over > before else 0.0
        aim = at + share * (bad_at - at)
        narrow = 0.005 * (bad_at - at)
        return float(min(max(aim, at + narrow), bad_at - narrow))


@dataclass(frozen=True)
class Climbed:
    """Last clean point of a walk, its steps; what blocks, and the least steps known to break it."""

    point: Point
    steps: float
    bound: Bound | None
    broken_at: float


def _refuse(cases: Sequence[NamedCase], sites: Sequence[Site], settings: CapacitySettings) -> None:
    found = []
    for what, ids in (("site", [s.id for s in sites]), ("case", [c.id for c in cases])):
        if not ids:
            found.append(_fault(what, "none", "There is none.", "Name one."))
        found += [_fault(what, name, "The name is used twice.", "Rename one.")
                  for name in sorted({i for i in ids if ids.count(i) > 1})]  # fmt: skip
    found += [_fault("site", s.id, f"A wish of {s.wish_mw:g} MW is not possible.", "Give 0 or more.")
              for s in sites if not s.wish_mw >= 0]  # fmt: skip
    if settings.plant.droop_per_pu != 0:
        found.append(_fault("plant", "droop_per_pu", "Several buses at once know a fixed power factor alone.",
                            "Set droop_per_pu to 0."))  # fmt: skip
    if found:
        raise InputError(found)


def _fault(what: str, item: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"together.{what}", "", what, item, item, message, remedy)


def _cap(models: Sequence[CaseModel], site: Site, s: int, settings: CapacitySettings) -> float:
    """Least over the cases of what the bus's branches could carry together; the wish where that is less."""
    caps = [site.wish_mw, settings.search_cap_mw]
    for model in models:
        rows, node = model.rows, int(model.nodes[s])
        if node < 0 or model.power[s] == 0:
            continue
        beside = (rows.f == node) | (rows.t == node)
        rating = ratings_mva(model.arrays.case.branches.iloc[rows.branch[beside]], settings.rating)
        per_mw = abs(model.power[s].real) * model.arrays.base_mva
        caps.append(settings.search_cap_factor * float(np.nansum(rating)) / per_mw)
    return float(min(caps)) if np.isfinite(min(caps)) else 0.0


def _cut_off(models: Sequence[CaseModel], options: TogetherOptions, s: int) -> Bound | None:
    for number, model in enumerate(models):
        if model.nodes[s] < 0:
            return Bound(number, 0, SPLIT)
        if options.lost_side == "limit" or (options.lost_side is None and model.settings.load):
            state = int(model.cut_off()[s])
            if state:
                return Bound(number, state, SPLIT)
    return None


def _broken_before(number: int, model: CaseModel, options: TogetherOptions) -> list[Bound]:
    """Rows beyond their own limits with nothing added, and outages without solution."""
    rows, start = model.rows, model.start
    nb, n = rows.n_branch, rows.n_node
    share, pu = options.loading_tolerance_percent / 100, options.voltage_tolerance_pu
    high = np.repeat(rows.high_1[:, None], model.count, axis=1)
    low = np.repeat(rows.low_1[:, None], model.count, axis=1)
    high[:, 0], low[:, 0] = rows.high_0, rows.low_0
    with np.errstate(invalid="ignore"):
        found: list[tuple[Ints, Ints]] = [
            _at(start.loading > 1 + share, 0),
            _at(start.voltage > high + pu, 2 * nb),
            _at(start.voltage < low - pu, 2 * nb + n),
        ]
    reverse = np.flatnonzero(start.reverse > 1 + share)
    found.append((np.zeros(len(reverse), np.int64), reverse + 2 * nb + 2 * n))
    rows_found = [
        Bound(number, int(s), int(r)) for states, numbers in found for s, r in zip(states, numbers, strict=True)
    ]
    return [*(Bound(number, int(k), DIVERGED) for k in np.flatnonzero(model.unsolved)), *rows_found]


def _at(over: np.ndarray, offset: int) -> tuple[Ints, Ints]:
    i, s = np.nonzero(over)
    return s.astype(np.int64), (i + offset).astype(np.int64)
