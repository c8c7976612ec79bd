"""What a criterion of the score measures and how its value counts, in words: ``scores/criteria.csv`` holds the names
that the study file uses and the value function as the program spells it."""

from __future__ import annotations

import re

from layers.units import unit_of, unit_words
from maps.bilingual import labels

_NUMBER = r"(-?[\d.]+(?:e-?\d+)?)"
_FUNCTIONS = {
    "function.linear": re.compile(rf"Linear\(worst={_NUMBER}, best={_NUMBER}\)"),
    "function.trapezoid": re.compile(
        rf"Trapezoid\(rise_from={_NUMBER}, rise_to={_NUMBER}, fall_from={_NUMBER}, fall_to={_NUMBER}\)"
    ),
    "function.logistic": re.compile(rf"Logistic\(midpoint={_NUMBER}, steepness={_NUMBER}\)"),
}
_POINTS = re.compile(r"PointTable\(points=\((.*)\)\)")
_POINT = re.compile(rf"\({_NUMBER}, {_NUMBER}\)")


def criterion_unit(source: str, language: str) -> str:
    """Unit of a criterion's values: distances are in km, columns say theirs; empty where nothing states one."""
    if source.startswith("distance:"):
        return "km"
    return unit_words(unit_of(source.rpartition(".")[2]), language)


def criterion_scale(source: str) -> float:
    """What a value is multiplied with where it is told: shares are told in percent."""
    return 100.0 if unit_of(source.rpartition(".")[2]) == "1" and not source.startswith("distance:") else 1.0


def value_function_words(spelled: str, source: str, language: str) -> str:
    """``Linear(worst=0.5, best=0.2)`` as "0 at 0.5 CNY/kWh, 1 at 0.2 CNY/kWh"; another spelling stands as it is."""
    unit, scale = criterion_unit(source, language), criterion_scale(source)

    def told(cell: str) -> str:
        return f"{float(cell) * scale:g} {unit}".strip()

    for name, pattern in _FUNCTIONS.items():
        found = pattern.fullmatch(spelled)
        if found:
            figures = [found[1], found[2]] if name == "function.logistic" else list(found.groups())
            words = [told(cell) for cell in figures]
            if name == "function.logistic":
                words[1] = f"{float(found[2]) / scale:g}"
            return labels()[name].of(language).format(*words)
    points = _POINTS.fullmatch(spelled)
    if points:
        pairs = _POINT.findall(points[1])
        return ("，" if language == "zh" else ", ").join(f"{told(x)} → {float(y):g}" for x, y in pairs)
    return spelled
