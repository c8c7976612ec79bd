"""A hundred thousand roofs on forty weather cells: eight orientations, then every roof its own.

Run: ``python benchmarks/pv_roofs.py [--roofs N] [--cells N]``. One thread. Prints CPU seconds, the growth of the
process's memory and, for a sample of roofs, the largest annual difference to pvlib's ModelChain (compared first) with
the time ModelChain would take for all (its time for the sample, scaled up).
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pv")]

SAMPLE = 12


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    from pv_samples import TABLES, bozhou, facing, model_chain

    from siting.pv.fleet import Roofs, pv_fleet

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roofs", type=int, default=100_000)
    parser.add_argument("--cells", type=int, default=40)
    given = parser.parse_args()
    rng = np.random.default_rng(1)
    base, first = TABLES.pv_variant("roof_pitched_south"), bozhou()
    shift = rng.uniform(-1.0, 1.0, (given.cells, 2))
    weather = [
        dataclasses.replace(first, cell_id=f"c{k}", latitude=first.latitude + dy, longitude=first.longitude + dx)
        for k, (dx, dy) in enumerate(shift.tolist())
    ]
    cell = rng.integers(0, given.cells, given.roofs)
    capacity = rng.uniform(3, 30, given.roofs)
    eight = Roofs(cell, np.full(given.roofs, 22.0), rng.integers(0, 8, given.roofs) * 45.0, capacity)
    own = Roofs(cell, rng.uniform(5, 45, given.roofs), rng.uniform(0, 360, given.roofs), capacity)
    warm = Roofs(cell[:2], eight.tilt_deg[:2], eight.azimuth_deg[:2], capacity[:2])
    pv_fleet(weather, warm, base)
    times = first.hours.index + pd.Timedelta(30, "min")
    model_chain(first, facing(22, 180, base), times)
    failed = False
    for name, roofs in (("eight orientations", eight), ("own orientations", own)):
        before = peak_mib()
        start = time.process_time()
        result = pv_fleet(weather, roofs, base)
        seconds = time.process_time() - start
        grown = peak_mib() - before
        start = time.process_time()
        worst = 0.0
        for k in rng.integers(0, given.roofs, SAMPLE):
            plane = facing(float(roofs.tilt_deg[k]), float(roofs.azimuth_deg[k]), base)
            theirs = model_chain(weather[roofs.cell[k]], plane, times).sum() / base.dc_ac_ratio
            worst = max(worst, abs(result.specific_yield_kwh_per_kw[k] / theirs - 1))
        peer = (time.process_time() - start) / SAMPLE * given.roofs
        print(f"{name}: {given.roofs} roofs, {given.cells} cells; largest annual difference of a sample {worst:.1e}")
        if not worst < 5e-3:
            print("the answers differ: the ratio means nothing")
            failed = True
            continue
        print(f"{name}: {seconds:.1f} s, memory +{grown:.0f} MiB; ModelChain / ours = {peer / seconds:.0f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
