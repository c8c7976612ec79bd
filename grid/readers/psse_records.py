"""PSS/E RAW text to records: free format, quoted names, ``/`` remarks, sections by remark or by order.

A value that is left out between commas takes its default. A record that begins with 0 ends a section; when its remark
names the section that begins, that name counts (writers leave sections out), else the order of the revision does.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from grid.model.contracts import LossItem
from grid.readers.source import fault
from layers.contracts import Finding, InputError

RULE = "psse"
REVISIONS = range(29, 36)
_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^,\s'\"]+)|(,)")
_BEGIN = re.compile(r"BEGIN\s+(.+?)\s+DATA", re.I)
_MOST_FAULTS = 50


@cache
def record_fields() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("psse_records.toml").read_text("utf-8"))


def fields_of(record: str, revision: int) -> tuple[str, ...]:
    """Field names of a record in a revision.

    Raises
    ------
    KeyError
        If the revision has no such record.
    """
    lists = record_fields()[record]
    return tuple(lists[str(max(r for r in map(int, lists) if r <= revision))])


def sections_of(revision: int) -> tuple[str, ...]:
    return fields_of("order", revision)


def tokens(line: str) -> list[str]:
    """Values of a line; an empty string where nothing stands between two commas."""
    found: list[str] = []
    after_comma = True
    for match in _TOKEN.finditer(_without_remark(line)):
        if match[4]:
            if after_comma:
                found.append("")
            after_comma = True
        else:
            found.append(next(g for g in match.groups()[:3] if g is not None))
            after_comma = False
    return found


def _without_remark(line: str) -> str:
    quote = ""
    for k, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "/":
            return line[:k]
    return line


@dataclass
class PsseReading:
    """Faults and losses so far."""

    shown: str
    findings: list[Finding] = field(default_factory=list)
    losses: list[LossItem] = field(default_factory=list)

    def fault(self, what: str, layer: str, item: str, value: str, message: str, remedy: str) -> None:
        if len(self.findings) <= _MOST_FAULTS:
            self.findings.append(fault(RULE, self.shown, what, value, message, remedy, layer, item))

    def lose(self, element: str, name: str, action: Any, value: object, remedy: str) -> None:
        self.losses.append(LossItem(element, name, action, str(value), remedy))

    def stop_on_faults(self) -> None:
        if len(self.findings) > _MOST_FAULTS:
            self.findings[-1] = fault(RULE, self.shown, "more", "", "There are further faults.", "Correct the first.")
        if self.findings:
            raise InputError(self.findings)


@dataclass(frozen=True)
class Line:
    """Values of one line of a record by field name; ``number`` counts from 1 in the file."""

    section: str
    number: int
    values: Mapping[str, str]
    reading: PsseReading
    rest: tuple[str, ...] = ()
    """Values beyond the named fields."""

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, "").strip() or default

    def real(self, name: str, default: float = 0.0) -> float:
        return number(self.values.get(name, ""), default, self, name)

    def whole(self, name: str, default: int = 0) -> int:
        value = self.real(name, float(default))
        if value != int(value):
            self.wrong(name, self.values.get(name, ""), "must hold a whole number.")
        return int(value)

    def wrong(self, name: str, value: str, message: str, remedy: str = "Correct the value.") -> None:
        self.reading.fault(
            "field", self.section, f"line {self.number} {name.upper()}", value, f"The field {message}", remedy
        )


def number(text: str, default: float, line: Line, name: str) -> float:
    """A number, Fortran exponents included; ``default`` where nothing is given."""
    packed = text.strip()
    if not packed:
        return default
    try:
        value = float(packed.replace("D", "E").replace("d", "e"))
    except ValueError:
        line.wrong(name, packed, "must hold a number.")
        return default
    if not math.isfinite(value) or abs(value) > 1e15:
        line.wrong(name, packed, "holds no finite number.")
        return default
    return value


@dataclass(frozen=True)
class RawFile:
    """Lines of every section of a RAW file."""

    base_mva: float
    revision: int
    frequency_hz: float
    title: str
    sections: Mapping[str, list[tuple[int, list[str]]]]

    def lines(self, section: str, reading: PsseReading, record: str | None = None) -> list[Line]:
        """One-line records of a section."""
        if section not in sections_of(self.revision):
            return []
        return [self.line(section, record or section, n, values, reading) for n, values in self.sections[section]]

    def line(self, section: str, record: str, n: int, values: list[str], reading: PsseReading) -> Line:
        names = fields_of(record, self.revision)
        return Line(section, n, dict(zip(names, values, strict=False)), reading, tuple(values[len(names) :]))


def read_sections(text: str, reading: PsseReading) -> RawFile:
    """Cut a file into sections.

    Raises
    ------
    InputError
        If it is no RAW file, of an unknown revision, or cut off before the sections that every network needs.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = next((k for k, line in enumerate(lines) if line.strip() and not line.startswith("@!")), len(lines))
    base_mva, revision, frequency = _header(lines[start] if start < len(lines) else "", reading)
    reading.stop_on_faults()
    title = " ".join(line.strip() for line in lines[start + 1 : start + 3]).strip()
    order = sections_of(revision)
    found: dict[str, list[tuple[int, list[str]]]] = {name: [] for name in order}
    place, ended, current = 0, False, order[0]
    for k in range(start + 3, len(lines)):
        line = lines[k].strip()
        if not line or line.startswith("@!"):
            continue
        if line in ("Q", "q"):
            ended = True
            break
        values = tokens(line)
        if values[:1] == ["0"] and (len(values) == 1 or "/" in line):
            current, place = _next_section(line, order, place)
            if current == "":
                ended = True
                break
            continue
        if current in found:
            found[current].append((k + 1, values))
    if not ended and place < order.index("area"):
        reading.fault("cut_off", "file", f"line {len(lines)}", current, f"the file ends in the section {current}.",
                      "Fetch the whole file.")  # fmt: skip
    reading.stop_on_faults()
    return RawFile(base_mva, revision, frequency, title, found)


