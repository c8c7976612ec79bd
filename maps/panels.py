"""The fixed parts of the page around the map: head, banner, legend, targets, land, data and assumptions.

Every function returns page text in both languages; every word that comes from data passes through
:func:`maps.bilingual.safe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from layers.contracts import Origin
from maps.bilingual import Text, both, label, labels, safe, spoken
from maps.contracts import SiteMapInput
from maps.payload import quantities, rows, shown_hosts, stage_colours, voltages
from maps.phrases import phrase
from maps.site_payload import plan_stages
from maps.style import Grade, MapStyle
from maps.vendor import vendored

UNKNOWN = "—"


def amount(value: Any, digits: int = 0) -> str:
    """A number for people: grouped by thousands, a dash where it is not known."""
    return UNKNOWN if value is None or pd.isna(value) else f"{float(value):,.{digits}f}"


def head(data: SiteMapInput) -> str:
    """Title and the three figures a planner asks for first."""
    projects = data.projects
    offered, accepted = projects["grid_capacity_mw"].sum(), projects["accepted_mw"].sum()
    share = f" ({accepted / offered:.0%})" if offered > 0 else ""
    figures = (
        ("head.sites", f"{len(projects):,}"),
        ("head.offered", f"{amount(offered)} MW"),
        ("head.accepted", f"{amount(accepted)} MW{share}"),
    )
    items = "".join(f"<div><dt>{both(label(key))}</dt><dd>{safe(value)}</dd></div>" for key, value in figures)
    return (
        f"<h1>{both(Text(data.title_zh, data.title_en))}</h1>"
        f'<p class="study">{both(label("head.study"))} <code>{safe(data.study)}</code></p><dl>{items}</dl>'
    )


def origins(data: SiteMapInput) -> list[tuple[str, dict[Origin, int]]]:
    """How many things of each kind came to be in which way: (kind, origin -> number), empty kinds left out."""
    stations = data.substations.drop_duplicates("station_id")
    kinds: tuple[tuple[str, Iterable[str]], ...] = (
        ("candidates", data.projects["origin"]),
        ("stations", stations["origin"]),
        ("lines", data.lines["origin"]),
        ("sources", [card.origin for card in data.sources]),
    )
    counted = []
    for kind, values in kinds:
        found = [Origin(value) for value in values]
        counts = {origin: found.count(origin) for origin in Origin if origin in found}
        if counts:
            counted.append((kind, counts))
    return counted


def banner(data: SiteMapInput) -> str:
    """A strip that says which parts of the map are generated, assumed or modelled; empty when none is."""
    counted = origins(data)
    parts = []
    for origin in (Origin.GENERATED, Origin.ASSUMED, Origin.MODELLED):
        shares = [(kind, c[origin], sum(c.values())) for kind, c in counted if origin in c and kind != "sources"]
        from_source = origin is Origin.GENERATED and any(origin in c for kind, c in counted if kind == "sources")
        if not shares and not from_source:
            continue
        listed = " · ".join(f"{both(label(f'subject.{kind}'))} {n:,}/{total:,}" for kind, n, total in shares)
        parts.append(
            f'<span class="badge {origin}">{both(label(f"origin.{origin}"))}</span>'
            f"<strong>{both(label(f'banner.{origin}'))}</strong> <span>{listed}</span>"
        )
    if not parts:
        return ""
    generated = any(Origin.GENERATED in counts for _, counts in counted)
    advice = f"<em>{both(label('banner.advice'))}</em>" if generated else ""
    return f'<div id="fg-banner" role="note">{"".join(f"<p>{part}</p>" for part in parts)}{advice}</div>'


def layer_choices(data: SiteMapInput, style: MapStyle) -> str:
    """What colours sites, lines and stations, and the land picture; the layer list is moved in by the script."""
    views = [(view, label(f"layers.by_{view}")) for view in view_names(data, style)]
    cases = [(str(i), Text(case.label_zh, case.label_en)) for i, case in enumerate(data.cases)]
    if len(cases) > 1:
        cases.append(("worst", label("layers.worst")))
    if data.branch_n_1 is not None and len(data.branch_n_1):
        cases.append(("n_1", label("layers.n_1")))
    switch = _choice("layers.case", _radios("fg-case", cases, "0"), "two") if cases else ""
    graded = [("headroom", label("layers.by_headroom")), ("grade", label("layers.by_grade"))]
    stations = (
        _choice("layers.stations_by", _radios("fg-stations", graded, "headroom"), "two") if has_grades(data) else ""
    )
    return (
        _choice("layers.colour", _radios("fg-view", views, "host"), "two")
        + switch
        + '<div id="fg-case-summary" aria-live="polite"></div>'
        + stations
        + _land_choice(data)
        + f'<fieldset id="fg-layers"><legend>{both(label("layers.shown"))}</legend></fieldset>'
    )


def view_names(data: SiteMapInput, style: MapStyle) -> list[str]:
    """What sites may be coloured by: always host type and verdict, quantities and stages where some site has them."""
    found = [quantity["id"] for quantity in quantities(data, style)]
    staged = data.stages is not None and bool(plan_stages(data))
    return ["host", "verdict", *found, *(["stage"] if staged else [])]


def has_grades(data: SiteMapInput) -> bool:
    """True when some station has a grade."""
    return "grade" in data.substations.columns and bool(data.substations["grade"].fillna("").ne("").any())


def _land_choice(data: SiteMapInput) -> str:
    """Choice of the host type whose land is shown as a picture, and the place of its legend."""
    if not data.land_pictures:
        return ""
    names = {row.host_type: Text(row.label_zh, row.label_en) for row in rows(data.host_types)}
    shown = [(p.host_type, names.get(p.host_type, Text(p.host_type, p.host_type))) for p in data.land_pictures]
    select = _select("fg-land", "layers.land_aria", [("", label("layers.land_none")), *shown], data.language)
    return _choice("layers.land", f'{select}<ul id="fg-land-legend" aria-live="polite"></ul>', "")


def _select(name: str, spoken_key: str, options: Sequence[tuple[str, Text]], language: str) -> str:
    """A choice from a list; the script writes the options again when the language changes."""
    items = "".join(
        f'<option value="{safe(value)}" data-zh="{safe(text.zh)}" data-en="{safe(text.en)}">'
        f"{safe(text.zh if language == 'zh' else text.en)}</option>"
        for value, text in options
    )
    return f'<select id="{name}" {spoken(label(spoken_key))}>{items}</select>'


def _choice(key: str, inside: str, columns: str) -> str:
    return f'<fieldset class="{columns}"><legend>{both(label(key))}</legend>{inside}</fieldset>'


def _radios(name: str, options: Sequence[tuple[str, Text]], chosen: str) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if value == chosen else ""}>'
        f"<span>{both(text)}</span></label>"
        for value, text in options
    )


def legend(data: SiteMapInput, style: MapStyle) -> str:
    """What colours, fills, widths and sizes mean."""
    hosts = "".join(
        f'<li><i class="dot" style="--c:{row.colour}"></i>{both(Text(row.label_zh, row.label_en))}</li>'
        for row in rows(shown_hosts(data))
    )
    used = [v for v in style.verdicts if v.verdict in set(data.projects["verdict"])]
    fills = "".join(f'<li><i class="dot {v.fill}"></i>{both(label(f"verdict.{v.verdict}"))}</li>' for v in used)
    colours = "".join(
        f'<li><i class="dot" style="--c:{v.colour}"></i>{both(label(f"verdict.{v.verdict}"))}</li>' for v in used
    )
    levels = voltages([*data.lines["vn_kv"], *data.substations["vn_kv"]])
    kinds = "".join(
        f'<li><i class="line" style="--w:{style.voltage(kv).width_px}px"></i>'
        f'<i class="station" style="--s:{style.voltage(kv).size_px}px"></i>{kv:g}</li>'
        for kv in levels
    )
    return (
        f'<details id="fg-legend" open><summary>{both(label("legend.title"))}</summary>'
        f'<section class="by-view by-host"><h3>{both(label("legend.sites"))}</h3><ul>{hosts}</ul>'
        f"<h3>{both(label('legend.verdict'))}</h3><ul>{fills}</ul></section>"
        f'<section class="by-view by-verdict"><h3>{both(label("legend.sites"))}</h3><ul>{colours}</ul></section>'
        f"{_quantity_legends(data, style)}{_stage_legend(data, style)}"
        f'<p class="when-crowded">{both(label("legend.cluster"))}</p>'
        f"<h3>{both(label('legend.loading'))}</h3>{_ramp(style.loading_percent, style.unknown)}"
        f"<div class='by-stations by-headroom'><h3>{both(label('legend.headroom'))}</h3>"
        f"{_ramp(style.headroom_mw, style.unknown)}</div>{_grade_legend(data, style)}"
        f'<h3>{both(label("legend.voltage"))}</h3><ul class="voltages">{kinds}</ul></details>'
    )


def _quantity_legends(data: SiteMapInput, style: MapStyle) -> str:
    """Classes of score, yield and cost with their figures; shown when sites are coloured by them."""
    return "".join(
        f'<section class="by-view by-{quantity["id"]}"><h3>{both(label("legend." + quantity["id"]))}</h3><ul>'
        + "".join(
            f'<li><i class="dot" style="--c:{colour}"></i>{_from_to(quantity["edges"], k, quantity["digits"])}</li>'
            for k, colour in enumerate(quantity["colours"])
        )
        + f'<li><i class="dot" style="--c:{style.unknown}"></i>{both(label("legend.unknown"))}</li></ul></section>'
        for quantity in quantities(data, style)
    )


def _from_to(edges: Sequence[float], k: int, digits: int) -> str:
    if k + 1 == len(edges):
        return f"≥ {amount(edges[k], digits)}"
    return f"{amount(edges[k], digits)} – {amount(edges[k + 1], digits)}"


def _stage_legend(data: SiteMapInput, style: MapStyle) -> str:
    items = "".join(
        f'<li><i class="dot" style="--c:{colour}"></i>{safe(stage)}</li>'
        for stage, colour in stage_colours(data, style)
    )
    missing = f'<li><i class="dot" style="--c:{style.unknown}"></i>{both(label("legend.no_stage"))}</li>'
    return (
        f'<section class="by-view by-stage"><h3>{both(label("legend.stage"))}</h3><ul>{items}{missing}</ul></section>'
    )


def _grade_legend(data: SiteMapInput, style: MapStyle) -> str:
    if not has_grades(data):
        return ""
    items = "".join(
        f'<li><i class="station {f"mark-{g.mark}" if g.mark else ""}" style="--s:13px;--c:{g.colour}"></i>'
        f"{both(label(f'grade.{g.grade}'))}</li>"
        for g in style.station_grades
    )
    items += f'<li><i class="station" style="--s:13px;--c:{style.unknown}"></i>{both(label("legend.no_grade"))}</li>'
    return f"<div class='by-stations by-grade'><h3>{both(label('legend.grade'))}</h3><ul>{items}</ul></div>"


def _ramp(grades: Sequence[Grade], unknown: str) -> str:
    """A row of colour blocks with the lower edge of each class under its left side."""
    blocks = "".join(
        f'<li><i class="block" style="--c:{grade.colour}"></i><b>{"≥" if i == len(grades) - 1 else ""}'
        f"{grade.lower:g}</b></li>"
        for i, grade in enumerate(grades)
    )
    missing = f'<li><i class="block" style="--c:{unknown}"></i><b>{both(label("legend.unknown"))}</b></li>'
    return f'<ul class="ramp">{blocks}{missing}</ul>'


def targets(data: SiteMapInput) -> str:
    """The plan's figures beside what is there and what the network accepts, each with a bar."""
    if data.targets.empty:
        return _heading("targets.title") + f"<p>{both(label('targets.none'))}</p>"
    bodies = "".join(_target(row) for row in rows(data.targets))
    names = ("quantity", "target", "installed", "accepted", "gap")
    headings = "".join(f'<th scope="col">{both(label(f"targets.{name}"))}</th>' for name in names)
    return (
        _heading("targets.title")
        + f'<table class="targets"><thead><tr>{headings}</tr></thead>{bodies}</table>'
        + '<ul class="keys">'
        + "".join(
            f'<li><i class="key {name}"></i>{both(label(f"targets.{name}"))}</li>'
            for name in ("installed", "accepted", "candidates", "target")
        )
        + "</ul>"
    )


