"""Short-circuit currents by pandapower's own elements and by the closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandapower as pp
import pytest
from pandapower.shortcircuit import calc_sc
from shortcircuit_cases import ENGINES, close, currents, infeed_and_line, meshed

from grid.model.pandapower_import import from_pandapower
from grid.readers.formats import read_case
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)


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


@pytest.mark.real_data
def test_rts_gmlc_by_both_engines(real_data):
    case = read_case(real_data / "grid-rts-gmlc")
    ours, theirs = currents(case, "matrix"), currents(case, "pandapower")
    for name in ("ikss_3ph_ka", "ikss_1ph_ka", "converters_3ph_ka", "converters_1ph_ka"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9)
    assert ours["ikss_3ph_ka"].between(2, 63).all()
    assert len(ours) == 73
