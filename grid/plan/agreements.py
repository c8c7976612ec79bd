"""Measures that act on injections: curtailment contracts and demand response, as columns of the programme.

Each is agreed or not (0 or 1, ``y``); what is called of it in a point (``c``, MW) is continuous and paid by the MWh.
With ``t`` the hours that a point stands for, ``x`` grid capacity, ``a`` availability, ``E`` a year's energy by MW::

    contract          feeds -c   in firm points:  c <= plant_share . sum a x,   c <= plant_share . (sum a cap) y
                                 at its bus:      sum t c + sum t curtailed <= energy_share_max . sum E x + M (1 - y)
    demand response   feeds +c   c <= power . (load by peak, at most 1) y,      sum t c <= hours_max . power . y

A named case counts no hours of the year, but what is called in it is called in all hours like it: ``Point.call_h``. A
load that responds is called in the worst of these, ``hours_max`` at most. Points in which everybody may be held back
need no contract; what is held back there at the bus counts towards the contract's yearly cap all the same.
"""

from __future__ import annotations

import numpy as np

from grid.plan.contracts import Agreement, Cut, Floats, Ints, PlanProblem
from grid.plan.programme import INF, MILLION, Columns, Rows


class AgreementColumns:
    """Columns ``called`` (agreements, points, stages) of the measures ``row`` (their places in the problem)."""

    def __init__(self, problem: PlanProblem, columns: Columns, weight: Floats) -> None:
        self.problem = problem
        self.row = [m for m, measure in enumerate(problem.measures) if measure.agreement is not None]
        self.terms = [m.agreement for m in problem.measures if m.agreement is not None]
        self.hours = np.array([agreed_hours(problem, a) for a in self.terms]).reshape(-1, len(problem.points))
        self.sign = np.array([a.sign for a in self.terms], dtype=float)
        self.bus = np.array([problem.bus_row[a.bus_id] for a in self.terms], dtype=np.int64)
        self.most = np.array([_most_mw(problem, a) for a in self.terms]).reshape(
            len(self.terms), len(problem.points), len(problem.stages)
        )
        price = np.array([a.cny_per_mwh for a in self.terms]) / MILLION
        lost = problem.settings.objective == "most_energy"
        yearly = self.hours[:, :, None] * weight
        self.called = columns.add(
            self.most.shape,
            self.most,
            price[:, None, None] * yearly,
            quantity=np.where(self.sign[:, None, None] < 0, -yearly, 0.0) if lost else 0.0,
        )

    def add_rows(self, rows: Rows, x: Ints, y: Ints, curtailed: Ints) -> None:
        """What may be called, by power and by energy, and that it is agreed."""
        for i, terms in enumerate(self.terms):
            for s in range(len(self.problem.stages)):
                agreed = int(y[self.row[i], s])
                for h in np.flatnonzero(self.most[i, :, s]).tolist():
                    rows.add(-INF, 0.0, (self.called[i, h, s], agreed), (1.0, -float(self.most[i, h, s])))
                if terms.holds_back:
                    self._contract_year(rows, i, s, x, agreed, curtailed)
                else:
                    cap = terms.hours_max * terms.power_mw
                    if np.isfinite(cap):
                        rows.add(-INF, 0.0, [*self.called[i, :, s], agreed], [*self.hours[i], -cap])
        self._output_rows(rows, x)

    def _contract_year(self, rows: Rows, i: int, s: int, x: Ints, agreed: int, curtailed: Ints) -> None:
        p, terms, bus = self.problem, self.terms[i], int(self.bus[i])
        offers = np.flatnonzero(p.offer_bus == bus)
        weight = np.array([point.weight_h for point in p.points])
        energy = np.array([p.lots[k].energy_mwh_per_mw for k in p.offer_lot[offers]])
        capacity = np.array([p.lots[k].capacity_mw for k in p.offer_lot[offers]])
        most = float(capacity @ (p.availability[p.offer_lot[offers]] @ weight))
        index = [*self.called[i, :, s], *curtailed[bus, :, s], *x[offers, s], agreed]
        value = [*self.hours[i], *weight, *(-terms.energy_share_max * energy), most]
        rows.add(-INF, most, index, value)

    def _output_rows(self, rows: Rows, x: Ints) -> None:
        """No more is held back at a bus than its plants give there and then."""
        p = self.problem
        for bus in sorted({int(b) for b, sign in zip(self.bus, self.sign, strict=True) if sign < 0}):
            mine = [i for i in range(len(self.terms)) if self.bus[i] == bus and self.sign[i] < 0]
            offers = np.flatnonzero(p.offer_bus == bus)
            share = max(self.terms[i].plant_share for i in mine)
            for h in np.flatnonzero(self.most[mine].any(axis=(0, 2))).tolist():
                output = share * p.availability[p.offer_lot[offers], h]
                for s in range(len(p.stages)):
                    rows.add(-INF, 0.0, [*self.called[mine, h, s], *x[offers, s]], [*[1.0] * len(mine), *-output])

    def held_back(self, stage: int) -> tuple[list[int], list[float]]:
        """Columns of contracts and the hours that each stands for: their sum is the energy held back in a year."""
        mine = np.flatnonzero(self.sign < 0)
        return self.called[mine, :, stage].ravel().tolist(), self.hours[mine].ravel().tolist()

    def in_cut(self, cut: Cut, stage: int) -> tuple[list[int], list[float]]:
        """Columns and values of a row of the network."""
        slope = cut.gradient[self.bus] * self.sign
        mine = np.flatnonzero((slope != 0) & (self.most[:, cut.point, stage] > 0))
        return self.called[mine, cut.point, stage].tolist(), slope[mine].tolist()

    def reach(self, cut: Cut, stage: int) -> float:
        """By how much agreements can raise a row."""
        slope = cut.gradient[self.bus] * self.sign
        return float((np.maximum(slope, 0.0) * self.most[:, cut.point, stage]).sum())

    def of_measures(self, columns: Floats) -> Floats:
        """What is called [MW], shape (measures, points, stages); 0 for measures that are no agreements."""
        p = self.problem
        out = np.zeros((len(p.measures), len(p.points), len(p.stages)))
        out[self.row] = np.maximum(columns[self.called], 0.0)
        return out


