"""From owned land to candidate sites: contiguous, wide and large enough, cut below a maximum size, with stable ids.

Ground and wind hosts form sites from cells that are at least half covered; parts nearer than the host type's
``group_distance_m`` belong together. Roofs are gathered by block, district and host type, because a village's roofs
are one project to the network. Whatever is in no site is in the remainder, by reason: sites + remainder = ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from rasterio import features
from scipy import ndimage

from layers.contracts import Finding, InputError, Region
from layers.frame import Frame
from siting.contracts import CANDIDATES, REMAINDER, HostLayer, HostType, LandResult, Sites
from siting.technology_tables import TechnologyTables, load_technology_tables
from siting.yields import grid_share

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
_ANCHOR_M = 250.0
_M2_PER_KM2 = 1e6
_ROOF_OUTLINE_SHARE = 0.25


@dataclass(frozen=True)
class _Cells:
    """Cells of one host type that belong to sites: row, column, owned area [m2], site number from 0."""

    row: Ints
    col: Ints
    area_m2: Floats
    site: Ints

    def site_area_m2(self) -> Floats:
        return np.asarray(np.bincount(self.site, self.area_m2), float) if len(self.site) else np.zeros(0)


def delineate_sites(
    land: LandResult,
    region: Region,
    host_types: Sequence[HostType],
    host_layers: Sequence[HostLayer],
    *,
    block_km: float = 15.0,
    study_code: str,
    tables: TechnologyTables | None = None,
) -> Sites:
    """Candidates of all host types of a study.

    Parameters
    ----------
    land, region
        Ledger and region on one frame.
    host_types, host_layers
        What the land is; all layers of one host type must state the same ``area_share``.
    block_km
        Side of the blocks that roofs are gathered by; the lattice is that of the CRS, not of the region.
    study_code
        Prefix of the ids.

    Returns
    -------
    Sites
        ``area_m2`` is host area: owned land times ``area_share``. ``capacity_mw = area * usable share * density``.

    Raises
    ------
    InputError
        If layers of one host type state different area shares.
    """
    known = load_technology_tables() if tables is None else tables
    shares = _area_shares(host_layers)
    parts, remainder = [], []
    for entry in land.lands:
        host = next(h for h in host_types if h.host_type == entry.host_type)
        share = shares[entry.host_type]
        area = np.bitwise_count(entry.owned) * (region.cell_area_m2[:, None] / 16)
        rest: dict[str, float] = {}
        if host.kind == "roof":
            cells = _roof_cells(area, region, block_km)
        else:
            cells, rest = _site_cells(entry.owned, area, host, share, land.frame.resolution_m)
        parts.append(_candidates(cells, host, share, region, study_code, str(entry.origin), grid_share(host, known)))
        remainder += [(host.host_type, reason, km2) for reason, km2 in sorted(rest.items())]
    table = _together(parts, land.frame)
    left = pd.DataFrame(remainder, columns=list(REMAINDER.columns)).astype({"area_km2": float})
    CANDIDATES.validate(table)
    return Sites(table, REMAINDER.validate(left.astype({"host_type": object, "reason": object})))


def _area_shares(host_layers: Sequence[HostLayer]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for entry in host_layers:
        if shares.setdefault(entry.host_type, entry.area_share) != entry.area_share:
            raise InputError(
                [
                    Finding(
                        "error",
                        "hosts.area_share",
                        "study",
                        entry.layer,
                        entry.host_type,
                        f"{entry.area_share:g}",
                        "layers of one host type state different area shares.",
                        "State the same area_share, or use two host types.",
                    )
                ]
            )
    return shares


def _roof_cells(area: Floats, region: Region, block_km: float) -> _Cells:
    """Cells with roofs; a site is all of one district in one block of the CRS's lattice."""
    row, col = np.nonzero(area)
    frame, block = region.frame, block_km * 1000
    x = frame.left + (col + 0.5) * frame.resolution_m
    y = frame.top - (row + 0.5) * frame.resolution_m
    key = np.stack([np.floor(y / block), np.floor(x / block), _district(region, row, col)], axis=1).astype(np.int64)
    _, site = np.unique(key, axis=0, return_inverse=True)
    return _Cells(row, col, area[row, col], np.asarray(site, np.int64).ravel())


