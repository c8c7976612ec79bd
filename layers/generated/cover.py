"""Land cover under construction: every layer takes only ground that no earlier layer has taken.

::

    add(river) -> add(town) -> add(village) ...      what is left of each cell at the end is the rest (cropland)

A *cell* is the part of one district in one square tile, so that no overlay ever sees more than a few kilometres.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.generated.shapes import Shapes, as_shapes

TILE_M = 5_000.0

LATTICE_M = 0.001
"""Every coordinate lies on this lattice, and so does every overlay. In plain floating point, edges that coincide but
for the last bit made an overlay drop a hole now and then (seen with GEOS 3.14: one cell of cropland lay over a
hill)."""

LOCAL_ROADS = ("national", "county")
"""Classes of road that join towns."""


@dataclass(frozen=True)
class Cells:
    """Region cut into cells: geometries and the position of each cell's district."""

    geometry: Shapes
    district: npt.NDArray[np.int64]


def cut_into_cells(districts: Shapes, tile_m: float = TILE_M) -> Cells:
    """Cells of the districts on a lattice of whole multiples of ``tile_m``, in a fixed order."""
    shapes, owners = [], []
    for number, district in enumerate(districts):
        left, bottom, right, top = np.floor(np.array(district.bounds) / tile_m)
        columns, rows = np.meshgrid(np.arange(left, right + 1), np.arange(bottom, top + 1))
        x, y = columns.ravel() * tile_m, rows.ravel() * tile_m
        parts = polygons_only(
            shapely.intersection(shapely.box(x, y, x + tile_m, y + tile_m), district, grid_size=LATTICE_M)
        )
        parts = parts[shapely.area(parts) > 0]
        shapes.append(parts)
        owners.append(np.full(len(parts), number))
    return Cells(np.concatenate(shapes), np.concatenate(owners))


def polygons_only(geometries: object) -> Shapes:
    """Overlay results with points and lines dropped; a geometry without area becomes an empty polygon."""
    shapes = as_shapes(geometries).copy()
    for i in np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = shapely.get_parts(shapes[i])
        shapes[i] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    shapes[shapely.get_dimensions(shapes) < 2] = shapely.Polygon()
    return shapes


def on_lattice(shapes: Shapes) -> Shapes:
    """Shapes with every coordinate on the lattice, still valid."""
    return polygons_only(shapely.set_precision(shapes, LATTICE_M)) if len(shapes) else shapes


def carve(shapes: Shapes, obstacles: Shapes) -> Shapes:
    """``shapes`` without the ground of ``obstacles``; shapes that touch none come back as they were."""
    if not len(shapes) or not len(obstacles):
        return shapes
    hit, by = shapely.STRtree(obstacles).query(shapes, predicate="intersects")
    return _subtract(shapes, obstacles, hit, by)


def carve_in_turn(shapes: Shapes) -> Shapes:
    """``shapes`` made disjoint: each without the ground of those before it."""
    hit, by = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    earlier = by < hit
    return _subtract(shapes, shapes, hit[earlier], by[earlier])


def _subtract(shapes: Shapes, obstacles: Shapes, hit: npt.NDArray[np.int64], by: npt.NDArray[np.int64]) -> Shapes:
    """``shapes[hit]`` without ``obstacles[by]``, pair by pair."""
    if not len(hit):
        return shapes
    order = np.lexsort((by, hit))
    hit, by = hit[order], by[order]
    used, by = np.unique(by, return_inverse=True)
    obstacles = obstacles[used]
    alone = stand_alone(obstacles)
    touched, starts = np.unique(hit, return_index=True)
    result = shapes.copy()
    for i, group in zip(touched, np.split(by, starts[1:]), strict=True):
        taken = _together(obstacles[group], alone[group])
        result[i] = shapely.difference(shapes[i], taken, grid_size=LATTICE_M)
    return polygons_only(result)


