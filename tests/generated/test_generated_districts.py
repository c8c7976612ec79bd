"""Invented districts: any size, exact totals, shared borders."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.contracts import DISTRICTS, InputError
from layers.generated import generate_districts


def make(area_km2: float = 2_000.0, count: int = 5, population: float = 1e6, seed: int = 7) -> gpd.GeoDataFrame:
    return generate_districts(
        centre_lon=116.2, centre_lat=33.4, area_km2=area_km2, count=count, population=population, seed=seed
    )


@pytest.mark.parametrize(("area_km2", "count"), [(30.0, 1), (30.0, 6), (8_500.0, 4), (140_000.0, 105)])
def test_from_a_village_to_a_province(area_km2: float, count: int) -> None:
    districts = make(area_km2, count)
    DISTRICTS.validate(districts)
    assert len(districts) == count
    assert districts["area_km2"].sum() == pytest.approx(area_km2, rel=1e-4)
    assert districts["population"].sum() == 1e6
    assert districts.geometry.is_valid.all()
    assert set(districts.geometry.geom_type) == {"Polygon"}
    assert districts["name_zh"].is_unique
    assert districts["name_en"].is_unique


def test_neighbours_share_their_border_vertex_by_vertex() -> None:
    districts = make(count=12)
    assert shapely.coverage_is_valid(districts.geometry.to_numpy())
    whole = shapely.union_all(districts.geometry.to_numpy())
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0


def test_districts_are_of_like_size_and_lie_about_the_centre() -> None:
    districts = make(count=12)
    assert districts["area_km2"].max() < 2.5 * districts["area_km2"].min()
    middle = gpd.GeoSeries([shapely.union_all(districts.geometry.to_numpy()).centroid], crs=districts.crs).to_crs(4326)
    assert middle.x[0] == pytest.approx(116.2, abs=0.05)
    assert middle.y[0] == pytest.approx(33.4, abs=0.05)


def test_zone_follows_the_centre() -> None:
    # 116.2 E lies in the 3-degree zone of 117 E, EPSG:4548
    assert make().crs.to_epsg() == 4548


def test_same_seed_same_bytes_other_seed_other_land() -> None:
    first, again, other = make(), make(), make(seed=8)
    assert first.to_wkb().equals(again.to_wkb())
    assert not shapely.equals(first.geometry[0], other.geometry[0])


@settings(max_examples=15, deadline=None)
@given(area=st.floats(20, 20_000), count=st.integers(1, 15), seed=st.integers(0, 10_000))
def test_any_request_gives_whole_valid_districts(area: float, count: int, seed: int) -> None:
    districts = make(area, count, 12_345.0, seed)
    assert np.isclose(districts["area_km2"].sum(), area, rtol=1e-4)
    assert districts["population"].sum() == 12_345.0
    assert shapely.coverage_is_valid(districts.geometry.to_numpy())


def test_bad_request_names_every_value() -> None:
    with pytest.raises(InputError) as error:
        make(area_km2=0.0, count=0, population=-1.0)
    assert [finding.item for finding in error.value.findings] == ["area_km2", "count", "population"]
