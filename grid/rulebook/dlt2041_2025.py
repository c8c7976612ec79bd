r"""DL/T 2041-2025: hosting capacity of equipment, open capacity, grades from the county down.

.. math::

    S_d = \frac{P - P_G + \beta S \cos\theta + P_{ESS}}{\tau_{max}} + \Delta P_{ESS}, \qquad
    C_1 = S_d - S_{con}, \qquad C_2 = C_1 - S_{reg}

Every figure is an interval, from the bounds of the expected new storage. Where new storage stands is open: public
implementations put it inside the numerator or add it after the division. The switch ``new_storage`` decides
(``after`` is the default) and is printed with the result. The text of the edition was not read: what is marked A was
read in public implementations of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Assumption
from grid.rulebook.beta import Beta, beta_by_rule, given_beta
from grid.rulebook.book import (
    RULE_2025,
    GradeRule,
    Rule,
    RuleOverride,
    formula,
    grade_rule,
    levels,
    override_assumptions,
    rules,
    weakest,
)
from grid.rulebook.check_2025 import checked_inputs
from grid.rulebook.counties import County, CountySettings, assess_counties
from grid.rulebook.dlt2041_2019 import reason_columns
from grid.rulebook.formulas import FilledFormula, filled, joined, number
from grid.rulebook.hierarchy import from_the_top
from grid.rulebook.inputs import fault
from grid.rulebook.verification import VERIFICATION, demands_and_verdict, verification_rows
from layers.contracts import FindingLog
from layers.tables import Table, column

Floats = TypeVar("Floats", float, npt.NDArray[np.float64])
NewStorage = Literal["after", "inside"]
GRADES = ("green", "yellow", "red")

_CAPACITY_COLUMNS = {
    "hosting_min_mw": column(float, "MW", "hosting capacity, lower bound; negative: less than none"),
    "hosting_max_mw": column(float, "MW", "hosting capacity, upper bound"),
    "connected_mw": column(float, "MW", "distributed generation connected"),
    "registered_mw": column(float, "MW", "registered, not yet connected"),
    "connectable_min_mw": column(float, "MW", "C1, lower bound; negative: too much is connected"),
    "connectable_max_mw": column(float, "MW", "C1, upper bound"),
    "registrable_min_mw": column(float, "MW", "C2, lower bound; negative: too much is registered"),
    "registrable_max_mw": column(float, "MW", "C2, upper bound"),
    "open_connect_mw": column(float, "MW", "lower bound of C1 that may be published: 0 if red, <= superior's", ge=0),
    "open_register_mw": column(float, "MW", "the same of C2", ge=0),
    "grade": column(str, "", "grade", isin=GRADES),
    "reason_zh": column(str, "", "why this grade"),
    "reason_en": column(str, "", "why this grade"),
    "consequence_zh": column(str, "", "what follows"),
    "consequence_en": column(str, "", "what follows"),
    "formula": column(str, "", "formulas in symbols and numbers, without words"),
    "formula_zh": column(str, "", "formulas with the numbers filled in"),
    "formula_en": column(str, "", "formulas with the numbers filled in"),
    "clause": column(str, "", "clauses"),
    "switches": column(str, "", "how the open points of the edition were decided"),
    "confidence": column(str, "", "weakest of the rules used", isin=("A", "B", "C")),
}

RESULT_2025 = Table(
    "dlt2041_2025",
    "Hosting and open capacity of each transformer by DL/T 2041-2025, with the formula filled in.",
    {
        "equipment_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "vn_kv": column(float, "kV", "voltage level"),
        "edition": column(str, "", "edition of the rule book", isin=(RULE_2025,)),
        "sn_mva": column(float, "MVA", "rating of all units"),
        "units": column(int, "", "units in operation"),
        "beta": column(float, "1", "largest reverse load rate used"),
        "beta_rule": column(float, "1", "what the rule alone gives"),
        "beta_reason_zh": column(str, "", "why this rate"),
        "beta_reason_en": column(str, "", "why this rate"),
        "superior_id": column(str, "", "superior equipment or county"),
        "superior_grade": column(str, "", "grade of the superior; empty: none", isin=(*GRADES, "")),
        "grade_own": column(str, "", "grade by its own numbers", isin=GRADES),
        "inherited": column(bool, "", "red because of the superior alone"),
        "demands_zh": column(str, "", "why verification is demanded; empty: it is not"),
        "demands_en": column(str, "", "why verification is demanded; empty: it is not"),
        "failed_checks": column(str, "", "checks that failed"),
        "open_checks": column(str, "", "checks demanded and not done"),
        "verdict": column(str, "", "connect, warn, verify, improve or suspend"),
        "verdict_zh": column(str, "", "the verdict in words"),
        "verdict_en": column(str, "", "the verdict in words"),
        **_CAPACITY_COLUMNS,
    },
)

COUNTY_RESULT_2025 = Table(
    "dlt2041_2025_counties",
    "Hosting and open capacity of each county: the lesser of system and equipment level, bound by bound.",
    {
        "county_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "edition": column(str, "", "edition of the rule book", isin=(RULE_2025,)),
        "weight": column(
            float, "1", "share of the system level; NaN: given directly, or no system level", nullable=True
        ),
        "system_min_mw": column(float, "MW", "system level, lower bound; NaN: none", nullable=True),
        "system_max_mw": column(float, "MW", "system level, upper bound; NaN: none", nullable=True),
        "equipment_min_mw": column(float, "MW", "sum of the equipment, lower bound"),
        "equipment_max_mw": column(float, "MW", "sum of the equipment, upper bound"),
        "equipment": column(str, "", "equipment of the sum"),
        "binding": column(str, "", "what sets the lower bound", isin=("system", "equipment")),
        "surplus_mw": column(
            float, "MW", "system share above what the equipment can take: to be given to other counties", ge=0
        ),
        **_CAPACITY_COLUMNS,
    },
)


@dataclass(frozen=True)
class Options2025:
    """Settings of an assessment by the 2025 edition."""

    new_storage: NewStorage = "after"
    """Where expected new storage stands: added after dividing by tau_max, or inside the numerator."""
    floor_at_zero: bool = False
    """Whether a negative hosting capacity counts as zero (one public implementation does so)."""
    counties: CountySettings = field(default_factory=CountySettings)
    overrides: tuple[RuleOverride, ...] = ()
    """The study's own figures for rules of the edition: ``n_1_limit``, ``near_zero``, ..."""

    @property
    def switches(self) -> str:
        """How the open points were decided, as printed with every row."""
        return f"new_storage={self.new_storage}; floor_at_zero={'yes' if self.floor_at_zero else 'no'}"


