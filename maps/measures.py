"""Where the measures of a plan would be built: along their line, or at their station."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from shapely.geometry.base import BaseGeometry

from maps.contracts import SiteMapInput


@dataclass(frozen=True)
class PlacedMeasure:
    """One measure with its place in WGS-84; ``path`` is the route it strengthens, None for measures at a station.

    ``stage`` is empty for measures that were tried and belong to no plan; ``cost_cny`` is None where it is not known.
    """

    measure_id: str
    stage: str
    kind: str
    name_zh: str
    name_en: str
    cost_cny: float | None
    lon: float
    lat: float
    path: BaseGeometry | None


def placed_measures(data: SiteMapInput) -> list[PlacedMeasure]:
    """Measures of the plan, or those tried where there is no plan; measures without a known place are left out."""
    return list(_placed(data, _measure_table(data)))


def _measure_table(data: SiteMapInput) -> pd.DataFrame:
    if data.measures is not None:
        return data.measures
    if data.upgrades is None:
        return pd.DataFrame()
    named = {"upgrade_id": "measure_id", "description_zh": "name_zh", "description_en": "name_en"}
    return data.upgrades.rename(columns=named).assign(stage="")


def _placed(data: SiteMapInput, table: pd.DataFrame) -> Iterator[PlacedMeasure]:
    paths = dict(zip(data.lines["line_id"], data.lines.geometry, strict=True))
    stations = data.substations.drop_duplicates("station_id").set_index("station_id")
    for row in table.itertuples(index=False):
        path = paths.get(getattr(row, "element", ""))
        if path is not None:
            middle = path.interpolate(0.5, normalized=True)
            yield _measure(row, middle.x, middle.y, path)
        elif getattr(row, "station_id", "") in stations.index:
            at = stations.loc[row.station_id]
            yield _measure(row, float(at["lon"]), float(at["lat"]), None)


def _measure(row: Any, lon: float, lat: float, path: BaseGeometry | None) -> PlacedMeasure:
    stage, cost = getattr(row, "stage", ""), getattr(row, "cost_cny", None)
    return PlacedMeasure(
        measure_id=str(row.measure_id),
        stage="" if pd.isna(stage) else str(stage),
        kind=str(getattr(row, "kind", "")),
        name_zh=str(getattr(row, "name_zh", row.measure_id)),
        name_en=str(getattr(row, "name_en", row.measure_id)),
        cost_cny=None if cost is None or pd.isna(cost) else float(cost),
        lon=lon,
        lat=lat,
        path=path,
    )
