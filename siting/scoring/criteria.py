"""Values of the criteria of every candidate: attributes, distances on the ground, raster means. NaN is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import Finding, InputError, RasterLayer, VectorLayer
from siting.scoring.contracts import CRITERION_VALUES, Criterion

Floats = npt.NDArray[np.float64]


def criterion_values(
    candidates: gpd.GeoDataFrame,
    yields: pd.DataFrame,
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    criteria: Sequence[Criterion],
    attributes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Long table of values, see :data:`siting.scoring.contracts.CRITERION_VALUES`; by criterion, then by candidate.

    Parameters
    ----------
    candidates
        In a metric CRS; distances are measured from their polygons.
    yields
        Follows :data:`siting.yields.contracts.YIELDS`.
    layers, rasters
        In the same CRS.
    attributes
        Follows :data:`siting.contracts.SITE_ATTRIBUTES`; None where no criterion reads ``site.<column>``.

    Raises
    ------
    InputError
        With every criterion whose source is not understood or names a column or layer that is not there.
    """
    findings: list[Finding] = []
    parts = []
    tables = {"yield": yields} if attributes is None else {"yield": yields, "site": attributes}
    for criterion in criteria:
        values = _values(criterion, candidates, tables, layers, rasters, findings)
        parts.append(
            pd.DataFrame({"candidate_id": candidates["candidate_id"], "criterion": criterion.id, "value": values})
        )
    if findings:
        raise InputError(findings)
    table = pd.concat(parts, ignore_index=True) if parts else CRITERION_VALUES.empty()
    return CRITERION_VALUES.validate(table)


def _values(
    criterion: Criterion,
    candidates: gpd.GeoDataFrame,
    tables: Mapping[str, pd.DataFrame],
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    findings: list[Finding],
) -> Floats:
    unknown = np.full(len(candidates), np.nan)
    if ":" in criterion.source:
        kind, name = criterion.source.split(":", 1)
        layer = next((one for one in layers if one.id == name), None)
        raster = next((one for one in rasters if one.id == name), None)
        if kind == "distance" and layer is not None:
            return distance_km(candidates, layer)
        if kind == "raster" and raster is not None:
            return raster_mean(candidates, raster)
    else:
        kind, _, name = criterion.source.partition(".")
        if kind == "candidate" and name in candidates and pd.api.types.is_numeric_dtype(candidates[name]):
            return np.asarray(candidates[name], float)
        table = tables.get(kind)
        if table is not None and name in table and pd.api.types.is_numeric_dtype(table[name]):
            return np.asarray(candidates["candidate_id"].map(table.set_index("candidate_id")[name]), float)
    remedy = "Use yield.<column>, site.<column>, candidate.<column>, distance:<layer> or raster:<layer>."
    message = "the source is not understood, or names what is not there."
    findings.append(
        Finding("error", "criteria.source", "study", "criteria", criterion.id, criterion.source, message, remedy)
    )
    return unknown


def distance_km(candidates: gpd.GeoDataFrame, layer: VectorLayer) -> Floats:
    """Distance from each candidate's polygon to the nearest feature [km]; 0 where they touch, NaN without features."""
    shapes = layer.features.geometry.to_numpy()
    if not len(shapes) or not len(candidates):
        return np.full(len(candidates), np.nan)
    if layer.features.crs != candidates.crs:
        raise ValueError(f"layer {layer.id} is in another CRS than the candidates")
    geometries = candidates.geometry.to_numpy()
    (inputs, _), metres = shapely.STRtree(shapes).query_nearest(geometries, return_distance=True, all_matches=False)
    result = np.full(len(candidates), np.nan)
    result[inputs] = metres / 1000
    return result


def raster_mean(candidates: gpd.GeoDataFrame, raster: RasterLayer) -> Floats:
    """Mean of the raster over each candidate's cells; NaN where any of its cells is unknown."""
    from rasterio import features

    result = np.full(len(candidates), np.nan)
    frame = raster.frame
    for number, shape in enumerate(candidates.geometry):
        left, bottom, right, top = shape.bounds
        r = frame.resolution_m
        row0, row1 = max(0, int((frame.top - top) // r)), min(frame.height, int((frame.top - bottom) // r) + 1)
        col0, col1 = max(0, int((left - frame.left) // r)), min(frame.width, int((right - frame.left) // r) + 1)
        if row0 >= row1 or col0 >= col1:
            continue
        x, y = frame.part_origin(row0, col0)
        transform = type(frame.transform)(r, 0, x, 0, -r, y)
        inside = features.rasterize([shape], (row1 - row0, col1 - col0), transform=transform, dtype="uint8") > 0
        values = raster.values[row0:row1, col0:col1][inside]
        if values.size:
            result[number] = float(values.mean(dtype=np.float64))
    return result
