"""The study region: districts, their areas on the ellipsoid, and where they lie on the frame."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from layers.contracts import DISTRICTS, Finding, InputError, Region, VectorLayer
from layers.datum import WGS84
from layers.frame import Frame, cgcs2000_zone
from layers.mask_store import BLOCK_ROWS, MaskStore
from layers.submask import ShapeEdges, SubMask, each_block, rasterize_store

_GEOD = pyproj.Geod(ellps="WGS84")
_OVERLAP_SHARE = 1e-3
"""Districts may overlap by less than this share of the region (generalised borders do)."""

_SAMPLES = 64


def study_crs(districts_wgs84: gpd.GeoDataFrame) -> str:
    """EPSG code of the CGCS2000 3-degree zone at the middle of the districts.

    Parameters
    ----------
    districts_wgs84 : GeoDataFrame
        In degrees, WGS-84 or CGCS2000.

    Raises
    ------
    ValueError
        If the CRS is not geographic, there is no district, or the middle lies outside the zones of China.
    """
    if districts_wgs84.crs is None or not districts_wgs84.crs.is_geographic:
        raise ValueError("the zone is found from longitudes: give the districts in degrees")
    if districts_wgs84.empty:
        raise ValueError("there is no district to find a zone for")
    west, _, east, _ = districts_wgs84.total_bounds
    return cgcs2000_zone((west + east) / 2)


def geodesic_area_km2(features: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    """Area of each polygon on the WGS-84 ellipsoid [km2], row by row, whatever the CRS.

    References
    ----------
    C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013) 43-55, doi:10.1007/s00190-012-0578-z.
    """
    polygons = shapely.orient_polygons(features.geometry.to_crs(WGS84).to_numpy())
    return np.array([_GEOD.geometry_area_perimeter(polygon)[0] for polygon in polygons]) / 1e6


def build_region(
    districts_layer: VectorLayer,
    *,
    code_column: str,
    name_zh_column: str,
    name_en_column: str | None,
    population: Mapping[str, float] | None,
    resolution_m: float,
    margin_m: float = 0.0,
    workers: int = 1,
) -> Region:
    """Districts on the smallest frame that holds them.

    Parameters
    ----------
    districts_layer : VectorLayer
        Polygons in a projected CRS in metres (see :func:`study_crs`).
    code_column, name_zh_column, name_en_column : str
        Columns with the code and the names; without an English name the Chinese one stands in.
    population : mapping of str to float, optional
        Inhabitants by code or by Chinese name; NaN where neither is in it.
    resolution_m : float
        Cell size [m].
    margin_m : float
        Ground beyond the districts that the frame shows [m].
    workers : int
        Threads; the result does not depend on it.

    Returns
    -------
    Region
        Districts sorted by code, so that ``district_index`` does not depend on the order of the file.

    Raises
    ------
    InputError
        Missing columns, a code twice, no polygon, a CRS without metres, districts that overlap.
    """
    features = districts_layer.features
    findings = _findings(districts_layer, [c for c in (code_column, name_zh_column, name_en_column) if c is not None])
    if not findings:
        findings = _code_findings(districts_layer, code_column)
    if findings:
        raise InputError(findings)
    codes = features[code_column].astype(str)
    inhabitants = {} if population is None else population
    districts = gpd.GeoDataFrame(
        {
            "district_code": codes.astype(object),
            "name_zh": features[name_zh_column].astype(str).astype(object),
            "name_en": features[name_en_column or name_zh_column].astype(str).astype(object),
            "area_km2": geodesic_area_km2(features),
            "population": [
                float(inhabitants.get(code, inhabitants.get(name, np.nan)))
                for code, name in zip(codes, features[name_zh_column].astype(str), strict=True)
            ],
            "geometry": features.geometry,
        },
        crs=features.crs,
    )
    districts = DISTRICTS.validate(districts.sort_values("district_code").reset_index(drop=True))
    left, bottom, right, top = districts.total_bounds
    bounds = (left - margin_m, bottom - margin_m, right + margin_m, top + margin_m)
    frame = Frame.from_bounds(bounds, resolution_m, _crs_text(features.crs))
    mask = rasterize_store([districts.geometry], frame, workers=workers).freeze()
    index = _district_index(districts, frame, workers).freeze()
    return Region(frame, districts, index, mask, cell_area_m2(mask, frame))


def _crs_text(crs: pyproj.CRS) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code is not None else str(crs.to_wkt())


def _district_index(districts: gpd.GeoDataFrame, frame: Frame, workers: int) -> MaskStore:
    """Row number from 1 of the district that holds each cell centre, 0 where none does."""
    shapes = [ShapeEdges.of([district], frame, lines_per_row=1) for district in districts.geometry]
    index = MaskStore(frame.shape, np.int16)

    def block(row0: int) -> None:
        cells = np.zeros((min(BLOCK_ROWS, frame.height - row0), frame.width), np.int16)
        for number, edges in enumerate(shapes, start=1):
            edges.burn(cells, row0, number)
        if cells.any():
            index.write(row0, cells)

    each_block(block, frame.height, workers)
    return index


def cell_area_m2(mask: SubMask | MaskStore, frame: Frame) -> npt.NDArray[np.float64]:
    """Geodesic area of a cell in each row [m2], shape ``(height,)``.

    Parameters
    ----------
    mask : ndarray of uint16, shape ``frame.shape``, or MaskStore
        Where in the row the region lies; a row without region is averaged over its whole length.
    frame : Frame

    Notes
    -----
    A Gauss-Krueger zone enlarges areas by ``1 + (x / R)^2`` at the distance x from its meridian: nothing in the
    middle, 0.05 % at the rim. One value per row is the mean of ``resolution^2 / areal scale`` over the sub-cells of
    the region in that row, hence sums over the region are exact, and a part of a wide row is right to some 0.02 %.
    """
    blocks = np.unique(np.linspace(0, frame.width, min(_SAMPLES, frame.width) + 1).astype(int))
    weight = _subcells(mask, blocks).astype(float)
    weight[weight.sum(axis=1) == 0] = np.diff(blocks)
    rows = np.linspace(0, frame.height - 1, min(_SAMPLES, frame.height))
    sampled = frame.resolution_m**2 / _areal_scale(frame, rows, (blocks[:-1] + blocks[1:]) / 2)
    every = np.arange(frame.height)
    area = np.column_stack([np.interp(every, rows, column) for column in sampled.T])
    return np.asarray((area * weight).sum(axis=1) / weight.sum(axis=1), np.float64)


def _subcells(mask: SubMask | MaskStore, blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sub-cells of a mask by row and by block of columns, ``blocks`` being the edges, shape (rows, blocks)."""
    if not isinstance(mask, MaskStore):
        return np.asarray(np.add.reduceat(np.bitwise_count(mask), blocks[:-1], axis=1, dtype=np.int64))
    height, width = mask.shape
    runs = mask.runs()
    row = np.repeat(np.arange(height, dtype=np.int64), np.diff(runs.start))
    first = np.append(row * width + runs.col, height * width)  # cells are counted along all rows
    bits = np.bitwise_count(runs.value).astype(np.int64)
    before = np.append(0, np.cumsum(bits * np.diff(first)))
    edge = (np.arange(height)[:, None] * width + blocks).ravel()
    run = np.searchsorted(first[:-1], edge, side="right") - 1
    upto = before[run] + (edge - first[run]) * bits[run]
    return np.asarray(np.diff(upto.reshape(height, -1), axis=1))


