"""Slope and aspect: planes solved by hand, a numpy reference, gaps, coarse rasters; class codes and shares of files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rule_samples as s
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import FindingLog, InputError, Origin, SourceCard
from siting.rules.derived_layers import derived_raster
from siting.rules.terrain import (
    aspect_degree,
    native_resolution_m,
    slope_degree,
    terrain_findings,
    with_halo,
)

CELL = 30.0


def plane(slope_deg: float, faces_deg: float, shape: tuple[int, int] = (7, 9)) -> np.ndarray:
    """A tilted plane: falls by ``slope_deg`` towards the azimuth ``faces_deg``."""
    east = np.arange(shape[1]) * CELL
    north = -np.arange(shape[0])[:, None] * CELL
    along = east * math.sin(math.radians(faces_deg)) + north * math.cos(math.radians(faces_deg))
    return (500 - along * math.tan(math.radians(slope_deg))).astype(np.float32)


@pytest.mark.parametrize("slope", [0.5, 10.0, 45.0, 80.0])
@pytest.mark.parametrize("faces", [0.0, 45.0, 90.0, 180.0, 225.0, 359.0])
def test_a_plane_has_its_slope_and_faces_its_way(slope, faces) -> None:
    z = plane(slope, faces)
    assert slope_degree(z, CELL) == pytest.approx(slope, rel=1e-3)
    aspect = aspect_degree(z, CELL, level_degree=0.0)
    assert ((aspect >= 0) & (aspect < 360)).all()
    turned = (aspect - faces + 180) % 360 - 180
    assert np.abs(turned).max() < 0.1


def test_level_ground_faces_nowhere() -> None:
    assert slope_degree(np.full((3, 3), 7, np.float32), CELL).tolist() == [[0.0]]
    assert aspect_degree(np.full((3, 3), 7, np.float32), CELL, level_degree=0.0).tolist() == [[-1.0]]
    assert (aspect_degree(plane(0.9, 90), CELL) == -1).all()
    assert (aspect_degree(plane(1.1, 90), CELL) != -1).all()


def horn(z: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Plain reference: Horn's weights as written in the paper."""
    z = z.astype(np.float64)
    nw, n, ne = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    w, mid, e = z[1:-1, :-2], z[1:-1, 1:-1], z[1:-1, 2:]
    sw, so, se = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    east = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * cell)
    south = ((sw + 2 * so + se) - (nw + 2 * n + ne)) / (8 * cell)
    slope = np.degrees(np.arctan(np.hypot(east, south))) + 0 * mid
    aspect = np.degrees(np.arctan2(-east, south)) % 360 + 0 * mid
    return slope, np.where(slope == 0, -1, aspect)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999))
def test_compiled_equals_the_plain_reference(seed) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(100, 20, (12, 15)).astype(np.float32)
    z[rng.random(z.shape) < 0.05] = np.nan
    slope, aspect = horn(z, CELL)
    assert slope_degree(z, CELL) == pytest.approx(slope, abs=1e-4, nan_ok=True)
    ours = aspect_degree(z, CELL, level_degree=0.0)
    assert np.array_equal(np.isnan(ours), np.isnan(aspect))
    assert np.nanmax(np.abs((ours - aspect + 180) % 360 - 180)) < 1e-3


def test_trap_nodata_next_to_a_gap_is_not_known() -> None:
    z = plane(10, 90, (7, 7))
    z[3, 3] = np.nan
    gaps = np.isnan(slope_degree(z, CELL))
    assert gaps[1:4, 1:4].all()
    assert gaps.sum() == 9
    assert np.isnan(aspect_degree(z, CELL)).sum() == 9


def test_too_small_an_array_is_refused() -> None:
    with pytest.raises(ValueError, match="neighbours"):
        slope_degree(np.zeros((2, 5), np.float32), CELL)


def test_any_cut_of_the_rows_gives_the_same_bits() -> None:
    z = np.random.default_rng(5).normal(0, 30, (40, 20)).astype(np.float32)
    whole = slope_degree(z, CELL)
    parts = [slope_degree(z[a : b + 2], CELL) for a, b in ((0, 7), (7, 30), (30, 38))]
    assert np.array_equal(np.vstack(parts), whole)


# --- files ----------------------------------------------------------------------------------------------------


def write(path: Path, values: np.ndarray, *, cell: float, left: float, top: float, dtype: str = "float32") -> Path:
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": dtype,
               "crs": s.CRS, "transform": rasterio.Affine(cell, 0, left, 0, -cell, top), "nodata": -9999}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.where(np.isnan(values), -9999, values).astype(dtype), 1)
    return path


def card(path: Path, unit: str | None = "m") -> SourceCard:
    return SourceCard("dem", path, path.name, "own", Origin.MEASURED, unit=unit)


