"""PSD-BPA: numbers as the cards hold them, cards by hand, round trips, faults all at once, noise."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.contracts import Status
from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.bpa import read_bpa
from grid.readers.bpa_cards import card_fields, format_number, number
from grid.solve import solve
from grid.writers.bpa import write_bpa
from layers.contracts import InputError

HEAD = "(POWERFLOW,CASEID=TEST,PROJECT=TEST)\r\n/MVA_BASE=100\\\r\n/NETWORK_DATA\\\r\n"


def card(*fields: tuple[int, str]) -> str:
    """A card with each text at its column (from 1, counted in GBK bytes)."""
    data = bytearray(b" " * 92)
    for first, text in fields:
        code = text.encode("gbk")
        data[first - 1 : first - 1 + len(code)] = code
    return bytes(data).decode("gbk").rstrip()


def with_field(text: str, first: int, value: str) -> str:
    code = text.encode("gbk").ljust(92)
    return (code[: first - 1] + value.encode() + code[first - 1 + len(value) :]).decode("gbk").rstrip()


def bus(kind: str, name: str, kv: str, *fields: tuple[int, str]) -> str:
    return card((1, kind), (7, name), (15, kv), (19, "01"), *fields)


def branch(kind: str, one: str, kv_1: str, two: str, kv_2: str, *fields: tuple[int, str]) -> str:
    return card((1, kind), (7, one), (15, kv_1), (20, two), (28, kv_2), (32, "1"), *fields)


SLACK = bus("BS", "北郊", "500.", (58, "1030"))
LOAD = bus("B", "南湖", "500.", (21, " 100."), (26, "  50."), (35, " 20."), (58, "1100"), (62, "1000"))
LINE = branch(
    "L", "北郊", "500.", "南湖", "500.", (34, "2000"), (39, "000100"), (45, "001000"), (57, "000200"), (63, "  95")
)
LOW = bus("B", "南湖", "220.", (21, " 100."), (26, "  50."))
UNIT = branch(
    "T", "北郊", "500.", "南湖", "220.", (34, "1000"), (39, "000020"), (45, "001400"), (63, "52500"), (68, "23000")
)


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("1045", 3, 1.045), ("1.05", 3, 1.05), (" 1.06", 3, 1.06), ("22000", 2, 220.0), ("242.5", 2, 242.5),
        ("000123", 5, 0.00123), (".01235", 5, 0.01235), ("7400-3", 5, 7.4e-5), ("1.5E-3", 5, 0.0015),
        ("1.5e3", 5, 1500.0), ("-20.", 0, -20.0), ("+5", 0, 5.0), ("1 0 0", 0, 100.0), ("    ", 3, None),
    ],
)  # fmt: skip
def test_implied_decimals_points_blanks_and_exponents(text, decimals, value):
    assert number(text, decimals) == (None if value is None else pytest.approx(value, rel=1e-12))


@pytest.mark.parametrize("text", ["abc", "1.2.3", "--1", "nan", "1e", ".", "1E999"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="not a"):
        number(text, 0)


@given(st.floats(1e-6, 9e3).flatmap(lambda v: st.sampled_from([v, -v])))
def test_a_written_number_reads_back_to_four_digits(value):
    for width, decimals in ((6, 5), (5, 0)):
        if width == 5 and not 1e-3 < abs(value) < 999:
            continue
        text = format_number(value, width, decimals)
        assert len(text) == width
        assert number(text, decimals) == pytest.approx(value, rel=2e-3 if width == 6 else 2e-2)


def test_too_large_a_number_is_refused():
    with pytest.raises(ValueError, match="fit"):
        format_number(123456.0, 4, 0)


def test_fields_of_a_card_do_not_overlap():
    for record, fields in card_fields().items():
        ends = sorted((f.first, f.last) for f in fields.values())
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends)), record


def case_of(folder: Path, *cards: str, head: str = HEAD, end: str = "(END)\r\n", encoding: str = "gbk") -> BusBranch:
    path = folder / "case.dat"
    path.write_bytes((head + "\r\n".join(cards) + "\r\n" + end).encode(encoding))
    return read_bpa(path)


def test_a_line_by_hand(tmp_path):
    case = case_of(tmp_path, SLACK, ". a remark", LOAD, LINE)
    assert list(case.buses["name"]) == ["北郊", "南湖"]
    assert list(case.buses["vn_kv"]) == [500.0, 500.0]
    assert list(case.buses["kind"]) == ["ref", "pq"]
    row = case.branches.iloc[0]
    # F6.5 without a point: 00100 -> .00100, 01000 -> .01000; B/2 = .00200, so B = .00400
    assert (row["r_pu"], row["x_pu"], row["b_pu"]) == pytest.approx((0.001, 0.01, 0.004))
    # 2000 A at 500 kV: sqrt(3) 500 2 = 1732 MVA; 95 with one implied decimal is 9.5 km
    assert row["rating_a_mva"] == pytest.approx(1732.05, abs=0.01)
    assert row["length_km"] == pytest.approx(9.5)
    assert case.loads.iloc[0][["p_mw", "q_mvar"]].tolist() == [100.0, 50.0]
    assert case.buses["bs_mvar"].tolist() == [0.0, 20.0]
    assert case.buses["vm_max_pu"].iloc[1] == 1.1
    solution = solve(case)
    assert solution.status is Status.SOLVED
    assert solution.vm_pu[0] == pytest.approx(1.03)
    # by hand: drop of about (R P + X Q) / V with the shunt's 20 Mvar and the line's charging helping
    assert solution.vm_pu[1] == pytest.approx(1.03 - (0.001 * 1.0 + 0.01 * 0.29) / 1.03, abs=5e-4)


def test_a_record_of_two_circuits_becomes_two(tmp_path):
    double = with_field(LINE, 38, "2")
    case = case_of(tmp_path, SLACK, LOAD, double)
    assert len(case.branches) == 2
    assert case.branches["x_pu"].tolist() == pytest.approx([0.02, 0.02])
    assert case.branches["b_pu"].sum() == pytest.approx(0.004)
    assert any(loss.field == "count" and loss.action == "converted" for loss in case.losses)
    one = case_of(tmp_path, SLACK, LOAD, LINE)
    assert solve(case).vm_pu == pytest.approx(solve(one).vm_pu, abs=1e-12)


def test_sections_are_branches_in_series(tmp_path):
    first = with_field(LINE, 33, "1")
    second = with_field(LINE, 33, "2")
    case = case_of(tmp_path, SLACK, LOAD, second, first)
    assert len(case.buses) == 3
    assert list(zip(case.branches["from_bus"], case.branches["to_bus"], strict=True)) == [(1, 3), (3, 2)]


def test_a_transformer_as_the_program_understands_it(tmp_path):
    case = case_of(tmp_path, SLACK, LOW, UNIT)
    row = case.branches.iloc[0]
    tk, tm = 525 / 500, 230 / 220
    assert row["ratio"] == pytest.approx(tk / tm)
    assert row["x_pu"] == pytest.approx(0.014 * tm**2)
    assert row["rating_a_mva"] == 1000
    # the two-port of the program: y12 = -y / (tk tm); ours: -y' / ratio with y' = y / tm^2
    y = 1 / complex(0.0002, 0.014)
    assert 1 / complex(row["r_pu"], row["x_pu"]) / row["ratio"] == pytest.approx(y / (tk * tm))


def test_a_phase_shifter_leads_at_bus_1(tmp_path):
    unit = branch("TP", "北郊", "500.", "南湖", "220.", (39, "000020"), (45, "001400"), (63, "  30."), (68, "22000"))
    case = case_of(tmp_path, SLACK, LOW, unit)
    assert case.branches["shift_degree"].iloc[0] == 30
    assert solve(case).va_degree[1] == pytest.approx(-30.4, abs=0.5)


def test_a_regulated_transformer(tmp_path):
    low = bus("BT", "南湖", "220.", (21, " 100."), (58, "1020"))
    control = card((1, "R"), (7, "北郊"), (15, "500."), (19, "1"), (20, "南湖"), (28, "220."),
                   (34, "南湖"), (42, "220."), (46, "55000"), (51, "50000"), (56, " 9"))  # fmt: skip
    case = case_of(tmp_path, SLACK, low, UNIT, control)
    row = case.branches.iloc[0]
    assert (row["tap_control"], row["controlled_bus_id"], row["vm_target_pu"]) == ("voltage", 2, 1.02)
    assert (row["ratio_min"], row["ratio_max"]) == pytest.approx((1.0 / (230 / 220), 1.1 / (230 / 220)))
    assert row["tap_positions"] == 9


def test_switched_reactances(tmp_path):
    controlled = bus("BX", "南湖", "500.", (21, " 100."), (35, " 80."), (58, "1050"), (62, "0980"))
    steps = card(
        (1, "X"),
        (7, "南湖"),
        (15, "500."),
        (21, "南湖"),
        (29, "500."),
        (33, "2"),
        (34, " -60."),
        (39, "4"),
        (40, "  40."),
    )
    case = case_of(tmp_path, SLACK, controlled, steps, LINE)
    shunt = case.shunts.iloc[0]
    assert (shunt["control"], shunt["b_mvar"], shunt["vm_min_pu"], shunt["vm_max_pu"]) == ("discrete", 80.0, 0.98, 1.05)
    assert case.shunt_steps[["count", "b_mvar"]].to_numpy().tolist() == [[2, -60.0], [4, 40.0]]
    assert case.buses["bs_mvar"].tolist() == [0.0, 0.0]


def test_continuations_loads_and_plants(tmp_path):
    plant = bus("BQ", "电厂", "500.", (43, " 600."), (48, " 300."), (53, "-100."), (58, "1040"))
    more = card(
        (1, "+"), (7, "电厂"), (15, "500."), (19, "P1"), (21, "  20."), (43, "  50."), (48, "  20."), (53, " -10.")
    )
    current = card((1, "+"), (7, "南湖"), (15, "500."), (19, "*I"), (21, "  30."), (26, "  10."))
    tie = LINE.replace("南湖", "电厂")
    case = case_of(tmp_path, SLACK, LOAD, plant, more, current, LINE, tie)
    plant_row = case.generators[case.generators["name"] == "电厂"].iloc[0]
    assert (plant_row["p_mw"], plant_row["q_max_mvar"], plant_row["q_min_mvar"], plant_row["vm_pu"]) == (
        650.0,
        320.0,
        -110.0,
        1.04,
    )
    assert case.loads["p_mw"].tolist() == [100.0, 20.0, 0.0]
    assert case.loads["p_i_mw"].tolist() == [0.0, 0.0, 30.0]
    assert solve(case).status is Status.SOLVED


def test_a_direct_current_line_is_what_it_injects(tmp_path):
    cards = [
        SLACK,
        LOAD,
        LINE,
        bus("BD", "整流", "500.", (51, "北郊"), (59, "500.")),
        bus("BD", "逆变", "500.", (51, "南湖"), (59, "500.")),
        card((1, "LD"), (7, "整流"), (15, "500."), (20, "逆变"), (28, "500."), (38, "  10.0"), (56, "R"), (57, " 300."),
             (62, " 500."), (67, "15.0"), (71, "18.0")),
    ]  # fmt: skip
    case = case_of(tmp_path, *cards)
    link = case.hvdc.iloc[0]
    # 300 MW at 500 kV: 0.6 kA, losses 10 x 0.6^2 = 3.6 MW; reactive power P tan(angle)
    assert (link["p_from_mw"], link["p_to_mw"]) == pytest.approx((-300.0, 296.4))
    assert link["q_from_mvar"] == pytest.approx(-300 * math.tan(math.radians(15)))
    assert link["q_to_mvar"] == pytest.approx(-296.4 * math.tan(math.radians(18)))


def test_every_fault_at_once(tmp_path):
    wrong = with_field(LINE, 39, "abcdef")
    astray = LINE.replace("南湖", "东湖")
    with pytest.raises(InputError) as caught:
        case_of(tmp_path, LOAD, LOAD, wrong, astray, "K5 what is this")
    rules = [f.rule for f in caught.value.findings]
    assert rules == ["bpa.unknown_card"]
    with pytest.raises(InputError) as caught:
        case_of(tmp_path, LOAD, LOAD, SLACK, wrong, astray)
    told = " ".join(f"{f.item} {f.message}" for f in caught.value.findings)
    assert "has already" in told
    assert "must hold a number" in told
    assert "no card" in told
    assert all(f.remedy for f in caught.value.findings)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "bpa.format"),
        (b"case data\n1 2 3\n", "bpa.format"),
        ((HEAD + SLACK).encode("gbk"), "bpa.cut_off"),
        ((HEAD + "(END)\n").encode("gbk"), "bpa.empty"),
        ((HEAD + LOAD + "\n(END)\n").encode("gbk"), "bpa.no_slack"),
        ((HEAD + SLACK + "\n(END)\n").encode("gbk").replace(b"=100", b"=0"), "bpa.mva_base"),
        ((HEAD + SLACK + "\n(END)\n").encode("gbk").replace("北".encode("gbk"), b"\xff\xff"), "bpa.encoding"),
    ],
)
def test_bad_files_end_in_one_report(tmp_path, content, rule):
    (tmp_path / "bad.dat").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_bpa(tmp_path / "bad.dat", "bad.dat")
    assert rule in {f.rule for f in caught.value.findings}
    assert {f.file for f in caught.value.findings} == {"bad.dat"}


def test_utf_8_is_read_in_gbk_columns_and_said(tmp_path):
    case = case_of(tmp_path, SLACK, LOAD, LINE, encoding="utf-8")
    assert list(case.buses["name"]) == ["北郊", "南湖"]
    assert any(loss.field == "encoding" for loss in case.losses)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.integers(0, 400), st.booleans())
def test_noise_never_ends_in_anything_but_a_report(tmp_path, noise, at, whole):
    good = (HEAD + "\r\n".join([SLACK, LOAD, LINE]) + "\r\n(END)\r\n").encode("gbk")
    content = noise if whole else good[:at] + noise + good[at + len(noise) // 2 :]
    path = tmp_path / "noise.dat"
    path.write_bytes(content)
    try:
        read_bpa(path)
    except InputError as error:
        assert error.findings  # noqa: PT017


def test_ten_megabytes_of_noise_give_a_short_report(tmp_path):
    path = tmp_path / "noise.dat"
    path.write_bytes(HEAD.encode() + np.random.default_rng(1).integers(0, 256, 10_000_000, np.uint8).tobytes())
    with pytest.raises(InputError) as caught:
        read_bpa(path)
    assert 1 <= len(caught.value.findings) <= 60


# ---------------------------------------------------------------- round trips


def three_level_case() -> BusBranch:
    """500/220/110 kV with every kind of thing the format holds."""
    return make_case(
        "three levels", 100.0, Source("test"),
        {
            "buses": {"bus_id": [10, 20, 30, 40], "name": ["亳州北", "亳州北", "谯城区中心站", "古井"],
                      "vn_kv": [500.0, 220.0, 220.0, 110.0], "kind": ["ref", "pq", "pv", "pq"], "zone": [1, 1, 2, 2],
                      "va_degree": [0.0] * 4, "vm_pu": [1.02, 1.0, 1.0, 1.0], "bs_mvar": [0.0, 0.0, 0.0, 12.5]},
            "loads": {"load_id": ["a", "b"], "bus_id": [20, 40], "p_mw": [180.0, 62.3], "q_mvar": [40.0, 15.1]},
            "generators": {"generator_id": ["s", "g", "w"], "bus_id": [10, 30, 40], "p_mw": [0.0, 120.0, 30.0],
                           "control": ["voltage", "voltage", "power"], "vm_pu": [1.02, 1.01, math.nan],
                           "q_min_mvar": [-math.inf, -60.0, 0.0], "q_max_mvar": [math.inf, 80.0, 0.0],
                           "slack_weight": [1.0, 0.0, 0.0], "p_max_mw": [math.nan, 150.0, 50.0]},
            "branches": {"branch_id": ["t1", "l1", "l2", "t2"], "kind": ["transformer", "line", "line", "transformer"],
                         "from_bus": [10, 20, 20, 30], "to_bus": [20, 30, 30, 40],
                         "r_pu": [0.0002, 0.00153, 0.00153, 0.0021], "x_pu": [0.0187, 0.01224, 0.01224, 0.0722],
                         "b_pu": [0.0, 0.0352, 0.0352, 0.0], "g_from_pu": [0.0002, 0.0, 0.0, 0.0],
                         "g_to_pu": [0.0002, 0.0, 0.0, 0.0], "b_from_pu": [-0.001, 0.0, 0.0, 0.0],
                         "b_to_pu": [-0.001, 0.0, 0.0, 0.0], "ratio": [1.05, 1.0, 1.0, 1.025],
                         "shift_degree": [0.0, 0.0, 0.0, 330.0], "rating_a_mva": [750.0, 442.0, 442.0, 180.0],
                         "length_km": [math.nan, 24.5, 24.5, math.nan]},
        },
    ).validate()  # fmt: skip


def test_what_is_written_reads_back_to_the_same_flows(tmp_path):
    case = three_level_case()
    losses = write_bpa(case, tmp_path / "out.dat")
    back = read_bpa(tmp_path / "out.dat")
    assert list(back.buses["name"]) == ["亳州北", "亳州北", "谯城区中", "古井"]  # eight columns are four characters
    assert any("谯城区中心站" in loss.value for loss in losses)
    ours, again = solve(case), solve(back)
    assert ours.status is again.status is Status.SOLVED
    assert again.vm_pu == pytest.approx(ours.vm_pu, abs=2e-4)
    assert again.va_degree == pytest.approx(ours.va_degree, abs=0.01)
    assert np.abs(again.p_from_mw - ours.p_from_mw).max() < 0.1
    assert again.losses_mw == pytest.approx(ours.losses_mw, rel=2e-3)


def test_writing_what_was_read_changes_nothing_more(tmp_path):
    write_bpa(three_level_case(), tmp_path / "one.dat")
    first = read_bpa(tmp_path / "one.dat")
    write_bpa(first, tmp_path / "two.dat")
    second = read_bpa(tmp_path / "two.dat")
    for table in ("buses", "loads", "generators", "branches"):
        numbers = getattr(first, table).select_dtypes("number")
        pd.testing.assert_frame_equal(numbers, getattr(second, table).select_dtypes("number"), rtol=2e-4)
    assert solve(second).vm_pu == pytest.approx(solve(first).vm_pu, abs=1e-5)


def test_names_stay_unique(tmp_path):
    case = three_level_case()
    buses = case.buses.assign(name=["同一个名字站"] * 4, vn_kv=[500.0, 220.0, 220.0, 110.0])
    from dataclasses import replace

    write_bpa(replace(case, buses=buses), tmp_path / "out.dat")
    back = read_bpa(tmp_path / "out.dat")
    assert len(set(zip(back.buses["name"], back.buses["vn_kv"], strict=True))) == 4
