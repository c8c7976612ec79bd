"""Heat maps: the highest loading after outages of each class in each case, and by month and hour of the year."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, plain, word
from maps.run_tables import Floats, RunTables, Sheet, case_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_MONTHS, _HOURS = 12, 24


def month_by_hour(hours: Sheet, column: str) -> Floats:
    """Largest value of a column by month and hour of day, shape (12, 24); NaN where no hour has a value.

    Hours are named ``MM-DD HH:MM`` by their beginning.
    """
    table = np.full((_MONTHS, _HOURS), -np.inf)
    names, values = hours.texts("hour"), hours.numbers(column)
    known = np.isfinite(values)
    month = np.array([int(name[:2]) - 1 if k else 0 for name, k in zip(names, known, strict=True)], dtype=int)
    hour = np.array([int(name[6:8]) if k else 0 for name, k in zip(names, known, strict=True)], dtype=int)
    np.maximum.at(table, (month[known], hour[known]), values[known])
    return np.where(np.isfinite(table), table, np.nan)


def classes_by_case(severity: Sheet, column: str) -> tuple[list[str], list[str], Floats]:
    """Classes, cases, and the largest value of a column in each, shape (classes, cases); NaN where there is none."""
    classes, cases = list(dict.fromkeys(severity.texts("class"))), list(dict.fromkeys(severity.texts("case")))
    table = np.full((len(classes), len(cases)), np.nan)
    for name, case, value in zip(
        severity.texts("class"), severity.texts("case"), severity.numbers(column), strict=True
    ):
        at = classes.index(name), cases.index(case)
        table[at] = np.fmax(table[at], value)
    return classes, cases, table


def class_label(name: str, language: str) -> str:
    """Words for a class such as ``line/220`` or ``transformer/220/110``."""
    kind, *levels = name.split("/")
    if kind == "line" and levels:
        return word("class.line", language).format(kv=levels[0])
    if kind == "transformer" and len(levels) == 2:
        return word("class.transformer", language).format(hv=levels[0], lv=levels[1])
    return word(f"class.{kind}_any", language)


def heat_maps(run: RunTables, language: str) -> Figure | None:
    """None where the run has neither outages nor a year of hours."""
    outages, year = run.n_1_classes, run.year_hours
    has_outages, has_year = outages is not None and len(outages) > 0, year is not None and len(year) > 0
    if not has_outages and not has_year:
        return None
    figure = new_figure(7.4, 1.2 + 2.0 * has_outages + 2.6 * has_year)
    heights = [2.0] * has_outages + [2.8] * has_year
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if outages is not None and has_outages:
        _outages(panels[0], outages, run, language)
    if year is not None and has_year:
        _year(panels[-1], month_by_hour(year, "worst_loading_percent"), language)
    return figure


def _outages(axes: Axes, severity: Sheet, run: RunTables, language: str) -> None:
    classes, cases, table = classes_by_case(severity, "loading_max_percent")
    labels = case_labels(run, language)
    picture = _picture(axes, table)
    axes.set_yticks(range(len(classes)), [class_label(name, language) for name in classes], fontsize=8)
    axes.set_xticks(range(len(cases)), [_in_lines(labels.get(case, case)) for case in cases], fontsize=8)
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color=_ink_on(value))
    axes.set_title(word("heat.outages", language), loc="left", fontsize=9)
    axes.figure.colorbar(picture, ax=axes, shrink=0.9, label=word("heat.unit", language))


def _in_lines(label: str) -> str:
    return "\n".join(textwrap.wrap(plain(label, 48), 17))


def _year(axes: Axes, table: Floats, language: str) -> None:
    picture = _picture(axes, table)
    axes.set_yticks(range(_MONTHS), [str(month + 1) for month in range(_MONTHS)], fontsize=7)
    axes.set_xticks(range(0, _HOURS, 2), [str(hour) for hour in range(0, _HOURS, 2)], fontsize=7)
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value) and value > 100.0:
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=5.5, color=_ink_on(value))
    axes.set_ylabel(word("heat.month", language))
    axes.set_xlabel(word("heat.hour", language))
    axes.set_title(word("heat.year", language), loc="left", fontsize=9)
    axes.figure.colorbar(picture, ax=axes, shrink=0.9, label=word("heat.unit", language))


def _picture(axes: Axes, table: Floats) -> AxesImage:
    """Cells as vector squares, so that no picture file stands inside the SVG."""
    rows, columns = table.shape
    picture = axes.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, np.ma.masked_invalid(table), cmap=_colours(),
        vmin=0.0, vmax=120.0, edgecolor="white", linewidth=0.4,
    )  # fmt: skip
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return picture  # type: ignore[return-value]


def _colours() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("heat", palette().heat)


def _ink_on(percent: float) -> str:
    return "white" if percent > 70.0 else palette().named["ink"]
