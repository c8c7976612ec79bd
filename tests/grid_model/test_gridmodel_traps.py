"""Traps of network models by name: what pandapower says, and our verdict beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandapower as pp
import pandapower.networks as pn
import pytest
from gridmodel_cases import matpower_case, random_case, two_bus

from grid.contracts import Status
from grid.model.arrays import compile_case
from grid.model.contracts import Source, make_case
from grid.model.nameplate import leakage_pu, pair_impedances_pu, smaller_of_pairs, star_impedances
from grid.model.pandapower_import import from_pandapower
from grid.solve import solve
from grid.solve_records import SolveOptions

pytestmark = pytest.mark.filterwarnings("ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning")


def run(net, **options):
    pp.runpp(net, **{"calculate_voltage_angles": True, "init": "dc", "numba": False, "trafo_model": "t", **options})
    return net.res_bus["vm_pu"].to_numpy(float)


def tapped_net(changer):
    """110/10 kV, 40 MVA, tap -5 x 1.25 % at the high side."""
    net = pp.create_empty_network(sn_mva=100.0)
    hv, lv = pp.create_bus(net, 110.0), pp.create_bus(net, 10.0)
    pp.create_ext_grid(net, hv)
    pp.create_load(net, lv, p_mw=20.0, q_mvar=5.0)
    pp.create_transformer_from_parameters(
        net, hv, lv, sn_mva=40, vn_hv_kv=110, vn_lv_kv=10, vkr_percent=0.4, vk_percent=10.5, pfe_kw=30, i0_percent=0.1,
        tap_side="hv", tap_neutral=0, tap_min=-8, tap_max=8, tap_step_percent=1.25, tap_pos=-5,
        tap_changer_type=changer,
    )  # fmt: skip
    return net


def test_tap_pos_ignored_without_a_type():
    """pandapower: no tap_changer_type, so no tap (6.7 % of voltage). We take it as a ratio and say so."""
    ignored, counted = run(tapped_net(None))[1], run(tapped_net("Ratio"))[1]
    assert counted / ignored == pytest.approx(1 / (1 - 5 * 0.0125), abs=0.005)
    case = from_pandapower(tapped_net(None))
    assert solve(case).vm_pu[1] == pytest.approx(counted, abs=1e-6)
    assert [(x.element, x.field, x.action) for x in case.losses] == [("trafo 0", "tap_changer_type", "defaulted")]


def test_parallel_two_is_two_circuits():
    """pandapower: one outage takes both circuits and the station is dark. We have two rows, and one stays."""
    net = pp.create_empty_network(sn_mva=100.0)
    a, b = pp.create_bus(net, 110.0), pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, a)
    pp.create_load(net, b, p_mw=30.0)
    pp.create_line_from_parameters(net, a, b, 20, 0.1, 0.4, 9, 0.5, parallel=2)
    case = from_pandapower(net)
    assert case.branches["branch_id"].tolist() == ["line 0", "line 0/2"]
    assert solve(case).vm_pu[1] == pytest.approx(run(net)[1], abs=1e-8)
    one_left = solve(case, out=["line 0"])
    assert one_left.status is Status.SOLVED
    net.line["parallel"] = 1
    assert one_left.vm_pu[1] == pytest.approx(run(net)[1], abs=1e-8)
    net.line["in_service"] = False
    assert np.isnan(run(net)[1])


def test_islanded_load_vanishes():
    """pandapower: 30 MW of load, 40 MW sgen and 50 MW gen behind an open line become 0, without a warning."""
    net = pp.create_empty_network(sn_mva=100.0)
    a, b, c = (pp.create_bus(net, 110.0) for _ in range(3))
    pp.create_ext_grid(net, a)
    pp.create_load(net, b, p_mw=10.0)
    pp.create_load(net, c, p_mw=30.0)
    pp.create_sgen(net, c, p_mw=40.0)
    pp.create_gen(net, c, p_mw=50.0, vm_pu=1.0)
    pp.create_line_from_parameters(net, a, b, 20, 0.1, 0.4, 9, 0.5)
    pp.create_line_from_parameters(net, b, c, 20, 0.1, 0.4, 9, 0.5, in_service=False)
    run(net)
    assert net.res_load["p_mw"].sum() == 10.0
    solution = solve(from_pandapower(net))
    assert solution.status is Status.SPLIT
    assert (solution.lost_load_mw, solution.lost_generation_mw) == (30.0, 90.0)
    assert solution.lost_buses == (c,)
    assert solution.load_mw + solution.lost_load_mw == pytest.approx(40.0)


def test_integer_generators_cut_the_slack_power():
    """PYPOWER's case9 holds its generators as whole numbers: the slack becomes 71.000. Ours are floats."""
    whole = np.array([[1, 72, 27]])
    whole[0, 1] = 71.6410
    assert whole[0, 1] == 71
    case = matpower_case("case9")
    assert case.generators["p_mw"].dtype == np.float64
    assert solve(case).generator_p_mw[0] == pytest.approx(71.6410, abs=1e-4)