def _target(row: Any) -> str:
    installed = 0.0 if pd.isna(row.installed_mw) else float(row.installed_mw)
    spare = max(row.candidates_mw - row.accepted_mw, 0.0)
    full = max(row.target_mw, installed + row.accepted_mw + spare) * 1.02
    bars = "".join(
        f'<i class="key {name}" style="width:{100 * value / full:.2f}%"></i>'
        for name, value in (("installed", installed), ("accepted", row.accepted_mw), ("candidates", spare))
    )
    mark = f'<i class="key target" style="left:{100 * row.target_mw / full:.2f}%"></i>'
    surplus = row.gap_mw < 0
    gap = f"{both(label('targets.surplus'))} {amount(-row.gap_mw)}" if surplus else amount(row.gap_mw)
    return (
        f'<tbody><tr><th scope="row">{both(Text(row.quantity_zh, row.quantity_en))} {row.year}</th>'
        f"<td>{amount(row.target_mw)}</td><td>{amount(row.installed_mw)}</td><td>{amount(row.accepted_mw)}</td>"
        f'<td class="{"surplus" if surplus else "gap"}">{gap}</td></tr>'
        f'<tr class="bar"><td colspan="5"><div aria-hidden="true">{bars}{mark}</div>'
        f"<small>{safe(row.region)} · {both(label('targets.candidates'))} {amount(row.candidates_mw)} MW · "
        f"{both(label('targets.source'))} {safe(row.source)}</small></td></tr></tbody>"
    )


