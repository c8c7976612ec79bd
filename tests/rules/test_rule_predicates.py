"""Predicates of rules: cell values, features, setbacks by class; against shapely, closed forms and traps by name."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import rule_samples as s
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.submask import rasterize_submask, unpack
from siting.contracts import SetbackRow
from siting.rules.masks import (
    concerned,
    covered_shares,
    finish_mask,
    largest_number,
    mask_key,
    outside_mask,
    row_setbacks,
    rule_shapes,
    setbacks_of,
    test_raster,
)

NAN = math.nan
FEW = settings(max_examples=12, deadline=None)


def broken_cells(rule, values) -> tuple[list[int], list[int]]:
    """Cells of one row that a rule excludes and leaves unsure, as 0 and 1."""
    array = np.asarray([values], np.float32)
    where = s.Frame(s.CRS, 10.0, s.LEFT, s.BOTTOM, 1, len(values))
    excluded, unsure = test_raster(rule, array, where)
    assert set(np.unique([excluded, unsure])) <= {0, 0xFFFF}
    assert not (excluded & unsure).any()
    return [(mask[0] > 0).astype(int).tolist() for mask in (excluded, unsure)]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("rule", "values", "excluded"),
    [
        (s.rule(kind="raster_above", limit=10), [9, 10, 10.5, NAN], [0, 0, 1, 0]),
        (s.rule(kind="raster_below", limit=10), [9, 10, 10.5, NAN], [1, 0, 0, 0]),
        (s.rule(kind="raster_between", low=2, high=4), [1.9, 2, 4, 4.1, NAN], [0, 1, 1, 0, 0]),
        (s.rule(kind="raster_outside", low=2, high=4), [1.9, 2, 4, 4.1, NAN], [1, 0, 0, 1, 0]),
        (s.rule(kind="raster_classes", classes=("10", "20")), [10, 15, 20, NAN], [1, 0, 1, 0]),
        (s.rule(kind="raster_not_classes", classes=("10", "20")), [10, 15, 20, NAN], [0, 1, 0, 0]),
        (s.rule(kind="aspect_between", low=315, high=45), [0, 45, 46, 180, 314, 315, 359, -1, NAN],
         [1, 1, 0, 0, 0, 1, 1, 0, 0]),
        (s.rule(kind="aspect_between", low=135, high=225), [0, 134, 135, 180, 225, 226, -1], [0, 0, 1, 1, 1, 0, 0]),
    ],
)  # fmt: skip
def test_truth_table_of_cell_values(rule, values, excluded) -> None:
    assert broken_cells(rule, values) == [excluded, [int(math.isnan(v)) for v in values]]


@pytest.mark.parametrize(
    ("nodata", "excluded", "unsure"),
    [("unknown", [0, 1], [1, 0]), ("eligible", [0, 1], [0, 0]), ("excluded", [1, 1], [0, 0])],
)
def test_trap_nodata_is_unknown_unless_the_study_says_otherwise(nodata, excluded, unsure) -> None:
    for kind in ("raster_above", "raster_not_classes"):  # with codes= or inverted, other tools let nodata through
        rule = s.rule(kind=kind, limit=5, classes=("1",), nodata=nodata)
        assert broken_cells(rule, [NAN, 9]) == [excluded, unsure]


def test_values_off_the_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="not on a frame"):
        test_raster(s.rule(kind="raster_above", limit=1), np.zeros((2, 3), np.float32), s.frame())


@FEW
@given(seed=st.integers(0, 9999), cut=st.integers(1, 39))
def test_a_strip_knows_its_cells_only(seed, cut) -> None:
    """Cut anywhere, the two parts together are the whole."""
    where = s.frame()
    values = np.random.default_rng(seed).choice(np.array([1, 2, 3, np.nan], np.float32), where.shape)
    rule = s.rule(kind="raster_classes", classes=("2",))
    whole = test_raster(rule, values, where)
    parts = [where.part(s_) for s_ in (_tile(0, cut), _tile(cut, 40))]
    cuts = [test_raster(rule, values[a:b], part) for (a, b), part in zip([(0, cut), (cut, 40)], parts, strict=True)]
    for k in (0, 1):
        assert np.array_equal(np.vstack([one[k] for one in cuts]), whole[k])


def _tile(row0: int, row1: int):
    from layers.frame import Tile

    return Tile(row0, row1, 0, 40)


# --- features: against shapely ----------------------------------------------------------------------------------------


def random_layer(seed: int):
    """Turned rectangles, discs and lines of three classes over and around the frame."""
    rng = np.random.default_rng(seed)
    shapes, kinds = [], []
    for k in range(int(rng.integers(1, 7))):
        x, y = rng.uniform(-100, 500, 2)
        w, h, angle = rng.uniform(5, 120), rng.uniform(5, 120), rng.uniform(0, 90)
        square = shapely.affinity.rotate(s.box(x, y, x + w, y + h), angle)
        line = shapely.LineString([(s.LEFT + x, s.BOTTOM + y), (s.LEFT + x + w, s.BOTTOM + y + h)])
        shapes.append([square, line, s.point(x, y).buffer(w / 2)][k % 3])
        kinds.append(["a", "B ", "c"][int(rng.integers(0, 3))])
    return s.layer("x", *shapes, kind=kinds)


ROWS = (SetbackRow(20.0, values=("a",)), SetbackRow(55.0, values=("b",)))


@FEW
@given(seed=st.integers(0, 9999), setback=st.sampled_from([0.0, 7.5, 33.3, 90.0]), chosen=st.booleans())
def test_shapes_are_what_shapely_measures(seed, setback, chosen) -> None:
    """Sub-cells clearly nearer than the setback are in, clearly farther are out: no diamond, no overreach."""
    layer, where = random_layer(seed), s.frame()
    rule = s.rule(
        setback_m=setback, setback_rows=ROWS if chosen else (), setback_column="kind",
        classes=("a", "B") if chosen else (), class_column="kind" if chosen else "",
    )  # fmt: skip
    mask = unpack(rasterize_submask(rule_shapes(rule, {"x": layer}), where)).astype(bool)
    shapes = layer.features.geometry.to_numpy()
    margin = np.full(mask.shape, np.inf)
    for shape, kind in zip(shapes, layer.features["kind"], strict=True):
        key = kind.strip().lower()
        if chosen and key not in ("a", "b"):
            continue
        own = {"a": 20.0, "b": 55.0}.get(key, setback) if chosen else setback
        margin = np.minimum(margin, shapely.distance(s.subcell_centres(where), shape) - own)
    if setback == 0 and not chosen:  # lines and points have no area
        areal = shapes[shapely.area(shapes) > 0]
        inside = shapely.contains_xy(shapely.union_all(areal), *shapely.get_coordinates(s.subcell_centres(where)).T)
        edge = shapely.distance(s.subcell_centres(where), shapely.boundary(shapely.union_all(areal))) < 1e-6
        assert np.array_equal(mask[~edge], inside.reshape(mask.shape)[~edge])
        return
    reach = 90.0 * (1 - math.cos(math.pi / 128))  # chords lie this much inside their circle
    assert mask[margin < -reach - 1e-6].all()
    assert not mask[margin > 1e-6].any()


@FEW
@given(seed=st.integers(0, 9999))
def test_a_larger_setback_and_a_longer_class_list_never_give_land_back(seed) -> None:
    layer, where = random_layer(seed), s.frame()
    masks = [
        rasterize_submask(
            rule_shapes(s.rule(setback_m=metres, classes=kinds, class_column="kind"), {"x": layer}), where
        )
        for kinds, metres in ((("a",), 10), (("a", "b"), 10), (("a", "b"), 40))
    ]
    for less, more in pairwise(masks):
        assert not (less & ~more).any()


def test_trap_degrees_as_metres() -> None:
    """500 is 500 m on the metric frame: a disk of pi r^2 to 0.2 %."""
    where = s.frame(1200.0, 10.0)
    shapes = rule_shapes(s.rule(setback_m=500), {"x": s.layer("x", s.point(600, 600))})
    area = np.bitwise_count(rasterize_submask(shapes, where)).sum() / 16 * 100
    assert area == pytest.approx(math.pi * 500**2, rel=2e-3)


def test_trap_combining_fractions() -> None:
    """Two halves of one cell: disjoint they make a whole cell, nested they stay a half; with a share rule the cell
    goes as a whole above its share only."""
    where = s.frame(10.0)
    west, east = s.box(0, 0, 5, 10), s.box(5, 0, 10, 10)
    for shapes, bits in (((west, east), 16), ((west, west), 8)):
        layers = {"x": s.layer("x", *shapes)}
        mask = rasterize_submask(rule_shapes(s.rule(), layers), where)
        assert np.bitwise_count(mask).sum() == bits
    half = rasterize_submask([west], where)
    for share, above, below in ((0.49, 16, 0), (0.5, 0, 16), (0.0, 16, 0), (1.0, 0, 16)):
        assert np.bitwise_count(finish_mask(s.rule(kind="cell_share", share=share), half)).sum() == above
        assert np.bitwise_count(finish_mask(s.rule(kind="cell_share_below", share=share), half)).sum() == below


def test_only_where_the_plan_allows_it() -> None:
    where, allowed = s.frame(100.0), s.box(0, 0, 40, 100)
    rule = s.rule(kind="vector_outside")
    mask = finish_mask(rule, rasterize_submask(rule_shapes(rule, {"x": s.layer("x", allowed)}), where))
    assert np.bitwise_count(mask).sum() / 16 * 100 == 6000
    assert finish_mask(rule, np.zeros((2, 2), np.uint16)).tolist() == [[0xFFFF, 0xFFFF]] * 2
    assert finish_mask(s.rule(), np.ones((1, 1), np.uint16)).tolist() == [[1]]
    assert outside_mask(np.array([[0x3333]], np.uint16)).tolist() == [[0xCCCC]]


def test_features_by_their_covered_share() -> None:
    """Ponds of 100 m x 100 m: farmland covers 60 % of the first, 30 % of the second (in two overlapping pieces)."""
    ponds = s.layer("pond", s.box(0, 0, 100, 100), s.box(200, 0, 300, 100), s.box(0, 200, 100, 300))
    farm = s.layer("farm", s.box(0, 0, 60, 100), s.box(200, 0, 230, 80), s.box(200, 40, 230, 100))
    assert covered_shares(ponds.features.geometry.to_numpy(), farm.features.geometry.to_numpy()) == pytest.approx(
        [0.6, 0.3, 0.0]
    )
    layers = {"pond": ponds, "farm": farm}
    for kind, share, numbers in (
        ("feature_share", 0.5, [0]),
        ("feature_share", 0.25, [0, 1]),
        ("feature_share_below", 0.5, [1, 2]),
        ("feature_share_below", 0.0, [2]),
    ):
        shapes = rule_shapes(s.rule(on="farm", kind=kind, share=share, features_of="pond"), layers)
        assert [ponds.features.geometry.tolist().index(shape) for shape in shapes] == numbers
    nothing = s.layer("farm", s.box(900, 900, 901, 901))
    rule = s.rule(on="farm", kind="feature_share", share=0.0, features_of="pond")
    assert len(rule_shapes(rule, {**layers, "farm": nothing})) == 0


def test_narrow_parts_are_those_that_a_square_does_not_fit() -> None:
    """A field of 100 m x 100 m with an arm of 10 m x 60 m: the arm is narrower than 20 m, the corners are not;
    two strips of 12 m side by side are 24 m wide together."""
    field, arm = s.box(0, 0, 100, 100), s.box(100, 40, 160, 50)
    shapes = rule_shapes(s.rule(kind="vector_narrow", width_m=20), {"x": s.layer("x", field, arm)})
    assert shapely.union_all(shapes).symmetric_difference(arm).area == pytest.approx(0, abs=1e-6)
    strips = s.layer("x", s.box(0, 0, 100, 12), s.box(0, 12, 100, 24))
    assert len(rule_shapes(s.rule(kind="vector_narrow", width_m=20), {"x": strips})) == 0
    assert shapely.area(rule_shapes(s.rule(kind="vector_narrow", width_m=25), {"x": strips})).sum() == 2400


# --- classes and setbacks ---------------------------------------------------------------------------------------------

KV = tuple(SetbackRow(m, from_value=kv) for kv, m in ((35, 10.0), (154, 15.0), (500, 20.0)))


@pytest.mark.parametrize(
    ("value", "metres"),
    [
        (110.0, 10), (35, 10), ("220", 15), ("220 kV", 15), (1000, 20), ("500000;220000", 20), ("110000", 10),
        ("10", NAN), ("yes", NAN), (None, NAN), (NAN, NAN), ("330000", 15),
    ],
)  # fmt: skip
def test_setback_by_voltage(value, metres) -> None:
    """OSM writes volts, several circuits with a semicolon; the highest voltage decides."""
    assert row_setbacks(s.rule(setback_rows=KV), [value]) == pytest.approx([metres], nan_ok=True)


def test_words_go_before_numbers_and_without_case() -> None:
    rows = (SetbackRow(30.0, values=("Motorway", "G2")), SetbackRow(1.0, from_value=1))
    assert row_setbacks(s.rule(setback_rows=rows), [" motorway", "g2", "2"]).tolist() == [30.0, 30.0, 1.0]


def test_features_that_fit_no_row_keep_the_rules_own_setback() -> None:
    roads = s.layer("x", *[s.point(k, 0) for k in range(3)], kind=["a", "track", None])
    rule = s.rule(setback_m=7, setback_rows=ROWS, setback_column="kind")
    assert setbacks_of(rule, roads.features).tolist() == [20, 7, 7]
    assert rule.widest_setback_m == 55
    assert setbacks_of(s.rule(setback_m=3), roads.features).tolist() == [3, 3, 3]


def test_whole_numbers_are_the_same_with_and_without_a_point() -> None:
    codes = s.layer("x", s.point(0, 0), s.point(1, 0), code=[11.0, 12.0])
    assert concerned(s.rule(classes=("11",), class_column="code"), codes.features).tolist() == [True, False]


@pytest.mark.parametrize(("text", "number"), [("a 5 b 7", 7.0), ("", NAN), ("2000", 2.0), ("1999", 1999.0)])
def test_largest_number(text, number) -> None:
    assert largest_number(text) == pytest.approx(number, nan_ok=True)


def test_equal_keys_for_equal_masks_only() -> None:
    plain = s.rule(setback_m=5)
    assert mask_key(plain) == ("x", 5)
    assert mask_key(plain) == mask_key(s.rule("other", setback_m=5, applies_to=("fish_pond",)))
    above = s.rule(kind="raster_above", limit=3)
    assert mask_key(above) == mask_key(s.rule("other", kind="raster_above", limit=3))
    assert hash(mask_key(above))
    variants = [
        plain, above, s.rule(setback_m=6), s.rule(on="y", setback_m=5), s.rule(setback_m=5, kind="vector_outside"),
        s.rule(setback_m=5, classes=("a",), class_column="kind"), s.rule(setback_m=5, setback_rows=ROWS),
        s.rule(setback_m=5, kind="cell_share", share=0.5), s.rule(setback_m=5, kind="cell_share", share=0.4),
        s.rule(setback_m=5, kind="feature_share", share=0.5, features_of="p"), s.rule(kind="raster_above", limit=4),
        s.rule(kind="raster_below", limit=3), s.rule(kind="raster_above", limit=3, nodata="eligible"),
        s.rule(kind="vector_narrow", width_m=5), s.rule(kind="vector_narrow", width_m=6),
    ]  # fmt: skip
    assert len({mask_key(rule) for rule in variants}) == len(variants)
