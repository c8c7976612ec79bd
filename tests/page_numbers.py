"""Numbers on the pages of a report, read by other means than the program's, and compared with the run's tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from maps.report.brief import TOP_GROUPS
from maps.report.document import table_columns
from maps.report.engineer import MOST_ROWS
from maps.run_tables import ADDRESSES


@dataclass
class Shown:
    """A ``data`` element of a page."""

    attributes: dict[str, str]
    text: str = ""


class Figures(HTMLParser):
    """All ``data`` elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Shown] = []
        self._open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "data":
            self.found.append(Shown({name: value or "" for name, value in attrs}))
            self._open = True

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1].text += data

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "data"


PAGES = ("report_zh.html", "report_en.html", "brief_zh.html", "brief_en.html")
KEYS = {address.file: address.key for address in ADDRESSES.values()}


def records(folder: Path, file: str) -> list[dict[str, object]]:
    """Rows of a table of the run, read by other means than the program's."""
    name, _, part = file.partition("#")
    if file.endswith("#"):
        return [json.loads((folder / name).read_text("utf-8"))]
    if part:
        found = json.loads((folder / name).read_text("utf-8"))[part]
        return [found] if isinstance(found, dict) else found
    with (folder / name).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def differences(folder: Path, page: str) -> list[str]:
    """Numbers of a page that are not what the tables of the run folder say."""
    wrong = []
    cells: dict[str, dict[str, dict[str, object]]] = {}
    for figure in Figures((folder / page).read_text("utf-8")).found:
        at = figure.attributes
        file = at["data-source"]
        if at["data-column"] == "":
            if int(at["value"]) != len(records(folder, file)):
                wrong.append(f"{file}: rows")
            continue
        if file not in cells:
            rows = records(folder, file)
            if file.endswith("#findings"):
                rows = [{**row, "place": place} for place, row in enumerate(rows, start=1)]
            cells[file] = {"|".join(str(row[key]) for key in KEYS[file]): row for row in rows}
        cell = str(cells[file][at["data-key"]][at["data-column"]])
        expected = f"{float(cell) * float(at.get('data-scale', '1')):.{at['data-digits']}f}"
        if cell != at["value"] or figure.text.replace(",", "") != expected.replace("-0.0000", "0.0000"):
            wrong.append(f"{file} {at['data-key']} {at['data-column']}: {figure.text}, table {cell}")
    return wrong


_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_TEXT_KINDS = {c.name for columns in table_columns().values() for c in columns if c.kind not in ("number", "by_unit")}
_COUNTS_OF_ROWS = {str(TOP_GROUPS), str(MOST_ROWS), "25", "1", "2"}
"""How many rows a table shows, and the numbers of the two sheets."""


def loose_numbers(folder: Path, page: str) -> list[str]:
    """Numbers of a page outside ``data`` elements that neither a text of the run's tables nor a fixed word holds."""
    text = (folder / page).read_text("utf-8")
    text = re.sub(r"<(style|head|h2|data)\b.*?</\1>", " ", text, flags=re.S)
    words = unescape(re.sub(r"<[^>]*>", "\t", re.sub(r"<wbr>", "", text)))
    known = {number for told in _told(folder) for number in _NUMBER.findall(told)} | _COUNTS_OF_ROWS
    return [number for number in _NUMBER.findall(words) if not _among(number, known)]


def _among(number: str, known: set[str]) -> bool:
    """Formulas are shown with fewer decimals than their tables have."""
    return number in known or any(near.startswith(number.split(".")[0] + ".") for near in known if "." in number)


def _told(folder: Path) -> Iterator[str]:
    """Texts of tables, of the run's own description and of the lists of fixed words."""
    root = Path(__file__).resolve().parents[1] / "maps"
    for words in (root / "labels.csv", root / "phrases.csv", *root.glob("*/words.csv"), *root.glob("*/columns.csv")):
        yield words.read_text("utf-8")
    for address in ADDRESSES.values():
        try:
            rows = records(folder, address.file)
        except (OSError, KeyError):
            continue
        for row in rows:
            for name, cell in row.items():
                if re.sub("_(zh|en)$", "", name) in _TEXT_KINDS or name in address.key:
                    yield str(cell)
    for name in ("manifest.json", "about.json"):
        yield (folder / name).read_text("utf-8") if (folder / name).is_file() else ""
