"""Many plants together, best ranked first: how much of each the network takes, verified by AC N-1 in every case.

The walk takes the offers in order. For each, the rows of all outages and cases that it could reach are linearised
at the last verified portfolio (exact AC state, exact Jacobian), and it is given what they leave. After a block of
offers every outage of every case is solved by AC; a block that breaks a limit is taken back and walked again offer
by offer, each cut down until the AC states are clean. So every prefix of the ranking is N-1 secure on its own.

A row that is full would stop every later plant of the network, however small its influence. So plants that are
near to a row (``far_influence_share``, ``far_influence_pu`` of the limits table) leave a part of it
(:data:`FAR_RESERVE_PERCENT`, half a voltage slack) to plants that are far; the limit itself holds for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.admittance import BASE_MVA, Floats, Ints
from grid.connections.headroom import case_share
from grid.contracts import Case
from grid.hosting import EXCESS, first_root
from grid.limits import NO_LIMIT
from grid.sweep import CaseSweep, sensitivity, shift_sweep

Progress = Callable[[str, float], None]

BLOCK_OFFERS = 12
BLOCK_PU = 1.5
"""A block is verified after this many offers, or this injection in any case."""
CAUTION = 0.998
"""Share of the linear room that is given out before the AC check."""
REACH = 1.3
"""Room on the estimate of how far an injection moves a current after an outage."""
PARTIAL_SHARE = 0.1
LEAST_MW = 0.1
"""A part smaller than a tenth of the plant, or than 0.1 MW, is refused."""
CUTS = 4
FAR_RESERVE_PERCENT = 5.0
"""Loading that near plants leave to far ones: with the usual cut-off of 5 % influence, room for 100 times the far
plants' mean influence of 0.05 %. An operating choice of this program (confidence C); no limit depends on it."""


@dataclass(frozen=True)
class Offer:
    """One plant that asks for a place at a bus."""

    id: str
    bus_id: str
    technology: str
    grid_capacity_mw: float


@dataclass(frozen=True)
class Bound:
    """What kept an offer from its full capacity; empty strings where nothing did."""

    case: str = ""
    limit: str = ""
    element: str = ""
    outage: str = ""


@dataclass(frozen=True)
class Portfolio:
    """Answer of a walk: MW taken and bound of each offer, and every case's sweep with all of it connected."""

    accepted_mw: tuple[float, ...]
    bounds: tuple[Bound, ...]
    sweeps: tuple[CaseSweep | None, ...]


@dataclass
class _Pending:
    """Given out since the last verified state of one case."""

    added: Floats
    angle: Floats
    magnitude: Floats
    gain: Floats
    """Bound of the change of each branch's current in the intact network [pu]."""
    total_pu: float = 0.0

    @classmethod
    def none(cls, sweep: CaseSweep) -> _Pending:
        n = sweep.model.n_bus
        shape = (n, sweep.count)
        return cls(np.zeros(n), np.zeros(shape), np.zeros(shape), np.zeros(sweep.model.n_branch))


