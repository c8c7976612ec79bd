"""Weather against the sun: when were the values measured, and which of them cannot be?

A file says "hour 9" and means the hour that ends at 9 o'clock, or the value at 8, or the hour from 7 to 8. The
sun decides: global irradiance over the year follows the sine of the sun's elevation, and the time offset at which
it follows best tells where in the labelled hour the values stand.

::

    label (start)                   next label
      |------------ hour -------------|
      -30 min       0        +30 min          where the sun of the values stands
    an hour off   centred     right           (``SunTiming.minutes``)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layers.contracts import WEATHER_HOURS

Hours = npt.NDArray[np.float64]

SOLAR_CONSTANT_W_PER_M2 = 1361.0
MID_HOUR_MIN = 30

_HOURS = 8760
_OFFSETS_MIN = np.arange(-150, 215, 5)
_LEAST_CORRELATION = 0.5
_AGREEING_QUARTERS = 3
_AGREEMENT_MIN = 30
_EDGE_TOLERANCE_H = 60
_BEAM_W_PER_M2 = 50.0
_ROLL_FROM = 0.75
"""Share of an hour from which on labels are moved; nearer to half an hour, moving would not help."""


@dataclass(frozen=True)
class SunTiming:
    """Where the sun of the values stands after the label (start of the hour) [min].

    ``minutes`` follows global irradiance over the year, ``quarters`` over each quarter of it; ``noon_minutes`` is a
    second opinion that looks at nothing but symmetry: where the middle of the day's energy stands at solar noon.
    ``edge_hours`` are the hours of the year in which there is light without sun or sun without light, at ``minutes``
    and at mid-hour: a third opinion, which no cloud can lead astray.
    ``closure_minutes`` is where GHI - DHI - DNI cos(zenith) is least. It only counts as information: a file whose DNI
    was computed from GHI and DHI carries there the sun of whoever computed it, not of the measurement.
    """

    minutes: int
    quarters: tuple[int, ...]
    correlation: float
    closure_minutes: int
    closure_rms_w_per_m2: float
    noon_minutes: int = 0
    edge_hours: tuple[int, int] = (0, 0)

    @property
    def certain(self) -> bool:
        """Whether GHI follows the sun at all, and three quarters of the year, the symmetry of the days and their edges
        agree with the year."""
        agreeing = sum(abs(quarter - self.minutes) <= _AGREEMENT_MIN for quarter in self.quarters)
        symmetric = abs(self.noon_minutes - self.minutes) <= _AGREEMENT_MIN
        edges = self.edge_hours[0] <= self.edge_hours[1] + _EDGE_TOLERANCE_H
        return self.correlation >= _LEAST_CORRELATION and agreeing >= _AGREEING_QUARTERS and symmetric and edges

    @property
    def whole_hours_off(self) -> int:
        """Hours by which values must move later (negative: earlier) to stand nearest to mid-hour; 0 if uncertain."""
        if not self.certain:
            return 0
        hours = (MID_HOUR_MIN - self.minutes) / 60.0
        # the sun is early (minutes < 0): the value belongs to the hour before, it moves one row up
        return -int(np.sign(hours) * np.floor(abs(hours) + 1.0 - _ROLL_FROM))

    def after(self, whole_hours: int) -> int:
        """Where the sun stands once the values have been moved by ``whole_hours`` rows."""
        return self.minutes - 60 * whole_hours


def mean_cos_zenith(latitude: float, longitude: float, offset_min: float) -> Hours:
    """Mean over one hour of the positive part of cos(zenith), for each hour of a common year.

    Parameters
    ----------
    latitude, longitude : float
        [degrees]
    offset_min : float
        Middle of the averaged hour after the label, which is the start of the hour in UTC+08:00 [min].

    Returns
    -------
    ndarray, shape (8760,)

    Notes
    -----
    With ``cos z = a + b cos w`` (w the hour angle, ``a = sin phi sin d``, ``b = cos phi cos d``) the mean over hour
    angles w1 to w2, cut off at sunrise and sunset, is ``(a (v2 - v1) + b (sin v2 - sin v1)) / (w2 - w1)``.
    Declination and equation of time are Spencer's, right to some 0.5 degrees and one minute: enough to tell
    offsets apart, not used for yields.
    """
    from pvlib.solarposition import declination_spencer71

    day = np.arange(_HOURS) // 24 + 1
    angle = _minutes_after_noon(longitude, offset_min) / 4.0
    w1, w2 = np.radians(angle - 7.5), np.radians(angle + 7.5)
    phi, declination = np.radians(latitude), declination_spencer71(day)
    a, b = np.sin(phi) * np.sin(declination), np.cos(phi) * np.cos(declination)
    sunset = np.arccos(np.clip(-a / b, -1.0, 1.0))
    v1, v2 = np.clip(w1, -sunset, sunset), np.clip(w2, -sunset, sunset)
    return np.asarray((a * (v2 - v1) + b * (np.sin(v2) - np.sin(v1))) / (w2 - w1), np.float64)


def detect_sun_timing(ghi: Hours, dni: Hours, dhi: Hours, latitude: float, longitude: float) -> SunTiming:
    """Where in the labelled hour the sun of the values stands.

    Parameters
    ----------
    ghi, dni, dhi : ndarray, shape (8760,)
        [W/m2], label = start of the hour in UTC+08:00 as the file has it. No NaN.
    latitude, longitude : float
        [degrees]

    Notes
    -----
    For offsets from -150 to +210 min in steps of 5, the mean of cos(zenith) over the hour is correlated with GHI;
    the offset of the highest correlation is the answer. Clouds lower the correlation, but shift its peak only if
    mornings and afternoons differ: by less than 10 min at stations of eastern China.
    """
    suns = np.array([mean_cos_zenith(latitude, longitude, float(offset)) for offset in _OFFSETS_MIN])
    year, correlation = _best_correlation(ghi, suns)
    parts = np.array_split(np.arange(_HOURS), 4)
    beam = dni > _BEAM_W_PER_M2
    closure = np.sqrt(np.mean((ghi[beam] - dhi[beam] - dni[beam] * suns[:, beam]) ** 2, axis=1)) if beam.any() else None
    best = 0 if closure is None else int(closure.argmin())
    return SunTiming(
        minutes=year,
        quarters=tuple(_best_correlation(ghi[part], suns[:, part])[0] for part in parts),
        correlation=correlation,
        closure_minutes=int(_OFFSETS_MIN[best]),
        closure_rms_w_per_m2=float("nan") if closure is None else float(closure[best]),
        noon_minutes=_noon_minutes(ghi, longitude),
        edge_hours=(_edge_hours(ghi, suns, year), _edge_hours(ghi, suns, MID_HOUR_MIN)),
    )


def _edge_hours(ghi: Hours, suns: Hours, minute: int) -> int:
    sun = suns[int(np.flatnonzero(minute == _OFFSETS_MIN)[0])]
    return int(((ghi > 0) != (sun > 0)).sum())


def _noon_minutes(ghi: Hours, longitude: float) -> int:
    """Where the sun of the values stands after the label if the day's energy is centred on solar noon [min]."""
    if not ghi.any():
        return 0
    return -round(float((ghi * _minutes_after_noon(longitude, 0.0)).sum() / ghi.sum()))


