"""A finished run folder in small, made up: three stations, two cases, six projects, two weeks of hours.

::

    S500 (500/220 kV) --L220#1,#2-- S220 (220/110 kV) --L110#1-- S110 (110 kV)
                                                    \\--L110p#1-- W (wind farm, split off by its line's outage)
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import box

from grid.contracts import Assumption
from layers.contracts import Finding
from maps.contracts import PROJECTS, TARGETS
from study.outputs.exports import write_table
from study.run_folder.manifest import InputRecord, LibraryVersion, Manifest, record_outputs, write_manifest

HOSTILE = '<script>alert("1")</script>\'"}{{x}}</style></table>'
CASES = ("evening", "noon")


def write_run(folder: Path, *, name: str = "城西", without: tuple[str, ...] = ()) -> Path:
    """Write the run into ``folder``; ``name`` is part of every name, ``without`` lists files that are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, table in _tables(name).items():
        if file not in without:
            write_table(table, folder / file)
    if "about.json" not in without:
        (folder / "about.json").write_text(_about(name), "utf-8")
    if "land/districts.geojson" not in without:
        (folder / "land").mkdir(exist_ok=True)
        _districts(name).to_file(folder / "land/districts.geojson", driver="GeoJSON", engine="pyogrio")
    if "plan/summary.json" not in without:
        (folder / "plan").mkdir(exist_ok=True)
        (folder / "plan/summary.json").write_text(_plan_summary(), "utf-8")
    write_manifest(_manifest(folder, name), folder)
    return folder


def _plan_summary() -> str:
    import json

    stage = {
        "stage": 2030, "installed_mw": 270.0, "grid_capacity_mw": 250.5, "energy_mwh": 297000.0, "curtailed_mwh": 120.0,
        "storage_mw": 10.0, "storage_mwh": 20.0, "grid_investment_cny": 9e6, "ac_violations": 0,
    }  # fmt: skip
    totals = {
        "objective": "least_cost", "objective_cny": 9.5e7, "best_bound_cny": 9.48e7, "gap_percent": 0.21,
        "ac_violations": 0, "ac_states_checked": 120, "sites_built": 3,
    }  # fmt: skip
    broken = {"stage": 2030, "point": "noon", "limit": "line_loading", "element": "L110#1", "outage": "",
              "value": 101.5, "allowed": 100.0}  # fmt: skip
    greedy = {"objective_cny": 9.9e7, "shortfall_mw": 35.0, "ac_clean": True, "measures": []}
    return json.dumps({**totals, "stages": [stage], "violations": [broken], "greedy": greedy})


def _about(name: str) -> str:
    import json

    return json.dumps(
        {
            "study": "sample", "title_zh": f"{name}风光研究", "title_en": f"Study of {name}", "language": "zh",
            "sources": [
                {"id": "borders", "title_zh": f"{name}边界", "title_en": f"{name} borders", "file": "data/borders.gpkg",
                 "licence": "CC BY 4.0", "attribution": name, "origin": "mapped", "datum": "cgcs2000", "note": ""},
                {"id": "generated_land", "title_zh": "生成的土地图层", "title_en": "Generated land",
                 "file": "generated/land", "licence": "Apache-2.0", "attribution": "", "origin": "generated",
                 "datum": "", "note": "seed 1"},
            ],
            "host_types": [{"host_type": "pond", "label_zh": f"{name}鱼塘", "label_en": f"{name} ponds"}],
        },
        ensure_ascii=False,
    )  # fmt: skip


def _districts(name: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "district_code": ["340001", "340002"],
            "name_zh": [f"{name}区", "东县"],
            "name_en": [f"{name} district", "East"],
            "geometry": [box(116.0, 33.0, 116.5, 33.5), box(116.5, 33.0, 117.0, 33.5)],
        },
        crs="EPSG:4326",
    )


