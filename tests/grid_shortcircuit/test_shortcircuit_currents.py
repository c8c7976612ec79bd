"""Short-circuit currents: by hand, by pandapower's own elements, by properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandapower.shortcircuit import calc_sc
from shortcircuit_cases import C, infeed_and_line, machine_behind_transformer, meshed

from grid.model.contracts import CASE_GENERATORS, Source, fill, make_case
from grid.model.pandapower_import import from_pandapower
from grid.readers.formats import read_case
from grid.standards_tables import own_standards, standard_table
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit, short_circuit_headroom
from grid.studies.short_circuit_assumptions import fault_rules
from grid.studies.short_circuit_data import _rating, fault_data
from layers.contracts import InputError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)
ENGINES = ("pandapower", "matrix")
STEPPED = 4
"""Seed of a network with machines on the transmission level."""


def currents(case, engine="matrix", **options):
    return run_short_circuit(case, ShortCircuitOptions(engine=engine, **options)).buses.set_index("bus")


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=tolerance)


# ---------------------------------------------------------------- by hand


@pytest.mark.parametrize("engine", ENGINES)
def test_infeed_and_line_by_hand(engine):
    """S"k = 2000 MVA at bus 1: I"k = 2000 / (sqrt3 110) = 10.497 kA. Z_Q = 1.1 110^2 / 2000 = 6.655 ohm, R/X 0.1.
    At bus 2 the line adds 2 + j8 ohm; its r0 = 2 + 0.2 * 20 = 6 ohm, x0 = 3 * 8 = 24 ohm; Z_Q0 = 1.5 Z_Q."""
    table = currents(infeed_and_line(), engine, infeed_s_sc_mva={"Q1": 2000.0})
    close(table.loc[1, "ikss_3ph_ka"], 2000 / (np.sqrt(3) * 110))
    x_q = 6.655 / np.sqrt(1.01)
    z_q = complex(0.1 * x_q, x_q)
    z1, z0 = z_q + 2 + 8j, 1.5 * z_q + 6 + 24j
    close(table.loc[2, "ikss_3ph_ka"], C * 110 / np.sqrt(3) / abs(z1))
    close(table.loc[2, "ikss_1ph_ka"], C * 110 * np.sqrt(3) / abs(2 * z1 + z0))
    close(table.loc[1, "ikss_1ph_ka"], C * 110 * np.sqrt(3) / abs(3.5 * z_q))
    close(table.loc[2, "skss_mva"], np.sqrt(3) * 110 * table.loc[2, "ikss_3ph_ka"])
    close(table.loc[2, "x_over_r"], z1.imag / z1.real)
    assert (table["converters_3ph_ka"] == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_machine_behind_transformer_by_hand(engine):
    """K_G = 1.1 / (1 + 0.2 sin(acos 0.85)), K_T = 0.95 * 1.1 / (1 + 0.6 * 0.13); tap and shift do not count. The unit
    is YNd: bus 1 is earthed through it, bus 2 is not. Bus 4 hangs on nothing."""
    table = currents(machine_behind_transformer(), engine)
    z_g = C / (1 + 0.2 * np.sqrt(1 - 0.85**2)) * complex(0.05 * 0.2, 0.2) * 100 / 200
    x_t = 0.13 * 100 / 240
    k_t = 0.95 * C / (1 + 0.6 * 0.13)
    line = complex(0.05, 0.4) * 30 / 484
    z1 = z_g + k_t * complex(0.001, x_t)
    base = 100 / (np.sqrt(3) * 220)
    close(table.loc[2, "ikss_3ph_ka"], C / abs(z_g) * 100 / (np.sqrt(3) * 15.75))
    close(table.loc[1, "ikss_3ph_ka"], C / abs(z1) * base)
    close(table.loc[3, "ikss_3ph_ka"], C / abs(z1 + line) * base)
    z0 = k_t * complex(0.001, 0.9 * x_t)
    close(table.loc[1, "ikss_1ph_ka"], 3 * C / abs(2 * z1 + z0) * base)
    line0 = complex(line.real + 0.18 * 30 / 484, 3 * line.imag)
    close(table.loc[3, "ikss_1ph_ka"], 3 * C / abs(2 * (z1 + line) + z0 + line0) * base)
    assert np.isnan(table.loc[2, "ikss_1ph_ka"])
    assert table.loc[4, ["ikss_3ph_ka", "ikss_1ph_ka", "margin_percent"]].isna().all()
    assert table.loc[4, "grade"] == "unknown"


@pytest.mark.parametrize("engine", ENGINES)
def test_unit_with_delta_winding_by_hand(engine):
    """220/110 kV, 180 MVA, 14 %: zero sequence sees a star of 0.95 z0, 0.05 z0 and the delta's 0.6 |z0|."""
    case = infeed_and_line()
    buses = case.buses.assign(vn_kv=[220.0, 110.0])
    x = 0.14 * 100 / 180
    branches = case.branches.assign(
        kind="transformer", r_pu=0.0, x_pu=x, b_pu=0.0, rating_a_mva=180.0, length_km=np.nan
    )
    table = currents(replace(case, buses=buses, branches=branches), engine, infeed_s_sc_mva={"Q1": 5000.0})
    z_q = 1j * C * 100 / 5000 / np.sqrt(1.01) * complex(1, -0.1)
    k = 0.95 * C / (1 + 0.6 * 0.14)
    z1 = z_q + 1j * k * x
    high = 1.5 * z_q + 0.95 * 1j * k * 0.9 * x
    delta = 0.6j * 0.9 * x
    z0 = 0.05j * k * 0.9 * x + high * delta / (high + delta)
    close(table.loc[2, "ikss_1ph_ka"], 3 * C / abs(2 * z1 + z0) * 100 / (np.sqrt(3) * 110))