def _site_cells(
    owned: npt.NDArray[np.uint16], area: Floats, host: HostType, share: float, resolution_m: float
) -> tuple[_Cells, dict[str, float]]:
    """Cells of the sites of one host type, and the remainder [km2] by reason."""
    core = np.bitwise_count(owned) >= 8
    rest = {"fringe": float(area[~core].sum())}
    radius = int(host.min_width_m / 2 / resolution_m)
    if radius > 0:
        wide = ndimage.binary_opening(core, _disk(radius))
        rest["too_narrow"] = float(area[core & ~wide].sum())
        core = wide
    reach = round(host.group_distance_m / 2 / resolution_m)
    grown = ndimage.binary_dilation(core, _disk(reach)) if reach > 0 else core
    labels, count = ndimage.label(grown, _EIGHT_NEIGHBOURS)
    row, col = np.nonzero(core)
    label = labels[row, col]
    cell_area = area[row, col]
    total = np.bincount(label, cell_area, minlength=count + 1)
    small = total[label] * share < host.min_area_m2
    rest["too_small"] = float(cell_area[small].sum())
    row, col, label, cell_area = (values[~small] for values in (row, col, label, cell_area))
    site = _cut(row, col, label, cell_area, _largest_m2(host, share))
    return _Cells(row, col, cell_area, site), {reason: m2 / _M2_PER_KM2 for reason, m2 in rest.items() if m2 > 0}


def _disk(radius: int) -> npt.NDArray[np.bool_]:
    r = np.arange(-radius, radius + 1)
    return np.asarray(r[:, None] ** 2 + r[None, :] ** 2 <= radius * radius)


def _largest_m2(host: HostType, share: float) -> float:
    """Land of a site at the host type's largest capacity [m2]."""
    return host.max_capacity_mw / (host.density_mw_per_km2 * host.usable_share * share) * _M2_PER_KM2


def _cut(row: Ints, col: Ints, label: Ints, area: Floats, largest_m2: float) -> Ints:
    """Site numbers: components above ``largest_m2`` are halved across their long axis until no part is above it."""
    site = np.zeros(len(row), np.int64)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    number = 0
    for component in np.split(order, starts)[1:]:
        for part in _halves(component, row, col, area, largest_m2):
            site[part] = number
            number += 1
    return site


