"""The tables of any bus-branch case: the same as of the planning network, and by hand on a small one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rulebook_networks as nets

from grid.contracts import Case, Status
from grid.loadflow import run_load_flow
from grid.model.contracts import BusBranch
from grid.model.planning import from_network
from grid.rulebook.area_tables import AreaSettings, NetworkTables
from grid.rulebook.assess import assess
from grid.rulebook.book import RULE_2019, RULE_2025, EditionName, graded_voltage_kv
from grid.rulebook.distributed import distributed_by_list, distributed_by_scope
from grid.rulebook.from_case import solved_case, tables_from_case
from grid.rulebook.from_network import tables_from_network
from grid.solve import solve
from layers.contracts import InputError

NOON = Case("noon", "午间", "noon", 0.5, 0.9, 0.1, (), season="transition")


def solved(case: BusBranch, edition: EditionName = RULE_2025, **settings: float) -> NetworkTables:
    return tables_from_case(case, solve(case), edition, ["pv"], AreaSettings(**settings))


@pytest.mark.parametrize("edition", [RULE_2025, RULE_2019])
def test_the_planning_network_and_its_bus_branch_case_give_the_same_tables(edition: EditionName) -> None:
    network = nets.county()
    plants = [item for item in network.generators["generator_id"] if item.startswith("pv-")]
    state = run_load_flow(network, [NOON], n_1=False).branch_state
    flows = dict(zip(state["element"], state["p_from_mw"], strict=True))
    output = {item: 0.9 * mw for item, mw in network.generators.set_index("generator_id")["p_max_mw"].items()}
    one = tables_from_network(network, edition, flows, output, plants)
    case = from_network(network, NOON)
    other = tables_from_case(case, solve(case), edition, plants)
    assert one.tables.equipment["connected_mw" if edition == RULE_2025 else "dg_output_mw"].sum() > 100
    pd.testing.assert_frame_equal(one.tables.equipment, other.tables.equipment, rtol=1e-8, atol=1e-6)
    assert one.station == other.station
    assert one.pv_mw == other.pv_mw
    numbered = dict(zip(case.buses["bus_id"].astype(str), case.buses["name"], strict=True))
    assert {numbered[bus]: item for bus, item in other.of_bus.items()} == dict(one.of_bus)
    if edition == RULE_2025:
        assert one.tables.units is not None
        assert other.tables.units is not None
        columns = ["unit_id", "equipment_id", "sn_mva"]
        pd.testing.assert_frame_equal(one.tables.units[columns], other.tables.units[columns])
        left, right = (assess(edition, made.tables).equipment for made in (one, other))
        assert left["beta"].tolist() == pytest.approx(right["beta"].tolist(), abs=1e-12)
        assert left["hosting_min_mw"].tolist() == pytest.approx(right["hosting_min_mw"].tolist(), abs=1e-6)


def test_small_case_by_hand() -> None:
    """A1 carries 30 - 10 = 20 MW and its losses, so P = 30 and losses; W1 8 MW; U also gets coal - 3 from below."""
    case = nets.small_case()
    solution = solve(case)
    assert solution.status is Status.SOLVED
    found = solved(case)
    table = found.tables.equipment.set_index("equipment_id")
    assert list(table.index) == ["A/110/10", "U/220/110", "W/110/35/10"]
    assert table["superior_id"].tolist() == ["U/220/110", "", "U/220/110"]
    assert table["connected_mw"].tolist() == [12.0, 12.0, 0.0]
    losses = solution.losses_mw
    assert table["load_mw"]["A/110/10"] == pytest.approx(30.0, abs=losses)
    assert table["load_mw"]["A/110/10"] > 30.0
    assert table["load_mw"]["W/110/35/10"] == pytest.approx(8.0, abs=losses)
    net = 30.0 + 8.0 + 3.0 - 10.0 - 50.0 + losses
    assert table["other_generation_mw"]["U/220/110"] == pytest.approx(-net - 10.0, abs=1e-6)
    assert table["load_mw"]["U/220/110"] == 0.0
    assert dict(found.of_bus) == {
        "2": "U/220/110", "3": "U/220/110", "4": "A/110/10", "5": "U/220/110", "6": "W/110/35/10",
        "7": "W/110/35/10", "8": "U/220/110",
    }  # fmt: skip
    assert [a.value for a in found.assumptions if a.id == "rulebook/step_up"] == ["1"]


def test_two_identical_units_in_parallel_have_beta_one_half() -> None:
    graded = assess(RULE_2025, solved(nets.small_case()).tables).equipment.set_index("equipment_id")
    assert graded["beta"]["U/220/110"] == pytest.approx(0.5)
    assert graded["units"]["U/220/110"] == 2
    assert graded["sn_mva"]["W/110/35/10"] == 40.0


def test_the_rating_of_a_three_winding_unit_is_that_of_its_highest_winding() -> None:
    units = solved(nets.small_case()).tables.units
    assert units is not None
    row = units.set_index("unit_id").loc["W1"]
    assert row["sn_mva"] == 40.0
    # windings 5 (110 kV) and 6 (35 kV): x_12 on 100 MVA, on its 40 MVA
    assert row["vk_percent"] == pytest.approx(100 * np.hypot(0.005, 0.25) * 0.4)


def test_lines_without_length_count_by_their_reactance() -> None:
    """0.066 pu at 110 kV and 100 MVA are 7.986 ohm, 19.965 km at 0.4 ohm/km."""
    case = nets.small_case(lengths=False)
    links = {(link.from_bus, link.to_bus): link.length_km for link in solved_case(case, solve(case)).links}
    assert links["2", "3"] == pytest.approx(0.066 * 110**2 / 100 / 0.4)
    with_km = {(link.from_bus, link.to_bus): link.length_km for link in
               solved_case(nets.small_case(), solve(nets.small_case())).links}  # fmt: skip
    assert with_km["2", "3"] == 20.0


def test_units_out_of_service_do_not_count() -> None:
    case = nets.small_case()
    branches = case.branches.copy()
    branches.loc[branches["branch_id"] == "T2", "in_service"] = False
    found = solved(replace(case, branches=branches)).tables.equipment.set_index("equipment_id")
    assert found["arrangement"]["U/220/110"] == "single"


def test_a_transformer_without_rating_is_refused() -> None:
    case = nets.small_case()
    branches = case.branches.copy()
    branches.loc[branches["branch_id"].isin(["A1", "T1"]), "rating_a_mva"] = np.nan
    with pytest.raises(InputError) as error:
        solved(replace(case, branches=branches))
    assert [(f.rule, f.item) for f in error.value.findings] == [
        ("rulebook.rating_missing", "A1"),
        ("rulebook.rating_missing", "T1"),
    ]


@pytest.mark.parametrize(
    ("vn_kv", "level"),
    [(525, 500), (345, 330), (230, 220), (161, 110), (138, 110), (115, 110), (69, 66), (37, 35), (13.8, 10), (6.3, 6)],
)
def test_base_voltages_count_as_the_level_nearby(vn_kv: float, level: float) -> None:
    assert graded_voltage_kv(vn_kv) == level


def test_every_level_counts_as_itself_and_low_voltage_as_none() -> None:
    for level in (1000, 750, 500, 330, 220, 110, 66, 35, 20, 10, 6):
        assert graded_voltage_kv(level) == level
    assert np.isnan(graded_voltage_kv(0.4))


def test_scope_of_the_editions() -> None:
    """PV of 12 MW at 10 kV counts in both; at 110 kV up to 50 MW in 2025 alone; coal never."""
    case = nets.small_case()
    network = solved_case(case, solve(case))
    for edition in (RULE_2019, RULE_2025):
        assert distributed_by_scope(network, edition).plant_ids == {"pv"}
    at_110 = replace(network, plants=tuple(replace(plant, bus="3") for plant in network.plants))
    assert distributed_by_scope(at_110, RULE_2025).plant_ids == {"pv"}
    assert distributed_by_scope(at_110, RULE_2019).plant_ids == set()
    large = replace(at_110, plants=tuple(replace(plant, installed_mw=51.0) for plant in at_110.plants))
    assert distributed_by_scope(large, RULE_2025).plant_ids == set()


def test_a_plant_behind_its_own_step_up_unit_connects_at_the_high_side() -> None:
    """60 MW of PV at 20 kV behind G meets the network at 110 kV: over 50 MW, not in scope; 40 MW are."""
    case = nets.small_case()
    network = solved_case(case, solve(case))
    for installed, counts in ((60.0, False), (40.0, True)):
        plants = tuple(
            replace(plant, fuel="pv", installed_mw=installed) if plant.plant_id == "coal" else plant
            for plant in network.plants
        )
        found = distributed_by_scope(replace(network, plants=plants), RULE_2025)
        assert ("coal" in found.plant_ids) == counts


def test_a_list_of_distributed_plants_names_what_it_does_not_find() -> None:
    case = nets.small_case()
    network = solved_case(case, solve(case))
    assert distributed_by_list(network, ["coal"], file="list.txt").plant_ids == {"coal"}
    with pytest.raises(InputError) as error:
        distributed_by_list(network, ["coat", "pv"], file="list.txt")
    assert [(f.item, f.remedy) for f in error.value.findings] == [("coat", "Did you mean coal?")]
