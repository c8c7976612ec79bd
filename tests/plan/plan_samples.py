"""A small plan: the triangle of the network tests, some lots, some measures.

::

    A (infeed) ---- B ---- D          AB 20 km, BC 15 km, CA 25 km, BD 12 km, 110 kV
         \\        /
            C == c (10 kV)
"""

import sys
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.contracts import Case
from grid.limits import LimitSettings
from grid.plan.contracts import (
    Access,
    Lot,
    PlanMeasure,
    PlanProblem,
    PlanSettings,
    PlanTarget,
    Point,
    Stage,
)
from grid.sweep import build_sweep, shift_sweep
from grid.upgrades import apply_upgrade

CASES = (Case("noon", "午", "noon", 0.5, 0.9, 0.3), Case("night", "夜", "night", 0.3, 0.0, 0.9))
PLACES = (("B/110", "pv"), ("C/110", "pv"), ("D/110", "pv"), ("B/110", "wind"), ("D/110", "wind"), ("C/10", "pv"))
MEASURES = (("second_circuit", "AB"), ("second_circuit", "BD"), ("second_circuit", "CA"))


def lots(whole=True, capacity=40.0):
    made = []
    for k, (bus, group) in enumerate(PLACES):
        mw = capacity + 5.0 * k
        made.append(
            Lot(f"{bus} {group}", group, group, "X", mw, 1.0, mw if whole else 0.0, 300_000.0 + 17_000.0 * k, 1200.0,
                (Access(bus, bus, 0.0),))
        )  # fmt: skip
    return tuple(made)


@cache
def built(config):
    net = triangle(ka=0.3)
    for name in sorted(config):
        kind, element = name.split(":")
        net = apply_upgrade(net, kind, element)
    return net


def build(config, case):
    return built(config)


def plain_build(config, case):
    """The network, whatever stands."""
    return triangle(ka=0.3)


ONE_STAGE = (Stage(2030, 1.0),)


def problem(least_mw, *, whole=True, measures=MEASURES, stages=ONE_STAGE, settings=None, capacity=40.0):
    chosen = lots(whole, capacity)
    cost = {"AB": 1.9e6, "BD": 0.8e6, "CA": 2.3e6}
    availability = np.array([[0.9, 0.0] if lot.group == "pv" else [0.3, 0.9] for lot in chosen])
    menu = tuple(PlanMeasure(f"{k}:{e}", k, e, 10 * cost[e], cost[e]) for k, e in measures)
    return PlanProblem(
        stages,
        tuple(Point(case.id, case, 0.0, False) for case in CASES),
        chosen,
        availability,
        menu,
        (PlanTarget("t", "renewable", len(stages) - 1, least_mw),),
        settings or PlanSettings(gap=1e-6, time_limit_s=60),
        LimitSettings.standard(),
        build,
    )


def secure(one, mw, config, changed_mw=None, margin=0.0):
    """Whether AC load flow and N-1 of all cases hold, without the plan's code; ``changed_mw``: what else is fed, by bus
    and case; ``margin`` 1: with what the plan keeps from each limit (0.25 % of a rating, 0.0002 pu)."""
    for h, point in enumerate(one.points):
        sweep = build_sweep(one.build(config, point.case), point.case, one.limits)
        added = np.zeros(sweep.model.n_bus)
        for k, lot in enumerate(one.lots):
            if not mw[k]:
                continue
            added[sweep.model.bus_index(lot.accesses[0].bus_id)] += one.availability[k, h] * mw[k] / 100
        for bus, by_case in (changed_mw or {}).items():
            added[sweep.model.bus_index(bus)] += by_case[h] / 100
        there = shift_sweep(sweep, added)
        if there is None:
            return False
        layout = there.constraint_rows
        kept = np.full(layout.count, 0.25 * margin)
        kept[layout.high] = kept[layout.low] = 2e-4 * margin
        if (there.base_values - there.limits + kept[:, None]).max() > 1e-6:
            return False
    return True


def secure_at(one, taken, config):
    """The same for whole lots at accesses, one each (None: not built)."""
    mw = np.array([lot.capacity_mw if access else 0.0 for lot, access in zip(one.lots, taken, strict=True)])
    lots = tuple(
        replace(lot, accesses=(access or lot.accesses[0],)) for lot, access in zip(one.lots, taken, strict=True)
    )
    return secure(replace(one, lots=lots), mw, config)


def used(answer):
    """Accesses in use and measures built, sorted."""
    one, mw = answer.problem, answer.decision.mw[:, -1]
    return [a.id for (_, a), m in zip(one.offers, mw, strict=True) if m > 1e-6], sorted(answer.decision.config(one, 0))


def gain(one):
    """What a MW of each lot counts for the objective that is maximised."""
    energy = one.settings.objective == "most_energy"
    return np.array([lot.energy_mwh_per_mw if energy else 1.0 for lot in one.lots])


def brute_force(one, margin=0.0):
    """Best secure choice of whole lots and measures: (cost or quantity, lots, measures); None where nothing is."""
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    price = np.array([lot.cost_cny_per_mw_a for lot in one.lots])
    least_cost = one.settings.objective == "least_cost"
    options = []
    for choice, built in product(product((0, 1), repeat=len(one.lots)), product((0, 1), repeat=len(one.measures))):
        mw = capacity * choice
        chosen = [m for m, b in zip(one.measures, built, strict=True) if b]
        cost = float(price @ mw) + sum(m.cost_cny_per_a for m in chosen)
        affordable = cost <= one.settings.budget_cny_per_a and (
            sum(m.investment_cny for m in chosen) <= one.settings.grid_budget_cny
        )
        if affordable and mw.sum() >= one.targets[0].new_mw - 1e-9:
            options.append((cost if least_cost else -float(gain(one) @ mw), choice, built))
    for value, choice, built in sorted(options):
        config = frozenset(m.id for m, b in zip(one.measures, built, strict=True) if b)
        if secure(one, capacity * choice, config, margin=margin):
            return abs(value), choice, built
    return None


def with_settings(one, **changes):
    return replace(one, settings=replace(one.settings, **changes))
