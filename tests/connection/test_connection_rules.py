"""Connection: rule table, least cost instead of nearest, reach, headroom, reasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gridstudy_networks import bus, infeed, line, network, station, unit

from grid.connections.headroom import headroom_mw
from grid.connections.rules import Rules, feasible_levels, great_circle_km, read_reach
from grid.connections.study import study_connections
from grid.contracts import CONNECTIONS, Case
from grid.standards_tables import standard_table

NOON = Case("noon", "", "", 0.5, 0.8, 0.1)
NIGHT = Case("night", "", "", 0.4, 0.0, 0.9)
CASES = (NOON, NIGHT)
RULES = standard_table("connection_voltage")
KM_PER_DEGREE_LAT = 111.195


def _network():
    """Stations A (near, 0.1 degree north of the site) and B (0.2 degree south), each 220/110/10 kV."""
    buses, units = [], []
    for s in ("A", "B"):
        buses += [bus(f"{s}/220", 220), bus(f"{s}/110", 110), bus(f"{s}/10", 10)]
        units += [
            unit(f"{s}#1", f"{s}/220", f"{s}/110", 180, 220, 115),
            unit(f"{s}#2", f"{s}/110", f"{s}/10", 50, 110, 10.5),
        ]
    return network(
        "ab",
        stations=[station("A", 220.0, 116.0, 33.1), station("B", 220.0, 116.0, 32.8)],
        buses=buses,
        lines=[line("AB", "A/220", "B/220", 30)],
        units=units,
        infeeds=[infeed("A/220")],
    )


def _hosting(capacity: dict[str, float], case_ids=("noon", "night")) -> pd.DataFrame:
    rows = [
        (b, b.split("/")[0], case, mode, mw, "line_loading", "AB", "", True)
        for b, mw in capacity.items()
        for case in case_ids
        for mode in ("n_0", "n_1")
    ]
    columns = [
        "bus_id",
        "station_id",
        "case",
        "mode",
        "capacity_mw",
        "limit",
        "binding_element",
        "binding_outage",
        "certified",
    ]
    return pd.DataFrame(rows, columns=columns)


def _candidates(*rows) -> pd.DataFrame:
    columns = ["candidate_id", "lon", "lat", "kind", "technology", "grid_capacity_mw"]
    return pd.DataFrame(rows, columns=columns)


def connect_candidates(candidates, net, hosting, cases, **rules):
    """Connections on straight lines, each station with bays enough."""
    return study_connections(candidates, net, hosting, cases, rules=Rules(**rules)).connections


ROOMY = {f"{s}/{v}": 400.0 for s in "AB" for v in (220, 110, 10)}


@pytest.mark.parametrize(
    ("kind", "mw", "levels"),
    [
        ("ground", 5.0, [10.0]),
        ("ground", 5.5, [10.0, 110.0]),  # 10 kV up to 6 MW; 35 kV from 5 MW is not modelled, 110 kV takes it
        ("ground", 6.0, [10.0, 110.0]),
        ("ground", 15.0, [110.0]),
        ("ground", 60.0, [110.0]),
        ("ground", 120.0, [110.0, 220.0]),
        ("wind", 300.0, [220.0]),
        ("wind", 900.0, [220.0]),  # 500 kV is not modelled and nothing lies above
        ("wind", 3000.0, []),
        ("roof", 0.3, [10.0]),
        ("roof", 45.0, [10.0]),
    ],
)
def test_feasible_levels_truth_table(kind, mw, levels):
    assert feasible_levels(kind, mw, [220.0, 110.0, 10.0], RULES) == levels


def test_level_that_is_not_modelled_goes_to_the_next_one_up():
    assert feasible_levels("roof", 3.0, [500.0, 220.0], RULES) == [220.0]
    assert feasible_levels("ground", 15.0, [500.0, 220.0], RULES) == [220.0]


def test_trap_nearest_bus_is_not_taken_when_it_has_no_room():
    """A is 14.5 km away and full, B 28.9 km: 30 MW short cost 30 x 170 000 at A, the longer line costs less."""
    site = _candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0))
    full = ROOMY | {"A/110": 0.0}
    dear = standard_table("unit_costs")
    dear.loc[dear["kind"] == "add_transformer", "cost_cny"] = 1e6
    roomy = connect_candidates(site, _network(), _hosting(ROOMY), CASES).iloc[0]
    short = connect_candidates(site, _network(), _hosting(full), CASES, costs=dear).iloc[0]
    assert (roomy.bus_id, short.bus_id) == ("A/110", "B/110")
    assert short.alternatives == 2
    assert "lacks 30.0 MW" in short.reason_en
    assert "裕度缺 30.0 MW" in short.reason_zh


def test_cost_and_length_by_hand():
    """0.1 degree of latitude x 1.3 = 14.455 km; 110 kV 185/30 carries 30 MW at 600 000 a km; a bay 3 000 000."""
    site = _candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0))
    got = connect_candidates(site, _network(), _hosting(ROOMY), CASES).iloc[0]
    km = 0.1 * KM_PER_DEGREE_LAT * 1.3
    assert got.length_km == pytest.approx(km, rel=1e-4)
    assert got.line_type == "110 kV 185/30"
    assert got.connection_cost_cny == pytest.approx(km * 600_000 + 3_000_000, rel=1e-4)


def test_large_plant_takes_a_line_that_carries_it():
    rules = Rules()
    small, large = rules.line(110.0, 30.0), rules.line(110.0, 149.0)
    assert small.circuits == 1
    assert large.cost_cny_per_km > small.cost_cny_per_km
    assert rules.line(10.0, 9.0).circuits == 2
    with pytest.raises(KeyError, match="66 kV"):
        rules.line(66.0, 10.0)


def test_headroom_divides_by_the_share_and_takes_the_worst_case():
    """40 MW at noon with PV at 0.8 is 50 MW of PV; wind is limited by the night: 40 / 0.9."""
    frame = _hosting({"A/10": 40.0})
    assert headroom_mw(frame, CASES, "pv_roof")["A/10"] == pytest.approx(50.0)
    assert headroom_mw(frame, CASES, "wind_onshore")["A/10"] == pytest.approx(40 / 0.9)
    assert headroom_mw(frame, (NIGHT,), "pv_roof").iloc[0] == np.inf


def test_candidates_share_the_headroom_of_a_bus():
    """40 MW of room at A's 10 kV bus: the largest roof and one more take it, the third goes to B."""
    sites = _candidates(
        ("a", 116.0, 33.0, "roof", "pv_roof", 10.0),
        ("b", 116.0, 33.0, "roof", "pv_roof", 25.0),
        ("c", 116.0, 33.0, "roof", "pv_roof", 15.0),
    )
    reach = pd.DataFrame({"vn_kv": [10.0], "max_length_km": [60.0], "circuit_mva": [8.0], "detour_factor": [1.3]})
    hosting = _hosting({"A/10": 32.0, "B/10": 400.0})
    costs = standard_table("unit_costs")
    costs.loc[costs["kind"] == "add_transformer", "cost_cny"] = 2e6
    got = connect_candidates(sites, _network(), hosting, CASES, costs=costs, reach=read_reach(reach)).set_index(
        "candidate_id"
    )
    assert list(got.index) == ["a", "b", "c"]
    # 50 MW want the 40 of A: b stays with one of the others, and to move a or c costs two circuits either way
    assert got.loc["b", "bus_id"] == "A/10"
    assert {got.loc["a", "bus_id"], got.loc["c", "bus_id"]} == {"A/10", "B/10"}


def test_roofs_pay_no_line_and_say_so():
    site = _candidates(("r", 116.0, 33.05, "roof", "pv_roof", 12.0))
    got = connect_candidates(site, _network(), _hosting(ROOMY), CASES).iloc[0]
    assert (got.vn_kv, got.connection_cost_cny, got.line_type) == (10.0, 0.0, "existing feeder")
    assert "existing feeders" in got.reason_en


def test_out_of_reach_is_no_connection():
    site = _candidates(("far", 120.0, 40.0, "ground", "pv_ground", 4.0))
    got = CONNECTIONS.validate(connect_candidates(site, _network(), _hosting(ROOMY), CASES)).iloc[0]
    assert (got.station_id, got.bus_id, got.alternatives) == ("", "", 0)
    assert np.isnan(got.connection_cost_cny)
    assert got.reason_zh


def test_no_candidates_no_rows():
    assert connect_candidates(_candidates(), _network(), _hosting(ROOMY), CASES).empty


def test_great_circle():
    """One degree of latitude on the mean sphere is 111.195 km."""
    assert great_circle_km(116.0, 33.0, np.array([116.0]), np.array([34.0]))[0] == pytest.approx(111.195, abs=0.001)
