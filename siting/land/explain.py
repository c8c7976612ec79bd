"""Why a place is in and another is out: every rule that concerns it, with its document and the distance that decides.

Works on the layers themselves, not on cells, so that the answer is exact: a point is judged by distances, a polygon by
areas of intersections. Only rules that are about cells (rasters, cell shares) look at the cells of the study frame.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from layers.contracts import RasterLayer, VectorLayer
from layers.frame import Frame, Tile
from layers.submask import FULL, rasterize_submask
from layers.tables import Table, column
from siting.contracts import HostLayer, Rule
from siting.land.checks import applies
from siting.rules.masks import concerned, finish_mask, rule_shapes, setbacks_of, test_raster

State = Literal["eligible", "excluded", "unknown"]

PLACE_REASONS = Table(
    "place_reasons",
    "What each rule says of one place, those that exclude most of it first.",
    {
        "rule": column(str, "", "rule id"),
        "label_zh": column(str, "", "what the rule is called"),
        "label_en": column(str, "", "what the rule is called"),
        "verdict": column(str, "", "excludes, unsure or passes", isin=("excludes", "unsure", "passes")),
        "excluded_share": column(float, "1", "share of the place that the rule excludes", ge=0, le=1),
        "unsure_share": column(float, "1", "share of the place of which the rule cannot tell", ge=0, le=1),
        "distance_m": column(float, "m", "to the edge of the feature that decides, 0 inside", nullable=True, ge=0),
        "setback_m": column(float, "m", "that this feature asks for", nullable=True, ge=0),
        "value_low": column(float, "", "smallest value of the raster on the place", nullable=True),
        "value_high": column(float, "", "largest value of the raster on the place", nullable=True),
        "text_zh": column(str, "", "the finding in words"),
        "text_en": column(str, "", "the finding in words"),
        "document": column(str, "", "document of the rule"),
        "clause": column(str, "", "clause of the document"),
        "date": column(str, "", "day of the document"),
        "confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
        "province": column(str, "", "province whose own version of the rule this is"),
    },
)

_ROUNDING = 1e-9


@dataclass(frozen=True)
class PlaceLand:
    """What one place is to one host type. Shares are of the place's area (its length, for a line; 0 or 1 for a
    point); eligible + excluded + unknown = 1."""

    host_type: str
    state: State
    """The largest share; at a point the only one."""
    host_share: float
    mapped_share: float
    eligible_share: float
    excluded_share: float
    unknown_share: float
    reasons: pd.DataFrame
    """Follows :data:`PLACE_REASONS`; one row per rule that concerns the host type."""

    def in_words(self, language: Literal["zh", "en"] = "en") -> tuple[str, ...]:
        """The findings of the rules that do not pass, one line each; what else makes the place no host comes first."""
        lines = []
        if self.host_share < 1 - _ROUNDING:
            lines.append(_host_words(self, language))
        decisive = self.reasons[self.reasons["verdict"] != "passes"]
        return (*lines, *decisive[f"text_{language}"])


def explain_place(
    place: BaseGeometry,
    host_type: str,
    frame: Frame,
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    host_layers: Sequence[HostLayer],
    rules: Sequence[Rule],
    *,
    mapped_by: Sequence[str] = (),
) -> PlaceLand:
    """Why a place may or may not carry a host type.

    Parameters
    ----------
    place : shapely geometry
        A point, a line or a polygon (a site), valid, in the frame's CRS.
    host_type : str
    frame : Frame
        Cells of the rules that are about cells.
    layers, rasters, host_layers, rules, mapped_by
        As for :func:`siting.land.eligibility.evaluate_land`, checked.

    Returns
    -------
    PlaceLand
        The three states as in the land evaluation: host land that a rule excludes is excluded, even where another
        cannot tell; other mapped land is excluded; land that nothing maps is unknown.

    Notes
    -----
    A point is excluded where it lies in a feature or nearer than the setback. Polygons meet setbacks drawn with 32
    chords per quarter circle, at most 0.03 % short.
    """
    if place.is_empty:
        raise ValueError("an empty place has no reasons")
    by_name = {layer.id: layer for layer in layers}
    raster_by_name = {raster.id: raster for raster in rasters}
    own = [entry.layer for entry in host_layers if entry.host_type == host_type]
    host = _covered(place, own, by_name)
    mapped = _covered(place, [*own, *(entry.layer for entry in host_layers), *mapped_by], by_name)
    judged = [
        _judge_cells(rule, place, frame, raster_by_name, by_name)
        if rule.on_raster or rule.kind.startswith("cell_share")
        else _judge_features(rule, place, by_name)
        for rule in rules
        if applies(rule, host_type)
    ]
    excluded = _part(shapely.union_all([part.excluded for part in judged]), host, place)
    unsure = _part(shapely.union_all([part.unsure for part in judged]), host, place)
    unsure = _rest(unsure, excluded, place)
    eligible = _rest(_rest(host, excluded, place), unsure, place)
    unknown = _share(unsure, place) + 1 - _share(mapped, place)
    shares = {"eligible": _share(eligible, place), "unknown": min(max(unknown, 0.0), 1.0)}
    shares["excluded"] = min(max(1 - shares["eligible"] - shares["unknown"], 0.0), 1.0)
    state: State = max(("excluded", "unknown", "eligible"), key=lambda name: round(shares[name], 9))
    return PlaceLand(
        host_type,
        state,
        _share(host, place),
        _share(mapped, place),
        shares["eligible"],
        shares["excluded"],
        shares["unknown"],
        _table(judged),
    )


@dataclass(frozen=True)
class _Judged:
    """What a rule does to a place."""

    rule: Rule
    excluded: BaseGeometry
    unsure: BaseGeometry
    excluded_share: float
    unsure_share: float
    distance_m: float = math.nan
    setback_m: float = math.nan
    low: float = math.nan
    high: float = math.nan


def _share(part: BaseGeometry, place: BaseGeometry) -> float:
    """Share of the place that a part of it is: of its area, its length, or all or nothing."""
    if place.area > 0:
        return min(float(part.area / place.area), 1.0)
    if place.length > 0:
        return min(float(part.length / place.length), 1.0)
    return float(not part.is_empty)


def _part(cover: BaseGeometry, of: BaseGeometry, place: BaseGeometry) -> BaseGeometry:
    """What of ``of`` is covered; where outlines merely touch there is no part."""
    return _solid(shapely.intersection(cover, of), place)


def _rest(of: BaseGeometry, without: BaseGeometry, place: BaseGeometry) -> BaseGeometry:
    return _solid(shapely.difference(of, without), place)


def _solid(shape: BaseGeometry, place: BaseGeometry) -> BaseGeometry:
    """Parts of the place's own dimension: points and lines left over by an overlay of polygons are none."""
    parts = shapely.get_parts(shape)
    parts = parts[shapely.get_dimensions(parts) == shapely.get_dimensions(place)]
    return shapely.union_all(parts) if len(parts) else _nothing()


