"""New stations in the plan: what binds near them, the network with them, a plan that needs one."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import plan_samples as samples
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.measures.contracts import PlannedStation
from grid.plan.contracts import Wanted
from grid.plan.solve import solve_plan
from study.plan.measures import MeasureBook, is_near, new_stations
from study.schema.outputs import NewStationEntry, PlanEntry
from study.study_file import PROGRAM_ROOT, read_study

NEAR = PlannedStation("new001", "新一", "One", 110.0, 116.22, 33.07)
SECOND = PlannedStation("new002", "新二", "Two", 110.0, 116.15, 33.1)
FAR = PlannedStation("new003", "远", "Far", 110.0, 120.0, 33.0)


def book(*stations, measures=("new_station", "second_circuit", "curtailment_contract", "demand_response")):
    return MeasureBook(triangle(ka=0.3), PlanEntry(measures=measures), stations)


def test_only_a_station_near_what_binds_is_offered_and_agreements_stand_at_their_buses():
    one = book(NEAR, FAR)
    offers = one.menu(Wanted(("BC",), ("D/110",), ("C/10",)))
    kinds = [(m.kind, m.element) for m in offers]
    assert ("new_station", "new001") in kinds
    assert ("new_station", "new003") not in kinds
    assert {e for k, e in kinds if k == "curtailment_contract"} == {"D/110"}
    (response,) = [m.agreement for m in offers if m.kind == "demand_response"]
    assert (response.bus_id, response.power_mw, response.hours_max) == ("C/10", pytest.approx(1.5), 50.0)  # 5 % of 30
    assert is_near(one.network, ("BC",), NEAR)
    assert not is_near(one.network, ("BC",), FAR)
    assert not is_near(one.network, (), NEAR)


def test_a_station_of_the_study_file_makes_a_menu_of_its_own():
    """Levels in the study file are whole numbers, those of tables are not."""
    file = read_study(PROGRAM_ROOT / "study" / "builtin" / "bozhou.toml").file
    entry = NewStationEntry(name_zh="新站", name_en="New", vn_kv=110, lon=116.22, lat=33.07, source="test")
    plan = file.plan.model_copy(update={"stations": (entry,), "measures": ("new_station",)})
    one = MeasureBook(triangle(ka=0.3), plan, new_stations(file.model_copy(update={"plan": plan})))
    (found,) = one.menu(Wanted(("BC",)))
    assert (found.id, one.table["vn_kv"].tolist()) == ("new_station_110:new001", [110.0])


def test_two_stations_and_a_circuit_on_one_line_stand_together():
    """The line BC with a second circuit, cut by two stations: three parts, each met once, load moved and kept."""
    one = book(NEAR, SECOND)
    offers = one.menu(Wanted(("BC",)))
    config = frozenset(m.id for m in offers if m.kind in ("new_station", "second_circuit") and m.element != "CA")
    network = one.build(config, samples.CASES[0])
    assert network.loads["p_mw"].sum() == pytest.approx(one.network.loads["p_mw"].sum())
    ids = set(network.lines["line_id"])
    assert "BC" not in ids
    assert len(network.lines) == len(one.network.lines) + 1 + 2
    assert {"new001/110", "new002/110"} <= set(network.buses["bus_id"])


def test_a_plan_with_stations_on_offer_is_proved_and_costs_no_more():
    one = samples.problem(150.0, whole=False, measures=())
    plain = solve_plan(one)
    offered = book(NEAR, measures=("new_station",))
    answer = solve_plan(replace(one, menu=offered.menu, build=offered.build))
    assert [m.kind for m in answer.problem.measures] == ["new_station"] * len(answer.problem.measures)
    assert answer.problem.measures
    assert answer.violations == ()
    assert answer.decision.missing_mw.sum() <= plain.decision.missing_mw.sum() + 1e-3
    built = solve_plan(
        replace(one, menu=offered.menu, build=offered.build, settings=replace(one.settings, objective="most_mw"))
    )
    assert built.violations == ()
    assert np.isfinite(built.value)
