"""Tables that report and brief work out from the project list: key figures, groups, what limits, what measures lift."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from maps.run_tables import Floats, RunTables, Sheet


def key_figures(run: RunTables) -> pd.DataFrame:
    """Totals of the run: figure, value, unit, and the table and column that each is worked out from."""
    rows = [
        *_of_projects(run.projects), *_of_network(run), *_of_year(run.year_hours), *_of_measures(run),
        *_of_short_circuit(run.short_circuit), *_of_data(run),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["figure", "value", "unit", "source"])


Row = tuple[str, float, str, str]


def _of_projects(projects: Sheet | None) -> list[Row]:
    if projects is None:
        return []
    capacity, grid = projects.numbers("capacity_mw"), projects.numbers("grid_capacity_mw")
    accepted, energy = projects.numbers("accepted_mw"), projects.numbers("energy_mwh")
    share = np.divide(accepted, grid, out=np.zeros_like(grid), where=grid > 0)
    cost, connection = projects.numbers("capex_cny"), np.nan_to_num(projects.numbers("connection_cost_cny"))
    lcoe = projects.numbers("lcoe_cny_per_kwh")
    file = projects.file
    return [
        ("candidates", len(projects), "", f"{file}: rows"),
        ("candidates_mw", float(capacity.sum()), "MW", f"{file}: sum of capacity_mw"),
        ("candidates_grid_mw", float(grid.sum()), "MW", f"{file}: sum of grid_capacity_mw"),
        ("candidates_energy_mwh", float(energy.sum()), "MWh", f"{file}: sum of energy_mwh"),
        ("accepted_mw", float(accepted.sum()), "MW", f"{file}: sum of accepted_mw"),
        ("accepted_share", _share(accepted.sum(), grid.sum()), "1", f"{file}: accepted_mw / grid_capacity_mw, of sums"),
        ("accepted_energy_mwh", float((energy * share).sum()), "MWh",
         f"{file}: sum of energy_mwh * accepted_mw / grid_capacity_mw"),
        ("accepted_investment_cny", float(((cost + connection) * share).sum()), "CNY",
         f"{file}: sum of (capex_cny + connection_cost_cny) * accepted_mw / grid_capacity_mw"),
        ("accepted_lcoe_cny_per_kwh", _weighted(lcoe, energy * share), "CNY/kWh",
         f"{file}: mean of lcoe_cny_per_kwh weighted with accepted energy"),
    ]  # fmt: skip


def _of_network(run: RunTables) -> list[Row]:
    rows: list[Row] = []
    if run.cases is not None:
        load, file = run.cases.numbers("load_mw"), run.cases.file
        if np.isfinite(load).any():
            rows.append(("load_max_mw", float(np.nanmax(load)), "MW", f"{file}: greatest load_mw"))
        for name in ("outages", "split", "diverged", "overloaded"):
            total = float(np.nansum(run.cases.numbers(f"n_1_{name}")))
            rows.append((f"n_1_{name}", total, "", f"{file}: sum of n_1_{name}"))
    if run.network_buses is not None:
        rows.append(("network_buses", len(run.network_buses), "", f"{run.network_buses.file}: rows"))
    if run.network_lines is not None:
        rows.append(("network_circuits", len(run.network_lines), "", f"{run.network_lines.file}: rows"))
        length = float(np.nansum(run.network_lines.numbers("length_km")))
        rows.append(("network_line_km", length, "km", f"{run.network_lines.file}: sum of length_km"))
    if run.network_transformers is not None:
        rows.append(
            ("network_transformers", len(run.network_transformers), "", f"{run.network_transformers.file}: rows")
        )
    return rows


def _of_year(hours: Sheet | None) -> list[Row]:
    if hours is None or not len(hours):
        return []
    above = int((np.nan_to_num(hours.numbers("overloads")) > 0).sum())
    loading, file = hours.numbers("worst_loading_percent"), hours.file
    rows: list[Row] = [
        ("year_hours", len(hours), "h", f"{file}: rows"),
        ("year_hours_above_rating", above, "h", f"{file}: rows with overloads > 0"),
    ]
    if np.isfinite(loading).any():
        worst = float(np.nanmax(loading))
        rows.append(("year_loading_max_percent", worst, "%", f"{file}: greatest worst_loading_percent"))
    return rows


def _of_measures(run: RunTables) -> list[Row]:
    upgrades, effects = run.upgrades, measure_effects(run)
    if upgrades is None:
        return []
    lifting = 0 if effects is None else int((effects["lift_mw"] > 0).sum())
    return [
        ("measures", len(upgrades), "", f"{upgrades.file}: rows"),
        ("measures_lifting", lifting, "", "report/measure_effects.csv: rows with lift_mw > 0"),
        (
            "measures_cost_cny",
            float(np.nansum(upgrades.numbers("cost_cny"))),
            "CNY",
            f"{upgrades.file}: sum of cost_cny",
        ),
    ]


def _of_short_circuit(faults: Sheet | None) -> list[Row]:
    """Buses beyond 0.95 of the breaker rating, with the plants of today and with those accepted."""
    if faults is None or not len(faults):
        return []
    today, file = faults.numbers("margin_percent"), faults.file
    return [
        ("short_circuit_buses", int(np.isfinite(today).sum()), "", f"{file}: rows with a margin"),
        ("short_circuit_red_today", int((today <= 5.0).sum()), "", f"{file}: rows with margin_percent <= 5"),
        ("short_circuit_red", faults.texts("grade").count("red"), "", f"{file}: rows with grade red"),
    ]


def _of_data(run: RunTables) -> list[Row]:
    """How much of the study is made up: what a reader has to know before he believes the rest."""
    rows: list[Row] = []
    if run.projects is not None:
        origin, capacity = np.array(run.projects.texts("origin")), run.projects.numbers("capacity_mw")
        made = np.isin(origin, ("generated", "assumed", "modelled"))
        share = _share(float(capacity[made].sum()), float(capacity.sum()))
        how = f"{run.projects.file}: capacity_mw with origin generated, assumed or modelled, of all"
        rows.append(("made_up_share", share, "1", how))
    if run.network_stations is not None:
        origin = np.array(run.network_stations.texts("origin"))
        file = run.network_stations.file
        rows.append(("stations", len(origin), "", f"{file}: rows"))
        made_up = int(np.isin(origin, ("generated", "assumed")).sum())
        rows.append(("stations_made_up", made_up, "", f"{file}: rows with origin generated or assumed"))
    if run.assumptions is not None:
        grades, file = run.assumptions.texts("confidence"), run.assumptions.file
        rows.append(("assumptions", len(grades), "", f"{file}: rows"))
        rows.append(("assumptions_c", grades.count("C"), "", f"{file}: rows with confidence C"))
    return rows


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan


def _weighted(values: Floats, weights: Floats) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else math.nan


def by_group(projects: Sheet | None, column: str, order: Iterable[str] = ()) -> pd.DataFrame | None:
    """Projects by the values of a column: how many, MW, MWh, MW accepted. ``order`` names values that come first."""
    if projects is None or not projects.has(column):
        return None
    table = pd.DataFrame({
        column: projects.texts(column),
        **{c: projects.numbers(c) for c in ("capacity_mw", "grid_capacity_mw", "energy_mwh", "accepted_mw")},
    })  # fmt: skip
    grouped = table.groupby(column, sort=False)
    sums = grouped[["capacity_mw", "grid_capacity_mw", "energy_mwh", "accepted_mw"]].sum()
    sums.insert(0, "projects", grouped.size())
    first = {value: place for place, value in enumerate(order)}
    place = [first.get(str(value), len(first)) for value in sums.index]
    return sums.iloc[np.lexsort((-sums["capacity_mw"].to_numpy(float), np.array(place, dtype=int)))].reset_index()


def binding_elements(run: RunTables) -> pd.DataFrame | None:
    """What keeps projects out: each binding element with the projects and MW it holds back, most first.

    ``held_back_mw`` sums grid capacity less what is accepted. Case and outage are those of its largest project.
    """
    projects = run.projects
    if projects is None:
        return None
    short = projects.numbers("grid_capacity_mw") - projects.numbers("accepted_mw")
    table = pd.DataFrame({
        "binding_element": projects.texts("binding_element"), "binding_case": projects.texts("binding_case"),
        "binding_outage": projects.texts("binding_outage"), "held_back_mw": short,
    })  # fmt: skip
    table = table[(table["binding_element"] != "") & (table["held_back_mw"] > 1e-9)]
    if table.empty:
        return pd.DataFrame(columns=["binding_element", "element_zh", "element_en", "binding_case", "binding_outage",
                                     "projects", "held_back_mw"])  # fmt: skip
    leading = table.sort_values("held_back_mw", ascending=False, kind="stable").groupby("binding_element").head(1)
    sums = table.groupby("binding_element")["held_back_mw"].agg(projects="size", held_back_mw="sum")
    joined = leading[["binding_element", "binding_case", "binding_outage"]].merge(
        sums, left_on="binding_element", right_index=True
    )
    for place, language in enumerate(("zh", "en"), start=1):
        names = element_names(run, language)
        joined.insert(place, f"element_{language}", [names.get(str(e), str(e)) for e in joined["binding_element"]])
    return joined.sort_values(["held_back_mw", "binding_element"], ascending=[False, True]).reset_index(drop=True)


def element_names(run: RunTables, language: str) -> dict[str, str]:
    """What lines are called, and transformers and buses by their station; empty where the run has no network tables."""
    names: dict[str, str] = {}
    stations = run.network_stations
    if stations is None:
        return {}
    station = dict(zip(stations.texts("station_id"), stations.texts(f"name_{language}"), strict=True))
    if run.network_buses is not None:
        own = zip(run.network_buses.texts("bus_id"), run.network_buses.texts("station_id"),
                  run.network_buses.numbers("vn_kv"), strict=True)  # fmt: skip
        names |= {bus: f"{station.get(home, home)} {kv:g} kV" for bus, home, kv in own}
    if run.network_transformers is not None:
        word = "主变" if language == "zh" else "transformer"
        units = run.network_transformers
        for unit, home in zip(units.texts("transformer_id"), units.texts("station_id"), strict=True):
            number = unit.rpartition("#")[2] if "#" in unit else ""
            names[unit] = f"{station.get(home, home)} {word} {number}".strip()
    if run.network_lines is not None:
        lines = run.network_lines
        names |= dict(zip(lines.texts("line_id"), lines.texts(f"name_{language}"), strict=True))
    return names


def measure_effects(run: RunTables) -> pd.DataFrame | None:
    """Each measure with the buses it was proved for: N-1 capacity before and after by a load flow with it built.

    ``lift_mw`` is the largest gain at one bus; gains of several buses share the same network and are not summed.
    """
    if run.upgrades is None or run.substations is None:
        return None
    stations = run.substations
    gains = pd.DataFrame({
        "upgrade_id": stations.texts("upgrade_id"), "bus_id": stations.texts("bus_id"),
        "before": stations.numbers("n_1_mw"), "after": stations.numbers("n_1_after_upgrade_mw"),
    })  # fmt: skip
    gains["lift"] = gains["after"] - gains["before"]
    lifted = [] if run.projects is None else run.projects.texts("upgrade_id")
    rows = []
    told = [run.upgrades.texts(f"description_{language}") for language in ("zh", "en")]
    costs = run.upgrades.numbers("cost_cny")
    for measure, zh, en, cost in zip(run.upgrades.texts("upgrade_id"), *told, costs, strict=True):
        own = gains[(gains["upgrade_id"] == measure) & gains["lift"].notna()]
        best = own.sort_values("lift", ascending=False, kind="stable").iloc[:1]
        lift = float(best["lift"].iloc[0]) if len(best) else math.nan
        rows.append({
            "upgrade_id": measure, "description_zh": zh, "description_en": en, "cost_cny": cost,
            "buses": len(own), "projects": lifted.count(measure),
            "best_bus": str(best["bus_id"].iloc[0]) if len(best) else "",
            "before_n_1_mw": float(best["before"].iloc[0]) if len(best) else math.nan,
            "after_n_1_mw": float(best["after"].iloc[0]) if len(best) else math.nan,
            "lift_mw": lift, "cost_cny_per_mw": cost / lift if lift > 0 else math.nan,
        })  # fmt: skip
    table = pd.DataFrame(rows)
    return (
        table.sort_values("cost_cny_per_mw", kind="stable", na_position="last").reset_index(drop=True) if rows else None
    )
