"""What the files of a study say when they are looked into: each by its kind, then against one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import geopandas as gpd
import pandas as pd

from layers.contracts import Finding, FindingLog, InputError, SourceCard
from study.stages.weather import weather_findings
from study.study_file import Study, nearest, resolve_path

_TABLES = (".csv", ".parquet")
_RASTERS = (".tif", ".tiff", ".vrt")
_OF_THE_FILTER = ("vector.empty_layer", "vector.unreadable")
_NORMALS_KEY = "place"


def used_sources(study: Study) -> tuple[str, ...]:
    """Ids of the sources that the study reads, sorted; those that nothing refers to are left alone."""
    weather = {cell.source for cell in study.file.weather}
    return tuple(sorted({source for source, _ in _uses(study)} | weather))


def source_findings(study: Study) -> list[Finding]:
    """Findings about every file that the study reads, with the filters it reads them under."""
    found: list[Finding] = []
    uses = _uses(study)
    for source, where in sorted(uses, key=lambda use: (use[0], use[1] or "")):
        if source not in study.file.sources:
            continue  # named by the check of references
        findings = inspect_source(study.card(source, where=where))
        if where is not None and (source, None) in uses:  # rows are named by the look at the whole file
            findings = [f for f in findings if f.rule in _OF_THE_FILTER]
        found += [_place_is_enough(f) for f in findings] if source in _only_places(study) else findings
    return (
        found + _district_findings(study) + _facts_findings(study) + _normals_findings(study) + weather_findings(study)
    )


def _only_places(study: Study) -> tuple[str | None, ...]:
    """Sources of which only the place of a feature is used, never its area."""
    return study.file.network.lines_source, study.file.network.substations_source


def _place_is_enough(finding: Finding) -> Finding:
    """A crossing outline spoils an area; for a place it is worth a warning."""
    if finding.rule != "vector.geometry_invalid":
        return finding
    return replace(finding, severity="warning", remedy="Only the place is used here; repair it when convenient.")


def network_findings(study: Study) -> list[Finding]:
    """Findings about the user's network tables and standard tables."""
    return [*_own_standards_findings(study), *_network_table_findings(study)]


def _own_standards_findings(study: Study) -> list[Finding]:
    if not study.file.network.standards:
        return []
    from grid.standards_tables import check_own_standards

    return check_own_standards(resolve_path(study.file.network.standards, study.path.parent))


def _network_table_findings(study: Study) -> list[Finding]:
    if study.file.network.kind != "tables" or not study.file.network.folder:
        return []
    from grid.checks import check_network
    from grid.network_tables import read_network

    folder = resolve_path(study.file.network.folder, study.path.parent)
    try:
        network = read_network(folder)
    except InputError as error:
        return list(error.findings)
    return list(check_network(network))


def inspect_source(card: SourceCard) -> list[Finding]:
    """Findings about one file, by its kind."""
    suffixes = [suffix.lower() for suffix in card.path.suffixes[-2:]]
    if card.path.suffix.lower() in _RASTERS:
        from layers.raster import inspect_raster

        return inspect_raster(card)
    if any(suffix in _TABLES for suffix in suffixes):
        from layers.source_file import file_findings

        return file_findings(card)
    from layers.vector import inspect_vector

    return inspect_vector(card)


def _uses(study: Study) -> frozenset[tuple[str, str | None]]:
    """Pairs of source id and attribute filter that the study reads."""
    file = study.file
    whole: set[str | None] = {file.region.districts, file.region.facts, file.network.lines_source}
    whole |= {file.network.substations_source, file.network.plants_source}
    whole |= {file.network.rule_book_options.ledger_source}
    whole |= {file.pv.horizon}
    whole |= {park.load_source for park in file.parks}
    whole |= {file.demand.source if file.demand else None}
    whole |= {file.generated.weather.normals if file.generated.weather else None}
    layers = {(entry.source, entry.where) for entry in file.layers.values()}
    return frozenset({(source, None) for source in whole if source} | layers)


# --- districts ------------------------------------------------------------------------------------------------------


def districts_wgs84(study: Study) -> gpd.GeoDataFrame | None:
    """The study's district polygons in degrees WGS-84, or None where they cannot be read."""
    region = study.file.region
    if region.districts is None or region.districts not in study.file.sources:
        return None
    from layers.vector import read_vector

    try:
        return read_vector(study.card(region.districts), "EPSG:4326", log=FindingLog()).features
    except (InputError, OSError, ValueError):
        return None  # named already by the look into the file itself


