"""The typical hour of DL/T 2041-2025: a working day in spring or autumn, noon, largest distributed output."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.rulebook.book import RULE_2025, RuleOverride, rules


def is_candidate(
    hours: pd.DatetimeIndex,
    holidays: Sequence[date] = (),
    working_weekends: Sequence[date] = (),
    overrides: Sequence[RuleOverride] = (),
) -> npt.NDArray[np.bool_]:
    """Which hours may be the typical one.

    Parameters
    ----------
    hours : DatetimeIndex, length n
        Labels at the start of the hour, local standard time.
    holidays, working_weekends : sequence of date
        Public holidays, and weekend days that are worked in exchange; the edition names no calendar.
    overrides : sequence of RuleOverride
        Other months or hours: ``spring_from_month``, ``noon_to_hour``, ...

    Returns
    -------
    array of bool, shape (n,)
    """
    figure = {name: rule.value for name, rule in rules(RULE_2025, overrides).items()}
    month, hour = hours.month.to_numpy(), hours.hour.to_numpy()
    spring = (month >= figure["spring_from_month"]) & (month <= figure["spring_to_month"])
    autumn = (month >= figure["autumn_from_month"]) & (month <= figure["autumn_to_month"])
    noon = (hour >= figure["noon_from_hour"]) & (hour < figure["noon_to_hour"])
    weekday = hours.dayofweek.to_numpy() < 5
    works = (weekday & ~_falls_on(hours, holidays)) | _falls_on(hours, working_weekends)
    return np.asarray((spring | autumn) & noon & works)


def _falls_on(hours: pd.DatetimeIndex, days: Sequence[date]) -> npt.NDArray[np.bool_]:
    wanted = {day.toordinal() for day in days}
    return np.array([day.toordinal() in wanted for day in hours.date], dtype=bool)


def typical_hour(
    hours: pd.DatetimeIndex,
    dg_output_mw: npt.NDArray[np.float64],
    holidays: Sequence[date] = (),
    working_weekends: Sequence[date] = (),
    overrides: Sequence[RuleOverride] = (),
) -> npt.NDArray[np.int64]:
    """Position of the typical hour of each supply area: the first of the largest outputs among the candidates.

    Parameters
    ----------
    dg_output_mw : array, shape (n,) or (n, areas)
        Output of distributed generation; NaN hours are left out.

    Returns
    -------
    array of int, shape () or (areas,)
        -1 where there is no candidate hour with a known output.
    """
    allowed = is_candidate(hours, holidays, working_weekends, overrides)
    output = np.where(np.isnan(dg_output_mw), -np.inf, dg_output_mw)
    output = np.where(allowed.reshape((-1,) + (1,) * (output.ndim - 1)), output, -np.inf)
    return np.where(np.isneginf(output.max(axis=0)), -1, output.argmax(axis=0))
