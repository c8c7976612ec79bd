"""Ways to connect large sites that the plan may choose from, out of the study of connections.

The joint choice of connections knows no measures: a site that it sends to a far station may be cheaper at the near one
with a second circuit. So each large site of its own lot keeps the point of the joint choice and gets its cheapest other
points, up to :data:`ACCESSES` in all; the plan takes one of them together with its measures.

*Bays.* Points of the joint choice keep their bays, whatever the plan takes. The other points share what is left at a
station and level, the least dearer first, each with bays of its own: so every plan has bays enough.

*Cost.* Tie line and bays, as in the list of connections, and what the site's step-up station costs more than that of
the joint choice. A collector that the joint choice does not build is offered in its largest size and paid once by
those who use it; one that it builds is shared with small sites already and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from grid.connections.contracts import ConnectionStudy
from grid.plan.contracts import Access, Collector

ACCESSES = 3
"""Points of a site that enter the plan."""


@dataclass(frozen=True)
class Place:
    """What a connection is: where it enters the network, its own tie line, and what it costs without a collector."""

    station_id: str
    bus_id: str
    vn_kv: float
    length_km: float
    cost_cny: float


@dataclass(frozen=True)
class PlanAccesses:
    """Accesses by candidate, what each of them is (by access id), and the collectors that they may share."""

    of_candidate: Mapping[str, tuple[Access, ...]] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    collectors: tuple[Collector, ...] = ()
    collector_cny: Mapping[str, float] = field(default_factory=dict)
    """Investment by collector id."""


def plan_accesses(study: ConnectionStudy, candidates: Iterable[str], yearly: float) -> PlanAccesses:
    """Accesses of some candidates; blocks of roofs and candidates with one point only are left out.

    Parameters
    ----------
    study
        Options and joint choice.
    candidates
        Ids of the sites that may choose.
    yearly
        Yearly cost of a connection by its investment.
    """
    chosen = study.tie_lines[study.tie_lines["candidate_id"] != ""].set_index("candidate_id")["tie_line_id"]
    wanted = [c for c in candidates if c in chosen.index]
    paid = study.connections.set_index("candidate_id")
    found = {c: [_first(str(chosen[c]), paid.loc[c])] for c in wanted}
    free = _bays_left(study, chosen)
    gathered = _Gathered.of(study, free)
    for row in _others(study.options, chosen[wanted], connection_terms(study)):
        mine = found[row.candidate_id]
        # dearer at a bus where the site may connect already: never pays
        if any(at.bus_id == row.bus_id and at.cost_cny <= row.cny for _, at, _ in mine):
            continue
        if len(mine) < ACCESSES and gathered.takes(row):
            mine.append((row.option_id, _place(row, gathered), row.collector_id))
    many = {c: points for c, points in found.items() if len(points) > 1}
    used = {collector for points in many.values() for _, _, collector in points if collector}
    return PlanAccesses(
        {
            c: tuple(Access(i, at.bus_id, at.cost_cny * yearly, 0.0, collector) for i, at, collector in points)
            for c, points in many.items()
        },
        {i: at for points in many.values() for i, at, _ in points},
        tuple(Collector(c, gathered.size[c], gathered.cny[c] * yearly) for c in sorted(used)),
        {c: gathered.cny[c] for c in sorted(used)},
    )


def _first(option_id: str, paid: Any) -> tuple[str, Place, str]:
    """The point of the joint choice, with its part of a collector."""
    at = Place(
        paid["station_id"], paid["bus_id"], float(paid["vn_kv"]), float(paid["length_km"]),
        float(paid["connection_cost_cny"]),
    )  # fmt: skip
    return option_id, at, ""


def _place(row: Any, gathered: _Gathered) -> Place:
    # behind a collector the network is entered at the trunk's level
    vn = gathered.level[row.collector_id] if row.collector_id else float(row.vn_kv)
    return Place(row.station_id, row.bus_id, vn, float(row.length_km), float(row.cny))


def _bays_left(study: ConnectionStudy, chosen: pd.Series) -> dict[tuple[str, float], int]:
    """Bays by station and level that the joint choice leaves."""
    limits = study.bay_limits
    free = {(s, v): int(n) for s, v, n in zip(limits["station_id"], limits["vn_kv"], limits["bays_free"], strict=True)}
    taken = study.options[study.options["option_id"].isin(chosen)]
    for table in (taken, study.collectors[study.collectors["chosen"]]):
        for station, vn, bays in zip(table["station_id"], table["vn_kv"], table["bays"], strict=True):
            if bays:
                free[station, vn] = free.get((station, vn), 0) - int(bays)
    return free


@dataclass
class _Gathered:
    """Bays that are left, and the collectors taken up so far, one at a place."""

    free: dict[tuple[str, float], int]
    rows: pd.DataFrame
    built: frozenset[tuple[float, float]]
    size: dict[str, float] = field(default_factory=dict)
    cny: dict[str, float] = field(default_factory=dict)
    level: dict[str, float] = field(default_factory=dict)
    taken: dict[tuple[float, float], str] = field(default_factory=dict)

    @classmethod
    def of(cls, study: ConnectionStudy, free: dict[tuple[str, float], int]) -> _Gathered:
        table = study.collectors
        there = table[table["chosen"]]
        largest = table.sort_values("s_mva").drop_duplicates("collector_id", keep="last").set_index("collector_id")
        return cls(free, largest, frozenset(zip(there["lon"], there["lat"], strict=True)))

    def takes(self, row: Any) -> bool:
        """Reserve the bays that an option needs; False where they are not left."""
        if not row.collector_id:
            return self._bays(row.station_id, float(row.vn_kv), int(row.bays))
        if row.collector_id in self.size:
            return True
        one = self.rows.loc[row.collector_id]
        at = (float(one["lon"]), float(one["lat"]))
        if at in self.built or at in self.taken or not self._bays(one["station_id"], one["vn_kv"], int(one["bays"])):
            return False
        self.taken[at] = row.collector_id
        self.size[row.collector_id] = float(one["capacity_mw"])
        self.cny[row.collector_id] = float(one[["station_cny", "trunk_cny", "bay_cny"]].sum())
        self.level[row.collector_id] = float(one["vn_kv"])
        return True

    def _bays(self, station: str, vn_kv: float, bays: int) -> bool:
        if self.free.get((station, vn_kv), 0) < bays:
            return False
        if bays:
            self.free[station, vn_kv] -= bays
        return True


@dataclass(frozen=True)
class ConnectionTerms:
    """What candidates pay in the joint choice, by candidate: the connection, and (in the plant's own cost) the step-up
    station that goes with it, also where a collector spares it."""

    paid_cny: pd.Series
    step_up_cny: pd.Series


def connection_terms(study: ConnectionStudy) -> ConnectionTerms:
    """Terms of all candidates that the joint choice connects."""
    paid = study.connections[study.connections["bus_id"] != ""].set_index("candidate_id")["connection_cost_cny"]
    options = study.options
    first = options[options["option_id"].isin(study.tie_lines["tie_line_id"])].set_index("candidate_id")
    own = options[options["feasible"] & (options["collector_id"] == "")].groupby("candidate_id")["rank_cny"].min()
    spared = own.reindex(first.index).fillna(0.0)
    return ConnectionTerms(
        paid.astype(float), first["rank_cny"].where(first["collector_id"] == "", spared).astype(float)
    )


def _others(options: pd.DataFrame, chosen: pd.Series, terms: ConnectionTerms) -> Iterable[Any]:
    """Points that the joint choice did not take, the least dearer first; ``cny`` is what each costs."""
    rows = options[
        options["feasible"] & options["candidate_id"].isin(chosen.index) & ~options["option_id"].isin(chosen)
    ]
    step_up = (rows["rank_cny"] - rows["candidate_id"].map(terms.step_up_cny)).clip(lower=0.0)
    rows = rows.assign(cny=rows["line_cny"] + rows["bay_cny"] + step_up)
    rows["dearer"] = rows["cny"] - rows["candidate_id"].map(terms.paid_cny)
    return rows.sort_values(["dearer", "option_id"], kind="stable").itertuples(index=False)
