"""Hosting capacity of single buses: our first exits against bisection on named engines.

Run: ``python benchmarks/hosting_capacity.py [case1354pegase] [--pandapower 6] [--n-1 2] [--all-n-1]``.

N-0: all load buses by us; bisection with pandapower's ``runpp`` on a sample of them (said to be one). N-1: the sample
of buses certified by us, every single branch outage that leaves the network whole; bisection in which every step is
one ``ContingencyAnalysis`` of lightsim2grid over the same outages (twin circuits, which it cannot tell apart, are left
out at both). Rules of both: power factor 1, at most 1.2 times the ratings of the bus's branches, loading up to the
rating or 1 % beyond what it is without the plant, voltages within the case's bands or 0.001 pu of what they are.
Capacity is the first exit on the way up from zero; bisection can land beyond a gap, so its answer is followed downwards
in 20 steps before it is compared.

Cases without ratings get 1.3 times their largest flow over the intact state and the outages. Processor time, one
thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from ac_batch import case_path, peer_grid

STEP_MW = 0.5


class Check:
    """The same rules for every engine: what a set of voltages breaks, against the voltages without the plant."""

    def __init__(self, solver) -> None:
        arrays = solver.arrays
        self.f, self.t, self.ports = arrays.f_bus, arrays.t_bus, solver.ports
        rating = arrays.case.branches["rating_a_mva"].to_numpy(float) / arrays.base_mva
        self.scale = np.where(arrays.live & (rating > 0), 1 / np.where(rating > 0, rating, 1), 0.0)
        buses = arrays.case.buses
        self.high, self.low = buses["vm_max_pu"].to_numpy(float), buses["vm_min_pu"].to_numpy(float)

    def values(self, v, lost):
        """Loading (branches, states) and size (buses, states) of voltages; ``lost``: branch of each state or -1."""
        y, vf, vt = self.ports, v[self.f], v[self.t]
        i = np.maximum(np.abs(y[0][:, None] * vf + y[1][:, None] * vt), np.abs(y[2][:, None] * vf + y[3][:, None] * vt))
        loading = i * self.scale[:, None]
        gone = np.flatnonzero(lost >= 0)
        loading[lost[gone], gone] = 0.0
        return loading, np.abs(v)

    def limits(self, v, lost):
        loading, size = self.values(v, lost)
        return (np.maximum(1.0, loading + 0.01), np.fmax(self.high[:, None], size + 0.001),
                np.fmin(self.low[:, None], size - 0.001))  # fmt: skip

    def holds(self, v, lost, limits) -> bool:
        loading, size = self.values(v, lost)
        top, high, low = limits
        return bool((loading <= top + 1e-7).all() and (size <= high + 1e-7).all() and (size >= low - 1e-7).all())


def bisected(holds, top: float) -> float:
    """Last power that holds, by halving the whole range."""
    good, bad = 0.0, top
    if holds(bad):
        return top
    while bad - good > STEP_MW:
        middle = (good + bad) / 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def first_exit_below(holds, answer: float) -> float:
    """The first exit where a bisection's answer stands behind a gap; not part of its time."""
    for p in np.linspace(0, answer, 21)[1:-1]:
        if not holds(p):
            good, bad = 0.0, float(p)
            while bad - good > STEP_MW:
                middle = (good + bad) / 2
                good, bad = (middle, bad) if holds(middle) else (good, middle)
            return good
    return answer


