"""Several buses at once: closed forms, brute force, and what must hold whatever the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from together_cases import clean, network, ring, scanned, two_corridors, worst

from grid.capacity.settings import CapacitySettings, PlantControl
from grid.capacity.study import HostingRequest, hosting_study
from grid.capacity.together import first_come, max_min, max_total, proportional
from grid.capacity.together_records import NamedCase, Site, TogetherOptions
from grid.capacity.together_shares import headroom_shares
from grid.capacity.together_study import Study
from layers.contracts import InputError

PLAIN = CapacitySettings(slack_pu=0.0, slack_percent=0.0)
"""No room beyond a limit; the tests' oracle knows none."""


def study(case, buses, wish=np.inf, limits=PLAIN, **options):
    sites = [Site(f"s{b}", b, w) for b, w in zip(buses, np.broadcast_to(wish, len(buses)), strict=True)]
    return Study.of([NamedCase("base", case)], sites, limits, TogetherOptions(**options))


# ---------------------------------------------------------------- closed forms


def test_one_line_by_hand():
    """Lossless x = 0.1, plant at unity power factor: V1^2 = V2^2 + (x I)^2. At I = 1 pu: P = V2 = sqrt(0.99)."""
    case = network([(1, 2, 0.0, 0.1, 100.0)])
    for answer in (max_total(study(case, [2], n_1=False)), first_come(study(case, [2], 150.0, n_1=False))):
        assert answer.status == "clean"
        assert answer.total_mw == pytest.approx(100 * np.sqrt(0.99), abs=0.06)
        row = answer.binding.iloc[0]
        assert (row["element"], row["outage"], row["limit"]) == ("1-2", "", "line_loading")
        assert row["value"] == pytest.approx(100, abs=0.06)
        assert row["before"] == pytest.approx(0, abs=1e-6)


def test_twin_circuits_by_hand():
    """Two circuits of x = 0.2: after the loss of one, I = 1 and P = sqrt(1 - 0.04)."""
    answer = max_total(study(network([(1, 2, 0.0, 0.2, 100.0), (1, 2, 0.0, 0.2, 100.0)]), [2]))
    assert answer.total_mw == pytest.approx(100 * np.sqrt(0.96), abs=0.06)
    assert answer.binding.iloc[0]["outage"] in ("1-2", "1-2b")
    assert abs(answer.gap_mw) < 0.1


def test_high_voltage_by_hand():
    """r = 0.1, x = 0.1, V2 <= 1.03: P = (V2^2 - c V2) / r with V1^2 = V2^2 - 2 r P + (r^2 + x^2) P^2 / V2^2."""
    case = network([(1, 2, 0.1, 0.1, 900.0)], band=(0.9, 1.03))
    v2 = 1.03
    # (r^2 + x^2) / V2^2 P^2 - 2 r P + V2^2 - 1 = 0, smaller root
    a, b, c = 0.02 / v2**2, -0.2, v2**2 - 1
    exact = (-b - np.sqrt(b * b - 4 * a * c)) / (2 * a)
    answer = max_total(study(case, [2], n_1=False))
    assert answer.total_mw == pytest.approx(100 * exact, abs=0.05)
    assert answer.binding.iloc[0]["limit"] == "voltage_high"
    assert answer.binding.iloc[0]["value"] == pytest.approx(1.03, abs=2e-5)


def test_reactive_power_of_the_plant_counts():
    """cos phi 0.9: the line carries S, so less active power."""
    limits = replace(PLAIN, plant=PlantControl(0.9))
    answer = max_total(study(network([(1, 2, 0.0, 0.01, 100.0)]), [2], limits=limits, n_1=False))
    assert answer.total_mw == pytest.approx(90, abs=1.0)


