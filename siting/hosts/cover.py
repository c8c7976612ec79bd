"""Cover of a host type, strip by strip: owned land, host area on it, and what co-use leaves of the density.

A host type may have layers with different shares of host area (roofs per village ground: 0.18 here, 0.30 there), and
one layer may state a share for each feature. A sub-cell counts with the greatest share that is stated for it, so that
the order of the layers does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from layers.contracts import Finding, InputError, VectorLayer
from layers.frame import Frame, Tile
from layers.mask_store import rows_of
from layers.submask import rasterize_submask
from siting.contracts import HostLayer, HostType, LandResult
from siting.land.co_use import co_use_factors
from siting.land.ledger import may_share
from siting.sites.patches import CoverSource, Strip
from siting.sites.runs import Floats, Longs

_SHARE_DIGITS = 2


@dataclass(frozen=True)
class _ShareShapes:
    """All shapes that state one share."""

    share: float
    shapes: npt.NDArray[np.object_]
    tree: shapely.STRtree

    def mask(self, frame: Frame) -> npt.NDArray[np.uint16]:
        near = self.tree.query(shapely.box(*frame.bounds))
        return rasterize_submask(self.shapes[np.sort(near)], frame)


def cover_source(
    host: HostType,
    land: LandResult,
    host_layers: Sequence[HostLayer],
    layers: Sequence[VectorLayer],
    co_use: Sequence[tuple[str, str]],
    sub_m2: Floats,
) -> CoverSource:
    """Where the cover of a host type is read.

    Raises
    ------
    InputError
        If its layers state different shares and one of them is not among ``layers``, or a share column is missing
        or holds a value that is no share.
    """
    owned = land.land(host.host_type).owned
    mine = [entry for entry in host_layers if entry.host_type == host.host_type]
    shares = sorted({entry.area_share for entry in mine})
    shapes = [] if len(shares) == 1 and not any(e.share_column for e in mine) else _share_shapes(mine, layers)
    partners = [
        (other.owned, co_use_factors(host.host_type, other.host_type)[0])
        for other in land.lands
        if other.host_type != host.host_type and may_share(host.host_type, other.host_type, co_use)
    ]
    partners = [(mask, factor) for mask, factor in partners if factor < 1]

    def read(row0: int, row1: int) -> Strip:
        own = np.asarray(rows_of(owned, row0, row1), np.uint16)

        def weights(at: Longs) -> tuple[Floats, Floats]:
            bits = own.ravel()[at]
            cover = np.bitwise_count(bits)
            host_cover = cover * shares[0] if not shapes else _weighted(bits, at, shapes, land.frame, row0, row1)
            if not partners:
                return host_cover, host_cover
            left = np.ones(len(at))
            for mask, factor in partners:
                other = np.asarray(rows_of(mask, row0, row1), np.uint16).ravel()[at]
                left *= 1 - (1 - factor) * np.bitwise_count(bits & other) / cover
            return host_cover, host_cover * left

        return Strip(np.bitwise_count(own), weights)

    return CoverSource((int(owned.shape[0]), int(owned.shape[1])), read, sub_m2)


def _weighted(
    bits: npt.NDArray[np.uint16], at: Longs, shapes: Sequence[_ShareShapes], frame: Frame, row0: int, row1: int
) -> Floats:
    """Sub-cells of host area of covered cells: every owned sub-cell with the greatest share that is stated for it."""
    total = np.zeros(len(at))
    if not len(at):
        return total
    strip = frame.part(Tile(row0, row1, 0, frame.width))
    free = bits.copy()
    for one in shapes:
        here = free & one.mask(strip).ravel()[at]
        total += one.share * np.bitwise_count(here)
        free &= ~here
    return total


def _share_shapes(entries: Sequence[HostLayer], layers: Sequence[VectorLayer]) -> list[_ShareShapes]:
    """Shapes by share, the greatest share first."""
    by_name = {layer.id: layer for layer in layers}
    findings: list[Finding] = []
    by_share: dict[float, list[npt.NDArray[np.object_]]] = {}
    for entry in entries:
        layer = by_name.get(entry.layer)
        if layer is None:
            message = "layers of one host type state different area shares, and this one is not at hand."
            findings.append(_fault(entry, f"{entry.area_share:g}", message, "Give the layer, or state one area_share."))
            continue
        shapes = layer.features.geometry.to_numpy()
        if not entry.share_column:
            by_share.setdefault(entry.area_share, []).append(shapes)
            continue
        if entry.share_column not in layer.features.columns:
            findings.append(
                _fault(entry, entry.share_column, "there is no such column.", "Name a column of the layer.")
            )
            continue
        stated = np.asarray(layer.features[entry.share_column], float)
        wrong = ~((stated >= 0) & (stated <= 1))
        if wrong.any():
            message = f"{int(wrong.sum())} features state no share from 0 to 1."
            findings.append(_fault(entry, f"{stated[wrong][0]:g}", message, "Mend the column."))
            continue
        rounded = np.round(stated * entry.area_share, _SHARE_DIGITS)
        for share in np.unique(rounded):
            by_share.setdefault(float(share), []).append(shapes[rounded == share])
    if findings:
        raise InputError(findings)
    found = []
    for share in sorted(by_share, reverse=True):
        chosen = np.concatenate(by_share[share])
        found.append(_ShareShapes(share, chosen, shapely.STRtree(chosen)))
    return found


def _fault(entry: HostLayer, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", "hosts.area_share", "study", entry.layer, entry.host_type, value, message, remedy)
