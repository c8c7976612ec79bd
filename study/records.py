"""From the study file's entries to the records that the other packages take."""

from __future__ import annotations

import unicodedata

from grid.contracts import Assumption, Case, FuelShare
from siting.contracts import HostLayer
from siting.scoring.contracts import Criterion
from study.schema.file import StudyFile
from study.schema.network import CaseEntry
from study.sites import candidates as sites
from study.sites import costs, scoring
from study.sites.park_checks import park_assumptions
from study.sites.wind import wind_assumptions
from study.stages.targets import Target


def criteria(file: StudyFile) -> tuple[Criterion, ...]:
    """Criteria with their weights, given or from pairwise comparisons."""
    return scoring.criteria(file)


def host_layers(file: StudyFile) -> tuple[HostLayer, ...]:
    return sites.host_layers(file)


def case(entry: CaseEntry) -> Case:
    shares = tuple(FuelShare(fuel, share) for fuel, share in sorted(entry.fuel_shares.items()))
    return Case(
        entry.id,
        entry.label_zh,
        entry.label_en,
        entry.load_share,
        entry.pv_share,
        entry.wind_share,
        shares,
        entry.season,
    )


def cases(file: StudyFile) -> tuple[Case, ...]:
    return tuple(case(entry) for entry in file.cases)


def targets(file: StudyFile) -> tuple[Target, ...]:
    return tuple(
        Target(
            region=t.region,
            quantity_zh=t.quantity_zh,
            quantity_en=t.quantity_en,
            technology_group=t.technology_group,
            year=t.year,
            target_mw=t.target_mw,
            installed_mw=float("nan") if t.installed_mw is None else t.installed_mw,
            source=t.source,
        )
        for t in file.targets
    )


def assumptions(file: StudyFile) -> tuple[Assumption, ...]:
    """What the study's author assumes, and the shares and figures in the file that carry their own confidence."""
    own = [Assumption(a.id, a.subject, a.text_zh, a.text_en, a.value, a.source, a.confidence) for a in file.assumptions]
    shares = [
        Assumption(
            f"area_share_{h.host_type}_{h.layer}",
            h.layer,
            f"图层 {h.layer} 中可作“{h.host_type}”的面积占比",
            f"share of layer {h.layer} that is {h.host_type}",
            f"{h.area_share:g}",
            h.area_share_source,
            h.area_share_confidence,
        )
        for h in file.hosts
        if h.area_share < 1
    ]
    entry = file.wind
    speed = (
        [
            Assumption(
                "wind_mean_speed",
                "wind",
                "轮毂高度长期平均风速",
                "long-run mean wind speed at hub height",
                f"{entry.mean_speed_m_per_s:g} m/s",
                entry.source,
                entry.confidence,
            )
        ]
        if entry.mean_speed_m_per_s is not None
        else []
    )
    compared = scoring.ahp_result(file)
    weights = (
        [
            Assumption(
                "ahp_weights",
                "criteria",
                f"权重由两两比较（层次分析法）得出，一致性比率 {compared.consistency_ratio:.3f}",
                f"weights from pairwise comparisons (AHP), consistency ratio {compared.consistency_ratio:.3f}",
                ", ".join(f"{n} {w:.3f}" for n, w in zip(compared.criteria, compared.weights, strict=True)),
                file.ahp.source if file.ahp else "",
                "C",
            )
        ]
        if compared is not None
        else []
    )
    demand = file.demand
    split = (
        [
            Assumption(
                "demand_share",
                "demand",
                "全省负荷按人口分摊并按增长率外推",
                "provincial demand split by population and grown to the study's year",
                f"share {demand.share:g}, growth {demand.growth:g}",
                demand.note,
                "B",
            )
        ]
        if demand is not None
        else []
    )
    roofs, money, wind = sites.roof_assumptions(file), costs.cost_assumptions(file), wind_assumptions(file)
    return (
        *own,
        *shares,
        *roofs,
        *_missing_values(file),
        *weights,
        *money,
        *speed,
        *wind,
        *split,
        *park_assumptions(file),
    )


def _missing_values(file: StudyFile) -> list[Assumption]:
    """Rules that take cells without a value as known, with the study's reason."""
    words = {"eligible": ("可用", "eligible"), "excluded": ("排除", "excluded")}
    return [
        Assumption(
            f"nodata_{e.rule}_{e.layer}",
            e.layer,
            f"规则 {e.rule} 将图层 {e.layer} 的缺测栅格视为{words[e.nodata][0]}",
            f"rule {e.rule} takes cells of layer {e.layer} without a value as {words[e.nodata][1]}",
            e.nodata,
            e.nodata_reason,
            "C",
        )
        for e in file.exclusions
        if e.nodata != "unknown"
    ]


def plain_pinyin(name: str) -> str:
    """English label out of a pinyin name: no tone marks, no class word (``Qiáochéng Qū`` -> ``Qiaocheng``)."""
    bare = unicodedata.normalize("NFKD", name.split("[")[0]).encode("ascii", "ignore").decode().strip()
    for ending in (" Qu", " Xian", " Shi"):
        bare = bare.removesuffix(ending)
    return bare.replace("'", "’")
