"""The outside network as one equivalent: by hand, by properties, and on the networks of real places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.contracts import BUSES, GENERATORS, INFEEDS, LINES, LOADS, STATIONS, TRANSFORMERS, Network
from grid.standards_tables import own_standards, standard_table
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
from grid.studies.short_circuit_boundary import (
    LEAST_MVA,
    all_running,
    boundary_factor,
    boundary_level_ka,
    currents_at_boundary,
    infeed_powers,
    with_boundary_level,
)
from layers.contracts import Origin

OHM_PER_KM = 0.3


def frame(table, rows):
    empty = {name: {str: "", bool: False}.get(promise.dtype, 0.0) for name, promise in table.columns.items()}
    if not rows:
        return table.empty()
    return pd.DataFrame([{**empty, **row} for row in rows], columns=list(table.columns))


def network(
    lines=((0, 1, 50.0),), shares=((0, 1.0), (1, 1.0)), machines=(), buses: int = 2, circuits: int = 1
) -> Network:
    """500 kV stations s0, s1, ... with lines (from, to, km), equivalents (station, share), machines (station, MW)."""
    stations = [
        {"station_id": f"s{k}", "name_zh": f"站{k}", "name_en": f"s{k}", "vn_kv": 500.0, "lon": 120.0 + k / 10,
         "lat": 30.0, "in_region": True, "origin": "generated"}
        for k in range(buses)
    ]  # fmt: skip
    return Network(
        name="boundary",
        stations=frame(STATIONS, stations),
        buses=frame(BUSES, [
            {"bus_id": f"s{k}/500", "station_id": f"s{k}", "vn_kv": 500.0, "vm_min_pu": 0.95, "vm_max_pu": 1.1}
            for k in range(buses)
        ]),
        lines=frame(LINES, [
            {"line_id": f"L{k}#{n}", "corridor_id": f"L{k}", "from_bus": f"s{a}/500", "to_bus": f"s{b}/500",
             "length_km": km, "x_ohm_per_km": OHM_PER_KM, "max_i_ka": 3.0, "origin": "generated"}
            for k, (a, b, km) in enumerate(lines) for n in range(circuits)
        ]),
        transformers=TRANSFORMERS.empty(),
        loads=LOADS.empty(),
        generators=frame(GENERATORS, [
            {"generator_id": f"G{k}", "bus_id": f"s{at}/500", "fuel": "coal", "p_max_mw": p, "control": "voltage",
             "vm_pu": 1.0, "origin": "mapped"}
            for k, (at, p) in enumerate(machines)
        ]),
        infeeds=frame(INFEEDS, [
            {"infeed_id": f"N{k}", "bus_id": f"s{at}/500", "vm_pu": 1.05, "slack_weight": 1 / len(shares),
             "s_sc_mva": share}
            for k, (at, share) in enumerate(shares)
        ]),
        origin=Origin.GENERATED,
        assumptions=(),
    )  # fmt: skip


def ikss(net: Network) -> pd.Series:
    options = ShortCircuitOptions(engine="matrix", infeed_s_sc_mva=infeed_powers(net))
    return run_short_circuit(all_running(net), options).buses.set_index("name")["ikss_3ph_ka"]


def test_one_equivalent_alone_has_the_level_by_hand():
    """No machine inside: S"k = sqrt(3) 500 kV 50 kA = 43 301 MVA."""
    found = with_boundary_level(network(shares=((0, 7.0),)))
    assert found.network.infeeds["s_sc_mva"].tolist() == pytest.approx([np.sqrt(3) * 500 * 50], abs=0.1)
    assert found.total_ka == pytest.approx([50.0])
    assert found.inside_ka == pytest.approx([0.0], abs=1e-3)


def test_two_equivalents_of_one_outside_by_hand():
    """Equal admittances y at both ends of X = 50 km x 0.3 ohm/km = 15 ohm, all reactance. Either end sees its own and
    the other behind the line: y + y / (1 + 15 y) = sqrt(3) I / (c U) = sqrt(3) 50 / (1.1 x 500) = 0.15746 = T, so
    15 y^2 + (2 - 15 T) y - T = 0 and y = 0.1152 per ohm; S"k = c U^2 y."""
    total = np.sqrt(3) * 50 / (1.1 * 500)
    b = 2 - 15 * total
    y = (-b + np.sqrt(b**2 + 4 * 15 * total)) / 30
    found = with_boundary_level(network())
    assert found.total_ka == pytest.approx([50.0, 50.0])
    # the equivalent's R/X of 0.1 turns its impedance by 6 degrees against the line's
    assert found.network.infeeds["s_sc_mva"].to_numpy() == pytest.approx(1.1 * 500**2 * y, rel=5e-3)


