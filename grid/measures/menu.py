"""The menu: which measures an element or a bus may get, with size, cost and lead time.

What is on offer are the rows of ``standards/measures.csv``; what it costs are the rows of
``standards/unit_costs.csv``. Another size, another storage duration or another price is a row there, not code. A bus
stands for itself and for the branches that feed it: the unit above it and its line of the largest impedance. A
branch stands for itself, and for its ends where a row of the menu (column ``applies_to``) names ``end``.

::

    investment = unit cost x quantity in the cost row's unit  [+ line to the network]  + bays x unit cost of a bay
    annual     = investment x (rate / (1 - (1 + rate)^-life) + O&M share)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import Network
from grid.line_parameters import line_type_parameters
from grid.measures.apply import may_be_split
from grid.measures.contracts import EFFECTS, MEASURES, PlannedStation
from grid.measures.offers import Offer, add_unit, high_impedance, replace_units
from grid.measures.places import (
    branch_ends,
    circuits_alike,
    feeders,
    line_level,
    nearest_line,
    standard_level,
    station_name,
)
from grid.measures.rows import row_of
from grid.standards_tables import line_types, standard_table, transformer_types

GRADES = "ABC"
SAME_PLACE_KM = 2.0
"""A planned station this near to one of the network with the same level is that one."""


@dataclass(frozen=True)
class UnitCost:
    """One row of the unit costs."""

    cny: float
    unit: str
    confidence: str
    source: str


def measures_menu(
    network: Network,
    elements: Sequence[str],
    *,
    planned: Sequence[PlannedStation] = (),
    kinds: Sequence[str] | None = None,
    costs: pd.DataFrame | None = None,
    offers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Measures on offer for the named lines, transformers and buses, and the new stations that a plan names.

    Parameters
    ----------
    elements
        ``line_id``, ``transformer_id`` or ``bus_id``; ids that are none of these give no row.
    planned
        Stations that the network may not have yet; one within 2 km of a station with that level is left out.
    kinds
        Kinds of measure to offer; None: all.
    costs, offers
        Unit costs and rows of the menu; the standard tables where None.

    Returns
    -------
    Table MEASURES without repetition: for each element, in the order of ``elements``, the rows of the menu.
    """
    costs = standard_table("unit_costs") if costs is None else costs
    offers = standard_table("measures") if offers is None else offers
    if kinds is not None:
        offers = offers[offers["kind"].isin(kinds)]
    records: dict[str, dict[str, Any]] = {}
    for what, element in _targets(network, elements):
        for row in _rows(_that_apply(offers, what)):
            _add(records, row, _SIZERS[row["kind"]](network, element, row), costs)
    for station in planned:
        for row in _rows(_that_apply(offers, "station")):
            _add(records, row, _new_station(network, station, row), costs)
    if not records:
        return MEASURES.empty()
    table = pd.DataFrame(list(records.values()), columns=list(MEASURES.columns))
    return MEASURES.validate(table)


def _that_apply(offers: pd.DataFrame, what: str) -> pd.DataFrame:
    """Rows of the menu for a kind of element; ``applies_to`` may name several, separated by blanks."""
    return offers[[what in str(names).split() for names in offers["applies_to"]]]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _targets(network: Network, elements: Sequence[str]) -> list[tuple[str, str]]:
    """(what it is, id) of everything that a measure may act on; buses also stand for their feeders, and branches for
    their ends."""
    ends = branch_ends(network)
    lines, units = set(network.lines["line_id"]), set(network.transformers["transformer_id"])
    buses, found = set(network.buses["bus_id"]), []
    for element in elements:
        for one in (*feeders(network, element), element) if element in buses else (element,):
            kinds = (("line", lines), ("transformer", units), ("bus", buses))
            found += [(what, one) for what, known in kinds if one in known]
        found += [("end", bus) for bus in ends.get(element, ())]
    return list(dict.fromkeys(found))


def unit_cost(costs: pd.DataFrame, kind: str, vn_kv: float, item: str = "") -> UnitCost | None:
    """Unit cost of a kind at a level; a level that is not listed takes the nearest, an item that is not listed the
    dearest of its level. None where the kind has no row."""
    rows = costs[costs["kind"] == kind]
    if rows.empty:
        return None
    levels = rows["vn_kv"].to_numpy(float)
    rows = rows[levels == levels[int(np.argmin(np.abs(np.log(levels / vn_kv))))]]
    named = rows[rows["item"] == item]
    row = (named if len(named) else rows.sort_values("cost_cny").tail(1)).iloc[0]
    return UnitCost(float(row["cost_cny"]), str(row["unit"]), str(row["confidence"]), str(row["source"]))


