"""The joint choice: bays, collectors, headroom; against enumeration; reasons and the map layer."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import shapely
from gridstudy_networks import bus, infeed, line, network, station, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from test_connection_rules import CASES, ROOMY, _candidates, _hosting, _network

from grid.connections.bays import KnownBays, bay_limits
from grid.connections.choice import LEFT_OUT_MCNY, MCNY, choose
from grid.connections.contracts import COLLECTORS, TIE_LINES
from grid.connections.options import own_options
from grid.connections.rules import Rules, great_circle_km
from grid.connections.study import study_connections
from grid.connections.terrain import RouteTerrain
from layers.frame import Frame

NO_BAYS_10 = [KnownBays("A", 10.0, 9), KnownBays("B", 10.0, 9)]


def bays(a, b, vn=110.0):
    return [KnownBays("A", vn, a, "told"), KnownBays("B", vn, b, "told")]


def study(sites, known=(), grouping=False, hosting=ROOMY, **options):
    return study_connections(
        sites, _network(), _hosting(hosting), CASES, known_bays=known, grouping=grouping, **options
    )


def sites_near_a(*megawatts, lat=33.0):
    rows = [(f"s{k}", 116.0 + 0.01 * k, lat, "ground", "pv_ground", mw) for k, mw in enumerate(megawatts)]
    return _candidates(*rows)


def test_one_bay_goes_to_the_site_that_saves_most_with_it():
    """Both sites are nearer to A, which has one bay; s1 is so far north that B costs it more: s1 keeps A."""
    sites = _candidates(
        ("s0", 116.0, 33.0, "ground", "pv_ground", 30.0),
        ("s1", 116.0, 33.05, "ground", "pv_ground", 30.0),
    )
    both = study(sites, bays(2, 2)).connections.set_index("candidate_id").bus_id
    one = study(sites, bays(1, 2)).connections.set_index("candidate_id").bus_id
    assert dict(both) == {"s0": "A/110", "s1": "A/110"}
    assert dict(one) == {"s0": "B/110", "s1": "A/110"}


def test_the_reason_says_what_the_nearest_lacked():
    sites = sites_near_a(30.0, 30.0)
    got = study(sites, bays(1, 2)).connections.set_index("candidate_id")
    away = got[got.bus_id == "B/110"].iloc[0]
    assert "the nearest, A 110 kV" in away.reason_en
    assert "serves others better" in away.reason_en
    assert "最近的A变 110 kV" in away.reason_zh


def test_without_a_bay_there_is_no_connection_and_it_says_so():
    got = study(sites_near_a(30.0), bays(0, 0))
    row = got.connections.iloc[0]
    assert (row.bus_id, row.alternatives) == ("", 0)
    assert "none of the 2 points within reach has a bay left" in row.reason_en
    assert not got.options.feasible.any()
    assert set(got.options.reason_en) == {"no bay left at 110 kV (1 needed, 0 free)"}
    crowded = study(sites_near_a(30.0, 30.0, 30.0), bays(1, 1)).connections
    assert (crowded.bus_id == "").sum() == 1
    assert crowded.reason_en[crowded.bus_id == ""].str.contains("all bays within reach are taken").all()


def brute_force(options, limits):
    """Least cost over all assignments that respect the bays, anyone left out at its price; headroom is never short."""
    free = limits.set_index(["station_id", "vn_kv"]).bays_free.to_dict()
    feasible = options[options.feasible]
    per_site = [[*rows.to_dict("records"), None] for _, rows in feasible.groupby("candidate_id")]
    best = np.inf if per_site else 0.0
    for chosen in itertools.product(*per_site):
        used: dict = {}
        for option in filter(None, chosen):
            key = (option["station_id"], option["vn_kv"])
            used[key] = used.get(key, 0) + option["bays"]
        if all(count <= free[key] for key, count in used.items()):
            own = sum(o["line_cny"] + o["bay_cny"] + o["rank_cny"] for o in chosen if o)
            best = min(best, own + chosen.count(None) * LEFT_OUT_MCNY * MCNY)
    return best


def small_problem(seed, n=4, a=2, b=2):
    """Sites at random places around two stations with few bays: what :func:`choose` takes, and the options."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"s{k}", 116 + 0.3 * rng.random(), 32.8 + 0.3 * rng.random(), "ground", "pv_ground", 20 + 60 * rng.random())
        for k in range(n)
    ]
    sites, rules, net, hosting = _candidates(*rows), Rules(), _network(), _hosting(ROOMY)
    limits = bay_limits(net, bays(a, b))
    options = own_options(sites, net, hosting, CASES, limits, rules)
    per_mw = dict.fromkeys(net.buses.bus_id, 1000000.0)
    return options, (options, COLLECTORS.empty(), limits, sites, hosting, CASES, per_mw)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), a=st.integers(0, 3), b=st.integers(0, 3))
