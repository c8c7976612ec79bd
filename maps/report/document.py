"""Building blocks of a printable page: sections, tables of sheets, notes, pictures, and the page around them."""

from __future__ import annotations

import base64
import csv
import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from layers.units import unit_words
from maps.added import added
from maps.bilingual import Text, labels, read_labels, safe
from maps.charts import chart_named, class_label, host_labels, technology_label
from maps.criteria import value_function_words
from maps.phrases import phrase
from maps.report.figures import DASH, count_html, figure_html
from maps.report.project_figures import element_names
from maps.run_tables import RunTables, Sheet, case_labels

_FOLDER = Path(__file__).parent
_DIGITS_BY_UNIT = {"1": 1, "%": 1, "CNY/kWh": 3}
_SCALE_BY_UNIT = {"1": 100.0}
"""A share is told in percent."""
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Column:
    """One column of a printed table.

    ``kind``: text (as it stands), short (the same on one line), phrase (text that the list of phrases may know),
    id, name (``<name>_zh`` or ``_en``), named (name with the row's id), element (an id with what the network calls
    it), equipment (a level of a station), formula, value_function, unit, number, by_unit (a number as its unit asks),
    reason (a name with long numbers cut), case, flag, or word:<prefix> for coded values.
    """

    name: str
    kind: str
    digits: int
    scale: float
    title: Text


@cache
def table_columns() -> dict[str, tuple[Column, ...]]:
    """Columns of every printed table, from ``columns.csv``."""
    tables: dict[str, tuple[Column, ...]] = {}
    with (_FOLDER / "columns.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            column = Column(
                row["column"],
                row["kind"],
                int(row["digits"] or 0),
                float(row["scale"] or 1),
                Text(row["zh"], row["en"]),
            )
            tables[row["table"]] = (*tables.get(row["table"], ()), column)
    return tables


@cache
def _words() -> dict[str, Text]:
    return read_labels(_FOLDER / "words.csv")


@dataclass(frozen=True)
class Section:
    """A numbered part of a page; ``body`` is HTML. ``wide`` turns the paper; None leaves it as the section before."""

    id: str
    title: str
    body: str
    wide: bool | None = False


