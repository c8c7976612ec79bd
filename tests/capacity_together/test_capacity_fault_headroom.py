"""Short-circuit headroom in MW: closed forms, the study run again with the plant in it, and never free capacity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.capacity.fault_headroom import NewConverter, fault_headroom
from grid.model.contracts import CASE_GENERATORS, BusBranch, Source, fill, make_case
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit, short_circuit_headroom
from layers.contracts import InputError

SQRT3 = np.sqrt(3)


def chain(sn_mva: float | None = None) -> BusBranch:
    """::

    infeed  1 o----[ j0.1 pu ]----o 2----[ j0.2 pu ]----o 3        110 kV, 100 MVA base
    """
    return make_case(
        "chain", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3], "vn_kv": [110.0] * 3, "kind": ["ref", "pq", "pq"]},
            "generators": {"generator_id": ["Q"], "bus_id": [1], "p_mw": [0.0], "fuel": ["infeed"], "vm_pu": [1.0],
                           "sn_mva": [np.nan if sn_mva is None else sn_mva]},
            "branches": {"branch_id": ["1-2", "2-3"], "kind": "line", "from_bus": [1, 2], "to_bus": [2, 3],
                         "r_pu": [0.0, 0.0], "x_pu": [0.1, 0.2]},
        },
    )  # fmt: skip


def random_case(seed: int, n: int = 7) -> BusBranch:
    """A random 110 kV network: an infeed, two machines, one converter."""
    rng = np.random.default_rng(seed)
    pairs = [(int(rng.integers(0, k)), k) for k in range(1, n)] + [(0, n - 1), (1, n - 2)]
    m = len(pairs)
    return make_case(
        "random", 100.0, Source("test"),
        {
            "buses": {"bus_id": np.arange(1, n + 1), "vn_kv": [110.0] * n, "kind": ["ref"] + ["pq"] * (n - 1)},
            "generators": {"generator_id": ["Q", "H", "G", "W"], "bus_id": [1, *rng.integers(2, n + 1, 3).tolist()],
                           "p_mw": [0.0, 60.0, 40.0, 50.0], "sn_mva": [np.nan, 120.0, 80.0, 60.0],
                           "fuel": ["infeed", "hydro", "gas", "wind"], "vm_pu": 1.0},
            "branches": {"branch_id": [f"B{k}" for k in range(m)], "kind": "line",
                         "from_bus": [a + 1 for a, _ in pairs], "to_bus": [b + 1 for _, b in pairs],
                         "r_pu": rng.uniform(0.002, 0.02, m), "x_pu": rng.uniform(0.02, 0.12, m),
                         "length_km": rng.uniform(5, 40, m)},
        },
    )  # fmt: skip


def with_plant(case: BusBranch, bus: int, sn_mva: float, p_mw: float) -> BusBranch:
    new = fill(CASE_GENERATORS, {"generator_id": ["new"], "bus_id": [bus], "p_mw": [p_mw], "sn_mva": [sn_mva],
                                 "fuel": ["pv"], "control": "power"})  # fmt: skip
    return replace(case, generators=pd.concat([case.generators, new], ignore_index=True))


KNOWN = {"infeed_s_sc_mva": {"Q": 2000.0}}


def test_closed_form_of_a_chain():
    """Z_Q = 1.1 x 100 / 2000 = 0.055 pu at R/X 0.1. A plant at bus 3 raises bus 1's current by Z_11/Z_11 = 1 times its
    own: I = k P / (0.95 sqrt3 110). Breaker 11.4 kA at bus 1 (present 2000 / (sqrt3 110) = 10.497 kA), 40 elsewhere:
    room 0.95 x 11.4 - 10.497 kA, whatever bus the plant is at, since all stand behind bus 1.
    """
    case = chain()
    options = ShortCircuitOptions(breaker_ka={1: 11.4}, **KNOWN)
    table = fault_headroom(case, plant=NewConverter("pv", k=1.2), options=options).set_index("bus")
    room = 0.95 * 11.4 - 2000 / (SQRT3 * 110)
    assert table["binding_bus"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(table["headroom_mw"], room * SQRT3 * 110 / 1.2 * 0.95, rtol=1e-9)
    np.testing.assert_allclose(table["margin_ka"], room, rtol=1e-9)
    assert table.loc[3, "rule"] == 'I"k <= 0.95 x 11.4 kA at 110 kV (as given)'
    assert set(table["status"]) == {"limited"}


def test_level_margin_and_rule_of_the_planning_table():
    """No rating given: 40 kA of the 110 kV level, confidence B; k of wind 1.3, confidence C."""
    row = fault_headroom(chain(), [2], NewConverter("wind"), options=ShortCircuitOptions(**KNOWN)).iloc[0]
    assert row["binding_vn_kv"] == 110
    assert row["breaker_ka"] == 40
    assert row["limit_ka"] == pytest.approx(38)
    assert row["rule"] == 'I"k <= 0.95 x 40 kA at 110 kV (planning level, confidence B)'
    assert row["confidence"] == "C"
    # a plant at bus 2 draws its whole current there; bus 1 and 2 see the same increase, bus 1 has less room
    assert row["binding_bus"] == 1
    room = 38 - 2000 / (SQRT3 * 110)
    assert row["headroom_mw"] == pytest.approx(room * SQRT3 * 110 / 1.3 * 0.95)


def test_stricter_share_and_larger_k_never_give_more():
    options = ShortCircuitOptions(**KNOWN)
    loose = fault_headroom(random_case(5), options=options)["headroom_mw"]
    for tighter in (
        fault_headroom(random_case(5), options=options, limit_share=0.9)["headroom_mw"],
        fault_headroom(random_case(5), plant=NewConverter("wind"), options=options)["headroom_mw"],
        fault_headroom(random_case(5), options=options, reach_share=0.0)["headroom_mw"],
    ):
        assert (tighter <= loose * (1 + 1e-9)).all()


def test_exceeded_before_anything_is_added():
    options = ShortCircuitOptions(breaker_ka={1: 10.0}, **KNOWN)
    row = fault_headroom(chain(), [3], options=options).iloc[0]
    assert (row["status"], row["headroom_mw"], row["binding_bus"]) == ("exceeded", 0.0, 1)
    assert row["margin_ka"] < 0


def test_a_tolerated_breaker_may_get_worse_by_its_share():
    """10.497 kA at a 10 kA breaker, beyond 9.5 kA already: 1 % of 10 kA is 0.1 kA more."""
    options = ShortCircuitOptions(breaker_ka={1: 10.0}, **KNOWN)
    row = fault_headroom(chain(), [3], NewConverter(k=1.2), worsen_share=0.01, options=options).iloc[0]
    assert row["status"] == "limited"
    assert row["headroom_mw"] == pytest.approx(0.1 * SQRT3 * 110 / 1.2 * 0.95)
    assert "beyond 0.95 x 10 kA already" in row["rule"]
    free = ShortCircuitOptions(**KNOWN)
    same = [fault_headroom(chain(), options=free, worsen_share=w)["headroom_mw"].tolist() for w in (0.0, 0.01)]
    assert same[0] == same[1]


@pytest.mark.parametrize("seed", range(5))
def test_superposition_equals_the_study_run_again(seed):
    """With the plant of the answer in the case, the named breaker stands at its limit and no other is above."""
    case = random_case(seed)
    worst = run_short_circuit(case, ShortCircuitOptions(engine="matrix", **KNOWN)).buses
    breakers = {int(b): 1.2 * float(v) for b, v in zip(worst["bus"], worst[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1),
                                                       strict=True)}  # fmt: skip
    options = ShortCircuitOptions(engine="matrix", breaker_ka=breakers, **KNOWN)
    table = fault_headroom(case, plant=NewConverter("pv", k=1.15), reach_share=0.0, options=options)
    for row in table.to_dict("records"):
        p = row["headroom_mw"]
        again = replace(options, k={"new": 1.15})
        after = run_short_circuit(with_plant(case, row["bus"], p / 0.95, p), again).buses.set_index("bus")
        assert after.loc[row["binding_bus"], f"ikss_{row['binding_fault']}_ka"] == pytest.approx(row["limit_ka"])
        loading = after[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1) / after["breaker_ka"]
        assert loading.max() <= 0.95 * (1 + 1e-9)


@pytest.mark.parametrize("engine", ["matrix", "pandapower"])
def test_superposition_equals_pandapowers_currents(engine):
    """Three-phase, both engines of the study: the binding breaker is at its limit with the plant connected."""
    case, options = random_case(11), ShortCircuitOptions(engine=engine, **KNOWN)
    row = fault_headroom(case, [4], NewConverter("pv", k=1.2), reach_share=0.0, options=options).iloc[0]
    assert row["binding_fault"] == "3ph"
    more = with_plant(case, 4, row["headroom_mw"] / 0.95, row["headroom_mw"])
    after = run_short_circuit(more, replace(options, k={"new": 1.2})).buses.set_index("bus")
    assert after.loc[row["binding_bus"], "ikss_3ph_ka"] == pytest.approx(row["limit_ka"], rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_linear_between_nothing_and_the_headroom(seed, share):
    """Superposition: a share of the headroom uses the share of the margin (no converter at the case yet)."""
    case = random_case(seed)
    case = replace(case, generators=case.generators[case.generators["fuel"] != "wind"].reset_index(drop=True))
    options = ShortCircuitOptions(engine="matrix", k={}, **KNOWN)
    row = fault_headroom(case, [3], NewConverter("pv", k=1.2), options=options).iloc[0]
    sn = share * row["headroom_mw"] / 0.95
    more = with_plant(case, 3, sn, sn) if sn > 1e-6 else case
    again = replace(options, k={"new": 1.2} if sn > 1e-6 else {})
    after = run_short_circuit(more, again).buses.set_index("bus")
    current = after.loc[row["binding_bus"], f"ikss_{row['binding_fault']}_ka"]
    assert current == pytest.approx(row["present_ka"] + share * row["margin_ka"], rel=1e-6)


def test_all_buses_at_once_equal_one_by_one():
    case, options = random_case(2, n=40), ShortCircuitOptions(**KNOWN)
    table = fault_headroom(case, options=options)
    for row in table.iloc[::7].to_dict("records"):
        one = fault_headroom(case, [row["bus"]], options=options).iloc[0]
        assert one["headroom_mw"] == pytest.approx(row["headroom_mw"], rel=1e-12)
        assert one["binding_bus"] == row["binding_bus"]
    mva = short_circuit_headroom(case, k=1.15, options=options)
    np.testing.assert_allclose(mva["headroom_mva"] * 0.95, table["headroom_mw"])


# ---------------------------------------------------------------- never free capacity


def test_unknown_equivalents_are_no_headroom():
    row = fault_headroom(chain(), [2]).iloc[0]
    assert row["status"] == "unknown"
    assert np.isnan(row["headroom_mw"])
    assert row["indicative_mw"] > 0
    assert "infeed_s_sc_mva" in row["missing"]
    assert "Q" in row["missing"]
    accepted = fault_headroom(chain(), [2], accept_assumed=True).iloc[0]
    assert (accepted["status"], accepted["confidence"]) == ("limited", "C")
    assert accepted["headroom_mw"] == row["indicative_mw"]


def test_a_plant_of_unknown_rating_is_named():
    new = fill(CASE_GENERATORS, {"generator_id": ["mute"], "bus_id": [3], "p_mw": [0.0], "fuel": ["coal"],
                                 "control": "power"})  # fmt: skip
    case = replace(chain(), generators=pd.concat([chain().generators, new], ignore_index=True))
    row = fault_headroom(case, [2], options=ShortCircuitOptions(**KNOWN)).iloc[0]
    assert row["status"] == "unknown"
    assert "mute" in row["missing"]


def test_a_bus_without_source_or_breaker_is_unknown():
    case = chain()
    branches = case.branches.copy()
    branches["in_service"] = [True, False]
    dark = fault_headroom(replace(case, branches=branches), [3], options=ShortCircuitOptions(**KNOWN)).iloc[0]
    assert (dark["status"], dark["missing"]) == ("unknown", "a source that feeds the bus")
    buses = case.buses.assign(vn_kv=1.0)
    bare = fault_headroom(replace(case, buses=buses), [3], options=ShortCircuitOptions(**KNOWN)).iloc[0]
    assert bare["status"] == "unknown"
    assert "breaker_ka" in bare["missing"]
    assert bare["unrated_in_reach"] == 3


def test_bad_plants_are_refused_with_all_that_is_wrong():
    with pytest.raises(InputError) as caught:
        fault_headroom(chain(), plant=NewConverter("coal", power_factor=1.5))
    assert {f.item for f in caught.value.findings} == {"technology", "power_factor"}
    with pytest.raises(InputError):
        fault_headroom(chain(), plant=NewConverter("coal", k=-1.0))
