"""All outages of one case at once: batched AC states with one factored Jacobian per generator mode.

The unknowns of every state are all angles, all magnitudes and the slack power. Loss of a branch changes four rows
of the Jacobian in four columns, so that its inverse follows from the base case's by a 4 x 4 solve (Woodbury)::

    J_k = J + E_k D_k            E_k picks the rows P_f, P_t, Q_f, Q_t;  D_k acts on th_f, th_t, V_f, V_t
    J_k^-1 r = y - W_k y[cols]   y = J^-1 r,  W_k = J^-1 E_k (I + D_k J^-1 E_k)^-1 D_k

and one matrix product serves all outages. Newton runs with this fixed Jacobian (a chord) on the exact AC
mismatch, so the answers are AC answers; what does not converge is tried again with the engine's own Newton.

A bridge's loss is treated as *split* without leaving the batch: the side that keeps an infeed no longer sees the
branch, the lost side still sees the kept side's voltage and so stays solvable, and is masked from every check.

Reactive limits of generators hold in every state: a set of buses that stand at a limit is a *mode* with its own
inverse, made when a state first needs it; a converged state whose generators leave their range (or need no longer
stand at its end) is solved again in the mode it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grid.admittance import BASE_MVA, Bools, Complexes, Floats, GridModel, Ints, OperatingPoint
from grid.contracts import Case, Network, Status
from grid.engine import Engine, Solution, parts
from grid.limits import LimitSettings, Rows, effective_limits, nominal_limits, row_values, rows_of

CHORD_TOLERANCE_PU = 1e-6
"""Largest mismatch of a converged batch state: 1e-6 pu = 0.0001 MVA."""
CHORD_ITERATIONS = 25
HOPELESS_PU = 1e4
REFACTOR_PU = 4.0
"""Change of injections after which a shifted base gets Jacobians of its own."""
REACTIVE_ROUNDS = 8
REACTIVE_ROOM_MVAR = 1e-3
SET_POINT_ROOM_PU = 1e-6
ENOUGH_FAILURES = 3
"""States without a solution after which a batch is not searched for more: one is enough to end a climb."""


ModeKey = tuple[tuple[tuple[int, float], ...], tuple[int, ...]]
"""((bus, reactive output in Mvar) of generators at a limit), (buses whose angle is held besides the reference)."""


@dataclass(frozen=True)
class Mode:
    """What states with the same holders of voltage and angle share."""

    key: ModeKey
    free_voltage: Bools
    fixed_angle: Ints
    """Buses with held angle and free active power besides the reference: infeeds of other parts, cut-off buses."""
    inverse: Floats
    """Inverse Jacobian, shape (2 n + 1, 2 n + 1)."""
    weight: Floats
    injected_pu: Complexes
    """Specified injections, shape (buses,)."""
    correction: Floats
    """W_k of every scenario, shape (scenarios, 2 n + 1, 4)."""


@dataclass(frozen=True)
class Outages:
    """Scenario 0 is the intact network; then every branch whose outage has a solution, in branch order.

    Of branches that are alike in ends, admittances and rating only the first is here: the loss of any other gives
    the same state with the names exchanged.
    """

    branch: Ints
    voltage: Complexes
    """Base states, shape (buses, scenarios)."""
    dead: Bools
    """Cut-off buses, shape (buses, scenarios)."""
    rows: Ints
    """Changed Jacobian rows P_f, P_t, Q_f, Q_t, which are also the columns th_f, th_t, V_f, V_t; (scenarios, 4)."""
    sees: Floats
    """1 where the f side and the t side no longer see the branch, shape (scenarios, 2)."""


class Batch:
    """The outages of one case and the modes met so far, made on demand; the order of making changes no result."""

    def __init__(
        self,
        engine: Engine,
        outages: Outages,
        base_keys: list[ModeKey],
        unit_power: complex,
        added_pu: Floats | None = None,
    ) -> None:
        self.engine = engine
        self.unit_power = unit_power
        """Complex power of a new plant per unit of active power."""
        self.outages = outages
        self.base_keys = base_keys
        self.added_pu = np.zeros(engine.model.n_bus) if added_pu is None else added_pu
        """New active injections that belong to the base states, shape (buses,)."""
        self.factored_pu = self.added_pu
        """The injections at which the Jacobians were made."""
        self._made: dict[ModeKey, Mode] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_made": {}}

    def mode(self, key: ModeKey) -> Mode:
        if key not in self._made:
            self._made[key] = _build_mode(self.engine, self.outages, key)
        return self._made[key]

    def settled(self, voltage: Complexes, keys: list[ModeKey], keep: Ints) -> Batch:
        """The same batch with solved base states, reduced to the scenarios ``keep``."""
        old = self.outages
        outages = Outages(old.branch[keep], voltage[:, keep], old.dead[:, keep], old.rows[keep], old.sees[keep])
        batch = Batch(self.engine, outages, [keys[k] for k in keep], self.unit_power, self.added_pu)
        if len(keep) == len(old.branch):
            batch._made = self._made
        return batch


@dataclass(frozen=True)
class CaseSweep:
    """One case, ready for batched studies: base states, factored Jacobians and limits of every outage.

    ``diverged`` names the outages without a solution before anything is added: they are insecure, cannot be
    swept, and forbid a certificate. ``base_values``, ``nominal`` and ``limits`` have the shape (rows, scenarios).
    """

    batch: Batch
    settings: LimitSettings
    base_values: Floats
    nominal: Floats
    limits: Floats
    diverged: tuple[str, ...]

    @property
    def engine(self) -> Engine:
        return self.batch.engine

    @property
    def outages(self) -> Outages:
        return self.batch.outages

    @property
    def model(self) -> GridModel:
        return self.batch.engine.model

    @property
    def constraint_rows(self) -> Rows:
        return rows_of(self.model)

    @property
    def count(self) -> int:
        return len(self.outages.branch)

    def outage_name(self, scenario: int) -> str:
        branch = int(self.outages.branch[scenario])
        return "" if branch < 0 else self.model.element_ids[branch]


def build_sweep(network: Network, case: Case, settings: LimitSettings) -> CaseSweep | None:
    """Solve the case and each of its outages and factor what the batch needs.

    Outages are solved in the batch from the intact network's state; what does not converge there is tried by the
    engine. Returns None where the case itself has no solution.
    """
    engine = Engine(network, case)
    model = engine.model
    base = engine.solve()
    if base.status is Status.DIVERGED:
        return None
    start = _unsolved(engine, base, settings.plant_power)
    every = np.arange(len(start.outages.branch))
    first = start.outages.voltage
    voltage, done, keys = _solve(start, np.zeros((model.n_bus, len(every))), every, np.angle(first), np.abs(first))
    for k in np.flatnonzero(~done).tolist():
        state = engine.solve(outage=model.element_ids[start.outages.branch[k]], start=base.voltage)
        if state.status is not Status.DIVERGED:
            done[k] = True
            voltage[:, k] = np.where(np.isnan(state.vm_pu), first[:, k], state.voltage)
            keys[k] = (_stuck(model, state), keys[k][1])
    failed = start.outages.branch[~done]
    diverged = tuple(e for e, first in zip(model.element_ids, _alike(model), strict=True) if first in failed)
    batch = start.settled(voltage, keys, np.flatnonzero(done))
    outages = batch.outages
    values = row_values(model, outages.voltage, outages.branch, outages.dead)
    nominal = np.repeat(nominal_limits(model, settings, after_outage=True)[:, None], len(outages.branch), axis=1)
    nominal[:, 0] = nominal_limits(model, settings, after_outage=False)
    limits = effective_limits(nominal, values, rows_of(model), settings)
    return CaseSweep(batch, settings, values, nominal, limits, diverged)


def shift_sweep(sweep: CaseSweep, added_pu: Floats) -> CaseSweep | None:
    """The same case with more injections in its base: states and Jacobians there, limits as they were.

    ``added_pu`` (buses,) comes on top of what the sweep already holds. None where a state has no solution.
    """
    old = sweep.batch
    every = np.arange(sweep.count)
    base, added = old.outages.voltage, np.repeat(added_pu[:, None], sweep.count, axis=1)
    voltage, done, keys = _solve(old, added, every, np.angle(base), np.abs(base))
    if not done.all():
        return None
    outages = replace(old.outages, voltage=voltage)
    batch = Batch(old.engine, outages, keys, old.unit_power, old.added_pu + added_pu)
    if np.abs(batch.added_pu - old.factored_pu).sum() < REFACTOR_PU:
        batch.factored_pu, batch._made = old.factored_pu, old._made
    values = row_values(sweep.model, voltage, outages.branch, outages.dead)
    return replace(sweep, batch=batch, base_values=values)


def _unsolved(engine: Engine, base: Solution, unit_power: complex) -> Batch:
    """Every single outage with the intact network's state as its start; bridges with what they cut off."""
    model, point = engine.model, engine.point
    branch = np.concatenate([[-1], np.unique(_alike(model))]).astype(np.int64)
    n, count = model.n_bus, len(branch)
    cut_off = np.isnan(base.vm_pu)
    dead = np.repeat(cut_off[:, None], count, axis=1)
    sees = np.ones((count, 2))
    sees[0] = 0.0
    stuck = _stuck(model, base)
    keys: list[ModeKey] = [(stuck, _other_parts(model, point, -1))] * count
    for bridge in engine.bridges:
        k = int(np.searchsorted(branch, bridge))
        label = parts(model, np.arange(model.n_branch) != bridge)
        dead[:, k] = ~np.isin(label, label[point.infeed])
        ends = np.array([model.f[bridge], model.t[bridge]])
        sees[k] = ~(dead[ends, k] & ~cut_off[ends])
        lost = {int(i) for i in np.flatnonzero(dead[:, k])}
        keys[k] = (tuple(s for s in stuck if s[0] not in lost), _other_parts(model, point, bridge))
    place = np.maximum(branch, 0)
    f, t = model.f[place], model.t[place]
    rows = np.stack([f, t, n + f, n + t], axis=1)
    intact = np.where(cut_off, 1.0 + 0j, base.voltage)
    outages = Outages(branch, np.repeat(intact[:, None], count, axis=1), dead, rows, sees)
    return Batch(engine, outages, keys, unit_power)


