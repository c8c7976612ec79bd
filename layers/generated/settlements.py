"""Where people live and work: county seats, townships, industrial estates, villages, and the large roofs in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.generated.cover import clear_of
from layers.generated.profiles import LandProfile
from layers.generated.shapes import (
    Floats,
    Ground,
    Outlines,
    Shapes,
    as_shapes,
    generator,
    lattice,
    nearest_distance,
    outlines,
    rectangles,
    rotate,
    scatter,
    smooth_noise,
    thin,
)

TOWN_STYLE = Outlines(vertices=36, squareness=2.8, roughness=0.10, aspect=(1.0, 1.6))
ESTATE_STYLE = Outlines(vertices=28, squareness=12.0, roughness=0.012, aspect=(1.0, 1.9), angle_sigma=0.0)
VILLAGE_STYLE = Outlines(vertices=14, squareness=4.5, roughness=0.11, aspect=(1.0, 2.6), angle_sigma=0.12)
_SEAT_PARK_SHARE, _SEAT_PARK_MAX_M2 = 0.55, 9e6
_PUBLIC_KINDS = ("school", "hospital", "government", "hall")


@dataclass(frozen=True)
class District:
    """What the generators need to know of one district."""

    code: str
    name: str
    polygon: Ground
    population: float
    built_up_factor: float
    """Below 1 where the population would not fit: land per head shrinks, heads stay."""

    @property
    def area_m2(self) -> float:
        return float(self.polygon.area)


def district(code: str, name: str, polygon: Ground, population: float, profile: LandProfile) -> District:
    """A district with its land per head; an unknown population (NaN) is taken from the profile's density."""
    known = population if np.isfinite(population) else profile.population_per_km2 * polygon.area / 1e6
    village = profile.rural_share / profile.persons_per_household * profile.village_area_per_household_m2
    town = (1 - profile.rural_share) * (profile.town_area_per_person_m2 + profile.estate_area_per_urban_person_m2)
    wanted = known * (village + town)
    room = profile.built_up_share_max * polygon.area
    return District(code, name, polygon, known, min(1.0, room / wanted) if wanted > 0 else 1.0)


def place_towns(d: District, rivers: Shapes, seed: int, profile: LandProfile) -> pd.DataFrame:
    """County seat and townships of a district.

    Returns
    -------
    DataFrame
        ``x``, ``y`` [m], ``name``, ``is_seat``, ``population`` (urban), ``area_m2``; the seat comes first.
    """
    rng = generator(seed, d.code, "town")
    count = max(1, round(d.area_m2 / 1e6 / profile.township_every_km2))
    distance = 0.62 * np.sqrt(d.area_m2 / count)
    seat = _seat(d, rivers, rng)
    urban = d.population * (1 - profile.rural_share)
    shares = np.array([1.0])
    xy = seat[None, :]
    if count > 1:
        points = np.concatenate([xy, scatter(d.polygon, 12 * count, rng)])
        xy = points[thin(points, distance)][:count]
        weights = rng.lognormal(0, 0.45, max(len(xy) - 1, 1))
        others = (1 - profile.seat_share_of_urban) * weights / weights.sum()
        shares = np.concatenate([[profile.seat_share_of_urban], others])[: len(xy)]
        shares = shares / shares.sum()
    townships = _names(profile, rng, 3 * len(xy) + 20, ("集", "镇", "店", "桥"))
    names = [f"{d.name}城区", *_unique(townships, len(xy) - 1)]
    return pd.DataFrame(
        {
            "x": xy[:, 0],
            "y": xy[:, 1],
            "name": names[: len(xy)],
            "is_seat": np.arange(len(xy)) == 0,
            "population": np.round(urban * shares),
            "area_m2": urban * shares * profile.town_area_per_person_m2 * d.built_up_factor,
        }
    )


def _seat(d: District, rivers: Shapes, rng: np.random.Generator) -> Floats:
    """A point near the middle, rather beside a river."""
    points = scatter(d.polygon, 80, rng)
    middle = np.array([d.polygon.centroid.x, d.polygon.centroid.y])
    cost = np.hypot(*(points - middle).T) / np.sqrt(d.area_m2 / np.pi)
    if len(rivers):
        water = shapely.union_all(rivers)
        cost = cost + 0.35 * np.clip(shapely.distance(shapely.points(points), water) / 4_000, 0, 1)
    return np.asarray(points[np.argmin(cost)])


def draw_towns(d: District, towns: pd.DataFrame, seed: int) -> Shapes:
    """Built-up ground of the towns."""
    centres, areas = towns[["x", "y"]].to_numpy(float), towns["area_m2"].to_numpy(float)
    return outlines(centres, np.maximum(areas, 10_000), TOWN_STYLE, generator(seed, d.code, "town outline"))


