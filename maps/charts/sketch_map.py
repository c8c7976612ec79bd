"""A small map for the brief: districts, lines and stations, candidates by verdict. The site map shows all the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import shapely

from maps.charts.look import MOST_SHAPES, new_figure, palette, plain, word
from maps.run_tables import RunTables, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VERDICT_MARKS = {"connect": "o", "connect_after_upgrade": "D", "partial": "s", "refused": "v", "no_connection": "x"}
_SHOWN_FROM_KV = 200.0
_MARGIN = 0.06
_LABEL_FROM_SHARE = 0.085
"""Districts narrower than this share of the map go without a name: names would lie on each other."""


def sketch_map(run: RunTables, language: str) -> Figure | None:
    """None where the run has no projects. Circle areas grow with MW, up to a bound; 110 kV and below is left out."""
    if run.projects is None or not len(run.projects):
        return None
    named = palette().named
    figure = new_figure(4.6, 4.3)
    axes = figure.subplots()
    axes.set_axis_off()
    lat = run.projects.numbers("lat")
    axes.set_aspect(1.0 / math.cos(math.radians(float(np.nanmean(lat)))))
    _districts(axes, run, language)
    _projects(axes, run.projects, language)
    _lines(axes, run)
    _stations(axes, run)
    _frame(axes, run)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, fontsize=8, labelcolor=named["ink"],
                handletextpad=0.3, columnspacing=1.0)  # fmt: skip
    return figure


def _frame(axes: Axes, run: RunTables) -> None:
    """The districts with a margin: the network reaches further, but the study does not."""
    if run.districts is None or run.districts.empty:
        return
    west, south, east, north = run.districts.total_bounds
    axes.set_xlim(west - _MARGIN * (east - west), east + _MARGIN * (east - west))
    axes.set_ylim(south - _MARGIN * (north - south), north + _MARGIN * (north - south))


def _districts(axes: Axes, run: RunTables, language: str) -> None:
    if run.districts is None:
        return
    named = palette().named
    names = run.districts[f"name_{language}"].astype(str)
    left, _, right, _ = run.districts.total_bounds
    for shape, name in zip(run.districts.geometry, names, strict=True):
        for part in shapely.get_parts(shape):
            x, y = part.exterior.coords.xy
            axes.fill(x, y, facecolor="#F6F7F8", edgecolor=named["other_edge"], linewidth=0.7, zorder=0)
        if (shape.bounds[2] - shape.bounds[0]) < _LABEL_FROM_SHARE * (right - left):
            continue
        at = shape.representative_point()
        axes.text(at.x, at.y, plain(name, 16), fontsize=8, color=named["label"], ha="center", va="center", zorder=6,
                  bbox={"facecolor": "white", "alpha": 0.75, "pad": 1.0, "edgecolor": "none"})  # fmt: skip


def _projects(axes: Axes, projects: Sheet, language: str) -> None:
    lon, lat, size = (projects.numbers(c) for c in ("lon", "lat", "capacity_mw"))
    verdicts = np.array(projects.texts("verdict"))
    area = np.clip(0.35 * np.nan_to_num(size), 1.0, 45.0)
    for verdict, mark in _VERDICT_MARKS.items():
        own = verdicts == verdict
        if own.any():
            swatch = palette().verdict[verdict]
            label = f"{word('verdict.' + verdict, language)} ({int(own.sum()):,})"
            axes.scatter(lon[own], lat[own], s=area[own], marker=mark, color=swatch.colour, alpha=0.75, linewidths=0.3,
                         zorder=3, rasterized=len(projects) > MOST_SHAPES, label=label)  # fmt: skip


def _lines(axes: Axes, run: RunTables) -> None:
    if run.network_lines is None or run.network_buses is None or run.network_stations is None:
        return
    level = dict(zip(run.network_buses.texts("bus_id"), run.network_buses.numbers("vn_kv").tolist(), strict=True))
    home = dict(zip(run.network_buses.texts("bus_id"), run.network_buses.texts("station_id"), strict=True))
    stations = run.network_stations
    places = dict(zip(stations.texts("station_id"), zip(stations.numbers("lon"), stations.numbers("lat"), strict=True),
                      strict=True))  # fmt: skip
    table = run.network_lines
    for start, end, path in zip(table.texts("from_bus"), table.texts("to_bus"), table.texts("path_wkt"), strict=True):
        kv = level.get(start, 0.0)
        if kv < _SHOWN_FROM_KV or home.get(start) not in places or home.get(end) not in places:
            continue
        corners = shapely.get_coordinates(shapely.from_wkt(path)) if path else [places[home[start]], places[home[end]]]
        x, y = np.asarray(corners, dtype=float).T
        axes.plot(x, y, color=palette().named["ink"], linewidth=1.3 if kv >= 400 else 0.6, alpha=0.7, zorder=4)


def _stations(axes: Axes, run: RunTables) -> None:
    if run.network_stations is None:
        return
    lon, lat, kv = (run.network_stations.numbers(c) for c in ("lon", "lat", "vn_kv"))
    for high, size in ((True, 26), (False, 11)):
        own = (kv >= 400.0) if high else (kv >= _SHOWN_FROM_KV) & (kv < 400.0)
        axes.scatter(lon[own], lat[own], s=size, marker="s", facecolor="white", edgecolor=palette().named["ink"],
                     linewidths=1.0, zorder=5)  # fmt: skip
