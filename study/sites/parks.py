"""Parks of a study: their loads, the wind and sun that serve them, their sizes, and how they are matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import InputError
from layers.tables import Table
from siting.parks.contracts import BY_RULES, PARK_RULES, PARK_SITES, PARK_SIZING, PARKS
from siting.parks.matching import GridPoint, Match, Park, Storage
from siting.parks.rules import ParkRule
from siting.parks.sizing import SizingCase
from siting.parks.supply import Reach, Supply
from study.pipeline import Results
from study.schema.file import StudyFile
from study.schema.sites import ParkEntry
from study.sites.park_checks import STORAGE_KIND, no_candidate, park_fault
from study.study_file import Study, nearest

Floats = npt.NDArray[np.float64]

STORAGE_DISCOUNT_RATE = 0.06
"""Where the study states none: that of the plan's measures."""
DWELLINGS = ("roof_rural", "roof_town")
"""Host types that serve no park unless it names them: households connect at 380 V or below (NEA 2025 No. 7)."""


@dataclass(frozen=True)
class ParkResults:
    """``parks`` follows :data:`siting.parks.contracts.PARKS`, one of ``matches`` for each of its rows; ``sites``,
    ``rules`` and ``sizing`` follow PARK_SITES, PARK_RULES and PARK_SIZING."""

    parks: pd.DataFrame
    matches: tuple[Match, ...]
    sites: pd.DataFrame
    rules: pd.DataFrame
    sizing: pd.DataFrame


def compute_parks(results: Results) -> ParkResults:
    """Every park of the study matched hour by hour, in the order of the study file: what one has, none after it gets.

    Raises
    ------
    InputError
        With every candidate that a park names and the study does not have.
    """
    from siting.parks.matching import match_park
    from siting.parks.rules import park_rules

    study, entries = results.study, results.study.file.parks
    if not entries:
        return ParkResults(PARKS.empty(), (), PARK_SITES.empty(), PARK_RULES.empty(), PARK_SIZING.empty())
    candidates = pd.DataFrame(results.get("sites").candidates.drop(columns="geometry"))
    _refuse_unknown(study, candidates["candidate_id"].tolist())
    used = pd.Series(0.0, index=candidates["candidate_id"].to_numpy())
    matches, sites, sizings = [], [], []
    for entry in entries:
        supply, index = _supply(results, entry, candidates, used)
        load, origin = _load(study, entry, index)
        grid = _grid(results, entry)
        rules = park_rules(spot_market=entry.spot_market, most_export_share=entry.most_export_share)
        case = _sizing_case(study.file, entry, load, supply, grid, rules)
        sizing = _sized(entry, case)
        chosen = _chosen(entry, sizing)
        sources = supply.sources(_or_endless(chosen.pv_mw), _or_endless(chosen.wind_mw))
        if supply.table.empty:
            results.log.add(no_candidate(study, entry))
        park = Park(entry.id, entry.name_zh, entry.name_en, entry.lon, entry.lat, load, origin, entry.source,
                    entry.confidence)  # fmt: skip
        storage = _storage(study.file, chosen)
        matches.append(match_park(park, sources, storage, grid, index, rules, method=entry.sizes))
        sites.append(sources.sites.assign(park_id=entry.id))
        sizings.append(sizing)
        used = used.add(sources.sites.set_index("candidate_id")["park_mw"], fill_value=0.0)
    return ParkResults(
        pd.concat([m.summary for m in matches], ignore_index=True),
        tuple(matches),
        _together(sites, PARK_SITES),
        _together([m.rules for m in matches], PARK_RULES),
        _together(sizings, PARK_SIZING),
    )


def _together(tables: list[pd.DataFrame], contract: Table) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    if not filled:
        return contract.empty()
    return contract.validate(pd.concat(filled, ignore_index=True)[list(contract.columns)])


def _supply(
    results: Results, entry: ParkEntry, candidates: pd.DataFrame, used: pd.Series
) -> tuple[Supply, pd.DatetimeIndex]:
    from siting.parks.supply import in_reach, supply_of
    from siting.yields.hourly_store import store_of
    from study.sites.park_lines import direct_lines

    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    near, yields = in_reach(entry.lon, entry.lat, _reach(entry, candidates), candidates), results.get("costs").yields
    lines = direct_lines(entry.lon, entry.lat, near) if entry.lines else None
    return supply_of(near, yields, store, lines=lines, used_mw=used), store.index


def _reach(entry: ParkEntry, candidates: pd.DataFrame) -> Reach:
    others = tuple(sorted(set(candidates["host_type"]) - set(DWELLINGS)))
    return Reach(entry.radius_km or 0.0, entry.candidates, host_types=entry.host_types or others)