def test_load_instead_of_plants():
    """The same line with added load: V2^2 + (x P / V2)^2 = 1 as before, so the same figure."""
    limits = replace(PLAIN, load=True)
    answer = max_total(study(network([(1, 2, 0.0, 0.1, 100.0)]), [2], limits=limits, n_1=False))
    assert answer.total_mw == pytest.approx(100 * np.sqrt(0.99), abs=0.06)


def test_reverse_flow_through_a_transformer():
    """80 % of 100 MVA may flow up a unit: low side 2 takes 80 MW beyond its load of 20 MW."""
    case = network([(1, 2, 0.0, 0.01, 100.0)], {2: 20.0})
    case = replace(
        case, buses=case.buses.assign(vn_kv=[220.0, 110.0]), branches=case.branches.assign(kind="transformer")
    )
    limits = replace(PLAIN, reverse_percent=80.0)
    answer = max_total(study(case, [2], limits=limits, n_1=False))
    assert answer.total_mw == pytest.approx(100, abs=0.1)
    assert answer.binding.iloc[0]["limit"] == "reverse_flow"


def test_voltage_step_is_a_limit():
    """V2 - V2(0) <= 0.01 on r = 0.1: about 10 MW."""
    case = network([(1, 2, 0.1, 0.1, 900.0)])
    answer = max_total(study(case, [2], limits=replace(PLAIN, voltage_step_pu=0.01), n_1=False))
    assert answer.total_mw == pytest.approx(10, abs=0.3)


# ---------------------------------------------------------------- brute force


@pytest.mark.parametrize("seed", [4])
def test_one_site_equals_a_scan(seed):
    case = ring(seed)
    answer = max_total(study(case, [3]))
    assert answer.total_mw == pytest.approx(scanned(case, 3, {}, 4.0, 400.0), abs=1.0)
    assert answer.status == "clean"
    walked = first_come(study(case, [3], 400.0))
    assert walked.total_mw == pytest.approx(answer.total_mw, abs=0.1)


@pytest.mark.parametrize("limits", [PLAIN, CapacitySettings(), replace(PLAIN, load=True)])
def test_one_site_equals_the_single_bus_engine(limits):
    """The other engine of this package climbs bus by bus on other slopes and states."""
    case = ring(6)
    single = hosting_study({"base": case}, HostingRequest(limits, (2, 3, 4)))
    firm = single.buses.set_index("bus_id")["firm_n1_mw"]
    for bus in (2, 3, 4):
        answer = max_total(study(case, [bus], limits=limits))
        assert answer.total_mw == pytest.approx(firm[bus], abs=0.3)
        assert answer.binding.iloc[0]["element"] == single.buses.set_index("bus_id")["binding_element"][bus]


@pytest.mark.parametrize("seed", [7])
def test_largest_total_equals_a_grid_search(seed):
    """Every MW at one bus against the last clean MW of a scan at the other, all outages by full load flows."""
    case = ring(seed)
    answer = max_total(study(case, [3, 4]))
    best, second = 0.0, 300.0
    for first in np.arange(0.0, 300.0, 12.0):
        second = _last_clean(case, {3: first}, 4, min(300.0, second + 40.0))
        best = max(best, first + second if second >= 0 else 0.0)
        if second < 0:
            break
    around = answer.allocation["capacity_mw"].iloc[0]
    for first in np.arange(max(0.0, around - 2), around + 2, 1.0):
        best = max(best, first + _last_clean(case, {3: first}, 4, 300.0))
    assert answer.total_mw == pytest.approx(best, abs=1.0)
    given = dict(zip([3, 4], answer.capacity_mw, strict=True))
    assert clean(case, given)
    assert not clean(case, {b: 1.02 * p for b, p in given.items()})


def _last_clean(case, others, bus, most, to=0.1):
    """Between 0 and ``most`` by halving; these rings have no gaps (the scans above see none). -1: not even 0."""
    if not clean(case, {**others, bus: 0.0}):
        return -1.0
    low, high = 0.0, most
    while high - low > to:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if clean(case, {**others, bus: middle}) else (low, middle)
    return low


