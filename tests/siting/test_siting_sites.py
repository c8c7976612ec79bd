"""Sites, criteria, scores and rule packs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from siting_samples import box, layer, region

from layers.contracts import InputError, Origin
from siting.contracts import CANDIDATES, HostLayer, Sites
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land
from siting.rules.packs import PackEntry, load_rule_pack, rules_for_study
from siting.scoring.contracts import Criterion
from siting.scoring.criteria import criterion_values, distance_km
from siting.scoring.rank_stability import rank_stability
from siting.scoring.score import score_candidates, value_function
from siting.sites.candidates import delineate_sites
from siting.yields.compute import grid_share

HOSTS = load_host_types()


def sites_of(layers, hosts, *, block_km: float = 2.0, **more) -> tuple[Sites, float]:
    """Sites and the ledger's owned area [km2]."""
    where = region()
    land = evaluate_land(where, layers, (), hosts, HOSTS, (), mapped_by=(), **more)
    sites = delineate_sites(land, where, HOSTS, hosts, block_km=block_km, study_code="TT")
    return sites, float(land.states["owned_km2"].sum())


PONDS = layer("pond", box(600, 600, 900, 900), box(930, 600, 1230, 900), box(3000, 3000, 3060, 3060))
POND_HOST = (HostLayer("fish_pond", "pond"),)


def test_ponds_behind_a_dike_form_one_site_and_a_puddle_none() -> None:
    sites, owned_km2 = sites_of([PONDS], POND_HOST)
    assert len(sites.candidates) == 1  # 30 m dike < 60 m group distance; 60 m x 60 m < 5 ha
    one = sites.candidates.iloc[0]
    assert one["area_m2"] == pytest.approx(180_000, rel=1e-3)
    # 0.18 km2 x 60 MW/km2 = 10.8 MW DC
    assert one["capacity_mw"] == pytest.approx(10.8, rel=1e-3)
    host = next(h for h in HOSTS if h.host_type == "fish_pond")
    assert one["grid_capacity_mw"] == pytest.approx(10.8 * grid_share(host), rel=1e-3)
    left = sites.remainder.set_index("reason")["area_km2"]
    assert left["too_small"] == pytest.approx(0.0036, rel=1e-3)
    assert sites.candidates["area_m2"].sum() / 1e6 + left.sum() == pytest.approx(owned_km2, rel=1e-12)


def test_large_land_is_cut_below_the_largest_capacity() -> None:
    field = layer("field", box(0, 0, 6000, 4000))
    sites, owned_km2 = sites_of([field], (HostLayer("subsidence_land", "field"),))
    # 24 km2 x 80 MW/km2 = 1920 MW in sites of at most 150 MW: at least 13
    assert len(sites.candidates) >= 13
    assert sites.candidates["capacity_mw"].max() <= 150 * 1.01
    assert sites.candidates["capacity_mw"].min() > 75
    assert sites.candidates["area_m2"].sum() / 1e6 + sites.remainder["area_km2"].sum() == pytest.approx(owned_km2)


def test_roofs_are_gathered_by_block_and_district() -> None:
    roofs = layer("roof", box(600, 600, 720, 720), box(810, 600, 930, 720), box(4500, 600, 4620, 720))
    sites, _ = sites_of([roofs], (HostLayer("roof_industrial", "roof", 0.5),), block_km=100)
    table = sites.candidates.sort_values("district_code")
    assert table["district_code"].tolist() == ["A", "B"]
    assert table["area_m2"].tolist() == pytest.approx([14_400, 7_200])  # half of the polygons is roof


def test_ids_are_stable_under_changes_elsewhere() -> None:
    alone, _ = sites_of([PONDS], POND_HOST)
    more = layer("pond", *PONDS.features.geometry, box(4500, 600, 4800, 900))
    both, _ = sites_of([more], POND_HOST)
    assert set(alone.candidates["candidate_id"]) < set(both.candidates["candidate_id"])
    again, _ = sites_of([more], POND_HOST)
    pd.testing.assert_frame_equal(pd.DataFrame(both.candidates), pd.DataFrame(again.candidates))


def test_contiguity_does_not_depend_on_strips() -> None:
    """Block-dependent contiguity: a long pond across many strips stays one site."""
    long = layer("pond", box(600, 100, 700, 3900))
    few, _ = sites_of([long], POND_HOST, strip_rows=11)
    assert len(few.candidates) == 1


def test_different_shares_without_the_layers_are_refused() -> None:
    hosts = (HostLayer("fish_pond", "pond", 0.5), HostLayer("fish_pond", "lake", 0.6))
    with pytest.raises(InputError, match="different area shares"):
        sites_of([PONDS, layer("lake", box(2000, 2000, 2300, 2300))], hosts)


def test_no_land_gives_no_candidate() -> None:
    sites, _ = sites_of([layer("pond", box(600, 600, 610, 610))], POND_HOST)
    assert sites.candidates.empty
    CANDIDATES.validate(pd.DataFrame(sites.candidates))


