"""Fish ponds, coal-mining subsidence and ecological red lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from layers.generated.cover import clear_of
from layers.generated.lines import Axis
from layers.generated.profiles import LandProfile
from layers.generated.settlements import District
from layers.generated.shapes import (
    Floats,
    Outlines,
    Shapes,
    as_shapes,
    generator,
    lattice,
    outlines,
    rectangles,
    rotate,
    scatter,
    thin,
)

BASIN_STYLE = Outlines(vertices=40, squareness=2.1, roughness=0.05, aspect=(1.2, 2.2), angle_sigma=0.25)
PATCH_STYLE = Outlines(vertices=24, squareness=2.3, roughness=0.16, aspect=(1.0, 2.2), angle_sigma=3.0)


def pond_clusters(d: District, rivers: pd.DataFrame, seed: int, profile: LandProfile) -> tuple[Shapes, pd.DataFrame]:
    """Rectangular fish ponds in blocks along rivers and streams, more than the district's target.

    The caller keeps those on free ground until the target ``pond_share`` is met; blocks are in random order and
    at least 1.1 km apart. ``rivers`` as :func:`layers.generated.lines.rivers`.

    Returns
    -------
    tuple
        Ponds, and a table with ``cluster``.
    """
    rng = generator(seed, d.code, "pond")
    target = profile.pond_share * d.area_m2
    blocks = int(np.ceil(3.0 * target / (9 * profile.pond_mean_m2)))
    if not blocks:
        return as_shapes([]), pd.DataFrame({"cluster": pd.Series(dtype=np.int64)})
    middle, angle = _beside_rivers(d, rivers, blocks, rng)
    keep = thin(middle, 1_100.0)
    ponds, cluster = [], []
    for number, (centre, turn) in enumerate(zip(middle[keep], angle[keep], strict=True)):
        ponds.append(_pond_block(centre, turn, rng, profile))
        cluster.append(np.full(len(ponds[-1]), number))
    return np.concatenate(ponds), pd.DataFrame({"cluster": np.concatenate(cluster)})


def _pond_block(centre: Floats, angle: float, rng: np.random.Generator, profile: LandProfile) -> Shapes:
    """1 to 4 rows of 2 to 5 ponds of one size, with dykes between them and gaps where a pond was never dug."""
    rows, columns = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    area = profile.pond_mean_m2 * rng.lognormal(-0.08, 0.4)
    width = np.sqrt(area / rng.uniform(1.5, 2.4))
    length = area / width
    points = lattice(rows, columns, width + profile.pond_dyke_m, length + profile.pond_dyke_m)
    points = points[rng.uniform(size=len(points)) < 0.92]
    n = len(points)
    return rectangles(centre + rotate(points, angle), np.full(n, width), np.full(n, length), np.full(n, angle))


def _beside_rivers(d: District, rivers: pd.DataFrame, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Places 150 to 700 m from a bank and the direction of the bank; anywhere when there is no river."""
    lines = as_shapes(shapely.intersection(as_shapes(rivers["line"]), d.polygon)) if len(rivers) else as_shapes([])
    length = shapely.length(lines)
    if not length.sum() > 0:
        return scatter(d.polygon, count, rng), rng.normal(0, 0.2, count)
    pick = rng.choice(len(lines), count, p=length / length.sum())
    at = rng.uniform(0, 1, count)
    # a line cut by the border may be in several parts; distances run over all of them
    here = shapely.get_coordinates(_at(lines[pick], at))
    there = shapely.get_coordinates(_at(lines[pick], np.minimum(at + 40 / length[pick], 1)))
    back = shapely.get_coordinates(_at(lines[pick], np.maximum(at - 40 / length[pick], 0)))
    along = there - back
    angle = np.arctan2(along[:, 1], along[:, 0])
    side = np.stack([-np.sin(angle), np.cos(angle)], 1) * rng.choice([-1.0, 1.0], count)[:, None]
    offset = rivers["width_m"].to_numpy(float)[pick] / 2 + rng.uniform(150, 700, count)
    return here + side * offset[:, None], angle


def _at(lines: Shapes, share: Floats) -> Shapes:
    """Points at a share of the lines' length; multi-part lines are walked part by part."""
    parts = [shapely.get_parts(line) for line in lines]
    points = []
    for pieces, u in zip(parts, share, strict=True):
        ends = np.cumsum(shapely.length(pieces))
        i = min(int(np.searchsorted(ends, u * ends[-1])), len(pieces) - 1)
        points.append(shapely.line_interpolate_point(pieces[i], u * ends[-1] - (ends[i - 1] if i else 0.0)))
    return as_shapes(points)


