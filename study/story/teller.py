"""Who tells a site's story: sentences by key, labels and figures in one language (``story_words.csv``)."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from study.outputs.element_names import named
from study.outputs.labels import Language, value_labels
from study.story.explain import Row, SiteStory

_WORDS = Path(__file__).resolve().with_name("story_words.csv")
_MONEY = {"zh": 1e4, "en": 1e6}
"""Money is told in 万元 and in million CNY."""


@cache
def words() -> dict[str, dict[str, str]]:
    with _WORDS.open(encoding="utf-8", newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream)}


@dataclass(frozen=True)
class Teller:
    """Tells one story in one language."""

    story: SiteStory
    language: Language

    def say(self, key: str, **values: object) -> str:
        return words()[key][self.language].format(**values)

    def of(self, row: Row, name: str) -> str:
        """``name_zh`` or ``name_en`` of a row."""
        return str(row.get(f"{name}_{self.language}", ""))

    def code(self, column: str, value: object) -> str:
        """A coded value's label; the code itself where it has none."""
        labels = {label.value: label.label(self.language) for label in value_labels(column)}
        return labels.get(str(value), str(value))

    def element(self, value: object, *, with_id: bool = True) -> str:
        """Name of a line, a transformer or a bus, with its id unless that was told before."""
        names = self.story.names.get(str(value))
        if names is None:
            return str(value)
        name = names[self.language == "en"]
        return f"{name} [{value}]" if with_id else name

    def named(self, sentence: str) -> str:
        """``sentence`` with the ids of cases and network elements in it replaced by what they are called."""
        called = {str(row["case"]): (str(row["label_zh"]), str(row["label_en"])) for row in self.story.cases}
        called |= self.story.names
        return named(sentence, called, self.language)

    def case(self, value: object) -> str:
        for row in self.story.cases:
            if row["case"] == value:
                return self.of(row, "label")
        return str(value)

    def money(self, value: object) -> str:
        scaled = as_float(value) / _MONEY[self.language]
        return figure(scaled, 0 if self.language == "zh" else 2)

    def outage(self, value: object, *, with_id: bool = True) -> str:
        return self.say("flows_outage", outage=self.element(value, with_id=with_id)) if value else ""


# --- figures --------------------------------------------------------------------------------------------------------


def as_float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def known(value: object) -> bool:
    return not math.isnan(as_float(value))


def figure(value: object, digits: int) -> str:
    """A figure with thousands apart; a dash where it is not known."""
    number = as_float(value)
    return "–" if math.isnan(number) else f"{number:,.{digits}f}"


def percent(value: object) -> str:
    return "–" if not known(value) else f"{as_float(value):.1%}"


def hectares(km2: object) -> str:
    return figure(as_float(km2) * 100, 1)


def joined(t: Teller, items: list[str]) -> str:
    return ("；" if t.language == "zh" else "; ").join(items)