def _manifest(folder: Path, name: str) -> Manifest:
    return Manifest(
        run_id="20250101T000000-0123abcd",
        study="sample",
        started="2025-01-01T00:00:00+08:00",
        finished="2025-01-01T00:01:00+08:00",
        fengguang="0.1.0",
        python="3.11.0",
        libraries=(LibraryVersion("numpy", "2.2.0"),),
        code_sha256="c" * 64,
        rule_pack="cn-2024",
        inputs=(InputRecord("borders", "data/borders.gpkg", "a" * 64, 1234, f"CC {name}", "mapped", name),),
        stages=(),
        findings=(
            Finding("warning", "vector.sliver", "data/borders.gpkg", "borders", name, "", f"{name} crosses.", "Mend."),
        ),
        assumptions=(
            Assumption("peak", "load", f"{name}负荷", f"load of {name}", "400 MW", "study file", "C"),
            Assumption("short_circuit_k", "short_circuit", f"{name}k", f"{name} k", "P-1 (1)", "standards", "C"),
            Assumption("park_park_load", "parks", f"{name}负荷", f"load of {name}", "15 MW", "assumed", "C"),
            Assumption("ratio", "grid", "容载比", "capacity-load ratio", "1.8", "Q/GDW 156, 2006", "B"),
        ),
        outputs=record_outputs(folder),
    )


def _tables(name: str) -> dict[str, pd.DataFrame]:
    return {
        "projects.csv": _projects(name),
        "targets.csv": pd.DataFrame(
            [
                (name, f"{name}光伏", f"{name} PV", "pv", 2030, 500.0, 100.0, 300.0, 170.0, 230.0, "plan"),
                (name, "风电", "Wind", "wind", 2030, 50.0, np.nan, 90.0, 60.0, -10.0, "plan"),
            ],
            columns=list(TARGETS.columns),
        ),
        "substations.csv": _substations(name),
        "upgrades.csv": pd.DataFrame(
            {
                "upgrade_id": ["second_circuit:L110#1", "add_transformer:T220#1"],
                "kind": ["second_circuit", "add_transformer"],
                "element": ["L110#1", "T220#1"],
                "station_id": ["S220", "S220"],
                "description_zh": [f"{name}第二回", "加装主变"],
                "description_en": [f"second circuit {name}", "one more unit"],
                "cost_cny": [12_000_000.0, 9_000_000.0],
                "cost_confidence": ["C", "C"],
                "cost_source": ["engineering range", "engineering range"],
            }
        ),
        **_load_flow(),
        **_network(name),
        **_land(name),
        **_plan(name),
        **_grades(name),
        **_short_circuit(name),
        **_curtailment(),
        **_hosting(),
        **_parks(name),
    }


def _plan(name: str) -> dict[str, pd.DataFrame]:
    measures = pd.DataFrame(
        {
            "order": [1], "measure_id": ["add_transformer:T220#1"], "kind": ["add_transformer"], "element": ["T220#1"],
            "description_zh": [name], "description_en": [name], "stage": [2030], "investment_cny": [9e6],
            "annual_cost_cny": [8e5], "unlocked_mw": [40.0], "cny_per_mw": [225000.0], "cost_confidence": ["C"],
        }
    )  # fmt: skip
    staircase = pd.DataFrame(
        {
            "step": [0, 1], "measure_id": ["", "add_transformer:T220#1"], "deliverable_gw": [0.23, 0.27],
            "grid_cost_cny": [0.0, 9e6], "with_upgrades": [False, True],
        }
    )  # fmt: skip
    binding = pd.DataFrame(
        {
            "stage": [2030], "point": ["noon"], "limit": ["line_loading"], "element": ["L110#1"],
            "outage": ["L220#1"], "price": [1234.5],
        }
    )  # fmt: skip
    targets = pd.DataFrame(
        {
            "target": ["target 1"], "target_zh": [name], "target_en": [name], "technology_group": ["pv"],
            "stage": [2030], "kind": ["at_least"], "new_mw": [300.0],
            "planned_mw": [270.0], "missing_mw": [30.0], "why_zh": [name], "why_en": [name],
        }
    )  # fmt: skip
    sites = pd.DataFrame(
        {
            "order": [1, 2], "candidate_id": ["P-2", "P-6"], "name_zh": [name, name], "name_en": [name, name],
            "stage": ["2030", ""], "planned_capacity_mw": [60.0, 0.0], "p50_mwh": [66000.0, 0.0],
            "lcoe_cny_per_kwh": [0.27, 0.31], "station_zh": [name, name], "station_en": [name, name],
            "verdict": ["build", "no_room"],
        }
    )  # fmt: skip
    storage = pd.DataFrame({"bus_id": ["S110/110"], "stage": [2030], "power_mw": [10.0], "energy_mwh": [20.0]})
    return {
        "plan/measures.csv": measures, "plan/staircase.csv": staircase, "plan/binding.csv": binding,
        "plan/targets.csv": targets, "plan/sites.csv": sites, "plan/storage.csv": storage,
    }  # fmt: skip


