"""A raster file on the study frame, read by the strip: for frames too large to hold.

A file that lies on the frame's own lattice is read as it is; any other is warped tile by tile on a lattice of tiles
fixed to the frame, so that a cell has the same value whichever strip asks for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window

from layers.contracts import FindingLog, InputError, RasterLayer, SourceCard
from layers.frame import Frame, Tile
from layers.raster import Sampling, inspect_raster, open_on_frame

Floats = npt.NDArray[np.float32]

_TILE = 1024
_BANDS_KEPT = 2
_LEAST_BAND = 256
_ALIGNED_TOLERANCE = 1e-6
"""Shift allowed between the lattices, in cells."""


def open_raster(
    card: SourceCard, frame: Frame, *, log: FindingLog | None = None, resampling: Sampling = "bilinear"
) -> RasterLayer:
    """Like :func:`layers.raster.read_raster`, with values that are read when asked for.

    Parameters
    ----------
    card, frame, log, resampling
        As of :func:`layers.raster.read_raster`. Gaps are not counted, because the pixels are not read.

    Returns
    -------
    RasterLayer
        ``values`` is a :class:`RasterWindows`.

    Raises
    ------
    InputError
        With every error of the file.
    """
    findings = inspect_raster(card)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise InputError(errors)
    if log is not None:
        log.extend(findings)
    with rasterio.open(card.path) as source:
        unit = card.unit or source.units[0] or ""
    values = cast(Floats, RasterWindows(card, frame, resampling))  # stands in for the array: rows, slices, asarray
    return RasterLayer(card.id, frame, values, unit, card.origin, card)


class RasterWindows:
    """Values of a raster file on a frame, float32, NaN where not known; safe to read from several threads."""

    def __init__(self, card: SourceCard, frame: Frame, resampling: Sampling = "bilinear") -> None:
        self.card, self.frame, self.resampling = card, frame, resampling
        self.shape = frame.shape
        self.dtype = np.dtype(np.float32)
        self.ndim = 2
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._bands: OrderedDict[int, Any] = OrderedDict()
        with rasterio.open(self.card.path) as source:
            self._offset = _offset_on_lattice(source, self.frame)
            self._file_shape = source.shape
            block = source.block_shapes[0][0]
        self._band_rows = -(-_LEAST_BAND // block) * block

    def rows(self, row0: int, row1: int) -> Floats:
        """Rows ``row0 <= row < row1``, shape (row1 - row0, width)."""
        return self._aligned(row0, row1) if self._offset is not None else self._warped(row0, row1)

    def _aligned(self, row0: int, row1: int) -> Floats:
        """Rows of a file on the frame's lattice: whole rows of its blocks are decoded once and kept a while."""
        assert self._offset is not None
        down, right = self._offset
        width = self.shape[1]
        out = np.empty((row1 - row0, width), np.float32)
        west, east = max(right, 0), min(right + width, self._file_shape[1])
        top, bottom = max(row0 + down, 0), min(row1 + down, self._file_shape[0])
        if west >= east or top >= bottom:
            out.fill(np.nan)
            return out
        rows, cols = slice(top - down - row0, bottom - down - row0), slice(west - right, east - right)
        for outside in (out[: rows.start], out[rows.stop :], out[rows, : cols.start], out[rows, cols.stop :]):
            outside.fill(np.nan)
        for band in range(top // self._band_rows, -(-bottom // self._band_rows)):
            first = band * self._band_rows
            pixels, nodata, scale, offset = self._kept(band, self._read_pixels)
            low, high = max(top, first), min(bottom, first + len(pixels))
            part = pixels[low - first : high - first]
            values = out[low - down - row0 : high - down - row0, cols]
            values[:] = part
            if nodata is not None and not np.isnan(nodata):
                gaps = part == nodata
                if gaps.any():
                    values[gaps] = np.nan
            if (scale, offset) != (1.0, 0.0):
                values *= np.float32(scale)
                values += np.float32(offset)
        return out

    def _read_pixels(self, band: int) -> tuple[npt.NDArray[Any], float | None, float, float]:
        assert self._offset is not None
        right = self._offset[1]
        west, east = max(right, 0), min(right + self.shape[1], self._file_shape[1])
        first = band * self._band_rows
        rows = min(self._band_rows, self._file_shape[0] - first)
        with rasterio.open(self.card.path, num_threads="ALL_CPUS") as source:
            pixels = source.read(1, window=Window(west, first, east - west, rows))
            nodata = source.nodata if self.card.nodata is None else self.card.nodata
            return pixels, nodata, source.scales[0], source.offsets[0]

    def _warped(self, row0: int, row1: int) -> Floats:
        parts = []
        for band in range(row0 // _TILE, -(-row1 // _TILE)):
            first = band * _TILE
            parts.append(self._kept(band, self._warp)[max(row0 - first, 0) : row1 - first])
        return parts[0] if len(parts) == 1 else np.vstack(parts)

    def _warp(self, band: int) -> Floats:
        row0, row1 = band * _TILE, min((band + 1) * _TILE, self.shape[0])
        values = np.empty((row1 - row0, self.shape[1]), np.float32)
        with open_on_frame(self.card, self.frame, self.resampling) as read:
            for col0 in range(0, self.shape[1], _TILE):
                col1 = min(col0 + _TILE, self.shape[1])
                values[:, col0:col1] = read(Tile(row0, row1, col0, col1))
        return values

    def _kept(self, band: int, read: Callable[[int], Any]) -> Any:
        """The band, read if it is not among the last ones; other threads that want it wait."""
        with self._lock:
            if band not in self._bands:
                self._bands[band] = read(band)
                while len(self._bands) > _BANDS_KEPT:
                    self._bands.popitem(last=False)
            self._bands.move_to_end(band)
            return self._bands[band]

    def __getitem__(self, key: Any) -> Any:
        row = key[0] if isinstance(key, tuple) else key
        if isinstance(row, slice) and row.step in (None, 1):
            start, stop, _ = row.indices(self.shape[0])
            values = self.rows(start, max(start, stop))
            return values[:, key[1]] if isinstance(key, tuple) else values
        return self.rows(0, self.shape[0])[key]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.rows(0, self.shape[0]).astype(dtype or np.float32, copy=False)

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"card": self.card, "frame": self.frame, "resampling": self.resampling}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _offset_on_lattice(source: rasterio.DatasetReader, frame: Frame) -> tuple[int, int] | None:
    """Row and column of the file that the frame's first cell is, None where the lattices differ."""
    to_file = ~source.transform
    if source.crs is None or source.crs != rasterio.crs.CRS.from_user_input(frame.crs):
        return None
    scale = source.transform
    if scale.b or scale.d or scale.a != frame.resolution_m or scale.e != -frame.resolution_m:
        return None
    right, down = to_file @ (frame.left, frame.top)
    if abs(right - round(right)) > _ALIGNED_TOLERANCE or abs(down - round(down)) > _ALIGNED_TOLERANCE:
        return None
    return round(down), round(right)
