"""The limits of a case as arrays for the kernels, and the names of their rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver
from grid.capacity.kernels import NEVER
from grid.capacity.settings import CapacitySettings
from grid.limits import post_fault_band
from grid.model.contracts import BusBranch
from grid.studies.n_1 import ratings_mva
from layers.contracts import Finding, InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Branches and nodes of the solved part in its own numbering, with their limits before and after an outage.

    Row numbers: current at the from ends (branches), at the to ends, voltage high (nodes), low, reverse flow
    (branches). ``branch`` gives the row of the case's branch table, ``node`` the case's bus row of a node.
    """

    branch: Ints
    node: Ints
    f: Ints
    t: Ints
    yf: Floats
    yt: Floats
    scale: Floats
    """Squared loading [1 at the rating before an outage] per squared current [pu]; 0 where nothing is limited."""
    limit_0: Floats
    limit_1: Floats
    high_0: Floats
    high_1: Floats
    low_0: Floats
    low_1: Floats
    reverse_sign: Floats
    reverse_limit: Floats
    """Of the active power from the low to the high side [pu]; NEVER where there is none."""

    @property
    def n_branch(self) -> int:
        return len(self.f)

    @property
    def n_node(self) -> int:
        return len(self.node)

    def limits(self, after_outage: bool) -> tuple[Floats, Floats, Floats, Floats]:
        """(squared loading, voltage high, voltage low, reverse flow)."""
        if after_outage:
            return self.limit_1, self.high_1, self.low_1, np.full(self.n_branch, NEVER)
        return self.limit_0, self.high_0, self.low_0, self.reverse_limit


def build_rows(solver: BatchSolver, settings: CapacitySettings) -> Rows:
    """Limits of the solver's part.

    Raises
    ------
    InputError
        If no branch has a rating, or a branch above 0 lacks one while others have it (see :func:`missing_ratings`).
    """
    a, case = solver.arrays, solver.arrays.case
    local = np.full(a.n_node, -1)
    local[solver.members] = np.arange(len(solver.members))
    f, t = local[a.f], local[a.t]
    kept = np.flatnonzero(a.live & (f >= 0) & (t >= 0) & (f != t))
    branches = case.branches.iloc[kept]
    rating_0 = ratings_mva(branches, settings.rating) / a.base_mva
    rating_1 = ratings_mva(branches, settings.rating_n_1) / a.base_mva
    unit = (branches["kind"] == "transformer").to_numpy(bool)
    share_0 = np.where(unit, settings.transformer_percent, settings.line_percent) / 100
    share_1 = np.where(unit, settings.transformer_n_1_percent, settings.line_n_1_percent) / 100
    rated = np.isfinite(rating_0) & (rating_0 > 0)
    ports = solver.ports[:, kept]
    high_0, low_0, high_1, low_1 = _voltage_limits(solver, settings)
    sign, reverse = _reverse(case, kept, unit, rating_0, settings)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Rows(
            branch=kept,
            node=_first_bus(solver),
            f=f[kept],
            t=t[kept],
            yf=np.ascontiguousarray(np.stack([ports[0].real, ports[0].imag, ports[1].real, ports[1].imag])),
            yt=np.ascontiguousarray(np.stack([ports[2].real, ports[2].imag, ports[3].real, ports[3].imag])),
            scale=np.where(rated, 1 / rating_0**2, 0.0),
            limit_0=np.where(rated, share_0**2, NEVER),
            limit_1=np.where(rated, (share_1 * rating_1 / rating_0) ** 2, NEVER),
            high_0=high_0,
            high_1=high_1,
            low_0=low_0,
            low_1=low_1,
            reverse_sign=sign,
            reverse_limit=reverse,
        )


def missing_ratings(case: BusBranch, rating: str = "a") -> Bools:
    """Running branches that no rating limits, shape (branches,)."""
    given = np.isfinite(ratings_mva(case.branches, rating))
    running = case.branches["in_service"].to_numpy(bool)
    impedance = np.hypot(case.branches["r_pu"].to_numpy(float), case.branches["x_pu"].to_numpy(float)) > 0
    return np.asarray(running & impedance & ~given)


