"""What every reader of a file does first: bytes, identity, text; and how it says that a file cannot be read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from layers.contracts import Finding, InputError

LARGEST_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class SourceFile:
    """A file's content and what people see of it."""

    shown: str
    content: bytes
    sha256: str

    def text(self) -> str:
        """UTF-8 with or without byte order mark, else GB 18030 (which contains GBK), else Latin-1."""
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                return self.content.decode(encoding)
            except UnicodeDecodeError:
                continue
        return self.content.decode("latin-1")


def open_source(path: Path, shown: str | None, rule: str) -> SourceFile:
    """Read a whole file, or raise :class:`InputError` with rule ``<rule>.file_missing`` and the like."""
    label = shown if shown is not None else path.name
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise unreadable(rule, label, "file_too_large", str(path.stat().st_size), "The file is above 512 MiB.")
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise unreadable(rule, label, "file_missing", "", f"The file cannot be read: {reason}.") from error
    return SourceFile(label, content, hashlib.sha256(content).hexdigest())


def unreadable(
    rule: str,
    shown: str,
    what: str,
    value: str,
    message: str,
    remedy: str = "Give a whole, unchanged file of this format.",
    layer: str = "file",
    item: str = "",
) -> InputError:
    """One error that says why a file is no file of its format."""
    return InputError([fault(rule, shown, what, value, message, remedy, layer, item)])


def fault(
    rule: str, shown: str, what: str, value: str, message: str, remedy: str, layer: str = "file", item: str = ""
) -> Finding:
    return Finding("error", f"{rule}.{what}", shown, layer, item, value[:80], message, remedy)
