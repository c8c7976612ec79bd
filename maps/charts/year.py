"""Duration curve of the year's worst branch loading, and of curtailment where the run computed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, quiet_axes, word
from maps.run_tables import Floats, RunTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURTAILMENT_COLUMN = "curtailment_mw"


def duration(values: Floats) -> Floats:
    """Hours' values from the largest to the smallest; hours without a value are left out."""
    return np.sort(values[np.isfinite(values)])[::-1]


def duration_curves(run: RunTables, language: str) -> Figure | None:
    """None where the run computed no year of hours."""
    if run.year_hours is None or not len(run.year_hours):
        return None
    loading = duration(run.year_hours.numbers("worst_loading_percent"))
    if not len(loading):
        return None
    curtailed = duration(run.year_hours.numbers(CURTAILMENT_COLUMN))
    named = palette().named
    figure = new_figure(7.4, 2.9)
    panels = figure.subplots(1, 2 if len(curtailed) else 1, squeeze=False)[0]
    axes = panels[0]
    quiet_axes(axes)
    axes.plot(np.arange(1, len(loading) + 1), loading, color=named["first"], linewidth=1.6)
    axes.axhline(100.0, color=named["lost"], linewidth=1.0, linestyle="--")
    axes.text(len(loading), 101.0, word("duration.rating", language), color=named["lost"], ha="right", va="bottom",
              fontsize=8)  # fmt: skip
    above = int((loading > 100.0).sum())
    if above:
        axes.fill_between(np.arange(1, above + 1), 100.0, loading[:above], color=named["lost"], alpha=0.3)
        axes.annotate(word("duration.hours", language).format(hours=f"{above:,}"), (above, 100.0), (12, 14),
                      textcoords="offset points", fontsize=8, color=named["lost"])  # fmt: skip
    _finish(axes, len(loading), word("duration.y", language), language)
    if len(curtailed):
        quiet_axes(panels[1])
        panels[1].plot(np.arange(1, len(curtailed) + 1), curtailed, color=named["third"], linewidth=1.6)
        _finish(panels[1], len(curtailed), word("duration.curtailment", language), language)
    return figure


def _finish(axes, hours: int, title: str, language: str) -> None:  # type: ignore[no-untyped-def]
    axes.set_xlim(0, hours)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(word("duration.x", language))
    axes.set_ylabel(title)
