"""Grades of a whole network out of its solved cases: the edition's hour, the ledger, the tables, the verdict.

The 2025 edition looks at one typical hour, the 2019 edition at the hour of each row's largest reverse load rate. A
network study knows its hours as named cases; which of them was taken stands with every row.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from grid.contracts import GRADE_COLUMNS, Assumption
from grid.rulebook.area_tables import AreaSettings, NetworkTables, tables_from_areas
from grid.rulebook.areas import SolvedNetwork, feeders
from grid.rulebook.assess import RuleAssessment, RuleOptions, RuleTables, assess
from grid.rulebook.book import RULE_2019, RULE_2025, EditionName, edition_named
from grid.rulebook.distributed import Distributed, distributed_by_list, distributed_by_scope
from grid.rulebook.henan import RESULT_HENAN, henan_transformer_rule
from grid.rulebook.inputs import fault
from grid.rulebook.ledger import with_ledger
from grid.rulebook.state_checks import CheckedState, checks_of_states
from layers.contracts import FindingLog
from layers.tables import Table, column

BUS_GRADES = Table(
    "bus_grades",
    "Grade of the transformers that feed each bus; buses that no graded transformer feeds have none.",
    {
        "bus_id": column(str, "", "bus", unique=True),
        **GRADE_COLUMNS,
    },
)


@dataclass(frozen=True)
class SolvedState:
    """One solved case. ``typical`` says whether it may be the typical hour of the 2025 edition."""

    case: str
    network: SolvedNetwork
    typical: bool = True
    checked: CheckedState = field(default_factory=CheckedState)


@dataclass(frozen=True)
class County:
    """A county's names; its id is what stations are mapped to."""

    county_id: str
    name_zh: str = ""
    name_en: str = ""


@dataclass(frozen=True)
class GradeSettings:
    """What is asked for. Empty parts are left to the edition and the network."""

    edition: EditionName = RULE_2025
    areas: AreaSettings = field(default_factory=AreaSettings)
    options: RuleOptions = field(default_factory=RuleOptions)
    distributed: tuple[str, ...] | None = None
    """Ids of the plants that count; None: by the scope of the edition."""
    county_of_station: Mapping[str, str] = field(default_factory=dict)
    counties: tuple[County, ...] = ()
    station_names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Station -> Chinese and English name, by which its transformers are then called."""
    typical_case: str = ""
    """Case of the typical hour (2025); empty: of those that may be, the one with the largest distributed output,
    then with the least load."""
    ledger: pd.DataFrame | None = None
    ledger_file: str = "ledger"
    registered_mw: Mapping[str, float] = field(default_factory=dict)
    """Bus -> further capacity registered there [MW], beside what the ledger says (2025)."""
    henan: bool = False
    """Also apply Henan's 80 % rule to every transformer."""


@dataclass(frozen=True)
class NetworkGrades:
    """Grades of a network. ``equipment`` is the edition's result with ``station`` and ``case`` in front."""

    assessment: RuleAssessment
    equipment: pd.DataFrame
    of_bus: pd.DataFrame
    """Follows :data:`BUS_GRADES`; a row a bus of the network, in its order."""
    henan: pd.DataFrame
    """Follows :data:`grid.rulebook.henan.RESULT_HENAN`; no rows where the rule was not asked for."""
    assumptions: tuple[Assumption, ...]


def grade_network(states: Sequence[SolvedState], settings: GradeSettings | None = None) -> NetworkGrades:
    """Grade every transformer, bus and county of a network.

    Parameters
    ----------
    states : sequence of SolvedState
        At least one; the same network in different cases.
    settings : GradeSettings, optional

    Raises
    ------
    InputError
        Unknown edition or typical case, and every fault of network, ledger and options.
    """
    settings = settings or GradeSettings()
    edition_named(settings.edition)
    found = _distributed(states[0].network, settings)
    by_case = {state.case: _tables(state.network, found, settings) for state in states}
    if settings.edition == RULE_2019:
        chosen, case_of, told = _worst_hours(by_case)
    else:
        chosen, case_of, told = _typical_hour(states, by_case, found, settings)
    tables = _with_checks(chosen, states)
    tables = _with_names(tables, chosen.station, settings.station_names)
    if settings.edition == RULE_2025:
        tables = replace(tables, counties=_county_table(tables.equipment, settings.counties))
    assessment = assess(settings.edition, tables, settings.options, file=settings.ledger_file)
    equipment = assessment.equipment.copy()
    ids = equipment["equipment_id"]
    equipment.insert(1, "station", ids.map(dict(chosen.station)).astype(object))
    equipment.insert(2, "case", ids.map(case_of).astype(object))
    henan = _henan(chosen, tables, settings)
    return NetworkGrades(
        assessment,
        equipment,
        _bus_grades(states[0].network, chosen.of_bus, equipment, henan),
        henan,
        (*found.assumptions, *chosen.assumptions, *told, *assessment.assumptions, *_henan_assumption(settings)),
    )


