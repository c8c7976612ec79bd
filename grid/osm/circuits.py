"""Circuits from tags, and joints out of the graph.

::

    A ---2--- j ---3--- B        becomes     A ---2--- B       (a joint with two neighbours, in series)
    A --- k --- B                stays a bus, for C joins there as well
          |
          C
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

LEVEL_RANGES_KV = {500.0: (480.0, 550.0), 220.0: (210.0, 240.0)}
CABLES_PER_CIRCUIT = 3

Evidence = Literal["cables", "list", "default"]


@dataclass(frozen=True)
class Circuits:
    """Circuits per level of one mapped line, how the number is known, and listed circuits of other levels."""

    by_level: tuple[tuple[float, int], ...]
    evidence: Evidence
    other_levels: int


@dataclass(frozen=True)
class Edge:
    """Circuits of one level between two nodes (``a < b``); ``path`` are the nodes passed from a to b."""

    a: int
    b: int
    vn_kv: float
    circuits: int
    length_km: float
    path: tuple[int, ...]


@dataclass(frozen=True)
class Reduced:
    """Edges without joints of two neighbours, and (node, level) pairs that were removed or stay."""

    edges: tuple[Edge, ...]
    merged: tuple[tuple[int, float], ...]
    dead_ends: tuple[tuple[int, float], ...]


def level_kv(text: str) -> float | None:
    """Level of a voltage in volts as text: 500 or 220, None for any other or unreadable one."""
    try:
        kv = float(text) / 1000
    except ValueError:
        return None
    return next((level for level, (low, high) in LEVEL_RANGES_KV.items() if low <= kv <= high), None)


def split_list(text: str) -> list[str]:
    """Entries of a list such as ``500000;220000``."""
    return [part.strip() for part in text.split(";") if part.strip()]


def circuits_of(voltage: str, cables: str, default: int) -> Circuits:
    """Circuits per level from the tags of one line.

    A list of voltages names one entry a circuit or group; a list of cables of the same length gives each entry's
    circuits (3 cables each). One voltage takes all cables. One number of cables for a list of equal voltages is
    their total. Where cables are unknown, a list counts one circuit an entry, a single voltage ``default``.
    """
    entries = split_list(voltage)
    levels = [level_kv(entry) for entry in entries]
    counts = [_circuits(entry) for entry in split_list(cables)]
    numbers, evidence = _numbers(levels, counts, default)
    by_level: dict[float, int] = {}
    for level, number in zip(levels, numbers, strict=True):
        if level is not None:
            by_level[level] = by_level.get(level, 0) + number
    return Circuits(tuple(sorted(by_level.items(), reverse=True)), evidence, sum(level is None for level in levels))


def _circuits(cables: str) -> int | None:
    known = cables.isdigit() and int(cables) > 0 and int(cables) % CABLES_PER_CIRCUIT == 0
    return int(cables) // CABLES_PER_CIRCUIT if known else None


def _numbers(levels: list[float | None], counts: list[int | None], default: int) -> tuple[list[int], Evidence]:
    known = [count for count in counts if count is not None]
    complete = bool(counts) and len(known) == len(counts)
    if len(levels) == 1:
        return ([sum(known)], "cables") if complete else ([default], "default")
    if complete and len(counts) == len(levels):
        return known, "cables"
    if complete and len(counts) == 1 and len(set(levels)) == 1 and known[0] >= len(levels):
        return [known[0] - len(levels) + 1] + [1] * (len(levels) - 1), "cables"
    return [1] * len(levels), "list"


def parallel_merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """One edge a pair of nodes and level: circuits added, length the mean over circuits; loops left out."""
    groups: dict[tuple[int, int, float], list[Edge]] = {}
    for edge in edges:
        if edge.a != edge.b:
            turned = edge if edge.a < edge.b else Edge(edge.b, edge.a, edge.vn_kv, edge.circuits, edge.length_km, edge.path[::-1])  # fmt: skip  # noqa: E501
            groups.setdefault((turned.a, turned.b, turned.vn_kv), []).append(turned)
    return tuple(_together(groups[key]) for key in sorted(groups))


def _together(edges: list[Edge]) -> Edge:
    circuits = sum(edge.circuits for edge in edges)
    length = sum(edge.circuits * edge.length_km for edge in edges) / circuits
    first = min(edges, key=lambda edge: (edge.length_km, edge.path))
    return Edge(first.a, first.b, first.vn_kv, circuits, length, first.path)


def without_joints(edges: Iterable[Edge], joints: Iterable[int], kept: Iterable[tuple[int, float]] = ()) -> Reduced:
    """Merge joints of two neighbours in series, level by level, and cut joints where a line ends in nothing.

    ``kept`` are (node, level) pairs that stay whatever their degree (a line was cut there).
    """
    edges = parallel_merged(edges)
    candidates, stay = sorted(set(joints)), set(kept)
    merged: list[tuple[int, float]] = []
    dead: list[tuple[int, float]] = []
    changed = True
    while changed:
        changed = False
        for joint in candidates:
            for level in LEVEL_RANGES_KV:
                here = [e for e in edges if e.vn_kv == level and joint in (e.a, e.b)]
                if (joint, level) in stay or not 1 <= len(here) <= 2:
                    continue
                rest = [e for e in edges if e not in here]
                if len(here) == 2:
                    rest.append(_in_series(here[0], here[1], joint))
                    merged.append((joint, level))
                else:
                    dead.append((joint, level))
                edges, changed = parallel_merged(rest), True
    return Reduced(edges, tuple(merged), tuple(dead))


def _in_series(first: Edge, second: Edge, joint: int) -> Edge:
    into = first.path if first.b == joint else first.path[::-1]
    out = second.path if second.a == joint else second.path[::-1]
    length = first.length_km + second.length_km
    return Edge(into[0], out[-1], first.vn_kv, min(first.circuits, second.circuits), length, into + out[1:])


def level_from_ends(known: Mapping[int, frozenset[float]], a: int, b: int) -> float | None:
    """Lowest level that both ends share, None if they share none."""
    shared = known.get(a, frozenset()) & known.get(b, frozenset())
    return min(shared) if shared else None
