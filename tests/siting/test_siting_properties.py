"""Land and sites as a whole: laws that hold for any land, faults of the inputs, and traps by name."""

from __future__ import annotations

import math
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from siting_samples import CRS, box, layer, region

from layers.contracts import InputError, Origin, RasterLayer, Region, VectorLayer
from layers.frame import Frame
from layers.submask import unpack
from siting.contracts import HostLayer, LandResult, Rule
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land
from siting.rules.packs import PackEntry, load_rule_pack, rules_for_study
from siting.sites.candidates import delineate_sites

HOSTS = load_host_types()
TRIO = (HostLayer("fish_pond", "pond"), HostLayer("barren_hill", "hill"), HostLayer("wind_plain", "field"))


def random_layers(seed: int) -> list[VectorLayer]:
    """Turned rectangles of five layers over and around the 6 km x 4 km region, overlapping as they like."""
    rng = np.random.default_rng(seed)
    layers = []
    for name, number, size in (
        ("pond", 6, 700),
        ("hill", 4, 1500),
        ("field", 5, 2500),
        ("town", 4, 500),
        ("red", 3, 900),
    ):
        shapes = []
        for _ in range(number):
            x, y, w, h, angle = rng.uniform((-500, -500, 60, 60, 0), (6500, 4500, size, size, 90))
            shapes.append(shapely.affinity.rotate(box(x, y, x + w, y + h), angle))
        layers.append(layer(name, *shapes))
    return layers


def random_rules(seed: int, number: int = 3) -> list[Rule]:
    rng = np.random.default_rng(seed)
    rules = []
    for k in range(number):
        hosts = tuple(entry.host_type for entry in TRIO if rng.random() < 0.6)
        setback = float(rng.choice([0.0, 30.0, 333.3]))
        rules.append(Rule(f"r{k}", "", "", ("town", "red", "field")[k % 3], hosts, setback_m=setback))
    return rules


def slope_of(where: Region, seed: int) -> RasterLayer:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 20, where.frame.shape).astype(np.float32)
    values[rng.random(where.frame.shape) < 0.1] = np.nan
    return RasterLayer("slope", where.frame, values, "degree", Origin.MODELLED)


SLOPE = Rule("slope", "", "", "slope", ("barren_hill", "wind_plain"), kind="raster_above", limit=12.0)


def land_of(layers, rules=(), hosts=TRIO, *, where=None, rasters=(), mapped_by=("town",), **more) -> LandResult:
    return evaluate_land(where or region(), layers, rasters, hosts, HOSTS, rules, mapped_by=mapped_by, **more)


def states(result: LandResult) -> pd.DataFrame:
    return result.states.set_index("host_type")


FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(seed=st.integers(0, 10_000))
def test_adding_a_rule_never_adds_land(seed) -> None:
    where, layers = region(), random_layers(seed)
    slope = slope_of(where, seed)
    for extra in (random_rules(seed)[2], SLOPE):
        few = [rule for rule in random_rules(seed) if rule.id != extra.id]
        less = land_of(layers, [*few, extra], where=where, rasters=[slope])
        more = land_of(layers, few, where=where, rasters=[slope])
        for a, b in zip(less.lands, more.lands, strict=True):
            assert not (a.eligible & ~b.eligible).any()


@FEW
@given(seed=st.integers(0, 10_000))
def test_dropping_a_rule_gives_back_exactly_what_it_alone_excludes(seed) -> None:
    where, layers = region(), random_layers(seed)
    rules = [*random_rules(seed), SLOPE]
    whole = land_of(layers, rules, where=where, rasters=[slope_of(where, seed)])
    for rule in rules:
        without = land_of(layers, [r for r in rules if r is not rule], where=where, rasters=[slope_of(where, seed)])
        for row in whole.waterfall[whole.waterfall["rule"] == rule.id].itertuples():
            gained = states(without).at[row.host_type, "eligible_km2"] - states(whole).at[row.host_type, "eligible_km2"]
            if rule.kind == "vector":
                assert gained == pytest.approx(row.sole_km2, abs=1e-9)
            else:  # doubtful cells come back with it
                assert gained >= row.sole_km2 - 1e-9


