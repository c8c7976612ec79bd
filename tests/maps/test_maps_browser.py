"""The page in a real browser with the network cut: what a planner sees, clicks and hears."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from map_samples import empty_input, sample_input
from shapely.geometry import LineString
from test_maps_page import HOSTILE, hostile_input

from grid.contracts import BRANCH_N_1
from layers.datum import gcj02_from_wgs84
from maps.contracts import Backdrop, LandPicture, PictureClass, SiteMapInput, SiteProfiles
from maps.payload import quantities
from maps.screenshot import BrowserMissing, find_chromium, offline_page, screenshot
from maps.site_map import BaseTiles, write_site_map
from maps.style import map_style

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Opened]:
    try:
        find_chromium()
        pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    except BrowserMissing as error:
        pytest.skip(str(error))
    with offline_page() as page:
        yield Opened(page)


@pytest.fixture
def opened(browser: Opened, tmp_path: Path) -> Iterator[Opened]:
    """The sample study, freshly opened; whatever a test does, nothing is fetched and nothing complains."""
    browser.open(sample_input(), tmp_path)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.asked if not url.startswith(("file://", "data:"))] == []
    assert sum(url.startswith("file://") for url in browser.asked) == 1


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


def test_everything_is_there(opened: Opened) -> None:
    page = opened.page
    for selector in ("#fg-head h1", "#fg-banner", ".leaflet-control-zoom-in", ".leaflet-control-scale-line",
                     "#fg-legend", "#fg-north", "#fg-language", "#fg-layers .leaflet-control-layers",
                     "#fg-attribution"):  # fmt: skip
        assert page.locator(selector).is_visible(), selector
    assert page.locator("#fg-layers input[type=checkbox]").count() == 1 + 6 + 2 + 3
    assert page.locator("canvas.fg-sheet").count() == 2
    assert page.evaluate("[fengguang.page.map.getMinZoom(), fengguang.page.map.getMaxZoom()]") == [4, 18]
    assert page.locator(".fg-station").count() == 20
    assert page.locator(".district-name").count() == 4
    # 60 sites, each as a circle or as an outline
    assert count_drawn(page) == 60
    opened.keep("zh")


def test_panels_do_not_cover_each_other_at_1280_by_800(opened: Opened) -> None:
    page = opened.page
    parts = ("#fg-head", "#fg-banner", ".leaflet-control-zoom", "#fg-north", "#fg-legend", ".leaflet-control-scale",
             "#fg-side", "#fg-attribution")  # fmt: skip
    boxes = {part: box(page, part) for part in parts}
    assert [(a, b) for a in parts for b in parts if a < b and overlap(boxes[a], boxes[b])] == []
    for part, place in boxes.items():
        assert place["x"] >= 0, part
        assert place["x"] + place["width"] <= 1280, part
        assert place["y"] + place["height"] <= 800, part
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_language_switch_changes_every_word_without_reload(opened: Opened) -> None:
    page = opened.page
    page.evaluate("window.sameDocument = true")
    places = ("#fg-head h1", "#fg-legend", "#fg-layers", "#fg-banner", "[role=tablist]", "#fg-case-summary")
    before = {place: page.inner_text(place) for place in places}
    page.click("#fg-language")
    after = {place: page.inner_text(place) for place in places}
    for place in places:
        assert any("\u4e00" <= c <= "\u9fff" for c in before[place]), place
        assert not any("\u4e00" <= c <= "\u9fff" for c in after[place]), place
    assert page.title() == "Bozhou: wind and solar sites the grid can carry"
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_attribute(".leaflet-control-zoom-in", "aria-label") == "Zoom in"
    assert page.get_attribute(".leaflet-control-zoom-in", "title") == "Zoom in"
    assert page.locator(".district-name").first.inner_text() == "Qiaocheng"
    opened.keep("en")
    page.click("#fg-language")
    assert {place: page.inner_text(place) for place in places} == before
    assert page.evaluate("window.sameDocument")


def test_the_first_language_can_be_english(browser: Opened, tmp_path: Path) -> None:
    page = browser.open(sample_input(language="en"), tmp_path)
    assert page.title().startswith("Bozhou")
    assert page.inner_text("#fg-language") == "中文"


def test_case_switch_recolours_lines_and_tells_the_case(opened: Opened) -> None:
    """Line l03a has no result in the third case: its route (with l03b) is coloured by what is known."""
    page = opened.page
    colours = "[...document.querySelectorAll('.leaflet-fg-lines-pane path')].map(p => p.getAttribute('stroke')).join()"
    seen = {}
    for case in ("0", "1", "2", "worst"):
        page.check(f"input[name=fg-case][value='{case}']")
        seen[case] = page.evaluate(colours)
    assert len(set(seen.values())) == 4
    page.check("input[name=fg-case][value='1']")
    assert "820 MW" not in page.inner_text("#fg-case-summary")
    assert "1,445 MW" in page.inner_text("#fg-case-summary")
    assert "外送" in page.inner_text("#fg-case-summary")
    assert "311 MW" in page.inner_text("#fg-case-summary")
    page.check("input[name=fg-case][value='2']")
    assert "不收敛" in page.inner_text("#fg-case-summary")
    assert "—" in page.inner_text("#fg-case-summary")
    page.check("input[name=fg-case][value='worst']")
    assert page.inner_text("#fg-case-summary") == ""


def test_lines_wear_the_colour_of_the_legend(browser: Opened, tmp_path: Path) -> None:
    """One route at 85 %: the fourth class (80 to 100), whose colour is also in the legend; no result: grey, dashed."""
    data = sample_input()
    lines = data.lines.iloc[[0]]
    state = data.branch_state.iloc[[0]].assign(element=lines["line_id"].iloc[0], loading_percent=85.0)
    page = browser.open(replace(data, lines=lines, branch_state=state), tmp_path)
    stroke = "document.querySelectorAll('.leaflet-fg-lines-pane path')[1].getAttribute('stroke')"
    assert page.evaluate(stroke) == "#D3611C"
    assert "--c:#D3611C" in page.inner_html("#fg-legend")
    page.check("input[name=fg-case][value='1']")
    assert page.evaluate(stroke) == "#C9CDD1"
    assert page.evaluate("document.querySelectorAll('.leaflet-fg-lines-pane path')[1].getAttribute('stroke-dasharray')")


def top_circle(page: Page) -> int:
    """The smallest circle: nothing is drawn over its middle."""
    return sites_drawn(page, "circles")[-1]


def test_views_colour_sites_by_what_they_say(opened: Opened) -> None:
    """The drawn colour of the topmost circle is that of its class, in every view; the legend follows."""
    page = opened.page
    i = top_circle(page)
    site = sample_input().projects.iloc[i]
    page.check("input[name=fg-view][value=verdict]")
    verdicts = {v.verdict: v.colour for v in map_style().verdicts}
    assert near(colour_at(page, i), verdicts[site["verdict"]])
    assert page.locator("#fg-legend .by-verdict").is_visible()
    assert not page.locator("#fg-legend .by-host").is_visible()
    opened.keep("verdict")
    for view in ("score", "yield", "lcoe"):
        page.check(f"input[name=fg-view][value={view}]")
        (quantity,) = (q for q in quantities(sample_input(), map_style()) if q["id"] == view)
        value = site[quantity["column"]]
        classes = [k for k, edge in enumerate(quantity["edges"]) if value >= edge]
        expected = quantity["colours"][classes[-1]] if classes else map_style().unknown
        assert near(colour_at(page, i), expected), view
        assert page.locator(f"#fg-legend .by-{view}").is_visible()
        assert page.locator("#fg-legend .by-view").filter(visible=True).count() == 1
    opened.keep("lcoe")


def test_layer_list_hides_and_shows(opened: Opened) -> None:
    page = opened.page
    first = page.locator("#fg-layers label", has_text="鱼塘").locator("input")
    first.uncheck()
    ponds = len(sample_input().projects.query("host_type == 'fish_pond'"))
    assert 60 - count_drawn(page) == ponds > 0
    first.check()
    assert count_drawn(page) == 60
    # The list wrote itself anew and still speaks both languages.
    page.click("#fg-language")
    assert "Fish ponds" in page.inner_text("#fg-layers")


def test_click_on_a_site_opens_its_story(opened: Opened) -> None:
    page = opened.page
    row = sample_input().projects.iloc[top_circle(page)]
    page.mouse.click(*site_on_screen(page, row["lon"], row["lat"]))
    card = page.locator(".leaflet-popup .card")
    card.wait_for()
    words = card.inner_text()
    for part in (row["name_zh"], row["candidate_id"], row["district_zh"], row["reason_zh"], row["host_type_zh"],
                 f"{row['capacity_mw']:,.1f}", f"{row['grid_capacity_mw']:,.1f} MW",
                 f"{row['specific_yield_kwh_per_kw']:,.0f} h", "程序生成"):  # fmt: skip
        assert part in words, part
    opened.keep("site_popup")
    page.click("#fg-language")
    assert row["name_en"] in card.inner_text()
    assert row["reason_en"] in card.inner_text()


def test_pointing_at_a_site_names_it(opened: Opened) -> None:
    page = opened.page
    row = sample_input().projects.iloc[top_circle(page)]
    page.mouse.move(*site_on_screen(page, row["lon"], row["lat"]))
    assert page.inner_text(".fg-tip") == f"{row['name_zh']} · {row['capacity_mw']:,.1f} MW"
    page.mouse.move(400, 90)
    assert page.locator(".fg-tip").count() == 0


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


def test_click_on_a_line_opens_all_its_circuits(opened: Opened) -> None:
    page = opened.page
    path = sample_input().lines.query("line_id == 'l01a'").geometry.iloc[0]
    lon, lat = path.interpolate(0.35, normalized=True).coords[0]
    page.mouse.click(*site_on_screen(page, lon, lat))
    words = page.locator(".leaflet-popup .card").inner_text()
    assert "l01a" in words
    assert "l01b" in words
    for case in ("夏季晚高峰", "春季午间低谷", "冬季大风夜"):
        assert case in words
    opened.keep("line_popup")


def test_a_station_opens_by_mouse_and_by_keyboard(opened: Opened) -> None:
    page = opened.page
    marker = page.locator(".fg-station[aria-label='变电站 龙山变 220 kV']")
    marker.click()
    words = page.locator(".leaflet-popup .card").inner_text()
    for part in ("龙山变", "220 kV", "110 kV", "剩余 N-1", "可接入 N-0", "限制因素", "s03"):
        assert part in words, part
    opened.keep("station_popup")
    page.locator(".leaflet-popup-close-button").click()
    page.locator(".leaflet-popup").wait_for(state="detached")
    marker.focus()
    page.keyboard.press("Enter")
    assert "龙山变" in page.locator(".leaflet-popup .card").inner_text()
    page.keyboard.press("Escape")
    page.locator(".leaflet-popup").wait_for(state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "变电站 龙山变 220 kV"


def test_the_list_finds_by_name_id_and_verdict_in_either_language(opened: Opened) -> None:
    page = opened.page
    projects = sample_input().projects
    page.click("#fg-tab-projects")
    assert page.locator("#fg-list li").count() == 60
    page.fill("#fg-search", "refused")
    assert page.locator("#fg-list li").count() == (projects["verdict"] == "refused").sum() > 0
    page.fill("#fg-search", "蒙城")
    assert page.locator("#fg-list li").count() == (projects["district_zh"] == "蒙城县").sum() > 0
    page.fill("#fg-search", "no such site")
    assert page.locator("#fg-list li").count() == 0
    assert "无匹配项目" in page.inner_text("#fg-count")
    page.fill("#fg-search", projects["candidate_id"].iloc[7])
    page.focus("#fg-list button")
    page.keyboard.press("Enter")
    assert projects["name_zh"].iloc[7] in page.locator(".leaflet-popup .card").inner_text()


def test_the_list_shows_a_site_whose_layer_is_off(opened: Opened) -> None:
    page = opened.page
    site = sample_input().projects.query("host_type == 'fish_pond'").iloc[0]
    box_of_ponds = page.locator("#fg-layers label", has_text="鱼塘").locator("input")
    box_of_ponds.uncheck()
    page.click("#fg-tab-projects")
    page.fill("#fg-search", site["candidate_id"])
    page.click("#fg-list button")
    assert page.locator("#fg-layers label", has_text="鱼塘").locator("input").is_checked()
    assert site["candidate_id"] in page.locator(".leaflet-popup .card").inner_text()


def test_controls_are_reached_and_worked_by_keyboard(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    focused = "(e => e.id || e.name || e.className)(document.activeElement)"
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    # Stations are stops, shapes are not: sites are reached through the list.
    assert not [stop for stop in reached if isinstance(stop, dict)]
    for name in ("fg-panel", "fg-language", "fg-tab-layers", "fg-view", "fg-case", "leaflet-control-layers-selector"):
        assert name in reached, name
    page.focus("#fg-tab-layers")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#fg-tab-projects", "aria-selected") == "true"
    assert page.locator("#fg-list").is_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#fg-panel-data").is_visible()


def test_every_control_has_a_name_for_screen_readers(opened: Opened) -> None:
    nameless = opened.page.evaluate(
        "[...document.querySelectorAll('button, input, a[href], [role=button], [role=img], [tabindex=\"0\"]')]"
        ".filter(e => !(e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText))"
        ".filter(e => e.checkVisibility()).map(e => e.outerHTML)"
    )
    assert nameless == []


def test_tabs_show_targets_land_and_data(opened: Opened) -> None:
    page = opened.page
    page.click("#fg-tab-targets")
    words = page.inner_text("#fg-panel-targets")
    for part in ("光伏装机 2030", "4,200", "富余 190", "采煤沉陷区", "8,521.0 km²"):
        assert part in words, part
    opened.keep("targets")
    page.click("#fg-tab-data")
    assert not page.get_by_text("县区负荷按人口分摊").is_visible()
    page.click(".assumptions summary")
    assert page.get_by_text("县区负荷按人口分摊").is_visible()
    words = page.inner_text("#fg-panel-data")
    for part in ("实测", "测绘", "程序生成", "亳州市县界", "GCJ02", "BSD-2-Clause"):
        assert part in words, part
    opened.keep("data")


def test_the_side_panel_closes_and_the_map_takes_its_room(opened: Opened) -> None:
    page = opened.page
    before = box(page, ".folium-map")["width"]
    page.click("#fg-panel")
    assert not page.locator("#fg-side").is_visible()
    assert box(page, ".folium-map")["width"] > before + 300
    page.click("#fg-panel")
    assert box(page, ".folium-map")["width"] == before


def test_names_of_stations_do_not_cover_each_other(opened: Opened) -> None:
    names = opened.page.evaluate(
        "[...document.querySelectorAll('.station-mark .name')]"
        ".filter(n => n.checkVisibility({visibilityProperty: true}))"
        ".map(n => { const r = n.getBoundingClientRect(); return {x: r.x, y: r.y, width: r.width, height: r.height}; })"
    )
    assert len(names) >= 3
    assert not any(overlap(a, b) for i, a in enumerate(names) for b in names[:i])


def test_outlines_replace_circles_when_they_are_large_enough(opened: Opened) -> None:
    page = opened.page
    whole = len(sites_drawn(page, "outlines"))
    row = sample_input().projects.sort_values("capacity_mw").iloc[-1]
    page.evaluate(
        "([lat, lon]) => fengguang.page.map.setView([lat, lon], 13, {animate: false})", [row["lat"], row["lon"]]
    )
    assert int(row["order"]) - 1 in sites_drawn(page, "outlines")
    page.click(".fg-home")
    assert len(sites_drawn(page, "outlines")) == whole
    assert count_drawn(page) == 60


def test_filters_narrow_map_and_list_alike(opened: Opened) -> None:
    page = opened.page
    projects = sample_input().projects
    page.click("#fg-tab-projects")
    expected = projects
    for field, value, keep in (
        ("#fg-mw-from", "5", lambda t: t["capacity_mw"].round(2) >= 5),
        ("#fg-mw-to", "80", lambda t: t["capacity_mw"].round(2) <= 80),
        ("#fg-lcoe-to", "0.33", lambda t: t["lcoe_cny_per_kwh"].round(4) <= 0.33),
    ):
        page.fill(field, value)
        expected = expected[keep(expected)]
        assert page.locator("#fg-list li").count() == count_drawn(page) == len(expected) > 0, field
    page.select_option("#fg-district", "341621")
    expected = expected[expected["district_code"] == "341621"]
    assert page.locator("#fg-list li").count() == count_drawn(page) == len(expected) > 0
    page.select_option("#fg-verdict", "connect")
    expected = expected.query("verdict == 'connect'")
    technology = str(expected["technology"].iloc[0])
    page.select_option("#fg-technology", technology)
    expected = expected[expected["technology"] == technology]
    assert page.locator("#fg-list li").count() == count_drawn(page) == len(expected) > 0
    assert f"{len(expected)}/60" in page.inner_text("#fg-count")
    opened.keep("filters")
    page.click("#fg-reset")
    assert page.locator("#fg-list li").count() == count_drawn(page) == 60


def test_search_forgives_case_blanks_and_tone_marks(opened: Opened) -> None:
    page = opened.page
    page.click("#fg-tab-projects")
    sites = (sample_input().projects["district_en"] == "Mengcheng").sum()
    for words in ("mengcheng", "Meng Cheng", "Méngchéng", "MENG-CHENG"):
        page.fill("#fg-search", words)
        assert page.locator("#fg-list .chip").count() == sites > 0, words
    page.fill("#fg-search", "Station 03")
    station = page.locator("#fg-list li").first
    assert "龙山变" in station.inner_text()
    station.locator("button").click()
    assert "s03" in page.locator(".leaflet-popup .card").inner_text()


def test_the_listed_sites_are_saved_as_a_table(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.click("#fg-tab-projects")
    page.fill("#fg-search", "refused")
    with page.expect_download() as caught:
        page.click("#fg-csv")
    caught.value.save_as(tmp_path / "sites.csv")
    table = pd.read_csv(tmp_path / "sites.csv")
    expected = sample_input().projects.query("verdict == 'refused'")
    assert table["candidate_id"].tolist() == expected["candidate_id"].tolist()
    assert table["capacity_mw"].tolist() == pytest.approx(expected["capacity_mw"].round(2).tolist())


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1"])
def test_trap_a_cell_is_never_a_formula(opened: Opened, words: str) -> None:
    cell = opened.page.evaluate("words => fengguang.csvCell(words)", words)
    assert cell.lstrip('"').startswith("'")
    assert opened.page.evaluate("fengguang.csvCell('亳州 +1')") == "亳州 +1"
    assert opened.page.evaluate("fengguang.csvCell('a,\"b')") == '"a,""b"'


def test_a_link_opens_its_site_and_ids_are_copied(opened: Opened) -> None:
    page = opened.page
    site = sample_input().projects.iloc[11]
    page.evaluate("id => { location.hash = '#site=' + encodeURIComponent(id); }", site["candidate_id"])
    card = page.locator(".leaflet-popup .card")
    card.wait_for()
    assert site["candidate_id"] in card.inner_text()
    card.get_by_text("复制编号").click()
    card.get_by_text("已复制").wait_for()
    focused = page.evaluate("[document.activeElement.innerText, document.body.scrollTop, document.body.scrollHeight]")
    assert focused == ["复制编号", 0, 800]
    page.evaluate("location.hash = '#site=%E0%A4%A'")
    page.evaluate("location.hash = '#station=s03'")
    page.wait_for_function("() => document.querySelector('.leaflet-popup .card').innerText.includes('龙山变')")


def test_a_popup_stands_still_where_it_opens(opened: Opened) -> None:
    """A popup that glides into view would be missed by the pointer; each corner of the study is tried."""
    places = opened.page.evaluate(
        """() => {
          const { page } = fengguang;
          const frame = () => Object.values(page.map.getPane('popupPane').lastChild.getBoundingClientRect().toJSON());
          const before = [...Array(60).keys()].map((i) => { page.showSite(i, null); return frame(); });
          page.fit();
          const site = page.siteLayer.planned.circles.at(-1);
          page.openSite(site, page.siteLayer.latLng(site), null);
          const at = frame();
          return new Promise((done) => setTimeout(() => done([before, at, frame()]), 400));
        }"""
    )
    before, at, later = places
    assert at == later
    room = box(opened.page, ".folium-map")
    legend = box(opened.page, "#fg-legend")
    for x, y, width, height, *_ in [*before, at]:
        assert legend["x"] + legend["width"] <= x
        assert x + width <= room["x"] + room["width"]
        assert room["y"] <= y
        assert y + height <= room["y"] + room["height"]


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
        {"measure_id": ["m1", "m2"], "stage": ["2025", "2030"], "kind": ["second_circuit", "add_transformer"],
         "name_zh": ["新建第二回线路", "增加主变"], "name_en": ["Second circuit", "Transformer"],
         "element": ["l05a", "t1"], "station_id": ["", "s02"], "cost_cny": [2e7, 1e7]}
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
        stages=pd.DataFrame({"candidate_id": ids, "stage": rng.choice(["2025", "2030"], len(ids))}),
        backdrops=(Backdrop("water", water), Backdrop("road", roads)),
        land_pictures=(LandPicture("fish_pond", FOUR_PIXELS, 115.8, 33.2, 116.2, 33.6, LAND_CLASSES),),
        list_file="projects.xlsx",
    )  # fmt: skip


LAND_CLASSES = (
    PictureClass("eligible", "", "", "#1b9e77", 12.5),
    PictureClass("red_line", "生态保护红线", "Red line", "#cc6677", 3.0),
)
# Two by two pixels: green, red; red, transparent.
FOUR_PIXELS = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAYAAABytg0kAAAAFUlEQVR42mOQnlf+/0xa+X8GMAEEAE/OB4Dvrh2qAAAAAElFTkSuQmCC"
)


@pytest.fixture
def rich(browser: Opened, tmp_path: Path) -> Iterator[Opened]:
    browser.open(rich_input(), tmp_path)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.asked if not url.startswith(("file://", "data:"))] == []


def test_everything_a_study_may_bring_is_shown(rich: Opened) -> None:
    page = rich.page
    page.wait_for_timeout(200)
    for words in ("水系与道路", "电网措施.*2025", "电网措施.*2030", "规划送出线路"):
        assert page.locator("#fg-layers label", has_text=re.compile(words)).locator("input").is_checked(), words
    assert page.locator(".fg-measure").count() == 2
    rich.keep("rich")
    page.check("input[name=fg-view][value=stage]")
    i = top_circle(page)
    stage = rich_input().stages["stage"].iloc[i]
    assert near(colour_at(page, i), map_style().stages[["2025", "2030"].index(stage)])
    page.check("input[name=fg-stations][value=grade]")
    assert page.locator("#fg-legend .by-grade").is_visible()
    assert page.locator(".fg-station .mark-cross").count() > 0
    rich.keep("stage_and_grade")


def test_n_1_worst_recolours_lines_and_stands_in_their_story(rich: Opened) -> None:
    page = rich.page
    colours = "[...document.querySelectorAll('.leaflet-fg-lines-pane path')].map(p => p.getAttribute('stroke')).join()"
    before = page.evaluate(colours)
    page.check("input[name=fg-case][value=n_1]")
    assert page.evaluate(colours) != before
    data = rich_input()
    path = data.lines.query("line_id == 'l01a'").geometry.iloc[0]
    most = data.branch_n_1.query("element == 'l01a'")["loading_max_percent"].max()
    point = path.interpolate(0.35, normalized=True)
    go_to(page, point.x, point.y, 12)
    page.mouse.click(*site_on_screen(page, point.x, point.y))
    words = page.locator(".leaflet-popup .card").inner_text()
    assert f"{most:.0f} %" in words
    assert "最重 N-1" in words
    rich.keep("n_1")


def test_a_story_has_its_waterfall_charts_and_row(rich: Opened) -> None:
    """12 months of 60 to 140 kWh/kW on the site's AC megawatts: December is the highest and is said aloud."""
    page = rich.page
    site = rich_input().projects.iloc[4]
    page.evaluate("id => { location.hash = '#site=' + id; }", site["candidate_id"])
    card = page.locator(".leaflet-popup .card")
    card.wait_for()
    assert card.locator(".steps li").count() >= 2
    assert card.locator("svg.chart rect").count() == 12
    spoken = card.locator("svg.chart").first.get_attribute("aria-label") or ""
    assert "12 月最高" in spoken
    assert f"{140 * site['grid_capacity_mw']:,.0f}" in spoken
    assert card.locator("footer a").get_attribute("href") == "projects.xlsx"
    assert f"清单序号 {site['order']}" in card.inner_text()
    assert "十八里镇" in card.inner_text()
    rich.keep("site_story")


