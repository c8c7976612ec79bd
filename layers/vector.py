"""Vector files: everything that can be wrong with one, and a layer ready for the frame.

:func:`inspect_vector` tells all at once; :func:`read_vector` refuses what is wrong and repairs nothing
without saying so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from layers.contracts import Finding, FindingLog, InputError, Severity, SourceCard, VectorLayer
from layers.datum import CHINA_BOX, GEOGRAPHIC_CRS, WGS84, transform_geometries
from layers.source_crs import Coordinates, resolve_coordinates, stated_crs
from layers.source_file import card_finding, file_findings

Bounds = tuple[float, float, float, float]

_NAMED_ROWS = 20
"""Rows named one by one; what goes beyond is counted in one more finding."""

_SLIVER_SHARE = 1e-4
"""A crossing that leaves the area unsure by less than this is mended with a warning; beyond, it is an error."""

_DATUM_MARGIN_DEG = 0.03
"""More than BD-09 is ever off: a window in WGS-84 widened by this holds all shifted features of it."""


@dataclass(frozen=True)
class _Loaded:
    """Sound features in the file's coordinates, and what these coordinates are."""

    features: gpd.GeoDataFrame
    coordinates: Coordinates


def inspect_vector(card: SourceCard) -> list[Finding]:
    """Everything that is wrong with a vector source.

    Looked for: missing file, other checksum, unreadable file, unknown layer name, wrong filter, missing,
    unsupported or contradicted CRS, empty layer, rows without geometry, invalid geometries (self-crossing
    rings and the like, with the place), duplicated geometries, positions that are no longitude and latitude,
    positions outside China.

    Parameters
    ----------
    card : SourceCard

    Returns
    -------
    list of Finding
        In the order above; empty when all is well. Rows are counted from 0 in file order. At most 20 rows
        are named per rule, the rest is counted.
    """
    return _load(card, None)[1]


def read_vector(
    card: SourceCard, target_crs: str, *, bbox_wgs84: Bounds | None = None, log: FindingLog | None = None
) -> VectorLayer:
    """One vector source in the CRS of the frame.

    Parameters
    ----------
    card : SourceCard
        Says where the file is and, where the file cannot, in which datum its coordinates are.
    target_crs : str
        CRS of the study frame, e.g. ``EPSG:4548``.
    bbox_wgs84 : tuple of float, optional
        (west, south, east, north) in degrees; only features whose envelope meets it are read and checked.
        Include the widest setback, so that objects beyond the border still act.
    log : FindingLog, optional
        Takes the warnings and notes.

    Returns
    -------
    VectorLayer
        Two-dimensional, valid, non-empty geometries; rows in file order, index from 0. No row where the
        window holds nothing (a warning says so).

    Raises
    ------
    InputError
        With every error of the file at once.
    """
    loaded, findings = _load(card, bbox_wgs84)
    if loaded is None:
        raise InputError(f for f in findings if f.severity == "error")
    if log is not None:
        log.extend(findings)
    # once more after projection: rings that touch can cross by rounding
    features = _with_slivers_mended(_project(loaded, target_crs, bbox_wgs84))
    return VectorLayer(card.id, features.reset_index(drop=True), card.origin, card)


def _load(card: SourceCard, bbox_wgs84: Bounds | None) -> tuple[_Loaded | None, list[Finding]]:
    findings = file_findings(card)
    if any(f.rule == "source.file_missing" for f in findings):
        return None, findings
    layer, more = _layer_name(card)
    findings += more
    if layer is None:
        return None, findings
    info = pyogrio.read_info(card.path, layer=layer)
    stated = stated_crs(card.path, info["driver"], info["crs"])
    coordinates, more = resolve_coordinates(card, stated)
    findings += more
    window = None if bbox_wgs84 is None or coordinates is None else _window_of_file(bbox_wgs84, coordinates)
    try:
        features = _read(card, layer, window)
    except (ValueError, DataSourceError, DataLayerError) as error:
        return None, [*findings, _unreadable(card, str(error))]
    findings += _row_findings(card, features, stated, windowed=window is not None)
    if coordinates is None or any(f.severity == "error" for f in findings):
        return None, findings
    return _Loaded(_with_slivers_mended(features), coordinates), findings


def _read(card: SourceCard, layer: str, window: Bounds | None) -> gpd.GeoDataFrame:
    table = pyogrio.read_dataframe(card.path, layer=layer, where=card.where, bbox=window)
    if not isinstance(table, gpd.GeoDataFrame):  # no geometry column at all
        return gpd.GeoDataFrame(table, geometry=[None] * len(table))
    return table


def _layer_name(card: SourceCard) -> tuple[str | None, list[Finding]]:
    try:
        names = [str(name) for name in pyogrio.list_layers(card.path)[:, 0]]
    except DataSourceError as error:
        return None, [_unreadable(card, str(error))]
    if card.layer in names:
        return card.layer, []
    if card.layer is None and len(names) == 1:
        return names[0], []
    listed = ", ".join(names) or "none"
    what = "the card names no layer" if card.layer is None else f"there is no layer {card.layer!r}"
    return None, [
        card_finding(
            card,
            "error",
            "vector.layer_unknown",
            "layer",
            card.layer,
            f"{what}; the file holds: {listed}.",
            f"Set layer on source {card.id!r} to one of these.",
        )
    ]


