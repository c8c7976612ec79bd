"""Words in Chinese and English side by side, safe inside a page.

A page carries both languages in every place; a style rule hides one of them. Switching therefore needs neither
a reload nor a network, and nothing can be forgotten.
"""

from __future__ import annotations

import csv
import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LABELS_FILE = Path(__file__).with_name("labels.csv")


@dataclass(frozen=True)
class Text:
    """The same words in Chinese and in English."""

    zh: str
    en: str

    def of(self, language: str) -> str:
        """The words in one language: "zh", anything else is English."""
        return self.zh if language == "zh" else self.en

    def format(self, **values: str) -> Text:
        """Both languages with ``{name}`` replaced by the given words."""
        return Text(self.zh.format(**values), self.en.format(**values))


def read_labels(path: Path) -> dict[str, Text]:
    """Fixed words by their key out of a CSV file with the columns key, zh, en; in the order of the file."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    table = {row["key"]: Text(row["zh"], row["en"]) for row in rows}
    if len(table) != len(rows):
        raise ValueError(f"{path.name}: a key stands twice")
    return table


@cache
def labels() -> dict[str, Text]:
    """Every fixed word of the map by its key."""
    return read_labels(LABELS_FILE)


def label(key: str) -> Text:
    """Fixed words by key; an unknown key is a fault of the program."""
    return labels()[key]


def safe(words: object) -> str:
    """Words as page text: nothing in them can open a tag, close an attribute or start a template expression."""
    return html.escape(str(words), quote=True).replace("{", "&#123;").replace("}", "&#125;")


def both(text: Text) -> str:
    """Page text in both languages; only the chosen one is shown. Equal words stand once."""
    if text.zh == text.en:
        return safe(text.zh)
    return f'<span class="zh" lang="zh-CN">{safe(text.zh)}</span><span class="en" lang="en">{safe(text.en)}</span>'


def spoken(text: Text) -> str:
    """Attributes that name a control for screen readers; the page's script copies the chosen language."""
    return f'data-aria-zh="{safe(text.zh)}" data-aria-en="{safe(text.en)}" aria-label="{safe(text.zh)}"'
