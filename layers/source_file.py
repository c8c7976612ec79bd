"""What every reader asks of a source file first: is it there, is it the file the card describes?"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from layers.contracts import Finding, Severity, SourceCard

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_CHUNK = 1 << 20


def card_finding(
    card: SourceCard, severity: Severity, rule: str, item: str, value: object, message: str, remedy: str
) -> Finding:
    """A finding about the source ``card``; the file shows as ``card.shown_path``."""
    return Finding(severity, rule, card.shown_path, card.layer or card.id, item, str(value), message, remedy)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _where_to_put_it(card: SourceCard) -> str:
    """What to do about a missing file: most often the variable of its path is not set."""
    variable = _VARIABLE.match(card.shown_path)
    if variable is not None and not os.environ.get(variable[1]):
        return f"{variable[1]} is not set: set it to the folder of the data, or correct the path of source {card.id!r}."
    return f"Put the file there, or correct the path of source {card.id!r}."


def file_findings(card: SourceCard) -> list[Finding]:
    """``source.file_missing`` or ``source.sha256_mismatch``, or nothing."""
    if not card.path.is_file():
        return [
            card_finding(
                card,
                "error",
                "source.file_missing",
                "path",
                card.shown_path,
                "the file does not exist.",
                _where_to_put_it(card),
            )
        ]
    if card.sha256 is None:
        return []
    actual = sha256_of(card.path)
    if actual == card.sha256.lower():
        return []
    return [
        card_finding(
            card,
            "error",
            "source.sha256_mismatch",
            "sha256",
            actual,
            f"the file is not the one that was described: its sha256 should be {card.sha256}.",
            f"Fetch the described file again, or check the new one and set its sha256 on source {card.id!r}.",
        )
    ]