def _unreadable(card: SourceCard, reason: str) -> Finding:
    reason = reason.replace(str(card.path), card.shown_path)
    value = card.where or card.shown_path
    return card_finding(
        card,
        "error",
        "vector.unreadable",
        "where" if card.where else "path",
        value,
        f"the file could not be read: {reason}.",
        f"Check the file's format and the filter 'where' of source {card.id!r}.",
    )


def _window_of_file(bbox_wgs84: Bounds, coordinates: Coordinates) -> Bounds:
    west, south, east, north = bbox_wgs84
    if coordinates.crs is not None:
        to_file = Transformer.from_crs(WGS84, coordinates.crs, always_xy=True)
        return to_file.transform_bounds(west, south, east, north, densify_pts=51)
    margin = _DATUM_MARGIN_DEG if coordinates.datum in ("gcj02", "bd09") else 1e-6
    return west - margin, south - margin, east + margin, north + margin


def _project(loaded: _Loaded, target_crs: str, bbox_wgs84: Bounds | None) -> gpd.GeoDataFrame:
    features, coordinates = loaded.features, loaded.coordinates
    if coordinates.crs is not None:
        flat = gpd.GeoSeries(shapely.force_2d(features.geometry.to_numpy()), crs=coordinates.crs, index=features.index)
        return features.set_geometry(flat.to_crs(target_crs))
    if bbox_wgs84 is not None and coordinates.datum in ("gcj02", "bd09"):
        geographic = transform_geometries(features, coordinates.datum, WGS84)
        features = features[shapely.intersects(shapely.box(*bbox_wgs84), shapely.box(*geographic.bounds.to_numpy().T))]
    return transform_geometries(features, coordinates.datum, target_crs)


