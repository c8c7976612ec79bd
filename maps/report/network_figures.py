"""Tables that the report works out from the load flow of a run: severity of outages, voltage bands, ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.standards_tables import capacity_load_ratio
from maps.run_tables import RunTables, Sheet, number

GROWTH_PERCENT = 5.0
"""Yearly growth of load for which the band of the capacity-load ratio is shown: the standard's lowest class."""

_SEVERITY = ("diverged", "lost_load", "limit", "split", "secure")


def element_classes(run: RunTables) -> dict[str, str]:
    """Class of every line (``line/220``) and transformer (``transformer/220/110``) of the network tables."""
    if run.network_buses is None:
        return {}
    level = dict(zip(run.network_buses.texts("bus_id"), run.network_buses.numbers("vn_kv").tolist(), strict=True))
    classes: dict[str, str] = {}
    if run.network_lines is not None:
        for name, bus in zip(run.network_lines.texts("line_id"), run.network_lines.texts("from_bus"), strict=True):
            classes[name] = f"line/{level.get(bus, float('nan')):g}"
    if run.network_transformers is not None:
        table = run.network_transformers
        ends = zip(table.texts("transformer_id"), table.texts("hv_bus"), table.texts("lv_bus"), strict=True)
        for name, upper, lower in ends:
            classes[name] = f"transformer/{level.get(upper, float('nan')):g}/{level.get(lower, float('nan')):g}"
    return classes


def outage_severity(run: RunTables) -> pd.DataFrame | None:
    """Every outage with its class, the state of the same element and bus before it, and its rank by severity.

    Order: diverged; load lost (most first); a limit broken; split without loss of load; secure. Within each, the
    highest loading first, then the lowest voltage. ``loading_change_percent`` is in percentage points.
    """
    if run.outages is None:
        return None
    table, classes = run.outages, element_classes(run)
    loading = _state(run.branches, "element", "loading_percent")
    voltage = _state(run.buses, "bus_id", "vm_pu")
    kinds = _kinds(run.branches)
    rows = []
    for row in range(len(table)):
        cell = {c: table.cell(row, c) for c in ("case", "outage", "status", "loading_max_element", "vm_min_bus")}
        after, lowest = number(table.cell(row, "loading_max_percent")), number(table.cell(row, "vm_min_pu"))
        before = loading.get((cell["case"], cell["loading_max_element"]), float("nan"))
        lowest_before = voltage.get((cell["case"], cell["vm_min_bus"]), float("nan"))
        lost = number(table.cell(row, "lost_load_mw"))
        secure = table.cell(row, "secure") in ("True", "true")
        rows.append({
            "case": cell["case"], "outage": cell["outage"],
            "class": classes.get(cell["outage"], kinds.get(cell["outage"], "line")),
            "severity": _severity(cell["status"], lost, secure), "status": cell["status"], "secure": secure,
            "lost_load_mw": lost, "lost_generation_mw": number(table.cell(row, "lost_generation_mw")),
            "loading_max_element": cell["loading_max_element"], "loading_max_percent": after,
            "loading_before_percent": before, "loading_change_percent": after - before,
            "vm_min_bus": cell["vm_min_bus"], "vm_min_pu": lowest, "vm_before_pu": lowest_before,
            "vm_change_pu": lowest - lowest_before, "vm_max_pu": number(table.cell(row, "vm_max_pu")),
        })  # fmt: skip
    return _ranked(pd.DataFrame(rows))


def _state(sheet: Sheet | None, name: str, column: str) -> dict[tuple[str, str], float]:
    """Base state by case and element."""
    if sheet is None:
        return {}
    at = zip(sheet.texts("case"), sheet.texts(name), strict=True)
    return dict(zip(at, sheet.numbers(column).tolist(), strict=True))


def _kinds(branches: Sheet | None) -> dict[str, str]:
    return {} if branches is None else dict(zip(branches.texts("element"), branches.texts("kind"), strict=True))


def _severity(status: str, lost_load_mw: float, secure: bool) -> str:
    if status == "diverged":
        return "diverged"
    if lost_load_mw > 0:
        return "lost_load"
    if not secure:
        return "limit"
    return "split" if status == "split" else "secure"


