"""Cases through files and back, through the planning contract, and through real data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from gridmodel_cases import matpower_case, random_case, two_bus

from grid.contracts import Status
from grid.model.contracts import CASE_SHUNTS, CASE_THREE_WINDING, fill, loss_findings, loss_table
from grid.readers.pandapower_json import read_pandapower_json
from grid.readers.tables import FORMAT, read_network_tables
from grid.solve import solve
from grid.solve_records import SolveOptions
from grid.writers.pandapower_json import write_pandapower_json
from grid.writers.tables import write_network_tables
from layers.contracts import InputError


def same_flows(a, b, tolerance=1e-9):
    one, two = solve(a), solve(b)
    assert one.status is two.status is Status.SOLVED
    place = {int(x): k for k, x in enumerate(two.case.buses["bus_id"])}
    rows = [place[int(x)] for x in one.case.buses["bus_id"]]
    assert np.abs(one.voltage - two.voltage[rows]).max() < tolerance
    # shunts at the ends of branches come back as shunts: what was a loss there is a shunt's then
    assert one.losses_mw + one.shunt_mw == pytest.approx(two.losses_mw + two.shunt_mw, abs=1e-6)


def three_winding_case():
    """random_case(1) with a 220/110/35 unit, PSS/E style (magnetising at bus 1), and an HVDC infeed."""
    case = random_case(1)
    numbers = case.buses["bus_id"].tolist()
    unit = fill(
        CASE_THREE_WINDING,
        {
            "transformer_id": ["T3"], "bus_1": [numbers[0]], "bus_2": [numbers[1]], "bus_3": [numbers[2]],
            "r_12_pu": [0.002], "x_12_pu": [0.12], "r_23_pu": [0.003], "x_23_pu": [0.07], "r_31_pu": [0.004],
            "x_31_pu": [0.22], "g_mag_pu": [0.001], "b_mag_pu": [-0.004], "ratio_1": [1.02], "shift_3_degree": [0.0],
            "rating_1_mva": [180.0],
        },
    )  # fmt: skip
    return dataclasses.replace(case, three_winding=unit)


CASES = {
    "case14": lambda: matpower_case("case14"),
    "case300": lambda: matpower_case("case300"),
    "random with shifts": lambda: random_case(5, shifts=True),
    "three windings": three_winding_case,
}


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("target", ["tables", "case.gpkg"])
def test_table_format_round_trip(tmp_path, name, target):
    case = CASES[name]()
    write_network_tables(case, tmp_path / target)
    again = read_network_tables(tmp_path / target)
    same_flows(case, again)
    assert again.generators["p_max_mw"].equals(case.generators["p_max_mw"])
    assert again.losses == () or {x.action for x in again.losses} == {"defaulted"}
    # and a second time without any change at all
    write_network_tables(again, tmp_path / f"second {target}")
    third = read_network_tables(tmp_path / f"second {target}")
    assert third.loads.equals(again.loads)
    assert np.allclose(third.branches["x_pu"], again.branches["x_pu"], rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning")
def test_pandapower_json_round_trip(tmp_path, name):
    case = CASES[name]()
    path = tmp_path / "net.json"
    losses = write_pandapower_json(case, path)
    again = read_pandapower_json(path)
    same_flows(case, again, 1e-8)
    own = case.buses["bus_id"].tolist()
    assert again.buses["bus_id"].tolist()[: len(own)] == own
    assert again.source.format == "pandapower_json"
    if name == "three windings":
        assert "three_winding T3" in {x.element for x in losses}
    first = path.read_bytes()
    write_pandapower_json(case, path)
    assert path.read_bytes() == first


def test_switched_shunt_in_a_table_is_told(tmp_path):
    case = two_bus()
    shunt = fill(CASE_SHUNTS, {"shunt_id": ["S"], "bus_id": [2], "b_mvar": [10.0], "control": ["discrete"]})
    losses = write_network_tables(dataclasses.replace(case, shunts=shunt), tmp_path / "t")
    assert [(x.element, x.action) for x in losses] == [("shunt S", "dropped")]
    assert read_network_tables(tmp_path / "t").shunts["b_mvar"].tolist() == [10.0]


def write_small(folder, **changes):
    folder.mkdir()
    tables = {
        "buses": "bus_id,name,vn_kv,kind\n1,亳州,110,ref\n2,谯城,110,\n",
        "lines": "line_id,from_bus,to_bus,length_km,r_ohm_per_km,x_ohm_per_km\nA,1,2,10,0.1,0.4\n",
        "loads": "load_id,bus_id,p_mw\nL,2,20\n",
        "generators": "generator_id,bus_id,p_mw,control,vm_pu\nG,1,0,voltage,1.02\n",
        **changes,
    }
    for name, text in tables.items():
        (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_tables_by_hand(tmp_path):
    """10 km of 0.1 + j0.4 ohm/km at 110 kV: base 121 ohm, so r = 1/121, x = 4/121 pu."""
    case = read_network_tables(write_small(tmp_path / "t"))
    line = case.branches.iloc[0]
    assert (line["r_pu"], line["x_pu"]) == (pytest.approx(1 / 121), pytest.approx(4 / 121))
    assert case.buses["name"].tolist() == ["亳州", "谯城"]
    assert solve(case).status is Status.SOLVED


def test_gbk_tables_keep_chinese_names(tmp_path):
    text = "bus_id,name,vn_kv,kind\n1,亳州,110,ref\n2,谯城,110,pq\n".encode("gbk")
    assert read_network_tables(write_small(tmp_path / "t", buses=text)).buses["name"].tolist() == ["亳州", "谯城"]


def test_every_fault_of_the_tables_at_once(tmp_path):
    folder = write_small(
        tmp_path / "t",
        buses="bus_id,name,vn_kv,kind\n1,a,110,reference\n2,b,,pq\n",
        loads="load_id,bus_id,p_mw\nL,two,20\n",
        generators="generator_id,bus_id,control\nG,1,voltage\n",
    )
    with pytest.raises(InputError) as error:
        read_network_tables(folder, "my/tables")
    found = {(f.rule, f.layer, f.item) for f in error.value.findings}
    assert found == {
        ("network_table.not_allowed", "buses", "row 2, column kind"),
        ("network_table.empty_cell", "buses", "row 3, column vn_kv"),
        ("network_table.not_a_number", "loads", "row 2, column bus_id"),
        ("network_table.column_missing", "generators", "p_mw"),
    }
    assert {f.file for f in error.value.findings} == {"my/tables"}


def test_defaults_are_told(tmp_path):
    folder = write_small(tmp_path / "t", generators="generator_id,bus_id,p_mw,vm_pu\nG,1,0,1.0\n")
    case = read_network_tables(folder)
    assert ("generators", "control", "power") in {(x.element, x.field, x.value) for x in case.losses}
    findings = loss_findings(case)
    assert {f.severity for f in findings} == {"note"}
    assert len(loss_table(case)) == len(case.losses) == len(findings)


def test_format_is_documented():
    for name, fields in FORMAT.items():
        for column, spec in fields.items():
            assert spec.description, (name, column)
            last = column.rsplit("_", 1)[-1]
            units = {"kv": "kV", "mw": "MW", "mvar": "Mvar", "mva": "MVA", "ka": "kA", "pu": "pu", "degree": "degree",
                     "percent": "%", "kw": "kW", "hz": "Hz"}  # fmt: skip
            if last in units:
                assert spec.unit == units[last], (name, column)


# ---------------------------------------------------------------- real data


@pytest.mark.real_data
def test_rts_gmlc_equals_the_matpower_file_of_the_same_system(real_data):
    """The tables schedule 100 MW on the DC line, the MATPOWER file 0: with the same schedule the states are equal."""
    from grid.readers.rts_gmlc import read_rts_gmlc

    case = read_rts_gmlc(real_data / "grid-rts-gmlc")
    assert (len(case.buses), len(case.branches), len(case.generators), len(case.hvdc)) == (73, 120, 158, 1)
    assert case.hvdc["p_to_mw"].tolist() == [100.0]
    as_scheduled = solve(case)
    assert as_scheduled.status is Status.SOLVED
    idle = dataclasses.replace(case, hvdc=case.hvdc.assign(p_from_mw=0.0, p_to_mw=0.0))
    published = matpower_case("case_RTS_GMLC")
    same_flows(idle, published, 1e-7)
    both = solve(case, SolveOptions(engine="pandapower"))
    assert np.abs(both.vm_pu - as_scheduled.vm_pu).max() < 1e-6


@pytest.mark.real_data
def test_scigrid_de_is_read_and_solved(real_data):
    from grid.readers.pypsa_csv import read_pypsa_csv

    case = read_pypsa_csv(real_data / "grid-scigrid-de")
    assert (len(case.buses), int((case.branches["kind"] == "transformer").sum())) == (585, 96)
    solution = solve(case, SolveOptions(slack="weights"))
    assert solution.status is Status.SOLVED
    assert solution.load_mw == pytest.approx(case.loads["p_mw"].sum(), rel=1e-12)
    assert np.nansum(solution.generator_p_mw) == pytest.approx(solution.load_mw + solution.losses_mw, abs=1e-4)
    second = solve(case, SolveOptions(slack="weights", engine="pandapower"))
    assert np.abs(second.vm_pu - solution.vm_pu).max() < 1e-6
    assert {x.field for x in case.losses} >= {"q_mvar", "p_mw", "vm_pu"}
