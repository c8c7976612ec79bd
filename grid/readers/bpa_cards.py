"""Cards of PSD-BPA and BPA IPF data files: fixed columns counted in bytes, implied decimal points, GBK names.

A number without a decimal point has as many decimals as its field implies (``1045`` in the voltage field is 1.045);
one with a point is what it says; blanks count nothing. An exponent may follow (``7400-3``), as Fortran reads it.
Columns are bytes: a Chinese character of a GBK file takes two of them. The fields are rows of ``bpa_fields.csv``.

References
----------
Record formats of the Interactive Power Flow program of the Bonneville Power Administration (public documentation
in the repository mbheinen/bpa-ipf-tsp, docs/basic/record_formats.rst).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ENCODING = "gbk"
_NUMBER = re.compile(r"^([+-]?)(\d*)(\.?)(\d*)(?:[EeDd]?([+-]\d{1,3})|[EeDd](\d{1,3}))?$")


@dataclass(frozen=True)
class Field:
    """Columns ``first`` to ``last`` (from 1, both included) of a card; ``decimals`` is None for text."""

    name: str
    first: int
    last: int
    decimals: int | None

    @property
    def width(self) -> int:
        return self.last - self.first + 1


@cache
def card_fields() -> Mapping[str, Mapping[str, Field]]:
    """Fields of every record code, in the order of the columns."""
    found: dict[str, dict[str, Field]] = {}
    with Path(__file__).with_name("bpa_fields.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            decimals = int(row["decimals"]) if row["kind"] == "number" else None
            field = Field(row["field"], int(row["first"]), int(row["last"]), decimals)
            found.setdefault(row["record"], {})[row["field"]] = field
    return found


def number(text: str, decimals: int) -> float | None:
    """Value of a number field: None when it is blank.

    Raises
    ------
    ValueError
        If the text is no number.
    """
    packed = text.replace(" ", "")
    if not packed:
        return None
    match = _NUMBER.match(packed)
    if match is None or not (match[2] or match[4]):
        raise ValueError(f"not a number: {text!r}")
    digits, power = match[2] + match[4], int(match[5] or match[6] or 0)
    implied = len(match[4]) if match[3] else decimals
    value = float(f"{match[1]}{digits}e{power - implied}")
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {text!r}")
    return value


@dataclass(frozen=True)
class Card:
    """One line of the network data; ``line`` counts from 1 in the file."""

    record: str
    line: int
    data: bytes
    fault: Callable[[Card, str, str, str, str], None]
    """Notes a finding: card, field, value, message, remedy."""

    def text(self, name: str) -> str:
        """Text of a field without the blanks around it."""
        field = card_fields()[self.record][name]
        raw = self.data[field.first - 1 : field.last]
        try:
            return raw.decode(ENCODING).strip()
        except UnicodeDecodeError:
            self.fault(self, name, repr(raw), "the field cuts a Chinese character in two.",
                       "Align the columns: a Chinese character takes two.")  # fmt: skip
            return raw.decode(ENCODING, "replace").strip()

    def number(self, name: str, default: float = 0.0) -> float:
        """Number of a field; ``default`` where it is blank. What is no number is noted and becomes the default."""
        field = card_fields()[self.record][name]
        raw = self.data[field.first - 1 : field.last].decode(ENCODING, "replace")
        try:
            value = number(raw, field.decimals or 0)
        except ValueError:
            self.fault(self, name, raw, f"columns {field.first} to {field.last} must hold a number.",
                       "Correct the number, or the columns of the card.")  # fmt: skip
            return default
        return default if value is None else value

    def blank(self, name: str) -> bool:
        field = card_fields()[self.record][name]
        return not self.data[field.first - 1 : field.last].strip()

    def angle(self, name: str) -> float:
        """The angle of a slack bus stands in a field of its own decimals: one instead of three."""
        field = card_fields()[self.record][name]
        raw = self.data[field.first - 1 : field.last].decode(ENCODING, "replace")
        try:
            return number(raw, 1) or 0.0
        except ValueError:
            self.fault(self, name, raw, "must hold an angle in degrees.", "Correct the number.")
            return 0.0


def format_number(value: float, width: int, decimals: int) -> str:
    """The shortest loss of digits that fits ``width`` columns and reads back by :func:`number`.

    A plain number with a point where it keeps a thousandth of the value, else digits with an exponent (``7400-3``).

    Raises
    ------
    ValueError
        If the value has more digits before the point than the field has columns.
    """
    if value == 0:
        return "0.".rjust(width) if width > 1 else "0"
    candidates = [text for text in (*_plain(value, width), *_scaled(value, width, decimals)) if len(text) <= width]
    readable = [(abs((number(text, decimals) or 0.0) - value), k, text) for k, text in enumerate(candidates)]
    if not readable:
        raise ValueError(f"{value:g} does not fit into {width} columns")
    plain = [entry for entry in readable if "." in entry[2]]
    best_plain = min(plain, default=None)
    if best_plain is not None and best_plain[0] <= 1e-3 * abs(value):
        best = min(readable) if best_plain[0] > 1e-5 * abs(value) else best_plain
        # an exponent only where it gains a digit that matters
        best = best if best[0] < 0.2 * best_plain[0] else best_plain
    else:
        best = min(readable)
    if best[0] > 0.5 * abs(value):
        raise ValueError(f"{value:g} does not fit into {width} columns")
    return best[2].rjust(width)


def _plain(value: float, width: int) -> list[str]:
    texts = []
    for places in range(width):
        text = f"{value:.{places}f}"
        text = text if "." in text else f"{text}."
        text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
        texts.append(text if text.strip("-.") else "0.")
    return texts


def _scaled(value: float, width: int, decimals: int) -> list[str]:
    """Digits without a point, with an exponent where needed."""
    if width < 4:
        return []
    texts = []
    for power in range(-9, 1):
        digits = round(abs(value) * 10.0 ** (decimals - power))
        if 0 < digits < 10**width:
            texts.append(f"{'-' if value < 0 else ''}{digits}{power if power else ''}")
    return texts
