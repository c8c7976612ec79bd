"""The plan of a study: the problem, the search, and what follows from it.

Two stages, so that a what-if repeats only what it must: ``plan_basis`` (:mod:`study.plan.basis`: lots, points,
availabilities; follows land, yields, connections and load) and ``plan`` (targets, prices, budgets, measures; follows
the basis).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Case
from grid.plan.contracts import (
    Decision,
    Lot,
    PlanAnswer,
    PlanProblem,
    PlanSettings,
    PlanTarget,
    Point,
    Stage,
    StorageTerms,
)
from grid.plan.greedy import GreedyPlan
from grid.plan.hours import HourError
from grid.plan.staircase import Staircase
from grid.plan.worth import Loss
from study import records
from study.checks.plan import refuse_nothing_left, refuse_unknown_stations
from study.network.year import mean_case
from study.outputs.element_names import names_of
from study.pipeline import Progress, Results, no_progress
from study.plan.basis import (
    DISCOUNT_RATE,
    PlanBasis,
    hour_case,
    hourly_store,
    load_share,
    lot_profiles,
    mean_profile,
    year_loading,
)
from study.plan.measures import MeasureBook, agreement_buses, new_stations
from study.plan.station_access import StationAccesses, with_new_stations
from study.schema.file import StudyFile
from study.schema.outputs import PlanEntry, QuotaEntry, TargetEntry

Floats = npt.NDArray[np.float64]

DEFAULT_STAGES = (2025, 2030)
STAGE_YEARS = 5.0
"""Years that the last stage stands for, and every one where there is only one."""
STORAGE_MW_PER_BUS = 200.0
STORAGE_BUSES = 24
STORAGE_HOURS = (1.0, 8.0)
"""Least and most content of a store by its power [h]; where a share of storage is asked for, each has its hours."""
STORAGE_SUSTAIN_H = 4.0
CYCLES_PER_A = 365.0
EXTREME_BRANCHES = 12
"""Branches whose worst hour of the year joins the proof."""
SHARE = " (share)"
AT_MOST = " (at most)"
"""Ends of the names of a quota that is a share of the candidates, and of a ceiling."""


@dataclass(frozen=True)
class StudyPlan:
    """The plan and what stands beside it. ``menu`` is the table :data:`grid.measures.contracts.MEASURES` of all
    measures that were considered; ``extreme_hours`` are the points that the proof added; ``losses`` says of measures
    that the plan builds and no step of the staircase does what lacks without them."""

    answer: PlanAnswer
    greedy: GreedyPlan
    staircase: Staircase
    menu: pd.DataFrame
    extreme_hours: tuple[str, ...]
    errors: tuple[HourError, ...]
    losses: Mapping[str, Loss] = field(default_factory=dict)


def plan_names(plan: StudyPlan) -> dict[str, tuple[str, str]]:
    """Chinese and English names by id of the elements of the network as it stands at the end of the plan."""
    problem = plan.answer.problem
    config = plan.answer.decision.config(problem, len(problem.stages) - 1)
    return names_of(problem.build(config, problem.points[0].case))


# --- the problem ------------------------------------------------------------------------------------------------


def plan_stages(file: StudyFile) -> tuple[Stage, ...]:
    """Years with their weights: discounted years until the next stage, all together 1."""
    assert file.plan is not None
    years = sorted(set(file.plan.stages)) or sorted({t.year for t in file.targets}) or list(DEFAULT_STAGES)
    factors = file.plan.load_factors or (1.0,) * len(years)
    length = [*np.diff(years).astype(float), STAGE_YEARS]
    value = np.array(
        [
            sum((1 + DISCOUNT_RATE) ** -(year - years[0] + k) for k in range(int(span)))
            for year, span in zip(years, length, strict=True)
        ]
    )
    weights = value / value.sum()
    return tuple(Stage(int(y), float(w), float(f)) for y, w, f in zip(years, weights, factors, strict=True))


def plan_targets(file: StudyFile, stages: tuple[Stage, ...], lots: tuple[Lot, ...]) -> tuple[PlanTarget, ...]:
    """Targets of the study and quotas of the plan, each from the first stage on that is not before its year."""
    assert file.plan is not None
    found = []
    for k, target in enumerate(file.targets):
        stage = next((s for s, one in enumerate(stages) if one.year >= target.year), None)
        if stage is None:
            continue
        new = max(0.0, target.target_mw - (target.installed_mw or 0.0))
        found.append(PlanTarget(target_id(k, target), target.technology_group, stage, new))
    for k, quota in enumerate(file.plan.quotas):
        stage = next((s for s, one in enumerate(stages) if one.year >= quota.year), len(stages) - 1)
        name = quota_id(k, quota)
        one = PlanTarget(name, quota.technology_group, stage, 0.0, quota.districts, False, quota.technologies)
        if quota.least_mw is not None:
            found.append(replace(one, new_mw=quota.least_mw))
        if quota.least_share is not None:
            of = sum(
                lot.capacity_mw * lot.installed_per_mw
                for lot in lots
                if (not quota.technologies or lot.technology in quota.technologies)
                and (not quota.districts or lot.district_code in quota.districts)
                and quota.technology_group in (lot.group, "renewable")
            )
            found.append(replace(one, id=name + SHARE, new_mw=quota.least_share * of))
        if quota.most_mw is not None:
            found.append(replace(one, id=name + AT_MOST, new_mw=quota.most_mw, ceiling=True))
    return tuple(found)


def target_id(k: int, target: TargetEntry) -> str:
    """What the plan calls the study's target number ``k`` (from 0)."""
    return f"target {k + 1}: {target.quantity_en} {target.year}"


