"""Hosting capacity against scans, closed forms, pandapower and its own order relations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from gridstudy_networks import NOON, PEAK, line, load, plain_pandapower, random_network, table, triangle, two_bus

from grid.contracts import LINES, LOADS, Case, Status
from grid.engine import Engine
from grid.hosting import first_root, hosting_basis, hosting_capacity
from grid.limits import LimitSettings, nominal_limits, row_values
from grid.sweep import solve_states

LIGHT = Case("light", "", "", 0.4, 1.0, 1.0)
SETTINGS = LimitSettings.standard()


def _answer(frame, bus_id, mode, case=None):
    rows = frame[(frame.bus_id == bus_id) & (frame["mode"] == mode)]
    return (rows if case is None else rows[rows.case == case]).iloc[0]


class Scan:
    """Oracle: one engine solve per outage and injection, checked row by row against base + slack."""

    def __init__(self, net, case, settings=SETTINGS):
        self.engine, self.settings = Engine(net, case), settings
        self.outages = [None, *self.engine.model.element_ids]
        self.limits = {}
        for outage in self.outages:
            base = self._values(outage, None)
            slack = np.full(len(base), settings.base_slack_percent)
            nb, n = self.engine.model.n_branch, self.engine.model.n_bus
            slack[2 * nb : 2 * nb + 2 * n] = settings.base_slack_pu
            nominal = nominal_limits(self.engine.model, settings, outage is not None)
            self.limits[outage] = np.maximum(nominal, base + slack)

    def _values(self, outage, injections):
        s = self.engine.solve(injections, outage)
        if s.status is Status.DIVERGED:
            return None
        dead = np.isnan(s.vm_pu)[:, None]
        out = np.array([-1 if outage is None else self.engine.model.element_index(outage)])
        return row_values(self.engine.model, np.where(dead, 1.0, s.voltage[:, None]), out, dead)[:, 0]

    def secure(self, bus_id, p, n_1, room=2e-6):
        injections = np.zeros(self.engine.model.n_bus)
        injections[self.engine.model.bus_index(bus_id)] = p
        for outage in self.outages if n_1 else [None]:
            values = self._values(outage, injections)
            if values is None or (values > self.limits[outage] + room).any():
                return False
        return True

    def first_exit(self, bus_id, step, top, n_1=True):
        for k in range(1, int(top / step) + 1):
            if not self.secure(bus_id, k * step, n_1):
                return (k - 1) * step
        return top


@pytest.mark.parametrize("bus_id", ["B/110", "C/110", "C/10", "D/110"])
@pytest.mark.parametrize("mode", ["n_0", "n_1"])
def test_fine_scan_agrees_on_the_triangle(bus_id, mode):
    net = triangle(ka=0.25)
    found = _answer(hosting_capacity(net, [LIGHT], [bus_id]), bus_id, mode)
    scanned = Scan(net, LIGHT).first_exit(bus_id, 0.5, found.capacity_mw + 5, mode == "n_1")
    assert scanned - 0.5 <= found.capacity_mw <= scanned + 0.5
    assert found.certified


@pytest.mark.parametrize("seed", range(3))
def test_scan_agrees_on_random_networks(seed):
    """Secure at the answer and at points on the way to it, insecure half a megawatt above: the first exit."""
    net = random_network(seed, 3, 4)
    buses = [b for b in net.buses.bus_id if not b.endswith("/220")]
    buses = list(np.random.default_rng(seed).choice(buses, 4, replace=False))
    answers = hosting_capacity(net, [NOON], buses)
    scan = Scan(net, NOON)
    for row in answers.itertuples():
        n_1 = row.mode == "n_1"
        for share in (0.25, 0.5, 0.75, 1.0):
            assert scan.secure(row.bus_id, share * row.capacity_mw, n_1), (row, share)
        if row.limit != "search_cap":
            assert not scan.secure(row.bus_id, row.capacity_mw + 0.5, n_1, room=0.0), row


def test_pandapower_agrees_that_the_answer_is_the_last_good_half_megawatt():
    import pandapower as pp

    net = triangle(ka=0.25)
    found = _answer(hosting_capacity(net, [LIGHT], ["B/110"]), "B/110", "n_1")
    assert found.limit == "line_loading"

    def loading(p):
        out = plain_pandapower(net, LIGHT)
        pp.create_sgen(out, int(out.bus.index[out.bus.name == "B/110"][0]), p)
        out.line.loc[out.line.name == found.binding_outage, "in_service"] = False
        pp.runpp(out, numba=False, init="dc")
        return float(out.res_line.loading_percent[out.line.name == found.binding_element].iloc[0])

    assert loading(found.capacity_mw) <= 100.0
    assert loading(found.capacity_mw + 0.5) > 100.0


def test_two_bus_thermal_closed_form():
    """r = 0, c = 0: S = sqrt(3) U I sends P at U2 with I = P/(sqrt(3) U2), U2 from the two-bus quadratic.

    I = 0.5 kA, U1 = 110 kV, X = 4 ohm: the plant's current has the angle of U2, so U1^2 = U2^2 + (X I sqrt(3))^2
    and P = sqrt(3) U2 I.
    """
    u_2 = np.sqrt(110.0**2 - (4.0 * 0.5 * np.sqrt(3)) ** 2)
    expected = np.sqrt(3) * u_2 * 0.5
    found = _answer(hosting_capacity(two_bus(), [LIGHT], ["B/110"]), "B/110", "n_0")
    assert found.limit == "line_loading"
    assert expected - 0.06 <= found.capacity_mw <= expected


def test_two_bus_voltage_closed_form():
    """r = 8 ohm, x = 0, unity power factor: U2 (U2 - U1) = r P, so P = U2 (U2 - U1) / r at U2 = 1.07 U1."""
    expected = 117.7 * 7.7 / 8.0
    net = two_bus(r=0.8, x=1e-9, ka=5.0, high=1.07)
    found = _answer(hosting_capacity(net, [LIGHT], ["B/110"]), "B/110", "n_0")
    assert found.limit == "voltage_high"
    assert found.binding_element == "B/110"
    assert expected - 0.06 <= found.capacity_mw <= expected


def test_more_load_gives_more_room():
    """In the closed form a load at the bus adds itself to the capacity."""
    free = _answer(hosting_capacity(two_bus(), [LIGHT], ["B/110"]), "B/110", "n_0").capacity_mw
    loaded_net = two_bus(demand=20.0)
    loaded = _answer(hosting_capacity(loaded_net, [LIGHT], ["B/110"]), "B/110", "n_0").capacity_mw
    assert loaded == pytest.approx(free + 8.0, abs=0.1)  # 20 MW x load share 0.4


def test_losing_the_only_line_with_the_plant_is_no_limit_but_overloads_are():
    """The spur's own outage takes the plant away (harmless); one of two circuits halves the N-1 capacity."""
    one = hosting_capacity(two_bus(), [LIGHT], ["B/110"])
    assert _answer(one, "B/110", "n_1").capacity_mw == _answer(one, "B/110", "n_0").capacity_mw
    two = hosting_capacity(two_bus(circuits=2), [LIGHT], ["B/110"])
    n_0, n_1 = _answer(two, "B/110", "n_0"), _answer(two, "B/110", "n_1")
    assert n_1.capacity_mw == pytest.approx(_answer(one, "B/110", "n_0").capacity_mw, abs=0.1)
    assert n_0.capacity_mw > 1.98 * n_1.capacity_mw
    assert {n_1.binding_element, n_1.binding_outage} == {"L#1", "L#2"}


