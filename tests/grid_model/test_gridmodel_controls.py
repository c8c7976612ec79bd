"""Controls that move between two Newton solves, against closed forms of two buses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from gridmodel_cases import random_case, two_bus

from grid.contracts import Status
from grid.model.contracts import CASE_SHUNT_STEPS, CASE_SHUNTS, fill
from grid.solve import solve
from grid.solve_records import SolveOptions


def two_bus_voltage(p_mw, q_mvar, x_pu, e_pu=1.0):
    """|V2| of E --jx-- load: V^4 + (2 q x - E^2) V^2 + x^2 (p^2 + q^2) = 0, the upper root."""
    p, q = p_mw / 100, q_mvar / 100
    half = e_pu**2 / 2 - q * x_pu
    return np.sqrt(half + np.sqrt(half**2 - x_pu**2 * (p**2 + q**2)))


def test_two_buses_closed_form():
    solution = solve(two_bus(80.0, 30.0, 0.2))
    assert solution.vm_pu[1] == pytest.approx(two_bus_voltage(80, 30, 0.2), abs=1e-10)
    assert solution.p_from_mw[0] == pytest.approx(80.0, abs=1e-7)
    assert solution.va_degree[1] == pytest.approx(-np.rad2deg(np.arcsin(0.8 * 0.2 / solution.vm_pu[1])), abs=1e-8)


def test_beyond_the_nose_it_diverges_and_says_so():
    """Unity power factor: P_max = E^2 / (2 x) = 250 MW at x = 0.2."""
    assert solve(two_bus(249.0, 0.0, 0.2)).status is Status.SOLVED
    beyond = solve(two_bus(251.0, 0.0, 0.2))
    assert beyond.status is Status.DIVERGED
    assert "starts dc, flat, damped" in beyond.detail
    warm = solve(two_bus(251.0, 0.0, 0.2), start=np.array([1.0, 0.7 - 0.6j]))
    assert "starts warm, dc, flat, damped" in warm.detail
    assert beyond.mismatch_mva > 1e-3
    assert np.isnan(beyond.vm_pu).all()
    assert np.isnan(beyond.loading_percent()).all()


# ---------------------------------------------------------------- reactive limits


def machine_at_two(q_max=10.0, q_min=-10.0, p=0.0, vm=1.0, load_q=40.0):
    case = two_bus(50.0, load_q, 0.1)
    machine = case.generators.assign(
        generator_id="G2", bus_id=2, regulated_bus_id=2, q_max_mvar=q_max, q_min_mvar=q_min, p_mw=p, vm_pu=vm
    )
    return dataclasses.replace(case, generators=pd.concat([case.generators, machine], ignore_index=True))


def test_generator_stops_at_its_upper_limit():
    case = machine_at_two()
    assert solve(case).vm_pu[1] == pytest.approx(1.0)
    limited = solve(case, SolveOptions(reactive_limits=True))
    assert limited.at_limit == ("G2",)
    assert limited.generator_q_mvar[1] == pytest.approx(10.0, abs=1e-6)
    assert limited.vm_pu[1] == pytest.approx(two_bus_voltage(50, 30, 0.1), abs=1e-9)


def test_generator_stops_at_its_lower_limit():
    limited = solve(machine_at_two(vm=0.9), SolveOptions(reactive_limits=True))
    assert limited.generator_q_mvar[1] == pytest.approx(-10.0, abs=1e-6)
    assert limited.vm_pu[1] == pytest.approx(two_bus_voltage(50, 50, 0.1), abs=1e-9)


def test_generator_within_its_limits_is_left_alone():
    limited = solve(machine_at_two(q_max=100, q_min=-100), SolveOptions(reactive_limits=True))
    assert limited.at_limit == ()
    assert limited.vm_pu[1] == pytest.approx(1.0)


def test_generator_is_released_when_its_neighbour_no_longer_pulls():
    """The recheck after each switch: bus 3 absorbs until it is limited; only then bus 2 is within its range again."""
    case = machine_at_two(q_max=18.0, q_min=-50, load_q=10.0)
    third = case.buses.iloc[[1]].assign(bus_id=3)
    branch = case.branches.assign(branch_id="2-3", from_bus=2, to_bus=3, controlled_bus_id=3, x_pu=0.05)
    sink = case.generators.iloc[[1]].assign(
        generator_id="G3", bus_id=3, regulated_bus_id=3, vm_pu=0.95, q_min_mvar=-5.0, q_max_mvar=50.0
    )
    case = dataclasses.replace(
        case,
        buses=pd.concat([case.buses, third], ignore_index=True),
        branches=pd.concat([case.branches, branch], ignore_index=True),
        generators=pd.concat([case.generators, sink], ignore_index=True),
    )
    free = solve(case)
    assert free.generator_q_mvar[1] > 18
    limited = solve(case, SolveOptions(reactive_limits=True))
    assert limited.at_limit == ("G3",)
    assert limited.vm_pu[1] == pytest.approx(1.0, abs=1e-9)
    # 10 of the load, 5 of the sink, and (1 - cos delta) / x = 1.25 Mvar of the line's loss
    assert limited.generator_q_mvar[1] == pytest.approx(16.27, abs=0.03)


@pytest.mark.parametrize("seed", range(12))
def test_no_limit_is_broken_and_none_is_kept_without_need(seed):
    """Recheck of the end state: held voltages within range, fixed ones pull the right way."""
    case = random_case(seed, generators=5)
    tight = case.generators.assign(q_max_mvar=4.0, q_min_mvar=-2.0)
    case = dataclasses.replace(case, generators=tight)
    solution = solve(case, SolveOptions(reactive_limits=True))
    assert solution.status is Status.SOLVED
    assert solution.unsettled == ()
    place = {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    for k, g in enumerate(case.generators.to_dict("records")[1:], start=1):
        q, vm = solution.generator_q_mvar[k], solution.vm_pu[place[g["bus_id"]]]
        if g["generator_id"] in solution.at_limit:
            assert (q == pytest.approx(4.0) and vm <= g["vm_pu"] + 1e-6) or (
                q == pytest.approx(-2.0) and vm >= g["vm_pu"] - 1e-6
            )
        else:
            assert -2.0 - 1e-3 <= q <= 4.0 + 1e-3
            assert vm == pytest.approx(g["vm_pu"], abs=1e-9)


def test_slack_is_shared_by_a_generator_at_its_limit():
    """Sharing active power does not depend on holding the voltage."""
    case = machine_at_two(p=20.0)
    case = dataclasses.replace(case, generators=case.generators.assign(slack_weight=[1.0, 3.0]))
    solution = solve(case, SolveOptions(reactive_limits=True, slack="weights"))
    assert solution.at_limit == ("G2",)
    assert solution.slack_mw == pytest.approx([7.5, 22.5], abs=1e-6)  # 50 - 20 = 30 MW, no losses


# ---------------------------------------------------------------- remote voltage and voltage-dependent loads


def test_remote_bus_is_held():
    case = two_bus(50.0, 20.0, 0.1)
    case = dataclasses.replace(case, generators=case.generators.assign(regulated_bus_id=2, vm_pu=1.01))
    solution = solve(case)
    assert solution.vm_pu[1] == pytest.approx(1.01, abs=1e-7)
    assert two_bus_voltage(50, 20, 0.1, solution.vm_pu[0]) == pytest.approx(1.01, abs=1e-7)


def test_constant_current_and_admittance_loads():
    """50 MW of constant current and 20 MW of constant admittance at 1 pu, unity power factor, x = 0.1."""
    case = two_bus(0.0, 0.0, 0.1)
    case = dataclasses.replace(case, loads=case.loads.assign(p_i_mw=50.0, p_z_mw=20.0))
    solution = solve(case)
    v = solution.vm_pu[1]
    served = 50 * v + 20 * v**2
    assert solution.load_mw == pytest.approx(served, abs=1e-6)
    assert two_bus_voltage(served, 0.0, 0.1) == pytest.approx(v, abs=1e-9)
    assert solution.generator_p_mw[0] == pytest.approx(served, abs=1e-6)
    second = solve(case, SolveOptions(engine="pandapower"))
    assert second.vm_pu[1] == pytest.approx(v, abs=1e-7)


# ---------------------------------------------------------------- taps and shunts


def tapped(target=1.0, band=np.nan, p=80.0, q=40.0, controlled=2, count=17):
    """A unit with +-8 x 1.25 % at its feeding side."""
    case = two_bus(
        p, q, 0.1, tap_control="voltage", controlled_bus_id=controlled, ratio_min=0.9, ratio_max=1.1,
        tap_positions=count, vm_target_pu=target, vm_band_pu=band,
    )  # fmt: skip
    return dataclasses.replace(case, branches=case.branches.assign(kind="transformer"))


def test_tap_brings_the_voltage_into_its_band():
    case = tapped(band=0.007)
    assert solve(case).vm_pu[1] < 0.96
    moved = solve(case, SolveOptions(taps=True))
    step = 0.0125
    assert abs(moved.vm_pu[1] - 1.0) <= 0.007
    assert (moved.ratio[0] - 0.9) / step == pytest.approx(round((moved.ratio[0] - 0.9) / step), abs=1e-9)
    assert moved.unsettled == ()
    fixed = dataclasses.replace(case, branches=case.branches.assign(ratio=moved.ratio))
    assert solve(fixed).vm_pu[1] == pytest.approx(moved.vm_pu[1], abs=1e-10)


def test_tap_of_the_other_side_turns_the_other_way():
    """The same unit written from the load's side: the ratio now stands at the controlled bus and must rise."""
    case = tapped(band=0.007)
    turned = case.branches.assign(from_bus=2, to_bus=1)
    moved = solve(dataclasses.replace(case, branches=turned), SolveOptions(taps=True))
    assert moved.ratio[0] > 1
    assert abs(moved.vm_pu[1] - 1.0) <= 0.007


