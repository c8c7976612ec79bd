"""What the cost of energy consists of, item by item, so that the items add up to it exactly.

::

    modules | inverters | ... | operation | land | connection | storage | degradation  = levelised cost of energy

Every item is a yearly payment by the output of the first year. Degradation is what the other items cost more because
later years bring less. Items are real, before tax, in prices of one stated year.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from siting.contracts import HostType
from siting.cost.contracts import CO2_AVOIDED, COST_BY_TECHNOLOGY, COST_WATERFALL
from siting.cost.energy import avoided_co2_t, capex_cny, capital_recovery_factor, implied_hours, levelised_output_share
from siting.cost.tables import NONE, CostTables, scenario_rows
from siting.technologies.tables import EmissionFactor, Technology

Floats = npt.NDArray[np.float64]

OPERATION, LAND, CONNECTION, STORAGE, DEGRADATION = "operation", "land", "connection", "storage", "degradation"
FIXED_ITEMS = (OPERATION, LAND, CONNECTION, STORAGE, DEGRADATION)
"""Items beside those of the investment, in their order."""


@dataclass(frozen=True)
class CostCase:
    """How cost is counted.

    ``technologies`` are in their own price years; :func:`in_prices_of` brings them to ``price_year``. Scenarios are
    names in the cost tables, or ``none``.
    """

    technologies: tuple[Technology, ...]
    tables: CostTables
    price_year: float
    land_lease: str = NONE
    storage: str = NONE
    connection: str = NONE

    def technology(self, name: str) -> Technology:
        """The technology in prices of the case's year."""
        return in_prices_of(next(t for t in self.technologies if t.technology == name), self.price_year, self.tables)


def in_prices_of(technology: Technology, year: float, tables: CostTables) -> Technology:
    """The technology with its money in prices of another year."""
    factor = tables.price_factor(technology.price_year, year)
    return replace(
        technology,
        capex_cny_per_kw=technology.capex_cny_per_kw * factor,
        opex_cny_per_kw_a=technology.opex_cny_per_kw_a * factor,
        price_year=float(year),
    )


def lease_area_m2(area_m2: npt.ArrayLike, host: HostType) -> Floats:
    """Area that a site rents [m2]: its host area times the share that carries equipment.

    Both kinds of density refer to this area: a gross one to the whole site (``usable_share`` 1), a net one to the
    equipped part of the roofs. So the rented area by MW is the inverse of the density in either basis.
    """
    return np.asarray(area_m2, float) * host.usable_share


def cost_waterfall(
    candidates: pd.DataFrame,
    energy_mwh: pd.Series,
    host_types: Sequence[HostType],
    case: CostCase,
    *,
    connection_cost_cny: pd.Series | None = None,
) -> pd.DataFrame:
    """Items of the cost of energy of every candidate (:data:`siting.cost.contracts.COST_WATERFALL`).

    Parameters
    ----------
    candidates
        Follows :data:`siting.contracts.CANDIDATES` (geometry not needed).
    energy_mwh, connection_cost_cny
        First year's output [MWh] and what line, bay and station cost [CNY], indexed by candidate id. Where the
        connection is not known (None, NaN) the case's allowance holds.
    host_types
        Must hold every host type of the candidates.

    Returns
    -------
    DataFrame
        Candidates in their order, items in the order of the waterfall; an item of zero stands too. ``cny_per_kwh`` is
        NaN where nothing is produced. The correctly rounded sum (:func:`math.fsum`) over a candidate's items is its
        cost of energy, see :func:`levelised_cost`.

    Notes
    -----
    With the capital recovery factor ``CRF(r, n)``, first year's output ``E`` and levelised output share ``s``:
    investment items ``CRF capex share / E``; connection ``CRF c / E``; storage ``(CRF(r, n_s) + o) capex_s / E``,
    that is, it is replaced at the same price whenever its own life ends; degradation ``(1/s - 1)`` times the sum.
    Energy lost in the storage is not counted: how it is run is not known here.
    """
    parts = []
    ids = candidates["candidate_id"].to_numpy(object)
    energy = energy_mwh.reindex(ids).to_numpy(float)
    unknown = pd.Series(np.nan, index=ids)
    stated = unknown if connection_cost_cny is None else connection_cost_cny
    known = np.asarray(stated.reindex(ids), float)
    hosts = {host.host_type: host for host in host_types}
    host_type, technology = candidates["host_type"].to_numpy(str), candidates["technology"].to_numpy(str)
    for host_name, name in sorted(set(zip(host_type.tolist(), technology.tolist(), strict=True))):
        rows = np.flatnonzero((host_type == host_name) & (technology == name))
        yearly = _yearly_items(candidates.iloc[rows], hosts[host_name], case.technology(name), known[rows], case)
        parts.append(_long(ids[rows], rows, yearly, energy[rows] * 1000))
    if not parts:
        return COST_WATERFALL.empty()
    table = pd.concat(parts, ignore_index=True).sort_values(["row", "place"], kind="stable", ignore_index=True)
    return COST_WATERFALL.validate(table[list(COST_WATERFALL.columns)])


