"""Content-hashed results per stage: what did not change is not computed again.

The key of a stage is the hash of its name, the code and data files of the packages it runs, its slice of the study
file, the sources it reads and the keys of the stages it stands on. A result is written beside its final place and
moved there in one step, so that a killed run leaves whole results only; it begins with the hash of what follows, so
that a damaged file is known as such and never taken for a result.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

_LEFT_OVER_AFTER_S = 24 * 3600.0
_HASH_BYTES = 32
_CODE_SUFFIXES = {".py", ".csv", ".toml"}
_COMPUTING_LIBRARIES = (
    "numpy", "pandas", "scipy", "geopandas", "shapely", "pyproj", "rasterio", "pvlib", "windpowerlib", "pandapower",
    "lightsim2grid", "pyogrio",
)  # fmt: skip


def digest(*parts: object) -> str:
    """SHA-256 over the JSON form of ``parts`` (sorted keys)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or of all files below a folder with their names."""
    if path.is_dir():
        return digest(
            [(p.relative_to(path).as_posix(), file_digest(p)) for p in sorted(path.rglob("*")) if p.is_file()]
        )
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def library_versions() -> tuple[tuple[str, str], ...]:
    """Versions of the libraries whose change may move a number."""
    return tuple((name, metadata.version(name)) for name in _COMPUTING_LIBRARIES)


@cache
def code_digest(root: Path, packages: tuple[str, ...]) -> str:
    """Hash over the code and data files of ``packages`` and the versions of the computing libraries.

    A name is a folder or a single file below ``root``.
    """
    files = [p for name in packages for p in _files(root / name) if p.suffix in _CODE_SUFFIXES]
    return digest([(p.relative_to(root).as_posix(), file_digest(p)) for p in files], library_versions())


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*"))


@dataclass(frozen=True)
class Cache:
    """Stage results below ``folder``/<stage>/<key>.pickle.zst.

    Results are Python pickles: the cache is a scratch folder of this program on this machine, not an exchange format.
    """

    folder: Path

    def path(self, stage: str, key: str) -> Path:
        return self.folder / stage / f"{key[:32]}.pickle.zst"

    def has(self, stage: str, key: str) -> bool:
        return self.path(stage, key).is_file()

    def load(self, stage: str, key: str) -> Any:
        """The stored result. A damaged file is removed and reported as :class:`KeyError`, like one that is not there.

        A file whose hash is right but that cannot be unpickled (written by another version) counts as damaged.
        """
        path = self.path(stage, key)
        try:
            result = _read(path)
        except Exception as error:
            path.unlink(missing_ok=True)
            raise KeyError(f"{stage}: the stored result cannot be read") from error
        with suppress(OSError):  # pruned by another run meanwhile
            os.utime(path)
        return result

    def store(self, stage: str, key: str, result: object) -> None:
        """Store a result, whole or not at all."""
        path = self.path(stage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            _write(partial, result)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def prune(self, keep: int = 4) -> None:
        """Keep the ``keep`` most recently used results of every stage, drop the others and left-over parts."""
        for stage in self._stages():
            for left_over in stage.glob(".*.pickle.zst.*"):
                if time.time() - left_over.stat().st_mtime > _LEFT_OVER_AFTER_S:
                    left_over.unlink(missing_ok=True)
            stored = sorted(stage.glob("*.pickle.zst"), key=lambda p: p.stat().st_mtime, reverse=True)
            for path in stored[keep:]:
                path.unlink(missing_ok=True)

    def clear(self, stages: Iterable[str] | None = None) -> None:
        """Drop all results, or those of some stages."""
        for stage in [self.folder / s for s in stages] if stages is not None else self._stages():
            shutil.rmtree(stage, ignore_errors=True)

    def _stages(self) -> list[Path]:
        return sorted(p for p in self.folder.iterdir() if p.is_dir()) if self.folder.is_dir() else []


def _write(path: Path, result: object) -> None:
    """SHA-256 of the compressed pickle, then the compressed pickle."""
    memory = pa.BufferOutputStream()
    with pa.CompressedOutputStream(memory, "zstd") as stream:
        pickle.dump(result, stream, protocol=5)
    packed = memory.getvalue()
    with path.open("wb") as stream:
        stream.write(hashlib.sha256(packed).digest())
        stream.write(packed)


def _read(path: Path) -> Any:
    with pa.memory_map(str(path)) as stream:
        content = stream.read_buffer()
        stored, packed = content.slice(0, _HASH_BYTES).to_pybytes(), content.slice(_HASH_BYTES)
        if hashlib.sha256(packed).digest() != stored:
            raise ValueError("the content does not have the hash that it was stored with")
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as unpacked:
            return pickle.load(unpacked)
