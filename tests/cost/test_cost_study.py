"""What a study file can say about cost, what it then lists as assumptions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from layers.contracts import Finding
from siting.technologies.tables import load_technology_tables
from study import records
from study.checks.all import check_study
from study.new import new_study
from study.sites.costs import co2_factor, cost_case
from study.study_file import Study, read_study

TABLES = load_technology_tables()
OWN = """
[cost]
price_year = 2022
discount_rate = 0.05
source = "client"
storage = "hangzhou_draft"
land_lease = "typical"
co2_region = "安徽"

[[cost.technologies]]
technology = "pv_ground"
capex_cny_per_kw = 3000
price_year = 2024
source = "bids of 2024"
confidence = "B"

[[cost.technologies]]
technology = "pv_roof"
life_a = 20
source = "roof contracts"
"""


def study_with(folder: Path, text: str) -> Study:
    path = new_study("sample", folder, generated=True, area_km2=60, population=40_000, lon=116.2, lat=33.5, districts=2)
    path.write_text(path.read_text("utf-8") + text, "utf-8")
    return read_study(path)


def errors(study: Study) -> list[Finding]:
    return [f for f in check_study(study) if f.severity == "error"]


def test_without_a_word_the_program_s_own_data_in_prices_of_2023(tmp_path: Path) -> None:
    case = cost_case(study_with(tmp_path, "").file)
    assert case.technologies == TABLES.technologies
    assert (case.price_year, case.storage, case.land_lease, case.connection) == (2023, "none", "none", "none")
    assert case.technology("pv_ground") == TABLES.technology("pv_ground")  # stated in 2023
    wind = TABLES.technology("wind_onshore")
    assert case.technology("wind_onshore").capex_cny_per_kw == pytest.approx(wind.capex_cny_per_kw * 1.02 * 1.002)


def test_overrides_arrive_in_prices_of_the_study(tmp_path: Path) -> None:
    """3 000 CNY/kW of 2024 are 3 000 / (1.002 x 1.002) of 2022; O&M of 45 of 2023 is 45 / 1.002."""
    study = study_with(tmp_path, OWN)
    assert errors(study) == []
    case = cost_case(study.file)
    ground = case.technology("pv_ground")
    assert ground.capex_cny_per_kw == pytest.approx(3000 / 1.002**2)
    assert ground.opex_cny_per_kw_a == pytest.approx(45 / 1.002)
    assert ground.source == "bids of 2024"
    roof = case.technology("pv_roof")
    assert roof.life_a == 20
    assert roof.capex_cny_per_kw == pytest.approx(TABLES.technology("pv_roof").capex_cny_per_kw / 1.002)
    assert {t.discount_rate for t in case.technologies} == {0.05}


def test_every_override_and_scenario_is_an_assumption(tmp_path: Path) -> None:
    said = {a.id: a for a in records.assumptions(study_with(tmp_path, OWN).file)}
    assert said["cost_price_year"].value == "2022"
    assert (said["cost_discount_rate"].value, said["cost_discount_rate"].source) == ("0.05", "client")
    assert "not a rule" in said["cost_storage"].text_en
    assert said["cost_storage"].value == "hangzhou_draft"
    assert said["cost_land_lease"].confidence == "C"
    assert said["cost_pv_ground_capex_cny_per_kw"].source == "bids of 2024"
    assert said["cost_pv_roof_life_a"].value == "20"
    assert "cost_connection" not in said


def test_factor_of_co2_is_the_named_one_or_that_of_the_districts(tmp_path: Path) -> None:
    named = study_with(tmp_path / "a", OWN).file
    plain = study_with(tmp_path / "b", "").file
    assert co2_factor(named, ["330102"], TABLES).region == "安徽"
    assert co2_factor(plain, ["330102"], TABLES).region == "浙江"
    assert co2_factor(plain, ["G01"], TABLES).region == "全国"


FAULTS = [
    # what stands in [cost], rule, item, part of the remedy
    ('storage = "hangzhou"', "cost.unknown_name", "storage", "'hangzhou_draft'"),
    ('land_lease = "typicl"', "cost.unknown_name", "land_lease", "'typical'"),
    ('connection = "x"', "cost.unknown_name", "connection", "typical"),
    ('co2_region = "安徽省"', "cost.unknown_name", "co2_region", "'安徽'"),
    ("price_year = 1999", "cost.price_year", "price_year", "index"),
    ("discount_rate = 0.05", "cost.source", "source", "Add source"),
]


@pytest.mark.parametrize(("text", "rule", "item", "remedy"), FAULTS)
def test_faults_of_the_section(tmp_path: Path, text: str, rule: str, item: str, remedy: str) -> None:
    (found,) = errors(study_with(tmp_path, f"\n[cost]\n{text}\n"))
    assert (found.rule, found.item, found.file) == (rule, item, "sample.toml")
    assert remedy in found.remedy


def test_all_faults_of_the_overrides_at_once(tmp_path: Path) -> None:
    text = """
[[cost.technologies]]
technology = "pv_grund"
capex_cny_per_kw = 3000
source = "x"

[[cost.technologies]]
technology = "pv_roof"
source = "x"

[[cost.technologies]]
technology = "pv_roof"
life_a = 20
price_year = 2031
"""
    found = {(f.rule, f.item) for f in errors(study_with(tmp_path, text))}
    assert found == {
        ("cost.unknown_name", "technology"),
        ("cost.empty", "pv_roof"),
        ("cost.repeated", "pv_roof"),
        ("cost.source", "pv_roof"),
        ("cost.price_year", "pv_roof"),
    }
