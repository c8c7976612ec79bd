"""The plan's project list: a row for every candidate with a connection, also for those that are not built, and why."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.plan.contracts import Decision, PlanProblem
from grid.plan.explain import Binding, where_it_binds
from layers.tables import Table, column
from study.outputs.cgcs2000 import COLUMNS as CGCS2000_COLUMNS
from study.outputs.cgcs2000 import cgcs2000_columns
from study.outputs.element_names import Names, named
from study.pipeline import Results
from study.plan.access import PlanAccesses
from study.plan.basis import PlanBasis, connected_candidates, connection_rate
from study.plan.cost_shares import cost_shares
from study.plan.search import StudyPlan
from study.plan.station_access import with_station_places

Floats = npt.NDArray[np.float64]

BUILT_MW = 1e-3
"""What is built of a site or a store, at least."""

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
        "shared_upgrades_zh": column(str, "", "the same in words"),
        "shared_upgrades_en": column(str, "", "the same in words"),
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


def sites_table(
    results: Results, plan: StudyPlan, basis: PlanBasis, binding: list[Binding], words: Names
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The project list of a plan, :data:`PLAN_SITES`, and who pays for which measure, ``PLAN_COST_SHARES``."""
    problem = plan.answer.problem
    last = len(problem.stages) - 1
    table = sites_at_access(results, plan, basis)
    mw = table[last].to_numpy(float)
    part = mw / table["grid_capacity_mw"].to_numpy(float)
    stages = table[list(range(len(problem.stages)))].to_numpy(float) > BUILT_MW
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
    table["own_upgrade_cny"] = np.where(mw > BUILT_MW, table["connection_cost_cny"].fillna(0.0), 0.0)
    shares = _add_measures(table, plan)
    _add_reasons(table, problem, binding, part, words)
    _add_places(table, results, plan)
    connection = np.where(mw > BUILT_MW, table["connection_cny_per_a"], 0.0)
    ageing = table["candidate_id"].map(ageing_factor(results.get("costs").waterfall)).fillna(1.0).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        yearly = part * table["yearly_cny"] + ageing * (connection + table["shared_cny_per_a"])
        lcoe = yearly / table["p50_mwh"] / 1000
        whole = (table["yearly_cny"] + ageing * table["connection_cny_per_a"]) / table["energy_mwh"] / 1000
    table["lcoe_cny_per_kwh"] = np.where(mw > BUILT_MW, lcoe, whole)
    table = table.rename(columns={"vn_kv": "connection_kv", "length_km": "connection_km"})
    table["rank"] = table["stage"].replace("", "9999")
    table = table.sort_values(["rank", "lcoe_cny_per_kwh", "candidate_id"], kind="stable").reset_index(drop=True)
    table["order"] = np.arange(1, len(table) + 1)
    table["responsible_unit"] = ""
    return PLAN_SITES.validate(table[list(PLAN_SITES.columns)]), shares


def ageing_factor(waterfall: pd.DataFrame) -> pd.Series:
    """What a yearly payment costs more by the first year's output since plants age, by candidate: 1 / s of the cost
    waterfall, in which own costs have it already and connections and measures do not."""
    ages = waterfall["cost_item"] == "degradation"
    by = [waterfall[rows].groupby("candidate_id")["yearly_cny"].sum() for rows in (ages, ~ages)]
    return pd.Series(1 + (by[0] / by[1].where(by[1] > 0)).fillna(0.0))


def sites_at_access(results: Results, plan: StudyPlan, basis: PlanBasis) -> pd.DataFrame:
    """Candidates with a connection: what is built of each by stage, and the connection that the plan chose."""
    table = built_by_candidate(plan, basis).merge(connected_candidates(results), on="candidate_id", how="left")
    accesses = with_station_places(basis.accesses, results.get("station_accesses"))
    return at_chosen_access(table, plan.answer.problem, plan.answer.decision, accesses)


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
        if place is None or one <= BUILT_MW:
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


def _add_measures(table: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    """Measures that each site uses, its share of investment and yearly cost; gives the shares back."""
    shares = cost_shares(table, plan)
    names = plan.menu.set_index("measure_id")[["description_zh", "description_en"]]
    by_site = shares.join(names, on="measure_id").groupby("candidate_id", sort=False)
    of = table["candidate_id"]
    for target, source, between in (
        ("shared_upgrades", "measure_id", " "),
        ("shared_upgrades_zh", "description_zh", "；"),
        ("shared_upgrades_en", "description_en", "; "),
    ):
        table[target] = of.map(by_site[source].agg(between.join)).fillna("").astype(object)
    table["shared_upgrade_cny"] = of.map(by_site["investment_cny"].sum()).fillna(0.0).astype(float)
    table["shared_cny_per_a"] = of.map(by_site["annual_cost_cny"].sum()).fillna(0.0).astype(float)
    return shares


def _add_reasons(table: pd.DataFrame, problem: PlanProblem, binding: list[Binding], part: Floats, names: Names) -> None:
    """Verdict and reason of each site; what limits it goes by its name."""
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
            where_zh, where_en = named(where_zh, names, "zh"), named(where_en, names, "en")
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


def station_names(results: Results, plan: StudyPlan) -> pd.DataFrame:
    """``name_zh`` and ``name_en`` by station id, of stations that the plan may build too."""
    new = plan.menu[plan.menu["kind"] == "new_station"].drop_duplicates("station_id")
    columns = ["station_id", "name_zh", "name_en"]
    return pd.concat([results.get("network").stations[columns], new[columns]]).set_index("station_id")


def _add_places(table: pd.DataFrame, results: Results, plan: StudyPlan) -> None:
    """Labels of county and station (new ones too), coordinates in the CGCS2000 zone of each site."""
    facts = results.get("region_facts")
    districts = facts.districts.drop_duplicates("district_code").set_index("district_code")
    stations = station_names(results, plan)
    for language in ("zh", "en"):
        table[f"district_{language}"] = (
            table["district_code"].map(districts[f"name_{language}"]).fillna("").astype(object)
        )
        table[f"station_{language}"] = table["station_id"].map(stations[f"name_{language}"]).fillna("").astype(object)
    places = cgcs2000_columns(table, facts.crs).reindex(columns=list(CGCS2000_COLUMNS))
    places["cgcs2000_zone"] = places["cgcs2000_zone"].fillna(0).astype("int64")
    table[list(CGCS2000_COLUMNS)] = places
