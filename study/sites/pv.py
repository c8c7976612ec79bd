"""The study file's [pv] table: options of the PV chain, skylines, and other ways of building than the host type's."""

from __future__ import annotations

from dataclasses import replace

from layers.contracts import Finding, InputError
from siting.contracts import HostType
from siting.pv.options import PvOptions
from siting.pv.shading import Horizon
from study.schema.file import StudyFile
from study.study_file import Study, nearest


def host_types(file: StudyFile) -> tuple[HostType, ...]:
    """The program's host types, built as ``[pv] variants`` says where it names them."""
    from siting.hosts.types import load_host_types

    chosen = file.pv.variants
    return tuple(replace(h, pv_variant=chosen.get(h.host_type, h.pv_variant)) for h in load_host_types())


def pv_options(study: Study) -> PvOptions:
    """Options for :func:`siting.pv.chain.pv_yield`.

    Raises
    ------
    InputError
        If the skylines cannot be read.
    """
    entry = study.file.pv
    return PvOptions(
        entry.transposition,
        entry.reflection,
        entry.cell_temperature,
        entry.module_model,
        entry.subhourly_clipping,
        _horizons(study),
    )


def pv_findings(study: Study) -> list[Finding]:
    """Everything that can be known to be wrong with ``[pv]``: host types, variants, models, skylines."""
    found = _variant_findings(study)
    try:
        horizons = _horizons(study)
    except InputError as error:
        return found + list(error.findings)
    cells = [entry.id for entry in study.file.weather]
    return found + [
        _finding(
            study, "unknown_cell", "horizon", name, f"no weather cell '{name}'.", nearest(name, cells) or _list(cells)
        )
        for name in sorted(horizons)
        if name and name not in cells
    ]


def _horizons(study: Study) -> dict[str, Horizon]:
    from siting.pv.shading import read_horizons

    source = study.file.pv.horizon
    if source is None or source not in study.file.sources:
        return {}  # an unknown source is named by the check of references
    card = study.card(source)
    return read_horizons(card.path, card.shown_path) if card.path.is_file() else {}


def _variant_findings(study: Study) -> list[Finding]:
    from siting.hosts.types import load_host_types
    from siting.pv.sides import heating_findings
    from siting.technologies.tables import load_technology_tables

    entry = study.file.pv
    kinds = {h.host_type: h.kind for h in load_host_types()}
    variants = {v.pv_variant: v for v in load_technology_tables().pv_variants}
    found = []
    for host, name in sorted(entry.variants.items()):
        if kinds.get(host, "wind") == "wind":
            known = sorted(h for h, kind in kinds.items() if kind != "wind")
            text = f"'{host}' is no host type of PV."
            found.append(
                _finding(study, "unknown_host_type", "variants", host, text, nearest(host, known) or _list(known))
            )
        if name not in variants:
            known = sorted(variants)
            text = f"there is no PV variant '{name}'."
            found.append(
                _finding(study, "unknown_variant", f"variants.{host}", name, text, nearest(name, known) or _list(known))
            )
    used = {h.pv_variant for h in host_types(study.file) if h.host_type in {e.host_type for e in study.file.hosts}}
    mountings = {variants[name].mounting for name in sorted(used) if name in variants}
    return found + [
        replace(finding, file=study.shown_path)
        for mounting in sorted(mountings, key=lambda m: m.mounting)
        for finding in heating_findings(mounting, entry.cell_temperature)
    ]


def _finding(study: Study, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"pv.{rule}", study.shown_path, "pv", item, value, message, remedy)


def _list(known: list[str]) -> str:
    return f"Known: {', '.join(known)}."
