"""Eligibility with three states, the waterfall of the rules, and the ledger.

Per sub-cell and host type::

    outside the region                          -> nothing
    host land, a rule excludes it               -> excluded
    host land, a rule cannot tell               -> unknown      (no value in its raster; its layer is not known there)
    host land, no rule                          -> eligible
    other land that some layer maps             -> excluded
    land that no layer maps                     -> unknown      (absent is not available)

Every layer and vector rule is drawn once into a compressed mask of the whole frame (:mod:`siting.land.masks`), from
all features, also those outside the region. The masks are then combined strip by strip (:mod:`siting.land.strips`):
memory grows neither with the region nor, beyond the compressed outlines, with the number of layers.

Areas are counted in whole sub-cells and added as integers, so that the tables too are the same to the last bit for
any strips and workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, InputError, Origin, RasterLayer, Region, VectorLayer
from layers.frame import Tile
from layers.mask_store import BLOCK_ROWS, MaskStore, as_store
from siting.contracts import HostLand, HostLayer, HostType, LandResult, Rule
from siting.land.checks import applies, check_land_inputs
from siting.land.ledger import BY_PRIORITY, LedgerPolicy, check_policy
from siting.land.masks import build_masks, layer_rule
from siting.land.strips import (
    HALO_ROWS,
    HostPlan,
    LandPlan,
    RasterRows,
    Strip,
    StripOutcome,
    evaluate_strip,
    row_weights,
)
from siting.land.tables import LandSums
from siting.rules.masks import mask_key
from siting.scoring.cell_score import CellCriterion, check_criteria

__all__ = ["applies", "evaluate_land"]

Progress = Callable[[str, float], None]

STRIP_CELLS = 500_000
"""Cells of a strip by default: 1 MB a mask."""
STRIP_MASK_CELLS = 24_000_000
"""Cells of all masks of a strip together, 48 MB: many rules make strips lower, not memory larger."""
_DRAWN_SHARE = 0.5
"""Share of the progress when all masks are drawn."""


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
    policy: LedgerPolicy = BY_PRIORITY,
    strip_rows: int | None = None,
    workers: int | None = None,
    dask: str | None = None,
    mask_cache: Path | None = None,
    reasons: bool = True,
    score: Sequence[CellCriterion] = (),
    on_score: Callable[[int, npt.NDArray[np.float32]], None] | None = None,
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
    policy
        Who comes first on land that several host types could use.
    strip_rows
        Height of a strip; by default some 500 000 cells. The result does not depend on it.
    workers
        Threads; by default one a core. The result does not depend on it.
    dask
        Address of a Dask scheduler that the strips go to; None: they stay in this process.
    mask_cache
        Folder that keeps the masks of layers and rules by content, so that a changed setback draws one mask anew.
    reasons
        Whether to note, cell by cell, which rules exclude host land.
    score, on_score
        Criteria of a cell score (see :mod:`siting.scoring.cell_score`), worked out on the way for cells where some
        host type is eligible, and what takes the strips: (first row, scores). Rows without region are left out.
    progress
        Called with a label and the share done.

    Returns
    -------
    LandResult
        Masks as frozen stores on ``region.frame``; host types with equal masks may share one store. Areas are
        geodesic: eligible + excluded + unknown is the area of ``region.mask``.

    Raises
    ------
    InputError
        With every finding of :func:`siting.land.checks.check_land_inputs` and :func:`siting.land.ledger.check_policy`,
        or if a scheduler is named and dask.distributed is not installed.
    ValueError
        For criteria that make no score.

    Notes
    -----
    With ``h`` the host land, ``x_r`` the land that rule r excludes and ``u_r`` the land where it cannot tell::

        eligible   = h & ~any(x_r) & ~any(u_r)
        unknown    = region & ~mapped  |  h & any(u_r) & ~any(x_r)      a certain exclusion outweighs a doubt
        sole_r     = h & x_r & ~any(x_s, u_s for s != r)
        regained_r = h & (x_r | u_r) & ~any(x_s, u_s for s != r)        what dropping rule r makes eligible
    """
    names = tuple(dict.fromkeys(entry.host_type for entry in host_layers))
    findings = check_land_inputs(region, layers, rasters, host_layers, host_types, rules, mapped_by, co_use)
    findings += check_policy(policy, names, [raster.id for raster in rasters])
    findings += _dask_findings(dask)
    if findings:
        raise InputError(findings)
    threads = workers or os.cpu_count() or 1
    hosts = tuple(_host_plan(name, host_layers, host_types, rules) for name in names)
    mappers = tuple(dict.fromkeys([*mapped_by, *(entry.layer for entry in host_layers)]))
    if score:
        check_criteria(score)
    bare = tuple(replace(c, raster=replace(c.raster, values=np.empty((0, 0), np.float32))) for c in score)
    plan = LandPlan(hosts, mappers, tuple(co_use), policy, region.districts.geometry.to_numpy(), reasons, bare)
    rasters = [*rasters, *{c.raster.id: c.raster for c in score if all(c.raster.id != r.id for r in rasters)}.values()]
    drawn = _drawn_rules(plan)
    step = _Steps(progress, len({mask_key(rule) for rule in drawn}))
    by_name = {layer.id: layer for layer in layers}
    masks = build_masks(drawn, by_name, region.frame, workers=threads, mask_cache=mask_cache, done=step.drawn)
    strips = _strips(region, plan, masks, rasters, strip_rows)
    result = _Gathered(region, plan)
    for outcome in _outcomes(partial(evaluate_strip, plan), strips, threads, dask):
        result.add(outcome)
        if on_score is not None and outcome.score is not None:
            on_score(outcome.row0, outcome.score)
        step.evaluated((outcome.row0 + outcome.unmapped.shape[0]) / region.frame.height)
    step.evaluated(1.0)
    return result.land([_origin(host.layers, layers) for host in hosts])


