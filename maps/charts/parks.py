"""Parks: what a green share costs, and where the park as matched lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, quiet_axes, word
from maps.run_tables import RunTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 4


def park_curves(run: RunTables, language: str) -> Figure | None:
    """Least cost by green share of the first parks, a picture each; None without a curve of two points."""
    sizing, parks = run.park_sizing, run.parks
    if sizing is None or parks is None:
        return None
    of_park, reached = sizing.texts("park_id"), sizing.texts("reached")
    share, cost = sizing.numbers("green_share") * 100, sizing.numbers("cost_cny_per_mwh")
    drawn = []
    for row, name in enumerate(parks.texts("park_id")):
        at = np.flatnonzero([p == name and r == "yes" for p, r in zip(of_park, reached, strict=True)])
        if len(np.unique(share[at])) >= 2:
            drawn.append((row, at[np.argsort(share[at], kind="stable")]))
    if not drawn:
        return None
    drawn = drawn[:_MOST]
    figure = new_figure(7.4, 2.9 * len(drawn))
    named = palette().named
    label = parks.texts(f"name_{language}")
    matched = parks.numbers("green_share") * 100, parks.numbers("cost_cny_per_mwh")
    grid = parks.numbers("grid_price_cny_per_mwh")
    for axes, (row, at) in zip(figure.subplots(len(drawn), squeeze=False).ravel(), drawn, strict=True):
        quiet_axes(axes)
        axes.plot(share[at], cost[at], color=named["first"], linewidth=1.8, marker="o", markersize=3.5)
        axes.plot(matched[0][row], matched[1][row], color=named["second"], marker="D", linestyle="",
                  label=word("parks.curve_now", language))  # fmt: skip
        axes.axhline(grid[row], color=named["lost"], linestyle="--", linewidth=1.0,
                     label=word("parks.curve_grid", language))  # fmt: skip
        axes.set_title(label[row], fontsize=9)
        axes.set_xlabel(word("parks.curve_x", language))
        axes.set_ylabel(word("parks.curve_y", language))
        axes.legend(loc="best", fontsize=8)
    return figure
