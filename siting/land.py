"""Eligibility with three states, the waterfall of the rules, and the ledger.

Per sub-cell and host type::

    outside the region                          -> nothing
    host land, a rule excludes it               -> excluded
    host land, a rule's raster has no value     -> unknown
    host land, no rule                          -> eligible
    other land that some layer maps             -> excluded
    land that no layer maps                     -> unknown (absent is not available)

Work runs in strips of rows; each strip sees all features, also those outside the region, so that the result has the
same bits for any strip height.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import Origin, RasterLayer, Region, VectorLayer
from layers.frame import Frame, Tile
from layers.submask import FULL, rasterize_submask, setback_geometries
from siting.contracts import STATES, WATERFALL, HostLand, HostLayer, HostType, LandResult, Rule
from siting.ledger import assign_owners

Mask = npt.NDArray[np.uint16]
Progress = Callable[[str, float], None]

STRIP_ROWS = 256
_M2_PER_KM2 = 1e6


@dataclass(frozen=True)
class _Shapes:
    """Geometries of one layer at one setback, with an index to find those that touch a strip."""

    geometries: npt.NDArray[np.object_]
    tree: shapely.STRtree

    @classmethod
    def of(cls, layer: VectorLayer, setback_m: float) -> _Shapes:
        shapes = np.asarray(layer.features.geometry.to_numpy(), dtype=object)
        if setback_m > 0:
            shapes = np.asarray(setback_geometries(shapes, setback_m), dtype=object)
        return cls(shapes, shapely.STRtree(shapes))

    def mask(self, frame: Frame) -> Mask:
        hits = np.sort(self.tree.query(shapely.box(*frame.bounds)))
        if not len(hits):
            return np.zeros(frame.shape, np.uint16)
        return rasterize_submask(self.geometries[hits], frame)


@dataclass
class _Strip:
    """One strip of rows; each (layer, setback) is rasterised once, when it is first asked for."""

    tile: Tile
    frame: Frame
    shapes: dict[tuple[str, float], _Shapes]
    rasters: dict[str, RasterLayer]
    masks: dict[tuple[str, float], Mask] = field(default_factory=dict)

    def layer(self, name: str, setback_m: float = 0.0) -> Mask:
        key = (name, setback_m)
        if key not in self.masks:
            self.masks[key] = self.shapes[key].mask(self.frame)
        return self.masks[key]

    def union(self, names: Sequence[str]) -> Mask:
        total = np.zeros(self.frame.shape, np.uint16)
        for name in names:
            total |= self.layer(name)
        return total

    def rule(self, rule: Rule) -> tuple[Mask, Mask]:
        """(excluded, unknown) of one rule."""
        if rule.kind == "vector":
            return self.layer(rule.layer, rule.setback_m), np.zeros(self.frame.shape, np.uint16)
        values = self.rasters[rule.layer].values[self.tile.slices]
        with np.errstate(invalid="ignore"):
            broken = values > rule.limit if rule.kind == "raster_above" else values < rule.limit
        return np.where(broken, FULL, 0).astype(np.uint16), np.where(np.isnan(values), FULL, 0).astype(np.uint16)


def applies(rule: Rule, host_type: str) -> bool:
    """Whether a rule concerns a host type; a rule without host types concerns all."""
    return not rule.applies_to or host_type in rule.applies_to


def evaluate_land(
    region: Region,
    layers: Sequence[VectorLayer],
    rasters: Sequence[RasterLayer],
    host_layers: Sequence[HostLayer],
    host_types: Sequence[HostType],
    rules: Sequence[Rule],
    *,
    mapped_by: Sequence[str],
    co_use: Sequence[tuple[str, str]] = (),
    strip_rows: int = STRIP_ROWS,
    progress: Progress | None = None,
) -> LandResult:
    """Evaluate all rules on all land of a region.

    Parameters
    ----------
    region
        Where; features outside it count for setbacks.
    layers, rasters
        Ground data on the region's frame.
    host_layers
        Which layer carries which host type; only their host types are evaluated, in their order.
    rules
        Exclusions; see :func:`applies`.
    mapped_by
        Layers whose cover counts as mapped. Host layers always do.
    co_use
        Pairs of host types that may share land in the ledger.
    strip_rows
        Height of a strip; the result does not depend on it.

    Returns
    -------
    LandResult
        Masks of shape ``region.frame.shape``; areas are geodesic.
    """
    frame = region.frame
    used = tuple(dict.fromkeys(entry.host_type for entry in host_layers))
    hosts = [next(host for host in host_types if host.host_type == name) for name in used]
    shapes = _index(layers, host_layers, rules, mapped_by)
    by_name = {raster.id: raster for raster in rasters}
    lands = [_no_land(name, frame, _origin(name, host_layers, layers)) for name in used]
    areas = _Areas(used, rules)
    tiles = [Tile(r, min(r + strip_rows, frame.height), 0, frame.width) for r in range(0, frame.height, strip_rows)]
    for number, tile in enumerate(tiles):
        if progress is not None:
            progress("land", number / len(tiles))
        inside = region.mask[tile.slices]
        if not inside.any():
            continue
        strip = _Strip(tile, frame.part(tile), shapes, by_name)
        row_area = region.cell_area_m2[tile.row0 : tile.row1] / 16
        _evaluate_strip(strip, inside, hosts, host_layers, rules, mapped_by, co_use, lands, areas, row_area)
    if progress is not None:
        progress("land", 1.0)
    total = _area(region.mask, region.cell_area_m2 / 16)
    states, waterfall = areas.tables(total)
    return LandResult(frame, tuple(lands), STATES.validate(states), WATERFALL.validate(waterfall))


def _no_land(host_type: str, frame: Frame, origin: Origin) -> HostLand:
    eligible, unknown, owned = (np.zeros(frame.shape, np.uint16) for _ in range(3))
    return HostLand(host_type, eligible, unknown, owned, origin)


def _origin(host_type: str, host_layers: Sequence[HostLayer], layers: Sequence[VectorLayer]) -> Origin:
    """Weakest origin among the layers that carry a host type."""
    names = {entry.layer for entry in host_layers if entry.host_type == host_type}
    weakness = list(Origin)
    return max((layer.origin for layer in layers if layer.id in names), key=weakness.index)


def _index(
    layers: Sequence[VectorLayer], host_layers: Sequence[HostLayer], rules: Sequence[Rule], mapped_by: Sequence[str]
) -> dict[tuple[str, float], _Shapes]:
    by_name = {layer.id: layer for layer in layers}
    wanted = {(entry.layer, 0.0) for entry in host_layers} | {(name, 0.0) for name in mapped_by}
    wanted |= {(rule.layer, rule.setback_m) for rule in rules if rule.kind == "vector"}
    return {key: _Shapes.of(by_name[key[0]], key[1]) for key in sorted(wanted)}


def _evaluate_strip(
    strip: _Strip,
    inside: Mask,
    hosts: Sequence[HostType],
    host_layers: Sequence[HostLayer],
    rules: Sequence[Rule],
    mapped_by: Sequence[str],
    co_use: Sequence[tuple[str, str]],
    lands: Sequence[HostLand],
    areas: _Areas,
    row_area: npt.NDArray[np.float64],
) -> None:
    mapped = strip.union(mapped_by) | strip.union([entry.layer for entry in host_layers])
    eligible: list[tuple[HostType, Mask]] = []
    for host, land in zip(hosts, lands, strict=True):
        own = strip.union([e.layer for e in host_layers if e.host_type == host.host_type]) & inside
        once, twice, unsure = (np.zeros(strip.frame.shape, np.uint16) for _ in range(3))
        concerned = [rule for rule in rules if applies(rule, host.host_type)]
        for rule in concerned:
            excluded, unknown = strip.rule(rule)
            twice |= once & excluded
            once |= excluded
            unsure |= unknown
        free = own & ~once & ~unsure
        doubtful = inside & ((~mapped & ~own) | (own & unsure & ~once))
        land.eligible[strip.tile.slices] = free
        land.unknown[strip.tile.slices] = doubtful
        eligible.append((host, free))
        areas.add_states(host.host_type, _area(own, row_area), _area(free, row_area), _area(doubtful, row_area))
        for rule in concerned:
            lost = own & strip.rule(rule)[0]
            areas.add_rule(host.host_type, rule.id, _area(lost, row_area), _area(lost & ~twice, row_area))
    for land, owned in zip(lands, assign_owners(eligible, co_use), strict=True):
        land.owned[strip.tile.slices] = owned
        areas.add_owned(land.host_type, _area(owned, row_area))


def _area(mask: Mask, sub_cell_area_m2: npt.NDArray[np.float64]) -> float:
    """Area of a mask [m2]; ``sub_cell_area_m2`` is one value a row. Counts are 64-bit: no overflow."""
    return float(np.bitwise_count(mask).sum(axis=1, dtype=np.int64) @ sub_cell_area_m2)


class _Areas:
    """Sums of areas over the strips."""

    def __init__(self, hosts: Sequence[str], rules: Sequence[Rule]) -> None:
        self.hosts, self.rules = hosts, rules
        self.states = {host: np.zeros(4) for host in hosts}  # host, eligible, unknown, owned
        self.lost: dict[tuple[str, str], npt.NDArray[np.float64]] = {
            (host, rule.id): np.zeros(2) for host in hosts for rule in rules if applies(rule, host)
        }

    def add_states(self, host: str, own: float, eligible: float, unknown: float) -> None:
        self.states[host][:3] += own, eligible, unknown

    def add_owned(self, host: str, owned: float) -> None:
        self.states[host][3] += owned

    def add_rule(self, host: str, rule: str, lost: float, sole: float) -> None:
        self.lost[host, rule] += lost, sole

    def tables(self, region_m2: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        states = [
            (h, eligible, max(0.0, region_m2 - eligible - unknown), unknown, region_m2, own, owned)
            for h, (own, eligible, unknown, owned) in self.states.items()
        ]
        waterfall = [(h, rule, lost, sole, max(0.0, lost - sole)) for (h, rule), (lost, sole) in self.lost.items()]
        return _km2(states, list(STATES.columns), 1), _km2(waterfall, list(WATERFALL.columns), 2)


def _km2(rows: Sequence[tuple[object, ...]], columns: list[str], labels: int) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    table[columns[labels:]] = table[columns[labels:]].astype(float) / _M2_PER_KM2
    return table.astype(dict.fromkeys(columns[:labels], object))