def annuity(rate: float, life_a: float) -> float:
    """Yearly payment per investment: ``r / (1 - (1 + r)^-n)``, ``1 / n`` without interest."""
    return 1 / life_a if rate == 0 else rate / (1 - (1 + rate) ** -life_a)


def _add(records: dict[str, dict[str, Any]], row: dict[str, Any], offer: Offer | None, costs: pd.DataFrame) -> None:
    if offer is None or not row["vn_min_kv"] <= offer.vn_kv <= row["vn_max_kv"]:
        return
    money = _investment(row, offer, costs)
    if money is None:
        return
    investment, confidence, source = money
    same_name = row["measure"] == row["kind"]
    measure_id = f"{row['kind'] if same_name else row['measure']}:{offer.element}"
    group = f"{row['exclusive']}:{offer.group or offer.element}" if row["exclusive"] else ""
    yearly = annuity(row["discount_rate"], row["life_a"]) + row["om_share"]
    record = {
        "measure_id": measure_id,
        "kind": row["kind"],
        "effect": EFFECTS[row["kind"]],
        "element": offer.element,
        "station_id": offer.station_id,
        "description_zh": offer.zh,
        "description_en": offer.en,
        "type_name": "",
        "count": 1,
        "joins": "",
        "name_zh": "",
        "name_en": "",
        "vn_kv": offer.vn_kv,
        "load_share": 0.0,
        "load_share_min": float(row["load_share_min"]),
        "load_share_max": float(row["load_share_max"]),
        **dict.fromkeys(("s_mva", "power_mw", "energy_mwh", "q_mvar", "length_km", "lon", "lat"), np.nan),
        **{name: float(row[name]) for name in ("efficiency", "plant_share", "energy_share_max", "hours_max")},
        "scalable": bool(row["scalable"]),
        "energy_cost_cny_per_mwh": float(row["energy_cost_cny_per_mwh"]),
        "investment_cny": investment,
        "life_a": float(row["life_a"]),
        "om_share": float(row["om_share"]),
        "discount_rate": float(row["discount_rate"]),
        "annual_cost_cny": investment * yearly,
        "price_year": int(row["price_year"]),
        "lead_time_years": float(row["lead_time_years"]),
        "exclusive_group": group,
        "requires": "",
        "cost_source": source,
        "cost_confidence": confidence,
        **offer.sizes,
    }
    records.setdefault(measure_id, record)


def _investment(row: dict[str, Any], offer: Offer, costs: pd.DataFrame) -> tuple[float, str, str] | None:
    """(CNY, confidence, source); None where something that it needs has no price."""
    parts: list[tuple[float, UnitCost]] = []
    if row["cost_kind"]:
        cost = unit_cost(costs, row["cost_kind"], offer.vn_kv, offer.cost_item)
        if cost is None or cost.unit not in offer.quantity:
            return None
        parts.append((offer.quantity[cost.unit], cost))
    for kind, quantity in (("line", offer.quantity.get("loop km", 0.0)), ("bay", float(row["bays"]))):
        if quantity > 0:
            cost = unit_cost(costs, kind, offer.vn_kv)
            if cost is None:
                return None
            parts.append((quantity, cost))
    if not parts:
        return 0.0, str(row["confidence"]), str(row["source"])
    grade = max((cost.confidence for _, cost in parts), key=GRADES.index)
    return sum(quantity * cost.cny for quantity, cost in parts), grade, parts[0][1].source


# ---------------------------------------------------------------- sizes of each kind


def _line_station(network: Network, line: dict[str, Any]) -> str:
    return str(network.buses.set_index("bus_id").loc[line["from_bus"], "station_id"])


def _rating_mva(line: dict[str, Any], vn_kv: float) -> float:
    return float(np.sqrt(3) * vn_kv * float(line["max_i_ka"]))


