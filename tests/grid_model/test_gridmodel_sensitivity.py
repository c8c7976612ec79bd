"""PTDF, LODF, loss and voltage factors against re-solves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from gridmodel_cases import matpower_case, random_case, two_bus
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.contracts import Status
from grid.sensitivity import (
    ac_point,
    dc_flows,
    dc_model,
    find_bridges,
    lodf,
    loss_sensitivity,
    ptdf,
    voltage_sensitivity,
)
from grid.solve import solve
from grid.solve_records import SolveOptions

SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=6, deadline=None)


@FEW
@given(seed=SEEDS)
def test_flows_are_ptdf_times_injections(seed):
    case = random_case(seed)
    model, rng = dc_model(case), np.random.default_rng(seed)
    factors = ptdf(model)
    p1, p2 = rng.uniform(-50, 50, (2, len(case.buses)))
    assert np.abs(dc_flows(model, p1) - factors @ p1).max() < 1e-9
    assert np.abs(dc_flows(model, 2 * p1 - 3 * p2) - 2 * dc_flows(model, p1) + 3 * dc_flows(model, p2)).max() < 1e-9
    both = dc_flows(model, np.column_stack([p1, p2]))
    assert np.abs(both - factors @ np.column_stack([p1, p2])).max() < 1e-9


@FEW
@given(seed=SEEDS)
def test_ptdf_of_the_slack_is_zero_and_differences_do_not_know_it(seed):
    case = random_case(seed)
    reference = int(np.flatnonzero(case.buses["kind"] == "ref")[0])
    one = ptdf(dc_model(case))
    weight = np.random.default_rng(seed).uniform(0, 1, len(case.buses))
    two = ptdf(dc_model(case, weight))
    assert not one[:, reference].any()
    assert np.abs(two @ weight).max() < 1e-12
    assert np.abs((one - one[:, [0]]) - (two - two[:, [0]])).max() < 1e-12
    rows, columns = [3, 1], [5, 0]
    assert np.array_equal(ptdf(dc_model(case), rows, columns), one[np.ix_(rows, columns)])


@FEW
@given(seed=SEEDS)
def test_dc_flows_with_phase_shifts_balance(seed):
    case = random_case(seed, shifts=True)
    flows = dc_flows(dc_model(case))
    place = {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    net = np.zeros(len(case.buses))
    np.add.at(net, [place[int(b)] for b in case.branches["from_bus"]], flows)
    np.add.at(net, [place[int(b)] for b in case.branches["to_bus"]], -flows)
    given_mw = np.zeros(len(case.buses))
    np.add.at(given_mw, [place[int(b)] for b in case.generators["bus_id"]], case.generators["p_mw"])
    np.subtract.at(given_mw, [place[int(b)] for b in case.loads["bus_id"]], case.loads["p_mw"])
    reference = int(np.flatnonzero(case.buses["kind"] == "ref")[0])
    gap = np.delete(net - given_mw, reference)
    assert np.abs(gap).max() < 1e-9


@FEW
@given(seed=SEEDS)
def test_lodf_gives_the_flows_of_a_new_solve(seed):
    case = random_case(seed, shifts=True)
    model = dc_model(case)
    factors, flows = lodf(model), dc_flows(model)
    bridges = set(factors.bridges.tolist())
    for k in range(len(case.branches)):
        column = factors.factors[:, k]
        if k in bridges:
            assert np.isnan(column).all()
            continue
        assert column[k] == -1.0
        status = case.branches["in_service"].copy()
        status.iloc[k] = False
        again = dc_flows(dc_model(dataclasses.replace(case, branches=case.branches.assign(in_service=status))))
        assert np.abs(flows + column * flows[k] - again).max() < 1e-8


def test_lodf_of_case118_and_its_nine_bridges():
    case = matpower_case("case118")
    model = dc_model(case)
    factors = lodf(model)
    assert len(factors.bridges) == 9
    solutions = [solve(case, out=[case.branches["branch_id"].iloc[k]]).status for k in factors.bridges]
    assert set(solutions) == {Status.SPLIT}
    flows = dc_flows(model)
    for k in (0, 50, 100):
        status = np.arange(len(case.branches)) != k
        again = dc_flows(dc_model(dataclasses.replace(case, branches=case.branches.assign(in_service=status))))
        assert np.abs(flows + factors.factors[:, k] * flows[k] - again).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "count"), [("case14", 1), ("case30", 3), ("case39", 11), ("case57", 1), ("case300", 89)]
)
def test_bridges_of_published_cases(name, count):
    assert len(find_bridges(dc_model(matpower_case(name)).arrays)) == count


def test_a_cut_of_two_branches_takes_over_everything():
    case = two_bus(50.0)
    pair = pd.concat([case.branches, case.branches.assign(branch_id="b", x_pu=0.3)], ignore_index=True)
    model = dc_model(dataclasses.replace(case, branches=pair))
    assert lodf(model).factors == pytest.approx(np.array([[-1.0, 1.0], [1.0, -1.0]]), abs=1e-12)
    assert dc_flows(model) == pytest.approx([37.5, 12.5], abs=1e-12)


@FEW
@given(seed=SEEDS, first=st.integers(0, 16), second=st.integers(0, 16))
def test_two_outages_by_a_two_by_two_solve(seed, first, second):
    """The flows that both outages would redirect: (I - L) x = f on the pair, then superposition."""
    case = random_case(seed, chords=8)
    model = dc_model(case)
    pair = [first, second]
    status = ~np.isin(np.arange(len(case.branches)), pair)
    after = dataclasses.replace(case, branches=case.branches.assign(in_service=status))
    base = lodf(model, pair)
    if first == second or np.isnan(base.factors).any() or solve(after).status is not Status.SOLVED:
        return
    single = dc_model(dataclasses.replace(case, branches=case.branches.assign(
        in_service=np.arange(len(case.branches)) != first)))  # fmt: skip
    if second in find_bridges(single.arrays):
        return
    flows = dc_flows(model)
    cross = base.factors[pair].copy()
    np.fill_diagonal(cross, 0.0)
    through = np.linalg.solve(np.eye(2) - cross, flows[pair])
    again = dc_flows(dc_model(after))
    rest = np.flatnonzero(status)
    assert np.abs((flows + base.factors @ through - again)[rest]).max() < 1e-7


def with_extra(case, row, p=0.0, q=0.0):
    bus = int(case.buses["bus_id"].iloc[row])
    extra = case.generators.iloc[[0]].assign(
        generator_id="extra", bus_id=bus, regulated_bus_id=bus, control="power", p_mw=p, q_mvar=q, slack_weight=0.0
    )
    return dataclasses.replace(case, generators=pd.concat([case.generators, extra], ignore_index=True))


@pytest.mark.parametrize("seed", range(5))
def test_ac_factors_are_the_slopes_of_new_solves(seed):
    """Central differences of 0.1 MW and 0.1 Mvar."""
    case = random_case(seed, shifts=True)
    point = ac_point(solve(case))
    volts, losses = voltage_sensitivity(point), loss_sensitivity(point)
    for row in range(0, len(case.buses), 3):
        for name in ("per_mw", "per_mvar"):
            change = {"per_mw": {"p": 0.1}, "per_mvar": {"q": 0.1}}[name]
            up = solve(with_extra(case, row, **change))
            down = solve(with_extra(case, row, **{k: -v for k, v in change.items()}))
            slope = (up.vm_pu - down.vm_pu) / 0.2
            assert np.abs(getattr(volts, name)[:, row] - slope).max() < 1e-7
            taken = (up.losses_mw + up.shunt_mw - down.losses_mw - down.shunt_mw) / 0.2
            assert getattr(losses, name)[row] == pytest.approx(taken, abs=1e-5)


def test_ac_factors_know_generators_at_their_limits():
    case = random_case(1, generators=4)
    case = dataclasses.replace(case, generators=case.generators.assign(q_max_mvar=3.0, q_min_mvar=-1.0))
    options = SolveOptions(reactive_limits=True)
    solution = solve(case, options)
    assert solution.at_limit
    volts = voltage_sensitivity(ac_point(solution))
    up, down = (solve(with_extra(case, 0, p=p), options) for p in (0.05, -0.05))
    assert up.at_limit == down.at_limit == solution.at_limit
    assert np.abs(volts.per_mw[:, 0] - (up.vm_pu - down.vm_pu) / 0.1).max() < 1e-6
    chosen = voltage_sensitivity(ac_point(solution), [2, 7], [0])
    assert np.allclose(chosen.per_mw[:, 0], volts.per_mw[[2, 7], 0], rtol=0, atol=1e-15)


def test_a_diverged_state_has_no_factors():
    with pytest.raises(ValueError, match="diverged"):
        ac_point(solve(two_bus(400.0, 0.0, 0.2)))


def test_dead_branches_and_buses_have_no_factor():
    case = random_case(3)
    off = case.branches["in_service"].copy()
    off.iloc[-1] = False
    model = dc_model(dataclasses.replace(case, branches=case.branches.assign(in_service=off)))
    assert not ptdf(model)[-1].any()
    assert not lodf(model).factors[:, -1].any()
    assert dc_flows(model)[-1] == 0.0