@dataclass(frozen=True)
class Assessment2025:
    """Result: equipment in the order of the input, counties, each check of each transformer, and what was assumed."""

    equipment: pd.DataFrame
    counties: pd.DataFrame
    verification: pd.DataFrame
    assumptions: tuple[Assumption, ...]


def hosting_interval_mw(
    load_mw: Floats,
    other_generation_mw: Floats,
    reverse_mw: Floats,
    storage_charge_mw: Floats,
    tau_max: Floats,
    new_storage_mw: tuple[Floats, Floats],
    new_storage: NewStorage = "after",
) -> tuple[Floats, Floats]:
    r"""Hosting capacity of equipment S_d, lower and upper bound [MW].

    Parameters
    ----------
    load_mw, other_generation_mw, storage_charge_mw : float or array
        P, P_G and P_ESS at the typical hour; all positive in their own sense.
    reverse_mw : float or array
        :math:`\beta S \cos\theta`, the reverse flow that the transformer may carry.
    tau_max : float or array
        Largest simultaneous output per installed capacity, in (0, 1].
    new_storage_mw : pair of float or array
        Bounds of the expected new storage.
    new_storage : {'after', 'inside'}
        ``after``: :math:`(P - P_G + \beta S\cos\theta + P_{ESS})/\tau_{max} + \Delta P_{ESS}`;
        ``inside``: :math:`(P - P_G + \beta S\cos\theta + P_{ESS} + \Delta P_{ESS})/\tau_{max}`.

    Returns
    -------
    pair of float or array
        May be negative. NaN gives NaN.
    """
    base = load_mw - other_generation_mw + reverse_mw + storage_charge_mw
    low, high = new_storage_mw
    if new_storage == "inside":
        return (base + low) / tau_max, (base + high) / tau_max
    return base / tau_max + low, base / tau_max + high


