"""Representative hours: some two dozen of the year's 8760, each with a weight, extremes always among them.

1. *Extremes* come first: highest and lowest net load (load less what wind and sun give), lowest load, highest PV,
   highest wind, and for each of the worst branches the hour of its highest DC loading.
2. The rest are *medoids*: hours that stand for hours like them in load, PV and wind, each scaled by its spread (PAM by
   alternation, started at the hours farthest apart, no randomness). Extremes are fixed centres, so that no medoid is
   spent beside them.
3. Every hour of the year belongs to its nearest centre; a centre's weight is the number of its hours.

What is lost is reported: the error of each mean, and the root mean square between the duration curve of the year and
that of the weighted hours.

References
----------
Kaufman and Rousseeuw, *Finding Groups in Data*, chapter 2 (k-medoids).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.plan.contracts import PLAN_HOURS, Floats, Ints

ALTERNATIONS = 50
NAMES = ("load", "pv", "wind")


@dataclass(frozen=True)
class HourError:
    """What the representative hours lose of one series: error of the mean [%] and of the duration curve (root mean
    square, by the series' highest value [%])."""

    series: str
    mean_percent: float
    duration_percent: float


@dataclass(frozen=True)
class RepresentativeHours:
    """``table`` follows :data:`grid.plan.contracts.PLAN_HOURS`, in the order of the hours."""

    table: pd.DataFrame
    errors: tuple[HourError, ...]

    @property
    def hours(self) -> Ints:
        return self.table["hour"].to_numpy(np.int64)

    @property
    def weights_h(self) -> Floats:
        return self.table["weight_h"].to_numpy(float)


def representative_hours(
    load_share: Floats,
    pv_share: Floats,
    wind_share: Floats,
    net_load_mw: Floats,
    loading_percent: Floats,
    branch_ids: Sequence[str],
    count: int,
    worst_branches: int = 6,
) -> RepresentativeHours:
    """Choose ``count`` hours (more, if there are more extremes).

    Parameters
    ----------
    load_share, pv_share, wind_share, net_load_mw
        Series of the year, shape (hours,).
    loading_percent
        Loading of each branch in each hour, shape (branches, hours); NaN or nothing where not known.
    branch_ids
        Names of the branches.
    """
    features = np.stack([load_share, pv_share, wind_share])
    spread = features.std(axis=1)
    scaled = features / np.where(spread > 0, spread, 1.0)[:, None]
    extremes = extreme_hours(load_share, pv_share, wind_share, net_load_mw, loading_percent, branch_ids, worst_branches)
    centres = _medoids(scaled, np.array(sorted(extremes), dtype=np.int64), min(count, scaled.shape[1]))
    label = _nearest(scaled, centres)
    weights = np.bincount(label, minlength=len(centres)).astype(float)
    order = np.argsort(centres, kind="stable")
    centres, weights = centres[order], weights[order]
    table = pd.DataFrame(
        {
            "point": [f"h{hour:04d}" for hour in centres.tolist()],
            "hour": centres,
            "weight_h": weights,
            "why": [extremes.get(hour, "medoid") for hour in centres.tolist()],
            "load_share": features[0, centres],
            "pv_share": features[1, centres],
            "wind_share": features[2, centres],
        }
    )
    errors = tuple(_error(n, row, row[centres], weights) for n, row in zip(NAMES, features, strict=True))
    return RepresentativeHours(PLAN_HOURS.validate(table), errors)


def extreme_hours(
    load_share: Floats,
    pv_share: Floats,
    wind_share: Floats,
    net_load_mw: Floats,
    loading_percent: Floats,
    branch_ids: Sequence[str],
    worst_branches: int,
) -> dict[int, str]:
    """Hours that are always in, each with all its reasons."""
    found = [
        (int(net_load_mw.argmax()), "highest net load"),
        (int(net_load_mw.argmin()), "highest export"),
        (int(load_share.argmin()), "lowest load"),
        (int(pv_share.argmax()), "highest PV"),
        (int(wind_share.argmax()), "highest wind"),
    ]
    if loading_percent.size:
        peaks = np.nan_to_num(loading_percent).max(axis=1)
        for row in np.argsort(-peaks, kind="stable")[:worst_branches].tolist():
            if peaks[row] > 0:
                found.append((int(np.nanargmax(loading_percent[row])), f"highest loading of {branch_ids[row]}"))
    reasons: dict[int, list[str]] = {}
    for hour, why in found:
        reasons.setdefault(hour, []).append(why)
    return {hour: "; ".join(why) for hour, why in reasons.items()}


def _medoids(scaled: Floats, fixed: Ints, count: int) -> Ints:
    """Fixed centres and medoids, ``count`` together."""
    chosen = fixed.tolist()
    nearest = np.full(scaled.shape[1], np.inf)
    for centre in chosen:
        nearest = np.minimum(nearest, _distance(scaled, centre))
    while len(chosen) < count and nearest.max() > 0:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distance(scaled, chosen[-1]))
    centres, free = np.array(chosen), np.arange(len(fixed), len(chosen))
    for _ in range(ALTERNATIONS):
        label = _nearest(scaled, centres)
        moved = centres.copy()
        for k in free.tolist():
            members = np.flatnonzero(label == k)
            # of all members, the one nearest to their mean: the medoid of squared distances
            mean = scaled[:, members].mean(axis=1, keepdims=True)
            moved[k] = members[int(((scaled[:, members] - mean) ** 2).sum(axis=0).argmin())]
        if (moved == centres).all():
            break
        centres = moved
    return np.unique(centres)


def _distance(scaled: Floats, centre: int) -> Floats:
    return np.asarray(((scaled - scaled[:, [centre]]) ** 2).sum(axis=0), dtype=np.float64)


def _nearest(scaled: Floats, centres: Ints) -> Ints:
    gaps = ((scaled[:, :, None] - scaled[:, None, centres]) ** 2).sum(axis=0)
    return np.asarray(gaps.argmin(axis=1), dtype=np.int64)


def _error(name: str, series: Floats, values: Floats, weights: Floats) -> HourError:
    mean = series.mean()
    error = 100 * ((values @ weights) / weights.sum() - mean) / mean if mean else 0.0
    order = np.argsort(-values, kind="stable")
    steps = np.repeat(values[order], weights[order].astype(int))
    curve = np.sort(series)[::-1]
    top = max(float(np.abs(series).max()), 1e-12)
    return HourError(name, float(error), float(100 * np.sqrt(((steps - curve) ** 2).mean()) / top))