def test_land_pictures_show_one_host_type_with_its_legend(rich: Opened) -> None:
    page = rich.page
    page.select_option("#fg-land", "fish_pond")
    picture = page.locator("img.fg-picture")
    assert picture.count() == 1
    assert page.evaluate("document.querySelector('img.fg-picture').naturalWidth") == 2
    words = page.inner_text("#fg-land-legend")
    assert "可用" in words
    assert "生态保护红线" in words
    assert "13 km²" in words
    rich.keep("land")
    page.click("#fg-language")
    assert "Red line" in page.inner_text("#fg-land-legend")
    assert page.locator("#fg-land option").first.inner_text() == "None"
    page.select_option("#fg-land", "")
    assert picture.count() == 0


def test_many_sites_are_drawn_together_until_one_comes_near(browser: Opened, tmp_path: Path) -> None:
    page = browser.open(sample_input(candidates=3000), tmp_path)
    counts = page.evaluate("fengguang.page.siteLayer.planned.clusters.map(c => c.count)")
    assert len(counts) > 5
    drawn = sum(counts) + count_drawn(page)
    assert drawn == 3000
    browser.keep("clusters")
    cluster = page.evaluate(
        "(c => fengguang.page.map.unproject([c.x, c.y], 18))(fengguang.page.siteLayer.planned.clusters[0])"
    )
    page.mouse.move(*site_on_screen(page, cluster["lng"], cluster["lat"]))
    assert f"{max(counts):,} 个场址" in page.inner_text(".fg-tip")
    before = page.evaluate("fengguang.page.map.getZoom()")
    page.mouse.click(*site_on_screen(page, cluster["lng"], cluster["lat"]))
    page.wait_for_function(f"() => fengguang.page.map.getZoom() > {before}")
    page.evaluate(
        "([y, x]) => fengguang.page.map.setView([y, x], 13, {animate: false})", [cluster["lat"], cluster["lng"]]
    )
    page.wait_for_function("() => fengguang.page.siteLayer.planned.clusters.length === 0")
    assert browser.complaints == []


