"""The project list and its companions as files: XLSX, CSV, GeoPackage, GeoJSON.

The four files hold the same numbers (:func:`study.numbers.human`), and the same tables give the same bytes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from grid.contracts import SUBSTATIONS, UPGRADES, Assumption
from layers.contracts import Finding, InputError, SourceCard
from layers.tables import ContractError, Table
from maps.contracts import PROJECTS, TARGETS
from siting.contracts import TURBINES as POSITIONS
from study.atomic import replaced
from study.labels import Language, definitions, titled_columns, value_labels, with_value_labels
from study.numbers import human_table, text
from study.qgis import verdict_style
from study.workbook import Sheet, write_workbook

FORMATS = ("xlsx", "csv", "gpkg", "geojson")

_WGS84 = "EPSG:4326"
_POINT_COLUMNS = (
    "order", "candidate_id", "name_zh", "name_en", "host_type", "capacity_mw", "accepted_mw", "verdict", "lon", "lat",
)  # fmt: skip
_FIXED_DATE = "2000-01-01T00:00:00.000Z"
_FORMULA_START = re.compile(r"'*[ \u3000]*[=+\-@＝＋－＠\t\r]")


@dataclass(frozen=True)
class Evidence:
    """A table that backs the list, as a sheet of the workbook; it follows ``contract``."""

    sheet: str
    table: pd.DataFrame
    contract: Table


@dataclass(frozen=True)
class _Export:
    """What the writers of all formats share; every table validated and with human numbers."""

    projects: gpd.GeoDataFrame
    companions: tuple[Sheet, ...]
    frame_crs: str
    language: Language
    evidence: tuple[Table, ...]
    turbines: pd.DataFrame | None = None

    @property
    def rows(self) -> pd.DataFrame:
        """The projects without their geometry."""
        return pd.DataFrame(self.projects[list(PROJECTS.columns)])


def write_projects(
    projects: gpd.GeoDataFrame,
    folder: Path,
    formats: Sequence[str],
    *,
    frame_crs: str | None = None,
    substations: pd.DataFrame | None = None,
    targets: pd.DataFrame | None = None,
    upgrades: pd.DataFrame | None = None,
    sources: Sequence[SourceCard] = (),
    assumptions: Sequence[Assumption] = (),
    evidence: Sequence[Evidence] = (),
    turbines: pd.DataFrame | None = None,
    language: Language = "zh",
) -> list[Path]:
    """Write ``projects.<format>`` for every format and return the paths in the order of :data:`FORMATS`.

    Parameters
    ----------
    projects
        :data:`maps.contracts.PROJECTS` plus ``geometry``, polygons in EPSG:4326.
    folder
        Where the files go; made when absent. Each file takes its place whole, in one step.
    formats
        Some of ``xlsx``, ``csv``, ``gpkg``, ``geojson``.
    frame_crs
        CRS in which the study measured; named in the description of the GeoPackage's layer.
    substations, targets, upgrades
        Tables after their contracts; further sheets of the workbook. Columns beyond the contract are left out.
    evidence
        Further sheets of the workbook, before assumptions and sources.
    turbines
        Positions (:data:`siting.contracts.TURBINES`); layer ``turbines`` of the GeoPackage, left out where empty.
    sources, assumptions
        Sheets of the workbook. Of a source only ``shown_path`` is written, never ``path``.
    language
        Of the workbook's titles and coded values. Column names are the same in both languages.

    Raises
    ------
    InputError
        For a format that does not exist, or a table that breaks a limit of Excel; before any file is written.
    ContractError
        If a table breaks its contract, a number is infinite, or the geometry is not in EPSG:4326.

    Notes
    -----
    Numbers have 6 significant digits (degrees 6 decimals), NaN is an empty cell, NULL or null. The GeoPackage holds
    the layers ``projects`` (multipolygons, full coordinates, coloured by verdict in QGIS) and ``project_points``;
    the GeoJSON follows RFC 7946 with 7 decimals (1 cm), polygons wound counter-clockwise.
    """
    _refuse_unknown_formats(formats)
    export = _Export(
        _checked_projects(projects),
        (
            *_optional_sheet("substations", substations, SUBSTATIONS, 3),
            *_optional_sheet("targets", targets, TARGETS, 2),
            *_optional_sheet("measures", upgrades, UPGRADES, 1),
            *(Sheet.of(e.sheet, _checked(e.table, e.contract), e.contract) for e in evidence),
            Sheet("assumptions", _assumption_table(assumptions), "assumptions"),
            Sheet("sources", _source_table(sources), "sources"),
        ),
        frame_crs or "",
        language,
        tuple(e.contract for e in evidence),
        None if turbines is None else _checked(turbines, POSITIONS),
    )
    written = []
    for name in FORMATS:
        if name in formats:
            path = folder / f"projects.{name}"
            with replaced(path) as partial:
                _WRITERS[name](export, partial)
            written.append(path)
    return written


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write ``table`` as CSV without its index, and return ``path``.

    The file is UTF-8 *with* a byte order mark: Excel takes a CSV without one for the machine's old code page and
    shows Chinese as rubbish; every other reader skips the mark (``encoding="utf-8-sig"``). Numbers have 6
    significant digits and no exponent, NaN and None are empty. A text that a spreadsheet would run as a formula
    (``=``, ``+``, ``-``, ``@``, also full-width, or a tab at its start) gets an apostrophe before it;
    :func:`read_table` takes it off again.
    """
    tidy = human_table(table)
    columns = [_csv_cells(tidy[column]) for column in tidy.columns]
    with replaced(path) as partial, partial.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(tidy.columns)
        writer.writerows(zip(*columns, strict=True))
    return path


