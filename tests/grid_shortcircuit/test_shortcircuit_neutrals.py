"""Terminals of machines, earthed and isolated neutrals, sections of low buses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shortcircuit_cases import ENGINES, C, close, currents, infeed_and_line, machine_behind_transformer

from grid.model.contracts import Source, make_case
from grid.standards_tables import own_standards, standard_table
from grid.studies.short_circuit import ShortCircuitOptions
from grid.studies.short_circuit_assumptions import fault_rules
from grid.studies.short_circuit_data import fault_data

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)


def test_machine_that_only_a_unit_joins_is_at_its_terminals():
    """One base voltage for all buses: no second step-up transformer, no earth, no breaker of the level."""
    case = machine_behind_transformer()
    same = replace(case, buses=case.buses.assign(vn_kv=220.0))
    data = fault_data(same)
    assert data.zero_kind.tolist() == ["earthed_from", "line"]
    rules = {f.rule for f in data.findings}
    assert "short_circuit.terminals" in rules
    assert "short_circuit.step_up" not in rules
    close(currents(same).loc[1, "ikss_3ph_ka"], currents(case).loc[1, "ikss_3ph_ka"])
    assert np.isnan(currents(same).loc[2, "breaker_ka"])


def load_station(hv: float, plant: bool, units: int = 1):
    """::

    infeed 1 o----[ 20 km ]----o 2 ==[ units, 50 MVA, 10.5 % ]== o 3 (10 kV), with or without a plant
    """
    case = infeed_and_line()
    return make_case(
        "station", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3], "vn_kv": [hv, hv, 10.0], "kind": ["ref", "pq", "pq"]},
            "generators": {"generator_id": ["Q1", "P"], "bus_id": [1, 3], "p_mw": [0.0, 20.0], "vm_pu": [1.0, np.nan],
                           "fuel": ["infeed", "pv"], "control": ["voltage", "power"], "in_service": [True, plant],
                           "sn_mva": [np.nan, 20.0]},
            "branches": {
                "branch_id": ["L", *(f"T{k}" for k in range(units))], "kind": ["line"] + ["transformer"] * units,
                "from_bus": [1] + [2] * units, "to_bus": [2] + [3] * units,
                "r_pu": [case.branches["r_pu"].iloc[0]] + [0.005] * units,
                "x_pu": [case.branches["x_pu"].iloc[0]] + [0.21] * units, "rating_a_mva": [80.0] + [50.0] * units,
                "length_km": [20.0] + [np.nan] * units,
            },
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hv", "plant", "kind"),
    [
        (110.0, False, "open"),
        (110.0, True, "earthed_from"),
        (220.0, False, "earthed_from"),
        (220.0, True, "earthed_from"),
        (66.0, True, "open"),
    ],
)
def test_neutral_of_a_load_station(hv, plant, kind):
    """110 kV neutrals of load stations are isolated: the single-phase current at bus 2 then comes by the line alone."""
    data = fault_data(load_station(hv, plant))
    assert data.zero_kind.tolist() == ["line", kind]
    told = {f.rule for f in data.findings}
    assert ("short_circuit.neutral_isolated" in told) == (hv == 110.0 and not plant)
    for engine in ENGINES:
        assert np.isnan(currents(load_station(hv, plant), engine).loc[3, "ikss_1ph_ka"])
    by_line = currents(load_station(110.0, False)).loc[2, "ikss_1ph_ka"]
    close(by_line, currents(load_station(110.0, False), "pandapower").loc[2, "ikss_1ph_ka"])
    assert by_line < currents(load_station(110.0, True)).loc[2, "ikss_1ph_ka"]


def test_sections_of_a_low_voltage_bus_get_no_margin():
    """Two units on one 10 kV bus: their common current is told, but graded only with a breaker that is given."""
    one, two = (currents(load_station(110.0, False, n)) for n in (1, 2))
    assert two.loc[3, "ikss_3ph_ka"] > 1.5 * one.loc[3, "ikss_3ph_ka"]
    assert one.loc[3, "breaker_ka"] == 25
    assert np.isnan(two.loc[3, "breaker_ka"])
    assert two.loc[3, "grade"] == "unknown"
    assert currents(load_station(110.0, False, 2), breaker_ka={3: 20.0}).loc[3, "grade"] == "red"
    rules = [f.rule for f in fault_data(load_station(110.0, False, 2)).findings]
    assert "short_circuit.sections" in rules


def feeding_station(units: int, hv: float = 220.0, lv: float = 110.0, ratings=(240.0, 180.0, 180.0)):
    """::

    infeed 2000 MVA 1 o ==[ units, 14 % of 240 MVA each ]== o 2
    """
    return make_case(
        "feeding", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2], "vn_kv": [hv, lv], "kind": ["ref", "pq"]},
            "generators": {"generator_id": ["Q"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0], "fuel": ["infeed"]},
            "branches": {
                "branch_id": [f"T{k}" for k in range(units)], "kind": ["transformer"] * units,
                "from_bus": [1] * units, "to_bus": [2] * units, "x_pu": [0.14 / 2.4] * units,
                "r_pu": [0.0] * units, "rating_a_mva": list(ratings[:units]),
            },
        },
    )  # fmt: skip


def test_one_of_parallel_units_is_earthed_the_largest():
    data = fault_data(feeding_station(3, ratings=(180.0, 240.0, 180.0)))
    assert data.zero_kind.tolist() == ["open", "delta", "open"]
    told = {f.rule: f for f in data.findings}
    assert told["short_circuit.neutral_one_unit"].item == "T0, T2"
    assert "T0" not in told["short_circuit.vector_group_delta"].item


def test_single_phase_current_behind_parallel_units_by_hand():
    """3ph sees both units, the zero sequence one: T of the earthed unit (high side 95 %, delta behind 60 % of uk),
    Z0 = z_l + (Z0_Q + z_h) z_d / (Z0_Q + z_h + z_d), and I"k1 = 3 c / |2 Z1 + Z0|."""
    case, rules = feeding_station(2), fault_rules()
    infeed = {"infeed_s_sc_mva": {"Q": 2000.0}}
    data = fault_data(case, ShortCircuitOptions(**infeed))
    z_unit, z_q = data.z1_pu[0], 1 / data.sources.y1_pu[0]
    x_0 = rules["transformer_x0_over_x1"] * z_unit
    z_d = 1j * rules["delta_x_low"] * rules["transformer_x0_over_x1"] * data.leakage_pu[0].imag
    high = 1 / data.sources.y0_pu[0] + rules["delta_hv_share"] * x_0
    z_1 = z_q + 1 / (1 / data.z1_pu[0] + 1 / data.z1_pu[1])
    z_0 = (1 - rules["delta_hv_share"]) * x_0 + high * z_d / (high + z_d)
    base = 100 / (np.sqrt(3) * 110)
    for engine in ENGINES:
        row = currents(case, engine, **infeed).loc[2]
        close(row["ikss_3ph_ka"], C / abs(z_1) * base)
        close(row["ikss_1ph_ka"], 3 * C / abs(2 * z_1 + z_0) * base)


