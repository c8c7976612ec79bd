"""System level by production simulation, and the typical hour."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import rulebook_samples as s
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from grid.rulebook.book import RuleOverride
from grid.rulebook.counties import FactorWeight
from grid.rulebook.system_level import (
    RESOLUTION_MW,
    Ending,
    Storage,
    SystemYear,
    simulate_year,
    system_bound,
    system_level,
)
from grid.rulebook.typical_hour import is_candidate, typical_hour
from layers.contracts import InputError

DAYS = 30


def half_days(load: float = 100.0, must_run: float = 0.0, export: float = 0.0, renewable: float = 0.0) -> SystemYear:
    """Twelve hours of full sun, twelve of none, every day the same."""
    hours = 24 * DAYS
    sun = np.tile(np.repeat([0.0, 1.0], 12), DAYS)
    full = [np.full(hours, v) for v in (load, must_run, export)]
    return SystemYear(*full, renewable * sun, sun)


def random_year(seed: int, hours: int = 48) -> SystemYear:
    generator = np.random.default_rng(seed)
    return SystemYear(
        generator.uniform(50, 150, hours),
        generator.uniform(0, 80, hours),
        generator.uniform(0, 20, hours),
        generator.uniform(0, 60, hours),
        generator.uniform(0, 1, hours),
    )


def test_closed_form_without_storage() -> None:
    """x MW of sun on 100 MW of load: 100/x is used, so 95 % is met up to 100/0.95 MW."""
    found = system_bound(half_days(), 0.95, Storage(), 20.0)
    assert found.ending is Ending.REACHED
    assert found.capacity_mw == pytest.approx(100 / 0.95, abs=RESOLUTION_MW)
    assert found.capacity_mw <= 100 / 0.95
    for shown, calculated, stated in s.worked_sums(found.formula.text_en):
        assert calculated == pytest.approx(stated, abs=1e-3), shown


def test_closed_form_with_storage() -> None:
    """10 MW, 60 MWh: six of the twelve sunny hours fill it. 12 x - 1200 - 60 = 0.05 x 12 x: x = 1260/11.4."""
    found = system_bound(half_days(), 0.95, Storage(10.0, 60.0), 20.0)
    assert found.capacity_mw == pytest.approx(1260 / 11.4, abs=RESOLUTION_MW)


def test_closed_form_with_must_run_export_and_other_renewables() -> None:
    """40 MW of sun is there, 30 must run, 20 may leave: 90 are taken of 40 + x: 90/(40 + x) = 0.9, x = 60."""
    found = system_bound(half_days(100, 30, 20, 40), 0.9, Storage(), 0.0)
    assert found.capacity_mw == pytest.approx(60.0, abs=2 * RESOLUTION_MW)


def test_must_run_excess_is_neither_stored_nor_renewable_energy() -> None:
    result = simulate_year(half_days(load=100, must_run=250), 10.0)
    assert result.must_run_excess_mwh == 150 * 24 * DAYS
    stored = simulate_year(half_days(load=100, must_run=250), 10.0, Storage(5.0, 7.0))
    assert stored.curtailed_mwh == result.curtailed_mwh - 7.0
    assert result.curtailed_mwh == result.available_mwh == 10 * 12 * DAYS
    assert result.used_share == 0.0


def test_endings() -> None:
    year = half_days()
    missed = system_bound(year, 0.95, Storage(), 200.0)
    assert (missed.ending, round(missed.capacity_mw)) == (Ending.MISSED, 105)
    impossible = system_bound(half_days(renewable=500.0), 0.95, Storage(), 10.0)
    assert (impossible.ending, impossible.capacity_mw) == (Ending.IMPOSSIBLE, 0.0)
    night = SystemYear(year.load_mw, year.must_run_mw, year.export_mw, year.renewable_mw, np.zeros(24 * DAYS))
    assert system_bound(night, 0.95, Storage(), 10.0).ending is Ending.UNLIMITED


def test_a_feasible_island_between_two_misses_is_found() -> None:
    """500 MW of useless night wind is lost; distributed sun lifts the ratio before it is lost itself."""
    year = half_days(load=100.0)
    night = 1.0 - year.dg_shape
    lossy = SystemYear(year.load_mw, year.must_run_mw, year.export_mw, 110.0 * night, year.dg_shape)
    assert simulate_year(lossy, 0.0).used_share < 0.95 < simulate_year(lossy, 100.0).used_share
    found = system_bound(lossy, 0.95, Storage(), 400.0)
    # 10 (night) + x - 100 (day) of 110 + x is lost: x - 90 = 0.05 (110 + x), x = 95.5/0.95
    assert found.ending is Ending.MISSED
    assert found.capacity_mw == pytest.approx(95.5 / 0.95, abs=2 * RESOLUTION_MW)


def least_curtailment(year: SystemYear, dg_mw: float, storage: Storage) -> float:
    """Second engine: the linear program of the same year, storage planned with foresight.

    Variables an hour: charge c, discharge d, state e, curtailment k.
    """
    hours = len(year.load_mw)
    available = year.renewable_mw + dg_mw * year.dg_shape
    surplus = available - np.maximum(year.load_mw + year.export_mw - year.must_run_mw, 0.0)
    one, zero = np.eye(hours), np.zeros((hours, hours))
    before = np.eye(hours, k=-1)
    balance = np.hstack([-one, one, zero, -one])  # surplus - c + d - k <= 0: what is left is covered by other plants
    state = np.hstack([-storage.charge_efficiency * one, one / storage.discharge_efficiency, one - before, zero])
    bounds = [(0, storage.power_mw)] * hours
    bounds += [(0, min(storage.power_mw, max(-v, 0.0))) for v in surplus]
    bounds += [(0, storage.energy_mwh)] * hours + [(0, None)] * hours
    cost = np.concatenate([np.zeros(3 * hours), np.ones(hours)])
    found = linprog(cost, balance, -surplus, state, np.zeros(hours), bounds)
    assert found.success
    return float(found.fun)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), dg=st.floats(0, 300), power=st.floats(1, 60), hours=st.floats(0.5, 6),
    efficiency=st.floats(0.7, 1),
)  # fmt: skip
def test_no_plan_of_the_storage_curtails_less(seed, dg, power, hours, efficiency) -> None:
    year = random_year(seed)
    storage = Storage(power, power * hours, efficiency, efficiency)
    ours = simulate_year(year, dg, storage).curtailed_mwh
    assert ours == pytest.approx(least_curtailment(year, dg, storage), rel=1e-7, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.floats(0.7, 0.99), power=st.floats(0, 50))
def test_target_holds_at_the_answer_and_fails_one_step_above(seed: int, target: float, power: float) -> None:
    year, storage = random_year(seed), Storage(power, 2 * power)
    found = system_bound(year, target, storage, 0.0)
    if found.ending is Ending.REACHED:
        assert found.year.used_share >= target - 1e-12
        assert simulate_year(year, found.capacity_mw + 2 * RESOLUTION_MW, storage).used_share < target
        more = system_bound(year, target, Storage(power + 10, 2 * power + 20), 0.0)
        assert more.capacity_mw >= found.capacity_mw - RESOLUTION_MW


def test_interval_of_a_planning_cycle_and_its_way_into_the_counties() -> None:
    level = system_level(half_days(), (0.9, 0.95), (Storage(), Storage(10.0, 60.0)), 20.0)
    assert level.low.target_share == 0.95
    assert level.high.target_share == 0.9
    assert level.low.capacity_mw < level.high.capacity_mw
    settings_ = level.shared_by((FactorWeight("users", 1.0),))
    assert (settings_.system_min_mw, settings_.system_max_mw) == (level.low.capacity_mw, level.high.capacity_mw)
    assert level.confidence == "A"


def test_faults_of_the_year_at_once() -> None:
    year = half_days()
    broken = SystemYear(year.load_mw, -year.load_mw, year.export_mw[:-1], year.renewable_mw, year.dg_shape * np.nan)
    with pytest.raises(InputError) as error:
        system_bound(broken, 95.0, Storage(-1.0, 1.0, 0.0), 0.0, file="system.csv")
    assert [f.item for f in error.value.findings] == [
        "must_run_mw hour 0", "export_mw", "dg_shape hour 0", "target_share", "charge_efficiency", "power_mw",
    ]  # fmt: skip


HOURS = pd.date_range("2025-01-01", periods=8760, freq="h")


def test_typical_hour_is_a_working_noon_of_spring_or_autumn() -> None:
    found = HOURS[is_candidate(HOURS)]
    assert sorted(set(found.month)) == [3, 4, 5, 9, 10, 11]
    assert sorted(set(found.hour)) == [10, 11, 12, 13]
    assert max(found.dayofweek) == 4
    assert not is_candidate(HOURS[:24]).any()


def test_typical_hour_has_the_largest_output_of_the_candidates() -> None:
    output = np.zeros((8760, 3))
    labour_day, noon = HOURS.get_loc("2025-05-01 12:00"), HOURS.get_loc("2025-04-30 11:00")
    output[HOURS.get_loc("2025-07-01 12:00"), :] = 9.0  # summer does not count
    output[labour_day, 0], output[noon, 0] = 5.0, 4.0
    output[noon, 1] = np.nan
    output[:, 2] = np.nan
    first = int(np.flatnonzero(is_candidate(HOURS))[0])
    assert typical_hour(HOURS, output).tolist() == [labour_day, first, -1]
    assert typical_hour(HOURS, output, holidays=[date(2025, 5, 1)]).tolist() == [noon, first, -1]
    assert int(typical_hour(HOURS, output[:, 0])) == labour_day


def test_worked_weekends_and_other_noons() -> None:
    saturday = HOURS.get_loc("2025-04-26 12:00")
    output = np.zeros(8760)
    output[saturday] = 1.0
    assert int(typical_hour(HOURS, output)) != saturday
    assert int(typical_hour(HOURS, output, working_weekends=[date(2025, 4, 26)])) == saturday
    later = is_candidate(HOURS, overrides=[RuleOverride("noon_to_hour", 15, "grid company's practice")])
    assert later.sum() == is_candidate(HOURS).sum() * 5 // 4
