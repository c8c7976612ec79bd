"""Sites behind one corridor, and figures of stations, counties and the whole that never contradict one another.

Two sites are behind one corridor if the same pair of lost and limiting branch stops each of them alone, or if they
load the limiting rows in nearly the same proportions (cosine of their slope vectors). What a group can take is always
the simultaneous answer of its members, never a sum of answers of single buses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from grid.capacity.together import filled, max_total
from grid.capacity.together_records import Bound, Together
from grid.capacity.together_rows import linearise
from grid.capacity.together_study import Study
from grid.model.arrays import Bools, Floats, Ints
from layers.contracts import Finding, InputError
from layers.tables import Table, column

CLUSTERS = Table(
    "hosting_clusters",
    "One row a group of sites behind one corridor, the largest first.",
    {
        "cluster": column(str, "", "corridor in words, with a number where it comes twice", unique=True),
        "corridor": column(str, "", "branches that limit the members, or are lost when they do; empty: no limit"),
        "sites": column(str, "", "members"),
        "members": column(int, "", "their number", ge=1),
        "capacity_mw": column(float, "MW", "what they take together, nothing elsewhere", ge=0),
        "sum_alone_mw": column(float, "MW", "sum of what each takes alone: not available together", ge=0),
        "status": column(str, "", "how the simultaneous answer ended"),
    },
)

FIGURES = Table(
    "hosting_figures",
    "Figures of sites and of every group above them; children's allocations add up to their parent's.",
    {
        "node": column(str, "", "site, station, county or whole", unique=True),
        "parent": column(str, "", "group above; empty for the whole"),
        "level": column(int, "", "0 the whole, 1 below it, ...", ge=0),
        "sites": column(int, "", "sites in it", ge=1),
        "alone_mw": column(float, "MW", "what it takes with nothing elsewhere", ge=0),
        "allocated_mw": column(float, "MW", "what it takes while all others take theirs", ge=0),
    },
)


@dataclass(frozen=True)
class Alone:
    """What each site takes with nothing elsewhere, and what stops it; shape (sites,)."""

    mw: Floats
    bounds: tuple[Bound | None, ...]


def each_alone(study: Study) -> Alone:
    """First exit of every site by itself."""
    mw, bounds = np.zeros(len(study.sites)), list(study.cut_off)
    for s in np.flatnonzero(study.cap_mw > 0):
        direction = np.zeros(len(mw))
        direction[s] = 1.0
        climbed = study.climb(study.start, direction, float(study.cap_mw[s]))
        mw[s], bounds[s] = climbed.point.total_mw, climbed.bound
    return Alone(mw, tuple(bounds))


def corridor_of(study: Study, bound: Bound | None) -> tuple[str, ...]:
    """Lost and limiting element of a row in order of name: two circuits that limit each other are one corridor."""
    if bound is None:
        return ()
    case, outage, _, element = study.words(bound)
    return tuple(sorted(name for name in {outage, element} if name)) or (case,)


def similar_sites(vectors: Floats, similarity: float) -> Ints:
    """Group number of each column: all pairs within a group have a cosine of at least ``similarity``.

    Parameters
    ----------
    vectors : array, shape (rows, sites)
        What each site adds to each row per MW, in shares of the row's room. A site without influence is a group of
        its own.
    """
    sites = vectors.shape[1]
    size = np.linalg.norm(vectors, axis=0)
    if sites < 2:
        return np.zeros(sites, np.int64)
    unit = np.divide(vectors, size, out=np.zeros_like(vectors), where=size > 0)
    apart = np.clip(1 - unit.T @ unit, 0, 2)
    apart[np.ix_(size == 0, np.arange(sites))] = 2.0
    apart[:, size == 0] = 2.0
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform((apart + apart.T) / 2, checks=False), "complete")
    return np.asarray(fcluster(tree, 1 - similarity + 1e-12, "distance") - 1, dtype=np.int64)


def corridor_clusters(study: Study, alone: Alone | None = None, similarity: float = 0.95) -> pd.DataFrame:
    """Sites grouped by the corridor that limits them, with what each group takes together.

    Parameters
    ----------
    alone
        Answers of the single sites; computed by default.
    similarity
        Least cosine of slope vectors of sites that different rows stop.

    Returns
    -------
    DataFrame
        Table :data:`CLUSTERS`.
    """
    single = alone or each_alone(study)
    corridors = [corridor_of(study, bound) for bound in single.bounds]
    groups = _merged(corridors, similar_sites(_room_shares(study, single), similarity), single.mw > 0)
    names = [site.id for site in study.sites]
    records, used = [], dict[str, int]()
    for members in groups:
        ids = [names[s] for s in members]
        total, status = float(single.mw[members].sum()), "clean"
        if len(ids) > 1:
            together = max_total(study.only(ids))
            total, status = max(together.total_mw, float(single.mw[members].max())), together.status
        corridor = ", ".join(dict.fromkeys(e for s in members for e in corridors[s]))
        title = corridor or "no limit"
        used[title] = used.get(title, 0) + 1
        title = title if used[title] == 1 else f"{title} ({used[title]})"
        records.append((title, corridor, ", ".join(ids), len(ids), total, float(single.mw[members].sum()), status))
    table = pd.DataFrame(records, columns=list(CLUSTERS.columns))
    return CLUSTERS.validate(table.sort_values("capacity_mw", ascending=False, kind="stable", ignore_index=True))


def _merged(corridors: Sequence[tuple[str, ...]], similar: Ints, takes: Bools) -> list[list[int]]:
    """Connected groups of sites that share a corridor or a group of similar slopes, in order of their first site."""
    root = list(range(len(corridors)))

    def find(s: int) -> int:
        while root[s] != s:
            s = root[s]
        return s

    first: dict[object, int] = {}
    for s, corridor in enumerate(corridors):
        keys: list[object] = [("corridor", corridor)] if corridor else []
        keys += [("similar", int(similar[s]))] if takes[s] and corridor else []
        for key in keys:
            root[find(s)] = find(first.setdefault(key, s))
    groups: dict[int, list[int]] = {}
    for s in range(len(corridors)):
        groups.setdefault(find(s), []).append(s)
    return sorted(groups.values())


def _room_shares(study: Study, single: Alone) -> Floats:
    """Share of the room of each limiting row that 1 MW of each site takes with nothing added, (rows, sites)."""
    bounds = [b for b in dict.fromkeys(single.bounds) if b is not None and b.row >= 0]
    vectors = np.zeros((max(1, len(bounds)), len(study.sites)))
    assert study.start.states is not None
    for k, bound in enumerate(bounds):
        model, states = study.models[bound.case], study.start.states[bound.case]
        row = linearise(model, states, study.start.mw, bound.state, np.array([bound.row]))[0]
        # towards the bound: the direction in which the sites that it stops push
        pushed = row.value + row.slope @ np.where([b == bound for b in single.bounds], single.mw, 0.0)
        unit = pushed / abs(pushed) if abs(pushed) > 0 else 1.0
        room = row.top - float(np.real(np.conj(unit) * row.value))
        vectors[k] = np.real(np.conj(unit) * row.slope) / max(room, 1e-9)
    return vectors


# ---------------------------------------------------------------- stations, counties, the whole


@dataclass(frozen=True)
class Hierarchy:
    """Sites and the groups above them. ``order`` goes from the whole downward; every node but it has a parent."""

    parent: Mapping[str, str]
    order: tuple[str, ...]

    @property
    def root(self) -> str:
        return self.order[0]

    def children(self, node: str) -> list[str]:
        return [n for n in self.order if self.parent.get(n) == node]

    def leaves(self, node: str) -> list[str]:
        below = self.children(node)
        return [leaf for child in below for leaf in self.leaves(child)] if below else [node]

    def level(self, node: str) -> int:
        return 0 if node == self.root else 1 + self.level(self.parent[node])


def hierarchy(parent: Mapping[str, str], sites: Sequence[str]) -> Hierarchy:
    """Check a map of nodes to the group above (site -> station -> county -> whole).

    Raises
    ------
    InputError
        With every site without group, group without site, circle, and more than one top.
    """
    nodes = list(dict.fromkeys([*sites, *parent, *parent.values()]))
    circles = [n for n in nodes if _climbs_in_a_circle(parent, n)]
    found = [_fault(n, "The group is above itself.", "Break the circle.") for n in circles]
    tops = [n for n in nodes if n not in parent and not circles]
    found += (
        [_fault(", ".join(tops), "There is more than one whole.", "Put one group above all.")] if len(tops) > 1 else []
    )
    above = set(parent.values())
    found += [_fault(s, "A site cannot be a group.", "Rename one.") for s in sites if s in above]
    found += [
        _fault(n, "The group has no site.", "Remove it.") for n in nodes if n not in above and n not in set(sites)
    ]
    if found or not sites:
        raise InputError(found or [_fault("", "There is no site.", "Name one.")])
    depth = {n: _depth(parent, n) for n in nodes}
    return Hierarchy(dict(parent), tuple(sorted(nodes, key=lambda n: (depth[n], nodes.index(n)))))


def _climbs_in_a_circle(parent: Mapping[str, str], node: str) -> bool:
    seen = {node}
    while node in parent:
        node = parent[node]
        if node in seen:
            return True
        seen.add(node)
    return False


def _depth(parent: Mapping[str, str], node: str) -> int:
    return 0 if node not in parent else 1 + _depth(parent, parent[node])


def _fault(item: str, message: str, remedy: str) -> Finding:
    return Finding("error", "together.hierarchy", "", "groups", item, item, message, remedy)


def reconcile(tree: Hierarchy, alone_mw: Mapping[str, float]) -> dict[str, float]:
    """Allocation of every node: children take what they take alone, scaled so that they fit into their parent.

    Parameters
    ----------
    alone_mw
        What each node takes with nothing elsewhere.

    Returns
    -------
    dict
        No node has more than alone; what the children of a node have adds up to what it has.
    """
    given = {tree.root: alone_mw[tree.root]}
    for node in tree.order:
        below = tree.children(node)
        asked = sum(alone_mw[c] for c in below)
        scale = min(1.0, given[node] / asked) if asked > 0 else 0.0
        given.update({c: scale * alone_mw[c] for c in below})
    for node in reversed(tree.order):
        below = tree.children(node)
        if below:
            given[node] = sum(given[c] for c in below)
    return given


@dataclass(frozen=True)
class GroupFigures:
    """Table :data:`FIGURES`, and the share of the reconciled allocation that all sites take at once (1: all of it)."""

    table: pd.DataFrame
    simultaneous_share: float
    answers: Mapping[str, Together]
    """Simultaneous answer of every group of two sites or more."""


def group_figures(study: Study, parent: Mapping[str, str]) -> GroupFigures:
    """Consistent figures of sites, stations, counties and the whole.

    ``alone_mw`` of a group is the simultaneous maximum of its sites. Allocations are scaled down from the whole
    (:func:`reconcile`); towards these all sites then rise in proportion, by AC in every outage, and stop where a row
    that they load binds: ``allocated_mw`` can be taken by all at the same time.

    Raises
    ------
    InputError
        If the groups are no tree over the sites.
    """
    names = [site.id for site in study.sites]
    tree = hierarchy(parent, names)
    single = each_alone(study) if not study.base_case else Alone(np.zeros(len(names)), ())
    alone = dict(zip(names, single.mw.tolist(), strict=True))
    answers: dict[str, Together] = {}
    for node in reversed(tree.order):
        below = tree.children(node)
        if below:
            leaves = tree.leaves(node)
            if len(leaves) > 1:
                answers[node] = max_total(study.only(leaves))
            # each child's own answer is one of the parent's: nothing beside it
            alone[node] = max([answers[node].total_mw if len(leaves) > 1 else 0.0, *(alone[c] for c in below)])
    given = reconcile(tree, alone)
    wanted = np.array([given[name] for name in names])
    taken = study.start.mw if study.base_case else filled(study, wanted, wanted)[0].mw
    final = dict(zip(names, taken.tolist(), strict=True))
    for node in reversed(tree.order):
        below = tree.children(node)
        if below:
            final[node] = sum(final[c] for c in below)
    share = float(taken.sum() / wanted.sum()) if wanted.sum() > 0 else 0.0
    table = pd.DataFrame({
        "node": list(tree.order),
        "parent": [tree.parent.get(n, "") for n in tree.order],
        "level": [tree.level(n) for n in tree.order],
        "sites": [len(tree.leaves(n)) for n in tree.order],
        "alone_mw": [alone[n] for n in tree.order],
        "allocated_mw": [final[n] for n in tree.order],
    })  # fmt: skip
    return GroupFigures(FIGURES.validate(table), share, answers)
