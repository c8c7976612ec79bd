"""N-1: every line circuit and every transformer unit out once, by AC load flow, with an honest status each.

*secure* means: a solution exists, no load is cut off, and no limit of :mod:`grid.limits` (after an outage) is
broken. Generation that is cut off with a radial element is no breach by itself. An outage without a solution is
insecure. A bus or branch that stands exactly at its limit in the intact network has 0.001 pu or 1 % of room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from grid.admittance import Floats
from grid.contracts import OUTAGES, Status
from grid.engine import Engine, Solution
from grid.limits import LimitSettings, nominal_limits, row_values, rows_of

Progress = Callable[[str, float], None]
Watch = Callable[[str, Solution], None]
LOST_LOAD_ROOM_MW = 1e-6


def n_1_analysis(
    engine: Engine,
    base: Solution,
    settings: LimitSettings,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> pd.DataFrame:
    """Table :data:`grid.contracts.OUTAGES` of one case, lines then transformers in table order.

    Parameters
    ----------
    engine
        Engine of the case.
    base
        Solution of the intact network; every outage starts from it, then from DC angles, then flat.
    settings
        Limits after an outage.
    progress
        Called about every fifty outages.
    watch
        Called with every outage and the state after it.
    """
    limits = outage_limits(engine, base, settings)
    records = []
    elements = engine.model.element_ids
    for k, element in enumerate(elements):
        state = engine.solve(outage=element, start=base.voltage)
        records.append((engine.case.id, element, *_judge(engine, state, k, limits)))
        if watch:
            watch(element, state)
        if progress and (k + 1) % 50 == 0:
            progress(f"N-1 {engine.case.id}", (k + 1) / len(elements))
    if not records:
        return OUTAGES.empty()
    return pd.DataFrame(records, columns=list(OUTAGES.columns))


def outage_limits(engine: Engine, base: Solution, settings: LimitSettings) -> Floats:
    """Limits after an outage, with slack where the intact network stands at the limit; shape (rows,)."""
    rows = rows_of(engine.model)
    nominal = nominal_limits(engine.model, settings, after_outage=True)
    slack = np.full(rows.count, settings.base_slack_percent)
    slack[rows.high] = settings.base_slack_pu
    slack[rows.low] = settings.base_slack_pu
    at_limit = np.abs(state_values(engine, base, -1) - nominal) <= slack
    return np.asarray(np.where(at_limit, nominal + slack, nominal), dtype=np.float64)


def state_values(engine: Engine, state: Solution, branch: int) -> Floats:
    """Row values of one solved state, shape (rows,)."""
    dead = np.isnan(state.vm_pu)[:, None]
    voltage = np.where(dead, 1.0, state.voltage[:, None])
    return np.asarray(row_values(engine.model, voltage, np.array([branch]), dead)[:, 0], dtype=np.float64)


def _judge(engine: Engine, state: Solution, branch: int, limits: Floats) -> tuple[Any, ...]:
    """The row of one outage, without case and name."""
    if state.status is Status.DIVERGED:
        return Status.DIVERGED.value, 0.0, 0.0, np.nan, "", np.nan, "", np.nan, "", False
    broken = bool((state_values(engine, state, branch) > limits).any())
    lost_load = max(0.0, state.lost_load_mw)
    secure = not broken and lost_load <= LOST_LOAD_ROOM_MW
    return (
        state.status.value,
        lost_load,
        max(0.0, state.lost_generation_mw),
        *extremes(engine, state),
        secure,
    )


def extremes(engine: Engine, state: Solution) -> tuple[float, str, float, str, float, str]:
    """(highest loading, where, lowest voltage, where, highest voltage, where); NaN and '' where all is off."""
    loading, element = _best(state.loading_percent, engine.model.element_ids)
    lowest, low_bus = _best(-state.vm_pu, engine.model.bus_ids)
    highest, high_bus = _best(state.vm_pu, engine.model.bus_ids)
    return loading, element, -lowest, low_bus, highest, high_bus


def _best(values: Floats, names: tuple[str, ...]) -> tuple[float, str]:
    if not np.isfinite(values).any():
        return np.nan, ""
    k = int(np.nanargmax(values))
    return float(values[k]), names[k]
