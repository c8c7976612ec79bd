"""From owned land to candidate sites: contiguous, wide and large enough, cut below a maximum size, with stable ids.

Ground and wind hosts form sites from cells that are at least half covered; patches with a gap of at most the host
type's ``group_distance_m`` belong together (see :mod:`siting.patches`). Roofs are gathered by block, district and host
type, because a village's roofs are one project to the network. Whatever is in no site is in the remainder, by reason:
sites + remainder = ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import Finding, InputError, Region
from layers.frame import Frame
from layers.submask import SUBCELLS
from siting.contracts import CANDIDATES, REMAINDER, HostLand, HostLayer, HostType, LandResult, Sites
from siting.patches import HALF_COVERED, Cells, cut_large, join_fringe, label_patches, unique_rows, wide_cells
from siting.site_labels import numbered_names, stable_ids
from siting.site_outlines import block_outlines, cell_outlines, inner_points
from siting.technology_tables import TechnologyTables, load_technology_tables
from siting.yields import grid_share

Ints = npt.NDArray[np.int64]

_ANCHOR_M = 250.0
_M2_PER_KM2 = 1e6


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
    tables
        Technology data, for the DC/AC ratio of each host type's PV variant; by default the program's own.

    Returns
    -------
    Sites
        Sorted by id. ``area_m2`` is host area: owned land times ``area_share``.
        ``capacity_mw = area_m2 / 1e6 * usable_share * density_mw_per_km2``. The remainder is in km2 of land, so that
        ``sum(area_m2 / area_share) / 1e6 + sum(area_km2)`` is the owned land of the ledger.

    Raises
    ------
    InputError
        If layers of one host type state different area shares.

    Notes
    -----
    ``host.min_width_m`` is rounded to whole cells. Cells less than half covered join the site they touch. The ids of
    ground and wind sites hold as long as the site's centre stays within 250 m, those of roofs as long as block and
    district are the same; neither depends on other sites.
    """
    known = load_technology_tables() if tables is None else tables
    shares = _area_shares(host_layers)
    parts: list[gpd.GeoDataFrame] = []
    left: list[tuple[str, str, float]] = []
    for entry in land.lands:
        host = next(h for h in host_types if h.host_type == entry.host_type)
        share = shares[entry.host_type]
        if host.kind == "roof":
            cells, rest = _roof_cells(entry, host, share, region, block_km)
        else:
            cells, rest = _site_cells(entry, host, share, region)
        left += [(host.host_type, reason, m2 / _M2_PER_KM2) for reason, m2 in sorted(rest.items()) if m2 > 0]
        if cells.count:
            ac_share = grid_share(host, known)
            parts.append(_candidates(cells, host, share, region, study_code, str(entry.origin), ac_share, block_km))
    remainder = pd.DataFrame(left, columns=list(REMAINDER.columns))
    remainder = remainder.astype({"host_type": object, "reason": object, "area_km2": float})
    return Sites(CANDIDATES.validate(_together(parts, land.frame)), REMAINDER.validate(remainder))


def _area_shares(host_layers: Sequence[HostLayer]) -> dict[str, float]:
    shares: dict[str, float] = {}
    findings = [
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
        for entry in host_layers
        if shares.setdefault(entry.host_type, entry.area_share) != entry.area_share
    ]
    if findings:
        raise InputError(findings)
    return shares


def _roof_cells(
    land: HostLand, host: HostType, share: float, region: Region, block_km: float
) -> tuple[Cells, dict[str, float]]:
    """Cells with roofs; a site is all of one district in one block of the CRS's lattice."""
    cover = np.bitwise_count(land.owned)
    row, col = np.nonzero(cover)
    _, site = unique_rows(*_blocks(row, col, region.frame, block_km), _district(region, row, col))
    cells = Cells(row, col, cover[row, col] * (region.cell_area_m2[row] / SUBCELLS), site)
    kept, small_m2 = _large_enough(cells, host.min_area_m2 / share)
    return kept, {"too_small": small_m2}


