"""Small places for tests of rules: a frame of 10 m cells, square features, rules with a short name."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from layers.contracts import Origin, RasterLayer, Region, VectorLayer
from layers.frame import Frame
from layers.submask import rasterize_submask
from siting.contracts import Rule

CRS = "EPSG:4548"
LEFT, BOTTOM = 500_000.0, 3_700_000.0
SIDE_M = 400.0


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    """A rectangle in metres from the frame's south-west corner."""
    return shapely.box(LEFT + x0, BOTTOM + y0, LEFT + x1, BOTTOM + y1)


def point(x: float, y: float) -> shapely.Point:
    return shapely.Point(LEFT + x, BOTTOM + y)


def layer(name: str, *shapes: shapely.Geometry, **columns: list[Any]) -> VectorLayer:
    table = {"n": range(len(shapes)), **columns}
    return VectorLayer(name, gpd.GeoDataFrame(table, geometry=list(shapes), crs=CRS), Origin.MAPPED)


def frame(side_m: float = SIDE_M, resolution_m: float = 10.0) -> Frame:
    n = round(side_m / resolution_m)
    return Frame(CRS, resolution_m, LEFT, BOTTOM + side_m, n, n)


def raster(name: str, values: object, unit: str, where: Frame | None = None) -> RasterLayer:
    where = where or frame()
    full = np.broadcast_to(np.asarray(values, np.float32), where.shape).copy()
    return RasterLayer(name, where, full, unit, Origin.MEASURED)


def region(where: Frame | None = None) -> Region:
    """One district that fills the frame; cell areas are those of the plane."""
    where = where or frame()
    shape = shapely.box(*where.bounds)
    districts = gpd.GeoDataFrame(
        {
            "district_code": ["341602"],
            "name_zh": ["甲区"],
            "name_en": ["Jia"],
            "area_km2": [shape.area / 1e6],
            "population": [1.0],
        },
        geometry=[shape],
        crs=CRS,
    )
    mask = rasterize_submask([shape], where)
    area = np.full(where.height, where.resolution_m**2)
    return Region(where, districts, np.ones(where.shape, np.int16), mask, area)


def rule(name: str = "r", on: str = "x", **more: object) -> Rule:
    return Rule(name, name, name, on, tuple(more.pop("applies_to", ())), **more)  # type: ignore[arg-type]


def cell(where: Frame, place: shapely.Point) -> tuple[int, int]:
    """Row and column of the cell that holds a point."""
    return int((where.top - place.y) // where.resolution_m), int((place.x - where.left) // where.resolution_m)


def subcell_centres(where: Frame) -> np.ndarray:
    """Points of the centres of all sub-cells, shape (4 h, 4 w), from the north-west."""
    sub = where.resolution_m / 4
    x = where.left + sub * (np.arange(4 * where.width) + 0.5)
    y = where.top - sub * (np.arange(4 * where.height) + 0.5)
    return shapely.points(*np.meshgrid(x, y))
