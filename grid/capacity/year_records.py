"""Settings and results of the year's limits, and the tables made of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.settings import CapacitySettings
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

CAP, NO_STATE, DIVERGED = -1, -2, -10
"""Codes of what is no row: nothing binds below the largest injection tried; the hour itself has no solution;
``DIVERGED - k``: outage number k has none."""
LIMITS = (
    "line_loading",
    "transformer_loading",
    "voltage_high",
    "voltage_low",
    "reverse_flow",
    "search_cap",
    "diverged",
)
REASONS = ("firm", "branch", "voltage", "sample")

BINDING_HOURS = Table(
    "binding_hours",
    "In how many hours of a month and an hour of the day each outage and element is the limit of a bus.",
    {
        "bus_id": column(int, "", "bus of the plant"),
        "month": column(int, "", "1 to 12", ge=1, le=12),
        "hour_of_day": column(int, "", "0 is the hour that begins at midnight", ge=0, le=23),
        "outage": column(str, "", "branch that is lost; empty: none"),
        "element": column(str, "", "branch or bus at its limit; empty: nothing binds, or nothing is solved"),
        "limit": column(str, "", "kind of limit", isin=LIMITS),
        "hours": column(int, "h", "hours", ge=1),
    },
)

HEAT_MAP = Table(
    "hosting_heat_map",
    "Month by hour of the day, ready for a chart: the limit of a bus, and what binds most often.",
    {
        "bus_id": column(int, "", "bus of the plant"),
        "month": column(int, "", "1 to 12", ge=1, le=12),
        "hour_of_day": column(int, "", "0 is the hour that begins at midnight", ge=0, le=23),
        "limit_min_mw": column(float, "MW", "lowest limit of these hours", ge=0),
        "limit_mean_mw": column(float, "MW", "mean limit of these hours", ge=0),
        "outage": column(str, "", "outage that binds most often; empty: none"),
        "element": column(str, "", "element that binds most often"),
        "limit": column(str, "", "kind of limit", isin=LIMITS),
        "hours": column(int, "h", "hours in which it binds", ge=1),
        "of_hours": column(int, "h", "hours in this field", ge=1),
    },
)

CHECKS = Table(
    "hosting_year_checks",
    "Hours solved by AC with the plant at its limit, in the binding outage.",
    {
        "bus_id": column(int, "", "bus of the plant"),
        "hour": column(str, "", "label of the hour"),
        "reason": column(str, "", "firm (lowest hour of the bus), branch, voltage (extreme of an element), sample",
                         isin=REASONS),
        "outage": column(str, "", "branch that is lost; empty: none"),
        "element": column(str, "", "branch or bus at its limit"),
        "limit": column(str, "", "kind of limit", isin=LIMITS),
        "limit_mw": column(float, "MW", "limit by the linear factors", ge=0),
        "ac_limit_mw": column(float, "MW", "where the same limit is reached by AC; NaN: by no state that was found",
                              nullable=True),
        "residual_mw": column(float, "MW", "linear minus AC; positive: the linear limit is too high", nullable=True),
        "residual_percent": column(float, "%", "loading by AC at the linear limit, minus its bound; NaN for voltages",
                                   nullable=True),
        "residual_pu": column(float, "pu", "voltage by AC at the linear limit, beyond its bound; NaN for branches",
                              nullable=True),
        "intact_percent": column(float, "%", "highest loading before the outage, of its bound, by AC at the AC limit",
                                 nullable=True),
        "corrected": column(bool, "", "the AC answer stands in the limits now"),
    },
)  # fmt: skip


@dataclass(frozen=True)
class YearSettings:
    """How the year is studied; limits are those of ``limits``."""

    limits: CapacitySettings = field(default_factory=CapacitySettings)
    n_1: bool = True
    anchors: int = 8
    """Hours whose factors stand for the hours like them."""
    extreme_anchors: int = 8
    """Further ones, at the hours that are the lowest of most buses."""
    sample_hours: int = 64
    """Hours of each group that size the plants for the secants and say which pairs are refitted."""
    refits: int = 3
    """Rounds of refits to AC states after the outage with the plant in."""
    refit_share: float = 0.2
    """Change of a pair's typical limit from which it is fitted anew."""
    block_hours: int = 256
    first_mw: float = 10.0
    """Plant of the first factors."""
    least_mw: float = 5.0
    quantile: float = 0.25
    """Of the sampled limits: size of the plant for the secants."""
    memory_mib: float = 1024.0
    """Room for the factors of an anchor; more outages go part by part."""
    check: bool = True
    sample_checks: int = 200
    """Further hours and buses, drawn at random, that are checked by AC."""
    tolerance_mw: float = 1.0
    tolerance_percent: float = 0.5
    """A checked limit off by more than both is replaced by the AC answer."""
    rounds: int = 5
    """Rounds of firm hours: a corrected firm hour may give the place to another, which is then checked."""
    seed: int = 1


@dataclass(frozen=True)
class Work:
    """What the search looked at."""

    triples: int
    """(hour, outage, row, bus) combinations that the limits stand for."""
    pairs: int
    """(outage, row, block of hours)."""
    followed_pairs: int
    """Of these, not skipped by intervals."""
    followed: int
    """(outage, row, block, bus) followed hour by hour."""
    ac_states: int
    memory_bound_mib: float


