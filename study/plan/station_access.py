"""Ways to connect large sites at new stations, which the plan takes together with the station.

Collecting stations are built so that plants can connect; so each site that the plan decides one by one may choose,
beside its points of :mod:`study.plan.access`, from stations that do not stand yet: by the same rules of level, reach,
route and bays (:mod:`grid.connections.planned`). Each such access requires the measure that builds the station.

Which of them enter: of a site the :data:`ACCESSES` cheapest, at a bus those of the :data:`SITES_PER_BAY` sites for each
bay whose connection gets dearer by the least, or cheaper by the most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from grid.connections.bays import KnownBays
from grid.connections.contracts import TIE_LINES, ConnectionStudy
from grid.connections.planned import PlannedConnections, planned_connections
from grid.contracts import Network
from grid.measures.contracts import MEASURES
from grid.plan.contracts import Access, Lot
from study import records
from study.network.connect import connection_terrain
from study.pipeline import Results
from study.plan.access import Place, PlanAccesses, connection_terms
from study.plan.basis import connection_rate
from study.plan.measures import new_stations, stations_on_offer

ACCESSES = 2
SITES_PER_BAY = 5


@dataclass(frozen=True)
class StationAccesses:
    """Accesses at new stations by candidate, what each of them is (by access id), bays by bus, and their routes."""

    of_candidate: Mapping[str, tuple[Access, ...]] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    bays: Mapping[str, int] = field(default_factory=dict)
    tie_lines: pd.DataFrame = field(default_factory=TIE_LINES.empty)


def compute_station_accesses(results: Results) -> StationAccesses:
    """Accesses of the study's large sites at the new stations of its plan; none where it names none."""
    file = results.study.file
    entry = file.plan
    if entry is None or "new_station" not in entry.measures:
        return StationAccesses()
    network: Network = results.get("network")
    measures = stations_on_offer(network, new_stations(file))
    candidates = results.get("sites").candidates
    large = candidates[(candidates["grid_capacity_mw"] >= entry.large_site_mw) & (candidates["kind"] != "roof")]
    if measures.empty or large.empty:
        return StationAccesses()
    from grid.measures.apply import apply_measures

    found = planned_connections(
        large.reset_index(drop=True),
        apply_measures(network, measures),
        measures["element"].tolist(),
        records.cases(file),
        connection_terrain(results) if file.connection.routes else None,
        known_bays=[KnownBays(b.station, b.vn_kv, b.bays_free, b.source) for b in file.connection.bays],
        most_per_candidate=ACCESSES,
    )
    return station_accesses(found, results.get("connection_study"), measures, connection_rate())


def station_accesses(
    planned: PlannedConnections, study: ConnectionStudy, measures: pd.DataFrame, yearly: float
) -> StationAccesses:
    """Accesses out of options at new stations; of candidates that the joint choice leaves without a point none.

    Parameters
    ----------
    planned
        Options at the stations.
    study
        The joint choice: what a site pays without the station.
    measures
        Table MEASURES: what builds the stations (``element``).
    yearly
        Yearly cost of a connection by its investment.
    """
    MEASURES.validate(measures)
    terms = connection_terms(study)
    builds = dict(zip(measures["element"], measures["measure_id"], strict=True))
    options = planned.options[planned.options["candidate_id"].isin(terms.paid_cny.index)]
    step_up = (options["rank_cny"] - options["candidate_id"].map(terms.step_up_cny)).clip(lower=0.0)
    options = options.assign(cny=options["line_cny"] + options["bay_cny"] + step_up)
    options["dearer"] = options["cny"] - options["candidate_id"].map(terms.paid_cny)
    limits = planned.bay_limits.set_index(["station_id", "vn_kv"])["bays_free"].to_dict()
    options = options.sort_values(["dearer", "option_id"], kind="stable")
    keys = options[["bus_id", "station_id", "vn_kv"]].drop_duplicates().itertuples(index=False)
    bays = {str(bus): int(limits[station, vn]) for bus, station, vn in keys}
    nearest = options.groupby("bus_id").cumcount() < SITES_PER_BAY * options["bus_id"].map(bays)
    accesses: dict[str, tuple[Access, ...]] = {}
    places: dict[str, Place] = {}
    row: Any
    for row in options[nearest].itertuples():
        one = Access(
            row.option_id, row.bus_id, float(row.cny) * yearly, requires=builds[row.station_id], bays=int(row.bays)
        )
        accesses[row.candidate_id] = (*accesses.get(row.candidate_id, ()), one)
        places[row.option_id] = Place(
            row.station_id, row.bus_id, float(row.vn_kv), float(row.length_km), float(row.cny)
        )
    drawn = planned.tie_lines[planned.tie_lines["tie_line_id"].isin(places)].reset_index(drop=True)
    return StationAccesses(accesses, places, bays, drawn)


def with_new_stations(lot: Lot, accesses: StationAccesses) -> Lot:
    """The lot with its accesses at new stations beside its own."""
    more = accesses.of_candidate.get(lot.id, ())
    return replace(lot, accesses=(*lot.accesses, *more)) if more else lot


def with_station_places(accesses: PlanAccesses, new: StationAccesses) -> PlanAccesses:
    """Ways to connect at standing stations, with the places of those at new ones."""
    return replace(accesses, places={**accesses.places, **new.places})