def place_estates(d: District, towns: pd.DataFrame, seed: int, profile: LandProfile) -> tuple[Shapes, pd.DataFrame]:
    """Industrial estates beside the towns: large ones at the seat, small ones at some townships.

    Returns
    -------
    tuple
        Outlines, and a table with ``name`` and ``angle`` [rad], the direction of its streets.
    """
    rng = generator(seed, d.code, "estate")
    total = float(towns["population"].sum()) * profile.estate_area_per_urban_person_m2 * d.built_up_factor
    hosts, areas = [0], [total]
    if len(towns) > 1:
        parks = int(np.ceil(total * _SEAT_PARK_SHARE / _SEAT_PARK_MAX_M2))
        small = np.flatnonzero(rng.uniform(size=len(towns)) < 0.6)
        small = small[small > 0] if (small > 0).any() else np.array([1])
        weights = rng.lognormal(0, 0.6, len(small))
        hosts = [0] * parks + [int(i) for i in small]
        areas = [total * _SEAT_PARK_SHARE / parks] * parks
        areas += list(total * (1 - _SEAT_PARK_SHARE) * weights / weights.sum())
    host = towns.iloc[hosts]
    size = np.maximum(np.array(areas), 5_000)
    # parks of one town stand in different directions
    turn = rng.uniform(0, 2 * np.pi) + np.arange(len(hosts)) * 2 * np.pi / max(1, hosts.count(0))
    reach = np.sqrt(host["area_m2"].to_numpy(float) / np.pi) * 0.95 + np.sqrt(size) * 0.5
    centres = host[["x", "y"]].to_numpy(float) + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    angle = rng.normal(0, 0.2, len(hosts))
    shapes = outlines(centres, size, ESTATE_STYLE, rng, angles=angle)
    names = [
        f"{town}{'经济开发区' if seat else '工业园'}" for town, seat in zip(host["name"], host["is_seat"], strict=True)
    ]
    return shapes, pd.DataFrame({"name": names, "angle": angle})


def place_villages(d: District, obstacles: Shapes, seed: int, profile: LandProfile) -> tuple[Shapes, pd.DataFrame]:
    """Villages of a district: compact, spaced, larger where there is room.

    Households sum to rural population over persons per household. A village never reaches half-way to its
    neighbour, so that villages of one district are disjoint by construction.

    Returns
    -------
    tuple
        Outlines, and a table with ``name`` and ``households``.
    """
    rng = generator(seed, d.code, "village")
    households = round(d.population * profile.rural_share / profile.persons_per_household)
    count = max(1, round(households / profile.village_mean_households)) if households else 0
    if not count:
        return as_shapes([]), pd.DataFrame({"name": pd.Series(dtype=object), "households": pd.Series(dtype=np.int64)})
    spacing = np.sqrt(d.area_m2 / count)
    points = scatter(d.polygon, 14 * count, rng)
    density = smooth_noise(points, 9_000.0, generator(seed, "village density"))
    density = density + smooth_noise(points, 3_000.0, generator(seed, "village clusters"))
    points = points[rng.uniform(size=len(points)) < np.clip(0.4 + 0.28 * density, 0.04, 1)]
    points = points[clear_of(points, obstacles, 0.22 * spacing)]
    points = points[thin(points, 0.48 * spacing)][:count]
    if not len(points):
        points = scatter(d.polygon, 1, rng)
    room = nearest_distance(points, spacing)
    sizes = _shared_out(households, np.sort(rng.lognormal(0, profile.village_sigma, len(points))))
    ranked = np.empty_like(sizes)
    ranked[np.argsort(room * rng.lognormal(0, 0.25, len(points)), kind="stable")] = sizes
    areas = ranked * profile.village_area_per_household_m2 * d.built_up_factor * rng.lognormal(0, 0.12, len(points))
    shapes = outlines(points, np.maximum(areas, 1_500), VILLAGE_STYLE, rng, radius_max_m=0.48 * room)
    names = _names(profile, rng, len(points), profile.village_endings_zh)
    return shapes, pd.DataFrame({"name": names, "households": ranked})


def _shared_out(total: int, weights: Floats) -> npt.NDArray[np.int64]:
    """``total`` in whole parts proportional to ``weights`` (largest remainder)."""
    exact = total * weights / weights.sum()
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: total - int(parts.sum())]] += 1
    return np.asarray(parts)


def roof_share(households: Floats, area_m2: Floats, profile: LandProfile) -> Floats:
    """Share of a village's ground that homestead roofs cover, at most 0.6."""
    return np.minimum(households * profile.roof_per_household_m2 / area_m2, 0.6)


