"""Hosting capacity by bus: N-0 pale, N-1 full, the kind of limit as colour and hatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, plain, word
from maps.run_tables import RunTables, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BUSES = 28
"""What fills a landscape page and can still be read."""
WIDTH_IN = 10.2


def hosting_order(substations: Sheet, most: int = _MOST_BUSES) -> Sheet:
    """The buses with the least hosting capacity of each level, highest level first.

    Every level gets an equal share of ``most``; what a level leaves over goes to those below it.
    """
    level, capacity = substations.numbers("vn_kv"), substations.numbers("n_1_mw")
    levels = sorted(set(level.tolist()), reverse=True)
    chosen: list[int] = []
    for number, kv in enumerate(levels):
        share = (most - len(chosen)) // (len(levels) - number)
        places = np.flatnonzero(level == kv)
        chosen += places[np.argsort(np.nan_to_num(capacity[places], nan=np.inf), kind="stable")][:share].tolist()
    return substations.chosen(chosen)


def bus_labels(substations: Sheet, language: str) -> list[str]:
    """Station and voltage of every row, as an axis shows them."""
    return [
        f"{plain(name, 40)} {float(kv):g} kV"
        for name, kv in zip(substations.texts(f"name_{language}"), substations.numbers("vn_kv"), strict=True)
    ]


def hosting_bars(run: RunTables, language: str) -> Figure | None:
    """Bars of N-0 and N-1 hosting capacity; None where the run has no stations."""
    if run.substations is None or not len(run.substations):
        return None
    shown = hosting_order(run.substations)
    if not len(shown):
        return None
    from matplotlib.ticker import NullLocator

    figure = new_figure(WIDTH_IN, 0.9 + 0.19 * len(shown))
    axes = figure.subplots()
    places = np.arange(len(shown))
    limits = shown.texts("limit")
    swatches = palette().limit
    firm, normal = shown.numbers("n_1_mw"), shown.numbers("n_0_mw")
    for limit in dict.fromkeys(limits):
        own = np.array([cell == limit for cell in limits])
        swatch = swatches.get(limit)
        colour, hatch = (swatch.colour, swatch.hatch) if swatch else (palette().named["faint"], "")
        axes.barh(places[own], np.nan_to_num(normal[own]), color=colour, alpha=0.3, height=0.74)
        axes.barh(places[own], np.nan_to_num(firm[own]), color=colour, hatch=hatch, edgecolor="white", linewidth=0.3,
                  height=0.74, label=word(f"limit.{limit}", language) if limit else "–")  # fmt: skip
    axes.set_yticks(places, bus_labels(shown, language), fontsize=7)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    highest = np.nanmax(np.concatenate([firm, normal, [1.0]]))
    axes.set_xscale("symlog", linthresh=10.0)
    axes.set_xlim(0, highest * 1.15)
    axes.set_xticks([t for t in (0, 10, 30, 100, 300, 1000, 3000, 10000, 30000) if t <= highest * 1.15])
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", color=palette().named["faint"], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(word("hosting.x", language))
    axes.legend(loc="lower right", fontsize=7.5, frameon=True, framealpha=0.9)
    return figure
