"""Checks of a network: one planted fault, one finding; all together, all findings; the good network none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.checks import check_network
from grid.contracts import BUSES, GENERATORS, INFEEDS, LINES, LOADS, STATIONS, TRANSFORMERS, Case, Network
from grid.line_parameters import line_type_parameters
from grid.standards_tables import transformer_types
from layers.contracts import Finding, Origin
from layers.tables import Table

SPOKES = 6
KM_PER_DEGREE = 92.9
"""At 33.5 degrees north: 111.32 cos(33.5)."""
NOON = Case("noon", "午间", "noon", 1.0, 0.0, 0.0)


def _frame(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    base = {"origin": "assumed", "name_zh": "名", "name_en": "name"}
    filled = [{name: {**base, **row}.get(name, "") for name in table.columns} for row in rows]
    return pd.DataFrame(filled, columns=list(table.columns)) if rows else table.empty()


def _line(item: str, start: str, end: str, km: float, kind: str = "110 kV 300/40") -> dict[str, Any]:
    values = line_type_parameters()[["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka"]].loc[kind].to_dict()
    return {"line_id": item, "corridor_id": item, "from_bus": start, "to_bus": end, "length_km": km, "line_type": kind,
            **values}  # fmt: skip


def _unit(item: str, station: str, high: str, low: str, kind: str) -> dict[str, Any]:
    values = transformer_types().loc[kind].to_dict()
    return {**{name: values[name] for name in TRANSFORMERS.columns if name in values}, "transformer_id": item,
            "station_id": station, "hv_bus": high, "lv_bus": low, "transformer_type": kind, "tap_pos": 0.0}  # fmt: skip


@cache
def good_network() -> Network:
    """A hub and six spokes; every spoke alike but the ring at 10 kV.

    ::

        infeed ~ h/220 ==(A, B)== h/110 --L1-- s1/110 --(T1)-- s1/10 -> 20 MW
                                        --L2-- s2/110 --(T2)-- s2/10 -> 20 MW     tie: s1/10 --R-- s2/10
                                        ...                                       ring: s1/110 --K-- s2/110
                                        --L6-- s6/110 --(T6)-- s6/10 -> 20 MW     plant G1 at s3/110, G2 at s4/110
    """
    spokes = range(1, SPOKES + 1)
    stations = [{"station_id": "h", "vn_kv": 220.0, "lon": 116.0, "lat": 33.5, "in_region": True}]
    buses = [("h/220", 220.0), ("h/110", 110.0)]
    lines, units, loads = [], [], []
    for name in ("A", "B"):
        units.append(_unit(name, "h", "h/220", "h/110", "220/110 180 MVA"))
    for k in spokes:
        stations.append({"station_id": f"s{k}", "vn_kv": 110.0, "lon": 116.0 + k / 10, "lat": 33.5, "in_region": True})
        buses += [(f"s{k}/110", 110.0), (f"s{k}/10", 10.0)]
        lines.append(_line(f"L{k}", "h/110", f"s{k}/110", 1.3 * KM_PER_DEGREE * k / 10))
        units.append(_unit(f"T{k}", f"s{k}", f"s{k}/110", f"s{k}/10", "110/10 50 MVA"))
        loads.append({"load_id": f"D{k}", "bus_id": f"s{k}/10", "p_mw": 20.0, "q_mvar": 5.0})
    lines.append(_line("K", "s1/110", "s2/110", 12.0))
    tie = {"r_ohm_per_km": 0.16, "x_ohm_per_km": 0.35, "c_nf_per_km": 10.0, "max_i_ka": 0.5, "line_type": "LGJ-185"}
    lines.append({**_line("R", "s1/10", "s2/10", 12.0), **tie})
    plant = {"fuel": "coal", "p_max_mw": 50.0, "control": "voltage", "vm_pu": 1.02, "q_min_mvar": -20.0,
             "q_max_mvar": 30.0}  # fmt: skip
    return Network(
        name="hub",
        stations=_frame(STATIONS, stations),
        buses=_frame(BUSES, [{"bus_id": bus, "station_id": bus.split("/")[0], "vn_kv": kv, "vm_min_pu": 0.95,
                              "vm_max_pu": 1.1} for bus, kv in buses]),
        lines=_frame(LINES, lines),
        transformers=_frame(TRANSFORMERS, units).astype(dict.fromkeys(("sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent",
                            "tap_neutral", "tap_min", "tap_max", "shift_degree"), float)),
        loads=_frame(LOADS, loads),
        generators=_frame(GENERATORS, [{"generator_id": f"G{k}", "bus_id": f"s{k + 2}/110", **plant} for k in (1, 2)]),
        infeeds=_frame(INFEEDS, [{"infeed_id": "I", "bus_id": "h/220", "vm_pu": 1.03, "va_degree": 0.0,
                                  "slack_weight": 1.0, "s_sc_mva": 1e4}]),
        origin=Origin.ASSUMED,
    ).validate()  # fmt: skip


Change = Callable[[Network], Network]


def put(table: str, item: str, **values: Any) -> Change:
    """Set cells of the rows of one id; a callable gets the values that are there."""

    def change(network: Network) -> Network:
        frame = getattr(network, table).copy()
        rows = frame.iloc[:, 0] == item
        assert rows.any()
        for column, value in values.items():
            frame.loc[rows, column] = value(frame.loc[rows, column]) if callable(value) else value
        return replace(network, **{table: frame})

    return change


def drop(table: str, item: str) -> Change:
    def change(network: Network) -> Network:
        frame = getattr(network, table)
        return replace(network, **{table: frame[frame.iloc[:, 0] != item].reset_index(drop=True)})

    return change


def add(table: str, like: str, **values: Any) -> Change:
    """Append a copy of a row with other cells."""

    def change(network: Network) -> Network:
        frame = getattr(network, table)
        copy = frame[frame.iloc[:, 0] == like].assign(**values)
        return replace(network, **{table: pd.concat([frame, copy], ignore_index=True)})

    return change


def both(*changes: Change) -> Change:
    def change(network: Network) -> Network:
        for each in changes:
            network = each(network)
        return network

    return change


def times(factor: float) -> Callable[[Any], Any]:
    return lambda value: value * factor


FAULTS: list[tuple[str, Change, str, str, str, str]] = [
    # what, change, severity, rule, table, item
    ("load at no bus", put("loads", "D1", bus_id="s1/100"), "error", "unknown_bus", "loads", "D1"),
    ("plant at no bus", put("generators", "G1", bus_id="x"), "error", "unknown_bus", "generators", "G1"),
    ("infeed at no bus", put("infeeds", "I", bus_id="x"), "error", "unknown_bus", "infeeds", "I"),
    ("line to no bus", put("lines", "K", to_bus="s2/11O"), "error", "unknown_bus", "lines", "K"),
    ("only line to no bus", put("lines", "L3", to_bus="s3/11O"), "error", "unknown_bus", "lines", "L3"),
    ("unit to no bus", put("transformers", "T5", lv_bus="s5/35"), "error", "unknown_bus", "transformers", "T5"),
    ("bus at no station", put("buses", "s5/10", station_id="s55"), "error", "unknown_station", "buses", "s5/10"),
    ("unit at no station", put("transformers", "T5", station_id="zz"),
     "error", "unknown_station", "transformers", "T5"),
    ("line from itself", put("lines", "K", to_bus="s1/110"), "error", "same_bus", "lines", "K"),
    ("circuit twice", add("lines", "L6"), "error", "duplicate_id", "lines", "L6"),
    ("bus twice", add("buses", "s6/10"), "error", "duplicate_id", "buses", "s6/10"),
    ("isolated bus", add("buses", "s6/10", bus_id="s6/35", vn_kv=35.0), "error", "isolated_bus", "buses", "s6/35"),
    ("loses its only unit", drop("transformers", "T6"), "error", "isolated_bus", "buses", "s6/10"),
    ("island", drop("lines", "L6"), "error", "island_without_infeed", "buses", "s6/10"),
    ("two islands", both(drop("lines", "L6"), add("infeeds", "I", infeed_id="J", bus_id="s6/110")),
     "error", "several_islands", "buses", "s6/10"),
    ("no infeed", drop("infeeds", "I"), "error", "no_infeed", "infeeds", "infeeds"),
    ("infeed voltage", put("infeeds", "I", vm_pu=1.15), "error", "infeed_voltage", "infeeds", "I"),
    ("infeed in kV", put("infeeds", "I", vm_pu=226.0), "error", "infeed_voltage", "infeeds", "I"),
    ("slack weight", put("infeeds", "I", slack_weight=0.0), "error", "slack_weight", "infeeds", "I"),
    ("band crossed", put("buses", "s1/10", vm_min_pu=1.2), "error", "voltage_band", "buses", "s1/10"),
    ("levels joined", put("buses", "s4/110", vn_kv=115.0), "error", "line_joins_levels", "lines", "L4"),
    ("type of another level", put("lines", "L4", line_type="220 kV 300/40"),
     "warning", "line_type_level", "lines", "L4"),
    ("reactance 0", put("lines", "L1", x_ohm_per_km=0.0), "error", "reactance", "lines", "L1"),
    ("reactance negative", put("lines", "L1", x_ohm_per_km=-0.4), "error", "reactance", "lines", "L1"),
    ("impedance x 10", put("lines", "L2", x_ohm_per_km=times(10)),
     "error", "x_ohm_per_km_of_type", "lines", "L2"),
    ("rating x 10", put("lines", "L3", max_i_ka=times(10)), "error", "max_i_ka_of_type", "lines", "L3"),
    ("rating / 10", put("lines", "L3", max_i_ka=times(0.1)), "error", "max_i_ka_of_type", "lines", "L3"),
    ("rating x 2", put("lines", "L3", max_i_ka=times(2)), "warning", "max_i_ka_of_type", "lines", "L3"),
    ("capacitance x 10", put("lines", "L3", c_nf_per_km=times(10)), "error", "c_nf_per_km_of_type", "lines", "L3"),
    ("own type, rating in A", put("lines", "L5", line_type="LGJ-300", max_i_ka=496.0),
     "warning", "max_i_ka_of_level", "lines", "L5"),
    ("r and x swapped", put("lines", "L5", line_type="LGJ-300", r_ohm_per_km=0.39, x_ohm_per_km=0.096),
     "warning", "r_over_x", "lines", "L5"),
    ("no resistance", put("lines", "L5", r_ohm_per_km=0.0), "warning", "r_over_x", "lines", "L5"),
    ("length 0", put("lines", "L6", length_km=0.0), "error", "line_length", "lines", "L6"),
    ("length in m", put("lines", "L6", length_km=times(1000)), "error", "line_length", "lines", "L6"),
    ("length / 10", put("lines", "L6", length_km=times(0.1)), "error", "line_length", "lines", "L6"),
    ("length below straight", put("lines", "L6", length_km=times(0.7)), "warning", "line_length", "lines", "L6"),
    ("length far above straight", put("lines", "L6", length_km=times(4)), "warning", "line_length", "lines", "L6"),
    ("ratio / 10", put("transformers", "T4", vn_lv_kv=1.05), "error", "transformer_ratio", "transformers", "T4"),
    ("ratio x 10", put("transformers", "T4", vn_hv_kv=1100.0), "error", "transformer_ratio", "transformers", "T4"),
    ("ratio 25 % off", put("transformers", "T4", vn_lv_kv=13.2), "error", "transformer_ratio", "transformers", "T4"),
    ("both sides in another unit", put("transformers", "T4", vn_hv_kv=11.0, vn_lv_kv=1.05),
     "error", "transformer_voltage", "transformers", "T4"),
    ("sides swapped", put("transformers", "T4", hv_bus="s4/10", lv_bus="s4/110"),
     "error", "transformer_sides", "transformers", "T4"),
    ("unit in another station", put("transformers", "T4", station_id="s3"),
     "warning", "transformer_station", "transformers", "T4"),
    ("rating / 10 of a unit", put("transformers", "A", sn_mva=18.0), "error", "sn_mva_of_type", "transformers", "A"),
    ("vk / 10", put("transformers", "T5", vk_percent=1.05), "error", "vk_percent_of_type", "transformers", "T5"),
    ("losses in W", put("transformers", "T5", pfe_kw=15000.0), "warning", "pfe_kw_of_type", "transformers", "T5"),
    ("no reactance left", put("transformers", "T5", transformer_type="own", vkr_percent=10.5),
     "error", "transformer_reactance", "transformers", "T5"),
    ("mostly resistive", put("transformers", "T5", transformer_type="own", vkr_percent=5.0),
     "warning", "transformer_r_share", "transformers", "T5"),
    ("own type, vk as share", put("transformers", "T5", transformer_type="own", vk_percent=0.105, vkr_percent=0.004),
     "warning", "short_circuit_voltage", "transformers", "T5"),
    ("tap out of range", put("transformers", "T6", tap_pos=9.0), "error", "tap_position", "transformers", "T6"),
    ("tap range crossed", put("transformers", "T6", tap_min=8.0, tap_max=-8.0),
     "error", "tap_limits", "transformers", "T6"),
    ("tap without step", put("transformers", "T6", tap_pos=2.0, tap_step_percent=0.0),
     "error", "tap_without_step", "transformers", "T6"),
    ("step of 12.5 %", put("transformers", "T6", tap_step_percent=12.5), "warning", "tap_step", "transformers", "T6"),
    ("neutral out of range", put("transformers", "T6", tap_min=1.0, tap_pos=1.0),
     "warning", "tap_neutral", "transformers", "T6"),
    ("vector group in a loop", put("transformers", "T1", shift_degree=0.0),
     "error", "vector_group", "transformers", "T1"),
    ("vector group Yd1 for Yd11", put("transformers", "T2", shift_degree=30.0),
     "error", "vector_group", "transformers", "T2"),
    ("parallel shift", put("transformers", "B", shift_degree=30.0), "error", "parallel_shift", "transformers", "B"),
    ("parallel ratio, 8 taps", put("transformers", "B", tap_pos=8.0),
     "error", "parallel_ratio", "transformers", "B"),
    ("parallel ratio, 1 tap", put("transformers", "B", tap_pos=-1.0),
     "warning", "parallel_ratio", "transformers", "A"),
    ("q limits crossed", put("generators", "G1", q_min_mvar=40.0), "error", "q_limits", "generators", "G1"),
    ("plant without capacity", put("generators", "G2", p_max_mw=0.0), "warning", "no_capacity", "generators", "G2"),
    ("plant voltage", put("generators", "G2", vm_pu=0.8), "error", "generator_voltage", "generators", "G2"),
    ("two set points", put("generators", "G2", bus_id="s3/110", vm_pu=1.0), "error", "set_points", "generators", "G2"),
    ("load in kW", put("loads", "D6", p_mw=20000.0), "error", "load_beyond_transformers", "loads", "D6"),
    ("load too large", put("loads", "D6", p_mw=60.0), "warning", "load_beyond_transformers", "loads", "D6"),
    ("no place", put("stations", "s6", lon=math.nan, lat=math.nan), "warning", "load_without_place", "loads", "D6"),
    ("lon and lat 0", put("stations", "s6", lon=0.0, lat=0.0), "warning", "load_without_place", "loads", "D6"),
]  # fmt: skip


def named(findings: list[Finding]) -> list[tuple[str, str, str, str]]:
    assert all(f.rule.startswith("network.") and f.layer == "hub" and f.value and f.message for f in findings)
    assert all(f.remedy.endswith((".", "?")) for f in findings)
    return [(f.severity, f.rule.removeprefix("network."), f.file, f.item) for f in findings]


def test_the_good_network_gives_no_finding() -> None:
    assert check_network(good_network()) == []


@pytest.mark.parametrize(("change", "expected"), [pytest.param(f[1], f[2:], id=f[0]) for f in FAULTS])
def test_one_planted_fault_one_finding(change: Change, expected: tuple[str, str, str, str]) -> None:
    severity, rule, table, item = expected
    assert named(check_network(change(good_network()))) == [(severity, rule, f"{table}.csv", item)]


TOGETHER = [
    "load at no bus", "plant at no bus", "line to no bus", "unit at no station", "circuit twice", "isolated bus",
    "infeed voltage", "slack weight", "band crossed", "levels joined", "reactance 0", "impedance x 10", "rating x 10",
    "own type, rating in A", "length in m", "ratio / 10", "rating / 10 of a unit", "vk / 10", "losses in W",
    "tap without step", "vector group in a loop", "parallel shift", "plant without capacity", "load in kW",
]  # fmt: skip


def test_all_planted_faults_come_in_one_go() -> None:
    faults = [fault for fault in FAULTS if fault[0] in TOGETHER]
    assert len(faults) == len(TOGETHER)
    network = both(*(change for _, change, *_ in faults))(good_network())
    expected = {(severity, rule, f"{table}.csv", item) for _, _, severity, rule, table, item in faults}
    assert set(named(check_network(network))) == expected


def test_the_check_leaves_the_network_as_it_is_and_is_the_same_twice() -> None:
    network = both(*(change for name, change, *_ in FAULTS if name in TOGETHER))(good_network())
    before = {table: getattr(network, table).copy() for table in ("buses", "lines", "transformers")}
    assert check_network(network) == check_network(network)
    for table, frame in before.items():
        pd.testing.assert_frame_equal(getattr(network, table), frame)


def one(change: Change) -> Finding:
    (finding,) = check_network(change(good_network()))
    return finding


def test_a_factor_of_ten_is_said_in_words() -> None:
    for change in (
        put("transformers", "T4", vn_lv_kv=1.05),
        put("lines", "L3", max_i_ka=times(10)),
        put("lines", "L6", length_km=times(0.1)),
    ):
        assert "about ten times" in one(change).message
    assert "about ten times" not in one(put("transformers", "T4", vn_lv_kv=13.2)).message


@pytest.mark.parametrize(("vn_lv_kv", "found"), [(8.2, True), (8.4, False), (12.5, True), (11.9, False)])
def test_transformer_ratio_is_wrong_beyond_20_percent(vn_lv_kv: float, found: bool) -> None:
    """The high side is right, so the ratio is off by 10 / vn_lv: 1.220, 1.190, 1 / 1.25, 1 / 1.19."""
    findings = check_network(put("transformers", "T4", vn_lv_kv=vn_lv_kv)(good_network()))
    assert bool(findings) is found


def test_a_nearby_name_is_offered() -> None:
    assert "Did you mean s1/10?" in one(put("loads", "D1", bus_id="s1/100")).remedy


def test_swapped_coordinates_are_recognised() -> None:
    findings = check_network(put("stations", "s6", lon=33.5, lat=116.6)(good_network()))
    assert "swapped" in findings[0].message
    assert named(findings) == [
        ("error", "coordinates", "stations.csv", "s6"),
        ("warning", "load_without_place", "loads.csv", "D6"),
    ]


def test_a_stranded_load_is_named_with_its_size() -> None:
    assert "20 MW of load" in one(drop("transformers", "T6")).message
    assert "20 MW of load" in one(drop("lines", "L6")).message


def test_load_of_the_levels_below_counts_above() -> None:
    """Six loads of 20.6 MVA less two plants of 50 MW: 23.7 MVA through A and B; with a rating of 2 x 11 too much."""
    small = [put("transformers", unit, sn_mva=11.0, transformer_type="own") for unit in "AB"]
    finding = one(both(*small))
    assert (finding.rule, finding.item) == ("network.load_beyond_transformers", "A")
    assert finding.value == "23.69 MVA"


def test_circulating_current_by_hand() -> None:
    """|1 - e^(j30)| = 2 sin 15 = 0.5176; over 2 x 13 %: 199 % of the rated current."""
    assert "199%" in one(put("transformers", "B", shift_degree=30.0)).message


def test_a_whole_turn_is_no_shift() -> None:
    assert check_network(put("transformers", "T1", shift_degree=690.0)(good_network())) == []
    assert check_network(put("transformers", "B", shift_degree=-360.0)(good_network())) == []


@settings(deadline=None, max_examples=40)
@given(clocks=st.lists(st.integers(0, 11), min_size=SPOKES, max_size=SPOKES))
def test_only_loops_bind_vector_groups(clocks: list[int]) -> None:
    """T1 and T2 close a loop through K and R; the other units are radial and free."""
    changes = [put("transformers", f"T{k}", shift_degree=30.0 * clock) for k, clock in enumerate(clocks, start=1)]
    findings = check_network(both(*changes)(good_network()))
    assert [f.rule for f in findings] == ["network.vector_group"] * (clocks[0] != clocks[1])


@settings(deadline=None, max_examples=25)
@given(names=st.lists(st.text(min_size=1), min_size=SPOKES, max_size=SPOKES, unique=True))
def test_ids_may_be_any_text(names: list[str]) -> None:
    network = good_network()
    loads = network.loads.assign(load_id=names, p_mw=20000.0)
    findings = check_network(replace(network, loads=loads))
    # s1 and s2 are one area (line R): its finding is at one of the two
    assert {f.item for f in findings if f.severity == "error"} == {min(names[:2]), *names[2:]}


# ---------------------------------------------------------------- what pandapower does not say


def test_trap_parallel_transformers_with_different_shift_degree_converge_in_pandapower() -> None:
    from grid.pandapower_net import solve_pandapower, to_pandapower

    network = put("transformers", "B", shift_degree=30.0)(good_network())
    net = to_pandapower(network, NOON)
    assert solve_pandapower(net)
    assert net.res_trafo["loading_percent"].iloc[:2].min() > 150
    assert [f.rule for f in check_network(network) if f.severity == "error"] == ["network.parallel_shift"]


def test_trap_islanded_load_is_dropped_silently_by_pandapower() -> None:
    from grid.pandapower_net import solve_pandapower, to_pandapower

    network = drop("lines", "L6")(good_network())
    net = to_pandapower(network, NOON)
    assert solve_pandapower(net)
    assert net.load["p_mw"].sum() - net.res_load["p_mw"].sum() == pytest.approx(20.0)
    assert "20 MW of load would silently be lost" in one(drop("lines", "L6")).message


def test_trap_transformer_ratio_off_by_ten_converges_and_looks_like_a_weak_network() -> None:
    from grid.pandapower_net import solve_pandapower, to_pandapower

    network = put("transformers", "T4", vn_lv_kv=105.0)(good_network())
    net = to_pandapower(network, NOON)
    assert solve_pandapower(net)
    assert net.res_bus["vm_pu"].min() < 0.7
    assert net.res_bus["vm_pu"].max() < 1.1
    assert one(put("transformers", "T4", vn_lv_kv=105.0)).rule == "network.transformer_ratio"
