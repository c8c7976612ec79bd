"""Several buses at once, first come first served, in all outages: our walk against greedy halving with a full sweep.

Run: ``python benchmarks/hosting_together.py [case118] [--sites 6] [--outages 0] [--wish 60]``. The peer does what one
does without slopes: each site in its turn by halving, every step a full AC sweep of all outages by lightsim2grid's
``ContingencyAnalysis`` (its factor, its Newton, one thread), the same limits on the same outages. The allocations are
compared first: to 1 MW, ties (both at the same limit within 0.1 %) named. Sites are a sample of the load buses (and
outages one of the branches with ``--outages``), and said so; processor time. The largest total, which the peer has no
way to, is printed beside it.

MATPOWER cases without ratings get twice their base flow, at least 100 MVA, so that only the network decides.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from ac_batch import case_path, peer_grid

SAME_MW = 1.0
HALVED_TO_MW = 0.25


def rated(case):
    from grid.solve import solve

    base = solve(case)
    flow = np.fmax(np.hypot(base.p_from_mw, base.q_from_mvar), np.hypot(base.p_to_mw, base.q_to_mvar))
    given = case.branches["rating_a_mva"].to_numpy(float)
    rating = np.where(given > 0, given, np.maximum(2 * np.nan_to_num(flow), 100.0))
    return replace(case, branches=case.branches.assign(rating_a_mva=rating))


class Peer:
    """lightsim2grid with the plants as changes of load; limits as the study has them."""

    def __init__(self, study, name: str) -> None:
        from lightsim2grid.lightsim2grid_cpp import ContingencyAnalysisCPP

        self.study, self.model = study, study.models[0]
        self.grid, self.state = peer_grid(name, self.model.base.solver.base.voltage)
        loads = self.grid.get_loads()
        self.load_at = {loads[k].bus_id: (k, loads[k].target_p_mw) for k in range(len(loads))}
        self.analysis, self.sweeps = ContingencyAnalysisCPP, 0
        self.branches = self.model.branches[1:]
        arrays = self.model.arrays
        self.bus_row = {int(b): k for k, b in enumerate(arrays.bus_ids)}
        self.members = self.model.base.solver.members
        self.node_bus = np.array([int(np.flatnonzero(arrays.node == n)[0]) for n in self.members])
        self.number = self._numbers()

    def _numbers(self) -> list[int]:
        """lightsim2grid's number of each lost branch: its lines first, then its transformers, by ends and order."""
        arrays, taken, found = self.model.arrays, set(), []
        lines, units = self.grid.get_lines(), self.grid.get_trafos()
        ends = [(lines[k].bus1_id, lines[k].bus2_id) for k in range(len(lines))]
        ends += [(units[k].bus1_id, units[k].bus2_id) for k in range(len(units))]
        places: dict[frozenset, list[int]] = {}
        for k, (a, b) in enumerate(ends):
            places.setdefault(frozenset((a, b)), []).append(k)
        rank = np.zeros(arrays.n_branch, int)
        seen: dict[frozenset, int] = {}
        for k, (a, b) in enumerate(zip(arrays.f_bus.tolist(), arrays.t_bus.tolist(), strict=True)):
            key = frozenset((a, b))
            rank[k] = seen.get(key, 0)
            seen[key] = rank[k] + 1
        for k in self.branches:
            key = frozenset((int(arrays.f_bus[k]), int(arrays.t_bus[k])))
            number = places[key][rank[k]]
            assert number not in taken
            taken.add(number)
            found.append(number)
        return found

    def clean(self, mw) -> bool:
        """One full sweep with plants at the sites."""
        for site, p in zip(self.study.sites, mw, strict=True):
            k, base = self.load_at[self.bus_row[site.bus_id]]
            self.grid.change_p_load(k, base - p)
        state = np.asarray(self.grid.ac_pf(self.state.copy(), 30, 1e-8))
        if not len(state):
            return False
        sweep = self.analysis(self.grid)
        for number in self.number:
            sweep.add_n1(number)
        sweep.compute(state, 20, 1e-8)
        self.sweeps += 1
        found = np.asarray(sweep.get_voltages())
        order = np.argsort(self.number)  # the analysis goes by number
        voltage = np.empty((len(self.members), self.model.count), complex)
        voltage[:, 0] = state[self.node_bus]
        voltage[:, 1 + order] = found[:, self.node_bus].T
        if (np.abs(voltage[:, ~self.model.unsolved]) < 1e-6).any():
            return False
        from grid.capacity.together_rows import residuals
        from grid.capacity.together_states import States

        values = self.model.measure(States(self.model.base.solver, voltage, np.ones(self.model.count, bool)))
        percent, pu = residuals(self.model, values)
        return percent <= 1e-3 and pu <= 1e-6

    def greedy(self) -> np.ndarray:
        mw = np.zeros(len(self.study.sites))
        for s, most in enumerate(self.study.cap_mw):
            low, high = 0.0, float(most)
            if self.clean(np.where(np.arange(len(mw)) == s, high, mw)):
                low = high
            while high - low > HALVED_TO_MW:
                middle = 0.5 * (low + high)
                ok = self.clean(np.where(np.arange(len(mw)) == s, middle, mw))
                low, high = (middle, high) if ok else (low, middle)
            mw[s] = low
        return mw


