"""The planning network through the bus-branch model gives what its own engine gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid.contracts import Case, FuelShare, Network, Status
from grid.engine import Engine
from grid.model.planning import from_network
from grid.reference_network import ReferenceGridSpec, build_reference_network
from grid.solve import solve
from grid.solve_records import SOLVED_BRANCHES, SOLVED_BUSES, SolveOptions, branch_table, bus_table

CASES = (
    Case("peak", "高峰", "peak", 1.0, 0.0, 0.3, (FuelShare("coal", 0.9),)),
    Case("noon", "午间", "noon", 0.5, 1.0, 0.1, (FuelShare("coal", 0.4),), season="winter"),
)


@pytest.fixture(scope="module")
def county() -> Network:
    rng = np.random.default_rng(7)
    points = pd.DataFrame(
        {
            "lon": 116.0 + rng.uniform(-0.2, 0.2, 20),
            "lat": 33.0 + rng.uniform(-0.2, 0.2, 20),
            "p_mw": rng.uniform(10.0, 20.0, 20),
            "district_code": "341602",
        }
    )
    return build_reference_network(ReferenceGridSpec("county", 300.0), points)


@pytest.fixture(scope="module")
def low_side_taps(county) -> Network:
    units = county.transformers.assign(tap_side="lv", tap_pos=3.0, shift_degree=30.0)
    return Network(**{**county.__dict__, "transformers": units})


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
@pytest.mark.parametrize("which", ["county", "low_side_taps"])
def test_same_state_as_the_planning_engine(request, which, case):
    network = request.getfixturevalue(which)
    engine = Engine(network, case)
    ours, theirs = solve(from_network(network, case), SolveOptions(reactive_limits=True)), engine.solve()
    assert ours.status is Status.SOLVED
    assert theirs.status is Status.SOLVED
    assert np.abs(ours.voltage - theirs.voltage).max() < 1e-8
    assert ours.losses_mw == pytest.approx(theirs.losses_mw, abs=1e-6)
    on_hv = np.concatenate([np.ones(len(network.lines), bool), (network.transformers["tap_side"] == "hv").to_numpy()])
    assert np.where(on_hv, ours.p_from_mw, ours.p_to_mw) == pytest.approx(theirs.p_from_mw, abs=1e-6)
    lines = np.arange(len(network.lines))
    assert ours.loading_percent()[lines] == pytest.approx(theirs.loading_percent[lines], abs=1e-6)


def test_tables_of_a_solution_keep_their_promises(county):
    solution = solve(from_network(county, CASES[0]))
    buses, branches = SOLVED_BUSES.validate(bus_table(solution)), SOLVED_BRANCHES.validate(branch_table(solution))
    assert buses["name"].tolist() == county.buses["bus_id"].tolist()
    assert branches["losses_mw"].sum() == pytest.approx(solution.losses_mw, abs=1e-9)
    assert np.nansum(buses["generation_mw"]) == pytest.approx(solution.generator_p_mw.sum(), abs=1e-9)
    assert not buses["lost"].any()


def test_every_station_keeps_its_place(county):
    buses = from_network(county, CASES[0]).buses
    places = county.stations.set_index("station_id")
    assert buses["lon"].tolist() == places.loc[buses["station"], "lon"].tolist()
