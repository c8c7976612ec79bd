"""Places in the exports: KML, GeoParquet, layers of the network with their styles, CGCS2000 columns, column titles."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from layers.units import unit_of
from maps.contracts import PROJECTS
from study.outputs.cgcs2000 import cgcs2000_columns, zone_number
from study.outputs.exports import FORMATS, plan_sheets, read_table, write_projects, write_table
from study.outputs.labels import value_labels
from study.outputs.network_layers import NetworkLayers, network_layers
from study.outputs.workbook import Sheet, write_workbook
from study.plan.site_table import PLAN_SITES

KML = {"k": "http://www.opengis.net/kml/2.2"}


@pytest.fixture
def network(projects: gpd.GeoDataFrame, substations: pd.DataFrame) -> NetworkLayers:
    """Zhuji at 116 E 33.5 N, one line of 110 kV, loaded 40 % at noon and 90 % in the evening."""
    line = gpd.GeoDataFrame(
        {
            "line_id": ["L1"], "name_zh": ["<线>&1"], "name_en": ["line 1"], "vn_kv": [110.0], "length_km": [4.0],
            "line_type": ["t"], "origin": ["assumed"],
        },
        geometry=[shapely.LineString([(116.0, 33.5), (116.1, 33.5)])],
        crs="EPSG:4326",
    )  # fmt: skip
    state = pd.DataFrame(
        {"case": ["noon", "evening", "night"], "element": ["L1"] * 3, "loading_percent": [40.0, 90.0, np.nan]}
    )
    return network_layers(projects, substations.assign(lon=116.0, lat=33.5), line, state)


# --- CGCS2000 ---------------------------------------------------------------------------------------------------


def test_zone_numbers() -> None:
    assert zone_number("EPSG:4548") == 39  # meridian 117 E
    assert zone_number("EPSG:4534") == 25  # 75 E
    assert zone_number("EPSG:4554") == 45  # 135 E
    assert zone_number("EPSG:4527") is None  # zone 39 with its number before the easting: another CRS
    assert zone_number("EPSG:32650") is None


def test_x_is_north_and_y_is_east() -> None:
    """On the central meridian the easting is 500 km; 34 N lies 3 763 654 m from the equator along the CGCS2000
    meridian (series of the meridian arc: 111 132.95 phi - 16 038.51 sin 2 phi + 16.83 sin 4 phi - 0.022 sin 6 phi)."""
    phi = np.radians(34.0)
    arc = 111_132.9525 * 34.0 - 16_038.509 * np.sin(2 * phi) + 16.833 * np.sin(4 * phi) - 0.022 * np.sin(6 * phi)
    places = cgcs2000_columns(pd.DataFrame({"lon": [117.0, 118.0], "lat": [34.0, 34.0]}), "EPSG:4548")
    assert places["cgcs2000_zone"].tolist() == [39, 39]
    np.testing.assert_allclose(places["cgcs2000_x_m"][0], arc, atol=0.5)
    np.testing.assert_allclose(places["cgcs2000_y_m"][0], 500_000.0, atol=0.01)
    assert places["cgcs2000_y_m"][1] > 590_000


def test_one_zone_for_the_list_where_the_study_has_no_zone() -> None:
    table = pd.DataFrame({"lon": [115.2, 118.2], "lat": [33.0, 33.0]})
    assert cgcs2000_columns(table, "EPSG:32650")["cgcs2000_zone"].tolist() == [39, 39]  # middle 116.7, meridian 117
    assert cgcs2000_columns(table.assign(lon=10.0), None).empty
    assert cgcs2000_columns(table.iloc[:0], None).columns.empty


# --- files ------------------------------------------------------------------------------------------------------


def test_gdal_opens_every_format(projects: gpd.GeoDataFrame, network: NetworkLayers, tmp_path: Path) -> None:
    write_projects(projects, tmp_path, FORMATS, frame_crs="EPSG:4547", network=network)
    drivers = pyogrio.list_drivers()
    opened = []
    for name, driver in {"gpkg": "GPKG", "geojson": "GeoJSON", "kml": "LIBKML", "csv": "CSV", "xlsx": "XLSX",
                         "parquet": "Parquet"}.items():  # fmt: skip
        if driver in drivers:
            info = pyogrio.read_info(tmp_path / f"projects.{name}", layer="projects")
            assert info["features"] == (6 if name == "xlsx" else 3), name  # of a sheet GDAL counts the head as well
            opened.append(name)
    assert {"gpkg", "geojson", "kml", "csv"} <= set(opened)


def test_kml_has_styles_titles_and_no_markup_from_names(
    projects: gpd.GeoDataFrame, network: NetworkLayers, tmp_path: Path
) -> None:
    projects.loc[0, "name_zh"] = "<script>alert(1)</script>&"
    write_projects(projects, tmp_path, ["kml"], network=network)
    root = ET.parse(tmp_path / "projects.kml").getroot()
    assert not list(root.iter("script"))
    folders = {f.findtext("k:name", "", KML): f.findall("k:Placemark", KML) for f in root.iter(f"{{{KML['k']}}}Folder")}
    assert {name: len(marks) for name, marks in folders.items()} == {
        "projects": 3, "stations": 1, "lines": 1, "tie_lines": 2,
    }  # fmt: skip
    first = folders["projects"][0]
    assert first.findtext("k:name", "", KML) == "<script>alert(1)</script>&"
    assert first.findtext("k:styleUrl", "", KML) == "#verdict_connect"
    styles = {style.get("id") for style in root.iter(f"{{{KML['k']}}}Style")}
    assert {f"verdict_{label.value}" for label in value_labels("verdict")} <= styles
    data = {d.get("name"): d for d in first.iter(f"{{{KML['k']}}}Data")}
    assert data["capacity_mw"].findtext("k:displayName", "", KML) == "装机容量"
    assert data["capacity_mw"].findtext("k:value", "", KML) == "12.0"
    assert data["cgcs2000_zone"].findtext("k:value", "", KML) == "39"


def test_kml_reads_back_with_the_same_places(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    write_projects(projects, tmp_path, ["kml"], titles="en")
    back = pyogrio.read_dataframe(tmp_path / "projects.kml", layer="projects")
    assert shapely.equals_exact(
        shapely.normalize(back.geometry.make_valid().to_numpy()),
        shapely.normalize(projects.geometry.make_valid().to_numpy()),
        tolerance=1e-6,
    ).all()


def test_geoparquet_carries_its_crs_and_all_columns(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    write_projects(projects, tmp_path, ["parquet"], frame_crs="EPSG:4547")
    back = gpd.read_parquet(tmp_path / "projects.parquet")
    assert back.crs == "EPSG:4326"
    assert list(back.columns) == [*PROJECTS.columns, *PROJECTS.optional, "geometry"]
    assert shapely.equals(back.geometry.to_numpy(), projects.geometry.to_numpy()).all()
    assert back["cgcs2000_zone"].tolist() == [38, 38, 38]  # EPSG:4547 is the zone of 114 E


def test_geopackage_layers_of_the_network_have_styles(
    projects: gpd.GeoDataFrame, network: NetworkLayers, tmp_path: Path
) -> None:
    (path,) = write_projects(projects, tmp_path, ["gpkg"], network=network)
    layers = {str(name) for name, _ in pyogrio.list_layers(path)}
    assert {"projects", "project_points", "stations", "lines", "tie_lines"} <= layers
    with closing(sqlite3.connect(path)) as base:
        styles = dict(base.execute("select f_table_name, styleQML from layer_styles where useAsDefault").fetchall())
    assert set(styles) == {"projects", "project_points", "stations", "lines", "tie_lines"}
    kinds = {name: ET.fromstring(qml).find("./renderer-v2").get("type") for name, qml in styles.items()}  # type: ignore[union-attr]
    assert kinds["lines"] == kinds["stations"] == "graduatedSymbol"
    lines = ET.fromstring(styles["lines"])
    assert lines.find("./renderer-v2").get("attr") == "vn_kv"  # type: ignore[union-attr]
    assert {r.get("symbol") for r in lines.iter("range")} == {s.get("name") for s in lines.iter("symbol")}
    ranges = [(float(r.get("lower", "")), float(r.get("upper", ""))) for r in lines.iter("range")]
    assert [low for low, _ in ranges[:-1]] == [high for _, high in ranges[1:]]  # from the top down without a gap
    assert [sum(low < kv <= high for low, high in ranges) for kv in (500, 330, 220, 110, 66, 35, 10)] == [1] * 7


def test_lines_carry_their_highest_loading_and_ties_their_ends(network: NetworkLayers) -> None:
    (line,) = network.lines.to_dict("records")
    assert (line["loading_max_percent"], line["loading_max_case"]) == (90.0, "evening")
    assert network.tie_lines["candidate_id"].tolist() == ["BZ-POND-1", "BZ-POND-2"]  # P3 has no station
    np.testing.assert_allclose(network.tie_lines.geometry.iloc[0].coords[1], (116.0, 33.5))
    assert not network.tie_lines["routed"].any()


def test_routes_take_the_place_of_straight_strokes(projects: gpd.GeoDataFrame, network: NetworkLayers) -> None:
    routes = pd.DataFrame(
        {
            "candidate_id": ["BZ-POND-1"], "station_id": ["zhuji"], "vn_kv": [110.0], "length_km": [30.0],
            "routed": [True], "path_wkt": ["LINESTRING (115.8 33.8, 115.9 33.6, 116 33.5)"],
        }
    )  # fmt: skip
    stations = pd.DataFrame(network.stations.drop(columns="geometry"))
    state = pd.DataFrame({"case": [], "element": [], "loading_percent": []})
    ties = network_layers(projects, stations, network.lines, state, routes).tie_lines
    assert ties["routed"].tolist() == [True]
    assert len(ties.geometry.iloc[0].coords) == 3


# --- titles, marks, sheets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("titles", "head"), [("zh", "装机容量"), ("en", "Installed capacity"), ("names", "capacity_mw")]
)
def test_titles_head_workbook_and_csv(projects: gpd.GeoDataFrame, tmp_path: Path, titles: str, head: str) -> None:
    write_projects(projects, tmp_path, ["xlsx", "csv"], titles=titles)  # type: ignore[arg-type]
    sheet = openpyxl.load_workbook(tmp_path / "projects.xlsx")["projects"]
    at = list(PROJECTS.columns).index("capacity_mw")
    assert (sheet[1][at].value, sheet[3][at].value) == ("capacity_mw", head)
    first = (tmp_path / "projects.csv").read_text("utf-8-sig").splitlines()[0]
    assert first.split(",")[at] == head


def test_csv_without_the_mark_is_plain_utf_8_and_reads_back(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    (path,) = write_projects(projects, tmp_path, ["csv"], bom=False)
    assert path.read_bytes().startswith(b"order,")
    assert len(read_table(path, PROJECTS)) == 3


def test_shares_are_percent_and_units_follow_names(tmp_path: Path) -> None:
    table = pd.DataFrame({"a_share": [0.25], "p_mw": [1234.5], "loading_percent": [99.5], "note": ["=1+1"]})
    write_workbook(tmp_path / "t.xlsx", [Sheet.named("plan_x", table)], "zh", file_name="t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["plan_x"]
    assert [cell.value for cell in sheet[2]] == ["%", "MW", "%", None]
    assert [cell.number_format for cell in sheet[4]][:3] == ["0.0%", "#,##0.0", "0.0"]
    assert (sheet[4][3].value, sheet[4][3].data_type) == ("=1+1", "s")
    assert unit_of("investment_cny") == "CNY"
    assert unit_of("cost_cny_per_mwh") == "CNY/MWh"
    assert unit_of("cny_per_mw") == "CNY/MW"
    assert unit_of("deliverable_gw") == "GW"
    assert unit_of("room") == ""


def test_tables_of_a_plan_are_sheets_with_titles_units_labels_and_definitions(
    projects: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    site = dict.fromkeys(PLAN_SITES.columns, "") | {"order": 1, "planned_mw": 4.0, "verdict": "build_part"}
    write_table(pd.DataFrame([site]), run / "plan" / "sites.csv")
    measure = {"order": 1, "measure_id": "m1", "stage": 2030, "cny_per_mw": 360000.0}
    write_table(pd.DataFrame([measure]), run / "plan" / "measures.csv")
    stairs = pd.DataFrame({"step": [0, 1], "measure_id": ["", "m1"], "with_upgrades": [False, True]})
    write_table(stairs, run / "plan" / "staircase.csv")
    write_projects(projects, tmp_path, ["xlsx"], more_sheets=plan_sheets(run), language="zh")
    book = openpyxl.load_workbook(tmp_path / "projects.xlsx")
    heads = {cell.value: cell.column - 1 for cell in book["plan_sites"][1]}
    sheet = book["plan_sites"]
    assert sheet[3][heads["planned_mw"]].value == "规划并网容量"
    assert sheet[2][heads["full_load_hours"]].value == "h"
    assert sheet[4][heads["verdict"]].value == "部分建设"
    assert sheet.freeze_panes == "B4"
    assert [cell.value for cell in book["plan_measures"][2]] == [None, None, None, "CNY/MW"]
    assert [row[2].value for row in book["plan_staircase"].iter_rows(min_row=4)] == [False, True]
    defined = {row[0].value for row in book["definitions"].iter_rows(min_row=4)}
    assert {"plan_sites", "plan_measures"} <= defined
    assert "plan_hours" not in defined  # the run has no such table


def test_tables_of_a_plan_become_sheets(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    assert plan_sheets(tmp_path) == []
    stages = pd.DataFrame({"stage_id": ["1"], "candidate_id": ["BZ-POND-1"], "built_mw": [10.0], "text": ["-x"]})
    write_table(stages, tmp_path / "plan" / "stages.csv")
    sheets = plan_sheets(tmp_path)
    assert [sheet.name for sheet in sheets] == ["plan_stages"]
    assert sheets[0].table.to_dict("records") == stages.to_dict("records")
    write_projects(projects, tmp_path, ["xlsx"], more_sheets=sheets)
    assert "plan_stages" in openpyxl.load_workbook(tmp_path / "projects.xlsx").sheetnames


@pytest.mark.slow
def test_libreoffice_opens_the_workbook_and_runs_no_formula(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed: no soffice on the path")
    (path,) = write_projects(projects, tmp_path, ["xlsx"])
    done = subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to",
         "csv:Text - txt - csv (StarCalc):44,34,76,1", "--outdir", str(tmp_path / "out"), str(path)],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert "rror" not in done.stderr
    back = pd.read_csv(tmp_path / "out" / "projects.csv", header=0, skiprows=[1, 2], dtype=str, keep_default_na=False)
    assert back["name_zh"].tolist() == projects["name_zh"].tolist()  # =HYPERLINK("x") stayed a text
    assert back["upgrade_en"].tolist()[1] == "+1 transformer"
    assert back["capacity_mw"].tolist() == ["12.0", "6.0", "20.0"]
