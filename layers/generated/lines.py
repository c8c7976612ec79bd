"""Lines that cross a region: rivers, streams, motorways, railways, and the roads that join towns.

Rivers, motorways and railways are curves in absolute coordinates, numbered by whole numbers, so that they go on
across any border and do not depend on which districts are asked for::

        n (across)                   curve k:  position across = spacing * (k + 1/2 + jitter) + slow waves(s)
        ^   ~~~~~~~~~~ k = 2
        |   ~~~~~~~~~~ k = 1         streams run between two rivers and fall into the nearer one
        +------------> s (along)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import Delaunay, QhullError, cKDTree

from layers.generated.profiles import LandProfile
from layers.generated.shapes import Floats, Shapes, as_shapes, generator

Bounds = tuple[float, float, float, float]
_MARGIN_M = 12_000.0
_SIGHT_M = 5_000.0
"""County seats look this far for a river."""
_STREAM_PERIOD_M, _STREAM_GAP_M, _CONFLUENCE_M = 42_000.0, 4_000.0, 9_000.0


@dataclass(frozen=True)
class Axis:
    """Coordinates along (s) and across (n, to the left) a direction given as azimuth from north."""

    azimuth_deg: float

    @property
    def along(self) -> Floats:
        a = np.radians(self.azimuth_deg)
        return np.array([np.sin(a), np.cos(a)])

    @property
    def across(self) -> Floats:
        x, y = self.along
        return np.array([-y, x])

    def ranges(self, bounds: Bounds) -> tuple[float, float, float, float]:
        """(s from, s to, n from, n to) that hold ``bounds`` with a margin."""
        left, bottom, right, top = bounds
        corners = np.array([(left, bottom), (left, top), (right, bottom), (right, top)])
        s, n = corners @ self.along, corners @ self.across
        return s.min() - _MARGIN_M, s.max() + _MARGIN_M, n.min() - _MARGIN_M, n.max() + _MARGIN_M

    def line(self, s: Floats, n: Floats) -> shapely.LineString:
        return shapely.LineString(s[:, None] * self.along + n[:, None] * self.across)


@dataclass(frozen=True)
class Family:
    """Curves of one kind. ``waves``: (amplitude, wavelength) as shares of the spacing."""

    theme: str
    axis: Axis
    spacing_m: float
    jitter_share: float
    waves: tuple[tuple[float, float], ...]
    seed: int

    def numbers(self, bounds: Bounds) -> range:
        _, _, low, high = self.axis.ranges(bounds)
        return range(int(np.floor(low / self.spacing_m)) - 1, int(np.ceil(high / self.spacing_m)) + 1)

    def across(self, number: int, s: Floats) -> Floats:
        """Position across of curve ``number`` at ``s``."""
        rng = generator(self.seed, self.theme, number)
        n = np.full(len(s), (number + 0.5 + rng.uniform(-1, 1) * self.jitter_share) * self.spacing_m)
        for amplitude, wavelength in self.waves:
            size = rng.uniform(0.6, 1.2) * amplitude * self.spacing_m
            length = rng.uniform(0.75, 1.3) * wavelength * self.spacing_m
            n += size * np.sin(2 * np.pi * s / length + rng.uniform(0, 2 * np.pi))
        return n


def rivers(bounds: Bounds, seed: int, profile: LandProfile) -> pd.DataFrame:
    """Main rivers and streams that come within 5 km of ``bounds``.

    Columns: ``line`` (shapely), ``width_m``, ``class`` (``river``, ``stream``), ``name``. Main rivers come first.
    """
    family = Family(
        "river",
        Axis(profile.river_azimuth_deg),
        profile.river_spacing_m,
        0.2,
        ((0.10, 1.3), (0.028, 0.42), (0.012, 0.16)),
        seed,
    )
    start, stop, _, _ = family.axis.ranges(bounds)
    s = _steps(start, stop, 100.0)
    rows = [
        (
            family.axis.line(s, family.across(k, s)),
            profile.river_width_m * generator(seed, "river width", k).uniform(0.6, 1.5),
            "river",
            _name(profile, generator(seed, "river name", k), "河"),
        )
        for k in family.numbers(bounds)
    ]
    streams = [row for k in family.numbers(bounds) for row in _streams(family, k, start, stop, profile)]
    table = pd.DataFrame(rows + streams, columns=["line", "width_m", "class", "name"])
    inside = shapely.dwithin(as_shapes(table["line"]), shapely.box(*bounds), _SIGHT_M)
    return table[inside].reset_index(drop=True)


def _streams(
    family: Family, number: int, start: float, stop: float, profile: LandProfile
) -> Iterator[tuple[shapely.LineString, float, str, str]]:
    """Streams between river ``number`` and the next one; each runs some 40 km."""
    lanes = int(profile.stream_lanes)
    for lane in range(1, lanes + 1):
        first, last = int(np.floor(start / _STREAM_PERIOD_M)) - 1, int(np.ceil(stop / _STREAM_PERIOD_M)) + 1
        for part in range(first, last):
            rng = generator(family.seed, "stream", number, lane, part)
            # part k and part k + 1 never overlap along s: their random offsets differ by less than the gap
            begin = part * _STREAM_PERIOD_M + rng.uniform(0, 0.5) * _STREAM_GAP_M + lane * 0.37 * _STREAM_PERIOD_M
            s = _steps(begin, begin + _STREAM_PERIOD_M - _STREAM_GAP_M, 80.0)
            here = lane / (lanes + 1) + rng.uniform(-0.06, 0.06)
            mouth = {1: 0.0, lanes: 1.0}.get(lane, here)
            u = np.clip(1 - (s[-1] - s) / _CONFLUENCE_M, 0, 1)
            share = here + (mouth - here) * u * u * (3 - 2 * u)
            low, high = family.across(number, s), family.across(number + 1, s)
            n = low + share * (high - low)
            for amplitude, length in ((0.02, 0.33), (0.008, 0.12)):
                phase = rng.uniform(0, 2 * np.pi)
                n = n + (1 - u) * amplitude * family.spacing_m * np.sin(
                    2 * np.pi * s / (length * family.spacing_m) + phase
                )
            width = profile.stream_width_m * rng.uniform(0.6, 1.4)
            yield family.axis.line(s, n), width, "stream", _name(profile, rng, "沟")


def trunk_roads(bounds: Bounds, seed: int, profile: LandProfile) -> pd.DataFrame:
    """Motorways: two families of long, gently curved lines. Columns as :func:`rivers`."""
    waves = ((0.05, 1.7), (0.012, 0.5))
    rows = []
    for theme, turn in (("motorway a", 4.0), ("motorway b", 93.0)):
        family = Family(theme, Axis(profile.river_azimuth_deg + turn), profile.motorway_spacing_m, 0.2, waves, seed)
        rows += _whole_lines(family, bounds, profile.motorway_width_m, "motorway", "高速")
    return pd.DataFrame(rows, columns=["line", "width_m", "class", "name"])


def railways(bounds: Bounds, seed: int, profile: LandProfile) -> pd.DataFrame:
    """Railways; columns as :func:`rivers`."""
    family = Family(
        "railway",
        Axis(profile.river_azimuth_deg + 55.0),
        profile.railway_spacing_m,
        0.15,
        ((0.03, 1.4), (0.008, 0.5)),
        seed,
    )
    rows = _whole_lines(family, bounds, profile.railway_width_m, "railway", "铁路")
    return pd.DataFrame(rows, columns=["line", "width_m", "class", "name"])


def _whole_lines(
    family: Family, bounds: Bounds, width_m: float, class_: str, ending: str
) -> list[tuple[shapely.LineString, float, str, str]]:
    start, stop, _, _ = family.axis.ranges(bounds)
    s = _steps(start, stop, 250.0)
    lines = [(k, family.axis.line(s, family.across(k, s))) for k in family.numbers(bounds)]
    box = shapely.box(*bounds)
    return [(line, width_m, class_, f"{ending}{k % 90 + 10}") for k, line in lines if shapely.intersects(line, box)]


def town_roads(towns: pd.DataFrame, seed: int, profile: LandProfile) -> pd.DataFrame:
    """Roads that join towns: national roads between county seats, county roads between all towns.

    ``towns`` has ``x``, ``y``, ``name`` and ``is_seat``. Two towns are joined when no third one lies in the circle
    over their distance (Gabriel graph). Columns as :func:`rivers`.
    """
    rows = []
    seats = towns[towns["is_seat"]]
    for table, class_, width in (
        (seats, "national", profile.national_road_width_m),
        (towns, "county", profile.county_road_width_m),
    ):
        xy = table[["x", "y"]].to_numpy(float)
        names = table["name"].to_numpy()
        for i, j in gabriel_edges(xy):
            rng = generator(seed, "road", class_, *np.round(xy[i]).astype(int), *np.round(xy[j]).astype(int))
            rows.append((_curved(xy[i], xy[j], rng), width, class_, f"{names[i]}—{names[j]}"))
    return pd.DataFrame(rows, columns=["line", "width_m", "class", "name"])


def gabriel_edges(points: Floats) -> list[tuple[int, int]]:
    """Edges (i < j, sorted) of the Gabriel graph of ``points``; connected, without crossings."""
    if len(points) < 2:
        return []
    if len(points) == 2:
        return [(0, 1)]
    try:
        triangles = Delaunay(points).simplices
        pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
    except QhullError:  # all on one line: neighbours along it
        order = np.lexsort((points[:, 1], points[:, 0]))
        pairs = np.stack([order[:-1], order[1:]], axis=1)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    middle = (points[pairs[:, 0]] + points[pairs[:, 1]]) / 2
    radius = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T) / 2
    nearest = cKDTree(points).query(middle)[0]
    return [(int(i), int(j)) for i, j in pairs[nearest >= radius * (1 - 1e-9)]]


def _curved(a: Floats, b: Floats, rng: np.random.Generator) -> shapely.LineString:
    u = np.linspace(0, 1, 13)
    side = np.array([a[1] - b[1], b[0] - a[0]])
    bend = 0.05 * rng.normal() * np.sin(np.pi * u) + 0.02 * rng.normal() * np.sin(2 * np.pi * u)
    return shapely.LineString(a + u[:, None] * (b - a) + bend[:, None] * side)


def strips(lines: pd.DataFrame, extra_m: float = 0.0) -> Shapes:
    """Ground of the lines: half their width plus ``extra_m`` to both sides, square ends."""
    half = lines["width_m"].to_numpy(float) / 2 + extra_m
    return as_shapes(shapely.buffer(as_shapes(lines["line"]), half, quad_segs=3, cap_style="flat", join_style="round"))


def _steps(start: float, stop: float, step: float) -> Floats:
    """Whole multiples of ``step`` from at or before ``start`` to at or after ``stop``."""
    return np.arange(np.floor(start / step), np.ceil(stop / step) + 1) * step


def _name(profile: LandProfile, rng: np.random.Generator, ending: str) -> str:
    return f"{profile.surnames_zh[int(rng.integers(len(profile.surnames_zh)))]}{ending}"
