"""Exact Euclidean distance to the nearest feature, cell centre to cell centre, in strips of bounded memory.

The square of the distance splits by axis: the nearest feature in each column first, then, along each row, the lower
envelope of parabolas. Blocks of rows need from the others only the nearest row with a feature above and below them,
hence any block can be worked on alone, and the whole raster is never held but in the result.

References
----------
P. Felzenszwalb, D. Huttenlocher, Distance transforms of sampled functions, Theory of Computing 8 (2012) 415-428,
doi:10.4086/toc.2012.v008a019.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.mask_store import BLOCK_ROWS, MaskStore, rows_of
from layers.submask import each_block

Raster = MaskStore | npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def distance_m(
    features: Raster, resolution_m: float, *, max_distance_m: float = np.inf, workers: int | None = None
) -> Floats:
    """Distance from each cell centre to that of the nearest cell with a feature [m].

    Parameters
    ----------
    features : MaskStore or ndarray, shape (rows, columns)
        A feature is where the value is not 0; of a sub-cell mask, where any sub-cell is covered.
    resolution_m : float
        Size of a cell [m].
    max_distance_m : float
        Longer distances are cut to it, which is faster; ``inf``: none is.
    workers : int, optional
        Threads, by default one a core; the result does not depend on it.

    Returns
    -------
    ndarray of float32, same shape
        0 in cells with a feature; ``max_distance_m`` everywhere where there is no feature at all.
    """
    _check(resolution_m, max_distance_m)
    threads = workers or os.cpu_count() or 1
    out = np.empty(features.shape, np.float32)
    above, below = _carried(features, threads)

    def block(row0: int) -> None:
        _block(features, row0, above, below, resolution_m, max_distance_m, out[row0 : row0 + BLOCK_ROWS])

    each_block(block, features.shape[0], threads)
    return out


def distance_strips(
    features: Raster, resolution_m: float, *, max_distance_m: float = np.inf, workers: int | None = None
) -> Iterator[tuple[int, Floats]]:
    """(first row, distances) of strips from north to south; the same values as :func:`distance_m`.

    Memory is that of a few strips and of two rows for each :data:`layers.mask_store.BLOCK_ROWS` rows of the raster.
    """
    _check(resolution_m, max_distance_m)
    threads = workers or os.cpu_count() or 1
    above, below = _carried(features, threads)
    height, width = features.shape

    def strip(row0: int) -> Floats:
        out = np.empty((min(BLOCK_ROWS, height - row0), width), np.float32)
        _block(features, row0, above, below, resolution_m, max_distance_m, out)
        return out

    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        for row0 in range(0, height, BLOCK_ROWS):
            waiting.append((row0, pool.submit(strip, row0)))
            if len(waiting) > 2 * threads:
                first, job = waiting.pop(0)
                yield first, job.result()
        for first, job in waiting:
            yield first, job.result()


def _check(resolution_m: float, max_distance_m: float) -> None:
    if not (np.isfinite(resolution_m) and resolution_m > 0):
        raise ValueError(f"the size of a cell must be above 0 m, got {resolution_m} m")
    if not max_distance_m > 0:
        raise ValueError(f"the largest distance must be above 0 m, got {max_distance_m} m")


def _carried(features: Raster, threads: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Nearest row with a feature north and south of each block, shape (blocks, columns)."""
    from layers.distance_kernels import NONE_ABOVE, NONE_BELOW, ends_of_features

    height, width = features.shape
    blocks = -(-height // BLOCK_ROWS)
    first, last = np.empty((blocks, width), np.int32), np.empty((blocks, width), np.int32)

    def block(row0: int) -> None:
        k = row0 // BLOCK_ROWS
        ends_of_features(rows_of(features, row0, min(row0 + BLOCK_ROWS, height)), row0, first[k], last[k])

    each_block(block, height, threads)
    np.maximum.accumulate(last, axis=0, out=last)
    first[::-1] = np.minimum.accumulate(first[::-1], axis=0)
    above = np.vstack([np.full((1, width), NONE_ABOVE, np.int32), last[:-1]])
    below = np.vstack([first[1:], np.full((1, width), NONE_BELOW, np.int32)])
    return above, below


def _block(
    features: Raster,
    row0: int,
    above: npt.NDArray[np.int32],
    below: npt.NDArray[np.int32],
    resolution_m: float,
    max_distance_m: float,
    out: Floats,
) -> None:
    from layers.distance_kernels import distance_block

    cells = rows_of(features, row0, row0 + out.shape[0])
    k = row0 // BLOCK_ROWS
    distance_block(cells, row0, above[k], below[k], float(resolution_m), float(max_distance_m), out)
