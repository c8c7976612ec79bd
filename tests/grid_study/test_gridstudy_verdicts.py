"""Verdicts: portfolios are N-1 secure by the engine, ranks count, upgrades are verified, tables keep promises."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from gridstudy_networks import NOON, PEAK, random_network, triangle, two_bus

from grid.contracts import CONNECTIONS, SUBSTATIONS, UPGRADES, VERDICTS, Case, Status
from grid.engine import Engine
from grid.hosting import hosting_basis, hosting_capacity
from grid.limits import row_values
from grid.portfolio import Offer, remaining_mw, walk
from grid.upgrades import study_upgrades
from grid.verdicts import buses_that_matter, judge

LIGHT = Case("light", "", "", 0.4, 1.0, 0.5)
CASES = [NOON, PEAK]


def _candidates(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["candidate_id", "technology", "grid_capacity_mw"])


def _connections(places: dict[str, str]) -> pd.DataFrame:
    rows = []
    for candidate, bus in places.items():
        numbers = (float(bus.split("/")[1]), 1.0, "", 1e6) if bus else (np.nan, np.nan, "", np.nan)
        rows.append((candidate, bus.split("/")[0], bus, *numbers, 1, "远", "far"))
    return pd.DataFrame(rows, columns=list(CONNECTIONS.columns))


def _judge(net, cases, rows, places, study=False):
    basis = hosting_basis(net, cases)
    buses = list(net.buses.bus_id)
    hosting = hosting_capacity(net, cases, buses, basis=basis)
    connections = _connections(places)
    found = study_upgrades(basis, hosting, buses_that_matter(connections, net)) if study else None
    return judge(_candidates(*rows), connections, hosting, basis, found), hosting, basis


def _random_offers(net, seed, count, low=2.0, high=40.0):
    rng = np.random.default_rng(seed)
    buses = [b for b in net.buses.bus_id if not b.endswith("/220")]
    return [
        Offer(
            f"c{i:03d}",
            str(rng.choice(buses)),
            str(rng.choice(["pv_roof", "wind_onshore"])),
            float(rng.uniform(low, high)),
        )
        for i in range(count)
    ]


def _excess(net, case, sweep, injected_mw):
    """Largest breach of a limit over all outages, by the engine, one by one."""
    engine, worst = Engine(net, case), -np.inf
    for k in range(sweep.count):
        s = engine.solve(injected_mw, sweep.outage_name(k) or None)
        assert s.status is not Status.DIVERGED
        dead = np.isnan(s.vm_pu)[:, None]
        voltage = np.where(dead, 1.0, s.voltage[:, None])
        values = row_values(engine.model, voltage, sweep.outages.branch[[k]], dead)[:, 0]
        worst = max(worst, float((values - sweep.limits[:, k]).max()))
    return worst


@pytest.mark.parametrize("seed", range(3))
def test_accepted_portfolio_is_secure_by_the_engine(seed):
    net = random_network(seed)
    basis = hosting_basis(net, CASES)
    offers = _random_offers(net, seed, 40, high=90.0)
    taken = walk(basis.sweeps, basis.cases, offers)
    assert 0 < sum(taken.accepted_mw) < sum(o.grid_capacity_mw for o in offers)
    for case, sweep in zip(CASES, basis.sweeps, strict=True):
        injected = np.zeros(sweep.model.n_bus)
        for offer, mw in zip(offers, taken.accepted_mw, strict=True):
            share = case.wind_share if offer.technology.startswith("wind") else case.pv_share
            injected[sweep.model.bus_index(offer.bus_id)] += mw * share
        assert _excess(net, case, sweep, injected) <= 1e-4


def test_every_prefix_of_the_ranking_stands_alone():
    """Nobody's MW depend on those ranked below."""
    net = random_network(1)
    basis = hosting_basis(net, CASES)
    offers = _random_offers(net, 7, 24)
    whole = walk(basis.sweeps, basis.cases, offers).accepted_mw
    part = walk(basis.sweeps, basis.cases, offers[:12]).accepted_mw
    np.testing.assert_allclose(whole[:12], part, atol=0.5)


