"""Slopes and AC states of many buses side by side in one outage: a lane is a bus with its plant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver
from grid.batch_factor import Factor, Places
from grid.capacity.kernels import chord, correct_shared, droop_power, voltage_slopes
from grid.capacity.modes import ModeKey
from grid.capacity.settings import CapacitySettings

if TYPE_CHECKING:
    from grid.capacity.scenarios import Basis, Scenario

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Correction = tuple[Floats, Floats, Ints]
Slopes = tuple[Floats, Floats, Floats]

SETTLED_PU = 1e-7
"""Largest mismatch of a state: 1e-7 pu is 0.00001 MVA."""
FIRST_STEPS, MOST_STEPS = 6, 30
FEW_LANES = 8
REFACTORED = 3
"""Factors made for one stubborn state before it counts as having no solution."""
WILD_PU = 3.0
"""Voltage beyond which a state is not followed any further."""
MODE_ROUNDS = 8
NO_CORRECTION: Correction = (np.empty((0, 4)), np.zeros((4, 4)), np.full(4, -1, np.int64))


def slopes_of(basis: Basis, scenario: int, nodes: Ints, solved: Floats) -> Slopes:
    """dV (real, imaginary) and d|V| per pu of plant at each lane's node, shape (nodes, lanes).

    Parameters
    ----------
    solved : array, shape (equations, lanes)
        :func:`unit_injection` solved with the base factor.
    """
    one = basis.scenarios[scenario]
    if one.own is not None:
        factor, places = one.own
        y = _unit_at(places, len(factor.diagonal), nodes, basis.settings.direction)
        factor.solve(y)
    else:
        places = basis.solver._places
        y = solved if one.branch < 0 else solved.copy()
        if one.branch >= 0:
            correct_shared(y, *basis.correction(scenario))
    shape = (basis.rows.n_node, len(nodes))
    dr, di, dm = np.empty(shape), np.empty(shape), np.empty(shape)
    v = one.voltage
    voltage_slopes(y, places.angle, places.magnitude, v.real.copy(), v.imag.copy(), dr, di, dm)
    return dr, di, dm


def unit_injection(basis: Basis, nodes: Ints) -> Floats:
    """Power of one pu of plant in each lane's node's equations, in the base factor's order."""
    solver = basis.solver
    return _unit_at(solver._places, len(solver.factor.diagonal), nodes, basis.settings.direction)


def _unit_at(places: Places, size: int, nodes: Ints, unit: complex) -> Floats:
    lanes = np.arange(len(nodes))
    b = np.zeros((size, len(nodes)))
    b[places.row_p[nodes], lanes] = unit.real
    free = places.row_q[nodes] >= 0
    b[places.row_q[nodes][free], lanes[free]] = unit.imag
    return b


def states_of(
    basis: Basis, scenario: int, nodes: Ints, p: Floats, slopes: Slopes, near: Slopes | None = None
) -> tuple[Floats, Floats, Bools]:
    """AC states with ``p`` (lanes,) [pu] of plant at each lane's node.

    Parameters
    ----------
    near : tuple of arrays, optional
        Real and imaginary voltages (nodes, lanes) of states already solved, and their power (lanes,): a start closer
        than the state without plant.

    Returns
    -------
    Real and imaginary voltages, shape (nodes, lanes), and which lanes have a solution.
    """
    one, ranges = basis.scenarios[scenario], basis.ranges
    dr, di, _ = slopes
    from_r, from_i, from_p = near or (one.voltage.real[:, None], one.voltage.imag[:, None], np.zeros(len(p)))
    vr = from_r + (p - from_p) * dr
    vi = from_i + (p - from_p) * di
    settled = np.zeros(len(nodes), dtype=bool)
    keys = [one.key] * len(nodes)
    pending = np.arange(len(nodes))
    for _ in range(MODE_ROUNDS if ranges is not None else 1):
        for key in sorted({keys[lane] for lane in pending}):
            lanes = np.array([lane for lane in pending if keys[lane] == key])
            part = (np.ascontiguousarray(vr[:, lanes]), np.ascontiguousarray(vi[:, lanes]))
            settled[lanes], vr[:, lanes], vi[:, lanes] = _states_in_mode(
                basis, scenario, key, nodes[lanes], p[lanes], part
            )
        if ranges is None:
            break
        asked = _keys_asked(basis, one, keys, nodes, p, vr, vi, pending[settled[pending]])
        for lane, key in asked.items():
            keys[lane] = key
        pending = np.array(sorted(asked), dtype=np.int64)
        if not len(pending):
            break
    settled[pending] = settled[pending] & (ranges is None)
    basis.ac_states += len(nodes)
    return vr, vi, settled


