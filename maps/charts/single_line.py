"""Single-line sketch of a station: buses, transformers with taps, lines with their flows, plants and loads.

::

      |    |          lines of the highest bus, MW, Mvar, loading
    ==+====+=====     500 kV bus, voltage
      O    O          transformers: MVA, tap, loading
    ==+====+==+==     220 kV bus; its lines, plants and loads hang to the right of the transformers below
      O       |
    ==+==+=====       ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maps.charts.look import new_figure, palette, plain, word
from maps.run_tables import RunTables, case_labels, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FLOOR = 4.2
_REACH = 2.8
_MOST_FEEDERS = 14


@dataclass(frozen=True)
class Bus:
    bus_id: str
    vn_kv: float
    vm_pu: float


@dataclass(frozen=True)
class Unit:
    """A transformer from bus ``upper`` to bus ``lower`` (places in the station's list of buses)."""

    name: str
    upper: int
    lower: int
    sn_mva: float
    tap: str
    p_mw: float
    q_mvar: float
    loading_percent: float


@dataclass(frozen=True)
class Feeder:
    """A line, load or plant at a bus. ``p_mw`` is what leaves the bus, NaN where it is not known."""

    kind: str
    bus: int
    name: str
    p_mw: float
    q_mvar: float
    loading_percent: float


@dataclass(frozen=True)
class Station:
    """Everything at one station in one case."""

    name: str
    case: str
    buses: tuple[Bus, ...]
    units: tuple[Unit, ...]
    feeders: tuple[Feeder, ...]


def leading_station(run: RunTables) -> tuple[str, str] | None:
    """Station and case of the transformer with the highest loading; None where no transformer has one."""
    if run.branches is None or run.network_transformers is None:
        return None
    homes = dict(zip(run.network_transformers.texts("transformer_id"), run.network_transformers.texts("station_id"),
                     strict=True))  # fmt: skip
    loading = run.branches.numbers("loading_percent")
    at_home = np.array([element in homes for element in run.branches.texts("element")], dtype=bool)
    candidates = np.where(at_home & np.isfinite(loading), loading, -np.inf)
    if not len(candidates) or not np.isfinite(candidates.max()):
        return None
    row = int(np.argmax(candidates))
    return homes[run.branches.cell(row, "element")], run.branches.cell(row, "case")


def station_in(run: RunTables, station_id: str, case: str, language: str) -> Station | None:
    """What hangs together at a station; None where the run has no network tables or the station no bus."""
    tables = run.network_buses, run.network_lines, run.network_transformers, run.branches, run.buses
    if run.network_stations is None or any(table is None for table in tables):
        return None
    found = run.network_stations.place(station_id=station_id)
    assert run.network_buses is not None
    own = run.network_buses.where("station_id", station_id)
    if found is None or not len(own):
        return None
    own = own.chosen(np.argsort(-own.numbers("vn_kv"), kind="stable"))
    buses = {bus: place for place, bus in enumerate(own.texts("bus_id"))}
    state = _bus_voltages(run, case)
    return Station(
        run.network_stations.cell(found, f"name_{language}") or station_id,
        case_labels(run, language).get(case, case),
        tuple(Bus(b, kv, state.get(b, math.nan)) for b, kv in zip(buses, own.numbers("vn_kv"), strict=True)),
        tuple(_units(run, case, buses)),
        (*_lines(run, case, buses, language), *_plants_and_loads(run, case, buses, language)),
    )


def _bus_voltages(run: RunTables, case: str) -> dict[str, float]:
    assert run.buses is not None
    rows = run.buses.where("case", case)
    return dict(zip(rows.texts("bus_id"), rows.numbers("vm_pu").tolist(), strict=True))


def _flows(run: RunTables, case: str) -> dict[str, tuple[float, float, float]]:
    """MW and Mvar into each branch at its first end, and its loading."""
    assert run.branches is not None
    rows = run.branches.where("case", case)
    columns = [rows.numbers(c).tolist() for c in ("p_from_mw", "q_from_mvar", "loading_percent")]
    return dict(zip(rows.texts("element"), zip(*columns, strict=True), strict=True))


def _units(run: RunTables, case: str, buses: dict[str, int]) -> list[Unit]:
    assert run.network_transformers is not None
    table, flows = run.network_transformers, _flows(run, case)
    units = []
    for row, (upper, lower) in enumerate(zip(table.texts("hv_bus"), table.texts("lv_bus"), strict=True)):
        if upper in buses and lower in buses:
            name = table.cell(row, "transformer_id")
            p, q, loading = flows.get(name, (math.nan,) * 3)
            mva = number(table.cell(row, "sn_mva"))
            tap = number(table.cell(row, "tap_pos"))
            shown_tap = f"{tap:+g}" if math.isfinite(tap) else "–"
            units.append(Unit(name, buses[upper], buses[lower], mva, shown_tap, p, q, loading))
    return sorted(units, key=lambda unit: (unit.upper, unit.lower, unit.name))


def _lines(run: RunTables, case: str, buses: dict[str, int], language: str) -> list[Feeder]:
    assert run.network_lines is not None
    assert run.network_buses is not None
    assert run.network_stations is not None
    table, flows = run.network_lines, _flows(run, case)
    homes = dict(zip(run.network_buses.texts("bus_id"), run.network_buses.texts("station_id"), strict=True))
    names = dict(zip(run.network_stations.texts("station_id"), run.network_stations.texts(f"name_{language}"),
                     strict=True))  # fmt: skip
    feeders = []
    for row, ends in enumerate(zip(table.texts("from_bus"), table.texts("to_bus"), strict=True)):
        for here, there, sign in ((ends[0], ends[1], 1.0), (ends[1], ends[0], -1.0)):
            if here in buses:
                line = table.cell(row, "line_id")
                p, q, loading = flows.get(line, (math.nan,) * 3)
                circuit = line.rpartition("#")[2] if "#" in line else ""
                far = names.get(homes.get(there, ""), there)
                feeders.append(Feeder("line", buses[here], f"{far} {circuit}".strip(), sign * p, sign * q, loading))
    return sorted(feeders, key=lambda feeder: (feeder.bus, feeder.name))


def _plants_and_loads(run: RunTables, case: str, buses: dict[str, int], language: str) -> list[Feeder]:
    """Plants with their installed MW, loads with their share of the peak in the case."""
    found = []
    if run.network_generators is not None:
        table = run.network_generators
        for row, bus in enumerate(table.texts("bus_id")):
            if bus in buses:
                name, size = table.cell(row, f"name_{language}"), number(table.cell(row, "p_max_mw"))
                found.append(Feeder("plant", buses[bus], f"{plain(name, 16)} {size:g} MW", *(math.nan,) * 3))
    share = _load_share(run, case)
    if run.network_loads is not None:
        for bus, peak in zip(run.network_loads.texts("bus_id"), run.network_loads.numbers("p_mw"), strict=True):
            if bus in buses:
                power = peak * share
                found.append(Feeder("load", buses[bus], word("sketch.load", language), power, math.nan, math.nan))
    return found


def _load_share(run: RunTables, case: str) -> float:
    points = run.operating_points
    place = None if points is None else points.place(case=case)
    return math.nan if points is None or place is None else float(points.numbers("load_share")[place])


def single_line(run: RunTables, language: str, station_id: str | None = None, case: str | None = None) -> Figure | None:
    """Sketch of a station; by default of the one whose transformer is loaded highest, in the case where it is so."""
    leading = leading_station(run)
    if leading is None:
        return None
    station = station_in(run, station_id or leading[0], case or leading[1], language)
    return None if station is None else draw_station(station, language)


def draw_station(station: Station, language: str) -> Figure:
    """The station as a sketch; flows stand as the branch tables give them, arrows point where the power goes."""
    hanging = [_feeders_at(station, place) for place in range(len(station.buses))]
    down = [[u for u in station.units if u.upper == place] for place in range(len(station.buses))]
    below = [len(down[p]) + (0 if p == 0 else len(hanging[p])) for p in range(len(station.buses))]
    width = max(len(hanging[0]), *below, 3) + 0.2
    last = -_FLOOR * (len(station.buses) - 1)
    bottom = last - (_REACH + 0.5 if len(station.buses) > 1 else 0.6)
    figure = new_figure(min(7.4, 1.6 + 0.62 * width), 0.3 + 0.4 * (_REACH + 0.5 - bottom))
    axes = figure.subplots()
    axes.set_axis_off()
    for place, bus in enumerate(station.buses):
        _draw_bus(axes, bus, -_FLOOR * place, width)
        for slot, unit in enumerate(down[place]):
            _draw_unit(axes, unit, slot + 0.5, -_FLOOR * place, -_FLOOR * unit.lower, language)
        for slot, feeder in enumerate(hanging[place]):
            x = slot + 0.5 + (0 if place == 0 else len(down[place]))
            _draw_feeder(axes, feeder, x, -_FLOOR * place, 1.0 if place == 0 else -1.0)
    axes.set_xlim(-1.7, width + 0.1)
    axes.set_ylim(bottom, _REACH + 0.5)
    title = word("sketch.title", language).format(station=plain(station.name, 44), case=plain(station.case, 24))
    axes.set_title(title, loc="left", fontsize=9)
    return figure


def _feeders_at(station: Station, place: int) -> list[Feeder]:
    return [feeder for feeder in station.feeders if feeder.bus == place][:_MOST_FEEDERS]


def _draw_bus(axes: Axes, bus: Bus, y: float, width: float) -> None:
    ink = palette().named["ink"]
    axes.plot([0, width], [y, y], color=ink, linewidth=3.2, solid_capstyle="butt")
    voltage = f"\n{bus.vm_pu:.3f} pu" if math.isfinite(bus.vm_pu) else ""
    axes.text(-0.1, y, f"{bus.vn_kv:g} kV{voltage}", ha="right", va="center", fontsize=7.5, color=ink)


def _draw_unit(axes: Axes, unit: Unit, x: float, top: float, bottom: float, language: str) -> None:
    colour = palette().loading_colour(unit.loading_percent)
    middle = (top + bottom) / 2
    for centre in (middle + 0.24, middle - 0.24):
        axes.plot([x], [centre], marker="o", markersize=15, fillstyle="none", color=colour, markeredgewidth=2)
    axes.plot([x, x], [top, middle + 0.62], color=colour, linewidth=1.4)
    axes.plot([x, x], [middle - 0.62, bottom], color=colour, linewidth=1.4)
    _arrow(axes, x, top - 0.65, unit.p_mw, -1.0, colour)
    words = [f"{unit.sn_mva:g} MVA", word("sketch.tap", language).format(tap=unit.tap), *_flow(unit.p_mw, unit.q_mvar)]
    if math.isfinite(unit.loading_percent):
        words.append(f"{unit.loading_percent:.0f} %")
    axes.text(x + 0.22, middle, "\n".join(words), fontsize=5.6, va="center", ha="left", linespacing=1.05)


def _draw_feeder(axes: Axes, feeder: Feeder, x: float, y: float, way: float) -> None:
    named = palette().named
    colour = palette().loading_colour(feeder.loading_percent) if feeder.kind == "line" else named["ink"]
    end = y + way * _REACH
    axes.plot([x, x], [y, end], color=colour, linewidth=1.6)
    if feeder.kind == "line":
        _arrow(axes, x, y + way * 0.35, feeder.p_mw, way, colour)
    elif feeder.kind == "load":
        axes.plot([x], [end], marker="v" if way < 0 else "^", markersize=7, color=colour)
    else:
        axes.plot([x], [end], marker="o", markersize=8, fillstyle="none", color=colour, markeredgewidth=1.5)
    flow = " · ".join(_flow(feeder.p_mw, feeder.q_mvar))
    percent = f" · {feeder.loading_percent:.0f} %" if math.isfinite(feeder.loading_percent) else ""
    middle = y + way * (_REACH / 2 + 0.15)
    axes.text(x + 0.06, middle, plain(feeder.name, 30), rotation=90, fontsize=5.6, ha="left", va="center")
    if flow or percent:
        axes.text(x + 0.33, middle, f"{flow}{percent}", rotation=90, fontsize=5.2, ha="left", va="center",
                  color=named["ink"])  # fmt: skip


def _flow(p_mw: float, q_mvar: float) -> list[str]:
    """Size of a flow in words; its direction is the arrow's."""
    parts = [f"{abs(p_mw):.0f} MW"] if math.isfinite(p_mw) else []
    return [*parts, f"{abs(q_mvar):.0f} Mvar"] if math.isfinite(q_mvar) else parts


def _arrow(axes: Axes, x: float, y: float, p_mw: float, way: float, colour: str) -> None:
    """A head that points away from the bus where power leaves it."""
    if math.isfinite(p_mw) and abs(p_mw) >= 0.5:
        up = way * np.sign(p_mw) > 0
        axes.plot([x], [y], marker="^" if up else "v", markersize=5.5, color=colour)
