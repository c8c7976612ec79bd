"""Small networks with closed forms or quick scans, and hours for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grid.batch import BatchSolver
from grid.capacity.settings import CapacitySettings
from grid.capacity.year_records import YearSettings
from grid.model.contracts import BusBranch, Source, make_case

THERMAL = CapacitySettings(
    voltage=False, transformer_n_1_percent=100.0, slack_percent=0.0, search_cap_factor=5.0, search_cap_mw=500.0
)


def twin(x_pu: float = 0.1, circuits: int = 2, rating: float = 50.0, load_mw: float = 20.0) -> BusBranch:
    """::

    G ref 1 o====[ jx each ]====o 2 --> load      100 MVA, 110 kV
    """
    return make_case(
        "twin", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2], "vn_kv": [110.0] * 2, "kind": ["ref", "pq"]},
            "loads": {"load_id": ["L"], "bus_id": [2], "p_mw": [load_mw], "q_mvar": [0.0]},
            "generators": {"generator_id": ["G"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0]},
            "branches": {"branch_id": [f"c{k}" for k in range(circuits)], "kind": "line", "from_bus": [1] * circuits,
                         "to_bus": [2] * circuits, "r_pu": [0.0] * circuits, "x_pu": [x_pu] * circuits,
                         "rating_a_mva": [rating] * circuits},
        },
    ).validate()  # fmt: skip


def mesh(*, rating: float = 60.0, slack_by_bridge: bool = False) -> BusBranch:
    """Five buses in a ring with a chord, a spur 3-6, and where wanted the reference behind a bridge 7-1.

    ::

        (7)--1----2----3--6
             | \\       |
             5----4----+
    """
    pairs = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 1), (1, 4), (3, 6)] + ([(7, 1)] if slack_by_bridge else [])
    buses = [1, 2, 3, 4, 5, 6] + ([7] if slack_by_bridge else [])
    ref = 7 if slack_by_bridge else 1
    rng = np.random.default_rng(2)
    x = rng.uniform(0.05, 0.12, len(pairs))
    kinds = {ref: "ref", 4: "pv"}
    return make_case(
        "mesh", 100.0, Source("test"),
        {
            "buses": {"bus_id": buses, "vn_kv": [110.0] * len(buses), "kind": [kinds.get(b, "pq") for b in buses],
                      "vm_min_pu": [0.93] * len(buses), "vm_max_pu": [1.07] * len(buses)},
            "loads": {"load_id": [f"l{b}" for b in (2, 3, 5, 6)], "bus_id": [2, 3, 5, 6],
                      "p_mw": [30.0, 25.0, 20.0, 8.0], "q_mvar": [6.0, 5.0, 4.0, 1.0]},
            "generators": {"generator_id": ["G0", "G4"], "bus_id": [ref, 4], "p_mw": [0.0, 30.0], "vm_pu": [1.02, 1.01],
                           "p_max_mw": [300.0, 80.0]},
            "branches": {"branch_id": [f"{a}-{b}" for a, b in pairs], "kind": "line", "from_bus": [a for a, _ in pairs],
                         "to_bus": [b for _, b in pairs], "r_pu": x / 5, "x_pu": x, "b_pu": x / 10,
                         "rating_a_mva": [rating if b != 1 else 3 * rating for _, b in pairs]},
        },
    ).validate()  # fmt: skip


def load_hours(
    solver: BatchSolver, hours: int, seed: int = 1, spread: float = 0.25
) -> Callable[[int, int], np.ndarray]:
    """Loads of every bus by a day, and noise of each bus."""
    a, rng = solver.arrays, np.random.default_rng(seed)
    load = np.zeros(a.n_bus, complex)
    np.add.at(load, a.load_bus, a.load_pu * a.base_mva)
    share = spread * np.sin(np.arange(hours) * np.pi / 12) + 0.1 * rng.normal(size=(a.n_bus, hours))
    return lambda first, last: -load[:, None] * share[:, first:last]


def settings(limits: CapacitySettings = THERMAL, **more: object) -> YearSettings:
    return YearSettings(**{"limits": limits, "anchors": 3, "extreme_anchors": 3, "sample_checks": 40, **more})  # type: ignore[arg-type]
