"""Grades, assumptions, options that fit nothing, and the table of rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shortcircuit_cases import ENGINES, close, currents, infeed_and_line, machine_behind_transformer, meshed

from grid.model.contracts import Source, make_case
from grid.standards_tables import own_standards, standard_table
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
from grid.studies.short_circuit_assumptions import fault_rules
from grid.studies.short_circuit_data import _rating
from layers.contracts import InputError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)
STEPPED = 4
"""Seed of a network with machines on the transmission level."""


@pytest.mark.parametrize(
    ("share", "grade"), [(0.5, "green"), (0.899, "green"), (0.901, "yellow"), (0.949, "yellow"), (0.951, "red")]
)
def test_grade_of_the_larger_current(share, grade):
    """Single-phase is the smaller one here, so the three-phase current decides."""
    plain = currents(infeed_and_line(), infeed_s_sc_mva={"Q1": 3000.0})
    breaker = plain.loc[1, "ikss_3ph_ka"] / share
    row = currents(infeed_and_line(), infeed_s_sc_mva={"Q1": 3000.0}, breaker_ka={1: breaker}).loc[1]
    assert row["grade"] == grade
    close(row["margin_percent"], (1 - share) * 100)


@pytest.mark.parametrize(
    ("fuel", "sn", "p_max", "q_max", "rating", "how"),
    [
        ("coal", 353.0, 300.0, np.inf, 353.0, ""),
        ("coal", 100.0, 340.0, np.inf, 400.0, "rating_below_power"),
        ("coal", np.nan, 340.0, np.inf, 400.0, "rating_by_power"),
        ("pv", np.nan, 340.0, np.inf, 340.0, "rating_by_power"),
        ("other", np.nan, 0.0, 60.0, 60.0, "rating_by_reactive_power"),
        ("other", np.nan, np.nan, np.inf, 0.0, ""),
    ],
)
def test_rating_of_a_plant(fuel, sn, p_max, q_max, rating, how):
    row = {"fuel": fuel, "sn_mva": sn, "p_max_mw": p_max, "p_mw": 0.0, "q_max_mvar": q_max}
    found = _rating(row, None, fault_rules())
    assert found[0] == pytest.approx(rating)
    assert found[1] == how
    assert _rating(row, 77.0, fault_rules()) == (77.0, "")


def test_every_kind_of_assumption_is_one_finding():
    found = run_short_circuit(meshed(STEPPED), ShortCircuitOptions(engine="matrix"))
    rules = [f.rule for f in found.findings]
    assert len(rules) == len(set(rules))
    assert {"short_circuit.xdss", "short_circuit.k", "short_circuit.infeed", "short_circuit.step_up",
            "short_circuit.line_zero_sequence", "short_circuit.line_length", "short_circuit.not_earthed",
            "short_circuit.taps", "short_circuit.breaker_rating"} <= set(rules)  # fmt: skip
    assert all(f.severity == "note" for f in found.findings)
    assert all("Confidence" in f.message for f in found.findings)
    assert found.summary["buses"] == 9
    assert sum(found.summary[g] for g in ("green", "yellow", "red", "unknown")) == 9


def test_dark_buses_are_named_and_nothing_is_raised():
    found = run_short_circuit(machine_behind_transformer())
    assert found.engine == "pandapower"
    assert found.summary["not_fed"] == 1
    assert [(f.severity, f.item) for f in found.findings if f.rule == "short_circuit.not_fed"] == [("warning", "4")]
    case = infeed_and_line()
    off = run_short_circuit(replace(case, generators=case.generators.assign(in_service=False)))
    assert off.buses["ikss_3ph_ka"].isna().all()
    assert off.summary["not_fed"] == 2
    apart = replace(case, buses=case.buses.assign(kind=["ref", "isolated"]))
    for engine in ENGINES:
        assert np.isnan(currents(apart, engine).loc[2, "ikss_3ph_ka"])


def test_options_that_fit_nothing_are_refused_at_once():
    options = ShortCircuitOptions(
        engine="powerfactory",  # type: ignore[arg-type]
        k={"nobody": 1.2}, xdss_percent={"Q1": -1.0}, breaker_ka={7: 40.0},
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        run_short_circuit(infeed_and_line(), options)
    assert [(f.layer, f.item) for f in refused.value.findings] == [
        ("xdss_percent", "Q1"), ("k", "nobody"), ("breaker_ka", "7"), ("engine", ""),
    ]  # fmt: skip
    assert refused.value.findings[0].file == "line.m"


def everything():
    """A case in which every rule of the table matters: 345/220/110/35 kV."""
    case = meshed(2, n=12, chords=6)
    buses = case.buses.assign(vn_kv=[345.0, 345.0, 220.0, 220.0, 110.0, 110.0, 110.0, 110.0, 66.0, 66.0, 35.0, 20.0])
    rng = np.random.default_rng(5)
    f = rng.choice(12, 24) * 10 + 10
    t = (f // 10 + rng.integers(1, 4, 24) - 1) % 12 * 10 + 10
    kv = buses.set_index("bus_id")["vn_kv"]
    unit = kv.loc[f].to_numpy() != kv.loc[t].to_numpy()
    keep = f != t
    fuels = ["infeed", "coal", "hydro", "wind", "other", "gas", "pv", "nuclear"]
    return make_case(
        "everything",
        100.0,
        Source("test"),
        {
            "buses": buses,
            "generators": {
                "generator_id": [f"G{k}" for k in range(8)], "bus_id": [10, 20, 50, 60, 70, 30, 110, 40],
                "p_mw": [0.0, 300.0, 90.0, 80.0, 0.0, 50.0, 20.0, 900.0], "vm_pu": np.full(8, 1.0),
                "sn_mva": [np.nan, np.nan, 110.0, 90.0, np.nan, 60.0, 25.0, 100.0], "fuel": fuels,
                "q_max_mvar": [np.inf, 100.0, 50.0, 50.0, 60.0, 40.0, 10.0, 300.0],
            },
            "branches": {
                "branch_id": [f"B{k}" for k in range(int(keep.sum()))],
                "kind": np.where(unit, "transformer", "line")[keep], "from_bus": f[keep], "to_bus": t[keep],
                "r_pu": np.full(int(keep.sum()), 0.004), "x_pu": rng.uniform(0.02, 0.12, int(keep.sum())),
                "rating_a_mva": np.full(int(keep.sum()), 200.0),
            },
        },
    )  # fmt: skip


@pytest.mark.parametrize("rule", standard_table("short_circuit_rules")["rule"])
def test_every_rule_of_the_table_is_used(rule, tmp_path):
    """A study's own row changes a current, a rating or a grade."""
    case = everything()
    plain = run_short_circuit(case, ShortCircuitOptions(engine="matrix", breaker_ka={10: 30.0, 50: 30.0})).buses
    table = standard_table("short_circuit_rules")
    row = table[table["rule"] == rule]
    for factor in (0.02, 0.5, 0.9, 1.1, 1.4, 3.0, 9.0):
        folder = tmp_path / str(factor)
        folder.mkdir()
        row.assign(value=row["value"] * factor, source="a test").to_csv(folder / "short_circuit_rules.csv", index=False)
        with own_standards(folder):
            options = ShortCircuitOptions(engine="matrix", breaker_ka={10: 30.0, 50: 30.0})
            changed = not run_short_circuit(case, options).buses.equals(plain)
        if changed:
            return
    pytest.fail(f"nothing changes with {rule}")
