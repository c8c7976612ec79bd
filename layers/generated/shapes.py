"""Shapes of generated land, made in bulk: organic outlines, rotated rectangles, scattered points, smooth noise.

Every function takes arrays and a seeded generator and returns arrays; none reads or writes anything. Positions are
(x, y) in metres, angles in radians anticlockwise from east.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
Ground = shapely.Polygon | shapely.MultiPolygon


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """Generator of one theme: ``generator(seed, district_code, "village")``.

    The stream depends on the seed and the path only, so that what one district draws never depends on how many
    numbers another one drew, or on the order of the districts.
    """
    words = [zlib.crc32(str(part).encode("utf-8")) for part in path]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(words)))


@dataclass(frozen=True)
class Outlines:
    """How outlines are drawn. ``squareness`` 2 is an ellipse, 4 and more a rounded rectangle; ``roughness`` is the
    relative standard deviation of the radius; ``aspect`` is length over width."""

    vertices: int = 16
    squareness: float = 3.5
    roughness: float = 0.12
    aspect: tuple[float, float] = (1.0, 2.0)
    angle_sigma: float = 0.15


def outlines(
    centres: Floats,
    areas_m2: Floats,
    style: Outlines,
    rng: np.random.Generator,
    *,
    angles: Floats | None = None,
    radius_max_m: Floats | None = None,
) -> Shapes:
    """Organic outlines of given area around given centres, shape (n,).

    An outline is star-shaped about its centre (angles strictly increase), hence never crosses itself. Where
    ``radius_max_m`` is given the whole outline is shrunk until no vertex is farther out.
    """
    n, k = len(centres), style.vertices
    step = 2 * np.pi / k
    theta = np.arange(k) * step + rng.uniform(-0.35, 0.35, (n, k)) * step
    radius = _superellipse(theta, rng.uniform(*style.aspect, n), style.squareness)
    radius = radius * np.exp(style.roughness * _ring_noise(theta, rng))
    x, y = radius * np.cos(theta), radius * np.sin(theta)
    unit = 0.5 * np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(axis=1))
    scale = np.sqrt(areas_m2 / unit)
    if radius_max_m is not None:
        scale = np.minimum(scale, radius_max_m / radius.max(axis=1))
    turn = rng.normal(0.0, style.angle_sigma, n) + (0.0 if angles is None else angles)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    ring = np.stack([x * cos - y * sin, x * sin + y * cos], axis=2) * scale[:, None, None]
    return as_shapes(shapely.polygons(ring + centres[:, None, :]))


def _superellipse(theta: Floats, aspect: Floats, squareness: float) -> Floats:
    long, wide = np.sqrt(aspect)[:, None], 1 / np.sqrt(aspect)[:, None]
    return ((np.abs(np.cos(theta)) / long) ** squareness + (np.abs(np.sin(theta)) / wide) ** squareness) ** (
        -1 / squareness
    )


def _ring_noise(theta: Floats, rng: np.random.Generator) -> Floats:
    """Noise around a ring: a few slow waves and a little of its own at each vertex; about standard normal."""
    n = len(theta)
    noise = 0.5 * rng.standard_normal(theta.shape)
    for wave in (2, 3, 5):
        noise = noise + rng.normal(0, 0.7, (n, 1)) * np.cos(wave * theta + rng.uniform(0, 2 * np.pi, (n, 1)))
    return noise


def rectangles(centres: Floats, lengths_m: Floats, widths_m: Floats, angles: Floats) -> Shapes:
    """Rectangles of given length (along ``angles``) and width, shape (n,)."""
    corner = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    x, y = corner[:, 0] * lengths_m[:, None], corner[:, 1] * widths_m[:, None]
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    ring = np.stack([x * cos - y * sin, x * sin + y * cos], axis=2)
    return as_shapes(shapely.polygons(ring + centres[:, None, :]))


def lattice(rows: int, columns: int, pitch_x_m: float, pitch_y_m: float) -> Floats:
    """Centres of a lattice about the origin, shape (rows * columns, 2)."""
    x = (np.arange(columns) - (columns - 1) / 2) * pitch_x_m
    y = (np.arange(rows) - (rows - 1) / 2) * pitch_y_m
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def rotate(points: Floats, angle: float) -> Floats:
    """Points turned about the origin."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


def scatter(area: Ground, count: int, rng: np.random.Generator) -> Floats:
    """``count`` points uniformly within a polygon, shape (count, 2)."""
    left, bottom, right, top = area.bounds
    share = area.area / max((right - left) * (top - bottom), 1e-9)
    shapely.prepare(area)
    found: list[Floats] = []
    missing = count
    while missing > 0:
        points = rng.uniform((left, bottom), (right, top), (int(missing / share * 1.2) + 16, 2))
        inside = points[shapely.contains_xy(area, points[:, 0], points[:, 1])][:missing]
        found.append(inside)
        missing -= len(inside)
    return np.concatenate(found) if found else np.empty((0, 2))


def thin(points: Floats, distance_m: float) -> npt.NDArray[np.bool_]:
    """Mask of the points kept when, in their order, each one must be ``distance_m`` from those kept before."""
    pairs = cKDTree(points).query_pairs(distance_m, output_type="ndarray") if len(points) else np.empty((0, 2), int)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]  # first index is the smaller one
    starts = np.searchsorted(pairs[:, 0], np.arange(len(points) + 1))
    free = np.ones(len(points), dtype=bool)
    for i in np.unique(pairs[:, 0]):
        if free[i]:
            free[pairs[starts[i] : starts[i + 1], 1]] = False
    return free


def nearest_distance(points: Floats, otherwise_m: float) -> Floats:
    """Distance of each point to its nearest fellow [m]; ``otherwise_m`` for a single point."""
    if len(points) < 2:
        return np.full(len(points), otherwise_m)
    return np.asarray(cKDTree(points).query(points, k=2)[0][:, 1])


def smooth_noise(points: Floats, wavelength_m: float, rng: np.random.Generator, waves: int = 24) -> Floats:
    """Smooth random field with mean 0 and variance 1 at ``points``, shape (n,).

    A sum of plane waves in absolute coordinates: neighbouring districts that use the same generator state see the
    same field, without a seam.
    """
    direction = rng.uniform(0, 2 * np.pi, waves)
    number = 2 * np.pi / (wavelength_m * rng.uniform(0.6, 1.6, waves))
    phase = rng.uniform(0, 2 * np.pi, waves)
    field = np.zeros(len(points))
    for d, k, p in zip(direction, number, phase, strict=True):
        field += np.cos(k * (points[:, 0] * np.cos(d) + points[:, 1] * np.sin(d)) + p)
    return np.asarray(field * np.sqrt(2 / waves))


def as_shapes(geometries: object) -> Shapes:
    """Geometries as a one-dimensional object array."""
    return np.atleast_1d(np.asarray(geometries, dtype=object))
