"""Capacity against curtailed energy: closed forms, direct simulation, storage by hand and by a linear program."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid.capacity.flexible import SiteStorage, capacity_without, curtailment_curves, curve_points
from grid.capacity.flexible_kernels import simulate
from grid.capacity.year_records import CAP, CHECKS, HourlyLimits, Work


def limits_of(limit: np.ndarray, code: np.ndarray | None = None) -> HourlyLimits:
    table = np.atleast_2d(np.asarray(limit, float))
    when = pd.date_range("2023-01-01", periods=table.shape[1], freq="h")
    codes = np.full(table.shape, CAP, np.int32) if code is None else np.atleast_2d(code).astype(np.int32)
    return HourlyLimits(
        np.arange(len(table)) + 1, tuple(map(str, range(table.shape[1]))), when.month.to_numpy(), when.hour.to_numpy(),
        table, codes, np.full(len(table), 1e4), ("", "o1"), (("line_loading", "e0"), ("voltage_high", "7")), (), (),
        CHECKS.empty(), (), Work(0, 0, 0, 0, 0, 0.0),
    )  # fmt: skip


def test_curve_by_hand():
    """Limits 10, 20, 40 MW at full output: firm 10 MW. Up to 20 MW only the first hour gives way: (C - 10)/3C. At
    C = 20 that is 1/6. 10 % is reached at C = 10/(1 - 0.3), 20 % beyond 20 MW at C = 30/(2 - 0.6)."""
    limit, profile = np.array([20.0, 10.0, 40.0]), np.ones(3)
    assert capacity_without(limit, profile, 0.0) == 10.0
    assert capacity_without(limit, profile, 0.1) == pytest.approx(10 / 0.7)
    assert capacity_without(limit, profile, 1 / 6) == pytest.approx(20.0)
    assert capacity_without(limit, profile, 0.2) == pytest.approx(30 / 1.4)
    assert capacity_without(limit, np.zeros(3), 0.1) != capacity_without(limit, np.zeros(3), 0.1)  # NaN
    assert capacity_without(np.array([0.0, 10.0]), np.ones(2), 0.05) == 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.005, 0.01, 0.05, 0.1, 0.3]))
def test_exact_capacity_against_direct_simulation(seed, share):
    rng = np.random.default_rng(seed)
    limit = rng.uniform(0, 100, 200) * (rng.random(200) > 0.02)
    profile = np.maximum(rng.normal(0.3, 0.4, 200), 0.0).clip(max=1.0)
    capacity = capacity_without(limit, profile, share)

    def curtailed(c: float) -> float:
        return float(np.maximum(c * profile - limit, 0).sum() / (c * profile.sum()))

    if capacity > 0:
        assert curtailed(capacity) <= share + 1e-12
    assert curtailed(capacity * 1.001 + 1e-6) > share
    for c in np.linspace(1e-3, max(capacity, 1e-3), 20):
        assert c > capacity or curtailed(c) <= share + 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.5), st.floats(0.5, 4.0), st.floats(0.6, 1.0))
def test_more_may_be_curtailed_more_fits_and_storage_never_lowers(seed, share, hours, efficiency):
    rng = np.random.default_rng(seed)
    limit = rng.uniform(5, 100, 240)
    profile = rng.uniform(0, 1, 240)
    storage = SiteStorage(power_mw=3.0, share=share, hours=hours, round_trip_efficiency=efficiency)
    table = curtailment_curves(limits_of(limit), profile, storage)
    without, with_it = (table[table["storage"] == s]["capacity_mw"].to_numpy() for s in (False, True))
    assert (np.diff(without) >= 0).all()
    assert (np.diff(with_it) >= -1e-6 * with_it[1:]).all()
    assert (with_it >= without).all()
    reached = 100 * table["curtailed_mwh"] / (table["capacity_mw"] * profile.sum())
    assert (reached <= table["curtailed_percent"] + 1e-5).all()
    bare = table[~table["storage"]]
    assert bare["utilisation_percent"].to_numpy() == pytest.approx(100 - bare["curtailed_percent"].to_numpy())
    lower = curtailment_curves(limits_of(0.9 * limit), profile, storage)
    assert (lower["capacity_mw"] <= table["capacity_mw"] * (1 + 1e-6)).all()


def test_storage_by_hand():
    """Two hours with limits 10 and 30 MW at full output, 5 MW of storage for 1 h without losses: 15 MW lose nothing
    (5 are stored and given back in the second hour); at 10 % the first hour loses 0.2 C = C - 15, so C = 18.75."""
    storage = SiteStorage(power_mw=5.0, hours=1.0, round_trip_efficiency=1.0)
    table = curtailment_curves(limits_of(np.array([10.0, 30.0])), np.ones(2), storage, (0.0, 10.0))
    with_it = table[table["storage"]]
    assert with_it["capacity_mw"].tolist() == pytest.approx([15.0, 18.75], rel=1e-6)
    assert with_it["energy_mwh"].tolist() == pytest.approx([30.0, 10 + 18.75 + 5], rel=1e-6)
    lossy = SiteStorage(power_mw=5.0, hours=1.0, round_trip_efficiency=0.81)
    # the store holds 5 MWh and fills by 0.9 of what is taken: 5 MW taken are 4.5 stored, 4.05 given back
    _, curtailed, delivered, left = simulate(np.array([10.0, 30.0]), np.ones(2), 15.0, 5.0, 5.0, 0.9, 0.9)
    assert (curtailed, delivered, left) == pytest.approx((0.0, 10 + 15 + 4.05, 0.0))
    assert lossy.one_way == pytest.approx(0.9)


def test_greedy_storage_curtails_no_more_than_a_linear_program():
    """Without losses: with them the program would burn energy by charging and discharging at once."""
    rng = np.random.default_rng(3)
    n, capacity, power, energy, way = 48, 60.0, 8.0, 20.0, 1.0
    limit, profile = rng.uniform(10, 60, n), rng.uniform(0, 1, n)
    # unknowns: curtailed, charged, discharged, stored; delivered = C g - curtailed - charged + discharged <= limit
    one = np.eye(n)
    zero = np.zeros((n, n))
    step = one - np.eye(n, k=-1)
    found = linprog(
        np.concatenate([np.ones(n), np.zeros(3 * n)]),
        A_ub=np.hstack([-one, -one, one, zero]), b_ub=limit - capacity * profile,
        A_eq=np.hstack([zero, -way * one, one / way, step]), b_eq=np.zeros(n),
        bounds=[(0, c) for c in capacity * profile] + [(0, power)] * (2 * n) + [(0, energy)] * n,
    )  # fmt: skip
    _, curtailed, _, _ = simulate(limit, profile, capacity, power, energy, way, way)
    assert found.status == 0
    assert curtailed == pytest.approx(found.fun, abs=1e-6)
    assert curtailed < np.maximum(capacity * profile - limit, 0).sum() - 10


def test_what_binds_and_several_buses():
    limit = np.array([[10.0, 20.0, 30.0], [5.0, 50.0, 50.0]])
    code = np.array([[2, 0, CAP], [3, 0, 0]])  # bus 1: e0 after o1, e0 intact; bus 2: voltage at 7 after o1
    profiles = {1: np.array([1.0, 1.0, 1.0]), 2: np.array([0.0, 1.0, 1.0])}
    table = curtailment_curves(limits_of(limit, code), profiles, None, (0.0, 30.0)).set_index(
        ["bus_id", "curtailed_percent"]
    )
    assert tuple(table.loc[(1, 0.0), ["binding_outage", "binding_element"]]) == ("o1", "e0")
    assert table.loc[(2, 0.0), "capacity_mw"] == 50.0  # the plant has no output in the worst hour
    assert table.loc[(2, 0.0), "binding_outage"] == ""
    points = curve_points(limits_of(limit, code), profiles, SiteStorage(2.0))
    for _, own in points.groupby(["bus_id", "storage"]):
        assert (np.diff(own["curtailed_percent"]) >= -1e-9).all()
    bare = points[(points["bus_id"] == 1) & ~points["storage"]]
    assert bare["curtailed_percent"].iloc[-1] == pytest.approx(20.0)


@pytest.mark.parametrize("profile", [np.ones(2), np.full(3, 1.2), np.array([0.1, np.nan, 0.2])])
def test_bad_profiles_are_refused(profile):
    with pytest.raises(ValueError, match="bus 1"):
        curtailment_curves(limits_of(np.ones(3)), profile)
    with pytest.raises(ValueError, match="no profile"):
        curtailment_curves(limits_of(np.ones(3)), {5: np.ones(3)})
    with pytest.raises(ValueError, match="efficiency"):
        SiteStorage(1.0, round_trip_efficiency=0.0)
