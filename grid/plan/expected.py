"""Rows that a measure brings with it, before any AC state of its network is known.

A second circuit halves what the first one carries, and has to carry all of it once the first one is lost: on a line
that hung alone nothing asked for that before. So the new elements of a measure get rows by the DC load flow of the
network with that measure, intact and after the loss of each element beside them, with :data:`SLACK` for what the DC
load flow does not see. They only lead the search: a clean plan leans on rows of AC states
(:meth:`grid.plan.model.Master.hold_to`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from grid.plan.contracts import Cut, PlanMeasure, PlanProblem
from grid.plan.influence import Probe
from grid.plan.linear_flows import LinearFlows
from grid.plan.relief import Config, ReliefBook, exchanged

SLACK = 0.06
"""Share of its rating by which an element may carry less current than the DC load flow says: voltages above 1 pu."""


def expected_rows(problem: PlanProblem, reliefs: ReliefBook, states: Sequence[Probe]) -> list[Cut]:
    """Rows of the new elements of each measure in some states, in the direction in which all new plants load them."""
    none: Config = frozenset()
    found = []
    for measure in problem.measures:
        if measure.agreement is not None:
            continue
        config = exchanged(problem, none, measure)
        for state in states:
            base, flows = reliefs.flows(none, state.point), reliefs.flows(config, state.point)
            for element, outage in new_pairs(base, flows):
                cut = _row(problem, reliefs, measure, config, state, element, outage)
                if cut is not None:
                    found.append(cut)
    return found


def new_pairs(base: LinearFlows, flows: LinearFlows) -> Iterable[tuple[str, str]]:
    """(element, outage) of new elements: intact, and after the loss of each element between the same two buses; and
    what stands beside them after their own loss."""
    new = [name for name in flows.place if name not in base.place]
    model = flows.model
    ends = {name: {int(model.f[k]), int(model.t[k])} for name, k in flows.place.items()}
    for name in new:
        yield name, ""
        for other in flows.place:
            if other != name and ends[other] == ends[name]:
                yield name, other
                if other not in new:
                    yield other, name


def _row(
    problem: PlanProblem,
    reliefs: ReliefBook,
    measure: PlanMeasure,
    config: Config,
    state: Probe,
    element: str,
    outage: str,
) -> Cut | None:
    """One expected row; None where the plan's injections cannot reach its limit."""
    flows = reliefs.flows(config, state.point)
    transformer = bool(flows.model.is_transformer[flows.place[element]])
    limits = problem.limits
    nominal = (
        (limits.transformer_n_1_percent if outage else limits.transformer_percent)
        if transformer
        else (limits.line_n_1_percent if outage else limits.line_percent)
    )
    kind = "transformer_loading" if transformer else "line_loading"
    probe = Cut(state.point, state.load_factor, kind, element, outage, np.zeros(0), 0.0, nominal, (), config, False)
    line = reliefs.line(probe, config)
    if line is None:
        return None
    at_zero, slope = line
    room = reliefs.room(state.point)
    sign = 1.0 if at_zero + slope @ room.high >= 0 else -1.0
    limit = nominal * (1 + SLACK) - sign * at_zero
    reach = float(np.maximum(sign * slope * room.low, sign * slope * room.high).sum())
    if reach <= limit:
        return None
    return Cut(state.point, state.load_factor, kind, element, outage, sign * slope, limit, nominal, (), config, False)
