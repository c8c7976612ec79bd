"""What a rule excludes: predicates on cell values and on features, nothing else.

A vector rule comes down to polygons (:func:`rule_shapes`) whose sub-cell mask, after :func:`finish_mask`, is the land
it excludes; a raster rule is a test of cell values (:func:`test_raster`). Two rules with the same :func:`mask_key`
exclude the same land, so that a mask is worked out once.

How an evaluation of land uses them::

    rule.on_raster      excluded, unsure = test_raster(rule, values of a strip, frame of the strip)
    otherwise           excluded = finish_mask(rule, rasterize_submask(rule_shapes(rule, layers), frame))
                        unsure   = outside_mask(cover)  where cover is the mask of the layer rule.known_within,
                                   nothing at all where rule.known_within is empty
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import VectorLayer
from layers.frame import Frame
from layers.submask import FULL, SUBCELLS, setback_geometries
from siting.contracts import Rule

Mask = npt.NDArray[np.uint16]
Shapes = npt.NDArray[np.object_]

_VOLT_FROM = 2000.0
"""Voltages from this number up are taken as volts: no line has 2000 kV, none is tagged below 2000 V."""

_MITRE_LIMIT = 5.0


def mask_key(rule: Rule) -> Hashable:
    """Equal for rules that exclude the same land; plain setbacks share ``(layer, setback_m)``."""
    if rule.on_raster:
        return (rule.layer, rule.kind, *map(_plain, (rule.limit, rule.low, rule.high)), rule.classes, rule.nodata)
    if rule.kind == "vector" and not rule.classes and not rule.setback_rows:
        return rule.layer, rule.setback_m
    return (
        rule.layer,
        rule.setback_m,
        rule.kind,
        *(rule.classes, rule.class_column, rule.setback_rows and rule.setback_column, _row_key(rule)),
        *(_plain(rule.share), rule.features_of, rule.width_m),
    )


def _plain(number: float) -> float | None:
    """NaN is not equal to itself and would never match."""
    return None if math.isnan(number) else number


def _row_key(rule: Rule) -> Hashable:
    return tuple((row.setback_m, row.values, _plain(row.from_value)) for row in rule.setback_rows)


# --- rasters --------------------------------------------------------------------------------------------------------


def test_raster(rule: Rule, values: npt.NDArray[np.float32], frame: Frame) -> tuple[Mask, Mask]:
    """Whole cells that a raster rule excludes for certain, and those where it cannot tell.

    Parameters
    ----------
    rule : Rule
        With ``on_raster``.
    values : ndarray of float32, shape ``frame.shape``
        Cell values; NaN where not known. Aspects in degrees from north, negative on level ground.
    frame : Frame
        Of the strip; the answer depends on each cell's own value only, hence on no tile border.

    Returns
    -------
    excluded, unsure : ndarray of uint16, shape ``frame.shape``
        0xFFFF or 0; no cell is in both.
    """
    if values.shape != frame.shape:
        raise ValueError(f"values of shape {values.shape} are not on a frame of shape {frame.shape}")
    unknown = np.isnan(values)
    broken = ~unknown & _breaks(rule, values)
    if rule.nodata == "excluded":
        broken |= unknown
    doubt = unknown if rule.nodata == "unknown" else np.zeros(frame.shape, bool)
    return _whole_cells(broken), _whole_cells(doubt)


test_raster.__test__ = False  # type: ignore[attr-defined]  # a predicate, not a case for pytest to collect


def test_raster_into(rule: Rule, values: npt.NDArray[np.float32], frame: Frame, excluded: Mask, unsure: Mask) -> bool:
    """:func:`test_raster` in one compiled pass, written to two masks; whether any cell is unsure."""
    if values.shape != frame.shape:
        raise ValueError(f"values of shape {values.shape} are not on a frame of shape {frame.shape}")
    if rule.kind == "aspect_between":
        excluded[:], unsure[:] = test_raster(rule, values, frame)
        return rule.nodata == "unknown" and bool(unsure.any())
    from siting.rules.kernels import KINDS, NODATA, test_cells

    low, high = _bounds(rule)
    kind, nodata = KINDS.index(rule.kind), NODATA.index(rule.nodata) if rule.nodata in NODATA else len(NODATA)
    codes = class_codes(rule) if "classes" in rule.kind else np.zeros(0, np.float32)
    return bool(test_cells(values, kind, np.float32(low), np.float32(high), codes, nodata, excluded, unsure))


test_raster_into.__test__ = False  # type: ignore[attr-defined]


def _bounds(rule: Rule) -> tuple[float, float]:
    return (rule.low, rule.high) if rule.kind in ("raster_between", "raster_outside") else (rule.limit, rule.limit)


def _breaks(rule: Rule, values: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Cells that break a raster rule; what it says of NaN does not count."""
    with np.errstate(invalid="ignore"):
        match rule.kind:
            case "raster_above":
                return np.asarray(values > rule.limit)
            case "raster_below":
                return np.asarray(values < rule.limit)
            case "raster_between":
                return np.asarray((values >= rule.low) & (values <= rule.high))
            case "raster_outside":
                return np.asarray((values < rule.low) | (values > rule.high))
            case "raster_classes":
                return np.isin(values, class_codes(rule))
            case "raster_not_classes":
                return ~np.isin(values, class_codes(rule))
            case "aspect_between":
                return np.asarray((values >= 0) & ((values - rule.low) % 360 <= (rule.high - rule.low) % 360))
    raise ValueError(f"{rule.kind} is no rule on a raster")


