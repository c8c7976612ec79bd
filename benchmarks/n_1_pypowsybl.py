"""N-1 of a MATPOWER case: our AC batch against pypowsybl's security analysis.

Run: ``python benchmarks/n_1_pypowsybl.py [case1354pegase] [--outages 300]``. The same single outages of lines that keep
the network in one piece, the whole process' time on the clock (pypowsybl runs in its own threads); the base voltages
are compared before the ratio is printed. Needs the package ``pypowsybl`` (extra ``bench``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ac_batch import case_path

SAME_PU = 1e-4
"""The peer stops at a mismatch of its own."""


def peer_network(name: str):
    import pypowsybl.loadflow as lf
    import pypowsybl.network as pn
    from matpowercaseframes import CaseFrames
    from scipy.io import savemat

    frames = CaseFrames(str(case_path(name)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.mat"
        mpc = {
            "version": "2", "baseMVA": float(frames.baseMVA), "bus": frames.bus.to_numpy(float),
            "gen": frames.gen.to_numpy(float), "branch": frames.branch.to_numpy(float),
        }  # fmt: skip
        savemat(path, {"mpc": mpc})
        network = pn.load(str(path))
    options = lf.Parameters(
        voltage_init_mode=lf.VoltageInitMode.DC_VALUES, use_reactive_limits=False, distributed_slack=False
    )
    return network, options


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case1354pegase")
    parser.add_argument("--outages", type=int, default=300)
    asked = parser.parse_args()
    import pypowsybl.loadflow as lf
    import pypowsybl.security as ps

    from grid.batch import BatchSolver
    from grid.readers.matpower import read_matpower

    case = read_matpower(case_path(asked.case))
    batch = BatchSolver.of_case(case)
    network, options = peer_network(asked.case)
    lf.run_ac(network, options)
    buses = network.get_bus_breaker_view_buses()
    number = buses.index.str.extract(r"(\d+)$", expand=False).astype(int)
    nominal = network.get_voltage_levels()["nominal_v"].reindex(buses["voltage_level_id"]).to_numpy()
    theirs = dict(zip(number, buses["v_mag"].to_numpy() / nominal, strict=True))
    ours = dict(zip(case.buses["bus_id"], np.abs(batch.base.voltage), strict=True))
    shared = sorted(set(ours) & set(theirs))
    apart = max(abs(ours[b] - theirs[b]) for b in shared)
    print(f"{asked.case}: {len(shared)} of {len(ours)} buses compared, largest |dV| of the base case {apart:.1e} pu")
    if not shared or apart > SAME_PU:
        sys.exit("the base cases differ: no ratio")

    arrays, cut = batch.arrays, set(batch._cut_sides())
    rows = np.array([k for k in np.flatnonzero(arrays.live) if k not in cut])[: asked.outages]
    lines = list(network.get_lines().index)[: len(rows)]
    for _ in batch.outages(rows[:64]):
        pass
    begin = time.perf_counter()
    for _ in batch.outages(rows):
        pass
    we = (time.perf_counter() - begin) / len(rows)
    analysis = ps.create_analysis()
    analysis.add_single_element_contingencies(lines)
    begin = time.perf_counter()
    result = analysis.run_ac(network, options)
    they = (time.perf_counter() - begin) / len(lines)
    done = sum(str(r.status).endswith("CONVERGED") for r in result.post_contingency_results.values())
    print(f"  {len(rows)} outages of ours, {len(lines)} of the peer's lines ({done} converged)")
    print(f"  pypowsybl security analysis / ours = {they / we:.1f} an outage, on the clock")


if __name__ == "__main__":
    main()