class _Walk:
    """State of one walk: verified sweeps, and what is pending on top of them."""

    def __init__(self, sweeps: Sequence[CaseSweep | None], cases: Sequence[Case]) -> None:
        self.cases = list(cases)
        self.sweeps = list(sweeps)
        self.pending = [None if s is None else _Pending.none(s) for s in sweeps]
        self.full: dict[tuple[int, int], tuple[int, int]] = {}
        """Row and scenario that last refused an offer at (case, bus): looked at first the next time."""

    def room_mw(self, offer: Offer) -> tuple[float, Bound]:
        """MW of the offer that the linear rows of all cases leave."""
        best, bound = offer.grid_capacity_mw, Bound()
        least = _least_mw(offer)
        for number, (case, sweep, pending) in enumerate(zip(self.cases, self.sweeps, self.pending, strict=True)):
            share = case_share(case, offer.technology)
            if share <= 0:
                continue
            if sweep is None or pending is None:
                return 0.0, Bound(case.id, "base_case")
            bus = sweep.model.bus_index(offer.bus_id)
            if sweep.outages.dead[bus, 0]:
                return 0.0, Bound(case.id, "base_case", offer.bus_id)
            want, enough = best * share / BASE_MVA, least * share / BASE_MVA
            known = self.full.get((number, bus))
            given, row, scenario = (want, -1, -1) if known is None else _row_room(sweep, pending, bus, *known, want)
            if given >= enough:
                given, row, scenario = _linear_room(sweep, pending, bus, want, enough)
            if given < enough and row in range(*sweep.constraint_rows.currents.indices(len(sweep.limits))):
                self.full[number, bus] = row, scenario
            if given < want:
                best = given * BASE_MVA / share
                kind, element = sweep.constraint_rows.name(row, sweep.model)
                if sweep.base_values[row, scenario] > sweep.nominal[row, scenario]:
                    kind = "base_case"
                bound = Bound(case.id, kind, element, sweep.outage_name(scenario))
            if best < least:
                break
        return best, bound

    def give(self, offer: Offer, mw: float) -> None:
        for case, sweep, pending in zip(self.cases, self.sweeps, self.pending, strict=True):
            p = mw * case_share(case, offer.technology) / BASE_MVA
            if p <= 0 or sweep is None or pending is None:
                continue
            bus = sweep.model.bus_index(offer.bus_id)
            d_angle, d_magnitude = sensitivity(sweep, bus, np.arange(sweep.count))
            pending.added[bus] += p
            pending.angle += p * d_angle
            pending.magnitude += p * d_magnitude
            pending.gain += p * _intact_gain(sweep, d_angle, d_magnitude)
            pending.total_pu += p

    @property
    def block_full(self) -> bool:
        return any(p is not None and p.total_pu > BLOCK_PU for p in self.pending)

    def verify(self) -> Bound | None:
        """AC N-1 with all that is pending; None keeps it, a bound takes it back."""
        shifted: list[CaseSweep | None] = []
        for case, sweep, pending in zip(self.cases, self.sweeps, self.pending, strict=True):
            if sweep is None or pending is None or pending.total_pu == 0:
                shifted.append(sweep)
                continue
            there = shift_sweep(sweep, pending.added)
            broken = Bound(case.id, "diverged") if there is None else _broken(there, case)
            if broken is not None:
                self._clear()
                return broken
            shifted.append(there)
        self.sweeps = shifted
        self._clear()
        return None

    def _clear(self) -> None:
        self.pending = [None if s is None else _Pending.none(s) for s in self.sweeps]


def walk(
    sweeps: Sequence[CaseSweep | None],
    cases: Sequence[Case],
    offers: Sequence[Offer],
    progress: Progress | None = None,
) -> Portfolio:
    """Accept offers in their order, as much of each as every case and outage leaves.

    An offer that gets less than a tenth of its capacity (or less than 0.1 MW) gets nothing. Capacities are rounded
    down to 0.01 MW.
    """
    state = _Walk(sweeps, cases)
    accepted, bounds = [0.0] * len(offers), [Bound()] * len(offers)
    block: list[int] = []

    def settle() -> None:
        if not block:
            return
        if state.verify() is not None:
            for j in block:
                accepted[j], bounds[j] = _alone(state, offers[j])
        block.clear()

    for j, offer in enumerate(offers):
        room, bound = state.room_mw(offer)
        mw = _worth(offer, room if not bound.case else CAUTION * room)
        bounds[j] = bound
        if mw > 0:
            state.give(offer, mw)
            accepted[j] = mw
            block.append(j)
        if len(block) >= BLOCK_OFFERS or state.block_full:
            settle()
        if progress and j % 25 == 24:
            progress("portfolio", (j + 1) / len(offers))
    settle()
    return Portfolio(tuple(accepted), tuple(bounds), tuple(state.sweeps))


def _alone(state: _Walk, offer: Offer) -> tuple[float, Bound]:
    """One offer on the verified state, cut down until its AC states are clean."""
    room, bound = state.room_mw(offer)
    factor = CAUTION if bound.case else 1.0
    for _ in range(CUTS):
        mw = _worth(offer, factor * room)
        if mw <= 0:
            break
        state.give(offer, mw)
        broken = state.verify()
        if broken is None:
            return mw, bound
        bound, factor = broken, factor * (0.97 if factor > 0.96 else 0.7)
    return 0.0, bound


def _worth(offer: Offer, mw: float) -> float:
    """What is given: all, a part that is worth building, or nothing."""
    if mw >= offer.grid_capacity_mw:
        return offer.grid_capacity_mw
    part = float(np.floor(mw * 100 + 1e-6) / 100)
    return part if part >= _least_mw(offer) else 0.0


def _least_mw(offer: Offer) -> float:
    return max(LEAST_MW, PARTIAL_SHARE * offer.grid_capacity_mw)


def _broken(sweep: CaseSweep, case: Case) -> Bound | None:
    """The worst broken row of a verified candidate state, in shares of its limit."""
    excess = sweep.base_values - sweep.limits
    if excess.max() <= EXCESS:
        return None
    row, scenario = divmod(int((excess / np.abs(sweep.limits)).argmax()), excess.shape[1])
    kind, element = sweep.constraint_rows.name(row, sweep.model)
    return Bound(case.id, kind, element, sweep.outage_name(scenario))