def _alike(model: GridModel) -> Ints:
    """For each branch the first one that is the same in ends, admittances and rating; shape (branches,)."""
    columns = (model.f, model.t, model.yff, model.yft, model.ytf, model.ytt, model.rating_mva, model.is_transformer)
    first: dict[tuple[object, ...], int] = {}
    keys = zip(*(column.tolist() for column in columns), strict=True)
    return np.array([first.setdefault(key, k) for k, key in enumerate(keys)], dtype=np.int64)


def _stuck(model: GridModel, state: Solution) -> tuple[tuple[int, float], ...]:
    buses = [model.bus_index(bus) for bus in state.fixed_reactive]
    return tuple(sorted(zip(buses, state.fixed_reactive_mvar, strict=True)))


def _other_parts(model: GridModel, point: OperatingPoint, branch: int) -> tuple[int, ...]:
    """First infeed of every supplied part that does not hold the reference."""
    alive = np.arange(model.n_branch) != branch
    label = parts(model, alive)
    first: dict[int, int] = {}
    for bus in np.flatnonzero(point.infeed).tolist():
        first.setdefault(int(label[bus]), bus)
    return tuple(sorted(bus for part, bus in first.items() if part != label[point.reference]))


def _build_mode(engine: Engine, outages: Outages, key: ModeKey) -> Mode:
    """Dense inverse Jacobian at the intact network's base state, and every outage's correction to it."""
    model, point = engine.model, engine.point
    n, base, dead = model.n_bus, outages.voltage[:, 0], outages.dead[:, 0]
    stuck, fixed_angle = key
    held = point.controlled.copy()
    held[[bus for bus, _ in stuck]] = False
    held |= dead
    angle_held = np.union1d(np.array(fixed_angle, dtype=np.int64), np.flatnonzero(dead))
    weight = point.slack_weight.copy()
    weight[angle_held] = 0.0
    if weight.sum() <= 0:
        weight[point.reference] = 1.0
    weight /= weight.sum()
    injected = (point.generation_mw - point.load_mw - 1j * point.load_mvar) / BASE_MVA
    for bus, q_mvar in stuck:
        injected[bus] += 1j * q_mvar / BASE_MVA

    current = model.ybus @ base
    y = model.ybus.toarray()
    d_angle = 1j * base[:, None] * np.conj(np.diag(current) - y * base[None, :])
    unit = base / np.abs(base)
    d_magnitude = base[:, None] * np.conj(y * unit[None, :]) + np.diag(np.conj(current) * unit)
    jacobian = np.zeros((2 * n + 1, 2 * n + 1))
    jacobian[:n, :n], jacobian[:n, n : 2 * n] = d_angle.real, d_magnitude.real
    jacobian[n : 2 * n, :n], jacobian[n : 2 * n, n : 2 * n] = d_angle.imag, d_magnitude.imag
    jacobian[:n, 2 * n] = -weight
    jacobian[2 * n, point.reference] = 1.0
    for i in np.flatnonzero(held):
        jacobian[n + i] = 0.0
        jacobian[n + i, n + i] = 1.0
    for i in angle_held:
        jacobian[i] = 0.0
        jacobian[i, i] = 1.0
    inverse = np.linalg.inv(jacobian)
    free = ~held
    free_rows = np.concatenate([~np.isin(np.arange(n), angle_held), free, [True]])
    change = _branch_change(model, outages) * free_rows[outages.rows][:, :, None]
    left = np.moveaxis(inverse[:, outages.rows], 1, 0)
    at_ends = np.take_along_axis(left, outages.rows[:, :, None], axis=1)
    correction = left @ np.linalg.solve(np.eye(4) + change @ at_ends, change)
    return Mode(
        key,
        free,
        angle_held,
        np.asarray(inverse, float),
        weight,
        np.asarray(injected, complex),
        np.asarray(correction, float),
    )


