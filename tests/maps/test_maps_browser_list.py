"""The list of sites in a real browser: search, filters, and the table that is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from map_browser import Opened, count_drawn
from map_samples import sample_input

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser


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


def plain(words: object) -> str:
    return str(words).lower().replace(" ", "").replace("-", "").replace("_", "")


def test_the_nearest_match_stands_first(opened: Opened) -> None:
    """What was written in full, then what begins so, then the rest, each in the list's order."""
    page = opened.page
    projects = sample_input().projects
    page.click("#fg-tab-projects")
    names = projects[["candidate_id", "name_zh", "name_en"]].map(plain)
    for place in (len(projects) - 1, 0, 11):
        for column in names:
            page.fill("#fg-search", projects[column].iloc[place])
            same = names[column] == names[column].iloc[place]
            first = page.locator("#fg-list button b").first.inner_text()
            assert first == projects.loc[same, "name_zh"].iloc[0], (column, first)
    begun = projects["candidate_id"].iloc[30][:-1]
    page.fill("#fg-search", begun)
    shown = page.locator("#fg-list button b").all_inner_texts()
    starts = names["candidate_id"].str.startswith(plain(begun))
    assert shown[: starts.sum()] == projects.loc[starts, "name_zh"].head(60).tolist()


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
