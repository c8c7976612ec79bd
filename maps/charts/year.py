"""Duration curves of the year: loading of the worst branch, and curtailment of plants sized for some of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, plain, quiet_axes, word
from maps.run_tables import Floats, RunTables, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LINES = 6
_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 2)))


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
    named = palette().named
    figure = new_figure(7.4, 2.9)
    axes = figure.subplots()
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
    return figure


def most_lifted(flexible: Sheet, most: int = _MOST_LINES) -> Sheet:
    """The buses where curtailment lifts the capacity most."""
    gain = flexible.numbers("gain_5_mw")
    order = np.argsort(-np.nan_to_num(gain, nan=-np.inf), kind="stable")[:most]
    return flexible.chosen(order[np.isfinite(gain[order])])


def curtailment_curves(run: RunTables, language: str) -> Figure | None:
    """Curtailed power by hours for the buses that gain most; None where the run has no hourly limits."""
    points, flexible = run.curtailment_duration, run.flexible
    if points is None or not len(points) or flexible is None or not len(flexible):
        return None
    shown = most_lifted(flexible)
    if not len(shown):
        return None
    figure = new_figure(7.4, 3.1)
    axes = figure.subplots()
    quiet_axes(axes)
    longest = 1.0
    for place, bus in enumerate(shown.texts("bus_id")):
        own = points.where("bus_id", bus)
        hours, power = own.numbers("hours"), own.numbers("curtailed_mw")
        longest = max(longest, float(hours.max(initial=1.0)))
        colour, dash = palette().lines[place % len(palette().lines)], _DASHES[place % len(_DASHES)]
        axes.plot(hours, power, color=colour, linestyle=dash, linewidth=1.5, label=_label(shown, place, language))
    axes.legend(loc="upper right", fontsize=7.5)
    _finish(axes, longest, word("curtailment.y", language), language)
    return figure


def _label(shown: Sheet, row: int, language: str) -> str:
    name, kv = plain(shown.cell(row, f"name_{language}"), 30), float(shown.numbers("vn_kv")[row])
    return f"{name} {kv:g} kV, {float(shown.numbers('at_5_mw')[row]):,.0f} MW"


def _finish(axes: Axes, hours: float, title: str, language: str) -> None:
    axes.set_xlim(0, hours)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(word("duration.x", language))
    axes.set_ylabel(title)
