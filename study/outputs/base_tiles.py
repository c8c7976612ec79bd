"""Background pictures that the study file asks for: what the map is given, and findings about them."""

from __future__ import annotations

from layers.contracts import Finding
from maps.tiles import BaseTiles, holds_key, tile_faults
from study.schema.file import StudyFile
from study.study_file import Study

WHERE = "outputs.base_tiles"


def base_tiles(file: StudyFile) -> BaseTiles | None:
    """Tiles of the study file; None where it asks for none, the map then needs no network."""
    entry = file.outputs.base_tiles
    return None if entry is None else BaseTiles(**entry.model_dump())


def tile_findings(study: Study) -> list[Finding]:
    """Faults of the tiles, and a warning where their address seems to hold a key."""
    tiles = base_tiles(study.file)
    if tiles is None:
        return []
    found = [
        Finding("error", f"tiles.{f.field}", study.shown_path, WHERE, f.field, f.value, f.message, f.remedy)
        for f in tile_faults(tiles)
    ]
    if holds_key(tiles):
        text = "the address seems to hold a key; it stands in the map, readable for everybody who gets the page."
        remedy = "Take a source without a key, or do not give the map away."
        found.append(Finding("warning", "tiles.key", study.shown_path, WHERE, "url", "", text, remedy))
    return found
