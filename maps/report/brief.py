"""The planner's brief: two printed pages with what was found, what limits, what to build and what to decide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maps.bilingual import safe
from maps.report.document import Writer, page
from maps.report.figures import count_html, figure_html
from maps.run_tables import RunTables, Sheet

TOP_SITES = 10
_TOP_LIMITS = 5
_TOP_MEASURES = 5
_TOP_TARGETS = 6
_TOP_MISSED = 4
TOP_GROUPS = 8
_MISSED_MW = 0.5
"""Less than this that a target lacks is not worth a question."""
_TOP_PARKS = 3


def brief_page(run: RunTables, charts: Mapping[str, str], language: str) -> str:
    """The brief as an HTML page of two A4 sheets; the same tables give the same bytes.

    Parameters
    ----------
    run : RunTables
    charts : mapping of str to str
        SVG by chart name, in the language of the brief.
    language : {"zh", "en"}
    """
    write = Writer(run, charts, language)
    study = run.about.title_zh if language == "zh" else run.about.title_en
    title = write.plain("brief.title").format(study=study)
    body = _sheet(write, 1, _first(write, title)) + _sheet(write, 2, _second(write))
    return page(title, language, ("page.css", "brief.css"), body)


def _sheet(write: Writer, number: int, content: str) -> str:
    footer = f"<footer><span>{write.word('brief.footer')}</span><span>{number} / 2</span></footer>"
    return f'<section class="sheet" id="page-{number}"><div class="content">{content}</div>{footer}</section>\n'


def _first(write: Writer, title: str) -> str:
    about, run = write.run.about, write.run
    subtitle = write.note(
        "brief.subtitle", study=f"<code>{safe(about.study)}</code>", result=f"<code>{safe(about.result_id)}</code>"
    )
    groups = (
        _groups(write, "brief.verdicts", "brief_verdict", run.by_verdict)
        + _groups(write, "brief.technologies", "brief_technology", run.by_technology)
        + _groups(write, "brief.districts", "brief_district", run.by_district)
    )
    targets = _block(write, "brief.targets", "brief_targets", run.targets, _TOP_TARGETS, "brief.no_targets")
    targets += _block(write, "brief.plan_targets", "brief_plan_targets", run.plan_targets, _TOP_TARGETS)
    return (
        f"<h1>{safe(title)}</h1>{subtitle}{_tiles(write)}"
        f'<div class="columns"><div class="picture">{write.chart("sketch_map")}</div><div>{groups}</div></div>{targets}'
        f'<div class="strip">{write.chart("plan_staircase") or write.chart("staircase")}</div>'
    )


def _tiles(write: Writer) -> str:
    tiles = (
        ("brief.candidates", write.key_figure("candidates")),
        ("brief.capacity", write.key_figure("candidates_mw", 2, 1e-3)),
        ("brief.energy", write.key_figure("candidates_energy_mwh", 2, 1e-6)),
        ("brief.accepted", write.key_figure("accepted_mw", 2, 1e-3)),
        ("brief.share", f"{write.key_figure('accepted_share', 0, 100)} %"),
        ("brief.lcoe", write.key_figure("accepted_lcoe_cny_per_kwh", 3)),
    )
    shown = "".join(f"<div><strong>{value}</strong><span>{write.word(key)}</span></div>" for key, value in tiles)
    return f'<div class="tiles">{shown}</div>'


def _block(write: Writer, heading: str, table: str, sheet: Sheet | None, most: int, empty: str = "") -> str:
    """A headed table of at most ``most`` rows, or the heading with one line in its place."""
    head = f"<h3>{write.word(heading)}</h3>"
    if sheet is None or not len(sheet):
        return head + write.missing(empty) if empty else ""
    return head + write.table(table, sheet.chosen(list(range(min(most, len(sheet))))))


def _groups(write: Writer, heading: str, table: str, sheet: Sheet | None) -> str:
    """A block of groups, which says how many there are: a county that is not shown has projects all the same."""
    block = _block(write, heading, table, sheet, TOP_GROUPS)
    if sheet is None or len(sheet) <= TOP_GROUPS:
        return block
    return block + write.note("brief.more", shown=str(TOP_GROUPS), all=count_html(sheet))


def _second(write: Writer) -> str:
    run = write.run
    return (
        _leading_sites(write)
        + _block(write, "brief.limits", "brief_binding", run.binding, _TOP_LIMITS, "brief.no_limits")
        + _what_to_build(write)
        + _block(write, "brief.parks", "brief_parks", run.parks, _TOP_PARKS)
        + f"<h3>{write.word('brief.caveats')}</h3><ul>{_items(caveats(write))}</ul>"
        + f"<h3>{write.word('brief.decide')}</h3><ol>{_items(decisions(write))}</ol>"
        + f'<div class="spare">{write.chart("supply_curve")}</div>'
    )


def _leading_sites(write: Writer) -> str:
    """Sites of the plan where there is one, else the best ranked that the network takes in full."""
    plan = write.run.plan_sites
    if plan is not None:
        built = plan.chosen(plan.numbers("planned_capacity_mw") > 0)
        return _block(write, "brief.plan_sites", "plan_sites", built, TOP_SITES, "brief.no_top")
    return _block(write, "brief.top", "top_sites", top_sites(write.run.projects), TOP_SITES, "brief.no_top")


def _what_to_build(write: Writer) -> str:
    """Measures of the plan where there is one, else the single measures that were tried."""
    plan = write.run.plan_measures
    if plan is not None:
        return _block(write, "brief.plan", "brief_plan", plan, _TOP_MEASURES, "brief.plan_empty")
    single = useful_measures(write.run)
    block = _block(write, "brief.build", "brief_measures", single, _TOP_MEASURES, "brief.no_build")
    return block + (write.note("brief.build_note") if single is not None else "")


def _items(lines: list[str]) -> str:
    return "".join(f"<li>{line}</li>" for line in lines)


def top_sites(projects: Sheet | None) -> Sheet | None:
    """Projects that the network takes in full, in list order."""
    if projects is None:
        return None
    full = projects.where("verdict", "connect")
    return full.chosen(np.argsort(full.numbers("order"), kind="stable")[:TOP_SITES])


def useful_measures(run: RunTables) -> Sheet | None:
    """Measures that lift the capacity of some bus, cheapest per MW first; None where there is none."""
    if run.measure_effects is None:
        return None
    found = run.measure_effects.chosen(run.measure_effects.numbers("lift_mw") > 0)
    return found if len(found) else None


def caveats(write: Writer) -> list[str]:
    """What a reader has to know before he uses the figures; only what this run's tables say."""
    run, lines = write.run, []
    known = set() if run.key_figures is None else set(run.key_figures.texts("figure"))
    if "made_up_share" in known:
        lines.append(write.fill(
            "caveat.made_up", share=f"{write.key_figure('made_up_share', 0, 100)} %",
            made=write.key_figure("stations_made_up"), all=write.key_figure("stations"),
        ))  # fmt: skip
    if {"accepted_mw", "load_max_mw"} <= known and _value(run, "accepted_mw") > _value(run, "load_max_mw"):
        lines.append(write.fill(
            "caveat.exports", accepted=write.key_figure("accepted_mw"), load=write.key_figure("load_max_mw")
        ))  # fmt: skip
    if "year_hours_above_rating" in known and _value(run, "year_hours_above_rating") > 0:
        lines.append(write.fill(
            "caveat.year", all=write.key_figure("year_hours"), above=write.key_figure("year_hours_above_rating"),
            worst=write.key_figure("year_loading_max_percent", 1),
        ))  # fmt: skip
    if "n_1_outages" in known:
        lines.append(write.fill(
            "caveat.n_1", all=write.key_figure("n_1_outages"), split=write.key_figure("n_1_split"),
            diverged=write.key_figure("n_1_diverged"), over=write.key_figure("n_1_overloaded"),
        ))  # fmt: skip
    if "short_circuit_red" in known and _value(run, "short_circuit_red") > 0:
        lines.append(write.fill(
            "caveat.short_circuit", all=write.key_figure("short_circuit_buses"),
            today=write.key_figure("short_circuit_red_today"), later=write.key_figure("short_circuit_red"),
        ))  # fmt: skip
    if "assumptions" in known:
        lines.append(write.fill(
            "caveat.assumptions", all=write.key_figure("assumptions"), weak=write.key_figure("assumptions_c")
        ))  # fmt: skip
    if run.plan_summary is None and run.plan_measures is None:
        lines.append(write.word("caveat.no_plan"))
    return lines