def test_trap_gap_in_the_feasible_set_first_exit_counts():
    """Voltage rises with r P and sinks with (x P)^2: above the limit between two feasible ranges.

    r = 0.05, x = 0.4 ohm/km over 40 km (2 and 16 ohm), limit 1.002 pu: |U2| passes the limit twice on the way up.
    """
    net = two_bus(km=40.0, r=0.05, x=0.4, ka=5.0, high=1.002, low=0.8)
    settings = dataclasses.replace(SETTINGS, base_slack_pu=1e-6)
    engine = Engine(net, LIGHT)
    powers = np.arange(0.0, 400.0, 1.0)
    over = np.array([engine.solve(np.array([0.0, p])).vm_pu[1] > 1.002 for p in powers])
    assert over.any()
    assert not over[-1]
    first = powers[over.argmax()]
    found = _answer(hosting_capacity(net, [LIGHT], ["B/110"], settings=settings, max_mw=390.0), "B/110", "n_0")
    assert found.limit == "voltage_high"
    assert first - 1.1 <= found.capacity_mw <= first


@pytest.mark.parametrize("high", [1.0021, 1.003, 1.0034])
def test_gap_is_found_from_its_far_side(high):
    """A bump that the answer's other limit lies far beyond: the thermal limit at 380 MW must not hide it."""
    net = two_bus(km=40.0, r=0.05, x=0.4, ka=2.2, high=high, low=0.7)
    settings = dataclasses.replace(SETTINGS, base_slack_pu=1e-6)
    found = _answer(hosting_capacity(net, [LIGHT], ["B/110"], settings=settings), "B/110", "n_0")
    scanned = Scan(net, LIGHT, settings).first_exit("B/110", 0.5, 420.0, n_1=False)
    assert scanned - 0.5 <= found.capacity_mw <= scanned + 0.5


