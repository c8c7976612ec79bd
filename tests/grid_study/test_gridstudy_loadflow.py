"""Load flow tables and N-1: pandapower agrees, statuses are honest, the fallback is used and named."""

from __future__ import annotations

import numpy as np
import pytest
from gridstudy_networks import NOON, PEAK, plain_pandapower, random_network, triangle, two_bus

from grid import loadflow
from grid.contracts import BRANCH_STATE, BUS_STATE, LOAD_FLOW, OUTAGES, Case
from grid.engine import Engine
from grid.limits import LimitSettings
from grid.loadflow import run_load_flow
from grid.standards_tables import standard_table


def test_tables_keep_their_contracts_and_the_balance():
    result = run_load_flow(random_network(2), [NOON, PEAK])
    for promise, frame in (
        (LOAD_FLOW, result.load_flow),
        (BUS_STATE, result.bus_state),
        (BRANCH_STATE, result.branch_state),
        (OUTAGES, result.outages),
    ):
        promise.validate(frame)
    row = result.load_flow.set_index("case").loc["peak"]
    assert row.generation_mw + row.infeed_mw == pytest.approx(row.load_mw + row.losses_mw, abs=1e-6)
    assert row.n_1_outages == row.n_1_solved + row.n_1_split + row.n_1_diverged
    assert len(result.outages) == 2 * row.n_1_outages


def test_reference_network_equals_pandapower():
    """Through the package's own pandapower net too: 1e-6 pu."""
    import pandapower as pp

    from grid.pandapower_net import to_pandapower

    net = random_network(5)
    out = to_pandapower(net, PEAK)
    pp.runpp(out, distributed_slack=len(net.infeeds) > 1, enforce_q_lims=True, numba=False)
    ours = run_load_flow(net, [PEAK], n_1=False).bus_state
    np.testing.assert_allclose(ours.vm_pu, out.res_bus.vm_pu, atol=1e-6)


def test_every_outage_equals_pandapower():
    import pandapower as pp

    net = triangle()
    result = run_load_flow(net, [PEAK]).outages.set_index("outage")
    for element in ("AB", "BC", "CA", "C#1"):
        out = plain_pandapower(net, PEAK)
        out.line.loc[out.line.name == element, "in_service"] = False
        out.trafo.loc[out.trafo.name == element, "in_service"] = False
        pp.runpp(out, numba=False, init="dc")
        assert result.loc[element, "vm_min_pu"] == pytest.approx(out.res_bus.vm_pu.min(), abs=1e-8)
        highest = max(out.res_line.loading_percent.max(), out.res_trafo.loading_percent.max())
        assert result.loc[element, "loading_max_percent"] == pytest.approx(highest, abs=1e-5)


def test_trap_split_outage_is_not_secure_when_it_loses_load():
    table = run_load_flow(triangle(), [PEAK]).outages.set_index("outage")
    assert table.loc["BD", "status"] == "split"
    assert table.loc["BD", "lost_load_mw"] == pytest.approx(12.0)
    assert not table.loc["BD", "secure"]
    assert table.loc["C#1", "status"] == "solved"


def test_trap_failed_outage_is_insecure_not_unloaded():
    """One of two 100 km circuits cannot carry 200 MW: diverged, insecure, no loading of zero."""
    result = run_load_flow(two_bus(km=100.0, circuits=2, demand=200.0, ka=5.0), [PEAK])
    assert list(result.outages.status) == ["diverged", "diverged"]
    assert not result.outages.secure.any()
    assert result.outages.loading_max_percent.isna().all()
    assert result.load_flow.n_1_diverged.iloc[0] == 2


def test_case_without_solution_says_what_was_tried():
    result = run_load_flow(two_bus(demand=5000.0), [PEAK])
    row = result.load_flow.iloc[0]
    assert row.status == "diverged"
    assert "dc, flat" in row.detail
    assert "fdbx" in row.detail
    assert np.isnan(row.losses_mw)
    assert result.outages.empty
    assert result.bus_state.vm_pu.isna().all()


def test_fallback_uses_pandapowers_voltages_and_says_so(monkeypatch):
    net, real = triangle(), Engine.solve

    def only_warm(self, injections_mw=None, outage=None, start=None):
        if start is None:
            return real(self, 1e6 * np.ones(self.model.n_bus), outage)
        return real(self, injections_mw, outage, start)

    expected = run_load_flow(net, [PEAK], n_1=False)
    monkeypatch.setattr(loadflow.Engine, "solve", only_warm)
    fallen = run_load_flow(net, [PEAK], n_1=False)
    assert fallen.load_flow.status.iloc[0] == "solved"
    assert "pandapower nr from dc start" in fallen.load_flow.detail.iloc[0]
    np.testing.assert_allclose(fallen.bus_state.vm_pu, expected.bus_state.vm_pu, atol=1e-8)


def test_overload_after_an_outage_is_counted():
    """62 MW over the triangle's two ways; 0.25 kA lines carry about 48 MVA, so losing AB or CA overloads."""
    weak = run_load_flow(triangle(ka=0.25), [PEAK])
    strong = run_load_flow(triangle(ka=1.0), [PEAK])
    assert weak.load_flow.n_1_overloaded.iloc[0] > strong.load_flow.n_1_overloaded.iloc[0] == 0
    table = weak.outages.set_index("outage")
    assert not table.loc["AB", "secure"]
    assert table.loc["AB", "loading_max_element"] == "CA"


def test_winter_rating_lowers_the_loading():
    winter = Case("w", "", "", 1.0, 0.0, 0.0, season="winter")
    summer = Case("s", "", "", 1.0, 0.0, 0.0, season="summer")
    state = run_load_flow(triangle(), [winter, summer], n_1=False).branch_state
    lines = state[state.kind == "line"].pivot_table(index="element", columns="case", values="loading_percent")
    assert (lines["w"] < 0.95 * lines["s"]).all()


def test_standard_limits_come_from_the_table_with_sources():
    table = standard_table("study_limits")
    assert table["source"].str.len().gt(0).all()
    assert set(table["confidence"]) <= {"A", "B", "C"}
    settings = LimitSettings.standard()
    assert (settings.line_n_1_percent, settings.transformer_n_1_percent, settings.reverse_percent) == (100, 120, 80)
