"""What a run says about itself in files of its own: titles, sources, host types, outlines of the districts.

Charts and reports of a finished run are drawn from its folder alone; these files hold what no table of results does.
"""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pyogrio

from layers.contracts import SourceCard
from maps.contracts import SiteMapInput
from study.atomic import replaced
from study.run_folder.manifest import without_private_paths

ABOUT_NAME = "about.json"
DISTRICTS_NAME = "land/districts.geojson"
_OUTLINE_DEGREES = 0.0005
"""Outlines are drawn on a page: about 50 m are enough, and keep the file small."""


def write_about(shown: SiteMapInput, folder: Path) -> None:
    """Write ``about.json``, the districts' outlines into a run folder; same study, same bytes."""
    record = {
        "study": shown.study,
        "title_zh": shown.title_zh,
        "title_en": shown.title_en,
        "language": shown.language,
        "sources": [_source(card) for card in shown.sources],
        "host_types": shown.host_types.to_dict("records"),
    }
    text = json.dumps(record, ensure_ascii=False, indent=2, allow_nan=False)
    with replaced(folder / ABOUT_NAME) as partial:
        partial.write_bytes(f"{text}\n".encode())
    _write_districts(shown.districts, folder / DISTRICTS_NAME)


def _source(card: SourceCard) -> dict[str, str]:
    """A source as it may be shown: never its path on this machine."""
    return {
        "id": card.id,
        "title_zh": card.title_zh or card.id,
        "title_en": card.title_en or card.id,
        "file": without_private_paths(card.shown_path),
        "licence": card.licence,
        "attribution": card.attribution,
        "origin": str(card.origin),
        "datum": str(card.datum or ""),
        "note": card.note,
    }


def _write_districts(districts: gpd.GeoDataFrame, path: Path) -> None:
    outlines = districts[["district_code", "name_zh", "name_en", "geometry"]].copy()
    outlines["geometry"] = outlines.geometry.simplify(_OUTLINE_DEGREES)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as partial:
        pyogrio.write_dataframe(
            outlines, partial, layer="districts", driver="GeoJSON",
            layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": "5"},
        )  # fmt: skip
