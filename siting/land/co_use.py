"""What two technologies on one piece of land leave each other: ``siting/technologies/co_use.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from layers.contracts import Finding, InputError

CO_USE_FILE = Path(__file__).parents[1] / "technologies" / "co_use.csv"
_SHOWN = "siting/technologies/co_use.csv"
_RANGES = {"density_factor": (0.0, 1.0), "yield_factor": (0.0, 1.5)}


@dataclass(frozen=True)
class CoUse:
    """What is left to ``host_type`` on land that ``with_host_type`` uses too; ``*`` stands for every type."""

    host_type: str
    with_host_type: str
    density_factor: float
    yield_factor: float
    source: str
    confidence: str


@cache
def load_co_use(path: Path = CO_USE_FILE) -> tuple[CoUse, ...]:
    """Rows of the table, in the order of the file.

    Raises
    ------
    InputError
        With every finding: unreadable number, factor out of range, pair twice.
    """
    shown = _SHOWN if path == CO_USE_FILE else path.name
    findings: list[Finding] = []
    rows: list[CoUse] = []

    def fault(rule: str, item: str, value: str, message: str, remedy: str) -> None:
        findings.append(Finding("error", f"co_use.{rule}", shown, "co_use", item, value, message, remedy))

    with path.open(encoding="utf-8-sig", newline="") as lines:
        for number, line in enumerate(csv.DictReader(lines), start=2):
            factors = []
            for name, (low, high) in _RANGES.items():
                try:
                    value = float(line[name])
                except (TypeError, ValueError):
                    value = -1.0
                if not low < value <= high:
                    fault(
                        "range",
                        f"row {number}, {name}",
                        str(line[name]),
                        f"No number in ({low:g}, {high:g}].",
                        "Mend it.",
                    )
                factors.append(value)
            row = CoUse(
                line["host_type"], line["with_host_type"], factors[0], factors[1], line["source"], line["confidence"]
            )
            pair = (row.host_type, row.with_host_type)
            if pair in [(r.host_type, r.with_host_type) for r in rows]:
                fault("repeated", f"row {number}", " ".join(pair), "The pair stands twice.", "Keep one.")
            rows.append(row)
    if findings:
        raise InputError(findings)
    return tuple(rows)


def co_use_factors(host_type: str, with_host_type: str, path: Path = CO_USE_FILE) -> tuple[float, float]:
    """Density and yield factor of a host type on shared land; 1 and 1 where no row tells.

    A row that names both comes before one with ``*`` for the other, and that before ``*`` for the host type.
    """
    rows = {(row.host_type, row.with_host_type): row for row in load_co_use(path)}
    for pair in ((host_type, with_host_type), (host_type, "*"), ("*", with_host_type)):
        if pair in rows:
            return rows[pair].density_factor, rows[pair].yield_factor
    return 1.0, 1.0
