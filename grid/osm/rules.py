"""Named rules as data, and the ledger of how often each was used."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, cast

import pandas as pd

from grid.contracts import Assumption


@cache
def _rules() -> pd.DataFrame:
    table = pd.read_csv(Path(__file__).with_name("rules.csv"), dtype=str, keep_default_na=False, encoding="utf-8")
    return table.set_index("id")


def rule_text(rule: str) -> str:
    """Value of a rule as it stands in ``rules.csv``."""
    return str(_rules().loc[rule, "value"])


def rule_number(rule: str) -> float:
    """Value of a rule as a number, in the unit of its row."""
    return float(rule_text(rule))


@dataclass
class Ledger:
    """Counts what each rule touched; rules that touched nothing are not assumptions of the network."""

    counts: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def count(self, rule: str, number: int = 1, detail: str = "") -> None:
        """Add ``number`` uses; ``detail`` replaces the count in the sentence."""
        if rule not in _rules().index:
            raise KeyError(f"no rule {rule!r}")
        self.counts[rule] = self.counts.get(rule, 0) + number
        if detail:
            self.details[rule] = detail

    def assumptions(self) -> tuple[Assumption, ...]:
        """One assumption for each rule used, in the order of the table."""
        return tuple(self._assumption(str(rule)) for rule in _rules().index if self.counts.get(str(rule), 0) > 0)

    def _assumption(self, rule: str) -> Assumption:
        row = _rules().loc[rule]
        shown = self.details.get(rule, str(self.counts[rule]))
        value = " ".join(part for part in (row["value"], row["unit"]) if part)
        return Assumption(
            id=rule,
            subject=str(row["subject"]),
            text_zh=str(row["text_zh"]).format(value=row["value"], count=shown),
            text_en=str(row["text_en"]).format(value=row["value"], count=shown),
            value=f"{value}; {shown}" if value else shown,
            source=str(row["source"]),
            confidence=cast(Literal["A", "B", "C"], str(row["confidence"])),
        )