def test_order_relations_on_a_random_network():
    net = random_network(4)
    frame = hosting_capacity(net, [NOON, PEAK], list(net.buses.bus_id))
    wide = frame.pivot_table(index=["bus_id", "case"], columns="mode", values="capacity_mw")
    assert (wide.n_1 <= wide.n_0).all()
    assert frame.certified.all()
    assert list(frame.bus_id.unique()) == list(net.buses.bus_id)


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5])
def test_capacity_never_rises_when_ratings_fall(share):
    net = triangle(ka=0.3)
    weaker = dataclasses.replace(net, lines=net.lines.assign(max_i_ka=net.lines.max_i_ka * share))
    buses = list(net.buses.bus_id)[1:]
    before, after = (hosting_capacity(n, [LIGHT], buses) for n in (net, weaker))
    assert (after.capacity_mw <= before.capacity_mw + 0.06).all()


def test_reverse_flow_rule_limits_the_low_side():
    """Two 40 MVA units, no load: 80 % reverse is 64 MW in N-0; without the rule the 100 % current limit holds."""
    net = dataclasses.replace(triangle(ka=3.0), loads=table(LOADS, []))
    case = Case("empty", "", "", 1.0, 1.0, 1.0)
    with_rule = _answer(hosting_capacity(net, [case], ["C/10"]), "C/10", "n_0")
    assert with_rule.limit == "transformer_loading"
    assert with_rule.capacity_mw == pytest.approx(64.0, abs=0.7)
    off = dataclasses.replace(SETTINGS, reverse_percent=None)
    without = _answer(hosting_capacity(net, [case], ["C/10"], settings=off), "C/10", "n_0")
    assert without.capacity_mw > 76.0


def test_firm_option_allows_no_short_time_overload():
    net = dataclasses.replace(triangle(ka=3.0), loads=table(LOADS, []))
    short = _answer(hosting_capacity(net, [LIGHT], ["C/10"]), "C/10", "n_1")
    firm = _answer(hosting_capacity(net, [LIGHT], ["C/10"], settings=LimitSettings.standard("firm")), "C/10", "n_1")
    assert firm.capacity_mw == pytest.approx(short.capacity_mw / 1.2, rel=0.01)


def test_trap_base_value_on_its_limit_is_not_noise():
    """The bus stands at its limit (1.00 pu = limit) before the plant: 0.001 pu of room, named base_case only beyond.

    r = 0.8 ohm, x ~ 0: dU = 0.001 pu at P = U2 (U2 - U1)/r = 110.11 x 0.11 / 0.8 = 15.1 MW.
    """
    at = two_bus(r=0.08, x=1e-9, ka=5.0, high=1.0)
    found = _answer(hosting_capacity(at, [LIGHT], ["B/110"]), "B/110", "n_0")
    assert found.capacity_mw == pytest.approx(110.11 * 0.11 / 0.8, abs=0.06)
    assert found.limit == "voltage_high"
    beyond = two_bus(r=0.08, x=1e-9, ka=5.0, high=0.99)
    assert _answer(hosting_capacity(beyond, [LIGHT], ["B/110"]), "B/110", "n_0").limit == "base_case"


def test_case_without_a_solution_gives_no_room_and_no_certificate():
    frame = hosting_capacity(two_bus(demand=5000.0), [PEAK], ["B/110"])
    assert (frame.capacity_mw == 0).all()
    assert (frame.limit == "base_case").all()
    assert not frame.certified.any()


