"""Land of a host type as a picture for the map: eligible, unknown, and what excludes the rest.

Cells are told apart in classes, put together to at most :data:`MOST_PIXELS` a side, and moved from the frame's CRS to
Web Mercator without mixing classes. The picture holds places in a palette, so that its colours are the legend's.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.contracts import Region
from layers.frame import Frame
from layers.mask_store import rows_of
from maps.contracts import LandPicture, PictureClass
from siting.contracts import HostLand

MOST_PIXELS = 1600
_STRIP_CELLS = 512
_HALF = 8
_MERCATOR = "EPSG:3857"
OUTSIDE, ELIGIBLE, UNKNOWN, FIRST_RULE = 0, 1, 2, 3

Bytes = npt.NDArray[np.uint8]
Named = Callable[[str], tuple[str, str]]


def land_picture(
    land: HostLand, region: Region, colours: Sequence[str], rule_colours: Sequence[str], named: Named
) -> LandPicture | None:
    """Picture of one host type, None where it has no land at all.

    Parameters
    ----------
    land, region
        On one frame.
    colours
        ``#rrggbb`` of eligible and of unknown land.
    rule_colours
        ``#rrggbb`` of the rules, in order; used again from the start where there are more rules.
    named
        Chinese and English name of a rule's id; asked with ``""`` for land that several rules exclude.

    Notes
    -----
    A cell is eligible where half of it is, or where some of it is and no rule excludes host land of it; unknown where
    some is unknown and nothing eligible; else it has the class of the rule that excludes it, or of *several rules*.
    ``km2`` counts the geodesic area of whole cells: the picture's own measure, coarser than the land tables.
    """
    factor = max(1, -(-max(region.frame.shape) // MOST_PIXELS))
    several = FIRST_RULE + len(land.rules)
    strips, area = [], np.zeros(several + 1)
    rows = max(factor, _STRIP_CELLS // factor * factor)
    for row0 in range(0, region.frame.height, rows):
        row1 = min(row0 + rows, region.frame.height)
        cells = _classes(land, row0, row1)
        cells[rows_of(region.mask, row0, row1) == 0] = OUTSIDE
        for k in range(1, several + 1):
            area[k] += float((cells == k).sum(axis=1) @ region.cell_area_m2[row0:row1]) / 1e6
        strips.append(together(cells, factor, several + 1))
    values = np.concatenate(strips)
    if not values.any():
        return None
    listed = _class_list(land.rules, colours, rule_colours, named, area)
    picture, edges = _in_mercator(values, region.frame, factor)
    return LandPicture(land.host_type, _png(picture, listed), *edges, tuple(c for c in listed if c.km2 > 0))


def _classes(land: HostLand, row0: int, row1: int) -> Bytes:
    """Class of every cell of some rows, see :func:`land_picture`."""
    free = np.bitwise_count(rows_of(land.eligible, row0, row1))
    doubt = np.bitwise_count(rows_of(land.unknown, row0, row1))
    bits = np.zeros(free.shape, np.uint64)
    if land.reasons is not None:
        bits = rows_of(land.reasons, row0, row1).astype(np.uint64)
    count = np.bitwise_count(bits)
    lowest = np.bitwise_count((bits & (~bits + np.uint64(1))) - np.uint64(1))
    excluded = np.where(count > 1, FIRST_RULE + len(land.rules), FIRST_RULE + lowest)
    lost = np.where(count > 0, excluded, OUTSIDE)
    open_land = (free >= _HALF) | ((free > 0) & (count == 0))
    return np.where(open_land, ELIGIBLE, np.where((doubt > 0) & (free == 0), UNKNOWN, lost)).astype(np.uint8)


def together(cells: Bytes, factor: int, classes: int) -> Bytes:
    """Blocks of ``factor`` x ``factor`` cells as one: the class that most of its cells have, outside not counted."""
    if factor == 1:
        return cells
    height, width = (-(-n // factor) for n in cells.shape)
    padded = np.zeros((height * factor, width * factor), np.uint8)
    padded[: cells.shape[0], : cells.shape[1]] = cells
    blocks = padded.reshape(height, factor, width, factor)
    best, most = np.zeros((height, width), np.uint8), np.zeros((height, width), np.int64)
    for k in range(1, classes):
        count = (blocks == k).sum(axis=(1, 3))
        more = count > most
        best[more], most[more] = k, count[more]
    return best


def _class_list(
    rules: Sequence[str], colours: Sequence[str], rule_colours: Sequence[str], named: Named, area: npt.NDArray[Any]
) -> list[PictureClass]:
    """Every class in the order of its number, from :data:`ELIGIBLE`."""
    fixed = [PictureClass(kind, "", "", colour, float(area[k])) for k, (kind, colour) in
             enumerate(zip(("eligible", "unknown"), colours, strict=True), start=ELIGIBLE)]  # fmt: skip
    by_rule = [
        PictureClass(rule, *named(rule), rule_colours[k % len(rule_colours)], float(area[FIRST_RULE + k]))
        for k, rule in enumerate(rules)
    ]
    return [*fixed, *by_rule, PictureClass("several", "", "", "#4d4d4d", float(area[FIRST_RULE + len(rules)]))]


def _in_mercator(values: Bytes, frame: Frame, factor: int) -> tuple[Bytes, tuple[float, float, float, float]]:
    """The classes on a Web Mercator raster, and its edges in degrees (west, south, east, north)."""
    from rasterio.transform import Affine
    from rasterio.warp import Resampling, reproject, transform, transform_bounds

    height, width = values.shape
    size = frame.resolution_m * factor
    edges = frame.left, frame.top - height * size, frame.left + width * size, frame.top
    west, south, east, north = transform_bounds(frame.crs, _MERCATOR, *edges)
    pixel = max((east - west) / width, (north - south) / height)
    picture = np.zeros((math.ceil((north - south) / pixel), math.ceil((east - west) / pixel)), np.uint8)
    reproject(
        values, picture, src_transform=Affine(size, 0.0, frame.left, 0.0, -size, frame.top), src_crs=frame.crs,
        dst_transform=Affine(pixel, 0.0, west, 0.0, -pixel, north), dst_crs=_MERCATOR,
        resampling=Resampling.nearest, src_nodata=OUTSIDE, dst_nodata=OUTSIDE,
    )  # fmt: skip
    south, east = north - pixel * picture.shape[0], west + pixel * picture.shape[1]
    lon, lat = transform(_MERCATOR, "EPSG:4326", [west, east], [south, north])
    return picture, (lon[0], lat[0], lon[1], lat[1])


def _png(picture: Bytes, classes: Sequence[PictureClass]) -> bytes:
    """A palette picture (PNG, ISO/IEC 15948); class 0 is transparent."""
    height, width = picture.shape
    palette = b"".join(bytes.fromhex(entry.colour[1:]) for entry in classes)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(3) + palette),
        (b"tRNS", bytes(1)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    written = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)
