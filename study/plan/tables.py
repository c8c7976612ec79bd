"""What a plan leaves in its run: ``plan/summary.json``, project list, measures, staircase, targets, what binds.

The project list has a row for every candidate with a connection, also for those that are not built, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.plan.agreements import agreement_cny, called_mwh, held_back_mwh
from grid.plan.contracts import PLAN_BINDING, PLAN_HOURS, PLAN_MEASURES, Decision, PlanProblem
from grid.plan.explain import Binding, binding_rows, measure_use, where_it_binds
from grid.plan.model import counts_for
from grid.plan.staircase import staircase_table
from layers.tables import Table, column
from study.outputs.cgcs2000 import COLUMNS as CGCS2000_COLUMNS
from study.outputs.cgcs2000 import cgcs2000_columns
from study.outputs.labels import value_labels
from study.pipeline import Results
from study.plan.access import PlanAccesses
from study.plan.basis import PlanBasis, connected_candidates, connection_rate
from study.plan.search import AT_MOST, SHARE, StudyPlan, quota_id, target_id
from study.schema.file import StudyFile

Floats = npt.NDArray[np.float64]

PLAN_SITES = Table(
    "plan_sites",
    "The plan's project list: every candidate with a connection, what is built of it, when, where and why.",
    {
        "order": column(int, "", "built ones first, by stage and cost of energy", ge=1),
        "candidate_id": column(str, "", "candidate", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "district_code": column(str, "", "county"),
        "district_zh": column(str, "", "county"),
        "district_en": column(str, "", "county"),
        "host_type": column(str, "", "what carries it"),
        "technology": column(str, "", "technology"),
        "stage": column(str, "", "year in which it is first built; empty: not built"),
        "planned_mw": column(float, "MW", "grid capacity built by the last stage", ge=0),
        "planned_capacity_mw": column(float, "MW", "the same as installed capacity (PV DC, wind AC)", ge=0),
        "capacity_mw": column(float, "MW", "installed capacity of the whole candidate", ge=0),
        "storage_mwh": column(float, "MWh", "storage at its bus, by its share of the bus's plants", ge=0),
        "full_load_hours": column(float, "h", "by grid capacity", nullable=True, ge=0),
        "p50_mwh": column(float, "MWh", "mean year, of what is built", ge=0),
        "p90_mwh": column(float, "MWh", "exceeded in nine of ten years, of what is built", nullable=True, ge=0),
        "lcoe_cny_per_kwh": column(float, "CNY/kWh", "with connection and its share of measures", nullable=True, ge=0),
        "station_id": column(str, "", "station"),
        "station_zh": column(str, "", "station"),
        "station_en": column(str, "", "station"),
        "bus_id": column(str, "", "connection point"),
        "connection_kv": column(float, "kV", "connection voltage", nullable=True),
        "connection_km": column(float, "km", "tie line", nullable=True, ge=0),
        "own_upgrade_cny": column(float, "CNY", "its own tie line and bay", ge=0),
        "shared_upgrades": column(str, "", "measures that it uses, separated by blanks"),
        "shared_upgrade_cny": column(float, "CNY", "its share of their investment, by use", ge=0),
        "verdict": column(str, "", "", isin=("build", "build_part", "not_needed", "no_room")),
        "reason_zh": column(str, "", "one sentence"),
        "reason_en": column(str, "", "one sentence"),
        "responsible_unit": column(str, "", "left for the user"),
        "lon": column(float, "degree", "WGS-84"),
        "lat": column(float, "degree", "WGS-84"),
        "cgcs2000_zone": column(int, "", "number of the CGCS2000 three-degree zone of x and y; 0 outside China", ge=0),
        "cgcs2000_x_m": column(float, "m", "northing in that zone; x is north in Chinese surveying", nullable=True),
        "cgcs2000_y_m": column(float, "m", "easting in that zone, 500 km at the meridian", nullable=True),
    },
)

PLAN_TARGETS = Table(
    "plan_targets",
    "Targets and quotas beside the plan.",
    {
        "target": column(str, "", "target or quota", unique=True),
        "target_zh": column(str, "", "label"),
        "target_en": column(str, "", "label"),
        "technology_group": column(str, "", "what counts"),
        "stage": column(int, "", "year"),
        "kind": column(str, "", "at least or at most", isin=("at_least", "at_most")),
        "new_mw": column(float, "MW", "new installed capacity asked for", ge=0),
        "planned_mw": column(float, "MW", "new installed capacity of the plan", ge=0),
        "missing_mw": column(float, "MW", "by how much it is missed", ge=0),
        "why_zh": column(str, "", "what keeps it from more; empty where it is met"),
        "why_en": column(str, "", "what keeps it from more; empty where it is met"),
    },
)

PLAN_STORAGE = Table(
    "plan_storage",
    "Storage of the plan.",
    {
        "bus_id": column(str, "", "bus"),
        "stage": column(int, "", "year"),
        "power_mw": column(float, "MW", "power", ge=0),
        "energy_mwh": column(float, "MWh", "content", ge=0),
    },
)

_BUILT_MW = 1e-3
_MISSED_MW = 0.01


@dataclass(frozen=True)
class PlanTables:
    """Tables of a plan by the name of their file, and the summary."""

    tables: Mapping[str, pd.DataFrame]
    summary: Mapping[str, object]


def plan_tables(results: Results) -> PlanTables | None:
    """All tables of a run's plan; None where there is none."""
    plan: StudyPlan | None = results.get("plan")
    if plan is None:
        return None
    basis: PlanBasis = results.get("plan_basis")
    answer = plan.answer
    binding = binding_rows(answer)
    sites = sites_table(results, plan, basis, binding)
    tables = {
        "sites": sites,
        "measures": measures_table(plan),
        "staircase": staircase_table(list(plan.steps)),
        "targets": targets_table(results, plan, binding),
        "binding": binding_table(answer.problem, binding),
        "storage": storage_table(answer.problem, answer.decision),
        "hours": PLAN_HOURS.empty() if basis.hours is None else basis.hours.table,
    }
    return PlanTables(tables, summary(results, plan, sites, binding))


