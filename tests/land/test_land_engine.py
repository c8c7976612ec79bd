"""The land engine as a whole: plain numpy as the second engine, the same bits however the work is cut, the traps."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import engine_samples as samples
import numpy as np
import pandas as pd
import pytest
import shapely
from engine_samples import HOST_LAYERS, HOSTS, RULES, box
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers.contracts import InputError
from layers.frame import Tile
from layers.mask_store import MaskStore
from layers.submask import rasterize_submask
from siting.contracts import HostLayer, LandResult, Rule
from siting.land.checks import applies
from siting.land.eligibility import evaluate_land
from siting.land.ledger import LedgerPolicy, assign_owners, may_share
from siting.land.reasons import reasons, rules_at
from siting.rules.masks import finish_mask, rule_shapes, test_raster
from siting.scoring.cell_score import CellCriterion, score_cells

FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CO_USE = (("wind_plain", "barren_hill"),)


def land_of(seed: int = 1, where=None, rules=RULES, hosts=HOST_LAYERS, **more) -> LandResult:
    where = where or samples.region()
    more = {"mapped_by": ("survey",), "co_use": CO_USE} | more
    return evaluate_land(where, samples.layers(seed), samples.rasters(where.frame), hosts, HOSTS, rules, **more)


def same(a: LandResult, b: LandResult) -> None:
    for mine, other in zip(a.lands, b.lands, strict=True):
        for name in ("eligible", "unknown", "owned", "reasons"):
            assert getattr(mine, name) == getattr(other, name), (mine.host_type, name)
    for name in ("states", "waterfall", "states_by_district", "waterfall_by_district", "co_used"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_exact=True)


def plain_land(where, seed: int, rules=RULES, hosts=HOST_LAYERS, co_use=CO_USE, mapped_by=("survey",)):
    """The formulas of the docstring on whole arrays, host by host: (eligible, unknown, owned, sole bits by rule)."""
    frame, inside = where.frame, np.asarray(where.mask)
    by_name = {layer.id: layer for layer in samples.layers(seed)}
    grids = {raster.id: raster for raster in samples.rasters(frame)}

    def cover(name):
        return rasterize_submask(by_name[name].features.geometry, frame)

    mapped = np.bitwise_or.reduce([cover(n) for n in {*mapped_by, *(h.layer for h in hosts)}])
    found = {}
    for host in dict.fromkeys(h.host_type for h in hosts):
        own = np.bitwise_or.reduce([cover(h.layer) for h in hosts if h.host_type == host]) & inside
        x, u = {}, {}
        for rule in (r for r in rules if applies(r, host)):
            u[rule.id] = np.zeros(frame.shape, np.uint16)
            if rule.on_raster:
                x[rule.id], u[rule.id] = test_raster(rule, grids[rule.layer].values, frame)
            else:
                x[rule.id] = finish_mask(rule, rasterize_submask(rule_shapes(rule, by_name), frame))
                if rule.known_within:
                    u[rule.id] = ~cover(rule.known_within)
        none = [np.zeros(frame.shape, np.uint16)]
        all_x, all_u = (np.bitwise_or.reduce([*d.values(), *none]) for d in (x, u))
        sole = {}
        for name in x:
            others = np.bitwise_or.reduce([x[k] | u[k] for k in x if k != name] + none)
            sole[name] = own & x[name] & ~others, own & (x[name] | u[name]) & ~others, own & x[name]
        found[host] = (own & ~(all_x | all_u), (inside & ~mapped) | (own & all_u & ~all_x), sole, own)
    owned: dict = {}
    for host in sorted(found, key=lambda name: next((h.ledger_priority, name) for h in HOSTS if h.host_type == name)):
        taken = [mask for other, mask in owned.items() if not may_share(host, other, co_use)]
        owned[host] = found[host][0] & ~np.bitwise_or.reduce([*taken, np.zeros(frame.shape, np.uint16)])
    return found, owned


@FEW
@given(seed=st.integers(0, 500))
def test_equal_to_plain_set_algebra(seed) -> None:
    where = samples.region()
    result = land_of(seed, where)
    found, owned = plain_land(where, seed)
    km2 = 900 / 16 / 1e6
    fall = result.waterfall_by_district[result.waterfall_by_district["district_code"] == ""]
    fall = fall.set_index(["host_type", "rule"])
    for land in result.lands:
        eligible, unknown, sole, own = found[land.host_type]
        assert land.eligible == eligible
        assert land.unknown == unknown
        assert land.owned == owned[land.host_type]
        assert land.rules == tuple(sole)
        for j, (name, (alone, regained, lost)) in enumerate(sole.items()):
            row = fall.loc[land.host_type, name]
            for column, mask in (("lost_km2", lost), ("sole_km2", alone), ("regained_km2", regained)):
                assert row[column] == pytest.approx(np.bitwise_count(mask).sum(dtype=np.int64) * km2, rel=1e-12)
            assert np.array_equal((np.asarray(land.reasons) >> j & 1).astype(bool), lost != 0)
        states = result.states.set_index("host_type").loc[land.host_type]
        assert states["host_km2"] == pytest.approx(np.bitwise_count(own).sum(dtype=np.int64) * km2, rel=1e-12)


@pytest.mark.parametrize(("strip_rows", "workers"), [(1, 2), (37, 1), (64, 2), (100, 3), (10_000, 2)])
def test_trap_tile_dependence(strip_rows, workers) -> None:
    """Same bits, and the same tables to the last digit, for any strip and any number of workers."""
    same(land_of(), land_of(strip_rows=strip_rows, workers=workers))


def test_trap_region_split_at_a_seam() -> None:
    """A region cut in two: masks side by side are those of the whole, areas add up."""
    whole, west, east = (samples.region(x0=x0, x1=x1) for x0, x1 in ((0, 6000), (0, 2700), (2700, 6000)))
    parts = [land_of(where=where) for where in (whole, west, east)]
    cut = west.frame.width
    assert whole.frame.width == cut + east.frame.width
    for a, b, c in zip(*(part.lands for part in parts), strict=True):
        for name in ("eligible", "unknown", "owned"):
            assert getattr(a, name) == np.hstack([np.asarray(getattr(b, name)), np.asarray(getattr(c, name))])
    sums = parts[1].states.set_index("host_type") + parts[2].states.set_index("host_type")
    pd.testing.assert_frame_equal(sums, parts[0].states.set_index("host_type"), rtol=1e-12)


def test_districts_add_up_to_the_region() -> None:
    result = land_of()
    columns = [c for c in result.states.columns if c != "host_type"]
    sums = result.states_by_district.groupby("host_type", sort=False)[columns].sum()
    pd.testing.assert_frame_equal(sums, result.states.set_index("host_type"), rtol=1e-12)
    fall = result.waterfall_by_district
    parts = fall[fall["district_code"] != ""].groupby(["host_type", "rule"], sort=False).sum(numeric_only=True)
    total = fall[fall["district_code"] == ""].set_index(["host_type", "rule"]).drop(columns="district_code")
    pd.testing.assert_frame_equal(parts, total, rtol=1e-12)
    pd.testing.assert_frame_equal(
        total.drop(columns="regained_km2"), result.waterfall.set_index(["host_type", "rule"]), rtol=0
    )
    states = result.states
    total_km2 = states["eligible_km2"] + states["excluded_km2"] + states["unknown_km2"]
    assert total_km2.tolist() == pytest.approx(states["region_km2"].tolist(), rel=1e-14)


@FEW
@given(seed=st.integers(0, 500), drop=st.integers(0, len(RULES) - 1))
def test_a_rule_more_never_adds_land_and_dropping_one_regains_what_it_said(seed, drop) -> None:
    where = samples.region()
    fewer = tuple(rule for k, rule in enumerate(RULES) if k != drop)
    strict, loose = land_of(seed, where), land_of(seed, where, fewer)
    fall = strict.waterfall_by_district[strict.waterfall_by_district["district_code"] == ""]
    said = fall[fall["rule"] == RULES[drop].id].set_index("host_type")["regained_km2"]
    gained = loose.states.set_index("host_type")["eligible_km2"] - strict.states.set_index("host_type")["eligible_km2"]
    for a, b in zip(strict.lands, loose.lands, strict=True):
        assert not (a.eligible & ~b.eligible).any()
        assert gained[a.host_type] == pytest.approx(said.get(a.host_type, 0.0), abs=1e-12)


def test_trap_diamond_buffer() -> None:
    """1 km around a point: pi km2 and no diamond, also where rows of several strips share the disk."""
    where = samples.region()
    point = samples.layer("well", shapely.Point(*box(3000, 4000, 3001, 4001).exterior.coords[0]))
    everywhere = samples.layer("pond", box(-100, -100, 6100, 8100))
    result = evaluate_land(
        where, [everywhere, point], (), (HostLayer("fish_pond", "pond"),), HOSTS,
        [Rule("well", "", "", "well", (), setback_m=1000.0)], mapped_by=(), strip_rows=11,
    )  # fmt: skip
    assert result.waterfall["lost_km2"].iloc[0] == pytest.approx(math.pi, rel=2e-3)


def test_trap_object_just_outside_the_region() -> None:
    """A village 20 m beyond the border, 500 m setback: excluded inside as in a region that holds the village."""
    village = samples.layer("town", box(6020, 3900, 6120, 4100))
    pond = samples.layer("pond", box(0, 0, 6000, 8000))
    rules = [Rule("town", "", "", "town", (), setback_m=500.0)]
    inner, outer = (
        evaluate_land(where, [pond, village], (), (HostLayer("fish_pond", "pond"),), HOSTS, rules, mapped_by=())
        for where in (samples.region(), samples.region(x1=7000))
    )
    assert inner.waterfall["lost_km2"].iloc[0] > 0.3
    assert inner.waterfall["lost_km2"].iloc[0] == pytest.approx(outer.waterfall["lost_km2"].iloc[0], rel=1e-12)


def test_trap_nodata_is_unknown() -> None:
    """Where the slope has no value no hill is eligible: unknown, or excluded by another rule for certain."""
    where = samples.region()
    gap = np.isnan(samples.rasters(where.frame)[0].values)
    hill = land_of(where=where).land("barren_hill")
    assert not np.asarray(hill.eligible)[gap].any()
    assert np.asarray(hill.unknown)[gap].any()
    careless = tuple(replace(rule, nodata="eligible") if rule.id == "steep" else rule for rule in RULES)
    assert np.asarray(land_of(where=where, rules=careless).land("barren_hill").eligible)[gap].any()


def test_beside_atlite() -> None:
    """Cells wholly in or wholly out are so for atlite too (which looks at cell centres); a diamond is not our disk."""
    gis = pytest.importorskip("atlite.gis", reason="atlite is not installed (extra 'bench')")
    import geopandas as gpd

    where = samples.region()
    hosts, found = (HostLayer("fish_pond", "survey"),), {x.id: x for x in samples.layers(5)}
    rules = [Rule("well", "", "", "well", (), setback_m=800.0), Rule("red", "", "", "red", (), setback_m=100.0)]
    ours = evaluate_land(where, list(found.values()), (), hosts, HOSTS, rules, mapped_by=())
    mask = np.asarray(ours.lands[0].eligible)
    container = gis.ExclusionContainer(crs=samples.CRS, res=30.0)
    for rule in rules:
        container.add_geometry(found[rule.layer].features, buffer=rule.setback_m)
    survey = found["survey"].features.geometry.intersection(where.districts.union_all())
    theirs, transform = gis.shape_availability(gpd.GeoSeries(survey.to_list(), crs=samples.CRS), container)
    row, col = round((where.frame.top - transform.f) / 30), round((transform.c - where.frame.left) / 30)
    rows, cols = np.nonzero(theirs)
    theirs = np.zeros(mask.shape, bool)
    theirs[rows + row, cols + col] = True
    assert theirs[mask == 0xFFFF].all()
    assert not theirs[mask == 0].any()
    assert np.bitwise_count(mask).sum(dtype=np.int64) / 16 == pytest.approx(np.count_nonzero(theirs), rel=2e-3)


def test_trap_integer_overflow() -> None:
    """8 million full cells hold 128 million sub-cells; a million square kilometres fit the sums many times over."""
    where = samples.region()
    from siting.land.strips import area_km2, fixed_area, row_weights

    weight = row_weights(np.array([900.0, 123.456789]))
    assert [area_km2(f) * 16e6 for f in fixed_area(weight)] == pytest.approx([900.0, 123.456789], rel=1e-12)
    huge = np.array([[10**12 * int(weight[0, 0]), 10**12 * int(weight[0, 1])]], np.int64)
    assert area_km2(fixed_area(huge)[0]) == pytest.approx(1e12 * 56.25 / 1e6, rel=1e-15)
    assert where.frame.resolution_m == 30


def test_trap_degrees_as_metres() -> None:
    """A layer left in degrees is refused, not read as metres."""
    where = samples.region()
    pond = samples.layer("pond", box(0, 0, 500, 500))
    degrees = replace(pond, features=pond.features.to_crs("EPSG:4326"))
    with pytest.raises(InputError, match=r"land\.crs"):
        evaluate_land(where, [degrees], (), (HostLayer("fish_pond", "pond"),), HOSTS, (), mapped_by=())


# --- masks kept by content -----------------------------------------------------------------------------------------


def test_kept_masks_give_the_same_land_and_one_change_draws_one_mask(tmp_path: Path) -> None:
    cold = land_of(mask_cache=tmp_path)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.mask")}
    same(cold, land_of(mask_cache=tmp_path))
    same(cold, land_of())
    assert {path.name for path in tmp_path.glob("*.mask")} == set(files)
    longer = tuple(replace(rule, setback_m=334.0) if rule.id == "well" else rule for rule in RULES)
    changed = land_of(rules=longer, mask_cache=tmp_path)
    assert len({p.name for p in tmp_path.glob("*.mask")} - set(files)) == 1
    same(changed, land_of(rules=longer))


def test_damaged_and_foreign_masks_are_drawn_anew(tmp_path: Path) -> None:
    cold = land_of(mask_cache=tmp_path)
    for k, path in enumerate(sorted(tmp_path.glob("*.mask"))):
        path.write_bytes([b"", b"rubbish" * 9, path.read_bytes()[:-1]][k % 3])
    same(cold, land_of(mask_cache=tmp_path))


def test_another_layer_is_another_mask(tmp_path: Path) -> None:
    """The same name with other features must not find the old mask."""
    same(land_of(1, mask_cache=tmp_path), land_of(1))
    same(land_of(2, mask_cache=tmp_path), land_of(2))


# --- reasons -------------------------------------------------------------------------------------------------------


@FEW
@given(seed=st.integers(0, 100), x=st.floats(100, 5000), y=st.floats(100, 7000), turn=st.floats(0, 90))
def test_reasons_of_a_place_are_those_of_the_whole(seed, x, y, turn) -> None:
    """A turned rectangle anywhere: its masks are the cut-out of the region's, its table counts that."""
    where = samples.region()
    place = shapely.affinity.rotate(box(x, y, x + 700, y + 400), turn).intersection(box(0, 0, 6000, 8000))
    whole = land_of(seed, where)
    part = reasons(
        place, where, samples.layers(seed), samples.rasters(where.frame), HOST_LAYERS, HOSTS, RULES,
        mapped_by=("survey",), co_use=CO_USE,
    )  # fmt: skip
    row0 = round((where.frame.top - part.frame.top) / 30)
    col0 = round((part.frame.left - where.frame.left) / 30)
    tile = Tile(row0, row0 + part.frame.height, col0, col0 + part.frame.width)
    cut = rasterize_submask([place], part.frame)
    for a, b in zip(whole.lands, part.lands, strict=True):
        assert b.eligible == (np.asarray(a.eligible)[tile.slices] & cut)
        assert b.owned == (np.asarray(a.owned)[tile.slices] & cut)
    assert (part.states["region_km2"] * 1e6).tolist() == pytest.approx([place.area] * 4, rel=0.02)