# ---------------------------------------------------------------- what must hold


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_orders_wishes_and_totals(seed):
    case = ring(seed)
    whole = study(case, [2, 3, 4], [50.0, 80.0, 60.0])
    most = max_total(whole)
    assert most.status == "clean"
    assert clean(case, dict(zip([2, 3, 4], most.capacity_mw, strict=True)))
    for order in (["s2", "s3", "s4"], ["s4", "s3", "s2"]):
        turn = first_come(whole, order)
        assert turn.total_mw <= most.bound_mw + 0.1
        assert clean(case, dict(zip([2, 3, 4], turn.capacity_mw, strict=True)))
    turned = max_total(study(case, [4, 2, 3], [60.0, 50.0, 80.0]))
    assert turned.total_mw == pytest.approx(most.total_mw, abs=0.15)
    equal = proportional(whole)
    assert 0 <= equal.factor <= 1
    np.testing.assert_allclose(equal.capacity_mw, equal.factor * np.array([50.0, 80.0, 60.0]))
    assert equal.total_mw <= most.bound_mw + 0.1
    fair = max_min(study(case, [2, 3, 4]))
    assert fair.total_mw <= max_total(study(case, [2, 3, 4])).bound_mw + 0.1


def test_factor_of_twice_the_wishes_is_half():
    case = two_corridors()
    one = proportional(study(case, [2, 3, 4], 60.0), most_factor=10)
    two = proportional(study(case, [2, 3, 4], 120.0), most_factor=10)
    assert two.factor == pytest.approx(one.factor / 2, rel=1e-3)
    # all behind 1=2 stop the common factor; what is behind 1=4 could have had more
    assert one.factor < 1
    fair = max_min(study(case, [2, 3, 4])).capacity_mw
    assert fair[0] == pytest.approx(fair[1], abs=0.1)
    assert fair[2] > 1.5 * fair[0]


def test_first_come_leaves_the_rest_to_the_next():
    """Bus 3 stands behind bus 2: the corridor of about 59 MW goes to whoever is first."""
    case = two_corridors()
    whole = study(case, [2, 3, 4], [50.0, 50.0, 20.0])
    early, late = first_come(whole), first_come(whole, ["s3", "s2", "s4"])
    assert early.capacity_mw[0] == pytest.approx(50, abs=1e-6)
    assert late.capacity_mw[1] == pytest.approx(50, abs=1e-6)
    assert early.capacity_mw[1] == pytest.approx(late.capacity_mw[0], abs=0.2)
    assert early.allocation["binding"].iloc[0] == ""
    assert "1-2" in early.allocation["binding"].iloc[1]
    assert early.capacity_mw[2] == pytest.approx(20)
    with pytest.raises(ValueError, match="every site once"):
        first_come(whole, ["s2", "s3"])


def test_several_cases_take_the_least():
    heavy = ring(5)
    light = replace(heavy, loads=heavy.loads.assign(p_mw=0.2 * heavy.loads["p_mw"]))
    sites = [Site("a", 3), Site("b", 4)]

    def total(*cases):
        return max_total(Study.of(cases, sites, PLAIN)).total_mw

    both = total(NamedCase("peak", heavy), NamedCase("light", light))
    assert both <= min(total(NamedCase("peak", heavy)), total(NamedCase("light", light))) + 0.15
    # at night the plants give nothing: the case binds no more
    night = total(NamedCase("peak", heavy), NamedCase("night", light, 0.0))
    assert night == pytest.approx(total(NamedCase("peak", heavy)), abs=0.15)
    half = total(NamedCase("half", heavy, 0.5))
    assert half == pytest.approx(2 * total(NamedCase("peak", heavy)), abs=0.3)