def read_table(path: Path, contract: Table) -> pd.DataFrame:
    """Read a CSV of :func:`write_table` back as the table that ``contract`` promises.

    Text stays text (a district code, an empty cell, the word NA); an empty number is NaN.

    Raises
    ------
    ContractError
        If the file does not hold what the contract promises.
    """
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    table = pd.DataFrame({column: raw[column] for column in raw.columns})
    for column, promise in contract.columns.items():
        if column not in raw.columns:
            continue
        try:
            table[column] = _parsed(raw[column], promise.dtype)
        except ValueError as error:
            raise ContractError(f"table {contract.name}, column {column}: {error}") from error
    return contract.validate(table)


def _refuse_unknown_formats(formats: Sequence[str]) -> None:
    findings = [
        Finding(
            "error",
            "export.unknown_format",
            "",
            "projects",
            "format",
            name,
            f"there is no export format '{name}'.",
            f"Use some of: {', '.join(FORMATS)}.",
        )
        for name in formats
        if name not in FORMATS
    ]
    if findings:
        raise InputError(findings)


def _checked_projects(projects: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if projects.crs is None or projects.crs != _WGS84:
        raise ContractError(f"table projects: geometry is in {projects.crs}, promised is {_WGS84}")
    geometry = projects.geometry
    if geometry.isna().any() or geometry.is_empty.any():
        raise ContractError("table projects: every project needs a geometry")
    rows = _checked(pd.DataFrame(projects.drop(columns=geometry.name)), PROJECTS)
    return gpd.GeoDataFrame(rows, geometry=_multipolygons(geometry), crs=_WGS84)


def _checked(table: pd.DataFrame, contract: Table) -> pd.DataFrame:
    """The promised columns with human numbers and plain texts, rows numbered from 0."""
    missing = [column for column in contract.columns if column not in table.columns]
    if missing:
        raise ContractError(f"table {contract.name}: columns {', '.join(missing)} are missing")
    rows = pd.DataFrame(contract.validate(table[list(contract.columns)])).reset_index(drop=True)
    for column in rows.select_dtypes("number").columns:
        if np.isinf(rows[column].to_numpy(dtype=float)).any():
            raise ContractError(f"table {contract.name}: column {column} holds an infinite number")
    for column, promise in contract.columns.items():
        if promise.dtype is str:
            # members of enumerations become their plain text
            rows[column] = pd.Series([str(value) for value in rows[column]], dtype=object)
    return human_table(rows)


def _multipolygons(geometry: gpd.GeoSeries) -> list[shapely.MultiPolygon]:
    """One geometry type a layer, as GeoPackage readers expect."""
    wrong = sorted({kind for kind in geometry.geom_type if kind not in ("Polygon", "MultiPolygon")})
    if wrong:
        raise ContractError(f"table projects: geometry is {', '.join(wrong)}, promised are polygons")
    return [shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape]) for shape in geometry]


def _optional_sheet(name: str, table: pd.DataFrame | None, contract: Table, frozen_columns: int) -> list[Sheet]:
    return [] if table is None else [Sheet.of(name, _checked(table, contract), contract, frozen_columns)]


def _assumption_table(assumptions: Sequence[Assumption]) -> pd.DataFrame:
    rows = [(a.id, a.subject, a.text_zh, a.text_en, a.value, a.source, a.confidence) for a in assumptions]
    return pd.DataFrame(rows, columns=titled_columns("assumptions"), dtype=object)


