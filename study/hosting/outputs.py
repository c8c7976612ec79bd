"""Files of ``fengguang hosting``: tables, workbook, GeoPackage, page and summary, each of them whole or not at all."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grid.capacity.fault_headroom import STATUS
from grid.contracts import GRADE_COLUMNS
from grid.rulebook.dlt2041_2025 import COUNTY_RESULT_2025
from grid.rulebook.from_case import station_of_bus
from layers.contracts import Finding
from study.atomic import replaced
from study.cache import Cache, library_versions
from study.hosting.faults import most_by_faults, with_short_circuit
from study.hosting.year import flexible_name, with_hours, year_summary, year_tables
from study.outputs.geo_files import write_point_layers
from study.outputs.labels import value_labels
from study.outputs.qgis import LayerStyle, StyleClass

if TYPE_CHECKING:
    from study.hosting.run import HostingAsked, HostingRun

_DIGITS = "%.10g"
_LONG = ("binding_hours", "heat_map", "hour_checks")
"""Tables by hours: as CSV alone."""
_RANK = {"": -1, "green": 0, "yellow": 1, "red": 2}


def write_hosting(asked: HostingAsked, run: HostingRun, mark: Callable[[str], None]) -> dict[str, Any]:
    """Write everything into ``asked.out``; the finished parts of the run are dropped last.

    Returns
    -------
    dict
        The content of ``summary.json``, which is written last.
    """
    from study.hosting.page import hosting_page
    from study.loadflow.run import write_tables_workbook

    tables = hosting_tables(run)
    stations = station_table(run, tables["hosting"])
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with replaced(asked.out / f"{name}.csv") as path:
            table.to_csv(path, index=False, encoding="utf-8-sig", float_format=_DIGITS)
    with replaced(asked.out / "hosting.xlsx") as path:
        write_tables_workbook(path, {name: table for name, table in tables.items() if name not in _LONG})
    placed = stations[stations["lon"].notna() & stations["lat"].notna()]
    package = asked.out / "hosting.gpkg"
    if len(placed):
        with replaced(package) as path:
            _write_geopackage(path, placed, tables["hosting"])
    else:
        package.unlink(missing_ok=True)  # of an earlier run on another network
    mark("write")
    summary = summary_of(asked, run, stations, len(placed))
    with replaced(asked.out / "summary.html") as path:
        path.write_text(hosting_page(summary, tables, stations), encoding="utf-8")
    with replaced(asked.out / "summary.json") as path:
        path.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    _drop_finished(asked)
    return summary


def _drop_finished(asked: HostingAsked) -> None:
    """Finished parts of this run stay (a rerun with another rule book is quick), those of older ones are dropped."""
    from study.hosting.run import FINISHED, KEPT_PARTS

    Cache(asked.out / FINISHED).prune(KEPT_PARTS)


def hosting_tables(run: HostingRun) -> dict[str, pd.DataFrame]:
    """Tables by file name."""
    buses = _buses(run)
    case = run.prepared.network
    station = station_of_bus(case)
    buses["station"] = [station[str(bus)] for bus in buses["bus_id"]]
    grades = _bus_grades(run, buses["bus_id"])
    wide = pd.concat([buses.rename(columns={"bus_id": "bus"}), grades], axis=1)
    found = {
        "hosting": wide,
        "hosting_cases": run.result.cases.rename(columns={"bus_id": "bus"}),
        "broken_base": run.result.broken,
    }
    if run.grades is None:
        found |= {"grades": pd.DataFrame(columns=["equipment_id", "grade"]), "counties": COUNTY_RESULT_2025.empty()}
    else:
        found |= {"grades": run.grades.equipment, "counties": run.grades.assessment.counties}
        extra = {"grades_verification": run.grades.assessment.verification, "grades_henan": run.grades.henan}
        found |= {name: table for name, table in extra.items() if len(table)}
    if run.year is not None:
        found |= year_tables(run.year)
    told = [vars(f) for f in run.prepared.findings]
    return found | {"findings": pd.DataFrame(told, columns=list(Finding.__annotations__))}


def _buses(run: HostingRun) -> pd.DataFrame:
    """The table of buses with short circuit and the year's figures where they were asked for."""
    buses, most = run.result.buses, np.full(len(run.result.buses), np.inf)
    if run.short_circuit is not None:
        buses = with_short_circuit(buses, run.short_circuit)
        most = most_by_faults(buses)
    if run.year is None:
        return buses.copy()
    return with_hours(buses, run.year, "n_1" if run.prepared.request.n_1 else "n_0", most)


