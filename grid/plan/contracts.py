"""What the plan takes and gives.

*Lots* are what is decided about a plant or a group of small plants: grid capacity [MW AC] at one of its *accesses*
(bus, cost). *Points* are operating points of the network: the named cases, which count no hours, and representative
hours with weights. *Stages* are years; what is built stays. All money is CNY a year in real prices unless a name says
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from grid.contracts import Case, Network
from grid.limits import LimitSettings
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Objective = Literal["least_cost", "most_energy", "most_mw", "least_cny_per_mw"]
OBJECTIVES: tuple[Objective, ...] = ("least_cost", "most_energy", "most_mw", "least_cny_per_mw")
GROUPS = ("pv", "wind", "renewable", "storage")
"""What a target may speak of."""

BuildNetwork = Callable[[frozenset[str], Case], Network]
"""The network with some measures built (their ids), as it stands in a case (ratings may follow the season)."""

Menu = Callable[["Wanted"], "tuple[PlanMeasure, ...]"]
"""Measures for what binds, the most wanted first; without those that do not help there."""


@dataclass(frozen=True)
class Wanted:
    """What the menu is asked for: elements that bind; buses at which holding new plants back would help, and buses at
    which less load would; the dearest first."""

    elements: tuple[str, ...]
    held_buses: tuple[str, ...] = ()
    fed_buses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A year of the plan. ``weight`` is the stage's part of the objective; all weights sum to 1."""

    year: int
    weight: float
    load_factor: float = 1.0


@dataclass(frozen=True)
class Point:
    """An operating point. ``weight_h`` hours of the year are like it (0: a named case or an extreme that only has to
    hold); where ``curtailable`` new plants may be held back. ``call_h`` is for how many hours contracts and demand
    response are paid where they are called in a point without weight."""

    id: str
    case: Case
    weight_h: float
    curtailable: bool
    call_h: float = 0.0


@dataclass(frozen=True)
class Access:
    """One way to connect a lot: a bus, what it costs a year once it is used, and per MW.

    ``collector_id`` names a shared collector that has to be paid too; ``requires`` a measure that has to be built: a
    new station, of whose bays at that bus (:attr:`PlanProblem.bays`) the access takes ``bays``.
    """

    id: str
    bus_id: str
    fixed_cny_per_a: float
    cny_per_mw_a: float = 0.0
    collector_id: str = ""
    requires: str = ""
    bays: int = 0


@dataclass(frozen=True)
class Lot:
    """A plant, or alike plants of one bus, about which the plan decides.

    ``capacity_mw`` is grid capacity (AC), ``installed_per_mw`` installed capacity by grid capacity (PV: DC by AC).
    A lot with ``least_mw`` > 0 is built with at least that much or not at all; one with 0 by any part of it.
    ``energy_mwh_per_mw`` is a mean year's output by grid capacity.
    """

    id: str
    group: Literal["pv", "wind"]
    technology: str
    district_code: str
    capacity_mw: float
    installed_per_mw: float
    least_mw: float
    cost_cny_per_mw_a: float
    energy_mwh_per_mw: float
    accesses: tuple[Access, ...]


@dataclass(frozen=True)
class Collector:
    """A station that gathers small lots; paid once, carries at most ``capacity_mw``."""

    id: str
    capacity_mw: float
    cost_cny_per_a: float


@dataclass(frozen=True)
class Agreement:
    """What a measure without any building lets the plan call at a bus, paid by the MWh.

    A curtailment contract holds back up to ``plant_share`` of the new plants' output in points that are firm
    otherwise, in a year at most ``energy_share_max`` of their energy. Demand response (``plant_share`` 0) takes up to
    ``power_mw`` off a full load, in a year no more than ``hours_max`` hours of it.
    """

    bus_id: str
    cny_per_mwh: float
    plant_share: float = 0.0
    energy_share_max: float = 1.0
    power_mw: float = 0.0
    hours_max: float = float("inf")

    @property
    def holds_back(self) -> bool:
        """Whether it is a contract about plants, not about load."""
        return self.plant_share > 0

    @property
    def sign(self) -> float:
        """What a MW that is called feeds into the network [MW]."""
        return -1.0 if self.holds_back else 1.0


@dataclass(frozen=True)
class PlanMeasure:
    """A measure of the menu, built or agreed whole or not at all; with an ``agreement`` it acts on injections,
    otherwise on the network or its ratings."""

    id: str
    kind: str
    element: str
    investment_cny: float
    cost_cny_per_a: float
    exclusive_group: str = ""
    requires: tuple[str, ...] = ()
    first_year: int = 0
    """Earliest year in which it can stand (lead time)."""
    agreement: Agreement | None = None


