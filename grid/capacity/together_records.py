"""What a study of several buses at once takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from grid.model.arrays import Floats
from grid.model.contracts import BusBranch
from layers.tables import Table, column

STATUS = ("clean", "shrunk", "gap", "base case")
LIMITS = (
    "line_loading",
    "transformer_loading",
    "reverse_flow",
    "voltage_high",
    "voltage_low",
    "diverged",
    "split",
)

ALLOCATION = Table(
    "together_allocation",
    "One row a site, in the order given.",
    {
        "site": column(str, "", "name of the site", unique=True),
        "bus": column(int, "", "its bus"),
        "wish_mw": column(float, "MW", "most it asks for; inf where it takes all", ge=0),
        "capacity_mw": column(float, "MW", "what it gets", ge=0),
        "binding": column(str, "", "what kept it from more: case, outage and element; empty where it got its wish"),
    },
)

BINDING = Table(
    "together_binding",
    "Limits that bind at the answer, the tightest first.",
    {
        "case": column(str, "", "named case"),
        "outage": column(str, "", "branch that is lost; empty in the intact network"),
        "element": column(str, "", "branch or bus that is at its limit"),
        "limit": column(str, "", "kind of limit", isin=LIMITS),
        "value": column(float, "% or pu", "loading of the limit's rating, or voltage", nullable=True),
        "bound": column(float, "% or pu", "largest (of a low voltage least) value allowed", nullable=True),
        "before": column(float, "% or pu", "value with nothing added", nullable=True),
        "worth_mw_per_percent": column(float, "MW/%", "more total by one percent (or 0.01 pu) of further room; NaN "
                                                      "where no linear programme tells", nullable=True),
    },
)  # fmt: skip

SHARES = Table(
    "together_shares",
    "Who uses whose headroom: flow that each site adds to each binding branch after its outage.",
    {
        "case": column(str, "", "named case"),
        "outage": column(str, "", "branch that is lost; empty in the intact network"),
        "element": column(str, "", "branch that is at its limit"),
        "site": column(str, "", "name of the site"),
        "bus": column(int, "", "its bus"),
        "capacity_mw": column(float, "MW", "what the site has"),
        "factor": column(float, "MW/MW", "flow in the direction of the loaded flow per MW of the site"),
        "flow_mw": column(float, "MW", "flow that the site adds; negative: it relieves the branch"),
        "share_percent": column(float, "%", "of all sites' flow; opposite flows are negative, the sum is 100",
                                nullable=True),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A place for new plants (or load): a bus and the most that is asked for there."""

    id: str
    bus_id: int
    wish_mw: float = np.inf


@dataclass(frozen=True)
class NamedCase:
    """An operating point that the answer must hold in. ``output`` is what new plants give there per MW of capacity:
    one figure for all, or by site id."""

    id: str
    case: BusBranch
    output: float | Mapping[str, float] = 1.0

    def output_of(self, site: str) -> float:
        return float(self.output if isinstance(self.output, int | float) else self.output.get(site, 1.0))


@dataclass(frozen=True)
class Bound:
    """A row that binds: numbers of case, state (0 intact) and row (:mod:`grid.capacity.rows`; negative: no row)."""

    case: int
    state: int
    row: int


@dataclass(frozen=True)
class TogetherOptions:
    """How exactly several buses are studied; limits and the plants' reactive power are ``CapacitySettings``."""

    n_1: bool = True
    outages: tuple[str, ...] | None = None
    """Branch ids that are lost one at a time; None: every branch of the network."""
    lost_side: Literal["trips", "limit"] | None = None
    """A plant that an outage cuts off with its bus: it trips (the rest must hold its limits without it), or it gets no
    N-1 capacity at all. None: plants trip, added load gets none."""
    loading_tolerance_percent: float = 0.1
    voltage_tolerance_pu: float = 1e-4
    """An AC state within these of its limits is clean."""
    gap_mw: float = 0.05
    gap_share: float = 1e-4
    """The search ends when the linear bound is this near to the clean total."""
    most_rounds: int = 14
    path_points: int = 4
    """Points of the straight line from nothing to the answer that are checked by AC."""
    most_bytes: float = 2.0e9
    """Room for the states of all outages; a larger study is refused."""


@dataclass(frozen=True)
class Together:
    """Answer for a set of sites.

    ``status``: *clean* (AC-checked, all outages), *shrunk* (cut back along a line to the last clean point), *gap*
    (cut back to the first limit on the way up; a clean point beyond it exists), *base case* (a limit is broken before
    anything is added: nothing is given).
    """

    kind: Literal["max total", "proportional", "first come", "max-min"]
    status: Literal["clean", "shrunk", "gap", "base case"]
    total_mw: float
    bound_mw: float
    """Linear bound at the last point (max total), or least total that is known to break a limit; NaN none."""
    factor: float
    """Common share of the wishes (proportional); NaN otherwise."""
    beyond_mw: float
    """Total of the clean point beyond a gap; NaN none."""
    allocation: pd.DataFrame
    binding: pd.DataFrame
    bounds: tuple[Bound, ...]
    """The rows of ``binding``, in its order."""
    residual_percent: float
    """Largest loading above its bound at the answer [% of rating]; 0 where clean to the last digit."""
    residual_pu: float
    """Largest voltage outside its bound."""
    ac_states: int
    linear_programmes: int
    unsolved: tuple[str, ...] = ()
    """Outages (case/outage) without solution before anything is added, left out as tolerated."""
    not_followed: tuple[str, ...] = field(default=())
    """Outages that cut the reference off from the larger load: not studied here."""

    @property
    def capacity_mw(self) -> Floats:
        """What each site gets, shape (sites,)."""
        return np.asarray(self.allocation["capacity_mw"].to_numpy(float))

    @property
    def gap_mw(self) -> float:
        """Linear bound less the clean total; NaN where there is no bound."""
        return float(self.bound_mw - self.total_mw)