def test_tap_without_a_band_takes_the_nearest_step_and_does_not_hunt():
    moved = solve(tapped(target=1.003), SolveOptions(taps=True))
    assert moved.unsettled == ()
    errors = []
    for shift in (-0.0125, 0.0, 0.0125):
        case = tapped()
        other = dataclasses.replace(case, branches=case.branches.assign(ratio=moved.ratio + shift))
        errors.append(abs(solve(other).vm_pu[1] - 1.003))
    assert errors[1] == min(errors)


def test_tap_stops_at_its_end():
    moved = solve(tapped(target=1.3, band=0.005), SolveOptions(taps=True))
    assert moved.ratio[0] == pytest.approx(0.9)
    assert moved.unsettled == ()


def test_continuous_tap_meets_its_target():
    moved = solve(tapped(target=1.004, band=1e-6, count=0), SolveOptions(taps=True))
    assert moved.vm_pu[1] == pytest.approx(1.004, abs=1e-6)


def test_parallel_units_share_the_work():
    case = tapped(band=0.007)
    pair = pd.concat([case.branches, case.branches.assign(branch_id="second")], ignore_index=True)
    moved = solve(dataclasses.replace(case, branches=pair.assign(x_pu=0.2)), SolveOptions(taps=True))
    assert abs(moved.vm_pu[1] - 1.0) <= 0.007
    assert moved.ratio[0] == moved.ratio[1]


