"""Rows of the network: AC states of every outage at a plan's injections, and tangents where a limit is broken.

In a point the plan injects p [MW by bus]. Every single outage is solved by AC (:mod:`grid.sweep`). A row whose value
v(p*) is beyond its limit becomes a tangent

    v(p*) + g . (p - p*)  <=  limit - margin,        g = dv/dp from the factored Jacobian of that AC state

Currents are convex in the injections as long as voltages move linearly, so that a tangent takes nothing away that is
allowed; what the curvature of the load flow adds is seen by the AC states of the next round. The margin (a quarter of
a per cent of the rating, 0.0002 pu) makes the rounds end on the right side.

A row found with some measures built says less, or nothing, about the network with others: :mod:`grid.plan.influence`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grid.admittance import BASE_MVA, Complexes, GridModel
from grid.hosting import EXCESS
from grid.limits import NO_LIMIT, Rows
from grid.plan.contracts import Bools, Cut, Floats, Ints, PlanProblem
from grid.plan.influence import Influence
from grid.plan.reached import Reached
from grid.plan.relief import loaded_case
from grid.sweep import CaseSweep, build_sweep, sensitivity, shift_sweep

MARGIN_PERCENT = 0.25
MARGIN_PU = 2e-4
"""What a tangent keeps from its limit."""
ROWS_AT_ONCE = 30
"""Rows of one state that become tangents in one round, the worst first."""
OUTAGES_PER_ROW = 2
SMALL_GRADIENT = 1e-3
"""Share of a row's largest gradient below which a bus is left out; the margin covers it."""
HALVINGS = 6
FAR_PERCENT = 5.0
"""Excess from which a state is walked back before it is linearised (0.005 pu for voltages)."""
LEAST_STEP = 0.02
SMALL_BUSES = 120
"""Buses of a network that is counted as small."""
WALKS = 5
"""States asked for on the way back."""
MEMORY_BYTES = 800e6
ROUNDING_MW = 1e-4
"""What HiGHS's tolerance may leave in a column that a row holds at zero."""
NEAR_STATES = 2
"""States kept by network and point, one for each of two stages: the next one asked for is near one of them."""

Config = frozenset[str]


