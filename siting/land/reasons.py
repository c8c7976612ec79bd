"""Why is this plot out? Rules and areas of any place, worked out from the layers again, exactly as for the region.

The bits of a place do not depend on the frame that asks for them, so a small frame around the place gives the very
numbers of the whole run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from layers.contracts import Finding, InputError, RasterLayer, Region, VectorLayer
from layers.frame import Frame, Tile
from layers.mask_store import rows_of
from layers.submask import rasterize_submask
from siting.contracts import HostLand, HostLayer, HostType, LandResult, Rule
from siting.land.eligibility import evaluate_land
from siting.land.ledger import BY_PRIORITY, LedgerPolicy

_NEAR_KINDS = ("vector", "vector_outside", "cell_share", "cell_share_below")
"""Kinds for which a feature acts no farther than its setback."""


def rules_at(land: HostLand, row: int, col: int) -> tuple[str, ...]:
    """Ids of the rules that exclude host land in one cell, from the stored reasons."""
    if land.reasons is None:
        raise ValueError("the land was evaluated without reasons")
    bits = int(land.reasons[row, col])
    return tuple(rule for j, rule in enumerate(land.rules) if bits >> j & 1)


def reasons(
    where: BaseGeometry,
    region: Region,
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    host_layers: Sequence[HostLayer],
    host_types: Sequence[HostType],
    rules: Sequence[Rule],
    *,
    mapped_by: Sequence[str],
    co_use: Sequence[tuple[str, str]] = (),
    policy: LedgerPolicy = BY_PRIORITY,
) -> LandResult:
    """States, waterfall and ledger of a place within the region.

    Parameters
    ----------
    where : shapely geometry
        In the region's CRS: a polygon (a site, a window), or a point, which stands for its cell.
    region, layers, rasters, host_layers, host_types, rules, mapped_by, co_use, policy
        As given to :func:`siting.land.eligibility.evaluate_land` for the whole region.

    Returns
    -------
    LandResult
        On the smallest part of the region's frame that holds the place; its tables count the place alone.

    Raises
    ------
    InputError
        If the place lies outside the region, or for any fault of the inputs.
    """
    tile = _tile(where, region.frame)
    frame = region.frame.part(tile) if tile is not None else region.frame
    shape = shapely.box(*frame.bounds) if where.geom_type == "Point" else where  # a point stands for its cell
    mask = np.zeros((0, 0), np.uint16)
    if tile is not None:
        mask = rasterize_submask([shape], frame) & rows_of(region.mask, tile.row0, tile.row1)[:, tile.slices[1]]
    if tile is None or not mask.any():
        message = "the place lies outside the study region, or holds no sub-cell of it."
        remedy = "Give a place within the districts, in the region's CRS."
        raise InputError(
            [Finding("error", "land.place_outside", "study", "land", "where", where.wkt[:80], message, remedy)]
        )
    part = Region(
        frame,
        region.districts,
        rows_of(region.district_index, tile.row0, tile.row1)[:, tile.slices[1]],
        mask,
        region.cell_area_m2[tile.slices[0]],
    )
    near = [_near(layer, frame, _reach(layer.id, rules)) for layer in layers]
    cut = [replace(raster, frame=frame, values=np.asarray(raster.values[tile.slices])) for raster in rasters]
    return evaluate_land(
        part, near, cut, host_layers, host_types, rules, mapped_by=mapped_by, co_use=co_use, policy=policy, workers=1
    )


def _tile(where: BaseGeometry, frame: Frame) -> Tile | None:
    """Cells that the place's bounds meet, None where there are none."""
    west, south, east, north = where.bounds
    r = frame.resolution_m
    rows = np.clip([np.floor((frame.top - north) / r), np.floor((frame.top - south) / r) + 1], 0, frame.height)
    cols = np.clip([np.floor((west - frame.left) / r), np.floor((east - frame.left) / r) + 1], 0, frame.width)
    if rows[0] >= rows[1] or cols[0] >= cols[1]:
        return None
    return Tile(int(rows[0]), int(rows[1]), int(cols[0]), int(cols[1]))


def _reach(layer: str, rules: Sequence[Rule]) -> float:
    """Distance beyond which a layer's features do not matter."""
    reach = 0.0
    for rule in rules:
        if layer in (rule.layer, rule.features_of):
            reach = max(reach, rule.widest_setback_m if rule.kind in _NEAR_KINDS else np.inf)
    return reach


def _near(layer: VectorLayer, frame: Frame, reach_m: float) -> VectorLayer:
    """The layer with the features that can matter; one with none at all keeps its first, so that it stays a layer."""
    if np.isinf(reach_m) or layer.features.empty:
        return layer
    left, bottom, right, top = frame.bounds
    more = reach_m + frame.resolution_m
    bounds = shapely.bounds(layer.features.geometry.to_numpy())
    keep = (bounds[:, 0] < right + more) & (bounds[:, 2] > left - more)
    keep &= (bounds[:, 1] < top + more) & (bounds[:, 3] > bottom - more)
    keep[0] |= not keep.any()
    features: gpd.GeoDataFrame = layer.features[keep]
    return replace(layer, features=features)