def factory_roofs(
    estates: Shapes, angles: Floats, rng: np.random.Generator, profile: LandProfile
) -> tuple[Shapes, npt.NDArray[np.int64]]:
    """Factory halls on the lots of industrial estates, and the estate each stands in.

    Lots form a lattice along the estate's streets; one block in eight is a double-sized works. Only halls wholly
    within their estate are kept, hence halls are disjoint.
    """
    occupied = 0.9
    lot = profile.factory_roof_mean_m2 * occupied / profile.factory_coverage_share
    pitch_x, pitch_y = np.sqrt(lot * 1.35), np.sqrt(lot / 1.35)
    roofs, owners = [], []
    for number, (estate, angle) in enumerate(zip(estates, angles, strict=True)):
        left, bottom, right, top = estate.bounds
        reach = np.hypot(right - left, top - bottom)
        rows, columns = 2 * int(reach / pitch_y / 2 + 1), 2 * int(reach / pitch_x / 2 + 1)
        centre = np.array([(left + right) / 2, (bottom + top) / 2])
        points, scale = _lots(rows, columns, pitch_x, pitch_y, rng)
        length, width = _hall(scale, pitch_x, pitch_y, rng, profile)
        halls = rectangles(centre + rotate(points, angle), length, width, np.full(len(points), angle))
        shapely.prepare(estate)
        keep = shapely.contains_properly(estate, halls) & (rng.uniform(size=len(halls)) < occupied)
        roofs.append(halls[keep])
        owners.append(np.full(int(keep.sum()), number))
    return (np.concatenate(roofs), np.concatenate(owners)) if roofs else (as_shapes([]), np.empty(0, np.int64))


def _lots(rows: int, columns: int, pitch_x: float, pitch_y: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Lot centres and their linear scale: 1, or 2 where a block of 2 x 2 lots is one works."""
    single = lattice(rows, columns, pitch_x, pitch_y).reshape(rows // 2, 2, columns // 2, 2, 2)
    double = lattice(rows // 2, columns // 2, 2 * pitch_x, 2 * pitch_y).reshape(rows // 2, columns // 2, 2)
    merged = rng.uniform(size=double.shape[:2]) < 0.125
    apart = np.broadcast_to(~merged[:, None, :, None], single.shape[:4])
    points = np.concatenate([single[apart], double[merged]])
    return points, np.concatenate([np.ones(int(apart.sum())), np.full(int(merged.sum()), 2.0)])


def _hall(
    scale: Floats, pitch_x: float, pitch_y: float, rng: np.random.Generator, profile: LandProfile
) -> tuple[Floats, Floats]:
    """Length and width of halls: lognormal area, the longer side at most three times the other, within the lot."""
    sigma = profile.factory_roof_sigma
    area = profile.factory_roof_mean_m2 / 1.15 * rng.lognormal(-(sigma**2) / 2, sigma, len(scale)) * scale**2
    area = np.maximum(area, 500.0)
    aspect = rng.uniform(1.0, 3.0, len(scale))
    length = np.minimum(np.sqrt(area * aspect), scale * pitch_x - 14)
    width = np.minimum(area / length, scale * pitch_y - 14)
    return length, width


def public_roofs(
    d: District, towns: Shapes, seed: int, profile: LandProfile
) -> tuple[Shapes, pd.DataFrame, npt.NDArray[np.int64]]:
    """Schools, hospitals, offices and halls within the towns' ground, facing about south.

    Returns
    -------
    tuple
        Footprints (disjoint), a table with ``kind``, and the town each stands in.
    """
    rng = generator(seed, d.code, "public roof")
    wanted = d.population / profile.people_per_public_building
    ground = shapely.area(towns)
    roofs, owners = [], []
    for number, (town, share) in enumerate(zip(towns, ground / max(ground.sum(), 1e-9), strict=True)):
        count = int(np.floor(wanted * share + rng.uniform()))
        sigma = profile.public_roof_sigma
        points = scatter(town, 4 * count, rng)
        area = profile.public_roof_mean_m2 * rng.lognormal(-(sigma**2) / 2, sigma, len(points))
        area = np.clip(area, 400, 9_000)
        aspect = rng.uniform(1.4, 3.5, len(points))
        length = np.sqrt(area * aspect)
        blocks = rectangles(points, length, area / length, rng.normal(0, 0.08, len(points)))
        shapely.prepare(town)
        inside = shapely.contains_properly(town, blocks)
        blocks, points = blocks[inside], points[inside]
        # 190 m is longer than the diagonal of the largest block
        blocks = blocks[thin(points, 190.0)][:count]
        roofs.append(blocks)
        owners.append(np.full(len(blocks), number))
    shapes = np.concatenate(roofs) if roofs else as_shapes([])
    kinds = rng.choice(np.array(_PUBLIC_KINDS, dtype=object), len(shapes), p=[0.5, 0.12, 0.2, 0.18])
    return shapes, pd.DataFrame({"kind": kinds}), np.concatenate(owners) if owners else np.empty(0, np.int64)


def _names(profile: LandProfile, rng: np.random.Generator, count: int, endings: tuple[str, ...]) -> list[str]:
    """Names such as 大王庄: a size word now and then, a surname, an ending."""
    first = rng.choice(np.array(["", "", "", "大", "小", "前", "后", "东", "西"], dtype=object), count)
    surname = rng.choice(np.array(profile.surnames_zh, dtype=object), count)
    ending = rng.choice(np.array(endings, dtype=object), count)
    return [f"{a}{b}{c}" for a, b, c in zip(first, surname, ending, strict=True)]


def _unique(names: list[str], count: int) -> list[str]:
    """The first ``count`` different names; numbered ones when they run out."""
    found = list(dict.fromkeys(names))[:count]
    return found + [f"第{i + 1}镇" for i in range(len(found), count)]
