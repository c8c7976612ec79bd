"""What every station of the region takes over the year in N-1, by the share of energy that is curtailed.

One plant at a time beside today's network, with the mean profile of the study's own yields: wind at buses to which more
wind than PV would connect, PV elsewhere. Accepted candidates are not connected, as in the hosting capacity now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.flexible import CURVES, curtailment_curves
from grid.capacity.settings import CapacitySettings
from grid.capacity.year_records import HEAT_MAP, REASONS, HourlyLimits, YearSettings, heat_map
from grid.contracts import Network
from layers.contracts import Finding
from layers.tables import Table, column
from siting.yields.hourly_store import HourlyStore
from study.network.connect import region_buses
from study.network.year import no_base, year_state
from study.pipeline import Results

Floats = npt.NDArray[np.float64]
SHOWN_PERCENT = 5.0
"""Curtailed energy of the column in the list of substations: the utilisation floor of 95 %."""
_BUS = column(str, "", "bus of the plant")
_UNUSED = ("bus_id", "storage", "storage_mw", "storage_mwh")

CURTAILMENT = Table(
    "curtailment",
    "Capacity of one new plant at each bus of the region over the year in N-1, by the share of its energy curtailed.",
    {
        "station_id": column(str, "", "station"),
        "bus_id": _BUS,
        "profile": column(str, "", "mean profile of the study's candidates of this kind", isin=("pv", "wind")),
        **{name: promise for name, promise in CURVES.columns.items() if name not in _UNUSED},
    },
)

STATION_HEAT_MAP = Table("hosting_heat_map", HEAT_MAP.description, {**HEAT_MAP.columns, "bus_id": _BUS})

CURTAILMENT_CHECKS = Table(
    "curtailment_checks",
    "Hours solved by AC with the plant at its limit in the binding outage: linear limit minus AC, by what was chosen.",
    {
        "reason": column(str, "", "firm (lowest hour of each bus), branch, voltage (extreme of an element), sample",
                         isin=REASONS),
        "count": column(int, "", "hours and buses checked", ge=0),
        "largest_mw": column(float, "MW", "largest difference either way", nullable=True),
        "mean_mw": column(float, "MW", "mean size of the difference", nullable=True),
        "bias_mw": column(float, "MW", "mean difference; negative: the linear limits are too low", nullable=True),
        "largest_percent": column(float, "%", "largest difference of a loading", nullable=True),
        "largest_pu": column(float, "pu", "largest difference of a voltage", nullable=True),
        "unsolved": column(int, "", "of them, no AC state was found at the limit", ge=0),
    },
)  # fmt: skip

CURTAILMENT_DURATION = Table(
    "curtailment_duration",
    f"Duration curve of curtailment of a plant sized for {SHOWN_PERCENT:g} % curtailed energy, at chosen hours.",
    {
        "station_id": column(str, "", "station"),
        "bus_id": _BUS,
        "capacity_mw": column(float, "MW", "capacity of the plant", ge=0),
        "hours": column(int, "h", "hours of the year in which at least this much is curtailed", ge=1),
        "curtailed_mw": column(float, "MW", "curtailed power; 1 hour: the highest of the year", ge=0),
    },
)

_DURATION_HOURS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000, 2500,
                   3000, 4000, 5000, 6000, 7000, 8000)  # fmt: skip


@dataclass(frozen=True)
class Curtailment:
    """Tables :data:`CURTAILMENT`, :data:`STATION_HEAT_MAP`, :data:`CURTAILMENT_CHECKS` and
    :data:`CURTAILMENT_DURATION`."""

    curves: pd.DataFrame
    heat: pd.DataFrame
    checks: pd.DataFrame
    duration: pd.DataFrame


def compute_curtailment(results: Results) -> Curtailment:
    """Hourly limits of the region's buses in N-1, and their curves; empty where the year has no state or profile."""
    from grid.capacity.year import hourly_limits

    network: Network = results.get("network")
    try:
        state = year_state(results)
    except ValueError as error:
        results.log.add(no_base(results, str(error)))
        return _nothing()
    profiles = mean_profiles(state.store, results.get("sites").candidates)
    arrays = state.solver.arrays
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    inside = np.isin(arrays.node, state.solver.members) & ~arrays.off
    names = {int(arrays.bus_ids[row[bus]]): bus for bus in region_buses(network) if inside[row[bus]]}
    if not profiles or not names:
        return _nothing()
    settings = YearSettings(limits=replace(CapacitySettings.standard(), tolerate_base=True))
    limits = hourly_limits(state.solver, state.change, state.labels, list(names), settings, state.line_factor,
                           state.when, results.progress)  # fmt: skip
    kinds = profile_kinds(results.get("connections"), results.get("sites").candidates, profiles)
    kind = {bus: kinds.get(name, next(iter(profiles))) for bus, name in names.items()}
    _tell_poor_hours(results, limits)
    places = {str(arrays.bus_ids[k]): bus for bus, k in row.items()}
    return _tables(limits, network, names, kind, profiles, places)


def _nothing() -> Curtailment:
    return Curtailment(
        CURTAILMENT.empty(), STATION_HEAT_MAP.empty(), CURTAILMENT_CHECKS.empty(), CURTAILMENT_DURATION.empty()
    )