@dataclass(frozen=True)
class Writer:
    """What every section writes with: the run, its charts as SVG by name, one language."""

    run: RunTables
    charts: Mapping[str, str]
    language: str

    def plain(self, key: str) -> str:
        """Fixed words; the map's own words are known too. A key without words stands for itself."""
        found = _words().get(key) or labels().get(key)
        return key if found is None else found.of(self.language)

    def word(self, key: str) -> str:
        """Fixed words as page text."""
        return safe(self.plain(key))

    def fill(self, key: str, **figures: str) -> str:
        """Fixed words with ``{name}`` replaced by HTML that is safe already."""
        text = self.word(key)
        for name, shown in figures.items():
            text = text.replace(f"&#123;{name}&#125;", shown)
        return text

    def coded(self, prefix: str, value: str) -> str:
        """The label of a coded value; a value without one stands as it is."""
        if not value:
            return DASH
        if prefix in _LOOKED_UP:
            return safe(_LOOKED_UP[prefix](self.run, value, self.language))
        key = f"{prefix}.{value}"
        return self.word(key) if key in _words() or key in labels() else safe(value)

    def paragraph(self, key: str, **figures: str) -> str:
        return f"<p>{self.fill(key, **figures)}</p>"

    def note(self, key: str, **figures: str) -> str:
        return f'<p class="note">{self.fill(key, **figures)}</p>'

    def missing(self, key: str) -> str:
        """One line in place of what the run does not have."""
        return f'<p class="missing">{self.word(key)}</p>'

    def key_figure(self, name: str, digits: int = 0, scale: float = 1.0) -> str:
        """One of the run's key figures."""
        sheet = self.run.key_figures
        return figure_html(sheet, None if sheet is None else sheet.place(figure=name), "value", digits, scale)

    def chart(self, name: str) -> str:
        """A chart as a picture inside the page, with its title; nothing where the run has no such chart."""
        if name not in self.charts:
            return ""
        title = safe(chart_named(name).title(self.language))
        content = base64.b64encode(self.charts[name].encode("utf-8")).decode("ascii")
        picture = f'<img alt="{title}" src="data:image/svg+xml;base64,{content}">'
        return f'<figure id="chart-{name}">{picture}<figcaption>{title}</figcaption></figure>'

    def table(self, name: str, sheet: Sheet, *, most: int | None = None, css: str = "") -> str:
        """Rows of a sheet by the columns that ``columns.csv`` lists for ``name``; columns it lacks are left out.

        Where the sheet has more than ``most`` rows a line below says how many there are and in which file.
        """
        columns = [c for c in table_columns()[name] if sheet.has(self._column(c))]
        shown = len(sheet) if most is None else min(most, len(sheet))
        head = "".join(
            f'<th scope="col" class="{_css(c)}">{safe(c.title.of(self.language))}</th>' for c in columns
        )  # fmt: skip
        rows = "".join(
            "<tr>" + "".join(f'<td class="{_css(c)}">{self.cell(c, sheet, row)}</td>' for c in columns) + "</tr>"
            for row in range(shown)
        )
        more = ""
        if shown < len(sheet):
            more = self.note("note.more_rows", shown=str(shown), all=count_html(sheet), file=safe(sheet.file))
        classes = f"t-{name} {css}".strip()
        return f'<table class="{classes}"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}'

    def _column(self, column: Column) -> str:
        return f"{column.name}_{self.language}" if column.kind in _BY_LANGUAGE else column.name

    def cell(self, column: Column, sheet: Sheet, row: int) -> str:
        """One cell as HTML."""
        if column.kind == "number":
            return figure_html(sheet, row, column.name, column.digits, column.scale)
        if column.kind == "by_unit":
            unit = sheet.cell(row, "unit")
            return figure_html(sheet, row, column.name, _DIGITS_BY_UNIT.get(unit, 0), _SCALE_BY_UNIT.get(unit, 1.0))
        text = sheet.cell(row, self._column(column))
        if column.kind in _TOLD:
            return _TOLD[column.kind](self, text, sheet, row) if text else DASH
        if column.kind.startswith("word:"):
            return self.coded(column.kind.removeprefix("word:"), text)
        if column.kind == "case":
            return safe(self.case_label(text)) if text else DASH
        if column.kind == "flag":
            return self.word("flag.yes" if text in ("True", "true") else "flag.no") if text else DASH
        if column.kind == "named":
            name, identifier = text, sheet.cell(row, sheet.key[0])
            return f"{safe(name)}<br><code>{_breakable(identifier)}</code>" if name != identifier else safe(name)
        if column.kind == "id":
            return f"<code>{_breakable(text)}</code>" if text else DASH
        return safe(text) if text else DASH

    @cached_property
    def elements(self) -> Mapping[str, str]:
        """What lines, transformers and buses are called."""
        return element_names(self.run, self.language)

    def element(self, identifier: str) -> str:
        """A network element by its name with its id below; the id alone where the run has no name for it."""
        base, after = added(identifier)
        name = self.elements.get(identifier) or self.elements.get(base, base) + after[self.language == "en"]
        code = f"<code>{_breakable(identifier)}</code>"
        return code if name == identifier else f"{safe(name)}<br>{code}"

    def equipment(self, identifier: str) -> str:
        """The transformers of a station between two levels (``station/220/110``) by the station's name."""
        station, *levels = identifier.split("/")
        name = next((called for bus, called in self.elements.items() if bus.startswith(f"{station}/")), "")
        known = name.rpartition(" ")[0].rpartition(" ")[0]
        code = f"<code>{_breakable(identifier)}</code>"
        return f"{safe(known)} {safe('/'.join(levels))} kV<br>{code}" if known else code

    def case_label(self, case: str) -> str:
        """Label of an operating case; its id where the run has no labels."""
        return case_labels(self.run, self.language).get(case, case)


