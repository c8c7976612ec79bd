"""The rule data of ``grid/rulebook`` as small records: editions, figures, formulas, grades, reverse load rates.

Every record carries its clause, source and confidence: A read in the named source, B recalled content of the named
standard, C engineering reading. A study may set a figure of its own (:class:`RuleOverride`), which is then printed.
"""

from __future__ import annotations

import csv
import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

from grid.contracts import Assumption
from layers.contracts import Finding, FindingLog, InputError

FOLDER = Path(__file__).parent
Confidence = Literal["A", "B", "C"]
EditionName = Literal["dlt2041-2019", "dlt2041-2025"]
RULE_2019: EditionName = "dlt2041-2019"
RULE_2025: EditionName = "dlt2041-2025"


@dataclass(frozen=True)
class Edition:
    """One edition of DL/T 2041, as ``editions.toml`` names it."""

    id: str
    document: str
    title_zh: str
    title_en: str
    status_zh: str
    status_en: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Rule:
    """One figure of an edition."""

    edition: str
    rule: str
    value: float
    unit: str
    title_zh: str
    title_en: str
    clause: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class RuleOverride:
    """A study's own figure for one rule, with the reason."""

    rule: str
    value: float
    source: str


@dataclass(frozen=True)
class Formula:
    """A formula in symbols, and the same with places for numbers."""

    edition: str
    formula: str
    label_zh: str
    label_en: str
    expression: str
    filled: str
    clause: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class GradeRule:
    """Condition and consequence of a grade; ``reason_*`` have places for numbers."""

    edition: str
    grade: str
    cause: str
    reason_zh: str
    reason_en: str
    consequence_zh: str
    consequence_en: str
    clause: str
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class BetaRule:
    """How the largest reverse load rate of one level and arrangement is found. ``value`` is NaN for N-1."""

    edition: str
    level: int
    arrangement: str
    method: str
    value: float
    may_raise: str
    title_zh: str
    title_en: str
    clause: str
    source: str
    confidence: Confidence


def table_rows(name: str) -> tuple[Mapping[str, str], ...]:
    """Rows of one CSV file of the rule book, as text, in file order."""
    return _rows(name)


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def editions() -> tuple[Edition, ...]:
    """All editions, oldest first."""
    found = tomllib.loads((FOLDER / "editions.toml").read_text(encoding="utf-8"))["editions"]
    return tuple(Edition(**entry) for entry in found)


def known_editions() -> tuple[str, ...]:
    """Names that a study may write, e.g. ``dlt2041-2025``."""
    return tuple(edition.id for edition in editions())


def edition_named(name: str, *, file: str = "") -> Edition:
    """The edition of that name.

    Raises
    ------
    InputError
        Rule ``rulebook.edition``: there is no such edition; the nearest name is proposed.
    """
    found = next((edition for edition in editions() if edition.id == name), None)
    if found is None:
        near = difflib.get_close_matches(name, known_editions(), 1, 0.5)
        remedy = f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known_editions())}."
        text = "there is no such edition of the rule book."
        raise InputError([Finding("error", "rulebook.edition", file, "rule", "edition", name, text, remedy)])
    return found


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(**{**row, "value": float(row["value"])})  # type: ignore[arg-type]
        for row in _rows("rules")
    )


def rules(
    edition: str, overrides: Sequence[RuleOverride] = (), *, file: str = "", log: FindingLog | None = None
) -> dict[str, Rule]:
    """Figures of an edition by name, with the study's own figures in place.

    Parameters
    ----------
    edition : str
        An edition, or ``henan-2023`` or ``short-circuit``.
    overrides : sequence of RuleOverride
        A study's own figures; their confidence becomes A (given by the study) and their source the study's reason.
    log : FindingLog, optional
        Takes the findings instead of raising them; faulty overrides are then left out.

    Raises
    ------
    InputError
        Without ``log``: all overrides that name no rule, repeat one, are no finite number >= 0, or give no reason.
    """
    own = {rule.rule: rule for rule in _rules() if rule.edition == edition}
    found, seen = FindingLog() if log is None else log, set[str]()
    for change in overrides:
        faults = _override_faults(change, own, seen)
        found.extend([Finding("error", r, file, edition, change.rule, f"{change.value:g}", m, h) for r, m, h in faults])
        seen.add(change.rule)
        if not faults:
            old = own[change.rule]
            own[change.rule] = Rule(
                edition, old.rule, change.value, old.unit, old.title_zh, old.title_en, old.clause, change.source, "A"
            )
    if log is None:
        found.raise_errors()
    return own


