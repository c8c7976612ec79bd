"""What a study file can say about scores: value functions, AHP, and every fault of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layers.contracts import Finding
from siting.scoring.value_functions import Linear, Logistic, PointTable, Trapezoid
from study import records
from study.checks.all import check_study
from study.new import new_study
from study.schema.file import StudyFile
from study.study_file import Study, read_study

FUNCTIONS = """
[[criteria]]
id = "cost"
label_zh = "成本"
label_en = "Cost"
{w0}
source = "yield.lcoe_cny_per_kwh"
value = "logistic"
midpoint = 0.3
steepness = -40

[[criteria]]
id = "station"
label_zh = "距离"
label_en = "Distance"
{w1}
source = "distance:stations"
value = "table"
points = [[0, 1], [5, 0.8], [20, 0]]

[[criteria]]
id = "size"
label_zh = "规模"
label_en = "Size"
{w2}
source = "candidate.capacity_mw"
value = "trapezoid"
corners = [1, 20, 100, 300]
"""
WEIGHTS = {"w0": "weight = 0.5", "w1": "weight = 0.3", "w2": "weight = 0.2"}
NONE = {"w0": "", "w1": "", "w2": ""}


def study_with(folder: Path, criteria: str) -> Study:
    """A generated study whose criteria are replaced."""
    path = new_study("sample", folder, generated=True, area_km2=60, population=40_000, lon=116.2, lat=33.5, districts=2)
    text = path.read_text("utf-8")
    start, end = text.index("[[criteria]]"), text.index("[network]")
    path.write_text(text[:start] + criteria + "\n" + text[end:], "utf-8")
    return read_study(path)


def errors(study: Study) -> list[Finding]:
    return [f for f in check_study(study) if f.severity == "error"]


def test_every_kind_of_value_function_arrives(tmp_path: Path) -> None:
    study = study_with(tmp_path, FUNCTIONS.format(**WEIGHTS))
    assert errors(study) == []
    criteria = records.criteria(study.file)
    assert [c.value_function for c in criteria] == [
        Logistic(0.3, -40),
        PointTable(((0, 1), (5, 0.8), (20, 0))),
        Trapezoid(1, 20, 100, 300),
    ]
    assert [c.weight for c in criteria] == [0.5, 0.3, 0.2]


def test_worst_and_best_are_linear(tmp_path: Path) -> None:
    path = new_study("sample", tmp_path, generated=True, area_km2=60, population=40_000, lon=116, lat=33, districts=1)
    assert records.criteria(read_study(path).file)[0].value_function == Linear(0.45, 0.18)


def test_weights_from_comparisons(tmp_path: Path) -> None:
    """cost = 2 station = 4 size, without contradiction: 4/7, 2/7, 1/7; the assumptions say so."""
    text = FUNCTIONS.format(**NONE) + (
        '\n[ahp]\ncomparisons = { "cost/station" = 2, "size/station" = 0.5, "cost/size" = 4 }\nsource = "workshop"\n'
    )
    study = study_with(tmp_path, text)
    assert errors(study) == []
    assert [c.weight for c in records.criteria(study.file)] == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    (said,) = [a for a in records.assumptions(study.file) if a.id == "ahp_weights"]
    assert "0.000" in said.text_en
    assert said.source == "workshop"


def test_matrix_in_an_order_of_its_own(tmp_path: Path) -> None:
    text = FUNCTIONS.format(**NONE) + (
        '\n[ahp]\ncriteria = ["size", "station", "cost"]\nmatrix = [[1, 0.5, 0.25], [2, 1, 0.5], [4, 2, 1]]\n'
    )
    study = study_with(tmp_path, text)
    assert errors(study) == []
    assert [c.weight for c in records.criteria(study.file)] == pytest.approx([4 / 7, 2 / 7, 1 / 7])


AHP_FAULTS = [
    # [ahp], whether weights are given too, rule, item
    ('comparisons = { "cost/station" = 9, "station/size" = 9, "cost/size" = 0.2 }', NONE, "ahp.consistency", None),
    ("matrix = [[1, 9, 0.2], [0.111, 1, 9], [5, 0.111, 1]]", NONE, "ahp.consistency", None),
    ("matrix = [[1, 2], [0.5, 1]]", NONE, "ahp.shape", "matrix"),
    ('comparisons = { "cost/station" = 2 }', NONE, "ahp.missing", "comparisons"),
    ('criteria = ["cost", "size"]\nmatrix = [[1, 2], [0.5, 1]]', NONE, "ahp.criteria", "criteria"),
    ('source = "x"', NONE, "ahp.form", "matrix"),
    ('comparisons = { "cost/station" = 2, "size/station" = 0.5, "cost/size" = 4 }', WEIGHTS, "ahp.weights_too", "cost"),
]


@pytest.mark.parametrize(("text", "weights", "rule", "item"), AHP_FAULTS)
def test_faults_of_ahp_are_refused(tmp_path: Path, text: str, weights: dict[str, str], rule: str, item) -> None:
    found = errors(study_with(tmp_path, FUNCTIONS.format(**weights) + f"\n[ahp]\n{text}\n"))
    assert {f.rule for f in found} == {rule}
    assert all(f.file == "sample.toml" for f in found)
    assert item is None or found[0].item == item


FUNCTION_FAULTS: list[tuple[str, str, str]] = [
    ("steepness = -40", "steepness = 0", "not 0"),
    ("steepness = -40", "", "lacks steepness"),
    ("steepness = -40", "steepness = -40\nbest = 1", "best do not belong"),
    ("[[0, 1], [5, 0.8], [20, 0]]", "[[0, 1], [0, 0.8], [20, 0]]", "do not rise"),
    ("[[0, 1], [5, 0.8], [20, 0]]", "[]", "lacks points"),
    ("corners = [1, 20, 100, 300]", "corners = [1, 20, 10, 300]", "do not rise"),
    ('value = "trapezoid"', 'value = "linear"', "lacks worst and best"),
]


@pytest.mark.parametrize(("old", "new", "words"), FUNCTION_FAULTS)
def test_faults_of_value_functions_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = FUNCTIONS.format(**WEIGHTS)
    assert old in text
    found = errors(study_with(tmp_path, text.replace(old, new)))
    assert {f.rule for f in found} == {"criteria.value_function"}
    assert any(words in f.message for f in found), found


def test_a_criterion_without_a_weight_is_named(tmp_path: Path) -> None:
    found = errors(study_with(tmp_path, FUNCTIONS.format(**{**WEIGHTS, "w1": ""})))
    assert [(f.rule, f.item) for f in found] == [("criteria.weight_missing", "station")]
    assert "[ahp]" in found[0].remedy


def test_stability_section_is_closed_and_bounded() -> None:
    fields: dict[str, Any] = StudyFile.model_json_schema()["$defs"]["StabilityEntry"]["properties"]
    assert set(fields) == {"spread", "first", "draws"}
