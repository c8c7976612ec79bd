"""Criteria on hand-made candidates, scores, rule packs read from files, ids, names and outlines."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from siting_samples import CRS, box, layer, region

from layers.contracts import InputError, Origin, RasterLayer
from siting.contracts import HostLayer
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land
from siting.rules.packs import PackEntry, load_rule_pack, rules_for_study
from siting.scoring.contracts import Criterion
from siting.scoring.criteria import criterion_values, distance_km, raster_mean
from siting.scoring.rank_stability import rank_stability
from siting.scoring.score import check_criteria, score_candidates
from siting.sites.candidates import delineate_sites
from siting.sites.labels import numbered_names, stable_ids
from siting.sites.outlines import cell_outlines, inner_points
from siting.sites.runs import Runs, runs_at

HOSTS = load_host_types()
CANDIDATES = gpd.GeoDataFrame(
    {"candidate_id": ["a", "b"], "area_m2": [1.0, 2.0], "name_en": ["A", "B"]},
    geometry=[box(0, 0, 300, 300), box(3000, 3000, 3300, 3300)],
    crs=CRS,
)
YIELDS = pd.DataFrame({"candidate_id": ["b", "a"], "lcoe_cny_per_kwh": [0.3, np.nan]})


def criterion(source: str, name: str = "c", weight: float = 1.0, worst: float = 0.0, best: float = 1.0) -> Criterion:
    return Criterion(name, name, name, weight, source, worst, best)


def test_distance_from_the_edge_in_km() -> None:
    """The post at (3000, 300): 2.7 km from a's edge along x; from b's edge 2.7 km along y. 0 where they touch."""
    post = layer("post", shapely.Point(*box(3000, 300, 3001, 301).bounds[:2]))
    assert distance_km(CANDIDATES, post) == pytest.approx([2.7, 2.7], abs=1e-9)
    assert distance_km(CANDIDATES, layer("field", box(200, 200, 400, 400)))[0] == 0.0
    with pytest.raises(ValueError, match="another CRS"):
        distance_km(CANDIDATES.to_crs("EPSG:3857"), post)


def test_raster_mean_and_trap_nodata() -> None:
    """a covers 10 x 10 cells in the south-west: half 2, half 4; one missing cell makes the mean unknown."""
    where = region()
    values = np.full(where.frame.shape, 7.0, np.float32)
    values[-10:, :5], values[-10:, 5:10] = 2.0, 4.0
    raster = RasterLayer("dem", where.frame, values, "m", Origin.MEASURED)
    assert raster_mean(CANDIDATES, raster) == pytest.approx([3.0, 7.0])
    values[-1, 0] = np.nan
    assert np.isnan(raster_mean(CANDIDATES, raster)[0])
    assert raster_mean(CANDIDATES, raster)[1] == pytest.approx(7.0)


def test_attributes_meet_their_candidate_by_id() -> None:
    table = criterion_values(
        CANDIDATES, YIELDS, (), (), [criterion("yield.lcoe_cny_per_kwh"), criterion("candidate.area_m2", "s")]
    )
    wide = table.pivot(index="candidate_id", columns="criterion", values="value")
    assert np.isnan(wide.at["a", "c"])
    assert wide.at["b", "c"] == 0.3
    assert wide["s"].tolist() == [1.0, 2.0]


def test_attributes_of_the_site() -> None:
    slope = pd.DataFrame({"candidate_id": ["b", "a"], "mean_slope_deg": [3.0, np.nan], "township": ["x", "y"]})
    table = criterion_values(CANDIDATES, YIELDS, (), (), [criterion("site.mean_slope_deg")], slope)
    assert table.set_index("candidate_id")["value"].to_dict() == pytest.approx({"a": np.nan, "b": 3.0}, nan_ok=True)
    for source in ("site.township", "site.nothing"):
        with pytest.raises(InputError):
            criterion_values(CANDIDATES, YIELDS, (), (), [criterion(source)], slope)


@pytest.mark.parametrize("source", ["yield.nothing", "candidate.name_en", "raster:x", "distance:x", "distance", "a.b"])
def test_source_that_is_not_there_is_refused(source) -> None:
    with pytest.raises(InputError) as caught:
        criterion_values(CANDIDATES, YIELDS, (), (), [criterion(source), criterion("candidate.area_m2")])
    assert [f.value for f in caught.value.findings] == [source]


def values_of(**columns: list[float]) -> pd.DataFrame:
    rows = [(f"k{n}", name, v) for name, column in columns.items() for n, v in enumerate(column)]
    return pd.DataFrame(rows, columns=["candidate_id", "criterion", "value"])


def test_ranks_and_deterministic_ties() -> None:
    values = values_of(c=[0.5, 0.9, 0.5, np.nan])
    table = score_candidates(values.sample(frac=1, random_state=4), [criterion("x")]).set_index("candidate_id")
    assert table["rank"].tolist()[:3] == [2, 1, 3]  # k0 before k2
    assert np.isnan(table.at["k3", "rank"])


def test_criterion_of_no_weight_may_be_missing() -> None:
    criteria = [criterion("x"), criterion("y", "d", weight=0.0)]
    values = values_of(c=[0.5, 0.9], d=[np.nan, 1.0])
    table = score_candidates(values, criteria)
    assert table["score"].tolist() == [0.5, 0.9]
    assert table["missing"].tolist() == ["", ""]
    assert rank_stability(values, criteria, first=1)["top_share"].tolist() == [0.0, 1.0]


def test_all_faults_of_the_criteria_at_once() -> None:
    bad = [criterion("x", "a", -0.5), criterion("x", "b", 1.0, 2.0, 2.0), criterion("x", "b", 0.1)]
    rules = [f.rule for f in check_criteria(bad)]
    assert rules == ["criteria.weight", "criteria.value_function", "criteria.repeated", "criteria.weights"]
    with pytest.raises(InputError):
        rank_stability(values_of(a=[1.0], b=[1.0]), bad)


def test_stability_by_hand() -> None:
    """Utilities (1, 0) and (0, 1) with weights 0.5 +- 25 %: a coin decides; a third, worse in both, never leads."""
    criteria = [criterion("x", "c", 0.5), criterion("x", "d", 0.5)]
    table = rank_stability(values_of(c=[1.0, 0.0, 0.4], d=[0.0, 1.0, 0.0]), criteria, first=1, draws=2000)
    assert table["top_share"].tolist() == pytest.approx([0.5, 0.5, 0.0], abs=0.05)
    still = rank_stability(values_of(c=[1.0, 0.0], d=[0.0, 1.0]), criteria, first=1, spread=0.0)
    assert still["top_share"].tolist() == [1.0, 0.0]  # equal scores: the first id
    missing = rank_stability(values_of(c=[1.0, np.nan], d=[0.0, 1.0]), criteria, first=1)
    assert missing["top_share"].tolist()[0] == 1.0
    assert np.isnan(missing["top_share"][1])


# --- rule packs -----------------------------------------------------------------------------------------------------


def test_faulty_pack_is_refused_with_every_fault(tmp_path) -> None:
    rule = 'id = "a"\nlabel_zh = ""\nlabel_en = ""\ndocument = "d"\nclause = ""\ndate = ""\n'
    (tmp_path / "x.toml").write_text(
        'edition = "1"\n'
        f'[[rules]]\n{rule}confidence = "A"\napplies_to = []\n'
        f'[[rules]]\n{rule}confidence = "E"\napplies_to = ["pond"]\nkind = "vectr"\nsetback_m = -2\n'
        f'[[rules]]\n{rule}confidence = "A"\napplies_to = []\nsetback = 3\n',
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        load_rule_pack("x", tmp_path)
    found = sorted(f.rule for f in caught.value.findings)
    assert found == sorted(
        [
            "rules.key",
            "rules.key",
            "rules.value",
            "rules.value",
            "rules.unknown_host",
            "rules.negative_setback",
            "rules.repeated",
        ]
    )
    (tmp_path / "y.toml").write_text("a = ", "utf-8")
    with pytest.raises(InputError, match="not a TOML file"):
        load_rule_pack("y", tmp_path)


def test_unknown_pack_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'cn-2024'"):
        load_rule_pack("cn-2023")


def test_rule_twice_on_one_layer_is_refused_unless_the_hosts_differ() -> None:
    pack = load_rule_pack("cn-2024")
    plain = PackEntry("wind_dwelling", "village", applies_to=("wind_plain",))
    hill = PackEntry("wind_dwelling", "village", setback_m=300, applies_to=("wind_hill",))
    assert [rule.setback_m for rule in rules_for_study(pack, [plain, hill], file="s")] == [500, 300]
    with pytest.raises(InputError, match="twice"):
        rules_for_study(pack, [plain, PackEntry("wind_dwelling", "village")], file="s")


def test_override_of_the_host_types_holds() -> None:
    entry = PackEntry("pv_slope", "slope", limit=5.0, applies_to=("wind_hill",))
    (rule,) = rules_for_study(load_rule_pack("cn-2024"), [entry], file="s")
    assert (rule.applies_to, rule.limit, rule.kind, rule.id) == (("wind_hill",), 5.0, "raster_above", "pv_slope:slope")


# --- ids, names, outlines ---------------------------------------------------------------------------------------------


def test_id_is_the_hash_of_the_anchor() -> None:
    digest = hashlib.sha256(b"fish_pond/1/2/1").hexdigest()[:8]
    assert stable_ids("BZ-FP", ["fish_pond/1/2"], np.array([1.0])) == [f"BZ-FP-{digest}"]


def test_two_sites_on_one_anchor_are_told_apart_by_size() -> None:
    small, large = stable_ids("X", ["a", "a"], np.array([1.0, 9.0]))
    assert small != large
    assert stable_ids("X", ["a"], np.array([9.0])) == [large]  # the larger one keeps its id when the other goes


def test_ids_that_meet_in_their_digits_are_told_apart(monkeypatch) -> None:
    """With one digit in place of eight, sixteen anchors meet for certain."""
    monkeypatch.setattr("siting.sites.labels._DIGITS", 1)
    ids = stable_ids("X", [str(k) for k in range(16)], np.ones(16))
    assert len(set(ids)) == 16


def test_names_count_by_size_within_a_place() -> None:
    places = np.array(["谯城区", "谯城区", "利辛县"], dtype=object)
    assert numbered_names(places, " 鱼塘光伏", np.array([1.0, 2.0, 1.0])) == [
        "谯城区 鱼塘光伏 02",
        "谯城区 鱼塘光伏 01",
        "利辛县 鱼塘光伏 01",
    ]


def cells_of(drawn: np.ndarray) -> Runs:
    """All cells of a drawing with their cover, as one site, on the sample region's frame."""
    cover, host = drawn.astype(np.uint8), drawn.astype(float)
    at = np.flatnonzero(cover)
    host = host.ravel()[at]
    runs = runs_at(0, cover.shape[1], at, cover.ravel()[at], host, host, np.full(200, 900 / 16))
    return runs.with_site(np.zeros(len(runs), np.int64))


