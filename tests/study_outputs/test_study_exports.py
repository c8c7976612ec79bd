"""The project list as files: what is written reads back, in six formats, byte for byte the same."""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
import subprocess
import sys
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.contracts import SUBSTATIONS, UPGRADES, Assumption
from layers.contracts import InputError, Origin, SourceCard
from layers.tables import ContractError, Table, column
from maps.contracts import PROJECTS
from study.outputs.exports import FORMATS, read_table, write_projects, write_table
from study.outputs.labels import value_labels
from study.outputs.workbook import MAX_ROWS, MAX_TEXT, Sheet, excel_limits, write_workbook
from study.stages.targets import Target, target_table

CARD = SourceCard(
    id="ponds",
    path=Path("/somewhere/private/ponds.gpkg"),
    shown_path="layers/ponds.gpkg",
    licence="CC-BY-4.0",
    origin=Origin.MAPPED,
    sha256="ab" * 32,
    title_zh="鱼塘",
    title_en="fish ponds",
)
ASSUMPTION = Assumption("a1", "transformers", "=主变按180 MVA", "-180 MVA units", "180 MVA", "range", "C")


def write_all(projects: gpd.GeoDataFrame, folder: Path, **tables: pd.DataFrame) -> dict[str, Path]:
    targets = target_table([Target("亳州", "光伏", "PV", "pv", 2030, 100.0)], projects)
    paths = write_projects(
        projects,
        folder,
        FORMATS,
        frame_crs="EPSG:4547",
        targets=targets,
        sources=[CARD],
        assumptions=[ASSUMPTION],
        **tables,  # type: ignore[arg-type]
    )
    return {path.suffix[1:]: path for path in paths}


@pytest.fixture
def files(
    projects: gpd.GeoDataFrame, substations: pd.DataFrame, upgrades: pd.DataFrame, tmp_path: Path
) -> dict[str, Path]:
    return write_all(projects, tmp_path, substations=substations, upgrades=upgrades)