def decisions(write: Writer) -> list[str]:
    """Questions that follow from the tables: the leading limit, missed targets, the cheapest measure, weak data.

    The leading limit is that of all candidates together. A plan takes those it needs, and says itself what to build.
    """
    run, lines = write.run, []
    planned = run.plan_summary is not None or run.plan_measures is not None
    if run.binding is not None and len(run.binding) and not planned:
        lines.append(write.fill(
            "decide.limit", element=safe(run.binding.cell(0, f"element_{write.language}")),
            projects=figure_html(run.binding, 0, "projects"), mw=figure_html(run.binding, 0, "held_back_mw"),
        ))  # fmt: skip
    if run.targets is not None and run.plan_targets is None:
        for row in np.flatnonzero(run.targets.numbers("gap_mw") > 0)[:2].tolist():
            key = "decide.target" if run.targets.numbers("candidates_mw")[row] > 0 else "decide.target_without"
            lines.append(write.fill(
                key, quantity=safe(run.targets.cell(row, f"quantity_{write.language}")),
                year=safe(run.targets.cell(row, "year")), gap=figure_html(run.targets, row, "gap_mw"),
            ))  # fmt: skip
    lines += _decisions_of_the_plan(write)
    measures = useful_measures(run)
    if measures is not None and run.plan_measures is None:
        lines.append(write.fill(
            "decide.measure", measure=safe(measures.cell(0, f"description_{write.language}")),
            cost=figure_html(measures, 0, "cost_cny_per_mw"), lift=figure_html(measures, 0, "lift_mw"),
        ))  # fmt: skip
    if _value(run, "made_up_share") > 0:
        lines.append(write.word("decide.survey"))
    if top_sites(run.projects):
        lines.append(write.word("decide.reserve"))
    return lines


