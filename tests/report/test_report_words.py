"""Words of report and brief: data in the reader's language, names beside ids, units, nothing left to fill in."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from report_samples import write_run

from layers.units import unit_of, unit_words
from maps.criteria import criterion_unit, value_function_words
from maps.phrases import knows, phrase
from maps.report import brief_page, report_page
from maps.report.document import Writer
from maps.run_tables import RunTables, sheet_of
from study.run_folder.report import read_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> RunTables:
    folder = write_run(tmp_path_factory.mktemp("run"))
    return read_run(folder, folder)


def texts_of(tree: object, keys: tuple[str, ...]) -> list[str]:
    """Values of these keys anywhere in a TOML file."""
    if isinstance(tree, dict):
        own = [value for key, value in tree.items() if key in keys and isinstance(value, str)]
        return own + [text for value in tree.values() for text in texts_of(value, keys)]
    return [text for item in tree for text in texts_of(item, keys)] if isinstance(tree, list) else []


@pytest.mark.parametrize("path", sorted((ROOT / "siting" / "rules").glob("*.toml")), ids=lambda path: path.name)
def test_clauses_of_the_rule_packs_are_told_in_chinese(path: Path) -> None:
    words = texts_of(tomllib.loads(path.read_text("utf-8")), ("clause", "document"))
    assert len(words) > 10
    assert [text for text in words if not knows(text)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "study" / "builtin").glob("*.toml")), ids=lambda path: path.name)
def test_sources_and_notes_of_the_builtin_studies_are_told_in_chinese(path: Path) -> None:
    words = texts_of(tomllib.loads(path.read_text("utf-8")), ("source_note", "note", "assumption_source"))
    assert [text for text in words if not knows(text) and not re.search(r"[\u4e00-\u9fff]", text)] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("engineering practice", "工程惯例"),
        ("no wind or PV in nature reserves", "自然保护地内不得建风电、光伏"),
        ("projects.csv: sum of capacity_mw", "projects.csv：capacity_mw 之和"),
        ("forest PV on shrub land with a cover below 50 %; engineering practice",
         "林光互补限覆盖度低于 50 % 的灌木林地；工程惯例"),
        ("Get a wider extract; land that no layer maps stays unknown.",
         "请取更大范围的资料；无图层覆盖的土地按未知计。"),
        ("a sentence that nobody translated", "a sentence that nobody translated"),
        ("", ""),
    ],
)  # fmt: skip
def test_phrases(english: str, chinese: str) -> None:
    assert phrase(english, "zh") == chinese
    assert phrase(english, "en") == english


@pytest.mark.parametrize(
    ("spelled", "source", "zh", "en"),
    [
        ("Linear(worst=0.5, best=0.2)", "yield.lcoe_cny_per_kwh",
         "0.5 元/kWh 为 0 分，0.2 元/kWh 为 1 分，线性", "0 at 0.5 CNY/kWh, 1 at 0.2 CNY/kWh, linear"),
        ("Trapezoid(rise_from=1.0, rise_to=2.0, fall_from=8.0, fall_to=9.0)", "distance:road",
         "1 km 起上升，2 km 至 8 km 为 1 分，9 km 为 0 分", "rises from 1 km, 1 from 2 km to 8 km, 0 from 9 km"),
        ("Logistic(midpoint=0.5, steepness=-8.0)", "site.pitched_share",
         "S 形，50 % 为 0.5 分，陡度 -0.08", "S-shaped, one half at 50 %, steepness -0.08"),
        ("PointTable(points=((0.0, 1.0), (15.0, 0.0)))", "site.mean_slope_deg",
         "0 ° → 1，15 ° → 0", "0 ° → 1, 15 ° → 0"),
        ("Unheard(of=1)", "raster:snow", "Unheard(of=1)", "Unheard(of=1)"),
    ],
)  # fmt: skip
def test_value_functions_in_words(spelled: str, source: str, zh: str, en: str) -> None:
    assert value_function_words(spelled, source, "zh") == zh
    assert value_function_words(spelled, source, "en") == en


def test_units_in_words() -> None:
    assert unit_words(unit_of("lcoe_cny_per_kwh"), "zh") == "元/kWh"
    assert unit_words(unit_of("lcoe_cny_per_kwh"), "en") == "CNY/kWh"
    assert unit_words("1", "zh") == "%"
    assert criterion_unit("distance:road", "en") == "km"
    assert criterion_unit("raster:snow", "en") == ""


def test_network_elements_stand_with_name_and_id(tables: RunTables) -> None:
    write = Writer(tables, {}, "zh")
    line = next(iter(tables.network_lines.texts("line_id"))) if tables.network_lines is not None else ""
    assert line
    name = tables.network_lines.cell(0, "name_zh") if tables.network_lines is not None else ""
    assert write.element(line).startswith(f"{name}<br><code>")
    assert write.element("nobody/110") == "<code>nobody/<wbr>110</code>"
    assert write.element(f"{line}+circuit1").startswith(f"{name}（新增第1回）<br><code>")
    assert re.sub("<wbr>", "", write.equipment("S220/220/110")).endswith("220/110 kV<br><code>S220/220/110</code>")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_left_to_fill_in(tables: RunTables, language: str) -> None:
    """More districts than the brief has room for: it says how many there are."""
    many = sheet_of(
        pd.DataFrame({"district_code": [str(k) for k in range(11)], "projects": 1, "capacity_mw": 2.0,
                      "grid_capacity_mw": 2.0, "energy_mwh": 3.0, "accepted_mw": 1.0}),
        "report/by_district.csv", "district_code",
    )  # fmt: skip
    run = dataclasses.replace(tables, by_district=many)
    for page in (brief_page(run, {}, language), report_page(run, {}, language)):
        assert not re.findall(
            r"&#123;\w*&#125;|\bnan\b|\bNaN\b|\bNone\b", re.sub(r"<style>.*?</style>", "", page, flags=re.S)
        )
    assert ">11</data>" in brief_page(run, {}, language)


def test_chinese_pages_have_no_english_sentences(tables: RunTables) -> None:
    """Cells of words in the Chinese report: names, ids, units and file names, but no English sentence of our own."""
    page = re.sub(r"<code>.*?</code>", "", report_page(tables, {}, "zh"))
    cells = re.findall(r'<t[dh][^>]*class="(?:word|text)"[^>]*>([^<]+)<', page)
    sentences = [
        cell
        for cell in cells
        if len(re.findall(r"(?:^| )[a-z]{3,}(?= |$)", cell)) > 2 and not re.search("[\u4e00-\u9fff]", cell)
    ]
    assert cells
    assert sentences == []
