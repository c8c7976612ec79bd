r"""Capacity against curtailed energy: what a bus takes if the plant gives way in the hours in which it must.

With p(h) the limit of the hour and g(h) the plant's output per MW, a plant of C MW has

    available(C) = C sum g(h),   curtailed(C) = sum over h of max(0, C g(h) - p(h))

The curtailed energy is piecewise linear and convex in C with breaks at p(h)/g(h): with the hours sorted by their
breaks, G_n and P_n the sums of g and p over the first n, a share x of curtailed energy is reached where

    C G_n - P_n = x C G   =>   C = P_n / (G_n - x G)

which is exact; nothing is searched. The firm capacity is the first break.

Storage charges what would be curtailed and gives it back as soon as there is room. No plan with foresight curtails
less: by induction over the hours, any other plan has at least as much energy in its storage or has curtailed at least
as much more, and an emptier storage never curtails more afterwards (charging and discharging at once, which would only
burn energy, is no plan). The curtailed share never falls with C: a plan for C, with all its powers scaled by C'/C < 1,
is a plan for C' with the same share. So there is one root per target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.flexible_kernels import capacity_at, simulate
from grid.capacity.year_records import LIMITS, HourlyLimits
from layers.tables import Table, column

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TARGETS = (0.0, 1.0, 5.0, 10.0)
"""Curtailed energy [%]; 5 and 10 are the utilisation floors of 95 and 90 %."""

CURVES = Table(
    "curtailment_curves",
    "Capacity of a plant at each bus by the share of its energy that is curtailed, without and with storage.",
    {
        "bus_id": column(int, "", "bus of the plant"),
        "storage": column(bool, "", "with the storage at the site"),
        "storage_mw": column(float, "MW", "power of the storage", ge=0),
        "storage_mwh": column(float, "MWh", "energy of the storage", ge=0),
        "curtailed_percent": column(float, "%", "curtailed energy by available energy", ge=0),
        "capacity_mw": column(float, "MW", "largest capacity at which no more is curtailed; NaN: no profile",
                              nullable=True),
        "utilisation_percent": column(float, "%", "delivered energy by available energy; storage losses count",
                                      nullable=True),
        "energy_mwh": column(float, "MWh", "delivered energy of the series", nullable=True),
        "curtailed_mwh": column(float, "MWh", "curtailed energy of the series", nullable=True),
        "binding_outage": column(str, "", "outage that curtails most (firm: that of the lowest hour); empty: none"),
        "binding_element": column(str, "", "element that curtails most"),
        "binding_limit": column(str, "", "kind of limit", isin=LIMITS),
    },
)  # fmt: skip

CURVE_POINTS = Table(
    "curtailment_points",
    "The whole curve, for a chart.",
    {
        "bus_id": column(int, "", "bus of the plant"),
        "storage": column(bool, "", "with the storage at the site"),
        "capacity_mw": column(float, "MW", "capacity", ge=0),
        "curtailed_percent": column(float, "%", "curtailed energy by available energy", ge=0),
    },
)


@dataclass(frozen=True)
class SiteStorage:
    """Storage beside the plant; it starts empty. Power is ``power_mw`` plus ``share`` of the plant's capacity."""

    power_mw: float = 0.0
    share: float = 0.0
    hours: float = 2.0
    round_trip_efficiency: float = 0.85
    """Energy given back by energy taken; charging and discharging lose alike."""

    def __post_init__(self) -> None:
        if not (self.power_mw >= 0 and self.share >= 0 and self.hours >= 0 and 0 < self.round_trip_efficiency <= 1):
            raise ValueError(f"storage needs sizes of 0 or more and an efficiency in (0, 1]: {self}")

    @property
    def one_way(self) -> float:
        return float(np.sqrt(self.round_trip_efficiency))

    def size_mw(self, capacity_mw: float) -> float:
        return self.power_mw + self.share * capacity_mw


@dataclass(frozen=True)
class _Plant:
    """One plant at one bus: its limits and profile, cleaned, and its storage (sizes 0 without)."""

    limit: Floats
    profile: Floats
    storage: SiteStorage

    def year(self, capacity: float) -> tuple[float, float, float]:
        """(available, curtailed, delivered) [MWh]."""
        power, way = self.storage.size_mw(capacity), self.storage.one_way
        energy = power * self.storage.hours
        available, curtailed, delivered, _ = simulate(self.limit, self.profile, capacity, power, energy, way, way)
        return float(available), float(curtailed), float(delivered)


def curtailment_curves(
    limits: HourlyLimits,
    profiles: Floats | Mapping[int, Floats],
    storage: SiteStorage | None = None,
    targets_percent: Sequence[float] = TARGETS,
) -> pd.DataFrame:
    """Capacity, utilisation and energy of a plant at every bus for shares of curtailed energy.

    Parameters
    ----------
    limits : HourlyLimits
    profiles : array, shape (hours,) or (buses, hours), or mapping of bus id to such an array
        Output per MW of capacity, 0 to 1, hours as in ``limits``; of any mix of technologies.
    storage : SiteStorage, optional
        Where given, every bus has its rows without and with it.
    targets_percent
        Shares of curtailed energy [%], 0 first for the firm capacity.

    Returns
    -------
    DataFrame
        Table :data:`CURVES`.

    Raises
    ------
    ValueError
        If a profile is missing, has another length or values outside 0 to 1, or a target is outside 0 to 100.
    """
    if not all(0 <= x < 100 for x in targets_percent):
        raise ValueError(f"curtailed energy is 0 to below 100 %: {tuple(targets_percent)}")
    rows = []
    for k, bus in enumerate(limits.bus_ids.tolist()):
        profile = _profile(limits, profiles, k)
        bare = _Plant(np.ascontiguousarray(limits.limit_mw[k]), profile, SiteStorage(hours=0.0))
        capacities = [capacity_without(bare.limit, profile, x / 100) for x in targets_percent]
        rows += [_row(limits, k, bus, bare, x, c, False) for x, c in zip(targets_percent, capacities, strict=True)]
        if storage is not None:
            with_it = _Plant(bare.limit, profile, storage)
            more = [_with_storage(with_it, x / 100, c) for x, c in zip(targets_percent, capacities, strict=True)]
            rows += [_row(limits, k, bus, with_it, x, c, True) for x, c in zip(targets_percent, more, strict=True)]
    table = pd.DataFrame(rows, columns=list(CURVES.columns)) if rows else CURVES.empty()
    return CURVES.validate(table)


