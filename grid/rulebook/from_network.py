"""From a solved planning network to the tables of the rule book."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import pandas as pd

from grid.contracts import Network
from grid.rulebook.area_tables import AreaSettings, NetworkTables, tables_from_areas
from grid.rulebook.areas import Link, Plant, SolvedNetwork, Unit, same_level
from grid.rulebook.book import EditionName

_NAN = math.nan


def solved_network(
    network: Network, flow_hv_mw: Mapping[str, float], generator_mw: Mapping[str, float]
) -> SolvedNetwork:
    """A planning network and one of its solved cases in the rule book's neutral form.

    Parameters
    ----------
    flow_hv_mw : mapping
        Transformer id -> active power into the unit at its high side [MW], negative in reverse
        (``p_from_mw`` of :data:`grid.contracts.BRANCH_STATE`).
    generator_mw : mapping
        Generator id -> output in that case [MW]. What is not named is not known.
    """
    buses, lines, units, plants = network.buses, network.lines, network.transformers, network.generators
    vn_kv = {str(bus): float(kv) for bus, kv in zip(buses["bus_id"], buses["vn_kv"], strict=True)}
    ends = zip(lines["from_bus"], lines["to_bus"], lines["length_km"].astype(float), strict=True)
    links, found = [Link(str(a), str(b), float(km)) for a, b, km in ends], []
    for row in units.to_dict("records"):
        hv, lv = str(row["hv_bus"]), str(row["lv_bus"])
        if same_level(vn_kv, hv, lv):
            links.append(Link(hv, lv, 0.0))
            continue
        name = str(row["transformer_id"])
        rating, vk, flow = float(row["sn_mva"]), float(row["vk_percent"]), float(flow_hv_mw.get(name, _NAN))
        found.append(Unit(name, str(row["station_id"]), hv, (lv,), rating, vk, flow))
    return SolvedNetwork(
        network.name,
        vn_kv,
        tuple(links),
        tuple(found),
        tuple(
            Plant(str(name), str(bus), str(fuel), float(mw), float(generator_mw.get(name, _NAN)))
            for name, bus, fuel, mw in zip(
                plants["generator_id"], plants["bus_id"], plants["fuel"], plants["p_max_mw"], strict=True
            )
        ),
        _load_mw(network.loads),
    )


def _load_mw(loads: pd.DataFrame) -> dict[str, float]:
    return {str(bus): float(mw) for bus, mw in loads.groupby("bus_id")["p_mw"].sum().items()}


def tables_from_network(
    network: Network,
    edition: EditionName,
    flow_hv_mw: Mapping[str, float],
    generator_mw: Mapping[str, float],
    distributed: Collection[str],
    settings: AreaSettings | None = None,
    county_of_station: Mapping[str, str] | None = None,
) -> NetworkTables:
    """Equipment (and units) of the rule book from one solved case of a planning network.

    Parameters as in :func:`solved_network` and :func:`grid.rulebook.area_tables.tables_from_areas`.

    Raises
    ------
    InputError
        Every transformer without a known flow, distributed generator that is none, or that has no known output.
    """
    solved = solved_network(network, flow_hv_mw, generator_mw)
    return tables_from_areas(solved, edition, distributed, settings, county_of_station)
