"""One page about a load-flow study, in Chinese and English, that needs no network and prints well."""

from __future__ import annotations

from typing import Any

import pandas as pd

from grid.model.contracts import BusBranch
from maps.bilingual import safe

_STYLE = """
body{font:14px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #bbb}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}th{background:#f2f4f6}.solved,.secure{color:#00695c}.split,.voltage{color:#8a5a00}
.diverged,.overload,.error{color:#b00020;font-weight:600}.note{color:#555}p{margin:.3rem 0}
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
    head = f"<meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang='zh-CN'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    cells = "".join(f"<th>{safe(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: Any, digits: int = 2) -> str:
    return "–" if value is None or value != value else f"{value:,.{digits}f}"


def _word(value: Any) -> str:
    return f"<span class='{safe(value)}'>{safe(value)}</span>"


def _cases(summary: dict[str, Any]) -> str:
    head = ["工况 case", "状态 status", "网损 losses MW", "平衡机 slack MW", "最低电压 V min pu", "母线 at bus",
            "最高电压 V max pu", "最大负载率 loading %", "支路 at branch"]  # fmt: skip
    rows = [
        [safe(f"{name} {entry['label']}".strip()), _word(entry["status"]), _number(entry["losses_mw"]),
         _number(entry["slack_p_mw"]), _number(entry["vm_min_pu"], 4), safe(entry["vm_min_bus"] or "–"),
         _number(entry["vm_max_pu"], 4), _number(entry["max_loading_percent"], 1),
         safe(entry["max_loading_branch"] or "–")]
        for name, entry in summary["cases"].items()
    ]  # fmt: skip
    return "<h2>工况 Cases</h2>" + _table(head, rows)


def _outages(summary: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    if "n_1" not in tables:
        return ""
    counts = [
        [safe(case), *(str(entry[k]) for k in ("outages", "solved", "split", "diverged", "overloaded"))]
        for case, entry in summary["n_1_by_case"].items()
    ]
    rows = [
        [safe(row["case"]), safe(row["outage"]), _word(row["severity"]), _number(row["lost_load_mw"], 1),
         safe(row["worst_branch"] or "–"), _number(row["worst_loading_percent"], 1),
         _number(row["base_loading_percent"], 1), _number(row["vm_min_pu"], 4), safe(row["vm_min_bus"])]
        for row in tables["n_1"].sort_values("rank", kind="stable").head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["工况 case", "故障 outage", "后果 outcome", "失负荷 lost MW", "最重支路 worst branch", "负载率 loading %",
            "故障前 before %", "最低电压 V min pu", "母线 at bus"]  # fmt: skip
    words = ["工况 case", "故障数 outages", "可解 solved", "解列 split", "不收敛 diverged", "过载 overloaded"]
    top = _table(words, counts)
    return f"<h2>N-1</h2>{top}<p class='note'>最重的 {len(rows)} 个 the worst</p>{_table(head, rows)}"


def _loadings(tables: dict[str, pd.DataFrame]) -> str:
    rated = tables["branches"].dropna(subset=["loading_percent"])
    if rated.empty:
        return ""
    rows = [
        [safe(row["case"]), safe(row["branch_id"]), safe(row["kind"]), _number(row["p_from_mw"], 1),
         _number(row["q_from_mvar"], 1), _number(row["rating_a_mva"], 0), _number(row["loading_percent"], 1)]
        for row in rated.sort_values("loading_percent", ascending=False).head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["工况 case", "支路 branch", "类型 kind", "P MW", "Q Mvar", "限额 rating MVA", "负载率 loading %"]
    return "<h2>负载最重的支路 Highest loadings</h2>" + _table(head, rows)


def _series(summary: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    if "series" not in tables:
        return ""
    table = tables["series_branches"].sort_values("max_loading_percent", ascending=False).head(_TOP)
    rows = [
        [safe(row["branch_id"]), _number(row["max_loading_percent"], 1), safe(row["hour_of_max"]),
         str(row["hours_above_rating"]), _number(row["mean_loading_percent"], 1)]
        for row in table.to_dict("records")
    ]  # fmt: skip
    counts = ", ".join(f"{safe(k)} {v}" for k, v in summary.get("series", {}).items())
    head = ["支路 branch", "最大 max %", "时刻 hour", "越限小时 hours above", "平均 mean %"]
    return f"<h2>时序 Series</h2><p>{counts}</p>{_table(head, rows)}"


def _short_circuit(tables: dict[str, pd.DataFrame]) -> str:
    if "short_circuit" not in tables:
        return ""
    table = tables["short_circuit"].sort_values("margin_percent", kind="stable", na_position="last")
    rows = [
        [safe(row["bus"]), safe(row["name"]), _number(row["vn_kv"], 1), _number(row["ikss_3ph_ka"]),
         _number(row["ikss_1ph_ka"]), _number(row["breaker_ka"], 1), _number(row["margin_percent"], 1)]
        for row in table.head(_TOP).to_dict("records")
    ]  # fmt: skip
    head = ["母线 bus", "名称 name", "kV", '三相 I"k 3ph kA', '单相 I"k 1ph kA', "断路器 breaker kA", "裕度 margin %"]
    return "<h2>短路 Short circuit</h2>" + _table(head, rows)


def _findings(table: pd.DataFrame) -> str:
    if table.empty:
        return "<h2>数据检查 Findings</h2><p>–</p>"
    rows = [
        [_word(row["severity"]), safe(row["rule"]), safe(f"{row['layer']} {row['item']}"), safe(row["value"]),
         safe(row["message"]), safe(row["remedy"])]
        for row in table.head(60).to_dict("records")
    ]  # fmt: skip
    more = f"<p class='note'>{len(table)} 条 findings → findings.csv</p>"
    return "<h2>数据检查 Findings</h2>" + _table(["", "rule", "element", "value", "message", "remedy"], rows) + more
