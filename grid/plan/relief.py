"""By how much the limit of a row rises once one measure more, or one less, stands than where the row was found.

A row ``g . p <= limit`` was found in a network with some measures built. In the network with one measure exchanged
the same element under the same outage keeps ``g' . p <= limit'``; the change of slope and of constant is that of the
DC load flow of the two networks, each in the row's own case. The first row may say no more than what the second one
says too::

    relief = max { g . p - limit :  g' . p <= limit',  low <= p <= high }
           = min over price >= 0 of  price limit' + sum_b max over p_b of (g - price g')_b p_b  -  limit

with the injections that the plan can give at each bus. The minimum is at a ratio g_b / g'_b: a knapsack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grid.admittance import operating_point
from grid.contracts import Case
from grid.plan.contracts import Cut, Floats, PlanMeasure, PlanProblem
from grid.plan.linear_flows import LinearFlows, in_order_of, same_flows, scheduled_mw

Config = frozenset[str]
ALIKE = 0.7
"""Cosine of a row's AC slopes and its DC ones below which the DC load flow does not tell what the row is about."""


@dataclass(frozen=True)
class Room:
    """Least and most that can be injected at each bus of the problem at a point [MW]."""

    low: Floats
    high: Floats


class ReliefBook:
    """Reliefs of rows by measures; networks are made when first asked for."""

    def __init__(self, problem: PlanProblem) -> None:
        self.problem = problem
        self._flows: dict[tuple[Config, str], LinearFlows] = {}
        self._scheduled: dict[tuple[Config, str, float], Floats] = {}
        self._rooms: dict[int, Room] = {}

    def relief(self, cut: Cut, measure: PlanMeasure) -> float:
        """Relief of a row once the measure stands otherwise than there: at least 0; infinite where
        the other network does not have the row."""
        line = self.line(cut, cut.config)
        if line is None:
            return np.inf
        at_zero, slope = line
        length = float(np.linalg.norm(cut.gradient)) * float(np.linalg.norm(slope))
        alike = float(cut.gradient @ slope) / length if length > 0 else 0.0
        if abs(alike) < ALIKE:
            return np.inf
        other = self.line(cut, exchanged(self.problem, cut.config, measure))
        if other is None:
            return np.inf
        sign = np.sign(alike)
        room = self.room(cut.point)
        limit = cut.limit - sign * (other[0] - at_zero)
        return max(0.0, most_within(cut.gradient, cut.gradient + sign * (other[1] - slope), limit, room) - cut.limit)

    def says_nothing(self, measure: PlanMeasure) -> bool:
        """Whether a measure changes no flow of the DC load flow: a shunt, which acts by voltage alone."""
        none: Config = frozenset()
        return same_flows(self.flows(none, 0), self.flows(exchanged(self.problem, none, measure), 0))

    def flows(self, config: Config, point: int) -> LinearFlows:
        """The network with some measures built, as it stands in a point's season."""
        case = self.problem.points[point].case
        key = (config, case.season)
        if key not in self._flows:
            self._flows[key] = LinearFlows.of(self.problem.build(config, case), case)
        return self._flows[key]

    def scheduled(self, config: Config, point: int, load_factor: float) -> Floats:
        """What existing plants and loads inject at a point."""
        key = (config, self.problem.points[point].id, load_factor)
        if key not in self._scheduled:
            case = loaded_case(self.problem.points[point].case, load_factor)
            model = self.flows(config, point).model
            self._scheduled[key] = scheduled_mw(operating_point(self.problem.build(config, case), case, model))
        return self._scheduled[key]

    def line(self, cut: Cut, config: Config) -> tuple[float, Floats] | None:
        """The row's flow by the injections at the problem's buses."""
        flows = self.flows(config, cut.point)
        line = flows.line(cut.element, cut.outage, self.scheduled(config, cut.point, cut.load_factor))
        if line is None:
            return None
        place = in_order_of(flows, self.problem.buses)
        return line.at_zero, np.where(place >= 0, line.slope[place], 0.0)

    def room(self, point: int) -> Room:
        """What the plan can inject at a point, whatever it chooses."""
        if point not in self._rooms:
            self._rooms[point] = room_of(self.problem, point)
        return self._rooms[point]


def exchanged(problem: PlanProblem, config: Config, measure: PlanMeasure) -> Config:
    """The measures with one more (and what it requires, without what it excludes), or one less (without what requires
    it)."""
    if measure.id in config:
        needing = {m.id for m in problem.measures if measure.id in m.requires}
        return config - {measure.id} - needing
    group = {m.id for m in problem.measures if measure.exclusive_group and m.exclusive_group == measure.exclusive_group}
    return (config - group) | {measure.id, *measure.requires}


def room_of(problem: PlanProblem, point: int) -> Room:
    """Least and most injection of each bus: every offer at its whole capacity, storage and agreements as they can."""
    high, low = np.zeros(len(problem.buses)), np.zeros(len(problem.buses))
    capacity = np.array([problem.lots[k].capacity_mw for k, _ in problem.offers])
    np.add.at(high, problem.offer_bus, capacity * problem.availability[problem.offer_lot, point])
    if problem.storage is not None:
        at = [problem.bus_row[bus] for bus in problem.storage_buses]
        np.add.at(high, at, problem.storage.most_mw_per_bus)
        np.add.at(low, at, -problem.storage.most_mw_per_bus)
    for measure in problem.measures:
        if measure.agreement is not None:
            high[problem.bus_row[measure.agreement.bus_id]] += measure.agreement.power_mw
    return Room(low, high)


def most_within(value: Floats, weight: Floats, limit: float, room: Room) -> float:
    """Largest ``value . p`` with ``weight . p <= limit`` and ``room.low <= p <= room.high``; minus infinity where no p
    keeps the limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = value / weight
    prices = np.unique(np.concatenate([[0.0], ratio[np.isfinite(ratio) & (ratio > 0)]]))
    left = value - prices[:, None] * weight
    bounds = prices * limit + np.maximum(left * room.low, left * room.high).sum(axis=1)
    least = float(np.minimum(weight * room.low, weight * room.high).sum())
    return -np.inf if least > limit + 1e-9 else float(bounds.min())


def loaded_case(case: Case, load_factor: float) -> Case:
    """The case with its load grown."""
    return case if load_factor == 1.0 else replace(case, load_share=case.load_share * load_factor)
