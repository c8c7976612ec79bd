"""Measures as the plan asks for them: the menu for what binds, networks with some of them built, new stations."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import Case, Network
from grid.measures.contracts import PlannedStation
from grid.measures.places import KM_PER_DEGREE
from grid.plan.contracts import Agreement, PlanMeasure, Wanted
from study.schema.file import StudyFile
from study.schema.outputs import PlanEntry

AGREEMENTS = ("curtailment_contract", "demand_response")
"""Kinds that act on injections and are agreed, not built; storage is sized by the plan itself."""
AGREEMENT_BUSES = 12
"""Buses that are offered contracts, and those that are offered demand response: the most wanted ones."""
NEAR_KM = 30.0
"""A new station relieves what lies this near to it."""


class MeasureBook:
    """The menu as the plan asks for it: measures by element, and networks with some of them built."""

    def __init__(self, network: Network, entry: PlanEntry, stations: Sequence[PlannedStation] = ()) -> None:
        from grid.measures.contracts import MEASURES

        self.network, self.entry, self.stations = network, entry, tuple(stations)
        self.table = MEASURES.empty()
        self._built: dict[tuple[frozenset[str], str], Network] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_built": {}}

    def menu(self, wanted: Wanted) -> tuple[PlanMeasure, ...]:
        """New stations near what binds, measures for elements in the menu's order, agreements at buses."""
        kinds = [kind for kind in self.entry.measures if kind not in (*AGREEMENTS, "storage")]
        with_load = set(self.network.loads["bus_id"])
        fed = [bus for bus in wanted.fed_buses if bus in with_load]
        near = [s for s in self.stations if is_near(self.network, wanted.elements, s)]
        found = [
            self._rows((), ["new_station"] if "new_station" in kinds else [], near),
            self._rows(wanted.elements, kinds),
            self._rows(wanted.held_buses[:AGREEMENT_BUSES], [k for k in AGREEMENTS[:1] if k in self.entry.measures]),
            self._rows(fed[:AGREEMENT_BUSES], [k for k in AGREEMENTS[1:] if k in self.entry.measures]),
        ]
        return tuple(plan_measure(row, self.entry.decided_in) for rows in found for row in rows.itertuples())

    def opening(self, measure_ids: Collection[str]) -> tuple[PlanMeasure, ...]:
        """The new stations of these ids, whatever binds: plants may connect there."""
        found = self._rows((), ["new_station"], self.stations)
        found = found[found["measure_id"].isin(measure_ids)]
        return tuple(plan_measure(row, self.entry.decided_in) for row in found.itertuples())

    def _rows(
        self, elements: Sequence[str], kinds: Sequence[str], stations: Sequence[PlannedStation] = ()
    ) -> pd.DataFrame:
        """Rows of the menu; they join the book's table."""
        from grid.measures.menu import measures_menu

        found = measures_menu(self.network, list(elements), planned=stations, kinds=list(kinds))
        new = found[~found["measure_id"].isin(self.table["measure_id"])]
        if len(new):
            self.table = (
                new.reset_index(drop=True) if self.table.empty else pd.concat([self.table, new], ignore_index=True)
            )
        return found

    def build(self, config: frozenset[str], case: Case) -> Network:
        """The network with measures; dynamic ratings as the case's season has them."""
        limits = self.table["measure_id"].isin(config) & (self.table["effect"] == "limits")
        key = (config, case.season if limits.any() else "")
        if key not in self._built:
            self._built[key] = self._build(*key)
        return self._built[key]

    def _build(self, config: frozenset[str], season: str) -> Network:
        """Stations last: lines that they cut keep what was done to them before."""
        from grid.measures.apply import apply_measures
        from grid.measures.contracts import Measure
        from grid.measures.effects import rating_effect

        if not config:
            return self.network
        rows = self.table[self.table["measure_id"].isin(config)].sort_values("measure_id")
        cuts_lines = rows["kind"] == "new_station"
        network = apply_measures(self.network, rows[~cuts_lines])
        for measure_id in rows.loc[rows["effect"] == "limits", "measure_id"]:
            effect = rating_effect(Measure.at(rows, str(measure_id)), season)
            lines = network.lines.copy()
            lines.loc[lines["line_id"] == effect.element, "max_i_ka"] *= effect.factor
            network = replace(network, lines=lines)
        return apply_measures(network, rows[cuts_lines])


