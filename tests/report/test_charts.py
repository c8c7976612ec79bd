"""Charts: what they are drawn from, that they close, and that bytes depend on data alone."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_samples import write_run

from maps.charts import CHARTS, chart_named, draw_chart
from maps.charts.heat import classes_by_case, month_by_hour
from maps.charts.hosting import hosting_order
from maps.charts.hosting_cases import buses_by_case, heat_classes
from maps.charts.land import waterfall_steps
from maps.charts.look import FONT_FAMILIES, ink_on, palette, plain
from maps.charts.single_line import leading_station, station_in
from maps.charts.staircase import _thinned, staircase_of_projects
from maps.charts.supply import supply_steps
from maps.charts.year import duration, most_lifted
from maps.run_tables import ADDRESSES, RunTables, sheet_of
from study.run_folder.report import read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunTables:
    folder: Path = write_run(tmp_path_factory.mktemp("run"))
    return read_run(folder, folder)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_chart_reads_what_it_says_and_gives_the_same_bytes(chart, run: RunTables) -> None:  # type: ignore[no-untyped-def]
    whole = draw_chart(chart, run, "zh")
    others = {name: None for name in (*ADDRESSES, "districts") if name not in chart.reads}
    assert whole is not None
    assert draw_chart(chart, dataclasses.replace(run, **others), "zh") == whole
    assert draw_chart(chart, run, "en") != whole


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_chart_of_nothing_is_none(chart, run: RunTables) -> None:  # type: ignore[no-untyped-def]
    assert draw_chart(chart, RunTables(run.about), "en") is None


def test_charts_of_many_projects_stay_small(run: RunTables) -> None:
    """60 000 projects: shapes are painted, words stay text, and the staircase still ends at the last value."""
    assert run.projects is not None
    many = run.projects.chosen(np.arange(60_000) % 6)
    many.rows["order"] = [str(place) for place in range(1, 60_001)]
    crowded = dataclasses.replace(run, projects=many)
    for name in ("supply_curve", "staircase", "sketch_map"):
        svg = draw_chart(chart_named(name), crowded, "en")
        assert svg is not None
        assert len(svg) < 700_000, name
        assert "<text" in svg
    asked, _, _ = staircase_of_projects(many)
    assert _thinned(asked)[-1] == asked[-1]
    assert len(_thinned(asked)) == pytest.approx(2000, abs=1)


def test_words_stay_text_and_name_the_fonts_once(run: RunTables) -> None:
    svg = draw_chart(CHARTS[0], run, "zh")
    assert svg is not None
    assert "全部用地" in svg
    assert svg.count(FONT_FAMILIES[0]) == svg.count("font-family") == 1
    assert not re.search(r"\d{4}-\d\d-\d\dT", svg)


def test_land_waterfall_closes(run: RunTables) -> None:
    """10 km2: 2 and 1 by one rule alone, 0.5 unknown, 6 left, so 0.5 by several."""
    assert run.land_states is not None
    assert run.land_waterfall is not None
    steps = waterfall_steps(run.land_states, run.land_waterfall, "pond", {})
    assert [(s.kind, s.loss_km2) for s in steps] == [
        ("host", 10.0), ("alone", 2.0), ("alone", 1.0), ("several", 0.5), ("unknown", 0.5), ("left", 6.0),
    ]  # fmt: skip
    assert steps[-2].start_km2 - steps[-2].loss_km2 == pytest.approx(steps[-1].loss_km2)


def test_supply_curve_is_sorted_and_leaves_out_unknown_cost() -> None:
    order, left, width = supply_steps(np.array([0.3, np.nan, 0.1, 0.3]), np.array([100.0, 50.0, 200.0, 300.0]))
    assert order.tolist() == [2, 0, 3]
    assert left.tolist() == pytest.approx([0.0, 0.2, 0.3])
    assert width.tolist() == pytest.approx([0.2, 0.1, 0.3])


def test_staircase_by_hand(run: RunTables) -> None:
    """P-5 has a measure that lifts its limit: its 60 MW count in full with measures."""
    assert run.projects is not None
    asked, without, lifted = staircase_of_projects(run.projects)
    assert asked.tolist() == pytest.approx([0.1, 0.15, 0.21, 0.25, 0.31, 0.34])
    assert without.tolist() == pytest.approx([0.1, 0.15, 0.21, 0.23, 0.23, 0.23])
    assert lifted.tolist() == pytest.approx([0.1, 0.15, 0.21, 0.23, 0.29, 0.29])


def test_duration_and_month_by_hour() -> None:
    assert duration(np.array([1.0, np.nan, 3.0, 2.0])).tolist() == [3.0, 2.0, 1.0]
    hours = sheet_of(
        pd.DataFrame({"hour": ["01-01 00:00", "01-31 00:00", "12-31 23:00"], "x": [1.0, 5.0, 7.0]}), "f", "hour"
    )
    table = month_by_hour(hours, "x")
    assert table[0, 0] == 5.0
    assert table[11, 23] == 7.0
    assert np.isnan(table).sum() == 12 * 24 - 2


def test_outage_classes_keep_the_worst(run: RunTables) -> None:
    assert run.n_1_classes is not None
    classes, cases, table = classes_by_case(run.n_1_classes, "loading_max_percent")
    assert table[classes.index("line/220"), cases.index("noon")] == 112.0
    assert np.isnan(table[classes.index("line/110"), cases.index("noon")])


def test_hosting_shows_the_least_of_every_level(run: RunTables) -> None:
    assert run.substations is not None
    assert hosting_order(run.substations, 3).texts("bus_id") == ["S500/500", "S500/220", "S110/110"]


def test_sketch_of_a_station(run: RunTables) -> None:
    """S500's unit carries 80 % in the evening; two lines leave its 220 kV bus with 120 MW each."""
    assert leading_station(run) == ("S500", "evening")
    station = station_in(run, "S500", "evening", "en")
    assert station is not None
    assert [(b.vn_kv, b.vm_pu) for b in station.buses] == [(500.0, 1.05), (220.0, 1.02)]
    assert [(u.name, u.tap, u.loading_percent) for u in station.units] == [("T500#1", "-2", 80.0)]
    assert [(f.kind, f.p_mw) for f in station.feeders] == [("line", 120.0), ("line", 120.0)]
    far = station_in(run, "S220", "evening", "en")
    assert far is not None
    # seen from the other end the same lines bring 120 MW in; the unit without a listed tap shows none
    assert [f.p_mw for f in far.feeders if f.bus == 0] == [-120.0, -120.0]
    assert far.units[0].tap == "–"


