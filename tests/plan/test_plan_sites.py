"""The plan's project list keeps its names, units and order: programs read it."""

from pathlib import Path

from study.plan_tables import PLAN_SITES


def test_names_units_and_order_are_those_of_the_golden_list():
    golden = (Path(__file__).parent / "golden_sites_columns.csv").read_text("utf-8").splitlines()
    assert [f"{name},{c.unit}" for name, c in PLAN_SITES.columns.items()] == golden