def test_reasons_of_a_point_are_the_rules_of_its_cell() -> None:
    where = samples.region()
    result = land_of(where=where)
    hill = result.land("barren_hill")
    row, col = (int(k[0]) for k in np.nonzero(np.bitwise_count(np.asarray(hill.reasons)) >= 2))
    x, y = where.frame.left + (col + 0.5) * 30, where.frame.top - (row + 0.5) * 30
    part = reasons(
        shapely.Point(x, y), where, samples.layers(1), samples.rasters(where.frame), HOST_LAYERS, HOSTS, RULES,
        mapped_by=("survey",), co_use=CO_USE,
    )  # fmt: skip
    lost = part.waterfall[(part.waterfall["host_type"] == "barren_hill") & (part.waterfall["lost_km2"] > 0)]
    assert tuple(lost["rule"]) == rules_at(hill, row, col)
    assert part.frame.shape == (1, 1)


def test_a_place_outside_is_refused() -> None:
    where = samples.region()
    for place in (shapely.Point(0, 0), box(9000, 9000, 9500, 9500)):
        with pytest.raises(InputError, match="place_outside"):
            reasons(
                place, where, samples.layers(1), samples.rasters(where.frame), HOST_LAYERS, HOSTS, RULES, mapped_by=()
            )


# --- ledger --------------------------------------------------------------------------------------------------------