def test_machines_inside_take_their_part_of_the_level():
    """A level is one of the whole bus: what the machine gives is taken off the equivalent."""
    alone, beside = (with_boundary_level(network(shares=((0, 1.0),), machines=m)) for m in ((), ((0, 3000.0),)))
    assert beside.total_ka == pytest.approx([50.0])
    assert beside.inside_ka[0] > 5
    power = [found.network.infeeds["s_sc_mva"].iloc[0] for found in (alone, beside)]
    by_machine = np.sqrt(3) * 500 * beside.inside_ka[0]
    assert power[0] - power[1] == pytest.approx(by_machine, rel=0.01)


def test_machines_that_reach_the_level_alone_leave_the_least():
    found = with_boundary_level(network(machines=((0, 60_000.0),)))
    assert found.network.infeeds["s_sc_mva"].tolist() == [LEAST_MVA, LEAST_MVA]
    assert found.inside_ka[0] > 50


def test_cutting_a_station_at_more_lines_does_not_strengthen_the_outside():
    """Ten stations side by side, 1 km apart: their sum is the one outside, not ten times 50 kA."""
    chain = tuple((k, k + 1, 1.0) for k in range(9))
    many = with_boundary_level(network(chain, tuple((k, 1.0) for k in range(10)), buses=10))
    assert many.total_ka.max() == pytest.approx(50.0)
    assert many.network.infeeds["s_sc_mva"].sum() < 1.1 * np.sqrt(3) * 500 * 50


def test_two_equivalents_of_one_bus_count_as_one():
    one, two = (with_boundary_level(network(shares=s)) for s in (((0, 2.0),), ((0, 1.0), (0, 1.0))))
    assert two.network.infeeds["s_sc_mva"].sum() == pytest.approx(one.network.infeeds["s_sc_mva"].sum(), rel=1e-4)


def test_load_flow_data_stay():
    before = network(shares=((0, 2.0), (1, 1.0)))
    after = with_boundary_level(before).network
    pd.testing.assert_frame_equal(after.infeeds.drop(columns="s_sc_mva"), before.infeeds.drop(columns="s_sc_mva"))
    ratio = after.infeeds["s_sc_mva"].to_numpy()
    assert ratio[0] / ratio[1] == pytest.approx(2.0, rel=1e-4)


def test_level_is_the_row_of_the_nearest_voltage_and_a_study_may_have_its_own(tmp_path):
    table = standard_table("boundary_levels").set_index("vn_kv")
    breakers = standard_table("short_circuit").set_index("vn_kv")["limit_high_ka"]
    assert boundary_level_ka(525.0) == table.loc[500, "level_ka"]
    assert boundary_level_ka(230.0) == table.loc[220, "level_ka"]
    assert (table["level_ka"] < breakers.loc[table.index]).all()
    assert table["level_ka"].between(table["level_low_ka"], table["level_high_ka"]).all()
    own = table.reset_index().query("vn_kv == 500").assign(level_ka=42.0, source="dispatcher's list")
    own.to_csv(tmp_path / "boundary_levels.csv", index=False)
    with own_standards(tmp_path):
        assert with_boundary_level(network()).total_ka.max() == pytest.approx(42.0)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 7))
def test_boundary_is_at_most_at_its_level_and_more_infeed_never_lowers_a_current(seed, count):
    rng = np.random.default_rng(seed)
    lines = [(int(rng.integers(0, k)), k, float(rng.uniform(5, 120))) for k in range(1, count)]
    shares = [(int(k), float(rng.uniform(0.3, 2))) for k in rng.permutation(count)[: rng.integers(1, count + 1)]]
    machines = [(int(rng.integers(0, count)), float(rng.uniform(100, 3000)))] if seed % 2 else []
    found = with_boundary_level(network(lines, shares, machines, buses=count))
    now = ikss(found.network)
    assert now.loc[found.network.infeeds["bus_id"]].to_numpy() == pytest.approx(found.total_ka, rel=1e-4)
    assert found.total_ka.max() == pytest.approx(50.0, rel=1e-6)
    row = int(rng.integers(len(shares)))
    infeeds = found.network.infeeds.copy()
    infeeds.loc[row, "s_sc_mva"] *= 1.3
    assert (ikss(replace(found.network, infeeds=infeeds)) >= now - 1e-9).all()


def test_factor_scales_and_stops_at_the_first_bus():
    """Two buses apart (1 and 2 pu inside), equal shares of 1 pu, at most 4 pu: the second stops at s = 2."""
    inside = np.diag([1.0 + 0j, 2.0 + 0j])
    shares = np.ones(2, dtype=complex)
    assert boundary_factor(inside, shares, np.array([4.0, 4.0])) == pytest.approx(2.0)
    assert currents_at_boundary(inside, 2 * shares) == pytest.approx([3.0, 4.0])
    assert boundary_factor(inside, shares, np.array([4.0, 1.5])) == 0.0
