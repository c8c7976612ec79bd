"""The project list and its companions as files: XLSX, CSV, GeoPackage, GeoJSON, KML, GeoParquet.

All files hold the same numbers (:func:`study.outputs.numbers.human`), and the same tables give the same bytes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from grid.contracts import SUBSTATIONS, UPGRADES, Assumption
from layers.contracts import Finding, InputError, SourceCard
from layers.tables import ContractError, Table
from maps.contracts import PROJECTS, TARGETS
from siting.contracts import TURBINES as POSITIONS
from study.atomic import replaced
from study.outputs.cgcs2000 import cgcs2000_columns
from study.outputs.geo_files import WGS84, write_geojson, write_gpkg, write_parquet
from study.outputs.kml import write_kml
from study.outputs.labels import Language, Titles, definitions, shown_titles, titled_columns, with_value_labels
from study.outputs.network_layers import NetworkLayers
from study.outputs.numbers import human_table, text
from study.outputs.workbook import Sheet, write_workbook
from study.run_folder.reader import RunTables
from study.run_folder.tables import plan_contracts, table_sources

FORMATS = ("xlsx", "csv", "gpkg", "geojson", "kml", "parquet")

_SHEET_NAME = 31
"""Characters that Excel allows the name of a sheet."""
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
    titles: Titles
    csv_titles: Titles | None = None
    bom: bool = True
    turbines: pd.DataFrame | None = None
    network: NetworkLayers | None = None

    @property
    def rows(self) -> pd.DataFrame:
        """The projects without their geometry."""
        return pd.DataFrame(self.projects.drop(columns=self.projects.geometry.name))


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
    network: NetworkLayers | None = None,
    more_sheets: Sequence[Sheet] = (),
    language: Language = "zh",
    titles: Titles | None = None,
    bom: bool = True,
) -> list[Path]:
    """Write ``projects.<format>`` for every format and return the paths in the order of :data:`FORMATS`.

    Parameters
    ----------
    projects
        :data:`maps.contracts.PROJECTS` plus ``geometry``, polygons in EPSG:4326.
    folder
        Where the files go; made when absent. Each file takes its place whole, in one step.
    formats
        Some of :data:`FORMATS`.
    frame_crs
        CRS in which the study measured; named in the description of the GeoPackage's layer. Where it is a CGCS2000
        zone, the columns ``cgcs2000_*`` are in it; otherwise in the zone of the projects' middle longitude.
    substations, targets, upgrades
        Tables after their contracts; further sheets of the workbook. Columns beyond the contract are left out.
    evidence
        Further sheets of the workbook, before assumptions and sources.
    turbines
        Positions (:data:`siting.contracts.TURBINES`); layer ``turbines`` of the GeoPackage, left out where empty.
    network
        Stations, lines and tie lines: layers of the GeoPackage, folders of the KML.
    more_sheets
        Sheets after the evidence, of tables that have no contract here.
    sources, assumptions
        Sheets of the workbook. Of a source only ``shown_path`` is written, never ``path``.
    language
        Of the workbook's titles and coded values, the styles' legends. Column names are the same in both languages.
    titles
        What heads the columns of XLSX and KML: ``zh``, ``en`` or ``names``; those of ``language`` where left out.
        Stated, it heads the CSV as well, which then is for people: :func:`read_table` reads plain names only.
    bom
        Whether the CSV begins with the mark that Excel needs.

    Raises
    ------
    InputError
        For a format that does not exist, or a table that breaks a limit of Excel; before any file is written.
    ContractError
        If a table breaks its contract, a number is infinite, or the geometry is not in EPSG:4326.

    Notes
    -----
    Numbers have 6 significant digits (degrees 6 decimals), NaN is an empty cell, NULL or null. The GeoPackage holds
    the layers ``projects`` (multipolygons, full coordinates, coloured by verdict in QGIS), ``project_points``,
    ``plan_sites`` where ``more_sheets`` has the plan's list, and those of ``network``; the GeoJSON follows RFC 7946
    with 7 decimals (1 cm), polygons wound counter-clockwise.
    """
    _refuse_unknown_formats(formats)
    export = _Export(
        _checked_projects(projects, frame_crs),
        (
            *_optional_sheet("substations", substations, SUBSTATIONS, 3),
            *_optional_sheet("targets", targets, TARGETS, 2),
            *_optional_sheet("measures", upgrades, UPGRADES, 1),
            *(Sheet.of(e.sheet, _checked(e.table, e.contract), e.contract) for e in evidence),
            *more_sheets,
            Sheet("assumptions", _assumption_table(assumptions), "assumptions"),
            Sheet("sources", _source_table(sources), "sources"),
        ),
        frame_crs or "",
        language,
        tuple(e.contract for e in evidence),
        titles or language,
        csv_titles=titles,
        bom=bom,
        turbines=None if turbines is None else _checked(turbines, POSITIONS),
        network=network,
    )
    written = []
    for name in FORMATS:
        if name in formats:
            path = folder / f"projects.{name}"
            with replaced(path) as partial:
                _WRITERS[name](export, partial)
            written.append(path)
    return written


def plan_sheets(run_folder: Path) -> list[Sheet]:
    """Sheets of the tables below ``plan/`` of a run folder, ``plan_<name>`` each; none where the run has no plan."""
    contracts = {table.name.removeprefix("plan_"): table for table in plan_contracts()}
    sheets = []
    for path in sorted((run_folder / "plan").glob("*.csv")):
        name = f"plan_{path.stem}"[:_SHEET_NAME]
        contract = contracts.get(path.stem)
        table = RunTables(run_folder).read(f"plan/{path.stem}", contract)
        sheets.append(Sheet.of(name, table, contract) if contract else Sheet.named(name, table))
    return sheets


def write_table(table: pd.DataFrame, path: Path, *, heads: Sequence[str] | None = None, bom: bool = True) -> Path:
    """Write ``table`` as CSV without its index, and return ``path``.

    The file is UTF-8 *with* a byte order mark unless ``bom`` is false: Excel takes a CSV without one for the machine's
    old code page and shows Chinese as rubbish; other readers skip the mark (``encoding="utf-8-sig"``). ``heads`` take
    the place of the column names in the first row. Numbers have 6
    significant digits and no exponent, NaN and None are empty. A text that a spreadsheet would run as a formula
    (``=``, ``+``, ``-``, ``@``, also full-width, or a tab at its start) gets an apostrophe before it;
    :func:`read_table` takes it off again.
    """
    tidy = human_table(table)
    columns = [_csv_cells(tidy[column]) for column in tidy.columns]
    with replaced(path) as partial, partial.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(heads or tidy.columns)
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
    raw = _raw_cells(path)
    table = pd.DataFrame({column: raw[column] for column in raw.columns})
    for column, promise in (*contract.columns.items(), *contract.optional.items()):
        if column not in raw.columns:
            continue
        try:
            table[column] = _parsed(raw[column], promise.dtype)
        except ValueError as error:
            raise ContractError(f"table {contract.name}, column {column}: {error}") from error
    return contract.validate(table)


def read_texts(path: Path) -> pd.DataFrame:
    """Read a CSV of :func:`write_table` with every cell as the text it stands for; an empty cell is an empty text."""
    raw = _raw_cells(path)
    return pd.DataFrame({column: _unescaped(raw[column]) for column in raw.columns}, dtype=object)


def _raw_cells(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _unescaped(cells: pd.Series) -> list[str]:
    return [c[1:] if c.startswith("'") and _FORMULA_START.match(c) else c for c in cells]


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


def _checked_projects(projects: gpd.GeoDataFrame, frame_crs: str | None) -> gpd.GeoDataFrame:
    if projects.crs is None or projects.crs != WGS84:
        raise ContractError(f"table projects: geometry is in {projects.crs}, promised is {WGS84}")
    geometry = projects.geometry
    if geometry.isna().any() or geometry.is_empty.any():
        raise ContractError("table projects: every project needs a geometry")
    rows = _checked(pd.DataFrame(projects.drop(columns=geometry.name)), PROJECTS)
    rows = PROJECTS.validate(pd.concat([rows, human_table(cgcs2000_columns(rows, frame_crs))], axis=1))
    return gpd.GeoDataFrame(rows, geometry=_multipolygons(geometry), crs=WGS84)


def _checked(table: pd.DataFrame, contract: Table) -> pd.DataFrame:
    """The promised columns with human numbers and plain texts, rows numbered from 0."""
    missing = [column for column in contract.columns if column not in table.columns]
    if missing:
        raise ContractError(f"table {contract.name}: columns {', '.join(missing)} are missing")
    wanted = [*contract.columns, *(column for column in contract.optional if column in table.columns)]
    rows = pd.DataFrame(contract.validate(table[wanted])).reset_index(drop=True)
    for column in rows.select_dtypes("number").columns:
        if np.isinf(rows[column].to_numpy(dtype=float)).any():
            raise ContractError(f"table {contract.name}: column {column} holds an infinite number")
    for column in wanted:
        if contract.every_column[column].dtype is str:
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
        Sheet(s.name, with_value_labels(s.table, export.language, s.titles), s.titles, s.units, s.frozen_columns)
        for s in sheets
    ]  # fmt: skip
    shown = {sheet.titles for sheet in labelled}
    planned = [table for table in plan_contracts() if table.name in shown]
    dictionary = definitions((PROJECTS, SUBSTATIONS, TARGETS, UPGRADES, *export.evidence, *planned), table_sources())
    labelled.append(Sheet("definitions", dictionary, "definitions", frozen_columns=2))
    write_workbook(path, labelled, export.language, file_name="projects.xlsx", titles=export.titles)


def _write_csv(export: _Export, path: Path) -> None:
    heads = export.csv_titles and shown_titles("projects", list(export.rows.columns), export.csv_titles)
    write_table(export.rows, path, heads=heads or None, bom=export.bom)


def _write_gpkg(export: _Export, path: Path) -> None:
    planned = next((sheet.table for sheet in export.companions if sheet.titles == "plan_sites"), None)
    write_gpkg(
        path,
        export.projects,
        export.language,
        frame_crs=export.frame_crs,
        turbines=export.turbines,
        network=export.network,
        plan_sites=planned,
    )


def _write_geojson(export: _Export, path: Path) -> None:
    write_geojson(path, export.projects)


def _write_kml(export: _Export, path: Path) -> None:
    write_kml(path, export.projects, export.titles, network=export.network)


def _write_parquet(export: _Export, path: Path) -> None:
    write_parquet(path, export.projects)


_WRITERS: dict[str, Callable[[_Export, Path], None]] = {
    "xlsx": _write_xlsx,
    "csv": _write_csv,
    "gpkg": _write_gpkg,
    "geojson": _write_geojson,
    "kml": _write_kml,
    "parquet": _write_parquet,
}


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
    return pd.Series(_unescaped(cells), dtype=object)


def _truth(cell: str) -> bool:
    if cell not in ("True", "False"):
        raise ValueError(f"'{cell}' is neither True nor False")
    return cell == "True"
