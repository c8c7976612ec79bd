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

Areas are counted in whole sub-cells per row of the frame and turned into m2 once, at the end, so that the tables too
are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import InputError, Origin, RasterLayer, Region, VectorLayer
from layers.frame import Frame, Tile
from layers.submask import FULL, SUBCELLS, rasterize_submask, setback_geometries
from siting.contracts import STATES, WATERFALL, HostLand, HostLayer, HostType, LandResult, Rule
from siting.land_checks import applies, check_land_inputs
from siting.ledger import assign_owners

__all__ = ["applies", "evaluate_land"]

Mask = npt.NDArray[np.uint16]
Counts = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

STRIP_CELLS = 1_500_000
"""Cells of a strip by default: some 3 MB a mask."""
_M2_PER_KM2 = 1e6


@dataclass(frozen=True)
class _Shapes:
    """Geometries of one layer at one setback, with an index to find those that touch a strip."""

    geometries: npt.NDArray[np.object_]
    tree: shapely.STRtree

    @classmethod
    def of(cls, layer: VectorLayer, setback_m: float) -> _Shapes:
        shapes = np.asarray(setback_geometries(layer.features.geometry.to_numpy(), setback_m), dtype=object)
        parts = shapely.get_parts(shapes) if shapes.size else shapes  # a multipolygon may span the whole region
        return cls(parts, shapely.STRtree(parts))

    def mask(self, frame: Frame) -> Mask:
        hits = np.sort(self.tree.query(shapely.box(*frame.bounds)))
        if not len(hits):
            return np.zeros(frame.shape, np.uint16)
        return rasterize_submask(self.geometries[hits], frame)


@dataclass
class _Strip:
    """One strip of rows; each (layer, setback) and each raster rule is worked out once, when first asked for."""

    tile: Tile
    frame: Frame
    shapes: dict[tuple[str, float], _Shapes]
    rasters: dict[str, RasterLayer]
    masks: dict[tuple[str, float], Mask] = field(default_factory=dict)
    tested: dict[tuple[str, str, float], tuple[Mask, Mask]] = field(default_factory=dict)

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

    def excluded(self, rule: Rule) -> Mask:
        """Land that a rule excludes for certain."""
        return self.layer(rule.layer, rule.setback_m) if rule.kind == "vector" else self._test(rule)[0]

    def unsure(self, rule: Rule) -> Mask | None:
        """Land where a rule's raster has no value; None for vector rules."""
        return None if rule.kind == "vector" else self._test(rule)[1]

    def _test(self, rule: Rule) -> tuple[Mask, Mask]:
        key = (rule.layer, rule.kind, rule.limit)
        if key not in self.tested:
            values = self.rasters[rule.layer].values[self.tile.slices]
            with np.errstate(invalid="ignore"):
                broken = values > rule.limit if rule.kind == "raster_above" else values < rule.limit
            self.tested[key] = _whole_cells(broken), _whole_cells(np.isnan(values))
        return self.tested[key]


