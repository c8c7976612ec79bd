"""Networks for the rule book's tests: a generated county in two forms, and a small one drawn by hand.

.. code-block:: text

    infeed (1) 220 ==(T1, T2)== 110 (2) --20 km-- 110 (3) ==(A1)== 10 (4)   load 30, pv 10 at (4)
                                            |
                                        110 (5) ==(W)== 35 (6)   three windings: 10 (7) has load 8
                                        110 (2) ==(G)== 20 (8)   coal 50: a step-up unit
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.contracts import Network
from grid.model.contracts import BusBranch, Source, make_case
from grid.reference_network import ReferenceGridSpec, build_reference_network


def county() -> Network:
    """A generated county of 300 MW with five distributed plants at 10 kV."""
    rng = np.random.default_rng(7)
    points = pd.DataFrame(
        {
            "lon": 116.0 + rng.uniform(-0.2, 0.2, 20),
            "lat": 33.0 + rng.uniform(-0.2, 0.2, 20),
            "p_mw": rng.uniform(10.0, 20.0, 20),
            "district_code": "341602",
        }
    )
    network = build_reference_network(ReferenceGridSpec("county", 300.0), points)
    buses = network.buses.loc[network.buses["vn_kv"] == 10.0, "bus_id"].head(5).tolist()
    plants = pd.DataFrame(
        {
            "generator_id": [f"pv-{k}" for k in range(len(buses))],
            "bus_id": buses,
            "name_zh": "光伏",
            "name_en": "PV",
            "fuel": "pv",
            "p_max_mw": 30.0 + 20.0 * np.arange(len(buses)),
            "control": "power",
            "vm_pu": 1.0,
            "q_min_mvar": 0.0,
            "q_max_mvar": 0.0,
            "origin": "generated",
            "note": "",
        }
    )
    return Network(**{**vars(network), "generators": pd.concat([network.generators, plants], ignore_index=True)})


def small_case(pv_mw: float = 10.0, lengths: bool = True) -> BusBranch:
    """The network of the drawing; without ``lengths`` the lines are known by their reactance alone."""
    nan = float("nan")
    return make_case(
        "small",
        100.0,
        Source("test"),
        {
            "buses": {
                "bus_id": [1, 2, 3, 4, 5, 6, 7, 8],
                "name": ["U", "U", "A", "A", "W", "W", "W", "P"],
                "vn_kv": [220.0, 110.0, 110.0, 10.0, 110.0, 35.0, 10.0, 20.0],
                "kind": ["ref", *["pq"] * 7],
                "va_degree": [0.0, *[nan] * 7],
                "station": ["U", "U", "A", "A", "W", "W", "W", "P"],
            },
            "loads": {
                "load_id": ["L4", "L7", "own use"],
                "bus_id": [4, 7, 8],
                "p_mw": [30.0, 8.0, 3.0],
                "q_mvar": [3.0, 1.0, 0.0],
            },
            "generators": {
                "generator_id": ["grid", "pv", "coal"],
                "bus_id": [1, 4, 8],
                "p_mw": [0.0, pv_mw, 50.0],
                "p_max_mw": [nan, 12.0, 60.0],
                "control": ["voltage", "power", "power"],
                "vm_pu": [1.0, nan, nan],
                "fuel": ["infeed", "pv", "coal"],
            },
            "branches": {
                "branch_id": ["T1", "T2", "2-3", "2-5", "A1", "G"],
                "kind": ["transformer", "transformer", "line", "line", "transformer", "transformer"],
                "from_bus": [1, 2, 2, 2, 3, 8],
                "to_bus": [2, 1, 3, 5, 4, 2],
                "r_pu": [0.001, 0.001, 0.02, 0.01, 0.005, 0.003],
                "x_pu": [0.08, 0.08, 0.066, 0.033, 0.2, 0.15],
                "rating_a_mva": [180.0, 180.0, 100.0, 100.0, 50.0, 75.0],
                "length_km": [nan, nan, *([20.0, 10.0] if lengths else [nan, nan]), nan, nan],
            },
            "three_winding": {
                "transformer_id": ["W1"],
                "bus_1": [6], "bus_2": [5], "bus_3": [7],
                "r_12_pu": [0.005], "r_23_pu": [0.005], "r_31_pu": [0.005],
                "x_12_pu": [0.25], "x_23_pu": [0.30], "x_31_pu": [0.45],
                "rating_1_mva": [20.0], "rating_2_mva": [40.0], "rating_3_mva": [20.0],
            },
        },
    )  # fmt: skip
