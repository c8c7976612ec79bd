"""What moves between two Newton solves: reactive limits, remote voltages, constant-current loads, taps, shunts.

Fast controls (generators, loads) settle first; then taps and shunts take a step, and the fast ones settle again.
A control that turns back too often stays where it is and is told as unsettled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from grid.jacobian import reduced_jacobian
from grid.model.arrays import (
    Bools,
    CaseArrays,
    Complexes,
    Floats,
    Ints,
    admittance_matrix,
    admittances,
    at_nodes,
    injections,
    node_shunts,
)
from grid.solve_records import SolveOptions

REACTIVE_ROOM_PU = 1e-6
VOLTAGE_ROOM_PU = 1e-7
REMOTE_ROOM_PU = 1e-8
CURRENT_ROOM_PU = 1e-10
MOST_FLIPS = 4
MOST_TURNS = 3
MOST_STEPS = 8


@dataclass(frozen=True)
class Controls:
    """Where the controls stand; arrays over nodes, branches and shunts."""

    q_fixed_pu: Floats
    """Reactive output of the generators of a node that stands at a limit; NaN where the voltage is held or free."""
    vm_set_pu: Floats
    """Held magnitude per node; NaN where no generator holds it."""
    current_pu: Complexes
    """Injection of the constant-current loads at the last voltage."""
    ratio: Floats
    shunt_b_pu: Floats


def first_controls(arrays: CaseArrays) -> Controls:
    """As the case stands: set points held, nothing at a limit. The first generator of a node gives its set point."""
    vm_set = np.full(arrays.n_node, np.nan)
    node = arrays.node[arrays.generator_bus]
    remote = arrays.node[arrays.regulated_bus] != node
    stored = arrays.vm_stored_pu[arrays.generator_bus]
    aim = np.where(remote & np.isfinite(stored), stored, arrays.vm_set_pu)
    for k in sorted(np.flatnonzero(arrays.holds), key=lambda k: (not remote[k], -k)):
        vm_set[node[k]] = aim[k]
    current = np.where(arrays.load_on, arrays.load_current_pu, 0)
    return Controls(
        q_fixed_pu=np.full(arrays.n_node, np.nan),
        vm_set_pu=vm_set,
        current_pu=-_at_load_nodes(arrays, current),
        ratio=arrays.branch.ratio.copy(),
        shunt_b_pu=arrays.shunt_b_pu.copy(),
    )


def _at_load_nodes(arrays: CaseArrays, values: Complexes) -> Complexes:
    node = arrays.node[arrays.load_bus]
    return np.asarray(
        np.bincount(node, values.real, arrays.n_node) + 1j * np.bincount(node, values.imag, arrays.n_node)
    )


class Steering:
    """Memory of the control loops of one solve: flips and turns so far, and what was locked."""

    def __init__(
        self,
        arrays: CaseArrays,
        options: SolveOptions,
        references: tuple[Ints, ...],
        alive: Bools,
        gradual: bool = False,
    ) -> None:
        self.arrays, self.options, self.alive, self.gradual = arrays, options, alive, gradual
        self.references = references
        node = arrays.node[arrays.generator_bus]
        n = arrays.n_node
        self.q_min = np.bincount(node, np.where(arrays.holds, arrays.q_min_pu, 0.0), n)
        self.q_max = np.bincount(node, np.where(arrays.holds, arrays.q_max_pu, 0.0), n)
        first = np.array([group[0] for group in references], dtype=np.int64)
        self.q_min[first], self.q_max[first] = -np.inf, np.inf
        self.watched, self.aim = np.arange(n), np.full(n, np.nan)
        remote = arrays.node[arrays.regulated_bus]
        for k in sorted(np.flatnonzero(arrays.holds), key=lambda k: (remote[k] == node[k], -k)):
            self.watched[node[k]], self.aim[node[k]] = remote[k], arrays.vm_set_pu[k]
        own = np.zeros(n, dtype=bool)
        own[node[arrays.holds & (remote == node)]] = True
        self.remote = np.flatnonzero(np.isfinite(self.aim) & (self.watched != np.arange(n)) & ~own)
        self.flips = np.zeros(n, dtype=int)
        self.gain = np.ones(n)
        self.last: dict[int, tuple[float, float]] = {}
        self.tap_turns = np.zeros(arrays.n_branch, dtype=int)
        self.tap_last = np.zeros(arrays.n_branch, dtype=int)
        self.shunt_turns = np.zeros(len(arrays.shunt_b_pu), dtype=int)
        self.shunt_last = np.zeros(len(arrays.shunt_b_pu), dtype=int)
        self.levels = [_levels(arrays, k) for k in range(len(arrays.shunt_b_pu))]

    def unsettled(self) -> tuple[str, ...]:
        arrays = self.arrays
        buses = [f"reactive limit at bus {_bus(arrays, int(i))}" for i in np.flatnonzero(self.flips > MOST_FLIPS)]
        taps = [f"tap of {arrays.case.branches['branch_id'].iloc[k]}"
                for k in np.flatnonzero(self.tap_turns > MOST_TURNS)]  # fmt: skip
        shunts = [f"steps of {arrays.case.shunts['shunt_id'].iloc[k]}"
                  for k in np.flatnonzero(self.shunt_turns > MOST_TURNS)]  # fmt: skip
        return (*buses, *taps, *shunts)


def _bus(arrays: CaseArrays, node: int) -> int:
    return int(arrays.bus_ids[np.flatnonzero(arrays.node == node)[0]])


def _levels(arrays: CaseArrays, k: int) -> Floats:
    """Susceptances a switched shunt can take, ascending: blocks switched in order, each sign from zero."""
    shunts, steps = arrays.case.shunts, arrays.case.shunt_steps
    if shunts["control"].iloc[k] == "fixed":
        return np.array([arrays.shunt_b_pu[k]])
    own = steps[steps["shunt_id"] == shunts["shunt_id"].iloc[k]].sort_values("block")
    levels = {0.0}
    for sign in (1.0, -1.0):
        total = 0.0
        for count, b in zip(own["count"], own["b_mvar"], strict=True):
            if np.sign(b) == sign:
                for _ in range(int(count)):
                    total += float(b)
                    levels.add(total)
    return np.array(sorted(levels)) / arrays.base_mva


def next_controls(steering: Steering, controls: Controls, voltage: Complexes, energised: Bools) -> Controls | None:
    """Where the controls go from a solved state; None when all are content. Node arrays, NaN where cut off."""
    magnitude = np.abs(voltage)
    changed, moved = _constant_current(steering.arrays, controls, magnitude, energised), False
    if changed is not None:
        controls, moved = changed, True
    if steering.options.reactive_limits:
        changed = _reactive_limits(steering, controls, voltage, energised)
        if changed is not None:
            controls, moved = changed, True
    changed = _remote_voltage(steering, controls, magnitude, energised)
    if changed is not None:
        controls, moved = changed, True
    if moved:
        return controls
    return _slow_controls(steering, controls, voltage, energised)


def _constant_current(arrays: CaseArrays, controls: Controls, magnitude: Floats, energised: Bools) -> Controls | None:
    if not arrays.load_current_pu.any():
        return None
    at_load = np.where(energised, magnitude, 1.0)[arrays.node[arrays.load_bus]]
    injected = -_at_load_nodes(arrays, np.where(arrays.load_on, arrays.load_current_pu, 0) * at_load)
    if np.abs(injected - controls.current_pu).max(initial=0.0) < CURRENT_ROOM_PU:
        return None
    return replace(controls, current_pu=injected)


def holding_output(arrays: CaseArrays, controls: Controls, voltage: Complexes, alive: Bools) -> Complexes:
    """Power of the voltage-holding generators of each node [pu]: what the network takes less what is scheduled."""
    ports = admittances(arrays, controls.ratio)
    ybus = admittance_matrix(arrays, ports, node_shunts(arrays, controls.shunt_b_pu), alive)
    filled = np.where(np.isfinite(voltage), voltage, 0)
    taken = filled * np.conj(ybus @ filled)
    return np.asarray(taken - at_nodes(arrays, injections(arrays)) - controls.current_pu, dtype=np.complex128)


def _reactive_limits(steering: Steering, controls: Controls, voltage: Complexes, energised: Bools) -> Controls | None:
    """Fix what leaves its reactive range, release what no longer needs fixing: all at once, or gradually.

    Gradually, only the nodes with at least half of the largest excess are fixed in a round: their neighbours take
    over, and fewer generators end at a limit.
    """
    arrays, fixed = steering.arrays, controls.q_fixed_pu
    q = holding_output(arrays, controls, voltage, steering.alive).imag
    holder = energised & np.isfinite(controls.vm_set_pu)
    free = holder & np.isnan(fixed)
    high, low = free & (q > steering.q_max + REACTIVE_ROOM_PU), free & (q < steering.q_min - REACTIVE_ROOM_PU)
    if steering.gradual:
        excess = np.maximum(np.where(high, q - steering.q_max, 0), np.where(low, steering.q_min - q, 0))
        worst = excess >= excess.max() / 2
        high, low = high & worst, low & worst
    seen = np.abs(np.where(energised[steering.watched], voltage[steering.watched], np.nan))
    with np.errstate(invalid="ignore"):
        back = (fixed == steering.q_max) & (seen > steering.aim + VOLTAGE_ROOM_PU)
        back |= (fixed == steering.q_min) & (seen < steering.aim - VOLTAGE_ROOM_PU)
    back &= (steering.q_min < steering.q_max) & (steering.flips <= MOST_FLIPS) & holder
    if not (high | low | back).any():
        return None
    steering.flips[back] += 1
    now = np.where(high, steering.q_max, np.where(low, steering.q_min, np.where(back, np.nan, fixed)))
    vm_set = controls.vm_set_pu.copy()
    away = back & (steering.watched != np.arange(len(vm_set)))
    vm_set[away] = np.abs(voltage[away])
    return replace(controls, q_fixed_pu=now, vm_set_pu=vm_set)


def _remote_voltage(steering: Steering, controls: Controls, magnitude: Floats, energised: Bools) -> Controls | None:
    """Move the own set point by a secant until the regulated bus has its voltage."""
    vm_set, moved = controls.vm_set_pu.copy(), False
    for i in steering.remote.tolist():
        target = int(steering.watched[i])
        if not (energised[i] and energised[target]) or np.isfinite(controls.q_fixed_pu[i]):
            continue
        if np.isfinite(vm_set[target]) and np.isnan(controls.q_fixed_pu[target]):
            continue  # another generator holds that bus at its own terminal
        error = steering.aim[i] - magnitude[target]
        if abs(error) < REMOTE_ROOM_PU:
            continue
        if i in steering.last:
            own_before, seen_before = steering.last[i]
            travelled = magnitude[target] - seen_before
            if abs(travelled) > 1e-9:
                steering.gain[i] = float(np.clip((vm_set[i] - own_before) / travelled, 0.2, 4.0))
        steering.last[i] = (float(vm_set[i]), float(magnitude[target]))
        vm_set[i] += float(np.clip(steering.gain[i] * error, -0.05, 0.05))
        moved = True
    return replace(controls, vm_set_pu=vm_set) if moved else None


# ---------------------------------------------------------------- taps and shunts


def _slow_controls(steering: Steering, controls: Controls, voltage: Complexes, energised: Bools) -> Controls | None:
    arrays = steering.arrays
    position = {int(b): i for i, b in enumerate(arrays.bus_ids)}
    branches, shunts = arrays.case.branches, arrays.case.shunts
    free = energised & ~(np.isfinite(controls.vm_set_pu) & np.isnan(controls.q_fixed_pu))
    taps, taps_at = np.array([], dtype=int), np.array([], dtype=int)
    if steering.options.taps:
        movable = (branches["tap_control"] == "voltage").to_numpy(bool) & arrays.live & steering.alive
        movable &= np.isfinite(branches["ratio_min"].to_numpy(float)) & (steering.tap_turns <= MOST_TURNS)
        movable &= energised[arrays.f] & energised[arrays.t]
        taps = np.flatnonzero(movable)
        taps_at = np.array([arrays.node[position[int(b)]] for b in branches["controlled_bus_id"].iloc[taps]], dtype=int)
        taps, taps_at = taps[free[taps_at]], taps_at[free[taps_at]]
    switched, switched_at = np.array([], dtype=int), np.array([], dtype=int)
    if steering.options.shunt_steps:
        movable = (shunts["control"] != "fixed").to_numpy(bool) & arrays.shunt_on
        movable &= energised[arrays.node[arrays.shunt_bus]] & (steering.shunt_turns <= MOST_TURNS)
        switched = np.flatnonzero(movable)
        switched_at = np.array(
            [arrays.node[position[int(b)]] for b in shunts["regulated_bus_id"].iloc[switched]], dtype=int
        )
        switched, switched_at = switched[free[switched_at]], switched_at[free[switched_at]]
    if not len(taps) and not len(switched):
        return None
    slope = _sensitivities(steering, controls, voltage, energised, free, taps, taps_at, switched, switched_at)
    magnitude = np.abs(voltage)
    ratio = _tap_moves(steering, controls.ratio, magnitude, taps, taps_at, slope[: len(taps)])
    shunt_b = _shunt_moves(steering, controls.shunt_b_pu, magnitude, switched, switched_at, slope[len(taps) :])
    if np.array_equal(ratio, controls.ratio) and np.array_equal(shunt_b, controls.shunt_b_pu):
        return None
    return replace(controls, ratio=ratio, shunt_b_pu=shunt_b)


def _sensitivities(
    steering: Steering,
    controls: Controls,
    voltage: Complexes,
    energised: Bools,
    free: Bools,
    taps: Ints,
    taps_at: Ints,
    switched: Ints,
    switched_at: Ints,
) -> Floats:
    """d|V at the controlled node| / d ratio for the taps, then / d b for the shunts; held nodes do not move.

    With F the power balance, dx = -J^-1 dF; of a tap, dS_f and dS_t follow from yff ~ 1/ratio^2, yft, ytf ~ 1/ratio.
    """
    arrays = steering.arrays
    ports = admittances(arrays, controls.ratio)
    ybus = admittance_matrix(arrays, ports, node_shunts(arrays, controls.shunt_b_pu), steering.alive)
    anchors = np.array([group[0] for group in steering.references], dtype=np.int64)
    angles, magnitudes = np.setdiff1d(np.flatnonzero(energised), anchors), np.flatnonzero(free)
    members = np.flatnonzero(energised)
    local = np.full(arrays.n_node, -1)
    local[members] = np.arange(len(members))
    jacobian = reduced_jacobian(ybus[members][:, members].tocsr(), voltage[members], local[angles], local[magnitudes])
    row = np.full(arrays.n_node, -1)
    row[magnitudes] = len(angles) + np.arange(len(magnitudes))
    change = np.zeros((arrays.n_node, len(taps) + len(switched)), dtype=complex)
    f, t, ratio = arrays.f[taps], arrays.t[taps], controls.ratio[taps]
    own = arrays.branch.y_from_pu[taps]
    d_from = -2 * (ports.yff[taps] - own) / ratio * voltage[f] - ports.yft[taps] / ratio * voltage[t]
    d_to = -ports.ytf[taps] / ratio * voltage[f]
    order = np.arange(len(taps))
    np.add.at(change, (f, order), voltage[f] * np.conj(d_from))
    np.add.at(change, (t, order), voltage[t] * np.conj(d_to))
    node = arrays.node[arrays.shunt_bus[switched]]
    change[node, len(taps) + np.arange(len(switched))] = -1j * np.abs(voltage[node]) ** 2
    error = np.concatenate([change[angles].real, change[magnitudes].imag])
    answer = -splu(sp.csc_matrix(jacobian)).solve(error)
    where = row[np.concatenate([taps_at, switched_at]).astype(int)]
    return np.asarray(answer[where, np.arange(len(where))], dtype=np.float64)


def _together(nodes: Ints, slope: Floats) -> Floats:
    """Sum of the sensitivities of all controls of the same node: parallel units share the work."""
    return np.array([slope[nodes == n].sum() for n in nodes], dtype=float)


def _tap_moves(steering: Steering, ratio: Floats, magnitude: Floats, taps: Ints, nodes: Ints, slope: Floats) -> Floats:
    branches, moved = steering.arrays.case.branches, ratio.copy()
    joint = _together(nodes, slope)
    for k, node, all_slope in zip(taps.tolist(), nodes.tolist(), joint.tolist(), strict=True):
        row = branches.iloc[k]
        low, high, count = float(row["ratio_min"]), float(row["ratio_max"]), int(row["tap_positions"])
        error = float(row["vm_target_pu"]) - magnitude[node]
        step = (high - low) / (count - 1) if count > 1 else 0.0
        band = row["vm_band_pu"] if np.isfinite(row["vm_band_pu"]) else max(abs(all_slope) * step * 0.51, 1e-6)
        if not np.isfinite(error) or abs(error) <= band or abs(all_slope) < 1e-6:
            continue
        wish = error / all_slope
        if step > 0:
            steps = int(np.clip(np.round(wish / step), -MOST_STEPS, MOST_STEPS)) or int(np.sign(wish))
            if abs(error - all_slope * steps * step) >= abs(error):
                continue
            place = int(np.clip(np.round((ratio[k] - low) / step) + steps, 0, count - 1))
            moved[k] = low + place * step
        else:
            moved[k] = float(np.clip(ratio[k] + wish, low, high))
        _count_turn(steering.tap_turns, steering.tap_last, k, float(np.sign(moved[k] - ratio[k])))
    return moved


def _shunt_moves(
    steering: Steering, b_pu: Floats, magnitude: Floats, switched: Ints, nodes: Ints, slope: Floats
) -> Floats:
    shunts, moved = steering.arrays.case.shunts, b_pu.copy()
    joint = _together(nodes, slope)
    for k, node, all_slope in zip(switched.tolist(), nodes.tolist(), joint.tolist(), strict=True):
        row, levels, now = shunts.iloc[k], steering.levels[k], b_pu[k]
        low, high = float(row["vm_min_pu"]), float(row["vm_max_pu"])
        if not (np.isfinite(low) and np.isfinite(high)) or abs(all_slope) < 1e-9:
            continue
        error = (low + high) / 2 - magnitude[node]
        if low <= magnitude[node] <= high or (low == high and abs(error) < 1e-7):
            continue
        wish = now + error / all_slope
        if row["control"] == "continuous":
            moved[k] = float(np.clip(wish, levels[0], levels[-1]))
        else:
            nearest = float(levels[int(np.argmin(np.abs(levels - wish)))])
            onward = levels[levels > now] if wish > now else levels[levels < now][::-1]
            choice = nearest if (nearest - now) * (wish - now) > 0 else (float(onward[0]) if len(onward) else now)
            if abs(error - all_slope * (choice - now)) >= abs(error):
                continue
            moved[k] = choice
        _count_turn(steering.shunt_turns, steering.shunt_last, k, float(np.sign(moved[k] - now)))
    return moved


def _count_turn(turns: Ints, last: Ints, k: int, direction: float) -> None:
    if direction == 0:
        return
    if last[k] * direction < 0:
        turns[k] += 1
    last[k] = int(direction)