def _branch_change(model: GridModel, outages: Outages) -> Floats:
    """D_k: derivative of minus the lost branch's flows at its ends, shape (scenarios, 4, 4)."""
    place = np.maximum(outages.branch, 0)
    f, t = model.f[place], model.t[place]
    vf, vt = outages.voltage[f, 0], outages.voltage[t, 0]
    af, at = np.abs(vf), np.abs(vt)
    cross_f, cross_t = vf * np.conj(model.yft[place] * vt), vt * np.conj(model.ytf[place] * vf)
    own_f, own_t = np.conj(model.yff[place]) * af, np.conj(model.ytt[place]) * at
    ds_f = np.stack([1j * cross_f, -1j * cross_f, 2 * own_f + cross_f / af, cross_f / at], axis=1)
    ds_t = np.stack([-1j * cross_t, 1j * cross_t, cross_t / af, 2 * own_t + cross_t / at], axis=1)
    change = -np.stack([ds_f.real, ds_t.real, ds_f.imag, ds_t.imag], axis=1)
    change[:, [0, 2]] *= outages.sees[:, 0, None, None]
    change[:, [1, 3]] *= outages.sees[:, 1, None, None]
    return change


def sensitivity(sweep: CaseSweep, bus: int, scenarios: Ints) -> tuple[Floats, Floats]:
    """Change of angles [rad] and magnitudes [pu] per pu of a new plant at ``bus``, shapes (buses, scenarios)."""
    outages, n = sweep.outages, sweep.model.n_bus
    moved = np.empty((2 * n + 1, len(scenarios)))
    keys = [sweep.batch.base_keys[k] for k in scenarios]
    for mode, states in _by_mode(sweep.batch, keys, np.arange(len(scenarios))):
        ks = scenarios[states]
        column = np.zeros(2 * n + 1) if bus in mode.fixed_angle else mode.inverse[:, bus].copy()
        if mode.free_voltage[bus]:
            column += sweep.batch.unit_power.imag * mode.inverse[:, n + bus]
        at_ends = column[outages.rows[ks]]
        moved[:, states] = column[:, None] - (mode.correction[ks] @ at_ends[:, :, None])[:, :, 0].T
    return moved[:n], moved[n : 2 * n]


