"""Woods, barren slopes and farmland."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from layers.generated.profiles import LandProfile
from layers.generated.settlements import District
from layers.generated.shapes import (
    Floats,
    Outlines,
    Shapes,
    as_shapes,
    generator,
    outlines,
    scatter,
    smooth_noise,
    thin,
)

WOODLOT_STYLE = Outlines(vertices=12, squareness=3.0, roughness=0.2, aspect=(1.0, 3.5), angle_sigma=0.4)
RESERVE_STYLE = Outlines(vertices=18, squareness=3.5, roughness=0.15, aspect=(1.0, 2.5), angle_sigma=0.4)
_PATCH_M = 330.0
_TOWN_BELT_M = 350.0


def slopes(d: District, seed: int, profile: LandProfile) -> tuple[Shapes, Shapes]:
    """Forest and barren slopes of hill country, as (forest, hill) pieces of a few square kilometres.

    The highest ``forest_share + hill_share`` of a smooth field of heights is wooded or barren; a second field says
    which. Pieces are unions of Voronoi cells, so that the two are disjoint and their shares come out as asked.
    """
    wild = profile.forest_share + profile.hill_share
    if wild <= 0:
        return as_shapes([]), as_shapes([])
    rng = generator(seed, d.code, "slopes")
    points = _jittered(d, rng)
    height = smooth_noise(points, 7_000.0, generator(seed, "height")) + 0.25 * smooth_noise(
        points, 1_500.0, generator(seed, "height detail")
    )
    bare = smooth_noise(points, 2_500.0, generator(seed, "bare"))
    high = height >= np.quantile(height, 1 - min(wild, 1.0))
    limit = np.quantile(bare[high], 1 - profile.hill_share / wild)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), ordered=True))
    is_hill = high & (bare > limit)
    return _united(cells, points, high & ~is_hill), _united(cells, points, is_hill)


def _jittered(d: District, rng: np.random.Generator) -> Floats:
    left, bottom, right, top = np.floor(np.array(d.polygon.bounds) / _PATCH_M) * _PATCH_M
    x, y = np.meshgrid(np.arange(left, right + 2 * _PATCH_M, _PATCH_M), np.arange(bottom, top + 2 * _PATCH_M, _PATCH_M))
    points = np.stack([x.ravel(), y.ravel()], 1)
    return points + rng.uniform(-0.42, 0.42, points.shape) * _PATCH_M


def _united(cells: Shapes, points: Floats, chosen: npt.NDArray[np.bool_], block_m: float = 5_000.0) -> Shapes:
    """Chosen cells united block by block."""
    block = np.floor(points[chosen] / block_m).astype(np.int64)
    _, group = np.unique(block, axis=0, return_inverse=True)
    members = cells[chosen]
    return (
        as_shapes([shapely.coverage_union_all(members[group == g]) for g in range(group.max() + 1)])
        if len(group)
        else as_shapes([])
    )


def woodlots(d: District, seed: int, profile: LandProfile) -> Shapes:
    """Small woods between fields and around villages; they may overlap other land, which comes first."""
    rng = generator(seed, d.code, "woodlot")
    total = profile.woodlot_share * d.area_m2
    count = round(total / profile.woodlot_mean_m2)
    areas = profile.woodlot_mean_m2 * rng.lognormal(-0.25, 0.7, count)
    return outlines(scatter(d.polygon, count, rng), areas, WOODLOT_STYLE, rng)


def farmland_reserve(
    d: District, towns: Shapes, cropland_m2: float, belt_cropland_share: float, seed: int, profile: LandProfile
) -> Shapes:
    """Ground that is kept out of permanent basic farmland: belts round the towns, and scattered blocks.

    The blocks make up what the belts leave of ``1 - basic_farmland_share``; ``belt_cropland_share`` is the share of
    open country that is cropland.
    """
    rng = generator(seed, d.code, "farmland reserve")
    belts = as_shapes(shapely.buffer(towns, _TOWN_BELT_M, quad_segs=4))
    belt_m2 = float((shapely.area(belts) - shapely.area(towns)).sum()) * belt_cropland_share
    missing = max(0.0, (1 - profile.basic_farmland_share) * cropland_m2 - belt_m2) / belt_cropland_share
    mean_m2 = min(450_000.0, d.area_m2 / 50)
    count = round(missing / mean_m2)
    if not count:
        return belts
    centres = scatter(d.polygon, 8 * count, rng)
    centres = centres[thin(centres, 1.25 * np.sqrt(mean_m2))][:count]
    areas = rng.lognormal(0, 0.5, len(centres))
    return np.concatenate([belts, outlines(centres, areas / areas.sum() * missing, RESERVE_STYLE, rng)])
