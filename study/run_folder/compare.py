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
CHANGES = ("in", "out", "more", "less", "earlier", "later")

COMPARED = Table(
    "compared",
    "One line a figure of two runs.",
    {
        "topic": column(str, "", "sites, cost, stages, targets, binding"),
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
        "technology": column(str, "", "technology"),
        "change": column(str, "", "in, out, more, less, later or earlier", isin=CHANGES),
        "first_mw": column(float, "MW", "grid capacity in the first run", ge=0),
        "second_mw": column(float, "MW", "grid capacity in the second run", ge=0),
        "first_stage": column(str, "", "year in the first run"),
        "second_stage": column(str, "", "year in the second run"),
        "first_station_zh": column(str, "", "station in the first run"),
        "first_station_en": column(str, "", "station in the first run"),
        "second_station_zh": column(str, "", "station in the second run"),
        "second_station_en": column(str, "", "station in the second run"),
        "reason_zh": column(str, "", "what the run that builds less of it says"),
        "reason_en": column(str, "", "what the run that builds less of it says"),
    },
)

COMPARED_MEASURES = Table(
    "compared_measures",
    "Measures that at least one of the two plans builds.",
    {
        "measure_id": column(str, "", "measure", unique=True),
        "description_zh": column(str, "", "what is built"),
        "description_en": column(str, "", "what is built"),
        "change": column(str, "", "in, out, earlier, later or same", isin=("in", "out", "earlier", "later", "same")),
        "first_stage": column(str, "", "year in the first run; empty: not built"),
        "second_stage": column(str, "", "year in the second run; empty: not built"),
        "investment_cny": column(float, "CNY", "investment, of the run that builds it", nullable=True, ge=0),
        "note_zh": column(str, "", "what it unlocks, as the run that builds it says"),
        "note_en": column(str, "", "what it unlocks, as the run that builds it says"),
    },
)

COMPARED_ASKED = Table(
    "compared_asked",
    "What the two studies ask of the plan differently.",
    {
        "setting": column(str, "", "key of the study file, from [plan] or [[targets]]", unique=True),
        "first": column(str, "", "value in the first run"),
        "second": column(str, "", "value in the second run"),
    },
)

_SAME_MW = 0.01


@dataclass(frozen=True)
class Comparison:
    """``figures`` follows :data:`COMPARED`, ``sites`` :data:`COMPARED_SITES`, ``measures`` :data:`COMPARED_MEASURES`,
    ``asked`` :data:`COMPARED_ASKED`; names are those of the run folders, ``without_plan`` those of them that have no
    plan."""

    first: str
    second: str
    figures: pd.DataFrame
    sites: pd.DataFrame
    measures: pd.DataFrame
    asked: pd.DataFrame
    without_plan: tuple[str, ...] = ()
    studies: tuple[str, str] = ("", "")

    @property
    def of_plans(self) -> bool:
        """Whether plans are compared; else what the network accepts."""
        return not self.without_plan


@dataclass(frozen=True)
class _Read:
    name: str
    study: str
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
    folders = (first, second)
    missing = [folder for folder in folders if not (folder / "projects.csv").is_file()]
    if missing:
        raise InputError([_no_run(folder) for folder in missing])
    bare = tuple(f.resolve().name for f in folders if not (f / "plan" / "summary.json").is_file())
    a, b = _read(first, not bare), _read(second, not bare)
    lines = [*_site_lines(a, b), *_cost_lines(a, b), *_stage_lines(a, b), *_target_lines(a, b), *_binding_lines(a, b)]
    figures = pd.DataFrame(lines, columns=["topic", "item_zh", "item_en", "unit", "first", "second"])
    figures["difference"] = figures["second"] - figures["first"]
    return Comparison(
        a.name,
        b.name,
        COMPARED.validate(figures),
        changed_sites(a.sites, b.sites),
        changed_measures(a.measures, b.measures),
        changed_settings(a.summary.get("asked", {}), b.summary.get("asked", {})),
        bare,
        (a.study, b.study),
    )


def _no_run(folder: Path) -> Finding:
    what = "this is no run folder." if folder.is_dir() else "there is no such folder."
    return Finding(
        "error", "compare.no_run", str(folder), "", "projects.csv", "", what,
        "Name folders below data/processed/<study>, e.g. data/processed/bozhou/latest; a run whose [outputs] formats "
        "leave out csv has no project list to compare.",
    )  # fmt: skip