@FEW
@given(seed=st.integers(0, 500), kind=st.sampled_from(["priority", "given", "best_value", "raster"]),
       order=st.permutations(range(4)))  # fmt: skip
def test_every_policy_conserves_area_whatever_the_order_of_layers(seed, kind, order) -> None:
    names = tuple(host.host_type for host in HOST_LAYERS)
    policy = {
        "priority": LedgerPolicy(),
        "given": LedgerPolicy("given", order=names[::-1]),
        "best_value": LedgerPolicy("best_value", values=tuple(zip(names, (0.3, 0.2, 0.5, 0.2), strict=True))),
        "raster": LedgerPolicy(
            "best_value", values=((names[2], 5.0), (names[3], 7.0)),
            value_rasters=((names[0], "slope"), (names[1], "cover")), lower_is_better=True,
        ),
    }[kind]  # fmt: skip
    a = land_of(seed, policy=policy, co_use=())
    b = land_of(seed, policy=policy, co_use=(), hosts=tuple(HOST_LAYERS[k] for k in order), strip_rows=29)
    union = np.bitwise_or.reduce([np.asarray(land.eligible) for land in a.lands])
    taken = np.zeros_like(union)
    for land in a.lands:
        owned = np.asarray(land.owned)
        assert not (taken & owned).any()
        taken |= owned
        assert b.land(land.host_type).owned == owned
    assert np.array_equal(taken, union)


