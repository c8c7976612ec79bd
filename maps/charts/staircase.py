"""Staircase: how much of what is asked for the network delivers, with and without measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, quiet_axes, word
from maps.run_tables import Floats, RunTables, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def staircase_of_projects(projects: Sheet) -> tuple[Floats, Floats, Floats]:
    """Cumulative grid capacity asked for, accepted, and accepted with the single measure that lifts a project's limit.

    All three in GW and in the order of the list. A project is counted in full in the last one where a measure is named
    for it: each measure was checked for that project alone, so the last one is an upper bound.
    """
    ranked = projects.chosen(np.argsort(projects.numbers("order"), kind="stable"))
    asked, accepted = ranked.numbers("grid_capacity_mw"), ranked.numbers("accepted_mw")
    lifted = np.array([bool(cell) for cell in ranked.texts("upgrade_id")], dtype=bool)
    return np.cumsum(asked) / 1e3, np.cumsum(accepted) / 1e3, np.cumsum(np.where(lifted, asked, accepted)) / 1e3


def _thinned(values: Floats, most: int = 2000) -> Floats:
    """At most about ``most`` of cumulative values, the last one among them; each shown one is exact."""
    step = max(len(values) // most, 1)
    return values[::-1][::step][::-1]


def plan_staircase(run: RunTables, language: str) -> Figure | None:
    """Deliverable GW of the plan against what is spent on measures; None without a plan or without a second step."""
    table = run.plan_staircase
    if table is None or len(table) < 2:
        return None
    gigawatts, spent = table.numbers("deliverable_gw"), table.numbers("grid_cost_cny") / 1e8
    named = palette().named
    figure = new_figure(7.4, 3.0)
    axes = figure.subplots()
    quiet_axes(axes)
    axes.step(spent, gigawatts, where="post", color=named["first"], linewidth=1.8, marker="o", markersize=3.5,
              label=word("staircase.plan_with", language))  # fmt: skip
    axes.axhline(float(gigawatts[0]), color=named["lost"], linestyle="--", linewidth=1.0,
                 label=word("staircase.plan_without", language))  # fmt: skip
    axes.set_ylim(0, float(np.nanmax(gigawatts)) * 1.12)
    axes.set_xlim(left=0)
    axes.set_xlabel(word("staircase.x_cost", language))
    axes.set_ylabel(word("staircase.y", language))
    axes.legend(loc="lower right", fontsize=8)
    return figure


def staircase(run: RunTables, language: str) -> Figure | None:
    """Deliverable GW against GW asked for; None where the run has no projects."""
    if run.projects is None or not len(run.projects):
        return None
    asked, without, with_measures = (_thinned(values) for values in staircase_of_projects(run.projects))
    named = palette().named
    figure = new_figure(7.4, 3.2)
    axes = figure.subplots()
    quiet_axes(axes)
    edges = np.concatenate([[0.0], asked])
    axes.plot(edges, edges, color=named["label"], linewidth=1.2, linestyle=":", label=word("staircase.all", language))
    if (with_measures > without + 1e-9).any():
        axes.stairs(with_measures, edges, color=named["second"], linewidth=1.6, linestyle="--", baseline=None,
                    label=word("staircase.with", language))  # fmt: skip
    elif (without < asked - 1e-9).any():
        axes.plot([], [], " ", label=word("staircase.no_measures", language))
    axes.stairs(without, edges, color=named["first"], linewidth=1.8, baseline=None,
                label=word("staircase.without", language))  # fmt: skip
    axes.set_xlim(0, float(edges[-1]))
    axes.set_ylim(0, float(edges[-1]) * 1.02)
    axes.set_xlabel(word("staircase.x", language))
    axes.set_ylabel(word("staircase.y", language))
    axes.legend(loc="upper left", fontsize=8)
    return figure
