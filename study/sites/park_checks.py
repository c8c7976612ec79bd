"""Parks of a study: everything wrong with what is stated of them, and what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from grid.contracts import Assumption
from layers.contracts import Finding, InputError
from study.schema.file import StudyFile
from study.schema.sites import ParkEntry
from study.study_file import Study, nearest

Confidence = Literal["A", "B", "C"]

STORAGE_KIND = "lithium_iron_phosphate"
"""Row of storage_costs.csv that a park's storage costs and lasts by."""


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
        (not entry.spot_market and bool(entry.export_limit_mw), "export", "export_limit_mw", entry.export_limit_mw,
         "without a spot market nothing may be exported.", "Leave export_limit_mw out, or write spot_market = true."),
        (entry.sizes == "least_cost" and bool(entry.pv_mw or entry.wind_mw or entry.storage_mw), "sizes", "sizes",
         entry.sizes, "sizes are stated and to be worked out at once.",
         "Leave pv_mw, wind_mw and storage out, or write sizes = \"stated\"."),
        (not entry.price_source.strip(), "price_source", "price_source", "", "nothing says where the price is from.",
         "Name the tariff, the contract or the assumption."),
    )  # fmt: skip
    found = [park_fault(study, entry, *fault[1:]) for fault in faults if fault[0]]
    return found + _host_type_findings(study, entry) + _load_findings(study, entry)


def _host_type_findings(study: Study, entry: ParkEntry) -> list[Finding]:
    from siting.hosts.types import load_host_types

    known = [host.host_type for host in load_host_types()]
    return [
        park_fault(study, entry, "unknown_host_type", "host_types", name, f"there is no host type '{name}'.",
                   nearest(name, known) or f"Host types: {', '.join(known)}.")
        for name in entry.host_types
        if name not in known
    ]  # fmt: skip


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
        park_fault(study, entry, "outside", "lon, lat", f"{entry.lon:g}, {entry.lat:g}",
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


def no_candidate(study: Study, entry: ParkEntry) -> Finding:
    """A warning that nothing serves a park."""
    reach = "among those named" if entry.radius_km is None else f"within {entry.radius_km:g} km"
    message, remedy = f"no candidate with a yield lies {reach}.", "Widen radius_km, or name other candidates."
    return Finding("warning", "parks.no_candidate", study.shown_path, f"parks.{entry.id}", "radius_km",
                   "" if entry.radius_km is None else f"{entry.radius_km:g} km", message, remedy)  # fmt: skip


def park_fault(
    study: Study, entry: ParkEntry, rule: str, item: str, value: object, message: str, remedy: str
) -> Finding:
    """An error about a park of the study file."""
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
    prices = (
        f"{entry.grid_price_cny_per_mwh:g} CNY/MWh, exported {entry.export_price_cny_per_mwh:g} CNY/MWh, "
        f"fees on own use {entry.own_use_fee_cny_per_mwh:g} CNY/MWh"
    )
    market = "runs continuously" if entry.spot_market else "does not run continuously: no export by the notice"
    found = [
        about("sizes", "位置、储能规模与并网点限额", "place, storage and limit of the grid point", sizes, entry.source,
              entry.confidence),
        about("prices", "网购电价、上网电价与自用费用", "price of power from the grid and to it, fees on own use",
              prices, entry.price_source, entry.price_confidence),
        about("market", "省内现货市场是否连续运行", "whether the province's spot market runs continuously", market,
              "study file, spot_market: not known from a document", "C"),
    ]  # fmt: skip
    price, source, confidence = _storage_price(entry)
    found.append(about("storage_price", "储能造价", "investment in storage", f"{price:g} CNY/kWh", source, confidence))
    if entry.peak_mw is not None:
        value = f"peak {entry.peak_mw:g} MW, shape {entry.shape}"
        source = f"{entry.source}; siting/technologies/park_loads.csv".removeprefix("; ")
        found.insert(
            0, about("load", "负荷曲线为生成数据", "the load curve is generated", value, source, entry.confidence)
        )
    return found


def _storage_price(entry: ParkEntry) -> tuple[float, str, Confidence]:
    """Investment [CNY/kWh] with source and confidence: the study's, or that of the standard table in its own year."""
    from siting.cost.tables import load_cost_tables

    if entry.storage_cny_per_mwh is not None:
        return entry.storage_cny_per_mwh / 1000, entry.price_source, entry.price_confidence
    kind = next(one for one in load_cost_tables().storages if one.storage == STORAGE_KIND)
    return kind.capex_cny_per_kwh, kind.source, kind.confidence
