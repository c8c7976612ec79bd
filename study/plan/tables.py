"""What a plan leaves in its run: ``plan/summary.json`` and all tables, by the name of their file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from grid.plan.agreements import held_back_mwh
from grid.plan.costs import curtailed_mwh, yearly_cost
from grid.plan.explain import Binding, binding_rows
from study.pipeline import Results
from study.plan.basis import PlanBasis, connected_candidates
from study.plan.grid_tables import binding_table, measures_table, storage_table
from study.plan.names import hours_table, plan_words
from study.plan.search import StudyPlan, target_id
from study.plan.site_table import BUILT_MW, built_by_candidate, sites_at_access, sites_table, station_names
from study.plan.staircase_table import menu_table, staircase_table, what_binds
from study.plan.target_table import MISSED_MW, targets_table
from study.plan.ties import plan_ties
from study.schema.file import StudyFile

_GOAL = ["target", "new_mw", "planned_mw", "missing_mw"]


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
    binding, words = binding_rows(answer), plan_words(results, plan, basis)
    sites, shares = sites_table(results, plan, basis, binding, words)
    tables = {
        "sites": sites,
        "cost_shares": shares,
        "measures": measures_table(plan),
        "menu": menu_table(plan),
        "staircase": staircase_table(plan, words),
        "targets": targets_table(results, plan, binding, words),
        "binding": binding_table(answer.problem, binding, words),
        "storage": storage_table(answer.problem, answer.decision),
        "hours": hours_table(results, plan, basis, words),
    }
    told = what_binds(plan.staircase, plan.staircase.steps[-1], words)
    return PlanTables(tables, summary(results, plan, tables, binding, told))


def write_plan(tables: PlanTables, folder: Path) -> None:
    """Write tables and summary into ``folder``."""
    from study.outputs.exports import write_table

    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.tables.items():
        write_table(table, folder / f"{name}.csv")
    text = json.dumps(tables.summary, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", "utf-8")


@dataclass(frozen=True)
class PlanOnMap:
    """What the map shows of a plan, as :class:`maps.contracts.SiteMapInput` has it; all None where there is none."""

    measures: pd.DataFrame | None = None
    stages: pd.DataFrame | None = None
    ties: gpd.GeoDataFrame | None = None


def plan_on_map(results: Results) -> PlanOnMap:
    """Measures of the plan, the stage of each site it builds and where it connects, its tie lines."""
    plan: StudyPlan | None = results.get("plan")
    if plan is None:
        return PlanOnMap()
    built = measures_table(plan)
    names = {"description_zh": "name_zh", "description_en": "name_en", "investment_cny": "cost_cny"}
    places = plan.menu[["measure_id", "station_id", "lon", "lat", "joins"]]
    measures = built.rename(columns=names).merge(places, on="measure_id", how="left", validate="1:1")
    measures[["station_id", "joins"]] = measures[["station_id", "joins"]].fillna("")
    measures["stage"] = measures["stage"].astype(str)
    basis: PlanBasis = results.get("plan_basis")
    sites = sites_at_access(results, plan, basis)
    years = [str(stage.year) for stage in plan.answer.problem.stages]
    stands = sites[list(range(len(years)))].to_numpy(float) > BUILT_MW
    first = [years[row.argmax()] if row.any() else "" for row in stands]
    stages = pd.DataFrame({"candidate_id": sites["candidate_id"], "stage": np.array(first, dtype=object)})
    listed = results.get("connections").set_index("candidate_id")["bus_id"]
    moved = stands.any(axis=1) & (sites["bus_id"] != sites["candidate_id"].map(listed)).to_numpy(bool)
    for language in ("zh", "en"):
        names_of = station_names(results, plan)[f"name_{language}"]
        words = sites["station_id"].map(names_of).fillna("") + [
            f" · {kv:g} kV · {km:.1f} km" for kv, km in zip(sites["vn_kv"], sites["length_km"], strict=True)
        ]
        stages[f"connection_{language}"] = words.where(moved, "").astype(object)
    return PlanOnMap(measures, stages, plan_ties(results, plan, sites))


def summary(
    results: Results,
    plan: StudyPlan,
    tables: Mapping[str, pd.DataFrame],
    binding: list[Binding],
    binds_at_last: tuple[str, str],
) -> dict[str, object]:
    """What ``plan/summary.json`` holds. ``seconds``, those of the search, is the one figure of a run folder beside the
    manifest that the machine makes: all others are the same for the same study.

    ``lp_bound_cny`` speaks of money, so it is null where a target is missed: its programme prices what is missing.
    ``binds_at_last``: what binds after the last step of the staircase (Chinese, English).
    """
    answer, problem, decision = plan.answer, plan.answer.problem, plan.answer.decision
    sites, targets = tables["sites"], tables["targets"]
    energy = delivered_mwh(results, plan)
    factor = co2_factor(results)
    tonnes_per_mwh = factor["co2_kg_per_kwh"] if isinstance(factor["co2_kg_per_kwh"], float) else 0.0
    stages = []
    for s, stage in enumerate(problem.stages):
        held = held_back_mwh(problem, decision.called_mw, s)
        mw, lost = decision.mw[:, s], curtailed_mwh(problem, decision, s) + held
        own = targets[targets["stage"] == stage.year]
        cost = yearly_cost(problem, decision, s)
        stages.append(
            {
                "stage": stage.year,
                "weight": stage.weight,
                "grid_capacity_mw": float(mw.sum()),
                "installed_mw": float(
                    sum(mw[o] * problem.lots[k].installed_per_mw for o, (k, _) in enumerate(problem.offers))
                ),
                "energy_mwh": energy[s] - lost,
                "curtailed_mwh": lost,
                "held_back_by_contract_mwh": float(held),
                "storage_mw": float(decision.storage_mw[:, s].sum()),
                "storage_mwh": float(decision.storage_mwh[:, s].sum()),
                "measures": sorted(m.id for m in decision.built(problem, s)),
                "grid_investment_cny": float(
                    sum(m.investment_cny for m, b in zip(problem.measures, decision.measures[:, s], strict=True) if b)
                ),
                "yearly_cost_cny": cost.total,
                "yearly_cost_by_item_cny": asdict(cost),
                "co2_avoided_t": (energy[s] - lost) * tonnes_per_mwh,
                "target_mw": float(own["new_mw"].sum()),
                "shortfall_mw": float(own["missing_mw"].sum()),
                "targets": [
                    {"target": name, "new_mw": new, "planned_mw": planned, "shortfall_mw": missing}
                    for name, new, planned, missing in own[_GOAL].itertuples(index=False, name=None)
                ],
                "ac_violations": sum(v.stage == s for v in answer.violations),
            }
        )
    missed = float(decision.missing_mw.sum()) > MISSED_MW
    speaks_of_money = problem.settings.objective == "least_cost" and not missed
    return {
        "asked": asked(results.study.file),
        "objective": problem.settings.objective,
        "objective_cny": answer.objective_cny,
        "best_bound_cny": _number(answer.best_bound_cny),
        "lp_bound_cny": _number(answer.lp_bound) if speaks_of_money else None,
        "value": answer.value,
        "value_bound": _number(answer.bound),
        "gap_percent": round(answer.gap_percent, 6),
        "seconds": round(answer.seconds, 1),
        "greedy": {
            "objective_cny": plan.greedy.cost_cny,
            "value": plan.greedy.value,
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
        "deliverable_mw_without_upgrades": plan.staircase.steps[0].deliverable_mw,
        "deliverable_mw_with_upgrades": plan.staircase.steps[-1].deliverable_mw,
        "upgrades_cny": float(sum(step.investment_cny for step in plan.staircase.steps)),
        "binds_after_last_step_zh": binds_at_last[0],
        "binds_after_last_step_en": binds_at_last[1],
        "sites_built": int((sites["planned_mw"] > BUILT_MW).sum()),
        "co2_avoided_t": (energy[-1] - lost) * tonnes_per_mwh,
        "co2_factor": factor,
    }


def asked(file: StudyFile) -> dict[str, object]:
    """Settings of the study file that the plan follows, by their keys: ``[plan]`` and ``[[targets]]``."""
    assert file.plan is not None
    settings: dict[str, object] = {}
    for key, value in file.plan.model_dump(mode="json").items():
        if key in ("quotas", "stations"):
            many = {f"plan.{key}.{k}.{name}": one[name] for k, one in enumerate(value, start=1) for name in one}
            settings |= many
        else:
            settings[f"plan.{key}"] = value
    for k, target in enumerate(file.targets):
        name = target_id(k, target)
        settings |= {f"{name}.target_mw": target.target_mw, f"{name}.installed_mw": target.installed_mw}
    return settings


def delivered_mwh(results: Results, plan: StudyPlan) -> list[float]:
    """Energy of what is built in each stage in a mean year [MWh], site by site, before anything is curtailed."""
    built = built_by_candidate(plan, results.get("plan_basis"))
    of = connected_candidates(results).set_index("candidate_id")
    hours = built["candidate_id"].map(of["energy_mwh"] / of["grid_capacity_mw"]).to_numpy(float)
    return [float(built[s].to_numpy(float) @ hours) for s in range(len(plan.answer.problem.stages))]


def co2_factor(results: Results) -> dict[str, object]:
    """Emission factor of the grid's electricity with region, year and source; null where the study has none."""
    table = results.get("costs").co2
    names = ("co2_kg_per_kwh", "factor_region", "factor_year", "source")
    if not len(table):
        return dict.fromkeys(names)
    row = table.iloc[0]
    return {
        "co2_kg_per_kwh": float(row["co2_kg_per_kwh"]),
        "factor_region": str(row["factor_region"]),
        "factor_year": int(row["factor_year"]),
        "source": str(row["source"]),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
