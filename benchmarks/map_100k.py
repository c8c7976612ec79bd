"""The site map with 100 000 sites in headless Chromium, beside plain Folium on the same sites.

Sites are made up: 40 corners each, of 1 to 60 ha, anywhere in a province of four districts. Measured in a window of
1280 x 800 with the network cut: size of the file, time from opening it to the first view (sites on the screen, two
frames later) and to the last word, time between frames while the map is dragged by the mouse, time from a zoom step to
the drawn map. The peers are folium.GeoJson on a sample (the whole does not open) and FastMarkerCluster on all sites,
without their outlines; Leaflet and its plugins are served from the files of this repository where it has them, and the
cluster plugin from the folder given by ``--cluster``.

Run: python benchmarks/map_100k.py [--sites 100000] [--sample 10000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "maps")]

from map_samples import sample_input  # noqa: E402

from maps.contracts import SiteMapInput, SiteProfiles  # noqa: E402
from maps.screenshot import offline_page  # noqa: E402
from maps.site_map import write_site_map  # noqa: E402
from maps.vendor import leaflet_script, leaflet_style  # noqa: E402

CORNERS = 40
LIMIT_FIRST_VIEW_S, LIMIT_MB = 3.0, 25.0
WEST, SOUTH, EAST, NORTH = 115.5, 32.9, 116.9, 34.1

FRAMES = """
() => { window.frames_ms = []; let last = performance.now();
  const tick = (now) => { if (!window.frames_ms) return; window.frames_ms.push(now - last); last = now;
    requestAnimationFrame(tick); };
  requestAnimationFrame(tick); }
"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Measured:
    """``first_view_s`` from opening the file; frames in milliseconds while dragging; ``zoom_s`` of one zoom step."""

    name: str
    sites: int
    megabytes: float
    first_view_s: float
    complete_s: float
    frame_median_ms: float
    frame_p95_ms: float
    zoom_s: float


def outlines(count: int, rng: np.random.Generator) -> np.ndarray:
    """Polygons of 40 corners in WGS-84."""
    lon, lat = rng.uniform(WEST, EAST, count), rng.uniform(SOUTH, NORTH, count)
    radius_m = np.sqrt(np.exp(rng.uniform(np.log(1e4), np.log(6e5), count)) / np.pi)
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    jagged = 0.25 * np.sin(3 * angle + rng.uniform(0, 6, (count, 1))) + rng.uniform(-0.1, 0.1, (count, CORNERS))
    reach = radius_m[:, None] * (1 + jagged)
    x = lon[:, None] + reach * np.cos(angle) / (111_320 * np.cos(np.radians(lat))[:, None])
    y = lat[:, None] + reach * np.sin(angle) / 111_320
    corners = np.stack([x, y], axis=2)
    return np.asarray(shapely.polygons(np.concatenate([corners, corners[:, :1]], axis=1)))


def many_sites(count: int) -> SiteMapInput:
    """The sample study of the tests with ``count`` sites, every one with its own figures, words and outline."""
    rng = np.random.default_rng(11)
    data = sample_input(candidates=2000)
    rows = data.projects.drop(columns="geometry").iloc[rng.integers(0, 2000, count)].reset_index(drop=True)
    shapes = outlines(count, rng)
    points = shapely.centroid(shapes)
    number = pd.Series(np.arange(1, count + 1))
    rows = rows.assign(
        order=number.to_numpy(),
        candidate_id=[f"BZ-{k:08x}" for k in rng.permutation(count) * 40_009 % 2**32],
        name_zh=rows["district_zh"] + rows["host_type_zh"] + " " + number.astype(str),
        name_en=rows["district_en"] + " " + rows["host_type_en"] + " " + number.astype(str),
        lon=shapely.get_x(points),
        lat=shapely.get_y(points),
        area_m2=shapely.area(shapes) * 111_320**2 * np.cos(np.radians(33.5)),
        capacity_mw=np.round(rng.lognormal(2.0, 1.0, count), 2) + 0.1,
        specific_yield_kwh_per_kw=np.round(rng.uniform(950, 2600, count)),
        lcoe_cny_per_kwh=np.round(rng.uniform(0.2, 0.5, count), 4),
        score=np.round(rng.uniform(0, 1, count), 3),
        connection_km=np.round(rng.uniform(0.1, 20, count), 2),
    )
    rows["grid_capacity_mw"] = (rows["capacity_mw"] / 1.2).round(2)
    rows["energy_mwh"] = rows["capacity_mw"] * rows["specific_yield_kwh_per_kw"]
    rows["reason_zh"] = [
        f"{k % 7 + 2}个可行接入点中总费用最低：110 kV，{km:.1f} km" for k, km in enumerate(rows["connection_km"])
    ]
    rows["reason_en"] = [
        f"least cost of {k % 7 + 2} feasible points: 110 kV, {km:.1f} km" for k, km in enumerate(rows["connection_km"])
    ]
    profiles = SiteProfiles(
        rng.uniform(60, 140, (12, 12)), rng.uniform(0, 0.6, (12, 24)),
        rows[["candidate_id"]].assign(profile=number % 12, capacity_mw=rows["grid_capacity_mw"]),
    )  # fmt: skip
    projects = gpd.GeoDataFrame(rows, geometry=shapes, crs="EPSG:4326")
    return replace(data, projects=projects, profiles=profiles)


