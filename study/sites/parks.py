"""Parks of a study: their loads, the wind and sun that serve them, and everything wrong with what is stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import Assumption
from layers.contracts import Finding, InputError
from siting.parks.matching import PARKS, GridPoint, Match, Park, Reach, Storage
from study.pipeline import Results
from study.schema.file import StudyFile
from study.schema.sites import ParkEntry
from study.study_file import Study, nearest

Floats = npt.NDArray[np.float64]
Confidence = Literal["A", "B", "C"]

STORAGE_KIND = "lithium_iron_phosphate"
"""Row of storage_costs.csv that a park's storage costs and lasts by."""
STORAGE_DISCOUNT_RATE = 0.06
"""Where the study states none: that of the plan's measures."""


@dataclass(frozen=True)
class ParkResults:
    """``parks`` follows :data:`siting.parks.matching.PARKS`; ``matches`` one match of hours for each of its rows."""

    parks: pd.DataFrame
    matches: tuple[Match, ...]


def compute_parks(results: Results) -> ParkResults:
    """Every park of the study matched hour by hour.

    Raises
    ------
    InputError
        With every candidate that a park names and the study does not have.
    """
    from siting.parks.matching import match_park, sources_near
    from siting.yields.hourly_store import store_of

    study, entries = results.study, results.study.file.parks
    if not entries:
        return ParkResults(PARKS.empty(), ())
    candidates = results.get("sites").candidates
    _refuse_unknown(study, candidates["candidate_id"].tolist())
    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    yields, matches = results.get("costs").yields, []
    for entry in entries:
        sources = sources_near(entry.lon, entry.lat, _reach(entry), candidates, yields, store)
        if not sources.candidates:
            results.log.add(_no_candidate(study, entry))
        load, origin = _load(study, entry, store.index)
        park = Park(entry.id, entry.name_zh, entry.name_en, entry.lon, entry.lat, load, origin)
        matches.append(match_park(park, sources, _storage(study.file, entry), _grid(entry), store.index))
    return ParkResults(pd.concat([m.summary for m in matches], ignore_index=True), tuple(matches))


def _reach(entry: ParkEntry) -> Reach:
    return Reach(entry.radius_km or 0.0, entry.candidates, _or_endless(entry.pv_mw), _or_endless(entry.wind_mw))


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
    from siting.cost.energy import capital_recovery_factor
    from siting.cost.tables import load_cost_tables

    tables = load_cost_tables()
    kind = next(one for one in tables.storages if one.storage == STORAGE_KIND)
    capex = kind.capex_cny_per_kwh * 1000 * tables.price_factor(kind.price_year, float(file.cost.price_year))
    rate = STORAGE_DISCOUNT_RATE if file.cost.discount_rate is None else file.cost.discount_rate
    yearly = entry.storage_mwh * capex * (capital_recovery_factor(rate, kind.life_a) + kind.opex_share_per_a)
    return Storage(entry.storage_mw, entry.storage_mwh, entry.storage_efficiency, yearly)


def _grid(entry: ParkEntry) -> GridPoint:
    export = entry.grid_limit_mw if entry.export_limit_mw is None else entry.export_limit_mw
    return GridPoint(
        _or_endless(entry.grid_limit_mw),
        _or_endless(export),
        entry.grid_price_cny_per_mwh,
        entry.export_price_cny_per_mwh,
        entry.price_source,
        entry.price_confidence,
    )


# --- what is wrong ----------------------------------------------------------------------------------------------


def park_findings(study: Study) -> list[Finding]:
    """Faults of the parks that are known before anything runs: load, reach, storage, price, place."""
    return [
        *(finding for entry in study.file.parks for finding in _entry_findings(study, entry)),
        *_outside_findings(study),
    ]


def _entry_findings(study: Study, entry: ParkEntry) -> list[Finding]:
    from siting.parks.loads import load_shapes

    shapes = [str(shape) for shape in load_shapes()["shape"]]
    limits = (entry.radius_km is None) == (not entry.candidates)
    faults = (
        (limits, "reach", "radius_km", entry.radius_km, "a park has either a radius or a list of candidates.",
         "Give radius_km or candidates, not both."),
        ((entry.load_source is None) == (entry.peak_mw is None), "load", "load_source", entry.load_source,
         "a park has either a file of its load or a peak.", "Give load_source or peak_mw, not both."),
        (entry.shape not in shapes, "unknown_shape", "shape", entry.shape, "there is no such load shape.",
         nearest(entry.shape, shapes) or f"Shapes: {', '.join(shapes)}."),
        ((entry.storage_mw > 0) != (entry.storage_mwh > 0), "storage", "storage_mwh", entry.storage_mwh,
         "storage needs both power and content.", "Give storage_mw and storage_mwh, or neither."),
        (not entry.price_source.strip(), "price_source", "price_source", "", "nothing says where the price is from.",
         "Name the tariff, the contract or the assumption."),
    )  # fmt: skip
    found = [_fault(study, entry, *fault[1:]) for fault in faults if fault[0]]
    return found + _load_findings(study, entry)


