"""Land as GeoTIFF files that QGIS opens: the state of every cell, and the rules that exclude it, by host type.

Written strip by strip from the stores; the same land gives the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.contracts import Region
from layers.mask_store import rows_of
from siting.contracts import HostLand, LandResult

OUTSIDE, ELIGIBLE, EXCLUDED, UNKNOWN = 0, 1, 2, 3
STATE_COLOURS = {OUTSIDE: (0, 0, 0, 0), ELIGIBLE: (34, 136, 51, 255), EXCLUDED: (238, 102, 119, 255),
                 UNKNOWN: (187, 187, 187, 255)}  # fmt: skip

_BLOCK = 512
_HALF = 8
"""Sub-cells that make half a cell."""


def write_land_rasters(land: LandResult, region: Region, folder: Path) -> list[Path]:
    """Write ``<host type>_state.tif``, ``<host type>_reasons.tif`` and ``rule_sets.csv``.

    Parameters
    ----------
    land, region
        Result and region on one frame.
    folder
        Where the files go; made when absent.

    Returns
    -------
    list of Path
        In the order written.

    Notes
    -----
    State of a cell: 0 outside (less than half of it in the region), else that of its larger part: 1 eligible,
    2 excluded, 3 unknown; at a tie excluded before unknown before eligible. The reasons raster holds the number of the
    cell's set of rules, 0 where no rule excludes host land; ``rule_sets.csv`` says which rules a number stands for and
    how many cells have it. Numbers go by first appearance from the north-west, for each host type from 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, sets = [], []
    for entry in land.lands:
        path = folder / f"{entry.host_type}_state.tif"
        _write(path, region, np.dtype(np.uint8), _states(entry, region), STATE_COLOURS)
        written.append(path)
        if entry.reasons is not None:
            path = folder / f"{entry.host_type}_reasons.tif"
            numbers = _SetNumbers()
            _write(path, region, np.dtype(np.uint16), numbers.of(entry), None)
            sets += numbers.rows(entry)
            written.append(path)
    path = folder / "rule_sets.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("host_type", "rule_set", "rules", "cells"))
        writer.writerows(sets)
    return [*written, path]


def cell_states(
    inside: npt.NDArray[np.uint16], eligible: npt.NDArray[np.uint16], unknown: npt.NDArray[np.uint16]
) -> npt.NDArray[np.uint8]:
    """State of each cell by its larger part, see :func:`write_land_rasters`."""
    whole, free, doubt = (np.bitwise_count(mask) for mask in (inside, eligible, unknown))
    lost = whole - free - doubt
    state = np.where((lost >= free) & (lost >= doubt), EXCLUDED, np.where(doubt >= free, UNKNOWN, ELIGIBLE))
    return np.where(whole < _HALF, OUTSIDE, state).astype(np.uint8)


def _states(land: HostLand, region: Region) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    height = region.frame.height
    for row0 in range(0, height, _BLOCK):
        row1 = min(row0 + _BLOCK, height)
        yield row0, cell_states(*(rows_of(mask, row0, row1) for mask in (region.mask, land.eligible, land.unknown)))


class _SetNumbers:
    """Numbers of sets of rules, by first appearance."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {0: 0}
        self.cells: dict[int, int] = {}

    def of(self, land: HostLand) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        assert land.reasons is not None
        for row0, bits in land.reasons.strips(_BLOCK):
            found, first, back, count = np.unique(bits, return_index=True, return_inverse=True, return_counts=True)
            for k in np.argsort(first):
                self.number.setdefault(int(found[k]), len(self.number))
                self.cells[int(found[k])] = self.cells.get(int(found[k]), 0) + int(count[k])
            table = np.array([self.number[int(bits_)] for bits_ in found], np.int64)
            if table.max(initial=0) > np.iinfo(np.uint16).max:
                raise ValueError(f"{land.host_type}: more than 65 535 sets of rules")
            yield row0, table[back].reshape(bits.shape).astype(np.uint16)

    def rows(self, land: HostLand) -> list[tuple[str, int, str, int]]:
        return [
            (land.host_type, number, " ".join(r for j, r in enumerate(land.rules) if bits >> j & 1), self.cells[bits])
            for bits, number in self.number.items()
            if bits
        ]


def _write(
    path: Path,
    region: Region,
    dtype: np.dtype[Any],
    strips: Iterator[tuple[int, npt.NDArray[Any]]],
    colours: dict[int, tuple[int, int, int, int]] | None,
) -> None:
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    frame = region.frame
    profile = {
        "driver": "GTiff", "height": frame.height, "width": frame.width, "count": 1, "dtype": dtype, "nodata": 0,
        "crs": frame.crs, "transform": frame.transform, "compress": "deflate", "zlevel": 6, "tiled": True,
        "blockxsize": _BLOCK, "blockysize": _BLOCK,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        if colours is not None:
            target.write_colormap(1, colours)
        for row0, values in strips:
            target.write(values.astype(dtype), 1, window=Window(0, row0, frame.width, values.shape[0]))
    factors = [f for f in (2, 4, 8, 16, 32, 64) if max(frame.shape) > f * _BLOCK // 2]
    if factors:
        with rasterio.open(path, "r+") as target:
            target.build_overviews(factors, Resampling.nearest)