def refuse_without_ratings(case: BusBranch, rating: str = "a", most: int = 20) -> None:
    """Raise :class:`InputError` naming the branches without rating, if there are any."""
    lacking = np.flatnonzero(missing_ratings(case, rating))
    if not len(lacking):
        return
    names = case.branches["branch_id"].to_numpy()
    file = case.source.shown_path
    remedy = "Give the ratings in the source, or in a file: --ratings ratings.csv (branch_id,rating_a_mva)."
    shown = [
        Finding("error", "capacity.no_rating", file, "branches", str(names[k]), "", "The branch has no rating.", remedy)
        for k in lacking[:most]
    ]
    count = f"{len(lacking)} of {len(names)} branches have no rating; without it nothing limits their flow."
    raise InputError([Finding("error", "capacity.no_ratings", file, "branches", "", "", count, remedy), *shown])


def _first_bus(solver: BatchSolver) -> Ints:
    """Case bus row that names each node."""
    a = solver.arrays
    first = np.full(a.n_node, -1)
    for bus in range(a.n_bus - 1, -1, -1):
        first[a.node[bus]] = bus
    return np.asarray(first[solver.members], dtype=np.int64)


def _voltage_limits(solver: BatchSolver, settings: CapacitySettings) -> tuple[Floats, Floats, Floats, Floats]:
    """(high, low before; high, low after an outage) of each node; the tightest of its buses, star points none."""
    a, buses = solver.arrays, solver.arrays.case.buses
    high, low = np.full(a.n_node, NEVER), np.full(a.n_node, -NEVER)
    if settings.voltage:
        given_high, given_low = buses["vm_max_pu"].to_numpy(float), buses["vm_min_pu"].to_numpy(float)
        real = ~buses["is_star"].to_numpy(bool)
        use = real & np.isfinite(given_high)
        np.minimum.at(high, a.node[use], given_high[use])
        use = real & np.isfinite(given_low)
        np.maximum.at(low, a.node[use], given_low[use])
    high, low = high[solver.members], low[solver.members]
    high_1, low_1 = high + settings.post_fault_band_pu, low - settings.post_fault_band_pu
    if settings.post_fault_standard:
        vn = buses["vn_kv"].to_numpy(float)[_first_bus(solver)]
        bands = np.array([post_fault_band(level) for level in vn.tolist()])
        high_1, low_1 = np.fmax(high_1, bands[:, 1]), np.fmin(low_1, bands[:, 0])
    return high, low, high_1, low_1


def _reverse(
    case: BusBranch, kept: Ints, unit: Bools, rating_pu: Floats, settings: CapacitySettings
) -> tuple[Floats, Floats]:
    """(sign of the from end's power that feeds the low side, limit [pu]) of each kept branch."""
    vn = dict(zip(case.buses["bus_id"], case.buses["vn_kv"].astype(float), strict=True))
    branches = case.branches.iloc[kept]
    up = np.array([vn[b] for b in branches["from_bus"]]) - np.array([vn[b] for b in branches["to_bus"]])
    if settings.reverse_percent is None:
        return np.ones(len(kept)), np.full(len(kept), NEVER)
    use = unit & (up != 0) & np.isfinite(rating_pu) & (rating_pu > 0)
    return np.where(up >= 0, 1.0, -1.0), np.where(use, rating_pu * settings.reverse_percent / 100, NEVER)


def row_name(rows: Rows, case: BusBranch, row: int) -> tuple[str, str]:
    """(kind of limit, branch id or bus id) of a row number; negative: the states end there (no solution)."""
    if row < 0:
        return ("diverged", "") if row == DIVERGED else ("search_cap", "")
    nb, n = rows.n_branch, rows.n_node
    if row < 2 * nb or row >= 2 * nb + 2 * n:
        at = row % nb if row < 2 * nb else row - 2 * nb - 2 * n
        branch = case.branches.iloc[int(rows.branch[at])]
        if row >= 2 * nb + 2 * n:
            return "reverse_flow", str(branch["branch_id"])
        return f"{branch['kind']}_loading", str(branch["branch_id"])
    offset = row - 2 * nb
    bus = int(rows.node[offset % n])
    return ("voltage_high" if offset < n else "voltage_low"), str(int(case.buses["bus_id"].iloc[bus]))


NOTHING = -1
DIVERGED = -2
SPLIT = -3
"""Row numbers of what is no row: nothing breaks up to the cap, no state beyond, the bus itself is cut off."""
