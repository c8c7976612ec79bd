"""The light left for crops reaches the candidates' details when a study builds raised rows."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pv_samples import TABLES, bozhou
from shapely.geometry import box

from layers.contracts import Origin
from siting.hosts.types import load_host_types
from siting.pv.chain import pv_yield
from siting.yields.compute import compute_yields


def test_ground_light_is_a_detail_of_the_site():
    hosts = [h for h in load_host_types() if h.kind != "wind"][:2]
    raised, plain = (
        dataclasses.replace(h, pv_variant=v) for h, v in zip(hosts, ("agri_raised", "ground_fixed"), strict=True)
    )
    rows = []
    for host in (raised, plain):
        ratio = TABLES.pv_variant(host.pv_variant).dc_ac_ratio
        rows.append(
            {
                "candidate_id": host.host_type, "host_type": host.host_type, "technology": host.technology,
                "kind": host.kind, "district_code": "341600", "name_zh": "甲", "name_en": "A", "area_m2": 1e5,
                "capacity_mw": 10.0 * ratio, "grid_capacity_mw": 10.0, "origin": str(Origin.GENERATED),
                "lon": 115.8, "lat": 33.9,
            }
        )  # fmt: skip
    candidates = gpd.GeoDataFrame(pd.DataFrame(rows), geometry=[box(0, 0, 1, 1)] * 2, crs="EPSG:4547")
    details = compute_yields(candidates, [raised, plain], [bozhou()]).details.set_index("candidate_id")
    (expected,) = pv_yield(bozhou(), [TABLES.pv_variant("agri_raised")]).ground_light_share
    assert details.loc[raised.host_type, "ground_light_share"] == pytest.approx(expected)
    assert np.isnan(details.loc[plain.host_type, "ground_light_share"])
