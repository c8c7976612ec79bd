"""Storage, demand response and new stations against trying everything: AC of every outage decides, not the plan's code.

What is continuous (MW of a store, MW called) is the least that AC takes, by bisection; what is whole is tried in every
combination. The plan keeps a margin from each limit (0.25 % of a rating), so that it may cost a little more.
"""

import sys
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import plan_samples as samples
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.contracts import Case
from grid.measures.contracts import PlannedStation
from grid.plan.contracts import Agreement, PlanMeasure, Point, StorageTerms, Wanted
from grid.plan.solve import solve_plan
from study.plan.measures import MeasureBook
from study.schema.outputs import PlanEntry

STORE_CNY = 9_000.0
"""Yearly cost of a MWh of content: so cheap that it competes with a circuit."""
STORAGE = StorageTerms(0.0, STORE_CNY, 1.0, 1.0, 8.0, 0.85, 4.0, 365.0, 50.0)
CALL_H, PAID = 50.0, 3000.0
RESPONSE = PlanMeasure(
    "demand_response:C/10", "demand_response", "C/10", 300_000.0, 90_000.0,
    agreement=Agreement("C/10", PAID, power_mw=3.0, hours_max=CALL_H),
)  # fmt: skip


def with_lots(one, rows):
    """The sample with some of its lots."""
    return replace(one, lots=tuple(one.lots[k] for k in rows), availability=one.availability[list(rows)])


