"""Why a candidate connects as it does, in one sentence in Chinese and one in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.connections.rules import EXISTING_FEEDER

WAN = 1e4


@dataclass(frozen=True)
class Shared:
    """A member's part of a collector station: what it pays, and with how many it shares."""

    collector_id: str
    members: int
    paid_cny: float
    s_mva: float
    trunk_km: float


def no_place(options: Sequence[Any]) -> tuple[str, str]:
    """Why a candidate has no connection."""
    if not options:
        return "可行电压等级的母线均超出接入距离", "no bus of a feasible voltage lies within reach"
    if not any(option.feasible for option in options):
        return (
            f"接入距离内的{len(options)}个接入点均无空余间隔",
            f"none of the {len(options)} points within reach has a bay left",
        )
    return (
        "接入距离内各站的间隔与主变均已分配给费用更低的方案",
        "all bays within reach are taken by connections that save more",
    )


def reasons(
    best: Any, options: Sequence[Any], shared: Shared | None, names: Mapping[str, Any], mw: float
) -> tuple[str, str]:
    """What was chosen, and what it was compared with.

    Parameters
    ----------
    best
        The chosen row of CONNECTION_OPTIONS, fields as attributes.
    options
        All options of the candidate, likewise.
    names
        ``name_zh``, ``name_en``, ``level`` by ``bus_id``, likewise.
    mw
        Grid capacity of the candidate.
    """
    feasible = [option for option in options if option.feasible]
    at, km, kv = names[best.bus_id], best.length_km, best.vn_kv
    zh = f"{len(feasible)}个可行接入方案联合优化后总费用最低："
    en = f"least joint cost of {len(feasible)} feasible points: "
    if shared is None:
        zh += f"{at.name_zh} {kv:g} kV，{km:.1f} km"
        en += f"{at.name_en} {kv:g} kV, {km:.1f} km"
    else:
        paid = shared.paid_cny / WAN
        zh += (
            f"{kv:g} kV {km:.1f} km至汇集站（{shared.members}家共用{shared.s_mva:g} MVA，"
            f"分摊{paid:.0f}万元），再以{shared.trunk_km:.1f} km送{at.name_zh}"
        )
        en += (
            f"{kv:g} kV {km:.1f} km to a collector ({shared.s_mva:g} MVA shared by {shared.members}, "
            f"share CNY {paid / 100:.2f} million), {shared.trunk_km:.1f} km on to {at.name_en}"
        )
    if best.line_type == EXISTING_FEEDER:
        zh, en = zh + "，利用既有馈线", en + ", on existing feeders"
    elif not best.routed:
        zh, en = zh + "（直线距离乘绕行系数）", en + " (straight line x detour factor)"
    lack = _lack(best, mw)
    if lack > 0:
        zh, en = zh + f"，裕度缺 {lack:.1f} MW", en + f", {lack:.1f} MW short of headroom"
    more_zh, more_en = _compared(best, feasible, shared, names, mw)
    return zh + more_zh, en + more_en


def _lack(option: Any, mw: float) -> float:
    """MW that the point's headroom, alone, lacks for the candidate."""
    return max(0.0, mw - float(option.headroom_mw))


def _compared(
    best: Any, feasible: Sequence[Any], shared: Shared | None, names: Mapping[str, Any], mw: float
) -> tuple[str, str]:
    """Against the nearest point of its own."""
    own = [option for option in feasible if not option.collector_id]
    if not own:
        return "", ""
    zh, en = "", ""
    nearest = min(own, key=lambda option: option.length_km)
    if nearest.bus_id != best.bus_id or shared is not None:
        at, kv, km = names[nearest.bus_id], nearest.vn_kv, nearest.length_km
        zh += f"；最近的{at.name_zh} {kv:g} kV（{km:.1f} km）"
        en += f"; the nearest, {at.name_en} {kv:g} kV ({km:.1f} km),"
        lack = _lack(nearest, mw)
        if lack > _lack(best, mw):
            zh, en = zh + f"裕度缺 {lack:.1f} MW", en + f" lacks {lack:.1f} MW of headroom"
        elif _alone(nearest) > _alone(best) + (0.0 if shared is None else shared.paid_cny):
            zh, en = zh + "费用更高", en + " costs more"
        else:
            zh, en = zh + "的间隔或主变容量由他用更省", en + " serves others better (bays, transformers, collector)"
    return zh, en


def _alone(option: Any) -> float:
    return float(option.line_cny + option.bay_cny + option.rank_cny + option.transformer_cny)
