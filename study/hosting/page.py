"""One page about a hosting study, in Chinese and English, that needs no network and prints well."""

from __future__ import annotations

from typing import Any

import pandas as pd

from maps.bilingual import safe
from study.loadflow.page import PAGE_STYLE, html_table, shown_number
from study.outputs.labels import value_labels

_TOP = 400


def hosting_page(summary: dict[str, Any], tables: dict[str, pd.DataFrame], stations: pd.DataFrame) -> str:
    """The page as HTML; every word out of the data is escaped."""
    title = safe(summary["network"])
    parts = [
        f"<h1>承载力 Hosting capacity: {title}</h1>",
        f"<p class='note'>{safe(summary['format'])} · {summary['buses']} 母线 buses · "
        f"{summary['branches']} 支路 branches · {summary['studied_buses']} 条已算 studied · "
        f"{summary['outages']} 故障 outages · {summary['ac_states']} 交流潮流 AC states</p>",
        _cases(summary),
        _series(summary),
        _rule_book(summary),
        _stations(stations),
        _buses(tables["hosting"]),
        _grades(tables["grades"]),
        _assumptions(summary),
    ]
    head = f"<meta charset='utf-8'><title>{title}</title><style>{PAGE_STYLE}</style>"
    return f"<!doctype html><html lang='zh-CN'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _grade(value: str) -> str:
    names = {label.value: f"{label.label_zh} {label.label_en}" for label in value_labels("grade")}
    return f"<span class='{safe(value or 'unknown')}'>{safe(names.get(value, '未评估 not graded'))}</span>"


def _cases(summary: dict[str, Any]) -> str:
    rows = [
        [safe(f"{name} {entry['label']}".strip()), safe(entry["status"]), shown_number(entry["seconds"], 1)]
        for name, entry in summary["cases"].items()
    ]
    head = ["工况 case", "状态 status", "用时 seconds"]
    differences = (
        f"<p>线性初估与交流最大差 largest difference of the linear estimate to AC: "
        f"{shown_number(summary['largest_dc_ac_difference_mw'])} MW · "
        f"内存上限 memory bound: {shown_number(summary['memory_bound_mib'], 0)} MiB</p>"
    )
    return "<h2>工况 Cases</h2>" + html_table(head, rows, text=(1,)) + differences


def _series(summary: dict[str, Any]) -> str:
    """The hours, and how far their linear limits are from AC."""
    told = summary["series"]
    if told is None:
        return ""
    rows = [
        [safe(name), safe(one["reason"]), str(one["count"]), shown_number(one["mean_mw"], 2),
         shown_number(one["largest_mw"], 2), str(one["unsolved"])]
        for name, entry in told["by_case"].items() for one in entry["residuals"]
    ]  # fmt: skip
    head = ["工况 case", "抽查 checked", "次数 count", "平均差 mean MW", "最大差 largest MW", "无解 unsolved"]
    note = f"<p>{safe(told['file'])} · {told['hours']} h · {safe(told['profile'])}</p>"
    return "<h2>逐时 Hours</h2>" + note + html_table(head, rows, text=(1,))


def _rule_book(summary: dict[str, Any]) -> str:
    book = summary["rule_book"]
    if not book["graded"]:
        return f"<h2>等级 Grades</h2><p>{safe(book['edition'])}: 0</p>"
    rows = [
        [name, *(str(book[key][grade]) for grade in ("green", "yellow", "red"))]
        for name, key in (
            ("主变 transformers", "equipment"),
            ("变电站 stations", "stations"),
            ("县 counties", "counties"),
        )
    ]
    told = f"{safe(book['document'])} · {safe(book['options'])} · 可信度 confidence {safe(book['confidence'])}"
    return (
        f"<h2>等级 Grades</h2><p>{told}</p>"
        + html_table(["", *(_plain(grade) for grade in ("green", "yellow", "red"))], rows)
    )  # fmt: skip


def _plain(value: str) -> str:
    names = {label.value: f"{label.label_zh} {label.label_en}" for label in value_labels("grade")}
    return names[value]


def _stations(stations: pd.DataFrame) -> str:
    rows = [
        [safe(row["station"]), shown_number(row["vn_kv"], 1), shown_number(row["firm_n0_mw"]),
         shown_number(row["firm_n1_mw"]), _grade(row["grade"]), safe(row["grade_reason_zh"]),
         safe(row["grade_reason_en"])]
        for row in stations.head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["变电站 station", "kV", "N-0 MW", "N-1 MW", "等级 grade", "理由", "reason"]
    more = f"<p class='note'>{len(stations)} → hosting.gpkg, hosting.csv</p>" if len(stations) > _TOP else ""
    return "<h2>变电站 Stations</h2>" + html_table(head, rows, text=(4, 5, 6)) + more


_FLEXIBLE = (
    ("flexible_5_percent_mw", "弃电 5 % curtailed MW"),
    ("flexible_10_percent_mw", "弃电 10 % curtailed MW"),
)  # fmt: skip


def _buses(hosting: pd.DataFrame) -> str:
    flexible = [pair for pair in _FLEXIBLE if pair[0] in hosting]
    rows = [
        [safe(f"{row['bus']} {row['name']}".strip()), shown_number(row["vn_kv"], 1), shown_number(row["firm_n0_mw"]),
         shown_number(row["firm_n1_mw"]), *(shown_number(row[name]) for name, _ in flexible),
         safe(row["binding_case"]), safe(row["binding_outage"] or "–"), safe(row["binding_element"]),
         safe(row["binding_limit"]), safe(row["next_binding"] or "–"), "✓" if row["certified"] else "–"]
        for row in hosting.head(_TOP).to_dict("records")
    ]  # fmt: skip
    titles = [title for _, title in flexible]
    head = ["母线 bus", "kV", "N-0 MW", "N-1 MW", *titles, "工况 case", "故障 outage", "元件 element", "限制 limit",
            "其次 next", "全扫 certified"]  # fmt: skip
    more = f"<p class='note'>{len(hosting)} → hosting.csv</p>" if len(hosting) > _TOP else ""
    words = tuple(k + len(flexible) for k in range(4, 9))
    return "<h2>母线 Buses</h2>" + html_table(head, rows, text=words) + more


def _grades(grades: pd.DataFrame) -> str:
    if grades.empty:
        return ""
    rows = [
        [safe(row["equipment_id"]), safe(row["case"]), _grade(row["grade"]), safe(row["formula"]), safe(row["clause"]),
         safe(row["confidence"])]
        for row in grades.head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["主变 transformers", "工况 case", "等级 grade", "公式 formula", "条款 clause", "可信度 confidence"]
    return "<h2>主变 Transformers</h2>" + html_table(head, rows, text=(1, 2, 3, 4, 5))


def _assumptions(summary: dict[str, Any]) -> str:
    rows = [
        [safe(a["id"]), safe(a["text_zh"]), safe(a["text_en"]), safe(a["source"]), safe(a["confidence"])]
        for a in summary["rule_book"].get("assumptions", ())
    ]
    if not rows:
        return ""
    return "<h2>假定 Assumptions</h2>" + html_table(
        ["", "", "", "来源 source", "可信度 confidence"], rows, text=(1, 2, 3, 4)
    )
