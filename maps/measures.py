"""Where the measures of a plan would be built: along their line, at their station, or where a new one would stand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from shapely import LineString, MultiLineString, Point
from shapely.affinity import affine_transform
from shapely.geometry.base import BaseGeometry

from maps.contracts import SiteMapInput


@dataclass(frozen=True)
class PlacedMeasure:
    """One measure with its place in WGS-84; ``path`` is the route it strengthens or, of a new station, the ways to the
    lines that are looped in; None for other measures at a station.

    ``stage`` is empty for measures that were tried and belong to no plan. Figures are None where they are not known:
    investment ``cost_cny``, ``annual_cost_cny`` with what is paid by the MWh, energy called in a year, MW unlocked.
    """

    measure_id: str
    stage: str
    kind: str
    name_zh: str
    name_en: str
    cost_cny: float | None
    annual_cost_cny: float | None
    called_mwh: float | None
    unlocked_mw: float | None
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
        elif _known(getattr(row, "lon", None)) and _known(getattr(row, "lat", None)):
            place = Point(float(getattr(row, "lon", math.nan)), float(getattr(row, "lat", math.nan)))
            joined = [paths[line] for line in str(getattr(row, "joins", "")).split() if line in paths]
            yield _measure(row, place.x, place.y, _loops(place, joined))
        elif getattr(row, "station_id", "") in stations.index:
            at = stations.loc[row.station_id]
            yield _measure(row, float(at["lon"]), float(at["lat"]), None)


def _loops(place: Point, lines: list[BaseGeometry]) -> BaseGeometry | None:
    """Straight ways from a new station to the lines that are looped into it; None where none is known."""
    shrink = math.cos(math.radians(place.y))  # of a degree of longitude, so that the nearest point is that in km
    ways = []
    for line in lines:
        flat, here = affine_transform(line, [shrink, 0, 0, 1, 0, 0]), Point(place.x * shrink, place.y)
        foot = flat.interpolate(flat.project(here))
        ways.append(LineString([(place.x, place.y), (foot.x / shrink, foot.y)]))
    return MultiLineString(ways) if ways else None


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def _measure(row: Any, lon: float, lat: float, path: BaseGeometry | None) -> PlacedMeasure:
    stage = getattr(row, "stage", "")

    def figure(name: str) -> float | None:
        value = getattr(row, name, None)
        return None if value is None or pd.isna(value) else float(value)

    return PlacedMeasure(
        measure_id=str(row.measure_id),
        stage="" if pd.isna(stage) else str(stage),
        kind=str(getattr(row, "kind", "")),
        name_zh=str(getattr(row, "name_zh", row.measure_id)),
        name_en=str(getattr(row, "name_en", row.measure_id)),
        cost_cny=figure("cost_cny"),
        annual_cost_cny=figure("annual_cost_cny"),
        called_mwh=figure("called_mwh"),
        unlocked_mw=figure("unlocked_mw"),
        lon=lon,
        lat=lat,
        path=path,
    )