def land(data: SiteMapInput) -> str:
    """Land of each host type by state: eligible, excluded, unknown."""
    states = data.land_states
    if states.empty:
        return _heading("land.title") + f"<p>{both(label('land.none'))}</p>"
    names = {row.host_type: Text(row.label_zh, row.label_en) for row in rows(data.host_types)}
    columns = ("hosts", "eligible", "excluded", "unknown", "owned")
    headings = "".join(f'<th scope="col">{both(label(f"land.{name}"))}</th>' for name in ("host", *columns))
    lines = "".join(
        f'<tr><th scope="row">{both(names.get(row.host_type, Text(row.host_type, row.host_type)))}</th>'
        f"<td>{amount(row.host_km2, 1)}</td><td>{amount(row.eligible_km2, 1)}</td>"
        f"<td>{amount(row.excluded_km2, 1)}</td><td>{amount(row.unknown_km2, 1)}</td>"
        f"<td>{amount(row.owned_km2, 1)}</td></tr>"
        for row in rows(states)
    )
    note = label("land.note").format(region=amount(states["region_km2"].iloc[0], 1))
    return (
        _heading("land.title")
        + f'<table class="land"><thead><tr>{headings}</tr></thead><tbody>{lines}</tbody></table>'
        + f'<p class="note">{both(note)}</p>'
    )


