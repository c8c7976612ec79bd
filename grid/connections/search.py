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

import highspy
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from grid.plan.programme import Columns, Rows, highs_of, quiet_highs

NEAR = 60
WIDER = (60, 96)
LATTICE_KM = 40.0
KEPT_FIRST = 2
"""Cheapest options of an open candidate in the first round."""
FIRST_NODES, FIRST_GAP = 20, 0.0005
MOST_NODES, NEAR_GAP = 20, 0.0005
LEAST_USE = 1e-4
FEW_HEURISTICS = (
    ("mip_heuristic_effort", 0.0),
    ("mip_heuristic_run_rins", False),
    ("mip_heuristic_run_root_reduced_cost", False),
    ("mip_heuristic_run_feasibility_jump", False),
    ("mip_allow_restart", False),
    ("mip_pscost_minreliable", 1),
)
"""HiGHS spends most of its time on problems within the problem; the neighbourhoods are that already."""
NEARLY_ONE = 1 - 1e-6

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class JointModel:
    """The joint choice as a mixed-integer problem ``min cost x, row_low <= matrix x <= row_high, 0 <= x <= high``.

    Columns: options (x), variants of collectors (y), candidates left out (u), missing transformer MW (t), injections.
    ``whole`` tells binary columns. ``owner`` is the candidate of each option, ``rank`` its place by cost among the
    own connections of its candidate (from 1), ``grouped`` whether it needs a collector, ``option_collector`` and
    ``variant_collector`` number the collectors (-1: none). Places in km east and north; roofs do not count as
    neighbours, since they are many and take no bays.
    """

    cost: Floats
    matrix: sp.csc_array
    row_low: Floats
    row_high: Floats
    high: Floats
    whole: Bools
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

    def chosen_anew(
        self, free: Bools, high: Floats, fixed: Floats, nodes: int, gap: float, whole: Bools | None = None
    ) -> Floats | None:
        """A solution in which only the free columns move, None where HiGHS found none within so many nodes.

        Only these columns and the rows that they touch go to HiGHS. ``gap`` is a share of the whole cost. ``whole``
        are the columns that must be whole; where None all binary ones, and ``fixed`` is the first solution.
        """
        binary = self.whole if whole is None else whole
        at = np.flatnonzero(free)
        stay = np.where(free, 0.0, fixed)
        part = self.matrix[:, at]
        rows = np.unique(part.indices)
        given = self.matrix @ stay
        part = sp.csc_array(part.tocsr()[rows])
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(at), len(rows)
        lp.col_lower_, lp.col_upper_, lp.col_cost_ = np.zeros(len(at)), high[at], self.cost[at]
        lp.row_lower_, lp.row_upper_ = self.row_low[rows] - given[rows], self.row_high[rows] - given[rows]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = part.indptr.astype(np.int32)
        lp.a_matrix_.index_ = part.indices.astype(np.int32)
        lp.a_matrix_.value_ = part.data
        lp.offset_ = float(self.cost @ stay)
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(w)] for w in binary[at]]
        highs = quiet_highs()
        highs.setOptionValue("mip_max_nodes", nodes)
        highs.setOptionValue("mip_rel_gap", gap)
        for option, value in FEW_HEURISTICS:
            highs.setOptionValue(option, value)
        highs.passModel(lp)
        if whole is None:
            first = highspy.HighsSolution()
            first.col_value = fixed[at].tolist()
            highs.setSolution(first)
        highs.run()
        if highs.getInfo().primal_solution_status != int(highspy.SolutionStatus.kSolutionStatusFeasible):
            return None
        found = np.array(highs.getSolution().col_value)
        stay[at] = np.where(binary[at], np.round(found), found)
        return stay


class Relaxed:
    """The relaxed problem: each time from where the last one ended, with the rows that have come since."""

    def __init__(self, columns: Columns, rows: Rows) -> None:
        self._highs, self._rows = highs_of(columns, rows, np.array(columns.cost)), rows
        self._known = len(rows.lower)

    def solve(self) -> tuple[Floats, float]:
        """Solution and cost.

        Raises
        ------
        RuntimeError
            If HiGHS ends without an answer.
        """
        if len(self._rows.lower) > self._known:
            self._rows.since(self._known).add_to(self._highs)
            self._known = len(self._rows.lower)
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"joint choice of connections: {self._highs.getModelStatus()}")
        return np.array(self._highs.getSolution().col_value), float(self._highs.getInfo().objective_function_value)


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
    """What the relaxed problem decides stays; the others choose among few options, one cell of the lattice after the
    other, while the cells still to come are relaxed: so that bays and collectors are left for them."""
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
    best, free = np.zeros(len(high)), high > 0
    cell_of = _cells(model)
    for cell in np.unique(cell_of[cell_of >= 0]):
        here = cell_of == cell
        found = model.chosen_anew(free, high, best, FIRST_NODES, FIRST_GAP, model.whole & here)
        if found is None:
            return _nobody(model)
        best, free = found, free & ~here
    return best


def _cells(model: JointModel) -> Ints:
    """Number of the lattice's cell in which each column's candidate or collector stands; -1: in none."""
    places = np.concatenate([model.candidate_km[model.owner], model.variant_km, model.candidate_km])
    south_west = model.candidate_km.min(axis=0)
    at = np.maximum(np.floor((places - south_west) / LATTICE_KM), 0).astype(np.int64)
    cells = np.full(len(model.cost), -1, dtype=np.int64)
    cells[: len(places)] = at[:, 0] * (at[:, 1].max() + 1) + at[:, 1]
    return cells


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
    free[model.left_out] = away <= radius
    free[model.left_out.stop :] = True
    found = model.chosen_anew(free, model.high, best, MOST_NODES, NEAR_GAP)
    if found is None or float(model.cost @ found) >= float(model.cost @ best) - 1e-9:
        return best
    return found


def _lattice(model: JointModel) -> Iterator[Floats]:
    """Middles of the cells that hold sites, of a lattice and of the same one shifted by half a cell."""
    km = model.candidate_km[~model.roof] if (~model.roof).any() else model.candidate_km
    for shift in (0.0, LATTICE_KM / 2):
        cells = np.unique(np.floor((km - km.min(axis=0) + shift) / LATTICE_KM), axis=0)
        yield from (cells + 0.5) * LATTICE_KM - shift + km.min(axis=0)
