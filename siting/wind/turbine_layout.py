"""Positions of wind turbines on eligible land: staggered rows across the prevailing wind.

::

         x     x     x     x        wind
            x     x     x            |      spacing along the wind between rows, across it within a row;
         x     x     x     x         v      every other row is shifted by half the spacing across

The lattice is anchored to the origin of the CRS and turned to the prevailing wind, so that a rerun, a wider region or
a changed weight leaves the turbines where they are. Small patches take the best of sixteen fixed shifts of the
lattice; on large ones a shift wins next to nothing, and they keep the unshifted lattice. Turbines of different
patches keep their distance as well.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from layers.contracts import Finding, InputError
from layers.frame import Frame
from layers.submask import SUBDIVISION
from siting.sites.runs import Floats, Runs

Longs = npt.NDArray[np.int64]

SPACING_FILE = Path(__file__).parents[1] / "technologies" / "turbine_spacing.csv"
_SHOWN = "siting/technologies/turbine_spacing.csv"
_DEFAULT_ROW = "*"
_SHIFTS = tuple((i / 4, j / 4) for i in range(4) for j in range(4))
_SEARCHED_TURBINES = 16
_NEAR = 1 - 1e-9


@dataclass(frozen=True)
class SpacingRule:
    """One row of ``turbine_spacing.csv``."""

    host_type: str
    """Host type id; ``*`` for all others."""
    along_diameters: float
    across_diameters: float
    prevailing_from_deg: float
    """Where the prevailing wind comes from, clockwise from north, where no weather tells."""
    min_turbines: int
    """A patch with fewer is no site."""
    blade_inside: bool
    """Whether the whole rotor circle must lie on the eligible land, and not the tower alone."""
    source: str
    confidence: str


@dataclass(frozen=True)
class Spacing:
    """Distances between turbines [m] and where the prevailing wind comes from [degree clockwise from north]."""

    along_m: float
    across_m: float
    prevailing_from_deg: float

    @property
    def least_m(self) -> float:
        """Shortest distance between two turbines of the lattice."""
        return min(self.across_m, math.hypot(self.along_m, self.across_m / 2))

    @property
    def area_m2(self) -> float:
        """Ground of one turbine within the lattice."""
        return self.along_m * self.across_m

    def axes(self) -> tuple[Floats, Floats]:
        """Unit vectors (east, north) along the wind, to where it blows, and across it."""
        angle = math.radians(self.prevailing_from_deg + 180.0)
        along = np.array([math.sin(angle), math.cos(angle)])
        return along, np.array([along[1], -along[0]])


@dataclass(frozen=True)
class Turbines:
    """Position [m] in the frame's CRS, cell of the frame, and patch of each turbine."""

    x_m: Floats
    y_m: Floats
    row: Longs
    col: Longs
    patch: Longs

    def take(self, which: npt.NDArray[Any]) -> Turbines:
        return Turbines(self.x_m[which], self.y_m[which], self.row[which], self.col[which], self.patch[which])

    def __len__(self) -> int:
        return len(self.x_m)


def spacing_rule(host_type: str, path: Path = SPACING_FILE) -> SpacingRule:
    """The row of a host type, or the one for all others."""
    rules = {rule.host_type: rule for rule in load_spacing_rules(path)}
    return rules.get(host_type, rules[_DEFAULT_ROW])


@cache
def load_spacing_rules(path: Path = SPACING_FILE) -> tuple[SpacingRule, ...]:
    """Rows of the table, in the order of the file.

    Raises
    ------
    InputError
        With every finding: unreadable number, spacing below 2 or above 30 rotor diameters, direction outside 0..360,
        no row ``*``.
    """
    shown = _SHOWN if path == SPACING_FILE else path.name
    findings: list[Finding] = []
    rules = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for number, line in enumerate(csv.DictReader(lines), start=2):
            values = {
                name: _number(shown, number, name, line.get(name) or "", low, high, findings)
                for name, (low, high) in _RANGES.items()
            }
            rules.append(
                SpacingRule(
                    line["host_type"],
                    values["along_diameters"],
                    values["across_diameters"],
                    values["prevailing_from_deg"],
                    int(values["min_turbines"]),
                    bool(values["blade_inside"]),
                    line["source"],
                    line["confidence"],
                )
            )
    if _DEFAULT_ROW not in (rule.host_type for rule in rules):
        message = "There is no row for all other host types."
        findings.append(
            Finding("error", "spacing.default", shown, "turbine_spacing", "host_type", "*", message, "Add a row '*'.")
        )
    if findings:
        raise InputError(findings)
    return tuple(rules)


_RANGES = {
    "along_diameters": (2.0, 30.0),
    "across_diameters": (2.0, 30.0),
    "prevailing_from_deg": (0.0, 360.0),
    "min_turbines": (1.0, 1000.0),
    "blade_inside": (0.0, 1.0),
}


