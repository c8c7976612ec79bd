"""Checks of what the land stage is given: all findings at once, before anything heavy runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import shapely

from layers.contracts import Finding, RasterLayer, Region, VectorLayer
from siting.contracts import HostLayer, HostType, Rule
from siting.host_types import nearest_key, unknown_host_type

_FILE = "study"


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
    """Everything that is wrong with the inputs of :func:`siting.land.evaluate_land`, in a fixed order.

    A layer of lines or points excludes nothing without a setback, and hosts nothing: both are errors, because the
    result would look like free land. Two rules with one id for one host type are an error, because the waterfall
    could not tell them apart.
    """
    by_name = {layer.id: layer for layer in layers}
    raster_names = [raster.id for raster in rasters]
    used = list(by_name)
    findings = [
        *_check_layers(region, layers, rasters, _used_layers(host_layers, rules, mapped_by)),
        *_check_hosts(host_layers, host_types, by_name),
        *_check_rules(rules, host_types, by_name, raster_names),
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
    return frozenset([*(entry.layer for entry in host_layers), *(rule.layer for rule in rules), *mapped_by])


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
    by_name: dict[str, VectorLayer],
    raster_names: Sequence[str],
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
        findings += (
            _check_vector_rule(rule, by_name) if rule.kind == "vector" else _check_raster_rule(rule, raster_names)
        )
    return findings


def _check_vector_rule(rule: Rule, by_name: dict[str, VectorLayer]) -> list[Finding]:
    item = f"rule {rule.id}"
    if not (math.isfinite(rule.setback_m) and rule.setback_m >= 0):
        message, remedy = "The setback is not a distance.", "State 0 m or more."
        return [_error("setback", rule.layer, item, f"{rule.setback_m:g}", message, remedy)]
    if rule.layer not in by_name:
        return [_unknown_layer(item, rule.layer, list(by_name))]
    if rule.setback_m == 0 and _has_no_area(by_name[rule.layer]):
        message = "The layer has only lines or points: without a setback the rule excludes nothing."
        return [_error("setback_of_lines", rule.layer, item, "0", message, "State setback_m.")]
    return []


def _check_raster_rule(rule: Rule, raster_names: Sequence[str]) -> list[Finding]:
    findings = []
    item = f"rule {rule.id}"
    if rule.layer not in raster_names:
        findings.append(_unknown_layer(item, rule.layer, raster_names))
    if not math.isfinite(rule.limit):
        message, remedy = "A raster rule needs a limit.", "State limit."
        findings.append(_error("limit", rule.layer, item, rule.limit, message, remedy))
    return findings


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
