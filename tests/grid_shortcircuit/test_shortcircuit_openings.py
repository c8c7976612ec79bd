"""Lines to open so that breakers suffice: by hand, against the currents computed again, and what is never opened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.contracts import BUSES, GENERATORS, INFEEDS, LINES, LOADS, STATIONS, TRANSFORMERS, Case, Network
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
from grid.studies.short_circuit_boundary import all_running, infeed_powers
from grid.studies.short_circuit_data import fault_data
from grid.studies.short_circuit_openings import OPENINGS, Proof, _corridors, _excess_left, _State, find_openings
from layers.contracts import Origin

PEAK = (Case("peak", "高峰", "Peak", 1.0, 0.0, 0.0, ()),)


def rows(table, entries):
    empty = {name: {str: "", bool: False}.get(promise.dtype, 0.0) for name, promise in table.columns.items()}
    return pd.DataFrame([{**empty, **entry} for entry in entries], columns=list(table.columns))


def two_feeds(vn_kv: float = 110.0, circuits: int = 1, s_sc=(5000.0, 5000.0), load_mw: float = 40.0, km: float = 5.0):
    """::

    infeed a o==[ km ]==o c ==[ km ]==o b infeed       c: load
           a o----[ 2000 km: holds the parts together ]----o b        b: balances the load
    """
    names = ("a", "b", "c")
    return Network(
        name="two feeds",
        stations=rows(STATIONS, [
            {"station_id": s, "name_zh": f"站{s}", "name_en": f"Station {s}", "vn_kv": vn_kv, "lon": 116.0, "lat": 33.0,
             "in_region": True, "origin": "generated"} for s in names
        ]),
        buses=rows(BUSES, [
            {"bus_id": f"{s}/{vn_kv:g}", "station_id": s, "vn_kv": vn_kv, "vm_min_pu": 0.9, "vm_max_pu": 1.1}
            for s in names
        ]),
        lines=rows(LINES, [
            {"line_id": f"{s}c#{n}", "corridor_id": f"{s}c", "from_bus": f"{s}/{vn_kv:g}", "to_bus": f"c/{vn_kv:g}",
             "length_km": km, "r_ohm_per_km": 0.04, "x_ohm_per_km": 0.4, "max_i_ka": 0.6, "origin": "generated"}
            for s in ("a", "b") for n in range(circuits)
        ] + [
            {"line_id": f"ab#{n}", "corridor_id": "ab", "from_bus": f"a/{vn_kv:g}", "to_bus": f"b/{vn_kv:g}",
             "length_km": 2000.0, "x_ohm_per_km": 0.4, "max_i_ka": 0.6, "origin": "generated"}
            for n in range(circuits)
        ]),
        transformers=TRANSFORMERS.empty(),
        loads=rows(LOADS, [{"load_id": "c", "bus_id": f"c/{vn_kv:g}", "p_mw": load_mw, "q_mvar": load_mw / 5}]),
        generators=GENERATORS.empty(),
        infeeds=rows(INFEEDS, [
            {"infeed_id": s, "bus_id": f"{s}/{vn_kv:g}", "vm_pu": 1.0, "slack_weight": weight, "s_sc_mva": power}
            for s, power, weight in zip(("a", "b"), s_sc, (0.0, 1.0), strict=True)
        ]),
        origin=Origin.GENERATED,
        assumptions=(),
    )  # fmt: skip


def worst(network: Network) -> pd.Series:
    options = ShortCircuitOptions(engine="matrix", infeed_s_sc_mva=infeed_powers(network))
    buses = run_short_circuit(all_running(network), options).buses.set_index("name")
    return buses[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1)


def opened(network: Network, corridors) -> Network:
    return replace(network, lines=network.lines[~network.lines["corridor_id"].isin(corridors)].reset_index(drop=True))


def test_opening_one_of_two_feeds_by_hand():
    """7000 MVA at a give 7000 / (sqrt3 110) = 36.74 kA, below the 38 kA of red; b behind 2 x 2 ohm adds to it. Without
    the line the long one adds c U / (sqrt3 (800 + c U^2 / 2000)) = 69.9 / 806.7 = 0.087 kA."""
    network = two_feeds(s_sc=(7000.0, 2000.0))
    found = find_openings(network, ["a/110", "b/110", "c/110"], PEAK)
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["bus_id"], row["fault"], row["limit_ka"]) == ("a/110", "3ph", pytest.approx(38.0))
    assert row["before_ka"] == pytest.approx(worst(network)["a/110"])
    assert row["before_ka"] > 38
    assert row["after_ka"] == pytest.approx(7000 / (np.sqrt(3) * 110) + 0.087, rel=1e-3)
    assert (row["beyond_before"], row["beyond_after"]) == (1, 0)
    assert (row["circuits"], row["supply"]) == (1, "back_feed")
    assert row["name_en"] in ("Station a – Station c", "Station b – Station c")


def test_figures_are_those_of_the_network_without_the_lines():
    network = two_feeds(circuits=2, s_sc=(7000.0, 2000.0), km=3.0)
    found = find_openings(network, ["a/110", "b/110", "c/110"], PEAK)
    assert found["circuits"].tolist() == [2]
    assert found["supply"].tolist() == ["two_paths"]
    after = worst(opened(network, found["corridor_id"]))
    assert found["after_ka"].iloc[0] == pytest.approx(after[found["bus_id"].iloc[0]])


def test_a_network_below_its_breakers_stays_closed():
    found = find_openings(two_feeds(s_sc=(2000.0, 2000.0)), ["a/110", "b/110", "c/110"], PEAK)
    assert list(found.columns) == list(OPENINGS.columns)
    assert found.empty


def test_220_kv_keeps_two_paths_where_110_kv_may_rely_on_back_feed():
    """16 500 MVA at a: 43.3 kA alone, with b beyond 47.5. One circuit each: opening one leaves c on a single line."""
    closed = two_feeds(220.0, 1, (16_500.0, 4000.0))
    assert worst(closed)["a/220"] > 47.5
    assert find_openings(closed, ["a/220"], PEAK).empty
    double = two_feeds(220.0, 2, (16_500.0, 4000.0))
    assert find_openings(double, ["a/220"], PEAK)["supply"].tolist() == ["two_paths"]


def test_an_opening_that_overloads_is_none():
    """0.6 kA at 110 kV carry 114 MVA: 150 MW at c need both lines."""
    assert find_openings(two_feeds(s_sc=(7000.0, 2000.0), load_mw=150.0), ["a/110"], PEAK).empty
    within = find_openings(two_feeds(s_sc=(7000.0, 2000.0), load_mw=100.0), ["a/110"], PEAK)
    assert 80 < within["loading_percent"].iloc[0] <= 100


def test_the_only_line_to_a_load_is_not_opened():
    network = two_feeds(s_sc=(9000.0, 2000.0))
    radial = opened(network, ["bc"])
    assert worst(radial)["a/110"] > 38
    assert find_openings(radial, ["a/110"], PEAK).empty


def test_buses_that_do_not_count_open_nothing():
    network = two_feeds(s_sc=(7000.0, 2000.0))
    assert find_openings(network, ["b/110"], PEAK).empty
    assert find_openings(network, [], PEAK).empty
    assert find_openings(network, ["a/110"], PEAK, most=0).empty


def test_estimates_that_rank_are_the_currents_without_the_line():
    """Sherman-Morrison against a new factorisation, for every corridor; a plant's converters count in both."""
    network = two_feeds(s_sc=(9000.0, 6000.0))
    plant = {"generator_id": "W", "bus_id": "a/110", "fuel": "wind", "p_max_mw": 300.0, "control": "power", "vm_pu": 1,
             "origin": "mapped"}  # fmt: skip
    network = replace(network, generators=rows(GENERATORS, [plant]))
    data = fault_data(all_running(network), ShortCircuitOptions(infeed_s_sc_mva=infeed_powers(network)))
    at, proof = np.array([0, 1]), Proof(True, 0.0, 0.0, 0)
    state = _State(network, data, at, 0.95 * data.breaker_ka[at], proof)
    corridors = _corridors(state)
    after = [state.opened(c, proof, opened(network, [c.corridor_id])) for c in corridors]
    exact = [state.excess(one.worst) for one in after]
    assert exact[0] < state.excess(state.worst)
    assert _excess_left(state, corridors) == pytest.approx(exact, abs=0.01)
