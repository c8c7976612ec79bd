"""Cost of a study: which prices and scenarios it counts with, what it overrides, and everything wrong with that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from grid.contracts import Assumption
from layers.contracts import Finding
from siting.cost.tables import CostTables, emission_factor_of, load_cost_tables, scenario_names
from siting.cost.waterfall import (
    CostCase,
    by_technology,
    co2_table,
    cost_waterfall,
    costed,
    hours_alarms,
    levelised_cost,
)
from siting.technologies.tables import EmissionFactor, Technology, TechnologyTables, load_technology_tables
from study.pipeline import Results
from study.schema.file import StudyFile
from study.schema.scores import CostEntry, TechnologyCostEntry
from study.study_file import Study, nearest

_OVERRIDES = ("capex_cny_per_kw", "opex_cny_per_kw_a", "life_a", "discount_rate", "degradation_per_a")
_MONEY = ("capex_cny_per_kw", "opex_cny_per_kw_a")


@dataclass(frozen=True)
class Costs:
    """Yields with cost as the study counts it (:data:`siting.yields.contracts.YIELDS`), the waterfall of every
    candidate before the network is asked, and the CO2 that the output displaces."""

    yields: pd.DataFrame
    waterfall: pd.DataFrame
    co2: pd.DataFrame


@dataclass(frozen=True)
class ProjectCosts:
    """Cost once the connection is known: items of every candidate, their totals by technology, cost of energy by
    candidate id [CNY/kWh]."""

    waterfall: pd.DataFrame
    by_technology: pd.DataFrame
    lcoe: pd.Series


def compute_costs(results: Results) -> Costs:
    """Cost of every candidate without its connection to the network, or with the study's allowance for it."""
    from siting.hosts.types import load_host_types

    file, tables = results.study.file, load_technology_tables()
    candidates, yields = _plain(results.get("sites").candidates), results.get("yields").yields
    case = cost_case(file)
    energy = yields.set_index("candidate_id")["energy_mwh"]
    waterfall = cost_waterfall(candidates, energy, load_host_types(), case)
    factor = co2_factor(file, results.get("region_facts").districts["district_code"], tables)
    for alarm in hours_alarms(candidates, energy, case.technologies):
        remedy = "Check weather, losses and density."
        results.log.add(
            Finding("warning", "cost.implied_hours", results.study.shown_path, "cost", "", "", alarm, remedy)
        )
    return Costs(costed(yields, candidates, waterfall, case), waterfall, co2_table(candidates, energy, factor))


def project_costs(results: Results) -> ProjectCosts:
    """Cost of every candidate with its connection where the network study found one."""
    from siting.hosts.types import load_host_types

    candidates = _plain(results.get("sites").candidates)
    energy = results.get("costs").yields.set_index("candidate_id")["energy_mwh"]
    connection = results.get("connections").set_index("candidate_id")["connection_cost_cny"]
    case = cost_case(results.study.file)
    waterfall = cost_waterfall(candidates, energy, load_host_types(), case, connection_cost_cny=connection)
    return ProjectCosts(waterfall, by_technology(waterfall, candidates, energy), levelised_cost(waterfall))


