"""Outlines of sites for maps, and a point inside each. Areas are counted on cells, never on outlines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio import features

from layers.frame import Frame
from siting.sites.patches import HALF_COVERED, unique_rows
from siting.sites.runs import Runs

Shapes = npt.NDArray[np.object_]

_SIMPLIFIED_CELLS = 0.75
_AREA_CHANGE = 0.05
_BLOCK_M = 250.0
_DENSE_SHARE = 0.25


def cell_outlines(runs: Runs, frame: Frame) -> Shapes:
    """Outline of the cells of every site that are at least half covered, smoothed within a cell.

    Corners within 0.75 cells of the line that replaces them are left out (Douglas and Peucker), which takes away most
    stairs of oblique borders. An outline whose area would change by more than 5 % keeps its corners. One site is
    drawn at a time, so that no raster is larger than a site.
    """
    core = runs.cover >= HALF_COVERED
    core |= (np.bincount(runs.site, core, minlength=runs.count) == 0)[runs.site]
    drawn = runs.take(core)
    order = np.argsort(drawn.site, kind="stable")
    members = np.split(order, np.searchsorted(drawn.site[order], np.arange(1, runs.count)))
    exact = np.array([_outline(drawn.take(chosen), frame) for chosen in members], dtype=object)
    smooth = shapely.simplify(exact, _SIMPLIFIED_CELLS * frame.resolution_m)
    area = shapely.area(exact)
    like = shapely.is_valid(smooth) & (np.abs(shapely.area(smooth) - area) <= _AREA_CHANGE * area)
    return np.where(like, smooth, exact)


def _outline(runs: Runs, frame: Frame) -> shapely.Geometry:
    row0, col0 = int(runs.row.min()), int(runs.col.min())
    raster = np.zeros((int(runs.row.max()) - row0 + 1, int(runs.last.max()) - col0 + 2), np.int8)
    np.add.at(raster, (runs.row - row0, runs.col - col0), 1)
    np.add.at(raster, (runs.row - row0, runs.last + 1 - col0), -1)
    raster = np.cumsum(raster, axis=1, dtype=np.int8)[:, :-1].astype(np.uint8)
    left, top = frame.part_origin(row0, col0)
    transform = Affine(frame.resolution_m, 0, left, 0, -frame.resolution_m, top)
    found = features.shapes(raster, mask=raster > 0, connectivity=4, transform=transform)
    parts = [shapely.geometry.shape(shape) for shape, _ in found]
    # parts meet at corners at most, so that they are a multipolygon as they stand
    whole: shapely.Geometry = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)  # type: ignore[arg-type]
    return whole if shapely.is_valid(whole) else shapely.union_all(parts)


def block_outlines(runs: Runs, frame: Frame) -> Shapes:
    """Squares of about 250 m on the lattice of the CRS that hold a site's cells, joined.

    Squares less than a quarter full are left out, unless the site has no fuller one: a province of villages stays
    light to draw.
    """
    factor = max(1, round(_BLOCK_M / frame.resolution_m))
    side = factor * frame.resolution_m
    first_col = round(frame.left / frame.resolution_m)
    pieces = runs.split(factor, -(first_col % factor))
    col = (pieces.col.astype(np.int64) + first_col) // factor
    row = (round(frame.top / frame.resolution_m) - 1 - pieces.row.astype(np.int64)) // factor
    (site, north, east), at = unique_rows(pieces.site, row, col)
    full = np.bincount(at, pieces.land_m2) >= _DENSE_SHARE * side**2
    drawn = full | (np.bincount(site, full, minlength=runs.count) == 0)[site]
    site, south, west = site[drawn], north[drawn] * side, east[drawn] * side
    boxes = np.asarray(shapely.box(west, south, west + side, south + side), dtype=object)
    starts = np.searchsorted(site, np.arange(1, runs.count))
    return np.array([shapely.coverage_union_all(part) for part in np.split(boxes, starts)], dtype=object)


def centre_cells(runs: Runs) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row and column of the centre of owned area of each site, in cells from the frame's first one."""
    land = runs.land_m2
    weight = runs.total(land)
    middle = runs.col + 0.5 * (runs.length - 1)
    return runs.total(land * runs.row) / weight, runs.total(land * middle) / weight


def inner_points(runs: Runs, frame: Frame, outlines: Sequence[shapely.Geometry] | Shapes) -> Shapes:
    """A point of each site that lies in its outline: the centre of the cell nearest to the centre of area.

    Where that cell is not drawn, a point well inside the outline is taken.
    """
    mean_row, mean_col = centre_cells(runs)
    # of each run, the cell nearest to the centre; of two equally near ones the western
    col = np.clip(np.ceil(mean_col[runs.site] - 0.5 - 1e-6).astype(np.int64), runs.col, runs.last)
    away = (runs.row - mean_row[runs.site]) ** 2 + (col - mean_col[runs.site]) ** 2
    least = np.full(runs.count, np.inf)
    np.minimum.at(least, runs.site, away)
    near = np.flatnonzero(away <= least[runs.site] + 1e-6)
    near = near[np.lexsort((col[near], runs.row[near], runs.site[near]))]
    nearest = near[np.unique(runs.site[near], return_index=True)[1]]
    x = frame.left + (col[nearest] + 0.5) * frame.resolution_m
    y = frame.top - (runs.row[nearest] + 0.5) * frame.resolution_m
    points, drawn = np.asarray(shapely.points(x, y), dtype=object), np.asarray(outlines, dtype=object)
    return np.where(shapely.contains_properly(drawn, points), points, shapely.point_on_surface(drawn))
