"""Formulas with the numbers filled in, as text that can be checked with a pocket calculator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from grid.rulebook.book import Confidence, Formula, weakest

DECIMALS = 4
_NEGATIVE_OPERAND = re.compile(r"(?<=[+−×/] )−(\d[\d.]*)|(?<=[×/])−(\d[\d.]*)")


@dataclass(frozen=True)
class FilledFormula:
    """One worked formula. ``text_zh``/``text_en``: label, symbols, numbers, result; ``text``: without the label."""

    text: str
    text_zh: str
    text_en: str
    clause: str
    confidence: Confidence


def number(value: float) -> str:
    """A number as it stands in a formula: at most four decimals, no trailing zeros, a true minus sign.

    >>> number(-12.50), number(0.66666666), number(-0.00001), number(360.0)
    ('−12.5', '0.6667', '0', '360')
    """
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def filled(formula: Formula, **values: float | int | str) -> FilledFormula:
    """``formula`` with ``values`` in their places; text is taken as it stands, numbers by :func:`number`."""
    shown = {name: value if isinstance(value, str) else number(value) for name, value in values.items()}
    numbers = _NEGATIVE_OPERAND.sub(lambda match: f"(−{match[1] or match[2]})", formula.filled.format(**shown))
    text = f"{formula.expression} = {numbers}"
    zh, en = f"{formula.label_zh} {text}", f"{formula.label_en} {text}"
    return FilledFormula(text, zh, en, formula.clause, formula.confidence)


def joined(formulas: Iterable[FilledFormula]) -> FilledFormula:
    """Several worked formulas as one text; clauses in order of appearance, the weakest confidence."""
    parts = tuple(formulas)
    clauses = list(dict.fromkeys(part.clause for part in parts))
    return FilledFormula(
        "; ".join(part.text for part in parts),
        "；".join(part.text_zh for part in parts),
        "; ".join(part.text_en for part in parts),
        ", ".join(clauses),
        weakest(part.confidence for part in parts),
    )