def _grades(name: str) -> dict[str, pd.DataFrame]:
    grades = pd.DataFrame(
        {
            "equipment_id": ["S220"], "name_zh": [name], "name_en": [name], "vn_kv": [220.0], "sn_mva": [360.0],
            "edition": ["dlt2041-2025"], "connected_mw": [50.0], "open_connect_mw": [120.5], "grade": ["yellow"],
            "reason_zh": [name], "reason_en": [name], "formula": ["C1 = 0.8 x 360 - 50"],
            "clause": ["6.2"], "confidence": ["B"],
        }
    )  # fmt: skip
    return {"loadflow/grades.csv": grades}


def _short_circuit(name: str) -> dict[str, pd.DataFrame]:
    #        bus, kV, 3ph, 1ph, breaker, then with accepted plants, grade, headroom, bus that binds
    rows = [
        ("S500/500", 500.0, 31.2, 29.9, 63.0, 31.5, 30.1, "green", 5000.0, "S500/220"),
        ("S500/220", 220.0, 40.0, 42.0, 50.0, 44.0, 46.0, "yellow", 120.5, "S500/220"),
        ("S220/220", 220.0, 20.0, 18.0, 50.0, 20.4, 18.2, "green", 900.0, "S500/220"),
        ("S220/110", 110.0, 25.0, np.nan, 40.0, 39.0, np.nan, "red", 0.0, "S220/110"),
        ("S110/110", 110.0, np.nan, np.nan, 40.0, np.nan, np.nan, "unknown", np.nan, ""),
    ]
    table = pd.DataFrame(
        [
            {
                "bus_id": bus, "station_id": bus.partition("/")[0], "name_zh": name, "name_en": name, "vn_kv": kv,
                "ikss_3ph_ka": three, "ikss_1ph_ka": one, "skss_mva": 3**0.5 * kv * three, "breaker_ka": breaker,
                "margin_percent": (1 - np.fmax(three, one) / breaker) * 100, "ikss_3ph_planned_ka": new_three,
                "ikss_1ph_planned_ka": new_one,
                "margin_planned_percent": (1 - np.fmax(new_three, new_one) / breaker) * 100, "grade": grade,
                "fault_headroom_mw": room, "fault_binding_bus": binding, "confidence": "C",
            }
            for bus, kv, three, one, breaker, new_three, new_one, grade, room, binding in rows
        ]
    )  # fmt: skip
    opened = pd.DataFrame(
        [
            {
                "step": 1, "corridor_id": "L110:S220--S110", "name_zh": name, "name_en": name, "vn_kv": 110.0,
                "circuits": 1, "bus_id": "S220/110", "fault": "3ph", "before_ka": 39.0, "after_ka": 31.5,
                "limit_ka": 38.0, "beyond_before": 1, "beyond_after": 0, "supply": "back_feed",
                "loading_percent": 71.0, "loading_n_1_percent": 93.0,
            }
        ]
    )  # fmt: skip
    return {"loadflow/short_circuit.csv": table, "loadflow/short_circuit_openings.csv": opened}


