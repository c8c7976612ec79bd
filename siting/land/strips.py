"""One strip of the land stage: from the masks of its rows to states, ownership, reasons and sums of area.

A strip is a plain record that can be sent to another process; its outcome is compressed. What a strip yields depends
on its rows alone, so that any cut into strips and any number of workers give the same bits.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from layers.contracts import RasterLayer
from layers.frame import Frame
from layers.mask_store import MaskStore, Runs, rows_of
from siting.contracts import HostType, Rule
from siting.land.ledger import LedgerPolicy, assign_owners
from siting.rules.masks import mask_key, test_raster_into
from siting.scoring.cell_score import CellCriterion, score_rows

Mask = npt.NDArray[np.uint16]
Sums = npt.NDArray[np.int64]

HALO_ROWS = 2
_HIGH_BITS = 20
_FIXED_BITS = 36
_M2_PER_KM2 = 1e6
_INSIDE = "inside"
"""Key of the region's mask among those of rules, whose keys are tuples."""


@dataclass(frozen=True)
class HostPlan:
    """A host type with its layers and the rules that concern it."""

    type: HostType
    layers: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def doubts(self) -> bool:
        """Whether some rule may leave host land unknown."""
        return any(rule.on_raster or rule.known_within for rule in self.rules)

    @property
    def reasons_type(self) -> np.dtype[Any] | None:
        """Smallest unsigned type with a bit for every rule, None beyond 64."""
        for kind in (np.uint16, np.uint32, np.uint64):
            if len(self.rules) <= np.dtype(kind).itemsize * 8:
                return np.dtype(kind)
        return None


@dataclass(frozen=True)
class LandPlan:
    """What is asked of every strip."""

    hosts: tuple[HostPlan, ...]
    mappers: tuple[str, ...]
    co_use: tuple[tuple[str, str], ...]
    policy: LedgerPolicy
    districts: npt.NDArray[np.object_]
    reasons: bool = True
    score: tuple[CellCriterion, ...] = ()
    """Criteria without rasters of their own: those of the strip stand for them by id."""


@dataclass(frozen=True)
class RasterRows:
    """Rows of a raster, read when they are worked on."""

    values: Any
    row0: int
    row1: int

    @classmethod
    def of(cls, raster: RasterLayer, row0: int, row1: int) -> RasterRows:
        """Of an array a view of its own, so that it can be sent alone; of a file the rows to read."""
        if isinstance(raster.values, np.ndarray):
            return cls(raster.values[row0:row1], 0, row1 - row0)
        return cls(raster.values, row0, row1)

    def read(self) -> npt.NDArray[np.float32]:
        return np.asarray(rows_of(self.values, self.row0, self.row1), np.float32)


@dataclass(frozen=True)
class Strip:
    """Rows ``row0 <= row < row0 + frame.height`` of the study frame."""

    row0: int
    frame: Frame
    inside: MaskStore
    district: MaskStore
    """District numbers, with up to :data:`HALO_ROWS` rows more in the north and in the south."""
    halo: int
    """Rows of ``district`` north of the strip."""
    masks: Mapping[Hashable, MaskStore]
    rasters: Mapping[str, RasterRows]
    weight: npt.NDArray[np.int64]
    """Sub-cell area of each row, see :func:`row_weights`."""


@dataclass(frozen=True)
class StripHost:
    """Masks of one host type; None where they are those of the strip (unknown) or the eligible ones (owned)."""

    eligible: MaskStore
    unknown: MaskStore | None
    owned: MaskStore | None
    reasons: MaskStore | None
    sums: Sums


@dataclass(frozen=True)
class StripOutcome:
    row0: int
    unmapped: MaskStore
    region: Sums
    hosts: tuple[StripHost, ...]
    shared: Sums
    """Land of each co-use pair, shape (pairs, districts, 2)."""
    score: npt.NDArray[np.float32] | None = None
    """Score of the cells where some host type is eligible."""