def test_joint_choice_is_the_best_of_all_assignments(seed, a, b):
    """Four sites, so many bays at A and B: as cheap as the cheapest assignment, one left out has its price."""
    options, problem = small_problem(seed, a=a, b=b)
    found = choose(*problem)
    sites = options[options.feasible].candidate_id.nunique()
    assert len(found.option_ids) + found.left_out == sites
    best = brute_force(options, problem[2])
    assert found.objective_cny == pytest.approx(best, rel=0.0005, abs=1)
    assert found.best_bound_cny <= found.objective_cny + 1
    assert choose(*problem) == found


def test_neighbourhoods_come_near_the_bound_where_they_do_not_hold_everybody(monkeypatch):
    """Thirty sites in neighbourhoods of five: bays hold, and the choice lies within 2 % of the bound."""
    monkeypatch.setattr("grid.connections.search.NEAR", 5)
    monkeypatch.setattr("grid.connections.search.WIDER", (5, 9))
    options, problem = small_problem(3, n=30, a=8, b=25)
    found = choose(*problem)
    assert found.left_out == 0
    assert found.best_bound_cny - 1 <= found.objective_cny <= 1.02 * found.best_bound_cny
    taken = options[options.option_id.isin(found.option_ids) & (options.vn_kv == 110)]
    used = taken.groupby("station_id").bays.sum()
    assert used.get("A", 0) <= 8
    assert used.get("B", 0) <= 25


def test_fewer_bays_never_cost_less():
    sites = sites_near_a(25.0, 40.0, 60.0)
    costs = [study(sites, bays(n, 3)).objective_cny for n in (3, 2, 1, 0)]
    assert all(a <= b * 1.0201 for a, b in itertools.pairwise(costs))


def test_small_sites_share_a_collector_when_that_is_cheaper():
    """Six sites of 12 MW within 2 km, 45 km of straight line from both stations: one trunk instead of six lines."""
    sites = _candidates(*((f"s{k}", 116.30 + 0.004 * k, 32.95, "wind", "wind_onshore", 12.0) for k in range(6)))
    alone, together = study(sites, bays(9, 9)), study(sites, bays(9, 9), grouping=True)
    assert together.objective_cny < alone.objective_cny
    built = together.collectors[together.collectors.chosen]
    assert len(built) == 1
    assert built.capacity_mw.iloc[0] >= 72
    got = together.connections
    assert got.reason_en.str.contains("to a collector").all()
    assert got.reason_en.str.contains("shared by 6").all()
    assert (got.vn_kv == 110).all()
    assert got.connection_cost_cny.sum() < alone.connections.connection_cost_cny.sum()
    # what the members pay is what is built: own lines and bays, trunk, bay; the station spares dearer step-up stations
    own = together.options[together.options.option_id.isin(together.tie_lines.tie_line_id)]
    paid = own.line_cny.sum() + own.bay_cny.sum() + built.trunk_cny.iloc[0] + built.bay_cny.iloc[0]
    assert got.connection_cost_cny.sum() == pytest.approx(paid)
    trunk = together.tie_lines[together.tie_lines.candidate_id == ""]
    assert list(trunk.tie_line_id) == list(built.collector_id)


def test_a_collector_takes_one_bay_where_six_lines_take_six():
    sites = _candidates(*((f"s{k}", 116.30 + 0.004 * k, 32.95, "wind", "wind_onshore", 12.0) for k in range(6)))
    assert (study(sites, bays(1, 1)).connections.bus_id != "").sum() == 2
    assert (study(sites, bays(1, 1), grouping=True).connections.bus_id != "").all()


def test_large_sites_do_not_join():
    sites = _candidates(*((f"s{k}", 116.30 + 0.004 * k, 32.95, "ground", "pv_ground", 60.0) for k in range(4)))
    assert study(sites, bays(9, 9), grouping=True).collectors.empty


def flat(lon=116.0, lat=32.95, step=500.0, size=160):
    from pyproj import Transformer

    x, y = Transformer.from_crs("EPSG:4326", "EPSG:4548", always_xy=True).transform(lon, lat)
    frame = Frame("EPSG:4548", step, x - size * step / 2, y + size * step / 2, size, size)
    return RouteTerrain(frame, np.ones((size, size), dtype=np.float32), (("forest", "forest"),))


