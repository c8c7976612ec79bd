"""Outlines of sites for maps, and a point inside each. Areas are counted on cells, never on outlines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from rasterio import features

from layers.frame import Frame
from siting.patches import HALF_COVERED, Cells, unique_rows

Shapes = npt.NDArray[np.object_]

_SIMPLIFIED_CELLS = 0.75
_AREA_CHANGE = 0.05
_BLOCK_M = 250.0
_DENSE_SHARE = 0.25


def cell_outlines(cells: Cells, frame: Frame) -> Shapes:
    """Outline of the cells of every site that are at least half covered, smoothed within a cell.

    Corners within 0.75 cells of the line that replaces them are left out (Douglas and Peucker), which takes away most
    stairs of oblique borders. An outline whose area would change by more than 5 % keeps its corners.
    """
    core = cells.area_m2 >= frame.resolution_m**2 * (HALF_COVERED - 0.5) / 16
    core |= (np.bincount(cells.site, core, minlength=cells.count) == 0)[cells.site]
    row0, col0 = int(cells.row.min()), int(cells.col.min())
    raster = np.zeros((int(cells.row.max()) - row0 + 1, int(cells.col.max()) - col0 + 1), np.int32)
    raster[cells.row[core] - row0, cells.col[core] - col0] = cells.site[core] + 1
    left, top = frame.part_origin(row0, col0)
    r = frame.resolution_m
    transform = type(frame.transform)(r, 0, left, 0, -r, top)
    rings: list[list[shapely.Geometry]] = [[] for _ in range(cells.count)]
    for shape, value in features.shapes(raster, mask=raster > 0, connectivity=4, transform=transform):
        rings[int(value) - 1].append(shapely.geometry.shape(shape))
    exact = np.array([shapely.union_all(parts) for parts in rings], dtype=object)
    smooth = shapely.simplify(exact, _SIMPLIFIED_CELLS * r)
    area = shapely.area(exact)
    like = shapely.is_valid(smooth) & (np.abs(shapely.area(smooth) - area) <= _AREA_CHANGE * area)
    return np.where(like, smooth, exact)


def block_outlines(cells: Cells, frame: Frame) -> Shapes:
    """Squares of about 250 m on the lattice of the CRS that hold a site's cells, joined.

    Squares less than a quarter full are left out, unless the site has no fuller one: a province of villages stays
    light to draw.
    """
    factor = max(1, round(_BLOCK_M / frame.resolution_m))
    side = factor * frame.resolution_m
    col = (cells.col + round(frame.left / frame.resolution_m)) // factor
    row = (round(frame.top / frame.resolution_m) - 1 - cells.row) // factor
    (site, north, east), at = unique_rows(cells.site, row, col)
    full = np.bincount(at, cells.area_m2) >= _DENSE_SHARE * side**2
    drawn = full | (np.bincount(site, full, minlength=cells.count) == 0)[site]
    site, south, west = site[drawn], north[drawn] * side, east[drawn] * side
    boxes = np.asarray(shapely.box(west, south, west + side, south + side), dtype=object)
    starts = np.searchsorted(site, np.arange(1, cells.count))
    return np.array([shapely.union_all(part) for part in np.split(boxes, starts)], dtype=object)


def inner_points(cells: Cells, frame: Frame, outlines: Sequence[shapely.Geometry] | Shapes) -> Shapes:
    """A point of each site that lies in its outline: the centre of the cell nearest to the centre of area.

    Where that cell is not drawn, a point well inside the outline is taken.
    """
    weight = cells.total(cells.area_m2)
    mean_row = cells.total(cells.area_m2 * cells.row) / weight
    mean_col = cells.total(cells.area_m2 * cells.col) / weight
    away = (cells.row - mean_row[cells.site]) ** 2
    away += (cells.col - mean_col[cells.site]) ** 2
    least = np.full(cells.count, np.inf)
    np.minimum.at(least, cells.site, away)
    near = np.flatnonzero(away <= least[cells.site] + 1e-6)
    near = near[np.lexsort((cells.col[near], cells.row[near], cells.site[near]))]
    nearest = near[np.unique(cells.site[near], return_index=True)[1]]
    x = frame.left + (cells.col[nearest] + 0.5) * frame.resolution_m
    y = frame.top - (cells.row[nearest] + 0.5) * frame.resolution_m
    points, drawn = np.asarray(shapely.points(x, y), dtype=object), np.asarray(outlines, dtype=object)
    return np.where(shapely.contains_properly(drawn, points), points, shapely.point_on_surface(drawn))