def row_weights(cell_area_m2: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Sub-cell area of each row in units of 2**-36 m2, as (high, low) with value ``high * 2**20 + low``."""
    fixed = np.rint(np.asarray(cell_area_m2, np.float64) / 16 * 2.0**_FIXED_BITS).astype(np.int64)
    return np.stack([fixed >> _HIGH_BITS, fixed & ((1 << _HIGH_BITS) - 1)], axis=1)


def fixed_area(sums: Sums) -> npt.NDArray[np.object_]:
    """Whole numbers of 2**-36 m2 of sums of weights, last axis taken away; exact, hence free of order."""
    return np.asarray(sums[..., 0].astype(object) * (1 << _HIGH_BITS) + sums[..., 1].astype(object), dtype=object)


def area_km2(fixed: int) -> float:
    """Area [km2] of a whole number of 2**-36 m2."""
    return float(fixed / 2**_FIXED_BITS) / _M2_PER_KM2


def evaluate_strip(plan: LandPlan, strip: Strip) -> StripOutcome:
    """States, ledger, reasons and sums of one strip."""
    from siting.land.kernels import (
        ELIGIBLE,
        OWNED,
        PER_HOST,
        PER_RULE,
        add_mask,
        evaluate_host,
        unmapped_land,
    )

    values = {name: rows.read() for name, rows in strip.rasters.items()}
    runs, number = _districts(strip, plan.districts), len(plan.districts)
    masks, where = _masks(plan, strip, values)
    shape, nothing = strip.frame.shape, np.zeros((0, 0), np.uint16)
    region = np.zeros((1, number, 2), np.int64)
    mappers = _indices(where, [(name, 0.0) for name in plan.mappers])
    unmapped = _scratch("unmapped", shape)
    if not unmapped_land(masks, mappers, where[_INSIDE], unmapped, runs, strip.weight, region):
        unmapped = nothing
    found = []
    for host in plan.hosts:
        sums = np.zeros((PER_HOST + PER_RULE * len(host.rules), number, 2), np.int64)
        kind = host.reasons_type if plan.reasons else None
        name = host.type.host_type
        reasons = _scratch("reasons " + name, shape, kind) if kind is not None else nothing
        marks = np.left_shift(np.ones(len(host.rules), reasons.dtype), np.arange(len(host.rules), dtype=reasons.dtype))
        eligible = _scratch("eligible " + name, shape)
        unknown = _scratch("unknown " + name, shape) if host.doubts else nothing
        own = _indices(where, [(name, 0.0) for name in host.layers])
        excluding = _indices(where, [mask_key(rule) for rule in host.rules])
        doubting = np.array([where.get(_doubt_key(rule), -1) for rule in host.rules], np.int64)
        rules = own, excluding, doubting, where[_INSIDE]
        evaluate_host(masks, *rules, unmapped, runs, strip.weight, sums, eligible, unknown, reasons, marks)
        found.append((host, eligible, unknown, reasons, sums))
    owned = _owned(plan, values, [(host.type, eligible) for host, eligible, *_ in found])
    hosts = []
    for (host, eligible, unknown, reasons, sums), mine in zip(found, owned, strict=True):
        same = mine is eligible or np.array_equal(mine, eligible)
        if same:
            sums[OWNED] = sums[ELIGIBLE]
        else:
            add_mask(sums, OWNED, mine, runs, strip.weight)
        hosts.append(
            StripHost(
                MaskStore.of(eligible),
                MaskStore.of(unknown) if host.doubts else None,
                None if same else MaskStore.of(mine),
                MaskStore.of(reasons) if reasons.size else None,
                sums,
            )
        )
    shared = np.zeros((len(plan.co_use), number, 2), np.int64)
    by_name = {host.type.host_type: mine for host, mine in zip(plan.hosts, owned, strict=True)}
    for k, (a, b) in enumerate(plan.co_use):
        if a in by_name and b in by_name:
            add_mask(shared, k, by_name[a] & by_name[b], runs, strip.weight)
    score = None
    if plan.score:
        first, *others = [eligible for _, eligible, *_ in found]
        within = np.bitwise_or.reduce([first, *others]) if others else first
        score = score_rows(plan.score, [values[criterion.raster.id] for criterion in plan.score], within)
    gaps = MaskStore.of(unmapped) if unmapped.size else MaskStore(shape)
    return StripOutcome(strip.row0, gaps, region, tuple(hosts), shared, score)


def _districts(strip: Strip, districts: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.int64], ...]:
    """Stretches of one district in each row, see :func:`siting.land.kernels.district_runs`."""
    from siting.land.kernels import district_runs, fill_districts

    rows, cols = strip.frame.shape
    only = strip.district.single_value()
    if only is not None and only > 0:
        each = np.arange(rows + 1, dtype=np.int64)
        return each, np.zeros(rows, np.int64), np.full(rows, cols, np.int64), np.full(rows, only - 1, np.int64)
    inside = strip.inside.to_array()
    district, missing = fill_districts(strip.district.to_array(), inside, strip.halo)
    if missing:
        _place_the_rest(district, inside, strip.frame, districts)
    found: tuple[npt.NDArray[np.int64], ...] = district_runs(district)
    return found


_KEPT = threading.local()


def _scratch(name: str, shape: tuple[int, ...], kind: npt.DTypeLike = np.uint16) -> npt.NDArray[Any]:
    """An array of this thread that is used again for the next strip: fresh memory costs more than the work on it.

    What it holds is void, and nothing of it may leave :func:`evaluate_strip`.
    """
    kept: dict[str, npt.NDArray[Any]] = _KEPT.__dict__
    size, dtype = math.prod(shape), np.dtype(kind)
    if name not in kept or kept[name].size < size or kept[name].dtype != dtype:
        kept[name] = np.empty(size, dtype)
    return kept[name][:size].reshape(shape)


def _doubt_key(rule: Rule) -> Hashable:
    if rule.on_raster:
        return ("unsure", mask_key(rule))
    return ("outside", rule.known_within) if rule.known_within else None


def _indices(where: Mapping[Hashable, int], keys: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    return np.array([where[key] for key in keys], np.int64)


def _masks(
    plan: LandPlan, strip: Strip, values: Mapping[str, npt.NDArray[np.float32]]
) -> tuple[tuple[npt.NDArray[Any], ...], dict[Hashable, int]]:
    """Every mask that the strip's rules and hosts need, once, as :func:`siting.land.kernels.evaluate_host` takes them,
    and the place of each. A raster rule that is sure everywhere in the strip has no mask of doubt."""
    rules = {mask_key(rule): rule for host in plan.hosts for rule in host.rules}
    tested = {key: rule for key, rule in rules.items() if rule.on_raster}
    bounded = sorted({rule.known_within for rule in rules.values() if rule.known_within})
    outlines: dict[Hashable, Runs] = {_INSIDE: strip.inside.runs()}
    outlines |= {key: store.runs() for key, store in strip.masks.items()}
    outlines |= {("outside", name): outlines[name, 0.0].inverted() for name in bounded}
    ends = np.cumsum([0, *(runs.col.size for runs in outlines.values())])
    first = np.stack([runs.start + end for runs, end in zip(outlines.values(), ends[:-1], strict=True)])
    col, value = (np.concatenate([getattr(runs, name) for runs in outlines.values()]) for name in ("col", "value"))
    keys: list[Hashable] = list(outlines)
    dense = _scratch("dense", (2 * len(tested), *strip.frame.shape))
    used = 0
    for key, rule in tested.items():
        doubts = test_raster_into(rule, values[rule.layer], strip.frame, dense[used], dense[used + 1])
        keys += [key, ("unsure", key)] if doubts else [key]
        used += 2 if doubts else 1
    return (first, col, value, dense), {key: k for k, key in enumerate(keys)}


def _owned(
    plan: LandPlan, values: Mapping[str, npt.NDArray[np.float32]], eligible: Sequence[tuple[HostType, Mask]]
) -> tuple[Mask, ...]:
    if len(eligible) == 1:
        return (eligible[0][1],)
    worth = None
    if plan.policy.kind == "best_value" and plan.policy.value_rasters:
        figures, rasters = dict(plan.policy.values), dict(plan.policy.value_rasters)
        worth = np.full((len(eligible), *eligible[0][1].shape), np.nan, np.float32)
        for k, (host, _) in enumerate(eligible):
            name = host.host_type
            worth[k] = values[rasters[name]] if name in rasters else figures.get(name, np.nan)
    return assign_owners(eligible, plan.co_use, plan.policy, worth)


def _place_the_rest(
    district: npt.NDArray[np.int16], inside: Mask, frame: Frame, districts: npt.NDArray[np.object_]
) -> None:
    """Give cells of the region that are far from any district's cells (slivers) the nearest district."""
    row, col = np.nonzero((district == 0) & (inside != 0))
    x = frame.left + (col + 0.5) * frame.resolution_m
    y = frame.top - (row + 0.5) * frame.resolution_m
    points = shapely.points(x, y)
    far = np.stack([shapely.distance(points, polygon) for polygon in districts])
    district[row, col] = np.argmin(far, axis=0) + 1