def _override_faults(change: RuleOverride, own: Mapping[str, Rule], seen: set[str]) -> list[tuple[str, str, str]]:
    faults = []
    if change.rule not in own:
        faults.append(("rulebook.override", "the edition has no such rule.", f"Use one of {', '.join(sorted(own))}."))
    if change.rule in seen:
        faults.append(("rulebook.override_twice", "the rule is given twice.", "Keep one."))
    if not (math.isfinite(change.value) and change.value >= 0):
        faults.append(("rulebook.override_value", "must be a finite number, zero or more.", "Correct the figure."))
    if not change.source.strip():
        faults.append(("rulebook.override_source", "the figure has no source.", "Say where it comes from."))
    return faults


def override_assumptions(edition: str, overrides: Sequence[RuleOverride]) -> tuple[Assumption, ...]:
    """What a study changed, as assumptions to be printed with the result."""
    known = rules(edition)
    return tuple(
        Assumption(
            f"rulebook/{change.rule}",
            edition,
            f"{known[change.rule].title_zh}：研究取 {change.value:g}，规则为 {known[change.rule].value:g}",
            f"{known[change.rule].title_en}: the study takes {change.value:g}, the rule {known[change.rule].value:g}",
            f"{change.value:g}",
            change.source,
            "A",
        )
        for change in overrides
    )


@cache
def formula(edition: str, name: str) -> Formula:
    """The formula of that name; ``KeyError`` if the edition has none."""
    row = _one("formulas", edition=edition, formula=name)
    return Formula(**row)  # type: ignore[arg-type]


@cache
def grade_rule(edition: str, grade: str, cause: str) -> GradeRule:
    """The line of the grade table for one grade and cause."""
    return GradeRule(**_one("grades", edition=edition, grade=grade, cause=cause))  # type: ignore[arg-type]


@cache
def beta_rule(edition: str, level: int, arrangement: str) -> BetaRule:
    """How beta is found at one level for one arrangement of units."""
    row = _one("beta", edition=edition, level=str(level), arrangement=arrangement)
    value = float(row["value"]) if row["value"] else math.nan
    return BetaRule(**{**row, "level": level, "value": value})  # type: ignore[arg-type]


def _one(table: str, **keys: str) -> dict[str, str]:
    for row in _rows(table):
        if all(row[key] == value for key, value in keys.items()):
            return dict(row)
    raise KeyError(f"{table}: no row with {keys}")


@cache
def levels(edition: str) -> dict[float, int]:
    """Nominal voltage [kV] of the high side -> place in the order of grading (0 first)."""
    return {float(row["vn_kv"]): int(row["level"]) for row in _rows("levels") if edition in row["editions"].split()}


@cache
def _bands() -> tuple[tuple[float, float, float], ...]:
    return tuple((float(r["from_kv"]), float(r["to_kv"]), float(r["vn_kv"])) for r in _rows("voltage_bands"))


def graded_voltage_kv(vn_kv: float) -> float:
    """Level [kV] that a base voltage counts as: 230 or 225 as 220, 138 as 110; NaN outside all bands.

    Networks of other countries, and data files that carry average voltages, have none of the levels themselves.
    """
    return next((level for low, high, level in _bands() if low <= vn_kv < high), math.nan)


def weakest(confidences: Iterable[str]) -> Confidence:
    """The weakest of several confidences (C is weaker than B, B than A); A where there is none."""
    return cast(Confidence, max(confidences, default="A"))
