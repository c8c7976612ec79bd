"""Rasters read by the strip: the values of the whole, for any strip, thread and lattice."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from layers.contracts import InputError, Origin, SourceCard
from layers.frame import Frame
from layers.raster import read_raster
from layers.raster_windows import open_raster

FRAME = Frame("EPSG:4548", 30.0, 499_980.0, 3_749_970.0, 2300, 140)


def written(
    folder: Path, *, left: float, top: float, rows: int, cols: int, size: float = 30.0, dtype="uint8"
) -> SourceCard:
    values = np.random.default_rng(1).integers(0, 200, (rows, cols)).astype(dtype)
    values[5:9, 3:40] = 255
    path = folder / "cover.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=1, dtype=dtype, crs=FRAME.crs, nodata=255,
        transform=Affine(size, 0.0, left, 0.0, -size, top),
    ) as file:  # fmt: skip
        file.write(values, 1)
    return SourceCard("cover", path, "cover.tif", "test", Origin.GENERATED, unit="code")


PLACES = {
    "on the lattice": {"left": FRAME.left - 60, "top": FRAME.top + 90, "rows": 2400, "cols": 150},
    "a part of the frame": {"left": FRAME.left + 300, "top": FRAME.top - 3000, "rows": 500, "cols": 60},
    "another lattice": {"left": FRAME.left - 71, "top": FRAME.top + 77, "rows": 900, "cols": 80, "size": 90.0},
}


@pytest.mark.parametrize("place", PLACES)
def test_strips_have_the_values_of_the_whole(tmp_path: Path, place: str) -> None:
    card = written(tmp_path, **PLACES[place])
    whole = read_raster(card, FRAME, resampling="nearest").values
    lazy = open_raster(card, FRAME, resampling="nearest").values
    assert lazy.shape == FRAME.shape
    starts = range(0, FRAME.height, 333)
    with ThreadPoolExecutor(3) as pool:
        strips = list(pool.map(lambda row0: lazy.rows(row0, min(row0 + 333, FRAME.height)), starts))
    assert np.array_equal(np.vstack(strips), whole, equal_nan=True)
    assert np.array_equal(np.asarray(lazy), whole, equal_nan=True)
    assert np.array_equal(lazy[100:180, 5:9], whole[100:180, 5:9], equal_nan=True)
    assert np.array_equal(pickle.loads(pickle.dumps(lazy)).rows(1000, 1100), whole[1000:1100], equal_nan=True)
    assert np.isnan(whole).any()


def test_errors_of_the_file_come_before_any_pixel(tmp_path: Path) -> None:
    card = SourceCard("cover", tmp_path / "none.tif", "none.tif", "test", Origin.GENERATED)
    with pytest.raises(InputError, match="file_missing"):
        open_raster(card, FRAME)
