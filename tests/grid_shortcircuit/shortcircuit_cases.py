"""Small networks for short circuits, and what the standard tables say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from grid.model.contracts import BusBranch, Source, make_case
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit

C = 1.1
ENGINES = ("pandapower", "matrix")


def currents(case: BusBranch, engine: str = "matrix", **options: Any) -> pd.DataFrame:
    return run_short_circuit(case, ShortCircuitOptions(engine=engine, **options)).buses.set_index("bus")


def close(a: Any, b: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=tolerance)


def infeed_and_line(**extra: Any) -> BusBranch:
    """::

    infeed 2000 MVA  1 o----[ 20 km, 0.1 + j0.4 ohm/km ]----o 2        110 kV, 100 MVA base: 121 ohm
    """
    return make_case(
        "line",
        100.0,
        Source("test", shown_path="line.m"),
        {
            "buses": {"bus_id": [1, 2], "vn_kv": [110.0, 110.0], "kind": ["ref", "pq"], "va_degree": [0.0, 0.0]},
            "loads": {"load_id": ["L2"], "bus_id": [2], "p_mw": [50.0], "q_mvar": [10.0]},
            "generators": {
                "generator_id": ["Q1", *extra.get("generator_id", [])],
                "bus_id": [1, *extra.get("bus_id", [])],
                "p_mw": [0.0, *extra.get("p_mw", [])],
                "sn_mva": [np.nan, *extra.get("sn_mva", [])],
                "fuel": ["infeed", *extra.get("fuel", [])],
                "vm_pu": 1.0,
                "control": ["voltage"] + ["power"] * len(extra.get("bus_id", [])),
            },
            "branches": {
                "branch_id": ["1-2"], "kind": ["line"], "from_bus": [1], "to_bus": [2], "r_pu": [2.0 / 121],
                "x_pu": [8.0 / 121], "b_pu": [0.01], "length_km": [20.0],
            },
        },
    )  # fmt: skip


def machine_behind_transformer() -> BusBranch:
    """::

    coal 200 MVA, x" 20 %  (~)--o 2 (15.75 kV)--[ 240 MVA, 13 % ]--o 1 (220 kV)----[ 30 km ]----o 3     o 4 (dark)
    """
    return make_case(
        "machine",
        100.0,
        Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3, 4], "vn_kv": [220.0, 15.75, 220.0, 220.0], "kind": ["pq", "ref", "pq", "pq"]},
            "generators": {
                "generator_id": ["G"], "bus_id": [2], "p_mw": [150.0], "sn_mva": [200.0], "p_max_mw": [170.0],
                "fuel": ["coal"], "vm_pu": [1.0],
            },
            "branches": {
                "branch_id": ["T", "L"], "kind": ["transformer", "line"], "from_bus": [1, 1], "to_bus": [2, 3],
                "r_pu": [0.001, 0.05 * 30 / 484], "x_pu": [0.13 * 100 / 240, 0.4 * 30 / 484],
                "rating_a_mva": [240.0, 300.0], "length_km": [np.nan, 30.0], "ratio": [1.05, 1.0],
                "shift_degree": [30.0, 0.0],
            },
        },
    )  # fmt: skip


def meshed(seed: int, n: int = 9, chords: int = 4) -> BusBranch:
    """A random 220/110/35 kV network: two infeeds, machines on the network, converters, units of every kind."""
    rng = np.random.default_rng(seed)
    vn = np.where(np.arange(n) < n // 3, 220.0, np.where(np.arange(n) < n - 2, 110.0, 35.0))
    pairs = [(int(rng.integers(0, k)), k) for k in range(1, n)]
    while len(pairs) < n - 1 + chords:
        a, b = sorted(rng.choice(n, 2, replace=False).tolist())
        pairs.append((a, b))
    f, t = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    unit = vn[f] != vn[t]
    m = len(pairs)
    machines = rng.choice(n, 4, replace=False)
    sun = rng.choice(n, 3, replace=False)
    fuels = ["infeed", "infeed", "coal", "hydro", "pv", "wind", "storage"]
    return make_case(
        f"meshed{seed}",
        100.0,
        Source("test"),
        {
            "buses": {"bus_id": np.arange(1, n + 1) * 10, "vn_kv": vn, "kind": ["ref"] + ["pq"] * (n - 1)},
            "generators": {
                "generator_id": [f"G{k}" for k in range(7)],
                "bus_id": np.concatenate([machines, sun]) * 10 + 10,
                "p_mw": rng.uniform(10, 90, 7), "sn_mva": rng.uniform(100, 300, 7), "p_max_mw": np.full(7, 95.0),
                "fuel": fuels, "vm_pu": np.full(7, 1.0),
            },
            "branches": {
                "branch_id": [f"B{k}" for k in range(m)], "kind": np.where(unit, "transformer", "line"),
                "from_bus": f * 10 + 10, "to_bus": t * 10 + 10, "r_pu": rng.uniform(0.001, 0.01, m),
                "x_pu": rng.uniform(0.02, 0.15, m), "b_pu": rng.uniform(0, 0.05, m),
                "ratio": np.where(unit, rng.uniform(0.95, 1.05, m), 1.0),
                "rating_a_mva": rng.uniform(60, 250, m), "length_km": np.where(rng.random(m) < 0.5, np.nan, 25.0),
            },
        },
    )  # fmt: skip
