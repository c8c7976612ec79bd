"""The year of hours: which plants feed where, around which state, with which ratings; by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import study_samples as samples

from grid.contracts import Case, FuelShare
from siting.yields.hourly_store import HourlyStore
from study.network.year import line_factors, mean_case, new_plants_mw


def test_conventional_plants_run_at_the_mean_of_the_cases():
    day = Case("d", "", "", 1.0, 0.9, 0.2, (FuelShare("coal", 0.4),), "transition")
    night = Case("n", "", "", 0.5, 0.0, 0.9, (FuelShare("coal", 0.8), FuelShare("hydro", 0.6)), "winter")
    mean = mean_case((day, night), 0.62)
    shares = {s.fuel: s.share for s in mean.fuel_shares}
    assert shares == {"coal": pytest.approx(0.6), "hydro": pytest.approx(0.3), "pv": 0.0, "wind": 0.0}
    assert (mean.load_share, mean.pv_share, mean.wind_share, mean.season) == (0.62, 0.0, 0.0, "summer")


def test_accepted_plants_feed_at_their_bus_by_their_profile():
    network = samples.small_network()
    first, second = network.buses["bus_id"].iloc[:2]
    store = HourlyStore(
        ("w/pv", "w/wind"), pd.date_range("2023-01-01", periods=3, freq="h", tz="Etc/GMT-8"),
        np.array([[0.0, 0.5, 1.0], [0.2, 0.2, 0.8]], np.float32),
        pd.DataFrame({"candidate_id": ["A", "B", "C"], "variant_id": ["w/pv", "w/pv", "w/wind"],
                      "capacity_mw": [40.0, 20.0, 9.0]}),
    )  # fmt: skip
    candidates = pd.DataFrame({"candidate_id": ["A", "B", "C"], "grid_capacity_mw": [40.0, 20.0, 10.0]})
    connections = pd.DataFrame({"candidate_id": ["A", "B", "C"], "bus_id": [first, second, second]})
    verdicts = pd.DataFrame({"candidate_id": ["A", "B", "C"], "accepted_mw": [40.0, 0.0, 5.0]})
    power = new_plants_mw(network, store, connections, verdicts, candidates, 3)
    # A in full; B refused; C by half, and its own yield factor 9/10 counts
    assert power[0] == pytest.approx([0, 20, 40])
    assert power[1] == pytest.approx([0.9, 0.9, 3.6])
    assert power[2:].sum() == 0


def test_lines_carry_more_in_the_cool_months():
    factors = line_factors(pd.DatetimeIndex([]), 8760)
    assert factors[24 * 200] == 1.0  # July
    assert factors[0] > factors[24 * 100] > 1.0  # January, April
