"""Grades of a whole network: hours, ledger, checks, what is handed down."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import rulebook_networks as nets
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.rulebook.areas import SolvedNetwork
from grid.rulebook.book import RULE_2019, RULE_2025
from grid.rulebook.from_case import solved_case
from grid.rulebook.grading import County, GradeSettings, NetworkGrades, SolvedState, grade_network
from grid.rulebook.state_checks import CheckedState
from grid.solve import solve
from layers.contracts import InputError

CASE = nets.small_case()
NETWORK = solved_case(CASE, solve(CASE))
RANK = {"green": 0, "yellow": 1, "red": 2}


def graded(network: SolvedNetwork = NETWORK, **changes: object) -> NetworkGrades:
    return grade_network([SolvedState("noon", network)], replace(GradeSettings(), **changes))  # type: ignore[arg-type]


def ledger(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def rows(found: NetworkGrades) -> pd.DataFrame:
    return found.equipment.set_index("equipment_id")


def test_a_grade_opens_into_formula_clause_and_switches() -> None:
    row = rows(graded()).loc["U/220/110"]
    assert "0.5×360×0.95" in row["formula"]
    assert row["formula_en"].startswith("largest reverse load rate")
    assert "6.3" in row["clause"]
    assert "8.5" in row["clause"]
    assert row["switches"] == "new_storage=after; floor_at_zero=no"
    assert row["case"] == "noon"
    assert row["station"] == "U"


def test_the_ledger_raises_the_row_and_what_is_above_it() -> None:
    found = rows(graded(ledger=ledger(equipment_id=["A/110/10"], connected_mw=["32"], registered_mw=["5"])))
    assert found["connected_mw"].to_dict() == {"A/110/10": 32.0, "U/220/110": 32.0, "W/110/35/10": 0.0}
    assert found["registered_mw"]["U/220/110"] == 5.0


def test_rows_are_called_after_their_stations() -> None:
    found = rows(graded(station_names={"U": ("郊区", "Jiaoqu")}))
    assert found["name_zh"].tolist() == ["", "郊区", ""]


def test_registered_at_a_bus_counts_all_the_way_up() -> None:
    found = rows(graded(registered_mw={"4": 7.0, "5": 2.0}))
    assert found["registered_mw"].to_dict() == {"A/110/10": 7.0, "U/220/110": 9.0, "W/110/35/10": 0.0}


def test_a_superior_with_less_than_its_parts_is_refused() -> None:
    book = ledger(equipment_id=["A/110/10", "U/220/110"], registered_mw=["40", "30"])
    with pytest.raises(InputError) as error:
        graded(ledger=book)
    assert [(f.rule, f.item) for f in error.value.findings] == [("rulebook.ledger_parts", "U/220/110")]


def test_faults_of_the_ledger_are_told_at_once() -> None:
    book = ledger(equipment_id=["A/110/10", "A/110/10"], connected_mw=["x", "1"], vn_kv=["110", "110"])
    with pytest.raises(InputError) as error:
        graded(ledger=book)
    assert {f.rule for f in error.value.findings} == {"rulebook.column", "rulebook.number", "rulebook.repeated"}
    with pytest.raises(InputError) as error:
        graded(ledger=ledger(equipment_id=["A/110/1"], connected_mw=["1"]))
    assert error.value.findings[0].remedy == "Did you mean A/110/10?"


def test_words_of_the_ledger_reach_the_rule_book() -> None:
    book = ledger(equipment_id=["U/220/110"], arrangement=["split"], beta_given=["0.7"], beta_reason=["分列"])
    assert rows(graded(ledger=book))["beta"]["U/220/110"] == 0.7


def test_a_red_superior_reddens_every_bus_below_it() -> None:
    found = graded(ledger=ledger(equipment_id=["U/220/110"], registered_mw=[0], connected_mw=[900]))
    grades = rows(found)
    assert grades["grade"].tolist() == ["red"] * 3
    assert grades["inherited"].to_dict() == {"A/110/10": True, "U/220/110": False, "W/110/35/10": True}
    buses = found.of_bus.set_index("bus_id")
    assert buses.loc[["2", "3", "4", "5", "6", "7"], "grade"].tolist() == ["red"] * 6
    assert buses["grade"]["1"] == ""
    assert "U/220/110" in buses["grade_reason_zh"]["4"]


@given(st.floats(12, 400), st.floats(12, 400), st.floats(0, 200))
@settings(max_examples=30, deadline=None)
def test_more_connected_never_betters_a_grade(one: float, other: float, registered: float) -> None:
    low, high = sorted((one, other))
    books = [
        ledger(equipment_id=["A/110/10"], connected_mw=[mw], registered_mw=[registered]) for mw in (low, high)
    ]  # fmt: skip
    before, after = (rows(graded(ledger=book)) for book in books)
    for item in before.index:
        assert RANK[after["grade"][item]] >= RANK[before["grade"][item]]
        assert after["open_connect_mw"][item] <= before["open_connect_mw"][item] + 1e-9


def test_2019_takes_each_row_at_its_largest_reverse_load_rate() -> None:
    """With 60 MW of PV the flow through A1 is about -30 MW: lambda 30/50; with 10 MW about -20/50."""
    more = nets.small_case(60.0)
    strong = solved_case(more, solve(more))
    states = [SolvedState("dull", NETWORK), SolvedState("sunny", strong)]
    found = rows(grade_network(states, GradeSettings(edition=RULE_2019)))
    assert found["case"].to_dict() == {"A/110/10": "sunny", "U/220/110": "sunny", "W/110/35/10": found["case"].iloc[2]}
    assert found["lambda_max"]["A/110/10"] == pytest.approx(30 / 50, abs=0.03)
    assert found["grade"][["A/110/10", "U/220/110"]].tolist() == ["yellow", "yellow"]


def test_2025_takes_the_typical_hour_with_the_largest_output() -> None:
    more = nets.small_case(11.0)
    strong = solved_case(more, solve(more))
    states = [SolvedState("dull", NETWORK), SolvedState("sunny", strong)]
    assert set(grade_network(states).equipment["case"]) == {"sunny"}
    only = [SolvedState("dull", NETWORK), SolvedState("sunny", strong, typical=False)]
    assert set(grade_network(only).equipment["case"]) == {"dull"}
    given_ = GradeSettings(typical_case="sunny")
    assert set(grade_network(only, given_).equipment["case"]) == {"sunny"}
    with pytest.raises(InputError, match="typical_case"):
        grade_network(only, GradeSettings(typical_case="sunn"))


def test_counties_stand_above_and_hold_what_is_below() -> None:
    found = graded(county_of_station={"U": "341602"}, counties=(County("341602", "谯城区", "Qiaocheng"),))
    county = found.assessment.counties.iloc[0]
    assert (county["county_id"], county["name_zh"], county["connected_mw"]) == ("341602", "谯城区", 12.0)
    assert rows(found)["superior_id"]["U/220/110"] == "341602"
    old = graded(edition=RULE_2019, county_of_station={"U": "341602"})
    assert rows(old)["superior_id"]["U/220/110"] == ""


def test_the_checks_of_the_solved_cases() -> None:
    """GB/T 12325 at 10 kV: +7 %; a unit above its rating fails the load flow."""
    state = SolvedState("noon", NETWORK, checked=CheckedState(dict.fromkeys(NETWORK.vn_kv, 1.0), {"A1": 101.0}))
    row = rows(grade_network([state], GradeSettings(edition=RULE_2019))).loc["A/110/10"]
    assert row["failed_checks"] == "thermal_check"
    assert row["grade"] == "red"
    high = replace(state, checked=CheckedState({**state.checked.vm_pu, "4": 1.071}, {"A1": 100.0}))
    row = rows(grade_network([high], GradeSettings(edition=RULE_2019))).loc["A/110/10"]
    assert row["failed_checks"] == "voltage_check"
    fine = rows(grade_network([replace(high, checked=CheckedState(dict.fromkeys(NETWORK.vn_kv, 1.0), {"A1": 9.0}))]))
    assert "voltage_check" not in fine["open_checks"]["A/110/10"]


def test_henan_counts_pv_that_is_there_and_registered() -> None:
    """12 + 25 = 37 MW of PV on 50 MVA are 0.74; with 30 registered 0.84 > 0.8."""
    for registered, passed in ((25.0, True), (30.0, False)):
        found = graded(henan=True, ledger=ledger(equipment_id=["A/110/10"], registered_mw=[registered]))
        row = found.henan.set_index("equipment_id").loc["A/110/10"]
        assert row["pv_share"] == pytest.approx((12 + registered) / 50)
        assert row["passed"] == passed
        told = found.of_bus.set_index("bus_id")["grade_reason_en"]["4"]
        assert ("PV over rating" in told) != passed
    assert graded().henan.empty


def test_the_edition_is_named_and_unknown_ones_are_refused() -> None:
    assert graded(edition=RULE_2025).assessment.edition.document == "DL/T 2041-2025"
    with pytest.raises(InputError, match="dlt2041"):
        graded(edition="dlt2041-2024")