class NetworkBook:
    """Sweeps of the networks that the plan meets, made when first asked for; the least used are forgotten."""

    def __init__(self, problem: PlanProblem) -> None:
        self.problem = problem
        self._sweeps: OrderedDict[tuple[Config, str, float], CaseSweep | None] = OrderedDict()
        self._bytes = 0.0
        self.influence = Influence(problem, self.reach)
        self._near: dict[tuple[Config, str, float], list[Reached]] = {}
        self.states_checked = 0
        self.effort = 0.0
        """The same in states of a network of :data:`SMALL_BUSES`: what one takes grows with the square of the buses."""

    def take_over(self, other: NetworkBook) -> None:
        """Take the sweeps of another book whose points are the same."""
        self._sweeps, self._bytes = other._sweeps, other._bytes
        self.states_checked, self.effort = other.states_checked, other.effort

    def of(self, problem: PlanProblem) -> NetworkBook:
        """A book of a problem with the same points and measures, which knows what this one knows."""
        book = NetworkBook(problem)
        book.take_over(self)
        book.influence.take_over(self.influence)
        if problem.buses == self.problem.buses:
            book._near = self._near
        return book

    def keep_near(self, configs: Sequence[Config]) -> None:
        """Forget the states reached in networks other than these."""
        self._near = {key: states for key, states in self._near.items() if key[0] in configs}

    def sweep(self, config: Config, point: int, load_factor: float) -> CaseSweep | None:
        """Base states of a point without any new plant; None where the point itself has no solution."""
        key = (config, self.problem.points[point].id, load_factor)
        if key in self._sweeps:
            self._sweeps.move_to_end(key)
            return self._sweeps[key]
        case = loaded_case(self.problem.points[point].case, load_factor)
        made = build_sweep(self.problem.build(config, case), case, self.problem.limits)
        self._sweeps[key] = made
        self._bytes += _bytes_of(made)
        while self._bytes > MEMORY_BYTES and len(self._sweeps) > 1:
            _, oldest = self._sweeps.popitem(last=False)
            self._bytes -= _bytes_of(oldest)
        return made

    def reach(self, config: Config, point: int, load_factor: float, injections_mw: Floats) -> Reached | None:
        """AC states at the injections, or as far towards them as every outage has a solution; None without a base."""
        base = self.sweep(config, point, load_factor)
        if base is None:
            return None
        self.states_checked += base.count
        self.effort += base.count * max(1.0, (base.model.n_bus / SMALL_BUSES) ** 2)
        added = injections_of_model(base, self.problem.buses, injections_mw) / BASE_MVA
        whole = self._from_near(base, (config, self.problem.points[point].id, load_factor), injections_mw, added)
        if whole is not None:
            return whole
        here, share, step = base, 0.0, 0.5
        for _ in range(HALVINGS):
            there = shift_sweep(here, added * step)
            if there is None:
                step /= 2
                continue
            here, share = there, share + step
            if share > 1 - 1e-9:
                break
            step = min(step, 1 - share)
        return Reached(here, injections_mw * share, share)

    def _from_near(
        self, base: CaseSweep, key: tuple[Config, str, float], injections_mw: Floats, added: Floats
    ) -> Reached | None:
        """The state at the injections, from the nearest state reached before (a step of a few MW instead of all of
        them); without one, or where that fails, from the empty plan."""
        states = self._near.setdefault(key, [])
        states.sort(key=lambda one: float(np.abs(one.injections_mw - injections_mw).sum()))
        for start in (*states[:1], None):
            if start is None:
                sweep = shift_sweep(base, added)
            else:
                before = injections_of_model(base, self.problem.buses, start.injections_mw) / BASE_MVA
                sweep = shift_sweep(start.sweep, added - before)
            if sweep is not None:
                reached = Reached(sweep, injections_mw, 1.0)
                self._near[key] = [reached, *states][:NEAR_STATES]
                return reached
        return None

    def cuts(self, config: Config, point: int, load_factor: float, reached: Reached) -> list[Cut]:
        """Tangents of the worst broken rows of a state; none where no limit is broken.

        Far beyond the limits the load flow bends, and a tangent there would take away what is allowed. So the state is
        walked back on the ray from the empty plan until its worst row is about at its limit; those of the
        tangents there that forbid the state that was reached are taken; what they leave open, later rounds see.
        """
        rows, ks = _worst(reached)
        if not len(rows):
            return []
        back = self._walked_back(config, point, load_factor, reached)
        if back is not None:
            own_rows, own_ks = _worst(back)
            both = np.unique(np.column_stack([np.r_[own_rows, rows], np.r_[own_ks, ks]]), axis=0)
            near = self._tangents(config, point, load_factor, back, both[:, 0], both[:, 1])
            forbidding = [cut for cut in near if float(cut.gradient @ reached.injections_mw) > cut.limit]
            if forbidding:
                return forbidding
        return self._tangents(config, point, load_factor, reached, rows, ks)

    def _walked_back(self, config: Config, point: int, load_factor: float, reached: Reached) -> Reached | None:
        """The state on the ray from zero at which the worst row is about at its limit; None where it is near.

        Loadings fall before they rise where a flow turns, so that one straight line does not find the place: the ray is
        halved by straight lines between a state that keeps every limit and one that does not.
        """
        base = self.sweep(config, point, load_factor)
        assert base is not None
        whole = _scaled_excess(reached)
        if whole.max() <= FAR_PERCENT and reached.share == 1.0:
            return None
        low, high = (0.0, _scaled_excess(Reached(base, reached.injections_mw * 0.0, 1.0))), (1.0, whole)
        found = None
        for _ in range(WALKS):
            part = float(np.clip(_crossing(*low, *high), low[0] + LEAST_STEP * (high[0] - low[0]), high[0]))
            state = self.reach(config, point, load_factor, reached.injections_mw * part)
            if state is None or state.share < 1:
                break
            excess = _scaled_excess(state)
            if excess.max() > 0:
                found, high = state, (part, excess)
                if excess.max() <= FAR_PERCENT:
                    break
            else:
                low = part, excess
        return found

    def _tangents(
        self, config: Config, point: int, load_factor: float, reached: Reached, rows: Ints, ks: Ints
    ) -> list[Cut]:
        """Tangents of some rows at a state; a row that no bus of the problem moves gives none."""
        sweep, layout = reached.sweep, reached.sweep.constraint_rows
        known = np.array([bus in sweep.model.bus_ids for bus in self.problem.buses])
        at = np.array([sweep.model.bus_index(b) for b in np.array(self.problem.buses)[known]], dtype=np.int64)
        gradients = np.zeros((len(rows), len(known)))
        gradients[:, known] = row_gradients(sweep, rows, ks, at) / BASE_MVA
        cuts = []
        for gradient, row, k in zip(gradients, rows.tolist(), ks.tolist(), strict=True):
            largest = np.abs(gradient).max()
            if largest < 1e-9:
                continue
            gradient = np.where(np.abs(gradient) < SMALL_GRADIENT * largest, 0.0, gradient)
            kind, element = layout.name(row, sweep.model)
            outage, nominal = sweep.outage_name(k), float(sweep.limits[row, k])
            margin = MARGIN_PU if kind.startswith("voltage") else MARGIN_PERCENT
            limit = nominal - float(sweep.base_values[row, k]) - margin + float(gradient @ reached.injections_mw)
            cuts.append(Cut(point, load_factor, kind, element, outage, gradient, limit, nominal, config=config))
        return self.with_needs(cuts)

    def with_needs(self, cuts: Sequence[Cut]) -> list[Cut]:
        """Cuts with the measures that they depend on."""
        return [replace(cut, needs=self.influence.needs(cut)) for cut in cuts]