def test_policies_by_hand() -> None:
    """One cell that all three may use: roof has the first priority, wind is named first, the pond is worth most."""
    hosts = {h.host_type: h for h in HOSTS}
    trio = [(hosts[n], np.full((1, 2), 0xFFFF, np.uint16)) for n in ("fish_pond", "roof_rural", "wind_plain")]

    def owner(policy, values=None, co_use=()):
        owned = assign_owners(trio, co_use, policy, values)
        return ["+".join(h.host_type for (h, _), m in zip(trio, owned, strict=True) if m[0, c]) for c in range(2)]

    assert owner(LedgerPolicy()) == ["roof_rural"] * 2
    assert owner(LedgerPolicy("given", order=("wind_plain", "fish_pond", "roof_rural"))) == ["wind_plain"] * 2
    figures = (("fish_pond", 3.0), ("roof_rural", 2.0), ("wind_plain", 1.0))
    assert owner(LedgerPolicy("best_value", values=figures)) == ["fish_pond"] * 2
    assert owner(LedgerPolicy("best_value", values=figures, lower_is_better=True)) == ["wind_plain"] * 2
    by_cell = np.array([[[1, np.nan]], [[2, np.nan]], [[3, -5]]], np.float32)
    policy = LedgerPolicy("best_value")
    assert owner(policy, by_cell) == ["wind_plain"] * 2
    assert owner(replace(policy, lower_is_better=True), by_cell) == ["fish_pond", "wind_plain"]
    pair = (("fish_pond", "wind_plain"),)
    assert owner(LedgerPolicy("best_value", values=figures), co_use=pair) == ["fish_pond+wind_plain"] * 2


