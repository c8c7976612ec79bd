"""Connections at stations that are not built yet: by the same levels, reaches, bays and routes as at those that stand.

They are kept apart from the joint choice, which knows no measures: the plan takes them together with the station
(:mod:`grid.plan.contracts`, ``Access.requires``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.connections.bays import KnownBays, bay_limits
from grid.connections.contracts import BAY_LIMITS, COLLECTORS, CONNECTION_OPTIONS, TIE_LINES
from grid.connections.options import own_options, placed_buses
from grid.connections.rules import Rules
from grid.connections.study import router_of, tie_lines_of
from grid.connections.terrain import RouteTerrain
from grid.contracts import HOSTING, Case, Network


@dataclass(frozen=True)
class PlannedConnections:
    """Options at stations to be built.

    ``options`` follows :data:`~grid.connections.contracts.CONNECTION_OPTIONS` (of headroom and of new transformer
    capacity it says nothing), ``bay_limits`` :data:`~grid.connections.contracts.BAY_LIMITS` of these stations alone,
    ``tie_lines`` :data:`~grid.connections.contracts.TIE_LINES` of every feasible option.
    """

    options: pd.DataFrame
    bay_limits: pd.DataFrame
    tie_lines: pd.DataFrame


def planned_connections(
    candidates: pd.DataFrame,
    network: Network,
    stations: Sequence[str],
    cases: Sequence[Case],
    terrain: RouteTerrain | None = None,
    *,
    rules: Rules | None = None,
    known_bays: Sequence[KnownBays] = (),
    most_per_candidate: int = 2,
) -> PlannedConnections:
    """How candidates could connect at stations that are built into ``network`` but do not stand yet.

    Parameters
    ----------
    candidates
        As :func:`grid.connections.study.study_connections` takes them.
    network
        The network with the stations built: what they are looped into takes its bays.
    stations
        Their ids.
    most_per_candidate
        Feasible options that a candidate keeps, the cheapest first, one at a bus.
    """
    rules = rules or Rules()
    limits = bay_limits(network, known_bays)
    limits = limits[limits["station_id"].isin(stations)].reset_index(drop=True)
    router = router_of(terrain, candidates, network)
    options = own_options(candidates, network, HOSTING.empty(), cases, limits, rules, router, stations)
    if options.empty:
        return PlannedConnections(CONNECTION_OPTIONS.empty(), limits, TIE_LINES.empty())
    options["headroom_mw"], options["transformer_cny"] = np.nan, 0.0
    cost = options[["line_cny", "bay_cny", "rank_cny"]].sum(axis=1)
    order = options.assign(cost=cost)[options["feasible"]].sort_values(["cost", "option_id"], kind="stable")
    kept = order.drop_duplicates(["candidate_id", "bus_id"]).groupby("candidate_id").head(most_per_candidate)
    options = options.loc[sorted(kept.index)].reset_index(drop=True)
    lines = tie_lines_of(
        candidates, options.set_index("candidate_id"), COLLECTORS.empty(), placed_buses(network), router, rules
    )
    return PlannedConnections(CONNECTION_OPTIONS.validate(options), BAY_LIMITS.validate(limits), lines)
