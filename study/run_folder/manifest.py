"""The manifest of a run: what went in, what was done, what came out, each with its hash.

``manifest.json`` is written last and in one step: a run folder that has one is complete. It holds no absolute path
and no user's name, so that a run folder can be handed on as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from grid.contracts import Assumption
from layers.contracts import Finding, InputError, Severity
from study.atomic import replaced

MANIFEST_NAME = "manifest.json"
FORMAT = 1

_PRIVATE_PATH = re.compile(
    r"(?:file://|(?<![\w.:/~}-]))/(?:[^\s/:;,'\"<>|]+/)+([^\s/:;,'\"<>|]*)"  # /home/somebody/data/x.tif
    r"|(?<![\w])(?:[A-Za-z]:[\\/]|\\\\)(?:[^\\/:;,'\"<>|\n]+[\\/])*([^\s\\/:;,'\"<>|]*)"  # C:\Users\..., \\server\...
)


@dataclass(frozen=True)
class LibraryVersion:
    name: str
    version: str


@dataclass(frozen=True)
class InputRecord:
    """One file the run read. ``shown_path`` is the path as the study file gives it."""

    id: str
    shown_path: str
    sha256: str
    bytes: int
    licence: str
    origin: str
    attribution: str = ""


@dataclass(frozen=True)
class StageRecord:
    """One step of the run. ``key`` is its key in the cache, ``seconds`` its wall time in this run."""

    name: str
    key: str
    seconds: float
    from_cache: bool


@dataclass(frozen=True)
class OutputRecord:
    """One file the run wrote; ``path`` is relative to the run folder, with ``/`` between its parts."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What one run was. Times are ISO 8601 with their offset. ``findings`` are warnings and notes about the inputs."""

    run_id: str
    study: str
    started: str
    finished: str
    fengguang: str
    python: str
    libraries: tuple[LibraryVersion, ...]
    code_sha256: str
    rule_pack: str
    inputs: tuple[InputRecord, ...]
    stages: tuple[StageRecord, ...]
    findings: tuple[Finding, ...]
    assumptions: tuple[Assumption, ...]
    outputs: tuple[OutputRecord, ...]
    format: int = FORMAT