def grade_by_capacity(connectable_min_mw: Floats, registrable_min_mw: Floats) -> npt.NDArray[np.str_]:
    """Green, yellow or red from the lower bounds of C1 and C2 [MW]; an array of text, 0-dimensional for numbers."""
    c1, c2 = np.asarray(connectable_min_mw), np.asarray(registrable_min_mw)
    return np.where(c1 <= 0, "red", np.where(c2 <= 0, "yellow", "green"))


def assess_2025(
    equipment: pd.DataFrame,
    units: pd.DataFrame,
    counties: pd.DataFrame | None = None,
    shares: pd.DataFrame | None = None,
    options: Options2025 | None = None,
    *,
    file: str = "",
) -> Assessment2025:
    """Hosting capacity, open capacity and grades by the 2025 edition.

    Parameters
    ----------
    equipment, units, counties, shares : DataFrame
        Columns as in :mod:`grid.rulebook.inputs`; text is read as numbers where they are promised. Without counties
        the equipment is graded by its own numbers and its superiors alone.
    options : Options2025, optional
    file : str
        Name that findings show for the tables.

    Raises
    ------
    InputError
        Every fault of tables and options at once.
    """
    options, log = options or Options2025(), FindingLog()
    figures = rules(RULE_2025, options.overrides, file=file, log=log)
    if options.new_storage not in ("after", "inside"):
        text, remedy = "no such place for the new storage.", "Use after or inside."
        fault(log, "new_storage", (file, "options"), "new_storage", options.new_storage, text, remedy)
    inputs = checked_inputs(equipment, units, counties, shares, options.counties, figures, log, file)
    units_of = {str(item): rows for item, rows in inputs.units.sort_values("unit_id").groupby("equipment_id")}
    own = {
        str(row["equipment_id"]): _own_result(
            {str(k): v for k, v in row.items()}, units_of[str(row["equipment_id"])], figures, options
        )
        for row in inputs.equipment.to_dict("records")
    }
    intervals = {item: (float(one.low), float(one.high)) for item, one in own.items()}
    vn_kv = {item: float(one.row["vn_kv"]) for item, one in own.items()}
    superior = {item: str(one.row["superior_id"]) for item, one in own.items()}
    found = assess_counties(
        inputs.counties, inputs.shares, intervals, vn_kv, superior, options.counties, options.floor_at_zero
    )
    above: dict[str, dict[str, Any]] = {c.county_id: _county_row(c, options) for c in found}
    graded: dict[str, dict[str, Any]] = {}
    for item in from_the_top(superior):
        graded[item] = _graded(own[item], graded.get(superior[item], above.get(superior[item])), figures, options)
    checks = [line for item in own for line in verification_rows(own[item].row, graded[item])]
    return Assessment2025(
        _frame([graded[item] for item in own], RESULT_2025),
        _frame([above[c.county_id] for c in found], COUNTY_RESULT_2025),
        _frame(checks, VERIFICATION),
        (*switch_assumptions(options), *override_assumptions(RULE_2025, options.overrides)),
    )


def _frame(rows: list[dict[str, Any]], table: Table) -> pd.DataFrame:
    return table.validate(pd.DataFrame(rows)[list(table.columns)]) if rows else table.empty()


