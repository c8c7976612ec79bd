"""The joint choice: which option each candidate takes, so that all together cost least.

::

    min   sum x_o (line + bay + rank)  +  sum y_v (station + trunk + bay)  +  sum t_b (new transformer MW)  +  sum u_i M
    s.t.  sum_o x_io + u_i = 1                             every candidate takes one option, or none is left for it
          sum bays x + sum bays y <= free bays             of each station and level
          x_io <= sum_v y_v,  sum mw x <= sum mw_v y_v     members of a collector; one variant at a place
          sum share mw x - share t <= HC                   of each bus in each case (N-1 hosting capacity)
      sum_b g_b (sum share mw x - share t)_b <= limit  rows that buses share (grid.connections.shared), where asked for

t is what the network does not take of a bus's PV and of its wind, at the price of new transformers or of a MW lost.
x, y binary (blocks of roofs may be split and take the point of their largest part); HiGHS. Candidates look at their
cheapest options only (:data:`TRIED`). ``best_bound_cny`` is the relaxed problem's cost: no choice among the options
that enter is cheaper. How the choice is found: :mod:`grid.connections.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import LinearConstraint

from grid.connection import EXISTING_FEEDER, case_share
from grid.connections.search import Floats, JointModel, relaxed, search
from grid.connections.shared import SharedLimits
from grid.contracts import Case

TRIED = 12
"""A candidate's own connections that enter, cheapest first."""
LEFT_OUT_MCNY = 1000.0
"""Cost of a candidate that finds no place: dearer than any connection."""
MCNY = 1e6
SHARED_ROUNDS = 12
"""Rounds of the relaxed problem and the AC states at its injections."""
KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class Choice:
    """``option_ids`` of the candidates that connect, ``variant_ids`` of the collectors that are built.

    The objective holds :data:`LEFT_OUT_MCNY` for each of the ``left_out`` candidates that find no bay.
    """

    option_ids: tuple[str, ...]
    variant_ids: tuple[str, ...]
    objective_cny: float
    best_bound_cny: float
    left_out: int = 0


