"""Charts, engineer's report and planner's brief of a run, from the files of its folder alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import pandas as pd

from layers.contracts import Finding, InputError
from maps.charts import CHARTS, draw_chart
from maps.report import brief_page, derive, report_page
from maps.run_tables import About, Address, RunTables, Sheet, sheet_of, with_tables
from study.atomic import replaced
from study.outputs.exports import read_texts, write_table
from study.run_folder.about import ABOUT_NAME, DISTRICTS_NAME
from study.run_folder.manifest import MANIFEST_NAME, Manifest, read_manifest
from study.run_folder.missing import run_missing

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
OWN_FILES = ("report_zh.html", "report_en.html", "brief_zh.html", "brief_en.html", "report/", "charts/")
"""What this module writes; a report does not list the hashes of its own files."""


def write_reports(run: Path, target: Path, languages: Sequence[Language] = LANGUAGES) -> list[Path]:
    """Write derived tables, charts, report and brief of the run folder ``run`` into ``target``.

    The same run gives the same bytes wherever they are written. A table that the run lacks leaves out what stands on
    it, and the report says so.

    Raises
    ------
    InputError
        If ``run`` is no finished run.
    """
    tables = read_run(run, target)
    written = []
    for language in languages:
        charts = {}
        for chart in CHARTS:
            svg = draw_chart(chart, tables, language)
            if svg is not None:
                charts[chart.name] = svg
                written.append(_write(svg, target / "charts" / f"{chart.name}_{language}.svg"))
        written.append(_write(report_page(tables, charts, language), target / f"report_{language}.html"))
        written.append(_write(brief_page(tables, charts, language), target / f"brief_{language}.html"))
    return written


def export_reports(
    run_folder: Path, out: Path | None, languages: Sequence[Language] = LANGUAGES, *, pdf: bool = False
) -> list[Path]:
    """Write charts, report and brief of a finished run to ``out`` (``<run>-export`` where None), as PDF too if asked.

    Raises
    ------
    InputError
        If ``run_folder`` is no finished run, or ``pdf`` is asked for and there is no browser to print with.
    """
    run = run_folder.resolve()
    browser = _browser_findings() if pdf else []
    if browser:
        raise InputError(browser)
    target = out or run.parent / f"{run.name}-export"
    written = write_reports(run, target, languages)
    if pdf:
        from maps.report.print import print_pdf

        written += print_pdf([path for path in written if path.suffix == ".html"])
    return written


def _browser_findings() -> list[Finding]:
    from maps.screenshot import BrowserMissing, find_chromium

    try:
        find_chromium()
        import playwright.sync_api  # noqa: F401
    except (BrowserMissing, ImportError) as error:
        remedy = "Install it, or open the HTML in any browser and print from there."
        return [Finding("error", "report.no_browser", "", "", "--pdf", "", f"{error}.", remedy)]
    return []


def read_run(run: Path, target: Path) -> RunTables:
    """All tables of a run; those that reports work out themselves are written into ``target`` first."""
    if not (run / MANIFEST_NAME).is_file():
        raise InputError([run_missing(run)])
    sources = _sources(run, read_manifest(run))
    found = with_tables(_about(sources), _districts(run), lambda address: sources.sheet(address))
    for address, table in derive(found).tables():
        write_table(table, target / address.file)
    own = _Sources(target, {}, sources.manifest)
    return with_tables(
        found.about, found.districts,
        lambda address: (own if address.file.startswith("report/") else sources).sheet(address),
    )  # fmt: skip


@dataclass(frozen=True)
class _Sources:
    """Files of a run folder; ``about`` is the content of its about.json, empty where there is none."""

    folder: Path
    about: Mapping[str, Any]
    manifest: Manifest

    def sheet(self, address: Address) -> Sheet | None:
        """The table at an address: a CSV file, or records inside a JSON file.

        ``file#name`` is the list or record of that name, ``file#`` the plain values of the file as one record.
        """
        file, hash_, part = address.file.partition("#")
        if hash_:
            return self._records(file, part, address)
        path = self.folder / file
        return Sheet(address.file, address.key, read_texts(path)) if path.is_file() else None

    def _records(self, file: str, part: str, address: Address) -> Sheet | None:
        if file == MANIFEST_NAME:
            return _of_manifest(self.manifest, part, address)
        content = self.about if file == ABOUT_NAME else _json(self.folder / file)
        found = content.get(part) if part else dict(content)
        records = [found] if isinstance(found, dict) and found else found
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return None
        return sheet_of(pd.DataFrame(records), address.file, *address.key)


def _sources(run: Path, manifest: Manifest) -> _Sources:
    return _Sources(run, _json(run / ABOUT_NAME), manifest)


def _json(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text("utf-8"))
    return content if isinstance(content, dict) else {}


def _of_manifest(manifest: Manifest, part: str, address: Address) -> Sheet:
    """Records of the manifest as a table; findings are numbered from 1."""
    records = [vars(record) for record in getattr(manifest, part)]
    if part == "findings":
        records = [{"place": place, **record} for place, record in enumerate(records, start=1)]
    if part == "outputs":
        records = [record for record in records if not record["path"].startswith(OWN_FILES)]
    return sheet_of(pd.DataFrame(records), address.file, *address.key)


def _about(sources: _Sources) -> About:
    about, manifest = sources.about, sources.manifest
    return About(
        study=manifest.study,
        title_zh=str(about.get("title_zh", manifest.study)),
        title_en=str(about.get("title_en", manifest.study)),
        language=str(about.get("language", "zh")),
        result_id=manifest.run_id.rpartition("-")[2],
        fengguang=manifest.fengguang,
        python=manifest.python,
        code_sha256=manifest.code_sha256,
        rule_pack=manifest.rule_pack,
    )


def _districts(run: Path) -> gpd.GeoDataFrame | None:
    path = run / DISTRICTS_NAME
    return gpd.read_file(path) if path.is_file() else None


def _write(text: str, path: Path) -> Path:
    with replaced(path) as partial:
        partial.write_bytes(text.encode("utf-8"))
    return path
