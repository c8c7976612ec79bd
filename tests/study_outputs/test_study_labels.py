"""Every column and code that people meet has a name in both languages, and every name belongs to something."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

import study.outputs.labels
from grid.contracts import SUBSTATIONS, UPGRADES
from layers.tables import Table
from maps.contracts import PROJECTS, TARGETS
from siting.cost.contracts import CO2_AVOIDED, COST_BY_TECHNOLOGY
from siting.parks.contracts import PARK_TABLES
from siting.rules.compare import PACK_CHANGES, PACK_RULES, PACK_STATES
from siting.scoring.contracts import SENSITIVITY, STABILITY
from study.outputs.labels import column_title, definitions, titled_columns, value_labels, with_value_labels
from study.run_folder.tables import plan_contracts

PACKS = (PACK_STATES, PACK_RULES, PACK_CHANGES, *PARK_TABLES)
CONTRACTS = (
    PROJECTS, SUBSTATIONS, TARGETS, UPGRADES, STABILITY, SENSITIVITY, COST_BY_TECHNOLOGY, CO2_AVOIDED, *PACKS,
    *plan_contracts(),
)  # fmt: skip
OWN_TABLES = {"assumptions", "sources", "definitions"}
FOLDER = Path(study.outputs.labels.__file__).parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_every_column_of_the_contracts_has_both_titles(contract: Table) -> None:
    assert set(titled_columns(contract.name)) == set(contract.every_column)
    for column in contract.every_column:
        title = column_title(contract.name, column)
        assert CHINESE.search(title.title_zh), column
        assert CHINESE.search(title.meaning_zh), column
        assert title.title_en, column
        assert not CHINESE.search(title.title_en), column


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_two_columns_of_a_sheet_share_a_title(contract: Table, language: str) -> None:
    titles = [column_title(contract.name, column).title(language) for column in contract.every_column]  # type: ignore[arg-type]
    assert len(set(titles)) == len(titles)


def test_no_title_is_left_over() -> None:
    with (FOLDER / "column_titles.csv").open(encoding="utf-8", newline="") as stream:
        tables = {row["table"] for row in csv.DictReader(stream)}
    assert tables == {contract.name for contract in CONTRACTS} | OWN_TABLES


def test_every_code_of_the_contracts_has_a_label() -> None:
    coded = [
        (contract.name, column, code)
        for contract in CONTRACTS
        for column, promise in contract.every_column.items()
        for code in promise.isin or ()
        if code and not column.endswith("_confidence")  # A, B, C speak for themselves
    ]
    assert coded
    missing = [item for item in coded if str(item[2]) not in {v.value for v in value_labels(item[1], item[0])}]
    assert missing == []


def test_labels_replace_codes_and_leave_other_values() -> None:
    table = pd.DataFrame({"verdict": ["connect", "something new"], "name_zh": ["connect", "b"]})
    shown = with_value_labels(table, "zh")
    assert shown["verdict"].tolist() == ["可接入", "something new"]
    assert shown["name_zh"].tolist() == ["connect", "b"]
    assert table["verdict"].tolist() == ["connect", "something new"]


def test_a_table_with_codes_of_its_own_is_labelled_by_them() -> None:
    table = pd.DataFrame({"verdict": ["build", "not_needed"]})
    assert with_value_labels(table, "zh", "plan_sites")["verdict"].tolist() == ["全部建设", "不需要"]
    assert with_value_labels(table, "zh", "projects")["verdict"].tolist() == ["build", "not_needed"]


def test_definitions_hold_unit_meanings_and_codes_of_every_column() -> None:
    dictionary = definitions(CONTRACTS)
    assert len(dictionary) == sum(len(contract.every_column) for contract in CONTRACTS)
    row = dictionary[(dictionary["table"] == "projects") & (dictionary["column"] == "capacity_mw")].iloc[0]
    assert row["unit"] == "MW"
    assert row["meaning_en"] == "installed; PV DC, wind AC"
    assert row["meaning_zh"] == "光伏为直流侧，风电为交流侧"
    verdict = dictionary[(dictionary["table"] == "projects") & (dictionary["column"] == "verdict")].iloc[0]
    assert "connect = 可接入 /" in verdict["values"]
    assert row["source"] == PROJECTS.description
    assert definitions([PROJECTS], {"projects": "projects.csv"})["source"].unique().tolist() == ["projects.csv"]


def test_list_and_map_call_and_colour_a_verdict_the_same() -> None:
    bilingual = pytest.importorskip("maps.bilingual", reason="the site map is not there yet")
    style = pytest.importorskip("maps.style", reason="the site map is not there yet").map_style()
    for column in ("verdict", "limit", "origin"):
        for label in value_labels(column):
            on_map = bilingual.label(f"{column}.{label.value}")
            assert (label.label_zh, label.label_en) == (on_map.zh, on_map.en)
    assert {v.verdict: v.colour for v in style.verdicts} == {v.value: v.colour for v in value_labels("verdict")}