def _minutes_after_noon(longitude: float, offset_min: float) -> Hours:
    """Solar time of each hour's label plus ``offset_min`` [min after noon, -720 to 720], shape (8760,)."""
    from pvlib.solarposition import equation_of_time_spencer71

    hour = np.arange(_HOURS)
    solar_min = (hour % 24) * 60.0 + offset_min + 4.0 * (longitude - 120.0) + equation_of_time_spencer71(hour // 24 + 1)
    # into the day around noon, so that offsets over midnight wrap
    return np.asarray(solar_min % 1440.0 - 720.0, np.float64)


def _best_correlation(ghi: Hours, suns: Hours) -> tuple[int, float]:
    anomaly = ghi - ghi.mean()
    if not anomaly.any():
        return 0, 0.0
    centred = suns - suns.mean(axis=1, keepdims=True)
    correlation = centred @ anomaly / np.sqrt((centred**2).sum(axis=1) * (anomaly**2).sum())
    best = int(correlation.argmax())
    return int(_OFFSETS_MIN[best]), float(correlation[best])


def upper_limits(latitude: float, longitude: float) -> dict[str, Hours]:
    """Upper limit of what GHI, DNI and DHI can be, hour by hour [W/m2]: shape (8760,), by column name.

    The limits of the Baseline Surface Radiation Network for physically possible values, with the highest sun of the
    labelled hour and its neighbours (a label that is an hour off does not make good values impossible), and never more
    than an hourly mean can be, as the weather contract says::

        GHI <= 1.5 S mu^1.2 + 100      DHI <= 0.95 S mu^1.2 + 50      DNI <= S

    References
    ----------
    C. N. Long, E. G. Dutton, BSRN Global Network recommended QC tests V2.0, 2002.
    """
    high = np.maximum.reduce([mean_cos_zenith(latitude, longitude, offset) for offset in (-60.0, 0.0, 30.0, 60.0)])
    solar = SOLAR_CONSTANT_W_PER_M2 * (1.0 + 0.033 * np.cos(2.0 * np.pi * (np.arange(_HOURS) // 24 + 1) / 365.0))
    possible = {
        "ghi_w_per_m2": 1.5 * solar * high**1.2 + 100.0,
        "dni_w_per_m2": solar,
        "dhi_w_per_m2": 0.95 * solar * high**1.2 + 50.0,
    }
    return {name: np.minimum(limit, _contract_limit(name)) for name, limit in possible.items()}


def _contract_limit(column: str) -> float:
    limit = WEATHER_HOURS.columns[column].le
    assert limit is not None
    return limit
