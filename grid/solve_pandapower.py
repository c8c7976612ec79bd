"""The reference engine: the same case through pandapower's own Newton and result tables.

pandapower drops parts without a reference in silence; here their buses (NaN there) make the solve a *split* one with
the lost power named, and input must equal served plus lost power as with our own engine.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grid.contracts import Status
from grid.model.arrays import Bools, CaseArrays, Floats, admittances, node_shunts
from grid.model.pandapower_export import Exported, to_pandapower
from grid.solve_control import first_controls
from grid.solve_records import Solution, SolveOptions
from grid.solve_settle import diverged_solution, lost_power

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

LADDER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dc", {"init": "dc"}),
    ("flat", {"init": "flat"}),
    ("damped", {"init": "flat", "algorithm": "iwamoto_nr"}),
)


def solve_by_pandapower(arrays: CaseArrays, options: SolveOptions, alive: Bools | None = None) -> Solution:
    """Solve with pandapower.

    Raises
    ------
    ValueError
        If taps or shunt steps should move, or a generator holds a remote bus: pandapower's solver does neither.
    """
    if options.taps or options.shunt_steps:
        raise ValueError("the pandapower engine moves neither taps nor shunt steps")
    remote = arrays.holds & (arrays.node[arrays.regulated_bus] != arrays.node[arrays.generator_bus])
    if remote.any():
        name = arrays.case.generators["generator_id"].to_numpy()[remote][0]
        raise ValueError(f"the pandapower engine cannot hold a remote bus ({name})")
    keep = np.ones(arrays.n_branch, dtype=bool) if alive is None else alive
    running = arrays.case.branches["in_service"].to_numpy(bool) & keep
    # generators of one bus may disagree in the source; pandapower refuses that, so all take the one that is held
    held = first_controls(arrays).vm_set_pu[arrays.node[arrays.generator_bus]]
    machines = arrays.case.generators.assign(vm_pu=np.where(arrays.holds, held, arrays.vm_set_pu))
    branches = arrays.case.branches.assign(in_service=running)
    case = dataclasses.replace(arrays.case, branches=branches, generators=machines)
    weight, note = _generator_weights(arrays, options, keep)
    shared = int((weight > 0).sum()) > 1
    if note:
        kinds = case.buses["kind"].where(case.buses["bus_id"] != int(note.rsplit(" ", 1)[1]), "ref")
        case = dataclasses.replace(case, buses=case.buses.assign(kind=kinds))
    exported = to_pandapower(case, weight if shared else None, keep_schedule_at_references=shared)
    start = _run(exported.net, options, shared)
    if start is None:
        return diverged_solution(arrays, "no solution from pandapower's starts dc, flat, damped", np.nan)
    return _read(arrays, exported, start, note, weight if shared else None)


def _generator_weights(arrays: CaseArrays, options: SolveOptions, alive: Bools) -> tuple[Floats, str]:
    """Share of the slack power of each generator over all parts, and the note on a moved reference."""
    from grid.solve import find_references, slack_weights

    references = find_references(arrays, alive)
    node, weight = arrays.node[arrays.generator_bus], np.zeros(len(arrays.generator_bus))
    for shared, members in zip(references.by_part, references.members, strict=True):
        at_node = slack_weights(arrays, options, shared, members)
        for n in np.flatnonzero(at_node > 0):
            rows = np.flatnonzero(arrays.holds & (node == n))
            own = arrays.slack_weight[rows]
            weight[rows] = at_node[n] * (own / own.sum() if own.sum() > 0 else np.arange(len(rows)) == 0)
    return weight, references.note


def _run(net: pandapowerNet, options: SolveOptions, shared: bool) -> str | None:
    import pandapower as pp

    for name, how in LADDER:
        try:
            pp.runpp(
                net,
                **{
                    "algorithm": "nr",
                    "max_iteration": options.most_iterations,
                    "tolerance_mva": 1e-8,
                    "calculate_voltage_angles": True,
                    "distributed_slack": shared,
                    "enforce_q_lims": options.reactive_limits,
                    "trafo_model": "t",
                    "numba": False,
                    "lightsim2grid": False,
                    **how,
                },
            )
        except (pp.LoadflowNotConverged, NotImplementedError):
            continue
        return name
    return None


def _read(arrays: CaseArrays, exported: Exported, start: str, note: str, weight: Floats | None) -> Solution:
    case, base, net = arrays.case, arrays.base_mva, exported.net
    vm, va = net.res_bus["vm_pu"].to_numpy(float), net.res_bus["va_degree"].to_numpy(float)
    on = np.isfinite(vm)
    if weight is not None:
        va = _angles_of_shared_slack(arrays, exported, vm, va, weight)
    flows = {name: np.full(arrays.n_branch, np.nan) for name in ("p_from", "q_from", "p_to", "q_to")}
    for table, ends in (("line", ("from", "to")), ("trafo", ("hv", "lv"))):
        if not len(net[table]):
            continue
        rows = net[table]["branch_row"].to_numpy(int)
        live = net[table]["in_service"].to_numpy(bool) & on[arrays.f_bus[rows]] & on[arrays.t_bus[rows]]
        for end, name in zip(ends, ("from", "to"), strict=True):
            for quantity, unit in (("p", "mw"), ("q", "mvar")):
                values = net[f"res_{table}"][f"{quantity}_{end}_{unit}"].to_numpy(float)
                flows[f"{quantity}_{name}"][rows] = np.where(live, values, np.nan)
    for k, (side, at_end) in enumerate((("from", arrays.f_bus), ("to", arrays.t_bus))):
        # shunts that stand for a part of a branch belong to its flow
        taken = np.conj(exported.moved_pu[k]) * vm[at_end] ** 2 * base
        flows[f"p_{side}"] += taken.real
        flows[f"q_{side}"] += taken.imag
    p, q = np.zeros(len(case.generators)), np.zeros(len(case.generators))
    for table in ("ext_grid", "gen", "sgen"):
        rows = net[table]["generator_row"].to_numpy(int) if len(net[table]) else np.array([], dtype=int)
        own = rows >= 0
        p[rows[own]] = net[f"res_{table}"]["p_mw"].to_numpy(float)[own]
        q[rows[own]] = net[f"res_{table}"]["q_mvar"].to_numpy(float)[own]
        if table == "ext_grid" and weight is not None:
            p[rows] += case.generators["p_mw"].to_numpy(float)[rows]
    at = on[arrays.generator_bus]
    dead = arrays.generator_on & ~at
    p, q = np.where(dead, np.nan, p), np.where(dead, np.nan, q)
    lost = ~on & ~arrays.off
    seen = lost & ~case.buses["is_star"].to_numpy(bool)
    lost_load, lost_generation = lost_power(arrays, lost)
    served, shunts = _consumed(arrays, vm)
    losses = float(np.nansum(flows["p_from"] + flows["p_to"]))
    first = arrays.reference[on[arrays.reference]] if len(arrays.reference) else np.array([], dtype=int)
    bus = int(first[0]) if len(first) else int(arrays.generator_bus[int(np.argmax(np.nan_to_num(p)))])
    given = float(np.nansum(p)) + float(arrays.hvdc_pu[on[arrays.hvdc_bus]].real.sum()) * base
    residual = abs(given - served - shunts - losses)
    if residual > max(1e-4, 1e-8 * abs(given)):
        return diverged_solution(arrays, f"pandapower's power balance open by {residual:.3g} MW", residual)
    return Solution(
        case=case,
        status=Status.SPLIT if seen.any() else Status.SOLVED,
        detail="; ".join(x for x in (f"pandapower, {start} start", note) if x),
        start=start,
        iterations=int(net["_ppc"]["iterations"]) if "iterations" in net["_ppc"] else 0,
        mismatch_mva=1e-8,
        vm_pu=vm,
        va_degree=va,
        p_from_mw=flows["p_from"],
        q_from_mvar=flows["q_from"],
        p_to_mw=flows["p_to"],
        q_to_mvar=flows["q_to"],
        generator_p_mw=p,
        generator_q_mvar=q,
        slack_mw=np.where(arrays.holds, p - arrays.generator_pu.real * base, np.where(dead, np.nan, 0.0)),
        ratio=arrays.branch.ratio.copy(),
        shunt_b_mvar=arrays.shunt_b_pu * base,
        losses_mw=losses,
        load_mw=served,
        shunt_mw=shunts,
        reference_p_mw=float(np.nansum(p[arrays.node[arrays.generator_bus] == arrays.node[bus]])),
        reference_bus=int(arrays.bus_ids[bus]),
        lost_load_mw=lost_load * base,
        lost_generation_mw=lost_generation * base,
        lost_buses=tuple(int(b) for b in arrays.bus_ids[seen]),
        at_limit=(),
        unsettled=(),
    )


def _angles_of_shared_slack(
    arrays: CaseArrays, exported: Exported, vm: Floats, va_degree: Floats, weight: Floats
) -> Floats:
    """Angles with the reference at its own.

    With distributed slack pandapower writes 0 degree at every bus that shares, and the other angles do not refer to
    that. The reference's angle against a neighbour follows from their branch's flow at the neighbour's end
    (i_t = ytf v_f + ytt v_t); the other sharing buses get NaN: better none than a wrong one.
    """
    net, va = exported.net, va_degree.copy()
    sharing = np.zeros(arrays.n_bus, dtype=bool)
    sharing[arrays.generator_bus[weight > 0]] = True
    va[sharing] = np.nan
    ports = admittances(arrays)
    tables = [(net.line, net.res_line, "from", "to"), (net.trafo, net.res_trafo, "hv", "lv")]
    for reference in arrays.reference[sharing[arrays.reference]][:1]:
        for table, result, f_end, t_end in tables:
            for i, k in enumerate(table["branch_row"].to_numpy(int) if len(table) else ()):
                f, t = arrays.f_bus[k], arrays.t_bus[k]
                at_f = f == reference
                other = t if at_f else f
                if reference not in (f, t) or not np.isfinite(va[other]) or not arrays.live[k]:
                    continue
                end = t_end if at_f else f_end
                s = complex(*(float(result[f"{q}_{end}_{u}"].iloc[i]) for q, u in (("p", "mw"), ("q", "mvar"))))
                v = vm[other] * np.exp(1j * np.deg2rad(va[other]))
                moved = exported.moved_pu[1 if at_f else 0, k]
                current = np.conj(s / arrays.base_mva / v) + moved * v
                own, mutual = (ports.ytt[k], ports.ytf[k]) if at_f else (ports.yff[k], ports.yft[k])
                angle = np.angle((current - own * v) / mutual)
                va += np.rad2deg(arrays.va_stored_rad[reference] - angle)
                va[reference] = np.rad2deg(arrays.va_stored_rad[reference])
                return va
    return va


def _consumed(arrays: CaseArrays, vm: Floats) -> tuple[float, float]:
    """(loads, shunts) [MW] at pandapower's voltages; converted branch shunts count as shunts, as in the net."""

    loads, at = arrays.case.loads, vm[arrays.load_bus]
    taken = loads["p_mw"].to_numpy(float) + loads["p_i_mw"].to_numpy(float) * at
    admittance = loads["p_z_mw"].to_numpy(float) * at**2
    served = float(np.nansum(np.where(arrays.load_on, taken + admittance, 0)))
    node_vm = pd.Series(vm).groupby(arrays.node).max().to_numpy(float)
    shunts = float(np.nansum(node_shunts(arrays).real * node_vm**2)) * arrays.base_mva
    return served, shunts - float(np.nansum(np.where(arrays.load_on, admittance, 0)))
