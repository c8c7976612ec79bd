"""Grades of a study's stations by the rule book, today and with the accepted candidates registered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from grid.admittance import fuel_share
from grid.contracts import Assumption, Case, LoadFlowResult, Network, Status
from grid.rulebook.area_tables import AreaSettings
from grid.rulebook.areas import Plant
from grid.rulebook.assess import RuleOptions
from grid.rulebook.book import RULE_2025, RuleOverride, rules
from grid.rulebook.distributed import scope_rules
from grid.rulebook.dlt2041_2019 import Options2019
from grid.rulebook.dlt2041_2025 import Options2025
from grid.rulebook.from_network import solved_network
from grid.rulebook.grading import County, GradeSettings, NetworkGrades, SolvedState, grade_network
from grid.rulebook.inputs import read_rows
from grid.rulebook.state_checks import CheckedState
from layers.contracts import Finding, FindingLog
from study import records
from study.pipeline import Results
from study.sites.rules import study_province
from study.study_file import Study, nearest

HENAN = "410000"


@dataclass(frozen=True)
class StationGrades:
    """Grades of today's network, and with the candidates' accepted power as registered; None: nothing was solved.

    The 2019 edition knows no registered capacity: ``after`` is then None.
    """

    now: NetworkGrades | None
    after: NetworkGrades | None

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        return self.now.assumptions if self.now is not None else ()


def compute_grades(results: Results) -> StationGrades:
    """Grades by the edition that the study names, from its solved cases."""
    study, network = results.study, results.get("network")
    states = solved_states(network, results.get("load_flow"), records.cases(study.file))
    if not states:
        text, remedy = "no case was solved, so no station has a grade.", "See loadflow/cases.csv."
        results.log.add(Finding("warning", "grades.no_case", study.shown_path, "network", "", "", text, remedy))
        return StationGrades(None, None)
    settings = grade_settings(study, network, results.get("region_facts").districts, results.log)
    now = grade_network(states, settings)
    if settings.edition != RULE_2025:
        return StationGrades(now, None)
    return StationGrades(now, grade_network(states, replace(settings, registered_mw=_registered_mw(results, settings))))


def solved_states(network: Network, flow: LoadFlowResult, cases: Iterable[Case]) -> list[SolvedState]:
    """The cases in which every part of the network was solved.

    The typical hour of the 2025 edition may be a case of the transition season with the most sun, if there is sun.
    """
    cases = list(cases)
    status = dict(zip(flow.load_flow["case"], flow.load_flow["status"], strict=True))
    sun = max((case.pv_share for case in cases if case.season == "transition"), default=0.0)
    found = []
    for case in cases:
        if status.get(case.id) != Status.SOLVED:
            continue
        branches = flow.branch_state[flow.branch_state["case"] == case.id]
        buses = flow.bus_state[flow.bus_state["case"] == case.id]
        plants = network.generators
        output = {
            str(item): float(mw) * fuel_share(case, str(fuel))
            for item, fuel, mw in zip(plants["generator_id"], plants["fuel"], plants["p_max_mw"], strict=True)
        }
        found.append(
            SolvedState(
                case.id,
                solved_network(network, _column(branches, "element", "p_from_mw"), output),
                case.season == "transition" and 0 < sun == case.pv_share,
                CheckedState(
                    _column(buses, "bus_id", "vm_pu"), _column(branches, "element", "loading_percent")
                ),
            )
        )  # fmt: skip
    return found


def _column(table: pd.DataFrame, key: str, value: str) -> dict[str, float]:
    return {str(k): float(v) for k, v in zip(table[key], table[value], strict=True)}


def grade_settings(study: Study, network: Network, districts: pd.DataFrame, log: FindingLog) -> GradeSettings:
    """What the study file asks of the rule book; districts stand for counties."""
    entry, stations = study.file.network.rule_book_options, network.stations
    ledger = None
    if entry.ledger_source:
        card = study.card(entry.ledger_source)
        ledger = read_rows(card.path, card.shown_path, log)
        log.raise_errors()
    own = tuple(RuleOverride(o.rule, o.value, o.source) for o in entry.overrides)
    code_of = zip(stations["station_id"], stations["district_code"], strict=True)
    names = zip(districts["district_code"], districts["name_zh"], districts["name_en"], strict=True)
    province = study_province(study, (str(code) for code in districts["district_code"]))
    return GradeSettings(
        edition=study.file.network.rule_book,
        areas=AreaSettings(entry.power_factor, entry.tau_max),
        options=RuleOptions(
            Options2019(own), Options2025(entry.new_storage, entry.floor_at_zero, overrides=own)
        ),
        distributed=entry.distributed,
        county_of_station={str(station): str(code) for station, code in code_of if code},
        counties=tuple(County(str(code), str(zh), str(en)) for code, zh, en in names),
        station_names={
            str(item): (str(zh), str(en))
            for item, zh, en in zip(stations["station_id"], stations["name_zh"], stations["name_en"], strict=True)
        },
        typical_case=entry.typical_case,
        ledger=ledger,
        ledger_file=study.card(entry.ledger_source).shown_path if entry.ledger_source else study.shown_path,
        henan=province == HENAN if entry.henan is None else entry.henan,
    )  # fmt: skip


def _registered_mw(results: Results, settings: GradeSettings) -> dict[str, float]:
    """Accepted power of the candidates in the edition's scope, by bus [MW]."""
    from siting.technologies.tables import load_technology_tables

    known = load_technology_tables()
    scope = scope_rules(settings.edition)
    offered = results.get("sites").candidates[["candidate_id", "technology", "grid_capacity_mw"]]
    table = (
        results.get("verdicts")
        .verdicts[["candidate_id", "accepted_mw"]]
        .merge(results.get("connections")[["candidate_id", "bus_id", "vn_kv"]], on="candidate_id")
        .merge(offered, on="candidate_id")
    )
    found: dict[str, float] = {}
    for row in table[(table["bus_id"] != "") & (table["accepted_mw"] > 0)].itertuples():
        plant = Plant(
            "", str(row.bus_id), known.technology(str(row.technology)).kind, float(row.grid_capacity_mw), math.nan
        )
        if any(rule.covers(plant, float(row.vn_kv)) for rule in scope):
            found[plant.bus] = found.get(plant.bus, 0.0) + float(row.accepted_mw)
    return found


