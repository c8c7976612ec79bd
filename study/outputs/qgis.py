"""Default styles for QGIS, which reads them from the table ``layer_styles`` of a GeoPackage.

A layer is coloured by a column of codes (projects by verdict) or of numbers in classes (lines by loading); both are
written as the categories and ranges of QGIS's own style files (QML).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import quoteattr

import pandas as pd

from study.outputs.labels import Language, ValueLabel

Shape = Literal["fill", "line", "marker"]
_FILL_ALPHA = 150


@dataclass(frozen=True)
class StyleClass:
    """One entry of the legend: the values it holds for, its colour and size (line width or marker size, mm)."""

    label_zh: str
    label_en: str
    colour: str
    value: str = ""
    """Of categories: the column's value."""
    low: float = 0.0
    high: float = 0.0
    """Of ranges: above ``low``, up to ``high``."""
    size_mm: float = 0.3

    def label(self, language: Language) -> str:
        return self.label_zh if language == "zh" else self.label_en


@dataclass(frozen=True)
class LayerStyle:
    """How QGIS draws one layer."""

    layer: str
    name: str
    column: str
    shape: Shape
    classes: tuple[StyleClass, ...]
    ranges: bool = False


VOLTAGES = (
    StyleClass("330 kV及以上", "330 kV and more", "#882255", low=300, high=2000, size_mm=1.0),
    StyleClass("220 kV", "220 kV", "#CC3311", low=150, high=300, size_mm=0.7),
    StyleClass("110 kV", "110 kV", "#0077BB", low=100, high=150, size_mm=0.45),
    StyleClass("66 kV及以下", "66 kV and less", "#777777", low=0, high=100, size_mm=0.25),
)
_STATION_SIZE = 4.0


def verdict_style(layer: str, verdicts: Sequence[ValueLabel], shape: Shape = "fill") -> LayerStyle:
    """Colours by the column ``verdict``."""
    size = 2.0 if shape == "marker" else 0.3
    classes = [StyleClass(v.label_zh, v.label_en, v.colour, value=v.value, size_mm=size) for v in verdicts]
    return LayerStyle(layer, "verdict", "verdict", shape, tuple(classes))


def voltage_style(layer: str, shape: Shape) -> LayerStyle:
    """Colours and sizes by the column ``vn_kv``."""
    factor = _STATION_SIZE if shape == "marker" else 1.0
    classes = [
        StyleClass(v.label_zh, v.label_en, v.colour, low=v.low, high=v.high, size_mm=round(v.size_mm * factor, 2))
        for v in VOLTAGES
    ]
    return LayerStyle(layer, "voltage", "vn_kv", shape, tuple(classes), ranges=True)


def style_table(styles: Sequence[LayerStyle], language: Language, date: str) -> pd.DataFrame:
    """Rows of ``layer_styles``; columns follow the table that QGIS itself writes.

    ``date`` stands for the time of the last change.
    """
    return pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": [style.layer for style in styles],
            "f_geometry_column": "geom",
            "styleName": [style.name for style in styles],
            "styleQML": [qml(style, language) for style in styles],
            "styleSLD": "",
            "useAsDefault": True,
            "description": [f"{style.layer} by {style.name}" for style in styles],
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp(date),
        }
    )


def qml(style: LayerStyle, language: Language) -> str:
    """The style as QGIS's XML."""
    symbols = "".join(_symbol(style.shape, i, c) for i, c in enumerate(style.classes))
    kind, classes = _ranges(style, language) if style.ranges else _categories(style, language)
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22" styleCategories="Symbology">'
        f'<renderer-v2 type="{kind}" attr={quoteattr(style.column)} symbollevels="0" enableorderby="0">'
        f"{classes}<symbols>{symbols}</symbols>"
        "</renderer-v2></qgis>"
    )


def _categories(style: LayerStyle, language: Language) -> tuple[str, str]:
    entries = "".join(
        f'<category render="true" symbol="{i}" value={quoteattr(c.value)} label={quoteattr(c.label(language))}/>'
        for i, c in enumerate(style.classes)
    )
    return "categorizedSymbol", f"<categories>{entries}</categories>"


def _ranges(style: LayerStyle, language: Language) -> tuple[str, str]:
    entries = "".join(
        f'<range render="true" symbol="{i}" lower="{c.low:g}" upper="{c.high:g}" label={quoteattr(c.label(language))}/>'
        for i, c in enumerate(style.classes)
    )
    return "graduatedSymbol", f"<ranges>{entries}</ranges>"


def _symbol(shape: Shape, index: int, entry: StyleClass) -> str:
    red, green, blue = (int(entry.colour[k : k + 2], 16) for k in (1, 3, 5))
    solid = f"{red},{green},{blue},255"
    layer, options = {
        "fill": ("SimpleFill", _fill(f"{red},{green},{blue},{_FILL_ALPHA}", solid, entry.size_mm)),
        "line": ("SimpleLine", _line(solid, entry.size_mm)),
        "marker": ("SimpleMarker", _marker(solid, entry.size_mm)),
    }[shape]
    properties = "".join(f'<Option type="QString" name="{key}" value="{value}"/>' for key, value in options.items())
    return (
        f'<symbol type="{shape}" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="{layer}" enabled="1" locked="0" pass="0">'
        f'<Option type="Map">{properties}</Option></layer></symbol>'
    )


def _fill(colour: str, outline: str, width: float) -> dict[str, str]:
    return {
        "color": colour,
        "outline_color": outline,
        "outline_style": "solid",
        "outline_width": f"{width:g}",
        "outline_width_unit": "MM",
        "style": "solid",
    }


def _line(colour: str, width: float) -> dict[str, str]:
    return {"line_color": colour, "line_style": "solid", "line_width": f"{width:g}", "line_width_unit": "MM"}


def _marker(colour: str, size: float) -> dict[str, str]:
    return {
        "color": colour,
        "name": "circle",
        "outline_color": "255,255,255,255",
        "outline_style": "solid",
        "outline_width": "0.2",
        "size": f"{size:g}",
        "size_unit": "MM",
    }