# ---------------------------------------------------------------- trap


def test_trap_calc_sc_raises_if_any_sgen_lacks_k():
    """pandapower stops; 200 MVA at k = 1.2 raise the current of a 110 kV bus from 6.42 to 7.68 kA."""
    net = pp.create_empty_network(sn_mva=100.0)
    bus = pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, bus, s_sc_max_mva=6.42 * np.sqrt(3) * 110, rx_max=0.1)
    pp.create_sgen(net, bus, p_mw=0.0, sn_mva=200.0)
    with pytest.raises(ValueError, match="k"):
        calc_sc(net)
    case = infeed_and_line(generator_id=["W"], bus_id=[1], p_mw=[180.0], sn_mva=[200.0], fuel=["storage"])
    options = {"infeed_s_sc_mva": {"Q1": 6.42 * np.sqrt(3) * 110}}
    for engine in ENGINES:
        found = run_short_circuit(case, ShortCircuitOptions(engine=engine, **options))
        assert found.engine == engine
        assert found.buses.loc[0, "ikss_3ph_ka"] == pytest.approx(7.68, abs=0.005)
        assert found.buses.loc[0, "converters_3ph_ka"] == pytest.approx(1.2597, abs=1e-4)
        told = [f for f in found.findings if f.rule == "short_circuit.k"]
        assert [(f.severity, f.item, f.value) for f in told] == [("note", "W", "1")]
        assert "Confidence C" in told[0].message


# ---------------------------------------------------------------- second engine


@pytest.mark.parametrize("seed", range(6))
def test_closed_form_equals_pandapower(seed):
    """Every bus of random networks with all kinds of units, machines and converters."""
    case = meshed(seed)
    ours, theirs = currents(case, "matrix"), currents(case, "pandapower")
    for name in ("ikss_3ph_ka", "ikss_1ph_ka", "converters_3ph_ka", "converters_1ph_ka"):
        np.testing.assert_array_equal(ours[name].isna(), theirs[name].isna())
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9)
    assert ours["ikss_1ph_ka"].notna().any()
    assert (ours["converters_3ph_ka"] > 0).all()
    assert ours.loc[ours["vn_kv"] == 35, "ikss_1ph_ka"].isna().all()


