r"""DL/T 2041-2019: reverse load rate, capacity that may be added, grades. Kept as the superseded edition.

.. math::

    \lambda = \frac{P_D - P_L}{S_e}, \qquad P_m = (1 - \lambda_{max})\,S_e\,k_r

P_D output of distributed generation, P_L load minus the output of other generation, S_e operating limit of the
transformer or line, k_r operating margin, usually 0.8. One row a transformer or line, at the hour of its largest
lambda. Formulas and grades are recalled content of the standard (confidence B).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Assumption
from grid.rulebook.book import (
    RULE_2019,
    Confidence,
    GradeRule,
    Rule,
    RuleOverride,
    formula,
    grade_rule,
    override_assumptions,
    rules,
    weakest,
)
from grid.rulebook.formulas import FilledFormula, filled, joined, number
from grid.rulebook.hierarchy import check_levels, check_superiors, from_the_top
from grid.rulebook.inputs import CHECKS_2019, EQUIPMENT_2019, typed
from layers.contracts import FindingLog
from layers.tables import Table, column

Floats = TypeVar("Floats", float, npt.NDArray[np.float64])
GRADES = ("green", "yellow", "red")

RESULT_2019 = Table(
    "dlt2041_2019",
    "Grade of each transformer and line by DL/T 2041-2019, with the formula filled in.",
    {
        "equipment_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "vn_kv": column(float, "kV", "voltage level"),
        "edition": column(str, "", "edition of the rule book", isin=(RULE_2019,)),
        "equivalent_load_mw": column(float, "MW", "P_L, load minus other generation"),
        "lambda_max": column(float, "1", "reverse load rate; negative: power flows down"),
        "new_capacity_mw": column(float, "MW", "P_m by the formula; negative: too much is connected"),
        "open_mw": column(float, "MW", "what may be added: 0 if red, never more than the superior's", ge=0),
        "grade_own": column(str, "", "grade by its own numbers and checks", isin=GRADES),
        "grade": column(str, "", "grade", isin=GRADES),
        "inherited": column(bool, "", "red because of the superior alone"),
        "provisional": column(bool, "", "not red, but checks are still open"),
        "superior_id": column(str, "", "superior"),
        "superior_grade": column(str, "", "grade of the superior; empty: none", isin=(*GRADES, "")),
        "failed_checks": column(str, "", "checks that failed"),
        "open_checks": column(str, "", "checks that were not done"),
        "reason_zh": column(str, "", "why this grade"),
        "reason_en": column(str, "", "why this grade"),
        "consequence_zh": column(str, "", "what follows"),
        "consequence_en": column(str, "", "what follows"),
        "formula": column(str, "", "formulas in symbols and numbers, without words"),
        "formula_zh": column(str, "", "formulas with the numbers filled in"),
        "formula_en": column(str, "", "formulas with the numbers filled in"),
        "clause": column(str, "", "clauses"),
        "confidence": column(str, "", "weakest of the rules used", isin=("A", "B", "C")),
    },
)


@dataclass(frozen=True)
class Options2019:
    """Settings of an assessment by the 2019 edition."""

    overrides: tuple[RuleOverride, ...] = ()
    """The study's own figures for rules of the edition: ``k_r``, ``lambda_red_above``, ..."""


@dataclass(frozen=True)
class Assessment2019:
    """Result: one row a transformer or line, in the order of the input, and what was assumed."""

    equipment: pd.DataFrame
    assumptions: tuple[Assumption, ...]


def reverse_load_rate(dg_output_mw: Floats, equivalent_load_mw: Floats, limit_mva: Floats) -> Floats:
    r"""Reverse load rate :math:`\lambda = (P_D - P_L)/S_e` [1].

    Parameters
    ----------
    dg_output_mw, equivalent_load_mw, limit_mva : float or array, all of one shape
        P_D, P_L (load minus other generation), S_e. NaN gives NaN.

    Returns
    -------
    float or array
        Positive: power flows from the lower to the higher voltage.
    """
    return (dg_output_mw - equivalent_load_mw) / limit_mva


