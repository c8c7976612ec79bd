"""Report and brief as pages: hostile words, missing tables, same bytes, the command, print in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from report_samples import HOSTILE, write_run

from layers.contracts import InputError
from maps.charts import CHARTS, draw_chart
from maps.report import brief_page, report_page
from maps.report.print import print_pdf
from maps.run_tables import ADDRESSES
from maps.screenshot import BrowserMissing, find_chromium, offline_page
from study.run_folder.report import OWN_FILES, export_reports, read_run, write_reports

PAGES = ("report_zh.html", "report_en.html", "brief_zh.html", "brief_en.html")
_VOID = {"meta", "img", "br", "wbr"}


class Tags(HTMLParser):
    """Tags of a page, and whether each is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.stack: list[str] = []
        self.faults: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in _VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run"))
    write_reports(folder, folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("hostile"), name=HOSTILE)
    write_reports(folder, folder)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_page_is_well_formed_and_asks_for_nothing(run: Path, page: str) -> None:
    tags = Tags((run / page).read_text("utf-8"))
    assert tags.faults == []
    assert tags.stack == []
    assert "script" not in tags.seen
    assert all(address.startswith(("#", "data:image/svg+xml;base64,")) for address in tags.addresses)


@pytest.mark.parametrize("page", PAGES)
def test_hostile_names_stay_words(run: Path, hostile: Path, page: str) -> None:
    ours, theirs = (Tags((folder / page).read_text("utf-8")) for folder in (run, hostile))
    assert theirs.faults == []
    assert theirs.seen == ours.seen
    assert theirs.attributes == ours.attributes
    assert '<script>alert("1")</script>' in theirs.text


def test_hostile_names_stay_words_in_charts(hostile: Path) -> None:
    from xml.etree import ElementTree

    charts = sorted((hostile / "charts").glob("*.svg"))
    assert len(charts) == 26
    for path in charts:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert "script" not in tags, path.name


def test_same_run_same_bytes_wherever_written(run: Path, tmp_path: Path) -> None:
    written = write_reports(run, tmp_path)
    assert len(written) == 30
    for path in written:
        assert path.read_bytes() == (run / path.relative_to(tmp_path)).read_bytes(), path.name


def test_report_does_not_know_when_it_was_written(run: Path) -> None:
    """Same inputs, same bytes: neither the run's time nor this machine's folders are on the page."""
    for page in PAGES:
        text = (run / page).read_text("utf-8")
        assert "20250101T000000" not in text
        assert str(run) not in text
        assert "0123abcd" in text


def test_own_files_are_those_that_are_written(run: Path, tmp_path: Path) -> None:
    written = write_reports(run, tmp_path)
    assert all(path.relative_to(tmp_path).as_posix().startswith(OWN_FILES) for path in written)


EVERYTHING = (
    "projects.csv", "targets.csv", "substations.csv", "upgrades.csv", "loadflow/cases.csv", "loadflow/branches.csv",
    "loadflow/buses.csv", "loadflow/n_1.csv", "loadflow/year_hours.csv", "loadflow/year_branches.csv",
    "loadflow/operating_points.csv", "loadflow/network/stations.csv", "loadflow/network/buses.csv",
    "loadflow/network/lines.csv", "loadflow/network/transformers.csv", "loadflow/network/loads.csv",
    "loadflow/network/generators.csv", "land/states.csv", "land/waterfall.csv", "land/rules.csv", "about.json",
    "land/districts.geojson", "plan/summary.json", "plan/measures.csv", "plan/staircase.csv", "plan/binding.csv",
    "plan/targets.csv", "plan/sites.csv", "plan/storage.csv",
    "loadflow/grades.csv", "loadflow/short_circuit.csv", "loadflow/hosting.csv", "loadflow/curtailment.csv",
    "loadflow/curtailment_duration.csv", "loadflow/curtailment_checks.csv", "parks.csv",
    "parks/sites.csv", "parks/rules.csv", "parks/sizing.csv",
)  # fmt: skip


@pytest.mark.parametrize("lacking", EVERYTHING)
def test_a_run_without_one_table_still_has_a_report(tmp_path: Path, lacking: str) -> None:
    tables = read_run(write_run(tmp_path / "run", without=(lacking,)), tmp_path)
    fields = {name for name, address in ADDRESSES.items() if address.file.partition("#")[0] == lacking} or {"districts"}
    for chart in CHARTS:
        if fields & set(chart.reads):
            draw_chart(chart, tables, "en")
    for page in (report_page(tables, {}, "en"), brief_page(tables, {}, "zh")):
        assert Tags(page).faults == []


