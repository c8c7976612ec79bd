"""The basis of a study's plan: lots, operating points and availabilities, out of land, yields, connections and load.

Everything here is shared by all plans of the same land, sky and network; targets, prices and measures enter only in
:mod:`study.plan.search`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.connections.contracts import ConnectionStudy
from grid.connections.headroom import case_share
from grid.contracts import Case, FuelShare, Network
from grid.plan.contracts import Access, Lot, Point
from grid.plan.hours import RepresentativeHours
from layers.contracts import Demand
from siting.yields.hourly_store import HourlyStore
from study import records
from study.network.year import mean_case
from study.pipeline import Results
from study.plan.access import PlanAccesses, plan_accesses

Floats = npt.NDArray[np.float64]

DISCOUNT_RATE = 0.06
CONNECTION_LIFE_A = 20.0
CONNECTION_OM_SHARE = 0.01
"""Rate, life and O&M of lines and bays: those of the menu's circuits (capacity study of 110 kV networks)."""
LEAST_PART = 0.1
"""A large site is built with at least this share of its capacity."""


@dataclass(frozen=True)
class Members:
    """Candidates behind a lot, in the order in which they are built, with their grid capacity [MW]."""

    candidate_ids: tuple[str, ...]
    capacity_mw: tuple[float, ...]


@dataclass(frozen=True)
class PlanBasis:
    """What every plan of this land, sky and network shares. ``availability``: (lots, points)."""

    lots: tuple[Lot, ...]
    members: tuple[Members, ...]
    points: tuple[Point, ...]
    availability: Floats
    hours: RepresentativeHours | None
    stations_of: dict[str, str]
    accesses: PlanAccesses


def compute_plan_basis(results: Results) -> PlanBasis | None:
    """Lots, points and availabilities; None where the study asks for no plan."""
    entry = results.study.file.plan
    if entry is None:
        return None
    table = connected_candidates(results)
    accesses = _accesses(results, table, entry.large_site_mw)
    lots, members = make_lots(table, entry.large_site_mw, accesses)
    cases = records.cases(results.study.file)
    points = [Point(case.id, case, 0.0, False) for case in cases]
    shares = [[case_share(case, lot.technology) for case in cases] for lot in lots]
    availability = np.array(shares, dtype=float).reshape(len(lots), len(cases))
    hours = None
    if entry.hours and lots:
        store = hourly_store(results)
        profiles = lot_profiles(store, members)
        hours, more = _hours(results, store, profiles, lots, entry.hours)
        points += more
        availability = np.hstack([availability, profiles[:, hours.hours]])
    network: Network = results.get("network")
    stations = dict(zip(network.buses["bus_id"], network.buses["station_id"], strict=True))
    return PlanBasis(lots, members, tuple(points), availability, hours, stations, accesses)


def connected_candidates(results: Results) -> pd.DataFrame:
    """Candidates with a connection: capacity, yearly cost without and with the connection, energy."""
    candidates = results.get("sites").candidates.drop(columns="geometry")
    table = candidates.merge(results.get("connections"), on="candidate_id", how="inner", validate="1:1")
    costs = results.get("costs")
    table["energy_mwh"] = table["candidate_id"].map(costs.yields.set_index("candidate_id")["energy_mwh"]).astype(float)
    own = costs.waterfall[costs.waterfall["cost_item"] != "connection"]
    table["yearly_cny"] = table["candidate_id"].map(own.groupby("candidate_id")["yearly_cny"].sum()).astype(float)
    table["connection_cny_per_a"] = table["connection_cost_cny"].fillna(0.0) * connection_rate()
    usable = (table["bus_id"] != "") & (table["grid_capacity_mw"] > 0) & (table["energy_mwh"] > 0)
    return pd.DataFrame(table[usable])


def connection_rate() -> float:
    """Yearly cost of a connection by its investment."""
    from siting.cost.energy import capital_recovery_factor

    return capital_recovery_factor(DISCOUNT_RATE, CONNECTION_LIFE_A) + CONNECTION_OM_SHARE


def _accesses(results: Results, table: pd.DataFrame, large_site_mw: float) -> PlanAccesses:
    """What the large sites may choose from."""
    study: ConnectionStudy = results.get("connection_study")
    large = table.loc[table["grid_capacity_mw"] >= large_site_mw, "candidate_id"]
    return plan_accesses(study, large, connection_rate())


def make_lots(
    table: pd.DataFrame, large_site_mw: float, accesses: PlanAccesses | None = None
) -> tuple[tuple[Lot, ...], tuple[Members, ...]]:
    """Large sites one by one, smaller ones by bus, technology and district; within a lot the cheapest energy first.

    The first access of a lot is where its candidates connect; ``accesses`` gives large sites others beside it.
    """
    many = {} if accesses is None else accesses.of_candidate
    table = table.copy()
    yearly = table["yearly_cny"] + table["connection_cny_per_a"]
    table["cny_per_mwh"] = yearly / table["energy_mwh"]
    large = table["grid_capacity_mw"] >= large_site_mw
    table["lot"] = np.where(
        large, table["candidate_id"], table["bus_id"] + "|" + table["technology"] + "|" + table["district_code"]
    )
    lots, members = [], []
    for name, rows in table.sort_values(["lot", "cny_per_mwh", "candidate_id"]).groupby("lot", sort=True):
        alone = len(rows) == 1 and rows["candidate_id"].iloc[0] == name
        mw = float(rows["grid_capacity_mw"].sum())
        connection = float(rows["connection_cny_per_a"].sum())
        technology, bus = str(rows["technology"].iloc[0]), str(rows["bus_id"].iloc[0])
        access = Access(bus, bus, connection if alone else 0.0, 0.0 if alone else connection / mw)
        lots.append(
            Lot(
                str(name),
                "wind" if rows["kind"].iloc[0] == "wind" else "pv",
                technology,
                str(rows["district_code"].iloc[0]),
                mw,
                float(rows["capacity_mw"].sum()) / mw,
                LEAST_PART * mw if alone else 0.0,
                float(rows["yearly_cny"].sum()) / mw,
                float(rows["energy_mwh"].sum()) / mw,
                many.get(str(name), (access,)) if alone else (access,),
            )
        )
        members.append(Members(tuple(rows["candidate_id"]), tuple(rows["grid_capacity_mw"].astype(float))))
    return tuple(lots), tuple(members)