def row_gradients(sweep: CaseSweep, rows: Ints, ks: Ints, buses: Ints) -> Floats:
    """Slope of some (row, scenario) values by a new plant at each bus [row unit per pu], shape (rows, buses)."""
    model, layout = sweep.model, sweep.constraint_rows
    scenarios, place = np.unique(ks, return_inverse=True)
    voltage = sweep.outages.voltage[:, scenarios]
    result = np.zeros((len(rows), len(buses)))
    for column, bus in enumerate(buses.tolist()):
        d_angle, d_magnitude = sensitivity(sweep, bus, scenarios)
        dv = voltage * (d_magnitude / np.abs(voltage) + 1j * d_angle)
        result[:, column] = _slopes(model, layout, rows, place, voltage, dv, d_magnitude)
    return result


def _slopes(
    model: GridModel, layout: Rows, rows: Ints, place: Ints, voltage: Complexes, dv: Complexes, d_magnitude: Floats
) -> Floats:
    nb = model.n_branch
    slope = np.zeros(len(rows))
    current, reverse = rows < 2 * nb, rows >= layout.reverse.start
    high = (rows >= layout.high.start) & (rows < layout.high.stop)
    low = (rows >= layout.low.start) & (rows < layout.low.stop)
    slope[high] = d_magnitude[rows[high] - layout.high.start, place[high]]
    slope[low] = -d_magnitude[rows[low] - layout.low.start, place[low]]
    for mask in (current, reverse):
        if not mask.any():
            continue
        at_t = (rows >= nb) & current
        branch = np.where(reverse, rows - layout.reverse.start, rows % nb)[mask]
        t_end = at_t[mask]
        near = np.where(t_end, model.t[branch], model.f[branch])
        far = np.where(t_end, model.f[branch], model.t[branch])
        own = np.where(t_end, model.ytt[branch], model.yff[branch])
        cross = np.where(t_end, model.ytf[branch], model.yft[branch])
        k = place[mask]
        i = own * voltage[near, k] + cross * voltage[far, k]
        di = own * dv[near, k] + cross * dv[far, k]
        if mask is current:
            percent = np.where(t_end, model.percent_t[branch], model.percent_f[branch])
            slope[mask] = (np.conj(i) * di).real / np.maximum(np.abs(i), 1e-12) * percent
        else:
            v, d = voltage[near, k], dv[near, k]
            slope[mask] = -(d * np.conj(i) + v * np.conj(di)).real * 100 * BASE_MVA / model.rating_mva[branch]
    return slope


def broken(reached: Reached) -> Bools:
    """Rows beyond their limits, shape (rows, scenarios)."""
    return np.asarray(reached.excess > EXCESS, dtype=bool)


def _worst(reached: Reached) -> tuple[Ints, Ints]:
    """(row, scenario) of the worst broken rows; a few outages each."""
    excess, scale = reached.excess, _row_scale(reached)
    relative = np.where(broken(reached), excess * scale[:, None], -NO_LIMIT)
    worst = relative.max(axis=1)
    chosen = np.argsort(-worst, kind="stable")[:ROWS_AT_ONCE]
    chosen = chosen[worst[chosen] > -NO_LIMIT]
    rows, ks = [], []
    for row in chosen.tolist():
        for k in np.argsort(-relative[row], kind="stable")[:OUTAGES_PER_ROW].tolist():
            if relative[row, k] > -NO_LIMIT:
                rows.append(row)
                ks.append(k)
    return np.array(rows, dtype=np.int64), np.array(ks, dtype=np.int64)


def _scaled_excess(reached: Reached) -> Floats:
    """Values beyond their limits in one unit (per cent), shape (rows, scenarios)."""
    return reached.excess * _row_scale(reached)[:, None]


def _crossing(low: float, inside: Floats, high: float, outside: Floats) -> float:
    """Where on a ray the first row that is broken at ``high`` meets its limit, by straight lines from ``low``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(outside > 0, -inside / (outside - inside), 1.0)
    return low + (high - low) * float(np.clip(part.min(), 0.0, 1.0))


def _row_scale(reached: Reached) -> Floats:
    """What makes rows comparable: 0.001 pu counts like one per cent."""
    layout = reached.sweep.constraint_rows
    scale = np.ones(layout.count)
    scale[layout.high] = scale[layout.low] = 1000.0
    return scale


def injections_of_model(sweep: CaseSweep, buses: Sequence[str], injections_mw: Floats) -> Floats:
    """The injections in the model's order of buses; a bus that the network does not have must carry nothing.

    Raises
    ------
    ValueError
        If such a bus, that of a station which is not built, carries more than the programme's rounding.
    """
    out, known = np.zeros(sweep.model.n_bus), set(sweep.model.bus_ids)
    for bus, mw in zip(buses, injections_mw.tolist(), strict=True):
        if mw and (bus in known or abs(mw) > ROUNDING_MW):
            out[sweep.model.bus_index(bus)] += mw
    return out


def _bytes_of(sweep: CaseSweep | None) -> float:
    if sweep is None:
        return 0.0
    matrix = (2 * sweep.model.n_bus + 1) ** 2 * 8 + sweep.count * (2 * sweep.model.n_bus + 1) * 4 * 8
    return float(3 * sweep.base_values.nbytes + 2 * sweep.outages.voltage.nbytes + 2 * matrix)