def _curtailment() -> dict[str, pd.DataFrame]:
    #        bus, percent, MW, MWh delivered, MWh curtailed
    rows = [
        ("S220/110", 0.0, 190.0, 209_000.0, 0.0), ("S220/110", 5.0, 250.0, 261_250.0, 13_750.0),
        ("S220/110", 10.0, 300.0, 297_000.0, 33_000.0), ("S110/110", 0.0, 70.0, 77_000.0, 0.0),
        ("S110/110", 5.0, 160.0, 167_200.0, 8_800.0), ("W/110", 0.0, 90.0, 99_000.0, 0.0),
    ]  # fmt: skip
    curves = pd.DataFrame(
        [
            {
                "station_id": bus.partition("/")[0], "bus_id": bus, "profile": "pv", "curtailed_percent": percent,
                "capacity_mw": mw, "utilisation_percent": 100 - percent, "energy_mwh": energy, "curtailed_mwh": lost,
                "binding_outage": "L220#1", "binding_element": "L110#1", "binding_limit": "line_loading",
            }
            for bus, percent, mw, energy, lost in rows
        ]
    )  # fmt: skip
    points = pd.DataFrame(
        [(bus, mw, hours, mw * share) for bus, mw in (("S220/110", 250.0), ("S110/110", 160.0))
         for hours, share in ((1, 0.4), (100, 0.3), (500, 0.1), (900, 0.0))],
        columns=["bus_id", "capacity_mw", "hours", "curtailed_mw"],
    )  # fmt: skip
    points.insert(0, "station_id", [bus.partition("/")[0] for bus in points["bus_id"]])
    checks = pd.DataFrame(
        {"reason": ["firm", "sample"], "count": [5, 200], "largest_mw": [0.4, 1.2], "mean_mw": [0.1, 0.2],
         "bias_mw": [-0.05, 0.01], "largest_percent": [0.2, 0.5], "largest_pu": [0.001, np.nan], "unsolved": [0, 1]}
    )  # fmt: skip
    return {
        "loadflow/curtailment.csv": curves, "loadflow/curtailment_duration.csv": points,
        "loadflow/curtailment_checks.csv": checks,
    }  # fmt: skip


def _hosting() -> dict[str, pd.DataFrame]:
    #        bus, N-0 in the evening and at noon, N-1 in the evening and at noon
    rows = [("S500/500", 950.0, 900.0, 700.0, 720.0), ("S220/110", 300.0, 310.0, 200.0, 215.0),
            ("S110/110", 120.0, 140.0, 95.0, 80.0), ("W/110", 90.0, 99.0, np.nan, np.nan)]  # fmt: skip
    table = pd.DataFrame(
        [
            {"bus_id": bus, "station_id": bus.partition("/")[0], "case": case, "mode": mode, "capacity_mw": value,
             "limit": "line_loading", "binding_element": "L110#1", "binding_outage": "", "certified": True}
            for bus, *values in rows
            for (mode, case), value in zip([(m, c) for m in ("n_0", "n_1") for c in CASES], values, strict=True)
        ]
    )  # fmt: skip
    return {"loadflow/hosting.csv": table}


