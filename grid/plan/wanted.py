"""What the menu is asked for: measures for what binds without any, and the search that knows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grid.plan.contracts import Floats, PlanMeasure, PlanProblem, Wanted
from grid.plan.expected import expected_rows
from grid.plan.influence import Probe
from grid.plan.model import Master, Solved
from grid.plan.rows import NetworkBook
from grid.plan.search import LEAST_PRICE, Clean, Search


def with_measures(search: Search, first: Clean) -> Search:
    """The same search with the menu for what binds, the rows found so far bound to the measures that move them."""
    problem = search.problem
    if not problem.settings.measures_allowed:
        return search
    wanted: tuple[PlanMeasure, ...] = problem.measures
    if problem.menu is not None:
        known = {m.id for m in wanted}
        wanted += tuple(m for m in problem.menu(what_is_wanted(search, first.solved)) if m.id not in known)
    of_network = tuple(m for m in wanted if m.agreement is None)
    agreements = tuple(m for m in wanted if m.agreement is not None)
    # stations that plants may connect at are in whatever binds; the others are those for the dearest rows
    opening = tuple(m for m in of_network if m.id in problem.opening)
    others = tuple(m for m in of_network if m.id not in problem.opening)
    wanted = _closed(opening + others[: problem.settings.most_measures] + agreements, wanted)
    if not wanted:
        return search
    problem = replace(problem, measures=wanted)
    book = NetworkBook(problem)
    book.take_over(search.book)
    book.influence.probe_at(probes(search, first.solved))
    hot = sorted({(cut.point, cut.load_factor) for cut in search.cuts})
    states = [Probe(h, factor, np.zeros(len(problem.buses))) for h, factor in hot]
    cuts = book.with_needs([*search.cuts, *expected_rows(problem, book.influence.reliefs, states)])
    master = Master(problem)
    master.add_cuts(cuts)
    return replace(search, problem=problem, master=master, book=book, cuts=cuts)


def _closed(chosen: tuple[PlanMeasure, ...], every: tuple[PlanMeasure, ...]) -> tuple[PlanMeasure, ...]:
    """The chosen measures with all that they require."""
    ids = {m.id for m in chosen}
    while True:
        more = {r for m in every if m.id in ids for r in m.requires} - ids
        if not more:
            return tuple(m for m in every if m.id in ids)
        ids |= more


def what_is_wanted(search: Search, solved: Solved) -> Wanted:
    """What the menu is asked for: elements of the rows at their limit, then the outages under which they bind, the
    dearest first; buses by what a MW less of new plants in firm points, or of load, is worth at all rows together."""
    elements: dict[str, None] = {}
    outages: dict[str, None] = {}
    problem = search.problem
    held, fed = np.zeros(len(problem.buses)), np.zeros(len(problem.buses))
    for at in np.argsort(-solved.prices, kind="stable").tolist():
        if solved.prices[at] <= LEAST_PRICE:
            break
        cut, _ = search.master.cuts[at]
        elements[cut.element] = None
        if cut.outage:
            outages[cut.outage] = None
        worth = solved.prices[at] * cut.gradient
        fed -= worth
        if not problem.points[cut.point].curtailable:
            output = np.zeros(len(problem.buses))
            np.add.at(output, problem.offer_bus, problem.availability[problem.offer_lot, cut.point])
            held += np.where(output > 0, worth, 0.0)
    return Wanted(
        (*elements, *(o for o in outages if o not in elements)), _ranked(problem, held), _ranked(problem, fed)
    )


def _ranked(problem: PlanProblem, worth: Floats) -> tuple[str, ...]:
    """Buses of a positive worth, the largest first."""
    order = np.argsort(-worth, kind="stable")
    return tuple(problem.buses[k] for k in order.tolist() if worth[k] > 0)


def probes(search: Search, solved: Solved) -> list[Probe]:
    """Where the influence of measures is looked at: the point whose rows cost most, and the dearest one in which the
    new plants feed in less than half as much, if any row binds there (other branches bind at night than at noon)."""
    problem, decision = search.problem, solved.decision
    last = len(problem.stages) - 1
    worth = np.zeros(len(problem.points))
    for price, (cut, _) in zip(solved.prices, search.master.cuts, strict=False):
        worth[cut.point] += price if price > LEAST_PRICE else 0.0
    sums = np.array([decision.injections_mw(problem, h, last).sum() for h in range(len(problem.points))])
    order = np.lexsort((-sums, -worth)).tolist()
    other = [h for h in order if worth[h] > 0 and sums[h] < 0.5 * sums[order[0]]]
    factor = problem.stages[last].load_factor
    return [Probe(h, factor, decision.injections_mw(problem, h, last)) for h in (order[0], *other[:1])]
