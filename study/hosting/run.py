"""``fengguang hosting``: what every bus of a network still takes, and its grade, written into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grid.capacity.fault_headroom import NewConverter
from grid.capacity.flexible import SiteStorage
from grid.capacity.settings import CapacitySettings
from grid.capacity.study import HostingRequest, HostingResult, hosting_study, load_buses, memory_bound_bytes
from grid.contracts import Status
from grid.model.contracts import BusBranch, loss_findings
from grid.rulebook.assess import RuleOptions
from grid.rulebook.book import RULE_2025, EditionName
from grid.rulebook.grading import GradeSettings, NetworkGrades, SolvedState, grade_network
from grid.rulebook.state_checks import CheckedState
from grid.solve_records import Solution, SolveOptions
from grid.studies.cases import StudyCase
from layers.contracts import Finding, InputError
from study.cache import Cache, code_digest, digest, file_digest
from study.hosting.faults import short_circuit_table
from study.hosting.year import HostingYear, SeriesAsked, read_hours, study_hours
from study.study_file import PROGRAM_ROOT

Progress = Callable[[str, float], None]
FINISHED = ".finished"
"""Folder inside OUT that holds finished parts, by the hash of everything they depend on."""
KEPT_PARTS = 2000
"""So many finished parts stay for the next run in the same folder."""


@dataclass(frozen=True)
class HostingAsked:
    """What is asked for; paths of the optional parts are None where they are not wanted."""

    network: Path
    out: Path
    cases: Path | None = None
    n_1: bool = True
    rule: EditionName = RULE_2025
    rule_options: RuleOptions = field(default_factory=RuleOptions)
    ratings: Path | None = None
    buses: str = "load"
    """load, stations (every bus), or bus numbers with commas between them."""
    certify: str = "all"
    """all, sites (buses that are named, or carry wind or PV), or none."""
    settings: CapacitySettings = field(default_factory=CapacitySettings)
    ledger: Path | None = None
    distributed: Path | None = None
    counties: Path | None = None
    typical_case: str = ""
    henan: bool = False
    options: SolveOptions = field(default_factory=SolveOptions)
    despite_errors: bool = False
    threads: int = 1
    series: Path | None = None
    """Hours of the year; see :mod:`grid.studies.series`."""
    profile: str = ""
    """Column of the series that is the new plant's output, or flat; empty: the series' own profile, pv or wind."""
    storage: SiteStorage | None = None
    short_circuit: bool = True


@dataclass(frozen=True)
class Prepared:
    """Inputs read and checked: nothing heavy was run, nothing was written."""

    network: BusBranch
    cases: Mapping[str, BusBranch]
    labels: Mapping[str, str]
    bus_ids: tuple[int, ...]
    request: HostingRequest
    findings: tuple[Finding, ...]
    inputs: Mapping[str, Mapping[str, str]]
    """Part -> name and SHA-256 of its file."""
    hours: SeriesAsked | None = None


@dataclass(frozen=True)
class Forecast:
    """What a run would do. Ranges of AC states: outages once and a state or two a bus, to every certified bus swept
    three times."""

    cases: int
    buses: int
    outages: int
    certified: int
    ac_states_least: int
    ac_states_most: int
    memory_bytes: int
    hours: int = 0


@dataclass(frozen=True)
class HostingRun:
    """Everything that is written."""

    prepared: Prepared
    result: HostingResult
    solutions: Mapping[str, Solution]
    grades: NetworkGrades | None
    seconds: Mapping[str, float]
    resumed: int
    """Parts taken from an earlier run that did not end."""
    short_circuit: pd.DataFrame | None = None
    """Of :func:`study.hosting.faults.short_circuit_table`; None where not asked for."""
    year: HostingYear | None = None


def prepare(asked: HostingAsked, tell: Progress | None = None) -> Prepared:
    """Read and check network, cases, ratings and buses.

    Raises
    ------
    InputError
        With everything wrong; a network with a running branch without rating is refused (how many, and the first).
    """
    from grid.capacity.rows import refuse_without_ratings
    from grid.model.checks import check_case
    from grid.model.star import expand_three_winding
    from grid.readers.formats import read_case
    from grid.studies.cases import read_cases
    from study.hosting.inputs import with_ratings

    tell = tell or (lambda label, share: None)
    tell("read", 0.0)
    network = read_case(asked.network)
    studied = read_cases(asked.cases) if asked.cases else (StudyCase(),)
    if asked.ratings:
        network = with_ratings(network, asked.ratings)
    findings = [*check_case(network), *loss_findings(network)]
    errors = [f for f in findings if f.severity == "error"]
    if errors and not asked.despite_errors:
        raise InputError(errors)
    refuse_without_ratings(expand_three_winding(network), asked.settings.rating)
    bus_ids = _bus_ids(network, asked.buses)
    _known_case(asked, studied)
    hours = read_hours(asked.series, asked.profile, asked.storage, network, asked.settings) if asked.series else None
    certify = {"all": None, "none": ()}.get(asked.certify, _sites(network, asked.buses, bus_ids))
    request = HostingRequest(asked.settings, bus_ids, asked.n_1, certify, asked.options, asked.threads)
    paths = {"network": asked.network, "cases": asked.cases, "ratings": asked.ratings, "registered": asked.ledger,
             "distributed": asked.distributed, "counties": asked.counties, "series": asked.series}  # fmt: skip
    inputs = {part: {"file": path.name, "sha256": file_digest(path)} for part, path in paths.items() if path}
    tell("read", 1.0)
    return Prepared(
        network,
        {case.id: case.apply(network) for case in studied},
        {case.id: case.label for case in studied},
        bus_ids,
        request,
        tuple(findings),
        inputs,
        hours,
    )


def _bus_ids(network: BusBranch, wanted: str) -> tuple[int, ...]:
    buses = network.buses[~network.buses["is_star"].to_numpy(bool) & (network.buses["kind"] != "isolated").to_numpy()]
    if wanted == "load":
        found = load_buses(network)
    elif wanted == "stations":
        found = tuple(int(bus) for bus in buses["bus_id"])
    else:
        found = _named_buses(network, wanted, {int(bus) for bus in buses["bus_id"]})
    if not found:
        text, remedy = "there is no bus to study.", "Name buses: --buses 1,2,3."
        raise InputError([Finding("error", "hosting.buses", network.name, "buses", wanted, "", text, remedy)])
    return found


def _named_buses(network: BusBranch, wanted: str, known: set[int]) -> tuple[int, ...]:
    findings, found = [], []
    for text in (part.strip() for part in wanted.split(",")):
        number = int(text) if text.lstrip("-").isdigit() else None
        if number is not None and number in known:
            found.append(number)
            continue
        remedy = "Use load, stations, or bus numbers of the network with commas between them."
        message = "there is no such bus in service."
        findings.append(Finding("error", "hosting.buses", network.name, "buses", "--buses", text, message, remedy))
    if findings:
        raise InputError(findings)
    return tuple(dict.fromkeys(found))


def _sites(network: BusBranch, wanted: str, bus_ids: tuple[int, ...]) -> tuple[int, ...]:
    if wanted not in ("load", "stations"):
        return bus_ids
    plants = network.generators[network.generators["fuel"].isin(["wind", "pv"])]
    there = set(plants["bus_id"].astype(int))
    return tuple(bus for bus in bus_ids if bus in there)


def _known_case(asked: HostingAsked, studied: tuple[StudyCase, ...]) -> None:
    ids = [case.id for case in studied]
    if asked.typical_case and asked.typical_case not in ids:
        text, remedy = "there is no such case.", f"Cases: {', '.join(ids)}."
        raise InputError(
            [Finding("error", "hosting.typical_case", asked.network.name, "cases", "--typical-case", asked.typical_case,
                     text, remedy)]
        )  # fmt: skip


def forecast(prepared: Prepared) -> Forecast:
    """What a run would cost, without running it."""
    from grid.model.star import expand_three_winding

    case = expand_three_winding(prepared.network)
    running = int(case.branches["in_service"].sum())
    outages = running if prepared.request.n_1 else 0
    cases, buses = len(prepared.cases), len(prepared.bus_ids)
    certify = prepared.request.certify
    certified = buses if certify is None else len(certify)
    hours = len(prepared.hours.table) if prepared.hours else 0
    once = cases * (outages + 1 + hours)
    least, most = once + 2 * cases * buses, once + 3 * cases * (2 * buses + certified * outages)
    memory = memory_bound_bytes(len(case.buses), len(case.branches), outages)
    return Forecast(cases, buses, outages, certified, least, most, memory, hours)


class _Kept:
    """Finished hands of buses in OUT, by the hash of what they depend on (:class:`grid.capacity.study.Keeper`)."""

    def __init__(self, folder: Path, key: str) -> None:
        self._cache, self._key, self.found = Cache(folder), key, 0

    def get(self, name: str) -> pd.DataFrame | None:
        part, key = "parts", digest(self._key, name)
        if not self._cache.has(part, key):
            return None
        try:
            table: pd.DataFrame = self._cache.load(part, key)
        except KeyError:
            return None
        self.found += 1
        return table

    def put(self, name: str, table: pd.DataFrame) -> None:
        self._cache.store("parts", digest(self._key, name), table)


def _content_key(asked: HostingAsked, prepared: Prepared) -> str:
    inputs = {part: prepared.inputs[part] for part in ("network", "cases", "ratings") if part in prepared.inputs}
    request = {name: value for name, value in vars(prepared.request).items() if name != "threads"}
    return digest(inputs, repr(request), code_digest(PROGRAM_ROOT, ("layers", "grid")))


def run_hosting(asked: HostingAsked, progress: Progress | None = None) -> tuple[HostingRun, dict[str, Any]]:
    """Read, check, study, grade and write; what an earlier run finished is taken from OUT.

    Returns
    -------
    HostingRun and the content of ``summary.json``.

    Raises
    ------
    InputError
        With everything wrong with the inputs, before anything heavy runs or is written.
    """
    from study.hosting.outputs import write_hosting

    tell = progress or (lambda label, share: None)
    clock = _Clock()
    prepared = prepare(asked, tell)
    settings = _grade_settings(asked, prepared.network)
    clock.mark("read")
    solutions = _solutions(prepared, asked.options, tell)
    grades = _grades(prepared, solutions, settings)
    clock.mark("load flow and grades")
    kept = _Kept(asked.out / FINISHED, _content_key(asked, prepared))
    result = hosting_study(prepared.cases, prepared.request, tell, kept)
    clock.mark("hosting")
    faults = _short_circuit(asked, prepared)
    clock.mark("short circuit")
    year = None
    if prepared.hours is not None:
        year = study_hours(prepared.cases, solutions, prepared.request, prepared.hours, tell)
        clock.mark("hours")
    run = HostingRun(prepared, result, solutions, grades, clock.seconds, kept.found, faults, year)
    return run, write_hosting(asked, run, clock.mark)


def _short_circuit(asked: HostingAsked, prepared: Prepared) -> pd.DataFrame | None:
    """Headroom of the breakers; added load brings no fault current."""
    if asked.settings.load or not asked.short_circuit:
        return None
    plant = NewConverter(prepared.hours.technology if prepared.hours else "pv")
    plant = replace(plant, power_factor=min(plant.power_factor, asked.settings.plant.power_factor))
    return short_circuit_table(prepared.cases.values(), prepared.bus_ids, plant)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def mark(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now


def _solutions(prepared: Prepared, options: SolveOptions, tell: Progress) -> dict[str, Solution]:
    from grid.solve import solve

    found = {}
    for number, (name, case) in enumerate(prepared.cases.items(), start=1):
        found[name] = solve(case, options)
        tell("load flow", number / len(prepared.cases))
    return found


def _grade_settings(asked: HostingAsked, network: BusBranch) -> GradeSettings:
    from grid.rulebook.inputs import read_rows
    from layers.contracts import FindingLog
    from study.hosting.inputs import read_counties, read_plant_list

    log = FindingLog()
    ledger = read_rows(asked.ledger, asked.ledger.name, log) if asked.ledger else None
    log.raise_errors()
    county_of, counties = (
        read_counties(asked.counties, _stations(network)) if asked.counties else ({}, ())
    )  # fmt: skip
    return GradeSettings(
        edition=asked.rule,
        options=asked.rule_options,
        distributed=read_plant_list(asked.distributed) if asked.distributed else None,
        county_of_station=county_of,
        counties=counties,
        typical_case=asked.typical_case,
        ledger=ledger,
        ledger_file=asked.ledger.name if asked.ledger else asked.network.name,
        henan=asked.henan,
    )


def _stations(network: BusBranch) -> list[str]:
    from grid.rulebook.from_case import station_of_bus

    return list(station_of_bus(network).values())


def _grades(
    prepared: Prepared, solutions: Mapping[str, Solution], settings: GradeSettings
) -> NetworkGrades | None:  # fmt: skip
    """Grades from the cases that have a solution; None where none has."""
    from grid.rulebook.from_case import solved_case

    states = []
    for name, solution in solutions.items():
        if solution.status is Status.DIVERGED:
            continue
        case = solution.case
        vm = {str(bus): float(v) for bus, v in zip(case.buses["bus_id"], solution.vm_pu, strict=True)}
        ids = (str(item) for item in case.branches["branch_id"])
        loading = dict(zip(ids, solution.loading_percent().tolist(), strict=True))
        network = solved_case(prepared.cases[name], solution)
        states.append(SolvedState(name, network, True, CheckedState(vm, _worst_winding(loading))))
    return grade_network(states, settings) if states else None


def _worst_winding(loading: Mapping[str, float]) -> dict[str, float]:
    """Loadings by unit; a three-winding unit counts as its most loaded winding."""
    found = dict(loading)
    for item, percent in loading.items():
        unit, slash, winding = item.rpartition("/")
        if slash and winding in ("1", "2", "3"):
            found[unit] = float(np.fmax(found.get(unit, np.nan), percent))
    return found