def bow() -> Runs:
    """A U of cells: its centre of area lies outside of it."""
    drawn = np.zeros((21, 21))
    drawn[:, [0, 20]] = drawn[20] = 16
    return cells_of(drawn)


def test_point_is_in_the_site_and_nearest_to_its_centre() -> None:
    where = region()
    cells = bow()
    outlines = cell_outlines(cells, where.frame)
    point = inner_points(cells, where.frame, outlines)[0]
    assert outlines[0].contains(point)
    # centre of area at row 13.3, column 10: the bottom (7 rows off) is nearer than the arms (10 columns off)
    assert point.x == pytest.approx(where.frame.left + 10.5 * 30)
    assert point.y == pytest.approx(where.frame.top - 20.5 * 30)


def test_site_of_thin_cells_alone_is_drawn() -> None:
    cells = cells_of(np.pad([[2]], ((3, 0), (4, 0))))
    assert cell_outlines(cells, region().frame)[0].area == pytest.approx(900)


def test_least_area_counts_the_host_share_and_least_width_the_land() -> None:
    """A hill of 540 m x 540 m (29 ha) with a share of a third is below 10 ha; a strip 30 m wide is too narrow."""
    where = region()
    hill = layer("hill", box(600, 600, 1140, 1140), box(2010, 600, 2040, 3600))
    for share, count in ((1.0, 1), (0.33, 0)):
        hosts = [HostLayer("barren_hill", "hill", share)]
        land = evaluate_land(where, [hill], (), hosts, HOSTS, (), mapped_by=())
        sites = delineate_sites(land, where, HOSTS, hosts, study_code="TT")
        assert len(sites.candidates) == count
        left = sites.remainder.set_index("reason")["area_km2"]
        assert left["too_narrow"] == pytest.approx(0.09)
        assert ("too_small" in left.index) == (count == 0)


def test_weakest_origin_is_shown() -> None:
    where = region()
    mapped = replace(layer("pond", box(600, 600, 1200, 1200)), origin=Origin.MAPPED)
    hosts = [HostLayer("fish_pond", "pond"), HostLayer("fish_pond", "guess")]
    land = evaluate_land(
        where, [mapped, layer("guess", box(0, 0, 90, 90), origin=Origin.ASSUMED)], (), hosts, HOSTS, (), mapped_by=()
    )
    assert delineate_sites(land, where, HOSTS, hosts, study_code="TT").candidates["origin"].tolist() == ["assumed"]