def write_plan(tables: PlanTables, folder: Path) -> None:
    """Write tables and summary into ``folder``."""
    from study.outputs.exports import write_table

    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.tables.items():
        write_table(table, folder / f"{name}.csv")
    text = json.dumps(tables.summary, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", "utf-8")


def plan_on_map(results: Results) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Measures of the plan and the stage of each site it builds, as :class:`maps.contracts.SiteMapInput` has them."""
    plan: StudyPlan | None = results.get("plan")
    if plan is None:
        return None, None
    built = measures_table(plan)
    names = {"description_zh": "name_zh", "description_en": "name_en", "investment_cny": "cost_cny"}
    station = dict(zip(plan.menu["measure_id"], plan.menu["station_id"], strict=True))
    measures = built.rename(columns=names).assign(station_id=built["measure_id"].map(station).fillna(""))
    measures["stage"] = measures["stage"].astype(str)
    basis: PlanBasis = results.get("plan_basis")
    table = built_by_candidate(plan, basis)
    years = [str(stage.year) for stage in plan.answer.problem.stages]
    stands = table[list(range(len(years)))].to_numpy(float) > _BUILT_MW
    first = [years[row.argmax()] if row.any() else "" for row in stands]
    return measures, pd.DataFrame({"candidate_id": table["candidate_id"], "stage": np.array(first, dtype=object)})


# --- sites --------------------------------------------------------------------------------------------------------


def built_by_candidate(plan: StudyPlan, basis: PlanBasis) -> pd.DataFrame:
    """Grid capacity of each candidate by stage [MW]; within a lot the cheapest energy is built first."""
    problem, decision = plan.answer.problem, plan.answer.decision
    members = {lot.id: one for lot, one in zip(basis.lots, basis.members, strict=True)}
    mw = np.zeros((len(problem.lots), len(problem.stages)))
    np.add.at(mw, problem.offer_lot, decision.mw)
    records = []
    for k, lot in enumerate(problem.lots):
        left = mw[k].copy()
        for candidate, capacity in zip(members[lot.id].candidate_ids, members[lot.id].capacity_mw, strict=True):
            given = np.minimum(left, capacity)
            left -= given
            records.append((candidate, k, *given.tolist()))
    return pd.DataFrame(records, columns=["candidate_id", "lot", *range(len(problem.stages))])


def sites_table(results: Results, plan: StudyPlan, basis: PlanBasis, binding: list[Binding]) -> pd.DataFrame:
    """The project list of a plan, :data:`PLAN_SITES`."""
    problem = plan.answer.problem
    last = len(problem.stages) - 1
    table = built_by_candidate(plan, basis).merge(connected_candidates(results), on="candidate_id", how="left")
    table = at_chosen_access(table, problem, plan.answer.decision, basis.accesses)
    mw = table[last].to_numpy(float)
    part = mw / table["grid_capacity_mw"].to_numpy(float)
    stages = table[list(range(len(problem.stages)))].to_numpy(float) > _BUILT_MW
    years = np.array([str(stage.year) for stage in problem.stages], dtype=object)
    table["stage"] = [years[row.argmax()] if row.any() else "" for row in stages]
    table["planned_mw"] = np.where(part > 0, mw, 0.0)
    table["planned_capacity_mw"] = part * table["capacity_mw"]
    table["p50_mwh"] = part * table["energy_mwh"]
    details = results.get("yields").details
    p90 = details.set_index("candidate_id")["p90_mwh"] if len(details) else pd.Series(dtype=float)
    table["p90_mwh"] = part * table["candidate_id"].map(p90).astype(float)
    table["full_load_hours"] = table["energy_mwh"] / table["grid_capacity_mw"]
    table["storage_mwh"] = _storage_share(problem, plan.answer.decision, table)
    table["own_upgrade_cny"] = np.where(mw > _BUILT_MW, table["connection_cost_cny"].fillna(0.0), 0.0)
    _add_measures(table, plan)
    _add_reasons(table, problem, binding, part)
    _add_places(table, results)
    yearly = part * table["yearly_cny"] + np.where(mw > _BUILT_MW, table["connection_cny_per_a"], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lcoe = (yearly + table["shared_cny_per_a"]) / table["p50_mwh"] / 1000
        whole = (table["yearly_cny"] + table["connection_cny_per_a"]) / table["energy_mwh"] / 1000
    table["lcoe_cny_per_kwh"] = np.where(mw > _BUILT_MW, lcoe, whole)
    table = table.rename(columns={"vn_kv": "connection_kv", "length_km": "connection_km"})
    table["rank"] = table["stage"].replace("", "9999")
    table = table.sort_values(["rank", "lcoe_cny_per_kwh", "candidate_id"], kind="stable").reset_index(drop=True)
    table["order"] = np.arange(1, len(table) + 1)
    table["responsible_unit"] = ""
    return PLAN_SITES.validate(table[list(PLAN_SITES.columns)])


def at_chosen_access(
    table: pd.DataFrame, problem: PlanProblem, decision: Decision, accesses: PlanAccesses
) -> pd.DataFrame:
    """The sites with the connection that the plan chose for them; sites not built keep that of the joint choice.

    Of a collector each user pays its part by MW.
    """
    table = table.copy()
    mw = decision.mw[:, -1]
    through: dict[str, float] = {}
    for (_, access), one in zip(problem.offers, mw, strict=True):
        if access.collector_id:
            through[access.collector_id] = through.get(access.collector_id, 0.0) + float(one)
    row_of_lot = {int(lot): row for row, lot in enumerate(table["lot"])}
    for (k, access), one in zip(problem.offers, mw, strict=True):
        place = accesses.places.get(access.id)
        if place is None or one <= _BUILT_MW:
            continue
        row = int(table.index[row_of_lot[k]])
        part = float(one) / through[access.collector_id] if access.collector_id else 0.0
        cost = place.cost_cny + part * accesses.collector_cny.get(access.collector_id, 0.0)
        table.at[row, "station_id"], table.at[row, "bus_id"] = place.station_id, place.bus_id
        table.at[row, "vn_kv"], table.at[row, "length_km"] = place.vn_kv, place.length_km
        table.at[row, "connection_cost_cny"] = cost
        table.at[row, "connection_cny_per_a"] = cost * connection_rate()
    return table


def _storage_share(problem: PlanProblem, decision: Decision, table: pd.DataFrame) -> Floats:
    stored = dict(zip(problem.storage_buses, decision.storage_mwh[:, -1], strict=True)) if problem.storage else {}
    at_bus = table.groupby("bus_id")["planned_mw"].transform("sum").to_numpy(float)
    share = np.where(at_bus > 0, table["planned_mw"].to_numpy(float) / np.where(at_bus > 0, at_bus, 1.0), 0.0)
    return np.asarray(share * table["bus_id"].map(stored).fillna(0.0).to_numpy(float), dtype=np.float64)


def _add_measures(table: pd.DataFrame, plan: StudyPlan) -> None:
    """Measures that each site uses, its share of investment and yearly cost."""
    use = measure_use(plan.answer)
    problem, decision = plan.answer.problem, plan.answer.decision
    paid = agreement_cny(problem, decision.called_mw, len(problem.stages) - 1)
    lot = table["lot"].to_numpy(int)
    planned = table["planned_mw"].to_numpy(float)
    in_lot = np.bincount(lot, planned, len(plan.answer.problem.lots))
    share_of_lot = np.where(in_lot[lot] > 0, planned / np.where(in_lot[lot] > 0, in_lot[lot], 1.0), 0.0)
    names = np.full(len(table), "", dtype=object)
    investment, yearly = np.zeros(len(table)), np.zeros(len(table))
    for row, share in use.items():
        measure = plan.answer.problem.measures[row]
        mine = share[lot] * share_of_lot
        investment += mine * measure.investment_cny
        yearly += mine * (measure.cost_cny_per_a + float(paid[row]))
        names = np.where(mine > 1e-6, names + " " + measure.id, names)
    table["shared_upgrades"] = [str(name).strip() for name in names]
    table["shared_upgrade_cny"] = investment
    table["shared_cny_per_a"] = yearly


def _add_reasons(table: pd.DataFrame, problem: PlanProblem, binding: list[Binding], part: Floats) -> None:
    held: dict[int, Binding] = {}
    for one in binding:
        for lot in one.lots:
            held.setdefault(lot, one)
    verdicts, zh, en = [], [], []
    for lot, share, year in zip(table["lot"].tolist(), part.tolist(), table["stage"].tolist(), strict=True):
        limit = held.get(lot)
        where_zh = where_en = ""
        if limit is not None:
            where_zh, where_en = where_it_binds(problem, limit.cut)
        if share > 1 - 1e-4:
            verdict, a, b = "build", f"{year}年全部建设，N-1校核通过", f"all of it by {year}, N-1 verified"
        elif year:
            verdict = "build_part"
            a, b = f"建设{share:.0%}；{where_zh or '目标已满足'}", f"{share:.0%} of it; {where_en or 'targets are met'}"
        elif limit is not None:
            verdict, a, b = "no_room", where_zh, where_en
        else:
            verdict, a, b = "not_needed", "目标由成本更低的场址满足", "cheaper sites meet the targets"
        verdicts.append(verdict)
        zh.append(a)
        en.append(b)
    table["verdict"], table["reason_zh"], table["reason_en"] = verdicts, zh, en


def _add_places(table: pd.DataFrame, results: Results) -> None:
    """Labels of county and station, coordinates in the CGCS2000 zone of each site."""
    facts = results.get("region_facts")
    districts = facts.districts.drop_duplicates("district_code").set_index("district_code")
    stations = results.get("network").stations.set_index("station_id")
    for language in ("zh", "en"):
        table[f"district_{language}"] = (
            table["district_code"].map(districts[f"name_{language}"]).fillna("").astype(object)
        )
        table[f"station_{language}"] = table["station_id"].map(stations[f"name_{language}"]).fillna("").astype(object)
    places = cgcs2000_columns(table, facts.crs).reindex(columns=list(CGCS2000_COLUMNS))
    places["cgcs2000_zone"] = places["cgcs2000_zone"].fillna(0).astype("int64")
    table[list(CGCS2000_COLUMNS)] = places


# --- the other tables ---------------------------------------------------------------------------------------------


def measures_table(plan: StudyPlan) -> pd.DataFrame:
    """Measures that the plan builds, in the order of the staircase, the others after them by cost."""
    problem, decision = plan.answer.problem, plan.answer.decision
    built = [m for m in range(len(problem.measures)) if decision.measures[m].any()]
    if not built:
        return PLAN_MEASURES.empty()
    stairs = {step.measure_id: k for k, step in enumerate(plan.steps)}
    gain = {
        step.measure_id: step.deliverable_mw - before.deliverable_mw
        for before, step in zip(plan.steps, plan.steps[1:], strict=False)
    }
    built.sort(key=lambda m: (stairs.get(problem.measures[m].id, 9999), problem.measures[m].investment_cny))
    menu = plan.menu.set_index("measure_id")
    last = len(problem.stages) - 1
    paid = agreement_cny(problem, decision.called_mw, last)
    rows = []
    for order, m in enumerate(built, start=1):
        measure = problem.measures[m]
        unlocked = float(gain.get(measure.id, 0.0))
        text = menu.loc[measure.id]
        rows.append(
            (
                order,
                measure.id,
                measure.kind,
                measure.element,
                text["description_zh"],
                text["description_en"],
                problem.stages[int(decision.measures[m].argmax())].year,
                measure.investment_cny,
                measure.cost_cny_per_a + float(paid[m]),
                called_mwh(problem, decision.called_mw, m, last),
                unlocked,
                measure.investment_cny / unlocked if unlocked > 0 else np.nan,
                text["cost_confidence"],
            )
        )
    return PLAN_MEASURES.validate(pd.DataFrame(rows, columns=list(PLAN_MEASURES.columns)))


def targets_table(results: Results, plan: StudyPlan, binding: list[Binding]) -> pd.DataFrame:
    """Targets beside the plan, with what keeps a missed one from more."""
    from grid.plan.explain import why_missed

    problem, decision = plan.answer.problem, plan.answer.decision
    labels = target_labels(results.study.file)
    states = results.get("land_tables").states
    carries = results.get("sites").candidates.groupby("technology")["host_type"].unique()
    rows = []
    for t, target in enumerate(problem.targets):
        missing = float(decision.missing_mw[t])
        zh, en = why_missed(plan.answer, t, binding) if missing > _MISSED_MW else ("", "")
        if missing > _MISSED_MW and not target.ceiling and uses_all_candidates(problem, decision, t):
            counting = {lot.technology for k, lot in enumerate(problem.lots) if counts_for(problem, k, target)}
            hosts = {host for name in counting for host in carries.get(name, ())}
            land_zh, land_en = land_that_lacks(states[states["host_type"].isin(hosts)])
            zh, en = zh + land_zh, en + land_en
        rows.append(
            (
                target.id,
                *labels.get(target.id, (target.id, target.id)),
                target.group,
                problem.stages[target.stage].year,
                "at_most" if target.ceiling else "at_least",
                target.new_mw,
                planned_mw(problem, decision, t),
                missing,
                zh,
                en,
            )
        )
    if not rows:
        return PLAN_TARGETS.empty()
    return PLAN_TARGETS.validate(pd.DataFrame(rows, columns=list(PLAN_TARGETS.columns)))


def target_labels(file: StudyFile) -> dict[str, tuple[str, str]]:
    """Labels (Chinese, English) of targets and quotas by what the plan calls them."""
    found = {target_id(k, target): (target.quantity_zh, target.quantity_en) for k, target in enumerate(file.targets)}
    groups = {label.value: label for label in value_labels("technology_group")}
    for k, quota in enumerate(file.plan.quotas if file.plan else ()):
        group = groups[quota.technology_group]
        of = "".join(f" {name}" for name in (*quota.technologies, *quota.districts))
        for end, zh, en in (("", "新增下限", "new, at least"), (SHARE, "新增比例下限", "new, least share"),
                            (AT_MOST, "新增上限", "new, at most")):  # fmt: skip
            found[quota_id(k, quota) + end] = f"{group.label_zh}{zh}{of}", f"{group.label_en} {en}{of}"
    return found


def uses_all_candidates(problem: PlanProblem, decision: Decision, t: int) -> bool:
    """Whether every candidate that counts for a target is built in full by its stage: then land keeps it from more."""
    target = problem.targets[t]
    if target.group == "storage":
        return False
    whole = sum(
        lot.capacity_mw * lot.installed_per_mw for k, lot in enumerate(problem.lots) if counts_for(problem, k, target)
    )
    return planned_mw(problem, decision, t) >= (1 - 1e-4) * whole


def land_that_lacks(states: pd.DataFrame) -> tuple[str, str]:
    """What to add (Chinese, English) where all candidates are used: eligible land and land that no source maps.

    ``states``: areas of the host types that count. Unknown land differs by host type; the least is unknown to all.
    Empty without host types.
    """
    if not len(states):
        return "", ""
    host, eligible = float(states["host_km2"].sum()), float(states["owned_km2"].sum())
    unknown, region = float(states["unknown_km2"].min()), float(states["region_km2"].max())
    zh = f"；可承载的已测绘土地{host:,.0f} km²，其中可用{eligible:,.0f} km²"
    en = f"; of {host:,.0f} km2 mapped as land for it {eligible:,.0f} km2 are eligible"
    if unknown > 0.01 * region:
        zh += f"；区域{region:,.0f} km²中{unknown:,.0f} km²没有资料，不计入"
        en += f"; {unknown:,.0f} of the region's {region:,.0f} km2 are mapped by no source and do not count"
    return zh, en


def planned_mw(problem: PlanProblem, decision: Decision, t: int) -> float:
    """New installed capacity that counts for a target [MW]."""
    target = problem.targets[t]
    if target.group == "storage":
        return float(decision.storage_mw[:, target.stage].sum())
    return float(
        sum(
            decision.mw[o, target.stage] * problem.lots[k].installed_per_mw
            for o, (k, _) in enumerate(problem.offers)
            if counts_for(problem, k, target)
        )
    )


def binding_table(problem: PlanProblem, binding: list[Binding]) -> pd.DataFrame:
    """Table :data:`grid.plan.contracts.PLAN_BINDING`."""
    rows = [
        (problem.stages[b.stage].year, problem.points[b.cut.point].id, b.cut.kind, b.cut.element, b.cut.outage, b.price)
        for b in binding
    ]
    return (
        PLAN_BINDING.validate(pd.DataFrame(rows, columns=list(PLAN_BINDING.columns))) if rows else PLAN_BINDING.empty()
    )


def storage_table(problem: PlanProblem, decision: Decision) -> pd.DataFrame:
    """Storage by bus and stage."""
    rows = [
        (bus, stage.year, float(decision.storage_mw[k, s]), float(decision.storage_mwh[k, s]))
        for k, bus in enumerate(problem.storage_buses if problem.storage else ())
        for s, stage in enumerate(problem.stages)
        if decision.storage_mw[k, s] > _BUILT_MW
    ]
    return (
        PLAN_STORAGE.validate(pd.DataFrame(rows, columns=list(PLAN_STORAGE.columns))) if rows else PLAN_STORAGE.empty()
    )


def summary(results: Results, plan: StudyPlan, sites: pd.DataFrame, binding: list[Binding]) -> dict[str, object]:
    """What ``plan/summary.json`` holds. ``seconds``, those of the search, is the one figure of a run folder beside the
    manifest that the machine makes: all others are the same for the same study.

    ``lp_bound_cny`` speaks of money, so it is null where a target is missed: its programme prices what is missing.
    """
    answer, problem, decision = plan.answer, plan.answer.problem, plan.answer.decision
    hours = np.array([point.weight_h for point in problem.points])
    energy = np.array([problem.lots[k].energy_mwh_per_mw for k, _ in problem.offers])
    stages = []
    for s, stage in enumerate(problem.stages):
        held = held_back_mwh(problem, decision.called_mw, s)
        mw, lost = decision.mw[:, s], float((decision.curtailed_mw[:, :, s] * hours).sum()) + held
        own = [t for t, target in enumerate(problem.targets) if target.stage == s]
        stages.append(
            {
                "stage": stage.year,
                "weight": stage.weight,
                "grid_capacity_mw": float(mw.sum()),
                "installed_mw": float(
                    sum(mw[o] * problem.lots[k].installed_per_mw for o, (k, _) in enumerate(problem.offers))
                ),
                "energy_mwh": float(mw @ energy) - lost,
                "curtailed_mwh": lost,
                "held_back_by_contract_mwh": held,
                "storage_mw": float(decision.storage_mw[:, s].sum()),
                "storage_mwh": float(decision.storage_mwh[:, s].sum()),
                "measures": sorted(m.id for m in decision.built(problem, s)),
                "grid_investment_cny": float(
                    sum(m.investment_cny for m, b in zip(problem.measures, decision.measures[:, s], strict=True) if b)
                ),
                "targets": [
                    {
                        "target": problem.targets[t].id,
                        "new_mw": problem.targets[t].new_mw,
                        "planned_mw": planned_mw(problem, decision, t),
                        "shortfall_mw": float(decision.missing_mw[t]),
                    }
                    for t in own
                ],
                "ac_violations": sum(v.stage == s for v in answer.violations),
            }
        )
    missed = float(decision.missing_mw.sum()) > _MISSED_MW
    speaks_of_money = problem.settings.objective == "least_cost" and not missed
    factor = float(results.get("costs").co2["co2_kg_per_kwh"].iloc[0]) if len(results.get("costs").co2) else 0.0
    return {
        "objective": problem.settings.objective,
        "objective_cny": answer.objective_cny,
        "best_bound_cny": _number(answer.best_bound_cny),
        "lp_bound_cny": _number(answer.lp_bound) if speaks_of_money else None,
        "value": answer.value,
        "gap_percent": answer.gap_percent,
        "seconds": round(answer.seconds, 1),
        "greedy": {
            "objective_cny": plan.greedy.cost_cny,
            "shortfall_mw": plan.greedy.missing_mw,
            "grid_capacity_mw": list(plan.greedy.mw),
            "measures": list(plan.greedy.measures),
            "ac_clean": plan.greedy.clean,
        },
        "stages": stages,
        "ac_violations": len(answer.violations),
        "ac_unsolved_points": answer.diverged,
        "violations": [
            {
                "stage": problem.stages[v.stage].year,
                "point": v.point,
                "limit": v.kind,
                "element": v.element,
                "outage": v.outage,
                "value": v.value,
                "allowed": v.limit,
            }
            for v in answer.violations[:50]
        ],
        "ac_states_checked": answer.states_checked,
        "points": [point.id for point in problem.points],
        "extreme_hours_added": list(plan.extreme_hours),
        "representative_hours": [
            {"series": e.series, "mean_error_percent": e.mean_percent, "duration_error_percent": e.duration_percent}
            for e in plan.errors
        ],
        "decisions": {
            "lots": len(problem.lots),
            "measures": len(problem.measures),
            "buses": len(problem.buses),
            "rows_found": len(answer.cuts),
            "rounds": len(answer.rounds),
        },
        "binding_rows": len(binding),
        "deliverable_mw_without_upgrades": plan.steps[0].deliverable_mw if plan.steps else None,
        "sites_built": int((sites["planned_mw"] > _BUILT_MW).sum()),
        "co2_avoided_t": float(sites["p50_mwh"].sum()) * factor,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
