"""The map of a whole run of Bozhou in a real browser: nothing fetched, no complaint, every control works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from maps.screenshot import BrowserMissing, find_chromium, offline_page

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.real_data, pytest.mark.slow]

OUTPUT = Path(__file__).resolve().parents[1] / "output"
LINES = "[...document.querySelectorAll('.leaflet-fg-lines-pane path')].map(p => p.getAttribute('stroke')).join()"
DRAWN = """(p => p.outlines.length + p.circles.length + p.clusters.reduce((n, c) => n + c.count, 0))
           (fengguang.page.siteLayer.planned)"""


@pytest.fixture(scope="module")
def run(real_data: Path) -> Path:
    """Folder of a whole run by today's program: what the cache keeps of an earlier one is not computed again."""
    try:
        find_chromium()
    except BrowserMissing as error:
        pytest.skip(str(error))
    root = OUTPUT / "bozhou"
    done = subprocess.run(
        [sys.executable, "-m", "study.cli", "run", "bozhou", "--root", str(root)],
        env={**os.environ, "FENGGUANG_DATA": str(real_data)}, capture_output=True, text=True, timeout=3000,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return (root / "data" / "processed" / "bozhou" / "latest").resolve()


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    with offline_page() as page:
        yield page


@pytest.fixture
def page(window: Page, run: Path) -> Iterator[Page]:
    """The map, freshly opened; whatever a test does, it asks for one file and nothing complains."""
    asked: list[str] = []
    complaints: list[str] = []

    def only_files(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            route.abort()

    def complain(words: object) -> None:
        complaints.append(str(getattr(words, "text", words)))

    window.goto("about:blank")
    window.route("**/*", only_files)
    window.on("console", complain)
    window.on("pageerror", complain)
    window.goto((run / "site_map.html").as_uri())
    window.wait_for_selector("html[data-complete=true]", state="attached")
    yield window
    window.remove_listener("console", complain)
    window.remove_listener("pageerror", complain)
    window.unroute("**/*")
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [(run / "site_map.html").as_uri()]


@pytest.fixture(scope="module")
def projects(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "projects.csv", dtype={"district_code": str})


def keep(page: Page, name: str) -> None:
    """Screenshot as test output; the path is printed."""
    path = OUTPUT / f"bozhou_map_{name}.png"
    page.wait_for_timeout(200)
    page.screenshot(path=path)
    sys.stdout.write(f"{path.relative_to(OUTPUT.parents[1])}\n")


def story(page: Page) -> str:
    return page.locator(".leaflet-popup .card").inner_text()


def test_controls_are_there_and_every_site_is_drawn(page: Page, projects: pd.DataFrame) -> None:
    for selector in ("#fg-head h1", "#fg-banner", ".leaflet-control-zoom-in", ".fg-home", "#fg-legend", "#fg-north",
                     ".leaflet-control-scale-line", "#fg-language", "#fg-attribution"):  # fmt: skip
        assert page.locator(selector).is_visible(), selector
    assert page.evaluate(DRAWN) == len(projects) > 500
    assert f"{len(projects):,}" in page.inner_text("#fg-head")
    assert "本图含生成数据" in page.inner_text("#fg-banner")
    keep(page, "zh")
    page.click(".leaflet-control-zoom-in")
    page.wait_for_function("() => !fengguang.page.map._animatingZoom")
    page.click(".fg-home")
    assert page.evaluate(DRAWN) == len(projects)


def test_language_switch(page: Page) -> None:
    for place in ("#fg-head h1", "#fg-legend", "#fg-layers", "#fg-case-summary"):
        assert any("\u4e00" <= c <= "\u9fff" for c in page.inner_text(place)), place
    page.click("#fg-language")
    for place in ("#fg-head h1", "#fg-legend", "#fg-layers", "#fg-case-summary"):
        assert not any("\u4e00" <= c <= "\u9fff" for c in page.inner_text(place)), place
    keep(page, "en")


def test_filters_find_the_sites_that_the_table_has(page: Page, projects: pd.DataFrame) -> None:
    page.click("#fg-tab-projects")
    page.fill("#fg-mw-from", "40")
    large = projects[projects["capacity_mw"].round(2) >= 40]
    assert page.evaluate(DRAWN) == len(large) > 0
    page.select_option("#fg-verdict", "refused")
    refused = large[large["verdict"] == "refused"]
    assert page.evaluate(DRAWN) == len(refused)
    district = str(projects["district_code"].iloc[0])
    page.select_option("#fg-verdict", "")
    page.select_option("#fg-district", district)
    assert page.evaluate(DRAWN) == (large["district_code"] == district).sum()
    keep(page, "filter")
    page.click("#fg-reset")
    assert page.evaluate(DRAWN) == len(projects)


def test_search_by_name_and_id_leads_to_the_site(page: Page, projects: pd.DataFrame) -> None:
    page.click("#fg-tab-projects")
    for row in (projects.iloc[3], projects.iloc[-1]):
        for words in (row["candidate_id"], row["name_zh"], row["name_en"]):
            page.fill("#fg-search", words)
            entry = page.locator("#fg-list button").first
            assert row["name_zh"] in entry.inner_text(), words
        entry.click()
        assert row["candidate_id"] in story(page)
    page.fill("#fg-search", "no such site")
    assert page.locator("#fg-list li").count() == 0


def test_a_site_tells_its_story_with_waterfall_and_charts(page: Page, projects: pd.DataFrame) -> None:
    taken = projects[projects["accepted_mw"] > 0].iloc[0]
    page.evaluate("id => { location.hash = '#site=' + id; }", taken["candidate_id"])
    card = page.locator(".leaflet-popup .card")
    card.wait_for()
    for part in (taken["name_zh"], taken["reason_zh"], f"{taken['accepted_mw']:,.1f}", "程序生成"):
        assert part in card.inner_text(), part
    assert card.locator(".steps li").count() >= 3
    charts = card.locator("svg.chart")
    assert charts.count() == 2
    assert charts.first.locator("rect").count() == 12
    assert card.locator("footer a").get_attribute("href") == "projects.xlsx"
    keep(page, "site")
    card.get_by_text("复制编号").click()
    card.get_by_text("已复制").wait_for()
    keep(page, "site_copied")


def test_layers_and_views_switch(page: Page, projects: pd.DataFrame) -> None:
    first = page.locator("#fg-layers label", has_text="平原风电").locator("input")
    first.uncheck()
    assert page.evaluate(DRAWN) == len(projects) - (projects["host_type"] == "wind_plain").sum() < len(projects)
    first.check()
    for view in ("verdict", "score", "yield", "lcoe"):
        page.check(f"input[name=fg-view][value={view}]")
        assert page.locator(f"#fg-legend .by-{view}").is_visible()
    keep(page, "lcoe")
    page.check("input[name=fg-stations][value=grade]")
    page.select_option("#fg-land", "fish_pond")
    assert page.evaluate("document.querySelector('img.fg-picture').naturalWidth") > 100
    keep(page, "land")


def test_cases_switch_up_to_the_worst_of_n_1(page: Page, run: Path) -> None:
    cases = pd.read_csv(run / "loadflow" / "cases.csv")
    seen = {}
    for place, case in enumerate(cases.itertuples()):
        page.check(f"input[name=fg-case][value='{place}']")
        seen[case.case] = page.evaluate(LINES)
        assert "收敛" in page.inner_text("#fg-case-summary")
    for case in ("worst", "n_1"):
        page.check(f"input[name=fg-case][value='{case}']")
        seen[case] = page.evaluate(LINES)
    assert len(set(seen.values())) >= 3
    assert seen["n_1"] != seen["worst"]
    keep(page, "n_1")


def test_stages_of_the_plan_are_seen_and_filtered(page: Page, run: Path) -> None:
    sites = pd.read_csv(run / "plan" / "sites.csv")
    page.check("input[name=fg-view][value=stage]")
    legend = page.inner_text("#fg-legend .by-stage")
    stages = sorted(int(s) for s in sites["stage"].dropna().unique() if str(s) != "")
    assert stages
    page.click("#fg-tab-projects")
    for stage in stages:
        assert str(stage) in legend
        page.select_option("#fg-plan-stage", str(stage))
        assert page.evaluate(DRAWN) == sites.loc[sites["stage"] == stage, "candidate_id"].nunique() > 0
    keep(page, "stages")
