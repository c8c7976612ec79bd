"""P50, P75, P90 of a yearly yield, for PV and wind: from several years, from a budget of uncertainties, or from both.

A yield that is exceeded with probability p lies ``z(p)`` standard deviations below the median. Items of a budget are
taken as independent and combined in quadrature. When several years of weather are at hand, their spread takes the
place of the budget's item for the difference between years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from layers.contracts import InputError
from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technologies.reader import PROVENANCE, TableReader

Floats = npt.NDArray[np.float64]
Kind = Literal["pv", "wind"]

_FOLDER = Path(__file__).parents[1] / "technologies"
_INTERANNUAL = "interannual"
_FEWEST_YEARS = 3

YIELD_UNCERTAINTY = Table(
    "yield_uncertainty",
    "Standard deviations of the yearly energy, by kind and cause.",
    {
        "kind": column(str, "", "pv or wind", isin=("pv", "wind")),
        "item": column(str, "", "cause; names beginning with interannual give way to the spread of given years"),
        "sigma_percent": column(float, "%", "standard deviation of the yearly energy", ge=0, le=50),
        **PROVENANCE,
    },
)


@dataclass(frozen=True)
class UncertaintyItem:
    """One cause; ``sigma_share`` is the standard deviation of the yearly energy by its mean."""

    item: str
    sigma_share: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class YieldExceedance:
    """Yearly energy that is exceeded with probability 50, 75 and 90 %, in the unit of the input.

    ``sigma_share`` is the combined standard deviation of a single year by the median, ``items`` what went into it.
    """

    p50: Floats
    p75: Floats
    p90: Floats
    sigma_share: Floats
    items: tuple[UncertaintyItem, ...]


@lru_cache(maxsize=8)
def load_uncertainty_budget(kind: Kind, folder: Path = _FOLDER) -> tuple[UncertaintyItem, ...]:
    """Budget of ``yield_uncertainty.csv`` for PV or wind.

    Raises
    ------
    InputError
        With every fault of the file.
    """
    reader = TableReader(folder, "siting/technologies" if folder == _FOLDER else folder.name)
    rows = reader.read(YIELD_UNCERTAINTY)
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=2):
        key = row["kind"], row["item"]
        if key in seen:
            reader.add(
                YIELD_UNCERTAINTY, "repeated_id", f"row {number}, item", row["item"], "Item used twice.", "Rename."
            )
        seen.add(key)
    if reader.findings:
        raise InputError(sorted(reader.findings))
    return tuple(
        UncertaintyItem(row["item"], row["sigma_percent"] / 100, row["source"], row["confidence"])
        for row in rows
        if row["kind"] == kind
    )


def combined_sigma(items: Sequence[UncertaintyItem]) -> float:
    """Root of the sum of squares of independent standard deviations (shares)."""
    return float(np.sqrt(sum(item.sigma_share**2 for item in items)))


def exceedance_factor(sigma_share: npt.ArrayLike, probability: float) -> Floats:
    """Yield exceeded with a probability by the median: ``1 - z sigma``, not below zero.

    ``z`` is the standard normal quantile of the probability: 0.674 for 75 %, 1.282 for 90 %.
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability lies between 0 and 1, not at {probability}")
    z = NormalDist().inv_cdf(probability)
    return np.asarray(np.maximum(1 - z * np.asarray(sigma_share, dtype=float), 0))


def exceedance(yearly: npt.ArrayLike, budget: Sequence[UncertaintyItem]) -> YieldExceedance:
    """P50, P75 and P90 of yearly energy.

    Parameters
    ----------
    yearly : array-like
        One year: shape ``(sites,)`` or a number, taken as the median. Several years: shape ``(years, sites)``; their
        mean is the median, and from three years on their standard deviation (with n - 1) replaces the budget's items
        between years. The mean of n years is itself known to ``sigma / sqrt(n)`` only, which is added.
    budget : sequence of UncertaintyItem
        See :func:`load_uncertainty_budget`.

    Returns
    -------
    YieldExceedance
        Arrays of shape ``(sites,)`` (or ``()``).

    Raises
    ------
    ValueError
        If energies are negative or not numbers.
    """
    energy = np.asarray(yearly, dtype=float)
    if not (np.isfinite(energy).all() and (energy >= 0).all()):
        raise ValueError("yearly energies must be numbers, not negative")
    items = tuple(budget)
    if energy.ndim < 2:
        middle, sigma = energy, np.full(energy.shape, combined_sigma(items))
    else:
        years = energy.shape[0]
        middle = energy.mean(axis=0)
        sigma = np.full(middle.shape, combined_sigma(items))
        if years >= _FEWEST_YEARS:
            items = tuple(item for item in items if not item.item.startswith(_INTERANNUAL))
            deviation = energy.std(axis=0, ddof=1)
            spread = np.divide(deviation, middle, out=np.zeros_like(middle), where=middle > 0)
            sigma = np.sqrt(combined_sigma(items) ** 2 + spread**2 * (1 + 1 / years))
    return YieldExceedance(
        middle,
        middle * exceedance_factor(sigma, 0.75),
        middle * exceedance_factor(sigma, 0.90),
        sigma,
        items,
    )


def energy_by_year(first_year: npt.ArrayLike, degradation_per_a: float, years: int, first_loss: float = 0.0) -> Floats:
    """Energy of each year of operation, shape ``(years, ...)``.

    ``E_t = E_1 (1 - d)**(t - 1)``; ``first_loss`` is lost once within the first year and stays lost from the second on.
    """
    if years < 1 or not 0 <= degradation_per_a < 1 or not 0 <= first_loss < 1:
        raise ValueError(f"not a life of the plant: {years} years, {degradation_per_a} per year, {first_loss} at first")
    left = (1 - degradation_per_a) ** np.arange(years, dtype=float)
    left[1:] *= 1 - first_loss
    return np.asarray(np.multiply.outer(left, np.asarray(first_year, dtype=float)))
