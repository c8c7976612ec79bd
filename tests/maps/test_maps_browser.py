"""The page in a real browser with the network cut: what stands where, in which language, reached how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from map_browser import Opened, box, count_drawn, overlap
from map_samples import empty_input, sample_input

from maps.screenshot import BrowserMissing, find_chromium, screenshot

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser


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
