"""Connections at stations that do not stand yet: by the rules of those that do; which the plan may choose."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "connection"))
from test_connection_joint import bays, study
from test_connection_rules import CASES, _candidates, _hosting, _network

from grid.connections.bays import KnownBays
from grid.connections.planned import planned_connections
from grid.connections.rules import Rules
from grid.connections.study import study_connections
from grid.measures.apply import apply_measures
from grid.measures.contracts import PlannedStation
from study.plan.measures import stations_on_offer
from study.plan.station_access import SITES_PER_BAY, station_accesses

NEW = PlannedStation("new001", "新一", "One", 220.0, 116.05, 32.95)
"""Beside the line A-B, 220 kV with units to 110 kV."""
SITES = _candidates(
    ("small", 116.0, 32.95, "ground", "pv_ground", 25.0),  # 35 kV by rule; the network has 110 kV
    ("middle", 116.02, 32.95, "ground", "pv_ground", 60.0),
    ("both", 116.04, 32.93, "wind", "wind_onshore", 120.0),
    ("large", 116.06, 32.95, "wind", "wind_onshore", 300.0),
)


def built():
    """The network with the station, and what builds it."""
    measures = stations_on_offer(_network(), [NEW])
    return apply_measures(_network(), measures), measures


def planned(sites=SITES, known=(), most=2):
    return planned_connections(sites, built()[0], ["new001"], CASES, known_bays=known, most_per_candidate=most)


def test_levels_bays_and_lines_are_those_of_a_station_that_stands():
    got = planned()
    levels = got.options.groupby("candidate_id").vn_kv.apply(sorted).to_dict()
    assert levels == {"small": [110.0], "middle": [110.0], "both": [110.0, 220.0], "large": [220.0]}
    free = got.bay_limits.set_index("vn_kv").bays_free.to_dict()
    # 8 bays less 2 kept and 2 of the loop; 12 less 2, no line of 110 kV to loop in
    assert (free[220.0], free[110.0]) == (4, 10)
    standing = study_connections(SITES, built()[0], _hosting({}), CASES, rules=Rules(), grouping=False).options
    columns = ["option_id", "bus_id", "vn_kv", "length_km", "line_type", "circuits", "bays", "line_cny", "bay_cny"]
    there = standing[standing["station_id"] == "new001"].set_index("option_id").loc[got.options["option_id"]]
    pd.testing.assert_frame_equal(got.options[columns], there.reset_index()[columns])
    assert set(got.tie_lines["tie_line_id"]) == set(got.options["option_id"])


def test_the_cheapest_points_are_kept_and_none_without_a_bay():
    assert planned(most=1).options.groupby("candidate_id").size().max() == 1
    assert set(planned(known=[KnownBays("new001", 110.0, 0, "told")]).options["vn_kv"]) == {220.0}


def test_nothing_is_offered_where_the_station_stands_already():
    standing = PlannedStation("new001", "A变", "A", 220.0, 116.0, 33.1)
    assert stations_on_offer(_network(), [standing]).empty


def test_an_access_costs_line_bay_and_what_the_step_up_station_costs_more():
    got = planned()
    one = study(SITES, [*bays(9, 9), *bays(9, 9, 220.0)])
    accesses = station_accesses(got, one, built()[1], 0.1)
    assert set(accesses.of_candidate) == set(SITES["candidate_id"])
    options = got.options.set_index("option_id")
    first = one.options.set_index("option_id").loc[one.tie_lines["tie_line_id"]].set_index("candidate_id")
    for candidate, found in accesses.of_candidate.items():
        for access in found:
            row = options.loc[access.id]
            step_up = max(0.0, row.rank_cny - first.rank_cny[candidate])
            assert access.fixed_cny_per_a == pytest.approx(0.1 * (row.line_cny + row.bay_cny + step_up))
            assert (access.requires, access.bays) == ("new_station_220:new001", row.bays)
            assert accesses.places[access.id].station_id == "new001"
    assert accesses.bays == {"new001/110": 10, "new001/220": 4}


def test_of_many_sites_those_enter_whose_connection_gets_dearer_by_the_least():
    """Ten sites in a row away from the station, one bay: the five nearest may choose it."""
    sites = _candidates(*((f"s{k}", 116.05 + 0.02 * k, 32.95, "ground", "pv_ground", 60.0) for k in range(10)))
    got = planned(sites, known=[KnownBays("new001", 110.0, 1, "told")])
    one = study(sites, bays(9, 9))
    accesses = station_accesses(got, one, built()[1], 0.1)
    dearer = {
        c: found[0].fixed_cny_per_a / 0.1 - one.connections.set_index("candidate_id").connection_cost_cny[c]
        for c, found in accesses.of_candidate.items()
    }
    assert len(dearer) == SITES_PER_BAY
    others = got.options[~got.options["candidate_id"].isin(dearer)].set_index("candidate_id")
    paid = one.connections.set_index("candidate_id").connection_cost_cny
    assert max(dearer.values()) <= (others["line_cny"] + others["bay_cny"] - paid[others.index]).min() + 1e-6


def test_who_has_no_point_in_the_joint_choice_gets_none_here():
    one = study(SITES, [*bays(0, 0), *bays(9, 9, 220.0)])
    got = station_accesses(planned(), one, built()[1], 0.1)
    assert set(got.of_candidate) == {"both", "large"}
