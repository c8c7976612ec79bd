"""The numbers behind the page: shapes, classes, routes, stations."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from map_samples import sample_input
from packed_reader import read_block, rings
from shapely.geometry import LineString, Polygon, box

from grid.contracts import BRANCH_N_1, UPGRADES, VERDICTS_ALLOWED
from maps.bilingual import safe
from maps.contracts import SiteProfiles
from maps.geometry import label_point, line_positions, polygon_positions, simplify, simplify_together
from maps.payload import build_payload, number, quantities, to_script_json
from maps.site_payload import site_blocks
from maps.style import Grade, grade_of, is_colour, map_style

STYLE = map_style()
METRES = 111_320.0


def drawn(**changes: Any) -> Any:
    return build_payload(replace(sample_input(), **changes), STYLE, 15.0)


# ---- shapes


def test_simplify_moves_nothing_further_than_the_tolerance() -> None:
    """A circle of 1 km at 33.5 N drawn with 720 corners: few are left, none further off than 20 m."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    lat = 33.5 + 1000 * np.sin(angle) / METRES
    lon = 116.0 + 1000 * np.cos(angle) / METRES / math.cos(math.radians(33.5))
    circle = Polygon(np.column_stack([lon, lat]))
    light = simplify([circle], 20.0)[0]
    assert len(light.exterior.coords) < 60

    def in_metres(g: Any) -> Any:
        return shapely.transform(g, lambda xy: xy * [METRES * math.cos(math.radians(33.5)), METRES])

    assert in_metres(circle).boundary.hausdorff_distance(in_metres(light).boundary) <= 20.0 + 1e-6


def test_simplify_is_as_fine_from_east_to_west_as_from_north_to_south() -> None:
    """A 30 m dent, at 60 N: gone at 40 m and kept at 20 m in either direction, though a degree of longitude is half."""
    half = 1 / METRES
    north = Polygon([(0, 60), (0.01, 60), (0.02, 60 - 30 * half), (0.03, 60), (0.04, 60), (0.04, 59.99), (0, 59.99)])
    east = Polygon(
        [(0, 60), (0.04, 60), (0.04, 60.01), (0.04 + 60 * half, 60.015), (0.04, 60.02), (0.04, 60.03), (0, 60.03)]
    )
    for shape in (north, east):
        assert len(simplify([shape], 20.0)[0].exterior.coords) > len(simplify([shape], 40.0)[0].exterior.coords)


def test_zero_tolerance_keeps_every_corner_and_a_negative_one_is_refused() -> None:
    shape = box(116, 33, 117, 34).segmentize(0.1)
    assert simplify([shape], 0.0)[0] is shape
    with pytest.raises(ValueError, match="tolerance_m is -1"):
        simplify([shape], -1.0)


def test_neighbours_keep_one_common_border() -> None:
    """Two districts share a jagged border; simplified together they still neither overlap nor leave a gap."""
    rng = np.random.default_rng(3)
    ys = np.linspace(33.0, 34.0, 60)
    border = np.column_stack([116.5 + rng.uniform(-0.004, 0.004, 60), ys])
    west = Polygon([(116.0, 33.0), *border, (116.0, 34.0)])
    east = Polygon([(117.0, 33.0), *border, (117.0, 34.0)])
    light_west, light_east = simplify_together([west, east], 3000.0)
    assert len(light_west.exterior.coords) < len(west.exterior.coords) / 2
    assert light_west.intersection(light_east).area == pytest.approx(0.0, abs=1e-12)
    assert light_west.union(light_east).area == pytest.approx(light_west.area + light_east.area)
    assert light_west.union(light_east).geom_type == "Polygon"
    assert light_west.union(light_east).interiors[:] == []


def test_positions_have_five_decimals_and_no_repeated_corner() -> None:
    shape = Polygon([(116.000001, 33), (116.000002, 33), (117.123456789, 33), (117, 34)])
    assert polygon_positions(shape) == [[[[116.0, 33.0], [117.12346, 33.0], [117.0, 34.0], [116.0, 33.0]]]]


def test_holes_and_parts_are_kept() -> None:
    ring = box(0, 0, 3, 3).difference(box(1, 1, 2, 2))
    parts = polygon_positions(shapely.union_all([ring, box(5, 5, 6, 6)]))
    assert [len(part) for part in parts] == [2, 1]


