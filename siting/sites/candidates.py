"""From owned land to candidate sites: contiguous, wide and large enough, cut below a maximum size, with stable ids.

Ground and wind hosts form sites from cells that are at least half covered; patches with a gap of at most the host
type's ``group_distance_m`` belong together (see :mod:`siting.sites.patches`). Wind sites have the turbines that stand
on them (:mod:`siting.wind.turbine_layout`). Roofs, and strips along roads and railways, are gathered by block, district
and host type, because a village's roofs are one project to the network. Sites above the host type's greatest size are
cut (:mod:`siting.sites.cuts`). Whatever is in no site is in the remainder, by reason: sites + remainder = ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.contracts import Region, VectorLayer
from layers.frame import Frame
from layers.mask_store import MaskStore, strips_of
from layers.submask import SUBCELLS
from siting.contracts import CANDIDATES, REMAINDER, TURBINES, HostLayer, HostType, LandResult, Sites
from siting.hosts.cover import cover_source
from siting.land.co_use import co_use_factors
from siting.land.ledger import may_share
from siting.sites.cuts import Lattice, cut_large
from siting.sites.labels import numbered_names, stable_ids
from siting.sites.outlines import block_outlines, cell_outlines, centre_cells, inner_points
from siting.sites.patches import CoverSource, covered_runs, find_patches, unique_rows
from siting.sites.runs import Floats, Runs
from siting.technologies.tables import TechnologyTables, load_technology_tables
from siting.wind.turbine_layout import Spacing, Turbines, place_turbines, spacing_rule
from siting.yields.compute import grid_share

Longs = npt.NDArray[np.int64]

_ANCHOR_M = 250.0
_PART_ANCHOR_M = 1000.0
_M2_PER_KM2 = 1e6
_STRIP_ROWS = 512


@dataclass(frozen=True)
class Settings:
    """What the sites of a study are made with, beside land and host types."""

    study_code: str
    block_km: float
    tables: TechnologyTables
    co_use: Sequence[tuple[str, str]]
    prevailing_from_deg: float | None
    strip_rows: int | None
    borders: Longs
    """Where districts change along the rows, see :func:`_borders`."""


@dataclass(frozen=True)
class HostSites:
    """Runs of the sites of one host type, what is left over [m2 of land], and the turbines of wind sites."""

    runs: Runs
    rest: dict[str, float]
    turbines: Turbines | None = None
    rated_mw: float = 0.0
    cut: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """Whether a site is a part of a larger one."""


def delineate_sites(
    land: LandResult,
    region: Region,
    host_types: Sequence[HostType],
    host_layers: Sequence[HostLayer],
    *,
    block_km: float = 15.0,
    study_code: str,
    tables: TechnologyTables | None = None,
    layers: Sequence[VectorLayer] = (),
    co_use: Sequence[tuple[str, str]] = (),
    prevailing_from_deg: float | None = None,
    strip_rows: int | None = None,
) -> Sites:
    """Candidates of all host types of a study.

    Parameters
    ----------
    land, region
        Ledger and region on one frame. The masks of the ledger may be arrays or stores; they are read in strips.
    host_types, host_layers
        What the land is.
    block_km
        Side of the blocks that roofs are gathered by; the lattice is that of the CRS, not of the region.
    study_code
        Prefix of the ids.
    tables
        Technology data, for the DC/AC ratio of PV variants and the size of turbines; by default the program's own.
    layers
        The host layers themselves; needed where layers of one host type state different shares of host area.
    co_use
        Pairs of host types that the study lets share land; what is left to each is in ``co_use.csv``.
    prevailing_from_deg
        Where the prevailing wind comes from, clockwise from north; by default what ``turbine_spacing.csv`` states.
    strip_rows
        Rows read at a time. It bounds the memory and never changes a bit.

    Returns
    -------
    Sites
        Sorted by id. ``area_m2`` is host area: owned land times its share of host area. For PV
        ``capacity_mw = area_m2 / 1e6 * usable_share * density_mw_per_km2``, less what co-use takes; for wind it is the
        number of turbines times their rating. The remainder is in km2 of land: the owned land of the sites, which is
        ``sum(area_m2) / area_share`` where one share holds, and ``sum(area_km2)`` are the ledger.

    Raises
    ------
    InputError
        If layers of one host type state different area shares and are not given.

    Notes
    -----
    ``host.min_width_m`` is rounded to whole cells. Cells less than half covered join the site they touch. The ids of
    ground and wind sites hold as long as the site's centre stays within 250 m, those of roofs as long as block and
    district are the same; neither depends on other sites.
    """
    known = load_technology_tables() if tables is None else tables
    settings = Settings(study_code, block_km, known, co_use, prevailing_from_deg, strip_rows, _borders(region))
    sub_m2 = region.cell_area_m2 / SUBCELLS
    parts: list[gpd.GeoDataFrame] = []
    positions: list[pd.DataFrame] = []
    left: list[tuple[str, str, float]] = []
    for entry in land.lands:
        host = next(h for h in host_types if h.host_type == entry.host_type)
        source = cover_source(host, land, host_layers, layers, co_use, sub_m2)
        if is_gathered(host):
            made = _roof_sites(host, source, region, settings)
        elif host.kind == "wind":
            made = _wind_sites(host, source, entry.owned, region, settings)
        else:
            made = _ground_sites(host, source, region, settings)
        left += [(host.host_type, why, m2 / _M2_PER_KM2) for why, m2 in sorted(made.rest.items()) if m2 > 0]
        if made.runs.count:
            table = _candidates(made, host, land, region, str(entry.origin), settings)
            parts.append(table)
            if made.turbines is not None:
                positions.append(_positions(made.turbines, table["candidate_id"].to_numpy(object), region.frame))
    remainder = pd.DataFrame(left, columns=list(REMAINDER.columns))
    remainder = remainder.astype({"host_type": object, "reason": object, "area_km2": float})
    candidates, shared = _together(parts, land.frame)
    turbines = pd.concat(positions, ignore_index=True) if positions else TURBINES.empty()
    turbines = turbines.sort_values("turbine_id", ignore_index=True)
    return Sites(CANDIDATES.validate(candidates), REMAINDER.validate(remainder), TURBINES.validate(turbines), shared)


def is_gathered(host: HostType) -> bool:
    """Whether a host type's sites are all of it in a block: roofs, and strips along lines."""
    return host.kind == "roof" or host.geometry == "line"