def rated(case):
    """Ratings where the source has none."""
    from grid.batch import BatchSolver

    given = case.branches["rating_a_mva"].fillna(0.0).to_numpy(float)
    if ((given > 0) & (given < 9000)).sum() > len(given) / 2:
        return case
    solver = BatchSolver.of_case(case)
    check = Check(solver)
    check.scale = np.where(solver.arrays.live, 1.0, 0.0)
    rows = np.flatnonzero(solver.arrays.live)
    worst = np.nanmax(check.values(solver.base.voltage[:, None], np.array([-1]))[0], axis=1)
    for block in solver.outages(rows):
        v = block.node_voltage[solver.arrays.node]
        lost = rows[block.first : block.first + v.shape[1]]
        worst = np.fmax(worst, np.nan_to_num(np.nanmax(np.nan_to_num(check.values(v, lost)[0]), axis=1)))
    print("  no ratings in the source: 1.3 times the largest flow, at least 50 MVA")
    branches = case.branches.copy()
    branches["rating_a_mva"] = np.maximum(1.3 * worst * case.base_mva, 50.0)
    return replace(case, branches=branches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case1354pegase")
    parser.add_argument("--pandapower", type=int, default=6, help="buses of the N-0 sample")
    parser.add_argument("--n-1", type=int, default=2, help="buses of the N-1 sample")
    parser.add_argument("--all-n-1", action="store_true", help="screen every load bus in N-1 too")
    options = parser.parse_args()

    from grid.capacity.climb import climb_buses
    from grid.capacity.scenarios import Basis
    from grid.capacity.settings import CapacitySettings
    from grid.capacity.study import load_buses, search_cap
    from grid.readers.matpower import read_matpower

    case = rated(read_matpower(case_path(options.case)))
    settings = CapacitySettings(tolerate_base=True, transformer_n_1_percent=100.0, rating_n_1="a")
    warm = Basis.of_case(case, settings, n_1=False)
    buses = [bus for bus in load_buses(case) if warm.node_of(bus) >= 0]
    nodes = np.array([warm.node_of(bus) for bus in buses])

    def ours(basis, nodes, caps, scenarios, certify):
        parts = [
            climb_buses(basis, nodes[k : k + 64], caps[k : k + 64], scenarios, np.full(len(nodes[k : k + 64]), certify))
            for k in range(0, len(nodes), 64)
        ]
        return {
            name: np.concatenate([getattr(p, name) for p in parts]) for name in ("capacity", "screened", "certified")
        }

    caps = search_cap(warm, nodes)
    ours(warm, nodes[:2], caps[:2], np.array([0]), True)
    begin = time.process_time()
    basis = Basis.of_case(case, settings, n_1=False)
    n_0 = ours(basis, nodes, caps, np.array([0]), True)
    we = (time.process_time() - begin) / len(nodes)
    print(f"{options.case}: N-0 of {len(nodes)} load buses, {basis.ac_states / len(nodes):.1f} AC states a bus, "
          f"{1 / we:.0f} buses/s")  # fmt: skip
    rng = np.random.default_rng(0)
    if options.pandapower:
        sample = np.sort(rng.choice(len(nodes), options.pandapower, replace=False))
        answers, tops = n_0["capacity"][sample] * case.base_mva, caps[sample] * case.base_mva
        against_pandapower(case, basis, [buses[k] for k in sample], answers, tops, we)
    if options.n_1 or options.all_n_1:
        in_n_1(case, settings, options, (buses, nodes, n_0["capacity"]), ours, rng)
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, both engines together")


def against_pandapower(case, basis, sample, answers, tops, we) -> None:
    import pandapower as pp

    from grid.model.pandapower_export import to_pandapower

    net = to_pandapower(case).net
    row = {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    at = pp.create_sgen(net, bus=int(net.bus.index[0]), p_mw=0.0, q_mvar=0.0)
    check, n = Check(basis.solver), len(case.buses)

    def state(bus: int, p: float):
        net.sgen.loc[at, ["bus", "p_mw"]] = [row[bus], p]
        try:
            pp.runpp(net, init="results", calculate_voltage_angles=True, check_connectivity=False)
        except pp.LoadflowNotConverged:
            pp.runpp(net, init="dc", calculate_voltage_angles=True, check_connectivity=False)
        vm, va = net.res_bus["vm_pu"].to_numpy()[:n], np.deg2rad(net.res_bus["va_degree"].to_numpy()[:n])
        return (vm * np.exp(1j * va))[:, None]

    pp.runpp(net, init="dc", calculate_voltage_angles=True, check_connectivity=False)
    intact = np.array([-1])
    limits = check.limits(state(sample[0], 0.0), intact)
    they, worst, gaps = 0.0, 0.0, 0
    for bus, answer, top in zip(sample, answers, tops, strict=True):

        def holds(p: float, bus: int = bus) -> bool:
            try:
                return check.holds(state(bus, p), intact, limits)
            except pp.LoadflowNotConverged:
                return False

        begin = time.process_time()
        found = bisected(holds, float(top))
        they += time.process_time() - begin
        first = first_exit_below(holds, found)
        gaps += first < found - 1
        worst = max(worst, abs(first - answer))
    print(f"  sample of {len(sample)} buses by bisection with pandapower: largest difference {worst:.2f} MW, "
          f"{gaps} behind a gap")  # fmt: skip
    if worst > max(1.0, 0.005 * answers.max()):
        sys.exit("the answers differ: no ratio")
    print(f"  N-0: pandapower bisection / ours = {they / len(sample) / we:.0f}")


def in_n_1(case, settings, options, studied, ours, rng) -> None:
    buses, nodes, n_0 = studied
    from grid.capacity.scenarios import Basis

    grid, peer_state = peer_grid(options.case, Basis.of_case(case, settings, n_1=False).solver.base.voltage)
    begin = time.process_time()
    basis = Basis.of_case(case, settings)
    basis.prepare()
    setup = time.process_time() - begin
    ends = [tuple(sorted((e.bus1_id, e.bus2_id))) for e in (*grid.get_lines(), *grid.get_trafos())]
    place = {pair: k for k, pair in enumerate(ends) if ends.count(pair) == 1}
    arrays = basis.solver.arrays
    kept, lost = [0], [-1]
    for k, one in enumerate(basis.scenarios):
        pair = tuple(sorted((int(arrays.f_bus[one.branch]), int(arrays.t_bus[one.branch]))))
        if one.branch >= 0 and not one.dead.any() and pair in place:
            kept.append(k)
            lost.append(one.branch)
    order = np.argsort([-1, *[place[tuple(sorted((int(arrays.f_bus[b]), int(arrays.t_bus[b]))))] for b in lost[1:]]])
    kept, lost = np.array(kept)[order], np.array(lost)[order]
    print(f"  N-1: {len(kept) - 1} outages (of {len(basis.scenarios) - 1}; no bridges, no twin circuits)")
    if options.all_n_1:
        begin = time.process_time()
        everything = ours(basis, nodes, n_0, np.arange(len(basis.scenarios)), False)
        took = time.process_time() - begin
        outages = len(basis.scenarios) - 1
        print(f"  screened, all {len(nodes)} buses x {outages} outages: {took + setup:.0f} s of processor")
        some = np.sort(rng.choice(len(nodes), min(64, len(nodes)), replace=False))
        certified = ours(basis, nodes[some], n_0[some], np.arange(len(basis.scenarios)), True)
        apart = np.abs(certified["capacity"] - everything["screened"][some]) * case.base_mva
        named = [buses[k] for k, d in zip(some, apart, strict=True) if d > 1]
        print(f"  screened within 1 MW of certified: {100 * (apart <= 1).mean():.1f} % of a sample of {len(some)}; "
              f"others: {named}")  # fmt: skip
    if options.n_1:
        # buses of a hand share the work, as in a study; the peer takes the first of them
        hand = rng.choice(len(nodes), min(64, len(nodes)), replace=False)
        ours(basis, nodes[hand[:2]], n_0[hand[:2]], kept[:20], True)  # compiled
        begin = time.process_time()
        answer = ours(basis, nodes[hand], n_0[hand], kept, True)
        we = (time.process_time() - begin) / len(hand) + setup / len(nodes)
        sample = hand[: options.n_1]
        print(f"  {len(hand)} buses certified together: {int(answer['certified'].sum())} certified")
        answers, tops = answer["capacity"][: len(sample)] * case.base_mva, n_0[sample] * case.base_mva
        some = [buses[k] for k in sample]
        against_lightsim2grid((case, basis, grid, peer_state), some, answers, tops, place, lost, we)


def against_lightsim2grid(engines, sample, answers, tops, place, lost, we) -> None:
    from lightsim2grid.lightsim2grid_cpp import ContingencyAnalysisCPP

    case, basis, grid, start = engines
    arrays, check, n = basis.solver.arrays, Check(basis.solver), len(case.buses)
    ids = [place[tuple(sorted((int(arrays.f_bus[b]), int(arrays.t_bus[b]))))] for b in lost[1:]]
    loads, row = grid.get_loads(), {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    load_at = {}
    for k in range(len(loads)):
        load_at.setdefault(int(loads[k].bus_id), k)

    def states():
        intact = np.asarray(grid.ac_pf(start.copy(), 30, 1e-8))
        if not len(intact):
            return None
        analysis = ContingencyAnalysisCPP(grid)
        analysis.add_multiple_n1(ids)
        analysis.compute(intact.copy(), 20, 1e-8)
        v = np.asarray(analysis.get_voltages())
        if not (np.abs(v).max(axis=1) > 0).all():
            return None
        return np.concatenate([intact[None, :n], v[:, :n]]).T

    limits = check.limits(states(), lost)
    they, worst = 0.0, 0.0
    for bus, answer, top in zip(sample, answers, tops, strict=True):
        load = load_at[row[bus]]
        before = loads[load].target_p_mw

        def holds(p: float, load: int = load, before: float = before) -> bool:
            grid.change_p_load(load, before - p)
            v = states()
            return v is not None and check.holds(v, lost, limits)

        begin = time.process_time()
        found = bisected(holds, float(top))
        they += time.process_time() - begin
        first = found
        if abs(found - answer) > 1:  # perhaps a gap: only then the whole way down
            first = first_exit_below(holds, found)
        grid.change_p_load(load, before)
        worst = max(worst, abs(first - answer))
        print(f"    bus {bus}: bisection {found:.1f}, first exit {first:.1f}, ours {answer:.2f} MW (N-0 {top:.1f})")
    if worst > max(1.0, 0.005 * max(answers)):
        sys.exit("the answers differ: no ratio")
    print(
        f"  N-1 certified: bisection on lightsim2grid / ours = {they / len(sample) / we:.0f} (sample of {len(sample)})"
    )


if __name__ == "__main__":
    main()