def _bus_grades(run: HostingRun, bus_ids: pd.Series) -> pd.DataFrame:
    columns = list(GRADE_COLUMNS)
    if run.grades is None:
        return pd.DataFrame("", index=bus_ids.index, columns=columns, dtype=object)
    rows = run.grades.of_bus.set_index("bus_id")[columns].reindex(bus_ids.astype(str)).fillna("")
    return rows.set_axis(bus_ids.index)


def station_table(run: HostingRun, hosting: pd.DataFrame) -> pd.DataFrame:
    """One row a station with a studied bus or a graded transformer: its best bus and the grade of its own units.

    A station without graded units has the grade of its lowest bus that has one; ``lon`` and ``lat`` are the means of
    its buses', NaN where they have none.
    """
    case = run.prepared.network
    buses = case.buses[~case.buses["is_star"].to_numpy(bool)]
    station = station_of_bus(case)
    places = buses.assign(station=[station[str(bus)] for bus in buses["bus_id"]]).groupby("station", sort=False)
    own = _own_grades(run)
    rows = []
    for name, group in places:
        studied = hosting[hosting["station"] == name]
        if studied.empty and name not in own:
            continue
        best = studied.loc[studied["firm_n0_mw"].idxmax()] if len(studied) else None
        n_1 = studied["firm_n1_mw"].max() if len(studied) else np.nan
        grade, equipment, zh, en, formula, clause, sure = own.get(str(name)) or _lowest_grade(studied)
        rows.append(
            {
                "station": str(name),
                "vn_kv": float(group["vn_kv"].max()),
                "lon": float(group["lon"].mean()),
                "lat": float(group["lat"].mean()),
                "buses": len(studied),
                "firm_n0_mw": float(best["firm_n0_mw"]) if best is not None else np.nan,
                "firm_n1_mw": float(n_1),
                "grade": grade,
                "grade_equipment": equipment,
                "grade_reason_zh": zh,
                "grade_reason_en": en,
                "grade_formula": formula,
                "grade_clause": clause,
                "grade_confidence": sure,
            }
        )
    columns = ["station", "vn_kv", "lon", "lat", "buses", "firm_n0_mw", "firm_n1_mw", *GRADE_COLUMNS]
    table, flexible = pd.DataFrame(rows, columns=columns), flexible_name(5.0)
    if flexible in hosting:
        table.insert(7, flexible, table["station"].map(hosting.groupby("station")[flexible].max()))
    return table


_Grade = tuple[str, str, str, str, str, str, str]


def _own_grades(run: HostingRun) -> dict[str, _Grade]:
    """The worst grade of each station's own transformers."""
    found: dict[str, _Grade] = {}
    if run.grades is None:
        return found
    for row in run.grades.equipment.to_dict("records"):
        new = (
            str(row["grade"]), str(row["equipment_id"]), str(row["reason_zh"]), str(row["reason_en"]),
            str(row["formula"]), f"{row['edition']}: {row['clause']}", str(row["confidence"]),
        )  # fmt: skip
        old = found.get(str(row["station"]))
        if old is None or _RANK[new[0]] > _RANK[old[0]]:
            found[str(row["station"])] = new
    return found


def _lowest_grade(studied: pd.DataFrame) -> _Grade:
    graded = studied[studied["grade"] != ""].sort_values("vn_kv", kind="stable")
    if graded.empty:
        return ("",) * 7
    return tuple(str(graded.iloc[0][name]) for name in GRADE_COLUMNS)  # type: ignore[return-value]