def hourly_store(results: Results) -> HourlyStore:
    from siting.yields.hourly_store import store_of

    capacity = results.get("sites").candidates.set_index("candidate_id")["grid_capacity_mw"]
    return store_of(results.get("yields"), capacity)


def lot_profiles(store: HourlyStore, members: tuple[Members, ...]) -> Floats:
    """Output of each lot by its grid capacity, shape (lots, hours)."""
    lot_of = {c: f"{k:06d}" for k, group in enumerate(members) for c in group.candidate_ids}
    sums = store.sum_by(pd.Series(lot_of))
    whole = np.array([sum(group.capacity_mw) for group in members])
    result = np.zeros((len(members), len(store.index)))
    for name in sums.columns:
        result[int(name)] = sums[name].to_numpy(float) / whole[int(name)]
    return np.clip(result, 0.0, 1.0)


def _hours(
    results: Results, store: HourlyStore, profiles: Floats, lots: tuple[Lot, ...], count: int
) -> tuple[RepresentativeHours, list[Point]]:
    """Representative hours of the year and their points."""
    from grid.plan.hours import representative_hours

    network: Network = results.get("network")
    cases = records.cases(results.study.file)
    load = load_share(results.get("demand"), len(store.index))
    capacity = np.array([lot.capacity_mw for lot in lots])
    wind = np.array([lot.group == "wind" for lot in lots])
    pv_share, wind_share = mean_profile(profiles, capacity * ~wind), mean_profile(profiles, capacity * wind)
    mean = mean_case(cases, float(load.mean()))
    buses = [lot.accesses[0].bus_id for lot in lots]
    peak_mw = float(network.loads["p_mw"].sum())
    scaled = capacity * min(1.0, peak_mw / capacity.sum())
    loading, branches = year_loading(network, mean, load, pv_share, wind_share, buses, scaled[:, None] * profiles)
    net = peak_mw * (load - (pv_share * capacity[~wind].sum() + wind_share * capacity[wind].sum()) / capacity.sum())
    hours = representative_hours(load, pv_share, wind_share, net, loading, branches, count)
    months = store.index.month
    points = [
        Point(
            f"h{hour:04d}",
            hour_case(mean, f"h{hour:04d}", load[hour], pv_share[hour], wind_share[hour], int(months[hour])),
            weight,
            True,
        )
        for hour, weight in zip(hours.hours.tolist(), hours.weights_h.tolist(), strict=True)
    ]
    return hours, points


def load_share(demand: Demand | None, hours: int) -> Floats:
    """Load of every hour by the peak; 1 where the study has no hourly demand."""
    if demand is None or len(demand.p_mw) != hours:
        return np.ones(hours)
    return np.asarray(demand.p_mw / demand.p_mw.max(), dtype=np.float64)


def mean_profile(profiles: Floats, weight: Floats) -> Floats:
    return np.asarray(weight @ profiles / weight.sum() if weight.sum() else np.zeros(profiles.shape[1]))


def hour_case(mean: Case, name: str, load: float, pv: float, wind: float, month: int) -> Case:
    """The network in one hour: its load, existing wind and sun as the new plants' mean, the season of the month."""
    kept = tuple(s for s in mean.fuel_shares if s.fuel not in ("pv", "wind"))
    fuels = (*kept, FuelShare("pv", float(pv)), FuelShare("wind", float(wind)))
    season: Literal["summer", "transition", "winter"] = (
        "winter" if month in (12, 1, 2) else "summer" if 6 <= month <= 9 else "transition"
    )
    return replace(
        mean, id=name, label_zh=name, label_en=name, load_share=float(load), fuel_shares=fuels, season=season
    )


def year_loading(
    network: Network, mean: Case, load: Floats, pv: Floats, wind: Floats, buses: list[str], new_mw: Floats
) -> tuple[Floats, list[str]]:
    """DC loading of every branch in every hour [%] with new plants, and the branches' ids.

    ``new_mw`` (plants, hours) is injected at ``buses`` (plants).
    """
    from grid.model.planning import from_network
    from grid.sensitivity import dc_flows, dc_model, ptdf

    case = from_network(network, mean)
    model = dc_model(case)
    factors = ptdf(model)
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    change = np.zeros((model.arrays.n_bus, len(load)))
    loads = np.zeros(model.arrays.n_bus)
    np.add.at(loads, [row[b] for b in network.loads["bus_id"]], network.loads["p_mw"].to_numpy(float))
    change -= np.outer(loads, load - mean.load_share)
    for fuel, share in (("pv", pv), ("wind", wind)):
        plants = network.generators[network.generators["fuel"] == fuel]
        for bus, mw in zip(plants["bus_id"], plants["p_max_mw"], strict=True):
            change[row[bus]] += float(mw) * share
    np.add.at(change, [row[bus] for bus in buses], new_mw)
    flows = dc_flows(model)[:, None] + factors @ change
    branches = case.branches
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100 * np.abs(flows) / branches["rating_a_mva"].to_numpy(float)[:, None]
    return percent, branches["branch_id"].astype(str).tolist()
