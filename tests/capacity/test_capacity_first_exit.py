"""First exits against closed forms, a scan with the full load flow, and pandapower."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from capacity_cases import Oracle, matpower_case, plus_plant, rated, two_buses

from grid.capacity.settings import CapacitySettings, PlantControl
from grid.capacity.study import HostingRequest, HostingResult, hosting_study
from grid.model.contracts import BusBranch
from grid.solve_records import SolveOptions

SAME = CapacitySettings(tolerate_base=True, transformer_n_1_percent=100.0, rating_n_1="a")


def study(case: BusBranch, buses: tuple[int, ...], settings: CapacitySettings = SAME, **more: object) -> HostingResult:
    return hosting_study({"base": case}, HostingRequest(settings, buses, **more))  # type: ignore[arg-type]


def row(result: HostingResult, bus: int, mode: str) -> dict[str, object]:
    table = result.cases
    return table[(table["bus_id"] == bus) & (table["mode"] == mode)].iloc[0].to_dict()


def test_two_buses_thermal_closed_form():
    # lossless: P = V1 V2 sin(d) / x with Q2 = 0 means V2 = cos d (V1 = 1); current |I| = P / V2 = sin(d) / x.
    # rating 50 MVA: sin d = 0.5 * 0.1 = 0.05; P = sin d cos d / x = 0.05 * sqrt(1 - 0.05^2) / 0.1
    expected = 100 * 0.05 * math.sqrt(1 - 0.05**2) / 0.1
    got = row(study(two_buses(), (2,), n_1=False), 2, "n_0")
    assert got["capacity_mw"] == pytest.approx(expected, abs=0.03)
    assert got["capacity_mw"] <= expected
    assert (got["limit"], got["element"]) == ("line_loading", "a")


def test_two_buses_voltage_closed_form():
    # r = 0.1, x = 0.2: V2^4 - V2^2 (1 + 2 r P) + (r^2 + x^2) P^2 = 0 at V2 = 1.05 gives P
    r, x, v = 0.1, 0.2, 1.05**2
    a, b, c = r * r + x * x, -2 * r * v, v * v - v
    expected = 100 * (-b - math.sqrt(b * b - 4 * a * c)) / (2 * a)
    got = row(study(two_buses(900.0, x, r, high=1.05), (2,), n_1=False), 2, "n_0")
    assert got["capacity_mw"] == pytest.approx(expected, abs=0.03)
    assert (got["limit"], got["element"]) == ("voltage_high", "2")


def test_added_load_ends_at_the_nose():
    # lossless line, load at power factor 1: P = sin(2d) / 2x, largest 1 / 2x = 5 pu
    settings = replace(SAME, load=True, search_cap_factor=100.0)
    got = row(study(two_buses(1000.0), (2,), settings, n_1=False), 2, "n_0")
    assert got["limit"] == "diverged"
    assert got["capacity_mw"] == pytest.approx(500.0, abs=0.5)


def test_absorbing_plant_raises_the_voltage_less():
    case = two_buses(900.0, 0.2, 0.1, high=1.05)
    unity = row(study(case, (2,), n_1=False), 2, "n_0")["capacity_mw"]
    absorbing = replace(SAME, plant=PlantControl(power_factor=0.98))
    follows = replace(SAME, plant=PlantControl(droop_per_pu=5.0, u_ref_pu=1.0, q_max=0.33))
    assert row(study(case, (2,), absorbing, n_1=False), 2, "n_0")["capacity_mw"] > unity
    by_droop = row(study(case, (2,), follows, n_1=False), 2, "n_0")
    # V4 - V2 (1 + 2 (r P + x Q)) + (r2 + x2)(P2 + Q2) = 0 with Q = -5 (V - 1) P: at 1.05 pu no P solves it, so that
    # the line's end of the search binds; a droop of 1 takes Q = -0.05 P there
    assert by_droop["limit"] != "voltage_high"
    weak = replace(SAME, plant=PlantControl(droop_per_pu=1.0, u_ref_pu=1.0, q_max=0.33))
    fixed = replace(SAME, plant=PlantControl(power_factor=math.cos(math.atan(0.05))))
    by_tangent = row(study(case, (2,), fixed, n_1=False), 2, "n_0")
    assert row(study(case, (2,), weak, n_1=False), 2, "n_0")["capacity_mw"] == pytest.approx(
        by_tangent["capacity_mw"], abs=0.1
    )


def test_voltage_step_limits_what_the_band_allows():
    case = two_buses(900.0, 0.2, 0.1, high=1.10)
    free = row(study(case, (2,), n_1=False), 2, "n_0")["capacity_mw"]
    step = row(study(case, (2,), replace(SAME, voltage_step_pu=0.03), n_1=False), 2, "n_0")
    assert step["capacity_mw"] < free
    state = solved_voltage(case, 2, step["capacity_mw"])
    assert state == pytest.approx(1.03, abs=1e-4)


def solved_voltage(case: BusBranch, bus: int, p_mw: float) -> float:
    from grid.solve import solve

    solution = solve(plus_plant(case, bus, p_mw))
    return float(abs(solution.voltage[list(solution.case.buses["bus_id"]).index(bus)]))


def test_reverse_flow_of_a_transformer():
    case = two_buses(50.0, 0.1)
    case = replace(
        case,
        branches=case.branches.assign(kind="transformer"),
        buses=case.buses.assign(vn_kv=[110.0, 10.0]),
    )
    got = row(study(case, (2,), replace(SAME, reverse_percent=80.0), n_1=False), 2, "n_0")
    # lossless: what enters at the low side leaves at the high side; 80 % of 50 MVA
    assert got["capacity_mw"] == pytest.approx(40.0, abs=0.03)
    assert got["limit"] == "reverse_flow"


@pytest.fixture(scope="module")
def ieee_118() -> BusBranch:
    return rated(matpower_case("case118"), 1.25, 60.0)


@pytest.fixture(scope="module")
def of_118(ieee_118: BusBranch) -> HostingResult:
    return hosting_study({"base": ieee_118}, HostingRequest(SAME))


def test_case118_every_bus_at_its_answer_and_one_step_above(ieee_118: BusBranch, of_118: HostingResult):
    """At the answer nothing is broken in any outage, just above it the named limit is: full load flows, some buses."""
    oracle = Oracle(ieee_118)
    n_1 = of_118.cases[of_118.cases["mode"] == "n_1"].set_index("bus_id")
    assert n_1["certified"].all()
    for bus in (21, 59, 97):
        answer = n_1.loc[bus]
        assert oracle.broken(bus, answer["capacity_mw"]) == []
        above = max(0.5, 0.003 * answer["capacity_mw"])
        if answer["limit"] != "search_cap":
            broken = oracle.broken(bus, answer["capacity_mw"] + above, {answer["outage"]})
            assert (answer["element"], answer["outage"]) in broken or answer["limit"] == "diverged"


def test_case118_first_exit_by_scan_in_n_0(ieee_118: BusBranch, of_118: HostingResult):
    """The whole way up from zero in steps: nothing is broken before the answer (gaps included)."""
    oracle = Oracle(ieee_118, n_1=False)
    n_0 = of_118.cases[of_118.cases["mode"] == "n_0"].set_index("bus_id")
    for bus in n_0.index[::12]:
        answer = float(n_0.loc[bus, "capacity_mw"])
        for share in np.linspace(0.1, 1.0, 10):
            assert oracle.broken(int(bus), share * answer) == []


def test_n_1_never_takes_more_and_tighter_ratings_never_raise(ieee_118: BusBranch, of_118: HostingResult):
    table = of_118.buses
    assert (table["firm_n1_mw"] <= table["firm_n0_mw"] + 1e-9).all()
    tighter = replace(
        ieee_118, branches=ieee_118.branches.assign(rating_a_mva=0.93 * ieee_118.branches["rating_a_mva"])
    )
    less = hosting_study({"base": tighter}, HostingRequest(SAME)).buses
    # ratings that the base case already touches open by the tolerated room, hence the one megawatt
    assert (less["firm_n1_mw"] <= table["firm_n1_mw"] + 1.0).all()


def test_screened_is_near_certified_and_says_so(of_118: HostingResult):
    n_1 = of_118.cases[of_118.cases["mode"] == "n_1"]
    apart = (n_1["screened_mw"] - n_1["capacity_mw"]).abs()
    assert (apart <= 1.0).mean() >= 0.95
    assert of_118.summary.largest_screen_error_mw == pytest.approx(float(apart.max()))


def test_strict_base_case_names_what_is_broken():
    case = rated(matpower_case("case118"), 0.9, 30.0)
    strict = hosting_study({"base": case}, HostingRequest(replace(SAME, tolerate_base=False), (1, 59)))
    assert (strict.buses["firm_n1_mw"] == 0).all()
    assert set(strict.buses["binding_limit"]) == {"base_case"}
    assert strict.buses["base_case"].all()
    worst = strict.broken.iloc[0]
    assert strict.buses["binding_element"].iloc[0] == worst["element"]


def test_reactive_limits_hold_in_every_state():
    """Generators that reach a limit free their voltage: full load flow with limits agrees at the answers."""
    case = rated(matpower_case("case30"), 1.5, 10.0)
    options = SolveOptions(reactive_limits=True)
    result = hosting_study({"base": case}, HostingRequest(SAME, options=options))
    oracle = Oracle(case, options=options)
    n_1 = result.cases[result.cases["mode"] == "n_1"].set_index("bus_id")
    for bus in n_1.index[::6]:
        answer = n_1.loc[bus]
        assert oracle.broken(int(bus), float(answer["capacity_mw"])) == []
        if answer["limit"] not in ("search_cap", "diverged"):
            assert oracle.broken(int(bus), float(answer["capacity_mw"]) + 0.5, {str(answer["outage"])})


def test_radial_bus_says_what_cuts_it_off_and_takes_no_firm_load():
    result = study(two_buses(), (2,))
    n_1 = row(result, 2, "n_1")
    assert n_1["cut_off_by"] == "a"
    as_load = row(study(two_buses(), (2,), replace(SAME, load=True)), 2, "n_1")
    assert (as_load["capacity_mw"], as_load["limit"], as_load["outage"]) == (0.0, "split", "a")


def test_pandapower_agrees_at_the_answer():
    """Second engine: pandapower's own load flow at the N-0 answer loads the named line to its rating."""
    import pandapower as pp

    from grid.model.pandapower_export import to_pandapower

    case = rated(matpower_case("case30"), 1.4, 12.0)
    ratings = case.branches.set_index("branch_id")["rating_a_mva"]
    result = study(case, (30, 15), n_1=False)
    for bus in (30, 15):
        answer = row(result, bus, "n_0")
        net = to_pandapower(plus_plant(case, bus, float(answer["capacity_mw"]))).net
        pp.runpp(net, numba=False, calculate_voltage_angles=True)
        buses = dict(zip(net.bus.index, net.bus["vn_kv"], strict=True))
        percent = {}
        for at, name in net.line["name"].items():
            flow = net.res_line.loc[at]
            ka = max(flow["i_from_ka"], flow["i_to_ka"])
            mva = math.sqrt(3) * ka * buses[net.line.loc[at, "from_bus"]]
            percent[str(name)] = 100 * mva / float(ratings[str(name)]) if str(name) in ratings.index else 0.0
        if answer["limit"] == "line_loading":
            assert percent[str(answer["element"])] == pytest.approx(100.0, abs=0.1)
        else:
            assert str(answer["limit"]).startswith("voltage")


def test_killed_study_goes_on_where_it_stood(ieee_118: BusBranch):
    kept: dict[str, object] = {}

    class Keeper:
        def __init__(self, most: int) -> None:
            self.most = most

        def get(self, name):
            return kept.get(name)

        def put(self, name, table):
            if len(kept) >= self.most:
                raise KeyboardInterrupt
            kept[name] = table

    with pytest.raises(KeyboardInterrupt):
        hosting_study({"base": ieee_118}, HostingRequest(SAME), keeper=Keeper(2))
    assert list(kept) == ["base-broken", "base-0"]
    again = hosting_study({"base": ieee_118}, HostingRequest(SAME), keeper=Keeper(9))
    assert again.cases["certified"].all()
    assert list(kept) == ["base-broken", "base-0", "base-1"]