# --- sites by kind of host ------------------------------------------------------------------------------------------


def _roof_sites(host: HostType, source: CoverSource, region: Region, settings: Settings) -> HostSites:
    """Cells with roofs; a site is all of one district in one block of the CRS's lattice, or a part of it."""
    frame = region.frame
    runs = covered_runs(source, settings.strip_rows)
    block = settings.block_km * 1000
    runs = _split_at_districts(runs, region, settings.borders) if len(region.districts) > 1 else runs
    runs = _split_at_blocks(runs, frame, block)
    _, site = unique_rows(*_blocks(runs, frame, block), _district(region, runs))
    return _finished(runs.with_site(site), host, {}, frame, None)


def _split_at_blocks(runs: Runs, frame: Frame, block: float) -> Runs:
    """Runs whose cells' centres lie in one block; only those that cross a border are cut, into cells."""
    first, last = (np.floor((frame.left + (col + 0.5) * frame.resolution_m) / block) for col in (runs.col, runs.last))
    crossing = first != last
    return Runs.together([runs.take(~crossing), runs.take(crossing).cells()], runs.sub_m2)


def _blocks(runs: Runs, frame: Frame, block: float) -> tuple[Longs, Longs]:
    """Numbers of the block north and east of the CRS's origin that holds the centre of each run's first cell."""
    x = frame.left + (runs.col + 0.5) * frame.resolution_m
    y = frame.top - (runs.row + 0.5) * frame.resolution_m
    return np.floor(y / block).astype(np.int64), np.floor(x / block).astype(np.int64)


def _ground_sites(host: HostType, source: CoverSource, region: Region, settings: Settings) -> HostSites:
    resolution_m = region.frame.resolution_m
    gap = host.group_distance_m / resolution_m
    found = find_patches(source, round(host.min_width_m / resolution_m), gap, settings.strip_rows)
    return _finished(found.runs, host, found.rest, region.frame, gap)


