"""Rasters on the frame: planes stay planes, gaps stay gaps, north stays north."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from layers.contracts import Datum, FindingLog, InputError, Origin, SourceCard
from layers.frame import Frame
from layers.raster import inspect_raster, read_raster

ZONE = "EPSG:4548"
FRAME = Frame(ZONE, 20.0, 500_000.0, 3_700_400.0, 12, 16)


def tif(
    folder: Path,
    values: np.ndarray,
    *,
    crs: str | None = ZONE,
    transform: Affine | None = None,
    nodata: float | None = -999.0,
    unit: str | None = "m",
    bands: int = 1,
    dtype: str = "float32",
) -> Path:
    path = folder / "height.tif"
    transform = transform or Affine(50.0, 0, 499_800.0, 0, -50.0, 3_700_600.0)
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": bands}
    with rasterio.open(path, "w", **profile, dtype=dtype, crs=crs, transform=transform, nodata=nodata) as sink:
        for band in range(1, bands + 1):
            sink.write(values.astype(dtype), band)
            if unit:
                sink.set_band_unit(band, unit)
    return path


def card(path: Path, *, unit: str | None = None, nodata: float | None = None, datum: Datum | None = None) -> SourceCard:
    return SourceCard("height", path, f"data/{path.name}", "CC0", Origin.MAPPED, datum, unit=unit, nodata=nodata)


def rules(source: SourceCard) -> list[tuple[str, str]]:
    return [(f.severity, f.rule) for f in inspect_raster(source)]


def centres(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    x = frame.left + (np.arange(frame.width) + 0.5) * frame.resolution_m
    y = frame.top - (np.arange(frame.height) + 0.5) * frame.resolution_m
    return np.meshgrid(x, y)


def plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 100.0 + 0.02 * (x - 500_000.0) - 0.05 * (y - 3_700_000.0)


def source_plane() -> np.ndarray:
    """The plane at the pixel centres of :func:`tif`'s raster: 24 by 24 pixels of 50 m."""
    x, y = np.meshgrid(499_825.0 + 50.0 * np.arange(24), 3_700_575.0 - 50.0 * np.arange(24))
    return plane(x, y)


def test_bilinear_keeps_a_plane(tmp_path: Path) -> None:
    """Closed form: linear interpolation of a plane is the plane; the slopes differ so that swapped axes show."""
    layer = read_raster(card(tif(tmp_path, source_plane())), FRAME)
    assert layer.values == pytest.approx(plane(*centres(FRAME)), abs=2e-3)
    assert layer.values.shape == FRAME.shape
    assert layer.values.dtype == np.float32
    assert (layer.id, layer.unit, layer.origin) == ("height", "m", Origin.MAPPED)


def test_warp_from_degrees_lands_in_the_right_place(tmp_path: Path) -> None:
    """z = longitude in milli-degrees from 117, on a file in EPSG:4326, against pyproj at the cell centres."""
    from pyproj import Transformer

    lon = 116.99 + 0.0005 * (np.arange(80) + 0.5)
    values = np.tile((lon - 117.0) * 1000.0, (80, 1))
    transform = Affine(0.0005, 0, 116.99, 0, -0.0005, 33.44)
    layer = read_raster(card(tif(tmp_path, values, crs="EPSG:4326", transform=transform)), FRAME)
    expected = Transformer.from_crs(ZONE, "EPSG:4326", always_xy=True).transform(*centres(FRAME))[0]
    assert layer.values == pytest.approx((expected - 117.0) * 1000.0, abs=0.01)


def test_nodata_becomes_nan_and_is_told(tmp_path: Path) -> None:
    """Trap: nodata. A hole of 4 x 4 pixels in the middle is unknown, and no -999 bleeds into its rim."""
    values = source_plane()
    values[6:10, 5:9] = -999.0
    log = FindingLog()
    layer = read_raster(card(tif(tmp_path, values)), FRAME, log=log)
    x, y = centres(FRAME)
    deep = (x > 500_075) & (x < 500_225) & (y < 3_700_275) & (y > 3_700_125)
    assert deep.any()
    assert np.isnan(layer.values[deep]).all()
    known = np.isfinite(layer.values)
    assert layer.values[known] == pytest.approx(plane(x, y)[known], abs=3.0)
    assert [(f.severity, f.rule) for f in log.findings] == [("note", "raster.gaps")]


def test_nodata_and_unit_of_the_card_go_first(tmp_path: Path) -> None:
    values = source_plane()
    values[6:10, 5:9] = 0.0
    path = tif(tmp_path, values, nodata=None, unit=None)
    assert rules(card(path)) == [("error", "raster.unit_missing"), ("warning", "raster.nodata_missing")]
    assert rules(card(path, unit="m", nodata=0.0)) == []
    layer = read_raster(card(path, unit="ft", nodata=0.0), FRAME)
    assert np.isnan(layer.values).any()
    assert layer.unit == "ft"