def capacity_without(limit: Floats, profile: Floats, share: float) -> float:
    """Largest capacity [MW] at which the curtailed share is at most ``share``, without storage; NaN without output.

    Parameters
    ----------
    limit, profile : arrays, shape (hours,)
    share : float
        In [0, 1); 0 is the firm capacity.
    """
    use = profile > 0
    if not use.any():
        return float("nan")
    g, p = profile[use], limit[use]
    breaks = p / g
    if share <= 0:
        return float(breaks.min())
    order = np.argsort(breaks, kind="stable")
    total = float(g.sum())
    sum_g, sum_p = np.cumsum(g[order]), np.cumsum(p[order])
    sorted_breaks = breaks[order]
    # n hours are curtailed on the piece from break n to break n + 1: the first piece whose end passes the target
    ends = np.append(sorted_breaks[1:], np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        at_end = np.where(np.isfinite(ends) & (ends > 0), (sum_g - sum_p / ends) / total, sum_g / total)
    n = int(np.searchsorted(at_end > share, True))
    n = min(n, len(g) - 1)
    return max(float(sum_p[n] / (sum_g[n] - share * total)), float(sorted_breaks[n]))


def curve_points(
    limits: HourlyLimits, profiles: Floats | Mapping[int, Floats], storage: SiteStorage | None = None,
    points: int = 40, most_percent: float = 20.0,
) -> pd.DataFrame:  # fmt: skip
    """Table :data:`CURVE_POINTS`: capacities in equal steps up to ``most_percent`` of curtailed energy."""
    rows = []
    for k, bus in enumerate(limits.bus_ids.tolist()):
        profile = _profile(limits, profiles, k)
        limit = np.ascontiguousarray(limits.limit_mw[k])
        top = capacity_without(limit, profile, most_percent / 100)
        if not np.isfinite(top) or top <= 0:
            continue
        for with_it in (False, True) if storage is not None else (False,):
            plant = _Plant(limit, profile, storage if with_it and storage is not None else SiteStorage(hours=0.0))
            for c in np.linspace(top / points, top, points).tolist():
                available, curtailed, _ = plant.year(c)
                rows.append((bus, with_it, c, 100 * curtailed / available))
    table = pd.DataFrame(rows, columns=list(CURVE_POINTS.columns)) if rows else CURVE_POINTS.empty()
    return CURVE_POINTS.validate(table)


def _profile(limits: HourlyLimits, profiles: Floats | Mapping[int, Floats], k: int) -> Floats:
    bus = int(limits.bus_ids[k])
    if isinstance(profiles, Mapping):
        if bus not in profiles:
            raise ValueError(f"bus {bus}: no profile")
        given = np.asarray(profiles[bus], dtype=np.float64)
    else:
        given = np.asarray(profiles[k] if np.ndim(profiles) == 2 else profiles, dtype=np.float64)
    if given.shape != (limits.hours,):
        raise ValueError(f"bus {bus}: a profile of {given.shape} for {limits.hours} hours")
    if not (np.isfinite(given).all() and given.min() >= 0 and given.max() <= 1):
        raise ValueError(f"bus {bus}: a profile is 0 to 1 per MW of capacity in every hour")
    return np.ascontiguousarray(given)


def _with_storage(plant: _Plant, share: float, without: float) -> float:
    """Capacity with storage; the firm one allows as little curtailed energy as rounding."""
    if not np.isfinite(without):
        return without
    s, way = plant.storage, plant.storage.one_way
    if s.size_mw(1.0) * s.hours == 0:
        return without
    target = max(share, 1e-9)
    found = capacity_at(plant.limit, plant.profile, target, without, s.power_mw, s.share, s.hours, way, way)
    return max(without, float(found))


def _row(
    limits: HourlyLimits, k: int, bus: int, plant: _Plant, target: float, capacity: float, with_storage: bool
) -> tuple[object, ...]:
    power = plant.storage.size_mw(capacity) if np.isfinite(capacity) else 0.0
    size = (bus, with_storage, power, power * plant.storage.hours, float(target))
    if not np.isfinite(capacity):
        return (*size, np.nan, np.nan, np.nan, np.nan, "", "", "search_cap")
    available, curtailed, delivered = plant.year(capacity)
    used = 100 * delivered / available if available > 0 else np.nan
    names = limits.binding(_most_curtailing(limits, k, plant, capacity))
    return (*size, capacity, used, delivered, curtailed, *names)


def _most_curtailing(limits: HourlyLimits, k: int, plant: _Plant, capacity: float) -> int:
    """Code of what takes most energy at a capacity; at the firm capacity, of the hour that decides it."""
    lost = np.maximum(capacity * plant.profile - plant.limit, 0.0)
    if lost.sum() <= 1e-9 * max(capacity, 1.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            breaks = np.where(plant.profile > 0, plant.limit / plant.profile, np.inf)
        return int(limits.code[k, int(breaks.argmin())])
    codes, at = np.unique(limits.code[k], return_inverse=True)
    return int(codes[np.bincount(at, lost).argmax()])
