"""Limits that buses share: what each takes alone, the network does not take together, and the choice knows it.

::

    A (infeed) ---- B ---- D          AB 20 km, BC 15 km, CA 25 km, BD 12 km, 110 kV
         \\        /
            C == c (10 kV)
"""

from __future__ import annotations

import numpy as np
import pytest
from gridstudy_networks import triangle
from test_connection_rules import CASES, _candidates

from grid.connections.bays import KnownBays
from grid.connections.shared import SharedLimits
from grid.connections.study import study_connections
from grid.hosting import hosting_capacity

BUSES = ("B/110", "C/110", "D/110")
PRICE = 4e6


@pytest.fixture(scope="module")
def net():
    return triangle(ka=0.3)


@pytest.fixture(scope="module")
def hosting(net):
    return hosting_capacity(net, CASES, list(net.buses.bus_id))


def alone_mw(hosting, case):
    rows = hosting[(hosting["mode"] == "n_1") & (hosting["case"] == case)].set_index("bus_id")
    return rows.capacity_mw.loc[list(BUSES)].to_numpy(float)


def test_what_each_bus_takes_alone_breaks_rows_together(net, hosting):
    """The rows forbid the injections that broke them; nothing injected, and each bus alone, break none."""
    ask = SharedLimits(net, CASES, BUSES)
    assert ask.buses == BUSES
    every = np.column_stack([alone_mw(hosting, case.id) for case in CASES])
    assert every.min() > 1
    rows = ask.broken(every)
    assert {row.point for row in rows} == {0, 1}
    assert all(float(row.gradient @ every[:, row.point]) > row.limit for row in rows)
    assert ask.broken(np.zeros_like(every)) == []
    for bus in range(len(BUSES)):
        assert ask.broken(np.where(np.arange(len(BUSES))[:, None] == bus, every, 0.0)) == []


def choice(net, hosting, sites, price):
    known = [KnownBays(s, 110.0, 20) for s in net.stations.station_id]
    return study_connections(sites, net, hosting, CASES, known_bays=known, grouping=False, lost_cny_per_mw=price)


def at_stations(net, count, mw):
    """``count`` sites beside each station."""
    rows = []
    for station in net.stations.itertuples():
        rows += [
            (f"{station.station_id}{k}", station.lon + 0.01 * k, station.lat + 0.01, "ground", "pv_ground", mw)
            for k in range(count)
        ]
    return _candidates(*rows)


def test_where_the_network_takes_all_nothing_changes(net, hosting):
    sites = at_stations(net, 1, 8.0)
    alone, together = (choice(net, hosting, sites, price).connections for price in (0.0, PRICE))
    assert list(together.bus_id) == list(alone.bus_id)
    assert list(together.connection_cost_cny) == list(alone.connection_cost_cny)


def test_full_neighbours_send_sites_to_where_there_is_room(net, hosting):
    """Five sites of 30 MW beside each station: A is next to the infeed and takes more of them the dearer a MW lost."""
    sites = at_stations(net, 5, 30.0)
    found = [choice(net, hosting, sites, price) for price in (0.0, PRICE, 4 * PRICE)]
    near = [(one.connections.station_id == "A").sum() for one in found]
    assert near[0] <= near[1] <= near[2]
    assert near[2] > near[0]
    assert all(one.best_bound_cny <= one.objective_cny + 1 for one in found)
    assert found[1].best_bound_cny > found[0].best_bound_cny
