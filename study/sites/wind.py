"""The study file's [wind] table: the choices of a study about wind, and everything that can be wrong with them."""

from __future__ import annotations

import pandas as pd

from grid.contracts import Assumption
from layers.contracts import Finding, InputError
from siting.contracts import Confidence
from siting.technologies.wind import (
    curtailment_rules,
    load_curtailment_rules,
    load_roughness,
    roughness_of_class,
)
from siting.wind.chain import WindOptions
from siting.yields.contracts import YieldResult
from siting.yields.variants import WindStudy, hub_variant
from study.pipeline import Results
from study.schema.file import StudyFile
from study.study_file import Study, nearest

_SPEED_UNITS = ("m/s", "m s-1", "m s**-1")


def wind_options(file: StudyFile) -> WindOptions:
    """Options of the wind chain."""
    entry = file.wind
    return WindOptions(
        shear=entry.shear,
        shear_exponent=entry.shear_exponent,
        site_roughness_m=roughness_of_class(entry.land_class) if entry.land_class else None,
        density=entry.density,
        hysteresis=entry.hysteresis,
        loss_shares=tuple((item, percent / 100) for item, percent in sorted(entry.losses_percent.items())),
        curtailment=curtailment_rules(entry.curtailment),
    )


def wind_study(results: Results) -> WindStudy:
    """All choices about wind, with the mean speeds of a map and the positions of turbines where the study asks."""
    file = results.study.file
    entry = file.wind
    sites = results.get("sites")
    return WindStudy(
        mean_speed_m_per_s=entry.mean_speed_m_per_s,
        mean_speed_source=entry.source,
        mean_speed_height_m=entry.mean_speed_height_m,
        site_mean_speed=_site_speed(results) if entry.mean_speed_layer else None,
        hub_height_m=entry.hub_height_m,
        wake=entry.wake,
        wake_model=entry.wake_model,
        positions=sites.turbines if entry.wake == "layout" else None,
        options=wind_options(file),
    )


def _site_speed(results: Results) -> pd.Series:
    """Mean of the map over each wind site [m/s] by candidate id; sites that the map does not cover are told."""
    from siting.scoring.criteria import raster_mean

    name = results.study.file.wind.mean_speed_layer
    raster = next(one for one in results.get("ground").rasters if one.id == name)
    candidates = results.get("sites").candidates
    wind = candidates[candidates["kind"] == "wind"]
    speed = pd.Series(raster_mean(wind, raster), index=wind["candidate_id"].to_numpy(object), dtype=float)
    unknown = int(speed.isna().sum())
    if unknown:
        message = f"The map of mean wind speed has no value for {unknown} of {len(speed)} wind sites."
        results.log.add(
            Finding(
                "warning", "wind.map_gap", results.study.shown_path, "wind", "mean_speed_layer", name, message,
                "They take mean_speed_m_per_s, or the weather as it is. Use a map that covers the region.",
            )
        )  # fmt: skip
    return speed


def assumption_findings(study: Study, result: YieldResult) -> list[Finding]:
    """Notes on what the yields had to assume where weather or sites do not say."""
    remedy = "Give weather with wind_from_degree, and sites with turbine positions, or leave it at that."
    return [
        Finding("note", "yield.assumption", study.shown_path, "yields", "wind", "", f"{text}.", remedy)
        for text in result.assumptions
    ]


def wind_findings(study: Study) -> list[Finding]:
    """Everything that can be known to be wrong with ``[wind]``: land class, rules, hub height, map."""
    entry, found = study.file.wind, []
    classes = [row.land_class for row in load_roughness()]
    if entry.land_class and entry.land_class not in classes:
        text = f"there is no land class '{entry.land_class}'."
        found.append(_error(study, "land_class", entry.land_class, text, nearest(entry.land_class, classes)))
    rules = [rule.rule for rule in load_curtailment_rules()]
    for name in entry.curtailment:
        if name not in rules:
            text = f"there is no curtailment rule '{name}'."
            remedy = nearest(name, rules) or f"Rules: {', '.join(rules)}."
            found.append(_error(study, "curtailment", name, text, remedy))
    if entry.mean_speed_m_per_s is not None and not entry.source.strip():
        found.append(_error(study, "source", "", "the mean wind speed has no source.", "Say where it comes from."))
    return [*found, *_turbine_findings(study), *_map_findings(study)]