def _areal_scale(frame: Frame, rows: npt.NDArray[np.float64], cols: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Plane area over area on the ellipsoid, at row centres and column edges, shape (rows, cols)."""
    x, y = np.meshgrid(frame.left + cols * frame.resolution_m, frame.top - (rows + 0.5) * frame.resolution_m)
    projection = pyproj.Proj(frame.crs)
    lon, lat = projection(x, y, inverse=True)
    return np.asarray(projection.get_factors(lon, lat).areal_scale, np.float64)


def _findings(layer: VectorLayer, columns: list[str]) -> list[Finding]:
    features = layer.features
    found = [
        _finding(
            layer,
            "region.column_missing",
            column,
            column,
            f"there is no such column; the file has: {', '.join(map(str, features.columns.drop('geometry')))}.",
            "Name one of these in the study file.",
        )
        for column in columns
        if column not in features.columns
    ]
    if features.empty or not features.geom_type.isin(["Polygon", "MultiPolygon"]).all():
        kinds = ", ".join(sorted(set(features.geom_type))) or "no feature"
        found.append(
            _finding(layer, "region.not_polygons", "geometry", kinds, "districts are polygons.", "Give polygons.")
        )
    if features.crs is None or not features.crs.is_projected:
        found.append(
            _finding(
                layer,
                "region.crs_not_metric",
                "crs",
                str(features.crs),
                "areas and setbacks need metres.",
                "Read the districts into the CGCS2000 zone of the region.",
            )
        )
    return found


def _code_findings(layer: VectorLayer, code_column: str) -> list[Finding]:
    codes = layer.features[code_column].astype(str)
    found = [
        _finding(
            layer,
            "region.code_twice",
            code_column,
            code,
            f"{count} rows have this code.",
            "Dissolve the rows into one, or give each its own code.",
        )
        for code, count in codes.value_counts().sort_index().items()
        if count > 1
    ]
    total = float(layer.features.area.sum())
    overlap = total - float(layer.features.union_all().area)
    if overlap > _OVERLAP_SHARE * total:
        found.append(
            _finding(
                layer,
                "region.districts_overlap",
                "geometry",
                f"{overlap / 1e6:.1f} km2",
                "districts lie on each other, their land would count twice.",
                "Use borders of one edition (before or after a redrawing, not both).",
            )
        )
    return found


def _finding(layer: VectorLayer, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    file = layer.card.shown_path if layer.card else layer.id
    return Finding("error", rule, file, layer.id, item, str(value), message, remedy)
