"""Land of a generated province, 430 x 570 km at 30 m (272 million cells), 10 layers of which 3 with setbacks.

No peer can do it in 2 GiB; what is shown is time, peak memory (the process's own high-water mark), and that memory
hardly grows with the number of layers: the run is repeated, each in a process of its own, with fewer layers.

Run: ``python benchmarks/land_province.py [share of the side, default 1] [layers, default 10]``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CRS, SIZE_M, LEFT, BOTTOM = "EPSG:4548", 30.0, 285_000.0, 3_280_000.0
WIDE_M, HIGH_M = 430_000.0, 570_000.0
HOSTS = ("fish_pond", "barren_hill", "wind_plain")
SETBACKS_M = {"town": 500.0, "road": 100.0, "line": 200.0}


def districts(width: float, height: float) -> gpd.GeoDataFrame:
    """16 districts, 4 by 4, of a province that fills some 85 % of its box."""
    outline = shapely.box(0, 0, 1, 1).intersection(shapely.Point(0.5, 0.5).buffer(0.56, quad_segs=500))
    cells = [shapely.box(i / 4, j / 4, (i + 1) / 4, (j + 1) / 4) for i in range(4) for j in range(4)]
    shapes = [
        shapely.affinity.affine_transform(cell.intersection(outline), [width, 0, 0, height, LEFT, BOTTOM])
        for cell in cells
    ]
    codes = [f"D{k:02d}" for k in range(16)]
    return gpd.GeoDataFrame({"code": codes, "name": codes}, geometry=shapes, crs=CRS)


def layers(width: float, height: float, number: int) -> dict[str, gpd.GeoDataFrame]:
    draw = np.random.default_rng(11)
    share = width * height / (WIDE_M * HIGH_M)

    def at(count: int) -> np.ndarray:
        n = max(2, round(count * share))
        return np.column_stack([LEFT + draw.uniform(0, width, n), BOTTOM + draw.uniform(0, height, n)])

    def blobs(count: int, low_m: float, high_m: float) -> np.ndarray:
        points = at(count)
        return shapely.buffer(shapely.points(points), draw.uniform(low_m, high_m, len(points)), quad_segs=6)

    def ways(count: int, corners: int, step_m: float) -> np.ndarray:
        points = at(count)
        return shapely.linestrings(
            points[:, None] + np.cumsum(draw.normal(0, step_m, (len(points), corners, 2)), axis=1)
        )

    made = {
        "pond": lambda: blobs(30_000, 50, 600), "hill": lambda: blobs(4_000, 300, 4000),
        "field": lambda: blobs(6_000, 500, 5000), "town": lambda: blobs(20_000, 80, 500),
        "road": lambda: ways(10_000, 25, 700), "line": lambda: ways(1_500, 12, 4000),
        "red_line": lambda: blobs(800, 500, 8000), "farmland": lambda: blobs(40_000, 100, 900),
        "forest": lambda: blobs(10_000, 200, 2500), "water": lambda: blobs(8_000, 100, 1500),
    }  # fmt: skip
    return {name: gpd.GeoDataFrame(geometry=list(make()), crs=CRS) for name, make in list(made.items())[:number]}


def run(share: float, number: int) -> None:
    from layers.contracts import Origin, VectorLayer
    from layers.region import build_region
    from siting.contracts import HostLayer, Rule
    from siting.hosts.types import load_host_types
    from siting.land.eligibility import evaluate_land

    width, height = WIDE_M * share, HIGH_M * share
    made = layers(width, height, number)
    counties = VectorLayer("counties", districts(width, height), Origin.GENERATED)
    names = {"code_column": "code", "name_zh_column": "name", "name_en_column": None, "population": None}
    start, busy = time.perf_counter(), time.process_time()
    region = build_region(counties, resolution_m=SIZE_M, workers=2, **names)
    region_s = time.perf_counter() - start
    found = [VectorLayer(name, features, Origin.GENERATED) for name, features in made.items()]
    hosts = [HostLayer(host, layer) for host, layer in zip(HOSTS, ("pond", "hill", "field"), strict=True)]
    rules = [
        Rule(name, "", "", name, (), setback_m=SETBACKS_M.get(name, 0.0))
        for name in made
        if name not in ("pond", "hill", "field")
    ]
    land = evaluate_land(region, found, (), hosts, load_host_types(), rules, mapped_by=tuple(made)[3:4])
    total_s, busy_s = time.perf_counter() - start, time.process_time() - busy
    states = land.states
    parts = states["eligible_km2"] + states["excluded_km2"] + states["unknown_km2"]
    off = float((parts / region.districts["area_km2"].sum() - 1).abs().max())
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    cells = region.frame.height * region.frame.width / 1e6
    print(
        f"{cells:.0f} Mcell, {sum(map(len, made.values()))} features in {number} layers, "
        f"{sum(name in SETBACKS_M for name in made)} with setbacks: {total_s:.1f} s (region {region_s:.1f} s), "
        f"{cells / total_s:.0f} Mcell/s, processors {busy_s:.1f} s, peak {peak:.0f} MiB, "
        f"states against geodesic area {off:.1e}"
    )
    if off > (1e-4 if cells > 5 else 1e-3):  # small boxes are mostly border
        print("the states do not add up to the region: the figures mean nothing")
        sys.exit(1)


def main() -> None:
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    if len(sys.argv) > 3:
        run(share, number)
        return
    run(0.02, number)  # compiled before the clock runs
    for count in dict.fromkeys((number, max(4, number // 2))):
        subprocess.run([sys.executable, __file__, str(share), str(count), "alone"], check=True)


if __name__ == "__main__":
    main()
