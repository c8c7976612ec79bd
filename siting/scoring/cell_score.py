"""Weighted score of every cell from rasters, in strips: where on the eligible land would a project be good?

A criterion's value function is given by its breakpoints (exact for linear, trapezoid and table functions, sampled for
logistic ones). A cell without a value of any one criterion has no score: unknown is never zero.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.contracts import RasterLayer
from layers.frame import Frame
from layers.mask_store import BLOCK_ROWS, MaskStore, rows_of

Floats = npt.NDArray[np.float32]

_STRIP_CELLS = 500_000
_CACHED_CELLS = 40_000


@dataclass(frozen=True)
class CellCriterion:
    """One criterion of a cell score.

    ``breaks`` ascend in the raster's unit, ``heights`` are the values there (0 to 1); between them the value is linear,
    beyond the ends it is level.
    """

    id: str
    raster: RasterLayer
    weight: float
    breaks: npt.NDArray[np.float64]
    heights: npt.NDArray[np.float64]


def score_strips(
    criteria: Sequence[CellCriterion],
    *,
    within: MaskStore | npt.NDArray[Any] | None = None,
    workers: int | None = None,
) -> Iterator[tuple[int, Floats]]:
    """(first row, score) of strips from north to south.

    Parameters
    ----------
    criteria : sequence of CellCriterion
        On one frame; at least one, weights 0 or more and not all 0.
    within : MaskStore or ndarray, optional
        Cells to score, those that are not 0 (eligible land); all others are NaN.
    workers : int, optional
        Threads, by default one a core; the score does not depend on it.

    Returns
    -------
    iterator of (int, float32 array)
        ``sum(weight * value) / sum(weight)``, 0 to 1; NaN where a criterion has no value.

    Raises
    ------
    ValueError
        For criteria that make no score: none, different frames, weights or breakpoints out of order.
    """
    frame = check_criteria(criteria, within)
    threads = workers or os.cpu_count() or 1
    step = max(1, _STRIP_CELLS // (frame.width * BLOCK_ROWS)) * BLOCK_ROWS

    def strip(row0: int) -> Floats:
        return _strip(criteria, within, row0, min(row0 + step, frame.height), frame.width)

    with ThreadPoolExecutor(threads) as pool:
        waiting = []
        for row0 in range(0, frame.height, step):
            waiting.append((row0, pool.submit(strip, row0)))
            if len(waiting) > 2 * threads:
                first, job = waiting.pop(0)
                yield first, job.result()
        for first, job in waiting:
            yield first, job.result()


def score_cells(
    criteria: Sequence[CellCriterion],
    *,
    within: MaskStore | npt.NDArray[Any] | None = None,
    workers: int | None = None,
) -> Floats:
    """The whole raster of :func:`score_strips`."""
    out = np.empty(check_criteria(criteria, within).shape, np.float32)
    for row0, score in score_strips(criteria, within=within, workers=workers):
        out[row0 : row0 + score.shape[0]] = score
    return out


def _strip(
    criteria: Sequence[CellCriterion],
    within: MaskStore | npt.NDArray[Any] | None,
    row0: int,
    row1: int,
    width: int,
) -> Floats:
    cells = None if within is None else rows_of(within, row0, row1)
    if cells is not None and not cells.any():
        return np.full((row1 - row0, width), np.nan, np.float32)
    return score_rows(criteria, [np.asarray(rows_of(c.raster.values, row0, row1)) for c in criteria], cells)


def score_rows(
    criteria: Sequence[CellCriterion], values: Sequence[npt.NDArray[Any]], within: npt.NDArray[Any] | None
) -> Floats:
    """Score of some rows from the criteria's values there; NaN where ``within`` is 0."""
    from siting.scoring.cell_score_kernels import add_criterion, as_score

    weights = np.array([criterion.weight for criterion in criteria], np.float64)
    shares = weights / weights.sum()
    pieces = [(np.asarray(c.breaks, np.float64), np.asarray(c.heights, np.float64)) for c in criteria]
    wanted = np.empty((0, 0), np.uint16) if within is None else within
    rows, width = values[0].shape
    step = max(1, _CACHED_CELLS // width)
    score, total = np.empty((rows, width), np.float32), np.empty((step, width), np.float64)
    for row0 in range(0, rows, step):  # a few rows at a time, so that the sums stay in the processor's cache
        part = slice(row0, row0 + step)
        sums, cells = total[: min(step, rows - row0)], wanted[part]
        sums[:] = 0.0
        for share, found, (breaks, heights) in zip(shares, values, pieces, strict=True):
            add_criterion(sums, found[part], share, breaks, heights, cells)
        if within is None:
            score[part] = sums
        else:
            as_score(score[part], sums, cells)
    return score


def check_criteria(criteria: Sequence[CellCriterion], within: MaskStore | npt.NDArray[Any] | None = None) -> Frame:
    """The frame of criteria that make a score, or a ValueError that says what is wrong with them."""
    if not criteria:
        raise ValueError("a score needs a criterion")
    frame = criteria[0].raster.frame
    for criterion in criteria:
        breaks, heights = np.asarray(criterion.breaks, float), np.asarray(criterion.heights, float)
        if criterion.raster.frame != frame or criterion.raster.values.shape != frame.shape:
            raise ValueError(f"criterion {criterion.id}: its raster is not on the frame of the others")
        if breaks.ndim != 1 or breaks.shape != heights.shape or breaks.size < 2 or not (np.diff(breaks) > 0).all():
            raise ValueError(
                f"criterion {criterion.id}: two or more ascending breakpoints with a value each are needed"
            )
        if not (np.isfinite(criterion.weight) and criterion.weight >= 0):
            raise ValueError(f"criterion {criterion.id}: a weight is 0 or more, got {criterion.weight}")
    if not sum(criterion.weight for criterion in criteria) > 0:
        raise ValueError("all weights are 0")
    if within is not None and within.shape != frame.shape:
        raise ValueError(f"the land to score has the shape {within.shape}, the frame {frame.shape}")
    return frame