def lies_in_coalfield(code: str, seed: int, profile: LandProfile) -> bool:
    """Whether a district is mined: as the profile says of its code, by a seeded draw where it says nothing."""
    if code in profile.coalfield_districts or code in profile.coalfield_free_districts:
        return code in profile.coalfield_districts
    return bool(generator(seed, code, "coalfield").uniform() < profile.coalfield_chance)


def subsidence(
    d: District, towns: pd.DataFrame, built: Shapes, seed: int, profile: LandProfile
) -> tuple[Shapes, Shapes]:
    """Basins over mined-out coal and the water that stands in their middle (same order; water within basin).

    Basins lie in groups (one group is one mine), away from the county seat and from the ground ``built`` upon.
    """
    if not lies_in_coalfield(d.code, seed, profile):
        return as_shapes([]), as_shapes([])
    rng = generator(seed, d.code, "subsidence")
    total = profile.subsided_share * d.area_m2
    count = max(1, round(total / (profile.subsidence_basin_km2 * 1e6)))
    areas = rng.lognormal(0, 0.45, count)
    areas = areas / areas.sum() * total
    apart = 2.6 * np.sqrt(areas.max() / np.pi)
    mines = scatter(d.polygon, 60, rng)
    seat = towns[["x", "y"]].to_numpy(float)[0]
    away = np.sqrt(float(towns["area_m2"].iloc[0]) / np.pi) + apart
    far = np.hypot(*(mines - seat).T) > away
    mines = (mines[far] if far.any() else mines)[: int(np.ceil(count / 4))]
    tries = mines[rng.integers(len(mines), size=60 * count)] + rng.normal(0, 1.3 * apart, (60 * count, 2))
    tries = tries[shapely.contains_xy(d.polygon, tries[:, 0], tries[:, 1])]
    tries = tries[clear_of(tries, as_shapes(shapely.boundary(d.polygon)), 0.4 * apart)]
    tries = tries[np.hypot(*(tries - seat).T) > away]
    tries = tries[clear_of(tries, built, 0.45 * apart)]
    centres = tries[thin(tries, apart)][:count]
    if not len(centres):
        centres = scatter(d.polygon, 1, rng)
    areas = areas[: len(centres)] * (total / areas[: len(centres)].sum())
    basins = outlines(centres, areas, BASIN_STYLE, rng)
    share = np.clip(profile.subsidence_water_share * rng.lognormal(0, 0.3, len(basins)), 0.05, 0.75)
    return basins, _shrunk(basins, centres, np.sqrt(share))


def _shrunk(shapes: Shapes, centres: Floats, scale: Floats) -> Shapes:
    """Star-shaped outlines drawn nearer to their centres."""
    rings = [
        (shapely.get_coordinates(shape) - centre) * factor + centre
        for shape, centre, factor in zip(shapes, centres, scale, strict=True)
    ]
    return as_shapes([shapely.Polygon(ring) for ring in rings])


def red_line_reaches(rivers: pd.DataFrame, seed: int, profile: LandProfile) -> tuple[Shapes, pd.DataFrame]:
    """Protected reaches of main rivers with both banks, some 12 km long each."""
    shapes, names = [], []
    along = Axis(profile.river_azimuth_deg).along
    for line, width, name in rivers.loc[rivers["class"] == "river", ["line", "width_m", "name"]].itertuples(
        index=False
    ):
        xy = shapely.get_coordinates(line)
        reach = np.floor(xy @ along / 12_000).astype(int)
        for part in np.unique(reach):
            points = xy[reach == part]
            rng = generator(seed, "red line", name, int(part))
            if len(points) > 4 and rng.uniform() < profile.red_line_reach_share:
                bank = width / 2 + profile.red_line_bank_m * rng.uniform(0.6, 1.4)
                shapes.append(shapely.buffer(shapely.linestrings(points), bank, quad_segs=3))
                names.append(f"{name}生态保护红线")
    return as_shapes(shapes), pd.DataFrame({"name": pd.Series(names, dtype=object)})


def red_line_patches(d: District, seed: int, profile: LandProfile) -> tuple[Shapes, pd.DataFrame]:
    """Protected patches (wetlands, water sources) away from rivers."""
    rng = generator(seed, d.code, "red line patch")
    total = profile.red_line_patch_share * d.area_m2
    count = int(np.ceil(total / 2.5e6))
    areas = rng.lognormal(0, 0.6, count)
    shapes = outlines(scatter(d.polygon, count, rng), areas / areas.sum() * total, PATCH_STYLE, rng)
    return shapes, pd.DataFrame({"name": pd.Series([f"{d.name}生态保护红线"] * count, dtype=object)})
