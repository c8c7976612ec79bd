"""Progress towards the plan's targets: installed, accepted, other candidates, and the target as a mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, plain, word
from maps.run_tables import RunTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def target_bars(run: RunTables, language: str) -> Figure | None:
    """None where the study lists no targets."""
    if run.targets is None or not len(run.targets):
        return None
    table, named = run.targets, palette().named
    places = np.arange(len(table))
    installed = np.nan_to_num(table.numbers("installed_mw"))
    accepted = np.nan_to_num(table.numbers("accepted_mw"))
    other = np.maximum(np.nan_to_num(table.numbers("candidates_mw")) - accepted, 0.0)
    target = table.numbers("target_mw")
    figure = new_figure(7.4, 0.9 + 0.42 * len(table))
    axes = figure.subplots()
    left = np.zeros(len(table))
    for key, values, colour, hatch in (
        ("targets.installed", installed, named["land"], "xx"),
        ("targets.accepted", accepted, named["first"], ""),
        ("targets.candidates", other, named["faint"], "///"),
    ):
        axes.barh(places, values, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4, height=0.55,
                  label=word(key, language))  # fmt: skip
        left = left + values
    axes.plot(target, places, "|", markersize=20, markeredgewidth=2.4, color=named["ink"],
              label=word("targets.target", language))  # fmt: skip
    names = [
        f"{plain(quantity, 26)} {year}"
        for quantity, year in zip(table.texts(f"quantity_{language}"), table.texts("year"), strict=True)
    ]
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, float(np.nanmax(np.concatenate([left, target]))) * 1.06)
    axes.set_xlabel(word("targets.x", language))
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    return figure
