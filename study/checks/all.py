"""Everything about the inputs that can be known before anything heavy runs, in one report."""

from __future__ import annotations

import calendar
from collections.abc import Iterable

from layers.contracts import Finding, InputError
from study.checks.plan import plan_findings
from study.checks.rules import exclusion_findings
from study.checks.sources import network_findings, source_findings, used_sources
from study.network.grades import grade_findings
from study.outputs.base_tiles import tile_findings
from study.sites.candidates import site_findings
from study.sites.costs import cost_findings
from study.sites.land import land_findings
from study.sites.park_checks import park_findings
from study.sites.pv import pv_findings
from study.sites.scoring import criterion_findings
from study.sites.wind import wind_findings
from study.study_file import Study, nearest

__all__ = ["check_study", "layer_ids", "refuse_errors", "used_sources"]


def check_study(study: Study) -> list[Finding]:
    """All findings about a study's inputs, errors first; nothing is written, nothing heavy runs."""
    findings = [
        *study.findings,
        *_references(study),
        *_host_findings(study),
        *exclusion_findings(study),
        *land_findings(study),
        *criterion_findings(study),
        *cost_findings(study),
        *_case_findings(study),
        *_duplicate_findings(study),
        *_frame_findings(study),
        *_generated_findings(study),
        *source_findings(study),
        *pv_findings(study),
        *wind_findings(study),
        *network_findings(study),
        *grade_findings(study),
        *park_findings(study),
        *plan_findings(study),
        *tile_findings(study),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(set(findings), key=lambda f: (order[f.severity], f.file, f.rule, f.layer, f.item))


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise :class:`~layers.contracts.InputError` with all errors, if there is one."""
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise InputError(errors)


def layer_ids(study: Study) -> tuple[str, ...]:
    """Ids of all layers of a study: read and generated ones."""
    generated: tuple[str, ...] = ()
    if study.file.generated.land is not None:
        from layers.generated.land import COVER, OVERLAYS

        generated = (*COVER, *OVERLAYS)
    return (*study.file.layers, *generated)


def _error(study: Study, rule: str, where: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", rule, study.shown_path, where, item, str(value), message, remedy)


def _references(study: Study) -> list[Finding]:
    """Source and layer ids that lead nowhere, each with the nearest one that exists."""
    file, sources, layers = study.file, list(study.file.sources), list(layer_ids(study))
    found: list[Finding] = []

    def must_be(kind: str, known: list[str], where: str, item: str, name: str | None) -> None:
        if name and name not in known:
            remedy = nearest(name, known) or f"Add [{kind}.{name}] to the study file."
            found.append(
                _error(study, f"study.unknown_{kind}", where, item, name, f"there is no {kind} '{name}'.", remedy)
            )

    must_be("sources", sources, "region", "districts", file.region.districts)
    must_be("sources", sources, "region", "facts", file.region.facts)
    for name, entry in file.layers.items():
        must_be("sources", sources, f"layers.{name}", "source", entry.source)
    for host in file.hosts:
        must_be("layers", layers, "hosts", host.host_type, host.layer)
    for rule in file.exclusions:
        for name in (rule.layer, rule.features_of, rule.known_within):
            must_be("layers", layers, "exclusions", rule.rule, name)
    for name in file.land.mapped_by:
        must_be("layers", layers, "land", "mapped_by", name)
    for cell in file.weather:
        must_be("sources", sources, "weather", cell.id, cell.source)
    for criterion in file.criteria:
        kind, _, name = criterion.source.partition(":")
        if kind in ("distance", "raster"):
            must_be("layers", [*layers, "stations"], "criteria", criterion.id, name)
    if file.generated.weather is not None:
        must_be("sources", sources, "generated.weather", "normals", file.generated.weather.normals)
    if file.demand is not None:
        must_be("sources", sources, "demand", "source", file.demand.source)
    must_be("sources", sources, "pv", "horizon", file.pv.horizon)
    for park in file.parks:
        must_be("sources", sources, f"parks.{park.id}", "load_source", park.load_source)
    for item in ("lines_source", "substations_source", "plants_source"):
        must_be("sources", sources, "network", item, getattr(file.network, item))
    ledger = file.network.rule_book_options.ledger_source
    must_be("sources", sources, "network.rule_book_options", "ledger_source", ledger)
    return found + _lacks(study)


def _lacks(study: Study) -> list[Finding]:
    """Parts that a run cannot do without."""
    file = study.file
    lacks = {
        "region": file.region.districts is None and file.generated.region is None,
        "weather": not file.weather and file.generated.weather is None,
        "demand": file.network.kind != "tables" and file.demand is None and file.generated.demand is None,
        "network.folder": file.network.kind == "tables" and not file.network.folder,
        "cases": not file.cases,
    }
    for item in ("lines_source", "substations_source", "plants_source"):
        lacks[f"network.{item}"] = file.network.kind == "osm" and getattr(file.network, item) is None
    return [
        _error(study, "study.missing", part, part, "", f"nothing says where the {part} comes from.",
               f"Name a source for {part}, or a [generated] entry.")
        for part, lacking in lacks.items()
        if lacking
    ]  # fmt: skip


def _host_findings(study: Study) -> list[Finding]:
    from siting.hosts.types import load_host_types

    known = [h.host_type for h in load_host_types()]
    return site_findings(study, list(layer_ids(study))) + [
        _error(study, "hosts.unknown_type", "hosts", f"row {row}", host.host_type,
               f"unknown host type '{host.host_type}'.",
               nearest(host.host_type, known) or f"Known host types: {', '.join(known)}.")
        for row, host in enumerate(study.file.hosts, start=1)
        if host.host_type not in known
    ]  # fmt: skip


def _case_findings(study: Study) -> list[Finding]:
    from grid.contracts import GENERATORS

    fuels = GENERATORS.columns["fuel"].isin or ()
    return [
        _error(study, "cases.unknown_fuel", f"cases.{case.id}", "fuel_shares", fuel, f"unknown fuel '{fuel}'.",
               nearest(fuel, fuels) or f"Fuels: {', '.join(fuels)}.")
        for case in study.file.cases
        for fuel in case.fuel_shares
        if fuel not in fuels
    ] + [
        _error(study, "cases.fuel_share", f"cases.{case.id}", fuel, share, "the share does not lie between 0 and 1.",
               "Give the output as a share of the installed capacity.")
        for case in study.file.cases
        for fuel, share in case.fuel_shares.items()
        if not 0 <= share <= 1
    ]  # fmt: skip


def _duplicate_findings(study: Study) -> list[Finding]:
    """Entries that must be unlike one another."""
    file = study.file
    names = {
        "cases": [case.id for case in file.cases],
        "criteria": [criterion.id for criterion in file.criteria],
        "weather": [cell.id for cell in file.weather],
        "hosts": [f"{host.host_type} on {host.layer}" for host in file.hosts],
        "exclusions": [f"{rule.rule} on {rule.layer}" for rule in file.exclusions],
        "parks": [park.id for park in file.parks],
        "assumptions": [assumption.id for assumption in file.assumptions],
    }
    return [
        _error(study, f"{part}.duplicate", part, name, name, f"'{name}' stands more than once.",
               "Keep one of them, or give each an id of its own.")
        for part, given in names.items()
        for name in sorted({name for name in given if given.count(name) > 1})
    ]  # fmt: skip


def _frame_findings(study: Study) -> list[Finding]:
    """Is the study's own CRS one that metres can be counted in?"""
    text = study.file.region.crs
    if text == "auto":
        return []
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    remedy = 'Use crs = "auto", or a CGCS2000 3-degree zone such as EPSG:4548 (117 E).'
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        return [_error(study, "region.crs_unknown", "region", "crs", text, "there is no such CRS.", remedy)]
    if crs.is_projected and all(axis.unit_name == "metre" for axis in crs.axis_info):
        return []
    message = f"{crs.name} does not count in metres."
    return [_error(study, "region.crs_not_metric", "region", "crs", text, message, remedy)]


def _generated_findings(study: Study) -> list[Finding]:
    made = study.file.generated
    found: list[Finding] = []
    if made.land is not None:
        from layers.generated.profiles import land_profile

        try:
            land_profile(made.land.profile)
        except InputError as error:
            found += error.findings
    years = {"generated.weather": made.weather.year} if made.weather else {}
    years |= {f"weather.{cell.id}": cell.year for cell in study.file.weather}
    return found + [
        _error(study, "weather.leap_year", where, "year", year, "a weather year has 8760 hours, this one has 8784.",
               "Name a year with 365 days.")
        for where, year in years.items()
        if calendar.isleap(year)
    ]  # fmt: skip
