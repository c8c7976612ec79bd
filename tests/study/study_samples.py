"""Small studies and files that the tests of the study package write for themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from grid.contracts import Network
from layers.contracts import FindingLog, Origin, SourceCard
from study.new import new_study
from study.schema.file import StudyFile
from study.study_file import BUILTIN_DATA, Study, read_study

EPW_HEADER_LINES = 8


def generated_study(folder: Path, name: str = "sample", **sizes: float) -> Path:
    """A complete generated study file, small unless told otherwise."""
    given: dict[str, Any] = {"area_km2": 60, "population": 40_000, "lon": 116.2, "lat": 33.5, "districts": 2, **sizes}
    return new_study(name, folder, generated=True, **given)


def changed(study: Study, change: Mapping[str, Any]) -> Study:
    """The study with entries changed, e.g. ``{"criteria.0.weight": 0.5}``."""
    raw = study.file.model_dump(mode="json", exclude_none=True)
    for where, value in change.items():
        place: Any = raw
        *steps, last = where.split(".")
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        place[int(last) if isinstance(place, list) else last] = value
    return dataclasses.replace(study, file=StudyFile.model_validate(raw))


def edited(path: Path, *replacements: tuple[str, str]) -> Path:
    """Replace text in a study file; every text must be there."""
    text = path.read_text("utf-8")
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")
    return path


def snapshot(folder: Path) -> dict[str, str]:
    """Every file and folder below ``folder`` with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def write_geojson(path: Path, rings: Sequence[Sequence[tuple[float, float]]]) -> Path:
    """Polygons without a stated CRS, as map services write them."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"f{i}"},
            "geometry": {"type": "Polygon", "coordinates": [list(ring)]},
        }
        for i, ring in enumerate(rings)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def square(lon: float, lat: float, side_deg: float = 0.01) -> list[tuple[float, float]]:
    corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    return [(round(lon + x * side_deg, 6), round(lat + y * side_deg, 6)) for x, y in corners]


def bow_tie(lon: float, lat: float, side_deg: float = 0.01) -> list[tuple[float, float]]:
    """A ring that crosses itself in its middle."""
    corners = ((0, 0), (1, 1), (1, 0), (0, 1), (0, 0))
    return [(round(lon + x * side_deg, 6), round(lat + y * side_deg, 6)) for x, y in corners]


def copy_counties(folder: Path) -> Path:
    """The built-in county boundaries; their coordinates are GCJ-02."""
    return Path(shutil.copy(BUILTIN_DATA / "bozhou" / "counties.geojson", folder / "counties.geojson"))


def write_facts(counties: Path, path: Path) -> Path:
    """Facts with the true WGS-84 centroids of the counties, to a metre."""
    from layers.vector import read_vector

    card = SourceCard("counties", counties, counties.name, "MIT", Origin.MAPPED, datum="gcj02")
    features: gpd.GeoDataFrame = read_vector(card, "EPSG:4548", log=FindingLog()).features
    centres = features.geometry.centroid.to_crs("EPSG:4326")
    table = pd.DataFrame(
        {
            "county_code": [str(i) for i in range(len(features))],
            "name_zh": features["name"],
            "name_pinyin": "X",
            "population": 1e6,
            "lon": centres.x.round(5),
            "lat": centres.y.round(5),
        }
    )
    table.to_csv(path, index=False)
    return path


def write_epw(path: Path, *, without_rows: Sequence[int] = ()) -> Path:
    """A whole year of generated weather as EPW; ``without_rows`` leaves hours out."""
    from layers.generated.weather import generate_weather

    table = pd.read_csv(BUILTIN_DATA / "climate-normals.csv")
    hours = generate_weather(
        table[table["place"] == "Bozhou"],
        cell_id="b", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=1, year=2023,
    ).hours  # fmt: skip
    header = ["LOCATION,Bozhou,AH,CHN,TEST,581020,33.87,115.77,8.0,38.0"]
    header += ["DESIGN CONDITIONS,0", "TYPICAL/EXTREME PERIODS,0", "GROUND TEMPERATURES,0"]
    header += ["HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0", "COMMENTS 1,test", "COMMENTS 2,test"]
    header += ["DATA PERIODS,1,1,Data,Sunday,1/1,12/31"]
    assert len(header) == EPW_HEADER_LINES
    rows = []
    for when, row in hours.iterrows():
        fields = ["0"] * 35
        fields[0:5] = [str(when.year), str(when.month), str(when.day), str(when.hour + 1), "60"]
        fields[5] = "test"
        fields[6:10] = [f"{row.temp_air_c:.1f}", f"{row.temp_air_c - 5:.1f}", "60", f"{row.pressure_pa:.0f}"]
        fields[13:16] = [f"{row.ghi_w_per_m2:.0f}", f"{row.dni_w_per_m2:.0f}", f"{row.dhi_w_per_m2:.0f}"]
        fields[20:22] = ["180", f"{row.wind_speed_m_per_s:.1f}"]
        rows.append(",".join(fields))
    kept = [row for number, row in enumerate(rows) if number not in set(without_rows)]
    path.write_text("\r\n".join(header + kept) + "\r\n", "utf-8")
    return path


def small_network(*, isolated_bus: bool = False, ratio_factor: float = 1.0) -> Network:
    """A 220 kV infeed, one transformer, one 110 kV line with a load at its end.

    ::

        infeed ~ a/220 --(T1)-- a/110 ----L1---- b/110 -> 60 MW        [c/110: isolated, when asked for]
    """
    stations = [("a", "甲站", "A", 220.0, 116.0, 33.5), ("b", "乙站", "B", 110.0, 116.2, 33.5)]
    buses = [("a/220", "a", 220.0), ("a/110", "a", 110.0), ("b/110", "b", 110.0)]
    if isolated_bus:
        stations.append(("c", "丙站", "C", 110.0, 116.4, 33.5))
        buses.append(("c/110", "c", 110.0))
    unit = {
        "transformer_id": "a/T1", "station_id": "a", "hv_bus": "a/220", "lv_bus": "a/110",
        "transformer_type": "180 MVA 220/110", "sn_mva": 180.0, "vn_hv_kv": 220.0, "vn_lv_kv": 115.0 * ratio_factor,
        "vk_percent": 14.0, "vkr_percent": 0.3, "pfe_kw": 90.0, "i0_percent": 0.3, "shift_degree": 0.0,
        "tap_side": "hv", "tap_neutral": 0.0, "tap_min": -8.0, "tap_max": 8.0, "tap_step_percent": 1.25,
        "tap_pos": 0.0, "origin": "assumed", "note": "",
    }  # fmt: skip
    line = {
        "line_id": "L1", "name_zh": "甲乙线", "name_en": "A-B", "corridor_id": "A-B", "from_bus": "a/110",
        "to_bus": "b/110", "length_km": 18.6, "line_type": "LGJ-300/40", "r_ohm_per_km": 0.1, "x_ohm_per_km": 0.4,
        "c_nf_per_km": 9.0, "max_i_ka": 0.6, "origin": "assumed", "path_wkt": "", "note": "",
    }  # fmt: skip
    from grid.contracts import GENERATORS

    return Network(
        name="small",
        stations=pd.DataFrame(
            [
                {
                    "station_id": i,
                    "name_zh": zh,
                    "name_en": en,
                    "vn_kv": kv,
                    "lon": lon,
                    "lat": lat,
                    "district_code": "",
                    "in_region": True,
                    "origin": "assumed",
                    "note": "",
                }
                for i, zh, en, kv, lon, lat in stations
            ]
        ),
        buses=pd.DataFrame(
            [{"bus_id": b, "station_id": s, "vn_kv": kv, "vm_min_pu": 0.95, "vm_max_pu": 1.07} for b, s, kv in buses]
        ),
        lines=pd.DataFrame([line]),
        transformers=pd.DataFrame([unit]),
        loads=pd.DataFrame(
            [{"load_id": "load/b", "bus_id": "b/110", "p_mw": 60.0, "q_mvar": 12.0, "origin": "assumed"}]
        ),
        generators=GENERATORS.empty(),
        infeeds=pd.DataFrame(
            [
                {
                    "infeed_id": "i1",
                    "bus_id": "a/220",
                    "vm_pu": 1.03,
                    "va_degree": 0.0,
                    "slack_weight": 1.0,
                    "s_sc_mva": 10_000.0,
                    "note": "",
                }
            ]
        ),
        origin=Origin.ASSUMED,
    ).validate()


def read_generated(folder: Path, **sizes: float) -> Study:
    return read_study(generated_study(folder, **sizes))