def _district_findings(study: Study) -> list[Finding]:
    """Columns and districts that the study names, and the datum against the facts' points."""
    districts, region = districts_wgs84(study), study.file.region
    if districts is None or region.districts is None:
        return []
    card = study.card(region.districts)
    columns = [str(name) for name in districts.columns if name != "geometry"]
    named = {key: getattr(region, key) for key in ("name_zh_column", "code_column", "name_en_column")}
    found = [
        _about(card, "region.unknown_column", key, name, f"the file has no column '{name}'.",
               nearest(name, columns) or f"Its columns: {', '.join(columns)}.")
        for key, name in named.items()
        if name and name not in columns
    ]  # fmt: skip
    if found:
        return found
    return (
        _only_findings(study, districts) + _place_findings(study, districts) + _datum_findings(study, districts, card)
    )


def _only_findings(study: Study, districts: gpd.GeoDataFrame) -> list[Finding]:
    region = study.file.region
    known = [str(name) for name in districts[region.name_zh_column]]
    if region.code_column:
        known += [str(code) for code in districts[region.code_column]]
    return [
        Finding("error", "region.unknown_district", study.shown_path, "region", "only", name,
                f"there is no district '{name}' in the file.",
                nearest(name, known) or f"Districts: {', '.join(known)}.")
        for name in region.only
        if name not in known
    ]  # fmt: skip


def _place_findings(study: Study, districts: gpd.GeoDataFrame) -> list[Finding]:
    """Stations and plants that are said to stand in a district that is not there."""
    network, known = study.file.network, [str(name) for name in districts[study.file.region.name_zh_column]]
    places = [("network.stations", s.name_zh, s.district) for s in network.stations]
    places += [("network.plants", p.name_zh, p.district) for p in network.plants]
    return [
        Finding("error", "network.unknown_district", study.shown_path, where, item, district,
                f"there is no district '{district}' in the file.",
                nearest(district, known) or f"Districts: {', '.join(known)}; leave it out for a place outside.")
        for where, item, district in places
        if district and district not in known
    ]  # fmt: skip


def _datum_findings(study: Study, districts: gpd.GeoDataFrame, card: SourceCard) -> list[Finding]:
    """Does the datum of the districts agree with the facts' points, matched by name?"""
    points = _facts(study)
    if points is None or not {"name_zh", "lon", "lat"} <= set(points.columns):
        return []
    from layers.contracts import VectorLayer
    from layers.datum_check import datum_findings
    from layers.region import study_crs

    try:
        projected = districts.to_crs(study_crs(districts))
    except ValueError:
        return []  # positions outside China are named by the look into the file
    once = points.drop_duplicates("name_zh", keep=False).set_index("name_zh")
    layer = VectorLayer(card.id, projected, card.origin, card)
    return datum_findings(layer, card, once, code_column=study.file.region.name_zh_column)


# --- tables ---------------------------------------------------------------------------------------------------------


def _facts(study: Study) -> pd.DataFrame | None:
    source = study.file.region.facts
    return None if source is None or source not in study.file.sources else _table(study.card(source))


def _table(card: SourceCard) -> pd.DataFrame | None:
    """A CSV as it stands, or None where it cannot be read."""
    try:
        return pd.read_csv(card.path, dtype={"county_code": str})
    except (OSError, ValueError):
        return None


def _facts_findings(study: Study) -> list[Finding]:
    table, source = _facts(study), study.file.region.facts
    if source is None or source not in study.file.sources or not study.card(source).path.is_file():
        return []
    return _column_findings(study.card(source), table, ("name_zh", "name_pinyin", "population"))


def _normals_findings(study: Study) -> list[Finding]:
    spec = study.file.generated.weather
    if spec is None or spec.normals not in study.file.sources or not study.card(spec.normals).path.is_file():
        return []
    card = study.card(spec.normals)
    table = _table(card)
    found = _column_findings(card, table, (_NORMALS_KEY, "lat", "lon", "alt_m", "month"))
    if found or table is None:
        return found
    places = sorted(str(place) for place in table[_NORMALS_KEY].unique())
    if spec.place in places:
        return []
    remedy = nearest(spec.place, places) or f"Places: {', '.join(places)}."
    return [_about(card, "weather.unknown_place", "place", spec.place, f"no normals of '{spec.place}'.", remedy)]


def _column_findings(card: SourceCard, table: pd.DataFrame | None, needed: Iterable[str]) -> list[Finding]:
    if table is None:
        return [_about(card, "table.unreadable", "path", card.shown_path, "the file is no readable CSV.",
                       "Save it as CSV in UTF-8, separated by commas.")]  # fmt: skip
    columns = [str(name) for name in table.columns]
    return [
        _about(card, "table.column_missing", name, "", f"the table has no column '{name}'.",
               f"Add it; the columns are: {', '.join(columns)}.")
        for name in needed
        if name not in columns
    ]  # fmt: skip


def _about(card: SourceCard, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", rule, card.shown_path, card.layer or card.id, item, value, message, remedy)