def tied(study, ours, theirs, s: int) -> bool:
    """Whether some limit is within 0.1 % of its bound for both, with the sites up to ``s`` in: what is left of a row
    that earlier sites have filled to the last digit is noise for later ones that hardly load it."""
    full = []
    for mw in (ours.capacity_mw, theirs):
        prefix = np.where(np.arange(len(mw)) <= s, mw, 0.0)
        full.append({bound for bound, _ in study.broken(study.point(prefix, study.start), -1.0)})
    return bool(full[0] & full[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case118")
    parser.add_argument("--sites", type=int, default=6)
    parser.add_argument("--outages", type=int, default=0, help="0: all that keep the network in one piece")
    parser.add_argument("--wish", type=float, default=60.0)
    asked = parser.parse_args()
    from grid.batch import BatchSolver
    from grid.capacity.settings import CapacitySettings
    from grid.capacity.together import first_come, max_total
    from grid.capacity.together_records import NamedCase, Site, TogetherOptions
    from grid.capacity.together_study import Study
    from grid.readers.matpower import read_matpower

    case = rated(read_matpower(case_path(asked.case)))
    solver = BatchSolver.of_case(case)
    cut = set(solver._cut_sides())
    whole = [k for k in np.flatnonzero(solver.arrays.live) if k not in cut]
    rng = np.random.default_rng(0)
    lost = sorted(rng.choice(whole, min(asked.outages or len(whole), len(whole)), replace=False).tolist())
    held = set(case.generators["bus_id"])
    loads = [int(b) for b in case.loads["bus_id"] if int(b) not in held]
    sites = [Site(str(b), b, asked.wish) for b in sorted(rng.choice(loads, asked.sites, replace=False).tolist())]
    names = tuple(case.branches["branch_id"].iloc[lost])
    options = TogetherOptions(outages=names)
    settings = CapacitySettings(tolerate_base=True)
    print(f"{asked.case}: a sample of {len(sites)} of {len(loads)} load buses, {len(lost)} of {len(whole)} outages"
          " that keep the network in one piece; up to", asked.wish, "MW each")  # fmt: skip
    first_come(Study.of([NamedCase("base", case)], sites[:1], settings, options))  # compiles
    max_total(Study.of([NamedCase("base", case)], sites[:1], settings, options))

    begin = time.process_time()
    study = Study.of([NamedCase("base", case)], sites, settings, options)
    ours = first_come(study)
    we = time.process_time() - begin
    peer = Peer(study, asked.case)
    begin = time.process_time()
    theirs = peer.greedy()
    they = time.process_time() - begin
    ties = [s for s in np.flatnonzero(np.abs(ours.capacity_mw - theirs) > SAME_MW) if tied(study, ours, theirs, s)]
    apart = float(np.abs(np.delete(ours.capacity_mw - theirs, ties)).max())
    print("  ours ", np.round(ours.capacity_mw, 1), f"{ours.ac_states} AC states")
    print("  peer ", np.round(theirs, 1), f"{peer.sweeps} sweeps of {len(lost)}")
    print(f"  largest difference {apart:.2f} MW, but for {len(ties)} ties:"
          f" sites {', '.join(study.sites[s].id for s in ties) or '-'}")  # fmt: skip
    if not apart <= SAME_MW:
        sys.exit("the answers differ: no ratio")
    print(
        f"  greedy halving on lightsim2grid's sweeps / ours = {they / we:.1f} ({they:.1f} s, {we:.1f} s processor time)"
    )
    begin = time.process_time()
    most = max_total(Study.of([NamedCase("base", case)], sites, settings, options))
    took = time.process_time() - begin
    print(f"  largest total {most.total_mw:.1f} MW ({most.status}, bound {most.bound_mw:.1f}) against"
          f" {ours.total_mw:.1f} MW first come, {took:.1f} s, {most.ac_states} AC states")  # fmt: skip


if __name__ == "__main__":
    main()
