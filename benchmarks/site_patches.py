"""Patches of eligible land on a large frame: runs read in strips against scipy.ndimage.label on the whole raster.

We: :func:`siting.sites.patches.find_patches` on a :class:`layers.mask_store.MaskStore`, labels by union-find over runs.
Peer: ``scipy.ndimage.label`` with 8 neighbours on the dense raster, areas by ``bincount``; it needs the raster and its
labels in memory. Least width and gaps are left out, because the peer has none.

Measured on a shared two-core machine: see benchmarks/README.md.

    .venv/bin/python benchmarks/site_patches.py [rows] [columns]
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np
from scipy import ndimage

from layers.mask_store import MaskStore, rows_of
from siting.sites.patches import HALF_COVERED, CoverSource, Strip, find_patches


def land(rows: int, cols: int) -> MaskStore:
    """Blobs of land with oblique borders, some 15 % of the frame, as sub-cell masks."""
    rng = np.random.default_rng(3)
    store = MaskStore((rows, cols))
    bits = (1 << np.arange(17)) - 1
    for row0 in range(0, rows, 512):
        height = min(512, rows - row0)
        coarse = rng.random((height // 16 + 2, cols // 16 + 2))
        fine = ndimage.zoom(ndimage.uniform_filter(coarse, 3), 16, order=1)[:height, :cols]
        cover = np.clip((fine - 0.62) * 200, 0, 16).astype(np.int64)
        store.write(row0, bits[cover].astype(np.uint16))
    return store


def ours(store: MaskStore) -> np.ndarray:
    def read(row0: int, row1: int) -> Strip:
        return Strip.of_share(np.bitwise_count(rows_of(store, row0, row1)), 1.0)

    source = CoverSource(store.shape, read, np.ones(store.shape[0]))
    runs = find_patches(source, 1, 0.0).runs
    core = runs.cover >= HALF_COVERED
    return np.sort(np.bincount(runs.site[core], (runs.cover * runs.length)[core]))


def peer(store: MaskStore) -> np.ndarray:
    cover = np.bitwise_count(np.asarray(store))
    labels, count = ndimage.label(cover >= HALF_COVERED, np.ones((3, 3), bool))
    return np.sort(np.bincount(labels.ravel(), cover.ravel(), minlength=count + 1)[1:])


def measured(work, store: MaskStore) -> tuple[np.ndarray, float, float]:
    """Result, seconds, and peak of Python's and numpy's memory [MiB] in a second run."""
    start = time.perf_counter()
    result = work(store)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    work(store)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return result, seconds, peak


def main() -> int:
    rows, cols = (int(a) for a in (sys.argv[1:3] if len(sys.argv) > 2 else ("8000", "7000")))
    store = land(rows, cols)
    a, b = measured(ours, store), measured(peer, store)
    if len(a[0]) != len(b[0]) or not np.allclose(a[0], b[0]):
        print(f"the answers differ: {len(a[0])} and {len(b[0])} patches")
        return 1
    print(f"{rows * cols / 1e6:.0f} Mcell, {len(a[0])} patches, same areas")
    print(f"ours {a[1]:.2f} s, {a[2]:.0f} MiB; scipy.ndimage.label {b[1]:.2f} s, {b[2]:.0f} MiB")
    print(f"ratio: {b[1] / a[1]:.2f} in time, {b[2] / a[2]:.2f} in memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