def _with_slivers_mended(features: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = features.geometry.to_numpy().copy()
    broken = ~shapely.is_valid(shapes)
    if not broken.any():
        return features
    shapes[broken] = _mended(shapes[broken])
    return features.set_geometry(gpd.GeoSeries(shapes, index=features.index, crs=features.crs))


def _row_findings(card: SourceCard, features: gpd.GeoDataFrame, stated: CRS | None, *, windowed: bool) -> list[Finding]:
    if features.empty:
        return [_empty_window(card) if windowed else _empty(card)]
    shapes = features.geometry.to_numpy()
    return [
        *_without_geometry(card, shapes),
        *_invalid(card, shapes),
        *_duplicates(card, shapes),
        *_misplaced(card, features, stated),
    ]


def _empty(card: SourceCard) -> Finding:
    filtered = f" under the filter {card.where!r}" if card.where else ""
    return card_finding(
        card,
        "error",
        "vector.empty_layer",
        "features",
        0,
        f"the layer has no feature{filtered}.",
        "An empty layer would read as 'nothing is there'. Supply the data or remove the source.",
    )


def _empty_window(card: SourceCard) -> Finding:
    return card_finding(
        card,
        "warning",
        "vector.nothing_in_window",
        "features",
        0,
        "the layer has no feature in or near the study region.",
        "Check that the layer covers the region.",
    )


def _without_geometry(card: SourceCard, shapes: np.ndarray) -> list[Finding]:
    missing = shapely.is_missing(shapes)
    empty = ~missing & shapely.is_empty(shapes)
    remedy = "Repair the row in the source or leave it out with the filter 'where'."
    return _by_row(
        card, missing, "error", "vector.geometry_missing", lambda _: "null", "the row has no geometry.", remedy
    ) + _by_row(
        card, empty, "error", "vector.geometry_empty", lambda _: "empty", "the row's geometry is empty.", remedy
    )


def _invalid(card: SourceCard, shapes: np.ndarray) -> list[Finding]:
    bad, sliver = _invalid_rows(shapes)
    return _by_row(
        card,
        bad & ~sliver,
        "error",
        "vector.geometry_invalid",
        lambda row: str(shapely.is_valid_reason(shapes[row])),
        "the geometry is not valid (for instance a ring that crosses itself), so its area is not defined.",
        "Repair it in the source (QGIS: Fix geometries) and look at the result.",
    ) + _by_row(
        card,
        sliver,
        "warning",
        "vector.geometry_sliver",
        lambda row: str(shapely.is_valid_reason(shapes[row])),
        f"the outline crosses itself, its area is unsure by less than {_SLIVER_SHARE:.2%}; it is mended on reading.",
        "Nothing need be done; repairing the source makes this warning go away.",
    )


def _invalid_rows(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are not valid, and those of them where it hardly matters.

    A signed sum over the ring and the area of the mended shape agree when the crossing is a sliver (rounded
    coordinates), and differ when whole parts are counted negative, twice or not at all.
    """
    bad = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    sliver = bad.copy()
    mended = _mended(shapes[bad])
    area, signed = shapely.area(mended), shapely.area(shapes[bad])
    sliver[bad] = (area > 0) & (np.abs(area - signed) <= _SLIVER_SHARE * area)
    return bad, sliver


def _mended(shapes: np.ndarray) -> np.ndarray:
    """Valid shapes of the same dimension: points and lines that the mending leaves over are dropped."""
    valid = shapely.make_valid(shapes)
    return np.array([_highest_dimension(shape) for shape in valid], dtype=object)


def _highest_dimension(shape: BaseGeometry) -> BaseGeometry:
    if shape.geom_type != "GeometryCollection":
        return shape
    parts = shapely.get_parts(shape)
    dimension = shapely.get_dimensions(parts)
    return shapely.union_all(parts[dimension == dimension.max()])


def _by_row(
    card: SourceCard,
    which: np.ndarray,
    severity: Severity,
    rule: str,
    value_of: Callable[[int], str],
    message: str,
    remedy: str,
) -> list[Finding]:
    rows = np.flatnonzero(which)
    named = [
        card_finding(card, severity, rule, f"row {row}", value_of(row), message, remedy) for row in rows[:_NAMED_ROWS]
    ]
    if len(rows) > _NAMED_ROWS:
        more = len(rows) - _NAMED_ROWS
        named.append(
            card_finding(card, severity, rule, f"{more} more rows", _rows(rows[_NAMED_ROWS:]), message, remedy)
        )
    return named


def _rows(rows: np.ndarray) -> str:
    shown = ", ".join(str(row) for row in rows[:_NAMED_ROWS])
    return f"rows {shown}" + (", ..." if len(rows) > _NAMED_ROWS else "")


def _duplicates(card: SourceCard, shapes: np.ndarray) -> list[Finding]:
    keys = pd.Series(shapely.to_wkb(shapely.normalize(shapes)))
    again = (keys.duplicated() & keys.notna()).to_numpy()
    if not again.any():
        return []
    return [
        card_finding(
            card,
            "warning",
            "vector.geometry_duplicated",
            f"{again.sum()} rows",
            _rows(np.flatnonzero(again)),
            "the same geometry occurs more than once; areas count once, lists and totals by row count twice.",
            "Remove the copies in the source unless they are meant.",
        )
    ]


def _misplaced(card: SourceCard, features: gpd.GeoDataFrame, stated: CRS | None) -> list[Finding]:
    bounds = features.bounds.to_numpy()
    if stated is None or stated.is_geographic:
        impossible = _beyond(bounds, (-180.0, -90.0, 180.0, 90.0))
        if impossible.any():
            return [_not_degrees(card, bounds[impossible][0], int(impossible.sum()))]
        degrees = bounds
    else:
        degrees = _degree_bounds(bounds, stated)
    outside = _beyond(degrees, CHINA_BOX)
    return [_outside_china(card, degrees[outside], len(bounds))] if outside.any() else []


def _degree_bounds(bounds: np.ndarray, crs: CRS) -> np.ndarray:
    to_degrees = Transformer.from_crs(crs, GEOGRAPHIC_CRS["wgs84"], always_xy=True)
    x0, y0, x1, y1 = bounds.T
    lon, lat = to_degrees.transform(np.concatenate([x0, x1]), np.concatenate([y0, y1]))
    n = len(bounds)
    return np.column_stack([lon[:n], lat[:n], lon[n:], lat[n:]])


def _beyond(bounds: np.ndarray, box: Bounds) -> np.ndarray:
    west, south, east, north = box
    return (bounds[:, 0] < west) | (bounds[:, 1] < south) | (bounds[:, 2] > east) | (bounds[:, 3] > north)


def _not_degrees(card: SourceCard, bounds: np.ndarray, count: int) -> Finding:
    return card_finding(
        card,
        "error",
        "vector.not_longitude_latitude",
        f"{count} rows",
        f"({bounds[0]:.6g}, {bounds[1]:.6g})",
        "positions are no longitude and latitude in degrees; the file probably holds metres of a projection.",
        "State the projection in the file (for GeoJSON: convert to longitude and latitude first).",
    )


def _outside_china(card: SourceCard, bounds: np.ndarray, rows: int) -> Finding:
    swapped = bool((~_beyond(bounds[:, [1, 0, 3, 2]], CHINA_BOX)).all())
    first = bounds[0]
    return card_finding(
        card,
        "error" if swapped or len(bounds) == rows else "warning",
        "vector.outside_china",
        f"{len(bounds)} of {rows} rows",
        f"({first[0]:.6g}, {first[1]:.6g})",
        "positions lie outside 73-136 E, 3-54 N" + ("; they look like (latitude, longitude)." if swapped else "."),
        "Swap the axes in the source." if swapped else "Check the CRS of the file and the rows named.",
    )