def _finished(runs: Runs, host: HostType, rest: dict[str, float], frame: Frame, gap: float | None) -> HostSites:
    """Sites with the least area, cut at the greatest size."""
    runs, small_m2 = _large_enough(runs, host.min_area_m2)
    per_m2 = host.density_mw_per_km2 * host.usable_share / _M2_PER_KM2

    def capacity(some: Runs) -> Floats:
        return some.power_m2 * per_m2

    before = runs
    mean_share = float(runs.power_m2.sum() / runs.land_m2.sum()) if len(runs) else 1.0
    part_m2 = host.max_capacity_mw / per_m2
    part_cells = part_m2 / mean_share / frame.resolution_m**2
    runs = cut_large(runs, capacity, host.max_capacity_mw, _lattice(frame), gap_cells=gap, part_cells=part_cells)
    cut = _is_part(before, runs)
    # a part below the least area is left over, unless the greatest size itself is below it
    runs, more_m2, kept = _kept(runs, ~cut | (runs.total(runs.host_m2) >= min(host.min_area_m2, 0.2 * part_m2)))
    return HostSites(runs, {**rest, "too_small": small_m2 + more_m2}, cut=cut[kept])


def _wind_sites(host: HostType, source: CoverSource, owned: object, region: Region, settings: Settings) -> HostSites:
    """Patches with their turbines; capacity, least number and cuts follow the turbines."""
    frame = region.frame
    turbine = settings.tables.turbine(settings.tables.technology(host.technology).turbine)
    rule = spacing_rule(host.host_type)
    rated_mw = turbine.rated_kw / 1000
    diameter = turbine.rotor_diameter_m
    wind = rule.prevailing_from_deg if settings.prevailing_from_deg is None else settings.prevailing_from_deg
    spacing = Spacing(rule.along_diameters * diameter, rule.across_diameters * diameter, wind)
    gap = host.group_distance_m / frame.resolution_m
    found = find_patches(source, round(host.min_width_m / frame.resolution_m), gap, settings.strip_rows)
    runs, small_m2 = _large_enough(found.runs, host.min_area_m2)
    radius = diameter / 2 if rule.blade_inside else 0.0
    turbines = place_turbines(runs, owned, frame, spacing, rotor_radius_m=radius)
    enough = np.bincount(turbines.patch, minlength=runs.count) >= rule.min_turbines
    turbines = turbines.take(enough[turbines.patch])
    runs, few_m2, _ = _kept(runs, enough)
    most = max(1, int(host.max_capacity_mw / rated_mw + 1e-9))

    def count(some: Runs) -> Floats:
        at = some.find(turbines.row, turbines.col)
        return np.bincount(at[at >= 0], minlength=len(some)).astype(float)

    before = runs
    part_cells = most * spacing.area_m2 / frame.resolution_m**2
    runs = cut_large(runs, count, most, _lattice(frame), gap_cells=gap, part_cells=part_cells)
    cut = _is_part(before, runs)
    placed = runs.find(turbines.row, turbines.col)
    runs, bare_m2, kept = _kept(runs, runs.total(np.bincount(placed, minlength=len(runs))) > 0)
    at = runs.site[runs.find(turbines.row, turbines.col)].astype(np.int64)
    turbines = Turbines(turbines.x_m, turbines.y_m, turbines.row, turbines.col, at)
    rest = {**found.rest, "too_small": small_m2, "too_few_turbines": few_m2 + bare_m2}
    return HostSites(runs, rest, turbines, rated_mw, cut[kept])


def _lattice(frame: Frame) -> Lattice:
    return Lattice(-round(frame.top / frame.resolution_m), round(frame.left / frame.resolution_m))


def _is_part(before: Runs, after: Runs) -> npt.NDArray[np.bool_]:
    """Whether each site of ``after`` is a part of one of ``before``."""
    if not len(after):
        return np.zeros(0, bool)
    origin = np.zeros(after.count, np.int64)
    origin[after.site] = before.site[before.find(after.row, after.col)]
    return np.asarray(np.bincount(origin, minlength=before.count)[origin] > 1)


def _large_enough(runs: Runs, least_m2: float) -> tuple[Runs, float]:
    """Runs of the sites with at least ``least_m2`` of host area, numbered anew, and the land of the others [m2]."""
    runs, land_m2, _ = _kept(runs, runs.total(runs.host_m2) >= least_m2)
    return runs, land_m2


def _kept(runs: Runs, stays: npt.NDArray[np.bool_]) -> tuple[Runs, float, npt.NDArray[np.bool_]]:
    """Runs of some of the sites, numbered anew, the land of the others [m2], and ``stays``."""
    if stays.all():
        return runs, 0.0, stays
    chosen = stays[runs.site]
    number = np.cumsum(stays) - 1
    kept = runs.take(chosen)
    return kept.with_site(number[kept.site]), float(runs.land_m2[~chosen].sum()), stays


