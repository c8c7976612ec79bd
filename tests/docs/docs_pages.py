"""What the documentation's pages hold: fenced blocks, command lines, and how a command is run in a small study."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from study.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_RUN_ONE_BY_ONE = {
    "docs/own-layer.md": "followed from top to bottom",
    "docs/data-dictionary.md": "generated, and compared with what generates it; has no command block",
}
PAGES = tuple(
    page
    for page in ("README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")))
    if page not in NOT_RUN_ONE_BY_ONE
)
"""Pages whose commands are run one by one: all but the exceptions."""

SMALL = ("--area-km2", "120", "--population", "90000", "--districts", "2")
"""Size of the study that stands for those of the pages."""

NAMES = {
    "bozhou": "my-city",
    "network.raw": "network.m",
    "case.m": "network.m",
    "20250101T080000-1a2b3c4d": "latest",
}
"""What stands for what: the small study for the built-in one, whose run takes minutes; a network and a run that are at
hand."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.M | re.S)
_COMMAND = re.compile(r"^(fengguang|make|git|python)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language (empty: commands and output) and its text."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """Fenced blocks of a page, in order."""
    return [Block(m[1], m[2]) for m in _FENCE.finditer((REPOSITORY / page).read_text("utf-8"))]


def commands(page: str) -> list[str]:
    """Command lines of a page's blocks, without comments."""
    lines = [line for block in blocks(page) if block.language == "" for line in block.text.splitlines()]
    return [_bare(line) for line in lines if _COMMAND.match(line)]


def _bare(line: str) -> str:
    return re.split(r"\s{2,}#", line)[0].strip()


def distinct_commands() -> list[tuple[str, str]]:
    """(page, command) of every command line, the first page that has it."""
    found: dict[str, str] = {}
    for page in PAGES:
        for command in commands(page):
            found.setdefault(command, page)
    return [(page, command) for command, page in found.items()]


def arguments(command: str) -> list[str]:
    """Words of a command after the program's name, with the names of the small study."""
    words = shlex.split(command)[1:]
    return [_mapped(word) for word in words]


def _mapped(word: str) -> str:
    for name, small in NAMES.items():
        word = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", small, word)
    return word


def fengguang(*words: str) -> Result:
    """The program in this process, as the command line calls it."""
    return CliRunner().invoke(app, list(words), prog_name="fengguang")
