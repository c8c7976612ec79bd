"""Plants that connect at a new station: chosen with the station and with measures as by enumeration."""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import plan_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.measures.contracts import PlannedStation
from grid.plan.contracts import Access, Lot, Stage, Wanted
from grid.plan.explain import measure_use
from grid.plan.greedy import greedy_plan
from grid.plan.rows import injections_of_model
from grid.plan.search import Search
from grid.plan.solve import search_plan, solve_plan
from grid.plan.staircase import staircase
from grid.sweep import build_sweep
from study.plan.measures import MeasureBook
from study.schema.outputs import PlanEntry

STATION = PlannedStation("new001", "新一", "One", 110.0, 116.0, 33.1)
"""Beside the line CA, into which it is looped."""
OPENING, BUS = "new_station_110:new001", "new001/110"
PLACES = (
    (40.0, "D/110", 0.3e6, 1.0e6, 0.40e6),
    (38.0, "D/110", 0.3e6, 1.2e6, 0.45e6),
    (15.0, "B/110", 0.5e6, 0.9e6, 0.20e6),
)
"""MW, standing bus; yearly cost of connecting there, far away at A, at the new station."""


def collecting(least_mw, station_cny, bays=2, circuit_cny=0.8e6):
    """Three plants, of which D's line BD takes one; the others ask for a second circuit or the new station."""
    plain = samples.problem(least_mw, measures=())
    book = MeasureBook(triangle(ka=0.3), PlanEntry(measures=("new_station", "second_circuit")), (STATION,))
    offers = {m.id: m for m in book.menu(Wanted(("BD",)))}
    station = replace(offers[OPENING], cost_cny_per_a=station_cny)
    circuit = replace(offers["second_circuit:BD"], cost_cny_per_a=circuit_cny)
    lots = tuple(
        Lot(f"lot {k}", "pv", "pv", "X", mw, 1.0, mw, 300e3 + 1e3 * k, 1200.0,
            (Access(f"{k}>own", bus, own), Access(f"{k}>far", "A/110", far),
             Access(f"{k}>new", BUS, new, requires=OPENING, bays=1)))
        for k, (mw, bus, own, far, new) in enumerate(PLACES)
    )  # fmt: skip
    return replace(
        plain, lots=lots, availability=np.tile([0.9, 0.0], (len(lots), 1)), measures=(station, circuit),
        build=book.build, bays={BUS: bays},
    )  # fmt: skip


def enumerated(one):
    """Cheapest secure choice: (cost, accesses, measures)."""
    found = []
    for taken in product(*((None, *lot.accesses) for lot in one.lots)):
        built = [(lot, a) for lot, a in zip(one.lots, taken, strict=True) if a is not None]
        new = sum(a.bays for _, a in built)
        if sum(lot.capacity_mw for lot, _ in built) < one.targets[0].new_mw - 1e-9 or new > one.bays[BUS]:
            continue
        cost = sum(lot.capacity_mw * lot.cost_cny_per_mw_a + a.fixed_cny_per_a for lot, a in built)
        for choice in product((False, True), repeat=len(one.measures)):
            measures = [m for m, b in zip(one.measures, choice, strict=True) if b]
            if not new or OPENING in {m.id for m in measures}:
                price = cost + sum(m.cost_cny_per_a for m in measures)
                found.append((price, len(found), taken, sorted(m.id for m in measures)))
    for price, _, taken, measures in sorted(found):
        if samples.secure_at(one, taken, frozenset(measures)):
            return price, [a.id for a in taken if a], measures
    return None


CHEAP, DEAR = 0.1e6, 3.0e6


@pytest.mark.parametrize(
    ("least_mw", "station_cny", "bays", "new"),
    [
        (38.0, CHEAP, 2, ()),
        (75.0, CHEAP, 2, ("0>new",)),
        (75.0, DEAR, 2, ()),
        (90.0, CHEAP, 2, ("0>new", "2>new")),
        (90.0, 0.6e6, 2, ("0>new", "2>new")),  # alone each would rather go far
        (90.0, CHEAP, 1, ("0>new",)),
        (90.0, 0.9e6, 2, ()),
    ],
)
def test_accesses_station_and_circuit_are_those_of_enumeration(least_mw, station_cny, bays, new):
    one = collecting(least_mw, station_cny, bays)
    cost, accesses, measures = enumerated(one)
    answer = solve_plan(one)
    assert answer.violations == ()
    assert answer.decision.missing_mw.sum() < 1e-6
    assert answer.objective_cny == pytest.approx(cost, rel=1e-4)
    assert samples.used(answer) == (accesses, measures)
    assert tuple(a for a in accesses if a.endswith("new")) == new