def _states_in_mode(
    basis: Basis, scenario: int, key: ModeKey, nodes: Ints, p: Floats, start: tuple[Floats, Floats]
) -> tuple[Bools, Floats, Floats]:
    """AC states of lanes whose generators stand at the same limits."""
    one, solver = basis.scenarios[scenario], basis.solver
    held, schedule, factor, places, correction = basis.mode(scenario, key)
    vr, vi = start
    set_point = np.abs(one.voltage) if basis.ranges is None else _set_points(basis, one)
    back = set_point[held][:, None] / np.hypot(vr[held], vi[held])  # a straight step leaves the held circle
    vr[held], vi[held] = vr[held] * back, vi[held] * back
    v = (vr, vi, np.hypot(vr, vi))
    first = vr + 1j * vi
    p0, q0 = lane_schedule(basis.settings, schedule, nodes, p)
    settled = run_chord(solver, basis.settings, one, (factor, places), correction, v, (p0, q0), nodes, p)
    for s in np.flatnonzero(~settled).tolist():
        found = _again(basis, one, held, set_point, schedule, first[:, s], int(nodes[s]), float(p[s]))
        if found is not None:
            settled[s], vr[:, s], vi[:, s] = True, found.real, found.imag
    return settled, vr, vi


def _set_points(basis: Basis, one: Scenario) -> Floats:
    """Magnitudes that held nodes hold; dead sides keep their own."""
    assert basis.ranges is not None
    given = basis.ranges.set_point
    return np.where(np.isfinite(given), given, np.abs(one.voltage))


def lane_schedule(settings: CapacitySettings, schedule: Complexes, nodes: Ints, p: Floats) -> tuple[Floats, Floats]:
    """Scheduled active and reactive injections of all lanes, shape (nodes, lanes); Q(U) is left to the solve."""
    m, lanes, unit = len(nodes), np.arange(len(nodes)), settings.direction
    p0, q0 = np.repeat(schedule.real[:, None], m, axis=1), np.repeat(schedule.imag[:, None], m, axis=1)
    p0[nodes, lanes] += unit.real * p
    q0[nodes, lanes] += 0.0 if settings.plant.droop_per_pu > 0 else unit.imag * p
    return p0, q0


def run_chord(
    solver: BatchSolver, settings: CapacitySettings, one: Scenario, factor_places: tuple[Factor, Places],
    correction: Correction, v: tuple[Floats, Floats, Floats], injected: tuple[Floats, Floats], nodes: Ints, p: Floats,
) -> Bools:  # fmt: skip
    """Newton with a fixed factor on all lanes; the voltages ``v`` (real, imaginary, size) are changed in place."""
    control, m = settings.plant, len(nodes)
    factor, places = factor_places
    droop = (control.u_ref_pu, control.dead_band_pu, control.droop_per_pu, control.q_max)
    every = np.arange(m)

    def steps(lanes: Ints, parts: tuple[Floats, ...], most: int) -> Bools:
        count = len(lanes)
        lost = (np.full(count, one.f), np.full(count, one.t), np.repeat(one.y[:, None], count, axis=1),
                np.repeat(one.sees[:, None], count, axis=1))  # fmt: skip
        done: Bools = chord(
            solver._csr, parts[:3], parts[3:], (solver.current.real.copy(), solver.current.imag.copy()), lost,
            solver.weight, (places.row_p, places.row_q, places.angle, places.magnitude, places.sigma),
            (factor.lp, factor.li, factor.lx, factor.up, factor.ui, factor.ux, factor.diagonal), correction,
            nodes[lanes], p[lanes] * settings.direction.real, droop, SETTLED_PU, most,
        )  # fmt: skip
        return done

    if control.droop_per_pu > 0 or m < FEW_LANES:
        return steps(every, (*v, *injected), MOST_STEPS)
    settled = steps(every, (*v, *injected), FIRST_STEPS)
    rest = np.flatnonzero(~settled)
    if len(rest):  # the quick ones are done: the others go on by themselves
        parts = tuple(np.ascontiguousarray(x[:, rest]) for x in (*v, *injected))
        settled[rest] = steps(rest, parts, MOST_STEPS)
        for whole, part in zip(v, parts[:3], strict=True):
            whole[:, rest] = part
    return settled


def _again(
    basis: Basis, one: Scenario, held: Bools, set_point: Floats, schedule: Complexes, start: Complexes, node: int,
    p: float,
) -> Complexes | None:  # fmt: skip
    """One stubborn state: with factors made on its way, from the estimate and then by half the power."""
    found = _refactored(basis, one, held, schedule, start, node, p)
    if found is not None:
        return found
    own = one.voltage * np.where(held, set_point / np.abs(one.voltage), 1.0)
    half = _refactored(basis, one, held, schedule, own, node, p / 2)
    return None if half is None else _refactored(basis, one, held, schedule, half, node, p)