def test_all_faults_of_a_policy_at_once() -> None:
    bad = LedgerPolicy(
        "best_value", order=("fish_pnd",), values=(("fish_pond", math.nan),), value_rasters=(("town", "x"),)
    )
    with pytest.raises(InputError) as caught:
        land_of(policy=bad, dask=None)
    assert {f.rule for f in caught.value.findings} == {
        "ledger.unknown_host", "ledger.no_value", "ledger.unknown_raster", "ledger.order_unused", "ledger.not_a_number",
    }  # fmt: skip
    with pytest.raises(InputError, match="not_in_order"):
        land_of(policy=LedgerPolicy("given", order=("fish_pond",)))
    with pytest.raises(InputError, match="values_unused"):
        land_of(policy=LedgerPolicy(values=(("fish_pond", 1.0),)))


def test_land_owned_together_is_counted() -> None:
    result = land_of()
    both = result.land("wind_plain").owned & result.land("barren_hill").owned
    assert both.any()
    expected = np.bitwise_count(both).sum(dtype=np.int64) * 900 / 16 / 1e6
    assert result.co_used.to_dict("records") == [
        {"host_type": "wind_plain", "guest": "barren_hill", "shared_km2": pytest.approx(expected, rel=1e-12)}
    ]


# --- score, progress, Dask -----------------------------------------------------------------------------------------


