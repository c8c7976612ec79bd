"""What could be built to lift a limit: a further unit, a larger unit, a second circuit.

======================== ==========================================================================================
measure                  what it does to the tables
======================== ==========================================================================================
``add_transformer``      one more unit like the named one, between the same buses
``replace_transformer``  every unit between the same buses becomes the next larger type that joins the two levels
``second_circuit``       one more circuit of the same type on the line's route
======================== ==========================================================================================

Costs are unit costs of ``standards/unit_costs.csv``: per MVA bought, per circuit km plus a bay at each end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import UPGRADES, Network
from grid.hosting import HostingBasis, climb, hosting_basis, search_cap_mw
from grid.standards_tables import standard_table, transformer_types_between

LEAST_GAIN_MW = 1.0
LEAST_GAIN_SHARE = 0.05
UPGRADE_BUDGET = 24
STANDARD_LEVELS_KV = (10.0, 35.0, 110.0, 220.0, 500.0)


@dataclass(frozen=True)
class UpgradeStudy:
    """Measures that were tried, and the best one of each bus.

    ``upgrades`` follows UPGRADES. ``by_bus``: ``bus_id``, ``upgrade_id`` (empty where none of the menu helps),
    ``n_1_after_upgrade_mw`` (NaN where none helps).
    """

    upgrades: pd.DataFrame
    by_bus: pd.DataFrame


def upgrade_options(network: Network, elements: Sequence[str], costs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Measures of the menu for the named elements (lines, transformers, or buses), without repetition.

    A bus (a voltage limit) stands for the lines and units that feed it: a second circuit of the line with the
    largest impedance at the bus, and a further unit of a transformer whose low side it is.

    Returns
    -------
    Table UPGRADES, in the order of ``elements``; elements that are none of these give no row.
    """
    costs = standard_table("unit_costs") if costs is None else costs
    lines, units = set(network.lines["line_id"]), set(network.transformers["transformer_id"])
    buses = set(network.buses["bus_id"])
    records: dict[str, tuple[Any, ...]] = {}
    for element in elements:
        for one in _feeders(network, element) if element in buses else (element,):
            found = []
            if one in units:
                found = [_add_unit(network, one, costs), _replace_units(network, one, costs)]
            elif one in lines:
                found = [_second_circuit(network, one, costs)]
            for record in found:
                if record is not None:
                    records.setdefault(record[0], record)
    if not records:
        return UPGRADES.empty()
    return UPGRADES.validate(pd.DataFrame(list(records.values()), columns=list(UPGRADES.columns)))


