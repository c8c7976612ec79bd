"""Several accesses of a lot: chosen with measures and collectors as by enumeration; bays; the list follows the plan."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plan_samples import problem, secure_at, used

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "connection"))
from test_connection_joint import bays, study
from test_connection_rules import _candidates

from grid.plan.contracts import Access, Collector, PlanTarget
from grid.plan.explain import measure_use
from grid.plan.solve import solve_plan
from study.plan.access import ACCESSES, Place, PlanAccesses, plan_accesses
from study.plan.site_table import at_chosen_access

COLLECTOR = Collector("K", 80.0, 0.9e6)


def with_accesses(least_mw, own_cny=0.2e6):
    """Two large lots at B (or, dearer, at A) and D; two smaller ones with own lines or a collector at C."""
    one = problem(least_mw, capacity=30.0)
    points = {
        0: (Access("0B", "B/110", 0.3e6), Access("0A", "A/110", 1.4e6)),
        4: (Access("4D", "D/110", 0.4e6), Access("4C", "C/110", 0.7e6)),
        1: (Access("1C", "C/110", 1.0e6), Access("1K", "C/110", own_cny, collector_id="K")),
        2: (Access("2D", "D/110", 1.1e6), Access("2K", "C/110", own_cny, collector_id="K")),
    }
    chosen = tuple(replace(one.lots[k], id=f"lot {k}", accesses=accesses) for k, accesses in points.items())
    return replace(one, lots=chosen, availability=one.availability[list(points)], collectors=(COLLECTOR,))


def enumerated(one):
    """Cheapest secure choice of accesses and measures that reaches the target: (cost, accesses, measures)."""
    found = []
    for taken in product(*((None, *lot.accesses) for lot in one.lots)):
        built = [(lot, a) for lot, a in zip(one.lots, taken, strict=True) if a is not None]
        gathered = sum(lot.capacity_mw for lot, a in built if a.collector_id)
        if sum(lot.capacity_mw for lot, _ in built) < one.targets[0].new_mw - 1e-9 or gathered > COLLECTOR.capacity_mw:
            continue
        cost = sum(lot.capacity_mw * lot.cost_cny_per_mw_a + a.fixed_cny_per_a for lot, a in built)
        cost += COLLECTOR.cost_cny_per_a if gathered else 0.0
        for choice in product((False, True), repeat=len(one.measures)):
            measures = tuple(m.id for m, b in zip(one.measures, choice, strict=True) if b)
            found.append(
                (cost + sum(m.cost_cny_per_a for m in one.measures if m.id in measures), len(found), taken, measures)
            )
    for cost, _, taken, measures in sorted(found):
        if secure_at(one, taken, frozenset(measures)):
            return cost, [a.id for a in taken if a], list(measures)
    return None


@pytest.mark.parametrize(("least_mw", "own_cny"), [(60.0, 0.2e6), (100.0, 0.2e6), (140.0, 0.2e6), (140.0, 0.9e6)])
def test_access_collector_and_measures_are_those_of_enumeration(least_mw, own_cny):
    one = with_accesses(least_mw, own_cny)
    cost, accesses, measures = enumerated(one)
    answer = solve_plan(one)
    assert answer.violations == ()
    assert answer.decision.missing_mw.sum() < 1e-6
    assert answer.objective_cny == pytest.approx(cost, rel=1e-4)
    assert used(answer) == (accesses, sorted(measures))


def test_the_instances_use_both_accesses_and_the_collector():
    seen = {a for case in ((60.0, 0.2e6), (140.0, 0.2e6), (140.0, 0.9e6)) for a in enumerated(with_accesses(*case))[1]}
    assert {"0A", "0B", "1C", "1K", "2K"} <= seen


def test_a_further_access_never_costs_more():
    one = with_accesses(140.0)
    alone = replace(one, lots=tuple(replace(lot, accesses=lot.accesses[:1]) for lot in one.lots), collectors=())
    assert solve_plan(one).objective_cny <= solve_plan(alone).objective_cny * (1 + 1e-6)


def test_shares_of_a_measure_count_the_access_that_is_used():
    """The same plan with accesses that nobody takes has the same shares."""
    one = problem(200.0)
    wide = tuple(replace(lot, accesses=(*lot.accesses, Access(f"{lot.id}!", "A/110", 9e9))) for lot in one.lots)
    plain, wider = solve_plan(one), solve_plan(replace(one, lots=wide))
    assert wider.objective_cny == pytest.approx(plain.objective_cny, rel=1e-6)
    for row, share in measure_use(wider).items():
        assert share.sum() == pytest.approx(1.0)
        idle = np.bincount(wider.problem.offer_lot, wider.decision.mw[:, -1]) < 1e-6
        assert share[idle].max(initial=0.0) == pytest.approx(0.0, abs=1e-9), row


def large_sites(n):
    return _candidates(*((f"s{k}", 116.0 + 0.01 * k, 33.0, "ground", "pv_ground", 60.0 + k) for k in range(n)))


def test_first_access_is_that_of_the_list_and_all_accesses_together_find_bays():
    """Three sites, three bays at A, two at B: all connect to A; two of them may choose B instead."""
    sites = large_sites(3)
    one = study(sites, [*bays(3, 2)])
    assert set(one.connections.bus_id) == {"A/110"}
    got = plan_accesses(one, sites["candidate_id"], 0.1)
    assert len(got.of_candidate) == 2
    listed = one.connections.set_index("candidate_id")
    for candidate, (first, second) in got.of_candidate.items():
        assert (first.bus_id, second.bus_id) == ("A/110", "B/110")
        assert first.fixed_cny_per_a == pytest.approx(0.1 * listed.connection_cost_cny[candidate])
        assert second.fixed_cny_per_a > first.fixed_cny_per_a
        place = got.places[second.id]
        assert (place.station_id, place.vn_kv) == ("B", 110.0)
        option = one.options.set_index("option_id").loc[second.id]
        assert place.length_km == option.length_km
        assert place.cost_cny == pytest.approx(option.line_cny + option.bay_cny)


def test_no_more_than_three_accesses_and_none_for_those_not_asked():
    sites = large_sites(2)
    got = plan_accesses(study(sites, [*bays(9, 9), *bays(9, 9, 220.0)]), ["s0"], 0.1)
    assert set(got.of_candidate) <= {"s0"}
    assert all(2 <= len(points) <= ACCESSES for points in got.of_candidate.values())


def test_a_collector_that_the_joint_choice_leaves_out_is_offered_once():
    """Sites beside the station connect alone; the collector beside them is offered, whole cost and largest size."""
    sites = _candidates(*((f"s{k}", 116.0 + 0.004 * k, 33.07, "wind", "wind_onshore", 25.0) for k in range(4)))
    together = study(sites, bays(9, 9), grouping=True)
    unbuilt = together.collectors.assign(chosen=False)
    one = replace(study(sites, bays(9, 9)), options=together.options, collectors=unbuilt)
    got = plan_accesses(one, sites["candidate_id"], 0.1)
    assert got.collectors
    table = one.collectors.set_index("variant_id")
    for collector in got.collectors:
        size = table[table.collector_id == collector.id].sort_values("s_mva").iloc[-1]
        assert collector.capacity_mw == size.capacity_mw
        assert collector.cost_cny_per_a == pytest.approx(0.1 * (size.station_cny + size.trunk_cny + size.bay_cny))
    places = one.collectors[one.collectors.collector_id.isin([c.id for c in got.collectors])]
    assert not places.drop_duplicates("collector_id").duplicated(["lon", "lat"]).any()


def test_the_list_shows_the_connection_that_the_plan_chose():
    one = with_accesses(140.0)
    one = replace(one, targets=(PlanTarget("t", "renewable", 0, 0.0),))
    mw = np.zeros((len(one.offers), 1))
    ids = [access.id for _, access in one.offers]
    mw[ids.index("0A")], mw[ids.index("1K")], mw[ids.index("2K")] = 30.0, 10.0, 30.0
    decision = replace(solve_plan(one).decision, mw=mw)
    table = pd.DataFrame(
        {
            "candidate_id": ["a", "b", "c", "d"],
            "lot": [0, 1, 2, 3],
            "station_id": "old",
            "bus_id": "old",
            "vn_kv": 110.0,
            "length_km": 1.0,
            "connection_cost_cny": 5.0e6,
            "connection_cny_per_a": 0.5e6,
        }
    )
    places = {
        "0A": Place("D", "D/110", 220.0, 12.0, 8.0e6),
        "1K": Place("C", "C/110", 110.0, 3.0, 1.0e6),
        "2K": Place("C", "C/110", 110.0, 4.0, 2.0e6),
    }
    accesses = PlanAccesses({}, places, one.collectors, {"K": 12.0e6})
    got = at_chosen_access(table, one, decision, accesses).set_index("candidate_id")
    assert got.bus_id.to_dict() == {"a": "D/110", "b": "old", "c": "C/110", "d": "C/110"}
    assert (got.vn_kv["a"], got.length_km["a"], got.connection_cost_cny["a"]) == (220.0, 12.0, 8.0e6)
    # 10 and 30 MW share the collector's 12 million
    assert got.connection_cost_cny["c"] == pytest.approx(1.0e6 + 3.0e6)
    assert got.connection_cost_cny["d"] == pytest.approx(2.0e6 + 9.0e6)
