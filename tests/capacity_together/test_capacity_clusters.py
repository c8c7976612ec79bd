"""Sites behind one corridor, and figures of groups that never add up to more than the whole takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from together_cases import clean, ring, two_corridors

from grid.capacity.clusters import (
    corridor_clusters,
    each_alone,
    group_figures,
    hierarchy,
    reconcile,
    similar_sites,
)
from grid.capacity.settings import CapacitySettings
from grid.capacity.together import max_total
from grid.capacity.together_records import NamedCase, Site, TogetherOptions
from grid.capacity.together_study import Study
from layers.contracts import InputError

PLAIN = CapacitySettings(slack_pu=0.0, slack_percent=0.0)


def study(case, buses, wish=np.inf):
    return Study.of([NamedCase("base", case)], [Site(f"s{b}", b, wish) for b in buses], PLAIN, TogetherOptions())


def test_two_corridors_are_two_clusters():
    """Buses 2 and 3 share the twin circuits 1=2, bus 4 has its own: two groups of about 59 MW each."""
    whole = study(two_corridors(), [2, 3, 4])
    table = corridor_clusters(whole).set_index("sites")
    assert set(table.index) == {"s2, s3", "s4"}
    assert table.loc["s2, s3", "corridor"] == "1-2, 1-2b"
    assert table.loc["s2, s3", "capacity_mw"] == pytest.approx(60, abs=1.5)
    assert table.loc["s2, s3", "sum_alone_mw"] == pytest.approx(2 * 60, abs=3)
    assert table.loc["s4", "capacity_mw"] == pytest.approx(table.loc["s4", "sum_alone_mw"], abs=0.1)


def test_unlimited_sites_are_no_cluster():
    table = corridor_clusters(study(two_corridors(), [2, 4], 10.0))
    assert table["members"].tolist() == [1, 1]
    assert table["corridor"].tolist() == ["", ""]


def test_similar_by_cosine():
    """Columns: a, 2 a, orthogonal, none: the length does not count, no influence is like nothing else."""
    vectors = np.array([[1.0, 2.0, 0.0, 0.0], [0.5, 1.0, -1.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    groups = similar_sites(vectors, 0.95)
    assert groups[0] == groups[1]
    assert len({groups[0], groups[2], groups[3]}) == 3
    assert similar_sites(vectors[:, :1], 0.95).tolist() == [0]
    # at most 1 - cos(45 degrees) apart
    near = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert len(set(similar_sites(near, 0.72))) == 2
    assert len(set(similar_sites(near, 0.70))) == 1


# ---------------------------------------------------------------- groups


@st.composite
def trees(draw):
    """A random map of up to 8 sites to stations, counties and a whole, and figures alone."""
    sites = [f"site{k}" for k in range(draw(st.integers(1, 8)))]
    stations = draw(st.integers(1, len(sites)))
    counties = draw(st.integers(1, stations))
    parent = {s: f"station{k % stations}" for k, s in enumerate(sites)}
    parent |= {f"station{k}": f"county{k % counties}" for k in range(stations)}
    parent |= {f"county{k}": "whole" for k in range(counties)}
    nodes = [*sites, *dict.fromkeys(parent.values())]
    alone = {n: draw(st.floats(0, 1000)) for n in nodes}
    return parent, sites, alone


@settings(max_examples=100, deadline=None)
@given(trees())
def test_reconciled_figures_add_up(drawn):
    parent, sites, alone = drawn
    tree = hierarchy(parent, sites)
    given_ = reconcile(tree, alone)
    for node in tree.order:
        below = tree.children(node)
        assert given_[node] <= alone[node] * (1 + 1e-12) + 1e-12
        if below:
            assert sum(given_[c] for c in below) == pytest.approx(given_[node], abs=1e-9)
            # fair: nobody has a smaller share of what it takes alone than its sister
            shares = [given_[c] / alone[c] for c in below if alone[c] > 1e-3 and not tree.children(c)]
            assert max(shares, default=0) - min(shares, default=0) < 1e-9


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_parts_never_add_up_to_more_than_the_whole(seed):
    case = ring(seed)
    whole = study(case, [2, 3, 4, 5])
    parent = {"s2": "north", "s3": "north", "s4": "south", "s5": "south", "north": "city", "south": "city"}
    figures = group_figures(whole, parent)
    table = figures.table.set_index("node")
    for node in ("city", "north", "south"):
        parts = table[table["parent"] == node]
        assert parts["allocated_mw"].sum() == pytest.approx(table.loc[node, "allocated_mw"], abs=1e-9)
        assert table.loc[node, "alone_mw"] >= parts["alone_mw"].max() - 1e-9
    assert (table["allocated_mw"] <= table["alone_mw"] + 1e-9).all()
    assert 0 < figures.simultaneous_share <= 1 + 1e-9
    taken = {int(n[1:]): float(table.loc[n, "allocated_mw"]) for n in ("s2", "s3", "s4", "s5")}
    assert clean(case, taken)
    assert figures.answers["city"].total_mw == pytest.approx(max_total(whole).total_mw, abs=0.2)


def test_county_is_not_the_sum_of_its_buses():
    """Two buses behind one corridor take 60 MW each alone, and 60 MW together."""
    figures = group_figures(study(two_corridors(), [2, 3, 4]),
                            {"s2": "east", "s3": "east", "s4": "west", "east": "all", "west": "all"})  # fmt: skip
    table = figures.table.set_index("node")
    assert table.loc["s2", "alone_mw"] == pytest.approx(60, abs=1.5)
    assert table.loc["east", "alone_mw"] == pytest.approx(60, abs=1.5)
    assert table.loc["s2", "allocated_mw"] == pytest.approx(30, abs=1)
    assert table.loc["west", "allocated_mw"] == pytest.approx(table.loc["west", "alone_mw"], abs=0.2)
    assert table.loc["all", "level"] == 0
    assert figures.simultaneous_share == pytest.approx(1, abs=0.02)


def test_each_alone_is_the_single_answer():
    whole = study(ring(8), [2, 4])
    single = each_alone(whole)
    for s, bus in enumerate((2, 4)):
        assert single.mw[s] == pytest.approx(max_total(study(ring(8), [bus])).total_mw, abs=0.1)


@pytest.mark.parametrize(
    ("parent", "word"),
    [
        ({"s2": "a", "s3": "b"}, "more than one whole"),
        ({"s2": "a", "s3": "a", "a": "b", "b": "a"}, "above itself"),
        ({"s2": "s3", "s3": "a"}, "cannot be a group"),
        ({"s2": "a", "s3": "a", "empty": "a"}, "has no site"),
    ],
)
def test_groups_that_are_no_tree_are_refused(parent, word):
    with pytest.raises(InputError, match=word):
        hierarchy(parent, ["s2", "s3"])