def agreed_hours(problem: PlanProblem, terms: Agreement) -> Floats:
    """Hours of a year for which something is called where it is called in a point, shape (points,)."""
    return np.array([p.weight_h if p.weight_h > 0 else min(p.call_h, terms.hours_max) for p in problem.points])


def _most_mw(problem: PlanProblem, terms: Agreement) -> Floats:
    """Most that can be called by point and stage [MW]."""
    out = np.zeros((len(problem.points), len(problem.stages)))
    if terms.holds_back:
        offers = np.flatnonzero(problem.offer_bus == problem.bus_row[terms.bus_id])
        capacity = np.array([problem.lots[k].capacity_mw for k in problem.offer_lot[offers]])
        output = capacity @ problem.availability[problem.offer_lot[offers]]
        firm = np.array([not point.curtailable for point in problem.points])
        out[:] = (terms.plant_share * output * firm)[:, None]
        return out
    load = np.array([[p.case.load_share * s.load_factor for s in problem.stages] for p in problem.points])
    return np.asarray(terms.power_mw * np.minimum(load.reshape(out.shape), 1.0), dtype=np.float64)


def agreement_cny(problem: PlanProblem, called_mw: Floats, stage: int) -> Floats:
    """What a year pays by the MWh for each measure in a stage, shape (measures,)."""
    return np.array(
        [
            m.agreement.cny_per_mwh * called_mwh(problem, called_mw, k, stage) if m.agreement else 0.0
            for k, m in enumerate(problem.measures)
        ]
    )


def called_mwh(problem: PlanProblem, called_mw: Floats, measure: int, stage: int) -> float:
    """Energy that a year calls of a measure in a stage [MWh]; 0 where it is no agreement."""
    terms = problem.measures[measure].agreement
    if terms is None or not called_mw.size:
        return 0.0
    return float(agreed_hours(problem, terms) @ called_mw[measure, :, stage])


def held_back_mwh(problem: PlanProblem, called_mw: Floats, stage: int) -> float:
    """Energy of new plants that contracts hold back in a year of a stage [MWh]."""
    return sum(
        called_mwh(problem, called_mw, m, stage)
        for m, measure in enumerate(problem.measures)
        if measure.agreement is not None and measure.agreement.holds_back
    )