@dataclass(frozen=True)
class _Own:
    """One row of the equipment by its own numbers."""

    row: dict[str, Any]
    sn_mva: float
    units: int
    beta: Beta
    low: float
    high: float


def _own_result(row: dict[str, Any], own: pd.DataFrame, figures: dict[str, Rule], options: Options2025) -> _Own:
    sn, level = own["sn_mva"].tolist(), levels(RULE_2025)[float(row["vn_kv"])]
    beta = beta_by_rule(level, row["arrangement"], own["unit_id"].tolist(), sn, own["vk_percent"].tolist(), figures)
    if not math.isnan(row["beta_given"]):
        beta = given_beta(beta, float(row["beta_given"]), row["beta_reason"])
    total = float(sum(sn))
    low, high = hosting_interval_mw(
        float(row["load_mw"]),
        float(row["other_generation_mw"]),
        beta.value * total * float(row["power_factor"]),
        float(row["storage_charge_mw"]),
        float(row["tau_max"]),
        (float(row["new_storage_min_mw"]), float(row["new_storage_max_mw"])),
        options.new_storage,
    )
    return _Own(row, total, len(sn), beta, low, high)


def _capacity_columns(
    interval: tuple[float, float],
    connected: float,
    registered: float,
    worked: tuple[FilledFormula, ...],
    above: dict[str, Any] | None,
    superior_label: str,
    inherit: bool,
    options: Options2025,
) -> dict[str, Any]:
    """C1, C2, grade, reasons and formulas from a hosting interval; ``grade_own`` and ``inherited`` come with them."""
    low, high = (max(v, 0.0) for v in interval) if options.floor_at_zero else interval
    c1, c2 = (low - connected, high - connected), (low - connected - registered, high - connected - registered)
    grade_own = str(grade_by_capacity(c1[0], c2[0]))
    causes: list[tuple[GradeRule, dict[str, str]]] = [
        (grade_rule(RULE_2025, grade_own, "own"), {"c1_min": number(c1[0]), "c2_min": number(c2[0])})
    ]
    inherits = inherit and above is not None and above["grade"] == "red"
    if inherits:
        line = (grade_rule(RULE_2025, "red", "superior"), {"superior": superior_label})
        causes = [line] if grade_own != "red" else [*causes, line]
    grade = "red" if inherits else grade_own
    text = joined((*worked, *_open_formulas((low, high), connected, registered, c1, c2)))
    return {
        "hosting_min_mw": low,
        "hosting_max_mw": high,
        "connected_mw": connected,
        "registered_mw": registered,
        "connectable_min_mw": c1[0],
        "connectable_max_mw": c1[1],
        "registrable_min_mw": c2[0],
        "registrable_max_mw": c2[1],
        "open_connect_mw": _open(c1[0], grade, above, "open_connect_mw"),
        "open_register_mw": _open(c2[0], grade, above, "open_register_mw"),
        "grade_own": grade_own,
        "grade": grade,
        "inherited": inherits and grade_own != "red",
        **reason_columns(causes),
        "formula": text.text,
        "formula_zh": text.text_zh,
        "formula_en": text.text_en,
        "clause": text.clause,
        "switches": options.switches,
        "confidence": weakest((text.confidence, *(line.confidence for line, _ in causes))),
    }


def _open(own: float, grade: str, above: dict[str, Any] | None, name: str) -> float:
    ceiling = math.inf if above is None else float(above[name])
    return 0.0 if grade == "red" else min(max(own, 0.0), ceiling)


def _open_formulas(
    interval: tuple[float, float],
    connected: float,
    registered: float,
    c1: tuple[float, float],
    c2: tuple[float, float],
) -> tuple[FilledFormula, FilledFormula]:
    shown = {"c1_min": c1[0], "c1_max": c1[1], "c2_min": c2[0], "c2_max": c2[1]}
    low, high = interval
    return (
        filled(formula(RULE_2025, "connectable"), s_min=low, s_max=high, con=connected, **shown),
        filled(formula(RULE_2025, "registrable"), reg=registered, **shown),
    )