def two_infeeds():
    """::

    ext 0 o---- 0.1 ----o 1 (60 MW) ----- 0.3 ----o 2 ext
    """
    net = pp.create_empty_network(sn_mva=100.0)
    buses = [pp.create_bus(net, 110.0) for _ in range(3)]
    for bus, weight in ((buses[0], 1.0), (buses[2], 2.0)):
        pp.create_ext_grid(net, bus, vm_pu=1.0, slack_weight=weight)
    pp.create_load(net, buses[1], p_mw=60.0)
    for f, t, x in ((0, 1, 0.1), (1, 2, 0.3)):
        pp.create_impedance(net, buses[f], buses[t], rft_pu=0.0, xft_pu=x, sn_mva=100.0)
    return net


def test_several_slacks():
    """pandapower holds the angle at every ext_grid, so the shares are the impedances' (45 and 15 MW).

    We have one reference and share by the stated weights 1 : 2, so 20 and 40 MW.
    """
    net = two_infeeds()
    run(net)
    assert net.res_ext_grid["p_mw"].to_numpy() == pytest.approx([45.0, 15.0], abs=0.05)
    solution = solve(from_pandapower(net))
    assert solution.generator_p_mw == pytest.approx([20.0, 40.0], abs=1e-6)
    assert solution.va_degree[0] == 0.0
    assert solution.va_degree[2] > solution.va_degree[1]


def test_distributed_slack_shows_zero_degree_at_every_slack():
    """pandapower, distributed: va 0 at both sharing buses though 40 MW flow from one. Ours differ as they must."""
    case = random_case(2)
    ours = solve(case, SolveOptions(slack="weights"))
    sharing = case.buses["bus_id"].isin(case.generators["bus_id"]).to_numpy()
    assert np.ptp(ours.va_degree[sharing]) > 0.1
    theirs = solve(case, SolveOptions(slack="weights", engine="pandapower"))
    assert np.isnan(theirs.va_degree[sharing]).sum() == 2  # rather no angle than a wrong one
    known = np.isfinite(theirs.va_degree)
    assert np.abs(theirs.va_degree - ours.va_degree)[known].max() < 1e-6


def three_winding_net(vk, sn=(240.0, 240.0, 120.0)):
    net = pp.create_empty_network(sn_mva=100.0)
    hv, mv, lv = pp.create_bus(net, 220.0), pp.create_bus(net, 110.0), pp.create_bus(net, 35.0)
    pp.create_ext_grid(net, hv)
    pp.create_load(net, mv, p_mw=100.0, q_mvar=30.0)
    pp.create_load(net, lv, p_mw=60.0, q_mvar=30.0)
    pp.create_transformer3w_from_parameters(
        net, hv, mv, lv, vn_hv_kv=220, vn_mv_kv=110, vn_lv_kv=35, sn_hv_mva=sn[0], sn_mv_mva=sn[1], sn_lv_mva=sn[2],
        vk_hv_percent=vk[0], vk_mv_percent=vk[1], vk_lv_percent=vk[2], vkr_hv_percent=0.3, vkr_mv_percent=0.3,
        vkr_lv_percent=0.3, pfe_kw=0, i0_percent=0,
    )  # fmt: skip
    return net