def test_weights_prefer_a_site():
    case = two_corridors()
    answer = max_total(study(case, [2, 3], [50.0, 50.0]), weights=np.array([1.0, 3.0]))
    assert answer.capacity_mw[1] == pytest.approx(50, abs=1e-3)
    assert answer.total_mw == pytest.approx(answer.capacity_mw @ [1, 3])


# ---------------------------------------------------------------- base case, splits, divergence, gaps


def overloaded():
    """A load of 70 MW behind one circuit of 60 MVA and a wide one: the loss of the wide one breaks the other."""
    return network([(1, 2, 0.0, 0.1, 60.0), (1, 2, 0.0, 0.1, 200.0), (1, 3, 0.0, 0.1, 60.0), (1, 3, 0.0, 0.1, 60.0)],
                   {2: 70.0})  # fmt: skip


def test_broken_base_case_gives_nothing_and_says_so():
    for answer in (f(study(overloaded(), [3], 40.0)) for f in (max_total, proportional, first_come, max_min)):
        assert answer.status == "base case"
        assert answer.total_mw == 0
        row = answer.binding.iloc[0]
        assert (row["outage"], row["element"]) == ("1-2b", "1-2")
        assert row["value"] > row["bound"] == 100


def test_tolerated_base_case_may_not_get_worse():
    tolerant = CapacitySettings(tolerate_base=True)
    elsewhere = max_total(study(overloaded(), [3], limits=tolerant))
    assert elsewhere.total_mw == pytest.approx(60, abs=1)
    # more load at bus 2 loads the broken circuit: 1 % of 60 MVA is 0.6 MVA
    more = max_total(study(overloaded(), [2], limits=replace(tolerant, load=True)))
    assert 0 < more.total_mw < 0.7
    assert more.binding.iloc[0]["value"] == pytest.approx(more.binding.iloc[0]["before"] + 1, abs=0.05)


def test_a_bus_that_an_outage_cuts_off():
    """Bus 3 hangs on one line: its plant trips with the line, or gets no N-1 capacity."""
    case = network([(1, 2, 0.0, 0.1, 60.0), (1, 2, 0.0, 0.1, 60.0), (2, 3, 0.0, 0.1, 50.0)])
    trips = max_total(study(case, [3], lost_side="trips"))
    assert trips.total_mw == pytest.approx(50, abs=1)
    limit = max_total(study(case, [2, 3], lost_side="limit"))
    assert limit.capacity_mw[1] == 0
    assert limit.allocation["binding"].iloc[1] == "base: cut off when 2-3 is lost"
    assert limit.capacity_mw[0] == pytest.approx(60, abs=1)
    assert proportional(study(case, [2, 3], 10.0, lost_side="limit")).factor == 0
    load = max_total(study(case, [3], limits=replace(PLAIN, load=True)))
    assert load.total_mw == 0  # nobody supplies it after the outage


def test_outages_without_solution_are_limits():
    """x = 0.5 and no other limit: P = 1 / (2 x) = 100 MW at the nose for unity power factor, 50 after an outage of one
    of two circuits of x = 1 (V1 = 1); nothing beyond is given, however wide the ratings."""
    case = network([(1, 2, 0.0, 1.0, 900.0), (1, 2, 0.0, 1.0, 900.0)])
    limits = replace(PLAIN, voltage=False)
    whole = study(case, [2], 150.0, limits=limits)
    most = max_total(whole)
    assert most.status == "shrunk"
    for answer in (most, first_come(whole), proportional(whole)):
        assert 45 < answer.total_mw <= 50.01
        assert "diverged" in answer.allocation["binding"].iloc[0]
        assert answer.binding["limit"].iloc[0] == "diverged"