def native_net():
    """Written straight in pandapower: feeder, 110/20 kV unit, a generator with its own nameplate, a converter.

    ::

        feeder 110 kV o--[ 25 km ]--o--[ YNd 63 MVA, 12 % ]--o 20 kV -- machine 50 MVA, 18 %, PV 30 MVA
    """
    net = pp.create_empty_network(sn_mva=100.0)
    a, b, m = pp.create_bus(net, 110.0), pp.create_bus(net, 110.0), pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, a, s_sc_max_mva=3000.0, rx_max=0.1, x0x_max=1.5, r0x0_max=0.1)
    pp.create_line_from_parameters(net, a, b, 25, 0.12, 0.4, 9, 0.5, r0_ohm_per_km=0.32, x0_ohm_per_km=1.2,
                                   c0_nf_per_km=0.0)  # fmt: skip
    pp.create_transformer_from_parameters(
        net, b, m, sn_mva=63, vn_hv_kv=110, vn_lv_kv=20, vkr_percent=0.4, vk_percent=12, pfe_kw=30, i0_percent=0.1,
        vector_group="YNd", vk0_percent=np.hypot(0.4, 0.9 * np.sqrt(144 - 0.16)), vkr0_percent=0.4, mag0_percent=100,
        mag0_rx=0, si0_hv_partial=0.9, shift_degree=30,
    )  # fmt: skip
    pp.create_gen(net, m, p_mw=40, sn_mva=50, vn_kv=20.0, xdss_pu=0.18, rdss_ohm=0.07 * 0.18 * 400 / 50, cos_phi=0.85)
    pp.create_sgen(net, m, p_mw=30, sn_mva=30, k=1.15, current_source=True, type="pv")
    return net


def test_case_equals_a_net_written_in_pandapower():
    """Machine factor K_G, transformer factor K_T, converter and zero sequence from pandapower's own elements."""
    net = native_net()
    case = from_pandapower(net)
    fuels = {"ext_grid 0": "infeed", "gen 0": "biomass", "sgen 0": "pv"}
    case = replace(case, generators=case.generators.assign(fuel=case.generators["generator_id"].map(fuels)))
    given_mva = {"infeed_s_sc_mva": {"ext_grid 0": 3000.0}}
    calc_sc(net, case="max")
    three = net.res_bus_sc["ikss_ka"].copy()
    net.sgen["in_service"] = False
    calc_sc(net, fault="1ph", case="max")
    for engine in ENGINES:
        table = currents(case, engine, **given_mva)
        close(table["ikss_3ph_ka"], three)
        machines_1ph = table["ikss_1ph_ka"] - table["converters_1ph_ka"]
        close(machines_1ph.iloc[:2], net.res_bus_sc["ikss_ka"].iloc[:2], 1e-5)


def test_three_winding_unit_equals_pandapowers():
    """Correction factors on the pairs, the 10 kV winding as the delta: 220/110/10 kV, 180/180/90 MVA, YNynd."""
    net = pp.create_empty_network(sn_mva=100.0)
    hv, mv, lv = (pp.create_bus(net, v) for v in (220.0, 110.0, 10.0))
    pp.create_ext_grid(net, hv, s_sc_max_mva=8000.0, rx_max=0.1, x0x_max=1.5, r0x0_max=0.1)
    vk, vkr = np.array([14.0, 8.0, 11.5]), np.array([0.3, 0.25, 0.28])
    vk0 = np.hypot(vkr, 0.9 * np.sqrt(vk**2 - vkr**2))
    names = ("hv", "mv", "lv")
    pp.create_transformer3w_from_parameters(
        net, hv, mv, lv, 220.0, 110.0, 10.0, 180.0, 180.0, 90.0,
        **{f"vk_{n}_percent": v for n, v in zip(names, vk, strict=True)},
        **{f"vkr_{n}_percent": v for n, v in zip(names, vkr, strict=True)},
        pfe_kw=0.0, i0_percent=0.0, vector_group="YNynd",
        **{f"vk0_{n}_percent": v for n, v in zip(names, vk0, strict=True)},
        **{f"vkr0_{n}_percent": v for n, v in zip(names, vkr, strict=True)},
    )  # fmt: skip
    case = from_pandapower(net)
    case = replace(case, generators=case.generators.assign(fuel="infeed"))
    calc_sc(net, case="max")
    three = net.res_bus_sc["ikss_ka"].copy()
    calc_sc(net, fault="1ph", case="max")
    one = net.res_bus_sc["ikss_ka"].copy()
    for engine in ENGINES:
        table = currents(case, engine, infeed_s_sc_mva={"ext_grid 0": 8000.0})
        assert len(table) == 3
        close(table["ikss_3ph_ka"], three, 1e-6)
        # pandapower's zero-sequence correction of the pairs takes R and X by one factor of the magnitude: 0.1 %
        close(table["ikss_1ph_ka"].iloc[:2], one.iloc[:2], 2e-3)
        assert np.isnan(table["ikss_1ph_ka"].iloc[2])