def _distributed(network: SolvedNetwork, settings: GradeSettings) -> Distributed:
    if settings.distributed is None:
        return distributed_by_scope(network, settings.edition)
    return distributed_by_list(network, settings.distributed, file=settings.ledger_file)


def _tables(network: SolvedNetwork, found: Distributed, settings: GradeSettings) -> NetworkTables:
    counties = settings.county_of_station if settings.edition == RULE_2025 else {}
    made = tables_from_areas(network, settings.edition, found.plant_ids, settings.areas, counties)
    tables = made.tables
    if settings.ledger is not None:
        tables = with_ledger(tables, settings.edition, settings.ledger, file=settings.ledger_file)
    return replace(made, tables=_with_registered(tables, network, settings.registered_mw))


def _with_registered(tables: RuleTables, network: SolvedNetwork, registered_mw: Mapping[str, float]) -> RuleTables:
    if "registered_mw" not in tables.equipment or not registered_mw:
        return tables
    more = dict.fromkeys(tables.equipment["equipment_id"].astype(str), 0.0)
    for bus, mw in registered_mw.items():
        for group in feeders(network, bus):
            if group.equipment_id in more:
                more[group.equipment_id] += mw
    now = tables.equipment["registered_mw"].astype(float) + list(more.values())
    return replace(tables, equipment=tables.equipment.assign(registered_mw=now))


def _with_names(tables: RuleTables, station: Mapping[str, str], names: Mapping[str, tuple[str, str]]) -> RuleTables:
    """Rows called after their stations; a name that the ledger gives stands."""
    equipment = tables.equipment
    if not names or equipment.empty:
        return tables
    columns = {}
    for k, name in enumerate(("name_zh", "name_en")):
        own = equipment[name] if name in equipment else [""] * len(equipment)
        known = [names.get(station[str(item)], ("", ""))[k] for item in equipment["equipment_id"]]
        columns[name] = [given or stated for given, stated in zip(own, known, strict=True)]
    return replace(tables, equipment=equipment.assign(**columns))


def _with_checks(chosen: NetworkTables, states: Sequence[SolvedState]) -> RuleTables:
    """The tables with what the solved cases answer; a check that the ledger states stands."""
    equipment, network = chosen.tables.equipment, states[0].network
    units_of = {
        group.equipment_id: [unit.unit_id for unit in group.units]
        for group in network.groups
        if group.equipment_id in chosen.station
    }
    found = checks_of_states([state.checked for state in states], network.vn_kv, chosen.of_bus, units_of)
    found = found.set_index("equipment_id").reindex(equipment["equipment_id"])
    given = {name: equipment[name].replace("", "open") for name in found.columns if name in equipment}
    columns = {
        name: [
            own if own != "open" else stated
            for own, stated in zip(given.get(name, ["open"] * len(found)), found[name], strict=True)
        ]
        for name in found.columns
    }
    return replace(chosen.tables, equipment=equipment.assign(**columns))


