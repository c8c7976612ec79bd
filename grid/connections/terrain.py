"""What a kilometre of line costs where: a raster of factors over a kilometre on plain farmland.

Land classes are rows of ``standards/route_terrain.csv``. Areas multiply the cost by the share of the cell that they
cover, the dearest class of a place counting; slopes do so from the degree on that the row names. What is crossed
(rivers, roads, railways) adds the row's kilometres once a crossing: spread over the cells that the feature touches,
so that a line which runs along a road stays beside it. ``inf`` forbids a cell that is covered by half or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio.features
import shapely
from pyproj import Transformer

from grid.standards_tables import standard_table
from layers.contracts import RasterLayer, VectorLayer
from layers.frame import Frame

MOST_CELLS = 200_000
STEPS_M = (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 750.0, 1000.0)
SUB_CELLS = 4
MOST_SUB_CELLS = 40_000_000
WGS84 = "EPSG:4326"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RouteTerrain:
    """Cost of a kilometre of line over that of a kilometre of plain, on a coarse frame.

    ``factor`` has the frame's shape, float32; infinite where no line may stand. ``used`` names the layers that
    entered, with their class.
    """

    frame: Frame
    factor: npt.NDArray[np.float32]
    used: tuple[tuple[str, str], ...]

    def cell(self, lon: float, lat: float) -> tuple[int, int] | None:
        """(row, column) of a place in WGS-84; None outside the frame."""
        rows, cols = self.cells(np.array([lon]), np.array([lat]))
        return None if rows[0] < 0 else (int(rows[0]), int(cols[0]))

    def cells(self, lon: Floats, lat: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows and columns of places in WGS-84; -1 outside the frame."""
        frame = self.frame
        x, y = _between(WGS84, frame.crs).transform(lon, lat)
        cols = np.floor((np.asarray(x) - frame.left) / frame.resolution_m).astype(np.int64)
        rows = np.floor((frame.top - np.asarray(y)) / frame.resolution_m).astype(np.int64)
        inside = (rows >= 0) & (rows < frame.height) & (cols >= 0) & (cols < frame.width)
        return np.where(inside, rows, -1), np.where(inside, cols, -1)

    def lon_lat(self, rows: Floats, cols: Floats) -> tuple[Floats, Floats]:
        """Centres of cells in WGS-84."""
        frame = self.frame
        x = frame.left + (np.asarray(cols) + 0.5) * frame.resolution_m
        y = frame.top - (np.asarray(rows) + 0.5) * frame.resolution_m
        lon, lat = _between(frame.crs, WGS84).transform(x, y)
        return np.asarray(lon), np.asarray(lat)


@lru_cache(maxsize=8)
def _between(source: str, target: str) -> Transformer:
    """To build a transformer takes longer than to use it."""
    return Transformer.from_crs(source, target, always_xy=True)


def coarse_step_m(bounds: tuple[float, float, float, float], finest_m: float = STEPS_M[0]) -> float:
    """Smallest step that keeps a frame below 200 000 cells (the largest step where none does)."""
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    fits = [s for s in STEPS_M if s >= finest_m and width * height / s**2 <= MOST_CELLS]
    return fits[0] if fits else STEPS_M[-1]


def route_terrain(
    bounds: tuple[float, float, float, float],
    crs: str,
    vectors: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer] = (),
    *,
    step_m: float | None = None,
    classes: pd.DataFrame | None = None,
    terrain_of: Mapping[str, str] | None = None,
    slope_layer: str = "slope",
) -> RouteTerrain:
    """Cost raster of an area.

    Parameters
    ----------
    bounds
        left, bottom, right, top in ``crs`` [m].
    vectors, rasters
        Layers in ``crs``; those that no class names do not enter. The raster ``slope_layer`` holds slopes in degrees.
    step_m
        Edge of a cell; None: see :func:`coarse_step_m`.
    classes
        Rows of the table ``route_terrain``; the standard one where None.
    terrain_of
        Class by layer id, before the layers that the classes name; an empty class leaves a layer out.
    """
    classes = standard_table("route_terrain") if classes is None else classes
    frame = Frame.from_bounds(bounds, step_m or coarse_step_m(bounds), crs)
    sub = SUB_CELLS if frame.height * frame.width * SUB_CELLS**2 <= MOST_SUB_CELLS else 1
    fine = np.ones((frame.height * sub, frame.width * sub), dtype=np.float32)
    extra = np.zeros(frame.shape, dtype=np.float32)
    used: list[tuple[str, str]] = []
    for row in classes.sort_values("factor").to_dict("records"):
        for layer in _layers_of(row, vectors, terrain_of or {}):
            if layer.features.empty:
                continue
            used.append((layer.id, str(row["terrain"])))
            if row["kind"] == "area":
                _burn_area(fine, frame, sub, layer.features, float(row["factor"]))
            else:
                extra += _crossings(frame, layer.features, float(row["crossing_km"]))
    for raster in rasters:
        if raster.id == slope_layer:
            used += _burn_slope(fine, frame, sub, raster, classes[classes["kind"] == "slope"])
    return RouteTerrain(frame, _cell_factor(fine, sub) + extra, tuple(used))


