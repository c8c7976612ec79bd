"""Scripts and styles that travel inside every page, so that it opens without a network."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("assets")


@dataclass(frozen=True)
class Vendored:
    """One package of others whose files lie in ``maps/assets``; ``sha256`` pairs file names and checksums."""

    name: str
    package: str
    registry: str
    version: str
    licence: str
    licence_file: str
    homepage: str
    sha256: tuple[tuple[str, str], ...]

    def licence_text(self) -> str:
        return text(self.licence_file)


@cache
def vendored() -> tuple[Vendored, ...]:
    """The packages listed in ``assets.toml``."""
    table = tomllib.loads((FOLDER / "assets.toml").read_text(encoding="utf-8"))
    return tuple(
        Vendored(name=name, **{**entry, "sha256": tuple(sorted(entry["sha256"].items()))})
        for name, entry in table.items()
    )


def checksum(name: str) -> str:
    """sha256 of one file in ``maps/assets`` as it lies on disk."""
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()


@cache
def text(name: str) -> str:
    """A file of ``maps/assets`` with plain line ends, as a browser reads it."""
    return (FOLDER / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def leaflet_script() -> str:
    """Leaflet without the pointer to its source map, which a browser's tools would look for on the network."""
    return re.sub(r"//# sourceMappingURL=\S*", "", text("leaflet.js"))


def leaflet_style() -> str:
    """Leaflet's style without its picture files; the map uses none of them."""
    return re.sub(r"url\(images/[^)]*\)", "none", text("leaflet.css"))


def own_script() -> str:
    """The map's own script: the files of ``assets/map`` in order, in one function, so that they share their names."""
    files = sorted((FOLDER / "map").glob("*.js"))
    bodies = "\n".join(f"/* {file.name} */\n{text(f'map/{file.name}')}" for file in files)
    return f'"use strict";\nwindow.fengguang = (function () {{\n{bodies}}})();\n'
