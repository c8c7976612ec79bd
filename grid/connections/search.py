"""Search for a good joint choice: what the relaxed problem leaves open, then one neighbourhood after the other.

1. The relaxed problem (linear) gives the bound, and the options of most candidates: these are fixed for the first
   round, the others are chosen among the options that the relaxed problem uses or that are their cheapest.
2. Neighbourhoods are the :data:`NEAR` sites around a place, all that stands nearer, and the collectors there: they are
   chosen anew among all their options, everything else fixed. First around candidates that found no place (then in a
   wider circle), then on two lattices of :data:`LATTICE_KM`, one shifted by half a cell. No round makes it dearer.

Rounds end by gap or number of nodes, never by the clock: any machine gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

NEAR = 60
WIDER = (60, 96)
LATTICE_KM = 40.0
KEPT_FIRST = 2
"""Cheapest options of an open candidate in the first round."""
FIRST_NODES, FIRST_GAP = 1, 0.01
MOST_NODES, NEAR_GAP = 20, 0.0005
LEAST_USE = 1e-4
NEARLY_ONE = 1 - 1e-6

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class JointModel:
    """The joint choice as a mixed-integer problem ``min cost x, constraint, 0 <= x <= high``.

    Columns: options (x), variants of collectors (y), candidates left out (u), missing transformer MW (t).
    ``whole`` is 1 for binary columns. ``owner`` is the candidate of each option, ``rank`` its place by cost among the
    own connections of its candidate (from 1), ``grouped`` whether it needs a collector, ``option_collector`` and
    ``variant_collector`` number the collectors (-1: none). Places in km east and north; roofs do not count as
    neighbours, since they are many and take no bays.
    """

    cost: Floats
    constraint: LinearConstraint
    high: Floats
    whole: Floats
    owner: Ints
    rank: Floats
    grouped: Bools
    option_collector: Ints
    variant_collector: Ints
    candidate_km: Floats
    variant_km: Floats
    roof: Bools

    @property
    def left_out(self) -> slice:
        """Columns of the candidates that are left out."""
        start = len(self.owner) + len(self.variant_collector)
        return slice(start, start + len(self.roof))

    def solve(self, low: Floats, high: Floats, nodes: int, gap: float) -> Floats | None:
        """A solution within the bounds, None where HiGHS found none within so many nodes."""
        options = {"mip_rel_gap": gap, "node_limit": nodes}
        found = milp(
            self.cost, constraints=self.constraint, bounds=Bounds(low, high), integrality=self.whole, options=options
        )
        return None if found.x is None else np.where(self.whole > 0, np.round(found.x), found.x)


def relaxed(model: JointModel) -> tuple[Floats, float]:
    """Solution and cost of the relaxed problem.

    Raises
    ------
    RuntimeError
        If HiGHS ends without an answer.
    """
    found = milp(model.cost, constraints=model.constraint, bounds=Bounds(np.zeros(len(model.cost)), model.high))
    if found.x is None:
        raise RuntimeError(f"joint choice of connections: {found.message}")
    return found.x, float(found.fun)


def search(model: JointModel, start: Floats) -> Floats:
    """A joint choice near the relaxed problem's solution ``start``."""
    best = _first(model, start)
    used = np.isin(model.variant_collector, model.variant_collector[_variants(model, start) > LEAST_USE])
    for near in WIDER:
        for candidate in np.flatnonzero(best[model.left_out] > 0.5):
            if best[model.left_out][candidate] > 0.5:
                best = _improved(model, best, model.candidate_km[candidate], near, used)
    for place in _lattice(model):
        best = _improved(model, best, place, NEAR, used)
    return best


def _variants(model: JointModel, x: Floats) -> Floats:
    first = len(model.owner)
    return x[first : first + len(model.variant_collector)]


def _first(model: JointModel, start: Floats) -> Floats:
    """What the relaxed problem decides stays; the others choose among few options."""
    n_x = len(model.owner)
    decided = np.zeros(len(model.roof), dtype=bool)
    decided[model.owner[start[:n_x] > NEARLY_ONE]] = True
    open_option = (start[:n_x] > LEAST_USE) | (~model.grouped & (model.rank <= KEPT_FIRST))
    keep = np.where(decided[model.owner], start[:n_x] > NEARLY_ONE, open_option)
    # members whose collector is not taken up by the relaxed problem have nothing to join in this round
    y = _variants(model, start)
    used = np.isin(model.variant_collector, model.variant_collector[y > LEAST_USE])
    keep |= np.isin(model.option_collector, model.variant_collector[used]) & ~decided[model.owner]
    high = model.high.copy()
    high[:n_x] *= keep
    high[n_x : n_x + len(used)] *= used
    found = model.solve(np.zeros(len(high)), high, FIRST_NODES, FIRST_GAP)
    return _nobody(model) if found is None else found


def _nobody(model: JointModel) -> Floats:
    """Everybody left out: always allowed."""
    x = np.zeros(len(model.cost))
    x[model.left_out] = 1.0
    return x


def _improved(model: JointModel, best: Floats, place: Floats, near: int, used: Bools) -> Floats:
    """The choice with a neighbourhood chosen anew, if that is cheaper."""
    away = np.hypot(*(model.candidate_km - place).T)
    sites = np.sort(away[~model.roof] if (~model.roof).any() else away)
    radius = sites[min(near, len(sites)) - 1]
    n_x, n_y = len(model.owner), len(model.variant_collector)
    free = np.zeros(len(best), dtype=bool)
    free[:n_x] = (away <= radius)[model.owner]
    free[n_x : n_x + n_y] = (np.hypot(*(model.variant_km - place).T) <= radius) & used
    free[n_x + n_y :] = True
    low, high = np.where(free, 0.0, best), np.where(free, model.high, best)
    found = model.solve(low, high, MOST_NODES, NEAR_GAP)
    if found is None or float(model.cost @ found) >= float(model.cost @ best) - 1e-9:
        return best
    return found


def _lattice(model: JointModel) -> Iterator[Floats]:
    """Middles of the cells that hold sites, of a lattice and of the same one shifted by half a cell."""
    km = model.candidate_km[~model.roof] if (~model.roof).any() else model.candidate_km
    for shift in (0.0, LATTICE_KM / 2):
        cells = np.unique(np.floor((km - km.min(axis=0) + shift) / LATTICE_KM), axis=0)
        yield from (cells + 0.5) * LATTICE_KM - shift + km.min(axis=0)
