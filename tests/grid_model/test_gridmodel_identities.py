"""What must not change a load flow, on random networks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from gridmodel_cases import random_case
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.contracts import Status
from grid.model.arrays import compile_case, injections
from grid.solve import solve
from grid.solve_records import SolveOptions

SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=8, deadline=None)


def voltages(solution):
    return dict(zip(solution.case.buses["bus_id"].tolist(), solution.voltage.tolist(), strict=True))


def solved(case, **options):
    solution = solve(case, SolveOptions(**options))
    assert solution.status is Status.SOLVED
    return solution


@FEW
@given(seed=SEEDS, pick=st.integers(0, 16))
def test_two_identical_parallel_circuits_are_one_of_half_the_impedance(seed, pick):
    case = random_case(seed, shifts=True)
    row = case.branches.iloc[pick]
    half = case.branches.copy()
    for name in ("r_pu", "x_pu"):
        half.loc[pick, name] = 2 * row[name]
    for name in ("g_pu", "b_pu"):
        half.loc[pick, name] = row[name] / 2
    twin = half.iloc[[pick]].assign(branch_id="twin")
    doubled = dataclasses.replace(case, branches=pd.concat([half, twin], ignore_index=True))
    one, two = solved(case), solved(doubled)
    assert np.abs(one.voltage - two.voltage).max() < 1e-10
    assert two.p_from_mw[pick] == pytest.approx(two.p_from_mw[-1], abs=1e-9)
    assert two.p_from_mw[pick] + two.p_from_mw[-1] == pytest.approx(one.p_from_mw[pick], abs=1e-8)


@FEW
@given(seed=SEEDS, pick=st.integers(0, 11))
def test_splitting_a_bus_with_a_tie_changes_nothing(seed, pick):
    """Half of the branches and the load move to a new section; the tie carries what the section takes."""
    case = random_case(seed, shifts=True)
    bus = int(case.buses["bus_id"].iloc[pick])
    section = case.buses.iloc[[pick]].assign(bus_id=999_999_937, kind="pq", gs_mw=0.0, bs_mvar=0.0)
    branches, loads = case.branches.copy(), case.loads.copy()
    at_from = branches.index[branches["from_bus"] == bus]
    branches.loc[at_from, "from_bus"] = 999_999_937
    loads.loc[loads["bus_id"] == bus, "bus_id"] = 999_999_937
    tie = branches.iloc[[0]].assign(
        branch_id="tie", kind="line", from_bus=bus, to_bus=999_999_937, r_pu=0.0, x_pu=0.0, b_pu=0.0, ratio=1.0,
        shift_degree=0.0,
    )  # fmt: skip
    split = dataclasses.replace(
        case,
        buses=pd.concat([case.buses, section], ignore_index=True),
        branches=pd.concat([branches, tie], ignore_index=True),
        loads=loads,
    )
    one, two = solved(case), solved(split)
    assert two.vm_pu[-1] == two.vm_pu[pick]
    assert np.abs(one.voltage - two.voltage[:-1]).max() < 1e-10
    assert np.abs(one.p_from_mw - two.p_from_mw[:-1]).max() < 1e-8
    moved = one.p_from_mw[at_from].sum() + case.loads.loc[case.loads["bus_id"] == bus, "p_mw"].sum()
    assert two.p_from_mw[-1] == pytest.approx(moved, abs=1e-7)
    assert two.losses_mw == pytest.approx(one.losses_mw, abs=1e-8)


@FEW
@given(seed=SEEDS)
def test_renumbering_and_reordering_change_nothing(seed):
    case = random_case(seed, shifts=True)
    rng = np.random.default_rng(seed)
    new = dict(zip(case.buses["bus_id"], rng.choice(2_000_000_000, len(case.buses), replace=False) + 1, strict=True))

    def renumbered(frame, *columns):
        mixed = frame.assign(**{c: frame[c].map(new).astype(np.int64) for c in columns})
        return mixed.iloc[rng.permutation(len(mixed))].reset_index(drop=True)

    other = dataclasses.replace(
        case,
        buses=renumbered(case.buses, "bus_id"),
        loads=renumbered(case.loads, "bus_id"),
        generators=renumbered(case.generators, "bus_id", "regulated_bus_id"),
        branches=renumbered(case.branches, "from_bus", "to_bus", "controlled_bus_id"),
    )
    one, two = voltages(solved(case)), voltages(solved(other))
    assert max(abs(one[b] - two[new[b]]) for b in one) < 1e-10


@FEW
@given(seed=SEEDS, slack=st.sampled_from(["references", "weights"]))
def test_what_goes_in_comes_out(seed, slack):
    """Generation = load + shunts + losses to 1e-6 MW, and the slack is shared by the weights."""
    case = random_case(seed, shifts=True)
    solution = solved(case, slack=slack)
    given_mw = solution.generator_p_mw.sum()
    assert given_mw == pytest.approx(solution.load_mw + solution.shunt_mw + solution.losses_mw, abs=1e-6)
    assert solution.losses_mw > 0
    share = solution.slack_mw / solution.slack_mw.sum()
    weight = case.generators["slack_weight"].to_numpy()
    expected = weight / weight.sum() if slack == "weights" else [1.0, 0.0, 0.0]
    assert share == pytest.approx(expected, abs=1e-9)
    reference = case.buses["kind"] == "ref"
    assert solution.va_degree[reference.to_numpy()] == pytest.approx([7.0], abs=1e-9)


@FEW
@given(seed=SEEDS, outage=st.integers(0, 16))
def test_input_equals_result_plus_lost_power(seed, outage):
    case = random_case(seed, chords=2)
    solution = solve(case, out=[case.branches["branch_id"].iloc[outage % len(case.branches)]])
    assert solution.status in (Status.SOLVED, Status.SPLIT)
    assert solution.load_mw + solution.lost_load_mw == pytest.approx(case.loads["p_mw"].sum(), abs=1e-9)
    scheduled = np.nansum(solution.generator_p_mw - solution.slack_mw)
    assert scheduled + solution.lost_generation_mw == pytest.approx(case.generators["p_mw"].sum(), abs=1e-7)
    assert (len(solution.lost_buses) > 0) == (solution.status is Status.SPLIT)
    assert set(np.flatnonzero(np.isnan(solution.vm_pu))) == {
        case.buses.index[case.buses["bus_id"] == b][0] for b in solution.lost_buses
    }


@FEW
@given(seed=SEEDS)
def test_starts_lead_to_the_same_state(seed):
    case = random_case(seed, shifts=True)
    states = [solved(case, starts=(start,)).voltage for start in ("dc", "flat", "damped")]
    warm = solve(case, start=states[0])
    assert warm.start == "warm"
    assert warm.iterations <= 1
    for state in states[1:]:
        assert np.abs(state - states[0]).max() < 1e-9


@FEW
@given(seed=SEEDS)
def test_same_case_same_bits(seed):
    case = random_case(seed, shifts=True)
    assert solve(case).voltage.tobytes() == solve(case).voltage.tobytes()


@FEW
@given(seed=SEEDS, p=st.floats(-50, 50), q=st.floats(-50, 50))
def test_signs_of_everything_that_injects(seed, p, q):
    """A load of p consumes what a generator of p produces and an HVDC end of p injects."""
    case = random_case(seed)
    bus = int(case.buses["bus_id"].iloc[0])
    base = injections(compile_case(case))
    load = case.loads.iloc[[0]].assign(load_id="x", bus_id=bus, p_mw=p, q_mvar=q)
    machine = case.generators.iloc[[0]].assign(
        generator_id="x", bus_id=bus, regulated_bus_id=bus, p_mw=p, q_mvar=q, control="power", slack_weight=0.0
    )
    link = pd.DataFrame(
        {"hvdc_id": ["x"], "name": [""], "from_bus": [-1], "to_bus": [bus], "p_from_mw": [0.0], "q_from_mvar": [0.0],
         "p_to_mw": [p], "q_to_mvar": [q], "in_service": [True]}
    )  # fmt: skip
    changed = {
        "loads": (dataclasses.replace(case, loads=pd.concat([case.loads, load], ignore_index=True)), -1),
        "generators": (
            dataclasses.replace(case, generators=pd.concat([case.generators, machine], ignore_index=True)),
            1,
        ),
        "hvdc": (dataclasses.replace(case, hvdc=link), 1),
    }
    for name, (other, sign) in changed.items():
        moved = injections(compile_case(other)) - base
        assert moved[0] == pytest.approx(sign * (p + 1j * q) / 100, abs=1e-12), name
        assert not moved[1:].any()
