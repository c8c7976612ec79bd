"""The Henan rule of 2023-11: PV connected, under construction and planned at most 80 % of a transformer's rating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from grid.rulebook.book import RuleOverride, formula, rules
from grid.rulebook.formulas import filled, number
from grid.rulebook.inputs import HENAN, typed
from layers.contracts import FindingLog
from layers.tables import Table, column

RULE = "henan-2023"

RESULT_HENAN = Table(
    "henan_2023",
    "Share of PV in each transformer's rating and what is left.",
    {
        "equipment_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "edition": column(str, "", "rule", isin=(RULE,)),
        "sn_mva": column(float, "MVA", "rating", gt=0),
        "pv_mw": column(float, "MW", "PV connected, under construction and planned", ge=0),
        "pv_share": column(float, "1", "PV over rating", ge=0),
        "limit_share": column(float, "1", "largest share allowed", ge=0),
        "headroom_mw": column(float, "MW", "what is left; negative: too much"),
        "passed": column(bool, "", "share within the limit"),
        "reason_zh": column(str, "", "why"),
        "reason_en": column(str, "", "why"),
        "formula_zh": column(str, "", "formula with the numbers filled in"),
        "formula_en": column(str, "", "formula with the numbers filled in"),
        "clause": column(str, "", "document"),
        "confidence": column(str, "", "how sure we are of the rule", isin=("A", "B", "C")),
    },
)


def henan_transformer_rule(
    transformers: pd.DataFrame, overrides: Sequence[RuleOverride] = (), *, file: str = ""
) -> pd.DataFrame:
    """PV share, headroom and verdict of each transformer, in the order of the input.

    Parameters
    ----------
    transformers : DataFrame
        ``equipment_id``, ``sn_mva``, ``pv_mw`` (:data:`grid.rulebook.inputs.HENAN`).
    overrides : sequence of RuleOverride
        ``pv_share_max`` where the study uses another share.

    Raises
    ------
    InputError
        Every fault of the table at once.
    """
    log = FindingLog()
    table = typed(transformers, HENAN, log, file)
    limit = rules(RULE, overrides, file=file, log=log)["pv_share_max"]
    log.raise_errors()
    rows: list[dict[str, Any]] = []
    for row in table.to_dict("records"):
        share = row["pv_mw"] / row["sn_mva"]
        passed = row["pv_mw"] <= limit.value * row["sn_mva"]
        worked = filled(formula(RULE, "pv_share"), pv=row["pv_mw"], s=row["sn_mva"], share=share)
        sign = "≤" if passed else ">"
        rows.append(
            {
                **{str(k): v for k, v in row.items()},
                "edition": RULE,
                "pv_share": share,
                "limit_share": limit.value,
                "headroom_mw": limit.value * row["sn_mva"] - row["pv_mw"],
                "passed": passed,
                "reason_zh": f"光伏占额定容量 {number(share)} {sign} {number(limit.value)}",
                "reason_en": f"PV over rating {number(share)} {'<=' if passed else '>'} {number(limit.value)}",
                "formula_zh": worked.text_zh,
                "formula_en": worked.text_en,
                "clause": worked.clause,
                "confidence": limit.confidence,
            }
        )
    return RESULT_HENAN.validate(pd.DataFrame(rows)[list(RESULT_HENAN.columns)]) if rows else RESULT_HENAN.empty()
