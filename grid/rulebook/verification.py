"""When the 2025 edition demands verification by calculation, what is open, and what follows for a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.rulebook.book import Rule, table_rows
from grid.rulebook.formulas import number
from grid.rulebook.inputs import CHECK_STATES, CHECKS_2025
from layers.tables import Table, column

VERIFICATION = Table(
    "dlt2041_2025_verification",
    "One row a transformer and check.",
    {
        "equipment_id": column(str, "", "transformer"),
        "check": column(str, "", "which check", isin=CHECKS_2025),
        "demanded": column(bool, "", "the edition demands it here"),
        "state": column(str, "", "passed, failed or open", isin=CHECK_STATES),
        "because_zh": column(str, "", "why it is demanded; empty: it is not"),
        "because_en": column(str, "", "why it is demanded; empty: it is not"),
    },
)


def demands(
    row: Mapping[str, Any], sn_mva: float, capacity: Mapping[str, Any], figures: Mapping[str, Rule]
) -> list[tuple[str, dict[str, str]]]:
    """Names of the demands that hold, each with the numbers that its text needs."""
    found: list[tuple[str, dict[str, str]]] = []
    if capacity["grade"] != "green":
        found.append(("not_green", {"grade": str(capacity["grade"])}))
    nearest = min((capacity["connectable_min_mw"], capacity["registrable_min_mw"]), key=abs)
    if abs(nearest) <= figures["near_zero"].value * sn_mva:
        found.append(("near_zero", {"open": number(nearest), "s": number(sn_mva)}))
    project = float(row["largest_project_mw"])
    at_medium_voltage = row["vn_kv"] >= figures["medium_voltage_kv"].value
    if at_medium_voltage and project > figures["large_project_mw"].value:
        found.append(("large_project", {"project": number(project)}))
    return found


def verdict(grade: str, failed: list[str], pending: list[str]) -> str:
    """What follows: a red grade before a failed check, a failed check before an open one."""
    if grade == "red":
        return "suspend"
    if failed:
        return "improve"
    if pending:
        return "verify"
    return "warn" if grade == "yellow" else "connect"


def demands_and_verdict(
    row: Mapping[str, Any], sn_mva: float, capacity: Mapping[str, Any], figures: Mapping[str, Rule]
) -> dict[str, str]:
    """Verification columns of a result row."""
    texts = {line["demand"]: line for line in table_rows("demands")}
    held = demands(row, sn_mva, capacity, figures)
    failed = [name for name in CHECKS_2025 if row[name] == "failed"]
    pending = [name for name in CHECKS_2025 if row[name] == "open"] if held else []
    outcome = verdict(str(capacity["grade"]), failed, pending)
    words = next(line for line in table_rows("verdicts") if line["verdict"] == outcome)
    return {
        "demands_zh": "；".join(texts[name]["text_zh"].format(**values) for name, values in held),
        "demands_en": "; ".join(texts[name]["text_en"].format(**values) for name, values in held),
        "failed_checks": ", ".join(failed),
        "open_checks": ", ".join(pending),
        "verdict": outcome,
        "verdict_zh": words["text_zh"],
        "verdict_en": words["text_en"],
    }


def verification_rows(row: Mapping[str, Any], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a check of one transformer; edition and reason as in its result row."""
    return [
        {
            "equipment_id": row["equipment_id"],
            "check": name,
            "demanded": bool(result["demands_en"]),
            "state": row[name],
            "because_zh": result["demands_zh"],
            "because_en": result["demands_en"],
        }
        for name in CHECKS_2025
    ]