def _by_mode(batch: Batch, keys: list[ModeKey], states: Ints) -> list[tuple[Mode, Ints]]:
    """The states grouped by their mode, in order of first appearance."""
    groups: dict[ModeKey, list[int]] = {}
    for state in states.tolist():
        groups.setdefault(keys[state], []).append(state)
    return [(batch.mode(key), np.array(members)) for key, members in groups.items()]


def solve_states(
    sweep: CaseSweep, added_pu: Floats, scenarios: Ints, angle: Floats, magnitude: Floats
) -> tuple[Complexes, Bools]:
    """AC states of some outages under new injections, from starting angles and magnitudes.

    Parameters
    ----------
    added_pu
        New plants' active injections, shape (buses,) or (buses, states); their reactive power follows the settings'
        power factor.
    scenarios
        Index of the outage of each state.
    angle, magnitude
        Starts, shape (buses, states).

    Returns
    -------
    Complex voltages (buses, states) and whether each state converged to :data:`CHORD_TOLERANCE_PU`, reactive
    limits included.
    """
    added = added_pu if added_pu.ndim == 2 else np.repeat(added_pu[:, None], len(scenarios), axis=1)
    voltage, done, _ = _solve(sweep.batch, added, scenarios, angle, magnitude)
    failures = 0
    for s in np.flatnonzero(~done):
        solved = _by_engine(sweep, added[:, s], int(scenarios[s]))
        if solved is None:
            failures += 1
            if failures >= ENOUGH_FAILURES:
                break
            continue
        voltage[:, s], done[s] = solved, True
    return voltage, done