def test_a_run_without_any_table_says_so_section_by_section(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", without=EVERYTHING)
    written = write_reports(folder, tmp_path / "out", ("en",))
    assert {path.name for path in written} == {"report_en.html", "brief_en.html"}
    text = (tmp_path / "out/report_en.html").read_text("utf-8")
    for line in ("No load flow in this run.", "No N-1 study in this run.", "No stations in this run.",
                 "No year of hours in this run.", "No measures in this run.",
                 "No land tables in this run.", "No plan stage in this run.", "No grades in this run",
                 "No short-circuit currents in this run", "No parks in this study",
                 "No hourly limits in this run"):  # fmt: skip
        assert line in text
    assert "No plan stage in this run" in (tmp_path / "out/brief_en.html").read_text("utf-8")


def test_no_run_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run lies here"):
        export_reports(tmp_path, None)


def test_command_writes_beside_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    command = [sys.executable, "-m", "study.cli", "report", str(folder), "--language", "en"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    names = {Path(line).relative_to(tmp_path).as_posix() for line in done.stdout.split()}
    assert {"run-export/report_en.html", "run-export/brief_en.html", "run-export/charts/supply_curve_en.svg"} <= names
    assert not any("_zh" in name for name in names)
    assert not (folder / "report_en.html").exists()


@pytest.fixture(scope="module")
def browser() -> None:
    try:
        find_chromium()
        pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    except BrowserMissing as error:
        pytest.skip(str(error))


def pages_of(pdf: Path) -> int:
    import re

    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes()))


@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_brief_prints_on_two_pages_and_the_report_on_more(run: Path, tmp_path: Path) -> None:
    pages = [Path(shutil.copy(run / name, tmp_path)) for name in ("brief_zh.html", "brief_en.html", "report_en.html")]
    chinese, english, report = (pages_of(path) for path in print_pdf(pages))
    assert chinese == english == 2
    assert report > 5


@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_nothing_is_cut_off_and_nothing_runs(run: Path, hostile: Path) -> None:
    """No element of the brief stands out of its sheet, no table of the report is wider than the paper's text."""
    with offline_page(width=794, height=1123) as page:
        complaints: list[str] = []
        page.on("console", lambda words: complaints.append(words.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.emulate_media(media="print")
        for folder in (run, hostile):
            for language in ("zh", "en"):
                page.goto((folder / f"brief_{language}.html").as_uri())
                over = page.evaluate(
                    "[...document.querySelectorAll('.content')].map(e => e.scrollHeight - e.clientHeight)"
                )
                assert max(over) <= 1, (folder.name, language, over)
                page.goto((folder / f"report_{language}.html").as_uri())
                wide = page.evaluate(
                    "[...document.querySelectorAll('table, img')].filter(e => e.scrollWidth > 794).length"
                )
                assert wide == 0
        assert complaints == []


def edited_plan(folder: Path, *, missing_mw: float, measures: bool, violations: int) -> Path:
    """The sample run with another end of its plan."""
    write_run(folder)
    targets = pd.read_csv(folder / "plan/targets.csv")
    targets.assign(missing_mw=missing_mw).to_csv(folder / "plan/targets.csv", index=False)
    built = pd.read_csv(folder / "plan/measures.csv")
    (built if measures else built.iloc[:0]).to_csv(folder / "plan/measures.csv", index=False)
    path = folder / "plan/summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "ac_violations": violations}), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("missing_mw", "measures", "violations", "asked"),
    [
        (0.0, False, 0, {"approve the 3 sites"}),
        (30.0, False, 0, {"misses the target"}),
        (0.0, True, 0, {"first measure"}),
        (30.0, True, 0, {"misses the target", "first measure"}),
        (0.0, False, 2, set()),
    ],
)
def test_a_plan_decides_what_there_is_to_decide(
    tmp_path: Path, missing_mw: float, measures: bool, violations: int, asked: set[str]
) -> None:
    """What limits all candidates together is no question where a plan says which of them it takes."""
    folder = edited_plan(tmp_path / "run", missing_mw=missing_mw, measures=measures, violations=violations)
    text = Tags(brief_page(read_run(folder, tmp_path), {}, "en")).text
    questions = ("approve the 3 sites", "misses the target", "first measure", "Whether to reinforce")
    assert {question for question in questions if question in text} == asked


def test_a_measure_that_unlocks_nothing_of_its_own_is_decided_by_its_cost(tmp_path: Path) -> None:
    """A contract has no investment and may stand on no step of the staircase: 0 million for 0 MW decides nothing."""
    folder = edited_plan(tmp_path / "run", missing_mw=0.0, measures=True, violations=0)
    path = folder / "plan/measures.csv"
    pd.read_csv(path).assign(investment_cny=0.0, annual_cost_cny=2.5e6, unlocked_mw=0.0).to_csv(path, index=False)
    text = Tags(brief_page(read_run(folder, tmp_path), {}, "en")).text
    assert "unlocks 0" not in text
    assert "0.0 million CNY, 2.5 million CNY a year" in " ".join(text.split())


def test_without_a_plan_the_leading_limit_is_the_question(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", without=tuple(name for name in EVERYTHING if name.startswith("plan/")))
    assert "Whether to reinforce" in Tags(brief_page(read_run(folder, tmp_path), {}, "en")).text


@pytest.mark.parametrize(("page", "supply"), [("report_zh.html", "备自投"), ("report_en.html", "back-feed switching")])
def test_lines_to_open_stand_with_the_currents_before_and_after(run: Path, page: str, supply: str) -> None:
    text = (run / page).read_text(encoding="utf-8")
    assert f">{supply}</td>" in text
    row = text[: text.index(f">{supply}</td>")].rpartition("<tr>")[2]
    assert re.findall(r">(3[\d.]+)<", row) == ["39.0", "31.5", "38.0"]
