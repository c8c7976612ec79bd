"""Background pictures from a server: what a source must be like, and what the page may fetch for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layers.contracts import Datum

PLACEHOLDERS = frozenset({"s", "x", "y", "-y", "z", "r"})
_NEEDED = frozenset({"x", "z"})
_TEMPLATE = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?:[A-Za-z0-9-]|\{s\})+(?:\.[A-Za-z0-9-]+)*)(?P<port>:[0-9]{1,5})?"
    r"/[A-Za-z0-9._~%/?&=+,;:@!$*()|{}-]*"
)
_KEYS = re.compile(r"[?&](key|ak|tk|token|access_token|api_?key|sk)=", re.IGNORECASE)


@dataclass(frozen=True)
class BaseTiles:
    """Optional background pictures from a server; a map without them needs no network.

    ``url`` is a Leaflet template such as ``https://host/{z}/{x}/{y}.png``; ``{s}`` stands for one of ``subdomains``.
    ``datum`` is shown in the layer list. The map's own shapes are WGS-84: tiles on GCJ-02 are moved under them by the
    shift in the middle of the window, where they then fit to the metre. BD-09 tiles are cut by a grid of their own
    and are refused. ``max_zoom`` is the finest the server has.
    """

    url: str
    name_zh: str
    name_en: str
    datum: Datum
    attribution: str
    max_zoom: int = 18
    subdomains: str = "abc"


@dataclass(frozen=True)
class TileFault:
    """What is wrong with a source: the field, its value, why, and what to do."""

    field: str
    value: str
    message: str
    remedy: str


def tile_faults(tiles: BaseTiles) -> list[TileFault]:
    """Everything for which a source is refused."""
    found = []
    asked = set(re.findall(r"\{([^{}]*)\}", tiles.url))
    remedy = "Write it as https://host/{z}/{x}/{y}.png."
    if not _TEMPLATE.fullmatch(tiles.url):
        found.append(TileFault("url", tiles.url, "the template is no plain https or http address.", remedy))
    elif asked - PLACEHOLDERS:
        names = ", ".join(sorted(asked - PLACEHOLDERS))
        found.append(TileFault("url", tiles.url, f"nothing is known to put for {names}.", remedy))
    elif not (asked >= _NEEDED and asked & {"y", "-y"}):
        found.append(TileFault("url", tiles.url, "the template lacks {z}, {x} or {y}.", remedy))
    if tiles.datum == "bd09":
        found.append(
            TileFault("datum", tiles.datum, "tiles on BD-09 do not fit the Web Mercator grid of the map.",
                      "Take a source on WGS-84, CGCS2000 or GCJ-02.")
        )  # fmt: skip
    if not tiles.attribution.strip():
        found.append(
            TileFault("attribution", "", "the pictures name no owner.", "State what their terms of use ask for.")
        )
    return found


def holds_key(tiles: BaseTiles) -> bool:
    """Whether the address seems to hold a key, which every reader of the page could use."""
    return bool(_KEYS.search(tiles.url))


def image_source(tiles: BaseTiles) -> str:
    """The one place that the page may fetch pictures from, as a content security policy names it."""
    parts = _TEMPLATE.fullmatch(tiles.url)
    if parts is None:
        return ""
    first, dot, rest = parts["host"].partition(".")
    host = f"*{dot}{rest}" if "{s}" in first else parts["host"]
    return f"{parts['scheme']}://{host}{parts['port'] or ''}"
