"""Which table lies where in a run folder, and the data dictionary that follows from their contracts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from layers.tables import Column, Table
from study.outputs.labels import column_title, value_labels


@dataclass(frozen=True)
class RunTable:
    """A file of the run folder and the contract that it follows; ``part`` is the heading that it stands under."""

    path: str
    part: str
    contract: Table


PARTS = {
    "lists": "项目清单与汇总 / Lists",
    "land": "土地 / Land (`land/`)",
    "scores": "评分 / Scores (`scores/`)",
    "yield": "发电量 / Yield (`yield/`)",
    "cost": "成本 / Cost (`cost/`)",
    "flows": "潮流与承载力 / Load flow and hosting (`loadflow/`)",
    "plan": "规划 / The plan (`plan/`)",
    "network": "电网模型 / The network (`loadflow/network/`)",
    "layers": "GeoPackage 图层 / Layers of the GeoPackage",
}


@cache
def run_tables() -> tuple[RunTable, ...]:
    """Tables of a run folder that follow a contract, in the order of the dictionary."""
    from grid import contracts as grid
    from grid.connections.contracts import BAY_LIMITS, COLLECTORS, CONNECTION_CHOICE, CONNECTION_OPTIONS
    from grid.network_tables import ASSUMPTIONS
    from grid.studies.series import BRANCH_YEAR, SERIES
    from grid.studies.short_circuit_openings import OPENINGS
    from maps.contracts import PROJECTS, TARGETS
    from siting import contracts as siting
    from siting.cost.contracts import CO2_AVOIDED, COST_BY_TECHNOLOGY, COST_WATERFALL
    from siting.hosts.roofs import ROOF_SUMS
    from siting.parks.contracts import PARK_HOURS, PARK_RULES, PARK_SITES, PARK_SIZING, PARKS
    from siting.scoring.contracts import SENSITIVITY, STABILITY, WEIGHT_CHANGES
    from siting.sites.rules import SITE_RULES
    from siting.yields.contracts import LOSSES, YIELD_DETAILS
    from siting.yields.hourly_store import SITE_VARIANTS
    from study.network import curtailment, short_circuit
    from study.outputs import network_layers
    from study.story import tables as story_tables

    files: dict[str, tuple[tuple[str, Table], ...]] = {
        "lists": (
            ("projects.csv", PROJECTS),
            ("substations.csv", grid.SUBSTATIONS),
            ("targets.csv", TARGETS),
            ("upgrades.csv", grid.UPGRADES),
            ("parks.csv", PARKS),
            ("parks/sites.csv", PARK_SITES),
            ("parks/rules.csv", PARK_RULES),
            ("parks/sizing.csv", PARK_SIZING),
            ("parks/<id>.parquet", PARK_HOURS),
        ),
        "land": (
            ("land/states.csv", siting.STATES),
            ("land/waterfall.csv", siting.WATERFALL),
            ("land/states_by_district.csv", siting.STATES_BY_DISTRICT),
            ("land/waterfall_by_district.csv", siting.WATERFALL_BY_DISTRICT),
            ("land/rules.csv", story_tables.RULES_IN_FORCE),
            ("land/hosts.csv", story_tables.HOSTS),
            ("land/site_rules.csv", SITE_RULES),
            ("land/site_attributes.csv", siting.SITE_ATTRIBUTES),
            ("land/remainder.csv", siting.REMAINDER),
            ("land/turbines.csv", siting.TURBINES),
            ("land/roofs.csv", ROOF_SUMS),
        ),
        "scores": (
            ("scores/rank_stability.csv", STABILITY),
            ("scores/weight_changes.csv", WEIGHT_CHANGES),
            ("scores/sensitivity.csv", SENSITIVITY),
        ),
        "yield": (
            ("yield/losses.csv", LOSSES),
            ("yield/details.csv", YIELD_DETAILS),
            ("yield/profile_sites.csv", SITE_VARIANTS),
        ),
        "cost": (
            ("cost/waterfall.csv", COST_WATERFALL),
            ("cost/by_technology.csv", COST_BY_TECHNOLOGY),
            ("cost/co2_avoided.csv", CO2_AVOIDED),
        ),
        "flows": (
            ("loadflow/operating_points.csv", story_tables.OPERATING_POINTS),
            ("loadflow/cases.csv", grid.LOAD_FLOW),
            ("loadflow/buses.csv", grid.BUS_STATE),
            ("loadflow/branches.csv", grid.BRANCH_STATE),
            ("loadflow/n_1.csv", grid.OUTAGES),
            ("loadflow/branches_n_1.csv", grid.BRANCH_N_1),
            ("loadflow/hosting.csv", grid.HOSTING),
            ("loadflow/short_circuit.csv", short_circuit.SHORT_CIRCUIT_MARGINS),
            ("loadflow/short_circuit_openings.csv", OPENINGS),
            ("loadflow/connection_options.csv", CONNECTION_OPTIONS),
            ("loadflow/connection_choice.csv", CONNECTION_CHOICE),
            ("loadflow/collectors.csv", COLLECTORS),
            ("loadflow/bays.csv", BAY_LIMITS),
            ("loadflow/curtailment.csv", curtailment.CURTAILMENT),
            ("loadflow/curtailment_checks.csv", curtailment.CURTAILMENT_CHECKS),
            ("loadflow/curtailment_duration.csv", curtailment.CURTAILMENT_DURATION),
            ("loadflow/hosting_heat_map.csv", curtailment.STATION_HEAT_MAP),
            ("loadflow/year_hours.csv", SERIES),
            ("loadflow/year_branches.csv", BRANCH_YEAR),
        ),
        "plan": tuple((f"plan/{table.name.removeprefix('plan_')}.csv", table) for table in plan_contracts()),
        "network": (
            ("loadflow/network/stations.csv", grid.STATIONS),
            ("loadflow/network/buses.csv", grid.BUSES),
            ("loadflow/network/lines.csv", grid.LINES),
            ("loadflow/network/transformers.csv", grid.TRANSFORMERS),
            ("loadflow/network/loads.csv", grid.LOADS),
            ("loadflow/network/generators.csv", grid.GENERATORS),
            ("loadflow/network/infeeds.csv", grid.INFEEDS),
            ("loadflow/network/assumptions.csv", ASSUMPTIONS),
        ),
        "layers": (
            ("projects.gpkg: lines", network_layers.LINES),
            ("projects.gpkg: tie_lines", network_layers.TIE_LINES),
            ("projects.gpkg: plan_tie_lines", network_layers.TIE_LINES),
        ),
    }
    return tuple(RunTable(path, part, contract) for part, rows in files.items() for path, contract in rows)


def plan_contracts() -> tuple[Table, ...]:
    """Contracts of the tables below ``plan/``; each is named ``plan_`` and its file."""
    from study.plan.cost_shares import PLAN_COST_SHARES
    from study.plan.grid_tables import PLAN_BINDING, PLAN_MEASURES, PLAN_STORAGE
    from study.plan.names import HOURS
    from study.plan.site_table import PLAN_SITES
    from study.plan.staircase_table import PLAN_MENU, PLAN_STAIRCASE
    from study.plan.target_table import PLAN_TARGETS

    return (
        PLAN_SITES, PLAN_COST_SHARES, PLAN_MEASURES, PLAN_MENU, PLAN_STAIRCASE, PLAN_TARGETS, PLAN_STORAGE,
        PLAN_BINDING, HOURS,
    )  # fmt: skip


def table_sources() -> dict[str, str]:
    """Where each table of a workbook is from, by its name: the file in the run folder, and what it holds."""
    return {entry.contract.name: f"{entry.path}: {entry.contract.description}" for entry in run_tables()}


def dictionary_page() -> str:
    """The data dictionary as Markdown: every table of a run folder, every column with unit and meaning."""
    lines = [
        "# 数据字典 / Data dictionary",
        "",
        "Written by `fengguang dictionary` from the contracts that check the tables; do not edit it by hand.",
        "",
        "Every CSV of a run folder is UTF-8 with a byte order mark; numbers have 6 significant digits, an empty cell "
        "is an unknown value, never zero. Units end the column names: `_mw`, `_km`, `_share` (0 to 1), `_percent`, "
        "`_cny`. Columns of codes list their values. Longitudes and latitudes are WGS-84 degrees.",
    ]
    part = ""
    for entry in run_tables():
        if entry.part != part:
            part = entry.part
            lines += ["", f"## {PARTS[part]}"]
        lines += ["", f"### {entry.path}", "", entry.contract.description, "", *_columns(entry.contract)]
    return "\n".join(lines) + "\n"


def _columns(table: Table) -> Sequence[str]:
    head = ["| column | 名称 | unit | meaning | 说明 |", "|---|---|---|---|---|"]
    return [*head, *_column_lines(table)]


def _column_lines(table: Table) -> Iterator[str]:
    for name, promise in (*table.columns.items(), *table.optional.items()):
        title = column_title(table.name, name)
        zh = "" if title.title_zh == name else title.title_zh
        cells = (f"`{name}`", zh, promise.unit, _meaning(name, promise), title.meaning_zh)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _meaning(name: str, promise: Column) -> str:
    """Description, then the codes that the column may hold."""
    if not promise.isin:
        return promise.description
    labels = {label.value: label.label_en for label in value_labels(name)}
    codes = ", ".join(f"`{code}`" + (f" {labels[code]}" if code in labels else "") for code in map(str, promise.isin))
    return f"{promise.description}: {codes}" if promise.description else codes
