"""A Folium map as one page without a single outside file.

Folium's own figure links ten files from content networks and gives every element a random id. Here the figure
carries the vendored files inside, numbers its elements in drawing order, and tells the browser by a content
security policy that only the scripts that stand in it may run and that nothing may be fetched. The policy is the
second fence behind escaping: a script that slipped in through a name would not be on its list.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import folium
from branca.element import Element, Figure
from jinja2 import Environment

from maps.bilingual import Text, both, label, safe, spoken
from maps.vendor import leaflet_script, leaflet_style, own_script, text, vendored

_PAGE = Environment(autoescape=False).from_string(
    """<!DOCTYPE html>
<html lang="{{ tag }}" data-lang="{{ language }}" data-view="host" data-stations="headroom" \
data-title-zh="{{ title_zh }}" data-title-en="{{ title_en }}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{{ title }}</title>
<!--
{{ licences }}
-->
<style>
{{ leaflet_css }}
{{ own_css }}
</style>
{{ header }}
</head>
<body>
{{ before }}
{{ html }}
{{ after }}
<script type="application/json" id="fg-data">{{ payload }}</script>
{%- for name, block in blocks %}
<script type="application/octet-stream" id="{{ name }}">{{ block }}</script>
{%- endfor %}
{%- for script in scripts %}
<script>{{ script }}</script>
{%- endfor %}
</body>
</html>
"""
)
_VIEWPORT = re.compile(r"<meta name=\"viewport\".*?/>", re.DOTALL)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class OfflineMap(folium.Map):
    """A Folium map that asks for no outside script or style; its page brings Leaflet itself."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - Folium's own class attributes
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


@dataclass(frozen=True)
class PageParts:
    """What stands around the map, already safe page text; ``payload`` is JSON made for a script element."""

    title: Text
    language: str
    head: str
    banner: str
    legend: str
    side: str
    attribution: str
    payload: str
    blocks: tuple[tuple[str, str], ...] = ()
    """Packed data (:mod:`maps.packing`): id of a script element and its base64."""
    images_from: str = ""
    """Where base tiles come from; empty forbids every outside picture."""


class OfflinePage(Figure):
    """Folium's figure, written as a complete page with everything inside."""

    def __init__(self, parts: PageParts) -> None:
        super().__init__()
        self.parts = parts
        del self.header._children["meta_http"]

    def render(self, **kwargs: object) -> str:
        """The whole page. The same tree gives the same bytes."""
        number_elements(self)
        for child in self._children.values():
            child.render(**kwargs)
        parts = self.parts
        header = _VIEWPORT.sub("", self.header.render(**kwargs)).strip()
        scripts = [leaflet_script(), own_script(), "\n" + self.script.render(**kwargs) + "\n"]
        title = parts.title.zh if parts.language == "zh" else parts.title.en
        return _PAGE.render(
            tag="zh-CN" if parts.language == "zh" else "en",
            language=safe(parts.language),
            title=safe(title),
            title_zh=safe(parts.title.zh),
            title_en=safe(parts.title.en),
            policy=_policy([*_INLINE_SCRIPT.findall(header), *scripts], parts.images_from),
            licences="\n".join(f"{p.package} {p.version}\n{p.licence_text().strip()}" for p in vendored()),
            leaflet_css=leaflet_style(),
            own_css=text("map/page.css"),
            header=header,
            before=_before(parts),
            html=self.html.render(**kwargs).strip(),
            after=_after(parts),
            payload=parts.payload,
            blocks=parts.blocks,
            scripts=scripts,
        )


def number_elements(root: Element) -> None:
    """Give every element of a Folium tree its place in drawing order as id, in place of a random one."""
    for place, element in enumerate(_elements(root)):
        element._id = f"{place:04d}"


def _elements(element: Element) -> Iterator[Element]:
    yield element
    if isinstance(element, Figure):
        for part in (element.header, element.html, element.script):
            yield from _elements(part)
    for child in element._children.values():
        yield from _elements(child)


def _policy(scripts: list[str], images_from: str) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    images = f"data: {images_from}".strip()
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src {safe(images)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _before(parts: PageParts) -> str:
    return (
        f'<a class="skip" href="#fg-side">{_both("ui.skip")}</a>'
        f'<header id="fg-head">{parts.head}'
        f'<button type="button" id="fg-panel" aria-expanded="true" aria-controls="fg-side" '
        f"{spoken(label('ui.panel_aria'))}>{_both('ui.panel')}</button>"
        f'<button type="button" id="fg-print" {spoken(label("ui.print_aria"))}>{_both("ui.print")}</button>'
        f'<button type="button" id="fg-language" {spoken(label("ui.language_aria"))}>{_both("ui.language")}</button>'
        f"</header>{parts.banner}<noscript>{_both('ui.noscript')}</noscript>"
        f'<p id="fg-old-browser" role="alert" hidden>{_both("ui.old_browser")}</p>'
        '<main><div id="fg-stage">'
    )


def _after(parts: PageParts) -> str:
    return (
        f"{parts.legend}"
        f'<div id="fg-north" role="img" {spoken(label("ui.north"))}>'
        '<svg viewBox="0 0 24 34" width="24" height="34" aria-hidden="true">'
        '<path d="M12 11 L18 31 L12 26.5 L6 31 Z"/><text x="12" y="8.5">N</text></svg></div>'
        f'</div><aside id="fg-side" tabindex="-1">{parts.side}</aside></main>'
        f'<footer id="fg-attribution">{parts.attribution}</footer>'
    )


def _both(key: str) -> str:
    return both(label(key))