def _second_circuit(network: Network, element: str, row: dict[str, Any]) -> Offer:
    """One circuit more beside those on a route, named after the first of them."""
    element = circuits_alike(network, element)[0]
    line, vn = row_of(network.lines, "line_id", element), line_level(network, element)
    km = float(line["length_km"])
    zh = f"{line['name_zh']}增加一回{vn:g} kV线路，{km:.1f} km"
    en = f"a further {vn:g} kV circuit along {line['name_en']}, {km:.1f} km"
    sizes = {"s_mva": _rating_mva(line, vn), "length_km": km, "type_name": str(line["line_type"])}
    kind = str(line["line_type"])
    return Offer(element, _line_station(network, line), vn, zh, en, {"circuit km": km}, kind, sizes=sizes)


def _reconductor(network: Network, element: str, row: dict[str, Any]) -> Offer | None:
    line, vn = row_of(network.lines, "line_id", element), line_level(network, element)
    larger = next_line_type(str(line["line_type"]), vn, float(line["max_i_ka"]))
    if larger is None:
        return None
    km, ka = float(line["length_km"]), float(line_type_parameters().loc[larger, "max_i_ka"])  # type: ignore[arg-type]
    zh = f"{line['name_zh']}更换导线为{larger}，{km:.1f} km"
    en = f"{line['name_en']} restrung with {larger}, {km:.1f} km"
    added = float(np.sqrt(3) * vn * (ka - float(line["max_i_ka"])))
    sizes = {"s_mva": added, "length_km": km, "type_name": larger}
    return Offer(element, _line_station(network, line), vn, zh, en, {"circuit km": km}, sizes=sizes)


def next_line_type(line_type: str, vn_kv: float, max_i_ka: float) -> str | None:
    """Next larger line type of a level that the towers bear: as many sub-conductors as now (one where not known)."""
    types, kinds = line_type_parameters(), line_types()
    bundle = int(kinds.loc[line_type, "bundle"]) if line_type in kinds.index else 1  # type: ignore[arg-type]
    fits = (types["vn_kv"] == vn_kv) & (kinds["bundle"] == bundle) & (types["max_i_ka"] > max_i_ka * 1.01)
    found = types[fits].sort_values("max_i_ka")
    return None if found.empty else str(found.index[0])


def _dynamic_rating(network: Network, element: str, row: dict[str, Any]) -> Offer:
    line, vn = row_of(network.lines, "line_id", element), line_level(network, element)
    least = float(standard_table("dynamic_rating")["factor"].min()) - 1
    zh = f"{line['name_zh']}动态增容（各季至少{least:.0%}）"
    en = f"dynamic rating of {line['name_en']} (at least {least:.0%} in every season)"
    sizes = {"s_mva": least * _rating_mva(line, vn), "length_km": float(line["length_km"])}
    return Offer(element, _line_station(network, line), vn, zh, en, {"line": 1.0}, sizes=sizes)


def _bus(network: Network, element: str) -> tuple[str, float, str, str]:
    """Station, level and names of a bus."""
    bus = row_of(network.buses, "bus_id", element)
    station, vn = str(bus["station_id"]), standard_level(float(bus["vn_kv"]))
    zh, en = (station_name(network, station, language) for language in ("zh", "en"))
    return station, vn, f"{zh}{vn:g} kV", f"{en} {vn:g} kV"


def _split_bus(network: Network, element: str, row: dict[str, Any]) -> Offer | None:
    if not may_be_split(network, element):
        return None
    station, vn, zh, en = _bus(network, element)
    return Offer(element, station, vn, f"{zh}母线分列运行", f"{en} bus split into two sections", {"bus": 1.0})


def _shunt(network: Network, element: str, row: dict[str, Any]) -> Offer:
    station, vn, zh, en = _bus(network, element)
    size, reactor = float(row["size"]), row["kind"] == "reactor"
    sizes = {"q_mvar": size if reactor else -size}
    word_zh, word_en = ("并联电抗器", "shunt reactor") if reactor else ("并联电容器", "shunt capacitor")
    return Offer(
        element, station, vn, f"{zh}装{size:g} Mvar{word_zh}", f"{word_en} of {size:g} Mvar at {en}", {"Mvar": size},
        sizes=sizes,
    )  # fmt: skip