def _read(folder: Path, plans: bool) -> _Read:
    name, study = folder.resolve().name, folder.resolve().parent.name
    about = folder / "about.json"
    if about.is_file():
        study = str(json.loads(about.read_text("utf-8")).get("study", study))
    source, mw = ("plan/sites", "planned_mw") if plans else ("projects", "accepted_mw")
    table = _table(folder / f"{source}.csv")
    sites = table.reindex(columns=[*_SITE_COLUMNS]).fillna("")
    sites["mw"] = pd.to_numeric(table[mw]).fillna(0.0)
    if not plans:
        return _Read(name, study, sites.assign(stage=""), {}, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    summary = json.loads((folder / "plan" / "summary.json").read_text("utf-8"))
    read = (_table(folder / "plan" / f"{n}.csv") for n in ("measures", "targets", "binding"))
    return _Read(name, study, sites, summary, *read)


_SITE_COLUMNS = (
    "candidate_id", "name_zh", "name_en", "technology", "stage", "station_zh", "station_en", "reason_zh", "reason_en",
)  # fmt: skip


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def changed_sites(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Sites whose MW or year differ, the largest change first.

    Both tables have ``candidate_id, name_zh, name_en, technology, stage, station_zh, station_en, reason_zh, reason_en,
    mw``.
    """
    both = first.merge(second, on="candidate_id", how="outer", suffixes=("_1", "_2"))
    mw = both[["mw_1", "mw_2"]].fillna(0.0).to_numpy(float)
    text = both.fillna("")
    change = np.select(
        [(mw[:, 0] <= _SAME_MW) & (mw[:, 1] > _SAME_MW), (mw[:, 1] <= _SAME_MW) & (mw[:, 0] > _SAME_MW),
         mw[:, 1] > mw[:, 0] + _SAME_MW, mw[:, 1] < mw[:, 0] - _SAME_MW,
         text["stage_2"] < text["stage_1"], text["stage_2"] > text["stage_1"]],
        list(CHANGES), "",
    )  # fmt: skip
    less_in_first = mw[:, 0] < mw[:, 1]

    def either(name: str) -> pd.Series:
        return text[f"{name}_1"].where(text[f"{name}_1"] != "", text[f"{name}_2"]).astype(object)

    def of_less(name: str) -> pd.Series:
        return text[f"{name}_1"].where(less_in_first, text[f"{name}_2"]).astype(object)

    table = pd.DataFrame({
        "candidate_id": both["candidate_id"].astype(object), "name_zh": either("name_zh"), "name_en": either("name_en"),
        "technology": either("technology"), "change": change.astype(object),
        "first_mw": mw[:, 0], "second_mw": mw[:, 1],
        "first_stage": text["stage_1"].astype(object), "second_stage": text["stage_2"].astype(object),
        "first_station_zh": text["station_zh_1"].astype(object),
        "first_station_en": text["station_en_1"].astype(object),
        "second_station_zh": text["station_zh_2"].astype(object),
        "second_station_en": text["station_en_2"].astype(object),

        "reason_zh": of_less("reason_zh"), "reason_en": of_less("reason_en"),
    })  # fmt: skip
    table = table[change != ""]
    order = np.argsort(-np.abs(table["second_mw"] - table["first_mw"]).to_numpy(float), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    return COMPARED_SITES.validate(table) if len(table) else COMPARED_SITES.empty()


def changed_measures(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Measures of two plans side by side, in the order of the first one; those that differ come first."""
    rows = [{str(row["measure_id"]): row for row in table.to_dict("records")} for table in (first, second)]
    found = []
    for name in dict.fromkeys([*rows[0], *rows[1]]):
        row = rows[1].get(name) or rows[0][name]
        years = [str(one[name].get("stage", "")) if name in one else "" for one in rows]
        change = "in" if name not in rows[0] else "out" if name not in rows[1] else "same"
        if change == "same" and years[0] != years[1]:
            change = "earlier" if years[1] < years[0] else "later"
        texts = [str(row.get(key, "")) for key in ("description_zh", "description_en", "note_zh", "note_en")]
        cost = pd.to_numeric(str(row.get("investment_cny", "")), errors="coerce")
        found.append((name, *texts[:2], change, *years, float(cost), *texts[2:]))
    if not found:
        return COMPARED_MEASURES.empty()
    found.sort(key=lambda one: one[3] == "same")
    return COMPARED_MEASURES.validate(pd.DataFrame(found, columns=list(COMPARED_MEASURES.columns)))


def changed_settings(first: dict[str, Any], second: dict[str, Any]) -> pd.DataFrame:
    """Settings of two studies that differ, as JSON; a setting that one of them does not have is empty there."""
    told = [{key: json.dumps(value, ensure_ascii=False) for key, value in one.items()} for one in (first, second)]
    rows = [
        (key, told[0].get(key, ""), told[1].get(key, ""))
        for key in dict.fromkeys([*told[0], *told[1]])
        if told[0].get(key) != told[1].get(key)
    ]
    if not rows or not first or not second:
        return COMPARED_ASKED.empty()
    return COMPARED_ASKED.validate(pd.DataFrame(rows, columns=list(COMPARED_ASKED.columns)))


def _site_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    count = [float((one.sites["mw"] > _SAME_MW).sum()) for one in (a, b)]
    total = [float(one.sites["mw"].sum()) for one in (a, b)]
    return [
        ("sites", "建设场址数", "sites built", "", *count),
        ("sites", "并网容量", "grid capacity", "MW", *total),
    ]


def _cost_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    named = {
        "objective_cny": ("年均费用", "mean yearly cost", "CNY"),
        "best_bound_cny": ("费用下界", "bound of the cost", "CNY"),
        "gap_percent": ("与下界之差", "gap", "%"),
        "ac_violations": ("交流校核越限", "AC violations", ""),
        "deliverable_mw_without_upgrades": ("现有电网可送出", "deliverable without measures", "MW"),
        "deliverable_mw_with_upgrades": ("加强后可送出", "deliverable with measures", "MW"),
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
        "installed_mw": ("装机容量", "installed capacity", "MW"),
        "energy_mwh": ("年发电量", "energy a year", "MWh"),
        "curtailed_mwh": ("弃电量", "curtailed", "MWh"),
        "storage_mw": ("储能功率", "storage", "MW"),
        "storage_mwh": ("储能容量", "content of storage", "MWh"),
        "grid_investment_cny": ("电网投资", "investment in the grid", "CNY"),
        "yearly_cost_cny": ("年费用", "yearly cost", "CNY"),
    }
    stages = [{str(s["stage"]): s for s in one.summary.get("stages", [])} for one in (a, b)]
    return [
        ("stages", f"{year} {zh}", f"{year} {en}", unit, *(_number(one.get(year, {}).get(key)) for one in stages))
        for year in sorted({*stages[0], *stages[1]})
        for key, (zh, en, unit) in named.items()
        if any(key in one.get(year, {}) for one in stages)
    ]


def _target_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    """What each target or quota lacks; a target goes by its label and its year."""
    rows = [{str(row["target"]): row for row in one.targets.to_dict("records")} for one in (a, b)]
    lines: list[tuple[object, ...]] = []
    for name in dict.fromkeys([*rows[0], *rows[1]]):
        row = rows[0].get(name) or rows[1][name]
        zh, en = (f"{row.get(f'target_{one}') or name} {row.get('stage', '')}".strip() for one in ("zh", "en"))
        missing = [float(one[name]["missing_mw"]) if name in one else float("nan") for one in rows]
        lines.append(("targets", f"{zh} 缺口", f"{en}: missing", "MW", *missing))
    return lines


def _binding_lines(a: _Read, b: _Read) -> list[tuple[object, ...]]:
    """Rows that bind in at least one of the two, with what a unit of their limit is worth."""
    labels: dict[tuple[str, ...], tuple[str, str]] = {}
    prices: list[dict[tuple[str, ...], float]] = []
    for one in (a, b):
        prices.append({})
        for row in one.binding.to_dict("records"):
            key = tuple(str(row[name]) for name in _WHERE)
            prices[-1][key] = float(row["price"])
            labels.setdefault(key, (_in_words(row, "zh"), _in_words(row, "en")))
    return [
        ("binding", *labels[key], "", *(one.get(key, float("nan")) for one in prices))
        for key in dict.fromkeys([*prices[0], *prices[1]])
    ]


_WHERE = ("stage", "point", "limit", "element", "outage")


def _in_words(row: dict[Any, Any], language: Language) -> str:
    """A row that binds; names where its table has them, else ids."""
    parts = (row["stage"], *(row.get(f"{name}_{language}") or row[name] for name in ("point", "element", "outage")))
    return " ".join(str(part) for part in parts if part)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def write_comparison(compared: Comparison, folder: Path) -> list[Path]:
    """``figures.csv``, ``sites.csv``, ``measures.csv`` and ``asked.csv`` in ``folder``."""
    from study.outputs.exports import write_table

    folder.mkdir(parents=True, exist_ok=True)
    named = {
        "figures": compared.figures, "sites": compared.sites, "measures": compared.measures, "asked": compared.asked,
    }  # fmt: skip
    return [write_table(table, folder / f"{name}.csv") for name, table in named.items()]