def _parks(name: str) -> dict[str, pd.DataFrame]:
    """100 GWh of load, 60 of own green, 10 of them exported: half of the load is met by own green."""
    row = {
        "park_id": "park", "name_zh": f"{name}园区", "name_en": f"{name} park", "lon": 116.2, "lat": 33.2,
        "load_origin": "generated: continuous", "peak_mw": 15.0, "load_mwh": 100_000.0, "pv_mw": 30.0, "wind_mw": 12.5,
        "candidates": "P-1 P-3", "storage_mw": 5.0, "storage_mwh": 10.0, "green_mwh": 60_000.0, "green_share": 0.5,
        "self_consumption_share": 0.8333, "charge_mwh": 2000.0, "discharge_mwh": 1800.0, "import_mwh": 50_000.0,
        "export_mwh": 9000.0, "curtailed_mwh": 1000.0, "unserved_mwh": 0.0, "import_peak_mw": 14.0,
        "export_peak_mw": 12.0, "import_limit_mw": np.nan, "export_limit_mw": 12.0, "cost_cny_per_mwh": 480.5,
        "grid_price_cny_per_mwh": 620.0, "saving_cny_per_mwh": 139.5, "price_source": name, "price_confidence": "C",
        "source": name, "place_confidence": "C", "storage_method": "stated", "own_use_mwh": 50_000.0,
        "self_use_share": 0.8333, "export_share": 0.15, "rule_verdict": "kept_until", "rules_not_kept": "own",
        "import_peak_hour": "2025-01-03 17:00", "export_peak_hour": "2025-05-01 12:00", "own_cost_cny": 16e6,
        "line_cost_cny": 2e6, "storage_cost_cny": 1.75e6, "fee_cost_cny": 0.0, "import_cost_cny": 31e6,
        "export_income_cny": 2.7e6, "annual_cost_cny": 48.05e6, "grid_only_cost_cny": 62e6, "co2_t": 33_500.0,
        "co2_avoided_t": 33_501.0, "co2_source": name,
    }  # fmt: skip
    rule = {"park_id": "park", "rule": "own_share_2030", "label_zh": name, "label_en": name, "from_year": 2030,
            "value_share": 0.5, "sense": "least", "limit_share": 0.55, "margin_mwh": -5000.0,
            "rule_verdict": "not_kept", "document": name, "clause": name, "date": "2025-05-21", "source": name,
            "rule_confidence": "A"}  # fmt: skip
    sizes = [
        {"park_id": "park", "aim": aim, "target_share": share, "reached": "yes", "pv_mw": 20.0, "wind_mw": 9.0,
         "storage_mw": 4.5, "storage_mwh": 9.0, "green_share": share + 0.01, "self_use_share": 0.91,
         "export_share": 0.03, "import_peak_mw": 13.5, "cost_cny_per_mwh": cost, "saving_cny_per_mwh": 620.0 - cost,
         "co2_t": 30_000.0, "bound_cny_per_mwh": np.nan, "gap_percent": np.nan}
        for aim, share, cost in (("rules", 0.35, 470.0), ("share", 0.5, 481.0), ("share", 0.7, 512.0))
    ]  # fmt: skip
    site = {"park_id": "park", "candidate_id": "P-1", "kind": "ground", "distance_km": 2.5, "grid_capacity_mw": 100.0,
            "park_mw": 30.0, "left_mw": 70.0, "energy_mwh": 42_000.0, "own_cost_cny_per_mwh": 266.6, "line_kv": 110.0,
            "line_km": 3.25, "line_cost_cny": 2e6}  # fmt: skip
    tables = (("rules", [rule]), ("sizing", sizes), ("sites", [site]))
    return {"parks.csv": pd.DataFrame([row])} | {f"parks/{table}.csv": pd.DataFrame(rows) for table, rows in tables}