@FEW
@given(seed=st.integers(0, 10_000), order=st.permutations(range(5)), hosts=st.permutations(range(3)))
def test_ledger_conserves_land_for_any_layer_order(seed, order, hosts) -> None:
    layers, rules = random_layers(seed), random_rules(seed)
    straight = land_of(layers, rules)
    shuffled = land_of([layers[k] for k in order], rules[::-1], [TRIO[k] for k in hosts])
    owned, eligible = np.zeros_like(straight.lands[0].owned), np.zeros_like(straight.lands[0].owned)
    for land in straight.lands:
        assert not (owned & land.owned).any()
        owned |= land.owned
        eligible |= land.eligible
        assert np.array_equal(land.owned, shuffled.land(land.host_type).owned)
    assert np.array_equal(owned, eligible)  # every eligible sub-cell has its one owner
    pd.testing.assert_frame_equal(states(straight), states(shuffled).loc[states(straight).index])


@FEW
@given(seed=st.integers(0, 10_000))
def test_states_sum_to_the_region(seed) -> None:
    where = region()
    where = replace(where, cell_area_m2=900 * np.linspace(0.999, 1.001, where.frame.height))
    result = land_of(random_layers(seed), [*random_rules(seed), SLOPE], where=where, rasters=[slope_of(where, seed)])
    table = result.states
    total = table["eligible_km2"] + table["excluded_km2"] + table["unknown_km2"]
    assert total.to_numpy() == pytest.approx(table["region_km2"].to_numpy(), rel=1e-12)
    assert table["region_km2"].iloc[0] == pytest.approx(24.0, rel=2e-3)
    assert (result.waterfall["sole_km2"] + result.waterfall["shared_km2"]).to_numpy() == pytest.approx(
        result.waterfall["lost_km2"].to_numpy()
    )


@FEW
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 199))
def test_region_split_anywhere_has_no_seam(seed, cut) -> None:
    """Both parts see all features: together they are the whole, for a border on any cell."""
    layers, rules = random_layers(seed), random_rules(seed)
    whole, x = region(), cut * 30.0
    parts = [(0.0, x), (x, 6000.0 - x)]
    west, east = (land_of(layers, rules, where=region(width, 4000, x0=x0)) for x0, width in parts)
    result = land_of(layers, rules, where=whole)
    for column in ("eligible_km2", "excluded_km2", "unknown_km2", "owned_km2"):
        assert (states(west) + states(east))[column].to_numpy() == pytest.approx(states(result)[column].to_numpy())


