"""A project list of three, small enough to read.

::

    P1  MultiPolygon of two squares, PV 12 MW DC / 10 MW AC, fully accepted
    P2  square with a hole,          PV  6 MW DC /  5 MW AC, half accepted
    P3  square,                      wind 20 MW,            refused, much unknown
"""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from grid.contracts import SUBSTATIONS, UPGRADES
from maps.contracts import PROJECTS

NAN = float("nan")
SHARED = {
    "host_type_zh": "鱼塘",
    "host_type_en": "fish pond",
    "district_zh": "谯城区",
    "district_en": "Qiaocheng",
    "binding_case": "",
    "binding_element": "",
    "binding_outage": "",
    "upgrade_id": "",
    "upgrade_zh": "",
    "upgrade_en": "",
    "reason_zh": "电网可接纳",
    "reason_en": "the network takes it",
    "origin": "generated",
}
P1 = SHARED | {
    "order": 1, "candidate_id": "BZ-POND-1", "name_zh": "谯城鱼塘1号", "name_en": "Qiaocheng pond 1",
    "host_type": "fish_pond", "technology": "pv_pond", "district_code": "341602", "lon": 115.7781234567,
    "lat": 33.8441234567, "area_m2": 154321.987, "capacity_mw": 12.0, "grid_capacity_mw": 10.0,
    "specific_yield_kwh_per_kw": 1012.3456, "energy_mwh": 12148.1472, "capex_cny": 46_800_000.4,
    "connection_cost_cny": 3_210_000.0, "lcoe_cny_per_kwh": 0.3141592653, "score": 0.71, "station_id": "zhuji",
    "station_zh": "朱集", "station_en": "Zhuji", "connection_kv": 110.0, "connection_km": 4.2, "n_0_alone_mw": 80.0,
    "n_1_alone_mw": 60.0, "accepted_mw": 10.0, "verdict": "connect",
}  # fmt: skip
P2 = P1 | {
    "order": 2, "candidate_id": "BZ-POND-2", "name_zh": '=HYPERLINK("x")', "name_en": "@cmd|' /C calc'!A0",
    "district_code": "341621", "capacity_mw": 6.0, "grid_capacity_mw": 5.0, "accepted_mw": 2.5, "verdict": "partial",
    "upgrade_zh": "-换主变", "upgrade_en": "+1 transformer", "binding_element": "t1",
}  # fmt: skip
P3 = P1 | {
    "order": 3, "candidate_id": "BZ-WIND-1", "technology": "wind_onshore", "host_type": "plain", "capacity_mw": 20.0,
    "grid_capacity_mw": 20.0, "accepted_mw": 0.0, "verdict": "refused", "score": NAN, "connection_cost_cny": NAN,
    "lcoe_cny_per_kwh": NAN, "station_id": "", "station_zh": "", "station_en": "", "connection_kv": NAN,
    "connection_km": NAN, "n_0_alone_mw": NAN, "n_1_alone_mw": NAN,
}  # fmt: skip


@pytest.fixture
def projects() -> gpd.GeoDataFrame:
    box = shapely.box
    shapes = [
        shapely.MultiPolygon([box(115.0, 33.0, 115.1, 33.1), box(115.2, 33.0, 115.3, 33.1)]),
        shapely.Polygon(
            box(116.0, 33.0, 116.1, 33.1).exterior.coords, [box(116.04, 33.04, 116.06, 33.06).exterior.coords]
        ),
        box(117.0, 33.0, 117.1, 33.123456789),
    ]
    return gpd.GeoDataFrame([P1, P2, P3], columns=list(PROJECTS.columns), geometry=shapes, crs="EPSG:4326")


@pytest.fixture
def substations() -> pd.DataFrame:
    row = {
        "station_id": "zhuji", "bus_id": "zhuji/110", "name_zh": "朱集", "name_en": "Zhuji", "vn_kv": 110.0,
        "district_code": "341602", "origin": "assumed", "transformer_mva": 360.0, "n_0_mw": 120.0, "n_1_mw": 60.0,
        "accepted_mw": 12.5, "remaining_n_1_mw": 47.5, "limit": "transformer_loading", "binding_case": "spring_noon",
        "binding_element": "zhuji/t1", "binding_outage": "zhuji/t2", "upgrade_id": "u1", "n_1_after_upgrade_mw": NAN,
    }  # fmt: skip
    return pd.DataFrame([row], columns=list(SUBSTATIONS.columns))


@pytest.fixture
def upgrades() -> pd.DataFrame:
    row = {
        "upgrade_id": "u1", "kind": "add_transformer", "element": "zhuji/t1", "station_id": "zhuji",
        "description_zh": "加装180 MVA主变", "description_en": "add a 180 MVA transformer", "cost_cny": 1.8e7,
        "cost_confidence": "C", "cost_source": "engineering range",
    }  # fmt: skip
    return pd.DataFrame([row], columns=list(UPGRADES.columns))