def _linear_room(sweep: CaseSweep, pending: _Pending, bus: int, want: float, enough: float) -> tuple[float, int, int]:
    """(injection [pu] up to ``want`` that the rows leave, row, scenario that binds); stops early below ``enough``."""
    layout, values, limits = sweep.constraint_rows, sweep.base_values, sweep.limits
    d_angle, d_magnitude = sensitivity(sweep, bus, np.arange(sweep.count))
    best = (want, -1, -1)
    for block, sign in ((layout.high, 1.0), (layout.low, -1.0)):
        now = values[block] + sign * pending.magnitude
        kept = np.where(sign * d_magnitude > sweep.settings.far_influence_pu, sweep.settings.base_slack_pu / 2, 0.0)
        limit = np.where(values[block] > -NO_LIMIT, limits[block] - kept, NO_LIMIT)
        best = _least(_bounded(now, sign * d_magnitude, np.zeros_like(now), limit), block.start, best)
    if best[0] < enough:
        return best
    units = np.flatnonzero(limits[layout.reverse, 0] < NO_LIMIT)
    if len(units):
        room = _reverse_room(sweep, pending, d_angle, d_magnitude, units, np.zeros_like(units))
        at = int(room.argmin())
        if room[at] < best[0]:
            best = (float(room[at]), layout.reverse.start + int(units[at]), 0)
    if best[0] < enough:
        return best
    rows, ks = _within_reach(sweep, pending, d_angle, d_magnitude, best[0])
    return _current_room(sweep, pending, d_angle, d_magnitude, rows, ks, best) if len(rows) else best


def _row_room(
    sweep: CaseSweep, pending: _Pending, bus: int, row: int, scenario: int, want: float
) -> tuple[float, int, int]:
    """The same as :func:`_linear_room` for one current row: an upper bound of the room that costs next to nothing."""
    ks = np.array([scenario])
    d_angle, d_magnitude = sensitivity(sweep, bus, ks)
    return _current_room(sweep, pending, d_angle, d_magnitude, np.array([row]), ks, (want, -1, -1), np.array([0]))


def _intact_gain(sweep: CaseSweep, d_angle: Floats, d_magnitude: Floats) -> Floats:
    """Change of each branch's current in the intact network [pu per pu], the larger end; shape (branches,)."""
    model, v = sweep.model, sweep.outages.voltage[:, 0]
    dv = v * (d_magnitude[:, 0] / np.abs(v) + 1j * d_angle[:, 0])
    at_f = model.yff * dv[model.f] + model.yft * dv[model.t]
    at_t = model.ytf * dv[model.f] + model.ytt * dv[model.t]
    return np.asarray(np.maximum(np.abs(at_f), np.abs(at_t)), dtype=np.float64)


def _within_reach(
    sweep: CaseSweep, pending: _Pending, d_angle: Floats, d_magnitude: Floats, want: float
) -> tuple[Ints, Ints]:
    """Current rows that the injection could bring to their limit.

    The loss of branch k moves at most all of its flow onto another branch, so that the current of l changes by no
    more than its own change plus k's in the intact network (with :data:`REACH` to spare).
    """
    layout = sweep.constraint_rows
    change = REACH * (want * _intact_gain(sweep, d_angle, d_magnitude) + pending.gain) + 1e-3
    branch = sweep.outages.branch
    lost = np.where(branch >= 0, change[np.maximum(branch, 0)], 0.0)
    percent = np.concatenate([sweep.model.percent_f, sweep.model.percent_t])
    reach = percent[:, None] * (np.concatenate([change, change])[:, None] + lost[None, :])
    near = sweep.base_values[layout.currents] + reach > sweep.limits[layout.currents]
    rows, ks = np.nonzero(near)
    return rows, ks


def _least(room: Floats, offset: int, best: tuple[float, int, int]) -> tuple[float, int, int]:
    row, scenario = divmod(int(room.argmin()), room.shape[1])
    found = float(room[row, scenario])
    return (found, offset + row, scenario) if found < best[0] else best


def _bounded(a: Floats, b: Floats, c: Floats, limit: Floats) -> Floats:
    """First root, and 0 where the row is already at its limit and rising."""
    full = (a >= limit) & (b > 0)
    return np.where(full, 0.0, first_root(np.minimum(a, limit), b, c, limit))