def _county_row(county: County, options: Options2025) -> dict[str, Any]:
    capacity = _capacity_columns(
        county.interval, county.connected_mw, county.registered_mw, county.formulas, None, "", False, options
    )
    capacity.pop("grade_own")
    capacity.pop("inherited")
    return {
        "county_id": county.county_id,
        "name_zh": county.name_zh,
        "name_en": county.name_en,
        "edition": RULE_2025,
        "weight": county.weight,
        "system_min_mw": county.system[0],
        "system_max_mw": county.system[1],
        "equipment_min_mw": county.equipment[0],
        "equipment_max_mw": county.equipment[1],
        "equipment": ", ".join(county.members),
        "binding": county.binding,
        "surplus_mw": county.surplus_mw,
        **capacity,
    }


def _graded(own: _Own, above: dict[str, Any] | None, figures: dict[str, Rule], options: Options2025) -> dict[str, Any]:
    row = own.row
    capacity = _capacity_columns(
        (own.low, own.high),
        float(row["connected_mw"]),
        float(row["registered_mw"]),
        (own.beta.formula, _hosting_formula(own, options)),
        above,
        str(row["superior_id"]),
        bool(figures["inherit_red"].value),
        options,
    )
    verification = demands_and_verdict(row, own.sn_mva, capacity, figures)
    open_point = ("C",) if row["new_storage_max_mw"] > 0 or (options.floor_at_zero and own.low < 0) else ()
    capacity["confidence"] = weakest((capacity["confidence"], own.beta.confidence, *open_point))
    return {
        "equipment_id": row["equipment_id"],
        "name_zh": row["name_zh"],
        "name_en": row["name_en"],
        "vn_kv": row["vn_kv"],
        "edition": RULE_2025,
        "sn_mva": own.sn_mva,
        "units": own.units,
        "beta": own.beta.value,
        "beta_rule": own.beta.rule_value,
        "beta_reason_zh": own.beta.reason_zh,
        "beta_reason_en": own.beta.reason_en,
        "superior_id": row["superior_id"],
        "superior_grade": "" if above is None else above["grade"],
        **verification,
        **capacity,
    }


def _hosting_formula(own: _Own, options: Options2025) -> FilledFormula:
    row = own.row
    return filled(
        formula(RULE_2025, f"hosting_{options.new_storage}"),
        p=row["load_mw"],
        p_g=row["other_generation_mw"],
        beta=own.beta.value,
        s=own.sn_mva,
        cos=row["power_factor"],
        p_ess=row["storage_charge_mw"],
        tau=row["tau_max"],
        d_min=row["new_storage_min_mw"],
        d_max=row["new_storage_max_mw"],
        s_min=own.low,
        s_max=own.high,
    )


def switch_assumptions(options: Options2025) -> tuple[Assumption, ...]:
    """The open points of the edition and how this assessment decided them."""
    after = options.new_storage == "after"
    return (
        Assumption(
            "rulebook/new_storage",
            RULE_2025,
            "新增储能 ΔP_ESS：" + ("除以 τ_max 之后相加" if after else "放在分子内"),
            "expected new storage: " + ("added after dividing by tau_max" if after else "inside the numerator"),
            options.new_storage,
            "open point: public implementations of the edition differ",
            "C",
        ),
        Assumption(
            "rulebook/floor_at_zero",
            RULE_2025,
            "承载力为负时：" + ("按零计" if options.floor_at_zero else "保留负值"),
            "negative hosting capacity: " + ("counts as zero" if options.floor_at_zero else "kept as it is"),
            "yes" if options.floor_at_zero else "no",
            "open point: public implementations of the edition differ",
            "C",
        ),
    )
