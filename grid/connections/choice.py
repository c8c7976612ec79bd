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
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from grid.connections.headroom import case_share
from grid.connections.rules import EXISTING_FEEDER
from grid.connections.search import Bools, Floats, Ints, JointModel, Relaxed, search
from grid.connections.shared import SharedLimits
from grid.contracts import Case
from grid.plan.programme import Columns, Rows

TRIED = 12
"""A candidate's own connections that enter, cheapest first."""
LEFT_OUT_MCNY = 1000.0
"""Cost of a candidate that finds no place: dearer than any connection."""
MCNY = 1e6
SHARED_ROUNDS = 12
"""Rounds of the relaxed problem and the AC states at its injections, at most."""
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
    columns, rows = Columns(), Rows()
    # a block of roofs is many small connections: it takes the point that has its largest part
    block = (tried["line_type"] == EXISTING_FEEDER).to_numpy(bool)
    own = tried[["line_cny", "bay_cny", "rank_cny"]].sum(axis=1).to_numpy(float) / MCNY
    stations = collectors[["station_cny", "trunk_cny", "bay_cny"]].sum(axis=1).to_numpy(float) / MCNY
    x_at = columns.add((len(tried),), 1.0, own)
    y_at = columns.add((len(collectors),), 1.0, stations)
    u_at = columns.add((len(ids),), 1.0, LEFT_OUT_MCNY)
    t_at = columns.add((len(lack.keys),), np.inf, np.array([missing_cny_per_mw[bus] for bus, _ in lack.keys]) / MCNY)
    p_at = columns.add((len(lack.buses) * (shared is not None), len(cases)), np.inf)
    _one_each(rows, tried, ids, u_at)
    _bays(rows, tried, collectors, bays, y_at)
    _collectors(rows, tried, collectors, candidates, y_at)
    lack.add_rows(rows, hosting, t_at, p_at)
    relaxed = Relaxed(columns, rows)
    start, bound = relaxed.solve()
    if shared is not None:
        network = shared(lack.buses)
        for _ in range(SHARED_ROUNDS):
            found = network.broken(start[p_at])
            if not found:
                break
            for cut in found:
                rows.add(-np.inf, cut.limit, p_at[:, cut.point], cut.gradient)
            start, bound = relaxed.solve()
    whole = np.concatenate([~block, np.ones(len(y_at), dtype=bool), np.zeros(len(columns.cost) - u_at[0], dtype=bool)])
    model = _joint_model(tried, collectors, candidates, ids, columns, rows, whole)
    x = search(model, start)
    taken = np.array(_largest_parts(tried, x[x_at], x[u_at], ids), dtype=np.int64)
    built = np.flatnonzero(x[y_at] > 0.5)
    used = set(tried["collector_id"].iloc[taken])
    variants = collectors.iloc[built]
    return Choice(
        tuple(tried["option_id"].iloc[taken]),
        tuple(variants.loc[variants["collector_id"].isin(used), "variant_id"]),
        float(model.cost @ x) * MCNY,
        bound * MCNY,
        len(ids) - len(taken),
    )


def _joint_model(
    tried: pd.DataFrame,
    collectors: pd.DataFrame,
    candidates: pd.DataFrame,
    ids: Sequence[str],
    columns: Columns,
    rows: Rows,
    whole: Bools,
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
    start = [*rows.start, len(rows.index)]
    matrix = sp.csr_array((rows.value, rows.index, start), shape=(len(rows.lower), len(columns.cost))).tocsc()
    return JointModel(
        np.array(columns.cost), matrix, np.array(rows.lower), np.array(rows.upper), np.array(columns.upper), whole,
        owner,
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


def _one_each(rows: Rows, tried: pd.DataFrame, ids: Sequence[str], left_out: Ints) -> None:
    groups = _positions(tried, "candidate_id")
    for k, one in enumerate(ids):
        columns = [*groups[one], left_out[k]]
        rows.add(1.0, 1.0, columns, [1.0] * len(columns))


def _bays(rows: Rows, tried: pd.DataFrame, collectors: pd.DataFrame, bays: pd.DataFrame, variant: Ints) -> None:
    free = bays.set_index(["station_id", "vn_kv"])["bays_free"].to_dict()
    wanted: dict[tuple[str, float], list[tuple[int, float]]] = {}
    takers = ((tried, np.arange(len(tried))), (collectors, variant))
    for table, at in takers:
        for k, (station, vn, count) in enumerate(table[["station_id", "vn_kv", "bays"]].itertuples(index=False)):
            if count:
                wanted.setdefault((station, vn), []).append((int(at[k]), float(count)))
    for key, entries in wanted.items():
        rows.add(-np.inf, float(free.get(key, 0)), [c for c, _ in entries], [v for _, v in entries])


def _collectors(
    rows: Rows, tried: pd.DataFrame, collectors: pd.DataFrame, candidates: pd.DataFrame, variant: Ints
) -> None:
    mw = candidates.set_index("candidate_id")["grid_capacity_mw"]
    names = tried["candidate_id"].to_numpy(object)
    variants = _positions(collectors, "collector_id")
    members = _positions(tried, "collector_id")
    size = collectors["capacity_mw"].to_numpy(float)
    for collector, at in variants.items():
        y = variant[at].tolist()
        who = members.get(collector, [])
        for k in who:
            rows.add(-np.inf, 0.0, [k, *y], [1.0] + [-1.0] * len(y))
        powers = mw.loc[names[who]].to_numpy(float)
        rows.add(-np.inf, 0.0, [*who, *y], [*powers.tolist(), *(-size[at]).tolist()])
    for at in _positions(collectors, ["lon", "lat"]).values():
        rows.add(-np.inf, 1.0, variant[at], [1.0] * len(at))


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

    def add_rows(self, rows: Rows, hosting: pd.DataFrame, missing: Ints, injected: Ints) -> None:
        """What is injected at each bus in each case, beyond its own N-1 capacity only what is counted as missing.

        ``missing`` are the columns of what is missing, ``injected`` (buses, cases) those of the injections, empty
        where they do not count.
        """
        n_1 = hosting[hosting["mode"] == "n_1"].set_index(["bus_id", "case"])["capacity_mw"].to_dict()
        for k, at in enumerate(self.at):
            rows.add(-np.inf, 0.0, [missing[k], *at], [1.0, *(-self.mw[at]).tolist()])
        for number, bus in enumerate(self.buses):
            own = [k for k, (at_bus, _) in enumerate(self.keys) if at_bus == bus]
            options = [o for k in own for o in self.at[k]]
            for c, case in enumerate(self.case_ids):
                share = self.shares[:, c]
                columns = [*options, *(missing[k] for k in own)]
                values = [*(share[options] * self.mw[options]).tolist(), *(-share[self.at[k][0]] for k in own)]
                if len(injected):
                    rows.add(0.0, 0.0, [*columns, injected[number, c]], [*values, -1.0])
                if share[options].any():
                    rows.add(-np.inf, n_1.get((bus, case), 0.0), columns, values)