def test_outage_without_a_solution_forbids_the_certificate():
    """One of two 100 km circuits carries at most U^2/(2X) = 151 MW; 200 MW of load diverges on its loss."""
    frame = hosting_capacity(two_bus(km=100.0, circuits=2, demand=200.0, ka=5.0), [PEAK], ["B/110"])
    basis = hosting_basis(two_bus(km=100.0, circuits=2, demand=200.0, ka=5.0), [PEAK])
    assert basis.sweeps[0].diverged == ("L#1", "L#2")
    assert not _answer(frame, "B/110", "n_1").certified
    assert _answer(frame, "B/110", "n_0").certified


def test_search_cap_is_named():
    found = _answer(hosting_capacity(two_bus(ka=5.0), [LIGHT], ["B/110"], max_mw=40.0), "B/110", "n_1")
    assert (found.limit, found.capacity_mw) == ("search_cap", 40.0)


def test_merging_parallel_circuits_changes_nothing():
    """Two circuits of 2 x and one of x with twice the rating: the same N-0 capacity."""
    two = two_bus(circuits=2, x=0.8, ka=0.25)
    one = dataclasses.replace(two, lines=table(LINES, [line("L", "A/110", "B/110", 10, r=0.0, x=0.4, c=0.0, ka=0.5)]))
    answers = [_answer(hosting_capacity(n, [LIGHT], ["B/110"]), "B/110", "n_0").capacity_mw for n in (one, two)]
    assert answers[0] == pytest.approx(answers[1], abs=0.02)


def test_same_input_same_table():
    net = random_network(3, 3, 3)
    frames = [hosting_capacity(net, [NOON], list(net.buses.bus_id)[:4]) for _ in range(2)]
    assert frames[0].equals(frames[1])


def test_first_root_picks_the_smallest_positive_one():
    """1 + 2p - p^2 = 1.75 at p = 0.5 and 1.5; 0 - p + p^2 = 2 at 2; 0 - p never reaches 1."""
    a, b = np.array([[1.0, 0.0, 0.0]]), np.array([[2.0, -1.0, -1.0]])
    c, limit = np.array([[-1.0, 1.0, 0.0]]), np.array([[1.75, 2.0, 1.0]])
    np.testing.assert_allclose(first_root(a, b, c, limit), [[0.5, 2.0, np.inf]])


@pytest.mark.parametrize("seed", [0, 5])
def test_batched_outages_equal_the_engine_one_by_one(seed):
    net = random_network(seed)
    sweep = hosting_basis(net, [NOON]).sweeps[0]
    added = np.zeros(sweep.model.n_bus)
    added[sweep.model.bus_index("T001/110")] = 0.6
    added[sweep.model.bus_index("X000/110")] = 0.2
    ks = np.arange(sweep.count)
    base = sweep.outages.voltage
    voltage, done = solve_states(sweep, added, ks, np.angle(base), np.abs(base))
    assert done.all()
    for k in ks:
        one = sweep.engine.solve(100 * added, sweep.outage_name(k) or None)
        live = np.isfinite(one.vm_pu)
        np.testing.assert_allclose(voltage[live, k], one.voltage[live], atol=1e-6)


def test_outage_that_leaves_two_supplied_parts_is_swept_too():
    """A -- B -- C with infeeds at A and C: losing AB leaves C to supply B."""
    net = two_bus()
    from gridstudy_networks import bus, infeed, network

    net = network(
        "two parts",
        buses=[bus("A/110", 110), bus("B/110", 110), bus("C/110", 110)],
        lines=[line("AB", "A/110", "B/110", 10, ka=0.3), line("BC", "B/110", "C/110", 10, ka=0.2)],
        loads=[load("B/110", 30, 5)],
        infeeds=[infeed("A/110"), infeed("C/110")],
    )
    found = _answer(hosting_capacity(net, [LIGHT], ["B/110"]), "B/110", "n_1")
    assert (found.binding_element, found.binding_outage) == ("BC", "AB")
    scanned = Scan(net, LIGHT).first_exit("B/110", 0.5, 100.0)
    assert scanned - 0.5 <= found.capacity_mw <= scanned + 0.5