def quota_id(k: int, quota: QuotaEntry) -> str:
    """What the plan calls the plan's quota number ``k`` (from 0), without :data:`SHARE` or :data:`AT_MOST`."""
    return f"quota {k + 1}: {quota.technology_group} {quota.year}"


def storage_terms(entry: PlanEntry) -> StorageTerms:
    """What storage costs and can do, from the standard tables or at the study's own price."""
    from grid.measures.menu import annuity, unit_cost
    from grid.standards_tables import standard_table

    row = standard_table("measures").set_index("measure").loc["storage_2h"]
    cost = unit_cost(standard_table("unit_costs"), "storage", 10.0)
    assert cost is not None
    per_mwh = entry.storage_cny_per_mwh or cost.cny
    yearly = annuity(float(row["discount_rate"]), float(row["life_a"])) + float(row["om_share"])
    least_hours = entry.storage_hours if entry.storage_share > 0 else STORAGE_HOURS[0]
    return StorageTerms(
        0.0,
        per_mwh * yearly,
        per_mwh,
        least_hours,
        max(STORAGE_HOURS[1], least_hours),
        float(row["efficiency"]),
        STORAGE_SUSTAIN_H,
        CYCLES_PER_A,
        STORAGE_MW_PER_BUS,
    )


def storage_buses(lots: tuple[Lot, ...]) -> tuple[str, ...]:
    """Buses at which storage may stand: those that the most candidate capacity could connect to, new stations apart."""
    capacity: dict[str, float] = {}
    for lot in lots:
        for bus in {access.bus_id for access in lot.accesses if not access.requires}:
            capacity[bus] = capacity.get(bus, 0.0) + lot.capacity_mw
    return tuple(sorted(sorted(capacity, key=lambda b: (-capacity[b], b))[:STORAGE_BUSES]))


def _without_stations(lot: Lot, basis: PlanBasis, dropped: tuple[str, ...]) -> Lot:
    """The lot with its accesses at stations that stay."""
    stays = tuple(a for a in lot.accesses if basis.stations_of.get(a.bus_id, "") not in dropped)
    return lot if len(stays) == len(lot.accesses) else replace(lot, accesses=stays)


def plan_problem(
    file: StudyFile, basis: PlanBasis, book: MeasureBook, new: StationAccesses | None = None
) -> PlanProblem:
    """The problem of a study; ``new`` are the ways to connect at new stations."""
    from grid.limits import LimitSettings

    entry = file.plan
    assert entry is not None
    stages = plan_stages(file)
    new = StationAccesses() if new is None else new
    standing = [with_new_stations(_without_stations(lot, basis, entry.dropped_stations), new) for lot in basis.lots]
    use = [k for k, lot in enumerate(standing) if lot.accesses]
    lots = tuple(standing[k] for k in use)
    shared = {access.collector_id for lot in lots for access in lot.accesses}
    points = tuple(
        replace(p, curtailable=p.curtailable or entry.curtailment_in_cases, call_h=entry.case_call_h)
        for p in basis.points
    )
    energy = sum(lot.capacity_mw * lot.energy_mwh_per_mw for lot in lots)
    cost = sum(lot.capacity_mw * lot.cost_cny_per_mw_a for lot in lots)
    settings = PlanSettings(
        objective=entry.objective,
        budget_cny_per_a=np.inf if entry.budget_cny_per_a is None else entry.budget_cny_per_a,
        grid_budget_cny=np.inf if entry.grid_budget_cny is None else entry.grid_budget_cny,
        least_mw=entry.least_mw,
        utilisation_floor=entry.utilisation_floor,
        storage_share=entry.storage_share,
        storage_hours=entry.storage_hours,
        curtailed_cny_per_mwh=cost / energy if energy else 0.0,
        gap=entry.gap,
        time_limit_s=entry.time_limit_s,
        measures_allowed=bool(entry.measures),
        most_measures=entry.most_measures,
    )
    return PlanProblem(
        stages,
        points,
        lots,
        basis.availability[use],
        book.opening({access.requires for lot in lots for access in lot.accesses if access.requires}),
        plan_targets(file, stages, lots),
        settings,
        LimitSettings.standard(),
        book.build,
        tuple(c for c in basis.accesses.collectors if c.id in shared),
        storage_terms(entry),
        storage_buses(lots),
        book.menu,
        agreement_buses(book.network, entry),
        new.bays,
    )


