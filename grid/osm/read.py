"""Read the mapped lines, substations and plants of a window, and say everything that is wrong with them at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from layers.contracts import Finding, FindingLog, SourceCard

NODE_COLUMNS = ("v_id", "lon", "lat", "typ", "voltage", "name")
LINE_COLUMNS = ("l_id", "v_id_1", "v_id_2", "voltage", "cables", "length_m")
POLYGON_COLUMNS = ("name", "power", "kv_max", "lon", "lat", "geometry")
PLANT_COLUMNS = ("Name", "Fuel", "Generator Technology", "Capacity (MW)", "Latitude", "Longitude")
DISTRICT_COLUMNS = ("district_code", "name_zh", "name_en", "population", "geometry")
NODE_LAYER = "nodes"

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sources:
    """Tables as they are in the files: nodes and lines of the whole source, substations of the window, all plants."""

    nodes: pd.DataFrame
    lines: pd.DataFrame
    polygons: gpd.GeoDataFrame
    plants: pd.DataFrame
    districts: gpd.GeoDataFrame
    window: Bounds
    """west, south, east, north [degree]."""

    def in_window(self, frame: pd.DataFrame, lon: str = "lon", lat: str = "lat") -> pd.Series:
        """True for rows whose place lies in the window; False where it is not known."""
        west, south, east, north = self.window
        return frame[lon].between(west, east) & frame[lat].between(south, north)


def read_sources(
    lines_card: SourceCard,
    substations_card: SourceCard,
    plants_card: SourceCard,
    districts: gpd.GeoDataFrame,
    margin_degree: float,
) -> Sources:
    """The three sources and the window (bounds of the districts plus the margin).

    Raises
    ------
    InputError
        With every finding about the districts and the files.
    """
    log = FindingLog()
    _check_districts(districts, log)
    log.raise_errors()
    west, south, east, north = districts.total_bounds
    window = (west - margin_degree, south - margin_degree, east + margin_degree, north + margin_degree)
    nodes = _vector(lines_card, NODE_LAYER, NODE_COLUMNS, None, log)
    lines = _vector(lines_card, lines_card.layer, LINE_COLUMNS, None, log)
    polygons = _vector(substations_card, substations_card.layer, POLYGON_COLUMNS, window, log)
    plants = _csv(plants_card, PLANT_COLUMNS, log)
    log.raise_errors()
    sources = Sources(
        nodes=_texts(pd.DataFrame(nodes).sort_values("v_id", ignore_index=True), ("typ", "voltage", "name")),
        lines=_texts(pd.DataFrame(lines).sort_values("l_id", ignore_index=True), ("voltage", "cables")),
        polygons=polygons.sort_values(["lon", "lat"], ignore_index=True),
        plants=_texts(plants, ("Name", "Fuel", "Generator Technology")),
        districts=districts.sort_values("district_code", ignore_index=True),
        window=window,
    )
    _check_content(sources, lines_card, log)
    log.raise_errors()
    return sources


def _texts(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].fillna("").astype(str).str.strip() for name in columns})


def _error(card: SourceCard, rule: str, layer: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", rule, card.shown_path, layer, item, value, message, remedy)


def _vector(
    card: SourceCard, layer: str | None, columns: tuple[str, ...], window: Bounds | None, log: FindingLog
) -> gpd.GeoDataFrame:
    empty = gpd.GeoDataFrame({name: [] for name in columns}, geometry=gpd.GeoSeries([], crs="EPSG:4326"))
    if not Path(card.path).is_file():
        log.add(_error(card, "osm.file_missing", layer or "", "", "", "The file is not there.", "Correct the path."))
        return empty
    try:
        frame = gpd.read_file(card.path, layer=layer, where=card.where, bbox=window)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        log.add(_error(card, "osm.unreadable", layer or "", "", type(error).__name__, "The layer cannot be read.",
                       "Give a GeoPackage with this layer."))  # fmt: skip
        return empty
    return frame if _has_columns(card, layer or "", columns, list(frame.columns), log) else empty


def _csv(card: SourceCard, columns: tuple[str, ...], log: FindingLog) -> pd.DataFrame:
    empty = pd.DataFrame({name: [] for name in columns})
    if not Path(card.path).is_file():
        log.add(_error(card, "osm.file_missing", "", "", "", "The file is not there.", "Correct the path."))
        return empty
    try:
        frame = pd.read_csv(card.path, encoding="utf-8")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        log.add(_error(card, "osm.unreadable", "", "", type(error).__name__, "The table cannot be read.",
                       "Give a CSV file in UTF-8."))  # fmt: skip
        return empty
    if not _has_columns(card, "", columns, list(frame.columns), log):
        return empty
    for name in ("Capacity (MW)", "Latitude", "Longitude"):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        for k in np.flatnonzero(numbers.isna() & frame[name].notna())[:20]:
            log.add(_error(card, "osm.number", "", f"row {k + 2}, {name}", str(frame[name].iloc[k]),
                           "This is not a number.", "Correct or empty it."))  # fmt: skip
        frame[name] = numbers
    return frame


def _has_columns(card: SourceCard, layer: str, wanted: tuple[str, ...], found: list[str], log: FindingLog) -> bool:
    missing = [name for name in wanted if name not in found]
    if missing:
        log.add(_error(card, "osm.columns", layer, "columns", ", ".join(missing), "Columns are missing.",
                       "Give the layer with these columns."))  # fmt: skip
    return not missing


def _check_districts(districts: gpd.GeoDataFrame, log: FindingLog) -> None:
    missing = [name for name in DISTRICT_COLUMNS if name not in districts.columns]
    if missing:
        log.add(Finding("error", "osm.district_columns", "", "districts", "columns", ", ".join(missing),
                        "Columns are missing.", "Give districts as the DISTRICTS table has them."))  # fmt: skip
        return
    if districts.crs is None or districts.crs.to_epsg() != 4326:
        log.add(Finding("error", "osm.district_crs", "", "districts", "crs", str(districts.crs),
                        "Districts must be in WGS-84 degrees.", "Reproject them to EPSG:4326."))  # fmt: skip
    for code, people in zip(districts["district_code"], districts["population"], strict=True):
        if not (math.isfinite(people) and people > 0):
            log.add(Finding("error", "osm.population", "", "districts", str(code), str(people),
                            "The load is shared out by population, which is not known here.",
                            "Give the district's population."))  # fmt: skip


def _check_content(sources: Sources, card: SourceCard, log: FindingLog) -> None:
    inside = set(sources.nodes.loc[sources.in_window(sources.nodes), "v_id"])
    lines = sources.lines
    if not (lines["v_id_1"].isin(inside) & lines["v_id_2"].isin(inside)).any():
        log.add(_error(card, "osm.no_lines", card.layer or "", "window", ", ".join(f"{x:.2f}" for x in sources.window),
                       "No line lies in the window.", "Widen margin_degree or take another source."))  # fmt: skip
    unknown = ~(lines["v_id_1"].isin(sources.nodes["v_id"]) & lines["v_id_2"].isin(sources.nodes["v_id"]))
    for k in np.flatnonzero(unknown)[:20]:
        log.add(_error(card, "osm.node_unknown", card.layer or "", f"line {lines['l_id'].iloc[k]}", "",
                       "The line ends at a node that the nodes layer lacks.", "Add the node or drop the line."))  # fmt: skip  # noqa: E501
    for k in np.flatnonzero(~(lines["length_m"] > 0))[:20]:
        log.add(_error(card, "osm.length", card.layer or "", f"line {lines['l_id'].iloc[k]}",
                       str(lines["length_m"].iloc[k]), "The length is not positive.", "Give length_m."))  # fmt: skip
