"""From a network to the rule book's tables.

.. code-block:: text

    500 ==(K)== 220 R ==(R1)== 110 --20 km-- B/110     hydro 30 at B/110
                220 S ==(S1, S2)== 110 --10 km-- A/110, --12 km-- B/110
                                          A/110 ==(A1)== A/10   pv 20 at A/10
                                          B/110 ==(B1, B2)== B/10
"""

from __future__ import annotations

import pandas as pd
import pytest

from grid.contracts import Network
from grid.rulebook.area_tables import AreaSettings
from grid.rulebook.areas import SolvedNetwork
from grid.rulebook.assess import assess
from grid.rulebook.book import RULE_2019, RULE_2025
from grid.rulebook.from_network import solved_network, tables_from_network
from layers.contracts import InputError, Origin

FLOWS = {"K": 40.0, "R1": 5.0, "S1": 20.0, "S2": 20.0, "A1": -8.0, "B1": 15.0, "B2": 15.0}
OUTPUT = {"pv": 16.0, "hydro": 25.0, "coal": 300.0}


def network() -> Network:
    buses = ["K/500", "R/220", "R/110", "S/220", "S/110", "A/110", "A/10", "B/110", "B/10"]
    lines = [("S/110", "A/110", 10.0), ("S/110", "B/110", 12.0), ("R/110", "B/110", 20.0)]
    units = [
        ("K", "R", "K/500", "R/220", 750.0, 14.0),
        ("R1", "R", "R/220", "R/110", 180.0, 13.0),
        ("S1", "S", "S/220", "S/110", 180.0, 13.0),
        ("S2", "S", "S/220", "S/110", 180.0, 13.0),
        ("A1", "A", "A/110", "A/10", 50.0, 10.5),
        ("B1", "B", "B/110", "B/10", 50.0, 10.5),
        ("B2", "B", "B/110", "B/10", 40.0, 10.5),
    ]
    generators = [("pv", "A/10", "pv", 20.0), ("hydro", "B/110", "hydro", 30.0), ("coal", "R/220", "coal", 600.0)]
    none = pd.DataFrame()
    return Network(
        "sample",
        none,
        pd.DataFrame({"bus_id": buses, "vn_kv": [float(bus.split("/")[1]) for bus in buses]}),
        pd.DataFrame(lines, columns=["from_bus", "to_bus", "length_km"]),
        pd.DataFrame(units, columns=["transformer_id", "station_id", "hv_bus", "lv_bus", "sn_mva", "vk_percent"]),
        pd.DataFrame({"bus_id": ["A/10", "B/10"], "p_mw": [8.0, 30.0]}),
        pd.DataFrame(generators, columns=["generator_id", "bus_id", "fuel", "p_max_mw"]),
        none,
        Origin.GENERATED,
    )


def solved(one: Network) -> SolvedNetwork:
    return solved_network(one, FLOWS, OUTPUT)


def test_units_between_the_same_buses_are_one_row() -> None:
    groups = solved(network()).groups
    assert [g.equipment_id for g in groups] == ["A/110/10", "B/110/10", "R/220/110", "R/500/220", "S/220/110"]
    assert [unit.unit_id for unit in groups[-1].units] == ["S1", "S2"]


def test_split_buses_make_rows_of_their_own() -> None:
    one = network()
    split = one.transformers.copy()
    split.loc[split["transformer_id"] == "B2", "lv_bus"] = "B/10b"
    buses = pd.concat([one.buses, pd.DataFrame({"bus_id": ["B/10b"], "vn_kv": [10.0]})])
    groups = solved(Network(**{**vars(one), "transformers": split, "buses": buses})).groups
    assert [g.equipment_id for g in groups if g.station == "B"] == ["B/110/10", "B/110/10#2"]


def test_a_bus_is_fed_over_the_shortest_way() -> None:
    fed = solved(network()).fed
    assert fed["B/110"] == "S/220/110"
    assert fed["A/10"] == "A/110/10"
    assert fed["R/220"] == "R/500/220"
    assert "S/220" not in fed