def _whole_cells(cells: npt.NDArray[np.bool_]) -> Mask:
    return np.where(cells, FULL, np.uint16(0))


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
    strip_rows: int | None = None,
    progress: Progress | None = None,
) -> LandResult:
    """Evaluate all rules on all land of a region.

    Parameters
    ----------
    region
        Where; features outside it count for setbacks.
    layers, rasters
        Ground data in the region's CRS, rasters on its frame.
    host_layers
        Which layer carries which host type; only their host types are evaluated, in order of first mention.
    rules
        Exclusions; see :func:`applies`.
    mapped_by
        Layers whose cover counts as mapped. Host layers always do.
    co_use
        Pairs of host types that may share land in the ledger.
    strip_rows
        Height of a strip; by default strips of about 1.5 million cells. The result does not depend on it.
    progress
        Called with a label and the share done.

    Returns
    -------
    LandResult
        Masks of shape ``region.frame.shape``, read-only; host types with equal masks may share one array. Areas are
        geodesic: eligible + excluded + unknown is the area of ``region.mask``.

    Raises
    ------
    InputError
        With every finding of :func:`siting.land_checks.check_land_inputs`.

    Notes
    -----
    With ``h`` the host land, ``x_r`` the land that rule r excludes and ``u_r`` the land where its raster has no value::

        eligible = h & ~any(x_r) & ~any(u_r)
        unknown  = region & ~mapped  |  h & any(u_r) & ~any(x_r)      a certain exclusion outweighs a doubt
        sole_r   = h & x_r & ~any(x_s, u_s for s != r)                what dropping rule r makes eligible
    """
    findings = check_land_inputs(region, layers, rasters, host_layers, host_types, rules, mapped_by, co_use)
    if findings:
        raise InputError(findings)
    frame = region.frame
    used = tuple(dict.fromkeys(entry.host_type for entry in host_layers))
    hosts = [
        _Host(
            next(host for host in host_types if host.host_type == name),
            tuple(entry.layer for entry in host_layers if entry.host_type == name),
            tuple(rule for rule in rules if applies(rule, name)),
        )
        for name in used
    ]
    masks = _Masks(frame, hosts)
    counts = _Counts(frame.height, hosts)
    shapes = _index(layers, host_layers, rules, mapped_by)
    by_name = {raster.id: raster for raster in rasters}
    mappers = tuple(dict.fromkeys([*mapped_by, *(entry.layer for entry in host_layers)]))
    for tile, share in _strips(frame, strip_rows):
        if progress is not None:
            progress("land", share)
        inside = region.mask[tile.slices]
        if inside.any():
            _evaluate_strip(
                _Strip(tile, frame.part(tile), shapes, by_name), inside, hosts, mappers, co_use, masks, counts
            )
    if progress is not None:
        progress("land", 1.0)
    states, waterfall = counts.tables(region)
    origins = [_origin(host.layers, layers) for host in hosts]
    return LandResult(frame, masks.lands(origins), STATES.validate(states), WATERFALL.validate(waterfall))


@dataclass(frozen=True)
class _Host:
    """A host type with its layers and the rules that concern it."""

    type: HostType
    layers: tuple[str, ...]
    rules: tuple[Rule, ...]


def _strips(frame: Frame, strip_rows: int | None) -> Iterator[tuple[Tile, float]]:
    """Strips from north to south, each with the share of the rows north of it."""
    step = strip_rows or max(1, STRIP_CELLS // frame.width)
    for row0 in range(0, frame.height, step):
        yield Tile(row0, min(row0 + step, frame.height), 0, frame.width), row0 / frame.height


def _origin(names: Sequence[str], layers: Sequence[VectorLayer]) -> Origin:
    """Weakest origin among the layers of a host type."""
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
    hosts: Sequence[_Host],
    mappers: Sequence[str],
    co_use: Sequence[tuple[str, str]],
    masks: _Masks,
    counts: _Counts,
) -> None:
    unmapped = inside & ~strip.union(mappers)
    eligible: list[tuple[HostType, Mask]] = []
    for k, host in enumerate(hosts):
        own = strip.union(host.layers) & inside
        once, twice, unsure = (np.zeros(strip.frame.shape, np.uint16) for _ in range(3))
        for rule in host.rules:
            excluded, doubt = strip.excluded(rule), strip.unsure(rule)
            twice |= once & excluded
            once |= excluded
            if doubt is not None:
                unsure |= doubt
        free = own & ~(once | unsure)
        unknown = unmapped | (own & unsure & ~once)
        masks.write(k, strip.tile, free, unknown)
        eligible.append((host.type, free))
        counts.add_states(k, strip.tile, own, free, unknown)
        alone = own & ~(twice | unsure)
        for j, rule in enumerate(host.rules):
            excluded = strip.excluded(rule)
            counts.add_rule(k, j, strip.tile, own & excluded, alone & excluded)
    for k, owned in enumerate(assign_owners(eligible, co_use)):
        masks.write_owned(k, strip.tile, owned, eligible[k][1])
        counts.add_owned(k, strip.tile, owned)


