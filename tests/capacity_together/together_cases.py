"""Small networks for several buses at once, and an oracle that knows nothing of rows, slopes or batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from grid.contracts import Status
from grid.model.arrays import compile_case
from grid.model.contracts import CASE_GENERATORS, BusBranch, Source, fill, make_case
from grid.solve import solve_arrays
from grid.solve_records import SolveOptions


def network(
    branches: list[tuple[int, int, float, float, float]],
    loads: dict[int, float] | None = None,
    band: tuple[float, float] = (0.8, 1.2),
    name: str = "net",
) -> BusBranch:
    """Reference at bus 1 (1 pu, 100 MVA base); branches (from, to, r, x, rating in MVA); loads in MW, 0.2 Mvar a MW."""
    buses = sorted({b for f, t, *_ in branches for b in (f, t)})
    demand = loads or {}
    return make_case(
        name, 100.0, Source("test", shown_path=f"{name}.m"),
        {
            "buses": {"bus_id": buses, "vn_kv": 110.0 + 0.0 * np.array(buses),
                      "kind": ["ref" if b == 1 else "pq" for b in buses], "vm_min_pu": band[0] + 0.0 * np.array(buses),
                      "vm_max_pu": band[1] + 0.0 * np.array(buses)},
            "loads": {"load_id": [f"L{b}" for b in demand], "bus_id": list(demand), "p_mw": list(demand.values()),
                      "q_mvar": [0.2 * p for p in demand.values()]} if demand else {},
            "generators": {"generator_id": ["G"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0], "fuel": ["infeed"]},
            "branches": {"branch_id": [f"{f}-{t}{'' if k == 0 else 'abc'[k]}" for (f, t), k in _twins(branches)],
                         "kind": "line", "from_bus": [b[0] for b in branches], "to_bus": [b[1] for b in branches],
                         "r_pu": [b[2] for b in branches], "x_pu": [b[3] for b in branches],
                         "rating_a_mva": [b[4] for b in branches]},
        },
    ).validate()  # fmt: skip


def _twins(branches: list[tuple[int, int, float, float, float]]) -> list[tuple[tuple[int, int], int]]:
    pairs = [(b[0], b[1]) for b in branches]
    return [(pair, pairs[:k].count(pair)) for k, pair in enumerate(pairs)]


def two_corridors(rating: float = 60.0) -> BusBranch:
    """::

        +==(2 circuits)== 2 --- 3          two sites behind 1=2, one behind 1=4
    1 --+
        +==(2 circuits)== 4
    """
    wide = 500.0
    return network([(1, 2, 0.01, 0.1, rating), (1, 2, 0.01, 0.1, rating), (2, 3, 0.001, 0.01, wide),
                    (2, 3, 0.001, 0.01, wide), (1, 4, 0.01, 0.1, rating), (1, 4, 0.01, 0.1, rating)])  # fmt: skip


def ring(seed: int, n: int = 5) -> BusBranch:
    """A random ring with a chord, loads at all buses, ratings with room."""
    rng = np.random.default_rng(seed)
    pairs = [(k, k % n + 1) for k in range(1, n + 1)] + [(1, 3)]
    x = rng.uniform(0.05, 0.2, len(pairs))
    branches = [
        (f, t, float(0.2 * a), float(a), float(rng.uniform(60, 120))) for (f, t), a in zip(pairs, x, strict=True)
    ]
    return network(branches, {b: float(rng.uniform(2, 10)) for b in range(2, n + 1)}, (0.9, 1.1), f"ring{seed}")


def with_plants(case: BusBranch, mw: dict[int, float]) -> BusBranch:
    new = fill(CASE_GENERATORS, {"generator_id": [f"new{b}" for b in mw], "bus_id": list(mw), "p_mw": list(mw.values()),
                                 "fuel": "pv", "control": "power"})  # fmt: skip
    return replace(case, generators=pd.concat([case.generators, new], ignore_index=True))


def worst(case: BusBranch, mw: dict[int, float], n_1: bool = True, enough: float = np.inf) -> tuple[float, float]:
    """(largest loading in shares of rating a, largest voltage outside the band) over all outages, each a full load
    flow of its own; infinite where one has no solution. Ends early at a loading of ``enough``."""
    arrays = compile_case(with_plants(case, mw))
    position = {int(b): i for i, b in enumerate(case.buses["bus_id"])}
    f, t = (np.array([position[int(b)] for b in case.branches[end]]) for end in ("from_bus", "to_bus"))
    rating = case.branches["rating_a_mva"].to_numpy()
    low, high = case.buses["vm_min_pu"].to_numpy(), case.buses["vm_max_pu"].to_numpy()
    loading, outside = 0.0, -np.inf
    start = None
    for k in range(-1, arrays.n_branch if n_1 else 0):
        found = solve_arrays(arrays, SolveOptions(), start, np.arange(arrays.n_branch) != k)
        if found.status is Status.DIVERGED:
            return np.inf, np.inf
        start = found.voltage if k < 0 else start
        vm = found.vm_pu
        ends = (np.hypot(found.p_from_mw, found.q_from_mvar) / vm[f], np.hypot(found.p_to_mw, found.q_to_mvar) / vm[t])
        loading = max(loading, float(np.nanmax(np.maximum(*ends) / rating)))
        outside = max(outside, float(np.nanmax([vm - high, low - vm])))
        if loading > enough:
            break
    return loading, outside


def clean(case: BusBranch, mw: dict[int, float], n_1: bool = True, loading: float = 1e-4, pu: float = 1e-5) -> bool:
    top, outside = worst(case, mw, n_1, 1 + loading)
    return top <= 1 + loading and outside <= pu


def scanned(case: BusBranch, bus: int, others: dict[int, float], step: float, most: float, n_1: bool = True) -> float:
    """Last clean MW on the way up in steps, then in steps of an eighth from there."""
    mw = 0.0
    for size in (step, step / 8):
        while mw + size <= most and clean(case, {**others, bus: mw + size}, n_1):
            mw += size
    return mw