def test_slope_of_a_file_reaches_to_the_rim_of_the_frame(tmp_path) -> None:
    """The file goes on beyond the frame, so that cells at its rim have neighbours."""
    where = s.frame(400, 10)
    wide = with_halo(where)
    assert wide.shape == (42, 42)
    north = np.arange(60)[:, None] * 10.0 * math.tan(math.radians(12))
    path = write(tmp_path / "dem.tif", np.broadcast_to(north, (60, 60)), cell=10, left=s.LEFT - 100, top=s.BOTTOM + 500)
    slope = derived_raster(card(path), where, "slope")
    assert (slope.unit, slope.values.shape) == ("degree", (40, 40))
    assert slope.values == pytest.approx(12, abs=1e-3)
    aspect = derived_raster(card(path), where, "aspect")
    assert aspect.unit == "degree from north"
    assert np.minimum(aspect.values, 360 - aspect.values).max() < 1e-3
    assert (derived_raster(card(path), where, "aspect", level_degree=15).values == -1).all()
    short = write(
        tmp_path / "short.tif", np.broadcast_to(north[:40], (40, 40)), cell=10, left=s.LEFT, top=s.BOTTOM + 400
    )
    gaps = np.isnan(derived_raster(card(short), where, "slope").values)
    assert gaps[[0, -1]].all()
    assert gaps[:, [0, -1]].all()
    assert not gaps[1:-1, 1:-1].any()


def test_codes_are_never_averaged_and_shares_count_sub_cells(tmp_path) -> None:
    """Codes on 2.5 m pixels under 10 m cells: 10 in the west half, 30 in the east half of every cell; a gap."""
    where = s.frame(40, 10)
    codes = np.tile(np.repeat([10.0, 30.0], 2), (16, 4))
    codes[0:4, 0] = np.nan
    path = write(tmp_path / "c.tif", codes, cell=2.5, left=s.LEFT, top=s.BOTTOM + 40)
    log = FindingLog()
    classes = derived_raster(card(path, "class"), where, "classes", log=log)
    assert set(np.unique(classes.values)) <= {10.0, 30.0}
    share = derived_raster(card(path, "class"), where, "class_share", classes=[30])
    assert share.unit == "share"
    assert np.isnan(share.values[0, 0])
    assert (share.values.ravel()[1:] == 0.5).all()
    assert (derived_raster(card(path, "class"), where, "class_share", classes=[10, 30]).values.ravel()[1:] == 1).all()
    with pytest.raises(InputError):
        derived_raster(card(tmp_path / "none.tif"), where, "classes")


def test_trap_slope_from_a_coarse_dem(tmp_path) -> None:
    """A hill 2 km wide under cells of 2 km has no slope left; the check says so before any run."""
    fine = write(tmp_path / "fine.tif", np.zeros((20, 20)), cell=30, left=s.LEFT, top=s.BOTTOM)
    coarse = write(tmp_path / "coarse.tif", np.zeros((20, 20)), cell=2000, left=s.LEFT, top=s.BOTTOM)
    assert native_resolution_m(card(fine)) == pytest.approx(30, rel=2e-3)
    assert native_resolution_m(card(coarse), (117.0, 33.4)) == pytest.approx(2000, rel=2e-3)
    assert terrain_findings(card(fine), 30.0) == []
    assert terrain_findings(card(fine), 10.0) == []  # three cells are still fine
    (found,) = terrain_findings(card(coarse), 30.0)
    assert (found.severity, found.rule, found.file) == ("warning", "terrain.coarse_dem", "coarse.tif")
    assert "understates" in found.message
    assert "67 cells" in found.message
    ground = 50 * np.sin(np.arange(400) * 30 / 2000 * 2 * math.pi) * np.ones((400, 1))
    mean = ground.reshape(400, 25, 16).mean(axis=2)  # what 480 m cells keep of it
    steep = slope_degree(ground.astype(np.float32), 30).max()
    assert slope_degree(np.repeat(mean, 2, axis=1).astype(np.float32)[:50], 240).max() < steep


def test_elevations_that_are_not_metres_are_an_error(tmp_path) -> None:
    path = write(tmp_path / "f.tif", np.zeros((4, 4)), cell=30, left=s.LEFT, top=s.BOTTOM)
    assert [f.rule for f in terrain_findings(card(path, "ft"), 30.0)] == ["terrain.unit"]
    assert terrain_findings(card(path, None), 30.0) == []


@pytest.mark.real_data
def test_the_overview_dem_is_named_as_coarse(real_data) -> None:
    path = real_data / "dem-srtm30plus-z6" / "srtm30plus_z6_101-124E_26-38N.tif"
    dem = SourceCard("dem", path, path.name, "SRTM30_PLUS", Origin.MEASURED, unit="m")
    assert native_resolution_m(dem, (120.2, 30.3)) == pytest.approx(2110, rel=0.02)
    assert [f.rule for f in terrain_findings(dem, 30.0, (120.2, 30.3))] == ["terrain.coarse_dem"]
