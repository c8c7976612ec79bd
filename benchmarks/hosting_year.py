"""Limits of a year of hours at many buses with N-1: ours against bisection on lightsim2grid's ContingencyAnalysis.

Run: ``python benchmarks/hosting_year.py [case_ACTIVSg500] [--hours 8760] [--buses 300] [--sample 6]``. Thermal limits
by the case's own ratings, all single branch outages. The peer does a sample of (bus, hour), each a bisection whose
every step is a full contingency analysis, and is scaled up, which is said so. Its outages are those that keep the
network whole; ours have the bridges as splits besides, so a sample that a split binds is drawn again. Answers are
compared before the ratio is printed. Processor time, so that a shared machine counts less.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread each, as the processor time says

import numpy as np
from ac_batch import case_path, peer_grid

SAME_MW, SAME_SHARE = 2.0, 0.03
"""Linear factors of the hour's group against bisection by AC."""
RESOLUTION_MW = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case_ACTIVSg500")
    parser.add_argument("--hours", type=int, default=8760)
    parser.add_argument("--buses", type=int, default=300)
    parser.add_argument("--sample", type=int, default=6)
    options = parser.parse_args()

    from grid.batch import BatchSolver
    from grid.capacity.flexible import SiteStorage, curtailment_curves
    from grid.capacity.settings import CapacitySettings
    from grid.capacity.year import hourly_limits
    from grid.capacity.year_records import YearSettings
    from grid.readers.matpower import read_matpower

    case = read_matpower(case_path(options.case))
    solver = BatchSolver.of_case(case, threads=os.cpu_count() or 1)
    change = series(solver, options.hours)
    limits = CapacitySettings(voltage=False, transformer_n_1_percent=100.0, tolerate_base=True)
    settings = YearSettings(limits=limits)
    a = solver.arrays
    load = np.bincount(a.load_bus, a.load_pu.real, a.n_bus)
    buses = a.bus_ids[np.argsort(-load, kind="stable")[: options.buses]]
    hourly_limits(solver, change, ["0", "1"], buses[:2], settings)  # compiles
    begin, clock = time.process_time(), time.perf_counter()
    found = hourly_limits(solver, change, [str(h) for h in range(options.hours)], buses, settings)
    we = time.process_time() - begin
    profile = np.maximum(np.sin((np.arange(options.hours) % 24 - 6) * np.pi / 12), 0.0)
    curtailment_curves(found, profile, SiteStorage(share=0.1))
    all_of_us = time.process_time() - begin
    work = found.work
    print(f"{options.case}: {options.hours} hours, {len(buses)} buses, {len(found.outage_names) - 1} outages; "
          f"{work.triples:.1e} (hour, outage, row, bus), {work.followed} of them followed in blocks")  # fmt: skip
    print(f"  limits {we:.0f} s of processor time, with curves and storage {all_of_us:.0f} s; "
          f"{time.perf_counter() - clock:.0f} s on the clock; {work.ac_states} AC states")  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  memory bound of the arrays {work.memory_bound_mib:.0f} MiB, peak of the process {peak:.0f} MiB")
    for r in found.residuals:
        print(f"  AC check, {r.reason}: {r.count}, mean |residual| {r.mean_mw:.2f} MW, bias {r.bias_mw:+.2f}, "
              f"largest {r.largest_mw:.1f} MW ({r.largest_percent:.1f} % of loading), {r.unsolved} open")  # fmt: skip
    compare(solver, change, found, options, all_of_us)


def series(solver, hours):
    """Loads of four zones by the day and noise; the plants follow the total by their size."""
    a, rng = solver.arrays, np.random.default_rng(0)
    load = np.zeros(a.n_bus, complex)
    np.add.at(load, a.load_bus, np.where(a.load_on, a.load_pu, 0) * a.base_mva)
    plants = np.bincount(a.generator_bus, np.where(a.generator_on, np.maximum(a.generator_pu.real, 0), 0), a.n_bus)
    t = np.arange(hours)
    day = -0.1 + 0.12 * np.sin((t % 24 - 14) * np.pi / 12) + 0.05 * np.sin(t / 8760 * 4 * np.pi)
    share = (day + 0.04 * rng.normal(size=(4, hours)))[rng.integers(0, 4, a.n_bus)]

    def change(first, last):
        added = load[:, None] * share[:, first:last]
        return -added + np.outer(plants / plants.sum(), added.real.sum(axis=0))

    return change


