"""The project list as an Excel workbook that planners filter, sort and print.

Layout of every sheet::

    row 1   column names     (small, grey; what programs and formulas refer to)
    row 2   units            (small, grey; empty where a column has none)
    row 3   titles           (bold; the filter buttons sit here, so that sorting leaves the head alone)
    row 4   data ...

Rows 1 to 3 and the naming columns stay in view. Programs read it with ``header=0, skiprows=[1, 2]``.
"""

from __future__ import annotations

import datetime
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from layers.contracts import Finding, InputError
from layers.tables import Table
from layers.units import unit_of
from study.outputs.labels import Language, Titles, shown_titles

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_TEXT = 32_767
HEADER_ROWS = 3

_CREATED = datetime.datetime(2000, 1, 1)
"""A fixed date: the same tables give the same bytes."""
_NUMBER_FORMATS = {
    "MW": "#,##0.0",
    "MVA": "#,##0.0",
    "Mvar": "#,##0.0",
    "GW": "0.000",
    "MWh": "#,##0",
    "kWh/kW": "#,##0",
    "h": "#,##0",
    "m2": "#,##0",
    "m": "#,##0",
    "km2": "#,##0.00",
    "km": "#,##0.0",
    "CNY": "#,##0",
    "CNY/kWh": "0.000",
    "CNY/MWh": "#,##0.0",
    "CNY/MW": "#,##0",
    "t": "#,##0",
    "kA": "0.000",
    "pu": "0.000",
    "%": "0.0",
    "1": "0.000",
}
"""By unit. A unit that is not here keeps Excel's own way, which shows 110 and 10.5 as they are."""
_PERCENT, _DEGREES = "0.0%", "0.000000"
_WIDTH_SAMPLE_ROWS, _MIN_WIDTH, _MAX_WIDTH = 500, 8, 60
_TITLE_HEIGHT = 32


@dataclass(frozen=True)
class Sheet:
    """One sheet: a table, the key of its titles, the unit of each column and how many columns stay in view."""

    name: str
    table: pd.DataFrame
    titles: str
    units: Mapping[str, str] = field(default_factory=dict)
    frozen_columns: int = 1

    @classmethod
    def of(cls, name: str, table: pd.DataFrame, contract: Table, frozen_columns: int = 1) -> Sheet:
        """A sheet whose units come from the table's contract; where that states none, from the column's name."""
        units = {column: promise.unit or unit_of(column) for column, promise in contract.every_column.items()}
        return cls(name, table, contract.name, units, frozen_columns)

    @classmethod
    def named(cls, name: str, table: pd.DataFrame, frozen_columns: int = 1) -> Sheet:
        """A sheet of a table without a contract at hand; units follow from the ends of the columns' names."""
        return cls(name, table, name, {str(column): unit_of(str(column)) for column in table.columns}, frozen_columns)


def write_workbook(
    path: Path, sheets: Sequence[Sheet], language: Language, *, file_name: str, titles: Titles | None = None
) -> None:
    """Write ``sheets`` to ``path``.

    ``titles`` is what stands in the row of titles: ``zh`` or ``en`` (``language`` where left out), or ``names``, the
    plain column names.

    Text is written as text: nothing that begins with ``=``, ``+``, ``-`` or ``@`` becomes a formula, nothing
    becomes a link. NaN, None and empty text are empty cells. The same sheets give the same bytes.

    Raises
    ------
    InputError
        If a sheet breaks a limit of Excel; carries every place at once, as of the file ``file_name``. Nothing is
        written then.
    """
    findings = [finding for sheet in sheets for finding in excel_limits(sheet, file_name)]
    if findings:
        raise InputError(findings)
    # row by row: 100 000 projects take 0.5 GiB instead of 1.2 GiB, and no longer
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        book.set_properties({"title": "项目清单 / project list", "author": "fengguang", "created": _CREATED})
        for sheet in sheets:
            _write_sheet(book, sheet, titles or language)


