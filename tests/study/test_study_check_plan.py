"""Gaps of targets and unknown stations of a plan are named before anything is planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import pytest
import study_samples as samples

from grid.contracts import Network
from grid.measures.contracts import KINDS
from layers.contracts import InputError
from study.checks.all import check_study
from study.checks.plan import plan_findings, refuse_unknown_stations
from study.schema.outputs import MeasureKind
from study.study_file import BUILTIN_STUDIES, Study, read_study

TARGET: dict[str, Any] = {
    "region": "X", "quantity_zh": "光伏装机", "quantity_en": "PV installed", "technology_group": "pv", "year": 2030,
    "target_mw": 500.0, "source": "a plan",
}  # fmt: skip


@pytest.fixture(scope="module")
def bozhou() -> Study:
    return read_study(BUILTIN_STUDIES / "bozhou.toml")


def network_of(*stations: tuple[str, str, str]) -> Network:
    """A network of which only the names of the stations count."""
    table = pd.DataFrame(stations, columns=["station_id", "name_zh", "name_en"])
    network = Network.__new__(Network)
    object.__setattr__(network, "stations", table)
    return network


def test_a_target_that_does_not_say_what_stands_is_named_in_the_check(bozhou: Study) -> None:
    study = samples.changed(bozhou, {"targets": [TARGET, {**TARGET, "installed_mw": 0.0, "year": 2035}]})
    (finding,) = [f for f in check_study(study) if f.rule == "targets.installed_unknown"]
    assert (finding.severity, finding.layer, finding.file) == ("warning", "targets.1", "bozhou.toml")
    assert "PV installed 2030" in finding.item
    assert "500 MW count as new" in finding.message
    assert "installed_mw" in finding.remedy


def test_plants_of_the_study_are_offered_as_what_stands(bozhou: Study) -> None:
    """Bozhou's study names wind of 100 + 100 + 50 + 50 + 50 MW and no PV."""
    wind = {**TARGET, "technology_group": "wind", "quantity_en": "Wind"}
    findings = plan_findings(samples.changed(bozhou, {"targets": [wind, TARGET]}))
    assert ["350 MW" in f.message for f in findings] == [True, False]
    assert ["350 if the named plants are all" in f.remedy for f in findings] == [True, False]


def test_options_without_effect_are_named(bozhou: Study) -> None:
    """Curtailment in cases that count no hours; a floor of MW beside an objective that has none."""
    free = samples.changed(bozhou, {"plan.curtailment_in_cases": True, "plan.hours": 0, "plan.least_mw": 100.0})
    rules = {f.rule: f for f in plan_findings(free) if f.rule.startswith("plan.")}
    assert set(rules) == {"plan.curtailment_free", "plan.floor_without_effect"}
    assert all(f.severity == "warning" and f.remedy for f in rules.values())
    used = samples.changed(
        bozhou, {"plan.curtailment_in_cases": True, "plan.least_mw": 100.0, "plan.objective": "least_cny_per_mw"}
    )
    assert [f for f in plan_findings(used) if f.rule.startswith("plan.")] == []


def test_a_kind_of_measure_that_does_not_exist_is_refused(bozhou: Study) -> None:
    """And the schema names every kind but storage, which the plan sizes by itself."""
    assert {*get_args(MeasureKind), "storage"} == set(KINDS)
    with pytest.raises(ValueError, match="add_transfomer"):
        samples.changed(bozhou, {"plan.measures": ["add_transfomer"]})


def test_less_than_nothing_cannot_stand(bozhou: Study) -> None:
    with pytest.raises(ValueError, match="installed_mw"):
        samples.changed(bozhou, {"targets": [{**TARGET, "installed_mw": -1.0}]})


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("S220-zhenyuann", "Did you mean 'S220-zhenyuan'?"),
        ("振源", "Use its id 'S220-zhenyuan'."),
        ("Zhenyuan", "Use its id 'S220-zhenyuan'."),
        ("@", "Ids stand in loadflow/network/stations.csv of a run."),
    ],
)
def test_a_dropped_station_that_is_no_station_is_refused_with_the_right_id(
    bozhou: Study, name: str, remedy: str
) -> None:
    network = network_of(("S500-qiaocheng", "谯城", "Qiaocheng"), ("S220-zhenyuan", "振源", "Zhenyuan"))
    study = samples.changed(bozhou, {"plan.dropped_stations": ["S500-qiaocheng", name]})
    with pytest.raises(InputError) as refused:
        refuse_unknown_stations(study, network)
    (finding,) = refused.value.findings
    assert (finding.rule, finding.item, finding.value) == ("plan.unknown_station", "dropped_stations", name)
    assert finding.remedy == remedy


def test_known_stations_and_no_plan_are_not_refused(bozhou: Study) -> None:
    network = network_of(("S500-qiaocheng", "谯城", "Qiaocheng"))
    refuse_unknown_stations(samples.changed(bozhou, {"plan.dropped_stations": ["S500-qiaocheng"]}), network)
    refuse_unknown_stations(replace(bozhou, file=bozhou.file.model_copy(update={"plan": None})), network)
