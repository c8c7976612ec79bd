"""From solved node voltages to everything a solution says: flows, outputs, losses, what is lost, the balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from grid.contracts import Status
from grid.model.arrays import Bools, CaseArrays, Complexes, Floats, admittances, node_shunts
from grid.solve_control import Controls, holding_output
from grid.solve_records import Solution

if TYPE_CHECKING:
    from grid.solve import References, _State

BALANCE_ROOM_MW = 1e-6


def settle(
    arrays: CaseArrays,
    alive: Bools,
    state: _State,
    controls: Controls,
    unsettled: tuple[str, ...],
    references: References,
) -> Solution:
    """The solution of a converged state; a broken power balance makes it a diverged one."""
    bus_on = state.energised[arrays.node] & ~arrays.off
    node_v = np.where(state.energised, state.voltage, 0)
    output = holding_output(arrays, controls, state.voltage, alive)
    p_pu, q_pu, slack_pu = _generator_outputs(arrays, controls, state, output, bus_on)
    s_f, s_t = _branch_flows(arrays, controls, alive, node_v, state.energised)
    injected = _bus_injections(arrays, controls, node_v, p_pu + 1j * q_pu, bus_on)
    s_f, s_t = _tie_flows(arrays, injected, s_f, s_t, bus_on)
    base = arrays.base_mva
    load, shunt = _consumed(arrays, controls, node_v, bus_on)
    losses = float((s_f + s_t)[arrays.live & alive].real.sum())
    given = float(p_pu[bus_on[arrays.generator_bus]].sum() + arrays.hvdc_pu[bus_on[arrays.hvdc_bus]].real.sum())
    residual = abs(given - load - shunt - losses) * base
    room = max(BALANCE_ROOM_MW, 10 * state.mismatch_pu * base * arrays.n_node)
    if residual > room:
        return diverged_solution(arrays, f"power balance open by {residual:.3g} MW", state.mismatch_pu * base)
    lost = ~bus_on & ~arrays.off
    lost_load, lost_generation = lost_power(arrays, lost)
    seen = lost & ~arrays.case.buses["is_star"].to_numpy(bool)
    stuck = np.isfinite(controls.q_fixed_pu)
    at_limit = arrays.holds & stuck[arrays.node[arrays.generator_bus]]
    dead_f = ~(bus_on[arrays.f_bus] & bus_on[arrays.t_bus] & (arrays.tie | (arrays.live & alive)))
    first = int(references.by_part[0][0])
    at_first = (arrays.node[arrays.generator_bus] == first) & arrays.generator_on
    detail = "; ".join(x for x in (f"lightsim2grid, {state.start} start", references.note) if x)
    if state.start == "damped":
        detail = detail.replace("lightsim2grid", "own Newton")

    def shown(values: Floats) -> Floats:
        return np.where(dead_f, np.nan, values * base)

    def by_generator(values: Floats) -> Floats:
        running = arrays.generator_on & bus_on[arrays.generator_bus]
        return np.where(running, values * base, np.where(arrays.generator_on, np.nan, 0.0))

    return Solution(
        case=arrays.case,
        status=Status.SPLIT if seen.any() else Status.SOLVED,
        detail=detail,
        start=state.start,
        iterations=state.iterations,
        mismatch_mva=state.mismatch_pu * base,
        vm_pu=np.where(bus_on, np.abs(node_v)[arrays.node], np.nan),
        va_degree=np.where(bus_on, np.rad2deg(np.angle(node_v))[arrays.node], np.nan),
        p_from_mw=shown(s_f.real),
        q_from_mvar=shown(s_f.imag),
        p_to_mw=shown(s_t.real),
        q_to_mvar=shown(s_t.imag),
        generator_p_mw=by_generator(p_pu),
        generator_q_mvar=by_generator(q_pu),
        slack_mw=by_generator(slack_pu),
        ratio=controls.ratio,
        shunt_b_mvar=controls.shunt_b_pu * base,
        losses_mw=losses * base,
        load_mw=load * base,
        shunt_mw=shunt * base,
        reference_p_mw=float(p_pu[at_first].sum() * base),
        reference_bus=int(arrays.bus_ids[np.flatnonzero(arrays.node == first)[0]]),
        lost_load_mw=lost_load * base,
        lost_generation_mw=lost_generation * base,
        lost_buses=tuple(int(b) for b in arrays.bus_ids[seen]),
        at_limit=tuple(arrays.case.generators["generator_id"].to_numpy()[at_limit]),
        unsettled=unsettled,
    )


def diverged_solution(arrays: CaseArrays, detail: str, mismatch_mva: float) -> Solution:
    """No solution: every result is NaN, nothing is claimed."""

    def nan(n: int) -> Floats:
        return np.full(n, np.nan)

    n, m, g = arrays.n_bus, arrays.n_branch, len(arrays.generator_bus)
    shown = f"; mismatch {mismatch_mva:.3g} MVA" if np.isfinite(mismatch_mva) else ""
    return Solution(
        case=arrays.case,
        status=Status.DIVERGED,
        detail=detail + shown,
        start="",
        iterations=0,
        mismatch_mva=mismatch_mva,
        vm_pu=nan(n),
        va_degree=nan(n),
        p_from_mw=nan(m),
        q_from_mvar=nan(m),
        p_to_mw=nan(m),
        q_to_mvar=nan(m),
        generator_p_mw=nan(g),
        generator_q_mvar=nan(g),
        slack_mw=nan(g),
        ratio=arrays.branch.ratio.copy(),
        shunt_b_mvar=arrays.shunt_b_pu * arrays.base_mva,
        losses_mw=np.nan,
        load_mw=np.nan,
        shunt_mw=np.nan,
        reference_p_mw=np.nan,
        reference_bus=0,
        lost_load_mw=0.0,
        lost_generation_mw=0.0,
        lost_buses=(),
        at_limit=(),
        unsettled=(),
    )


def _generator_outputs(
    arrays: CaseArrays, controls: Controls, state: _State, output: Complexes, bus_on: Bools
) -> tuple[Floats, Floats, Floats]:
    """(p, q, slack part of p) of each generator [pu].

    A node's slack power goes to its holding generators by weight (without weights to the first); its reactive power
    in proportion to their ranges, so that all stand at the same share (MATPOWER's rule), equally without ranges.
    """
    node = arrays.node[arrays.generator_bus]
    p = np.where(arrays.generator_on, arrays.generator_pu.real, 0.0)
    q = np.where(arrays.generator_on, arrays.generator_pu.imag, 0.0)
    rows = np.flatnonzero(arrays.holds & bus_on[arrays.generator_bus])
    at = node[rows]

    def at_node(values: Floats) -> Floats:
        return np.asarray(np.bincount(at, values, arrays.n_node)[at], dtype=np.float64)

    weight, count = arrays.slack_weight[rows], at_node(np.ones(len(rows)))
    total_weight = at_node(weight)
    first = np.zeros(len(rows))
    first[np.unique(at, return_index=True)[1]] = 1.0
    share = np.where(total_weight > 0, weight / np.where(total_weight > 0, total_weight, 1.0), first)
    slack = np.zeros(len(p))
    slack[rows] = state.slack_pu[at] * share
    low, span = arrays.q_min_pu[rows], arrays.q_max_pu[rows] - arrays.q_min_pu[rows]
    endless = ~(np.isfinite(low) & np.isfinite(span))
    ranged = at_node(endless.astype(float)) == 0
    low, span = np.where(endless, 0.0, low), np.where(endless, 0.0, span)
    all_span = at_node(span)
    ranged &= all_span > 0
    total = output[at].imag
    by_range = low + (total - at_node(low)) * span / np.where(ranged, all_span, 1.0)
    q[rows] = np.where(ranged, by_range, total / count)
    return p + slack, q, slack


def _branch_flows(
    arrays: CaseArrays, controls: Controls, alive: Bools, node_v: Complexes, energised: Bools
) -> tuple[Complexes, Complexes]:
    ports = admittances(arrays, controls.ratio)
    use = arrays.live & alive & energised[arrays.f]
    vf, vt = node_v[arrays.f], node_v[arrays.t]
    s_f = np.where(use, vf * np.conj(ports.yff * vf + ports.yft * vt), 0)
    s_t = np.where(use, vt * np.conj(ports.ytf * vf + ports.ytt * vt), 0)
    return s_f, s_t


def _bus_injections(
    arrays: CaseArrays, controls: Controls, node_v: Complexes, generated: Complexes, bus_on: Bools
) -> Complexes:
    """What flows from each bus into branches and ties [pu]."""
    magnitude = np.abs(node_v)[arrays.node]
    result = np.zeros(arrays.n_bus, dtype=complex)
    np.add.at(result, arrays.generator_bus, np.where(arrays.generator_on, generated, 0))
    np.add.at(result, arrays.hvdc_bus, arrays.hvdc_pu)
    load = arrays.load_pu + arrays.load_current_pu * magnitude[arrays.load_bus]
    np.subtract.at(result, arrays.load_bus, np.where(arrays.load_on, load, 0))
    shunt = arrays.fixed_shunt_pu.copy()
    switched = np.where(arrays.shunt_on, arrays.shunt_g_pu + 1j * controls.shunt_b_pu, 0)
    np.add.at(shunt, arrays.shunt_bus, switched)
    return np.asarray(np.where(bus_on, result - np.conj(shunt) * magnitude**2, 0), dtype=np.complex128)


def _tie_flows(
    arrays: CaseArrays, injected: Complexes, s_f: Complexes, s_t: Complexes, bus_on: Bools
) -> tuple[Complexes, Complexes]:
    """Flows through closed ties from the bus balances: exact in trees, split evenly (least squares) in rings."""
    if not arrays.tie.any():
        return s_f, s_t
    left = injected.copy()
    np.subtract.at(left, arrays.f_bus, np.where(arrays.live, s_f, 0))
    np.subtract.at(left, arrays.t_bus, np.where(arrays.live, s_t, 0))
    ties = np.flatnonzero(arrays.tie)
    f, t = arrays.f_bus[ties], arrays.t_bus[ties]
    n = arrays.n_bus
    _, label = connected_components(sp.coo_matrix((np.ones(len(f)), (f, t)), shape=(n, n)), directed=False)
    for group in np.unique(label[f]):
        buses = np.flatnonzero(label == group)
        if not bus_on[buses].all():
            continue
        rows = np.flatnonzero(label[f] == group)
        local = {int(b): i for i, b in enumerate(buses)}
        incidence = np.zeros((len(buses), len(rows)))
        for j, k in enumerate(rows.tolist()):
            incidence[local[int(f[k])], j], incidence[local[int(t[k])], j] = 1.0, -1.0
        flow = np.linalg.lstsq(incidence, left[buses], rcond=None)[0]
        s_f[ties[rows]], s_t[ties[rows]] = flow, -flow
    return s_f, s_t


def _consumed(arrays: CaseArrays, controls: Controls, node_v: Complexes, bus_on: Bools) -> tuple[float, float]:
    """(load, shunts) of the energised part [pu]; constant-admittance loads are loads."""
    magnitude = np.abs(node_v)[arrays.node]
    at = magnitude[arrays.load_bus]
    z_part = arrays.case.loads["p_z_mw"].to_numpy(float) / arrays.base_mva * at**2
    load = arrays.load_pu.real + z_part
    drawn = -float(controls.current_pu.real[np.unique(arrays.node[bus_on])].sum())  # as it was solved
    served = float(load[arrays.load_on & bus_on[arrays.load_bus]].sum()) + drawn
    shunts = float((node_shunts(arrays, controls.shunt_b_pu).real * np.abs(node_v) ** 2).sum())
    return served, shunts - float(z_part[arrays.load_on & bus_on[arrays.load_bus]].sum())


def lost_power(arrays: CaseArrays, lost: Bools) -> tuple[float, float]:
    """(load, generation) at lost buses as scheduled [pu]; an HVDC end counts by its sign."""
    z_part = arrays.case.loads["p_z_mw"].to_numpy(float) / arrays.base_mva
    load = arrays.load_pu.real + arrays.load_current_pu.real + z_part
    dc = arrays.hvdc_pu.real[lost[arrays.hvdc_bus]]
    lost_load = load[arrays.load_on & lost[arrays.load_bus]].sum() - dc[dc < 0].sum()
    lost_generation = arrays.generator_pu.real[arrays.generator_on & lost[arrays.generator_bus]].sum()
    return float(lost_load), float(lost_generation + dc[dc > 0].sum())