def _halves(members: Ints, row: Ints, col: Ints, area: Floats, largest_m2: float) -> list[Ints]:
    total = float(area[members].sum())
    pieces = int(np.ceil(total / largest_m2 - 1e-9))
    if pieces <= 1:
        return [members]
    xy = np.stack([col[members], row[members]], axis=1).astype(float)
    centred = xy - xy.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ (axis if axis[np.argmax(np.abs(axis))] > 0 else -axis)
    order = np.lexsort((row[members], col[members], np.round(along, 6)))
    reached = np.cumsum(area[members][order])
    cut = int(np.searchsorted(reached, total * (pieces // 2) / pieces)) + 1
    cut = min(max(cut, 1), len(members) - 1)
    if len(members) < 2:
        return [members]
    low, high = members[order[:cut]], members[order[cut:]]
    return [*_halves(low, row, col, area, largest_m2), *_halves(high, row, col, area, largest_m2)]


def _district(region: Region, row: Ints, col: Ints) -> Ints:
    """District number from 1 of each cell; a border cell whose centre lies outside takes its nearest neighbour's."""
    index = region.district_index[row, col].astype(np.int64)
    for d_row, d_col in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        lost = index == 0
        if not lost.any():
            break
        near_row = np.clip(row[lost] + d_row, 0, region.frame.height - 1)
        near_col = np.clip(col[lost] + d_col, 0, region.frame.width - 1)
        index[lost] = region.district_index[near_row, near_col]
    return np.maximum(index, 1)


def _candidates(
    cells: _Cells, host: HostType, share: float, region: Region, study_code: str, origin: str, ac_share: float
) -> gpd.GeoDataFrame:
    """Candidates of one host type, without numbering in their names yet."""
    land_m2 = cells.site_area_m2()
    count = len(land_m2)
    area_m2 = land_m2 * share
    district = _main_district(cells, region, count)
    capacity = area_m2 / _M2_PER_KM2 * host.usable_share * host.density_mw_per_km2
    return gpd.GeoDataFrame(
        {
            "candidate_id": _ids(cells, host, region, study_code, count, district),
            "host_type": np.full(count, host.host_type, object),
            "technology": np.full(count, host.technology, object),
            "kind": np.full(count, host.kind, object),
            "district_code": region.districts["district_code"].to_numpy(object)[district - 1],
            "name_zh": _names(region.districts["name_zh"].to_numpy(object)[district - 1], host.label_zh, "", area_m2),
            "name_en": _names(region.districts["name_en"].to_numpy(object)[district - 1], host.label_en, " ", area_m2),
            "area_m2": area_m2,
            "capacity_mw": capacity,
            "grid_capacity_mw": capacity * ac_share,
            "origin": np.full(count, origin, object),
        },
        geometry=_outlines(cells, region.frame, count, host.kind == "roof"),
        crs=region.frame.crs,
    )


def _main_district(cells: _Cells, region: Region, count: int) -> Ints:
    number = len(region.districts)
    area = np.zeros((count, number + 1))
    np.add.at(area, (cells.site, _district(region, cells.row, cells.col)), cells.area_m2)
    return np.asarray(np.argmax(area[:, 1:], axis=1) + 1, np.int64) if count else np.zeros(0, np.int64)


def _ids(cells: _Cells, host: HostType, region: Region, code: str, count: int, district: Ints) -> list[str]:
    """Ids from host type and place: the site's centre of area on a coarse lattice of the CRS (roofs: with district).

    The id does not depend on other sites, except that two sites with the same anchor are told apart in the order of
    their area.
    """
    frame = region.frame
    weight = np.bincount(cells.site, cells.area_m2, minlength=count)
    x = frame.left + (np.bincount(cells.site, cells.area_m2 * cells.col, minlength=count) / weight) * frame.resolution_m
    y = frame.top - (np.bincount(cells.site, cells.area_m2 * cells.row, minlength=count) / weight) * frame.resolution_m
    codes = region.districts["district_code"].to_numpy(object)
    seen: dict[str, int] = {}
    ids = [""] * count
    for k in np.lexsort((np.arange(count), -weight)):
        anchor = f"{host.host_type}/{int(x[k] // _ANCHOR_M)}/{int(y[k] // _ANCHOR_M)}/{codes[district[k] - 1]}"
        seen[anchor] = seen.get(anchor, 0) + 1
        digest = hashlib.sha256(f"{anchor}/{seen[anchor]}".encode()).hexdigest()[:8]
        ids[k] = f"{code}-{host.abbreviation or host.host_type}-{digest}"
    return ids


def _names(district: npt.NDArray[np.object_], label: str, blank: str, area_m2: Floats) -> list[str]:
    """District, label and a number by falling area within the district."""
    order = np.argsort(-area_m2, kind="stable")
    counter: dict[object, int] = {}
    names = [""] * len(area_m2)
    for k in order:
        counter[district[k]] = counter.get(district[k], 0) + 1
        names[k] = f"{district[k]}{blank}{label} {counter[district[k]]:02d}"
    return names


def _outlines(cells: _Cells, frame: Frame, count: int, coarse: bool) -> list[shapely.Geometry]:
    """Outline of every site's cells; roofs on cells four times as wide, to keep the drawing light."""
    if not count:
        return []
    factor = 4 if coarse else 1
    row0, col0 = int(cells.row.min()) // factor, int(cells.col.min()) // factor
    height = int(cells.row.max()) // factor - row0 + 1
    width = int(cells.col.max()) // factor - col0 + 1
    r, c = cells.row // factor - row0, cells.col // factor - col0
    raster = np.zeros((height, width), np.int32)
    if coarse:
        cover = np.zeros((height, width))
        np.add.at(cover, (r, c), cells.area_m2)
        full = frame.resolution_m**2 * factor**2
        raster[r, c] = cells.site + 1
        thin = cover < _ROOF_OUTLINE_SHARE * full
        raster = np.where(thin & _has_dense_cell(raster, ~thin, count), 0, raster).astype(np.int32)
    else:
        raster[r, c] = cells.site + 1
    step = frame.resolution_m * factor
    origin = frame.part_origin(row0 * factor, col0 * factor)
    transform = type(frame.transform)(step, 0, origin[0], 0, -step, origin[1])
    rings: list[list[shapely.Geometry]] = [[] for _ in range(count)]
    for shape, value in features.shapes(raster, mask=raster > 0, connectivity=4, transform=transform):
        rings[int(value) - 1].append(shapely.geometry.shape(shape))
    return [shapely.union_all(parts) for parts in rings]


def _has_dense_cell(raster: npt.NDArray[np.int32], dense: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """Cells of sites that keep at least one dense cell when the thin ones are left out of the drawing."""
    has = np.zeros(count + 1, bool)
    has[np.unique(raster[dense])] = True
    has[0] = False
    return has[raster]


def _together(parts: Sequence[gpd.GeoDataFrame], frame: Frame) -> gpd.GeoDataFrame:
    """All candidates, sorted by id, with a representative point in WGS-84."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return gpd.GeoDataFrame(CANDIDATES.empty(), geometry="geometry", crs=frame.crs)
    table = gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=frame.crs).sort_values("candidate_id")
    points = table.geometry.representative_point().to_crs("EPSG:4326")
    table["lon"], table["lat"] = points.x.to_numpy(float), points.y.to_numpy(float)
    return gpd.GeoDataFrame(table[list(CANDIDATES.columns)].reset_index(drop=True), geometry="geometry", crs=frame.crs)