def test_score_on_the_way_is_the_score_of_the_eligible_cells() -> None:
    where = samples.region()
    slope, cover = samples.rasters(where.frame)
    criteria = [
        CellCriterion("slope", slope, 2.0, np.array([0.0, 15.0]), np.array([1.0, 0.0])),
        CellCriterion("cover", cover, 1.0, np.arange(5.0), np.array([0.1, 1.0, 0.4, 0.0, 0.7])),
    ]
    score = np.full(where.frame.shape, np.nan, np.float32)

    def keep(row0, strip):
        score[row0 : row0 + len(strip)] = strip

    result = land_of(where=where, score=criteria, on_score=keep)
    within = np.bitwise_or.reduce([np.asarray(land.eligible) for land in result.lands])
    assert np.array_equal(score, score_cells(criteria, within=MaskStore.of(within)), equal_nan=True)


def test_progress_rises_to_one() -> None:
    seen = []
    land_of(progress=lambda label, share: seen.append((label, share)))
    assert {label for label, _ in seen} == {"land"}
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_scheduler_without_dask_is_told_at_once(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="dask_missing"):
        land_of(dask="tcp://127.0.0.1:1")


def test_strips_on_dask_give_the_same_bits() -> None:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        same(land_of(), land_of(dask=cluster.scheduler_address))


def test_strips_can_be_sent_to_another_process() -> None:
    """What goes to a worker and what comes back survives pickling."""
    import pickle

    from siting.land import eligibility

    evaluate, sent = eligibility.evaluate_strip, []

    def through_pickle(plan, strip):
        sent.append(strip.row0)
        return pickle.loads(pickle.dumps(evaluate(*pickle.loads(pickle.dumps((plan, strip))))))

    expected = land_of()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eligibility, "evaluate_strip", through_pickle)
        same(expected, land_of(strip_rows=64))
    assert len(sent) > 1