# --- tables ---------------------------------------------------------------------------------------------------------


def _district(region: Region, runs: Runs) -> Longs:
    """District number from 1 of each run's first cell; a border cell whose centre lies outside belongs to the
    nearest district."""
    index = region.district_index[runs.row, runs.col].astype(np.int64)
    lost = np.flatnonzero(index == 0)
    if len(lost):
        frame = region.frame
        x = frame.left + (runs.col[lost] + 0.5) * frame.resolution_m
        y = frame.top - (runs.row[lost] + 0.5) * frame.resolution_m
        tree = shapely.STRtree(region.districts.geometry.to_numpy())
        inputs, nearest = tree.query_nearest(shapely.points(x, y), all_matches=False)
        index[lost[inputs]] = nearest + 1
    return index


def _main_district(runs: Runs, region: Region, borders: Longs) -> Longs:
    """District number from 1 with the largest share of each site; the first one at a tie."""
    number = len(region.districts)
    if number == 1:
        return np.ones(runs.count, np.int64)
    pieces = _split_at_districts(runs, region, borders)
    key = pieces.site.astype(np.int64) * number + _district(region, pieces) - 1
    area = np.bincount(key, pieces.land_m2, minlength=runs.count * number).reshape(runs.count, number)
    return np.asarray(np.argmax(area, axis=1) + 1, np.int64)


def _borders(region: Region) -> Longs:
    """Cells whose western neighbour lies in another district, as numbers row by row over the frame."""
    width = region.frame.width
    found = []
    for row0, strip in strips_of(region.district_index, _STRIP_ROWS):
        row, col = np.nonzero(strip[:, 1:] != strip[:, :-1])
        found.append((row.astype(np.int64) + row0) * width + col + 1)
    return np.concatenate(found)


def _split_at_districts(runs: Runs, region: Region, changes: Longs) -> Runs:
    """Runs whose cells lie in one district; only those that cross a border are cut, into cells."""
    index, width = region.district_index, region.frame.width
    first = runs.row.astype(np.int64) * width + runs.col
    crossing = np.searchsorted(changes, first + 1) < np.searchsorted(changes, first + runs.length)
    crossing |= index[runs.row, runs.col] == 0
    return Runs.together([runs.take(~crossing), runs.take(crossing).cells()], runs.sub_m2)


