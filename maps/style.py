"""Colours, widths and classes of the site map, read from ``style.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

STYLE_FILE = Path(__file__).with_name("style.toml")
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")

Fill = Literal["solid", "hatch", "tint", "dashed", "dotted"]


@dataclass(frozen=True)
class VerdictStyle:
    """Colour of a verdict, and how a site with it is filled when colour already tells the host type."""

    verdict: str
    colour: str
    fill: Fill


@dataclass(frozen=True)
class Grade:
    """A class of values from ``lower`` up to, not including, the next grade's ``lower``."""

    lower: float
    colour: str


@dataclass(frozen=True)
class VoltageStyle:
    """Line width and marker size of a voltage level."""

    from_kv: float
    width_px: float
    size_px: int


@dataclass(frozen=True)
class StationGrade:
    """Colour of a station's grade, and the mark that tells it without colour."""

    grade: str
    colour: str
    mark: str


@dataclass(frozen=True)
class MapStyle:
    """Everything of ``style.toml``. ``quantities`` pairs a coloured quantity with its palette, low values first."""

    verdicts: tuple[VerdictStyle, ...]
    loading_percent: tuple[Grade, ...]
    headroom_mw: tuple[Grade, ...]
    voltages: tuple[VoltageStyle, ...]
    station_grades: tuple[StationGrade, ...]
    quantities: tuple[tuple[str, tuple[str, ...]], ...]
    stages: tuple[str, ...]
    tried: str
    eligible: str
    rules: tuple[str, ...]
    backdrops: tuple[tuple[str, str], ...]
    unknown: str
    all_station_names_from_zoom: int
    high_station_names_from_kv: float
    list_limit: int

    def voltage(self, kv: float) -> VoltageStyle:
        """The style of the highest listed level that does not exceed ``kv``."""
        return next(v for v in self.voltages if kv >= v.from_kv)


@cache
def map_style() -> MapStyle:
    table = tomllib.loads(STYLE_FILE.read_text(encoding="utf-8"))
    return MapStyle(
        verdicts=tuple(VerdictStyle(verdict, **row) for verdict, row in table["verdict"].items()),
        loading_percent=tuple(Grade(row["from_percent"], row["colour"]) for row in table["loading"]),
        headroom_mw=tuple(Grade(row["from_mw"], row["colour"]) for row in table["headroom"]),
        voltages=tuple(VoltageStyle(**row) for row in table["voltage"]),
        station_grades=tuple(StationGrade(grade, **row) for grade, row in table["station_grade"].items()),
        quantities=tuple((name, tuple(colours)) for name, colours in table["quantity"].items()),
        stages=tuple(table["stage"]["colours"]),
        tried=table["stage"]["tried"],
        eligible=table["land"]["eligible"],
        rules=tuple(table["land"]["rules"]),
        backdrops=tuple(table["backdrop"].items()),
        **table["map"],
    )


def is_colour(value: object) -> bool:
    """True for ``#rrggbb``, the one spelling that is safe wherever a page wants a colour."""
    return isinstance(value, str) and _HEX_COLOUR.match(value) is not None


def grade_of(value: float | None, grades: tuple[Grade, ...]) -> int | None:
    """Index of the grade that holds ``value``; None where the value is not known (None or NaN).

    A value below the first edge belongs to the first grade.
    """
    if value is None or value != value:
        return None
    return max((i for i, grade in enumerate(grades) if value >= grade.lower), default=0)