def _turbine_findings(study: Study) -> list[Finding]:
    from siting.hosts.types import load_host_types
    from siting.technologies.tables import load_technology_tables

    tables, used = load_technology_tables(), {entry.host_type for entry in study.file.hosts}
    turbines = {tables.technology(h.technology).turbine for h in load_host_types() if h.host_type in used}
    found = []
    for name in sorted(turbine for turbine in turbines if turbine):
        items = [loss.item for loss in tables.turbine(name).losses]
        for item in sorted(set(study.file.wind.losses_percent) - set(items)):
            text = f"{name} has no loss '{item}'."
            remedy = nearest(item, items) or f"Losses: {', '.join(items)}."
            found.append(_error(study, "losses_percent", item, text, remedy))
        try:
            hub_variant(tables.turbine(name), WindStudy(hub_height_m=study.file.wind.hub_height_m))
        except InputError as error:
            found += [_error(study, f.item, f.value, f.message, f.remedy) for f in error.findings]
    return found


def _map_findings(study: Study) -> list[Finding]:
    name = study.file.wind.mean_speed_layer
    if not name:
        return []
    rasters = {key: entry for key, entry in study.file.layers.items() if entry.kind == "raster"}
    if name not in rasters:
        text = f"there is no raster layer '{name}'."
        remedy = nearest(name, list(rasters)) or f'Add [layers.{name}] with kind = "raster".'
        return [_error(study, "mean_speed_layer", name, text, remedy)]
    source = study.file.sources.get(rasters[name].source)
    if source is not None and source.unit not in (None, *_SPEED_UNITS):
        text = f"the map of mean wind speed is in '{source.unit}'."
        return [_error(study, "mean_speed_layer", str(source.unit), text, 'Give a map in unit = "m/s".')]
    return []


def _error(study: Study, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", f"wind.{item}", study.shown_path, "wind", item, value, message, remedy)


def wind_assumptions(file: StudyFile) -> list[Assumption]:
    """What a study chooses about wind, beside its mean speed: only what differs from the defaults."""
    entry, made = file.wind, []

    def add(name: str, zh: str, en: str, value: str, source: str, confidence: Confidence = "C") -> None:
        made.append(Assumption(f"wind_{name}", "wind", zh, en, value, source, confidence))

    if entry.mean_speed_layer:
        height = "hub" if entry.mean_speed_height_m is None else f"{entry.mean_speed_height_m:g} m"
        add("mean_speed_map", "按风图谱逐场址缩放风速", "wind of each site scaled to a map of the long-run mean",
            f"layer {entry.mean_speed_layer}, at {height}", entry.source, entry.confidence)  # fmt: skip
    if entry.hub_height_m is not None:
        add("hub_height", "轮毂高度", "hub height", f"{entry.hub_height_m:g} m", "study file")
    if entry.land_class:
        row = next((r for r in load_roughness() if r.land_class == entry.land_class), None)
        if row is not None:
            add("roughness", f"场址地表：{row.label_zh}", f"ground of the sites: {row.label_en}",
                f"{row.roughness_length_m:g} m", row.source, row.confidence)  # fmt: skip
    if entry.wake != "loss_chain":
        basis = {"density": ("按装机密度", "by installed density"), "layout": ("按机位", "by turbine positions")}
        zh, en = basis[entry.wake]
        add("wake", f"尾流损失{zh}计算", f"wake loss {en}", entry.wake_model, "siting/wind/wake.py; wind_wakes.csv")
    for item, percent in sorted(entry.losses_percent.items()):
        add(f"loss_{item}", f"损失项 {item}", f"loss {item}", f"{percent:g} %", entry.source or "study file")
    for rule in load_curtailment_rules():
        if rule.rule in entry.curtailment:
            add(f"curtailment_{rule.rule}", f"限电规则：{rule.label_zh}", f"curtailment: {rule.label_en}",
                f"at most {rule.power_limit_share:g} of rated", rule.source, rule.confidence)  # fmt: skip
    return made
