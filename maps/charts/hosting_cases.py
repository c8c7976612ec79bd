"""Heat map of hosting capacity: buses by operating case, N-0 beside N-1, in classes that tell the buses apart."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from maps.charts.hosting import WIDTH_IN, bus_labels, hosting_order
from maps.charts.look import ink_on, new_figure, palette, plain, word
from maps.classes import palette as spread_colours
from maps.classes import round_edges
from maps.run_tables import Floats, RunTables, Sheet, case_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MODES = ("n_0", "n_1")
_MOST_IN_LAST_CLASS = 0.8

Classes = list[tuple[float, str]]
"""Lower edge in MW and colour of each class, ascending."""


def buses_by_case(hosting: Sheet, buses: list[str], cases: list[str], mode: str) -> Floats:
    """Hosting capacity in MW, shape (buses, cases); NaN where the table has no value."""
    table = np.full((len(buses), len(cases)), np.nan)
    row, column = ({name: place for place, name in enumerate(names)} for names in (buses, cases))
    cells = zip(
        *(hosting.texts(name) for name in ("bus_id", "case", "mode")), hosting.numbers("capacity_mw"), strict=True
    )
    for bus, case, kind, value in cells:
        if kind == mode and bus in row and case in column:
            table[row[bus], column[case]] = value
    return table


def hosting_heat(run: RunTables, language: str) -> Figure | None:
    """Heat maps of the buses with the least capacity of each level; None where the run has no hosting by case."""
    hosting, substations = run.hosting, run.substations
    if hosting is None or not len(hosting) or substations is None or not len(substations):
        return None
    shown = hosting_order(substations)
    cases = list(dict.fromkeys(hosting.texts("case")))
    tables = [buses_by_case(hosting, shown.texts("bus_id"), cases, mode) for mode in _MODES]
    if not any(np.isfinite(table).any() for table in tables):
        return None
    classes = heat_classes(np.concatenate([table.ravel() for table in tables]))
    labels = case_labels(run, language)
    names = [_in_lines(labels.get(case, case)) for case in cases]
    figure = new_figure(WIDTH_IN, 1.4 + 0.17 * len(shown))
    panels = figure.subplots(1, len(_MODES), sharey=True)
    for axes, table, mode in zip(panels, tables, _MODES, strict=True):
        _panel(axes, table, names, classes)
        axes.set_title(word(f"hosting.{mode}", language), loc="left", fontsize=9)
    panels[0].set_yticks(range(len(shown)), bus_labels(shown, language), fontsize=7)
    _legend(figure, classes, language)
    return figure


def heat_classes(values_mw: Floats) -> Classes:
    """The classes of the map, or round ones of the values where nearly all have more than the map's highest edge.

    The second kind has the colours of an amount, since the map's say how little is left.
    """
    classes = list(palette().headroom)
    known = values_mw[np.isfinite(values_mw)]
    if np.mean(known >= classes[-1][0]) <= _MOST_IN_LAST_CLASS:
        return classes
    edges = round_edges(known, len(classes))
    return list(zip(edges, spread_colours(palette().quantity, len(edges)), strict=True))


def _in_lines(label: str) -> str:
    return "\n".join(textwrap.wrap(plain(label, 27), 9))


def _panel(axes: Axes, table: Floats, names: list[str], classes: Classes) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    edges, colours = [lower for lower, _ in classes], [colour for _, colour in classes]
    rows, columns = table.shape
    axes.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, np.ma.masked_invalid(table),
        cmap=ListedColormap(colours), norm=BoundaryNorm([*edges, np.inf], len(colours)), edgecolor="white",
        linewidth=0.4,
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(table):
        known = bool(np.isfinite(value))
        colour = colours[int(np.searchsorted(edges, value, side="right")) - 1] if known else "#FFFFFF"
        axes.text(column, row, f"{value:,.0f}" if known else "–", ha="center", va="center", fontsize=6.2,
                  color=ink_on(colour))  # fmt: skip
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xticks(range(columns), names, fontsize=6.5)
    axes.xaxis.set_ticks_position("top")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _legend(figure: Figure, classes: Classes, language: str) -> None:
    from matplotlib.patches import Patch

    edges = [lower for lower, _ in classes]
    words = [f"{low:,.6g}–{high:,.6g}" for low, high in itertools.pairwise(edges)] + [f"≥ {edges[-1]:,.6g}"]
    patches = [Patch(color=colour, label=text) for (_, colour), text in zip(classes, words, strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=7.5, handlelength=1.2,
                  title=word("hosting.x", language), title_fontsize=7.5)  # fmt: skip