def test_three_winding_base_of_the_percentages():
    """240/240/120 MVA, nameplate 14 / 9 / 23 % on 240 MVA; pandapower refers pairs with the 35 kV winding to 120.

    Typed in unchanged, its low side stands at a wrong voltage; halved for those two pairs, it is the nameplate's.
    """
    nameplate = (14.0, 9.0, 23.0)
    sn = np.array([[240.0], [240.0], [120.0]])
    assert smaller_of_pairs(sn).ravel().tolist() == [240.0, 120.0, 120.0]
    wrong = run(three_winding_net(nameplate))[2]
    right = run(three_winding_net((14.0, 4.5, 11.5)))[2]
    assert right - wrong > 0.02
    zero = np.zeros((3, 1))
    percent = np.array(nameplate)[:, None]
    on_hv = pair_impedances_pu(percent, zero, np.full((3, 1), 240.0), 100.0)
    as_typed = pair_impedances_pu(percent, zero, smaller_of_pairs(sn), 100.0)
    assert on_hv.ravel() == pytest.approx(np.array([14, 9, 23]) / 240j * -1)
    assert as_typed.ravel()[1:] == pytest.approx(2 * on_hv.ravel()[1:])
    case = from_pandapower(three_winding_net((14.0, 4.5, 11.5)))
    unit = case.three_winding.iloc[0]
    assert (unit["x_23_pu"], unit["x_31_pu"]) == (
        pytest.approx(on_hv[1, 0].imag, rel=5e-3),
        pytest.approx(on_hv[2, 0].imag, rel=5e-3),
    )
    assert solve(case).vm_pu[2] == pytest.approx(right, abs=1e-6)


def test_star_of_pairs_by_hand():
    """z12 = 14, z23 = 9, z31 = 23 %: z1 = 14, z2 = 0, z3 = 9 %."""
    z = star_impedances(*(np.array([x], dtype=complex) for x in (14, 9, 23)))
    assert [x[0].real for x in z] == [14.0, 0.0, 9.0]
    assert leakage_pu(np.array([10.5]), np.array([0.4]), np.array([40.0]), 100.0)[0] == pytest.approx(
        (0.4 + 1j * np.sqrt(10.5**2 - 0.4**2)) / 100 * 2.5
    )


def test_bus_numbers_above_a_million_cost_nothing():
    """pandapower makes lookup arrays of the largest number. We renumber inside and keep the source's own outside."""
    case = two_bus(50.0, 10.0)
    large = {1: 2_000_000_001, 2: 1_999_999_999}

    def renumbered(frame, *columns):
        return frame.assign(**{c: frame[c].map(large).astype(np.int64) for c in columns})

    other = dataclasses.replace(
        case,
        buses=renumbered(case.buses, "bus_id"),
        loads=renumbered(case.loads, "bus_id"),
        generators=renumbered(case.generators, "bus_id", "regulated_bus_id"),
        branches=renumbered(case.branches, "from_bus", "to_bus", "controlled_bus_id"),
    )
    arrays = compile_case(other)
    assert arrays.n_node == 2
    assert arrays.bus_ids.tolist() == [2_000_000_001, 1_999_999_999]
    assert solve(other).voltage.tobytes() == solve(case).voltage.tobytes()


def test_calculate_voltage_angles_false_drops_phase_shifts():
    """pandapower with the option off: the shift of 30 degrees is gone. We have no such option."""
    net = tapped_net("Ratio")
    net.trafo["shift_degree"] = 30.0
    run(net, calculate_voltage_angles=False)
    assert abs(net.res_bus["va_degree"].iloc[1]) < 10
    run(net)
    assert solve(from_pandapower(net)).va_degree[1] == pytest.approx(net.res_bus["va_degree"].iloc[1], abs=1e-6)


def test_bundled_case300_is_not_the_published_one():
    """pandapower's own case300 loses 10 MW more than the published 408.32 MW; the file read by us does not."""
    net = pn.case300()
    run(net)
    theirs = net.res_line["pl_mw"].sum() + net.res_trafo["pl_mw"].sum()
    assert abs(theirs - 408.316) > 1.0
    assert solve(matpower_case("case300")).losses_mw == pytest.approx(408.3156, abs=0.01)


