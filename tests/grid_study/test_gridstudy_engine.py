"""The engine against pandapower, against closed forms, and in what it admits when it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gridstudy_networks import (
    NOON,
    PEAK,
    bus,
    infeed,
    line,
    load,
    network,
    plain_pandapower,
    plant,
    random_network,
    triangle,
    two_bus,
)

from grid.contracts import Case, Status
from grid.engine import Engine


def _runpp(net, case):
    import pandapower as pp

    out = plain_pandapower(net, case)
    pp.runpp(
        out,
        calculate_voltage_angles=True,
        distributed_slack=len(net.infeeds) > 1,
        enforce_q_lims=True,
        tolerance_mva=1e-9,
        init="dc",
        numba=False,
    )
    return out


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", [NOON, PEAK], ids=lambda c: c.id)
def test_engine_equals_pandapower(seed, case):
    net = random_network(seed)
    ours, theirs = Engine(net, case).solve(), _runpp(net, case)
    assert ours.status is Status.SOLVED
    np.testing.assert_allclose(ours.vm_pu, theirs.res_bus.vm_pu, atol=1e-9)
    np.testing.assert_allclose(np.rad2deg(ours.va_rad), theirs.res_bus.va_degree, atol=1e-7)
    loading = pd.concat([theirs.res_line.loading_percent, theirs.res_trafo.loading_percent])
    np.testing.assert_allclose(ours.loading_percent, loading, atol=1e-6)
    flows = pd.concat([theirs.res_line.p_from_mw, theirs.res_trafo.p_hv_mw])
    np.testing.assert_allclose(ours.p_from_mw, flows, atol=1e-6)
    assert ours.losses_mw == pytest.approx(theirs.res_line.pl_mw.sum() + theirs.res_trafo.pl_mw.sum(), abs=1e-6)


def test_outage_equals_pandapower_with_the_element_out():
    import pandapower as pp

    net = random_network(1)
    theirs = plain_pandapower(net, PEAK)
    theirs.line.loc[theirs.line.name == "R000#1", "in_service"] = False
    pp.runpp(theirs, distributed_slack=len(net.infeeds) > 1, enforce_q_lims=True, init="dc", numba=False)
    ours = Engine(net, PEAK).solve(outage="R000#1")
    np.testing.assert_allclose(ours.vm_pu, theirs.res_bus.vm_pu, atol=1e-8)


def test_trap_islanded_load_and_generation_are_named_not_zeroed():
    """The spur D (12 MW load) with 40 MW of plants behind line BD: all of it is reported lost, the rest is solved."""
    net = triangle()
    net.generators.loc[0] = plant("PV", "D/110", 40.0, fuel="pv", control="power") | {"origin": "generated", "note": ""}
    case = Case("c", "", "", 1.0, 1.0, 0.0)
    cut = Engine(net, case).solve(outage="BD")
    assert cut.status is Status.SPLIT
    assert cut.lost_buses == ("D/110",)
    assert cut.lost_load_mw == pytest.approx(12.0)
    assert cut.lost_generation_mw == pytest.approx(40.0)
    supplied = cut.infeed_mw + cut.injection_mw
    assert supplied == pytest.approx(cut.load_mw + cut.losses_mw, abs=1e-6)
    assert cut.load_mw + cut.lost_load_mw == pytest.approx(62.0)
    assert np.isnan(cut.vm_pu[4])


@pytest.mark.parametrize("outage", [None, "AB", "BC", "C#1", "BD"])
def test_power_balance_including_what_is_lost(outage):
    engine = Engine(triangle(), PEAK)
    s = engine.solve(outage=outage)
    demand = engine.point.load_mw.sum()
    assert s.infeed_mw + s.injection_mw + s.lost_load_mw == pytest.approx(demand + s.losses_mw, abs=1e-6)


def test_trap_failed_solve_is_diverged_and_says_what_was_tried():
    """10 km of 110 kV line carries at most U^2/(2X) = 1512 MW; 2000 MW has no solution."""
    s = Engine(two_bus(demand=2000.0), PEAK).solve()
    assert s.status is Status.DIVERGED
    assert "dc, flat" in s.detail
    assert np.isnan(s.loading_percent).all()


def test_two_bus_nose_is_where_the_closed_form_says():
    """X = 4 ohm, U = 110 kV, unity power factor: P_max = U^2/(2X) = 1512.5 MW."""
    assert Engine(two_bus(demand=1505.0), PEAK).solve().status is Status.SOLVED
    assert Engine(two_bus(demand=1520.0), PEAK).solve().status is Status.DIVERGED


def test_two_bus_voltage_closed_form():
    """U2^2 = (U1^2 + sqrt(U1^4 - 4 X^2 P^2))/2 at unity power factor and r = 0."""
    p, x = 300.0 / 100.0, 4.0 / 121.0
    expected = np.sqrt((1 + np.sqrt(1 - 4 * (x * p) ** 2)) / 2)
    assert Engine(two_bus(demand=300.0), PEAK).solve().vm_pu[1] == pytest.approx(expected, abs=1e-9)


def test_bridges_are_single_circuits_only():
    assert Engine(triangle(), PEAK).bridges == (3,)
    assert Engine(two_bus(circuits=2), PEAK).bridges == ()
    assert Engine(two_bus(circuits=1), PEAK).bridges == (0,)


def test_part_with_its_own_infeed_stays_supplied():
    net = network(
        "two infeeds",
        buses=[bus("A/110", 110), bus("B/110", 110), bus("C/110", 110)],
        lines=[line("AB", "A/110", "B/110", 10), line("BC", "B/110", "C/110", 10)],
        loads=[load("B/110", 30, 5)],
        infeeds=[infeed("A/110"), infeed("C/110")],
    )
    s = Engine(net, PEAK).solve(outage="AB")
    assert s.status is Status.SOLVED
    assert s.lost_load_mw == 0
    assert s.infeed_mw == pytest.approx(30 + s.losses_mw, abs=1e-6)


def test_generator_at_its_reactive_limit_lets_go_of_the_voltage():
    net = random_network(0)
    engine = Engine(net, PEAK)
    s = engine.solve()
    assert s.fixed_reactive == ("S001/220",)
    free = Engine(net, PEAK, enforce_reactive_limits=False).solve()
    k = engine.model.bus_index("S001/220")
    assert free.vm_pu[k] == pytest.approx(0.985, abs=1e-9)
    assert abs(s.vm_pu[k] - 0.985) > 1e-4


def test_loading_follows_the_season():
    summer, winter = Engine(triangle(), PEAK).solve(), Engine(triangle(), PEAK, line_factor=1.25).solve()
    np.testing.assert_allclose(summer.loading_percent[:4], 1.25 * winter.loading_percent[:4])
    np.testing.assert_allclose(summer.loading_percent[4:], winter.loading_percent[4:])


def test_engine_does_not_import_pandapower():
    import subprocess
    import sys

    code = (
        "import sys, grid.engine, grid.hosting, grid.verdicts, grid.loadflow; "
        "sys.exit(any(m.split('.')[0] == 'pandapower' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