def test_a_gap_on_the_way_cuts_back():
    """r = 0.06, x = 0.3: the voltage at bus 2 rises, passes 1.02, and falls again as x I^2 grows. A clean point beyond
    the gap is not an answer."""
    from grid.capacity.together import _first_on_the_way

    case = network([(1, 2, 0.06, 0.3, 900.0)], band=(0.8, 1.012))
    one = study(case, [2], 200.0, n_1=False)
    beyond = next(p for p in (one.point(np.array([mw])) for mw in np.arange(80.0, 140.0, 2.0)) if one.clean(p))
    back = _first_on_the_way(one, beyond)
    assert back is not None
    assert back.total_mw < 0.7 * beyond.total_mw
    assert back.total_mw == pytest.approx(scanned(case, 2, {}, 0.25, 100.0, n_1=False), abs=0.5)
    answer = max_total(one)
    assert answer.total_mw == pytest.approx(back.total_mw, abs=0.1)


# ---------------------------------------------------------------- shares


def test_shares_of_a_corridor():
    """Both sites behind 1=2 use it MW for MW, the third not at all; the flows add up to what the AC states say."""
    case = two_corridors()
    whole = study(case, [2, 3, 4], [30.0, 50.0, 20.0])
    answer = max_total(whole)
    table = headroom_shares(whole, answer)
    behind = table[table["element"].str.startswith("1-2")].set_index("site")
    assert behind.loc["s2", "factor"] == pytest.approx(1, abs=0.05)
    assert abs(behind.loc["s4", "factor"]) < 1e-6
    assert behind["share_percent"].sum() == pytest.approx(100)
    assert behind["flow_mw"].sum() == pytest.approx(answer.capacity_mw[:2].sum(), rel=0.03)


def test_opposite_flows_are_negative():
    """Three equal reactances: of bus 2's MW a third flows over 2-3, of bus 3's a third against it. With 10 MVA there
    and 20 MW at bus 3, (p2 - 20) / 3 = 10, p2 = 50: 16.7 MW and -6.7 MW, 167 and -67 %."""
    case = network([(1, 2, 0.0, 0.1, 90.0), (2, 3, 0.0, 0.1, 10.0), (1, 3, 0.0, 0.1, 90.0)])
    whole = study(case, [2, 3], [90.0, 20.0], n_1=False)
    answer = max_total(whole)
    np.testing.assert_allclose(answer.capacity_mw, [50, 20], atol=0.3)
    table = headroom_shares(whole, answer).set_index("site")
    assert set(table["element"]) == {"2-3"}
    np.testing.assert_allclose(table.loc[["s2", "s3"], "factor"], [1 / 3, -1 / 3], atol=0.01)
    np.testing.assert_allclose(table.loc[["s2", "s3"], "share_percent"], [500 / 3, -200 / 3], rtol=0.03)
    assert table.loc["s3", "flow_mw"] < 0


# ---------------------------------------------------------------- bad input


def test_bad_sites_are_all_told():
    case = two_corridors()
    with pytest.raises(InputError) as caught:
        Study.of([NamedCase("a", case), NamedCase("a", case)], [Site("s", 2, -1.0), Site("s", 3)],
                 CapacitySettings(plant=PlantControl(droop_per_pu=5.0)))  # fmt: skip
    assert {f.rule for f in caught.value.findings} == {"together.case", "together.site", "together.plant"}
    with pytest.raises(InputError, match="no such bus"):
        study(case, [99])
    with pytest.raises(InputError, match="no such branch"):
        study(case, [2], outages=("9-9",))
    with pytest.raises(InputError, match="GB"):
        study(case, [2], most_bytes=10.0)
    with pytest.raises(InputError, match="no rating"):
        study(replace(case, branches=case.branches.assign(rating_a_mva=np.nan)), [2])
    with pytest.raises(ValueError, match="finite wish"):
        proportional(study(case, [2]))


def test_answers_are_the_same_twice():
    first, second = (max_total(study(ring(3), [2, 3, 4])) for _ in range(2))
    np.testing.assert_array_equal(first.capacity_mw, second.capacity_mw)
    assert worst(ring(3), dict(zip([2, 3, 4], first.capacity_mw, strict=True)))[0] <= 1.001
