"""Curtailment rules: month, clock, wind and temperature, by a truth table."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import GENERIC, windy, year

from layers.contracts import InputError
from siting.technologies.wind import CurtailmentRule, curtailment_rules, load_curtailment_rules
from siting.wind.chain import WindOptions, wind_yield
from siting.wind.curtailment_rules import apply_rules, curtailed_hours

NAN = math.nan
BATS = curtailment_rules(("bats",))[0]
NOISE = curtailment_rules(("night_noise",))[0]


@pytest.mark.parametrize(
    ("when", "wind", "temp", "holds"),
    [
        ("2023-06-15 23:00", 5.0, 20.0, True),
        ("2023-06-15 05:00", 5.0, 20.0, True),
        ("2023-06-15 06:00", 5.0, 20.0, False),  # the hour that starts when the rule ends
        ("2023-06-15 19:00", 5.0, 20.0, True),
        ("2023-06-15 18:00", 5.0, 20.0, False),
        ("2023-03-31 23:00", 5.0, 20.0, False),
        ("2023-04-01 00:00", 5.0, 20.0, True),
        ("2023-10-31 23:00", 5.0, 20.0, True),
        ("2023-06-15 23:00", 6.0, 20.0, True),
        ("2023-06-15 23:00", 6.1, 20.0, False),
        ("2023-06-15 23:00", 5.0, 9.9, False),
        ("2023-06-15 23:00", NAN, 20.0, False),
    ],
)
def test_bats_truth_table(when, wind, temp, holds):
    hours = pd.DatetimeIndex([when], tz=year(1).tz)
    assert curtailed_hours(BATS, hours, np.array([wind]), np.array([temp])).tolist() == [holds]


def test_months_over_new_year():
    icing = curtailment_rules(("icing",))[0]
    index = year()
    holds = curtailed_hours(icing, index, np.full(8760, 8.0), np.full(8760, -5.0))
    assert set(index.month[holds]) == {12, 1, 2}
    assert holds.sum() == (31 + 31 + 28) * 24


def test_noise_mode_limits_and_does_not_stop():
    index = year(48)
    power, stages = apply_rules(np.ones(48), (NOISE,), index, np.full(48, 8.0), np.full(48, 15.0))
    assert set(power.tolist()) == {0.85, 1.0}
    assert (power == 0.85).sum() == 16  # 22:00 to 06:00 of two days
    assert stages == {"curtailment_night_noise": pytest.approx(48 - 0.15 * 16)}


def test_rules_add_up_in_their_order():
    rules = curtailment_rules(("bats", "night_noise_stop"))
    weather = windy(5.0)
    plain = wind_yield(weather, GENERIC)
    result = wind_yield(weather, GENERIC, options=WindOptions(curtailment=rules))
    names = list(result.stages.index)
    assert names[-2:] == ["curtailment_bats", "curtailment_night_noise_stop"]
    assert result.stages.iloc[-3] == pytest.approx(plain.stages.iloc[-1])
    assert result.stages.iloc[-1] == pytest.approx(result.power.sum())
    assert (np.diff(result.stages.to_numpy()[-3:]) < 0).all()
    night = (weather.hours.index.hour >= 22) | (weather.hours.index.hour < 6)
    assert (result.power[night] == 0).all()
    # a rule that comes again takes nothing more
    again = wind_yield(weather, GENERIC, options=WindOptions(curtailment=(*rules, rules[0]))).power
    np.testing.assert_array_equal(again, result.power)


@settings(max_examples=60, deadline=None)
@given(
    months=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    clock=st.tuples(st.integers(0, 23), st.integers(0, 24)),
    limit=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_a_rule_never_adds_power(months, clock, limit, seed):
    rule = CurtailmentRule("x", "x", "x", *months, *clock, NAN, NAN, NAN, NAN, limit, "test", "C")
    rng = np.random.default_rng(seed)
    power = rng.random(8760)
    left, _ = apply_rules(power, (rule,), year(), rng.random(8760) * 20, rng.normal(10, 10, 8760))
    assert (left <= power).all()
    assert (left >= np.minimum(power, limit)).all()


def test_unknown_rule_is_told_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'bats'"):
        curtailment_rules(("bat",))
    assert len(load_curtailment_rules()) == len({rule.rule for rule in load_curtailment_rules()})
