"""Wakes: closed forms of two turbines, directions, the trap of the cap, the table by density."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import GENERIC, weibull_wind, windy

from siting.technologies.wind import load_wakes
from siting.wind.chain import WindOptions, wind_yield
from siting.wind.curves import power_curve, power_from_speed
from siting.wind.wake import (
    WindRose,
    thrust_coefficient,
    wake_loss,
    wake_loss_by_density,
    wind_rose,
)

CURVE = power_curve(GENERIC)
D = GENERIC.rotor_diameter_m


def steady(speed: float, from_degree: float) -> WindRose:
    return WindRose(np.array([from_degree]), np.array([speed]), np.array([[1.0]]), False)


def rayleigh(mean: float) -> WindRose:
    speed = np.arange(0.5, 30, 1.0)
    scale = mean / math.gamma(1.5)
    return wind_rose(speed, bin_m_per_s=1.0, frequency=speed * np.exp(-((speed / scale) ** 2)))


def staggered(side: int, spacing_m: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(side) * spacing_m, np.arange(side) * spacing_m)
    return (x + (np.arange(side) % 2)[:, None] * spacing_m / 2).ravel(), y.ravel()


def test_jensen_of_two_turbines_by_hand():
    """7 D behind, in full wake: deficit (1 - sqrt(1 - ct)) (R / (R + 0.075 * 7 D))^2 = (1 - sqrt(1 - ct)) / 2.05^2."""
    speed = 8.0
    ct_speed, ct = thrust_coefficient(GENERIC, CURVE)
    thrust = float(np.interp(speed, ct_speed, ct))
    left = 1 - (1 - math.sqrt(1 - thrust)) / 2.05**2
    expected = 1 - float(power_from_speed(np.array([speed * left]), CURVE)[0]) / float(
        power_from_speed(np.array([speed]), CURVE)[0]
    )
    loss = wake_loss([0, 0], [0, 7 * D], GENERIC, CURVE, steady(speed, 180.0))
    np.testing.assert_allclose(loss.turbine, [0.0, expected], rtol=1e-9)
    assert loss.farm == pytest.approx(expected / 2)
    assert 0.1 < expected < 0.5


def test_gauss_of_two_turbines_by_hand():
    """5 D behind: sigma = 0.042 * 5 + 0.2 sqrt(beta); deficit 1 - sqrt(1 - ct / (8 sigma^2)) on the axis."""
    speed = 8.0
    ct_speed, ct = thrust_coefficient(GENERIC, CURVE)
    thrust = float(np.interp(speed, ct_speed, ct))
    root = math.sqrt(1 - thrust)
    sigma = 0.042 * 5 + 0.2 * math.sqrt((1 + root) / (2 * root))
    deficit = 1 - math.sqrt(1 - thrust / (8 * sigma**2))
    for side in (0.0, 0.8 * D):
        left = 1 - deficit * math.exp(-((side / (sigma * D)) ** 2) / 2)
        expected = (
            1 - power_from_speed(np.array([speed * left]), CURVE)[0] / power_from_speed(np.array([speed]), CURVE)[0]
        )
        loss = wake_loss([0, side], [0, 5 * D], GENERIC, CURVE, steady(speed, 180.0), model="gauss")
        assert loss.turbine[0] == 0
        assert loss.turbine[1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", ["jensen", "gauss"])
@pytest.mark.parametrize(("degree", "waked"), [(270.0, 1), (90.0, 0), (0.0, None), (180.0, None)])
def test_wind_comes_from_where_it_says(model, degree, waked):
    """Two turbines, the second 6 D east of the first: a west wind (270) wakes the eastern one; north and south none."""
    loss = wake_loss([0, 6 * D], [0, 0], GENERIC, CURVE, steady(8.0, degree), model=model).turbine
    if waked is None:
        assert loss.max() < 1e-9
    else:
        assert loss[waked] > 0.05
        assert loss[1 - waked] == 0


def test_partial_wake_lies_between_none_and_full():
    offsets = [0.0, 0.6 * D, 1.0 * D, 1.4 * D, 3.0 * D]
    losses = [wake_loss([0, x], [0, 6 * D], GENERIC, CURVE, steady(8.0, 180.0)).turbine[1] for x in offsets]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[3] > 0
    assert losses[-1] == 0


def test_thrust_by_momentum_theory():
    """cp 0.43 / 0.92 = 0.4674: a = 0.1655..., ct = 4 a (1 - a); it falls above the rating."""
    speed, ct = thrust_coefficient(GENERIC, CURVE)
    steady_part = (speed > 4) & (speed < 6.5)
    a = 0.25
    for _ in range(200):
        a -= (4 * a * (1 - a) ** 2 - 0.43 * 1.0292 / 0.92) / (4 * (1 - a) * (1 - 3 * a))
    assert ct[steady_part] == pytest.approx(np.full(steady_part.sum(), 4 * a * (1 - a)), rel=0.02)
    assert ((ct >= 0) & (ct < 8 / 9 + 1e-9)).all()
    assert ct[speed == 18.0][0] < 0.15


def test_a_storm_wakes_nobody_and_stops_all():
    loss = wake_loss([0, 0], [0, 5 * D], GENERIC, CURVE, steady(18.0, 180.0))
    assert loss.farm == 0
    assert wake_loss([0, 0], [0, 5 * D], GENERIC, CURVE, steady(25.0, 180.0)).farm == 0
    assert wake_loss([0, 0], [0, 5 * D], GENERIC, CURVE, steady(1.0, 180.0)).farm == 0


def test_wake_as_cap_on_power_trap():
    """A farm that loses 12 % of its energy to wakes still delivers its rating: the grid is built for that hour."""
    windy_site = windy(5.0)
    result = wind_yield(windy_site, GENERIC, options=WindOptions(wake_loss_share=0.12))
    assert result.power.max() == pytest.approx(1.0, abs=1e-12)
    assert result.stages["wake"] == pytest.approx(0.88 * result.stages["air_density"], rel=1e-9)
    x, y = staggered(5, 5 * D)
    full_load = wake_loss(x, y, GENERIC, CURVE, steady(15.0, 200.0))
    assert full_load.farm < 1e-3


def test_wake_option_replaces_the_item_or_comes_first():
    bare = dataclasses.replace(GENERIC, losses=GENERIC.losses[1:])
    for turbine in (GENERIC, bare):
        stages = wind_yield(windy(3.5, hours=500), turbine, options=WindOptions(wake_loss_share=0.2)).stages
        assert list(stages.index).count("wake") == 1
        assert stages["wake"] == pytest.approx(0.8 * stages["air_density"], rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    side=st.integers(1, 4), spacing=st.floats(3, 12), turn=st.floats(0, 360), model=st.sampled_from(["jensen", "gauss"])
)
def test_turned_farm_in_turned_wind_loses_the_same(side, spacing, turn, model):
    x, y = staggered(side, spacing * D)
    angle = math.radians(turn)
    # clockwise, as directions are counted
    turned_x, turned_y = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
    plain = wake_loss(x, y, GENERIC, CURVE, steady(9.0, 225.0), model=model)
    turned = wake_loss(turned_x, turned_y, GENERIC, CURVE, steady(9.0, (225.0 + turn) % 360), model=model)
    np.testing.assert_allclose(turned.turbine, plain.turbine, atol=1e-6)
    assert (plain.turbine >= 0).all()
    assert (plain.turbine < 1).all()


def test_rose_counts_directions_and_says_when_it_cannot():
    speed = np.array([5.2, 5.2, 9.9, 5.2])
    rose = wind_rose(speed, np.array([359.0, 1.0, 90.0, np.nan]), sectors=4)
    assert rose.uniform  # 3 of 4 known is less than 80 %
    rose = wind_rose(np.tile(speed, 2), np.array([359.0, 1.0, 90.0, 355.0, 2.0, 90.0, 268.0, np.nan]), sectors=4)
    assert not rose.uniform
    np.testing.assert_allclose(rose.frequency.sum(axis=1), np.array([4, 2, 0, 1]) / 7)
    assert rose.frequency.sum() == pytest.approx(1)
    assert wind_rose(weibull_wind(5.0)).uniform
    single = wake_loss([0.0], [0.0], GENERIC, CURVE, wind_rose(weibull_wind(5.0)))
    assert single.farm == pytest.approx(0, abs=1e-12)


def test_calms_without_a_direction_do_not_spoil_the_rose():
    speed = np.concatenate([np.full(50, 1.0), np.full(50, 8.0)])
    direction = np.concatenate([np.full(50, np.nan), np.full(50, 90.0)])
    rose = wind_rose(speed, direction, sectors=4)
    assert not rose.uniform
    assert rose.frequency[1].sum() == 1
    assert wind_rose(np.full(50, 1.0), np.full(50, 90.0)).uniform


def test_prevailing_wind_along_the_row_costs_more_than_across():
    x, y = np.arange(6) * 4 * D, np.zeros(6)
    speed = weibull_wind(6.5)
    rng = np.random.default_rng(1)
    along, across = (wind_rose(speed, (d + rng.normal(0, 15, speed.size)) % 360) for d in (270.0, 0.0))
    assert wake_loss(x, y, GENERIC, CURVE, along).farm > 3 * wake_loss(x, y, GENERIC, CURVE, across).farm


def test_turbines_on_each_other_are_refused():
    with pytest.raises(ValueError, match="turbines 0 and 1 stand 50 m apart"):
        wake_loss([0, 50, 5000], [0, 0, 0], GENERIC, CURVE, steady(8.0, 0.0))


@pytest.mark.parametrize("row", load_wakes(), ids=lambda row: f"{row.density_mw_per_km2:g}-{row.turbines:g}")
def test_table_of_wakes_is_the_model(row):
    """Each row by the layout it names, half a point from rounding and coarser bins; the largest farm is left out."""
    assert wake_loss_by_density(row.density_mw_per_km2, row.turbines)[0] == pytest.approx(row.wake_loss_percent / 100)
    if row.turbines > 25:
        return
    spacing = math.sqrt(GENERIC.rated_kw / 1000 / row.density_mw_per_km2) * 1000
    x, y = staggered(round(math.sqrt(row.turbines)), spacing)
    loss = wake_loss(x, y, GENERIC, CURVE, rayleigh(6.0))
    assert 100 * loss.farm == pytest.approx(row.wake_loss_percent, abs=0.5)


def test_table_between_and_beyond_its_rows():
    assert wake_loss_by_density([0.0, 4.0], [25, 1]).tolist() == [0.0, 0.0]
    inside = wake_loss_by_density([4.0, 5.0, 6.0], [25, 25, 25])
    assert inside[1] == pytest.approx((inside[0] + inside[2]) / 2)
    assert wake_loss_by_density(40.0, 900)[0] == wake_loss_by_density(9.0, 100)[0]
    rising = wake_loss_by_density(np.full(5, 4.0), [2, 5, 10, 40, 100])
    assert (np.diff(rising) > 0).all()
