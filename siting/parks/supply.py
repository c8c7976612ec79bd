"""Wind and sun near a park, nearest first: how much of which site, its hours, its cost.

::

    PV     |  B 20 MW  | A 10 MW |      25 MW of PV: all of B, half of A
    wind   |    C 30 MW     |           15 MW of wind: half of C
           park ------> distance
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from siting.parks.contracts import PARK_SITES
from siting.yields.hourly_store import HourlyStore

Floats = npt.NDArray[np.float64]

LINES = ("line_kv", "line_km", "line_cost_cny")
"""Of each candidate's line to a park: voltage, length, yearly cost of all of it."""


@dataclass(frozen=True)
class Reach:
    """Which candidates serve a park: those named, or those within a radius, up to a capacity of each kind [MW AC].

    Within a radius only candidates of ``host_types`` serve, where there are some. A named candidate serves whatever
    its host type.
    """

    radius_km: float = 0.0
    candidates: tuple[str, ...] = ()
    pv_mw: float = np.inf
    wind_mw: float = np.inf
    host_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """Own wind and sun of a park: power by hour [MW], shape (hours,), capacities, yearly cost, candidates.

    ``annual_cost_cny`` is without lines. ``sites`` has the columns of PARK_SITES but the park's id.
    """

    green_mw: Floats
    pv_mw: float = 0.0
    wind_mw: float = 0.0
    annual_cost_cny: float = 0.0
    line_cost_cny: float = 0.0
    candidates: tuple[str, ...] = ()
    sites: pd.DataFrame = field(default_factory=lambda: PARK_SITES.empty().drop(columns="park_id"))


@dataclass(frozen=True)
class Level:
    """Some capacities of one kind: hours [MW], shape (capacities, hours), and yearly cost with lines, (capacities,)."""

    capacity_mw: Floats
    green_mw: Floats
    annual_cost_cny: Floats


@dataclass(frozen=True)
class Supply:
    """Candidates that may serve a park, nearest first.

    ``table`` has candidate_id, kind, distance_km, grid_capacity_mw, free_mw, energy_mwh, own_cny_per_mw (a year,
    without line) and :data:`LINES`. ``weights``, shape (candidates, variants), is what a megawatt of each follows of
    the store's variants; ``power``, shape (variants, hours).
    """

    table: pd.DataFrame
    weights: Floats
    power: Floats

    @property
    def is_wind(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.table["kind"] == "wind", dtype=bool)

    @property
    def free_mw(self) -> Floats:
        return self.table["free_mw"].to_numpy(float)

    @property
    def cost_cny_per_mw(self) -> Floats:
        """Yearly cost of a megawatt of each candidate with its part of the line."""
        return np.asarray(self.table["own_cny_per_mw"].to_numpy(float) + self._line_cny_per_mw())

    def most_mw(self, wind: bool) -> float:
        """All that is free of wind, or of PV."""
        return float(self.free_mw[self.is_wind == wind].sum())

    def taken(self, wind: bool, capacity_mw: Floats) -> Floats:
        """Megawatts of every candidate for each capacity of one kind, shape (capacities, candidates)."""
        free = np.where(self.is_wind == wind, self.free_mw, 0.0)
        before = np.cumsum(free) - free
        return np.asarray(np.clip(np.asarray(capacity_mw, float)[:, None] - before, 0.0, free))

    def level(self, wind: bool, capacity_mw: Floats) -> Level:
        """Hours and cost of capacities of one kind; what goes beyond all that is free is not there."""
        taken = self.taken(wind, capacity_mw)
        return Level(taken.sum(axis=1), (taken @ self.weights) @ self.power, taken @ self.cost_cny_per_mw)

    def sources(self, pv_mw: float, wind_mw: float) -> Sources:
        """The nearest of both kinds up to a capacity, the last in part."""
        taken = self.taken(False, np.array([pv_mw]))[0] + self.taken(True, np.array([wind_mw]))[0]
        used = taken > 0
        wind = float(taken[self.is_wind].sum())
        return Sources(
            green_mw=(taken @ self.weights) @ self.power,
            pv_mw=float(taken.sum()) - wind,
            wind_mw=wind,
            annual_cost_cny=float(taken @ self.table["own_cny_per_mw"].to_numpy(float)),
            line_cost_cny=float(taken @ self._line_cny_per_mw()),
            candidates=tuple(map(str, self.table["candidate_id"][used])),
            sites=self._sites(taken)[used].reset_index(drop=True),
        )

    def _line_cny_per_mw(self) -> Floats:
        """A line is shared by megawatts: the park pays for its part, what is left of the site for the rest."""
        whole = self.table["grid_capacity_mw"].to_numpy(float)
        return np.asarray(self.table["line_cost_cny"].fillna(0.0).to_numpy(float) / whole)

    def _sites(self, taken: Floats) -> pd.DataFrame:
        table, whole = self.table, self.table["grid_capacity_mw"].to_numpy(float)
        energy = table["energy_mwh"].to_numpy(float)
        own = table["own_cny_per_mw"].to_numpy(float) * whole
        return table[["candidate_id", "kind", "distance_km", "grid_capacity_mw"]].assign(
            park_mw=taken,
            left_mw=np.maximum(table["free_mw"].to_numpy(float) - taken, 0.0),
            energy_mwh=energy * taken / whole,
            own_cost_cny_per_mwh=np.divide(own, energy, out=np.zeros(len(table)), where=energy > 0),
            line_kv=table["line_kv"],
            line_km=table["line_km"],
            line_cost_cny=taken * self._line_cny_per_mw(),
        )


