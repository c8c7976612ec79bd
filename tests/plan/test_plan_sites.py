"""The project lists keep their names, units and order: programs read them."""

from pathlib import Path

import pytest

from layers.tables import Table
from maps.contracts import PROJECTS
from study.plan.site_table import PLAN_SITES


@pytest.mark.parametrize(("table", "golden"), [(PLAN_SITES, "sites"), (PROJECTS, "projects")])
def test_names_units_and_order_are_those_of_the_golden_list(table: Table, golden: str) -> None:
    lines = (Path(__file__).parent / f"golden_{golden}_columns.csv").read_text("utf-8").splitlines()
    assert [f"{name},{column.unit}" for name, column in table.columns.items()] == lines