def class_codes(rule: Rule) -> npt.NDArray[np.float32]:
    """Codes of a class rule, sorted."""
    return np.array(sorted(float(code) for code in rule.classes), np.float32)


def _whole_cells(cells: npt.NDArray[np.bool_]) -> Mask:
    return np.multiply(cells, FULL, dtype=np.uint16)


# --- features -------------------------------------------------------------------------------------------------------


def rule_shapes(rule: Rule, layers: Mapping[str, VectorLayer]) -> Shapes:
    """Polygons that a vector rule excludes, setbacks included.

    Parameters
    ----------
    rule : Rule
        Not ``on_raster``.
    layers : mapping
        Layers by id, in one metric CRS; read are ``rule.layer`` and, for ``feature_share``, ``rule.features_of``.

    Returns
    -------
    ndarray of shapely geometries
        They may overlap; for ``cell_share`` the mask of their union still has to pass :func:`finish_mask`.

    Notes
    -----
    ``vector_narrow`` is an opening of the union with mitred corners: a part stays when a square of ``width_m`` moved
    along it fits, so that the corners of a wide field are not called narrow.
    """
    shapes = selected_shapes(rule, layers[rule.layer].features)
    if rule.features_of:
        judged = layers[rule.features_of].features.geometry.to_numpy()
        covered = covered_shares(judged, shapes)
        chosen = covered > rule.share if rule.kind == "feature_share" else covered <= rule.share
        return np.asarray(judged[chosen], dtype=object)
    return _narrow_parts(shapes, rule.width_m) if rule.kind == "vector_narrow" else shapes


def selected_shapes(rule: Rule, features: gpd.GeoDataFrame) -> Shapes:
    """Features that the rule concerns, each grown by its own setback, in the order of the layer."""
    chosen = features[concerned(rule, features)]
    shapes = chosen.geometry.to_numpy().copy()
    distances = setbacks_of(rule, chosen)
    for distance in np.unique(distances):
        which = distances == distance
        shapes[which] = setback_geometries(shapes[which], float(distance))
    return np.asarray(shapes, dtype=object)