def _blocks(row: Ints, col: Ints, frame: Frame, block_km: float) -> tuple[Ints, Ints]:
    """Numbers of the block north and east of the CRS's origin that holds each cell's centre."""
    x = frame.left + (col + 0.5) * frame.resolution_m
    y = frame.top - (row + 0.5) * frame.resolution_m
    block = block_km * 1000
    return np.floor(y / block).astype(np.int64), np.floor(x / block).astype(np.int64)


def _site_cells(land: HostLand, host: HostType, share: float, region: Region) -> tuple[Cells, dict[str, float]]:
    """Cells of the sites of a ground or wind host, and the remainder [m2 of land] by reason."""
    if not land.owned.any():
        return Cells.none(), {}
    cells, rest = _patch_cells(land, host, region)
    cells, rest["too_small"] = _large_enough(cells, host.min_area_m2 / share)
    largest_m2 = host.max_capacity_mw / (host.density_mw_per_km2 * host.usable_share * share) * _M2_PER_KM2
    return cut_large(cells, largest_m2), rest


def _patch_cells(land: HostLand, host: HostType, region: Region) -> tuple[Cells, dict[str, float]]:
    """Cells of all patches that are wide enough, of any size, with their fringe; and what is left over."""
    resolution_m = region.frame.resolution_m
    cover, first_row, first_col = _cropped(np.bitwise_count(land.owned))
    core = cover >= HALF_COVERED
    wide = wide_cells(core, round(host.min_width_m / resolution_m))
    patches = label_patches(wide, host.group_distance_m / resolution_m)
    fringe = join_fringe(cover, *patches)
    row, col, site = (np.concatenate(pair) for pair in zip(patches, fringe, strict=True))
    del patches, fringe
    row_m2 = region.cell_area_m2[first_row : first_row + cover.shape[0]] / SUBCELLS
    area_m2 = cover[row, col] * row_m2[row]
    cover[row, col] = 0  # what is left belongs to no patch
    rest = {
        "fringe": _land_m2(np.where(core, 0, cover), row_m2),
        "too_narrow": _land_m2(np.where(core, cover, 0), row_m2),
    }
    row += first_row
    col += first_col
    return Cells(row, col, area_m2, site), rest


def _cropped(cover: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], int, int]:
    """The part of the array that holds all covered cells, with its first row and column."""
    rows, cols = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    return cover[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].copy(), int(rows[0]), int(cols[0])


def _land_m2(cover: npt.NDArray[np.uint8], sub_cell_m2: npt.NDArray[np.float64]) -> float:
    return float(np.sum(cover.sum(axis=1, dtype=np.int64) * sub_cell_m2))


def _large_enough(cells: Cells, least_m2: float) -> tuple[Cells, float]:
    """Cells of the sites with at least ``least_m2`` of land, numbered anew, and the land of the others [m2]."""
    total = cells.total(cells.area_m2)
    stays = total >= least_m2
    number = np.cumsum(stays) - 1
    kept = stays[cells.site]
    chosen = Cells(cells.row[kept], cells.col[kept], cells.area_m2[kept], number[cells.site[kept]])
    return chosen, float(total[~stays].sum())


def _district(region: Region, row: Ints, col: Ints) -> Ints:
    """District number from 1 of each cell; a border cell whose centre lies outside belongs to the nearest district."""
    index = region.district_index[row, col].astype(np.int64)
    lost = np.flatnonzero(index == 0)
    if len(lost):
        frame = region.frame
        x = frame.left + (col[lost] + 0.5) * frame.resolution_m
        y = frame.top - (row[lost] + 0.5) * frame.resolution_m
        tree = shapely.STRtree(region.districts.geometry.to_numpy())
        inputs, nearest = tree.query_nearest(shapely.points(x, y), all_matches=False)
        index[lost[inputs]] = nearest + 1
    return index