def data_notes(data: SiteMapInput, tolerance_m: float) -> str:
    """Origins, assumptions, sources with licences, software inside the page."""
    return (
        _origin_table(data)
        + _assumptions(data)
        + _sources(data)
        + _heading("data.software")
        + "".join(_software(package) for package in vendored())
        + f'<p class="note">{both(label("data.position").format(tolerance=f"{tolerance_m:g}"))} '
        + f"{both(label('data.offline'))}</p>"
    )


def _origin_table(data: SiteMapInput) -> str:
    lines = "".join(
        f'<tr><th scope="row">{both(label(f"subject.{kind}"))}</th><td>'
        + "".join(f"<span>{_badge(origin)} {count:,}</span>" for origin, count in counts.items())
        + "</td></tr>"
        for kind, counts in origins(data)
    )
    return _heading("data.origins") + f'<table class="origins"><tbody>{lines}</tbody></table>'


def _badge(origin: Origin | str) -> str:
    return f'<span class="badge {Origin(origin)}">{both(label(f"origin.{Origin(origin)}"))}</span>'


def _assumptions(data: SiteMapInput) -> str:
    if not data.assumptions:
        return _heading("data.assumptions") + f"<p>{both(label('data.assumptions_none'))}</p>"
    items = "".join(
        f"<li><p>{both(Text(a.text_zh, a.text_en))}</p><small><b>{safe(a.value)}</b> · {safe(a.source)} · "
        f"{both(label('data.confidence'))} {safe(a.confidence)} · <code>{safe(a.id)}</code></small></li>"
        for a in data.assumptions
    )
    return (
        f'<details class="assumptions"><summary>{both(label("data.assumptions"))} ({len(data.assumptions)})</summary>'
        f'<p class="note">{both(label("data.confidence_note"))}</p><ul>{items}</ul></details>'
    )