def new_capacity_mw(lambda_max: Floats, limit_mva: Floats, k_r: float) -> Floats:
    r"""Capacity that may be added, :math:`P_m = (1 - \lambda_{max}) S_e k_r` [MW]; negative where too much is there."""
    return (1.0 - lambda_max) * limit_mva * k_r


def causes_reverse_flow(dg_output_mw: Floats, equivalent_load_mw: Floats) -> npt.NDArray[np.bool_]:
    """Whether distributed generation turns the flow round: reverse with it, not without it."""
    dg, load = np.asarray(dg_output_mw), np.asarray(equivalent_load_mw)
    return np.asarray((dg - load > 0) & (load >= 0))


def assess_2019(equipment: pd.DataFrame, options: Options2019 | None = None, *, file: str = "") -> Assessment2019:
    """Grade transformers and lines by the 2019 edition.

    Parameters
    ----------
    equipment : DataFrame
        Columns of :data:`grid.rulebook.inputs.EQUIPMENT_2019`; text is read as numbers where they are promised.
    options : Options2019, optional
    file : str
        Name that findings show for the table.

    Raises
    ------
    InputError
        Every fault of table and options: columns, numbers, levels, missing superiors, circles.
    """
    options = options or Options2019()
    log, where = FindingLog(), (file, EQUIPMENT_2019.table.name)
    table = typed(equipment, EQUIPMENT_2019, log, file)
    ids, levels_kv = table["equipment_id"].tolist(), table["vn_kv"].tolist()
    superior = dict(zip(ids, table["superior_id"].tolist(), strict=True))
    check_levels(ids, levels_kv, RULE_2019, log, where)
    check_superiors(superior, dict(zip(ids, levels_kv, strict=True)), RULE_2019, log, where)
    figures = rules(RULE_2019, options.overrides, file=file, log=log)
    log.raise_errors()
    own = _own_results(table, figures)
    rows: dict[str, dict[str, Any]] = {}
    for item in from_the_top(superior):
        rows[item] = _graded(own[item], rows.get(superior[item]), figures)
    result = pd.DataFrame([rows[item] for item in ids], columns=list(RESULT_2019.columns))
    return Assessment2019(_typed_result(result), override_assumptions(RULE_2019, options.overrides))


def _typed_result(result: pd.DataFrame) -> pd.DataFrame:
    if result.empty:
        return RESULT_2019.empty()
    return RESULT_2019.validate(result)


@dataclass(frozen=True)
class _Own:
    """One row by its own numbers."""

    row: dict[str, Any]
    load_mw: float
    rate: float
    added_mw: float
    turns: bool


def _own_results(table: pd.DataFrame, figures: dict[str, Rule]) -> dict[str, _Own]:
    load = (table["load_mw"] - table["other_generation_mw"]).to_numpy(float)
    dg, limit = table["dg_output_mw"].to_numpy(float), table["limit_mva"].to_numpy(float)
    rate = reverse_load_rate(dg, load, limit)
    added = new_capacity_mw(rate, limit, figures["k_r"].value)
    turns = causes_reverse_flow(dg, load) & (table["vn_kv"].to_numpy(float) >= figures["reverse_into_kv"].value)
    return {
        str(row["equipment_id"]): _Own(
            {str(k): v for k, v in row.items()}, float(load[k]), float(rate[k]), float(added[k]), bool(turns[k])
        )
        for k, row in enumerate(table.to_dict("records"))
    }


