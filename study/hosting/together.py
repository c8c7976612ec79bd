"""``fengguang hosting --together``: several buses at once, from a CSV or a list to tables and a workbook."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from grid.capacity.clusters import corridor_clusters, group_figures
from grid.capacity.settings import CapacitySettings
from grid.capacity.together import first_come, max_min, max_total, proportional
from grid.capacity.together_records import NamedCase, Site, Together, TogetherOptions
from grid.capacity.together_shares import headroom_shares
from grid.capacity.together_study import Study
from layers.contracts import Finding, FindingLog, InputError
from layers.tables import Table, column
from study.atomic import replaced
from study.hosting.inputs import read_columns
from study.hosting.run import HostingAsked, Prepared, Progress, prepare

Question = Literal["max-total", "proportional", "first-come", "max-min"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
_DIGITS = "%.10g"
_WHOLE = "all"
_NUMBERS = ("wish_mw", "share", "weight")

TOGETHER_ANSWERS = Table(
    "together_answers",
    "One row a question about all buses at once.",
    {
        "question": column(str, "", "max-total, proportional, first-come or max-min", unique=True),
        "status": column(str, "", "clean, shrunk, gap or base case"),
        "total_mw": column(float, "MW", "what all sites take; by the weights where there are some", ge=0),
        "bound_mw": column(float, "MW", "bound of the linear programme, or least total known to break", nullable=True),
        "factor": column(float, "1", "proportional to wishes: the common share of them", nullable=True),
        "beyond_mw": column(float, "MW", "clean total beyond a gap", nullable=True),
        "residual_percent": column(float, "%", "largest loading above its bound", ge=0),
        "residual_pu": column(float, "pu", "largest voltage outside its bound", ge=0),
        "ac_states": column(int, "", "AC states solved so far", ge=0),
    },
)


@dataclass(frozen=True)
class Asked:
    """A set of sites. ``shares`` and ``weights`` by site where given; ``groups`` the group above each site."""

    sites: tuple[Site, ...]
    shares: Mapping[str, float]
    weights: Mapping[str, float]
    groups: Mapping[str, str]
    label: str
    """File or option that names them."""


@dataclass(frozen=True)
class TogetherRun:
    """Answers by question, and the tables that are written."""

    answers: Mapping[Question, Together]
    tables: Mapping[str, pd.DataFrame]


def read_sites(text: str) -> Asked:
    """Sites of a CSV, or of a list such as ``118:60,205:200,7``: bus, and the MW asked for where there are some.

    Columns of the CSV: ``bus``, and where wanted ``site``, ``wish_mw``, ``share``, ``weight`` and ``group``.

    Raises
    ------
    InputError
        With every bus, number, name and column that is wrong.
    """
    path = Path(text)
    if path.suffix.lower() == ".csv" or path.is_file():
        table = read_columns(path, ("bus",), ("site", *_NUMBERS, "group"))
        return _sites(table, path.name)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    rows = [[bus.strip(), wish.strip()] for bus, _, wish in (part.partition(":") for part in parts)]
    return _sites(pd.DataFrame(rows, columns=["bus", "wish_mw"], dtype=str), "--together")


def _sites(table: pd.DataFrame, label: str) -> Asked:
    log = FindingLog()
    table = table.apply(lambda cells: cells.str.strip())
    names = table["site"] if "site" in table else table["bus"]
    names = names.where(names != "", table["bus"])
    if table.empty:
        log.add(_fault(label, "none", "sites", "", "there is no site.", "Name buses: 118:60,205 or a CSV."))
    for name in names[names.duplicated()].unique():
        log.add(_fault(label, "repeated", name, name, "the site is given twice.", "Give each a name of its own: site."))
    for name, bus in zip(names, table["bus"], strict=True):
        if not bus.lstrip("-").isdecimal():
            log.add(_fault(label, "bus", name, bus, "this is no bus number.", "Give the number of a bus."))
    numbers = {n: _column(table[n], names, n, label, log) for n in _NUMBERS if n in table}
    shares = numbers.get("share", {})
    if shares and numbers.get("wish_mw"):
        log.add(_fault(label, "share", "share", "", "wishes in MW and shares exclude each other.", "Give one of them."))
    if shares and len(shares) < len(names):
        log.add(_fault(label, "share", "share", "", "some sites have a share, others none.", "Fill the column."))
    if shares and not sum(shares.values()) > 0:
        log.add(_fault(label, "share", "share", "", "no share is above 0.", "Give one."))
    groups = dict(zip(names, table["group"], strict=True)) if "group" in table else {}
    for name in [name for name, group in groups.items() if not group]:
        log.add(_fault(label, "group", name, "", "the site has no group.", "Fill the column, or leave it out."))
    log.raise_errors()
    wishes = numbers.get("wish_mw", {})
    sites = tuple(Site(n, int(b), wishes.get(n, math.inf)) for n, b in zip(names, table["bus"], strict=True))
    return Asked(sites, shares, numbers.get("weight", {}), groups, label)


def _column(cells: pd.Series, names: pd.Series, what: str, label: str, log: FindingLog) -> dict[str, float]:
    """Numbers of the cells that are filled, by site."""
    found = {}
    for name, text, number in zip(names, cells, pd.to_numeric(cells, errors="coerce"), strict=True):
        if text == "":
            continue
        if not (math.isfinite(number) and number >= 0):
            message = f"{what} is a number of 0 or more."
            log.add(_fault(label, what, f"{name} {what}", text, message, "Correct it, or leave the cell empty."))
            continue
        found[str(name)] = float(number)
    return found


def prepare_together(
    hosting: HostingAsked, asked: Asked, question: str, tell: Progress
) -> tuple[Prepared, tuple[Question, ...]]:
    """Read and check the network with the buses of all sites; nothing heavy is run. Questions as they will be asked.

    Raises
    ------
    InputError
        With every bus that is not in service, and a question that lacks its wishes.
    """
    prepared = prepare(replace(hosting, buses="stations", certify="none"), tell)
    log = FindingLog()
    for site in asked.sites:
        if site.bus_id not in prepared.bus_ids:
            near = sorted(prepared.bus_ids, key=lambda bus: (abs(bus - site.bus_id), bus))[:3]
            remedy = f"Buses with the nearest numbers: {', '.join(map(str, near))}."
            text = "there is no such bus in service."
            log.add(_fault(asked.label, "bus", site.id, str(site.bus_id), text, remedy))
    wished = bool(asked.shares) or all(math.isfinite(site.wish_mw) for site in asked.sites)
    if question == "proportional" and not wished:
        text, remedy = "in proportion to what?", "Give every site a wish_mw or a share."
        log.add(_fault(asked.label, "wish", "--question", question, text, remedy))
    log.raise_errors()
    if question != "all":
        return prepared, (question,)  # type: ignore[return-value]
    return prepared, tuple(one for one in QUESTIONS if wished or one != "proportional")


def study_of(prepared: Prepared, asked: Asked, settings: CapacitySettings, progress: Progress) -> Study:
    """The library's study of these sites in all cases.

    Raises
    ------
    InputError
        If a case has no solution, or what :meth:`grid.capacity.together_study.Study.of` refuses.
    """
    cases = [NamedCase(name, case) for name, case in prepared.cases.items()]
    options = TogetherOptions(n_1=prepared.request.n_1)
    try:
        return Study.of(cases, asked.sites, settings, options, prepared.request.options, progress)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        remedy = "Solve the case with 'fengguang loadflow' first: it says where it fails."
        raise InputError([_fault(asked.label, "case", "cases", "", f"{error}.", remedy)]) from error


def with_shares(study: Study, shares: Mapping[str, float]) -> Study:
    """The study with wishes in the ratio of the shares, at the most total that no site's own branches rule out."""
    parts = np.array([shares[site.id] for site in study.sites]) / sum(shares.values())
    open_ = (parts > 0) & (study.cap_mw > 0)
    total = float((study.cap_mw[open_] / parts[open_]).min()) if open_.any() else 1.0
    sites = tuple(replace(s, wish_mw=float(total * part)) for s, part in zip(study.sites, parts, strict=True))
    return replace(study, sites=sites)


