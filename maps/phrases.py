"""Words of data that are written in one language, in the other: sources, clauses, notes, findings (``phrases.csv``).

Ids, names of documents and formulas stay as they are. A sentence without an entry stands as its author wrote it.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("phrases.csv")
_PLACE = re.compile(r"\\\{(\d)\\\}")


@cache
def _entries() -> tuple[dict[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    """Whole sentences by their English, and those with ``{0}`` in them as patterns."""
    whole, patterns = {}, []
    with _FILE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if "{0}" in row["en"]:
                patterns.append((re.compile(_PLACE.sub(r"(?P<p\1>.+?)", re.escape(row["en"]))), row["zh"]))
            else:
                whole[row["en"]] = row["zh"]
    return whole, tuple(patterns)


@cache
def phrase(text: str, language: str) -> str:
    """``text`` in ``language``, as far as the list knows it: as a whole, or its parts between semicolons."""
    if language == "en" or not text:
        return text
    whole = _translated(text)
    if whole is not None:
        return whole
    parts = text.split("; ")
    found = [_translated(part) for part in parts]
    return "；".join(new or old for new, old in zip(found, parts, strict=True)) if any(found) else text


def knows(text: str) -> bool:
    """Whether a text needs no translation or every part of it has one."""
    return _translated(text) is not None or all(
        _translated(part) is not None or not re.search(r"[a-z]{3}", part) for part in text.split("; ")
    )


def _translated(text: str) -> str | None:
    whole, patterns = _entries()
    bare, stop = text.removesuffix("."), "。" if text.endswith(".") else ""
    if text in whole or bare in whole:
        return whole[text] if text in whole else whole[bare] + stop
    for pattern, words in patterns:
        found = pattern.fullmatch(bare)
        if found:
            return words.format(*(found[f"p{place}"] for place in range(pattern.groups))) + stop
    return None
