"""Packed blocks: every number comes back, read by a second reader."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from packed_reader import read_block, rings, whole_numbers
from shapely.geometry import LineString, MultiPolygon, Polygon, box

from maps.classes import palette, round_edges
from maps.packing import (
    WORLD,
    code_column,
    number_column,
    pack,
    shape_columns,
    text_column,
    varints,
    world_pixels,
    zigzag,
)


@given(st.lists(st.integers(0, 2**62), max_size=60))
def test_whole_numbers_come_back(numbers: list[int]) -> None:
    assert whole_numbers(varints(np.array(numbers, dtype=np.uint64))) == numbers


def test_small_numbers_take_one_byte_and_the_format_is_the_known_one() -> None:
    """300 = 0b10_0101100: low seven bits 0x2c with the top bit set, then 0x02."""
    assert varints([0, 1, 127, 128, 300]) == bytes([0, 1, 127, 0x80, 0x01, 0xAC, 0x02])
    assert zigzag(np.array([0, -1, 1, -2, 2])).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=40), st.integers(-2, 4))
def test_numbers_come_back_to_their_decimals_and_unknown_stays_unknown(values: list[float | None], digits: int) -> None:
    column = number_column("a", pd.Series([math.nan if v is None else v for v in values], dtype=float), digits)
    got = read_block(pack(len(values), [column])).columns["a"]
    for value, read in zip(values, got, strict=True):
        assert (value is None) == (read is None)
        if value is not None:
            assert read == pytest.approx(value, abs=0.5001 * 10.0**-digits)


def test_words_come_back_whatever_they_hold() -> None:
    words = ["</script>", "亳州", "", "\u2028", "=1+1", "亳州"]
    block = read_block(pack(6, [text_column("t", pd.Series(words)), code_column("c", pd.Series(words))]))
    assert block.columns["t"] == block.columns["c"] == words


def test_a_block_cannot_end_its_script_element() -> None:
    assert set(pack(1, [text_column("t", pd.Series(["</script><script>"]))])) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    )


def test_the_same_columns_give_the_same_text() -> None:
    made = [pack(2, [text_column("t", pd.Series(["a", "b"]))]) for _ in range(2)]
    assert made[0] == made[1]


def test_world_pixels_are_web_mercator() -> None:
    """0, 0 is the middle; the square world ends at 85.0511 degrees; 1 degree of longitude is 2^26 / 360 pixels."""
    got = world_pixels(np.array([[0.0, 0.0], [180.0, 85.051129], [1.0, 0.0]]))
    assert got[0].tolist() == [WORLD // 2, WORLD // 2]
    assert got[1].tolist() == pytest.approx([WORLD, 0], abs=70)
    assert got[2][0] - got[0][0] == round(2**26 / 360)


def test_rings_parts_and_lines_come_back_in_order() -> None:
    holed = box(116, 33, 116.03, 33.03).difference(box(116.01, 33.01, 116.02, 33.02))
    two = MultiPolygon([box(117, 33, 117.01, 33.01), box(117.02, 33, 117.03, 33.01)])
    line = LineString([(116, 33), (116.5, 33.2), (117, 33)])
    shapes = [two, line, holed]
    got = rings(pack(3, shape_columns(shapes)))
    assert [[len(part) for part in parts] for parts in got] == [[4, 4], [3], [4, 4]]
    for shape, parts in zip(shapes, got, strict=True):
        corners = {tuple(c) for c in world_pixels(shapely.get_coordinates(shape)).tolist()}
        assert {corner for part in parts for corner in part} == corners


def test_corners_on_one_pixel_are_one() -> None:
    """About 0.5 m a pixel: a corner 1 cm further on is dropped, and no shape at all gives no stream."""
    shape = Polygon([(116, 33), (116.0000001, 33), (116.001, 33), (116.001, 33.001)])
    assert [[len(part) for part in parts] for parts in rings(pack(1, shape_columns([shape])))] == [[3]]
    assert rings(pack(0, shape_columns(np.array([], dtype=object)))) == []


# ---- classes of quantities


@given(st.lists(st.one_of(st.floats(-1e4, 1e4), st.just(math.nan)), max_size=200))
def test_edges_rise_and_begin_at_or_below_the_smallest_value(values: list[float]) -> None:
    edges = round_edges(values, 5)
    known = [value for value in values if not math.isnan(value)]
    assert edges == sorted(set(edges))
    assert len(edges) <= 5
    assert bool(edges) == bool(known)
    if known:
        assert edges[0] <= min(known) + 1e-6


def test_edges_are_round_and_classes_about_equally_full() -> None:
    values = np.linspace(1003.0, 1497.0, 1000)
    edges = round_edges(values, 5)
    assert edges == [1000.0, 1100.0, 1200.0, 1300.0, 1400.0]
    counts = np.histogram(values, [*edges, np.inf])[0]
    assert counts.min() > 150


def test_a_palette_keeps_its_ends() -> None:
    assert palette(["a", "b", "c", "d", "e"], 3) == ["a", "c", "e"]
    assert palette(["a", "b", "c"], 1) == ["c"]