def test_a_study_may_earth_every_unit_and_bulk_units_always_are(tmp_path):
    row = standard_table("short_circuit_rules").query("rule == 'earthed_units'")
    row.assign(value=9, source="a dispatcher").to_csv(tmp_path / "short_circuit_rules.csv", index=False)
    one = currents(feeding_station(3))
    with own_standards(tmp_path):
        assert fault_data(feeding_station(3)).zero_kind.tolist() == ["delta"] * 3
        every = currents(feeding_station(3))
    assert (every["ikss_1ph_ka"] > one["ikss_1ph_ka"]).all()
    close(every["ikss_3ph_ka"], one["ikss_3ph_ka"])
    assert fault_data(feeding_station(3, 500.0, 220.0)).zero_kind.tolist() == ["delta"] * 3


def test_one_of_parallel_three_winding_units_is_earthed():
    three = {
        "transformer_id": ["W1", "W2"], "bus_1": [1, 1], "bus_2": [2, 2], "bus_3": [3, 3],
        **{f"r_{pair}_pu": [0.0, 0.0] for pair in ("12", "23", "31")},
        "x_12_pu": [0.07, 0.07], "x_23_pu": [0.04, 0.04], "x_31_pu": [0.12, 0.12],
        **{f"rating_{k}_mva": [180.0, 180.0] for k in (1, 2, 3)},
    }  # fmt: skip
    case = make_case(
        "three", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3], "vn_kv": [220.0, 110.0, 10.0], "kind": ["ref", "pq", "pq"]},
            "generators": {"generator_id": ["Q"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0], "fuel": ["infeed"]},
            "three_winding": three,
        },
    )  # fmt: skip
    assert fault_data(case).zero_kind.tolist() == ["through", "through", "earthed_to", "open", "open", "open"]
    ours, theirs = (currents(case, engine) for engine in ENGINES[::-1])
    for name in ("ikss_3ph_ka", "ikss_1ph_ka"):
        close(ours[name], theirs[name])