def _dask_findings(address: str | None) -> list[Finding]:
    if address is None:
        return []
    try:
        import distributed  # noqa: F401
    except ImportError:
        message = "a Dask scheduler is named, and the package 'distributed' is not installed."
        remedy = "Install dask[distributed], or leave land.dask out: local workers give the same result."
        return [Finding("error", "land.dask_missing", "study", "land", "dask", address, message, remedy)]
    return []


def _host_plan(
    name: str, host_layers: Sequence[HostLayer], host_types: Sequence[HostType], rules: Sequence[Rule]
) -> HostPlan:
    return HostPlan(
        next(host for host in host_types if host.host_type == name),
        tuple(dict.fromkeys(entry.layer for entry in host_layers if entry.host_type == name)),
        tuple(rule for rule in rules if applies(rule, name)),
    )


def _drawn_rules(plan: LandPlan) -> list[Rule]:
    """Layers and vector rules whose masks the strips read."""
    names = dict.fromkeys([*plan.mappers, *(name for host in plan.hosts for name in host.layers)])
    rules = [rule for host in plan.hosts for rule in host.rules]
    names |= dict.fromkeys(rule.known_within for rule in rules if rule.known_within)
    return [*(layer_rule(name) for name in names), *(rule for rule in rules if not rule.on_raster)]


def _origin(names: Sequence[str], layers: Sequence[VectorLayer]) -> Origin:
    """Weakest origin among the layers of a host type."""
    weakness = list(Origin)
    return max((layer.origin for layer in layers if layer.id in names), key=weakness.index)


def _strips(
    region: Region,
    plan: LandPlan,
    masks: Mapping[Hashable, MaskStore],
    rasters: Sequence[RasterLayer],
    strip_rows: int | None,
) -> Iterator[Strip]:
    """Strips that hold some of the region, from north to south."""
    frame = region.frame
    inside, district = as_store(region.mask), as_store(region.district_index)
    used = {rule.layer for host in plan.hosts for rule in host.rules if rule.on_raster}
    used |= {name for _, name in plan.policy.value_rasters} | {criterion.raster.id for criterion in plan.score}
    tested = [raster for raster in rasters if raster.id in used]
    weight = row_weights(region.cell_area_m2)
    step = strip_rows or _strip_rows(frame.width, len(masks) + 2 * len(tested))
    for row0 in range(0, frame.height, step):
        row1 = min(row0 + step, frame.height)
        part = inside.part(row0, row1)
        if part.any():
            north = max(0, row0 - HALO_ROWS)
            yield Strip(
                row0,
                frame.part(Tile(row0, row1, 0, frame.width)),
                part,
                district.part(north, min(row1 + HALO_ROWS, frame.height)),
                row0 - north,
                {key: store.part(row0, row1) for key, store in masks.items()},
                {raster.id: RasterRows.of(raster, row0, row1) for raster in tested},
                weight[row0:row1],
            )