def test_alone_in_the_network_the_walk_gives_the_hosting_capacity():
    net = triangle(ka=0.25)
    basis = hosting_basis(net, [LIGHT])
    capacity = hosting_capacity(net, [LIGHT], ["C/10"], basis=basis).set_index("mode").loc["n_1", "capacity_mw"]
    taken = walk(basis.sweeps, basis.cases, [Offer("x", "C/10", "pv_roof", 5000.0)])
    assert taken.accepted_mw == (0.0,)  # a part below a tenth of the plant is refused
    taken = walk(basis.sweeps, basis.cases, [Offer("x", "C/10", "pv_roof", 2 * capacity)])
    assert 0.96 * capacity <= taken.accepted_mw[0] <= capacity
    assert taken.bounds[0].case == "light"


def test_rank_decides_who_gets_the_room():
    """60 + 60 MW asked of a line for 95.2: the better ranked one gets all, the other what near plants may still take.

    Near plants leave 5 % of the line to far ones: 0.95 x 95.2 - 60 = 30.44 MW.
    """
    places = {"a": "B/110", "b": "B/110"}
    for order in (("a", "b"), ("b", "a")):
        rows = [(c, "pv_ground", 60.0) for c in order]
        got = _judge(two_bus(), [LIGHT], rows, places)[0].verdicts.set_index("candidate_id")
        assert list(got.index) == list(order)
        assert (got.loc[order[0], "verdict"], got.loc[order[0], "accepted_mw"]) == ("connect", 60.0)
        assert got.loc[order[1], "verdict"] in ("partial", "connect_after_upgrade")
        assert got.loc[order[1], "accepted_mw"] == pytest.approx(0.95 * 95.2 - 60, abs=0.8)


def test_alone_divides_by_the_share():
    """Wind at 0.5 in the only case: the line's 95.2 MW are 190 MW of wind, capped by what the candidate has."""
    got = _judge(
        two_bus(), [LIGHT], [("w", "wind_onshore", 150.0), ("x", "wind_onshore", 250.0)], dict.fromkeys("wx", "B/110")
    )
    table = got[0].verdicts.set_index("candidate_id")
    assert table.loc["w", "n_1_alone_mw"] == 150.0
    hosting = got[1].set_index(["bus_id", "mode"]).capacity_mw
    assert table.loc["x", "n_1_alone_mw"] == pytest.approx(hosting["B/110", "n_1"] / 0.5)


def test_upgrade_verdict_is_verified_on_the_strengthened_network():
    got = _judge(two_bus(circuits=2), [LIGHT], [("a", "pv_ground", 150.0)], {"a": "B/110"}, study=True)[0]
    row = got.verdicts.iloc[0]
    assert row.verdict == "connect_after_upgrade"
    assert row.upgrade_id in set(got.upgrades.upgrade_id)
    assert row.upgrade_id.startswith("second_circuit:L#")
    assert row.binding_outage in ("L#1", "L#2")
    assert "second" in row.upgrade_id
    assert row.accepted_mw < 100
    station_b = got.substations.set_index("bus_id").loc["B/110"]
    assert station_b.n_1_after_upgrade_mw > station_b.n_1_mw + 50


def test_no_measure_is_named_where_none_helps_enough():
    """1500 MW over one circuit: a second one does not carry it."""
    got = _judge(two_bus(), [LIGHT], [("a", "pv_ground", 1500.0)], {"a": "B/110"})[0].verdicts.iloc[0]
    assert (got.verdict, got.accepted_mw) == ("refused", 0.0)
    assert got.limit == "line_loading"
    assert got.reason_zh
    assert "line overload" in got.reason_en


def test_candidate_without_a_bus_is_no_connection():
    got = _judge(two_bus(), [LIGHT], [("a", "pv_ground", 5.0), ("b", "pv_ground", 5.0)], {"a": "", "b": "B/110"})[0]
    table = got.verdicts.set_index("candidate_id")
    assert table.loc["a", "verdict"] == "no_connection"
    assert np.isnan(table.loc["a", "n_1_alone_mw"])
    assert table.loc["a", "reason_en"] == "far"
    assert table.loc["b", "verdict"] == "connect"


def test_plants_at_rest_in_every_case_meet_no_limit():
    night = Case("night", "", "", 0.5, 0.0, 0.9)
    got = _judge(two_bus(), [night], [("a", "pv_ground", 900.0)], {"a": "B/110"})[0].verdicts.iloc[0]
    assert (got.verdict, got.accepted_mw, got.n_1_alone_mw) == ("connect", 900.0, 900.0)


