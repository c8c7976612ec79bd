"""Shade of neighbours in the yield of roof sites, by hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from siting.hosts.roof_shade import shade_factors
from siting.hosts.types import load_host_types

TYPES = load_host_types()


def candidates(*host_types: str) -> gpd.GeoDataFrame:
    """Candidates of 100 m x 100 m, one every 5 km."""
    squares = [shapely.box(5000 * k, 0, 5000 * k + 100, 100) for k in range(len(host_types))]
    columns = {"candidate_id": [f"c{k}" for k in range(len(host_types))], "host_type": list(host_types)}
    return gpd.GeoDataFrame(columns, geometry=squares, crs="EPSG:4548")


def roof(site: int, host_type: str, footprint_m2: float, loss: float) -> dict[str, object]:
    return {
        "host_type": host_type, "footprint_m2": footprint_m2, "pitched": False, "shading_loss_share": loss,
        "x_m": 5000.0 * site + 50, "y_m": 50.0,
    }  # fmt: skip


def test_the_larger_of_mapped_and_flat_shade_counts() -> None:
    where = candidates("roof_industrial", "roof_industrial", "roof_industrial", "barren_hill")
    roofs = pd.DataFrame(
        [
            roof(0, "roof_industrial", 300.0, 0.10),
            roof(0, "roof_industrial", 100.0, 0.30),
            roof(0, "roof_industrial", 900.0, np.nan),
            roof(1, "roof_industrial", 100.0, 0.01),
            roof(2, "roof_industrial", 100.0, np.nan),
        ]
    )
    factor = shade_factors(where, roofs, TYPES)
    # area mean of the first site: (300 x 0.10 + 100 x 0.30) / 400 = 0.15; PVWatts takes 3 % already
    assert factor["c0"] == pytest.approx(0.85 / 0.97)
    # 1 % is under the flat 3 %; no height is known; not a roof
    assert factor["c1"] == factor["c2"] == factor["c3"] == 1.0


def test_a_roof_in_full_shade_has_a_factor_over_zero() -> None:
    factor = shade_factors(candidates("roof_industrial"), pd.DataFrame([roof(0, "roof_industrial", 100.0, 1.0)]), TYPES)
    assert 0 < factor["c0"] < 0.05


@pytest.mark.parametrize("roofs", [None, pd.DataFrame()])
def test_without_mapped_roofs_nothing_changes(roofs: pd.DataFrame | None) -> None:
    assert (shade_factors(candidates("roof_industrial", "wind_plain"), roofs, TYPES) == 1.0).all()
