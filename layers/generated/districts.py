"""Generated districts: an invented region of any size, from a village to a province."""

from __future__ import annotations

import tomllib
from importlib import resources

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import Geod, Transformer
from scipy.spatial import cKDTree

from layers.contracts import DISTRICTS, Finding, InputError
from layers.frame import cgcs2000_zone
from layers.generated.shapes import (
    Floats,
    Ground,
    Outlines,
    Shapes,
    as_shapes,
    generator,
    outlines,
    scatter,
    smooth_noise,
)

_REGION_STYLE = Outlines(vertices=72, squareness=2.2, roughness=0.06, aspect=(1.0, 1.5), angle_sigma=3.0)
_GRAINS = 220
"""Voronoi cells per district from which the borders are made: more give finer borders."""


def generate_districts(
    *,
    centre_lon: float,
    centre_lat: float,
    area_km2: float,
    count: int,
    population: float,
    seed: int,
    crs: str | None = None,
) -> gpd.GeoDataFrame:
    """Districts of an invented region.

    Parameters
    ----------
    centre_lon, centre_lat
        Middle of the region, WGS-84 degrees.
    area_km2
        Geodesic area of the whole region, met to 1 in 10 000.
    count
        Number of districts.
    population
        Inhabitants of the region; the first district is the most crowded.
    crs
        Metric CRS; by default the CGCS2000 zone of the centre.

    Returns
    -------
    GeoDataFrame
        Follows ``DISTRICTS``. Districts are valid, share their borders vertex by vertex, and together are the region.

    Raises
    ------
    InputError
        If area or count is not above 0, or the population is below 0.

    Notes
    -----
    Seeds in the region, relaxed by Lloyd's method, take the small Voronoi cells nearest to them on a warped plane; the
    borders are then simplified together, as a coverage, so that neighbours never part.
    """
    _check(area_km2, count, population)
    metric = crs or cgcs2000_zone(centre_lon)
    to_metric = Transformer.from_crs(4326, metric, always_xy=True)
    centre = np.array(to_metric.transform(centre_lon, centre_lat))[None, :]
    rng = generator(seed, "districts")
    region = outlines(centre, np.array([area_km2 * 1e6]), _REGION_STYLE, rng)[0]
    parts = _partition(region, count, rng)
    # the projection's area differs from the ellipsoid's by up to 0.1 %
    scale = float(np.sqrt(area_km2 / _geodesic_km2(parts, metric).sum()))
    x, y = centre[0]
    parts = as_shapes(shapely.transform(parts, lambda xy: (xy - (x, y)) * scale + (x, y)))
    parts = parts[np.argsort(shapely.distance(shapely.centroid(parts), shapely.points(x, y)), kind="stable")]
    areas = _geodesic_km2(parts, metric)
    crowding = rng.lognormal(0, 0.35, count)
    most = int(np.argmax(crowding))
    crowding[[0, most]] = crowding[[most, 0]]
    crowding = crowding * areas
    names = _names(count, float(areas.mean()), rng)
    table = gpd.GeoDataFrame(
        {
            "district_code": pd.Series([f"G{k + 1:05d}" for k in range(count)], dtype=object),
            "name_zh": pd.Series([zh for zh, _ in names], dtype=object),
            "name_en": pd.Series([en for _, en in names], dtype=object),
            "area_km2": areas,
            "population": _whole(population * crowding / crowding.sum(), population),
        },
        geometry=parts,
        crs=metric,
    )
    return DISTRICTS.validate(table)


def _check(area_km2: float, count: int, population: float) -> None:
    faults = [
        ("area_km2", area_km2, "The area is above 0 km2.", area_km2 > 0),
        ("count", count, "There is at least one district.", count >= 1),
        ("population", population, "A population is not below 0.", population >= 0),
    ]
    found = [
        Finding(
            "error", "generated.out_of_range", "generated districts", "districts", k, str(v), text, "Mend the value."
        )
        for k, v, text, good in faults
        if not good
    ]
    if found:
        raise InputError(found)