def _district(run: RunTables, code: str, language: str) -> str:
    """Name of a district, from its outline or from a project in it."""
    if run.districts is not None:
        names = dict(zip(run.districts["district_code"].astype(str), run.districts[f"name_{language}"], strict=True))
        return str(names.get(code, code))
    place = None if run.projects is None else run.projects.place(district_code=code)
    return code if place is None or run.projects is None else run.projects.cell(place, f"district_{language}")


_LOOKED_UP: dict[str, Callable[[RunTables, str, str], str]] = {
    "district": _district,
    "host": lambda run, value, language: host_labels(run, language).get(value, value),
    "technology": lambda run, value, language: technology_label(value, language),
    "class": lambda run, value, language: class_label(value, language),
}


_BY_LANGUAGE = ("name", "named", "reason")
"""Kinds whose cells the table holds in both languages: ``<name>_zh`` and ``<name>_en``."""

_TOLD: dict[str, Callable[[Writer, str, Sheet, int], str]] = {
    "phrase": lambda write, text, sheet, row: safe(phrase(text, write.language)),
    "reason": lambda write, text, sheet, row: safe(_tidy(text)),
    "formula": lambda write, text, sheet, row: safe(_tidy(text)),
    "unit": lambda write, text, sheet, row: safe(unit_words(text, write.language)),
    "element": lambda write, text, sheet, row: write.element(text),
    "equipment": lambda write, text, sheet, row: write.equipment(text),
    "value_function": lambda write, text, sheet, row: safe(
        value_function_words(text, sheet.cell(row, "source"), write.language)
    ),
}
"""How cells of these kinds are written."""


def _tidy(text: str) -> str:
    """Numbers inside a formula with no more decimals than anyone reads; the table keeps them all."""

    def shorter(found: re.Match[str]) -> str:
        value = float(found[0])
        return f"{value:.{1 if value >= 100 else 2 if value >= 1 else 4}f}"

    return _LONG_NUMBER.sub(shorter, text)


def _css(column: Column) -> str:
    if column.kind in ("number", "by_unit"):
        return "number"
    if column.kind.startswith("word:") or column.kind in ("flag", "short", "unit"):
        return "word"
    return {"id": "id", "element": "element", "equipment": "element", "named": "named"}.get(column.kind, "text")


def _breakable(identifier: str) -> str:
    """An id that may be broken over lines behind its own separators."""
    return re.sub(r"(--|[:/#_])", r"\1<wbr>", safe(identifier)) if "&" not in safe(identifier) else safe(identifier)


def page(title: str, language: str, css_files: Sequence[str], body: str, footer: str = "") -> str:
    """A whole page without a script and without an outside resource. ``title`` and ``footer`` are plain text."""
    style = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in css_files)
    style = style.replace("/*footer*/", _css_string(footer))
    tag = "zh-CN" if language == "zh" else "en"
    return (
        f'<!DOCTYPE html>\n<html lang="{tag}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{safe(title)}</title>\n'
        f"<style>\n{style}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _css_string(text: str) -> str:
    """Plain text inside a CSS string: everything but letters, digits and CJK is escaped by its code."""
    return "".join(c if c.isalnum() else f"\\{ord(c):06x}" for c in text)


def numbered(sections: Sequence[Section]) -> str:
    """Sections with their numbers and anchors."""
    written, wide = [], False
    for place, section in enumerate(sections, start=1):
        wide = wide if section.wide is None else section.wide
        head = f"<h2>{place}&ensp;{html.escape(section.title)}</h2>"
        written.append(f'<section id="{section.id}"{" class=wide" if wide else ""}>{head}\n{section.body}</section>')
    return "\n".join(written)


def contents(sections: Sequence[Section], title: str) -> str:
    """Table of contents with links."""
    entries = "".join(f'<li><a href="#{s.id}">{html.escape(s.title)}</a></li>' for s in sections)
    return f'<nav class="contents" aria-label="{safe(title)}"><h2>{safe(title)}</h2><ol>{entries}</ol></nav>'
