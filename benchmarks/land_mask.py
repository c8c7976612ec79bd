"""Eligible land and score of 100 million cells: we against atlite's ExclusionContainer (which has no score).

10 000 x 10 000 cells of 25 m, five vector layers of some 9450 features with setbacks of 0 to 800 m, a class raster and
a slope raster from GeoTIFF files. The same inputs in one process, answers compared first:

* a cell that we find wholly eligible or wholly excluded must be the same for atlite, which looks at the cell's centre
  (but for one in 100 000: hair cracks between setbacks; atlite's arcs have 16 chords a quarter circle, ours 32),
* the eligible area must agree within 0.1 %.

Our side runs three times: mask and score with one and with two threads (``reasons=False``, which a study file says by
``land.reasons = false``; states, waterfall and ledger come along), and all with the reasons of every cell. It works in
sixteenths of cells; atlite's is the mask alone, of whole cells, in one thread. Each side runs once more in a process of
its own for its peak memory.

Measured on an otherwise idle machine of 2 cores: mask and score 3.2 times atlite on the clock with one thread and 4.5
times with two, 2.5 times in processor time, 0.28 of the memory; with reasons 4.4 and 2.4 times. Of our processor time
some 1.6 s of 3.9 s are spent in libraries: GDAL's decoding of the slopes, which both sides pay (1.1 s), and the buffers
(0.5 s, with twice the chords of atlite's).

Run: ``python benchmarks/land_mask.py [side in cells, default 10000]``; needs atlite (extra ``bench``).
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CRS, SIZE_M, LEFT, TOP = "EPSG:4548", 25.0, 375_000.0, 3_900_000.0
SETBACKS_M = {"reserve": 0.0, "road": 100.0, "line": 200.0, "house": 500.0, "village": 800.0}
CLASSES, STEEPEST = (1, 5, 7), 15.0


def vectors(side: int) -> dict[str, gpd.GeoDataFrame]:
    """Layers whose number of features grows with the area, 9450 at 10 000 cells a side."""
    draw = np.random.default_rng(7)
    span, share = side * SIZE_M, (side / 10_000) ** 2

    def points(count: int) -> np.ndarray:
        n = max(1, round(count * share))
        return np.column_stack([LEFT + draw.uniform(0, span, n), TOP - draw.uniform(0, span, n)])

    def ways(count: int, corners: int, step_m: float) -> np.ndarray:
        at = points(count)
        steps = draw.normal(0, step_m, (len(at), corners, 2))
        return shapely.linestrings(at[:, None, :] + np.cumsum(steps, axis=1))

    def blobs(count: int, low_m: float, high_m: float, segments: int) -> np.ndarray:
        at = points(count)
        return shapely.buffer(shapely.points(at), draw.uniform(low_m, high_m, len(at)), quad_segs=segments)

    shapes = {
        "reserve": blobs(450, 500, 4000, 24),
        "road": ways(2000, 20, 700.0),
        "line": ways(1000, 8, 3000.0),
        "house": blobs(4000, 20, 150, 3),
        "village": blobs(2000, 100, 400, 6),
    }
    return {name: gpd.GeoDataFrame(geometry=list(found), crs=CRS) for name, found in shapes.items()}


def write_rasters(folder: Path, side: int) -> None:
    """Smooth class codes 1 to 8 and slopes of 0 to 30 degrees, deflate, tiles of 512."""
    import rasterio

    draw = np.random.default_rng(9)
    waves = [(draw.uniform(0.5, 9, 2) / 1000, draw.uniform(0, 6.3)) for _ in range(12)]
    profile = {
        "driver": "GTiff", "height": side, "width": side, "count": 1, "crs": CRS, "compress": "deflate",
        "tiled": True, "blockxsize": 512, "blockysize": 512,
        "transform": rasterio.transform.from_origin(LEFT, TOP, SIZE_M, SIZE_M),
    }  # fmt: skip
    with (
        rasterio.open(folder / "cover.tif", "w", dtype="uint8", nodata=255, **profile) as cover,
        rasterio.open(folder / "slope.tif", "w", dtype="float32", **profile) as slope,
    ):
        col = np.arange(side, dtype=np.float32)[None, :]
        for row0 in range(0, side, 512):
            row = np.arange(row0, min(row0 + 512, side), dtype=np.float32)[:, None]
            height = sum(np.sin(a * row + b * col + phase) for (a, b), phase in waves)
            window = rasterio.windows.Window(0, row0, side, len(row))
            cover.write((np.abs(height) * 2.3 % 8 + 1).astype(np.uint8), 1, window=window)
            slope.write(np.minimum(np.abs(height) * 4, 30).astype(np.float32), 1, window=window)


def ours(folder: Path, layers: dict[str, gpd.GeoDataFrame], side: int, workers: int = 2, reasons: bool = False):
    """Land result, and (first row, score) of strips."""
    from layers.contracts import Origin, SourceCard, VectorLayer
    from layers.raster_windows import open_raster
    from layers.region import build_region
    from siting.contracts import HostLayer, Rule
    from siting.hosts.types import load_host_types
    from siting.land.eligibility import evaluate_land
    from siting.scoring.cell_score import CellCriterion

    whole = shapely.box(LEFT, TOP - side * SIZE_M, LEFT + side * SIZE_M, TOP)
    ground = gpd.GeoDataFrame({"code": ["A"], "name": ["A"]}, geometry=[whole], crs=CRS)
    layer = VectorLayer("ground", ground, Origin.GENERATED)
    region = build_region(
        layer, code_column="code", name_zh_column="name", name_en_column=None, population=None, resolution_m=SIZE_M,
        workers=workers,
    )  # fmt: skip
    rasters = [
        open_raster(
            SourceCard(name, folder / f"{name}.tif", f"{name}.tif", "", Origin.GENERATED, unit=unit),
            region.frame,
            resampling="nearest",
        )
        for name, unit in (("cover", "code"), ("slope", "degree"))
    ]
    rules = [Rule(name, "", "", name, (), setback_m=setback) for name, setback in SETBACKS_M.items()]
    rules.append(Rule("cover", "", "", "cover", (), kind="raster_classes", classes=tuple(map(str, CLASSES))))
    rules.append(Rule("slope", "", "", "slope", (), kind="raster_above", limit=STEEPEST))
    found = [VectorLayer(name, features, Origin.GENERATED) for name, features in layers.items()]
    hosts = [HostLayer("barren_hill", "ground")]
    criteria = [
        CellCriterion("cover", rasters[0], 1.0, np.arange(1.0, 9.0), np.linspace(1, 0, 8)),
        CellCriterion("slope", rasters[1], 2.0, np.array([0.0, STEEPEST]), np.array([1.0, 0.0])),
    ]
    score: list[tuple[int, np.ndarray]] = []
    land = evaluate_land(
        region, [layer, *found], rasters, hosts, load_host_types(), rules, mapped_by=(), score=criteria,
        on_score=lambda row0, strip: score.append((row0, strip)), workers=workers, reasons=reasons,
    )  # fmt: skip
    return land, score


def too_steep(slope: np.ndarray) -> np.ndarray:
    return slope > STEEPEST


def peer(folder: Path, layers: dict[str, gpd.GeoDataFrame], side: int) -> np.ndarray:
    from atlite.gis import ExclusionContainer, shape_availability

    container = ExclusionContainer(crs=CRS, res=SIZE_M)
    container.add_raster(folder / "cover.tif", codes=list(CLASSES), nodata=255)
    container.add_raster(folder / "slope.tif", codes=too_steep, nodata=-1)
    for name, setback in SETBACKS_M.items():
        container.add_geometry(layers[name], buffer=setback)
    whole = shapely.box(LEFT, TOP - side * SIZE_M, LEFT + side * SIZE_M, TOP)
    mask, transform = shape_availability(gpd.GeoSeries([whole], crs=CRS), container)
    down, right = round((transform.f - TOP) / SIZE_M), round((LEFT - transform.c) / SIZE_M)
    return mask[down : down + side, right : right + side]


def agree(land, score: list[tuple[int, np.ndarray]], theirs: np.ndarray) -> bool:
    differ, bits = 0, 0
    for row0, scored in score:
        strip = land.lands[0].eligible.rows(row0, row0 + len(scored))
        other = theirs[row0 : row0 + len(scored)]
        differ += np.count_nonzero((strip == 0xFFFF) & ~other) + np.count_nonzero((strip == 0) & other)
        bits += int(np.bitwise_count(strip).sum(dtype=np.int64))
        if not np.array_equal(np.isnan(scored), strip == 0):
            print("the score is not where the land is")
            return False
    area = bits / 16 / np.count_nonzero(theirs) - 1
    print(f"eligible: ours {bits / 16:.0f} cells, atlite {np.count_nonzero(theirs)}, {area:+.4%}")
    print(f"whole cells that differ: {differ} of {theirs.size}")
    return sum(len(scored) for _, scored in score) == len(theirs) and abs(area) < 1e-3 and differ <= 1e-5 * theirs.size


def timed(work, *arguments):
    """Result, seconds on the clock, seconds of all processors."""
    clock, processors = time.perf_counter(), time.process_time()
    result = work(*arguments)
    return result, time.perf_counter() - clock, time.process_time() - processors


def peak_mib(which: str, side: int, folder: str) -> float:
    command = [sys.executable, __file__, str(side), which, folder]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    logging.disable(logging.WARNING)
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if len(sys.argv) > 2:
        (ours if sys.argv[2] == "ours" else peer)(Path(sys.argv[3]), vectors(side), side)
        print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rasters(folder, 512)
        ours(folder, vectors(512), 512)  # compiled and imported before the clock runs
        peer(folder, vectors(512), 512)
        write_rasters(folder, side)
        layers = vectors(side)
        print(f"{side} x {side} cells, {sum(map(len, layers.values()))} features")
        theirs, peer_s, peer_cpu_s = timed(peer, folder, layers, side)
        runs = []
        for label, workers, reasons in (
            ("mask and score, 1 thread", 1, False),
            ("mask and score, 2 threads", 2, False),
            ("the same with reasons, 2 threads", 2, True),
        ):
            (land, score), *times = timed(ours, folder, layers, side, workers, reasons)
            if not agree(land, score, theirs):
                print("the answers differ: the ratio means nothing")
                sys.exit(1)
            runs.append((label, *times))
            del land, score
        del theirs
        ours_mib, peer_mib = peak_mib("ours", side, name), peak_mib("peer", side, name)
    print(f"atlite: {peer_s:.2f} s on the clock, {peer_cpu_s:.2f} s of processor time, {peak_of(peer_mib)}")
    for label, clock_s, cpu_s in runs:
        print(
            f"ours, {label}: {clock_s:.2f} s on the clock ({peer_s / clock_s:.1f} times atlite), "
            f"{cpu_s:.2f} s of processor time ({peer_cpu_s / cpu_s:.1f} times)"
        )
    print(f"ours: {peak_of(ours_mib)}; atlite / ours = {peer_mib / ours_mib:.1f}")


def peak_of(mib: float) -> str:
    return f"peak memory {mib:.0f} MiB"


if __name__ == "__main__":
    main()
