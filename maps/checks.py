"""Does a map's input keep the promises of its contracts? All faults are told at once."""

from __future__ import annotations

import re

import geopandas as gpd
import pandas as pd

from grid.contracts import BRANCH_N_1, BRANCH_STATE, LOAD_FLOW, SUBSTATIONS, UPGRADES
from layers.tables import ContractError, Table
from maps.contracts import PROJECTS, TARGETS, SiteMapInput
from maps.geometry import is_wgs84
from maps.parks import COLUMNS as PARK_COLUMNS
from maps.style import is_colour
from siting.contracts import STATES

LANGUAGES = ("zh", "en")
DISTRICT_COLUMNS = ("district_code", "name_zh", "name_en", "geometry")
LINE_COLUMNS = ("line_id", "name_zh", "name_en", "vn_kv", "length_km", "line_type", "origin", "geometry")
_RELATIVE = re.compile(r"(?:(?:\.\./)*[\w][\w. /-]*)?")
HOST_COLUMNS = ("host_type", "label_zh", "label_en", "colour")


def check_input(data: SiteMapInput) -> None:
    """Raise one :class:`layers.tables.ContractError` that names every broken promise of a map's input."""
    faults = [
        *_table_faults(PROJECTS, data.projects.drop(columns="geometry")),
        *_table_faults(SUBSTATIONS, data.substations.drop(columns=["lon", "lat"], errors="ignore")),
        *_table_faults(BRANCH_STATE, data.branch_state),
        *_table_faults(LOAD_FLOW, data.load_flow),
        *_table_faults(TARGETS, data.targets),
        *_table_faults(STATES, data.land_states),
        *([] if data.upgrades is None else _table_faults(UPGRADES, data.upgrades)),
        *_missing("substations", data.substations, ("lon", "lat")),
        *_missing("districts", data.districts, DISTRICT_COLUMNS),
        *_missing("lines", data.lines, LINE_COLUMNS),
        *_missing("host_types", data.host_types, HOST_COLUMNS),
        *_datum_faults("projects", data.projects),
        *_datum_faults("districts", data.districts),
        *_datum_faults("lines", data.lines),
        *_host_faults(data),
        *_optional_faults(data),
    ]
    if data.language not in LANGUAGES:
        faults.append(f"language is {data.language!r}: give one of {', '.join(LANGUAGES)}")
    if faults:
        raise ContractError("site map:\n" + "\n".join(faults))


def _optional_faults(data: SiteMapInput) -> list[str]:
    """Faults of what a study may bring beyond the lists."""
    faults = []
    if data.branch_n_1 is not None:
        faults += _table_faults(BRANCH_N_1, data.branch_n_1)
    if data.site_facts is not None:
        faults += _missing("site_facts", data.site_facts, ("candidate_id",))
    if data.measures is not None:
        faults += _missing("measures", data.measures, ("measure_id",))
    if data.stages is not None:
        faults += _missing("stages", data.stages, ("candidate_id", "stage"))
    if data.parks is not None:
        faults += _missing("parks", data.parks, PARK_COLUMNS)
    if data.ties is not None:
        faults += [*_missing("ties", data.ties, ("vn_kv", "geometry")), *_datum_faults("ties", data.ties)]
    for backdrop in data.backdrops:
        faults += _datum_faults(f"backdrop {backdrop.kind}", backdrop.shapes)
    colours = {c.colour for picture in data.land_pictures for c in picture.classes}
    faults += [f"land_pictures: {c!r} is no colour, write it as #rrggbb" for c in sorted(colours) if not is_colour(c)]
    if not _RELATIVE.fullmatch(data.list_file):
        faults.append(f"list_file is {data.list_file!r}: give a path relative to the page")
    return faults


def _table_faults(table: Table, frame: pd.DataFrame) -> list[str]:
    try:
        table.validate(frame)
    except ContractError as error:
        return [str(error)]
    return []


def _missing(name: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    return [f"{name}: column {column} is missing" for column in columns if column not in frame.columns]


def _datum_faults(name: str, frame: gpd.GeoDataFrame | gpd.GeoSeries) -> list[str]:
    """Refused, never repaired: a shape in another datum would stand hundreds of metres off without a word."""
    if is_wgs84(frame):
        return []
    return [f"{name}: CRS is {frame.crs.to_string() if frame.crs else 'not stated'}, a map takes EPSG:4326 (WGS-84)"]


def _host_faults(data: SiteMapInput) -> list[str]:
    if any(column not in data.host_types.columns for column in HOST_COLUMNS):
        return []
    hosts = data.host_types
    wrong = [
        f"host_types: colour of {host} is {colour!r}, write it as #rrggbb"
        for host, colour in zip(hosts["host_type"], hosts["colour"], strict=True)
        if not is_colour(colour)
    ]
    strangers = sorted(set(data.projects["host_type"]) - set(hosts["host_type"]))
    return wrong + [f"projects: host type {host!r} is not in host_types" for host in strangers]
