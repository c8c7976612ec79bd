"""A park's hourly load against wind, sun and storage near it: how much own green power it uses, and at what cost.

::

    own green  --->+----> load                     every hour: green + discharge + import + unserved
                   |                                        = load + charge + export + curtailed
    storage  <---->+<---> grid point (limits of import and export)

The storage takes surplus and gives it back at the next deficit; it never trades with the grid. For the share of green
power no other plan of the same storage does better: nothing is gained by keeping energy back. Half of its losses
(as factors) arise on the way in, half on the way out, and it starts empty, so that no energy comes from nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME
from layers.tables import Table, column
from siting.yields.hourly_store import HourlyStore

Floats = npt.NDArray[np.float64]

PARK_HOURS = Table(
    "park_hours",
    "Every hour of a park; green + discharge + import + unserved = load + charge + export + curtailed.",
    {
        "hour_start": column(None, "", "start of the hour, UTC+08:00"),
        "load_mw": column(float, "MW", "consumption", ge=0),
        "green_mw": column(float, "MW", "own wind and sun", ge=0),
        "charge_mw": column(float, "MW", "into the storage", ge=0),
        "discharge_mw": column(float, "MW", "out of the storage", ge=0),
        "stored_mwh": column(float, "MWh", "content at the end of the hour", ge=0),
        "import_mw": column(float, "MW", "from the grid", ge=0),
        "export_mw": column(float, "MW", "to the grid", ge=0),
        "curtailed_mw": column(float, "MW", "own green power beyond the export limit", ge=0),
        "unserved_mw": column(float, "MW", "load beyond what the grid point gives", ge=0),
    },
)

PARKS = Table(
    "parks",
    "Matching of each park's hourly load with wind, sun and storage near it.",
    {
        "park_id": column(str, "", "park", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "lon": column(float, "degree", "WGS-84", ge=-180, le=180),
        "lat": column(float, "degree", "WGS-84", ge=-90, le=90),
        "load_origin": column(str, "", "file of the load, or the shape that it is generated from"),
        "peak_mw": column(float, "MW", "highest load", ge=0),
        "load_mwh": column(float, "MWh", "load of the year", ge=0),
        "pv_mw": column(float, "MW", "AC capacity of the PV matched", ge=0),
        "wind_mw": column(float, "MW", "capacity of the wind matched", ge=0),
        "candidates": column(str, "", "candidates matched, nearest first, separated by blanks; the last in part"),
        "storage_mw": column(float, "MW", "storage power", ge=0),
        "storage_mwh": column(float, "MWh", "storage content", ge=0),
        "green_mwh": column(float, "MWh", "own wind and sun of the year", ge=0),
        "green_share": column(
            float, "1", "load met by own wind and sun, directly or stored; NaN without load", nullable=True, ge=0, le=1
        ),
        "self_consumption_share": column(
            float, "1", "own wind and sun used in the park, storage losses included; NaN without any",
            nullable=True, ge=0, le=1,
        ),
        "charge_mwh": column(float, "MWh", "into the storage", ge=0),
        "discharge_mwh": column(float, "MWh", "out of the storage", ge=0),
        "import_mwh": column(float, "MWh", "from the grid", ge=0),
        "export_mwh": column(float, "MWh", "to the grid", ge=0),
        "curtailed_mwh": column(float, "MWh", "own green power beyond the export limit", ge=0),
        "unserved_mwh": column(float, "MWh", "load beyond the import limit", ge=0),
        "import_peak_mw": column(float, "MW", "highest import", ge=0),
        "export_peak_mw": column(float, "MW", "highest export", ge=0),
        "import_limit_mw": column(float, "MW", "limit of the grid point; NaN: none", nullable=True, ge=0),
        "export_limit_mw": column(float, "MW", "limit of the grid point; NaN: none", nullable=True, ge=0),
        "cost_cny_per_mwh": column(
            float, "CNY/MWh", "own power, storage, import less export, by load served; NaN without", nullable=True
        ),
        "grid_price_cny_per_mwh": column(float, "CNY/MWh", "all that a MWh from the grid costs", ge=0),
        "saving_cny_per_mwh": column(
            float, "CNY/MWh", "grid price less the park's cost; negative: dearer than the grid", nullable=True
        ),
        "price_source": column(str, "", "where the prices are from"),
        "price_confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """Power, content, efficiency over the whole circle (above 0, at most 1), and what it costs a year."""

    power_mw: float = 0.0
    energy_mwh: float = 0.0
    efficiency: float = 0.85
    annual_cost_cny: float = 0.0


@dataclass(frozen=True)
class GridPoint:
    """Limits of the exchange, and prices: what a MWh costs from the grid and brings when exported."""

    import_limit_mw: float = np.inf
    export_limit_mw: float = np.inf
    price_cny_per_mwh: float = 0.0
    export_price_cny_per_mwh: float = 0.0
    source: str = ""
    confidence: str = "C"


@dataclass(frozen=True)
class Sources:
    """Own wind and sun of a park: power by hour [MW], shape (hours,), capacities, yearly cost, candidates."""

    green_mw: Floats
    pv_mw: float = 0.0
    wind_mw: float = 0.0
    annual_cost_cny: float = 0.0
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Park:
    """A park with its hourly load [MW], shape (hours,)."""

    park_id: str
    name_zh: str
    name_en: str
    lon: float
    lat: float
    load_mw: Floats
    load_origin: str


@dataclass(frozen=True)
class Reach:
    """Which candidates serve a park: those named, or those within a radius, up to a capacity of each kind [MW AC]."""

    radius_km: float = 0.0
    candidates: tuple[str, ...] = ()
    pv_mw: float = np.inf
    wind_mw: float = np.inf


@dataclass(frozen=True)
class Match:
    """``hours`` follows :data:`PARK_HOURS`, ``summary`` is one row of :data:`PARKS`."""

    hours: pd.DataFrame
    summary: pd.DataFrame


def sources_near(
    lon: float, lat: float, reach: Reach, candidates: pd.DataFrame, yields: pd.DataFrame, store: HourlyStore
) -> Sources:
    """Wind and sun that serve a park: the nearest candidates first, the last of each kind in part.

    Parameters
    ----------
    lon, lat : float
        The park, WGS-84 degrees.
    reach : Reach
        Named candidates are taken in order of distance as well.
    candidates, yields : DataFrame
        :data:`siting.contracts.CANDIDATES` (the geometry is not used) and :data:`siting.yields.contracts.YIELDS`.
    store : HourlyStore

    Raises
    ------
    KeyError
        If a named candidate is not there.

    Notes
    -----
    A year's cost is the levelised cost times the year's energy, without connection: the park's own lines are not known
    here. A candidate without yield costs nothing and gives nothing.
    """
    table = _in_reach(lon, lat, reach, candidates)
    is_wind = (table["kind"] == "wind").to_numpy()
    capacity = table["grid_capacity_mw"].to_numpy(float)
    taken = np.zeros(len(table))
    for rows, limit in ((is_wind, reach.wind_mw), (~is_wind, reach.pv_mw)):
        before = np.cumsum(capacity[rows]) - capacity[rows]
        taken[rows] = np.clip(limit - before, 0.0, capacity[rows])
    part = taken / capacity
    used = part > 0
    chosen = table[used]
    by_id = yields.set_index("candidate_id")
    ids = chosen["candidate_id"]
    cost = (ids.map(by_id["lcoe_cny_per_kwh"]) * ids.map(by_id["energy_mwh"]) * 1000).fillna(0.0).to_numpy(float)
    green = np.zeros(len(store.index))
    for name, share in zip(ids, part[used], strict=True):
        green += share * store.site_series(str(name))
    wind = float(taken[is_wind].sum())
    return Sources(green, float(taken.sum()) - wind, wind, float(cost @ part[used]), tuple(map(str, ids)))


def _in_reach(lon: float, lat: float, reach: Reach, candidates: pd.DataFrame) -> pd.DataFrame:
    from pyproj import Geod

    missing = [name for name in reach.candidates if name not in set(candidates["candidate_id"])]
    if missing:
        raise KeyError(f"no candidate {', '.join(missing)}")
    count = len(candidates)
    to = candidates["lon"].to_numpy(float), candidates["lat"].to_numpy(float)
    distance_km = np.asarray(Geod(ellps="WGS84").inv(np.full(count, lon), np.full(count, lat), *to)[2]) / 1000
    near = candidates["candidate_id"].isin(reach.candidates) if reach.candidates else distance_km <= reach.radius_km
    table = candidates[["candidate_id", "kind", "grid_capacity_mw"]].assign(distance_km=distance_km)
    return pd.DataFrame(table[near]).sort_values(["distance_km", "candidate_id"])


def match_park(park: Park, sources: Sources, storage: Storage, grid: GridPoint, index: pd.DatetimeIndex) -> Match:
    """One year of a park; ``index`` holds the starts of its hours.

    Raises
    ------
    ValueError
        If load, green power and hours differ in length, or a figure is negative or not known.
    """
    from siting.parks.kernels import run_storage

    load, green = np.asarray(park.load_mw, float), np.asarray(sources.green_mw, float)
    _refuse(park, load, green, storage, grid, len(index))
    one_way = float(np.sqrt(storage.efficiency))
    charge, discharge, stored = run_storage(green - load, float(storage.power_mw), float(storage.energy_mwh), one_way)
    rest = green + discharge - load - charge
    wanted, offered = np.maximum(-rest, 0.0), np.maximum(rest, 0.0)
    bought, sold = np.minimum(wanted, grid.import_limit_mw), np.minimum(offered, grid.export_limit_mw)
    hours = pd.DataFrame(
        {
            "hour_start": index,
            "load_mw": load,
            "green_mw": green,
            "charge_mw": charge,
            "discharge_mw": discharge,
            "stored_mwh": stored,
            "import_mw": bought,
            "export_mw": sold,
            "curtailed_mw": offered - sold,
            "unserved_mw": wanted - bought,
        }
    )
    return Match(PARK_HOURS.validate(hours), PARKS.validate(_summary(park, sources, storage, grid, hours)))


def _refuse(park: Park, load: Floats, green: Floats, storage: Storage, grid: GridPoint, count: int) -> None:
    if not len(load) == len(green) == count:
        raise ValueError(
            f"park {park.park_id!r}: {len(load)} hours of load, {len(green)} of generation, {count} labels"
        )
    if not (np.isfinite(load).all() and np.isfinite(green).all() and (load >= 0).all() and (green >= 0).all()):
        raise ValueError(f"park {park.park_id!r}: load and generation must be known and not negative in every hour")
    limits = (storage.power_mw, storage.energy_mwh, grid.import_limit_mw, grid.export_limit_mw)
    if not (all(limit >= 0 for limit in limits) and 0 < storage.efficiency <= 1):
        raise ValueError(
            f"park {park.park_id!r}: limits may not be negative, the efficiency lies above 0, at most at 1"
        )


def _summary(park: Park, sources: Sources, storage: Storage, grid: GridPoint, hours: pd.DataFrame) -> pd.DataFrame:
    total = {name.removesuffix("_mw"): float(hours[name].sum()) for name in hours.columns if name.endswith("_mw")}
    served = total["load"] - total["unserved"]
    cost = (
        sources.annual_cost_cny
        + storage.annual_cost_cny
        + total["import"] * grid.price_cny_per_mwh
        - total["export"] * grid.export_price_cny_per_mwh
    )
    per_mwh = cost / served if served > 0 else np.nan
    row = {
        "park_id": park.park_id,
        "name_zh": park.name_zh,
        "name_en": park.name_en,
        "lon": float(park.lon),
        "lat": float(park.lat),
        "load_origin": park.load_origin,
        "peak_mw": float(hours["load_mw"].max()),
        "load_mwh": total["load"],
        "pv_mw": float(sources.pv_mw),
        "wind_mw": float(sources.wind_mw),
        "candidates": " ".join(sources.candidates),
        "storage_mw": float(storage.power_mw),
        "storage_mwh": float(storage.energy_mwh),
        "green_mwh": total["green"],
        "green_share": _share(served - total["import"], total["load"]),
        "self_consumption_share": _share(total["green"] - total["export"] - total["curtailed"], total["green"]),
        **{f"{name}_mwh": total[name] for name in ("charge", "discharge", "import", "export", "curtailed", "unserved")},
        "import_peak_mw": float(hours["import_mw"].max()),
        "export_peak_mw": float(hours["export_mw"].max()),
        "import_limit_mw": _limit(grid.import_limit_mw),
        "export_limit_mw": _limit(grid.export_limit_mw),
        "cost_cny_per_mwh": per_mwh,
        "grid_price_cny_per_mwh": float(grid.price_cny_per_mwh),
        "saving_cny_per_mwh": grid.price_cny_per_mwh - per_mwh,
        "price_source": grid.source,
        "price_confidence": grid.confidence,
    }
    return pd.DataFrame([row], columns=list(PARKS.columns))


def _share(part: float, whole: float) -> float:
    """Share without the rounding of long sums; NaN of nothing."""
    return float(np.clip(part / whole, 0.0, 1.0)) if whole > 0 else np.nan


def _limit(limit_mw: float) -> float:
    return float(limit_mw) if np.isfinite(limit_mw) else np.nan


def write_park_hours(hours: pd.DataFrame, path: Path) -> None:
    """Write the hours of a park (:data:`PARK_HOURS`) as Parquet; the same hours give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    time = pa.array(pd.DatetimeIndex(hours["hour_start"]).tz_convert(CHINA_STANDARD_TIME).as_unit("ms"))
    names = [name for name in PARK_HOURS.columns if name != "hour_start"]
    table = pa.table([time, *(pa.array(hours[name].to_numpy(float)) for name in names)], names=["hour_start", *names])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