@FEW
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 140))
def test_trap_tile_dependence(seed, rows) -> None:
    """Any strip height: the same bits, and the same tables to the last digit."""
    where, layers = region(), random_layers(seed)
    rules, rasters = [*random_rules(seed), SLOPE], [slope_of(where, seed)]
    a = land_of(layers, rules, where=where, rasters=rasters)
    b = land_of(layers, rules, where=where, rasters=rasters, strip_rows=rows)
    for one, other in zip(a.lands, b.lands, strict=True):
        for name in ("eligible", "unknown", "owned"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    pd.testing.assert_frame_equal(a.states, b.states, check_exact=True)
    pd.testing.assert_frame_equal(a.waterfall, b.waterfall, check_exact=True)


# --- the rule pack on the ground: land class x distance -> state and reason ---------------------------------------

EVERYWHERE = box(0, 0, 6000, 4000)


@pytest.mark.parametrize(
    ("host", "rule", "distance_m", "state"),
    [
        ("fish_pond", "red_line", 0, "excluded"),
        ("fish_pond", "red_line", 40, "eligible"),
        ("wind_plain", "red_line", 0, "excluded"),
        ("fish_pond", "basic_farmland", 0, "excluded"),
        ("wind_plain", "basic_farmland", 0, "eligible"),
        ("barren_hill", "forest", 0, "excluded"),
        ("forest_pv", "forest", 0, "eligible"),
        ("forest_pv", "protected_forest", 0, "excluded"),
        ("subsidence_land", "cultivated_land", 0, "excluded"),
        ("barren_hill", "water_source", 0, "excluded"),
        ("roof_rural", "pv_road", 0, "eligible"),
        ("fish_pond", "pv_road", 5, "excluded"),
        ("fish_pond", "pv_road", 60, "eligible"),
        ("fish_pond", "river", 5, "excluded"),
        ("wind_mudflat", "river", 0, "eligible"),
        ("wind_plain", "wind_dwelling", 450, "excluded"),
        ("wind_plain", "wind_dwelling", 550, "eligible"),
        ("fish_pond", "wind_dwelling", 450, "eligible"),
        ("wind_hill", "wind_town", 950, "excluded"),
        ("wind_plain", "wind_road", 150, "excluded"),
        ("wind_plain", "wind_road", 250, "eligible"),
        ("wind_plain", "wind_rail", 250, "excluded"),
        ("wind_plain", "wind_line", 150, "excluded"),
        ("barren_hill", "buildings", 5, "excluded"),
    ],
)
def test_truth_table_of_the_pack_on_the_ground(host, rule, distance_m, state) -> None:
    """A feature whose eastern edge is at x = 1980 m; the sub-cell ``distance_m`` east of it (0: 15 m inside)."""
    feature = layer("feature", box(1000, 1000, 1980, 3000))
    rules = rules_for_study(load_rule_pack("cn-2024"), [PackEntry(rule, "feature")], file="study.toml")
    result = land_of([layer("host", EVERYWHERE), feature], rules, [HostLayer(host, "host")], mapped_by=())
    x = 1980.0 + (distance_m or -15)
    fine = unpack(result.land(host).eligible)
    assert bool(fine[fine.shape[0] // 2, int(x // 7.5)]) == (state == "eligible")
    named = result.waterfall.set_index("rule")["lost_km2"]
    assert (f"{rule}:feature" in named.index) == (not rules[0].applies_to or host in rules[0].applies_to)
    if state == "excluded":
        assert named[f"{rule}:feature"] > 0


@pytest.mark.parametrize(
    ("host", "rule", "slope", "state"),
    [
        ("barren_hill", "pv_slope", 9.9, "eligible"),
        ("barren_hill", "pv_slope", 10.1, "excluded"),
        ("wind_hill", "pv_slope", 15.0, "eligible"),
        ("wind_hill", "wind_slope", 15.0, "eligible"),
        ("wind_hill", "wind_slope", 20.1, "excluded"),
        ("wind_hill", "wind_slope", math.nan, "unknown"),
        ("fish_pond", "pv_slope", math.nan, "eligible"),
    ],
)
def test_truth_table_of_slopes(host, rule, slope, state) -> None:
    where = region()
    raster = RasterLayer("slope", where.frame, np.full(where.frame.shape, slope, np.float32), "degree", Origin.MEASURED)
    rules = rules_for_study(load_rule_pack("cn-2024"), [PackEntry(rule, "slope")], file="study.toml")
    hosts = [HostLayer(host, "host")]
    result = land_of([layer("host", EVERYWHERE)], rules, hosts, where=where, rasters=[raster], mapped_by=())
    assert states(result).at[host, f"{state}_km2"] == pytest.approx(24.0, rel=1e-3)


def test_certain_exclusion_outweighs_a_doubt() -> None:
    """In a red line, a missing slope changes nothing: excluded. Dropping the red line makes it unknown."""
    where = region()
    nothing = RasterLayer(
        "slope", where.frame, np.full(where.frame.shape, np.nan, np.float32), "degree", Origin.MEASURED
    )
    rules = [SLOPE, Rule("red", "", "", "red", ())]
    layers = [layer("hill", EVERYWHERE), layer("red", box(0, 0, 3000, 4000))]
    result = land_of(layers, rules, TRIO[1:2], where=where, rasters=[nothing], mapped_by=())
    assert states(result).at["barren_hill", "excluded_km2"] == pytest.approx(12.0, rel=1e-3)
    assert states(result).at["barren_hill", "unknown_km2"] == pytest.approx(12.0, rel=1e-3)
    fall = result.waterfall.set_index("rule")
    assert fall.at["red", "lost_km2"] == pytest.approx(12.0, rel=1e-3)
    assert fall.at["red", "sole_km2"] == 0.0


# --- faults of the inputs ------------------------------------------------------------------------------------------


def test_all_faults_of_the_land_inputs_at_once() -> None:
    where = region()
    road = VectorLayer(
        "road", gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (9, 9)])], crs=CRS), Origin.MAPPED
    )
    abroad = VectorLayer("abroad", gpd.GeoDataFrame(geometry=[EVERYWHERE], crs="EPSG:3857"), Origin.MAPPED)
    small = RasterLayer("dem", Frame(CRS, 30.0, 0, 0, 2, 2), np.zeros((2, 2), np.float32), "m", Origin.MEASURED)
    hosts = [HostLayer("fish_pond", "ponds"), HostLayer("windy", "road"), HostLayer("wind_plain", "abroad", 1.2)]
    rules = [
        Rule("road", "", "", "road", ()),
        Rule("red", "", "", "red", (), setback_m=-1.0),
        Rule("high", "", "", "dem", ("fish_pnd",), kind="raster_above"),
        Rule("road", "", "", "road", (), setback_m=5.0),
    ]
    layers = [road, abroad, layer("pond", EVERYWHERE)]
    with pytest.raises(InputError) as caught:
        evaluate_land(
            where, layers, [small], hosts, HOSTS, rules, mapped_by=("cover",), co_use=[("fish_pond", "barrenhill")]
        )
    found = [(f.rule, f.layer) for f in caught.value.findings]
    assert ("land.crs", "abroad") in found
    assert ("land.frame", "dem") in found
    assert ("land.area_share", "abroad") in found
    assert ("land.unknown_layer", "ponds") in found
    assert ("land.unknown_layer", "cover") in found
    assert ("land.host_without_area", "road") in found
    assert ("land.setback_of_lines", "road") in found
    assert ("land.setback", "red") in found
    assert ("land.limit", "dem") in found
    assert ("land.repeated_rule", "road") in found
    assert [f.value for f in caught.value.findings if f.rule == "host_type.unknown"] == [
        "windy",
        "fish_pnd",
        "barrenhill",
    ]
    assert next(f for f in caught.value.findings if f.value == "ponds").remedy == "Did you mean 'pond'?"