def _load_findings(study: Study, entry: ParkEntry) -> list[Finding]:
    from siting.parks.loads import read_park_load

    if entry.load_source is None or entry.load_source not in study.file.sources:
        return []  # an unknown source is named with the other references
    try:
        read_park_load(study.card(entry.load_source), entry.load_column)
    except InputError as error:
        return list(error.findings)
    return []


def _outside_findings(study: Study) -> list[Finding]:
    inside = _inside(study) if study.file.parks else None
    if inside is None:
        return []
    return [
        _fault(study, entry, "outside", "lon, lat", f"{entry.lon:g}, {entry.lat:g}",
               "the park does not lie in the study's region.",
               "Give its place in WGS-84 degrees, longitude first, or add its district to the region.")
        for entry in study.file.parks
        if not inside(entry.lon, entry.lat)
    ]  # fmt: skip


def _inside(study: Study) -> Callable[[float, float], bool] | None:
    """Whether a place lies in the region; None where the region cannot be read."""
    import shapely

    region = study.file.region
    if study.file.generated.region is not None:
        from study.stages.ground import generated_districts

        shapes = generated_districts(study.file).to_crs("EPSG:4326").geometry
    else:
        from study.checks.sources import districts_wgs84

        districts = districts_wgs84(study)
        if districts is None or region.name_zh_column not in districts:
            return None
        if region.only:
            chosen = districts[region.name_zh_column].isin(region.only)
            if region.code_column in districts:
                chosen |= districts[region.code_column].astype(str).isin(region.only)
            districts = districts[chosen]
        shapes = districts.geometry
    whole = shapely.union_all(shapes.to_numpy())
    return lambda lon, lat: bool(shapely.intersects_xy(whole, lon, lat))


def _refuse_unknown(study: Study, known: list[str]) -> None:
    findings = [
        _fault(study, entry, "unknown_candidate", "candidates", name, f"the study has no candidate '{name}'.",
               nearest(name, known) or "Take ids from projects.csv of a run of this study.")
        for entry in study.file.parks
        for name in entry.candidates
        if name not in known
    ]  # fmt: skip
    if findings:
        raise InputError(findings)


def _no_candidate(study: Study, entry: ParkEntry) -> Finding:
    message, remedy = "no candidate lies within the radius.", "Widen radius_km, or name candidates."
    where, radius = f"parks.{entry.id}", f"{entry.radius_km:g} km"
    return Finding("warning", "parks.no_candidate", study.shown_path, where, "radius_km", radius, message, remedy)


def _fault(study: Study, entry: ParkEntry, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
    shown = "" if value is None else str(value)
    return Finding("error", f"parks.{rule}", study.shown_path, f"parks.{entry.id}", item, shown, message, remedy)


# --- what is assumed --------------------------------------------------------------------------------------------


def park_assumptions(file: StudyFile) -> tuple[Assumption, ...]:
    """What is assumed about each park: its load where it is generated, its storage and grid point, its prices."""
    return tuple(one for entry in file.parks for one in _assumed(entry))


def _assumed(entry: ParkEntry) -> list[Assumption]:
    def about(part: str, zh: str, en: str, value: str, source: str, confidence: Confidence) -> Assumption:
        texts = f"{entry.name_zh}：{zh}", f"{entry.name_en}: {en}"
        return Assumption(f"park_{entry.id}_{part}", "parks", *texts, value, source, confidence)

    limit = "none" if entry.grid_limit_mw is None else f"{entry.grid_limit_mw:g} MW"
    sizes = f"storage {entry.storage_mw:g} MW / {entry.storage_mwh:g} MWh, grid limit {limit}"
    prices = f"{entry.grid_price_cny_per_mwh:g} CNY/MWh, exported {entry.export_price_cny_per_mwh:g} CNY/MWh"
    found = [
        about("sizes", "位置、储能规模与并网点限额", "place, storage and limit of the grid point", sizes, entry.source,
              entry.confidence),
        about("prices", "网购电价与上网电价", "price of power from the grid and to it", prices, entry.price_source,
              entry.price_confidence),
    ]  # fmt: skip
    if entry.peak_mw is not None:
        value = f"peak {entry.peak_mw:g} MW, shape {entry.shape}"
        source = f"{entry.source}; siting/technologies/park_loads.csv".removeprefix("; ")
        found.insert(
            0, about("load", "负荷曲线为生成数据", "the load curve is generated", value, source, entry.confidence)
        )
    return found