def _tables(
    limits: HourlyLimits, network: Network, names: dict[int, str], kind: dict[int, str], profiles: dict[str, Floats],
    places: dict[str, str],
) -> Curtailment:  # fmt: skip
    """Everything in the study's names; ``places``: bus by the number that a voltage limit names it with."""
    station = dict(zip(network.buses["bus_id"], network.buses["station_id"], strict=True))
    curves = curtailment_curves(limits, {bus: profiles[kind[bus]] for bus in names})
    curves = curves.assign(profile=curves["bus_id"].map(kind), bus_id=curves["bus_id"].map(names).astype(object))
    curves = curves.assign(
        station_id=curves["bus_id"].map(station).astype(object),
        binding_element=_elements(curves["binding_element"], curves["binding_limit"], places),
    )
    heat = heat_map(limits)
    heat = heat.assign(
        bus_id=heat["bus_id"].map(names).astype(object), element=_elements(heat["element"], heat["limit"], places)
    )
    checks = pd.DataFrame([vars(one) for one in limits.residuals], columns=list(CURTAILMENT_CHECKS.columns))
    shown = curves[curves["curtailed_percent"] == SHOWN_PERCENT].set_index("bus_id")["capacity_mw"]
    duration = duration_points(limits, names, kind, profiles, shown)
    duration.insert(0, "station_id", duration["bus_id"].map(station).astype(object))
    return Curtailment(
        CURTAILMENT.validate(curves[list(CURTAILMENT.columns)]),
        STATION_HEAT_MAP.validate(heat),
        CURTAILMENT_CHECKS.validate(checks) if len(checks) else CURTAILMENT_CHECKS.empty(),
        CURTAILMENT_DURATION.validate(duration) if len(duration) else CURTAILMENT_DURATION.empty(),
    )


def duration_points(
    limits: HourlyLimits, names: dict[int, str], kind: dict[int, str], profiles: dict[str, Floats], capacity: pd.Series
) -> pd.DataFrame:
    """Points of each bus's duration curve of curtailment; ``capacity`` [MW] by bus, NaN leaves the bus out."""
    rows = []
    for place, number in enumerate(limits.bus_ids.tolist()):
        bus, mw = names[number], float(capacity[names[number]])
        if np.isfinite(mw):
            beyond = curtailed_from_most(limits.limit_mw[place], profiles[kind[number]], mw)
            rows += [(bus, mw, hours, beyond[hours - 1]) for hours in _DURATION_HOURS if hours <= len(beyond)]
            rows.append((bus, mw, max(len(beyond), 1), 0.0 if not len(beyond) else beyond[-1]))
    table = pd.DataFrame(rows, columns=["bus_id", "capacity_mw", "hours", "curtailed_mw"])
    return table.drop_duplicates(["bus_id", "hours"], ignore_index=True)


def curtailed_from_most(limit_mw: Floats, profile: Floats, capacity_mw: float) -> Floats:
    """Curtailed power [MW] of the hours that have any, the highest first."""
    beyond = capacity_mw * profile - limit_mw
    return np.sort(beyond[beyond > 1e-9])[::-1]


def _elements(element: pd.Series, limit: pd.Series, places: dict[str, str]) -> pd.Series:
    voltage = limit.isin(("voltage_high", "voltage_low"))
    return element.where(~voltage, element.map(places).fillna(element)).astype(object)


def mean_profiles(store: HourlyStore, candidates: pd.DataFrame) -> dict[str, Floats]:
    """Output per MW of the study's PV and of its wind, the mean over their variants [0 to 1], PV first."""
    kind = candidates.set_index("candidate_id")["kind"]
    of_site = store.sites["candidate_id"].map(kind)
    found = {}
    for name in ("pv", "wind"):
        chosen = store.sites[(of_site == "wind") == (name == "wind")]
        if len(chosen):
            mean = np.asarray(store.block(variants=sorted(set(chosen["variant_id"]))), dtype=np.float64).mean(axis=0)
            found[name] = np.clip(mean, 0.0, 1.0)
    return {name: profile for name, profile in found.items() if profile.max() > 0}


def profile_kinds(connections: pd.DataFrame, candidates: pd.DataFrame, profiles: dict[str, Floats]) -> dict[str, str]:
    """Kind of which more MW of candidates would connect, by bus; buses without candidates are left out."""
    table = connections[["candidate_id", "bus_id"]].merge(
        candidates[["candidate_id", "kind", "grid_capacity_mw"]], on="candidate_id"
    )
    table = table[table["bus_id"] != ""].assign(wind=lambda t: t["kind"] == "wind")
    most = table.groupby(["bus_id", "wind"])["grid_capacity_mw"].sum().unstack(fill_value=0)
    more = most.reindex(columns=[False, True], fill_value=0.0)
    found = {str(bus): "wind" if wind > pv else "pv" for bus, pv, wind in more.itertuples()}
    return {bus: kind for bus, kind in found.items() if kind in profiles}


def _tell_poor_hours(results: Results, limits: HourlyLimits) -> None:
    if limits.diverged:
        shown, text = results.study.shown_path, "outages have no solution in some hours; their limit there is 0 MW."
        results.log.add(Finding("warning", "curtailment.diverged", shown, "network", ", ".join(limits.diverged[:5]),
                                str(len(limits.diverged)), text, "See loadflow/curtailment.csv."))  # fmt: skip


def flexible_substations(substations: pd.DataFrame, found: Curtailment) -> pd.DataFrame:
    """The table of substations with the optional column ``flexible_5_percent_mw`` of
    :data:`grid.contracts.SUBSTATIONS`."""
    if found.curves.empty:
        return substations
    at = found.curves[found.curves["curtailed_percent"] == SHOWN_PERCENT].set_index("bus_id")["capacity_mw"]
    return substations.assign(flexible_5_percent_mw=substations["bus_id"].map(at).astype(float))


def curtailment_tables(found: Curtailment) -> dict[str, pd.DataFrame]:
    """Tables of a run folder by name."""
    if found.curves.empty:
        return {}
    return {
        "loadflow/curtailment": found.curves,
        "loadflow/curtailment_checks": found.checks,
        "loadflow/curtailment_duration": found.duration,
        "loadflow/hosting_heat_map": found.heat,
    }