def _solve(
    batch: Batch, added: Floats, scenarios: Ints, angle: Floats, magnitude: Floats
) -> tuple[Complexes, Bools, list[ModeKey]]:
    """Chord solves with switching of modes; also returns the mode that each state ended in."""
    angle, magnitude = angle.copy(), magnitude.copy()
    keys = [batch.base_keys[k] for k in scenarios]
    done = np.zeros(len(scenarios), dtype=bool)
    waiting = np.arange(len(scenarios))
    for _ in range(REACTIVE_ROUNDS):
        for mode, states in _by_mode(batch, keys, waiting):
            done[states] = _chord(batch, mode, added, scenarios, states, angle, magnitude)
        waiting = _switch_modes(batch, keys, added, scenarios, waiting[done[waiting]], angle, magnitude)
        done[waiting] = False
        if not len(waiting):
            break
    return np.asarray(magnitude * np.exp(1j * angle), dtype=np.complex128), done, keys


def _switch_modes(
    batch: Batch, keys: list[ModeKey], added: Floats, scenarios: Ints, states: Ints, angle: Floats, magnitude: Floats
) -> Ints:
    """Give states whose generators left their reactive range a new mode; return those states."""
    point = batch.engine.point
    limited = np.flatnonzero(point.controlled & ~point.infeed)
    if not len(limited) or not len(states):
        return states[:0]
    ks = scenarios[states]
    voltage = magnitude[:, states] * np.exp(1j * angle[:, states])
    power = _drawn_power(batch, voltage, ks)[limited]
    plants = batch.unit_power.imag * (batch.added_pu[:, None] + added[:, states])[limited]
    q_mvar = (power.imag - plants) * BASE_MVA + point.load_mvar[limited, None]
    low, high = point.q_min_mvar[limited, None], point.q_max_mvar[limited, None]
    over = np.where(q_mvar > high + REACTIVE_ROOM_MVAR, 1, np.where(q_mvar < low - REACTIVE_ROOM_MVAR, -1, 0))
    lift = magnitude[np.ix_(limited, states)] - point.vm_set_pu[limited, None]
    dead = batch.outages.dead[np.ix_(limited, ks)]
    switched = []
    for column, state in enumerate(states.tolist()):
        stuck = dict(keys[state][0])
        changed = False
        for row, bus in enumerate(limited.tolist()):
            if dead[row, column]:
                continue
            if bus not in stuck and over[row, column]:
                stuck[bus] = float((high if over[row, column] > 0 else low)[row, 0])
                changed = True
            elif bus in stuck and low[row, 0] < high[row, 0]:
                at_top = stuck[bus] == high[row, 0]
                if (at_top and lift[row, column] > SET_POINT_ROOM_PU) or (
                    not at_top and lift[row, column] < -SET_POINT_ROOM_PU
                ):
                    del stuck[bus]
                    magnitude[bus, state] = point.vm_set_pu[bus]
                    changed = True
        if changed:
            keys[state] = (tuple(sorted(stuck.items())), keys[state][1])
            switched.append(state)
    return np.array(switched, dtype=np.int64)


