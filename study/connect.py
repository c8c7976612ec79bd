"""Hosting, connection and verdicts of a study's candidates: what the network says."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from grid.connection import connect_candidates
from grid.contracts import Network
from grid.hosting import HostingBasis, hosting_basis, hosting_capacity
from study import records
from study.pipeline import Results


@dataclass(frozen=True)
class Hosting:
    """Hosting capacity of every bus in the region, and what the studies of this network share."""

    hosting: pd.DataFrame
    """Follows :data:`grid.contracts.HOSTING`."""
    basis: HostingBasis


def compute_hosting(results: Results) -> Hosting:
    """Hosting capacity of every bus that a candidate may connect to, alone, in every case, N-0 and N-1."""
    network: Network = results.get("network")
    cases = records.cases(results.study.file)
    basis = hosting_basis(network, cases, progress=results.progress)
    table = hosting_capacity(network, cases, region_buses(network), basis=basis, progress=results.progress)
    return Hosting(table, basis)


def region_buses(network: Network) -> list[str]:
    """Buses of the stations that lie in the region, in the network's order."""
    inside = set(network.stations.loc[network.stations["in_region"], "station_id"])
    return [b for b, s in zip(network.buses["bus_id"], network.buses["station_id"], strict=True) if s in inside]


def compute_connections(results: Results) -> pd.DataFrame:
    """Where each candidate connects, at least cost among the feasible stations."""
    cases = records.cases(results.study.file)
    hosting: Hosting = results.get("hosting")
    return connect_candidates(results.get("sites").candidates, results.get("network"), hosting.hosting, cases)