def folium_map(projects: gpd.GeoDataFrame, path: Path, cluster: Path | None) -> None:
    """What a reader of Folium's guide would write: GeoJson with a tip, or FastMarkerCluster of points."""
    import folium
    from folium.plugins import FastMarkerCluster

    drawn = folium.Map(location=[33.5, 116.2], zoom_start=9, tiles=None, prefer_canvas=True)
    drawn.options["max_zoom"] = 18
    if cluster is None:
        fields = ["name_zh", "capacity_mw", "specific_yield_kwh_per_kw", "lcoe_cny_per_kwh", "verdict"]
        shown = projects[[*fields, "geometry"]]
        folium.GeoJson(shown, tooltip=folium.GeoJsonTooltip(fields), popup=folium.GeoJsonPopup(fields)).add_to(drawn)
    else:
        plain = "function (row) { return L.marker(new L.LatLng(row[0], row[1])); }"
        FastMarkerCluster(projects[["lat", "lon"]].to_numpy().tolist(), callback=plain).add_to(drawn)
    path.write_text(drawn.get_root().render(), encoding="utf-8")


def served(page, cluster: Path | None) -> None:  # type: ignore[no-untyped-def]
    """Leaflet from this repository, the cluster plugin from a folder, nothing else: as fast as a near server."""

    def answer(route) -> None:  # type: ignore[no-untyped-def]
        name = route.request.url.split("/")[-1]
        if name in ("leaflet.js", "leaflet.css"):
            route.fulfill(body=leaflet_script() if name.endswith("js") else leaflet_style())
        elif cluster is not None and (cluster / name).is_file():
            route.fulfill(body=(cluster / name).read_text("utf-8"))
        else:
            route.fulfill(body="")

    page.context.set_offline(False)
    page.route(lambda url: url.startswith("http"), answer)


def measure(name: str, path: Path, sites: int, ready: str, complete: str, cluster: Path | None = None) -> Measured:
    """Open a page in a fresh browser, wait, drag, zoom."""
    with offline_page() as page:
        page.on("pageerror", lambda error: print(f"{name}: {error}", file=sys.stderr))
        if name != "fengguang":
            served(page, cluster)
        began = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit", timeout=90_000)
        page.wait_for_function(ready, timeout=90_000)
        page.evaluate(TWO_FRAMES)
        first = time.perf_counter() - began
        page.wait_for_function(complete, timeout=90_000)
        page.evaluate(TWO_FRAMES)
        whole = time.perf_counter() - began
        page.mouse.move(600, 400)
        page.mouse.down()
        page.evaluate(FRAMES)
        for step in range(60):
            page.mouse.move(600 - 9 * step, 400 + 3 * step)
        page.mouse.up()
        page.evaluate(TWO_FRAMES)
        frames = np.array(page.evaluate("() => { const f = window.frames_ms; window.frames_ms = null; return f; }"))
        began = time.perf_counter()
        page.click(".leaflet-control-zoom-in")
        page.wait_for_function("() => !document.querySelector('.leaflet-zoom-anim')")
        page.evaluate(TWO_FRAMES)
        zoom = time.perf_counter() - began
    return Measured(name, sites, path.stat().st_size / 1e6, first, whole, float(np.median(frames)),
                    float(np.quantile(frames, 0.95)), zoom)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=10_000, help="sites that folium.GeoJson gets")
    parser.add_argument("--cluster", type=Path, help="folder with leaflet.markercluster.js, to run FastMarkerCluster")
    asked = parser.parse_args()
    data = many_sites(asked.sites)
    corners = shapely.get_num_coordinates(data.projects.geometry.to_numpy()).mean() - 1
    print(f"{asked.sites:,} sites of {corners:.0f} corners")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, points = (Path(folder) / name for name in ("ours.html", "geojson.html", "points.html"))
        began = time.perf_counter()
        write_site_map(data, ours)
        print(f"written in {time.perf_counter() - began:.1f} s")
        states = [f"() => document.documentElement.dataset.{state} === 'true'" for state in ("ready", "complete")]
        results.append(measure("fengguang", ours, asked.sites, *states))
        canvas = "() => document.querySelector('.leaflet-overlay-pane canvas, .leaflet-overlay-pane path') !== null"
        folium_map(data.projects.iloc[: asked.sample], theirs, None)
        results.append(measure("folium.GeoJson (sample)", theirs, asked.sample, canvas, canvas))
        if asked.cluster:
            folium_map(data.projects, points, asked.cluster)
            marks = "() => document.querySelector('.marker-cluster') !== null"
            results.append(measure("FastMarkerCluster (points)", points, asked.sites, marks, marks, asked.cluster))
    report(results)


def report(results: list[Measured]) -> None:
    print(
        f"{'':28}{'sites':>9}{'MB':>8}{'first view s':>14}{'complete s':>12}{'frame ms':>10}{'p95 ms':>8}{'zoom s':>8}"
    )
    for r in results:
        print(f"{r.name:28}{r.sites:>9,}{r.megabytes:>8.1f}{r.first_view_s:>14.2f}{r.complete_s:>12.2f}"
              f"{r.frame_median_ms:>10.0f}{r.frame_p95_ms:>8.0f}{r.zoom_s:>8.2f}")  # fmt: skip
    ours = results[0]
    for peer in results[1:]:
        each = (peer.first_view_s / peer.sites) / (ours.first_view_s / ours.sites)
        weight = (peer.megabytes / peer.sites) / (ours.megabytes / ours.sites)
        print(f"against {peer.name}: {each:.0f} times as fast and {weight:.1f} times as light, site by site; "
              f"frames {peer.frame_p95_ms / ours.frame_p95_ms:.1f} times as short (95 %)")  # fmt: skip
    kept = ours.first_view_s < LIMIT_FIRST_VIEW_S and ours.megabytes <= LIMIT_MB
    print(f"limits {LIMIT_FIRST_VIEW_S:g} s and {LIMIT_MB:g} MB: {'kept' if kept else 'BROKEN'}")


if __name__ == "__main__":
    main()