def test_palette_is_told_apart_in_grey() -> None:
    """Neighbouring classes of a scale differ in lightness, or in hatch where they are side by side."""
    colours = palette()
    heat = [_lightness(colour) for colour in colours.heat]
    assert all(a - b > 0.08 for a, b in itertools.pairwise(heat))
    for group in (colours.limit, colours.technology):
        looks = [(round(_lightness(s.colour), 1), s.hatch) for s in group.values()]
        assert len(set(looks)) == len(looks)


def _lightness(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_long_and_odd_words_fit() -> None:
    assert plain("a\x00b\nc") == "a b c"
    assert plain("亳州市" * 10, 8) == "亳州市…"
    assert plain("short", 8) == "short"


def test_hosting_by_case_keeps_modes_and_gaps_apart(run: RunTables) -> None:
    assert run.hosting is not None
    firm = buses_by_case(run.hosting, ["S110/110", "W/110", "S500/500"], ["evening", "noon"], "n_1")
    assert firm[0].tolist() == [95.0, 80.0]
    assert np.isnan(firm[1]).all()
    assert firm[2].tolist() == [700.0, 720.0]
    assert buses_by_case(run.hosting, ["W/110"], ["noon"], "n_0").tolist() == [[99.0]]


def test_hosting_heat_keeps_the_classes_of_the_map_until_nearly_all_buses_have_plenty() -> None:
    nothing_left = np.array([0.0, 0.0, np.nan, 40.0])
    assert heat_classes(nothing_left) == list(palette().headroom)
    plenty = np.linspace(200.0, 1200.0, 101)
    edges = [lower for lower, _ in heat_classes(plenty)]
    assert edges == [200.0, 400.0, 600.0, 800.0, 1000.0]
    assert {colour for _, colour in heat_classes(plenty)} <= set(palette().quantity)
    assert len(heat_classes(np.full(4, 700.0))) == 1


def test_words_on_a_colour_stand_out() -> None:
    assert ink_on("#7F0A3B") == ink_on("#16697A") == "white"
    assert ink_on("#F2D974") == ink_on("#FFFFFF") == palette().named["ink"]


def test_curtailment_shows_those_that_gain_most(run: RunTables) -> None:
    assert run.flexible is not None
    assert most_lifted(run.flexible, 1).texts("bus_id") == ["S110/110"]