def ask(study: Study, asked: Asked, question: Question, progress: Progress) -> Together:
    """One question of :mod:`grid.capacity.together`."""
    if question == "max-total":
        weights = np.array([asked.weights.get(s.id, 1.0) for s in study.sites]) if asked.weights else None
        return max_total(study, weights, progress)
    if question == "first-come":
        return first_come(study, progress=progress)
    if question == "max-min":
        return max_min(study)
    return proportional(with_shares(study, asked.shares) if asked.shares else study)


def run_together(
    hosting: HostingAsked, asked: Asked, question: str, progress: Progress | None = None
) -> TogetherRun:  # fmt: skip
    """Answer and write into ``hosting.out``.

    Raises
    ------
    InputError
        With everything wrong with the inputs, before anything heavy runs or is written.
    """
    tell = progress or (lambda label, share: None)
    prepared, questions = prepare_together(hosting, asked, question, tell)
    study = study_of(prepared, asked, hosting.settings, tell)
    answers = {one: ask(study, asked, one, tell) for one in questions}
    run = TogetherRun(answers, _tables(study, asked, answers, tell))
    _write(hosting.out, run, prepared, asked)
    return run


def _tables(
    study: Study, asked: Asked, answers: Mapping[Question, Together], tell: Progress
) -> dict[str, pd.DataFrame]:  # fmt: skip
    found = {
        "together": _joined(answers, [a.allocation for a in answers.values()]),
        "together_answers": answers_table(answers),
        "together_binding": _joined(answers, [a.binding for a in answers.values()]),
        "together_headroom": _joined(answers, [headroom_shares(study, a) for a in answers.values()]),
    }
    if len(study.sites) > 1 and not study.base_case:
        tell("clusters", 0.0)
        found["together_clusters"] = corridor_clusters(study)
    if asked.groups:
        tell("groups", 0.0)
        above = dict.fromkeys(asked.groups.values(), _WHOLE)
        found["together_groups"] = group_figures(study, {**asked.groups, **above}).table
    return {name: table.replace({np.inf: np.nan}) for name, table in found.items()}