def excel_limits(sheet: Sheet, file_name: str) -> list[Finding]:
    """Every place where ``sheet`` breaks a limit of Excel: rows, columns, and UTF-16 units of a text."""

    def finding(rule: str, item: str, value: object, message: str) -> Finding:
        remedy = "Export this table as csv or gpkg instead, which know no such limit, or shorten it."
        return Finding("error", rule, file_name, sheet.name, item, str(value), message, remedy)

    findings = []
    rows, columns = sheet.table.shape
    if rows + HEADER_ROWS > MAX_ROWS:
        message = f"Excel holds {MAX_ROWS} rows a sheet, {HEADER_ROWS} of them are headers here."
        findings.append(finding("xlsx.too_many_rows", "", rows, message))
    if columns > MAX_COLUMNS:
        message = f"Excel holds {MAX_COLUMNS} columns a sheet."
        findings.append(finding("xlsx.too_many_columns", "", columns, message))
    for column in sheet.table.columns:
        if sheet.table[column].dtype != object:
            continue
        for row, value in enumerate(sheet.table[column], start=1):
            if isinstance(value, str) and 2 * len(value) > MAX_TEXT and _utf16_units(value) > MAX_TEXT:
                message = f"Excel holds {MAX_TEXT} characters a cell."
                item = f"row {row}, column {column}"
                findings.append(finding("xlsx.text_too_long", item, f"{_utf16_units(value)} characters", message))
    return findings


def _utf16_units(value: str) -> int:
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def _write_sheet(book: xlsxwriter.Workbook, sheet: Sheet, wording: Titles) -> None:
    columns = [str(column) for column in sheet.table.columns]
    titles = shown_titles(sheet.titles, columns, wording)
    worksheet = book.add_worksheet(sheet.name)
    for index, (column, title) in enumerate(zip(columns, titles, strict=True)):
        worksheet.set_column(index, index, _width(title, sheet.table[column]))
    worksheet.autofilter(HEADER_ROWS - 1, 0, len(sheet.table) + HEADER_ROWS - 1, max(len(columns) - 1, 0))
    worksheet.freeze_panes(HEADER_ROWS, sheet.frozen_columns)
    worksheet.repeat_rows(0, HEADER_ROWS - 1)
    worksheet.set_landscape()
    units = [_shown_unit(sheet, column) for column in columns]
    _write_header(book, worksheet, columns, units, titles)
    _write_rows(worksheet, sheet.table, [_cell_format(book, sheet, column) for column in columns])


def _write_header(
    book: xlsxwriter.Workbook, worksheet: Worksheet, columns: Sequence[str], units: Sequence[str], titles: Sequence[str]
) -> None:
    small = book.add_format({"font_size": 8, "font_color": "#808080"})
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1, "bg_color": "#E8F0E8"})
    for row, texts in enumerate((columns, units)):
        for index, text in enumerate(texts):
            if text:
                worksheet.write_string(row, index, text, small)
    worksheet.set_row(HEADER_ROWS - 1, _TITLE_HEIGHT)
    for index, title in enumerate(titles):
        worksheet.write_string(HEADER_ROWS - 1, index, title, bold)


def _write_rows(worksheet: Worksheet, table: pd.DataFrame, formats: Sequence[Format | None]) -> None:
    rows = zip(*(table[column].tolist() for column in table.columns), strict=True)
    for row, values in enumerate(rows, start=HEADER_ROWS):
        for index, (value, cell_format) in enumerate(zip(values, formats, strict=True)):
            _write_cell(worksheet, row, index, value, cell_format)


def _write_cell(worksheet: Worksheet, row: int, index: int, value: object, cell_format: Format | None) -> None:
    if isinstance(value, bool):
        worksheet.write_boolean(row, index, value, cell_format)
    elif isinstance(value, str):
        if value:
            worksheet.write_string(row, index, value, cell_format)
    elif isinstance(value, int | float) and not math.isnan(value):
        worksheet.write_number(row, index, value, cell_format)


def _shown_unit(sheet: Sheet, column: str) -> str:
    """Unit in words of a table: nothing for plain numbers, % for shares, which Excel shows as percent."""
    unit = sheet.units.get(column, "")
    return "%" if _is_share(column, unit) else ("" if unit == "1" else unit)


def _is_share(column: str, unit: str) -> bool:
    return unit == "1" and column.endswith("_share")


def _cell_format(book: xlsxwriter.Workbook, sheet: Sheet, column: str) -> Format | None:
    unit = sheet.units.get(column, "")
    if _is_share(column, unit):
        return book.add_format({"num_format": _PERCENT})
    number_format = _DEGREES if column in ("lon", "lat") else _NUMBER_FORMATS.get(unit)
    return book.add_format({"num_format": number_format}) if number_format else None


def _width(title: str, values: pd.Series) -> float:
    """Width in characters of the longest of the first texts, a Chinese character counting two."""
    shown = [str(value) for value in values.head(_WIDTH_SAMPLE_ROWS).tolist() if not pd.isna(value)]
    longest = max([_display_width(title) / 2 + 3, *(_display_width(value) + 1 for value in shown)])
    return float(min(max(longest, _MIN_WIDTH), _MAX_WIDTH))


def _display_width(value: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in value)
