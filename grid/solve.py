"""One load flow of any case, with an honest ending.

*solved*: every bus has a voltage. *split*: parts without a reference are cut off, their MW and buses are named, the
rest is solved. *diverged*: no start of the ladder (warm, DC, flat, damped) led to a solution; the mismatch is told.
Input power equals served plus lost power, checked at the end of every solve.

::

    tables -> arrays -> parts with a reference -> Newton -> controls (reactive limits, remote voltage, constant
                             ^                                current loads, then taps and shunt steps)
                             +------------ until no control moves ------------+
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from grid.contracts import Status
from grid.model.arrays import (
    Bools,
    CaseArrays,
    Complexes,
    Floats,
    Ints,
    admittance_matrix,
    admittances,
    at_nodes,
    compile_case,
    injections,
    node_shunts,
    parts,
)
from grid.model.contracts import BusBranch
from grid.solve_control import Controls, Steering, first_controls, next_controls
from grid.solve_newton import Newton, Part, newton_damped, newton_lightsim2grid, start_dc, start_flat
from grid.solve_records import Solution, SolveOptions
from grid.solve_settle import diverged_solution, settle


@dataclass(frozen=True)
class References:
    """Reference nodes of the energised parts: the first of each part holds the angle, all of them share the slack."""

    by_part: tuple[Ints, ...]
    members: tuple[Ints, ...]
    note: str


@dataclass(frozen=True)
class _State:
    voltage: Complexes
    energised: Bools
    slack_pu: Floats
    """Slack power of each node."""
    start: str
    iterations: int
    mismatch_pu: float
    converged: bool


def solve(
    case: BusBranch,
    options: SolveOptions | None = None,
    start: Complexes | None = None,
    out: Iterable[str] = (),
) -> Solution:
    """Load flow of a case.

    Parameters
    ----------
    case
        Any case; three-winding units are expanded, and the solution's ``case`` is the expanded one.
    options
        See :class:`SolveOptions`; the default solves the case as it stands.
    start
        Complex voltages per bus of the expanded case for a warm start (a former ``solution.voltage``); without it
        the stored state serves.
    out
        Branch ids taken out of service (a three-winding unit: its id takes all three windings).

    Raises
    ------
    InputError
        If the tables are broken (see :func:`grid.model.acceptance.accept`).
    KeyError
        If ``out`` names no branch.
    """
    arrays = compile_case(case)
    return solve_arrays(arrays, options or SolveOptions(), start, branches_alive(arrays, out))


def branches_alive(arrays: CaseArrays, out: Iterable[str]) -> Bools:
    """Mask of the branches that stay, shape (branches,)."""
    names, units = arrays.case.branches["branch_id"].to_numpy(), arrays.case.branches["transformer_id"].to_numpy()
    alive = np.ones(arrays.n_branch, dtype=bool)
    for name in out:
        hit = (names == name) | ((units == name) & (units != ""))
        if not hit.any():
            raise KeyError(name)
        if arrays.tie[hit].any():
            raise ValueError(f"{name} is a tie without impedance: set it out of service in the case instead")
        alive[hit] = False
    return alive


def solve_arrays(
    arrays: CaseArrays, options: SolveOptions, start: Complexes | None = None, alive: Bools | None = None
) -> Solution:
    """:func:`solve` on compiled arrays, for many solves of one case."""
    if options.engine == "pandapower":
        from grid.solve_pandapower import solve_by_pandapower

        return solve_by_pandapower(arrays, options, alive)
    keep = np.ones(arrays.n_branch, dtype=bool) if alive is None else alive
    references = find_references(arrays, keep)
    if not references.members:
        return diverged_solution(arrays, "no voltage-holding generator in service", 0.0)
    state: _State | None = None
    climbed: list[str] = []
    for rung in options.starts:
        guess = _first_guess(arrays, rung, start)
        if guess is None:
            continue
        climbed.append(rung)
        for gradual in (False, True) if options.reactive_limits else (False,):
            steering = Steering(arrays, options, references.by_part, keep, gradual)
            tried = _settle_controls(arrays, options, references, keep, rung, guess, first_controls(arrays), steering)
            if tried[0].converged:
                return settle(arrays, keep, *tried, references)
            if state is None or tried[0].mismatch_pu < state.mismatch_pu or not np.isfinite(state.mismatch_pu):
                state = tried[0]
    if options.pandapower_fallback:
        from grid.solve_pandapower import solve_by_pandapower

        solution = solve_by_pandapower(arrays, options, alive)
        if solution.status is not Status.DIVERGED:
            return solution
    mismatch = np.nan if state is None else state.mismatch_pu * arrays.base_mva
    tried_names = ", ".join([*climbed, *(["pandapower"] if options.pandapower_fallback else [])])
    return diverged_solution(arrays, f"no solution from starts {tried_names}", mismatch)


def find_references(arrays: CaseArrays, alive: Bools) -> References:
    """Reference nodes per energised part, parts in the order of their first reference bus in the table.

    A reference bus without a running, voltage-holding generator cannot hold an angle. If none of the case can, the
    bus of the largest running voltage-holding generator takes over, and the note says so.
    """
    holding = np.zeros(arrays.n_node, dtype=bool)
    holding[arrays.node[arrays.generator_bus[arrays.holds]]] = True
    named = arrays.node[arrays.reference]
    able = [int(n) for n in dict.fromkeys(named.tolist()) if holding[n]]
    note = ""
    if not able and holding.any():
        p_max = np.nan_to_num(arrays.case.generators["p_max_mw"].to_numpy(float), nan=0.0, posinf=0.0)
        size = np.where(arrays.holds, np.maximum(p_max, np.abs(arrays.generator_pu.real) * arrays.base_mva), -1.0)
        largest = int(np.argmax(size))
        able = [int(arrays.node[arrays.generator_bus[largest]])]
        note = f"reference moved to bus {arrays.bus_ids[arrays.generator_bus[largest]]}"
    label = parts(arrays, alive)
    groups: dict[int, list[int]] = {}
    for node in able:
        groups.setdefault(int(label[node]), []).append(node)
    return References(
        by_part=tuple(np.array(g, dtype=np.int64) for g in groups.values()),
        members=tuple(np.flatnonzero(label == part) for part in groups),
        note=note,
    )


def _first_guess(arrays: CaseArrays, rung: str, start: Complexes | None) -> Complexes | str | None:
    """Node voltages of a warm start, the name of a computed start, or None where there is nothing warm."""
    if rung != "warm":
        return {"dc": "dc", "flat": "flat", "damped": "dc"}[rung]
    if start is None:
        stored = arrays.vm_stored_pu * np.exp(1j * arrays.va_stored_rad)
        known = np.isfinite(stored) & (arrays.vm_stored_pu > 0)
        if not known[~arrays.off].all() or np.ptp(arrays.va_stored_rad[~arrays.off]) == 0:
            return None
        start = np.asarray(stored, dtype=np.complex128)
    guess = np.ones(arrays.n_node, dtype=complex)
    guess[arrays.node] = np.where(np.isfinite(start) & (np.abs(start) > 0), start, 1.0)
    return guess


def _settle_controls(
    arrays: CaseArrays,
    options: SolveOptions,
    references: References,
    alive: Bools,
    rung: str,
    guess: Complexes | str,
    controls: Controls,
    steering: Steering,
) -> tuple[_State, Controls, tuple[str, ...]]:
    """Newton and controls in turn until no control moves."""
    state = _solve_parts(arrays, options, references, alive, rung, guess, controls)
    for _ in range(options.most_rounds):
        if not state.converged:
            return state, controls, ()
        changed = next_controls(steering, controls, state.voltage, state.energised)
        if changed is None:
            return state, controls, steering.unsettled()
        controls = changed
        method = "damped" if rung == "damped" else "warm"
        state = _solve_parts(arrays, options, references, alive, method, state.voltage, controls)
    return state, controls, (*steering.unsettled(), f"controls still moved after {options.most_rounds} rounds")


def _solve_parts(
    arrays: CaseArrays,
    options: SolveOptions,
    references: References,
    alive: Bools,
    rung: str,
    guess: Complexes | str,
    controls: Controls,
) -> _State:
    ports = admittances(arrays, controls.ratio)
    ybus = admittance_matrix(arrays, ports, node_shunts(arrays, controls.shunt_b_pu), alive)
    injected = at_nodes(arrays, injections(arrays)) + controls.current_pu
    injected = injected + 1j * np.nan_to_num(controls.q_fixed_pu)
    held = np.isfinite(controls.vm_set_pu) & np.isnan(controls.q_fixed_pu)
    voltage = np.full(arrays.n_node, np.nan + 0j)
    energised = np.zeros(arrays.n_node, dtype=bool)
    slack = np.zeros(arrays.n_node)
    iterations, mismatch = 0, 0.0
    for members, shared in zip(references.members, references.by_part, strict=True):
        part = _part(arrays, options, ybus, injected, held, controls, members, shared, alive)
        if isinstance(guess, str):
            first = start_flat(part) if guess == "flat" else start_dc(part)
        else:
            first = np.where(np.isfinite(guess[members]), guess[members], 1.0)
        answer = _newton(part, first, rung, options)
        voltage[members], energised[members] = answer.voltage, True
        slack[members] = part.weight * answer.slack_pu
        iterations, mismatch = max(iterations, answer.iterations), max(mismatch, answer.mismatch_pu)
        if not answer.converged:
            return _State(voltage, energised, slack, rung, iterations, mismatch, False)
    return _State(voltage, energised, slack, rung, iterations, mismatch, True)


def _newton(part: Part, first: Complexes, rung: str, options: SolveOptions) -> Newton:
    """lightsim2grid unless damping is asked for, or slack is shared by a node that no longer holds its voltage."""
    beyond = bool(((part.weight > 0) & ~part.held).any())
    method = newton_damped if rung == "damped" or beyond else newton_lightsim2grid
    return method(part, first, options.tolerance_pu, options.most_iterations)


def _part(
    arrays: CaseArrays,
    options: SolveOptions,
    ybus: sp.csr_matrix,
    injected: Complexes,
    held: Bools,
    controls: Controls,
    members: Ints,
    shared: Ints,
    alive: Bools,
) -> Part:
    local = np.full(arrays.n_node, -1)
    local[members] = np.arange(len(members))
    use = arrays.live & alive & (local[arrays.f] >= 0)
    x, r = arrays.branch.z_pu.imag[use], arrays.branch.z_pu.real[use]
    reactance = np.where(np.abs(x) > np.abs(r) / 10, x, np.hypot(r, x))
    stored = arrays.va_stored_rad[np.flatnonzero(arrays.node == shared[0])]
    angle = stored[np.isfinite(stored)]
    matrix = (ybus if len(members) == arrays.n_node else ybus[members][:, members]).tocsc()
    return Part(
        ybus=matrix,
        injected=injected[members],
        held=held[members],
        vm_set_pu=controls.vm_set_pu[members],
        reference=int(local[shared[0]]),
        reference_rad=float(angle[0]) if len(angle) else 0.0,
        weight=slack_weights(arrays, options, shared, members)[members],
        f=local[arrays.f[use]],
        t=local[arrays.t[use]],
        susceptance=1 / (reactance * controls.ratio[use]),
        shift_rad=arrays.branch.shift_rad[use],
    )


def slack_weights(arrays: CaseArrays, options: SolveOptions, shared: Ints, members: Ints) -> Floats:
    """Shares of the slack power of the part with nodes ``members``, at every node, sum 1; shape (nodes,).

    ``references``: the reference nodes by their generators' weights, equally if none has one. ``weights``: every
    voltage-holding generator of the part by its weight; without any weight, as ``references``.
    """
    node = arrays.node[arrays.generator_bus]
    given = np.bincount(node, np.where(arrays.holds, arrays.slack_weight, 0.0), arrays.n_node)
    named = np.zeros(arrays.n_node)
    if options.slack == "references":
        named[shared] = given[shared] if (given[shared] > 0).any() else 1.0
        return np.asarray(named / named.sum(), dtype=np.float64)
    inside = np.zeros(arrays.n_node)
    inside[members] = given[members]
    if inside.sum() <= 0:
        named[shared] = 1.0
        return np.asarray(named / named.sum(), dtype=np.float64)
    return np.asarray(inside / inside.sum(), dtype=np.float64)
