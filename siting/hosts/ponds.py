"""Ponds: piles or floats, by depth and area, after ``siting/technologies/pond_support.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from siting.technologies.small_tables import TECHNOLOGIES_FOLDER, read_small_table

SUPPORT_FILE = TECHNOLOGIES_FOLDER / "pond_support.csv"


@dataclass(frozen=True)
class SupportRule:
    """One row: a pond within the bounds (NaN: any; lower bounds are exclusive, upper ones inclusive) has ``support``.
    A row with a bound on the depth holds for known depths alone."""

    order: float
    min_depth_m: float
    max_depth_m: float
    min_area_m2: float
    max_area_m2: float
    support: str
    source: str
    confidence: str


@cache
def load_support_rules(path: Path = SUPPORT_FILE) -> tuple[SupportRule, ...]:
    """Rows of ``pond_support.csv`` in their order."""
    texts = {"support": ("pile", "floating"), "source": None, "confidence": ("A", "B", "C")}
    ranges = {"order": (0.0, 1e3), "min_depth_m": (0.0, 200.0), "max_depth_m": (0.0, 200.0),
              "min_area_m2": (0.0, 1e10), "max_area_m2": (0.0, 1e10)}  # fmt: skip
    rows = read_small_table(path, texts, ranges)
    return tuple(sorted((SupportRule(**row) for row in rows), key=lambda rule: rule.order))


def pond_support(
    area_m2: npt.ArrayLike, depth_m: npt.ArrayLike, path: Path = SUPPORT_FILE
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """Support of each pond, 'pile' or 'floating' by the first rule that fits, and whether its depth was assumed.

    Parameters
    ----------
    area_m2, depth_m : array_like
        Same length. NaN of a depth: not known, and the rules without a bound on the depth decide.
    """
    area, depth = np.asarray(area_m2, float), np.asarray(depth_m, float)
    support = np.full(len(area), "", dtype=object)
    for rule in load_support_rules(path):
        fits = support == ""
        for value, low, high in (
            (depth, rule.min_depth_m, rule.max_depth_m),
            (area, rule.min_area_m2, rule.max_area_m2),
        ):
            if np.isfinite(low):
                fits &= value > low
            if np.isfinite(high):
                fits &= value <= high
        support[fits] = rule.support
    return support, ~np.isfinite(depth)