def test_routes_and_their_lines_on_the_map():
    """0.1 degree of latitude is 11.12 km: on plain land the route to A is so long, within a cell and 8 %."""
    sites = _candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0))
    got = study(sites, bays(2, 2), terrain=flat())
    row, tie = got.connections.iloc[0], TIE_LINES.validate(got.tie_lines).iloc[0]
    assert 11.12 - 0.7 <= row.length_km <= 11.12 * 1.083 + 0.7
    assert row.connection_cost_cny == pytest.approx(row.length_km * 600_000 + 3e6, rel=1e-6)
    assert tie.routed
    assert tie.terrain_factor == pytest.approx(1.0)
    path = shapely.from_wkt(tie.path_wkt)
    assert path.coords[0] == pytest.approx((116.0, 33.0))
    assert path.coords[-1] == pytest.approx((116.0, 33.1))
    assert got.fallback_en == ""


def test_without_a_raster_the_straight_line_says_so():
    got = study(_candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0)), bays(2, 2))
    assert "straight line x detour factor" in got.connections.reason_en.iloc[0]
    assert "直线距离乘绕行系数" in got.connections.reason_zh.iloc[0]
    assert got.fallback_en
    assert not got.options.routed.any()
    off = study(_candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0)), bays(2, 2), terrain=flat(110.0, 30.0))
    assert not off.options.routed.any()


def test_a_river_that_must_be_crossed_makes_the_other_station_cheaper():
    """Rows between the site and A cost forty-fold: B, twice as far, is taken, and the list says that A costs more."""
    sites = _candidates(("c", 116.0, 33.0, "ground", "pv_ground", 30.0))
    plain = flat()
    row, _ = plain.cell(116.0, 33.05)
    factor = plain.factor.copy()
    factor[row - 1 : row + 2] = 40.0
    got = study(sites, bays(2, 2), terrain=RouteTerrain(plain.frame, factor, plain.used))
    assert study(sites, bays(2, 2), terrain=plain).connections.bus_id.iloc[0] == "A/110"
    assert got.connections.bus_id.iloc[0] == "B/110"
    assert "the nearest, A 110 kV" in got.connections.reason_en.iloc[0]
    assert "costs more" in got.connections.reason_en.iloc[0]


def test_bays_by_the_table():
    """A 110 kV station with four bays and one line has three left; what the study says stands before it."""
    net = network(
        "bays",
        stations=[station("A", 110.0), station("B", 110.0, 116.2)],
        buses=[bus("A/110", 110), bus("A/10", 10), bus("B/110", 110), bus("B/6", 6)],
        lines=[line("AB", "A/110", "B/110", 10)],
        units=[unit("A#1", "A/110", "A/10", 50, 110, 10.5)],
        infeeds=[infeed("B/110")],
    )
    got = bay_limits(net, [KnownBays("B变", 110.0, 0, "site visit")]).set_index(["station_id", "vn_kv"])
    assert got.bays_free[("A", 110.0)] == 3
    assert got.bays_free[("A", 10.0)] == 6
    assert (got.bays_free[("B", 110.0)], got.source[("B", 110.0)]) == (0, "site visit")


def test_many_candidates_have_options_from_one_search_a_station():
    rng = np.random.default_rng(1)
    n = 300
    sites = pd.DataFrame(
        {
            "candidate_id": [f"c{k:03d}" for k in range(n)],
            "lon": 116 + 0.3 * rng.random(n),
            "lat": 32.8 + 0.3 * rng.random(n),
            "kind": "ground",
            "technology": "pv_ground",
            "grid_capacity_mw": rng.uniform(20, 140, n),
        }
    )
    net = _network()
    from grid.connections.routes import Router, opened

    router = Router(opened(flat(), sites["lon"].to_numpy(), sites["lat"].to_numpy()))
    options = own_options(sites, net, _hosting(ROOMY), CASES, bay_limits(net), Rules(), router)
    assert options.candidate_id.nunique() == n
    assert len(router._fields) == len(net.stations)
    k = options.iloc[17]
    site, at = (
        sites.set_index("candidate_id").loc[k.candidate_id],
        net.stations.set_index("station_id").loc[k.station_id],
    )
    straight = great_circle_km(site["lon"], site["lat"], np.array([at["lon"]]), np.array([at["lat"]]))[0]
    assert straight - 1 <= k.length_km <= 1.09 * straight + 1


def test_nobody_to_connect():
    got = study(_candidates(), grouping=True)
    assert got.connections.empty
    assert got.objective_cny == 0


def test_the_choice_is_the_table_of_connections_and_says_what_it_is_worth():
    """The stage's table of connections is the joint one; the summary holds cost, bound, gap and who is left out."""
    from types import SimpleNamespace

    from study.network.connect import compute_connections

    joint = study(sites_near_a(30.0, 30.0, 30.0), bays(1, 1))
    told = joint.summary().iloc[0]
    assert (told.connected, told.left_out, told.collectors) == (2, 1, 0)
    assert told.gap_percent >= 0
    assert compute_connections(SimpleNamespace(get={"connection_study": joint}.get)) is joint.connections
