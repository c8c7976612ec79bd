"""What the reference network assumes, in words, for the manifest and the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from grid.contracts import Assumption, Case
from grid.reference.layout import LARGEST_LOOP
from grid.reference.reinforce import Strengthened
from grid.reference.sizing import middle_ratio
from grid.reference.spec import NamedPlant, NamedStation, ReferenceGridSpec
from grid.studies.short_circuit_boundary import boundary_level_ka

_ENGINEERING = "engineering practice"


def assumptions_of(spec: ReferenceGridSpec, result: Strengthened, cases: Sequence[Case]) -> tuple[Assumption, ...]:
    """Every choice that no source made, in a fixed order."""
    return (
        *_levels(spec),
        *_structure(spec),
        *_places(spec),
        _security(result, cases),
    )


def _levels(spec: ReferenceGridSpec) -> list[Assumption]:
    found = [
        Assumption(
            "reference.peak",
            "load",
            f"全网高峰负荷 {spec.peak_load_mw:g} MW,按负荷点比例分配",
            f"peak load {spec.peak_load_mw:g} MW, shared out in proportion to the load points",
            f"{spec.peak_load_mw:g} MW",
            "study file",
            "C",
        ),
        Assumption(
            "reference.power_factor",
            "load",
            f"10 kV 母线功率因数 {spec.power_factor:g}(含站内电容器补偿)",
            f"power factor {spec.power_factor:g} at the 10 kV bus, capacitor banks of the station included",
            f"{spec.power_factor:g}",
            "Q/GDW 212 asks for 0.95 or more on the high side of 35 to 110 kV stations at peak",
            "C",
        ),
    ]
    for level in (v for v in (500.0, 220.0, 110.0) if v <= spec.top_kv):
        ratio = middle_ratio(level, spec.growth_percent, spec.capacity_load_rule)
        found.append(
            Assumption(
                f"reference.ratio_{level:g}",
                f"{level:g} kV transformers",
                f"{level:g} kV 主变按容载比 {ratio:.2f} 配置,并满足 N-1",
                f"{level:g} kV transformers by capacity-load ratio {ratio:.2f}, then enlarged until N-1 secure",
                f"{ratio:.2f}",
                f"{spec.capacity_load_rule}, growth {spec.growth_percent:g} % a year, middle of the band",
                "B",
            )
        )
    return found


def _structure(spec: ReferenceGridSpec) -> list[Assumption]:
    return [
        Assumption(
            "reference.structure",
            "topology",
            f"110 kV 站双侧电源(最近两座 220 kV 站),220 kV 每环不超过 {LARGEST_LOOP} 座站,500 kV 成网;各级闭环运行",
            f"110 kV stations fed from their two nearest 220 kV stations, 220 kV loops of at most {LARGEST_LOOP} "
            "stations, meshed top level; all loops operated closed",
            str(LARGEST_LOOP),
            _ENGINEERING,
            "C",
        ),
        Assumption(
            "reference.length",
            "line lengths",
            f"线路长度为直线距离的 {spec.detour_factor:g} 倍",
            f"line lengths are {spec.detour_factor:g} times the straight distance",
            f"{spec.detour_factor:g}",
            _ENGINEERING,
            "C",
        ),
        Assumption(
            "reference.line_types",
            "line types",
            "导线型号按夏季 40 ℃ 载流量及 N-1 校核选取,阻抗由几何尺寸计算",
            "conductors by ampacity at 40 degC and N-1; impedances computed from geometry",
            "grid/standards/line_types.csv",
            "GB 50545 conditions; geometry of line_types.csv",
            "C",
        ),
        Assumption(
            "reference.taps",
            "transformer taps",
            "分接头在各运行方式下不变,按各方式电压中值整定;10 kV 取 GB/T 12325 的 ±7%",
            "one tap position for all cases, set to the middle of the cases; 10 kV buses keep the +-7 % of GB/T 12325",
            "one position",
            _ENGINEERING,
            "C",
        ),
        Assumption(
            "reference.infeeds",
            "outside network",
            f"外部电网用等值电源表示,电压 {spec.infeed_vm_pu:g} pu,平均分担平衡功率",
            f"the outside network is equivalents at {spec.infeed_vm_pu:g} pu that share the balance equally",
            f"{spec.infeed_vm_pu:g} pu",
            _ENGINEERING,
            "C",
        ),
        Assumption(
            "reference.boundary_level",
            "outside network",
            "各等值同属一个外网,均分其短路容量,使最强边界站含区内机组的三相短路电流达到该电压等级的水平",
            "the equivalents are equal shares of one outside, as strong as brings the strongest boundary station, with "
            "the machines inside, to the level of its voltage",
            f"{boundary_level_ka(spec.top_kv):g} kA",
            "grid/standards/boundary_levels.csv",
            "C",
        ),
    ]


def _places(spec: ReferenceGridSpec) -> list[Assumption]:
    confidence: Literal["A", "B", "C"] = "C"
    things: tuple[NamedStation | NamedPlant, ...] = (*spec.stations, *spec.plants)
    assumed = [
        Assumption(
            f"reference.place.{thing.vn_kv:g}.{thing.name_en}",
            thing.name_en,
            f"{thing.name_zh}位置为假定(所在县区负荷处)",
            f"the position of {thing.name_en} is assumed, where the load of its district is",
            "assumed",
            thing.source,
            confidence,
        )
        for thing in things
        if thing.lon is None or thing.lat is None
    ]
    plants = [
        Assumption(
            f"reference.plant.{plant.name_en}",
            plant.name_en,
            f"{plant.name_zh} {plant.p_max_mw:g} MW,接入 {plant.vn_kv:g} kV,送出线路为生成",
            f"{plant.name_en}: {plant.p_max_mw:g} MW at {plant.vn_kv:g} kV, its lines are generated",
            f"{plant.p_max_mw:g} MW",
            plant.source,
            confidence,
        )
        for plant in spec.plants
    ]
    return assumed + plants


def _security(result: Strengthened, cases: Sequence[Case]) -> Assumption:
    names = ", ".join(case.id for case in cases)
    if not result.breaches:
        zh = "生成的电网在各设计方式下满足 N-0 与 N-1"
        en = "the generated network is secure in N-0 and N-1 in every design case"
        value = "secure"
    else:
        first = "; ".join(
            f"{b.case}: {b.kind} {b.element} {b.value:.4g} ({b.outage or 'N-0'})" for b in result.breaches[:5]
        )
        zh = f"生成的电网仍有 {len(result.breaches)} 处越限: {first}"
        en = f"the generated network still breaks {len(result.breaches)} limits: {first}"
        value = f"{len(result.breaches)} breaches"
    return Assumption(
        "reference.security", "network", zh, en, value, f"AC load flow of every outage; cases {names}", "C"
    )
