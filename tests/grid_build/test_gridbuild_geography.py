"""Placing and sizing: laws of the splits, and sizes by hand."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.reference.design import Bank, Corridor, reactive_mvar
from grid.reference.geography import (
    LocalPlane,
    apportion,
    balanced_groups,
    loops_around,
    mesh_edges,
    split_heavy_points,
)
from grid.reference.sizing import (
    CIRCUITS_MOST,
    choose_line,
    choose_units,
    station_count,
    stronger_bank,
    stronger_corridor,
)
from grid.reference.taps import _moved

POINTS = st.integers(1, 10_000).map(
    lambda seed: (np.random.default_rng(seed).uniform(-80, 80, (60, 2)), np.random.default_rng(seed).uniform(1, 2, 60))
)


@settings(deadline=None)
@given(points=POINTS, groups=st.integers(1, 20))
def test_balanced_groups_are_whole_and_even(points, groups):
    xy, weight = points
    label = balanced_groups(xy, weight, groups)
    assert sorted(set(label)) == list(range(groups))
    shares = np.bincount(label, weight)
    assert shares.sum() == pytest.approx(weight.sum())
    # each of the log2(groups) cuts is off by at most half the heaviest point
    cuts = math.ceil(math.log2(groups)) if groups > 1 else 0
    assert np.abs(shares - weight.sum() / groups).max() <= cuts * weight.max() + 1e-9


def test_balanced_groups_by_hand():
    # four points on a line, weights 3 1 1 3: the cut at half the weight is in the middle
    xy = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0]])
    assert list(balanced_groups(xy, np.array([3.0, 1, 1, 3]), 2)) == [0, 0, 1, 1]
    assert list(balanced_groups(xy, np.array([5.0, 1, 1, 1]), 2)) == [0, 1, 1, 1]
    with pytest.raises(ValueError, match="5 groups of 4"):
        balanced_groups(xy, np.ones(4), 5)


@given(
    weights=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0.1, 100), min_size=1, max_size=8),
    extra=st.integers(0, 30),
    minimum=st.integers(0, 3),
)
def test_apportion_keeps_total_and_minima(weights, extra, minimum):
    at_least = dict.fromkeys(weights, minimum)
    total = minimum * len(weights) + extra
    share = apportion(weights, total, at_least)
    assert sum(share.values()) == total
    assert min(share.values()) >= minimum


def test_apportion_by_hand():
    # quotas 4.5, 3.5, 2.0 of 10: the remainders 0.5 tie, the heavier one wins
    assert apportion({"a": 45.0, "b": 35.0, "c": 20.0}, 10, {}) == {"a": 5, "b": 3, "c": 2}
    assert apportion({"a": 99.0, "b": 1.0}, 4, {"b": 2}) == {"a": 2, "b": 2}


@given(st.lists(st.floats(0.01, 50), min_size=1, max_size=10), st.floats(0.5, 20))
def test_split_heavy_points_keeps_the_load(weights, largest):
    xy = np.column_stack([np.arange(len(weights)), np.zeros(len(weights))]).astype(float)
    fine_xy, fine, origin = split_heavy_points(xy, np.array(weights), largest, 1.5)
    assert fine.max() <= largest * (1 + 1e-6)
    np.testing.assert_allclose(np.bincount(origin, fine, len(weights)), weights)
    assert len(np.unique(np.round(fine_xy, 9), axis=0)) == len(fine_xy)


@settings(deadline=None)
@given(st.integers(2, 25), st.integers(0, 10_000))
def test_mesh_has_no_bridge(n, seed):
    edges = mesh_edges(np.random.default_rng(seed).uniform(0, 100, (n, 2)))
    graph = nx.Graph([(i, j) for i, j, _ in edges])
    assert set(graph) == set(range(n))
    assert nx.is_connected(graph)
    bridges = {tuple(sorted(edge)) for edge in nx.bridges(graph)}
    assert {(i, j) for i, j, circuits in edges if circuits == 2} == bridges


@given(st.integers(0, 30), st.integers(0, 1000), st.integers(1, 6))
def test_loops_take_everyone_once(n, seed, largest):
    loops = loops_around(np.zeros(2), np.random.default_rng(seed).uniform(-50, 50, (n, 2)), largest)
    assert sorted(i for loop in loops for i in loop) == list(range(n))
    assert all(1 <= len(loop) <= largest for loop in loops)


@given(st.floats(75, 130), st.floats(20, 50), st.floats(-200, 200), st.floats(-200, 200))
def test_local_plane_round_trip(lon, lat, x, y):
    plane = LocalPlane(lon, lat)
    found_lon, found_lat = plane.to_degree(np.array([x, y]))
    np.testing.assert_allclose(plane.to_km(np.array([found_lon]), np.array([found_lat]))[0], [x, y], atol=2e-4)


def test_local_plane_scale():
    # one degree of latitude is 111.2 km, of longitude at 60 N half of it
    plane = LocalPlane(100.0, 60.0)
    np.testing.assert_allclose(plane.to_km(np.array([101.0]), np.array([61.0])), [[55.6, 111.2]], atol=0.1)


def test_units_by_hand():
    # 95 MVA at ratio 1.9 = 180.5 MVA: 3 x 63 = 189 is the least that also carries 95 with one out (126)
    assert choose_units(95.0, 1.9, 110.0, 10.0, 3) == ("110/10 63 MVA", 3)
    # 30 MVA at 2.0 = 60 MVA: 2 x 31.5 = 63, one carries 31.5
    assert choose_units(30.0, 2.0, 110.0, 10.0, 3) == ("110/10 31.5 MVA", 2)
    # 600 MVA at 1.5 = 900: 4 x 240 = 960 needs a fourth unit
    assert choose_units(600.0, 1.5, 220.0, 110.0, 3) == ("220/110 240 MVA", 4)
    # beyond everything: the largest there is
    assert choose_units(9999.0, 2.0, 110.0, 10.0, 3) == ("110/10 80 MVA", 4)


def test_station_count_by_hand():
    # 4000 MW x 1.9 / (3 x 63) = 40.2
    assert station_count(4000.0, 1.9, 3, 110.0, 10.0, 1) == 41
    assert station_count(10.0, 1.9, 3, 110.0, 10.0, 4) == 4


def test_line_choice_by_hand():
    # 110 kV: 300/40 carries 94 MVA, 2x240/30 167 MVA
    assert choose_line(110.0, 90.0) == ("110 kV 300/40", 1)
    assert choose_line(110.0, 100.0) == ("110 kV 2x240/30", 1)
    assert choose_line(110.0, 400.0) == ("110 kV 2x240/30", 3)


def test_strengthening_climbs_and_ends():
    corridor = Corridor("a", "b", 110.0, 10.0, "110 kV 300/40", 1)
    steps = []
    while corridor is not None:
        steps.append((corridor.line_type, corridor.circuits))
        corridor = stronger_corridor(corridor)
    assert steps == [("110 kV 300/40", 1), *(("110 kV 2x240/30", n) for n in range(1, CIRCUITS_MOST + 1))]
    bank = Bank("a", 110.0, 10.0, "110/10 63 MVA", 2)
    assert stronger_bank(bank).transformer_type == "110/10 80 MVA"
    assert stronger_bank(stronger_bank(bank)).units == 3


def test_tap_lands_in_the_middle_of_the_band():
    bank = Bank("a", 110.0, 10.0, "110/10 63 MVA", 2)
    # 1.04 and 1.10: middle 1.07; five steps of 1.25 % bring it to 1.07 / 1.0625 = 1.007, six to 0.995: six
    assert _moved(bank, np.array([1.04, 1.10]), 1.25, -8, 8).tap_pos == 6
    assert _moved(bank, np.array([0.5, 0.5]), 1.25, -8, 8).tap_pos == -8
    assert _moved(bank, np.array([np.nan]), 1.25, -8, 8) == bank


def test_reactive_power_by_hand():
    # tan(acos 0.98) = 0.20306
    assert reactive_mvar(100.0, 0.98) == pytest.approx(20.306, abs=1e-3)
    assert reactive_mvar(100.0, 1.0) == 0.0