def _own_causes(own: _Own, figures: dict[str, Rule]) -> tuple[str, list[tuple[GradeRule, dict[str, str]]]]:
    """Grade by the row's own numbers and checks, with every line of the grade table that leads to it."""
    green, red = figures["lambda_green_max"].value, figures["lambda_red_above"].value
    shown = {"lambda": number(own.rate), "green": number(green), "red": number(red)}
    causes: list[tuple[GradeRule, dict[str, str]]] = []
    failed = [name for name in CHECKS_2019 if own.row[name] == "failed"]
    if failed:
        causes.append((grade_rule(RULE_2019, "red", "check"), {"checks": ", ".join(failed)}))
    if own.rate > red:
        causes.append((grade_rule(RULE_2019, "red", "own"), shown))
    if own.turns:
        flow = number(own.row["dg_output_mw"] - own.load_mw)
        turned = {"vn_kv": number(own.row["vn_kv"]), "reverse": flow}
        causes.append((grade_rule(RULE_2019, "red", "reverse"), turned))
    if causes:
        return "red", causes
    grade = "green" if own.rate <= green else "yellow"
    return grade, [(grade_rule(RULE_2019, grade, "own"), shown)]


def _graded(own: _Own, above: dict[str, Any] | None, figures: dict[str, Rule]) -> dict[str, Any]:
    grade_own, causes = _own_causes(own, figures)
    inherits = above is not None and above["grade"] == "red" and bool(figures["inherit_red"].value)
    if inherits and above is not None:
        line = (grade_rule(RULE_2019, "red", "superior"), {"superior": str(above["equipment_id"])})
        causes = [line] if grade_own != "red" else [*causes, line]
    grade = "red" if inherits else grade_own
    ceiling = np.inf if above is None else float(above["open_mw"])
    pending = [name for name in CHECKS_2019 if own.row[name] == "open"]
    worked = _worked(own, figures)
    return {
        "equipment_id": own.row["equipment_id"],
        "name_zh": own.row["name_zh"],
        "name_en": own.row["name_en"],
        "vn_kv": own.row["vn_kv"],
        "edition": RULE_2019,
        "equivalent_load_mw": own.load_mw,
        "lambda_max": own.rate,
        "new_capacity_mw": own.added_mw,
        "open_mw": 0.0 if grade == "red" else min(max(own.added_mw, 0.0), ceiling),
        "grade_own": grade_own,
        "grade": grade,
        "inherited": inherits and grade_own != "red",
        "provisional": bool(pending) and grade != "red",
        "superior_id": own.row["superior_id"],
        "superior_grade": "" if above is None else above["grade"],
        "failed_checks": ", ".join(name for name in CHECKS_2019 if own.row[name] == "failed"),
        "open_checks": ", ".join(pending),
        **reason_columns(causes),
        "formula": worked.text,
        "formula_zh": worked.text_zh,
        "formula_en": worked.text_en,
        "clause": worked.clause,
        "confidence": weakest((worked.confidence, figures["k_r"].confidence, *_confidences(causes))),
    }


def _confidences(causes: Sequence[tuple[GradeRule, dict[str, str]]]) -> list[Confidence]:
    return [line.confidence for line, _ in causes]


def reason_columns(causes: Sequence[tuple[GradeRule, dict[str, str]]]) -> dict[str, str]:
    """Reasons and consequence of a grade from the lines of the grade table that led to it."""
    return {
        "reason_zh": "；".join(line.reason_zh.format(**values) for line, values in causes),
        "reason_en": "; ".join(line.reason_en.format(**values) for line, values in causes),
        "consequence_zh": causes[0][0].consequence_zh,
        "consequence_en": causes[0][0].consequence_en,
    }


def _worked(own: _Own, figures: dict[str, Rule]) -> FilledFormula:
    limit = own.row["limit_mva"]
    return joined(
        (
            filled(
                formula(RULE_2019, "lambda"),
                **{"p_d": own.row["dg_output_mw"], "p_l": own.load_mw, "s_e": limit, "lambda": own.rate},
            ),
            filled(
                formula(RULE_2019, "new_capacity"),
                **{"lambda": own.rate, "s_e": limit, "k_r": figures["k_r"].value, "p_m": own.added_mw},
            ),
        )
    )
