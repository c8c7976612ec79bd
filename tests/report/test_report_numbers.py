"""Every number of report and brief is a cell of a table of the run; derived tables against sums done by hand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from page_numbers import PAGES, Figures, differences, loose_numbers
from report_samples import write_run

from maps.run_tables import RunTables
from study.run_folder.report import read_run, write_reports


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run"))
    write_reports(folder, folder)
    return folder


@pytest.fixture(scope="module")
def tables(run: Path) -> RunTables:
    return read_run(run, run)


@pytest.mark.parametrize("page", PAGES)
def test_every_number_equals_the_table(run: Path, page: str) -> None:
    assert len(Figures((run / page).read_text("utf-8")).found) > 60
    assert differences(run, page) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_cell_is_noticed(run: Path, tmp_path: Path, page: str) -> None:
    """The comparison is no tautology: it sees one cell that differs."""
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    table = copy / "report/by_verdict.csv"
    table.write_text(table.read_text("utf-8-sig").replace("connect,3,", "connect,4,"), "utf-8-sig")
    assert [line.partition(":")[0] for line in differences(copy, page)] == ["report/by_verdict.csv connect projects"]


@pytest.mark.parametrize("page", PAGES)
def test_numbers_outside_data_elements_are_none_of_results(run: Path, page: str) -> None:
    """Cells of number columns hold a ``data`` element or a dash; every other number on a page is part of a text of the
    run's tables (a year, an id, a clause) or of the fixed words."""
    cells = re.findall(r'<td class="number">(.*?)</td>', (run / page).read_text("utf-8"))
    assert cells
    assert all(cell == "–" or cell.startswith("<data ") for cell in cells)
    assert loose_numbers(run, page) == []


def test_a_loose_number_is_noticed(run: Path, tmp_path: Path) -> None:
    """The search is no tautology: a result that is written as plain text is found."""
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    page = copy / "brief_en.html"
    page.write_text(page.read_text("utf-8").replace("</li>", " In all 4711.8 MW.</li>", 1), "utf-8")
    assert loose_numbers(copy, "brief_en.html") == ["4711.8"]


def figure(tables: RunTables, name: str) -> float:
    sheet = tables.key_figures
    assert sheet is not None
    place = sheet.place(figure=name)
    assert place is not None
    return float(sheet.numbers("value")[place])


def test_key_figures_by_hand(tables: RunTables) -> None:
    assert figure(tables, "candidates") == 6
    assert figure(tables, "candidates_mw") == 120 + 60 + 60 + 48 + 72 + 30
    assert figure(tables, "accepted_mw") == 100 + 50 + 60 + 20
    assert figure(tables, "accepted_share") == pytest.approx(230 / 340, rel=1e-5)
    # P-1, P-2, P-3 in full, half of P-4: 1 100 h of 120 + 60 + 60 + 24 MW
    assert figure(tables, "accepted_energy_mwh") == pytest.approx(1100 * 264)
    assert figure(tables, "accepted_investment_cny") == pytest.approx(3.5e6 * 264 + 2e6 * 3.5)
    assert figure(tables, "made_up_share") == pytest.approx(270 / 390, rel=1e-5)
    assert figure(tables, "stations_made_up") == 3
    assert figure(tables, "assumptions_c") == 3
    assert figure(tables, "n_1_outages") == 7


def test_binding_elements_by_hand(tables: RunTables) -> None:
    """L110#1 holds back 20 MW of P-4 and 60 MW of P-5, T220#1 the 30 MW of P-6."""
    table = tables.binding
    assert table is not None
    assert table.texts("binding_element") == ["L110#1", "T220#1"]
    assert table.numbers("held_back_mw").tolist() == [80.0, 30.0]
    assert table.numbers("projects").tolist() == [2.0, 1.0]


def test_groups_add_up_to_the_list(tables: RunTables) -> None:
    for sheet in (tables.by_verdict, tables.by_technology, tables.by_district, tables.by_origin):
        assert sheet is not None
        assert sheet.numbers("projects").sum() == 6
        assert sheet.numbers("capacity_mw").sum() == pytest.approx(390)
        assert sheet.numbers("accepted_mw").sum() == pytest.approx(230)


