"""A default style for QGIS, which reads it from the table ``layer_styles`` of a GeoPackage."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import pandas as pd

from study.labels import Language, ValueLabel

_FILL_ALPHA = 150


def verdict_style(layer: str, verdicts: Sequence[ValueLabel], language: Language, date: str) -> pd.DataFrame:
    """The one row of ``layer_styles`` that colours the polygons of ``layer`` by their column ``verdict``.

    Columns follow the table that QGIS itself writes; ``date`` stands for the time of the last change.
    """
    return pd.DataFrame(
        {
            "f_table_catalog": [""],
            "f_table_schema": [""],
            "f_table_name": [layer],
            "f_geometry_column": ["geom"],
            "styleName": ["verdict"],
            "styleQML": [_qml(verdicts, language)],
            "styleSLD": [""],
            "useAsDefault": [True],
            "description": ["projects by verdict"],
            "owner": [""],
            "ui": [""],
            "update_time": [pd.Timestamp(date)],
        }
    )


def _qml(verdicts: Sequence[ValueLabel], language: Language) -> str:
    categories = "".join(
        f'<category render="true" symbol="{i}" value={quoteattr(v.value)} label={quoteattr(v.label(language))}/>'
        for i, v in enumerate(verdicts)
    )
    symbols = "".join(_fill_symbol(i, v.colour) for i, v in enumerate(verdicts))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22" styleCategories="Symbology">'
        '<renderer-v2 type="categorizedSymbol" attr="verdict" symbollevels="0" enableorderby="0">'
        f"<categories>{categories}</categories><symbols>{symbols}</symbols>"
        "</renderer-v2></qgis>"
    )


def _fill_symbol(index: int, colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    options = {
        "color": f"{red},{green},{blue},{_FILL_ALPHA}",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.3",
        "outline_width_unit": "MM",
        "style": "solid",
    }
    properties = "".join(f'<Option type="QString" name="{key}" value="{value}"/>' for key, value in options.items())
    return (
        f'<symbol type="fill" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">'
        '<layer class="SimpleFill" enabled="1" locked="0" pass="0">'
        f'<Option type="Map">{properties}</Option></layer></symbol>'
    )