def _typical_hour(
    states: Sequence[SolvedState], by_case: Mapping[str, NetworkTables], found: Distributed, settings: GradeSettings
) -> tuple[NetworkTables, dict[str, str], tuple[Assumption, ...]]:
    case = settings.typical_case or _largest_output(states, found)
    if case not in by_case:
        near = difflib.get_close_matches(case, by_case, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"The solved cases are {', '.join(by_case)}."
        log, text = FindingLog(), "there is no such solved case."
        fault(log, "typical_case", (settings.ledger_file, "cases"), "typical_case", case, text, remedy)
        log.raise_errors()
    chosen = by_case[case]
    given = bool(settings.typical_case)
    may_be = given or any(state.typical for state in states)
    zh = "指定" if given else "分布式出力最大" if may_be else "无春秋季午间方式，取分布式出力最大的方式"
    en = (
        "as given"
        if given
        else "largest distributed output, then least load"
        if may_be
        else "no case is a spring or autumn noon: largest distributed output of all"
    )
    source = "the study" if given else "clause: typical hour; choice among the named cases"
    zh, en = f"典型时刻取方式 {case}（{zh}）", f"typical hour is case {case} ({en})"
    note = Assumption("rulebook/typical_hour", "typical hour", zh, en, case, source, "A" if given else "C")
    return chosen, dict.fromkeys(chosen.tables.equipment["equipment_id"].astype(str), case), (note,)


def _largest_output(states: Sequence[SolvedState], found: Distributed) -> str:
    eligible = [state for state in states if state.typical] or list(states)

    def rank(state: SolvedState) -> tuple[float, float]:
        output = sum(p.output_mw for p in state.network.plants if p.plant_id in found.plant_ids)
        return output, -sum(state.network.load_mw.values())

    return max(eligible, key=rank).case


def _worst_hours(
    by_case: Mapping[str, NetworkTables],
) -> tuple[NetworkTables, dict[str, str], tuple[Assumption, ...]]:
    """Each row in the case of its largest reverse load rate; of equal ones the first case."""
    parts = [made.tables.equipment.assign(case=case) for case, made in by_case.items()]
    rows = pd.concat(parts, ignore_index=True)
    first = next(iter(by_case.values()))
    if rows.empty:
        return first, {}, ()
    number = rows[["dg_output_mw", "load_mw", "other_generation_mw", "limit_mva"]].astype(float)
    reverse = number["dg_output_mw"] - number["load_mw"] + number["other_generation_mw"]
    worst = (reverse / number["limit_mva"]).groupby(rows["equipment_id"], sort=False).idxmax()
    chosen = rows.loc[worst].reset_index(drop=True)
    case_of = {str(i): str(c) for i, c in zip(chosen["equipment_id"], chosen["case"], strict=True)}
    names, subject = ", ".join(by_case), "hour of the largest reverse load rate"
    zh = f"各设备取反向负载率最大的方式（{names}）"
    en = f"each row in the case of its largest reverse load rate (of {names})"
    note = Assumption("rulebook/worst_hour", subject, zh, en, names, "choice among the named cases", "C")
    return replace(first, tables=RuleTables(chosen.drop(columns="case"))), case_of, (note,)


def _county_table(equipment: pd.DataFrame, counties: Sequence[County]) -> pd.DataFrame:
    """Counties that some row obeys, with what is connected and registered below those rows."""
    ids = set(equipment["equipment_id"])
    top = equipment[~equipment["superior_id"].isin(ids | {""})]
    sums = top.astype({"connected_mw": float, "registered_mw": float}).groupby("superior_id")
    names = {county.county_id: county for county in counties}
    rows = [
        {
            "county_id": str(item),
            "connected_mw": float(rows["connected_mw"].sum()),
            "registered_mw": float(rows["registered_mw"].sum()),
            "name_zh": names.get(str(item), County(str(item))).name_zh,
            "name_en": names.get(str(item), County(str(item))).name_en,
        }
        for item, rows in sums
    ]
    return pd.DataFrame(rows, columns=["county_id", "connected_mw", "registered_mw", "name_zh", "name_en"])


def _henan(chosen: NetworkTables, tables: RuleTables, settings: GradeSettings) -> pd.DataFrame:
    """Henan's rule on the PV below each row: the network's, what the ledger changes, and what is registered."""
    if not settings.henan:
        return RESULT_HENAN.empty()
    equipment = tables.equipment.set_index("equipment_id")
    ratings = (
        tables.units.groupby("equipment_id")["sn_mva"].sum() if tables.units is not None else equipment["limit_mva"]
    )
    planned = _change(equipment, chosen) if "connected_mw" in equipment else pd.Series(0.0, index=equipment.index)
    rows = pd.DataFrame(
        {
            "equipment_id": equipment.index.astype(object),
            "sn_mva": ratings.reindex(equipment.index).to_numpy(float),
            "pv_mw": [max(chosen.pv_mw[str(i)] + float(planned[i]), 0.0) for i in equipment.index],
        }
    )
    return henan_transformer_rule(rows, file=settings.ledger_file)


def _change(equipment: pd.DataFrame, chosen: NetworkTables) -> pd.Series:
    before = pd.Series(dict(chosen.connected_mw)).reindex(equipment.index).fillna(0.0)
    return equipment["connected_mw"].astype(float) - before + equipment["registered_mw"].astype(float)


def _henan_assumption(settings: GradeSettings) -> tuple[Assumption, ...]:
    if not settings.henan:
        return ()
    zh = "河南80%规则：台账新增并网与已备案容量均按光伏计"
    en = "Henan's 80 % rule: what the ledger adds and what is registered counts as PV"
    return (Assumption("rulebook/henan_pv", "henan-2023", zh, en, "", "reading of the notice", "C"),)


def _bus_grades(
    network: SolvedNetwork, of_bus: Mapping[str, str], equipment: pd.DataFrame, henan: pd.DataFrame
) -> pd.DataFrame:
    rows = {str(row["equipment_id"]): row for row in equipment.to_dict("records")}
    broken = {str(row["equipment_id"]): row for row in henan[~henan["passed"].astype(bool)].to_dict("records")}
    out = []
    for bus in network.vn_kv:
        row = rows.get(of_bus.get(bus, ""))
        if row is None:
            out.append((bus, *[""] * (len(BUS_GRADES.columns) - 1)))
            continue
        item = str(row["equipment_id"])
        zh, en = str(row["reason_zh"]), str(row["reason_en"])
        if item in broken:
            zh, en = f"{zh}；{broken[item]['reason_zh']}", f"{en}; {broken[item]['reason_en']}"
        clause = f"{row['edition']}: {row['clause']}"
        out.append((bus, row["grade"], item, zh, en, row["formula"], clause, row["confidence"]))
    return BUS_GRADES.validate(pd.DataFrame(out, columns=list(BUS_GRADES.columns), dtype=object))
