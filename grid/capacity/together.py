"""Capacity of several buses at once, in all outages of all named cases.

*Max total* is a sequence of linear programmes: rows by the slopes of the last AC point, made only when they would be
broken; each answer is checked by AC in every outage, and what is broken is linearised there, until the bound of the
programme and the clean total meet. *Proportional*, *first come* and *max-min* are walks along straight lines, each
step to the first exit of any row. What is handed back is AC-clean, or nothing.

A capacity is the first limit on the way up: the straight line to a largest total is walked as well, and a limit that
it crosses on its way cuts the answer back (*gap*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from grid.capacity.rows import SPLIT
from grid.capacity.together_lp import Optimum, linear_optimum, near_rows
from grid.capacity.together_records import ALLOCATION, BINDING, Bound, Site, Together
from grid.capacity.together_rows import linearise
from grid.capacity.together_study import AIM, Climbed, Point, Progress, Study
from grid.model.arrays import Bools, Floats

Kind = Literal["max total", "proportional", "first come", "max-min"]
Status = Literal["clean", "shrunk", "gap", "base case"]
FREE_ROUNDS = 2
"""Rounds after which a residual that does not fall keeps the next answer near to the last."""
MOST_NOSES = 2
"""Answers beyond the last solution of some outage, after which the search ends at it."""


def max_total(study: Study, weights: Floats | None = None, progress: Progress | None = None) -> Together:
    """Largest total of all sites.

    Parameters
    ----------
    study
        Cases, sites and limits (:meth:`grid.capacity.together_study.Study.of`).
    weights : array, shape (sites,), optional
        Worth of a MW at each site; 1 by default. ``total_mw`` and ``bound_mw`` then are weighted totals.
    progress
        Called with a label and the share done.

    Returns
    -------
    Together
        ``bound_mw`` is the programme's optimum by the slopes of the last AC point: the largest total for limits that
        are convex in the plants' MW, which those of a meshed network nearly are; it proves nothing beyond.
    """
    worth = np.ones(len(study.sites)) if weights is None else np.asarray(weights, dtype=np.float64)
    if study.base_case:
        return _base_case(study, "max total")
    found = _search(study, worth, progress)
    best, optimum, beyond = found.point, found.optimum, np.nan
    status: Status = "clean" if found.settled else "shrunk"
    first = _first_on_the_way(study, best) if study.options.path_points else None
    if first is not None:
        beyond, best, status = float(worth @ best.mw), first, "gap"
    why = _whys_of_programme(study, best, optimum, found.stopped)
    if status == "clean" and optimum is not None:
        held = [(b, dual) for b, _, dual, _ in optimum.rows]
    else:
        held = [(b, np.nan) for b in [found.stopped, *_tight(study, best)] if b is not None]
    return _answer(study, "max total", status, best, why, held, worth, bound=found.bound, beyond=beyond,
                   programmes=found.programmes)  # fmt: skip


def proportional(study: Study, most_factor: float = 1.0) -> Together:
    """Largest common share of the sites' wishes.

    Raises
    ------
    ValueError
        If a site has no finite wish.
    """
    wishes = _wishes(study)
    if study.base_case:
        return _base_case(study, "proportional")
    blocked = next((c for c, w in zip(study.cut_off, wishes, strict=True) if c is not None and w > 0), None)
    if blocked is not None:
        climbed = Climbed(study.start, 0.0, blocked, 0.0)
    else:
        climbed = study.climb(study.start, wishes, most_factor)
    why = [climbed.bound if w > 0 else None for w in wishes]
    bound = climbed.broken_at * float(wishes.sum())
    held = [] if climbed.bound is None else [(climbed.bound, np.nan)]
    return _answer(study, "proportional", "clean", climbed.point, why, held, bound=bound, factor=climbed.steps)


def first_come(study: Study, order: Sequence[str] | None = None, progress: Progress | None = None) -> Together:
    """Each site in its turn gets up to its wish of what those before it leave; every prefix is AC-clean.

    Parameters
    ----------
    order
        Ids of all sites; as given by default.

    Raises
    ------
    ValueError
        If the order does not name every site once.
    """
    names = [site.id for site in study.sites]
    turn = list(names if order is None else order)
    if sorted(turn) != sorted(names):
        raise ValueError("the order must name every site once")
    if study.base_case:
        return _base_case(study, "first come")
    here, why = study.start, list(study.cut_off)
    for n, name in enumerate(turn):
        s = names.index(name)
        direction = np.zeros(len(names))
        direction[s] = 1.0
        if study.cap_mw[s] > 0:
            climbed = study.climb(here, direction, float(study.cap_mw[s]))
            here, why[s] = climbed.point, climbed.bound
        if progress:
            progress("first come", (n + 1) / len(turn))
    held = [(b, np.nan) for b in dict.fromkeys(b for b in why if b is not None)]
    return _answer(study, "first come", "clean", here, why, held)


def max_min(study: Study) -> Together:
    """Equal MW for all, until a row binds; those that load it stop, the others go on (progressive filling)."""
    if study.base_case:
        return _base_case(study, "max-min")
    here, why = filled(study, np.ones(len(study.sites)), study.cap_mw)
    held = [(b, np.nan) for b in dict.fromkeys(b for b in why if b is not None)]
    return _answer(study, "max-min", "clean", here, why, held)


def filled(study: Study, pace: Floats, most_mw: Floats) -> tuple[Point, list[Bound | None]]:
    """Progressive filling: all sites go up in step with ``pace`` until a row binds; those that load it stop.

    Returns
    -------
    tuple
        The AC-clean point, and what stopped each site below ``most_mw`` (None: nothing did).
    """
    here, why = study.start, list(study.cut_off)
    going = (np.minimum(most_mw, study.cap_mw) > 0) & (pace > 0)
    for _ in range(3 * len(study.sites)):
        if not going.any():
            break
        left = most_mw - here.mw
        climbed = study.climb(here, np.where(going, pace, 0.0), float((left[going] / pace[going]).min()))
        here = climbed.point
        stopped = going & (most_mw - here.mw <= 1e-9)
        if climbed.bound is not None:
            loading = going & _loads(study, here, climbed.bound)
            loading = loading if loading.any() else going
            for s in np.flatnonzero(loading):
                why[s] = climbed.bound
            stopped |= loading
        going = going & ~stopped
    return here, why


# ---------------------------------------------------------------- the search for the largest total


@dataclass
class _Found:
    """State of the search: the best clean point, and the linear programme at the last point."""

    point: Point
    bound: float = np.nan
    optimum: Optimum | None = None
    settled: bool = False
    """Whether bound and point met."""
    stopped: Bound | None = None
    """Outage without solution, or row, at which the way back to a clean point ended."""
    programmes: int = 0


def _search(study: Study, weights: Floats, progress: Progress | None) -> _Found:
    options, point, radius, nose = study.options, study.start, np.inf, 0
    found, known = _Found(study.start), list[Bound]()
    for k in range(options.most_rounds):
        low = np.maximum(0.0, point.mw - radius) if np.isfinite(radius) else 0.0 * point.mw
        high = np.minimum(study.cap_mw, point.mw + radius)
        optimum = linear_optimum(study, point, weights, low, high, near_rows(study, point, known))
        if optimum is None:  # no MW meets the slopes of a broken point: back to where the way to it is clean
            point, radius = study.climb(found.point, point.mw - found.point.mw, 1.0).point, np.inf
            continue
        found.optimum, found.bound = optimum, optimum.total
        found.programmes += optimum.made
        here = float(weights @ point.mw)
        enough = max(options.gap_mw, options.gap_share * abs(optimum.total))
        if study.clean(point, AIM) and optimum.total - here <= enough:
            if np.isfinite(radius):  # settled within the box: does it hold without?
                free = linear_optimum(
                    study, point, weights, 0.0 * point.mw, study.cap_mw, near_rows(study, point, known)
                )
                found.bound = optimum.total if free is None else free.total
            if found.bound - here <= enough:
                found.point, found.bound, found.settled = point, max(found.bound, here), True
                return found
            radius = np.inf
            continue
        known = [b for b, *_ in optimum.rows] + known
        there = study.point(optimum.mw, point)
        if not there.solved:
            climbed = study.climb(found.point, there.mw - found.point.mw, 1.0)
            there, found.stopped, nose = climbed.point, climbed.bound, nose + 1
        elif k >= FREE_ROUNDS and _badness(study, there) > 0.3 * _badness(study, point):
            # corners of nearly the same total: stay near
            radius = max(0.5 * float(np.abs(optimum.mw - point.mw).max(initial=0.0)), options.gap_mw)
        if study.clean(there, AIM) and float(weights @ there.mw) >= float(weights @ found.point.mw):
            found.point = there
        point = there
        if nose > MOST_NOSES:
            break
        if progress:
            progress("max total", (k + 1) / options.most_rounds)
    return _ended(study, weights, found, point)


def _badness(study: Study, point: Point) -> float:
    """Largest residual in shares of its tolerance, at least what the search aims at."""
    options = study.options
    loading = point.residual_percent / options.loading_tolerance_percent
    return max(loading, point.residual_pu / options.voltage_tolerance_pu, AIM)


def _ended(study: Study, weights: Floats, found: _Found, point: Point) -> _Found:
    """The last point if it is better and clean, or as much of the way to it as is."""
    if float(weights @ point.mw) > float(weights @ found.point.mw):
        if study.clean(point):
            found.point = point
        else:
            climbed = study.climb(found.point, point.mw - found.point.mw, 1.0)
            found.point, found.stopped = climbed.point, climbed.bound
    return found


def _first_on_the_way(study: Study, answer: Point) -> Point | None:
    """Last clean point before a limit that the straight line from nothing crosses; None where it crosses none."""
    points = study.options.path_points
    if answer.total_mw <= 0:
        return None
    for k in range(1, points + 1):
        there = study.point(answer.mw * k / (points + 1), study.start)
        if not study.clean(there):
            return study.climb(study.start, answer.mw, 1.0).point
    return None


# ---------------------------------------------------------------- the answer


def _loads(study: Study, point: Point, bound: Bound) -> Bools:
    """Sites that push a row towards its bound; all where there is no row."""
    if bound.row < 0 or point.states is None:
        return np.ones(len(study.sites), dtype=bool)
    model, states = study.models[bound.case], point.states[bound.case]
    row = linearise(model, states, point.mw, bound.state, np.array([bound.row]))[0]
    coefficients = row.cut(point.mw)[0]
    return np.asarray(coefficients > 1e-3 * float(np.abs(coefficients).max(initial=0.0)))


def _tight(study: Study, point: Point) -> list[Bound]:
    """Rows at their bounds: within ten of the tolerances below."""
    return [bound for bound, _ in study.broken(point, -10.0)][:20]


def _whys_of_programme(
    study: Study, point: Point, optimum: Optimum | None, stopped: Bound | None
) -> list[Bound | None]:
    """Row that costs each site most: dual times coefficient; where none does, what stopped the search."""
    why = list(study.cut_off)
    if optimum is None:
        return why
    for s in range(len(study.sites)):
        costs = [(dual * coefficients[s], bound) for bound, _, dual, coefficients in optimum.rows]
        top = max(costs, key=lambda pair: pair[0], default=None)
        if why[s] is None and top is not None and top[0] > 1e-6 and point.mw[s] < study.cap_mw[s] - 1e-6:
            why[s] = top[1]
        elif why[s] is None and point.mw[s] < study.cap_mw[s] - 1e-6:
            why[s] = stopped
    return why


def _base_case(study: Study, kind: Kind) -> Together:
    worst = sorted(study.base_broken, key=lambda b: -_base_amount(study, b))[:50]
    held = [(b, np.nan) for b in worst]
    why = [study.base_broken[0]] * len(study.sites)
    return _answer(study, kind, "base case", study.start, why, held, factor=0.0 if kind == "proportional" else np.nan)


def _base_amount(study: Study, bound: Bound) -> float:
    """How far a broken row stands beyond the rule; an outage without solution before all."""
    if bound.row < 0:
        return np.inf
    value, limit, _ = _figures(study, study.start, bound)
    return abs(value - limit) / (1.0 if _is_voltage(study, bound) else 100.0)


def _is_voltage(study: Study, bound: Bound) -> bool:
    rows = study.models[bound.case].rows
    return 2 * rows.n_branch <= bound.row < 2 * (rows.n_branch + rows.n_node)


def _answer(
    study: Study, kind: Kind, status: Status, point: Point, why: Sequence[Bound | None],
    held: Sequence[tuple[Bound, float]], weights: Floats | None = None, *, bound: float = np.nan,
    factor: float = np.nan, beyond: float = np.nan, programmes: int = 0,
) -> Together:  # fmt: skip
    worth = np.ones(len(study.sites)) if weights is None else weights
    texts = [_text(study, site, float(mw), b) for site, mw, b in zip(study.sites, point.mw, why, strict=True)]
    allocation = pd.DataFrame({
        "site": [s.id for s in study.sites],
        "bus": [int(s.bus_id) for s in study.sites],
        "wish_mw": [float(s.wish_mw) for s in study.sites],
        "capacity_mw": np.maximum(0.0, point.mw).astype(float),
        "binding": texts,
    })  # fmt: skip
    rows = _once(held)
    return Together(
        kind, status, float(worth @ point.mw), bound, factor, beyond, ALLOCATION.validate(allocation),
        _binding(study, point, rows, status == "base case"), tuple(rows), point.residual_percent, point.residual_pu,
        study.ac_states, programmes,
        tuple(f"{m.id}/{m.name(int(k))}" for m in study.models for k in np.flatnonzero(m.unsolved)),
        tuple(f"{m.id}/{name}" for m in study.models for name in m.not_followed),
    )  # fmt: skip


def _text(study: Study, site: Site, mw: float, bound: Bound | None) -> str:
    if mw >= site.wish_mw - 1e-6:
        return ""
    if bound is None:
        return "search cap"
    case, outage, limit, element = study.words(bound)
    if bound.row == SPLIT:
        return f"{case}: cut off" + (f" when {outage} is lost" if outage else "")
    return f"{case}: {limit} {element}".rstrip() + (f" when {outage} is lost" if outage else "")


def _once(held: Sequence[tuple[Bound, float]]) -> dict[Bound, float]:
    """Each row once, with the largest dual of its half-planes."""
    worth: dict[Bound, float] = {}
    for bound, dual in held:
        worth[bound] = dual if not np.isfinite(dual) else max(worth.get(bound, -np.inf), dual)
    return worth


def _binding(study: Study, point: Point, rows: dict[Bound, float], base_case: bool) -> pd.DataFrame:
    records = []
    for bound, dual in rows.items():
        case, outage, limit, element = study.words(bound)
        value, top, before = _figures(study, point, bound, base_case)
        records.append((case, outage, element, limit, value, top, before, 0.01 * dual))
    if not records:
        return BINDING.empty()
    return BINDING.validate(pd.DataFrame(records, columns=list(BINDING.columns)))


def _figures(study: Study, point: Point, bound: Bound, nominal: bool = False) -> tuple[float, float, float]:
    """(value, bound, value before) of a row in percent or pu; with ``nominal`` the rule's bound without slack."""
    if bound.row < 0:
        return np.nan, np.nan, np.nan
    model = study.models[bound.case]
    rows, s = model.rows, bound.state
    nb, n = rows.n_branch, rows.n_node
    found, start = point.measured[bound.case], model.start
    if bound.row < 2 * nb:
        k = bound.row % nb
        top = 1.0 if nominal else model.loading_top[k, s]
        return 100 * float(found.loading[k, s]), 100 * float(top), 100 * float(start.loading[k, s])
    if bound.row >= 2 * nb + 2 * n:
        k = bound.row - 2 * nb - 2 * n
        top = 1.0 if nominal else model.reverse_top[k]
        return 100 * float(found.reverse[k]), 100 * float(top), 100 * float(start.reverse[k])
    i = (bound.row - 2 * nb) % n
    high = bound.row < 2 * nb + n
    ruled = (rows.high_0 if s == 0 else rows.high_1)[i] if high else (rows.low_0 if s == 0 else rows.low_1)[i]
    eased = model.high[i, s] if high else model.low[i, s]
    return float(found.voltage[i, s]), float(ruled if nominal else eased), float(start.voltage[i, s])


def _wishes(study: Study) -> Floats:
    wishes = np.array([site.wish_mw for site in study.sites])
    if not np.isfinite(wishes).all() or not wishes.sum() > 0:
        raise ValueError("every site needs a finite wish, and some wish must be above 0")
    return wishes
