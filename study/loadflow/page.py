"""One page about a load-flow study, in Chinese and English, that needs no network and prints well."""

from __future__ import annotations

from typing import Any

import pandas as pd

from grid.model.contracts import BusBranch
from maps.bilingual import safe

PAGE_STYLE = """
body{font:14px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #bbb}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,.text{text-align:left}th{background:#f2f4f6}.solved,.secure,.green{color:#00695c}
.split,.voltage,.yellow,.warning{color:#8a5a00}.diverged,.overload,.error,.red{color:#b00020;font-weight:600}
.note,.unknown{color:#555}p{margin:.3rem 0}td{vertical-align:top;overflow-wrap:break-word}
@media print{body{margin:0;max-width:none}}
"""
_TOP = 15


def loadflow_page(summary: dict[str, Any], tables: dict[str, pd.DataFrame], case: BusBranch) -> str:
    """The page as HTML; every word out of the data is escaped."""
    title = f"{safe(summary['network'])}"
    parts = [
        f"<h1>潮流计算 Load flow: {title}</h1>",
        f"<p class='note'>{safe(case.source.shown_path)} · {safe(summary['format'])} {safe(summary['version'])} · "
        f"{summary['buses']} 母线 buses · {summary['branches']} 支路 branches · {summary['base_mva']:g} MVA</p>",
        _cases(summary),
        _outages(summary, tables),
        _loadings(tables),
        _series(summary, tables),
        _short_circuit(tables),
        _findings(tables["findings"]),
    ]
    head = f"<meta charset='utf-8'><title>{title}</title><style>{PAGE_STYLE}</style>"
    return f"<!doctype html><html lang='zh-CN'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def html_table(head: list[str], rows: list[list[Any]], text: tuple[int, ...] = ()) -> str:
    """A table of cells that are HTML already; the first column and those of ``text`` stand left, numbers right."""
    kind = ["class='text'" if k in text else "" for k in range(len(head))]
    cells = "".join(f"<th {style}>{safe(name)}</th>" for name, style in zip(head, kind, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {style}>{cell}</td>" for cell, style in zip(row, kind, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def shown_number(value: Any, digits: int = 2) -> str:
    return "–" if value is None or value != value else f"{value:,.{digits}f}"


def _word(value: Any) -> str:
    return f"<span class='{safe(value)}'>{safe(value)}</span>"


def _cases(summary: dict[str, Any]) -> str:
    head = ["工况 case", "状态 status", "网损 losses MW", "平衡机 slack MW", "最低电压 V min pu", "母线 at bus",
            "最高电压 V max pu", "最大负载率 loading %", "支路 at branch"]  # fmt: skip
    rows = [
        [safe(f"{name} {entry['label']}".strip()), _word(entry["status"]), shown_number(entry["losses_mw"]),
         shown_number(entry["slack_p_mw"]), shown_number(entry["vm_min_pu"], 4), safe(entry["vm_min_bus"] or "–"),
         shown_number(entry["vm_max_pu"], 4), shown_number(entry["max_loading_percent"], 1),
         safe(entry["max_loading_branch"] or "–")]
        for name, entry in summary["cases"].items()
    ]  # fmt: skip
    return "<h2>工况 Cases</h2>" + html_table(head, rows)


def _outages(summary: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    if "n_1" not in tables:
        return ""
    counts = [
        [safe(case), *(str(entry[k]) for k in ("outages", "solved", "split", "diverged", "overloaded"))]
        for case, entry in summary["n_1_by_case"].items()
    ]
    rows = [
        [safe(row["case"]), safe(row["outage"]), _word(row["severity"]), shown_number(row["lost_load_mw"], 1),
         safe(row["worst_branch"] or "–"), shown_number(row["worst_loading_percent"], 1),
         shown_number(row["base_loading_percent"], 1), shown_number(row["vm_min_pu"], 4), safe(row["vm_min_bus"])]
        for row in tables["n_1"].sort_values("rank", kind="stable").head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["工况 case", "故障 outage", "后果 outcome", "失负荷 lost MW", "最重支路 worst branch", "负载率 loading %",
            "故障前 before %", "最低电压 V min pu", "母线 at bus"]  # fmt: skip
    words = ["工况 case", "故障数 outages", "可解 solved", "解列 split", "不收敛 diverged", "过载 overloaded"]
    top = html_table(words, counts)
    return (
        f"<h2>N-1</h2>{top}<p class='note'>最重的 {len(rows)} 个 the worst</p>{html_table(head, rows, text=(1, 2, 4))}"
    )


def _loadings(tables: dict[str, pd.DataFrame]) -> str:
    rated = tables["branches"].dropna(subset=["loading_percent"])
    if rated.empty:
        return ""
    rows = [
        [safe(row["case"]), safe(row["branch_id"]), safe(row["kind"]), shown_number(row["p_from_mw"], 1),
         shown_number(row["q_from_mvar"], 1), shown_number(row["rating_a_mva"], 0),
         shown_number(row["loading_percent"], 1)]
        for row in rated.sort_values("loading_percent", ascending=False).head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["工况 case", "支路 branch", "类型 kind", "P MW", "Q Mvar", "限额 rating MVA", "负载率 loading %"]
    return "<h2>负载最重的支路 Highest loadings</h2>" + html_table(head, rows, text=(1, 2))


def _series(summary: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    if "series" not in tables:
        return ""
    table = tables["series_branches"].sort_values("max_loading_percent", ascending=False).head(_TOP)
    rows = [
        [safe(row["branch_id"]), shown_number(row["max_loading_percent"], 1), safe(row["hour_of_max"]),
         str(row["hours_above_rating"]), shown_number(row["mean_loading_percent"], 1)]
        for row in table.to_dict("records")
    ]  # fmt: skip
    counts = ", ".join(f"{safe(k)} {v}" for k, v in summary.get("series", {}).items())
    head = ["支路 branch", "最大 max %", "时刻 hour", "越限小时 hours above", "平均 mean %"]
    return f"<h2>时序 Series</h2><p>{counts}</p>{html_table(head, rows)}"


def _short_circuit(tables: dict[str, pd.DataFrame]) -> str:
    if "short_circuit" not in tables:
        return ""
    table = tables["short_circuit"].sort_values("margin_percent", kind="stable", na_position="last")
    rows = [
        [safe(row["case"]), safe(row["bus"]), safe(row["name"] or "–"), shown_number(row["vn_kv"], 1),
         shown_number(row["ikss_3ph_ka"]), shown_number(row["ikss_1ph_ka"]), shown_number(row["converters_3ph_ka"]),
         shown_number(row["breaker_ka"], 1), shown_number(row["margin_percent"], 1), _grade(row["grade"])]
        for row in table.head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["工况 case", "母线 bus", "名称 name", "kV", '三相 I"k 3ph kA', '单相 I"k 1ph kA',
            "其中变流器 converters kA", "断路器 breaker kA", "裕度 margin %", "等级 grade"]  # fmt: skip
    counts = " · ".join(f"{_grade(grade)} {int((table['grade'] == grade).sum())}" for grade in _GRADES)
    told = f"<p>{counts}</p><p class='note'>裕度最小的 {len(rows)} 条 the smallest margins → short_circuit.csv</p>"
    return "<h2>短路 Short circuit</h2>" + told + html_table(head, rows, text=(2, 9))


_GRADES = {"green": "绿", "yellow": "黄", "red": "红", "unknown": "未知"}


def _grade(value: str) -> str:
    return f"<span class='{safe(value)}'>{_GRADES.get(value, '')} {safe(value)}</span>"


_FINDING_HEAD = ["级别 severity", "规则 rule", "元件 element", "值 value", "说明 message", "办法 remedy"]


def _findings(table: pd.DataFrame) -> str:
    if table.empty:
        return "<h2>数据检查 Findings</h2><p>–</p>"
    rows = [
        [_word(row["severity"]), safe(row["rule"]), safe(f"{row['layer']} {row['item']}"), safe(row["value"]),
         safe(row["message"]), safe(row["remedy"])]
        for row in table.head(60).to_dict("records")
    ]  # fmt: skip
    more = f"<p class='note'>{len(table)} 条 findings → findings.csv</p>"
    return "<h2>数据检查 Findings</h2>" + html_table(_FINDING_HEAD, rows, text=(1, 2, 3, 4, 5)) + more