def _next_section(line: str, order: tuple[str, ...], place: int) -> tuple[str, int]:
    """The section that begins after a line that ends one: by its remark, or the next in order."""
    match = _BEGIN.search(line)
    named = record_fields()["titles"].get(match[1].upper()) if match else None
    if named in order:
        return named, order.index(named)
    return (order[place + 1], place + 1) if place + 1 < len(order) else ("", place)


def _header(line: str, reading: PsseReading) -> tuple[float, int, float]:
    values = tokens(line)
    try:
        change, base = int(values[0]), float(values[1])
        given = re.search(r"PSS.{0,6}E-?\s*(\d\d)", line)
        revision = int(float(values[2])) if len(values) > 2 and values[2] else int(given[1]) if given else 0
        frequency = float(values[5]) if len(values) > 5 and values[5] else 0.0
    except (ValueError, IndexError):
        reading.fault("format", "file", "line 1", line[:40], "not a PSS/E RAW file: the first line holds no IC, SBASE.",
                      "Name the .raw file of the network.")  # fmt: skip
        return 100.0, 33, 50.0
    if change != 0:
        reading.fault("change_case", "file", "IC", str(change), "the file adds to another case and is none of its own.",
                      "Save the whole case (IC = 0).")  # fmt: skip
    if revision not in REVISIONS:
        reading.fault(
            "revision", "file", "REV", str(revision), "revisions 29 to 35 are read.", "Save it as one of them."
        )
        revision = 33
    if not (math.isfinite(base) and base > 0):
        reading.fault("base_mva", "file", "SBASE", values[1], "the power base must be above 0 MVA.", "Correct it.")
        base = 100.0
    return base, revision, frequency if 40 <= frequency <= 70 else 50.0