def test_a_ring_smaller_than_the_rounding_stays_a_ring() -> None:
    """One metre across: rounding would leave fewer than four positions, GeoJSON's least."""
    tiny = Polygon([(116, 33), (116.000003, 33), (116.000003, 33.000003), (116, 33.000003)])
    assert len(polygon_positions(tiny)[0][0]) == 5


def test_lines_of_one_and_of_several_parts() -> None:
    assert line_positions(LineString([(1, 2), (3, 4)])) == [[[1.0, 2.0], [3.0, 4.0]]]
    two = shapely.MultiLineString([[(1, 2), (3, 4)], [(5, 6), (7, 8)]])
    assert len(line_positions(two)) == 2


def test_a_name_stands_inside_its_district_also_when_the_middle_is_outside() -> None:
    """A horseshoe's centroid lies in the gap; its label point does not."""
    horseshoe = box(0, 0, 4, 4).difference(box(1, 1, 3, 4))
    lat, lon = label_point(horseshoe)
    assert not horseshoe.contains(horseshoe.centroid)
    assert horseshoe.contains(shapely.Point(lon, lat))


# ---- classes


@pytest.mark.parametrize(
    ("value", "grade"),
    [(None, None), (float("nan"), None), (-5.0, 0), (0.0, 0), (0.99, 0), (1.0, 1), (19.99, 1), (20.0, 2), (1e6, 4)],
)
def test_headroom_grades(value: float | None, grade: int | None) -> None:
    """A class holds its lower edge and not the next one's; unknown is no class."""
    assert grade_of(value, STYLE.headroom_mw) == grade


@given(st.floats(-1e6, 1e6), st.lists(st.floats(0, 1000), min_size=1, max_size=6, unique=True))
def test_a_grade_s_edges_hold_the_value(value: float, edges: list[float]) -> None:
    grades = tuple(Grade(edge, "#000000") for edge in sorted(edges))
    found = grade_of(value, grades)
    assert found is not None
    assert found == 0 or grades[found].lower <= value
    assert found == len(grades) - 1 or value < grades[found + 1].lower


def test_every_verdict_has_a_style_of_its_own() -> None:
    assert [v.verdict for v in STYLE.verdicts] == list(VERDICTS_ALLOWED)
    assert len({v.colour for v in STYLE.verdicts}) == len({v.fill for v in STYLE.verdicts}) == len(VERDICTS_ALLOWED)


def _lightness(colour: str) -> float:
    """CIE L* of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def _seen_by(colour: str, kind: str) -> Any:
    """Colour as a dichromat sees it (Viénot, Brettel and Mollon 1999: matrices on linear RGB)."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    matrix = {
        "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    }[kind]
    return np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
