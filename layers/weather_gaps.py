"""Gaps of a weather year: filled by rule, every hour listed, too many refused.

* up to three hours: between the neighbours; radiation as its share of the sun above the air (clearness), everything
  else by a straight line;
* longer: the mean of the same hour on the nearest day before and the nearest day after that have it, at most ten days
  away; radiation again by clearness;
* more than five per cent of the year in one column, or a gap whose neighbours are further away: refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.weather_checks import mean_cos_zenith

Floats = npt.NDArray[np.float64]

SHORT_HOURS = 3
LARGEST_SHARE = 0.05
FURTHEST_DAYS = 10
_LOW_SUN = 0.02
_SUNLIT = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2")


@dataclass(frozen=True)
class GapFill:
    """One run of missing hours in one column. ``rule`` is 'between neighbours' or 'neighbouring days'."""

    column: str
    first: int
    hours: int
    rule: str

    def words(self, index: pd.DatetimeIndex) -> str:
        start, end = index[self.first], index[self.first + self.hours - 1]
        span = f"{start:%m-%d %H:%M}" if self.hours == 1 else f"{start:%m-%d %H:%M} to {end:%m-%d %H:%M}"
        return f"{span} ({self.hours} h)"


@dataclass(frozen=True)
class Filled:
    """``hours`` without the gaps that could be filled; ``refused``: columns with their share of missing hours."""

    hours: pd.DataFrame
    fills: tuple[GapFill, ...]
    refused: tuple[tuple[str, float], ...]


def fill_gaps(
    hours: pd.DataFrame, latitude: float, longitude: float, columns: tuple[str, ...], minute: float = 30.0
) -> Filled:
    """Fill NaN in ``columns`` of a year of hours.

    Parameters
    ----------
    hours : DataFrame, 8760 rows
        Label = start in UTC+08:00. Radiation in W/m2.
    latitude, longitude : float
        [degrees]
    columns : tuple of str
        Those to fill; others stay.
    minute : float
        Where the sun of the radiation stands after the label [min].

    Returns
    -------
    Filled
        A refused column stays as it was.
    """
    result = hours.copy()
    fills: list[GapFill] = []
    refused: list[tuple[str, float]] = []
    sun: Floats | None = None
    for name in columns:
        values = hours[name].to_numpy(float)
        missing = np.isnan(values)
        if not missing.any():
            continue
        if missing.mean() > LARGEST_SHARE:
            refused.append((name, float(missing.mean())))
            continue
        if name in _SUNLIT:
            sun = mean_cos_zenith(latitude, longitude, minute) if sun is None else sun
            filled = _filled(np.where(sun > _LOW_SUN, values / np.maximum(sun, _LOW_SUN), np.nan), missing,
                             np.where(sun > _LOW_SUN, sun, 0.0))  # fmt: skip
        else:
            filled = _filled(values, missing, np.ones_like(values))
        if np.isnan(filled[missing]).any():
            refused.append((name, float(missing.mean())))
            continue
        result[name] = np.where(missing, filled, values)
        fills += [GapFill(name, first, count, _rule(count)) for first, count in runs(missing)]
    return Filled(result, tuple(fills), tuple(refused))


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, length) of every run of True."""
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b - a)) for a, b in zip(starts, ends, strict=True)]


def _rule(count: int) -> str:
    return "between neighbours" if count <= SHORT_HOURS else "neighbouring days"


def _filled(index: Floats, missing: npt.NDArray[np.bool_], scale: Floats) -> Floats:
    """``index * scale`` in the missing hours; NaN where no rule reaches. Hours of scale 0 are 0."""
    result = np.full(index.size, np.nan)
    known = np.flatnonzero(~missing & np.isfinite(index))
    if not known.size:
        return result
    for first, count in runs(missing):
        hours = np.arange(first, first + count)
        if count <= SHORT_HOURS:
            result[hours] = np.interp(hours, known, index[known])
        else:
            result[hours] = [_of_neighbouring_days(index, missing, int(hour)) for hour in hours]
    result[missing & (scale == 0)] = 0.0
    return result * np.where(scale == 0, 1.0, scale)


def _of_neighbouring_days(index: Floats, missing: npt.NDArray[np.bool_], hour: int) -> float:
    """Mean of the same hour on the nearest day before and after that has it (the year is not a circle)."""
    found = []
    for direction in (-1, 1):
        for days in range(1, FURTHEST_DAYS + 1):
            there = hour + direction * days * 24
            if not 0 <= there < index.size:
                break
            if not missing[there] and np.isfinite(index[there]):
                found.append(float(index[there]))
                break
    return float(np.mean(found)) if found else float("nan")
