"""Highest loading of every branch over all outages: the same as asking for each outage by itself."""

from __future__ import annotations

import numpy as np
import pytest
from gridstudy_networks import NOON, PEAK, random_network, triangle

from grid.contracts import BRANCH_N_1, Status
from grid.engine import Engine
from grid.loadflow import run_load_flow


@pytest.mark.parametrize("net", [triangle(), random_network(3)], ids=["triangle", "random"])
def test_each_branch_has_the_highest_of_all_outages(net) -> None:
    result = run_load_flow(net, [PEAK, NOON])
    BRANCH_N_1.validate(result.branch_n_1)
    engine = Engine(net, PEAK)
    base = engine.solve()
    states = [engine.solve(outage=element, start=base.voltage) for element in engine.model.element_ids]
    loadings = np.array([s.loading_percent for s in states if s.status is not Status.DIVERGED])
    table = result.branch_n_1.query("case == @PEAK.id")
    assert table["element"].tolist() == list(engine.model.element_ids)
    assert table["loading_max_percent"].to_numpy() == pytest.approx(np.nanmax(loadings, axis=0))
    assert table["outages_over"].tolist() == (np.nan_to_num(loadings) > 100).sum(axis=0).tolist()
    solved = [e for e, s in zip(engine.model.element_ids, states, strict=True) if s.status is not Status.DIVERGED]
    assert table["outage"].tolist() == [solved[k] for k in np.nanargmax(loadings, axis=0)]


def test_an_outage_never_relieves_what_the_outage_table_says() -> None:
    """The highest loading of an outage's row is nowhere above the highest of the branch it names."""
    result = run_load_flow(triangle(), [PEAK])
    most = result.branch_n_1.set_index("element")["loading_max_percent"]
    rows = result.outages[result.outages["loading_max_element"] != ""]
    assert (rows["loading_max_percent"] <= rows["loading_max_element"].map(most) + 1e-9).all()


def test_without_n_1_there_is_no_row() -> None:
    assert run_load_flow(triangle(), [PEAK], n_1=False).branch_n_1.empty
