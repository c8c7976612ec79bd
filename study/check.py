"""Everything about the inputs that can be known before anything heavy runs, in one report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from layers.contracts import Finding, InputError, SourceCard
from siting.rule_packs import PackEntry, load_rule_pack, rules_for_study
from study import records
from study.study_file import Study, nearest, resolve_path

_TABLES = (".csv", ".parquet")
_RASTERS = (".tif", ".tiff")
_WEIGHT_TOLERANCE = 1e-6


def check_study(study: Study) -> list[Finding]:
    """All findings about a study's inputs, errors first; nothing is written, nothing heavy runs."""
    findings = [
        *study.findings,
        *_references(study),
        *_host_findings(study),
        *_exclusion_findings(study),
        *_weight_findings(study),
        *_case_findings(study),
        *_source_findings(study),
        *_network_findings(study),
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
        must_be("layers", layers, "exclusions", rule.rule, rule.layer)
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
    for item in ("lines_source", "substations_source", "plants_source"):
        must_be("sources", sources, "network", item, getattr(file.network, item))
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
    return [
        _error(study, "study.missing", part, part, "", f"nothing says where the {part} comes from.",
               f"Name a source for {part}, or a [generated] entry.")
        for part, lacking in lacks.items()
        if lacking
    ]  # fmt: skip


def _host_findings(study: Study) -> list[Finding]:
    from siting.host_types import load_host_types

    known = [h.host_type for h in load_host_types()]
    return [
        _error(study, "hosts.unknown_type", "hosts", f"row {row}", host.host_type,
               f"unknown host type '{host.host_type}'.",
               nearest(host.host_type, known) or f"Known host types: {', '.join(known)}.")
        for row, host in enumerate(study.file.hosts, start=1)
        if host.host_type not in known
    ]  # fmt: skip


def pack_entries(study: Study) -> tuple[PackEntry, ...]:
    return tuple(
        PackEntry(
            rule=e.rule,
            layer=e.layer,
            setback_m=e.setback_m,
            limit=e.limit,
            applies_to=e.applies_to,
            label_zh=e.label_zh,
            label_en=e.label_en,
            document=e.document,
        )
        for e in study.file.exclusions
    )


def _exclusion_findings(study: Study) -> list[Finding]:
    try:
        rules_for_study(load_rule_pack(study.file.land.rules), pack_entries(study), file=study.shown_path)
    except InputError as error:
        return list(error.findings)
    return []


def _weight_findings(study: Study) -> list[Finding]:
    found = [
        _error(study, "criteria.weight_sign", "criteria", c.id, c.weight, "the weight is negative.", "Use 0 or more.")
        for c in study.file.criteria
        if c.weight < 0
    ]
    found += [
        _error(study, "criteria.value_function", "criteria", c.id, c.best, "'worst' and 'best' are equal.",
               "Give the value that counts nothing and the value that counts fully.")
        for c in study.file.criteria
        if math.isclose(c.best, c.worst)
    ]  # fmt: skip
    total = sum(c.weight for c in study.file.criteria)
    if abs(total - 1) > _WEIGHT_TOLERANCE:
        found.append(
            _error(study, "criteria.weights", "criteria", "weight", f"{total:g}",
                   f"the weights add up to {total:g}, not 1.",
                   "Divide each weight by the sum: " + ", ".join(
                       f"{c.id} {c.weight / total:.3g}" for c in study.file.criteria) + "." if total > 0 else
                   "Give positive weights that add up to 1.")
        )  # fmt: skip
    return found


def _case_findings(study: Study) -> list[Finding]:
    seen: set[str] = set()
    found = []
    for entry in study.file.cases:
        if entry.id in seen:
            found.append(_error(study, "cases.duplicate", "cases", entry.id, entry.id, "two cases have this id.",
                                "Give each case an id of its own."))  # fmt: skip
        seen.add(entry.id)
    return found


def _source_findings(study: Study) -> list[Finding]:
    """Every file that the study reads, looked into by its kind."""
    found: list[Finding] = []
    for source_id in used_sources(study):
        if source_id in study.file.sources:
            found += inspect_source(study, study.card(source_id))
    return found + _datum_findings(study)


def used_sources(study: Study) -> tuple[str, ...]:
    """Ids of the sources that the study reads, sorted; those that nothing refers to are left alone."""
    file = study.file
    names = {file.region.districts, file.region.facts, file.network.lines_source}
    names |= {file.network.substations_source, file.network.plants_source}
    names |= {entry.source for entry in file.layers.values()} | {cell.source for cell in file.weather}
    names |= {file.demand.source if file.demand else None}
    names |= {file.generated.weather.normals if file.generated.weather else None}
    return tuple(sorted(name for name in names if name))


def inspect_source(study: Study, card: SourceCard) -> list[Finding]:
    """Findings about one file, by its kind."""
    suffix = "".join(Path(card.path.name).suffixes[-2:]).lower()
    if ".epw" in suffix:
        from layers.epw import inspect_epw

        return inspect_epw(card.path, card.shown_path)
    if card.path.suffix.lower() in _RASTERS:
        from layers.raster import inspect_raster

        return inspect_raster(card)
    if card.path.suffix.lower() in _TABLES or ".csv" in suffix:
        from layers.source_file import file_findings

        return file_findings(card)
    from layers.vector import inspect_vector

    return inspect_vector(card)


def _datum_findings(study: Study) -> list[Finding]:
    """Does the datum of the districts agree with the reference points of the facts?"""
    region = study.file.region
    if not (region.districts and region.facts):
        return []
    if not {region.districts, region.facts} <= set(study.file.sources):
        return []
    from layers.contracts import FindingLog
    from layers.datum_check import datum_findings
    from layers.vector import read_vector

    card, facts = study.card(region.districts), study.card(region.facts)
    try:
        layer = read_vector(card, "EPSG:4326", log=FindingLog())
        points = pd.read_csv(facts.path, dtype={"county_code": str})
    except (InputError, OSError, ValueError):
        return []  # named already by the look into the file itself
    reference = points[["name_zh", "lon", "lat"]].rename(columns={"name_zh": "name"})
    return list(datum_findings(layer, card, reference, name_column=region.name_zh_column))


def _network_findings(study: Study) -> list[Finding]:
    if study.file.network.kind != "tables" or not study.file.network.folder:
        return []
    from grid.checks import check_network
    from grid.network_tables import read_network

    folder = resolve_path(study.file.network.folder, study.path.parent)
    try:
        network = read_network(folder)
    except InputError as error:
        return list(error.findings)
    return check_network(network)


def described_cases(study: Study) -> str:
    return ", ".join(case.label_en for case in records.cases(study.file))
