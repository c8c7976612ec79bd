"""Tables and shapes packed small enough for a page: whole numbers in as few bytes as they need, deflated, base64.

::

    block   base64 of zlib of   [length of head, 4 bytes, little end first] [head: JSON] [stream] [stream] ...
    stream  varints: seven bits a byte, lowest first, the top bit says that more follow; signs zigzag (0 -1 1 -2 2 ...)

A column of numbers is scaled to whole numbers, 0 means not known. A column of codes points into a list of words in
the head. Shapes are rings of whole pixels of the Web Mercator world at :data:`ZOOM` (about half a metre), each corner
as the step from the one before: neighbouring corners take two bytes. The page's ``packed.js`` reads the same format.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

ZOOM = 18
WORLD = 256 * 2**ZOOM
"""Side of the world in pixels at :data:`ZOOM`."""
_LEVEL = 9

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """One column of a block: what the head says of it, and its stream."""

    name: str
    kind: str
    detail: dict[str, Any]
    stream: bytes


def number_column(name: str, values: pd.Series[Any], digits: int) -> Column:
    """Numbers rounded to ``digits`` decimals (negative: tens, hundreds); NaN stays not known."""
    numbers = values.to_numpy(float)
    known = np.isfinite(numbers)
    scaled = np.rint(np.where(known, numbers, 0.0) * 10.0**digits).astype(np.int64)
    return Column(name, "number", {"digits": digits}, varints(np.where(known, zigzag(scaled) + 1, 0)))


def code_column(name: str, values: pd.Series[Any], words: Sequence[str] | None = None) -> Column:
    """Words that repeat, as places in a list; ``words`` fixes the list, else it goes by first appearance."""
    texts = values.astype(str)
    listed = list(dict.fromkeys(texts)) if words is None else list(words)
    place = {word: i for i, word in enumerate(listed)}
    return Column(name, "code", {"words": listed}, varints(texts.map(place).to_numpy(np.int64)))


def text_column(name: str, values: pd.Series[Any]) -> Column:
    """Words that differ from row to row."""
    words = json.dumps([str(value) for value in values], ensure_ascii=False, separators=(",", ":"))
    return Column(name, "text", {}, words.encode())


def pack(count: int, columns: Sequence[Column]) -> str:
    """A block of ``count`` rows as base64; the same columns give the same text."""
    head = {
        "count": count,
        "columns": [{"name": c.name, "kind": c.kind, "bytes": len(c.stream), **c.detail} for c in columns],
    }
    words = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    body = struct.pack("<I", len(words)) + words + b"".join(c.stream for c in columns)
    return base64.b64encode(zlib.compress(body, _LEVEL)).decode("ascii")


def shape_columns(shapes: Sequence[Any] | npt.NDArray[np.object_]) -> list[Column]:
    """Polygons, or lines, in degrees as three streams: parts a shape, corners a part, steps between corners.

    Rings are written without their last corner, which repeats the first; rings of a polygon and of its parts follow
    each other, and the even-odd rule tells holes from land.
    """
    geometries = np.asarray(shapes, dtype=object)
    owner, paths = _paths(geometries)
    counts, corners = _corners(paths)
    parts = np.bincount(owner, minlength=len(geometries)).astype(np.int64)
    steps = np.diff(corners, axis=0, prepend=np.zeros((1, 2), np.int64))
    return [
        Column("parts", "count", {}, varints(parts)),
        Column("corners", "count", {}, varints(counts)),
        Column("steps", "step", {}, varints(zigzag(steps.ravel()))),
    ]


def _paths(geometries: npt.NDArray[np.object_]) -> tuple[Ints, npt.NDArray[np.object_]]:
    """Rings of all polygons and all lines, each with the number of its shape, in order."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    lines = shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING
    areas = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    rings, of_part = shapely.get_rings(parts[areas], return_index=True)
    paths = np.concatenate([parts[lines], rings])
    owners = np.concatenate([owner[lines], owner[areas][of_part]]).astype(np.int64)
    order = np.argsort(owners, kind="stable")
    return owners[order], paths[order]


def _corners(paths: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
    """Corners a path and their pixels, shape (corners, 2); a corner on the pixel of the one before it is dropped."""
    degrees, path = shapely.get_coordinates(paths, return_index=True)
    pixels = world_pixels(degrees)
    closed = shapely.get_type_id(paths) == shapely.GeometryType.LINEARRING
    last = np.append(path[1:] != path[:-1], True) if len(path) else np.zeros(0, bool)
    first = np.insert(last[:-1], 0, True) if len(path) else last
    moved = np.ones(len(path), bool)
    moved[1:] = (pixels[1:] != pixels[:-1]).any(axis=1)
    kept = (first | moved) & ~(last & closed[path])
    return np.bincount(path[kept], minlength=len(paths)).astype(np.int64), pixels[kept]


def world_pixels(degrees: npt.NDArray[np.float64]) -> Ints:
    """Longitude and latitude, shape (n, 2), as whole Web Mercator pixels (right, down) at :data:`ZOOM`."""
    x = (degrees[:, 0] + 180.0) / 360.0
    sine = np.sin(np.radians(np.clip(degrees[:, 1], -85.0511, 85.0511)))
    y = 0.5 - np.log((1.0 + sine) / (1.0 - sine)) / (4.0 * np.pi)
    return np.asarray(np.rint(np.column_stack([x, y]) * WORLD), dtype=np.int64)


def zigzag(values: Ints) -> Ints:
    """0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4 ...: small whole numbers of either sign stay small."""
    return np.asarray((values << 1) ^ (values >> 63), dtype=np.int64)


def varints(values: npt.ArrayLike) -> bytes:
    """Whole numbers from zero, seven bits a byte, lowest first."""
    numbers = np.asarray(values, dtype=np.uint64)
    size = np.ones(len(numbers), np.int64)
    for k in range(1, 10):
        size += numbers >= np.uint64(1 << (7 * k))
    ends = np.cumsum(size)
    out = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    starts = ends - size
    for k in range(int(size.max(initial=0))):
        here = size > k
        seven = (numbers[here] >> np.uint64(7 * k)) & np.uint64(127)
        more = np.where(size[here] > k + 1, 128, 0).astype(np.uint64)
        out[starts[here] + k] = (seven | more).astype(np.uint8)
    return out.tobytes()
