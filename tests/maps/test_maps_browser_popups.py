"""Popups of the page in a real browser: sites, lines and stations tell their story."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from map_browser import Opened, box, rich_input, site_on_screen, top_circle
from map_samples import sample_input

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser


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
    assert "规划汇集站 · 110 kV · 4.1 km" in card.inner_text()
    rich.keep("site_story")


def test_measures_tell_what_they_cost_and_bring_in_both_languages(rich: Opened) -> None:
    """A contract has no investment: its card tells what is paid by the year and how much is called."""
    page = rich.page
    page.locator(".fg-measure[aria-label='电网措施 可限电协议，年电量至多5%']").dispatch_event("click")
    card = page.locator(".leaflet-popup .card")
    words = card.inner_text()
    for part in ("可限电协议", "2030", "250 万元", "6,250 MWh", "25 MW"):
        assert part in words, part
    assert "投资" not in words
    rich.keep("contract_popup")
    page.click("#fg-language")
    for part in ("Curtailment contract", "Yearly cost", "CNY 2.50 million", "Called in a year"):
        assert part in card.inner_text(), part
    page.click("#fg-language")
    page.locator(".fg-measure[aria-label='电网措施 新建双涧变电站']").dispatch_event("click")
    page.wait_for_function("document.querySelector('.leaflet-popup .card')?.innerText.includes('新建变电站')")
    assert "9,000 万元" in page.locator(".leaflet-popup .card").last.inner_text()
    rich.keep("new_station_popup")


def test_a_park_tells_its_year_in_both_languages(rich: Opened) -> None:
    page = rich.page
    page.locator(".fg-park[aria-label='园区 循环经济园']").dispatch_event("click")
    card = page.locator(".leaflet-popup .card")
    page.wait_for_function("document.querySelector('.leaflet-popup .card')?.innerText.includes('循环经济园')")
    words = card.last.inner_text()
    for part in ("近期满足", "494.9 GWh", "60.0 MW", "47.7 %", "87.0 %", "程序生成", "501 CNY/MWh", "620 CNY/MWh"):
        assert part in words, part
    rich.keep("park_popup")
    page.click("#fg-language")
    for part in ("Circular estate", "Kept for now", "Green share of load", "160,011 t"):
        assert part in card.last.inner_text(), part
    page.click("#fg-language")


def test_measures_at_one_station_can_each_be_pointed_at(rich: Opened) -> None:
    """They stand beside the station and beside each other, not under them: a real click finds each one."""
    page = rich.page
    for name in ("增加主变", "可限电协议，年电量至多5%", "再加主变"):
        page.locator(f".fg-measure[aria-label='电网措施 {name}']").click()
        card = page.locator(".leaflet-popup .card", has_text=name).last
        card.wait_for()
        page.keyboard.press("Escape")
        card.wait_for(state="detached")