class _Masks:
    """Masks of the whole frame. Masks that are equal share one array, which halves the memory of most studies."""

    def __init__(self, frame: Frame, hosts: Sequence[_Host]) -> None:
        self.names = [host.type.host_type for host in hosts]
        self.eligible = [np.zeros(frame.shape, np.uint16) for _ in hosts]
        self.owned = list(self.eligible)  # one array with eligible until the ledger takes something away
        without_doubt = np.zeros(frame.shape, np.uint16)  # only raster rules make the unknown land differ
        self.unknown = [
            without_doubt if all(rule.kind == "vector" for rule in host.rules) else np.zeros(frame.shape, np.uint16)
            for host in hosts
        ]

    def write(self, k: int, tile: Tile, eligible: Mask, unknown: Mask) -> None:
        self.eligible[k][tile.slices] = eligible
        self.unknown[k][tile.slices] = unknown

    def write_owned(self, k: int, tile: Tile, owned: Mask, eligible: Mask) -> None:
        if self.owned[k] is self.eligible[k]:
            if np.array_equal(owned, eligible):
                return
            self.owned[k] = self.eligible[k].copy()
        self.owned[k][tile.slices] = owned

    def lands(self, origins: Sequence[Origin]) -> tuple[HostLand, ...]:
        for mask in (*self.eligible, *self.unknown, *self.owned):
            mask.flags.writeable = False
        parts = zip(self.names, self.eligible, self.unknown, self.owned, origins, strict=True)
        return tuple(HostLand(*part) for part in parts)


class _Counts:
    """Sub-cells per row of the frame: ``states[host, (own, eligible, unknown, owned), row]`` and, per host,
    ``rules[host][rule, (lost, sole), row]``. 64-bit, so that no region is too large."""

    def __init__(self, height: int, hosts: Sequence[_Host]) -> None:
        self.hosts = hosts
        self.states = np.zeros((len(hosts), 4, height), np.int64)
        self.rules = [np.zeros((len(host.rules), 2, height), np.int64) for host in hosts]

    def add_states(self, k: int, tile: Tile, own: Mask, eligible: Mask, unknown: Mask) -> None:
        for j, mask in enumerate((own, eligible, unknown)):
            self.states[k, j, tile.slices[0]] = _row_counts(mask)

    def add_owned(self, k: int, tile: Tile, owned: Mask) -> None:
        self.states[k, 3, tile.slices[0]] = _row_counts(owned)

    def add_rule(self, k: int, j: int, tile: Tile, lost: Mask, sole: Mask) -> None:
        self.rules[k][j, 0, tile.slices[0]] = _row_counts(lost)
        self.rules[k][j, 1, tile.slices[0]] = _row_counts(sole)

    def tables(self, region: Region) -> tuple[pd.DataFrame, pd.DataFrame]:
        row_km2 = region.cell_area_m2 / SUBCELLS / _M2_PER_KM2
        whole = _row_counts(np.asarray(region.mask))
        states, waterfall = [], []
        for k, host in enumerate(self.hosts):
            own, eligible, unknown, owned = self.states[k]
            columns = (eligible, whole - eligible - unknown, unknown, whole, own, owned)
            name = host.type.host_type
            states.append((name, *(_km2(column, row_km2) for column in columns)))
            for j, rule in enumerate(host.rules):
                lost, sole = self.rules[k][j]
                waterfall.append((name, rule.id, *(_km2(column, row_km2) for column in (lost, sole, lost - sole))))
        return _table(states, list(STATES.columns), 1), _table(waterfall, list(WATERFALL.columns), 2)


def _row_counts(mask: Mask) -> Counts:
    return np.asarray(np.bitwise_count(mask).sum(axis=1, dtype=np.int64))


def _km2(counts: Counts, row_km2: npt.NDArray[np.float64]) -> float:
    return float(np.sum(counts * row_km2))


def _table(rows: Sequence[tuple[object, ...]], columns: list[str], labels: int) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({name: object if k < labels else float for k, name in enumerate(columns)})