# --- the plan ---------------------------------------------------------------------------------------------------


def compute_plan(results: Results) -> StudyPlan | None:
    """The plan of the study, proved by AC; None where it asks for none or nothing can connect.

    Raises
    ------
    InputError
        If the plan leaves out stations that the network does not have, or all that candidates can connect to.
    """
    basis: PlanBasis | None = results.get("plan_basis")
    if basis is None or not basis.lots:
        return None
    entry = results.study.file.plan
    assert entry is not None
    refuse_unknown_stations(results.study, results.get("network"))
    book = MeasureBook(results.get("network"), entry, new_stations(results.study.file))
    problem = plan_problem(results.study.file, basis, book, results.get("station_accesses"))
    refuse_nothing_left(results.study, len(entry.dropped_stations), len(problem.lots))
    return make_plan(problem, book, basis, results.progress, compute_year_of_plan(results, basis, problem))


def make_plan(
    problem: PlanProblem,
    book: MeasureBook,
    basis: PlanBasis,
    progress: Progress = no_progress,
    year: Year | None = None,
) -> StudyPlan:
    """Search, extreme hours, staircase and greedy plan of a problem."""
    from grid.plan.greedy import greedy_plan
    from grid.plan.search import Search
    from grid.plan.solve import finish, search_plan, with_points
    from grid.plan.staircase import staircase
    from grid.plan.worth import losses

    search, best = search_plan(Search.of(problem, progress))
    extremes: tuple[str, ...] = ()
    if year is not None and basis.hours is not None:
        points, availability = extreme_points(search.problem, best.clean.solved.decision, book, year)
        search, best = with_points(search, best, points, availability)
        extremes = tuple(point.id for point in points)
    answer = finish(search, best)
    stairs = staircase(search)
    known = set(search.problem.measure_row)
    greedy = greedy_plan(search, [name for name in stairs.order if name in known])
    errors = basis.hours.errors if basis.hours else ()
    beside = [m.id for m in search.problem.measures if m.id not in stairs.order]
    built = {m.id for m in answer.decision.built(answer.problem, len(answer.problem.stages) - 1)}
    lost = losses(answer, [name for name in beside if name in built])
    return StudyPlan(answer, greedy, stairs, book.table, extremes, errors, lost)


@dataclass(frozen=True)
class Year:
    """The year behind the representative hours: load by peak, mean PV and wind, output of the problem's lots by grid
    capacity (lots, hours), month of each hour, the network's mean case."""

    load: Floats
    pv: Floats
    wind: Floats
    profiles: Floats
    months: npt.NDArray[np.int64]
    mean: Case


def compute_year_of_plan(results: Results, basis: PlanBasis, problem: PlanProblem) -> Year | None:
    """The year of the problem's lots; None without representative hours."""
    if basis.hours is None:
        return None
    store = hourly_store(results)
    of_lot = {lot.id: members for lot, members in zip(basis.lots, basis.members, strict=True)}
    profiles = lot_profiles(store, tuple(of_lot[lot.id] for lot in problem.lots))
    capacity = np.array([lot.capacity_mw for lot in problem.lots])
    wind = np.array([lot.group == "wind" for lot in problem.lots])
    load = load_share(results.get("demand"), len(store.index))
    mean = mean_case(records.cases(results.study.file), float(load.mean()))
    return Year(
        load,
        mean_profile(profiles, capacity * ~wind),
        mean_profile(profiles, capacity * wind),
        profiles,
        store.index.month.to_numpy(np.int64),
        mean,
    )


def extreme_points(
    problem: PlanProblem, decision: Decision, book: MeasureBook, year: Year
) -> tuple[tuple[Point, ...], Floats]:
    """Hours of the 8760 at which the chosen plan loads the network most, that are no points yet, one hour each."""
    from grid.plan.hours import extreme_hours

    last = len(problem.stages) - 1
    new_mw = decision.mw[:, last, None] * year.profiles[problem.offer_lot]
    network = book.build(decision.config(problem, last), year.mean)
    used = np.flatnonzero(decision.mw[:, last] > 0)  # what is not used may be at a station that does not stand
    buses = [problem.offers[o][1].bus_id for o in used.tolist()]
    loading, branches = year_loading(network, year.mean, year.load, year.pv, year.wind, buses, new_mw[used])
    net = float(network.loads["p_mw"].sum()) * year.load * problem.stages[last].load_factor - new_mw.sum(axis=0)
    found = extreme_hours(year.load, year.pv, year.wind, net, loading, branches, EXTREME_BRANCHES)
    known = {point.id for point in problem.points}
    points, columns = [], []
    for hour in sorted(found):
        name = f"h{hour:04d}"
        if name not in known:
            case = hour_case(year.mean, name, year.load[hour], year.pv[hour], year.wind[hour], int(year.months[hour]))
            points.append(Point(name, case, 1.0, True))
            columns.append(year.profiles[:, hour])
    return tuple(points), np.array(columns).T.reshape(len(problem.lots), len(points))