def _yearly_items(
    sites: pd.DataFrame, host: HostType, technology: Technology, connection: Floats, case: CostCase
) -> dict[str, Floats]:
    """Yearly payment of each item [CNY/a], arrays over the sites, in the order of the waterfall."""
    recovery = capital_recovery_factor(technology.discount_rate, technology.life_a)
    capacity_kw = sites["capacity_mw"].to_numpy(float) * 1000
    grid_kw = sites["grid_capacity_mw"].to_numpy(float) * 1000
    capex = capex_cny(technology, sites["capacity_mw"].to_numpy(float))
    yearly: dict[str, Floats] = {
        item.cost_item: recovery * capex * item.capex_share for item in case.tables.items_of(technology.technology)
    }
    yearly[OPERATION] = capacity_kw * technology.opex_cny_per_kw_a
    yearly[LAND] = _lease(sites["area_m2"].to_numpy(float), host, technology, case)
    yearly[CONNECTION] = recovery * np.where(np.isnan(connection), grid_kw * _allowance(technology, case), connection)
    yearly[STORAGE] = grid_kw * _storage_cny_per_kw_a(technology, case)
    share = levelised_output_share(technology.discount_rate, technology.life_a, technology.degradation_per_a)
    paid = np.zeros(len(sites))
    for item in yearly.values():  # one after the other: the same bits for one site and for many
        paid = paid + item
    yearly[DEGRADATION] = paid * (1 / share - 1)
    return yearly


def _lease(area_m2: Floats, host: HostType, technology: Technology, case: CostCase) -> Floats:
    lease = scenario_rows(case.tables.leases, case.land_lease).get(technology.technology)
    if lease is None:
        return np.zeros(len(area_m2))
    rent = lease.cny_per_m2_a * case.tables.price_factor(lease.price_year, case.price_year)
    return lease_area_m2(area_m2, host) * lease.used_area_share * rent


def _allowance(technology: Technology, case: CostCase) -> float:
    """Connection cost by grid capacity before the network is asked [CNY/kW]."""
    row = scenario_rows(case.tables.allowances, case.connection).get(technology.technology)
    return 0.0 if row is None else row.cny_per_kw_ac * case.tables.price_factor(row.price_year, case.price_year)


def _storage_cny_per_kw_a(technology: Technology, case: CostCase) -> float:
    """Yearly cost of the storage by the plant's grid capacity [CNY/(kW a)]."""
    row = scenario_rows(case.tables.storage_scenarios, case.storage).get(technology.technology)
    if row is None:
        return 0.0
    storage = next(one for one in case.tables.storages if one.storage == row.storage)
    capex = storage.capex_cny_per_kwh * case.tables.price_factor(storage.price_year, case.price_year)
    yearly = capital_recovery_factor(technology.discount_rate, storage.life_a) + storage.opex_share_per_a
    return row.power_share * row.duration_h * capex * yearly