def _source_table(sources: Sequence[SourceCard]) -> pd.DataFrame:
    rows = [
        (
            s.id, s.title_zh, s.title_en, s.shown_path, s.layer or "", s.where or "", s.licence, s.attribution,
            str(s.origin), s.datum or "", s.unit or "", s.sha256 or "", s.note,
        )
        for s in sources
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=titled_columns("sources"), dtype=object)


def _write_xlsx(export: _Export, path: Path) -> None:
    sheets = [Sheet.of("projects", export.rows, PROJECTS, frozen_columns=3), *export.companions]
    labelled = [
        Sheet(s.name, with_value_labels(s.table, export.language), s.titles, s.units, s.frozen_columns)
        for s in sheets
    ]  # fmt: skip
    dictionary = definitions((PROJECTS, SUBSTATIONS, TARGETS, UPGRADES, *export.evidence))
    labelled.append(Sheet("definitions", dictionary, "definitions", frozen_columns=2))
    write_workbook(path, labelled, export.language, file_name="projects.xlsx")


def _write_csv(export: _Export, path: Path) -> None:
    write_table(export.rows, path)


def _write_gpkg(export: _Export, path: Path) -> None:
    points = gpd.GeoDataFrame(
        export.rows[list(_POINT_COLUMNS)],
        geometry=gpd.points_from_xy(export.projects["lon"], export.projects["lat"]),
        crs=_WGS84,
    )
    measured_in = f", areas and setbacks measured in {export.frame_crs}" if export.frame_crs else ""
    with _fixed_date():
        _write_layer(export.projects, path, "projects", "MultiPolygon", f"project list{measured_in}")
        _write_layer(points, path, "project_points", "Point", "representative points of the projects")
        if export.turbines is not None and len(export.turbines):
            _write_layer(_at_their_places(export.turbines), path, "turbines", "Point", "positions of wind turbines")
        pyogrio.write_dataframe(
            verdict_style("projects", value_labels("verdict"), export.language, _FIXED_DATE),
            path,
            layer="layer_styles",
            driver="GPKG",
            append=True,
            layer_options={"FID": "id", "IDENTIFIER": "layer_styles"},
        )


def _at_their_places(table: pd.DataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs=_WGS84)


def _write_layer(table: gpd.GeoDataFrame, path: Path, layer: str, geometry_type: str, description: str) -> None:
    pyogrio.write_dataframe(
        table,
        path,
        layer=layer,
        driver="GPKG",
        geometry_type=geometry_type,
        append=path.exists(),
        layer_options={"DESCRIPTION": description, "GEOMETRY_NAME": "geom"},
    )


def _write_geojson(export: _Export, path: Path) -> None:
    pyogrio.write_dataframe(
        export.projects,
        path,
        layer="projects",
        driver="GeoJSON",
        geometry_type="MultiPolygon",
        layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": "7"},
    )


_WRITERS: dict[str, Callable[[_Export, Path], None]] = {
    "xlsx": _write_xlsx,
    "csv": _write_csv,
    "gpkg": _write_gpkg,
    "geojson": _write_geojson,
}


@contextmanager
def _fixed_date() -> Iterator[None]:
    """GDAL writes the moment of the last change into a GeoPackage; here it is always the same one."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _csv_cells(values: pd.Series) -> list[str]:
    if pd.api.types.is_float_dtype(values.dtype):
        return [text(value) for value in values.tolist()]
    return ["" if value is None or value is pd.NA or value != value else _csv_text(value) for value in values.tolist()]


def _csv_text(value: object) -> str:
    """Plain text of a cell. An apostrophe before a would-be formula; one more where that itself stood there."""
    if not isinstance(value, str):
        return text(value) if isinstance(value, float) else str(value)
    return f"'{value}" if _FORMULA_START.match(value) else str(value)


def _parsed(cells: pd.Series, dtype: type | None) -> pd.Series:
    if dtype is float:
        return pd.Series([float(cell) if cell else np.nan for cell in cells], dtype=float)
    if dtype is int:
        return pd.Series([int(cell) for cell in cells], dtype="int64")
    if dtype is bool:
        return pd.Series([_truth(cell) for cell in cells], dtype=bool)
    unescaped = [c[1:] if c.startswith("'") and _FORMULA_START.match(c) else c for c in cells]
    return pd.Series(unescaped, dtype=object)


def _truth(cell: str) -> bool:
    if cell not in ("True", "False"):
        raise ValueError(f"'{cell}' is neither True nor False")
    return cell == "True"
