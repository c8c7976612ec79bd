"""Verdicts on a weather year, in words: impossible radiation, labels against the sun, components that do not close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding
from layers.weather_checks import MID_HOUR_MIN, SunTiming, mean_cos_zenith, upper_limits
from layers.weather_raw import RADIATION, Report, first_names, hour_names, limits

CLOSURE_SHARE = 0.05
"""Mean of |GHI - DHI - DNI cos z| over the mean of GHI from which on a file is said not to close."""
CENTRED_TOLERANCE_MIN = 15

_FEW_IMPOSSIBLE = 10
_LEAST_GHI_W_PER_M2 = 50.0
_LEAST_COS_ZENITH = 0.2588


@dataclass(frozen=True)
class Naming:
    """How hours of this file are called."""

    index: pd.DatetimeIndex
    typical: bool
    hour_end: bool

    def __call__(self, which: npt.NDArray[np.bool_]) -> str:
        return first_names(hour_names(self.index[which], typical=self.typical, hour_end=self.hour_end))


def lower_impossible(
    hours: pd.DataFrame, latitude: float, longitude: float, naming: Naming, report: Report
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """Set radiation above what is physically possible to the limit, and say so; many such hours are an error."""
    table, words, findings = hours.copy(), [], []
    for column, limit in upper_limits(latitude, longitude).items():
        if column not in hours.columns:
            continue
        values = table[column].to_numpy()
        above = values > limit
        if not above.any():
            continue
        count, named, worst = int(above.sum()), naming(above), float(values[above].max())
        name = str(limits().loc[column, "title"])
        few = count <= _FEW_IMPOSSIBLE
        findings.append(
            report(
                "warning" if few else "error",
                "radiation_impossible",
                named,
                f"{worst:g} W/m2",
                f"{name} is more than the sky can give in {count} hours"
                + (", which are set to the limit." if few else "."),
                "Look at these hours; use another file if the radiation matters there.",
            )
        )
        table.loc[above, column] = limit[above]
        words.append(f"{name} of {worst:g} W/m2 lowered to the physical limit {limit[above].max():.0f} ({named})")
    return table, words, findings


def timing_findings(timing: SunTiming, rows: int, minute: float | None, report: Report) -> list[Finding]:
    """What the sun says about the labels.

    Parameters
    ----------
    timing : SunTiming
    rows : int
        Hours by which radiation is moved.
    minute : float or None
        Where values stand that are turned into means of the hour; None if they are not.
    """
    opinion = (
        f"sun of GHI at {timing.minutes:+d} min after the start of the labelled hour (quarters of the year "
        f"{', '.join(f'{quarter:+d}' for quarter in timing.quarters)}; correlation {timing.correlation:.2f}; "
        f"symmetry of the days {timing.noon_minutes:+d})"
    )
    if np.isfinite(timing.closure_rms_w_per_m2):
        opinion += (
            f"; closure of the components at {timing.closure_minutes:+d} min ({timing.closure_rms_w_per_m2:.0f} W/m2)"
        )
    value = f"{timing.minutes:+d} min"
    if not timing.certain:
        remedy = "Labels are kept. Compare the file with a neighbouring station."
        return [report("warning", "labels_uncertain", "hour", value, f"the sun does not decide: {opinion}.", remedy)]
    found = []
    if rows:
        what = f"labels are {abs(rows)} h off: {opinion}. Radiation is moved by {rows:+d} rows."
        found.append(report("warning", "labels_off", "hour", value, what, "Nothing need be done."))
    rest = timing.after(rows) - MID_HOUR_MIN
    if abs(rest) > CENTRED_TOLERANCE_MIN:
        what = f"the values stand {rest:+d} min from mid-hour, which no whole hour mends: {opinion}. " + (
            "They are taken as readings at that moment and averaged over the hour, each day keeping its energy."
            if minute is not None
            else "South-facing yields change by less than 1 %, those of east and west faces by up to 10 %."
        )
        remedy = "Use a file of hourly means where east and west faces matter."
        found.append(report("warning", "labels_centred", "hour", f"{rest:+d} min", what, remedy))
    return found


def closure_findings(hours: pd.DataFrame, latitude: float, longitude: float, report: Report) -> list[Finding]:
    """Does GHI = DHI + DNI cos(zenith) hold with the sun at mid-hour?

    Looked at where the sun stands higher than 15 degrees and GHI exceeds 50 W/m2. ``closure``, a warning, from
    :data:`CLOSURE_SHARE` on; nothing is changed.
    """
    ghi, dni, dhi = (hours[name].to_numpy(float) for name in RADIATION)
    sun = mean_cos_zenith(latitude, longitude, float(MID_HOUR_MIN))
    day = (sun > _LEAST_COS_ZENITH) & (ghi > _LEAST_GHI_W_PER_M2)
    if not day.any():
        return []
    residual = (ghi - dhi - dni * sun)[day]
    share = float(np.abs(residual).mean() / ghi[day].mean())
    if share <= CLOSURE_SHARE:
        return []
    what = (
        f"GHI and DHI + DNI cos z differ by {share:.1%} of GHI on average (bias {residual.mean():+.0f} W/m2); up to "
        f"{CLOSURE_SHARE:.0%} is taken as closed. Nothing is changed."
    )
    remedy = "Tilted planes use all three components; prefer a source whose components belong together."
    return [report("warning", "closure", "components", f"{share:.3f}", what, remedy)]
