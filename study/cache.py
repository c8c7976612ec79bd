"""Content-hashed results per stage: what did not change is not computed again.

The key of a stage is the hash of its name, the code and data files of the packages it runs, its slice of the study
file, the sources it reads and the keys of the stages it stands on. A result is written beside its final place and
moved there in one step, so that a killed run leaves whole results only.
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
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

_LEFT_OVER_AFTER_S = 24 * 3600.0
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
    """Hash over the code and data files of ``packages`` and the versions of the computing libraries."""
    files = [p for name in packages for p in sorted((root / name).rglob("*")) if p.suffix in _CODE_SUFFIXES]
    return digest([(p.relative_to(root).as_posix(), file_digest(p)) for p in files], library_versions())


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
        """The stored result. A damaged file is removed and reported as :class:`KeyError`."""
        path = self.path(stage, key)
        try:
            with pa.input_stream(str(path), compression="zstd") as stream:
                result = pickle.load(stream)
        except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError) as error:
            path.unlink(missing_ok=True)
            raise KeyError(f"{stage}: the stored result cannot be read") from error
        os.utime(path)
        return result

    def store(self, stage: str, key: str, result: object) -> None:
        """Store a result, whole or not at all."""
        path = self.path(stage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with pa.output_stream(str(partial), compression="zstd") as stream:
                pickle.dump(result, stream, protocol=5)
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
