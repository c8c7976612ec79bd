"""Eligibility, waterfall and ledger: truth tables, closed forms, and the known traps by name."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from siting_samples import CRS, box, layer, region

from layers.contracts import Origin, RasterLayer
from siting.contracts import HostLayer, LandResult, Rule
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land

HOSTS = load_host_types()


def rule(name: str, on: str, *, setback_m: float = 0.0, applies_to: tuple[str, ...] = (), **more: object) -> Rule:
    return Rule(name, name, name, on, applies_to, setback_m=setback_m, **more)  # type: ignore[arg-type]


FISH_POND = (HostLayer("fish_pond", "pond"),)


def land_of(layers, rules=(), hosts=FISH_POND, mapped_by=(), where=None, rasters=(), **more) -> LandResult:
    return evaluate_land(where or region(), layers, rasters, hosts, HOSTS, rules, mapped_by=mapped_by, **more)


def km2(result: LandResult, column: str, host: str = "fish_pond") -> float:
    return float(result.states.set_index("host_type").at[host, column])


POND = layer("pond", box(1200, 1200, 2400, 1800))  # 1200 m x 600 m = 0.72 km2


@pytest.mark.parametrize(
    ("at", "excluded_by_road", "state"),
    [
        ((1500, 1500), False, "eligible"),  # pond, no rule near
        ((1500, 1500), True, "excluded"),  # pond inside the road's setback
        ((3000, 3000), False, "excluded"),  # mapped as village: not a pond
        ((5000, 500), False, "unknown"),  # nothing maps it: absent is not available
        ((5000, 500), True, "unknown"),
    ],
)
def test_truth_table_of_the_three_states(at, excluded_by_road, state) -> None:
    village = layer("village", box(2700, 2700, 3300, 3300))
    road = layer("road", box(0, 1440, 6000, 1450))
    rules = [rule("road", "road", setback_m=600)] if excluded_by_road else []
    where = region()
    result = land_of([POND, village, road], rules, mapped_by=("village",), where=where)
    land = result.land("fish_pond")
    x, y = box(*at, at[0] + 1, at[1] + 1).centroid.coords[0]
    row, col = int((where.frame.top - y) // 30), int((x - where.frame.left) // 30)
    is_eligible, is_unknown = bool(land.eligible[row, col]), bool(land.unknown[row, col])
    assert {"eligible": is_eligible, "unknown": is_unknown, "excluded": not (is_eligible or is_unknown)}[state]


def test_states_add_up_to_the_region_and_the_waterfall_to_the_loss() -> None:
    # road of 10 m with 100 m on each side takes 210 m x 1200 m = 0.252 km2; the strip west of x = 1500 takes
    # 300 m x 600 m = 0.18 km2; both together 300 m x 210 m = 0.063 km2. All edges lie on sub-cells (7.5 m).
    road, west = layer("road", box(0, 1495, 6000, 1505)), layer("west", box(0, 0, 1500, 4000))
    result = land_of([POND, road, west], [rule("r", "road", setback_m=100), rule("w", "west")])
    assert km2(result, "host_km2") == pytest.approx(0.72, rel=1e-3)
    assert km2(result, "eligible_km2") == pytest.approx(0.72 - 0.252 - 0.18 + 0.063, rel=1e-9)
    total = sum(km2(result, f"{state}_km2") for state in ("eligible", "excluded", "unknown"))
    assert total == pytest.approx(km2(result, "region_km2"), rel=1e-9)
    fall = result.waterfall.set_index("rule")
    assert fall.at["r", "sole_km2"] == pytest.approx(0.252 - 0.063, rel=1e-9)
    assert fall.at["w", "sole_km2"] == pytest.approx(0.18 - 0.063, rel=1e-9)
    assert fall["shared_km2"].tolist() == pytest.approx([0.063, 0.063], rel=1e-9)


def test_trap_diamond_buffer_and_reach() -> None:
    """A 1000 m setback from a point excludes a disk: no diamond, no overreach on the axes."""
    everywhere = layer("pond", box(0, 0, 6000, 4000))
    point = layer("village", shapely.Point(*box(3000, 2000, 3000.1, 2000.1).centroid.coords[0]).buffer(0.01))
    result = land_of([everywhere, point], [rule("dwelling", "village", setback_m=1000)])
    lost = result.waterfall["lost_km2"].iloc[0]
    assert lost == pytest.approx(math.pi, rel=2e-3)


def test_trap_object_just_outside_and_seams() -> None:
    """A village beyond the border sets back into the region; two halves together equal the whole."""
    ponds = layer("pond", box(0, 0, 6000, 4000))
    village = layer("village", box(-40, 1900, -20, 2100))
    rules = [rule("dwelling", "village", setback_m=500)]
    whole = land_of([ponds, village], rules)
    assert km2(whole, "excluded_km2") > 0.3
    halves = [land_of([ponds, village], rules, where=region(3000, 4000, x0=x0)) for x0 in (0.0, 3000.0)]
    assert sum(km2(half, "eligible_km2") for half in halves) == pytest.approx(km2(whole, "eligible_km2"), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_same_bits_for_any_strip_height(rows) -> None:
    village = layer("village", box(700, 700, 900, 900), box(3000, 3500, 3300, 3900))
    rules = [rule("dwelling", "village", setback_m=333)]
    base, other = land_of([POND, village], rules), land_of([POND, village], rules, strip_rows=rows)
    for a, b in zip(base.lands, other.lands, strict=True):
        assert np.array_equal(a.owned, b.owned)
        assert np.array_equal(a.unknown, b.unknown)


def test_trap_nodata_of_a_raster_rule_is_unknown() -> None:
    where = region()
    slope = np.zeros(where.frame.shape, np.float32)
    slope[:, :60] = np.nan  # the west 1800 m are not known: half of the pond
    raster = RasterLayer("slope", where.frame, slope, "degree", Origin.MEASURED)
    result = land_of([POND], [rule("slope", "slope", kind="raster_above", limit=10.0)], rasters=[raster], where=where)
    assert km2(result, "eligible_km2") == pytest.approx(0.36, rel=1e-2)
    assert km2(result, "unknown_km2") == pytest.approx(24 - 0.36, rel=1e-2)


def test_trap_fractions_nested_and_disjoint() -> None:
    """Two exclusions of half a cell: on different halves they leave nothing, on the same half they leave half."""
    pond = layer("pond", box(1200, 1200, 1230, 1230))
    west, east = layer("west", box(1200, 1200, 1215, 1230)), layer("east", box(1215, 1200, 1230, 1230))
    disjoint = land_of([pond, west, east], [rule("w", "west"), rule("e", "east")])
    nested = land_of([pond, west], [rule("w", "west"), rule("again", "west")])
    assert km2(disjoint, "eligible_km2") == 0
    assert km2(nested, "eligible_km2") == pytest.approx(0.00045, rel=1e-9)


HOST_PAIR = (HostLayer("fish_pond", "pond"), HostLayer("roof_industrial", "roof"), HostLayer("wind_plain", "field"))


def overlapping():
    return [POND, layer("roof", box(2100, 1500, 2700, 2100)), layer("field", box(0, 0, 6000, 4000))]


def test_trap_double_counting() -> None:
    """A roof drawn over a pond: 300 m x 300 m belong to the roof (priority), and to nobody else."""
    result = land_of(overlapping(), hosts=HOST_PAIR)
    assert km2(result, "owned_km2", "roof_industrial") == pytest.approx(0.36, rel=1e-3)
    assert km2(result, "owned_km2", "fish_pond") == pytest.approx(0.72 - 0.09, rel=1e-3)
    a, b, c = (result.land(h.host_type).owned for h in HOST_PAIR)
    assert not (a & b).any()
    assert not (a & c).any()


def test_declared_co_use_shares_land() -> None:
    result = land_of(overlapping(), hosts=HOST_PAIR, co_use=(("wind_plain", "fish_pond"),))
    assert (result.land("wind_plain").owned & result.land("fish_pond").owned).any()
    assert not (result.land("wind_plain").owned & result.land("roof_industrial").owned).any()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(range(3)), setback=st.floats(0, 800), more=st.floats(0, 300))
def test_ledger_and_monotony(order, setback, more) -> None:
    """Any order of host layers gives the same ledger; a longer setback never adds land."""
    hosts = tuple(HOST_PAIR[k] for k in order)
    small = land_of(overlapping(), [rule("s", "roof", setback_m=setback, applies_to=("fish_pond",))], hosts)
    large = land_of(overlapping(), [rule("s", "roof", setback_m=setback + more, applies_to=("fish_pond",))], HOST_PAIR)
    union = np.zeros_like(small.lands[0].owned)
    for entry in small.lands:
        assert not (union & entry.owned).any()
        union |= entry.owned
        assert not (entry.owned & ~entry.eligible).any()
        assert not (entry.eligible & entry.unknown).any()
    assert not (large.land("fish_pond").eligible & ~small.land("fish_pond").eligible).any()


def test_trap_integer_overflow() -> None:
    """3000 x 3000 fully covered cells hold 144 million sub-cells: more than a 16- or 27-bit count."""
    where = region(90_000, 90_000)
    full = replace(where, mask=np.full(where.frame.shape, 0xFFFF, np.uint16))
    result = land_of([layer("pond", box(-50, -50, 90_050, 90_050))], where=full)
    assert km2(result, "eligible_km2") == pytest.approx(where.frame.height * where.frame.width * 9e-4, rel=1e-12)
    assert where.frame.crs == CRS
