"""Figures of small networks, counted by hand on the drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.model.contracts import Source, make_case
from grid.model.pandapower_import import from_pandapower
from grid.readers.formats import read_case
from grid.reference.statistics import (
    Skeleton,
    bridges,
    level_statistics,
    network_statistics,
    skeleton_of_case,
    skeleton_of_network,
)
from layers.contracts import Origin


def drawn():
    """::

    220 kV   1 ===== 2 ----- 3 (60 km)      two circuits of 30 km, one of 40 km from 2 to 3, 4 hangs on 3
             |       |       |
             T 120   T 180   T 90 to 20 kV machine (5), no load behind it
             |       |
    110 kV   6 ----- 7 ----- 8              20 km, 10 km
            load 50+j20    load 30+j10      load at 4 (220 kV): 20+j0
    """
    lines = [(1, 2, 30.0), (1, 2, 30.0), (2, 3, 40.0), (3, 4, 60.0), (6, 7, 20.0), (7, 8, 10.0)]
    units = [(1, 6, 120.0), (2, 7, 180.0), (3, 5, 90.0)]
    f, t, km = zip(*lines, strict=True)
    a, b, mva = zip(*units, strict=True)
    return make_case(
        "drawn", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3, 4, 5, 6, 7, 8, 9], "vn_kv": [220.0] * 4 + [20.0] + [110.0] * 3 + [220.0],
                      "kind": ["ref"] + ["pq"] * 8},
            "loads": {"load_id": ["a", "b", "c"], "bus_id": [6, 8, 4], "p_mw": [50.0, 30.0, 20.0],
                      "q_mvar": [20.0, 10.0, 0.0]},
            "generators": {"generator_id": ["S", "G"], "bus_id": [1, 5], "p_mw": [0.0, 50.0], "vm_pu": [1.0, 1.0]},
            "branches": {
                "branch_id": [f"B{k}" for k in range(9)], "kind": ["line"] * 6 + ["transformer"] * 3,
                "from_bus": [*f, *a], "to_bus": [*t, *b], "r_pu": [0.01] * 4 + [0.03] * 2 + [0.001] * 3,
                "x_pu": [0.1] * 9, "length_km": [*km, np.nan, np.nan, np.nan],
                "rating_a_mva": [300.0] * 6 + [*mva],
            },
        },
    )  # fmt: skip


def test_whole_network_by_hand():
    """Nine circuits and units; six lines on five corridors, 190 km; load 100 + j30. Neighbours: 8 pairs over 8 buses
    (bus 9 hangs on nothing). The ring 1-2-7-6 has no bridge: 2-3, 3-4, 7-8 and the machine's unit split, 4 of 9."""
    row = network_statistics([skeleton_of_case(drawn())]).iloc[0]
    assert row["buses"] == 8
    assert row["load_mva"] == pytest.approx(np.hypot(100, 30))
    assert row["line_km"] == pytest.approx(190)
    assert row["line_km_per_mva"] == pytest.approx(190 / np.hypot(100, 30))
    assert row["mean_degree"] == pytest.approx(2 * 8 / 8)
    assert row["bridge_share"] == pytest.approx(4 / 9)
    assert row["circuits_per_corridor"] == pytest.approx(6 / 5)
    assert row["r_over_x"] == pytest.approx(0.1)


def test_levels_by_hand():
    """220 kV supplies 80 + j30 with 300 MVA: the machine's step-up unit does not count. 110 kV has no units down."""
    table = level_statistics([skeleton_of_case(drawn())]).set_index("vn_kv")
    assert table.index.tolist() == [220, 110, 20]
    high, low = table.loc[220], table.loc[110]
    assert (high["buses"], high["circuits"], high["line_km"]) == (4, 4, 160)
    assert high["mean_line_km"] == pytest.approx(40)
    assert high["circuits_per_corridor"] == pytest.approx(4 / 3)
    assert high["mean_degree"] == pytest.approx(2 * 3 / 4)
    assert high["transformer_mva"] == 300
    assert high["supplied_mva"] == pytest.approx(np.hypot(80, 30))
    assert high["capacity_load_ratio"] == pytest.approx(300 / np.hypot(80, 30))
    assert (low["circuits"], low["transformer_mva"]) == (2, 0)
    assert low["r_over_x"] == pytest.approx(0.3)
    assert np.isnan(low["capacity_load_ratio"])
    kept = level_statistics([skeleton_of_case(drawn())], least_circuits=1)
    assert kept["vn_kv"].tolist() == [220, 110]


def test_a_tie_joins_its_buses_and_unknown_lengths_are_not_zero():
    """A closed tie 8-6 makes a ring of 6-7-8: three bridges are left, its ends count as one bus."""
    case = drawn()
    tie = case.branches.iloc[[4]].assign(branch_id="tie", from_bus=8, to_bus=6, r_pu=0.0, x_pu=0.0, length_km=np.nan)
    joined = replace(case, branches=pd.concat([case.branches, tie], ignore_index=True))
    row = network_statistics([skeleton_of_case(joined)]).iloc[0]
    assert row["buses"] == 7
    assert row["bridge_share"] == pytest.approx(3 / 9)
    assert row["circuits_per_corridor"] == pytest.approx(6 / 4)
    blind = replace(case, branches=case.branches.assign(length_km=np.nan))
    row = network_statistics([skeleton_of_case(blind)]).iloc[0]
    assert np.isnan(row["line_km"])
    assert np.isnan(row["line_km_per_mva"])