def least(most_mw, holds):
    """Least MW from 0 to ``most_mw`` for which ``holds``; None where there is none."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, most_mw
    if high <= 0 or not holds(high):
        return None
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def cheapest(one, continuous):
    """(cost, lots, measures of the network, MW) of the cheapest secure plan.

    ``continuous(mw, config)`` gives cost and MW of what else is needed; None where nothing helps.
    """
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    price = np.array([lot.cost_cny_per_mw_a for lot in one.lots])
    built = [m for m in one.measures if m.agreement is None]
    options = []
    for choice, taken in product(product((0, 1), repeat=len(capacity)), product((0, 1), repeat=len(built))):
        mw = capacity * choice
        if mw.sum() >= one.targets[0].new_mw - 1e-9:
            own = float(price @ mw) + sum(m.cost_cny_per_a for m, b in zip(built, taken, strict=True) if b)
            options.append((own, choice, taken))
    best = (np.inf, (), (), 0.0)
    for own, choice, taken in sorted(options):
        if own >= best[0]:
            break
        config = frozenset(m.id for m, b in zip(built, taken, strict=True) if b)
        more = continuous(capacity * choice, config)
        if more is not None and own + more[0] < best[0]:
            best = (own + more[0], choice, taken, more[1])
    return best


def least_store(one, bus):
    """What a store at a bus must take up in any case so that AC holds: MW, and four hours of them as content.

    No more than the plants there give: what loads the lines of D is theirs.
    """
    there = np.array([lot.accesses[0].bus_id == bus for lot in one.lots])

    def needed(mw, config):
        most = 0.0
        for h, point in enumerate(one.points):
            single = replace(one, points=(point,), availability=one.availability[:, h : h + 1])

            def holds(charge, single=single):
                return samples.secure(single, mw, config, {bus: [-charge]})

            found = least(float(one.availability[there, h] @ mw[there]), holds)
            if found is None:
                return None
            most = max(most, found)
        return STORAGE.sustain_h * most * STORE_CNY, most

    return needed


@pytest.mark.parametrize(
    ("least_mw", "rows", "stores"), [(90.0, (0, 2), True), (150.0, (0, 2, 4), True), (110.0, (1, 2, 4), False)]
)
def test_storage_beside_circuits_agrees_in_cost_and_choice(least_mw, rows, stores):
    one = with_lots(samples.problem(least_mw, measures=samples.MEASURES[:2]), rows)
    one = replace(one, storage=STORAGE, storage_buses=("D/110",))
    answer = solve_plan(one)
    cost, choice, taken, mw = cheapest(one, least_store(one, "D/110"))
    assert answer.violations == ()
    assert (mw > 0.1) == stores
    assert (answer.decision.mw[:, 0] > 1).astype(int).tolist() == list(choice)
    assert answer.decision.measures[:, 0].astype(int).tolist() == list(taken)
    # 0.25 % of 57 MVA is stored more, for four hours, by each of two rows
    assert cost * (1 - 1e-6) <= answer.objective_cny <= cost + 2 * 0.15 * 4 * STORE_CNY
    assert answer.decision.storage_mwh.max() == pytest.approx(4 * mw, abs=4 * 0.3)


STATION = PlannedStation("new001", "新一", "One", 110.0, 116.0, 33.1)
"""Beside the line CA: it takes a third of the load at C, which BC brings in part."""
STATION_CNY = 400_000.0


def evening(least_mw):
    """Plants at B load BC together with the load at C, some at D are dearer; nothing out, half of the rating binds."""
    one = samples.problem(least_mw, measures=())
    book = MeasureBook(triangle(ka=0.3), PlanEntry(measures=("new_station", "second_circuit")), (STATION,))
    station, circuit = (m for m in book.menu(Wanted(("BC",))) if m.element in ("new001", "BC"))
    hour = Point("evening", Case("evening", "晚", "evening", 1.3, 0.0, 0.9), 0.0, False, 200.0)
    lots = tuple(
        replace(one.lots[k], id=f"{k} {mw}", capacity_mw=mw, least_mw=mw, cost_cny_per_mw_a=price)
        for k, mw, price in ((0, 52.0, 300e3), (0, 38.0, 304e3), (0, 41.5, 308e3), (2, 40.0, 316e3))
    )
    return replace(
        one,
        points=(hour,),
        lots=lots,
        availability=np.full((len(lots), 1), 0.9),
        limits=replace(one.limits, line_percent=50.0, line_n_1_percent=1000.0, post_fault_voltage=False),
        build=book.build,
        measures=(replace(station, cost_cny_per_a=STATION_CNY), circuit, RESPONSE),
    )


def least_called(one):
    """What the load at C must give so that AC holds, and what is paid for it."""

    def needed(mw, config):
        called = least(RESPONSE.agreement.power_mw, lambda less: samples.secure(one, mw, config, {"C/10": [less]}))
        if called is None:
            return None
        return (RESPONSE.cost_cny_per_a + PAID * CALL_H * called if called > 0 else 0.0), called

    return needed


@pytest.mark.parametrize(
    ("least_mw", "built", "calls"), [(78.0, (0, 0), False), (90.0, (0, 0), True), (93.0, (1, 0), False)]
)
def test_demand_response_and_a_new_station_agree_in_cost_and_choice(least_mw, built, calls):
    one = evening(least_mw)
    answer = solve_plan(one)
    cost, choice, taken, mw = cheapest(one, least_called(one))
    assert answer.violations == ()
    assert taken == built
    assert (mw > 0) == calls
    assert (answer.decision.mw[:, 0] > 1).astype(int).tolist() == list(choice)
    assert answer.decision.measures[:, 0].astype(int).tolist() == [*taken, int(calls)]
    # 0.25 % of 57 MVA on BC, by which 25 / 60 of a MW at C comes: 0.34 MW are called more
    assert cost * (1 - 1e-6) <= answer.objective_cny <= cost + calls * 0.4 * PAID * CALL_H


def test_taking_a_new_station_off_the_menu_never_unlocks():
    one = samples.with_settings(evening(0.0), objective="most_mw")
    one = replace(one, lots=tuple(replace(lot, least_mw=0.0) for lot in one.lots))
    most = [solve_plan(replace(one, measures=one.measures[k:])).value for k in range(4)]
    assert all(more >= (1 - 1e-6) * less for more, less in pairwise(most))
    assert most[2] > most[3] + 3  # the response alone
    assert most[0] > most[3] + 50
