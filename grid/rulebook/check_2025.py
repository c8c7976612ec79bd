"""Everything that can be wrong with the tables of the 2025 edition, found at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from grid.rulebook.beta import beta_by_rule, may_raise
from grid.rulebook.book import RULE_2025, Rule, levels
from grid.rulebook.counties import CountySettings, members_of
from grid.rulebook.hierarchy import check_levels, check_superiors
from grid.rulebook.inputs import COUNTIES, EQUIPMENT_2025, FACTORS, SHARES, UNITS, fault, typed, unknown_ids
from layers.contracts import FindingLog

SUM_ROOM = 1e-6
"""How far shares and weights may be from 1."""


@dataclass(frozen=True)
class Inputs2025:
    """The four tables, typed and checked; counties and shares may have no rows."""

    equipment: pd.DataFrame
    units: pd.DataFrame
    counties: pd.DataFrame
    shares: pd.DataFrame


def checked_inputs(
    equipment: pd.DataFrame,
    units: pd.DataFrame,
    counties: pd.DataFrame | None,
    shares: pd.DataFrame | None,
    settings: CountySettings,
    figures: dict[str, Rule],
    log: FindingLog,
    file: str = "",
) -> Inputs2025:
    """The tables with the promised columns, or one ``InputError`` with every fault, those in ``log`` included."""
    found = Inputs2025(
        typed(equipment, EQUIPMENT_2025, log, file),
        typed(units, UNITS, log, file),
        typed(counties if counties is not None else COUNTIES.table.empty(), COUNTIES, log, file),
        typed(shares if shares is not None else SHARES.table.empty(), SHARES, log, file),
    )
    _check_hierarchy(found, log, file)
    _check_units(found, log, file)
    _check_rows(found, figures, log, (file, EQUIPMENT_2025.table.name))
    _check_shares(found, log, file)
    _check_settings(found, settings, log, file)
    if not log.errors:
        _check_members(found, log, file)
    log.raise_errors()
    return found


def _check_hierarchy(found: Inputs2025, log: FindingLog, file: str) -> None:
    table, where = found.equipment, (file, EQUIPMENT_2025.table.name)
    ids, vn_kv = table["equipment_id"].tolist(), table["vn_kv"].tolist()
    check_levels(ids, vn_kv, RULE_2025, log, where)
    superior = dict(zip(ids, table["superior_id"].tolist(), strict=True))
    counties = found.counties["county_id"].tolist()
    check_superiors(superior, dict(zip(ids, vn_kv, strict=True)), RULE_2025, log, where, counties)


def _check_units(found: Inputs2025, log: FindingLog, file: str) -> None:
    where = (file, UNITS.table.name)
    unknown_ids(found.units["equipment_id"], found.equipment["equipment_id"], log, where, "equipment_id")
    own = (file, EQUIPMENT_2025.table.name)
    counts = found.units["equipment_id"].value_counts()
    known_vk = found.units.assign(known=found.units["vk_percent"].notna()).groupby("equipment_id")["known"]
    half_known = {str(item) for item, known in known_vk if known.any() and not known.all()}
    for item, arrangement in zip(found.equipment["equipment_id"], found.equipment["arrangement"], strict=True):
        n = int(counts.get(item, 0))
        if n == 0:
            fault(log, "no_units", own, str(item), 0, "no unit is listed for it.", "Add its units.")
        elif arrangement == "parallel" and n == 1:
            text = "one unit cannot run in parallel."
            fault(log, "arrangement", own, str(item), n, text, "Write single, or list the other units.")
        elif arrangement == "single" and n > 1:
            text = "more than one unit is listed."
            fault(log, "arrangement", own, str(item), n, text, "Write parallel or split.")
        if arrangement == "parallel" and item in half_known:
            text = "the short-circuit voltage is known for some of the parallel units only."
            fault(log, "vk_percent", where, str(item), "", text, "Give vk_percent for all of them, or for none.")


def _check_rows(found: Inputs2025, figures: dict[str, Rule], log: FindingLog, where: tuple[str, str]) -> None:
    for row in found.equipment.to_dict("records"):
        item = str(row["equipment_id"])
        if row["new_storage_min_mw"] > row["new_storage_max_mw"]:
            text = "the lower bound of the new storage is above the upper one."
            value = f"[{row['new_storage_min_mw']:g}, {row['new_storage_max_mw']:g}]"
            fault(log, "interval", where, item, value, text, "Swap or correct the bounds.")
        beta = float(row["beta_given"])
        if math.isnan(beta):
            continue
        if not row["beta_reason"]:
            fault(log, "beta_reason", where, item, beta, "the study sets beta without a reason.", "Say why.")
        highest = figures["beta_raised_max"].value
        if beta > highest:
            fault(log, "beta_range", where, item, beta, f"beta must be at most {highest:g}.", "Correct the value.")
        units = found.units[found.units["equipment_id"] == item]
        by_rule = _rule_value(float(row["vn_kv"]), str(row["arrangement"]), units, figures)
        level = levels(RULE_2025).get(float(row["vn_kv"]), 0)
        if beta > by_rule + SUM_ROOM and not may_raise(level, str(row["arrangement"]), bool(row["tripping_scheme"])):
            text = f"above the rule's {by_rule:.4g} without split operation or a tripping scheme at 220/330 kV."
            fault(log, "beta_raised", where, item, beta, text, "Lower it, or state what allows it.")


def _rule_value(vn_kv: float, arrangement: str, units: pd.DataFrame, figures: dict[str, Rule]) -> float:
    """Beta by the rule; infinite where other faults of the row leave it open."""
    n, vk = len(units), units["vk_percent"]
    fits = {"single": n == 1, "parallel": n > 1, "split": n > 0}.get(arrangement, False)
    if not fits or vn_kv not in levels(RULE_2025) or not (units["sn_mva"] > 0).all() or vk.notna().sum() % n:
        return math.inf
    ids = units["unit_id"].tolist()
    return beta_by_rule(
        levels(RULE_2025)[vn_kv], arrangement, ids, units["sn_mva"].tolist(), vk.tolist(), figures
    ).value


def _check_shares(found: Inputs2025, log: FindingLog, file: str) -> None:
    shares, where = found.shares, (file, SHARES.table.name)
    unknown_ids(shares["equipment_id"], found.equipment["equipment_id"], log, where, "equipment_id")
    unknown_ids(shares["county_id"], found.counties["county_id"], log, where, "county_id")
    for item, total in shares.groupby("equipment_id")["share"].sum().items():
        if total > 1 + SUM_ROOM:
            text = "the shares of its counties add up to more than 1."
            fault(log, "shares", where, str(item), float(total), text, "Lower them; less than 1 serves others.")
    twice = shares.duplicated(["equipment_id", "county_id"])
    for item, county in zip(shares["equipment_id"][twice], shares["county_id"][twice], strict=True):
        fault(log, "repeated", where, f"{item} {county}", "", "the share is given twice.", "Keep one row.")


def _check_settings(found: Inputs2025, settings: CountySettings, log: FindingLog, file: str) -> None:
    where, counties = (file, COUNTIES.table.name), found.counties
    low, high = settings.system_min_mw, settings.system_max_mw
    given = counties[["system_min_mw", "system_max_mw"]]
    for item, a, b in zip(counties["county_id"], given["system_min_mw"], given["system_max_mw"], strict=True):
        if math.isnan(a) != math.isnan(b) or a > b:
            text = "the system level needs both bounds, the lower one first."
            fault(log, "interval", where, str(item), f"[{a:g}, {b:g}]", text, "Correct the bounds.")
    if math.isnan(low) and math.isnan(high) and not settings.weights:
        return
    if not 0 <= low <= high < math.inf:
        text = "the system level needs both bounds, zero or more, the lower one first."
        fault(log, "system", where, "system_min_mw, system_max_mw", f"[{low:g}, {high:g}]", text, "Correct them.")
    if given.notna().to_numpy().any():
        text = "the system level is given for the whole and for single counties."
        fault(log, "system_twice", where, "system_min_mw", "", text, "Give one of them.")
    if counties.empty:
        fault(log, "system", where, "counties", "", "a system level without counties.", "Add the county table.")
    _check_weights(counties, settings, log, where)


def _check_weights(counties: pd.DataFrame, settings: CountySettings, log: FindingLog, where: tuple[str, str]) -> None:
    total = sum(one.weight for one in settings.weights)
    if abs(total - 1) > SUM_ROOM:
        text = "the weights of the factors do not add up to 1; the edition fixes none."
        fault(log, "weights", where, "weights", float(total), text, "Give weights that do.")
    names = [one.factor for one in settings.weights]
    for name in sorted({name for name in names if names.count(name) > 1}):
        fault(log, "weights", where, name, names.count(name), "the factor is given twice.", "Keep one.")
    for one in settings.weights:
        if one.factor not in FACTORS:
            fault(log, "weights", where, one.factor, "", "no such factor.", f"Use {', '.join(FACTORS)}.")
            continue
        if not 0 <= one.weight <= 1:
            fault(log, "weights", where, one.factor, one.weight, "a weight lies between 0 and 1.", "Correct it.")
        for item, value in zip(counties["county_id"], counties[one.factor], strict=True):
            if math.isnan(value):
                text = f"{one.factor} has a weight, but no value here; unknown is not zero."
                fault(log, "factor_missing", where, str(item), "", text, "Give the value, or drop the weight.")
        if len(counties) and counties[one.factor].sum() == 0:
            fault(log, "factor_zero", where, one.factor, 0, "the factor is zero everywhere.", "Drop its weight.")


def _check_members(found: Inputs2025, log: FindingLog, file: str) -> None:
    table = found.equipment
    superior = dict(zip(table["equipment_id"], table["superior_id"], strict=True))
    vn_kv = dict(zip(table["equipment_id"], table["vn_kv"].astype(float), strict=True))
    for county in found.counties["county_id"]:
        if not members_of(str(county), found.shares, superior, vn_kv):
            text = "no transformer has this county as its superior, and no share of one serves it."
            remedy = "Give its share of the 220/330 kV transformer that supplies it, in the table of shares."
            fault(log, "county_without_equipment", (file, COUNTIES.table.name), str(county), "", text, remedy)