def _partition(region: Ground, count: int, rng: np.random.Generator) -> Shapes:
    """``count`` parts of the region with shared, uneven borders."""
    if count == 1:
        return as_shapes([region])
    grains = scatter(region, _GRAINS * count, rng)
    seeds = _relaxed(grains[:count], grains, rounds=12)
    spacing = np.sqrt(region.area / count)
    warp = np.stack([smooth_noise(grains, 0.7 * spacing, rng) for _ in range(2)], axis=1)
    owner = cKDTree(seeds).query(grains + 0.07 * spacing * warp)[1]
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(grains), extend_to=region, ordered=True))
    owner = _in_one_piece(cells, owner, grains, count)
    parts = as_shapes([shapely.coverage_union_all(cells[owner == k]) for k in range(count)])
    smooth = as_shapes(
        shapely.coverage_simplify(parts, 0.5 * np.sqrt(region.area / len(grains)), simplify_boundary=False)
    )
    return _cut_out(smooth, region)


def _cut_out(parts: Shapes, region: Ground) -> Shapes:
    """Parts within the region; the outline's vertices are noded with the inner borders."""
    lines = shapely.union_all(np.concatenate([shapely.boundary(parts), [shapely.boundary(region)]]), grid_size=0.001)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    inner = shapely.point_on_surface(faces)
    faces, inner = faces[shapely.contains(region, inner)], inner[shapely.contains(region, inner)]
    part = shapely.STRtree(parts).query(inner, predicate="within")
    owner = np.full(len(faces), -1)
    owner[part[0]] = part[1]
    return as_shapes([shapely.coverage_union_all(faces[owner == k]) for k in range(len(parts))])


def _relaxed(seeds: Floats, grains: Floats, rounds: int) -> Floats:
    """Seeds moved to the middle of the grains nearest to them."""
    for _ in range(rounds):
        owner = cKDTree(seeds).query(grains)[1]
        number = np.bincount(owner, minlength=len(seeds))
        sums = np.stack([np.bincount(owner, grains[:, a], len(seeds)) for a in (0, 1)], axis=1)
        seeds = np.where(number[:, None] > 0, sums / np.maximum(number, 1)[:, None], seeds)
    return seeds


def _in_one_piece(cells: Shapes, owner: npt.NDArray[np.int64], grains: Floats, count: int) -> npt.NDArray[np.int64]:
    """Owners with stray cells given to the nearest cell of another district's main body."""
    main = np.zeros(len(cells), dtype=bool)
    for k in range(count):
        own = np.flatnonzero(owner == k)
        bodies = shapely.get_parts(shapely.coverage_union_all(cells[own]))
        largest = bodies[np.argmax(shapely.area(bodies))]
        main[own] = shapely.contains(largest, shapely.point_on_surface(cells[own]))
    stray = np.flatnonzero(~main)
    body = np.flatnonzero(main)
    result = owner.copy()
    if len(stray):
        result[stray] = owner[body[cKDTree(grains[body]).query(grains[stray])[1]]]
    return result


def _geodesic_km2(shapes: Shapes, crs: str) -> Floats:
    """Area on the WGS-84 ellipsoid [km2]."""
    degrees = gpd.GeoSeries(shapes, crs=crs).to_crs(4326)
    geod = Geod(ellps="WGS84")
    return np.array([abs(geod.geometry_area_perimeter(shape)[0]) / 1e6 for shape in degrees])


def _whole(values: Floats, total: float) -> Floats:
    """Values rounded to whole numbers with the first one closing the sum, so that they add up to ``total``."""
    rounded = np.floor(values)
    rounded[0] += total - rounded.sum()
    return rounded


def _names(count: int, mean_km2: float, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Different invented names in Chinese and English."""
    text = (resources.files("layers.generated") / "profiles" / "names-districts.toml").read_text("utf-8")
    data = tomllib.loads(text)
    kind = next(c for c in data["classes"] if mean_km2 >= c["from_km2"])
    pairs = [(a, b) for a in data["first"] for b in data["second"]]
    picked = [pairs[i] for i in rng.permutation(len(pairs))]
    names = []
    for k in range(count):
        (a, b), again = picked[k % len(picked)], k // len(picked)
        suffix = str(again + 1) if again else ""
        names.append((f"{a[0]}{b[0]}{suffix}{kind['zh']}", f"{a[1]}{b[1]}{suffix} {kind['en']}"))
    return names
