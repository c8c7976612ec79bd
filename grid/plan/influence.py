"""What measures do to rows of the network: what a row found with some of them built says of the network with others.

A row depends on a measure in one of two ways: the measure stood when the row was found, and the row is relieved, or
gone with the element that it is about, once it does not stand; or it did not stand and would relieve the row. Else the
row stays as it is. Each measure is exchanged alone, in the network in which the row was found; where two or more are
exchanged, their reliefs add up, :data:`OPTIMISM` times larger. So combinations that were not met yet are taken as
somewhat better than the sum of their parts, until the plan chooses one; then it is built and linearised at its own AC
states, and its own rows join.

*Loadings* move by the DC load flow of both networks (:mod:`grid.plan.relief`). *Voltages*, and all rows for measures
that the DC load flow does not see (shunts), move by what AC states show: each measure is built alone on the network as
it is, at some :class:`Probe`, and what it does to every row is noted, of a voltage the difference, of a loading the
ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grid.limits import NO_LIMIT
from grid.plan.contracts import Cut, Floats, Need, PlanMeasure, PlanProblem
from grid.plan.reached import Reached
from grid.plan.relief import Config, ReliefBook, exchanged
from grid.sweep import CaseSweep

INFLUENCE_PERCENT = 0.5
INFLUENCE_PU = 5e-4
"""A measure that moves a row by less in AC leaves it valid."""
LEAST_RELIEF_PERCENT = 0.05
LEAST_RELIEF_PU = 4e-5
"""Relief below which a row does not name a measure: a fifth of the margin that tangents keep."""
OPTIMISM = 1.05
"""Relief that a measure is granted beside others, over what it brings alone."""
LEAST_RATIO = 0.2
LEAST_VALUE_PERCENT = 10.0
"""Loading below which a ratio of values says little: such rows change by their difference instead."""

RowName = tuple[str, str, str]
Reach = Callable[[Config, int, float, Floats], "Reached | None"]
"""AC states of a network, a point and a load factor at some injections."""


@dataclass(frozen=True)
class Probe:
    """A state at which measures are tried: point, load factor, injections [MW]."""

    point: int
    load_factor: float
    injections_mw: Floats


class Influence:
    """What the measures of a problem do to its rows."""

    def __init__(self, problem: PlanProblem, reach: Reach) -> None:
        self.problem = problem
        self._reach = reach
        self._probes: tuple[Probe, ...] = ()
        self._effects: dict[str, dict[RowName, float]] = {}
        self._silent: dict[str, bool] = {}
        self.reliefs = ReliefBook(problem)

    def take_over(self, other: Influence) -> None:
        """Know what another one knows, of a problem with the same measures."""
        self._probes, self._effects, self._silent = other._probes, other._effects, other._silent

    def probe_at(self, probes: Sequence[Probe]) -> None:
        """Where measures are tried in AC once a row asks for it."""
        self._probes = tuple(probes)

    def needs(self, cut: Cut) -> tuple[Need, ...]:
        """Measures that a row depends on."""
        least = LEAST_RELIEF_PU if cut.kind.startswith("voltage") else LEAST_RELIEF_PERCENT
        needs = []
        for k, measure in enumerate(self.problem.measures):
            if measure.agreement is None:
                relief = self._relief(cut, measure)
                if relief > least:
                    needs.append(Need(k, measure.id in cut.config, OPTIMISM * relief))
        return tuple(needs)

    def _relief(self, cut: Cut, measure: PlanMeasure) -> float:
        if not self._there(cut, exchanged(self.problem, cut.config, measure)):
            return np.inf
        if not cut.kind.startswith("voltage") and not self._is_silent(measure):
            return self.reliefs.relief(cut, measure)
        effect = self._effect_of(measure).get(self._name(cut))
        if effect is None:
            return 0.0
        return _relief(cut.kind, effect if measure.id not in cut.config else _inverse(cut.kind, effect), cut.nominal)

    def _there(self, cut: Cut, config: Config) -> bool:
        """Whether a network has the element and the outage of a row."""
        flows = self.reliefs.flows(config, cut.point)
        known = flows.bus_place if cut.kind.startswith("voltage") else flows.place
        return cut.element in known and (not cut.outage or cut.outage in flows.place)

    def _is_silent(self, measure: PlanMeasure) -> bool:
        if measure.id not in self._silent:
            self._silent[measure.id] = self.reliefs.says_nothing(measure)
        return self._silent[measure.id]

    def _name(self, cut: Cut) -> RowName:
        """The row of the network as it is that is most like this one."""
        return cut.kind, *_base_row(cut.element, cut.outage, self._base_elements)

    @cached_property
    def _base_elements(self) -> frozenset[str]:
        flows = self.reliefs.flows(frozenset(), 0)
        return frozenset((*flows.place, *flows.bus_place))

    def _effect_of(self, measure: PlanMeasure) -> dict[RowName, float]:
        """What a measure alone does to the rows of the network as it is, at the probes."""
        if measure.id not in self._effects:
            found: dict[RowName, float] = {}
            for probe in self._probes:
                base = self._reach(frozenset(), probe.point, probe.load_factor, probe.injections_mw)
                if base is None:
                    continue
                config = exchanged(self.problem, frozenset(), measure)
                one = self._reach(config, probe.point, probe.load_factor, base.injections_mw)
                if one is not None and one.share == 1.0:
                    for name, effect in _moved_rows(base.sweep, one.sweep, _row_names(base.sweep)):
                        found[name] = min(effect, found.get(name, np.inf))
            self._effects[measure.id] = found
        return self._effects[measure.id]


def _row_names(sweep: CaseSweep) -> list[tuple[str, str]]:
    return [sweep.constraint_rows.name(row, sweep.model) for row in range(sweep.constraint_rows.count)]


def _moved_rows(base: CaseSweep, changed: CaseSweep, names: Sequence[tuple[str, str]]) -> list[tuple[RowName, float]]:
    """The base's rows whose value differs in the changed network, each with the effect (see :func:`_effect`); minus
    infinity where the row is not there any more."""
    layout, other = base.constraint_rows, changed.constraint_rows
    branch = {e: k for k, e in enumerate(changed.model.element_ids)}
    bus = {b: k for k, b in enumerate(changed.model.bus_ids)}
    of_branch = np.array([branch.get(e, -1) for e in base.model.element_ids])
    of_bus = np.array([bus.get(b, -1) for b in base.model.bus_ids])
    nb = other.n_branch
    rows = np.concatenate(
        [
            of_branch,
            np.where(of_branch < 0, -1, of_branch + nb),
            np.where(of_bus < 0, -1, of_bus + other.high.start),
            np.where(of_bus < 0, -1, of_bus + other.low.start),
            np.where(of_branch < 0, -1, of_branch + other.reverse.start),
        ]
    )
    scenario = {changed.outage_name(k): k for k in range(changed.count)}
    ks = np.array([scenario.get(base.outage_name(k), -1) for k in range(base.count)])
    gone = (rows < 0)[:, None] | (ks < 0)[None, :]
    at = np.ix_(np.maximum(rows, 0), np.maximum(ks, 0))
    before, after = base.base_values, changed.base_values[at]
    there = (before > -NO_LIMIT / 2) & (base.limits < NO_LIMIT / 2)
    step = np.full(layout.count, INFLUENCE_PERCENT)
    step[layout.high] = step[layout.low] = INFLUENCE_PU
    moved = there & (gone | (np.abs(after - before) > step[:, None]))
    found = []
    for r, k in np.argwhere(moved).tolist():
        kind, element = names[r]
        effect = -np.inf if gone[r, k] else _effect(kind, float(before[r, k]), float(after[r, k]))
        found.append(((kind, element, base.outage_name(k)), effect))
    return found


def _effect(kind: str, before: float, after: float) -> float:
    """Ratio of a loading with and without a measure; of a voltage (or a small loading) the difference.

    Differences are told from ratios by the kind of row; a small loading that moves counts as halved or doubled.
    """
    if kind.startswith("voltage"):
        return after - before
    if abs(before) < LEAST_VALUE_PERCENT:
        return 0.5 if after < before else 2.0
    return max(after / before, 0.0)


def _inverse(kind: str, effect: float) -> float:
    """What taking a measure away does."""
    if kind.startswith("voltage"):
        return -effect
    return 1 / effect if effect > 0 else np.inf


def _relief(kind: str, effect: float, nominal: float) -> float:
    """By how much the limit of a row rises for a change of its value; 0 where it does not."""
    if effect == -np.inf:
        return np.inf
    if kind.startswith("voltage"):
        return max(0.0, -effect)
    if effect < LEAST_RATIO:
        return np.inf
    return max(0.0, nominal * (1 / effect - 1)) if np.isfinite(effect) else 0.0


def _base_row(element: str, outage: str, known: frozenset[str]) -> tuple[str, str]:
    """(element, outage) of the network without measures that a row of a new element is like.

    Where of an element and the new one beside it one is lost, the other carries what was carried before: with nothing
    out, since no network has a row of an element under its own loss.
    """
    at, lost = _parent(element, known), _parent(outage, known)
    return at, "" if at == lost else lost


def _parent(element: str, known: frozenset[str]) -> str:
    """The element that a new one stands beside or is a part of: the longest known id that its own begins with, or the
    line that a station cuts (``station>line``)."""
    if element in known or not element:
        return element
    ends = element.split(">")[-1]
    return max((e for e in known if element.startswith(e) or ends.startswith(e)), key=len, default=element)