def compare(solver, change, found, options, we):
    peer = Peer(solver, options.case)
    rng = np.random.default_rng(2)
    whole = {str(solver.arrays.case.branches["branch_id"].iloc[k]) for k in peer.rows}
    row_of = {int(b): k for k, b in enumerate(solver.arrays.bus_ids)}
    seconds, done = 0.0, 0
    for _ in range(50 * options.sample):
        k, h = int(rng.integers(len(found.bus_ids))), int(rng.integers(found.hours))
        outage = found.binding(int(found.code[k, h]))[0]
        row = row_of[int(found.bus_ids[k])]
        reached = row in peer.loads or row in peer.plants  # the peer's plants are changes of its loads and generators
        if done == options.sample or not reached or found.code[k, h] < 0 or (outage and outage not in whole):
            continue
        begin = time.process_time()
        theirs = peer.bisect(change(h, h + 1)[:, 0], row, float(found.cap_mw[k]))
        seconds, done = seconds + time.process_time() - begin, done + 1
        ours = float(found.limit_mw[k, h])
        name = f"bus {found.bus_ids[k]} hour {h}"
        print(f"  {name}: ours {ours:.1f} MW, bisection {theirs:.1f} MW, {outage or 'intact'}")
        if abs(ours - theirs) > max(SAME_MW, SAME_SHARE * theirs):
            sys.exit("the answers differ: no ratio")
    if not done:
        sys.exit("no bus and hour that both can answer: no ratio")
    scaled = seconds / done * len(found.bus_ids) * found.hours
    print(
        f"  bisection (a sample of {done}, scaled up to {len(found.bus_ids) * found.hours}) / ours = {scaled / we:.0f}"
    )


class Peer:
    """lightsim2grid with the hour and the plant as changes of its loads and generators."""

    def __init__(self, solver, name):
        self.solver, a = solver, solver.arrays
        self.grid, self.state = peer_grid(name, solver.base.voltage)
        loads, plants = self.grid.get_loads(), self.grid.get_generators()
        self.loads = {loads[k].bus_id: (k, loads[k].target_p_mw, loads[k].target_q_mvar) for k in range(len(loads))}
        self.plants = {plants[k].bus_id: (k, plants[k].target_p_mw) for k in range(len(plants))}
        ends = [(e.bus1_id, e.bus2_id) for e in (*self.grid.get_lines(), *self.grid.get_trafos())]
        free = {}
        for k, (f, t) in enumerate(ends):
            free.setdefault(frozenset((f, t)), []).append(k)
        cut = set(solver._cut_sides())
        rows = [k for k in np.flatnonzero(a.live).tolist() if k not in cut]
        number = [free[frozenset((int(a.f_bus[k]), int(a.t_bus[k])))].pop(0) for k in rows]
        order = np.argsort(number)  # the analysis goes by number
        self.rows, self.number = np.array(rows)[order], np.array(number)[order]
        self.rating = a.case.branches["rating_a_mva"].to_numpy(float) / a.base_mva

    def loading(self, change, row, p):
        """Loading of every branch in the intact network and after each outage; None where there is no solution."""
        from lightsim2grid.lightsim2grid_cpp import ContingencyAnalysisCPP

        moved = change.copy()
        moved[row] += p
        for bus in np.flatnonzero(np.abs(moved) > 0).tolist():
            if bus in self.loads:
                k, p_mw, q_mvar = self.loads[bus]
                self.grid.change_p_load(k, p_mw - moved[bus].real)
                self.grid.change_q_load(k, q_mvar - moved[bus].imag)
            else:
                k, p_mw = self.plants[bus]
                self.grid.change_p_gen(k, p_mw + moved[bus].real)
        state = np.asarray(self.grid.ac_pf(self.state.copy(), 30, 1e-8))
        if not len(state):
            return None
        sweep = ContingencyAnalysisCPP(self.grid)
        sweep.add_multiple_n1(self.number.tolist())
        sweep.compute(state, 20, 1e-8)
        a, y = self.solver.arrays, self.solver.ports
        v = np.concatenate([state[None], np.asarray(sweep.get_voltages())]).T
        f, t = v[a.f_bus], v[a.t_bus]
        share = np.maximum(np.abs(y[0][:, None] * f + y[1][:, None] * t), np.abs(y[2][:, None] * f + y[3][:, None] * t))
        share = share / self.rating[:, None]
        share[self.rows, 1 + np.arange(len(self.rows))] = 0.0
        return share

    def bisect(self, change, row, top):
        now = self.loading(change, row, 0.0)
        bound = np.maximum(1.0, now + 0.01)
        low, high = 0.0, top
        while high - low > RESOLUTION_MW:
            middle = 0.5 * (low + high)
            share = self.loading(change, row, middle)
            ok = share is not None and (share <= bound).all()
            low, high = (middle, high) if ok else (low, middle)
        return low


if __name__ == "__main__":
    main()
