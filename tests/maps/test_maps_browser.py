"""The page in a real browser with the network cut: what a planner sees, clicks and hears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from map_samples import empty_input, sample_input
from test_maps_page import HOSTILE, hostile_input

from maps.contracts import SiteMapInput
from maps.screenshot import BrowserMissing, find_chromium, offline_page, screenshot
from maps.site_map import write_site_map

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
        self.page.wait_for_selector("html[data-ready=true]", state="attached")
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


def visible_layers(page: Page, pane: str) -> int:
    count: int = page.evaluate(
        "pane => [...document.querySelectorAll(`.leaflet-${pane}-pane path, .leaflet-fg-${pane}-pane path`)]"
        ".filter(p => getComputedStyle(p).display !== 'none').length",
        pane,
    )
    return count


def test_everything_is_there(opened: Opened) -> None:
    page = opened.page
    for selector in ("#fg-head h1", "#fg-banner", ".leaflet-control-zoom-in", ".leaflet-control-scale-line",
                     "#fg-legend", "#fg-north", "#fg-language", "#fg-layers .leaflet-control-layers",
                     "#fg-attribution"):  # fmt: skip
        assert page.locator(selector).is_visible(), selector
    assert page.locator("#fg-layers input[type=checkbox]").count() == 1 + 6 + 2 + 3
    assert page.locator(".fg-station").count() == 20
    assert page.locator(".district-name").count() == 4
    # 60 sites, each as a circle or as an outline
    assert visible_layers(page, "fg-circles") + visible_layers(page, "fg-sites") == 60
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


def test_second_view_colours_sites_by_verdict(opened: Opened) -> None:
    page = opened.page
    fills = (
        "[...new Set([...document.querySelectorAll('.leaflet-fg-circles-pane path')].map(p => p.getAttribute('fill')))]"
    )
    assert any(fill.startswith("url(#fg-hatch-") for fill in page.evaluate(fills))
    page.check("input[name=fg-view][value=verdict]")
    assert set(page.evaluate(fills)) == {"#0072B2", "#56B4E9", "#E69F00", "#A3420B", "#8A9299"}
    assert page.locator("#fg-legend .by-verdict").is_visible()
    assert not page.locator("#fg-legend .by-host").is_visible()
    opened.keep("verdict")


def test_layer_list_hides_and_shows(opened: Opened) -> None:
    page = opened.page
    before = visible_layers(page, "fg-circles") + visible_layers(page, "fg-sites")
    first = page.locator("#fg-layers label", has_text="鱼塘").locator("input")
    first.uncheck()
    hidden = visible_layers(page, "fg-circles") + visible_layers(page, "fg-sites")
    ponds = len(sample_input().projects.query("host_type == 'fish_pond'"))
    assert before - hidden == ponds > 0
    first.check()
    assert visible_layers(page, "fg-circles") + visible_layers(page, "fg-sites") == before
    # The list wrote itself anew and still speaks both languages.
    page.click("#fg-language")
    assert "Fish ponds" in page.inner_text("#fg-layers")


def test_click_on_a_site_opens_its_story(opened: Opened) -> None:
    page = opened.page
    data = sample_input()
    row = data.projects.sort_values("capacity_mw").iloc[-1]
    page.click("#fg-tab-projects")
    page.fill("#fg-search", row["candidate_id"])
    page.click("#fg-list button")
    page.locator(".leaflet-popup-close-button").click()
    page.click("#fg-tab-layers")
    page.mouse.click(*site_on_screen(page, row["lon"], row["lat"]))
    card = page.locator(".leaflet-popup .card")
    card.wait_for()
    words = card.inner_text()
    for part in (row["name_zh"], row["candidate_id"], row["district_zh"], row["reason_zh"], row["host_type_zh"],
                 f"{row['capacity_mw']:,.1f} MW", f"{row['grid_capacity_mw']:,.1f} MW",
                 f"{row['specific_yield_kwh_per_kw']:,.0f} kWh/kW", "程序生成"):  # fmt: skip
        assert part in words, part
    opened.keep("site_popup")
    page.click("#fg-language")
    assert row["name_en"] in card.inner_text()
    assert row["reason_en"] in card.inner_text()


def test_pointing_at_a_site_names_it(opened: Opened) -> None:
    page = opened.page
    row = sample_input().projects.sort_values("capacity_mw").iloc[-1]
    page.mouse.move(*site_on_screen(page, row["lon"], row["lat"]))
    assert page.inner_text(".fg-tip") == f"{row['name_zh']} · {row['capacity_mw']:,.1f} MW"
    page.mouse.move(400, 90)
    assert page.locator(".fg-tip").count() == 0


def site_on_screen(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place stands on the screen, by the page's own map."""
    x, y = page.evaluate(
        "([lat, lon]) => { const map = Object.entries(window).find(([k]) => k.startsWith('map_'))[1];"
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
    page.keyboard.press("Tab")
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
    whole = visible_layers(page, "fg-sites")
    for _ in range(10):
        page.keyboard.press("Tab")
        page.click(".leaflet-control-zoom-in")
        page.wait_for_timeout(300)
    near = visible_layers(page, "fg-circles")
    assert near < 60 - whole
    assert near + visible_layers(page, "fg-sites") == 60
    page.click(".fg-home")
    page.wait_for_timeout(300)
    assert visible_layers(page, "fg-sites") == whole


def test_hostile_words_are_only_words(browser: Opened, tmp_path: Path) -> None:
    """Titles, names, labels, ids, reasons: shown letter by letter, run nowhere, in popups and lists too."""
    page = browser.open(hostile_input(), tmp_path)
    assert HOSTILE in page.inner_text("#fg-head h1")
    assert HOSTILE in page.inner_text("#fg-layers")
    assert HOSTILE in page.inner_text("#fg-panel-layers")
    page.click("#fg-tab-projects")
    page.click("#fg-list button")
    assert HOSTILE in page.locator(".leaflet-popup .card").inner_text()
    page.locator(".leaflet-popup-close-button").click()
    page.locator(".fg-station").first.dispatch_event("click")
    assert HOSTILE in page.locator(".leaflet-popup .card").inner_text()
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
