"""Two runs side by side in words, as the command line prints them."""

from __future__ import annotations

from typing import Any

import numpy as np

from study.run_folder.compare import Comparison, Language

_WORDS = {
    "in": ("新增", "in"), "out": ("取消", "out"), "more": ("增容", "more"), "less": ("减容", "less"),
    "earlier": ("提前", "earlier"), "later": ("推迟", "later"), "same": ("相同", "same"),
}  # fmt: skip
_TOPICS = {
    "sites": ("场址", "sites"), "cost": ("费用与校核", "cost and proof"), "stages": ("各阶段", "stages"),
    "targets": ("目标", "targets"), "binding": ("起作用的约束（影子价格）", "what binds (price)"),
}  # fmt: skip


MOST_BINDING = 8
"""Limits shown, the dearest of the first run first."""


def in_words(compared: Comparison, language: Language, most_sites: int = 20) -> str:
    """The comparison as text: what is asked differently, figures that differ, measures, sites."""
    k = 0 if language == "zh" else 1
    lines = [f"{compared.first}  ->  {compared.second}", *_caveats(compared, k)]
    if len(compared.asked):
        lines.append(("设置不同", "asked differently")[k])
        asked = compared.asked[["setting", "first", "second"]].astype(str).to_numpy().tolist()
        lines += [f"  {setting}: {first or '-'} -> {second or '-'}" for setting, first, second in asked]
    for topic in dict.fromkeys(compared.figures["topic"].astype(str)):
        rows = compared.figures[compared.figures["topic"] == topic]
        lines.append(_TOPICS[topic][k])
        shown = rows.head(MOST_BINDING) if topic == "binding" else rows
        lines += [_figure_line(row, k) for row in shown.itertuples()]
        if len(rows) > len(shown):
            rest = len(rows) - len(shown)
            lines.append((f"  另有{rest}项（--out 写出全部）", f"  and {rest} more (--out writes all)")[k])
    if len(compared.measures):
        lines.append(("电网措施", "measures")[k])
        lines += [_measure_line(row, k) for row in compared.measures.itertuples()]
    if len(compared.sites):
        lines.append(("场址变化", "sites that differ")[k])
        lines += [_site_line(row, k) for row in compared.sites.head(most_sites).itertuples()]
    if len(compared.sites) > most_sites:
        rest = len(compared.sites) - most_sites
        lines.append(
            (f"  另有{rest}个场址不同（--out 写出全部）", f"  and {rest} more sites differ (--out writes all)")[k]
        )
    return "\n".join(lines)


def _caveats(compared: Comparison, k: int) -> list[str]:
    told = []
    if compared.studies[0] != compared.studies[1]:
        told.append(
            ("  （两个不同的研究：{} 与 {}）", "  (two different studies: {} and {})")[k].format(*compared.studies)
        )
    if compared.without_plan:
        names = ", ".join(compared.without_plan)
        zh = f"  （比较接纳容量：{names} 没有规划方案；在研究文件中加入 [plan] 后重新运行）"
        en = f"  (accepted capacity is compared: {names} has no plan; add [plan] to its study file and run it again)"
        told.append((zh, en)[k])
    return told


def _figure_line(row: Any, k: int) -> str:
    label = (row.item_zh, row.item_en)[k]
    scale, unit = _shown_unit(str(row.unit), k)
    values = [_shown(value / scale) for value in (row.first, row.second)]
    head = f"  {label} [{unit}]" if unit else f"  {label}"
    if values[0] == values[1]:
        return f"{head}  {values[0]}"
    change = row.difference / scale
    told = "" if np.isnan(change) else f"  ({'+' if change > 0 else ''}{_plain(change)})"
    return f"{head}  {values[0]} -> {values[1]}{told}"


def _shown_unit(unit: str, k: int) -> tuple[float, str]:
    """What a figure is divided by on the screen, and its unit then."""
    return {"CNY": (1e6, ("百万元", "million CNY")[k]), "MWh": (1e3, "GWh")}.get(unit, (1.0, unit))


def _measure_line(row: Any, k: int) -> str:
    description = (row.description_zh, row.description_en)[k] or row.measure_id
    years = f"{row.first_stage or '-'} -> {row.second_stage or '-'}"
    cost = "" if np.isnan(row.investment_cny) else f", {row.investment_cny / 1e6:,.1f} {('百万元', 'million CNY')[k]}"
    note = (row.note_zh, row.note_en)[k]
    return f"  {_WORDS[str(row.change)][k]:8s} {description} ({years}{cost})" + (f": {note}" if note else "")


def _site_line(row: Any, k: int) -> str:
    name, reason = (row.name_zh, row.name_en)[k], (row.reason_zh, row.reason_en)[k]
    mw = f"{_shown(row.first_mw)} -> {_shown(row.second_mw)} MW"
    years = "" if row.first_stage == row.second_stage else f", {row.first_stage or '-'} -> {row.second_stage or '-'}"
    return f"  {_WORDS[str(row.change)][k]:8s} {row.candidate_id!s} {name!s}  {mw}{years}" + (
        f": {reason}" if reason else ""
    )


def _shown(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return "-" if np.isnan(number) else _plain(number)


def _plain(number: float) -> str:
    """Six digits without an exponent; what is below a millionth is nothing."""
    return f"{number:,.0f}" if abs(number) >= 1e5 else f"{number if abs(number) >= 1e-6 else 0.0:,.6g}"
