"""The reference network: structure, sizes, security by two engines, determinism, refusals."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from gridbuild_samples import BOZHOU_DISTRICTS, bozhou_spec, load_points

from grid.checks import check_network
from grid.contracts import Network
from grid.reference.design import Corridor, Design
from grid.reference.security import outage_factors, screened_loading
from grid.reference_network import (
    DESIGN_CASES,
    SUMMER_PEAK,
    NamedStation,
    ReferenceGridSpec,
    build_reference_network,
    security_breaches,
)
from grid.standards_tables import capacity_load_ratio, voltage_band
from layers.contracts import InputError


@pytest.fixture(scope="module")
def bozhou() -> Network:
    return build_reference_network(bozhou_spec(), load_points())


@pytest.fixture(scope="module")
def county() -> Network:
    return build_reference_network(ReferenceGridSpec("county", 300.0), load_points(BOZHOU_DISTRICTS[:1], 20))


def buses_of(network: Network, vn_kv: float) -> pd.DataFrame:
    return network.buses[network.buses["vn_kv"] == vn_kv]


def test_size_and_levels(bozhou):
    assert 100 <= len(bozhou.buses) <= 130
    assert sorted(bozhou.buses["vn_kv"].unique()) == [10.0, 110.0, 220.0, 500.0]
    assert str(bozhou.origin) == "generated"


def test_loads_add_up_to_the_peak_on_10_kv_buses(bozhou):
    assert bozhou.loads["p_mw"].sum() == pytest.approx(4000.0)
    assert set(bozhou.loads["bus_id"]) == set(buses_of(bozhou, 10.0)["bus_id"])
    power_factor = bozhou.loads["p_mw"] / np.hypot(bozhou.loads["p_mw"], bozhou.loads["q_mvar"])
    assert (power_factor >= 0.98 - 1e-9).all()
    assert (bozhou.loads["q_mvar"] >= 0).all()


def test_stations_are_about_equally_loaded(bozhou):
    # split points are at most a sixth of a mean station, and a district's stations are a whole number
    mean = bozhou.loads["p_mw"].mean()
    assert bozhou.loads["p_mw"].between(0.7 * mean, 1.3 * mean).all()


def test_every_110_kv_station_has_two_feeds(bozhou):
    lines, sides = bozhou.lines, []
    for bus in buses_of(bozhou, 10.0)["bus_id"]:
        station = bus.rsplit("/", 1)[0]
        ends = lines[(lines["from_bus"] == f"{station}/110") | (lines["to_bus"] == f"{station}/110")]
        assert len(ends) >= 2
        sides.append(ends["corridor_id"].nunique())
    # from two stations, except where the second is more than three times as far as the nearest
    assert np.mean(np.array(sides) == 2) > 0.8


def test_named_stations_are_there_with_their_district(bozhou):
    names = bozhou.stations.set_index("name_en")
    for station in bozhou_spec().stations:
        row = names.loc[station.name_en]
        assert row["vn_kv"] == station.vn_kv
        assert row["district_code"] == station.district_code
        assert row["in_region"] == (station.status != "outside")
    assert (names.loc["Gujing", "lon"], names.loc["Gujing", "lat"]) == (115.6, 33.95)
    assert names.loc["Gujing", "origin"] == "mapped"
    assert names.loc["Bijie", "origin"] == "assumed"
    # Mengcheng's centre is 116.63 E, 33.21 N, its radius 26 km
    away_km = np.hypot((names.loc["Bijie", "lon"] - 116.6317) * 93, (names.loc["Bijie", "lat"] - 33.2099) * 111)
    assert away_km < 26


def test_generated_names_carry_district_and_number(bozhou):
    generated = bozhou.stations[bozhou.stations["origin"] == "generated"]
    assert len(generated) > 30
    assert generated["name_en"].str.match(r"(Qiaocheng|Guoyang|Mengcheng|Lixin) \d+ kV no\. \d+ \(generated\)").all()
    assert generated["name_en"].is_unique


@pytest.mark.parametrize("vn_kv", [500.0, 220.0, 110.0])
def test_capacity_load_ratio_of_each_level(bozhou, vn_kv):
    units = bozhou.transformers.merge(bozhou.buses, left_on="hv_bus", right_on="bus_id")
    installed = units.loc[units["vn_kv"] == vn_kv, "sn_mva"].sum()
    low, high = capacity_load_ratio(vn_kv, 5.0)
    # standard sizes are steps, and N-1 may ask for more than the ratio
    assert low <= installed / 4000.0 <= high * 1.35


def test_no_breach_in_any_design_case(bozhou):
    assert security_breaches(bozhou, DESIGN_CASES) == ()
    (security,) = [a for a in bozhou.assumptions if a.id == "reference.security"]
    assert security.value == "secure"


@pytest.mark.parametrize("case", DESIGN_CASES, ids=lambda case: case.id)
def test_base_state_by_pandapower_keeps_every_band(bozhou, case):
    from grid.pandapower_net import solve_pandapower, to_pandapower

    net = to_pandapower(bozhou, case)
    assert solve_pandapower(net, enforce_q_lims=True)
    assert net.res_line["loading_percent"].max() <= 100
    assert net.res_trafo["loading_percent"].max() <= 100
    assert (net.res_bus["vm_pu"] >= net.bus["min_vm_pu"] - 1e-4).all()
    assert (net.res_bus["vm_pu"] <= net.bus["max_vm_pu"] + 1e-4).all()
    assert net.res_load["p_mw"].sum() == pytest.approx(4000.0 * case.load_share)


def test_outages_by_pandapower_at_peak(bozhou):
    """Second engine: the twelve outages with the highest screened consequence, and some of each level."""
    from grid.pandapower_net import solve_pandapower, to_pandapower

    net = to_pandapower(bozhou, SUMMER_PEAK)
    assert solve_pandapower(net)
    heavy_lines = net.res_line["loading_percent"].nlargest(8).index
    heavy_units = net.res_trafo["loading_percent"].nlargest(4).index
    for table, index in [(net.line, k) for k in heavy_lines] + [(net.trafo, k) for k in heavy_units]:
        table.at[index, "in_service"] = False
        assert solve_pandapower(net, enforce_q_lims=True)
        assert net.res_line["loading_percent"].max() <= 100.01
        assert net.res_trafo["loading_percent"].max() <= 100.01
        for vn_kv in (220.0, 110.0, 10.0):
            vm = net.res_bus.loc[net.bus["vn_kv"] == vn_kv, "vm_pu"]
            low, high = voltage_band(vn_kv, "post_fault")
            assert low - 1e-4 <= vm.min()
            assert vm.max() <= high + 1e-4
        assert net.res_load["p_mw"].sum() == pytest.approx(4000.0)
        table.at[index, "in_service"] = True


def test_a_weakened_network_is_not_called_secure(bozhou):
    """The security check can fail: with all but one circuit a corridor, outages cut off load or overload."""
    from dataclasses import replace

    first = bozhou.lines[bozhou.lines["line_id"].str.startswith("L110")].drop_duplicates("to_bus")
    upper = bozhou.lines[~bozhou.lines["line_id"].str.startswith("L110")]
    weak = replace(bozhou, lines=pd.concat([upper, first], ignore_index=True))
    kinds = {b.kind for b in security_breaches(weak, (SUMMER_PEAK,))}
    assert "lost_load" in kinds


def test_the_checks_find_nothing_wrong(bozhou, county):
    for network in (bozhou, county):
        assert [f for f in check_network(network) if f.severity == "error"] == []


def test_assumptions_are_bilingual_and_sourced(bozhou):
    assert len({a.id for a in bozhou.assumptions}) == len(bozhou.assumptions)
    for a in bozhou.assumptions:
        assert a.text_zh
        assert a.text_en
        assert a.source
        assert a.confidence in "ABC"
    subjects = {a.subject for a in bozhou.assumptions}
    assert {"Qiaocheng", "Banji power plant", "load", "topology"} <= subjects
    assert "Gujing" not in subjects  # its position was given


def test_plants_of_synchronous_machines_are_tied_twice(bozhou):
    tied = bozhou.lines[bozhou.lines["to_bus"].str.startswith("P-banji")]
    assert len(tied) >= 2
    plant = bozhou.generators.set_index("name_en").loc["Banji power plant"]
    assert plant["control"] == "voltage"
    assert plant["q_max_mvar"] == pytest.approx(0.33 * 2000)


def test_same_input_same_tables_in_any_row_order(county):
    points = load_points(BOZHOU_DISTRICTS[:1], 20).sample(frac=1.0, random_state=3)
    again = build_reference_network(ReferenceGridSpec("county", 300.0), points)
    for field in fields(Network):
        first, second = getattr(county, field.name), getattr(again, field.name)
        if isinstance(first, pd.DataFrame):
            pd.testing.assert_frame_equal(first, second, check_exact=True)
        else:
            assert first == second


def test_only_the_levels_that_the_peak_needs(county):
    assert sorted(county.buses["vn_kv"].unique()) == [10.0, 110.0, 220.0]
    assert len(county.infeeds) == 2
    assert county.infeeds["slack_weight"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("peak_mw", [0.5, 12.0, 90.0])
def test_village(peak_mw):
    points = pd.DataFrame({"lon": [116.1], "lat": [33.1], "p_mw": [1.0], "district_code": ["village"]})
    network = build_reference_network(ReferenceGridSpec("village", peak_mw), points)
    assert len(network.loads) == 1
    assert len(network.lines) == 2
    assert len(network.transformers) >= 2
    assert security_breaches(network, DESIGN_CASES) == ()


def test_seven_counties_without_one_plant():
    """A sparse region: longer lines, more levels, still secure."""
    districts = [
        (f"{k}", f"县{k}", f"County {k}", 114 + 0.6 * (k % 3), 33 + 0.5 * (k // 3), 800, 2500) for k in range(7)
    ]
    network = build_reference_network(ReferenceGridSpec("seven", 2500.0), load_points(districts, 12, seed=5))
    assert {a.value for a in network.assumptions if a.id == "reference.security"} == {"secure"}


def test_reactors_take_the_charging_of_500_kv_lines(bozhou):
    from grid.line_parameters import line_type_parameters

    share = bozhou.lines["c_nf_per_km"] / bozhou.lines["line_type"].map(line_type_parameters()["c_nf_per_km"])
    top = bozhou.lines["from_bus"].str.endswith("/500")
    assert share[top].between(0.21 - 1e-9, 0.25 + 1e-9).all()
    assert (share[~top] == 1).all()
    assert bozhou.lines.loc[top, "note"].str.contains("shunt reactors").all()


# --- refusals ---------------------------------------------------------------------------------------------------


def test_bad_input_is_named_all_at_once():
    points = load_points(BOZHOU_DISTRICTS[:1], 5)
    points.loc[1, "p_mw"] = -4.0
    points.loc[2, "lon"] = np.nan
    stations = (
        NamedStation("甲", "Alpha", 110, "999999"),
        NamedStation("乙", "Beta", 220, "341602"),
        NamedStation("丙", "beta", 220, "341602"),
    )
    with pytest.raises(InputError) as error:
        build_reference_network(ReferenceGridSpec("bad", 300.0, stations), points)
    found = {(f.rule, f.item) for f in error.value.findings}
    assert found == {
        ("reference.value", "row 1, p_mw"),
        ("reference.value", "row 2, lon"),
        ("reference.district", "Alpha"),
        ("reference.duplicate", "beta"),
    }
    assert all(f.remedy for f in error.value.findings)


def test_missing_columns_and_no_load():
    with pytest.raises(InputError, match="district_code"):
        build_reference_network(ReferenceGridSpec("bad", 300.0), pd.DataFrame({"lon": [1.0], "lat": [1.0]}))
    points = load_points(BOZHOU_DISTRICTS[:1], 3).assign(p_mw=0.0)
    with pytest.raises(InputError, match=r"reference\.no_load"):
        build_reference_network(ReferenceGridSpec("bad", 300.0), points)
    with pytest.raises(ValueError, match="peak_load_mw"):
        ReferenceGridSpec("bad", 0.0)


# --- the fast sieve ---------------------------------------------------------------------------------------------


def test_outage_factors_of_a_triangle_by_hand():
    """Three equal lines in a ring: the flow of a lost line takes the only other way, so every factor is 1 in size."""
    from grid.admittance import compile_model
    from grid.reference.design import Infeed, Load, Station, to_network
    from layers.contracts import Origin

    def station(name: str) -> Station:
        return Station(name, name, name, 110.0, 116.0, 33.0, "", True, Origin.GENERATED, "", (110.0,))

    sides = [("a", "b"), ("b", "c"), ("a", "c")]
    design = Design(
        name="ring",
        stations=tuple(station(s) for s in "abc"),
        corridors=tuple(Corridor(i, j, 110.0, 10.0, "110 kV 300/40", 1) for i, j in sides),
        banks=(),
        loads=(Load("b", 30.0, 5.0, 110.0),),
        plants=(),
        infeeds=(Infeed("a", 110.0, 1.0, 1.0, 1000.0, ""),),
        assumptions=(),
    )
    factors = outage_factors(compile_model(to_network(design)), 0)
    # lines ab, bc, ac: losing ab sends its flow over ac and, against bc's direction, over bc
    np.testing.assert_allclose(factors[:, 0][1:], [-1.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(np.abs(factors[~np.eye(3, dtype=bool)]), 1.0, atol=1e-9)


def test_screen_is_close_to_the_ac_sweep(county):
    from grid.engine import Engine

    engine = Engine(county, SUMMER_PEAK)
    base = engine.solve()
    exact = np.zeros(engine.model.n_branch)
    for outage in engine.model.element_ids:
        state = engine.solve(outage=outage, start=base.voltage)
        exact = np.fmax(exact, state.loading_percent)
    screened = screened_loading(engine, base)
    heavy = exact > 40
    assert heavy.sum() >= 3
    np.testing.assert_allclose(screened[heavy], exact[heavy], rtol=0.12)