def _strip_rows(width: int, masks: int) -> int:
    cells = min(STRIP_CELLS, STRIP_MASK_CELLS // max(1, masks))
    return max(1, cells // (width * BLOCK_ROWS)) * BLOCK_ROWS


def _outcomes(
    evaluate: Callable[[Strip], StripOutcome], strips: Iterator[Strip], threads: int, dask: str | None
) -> Iterator[StripOutcome]:
    """Outcomes in the order of the strips."""
    if dask is not None:
        import distributed

        connect: Any = distributed.Client
        with connect(dask) as client:
            yield from client.gather(client.map(evaluate, list(strips), pure=False))
        return
    if threads == 1:
        yield from map(evaluate, strips)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead = []
        for strip in strips:  # a few strips ahead, so that memory does not grow with the region
            ahead.append(pool.submit(evaluate, strip))
            if len(ahead) > 2 * threads:
                yield ahead.pop(0).result()
        for waiting in ahead:
            yield waiting.result()


class _Gathered:
    """Stores of the whole frame, and sums. Masks that are equal are one store."""

    def __init__(self, region: Region, plan: LandPlan) -> None:
        shape = region.frame.shape
        self.region, self.plan = region, plan
        self.sums = LandSums(plan, len(region.districts))
        self.unmapped = MaskStore(shape)
        self.eligible = [MaskStore(shape) for _ in plan.hosts]
        self.unknown = [MaskStore(shape) if host.doubts else self.unmapped for host in plan.hosts]
        self.owned = [MaskStore(shape) for _ in plan.hosts]
        self.disputed = [False] * len(plan.hosts)
        self.reasons = [
            MaskStore(shape, host.reasons_type) if plan.reasons and host.reasons_type is not None else None
            for host in plan.hosts
        ]

    def add(self, outcome: StripOutcome) -> None:
        row0 = outcome.row0
        self.sums.add(outcome)
        self.unmapped.paste(row0, outcome.unmapped)
        for k, found in enumerate(outcome.hosts):
            self.eligible[k].paste(row0, found.eligible)
            self.owned[k].paste(row0, found.owned or found.eligible)
            self.disputed[k] |= found.owned is not None
            if found.unknown is not None:
                self.unknown[k].paste(row0, found.unknown)
            reasons = self.reasons[k]
            if reasons is not None and found.reasons is not None:
                reasons.paste(row0, found.reasons)

    def land(self, origins: Sequence[Origin]) -> LandResult:
        for store in (*self.eligible, *self.unknown, *self.owned, *(r for r in self.reasons if r is not None)):
            store.freeze()
        lands = tuple(
            HostLand(
                host.type.host_type,
                self.eligible[k],
                self.unknown[k],
                self.owned[k] if self.disputed[k] else self.eligible[k],
                origins[k],
                self.reasons[k],
                tuple(rule.id for rule in host.rules),
            )
            for k, host in enumerate(self.plan.hosts)
        )
        codes = self.region.districts["district_code"].astype(str).tolist()
        return LandResult(
            self.region.frame,
            lands,
            self.sums.states(),
            self.sums.waterfall(),
            self.sums.states_by_district(codes),
            self.sums.waterfall_by_district(codes),
            self.sums.co_used(),
        )


class _Steps:
    """Progress of the two passes."""

    def __init__(self, progress: Progress | None, masks: int) -> None:
        self.progress, self.masks, self.count = progress, max(1, masks), 0

    def drawn(self) -> None:
        self.count += 1
        self._tell(_DRAWN_SHARE * self.count / self.masks)

    def evaluated(self, share: float) -> None:
        self._tell(_DRAWN_SHARE + (1 - _DRAWN_SHARE) * share)

    def _tell(self, share: float) -> None:
        if self.progress is not None:
            self.progress("land", float(np.clip(share, 0.0, 1.0)))
