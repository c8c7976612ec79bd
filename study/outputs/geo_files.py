"""The project list as files of places: GeoPackage, GeoJSON, KML, GeoParquet; all in WGS-84 degrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from study.outputs.labels import Language, value_labels
from study.outputs.network_layers import NetworkLayers
from study.outputs.qgis import LayerStyle, style_table, verdict_style, voltage_style

WGS84 = "EPSG:4326"
POINT_COLUMNS = (
    "order", "candidate_id", "name_zh", "name_en", "host_type", "capacity_mw", "accepted_mw", "verdict", "lon", "lat",
)  # fmt: skip
FIXED_DATE = "2000-01-01T00:00:00.000Z"


def write_gpkg(
    path: Path,
    projects: gpd.GeoDataFrame,
    language: Language,
    *,
    frame_crs: str = "",
    turbines: pd.DataFrame | None = None,
    network: NetworkLayers | None = None,
    plan_sites: pd.DataFrame | None = None,
) -> None:
    """Layers ``projects`` and ``project_points``, then ``plan_sites`` (what the plan does with each candidate),
    ``turbines``, ``stations``, ``lines`` and ``tie_lines`` where there are some, each with a style that QGIS takes by
    default.

    The same tables give the same bytes.
    """
    points = at_their_places(projects[list(POINT_COLUMNS)])
    measured_in = f", areas and setbacks measured in {frame_crs}" if frame_crs else ""
    verdicts = value_labels("verdict")
    styles = [verdict_style("projects", verdicts), verdict_style("project_points", verdicts, "marker")]
    with _fixed_date():
        _layer(projects, path, "projects", "MultiPolygon", f"project list{measured_in}")
        _layer(points, path, "project_points", "Point", "representative points of the projects")
        if plan_sites is not None and len(plan_sites):
            _layer(at_their_places(plan_sites), path, "plan_sites", "Point", "what the plan does with each candidate")
            styles.append(verdict_style("plan_sites", value_labels("verdict", "plan_sites"), "marker"))
        if turbines is not None and len(turbines):
            _layer(at_their_places(turbines), path, "turbines", "Point", "positions of wind turbines")
        if network is not None:
            styles += _write_network(network, path)
        _write_styles(styles, path, language)


def write_point_layers(
    path: Path, layers: Mapping[str, pd.DataFrame], styles: Sequence[LayerStyle], language: Language
) -> None:
    """A GeoPackage of points at ``lon`` and ``lat`` with the styles that QGIS takes by default.

    The same tables give the same bytes.
    """
    with _fixed_date():
        for name, table in layers.items():
            _layer(at_their_places(table), path, name, "Point", name)
        _write_styles(styles, path, language)


def _write_styles(styles: Sequence[LayerStyle], path: Path, language: Language) -> None:
    pyogrio.write_dataframe(
        style_table(styles, language, FIXED_DATE),
        path,
        layer="layer_styles",
        driver="GPKG",
        append=True,
        layer_options={"FID": "id", "IDENTIFIER": "layer_styles"},
    )


def _write_network(network: NetworkLayers, path: Path) -> list[LayerStyle]:
    styles = []
    for layer, table, kind, description in (
        ("stations", network.stations, "Point", "buses of the stations with what they still take"),
        ("lines", network.lines, "LineString", "line circuits with their highest loading of all cases"),
        ("tie_lines", network.tie_lines, "LineString", "tie lines of the projects; straight where routed is false"),
        ("plan_tie_lines", network.plan_tie_lines, "LineString", "tie lines of the sites that the plan builds"),
    ):
        if table is not None and len(table):
            _layer(table, path, layer, kind, description)
            styles.append(voltage_style(layer, "marker" if kind == "Point" else "line"))
    return styles


def write_geojson(path: Path, projects: gpd.GeoDataFrame) -> None:
    """RFC 7946: WGS-84, 7 decimals (1 cm), outer rings counter-clockwise."""
    pyogrio.write_dataframe(
        projects,
        path,
        layer="projects",
        driver="GeoJSON",
        geometry_type="MultiPolygon",
        layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": "7"},
    )


def write_parquet(path: Path, projects: gpd.GeoDataFrame) -> None:
    """GeoParquet 1.1: one row a project, geometry as WKB, zstd."""
    projects.to_parquet(path, index=False, compression="zstd", schema_version="1.1.0")


def at_their_places(table: pd.DataFrame) -> gpd.GeoDataFrame:
    """``table`` with points made of its columns ``lon`` and ``lat``."""
    return gpd.GeoDataFrame(pd.DataFrame(table), geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs=WGS84)


def _layer(table: gpd.GeoDataFrame, path: Path, layer: str, geometry_type: str, description: str) -> None:
    pyogrio.write_dataframe(
        table,
        path,
        layer=layer,
        driver="GPKG",
        geometry_type=geometry_type,
        append=path.exists(),
        layer_options={"DESCRIPTION": description, "GEOMETRY_NAME": "geom"},
        dataset_options=None if path.exists() else {"VERSION": GPKG_VERSION},
    )


GPKG_VERSION = "1.2"
"""The version that GDAL reads without a warning since 2.2; nothing here needs a later one."""


@contextmanager
def _fixed_date() -> Iterator[None]:
    """GDAL writes the moment of the last change into a GeoPackage; here it is always the same one."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
