"""Checks that solved cases answer: voltage deviation of the buses below a transformer, loading of its units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from grid.rulebook.book import graded_voltage_kv, table_rows
from grid.rulebook.power_quality import check_states, check_voltage_deviation

_FULL_PERCENT = 100.0 + 1e-9


@dataclass(frozen=True)
class CheckedState:
    """Voltages [pu] by bus and loadings [%] by transformer unit of one solved case; NaN or absent: not known."""

    vm_pu: Mapping[str, float] = field(default_factory=dict)
    loading_percent: Mapping[str, float] = field(default_factory=dict)


def checks_of_states(
    states: Sequence[CheckedState],
    vn_kv: Mapping[str, float],
    of_bus: Mapping[str, str],
    units_of: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """State of the checks of each equipment over all cases.

    Parameters
    ----------
    vn_kv, of_bus : mapping
        Bus -> base voltage [kV]; bus -> equipment that feeds it.
    units_of : mapping
        Equipment -> its units.

    Returns
    -------
    DataFrame
        ``equipment_id``, ``voltage_check`` (GB/T 12325 at every bus that it feeds), ``thermal_check`` (its units within
        their ratings): passed, failed, or open where something is not known.
    """
    voltage = _voltage_states(states, vn_kv, of_bus)
    rows = []
    for item, units in units_of.items():
        percent = [state.loading_percent.get(unit, math.nan) for state in states for unit in units]
        rows.append((item, voltage.get(item, "open"), _loading_state(percent)))
    return pd.DataFrame(rows, columns=["equipment_id", "voltage_check", "thermal_check"], dtype=object)


def _loading_state(percent: Sequence[float]) -> str:
    if any(value > _FULL_PERCENT for value in percent):
        return "failed"
    return "open" if not percent or any(math.isnan(value) for value in percent) else "passed"


def _voltage_states(
    states: Sequence[CheckedState], vn_kv: Mapping[str, float], of_bus: Mapping[str, str]
) -> dict[str, str]:
    rows = []
    for bus in of_bus:
        level = graded_voltage_kv(vn_kv[bus])
        if not _has_limit(level):
            continue
        seen = [state.vm_pu.get(bus, math.nan) for state in states]
        known = bool(seen) and all(math.isfinite(v) for v in seen)
        low, high = (min(seen), max(seen)) if known else (math.nan, math.nan)
        rows.append((bus, level, low, high))
    if not rows:
        return {}
    table = pd.DataFrame(rows, columns=["bus_id", "vn_kv", "vm_min_pu", "vm_max_pu"])
    found = check_states(check_voltage_deviation(table), of_bus)["voltage_check"]
    return {str(item): str(state) for item, state in found.items()}


def _has_limit(vn_kv: float) -> bool:
    limits = [row for row in table_rows("power_quality") if row["rule"] == "gbt12325"]
    return any(float(row["vn_from_kv"] or 0) <= vn_kv <= float(row["vn_to_kv"] or math.inf) for row in limits)
