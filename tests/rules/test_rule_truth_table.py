"""Land class x slope x distance -> state and reason (``truth_table.csv``), by the land evaluation and by the reasons.

A place of 40 m x 40 m in the middle of the frame lies in one land class, beside one road, on one slope; all rules of
the study hold at once, each on its own layer. Both ways of asking must give the answer of the table.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import rule_samples as s
from hypothesis import given, settings
from hypothesis import strategies as st

from siting.contracts import HostLayer
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land
from siting.land.explain import explain_place
from siting.rules.packs import PackEntry, known_packs, load_rule_pack, rules_for_study

TABLE = Path(__file__).with_name("truth_table.csv")
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
HOSTS = load_host_types()
LAND_CLASSES = ("basic_farmland", "cultivated_land", "forest", "tall_forest", "red_line")
NOWHERE = s.box(900_000, 900_000, 900_001, 900_001)
MIDDLE = s.point(200.1, 200.1)
PLACE = s.box(180, 180, 220, 220)
SOUTH_WEST = 0x1000
"""Bit of the sub-cell that holds the middle."""


def study_rules(pack_name: str):
    """The exclusions of the study: land classes, roads by class, slopes."""
    pack = load_rule_pack(pack_name)
    entries = [PackEntry(name, name) for name in LAND_CLASSES if pack.find(name)]
    entries += [PackEntry("pv_road", "road", setback_column="highway"), PackEntry("wind_road", "road")]
    entries += [PackEntry("pv_slope", "slope"), PackEntry("wind_slope", "slope")]
    return rules_for_study(pack, entries, file="study.toml")


def ground(row: dict[str, str]):
    """Layers and rasters of one row of the table."""
    distance = float(row["distance_m"] or math.inf)
    x = MIDDLE.x - s.LEFT + distance
    near = s.box(x, 0, x + 5, 400) if math.isfinite(distance) else NOWHERE
    layers = [s.layer("place", PLACE), s.layer("road", near, highway=[row["near_class"]])]
    layers += [s.layer(name, PLACE if name == row["land_class"] else NOWHERE) for name in LAND_CLASSES]
    slope = float(row["slope_deg"]) if row["slope_deg"] else np.nan
    return layers, [s.raster("slope", slope, "degree")]


@pytest.mark.parametrize("row", ROWS, ids=["-".join(filter(None, row.values())) for row in ROWS])
def test_state_and_reason(row) -> None:
    host, rules = row["host_type"], study_rules(row["pack"])
    layers, rasters = ground(row)
    hosts = [HostLayer(host, "place")]
    where = s.region()
    land = evaluate_land(where, layers, rasters, hosts, HOSTS, rules, mapped_by=(), workers=1).land(host)
    at = s.cell(where.frame, MIDDLE)
    eligible, unknown = (
        int(land.eligible[at]) & SOUTH_WEST,
        int(land.unknown[at]) & SOUTH_WEST,
    )  # of the sub-cell that holds the point
    assert ("eligible" if eligible else "unknown" if unknown else "excluded") == row["state"]
    why = explain_place(MIDDLE, host, where.frame, layers, rasters, hosts, rules)
    assert why.state == row["state"]
    assert why.eligible_share + why.excluded_share + why.unknown_share == pytest.approx(1)
    excluding = why.reasons[why.reasons["verdict"] == "excludes"]
    assert sorted(rule.split(":")[0] for rule in excluding["rule"]) == row["reasons"].split()
    assert (excluding["document"] != "").all()


def test_the_table_has_every_class_host_and_state() -> None:
    """Nothing above is said of a class that no row uses."""
    for column, needed in (("land_class", {*LAND_CLASSES, "none"}), ("state", {"eligible", "excluded", "unknown"})):
        assert {row[column] for row in ROWS} == needed
    assert {row["pack"] for row in ROWS} == set(known_packs())


# --- every rule of every pack does what it says -----------------------------------------------------------------------

RULES = [(name, rule) for name in known_packs() for rule in load_rule_pack(name).rules]


def values_of(rule) -> tuple[float, float]:
    if rule.kind == "raster_above":
        return rule.limit - 1, rule.limit + 1
    assert rule.kind == "aspect_between"
    middle = (rule.low + ((rule.high - rule.low) % 360) / 2) % 360
    return (middle + 180) % 360, middle


@pytest.mark.parametrize(("pack", "rule"), RULES, ids=[f"{name}-{rule.id}" for name, rule in RULES])
def test_every_rule_excludes_what_it_names_and_nothing_else(pack, rule) -> None:
    """Where it holds: excluded with this one reason. Beyond it, and for hosts it does not concern: eligible."""
    concerned = rule.applies_to[0] if rule.applies_to else "roof_rural"
    others = [h.host_type for h in HOSTS if rule.applies_to and h.host_type not in rule.applies_to]
    entry = PackEntry(rule.id, "feature", features_of="place" if rule.kind.startswith("feature") else "")
    (applied,) = rules_for_study(load_rule_pack(pack), [entry], file="study.toml")
    strip = s.box(195, 195, 205, 205)
    for breaks in (True, False):
        place, feature, rasters = PLACE, s.layer("feature", NOWHERE), []
        if applied.on_raster:
            rasters = [s.raster("feature", values_of(rule)[breaks], rule.unit)]
        elif rule.kind == "vector_narrow":
            place = strip if breaks else PLACE
            feature = s.layer("feature", place)
        elif breaks:
            at = MIDDLE.x - s.LEFT + max(rule.setback_m - 5, 0)
            feature = s.layer("feature", s.box(at - 1, 195, at + 3, 205))
        elif rule.kind == "vector":
            at = MIDDLE.x - s.LEFT + rule.setback_m + 5
            feature = s.layer("feature", s.box(at, 195, at + 3, 205))
        layers = [s.layer("place", place), feature]
        asked = (concerned, *others[:1])
        hosts, where = [HostLayer(host, "place") for host in asked], s.region()
        result = evaluate_land(where, layers, rasters, hosts, HOSTS, [applied], mapped_by=(), workers=1)
        for host in asked:
            why = explain_place(MIDDLE, host, where.frame, layers, rasters, hosts, [applied])
            expected = "excluded" if breaks and host == concerned else "eligible"
            assert why.state == expected, (host, breaks)
            assert list(why.reasons["rule"]) == ([applied.id] if host == concerned else [])
            bits = int(result.land(host).eligible[s.cell(where.frame, MIDDLE)])
            assert bool(bits & SOUTH_WEST) == (expected == "eligible")


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 9999))
def test_adding_a_rule_never_adds_land(seed) -> None:
    """Any rules of the pack on random shapes, taken one after another: eligible land only shrinks."""
    rng = np.random.default_rng(seed)
    pack, where = load_rule_pack("cn-2024"), s.region()
    chosen = [r for r in pack.rules if r.kind in ("vector", "cell_share") and r.setback_m < 600]
    picked = [chosen[k] for k in rng.choice(len(chosen), 4, replace=False)]
    layers = [s.layer("place", s.box(0, 0, 400, 400))]
    for k in range(4):
        x, y, w, h = rng.uniform((-300, -300, 5, 5), (700, 700, 80, 80))
        layers.append(s.layer(f"l{k}", s.box(x, y, x + w, y + h)))
    rules = rules_for_study(pack, [PackEntry(r.id, f"l{k}") for k, r in enumerate(picked)], file="s")
    hosts = [HostLayer("wind_plain", "place"), HostLayer("barren_hill", "place")]
    before = None
    for number in range(len(rules) + 1):
        result = evaluate_land(where, layers, (), hosts, HOSTS, rules[:number], mapped_by=(), workers=1)
        now = [np.asarray(land.eligible) for land in result.lands]
        if before is not None:
            assert not any((a & ~b).any() for a, b in zip(now, before, strict=True))
        before = now
