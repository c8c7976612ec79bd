"""Hostile words and slipped-in scripts in a real browser: shown, never run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from map_browser import Opened, box
from test_maps_page import HOSTILE, hostile_input

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser


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
