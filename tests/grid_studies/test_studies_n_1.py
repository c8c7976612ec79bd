"""N-1 of any case: ranked by severity, islanding apart from overload; hand-made networks whose outcome is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.batch import BatchSolver
from grid.contracts import Status
from grid.model.contracts import BusBranch, Source, make_case
from grid.solve import solve
from grid.studies.n_1 import OutageOptions, ratings_mva, run_n_1


def ring(*, rating: float = 100.0, spur_load: float = 7.0) -> BusBranch:
    """A triangle 1-2-3 with twin circuits 1-2, a spur 3-4, a machine at 3; 60 MW at 2, 30 MW at 3.

    ::

        1 ===== 2
         \\     /
           \\ /
            3 ---- 4
    """
    ends = [(1, 2), (1, 2), (2, 3), (1, 3), (3, 4)]
    return make_case(
        "ring", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2, 3, 4], "vn_kv": [110.0] * 4, "kind": ["ref", "pq", "pv", "pq"],
                      "vm_min_pu": [0.95] * 4, "vm_max_pu": [1.05] * 4},
            "loads": {"load_id": ["a", "b", "c"], "bus_id": [2, 3, 4], "p_mw": [60.0, 30.0, spur_load],
                      "q_mvar": [10.0, 5.0, 1.0]},
            "generators": {"generator_id": ["G1", "G3"], "bus_id": [1, 3], "p_mw": [0.0, 20.0], "vm_pu": [1.02, 1.02],
                           "slack_weight": [1.0, 0.0], "p_max_mw": [200.0, 40.0], "fuel": ["infeed", "coal"]},
            "branches": {"branch_id": ["12a", "12b", "23", "13", "34"], "kind": "line",
                         "circuit": ["1", "2", "1", "1", "1"],
                         "from_bus": [a for a, _ in ends], "to_bus": [b for _, b in ends],
                         "r_pu": [0.01] * 5, "x_pu": [0.08] * 5, "rating_a_mva": [rating] * 5,
                         "rating_b_mva": [np.nan, np.nan, 1.2 * rating, np.nan, np.nan]},
        },
    ).validate()  # fmt: skip


def study(case: BusBranch, **options: object):
    return run_n_1(BatchSolver.of_case(case), OutageOptions(**options))


def test_the_spur_is_the_only_split_and_comes_first():
    result = study(ring())
    first = result.outages.iloc[0]
    assert (first["outage"], first["status"], first["severity"]) == ("34", "split", "split")
    assert (first["lost_load_mw"], first["lost_buses"]) == (pytest.approx(7.0), 1)
    assert result.counts == {
        "solved": 4,
        "split": 1,
        "diverged": 0,
        "overloaded": 0,
        "newly_overloaded": 0,
        "outages": 5,
    }
    assert result.outages["rank"].tolist() == [1, 2, 3, 4, 5]


def test_loadings_are_those_of_the_full_load_flow():
    case = ring(rating=30.0)
    result = study(case, rating="a")
    row = result.outages.set_index("outage").loc["13"]
    full = solve(replace(case, branches=case.branches[case.branches["branch_id"] != "13"].reset_index(drop=True)))
    loading = full.loading_percent()
    assert row["worst_loading_percent"] == pytest.approx(np.nanmax(loading), rel=1e-6)
    assert row["worst_branch"] == full.case.branches["branch_id"].iloc[int(np.nanargmax(loading))]
    assert row["vm_min_pu"] == pytest.approx(full.vm_pu.min(), abs=1e-7)
    base = solve(case).loading_percent()[list(case.branches["branch_id"]).index(row["worst_branch"])]
    assert row["base_loading_percent"] == pytest.approx(base, rel=1e-6)


def test_overloads_after_an_outage_and_their_list():
    result = study(ring(rating=35.0), rating="a")
    overloaded = result.outages[result.outages["overloads"] > 0]
    assert result.counts["overloaded"] == len(overloaded) > 0
    assert set(overloaded["severity"]) <= {"overload", "split"}
    listed = result.violations.groupby("outage").size()
    assert (listed == result.outages.set_index("outage")["overloads"].loc[listed.index]).all()
    assert (result.violations["loading_percent"] > 100).all()


def test_an_emergency_rating_stands_for_where_it_is_given():
    branches = ring().branches
    assert ratings_mva(branches, "b").tolist() == [100, 100, 120, 100, 100]
    assert ratings_mva(branches, "c", 0.5).tolist() == [50, 50, 60, 50, 50]
    assert np.isnan(ratings_mva(branches.assign(rating_a_mva=0.0), "a")).all()


def test_generators_buses_and_groups():
    result = study(ring(), kinds=("generator", "bus"), groups={"both circuits 1-2": ("12a", "12b")})
    rows = result.outages.set_index("outage")
    assert rows.loc["both circuits 1-2", "kind"] == "group"
    assert rows.loc["both circuits 1-2", "status"] == "solved"
    assert rows.loc["G3", "kind"] == "generator"
    assert rows.loc["2", "lost_load_mw"] == pytest.approx(60.0)
    assert rows.loc["3", "lost_load_mw"] == pytest.approx(37.0)  # its own 30 MW and the spur's 7 MW
    with pytest.raises(KeyError, match="99"):
        study(ring(), groups={"g": ("99",)})


def test_trap_a_failed_outage_is_a_row_that_says_so():
    """pandapower's contingency run counts an outage that did not converge as no overload."""
    heavy = ring(spur_load=1.0)
    loads = heavy.loads.assign(p_mw=[950.0, 30.0, 1.0], q_mvar=[316.0, 5.0, 1.0])
    result = study(replace(heavy, loads=loads))
    failed = result.outages[result.outages["status"] == Status.DIVERGED.value]
    assert len(failed) >= 1
    assert failed["severity"].eq("diverged").all()
    assert failed["note"].str.contains("start").all()
    assert result.outages["severity"].iloc[0] == "diverged"
    assert result.counts["diverged"] == len(failed)


def test_trap_islanded_load_is_named_and_balanced():
    """pandapower drops 30 MW of islanded load without a word; ours is in the row, and nothing else is lost."""
    result = study(ring(spur_load=30.0))
    row = result.outages.set_index("outage").loc["34"]
    full = solve(ring(spur_load=30.0), out=["34"])
    assert full.status is Status.SPLIT
    assert row["lost_load_mw"] == pytest.approx(full.lost_load_mw) == 30.0


def test_bounded_list_of_violations():
    result = study(ring(rating=5.0), rating="a", most_violations=3)
    assert len(result.violations) == 3
    assert result.counts["overloaded"] == 5


def test_the_reference_moves_when_its_own_line_is_lost():
    """Loss of the line of the slack's plant: the plant is lost, not the whole network."""
    case = ring()
    first = case.buses.iloc[[0]].assign(bus_id=9, kind="ref")
    buses = pd.concat([case.buses.assign(kind=["pq", "pq", "pv", "pq"]), first], ignore_index=True)
    plants = case.generators.assign(bus_id=[9, 3], regulated_bus_id=[9, 3])
    line = case.branches.iloc[[0]].assign(branch_id="91", from_bus=9, to_bus=1, circuit="1")
    branches = pd.concat([case.branches, line], ignore_index=True)
    moved = replace(case, buses=buses, generators=plants, branches=branches)
    row = study(moved).outages.set_index("outage").loc["91"]
    assert (row["status"], row["lost_load_mw"], row["lost_buses"]) == ("split", 0.0, 1)
    assert row["vm_min_pu"] > 0.9  # the rest is served from the plant at 3