def supply_of(
    near: pd.DataFrame,
    yields: pd.DataFrame,
    store: HourlyStore,
    *,
    lines: pd.DataFrame | None = None,
    used_mw: pd.Series | None = None,
) -> Supply:
    """Wind and sun that may serve a park.

    Parameters
    ----------
    near : DataFrame
        Candidates of :func:`in_reach`.
    yields : DataFrame
        :data:`siting.yields.contracts.YIELDS`.
    store : HourlyStore
    lines : DataFrame, optional
        Columns candidate_id and :data:`LINES`; a candidate without row or cost has no line counted.
    used_mw : Series, optional
        What other parks have of each candidate, by id: only the rest is free.

    Notes
    -----
    A year's cost is the levelised cost times the year's energy. A candidate without yield gives nothing, and is left
    out.
    """
    table = near.merge(yields[["candidate_id", "energy_mwh", "lcoe_cny_per_kwh"]], on="candidate_id", how="left")
    table = table[table["energy_mwh"].notna() & table["lcoe_cny_per_kwh"].notna()].reset_index(drop=True)
    whole = table["grid_capacity_mw"].to_numpy(float)
    used = 0.0 if used_mw is None else table["candidate_id"].map(used_mw).fillna(0.0).to_numpy(float)
    table["free_mw"] = np.maximum(whole - used, 0.0)
    table["own_cny_per_mw"] = table["lcoe_cny_per_kwh"] * table["energy_mwh"] * 1000 / whole
    known = None if lines is None else lines.set_index("candidate_id")
    for name in LINES:
        table[name] = np.nan if known is None else table["candidate_id"].map(known[name]).astype(float)
    weights = np.zeros((len(table), len(store.variants)))
    sites = store.sites.set_index("candidate_id").loc[table["candidate_id"]]
    weights[np.arange(len(table)), store.rows(sites["variant_id"].tolist())] = sites["capacity_mw"].to_numpy() / whole
    return Supply(table, weights, np.asarray(store.power, dtype=np.float64))


def sources_near(
    lon: float, lat: float, reach: Reach, candidates: pd.DataFrame, yields: pd.DataFrame, store: HourlyStore
) -> Sources:
    """Wind and sun that serve a park: the nearest candidates first, the last of each kind in part; no lines counted.

    See :func:`in_reach` and :func:`supply_of` for parameters and errors.
    """
    near = in_reach(lon, lat, reach, candidates)
    return supply_of(near, yields, store).sources(reach.pv_mw, reach.wind_mw)


def in_reach(lon: float, lat: float, reach: Reach, candidates: pd.DataFrame) -> pd.DataFrame:
    """Candidates that may serve a park, nearest first, with their distance; the capacities of ``reach`` play no part.

    Parameters
    ----------
    lon, lat : float
        The park, WGS-84 degrees.
    reach : Reach
    candidates : DataFrame
        :data:`siting.contracts.CANDIDATES`; the geometry is not used.

    Returns
    -------
    DataFrame
        candidate_id, kind, grid_capacity_mw, lon, lat, distance_km.

    Raises
    ------
    KeyError
        If a named candidate is not there.
    """
    from pyproj import Geod

    missing = [name for name in reach.candidates if name not in set(candidates["candidate_id"])]
    if missing:
        raise KeyError(f"no candidate {', '.join(missing)}")
    count = len(candidates)
    to = candidates["lon"].to_numpy(float), candidates["lat"].to_numpy(float)
    distance_km = np.asarray(Geod(ellps="WGS84").inv(np.full(count, lon), np.full(count, lat), *to)[2]) / 1000
    if reach.candidates:
        near = candidates["candidate_id"].isin(reach.candidates).to_numpy()
    else:
        near = distance_km <= reach.radius_km
        if reach.host_types:
            near &= candidates["host_type"].isin(reach.host_types).to_numpy()
    table = candidates[["candidate_id", "kind", "grid_capacity_mw", "lon", "lat"]].assign(distance_km=distance_km)
    return pd.DataFrame(table[near]).sort_values(["distance_km", "candidate_id"])