def test_pandapower_counts_converters_in_single_phase_as_if_z0_were_z1():
    """Our share is 3 Z1 / (2 Z1 + Z0) of the three-phase one; pandapower adds the three-phase one."""
    case = infeed_and_line(generator_id=["P"], bus_id=[2], p_mw=[100.0], sn_mva=[100.0], fuel=["pv"])
    table = currents(case, infeed_s_sc_mva={"Q1": 2000.0})
    x_q = 6.655 / np.sqrt(1.01)
    z1 = complex(0.1 * x_q, x_q) + 2 + 8j
    z0 = 1.5 * complex(0.1 * x_q, x_q) + 6 + 24j
    three = 1.15 * 100 / (np.sqrt(3) * 110)
    close(table.loc[2, "converters_3ph_ka"], three)
    close(table.loc[2, "converters_1ph_ka"], three * abs(3 * z1) / abs(2 * z1 + z0))
    assert table.loc[2, "converters_1ph_ka"] < three


# ---------------------------------------------------------------- properties


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), at=st.integers(0, 8), sn=st.floats(1.0, 500.0))
def test_adding_a_converter_never_lowers_a_current(seed, at, sn):
    case = meshed(seed)
    new = fill(
        CASE_GENERATORS,
        {
            "generator_id": ["new"],
            "bus_id": [at * 10 + 10],
            "p_mw": [sn],
            "sn_mva": [sn],
            "fuel": ["pv"],
            "control": "power",
        },
    )
    more = replace(case, generators=pd.concat([case.generators, new], ignore_index=True))
    before, after = currents(case), currents(more)
    for name in ("ikss_3ph_ka", "ikss_1ph_ka"):
        known = before[name].notna()
        assert (after.loc[known, name] >= before.loc[known, name] * (1 - 1e-9)).all()
    assert after.loc[at * 10 + 10, "ikss_3ph_ka"] > before.loc[at * 10 + 10, "ikss_3ph_ka"]


def test_order_of_buses_and_a_tie_change_nothing():
    case = meshed(3)
    turned = replace(case, buses=case.buses.iloc[::-1].reset_index(drop=True))
    close(currents(case)["ikss_3ph_ka"], currents(turned)["ikss_3ph_ka"].sort_index())
    first, second = currents(case, "pandapower"), currents(case, "pandapower")
    pd.testing.assert_frame_equal(first, second)


# ---------------------------------------------------------------- headroom


@pytest.mark.parametrize("seed", range(4))
def test_headroom_equals_rerun(seed):
    """With the headroom added, the named breaker stands at its limit and none above; 1 % more breaks it."""
    case = meshed(seed)
    now = currents(case)
    worst = now[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1)
    breakers = {int(b): float(v) * 1.25 for b, v in worst.items()}
    options = ShortCircuitOptions(breaker_ka=breakers)
    table = short_circuit_headroom(case, k=1.2, options=options, reach_share=0.0)
    assert (table["headroom_mva"] > 0).all()
    for row in table.iloc[::3].to_dict("records"):
        for factor, reached in ((1.0, True), (1.01, False)):
            sn = row["headroom_mva"] * factor
            new = fill(CASE_GENERATORS, {"generator_id": ["new"], "bus_id": [row["bus"]], "p_mw": [sn], "sn_mva": [sn],
                                         "fuel": ["pv"], "control": "power"})  # fmt: skip
            more = replace(case, generators=pd.concat([case.generators, new], ignore_index=True))
            after = currents(more, "matrix", k={"new": 1.2}, breaker_ka=breakers)
            loading = after[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1) / after["breaker_ka"]
            if reached:
                assert after.loc[row["binding_bus"], f"ikss_{row['binding_fault']}_ka"] == pytest.approx(
                    row["limit_ka"], rel=1e-9
                )
                assert loading.max() <= 0.95 * (1 + 1e-9)
            else:
                assert loading.max() > 0.95
    close(table.set_index("bus")["present_ka"].notna(), 1)


