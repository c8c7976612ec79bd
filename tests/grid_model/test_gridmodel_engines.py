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


def phase_shifters():
    """A ring of a line and three units: ideal shifter, oblique tap at the low side, and two taps on one unit."""
    net = pp.create_empty_network(sn_mva=50.0)
    buses = [pp.create_bus(net, kv) for kv in (110.0, 110.0, 20.0, 20.0)]
    pp.create_ext_grid(net, buses[0], va_degree=15.0)
    for bus, p, q in ((buses[1], 20.0, 4.0), (buses[2], 9.0, 3.0), (buses[3], 8.0, 1.0)):
        pp.create_load(net, bus, p_mw=p, q_mvar=q, scaling=0.9)
    pp.create_line_from_parameters(net, buses[0], buses[1], 30, 0.1, 0.4, 9, 0.5, g_us_per_km=0.1)
    pp.create_line_from_parameters(net, buses[2], buses[3], 3, 0.3, 0.35, 10, 0.3)
    common = {"sn_mva": 40, "vn_hv_kv": 115, "vn_lv_kv": 21, "vkr_percent": 0.4, "vk_percent": 10.5, "pfe_kw": 30,
              "i0_percent": 0.2, "shift_degree": 30, "tap_neutral": 0, "tap_min": -8, "tap_max": 8}  # fmt: skip
    pp.create_transformer_from_parameters(
        net,
        buses[1],
        buses[2],
        **common,
        tap_side="hv",
        tap_pos=3,
        tap_step_percent=0,
        tap_step_degree=0.7,
        tap_changer_type="Ideal",
    )
    pp.create_transformer_from_parameters(
        net,
        buses[1],
        buses[3],
        **common,
        tap_side="lv",
        tap_pos=2,
        tap_step_percent=1.0,
        tap_step_degree=60,
        tap_changer_type="Ratio",
    )
    pp.create_transformer_from_parameters(
        net,
        buses[0],
        buses[2],
        **common,
        tap_side="lv",
        tap_pos=-3,
        parallel=2,
        tap_step_percent=1.25,
        tap_step_degree=0,
        tap_changer_type="Ratio",
    )
    return net


def odds_and_ends():
    """Ward, extended ward, motor, DC line, storage, impedance, a line open at one end, an out-of-service bus."""
    net = pp.create_empty_network(sn_mva=100.0)
    b = [pp.create_bus(net, 110.0, in_service=k != 5) for k in range(6)]
    pp.create_ext_grid(net, b[0])
    for f, t in ((0, 1), (1, 2), (2, 3), (0, 3), (3, 5)):
        pp.create_line_from_parameters(net, b[f], b[t], 25, 0.1, 0.4, 9, 0.5)
    pp.create_line_from_parameters(net, b[1], b[3], 40, 0.1, 0.4, 12, 0.5)
    pp.create_switch(net, b[3], 5, et="l", closed=False)
    pp.create_switch(net, b[3], b[4], et="b", closed=True)
    pp.create_ward(net, b[1], ps_mw=5, qs_mvar=1, pz_mw=3, qz_mvar=2)
    pp.create_xward(net, b[2], ps_mw=2, qs_mvar=1, pz_mw=1, qz_mvar=0.5, r_ohm=1.0, x_ohm=8.0, vm_pu=1.01)
    pp.create_motor(net, b[3], pn_mech_mw=4, cos_phi=0.9, efficiency_percent=95, loading_percent=80)
    pp.create_dcline(net, b[1], b[3], p_mw=6, loss_percent=2, loss_mw=0.1, vm_from_pu=1.0, vm_to_pu=1.0)
    pp.create_storage(net, b[4], p_mw=3, max_e_mwh=1)
    pp.create_impedance(
        net, b[0], b[2], rft_pu=0.02, xft_pu=0.1, sn_mva=60, gf_pu=0.001, bf_pu=0.02, gt_pu=0, bt_pu=0.01
    )
    pp.create_shunt(net, b[4], q_mvar=-4, p_mw=0.2, vn_kv=115, step=2)
    return net


NETS = {
    "phase_shifters": phase_shifters,
    "odds_and_ends": odds_and_ends,
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