def test_those_who_connect_share_the_station_by_mw():
    answer = solve_plan(collecting(90.0, CHEAP))
    share = measure_use(answer)[answer.problem.measure_row[OPENING]]
    assert share == pytest.approx([40 / 55, 0.0, 15 / 55])


@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    least_mw=st.floats(0.0, 110.0),
    station_cny=st.floats(1e4, 2e6),
    bays=st.integers(0, 3),
    first_year=st.sampled_from((0, 2030, 2040)),
    whole=st.booleans(),
    objective=st.sampled_from(("least_cost", "most_mw")),
)
def test_no_plant_stands_at_a_station_that_is_not_built_nor_without_a_bay(
    least_mw, station_cny, bays, first_year, whole, objective
):
    one = collecting(least_mw, station_cny, bays)
    lots = tuple(lot if whole else replace(lot, least_mw=4.0) for lot in one.lots)
    one = replace(
        samples.with_settings(one, objective=objective), lots=lots, stages=(Stage(2025, 0.6), Stage(2030, 0.4)),
        measures=(replace(one.measures[0], first_year=first_year), one.measures[1]),
    )  # fmt: skip
    answer = solve_plan(one)
    at_new = [o for o, (_, access) in enumerate(one.offers) if access.requires]
    for s, stage in enumerate(one.stages):
        used = answer.decision.mw[at_new, s] > 1e-6
        stands = OPENING in answer.decision.config(one, s)
        assert used.sum() <= (bays if stands else 0)
        assert not stands or stage.year >= first_year
    plain = replace(one, lots=tuple(replace(lot, accesses=lot.accesses[:2]) for lot in lots), bays={})
    without = solve_plan(plain)
    if objective == "least_cost":
        missing = answer.decision.missing_mw.sum() - without.decision.missing_mw.sum()
        assert missing <= 0.01
        assert missing < -0.01 or answer.objective_cny <= without.objective_cny * (1 + 1e-6)
    else:
        assert answer.value >= without.value * 0.99


def test_a_site_whose_own_stations_are_dropped_connects_at_the_new_one():
    one = collecting(38.0, DEAR)
    dropped = tuple(replace(lot, accesses=lot.accesses[2:]) for lot in one.lots)
    answer = solve_plan(replace(one, lots=dropped))
    assert answer.violations == ()
    assert samples.used(answer) == (["1>new"], [OPENING])


def test_staircase_and_greedy_plan_open_the_station():
    """One plant at D, one at B, one that only the station lets connect."""
    one = collecting(75.0, CHEAP)
    own, new = slice(0, 1), slice(2, 3)
    lots = [
        replace(lot, least_mw=4.0, accesses=lot.accesses[at]) for lot, at in zip(one.lots, (own, new, own), strict=True)
    ]
    one = replace(one, lots=tuple(lots))
    search, _ = search_plan(Search.of(one))
    stairs = staircase(search)
    assert OPENING in stairs.order
    assert all(step.proved for step in stairs.steps)
    greedy = greedy_plan(search, [OPENING])
    assert (greedy.clean, greedy.measures, greedy.missing_mw) == (True, (OPENING,), pytest.approx(0.0, abs=1e-6))
    assert greedy.penalised_cny >= solve_plan(one).objective_cny * (1 - 1e-6)
    closed = greedy_plan(search, [])
    assert closed.missing_mw > 1.0


def test_only_the_station_s_own_bus_may_carry_what_rounding_leaves():
    one = collecting(75.0, CHEAP)
    sweep = build_sweep(one.build(frozenset(), one.points[0].case), one.points[0].case, one.limits)
    added = np.zeros(len(one.buses))
    added[one.bus_row[BUS]] = 1e-7
    assert injections_of_model(sweep, one.buses, added).sum() == 0.0
    added[one.bus_row[BUS]] = 0.01
    with pytest.raises(ValueError, match="not in tuple"):
        injections_of_model(sweep, one.buses, added)