def answers_table(answers: Mapping[Question, Together]) -> pd.DataFrame:
    """Totals and status of every question, :data:`TOGETHER_ANSWERS`."""
    names = [name for name in TOGETHER_ANSWERS.columns if name != "question"]
    rows = [(question, *(getattr(answer, name) for name in names)) for question, answer in answers.items()]
    return TOGETHER_ANSWERS.validate(pd.DataFrame(rows, columns=list(TOGETHER_ANSWERS.columns)))


def _joined(answers: Mapping[Question, Together], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of all questions below each other, the question in the first column."""
    named = [table.assign(question=question) for question, table in zip(answers, tables, strict=True)]
    filled = [table for table in named if len(table)] or named[:1]
    joined = pd.concat(filled, ignore_index=True)
    return joined[["question", *(name for name in joined.columns if name != "question")]]


def _write(out: Path, run: TogetherRun, prepared: Prepared, asked: Asked) -> None:
    from study.loadflow.run import write_tables_workbook

    out.mkdir(parents=True, exist_ok=True)
    for name, table in run.tables.items():
        with replaced(out / f"{name}.csv") as path:
            table.to_csv(path, index=False, encoding="utf-8-sig", float_format=_DIGITS)
    with replaced(out / "together.xlsx") as path:
        write_tables_workbook(path, dict(run.tables))
    some = next(iter(run.answers.values()))
    told = {
        "network": prepared.network.name,
        "cases": list(prepared.cases),
        "mode": "n_1" if prepared.request.n_1 else "n_0",
        "added": "load" if prepared.request.settings.load else "generation",
        "sites": {"given": asked.label, "count": len(asked.sites)},
        "answers": {q: {"status": a.status, "total_mw": round(a.total_mw, 4)} for q, a in run.answers.items()},
        "unsolved": list(some.unsolved),
        "not_followed": list(some.not_followed),
        "inputs": {part: dict(entry) for part, entry in prepared.inputs.items()},
    }  # fmt: skip
    with replaced(out / "together.json") as path:
        path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def together_words(run: TogetherRun, out: Path, say: Callable[[str], None]) -> None:
    """One line a question, then where the tables are."""
    for question, answer in run.answers.items():
        share = f", {answer.factor:.1%} of every wish" if question == "proportional" and answer.factor < 1 else ""
        tight = answer.binding
        held = ""
        if len(tight):
            row = tight.iloc[0]
            held = f"; {row['limit']} {row['element']}" + (f" when {row['outage']} is lost" if row["outage"] else "")
        say(f"{question:13s}{answer.total_mw:10.1f} MW  {answer.status}{share}{held}")
    say(f"{out}/together.xlsx")


def _fault(label: str, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"together.{rule}", label, "sites", item, value, message, remedy)