def test_out_of_service_and_isolated_do_not_count():
    case = drawn()
    off = replace(
        case,
        branches=case.branches.assign(in_service=case.branches["branch_id"] != "B0"),
        buses=case.buses.assign(kind=np.where(case.buses["bus_id"] == 4, "isolated", case.buses["kind"])),
    )
    row = network_statistics([skeleton_of_case(off)]).iloc[0]
    assert row["buses"] == 7
    assert row["line_km"] == pytest.approx(190 - 30 - 60)
    assert row["circuits_per_corridor"] == 1


def test_three_winding_unit_counts_once():
    """220/110/10 kV of 180 MVA, load at 110 kV: installed 180, three buses that are neighbours, legs no buses."""
    import pandapower as pp

    net = pp.create_empty_network(sn_mva=100.0)
    hv, mv, lv = (pp.create_bus(net, v) for v in (220.0, 110.0, 10.0))
    pp.create_ext_grid(net, hv)
    pp.create_load(net, mv, p_mw=90.0)
    pp.create_transformer3w_from_parameters(
        net, hv, mv, lv, 220, 110, 10, 180, 180, 90, 14, 8, 11.5, 0.3, 0.25, 0.28, 30, 0.1
    )
    skeleton = skeleton_of_case(from_pandapower(net))
    row = network_statistics([skeleton]).iloc[0]
    assert row["buses"] == 3
    assert row["mean_degree"] == pytest.approx(2)
    assert bridges(skeleton).sum() == 2
    table = level_statistics([skeleton]).set_index("vn_kv")
    assert table.loc[220, "capacity_load_ratio"] == pytest.approx(180 / 90)
    assert np.isnan(table.loc[110, "capacity_load_ratio"])


def test_network_tables_and_their_case_have_the_same_figures():
    """Planning tables and the bus-branch case made of them; a mapped-only skeleton keeps mapped branches."""

    from grid.contracts import Case
    from grid.model.planning import from_network
    from grid.reference_network import NamedStation, ReferenceGridSpec, build_reference_network

    rng = np.random.default_rng(1)
    points = pd.DataFrame(
        {"lon": 116 + rng.random(30) * 0.5, "lat": 33 + rng.random(30) * 0.5, "p_mw": 10.0, "district_code": "1"}
    )
    stations = (
        NamedStation("外", "Outside", 500, status="outside", source="t"),
        NamedStation("内", "Inside", 500, "1", source="t"),
    )
    network = build_reference_network(ReferenceGridSpec("small", 300.0, stations, (), (("1", "县", "County"),)), points)
    by_tables = skeleton_of_network(network)
    case = from_network(network, Case("peak", "", "", 1.0, 0.0, 0.0))
    by_case = replace(skeleton_of_case(case), name=network.name)
    a, b = network_statistics([by_tables]), network_statistics([by_case])
    np.testing.assert_allclose(a.iloc[0, 1:].astype(float), b.iloc[0, 1:].astype(float), rtol=1e-9)
    c, d = level_statistics([by_tables]), level_statistics([by_case])
    np.testing.assert_allclose(c.iloc[:, 1:].astype(float), d.iloc[:, 1:].astype(float), rtol=1e-9)
    assert c.loc[c["vn_kv"] == 220, "capacity_load_ratio"].between(1.4, 4).all()
    assert a["bridge_share"].iloc[0] < 0.2
    none = skeleton_of_network(network, Origin.MAPPED)
    assert len(none.f) == int((network.lines["origin"] == Origin.MAPPED).sum())


def test_an_empty_network_has_no_figures():
    none = np.zeros(0)
    empty = Skeleton(
        "empty", np.array([110.0]), np.zeros(1, complex), np.zeros(1, bool), np.zeros(1, bool),
        none.astype(int), none.astype(int),
        none.astype(bool), none.astype(bool), none, none, none,
    )  # fmt: skip
    row = network_statistics([empty]).iloc[0]
    assert row["buses"] == 0
    assert np.isnan(row["mean_degree"])
    assert np.isnan(row["bridge_share"])


@pytest.mark.real_data
def test_real_networks_lie_where_they_are_known_to(real_data):
    """RTS-GMLC: 73 buses, 105 lines and 15 units (its paper); SciGRID: 585 buses, 96 units."""
    found = [skeleton_of_case(read_case(real_data / name)) for name in ("grid-rts-gmlc", "grid-scigrid-de")]
    table = network_statistics(found)
    assert table["buses"].tolist() == [73, 585]
    assert int((~found[0].line).sum()) == 16
    assert table["mean_degree"].between(2, 4).all()
    assert table["circuits_per_corridor"].between(1, 2).all()
    assert table["r_over_x"].between(0.05, 0.4).all()
    assert (table["line_km_per_mva"] > 0).all()
    for name, skeleton in zip(("rts", "scigrid"), found, strict=True):
        assert bridges(skeleton).mean() < 0.25, name
