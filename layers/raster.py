"""Raster files: everything that can be wrong with one, and one band of it on the study frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.warp
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from layers.contracts import Finding, FindingLog, InputError, RasterLayer, SourceCard
from layers.datum import CHINA_BOX, GEOGRAPHIC_CRS, WGS84
from layers.frame import Frame, Tile
from layers.source_crs import resolve_coordinates
from layers.source_file import card_finding, file_findings

Sampling = Literal["bilinear", "nearest"]

_BLOCK = 1024
_POSITION_TOLERANCE = 0.01
"""Error allowed in the warped position, in source pixels."""


def inspect_raster(card: SourceCard) -> list[Finding]:
    """Everything that is wrong with a raster source.

    Looked for: missing file, other checksum, unreadable file, missing, unsupported or contradicted CRS, GCJ-02 or
    BD-09 pixels, no unit, a position outside China; warnings for several bands and for an undeclared nodata value.

    Returns
    -------
    list of Finding
        Empty when all is well. Pixels are not read.
    """
    findings = file_findings(card)
    if any(f.rule == "source.file_missing" for f in findings):
        return findings
    try:
        with rasterio.open(card.path) as source:
            return [*findings, *_findings(card, source)]
    except RasterioIOError as error:
        reason = str(error).replace(str(card.path), card.shown_path)
        message, remedy = f"the file could not be read: {reason}.", "Give a GeoTIFF."
        return [
            *findings,
            card_finding(card, "error", "raster.unreadable", "path", card.shown_path, message, remedy),
        ]


def read_raster(
    card: SourceCard, frame: Frame, *, log: FindingLog | None = None, resampling: Sampling = "bilinear"
) -> RasterLayer:
    """First band of a raster on the frame, bilinear unless told otherwise.

    Parameters
    ----------
    card : SourceCard
        ``nodata`` and ``unit``, where given, go before those of the file.
    frame : Frame
    log : FindingLog, optional
        Takes warnings and notes.
    resampling : 'bilinear' or 'nearest'
        Nearest for class codes: between class 10 and class 30 there is no class 20.

    Returns
    -------
    RasterLayer
        float32, NaN where the file has nodata or does not reach; scale and offset of the band are applied.

    Raises
    ------
    InputError
        With every error of the file, or if it does not meet the frame.

    Notes
    -----
    Pixel centres are interpolated bilinearly; where the frame is coarser than the file, GDAL widens the kernel to the
    size of a cell. Neighbours with nodata are left out and the weights of the others scaled up. Read block by block:
    beside the result, memory does not grow with the frame.
    """
    findings = inspect_raster(card)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise InputError(errors)
    values = np.full(frame.shape, np.nan, np.float32)
    with open_on_frame(card, frame, resampling) as read:
        for tile in frame.tiles(_BLOCK):
            values[tile.slices] = read(tile)
    unit = card.unit or _file_unit(card)
    known = np.isfinite(values)
    if not known.any():
        raise InputError([_off_frame(card)])
    if log is not None:
        log.extend([*findings, *_gap_note(card, known)])
    return RasterLayer(card.id, frame, values, unit, card.origin, card)


@contextmanager
def open_on_frame(
    card: SourceCard, frame: Frame, resampling: Sampling = "bilinear"
) -> Iterator[Callable[[Tile], npt.NDArray[np.float32]]]:
    """A sound raster, open for reading tile by tile on a frame; NaN where it has no value or does not reach."""
    with _on_frame(card, frame, Resampling[resampling]) as (source, scale, offset):

        def read(tile: Tile) -> npt.NDArray[np.float32]:
            rows, cols = tile.shape
            pixels = source.read(1, window=Window(tile.col0, tile.row0, cols, rows))
            return np.asarray(pixels * np.float32(scale) + np.float32(offset), np.float32)

        yield read


def _file_unit(card: SourceCard) -> str:
    with rasterio.open(card.path) as source:
        return source.units[0] or ""


@contextmanager
def _on_frame(card: SourceCard, frame: Frame, resampling: Resampling) -> Iterator[tuple[WarpedVRT, float, float]]:
    with rasterio.open(card.path) as source:
        coordinates, _ = resolve_coordinates(card, _stated(source))
        assert coordinates is not None  # the inspection refused it otherwise
        geographic = GEOGRAPHIC_CRS[coordinates.datum]
        with WarpedVRT(
            source,
            src_crs=geographic if coordinates.crs is None else coordinates.crs.to_wkt(),
            crs=frame.crs,
            transform=frame.transform,
            width=frame.width,
            height=frame.height,
            resampling=resampling,
            src_nodata=source.nodata if card.nodata is None else card.nodata,
            nodata=np.nan,
            dtype="float32",
            tolerance=_POSITION_TOLERANCE,
        ) as warped:
            yield warped, source.scales[0], source.offsets[0]


def _stated(source: rasterio.DatasetReader) -> CRS | None:
    if source.crs is None:
        return None
    try:
        return CRS.from_wkt(source.crs.to_wkt())
    except CRSError:
        return None


def _findings(card: SourceCard, source: rasterio.DatasetReader) -> list[Finding]:
    stated = _stated(source)
    coordinates, findings = resolve_coordinates(card, stated)
    findings = [replace(f, rule=f.rule.replace("vector.", "raster.")) for f in findings]
    if coordinates is not None and coordinates.datum in ("gcj02", "bd09"):
        message = "pixels in a shifted datum cannot be warped by any CRS."
        remedy = "Resample the raster to WGS-84 or CGCS2000 first."
        findings.append(card_finding(card, "error", "raster.datum_shifted", "datum", card.datum, message, remedy))
    if not (card.unit or source.units[0]):
        message = "neither the card nor the file says what the values are in."
        findings.append(
            card_finding(
                card, "error", "raster.unit_missing", "unit", "none", message, f"Set unit on source {card.id!r}."
            )
        )
    if source.count > 1:
        message, remedy = (
            f"the file has {source.count} bands; the first is read.",
            "Split the file to use another band.",
        )
        findings.append(card_finding(card, "warning", "raster.bands", "bands", source.count, message, remedy))
    if card.nodata is None and source.nodata is None:
        message = "no nodata value is stated, so every pixel counts as known."
        remedy = f"Set nodata on source {card.id!r} if the file has gaps."
        findings.append(card_finding(card, "warning", "raster.nodata_missing", "nodata", "none", message, remedy))
    if coordinates is not None:
        findings += _place_findings(card, source, stated)
    return findings


def _place_findings(card: SourceCard, source: rasterio.DatasetReader, stated: CRS | None) -> list[Finding]:
    bounds = tuple(source.bounds)
    if stated is not None and not stated.is_geographic:
        bounds = rasterio.warp.transform_bounds(source.crs, WGS84, *bounds)
    west, south, east, north = CHINA_BOX
    if bounds[0] < east and bounds[2] > west and bounds[1] < north and bounds[3] > south:
        return []
    value = "({:.6g}, {:.6g}, {:.6g}, {:.6g})".format(*bounds)
    return [
        card_finding(
            card,
            "error",
            "raster.outside_china",
            "bounds",
            value,
            "the raster lies outside 73-136 E, 3-54 N.",
            "Check the CRS and the georeference of the file.",
        )
    ]


def _off_frame(card: SourceCard) -> Finding:
    return card_finding(
        card,
        "error",
        "raster.not_on_frame",
        "bounds",
        "no pixel",
        "the raster has no known value on the study frame.",
        "Give a raster that covers the region.",
    )


def _gap_note(card: SourceCard, known: np.ndarray) -> list[Finding]:
    share = float(1.0 - known.mean())
    if share == 0.0:
        return []
    return [
        card_finding(
            card,
            "note",
            "raster.gaps",
            "cells",
            f"{share:.2%}",
            "cells of the frame have no value and count as not known.",
            "Give a raster that covers the whole frame if they matter.",
        )
    ]