def plan_measure(row: Any, decided_in: int | None = None) -> PlanMeasure:
    """A row of the menu as the plan takes it; it stands no earlier than its lead time after the year of the decision.

    Without that year (None) stages are years of operation and every measure can stand in time.
    """
    return PlanMeasure(
        str(row.measure_id),
        str(row.kind),
        str(row.element),
        float(row.investment_cny),
        float(row.annual_cost_cny),
        str(row.exclusive_group),
        tuple(str(row.requires).split()),
        0 if decided_in is None else decided_in + math.ceil(row.lead_time_years),
        agreement_of(row) if row.kind in AGREEMENTS else None,
    )


def agreement_of(row: Any) -> Agreement:
    """What a contract or demand response of the menu lets the plan call."""
    price = float(row.energy_cost_cny_per_mwh)
    if row.kind == "curtailment_contract":
        return Agreement(str(row.element), price, float(row.plant_share), float(row.energy_share_max))
    hours = float(row.hours_max)
    return Agreement(
        str(row.element), price, power_mw=float(row.power_mw), hours_max=math.inf if math.isnan(hours) else hours
    )


def new_stations(file: StudyFile) -> tuple[PlannedStation, ...]:
    """Stations that the plan may build: those of the plan's own list, and planned ones of the network with a place.

    Where the network has a planned station already (a generated network builds them), the menu leaves it out.
    """
    assert file.plan is not None
    placed = [
        PlannedStation("", s.name_zh, s.name_en, float(s.vn_kv), s.lon, s.lat, source=s.source)
        for s in file.network.stations
        if s.status == "planned" and s.lon is not None and s.lat is not None
    ]
    own = [
        PlannedStation("", s.name_zh, s.name_en, float(s.vn_kv), s.lon, s.lat, source=s.source)
        for s in file.plan.stations
    ]
    return tuple(replace(s, station_id=f"new{k:03d}") for k, s in enumerate((*own, *placed), start=1))


def stations_on_offer(network: Network, stations: Sequence[PlannedStation]) -> pd.DataFrame:
    """Table MEASURES of what builds the stations: of each its first row of the menu."""
    from grid.measures.menu import measures_menu

    found = measures_menu(network, (), planned=stations, kinds=("new_station",))
    return found.drop_duplicates("element").reset_index(drop=True)


def is_near(network: Network, elements: Sequence[str], station: PlannedStation) -> bool:
    """Whether an end of one of the elements (lines, transformers, buses) lies within :data:`NEAR_KM` of a station."""
    places = network.buses.merge(network.stations[["station_id", "lon", "lat"]], on="station_id").set_index("bus_id")
    named = set(elements)
    lines = network.lines[network.lines["line_id"].isin(named)]
    units = network.transformers[network.transformers["transformer_id"].isin(named)]
    ends = {*lines["from_bus"], *lines["to_bus"], *units["hv_bus"], *(named & set(places.index))}
    at = places.loc[sorted(ends)]
    east = (at["lon"].to_numpy(float) - station.lon) * np.cos(np.deg2rad(station.lat))
    north = at["lat"].to_numpy(float) - station.lat
    return bool((KM_PER_DEGREE * np.hypot(east, north) <= NEAR_KM).any())


def agreement_buses(network: Network, entry: PlanEntry) -> tuple[str, ...]:
    """Buses beside those of the plants at which the plan may agree on something: loads that may respond."""
    return tuple(sorted(set(network.loads["bus_id"]))) if "demand_response" in entry.measures else ()
