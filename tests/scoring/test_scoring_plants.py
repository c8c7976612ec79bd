"""Lists of existing plants: WRI's and GEM's columns, OpenStreetMap polygons, and everything that is left out, named."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from layers.contracts import FindingLog, InputError
from layers.plants_file import read_plants


def listed(tmp_path: Path, text: str, name: str = "plants.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    log = FindingLog()
    return read_plants(path, log=log), {f.rule: f for f in log.findings}


def test_plain_csv(tmp_path: Path) -> None:
    table, found = listed(
        tmp_path,
        "name,technology,capacity_mw,lon,lat\nA,wind,50,116.12345,33.5\nB,solar PV,,116.2001,33.6\nC,coal,600,116,33\n",
    )
    assert table["technology"].tolist() == ["wind", "pv"]
    assert table["capacity_mw"].isna().tolist() == [False, True]
    assert table["approximate"].tolist() == [False, False]
    assert found == {}


def test_columns_of_wri(tmp_path: Path) -> None:
    table, found = listed(
        tmp_path,
        "Name,Fuel,Capacity (MW),Operational Status,Latitude,Longitude\n"
        "North wind,Wind,49,,32.67000,118.45000\nSun,Solar,10,,30.7712,116.8012\nGas,Natural Gas,9,,30,116\n",
    )
    assert table["approximate"].tolist() == [True, False]  # two decimals in both coordinates
    assert found["plants.approximate"].value == "1"
    assert found["plants.approximate"].item == "North wind"


def test_columns_of_gem_with_status_and_accuracy(tmp_path: Path) -> None:
    table, found = listed(
        tmp_path,
        "Project Name,Type,Capacity (MW),Status,Latitude,Longitude,Location accuracy\n"
        "A,wind,50,operating,33.5,116.2,exact\nB,wind,60,operating,33.61234,116.31234,approximate\n"
        "C,wind,70,announced,33.7,116.4,exact\nD,wind,80,Retired,33.8,116.5,exact\n",
    )
    assert table["name"].tolist() == ["A", "B"]
    assert table["approximate"].tolist() == [False, True]
    assert found["plants.not_operating"].value == "2"


def test_trap_doubles_and_missing_positions_are_named(tmp_path: Path) -> None:
    """Same name or same capacity within half a kilometre is one plant; the same name 50 km off is another."""
    table, found = listed(
        tmp_path,
        "name,technology,capacity_mw,lon,lat\n"
        "A,wind,50,116.10001,33.50001\nA,wind,48,116.10011,33.50001\nB,wind,50,116.10021,33.50001\n"
        "A,wind,50,116.60001,33.50001\nC,pv,50,116.10001,33.50001\n"
        "D,wind,50,,33.5\nE,wind,50,0,0\nF,wind,50,216,33\n",
    )
    assert table["name"].tolist() == ["A", "A", "C"]
    assert (found["plants.double"].value, found["plants.double"].item) == ("2", "A, B")
    assert (found["plants.no_position"].value, found["plants.no_position"].item) == ("3", "D, E, F")


def test_polygons_of_a_geopackage(tmp_path: Path) -> None:
    shapes = [shapely.box(116, 33, 116.01, 33.01), shapely.box(117, 33, 117.01, 33.01)]
    features = gpd.GeoDataFrame({"name": ["S", None], "source": ["solar", None]}, geometry=shapes, crs="EPSG:4326")
    path = tmp_path / "osm.gpkg"
    features.to_crs("EPSG:4548").to_file(path)
    table = read_plants(path, log=FindingLog())
    assert table["name"].tolist() == ["S"]
    assert table[["lon", "lat"]].iloc[0].tolist() == pytest.approx([116.005, 33.005], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "rule", "item"),
    [("a,b\n1,2\n", "plants.column_missing", "lon"), ("", "plants.unreadable", "")],
)
def test_lists_that_cannot_be_used(tmp_path: Path, text: str, rule: str, item: str) -> None:
    with pytest.raises(InputError) as caught:
        listed(tmp_path, text)
    assert {f.rule for f in caught.value.findings} == {rule}
    assert caught.value.findings[0].item == item
    assert caught.value.findings[0].file == "plants.csv"


@pytest.mark.real_data
def test_wri_s_list_of_china(real_data: Path) -> None:
    """835 wind and 135 PV rows; what lies without position or twice is counted, so that another delivery shows."""
    log = FindingLog()
    table = read_plants(real_data / "plants-wri-china" / "wri_china_2018_all_tagged.csv.gz", log=log)
    told = {f.rule: int(f.value) for f in log.findings}
    assert len(table) + told.get("plants.no_position", 0) + told["plants.double"] == 835 + 135
    assert told["plants.approximate"] == int(table["approximate"].sum())
    assert 0.2 < table["approximate"].mean() < 0.7
    assert (table["technology"] == "wind").sum() > 700