def _nothing() -> BaseGeometry:
    return shapely.GeometryCollection()


def _covered(place: BaseGeometry, names: Sequence[str], layers: Mapping[str, VectorLayer]) -> BaseGeometry:
    """Part of the place that features of some layers cover."""
    near = [_meeting(place, layers[name].features).geometry.to_numpy() for name in dict.fromkeys(names)]
    shapes = np.concatenate(near) if near else np.array([], object)
    return _part(shapely.union_all(shapes), place, place)


def _meeting(place: BaseGeometry, features: gpd.GeoDataFrame, distance_m: float = 0.0) -> gpd.GeoDataFrame:
    """Features within a distance of the place, in the order of the layer."""
    hits = features.sindex.query(place, predicate="dwithin", distance=distance_m + _ROUNDING)
    return features.iloc[np.sort(hits)]


# --- features -------------------------------------------------------------------------------------------------------


def _judge_features(rule: Rule, place: BaseGeometry, layers: Mapping[str, VectorLayer]) -> _Judged:
    features = layers[rule.layer].features
    excluded = _excluded_part(rule, place, layers)
    unsure = _nothing()
    if rule.known_within:
        known = _covered(place, [rule.known_within], layers)
        unsure = _rest(_rest(place, known, place), excluded, place)
    distance, setback = (math.nan, math.nan) if rule.features_of else _deciding_distance(rule, place, features)
    return _Judged(rule, excluded, unsure, _share(excluded, place), _share(unsure, place), distance, setback)


