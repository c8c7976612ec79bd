"""The year by AC load flow: demand, existing wind and sun, and the accepted new plants, in the same 8760 hours.

Conventional plants run at the mean of the outputs that the study's cases give them, the infeeds balance the rest, and
lines have the rating of the season: summer from June to September, winter from December to February.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Case, FuelShare, Network
from grid.studies.series import SeriesResult
from layers.contracts import Demand, Finding
from siting.yields.hourly_store import HourlyStore
from study import records
from study.pipeline import Results

if TYPE_CHECKING:
    from grid.batch import BatchSolver

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Year:
    """Hours and branches of the year (None where the base state had no solution), and what was assumed."""

    result: SeriesResult | None
    new_energy_mwh: float
    """Energy of the accepted plants before any curtailment."""


@dataclass(frozen=True)
class YearState:
    """The state around which the hours lie, and what every hour adds to it; the new plants are left out."""

    solver: BatchSolver
    store: HourlyStore
    labels: tuple[str, ...]
    when: pd.DatetimeIndex
    """Start of each hour."""
    line_factor: Floats
    added: Complexes
    """Existing wind and sun less the load's change [MVA], shape (buses of the network, hours)."""

    def change(self, first: int, last: int) -> Complexes:
        """Added injection of the hours from ``first`` to before ``last`` [MVA], shape (rows of the solver, hours)."""
        rows = np.zeros((self.solver.arrays.n_bus, last - first), complex)
        rows[: len(self.added)] = self.added[:, first:last]
        return rows


def year_state(results: Results) -> YearState:
    """The year of a study without its new plants.

    Raises
    ------
    ValueError
        If the state around which the hours lie has no solution.
    """
    from grid.batch import BatchSolver
    from grid.model.planning import from_network
    from siting.yields.hourly_store import store_of

    network: Network = results.get("network")
    candidates = results.get("sites").candidates
    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    hours = len(store.index) if len(store.variants) else 8760
    share = _load_share(results.get("demand"), hours)
    mean = mean_case(records.cases(results.study.file), float(share.mean()))
    solver = BatchSolver.of_case(from_network(network, mean))
    existing = _existing_mw(network, mean, store, candidates, hours)
    added = existing - _load_mva(network)[:, None] * (share - mean.load_share)
    labels = [str(stamp) for stamp in store.index.strftime("%m-%d %H:00")] if len(store.variants) else []
    labels = labels or [f"{h:04d}" for h in range(hours)]
    when = store.index if len(store.index) == hours else pd.date_range("2023-01-01", periods=hours, freq="h")
    return YearState(solver, store, tuple(labels), when, line_factors(store.index, hours), added)


def compute_year(results: Results) -> Year:
    """Load flow of every hour of the demand's year with all accepted plants connected."""
    from grid.studies.series import run_hours

    try:
        state = year_state(results)
    except ValueError as error:
        results.log.add(no_base(results, str(error)))
        return Year(None, 0.0)
    candidates, verdicts = results.get("sites").candidates, results.get("verdicts").verdicts
    new = new_plants_mw(
        results.get("network"), state.store, results.get("connections"), verdicts, candidates, len(state.labels)
    )
    state = replace(state, added=state.added + new)
    result = run_hours(state.solver, state.labels, state.change, "a", results.progress, state.line_factor)
    return Year(result, float(new.sum()))


def no_base(results: Results, why: str) -> Finding:
    """What is told where the hours have no state to lie around."""
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