def _sources(data: SiteMapInput) -> str:
    if not data.sources:
        return _heading("data.sources") + f"<p>{both(label('data.sources_none'))}</p>"
    items = "".join(
        f"<li><p>{both(Text(card.title_zh or card.id, card.title_en or card.id))} {_badge(card.origin)}</p>"
        f"<small>{both(label('data.licence'))} {both(_both_ways(card.licence))}"
        + (f" · {both(_both_ways(card.attribution))}" if card.attribution else "")
        + (f" · {both(label('data.datum'))} {safe(card.datum.upper())}" if card.datum else "")
        + f" · <code>{safe(card.shown_path)}</code></small></li>"
        for card in data.sources
    )
    return _heading("data.sources") + f'<ul class="sources">{items}</ul>'


def _software(package: Any) -> str:
    return (
        f"<details><summary>{safe(package.package)} {safe(package.version)} ({safe(package.licence)})</summary>"
        f"<pre>{safe(package.licence_text())}</pre></details>"
    )


def attribution(data: SiteMapInput, extra: str = "") -> str:
    """One line under the map: who made the data, under which licence, and what draws the map."""
    credits: dict[str, None] = {}
    for card in data.sources:
        who = (
            _both_ways(card.attribution)
            if card.attribution
            else Text(card.title_zh or card.id, card.title_en or card.id)
        )
        named = bool(card.attribution) and card.attribution in card.licence
        licence = both(_both_ways(card.licence))
        credits.setdefault(licence if named else f"{both(who)} ({licence})")
    if extra:
        credits.setdefault(safe(extra))
    tools = " · ".join(f"{safe(p.package.title())} {safe(p.version)} ({safe(p.licence)})" for p in vendored())
    listed = f"{both(label('data.attribution'))}: {' · '.join(credits)} | " if credits else ""
    return f"{listed}{tools} | WGS-84"


def _both_ways(text: str) -> Text:
    """Words of data with what the list of phrases makes of them in Chinese."""
    return Text(phrase(text, "zh"), phrase(text, "en"))


def _heading(key: str) -> str:
    return f"<h2>{both(label(key))}</h2>"