def test_tables_of_2025_by_hand() -> None:
    """Flow down plus distributed output: A -8 + 16 = 8, S 40 + 16 (pv) + 25 (hydro) = 81, B 30, R 5."""
    found = tables_from_network(network(), RULE_2025, FLOWS, OUTPUT, ["pv", "hydro"], AreaSettings(1.0, 0.8))
    table = found.tables.equipment.set_index("equipment_id")
    assert table["load_mw"].to_dict() == {"A/110/10": 8.0, "B/110/10": 30.0, "R/220/110": 5.0, "S/220/110": 81.0}
    assert table["connected_mw"].to_dict() == {"A/110/10": 20.0, "B/110/10": 0.0, "R/220/110": 0.0, "S/220/110": 50.0}
    assert table["superior_id"].to_dict() == {
        "A/110/10": "S/220/110", "B/110/10": "S/220/110", "R/220/110": "", "S/220/110": "",
    }  # fmt: skip
    assert [a.id for a in found.assumptions][-1] == "rulebook/levels_left_out"
    assert found.assumptions[-1].value == "500"
    graded = assess(RULE_2025, found.tables).equipment.set_index("equipment_id")
    assert graded["hosting_min_mw"]["S/220/110"] == pytest.approx((81 + 0.5 * 360) / 0.8)
    assert graded["hosting_min_mw"]["B/110/10"] == pytest.approx((30 + 40) / 0.8)
    assert graded["hosting_min_mw"]["A/110/10"] == pytest.approx((8 + 0.8 * 50) / 0.8)


def test_at_the_hosting_capacity_the_reverse_flow_is_what_beta_allows() -> None:
    """Raise A's PV from 20 MW at factor 0.8 (16 MW) to S_d at the same factor: the flow reaches -beta S."""
    found = tables_from_network(network(), RULE_2025, FLOWS, OUTPUT, ["pv"], AreaSettings(1.0, 0.8))
    row = assess(RULE_2025, found.tables).equipment.set_index("equipment_id").loc["A/110/10"]
    more_output = row["hosting_min_mw"] * 0.8 - OUTPUT["pv"]
    assert FLOWS["A1"] - more_output == pytest.approx(-row["beta"] * 50.0)


def test_tables_of_2019_by_hand() -> None:
    """A: lambda is the reverse flow over the rating, (16 - 8)/50."""
    found = tables_from_network(network(), RULE_2019, FLOWS, OUTPUT, ["pv", "hydro"])
    graded = assess(RULE_2019, found.tables).equipment.set_index("equipment_id")
    assert graded["lambda_max"]["A/110/10"] == pytest.approx(8 / 50)
    assert graded["lambda_max"]["S/220/110"] == pytest.approx(-40 / 360)
    assert graded["lambda_max"]["R/500/220"] == pytest.approx(-40 / 750)
    assert graded["superior_id"]["R/220/110"] == "R/500/220"


def test_counties_stand_above_the_rows_that_nothing_feeds() -> None:
    found = tables_from_network(
        network(), RULE_2025, FLOWS, OUTPUT, [], county_of_station={"S": "X", "A": "X", "R": "Y"}
    )
    superior = found.tables.equipment.set_index("equipment_id")["superior_id"]
    assert superior[["A/110/10", "R/220/110", "S/220/110"]].tolist() == ["S/220/110", "Y", "X"]


def test_what_is_not_known_is_refused_at_once() -> None:
    flows = {**FLOWS, "A1": float("nan")}
    del flows["B2"]
    with pytest.raises(InputError) as error:
        tables_from_network(network(), RULE_2025, flows, {"pv": float("nan")}, ["pv", "sun"])
    assert [(f.rule, f.item) for f in error.value.findings] == [
        ("rulebook.flow_missing", "A1"),
        ("rulebook.flow_missing", "B2"),
        ("rulebook.output_missing", "pv"),
        ("rulebook.unknown_id", "sun"),
    ]