def test_headroom_of_an_infeed_by_hand():
    """10 kA of an infeed below a 40 kA breaker: (0.95 * 40 - 10) sqrt3 110 / 1.2 = 4445 MVA; 0 when it is at 40 kA."""
    case = infeed_and_line()
    s = {"infeed_s_sc_mva": {"Q1": 10 * np.sqrt(3) * 110}}
    table = short_circuit_headroom(case, [1], options=ShortCircuitOptions(**s)).iloc[0]
    assert table["binding_bus"] == 1
    assert table["binding_fault"] == "3ph"
    close(table["headroom_mva"], 28 * np.sqrt(3) * 110 / 1.2)
    full = ShortCircuitOptions(breaker_ka={1: 10.0}, **s)
    assert short_circuit_headroom(case, [1], options=full)["headroom_mva"].iloc[0] == 0
    with pytest.raises(InputError, match="no such bus"):
        short_circuit_headroom(case, [1, 99])


# ---------------------------------------------------------------- verdicts, assumptions, bad input


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


def test_a_failing_pandapower_gives_the_closed_form_and_a_warning(monkeypatch):
    def fail(data):
        raise FloatingPointError("no such thing")

    monkeypatch.setattr("grid.studies.short_circuit_pandapower.pandapower_currents", fail)
    found = run_short_circuit(infeed_and_line())
    assert found.engine == "matrix"
    told = [f for f in found.findings if f.severity == "warning"]
    assert [(f.rule, f.value) for f in told] == [
        ("short_circuit.pandapower_failed", "FloatingPointError: no such thing")
    ]
    assert found.buses["ikss_3ph_ka"].notna().all()


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


@pytest.mark.parametrize("row", standard_table("short_circuit_sources").to_dict("records"), ids=lambda r: r["fuel"])
def test_every_kind_of_source_gives_its_current(row):
    """100 MVA at a 15 kV bus alone: c / (K x") of a machine, k of a converter beside an infeed."""
    extra = {"generator_id": ["S"], "bus_id": [2], "p_mw": [50.0], "sn_mva": [100.0], "fuel": [row["fuel"]]}
    case = infeed_and_line(**extra)
    case = replace(case, buses=case.buses.assign(vn_kv=[15.0, 15.0]))
    nominal = 100 / (np.sqrt(3) * 15)
    if row["kind"] == "converter":
        close(currents(case).loc[2, "converters_3ph_ka"], row["k"] * nominal)
        assert row["k_low"] <= row["k"] <= row["k_high"]
        return
    alone = replace(case, generators=case.generators.assign(in_service=[False, True]))
    x = row["xdss_percent"] / 100
    z = C / (1 + x * np.sqrt(1 - 0.85**2)) * x * np.hypot(1, row["rx"])
    close(currents(alone).loc[2, "ikss_3ph_ka"], C / z * nominal)


@pytest.mark.real_data
def test_rts_gmlc_by_both_engines(real_data):
    case = read_case(real_data / "grid-rts-gmlc")
    ours, theirs = currents(case, "matrix"), currents(case, "pandapower")
    for name in ("ikss_3ph_ka", "ikss_1ph_ka", "converters_3ph_ka", "converters_1ph_ka"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9)
    assert ours["ikss_3ph_ka"].between(2, 63).all()
    assert len(ours) == 73