def _excluded_part(rule: Rule, place: BaseGeometry, layers: Mapping[str, VectorLayer]) -> BaseGeometry:
    features = layers[rule.layer].features
    if rule.kind == "vector":
        near = _meeting(place, features, rule.widest_setback_m)
        if place.area == 0 and place.length == 0:
            return place if _reached(rule, place, near) else _nothing()
        layers = {**layers, rule.layer: dataclasses.replace(layers[rule.layer], features=near)}
    shapes = rule_shapes(rule, layers)
    shapes = shapes[shapely.intersects(shapes, place)] if len(shapes) else shapes
    inside = _part(shapely.union_all(shapes), place, place)
    return _rest(place, inside, place) if rule.kind == "vector_outside" else inside


def _reached(rule: Rule, place: BaseGeometry, near: gpd.GeoDataFrame) -> bool:
    """Whether a point lies in a feature or nearer than its setback."""
    chosen = near[concerned(rule, near)]
    distance = shapely.distance(place, chosen.geometry.to_numpy()) if len(chosen) else np.array([])
    return bool(((distance == 0) | (distance < setbacks_of(rule, chosen))).any())


def _deciding_distance(rule: Rule, place: BaseGeometry, features: gpd.GeoDataFrame) -> tuple[float, float]:
    """Distance to the feature that goes deepest into the place with its setback, and that setback [m]."""
    near = _meeting(place, features, rule.widest_setback_m)
    chosen = near[concerned(rule, near)]
    if not len(chosen):
        chosen = features[concerned(rule, features)]
    if not len(chosen):
        return math.nan, math.nan
    distance = shapely.distance(place, chosen.geometry.to_numpy())
    setback = setbacks_of(rule, chosen)
    deepest = int(np.argmin(distance - setback))
    return float(distance[deepest]), float(setback[deepest])


# --- cells ----------------------------------------------------------------------------------------------------------


def _judge_cells(
    rule: Rule,
    place: BaseGeometry,
    frame: Frame,
    rasters: Mapping[str, RasterLayer],
    layers: Mapping[str, VectorLayer],
) -> _Judged:
    """Rules about cells: the cells that the place meets, each with the part of the place in it."""
    tile = _tile(place, frame)
    window = frame.part(tile)
    boxes = _boxes(window)
    meets = shapely.intersects(boxes, place)
    if rule.on_raster:
        values = np.asarray(rasters[rule.layer].values[tile.slices], np.float32)
        excluded, unsure = test_raster(rule, values, window)
        known = values.ravel()[meets]
        low, high = (math.nan, math.nan) if np.isnan(known).all() else (np.nanmin(known), np.nanmax(known))
    else:
        shapes = rule_shapes(rule, layers)
        excluded = finish_mask(rule, rasterize_submask(shapes, window))
        unsure, low, high = np.zeros_like(excluded), math.nan, math.nan
    parts = [_cells_part(boxes[meets & (mask.ravel() == FULL)], place) for mask in (excluded, unsure)]
    return _Judged(
        rule, parts[0], parts[1], _share(parts[0], place), _share(parts[1], place), low=float(low), high=float(high)
    )


def _tile(place: BaseGeometry, frame: Frame) -> Tile:
    """Cells that the place may meet, cut to the frame."""
    west, south, east, north = place.bounds
    r = frame.resolution_m
    row0, row1 = math.floor((frame.top - north) / r), math.floor((frame.top - south) / r) + 1
    col0, col1 = math.floor((west - frame.left) / r), math.floor((east - frame.left) / r) + 1
    if row1 <= 0 or col1 <= 0 or row0 >= frame.height or col0 >= frame.width:
        raise ValueError("the place lies outside the study frame")
    return Tile(max(row0, 0), min(row1, frame.height), max(col0, 0), min(col1, frame.width))


def _boxes(window: Frame) -> npt.NDArray[np.object_]:
    """Outlines of the cells of a frame, row by row."""
    r = window.resolution_m
    x = window.left + r * np.arange(window.width)
    y = window.top - r * np.arange(1, window.height + 1)
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    return np.asarray(shapely.box(x, y, x + r, y + r), object)


def _cells_part(boxes: npt.NDArray[np.object_], place: BaseGeometry) -> BaseGeometry:
    return _part(shapely.union_all(boxes), place, place)


# --- words ----------------------------------------------------------------------------------------------------------