@dataclass(frozen=True)
class PlanTarget:
    """At least (or, ``ceiling``, at most) so many MW *new* installed capacity of a group by a stage.

    ``districts`` and ``technologies`` empty: all. A floor that cannot be kept is broken as little as possible and says
    by how much.
    """

    id: str
    group: str
    stage: int
    new_mw: float
    districts: tuple[str, ...] = ()
    ceiling: bool = False
    technologies: tuple[str, ...] = ()


@dataclass(frozen=True)
class StorageTerms:
    """What storage costs and can do. Cost per MW and per MWh of content, both a year.

    Hours of the plan have no order, so a store's energy is kept by the year: as much comes out as goes in times
    ``efficiency``, and no more is charged than ``cycles_per_a`` fillings. In any point it can charge at most what
    fills it in ``sustain_h``.
    """

    cny_per_mw_a: float
    cny_per_mwh_a: float
    investment_cny_per_mwh: float
    least_hours: float
    most_hours: float
    efficiency: float
    sustain_h: float
    cycles_per_a: float
    most_mw_per_bus: float


@dataclass(frozen=True)
class PlanSettings:
    """How the plan is found.

    ``grid_budget_cny`` bounds the investment in measures and storage, ``budget_cny_per_a`` everything a year; infinite:
    no bound. ``least_mw`` is the floor of new grid capacity for the objective CNY per MW. ``utilisation_floor`` is the
    least share of the year's output that is not curtailed. ``storage_share`` of the new grid capacity must stand as
    storage with ``storage_hours``.
    """

    objective: Objective = "least_cost"
    budget_cny_per_a: float = float("inf")
    grid_budget_cny: float = float("inf")
    least_mw: float = 0.0
    utilisation_floor: float = 0.95
    storage_share: float = 0.0
    storage_hours: float = 2.0
    curtailed_cny_per_mwh: float = 0.0
    gap: float = 0.01
    time_limit_s: float = 150.0
    measures_allowed: bool = True
    most_measures: int = 24
    """Measures of the network considered at once, those for the dearest rows first; agreements do not count, since no
    network has to be built for them."""


@dataclass(frozen=True)
class PlanProblem:
    """Everything the plan is made from. ``availability`` is the output of each lot by grid capacity at each point,
    shape (lots, points)."""

    stages: tuple[Stage, ...]
    points: tuple[Point, ...]
    lots: tuple[Lot, ...]
    availability: Floats
    measures: tuple[PlanMeasure, ...]
    targets: tuple[PlanTarget, ...]
    settings: PlanSettings
    limits: LimitSettings
    build: BuildNetwork
    collectors: tuple[Collector, ...] = ()
    storage: StorageTerms | None = None
    storage_buses: tuple[str, ...] = ()
    menu: Menu | None = None
    """Where given, measures for what binds without them are taken from here, beside ``measures``."""
    agreement_buses: tuple[str, ...] = ()
    """Buses beside those of lots and storage at which the menu's agreements may act."""
    bays: Mapping[str, int] = field(default_factory=dict)
    """Bays of new stations by bus, for accesses that require the station; a bus that is not named has enough."""

    @cached_property
    def offers(self) -> tuple[tuple[int, Access], ...]:
        """(lot, access) pairs: what capacity is decided for."""
        return tuple((k, access) for k, lot in enumerate(self.lots) for access in lot.accesses)

    @cached_property
    def buses(self) -> tuple[str, ...]:
        """Buses that something can be injected at, sorted."""
        agreed = {m.agreement.bus_id for m in self.measures if m.agreement is not None} | set(self.agreement_buses)
        return tuple(sorted({access.bus_id for _, access in self.offers} | set(self.storage_buses) | agreed))

    @cached_property
    def bus_row(self) -> Mapping[str, int]:
        return {bus: k for k, bus in enumerate(self.buses)}

    @cached_property
    def offer_lot(self) -> Ints:
        return np.array([k for k, _ in self.offers], dtype=np.int64)

    @cached_property
    def offer_bus(self) -> Ints:
        return np.array([self.bus_row[a.bus_id] for _, a in self.offers], dtype=np.int64)

    @cached_property
    def opening(self) -> frozenset[str]:
        """Ids of the measures without which some access does not exist."""
        return frozenset(access.requires for _, access in self.offers if access.requires)

    @cached_property
    def measure_row(self) -> Mapping[str, int]:
        return {m.id: k for k, m in enumerate(self.measures)}


