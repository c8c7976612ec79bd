"""The linear side of several buses at once: largest total under rows that are made when they are broken.

Currents are circles in the complex plane (``|value + slope x| <= top``); each is cut by the half-planes that touch it
where the programme's answers lie, as many as are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from grid.capacity.together_records import Bound
from grid.capacity.together_rows import Affine, linearise, predict
from grid.capacity.together_study import Point, Study
from grid.model.arrays import Floats

MOST_ROUNDS = 60
MOST_NEW = 80
"""Rows made after one solve, the worst of each element first."""
NEAR = 0.03
"""Rows this near to their bounds are in the programme from its beginning, if they were in the last one."""


@dataclass(frozen=True)
class Optimum:
    """Answer of a linear programme, and the rows that hold it with what a further unit of their bound is worth."""

    mw: Floats
    total: float
    rows: tuple[tuple[Bound, Affine, float, Floats], ...]
    """(row, its affine form, dual, coefficients of the binding half-plane)."""
    made: int


@dataclass
class Programme:
    """HiGHS with the sites' MW as columns."""

    weights: Floats
    low: Floats
    high: Floats
    solver: highspy.Highs = field(default_factory=highspy.Highs)
    cuts: list[tuple[Bound, Floats]] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        for weight, low, high in zip(self.weights, self.low, self.high, strict=True):
            self.solver.addCol(-float(weight), float(low), float(high), 0, np.empty(0, np.int32), np.empty(0))

    def add(self, bound: Bound, coefficients: Floats, top: float) -> None:
        """A row, scaled to a largest coefficient of 1 where it has any weight."""
        size = float(np.abs(coefficients).max(initial=0.0))
        scale = 1 / size if size > 1e-12 else 1.0
        at = np.flatnonzero(np.abs(coefficients) * scale > 1e-9).astype(np.int32)
        self.solver.addRow(-highspy.kHighsInf, float(top * scale), len(at), at, (coefficients * scale)[at])
        self.cuts.append((bound, coefficients * scale))
        self.scales.append(scale)

    def solve(self) -> Floats | None:
        self.solver.run()
        self.runs += 1
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self.solver.getSolution().col_value)

    def duals(self) -> Floats:
        """What one unit of each row's own bound is worth."""
        return np.asarray(-np.array(self.solver.getSolution().row_dual) * np.array(self.scales), dtype=np.float64)


def linear_optimum(
    study: Study, point: Point, weights: Floats, low: Floats, high: Floats, known: Sequence[Bound] = ()
) -> Optimum | None:
    """Largest weighted total by the slopes at a point, all rows of all outages kept; None where nothing is feasible.

    Parameters
    ----------
    low, high : array, shape (sites,)
        Range of each site's MW.
    known
        Rows to begin with.
    """
    assert point.states is not None
    programme, store = Programme(weights, low, high), dict[Bound, Affine]()
    _make(study, point, list(known), store)
    for bound, affine in store.items():
        programme.add(bound, *affine.cut(point.mw)[:2])
    mw = programme.solve()
    for _ in range(MOST_ROUNDS):
        if mw is None:
            return None
        fresh = _to_make(study, point, mw, store)
        _make(study, point, fresh, store)
        added = 0
        for bound, affine in store.items():
            coefficients, top, over = affine.cut(mw)
            if over > 1e-6 or bound in fresh:
                programme.add(bound, coefficients, top)
                added += 1
        if not added:
            break
        mw = programme.solve()
    if mw is None:
        return None
    duals = programme.duals()
    held = [
        (bound, store[bound], float(dual), coefficients)
        for (bound, coefficients), dual in zip(programme.cuts, duals, strict=True)
        if dual > 1e-9
    ]
    held.sort(key=lambda row: -row[2])
    return Optimum(mw, float(weights @ mw), tuple(held), programme.runs)


def _to_make(study: Study, point: Point, mw: Floats, store: dict[Bound, Affine]) -> list[Bound]:
    """Rows that the answer will break and that are not in the programme: the worst outage of each element."""
    assert point.states is not None
    found: list[tuple[float, Bound]] = []
    for number, (model, states) in enumerate(zip(study.models, point.states, strict=True)):
        over = predict(model, states, mw - point.mw)
        seen: set[int] = set()
        for s, r, amount in zip(over.state.tolist(), over.row.tolist(), over.amount.tolist(), strict=True):
            bound = Bound(number, s, r)
            if r not in seen and bound not in store:
                seen.add(r)
                found.append((amount, bound))
    found.sort(key=lambda pair: -pair[0])
    return [bound for _, bound in found[:MOST_NEW]]


def _make(study: Study, point: Point, bounds: Sequence[Bound], store: dict[Bound, Affine]) -> None:
    """Rows with exact slopes, outage by outage."""
    assert point.states is not None
    by_state: dict[tuple[int, int], list[int]] = {}
    for bound in bounds:
        by_state.setdefault((bound.case, bound.state), []).append(bound.row)
    for (case, state), rows in by_state.items():
        model = study.models[case]
        for affine in linearise(model, point.states[case], point.mw, state, np.array(rows)):
            store[Bound(case, state, affine.row)] = affine


def near_rows(study: Study, point: Point, bounds: Sequence[Bound]) -> list[Bound]:
    """Those of some rows that are near to their bounds at a point, each once."""
    return [b for b in dict.fromkeys(bounds) if b.row >= 0 and study.excess(point, b) > -NEAR]
