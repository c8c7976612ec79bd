"""Weather in other steps, and readings turned into means: energy is kept.

A mean over an interval times its length is an energy. Resampling lays the same energy into other intervals; all
columns are treated by one linear rule, so that what peaks together still peaks together and the sum of resampled
series is the resampled sum.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.weather_checks import MID_HOUR_MIN, mean_cos_zenith
from layers.weather_raw import ticks

Floats = npt.NDArray[np.float64]

_LOW_SUN = 0.02
_MOST_CLEARNESS = 1.2


def resample_mean(values: pd.DataFrame, to: pd.Timedelta, *, origin: pd.Timestamp | None = None) -> pd.DataFrame:
    """Means over intervals of another length.

    Parameters
    ----------
    values : DataFrame
        Means over equal intervals, label = start; regular DatetimeIndex. NaN is unknown.
    to : Timedelta
        The new length, longer or shorter, whole multiple or not.
    origin : Timestamp, optional
        A start of one of the new intervals; the first label by default.

    Returns
    -------
    DataFrame
        Whole new intervals inside the old span. NaN where any part of the new interval is unknown.

    Notes
    -----
    With the running energy ``E(t)`` of the series, piecewise linear in ``t``, the mean over (a, b) is
    ``(E(b) - E(a)) / (b - a)``: what goes in comes out. Shorter intervals repeat the mean of the longer one, see
    :func:`spread_by_sun` for radiation.
    """
    index = pd.DatetimeIndex(values.index)
    old = _step(index)
    start, end = index[0], index[-1] + old
    zero = start if origin is None else origin
    first = zero + to * int(np.ceil((start - zero) / to))
    count = int((end - first) // to)
    edges = np.arange(count + 1) * (to / old) + (first - start) / old  # in old steps
    known = np.isfinite(values.to_numpy(float))
    filled = np.where(known, values.to_numpy(float), 0.0)
    running = np.vstack([np.zeros(filled.shape[1]), np.cumsum(filled, axis=0)])
    gaps = np.vstack([np.zeros(filled.shape[1]), np.cumsum(~known, axis=0)])
    place = np.arange(len(index) + 1)
    result = np.column_stack([np.diff(np.interp(edges, place, column)) for column in running.T]) / (to / old)
    holes = np.column_stack([np.diff(np.interp(edges, place, column)) for column in gaps.T])
    result[holes > 1e-9] = np.nan
    labels = pd.date_range(first, periods=count, freq=to) if count > 0 else index[:0]
    return pd.DataFrame(result[: len(labels)], index=labels, columns=values.columns)


def spread_by_sun(
    values: pd.DataFrame, to: pd.Timedelta, latitude: float, longitude: float, *, by_sun: tuple[str, ...]
) -> pd.DataFrame:
    """Means over shorter intervals: columns ``by_sun`` follow the sine of the sun's elevation, the others repeat.

    Each old interval keeps its energy in every column. Where an old interval holds light and no sun, it is spread
    evenly.

    Parameters
    ----------
    values : DataFrame
        As in :func:`resample_mean`, with a zone.
    to : Timedelta
        A whole part of the old length.
    latitude, longitude : float
        [degrees]
    """
    from pvlib.solarposition import get_solarposition

    parts = round(_step(pd.DatetimeIndex(values.index)) / to)
    fine = resample_mean(values, to)
    zenith = get_solarposition(pd.DatetimeIndex(fine.index) + to / 2, latitude, longitude)["zenith"].to_numpy()
    sun = np.maximum(np.cos(np.radians(zenith)), 0.0).reshape(-1, parts)
    mean = sun.mean(axis=1, keepdims=True)
    share = np.where(mean > 1e-4, sun / np.maximum(mean, 1e-4), 1.0).ravel()
    for name in by_sun:
        fine[name] = fine[name].to_numpy() * share
    return fine


def means_from_readings(
    ghi: Floats, dhi: Floats, dni: Floats, latitude: float, longitude: float, minute: float
) -> tuple[Floats, Floats, Floats]:
    """Means of the hour from values that stand ``minute`` after the start of the hour.

    Parameters
    ----------
    ghi, dhi, dni : ndarray, shape (8760,)
        [W/m2]; no NaN.
    latitude, longitude : float
        [degrees]
    minute : float
        Where the sun of the values stands after the label: 0 for readings on the hour, 10 for stamps hh:10.

    Returns
    -------
    ghi, dhi, dni : ndarray, shape (8760,)
        Means of the hour; they close with the mean of cos(zenith): ``ghi = dhi + dni cos z``.

    Notes
    -----
    The share of the extraterrestrial sun that reaches the ground, ``k = G / cos z``, is interpolated to mid-hour
    between its two neighbours and multiplied by the hour's mean of cos(zenith); each day is then scaled to the energy
    of its readings (trapezoids and midpoints of a closed day agree). DNI is the beam on the horizontal divided by the
    mean of cos(zenith), at most what the neighbouring hours have; what is above that goes to diffuse.
    """
    at = mean_cos_zenith(latitude, longitude, minute)
    mid = mean_cos_zenith(latitude, longitude, float(MID_HOUR_MIN))
    global_ = _shifted(ghi, at, mid, minute)
    diffuse = np.minimum(_shifted(dhi, at, mid, minute), global_)
    near = np.maximum.reduce([np.roll(dni, 1), dni, np.roll(dni, -1)])
    up = mid > _LOW_SUN
    beam = np.divide(global_ - diffuse, mid, out=np.zeros_like(mid), where=up)
    normal = np.minimum(np.maximum(beam, 0.0), near)
    return global_, global_ - normal * np.where(up, mid, 0.0), normal


def _shifted(values: Floats, at: Floats, mid: Floats, minute: float) -> Floats:
    lit = at > _LOW_SUN
    clearness = np.where(lit, np.minimum(values / np.maximum(at, _LOW_SUN), _MOST_CLEARNESS * 1361.0), np.nan)
    towards = 1 if minute <= MID_HOUR_MIN else -1
    weight = abs(MID_HOUR_MIN - minute) / 60.0
    other = np.roll(clearness, -towards)
    here = np.where(np.isnan(clearness), other, clearness)
    there = np.where(np.isnan(other), here, other)
    moved = np.nan_to_num((1 - weight) * here + weight * there) * mid
    days = values.reshape(-1, 24).sum(axis=1)
    now = moved.reshape(-1, 24).sum(axis=1)
    scale = np.divide(days, now, out=np.ones_like(days), where=now > 0)
    return np.asarray(moved * np.repeat(scale, 24))


def _step(index: pd.DatetimeIndex) -> pd.Timedelta:
    steps = np.unique(np.diff(ticks(index)))
    if steps.size != 1:
        raise ValueError("the series has no single step")
    return pd.Timedelta(int(steps[0]), unit="ns")