def _drawn_power(batch: Batch, voltage: Complexes, ks: Ints) -> Complexes:
    """Power that flows from each bus into the network [pu], the lost branch left out, shape (buses, states)."""
    outages, model = batch.outages, batch.engine.model
    power = voltage * np.conj(model.ybus @ voltage)
    place, columns = np.maximum(outages.branch[ks], 0), np.arange(len(ks))
    f, t = model.f[place], model.t[place]
    vf, vt = voltage[f, columns], voltage[t, columns]
    power[f, columns] -= vf * np.conj(model.yff[place] * vf + model.yft[place] * vt) * outages.sees[ks, 0]
    power[t, columns] -= vt * np.conj(model.ytf[place] * vf + model.ytt[place] * vt) * outages.sees[ks, 1]
    return np.asarray(power, dtype=np.complex128)


def _chord(
    batch: Batch, mode: Mode, added: Floats, scenarios: Ints, states: Ints, angle: Floats, magnitude: Floats
) -> Bools:
    """Newton with the fixed Jacobian on the columns ``states`` of ``angle`` and ``magnitude``, in place."""
    n = batch.engine.model.n_bus
    slack = np.zeros(len(states))
    converged = np.zeros(len(states), dtype=bool)
    local = np.arange(len(states))
    for _ in range(CHORD_ITERATIONS):
        active = states[local]
        ks = scenarios[active]
        power = _drawn_power(batch, magnitude[:, active] * np.exp(1j * angle[:, active]), ks)
        gap = power - mode.injected_pu[:, None] - batch.unit_power * (batch.added_pu[:, None] + added[:, active])
        mismatch = np.zeros((2 * n + 1, len(ks)))
        mismatch[:n] = gap.real - mode.weight[:, None] * slack[None, local]
        mismatch[n : 2 * n] = gap.imag * mode.free_voltage[:, None]
        mismatch[mode.fixed_angle] = 0.0
        worst = np.abs(mismatch).max(axis=0)
        converged[local[worst < CHORD_TOLERANCE_PU]] = True
        go_on = (worst >= CHORD_TOLERANCE_PU) & (worst < HOPELESS_PU)
        if not go_on.any():
            break
        active, local, ks = active[go_on], local[go_on], ks[go_on]
        step = mode.inverse @ mismatch[:, go_on]
        at_ends = step[batch.outages.rows[ks].T, np.arange(len(ks))]
        step -= (mode.correction[ks] @ at_ends.T[:, :, None])[:, :, 0].T
        angle[:, active] -= step[:n]
        magnitude[:, active] -= step[n : 2 * n]
        slack[local] -= step[2 * n]
    return converged


def _by_engine(sweep: CaseSweep, added_pu: Floats, scenario: int) -> Complexes | None:
    """Second opinion on a state that the chord did not reach; None where the engine finds none either."""
    outage = sweep.outage_name(scenario) or None
    mw = np.asarray((sweep.batch.added_pu + added_pu) * BASE_MVA, dtype=np.float64)
    mvar = np.asarray(mw * sweep.batch.unit_power.imag, dtype=np.float64)
    answer = sweep.engine.solve(mw, outage, sweep.outages.voltage[:, scenario], injections_mvar=mvar)
    if answer.status is Status.DIVERGED:
        return None
    return np.where(np.isnan(answer.vm_pu), sweep.outages.voltage[:, scenario], answer.voltage)
