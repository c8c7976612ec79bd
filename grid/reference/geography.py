"""Where stations stand: load shared out by balanced bisection, everything deterministic.

Positions are (x, y) in km east and north of the load's middle; a local plane is good to 0.5 % over a province's
width in these latitudes, which is far below the detour factor's uncertainty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import networkx as nx
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_KM_PER_DEGREE = 111.195
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class LocalPlane:
    """Equirectangular plane around (lon0, lat0)."""

    lon0: float
    lat0: float

    def to_km(self, lon: Floats, lat: Floats) -> Floats:
        """Shape (n, 2)."""
        east = (np.asarray(lon, float) - self.lon0) * _KM_PER_DEGREE * math.cos(math.radians(self.lat0))
        return np.column_stack([east, (np.asarray(lat, float) - self.lat0) * _KM_PER_DEGREE])

    def to_degree(self, xy: Floats) -> tuple[float, float]:
        """(lon, lat) of one point, rounded to 1e-6 degree."""
        lon = self.lon0 + xy[0] / _KM_PER_DEGREE / math.cos(math.radians(self.lat0))
        return round(float(lon), 6), round(float(self.lat0 + xy[1] / _KM_PER_DEGREE), 6)


def split_heavy_points(xy: Floats, weight: Floats, largest: float, spread_km: float) -> tuple[Floats, Floats, Ints]:
    """Points of which none is heavier than ``largest``: heavy ones become a sunflower of equal parts.

    Returns the new positions, the new weights and the row of the original point.
    """
    parts = np.maximum(1, np.ceil(weight / largest - 1e-9)).astype(np.int64)
    origin = np.repeat(np.arange(len(weight)), parts)
    rank = np.concatenate([np.arange(n) for n in parts]) if len(parts) else np.zeros(0)
    count = parts[origin]
    radius = np.where(count > 1, spread_km * np.sqrt(rank + 0.5), 0.0)
    turn = rank * _GOLDEN_ANGLE
    offset = np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])
    return xy[origin] + offset, weight[origin] / count, origin


def balanced_groups(xy: Floats, weight: Floats, groups: int) -> Ints:
    """Label of each point in ``groups`` compact groups of about equal weight.

    Cuts the points across their longer extent so that the weights on both sides stand as the numbers of groups on
    both sides, again and again. A group is never empty.

    Raises
    ------
    ValueError
        If there are fewer points than groups.
    """
    if len(xy) < groups or groups < 1:
        raise ValueError(f"{groups} groups of {len(xy)} points")
    label = np.zeros(len(xy), dtype=np.int64)
    _bisect(xy, weight, np.arange(len(xy)), groups, 0, label)
    return label


def _bisect(xy: Floats, weight: Floats, members: Ints, groups: int, first: int, label: Ints) -> None:
    if groups == 1:
        label[members] = first
        return
    left_groups = groups // 2
    extent = np.ptp(xy[members], axis=0)
    axis = int(extent[1] > extent[0])
    order = members[np.lexsort((members, xy[members, 1 - axis], xy[members, axis]))]
    reached = np.cumsum(weight[order])
    goal = reached[-1] * left_groups / groups
    cut = int(np.argmin(np.abs(reached - goal))) + 1
    cut = min(max(cut, left_groups), len(order) - (groups - left_groups))
    _bisect(xy, weight, order[:cut], left_groups, first, label)
    _bisect(xy, weight, order[cut:], groups - left_groups, first + left_groups, label)


def apportion(weights: dict[str, float], total: int, at_least: dict[str, int]) -> dict[str, int]:
    """Share ``total`` among keys by weight (largest remainder), none below its minimum.

    The sum exceeds ``total`` only where the minima do.
    """
    keys = sorted(weights)
    whole = sum(weights.values())
    quota = {key: total * weights[key] / whole if whole > 0 else total / len(keys) for key in keys}
    given = {key: max(at_least.get(key, 0), math.floor(quota[key])) for key in keys}
    while sum(given.values()) < total:
        key = max(keys, key=lambda k: (quota[k] - given[k], weights[k], k))
        given[key] += 1
    while sum(given.values()) > total:
        spare = [key for key in keys if given[key] > at_least.get(key, 0)]
        if not spare:
            break
        given[min(spare, key=lambda k: (quota[k] - given[k], k))] -= 1
    return given


def weighted_middle(xy: Floats, weight: Floats) -> Floats:
    total = weight.sum()
    middle: Floats = (xy * weight[:, None]).sum(axis=0) / total if total > 0 else xy.mean(axis=0)
    return middle


def distances(a: Floats, b: Floats) -> Floats:
    """Straight distances [km], shape (len(a), len(b))."""
    return np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])


def mesh_edges(xy: Floats) -> list[tuple[int, int, int]]:
    """(i, j, circuits) of a mesh without bridges: the shortest tree, each point's two nearest, doubled bridges."""
    n = len(xy)
    if n < 2:
        return []
    apart = distances(xy, xy)
    complete = nx.Graph()
    complete.add_weighted_edges_from((i, j, float(apart[i, j])) for i in range(n) for j in range(i + 1, n))
    graph = nx.Graph(nx.minimum_spanning_edges(complete, algorithm="kruskal", data=False))
    for i in range(n):
        near = [int(j) for j in np.lexsort((np.arange(n), apart[i])) if j != i][:2]
        graph.add_edges_from((i, j) for j in near)
    weak = {tuple(sorted(edge)) for edge in nx.bridges(graph)}
    edges = sorted((min(i, j), max(i, j)) for i, j in graph.edges)
    return [(i, j, 2 if (i, j) in weak else 1) for i, j in edges]


def loops_around(centre: Floats, xy: Floats, largest: int) -> list[list[int]]:
    """Members in loops that start and end at ``centre``: sorted by direction, cut into runs of at most ``largest``."""
    if not len(xy):
        return []
    direction = np.arctan2(xy[:, 1] - centre[1], xy[:, 0] - centre[0])
    order = [int(i) for i in np.lexsort((np.arange(len(xy)), direction))]
    if len(order) > 1:  # begin behind the widest gap, so that no loop spans it
        turned = direction[order]
        gaps = np.diff(np.concatenate([turned, [turned[0] + 2 * np.pi]]))
        start = (int(np.argmax(gaps)) + 1) % len(order)
        order = order[start:] + order[:start]
    runs = math.ceil(len(order) / largest)
    return [list(map(int, part)) for part in np.array_split(np.array(order), runs)]