CRITERIA = (
    Criterion("size", "规模", "size", 0.5, "candidate.capacity_mw", 0, 10),
    Criterion("road", "公路", "road", 0.5, "distance:road", 5, 0),
)


def test_distance_is_measured_on_the_ground_from_the_edge() -> None:
    sites, _ = sites_of([PONDS], POND_HOST)
    road = layer("road", box(1830, 0, 1840, 4000))
    assert distance_km(sites.candidates, road)[0] == pytest.approx(0.6, abs=0.03)  # one cell
    assert np.isnan(distance_km(sites.candidates, layer("none"))).all()


def test_trap_missing_criterion_is_unknown_not_zero() -> None:
    values = pd.DataFrame(
        {
            "candidate_id": ["a", "a", "b", "b"],
            "criterion": ["size", "road", "size", "road"],
            "value": [8.0, 1.0, 8.0, np.nan],
        }
    )
    scores = score_candidates(values, CRITERIA).set_index("candidate_id")
    assert scores.at["a", "score"] == pytest.approx(0.8)
    assert np.isnan(scores.at["b", "score"])
    assert np.isnan(scores.at["b", "rank"])
    assert scores.at["b", "missing"] == "road"


@pytest.mark.parametrize(("value", "utility"), [(0, 0), (5, 0.5), (10, 1), (12, 1), (-3, 0)])
def test_value_function_either_way(value, utility) -> None:
    assert value_function([value], 0, 10)[0] == pytest.approx(utility)
    assert value_function([10 - value], 10, 0)[0] == pytest.approx(utility)


def test_weights_must_add_up() -> None:
    values = pd.DataFrame({"candidate_id": ["a"], "criterion": ["size"], "value": [1.0]})
    with pytest.raises(InputError, match=r"add up to 0\.5"):
        score_candidates(values, CRITERIA[:1])


def test_rank_stability_of_a_clear_winner() -> None:
    rows = [(f"c{k:02d}", c, v) for k in range(30) for c, v in (("size", 10 - k / 3), ("road", k / 6))]
    table = rank_stability(pd.DataFrame(rows, columns=["candidate_id", "criterion", "value"]), CRITERIA)
    stays = table.set_index("candidate_id")["top_share"]
    assert stays["c00"] == 1
    assert stays["c29"] == 0
    assert stays.sum() == pytest.approx(20)  # twenty places in every draw


def test_criterion_source_not_understood_is_named() -> None:
    sites, _ = sites_of([PONDS], POND_HOST)
    bad = Criterion("x", "x", "x", 1.0, "distance:nowhere", 0, 1)
    with pytest.raises(InputError, match="not understood"):
        criterion_values(sites.candidates, pd.DataFrame({"candidate_id": []}), (), (), [bad])


@pytest.mark.parametrize(
    ("rule", "host", "concerned"),
    [
        ("red_line", "fish_pond", True),
        ("red_line", "wind_plain", True),
        ("red_line", "roof_industrial", True),
        ("basic_farmland", "fish_pond", True),
        ("basic_farmland", "subsidence_land", True),
        ("basic_farmland", "wind_plain", False),
        ("basic_farmland", "roof_rural", False),
        ("wind_dwelling", "wind_plain", True),
        ("wind_dwelling", "fish_pond", False),
        ("forest", "forest_pv", False),
        ("forest", "barren_hill", True),
        ("pv_slope", "barren_hill", True),
        ("pv_slope", "wind_hill", False),
    ],
)
def test_truth_table_of_the_pack(rule, host, concerned) -> None:
    known = load_rule_pack("cn-2024").find(rule)
    assert known is not None
    assert (not known.applies_to or host in known.applies_to) == concerned


def test_every_rule_has_document_and_confidence() -> None:
    for rule in load_rule_pack("cn-2024").rules:
        assert rule.document, rule.id
        assert rule.confidence in ("A", "B", "C"), rule.id


def test_all_faults_of_the_exclusions_at_once() -> None:
    entries = [
        PackEntry("red_lin", "x"),
        PackEntry("river", "x", setback_m=-5.0),
        PackEntry("red_line", "x", applies_to=("fish_pnd",)),
        PackEntry("pv_slope", "dem", limit=8.0),
    ]
    with pytest.raises(InputError) as caught:
        rules_for_study(load_rule_pack("cn-2024"), entries, file="study.toml")
    text = [(f.rule, f.value, f.remedy) for f in caught.value.findings]
    assert [t[0] for t in text] == ["rules.unknown", "rules.negative_setback", "rules.unknown_host"]
    assert "red_line" in text[0][2]
    assert text[1][1] == "-5"
    assert "fish_pond" in text[2][2]


def test_override_and_own_rule() -> None:
    entries = [
        PackEntry("wind_dwelling", "village", setback_m=700.0),
        PackEntry("my_rule", "x", label_en="My rule", label_zh="自定", document="local plan"),
    ]
    first, own = rules_for_study(load_rule_pack("cn-2024"), entries, file="study.toml")
    assert first.setback_m == 700
    assert own.applies_to == ()
    assert Origin.GENERATED == "generated"
