"""A map in the browser: opening it, looking at it, and the study that has everything."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from map_samples import sample_input
from shapely.geometry import LineString

from grid.contracts import BRANCH_N_1
from maps.contracts import Backdrop, LandPicture, PictureClass, SiteMapInput, SiteProfiles
from maps.site_map import write_site_map

if TYPE_CHECKING:
    from playwright.sync_api import Page

OUTPUT = Path(__file__).resolve().parents[1] / "output"


class Opened:
    """A map in the browser, with everything it asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda words: self.complaints.append(words.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, data: SiteMapInput, folder: Path) -> Page:
        path = folder / "map.html"
        write_site_map(data, path)
        self.asked.clear()
        self.complaints.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-complete=true]", state="attached")
        return self.page

    def keep(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        self.page.wait_for_timeout(350)  # a popup that moves the map comes to rest
        self.page.screenshot(path=OUTPUT / f"site_map_{name}.png")


def box(page: Page, selector: str) -> dict[str, float]:
    found: Any = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return dict(found)


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    across = a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
    return across and a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"]


def sites_drawn(page: Page, how: str) -> list[int]:
    """Rows of the sites that the canvas shows as ``outlines`` or ``circles``."""
    places: list[int] = page.evaluate("how => fengguang.page.siteLayer.planned[how]", how)
    return places


def count_drawn(page: Page) -> int:
    return len(sites_drawn(page, "outlines")) + len(sites_drawn(page, "circles"))


def colour_at(page: Page, i: int) -> str:
    """Colour of the canvas in the middle of the circle of site ``i``, as #rrggbb."""
    colour: str = page.evaluate(
        """i => {
          const { siteLayer: layer, map } = fengguang.page;
          const sheet = layer.circles;
          const at = map.latLngToLayerPoint(layer.latLng(i)).subtract(sheet._bounds.min);
          const ratio = sheet._container.width / sheet._bounds.getSize().x;
          const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
          copy.drawImage(sheet._container, Math.round(at.x * ratio), Math.round(at.y * ratio), 1, 1, 0, 0, 1, 1);
          const pixel = copy.getImageData(0, 0, 1, 1).data;
          return '#' + [...pixel].slice(0, 3).map((part) => part.toString(16).padStart(2, '0')).join('');
        }""",
        i,
    )
    return colour


def near(colour: str, expected: str) -> bool:
    """Equal but for the rounding of half-transparent paint."""
    return all(abs(int(colour[k : k + 2], 16) - int(expected[k : k + 2], 16)) <= 6 for k in (1, 3, 5))


def top_circle(page: Page) -> int:
    """The smallest circle: nothing is drawn over its middle."""
    return sites_drawn(page, "circles")[-1]


def go_to(page: Page, lon: float, lat: float, zoom: float) -> None:
    page.evaluate(
        "([lat, lon, zoom]) => fengguang.page.map.setView([lat, lon], zoom, {animate: false})", [lat, lon, zoom]
    )


def site_on_screen(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place stands on the screen, by the page's own map."""
    x, y = page.evaluate(
        "([lat, lon]) => { const { map } = fengguang.page;"
        "const p = map.latLngToContainerPoint([lat, lon]); const r = map.getContainer().getBoundingClientRect();"
        "return [p.x + r.left, p.y + r.top]; }",
        [lat, lon],
    )
    return x, y


def rich_input() -> SiteMapInput:
    """The sample study with everything that a study may bring beyond it."""
    data = sample_input()
    rng = np.random.default_rng(5)
    ids = data.projects["candidate_id"]
    hours = np.clip(np.sin((np.arange(24) - 6) / 12 * np.pi), 0, None) * 0.6
    profiles = SiteProfiles(
        np.array([np.linspace(60, 140, 12)]),
        np.array([hours]),
        pd.DataFrame({"candidate_id": ids, "profile": 0, "capacity_mw": data.projects["grid_capacity_mw"]}),
    )
    lines = data.lines["line_id"]
    worst = pd.DataFrame(
        [(c.id, line, "line", float(p), lines.iloc[3], 0) for c in data.cases
         for line, p in zip(lines, rng.uniform(20, 130, len(lines)), strict=True)],
        columns=list(BRANCH_N_1.columns),
    )  # fmt: skip
    measures = pd.DataFrame(
        {"measure_id": ["m1", "m2", "m3", "m4", "m5"], "stage": ["2025", *["2030"] * 4],
         "kind": ["second_circuit", "add_transformer", "new_station", "curtailment_contract", "add_transformer"],
         "name_zh": ["新建第二回线路", "增加主变", "新建双涧变电站", "可限电协议，年电量至多5%", "再加主变"],
         "name_en": ["Second circuit", "Transformer", "new station Shuangjian", "contract up to 5% of a year's energy",
                     "Another transformer"],
         "element": ["l05a", "t1", "new001", "b1", "t2"], "station_id": ["", "s02", "new001", "s01", "s02"],
         "cost_cny": [2e7, 1e7, 9e7, 0.0, 1e7], "annual_cost_cny": [1.6e6, 8e5, 7e6, 2.5e6, 8e5],
         "called_mwh": [0.0, 0.0, 0.0, 6250.0, 0.0], "unlocked_mw": [40.0, 0.0, 180.0, 25.0, np.nan],
         "lon": [np.nan, np.nan, 116.1, np.nan, np.nan], "lat": [np.nan, np.nan, 33.4, np.nan, np.nan],
         "joins": ["", "", "l05a", "", ""]}
    )  # fmt: skip
    stations = data.substations.drop_duplicates("station_id").set_index("station_id")
    tied = data.projects[data.projects["station_id"] != ""].iloc[:20]
    ties = gpd.GeoDataFrame(
        {"candidate_id": tied["candidate_id"], "vn_kv": 110.0},
        geometry=[LineString([(s.lon, s.lat), (s.lon, stations.lat[s.station_id]),
                              (stations.lon[s.station_id], stations.lat[s.station_id])]) for s in tied.itertuples()],
        crs="EPSG:4326",
    )  # fmt: skip
    water = gpd.GeoSeries([LineString([(115.6, 33.9), (116.1, 33.5), (116.7, 33.1)]).buffer(0.008)], crs="EPSG:4326")
    roads = gpd.GeoSeries([LineString([(115.6, 33.5), (116.7, 33.2)])], crs="EPSG:4326")
    return replace(
        data,
        substations=data.substations.assign(grade=rng.choice(["green", "yellow", "red"], len(data.substations))),
        profiles=profiles,
        site_facts=pd.DataFrame({"candidate_id": ids, "road_km": 1.2, "mean_slope_deg": 0.4, "township": "十八里镇"}),
        branch_n_1=worst,
        measures=measures,
        ties=ties,
        stages=pd.DataFrame({"candidate_id": ids, "stage": rng.choice(["2025", "2030"], len(ids)), **CONNECTED}),
        backdrops=(Backdrop("water", water), Backdrop("road", roads)),
        land_pictures=(LandPicture("fish_pond", FOUR_PIXELS, 115.8, 33.2, 116.2, 33.6, LAND_CLASSES),),
        parks=pd.DataFrame([PARK]),
        list_file="projects.xlsx",
    )  # fmt: skip


CONNECTED = {"connection_zh": "规划汇集站 · 110 kV · 4.1 km", "connection_en": "Planned station · 110 kV · 4.1 km"}
"""Where the plan connects every site, unlike the list."""

PARK = {
    "park_id": "estate", "name_zh": "循环经济园", "name_en": "Circular estate", "lon": 116.25, "lat": 33.35,
    "load_origin": "generated: continuous", "place_confidence": "C", "rule_verdict": "kept_until", "peak_mw": 60.0,
    "load_mwh": 494_944.0, "pv_mw": 100.0, "wind_mw": 60.0, "storage_mw": 20.0, "storage_mwh": 40.0,
    "green_share": 0.4767, "self_use_share": 0.8699, "import_mwh": 259_009.0, "export_mwh": 12_891.0,
    "import_peak_mw": 58.8, "export_peak_mw": 12.0, "cost_cny_per_mwh": 500.9, "grid_price_cny_per_mwh": 620.0,
    "co2_avoided_t": 160_011.0,
}  # fmt: skip
LAND_CLASSES = (
    PictureClass("eligible", "", "", "#1b9e77", 12.5),
    PictureClass("red_line", "生态保护红线", "Red line", "#cc6677", 3.0),
)
# Two by two pixels: green, red; red, transparent.
FOUR_PIXELS = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAFUlEQVR42mOQnlf+/0xa+X8GMAEEAE/OB4Dvrh2qAAAAAElFTkSuQmCC"
)