@pytest.mark.parametrize("seed", [0, 1, 5])
@pytest.mark.parametrize("case", [NOON, PEAK], ids=lambda c: c.id)
def test_base_states_of_all_outages_equal_the_engines(seed, case):
    """Also where an outage changes which generators stand at a reactive limit."""
    net = random_network(seed)
    sweep = hosting_basis(net, [case]).sweeps[0]
    assert sweep.diverged == ()
    for k in range(sweep.count):
        one = sweep.engine.solve(outage=sweep.outage_name(k) or None)
        live = np.isfinite(one.vm_pu)
        np.testing.assert_array_equal(live, ~sweep.outages.dead[:, k])
        np.testing.assert_allclose(sweep.outages.voltage[live, k], one.voltage[live], atol=1e-6)


def test_generators_leave_and_keep_their_reactive_range_in_the_batch():
    """A tight reactive range at K1: plants push it from one mode into another; the engine says the same."""
    net = random_network(0)
    net = dataclasses.replace(net, generators=net.generators.assign(q_min_mvar=-12.0, q_max_mvar=6.0, vm_pu=1.0))
    sweep = hosting_basis(net, [PEAK]).sweeps[0]
    ks = np.arange(sweep.count)
    base = sweep.outages.voltage
    modes = set()
    for p in (0.0, 2.0, 4.0, 6.0):
        added = np.zeros(sweep.model.n_bus)
        added[sweep.model.bus_index("S001/110")] = p
        voltage, done = solve_states(sweep, added, ks, np.angle(base), np.abs(base))
        assert done.all()
        for k in ks:
            one = sweep.engine.solve(100 * added, sweep.outage_name(k) or None)
            modes.add(one.fixed_reactive_mvar)
            live = np.isfinite(one.vm_pu)
            np.testing.assert_allclose(voltage[live, k], one.voltage[live], atol=1e-6)
    assert len(modes) > 2


def test_absorbing_plants_push_the_voltage_less():
    """x = 8 ohm, r = 8 ohm: at power factor 0.95 a plant absorbs 0.329 of its power and lifts the voltage less."""
    net = two_bus(r=0.8, x=0.8, ka=5.0, high=1.05)
    unity = _answer(hosting_capacity(net, [LIGHT], ["B/110"]), "B/110", "n_0")
    absorbing = dataclasses.replace(SETTINGS, plant_power_factor=0.95)
    more = _answer(hosting_capacity(net, [LIGHT], ["B/110"], settings=absorbing), "B/110", "n_0")
    assert unity.limit == more.limit == "voltage_high"
    assert more.capacity_mw > 1.3 * unity.capacity_mw
    engine, tan = Engine(net, LIGHT), np.tan(np.arccos(0.95))

    def vm(p):
        return engine.solve(np.array([0.0, p]), injections_mvar=np.array([0.0, -tan * p])).vm_pu[1]

    assert vm(more.capacity_mw) <= 1.05 < vm(more.capacity_mw + 0.5)


def test_absorbing_states_of_the_batch_equal_the_engine():
    net = random_network(0)
    net = dataclasses.replace(net, generators=net.generators.assign(q_min_mvar=-12.0, q_max_mvar=6.0, vm_pu=1.0))
    settings = dataclasses.replace(SETTINGS, plant_power_factor=0.97)
    sweep = hosting_basis(net, [NOON], settings).sweeps[0]
    added = np.zeros(sweep.model.n_bus)
    added[[sweep.model.bus_index(b) for b in ("S001/220", "T002/110")]] = 0.8, 0.4
    ks, base = np.arange(sweep.count), sweep.outages.voltage
    voltage, done = solve_states(sweep, added, ks, np.angle(base), np.abs(base))
    assert done.all()
    mvar = -100 * added * np.tan(np.arccos(0.97))
    for k in ks:
        one = sweep.engine.solve(100 * added, sweep.outage_name(k) or None, injections_mvar=mvar)
        live = np.isfinite(one.vm_pu)
        np.testing.assert_allclose(voltage[live, k], one.voltage[live], atol=1e-6)


def test_alike_circuits_are_swept_once_and_fail_together():
    sweep = hosting_basis(two_bus(circuits=3), [LIGHT]).sweeps[0]
    assert sweep.count == 2
    assert sweep.outage_name(1) == "L#1"