@dataclass
class _Rows:
    """Rows of a sparse constraint matrix, gathered one entry at a time; ``low <= A x <= high``."""

    entries: list[tuple[int, int, float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, columns: Sequence[int], values: Sequence[float], low: float, high: float) -> None:
        row = len(self.low)
        self.entries += [(row, c, v) for c, v in zip(columns, values, strict=True)]
        self.low.append(low)
        self.high.append(high)

    def constraint(self, width: int) -> LinearConstraint:
        rows, cols, values = zip(*self.entries, strict=True) if self.entries else ((), (), ())
        matrix = sp.csr_matrix((values, (rows, cols)), shape=(len(self.low), width))
        return LinearConstraint(matrix, np.array(self.low), np.array(self.high))


def choose(
    options: pd.DataFrame,
    collectors: pd.DataFrame,
    bays: pd.DataFrame,
    candidates: pd.DataFrame,
    hosting: pd.DataFrame,
    cases: Sequence[Case],
    missing_cny_per_mw: dict[str, float],
    shared: Callable[[Sequence[str]], SharedLimits] | None = None,
) -> Choice:
    """The joint choice at least cost.

    Parameters
    ----------
    options, collectors, bays
        Tables CONNECTION_OPTIONS (infeasible rows do not enter), COLLECTORS, BAY_LIMITS.
    candidates
        Columns ``candidate_id``, ``technology``, ``grid_capacity_mw``, ``lon``, ``lat``.
    hosting, cases
        Table HOSTING and its cases; a bus without rows takes nothing without new transformers.
    missing_cny_per_mw
        By ``bus_id``: cost of a MW that the network does not take there.
    shared
        Makes the network that is asked for limits which buses share; None: each bus counts alone.

    Raises
    ------
    RuntimeError
        If HiGHS ends without an answer.
    """
    tried = shortlist(options)
    if tried.empty:
        return Choice((), (), 0.0, 0.0)
    ids = list(dict.fromkeys(tried["candidate_id"]))
    lack = _Lack.of(tried, candidates, cases)
    n_x, n_y, n_u, n_t, n_p = len(tried), len(collectors), len(ids), len(lack.keys), len(lack.buses) * len(cases)
    n_p = 0 if shared is None else n_p
    y0, u0, t0, p0 = np.cumsum([n_x, n_y, n_u, n_t]).tolist()
    width = p0 + n_p
    cost = np.concatenate(
        [
            tried[["line_cny", "bay_cny", "rank_cny"]].sum(axis=1).to_numpy(float) / MCNY,
            collectors[["station_cny", "trunk_cny", "bay_cny"]].sum(axis=1).to_numpy(float) / MCNY,
            np.full(n_u, LEFT_OUT_MCNY),
            np.array([missing_cny_per_mw[bus] for bus, _ in lack.keys]) / MCNY,
            np.zeros(n_p),
        ]
    )
    rows = _Rows()
    _one_each(rows, tried, ids, u0)
    _bays(rows, tried, collectors, bays, y0)
    _collectors(rows, tried, collectors, candidates, y0)
    lack.add_rows(rows, hosting, t0, None if shared is None else p0)
    high = np.concatenate([np.ones(n_x + n_y + n_u), np.full(n_t + n_p, np.inf)])
    # a block of roofs is many small connections: it takes the point that has its largest part
    block = (tried["line_type"] == EXISTING_FEEDER).to_numpy()
    whole = np.concatenate([np.where(block, 0.0, 1.0), np.ones(n_y), np.zeros(n_u + n_t + n_p)])
    model = _joint_model(tried, collectors, candidates, ids, cost, rows.constraint(width), high, whole)
    start, bound = relaxed(model)
    if shared is not None:
        network = shared(lack.buses)
        for _ in range(SHARED_ROUNDS):
            found = network.broken(start[p0:].reshape(len(lack.buses), len(cases)))
            if not found:
                break
            for cut in found:
                at = np.flatnonzero(cut.gradient)
                rows.add((p0 + at * len(cases) + cut.point).tolist(), cut.gradient[at].tolist(), -np.inf, cut.limit)
            model = replace(model, constraint=rows.constraint(width))
            start, bound = relaxed(model)
    x = search(model, start)
    taken = np.array(_largest_parts(tried, x[:n_x], x[u0:t0], ids), dtype=np.int64)
    built = np.flatnonzero(x[y0:u0] > 0.5)
    used = set(tried["collector_id"].iloc[taken])
    variants = collectors.iloc[built]
    return Choice(
        tuple(tried["option_id"].iloc[taken]),
        tuple(variants.loc[variants["collector_id"].isin(used), "variant_id"]),
        float(cost @ x) * MCNY,
        bound * MCNY,
        len(ids) - len(taken),
    )


def _joint_model(
    tried: pd.DataFrame,
    collectors: pd.DataFrame,
    candidates: pd.DataFrame,
    ids: Sequence[str],
    cost: Floats,
    constraint: LinearConstraint,
    high: Floats,
    whole: Floats,
) -> JointModel:
    """The problem with what the search knows of its columns: whose they are and where."""
    number = {one: k for k, one in enumerate(ids)}
    owner = np.array([number[one] for one in tried["candidate_id"]], dtype=np.int64)
    names = {name: k for k, name in enumerate(dict.fromkeys(collectors["collector_id"]))}
    grouped = (tried["collector_id"] != "").to_numpy(bool)
    own = _alone(tried).where(~grouped, np.inf)
    roof = np.zeros(len(ids), dtype=bool)
    roof[owner[(tried["line_type"] == EXISTING_FEEDER).to_numpy()]] = True
    places = candidates.set_index("candidate_id").loc[list(ids)]
    return JointModel(
        cost, constraint, high, whole, owner,
        own.groupby(tried["candidate_id"]).rank(method="first").to_numpy(float),
        grouped,
        np.array([names.get(name, -1) for name in tried["collector_id"]], dtype=np.int64),
        np.array([names[name] for name in collectors["collector_id"]], dtype=np.int64),
        _km(places), _km(collectors, float(places["lat"].mean())), roof,
    )  # fmt: skip


def _km(places: pd.DataFrame, latitude: float | None = None) -> Floats:
    """East and north, near enough to say who is a neighbour."""
    at = float(places["lat"].mean()) if latitude is None else latitude
    lon, lat = places["lon"].to_numpy(float), places["lat"].to_numpy(float)
    return KM_PER_DEGREE * np.column_stack([lon * np.cos(np.deg2rad(at)), lat])


def _alone(options: pd.DataFrame) -> pd.Series:
    """Cost of each option as if nobody else connected."""
    return options[["line_cny", "bay_cny", "rank_cny", "transformer_cny"]].sum(axis=1)


def _largest_parts(tried: pd.DataFrame, x: Floats, left_out: Floats, ids: Sequence[str]) -> list[int]:
    """Positions of the option with the largest part of each candidate that is not left out."""
    out = dict(zip(ids, left_out.tolist(), strict=True))
    best: dict[str, int] = {}
    for k, one in enumerate(tried["candidate_id"]):
        if x[k] > 1e-6 and out[one] < 0.5 and (one not in best or x[k] > x[best[one]] + 1e-9):
            best[one] = k
    return sorted(best.values())


def shortlist(options: pd.DataFrame) -> pd.DataFrame:
    """Feasible options that enter: each candidate's cheapest own connections, and all its collectors."""
    feasible = options[options["feasible"]]
    own = feasible.assign(alone=_alone(feasible))[feasible["collector_id"] == ""]
    best = own.sort_values(["alone", "option_id"]).groupby("candidate_id").head(TRIED)
    grouped = feasible[feasible["collector_id"] != ""]
    return feasible.loc[sorted([*best.index, *grouped.index])].reset_index(drop=True)


def _positions(table: pd.DataFrame, by: str | list[str]) -> dict[Any, list[int]]:
    """Row positions of each value of a column, in table order of the first."""
    found: dict[Any, list[int]] = {}
    keys = zip(*(table[name] for name in ([by] if isinstance(by, str) else by)), strict=True)
    for k, key in enumerate(keys):
        found.setdefault(key[0] if len(key) == 1 else key, []).append(k)
    return found


def _one_each(rows: _Rows, tried: pd.DataFrame, ids: Sequence[str], u0: int) -> None:
    groups = _positions(tried, "candidate_id")
    for k, one in enumerate(ids):
        columns = [*groups[one], u0 + k]
        rows.add(columns, [1.0] * len(columns), 1.0, 1.0)


def _bays(rows: _Rows, tried: pd.DataFrame, collectors: pd.DataFrame, bays: pd.DataFrame, y0: int) -> None:
    free = bays.set_index(["station_id", "vn_kv"])["bays_free"].to_dict()
    wanted: dict[tuple[str, float], list[tuple[int, float]]] = {}
    takers = ((tried, 0), (collectors, y0))
    for table, start in takers:
        for k, (station, vn, count) in enumerate(table[["station_id", "vn_kv", "bays"]].itertuples(index=False)):
            if count:
                wanted.setdefault((station, vn), []).append((start + k, float(count)))
    for key, entries in wanted.items():
        rows.add([c for c, _ in entries], [v for _, v in entries], -np.inf, float(free.get(key, 0)))


def _collectors(rows: _Rows, tried: pd.DataFrame, collectors: pd.DataFrame, candidates: pd.DataFrame, y0: int) -> None:
    mw = candidates.set_index("candidate_id")["grid_capacity_mw"]
    names = tried["candidate_id"].to_numpy(object)
    variants = _positions(collectors, "collector_id")
    members = _positions(tried, "collector_id")
    size = collectors["capacity_mw"].to_numpy(float)
    for collector, at in variants.items():
        y = [y0 + k for k in at]
        who = members.get(collector, [])
        for k in who:
            rows.add([k, *y], [1.0] + [-1.0] * len(y), -np.inf, 0.0)
        powers = mw.loc[names[who]].to_numpy(float)
        rows.add([*who, *y], [*powers.tolist(), *(-size[at]).tolist()], -np.inf, 0.0)
    for at in _positions(collectors, ["lon", "lat"]).values():
        rows.add([y0 + k for k in at], [1.0] * len(at), -np.inf, 1.0)


@dataclass(frozen=True)
class _Lack:
    """MW that the network does not take, by bus and group of technologies (PV and wind have different cases).

    ``keys`` are (bus, group) with the positions of their options in ``at``; ``shares`` (options, cases).
    """

    buses: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    at: tuple[list[int], ...]
    mw: Floats
    shares: Floats
    case_ids: tuple[str, ...]

    @classmethod
    def of(cls, tried: pd.DataFrame, candidates: pd.DataFrame, cases: Sequence[Case]) -> _Lack:
        known = candidates.set_index("candidate_id").loc[tried["candidate_id"]]
        technology = known["technology"].astype(str).to_list()
        share = {t: [case_share(case, t) for case in cases] for t in set(technology)}
        group = ["wind" if t.startswith("wind") else "pv" for t in technology]
        at = _positions(pd.DataFrame({"bus": tried["bus_id"].to_list(), "group": group}), ["bus", "group"])
        return cls(
            tuple(sorted(set(tried["bus_id"]))), tuple(at), tuple(at.values()),
            known["grid_capacity_mw"].to_numpy(float), np.array([share[t] for t in technology]).reshape(-1, len(cases)),
            tuple(case.id for case in cases),
        )  # fmt: skip

    def add_rows(self, rows: _Rows, hosting: pd.DataFrame, t0: int, p0: int | None) -> None:
        """What is injected at each bus in each case, beyond its own N-1 capacity only what is counted as missing.

        With ``p0`` the injections are columns too, from there on in the order (bus, case).
        """
        n_1 = hosting[hosting["mode"] == "n_1"].set_index(["bus_id", "case"])["capacity_mw"].to_dict()
        for k, at in enumerate(self.at):
            rows.add([t0 + k, *at], [1.0, *(-self.mw[at]).tolist()], -np.inf, 0.0)
        for number, bus in enumerate(self.buses):
            own = [k for k, (at_bus, _) in enumerate(self.keys) if at_bus == bus]
            options = [o for k in own for o in self.at[k]]
            for c, case in enumerate(self.case_ids):
                share = self.shares[:, c]
                columns = [*options, *(t0 + k for k in own)]
                values = [*(share[options] * self.mw[options]).tolist(), *(-share[self.at[k][0]] for k in own)]
                if p0 is not None:
                    rows.add([*columns, p0 + number * len(self.case_ids) + c], [*values, -1.0], 0.0, 0.0)
                if share[options].any():
                    rows.add(columns, values, -np.inf, n_1.get((bus, case), 0.0))
