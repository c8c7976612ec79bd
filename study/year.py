"""The year by AC load flow: demand, existing wind and sun, and the accepted new plants, in the same 8760 hours.

Conventional plants run at the mean of the outputs that the study's cases give them, the infeeds balance the rest, and
lines have the rating of the season: summer from June to September, winter from December to February.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Case, FuelShare, Network
from grid.studies.series import SeriesResult
from layers.contracts import Demand, Finding
from siting.hourly_store import HourlyStore
from study import records
from study.pipeline import Results

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Year:
    """Hours and branches of the year (None where the base state had no solution), and what was assumed."""

    result: SeriesResult | None
    new_energy_mwh: float
    """Energy of the accepted plants before any curtailment."""


def compute_year(results: Results) -> Year:
    """Load flow of every hour of the demand's year with all accepted plants connected."""
    from grid.batch import BatchSolver
    from grid.model.planning import from_network
    from grid.studies.series import run_hours
    from siting.hourly_store import store_of

    network: Network = results.get("network")
    demand: Demand | None = results.get("demand")
    candidates = results.get("sites").candidates
    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    hours = len(store.index) if len(store.variants) else 8760
    share = _load_share(demand, hours)
    mean = mean_case(records.cases(results.study.file), float(share.mean()))
    case = from_network(network, mean)
    try:
        solver = BatchSolver.of_case(case)
    except ValueError as error:
        results.log.add(_no_base(results, str(error)))
        return Year(None, 0.0)
    new = new_plants_mw(network, store, results.get("connections"), results.get("verdicts").verdicts, candidates, hours)
    existing = _existing_mw(network, mean, store, candidates, hours)
    load = _load_mva(network)

    def change(first: int, last: int) -> Complexes:
        part = slice(first, last)
        added = new[:, part] + existing[:, part] - load[:, None] * (share[part] - mean.load_share)
        rows = np.zeros((solver.arrays.n_bus, last - first), complex)
        rows[: len(added)] = added
        return rows

    labels = [str(stamp) for stamp in store.index.strftime("%m-%d %H:00")] if len(store.variants) else []
    labels = labels or [f"{h:04d}" for h in range(hours)]
    result = run_hours(solver, labels, change, "a", results.progress, line_factors(store.index, hours))
    return Year(result, float(new.sum()))


def _no_base(results: Results, why: str) -> Finding:
    shown, remedy = results.study.shown_path, "See loadflow/cases.csv; correct the cases or the network."
    return Finding("warning", "year.base_case", shown, "cases", "mean of the cases", "", f"No year: {why}.", remedy)


def _load_share(demand: Demand | None, hours: int) -> Floats:
    """Load of every hour by the peak; 1 where the study has no hourly demand."""
    if demand is None or len(demand.p_mw) != hours:
        return np.ones(hours)
    return np.asarray(demand.p_mw / demand.p_mw.max(), dtype=np.float64)


def line_factors(index: pd.DatetimeIndex, hours: int) -> Floats:
    """Rating of lines in each hour by their summer rating."""
    from grid.ampacity import season_rating_factor

    months = index.month if len(index) == hours else pd.date_range("2023-01-01", periods=hours, freq="h").month
    factor = {s: season_rating_factor(s) for s in ("summer", "transition", "winter")}
    season = ["winter" if m in (12, 1, 2) else "summer" if 6 <= m <= 9 else "transition" for m in months]
    return np.array([factor[s] for s in season])


def mean_case(cases: tuple[Case, ...], load_share: float) -> Case:
    """The state around which the year is computed: mean load, every fuel at the mean of the cases, no wind or sun."""
    fuels = sorted({s.fuel for c in cases for s in c.fuel_shares} - {"pv", "wind"})
    shares = tuple(
        FuelShare(fuel, float(np.mean([{s.fuel: s.share for s in c.fuel_shares}.get(fuel, 0.0) for c in cases])))
        for fuel in fuels
    )
    first = cases[0]
    still = (FuelShare("pv", 0.0), FuelShare("wind", 0.0))
    return replace(first, id="year", load_share=load_share, pv_share=0.0, wind_share=0.0,
                   fuel_shares=(*shares, *still), season="summer")  # fmt: skip


def new_plants_mw(
    network: Network, store: HourlyStore, connections: pd.DataFrame, verdicts: pd.DataFrame, candidates: pd.DataFrame,
    hours: int,
) -> Floats:  # fmt: skip
    """Hourly output of the accepted plants at each bus [MW], shape (buses, hours)."""
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    if not len(store.variants):
        return np.zeros((len(row), hours))
    at = connections.set_index("candidate_id")["bus_id"]
    accepted = verdicts.set_index("candidate_id")["accepted_mw"]
    capacity = candidates.set_index("candidate_id")["grid_capacity_mw"]
    sites = store.sites
    ids = sites["candidate_id"]
    part = (ids.map(accepted).fillna(0.0) / ids.map(capacity)).to_numpy(float)
    bus = ids.map(at).map(row).to_numpy(float)
    use = np.isfinite(bus) & (part > 0)
    weight = np.zeros((len(row), len(store.variants)))
    variants = store.rows(sites["variant_id"].tolist())
    np.add.at(weight, (bus[use].astype(int), variants[use]), (part * sites["capacity_mw"].to_numpy(float))[use])
    return np.asarray(weight @ np.asarray(store.power, dtype=np.float64))


def _existing_mw(network: Network, mean: Case, store: HourlyStore, candidates: pd.DataFrame, hours: int) -> Floats:
    """Hourly output of the existing wind and PV plants [MW]: the mean profile of the new ones of their kind."""
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    result = np.zeros((len(row), hours))
    if not len(store.variants):
        return result
    kind = candidates.set_index("candidate_id")["kind"]
    of_site = store.sites["candidate_id"].map(kind)
    for fuel in ("pv", "wind"):
        chosen = store.sites[(of_site == "wind") == (fuel == "wind")]
        if chosen.empty:
            continue
        profile = np.asarray(store.block(variants=sorted(set(chosen["variant_id"]))), dtype=float).mean(axis=0)
        plants = network.generators[network.generators["fuel"] == fuel]
        for bus, p_max in zip(plants["bus_id"], plants["p_max_mw"], strict=True):
            result[row[bus]] += float(p_max) * profile
    return result


def _load_mva(network: Network) -> Complexes:
    """Load of each bus at the region's peak [MVA]."""
    row = {bus: k for k, bus in enumerate(network.buses["bus_id"])}
    load = np.zeros(len(row), complex)
    power = network.loads["p_mw"].to_numpy(float) + 1j * network.loads["q_mvar"].to_numpy(float)
    np.add.at(load, [row[bus] for bus in network.loads["bus_id"]], power)
    return load