def test_masks_are_shared_where_equal_and_read_only() -> None:
    result = land_of(random_layers(1))
    pond, hill, field = result.lands
    assert pond.unknown is hill.unknown
    assert pond.owned is pond.eligible  # the first in the ledger loses nothing
    assert field.owned is not field.eligible
    with pytest.raises(ValueError, match="read-only"):
        pond.eligible[0, 0] = 1


# --- sites of any land ---------------------------------------------------------------------------------------------


def sites_of(layers, hosts=TRIO, where=None, block_km=2.0, **more):
    where = where or region()
    land = evaluate_land(where, layers, (), hosts, HOSTS, (), mapped_by=(), **more)
    return land, delineate_sites(land, where, HOSTS, hosts, block_km=block_km, study_code="TT")


@FEW
@given(seed=st.integers(0, 10_000))
def test_sites_and_remainder_are_the_ledger(seed) -> None:
    hosts = (*TRIO, HostLayer("roof_rural", "town", 0.25))
    land, sites = sites_of(random_layers(seed), hosts)
    in_sites = sites.candidates.groupby("host_type")["area_m2"].sum() / 1e6
    left = sites.remainder.groupby("host_type")["area_km2"].sum()
    for host, share in (("fish_pond", 1), ("barren_hill", 1), ("wind_plain", 1), ("roof_rural", 0.25)):
        total = in_sites.get(host, 0.0) / share + left.get(host, 0.0)
        assert total == pytest.approx(states(land).at[host, "owned_km2"], rel=1e-12, abs=1e-12)
    by_name = {host.host_type: host for host in HOSTS}
    for row in sites.candidates.itertuples():
        host = by_name[row.host_type]
        assert row.area_m2 >= host.min_area_m2 or row.capacity_mw > 0.4 * host.max_capacity_mw
        assert row.kind == "roof" or row.capacity_mw <= host.max_capacity_mw
        point = gpd.GeoSeries(gpd.points_from_xy([row.lon], [row.lat]), crs="EPSG:4326").to_crs(CRS)[0]
        assert row.geometry.distance(point) < 0.01
        assert row.geometry.is_valid


