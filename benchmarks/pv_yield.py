"""Further orientations and mountings on one known weather cell: the fused kernel against pvlib's ModelChain.

Run: ``python benchmarks/pv_yield.py [--planes N]``. The weather is generated from the climate normals of Bozhou. One
thread, CPU time; sun and sky of the cell are known on our side (they are timed in ``pv_places.py``), ModelChain has no
way to keep them. Trackers run against ModelChain with ``SingleAxisTrackerMount`` and without shade between rows, as
ModelChain has it. The answers are compared first: 0.5 % in the year for each plane.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pv")]

REPEATS = 5


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest CPU time of some runs [s]: what the work costs when the machine is left alone."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    from pv_samples import bozhou, facing, lone_tracker, model_chain

    from siting.pv.chain import pv_cell, pv_yield_of

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=15, help="orientations; each is one ModelChain run")
    count = parser.parse_args().planes
    weather = bozhou()
    times = weather.hours.index + pd.Timedelta(30, "min")
    turns = np.linspace(90, 270, count)
    fixed = [facing(10.0 + 15 * (k % 3), float(turn)) for k, turn in enumerate(turns)]
    trackers = [facing(0, float(turn), lone_tracker()) for turn in np.linspace(150, 210, max(count // 3, 1))]
    cell = pv_cell(weather)
    failed = False
    for name, variants in (("fixed", fixed), ("tracking", trackers)):
        ours = pv_yield_of(cell, variants).power  # warm
        theirs = np.stack([model_chain(weather, variant, times) for variant in variants], axis=1)
        annual = float(np.abs(ours.sum(axis=0) / theirs.sum(axis=0) - 1).max())
        print(f"{name}: {len(variants)} planes, 8760 h; largest annual difference {annual:.1e}")
        if not annual < 5e-3:
            print("the answers differ: the ratio means nothing")
            failed = True
            continue
        many = variants * 8
        we = best(lambda many=many: pv_yield_of(cell, many)) / len(many)
        peer = best(lambda variant=variants[0]: model_chain(weather, variant, times))
        print(f"{name}: ModelChain {1e3 * peer:.1f} ms, ours {1e3 * we:.3f} ms a plane: ratio {peer / we:.0f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
