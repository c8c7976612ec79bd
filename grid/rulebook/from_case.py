"""From a solved bus-branch case of any format to the tables of the rule book.

Stations are the source's; a bus without one stands for a station of its own, by its name or else its number. Lines
without a length count by their reactance. Three-winding units feed both of their lower sides and are rated by the
winding of the highest voltage.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from grid.model.contracts import BusBranch
from grid.rulebook.area_tables import AreaSettings, NetworkTables, tables_from_areas
from grid.rulebook.areas import Link, Plant, SolvedNetwork, Unit, same_level
from grid.rulebook.book import EditionName, rules
from grid.solve_records import Solution

Row = dict[str, Any]


def solved_case(case: BusBranch, solution: Solution) -> SolvedNetwork:
    """A case and its solution in the rule book's neutral form; bus ids are the source's numbers as text.

    Parameters
    ----------
    case : BusBranch
        As it was read; ``solution.case`` is the same with three-winding units expanded.
    solution : Solution
        Where nothing was solved, flows and outputs are NaN. What is cut off or out of service has no unit and no link,
        but a plant that stands still counts with its installed capacity.
    """
    buses = case.buses[~case.buses["is_star"].to_numpy(bool)]
    vn_kv = {str(bus): float(kv) for bus, kv in zip(buses["bus_id"], buses["vn_kv"], strict=True)}
    station = station_of_bus(case)
    lost = {str(bus) for bus in solution.lost_buses}
    flows = dict(zip(solution.case.branches["branch_id"], solution.p_from_mw, strict=True))
    flows_to = dict(zip(solution.case.branches["branch_id"], solution.p_to_mw, strict=True))
    links: list[Link] = []
    units: list[Unit] = []
    base_mva = case.base_mva
    for row in _rows(case.branches):
        ends = str(row["from_bus"]), str(row["to_bus"])
        if not row["in_service"] or any(bus not in vn_kv or bus in lost for bus in ends):
            continue
        if row["kind"] == "line" or same_level(vn_kv, *ends):
            links.append(Link(*ends, _length_km(row, vn_kv[ends[0]], base_mva)))
            continue
        at_from = vn_kv[ends[0]] > vn_kv[ends[1]]
        hv, lv = ends if at_from else ends[::-1]
        item, rating = str(row["branch_id"]), float(row["rating_a_mva"])
        flow = flows[item] if at_from else flows_to[item]
        vk = 100 * math.hypot(row["r_pu"], row["x_pu"]) * rating / base_mva
        units.append(Unit(item, station[hv], hv, (lv,), rating, vk or math.nan, float(flow)))
    for row in _rows(case.three_winding):
        if str(row["bus_1"]) not in lost:
            _add_three_winding(row, vn_kv, station, flows, base_mva, links, units)
    plants = _plants(case.generators, solution, lost)
    return SolvedNetwork(case.name, vn_kv, tuple(links), tuple(units), plants, _load_mw(case, solution))


def station_of_bus(case: BusBranch) -> dict[str, str]:
    """Bus number as text -> station; a bus without one stands for a station of its own, by its name or number."""
    return {str(row["bus_id"]): _station(row) for row in _rows(case.buses[~case.buses["is_star"].to_numpy(bool)])}


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _station(row: Row) -> str:
    return str(row["station"]) or str(row["name"]).strip() or str(row["bus_id"])


def _length_km(row: Row, vn_kv: float, base_mva: float) -> float:
    """Length of a line; where the source has none, its reactance over a usual one per kilometre. Units have none."""
    if row["kind"] != "line":
        return 0.0
    length = float(row["length_km"])
    if math.isfinite(length):
        return max(length, 0.0)
    x_ohm = abs(float(row["x_pu"])) * vn_kv**2 / base_mva
    return x_ohm / rules("supply-areas")["line_x_ohm_per_km"].value


def _add_three_winding(
    row: Row, vn_kv: Mapping[str, float], station: Mapping[str, str], flows: Mapping[str, float], base_mva: float,
    links: list[Link], units: list[Unit],
) -> None:  # fmt: skip
    """A unit from its highest winding to the others; two windings of one level are a link."""
    windings = sorted((k for k in (1, 2, 3) if row[f"in_service_{k}"]), key=lambda k: (-vn_kv[str(row[f"bus_{k}"])], k))
    if len(windings) < 2:
        return
    top, *rest = windings
    hv, low = str(row[f"bus_{top}"]), [str(row[f"bus_{k}"]) for k in rest]
    links.extend(Link(hv, lv, 0.0) for lv in low if same_level(vn_kv, hv, lv))
    low = [lv for lv in low if not same_level(vn_kv, hv, lv)]
    if not low:
        return
    item, rating = str(row["transformer_id"]), float(row[f"rating_{top}_mva"])
    pair = "".join(str(k) for k in sorted((top, rest[0])))
    pair = "31" if pair == "13" else pair
    vk = 100 * math.hypot(row[f"r_{pair}_pu"], row[f"x_{pair}_pu"]) * rating / base_mva
    units.append(Unit(item, station[hv], hv, tuple(low), rating, vk or math.nan, float(flows[f"{item}/{top}"])))


def _plants(generators: pd.DataFrame, solution: Solution, lost: Collection[str]) -> tuple[Plant, ...]:
    """Equivalents of outside networks are no plants; what is cut off gives nothing."""
    output = dict(zip(solution.case.generators["generator_id"], solution.generator_p_mw, strict=True))
    return tuple(
        Plant(
            str(row["generator_id"]),
            str(row["bus_id"]),
            str(row["fuel"]),
            float(row["p_max_mw"]),
            float(output[row["generator_id"]]) if row["in_service"] and str(row["bus_id"]) not in lost else 0.0,
        )
        for row in _rows(generators)
        if row["fuel"] != "infeed"
    )


def _load_mw(case: BusBranch, solution: Solution) -> dict[str, float]:
    """Consumption by bus at the solved voltages; at 1 pu where a bus has none."""
    vm = dict(zip(solution.case.buses["bus_id"], solution.vm_pu, strict=True))
    found: dict[str, float] = {}
    for row in _rows(case.loads[case.loads["in_service"].to_numpy(bool)]):
        u = float(vm[row["bus_id"]]) if np.isfinite(vm[row["bus_id"]]) else 1.0
        mw = row["p_mw"] + row["p_i_mw"] * u + row["p_z_mw"] * u**2
        found[str(row["bus_id"])] = found.get(str(row["bus_id"]), 0.0) + float(mw)
    return found


def tables_from_case(
    case: BusBranch,
    solution: Solution,
    edition: EditionName,
    distributed: Collection[str],
    settings: AreaSettings | None = None,
    county_of_station: Mapping[str, str] | None = None,
) -> NetworkTables:
    """Equipment (and units) of the rule book from any case and its solved state.

    Parameters as in :func:`solved_case` and :func:`grid.rulebook.area_tables.tables_from_areas`.

    Raises
    ------
    InputError
        Every transformer without a known flow or rating, distributed generator that is none, or that has no known
        output or installed capacity.
    """
    return tables_from_areas(solved_case(case, solution), edition, distributed, settings, county_of_station)
