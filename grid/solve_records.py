"""What a load flow takes and gives: options, solution, and the solution as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Status
from grid.model.contracts import BusBranch
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

Start = Literal["warm", "dc", "flat", "damped"]


@dataclass(frozen=True)
class SolveOptions:
    """How to solve. The defaults solve a case as it stands: no limit is enforced, no tap moves."""

    engine: Literal["lightsim2grid", "pandapower"] = "lightsim2grid"
    slack: Literal["references", "weights"] = "references"
    """Who takes the slack power: the reference buses of the source (several share it by their generators' weights,
    equally without weights; the first holds the angle), or every voltage-holding generator by its weight."""
    reactive_limits: bool = False
    """Turn generators into fixed reactive power at their limits, and back."""
    taps: bool = False
    """Move the tap changers that hold a voltage."""
    shunt_steps: bool = False
    """Switch the steps of switched shunts."""
    starts: tuple[Start, ...] = ("warm", "dc", "flat", "damped")
    """The ladder; warm is the given or else the stored state."""
    pandapower_fallback: bool = False
    """After the ladder, ask pandapower (its import alone takes seconds)."""
    tolerance_pu: float = 1e-9
    most_iterations: int = 30
    most_rounds: int = 60
    """Rounds of the control loops."""


@dataclass(frozen=True)
class Solution:
    """State of ``case`` (three-winding units expanded). NaN where a bus or branch is off, lost, or nothing solved.

    Arrays follow the tables of ``case``: buses, branches, generators, shunts. Flows are into the branch [MW, Mvar];
    generators produce; ``lost`` means cut from every reference. Energised: generation + hvdc = load + shunts +
    losses.
    """

    case: BusBranch
    status: Status
    detail: str
    """Engine and start that worked, or the starts tried and the mismatch."""
    start: str
    iterations: int
    mismatch_mva: float
    vm_pu: Floats
    va_degree: Floats
    p_from_mw: Floats
    q_from_mvar: Floats
    p_to_mw: Floats
    q_to_mvar: Floats
    generator_p_mw: Floats
    generator_q_mvar: Floats
    slack_mw: Floats
    """What each generator gives beyond its schedule."""
    ratio: Floats
    """Turns ratios after the tap loop."""
    shunt_b_mvar: Floats
    """Susceptances after the shunt loop."""
    losses_mw: float
    load_mw: float
    shunt_mw: float
    reference_p_mw: float
    """Output at the first reference bus."""
    reference_bus: int
    lost_load_mw: float
    lost_generation_mw: float
    lost_buses: tuple[int, ...]
    at_limit: tuple[str, ...]
    """Generators that stand at a reactive limit and no longer hold their voltage."""
    unsettled: tuple[str, ...]
    """Controls that could not settle: the flow is a solution, the control's wish is not met."""

    @property
    def voltage(self) -> Complexes:
        return np.asarray(self.vm_pu * np.exp(1j * np.deg2rad(self.va_degree)), dtype=np.complex128)

    def loading_percent(self, rating: Literal["a", "b", "c"] = "a") -> Floats:
        """Larger end's current over the rating's current at nominal voltage; NaN without rating, shape (branches,).

        A line rating of S MVA allows S / (sqrt(3) U_n) at each end, so the loading is MVA / |V| / rating.
        """
        position = pd.Series(np.arange(len(self.case.buses)), index=self.case.buses["bus_id"])
        branches = self.case.branches
        f, t = position[branches["from_bus"]].to_numpy(int), position[branches["to_bus"]].to_numpy(int)
        at_from = np.hypot(self.p_from_mw, self.q_from_mvar) / self.vm_pu[f]
        at_to = np.hypot(self.p_to_mw, self.q_to_mvar) / self.vm_pu[t]
        limit = branches[f"rating_{rating}_mva"].to_numpy(float)
        return np.asarray(100 * np.maximum(at_from, at_to) / np.where(limit > 0, limit, np.nan), dtype=np.float64)


SOLVED_BUSES = Table(
    "solved_buses",
    "Voltages and balances of the buses, with the source's own numbers.",
    {
        "bus_id": column(int, "", "the source's bus number", unique=True),
        "name": column(str, "", "the source's name"),
        "vn_kv": column(float, "kV", "base voltage"),
        "vm_pu": column(float, "pu", "voltage; empty where lost or off", nullable=True),
        "va_degree": column(float, "degree", "angle", nullable=True),
        "generation_mw": column(float, "MW", "produced", nullable=True),
        "generation_mvar": column(float, "Mvar", "produced", nullable=True),
        "lost": column(bool, "", "cut from every reference"),
    },
)

SOLVED_BRANCHES = Table(
    "solved_branches",
    "Flows into the branches at both ends.",
    {
        "branch_id": column(str, "", "branch", unique=True),
        "name": column(str, "", "the source's name"),
        "kind": column(str, "", "line or transformer"),
        "from_bus": column(int, "", "bus"),
        "to_bus": column(int, "", "bus"),
        "p_from_mw": column(float, "MW", "into the branch", nullable=True),
        "q_from_mvar": column(float, "Mvar", "into the branch", nullable=True),
        "p_to_mw": column(float, "MW", "into the branch", nullable=True),
        "q_to_mvar": column(float, "Mvar", "into the branch", nullable=True),
        "losses_mw": column(float, "MW", "sum of both ends", nullable=True),
        "rating_a_mva": column(float, "MVA", "continuous rating", nullable=True),
        "loading_percent": column(float, "%", "larger end's current over the continuous rating's", nullable=True),
        "ratio": column(float, "", "turns ratio in use"),
    },
)


def bus_table(solution: Solution) -> pd.DataFrame:
    """Table :data:`SOLVED_BUSES`, star points of three-winding units left out."""
    case = solution.case
    produced = (
        pd.DataFrame(
            {
                "bus_id": case.generators["bus_id"].to_numpy(int),
                "generation_mw": solution.generator_p_mw,
                "generation_mvar": solution.generator_q_mvar,
            }
        )
        .groupby("bus_id")
        .sum(min_count=1)
        .reindex(case.buses["bus_id"])
    )
    lost = set(solution.lost_buses)
    frame = pd.DataFrame(
        {
            **{name: case.buses[name].to_numpy() for name in ("bus_id", "name", "vn_kv")},
            "vm_pu": solution.vm_pu,
            "va_degree": solution.va_degree,
            "generation_mw": produced["generation_mw"].to_numpy(float),
            "generation_mvar": produced["generation_mvar"].to_numpy(float),
            "lost": [int(b) in lost for b in case.buses["bus_id"]],
        }
    )
    return frame[~case.buses["is_star"].to_numpy(bool)].reset_index(drop=True)


def branch_table(solution: Solution) -> pd.DataFrame:
    """Table :data:`SOLVED_BRANCHES`; the windings of three-winding units are rows ``<unit>/1`` to ``/3``."""
    branches = solution.case.branches
    return pd.DataFrame(
        {
            **{name: branches[name].to_numpy() for name in ("branch_id", "name", "kind", "from_bus", "to_bus")},
            "p_from_mw": solution.p_from_mw,
            "q_from_mvar": solution.q_from_mvar,
            "p_to_mw": solution.p_to_mw,
            "q_to_mvar": solution.q_to_mvar,
            "losses_mw": solution.p_from_mw + solution.p_to_mw,
            "rating_a_mva": branches["rating_a_mva"].to_numpy(float),
            "loading_percent": solution.loading_percent(),
            "ratio": solution.ratio,
        }
    )