def _refactored(
    basis: Basis, one: Scenario, held: Bools, schedule: Complexes, start: Complexes, node: int, p: float
) -> Complexes | None:
    """Chords with a fresh factor each; None where they run away or do not end."""
    solver = basis.solver
    pattern, entries = basis.pattern(held), admittances_without(basis, one)
    nodes, power, voltage = np.array([node]), np.array([p]), start
    for _ in range(REFACTORED):
        try:
            factor = Factor.of(pattern.matrix(entries, voltage))
        except RuntimeError:  # singular: the nose itself
            return None
        places = Places.of(held, solver.reference, factor)
        vr, vi = voltage.real[:, None].copy(), voltage.imag[:, None].copy()
        v = (vr, vi, np.hypot(vr, vi))
        injected = lane_schedule(basis.settings, schedule, nodes, power)
        done = run_chord(solver, basis.settings, one, (factor, places), NO_CORRECTION, v, injected, nodes, power)[0]
        voltage = np.asarray(v[0][:, 0] + 1j * v[1][:, 0], dtype=np.complex128)
        if done:
            return voltage
        if not np.isfinite(voltage).all() or float(np.abs(voltage).max()) > WILD_PU:
            return None
    return None


def _keys_asked(
    basis: Basis, one: Scenario, keys: list[ModeKey], nodes: Ints, p: Floats, vr: Floats, vi: Floats, lanes: Ints
) -> dict[int, ModeKey]:
    """Mode that each solved lane asks for, of the lanes that ask for another one."""
    ranges, solver = basis.ranges, basis.solver
    assert ranges is not None
    if not len(lanes):
        return {}
    v = vr[:, lanes] + 1j * vi[:, lanes]
    output = reactive_drawn(solver, one, v) - (solver.injected.imag - ranges.base)[:, None]
    output[nodes[lanes], np.arange(len(lanes))] -= p[lanes] * _plant_q(basis.settings, np.abs(v), nodes[lanes])
    asked: dict[int, ModeKey] = {}
    for key in {keys[lane] for lane in lanes}:
        columns = np.array([c for c, lane in enumerate(lanes) if keys[lane] == key])
        for column in columns[ranges.leaves(key, output[:, columns], np.abs(v[:, columns]), one.dead)].tolist():
            asked[int(lanes[column])] = ranges.next_key(key, output[:, column], np.abs(v[:, column]), one.dead)
    return asked


def _plant_q(settings: CapacitySettings, size: Floats, nodes: Ints) -> Floats:
    """Reactive power of each lane's plant per unit of its active power."""
    control, unit = settings.plant, settings.direction
    if control.droop_per_pu <= 0:
        return np.full(len(nodes), unit.imag)
    at = size[nodes, np.arange(len(nodes))]
    figures = (control.u_ref_pu, control.dead_band_pu, control.droop_per_pu, control.q_max)
    return unit.real * np.array([droop_power(u, *figures) for u in at.tolist()])


def reactive_drawn(solver: BatchSolver, one: Scenario, v: Complexes) -> Floats:
    """Reactive power that leaves each node into the network [pu], shape of ``v``; constant-current draw included."""
    drawn = (v * np.conj(solver.ybus @ v)).imag + solver.current.imag[:, None] * np.abs(v)
    if one.branch >= 0:
        y = one.y[0::2] + 1j * one.y[1::2]
        vf, vt = v[one.f], v[one.t]
        drawn[one.f] -= one.sees[0] * (vf * np.conj(y[0] * vf + y[1] * vt)).imag
        drawn[one.t] -= one.sees[1] * (vt * np.conj(y[2] * vf + y[3] * vt)).imag
    return np.asarray(drawn, dtype=np.float64)


def admittances_without(basis: Basis, one: Scenario) -> Complexes:
    """Entries of the admittance matrix as the seeing sides have them after the loss, in the base matrix's order."""
    ybus = basis.solver.ybus
    data: Complexes = ybus.data.copy()
    if one.branch < 0:
        return data
    y = one.y[0::2] + 1j * one.y[1::2]
    for value, i, j, sees in ((y[0], one.f, one.f, 0), (y[1], one.f, one.t, 0), (y[2], one.t, one.f, 1),
                              (y[3], one.t, one.t, 1)):  # fmt: skip
        start, end = ybus.indptr[i], ybus.indptr[i + 1]
        data[start + int(np.flatnonzero(ybus.indices[start:end] == j)[0])] -= value * one.sees[sees]
    return data