def with_shunt(control, low=0.99, high=1.01, regulated=2):
    case = two_bus(80.0, 60.0, 0.15)
    shunt = fill(
        CASE_SHUNTS,
        {"shunt_id": ["S"], "bus_id": [2], "b_mvar": [0.0], "control": [control], "regulated_bus_id": [regulated],
         "vm_min_pu": [low], "vm_max_pu": [high]},
    )  # fmt: skip
    steps = fill(CASE_SHUNT_STEPS, {"shunt_id": ["S", "S"], "block": [1, 2], "count": [4, 1], "b_mvar": [15.0, -30.0]})
    return dataclasses.replace(case, shunts=shunt, shunt_steps=steps)


def test_steps_are_switched_until_the_voltage_is_in_its_band():
    case = with_shunt("discrete")
    assert solve(case).vm_pu[1] < 0.92
    switched = solve(case, SolveOptions(shunt_steps=True))
    assert 0.99 <= switched.vm_pu[1] <= 1.01
    assert switched.shunt_b_mvar[0] in (15.0, 30.0, 45.0, 60.0)


def test_reactor_is_switched_at_light_load():
    case = with_shunt("discrete", 0.94, 0.96)
    light = dataclasses.replace(case, loads=case.loads.assign(p_mw=1.0, q_mvar=0.0))
    switched = solve(light, SolveOptions(shunt_steps=True))
    assert switched.shunt_b_mvar[0] == -30.0
    assert switched.vm_pu[1] == pytest.approx(0.957, abs=2e-3)


def test_continuous_shunt_meets_the_middle_of_its_band():
    switched = solve(with_shunt("continuous", 0.98, 0.98), SolveOptions(shunt_steps=True))
    assert switched.vm_pu[1] == pytest.approx(0.98, abs=1e-6)
    assert 15 < switched.shunt_b_mvar[0] < 60


def test_taps_and_steps_and_limits_together_settle():
    case = with_shunt("discrete")
    unit = tapped(band=0.01, target=1.02).branches
    machine = machine_at_two(q_max=5.0).generators
    case = dataclasses.replace(case, branches=unit, generators=machine.assign(vm_pu=[1.0, 1.03]))
    solution = solve(case, SolveOptions(taps=True, shunt_steps=True, reactive_limits=True))
    assert solution.status is Status.SOLVED
    assert solution.unsettled == ()
    if solution.at_limit:
        assert solution.generator_q_mvar[1] == pytest.approx(5.0, abs=1e-6)
    else:
        assert -10.0 <= solution.generator_q_mvar[1] <= 5.0
        assert solution.vm_pu[1] == pytest.approx(1.03)
