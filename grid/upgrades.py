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
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.contracts import UPGRADES, Network
from grid.hosting import HostingBasis, climb, hosting_basis, search_cap_mw
from grid.measures.apply import add_transformer, next_unit_type, replace_transformer, second_circuit
from grid.measures.menu import measures_menu

LEAST_GAIN_MW = 1.0
LEAST_GAIN_SHARE = 0.05
UPGRADE_BUDGET = 24
KINDS = ("add_transformer", "replace_transformer", "second_circuit")
"""Measures that the study of single buses tries; the whole menu is :mod:`grid.measures.menu`."""


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
    menu = measures_menu(network, elements, kinds=KINDS, costs=costs)
    return UPGRADES.validate(
        menu.rename(columns={"measure_id": "upgrade_id", "investment_cny": "cost_cny"})[list(UPGRADES.columns)]
    )


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
        return second_circuit(network, element)
    if kind == "add_transformer":
        return add_transformer(network, element)
    if kind == "replace_transformer":
        larger = next_unit_type(network, element)
        if larger is None:
            raise KeyError(f"no larger type than that of {element!r}")
        return replace_transformer(network, element, str(larger.name))
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