def _plain(candidates: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(candidates.drop(columns="geometry"))


def cost_case(file: StudyFile) -> CostCase:
    """How a study that passed its check counts cost."""
    entry = file.cost
    own = {one.technology: one for one in entry.technologies}
    technologies = tuple(
        _overridden(technology, entry, own.get(technology.technology))
        for technology in load_technology_tables().technologies
    )
    return CostCase(
        technologies, load_cost_tables(), float(entry.price_year), entry.land_lease, entry.storage, entry.connection
    )


def _overridden(technology: Technology, entry: CostEntry, own: TechnologyCostEntry | None) -> Technology:
    """The technology as the study states it. An own price without a price year is in the study's year."""
    if entry.discount_rate is not None:
        technology = replace(technology, discount_rate=entry.discount_rate)
    if own is None:
        return technology
    stated = {name: getattr(own, name) for name in _OVERRIDES if getattr(own, name) is not None}
    year = float(own.price_year or entry.price_year)
    if any(name in stated for name in _MONEY) and year != technology.price_year:
        factor = load_cost_tables().price_factor(technology.price_year, year)
        kept = {name: getattr(technology, name) * factor for name in _MONEY}
        technology = replace(technology, **kept, price_year=year)
    return replace(technology, **stated, source=own.source, confidence=own.confidence)


def co2_factor(file: StudyFile, district_codes: Sequence[str], tables: TechnologyTables) -> EmissionFactor:
    """The factor that the study names, or that of the province its districts lie in."""
    if file.cost.co2_region:
        return tables.emission_factor(file.cost.co2_region)
    return emission_factor_of(list(district_codes), tables, load_cost_tables())


def cost_assumptions(file: StudyFile) -> tuple[Assumption, ...]:
    """Prices, scenarios and overrides that the study counts with, one row each."""
    entry, tables = file.cost, load_cost_tables()
    rows = [
        Assumption(
            "cost_price_year",
            "cost",
            f"造价按消费价格指数折算到 {entry.price_year} 年",
            f"money in prices of {entry.price_year}, by the consumer price index",
            str(entry.price_year),
            tables.prices[0].source,
            "B",
        )
    ]
    if entry.discount_rate is not None:
        rows.append(
            Assumption(
                "cost_discount_rate", "cost", "实际折现率（税前）", "real discount rate, before tax",
                f"{entry.discount_rate:g}", entry.source, entry.confidence,
            )
        )  # fmt: skip
    rows += _scenario_assumptions(entry, tables)
    rows += [_override_assumption(own, name) for own in entry.technologies for name in _stated(own)]
    return tuple(rows)


def _scenario_assumptions(entry: CostEntry, tables: CostTables) -> list[Assumption]:
    """Scenarios are no rules: each says what it would add."""
    chosen = (
        ("cost_land_lease", entry.land_lease, tables.leases, "土地租金情景", "land lease, a scenario"),
        (
            "cost_storage",
            entry.storage,
            tables.storage_scenarios,
            "配储情景（非规定）",
            "storage, a scenario, not a rule",
        ),
        ("cost_connection", entry.connection, tables.allowances, "接网费用暂估", "allowance for the connection"),
    )
    found = []
    for name, scenario, rows, text_zh, text_en in chosen:
        of_scenario = [row for row in rows if row.scenario == scenario]
        if of_scenario:
            weakest = max(row.confidence for row in of_scenario)
            found.append(Assumption(name, "cost", text_zh, text_en, scenario, of_scenario[0].source, weakest))
    return found


def _stated(own: TechnologyCostEntry) -> list[str]:
    return [name for name in _OVERRIDES if getattr(own, name) is not None]


def _override_assumption(own: TechnologyCostEntry, name: str) -> Assumption:
    return Assumption(
        f"cost_{own.technology}_{name}",
        own.technology,
        f"本研究取值代替技术参数表：{name}",
        f"the study's own {name} in place of the program's",
        f"{getattr(own, name):g}",
        own.source,
        own.confidence,
    )


def cost_findings(study: Study) -> list[Finding]:
    """Everything that is wrong with ``[cost]``: names, years, overrides without effect or source."""
    entry, tables, technologies = study.file.cost, load_cost_tables(), load_technology_tables()
    found = [
        *_unknown(study, "land_lease", entry.land_lease, scenario_names(tables.leases)),
        *_unknown(study, "storage", entry.storage, scenario_names(tables.storage_scenarios)),
        *_unknown(study, "connection", entry.connection, scenario_names(tables.allowances)),
    ]
    regions = tuple(factor.region for factor in technologies.emission_factors)
    if entry.co2_region:
        found += _unknown(study, "co2_region", entry.co2_region, regions)
    if entry.discount_rate is not None and not entry.source.strip():
        found.append(_error(study, "source", "cost", "source", "", "the discount rate has no source.", "Add source."))
    first, last = tables.price_years
    years = {
        "price_year": entry.price_year,
        **{o.technology: o.price_year or entry.price_year for o in entry.technologies},
    }
    found += [
        _error(study, "price_year", "cost", item, year, f"the price index goes from {first} to {last}.",
               "Use a year of the index, or extend siting/technologies/price_index.csv.")
        for item, year in years.items()
        if not first <= year <= last
    ]  # fmt: skip
    names = [own.technology for own in entry.technologies]
    known = tuple(t.technology for t in technologies.technologies)
    for number, own in enumerate(entry.technologies):
        found += _unknown(study, "technology", own.technology, known)
        if own.technology in names[:number]:
            message, remedy = "the technology stands twice.", "Keep one entry."
            found.append(_error(study, "repeated", "cost.technologies", own.technology, "", message, remedy))
        if not _stated(own):
            message, remedy = "nothing is overridden.", f"State some of {', '.join(_OVERRIDES)}, or take it out."
            found.append(_error(study, "empty", "cost.technologies", own.technology, "", message, remedy))
        if not own.source.strip():
            message, remedy = "an override needs its source.", "Say where the figure comes from."
            found.append(_error(study, "source", "cost.technologies", own.technology, "", message, remedy))
    return found


def _unknown(study: Study, item: str, name: str, known: Sequence[str]) -> list[Finding]:
    if name in known:
        return []
    remedy = nearest(name, known) or f"Known: {', '.join(known)}."
    return [_error(study, "unknown_name", "cost", item, name, f"there is no {item} '{name}'.", remedy)]


def _error(study: Study, rule: str, where: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", f"cost.{rule}", study.shown_path, where, item, str(value), message, remedy)
