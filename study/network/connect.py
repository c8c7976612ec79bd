"""Hosting, connection and verdicts of a study's candidates: what the network says."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import pandas as pd

from grid.connections.bays import KnownBays
from grid.connections.contracts import ConnectionStudy
from grid.connections.study import study_connections
from grid.connections.terrain import RouteTerrain, route_terrain
from grid.contracts import Network
from grid.hosting import HostingBasis, hosting_basis, hosting_capacity
from grid.upgrades import UpgradeStudy, study_upgrades
from grid.verdicts import Judgement, buses_that_matter, judge
from study import records
from study.pipeline import Progress, Results, no_progress
from study.stages.projects import project_order


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
    buses = region_buses(network)
    workers = min(results.study.file.outputs.workers or os.cpu_count() or 1, len(buses))
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return Hosting(_hosting_of(basis, buses, results.progress), basis)
    return Hosting(_hosting_in_parallel(basis, buses, workers, results.progress), basis)


def _hosting_of(basis: HostingBasis, buses: Sequence[str], progress: Progress) -> pd.DataFrame:
    return hosting_capacity(basis.network, basis.cases, buses, basis=basis, progress=progress)


def _hosting_in_parallel(basis: HostingBasis, buses: list[str], workers: int, progress: Progress) -> pd.DataFrame:
    """The same table from several processes, which share the basis by fork; buses are dealt out in small hands."""
    hands = [buses[start : start + _HAND] for start in range(0, len(buses), _HAND)]
    context = multiprocessing.get_context("fork")
    parts = []
    with ProcessPoolExecutor(workers, context, initializer=_share, initargs=(basis,)) as pool:
        for number, part in enumerate(pool.map(_hosting_of_shared, hands), start=1):
            parts.append(part)
            progress("hosting", number / len(hands))
    return pd.concat(parts, ignore_index=True)


_HAND = 4
_shared: list[HostingBasis] = []


def _share(basis: HostingBasis) -> None:
    _shared.append(basis)


def _hosting_of_shared(buses: list[str]) -> pd.DataFrame:
    return _hosting_of(_shared[-1], buses, no_progress)


def region_buses(network: Network) -> list[str]:
    """Buses of the stations that lie in the region, in the network's order."""
    inside = set(network.stations.loc[network.stations["in_region"], "station_id"])
    return [b for b, s in zip(network.buses["bus_id"], network.buses["station_id"], strict=True) if s in inside]


def compute_connection_study(results: Results) -> ConnectionStudy:
    """All ways in which each candidate could connect, and the joint choice at least cost."""
    entry = results.study.file.connection
    hosting: Hosting = results.get("hosting")
    return study_connections(
        results.get("sites").candidates,
        results.get("network"),
        hosting.hosting,
        records.cases(results.study.file),
        connection_terrain(results) if entry.routes else None,
        known_bays=[KnownBays(b.station, b.vn_kv, b.bays_free, b.source) for b in entry.bays],
        grouping=entry.collectors,
        lost_cny_per_mw=entry.lost_cny_per_mw,
    )


def connection_terrain(results: Results) -> RouteTerrain | None:
    """Cost raster of tie lines over the region and the places of its stations; None where no layer enters it."""
    entry, region, ground = results.study.file.connection, results.get("region"), results.get("ground")
    terrain = route_terrain(
        region.frame.bounds,
        region.frame.crs,
        ground.vectors,
        ground.rasters,
        step_m=entry.step_m,
        terrain_of=entry.terrain,
        slope_layer=entry.slope,
    )
    return terrain if terrain.used else None


def compute_connections(results: Results) -> pd.DataFrame:
    """Where each candidate connects."""
    study: ConnectionStudy = results.get("connection_study")
    return study.connections


def compute_upgrades(results: Results) -> UpgradeStudy:
    """Which measure of the menu lifts the limit of each bus that a candidate connects to, and to how many MW."""
    hosting: Hosting = results.get("hosting")
    buses = buses_that_matter(results.get("connections"), results.get("network"))
    return study_upgrades(hosting.basis, hosting.hosting, buses)


def compute_verdicts(results: Results) -> Judgement:
    """Verdicts alone and together, in the order of the scores; substations and measures."""
    hosting: Hosting = results.get("hosting")
    ranked = project_order(results.get("sites").candidates, results.get("scores"))
    columns = ["candidate_id", "technology", "grid_capacity_mw"]
    return judge(
        pd.DataFrame(ranked[columns]).reset_index(drop=True),
        results.get("connections"),
        hosting.hosting,
        hosting.basis,
        results.get("upgrades"),
        results.progress,
    )
