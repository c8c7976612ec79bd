"""Checks of what the land stage is given: all findings at once, before anything heavy runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import shapely

from layers.contracts import Finding, RasterLayer, Region, VectorLayer
from siting.contracts import HostLayer, HostType, Rule
from siting.hosts.types import nearest_key, unknown_host_type
from siting.rules.masks import concerned

_FILE = "study"
_NAMED_CLASSES = 40
_DEGREE_KM = 111.2
_EXTENT_TOLERANCE_KM = 0.05
"""Rounded coordinates and degrees taken as equally long are no shortage."""

_UNIT_NAMES = {
    "deg": "degree",
    "degrees": "degree",
    "°": "degree",
    "%": "percent",
    "pct": "percent",
    "per cent": "percent",
}


def applies(rule: Rule, host_type: str) -> bool:
    """Whether a rule concerns a host type; a rule without host types concerns all."""
    return not rule.applies_to or host_type in rule.applies_to


def check_land_inputs(
    region: Region,
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    host_layers: Sequence[HostLayer],
    host_types: Sequence[HostType],
    rules: Sequence[Rule],
    mapped_by: Sequence[str],
    co_use: Sequence[tuple[str, str]],
) -> list[Finding]:
    """Everything that is wrong with the inputs of :func:`siting.land.eligibility.evaluate_land`, in a fixed order.

    A layer of lines or points excludes nothing without a setback, and hosts nothing: both are errors, because the
    result would look like free land. Two rules with one id for one host type are an error, because the waterfall
    could not tell them apart. A rule that reads a column, a second layer or a unit finds them, or says what is there.
    """
    by_name = {layer.id: layer for layer in layers}
    used = list(by_name)
    findings = [
        *_check_layers(region, layers, rasters, _used_layers(host_layers, rules, mapped_by)),
        *_check_hosts(host_layers, host_types, by_name),
        *_check_rules(rules, host_types, by_name, {raster.id: raster for raster in rasters}),
        *_check_ids(rules, host_layers),
    ]
    findings += [_unknown_layer("mapped_by", name, used) for name in mapped_by if name not in by_name]
    for pair in co_use:
        item = f"co_use {pair[0]}, {pair[1]}"
        findings += [
            unknown_host_type(name, host_types, file=_FILE, layer="land", item=item)
            for name in pair
            if name not in {host.host_type for host in host_types}
        ]
    return findings


def _error(rule: str, layer: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"land.{rule}", _FILE, layer, item, str(value), message, remedy)


def _unknown_layer(item: str, name: str, known: Sequence[str]) -> Finding:
    return _error("unknown_layer", name, item, name, f"There is no layer {name!r}.", nearest_key(name, known))


def _used_layers(host_layers: Sequence[HostLayer], rules: Sequence[Rule], mapped_by: Sequence[str]) -> frozenset[str]:
    read = [name for rule in rules for name in (rule.layer, rule.features_of, rule.known_within) if name]
    return frozenset([*(entry.layer for entry in host_layers), *read, *mapped_by])


def _check_layers(
    region: Region, layers: Sequence[VectorLayer], rasters: Sequence[RasterLayer], used: frozenset[str]
) -> list[Finding]:
    findings = []
    for layer in layers:
        if layer.id in used and layer.features.crs != region.frame.crs:
            shown = str(layer.features.crs.to_string() if layer.features.crs else "none")
            message = f"The layer is not in the region's CRS {region.frame.crs}."
            findings.append(_error("crs", layer.id, "crs", shown, message, "Convert the layer when it is read."))
    for raster in rasters:
        if raster.id in used and (raster.frame != region.frame or raster.values.shape != region.frame.shape):
            message, remedy = "The raster is not on the region's frame.", "Resample it onto the frame when it is read."
            findings.append(_error("frame", raster.id, "frame", raster.values.shape, message, remedy))
    return findings


def _check_hosts(
    host_layers: Sequence[HostLayer], host_types: Sequence[HostType], by_name: dict[str, VectorLayer]
) -> list[Finding]:
    findings = []
    known = {host.host_type for host in host_types}
    for entry in host_layers:
        item = f"host {entry.host_type}"
        if entry.host_type not in known:
            findings.append(unknown_host_type(entry.host_type, host_types, file=_FILE, layer=entry.layer, item=item))
        if not 0 < entry.area_share <= 1:
            message, remedy = "The share of host area is not within 0 to 1.", "State a share above 0, at most 1."
            findings.append(_error("area_share", entry.layer, item, entry.area_share, message, remedy))
        if entry.layer not in by_name:
            findings.append(_unknown_layer(item, entry.layer, list(by_name)))
        elif _has_no_area(by_name[entry.layer]):
            message, remedy = "The layer has only lines or points.", "Use polygons as hosts."
            findings.append(_error("host_without_area", entry.layer, item, "", message, remedy))
    return findings


def _check_rules(
    rules: Sequence[Rule],
    host_types: Sequence[HostType],
    by_name: Mapping[str, VectorLayer],
    rasters: Mapping[str, RasterLayer],
) -> list[Finding]:
    findings = []
    known = {host.host_type for host in host_types}
    for rule in rules:
        item = f"rule {rule.id}"
        findings += [
            unknown_host_type(name, host_types, file=_FILE, layer=rule.layer, item=item)
            for name in rule.applies_to
            if name not in known
        ]
        findings += _check_raster_rule(rule, rasters) if rule.on_raster else _check_vector_rule(rule, by_name)
    return findings


def _check_vector_rule(rule: Rule, by_name: Mapping[str, VectorLayer]) -> list[Finding]:
    item = f"rule {rule.id}"
    setbacks = [rule.setback_m, *(row.setback_m for row in rule.setback_rows)]
    wrong = [setback for setback in setbacks if not (math.isfinite(setback) and setback >= 0)]
    if wrong:
        message, remedy = "The setback is not a distance.", "State 0 m or more."
        return [_error("setback", rule.layer, item, f"{wrong[0]:g}", message, remedy)]
    named = [name for name in (rule.layer, rule.features_of, rule.known_within) if name]
    if any(name not in by_name for name in named):
        return [_unknown_layer(item, name, list(by_name)) for name in named if name not in by_name]
    findings = _check_columns(rule, by_name[rule.layer])
    for name in (rule.features_of, rule.known_within):
        if name and _has_no_area(by_name[name]):
            message = "The layer has only lines or points, and land is measured by it."
            findings.append(_error("without_area", name, item, "", message, "Use polygons."))
    if rule.widest_setback_m == 0 and _has_no_area(by_name[rule.layer]):
        message = "The layer has only lines or points: without a setback the rule excludes nothing."
        findings.append(_error("setback_of_lines", rule.layer, item, "0", message, "State setback_m."))
    return findings


def _check_columns(rule: Rule, layer: VectorLayer) -> list[Finding]:
    """Columns that the rule reads, and whether they hold any of its classes."""
    item = f"rule {rule.id}"
    columns = [str(name) for name in layer.features.columns if name != layer.features.geometry.name]
    missing = [name for name in dict.fromkeys((rule.class_column, rule.setback_column)) if name and name not in columns]
    findings = [
        _error("column", layer.id, item, name, f"The layer has no column {name!r}.", nearest_key(name, columns))
        for name in missing
    ]
    if rule.classes and not findings and not concerned(rule, layer.features).any():
        there = sorted({str(value) for value in layer.features[rule.class_column]})
        message = f"No feature of the layer has one of the classes {', '.join(rule.classes)}."
        remedy = nearest_key(rule.classes[0], there[:_NAMED_CLASSES])
        findings.append(_error("class_absent", layer.id, item, ", ".join(rule.classes), message, remedy))
    return findings


def _check_raster_rule(rule: Rule, rasters: Mapping[str, RasterLayer]) -> list[Finding]:
    item = f"rule {rule.id}"
    if rule.layer not in rasters:
        return [_unknown_layer(item, rule.layer, list(rasters)), *_check_limit(rule)]
    findings = _check_limit(rule)
    unit = rasters[rule.layer].unit
    if not same_unit(rule.unit, unit):
        findings.append(_error("unit", rule.layer, item, unit, *unit_words(rule.unit, unit)))
    return findings


def _check_limit(rule: Rule) -> list[Finding]:
    needed = {"raster_above": [rule.limit], "raster_below": [rule.limit]}.get(rule.kind)
    if rule.kind in ("raster_between", "raster_outside", "aspect_between"):
        needed = [rule.low, rule.high]
    if all(math.isfinite(number) for number in needed or ()):
        return []
    message, remedy = "A raster rule needs a limit.", "State limit, or low and high."
    return [_error("limit", rule.layer, f"rule {rule.id}", rule.limit, message, remedy)]


def same_unit(wanted: str, found: str) -> bool:
    """Whether a raster's unit is the one that a rule's figures are in; a rule without unit takes any.

    >>> same_unit("degree", "deg"), same_unit("degree", "percent"), same_unit("", "m")
    (True, False, True)
    """
    return not wanted or _UNIT_NAMES.get(found.casefold(), found) == _UNIT_NAMES.get(wanted.casefold(), wanted)


def unit_words(wanted: str, found: str) -> tuple[str, str]:
    """Message and remedy for a raster in another unit than a rule's figures."""
    message = f"The rule's figures are in {wanted}, the raster is in {found or 'no stated unit'}."
    if wanted.startswith("degree") and found.casefold() in ("m", "metre", "metres"):
        kind = "aspect" if "north" in wanted else "slope"
        return message, f'Declare a layer on the elevations with kind = "{kind}", and name it here.'
    return message, f"Convert the raster to {wanted}, or name a rule whose figures are in {found or 'its unit'}."


