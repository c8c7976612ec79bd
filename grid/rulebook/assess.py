"""One door to all editions: the edition by name, the tables from a folder, the result with what was assumed.

A folder holds ``equipment.csv`` and, for the 2025 edition, ``units.csv`` and where wanted ``counties.csv`` and
``shares.csv`` (columns: :mod:`grid.rulebook.inputs`), and ``options.toml``::

    new_storage = "after"            # or "inside": the open point of the 2025 edition
    floor_at_zero = false

    [system]                         # system level of the whole, shared out by the study's weights
    min_mw = 800
    max_mw = 1000
    weights = { peak_load_mw = 0.5, energy_mwh = 0.5 }

    [[overrides]]                    # a figure of the study's own
    rule = "k_r"
    value = 0.7
    source = "dispatch rules of the city"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from grid.contracts import Assumption
from grid.rulebook.book import RULE_2019, Edition, RuleOverride, edition_named
from grid.rulebook.counties import CountySettings, FactorWeight
from grid.rulebook.dlt2041_2019 import Options2019, assess_2019
from grid.rulebook.dlt2041_2025 import COUNTY_RESULT_2025, Options2025, assess_2025
from grid.rulebook.inputs import fault, read_rows
from grid.rulebook.verification import VERIFICATION
from layers.contracts import FindingLog


@dataclass(frozen=True)
class RuleTables:
    """Input of an assessment; the 2019 edition reads ``equipment`` alone."""

    equipment: pd.DataFrame
    units: pd.DataFrame | None = None
    counties: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None


@dataclass(frozen=True)
class RuleOptions:
    """Settings of either edition; an edition ignores nothing silently: what it does not know is refused."""

    options_2019: Options2019 = field(default_factory=Options2019)
    options_2025: Options2025 = field(default_factory=Options2025)


@dataclass(frozen=True)
class RuleAssessment:
    """Result of either edition. ``counties`` and ``verification`` have no rows where the edition has none.

    ``equipment`` follows :data:`grid.rulebook.dlt2041_2019.RESULT_2019` or
    :data:`grid.rulebook.dlt2041_2025.RESULT_2025`; both have ``equipment_id``, ``vn_kv``, ``grade``, ``reason_*``,
    ``formula_*``, ``clause``, ``confidence``.
    """

    edition: Edition
    equipment: pd.DataFrame
    counties: pd.DataFrame
    verification: pd.DataFrame
    assumptions: tuple[Assumption, ...]


def assess(edition: str, tables: RuleTables, options: RuleOptions | None = None, *, file: str = "") -> RuleAssessment:
    """Grade equipment (and counties) by the edition of that name.

    Parameters
    ----------
    edition : str
        ``dlt2041-2019`` or ``dlt2041-2025``.
    tables : RuleTables
    options : RuleOptions, optional
    file : str
        Name that findings show for the tables.

    Raises
    ------
    InputError
        Unknown edition, or every fault of the tables and options.
    """
    named, options = edition_named(edition, file=file), options or RuleOptions()
    if named.id == RULE_2019:
        old = assess_2019(tables.equipment, options.options_2019, file=file)
        return RuleAssessment(named, old.equipment, COUNTY_RESULT_2025.empty(), VERIFICATION.empty(), old.assumptions)
    units = (
        tables.units if tables.units is not None else pd.DataFrame({"unit_id": [], "equipment_id": [], "sn_mva": []})
    )
    new = assess_2025(tables.equipment, units, tables.counties, tables.shares, options.options_2025, file=file)
    return RuleAssessment(named, new.equipment, new.counties, new.verification, new.assumptions)


def assess_folder(edition: str, folder: Path, shown: str) -> RuleAssessment:
    """Read the tables and options of a folder and assess them.

    Parameters
    ----------
    folder : Path
        As the module describes it.
    shown : str
        The folder's name as people see it.

    Raises
    ------
    InputError
        Missing or unreadable files and unknown options, or every fault of the tables.
    """
    edition_named(edition, file=shown)
    log = FindingLog()
    names = ("equipment",) if edition == RULE_2019 else ("equipment", "units", "counties", "shares")
    needed = ("equipment",) if edition == RULE_2019 else ("equipment", "units")
    found = {}
    for name in names:
        path = folder / f"{name}.csv"
        if path.is_file():
            found[name] = read_rows(path, f"{shown}/{path.name}", log)
        elif name in needed:
            fault(log, "file", (shown, name), path.name, path.name, "the file is missing.", "Add it.")
    options = read_options(folder / "options.toml", edition, f"{shown}/options.toml", log)
    log.raise_errors()
    tables = RuleTables(
        pd.DataFrame(found["equipment"]), *(found.get(name) for name in ("units", "counties", "shares"))
    )
    return assess(edition, tables, options, file=shown)


def read_options(path: Path, edition: str, shown: str, log: FindingLog) -> RuleOptions:
    """Options from a TOML file, defaults where there is none; unknown keys and wrong types go to the log."""
    if not path.is_file():
        return RuleOptions()
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fault(log, "file", (shown, "options"), path.name, path.name, f"no TOML: {error}.", "Correct the file.")
        return RuleOptions()
    reader = _OptionReader(log, (shown, "options"))
    kinds: dict[str, type] = {"overrides": list}
    if edition != RULE_2019:
        kinds |= {"new_storage": str, "floor_at_zero": bool, "system": dict}
    values = reader.known(text, kinds, "")
    overrides = tuple(
        RuleOverride(entry.get("rule", ""), float(entry.get("value", float("nan"))), entry.get("source", ""))
        for raw in values.get("overrides", [])
        if (entry := reader.known(raw, {"rule": str, "value": float, "source": str}, "overrides."))
    )
    if edition == RULE_2019:
        return RuleOptions(options_2019=Options2019(overrides))
    counties = reader.system(values["system"]) if "system" in values else CountySettings()
    place, floor = values.get("new_storage", "after"), values.get("floor_at_zero", False)
    return RuleOptions(options_2025=Options2025(place, floor, counties, overrides))


@dataclass(frozen=True)
class _OptionReader:
    log: FindingLog
    where: tuple[str, str]

    def known(self, entry: Any, kinds: Mapping[str, type], prefix: str) -> dict[str, Any]:
        """Keys of the right type; the others become findings."""
        if not isinstance(entry, dict):
            self.refuse(prefix.rstrip("."), entry, "not a table of keys.", "Write key = value.")
            return {}
        out: dict[str, Any] = {}
        for key, value in entry.items():
            if key not in kinds:
                near = difflib.get_close_matches(key, kinds, 1)
                remedy = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(kinds)}."
                self.refuse(prefix + key, value, "there is no such key.", remedy)
            elif not _is(value, kinds[key]):
                self.refuse(prefix + key, value, f"must be of type {kinds[key].__name__}.", "Correct the value.")
            else:
                out[key] = value
        return out

    def system(self, entry: Any) -> CountySettings:
        values = self.known(entry, {"min_mw": float, "max_mw": float, "weights": dict}, "system.")
        weights = self.known(
            values.get("weights", {}), dict.fromkeys(values.get("weights", {}), float), "system.weights."
        )
        nan = float("nan")
        return CountySettings(
            float(values.get("min_mw", nan)),
            float(values.get("max_mw", nan)),
            tuple(FactorWeight(name, float(weight)) for name, weight in weights.items()),
        )

    def refuse(self, item: str, value: Any, message: str, remedy: str) -> None:
        fault(self.log, "option", self.where, item, str(value), message, remedy)


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)