def test_beyond_the_file_is_unknown(tmp_path: Path) -> None:
    wide = Frame(ZONE, 20.0, 499_000.0, 3_700_400.0, 12, 80)
    values = read_raster(card(tif(tmp_path, source_plane())), wide).values
    x, y = centres(wide)
    assert np.isnan(values[x < 499_800.0]).all()
    inside = (x > 499_830.0) & (x < 500_600.0)
    assert values[inside] == pytest.approx(plane(x, y)[inside], abs=2e-3)


def test_scale_and_offset_of_the_band_apply(tmp_path: Path) -> None:
    path = tif(tmp_path, source_plane() * 10, dtype="int32")
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.1,), (5.0,)
    layer = read_raster(card(path), FRAME)
    assert layer.values == pytest.approx(plane(*centres(FRAME)) + 5.0, abs=0.11)


def test_large_frames_are_read_in_blocks_without_seams(tmp_path: Path) -> None:
    """1 940 columns make two blocks; the plane shows no step."""
    frame = Frame(ZONE, 0.5, 500_000.0, 3_700_400.0, 40, 1_940)
    values = read_raster(card(tif(tmp_path, source_plane())), frame).values
    assert values == pytest.approx(plane(*centres(frame)), abs=2e-3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"crs": None}, [("error", "raster.crs_missing")]),
        ({"crs": "EPSG:2437"}, [("error", "raster.crs_unsupported")]),
        ({"unit": None}, [("error", "raster.unit_missing")]),
        ({"nodata": None}, [("warning", "raster.nodata_missing")]),
        ({"bands": 2}, [("warning", "raster.bands")]),
        ({"transform": Affine(50.0, 0, 499_800.0, 0, -50.0, 100_000.0)}, [("error", "raster.outside_china")]),
        ({}, []),
    ],
)
def test_faults_of_a_raster(tmp_path: Path, changes: dict, expected: list[tuple[str, str]]) -> None:
    source = card(tif(tmp_path, source_plane(), **changes))
    assert rules(source) == expected
    if any(severity == "error" for severity, _ in expected):
        with pytest.raises(InputError):
            read_raster(source, FRAME)


def test_datum_of_the_card(tmp_path: Path) -> None:
    path = tif(tmp_path, source_plane())
    assert rules(card(path, datum="cgcs2000")) == []
    assert rules(card(path, datum="gcj02")) == [("error", "raster.datum_contradicts_crs")]
    degrees = tif(tmp_path, source_plane(), crs=None, transform=Affine(1e-3, 0, 117.0, 0, -1e-3, 33.44))
    assert rules(card(degrees, datum="wgs84")) == []
    assert rules(card(degrees, datum="gcj02")) == [("error", "raster.datum_shifted")]
    assert np.isfinite(read_raster(card(degrees, datum="wgs84"), FRAME).values).any()


def test_files_that_are_none(tmp_path: Path) -> None:
    assert rules(card(tmp_path / "none.tif")) == [("error", "source.file_missing")]
    (tmp_path / "text.tif").write_text("no raster")
    (finding,) = inspect_raster(card(tmp_path / "text.tif"))
    assert finding.rule == "raster.unreadable"
    assert str(tmp_path) not in finding.message
    elsewhere = Frame(ZONE, 20.0, 600_000.0, 3_700_400.0, 5, 5)
    with pytest.raises(InputError, match=r"raster\.not_on_frame"):
        read_raster(card(tif(tmp_path, source_plane())), elsewhere)


@pytest.mark.real_data
def test_elevation_of_known_places(real_data: Path) -> None:
    """Stations of the weather files on the relief: Nanyang 129 m, Bozhou 38 m; the plain of Bozhou is flat."""
    from pyproj import Transformer

    path = real_data / "dem-srtm30plus-z6" / "srtm30plus_z6_101-124E_26-38N.tif"
    for lon, lat, altitude_m, zone in ((112.58, 33.03, 129.2, "EPSG:4546"), (115.77, 33.87, 37.7, ZONE)):
        x, y = Transformer.from_crs("EPSG:4490", zone, always_xy=True).transform(lon, lat)
        frame = Frame.from_bounds((x - 500, y - 500, x + 500, y + 500), 100.0, zone)
        layer = read_raster(card(path, unit="m"), frame)
        assert float(np.median(layer.values)) == pytest.approx(altitude_m, abs=12)
