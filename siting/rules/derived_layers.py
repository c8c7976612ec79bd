"""Rasters that rules read and no file holds: slope, aspect, class codes, share of a cell that some classes cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from layers.contracts import FindingLog, RasterLayer, SourceCard
from layers.frame import Frame, Tile
from layers.raster import open_on_frame, read_raster
from layers.submask import SUBDIVISION
from siting.rules.terrain import ASPECT_UNIT, LEVEL_DEGREE, SLOPE_UNIT, aspect_degree, slope_degree, with_halo

DerivedKind = Literal["slope", "aspect", "classes", "class_share"]

SHARE_UNIT = "share"
_STRIP_CELLS = 500_000


def derived_raster(
    card: SourceCard,
    frame: Frame,
    kind: DerivedKind,
    *,
    classes: Sequence[float] = (),
    level_degree: float = LEVEL_DEGREE,
    log: FindingLog | None = None,
) -> RasterLayer:
    """A raster on the study frame, worked out from a file.

    Parameters
    ----------
    card : SourceCard
        Elevations [m] for ``slope`` and ``aspect``; class codes for the others.
    frame : Frame
    kind
        ``slope``: degrees. ``aspect``: degrees from north, -1 on level ground. ``classes``: the code at the cell's
        centre. ``class_share``: share of the cell's 16 sub-cells whose centre holds one of ``classes``, 0 to 1.
    classes
        Codes that ``class_share`` counts.
    level_degree
        Ground gentler than this has no aspect.
    log
        Takes warnings and notes of the file.

    Returns
    -------
    RasterLayer
        NaN where not known: next to a gap for slopes, where any sub-cell has no value for shares.

    Raises
    ------
    InputError
        With every error of the file.
    """
    if kind in ("slope", "aspect"):
        source = read_raster(card, with_halo(frame), log=log)
        cell = frame.resolution_m
        if kind == "slope":
            return RasterLayer(card.id, frame, slope_degree(source.values, cell), SLOPE_UNIT, card.origin, card)
        faces = aspect_degree(source.values, cell, level_degree=level_degree)
        return RasterLayer(card.id, frame, faces, ASPECT_UNIT, card.origin, card)
    codes = read_raster(card, frame, log=log, resampling="nearest")
    if kind == "classes":
        return codes
    return RasterLayer(card.id, frame, _shares(card, frame, classes), SHARE_UNIT, card.origin, card)


def _shares(card: SourceCard, frame: Frame, classes: Sequence[float]) -> np.ndarray:
    """Share of each cell's sub-cells that hold one of the codes; codes are never averaged."""
    wanted = np.array(sorted(classes), np.float32)
    n = SUBDIVISION
    fine = Frame(frame.crs, frame.resolution_m / n, frame.left, frame.top, frame.height * n, frame.width * n)
    shares = np.empty(frame.shape, np.float32)
    step = max(1, _STRIP_CELLS // frame.width)
    with open_on_frame(card, fine, "nearest") as read:
        for row0 in range(0, frame.height, step):
            row1 = min(row0 + step, frame.height)
            values = read(Tile(row0 * n, row1 * n, 0, fine.width))
            hits = np.where(np.isnan(values), np.float32(np.nan), np.isin(values, wanted).astype(np.float32))
            shares[row0:row1] = hits.reshape(row1 - row0, n, frame.width, n).mean(axis=(1, 3))
    return shares
