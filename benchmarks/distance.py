"""Distance to the nearest feature: we against scipy.ndimage.distance_transform_edt, same raster, answers compared.

Run: ``python benchmarks/distance.py [side in cells, default 10000]``. Each side runs once more in a process of its own
for its peak memory.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIZE_M = 25.0


def features(side: int) -> np.ndarray:
    """Winding lines, as roads lie: some 0.1 % of the cells."""
    cells = np.zeros((side, side), bool)
    draw = np.random.default_rng(1)
    along = np.arange(side)
    for _ in range(8):
        bend = np.cumsum(draw.integers(-1, 2, side))
        cells[along, (draw.integers(side) + bend) % side] = True
        cells[(draw.integers(side) - bend) % side, along] = True
    return cells


def ours(cells: np.ndarray) -> np.ndarray:
    from layers.distance import distance_m

    return distance_m(cells, SIZE_M)


def peer(cells: np.ndarray) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~cells, sampling=SIZE_M)


def peak_mib(which: str, side: int) -> float:
    command = [sys.executable, __file__, str(side), which]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if len(sys.argv) > 2:
        (ours if sys.argv[2] == "ours" else peer)(features(side))
        status = Path("/proc/self/status").read_text()
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        return
    ours(features(100))  # compiled before the clock runs
    cells = features(side)
    start, busy = time.perf_counter(), time.process_time()
    mine = ours(cells)
    we_s, we_busy_s = time.perf_counter() - start, time.process_time() - busy
    start, busy = time.perf_counter(), time.process_time()
    theirs = peer(cells)
    peer_s, peer_busy_s = time.perf_counter() - start, time.process_time() - busy
    worst = max(float(np.abs(a - b).max()) for a, b in zip(mine, theirs, strict=True))
    scale = float(theirs.max())
    print(f"{side} x {side} cells; largest difference {worst:.2g} m of {scale:.0f} m")
    if worst > 1e-6 * scale:
        print("the answers differ: the ratio means nothing")
        sys.exit(1)
    del mine, theirs, cells
    ratio = peak_mib("peer", side) / peak_mib("ours", side)
    print(f"ours {side**2 / we_s / 1e6:.0f} Mcell/s, scipy {side**2 / peer_s / 1e6:.1f} Mcell/s")
    print(f"processor time: ours {we_busy_s:.1f} s, scipy {peer_busy_s:.1f} s ({peer_busy_s / we_busy_s:.1f} times)")
    print(f"scipy / ours = {peer_s / we_s:.1f} in time, {ratio:.1f} in peak memory")


if __name__ == "__main__":
    main()
