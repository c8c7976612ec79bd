"""Hand-made sites for the tests of cost."""

from __future__ import annotations

import dataclasses

import pandas as pd

from siting.contracts import HostType
from siting.cost.tables import load_cost_tables
from siting.cost.waterfall import CostCase
from siting.hosts.types import load_host_types
from siting.technologies.tables import load_technology_tables

TECHNOLOGIES = load_technology_tables()
TABLES = load_cost_tables()
HOSTS: tuple[HostType, ...] = tuple(load_host_types())


def host(name: str) -> HostType:
    return next(h for h in HOSTS if h.host_type == name)


def case(**changes: object) -> CostCase:
    """The program's own data in prices of 2023, no scenario."""
    return dataclasses.replace(CostCase(TECHNOLOGIES.technologies, TABLES, 2023.0), **changes)  # type: ignore[arg-type]


def sites(*rows: tuple[str, str, float, float]) -> tuple[pd.DataFrame, pd.Series]:
    """(candidates, energy [MWh]) from (host type, technology, MW, full hours per capacity_mw).

    Area follows from the host type's density and usable share, as :mod:`siting.sites.candidates` does it.
    """
    table = pd.DataFrame(
        [
            (
                f"k{n}",
                name,
                technology,
                mw,
                mw / 1.2 if technology.startswith("pv") else mw,
                mw / (host(name).density_mw_per_km2 * host(name).usable_share) * 1e6,
            )
            for n, (name, technology, mw, _) in enumerate(rows)
        ],
        columns=["candidate_id", "host_type", "technology", "capacity_mw", "grid_capacity_mw", "area_m2"],
    )
    energy = pd.Series([mw * hours for _, _, mw, hours in rows], index=table["candidate_id"], dtype=float)
    return table, energy