def _layers_of(
    row: Mapping[object, object], vectors: Sequence[VectorLayer], terrain_of: Mapping[str, str]
) -> list[VectorLayer]:
    """Layers of a class: what the study says, else what the class names."""
    names = str(row["layers"]).split()
    if row["kind"] == "slope":
        return []
    return [v for v in vectors if (terrain_of[v.id] == row["terrain"] if v.id in terrain_of else v.id in names)]


def _fine_frame(frame: Frame, sub: int) -> Frame:
    step = frame.resolution_m / sub
    return Frame(frame.crs, step, frame.left, frame.top, frame.height * sub, frame.width * sub)


def _burn_area(fine: npt.NDArray[np.float32], frame: Frame, sub: int, features: gpd.GeoDataFrame, value: float) -> None:
    """Sub-cells whose centre lies in a feature take the factor if it is the larger one (rows come in rising order)."""
    polygons = features.geometry[features.geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
    if len(polygons):
        rasterio.features.rasterize(
            [(shape, value) for shape in polygons], out=fine, transform=_fine_frame(frame, sub).transform
        )


def _crossings(frame: Frame, features: gpd.GeoDataFrame, crossing_km: float) -> npt.NDArray[np.float32]:
    """Factor that a crossing adds to the cells that a feature touches.

    A strip of width w touches about 1 + w / step cells of a line that crosses it, so each takes
    ``crossing_km / (step + w)``; w is 2 x area / perimeter, 0 of lines.
    """
    shapes = features.geometry.to_numpy()
    length = shapely.length(shapes)
    width_m = np.where(length > 0, 2 * shapely.area(shapes) / np.where(length > 0, length, 1.0), 0.0)
    values = 1000 * crossing_km / (frame.resolution_m + width_m)
    order = np.argsort(values, kind="stable")
    burnt = [(shapes[i], float(values[i])) for i in order.tolist()]
    return np.asarray(
        rasterio.features.rasterize(
            burnt, out_shape=frame.shape, transform=frame.transform, all_touched=True, dtype="float32"
        ),
        dtype=np.float32,
    )


def _burn_slope(
    fine: npt.NDArray[np.float32], frame: Frame, sub: int, raster: RasterLayer, classes: pd.DataFrame
) -> list[tuple[str, str]]:
    """Slopes are read at the centres of the sub-cells; where they are not known the ground counts as plain."""
    at, step = raster.frame, frame.resolution_m / sub
    x = frame.left + (np.arange(fine.shape[1]) + 0.5) * step
    y = frame.top - (np.arange(fine.shape[0]) + 0.5) * step
    cols = np.floor((x - at.left) / at.resolution_m).astype(int)
    rows = np.floor((at.top - y) / at.resolution_m).astype(int)
    in_x, in_y = (cols >= 0) & (cols < at.width), (rows >= 0) & (rows < at.height)
    if not in_x.any() or not in_y.any():
        return []
    r0, r1, c0, c1 = rows[in_y].min(), rows[in_y].max() + 1, cols[in_x].min(), cols[in_x].max() + 1
    part = np.asarray(raster.values[r0:r1, c0:c1], dtype=np.float32)
    slope = np.full(fine.shape, -1.0, dtype=np.float32)
    slope[np.ix_(in_y, in_x)] = np.nan_to_num(part[np.ix_(rows[in_y] - r0, cols[in_x] - c0)], nan=-1.0)
    for degree, factor in zip(classes["min_slope_degree"], classes["factor"], strict=True):
        steep = slope >= degree
        fine[steep] = np.maximum(fine[steep], np.float32(factor))
    return [(raster.id, str(name)) for name in classes["terrain"]]


def _cell_factor(fine: npt.NDArray[np.float32], sub: int) -> npt.NDArray[np.float32]:
    """Mean of the sub-cells; forbidden where half of them are, else the forbidden part counts as five times plain."""
    height, width = fine.shape[0] // sub, fine.shape[1] // sub
    blocks = fine.reshape(height, sub, width, sub)
    forbidden = np.isinf(blocks)
    mean = np.where(forbidden, np.float32(5.0), blocks).mean(axis=(1, 3))
    return np.where(forbidden.mean(axis=(1, 3)) >= 0.5, np.float32(np.inf), mean).astype(np.float32)