def _decisions_of_the_plan(write: Writer) -> list[str]:
    """Targets that the plan misses, with the reason (which says by how much), and its first measure."""
    run, lines = write.run, []
    if run.plan_targets is not None:
        for row in np.flatnonzero(run.plan_targets.numbers("missing_mw") > _MISSED_MW)[:_TOP_MISSED].tolist():
            lines.append(write.fill(
                "decide.plan_target", target=safe(run.plan_targets.cell(row, f"target_{write.language}")),
                year=safe(run.plan_targets.cell(row, "stage")),
                why=safe(run.plan_targets.cell(row, f"why_{write.language}") or "–"),
            ))  # fmt: skip
    if not lines:
        lines += _approval_of_the_sites(write)
    if run.plan_measures is not None and len(run.plan_measures):
        lines.append(_approval_of_a_measure(write, run.plan_measures))
    return lines


def _approval_of_a_measure(write: Writer, measures: Sheet) -> str:
    """The plan's first measure with what it unlocks; of one that the staircase does not know, what it costs a year."""
    name = safe(measures.cell(0, f"description_{write.language}"))
    cost = figure_html(measures, 0, "investment_cny", 1, 1e-6)
    if measures.numbers("unlocked_mw")[0] > 0:
        return write.fill("decide.plan", measure=name, cost=cost, mw=figure_html(measures, 0, "unlocked_mw"))
    yearly = figure_html(measures, 0, "annual_cost_cny", 1, 1e-6)
    return write.fill("decide.plan_yearly", measure=name, cost=cost, yearly=yearly)


def _approval_of_the_sites(write: Writer) -> list[str]:
    """What is left to decide where the plan meets all targets, is proved, and needs no measure: its sites."""
    run = write.run
    summary, stages, measures = run.plan_summary, run.plan_stages, run.plan_measures
    if summary is None or stages is None or measures is None or len(measures) or not len(stages):
        return []
    if summary.numbers("ac_violations")[0] != 0 or not summary.numbers("sites_built")[0] > 0:
        return []
    last = len(stages) - 1
    return [write.fill(
        "decide.plan_as_it_is", sites=figure_html(summary, 0, "sites_built"),
        mw=figure_html(stages, last, "installed_mw"), year=safe(stages.cell(last, "stage")),
    )]  # fmt: skip


def _value(run: RunTables, figure: str) -> float:
    sheet = run.key_figures
    place = None if sheet is None else sheet.place(figure=figure)
    return float("nan") if sheet is None or place is None else float(sheet.numbers("value")[place])
