"""Value functions: from a criterion's own unit to a utility of 0 (worst) to 1 (best). NaN stays NaN.

::

    linear           trapezoid           logistic           table
    1      ____      1    ____           1       ___        1     __
          /              /    \\                /                 /  \\__
    0 ___/           0 _/      \\_        0 ___/            0 ___/
        worst best     a b    c d          midpoint           points

Every kind can be sampled as breakpoints of a polyline (:meth:`ValueFunction.sample`), which is what raster kernels
take: exact for the kinds that are polylines themselves, within 1e-6 for the logistic curve.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KINDS = ("linear", "trapezoid", "logistic", "table")

_LOGISTIC_REACH = 15.0
"""Beyond ``|k (x - m)| = 15`` the logistic curve is within 3.1e-7 of its ends."""
_LOGISTIC_POINTS = 2001
_LOGISTIC_END = 800.0
"""Beyond ``|k (x - m)| = 800`` the curve is 0 or 1 in double precision."""


class ValueFunction(ABC):
    """Utility of a criterion's values. The kinds are frozen dataclasses of a few numbers."""

    @abstractmethod
    def faults(self) -> tuple[str, ...]:
        """What keeps this from being a value function, in words; empty where it is one."""

    @abstractmethod
    def sample(self) -> tuple[Floats, Floats]:
        """Breakpoints ``(x, y)`` of the polyline that is this function: ``numpy.interp(values, x, y)``.

        Returns
        -------
        x, y
            Float64 arrays of one length (2 or more). ``x`` rises strictly, in the criterion's own unit; ``y`` lies in
            0..1. Below the first and above the last breakpoint the function is constant.
        """

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """Utility 0..1 of ``values`` (any shape, the criterion's own unit); NaN where the value is NaN."""
        x, y = self.sample()
        return np.asarray(np.interp(np.asarray(values, float), x, y))


@dataclass(frozen=True)
class Linear(ValueFunction):
    """From 0 at ``worst`` to 1 at ``best``, which may be the smaller one; clipped beyond."""

    worst: float
    best: float

    def faults(self) -> tuple[str, ...]:
        if not np.isfinite(self.best - self.worst) or self.best == self.worst:
            return ("worst and best are the same, or no numbers",)
        return ()

    def sample(self) -> tuple[Floats, Floats]:
        ends = sorted(((self.worst, 0.0), (self.best, 1.0)))
        return np.array([x for x, _ in ends], float), np.array([y for _, y in ends], float)

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """``(x - worst) / (best - worst)``, clipped to 0..1."""
        low, high = min(self.worst, self.best), max(self.worst, self.best)
        return np.asarray((np.clip(np.asarray(values, float), low, high) - self.worst) / (self.best - self.worst))


@dataclass(frozen=True)
class Trapezoid(ValueFunction):
    """0 up to ``rise_from``, 1 from ``rise_to`` to ``fall_from``, 0 again from ``fall_to``; linear between."""

    rise_from: float
    rise_to: float
    fall_from: float
    fall_to: float

    def faults(self) -> tuple[str, ...]:
        corners = (self.rise_from, self.rise_to, self.fall_from, self.fall_to)
        if not all(np.isfinite(corners)):
            return ("a corner is no number",)
        if not (self.rise_from < self.rise_to <= self.fall_from < self.fall_to):
            return ("the corners do not rise: a < b <= c < d is needed",)
        return ()

    def sample(self) -> tuple[Floats, Floats]:
        points = {self.rise_from: 0.0, self.rise_to: 1.0, self.fall_from: 1.0, self.fall_to: 0.0}
        return np.array(list(points), float), np.array(list(points.values()), float)


@dataclass(frozen=True)
class Logistic(ValueFunction):
    """``1 / (1 + exp(-steepness (x - midpoint)))``: one half at ``midpoint``; a negative steepness falls.

    ``steepness`` is in 1 by the criterion's unit; from 0.1 to 0.9 the curve needs ``4.394 / |steepness|``.
    """

    midpoint: float
    steepness: float

    def faults(self) -> tuple[str, ...]:
        if not np.isfinite(self.midpoint) or not np.isfinite(self.steepness) or self.steepness == 0:
            return ("midpoint and steepness must be numbers, steepness not 0",)
        return ()

    def sample(self) -> tuple[Floats, Floats]:
        """Breakpoints denser where the curve bends: the error of a chord is ``h**2 |f''| / 8``, made even by
        spreading the points evenly over the integral of ``sqrt(|f''|)``; a small floor keeps the chords short where
        the curve is straight."""
        z = np.linspace(-_LOGISTIC_REACH, _LOGISTIC_REACH, 20_001)
        u = _logistic(z)
        density = np.sqrt(np.abs(u * (1 - u) * (1 - 2 * u))) + 0.02
        reached = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        points = np.interp(np.linspace(0, reached[-1], _LOGISTIC_POINTS), reached, z)
        x, y = self.midpoint + points / self.steepness, _logistic(points)
        return (x, y) if self.steepness > 0 else (x[::-1].copy(), y[::-1].copy())

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """The curve itself, not its breakpoints."""
        reach = _LOGISTIC_END / abs(self.steepness)
        near = np.clip(np.asarray(values, float), self.midpoint - reach, self.midpoint + reach)
        return _logistic(self.steepness * (near - self.midpoint))


@dataclass(frozen=True)
class PointTable(ValueFunction):
    """Straight lines through ``points`` (value, utility); constant before the first and after the last."""

    points: tuple[tuple[float, float], ...]

    def faults(self) -> tuple[str, ...]:
        if len(self.points) < 2 or any(len(point) != 2 for point in self.points):
            return ("two points (value, utility) or more are needed",)
        x, y = np.array(self.points, float).T
        found = []
        if not np.isfinite(self.points).all():
            found.append("a point is no number")
        elif not (np.diff(x) > 0).all():
            found.append("the values of the points do not rise")
        if not ((y >= 0) & (y <= 1)).all():
            found.append("a utility lies outside 0..1")
        if not found and y.min() == y.max():
            found.append("all points have the same utility")
        return tuple(found)

    def sample(self) -> tuple[Floats, Floats]:
        x, y = np.array(self.points, float).T
        return x.copy(), y.copy()


def _logistic(z: npt.ArrayLike) -> Floats:
    """``1 / (1 + exp(-z))`` without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(z, float))))
