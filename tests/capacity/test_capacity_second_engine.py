"""The same questions to the dense engine of the planning network, and to real networks."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from capacity_cases import Oracle

from grid.capacity.settings import CapacitySettings
from grid.capacity.study import HostingRequest, hosting_study
from grid.hosting import hosting_capacity
from grid.limits import LimitSettings
from grid.model.planning import from_network
from grid.solve_records import SolveOptions

sys.path.append(str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import NOON, PEAK, random_network


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_dense_engine_of_the_planning_network_agrees(seed: int):
    """Same limits, modes of reactive power, outages; transformers are left out, whose rated currents the bus-branch
    model counts at the bus's own voltage. Where generators change their mode on the way the dense engine may stop
    early: the full load flow then tells that nothing is broken at the further answer."""
    network = random_network(seed)
    cases = (NOON, PEAK)
    limits = replace(LimitSettings.standard(), transformer_percent=900.0, transformer_n_1_percent=900.0)
    buses = list(network.buses["bus_id"])
    dense = hosting_capacity(network, cases, buses, settings=limits).set_index(["bus_id", "case", "mode"])
    settings = replace(
        CapacitySettings.standard(), tolerate_base=True, rating_n_1="a", transformer_percent=900.0,
        transformer_n_1_percent=900.0,
    )  # fmt: skip
    number = {bus: k + 1 for k, bus in enumerate(buses)}
    request = HostingRequest(
        settings, tuple(number.values()), options=SolveOptions(reactive_limits=True, slack="weights")
    )
    sparse = hosting_study({case.id: from_network(network, case) for case in cases}, request).cases
    compared = 0
    for row in sparse.itertuples():
        other = dense.loc[(buses[row.bus_id - 1], row.case, row.mode)]
        if "search_cap" in (row.limit, other["limit"]):  # how far is looked differs by the units' rated voltages
            continue
        assert row.capacity_mw > 0.999 * other["capacity_mw"] - 0.3, (row.bus_id, row.case)
        if row.capacity_mw > 1.001 * other["capacity_mw"] + 0.3:
            case = from_network(network, next(c for c in cases if c.id == row.case))
            oracle = Oracle(case, options=request.options, n_1=row.mode == "n_1")
            assert oracle.broken(row.bus_id, row.capacity_mw) == []
        compared += 1
    assert compared >= len(buses)


def test_rts_gmlc_first_exits(real_data: Path):
    """RTS-GMLC with its own ratings: at the answer nothing breaks in any outage, just above it the named limit does."""
    from grid.readers.formats import read_case

    case = read_case(real_data / "grid-rts-gmlc")
    settings = CapacitySettings(tolerate_base=True, transformer_n_1_percent=100.0, rating_n_1="a")
    result = hosting_study({"base": case}, HostingRequest(settings))
    assert len(result.buses) > 40
    oracle = Oracle(case)
    n_1 = result.cases[(result.cases["mode"] == "n_1") & (result.cases["limit"] != "search_cap")].set_index("bus_id")
    assert n_1["certified"].all()
    for bus in n_1.index[::17]:
        answer = n_1.loc[bus]
        assert oracle.broken(int(bus), float(answer["capacity_mw"])) == []
        broken = oracle.broken(int(bus), float(answer["capacity_mw"]) + 0.5, {str(answer["outage"])})
        assert (answer["element"], answer["outage"]) in broken