def _projects(name: str) -> pd.DataFrame:
    #             id   technology      district  MW     grid MW accepted verdict        element   measure
    rows = [
        ("P-1", "pv_pond", "340001", 120.0, 100.0, 100.0, "connect", "", ""),
        ("P-2", "pv_ground", "340001", 60.0, 50.0, 50.0, "connect", "", ""),
        ("P-3", "wind_onshore", "340002", 60.0, 60.0, 60.0, "connect", "", ""),
        ("P-4", "pv_pond", "340002", 48.0, 40.0, 20.0, "partial", "L110#1", ""),
        ("P-5", "pv_ground", "340002", 72.0, 60.0, 0.0, "refused", "L110#1", "second_circuit:L110#1"),
        ("P-6", "wind_onshore", "340001", 30.0, 30.0, 0.0, "refused", "T220#1", ""),
    ]
    table = pd.DataFrame(
        [
            {
                "order": place, "candidate_id": i, "name_zh": f"{name}项目{place}", "name_en": f"{name} site {place}",
                "host_type": "pond", "host_type_zh": "鱼塘", "host_type_en": "ponds", "technology": technology,
                "district_code": district, "district_zh": name, "district_en": name, "lon": 116.1 + 0.12 * place,
                "lat": 33.1 + 0.05 * place, "area_m2": 1e6, "capacity_mw": mw, "grid_capacity_mw": grid,
                "specific_yield_kwh_per_kw": 1100.0, "energy_mwh": 1100.0 * mw, "capex_cny": 3.5e6 * mw,
                "connection_cost_cny": 2e6, "lcoe_cny_per_kwh": 0.25 + 0.01 * place, "score": 1.0 - 0.1 * place,
                "station_id": "S110", "station_zh": f"{name}站", "station_en": f"{name} station",
                "connection_kv": 110.0, "connection_km": 3.0, "n_0_alone_mw": grid, "n_1_alone_mw": grid,
                "accepted_mw": accepted, "verdict": verdict, "binding_case": "noon" if element else "",
                "binding_element": element, "binding_outage": "L220#1" if element else "", "upgrade_id": measure,
                "upgrade_zh": "", "upgrade_en": "", "reason_zh": name, "reason_en": name,
                "origin": "mapped" if place == 1 else "generated",
            }
            for place, (i, technology, district, mw, grid, accepted, verdict, element, measure) in enumerate(rows, 1)
        ]
    )  # fmt: skip
    return table[list(PROJECTS.columns)]


def _substations(name: str) -> pd.DataFrame:
    #        station, bus,       kV,   MVA,   N-0,   N-1,   accepted, left, limit, element, measure, after
    rows = [
        ("S500", "S500/500", 500.0, 0.0, 900.0, 700.0, 0.0, 500.0, "line_loading", "L220#2", "", np.nan),
        ("S500", "S500/220", 220.0, 750.0, 600.0, 400.0, 0.0, 200.0, "transformer_loading", "T500#1", "", np.nan),
        ("S220", "S220/110", 110.0, 360.0, 300.0, 200.0, 50.0, 20.0, "transformer_loading", "T220#1",
         "add_transformer:T220#1", 290.0),
        ("S110", "S110/110", 110.0, 0.0, 120.0, 80.0, 180.0, 0.0, "voltage_high", "S110/110",
         "second_circuit:L110#1", 140.0),
        ("W", "W/110", 110.0, 0.0, 90.0, np.nan, 0.0, np.nan, "", "", "", np.nan),
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {
                "station_id": station, "bus_id": bus, "name_zh": f"{name}{station}", "name_en": f"{name} {station}",
                "vn_kv": kv, "district_code": "340001", "origin": "generated", "transformer_mva": mva, "n_0_mw": n_0,
                "n_1_mw": n_1, "accepted_mw": accepted, "remaining_n_1_mw": left, "limit": limit,
                "binding_case": "noon" if limit else "", "binding_element": element,
                "binding_outage": "L220#1" if limit else "", "upgrade_id": measure, "n_1_after_upgrade_mw": after,
            }
            for station, bus, kv, mva, n_0, n_1, accepted, left, limit, element, measure, after in rows
        ]
    )  # fmt: skip


_BRANCHES = ("L220#1", "L220#2", "L110#1", "L110p#1", "T500#1", "T220#1")
_BUSES = ("S500/500", "S500/220", "S220/220", "S220/110", "S110/110", "W/110")


