"""Checks that the grades ask for: voltage deviation (GB/T 12325), breaker margin, harmonics (GB/T 14549).

They judge values that a network study found; nothing is solved here. :func:`check_states` turns the results into the
``passed``, ``failed`` and ``open`` of the rule book's equipment tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from grid.rulebook.book import RuleOverride, formula, rules, table_rows, weakest
from grid.rulebook.formulas import filled, joined
from grid.rulebook.inputs import CHECK_STATES, InputTable, fault, typed
from grid.standards_tables import standard_table
from layers.contracts import FindingLog
from layers.tables import Table, column

RULES = ("gbt12325", "gbt14549", "short-circuit")
ROUNDING = 1e-9

_BUS = {
    "bus_id": column(str, "", "bus", unique=True),
    "vn_kv": column(float, "kV", "nominal voltage", gt=0),
}
VOLTAGES = InputTable(
    Table(
        "voltages",
        "Lowest and highest voltage of each bus over the hours and cases looked at.",
        {
            **_BUS,
            "vm_min_pu": column(
                float, "pu", "lowest voltage on the nominal one; empty: not known", nullable=True, gt=0
            ),
            "vm_max_pu": column(float, "pu", "highest voltage; empty: not known", nullable=True, gt=0),
        },
    ),
    {},
)
CURRENTS = InputTable(
    Table(
        "short-circuit currents",
        "Initial short-circuit currents of each bus with everything connected.",
        {**_BUS, "ik_3ph_ka": column(float, "kA", "three-phase; empty: not known", nullable=True, ge=0)},
        optional={
            "ik_1ph_ka": column(float, "kA", "single-phase to ground; empty: not known", nullable=True, ge=0),
            "breaker_ka": column(float, "kA", "rated breaking current; empty: planning value", nullable=True, gt=0),
        },
    ),
    {"ik_1ph_ka": math.nan, "breaker_ka": math.nan},
)
DISTORTIONS = InputTable(
    Table(
        "voltage distortions",
        "Total harmonic distortion of the voltage at each bus.",
        {**_BUS, "thd_percent": column(float, "%", "distortion; empty: not known", nullable=True, ge=0)},
    ),
    {},
)
RESULT_CHECKS = Table(
    "power_quality",
    "One row a bus and check.",
    {
        "bus_id": column(str, "", "bus"),
        "check": column(
            str,
            "",
            "check",
            isin=("voltage_check", "short_circuit_3ph_check", "short_circuit_1ph_check", "harmonics_check"),
        ),
        "rule": column(str, "", "rule", isin=RULES),
        "state": column(str, "", "passed, failed, or open where the value is not known", isin=CHECK_STATES),
        "margin": column(float, "% or kA", "room to the limit; negative: broken; NaN: not known", nullable=True),
        "limit_origin": column(str, "", "where the limit comes from"),
        "formula_zh": column(str, "", "formula with the numbers filled in"),
        "formula_en": column(str, "", "formula with the numbers filled in"),
        "clause": column(str, "", "clause"),
        "confidence": column(str, "", "how sure we are of the limit", isin=("A", "B", "C")),
    },
)


def voltage_deviation_percent(vm_min_pu: float, vm_max_pu: float) -> tuple[float, float, float]:
    """Lower and upper deviation [%] and what GB/T 12325 counts at 35 kV and above.

    Deviations of opposite sign count by the sum of their absolute values; of one sign, by the larger absolute value.

    >>> [round(v, 6) for v in voltage_deviation_percent(0.97, 1.05)]
    [-3.0, 5.0, 8.0]
    >>> [round(v, 6) for v in voltage_deviation_percent(1.02, 1.09)]
    [2.0, 9.0, 9.0]
    """
    low, high = (vm_min_pu - 1) * 100, (vm_max_pu - 1) * 100
    one_sign = low * high > 0
    return low, high, max(abs(low), abs(high)) if one_sign else abs(low) + abs(high)


def check_voltage_deviation(voltages: pd.DataFrame, *, file: str = "") -> pd.DataFrame:
    """Voltage deviation of each bus against GB/T 12325; columns in :data:`VOLTAGES` and :data:`RESULT_CHECKS`."""
    log = FindingLog()
    table = typed(voltages, VOLTAGES, log, file)
    for row in table.to_dict("records"):
        if row["vm_min_pu"] > row["vm_max_pu"]:
            where = (file, VOLTAGES.table.name)
            value = f"[{row['vm_min_pu']:g}, {row['vm_max_pu']:g}]"
            text = "the lowest voltage is above the highest."
            fault(log, "interval", where, str(row["bus_id"]), value, text, "Swap or correct them.")
    limits = _limits(table, "gbt12325", log, (file, VOLTAGES.table.name))
    log.raise_errors()
    return _result([_voltage_row(row, limits[row["vn_kv"]]) for row in table.to_dict("records")])


def check_harmonics(distortions: pd.DataFrame, *, file: str = "") -> pd.DataFrame:
    """Total harmonic distortion of each bus against GB/T 14549."""
    log = FindingLog()
    table = typed(distortions, DISTORTIONS, log, file)
    limits = _limits(table, "gbt14549", log, (file, DISTORTIONS.table.name))
    log.raise_errors()
    rows = []
    for row in table.to_dict("records"):
        limit = limits[row["vn_kv"]]
        margin = float(limit["high_percent"]) - row["thd_percent"]
        worked = filled(formula("gbt14549", "thd"), thd=row["thd_percent"])
        rows.append(_line(row, "harmonics_check", "gbt14549", margin, limit["source"], worked, limit))
    return _result(rows)


def check_breakers(currents: pd.DataFrame, overrides: Sequence[RuleOverride] = (), *, file: str = "") -> pd.DataFrame:
    """Three- and single-phase currents against the breakers: at most ``breaker_share`` of the breaking current.

    A bus without ``breaker_ka`` takes the planning value of its level (``grid/standards/short_circuit.csv``).
    """
    log = FindingLog()
    table = typed(currents, CURRENTS, log, file)
    share = rules("short-circuit", overrides, file=file, log=log)["breaker_share"]
    planning = standard_table("short_circuit").set_index("vn_kv")
    for row in table.to_dict("records"):
        if math.isnan(row["breaker_ka"]) and row["vn_kv"] not in planning.index:
            where, text = (file, CURRENTS.table.name), "no planning value for the breakers of this level."
            fault(log, "breaker", where, str(row["bus_id"]), row["vn_kv"], text, "Give breaker_ka.")
    log.raise_errors()
    rows = []
    for row in table.to_dict("records"):
        breaker, origin, sure = row["breaker_ka"], "given", "A"
        if math.isnan(breaker):
            standard = planning.loc[row["vn_kv"]]
            breaker, origin, sure = float(standard["limit_ka"]), str(standard["source"]), str(standard["confidence"])
        limit = {"clause": share.clause, "confidence": weakest((sure, share.confidence))}
        for phases in ("3ph", "1ph"):
            ik = row[f"ik_{phases}_ka"]
            margin = share.value * breaker - ik
            worked = filled(
                formula("short-circuit", "margin"), share=share.value, breaker=breaker, ik=ik, margin=margin
            )
            rows.append(_line(row, f"short_circuit_{phases}_check", "short-circuit", margin, origin, worked, limit))
    return _result(rows)


def check_states(checks: pd.DataFrame, equipment_of_bus: Mapping[str, str]) -> pd.DataFrame:
    """State of each check of each equipment: failed if it fails at any bus, open if it is open at any.

    Parameters
    ----------
    checks : DataFrame
        Rows of :data:`RESULT_CHECKS`, of one check or several.
    equipment_of_bus : mapping
        Bus id -> equipment id; other buses are left out.

    Returns
    -------
    DataFrame
        Index ``equipment_id`` (sorted), one column a check; checks that were not made for an equipment are ``open``.
    """
    rank = {"passed": 0, "open": 1, "failed": 2}
    rows = checks.assign(equipment_id=checks["bus_id"].map(equipment_of_bus), rank=checks["state"].map(rank))
    worst = rows.dropna(subset="equipment_id").groupby(["equipment_id", "check"])["rank"].max().unstack()
    names = {float(place): name for name, place in rank.items()}
    states = {str(name): worst[name].fillna(rank["open"]).astype(float).map(names) for name in worst.columns}
    return pd.DataFrame(states, index=worst.index).sort_index()


def _limits(table: pd.DataFrame, rule: str, log: FindingLog, where: tuple[str, str]) -> dict[float, Mapping[str, str]]:
    found: dict[float, Mapping[str, str]] = {}
    for vn_kv in dict.fromkeys(table["vn_kv"]):
        rows = [row for row in table_rows("power_quality") if row["rule"] == rule and _covers(row, vn_kv)]
        if rows:
            found[vn_kv] = rows[0]
        elif vn_kv > 0:
            text = "the standard names no limit for this level."
            fault(log, "level", where, f"vn_kv {vn_kv:g}", float(vn_kv), text, "Leave the bus out, or correct vn_kv.")
    return found


def _covers(row: Mapping[str, str], vn_kv: float) -> bool:
    return float(row["vn_from_kv"] or 0) <= vn_kv <= float(row["vn_to_kv"] or math.inf)


def _voltage_row(row: Mapping[Any, Any], limit: Mapping[str, str]) -> dict[str, Any]:
    low, high, measure = voltage_deviation_percent(row["vm_min_pu"], row["vm_max_pu"])
    worked = [
        filled(formula("gbt12325", "one_sided"), v_min=row["vm_min_pu"], v_max=row["vm_max_pu"], low=low, high=high)
    ]
    if limit["method"] == "sum":
        margin = float(limit["sum_percent"]) - measure
        name = "same_sign" if low * high > 0 else "sum"
        worked.append(filled(formula("gbt12325", name), low=low, high=high, measure=measure))
    else:
        margin = min(float(limit["high_percent"]) - high, low - float(limit["low_percent"]))
    return _line(row, "voltage_check", "gbt12325", margin, limit["source"], joined(worked), limit)


def _line(
    row: Mapping[Any, Any],
    check: str,
    rule: str,
    margin: float,
    origin: str,
    worked: Any,
    limit: Mapping[str, str],
) -> dict[str, Any]:
    known = not math.isnan(margin)
    return {
        "bus_id": row["bus_id"],
        "check": check,
        "rule": rule,
        "state": "open" if not known else "passed" if margin >= -ROUNDING else "failed",
        "margin": margin,
        "limit_origin": origin,
        "formula_zh": worked.text_zh if known else "",
        "formula_en": worked.text_en if known else "",
        "clause": limit["clause"],
        "confidence": limit["confidence"],
    }


def _result(rows: list[dict[str, Any]]) -> pd.DataFrame:
    if not rows:
        return RESULT_CHECKS.empty()
    return RESULT_CHECKS.validate(pd.DataFrame(rows)[list(RESULT_CHECKS.columns)])
