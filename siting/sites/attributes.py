"""What is known of the shape and the place of each site: :data:`siting.contracts.SITE_ATTRIBUTES`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import RasterLayer, VectorLayer
from siting.contracts import SITE_ATTRIBUTES, Sites
from siting.hosts.roofs import supply_areas
from siting.scoring.criteria import distance_km, raster_mean

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surroundings:
    """Layers that tell of the place of sites; None where the study has none. All in the frame's CRS."""

    districts: gpd.GeoDataFrame
    roads: VectorLayer | None = None
    power_lines: VectorLayer | None = None
    stations: gpd.GeoDataFrame | None = None
    """Points with ``station_id``."""
    townships: VectorLayer | None = None
    township_column: str = "name"
    slope: RasterLayer | None = None
    """Slope in degrees."""
    roofs: pd.DataFrame | None = None
    """Footprints, see :class:`siting.hosts.layers.HostGround`."""


def compactness(shapes: npt.NDArray[np.object_]) -> Floats:
    """Polsby-Popper ratio ``4 pi area / perimeter^2``: 1 for a disk, pi/4 for a square; of a multipolygon over the
    sum of the perimeters of its parts."""
    length = shapely.length(shapes)
    return np.asarray(
        np.divide(4 * math.pi * shapely.area(shapes), length**2, out=np.zeros(len(shapes)), where=length > 0)
    )


def site_attributes(sites: Sites, around: Surroundings) -> pd.DataFrame:
    """Attributes of all candidates, in their order."""
    candidates = sites.candidates
    unknown = np.full(len(candidates), np.nan)
    points = gpd.GeoSeries(gpd.points_from_xy(candidates["lon"], candidates["lat"]), crs="EPSG:4326")
    places = points.to_crs(candidates.crs).to_numpy() if len(candidates) else np.zeros(0, object)
    ids = candidates["candidate_id"]
    count = sites.turbines.groupby("candidate_id").size() if len(sites.turbines) else pd.Series(dtype=float)
    stations = around.stations
    table = pd.DataFrame(
        {
            "candidate_id": ids.to_numpy(object),
            "compactness": compactness(candidates.geometry.to_numpy()),
            "mean_slope_deg": unknown if around.slope is None else raster_mean(candidates, around.slope),
            "township": _township(places, around),
            "road_km": unknown if around.roads is None else distance_km(candidates, around.roads),
            "line_km": unknown if around.power_lines is None else distance_km(candidates, around.power_lines),
            "station_km": unknown if stations is None else _to_points_km(candidates, stations),
            "supply_area": _supply(places, around),
            "turbine_count": ids.map(count).fillna(0.0).to_numpy(float),
            "shared_share": ids.map(sites.co_use["shared_share"]).fillna(0.0).to_numpy(float),
            "co_use_yield_factor": ids.map(sites.co_use["co_use_yield_factor"]).fillna(1.0).to_numpy(float),
            **roof_columns(candidates, around.roofs),
        }
    )
    return SITE_ATTRIBUTES.validate(table[list(SITE_ATTRIBUTES.columns)])


def _township(places: npt.NDArray[np.object_], around: Surroundings) -> npt.NDArray[np.object_]:
    names = np.full(len(places), "", dtype=object)
    layer = around.townships
    if layer is None or not len(layer.features) or not len(places):
        return names
    texts = layer.features[around.township_column].fillna("").astype(str).to_numpy(object)
    point, town = shapely.STRtree(layer.features.geometry.to_numpy()).query(places, predicate="intersects")
    order = np.lexsort((-town, point))  # the first of several
    names[point[order]] = texts[town[order]]
    return names


def _to_points_km(candidates: gpd.GeoDataFrame, stations: gpd.GeoDataFrame) -> Floats:
    from layers.contracts import Origin

    return distance_km(candidates, VectorLayer("stations", stations, Origin.ASSUMED))


def _supply(places: npt.NDArray[np.object_], around: Surroundings) -> npt.NDArray[np.object_]:
    if around.stations is None or not len(places):
        return np.full(len(places), "", dtype=object)
    x, y = shapely.get_x(places), shapely.get_y(places)
    return supply_areas(x, y, around.stations, around.districts)


def roof_columns(candidates: gpd.GeoDataFrame, roofs: pd.DataFrame | None) -> dict[str, Floats]:
    """Count, pitch and shading of the mapped footprints of each candidate; NaN for candidates without any."""
    columns = {name: np.full(len(candidates), np.nan) for name in ("roof_count", "pitched_share", "shading_loss_share")}
    if roofs is None or not len(roofs):
        return columns
    site = roof_sites(candidates, roofs)
    found = site >= 0
    size = roofs["footprint_m2"].to_numpy(float)
    loss = roofs["shading_loss_share"].to_numpy(float)
    seen = np.isfinite(loss)

    def total(values: Floats, which: npt.NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(site[which], values[which], minlength=len(candidates)), float)

    count, area, known = total(np.ones(len(site)), found), total(size, found), total(size, found & seen)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns["roof_count"] = np.where(count > 0, count, np.nan)
        columns["pitched_share"] = np.where(
            area > 0, total(size * roofs["pitched"].to_numpy(bool), found) / area, np.nan
        )
        columns["shading_loss_share"] = np.where(known > 0, total(size * loss, found & seen) / known, np.nan)
    return columns


def roof_sites(candidates: gpd.GeoDataFrame, roofs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number of the candidate of each footprint: the nearest one of its host type within 1 km, -1 if there is none."""
    site = np.full(len(roofs), -1, np.int64)
    for name in sorted(set(roofs["host_type"])):
        mine = np.flatnonzero((roofs["host_type"] == name).to_numpy())
        there = np.flatnonzero((candidates["host_type"] == name).to_numpy())
        if len(there) and len(mine):
            tree = shapely.STRtree(candidates.geometry.to_numpy()[there])
            points = shapely.points(roofs["x_m"].to_numpy(float)[mine], roofs["y_m"].to_numpy(float)[mine])
            roof, near = tree.query_nearest(points, max_distance=1000.0, all_matches=False)
            site[mine[roof]] = there[near]
    return site


def names_of(layers: Sequence[VectorLayer], name: str) -> VectorLayer | None:
    """The layer with an id, None where there is none."""
    return next((layer for layer in layers if layer.id == name), None)