@dataclass(frozen=True)
class Residuals:
    """Linear limit minus AC limit over the checks of one reason [MW]."""

    reason: str
    count: int
    largest_mw: float
    mean_mw: float
    bias_mw: float
    largest_percent: float
    """Of loading, thermal limits alone."""
    largest_pu: float
    """Of voltage, voltage limits alone."""
    unsolved: int


@dataclass(frozen=True)
class HourlyLimits:
    """Largest injection of each bus in each hour, and what binds.

    ``limit_mw``: (buses, hours); ``code``: what binds, decoded by :meth:`binding`. A limit is the *first* exit on the
    way up from zero for one bus at a time; hours are labelled at their start.
    """

    bus_ids: Ints
    labels: tuple[str, ...]
    month: Ints
    hour_of_day: Ints
    limit_mw: Floats
    code: Codes
    cap_mw: Floats
    """Largest injection tried at each bus."""
    outage_names: tuple[str, ...]
    """Outage number 0 is none."""
    row_names: tuple[tuple[str, str], ...]
    """(kind of limit, element) of each row."""
    not_studied: tuple[str, ...]
    """Outages that have no linear factors (three-winding units as a whole)."""
    diverged: tuple[str, ...]
    """Outages without a solution at some anchor: they bind at 0 there, unless the base case's faults are tolerated."""
    checks: pd.DataFrame
    """Table :data:`CHECKS`."""
    residuals: tuple[Residuals, ...]
    work: Work

    @property
    def hours(self) -> int:
        return len(self.labels)

    def binding(self, code: int) -> tuple[str, str, str]:
        """(outage, element, kind of limit) of a code."""
        if code == CAP:
            return "", "", "search_cap"
        if code == NO_STATE:
            return "", "", "diverged"
        if code <= DIVERGED:
            return self.outage_names[DIVERGED - code], "", "diverged"
        outage, row = divmod(int(code), len(self.row_names))
        kind, element = self.row_names[row]
        return self.outage_names[outage], element, kind

    def firm_mw(self) -> Floats:
        """Lowest limit of the year at each bus: what always fits, whatever it is."""
        return np.asarray(self.limit_mw.min(axis=1), dtype=np.float64)


def binding_hours(limits: HourlyLimits, bus_ids: Ints | None = None) -> pd.DataFrame:
    """Table :data:`BINDING_HOURS`, in the order bus, month, hour of day, most hours first."""
    frame = _long(limits, bus_ids)
    keys = ["bus_id", "month", "hour_of_day", "code"]
    counted = frame.groupby(keys, sort=True).size().rename("hours").reset_index()
    counted = counted.sort_values(["bus_id", "month", "hour_of_day", "hours", "code"],
                                  ascending=[True, True, True, False, True], kind="stable")  # fmt: skip
    table = _decoded(counted, limits)[list(BINDING_HOURS.columns)].reset_index(drop=True)
    return BINDING_HOURS.validate(table)


def heat_map(limits: HourlyLimits, bus_ids: Ints | None = None) -> pd.DataFrame:
    """Table :data:`HEAT_MAP`: 288 rows a bus where the series is a whole year."""
    frame = _long(limits, bus_ids)
    keys = ["bus_id", "month", "hour_of_day"]
    field = frame.groupby(keys, sort=True)["limit"].agg(limit_min_mw="min", limit_mean_mw="mean", of_hours="size")
    counted = frame.groupby([*keys, "code"], sort=True).size().rename("hours").reset_index()
    counted = counted.sort_values([*keys, "hours", "code"], ascending=[True, True, True, False, True], kind="stable")
    table = counted.drop_duplicates(keys).merge(field.reset_index(), on=keys)
    return HEAT_MAP.validate(_decoded(table, limits)[list(HEAT_MAP.columns)].reset_index(drop=True))


def binding_elements(limits: HourlyLimits, bus_ids: Ints | None = None) -> pd.DataFrame:
    """Hours of the year by what binds: columns bus_id, outage, element, limit, hours, the most hours first."""
    counted = _long(limits, bus_ids).groupby(["bus_id", "code"], sort=True).size().rename("hours").reset_index()
    counted = counted.sort_values(["bus_id", "hours", "code"], ascending=[True, False, True], kind="stable")
    return _decoded(counted, limits)[["bus_id", "outage", "element", "limit", "hours"]].reset_index(drop=True)


def _long(limits: HourlyLimits, bus_ids: Ints | None) -> pd.DataFrame:
    """One row a bus and hour."""
    rows = np.arange(len(limits.bus_ids))
    if bus_ids is not None:
        unknown = np.setdiff1d(bus_ids, limits.bus_ids)
        if len(unknown):
            raise KeyError(f"no limits of bus {', '.join(map(str, unknown))}")
        rows = np.flatnonzero(np.isin(limits.bus_ids, bus_ids))
    return pd.DataFrame({
        "bus_id": np.repeat(limits.bus_ids[rows], limits.hours),
        "month": np.tile(limits.month, len(rows)), "hour_of_day": np.tile(limits.hour_of_day, len(rows)),
        "code": limits.code[rows].ravel(), "limit": limits.limit_mw[rows].ravel(),
    })  # fmt: skip


def _decoded(frame: pd.DataFrame, limits: HourlyLimits) -> pd.DataFrame:
    codes = frame["code"].unique()
    names = pd.DataFrame([limits.binding(int(c)) for c in codes], columns=["outage", "element", "limit"], index=codes)
    kept = frame.drop(columns="limit", errors="ignore")
    return kept.assign(**{name: kept["code"].map(names[name]) for name in names.columns})
