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
from siting.parks.contracts import OPEN, PARK_HOURS, PARKS
from siting.parks.rules import ParkRule, judged, verdict_of
from siting.parks.supply import Sources

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Storage:
    """Power, content, efficiency over the whole circle (above 0, at most 1), and what it costs a year."""

    power_mw: float = 0.0
    energy_mwh: float = 0.0
    efficiency: float = 0.85
    annual_cost_cny: float = 0.0


@dataclass(frozen=True)
class GridPoint:
    """Limits of the exchange, and prices: what a MWh costs from the grid, brings when exported, costs in fees when own.

    ``co2_t_per_mwh`` is what the grid's power emits; NaN where it is not known.
    """

    import_limit_mw: float = np.inf
    export_limit_mw: float = np.inf
    price_cny_per_mwh: float = 0.0
    export_price_cny_per_mwh: float = 0.0
    source: str = ""
    confidence: str = "C"
    own_use_fee_cny_per_mwh: float = 0.0
    co2_t_per_mwh: float = np.nan
    co2_source: str = ""


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
    source: str = ""
    confidence: str = "C"


@dataclass(frozen=True)
class Match:
    """``hours`` follows :data:`PARK_HOURS`, ``summary`` is one row of :data:`PARKS`, ``rules`` follows
    :data:`PARK_RULES`."""

    hours: pd.DataFrame
    summary: pd.DataFrame
    rules: pd.DataFrame


def match_park(
    park: Park,
    sources: Sources,
    storage: Storage,
    grid: GridPoint,
    index: pd.DatetimeIndex,
    rules: tuple[ParkRule, ...] = (),
    *,
    method: str = "stated",
) -> Match:
    """One year of a park; ``index`` holds the starts of its hours, ``method`` how its sizes came to be.

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
    row = _summary(park, sources, storage, grid, hours) | {"storage_method": method}
    judgements = judged(pd.Series(row), rules)
    verdict, failed = verdict_of(judgements) if rules else (OPEN, "")
    summary = pd.DataFrame([row | {"rule_verdict": verdict, "rules_not_kept": failed}], columns=list(PARKS.columns))
    return Match(PARK_HOURS.validate(hours), PARKS.validate(summary), judgements)


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


def _summary(
    park: Park, sources: Sources, storage: Storage, grid: GridPoint, hours: pd.DataFrame
) -> dict[str, float | str]:
    """A row of PARKS but for the sizes' method and the verdict."""
    total = {name.removesuffix("_mw"): float(hours[name].sum()) for name in hours.columns if name.endswith("_mw")}
    served = total["load"] - total["unserved"]
    own_use = max(served - total["import"], 0.0)
    return {
        "park_id": park.park_id,
        "name_zh": park.name_zh,
        "name_en": park.name_en,
        "lon": float(park.lon),
        "lat": float(park.lat),
        "source": park.source,
        "place_confidence": park.confidence,
        "load_origin": park.load_origin,
        "peak_mw": float(hours["load_mw"].max()),
        "load_mwh": total["load"],
        "pv_mw": float(sources.pv_mw),
        "wind_mw": float(sources.wind_mw),
        "candidates": " ".join(sources.candidates),
        "storage_mw": float(storage.power_mw),
        "storage_mwh": float(storage.energy_mwh),
        "green_mwh": total["green"],
        "own_use_mwh": own_use,
        "green_share": _share(own_use, total["load"]),
        "self_consumption_share": _share(total["green"] - total["export"] - total["curtailed"], total["green"]),
        "self_use_share": _share(own_use, total["green"]),
        "export_share": _share(total["export"], total["green"]),
        **{f"{name}_mwh": total[name] for name in ("charge", "discharge", "import", "export", "curtailed", "unserved")},
        **_peak(hours, "import"),
        **_peak(hours, "export"),
        "import_limit_mw": _limit(grid.import_limit_mw),
        "export_limit_mw": _limit(grid.export_limit_mw),
        **_money(sources, storage, grid, own_use, total, served),
        "co2_t": total["import"] * grid.co2_t_per_mwh,
        "co2_avoided_t": own_use * grid.co2_t_per_mwh,
        "co2_source": grid.co2_source,
        "price_source": grid.source,
        "price_confidence": grid.confidence,
    }


def _peak(hours: pd.DataFrame, flow: str) -> dict[str, float | str]:
    """Highest power of a flow, and the first hour in which it comes."""
    power = hours[f"{flow}_mw"].to_numpy(float)
    at = int(power.argmax())
    start = pd.Timestamp(hours["hour_start"].iloc[at]).strftime("%Y-%m-%d %H:%M") if power[at] > 0 else ""
    return {f"{flow}_peak_mw": float(power[at]), f"{flow}_peak_hour": start}


def _money(
    sources: Sources, storage: Storage, grid: GridPoint, own_use: float, total: dict[str, float], served: float
) -> dict[str, float | str]:
    """What the year costs, part by part, beside the same load all from the grid."""
    parts = {
        "own_cost_cny": float(sources.annual_cost_cny),
        "line_cost_cny": float(sources.line_cost_cny),
        "storage_cost_cny": float(storage.annual_cost_cny),
        "fee_cost_cny": own_use * grid.own_use_fee_cny_per_mwh,
        "import_cost_cny": total["import"] * grid.price_cny_per_mwh,
    }
    income = total["export"] * grid.export_price_cny_per_mwh
    cost = sum(parts.values()) - income
    per_mwh = cost / served if served > 0 else np.nan
    return {
        **parts,
        "export_income_cny": income,
        "annual_cost_cny": cost,
        "grid_only_cost_cny": served * grid.price_cny_per_mwh,
        "cost_cny_per_mwh": per_mwh,
        "grid_price_cny_per_mwh": float(grid.price_cny_per_mwh),
        "saving_cny_per_mwh": grid.price_cny_per_mwh - per_mwh,
    }


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