def concerned(rule: Rule, features: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Features whose class is in the rule's list; all where the rule has none."""
    if not rule.classes:
        return np.ones(len(features), bool)
    wanted = {_word(value) for value in rule.classes}
    return np.array([_word(value) in wanted for value in features[rule.class_column]], bool)


def setbacks_of(rule: Rule, features: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    """Setback of each feature [m]; those whose attribute fits no row keep the rule's own."""
    if not rule.setback_rows:
        return np.full(len(features), float(rule.setback_m))
    found = row_setbacks(rule, features[rule.setback_column])
    return np.where(np.isnan(found), float(rule.setback_m), found)


def row_setbacks(rule: Rule, values: Iterable[object]) -> npt.NDArray[np.float64]:
    """Setback of each value by the rule's table [m], NaN where it fits no row."""
    words = {_word(word): row.setback_m for row in rule.setback_rows for word in row.values}
    steps = sorted((row.from_value, row.setback_m) for row in rule.setback_rows if not math.isnan(row.from_value))
    texts = pd.Series(list(values), dtype=object).map(_word)
    known = {text: _row_setback(text, words, steps) for text in texts.unique()}
    return np.asarray(texts.map(known), np.float64)


def _row_setback(text: str, words: Mapping[str, float], steps: list[tuple[float, float]]) -> float:
    if text in words:
        return words[text]
    number = largest_number(text)
    below = [setback for start, setback in steps if start <= number]
    return below[-1] if below else math.nan


def _word(value: object) -> str:
    """Text of an attribute as it is compared: no case, no blanks around it, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip().casefold()


def largest_number(text: str) -> float:
    """The largest number in an attribute, volts read as kV, NaN where there is none.

    >>> largest_number("500000;220000"), largest_number("110 kV")
    (500.0, 110.0)
    """
    numbers = [float(part) for part in re.findall(r"\d+(?:\.\d+)?", text)]
    return max([number / 1000 if number >= _VOLT_FROM else number for number in numbers], default=math.nan)


def covered_shares(judged: Shapes, cover: Shapes) -> npt.NDArray[np.float64]:
    """Share of each feature's area that the union of ``cover`` covers, 0 to 1; 0 for lines and points."""
    covered = np.zeros(len(judged))
    if not len(cover):
        return covered
    pairs = shapely.STRtree(cover).query(judged, predicate="intersects")
    for k in np.unique(pairs[0]):
        union = shapely.union_all(cover[np.sort(pairs[1][pairs[0] == k])])
        covered[k] = shapely.intersection(judged[k], union).area
    area = shapely.area(judged)
    return np.asarray(np.divide(covered, area, out=np.zeros_like(covered), where=area > 0))


def _narrow_parts(shapes: Shapes, width_m: float) -> Shapes:
    union = shapely.union_all(shapes)
    half = width_m / 2
    core = shapely.buffer(union, -half, join_style="mitre", mitre_limit=_MITRE_LIMIT)
    wide = shapely.buffer(core, half, join_style="mitre", mitre_limit=_MITRE_LIMIT)
    parts = shapely.get_parts(np.array([shapely.difference(union, wide)], dtype=object))
    return np.asarray(parts[shapely.area(parts) > 0], dtype=object)


def finish_mask(rule: Rule, mask: Mask) -> Mask:
    """The mask of a rule's shapes as the rule means it; call it also where no shape meets the strip.

    Whole cells by their covered share for ``cell_share`` and ``cell_share_below``, the opposite for
    ``vector_outside``, unchanged for all others.
    """
    match rule.kind:
        case "cell_share":
            return _whole_cells(np.bitwise_count(mask) > rule.share * SUBCELLS)
        case "cell_share_below":
            return _whole_cells(np.bitwise_count(mask) <= rule.share * SUBCELLS)
        case "vector_outside":
            return np.asarray(~mask, np.uint16)
        case _:
            return mask


def outside_mask(cover: Mask) -> Mask:
    """Where a rule cannot tell because its layer is complete only within ``cover``."""
    return np.asarray(~cover, np.uint16)
