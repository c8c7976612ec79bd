"""The engineer's report: every table behind the verdicts, in the order in which an engineer asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from maps.bilingual import safe
from maps.report.brief import useful_measures
from maps.report.document import Section, Writer, contents, numbered, page
from maps.run_tables import RunTables, Sheet

WORST_OUTAGES = 30
MOST_ROWS = 60
_WORST_GRADE = {"red": 0, "yellow": 1, "green": 2}


def report_page(run: RunTables, charts: Mapping[str, str], language: str) -> str:
    """The engineer's report as one HTML page that prints; the same tables give the same bytes.

    Parameters
    ----------
    run : RunTables
    charts : mapping of str to str
        SVG by chart name (:data:`maps.charts.CHARTS`), in the language of the report.
    language : {"zh", "en"}
    """
    write = Writer(run, charts, language)
    sections = [section(write) for section in SECTIONS]
    study = run.about.title_zh if language == "zh" else run.about.title_en
    title = write.plain("report.title").format(study=study)
    head = f"<header><h1>{safe(title)}</h1>{_study_line(write)}</header>"
    body = f"{head}\n{contents(sections, write.plain('report.contents'))}\n<main>{numbered(sections)}</main>"
    return page(title, language, ("page.css", "report.css"), body, write.plain("report.footer"))


def _study_line(write: Writer) -> str:
    about = write.run.about
    return write.paragraph(
        "study.run", study=f"<code>{safe(about.study)}</code>", result=f"<code>{safe(about.result_id)}</code>",
        version=safe(about.fengguang), rules=f"<code>{safe(about.rule_pack)}</code>",
    )  # fmt: skip


def _section(write: Writer, name: str, *parts: str, wide: bool | None = False) -> Section:
    return Section(name, write.plain(f"section.{name}"), "\n".join(part for part in parts if part), wide)


def _optional(write: Writer, heading: str, table: str, sheet: Sheet | None, most: int | None = None) -> str:
    """A headed table; nothing where the run does not have it."""
    return (
        ""
        if sheet is None or not len(sheet)
        else f"<h3>{write.word(heading)}</h3>{write.table(table, sheet, most=most)}"
    )


def _told(
    write: Writer, heading: str, table: str, sheet: Sheet | None, most: int | None = None, *, css: str = ""
) -> str:
    """A headed table with a note on how to read it; nothing where the run does not have it."""
    if sheet is None or not len(sheet):
        return ""
    shown = write.table(table, sheet, most=most, css=css)
    return f"<h3>{write.word(heading)}</h3>{shown}{write.note(f'{heading}_text')}"


def _study(write: Writer) -> Section:
    run = write.run
    marked = [] if run.by_origin is None else run.by_origin.texts("origin")
    warning = f'<p class="warning">{write.word("study.marked")}</p>' if {"generated", "assumed"} & set(marked) else ""
    return _section(
        write, "study", warning,
        _optional(write, "study.key", "key_figures", run.key_figures),
        _optional(write, "study.verdicts", "by_verdict", run.by_verdict),
        _optional(write, "study.technologies", "by_technology", run.by_technology),
        _optional(write, "study.districts", "by_district", run.by_district),
        _optional(write, "study.origin", "by_origin", run.by_origin),
        write.chart("supply_curve"), write.chart("staircase"), write.chart("targets"),
    )  # fmt: skip


def _inputs(write: Writer) -> Section:
    read = _optional(write, "inputs.read", "inputs", write.run.inputs)
    cards = _optional(write, "inputs.cards", "sources", write.run.sources)
    return _section(write, "inputs", read or write.missing("inputs.none"), cards, wide=True)


def _assumptions(write: Writer) -> Section:
    run = write.run
    listed = _optional(write, "section.assumptions", "assumptions", run.assumptions)
    rules = _optional(write, "assumptions.rules", "rules", run.rules)
    return _section(
        write, "assumptions", write.note("assumptions.confidence"), listed or write.missing("assumptions.none"),
        rules or write.missing("assumptions.no_rules"), wide=True,
    )  # fmt: skip


def _land(write: Writer) -> Section:
    if write.run.land_states is None:
        return _section(write, "land", write.missing("land.none"), wide=None)
    return _section(
        write, "land", write.note("land.states"), write.table("land_states", write.run.land_states),
        write.chart("land_waterfall"), _optional(write, "land.criteria", "criteria", write.run.criteria),
        wide=None,
    )  # fmt: skip


def _cases(write: Writer) -> Section:
    run = write.run
    if run.cases is None:
        return _section(write, "cases", write.missing("cases.none"), wide=None)
    worst = None if run.branches is None else _by_largest(run.branches, "loading_percent", 25)
    binding = _optional(write, "cases.binding", "binding", run.binding, 25)
    return _section(
        write, "cases", _optional(write, "cases.settings", "case_settings", run.operating_points),
        _optional(write, "cases.results", "cases", run.cases), _optional(write, "cases.worst", "branches", worst),
        binding, write.note("cases.binding_note") if binding else "", write.chart("single_line"), wide=True,
    )  # fmt: skip


def _by_largest(sheet: Sheet, column: str, most: int) -> Sheet:
    """Rows with the largest values of a column; rows without a value come last."""
    values = np.nan_to_num(sheet.numbers(column), nan=-np.inf)
    return sheet.chosen(np.argsort(-values, kind="stable")[:most])


def _n_1(write: Writer) -> Section:
    run = write.run
    if run.n_1_severity is None or run.cases is None:
        return _section(write, "n_1", write.missing("n_1.none"), wide=None)
    status = np.array(run.n_1_severity.texts("status"))
    solved = run.n_1_severity.chosen(status == "solved")
    worst = solved.chosen(list(range(min(WORST_OUTAGES, len(solved)))))
    diverged, split = (run.n_1_severity.chosen(status == name) for name in ("diverged", "split"))
    return _section(
        write, "n_1",
        _optional(write, "n_1.by_case", "n_1_counts", run.cases),
        f"<h3>{write.word('n_1.diverged')}</h3>",
        write.table("n_1_lost", diverged, most=MOST_ROWS) if len(diverged) else write.missing("n_1.no_diverged"),
        f"<h3>{write.word('n_1.split')}</h3>",
        write.table("n_1_lost", split, most=MOST_ROWS) if len(split) else write.missing("n_1.no_split"),
        f"<h3>{write.word('n_1.worst')}</h3>", write.note("n_1.order"), write.table("n_1_severity", worst),
        _optional(write, "n_1.by_class", "n_1_classes", run.n_1_classes), write.chart("heat_maps"), wide=True,
    )  # fmt: skip


def _voltage(write: Writer) -> Section:
    if write.run.voltage_bands is None:
        return _section(write, "voltage", write.missing("voltage.none"), wide=None)
    return _section(
        write, "voltage", write.note("voltage.text"), write.table("voltage_bands", write.run.voltage_bands), wide=None
    )


def _short_circuit(write: Writer) -> Section:
    table = write.run.short_circuit
    if table is None or not len(table):
        return _section(write, "short_circuit", write.missing("short_circuit.none"), wide=None)
    tightest = table.chosen(np.argsort(table.numbers("margin_planned_percent"), kind="stable"))
    assumed = _optional(write, "short_circuit.assumptions", "assumptions", _assumed_about(write.run, "short_circuit"))
    return _section(
        write, "short_circuit", write.note("short_circuit.text"),
        _optional(write, "short_circuit.levels", "short_circuit_levels", write.run.short_circuit_levels),
        f"<h3>{write.word('short_circuit.buses')}</h3>",
        write.table("short_circuit", tightest, most=MOST_ROWS, css="dense"), _openings(write),
        assumed, wide=True,
    )  # fmt: skip


def _openings(write: Writer) -> str:
    """Lines to open, if any: the network as mapped or generated is closed, where utilities run it open."""
    table = write.run.short_circuit_openings
    if table is None or not len(table):
        return ""
    return (
        f"<h3>{write.word('short_circuit.openings')}</h3>{write.note('short_circuit.openings_text')}"
        + write.table("short_circuit_openings", table, css="dense")
    )  # fmt: skip


def _assumed_about(run: RunTables, subject: str) -> Sheet | None:
    found = run.assumptions
    return None if found is None else found.chosen([own == subject for own in found.texts("subject")])


def _ratio(write: Writer) -> Section:
    table = write.run.capacity_load_ratio
    if table is None:
        return _section(write, "ratio", write.missing("ratio.none"), wide=None)
    return _section(write, "ratio", write.note("ratio.formula"), write.table("capacity_load_ratio", table), wide=None)


def _year(write: Writer) -> Section:
    run = write.run
    if run.year_hours is None:
        return _section(write, "year", write.missing("year.none"), wide=None)
    text = write.paragraph(
        "year.text", hours=write.key_figure("year_hours"), above=write.key_figure("year_hours_above_rating"),
        worst=write.key_figure("year_loading_max_percent", 1),
    )  # fmt: skip
    worst = None if run.year_branches is None else _by_largest(run.year_branches, "max_loading_percent", 15)
    return _section(
        write,
        "year",
        text,
        write.chart("duration"),
        _optional(write, "year.branches", "year_branches", worst),
        wide=None,
    )


def _hosting(write: Writer) -> Section:
    run = write.run
    if run.substations is None:
        return _section(write, "hosting", write.missing("hosting.none"), wide=None)
    tightest = run.substations.chosen(np.argsort(run.substations.numbers("remaining_n_1_mw"), kind="stable"))
    return _section(
        write, "hosting", write.note("hosting.formula"), write.chart("hosting_cases"), write.chart("hosting"),
        write.note("hosting.order"), write.table("hosting", tightest, most=MOST_ROWS, css="dense"), wide=True,
    )  # fmt: skip


def _curtailment(write: Writer) -> Section:
    run = write.run
    if run.flexible is None:
        return _section(write, "curtailment", write.missing("curtailment.none"), wide=None)
    return _section(
        write, "curtailment", write.note("curtailment.text"), write.chart("curtailment"),
        write.table("flexible", run.flexible, most=MOST_ROWS, css="dense"),
        _optional(write, "curtailment.checks", "curtailment_checks", run.curtailment_checks), wide=True,
    )  # fmt: skip


def _parks(write: Writer) -> Section:
    parks = write.run.parks
    if parks is None or not len(parks):
        return _section(write, "parks", write.missing("parks.none"), wide=None)
    return _section(
        write, "parks", write.note("parks.text"), write.table("parks_sources", parks),
        f"<h3>{write.word('parks.energy')}</h3>", write.table("parks_energy", parks),
        f"<h3>{write.word('parks.exchange')}</h3>", write.table("parks_exchange", parks),
        f"<h3>{write.word('parks.cost')}</h3>", write.table("parks_cost", parks),
        _told(write, "parks.rules", "park_rules", write.run.park_rules),
        _told(write, "parks.sizing", "park_sizing", write.run.park_sizing, css="dense"), write.chart("park_curve"),
        _told(write, "parks.sites", "park_sites", write.run.park_sites, MOST_ROWS),
        _optional(write, "parks.assumptions", "assumptions", _assumed_about(write.run, "parks")), wide=True,
    )  # fmt: skip


def _grades(write: Writer) -> Section:
    grades = write.run.grades
    if grades is None:
        return _section(write, "grades", write.missing("grades.none"), wide=None)
    worst = np.array([_WORST_GRADE.get(grade, 3) for grade in grades.texts("grade")])
    order = np.lexsort((grades.numbers("open_connect_mw"), worst))
    table = write.table("grades", grades.chosen(order), most=MOST_ROWS, css="dense")
    return _section(write, "grades", write.note("grades.order"), table, wide=True)


def _measures(write: Writer) -> Section:
    run = write.run
    if run.upgrades is None or not len(run.upgrades):
        return _section(write, "measures", write.missing("measures.none"), wide=None)
    proof = _proof(write)
    return _section(
        write, "measures", write.table("upgrades", run.upgrades), proof or write.missing("measures.no_effects"),
        write.note("measures.note") if proof else "", wide=True,
    )  # fmt: skip


def _proof(write: Writer) -> str:
    """Measures that lift the capacity of a bus, and how many others were tried."""
    lifting = useful_measures(write.run)
    if lifting is None or write.run.upgrades is None:
        return ""
    counts = {"lifting": write.key_figure("measures_lifting"), "all": write.key_figure("measures")}
    note = write.note("measures.tried", **counts) if len(lifting) < len(write.run.upgrades) else ""
    return _optional(write, "measures.proof", "measure_effects", lifting) + note


def _plan(write: Writer) -> Section:
    run = write.run
    if run.plan_summary is None and run.plan_measures is None:
        return _section(write, "plan", write.missing("plan.none"), wide=None)
    return _section(
        write, "plan", _optional(write, "plan.summary", "plan_summary", run.plan_summary),
        _optional(write, "plan.greedy", "plan_greedy", run.plan_greedy),
        _optional(write, "plan.stages", "plan_stages", run.plan_stages),
        _optional(write, "plan.targets", "plan_targets", run.plan_targets),
        _optional(write, "plan.measures", "plan_measures", run.plan_measures, MOST_ROWS),
        write.chart("plan_staircase"),
        _optional(write, "plan.staircase", "plan_staircase", run.plan_staircase, MOST_ROWS),
        _optional(write, "plan.storage", "plan_storage", run.plan_storage, MOST_ROWS),
        _optional(write, "plan.binding", "plan_binding", run.plan_binding, 25),
        _optional(write, "plan.violations", "plan_violations", run.plan_violations, MOST_ROWS),
        _optional(write, "plan.sites", "plan_sites", run.plan_sites, MOST_ROWS), wide=True,
    )  # fmt: skip


def _findings(write: Writer) -> Section:
    found = write.run.findings
    if found is None or not len(found):
        return _section(write, "findings", write.missing("findings.none"), wide=None)
    return _section(write, "findings", write.table("findings", found), wide=True)


def _versions(write: Writer) -> Section:
    about = write.run.about
    text = write.paragraph(
        "versions.text", version=safe(about.fengguang), python=safe(about.python),
        code=f"<code>{safe(about.code_sha256)}</code>",
    )  # fmt: skip
    return _section(
        write, "versions", text, _optional(write, "versions.libraries", "libraries", write.run.libraries),
        _optional(write, "versions.outputs", "outputs", write.run.outputs),
    )  # fmt: skip


SECTIONS: tuple[Callable[[Writer], Section], ...] = (
    _study, _inputs, _assumptions, _land, _cases, _n_1, _voltage, _short_circuit, _ratio, _year, _hosting, _curtailment,
    _grades, _measures, _plan, _parks, _findings, _versions,
)  # fmt: skip
