"""Layers, colours and cases of the page in a real browser: what is drawn, and how it changes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from map_browser import (
    Opened,
    colour_at,
    count_drawn,
    go_to,
    near,
    overlap,
    rich_input,
    site_on_screen,
    sites_drawn,
    top_circle,
)
from map_samples import sample_input

from layers.datum import gcj02_from_wgs84
from maps.payload import quantities
from maps.site_map import BaseTiles, write_site_map
from maps.style import map_style

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser


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


def test_everything_a_study_may_bring_is_shown(rich: Opened) -> None:
    page = rich.page
    page.wait_for_timeout(200)
    for words in ("水系与道路", "电网措施.*2025", "电网措施.*2030", "规划送出线路"):
        assert page.locator("#fg-layers label", has_text=re.compile(words)).locator("input").is_checked(), words
    assert page.locator(".fg-measure").count() == 5
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
