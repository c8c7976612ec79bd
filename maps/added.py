"""What a measure adds beside an element that stands: its id says which, and so does its name."""

from __future__ import annotations

import re

_WORDS = {
    "circuit": ("新增第{}回", "new circuit {}"),
    "unit": ("新增第{}台", "new unit {}"),
    "section": ("新分段{}", "new section {}"),
}
_ADDED = re.compile(rf"(.+)\+({'|'.join(_WORDS)})(\d+)")


def added(identifier: str) -> tuple[str, tuple[str, str]]:
    """The element beside which ``identifier`` was added (``base+circuit1``), and what to put after its name (Chinese,
    English); the id itself and nothing to add where it stands already."""
    found = _ADDED.fullmatch(identifier)
    if found is None:
        return identifier, ("", "")
    base, what, number = found.groups()
    zh, en = (words.format(number) for words in _WORDS[what])
    return base, (f"（{zh}）", f" ({en})")
