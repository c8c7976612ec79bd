"""Two runs side by side: sites in and out, MW, cost, measures, targets, what binds.

Compared are the plans where both runs have one, else what the network accepts (``projects.csv``). Run folders are
read as they lie; nothing is computed again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from layers.contracts import Finding, InputError
from layers.tables import Table, column

Language = Literal["zh", "en"]

COMPARED = Table(
    "compared",
    "One line a figure of two runs.",
    {
        "topic": column(str, "", "sites, stages, cost, targets, measures, binding"),
        "item_zh": column(str, "", "what is compared"),
        "item_en": column(str, "", "what is compared"),
        "unit": column(str, "", "unit"),
        "first": column(float, "", "value in the first run; empty: not there", nullable=True),
        "second": column(float, "", "value in the second run; empty: not there", nullable=True),
        "difference": column(float, "", "second less first", nullable=True),
    },
)

COMPARED_SITES = Table(
    "compared_sites",
    "Sites of which the two runs build differently.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "change": column(str, "", "in, out, more or less", isin=("in", "out", "more", "less")),
        "first_mw": column(float, "MW", "grid capacity in the first run", ge=0),
        "second_mw": column(float, "MW", "grid capacity in the second run", ge=0),
        "first_stage": column(str, "", "year in the first run"),
        "second_stage": column(str, "", "year in the second run"),
    },
)

_SAME_MW = 0.01
_CHANGES = {"in": ("新增", "in"), "out": ("取消", "out"), "more": ("增容", "more"), "less": ("减容", "less")}


@dataclass(frozen=True)
class Comparison:
    """``figures`` follows :data:`COMPARED`, ``sites`` :data:`COMPARED_SITES`; names are those of the run folders."""

    first: str
    second: str
    figures: pd.DataFrame
    sites: pd.DataFrame
    of_plans: bool


@dataclass(frozen=True)
class _Read:
    name: str
    sites: pd.DataFrame
    summary: dict[str, Any]
    measures: pd.DataFrame
    targets: pd.DataFrame
    binding: pd.DataFrame


def compare_runs(first: Path, second: Path) -> Comparison:
    """Compare two run folders.

    Raises
    ------
    InputError
        Naming every folder that is no run.
    """
    missing = [folder for folder in (first, second) if not (folder / "projects.csv").is_file()]
    if missing:
        raise InputError([_no_run(folder) for folder in missing])
    plans = all((folder / "plan" / "summary.json").is_file() for folder in (first, second))
    a, b = _read(first, plans), _read(second, plans)
    lines = [*_site_lines(a, b), *_cost_lines(a, b), *_stage_lines(a, b), *_target_lines(a, b), *_name_lines(a, b)]
    figures = pd.DataFrame(lines, columns=["topic", "item_zh", "item_en", "unit", "first", "second"])
    figures["difference"] = figures["second"] - figures["first"]
    return Comparison(a.name, b.name, COMPARED.validate(figures), changed_sites(a.sites, b.sites), plans)


def _no_run(folder: Path) -> Finding:
    return Finding(
        "error", "compare.no_run", str(folder), "", "projects.csv", "", "this is no run folder.",
        "Name folders below data/processed/<study>, e.g. data/processed/bozhou/latest.",
    )  # fmt: skip


def _read(folder: Path, plans: bool) -> _Read:
    name = folder.resolve().name
    if not plans:
        projects = _table(folder / "projects.csv")
        sites = pd.DataFrame({
            "candidate_id": projects["candidate_id"], "name_zh": projects["name_zh"], "name_en": projects["name_en"],
            "mw": pd.to_numeric(projects["accepted_mw"]).fillna(0.0), "stage": "",
        })  # fmt: skip
        return _Read(name, sites, {}, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    plan = folder / "plan"
    table = _table(plan / "sites.csv")
    sites = table[["candidate_id", "name_zh", "name_en", "stage"]].copy()
    sites["mw"] = pd.to_numeric(table["planned_mw"]).fillna(0.0)
    summary = json.loads((plan / "summary.json").read_text("utf-8"))
    read = (_table(plan / f"{n}.csv") for n in ("measures", "targets", "binding"))
    return _Read(name, sites, summary, *read)


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def changed_sites(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Sites whose MW differ, the largest change first; both have ``candidate_id, name_zh, name_en, mw, stage``."""
    both = first.merge(second, on="candidate_id", how="outer", suffixes=("_1", "_2"))
    mw = both[["mw_1", "mw_2"]].fillna(0.0).to_numpy(float)
    text = both.fillna("")
    change = np.select(
        [(mw[:, 0] <= _SAME_MW) & (mw[:, 1] > _SAME_MW), (mw[:, 1] <= _SAME_MW) & (mw[:, 0] > _SAME_MW),
         mw[:, 1] > mw[:, 0] + _SAME_MW, mw[:, 1] < mw[:, 0] - _SAME_MW],
        ["in", "out", "more", "less"], "",
    )  # fmt: skip
    table = pd.DataFrame({
        "candidate_id": both["candidate_id"].astype(object),
        "name_zh": text["name_zh_1"].where(text["name_zh_1"] != "", text["name_zh_2"]).astype(object),
        "name_en": text["name_en_1"].where(text["name_en_1"] != "", text["name_en_2"]).astype(object),
        "change": change.astype(object), "first_mw": mw[:, 0], "second_mw": mw[:, 1],
        "first_stage": text["stage_1"].astype(object), "second_stage": text["stage_2"].astype(object),
    })  # fmt: skip
    table = table[change != ""]
    order = np.argsort(-np.abs(table["second_mw"] - table["first_mw"]).to_numpy(float), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    return COMPARED_SITES.validate(table) if len(table) else COMPARED_SITES.empty()


def _site_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    count = [float((one.sites["mw"] > _SAME_MW).sum()) for one in (a, b)]
    total = [float(one.sites["mw"].sum()) for one in (a, b)]
    return [
        ("sites", "建设场址数", "sites built", "", *count),
        ("sites", "并网容量", "grid capacity", "MW", *total),
    ]


def _cost_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    named = {
        "objective_cny": ("年均费用", "mean yearly cost", "CNY/a"),
        "best_bound_cny": ("费用下界", "bound of the cost", "CNY/a"),
        "gap_percent": ("与下界之差", "gap", "%"),
        "ac_violations": ("交流校核越限", "AC violations", ""),
        "co2_avoided_t": ("年减排二氧化碳", "CO2 avoided a year", "t"),
    }
    return [
        ("cost", *labels, _number(a.summary.get(key)), _number(b.summary.get(key)))
        for key, labels in named.items()
        if key in a.summary or key in b.summary
    ]


def _stage_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    named = {
        "grid_capacity_mw": ("并网容量", "grid capacity", "MW"),
        "energy_mwh": ("年发电量", "energy a year", "MWh"),
        "curtailed_mwh": ("弃电量", "curtailed", "MWh"),
        "storage_mw": ("储能功率", "storage", "MW"),
        "grid_investment_cny": ("电网投资", "investment in the grid", "CNY"),
    }
    stages = [{str(s["stage"]): s for s in one.summary.get("stages", [])} for one in (a, b)]
    return [
        ("stages", f"{year} {zh}", f"{year} {en}", unit, *(_number(one.get(year, {}).get(key)) for one in stages))
        for year in sorted({*stages[0], *stages[1]})
        for key, (zh, en, unit) in named.items()
    ]


def _target_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    missing = [
        {str(row["target"]): float(row["missing_mw"]) for row in one.targets.to_dict("records")} for one in (a, b)
    ]
    names = list(dict.fromkeys([*missing[0], *missing[1]]))
    return [("targets", f"{n} 缺口", f"{n}: missing", "MW", *(_number(one.get(n)) for one in missing)) for n in names]


def _name_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    """Measures (1: built) and binding rows (their price) that at least one of the two has."""
    measures = [dict.fromkeys(one.measures["measure_id"], 1.0) if len(one.measures) else {} for one in (a, b)]
    lines: list[tuple[object, ...]] = [
        ("measures", name, name, "", *(one.get(name, 0.0) for one in measures))
        for name in dict.fromkeys([*measures[0], *measures[1]])
    ]
    prices = []
    for one in (a, b):
        rows = one.binding
        keys = [] if rows.empty else [" ".join(p for p in row if p) for row in rows[_WHERE].to_numpy(str).tolist()]
        prices.append(dict(zip(keys, pd.to_numeric(rows["price"]), strict=True)) if keys else {})
    lines += [
        ("binding", name, name, "", *(_number(one.get(name)) for one in prices))
        for name in dict.fromkeys([*prices[0], *prices[1]])
    ]
    return lines


_WHERE = ["stage", "point", "limit", "element", "outage"]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def in_words(compared: Comparison, language: Language, most_sites: int = 20) -> str:
    """The comparison as a table of text."""
    zh = language == "zh"
    head = f"{compared.first}  ->  {compared.second}"
    if not compared.of_plans:
        head += (
            "  （比较接纳容量：至少一个运行没有规划方案）" if zh else "  (accepted capacity: not both runs have a plan)"
        )
    lines = [head]
    for row in compared.figures.itertuples():
        label = row.item_zh if zh else row.item_en
        values = "  ".join(_shown(v) for v in (row.first, row.second, row.difference))
        lines.append(
            f"  {row.topic!s:9s} {label!s} [{row.unit!s}]  {values}"
            if row.unit
            else f"  {row.topic!s:9s} {label!s}  {values}"
        )
    for row in compared.sites.head(most_sites).itertuples():
        name, change = (row.name_zh if zh else row.name_en), _CHANGES[str(row.change)][0 if zh else 1]
        lines.append(
            f"  {change:9s} {row.candidate_id!s} {name!s}  {_shown(row.first_mw)} -> {_shown(row.second_mw)} MW"
        )
    if len(compared.sites) > most_sites:
        rest = len(compared.sites) - most_sites
        lines.append(f"  另有{rest}个场址不同" if zh else f"  and {rest} more sites differ")
    return "\n".join(lines)


def _shown(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return "-" if np.isnan(number) else f"{number:,.6g}"


def write_comparison(compared: Comparison, folder: Path) -> list[Path]:
    """``figures.csv`` and ``sites.csv`` in ``folder``."""
    from study.outputs.exports import write_table

    folder.mkdir(parents=True, exist_ok=True)
    named = {"figures": compared.figures, "sites": compared.sites}
    return [write_table(table, folder / f"{name}.csv") for name, table in named.items()]