def _storage(network: Network, element: str, row: dict[str, Any]) -> Offer:
    station, vn, zh, en = _bus(network, element)
    mw, hours = float(row["size"]), float(row["hours"])
    mwh = mw * hours
    zh, en = f"{zh}储能{mw:g} MW/{mwh:g} MWh", f"storage of {mw:g} MW, {mwh:g} MWh at {en}"
    return Offer(element, station, vn, zh, en, {"MWh": mwh, "MW": mw}, sizes={"power_mw": mw, "energy_mwh": mwh})


def _curtailment(network: Network, element: str, row: dict[str, Any]) -> Offer:
    station, vn, zh, en = _bus(network, element)
    share = float(row["size"])
    return Offer(
        element, station, vn, f"{zh}新能源可限电协议，年电量至多{share:.0%}",
        f"curtailment contract at {en}: up to {share:.0%} of a year's energy", {},
    )  # fmt: skip


def _demand_response(network: Network, element: str, row: dict[str, Any]) -> Offer | None:
    peak_mw = float(network.loads.loc[network.loads["bus_id"] == element, "p_mw"].sum())
    mw = float(row["size"]) * peak_mw
    if mw <= 0:
        return None
    station, vn, zh, en = _bus(network, element)
    return Offer(
        element, station, vn, f"{zh}需求响应{mw:.1f} MW", f"demand response of {mw:.1f} MW at {en}", {"MW": mw},
        sizes={"power_mw": mw},
    )  # fmt: skip


def _new_station(network: Network, station: PlannedStation, row: dict[str, Any]) -> Offer | None:
    """A planned station looped into the nearest line of its level, a 220 kV one also into one of 110 kV."""
    if station.vn_kv != row["vn_min_kv"] or _stands_already(network, station):
        return None
    lower = 110.0 if station.vn_kv == 220.0 else 10.0
    types = transformer_types()
    mva = float(str(row["size_unit"]).split()[0])
    fits = (types["hv_kv"] == station.vn_kv) & (types["lv_kv"] == lower) & (types["variant"] == "")
    found = types[fits & (types["sn_mva"] >= mva)].sort_values("sn_mva")
    levels = [station.vn_kv, *([lower] if lower >= 110 else [])]
    feet = [nearest_line(network, level, station.lon, station.lat) for level in levels]
    if found.empty or feet[0] is None:
        return None
    count, unit = int(row["size"]), found.iloc[0]
    joined = [foot for foot in feet if foot is not None]
    loop_km = 2 * sum(foot.distance_km for foot in joined)
    total = count * float(unit["sn_mva"])
    sizes = {
        "type_name": str(unit.name), "count": count, "s_mva": total, "length_km": loop_km, "lon": station.lon,
        "lat": station.lat, "joins": " ".join(foot.line_id for foot in joined), "name_zh": station.name_zh,
        "name_en": station.name_en, "load_share": float(row["taken_load_share"]),
    }  # fmt: skip
    zh = f"新建{station.name_zh}{station.vn_kv:g} kV变电站，{count}×{float(unit['sn_mva']):g} MVA"
    en = f"new {station.vn_kv:g} kV station {station.name_en}, {count} x {float(unit['sn_mva']):g} MVA"
    quantity = {"MVA": total, "loop km": loop_km}
    return Offer(station.station_id, station.station_id, station.vn_kv, zh, en, quantity, sizes=sizes)


def _stands_already(network: Network, station: PlannedStation) -> bool:
    at = network.buses.merge(network.stations[["station_id", "name_zh", "lon", "lat"]], on="station_id")
    same = at[at["vn_kv"].map(standard_level) == station.vn_kv]
    east = (same["lon"] - station.lon) * np.cos(np.deg2rad(station.lat))
    near = 111.195 * np.hypot(east, same["lat"] - station.lat) < SAME_PLACE_KM
    return bool((near | (same["name_zh"] == station.name_zh)).any())


_SIZERS: dict[str, Callable[[Network, str, dict[str, Any]], Offer | None]] = {
    "add_transformer": add_unit,
    "replace_transformer": replace_units,
    "high_impedance": high_impedance,
    "second_circuit": _second_circuit,
    "reconductor": _reconductor,
    "dynamic_rating": _dynamic_rating,
    "split_bus": _split_bus,
    "reactor": _shunt,
    "capacitor": _shunt,
    "storage": _storage,
    "curtailment_contract": _curtailment,
    "demand_response": _demand_response,
}
