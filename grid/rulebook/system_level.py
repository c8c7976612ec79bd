r"""System level of DL/T 2041-2025: how much distributed generation a whole area takes at its utilisation target.

A chronological simulation of one year on one bus. In each hour

.. code-block:: text

    room    = max(load + export - must-run, 0)
    surplus = renewables + x * shape - room
    surplus > 0: storage charges, the rest is curtailed
    surplus < 0: storage discharges, other plants cover the rest

Must-run output above load and export is no renewable energy: it is told apart and neither stored nor counted as
curtailed.

Charging all that would be lost and discharging as soon as there is room gives the least curtailment that any plan of
the storage can reach. The curtailed energy C(x) is therefore the value of a linear program with x on its right-hand
side, hence convex; the available energy A(x) is linear. So ``C(x) <= (1 - target) A(x)`` holds on one interval, and
its upper end, the system level, is found by bisection without missing anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from grid.rulebook.book import RULE_2025, Confidence, formula, weakest
from grid.rulebook.counties import CountySettings, FactorWeight
from grid.rulebook.formulas import FilledFormula, filled
from grid.rulebook.inputs import fault
from layers.contracts import FindingLog

Floats = npt.NDArray[np.float64]
RESOLUTION_MW = 0.01
DOUBLINGS = 40


@dataclass(frozen=True)
class SystemYear:
    """Hours of one year of the whole area; all arrays of one shape (n,), hours in order, none NaN.

    ``must_run_mw`` is what other plants and imports cannot go below, ``export_mw`` what the lines to outside can take
    away, ``renewable_mw`` the available output of wind, PV and hydro that are not distributed, ``dg_shape`` the
    available output of distributed generation per installed MW.
    """

    load_mw: Floats
    must_run_mw: Floats
    export_mw: Floats
    renewable_mw: Floats
    dg_shape: Floats


@dataclass(frozen=True)
class Storage:
    """Storage of the area; it starts empty."""

    power_mw: float = 0.0
    energy_mwh: float = 0.0
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0


@dataclass(frozen=True)
class YearResult:
    """Energy of a simulated year [MWh]. ``used_share`` is 1 where nothing was available."""

    available_mwh: float
    curtailed_mwh: float
    must_run_excess_mwh: float
    """Must-run output that neither load nor export can take: the input contradicts itself in these hours."""

    @property
    def used_share(self) -> float:
        return 1.0 - self.curtailed_mwh / self.available_mwh if self.available_mwh > 0 else 1.0


class Ending(StrEnum):
    """How the search for one bound ended."""

    REACHED = "reached"
    """The target holds at the answer and fails above it."""
    MISSED = "missed"
    """What is connected already misses the target; the answer is what would meet it."""
    IMPOSSIBLE = "impossible"
    """The target fails even without distributed generation; the answer is 0."""
    UNLIMITED = "unlimited"
    """The target never fails; the answer is the largest capacity tried."""


@dataclass(frozen=True)
class SystemBound:
    """One bound: capacity [MW], how the search ended, and the year at the answer."""

    capacity_mw: float
    ending: Ending
    target_share: float
    storage: Storage
    year: YearResult
    simulations: int
    formula: FilledFormula


@dataclass(frozen=True)
class SystemLevel:
    """System level as an interval."""

    low: SystemBound
    high: SystemBound

    @property
    def confidence(self) -> Confidence:
        return weakest((self.low.formula.confidence, self.high.formula.confidence))

    def shared_by(self, weights: tuple[FactorWeight, ...]) -> CountySettings:
        """Settings that share this level out to counties."""
        return CountySettings(self.low.capacity_mw, self.high.capacity_mw, weights)


def simulate_year(year: SystemYear, dg_mw: float, storage: Storage | None = None) -> YearResult:
    """Available and curtailed renewable energy with ``dg_mw`` of distributed generation installed."""
    storage = storage or Storage()
    available = year.renewable_mw + dg_mw * year.dg_shape
    taken = year.load_mw + year.export_mw - year.must_run_mw
    surplus = available - np.maximum(taken, 0.0)
    if storage.power_mw > 0 and storage.energy_mwh > 0:
        surplus = surplus - _charged(surplus, storage)
    curtailed, excess = np.maximum(surplus, 0.0), np.maximum(-taken, 0.0)
    return YearResult(float(available.sum()), float(curtailed.sum()), float(excess.sum()))


def _charged(surplus: Floats, storage: Storage) -> Floats:
    """Charging power of each hour [MW], 0 in hours of discharge."""
    power, room = storage.power_mw, storage.energy_mwh
    into, out = storage.charge_efficiency, storage.discharge_efficiency
    stored, charged = 0.0, np.zeros(len(surplus))
    for k, value in enumerate(surplus.tolist()):
        if value > 0:
            taken = min(value, power, (room - stored) / into)
            stored += taken * into
            charged[k] = taken
        elif stored > 0:
            stored -= min(-value, power, stored * out) / out
    return charged


def system_bound(
    year: SystemYear, target_share: float, storage: Storage, connected_mw: float, *, file: str = ""
) -> SystemBound:
    """Largest distributed capacity at which the utilisation of all renewables still meets the target.

    Parameters
    ----------
    target_share : float
        Utilisation target, e.g. 0.95, in (0, 1].
    connected_mw : float
        Distributed generation connected today, the start of the search.

    Raises
    ------
    InputError
        Every fault of the year, target and storage.
    """
    check_year(year, target_share, storage, connected_mw, file=file)
    count = 0

    def excess(dg_mw: float) -> float:
        """Curtailed energy above what the target allows [MWh]; convex in ``dg_mw``."""
        nonlocal count
        count += 1
        result = simulate_year(year, dg_mw, storage)
        return result.curtailed_mwh - (1.0 - target_share) * result.available_mwh

    capacity, ending = _largest(excess, connected_mw)
    result = simulate_year(year, capacity, storage)
    worked = filled(
        formula(RULE_2025, "utilisation"),
        curtailed=result.curtailed_mwh,
        available=result.available_mwh,
        used=result.used_share,
    )
    return SystemBound(capacity, ending, target_share, storage, result, count, worked)


def _largest(excess: Callable[[float], float], start: float) -> tuple[float, Ending]:
    if _room(excess(start)):
        high = max(2.0 * start, 1.0)
        for _ in range(DOUBLINGS):
            if not _room(excess(high)):
                return _bisected(excess, start, high), Ending.REACHED
            start, high = high, 2.0 * high
        return start, Ending.UNLIMITED
    low = _lowest_point(excess, start)
    if not _room(excess(low)):
        return 0.0, Ending.IMPOSSIBLE
    return _bisected(excess, low, start), Ending.MISSED


def _room(value: float) -> bool:
    return value <= 1e-9


def _bisected(excess: Callable[[float], float], low: float, high: float) -> float:
    """Upper end of the feasible interval between a feasible and an infeasible capacity, from below."""
    while high - low > RESOLUTION_MW:
        middle = (low + high) / 2
        low, high = (middle, high) if _room(excess(middle)) else (low, middle)
    return low


def _lowest_point(excess: Callable[[float], float], high: float) -> float:
    """Where a convex function is lowest on [0, high]; the first feasible point ends the search."""
    low = 0.0
    if _room(excess(low)):
        return low
    while high - low > RESOLUTION_MW:
        third = (high - low) / 3
        left, right = low + third, high - third
        a, b = excess(left), excess(right)
        if _room(a) or _room(b):
            return left if _room(a) else right
        low, high = (low, right) if a <= b else (left, high)
    return (low + high) / 2


def system_level(
    year: SystemYear,
    target_share: tuple[float, float],
    storage: tuple[Storage, Storage],
    connected_mw: float,
    *,
    file: str = "",
) -> SystemLevel:
    """System level as an interval.

    Parameters
    ----------
    target_share : pair of float
        Lowest and highest utilisation target; the same twice for a yearly assessment, two for a planning cycle.
    storage : pair of Storage
        Least and most storage expected.

    Notes
    -----
    Lower bound: highest target, least storage. Upper bound: lowest target, most storage.
    """
    return SystemLevel(
        system_bound(year, max(target_share), storage[0], connected_mw, file=file),
        system_bound(year, min(target_share), storage[1], connected_mw, file=file),
    )


def check_year(year: SystemYear, target_share: float, storage: Storage, connected_mw: float, *, file: str = "") -> None:
    """Raise ``InputError`` with every fault of the simulation's input."""
    log, where = FindingLog(), (file, "system level")
    length = len(year.load_mw)
    for entry in fields(year):
        values = getattr(year, entry.name)
        if values.shape != (length,) or length == 0:
            text = f"{values.shape} values, the load has {length}."
            fault(log, "hours", where, entry.name, str(values.shape), text, "Give one value an hour.")
        bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if len(bad):
            text = "not a number of zero or more."
            fault(log, "range", where, f"{entry.name} hour {bad[0]}", float(values.flat[bad[0]]), text, "Correct it.")
    for name, value, low, high in (
        ("target_share", target_share, 0.0, 1.0),
        ("charge_efficiency", storage.charge_efficiency, 0.0, 1.0),
        ("discharge_efficiency", storage.discharge_efficiency, 0.0, 1.0),
    ):
        if not low < value <= high:
            fault(log, "range", where, name, float(value), "must be above 0 and at most 1.", "Correct it.")
    for name, value in (
        ("power_mw", storage.power_mw),
        ("energy_mwh", storage.energy_mwh),
        ("connected_mw", connected_mw),
    ):
        if not 0 <= value < np.inf:
            fault(log, "range", where, name, float(value), "must be zero or more.", "Correct it.")
    log.raise_errors()