def _candidates(
    cells: Cells,
    host: HostType,
    share: float,
    region: Region,
    study_code: str,
    origin: str,
    ac_share: float,
    block_km: float,
) -> gpd.GeoDataFrame:
    """Candidates of one host type; ``lon`` and ``lat`` follow in :func:`_together`."""
    frame, districts = region.frame, region.districts
    area_m2 = cells.total(cells.area_m2) * share
    district = _main_district(cells, region)
    codes = districts["district_code"].to_numpy(object)[district - 1]
    capacity = area_m2 / _M2_PER_KM2 * host.usable_share * host.density_mw_per_km2
    is_roof = host.kind == "roof"
    outlines = block_outlines(cells, frame) if is_roof else cell_outlines(cells, frame)
    names_zh, names_en = (districts[name].to_numpy(object)[district - 1] for name in ("name_zh", "name_en"))
    return gpd.GeoDataFrame(
        {
            "candidate_id": stable_ids(
                f"{study_code}-{host.abbreviation or host.host_type}",
                _block_anchors(cells, host, frame, block_km, codes) if is_roof else _anchors(cells, host, frame),
                area_m2,
            ),
            "host_type": host.host_type,
            "technology": host.technology,
            "kind": host.kind,
            "district_code": codes,
            "name_zh": numbered_names(names_zh, f" {host.label_zh}", area_m2),
            "name_en": numbered_names(names_en, f" {host.label_en}", area_m2),
            "area_m2": area_m2,
            "capacity_mw": capacity,
            "grid_capacity_mw": capacity * ac_share,
            "origin": origin,
            "point": inner_points(cells, frame, outlines),
        },
        geometry=outlines,
        crs=frame.crs,
    )


def _main_district(cells: Cells, region: Region) -> Ints:
    """District number from 1 with the largest share of each site; the first one at a tie."""
    number = len(region.districts)
    key = cells.site * number + _district(region, cells.row, cells.col) - 1
    area = np.bincount(key, cells.area_m2, minlength=cells.count * number).reshape(cells.count, number)
    return np.asarray(np.argmax(area, axis=1) + 1, np.int64)


def _anchors(cells: Cells, host: HostType, frame: Frame) -> list[str]:
    """Host type and the site's centre of area on a coarse lattice of the CRS."""
    weight = cells.total(cells.area_m2)
    x = frame.left + (cells.total(cells.area_m2 * cells.col) / weight + 0.5) * frame.resolution_m
    y = frame.top - (cells.total(cells.area_m2 * cells.row) / weight + 0.5) * frame.resolution_m
    return [f"{host.host_type}/{a // _ANCHOR_M:.0f}/{b // _ANCHOR_M:.0f}" for a, b in zip(x, y, strict=True)]


def _block_anchors(
    cells: Cells, host: HostType, frame: Frame, block_km: float, codes: npt.NDArray[np.object_]
) -> list[str]:
    """Host type, block and district."""
    first = np.unique(cells.site, return_index=True)[1]
    north, east = _blocks(cells.row[first], cells.col[first], frame, block_km)
    return [f"{host.host_type}/{block_km:g}/{e}/{n}/{code}" for e, n, code in zip(east, north, codes, strict=True)]


def _together(parts: Sequence[gpd.GeoDataFrame], frame: Frame) -> gpd.GeoDataFrame:
    """All candidates, sorted by id, with a point inside each in WGS-84."""
    if not parts:
        return gpd.GeoDataFrame(CANDIDATES.empty(), geometry="geometry", crs=frame.crs)
    table = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs=frame.crs)
    table = table.sort_values("candidate_id").reset_index(drop=True)
    points = gpd.GeoSeries(table["point"].to_numpy(), crs=frame.crs).to_crs("EPSG:4326")
    table["lon"], table["lat"] = points.x.to_numpy(float), points.y.to_numpy(float)
    return gpd.GeoDataFrame(table[list(CANDIDATES.columns)], geometry="geometry", crs=frame.crs)