def _long(
    ids: npt.NDArray[np.object_], rows: npt.NDArray[np.intp], yearly: Mapping[str, Floats], kwh: Floats
) -> pd.DataFrame:
    cny = np.stack(list(yearly.values()), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(kwh[:, None] > 0, cny / kwh[:, None], np.nan)
    number = len(yearly)
    return pd.DataFrame(
        {
            "candidate_id": np.repeat(ids, number),
            "cost_item": np.tile(np.array(list(yearly), object), len(ids)),
            "yearly_cny": cny.ravel(),
            "cny_per_kwh": unit.ravel(),
            "row": np.repeat(rows, number),
            "place": np.tile(np.arange(number), len(ids)),
        }
    )


def levelised_cost(waterfall: pd.DataFrame) -> pd.Series:
    """Cost of energy of each candidate [CNY/kWh]: the correctly rounded sum of its items; NaN at zero yield.

    Indexed by candidate id, in the order of the waterfall.
    """
    ids = waterfall["candidate_id"].to_numpy(object)
    cny = waterfall["cny_per_kwh"].to_numpy(float)
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.empty(0, np.int64)
    ends = np.r_[starts[1:], len(ids)] if len(ids) else starts
    sums = [math.fsum(cny[a:b]) for a, b in zip(starts, ends, strict=True)]
    return pd.Series(sums, index=pd.Index(ids[starts], name="candidate_id"), name="lcoe_cny_per_kwh", dtype=float)


def costed(yields: pd.DataFrame, candidates: pd.DataFrame, waterfall: pd.DataFrame, case: CostCase) -> pd.DataFrame:
    """Yields (:data:`siting.yields.contracts.YIELDS`) with investment and cost of energy as the case counts them."""
    capacity = candidates.set_index("candidate_id")["capacity_mw"].reindex(yields["candidate_id"]).to_numpy(float)
    technology = candidates.set_index("candidate_id")["technology"].reindex(yields["candidate_id"]).to_numpy(str)
    capex = np.full(len(yields), np.nan)
    for name in sorted(set(technology.tolist())):
        rows = technology == name
        capex[rows] = capex_cny(case.technology(name), capacity[rows])
    cost = levelised_cost(waterfall).reindex(yields["candidate_id"]).to_numpy(float)
    return yields.assign(capex_cny=capex, lcoe_cny_per_kwh=cost)


def by_technology(waterfall: pd.DataFrame, candidates: pd.DataFrame, energy_mwh: pd.Series) -> pd.DataFrame:
    """The waterfall of all plants of a technology together (:data:`siting.cost.contracts.COST_BY_TECHNOLOGY`).

    Yearly payments are summed and divided by the summed output; candidates without output are left out.
    """
    technology = candidates.set_index("candidate_id")["technology"]
    produced = energy_mwh.reindex(candidates["candidate_id"])
    producing = set(produced.index[produced > 0])
    rows = waterfall[waterfall["candidate_id"].isin(producing)]
    if rows.empty:
        return COST_BY_TECHNOLOGY.empty()
    names = rows["candidate_id"].map(technology)
    table = (
        rows.assign(technology=names.astype(object))
        .groupby(["technology", "cost_item"], sort=False)["yearly_cny"]
        .sum()
        .reset_index()
        .sort_values("technology", kind="stable", ignore_index=True)
    )
    kwh = produced[produced > 0].groupby(technology).sum() * 1000
    table["cny_per_kwh"] = table["yearly_cny"] / table["technology"].map(kwh).to_numpy(float)
    return COST_BY_TECHNOLOGY.validate(table.astype({"technology": object, "cost_item": object}))


def co2_table(candidates: pd.DataFrame, energy_mwh: pd.Series, factor: EmissionFactor) -> pd.DataFrame:
    """CO2 that the first year's output displaces, by technology (:data:`siting.cost.contracts.CO2_AVOIDED`)."""
    if candidates.empty:
        return CO2_AVOIDED.empty()
    energy = energy_mwh.reindex(candidates["candidate_id"]).to_numpy(float)
    sums = pd.DataFrame(
        {
            "technology": candidates["technology"].to_numpy(object),
            "capacity_mw": candidates["capacity_mw"].to_numpy(float),
            "energy_mwh": energy,
        }
    )
    table = sums.groupby("technology", sort=True).sum().reset_index().astype({"technology": object})
    table["co2_t"] = avoided_co2_t(table["energy_mwh"].to_numpy(float), factor)
    table["co2_kg_per_kwh"], table["factor_region"] = factor.co2_kg_per_kwh, factor.region
    table["factor_year"], table["source"] = float(factor.year), f"{factor.source} ({factor.confidence})"
    table = table.astype({"factor_region": object, "source": object})
    return CO2_AVOIDED.validate(table[list(CO2_AVOIDED.columns)])


def hours_alarms(candidates: pd.DataFrame, energy_mwh: pd.Series, technologies: Sequence[Technology]) -> list[str]:
    """One alarm for each technology whose total energy implies hours that no plant of its kind reaches."""
    known = {technology.technology: technology for technology in technologies}
    energy = energy_mwh.reindex(candidates["candidate_id"]).to_numpy(float)
    alarms = []
    for name in sorted(set(candidates["technology"])):
        rows = (candidates["technology"] == name).to_numpy()
        capacity = float(candidates["capacity_mw"].to_numpy(float)[rows].sum())
        alarm = implied_hours(known[name], float(energy[rows].sum()), capacity).alarm
        alarms += [alarm] if alarm else []
    return alarms