def test_a_state_that_does_not_converge_is_never_a_number():
    """nan_to_num would make an unsolved outage 0 MVA and so no overload: ours stays NaN with the status."""
    heavy = two_bus(400.0, 0.0, 0.2)
    solution = solve(dataclasses.replace(heavy, branches=heavy.branches.assign(rating_a_mva=100.0)))
    assert solution.status is Status.DIVERGED
    assert np.isnan(solution.loading_percent()).all()
    assert not (solution.loading_percent() <= 100).any()


def test_storage_and_shunt_signs_of_pandapower():
    """Storage is positive when it charges, a shunt when it is inductive: both turn round at our border."""
    net = pp.create_empty_network(sn_mva=100.0)
    a, b = pp.create_bus(net, 110.0), pp.create_bus(net, 110.0)
    pp.create_ext_grid(net, a)
    pp.create_storage(net, b, p_mw=12.0, max_e_mwh=1)
    pp.create_shunt(net, b, q_mvar=5.0, p_mw=1.0)
    pp.create_line_from_parameters(net, a, b, 20, 0.1, 0.4, 9, 0.5)
    case = from_pandapower(net)
    assert case.generators.loc[case.generators["fuel"] == "storage", "p_mw"].tolist() == [-12.0]
    assert case.shunts[["g_mw", "b_mvar"]].to_numpy().tolist() == [[1.0, -5.0]]
    assert solve(case).vm_pu[1] == pytest.approx(run(net)[1], abs=1e-8)


def test_reference_without_a_running_generator():
    """The bus that the source calls reference has no machine: the largest running one takes over, and it is told."""
    case = random_case(4)
    idle = case.generators["bus_id"] == case.buses.loc[case.buses["kind"] == "ref", "bus_id"].iloc[0]
    case = dataclasses.replace(case, generators=case.generators.assign(in_service=~idle, p_max_mw=[100.0, 50.0, 400.0]))
    solution = solve(case)
    assert solution.status is Status.SOLVED
    assert solution.reference_bus == case.generators["bus_id"].iloc[2]
    assert f"reference moved to bus {solution.reference_bus}" in solution.detail
    nothing = dataclasses.replace(case, generators=case.generators.assign(in_service=False))
    assert solve(nothing).status is Status.DIVERGED


def test_a_tie_with_a_ratio_is_refused():
    from layers.contracts import InputError

    case = two_bus()
    odd = dataclasses.replace(case, branches=case.branches.assign(x_pu=0.0, ratio=1.05))
    with pytest.raises(InputError) as error:
        solve(odd)
    assert error.value.findings[0].rule == "case.tie_with_ratio"


def test_each_separate_part_has_its_own_reference():
    """Two networks in one file, both with a reference: both are solved, nothing is lost."""
    one, two = two_bus(50.0), two_bus(70.0)
    shift = {"bus_id": 10, "regulated_bus_id": 10, "from_bus": 10, "to_bus": 10, "controlled_bus_id": 10}
    import pandas as pd

    def both(name):
        second = getattr(two, name).copy()
        for column, by in shift.items():
            if column in second:
                second[column] += by
        key = second.columns[0]
        if key != "bus_id":
            second[key] += "b"
        return pd.concat([getattr(one, name), second], ignore_index=True)

    case = dataclasses.replace(one, **{n: both(n) for n in ("buses", "loads", "generators", "branches")})
    solution = solve(case)
    assert solution.status is Status.SOLVED
    assert solution.generator_p_mw == pytest.approx([50.0, 70.0], abs=1e-7)
    cut = solve(case, out=["1-2b"])
    assert cut.status is Status.SPLIT
    assert cut.lost_load_mw == 70.0


def test_empty_case_is_a_finding():
    from layers.contracts import InputError

    with pytest.raises(InputError) as error:
        solve(make_case("nothing", 100.0, Source("test"), {}))
    assert "case.no_buses" in {f.rule for f in error.value.findings}