@FEW
@given(seed=st.integers(0, 10_000), order=st.permutations(range(5)))
def test_sites_do_not_depend_on_layer_order_or_strips(seed, order) -> None:
    layers = random_layers(seed)
    _, a = sites_of(layers)
    _, b = sites_of([layers[k] for k in order], TRIO[::-1], strip_rows=17)
    pd.testing.assert_frame_equal(pd.DataFrame(a.candidates), pd.DataFrame(b.candidates))


def test_outline_stays_within_a_cell_of_the_cells() -> None:
    """A turned square of 1 km: the outline follows its border within a cell, with few of the corners of the stairs."""
    square = shapely.affinity.rotate(box(2000, 1500, 3000, 2500), 27)
    _, sites = sites_of([layer("pond", square)], TRIO[:1])
    outline = sites.candidates.geometry.iloc[0]
    assert outline.boundary.hausdorff_distance(square.boundary) < 1.5 * 30
    assert outline.area == pytest.approx(square.area, rel=0.02)
    assert sites.candidates["area_m2"].iloc[0] == pytest.approx(square.area, rel=0.002)
    assert shapely.get_num_coordinates(outline) < 80  # of some 180 stairs


def test_ids_hold_when_the_region_grows_and_a_setback_changes() -> None:
    ponds = layer("pond", box(600, 600, 1200, 1200), box(3000, 2000, 3600, 2600))
    _, before = sites_of([ponds], TRIO[:1])
    _, wider = sites_of([ponds], TRIO[:1], where=region(9000, 4000, x0=-3000))
    assert before.candidates["candidate_id"].tolist() == wider.candidates["candidate_id"].tolist()
    smaller = layer("pond", *(shape.buffer(-30) for shape in ponds.features.geometry))
    _, after = sites_of([smaller], TRIO[:1])
    assert before.candidates["candidate_id"].tolist() == after.candidates["candidate_id"].tolist()


def test_roofs_of_two_districts_in_one_square_keep_their_outlines() -> None:
    """Two roofs 30 m apart on both sides of the border (x = 3 km) lie in one square of 250 m."""
    roofs = layer("roof", box(2940, 1000, 2985, 1045), box(3015, 1000, 3060, 1045))
    _, sites = sites_of([roofs], [HostLayer("roof_public", "roof")])
    assert sorted(sites.candidates["district_code"]) == ["A", "B"]
    assert len(sites.candidates) == 2
    assert not sites.candidates.geometry.is_empty.any()


def test_roofs_too_small_are_in_the_remainder() -> None:
    _, sites = sites_of([layer("roof", box(1005, 1005, 1035, 1035))], [HostLayer("roof_public", "roof")])
    assert sites.candidates.empty
    assert sites.remainder.to_dict("records") == [
        {"host_type": "roof_public", "reason": "too_small", "area_km2": pytest.approx(0.0009)}
    ]


def test_border_cells_belong_to_the_nearest_district() -> None:
    """Ponds on a strip 10 m wide along the border: no cell centre lies in the region."""
    where = region()
    where = replace(where, district_index=np.zeros_like(where.district_index))
    _, sites = sites_of([layer("pond", box(100, 100, 700, 700), box(5000, 100, 5600, 700))], TRIO[:1], where=where)
    by_x = sites.candidates.sort_values("lon")
    assert by_x["district_code"].tolist() == ["A", "B"]
    assert by_x["name_zh"].tolist() == ["甲县 鱼塘光伏 01", "乙县 鱼塘光伏 01"]
    assert by_x["name_en"].tolist() == ["Jia fish-pond PV 01", "Yi fish-pond PV 01"]