def stand_alone(shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Mask of the shapes that are at least ten lattice steps from every other: rounding could close a smaller gap."""
    first, second = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=10 * LATTICE_M)
    return np.asarray(np.bincount(first[first != second], minlength=len(shapes)) == 0)


def _together(shapes: Shapes, alone: npt.NDArray[np.bool_]) -> shapely.MultiPolygon:
    """Union of shapes; those that touch no other need no overlay, which is most of the time."""
    crowd = shapes[~alone]
    if len(crowd) > 1:
        crowd = as_shapes(shapely.union_all(crowd, grid_size=LATTICE_M))
    return shapely.MultiPolygon(list(shapely.get_parts(np.concatenate([shapes[alone], crowd]))))


def within_cells(shapes: Shapes, cells: Cells) -> tuple[Shapes, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """``shapes`` cut along the cells: pieces, the shape each is a piece of, and its district's position."""
    shape, cell = shapely.STRtree(cells.geometry).query(shapes, predicate="intersects")
    order = np.lexsort((cell, shape))
    shape, cell = shape[order], cell[order]
    pieces = polygons_only(shapely.intersection(shapes[shape], cells.geometry[cell], grid_size=LATTICE_M))
    return pieces, shape, cells.district[cell]


@dataclass
class Cover:
    """Layers taken so far, in the order in which they took their ground."""

    crs: object
    cells: Cells
    districts: Shapes
    codes: npt.NDArray[np.object_]
    layers: dict[str, list[gpd.GeoDataFrame]] = field(default_factory=dict)

    def taken(self, *ids: str) -> Shapes:
        """Geometries of the named layers (all when none is named), in the order they were added."""
        wanted = [part for id_, parts in self.layers.items() if not ids or id_ in ids for part in parts]
        return np.concatenate([as_shapes(part.geometry.to_numpy()) for part in wanted]) if wanted else as_shapes([])

    def taken_in(self, code: str, *ids: str) -> Shapes:
        """Ground of the named layers (all when none is named) in one district, town roads left out.

        What is placed clear of this depends on the district alone; those roads cut through it afterwards.
        """
        shapes = [as_shapes([])]
        for id_, parts in self.layers.items():
            for part in parts if not ids or id_ in ids else ():
                own = part["district_code"] == code
                if "class" in part:
                    own &= ~part["class"].isin(LOCAL_ROADS)
                shapes.append(as_shapes(part.geometry[own].to_numpy()))
        return np.concatenate(shapes)

    def features(self, id_: str) -> gpd.GeoDataFrame:
        """One layer; its parts together, numbered from 0."""
        parts = self.layers[id_]
        filled = [part for part in parts if len(part)] or parts[:1]  # an empty part has no column types
        return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=self.crs)

    def add_long(self, id_: str, shapes: Shapes, attributes: pd.DataFrame, min_area_m2: float = 20.0) -> None:
        """Take the ground of long things (rivers, roads), cut along the cells."""
        pieces, source, district = within_cells(shapes, self.cells)
        self._store(id_, pieces, district, attributes.iloc[source], min_area_m2)

    def add_compact(
        self,
        id_: str,
        shapes: Shapes,
        district: npt.NDArray[np.int64],
        attributes: pd.DataFrame,
        min_area_m2: float,
    ) -> None:
        """Take the ground of compact things within their own district."""
        owner = self.districts[district]
        for polygon in self.districts:
            shapely.prepare(polygon)
        across = ~shapely.contains_properly(owner, shapes)
        shapes = shapes.copy()
        shapes[across] = polygons_only(shapely.intersection(shapes[across], owner[across], grid_size=LATTICE_M))
        self._store(id_, shapes, district, attributes, min_area_m2)

    def _store(
        self,
        id_: str,
        shapes: Shapes,
        district: npt.NDArray[np.int64],
        attributes: pd.DataFrame,
        min_area_m2: float,
    ) -> None:
        shapes = on_lattice(shapes)
        free = carve_in_turn(carve(shapes, self.taken())) if len(shapes) else shapes
        keep = shapely.area(free) >= min_area_m2
        table = attributes[keep].reset_index(drop=True)
        table.insert(0, "district_code", self.codes[district[keep]].astype(object))
        self.layers.setdefault(id_, []).append(gpd.GeoDataFrame(table, geometry=free[keep], crs=self.crs))

    def rest(self) -> tuple[Shapes, npt.NDArray[np.int64]]:
        """What no layer has taken, at most one piece per cell, and the district of each piece."""
        left = carve(self.cells.geometry, self.taken())
        keep = shapely.area(left) > 1.0
        return left[keep], self.cells.district[keep]


def touches(shapes: Shapes, obstacles: Shapes) -> npt.NDArray[np.bool_]:
    """Mask of the shapes that share a point with any obstacle."""
    hit = np.zeros(len(shapes), dtype=bool)
    if len(shapes) and len(obstacles):
        hit[shapely.STRtree(obstacles).query(shapes, predicate="intersects")[0]] = True
    return hit


def clear_of(points: npt.NDArray[np.float64], obstacles: Shapes, distance_m: float) -> npt.NDArray[np.bool_]:
    """Mask of the points farther than ``distance_m`` from every obstacle."""
    clear = np.ones(len(points), dtype=bool)
    if len(points) and len(obstacles):
        near, _ = shapely.STRtree(obstacles).query(shapely.points(points), predicate="dwithin", distance=distance_m)
        clear[near] = False
    return clear