def _or_endless(value: float | None) -> float:
    return np.inf if value is None else value


def _load(study: Study, entry: ParkEntry, index: pd.DatetimeIndex) -> tuple[Floats, str]:
    """Hourly load [MW], and how it came to be."""
    from siting.parks.loads import generated_load, read_park_load

    if entry.load_source is not None:
        card = study.card(entry.load_source)
        return read_park_load(card, entry.load_column), f"{card.shown_path}: {card.origin}"
    assert entry.peak_mw is not None  # the check names its lack
    load = generated_load(entry.peak_mw, entry.shape, first_weekday=int(index[0].dayofweek), hours=len(index))
    return load, f"generated: {entry.shape}"


def _storage(file: StudyFile, entry: ParkEntry) -> Storage:
    yearly = entry.storage_mwh * storage_cny_per_mwh_a(file, entry)
    return Storage(entry.storage_mw, entry.storage_mwh, entry.storage_efficiency, yearly)


def storage_cny_per_mwh_a(file: StudyFile, entry: ParkEntry) -> float:
    """Yearly cost of a MWh of storage: investment by annuity over its life, and operation."""
    from siting.cost.energy import capital_recovery_factor
    from siting.cost.tables import load_cost_tables

    tables = load_cost_tables()
    kind = next(one for one in tables.storages if one.storage == STORAGE_KIND)
    capex = entry.storage_cny_per_mwh
    if capex is None:
        capex = kind.capex_cny_per_kwh * 1000 * tables.price_factor(kind.price_year, float(file.cost.price_year))
    rate = STORAGE_DISCOUNT_RATE if file.cost.discount_rate is None else file.cost.discount_rate
    return capex * (capital_recovery_factor(rate, kind.life_a) + kind.opex_share_per_a)


def _grid(results: Results, entry: ParkEntry) -> GridPoint:
    from siting.technologies.tables import load_technology_tables
    from study.sites.costs import co2_factor

    codes = results.get("region_facts").districts["district_code"]
    factor = co2_factor(results.study.file, codes, load_technology_tables())
    return GridPoint(
        _or_endless(entry.grid_limit_mw),
        _export_limit_mw(entry),
        entry.grid_price_cny_per_mwh,
        entry.export_price_cny_per_mwh,
        entry.price_source,
        entry.price_confidence,
        entry.own_use_fee_cny_per_mwh,
        factor.co2_kg_per_kwh,
        f"{factor.region} {factor.year:g}, {factor.co2_kg_per_kwh:g} t/MWh: {factor.source} ({factor.confidence})",
    )


def _export_limit_mw(entry: ParkEntry) -> float:
    """Without a spot market nothing is exported: what is too much is curtailed, not stored at any price."""
    if not entry.spot_market:
        return 0.0
    return _or_endless(entry.grid_limit_mw if entry.export_limit_mw is None else entry.export_limit_mw)


# --- sizes ------------------------------------------------------------------------------------------------------


def _sizing_case(
    file: StudyFile, entry: ParkEntry, load: Floats, supply: Supply, grid: GridPoint, rules: tuple[ParkRule, ...]
) -> SizingCase:
    hours = entry.storage_mwh / entry.storage_mw if entry.storage_mw > 0 else entry.storage_hours
    cost = storage_cny_per_mwh_a(file, entry)
    return SizingCase(entry.id, load, supply, grid, rules, hours, entry.storage_efficiency, cost)


def _sized(entry: ParkEntry, case: SizingCase) -> pd.DataFrame:
    from siting.parks.sizing import size_park

    if case.supply.table.empty or not (entry.sizing or entry.sizes == "least_cost"):
        return PARK_SIZING.empty()
    sizing = size_park(case)
    if not entry.sizing_bound:
        return sizing
    from siting.parks.bound import with_bounds

    return with_bounds(case, sizing)


def _chosen(entry: ParkEntry, sizing: pd.DataFrame) -> ParkEntry:
    """The entry with the sizes that its match is run with."""
    if entry.sizes == "stated" or sizing.empty:
        return entry
    row = sizing[sizing["aim"] == BY_RULES].iloc[0]
    sizes = {name: float(row[name]) for name in ("pv_mw", "wind_mw", "storage_mw", "storage_mwh")}
    return entry.model_copy(update=sizes)


# --- what is found when it runs ---------------------------------------------------------------------------------


def _refuse_unknown(study: Study, known: list[str]) -> None:
    findings = [
        park_fault(study, entry, "unknown_candidate", "candidates", name, f"the study has no candidate '{name}'.",
               nearest(name, known) or "Take ids from projects.csv of a run of this study.")
        for entry in study.file.parks
        for name in entry.candidates
        if name not in known
    ]  # fmt: skip
    if findings:
        raise InputError(findings)