def _moved(
    sweep: CaseSweep,
    pending: _Pending,
    d_angle: Floats,
    d_magnitude: Floats,
    bus: Ints,
    ks: Ints,
    columns: Ints | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted voltage at some (bus, scenario) pairs with the pending injections, and its slope.

    ``columns`` says where the slopes of ``ks`` stand, when they are not those of all scenarios.
    """
    at = (bus, ks if columns is None else columns)
    base = sweep.outages.voltage[bus, ks]
    magnitude = np.abs(base) + pending.magnitude[bus, ks]
    unit = np.exp(1j * (np.angle(base) + pending.angle[bus, ks]))
    return magnitude * unit, unit * (d_magnitude[at] + 1j * magnitude * d_angle[at])


def _current_room(
    sweep: CaseSweep,
    pending: _Pending,
    d_angle: Floats,
    d_magnitude: Floats,
    rows: Ints,
    ks: Ints,
    best: tuple[float, int, int],
    columns: Ints | None = None,
) -> tuple[float, int, int]:
    model = sweep.model
    at_t, branch = rows >= model.n_branch, rows % model.n_branch
    vf, dvf = _moved(sweep, pending, d_angle, d_magnitude, model.f[branch], ks, columns)
    vt, dvt = _moved(sweep, pending, d_angle, d_magnitude, model.t[branch], ks, columns)
    to_f = np.where(at_t, model.ytf[branch], model.yff[branch])
    to_t = np.where(at_t, model.ytt[branch], model.yft[branch])
    scale = np.where(at_t, model.percent_t[branch], model.percent_f[branch]) ** 2
    i, di = to_f * vf + to_t * vt, to_f * dvf + to_t * dvt
    limit = np.minimum((sweep.limits[rows, ks] - _kept(sweep, rows, ks, np.abs(di))) ** 2, NO_LIMIT)
    slope = 2 * (i.real * di.real + i.imag * di.imag) * scale
    room = _bounded(np.abs(i) ** 2 * scale, slope, np.abs(di) ** 2 * scale, limit)
    at = int(room.argmin())
    return (float(room[at]), int(rows[at]), int(ks[at])) if room[at] < best[0] else best


def _reverse_room(
    sweep: CaseSweep, pending: _Pending, d_angle: Floats, d_magnitude: Floats, rows: Ints, ks: Ints
) -> Floats:
    model = sweep.model
    vf, dvf = _moved(sweep, pending, d_angle, d_magnitude, model.f[rows], ks)
    vt, dvt = _moved(sweep, pending, d_angle, d_magnitude, model.t[rows], ks)
    i, di = model.yff[rows] * vf + model.yft[rows] * vt, model.yff[rows] * dvf + model.yft[rows] * dvt
    scale = BASE_MVA * 100 / model.rating_mva[rows]
    value, slope = -(vf * np.conj(i)).real * scale, -(dvf * np.conj(i) + vf * np.conj(di)).real * scale
    start = sweep.constraint_rows.reverse.start
    limit = sweep.limits[start + rows, ks] - _kept(sweep, start + rows, ks, np.abs(di))
    return _bounded(value, slope, -(dvf * np.conj(di)).real * scale, limit)


def _kept(sweep: CaseSweep, rows: Ints, ks: Ints, influence: Floats) -> Floats:
    """Loading [%] that a plant of this influence [pu per pu] leaves to far ones.

    On a row that stands at its limit before any plant, only half of the slack can be left.
    """
    near = influence > sweep.settings.far_influence_share
    on_slack = sweep.limits[rows, ks] > sweep.nominal[rows, ks]
    part = np.where(on_slack, sweep.settings.base_slack_percent / 2, FAR_RESERVE_PERCENT)
    return np.where(near, part, 0.0)


def remaining_mw(sweeps: Sequence[CaseSweep | None], bus_id: str, alone_mw: float) -> float:
    """N-1 hosting left at a bus with a portfolio connected: least over the cases [MW injected].

    From the portfolio's AC states of all outages and their Jacobians, without AC solves at the answer (an estimate,
    not certified), and at most ``alone_mw``, what the bus takes with nothing else connected.
    """
    least = alone_mw
    for sweep in sweeps:
        if sweep is None:
            return 0.0
        sweep = replace(sweep, settings=replace(sweep.settings, far_influence_share=np.inf, far_influence_pu=np.inf))
        bus = sweep.model.bus_index(bus_id)
        if sweep.outages.dead[bus, 0] or least <= 0:
            return 0.0
        room, _, _ = _linear_room(sweep, _Pending.none(sweep), bus, least / BASE_MVA, 0.0)
        least = room * BASE_MVA
    return float(np.floor(least * 100 + 1e-6) / 100)