def test_gcj02_of_the_page_is_that_of_the_program(opened: Opened) -> None:
    """Tiles on GCJ-02 are moved by the shift: the same published formula, equal to a millimetre all over China."""
    places = [(116.4, 39.9), (115.78, 33.87), (87.6, 43.8), (110.3, 20.0), (126.6, 45.8), (103.8, 1.3 + 18)]
    for lon, lat in places:
        got = opened.page.evaluate("([lon, lat]) => fengguang.gcj02(lon, lat)", [lon, lat])
        assert got == pytest.approx([float(v) for v in gcj02_from_wgs84(lon, lat)], abs=1e-8)


def test_gcj02_tiles_lie_where_their_places_are(browser: Opened, tmp_path: Path) -> None:
    """A place's pixel on its GCJ-02 tile lies on the screen where the WGS-84 map has the place: within two pixels.

    Tile and pixel are worked out here from the GCJ-02 position by the Web Mercator formula; without the shift the
    place would stand about 500 m off, at zoom 14 some 60 pixels.
    """
    tiles = BaseTiles("https://tiles.example/{z}/{x}/{y}.png", "影像", "Imagery", "gcj02", "Example")
    path = tmp_path / "tiles.html"
    write_site_map(sample_input(candidates=3), path, tiles=tiles)
    page = browser.page
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-complete=true]", state="attached")
    page.locator("#fg-layers label", has_text="GCJ02").locator("input").check()
    lon, lat = 115.78, 33.87
    go_to(page, lon, lat, 14)
    there_lon, there_lat = (float(v) for v in gcj02_from_wgs84(lon, lat))
    x = (there_lon + 180) / 360 * 2**14
    y = (1 - np.arcsinh(np.tan(np.radians(there_lat))) / np.pi) / 2 * 2**14
    corner = page.evaluate(
        """([x, y]) => { let found = null; fengguang.page.map.eachLayer((layer) => { if (layer._tiles) {
             const box = layer._tiles[`${x}:${y}:14`].el.getBoundingClientRect(); found = [box.x, box.y]; } });
           return found; }""",
        [int(x), int(y)],
    )
    at = (corner[0] + (x % 1) * 256, corner[1] + (y % 1) * 256)
    assert at == pytest.approx(site_on_screen(page, lon, lat), abs=2)
    browser.complaints.clear()
    browser.asked.clear()


