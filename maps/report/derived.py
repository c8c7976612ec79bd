"""Everything that report and brief work out themselves, as tables, so that each printed number is a cell of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pandas as pd

from grid.contracts import VERDICTS_ALLOWED
from maps.report.network_figures import (
    capacity_load_ratios,
    flexible_capacity,
    outage_classes,
    outage_severity,
    short_circuit_levels,
    voltage_bands,
)
from maps.report.project_figures import binding_elements, by_group, key_figures, measure_effects
from maps.run_tables import ADDRESSES, Address, RunTables


@dataclasses.dataclass(frozen=True)
class Derived:
    """Tables by the names of the fields of :class:`maps.run_tables.RunTables`; None where the run has no basis."""

    key_figures: pd.DataFrame | None
    by_verdict: pd.DataFrame | None
    by_technology: pd.DataFrame | None
    by_district: pd.DataFrame | None
    by_origin: pd.DataFrame | None
    binding: pd.DataFrame | None
    measure_effects: pd.DataFrame | None
    flexible: pd.DataFrame | None
    short_circuit_levels: pd.DataFrame | None
    n_1_severity: pd.DataFrame | None
    n_1_classes: pd.DataFrame | None
    voltage_bands: pd.DataFrame | None
    capacity_load_ratio: pd.DataFrame | None

    def tables(self) -> Iterator[tuple[Address, pd.DataFrame]]:
        """The tables that there are, each with the place where it belongs."""
        for entry in dataclasses.fields(self):
            table = getattr(self, entry.name)
            if table is not None:
                yield ADDRESSES[entry.name], table


def derive(run: RunTables) -> Derived:
    severity = outage_severity(run)
    return Derived(
        key_figures=key_figures(run),
        by_verdict=by_group(run.projects, "verdict", VERDICTS_ALLOWED),
        by_technology=by_group(run.projects, "technology"),
        by_district=by_group(run.projects, "district_code"),
        by_origin=by_group(run.projects, "origin"),
        binding=binding_elements(run),
        measure_effects=measure_effects(run),
        flexible=flexible_capacity(run),
        short_circuit_levels=short_circuit_levels(run),
        n_1_severity=severity,
        n_1_classes=outage_classes(severity),
        voltage_bands=voltage_bands(run),
        capacity_load_ratio=capacity_load_ratios(run),
    )