def apply_upgrade(network: Network, kind: str, element: str) -> Network:
    """A new network with one measure built.

    Raises
    ------
    KeyError
        If the element does not exist, or has no larger type.
    ValueError
        If the kind is not on the menu.
    """
    if kind == "second_circuit":
        row = _row(network.lines, "line_id", element)
        new = {**row, "line_id": _new_id(element, "circuit", set(network.lines["line_id"])), "note": "planned"}
        return replace(network, lines=_appended(network.lines, new))
    if kind == "add_transformer":
        row = _row(network.transformers, "transformer_id", element)
        ids = set(network.transformers["transformer_id"])
        new = {**row, "transformer_id": _new_id(element, "unit", ids), "note": "planned"}
        return replace(network, transformers=_appended(network.transformers, new))
    if kind == "replace_transformer":
        larger = _next_type(network, element)
        if larger is None:
            raise KeyError(f"no larger type than that of {element!r}")
        units = network.transformers.copy()
        same = _parallel(network, element)
        for name in ("sn_mva", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent"):
            units.loc[same, name] = float(larger[name])
        units.loc[same, "transformer_type"] = str(larger.name)
        units.loc[same, "note"] = "planned"
        return replace(network, transformers=units)
    raise ValueError(f"no measure {kind!r}")


def apply_upgrades(network: Network, upgrades: pd.DataFrame) -> Network:
    """All measures of a table UPGRADES, in its order."""
    for kind, element in zip(upgrades["kind"], upgrades["element"], strict=True):
        network = apply_upgrade(network, kind, element)
    return network


def study_upgrades(
    basis: HostingBasis,
    hosting: pd.DataFrame,
    bus_ids: Sequence[str],
    costs: pd.DataFrame | None = None,
    budget: int = UPGRADE_BUDGET,
) -> UpgradeStudy:
    """For each bus the measure that lifts its N-1 hosting capacity most cheaply, and to how many MW.

    The options of a bus are the menu for what binds it in its worst case (element first, then outage). Each is built
    into the network and the bus's N-1 capacity is computed again in every case, certified. A measure counts when
    it lifts the least capacity by 1 MW and 5 %; the one with the least cost per MW gained is chosen. At most
    ``budget`` measures are built, those of the first buses first.
    """
    worst = worst_rows(hosting, "n_1").reindex(list(bus_ids))
    capacity = {str(bus): float(mw) for bus, mw in worst["capacity_mw"].items()}
    options: dict[str, list[str]] = {}
    tables = []
    for bus, row in worst.iterrows():
        if not isinstance(row["limit"], str) or row["limit"] == "search_cap":
            continue
        table = upgrade_options(basis.network, [row["binding_element"], row["binding_outage"]], costs)
        options[str(bus)] = list(table["upgrade_id"])
        tables.append(table)
    menu = pd.concat(tables, ignore_index=True) if tables else UPGRADES.empty()
    menu = menu.drop_duplicates("upgrade_id").head(budget).reset_index(drop=True)
    after = {
        row.upgrade_id: _after(
            basis,
            str(row.kind),
            str(row.element),
            {b: str(worst.loc[b, "case"]) for b, o in options.items() if row.upgrade_id in o},
        )
        for row in menu.itertuples()
    }
    records = []
    for bus in bus_ids:
        before = capacity.get(bus, np.nan)
        needed = max(LEAST_GAIN_MW, LEAST_GAIN_SHARE * before)
        found = [
            (cost_cny / (after[measure][bus] - before), measure, after[measure][bus])
            for measure, cost_cny in zip(menu["upgrade_id"], menu["cost_cny"].to_numpy(float).tolist(), strict=True)
            if bus in after[measure] and after[measure][bus] - before >= needed
        ]
        records.append((bus, min(found)[1], min(found)[2]) if found else (bus, "", np.nan))
    by_bus = pd.DataFrame(records, columns=["bus_id", "upgrade_id", "n_1_after_upgrade_mw"])
    return UpgradeStudy(UPGRADES.validate(menu), by_bus)


def worst_rows(hosting: pd.DataFrame, mode: str) -> pd.DataFrame:
    """The row with the least capacity of each bus (the first case of equals), index ``bus_id``."""
    rows = hosting[hosting["mode"] == mode]
    return rows.loc[rows.groupby("bus_id", sort=False)["capacity_mw"].idxmin()].set_index("bus_id")


def _after(basis: HostingBasis, kind: str, element: str, worst_case: dict[str, str]) -> dict[str, float]:
    """Least N-1 capacity over the cases of some buses with one measure built; ``worst_case`` is tried first."""
    changed = hosting_basis(apply_upgrade(basis.network, kind, element), basis.cases, basis.settings)
    lifted = {}
    for bus_id, first in worst_case.items():
        least = np.inf
        order = sorted(range(len(basis.cases)), key=lambda i: (basis.cases[i].id != first, i))
        for sweep in (changed.sweeps[i] for i in order):
            if sweep is None:
                least = 0.0
                break
            bus = sweep.model.bus_index(bus_id)
            cap = min(least, search_cap_mw(sweep.model, bus, sweep.settings))
            least = climb(sweep, bus, np.arange(sweep.count), cap).capacity_mw
        lifted[bus_id] = float(least)
    return lifted


def _row(table: pd.DataFrame, key: str, value: str) -> dict[str, Any]:
    found = table[table[key] == value]
    if found.empty:
        raise KeyError(f"no {key} {value!r}")
    return {str(k): v for k, v in found.iloc[0].to_dict().items()}


def _appended(table: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    return pd.concat([table, pd.DataFrame([row]).astype(table.dtypes.to_dict())], ignore_index=True)


def _new_id(element: str, what: str, taken: set[str]) -> str:
    number = 1
    while f"{element}+{what}{number}" in taken:
        number += 1
    return f"{element}+{what}{number}"


def _parallel(network: Network, element: str) -> pd.Series:
    """Units between the same two buses."""
    row = _row(network.transformers, "transformer_id", element)
    units = network.transformers
    same: pd.Series = (units["hv_bus"] == row["hv_bus"]) & (units["lv_bus"] == row["lv_bus"])
    return same


def _standard_level(vn_kv: float) -> float:
    return min(STANDARD_LEVELS_KV, key=lambda level: abs(np.log(level / vn_kv)))


def _levels(network: Network, element: str) -> tuple[float, float]:
    row = _row(network.transformers, "transformer_id", element)
    vn = network.buses.set_index("bus_id")["vn_kv"]
    return _standard_level(float(vn[row["hv_bus"]])), _standard_level(float(vn[row["lv_bus"]]))


def _next_type(network: Network, element: str) -> pd.Series | None:
    """Next larger listed type than the largest unit in parallel; None where there is none."""
    try:
        types = transformer_types_between(*_levels(network, element))
    except KeyError:
        return None
    largest = float(network.transformers.loc[_parallel(network, element), "sn_mva"].max())
    larger = types[types["sn_mva"] > largest + 1e-6]
    return None if larger.empty else larger.iloc[0]


def _cost_row(costs: pd.DataFrame, kind: str, vn_kv: float, item: str = "") -> tuple[float, str, str] | None:
    """(CNY per unit, confidence, source); an item that is not listed takes the dearest of its level."""
    rows = costs[(costs["kind"] == kind) & (costs["vn_kv"] == vn_kv)]
    if rows.empty:
        return None
    named = rows[rows["item"] == item]
    row = (named if len(named) else rows.sort_values("cost_cny").tail(1)).iloc[0]
    return float(row["cost_cny"]), str(row["confidence"]), str(row["source"])


def _add_unit(network: Network, element: str, costs: pd.DataFrame) -> tuple[Any, ...] | None:
    row = _row(network.transformers, "transformer_id", element)
    hv, lv = _levels(network, element)
    cost = _cost_row(costs, "add_transformer", hv)
    if cost is None:
        return None
    sn = float(row["sn_mva"])
    like = network.transformers.loc[_parallel(network, element), "transformer_id"].iloc[0]
    zh = f"{_station_name(network, row['station_id'], 'zh')}增加1台{hv:g}/{lv:g} kV {sn:g} MVA主变"
    en = f"one more {hv:g}/{lv:g} kV transformer of {sn:g} MVA at {_station_name(network, row['station_id'], 'en')}"
    return _upgrade("add_transformer", like, row["station_id"], zh, en, cost[0] * sn, cost)


def _replace_units(network: Network, element: str, costs: pd.DataFrame) -> tuple[Any, ...] | None:
    row = _row(network.transformers, "transformer_id", element)
    hv, lv = _levels(network, element)
    larger, cost = _next_type(network, element), _cost_row(costs, "replace_transformer", hv)
    if larger is None or cost is None:
        return None
    same = network.transformers.loc[_parallel(network, element)]
    sn, count = float(larger["sn_mva"]), len(same)
    zh = f"{_station_name(network, row['station_id'], 'zh')}{count}台主变更换为{hv:g}/{lv:g} kV {sn:g} MVA"
    where = _station_name(network, row["station_id"], "en")
    en = f"{count} transformer(s) at {where} replaced by {hv:g}/{lv:g} kV {sn:g} MVA"
    first = str(same["transformer_id"].iloc[0])
    return _upgrade("replace_transformer", first, row["station_id"], zh, en, cost[0] * sn * count, cost)


def _second_circuit(network: Network, element: str, costs: pd.DataFrame) -> tuple[Any, ...] | None:
    row = _row(network.lines, "line_id", element)
    buses = network.buses.set_index("bus_id")
    vn = _standard_level(float(buses.loc[row["from_bus"], "vn_kv"]))
    cost, bay = _cost_row(costs, "line", vn, str(row["line_type"])), _cost_row(costs, "bay", vn)
    if cost is None or bay is None:
        return None
    km = float(row["length_km"])
    zh = f"{row['name_zh']}增加一回{vn:g} kV线路，{km:.1f} km"
    en = f"a further {vn:g} kV circuit along {row['name_en']}, {km:.1f} km"
    station = str(buses.loc[row["from_bus"], "station_id"])
    return _upgrade("second_circuit", element, station, zh, en, km * cost[0] + 2 * bay[0], cost)


def _upgrade(
    kind: str, element: str, station_id: str, zh: str, en: str, cost_cny: float, cost: tuple[float, str, str]
) -> tuple[Any, ...]:
    return f"{kind}:{element}", kind, element, station_id, zh, en, float(cost_cny), cost[1], cost[2]


def _station_name(network: Network, station_id: str, language: str) -> str:
    rows = network.stations[network.stations["station_id"] == station_id]
    return str(rows[f"name_{language}"].iloc[0]) if len(rows) else station_id


def _feeders(network: Network, bus: str) -> tuple[str, ...]:
    """The unit that feeds a bus from above, and the line with the largest impedance that ends there."""
    units = network.transformers[network.transformers["lv_bus"] == bus]["transformer_id"].tolist()
    at = network.lines[(network.lines["from_bus"] == bus) | (network.lines["to_bus"] == bus)]
    ohm = np.hypot(at["r_ohm_per_km"], at["x_ohm_per_km"]) * at["length_km"]
    line = [str(at.loc[ohm.idxmax(), "line_id"])] if len(at) else []
    return (*units[:1], *line)
