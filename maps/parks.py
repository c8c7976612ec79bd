"""Parks on the map: where they lie, and what a click tells of their year."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from maps.geometry import DECIMALS

Json = dict[str, Any]

COLUMNS = ("park_id", "name_zh", "name_en", "lon", "lat")
_FIGURES: tuple[tuple[str, int], ...] = (
    ("peak_mw", 1), ("load_mwh", 0), ("pv_mw", 1), ("wind_mw", 1), ("storage_mw", 1), ("storage_mwh", 1),
    ("green_share", 3), ("self_use_share", 3), ("import_mwh", 0), ("export_mwh", 0), ("import_peak_mw", 1),
    ("export_peak_mw", 1), ("cost_cny_per_mwh", 1), ("grid_price_cny_per_mwh", 1), ("co2_avoided_t", 0),
)  # fmt: skip
_GENERATED = re.compile("generated", re.IGNORECASE)


def park_payload(parks: pd.DataFrame | None) -> list[Json]:
    """What the page's script needs of each park; figures that the table lacks are None."""
    return [] if parks is None else [_of_row(row) for row in parks.to_dict("records")]


def _of_row(row: dict[Any, Any]) -> Json:
    return {
        "id": row["park_id"],
        "name": [row["name_zh"], row["name_en"]],
        "at": [round(row["lat"], DECIMALS), round(row["lon"], DECIMALS)],
        "verdict": row.get("rule_verdict", ""),
        "generated": bool(_GENERATED.search(str(row.get("load_origin", "")))),
        "confidence": row.get("place_confidence", ""),
        **{name: _figure(row.get(name), digits) for name, digits in _FIGURES},
    }


def _figure(value: Any, digits: int) -> float | None:
    return None if value is None or pd.isna(value) else round(float(value), digits)
