"""Supply curve: capacity in the order of its cost of energy, by technology."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maps.bilingual import Text
from maps.charts.look import MOST_SHAPES, new_figure, palette, plain, quiet_axes, word
from maps.run_tables import Floats, RunTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def supply_steps(cost: Floats, capacity_mw: Floats) -> tuple[Floats, Floats, Floats]:
    """Left edges and widths [GW] and heights of the steps, cheapest first; places of unknown cost are left out.

    Returns
    -------
    order : ndarray of float
        Places in the given arrays, cheapest first; equal costs keep their order.
    left_gw, width_gw : ndarray of float
    """
    order = np.argsort(cost, kind="stable")
    order = order[np.isfinite(cost[order])]
    width = capacity_mw[order] / 1000.0
    return order.astype(float), np.cumsum(width) - width, width


def supply_curve(run: RunTables, language: str) -> Figure | None:
    """Cost of energy against cumulative GW; None where the run has no projects with a cost."""
    if run.projects is None:
        return None
    cost = run.projects.numbers("lcoe_cny_per_kwh")
    order, left, width = supply_steps(cost, run.projects.numbers("capacity_mw"))
    if not len(order):
        return None
    places = order.astype(int)
    technologies = np.array(run.projects.texts("technology"))[places]
    from matplotlib.collections import PolyCollection

    figure = new_figure(7.4, 3.2)
    axes = figure.subplots()
    quiet_axes(axes)
    for number, technology in enumerate(sorted(set(technologies.tolist()))):
        own = technologies == technology
        swatch = palette().swatch_of_technology(technology, number)
        shapes = PolyCollection(_outlines(own, left, width, cost[places]), facecolor=swatch.colour,
                                edgecolor=swatch.colour, linewidth=0.2, rasterized=len(places) > MOST_SHAPES,
                                label=plain(technology_label(technology, language)))  # fmt: skip
        axes.add_collection(shapes)
    axes.set_xlim(0, float(left[-1] + width[-1]))
    axes.set_ylim(0, float(np.nanmax(cost[places])) * 1.12)
    axes.set_xlabel(word("supply.x", language))
    axes.set_ylabel(word("supply.y", language))
    axes.legend(loc="upper left", ncols=3, fontsize=8)
    return figure


def _outlines(
    own: npt.NDArray[np.bool_], left: Floats, width: Floats, height: Floats
) -> list[list[tuple[float, float]]]:
    """Steps of one technology, neighbours joined to one shape, so that a thousand projects stay a small picture."""
    shapes: list[list[tuple[float, float]]] = []
    before = False
    for mine, x, w, y in zip(own.tolist(), left.tolist(), width.tolist(), height.tolist(), strict=True):
        if mine and not before:
            shapes.append([(x, 0.0)])
        if mine:
            shapes[-1] += [(x, y), (x + w, y)]
        elif before:
            shapes[-1].append((shapes[-1][-1][0], 0.0))
        before = mine
    if before:
        shapes[-1].append((shapes[-1][-1][0], 0.0))
    return shapes


@cache
def _technology_labels() -> dict[str, Text]:
    from siting.technologies.tables import load_technology_tables

    return {t.technology: Text(t.label_zh, t.label_en) for t in load_technology_tables().technologies}


def technology_label(technology: str, language: str) -> str:
    """What a technology of the program's tables is called; another goes by its id."""
    known = _technology_labels().get(technology)
    return technology if known is None else known.of(language)
