"""The study frame: one immutable raster geometry that every raster of a run shares.

::

    (left, top) +---+---+---+   rows run south, columns run east,
                |   |   |   |   a cell is resolution_m x resolution_m,
                +---+---+---+   edges lie on whole multiples of resolution_m
                |   |   |   |   (two studies with the same CRS and resolution align)
                +---+---+---+
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from affine import Affine

_FIRST_ZONE_EPSG, _FIRST_MERIDIAN, _LAST_MERIDIAN = 4534, 75, 135


def cgcs2000_zone(longitude: float) -> str:
    """EPSG code of the CGCS2000 3-degree Gauss-Krueger zone (without zone prefix) that holds ``longitude``.

    Distances are true to 0.1 % within the zone, which is why setbacks are measured there.

    Raises
    ------
    ValueError
        If the longitude lies outside 73.5 to 136.5 degrees east.

    References
    ----------
    EPSG registry, codes 4534 (75 E) to 4554 (135 E); GB/T 14912 zone division.
    """
    meridian = round(longitude / 3) * 3
    if not _FIRST_MERIDIAN <= meridian <= _LAST_MERIDIAN:
        raise ValueError(f"longitude {longitude} is outside the CGCS2000 zones 73.5..136.5 E")
    return f"EPSG:{_FIRST_ZONE_EPSG + (meridian - _FIRST_MERIDIAN) // 3}"


@dataclass(frozen=True)
class Tile:
    """A half-open block of cells: rows ``row0 <= r < row1``, columns ``col0 <= c < col1``."""

    row0: int
    row1: int
    col0: int
    col1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.row0, self.row1), slice(self.col0, self.col1)

    @property
    def shape(self) -> tuple[int, int]:
        return self.row1 - self.row0, self.col1 - self.col0


@dataclass(frozen=True)
class Frame:
    """Shape, position and CRS of a raster. Two rasters are aligned when their frames are equal."""

    crs: str
    resolution_m: float
    left: float
    top: float
    height: int
    width: int

    @classmethod
    def from_bounds(cls, bounds: tuple[float, float, float, float], resolution_m: float, crs: str) -> Frame:
        """Smallest frame on the resolution's lattice that holds ``bounds`` (left, bottom, right, top) in ``crs``."""
        left, bottom, right, top = bounds
        col0, row0 = math.floor(left / resolution_m), math.ceil(top / resolution_m)
        width = max(1, math.ceil(right / resolution_m) - col0)
        height = max(1, row0 - math.floor(bottom / resolution_m))
        return cls(crs, float(resolution_m), col0 * resolution_m, row0 * resolution_m, height, width)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def transform(self) -> Affine:
        return Affine(self.resolution_m, 0.0, self.left, 0.0, -self.resolution_m, self.top)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in metres."""
        return (
            self.left,
            self.top - self.height * self.resolution_m,
            self.left + self.width * self.resolution_m,
            self.top,
        )

    def part(self, tile: Tile) -> Frame:
        """The frame of one tile."""
        r = self.resolution_m
        rows, cols = tile.shape
        return Frame(self.crs, r, self.left + tile.col0 * r, self.top - tile.row0 * r, rows, cols)

    def part_origin(self, row: int, col: int) -> tuple[float, float]:
        """(left, top) of a cell in metres."""
        return self.left + col * self.resolution_m, self.top - row * self.resolution_m

    def tiles(self, size: int = 1024) -> Iterator[Tile]:
        """Tiles of at most ``size`` x ``size`` cells, row by row; every cell lies in exactly one."""
        for row0 in range(0, self.height, size):
            for col0 in range(0, self.width, size):
                yield Tile(row0, min(row0 + size, self.height), col0, min(col0 + size, self.width))