def graded_substations(substations: pd.DataFrame, grades: StationGrades) -> pd.DataFrame:
    """The table of substations with the optional grade columns of :data:`grid.contracts.SUBSTATIONS`."""
    if grades.now is None:
        return substations
    table = substations.merge(grades.now.of_bus, on="bus_id", how="left", validate="one_to_one")
    after: Mapping[str, str] = {}
    if grades.after is not None:
        after = dict(zip(grades.after.of_bus["bus_id"], grades.after.of_bus["grade"], strict=True))
    return table.assign(grade_after=table["bus_id"].map(after).fillna("").astype(object))


def grade_tables(grades: StationGrades) -> dict[str, pd.DataFrame]:
    """Tables of a run folder by name: every transformer, county and verification of the edition, Henan's rule."""
    if grades.now is None:
        return {}
    equipment = grades.now.equipment
    if grades.after is not None:
        after = grades.after.equipment.set_index("equipment_id")
        columns = {"registered_after_mw": "registered_mw", "open_register_after_mw": "open_register_mw",
                   "grade_after": "grade"}  # fmt: skip
        equipment = equipment.assign(**{new: equipment["equipment_id"].map(after[old]) for new, old in columns.items()})
    optional = {
        "loadflow/counties": grades.now.assessment.counties,
        "loadflow/grades_verification": grades.now.assessment.verification,
        "loadflow/grades_henan": grades.now.henan,
    }
    return {"loadflow/grades": equipment, **{name: table for name, table in optional.items() if len(table)}}


def grade_findings(study: Study) -> list[Finding]:
    """Findings about the rule book's part of the study file."""
    entry, cases = study.file.network.rule_book_options, [case.id for case in study.file.cases]
    log = FindingLog()
    own = [RuleOverride(o.rule, o.value, o.source) for o in entry.overrides]
    rules(study.file.network.rule_book, own, file=study.shown_path, log=log)
    found = list(log.findings)
    if entry.typical_case and entry.typical_case not in cases:
        remedy = nearest(entry.typical_case, cases) or f"Cases: {', '.join(cases)}."
        found.append(
            Finding("error", "rulebook.typical_case", study.shown_path, "network.rule_book_options", "typical_case",
                    entry.typical_case, "there is no such case.", remedy)
        )  # fmt: skip
    return found
