"""All charts of a run by name, each drawn from the run's tables alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maps.charts.heat import heat_maps
from maps.charts.hosting import hosting_bars
from maps.charts.hosting_cases import hosting_heat
from maps.charts.land import land_waterfall
from maps.charts.look import drawing, png_of, svg_of, word
from maps.charts.parks import park_curves
from maps.charts.single_line import single_line
from maps.charts.sketch_map import sketch_map
from maps.charts.staircase import plan_staircase, staircase
from maps.charts.supply import supply_curve
from maps.charts.targets import target_bars
from maps.charts.year import curtailment_curves, duration_curves
from maps.run_tables import RunTables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Chart:
    """A chart by its name; ``draw`` returns None where the run lacks the tables it needs.

    ``reads`` names the fields of :class:`maps.run_tables.RunTables` that it looks at, beside ``about``.
    """

    name: str
    title_key: str
    draw: Callable[[RunTables, str], Figure | None]
    reads: tuple[str, ...]

    def title(self, language: str) -> str:
        return word(self.title_key, language)


CHARTS = (
    Chart("land_waterfall", "land.title", land_waterfall,
          ("land_states", "land_waterfall", "rules", "host_types", "projects")),
    Chart("supply_curve", "supply.title", supply_curve, ("projects",)),
    Chart("staircase", "staircase.title", staircase, ("projects",)),
    Chart("plan_staircase", "staircase.plan_title", plan_staircase, ("plan_staircase",)),
    Chart("hosting", "hosting.title", hosting_bars, ("substations",)),
    Chart("hosting_cases", "hosting.cases_title", hosting_heat, ("hosting", "substations", "operating_points")),
    Chart("duration", "duration.title", duration_curves, ("year_hours",)),
    Chart("curtailment", "curtailment.title", curtailment_curves, ("curtailment_duration", "flexible")),
    Chart("park_curve", "parks.curve_title", park_curves, ("park_sizing", "parks")),
    Chart("heat_maps", "heat.title", heat_maps, ("n_1_classes", "year_hours", "operating_points")),
    Chart("targets", "targets.title", target_bars, ("targets",)),
    Chart("single_line", "sketch.caption", single_line,
          ("branches", "buses", "network_stations", "network_buses", "network_lines", "network_transformers",
           "network_generators", "network_loads", "operating_points")),
    Chart("sketch_map", "map.title", sketch_map,
          ("districts", "projects", "network_lines", "network_buses", "network_stations")),
)  # fmt: skip


def chart_named(name: str) -> Chart:
    return next(chart for chart in CHARTS if chart.name == name)


def draw_chart(chart: Chart, run: RunTables, language: str) -> str | None:
    """A chart as SVG, or None where the run has nothing to draw it from; the same tables give the same bytes."""
    with drawing():
        figure = chart.draw(run, language)
        return None if figure is None else svg_of(figure, chart.title(language))


def draw_chart_png(chart: Chart, run: RunTables, language: str, dpi: int = 150) -> bytes | None:
    """A chart as PNG, for pages that show no SVG."""
    with drawing():
        figure = chart.draw(run, language)
        return None if figure is None else png_of(figure, dpi)