def _ranked(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    order = np.lexsort((
        np.nan_to_num(table["vm_min_pu"].to_numpy(float), nan=-np.inf),
        -np.nan_to_num(table["loading_max_percent"].to_numpy(float), nan=np.inf),
        -np.nan_to_num(table["lost_load_mw"].to_numpy(float)),
        table["severity"].map(_SEVERITY.index).to_numpy(),
    ))  # fmt: skip
    ranked = table.iloc[order].reset_index(drop=True)
    ranked.insert(0, "rank", np.arange(1, len(ranked) + 1))
    return ranked


def outage_classes(severity: pd.DataFrame | None) -> pd.DataFrame | None:
    """Outages by class and case: how they ended and the worst that they led to."""
    if severity is None or severity.empty:
        return None
    rows = []
    for (kind, case), own in severity.groupby(["class", "case"], sort=False):
        rows.append({
            "class": kind, "case": case, "outages": len(own),
            **{name: int((own["status"] == name).sum()) for name in ("solved", "split", "diverged")},
            "insecure": int((~own["secure"]).sum()),
            "loading_max_percent": own["loading_max_percent"].max(), "vm_min_pu": own["vm_min_pu"].min(),
            "lost_load_max_mw": own["lost_load_mw"].max(),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    order = sorted(range(len(table)), key=lambda row: _class_order(str(table["class"].iloc[row])))
    return table.iloc[order].reset_index(drop=True)


def _class_order(name: str) -> tuple[str, float, float]:
    """Lines before transformers, high levels first."""
    kind, *levels = name.split("/")
    values = [-number(level) for level in levels] + [0.0, 0.0]
    return kind, values[0], values[1]


def voltage_bands(run: RunTables) -> pd.DataFrame | None:
    """Voltages by case and level against each bus's own band, before any outage."""
    if run.buses is None or run.network_buses is None:
        return None
    bands = {
        bus: (kv, low, high)
        for bus, kv, low, high in zip(
            run.network_buses.texts("bus_id"),
            *(run.network_buses.numbers(c).tolist() for c in ("vn_kv", "vm_min_pu", "vm_max_pu")),
            strict=True,
        )
    }
    known = [(case, vm, *bands[bus]) for case, bus, vm in zip(
        run.buses.texts("case"), run.buses.texts("bus_id"), run.buses.numbers("vm_pu"), strict=True
    ) if bus in bands]  # fmt: skip
    table = pd.DataFrame(known, columns=["case", "vm", "vn_kv", "low", "high"])
    rows = []
    for (case, kv), own in table.groupby(["case", "vn_kv"], sort=False):
        rows.append({
            "case": case, "vn_kv": kv, "buses": len(own), "band_min_pu": own["low"].max(),
            "band_max_pu": own["high"].min(), "vm_min_pu": own["vm"].min(), "vm_mean_pu": own["vm"].mean(),
            "vm_max_pu": own["vm"].max(), "below": int((own["vm"] < own["low"]).sum()),
            "above": int((own["vm"] > own["high"]).sum()), "unknown": int(own["vm"].isna().sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def short_circuit_levels(run: RunTables) -> pd.DataFrame | None:
    """Short-circuit currents by level: the extremes, the least margin and where, and buses by grade."""
    if run.short_circuit is None or not len(run.short_circuit):
        return None
    sheet = run.short_circuit
    names = ("vn_kv", "ikss_3ph_ka", "ikss_1ph_ka", "breaker_ka", "margin_percent", "margin_planned_percent")
    table = pd.DataFrame({name: sheet.numbers(name) for name in names})
    table = table.assign(bus=sheet.texts("bus_id"), grade=sheet.texts("grade"))
    rows = []
    for kv, own in table.groupby("vn_kv", sort=True):
        least = own.sort_values("margin_planned_percent", kind="stable").iloc[0]
        rows.append({
            "vn_kv": kv, "buses": len(own), "breaker_ka": own["breaker_ka"].min(),
            "ikss_3ph_min_ka": own["ikss_3ph_ka"].min(), "ikss_3ph_max_ka": own["ikss_3ph_ka"].max(),
            "ikss_1ph_max_ka": own["ikss_1ph_ka"].max(), "margin_min_percent": own["margin_percent"].min(),
            "margin_planned_min_percent": least["margin_planned_percent"],
            "tightest_bus": least["bus"] if least["margin_planned_percent"] == least["margin_planned_percent"] else "",
            **{grade: int((own["grade"] == grade).sum()) for grade in ("green", "yellow", "red", "unknown")},
        })  # fmt: skip
    return pd.DataFrame(rows[::-1])


def flexible_capacity(run: RunTables) -> pd.DataFrame | None:
    """Capacity of one new plant at each bus without curtailment, at 5 % and at 10 % of its energy, most gain first."""
    if run.curtailment is None or run.substations is None:
        return None
    curves, stations = run.curtailment, run.substations
    at = {
        (curves.cell(row, "bus_id"), number(curves.cell(row, "curtailed_percent"))): row for row in range(len(curves))
    }
    capacity, energy = curves.numbers("capacity_mw"), curves.numbers("curtailed_mwh")
    rows = []
    for row, bus in enumerate(stations.texts("bus_id")):
        none, some, more = (at.get((bus, percent)) for percent in (0.0, 5.0, 10.0))
        if none is None or some is None:
            continue
        firm, five = float(capacity[none]), float(capacity[some])
        rows.append({
            "bus_id": bus, "name_zh": stations.cell(row, "name_zh"), "name_en": stations.cell(row, "name_en"),
            "vn_kv": number(stations.cell(row, "vn_kv")), "profile": curves.cell(some, "profile"),
            "firm_mw": firm, "at_5_mw": five, "at_10_mw": float("nan") if more is None else float(capacity[more]),
            "gain_5_mw": five - firm, "curtailed_5_mwh": float(energy[some]),
            **{name: curves.cell(some, name) for name in ("binding_limit", "binding_element", "binding_outage")},
        })  # fmt: skip
    if not rows:
        return None
    return pd.DataFrame(rows).sort_values("gain_5_mw", ascending=False, kind="stable").reset_index(drop=True)


def capacity_load_ratios(run: RunTables) -> pd.DataFrame | None:
    """Installed transformer MVA of each level in the region over the net MW that flow down through them.

    Notes
    -----
    ``ratio = sum(S_n) / sum(P)`` over the transformers of the region whose high side is the level, P at the high side
    in the case with the highest load (Q/GDW 156: installed capacity over the level's greatest load). No value where
    nothing flows down.
    """
    units, buses, stations = run.network_transformers, run.network_buses, run.network_stations
    if units is None or buses is None or stations is None or run.branches is None or run.cases is None:
        return None
    case = _heaviest(run.cases)
    if case is None:
        return None
    flow = _state(run.branches.where("case", case), "element", "p_from_mw")
    level = dict(zip(buses.texts("bus_id"), buses.numbers("vn_kv").tolist(), strict=True))
    inside = {
        station for station, own in zip(stations.texts("station_id"), stations.flags("in_region"), strict=True) if own
    }
    rows = [
        (level.get(bus, float("nan")), mva, flow.get((case, name), float("nan")))
        for name, home, bus, mva in zip(units.texts("transformer_id"), units.texts("station_id"), units.texts("hv_bus"),
                                        units.numbers("sn_mva").tolist(), strict=True)
        if home in inside
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["vn_kv", "mva", "mw"])
    levels = sorted(set(table["vn_kv"].tolist()), reverse=True)
    return pd.DataFrame([_ratio_row(kv, table[table["vn_kv"] == kv], case) for kv in levels]) if levels else None


def _heaviest(cases: Sheet) -> str | None:
    load = cases.numbers("load_mw")
    return cases.cell(int(np.nanargmax(load)), "case") if np.isfinite(load).any() else None


def _ratio_row(vn_kv: float, units: pd.DataFrame, case: str) -> dict[str, object]:
    installed, load = float(units["mva"].sum()), float(units["mw"].sum(min_count=1))
    ratio = installed / load if load > 0 else float("nan")
    try:
        low, high = capacity_load_ratio(vn_kv, GROWTH_PERCENT)
    except KeyError:
        low, high = float("nan"), float("nan")
    judged = "unknown" if not (ratio == ratio and low == low) else (
        "below" if ratio < low else "above" if ratio > high else "within"
    )  # fmt: skip
    return {"vn_kv": vn_kv, "transformers": len(units), "transformer_mva": installed, "case": case, "load_mw": load,
            "ratio": ratio, "band_min": low, "band_max": high, "judged": judged}  # fmt: skip
