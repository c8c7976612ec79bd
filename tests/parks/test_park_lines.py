"""Lines of a park's own: level, length and cost by the standard tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grid.connections.rules import Rules, great_circle_km
from grid.measures.menu import annuity
from study.sites.park_lines import direct_lines

RULES = Rules()


def lines(*rows: tuple[str, float]) -> pd.DataFrame:
    """Candidates (kind, MW) at 0.05 degrees north of the park."""
    table = pd.DataFrame({"candidate_id": [str(k) for k in range(len(rows))], "kind": [r[0] for r in rows],
                          "grid_capacity_mw": [r[1] for r in rows], "lon": 116.0, "lat": 33.05})  # fmt: skip
    return direct_lines(116.0, 33.0, table, RULES)


def test_a_line_of_35_kv_by_hand():
    """12 MW of wind: 35 kV; 5.56 km x 1.3 of line, two bays, the switching station; 6 %, 20 years, 1 % a year."""
    got = lines(("wind", 12.0)).iloc[0]
    km = float(great_circle_km(116.0, 33.0, np.array([116.0]), np.array([33.05]))[0]) * 1.3
    line = RULES.line(35.0, 12.0)
    cost = km * line.cost_cny_per_km + 2 * RULES.bay_cny(35.0) * line.circuits + RULES.step_up_cny(35.0, 12.0)
    assert (got["line_kv"], got["line_km"]) == (35.0, pytest.approx(km))
    assert got["line_cost_cny"] == pytest.approx(cost * (annuity(0.06, 20.0) + 0.01))


def test_levels_follow_capacity():
    assert lines(("ground", 3.0), ("ground", 50.0), ("ground", 400.0))["line_kv"].tolist() == [10.0, 110.0, 220.0]


def test_a_roof_beyond_its_rules_takes_the_levels_of_ground_plants():
    assert lines(("roof", 80.0))["line_kv"].tolist() == [110.0]
    assert lines(("roof", 0.1))["line_kv"].tolist() == [10.0]


def test_what_no_level_takes_has_no_line():
    assert lines(("ground", 5000.0))["line_cost_cny"].isna().tolist() == [True]