def test_case_without_solution_accepts_nothing():
    heavy = Case("heavy", "", "", 1.0, 0.5, 0.5)
    got = _judge(two_bus(demand=5000.0), [heavy], [("a", "pv_ground", 5.0)], {"a": "B/110"})[0].verdicts.iloc[0]
    assert (got.verdict, got.limit, got.binding_case) == ("refused", "base_case", "heavy")


def test_tables_keep_their_contracts_on_a_random_network():
    net = random_network(3)
    offers = _random_offers(net, 3, 30)
    rows = [(o.id, o.technology, o.grid_capacity_mw) for o in offers]
    got, hosting, _ = _judge(net, CASES, rows, {o.id: o.bus_id for o in offers}, study=True)
    VERDICTS.validate(got.verdicts)
    SUBSTATIONS.validate(got.substations)
    UPGRADES.validate(got.upgrades)
    assert list(got.verdicts.candidate_id) == [o.id for o in offers]
    assert (got.verdicts.accepted_mw <= [o.grid_capacity_mw for o in offers]).all()
    whole = got.verdicts.verdict == "connect"
    assert (got.verdicts.limit[whole] == "").all()
    assert (got.verdicts.limit[~whole] != "").all()
    assert got.substations.accepted_mw.sum() == pytest.approx(got.verdicts.accepted_mw.sum())
    assert (got.substations.remaining_n_1_mw <= got.substations.n_1_mw).all()
    named = set(got.verdicts.upgrade_id) | set(got.substations.upgrade_id)
    assert named - {""} <= set(got.upgrades.upgrade_id)
    capacity = hosting[hosting["mode"] == "n_1"].groupby("bus_id").capacity_mw.min()
    assert (got.substations.set_index("bus_id").n_1_mw == capacity.reindex(got.substations.bus_id)).all()


def test_remaining_hosting_is_what_one_more_plant_gets():
    """With 40 MW on the line, what is left is the capacity less 40 MW (losses and voltage apart)."""
    net = two_bus()
    basis = hosting_basis(net, [LIGHT])
    alone = hosting_capacity(net, [LIGHT], ["B/110"], basis=basis).capacity_mw.min()
    taken = walk(basis.sweeps, basis.cases, [Offer("a", "B/110", "pv_roof", 40.0)])
    assert remaining_mw(taken.sweeps, "B/110", alone) == pytest.approx(alone - 40.0, abs=0.6)


def test_far_plants_are_not_stopped_by_a_row_that_near_ones_filled():
    """The spur's line BD is filled by a plant at D; B, which hardly loads BD, still connects."""
    net = triangle(ka=0.15)
    basis = hosting_basis(net, [LIGHT])
    offers = [Offer("d", "D/110", "pv_ground", 60.0), Offer("b", "B/110", "pv_ground", 1.0)]
    taken = walk(basis.sweeps, basis.cases, offers)
    assert 0 < taken.accepted_mw[0] < 60.0
    assert taken.accepted_mw[1] == 1.0


def test_basis_survives_pickling_and_gives_the_same_judgement():
    net = random_network(2, 3, 4)
    basis = hosting_basis(net, CASES)
    copy = pickle.loads(pickle.dumps(basis))
    offers = _random_offers(net, 2, 10)
    assert walk(copy.sweeps, copy.cases, offers).accepted_mw == walk(basis.sweeps, basis.cases, offers).accepted_mw


def test_same_ranking_same_tables():
    net = random_network(4, 3, 4)
    offers = _random_offers(net, 4, 15)
    rows = [(o.id, o.technology, o.grid_capacity_mw) for o in offers]
    places = {o.id: o.bus_id for o in offers}
    one, two = (_judge(net, CASES, rows, places)[0] for _ in range(2))
    assert one.verdicts.equals(two.verdicts)
    assert one.substations.equals(two.substations)


def test_no_candidates_still_describe_the_stations():
    net = two_bus()
    got = _judge(net, [LIGHT], [], {})[0]
    assert got.verdicts.empty
    assert list(got.substations.bus_id) == ["A/110", "B/110"]
