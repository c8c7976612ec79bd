"""Named operating points of a bus-branch case: load, output by fuel, and the season of the ratings.

A file of cases (TOML)::

    [[cases]]
    id = "summer_peak"
    load_factor = 1.0            # on every load
    rating_factor = 0.95         # on every rating
    [cases.fuel_factors]         # on the present output of each class of plant; classes not named keep 1
    wind = 0.3
    [cases.fuel_shares]          # or: output as a share of p_max
    pv = 0.9
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from grid.model.contracts import FUELS, BusBranch
from layers.contracts import Finding, InputError

_KEYS = {"id", "label", "load_factor", "rating_factor", "fuel_factors", "fuel_shares"}


@dataclass(frozen=True)
class StudyCase:
    """One operating point; the default is the case as it stands."""

    id: str = "base"
    label: str = ""
    load_factor: float = 1.0
    rating_factor: float = 1.0
    fuel_factors: Mapping[str, float] = field(default_factory=dict)
    fuel_shares: Mapping[str, float] = field(default_factory=dict)

    def apply(self, case: BusBranch) -> BusBranch:
        """The network in this operating point."""
        loads = case.loads.copy()
        for name in ("p_mw", "q_mvar", "p_i_mw", "q_i_mvar", "p_z_mw", "q_z_mvar"):
            loads[name] = loads[name].astype(float) * self.load_factor
        generators, branches = case.generators.copy(), case.branches.copy()
        factor = generators["fuel"].map(dict(self.fuel_factors)).astype(float).fillna(1.0)
        share = generators["fuel"].map(dict(self.fuel_shares)).astype(float)
        p_max = generators["p_max_mw"].astype(float).where(np.isfinite(generators["p_max_mw"].astype(float)))
        scheduled = generators["p_mw"].astype(float) * factor
        generators["p_mw"] = (share * p_max).fillna(scheduled)
        for letter in "abc":
            branches[f"rating_{letter}_mva"] = branches[f"rating_{letter}_mva"].astype(float) * self.rating_factor
        return replace(case, loads=loads, generators=generators, branches=branches)


def read_cases(path: Path, shown: str | None = None) -> tuple[StudyCase, ...]:
    """Cases of a TOML file.

    Raises
    ------
    InputError
        With every unknown key and fuel, number that is none, and id used twice.
    """
    label = shown or path.name
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError([_fault(label, "unreadable", "file", str(error), "no TOML file.", "Correct it.")]) from error
    entries = raw.get("cases", [])
    findings: list[Finding] = []
    if not isinstance(entries, list) or not entries:
        findings.append(_fault(label, "none", "cases", "", "there is no [[cases]] entry.", "Add one."))
        entries = []
    found = [_case(label, n, entry, findings) for n, entry in enumerate(entries, start=1)]
    ids = [case.id for case in found]
    findings += [
        _fault(label, "repeated", name, name, "the id is used twice.", "Rename one.")
        for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    if findings:
        raise InputError(findings)
    return tuple(found)


def _case(shown: str, n: int, entry: Any, findings: list[Finding]) -> StudyCase:
    if not isinstance(entry, dict):
        findings.append(_fault(shown, "entry", f"case {n}", str(entry), "must be a table.", "Write [[cases]]."))
        return StudyCase()
    item = str(entry.get("id", f"case {n}"))
    for key in sorted(set(entry) - _KEYS):
        findings.append(_fault(shown, "key", item, key, "unknown key.", f"Keys: {', '.join(sorted(_KEYS))}."))
    shares = {}
    for table in ("fuel_factors", "fuel_shares"):
        given = entry.get(table, {})
        shares[table] = given if isinstance(given, dict) else {}
        for fuel in sorted(set(shares[table]) - set(FUELS)):
            findings.append(_fault(shown, "fuel", item, fuel, "unknown class.", f"Classes: {', '.join(FUELS)}."))
    numbers = {key: entry.get(key, 1.0) for key in ("load_factor", "rating_factor")}
    numbers |= {f"{t}.{f}": v for t, given in shares.items() for f, v in given.items()}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            message = "must be a number from 0 to 100."
            findings.append(_fault(shown, "number", f"{item} {key}", str(value), message, "Correct it."))
            return StudyCase(item)
    if "id" not in entry:
        findings.append(_fault(shown, "id", item, "", "the case has no id.", "Give it one."))
    return StudyCase(
        item, str(entry.get("label", "")), float(numbers["load_factor"]), float(numbers["rating_factor"]),
        {f: float(v) for f, v in shares["fuel_factors"].items()},
        {f: float(v) for f, v in shares["fuel_shares"].items()},
    )  # fmt: skip


def _fault(file: str, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"cases.{rule}", file, "cases", item, value[:80], message, remedy)
