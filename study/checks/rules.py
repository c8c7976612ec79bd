"""What can be known of a study's exclusions before anything heavy runs: figures, columns, classes, units, extents."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from layers.contracts import Finding, InputError, SourceCard
from siting.contracts import Rule
from siting.land.checks import extent_shortage_km, same_unit, unit_words
from siting.rules.masks import row_setbacks
from study.checks.sources import districts_wgs84
from study.schema.ground import LayerEntry
from study.sites.rules import as_number, study_rules
from study.study_file import Study, nearest

_DERIVED_UNITS = {"slope": "degree", "aspect": "degree from north", "class_share": "share"}
_NAMED = 8
"""Values named one by one in a finding."""

Bounds = tuple[float, float, float, float]


def exclusion_findings(study: Study) -> list[Finding]:
    """Findings about pack, rules and the layers they read; files are looked into, pixels and geometries are not."""
    districts = districts_wgs84(study) if study.file.generated.region is None else None
    found = _layer_findings(study, districts)
    for number, entry in enumerate(study.file.exclusions, start=1):
        for start in entry.setbacks_from or {}:
            if math.isnan(as_number(start)):
                message = "setbacks_from goes by numbers."
                found.append(_error(study, "setback_row", f"row {number} {entry.rule}", start, message,
                                    "Use setbacks for words."))  # fmt: skip
    try:
        rules = study_rules(study, _codes(study, districts))
    except InputError as error:
        return [*found, *error.findings]
    for rule in rules:
        found += _rule_findings(study, rule)
    return [*found, *_extent_findings(study, rules, districts)]


def _codes(study: Study, districts: gpd.GeoDataFrame | None) -> list[str]:
    column = study.file.region.code_column
    if districts is None or column not in districts.columns:
        return []
    return [str(code) for code in districts[column]]


def _error(study: Study, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"rules.{rule}", study.shown_path, "exclusions", item, str(value), message, remedy)


def _usable(study: Study, source: str) -> SourceCard | None:
    """The card of a source whose file is there; a lack is named by the check of sources."""
    if source not in study.file.sources:
        return None
    card = study.card(source)
    return card if card.path.is_file() else None


# --- layers ---------------------------------------------------------------------------------------------------------


def _layer_findings(study: Study, districts: gpd.GeoDataFrame | None) -> list[Finding]:
    """Layers that are worked out from elevations or codes."""
    from siting.rules.terrain import terrain_findings

    found: list[Finding] = []
    place = None
    if districts is not None and len(districts):
        west, south, east, north = districts.total_bounds
        place = (west + east) / 2, (south + north) / 2
    for name, entry in study.file.layers.items():
        card = _usable(study, entry.source)
        if entry.kind in ("slope", "aspect") and card is not None:
            try:
                found += terrain_findings(card, study.file.region.resolution_m, place)
            except (OSError, ValueError, RuntimeError):
                continue  # an unreadable file is named by the check of sources
        if (entry.kind == "class_share") != bool(entry.classes):
            message = "classes go with the kind class_share, which needs them."
            remedy = "Give the codes to count, or drop them."
            where = f"layers.{name}"
            found.append(
                Finding("error", "layers.classes", study.shown_path, where, "classes", entry.kind, message, remedy)
            )
    return sorted(set(found))


def _rule_findings(study: Study, rule: Rule) -> list[Finding]:
    entry = study.file.layers.get(rule.layer)
    if entry is None:
        if rule.on_raster and rule.layer in _generated_layers(study):
            message = "the rule tests cell values, and the layer has features."
            return [_error(study, "layer_kind", rule.id, rule.layer, message, "Name a raster layer.")]
        return []  # an unknown layer is named by the check of references
    if rule.on_raster != (entry.kind != "vector"):
        needs, has = ("cell values", "features") if rule.on_raster else ("features", "cell values")
        message = f"the rule needs {needs}, and the layer has {has}."
        return [_error(study, "layer_kind", rule.id, entry.kind, message, "Name a layer of the other kind.")]
    if rule.on_raster:
        return _unit_findings(study, rule, entry) + _code_findings(study, rule, entry)
    return _column_findings(study, rule, entry)


def _generated_layers(study: Study) -> tuple[str, ...]:
    from study.checks.all import layer_ids

    return layer_ids(study)


def _unit_findings(study: Study, rule: Rule, entry: LayerEntry) -> list[Finding]:
    source = study.file.sources.get(entry.source)
    unit = _DERIVED_UNITS.get(entry.kind, source.unit if source else None)
    if unit is None or same_unit(rule.unit, unit):
        return []  # a unit that only the file states is compared when the file is read
    return [_error(study, "unit", rule.id, unit, *unit_words(rule.unit, unit))]


def _code_findings(study: Study, rule: Rule, entry: LayerEntry) -> list[Finding]:
    """Codes that a thinned look at a class raster does not see: a slip of the pen, or a rare class."""
    card = _usable(study, entry.source)
    if not rule.classes or card is None or entry.kind == "class_share":
        return []
    seen = _codes_seen(card.path, card.nodata)
    missing = [code for code in rule.classes if float(code) not in seen]
    if seen and missing:
        known = ", ".join(f"{code:g}" for code in seen[: 3 * _NAMED])
        message = "a look at part of the raster's cells does not find the class."
        return [
            Finding("warning", "rules.class_absent", card.shown_path, rule.layer, rule.id, ", ".join(missing), message,
                    f"Check the legend; found were {known}.")
        ]  # fmt: skip
    return []


@cache
def _codes_seen(path: Path, nodata: float | None) -> tuple[float, ...]:
    """Codes of every n-th cell, at most some 1000 x 1000 of them; empty where the file cannot be read."""
    import rasterio
    from rasterio.enums import Resampling

    try:
        with rasterio.open(path) as source:
            shape = min(source.height, 1000), min(source.width, 1000)
            cells = source.read(1, out_shape=shape, resampling=Resampling.nearest, masked=True).compressed()
    except (rasterio.errors.RasterioError, OSError):
        return ()
    return tuple(float(code) for code in np.unique(cells) if code != nodata)


def _column_findings(study: Study, rule: Rule, entry: LayerEntry) -> list[Finding]:
    """Columns and classes that the rule names and the file does not have."""
    wanted = {"class_column": rule.class_column, "setback_column": rule.setback_column}
    card = _usable(study, entry.source)
    if card is None or not any(wanted.values()):
        return []
    table = _attributes(card.path, card.layer, entry.where)
    if table is None:
        return []  # named by the look into the file
    columns = [str(name) for name in table.columns]
    found = [
        _error(study, "unknown_column", rule.id, name, f"{key}: the layer has no column '{name}'.",
               nearest(name, columns) or f"Its columns: {', '.join(columns)}.")
        for key, name in wanted.items()
        if name and name not in columns
    ]  # fmt: skip
    return found or _class_findings(study, rule, table) + _setback_findings(study, rule, table)


@cache
def _attributes(path: Path, layer: str | None, where: str | None) -> pd.DataFrame | None:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        return pd.DataFrame(pyogrio.read_dataframe(path, layer=layer, where=where, read_geometry=False))
    except (ValueError, DataSourceError, DataLayerError):
        return None


def _counted(values: Iterable[object]) -> str:
    counts = pd.Series([str(value) for value in values], dtype=object).value_counts().sort_index()
    named = [f"{value} ({count})" for value, count in counts.items()]
    return ", ".join(named[:_NAMED]) + (", ..." if len(named) > _NAMED else "")


def _class_findings(study: Study, rule: Rule, table: pd.DataFrame) -> list[Finding]:
    if not rule.classes:
        return []
    there = {str(value).strip().casefold() for value in table[rule.class_column]}
    return [
        _error(study, "class_absent", rule.id, name, "no feature of the layer has this class.",
               nearest(name.casefold(), sorted(there)) or f"Classes there: {_counted(table[rule.class_column])}.")
        for name in rule.classes
        if name.strip().casefold() not in there
    ]  # fmt: skip


def _setback_findings(study: Study, rule: Rule, table: pd.DataFrame) -> list[Finding]:
    """Features that fit no row of the table of setbacks: they keep the general one, and that is worth knowing."""
    if not rule.setback_rows:
        return []
    values = table[rule.setback_column]
    lost = np.isnan(row_setbacks(rule, values))
    if not lost.any():
        return []
    message = f"{lost.sum()} of {len(lost)} features fit no row of the table of setbacks and keep {rule.setback_m:g} m."
    return [
        Finding("warning", "rules.setback_class", study.shown_path, "exclusions", rule.id, _counted(values[lost]),
                message, "Give setbacks = {...} with these values, or leave it so.")
    ]  # fmt: skip


# --- extents --------------------------------------------------------------------------------------------------------


def _extent_findings(study: Study, rules: tuple[Rule, ...], districts: gpd.GeoDataFrame | None) -> list[Finding]:
    """Sources that end before the region and the widest setback of their rules do."""
    if districts is None or districts.empty:
        return []
    only = study.file.region.only
    if only:
        names = districts[study.file.region.name_zh_column].isin(only)
        code = study.file.region.code_column
        districts = districts[names | (districts[code].astype(str).isin(only) if code else False)]
    region = tuple(float(value) for value in districts.total_bounds)
    found = []
    for source, reach in sorted(_reaches(study, rules).items()):
        card = _usable(study, source)
        bounds = None if card is None else _bounds_wgs84(card.path, card.layer)
        if card is None or bounds is None or len(region) != 4:
            continue
        short = extent_shortage_km(region, bounds, reach)
        if short:
            sides = ", ".join(f"{side} {km:.1f} km" for side, km in short.items())
            message = (
                f"the file ends before the region and a setback of {reach:g} m around it do: objects there are not "
                "seen, and setbacks at the border are too small."
            )
            remedy = "Get a wider extract; land that no layer maps stays unknown."
            found.append(Finding("warning", "rules.extent", card.shown_path, card.layer or source, "extent", sides,
                                 message, remedy))  # fmt: skip
    return found


def _reaches(study: Study, rules: tuple[Rule, ...]) -> dict[str, float]:
    """Widest setback by source of the vector layers that rules read [m]."""
    reach: dict[str, float] = {}
    for rule in rules:
        entry = study.file.layers.get(rule.layer)
        if entry is not None and entry.kind == "vector" and not rule.known_within:
            reach[entry.source] = max(reach.get(entry.source, 0.0), rule.widest_setback_m)
    return reach


@cache
def _bounds_wgs84(path: Path, layer: str | None) -> Bounds | None:
    """Extent of a vector file in degrees; None where it cannot be told."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    try:
        info = pyogrio.read_info(path, layer=layer, force_total_bounds=True)
        west, south, east, north = (float(value) for value in info["total_bounds"])
        crs = CRS.from_user_input(info["crs"]) if info["crs"] else None
        if crs is None or crs.is_geographic:
            return west, south, east, north
        to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        bounds = to_degrees.transform_bounds(west, south, east, north, densify_pts=21)
        return bounds[0], bounds[1], bounds[2], bounds[3]
    except (ValueError, TypeError, DataSourceError, DataLayerError, ProjError):
        return None