def _write_geopackage(path: Path, stations: pd.DataFrame, hosting: pd.DataFrame) -> None:
    classes = [StyleClass(v.label_zh, v.label_en, v.colour, value=v.value, size_mm=3.5) for v in value_labels("grade")]
    classes.append(StyleClass("未评估", "not graded", "#9AA0A6", value="", size_mm=2.0))
    buses = hosting[hosting["lon"].notna() & hosting["lat"].notna()]
    styles = [LayerStyle(name, "grade", "grade", "marker", tuple(classes)) for name in ("stations", "buses")]
    write_point_layers(path, {"stations": stations, "buses": buses}, styles, "zh")


def summary_of(asked: HostingAsked, run: HostingRun, stations: pd.DataFrame, placed: int) -> dict[str, Any]:
    """What was done, with what, and how sure we are."""
    source, told = run.prepared.network.source, run.result.summary
    findings = run.prepared.findings
    return {
        "network": run.prepared.network.name,
        "format": source.format,
        "buses": int((~run.prepared.network.buses["is_star"]).sum()),
        "branches": len(run.prepared.network.branches) + len(run.prepared.network.three_winding),
        "studied_buses": told.buses,
        "mode": "n_1" if asked.n_1 else "n_0",
        "added": "load" if asked.settings.load else "generation",
        "power_factor": asked.settings.plant.power_factor,
        "certify": asked.certify,
        "certified": told.certified,
        "outages": told.outages,
        "ac_states": told.ac_states,
        "parts_resumed": run.resumed,
        "largest_dc_ac_difference_mw": _number(told.largest_estimate_error_mw),
        "largest_screened_certified_difference_mw": _number(told.largest_screen_error_mw),
        "memory_bound_mib": _number(told.memory_bound_bytes / 2**20),
        "outages_diverged": list(told.diverged),
        "outages_not_swept": list(told.unswept),
        "cases": {
            name: {
                "label": run.prepared.labels[name],
                "status": solution.status.value,
                "detail": solution.detail,
                "seconds": _number(told.seconds.get(name, float("nan"))),
            }
            for name, solution in run.solutions.items()
        },
        "short_circuit": _short_circuit_summary(run),
        "series": year_summary(run.year, asked.series.name) if run.year is not None and asked.series else None,
        "rule_book": _rule_summary(asked, run, stations),
        "stations_with_place": placed,
        "seconds": {name: _number(value) for name, value in run.seconds.items()},
        "inputs": {part: dict(entry) for part, entry in run.prepared.inputs.items()},
        "findings": {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")},
        "versions": {
            "fengguang": metadata.version("fengguang"), "python": platform.python_version(), **dict(library_versions())
        },
    }  # fmt: skip


def _rule_summary(asked: HostingAsked, run: HostingRun, stations: pd.DataFrame) -> dict[str, Any]:
    if run.grades is None:
        return {"edition": asked.rule, "graded": 0, "note": "no case was solved, so nothing is graded"}
    edition, equipment = run.grades.assessment.edition, run.grades.equipment
    return {
        "edition": edition.id,
        "document": edition.document,
        "source": edition.source,
        "confidence": edition.confidence,
        "options": str(equipment["switches"].iloc[0]) if "switches" in equipment and len(equipment) else "",
        "graded": len(equipment),
        "equipment": _counts(equipment["grade"]),
        "stations": _counts(stations["grade"]),
        "counties": _counts(run.grades.assessment.counties["grade"]),
        "assumptions": [vars(one) for one in run.grades.assumptions],
    }


def _short_circuit_summary(run: HostingRun) -> dict[str, Any] | None:
    """Buses by status, and what the unknown ones lack."""
    faults = run.short_circuit
    if faults is None:
        return None
    status = faults["short_circuit_status"]
    return {
        **{name: int((status == name).sum()) for name in STATUS},
        "missing": sorted(set(faults["short_circuit_missing"]) - {""}),
    }


def _counts(grades: pd.Series) -> dict[str, int]:
    return {grade: int((grades == grade).sum()) for grade in ("green", "yellow", "red")}


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
