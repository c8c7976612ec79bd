"""Land waterfall: what each rule takes of each host type's land."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from maps.charts.look import new_figure, palette, plain, word
from maps.run_tables import RunTables, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_HOSTS = 12


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall: from ``start_km2`` down by ``loss_km2``; kind is host, alone, several, unknown, left."""

    label: str
    kind: str
    start_km2: float
    loss_km2: float


def waterfall_steps(states: Sheet, losses: Sheet, host_type: str, names: dict[str, str]) -> list[Step]:
    """Bars of one host type: all its land, what each rule alone takes, what several take, what is unknown and left.

    The bars close: land minus all losses is what is left. ``names`` gives rules' labels by their id in the table.
    """
    row = states.where("host_type", host_type)
    total, eligible, unknown = (float(row.numbers(c)[0]) for c in ("host_km2", "eligible_km2", "unknown_km2"))
    own = losses.where("host_type", host_type)
    alone = [(names.get(r, r), s) for r, s in zip(own.texts("rule"), own.numbers("sole_km2"), strict=True) if s > 0]
    unknown = min(unknown, max(total - eligible, 0.0))
    several = max(total - eligible - unknown - sum(size for _, size in alone), 0.0)
    losses_in_order = [(label, "alone", size) for label, size in sorted(alone, key=lambda pair: -pair[1])]
    tail = [("several", "several", several), ("unknown", "unknown", unknown)]
    steps, at = [Step("host", "host", total, total)], total
    for label, kind, size in losses_in_order + [t for t in tail if t[2] > 0.0005 * total]:
        steps.append(Step(label, kind, at, size))
        at -= size
    return [*steps, Step("eligible", "left", eligible, eligible)]


def land_waterfall(run: RunTables, language: str) -> Figure | None:
    """One small waterfall a host type; None where the run has no land tables."""
    if run.land_states is None or run.land_waterfall is None or not len(run.land_states):
        return None
    hosts = [h for h in run.land_states.texts("host_type") if h in set(run.land_waterfall.texts("host_type"))]
    if not hosts:
        return None
    shown = hosts[:_MOST_HOSTS]
    rule_names, host_names = _rule_names(run, language), host_labels(run, language)
    rows = ceil(len(shown) / 2)
    columns = min(2, len(shown))
    height = 0.55 + 1.6 * rows
    # a fixed layout: measuring the words of many small panels takes longer than drawing them
    figure = new_figure(7.4, height, layout=None)
    figure.subplots_adjust(
        left=0.165, right=0.985, wspace=0.56, hspace=0.42, top=1 - 0.28 / height, bottom=0.45 / height
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, host in enumerate(shown):
        steps = waterfall_steps(run.land_states, run.land_waterfall, host, rule_names)
        _draw(axes[place], steps, host_names.get(host, host), language)
    for spare in axes[len(shown) :]:
        spare.set_visible(False)
    figure.supxlabel(word("land.axis", language), fontsize=9, y=0.04 / height, va="bottom")
    return figure


def _draw(axes: Axes, steps: list[Step], title: str, language: str) -> None:
    named = palette().named
    colours = {"host": named["first"], "alone": named["lost"], "several": named["shared"],
               "unknown": named["unknown"], "left": named["land"]}  # fmt: skip
    hatches = {"several": "///", "unknown": "xx"}
    fixed = {"host": "land.host", "several": "land.several", "unknown": "land.unknown", "eligible": "land.eligible"}
    top = steps[0].start_km2 or 1.0
    for place, step in enumerate(steps):
        left = 0.0 if step.kind in ("host", "left") else step.start_km2 - step.loss_km2
        axes.barh(place, step.loss_km2, left=left, color=colours[step.kind], hatch=hatches.get(step.kind, ""),
                  edgecolor="white", linewidth=0.4, height=0.72)  # fmt: skip
        at = left + step.loss_km2
        inside = at > 0.72 * top
        axes.text(left - 0.01 * top if inside and left > 0.25 * top else (0.02 * top if inside else at + 0.01 * top),
                  place, f"{step.loss_km2:,.3g}" if step.loss_km2 < 1000 else f"{step.loss_km2:,.0f}",
                  ha="right" if inside and left > 0.25 * top else "left", va="center", fontsize=7,
                  color="white" if inside and left <= 0.25 * top else named["ink"])  # fmt: skip
    labels = [word(fixed[s.label], language) if s.label in fixed else plain(s.label, 22) for s in steps]
    axes.set_yticks(range(len(steps)), labels, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.invert_yaxis()
    axes.set_xlim(0, top * 1.02)
    axes.set_title(plain(title, 40), loc="left", fontsize=8.5)


def _rule_names(run: RunTables, language: str) -> dict[str, str]:
    """Labels of rules by ``rule:layer`` as the waterfall names them; the id where the run lists no rules."""
    if run.rules is None:
        return {}
    return dict(zip(run.rules.texts("rule"), run.rules.texts(f"label_{language}"), strict=True))


def host_labels(run: RunTables, language: str) -> dict[str, str]:
    """Labels of host types, from the run's own list or from the projects of that type."""
    for sheet, column in ((run.host_types, f"label_{language}"), (run.projects, f"host_type_{language}")):
        if sheet is not None:
            return dict(zip(sheet.texts("host_type"), sheet.texts(column), strict=True))
    return {}
