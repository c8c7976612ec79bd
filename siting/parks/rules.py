"""Rules of green-power direct connection, as rows of a table, and what they say of a park's year."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from siting.parks.contracts import KEPT, KEPT_UNTIL, NOT_KEPT, OPEN, PARK_RULES
from siting.technologies.small_tables import TECHNOLOGIES_FOLDER, read_small_table

MEASURES = {"self_use_share": "green_mwh", "green_share": "load_mwh", "export_share": "green_mwh"}
"""Shares of a park's year that a rule may limit, with what each is a share of."""
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ParkRule:
    """One row of ``siting/technologies/park_rules.csv``; ``measure`` is a column of PARKS."""

    rule: str
    label_zh: str
    label_en: str
    measure: str
    sense: str
    limit_share: float
    from_year: float
    document: str
    clause: str
    date: str
    source: str
    confidence: str

    def keeps(self, share: float) -> bool:
        """Whether a known share keeps the limit."""
        short = self.limit_share - share if self.sense == "least" else share - self.limit_share
        return short <= _TOLERANCE


def park_rules(*, spot_market: bool = True, most_export_share: float | None = None) -> tuple[ParkRule, ...]:
    """The rules that hold where a spot market runs continuously, or where none does.

    Parameters
    ----------
    spot_market : bool
        Whether the province's spot market runs continuously; without it the notice allows no export.
    most_export_share : float, optional
        The province's own limit of export, in place of the general one.

    Raises
    ------
    InputError
        If the table has a faulty row.
    """
    texts = ("rule", "label_zh", "label_en", "document", "clause", "date", "source", "edition")
    allowed = {
        "measure": tuple(MEASURES),
        "sense": ("least", "most"),
        "condition": ("always", "spot_market", "no_spot_market"),
        "confidence": ("A", "B", "C"),
    }
    numbers = {"limit_share": (0.0, 1.0), "from_year": (2000.0, 2100.0)}
    rows = read_small_table(TECHNOLOGIES_FOLDER / "park_rules.csv", {**dict.fromkeys(texts), **allowed}, numbers)
    holds = ("always", "spot_market" if spot_market else "no_spot_market")
    fields = list(ParkRule.__dataclass_fields__)
    rules = [ParkRule(**{name: row[name] for name in fields}) for row in rows if row["condition"] in holds]
    if most_export_share is None or not spot_market:
        return tuple(rules)
    source = "the study's figure for its province"
    return tuple(
        replace(rule, limit_share=most_export_share, source=source, confidence="C") if rule.rule == "export" else rule
        for rule in rules
    )


def tightest(rules: tuple[ParkRule, ...], measure: str) -> float:
    """The strictest limit of a measure over all years; NaN where no rule limits it."""
    limits = [rule.limit_share for rule in rules if rule.measure == measure]
    if not limits:
        return float("nan")
    least = next(rule.sense for rule in rules if rule.measure == measure) == "least"
    return max(limits) if least else min(limits)


def judged(park: pd.Series, rules: tuple[ParkRule, ...]) -> pd.DataFrame:
    """Table PARK_RULES of one park, a row of PARKS; open where the park has no own power to judge."""
    rows = []
    for rule in rules:
        share, whole = float(park[rule.measure]), float(park[MEASURES[rule.measure]])
        left = (share - rule.limit_share) * whole * (1 if rule.sense == "least" else -1)
        known = np.isfinite(share)
        rows.append(
            {
                "park_id": park["park_id"],
                "rule": rule.rule,
                "label_zh": rule.label_zh,
                "label_en": rule.label_en,
                "from_year": int(rule.from_year),
                "value_share": share,
                "sense": rule.sense,
                "limit_share": rule.limit_share,
                "margin_mwh": left if known else np.nan,
                "rule_verdict": OPEN if not known else KEPT if rule.keeps(share) else NOT_KEPT,
                "document": rule.document,
                "clause": rule.clause,
                "date": rule.date,
                "source": rule.source,
                "rule_confidence": rule.confidence,
            }
        )
    return PARK_RULES.validate(pd.DataFrame(rows, columns=list(PARK_RULES.columns)) if rows else PARK_RULES.empty())


def verdict_of(judgements: pd.DataFrame) -> tuple[str, str]:
    """(verdict of all rules together, those that are not kept): ``kept_until`` where only later years' rules fail.

    A later rule is one that tightens a rule of the same table for a year to come.
    """
    failed = judgements[judgements["rule_verdict"] == NOT_KEPT]
    names = " ".join(failed["rule"])
    if failed.empty:
        return (OPEN if (judgements["rule_verdict"] == OPEN).any() else KEPT), names
    first = judgements["from_year"].min()
    return (KEPT_UNTIL if (failed["from_year"] > first).all() else NOT_KEPT), names