def _load_flow() -> dict[str, pd.DataFrame]:
    loading = {"evening": (40.0, 40.0, 70.0, 5.0, 80.0, 60.0), "noon": (20.0, 20.0, 95.0, 60.0, 30.0, 50.0)}
    power = {"evening": (120.0, 120.0, 90.0, -5.0, 240.0, 235.0), "noon": (-50.0, -50.0, -120.0, -60.0, -90.0, -95.0)}
    voltage = {"evening": (1.05, 1.02, 0.99, 0.98, 0.96, 1.0), "noon": (1.05, 1.04, 1.05, 1.06, 1.08, 1.07)}
    branches = [
        (case, element, "line" if element[0] == "L" else "transformer", p, 0.2 * p, 0.3, percent)
        for case in CASES
        for element, p, percent in zip(_BRANCHES, power[case], loading[case], strict=True)
    ]
    buses = [(c, bus, vm, 0.0) for c in CASES for bus, vm in zip(_BUSES, voltage[c], strict=True)]
    outages = [
        # case, outage, status, lost load, lost generation, worst %, of, lowest pu, at, highest pu, at, secure
        ("evening", "L220#1", "solved", 0.0, 0.0, 85.0, "L220#2", 0.95, "S110/110", 1.05, "S500/500", True),
        ("evening", "L220#2", "solved", 0.0, 0.0, 85.0, "L220#1", 0.95, "S110/110", 1.05, "S500/500", True),
        ("evening", "L110#1", "split", 90.0, 0.0, 80.0, "T500#1", 0.97, "S220/110", 1.05, "S500/500", False),
        ("evening", "L110p#1", "split", 0.0, 5.0, 81.0, "T500#1", 0.955, "S110/110", 1.05, "S500/500", True),
        ("evening", "T220#1", "diverged", 0.0, 0.0, np.nan, "", np.nan, "", np.nan, "", False),
        ("noon", "L220#1", "solved", 0.0, 0.0, 112.0, "L110#1", 1.01, "S500/220", 1.08, "S110/110", False),
        ("noon", "T500#1", "solved", 0.0, 0.0, 96.0, "L110#1", 1.02, "S500/220", 1.08, "S110/110", True),
    ]
    outage_columns = ["case", "outage", "status", "lost_load_mw", "lost_generation_mw", "loading_max_percent",
                      "loading_max_element", "vm_min_pu", "vm_min_bus", "vm_max_pu", "vm_max_bus",
                      "secure"]  # fmt: skip
    cases = [
        ("evening", "solved", "newton", 330.0, 100.0, 236.0, 6.0, 0.96, "S110/110", 1.05, "S500/500", 80.0, "T500#1",
         5, 2, 2, 1, 1),
        ("noon", "solved", "newton", 140.0, 240.0, -95.0, 5.0, 1.04, "S500/220", 1.08, "S110/110", 95.0, "L110#1",
         2, 2, 0, 0, 1),
    ]  # fmt: skip
    case_columns = ["case", "status", "detail", "load_mw", "generation_mw", "infeed_mw", "losses_mw", "vm_min_pu",
                    "vm_min_bus", "vm_max_pu", "vm_max_bus", "loading_max_percent", "loading_max_element",
                    "n_1_outages", "n_1_solved", "n_1_split", "n_1_diverged", "n_1_overloaded"]  # fmt: skip
    stamps = pd.date_range("2023-06-01", periods=336, freq="h")
    percent = 70.0 + 40.0 * np.sin(np.arange(336) * 2 * np.pi / 24)
    hours = pd.DataFrame(
        {
            "hour": stamps.strftime("%m-%d %H:%M"), "status": "solved", "losses_mw": 5.0,
            "worst_branch": "L110#1", "worst_loading_percent": percent, "overloads": (percent > 100).astype(int),
        }
    )  # fmt: skip
    points = [
        ("evening", "晚高峰", "Evening", 1.0, 0.0, 0.1, "summer"),
        ("noon", "午间", "Noon", 0.4, 0.9, 0.3, "summer"),
    ]
    return {
        "loadflow/cases.csv": pd.DataFrame(cases, columns=case_columns),
        "loadflow/branches.csv": pd.DataFrame(
            branches, columns=["case", "element", "kind", "p_from_mw", "q_from_mvar", "i_max_ka", "loading_percent"]
        ),
        "loadflow/buses.csv": pd.DataFrame(buses, columns=["case", "bus_id", "vm_pu", "va_degree"]),
        "loadflow/n_1.csv": pd.DataFrame(outages, columns=outage_columns),
        "loadflow/year_hours.csv": hours,
        "loadflow/year_branches.csv": pd.DataFrame(
            {"branch_id": ["L110#1"], "max_loading_percent": [110.0], "hour_of_max": ["06-01 06:00"],
             "hours_above_rating": [126], "mean_loading_percent": [70.0]}
        ),
        "loadflow/operating_points.csv": pd.DataFrame(
            points, columns=["case", "label_zh", "label_en", "load_share", "pv_share", "wind_share", "season"]
        ),
    }  # fmt: skip