def test_severity_puts_the_worst_first(tables: RunTables) -> None:
    table = tables.n_1_severity
    assert table is not None
    got = list(zip(table.texts("severity"), table.texts("case"), table.texts("outage"), strict=True))
    assert got[:4] == [
        ("diverged", "evening", "T220#1"),
        ("lost_load", "evening", "L110#1"),
        ("limit", "noon", "L220#1"),
        ("split", "evening", "L110p#1"),
    ]
    # L110#1 at noon: 95 % before, 112 % after L220#1 is out
    row = table.place(case="noon", outage="L220#1")
    assert row is not None
    assert table.numbers("loading_before_percent")[row] == 95.0
    assert table.numbers("loading_change_percent")[row] == 17.0
    assert table.cell(row, "class") == "line/220"
    assert table.texts("class")[0] == "transformer/220/110"


def test_voltage_bands_count_by_each_buss_own_band(tables: RunTables) -> None:
    """At noon S110/110 with 1.08 pu is above 1.07; in the evening S220/220 (0.99) and S110/110 (0.96) are too low."""
    table = tables.voltage_bands
    assert table is not None
    at = {(table.cell(r, "case"), table.cell(r, "vn_kv")): r for r in range(len(table))}
    assert table.cell(at["noon", "110.0"], "above") == "1"
    assert table.cell(at["evening", "220.0"], "below") == "1"
    assert table.cell(at["evening", "110.0"], "below") == "1"
    assert table.cell(at["noon", "500.0"], "above") == "0"


def test_capacity_load_ratio_by_hand(tables: RunTables) -> None:
    """Evening is heaviest: 750 MVA over 240 MW at 500 kV, 360 over 235 at 220 kV (band 1.6 to 1.9)."""
    table = tables.capacity_load_ratio
    assert table is not None
    assert table.texts("case") == ["evening", "evening"]
    assert table.numbers("ratio").tolist() == pytest.approx([750 / 240, 360 / 235], rel=1e-5)
    assert table.texts("judged") == ["above", "below"]


def test_measures_by_cost_per_megawatt(tables: RunTables) -> None:
    """9 million for 90 MW at S220/110, 12 million for 60 MW at S110/110."""
    table = tables.measure_effects
    assert table is not None
    assert table.texts("best_bus") == ["S220/110", "S110/110"]
    assert table.numbers("lift_mw").tolist() == [90.0, 60.0]
    assert table.numbers("cost_cny_per_mw").tolist() == [100_000.0, 200_000.0]
    assert table.numbers("projects").tolist() == [0.0, 1.0]


def test_every_part_of_the_report_shows_its_table(run: Path) -> None:
    """The comparison of numbers reaches these tables: each is on the page."""
    shown = {one.attributes["data-source"] for one in Figures((run / "report_zh.html").read_text("utf-8")).found}
    assert shown >= {
        "parks.csv", "substations.csv", "loadflow/short_circuit.csv", "report/short_circuit_levels.csv",
        "report/flexible.csv", "loadflow/curtailment_checks.csv", "report/capacity_load_ratio.csv",
        "report/voltage_bands.csv", "report/n_1_severity.csv", "loadflow/grades.csv", "report/measure_effects.csv",
    }  # fmt: skip
    brief = {one.attributes["data-source"] for one in Figures((run / "brief_en.html").read_text("utf-8")).found}
    assert "parks.csv" in brief


def test_short_circuit_levels_by_hand(tables: RunTables) -> None:
    """At 220 kV S500/220 is tightest: 42 of 50 kA today leave 16 %, 46 with the accepted plants leave 8 %."""
    table = tables.short_circuit_levels
    assert table is not None
    assert table.numbers("vn_kv").tolist() == [500.0, 220.0, 110.0]
    row = table.place(vn_kv="220.0")
    assert row is not None
    assert table.cell(row, "tightest_bus") == "S500/220"
    assert table.numbers("margin_min_percent")[row] == pytest.approx(16)
    assert table.numbers("margin_planned_min_percent")[row] == pytest.approx(8)
    assert [table.cell(row, grade) for grade in ("green", "yellow", "red", "unknown")] == ["1", "1", "0", "0"]
    assert [table.cell(2, grade) for grade in ("green", "yellow", "red", "unknown")] == ["0", "0", "1", "1"]


def test_flexible_capacity_by_hand(tables: RunTables) -> None:
    """S110/110 gains 160 - 70 = 90 MW, S220/110 250 - 190 = 60; W/110 has no curve and is left out."""
    table = tables.flexible
    assert table is not None
    assert table.texts("bus_id") == ["S110/110", "S220/110"]
    assert table.numbers("gain_5_mw").tolist() == [90.0, 60.0]
    assert np.isnan(table.numbers("at_10_mw")[0])
    assert table.numbers("curtailed_5_mwh").tolist() == [8800.0, 13750.0]