def _check_ids(rules: Sequence[Rule], host_layers: Sequence[HostLayer]) -> list[Finding]:
    findings = []
    for host_type in dict.fromkeys(entry.host_type for entry in host_layers):
        seen: set[str] = set()
        for rule in rules:
            if applies(rule, host_type) and rule.id in seen:
                message, remedy = f"Two rules with this id concern {host_type}.", "Rename one, or split applies_to."
                findings.append(_error("repeated_rule", rule.layer, f"rule {rule.id}", rule.id, message, remedy))
            seen |= {rule.id} if applies(rule, host_type) else set()
    return findings


def _has_no_area(layer: VectorLayer) -> bool:
    """Whether a layer has features, and none of them is a polygon."""
    shapes = layer.features.geometry.to_numpy()
    return bool(len(shapes)) and bool((shapely.get_dimensions(shapes) < 2).all())


def extent_shortage_km(
    region: tuple[float, float, float, float], layer: tuple[float, float, float, float], setback_m: float
) -> dict[str, float]:
    """By how much a layer's extent falls short of the region and a setback around it, side by side [km].

    Parameters
    ----------
    region, layer : (west, south, east, north)
        Degrees WGS-84.
    setback_m : float
        The widest setback of the layer's rules.

    Returns
    -------
    dict
        Only the sides that fall short. An object just outside the region sets back into it: a layer cut off at the
        border hides it.
    """
    latitude = math.radians((region[1] + region[3]) / 2)
    east_km, north_km = _DEGREE_KM * math.cos(latitude), _DEGREE_KM
    short = {
        "west": (layer[0] - region[0]) * east_km,
        "south": (layer[1] - region[1]) * north_km,
        "east": (region[2] - layer[2]) * east_km,
        "north": (region[3] - layer[3]) * north_km,
    }
    missing = {side: km + setback_m / 1000 for side, km in short.items()}
    return {side: km for side, km in missing.items() if km > _EXTENT_TOLERANCE_KM}