def _network(name: str) -> dict[str, pd.DataFrame]:
    stations = pd.DataFrame(
        {
            "station_id": ["S500", "S220", "S110", "W"], "name_zh": [f"{name}{s}" for s in "甲乙丙丁"],
            "name_en": [f"{name} {s}" for s in "ABCW"], "vn_kv": [500.0, 220.0, 110.0, 110.0],
            "lon": [116.2, 116.4, 116.6, 116.7], "lat": [33.2, 33.3, 33.25, 33.4], "in_region": True,
            "origin": ["mapped", "generated", "generated", "assumed"],
        }
    )  # fmt: skip
    kv = [500.0, 220.0, 220.0, 110.0, 110.0, 110.0]
    buses = pd.DataFrame(
        {
            "bus_id": _BUSES, "station_id": [b.partition("/")[0] for b in _BUSES], "vn_kv": kv,
            "vm_min_pu": [1.0, 1.0, 1.0, 0.97, 0.97, 0.97], "vm_max_pu": [1.1, 1.1, 1.1, 1.07, 1.07, 1.07],
        }
    )  # fmt: skip
    ends = [("S500/220", "S220/220"), ("S500/220", "S220/220"), ("S220/110", "S110/110"), ("S220/110", "W/110")]
    lines = pd.DataFrame(
        {
            "line_id": _BRANCHES[:4], "name_zh": [f"{name}线{i}" for i in range(4)],
            "name_en": [f"{name} line {i}" for i in range(4)], "from_bus": [a for a, _ in ends],
            "to_bus": [b for _, b in ends], "length_km": [20.0, 20.0, 12.5, 6.0], "path_wkt": "",
        }
    )  # fmt: skip
    transformers = pd.DataFrame(
        {
            "transformer_id": _BRANCHES[4:], "station_id": ["S500", "S220"], "hv_bus": ["S500/500", "S220/220"],
            "lv_bus": ["S500/220", "S220/110"], "sn_mva": [750.0, 360.0], "tap_pos": [-2.0, np.nan],
        }
    )  # fmt: skip
    return {
        "loadflow/network/stations.csv": stations,
        "loadflow/network/buses.csv": buses,
        "loadflow/network/lines.csv": lines,
        "loadflow/network/transformers.csv": transformers,
        "loadflow/network/loads.csv": pd.DataFrame({"load_id": ["D"], "bus_id": ["S110/110"], "p_mw": [330.0]}),
        "loadflow/network/generators.csv": pd.DataFrame(
            {"generator_id": ["G"], "bus_id": ["W/110"], "name_zh": [name], "name_en": [name], "p_max_mw": [50.0]}
        ),
    }


def _land(name: str) -> dict[str, pd.DataFrame]:
    return {
        "land/states.csv": pd.DataFrame(
            {"host_type": ["pond"], "eligible_km2": [6.0], "excluded_km2": [93.5], "unknown_km2": [0.5],
             "region_km2": [100.0], "host_km2": [10.0], "owned_km2": [6.0]}
        ),
        "land/waterfall.csv": pd.DataFrame(
            {"host_type": ["pond", "pond"], "rule": ["red_line:red_line", "river:river"], "lost_km2": [2.5, 1.5],
             "sole_km2": [2.0, 1.0], "shared_km2": [0.5, 0.5]}
        ),
        "land/rules.csv": pd.DataFrame(
            {"rule": ["red_line:red_line", "river:river"], "label_zh": [name, "河道"], "label_en": [name, "River"],
             "document": ["doc", "doc"], "clause": ["3", "4"], "date": ["2024-01-01", ""], "confidence": ["A", "B"]}
        ),
    }  # fmt: skip
