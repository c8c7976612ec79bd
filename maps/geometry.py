"""Shapes made light enough for a page: simplified in metres, written with five decimals (about one metre)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

DECIMALS = 5
METRES_PER_DEGREE = 111_320.0

Position = list[float]
Polygons = list[list[list[Position]]]
Shapes = Sequence[BaseGeometry] | npt.NDArray[np.object_]
Work = Callable[[npt.NDArray[np.object_]], npt.NDArray[np.object_]]


def is_wgs84(frame: gpd.GeoDataFrame | gpd.GeoSeries) -> bool:
    """True when the frame says that its positions are longitude and latitude on WGS-84."""
    crs = frame.crs
    if crs is None:
        return False
    return crs.to_authority() in {("EPSG", "4326"), ("OGC", "CRS84")} or crs.to_epsg() == 4326


def simplify(shapes: Shapes, tolerance_m: float) -> npt.NDArray[np.object_]:
    """Shapes in degrees with fewer corners, moved by no more than about ``tolerance_m`` metres on the ground.

    Rings never vanish and never cross themselves (topology is kept). Zero returns the shapes as they are.

    Raises
    ------
    ValueError
        For a negative tolerance.
    """
    geometries = np.asarray(shapes, dtype=object)
    return _in_metres(geometries, lambda g: shapely.simplify(g, tolerance_m, preserve_topology=True), tolerance_m)


def simplify_together(shapes: Shapes, tolerance_m: float) -> npt.NDArray[np.object_]:
    """Like :func:`simplify` for polygons that share borders: neighbours keep one common border, without gaps."""
    geometries = np.asarray(shapes, dtype=object)
    return _in_metres(geometries, lambda g: shapely.coverage_simplify(g, tolerance_m), tolerance_m)


def _in_metres(geometries: npt.NDArray[np.object_], work: Work, tolerance_m: float) -> npt.NDArray[np.object_]:
    """``work`` done on a local plane where one unit is one metre in both directions."""
    if tolerance_m < 0:
        raise ValueError(f"tolerance_m is {tolerance_m}: give zero or a positive number of metres")
    if tolerance_m == 0 or not len(geometries):
        return geometries
    bounds = shapely.total_bounds(geometries)
    scale = np.array([np.cos(np.radians((bounds[1] + bounds[3]) / 2)), 1.0]) * METRES_PER_DEGREE
    plane = shapely.transform(geometries, lambda xy: xy * scale)
    return np.asarray(shapely.transform(work(plane), lambda xy: xy / scale), dtype=object)


def polygon_positions(shape: BaseGeometry) -> Polygons:
    """Polygon or multipolygon as GeoJSON MultiPolygon coordinates, rounded; repeated corners are dropped."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return [[_positions(ring) for ring in (part.exterior, *part.interiors)] for part in parts]


def line_positions(shape: BaseGeometry) -> list[list[Position]]:
    """Line or multiline as GeoJSON MultiLineString coordinates, rounded; repeated corners are dropped."""
    return [_positions(part) for part in shapely.get_parts(shape) if part.geom_type == "LineString"]


def _positions(path: BaseGeometry) -> list[Position]:
    rounded = np.round(shapely.get_coordinates(path), DECIMALS)
    moved = np.any(np.diff(rounded, axis=0) != 0, axis=1)
    kept = rounded[np.concatenate([[True], moved])]
    few = 4 if path.geom_type == "LinearRing" else 2
    positions: list[Position] = (kept if len(kept) >= few else rounded).tolist()
    return positions


def label_point(shape: BaseGeometry) -> Position:
    """Latitude and longitude of the middle of the widest inner circle: a good place for a name."""
    largest = max(shapely.get_parts(shape), key=lambda part: part.area)
    circle = shapely.maximum_inscribed_circle(largest, tolerance=0.002)
    lon, lat = shapely.get_coordinates(circle)[0]
    return [round(float(lat), DECIMALS), round(float(lon), DECIMALS)]
