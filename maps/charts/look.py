"""How charts look: the palette of ``maps/style.toml``, fonts that know Chinese, SVG whose bytes depend on data alone.

Words stay text in the SVG with a list of font families, so that a reader's browser takes the first that it has. The
layout is measured with the first family of that list on this machine; without any of them glyphs that DejaVu Sans lacks
count as one box each.
"""

from __future__ import annotations

import io
import re
import tomllib
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from maps.bilingual import Text, labels, read_labels
from maps.style import STYLE_FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS_FILE = Path(__file__).with_name("words.csv")
FONT_FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "SimHei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP", "DejaVu Sans",
)  # fmt: skip
_FONT_LIST = ", ".join(f"'{family}'" for family in FONT_FAMILIES) + ", sans-serif"
MOST_SHAPES = 5000
"""A chart with more shapes than this paints them as a picture inside the SVG, so that its size stays bounded."""

_OWN_FAMILIES = re.compile(r"font-family: [^;\"]*(?:; )?")
_SHORTHAND = re.compile(r"(font: [^;\"]*?px )[^;\"]*")
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fengguang",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "path.simplify": True,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Swatch:
    """Colour and hatch of one class."""

    colour: str
    hatch: str = ""


@dataclass(frozen=True)
class Palette:
    """Colours of ``style.toml`` for charts."""

    technology: dict[str, Swatch]
    limit: dict[str, Swatch]
    verdict: dict[str, Swatch]
    loading: tuple[tuple[float, str], ...]
    headroom: tuple[tuple[float, str], ...]
    """Lower edge in MW and colour of each class, as on the map."""
    named: dict[str, str]
    heat: tuple[str, ...]
    quantity: tuple[str, ...]
    """Colours of an amount, little to much: those of the score on the map."""
    lines: tuple[str, ...]
    """Colours of lines side by side, dark to light."""
    other: tuple[str, ...]

    def swatch_of_technology(self, technology: str, place: int) -> Swatch:
        """The technology's own swatch; one without an entry takes one of the spare colours by its place."""
        return self.technology.get(technology, Swatch(self.other[place % len(self.other)], "xx"))

    def loading_colour(self, percent: float) -> str:
        known = [colour for lower, colour in self.loading if percent >= lower]
        return known[-1] if known else self.named["faint"]


def ink_on(colour: str) -> str:
    """White or the palette's ink, whichever stands out more from ``#rrggbb`` (relative luminance, ITU-R BT.709)."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "white" if luminance < 0.22 else palette().named["ink"]


@cache
def palette() -> Palette:
    table = tomllib.loads(STYLE_FILE.read_text(encoding="utf-8"))
    chart = table["chart"]
    return Palette(
        technology={name: Swatch(**row) for name, row in table["technology"].items()},
        limit={name: Swatch(**row) for name, row in table["limit"].items()},
        verdict={name: Swatch(row["colour"]) for name, row in table["verdict"].items()},
        loading=tuple((row["from_percent"], row["colour"]) for row in table["loading"]),
        headroom=tuple((row["from_mw"], row["colour"]) for row in table["headroom"]),
        named={name: value for name, value in chart.items() if isinstance(value, str)},
        heat=tuple(chart["heat"]),
        quantity=tuple(table["quantity"]["score"]),
        lines=tuple(table["stage"]["colours"]),
        other=tuple(chart["other"]),
    )


@cache
def _words() -> dict[str, Text]:
    return read_labels(WORDS_FILE)


def word(key: str, language: str) -> str:
    """Fixed words of the charts; keys of the map's own list (``limit.voltage_high``) are known too."""
    found = _words().get(key) or labels().get(key)
    return key if found is None else found.of(language)


@cache
def layout_fonts() -> tuple[str, ...]:
    """Those of :data:`FONT_FAMILIES` that this machine has; the layout is measured with them."""
    from matplotlib import font_manager

    present = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(family for family in FONT_FAMILIES if family in present) or ("DejaVu Sans",)


@contextmanager
def drawing() -> Iterator[None]:
    """Settings under which a chart is made and written; nothing outside changes."""
    import matplotlib

    settings: dict[Any, Any] = {**_SETTINGS, "font.family": list(layout_fonts())}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from (font|current)")
        yield


def new_figure(width_in: float, height_in: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """An empty figure, laid out when it is written unless ``layout`` is None; no window system, no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout=layout)


def svg_of(figure: Figure, title: str) -> str:
    """A figure as SVG without date and program name; ``title`` is what a screen reader says."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Title": _plain(title)}
    FigureCanvasSVG(figure).print_svg(stream, metadata=metadata)  # type: ignore[no-untyped-call]
    text = _SHORTHAND.sub(lambda match: match[1] + _FONT_LIST, _OWN_FAMILIES.sub("", stream.getvalue()))
    rooted = text.replace("<svg ", f'<svg font-family="{_FONT_LIST}" ', 1)
    return re.sub(r"[ \t]+$", "", rooted, flags=re.M)


def png_of(figure: Figure, dpi: int = 150) -> bytes:
    """A figure as PNG, for pages that show no SVG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return stream.getvalue()


def plain(text: str, most: int = 60) -> str:
    """Words from data as a chart may take them: no control characters, at most ``most`` columns wide.

    A Chinese character is two columns wide.
    """
    words = _plain(text)
    if _columns(words) <= most:
        return words
    while _columns(words) > most - 1:
        words = words[:-1]
    return words + "…"


def _columns(words: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def quiet_axes(axes: Axes) -> None:
    """Light horizontal rules behind the data."""
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=palette().named["faint"], linewidth=0.5)