def tabs(panels: Sequence[tuple[str, str]]) -> str:
    """Tab list and its panels; the first is open. ``panels`` pairs a short name with its content."""
    buttons = "".join(
        f'<button type="button" role="tab" id="fg-tab-{name}" aria-controls="fg-panel-{name}" '
        f'aria-selected="{"true" if i == 0 else "false"}" tabindex="{0 if i == 0 else -1}">'
        f"{both(label(f'tab.{name}'))}</button>"
        for i, (name, _) in enumerate(panels)
    )
    contents = "".join(
        f'<section role="tabpanel" id="fg-panel-{name}" aria-labelledby="fg-tab-{name}" tabindex="0"'
        f"{'' if i == 0 else ' hidden'}>{content}</section>"
        for i, (name, content) in enumerate(panels)
    )
    return f'<div role="tablist" {spoken(label("tab.aria"))}>{buttons}</div>{contents}'


def project_list(data: SiteMapInput, style: MapStyle) -> str:
    """Search field, filters, and the place of the list, which the script fills."""
    return (
        f'<label class="search"><span>{both(label("project.search"))}</span>'
        '<input type="search" id="fg-search" autocomplete="off" spellcheck="false"></label>'
        f"{_filters(data, style)}"
        '<p id="fg-count" class="note" aria-live="polite"></p><ol id="fg-list"></ol>'
        f'<p class="note">{both(label("project.order"))}</p>'
    )


def _filters(data: SiteMapInput, style: MapStyle) -> str:
    """Ranges and choices that narrow map and list alike."""
    sites = data.projects
    districts = rows(sites.drop_duplicates("district_code").sort_values("district_code"))
    names = [(row.district_code, Text(row.district_zh, row.district_en)) for row in districts]
    verdicts = [v.verdict for v in style.verdicts if v.verdict in set(sites["verdict"])]
    choices = [
        ("fg-district", "filter.district", names),
        ("fg-verdict", "filter.verdict", [(verdict, label(f"verdict.{verdict}")) for verdict in verdicts]),
        ("fg-technology", "filter.technology", [(t, technology_name(t)) for t in sorted(set(sites["technology"]))]),
    ]  # fmt: skip
    if data.stages is not None and plan_stages(data):
        choices.append(("fg-plan-stage", "filter.stage", [(stage, Text(stage, stage)) for stage in plan_stages(data)]))
    selects = "".join(
        f"<label><span>{both(label(key))}</span>"
        + _select(name, key, [("", label("filter.all")), *options], data.language)
        + "</label>"
        for name, key, options in choices
    )
    return (
        f'<details class="filters" open><summary>{both(label("filter.title"))}</summary><div>'
        f"{_range('fg-mw', 'filter.mw', '1')}{_range('fg-lcoe', 'filter.lcoe', '0.01')}{selects}</div><p>"
        f'<button type="button" class="small" id="fg-reset">{both(label("filter.reset"))}</button>'
        f'<button type="button" class="small" id="fg-csv">{both(label("filter.csv"))}</button></p></details>'
    )


def _range(name: str, key: str, step: str) -> str:
    """Two number fields, from and to; what is left empty does not narrow."""
    fields = [
        f'<input type="number" id="{name}-{end}" min="0" step="{step}" {spoken(_joined(label(key), label(words)))}>'
        for end, words in (("from", "filter.from"), ("to", "filter.to"))
    ]
    between = '<span aria-hidden="true">–</span>'
    return f'<div class="range"><span>{both(label(key))}</span><span class="ends">{between.join(fields)}</span></div>'


def _joined(first: Text, second: Text) -> Text:
    return Text(f"{first.zh} {second.zh}", f"{first.en} {second.en}")


def technology_name(technology: str) -> Text:
    """Words for a technology; one without words is shown by its id."""
    key = f"technology.{technology}"
    return labels().get(key, Text(technology, technology))
