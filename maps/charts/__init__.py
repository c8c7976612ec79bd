"""Charts of a run as SVG: the same tables give the same bytes, and every word stays text."""

from maps.charts.book import CHARTS, Chart, chart_named, draw_chart, draw_chart_png
from maps.charts.heat import class_label
from maps.charts.land import host_labels
from maps.charts.supply import technology_label

__all__ = [
    "CHARTS", "Chart", "chart_named", "class_label", "draw_chart", "draw_chart_png", "host_labels", "technology_label",
]  # fmt: skip