def test_the_printed_page_is_one_sheet_with_map_and_legend(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    try:
        assert not page.locator("#fg-side").is_visible()
        assert not page.locator(".leaflet-control-zoom").is_visible()
        for selector in ("#fg-head h1", "#fg-legend", "#fg-north", ".leaflet-control-scale-line", "#fg-attribution"):
            assert page.locator(selector).is_visible(), selector
        opened.keep("print")
    finally:
        page.emulate_media(media="screen")


def test_hostile_words_are_only_words(browser: Opened, tmp_path: Path) -> None:
    """Titles, names, labels, ids, reasons: shown letter by letter, run nowhere, in popups and lists too."""
    page = browser.open(hostile_input(), tmp_path)
    assert HOSTILE in page.inner_text("#fg-head h1")
    assert HOSTILE in page.inner_text("#fg-layers")
    assert HOSTILE in page.inner_text("#fg-panel-layers")
    page.select_option("#fg-land", HOSTILE)
    assert HOSTILE in page.inner_text("#fg-land-legend")
    page.select_option("#fg-land", "")
    page.check("input[name=fg-view][value=stage]")
    assert HOSTILE in page.inner_text("#fg-legend")
    page.locator(".fg-measure").first.dispatch_event("click")
    assert HOSTILE in page.locator(".leaflet-popup .card").inner_text()
    page.click("#fg-tab-projects")
    page.select_option("#fg-plan-stage", HOSTILE)
    page.click("#fg-list button")
    assert HOSTILE in page.locator(".leaflet-popup .card").inner_text()
    page.locator(".leaflet-popup-close-button").click()
    page.locator(".fg-station").first.dispatch_event("click")
    assert HOSTILE in page.locator(".leaflet-popup .card").inner_text()
    assert "limit." not in page.locator(".leaflet-popup .card").inner_text()
    page.click("#fg-tab-targets")
    assert HOSTILE in page.inner_text("#fg-panel-targets")
    page.click("#fg-tab-data")
    page.click(".assumptions summary")
    assert HOSTILE in page.inner_text("#fg-panel-data")
    page.click("#fg-language")
    assert page.title() == HOSTILE + "2"
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    # Long words stay in their places.
    assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [1280, 1280]
    assert box(page, "#fg-head")["height"] < 70
    assert browser.complaints == []
    browser.keep("hostile")


def test_the_policy_stops_a_script_that_was_slipped_in(opened: Opened) -> None:
    """The second fence: markup put into the page by hand does not run and does not fetch."""
    page = opened.page
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend',"
        ' \'<img src="https://example.org/x.png" onerror="window.hacked=1">\')'
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in words for words in opened.complaints)
    opened.complaints.clear()
    opened.asked[:] = [url for url in opened.asked if "example.org" not in url]


def test_an_empty_study_opens(browser: Opened, tmp_path: Path) -> None:
    page = browser.open(empty_input(), tmp_path)
    assert page.locator("#fg-legend").is_visible()
    page.click("#fg-tab-projects")
    assert page.locator("#fg-list li").count() == 0
    assert browser.complaints == []


def test_a_narrow_window_shows_map_or_panel(browser: Opened, tmp_path: Path) -> None:
    page = browser.open(sample_input(), tmp_path)
    page.set_viewport_size({"width": 420, "height": 760})
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.click("#fg-panel")
        assert box(page, ".folium-map")["width"] == 420
        browser.keep("narrow")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
    assert browser.complaints == []


def test_without_a_browser_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(BrowserMissing, match="install chromium"):
        find_chromium()


def test_without_playwright_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(BrowserMissing, match=r"install fengguang\[dev\]"):
        screenshot(tmp_path / "map.html", tmp_path / "map.png")