_ADAPTER = TypeAdapter(Manifest)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record_outputs(folder: Path) -> tuple[OutputRecord, ...]:
    """Records of all files below ``folder`` but the manifest, sorted by path.

    Raises
    ------
    ValueError
        If something there is no regular file, or has a name that no other system could hold.
    """
    records = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST_NAME:
            continue
        if path.is_symlink() or not path.is_file():
            raise ValueError(f"{_printable(name)} is no regular file")
        if not _is_safe(name):
            raise ValueError(f"{_printable(name)} cannot be the name of an output")
        records.append(OutputRecord(name, hash_file(path), path.stat().st_size))
    return tuple(records)


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write ``manifest.json`` into ``folder`` whole or not at all: sorted keys, UTF-8, the same bytes for the same run.

    Absolute paths inside texts (an error message of a library, say) are shortened to the file's name, see
    :func:`without_private_paths`.

    Raises
    ------
    ValueError
        If an output's path is not a plain relative path inside the run folder.
    """
    unsafe = [output.path for output in manifest.outputs if not _is_safe(output.path)]
    if unsafe:
        raise ValueError(f"outputs outside the run folder: {', '.join(map(_printable, unsafe))}")
    path = folder / MANIFEST_NAME
    with replaced(path) as partial:
        partial.write_bytes(_serialised(manifest))
    return path


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run.

    Raises
    ------
    InputError
        If there is none, it is of another format, or it was changed since it was written.
    """
    path = folder / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            [
                _finding(
                    "manifest.missing", folder.name, "the run folder has no manifest; the run did not finish.",
                    "Run the study again; finished stages come from the cache.",
                )
            ]
        ) from error  # fmt: skip
    try:
        record = json.loads(content.decode("utf-8"))
        stated = record.pop("manifest_sha256")
        if record.get("format") != FORMAT:
            raise InputError([_other_format(record.get("format"))])
        manifest = _ADAPTER.validate_json(json.dumps(record), strict=True)
    except (ValueError, ValidationError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InputError([_unreadable(error)]) from error
    if content != _with_digest(_plain(manifest)) or stated != _digest(_plain(manifest)):
        raise InputError(
            [
                _finding(
                    "manifest.changed", MANIFEST_NAME, "the manifest was changed after the run.",
                    "Take the run folder from its source again, or run the study again.",
                )
            ]
        )  # fmt: skip
    return manifest


def verify_run(folder: Path) -> list[Finding]:
    """Hash every output of a run again and compare with its manifest.

    Returns
    -------
    list of Finding
        Empty when all is as it was. Errors: the manifest is missing, unreadable or changed
        (``manifest.*``), a file is missing (``run.missing``), changed (``run.changed``) or no regular file
        (``run.not_a_file``). Warnings: a file that the run did not write (``run.extra``). All at once, by path.
        No path of the manifest is followed outside ``folder``.
    """
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        return list(error.findings)
    promised = {output.path: output for output in manifest.outputs}
    present = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    present.pop(MANIFEST_NAME, None)
    findings = [
        finding
        for name, output in sorted(promised.items())
        if (finding := _compared(output, present.get(name))) is not None
    ]
    findings += [
        _finding(
            "run.extra", name, "the run did not write this file.", "Move it out of the run folder.", severity="warning"
        )
        for name in sorted(present.keys() - promised.keys())
    ]
    return findings


def without_private_paths(text: str) -> str:
    """``text`` with every absolute path shortened to ``…/name``, and home, working and temporary folder taken out.

    Addresses (``https://…``), units (``MW/km2``) and relative paths stay as they are.
    """
    for root in _private_roots():
        text = re.sub(rf"(?<![A-Za-z0-9_.]){re.escape(root)}(?![A-Za-z0-9_-]|\.\w)", "…", text)
    return _PRIVATE_PATH.sub(lambda match: f"…/{match[1] or match[2] or ''}", text)


def _private_roots() -> list[str]:
    """Folders whose names tell about the machine or its user, longest first."""
    roots = {str(Path.home()), str(Path.cwd()), os.path.realpath(Path.cwd()), tempfile.gettempdir()}
    return sorted((root for root in roots if len(Path(root).parts) > 1), key=len, reverse=True)


def _compared(output: OutputRecord, path: Path | None) -> Finding | None:
    if not _is_safe(output.path):
        return _finding(
            "manifest.unsafe_path", output.path, "the manifest names a file outside the run folder.",
            "Do not trust this run folder; run the study again.",
        )  # fmt: skip
    if path is None:
        return _finding(
            "run.missing", output.path, "the file is missing.", "Bring it back, or run the study again or export again."
        )
    if path.is_symlink() or not path.is_file():
        return _finding(
            "run.not_a_file", output.path, "a link or special file has taken the file's place.",
            "Remove it and run the study again.",
        )  # fmt: skip
    if path.stat().st_size == output.bytes and hash_file(path) == output.sha256:
        return None
    return _finding(
        "run.changed", output.path, "the content differs from what the run wrote.",
        "Save your own copy under another name elsewhere, then run the study again.",
        value=f"{path.stat().st_size} bytes, written were {output.bytes}",
    )  # fmt: skip


def _files(folder: Path) -> Iterator[Path]:
    """Everything below ``folder`` that is no folder, links not followed, sorted by path."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found += [Path(parent, name) for name in (*names, *links)]
    return iter(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def _is_safe(name: str) -> bool:
    """Whether ``name`` is a plain relative path that means the same on every system."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and PurePosixPath(*parts).as_posix() == name
        and not name.startswith("/")
        and ".." not in parts
        and not re.search(r'[\x00-\x1f\x7f\\:*?"<>|\ud800-\udfff]', name)
        and name != MANIFEST_NAME
    )


def _printable(name: str) -> str:
    """``name`` without control characters, bidirectional marks and broken code points, which are shown escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def _plain(manifest: Manifest) -> dict[str, Any]:
    record = dataclasses.asdict(manifest)
    for stage in record["stages"]:
        stage["seconds"] = round(float(stage["seconds"]), 3)
    return record


def _serialised(manifest: Manifest) -> bytes:
    return _with_digest(_cleaned(_plain(manifest)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return without_private_paths(_printable_text(value))
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


def _printable_text(text: str) -> str:
    """``text`` that UTF-8 can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _with_digest(record: dict[str, Any]) -> bytes:
    """JSON of ``record`` with the digest of everything else in it, which shows an accidental change."""
    return _json(record | {"manifest_sha256": _digest(record)})


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(_json(record)).hexdigest()


def _json(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return f"{text}\n".encode()


def _other_format(value: object) -> Finding:
    return _finding(
        "manifest.format", MANIFEST_NAME, f"the manifest has format {value}, this program reads format {FORMAT}.",
        "Use the version of fengguang that wrote it, or run the study again.",
    )  # fmt: skip


def _unreadable(error: Exception) -> Finding:
    what = f"{error.error_count()} entries do not fit" if isinstance(error, ValidationError) else type(error).__name__
    return _finding(
        "manifest.unreadable", MANIFEST_NAME, f"the manifest cannot be read ({what}).",
        "Take the run folder from its source again, or run the study again.",
    )  # fmt: skip


def _finding(
    rule: str, item: str, message: str, remedy: str, *, value: str = "", severity: Severity = "error"
) -> Finding:
    return Finding(severity, rule, MANIFEST_NAME, "", _printable(item), value, message, remedy)
