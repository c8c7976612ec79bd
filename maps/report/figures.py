"""Numbers on a page: each stands in a ``data`` element that names the file, the row and the column it is from.

``<data value="5824.7" data-source="substations.csv" data-key="S1/220" data-column="n_1_mw" data-digits="1">5,824.7``

``value`` is the cell as the file spells it; the text is that cell times ``data-scale`` (1 where absent) with
``data-digits`` decimals. A page can therefore be checked against the tables by anyone who can parse HTML.
"""

from __future__ import annotations

import math

from maps.bilingual import safe
from maps.run_tables import Sheet, number

DASH = "–"
"""What stands where nothing is known."""


def number_text(value: float, digits: int, scale: float = 1.0) -> str:
    """A number with thousands separated and a fixed count of decimals; minus zero is zero, no value is a dash."""
    if not math.isfinite(value):
        return DASH
    shown = f"{value * scale:,.{digits}f}"
    return shown[1:] if shown.startswith("-") and not any(c in "123456789" for c in shown) else shown


def figure_html(sheet: Sheet | None, row: int | None, column: str, digits: int = 0, scale: float = 1.0) -> str:
    """One cell as a number on a page; a dash where the run does not have it."""
    if sheet is None or row is None:
        return DASH
    cell = sheet.cell(row, column)
    value = number(cell)
    if not math.isfinite(value):
        return DASH
    scaled = "" if scale == 1.0 else f' data-scale="{scale:g}"'
    return (
        f'<data value="{safe(cell)}" data-source="{safe(sheet.file)}" data-key="{safe(sheet.key_of(row))}" '
        f'data-column="{safe(column)}" data-digits="{digits}"{scaled}>{number_text(value, digits, scale)}</data>'
    )


def count_html(sheet: Sheet) -> str:
    """How many rows a sheet has; ``data-column`` is empty, because the figure is about the whole file."""
    count = len(sheet)
    return f'<data value="{count}" data-source="{safe(sheet.file)}" data-key="" data-column="">{count:,}</data>'