def _table(judged: Sequence[_Judged]) -> pd.DataFrame:
    if not judged:
        return PLACE_REASONS.empty()
    rows = [_row(part) for part in sorted(judged, key=lambda j: (-j.excluded_share, -j.unsure_share, j.rule.id))]
    table = pd.DataFrame(rows, columns=list(PLACE_REASONS.columns))
    texts = [name for name, promise in PLACE_REASONS.columns.items() if promise.dtype is str]
    return PLACE_REASONS.validate(table.astype(dict.fromkeys(texts, object)))


def _row(part: _Judged) -> dict[str, Any]:
    rule = part.rule
    verdict = "excludes" if part.excluded_share > 0 else "unsure" if part.unsure_share > 0 else "passes"
    zh, en = _words(part, verdict)
    return {
        "rule": rule.id,
        "label_zh": rule.label_zh,
        "label_en": rule.label_en,
        "verdict": verdict,
        "excluded_share": part.excluded_share,
        "unsure_share": part.unsure_share,
        "distance_m": part.distance_m,
        "setback_m": part.setback_m,
        "value_low": part.low,
        "value_high": part.high,
        "text_zh": zh,
        "text_en": en,
        "document": rule.document,
        "clause": rule.clause,
        "date": rule.date,
        "confidence": rule.confidence,
        "province": rule.province,
    }


def _words(part: _Judged, verdict: str) -> tuple[str, str]:
    """The finding in Chinese and English, e.g. ``Wind: distance to dwellings: 342 m < 500 m (village)``."""
    rule, what = part.rule, part.rule.layer
    if verdict == "unsure":
        return f"{rule.label_zh}：无数据，无法判断（{what}）", f"{rule.label_en}: not known here ({what})"
    zh, en = _measure(part)
    if verdict == "excludes" and part.excluded_share < 1 - _ROUNDING:
        zh, en = f"{zh}，占 {part.excluded_share:.1%}", f"{en}, {part.excluded_share:.1%} of the place"
    return f"{rule.label_zh}：{zh}（{what}）", f"{rule.label_en}: {en} ({what})"


def _measure(part: _Judged) -> tuple[str, str]:
    """What decides: a distance against a setback, values against limits, or being inside."""
    rule = part.rule
    if rule.on_raster:
        if math.isnan(part.low):
            return "无数据", "no value"
        span = f"{part.low:g}" if part.low == part.high else f"{part.low:g}..{part.high:g}"
        return f"值 {span}，规则 {_limits(rule)}", f"value {span}, rule {_limits(rule)}"
    if not math.isnan(part.distance_m) and rule.kind == "vector":
        if part.distance_m == 0:
            return "位于其内", "inside"
        sign = "<" if part.distance_m < part.setback_m else "≥"
        words = f"{part.distance_m:.0f} m {sign} {part.setback_m:.0f} m"
        return f"距边缘 {words}", words
    if rule.kind in ("vector_outside", "cell_share_below", "feature_share_below"):
        return ("不在准许范围内", "outside of it") if part.excluded_share > 0 else ("在准许范围内", "within it")
    if rule.kind == "vector_narrow":
        words = f"{rule.width_m:g} m"
        return (f"窄于 {words}", f"narrower than {words}") if part.excluded_share > 0 else ("够宽", "wide enough")
    over = part.excluded_share > 0
    return (f"占比{'超过' if over else '不超过'} {rule.share:.0%}", f"covers {'more' if over else 'no more'} than "
            f"{rule.share:.0%}")  # fmt: skip


def _limits(rule: Rule) -> str:
    match rule.kind:
        case "raster_above":
            return f"> {rule.limit:g}"
        case "raster_below":
            return f"< {rule.limit:g}"
        case "raster_classes":
            return f"in {', '.join(rule.classes)}"
        case "raster_not_classes":
            return f"not in {', '.join(rule.classes)}"
        case "raster_outside":
            return f"outside {rule.low:g}..{rule.high:g}"
        case _:
            return f"{rule.low:g}..{rule.high:g}"


def _host_words(land: PlaceLand, language: str) -> str:
    """What of the place is no land of the host type: other mapped land, or land that nothing maps."""
    parts = (land.mapped_share - land.host_share, 1 - land.mapped_share)
    words = (
        ("非该类用地 {:.1%}", "未测绘 {:.1%}") if language == "zh" else ("{:.1%} is other land", "{:.1%} is not mapped")
    )
    said = [text.format(share) for text, share in zip(words, parts, strict=True) if share > _ROUNDING]
    return ("，" if language == "zh" else ", ").join(said)
