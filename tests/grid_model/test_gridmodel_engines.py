"""Two engines on the same case: lightsim2grid on our admittances, and pandapower on its own."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pytest
from gridmodel_cases import matpower_case, random_case

from grid.contracts import Status
from grid.model.pandapower_import import from_pandapower
from grid.solve import solve
from grid.solve_records import SolveOptions

QUANTITIES = ("vm_pu", "va_degree", "p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar", "generator_p_mw")


def agree(case, **options):
    ours, theirs = solve(case, SolveOptions(**options)), solve(case, SolveOptions(engine="pandapower", **options))
    assert ours.status is theirs.status
    for name in QUANTITIES:
        a, b = getattr(ours, name), getattr(theirs, name)
        known = np.isfinite(b)
        assert np.isfinite(a[known]).all(), name
        assert np.abs(a - b)[known].max() < 1e-6, name
    assert ours.losses_mw == pytest.approx(theirs.losses_mw, abs=1e-6)
    assert ours.lost_load_mw == pytest.approx(theirs.lost_load_mw, abs=1e-9)
    return ours


@pytest.mark.parametrize(
    "name", ["case9", "case14", "case30", "case39", "case57", "case118", "case300", "case1354pegase"]
)
def test_engines_agree_on_published_cases(name):
    assert agree(matpower_case(name)).status is Status.SOLVED


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("slack", ["references", "weights"])
def test_engines_agree_on_random_networks(seed, slack):
    agree(random_case(seed, shifts=True), slack=slack)


def test_engines_agree_with_a_part_cut_off():
    case = random_case(3)
    radial = case.branches
    ends = radial["from_bus"].value_counts().add(radial["to_bus"].value_counts(), fill_value=0)
    machines = set(case.generators["bus_id"])
    leaf = next(int(b) for b in ends[ends == 1].index if int(b) not in machines)
    own = case.branches[(case.branches["from_bus"] == leaf) | (case.branches["to_bus"] == leaf)]["branch_id"].iloc[0]
    for engine in ("lightsim2grid", "pandapower"):
        solution = solve(case, SolveOptions(engine=engine), out=[own])
        assert solution.status is Status.SPLIT
        assert solution.lost_buses == (leaf,)
        assert solution.lost_load_mw == pytest.approx(
            case.loads.loc[case.loads["bus_id"] == leaf, "p_mw"].sum(), abs=1e-12
        )


def test_reactive_limits_agree_with_pandapower():
    """case30 with 5 Mvar at bus 22's machine: both engines fix it at its limit and let its voltage fall."""
    case = matpower_case("case30")
    limited = case.generators.assign(
        q_max_mvar=np.where(case.generators["bus_id"] == 22, 5.0, 1000.0), q_min_mvar=-1000.0
    )
    case = case.__class__(**{**case.__dict__, "generators": limited})
    ours = agree(case, reactive_limits=True)
    assert ours.at_limit == (case.generators.loc[case.generators["bus_id"] == 22, "generator_id"].iloc[0],)


def solved_pandapower(net):
    pp.runpp(net, calculate_voltage_angles=True, init="dc", tolerance_mva=1e-9, max_iteration=40, numba=False,
             trafo_model="t", voltage_depend_loads=True)  # fmt: skip
    return net


def multivoltage():
    net = pn.example_multivoltage()
    net.trafo3w["tap_pos"] = 2
    net.trafo3w["tap_changer_type"] = "Ratio"
    return net


NETS = {
    "three-winding tap": multivoltage,
    "mv_oberrhein": pn.mv_oberrhein,
    "example_simple": pn.example_simple,
    "cigre_mv": lambda: pn.create_cigre_network_mv(with_der="all"),
    "cigre_hv": pn.create_cigre_network_hv,
    "simple_mv_open_ring": pn.simple_mv_open_ring_net,
    "case24": pn.case24_ieee_rts,
}


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning")
def test_pandapower_nets_are_mapped_to_the_same_flows(name):
    """Our mapping and our engine against pandapower's own run, bus by bus."""
    net = solved_pandapower(NETS[name]())
    case = from_pandapower(net)
    solution = solve(case)
    position = {int(b): k for k, b in enumerate(solution.case.buses["bus_id"])}
    rows = [position[int(i)] for i in net.bus.index]
    vm, va = net.res_bus["vm_pu"].to_numpy(float), net.res_bus["va_degree"].to_numpy(float)
    fed = np.isfinite(vm)
    assert np.abs(solution.vm_pu[rows] - vm)[fed].max() < 1e-6
    assert np.abs(solution.va_degree[rows] - va)[fed].max() < 1e-6
    assert np.isnan(solution.vm_pu[rows][~fed]).all()
    given = net.res_ext_grid["p_mw"].sum()
    assert np.nansum(
        solution.generator_p_mw[(solution.case.generators["fuel"] == "infeed").to_numpy()]
    ) == pytest.approx(given, abs=1e-5)


def test_pandapower_is_asked_after_the_ladder_when_wanted():
    case = matpower_case("case14")
    assert solve(case, SolveOptions(starts=())).status is Status.DIVERGED
    asked = solve(case, SolveOptions(starts=(), pandapower_fallback=True))
    assert asked.status is Status.SOLVED
    assert asked.detail.startswith("pandapower")
    assert asked.losses_mw == pytest.approx(13.3933, abs=1e-4)


@pytest.mark.parametrize("control", ["taps", "shunt_steps"])
def test_pandapower_engine_refuses_what_it_cannot_do(control):
    with pytest.raises(ValueError, match="moves neither"):
        solve(matpower_case("case14"), SolveOptions(engine="pandapower", **{control: True}))


def test_unknown_outage_is_refused_and_a_tie_is_no_outage():
    case = matpower_case("case14")
    with pytest.raises(KeyError):
        solve(case, out=["no such branch"])