@pytest.mark.parametrize("scale", ["verdicts", "loading_percent", "headroom_mw"])
def test_colours_stay_apart_for_red_green_blind_readers(scale: str, kind: str) -> None:
    colours = [entry.colour for entry in getattr(STYLE, scale)]
    seen = [_seen_by(colour, kind) for colour in colours]
    gaps = [float(np.linalg.norm(a - b)) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.13


def test_loading_darkens_from_light_load_to_overload() -> None:
    steps = [_lightness(grade.colour) for grade in STYLE.loading_percent]
    assert steps[0] - steps[-1] > 35
    assert steps[-1] == min(steps)


@pytest.mark.parametrize("value", ["red", "#12345", "#1234567", "#12345g", "#123456;}", "#123456\n", None, 3])
def test_only_hex_colours_pass(value: object) -> None:
    assert not is_colour(value)
    assert is_colour("#0072B2")


@pytest.mark.parametrize(
    ("kv", "from_kv"), [(1000.0, 500.0), (500.0, 500.0), (330.0, 220.0), (110.0, 110.0), (35.0, 0.0)]
)
def test_a_voltage_between_levels_takes_the_level_below(kv: float, from_kv: float) -> None:
    assert STYLE.voltage(kv).from_kv == from_kv


# ---- numbers and words


@pytest.mark.parametrize(
    ("value", "digits", "written"), [(1.2345, 2, 1.23), (7.0001, 2, 7), (None, 1, None), (float("nan"), 1, None)]
)
def test_numbers_are_short_and_unknown_is_null(value: float | None, digits: int, written: float | None) -> None:
    assert number(value, digits) == written


@given(st.text())
def test_any_words_survive_the_script_and_end_nothing(words: str) -> None:
    script = to_script_json({"words": words})
    assert json.loads(script)["words"] == words
    assert not re.search("[<>&\u2028\u2029]", script)


@given(st.text())
def test_any_words_are_safe_as_page_text(words: str) -> None:
    assert not re.search("[<>\"'{}]", safe(words))


# ---- routes, stations, cases


def two_circuits(loading: dict[tuple[str, str], float]) -> Any:
    """Circuits a and b on one route (b drawn backwards), c on a route of its own."""
    data = sample_input()
    path = LineString([(116, 33), (116.1, 33.1), (116.3, 33.2)])
    lines = gpd.GeoDataFrame(
        {
            "line_id": ["a", "b", "c"],
            "name_zh": ["甲", "乙", "丙"],
            "name_en": ["A", "B", "C"],
            "vn_kv": [220.0] * 3,
            "length_km": [30.0] * 3,
            "line_type": ["x"] * 3,
            "origin": ["mapped"] * 3,
            "geometry": [path, path.reverse(), LineString([(116, 33), (116.3, 33.2)])],
        },
        crs="EPSG:4326",
    )
    state = pd.DataFrame(
        [(case, line, "line", 100.0, 0.0, 0.4, percent) for (case, line), percent in loading.items()],
        columns=data.branch_state.columns,
    )
    return drawn(lines=lines, branch_state=state)["lines"]


def test_circuits_on_one_route_share_it_and_none_hides_another() -> None:
    routes = two_circuits({("summer_peak", "a"): 40.0, ("summer_peak", "b"): 90.0, ("spring_noon", "a"): 55.0})
    assert [[circuit["id"] for circuit in route["circuits"]] for route in routes] == [["a", "b"], ["c"]]
    a, b = routes[0]["circuits"]
    assert [state[0] for state in a["states"]] == [40, 55, None]
    assert [state[0] for state in b["states"]] == [90, None, None]
    assert routes[1]["circuits"][0]["states"] == [[None, None, None, ""]] * 3


def test_trap_a_diverged_case_has_no_loading() -> None:
    """An unsolved case is null in every circuit, never 0 %."""
    routes = two_circuits({("windy_night", "a"): float("nan")})
    assert routes[0]["circuits"][0]["states"][2][0] is None


def test_states_of_a_case_that_is_not_shown_are_left_out() -> None:
    routes = two_circuits({("other_case", "a"): 77.0})
    assert routes[0]["circuits"][0]["states"] == [[None, None, None, ""]] * 3


def test_a_station_is_coloured_by_its_best_bus() -> None:
    """220 kV bus full, 110 kV bus with 30 MW left: the station is of the class 20 to 50 MW; both buses are told."""
    buses = sample_input().substations.query("station_id == 's01'").assign(remaining_n_1_mw=[0.0, 30.0])
    station = drawn(substations=buses)["stations"][0]
    assert station["headroom"] == 2
    assert station["remaining"] == 30
    assert [bus["kv"] for bus in station["buses"]] == [220, 110]
    assert [bus["remaining"] for bus in station["buses"]] == [0, 30]


def test_a_station_of_unknown_headroom_has_no_class() -> None:
    buses = sample_input().substations.query("station_id == 's01'").assign(remaining_n_1_mw=float("nan"))
    assert drawn(substations=buses)["stations"][0]["headroom"] is None


def test_stations_come_highest_voltage_first() -> None:
    levels = [station["kv"] for station in drawn()["stations"]]
    assert len(levels) == 20
    assert levels == sorted(levels, reverse=True)


def test_ids_of_lines_and_buses_have_names() -> None:
    names = drawn()["elements"]
    assert names["s01/110"] == ["古井变 110 kV", "Station 01 110 kV"]
    assert names["l00a"][1] == "Line 00A"


def test_measures_are_named_by_their_table_or_by_candidates() -> None:
    from_candidates = drawn()["upgrades"]
    assert set(map(tuple, from_candidates.values())) == {("新建第二回线路", "second circuit")}
    row = ("u1", "second_circuit", "l00a", "s00", "双回", "double it", 1.0, "C", "ours")
    table = pd.DataFrame([row], columns=list(UPGRADES.columns))
    assert drawn(upgrades=table)["upgrades"] == {"u1": ["双回", "double it"]}


def test_case_summaries_keep_status_and_unknown_values() -> None:
    summer, _, night = drawn()["cases"]
    assert summer["summary"]["status"] == "solved"
    assert summer["summary"]["n_1"] == {"total": 62, "solved": 60, "split": 2, "diverged": 0, "overloaded": 3}
    assert night["summary"]["status"] == "diverged"
    assert night["summary"]["load_mw"] is None


def test_bounds_are_the_districts() -> None:
    assert drawn()["bounds"] == [[32.92, 115.55], [34.02, 116.8]]


def test_each_candidate_carries_its_row() -> None:
    data = sample_input()
    blocks = site_blocks(data, STYLE, 15.0)
    core, texts = read_block(blocks.core), read_block(blocks.texts)
    assert core.count == texts.count == 60
    for i, expected in enumerate(data.projects.itertuples(index=False)):
        got = core.row(i) | texts.row(i)
        for name in ("order", "candidate_id", "host_type", "verdict", "district_code", "station_id", "reason_en"):
            assert got[name] == getattr(expected, name), name
        assert got["capacity_mw"] == pytest.approx(expected.capacity_mw, abs=0.0051)
        assert got["score"] == (None if math.isnan(expected.score) else pytest.approx(expected.score, abs=0.00051))


def test_outlines_and_their_edges_agree() -> None:
    """The edges in the first block are those of the corners in the second, to a pixel."""
    data = sample_input()
    blocks = site_blocks(data, STYLE, 0.0)
    core = read_block(blocks.core)
    for i, parts in enumerate(rings(blocks.shapes)):
        row = core.row(i)
        xs, ys = zip(*[corner for part in parts for corner in part], strict=True)
        assert (row["x"] - row["to_west"], row["x"] + row["to_east"]) == (min(xs), max(xs))
        assert (row["y"] - row["to_north"], row["y"] + row["to_south"]) == (min(ys), max(ys))


def test_facts_profiles_and_stages_come_where_they_are_known() -> None:
    """Absent tables leave no column; a site that a table does not name has no value, never zero."""
    data = sample_input()
    bare = read_block(site_blocks(data, STYLE, 15.0).core).columns
    assert not {"road_km", "profile", "stage"} & set(bare)
    ids = data.projects["candidate_id"]
    facts = pd.DataFrame({"candidate_id": ids[:2], "road_km": [0.0, float("nan")], "township": ["甲镇", ""]})
    profiles = SiteProfiles(
        np.ones((1, 12)), np.ones((1, 24)), pd.DataFrame({"candidate_id": ids[:1], "profile": 0, "capacity_mw": 2.5})
    )
    stages = pd.DataFrame({"candidate_id": ids[:3], "stage": [2030, 2025, None]}, dtype=object)
    full = site_blocks(replace(data, site_facts=facts, profiles=profiles, stages=stages), STYLE, 15.0)
    core = read_block(full.core).columns
    assert core["road_km"][:3] == [0.0, None, None]
    assert core["profile"][:2] == [0, None]
    assert core["profile_mw"][0] == 2.5
    assert core["stage"][:4] == ["2030", "2025", "", ""]
    assert read_block(full.texts).columns["township"][:2] == ["甲镇", ""]
    assert "plan_connection_zh" not in read_block(full.texts).columns


def test_where_the_plan_connects_a_site_stands_beside_what_the_list_says() -> None:
    data = sample_input()
    ids = data.projects["candidate_id"]
    words = {"connection_zh": ["", "新站 · 110 kV · 4.1 km"], "connection_en": ["", "New · 110 kV · 4.1 km"]}
    stages = pd.DataFrame({"candidate_id": ids[:2], "stage": ["2030", "2030"], **words})
    texts = read_block(site_blocks(replace(data, stages=stages), STYLE, 15.0).texts).columns
    assert texts["plan_connection_zh"][:3] == ["", "新站 · 110 kV · 4.1 km", ""]
    assert texts["plan_connection_en"][1] == "New · 110 kV · 4.1 km"
    nobody = replace(data, stages=stages.assign(connection_zh="", connection_en=""))
    assert "plan_connection_zh" not in read_block(site_blocks(nobody, STYLE, 15.0).texts).columns


# ---- N-1, measures, grades


def test_worst_loading_over_outages_stands_beside_the_case() -> None:
    worst = pd.DataFrame(
        [("spring_noon", "l00a", "line", 131.24, "l01a", 2), ("other", "l00a", "line", 500.0, "l01a", 9),
         ("spring_noon", "t1", "transformer", 99.0, "l01a", 0)],
        columns=list(BRANCH_N_1.columns),
    )  # fmt: skip
    circuits = [c for route in drawn(branch_n_1=worst)["lines"] for c in route["circuits"]]
    states = next(c["states"] for c in circuits if c["id"] == "l00a")
    assert states[1][2:] == [131.2, "l01a"]
    assert states[0][2:] == [None, ""]


def test_a_station_has_the_grade_of_its_lowest_graded_bus_with_its_reason() -> None:
    buses = sample_input().substations.query("station_id == 's01'")
    words = {"after": "red", "equipment": "T1", "reason_zh": "倒送", "reason_en": "reverse", "formula": "1 < 2",
             "clause": "5.2", "confidence": "A"}  # fmt: skip
    graded = buses.assign(grade=["green", "red"], **{f"grade_{name}": value for name, value in words.items()})
    rule = drawn(substations=graded)["stations"][0]["rule"]
    assert (rule["grade"], rule["reason"], rule["formula"]) == ("red", ["倒送", "reverse"], "1 < 2")
    assert drawn()["stations"][0]["rule"] is None
    assert drawn(substations=graded.assign(grade=""))["stations"][0]["rule"] is None


def test_measures_stand_on_their_line_or_at_their_station_and_nowhere_else() -> None:
    table = pd.DataFrame(
        [("m1", "2025", "second_circuit", "l00a", "s00", 2.04e7), ("m2", "2030", "add_transformer", "t9", "s01", 1.0),
         ("m3", "2030", "storage", "", "nowhere", float("nan"))],
        columns=["measure_id", "stage", "kind", "element", "station_id", "cost_cny"],
    ).assign(name_zh="措施", name_en="measure")  # fmt: skip
    payload = drawn(measures=table)
    on_line, at_station = payload["measures"]
    data = sample_input()
    path = data.lines.set_index("line_id").geometry["l00a"]
    lat, lon = on_line["at"]
    assert path.distance(shapely.Point(lon, lat)) < 1e-5
    assert on_line["path"] == line_positions(path)
    assert on_line["cost"] == 20_400_000
    assert at_station["path"] is None
    assert at_station["at"] == pytest.approx(
        data.substations.query("station_id == 's01'").iloc[0][["lat", "lon"]], abs=1e-5
    )
    assert [stage for stage, _ in payload["stages"]] == ["2025", "2030"]


def test_a_new_station_stands_at_its_own_place_with_ways_to_the_lines_it_is_looped_into() -> None:
    line = sample_input().lines.set_index("line_id").geometry["l00a"]
    (west, south), (east, north) = line.coords[0], line.coords[-1]
    place = (round((west + east) / 2 + 0.02, 5), round((south + north) / 2 + 0.02, 5))
    row = {"measure_id": "new_station_110:new001", "stage": "2025", "kind": "new_station", "element": "new001",
           "station_id": "new001", "name_zh": "新建", "name_en": "new", "cost_cny": 1e8, "annual_cost_cny": 7.126e6,
           "called_mwh": 0.0, "unlocked_mw": 41.6, "lon": place[0], "lat": place[1], "joins": "l00a gone"}  # fmt: skip
    (measure,) = drawn(measures=pd.DataFrame([row]))["measures"]
    assert measure["at"] == [place[1], place[0]]
    ((start, foot),) = measure["path"]
    assert tuple(start) == pytest.approx(place)
    assert line.distance(shapely.Point(foot)) < 1e-4
    across = math.cos(math.radians(place[1]))

    def away(lon: float, lat: float) -> float:
        return math.hypot((lon - place[0]) * across, lat - place[1])

    along = (line.interpolate(share, normalized=True) for share in np.linspace(0, 1, 2001))
    assert away(*foot) == pytest.approx(min(away(at.x, at.y) for at in along), rel=1e-3)
    assert (measure["yearly"], measure["called"], measure["unlocked"]) == (7_130_000, 0, 42)
    (alone,) = drawn(measures=pd.DataFrame([row]).assign(joins=""))["measures"]
    assert (alone["at"], alone["path"]) == (measure["at"], None)


def test_measures_that_were_tried_are_shown_without_a_plan() -> None:
    row = ("u1", "second_circuit", "l00a", "s00", "双回", "double it", 1.0, "C", "ours")
    table = pd.DataFrame([row], columns=list(UPGRADES.columns))
    (measure,) = drawn(upgrades=table)["measures"]
    assert (measure["id"], measure["stage"], measure["name"]) == ("u1", "", ["双回", "double it"])


def test_quantities_of_which_no_site_has_a_value_are_no_view() -> None:
    data = sample_input()
    blank = replace(data, projects=data.projects.assign(score=float("nan")))
    assert [q["id"] for q in quantities(blank, STYLE)] == ["yield", "lcoe"]
    assert [q["id"] for q in quantities(data, STYLE)] == ["score", "yield", "lcoe"]
