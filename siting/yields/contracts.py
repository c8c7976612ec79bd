"""What the yields of candidates are handed on in."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from layers.contracts import Finding
from layers.tables import Table, column

YIELDS = Table(
    "yields",
    "Yearly yield and cost of each candidate.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "variant_id": column(str, "", "column of the hourly profiles"),
        "weather_cell": column(str, "", "weather cell used"),
        "specific_yield_kwh_per_kw": column(float, "kWh/kW", "yearly AC energy per installed capacity_mw", ge=0),
        "energy_mwh": column(float, "MWh", "yearly AC energy", ge=0),
        "full_load_hours": column(float, "h", "yearly AC energy per grid_capacity_mw", ge=0, le=8784),
        "capex_cny": column(float, "CNY", "investment without grid connection", ge=0),
        "lcoe_cny_per_kwh": column(
            float, "CNY/kWh", "levelised cost without grid connection; NaN at zero yield", nullable=True, gt=0
        ),
    },
)


LOSSES = Table(
    "yield_losses",
    "Itemised losses of each variant, in the order they apply; shares of what is left before the item.",
    {
        "variant_id": column(str, "", "column of the hourly profiles"),
        "item": column(str, "", "reference yield, or the name of a loss"),
        "kwh_per_kw": column(float, "kWh/kW", "energy left after the item"),
        "loss_share": column(float, "1", "share lost in this item; negative is a gain"),
    },
)


YIELD_DETAILS = Table(
    "yield_details",
    "What stands behind each candidate's yearly yield.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "p50_mwh": column(float, "MWh", "yearly AC energy of the first year, exceeded in half of all years", ge=0),
        "p75_mwh": column(float, "MWh", "exceeded with a probability of 75 %", ge=0),
        "p90_mwh": column(float, "MWh", "exceeded with a probability of 90 %", ge=0),
        "sigma_share": column(float, "1", "standard deviation of a single year by the median", ge=0),
        "life_mean_mwh": column(float, "MWh", "mean of all years of operation, with degradation", ge=0),
        "site_factor": column(float, "1", "energy left by what only this site has (shade, co-use)", gt=0),
        "wake_loss_share": column(float, "1", "wake loss in the chain; NaN for PV", nullable=True, ge=0, le=1),
        "hub_mean_m_per_s": column(float, "m/s", "mean wind at hub height; NaN for PV", nullable=True, ge=0),
        "ground_light_share": column(
            float, "1", "light on the ground between rows by open land; NaN without rows", nullable=True, ge=0, le=1
        ),
        "alarm": column(str, "", "rule id of the alarm that the yearly hours raise; empty: plausible"),
    },
)


def _no_details() -> pd.DataFrame:
    return YIELD_DETAILS.empty()


@dataclass(frozen=True)
class YieldResult:
    """``profiles``: hours x variants, float64, AC power per grid_capacity_mw (0..1), index as the weather's.
    ``yields`` follows :data:`YIELDS`, ``losses`` follows :data:`LOSSES`, ``details`` :data:`YIELD_DETAILS`.
    ``alarms`` names implausible hours; ``findings`` says the same with rule, item, value and remedy. ``assumptions``
    tells what was taken where the inputs do not say (a uniform wind rose, a table of wakes)."""

    profiles: pd.DataFrame
    yields: pd.DataFrame
    losses: pd.DataFrame
    alarms: tuple[str, ...] = ()
    details: pd.DataFrame = field(default_factory=_no_details)
    findings: tuple[Finding, ...] = ()
    assumptions: tuple[str, ...] = ()