def _candidates(
    made: HostSites, host: HostType, land: LandResult, region: Region, origin: str, settings: Settings
) -> gpd.GeoDataFrame:
    """Candidates of one host type; ``lon`` and ``lat`` follow in :func:`_together`."""
    frame, districts, runs = region.frame, region.districts, made.runs
    area_m2 = runs.total(runs.host_m2)
    district = _main_district(runs, region, settings.borders)
    codes = districts["district_code"].to_numpy(object)[district - 1]
    if made.turbines is None:
        capacity = runs.total(runs.power_m2) / _M2_PER_KM2 * host.usable_share * host.density_mw_per_km2
    else:
        capacity = np.asarray(np.bincount(made.turbines.patch, minlength=runs.count) * made.rated_mw, np.float64)
    gathered = is_gathered(host)
    outlines = block_outlines(runs, frame) if gathered else cell_outlines(runs, frame)
    names_zh, names_en = (districts[name].to_numpy(object)[district - 1] for name in ("name_zh", "name_en"))
    shared, factor = _sharing(runs, host, land, settings)
    return gpd.GeoDataFrame(
        {
            "candidate_id": stable_ids(
                f"{settings.study_code}-{host.abbreviation or host.host_type}",
                _block_anchors(made, host, frame, settings.block_km, codes)
                if gathered
                else _anchors(runs, host, frame),
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
            "grid_capacity_mw": capacity * grid_share(host, settings.tables),
            "origin": origin,
            "point": inner_points(runs, frame, outlines),
            "shared_share": shared,
            "co_use_yield_factor": factor,
        },
        geometry=outlines,
        crs=frame.crs,
    )


def _sharing(runs: Runs, host: HostType, land: LandResult, settings: Settings) -> tuple[Floats, Floats]:
    """Share of each site's land that another host type owns as well, and the yield that co-use leaves."""
    shared, factor = np.zeros(runs.count), np.ones(runs.count)
    partners = [
        other
        for other in land.lands
        if other.host_type != host.host_type and may_share(host.host_type, other.host_type, settings.co_use)
    ]
    if not partners:
        return shared, factor
    cells = runs.cells()
    own = _bits(land.land(host.host_type).owned, cells)
    area = cells.total(np.bitwise_count(own) * cells.sub_m2[cells.row])
    taken = np.zeros_like(own)
    for other in partners:
        both = own & _bits(other.owned, cells)
        taken |= both
        share = cells.total(np.bitwise_count(both) * cells.sub_m2[cells.row]) / area
        factor *= 1 - (1 - co_use_factors(host.host_type, other.host_type)[1]) * share
    return cells.total(np.bitwise_count(taken) * cells.sub_m2[cells.row]) / area, factor


def _bits(mask: MaskStore | npt.NDArray[np.uint16], cells: Runs) -> npt.NDArray[np.uint16]:
    return np.asarray(mask[cells.row, cells.col], np.uint16)


def _anchors(runs: Runs, host: HostType, frame: Frame) -> list[str]:
    """Host type and the site's centre of area on a coarse lattice of the CRS."""
    x, y = _centres(runs, frame)
    return [f"{host.host_type}/{a // _ANCHOR_M:.0f}/{b // _ANCHOR_M:.0f}" for a, b in zip(x, y, strict=True)]


def _centres(runs: Runs, frame: Frame) -> tuple[Floats, Floats]:
    row, col = centre_cells(runs)
    return frame.left + (col + 0.5) * frame.resolution_m, frame.top - (row + 0.5) * frame.resolution_m


def _block_anchors(
    made: HostSites, host: HostType, frame: Frame, block_km: float, codes: npt.NDArray[np.object_]
) -> list[str]:
    """Host type, block and district; of a part of a block that was cut, its centre as well."""
    runs = made.runs
    first = np.unique(runs.site, return_index=True)[1]
    north, east = _blocks(runs.take(first), frame, block_km * 1000)
    texts = [f"{host.host_type}/{block_km:g}/{e}/{n}/{code}" for e, n, code in zip(east, north, codes, strict=True)]
    x, y = _centres(runs, frame)
    part = [f"/{a // _PART_ANCHOR_M:.0f}/{b // _PART_ANCHOR_M:.0f}" for a, b in zip(x, y, strict=True)]
    return [text + of if cut else text for text, of, cut in zip(texts, part, made.cut, strict=True)]


def _positions(turbines: Turbines, ids: npt.NDArray[np.object_], frame: Frame) -> pd.DataFrame:
    """Rows of :data:`TURBINES`, numbered within each site from the north."""
    turbines = turbines.take(np.lexsort((turbines.x_m, -turbines.y_m, turbines.patch)))
    points = gpd.GeoSeries(gpd.points_from_xy(turbines.x_m, turbines.y_m), crs=frame.crs).to_crs("EPSG:4326")
    site = ids[turbines.patch]
    nth = pd.Series(turbines.patch).groupby(turbines.patch).cumcount().to_numpy() + 1
    return pd.DataFrame(
        {
            "turbine_id": np.array([f"{one}-{k:03d}" for one, k in zip(site, nth, strict=True)], dtype=object),
            "candidate_id": site,
            "lon": points.x.to_numpy(float),
            "lat": points.y.to_numpy(float),
            "x_m": turbines.x_m,
            "y_m": turbines.y_m,
        }
    )


def _together(parts: Sequence[gpd.GeoDataFrame], frame: Frame) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """All candidates, sorted by id, with a point inside each in WGS-84; and what those that share land share."""
    extra = ["shared_share", "co_use_yield_factor"]
    if not parts:
        nothing = gpd.GeoDataFrame(CANDIDATES.empty(), geometry="geometry", crs=frame.crs)
        return nothing, pd.DataFrame(columns=extra, dtype=float)
    table = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs=frame.crs)
    table = table.sort_values("candidate_id").reset_index(drop=True)
    points = gpd.GeoSeries(table["point"].to_numpy(), crs=frame.crs).to_crs("EPSG:4326")
    table["lon"], table["lat"] = points.x.to_numpy(float), points.y.to_numpy(float)
    shared = pd.DataFrame(table[["candidate_id", *extra]]).set_index("candidate_id")
    candidates = gpd.GeoDataFrame(table[list(CANDIDATES.columns)], geometry="geometry", crs=frame.crs)
    return candidates, shared[shared["shared_share"] > 0]