@dataclass(frozen=True)
class Decision:
    """A plan's numbers. Shapes: ``mw`` (offers, stages); ``measures`` (measures, stages); ``storage_mw`` and
    ``storage_mwh`` (storage buses, stages); ``curtailed_mw`` (buses, points, stages), ``storage_power_mw`` (storage
    buses, points, stages; positive feeds the network); ``missing_mw`` (targets); ``called_mw`` (measures, points,
    stages; what agreements hold back or take off the load; empty: nothing)."""

    mw: Floats
    measures: Bools
    storage_mw: Floats
    storage_mwh: Floats
    curtailed_mw: Floats
    storage_power_mw: Floats
    missing_mw: Floats
    collectors: Bools
    called_mw: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def built(self, problem: PlanProblem, stage: int) -> tuple[PlanMeasure, ...]:
        """Measures that stand in a stage."""
        return tuple(m for m, built in zip(problem.measures, self.measures[:, stage], strict=True) if built)

    def config(self, problem: PlanProblem, stage: int) -> frozenset[str]:
        """Ids of the measures of network and ratings that stand in a stage: what the network depends on."""
        return frozenset(m.id for m in self.built(problem, stage) if m.agreement is None)

    def injections_mw(self, problem: PlanProblem, point: int, stage: int) -> Floats:
        """What is injected at each bus of the problem at a point [MW]."""
        out = np.zeros(len(problem.buses))
        np.add.at(out, problem.offer_bus, problem.availability[problem.offer_lot, point] * self.mw[:, stage])
        out -= self.curtailed_mw[:, point, stage]
        rows = np.array([problem.bus_row[b] for b in problem.storage_buses], dtype=np.int64)
        np.add.at(out, rows, self.storage_power_mw[:, point, stage])
        for called, measure in zip(self.called_mw, problem.measures, strict=False):
            if measure.agreement is not None:
                out[problem.bus_row[measure.agreement.bus_id]] += measure.agreement.sign * called[point, stage]
        return out


@dataclass(frozen=True)
class Need:
    """What a row of the network says of a measure: once it stands otherwise than ``built``, the row's limit rises by
    ``relief`` (infinite: the row says nothing any more)."""

    measure: int
    built: bool
    relief: float


@dataclass(frozen=True)
class Cut:
    """One row of the network: ``gradient . injections <= limit`` at a point, tangent to the AC states of the network
    with the measures ``config`` built.

    ``gradient`` has one value a bus, in the row's own unit (per cent of the rating, or pu) by MW; ``nominal`` is the
    limit of the row's value itself. ``needs`` names the measures that the row depends on.
    """

    point: int
    load_factor: float
    kind: str
    element: str
    outage: str
    gradient: Floats
    limit: float
    nominal: float
    needs: tuple[Need, ...] = ()
    config: frozenset[str] = frozenset()
    exact: bool = True
    """False: not of an AC state but expected of a network that was not met (:mod:`grid.plan.expected`)."""


@dataclass(frozen=True)
class Violation:
    """A limit that an AC state breaks; ``value`` and ``limit`` in the row's own unit."""

    stage: int
    point: str
    kind: str
    element: str
    outage: str
    value: float
    limit: float


@dataclass(frozen=True)
class Round:
    """One round of the search: what the master said and what the AC states answered."""

    what: str
    objective_cny: float
    bound_cny: float
    missing_mw: float
    cuts: int
    violations: int
    seconds: float


@dataclass(frozen=True)
class PlanAnswer:
    """The plan, its cost and bound, and the proof.

    ``objective_cny`` is the weighted mean of the stages' yearly cost without any penalty; for the objectives
    most_energy and most_mw ``value`` and ``bound`` carry the maximised quantity (MWh, MW). ``violations`` is what
    remains broken in AC; ``cuts`` the rows found, ``points`` all points in the end (extreme hours are added).
    """

    problem: PlanProblem
    decision: Decision
    objective_cny: float
    best_bound_cny: float
    value: float
    bound: float
    lp_bound: float
    gap_percent: float
    seconds: float
    violations: tuple[Violation, ...]
    cuts: tuple[Cut, ...]
    rounds: tuple[Round, ...]
    states_checked: int
    diverged: int = 0
    notes: tuple[str, ...] = field(default_factory=tuple)


PLAN_HOURS = Table(
    "plan_hours",
    "Representative hours: which, for how many of the year's, and why.",
    {
        "point": column(str, "", "point", unique=True),
        "hour": column(int, "", "number of the hour in the year, from 0", ge=0),
        "weight_h": column(float, "h", "hours of the year that it stands for", ge=0),
        "why": column(str, "", "medoid, or the extreme that put it in"),
        "load_share": column(float, "", "load by peak", ge=0),
        "pv_share": column(float, "", "mean PV output by grid capacity", ge=0),
        "wind_share": column(float, "", "mean wind output by grid capacity", ge=0),
    },
)
