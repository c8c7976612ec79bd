"""Flows of one network as straight lines of the injections: what a branch carries in the DC load flow, outages too.

Made for many networks of which a few rows are asked each; whole tables of factors are in :mod:`grid.sensitivity`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from grid.admittance import GridModel, OperatingPoint, compile_model, operating_point
from grid.ampacity import season_rating_factor
from grid.contracts import Case, Network
from grid.engine import parts
from grid.plan.contracts import Floats, Ints

BRIDGE = 1e-6
"""Share of its own flow that other ways must take for an outage not to split the network."""


@dataclass(frozen=True)
class FlowLine:
    """A branch's flow by its rating: ``at_zero + slope . p`` [per cent], p [MW] injected at each bus of the network.

    Positive from the branch's first bus to its second.
    """

    at_zero: float
    slope: Floats


@dataclass
class LinearFlows:
    """The DC load flow of a network with one branch out (-1: none); the infeeds take the balance by their weights."""

    model: GridModel
    weight: Floats
    out: int = -1
    _without: dict[int, LinearFlows] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, case: Case) -> LinearFlows:
        model = compile_model(network, season_rating_factor(case.season), case.load_share)
        point = operating_point(network, case, model)
        weight = np.where(point.infeed, np.maximum(point.slack_weight, 0.0), 0.0)
        weight[point.reference] = max(weight[point.reference], 1e-9)
        return cls(model, weight)

    @cached_property
    def place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.model.element_ids)}

    @cached_property
    def bus_place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.model.bus_ids)}

    @cached_property
    def susceptance(self) -> Floats:
        """Of each branch [pu], 0 for the one that is out."""
        b = np.abs(self.model.yft.imag)
        if self.out >= 0:
            b[self.out] = 0.0
        return b

    @cached_property
    def angles(self) -> Floats:
        """Angle of each bus by injection at each bus [rad/pu], the balance taken by the infeeds of its part.

        Parts without an infeed carry nothing.
        """
        model, b = self.model, self.susceptance
        n = model.n_bus
        laplacian = np.zeros((n, n))
        np.add.at(laplacian, (model.f, model.f), b)
        np.add.at(laplacian, (model.t, model.t), b)
        np.add.at(laplacian, (model.f, model.t), -b)
        np.add.at(laplacian, (model.t, model.f), -b)
        part = parts(model, b > 0)
        result = np.zeros((n, n))
        for label in np.unique(part[self.weight > 0]):
            members = np.flatnonzero(part == label)
            share = self.weight[members] / self.weight[members].sum()
            inverse = np.zeros((len(members), len(members)))
            inverse[1:, 1:] = np.linalg.inv(laplacian[np.ix_(members[1:], members[1:])])
            result[np.ix_(members, members)] = inverse - (inverse @ share)[:, None]
        return result

    def flow_of(self, branch: int) -> Floats:
        """Flow of a branch by injection at each bus [pu/pu], shape (buses,)."""
        model = self.model
        return np.asarray(self.susceptance[branch] * (self.angles[model.f[branch]] - self.angles[model.t[branch]]))

    def line(self, element: str, outage: str, scheduled_mw: Floats) -> FlowLine | None:
        """The flow of an element after an outage ('': none) by the injections on top of the schedule.

        None where the network does not have the element or the outage.
        """
        branch = self.place.get(element)
        out = self.place.get(outage, -1)
        if branch is None or branch == out or (outage and out < 0):
            return None
        slope = self._after(branch, out)
        percent = 100 / self.model.rating_mva[branch]
        return FlowLine(float(slope @ scheduled_mw) * percent, slope * percent)

    def _after(self, branch: int, out: int) -> Floats:
        """LODF where something else can take the lost branch's flow, else the network without it, solved anew."""
        own = self.flow_of(branch)
        if out < 0:
            return own
        lost, model = self.flow_of(out), self.model
        f, t = model.f[out], model.t[out]
        through = lost[f] - lost[t]
        if 1 - through > BRIDGE:
            return np.asarray(own + lost * (own[f] - own[t]) / (1 - through))
        if out not in self._without:
            self._without[out] = LinearFlows(model, self.weight, out)
        return self._without[out].flow_of(branch)


def scheduled_mw(point: OperatingPoint) -> Floats:
    """What existing plants and loads inject at each bus [MW], phase shifts apart."""
    return np.asarray(point.generation_mw - point.load_mw)


def same_flows(one: LinearFlows, other: LinearFlows) -> bool:
    """Whether two networks carry the same: equal branches with equal ratings."""
    a, b = one.model, other.model
    return (
        a.element_ids == b.element_ids
        and bool(np.allclose(one.susceptance, other.susceptance))
        and bool(np.allclose(a.rating_mva, b.rating_mva))
    )


def in_order_of(flows: LinearFlows, buses: tuple[str, ...]) -> Ints:
    """Place of each bus in the network; -1 where it has none."""
    return np.array([flows.bus_place.get(bus, -1) for bus in buses], dtype=np.int64)