def numbers(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(table[[name for name, promise in PROJECTS.columns.items() if promise.dtype is float]])


# --- all formats ------------------------------------------------------------------------------------------------


def test_files_stand_in_the_order_of_the_formats_and_no_part_is_left(
    projects: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    paths = write_projects(projects, tmp_path / "new" / "folder", ["geojson", "xlsx", "csv"])
    assert [path.name for path in paths] == ["projects.xlsx", "projects.csv", "projects.geojson"]
    assert sorted(tmp_path.joinpath("new/folder").iterdir()) == sorted(paths)


def test_all_formats_hold_the_same_numbers(files: dict[str, Path]) -> None:
    csv_rows = read_table(files["csv"], PROJECTS)
    for other in (
        pyogrio.read_dataframe(files["gpkg"], layer="projects"),
        pyogrio.read_dataframe(files["geojson"]),
        gpd.read_parquet(files["parquet"]),
        pd.read_excel(files["xlsx"], sheet_name="projects", header=0, skiprows=[1, 2]),
    ):
        assert list(other["candidate_id"]) == list(csv_rows["candidate_id"])
        pd.testing.assert_frame_equal(numbers(other).astype(float), numbers(csv_rows), check_exact=True)


def test_numbers_are_the_projects_numbers(projects: gpd.GeoDataFrame, files: dict[str, Path]) -> None:
    pd.testing.assert_frame_equal(
        numbers(read_table(files["csv"], PROJECTS)), numbers(projects), check_exact=False, rtol=5.1e-6
    )


def test_no_absolute_path_of_a_source_leaves(files: dict[str, Path]) -> None:
    book = openpyxl.load_workbook(files["xlsx"])
    cells = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row]
    assert "layers/ponds.gpkg" in cells
    assert not [value for value in cells if "somewhere" in str(value)]


def test_unknown_formats_are_named_all_at_once_and_nothing_is_written(
    projects: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        write_projects(projects, tmp_path / "out", ["xlsx", "shp", "dxf"])
    assert [finding.value for finding in caught.value.findings] == ["shp", "dxf"]
    assert "xlsx, csv, gpkg, geojson, kml, parquet" in caught.value.findings[0].remedy
    assert not (tmp_path / "out").exists()


def test_projects_in_metres_are_refused_not_reprojected(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="EPSG:4326"):
        write_projects(projects.to_crs("EPSG:4547"), tmp_path, ["geojson"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("verdict", "perhaps", "verdict"),
        ("capacity_mw", -1.0, "capacity_mw"),
        ("connection_km", np.inf, "connection_km holds an infinite"),
    ],
)
def test_broken_contracts_are_refused(
    projects: gpd.GeoDataFrame, tmp_path: Path, name: str, value: object, message: str
) -> None:
    projects.loc[1, name] = value
    with pytest.raises(ContractError, match=message):
        write_projects(projects, tmp_path, FORMATS)
    assert list(tmp_path.iterdir()) == []


def test_missing_column_and_missing_geometry_are_named(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="reason_en are missing"):
        write_projects(projects.drop(columns="reason_en"), tmp_path, ["csv"])
    projects.geometry = [*projects.geometry[:2], shapely.Polygon()]
    with pytest.raises(ContractError, match="needs a geometry"):
        write_projects(projects, tmp_path, ["csv"])
    projects.geometry = gpd.points_from_xy(projects["lon"], projects["lat"])
    with pytest.raises(ContractError, match="promised are polygons"):
        write_projects(projects, tmp_path, ["csv"])


def test_failed_write_leaves_the_earlier_file_whole(
    projects: gpd.GeoDataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write_projects(projects, tmp_path, ["geojson"])
    before = path.read_bytes()

    def torn(table: gpd.GeoDataFrame, path: Path, **_: object) -> None:
        path.write_bytes(b"{")
        raise OSError("disk full")

    monkeypatch.setattr(pyogrio, "write_dataframe", torn)
    with pytest.raises(OSError, match="disk full"):
        write_projects(projects, tmp_path, ["geojson"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_list_is_six_readable_files(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    empty = gpd.GeoDataFrame(PROJECTS.empty(), geometry=[], crs="EPSG:4326")
    paths = write_projects(empty, tmp_path, FORMATS)
    assert len(paths) == 6
    assert len(gpd.read_parquet(tmp_path / "projects.parquet")) == 0
    assert len(read_table(tmp_path / "projects.csv", PROJECTS)) == 0
    assert len(pyogrio.read_dataframe(tmp_path / "projects.gpkg", layer="projects")) == 0
    assert json.loads((tmp_path / "projects.geojson").read_text("utf-8"))["features"] == []
    sheet = openpyxl.load_workbook(tmp_path / "projects.xlsx")["projects"]
    assert sheet.max_row == 3


_WRITE_IN_A_NEW_PROCESS = """
import os, pickle, sys
from pathlib import Path
os.umask(int(sys.argv[3], 8))
from study.outputs.exports import FORMATS, write_projects
projects, substations, upgrades = pickle.loads(Path(sys.argv[1]).read_bytes())
write_projects(projects, Path(sys.argv[2]), FORMATS, substations=substations, upgrades=upgrades)
"""


def test_same_tables_same_bytes_at_another_time_place_and_umask(
    projects: gpd.GeoDataFrame, substations: pd.DataFrame, upgrades: pd.DataFrame, tmp_path: Path
) -> None:
    # The second process starts seconds after the first: later than the two seconds that a ZIP time stamp resolves.
    pickled = tmp_path / "tables.pickle"
    pd.to_pickle((projects, substations, upgrades), pickled)
    digests = []
    for seed, zone, umask in (("1", "UTC", "022"), ("2", "Asia/Shanghai", "077")):
        folder = tmp_path / zone.replace("/", "-")
        subprocess.run(
            [sys.executable, "-c", _WRITE_IN_A_NEW_PROCESS, str(pickled), str(folder), umask],
            check=True,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": ":".join(filter(None, sys.path))},
        )
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()})
    assert len(digests[0]) == 6
    assert digests[0] == digests[1]
    first, second = (tmp_path / name / "projects.xlsx" for name in ("UTC", "Asia-Shanghai"))
    assert second.stat().st_mtime - first.stat().st_mtime > 0


def test_bytes_do_not_depend_on_the_tables_index_or_the_clock(
    projects: gpd.GeoDataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_projects(projects, tmp_path / "a", FORMATS)
    monkeypatch.setattr("time.time", lambda: 4e9)
    write_projects(projects.set_index(pd.Index([7, 8, 9])), tmp_path / "b", FORMATS)
    for name in FORMATS:
        assert (tmp_path / "a" / f"projects.{name}").read_bytes() == (tmp_path / "b" / f"projects.{name}").read_bytes()


def test_gdal_gets_its_clock_back(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None
    write_projects(projects, tmp_path, ["gpkg"])
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


# --- CSV --------------------------------------------------------------------------------------------------------


def test_csv_begins_with_the_mark_that_excel_needs_for_chinese(files: dict[str, Path]) -> None:
    content = files["csv"].read_bytes()
    assert content.startswith(b"\xef\xbb\xbforder,candidate_id,name_zh")
    assert "谯城鱼塘1号".encode() in content


def test_csv_reads_back_as_the_contract_promises(projects: gpd.GeoDataFrame, files: dict[str, Path]) -> None:
    back = read_table(files["csv"], PROJECTS)
    assert back["district_code"].tolist() == ["341602", "341621", "341602"]  # text, not a number
    assert back["station_id"].tolist()[2] == ""
    assert np.isnan(back["connection_km"].tolist()[2])
    for name in ("name_zh", "name_en", "upgrade_zh", "upgrade_en"):
        assert back[name].tolist() == projects[name].tolist()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r", " =", "＝", "'=", "''-"])
def test_would_be_formula_is_quoted_in_csv_and_comes_back(start: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"name": [f"{start}1+1", "plain", "'quoted'", "a=b"]})
    path = write_table(table, tmp_path / "t.csv")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert raw["name"].tolist()[1:] == ["plain", "'quoted'", "a=b"]
    assert raw["name"].tolist()[0].startswith("'")
    contract = Table("t", "", {"name": column(str, "", "")})
    assert read_table(path, contract)["name"].tolist() == table["name"].tolist()


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12)


@given(
    st.lists(
        st.tuples(TEXTS, st.floats(-1e9, 1e9) | st.just(float("nan")), st.integers(-(2**53), 2**53), st.booleans()),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_survives_the_csv(tmp_path: Path, rows: list[tuple[str, float, int, bool]]) -> None:
    contract = Table(
        "t",
        "",
        {
            "a": column(str, "", ""),
            "b": column(float, "", "", nullable=True),
            "c": column(int, "", ""),
            "d": column(bool, "", ""),
        },
    )
    table = pd.DataFrame({k: pd.Series([r[i] for r in rows], dtype=t) for i, (k, t) in enumerate(
        {"a": object, "b": float, "c": "int64", "d": bool}.items())})  # fmt: skip
    back = read_table(write_table(table, tmp_path / "t.csv"), contract)
    assert back["a"].tolist() == table["a"].tolist()
    assert back["c"].tolist() == table["c"].tolist()
    assert back["d"].tolist() == table["d"].tolist()
    np.testing.assert_allclose(back["b"], table["b"], rtol=5.1e-6)


def test_csv_of_a_plain_table(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"case": ["a", None], "n": [1, 2], "x": [0.1 + 0.2, np.nan], "ok": [True, False]}, index=[5, 6]
    )
    content = write_table(table, tmp_path / "loadflow" / "t.csv").read_bytes()
    assert content == b"\xef\xbb\xbfcase,n,x,ok\r\na,1,0.3,True\r\n,2,,False\r\n"


def test_csv_that_breaks_its_contract_names_the_column(files: dict[str, Path]) -> None:
    content = files["csv"].read_text("utf-8-sig").replace("12.0", "twelve", 1)
    files["csv"].write_text(content, "utf-8-sig")
    with pytest.raises(ContractError, match="column capacity_mw"):
        read_table(files["csv"], PROJECTS)


# --- XLSX -------------------------------------------------------------------------------------------------------


def test_workbook_has_every_sheet(files: dict[str, Path]) -> None:
    assert openpyxl.load_workbook(files["xlsx"]).sheetnames == [
        "projects", "substations", "targets", "measures", "assumptions", "sources", "definitions",
    ]  # fmt: skip


def test_sheets_without_a_table_are_left_out(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    (path,) = write_projects(projects, tmp_path, ["xlsx"])
    assert openpyxl.load_workbook(path).sheetnames == ["projects", "assumptions", "sources", "definitions"]


def test_header_rows_filter_and_frozen_panes(files: dict[str, Path]) -> None:
    sheet = openpyxl.load_workbook(files["xlsx"])["projects"]
    names = [*PROJECTS.columns, *PROJECTS.optional]
    assert [cell.value for cell in sheet[1]] == names
    units = dict(zip(names, [cell.value for cell in sheet[2]], strict=True))
    assert (units["capacity_mw"], units["capex_cny"], units["score"], units["name_zh"]) == ("MW", "CNY", None, None)
    titles = [cell.value for cell in sheet[3]]
    assert titles[names.index("capacity_mw")] == "装机容量"
    assert sheet.auto_filter.ref == "A3:AQ6"  # 43 columns; the buttons sit on the last row of the head
    assert sheet.freeze_panes == "D4"
    assert sheet.column_dimensions["C"].width > 8
    assert not any(dimension.hidden for dimension in sheet.column_dimensions.values())


def test_language_of_titles_and_codes(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    write_projects(projects, tmp_path, ["xlsx"], language="en")
    sheet = openpyxl.load_workbook(tmp_path / "projects.xlsx")["projects"]
    verdict = list(PROJECTS.columns).index("verdict")
    english = {label.value: label.label_en for label in value_labels("verdict")}
    assert sheet[3][verdict].value == "Verdict"
    assert sheet[4][verdict].value == english["connect"]


def test_nothing_becomes_a_formula_or_a_link(files: dict[str, Path]) -> None:
    book = openpyxl.load_workbook(files["xlsx"])
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert '=HYPERLINK("x")' in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells if isinstance(cell.value, str)} == {"s"}
    assert not [cell for cell in cells if cell.hyperlink]


def test_unknown_is_an_empty_cell_and_number_formats_follow_the_unit(files: dict[str, Path]) -> None:
    sheet = openpyxl.load_workbook(files["xlsx"])["projects"]
    columns = list(PROJECTS.columns)
    assert sheet[6][columns.index("connection_km")].value is None
    assert sheet[6][columns.index("station_id")].value is None
    assert sheet[4][columns.index("lon")].value == 115.778123
    formats = {name: sheet[4][index].number_format for index, name in enumerate(columns)}
    expected = {"lon": "0.000000", "capex_cny": "#,##0", "capacity_mw": "#,##0.0", "connection_kv": "General"}
    assert {name: formats[name] for name in expected} == expected


def test_tables_read_back_from_the_workbook(
    files: dict[str, Path], substations: pd.DataFrame, upgrades: pd.DataFrame
) -> None:
    for name, table, contract in (("substations", substations, SUBSTATIONS), ("measures", upgrades, UPGRADES)):
        back = pd.read_excel(files["xlsx"], sheet_name=name, header=0, skiprows=[1, 2], dtype={"district_code": str})
        assert list(back.columns) == list(contract.columns)
        for column_name, promise in contract.columns.items():
            if promise.dtype is float:
                np.testing.assert_allclose(back[column_name].astype(float), table[column_name])
    labelled = pd.read_excel(files["xlsx"], sheet_name="substations", header=0, skiprows=[1, 2])
    chinese = {label.value: label.label_zh for label in value_labels("limit")}
    assert labelled.loc[0, "limit"] == chinese["transformer_loading"]


def test_excel_row_limit_is_checked_before_writing(tmp_path: Path) -> None:
    fits = Sheet("many", pd.DataFrame({"n": np.zeros(MAX_ROWS - 3)}), "projects")
    assert excel_limits(fits, "projects.xlsx") == []
    over = Sheet("many", pd.DataFrame({"n": np.zeros(MAX_ROWS - 2)}), "projects")
    with pytest.raises(InputError) as caught:
        write_workbook(tmp_path / "t.xlsx", [over], "zh", file_name="projects.xlsx")
    (finding,) = caught.value.findings
    assert (finding.rule, finding.file, finding.layer) == ("xlsx.too_many_rows", "projects.xlsx", "many")
    assert finding.value == str(MAX_ROWS - 2)
    assert "csv or gpkg" in finding.remedy
    assert not (tmp_path / "t.xlsx").exists()


def test_excel_text_limit_counts_as_excel_does(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    projects.loc[0, "reason_zh"] = "长" * MAX_TEXT  # just fits
    write_projects(projects, tmp_path, ["xlsx"])
    book = openpyxl.load_workbook(tmp_path / "projects.xlsx")
    assert len(book["projects"][4][list(PROJECTS.columns).index("reason_zh")].value) == MAX_TEXT
    projects.loc[0, "reason_zh"] = "长" * (MAX_TEXT + 1)
    projects.loc[2, "reason_en"] = "🌬" * (MAX_TEXT // 2 + 1)  # outside the basic plane: two units each
    with pytest.raises(InputError) as caught:
        write_projects(projects, tmp_path / "new", FORMATS)
    assert sorted(finding.item for finding in caught.value.findings) == [
        "row 1, column reason_zh",
        "row 3, column reason_en",
    ]
    assert list((tmp_path / "new").iterdir()) == []


# --- GeoPackage -------------------------------------------------------------------------------------------------


def test_geopackage_holds_polygons_points_and_style(projects: gpd.GeoDataFrame, files: dict[str, Path]) -> None:
    back = pyogrio.read_dataframe(files["gpkg"], layer="projects")
    assert back.crs == "EPSG:4326"
    assert set(back.geom_type) == {"MultiPolygon"}
    assert shapely.equals(back.geometry.values, projects.geometry.values).all()
    assert pd.isna(back.loc[2, "connection_km"])
    assert back.loc[1, "name_zh"] == '=HYPERLINK("x")'
    points = pyogrio.read_dataframe(files["gpkg"], layer="project_points")
    assert points.geometry.x.tolist() == [115.778123] * 3
    assert points["verdict"].tolist() == ["connect", "partial", "refused"]


def test_geopackage_is_sound_and_says_where_areas_were_measured(files: dict[str, Path]) -> None:
    with closing(sqlite3.connect(files["gpkg"])) as base:
        assert base.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert base.execute("pragma foreign_key_check").fetchall() == []
        contents = {
            row[0]: row[1:] for row in base.execute("select table_name, data_type, description from gpkg_contents")
        }
        nulls = base.execute('select count(*) from projects where "connection_km" is null').fetchone()
    assert contents["projects"] == ("features", "project list, areas and setbacks measured in EPSG:4547")
    assert contents["project_points"][0] == "features"
    assert contents["layer_styles"][0] == "attributes"
    assert nulls == (1,)


def test_style_names_every_verdict_once(files: dict[str, Path]) -> None:
    with closing(sqlite3.connect(files["gpkg"])) as base:
        rows = base.execute(
            "select f_table_catalog, f_table_schema, f_geometry_column, styleQML, useAsDefault from layer_styles"
            " where f_table_name = 'projects'"
        ).fetchall()
    ((catalog, schema, geometry, qml, default),) = rows
    assert (catalog, schema, geometry, default) == ("", "", "geom", 1)
    root = ET.fromstring(qml)
    categories = root.findall(".//category")
    assert [c.get("value") for c in categories] == [label.value for label in value_labels("verdict")]
    assert [c.get("label") for c in categories] == [label.label_zh for label in value_labels("verdict")]
    assert {c.get("symbol") for c in categories} == {
        s.get("name") for s in root.findall("./renderer-v2/symbols/symbol")
    }
    colours = [o.get("value") for o in root.iter("Option") if o.get("name") == "color"]
    assert len(set(colours)) == len(categories)


# --- GeoJSON ----------------------------------------------------------------------------------------------------


def _ring_area(ring: list[list[float]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


def test_geojson_follows_rfc_7946(files: dict[str, Path]) -> None:
    collection = json.loads(files["geojson"].read_text("utf-8"))
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection  # section 4: always WGS-84, no member may say otherwise
    for feature in collection["features"]:
        for polygon in feature["geometry"]["coordinates"]:
            assert all(ring[0] == ring[-1] for ring in polygon)
            assert _ring_area(polygon[0]) > 0  # section 3.1.6: outer rings counter-clockwise,
            assert all(_ring_area(hole) < 0 for hole in polygon[1:])  # holes clockwise
    assert collection["features"][2]["properties"]["connection_km"] is None
    assert len(collection["features"][1]["geometry"]["coordinates"][0]) == 2


def test_geojson_coordinates_have_seven_decimals(files: dict[str, Path]) -> None:
    ring = json.loads(files["geojson"].read_text("utf-8"))["features"][2]["geometry"]["coordinates"][0][0]
    assert max(y for _, y in ring) == 33.1234568


def test_geojson_numbers_are_short(files: dict[str, Path]) -> None:
    text = files["geojson"].read_text("utf-8")
    assert '"lcoe_cny_per_kwh": 0.314159,' in text
    assert '"capex_cny": 46800000.0,' in text


def test_sites_cut_from_cells_stay_valid_at_seven_decimals(projects: gpd.GeoDataFrame, tmp_path: Path) -> None:
    """Sites are unions of 30 m cells with holes and corners that touch; rounding must not make them cross."""
    random = np.random.default_rng(5)
    sites = []
    for k in range(3):
        rows, columns = np.nonzero(random.random((40, 40)) < 0.6)
        left, bottom = 500_000 + 30.0 * columns + 5_000 * k, 3_700_000 + 30.0 * rows
        sites.append(shapely.union_all(shapely.box(left, bottom, left + 30, bottom + 30)))
    cells = gpd.GeoSeries(sites, crs="EPSG:4547").to_crs("EPSG:4326")
    (path,) = write_projects(projects.set_geometry(cells), tmp_path, ["geojson"])
    back = pyogrio.read_dataframe(path)
    assert cells.is_valid.all()
    assert back.is_valid.all()
    areas = back.to_crs("EPSG:4547").area
    np.testing.assert_allclose(areas, [site.area for site in sites], rtol=1e-5)