def _number(shown: str, row: int, name: str, text: str, low: float, high: float, findings: list[Finding]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        item = f"row {row}, {name}"
        message, remedy = f"No number within {low:g}..{high:g}.", "Correct it."
        findings.append(Finding("error", "spacing.range", shown, "turbine_spacing", item, text, message, remedy))
        return low
    return value


def prevailing_from(speed_m_per_s: npt.ArrayLike, from_deg: npt.ArrayLike) -> float:
    """Axis of the energy of the wind [degree clockwise from north, 0 to 180], NaN without wind.

    Parameters
    ----------
    speed_m_per_s, from_deg : array_like
        Hours; NaN in either leaves the hour out. ``from_deg`` is where the wind comes from.

    Notes
    -----
    A staggered lattice looks the same from both ends, so that directions are doubled before the mean is taken:
    ``0.5 * arg(sum(v^3 exp(2 i direction)))`` (Mardia and Jupp, Directional Statistics, section 2.3 on axial data).
    """
    speed, direction = np.asarray(speed_m_per_s, float), np.asarray(from_deg, float)
    known = np.isfinite(speed) & np.isfinite(direction)
    energy = np.sum(speed[known] ** 3 * np.exp(2j * np.radians(direction[known])))
    if abs(energy) == 0:
        return math.nan
    return float(np.degrees(np.angle(energy)) / 2 % 180.0)


def lattice_points(
    bounds: tuple[float, float, float, float], spacing: Spacing, shift: tuple[float, float] = (0.0, 0.0)
) -> tuple[Floats, Floats]:
    """Points (x, y) of the lattice within ``bounds`` (left, bottom, right, top), half-open at the right and the top.

    A point depends on its numbers along and across alone: ``((i + shift_0) * along, (j + (i mod 2) / 2 + shift_1) *
    across)`` from the origin of the CRS, turned to the wind.
    """
    left, bottom, right, top = bounds
    along, across = spacing.axes()
    corners = np.array([(x, y) for x in (left, right) for y in (bottom, top)])
    u, v = corners @ along / spacing.along_m, corners @ across / spacing.across_m
    i = np.arange(math.floor(u.min()) - 1, math.ceil(u.max()) + 2)
    j = np.arange(math.floor(v.min()) - 2, math.ceil(v.max()) + 2)
    number_i, number_j = (numbers.ravel() for numbers in np.meshgrid(i, j, indexing="ij"))
    down = (number_i + shift[0]) * spacing.along_m
    aside = (number_j + 0.5 * (number_i % 2) + shift[1]) * spacing.across_m
    x, y = down * along[0] + aside * across[0], down * along[1] + aside * across[1]
    inside = (x >= left) & (x < right) & (y >= bottom) & (y < top)
    return x[inside], y[inside]


def place_turbines(
    patches: Runs,
    mask: Any,
    frame: Frame,
    spacing: Spacing,
    *,
    rotor_radius_m: float = 0.0,
) -> Turbines:
    """Turbines on the owned land of patches, sorted by patch, from north to south.

    Parameters
    ----------
    patches : Runs
        Sorted, ``site`` is the patch.
    mask : MaskStore or uint16 array, shape ``frame.shape``
        Owned sub-cells; a turbine stands on one of them, so that every setback of the mask is kept to a sub-cell.
    frame : Frame
    spacing : Spacing
    rotor_radius_m : float
        Above 0, every sub-cell whose centre lies within this distance must be owned as well.

    Notes
    -----
    Two turbines are too near when ``(du / along)^2 + (dv / across)^2 < 1`` with their distances along and across the
    wind. Within a patch the lattice keeps that; between patches the one with more turbines keeps its own. Where only a
    share of the ground is host and nobody knows which, so many of the positions are taken, evenly spread.
    """
    if not len(patches):
        nothing = np.zeros(0)
        numbers = np.zeros(0, np.int64)
        return Turbines(nothing, nothing, numbers, numbers, numbers)
    bounds = _bounds(patches, frame)
    found = []
    for shift in _SHIFTS:
        x, y = lattice_points(bounds, spacing, shift)
        found.append(_standing(x, y, patches, mask, frame, rotor_radius_m))
    chosen = _best_shift(found, patches, spacing)
    kept = [one.take(chosen[one.patch] == k) for k, one in enumerate(found)]
    together = Turbines(*(np.concatenate([getattr(one, name) for one in kept]) for name in _FIELDS))
    together = _apart(together, spacing)
    return _thinned(together.take(np.lexsort((together.x_m, -together.y_m, together.patch))), patches)


_FIELDS = ("x_m", "y_m", "row", "col", "patch")


def _bounds(patches: Runs, frame: Frame) -> tuple[float, float, float, float]:
    left, top = frame.part_origin(int(patches.row[0]), int(patches.col.min()))
    right, bottom = frame.part_origin(int(patches.row[-1]) + 1, int(patches.last.max()) + 1)
    return left, bottom, right, top


def _standing(x: Floats, y: Floats, patches: Runs, mask: Any, frame: Frame, rotor_radius_m: float) -> Turbines:
    """The points that stand on owned land of a patch."""
    row = np.floor((frame.top - y) / frame.resolution_m).astype(np.int64)
    col = np.floor((x - frame.left) / frame.resolution_m).astype(np.int64)
    run = patches.find(row, col)
    on = np.flatnonzero(run >= 0)
    on = on[_owned(x[on], y[on], mask, frame)]
    if rotor_radius_m > 0:
        on = on[_rotor_inside(x[on], y[on], mask, frame, rotor_radius_m)]
    return Turbines(x[on], y[on], row[on], col[on], patches.site[run[on]].astype(np.int64))


def _owned(x: Floats, y: Floats, mask: Any, frame: Frame) -> npt.NDArray[np.bool_]:
    """Whether the sub-cell of each point is owned; points beyond the frame are not."""
    sub_m = frame.resolution_m / SUBDIVISION
    row = np.floor((frame.top - y) / sub_m).astype(np.int64)
    col = np.floor((x - frame.left) / sub_m).astype(np.int64)
    inside = (row >= 0) & (col >= 0) & (row < frame.height * SUBDIVISION) & (col < frame.width * SUBDIVISION)
    owned = np.zeros(len(row), bool)
    r, c = row[inside], col[inside]
    bit = (SUBDIVISION * (r % SUBDIVISION) + c % SUBDIVISION).astype(np.uint16)
    cells = mask[r // SUBDIVISION, c // SUBDIVISION]
    owned[inside] = (np.asarray(cells, np.uint16) >> bit) & np.uint16(1) == 1
    return owned


def _rotor_inside(x: Floats, y: Floats, mask: Any, frame: Frame, radius_m: float) -> npt.NDArray[np.bool_]:
    sub_m = frame.resolution_m / SUBDIVISION
    left, bottom, _, _ = frame.bounds
    centre_x = left + (np.floor((x - left) / sub_m) + 0.5) * sub_m
    centre_y = bottom + (np.floor((y - bottom) / sub_m) + 0.5) * sub_m
    free = np.ones(len(x), bool)
    for d_x, d_y in _disk_steps(radius_m + sub_m, sub_m):
        at_x, at_y = centre_x + d_x, centre_y + d_y
        near = free & (np.hypot(at_x - x, at_y - y) <= radius_m)
        free[near] = _owned(at_x[near], at_y[near], mask, frame)
    return free


def _disk_steps(radius_m: float, step_m: float) -> Iterator[tuple[float, float]]:
    reach = math.ceil(radius_m / step_m)
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            if math.hypot(i, j) * step_m <= radius_m + step_m:
                yield i * step_m, j * step_m


def _best_shift(found: list[Turbines], patches: Runs, spacing: Spacing) -> Longs:
    """Number of the shift of each patch: the one with most turbines where the patch is small, else the first."""
    counts = np.stack([np.bincount(one.patch, minlength=patches.count) for one in found])
    best = np.argmax(counts, axis=0)  # the first of equal ones
    small = counts.max(axis=0) <= _SEARCHED_TURBINES
    return np.where(small, best, 0).astype(np.int64)


def _thinned(turbines: Turbines, patches: Runs) -> Turbines:
    """So many turbines of each patch as the shares of host area at their places add up to."""
    run = patches.find(turbines.row, turbines.col)
    share = patches.host[run] / patches.cover[run]
    if not len(turbines) or (share > _NEAR).all():
        return turbines
    reached = np.cumsum(share)
    first = np.searchsorted(turbines.patch, turbines.patch)
    reached = reached - (reached[first] - share[first])
    return turbines.take(np.floor(reached + 1e-9) > np.floor(reached - share + 1e-9))


def _apart(turbines: Turbines, spacing: Spacing) -> Turbines:
    """Without the turbines that stand too near to one of a patch with more turbines."""
    if len(turbines) < 2:
        return turbines
    along, across = spacing.axes()
    place = np.stack([turbines.x_m, turbines.y_m], axis=1)
    scaled = np.stack([place @ along / spacing.along_m, place @ across / spacing.across_m], axis=1)
    pairs = cKDTree(scaled).query_pairs(_NEAR, output_type="ndarray")
    if not len(pairs):
        return turbines
    size = np.bincount(turbines.patch)[turbines.patch]
    rank = np.empty(len(turbines), np.int64)
    rank[np.lexsort((turbines.x_m, turbines.y_m, -size))] = np.arange(len(turbines))
    first = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    second = pairs.sum(axis=1) - first
    stands = np.ones(len(turbines), bool)
    for k in np.lexsort((rank[second], rank[first])):
        if stands[first[k]]:
            stands[second[k]] = False
    return turbines.take(stands)
