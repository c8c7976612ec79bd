"""The kernel against the plain functions, and against windpowerlib's ModelChain with equal options."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wind_samples import GENERIC, LIBRARY, TABLES, model_chain_frame, windy

from siting.wind.blocks import curve_set, in_blocks, wind_power, yearly_hours
from siting.wind.chain import air_density, density_corrected_speed, speed_at_height
from siting.wind.curves import PowerCurve, power_curve, power_from_speed, running

CURVES = [power_curve(turbine) for turbine in TABLES.turbines]
HUBS = np.array([turbine.hub_height_m for turbine in TABLES.turbines])
UP = math.log(134 / 0.1) / math.log(10 / 0.1)


def without_wait(curve: PowerCurve) -> PowerCurve:
    return PowerCurve(curve.speed_m_per_s, curve.power_share, curve.cut_out_m_per_s)


def arrays(weather):
    return tuple(
        weather.hours[name].to_numpy(float)[None] for name in ("wind_speed_m_per_s", "temp_air_c", "pressure_pa")
    )


def away_from_jumps(speed: np.ndarray, curve: PowerCurve) -> np.ndarray:
    """Single precision may see the other side of cut-out, of re-cut-in and of the first point of a curve."""
    jumps = [curve.cut_out_m_per_s, curve.recut_in_m_per_s, curve.speed_m_per_s[0], curve.speed_m_per_s[1]]
    edges = np.array([j for j in jumps if np.isfinite(j)])
    return (np.abs(speed[:, None] - edges) > 1e-4).all(axis=1)


@pytest.mark.parametrize("density", ["none", "iec"])
def test_kernel_is_the_plain_functions(density):
    """All turbines at once, storms included, to 1e-6 of rated."""
    speed, temp, pressure = arrays(windy(6.0, seed=8))
    factor = np.array([[1.0 + 0.1 * k for k in range(len(CURVES))]])
    ours = wind_power(speed, factor, curve_set(CURVES), HUBS, temp_air_c=temp, pressure_pa=pressure, density=density)
    assert ours.dtype == np.float32
    for k, (curve, hub) in enumerate(zip(CURVES, HUBS, strict=True)):
        v = speed[0] * factor[0, k]
        rho = air_density(temp[0], pressure[0], hub)
        read = density_corrected_speed(v, rho) if density == "iec" else v
        runs = running(v, curve.cut_out_m_per_s, curve.recut_in_m_per_s)
        expected = power_from_speed(v, curve, read) * runs
        keep = away_from_jumps(v, curve) & away_from_jumps(read, curve)
        assert keep.mean() > 0.99
        np.testing.assert_allclose(ours[0, k][keep], expected[keep], atol=1e-6)
        assert (~runs).any() or v.max() <= curve.cut_out_m_per_s


@pytest.mark.parametrize(("density", "chosen"), [("none", False), ("svenningsen", True)])
@pytest.mark.parametrize("name", ["n131_3000", "ge120_2500"])
def test_agreement_with_windpowerlib_model_chain(name, density, chosen):
    """Equal options: log shear, library curve, ideal gas; yearly energy within 0.1 % (here 1e-6) and each hour."""
    from windpowerlib import ModelChain, WindTurbine

    turbine = TABLES.turbine(name)
    for mean, air in ((4.5, 101_000.0), (7.5, 78_000.0)):
        weather = windy(mean, pressure=air)
        theirs = WindTurbine(turbine_type=turbine.library_type, hub_height=turbine.hub_height_m)
        chain = ModelChain(
            theirs, power_output_model="power_curve", density_model="ideal_gas", density_correction=chosen
        ).run_model(model_chain_frame(weather))
        expected = np.minimum(chain.power_output.to_numpy() / theirs.nominal_power, 1)
        speed, temp, pressure = arrays(weather)
        factor = np.array([[float(speed_at_height(np.ones(1), 10, turbine.hub_height_m, 0.1)[0])]])
        curve = without_wait(power_curve(turbine))
        ours = wind_power(
            speed, factor, curve_set([curve]), np.array([turbine.hub_height_m]),
            temp_air_c=temp, pressure_pa=pressure, density=density,
        )[0, 0]  # fmt: skip
        assert ours.sum(dtype=float) == pytest.approx(expected.sum(), rel=1e-6)
        np.testing.assert_allclose(ours, expected, atol=2e-6)
        assert expected.sum() > 1000


def test_iec_and_windpowerlib_corrections_differ_a_little():
    """On the plateau (780 hPa) the two corrections are one per cent apart and uncorrected power far off."""
    speed, temp, pressure = arrays(windy(5.0, pressure=78_000.0))
    sums = {}
    for density in ("none", "iec", "svenningsen"):
        power = wind_power(
            speed, np.array([[UP]]), curve_set([without_wait(power_curve(LIBRARY))]), np.array([134.0]),
            temp_air_c=temp, pressure_pa=pressure, density=density,
        )  # fmt: skip
        sums[density] = float(power.sum(dtype=float))
    assert sums["iec"] < 0.93 * sums["none"]
    assert abs(sums["svenningsen"] / sums["iec"] - 1) < 0.04


@settings(max_examples=60, deadline=None)
@given(
    speed=st.lists(st.floats(0, 60), min_size=2, max_size=40),
    temp=st.floats(-40, 45),
    pressure=st.floats(55_000, 105_000),
    density=st.sampled_from(["none", "iec", "svenningsen"]),
)
def test_kernel_never_above_rating_and_calm_gives_nothing(speed, temp, pressure, density):
    values = np.array([speed])
    power = wind_power(
        values, np.ones((1, len(CURVES))), curve_set(CURVES), HUBS,
        temp_air_c=np.full(values.shape, temp), pressure_pa=np.full(values.shape, pressure), density=density,
    )  # fmt: skip
    assert np.isfinite(power).all()
    assert power.min() >= 0
    assert power.max() <= 1
    assert (power[0][:, values[0] < 2.0] <= 0.02).all()
    one = wind_power(
        values[:, :1], np.ones((1, 1)), curve_set(CURVES[:1]), HUBS[:1],
        temp_air_c=np.full((1, 1), temp), pressure_pa=np.full((1, 1), pressure), density=density,
    )  # fmt: skip
    assert one[0, 0, 0] == power[0, 0, 0]


def test_no_nan_passes_silently():
    speed, temp, pressure = arrays(windy(5.0, hours=48))
    setting = (np.ones((1, 1)), curve_set(CURVES[:1]), HUBS[:1])
    for bad in (np.nan, -1.0, np.inf):
        wrong = speed.copy()
        wrong[0, 7] = bad
        with pytest.raises(ValueError, match="1 values"):
            wind_power(wrong, *setting, density="none")
    for name in ("temp_air_c", "pressure_pa"):
        given_ = {"temp_air_c": temp, "pressure_pa": pressure}
        given_[name] = np.where(np.arange(48) == 5, np.nan, given_[name])
        with pytest.raises(ValueError, match="1 values"):
            wind_power(speed, *setting, **given_)
    with pytest.raises(ValueError, match="needs temperature"):
        wind_power(speed, *setting, density="iec")
    with pytest.raises(ValueError, match="do not fit"):
        wind_power(speed, np.ones((2, 1)), *setting[1:], density="none")


def test_blocks_give_the_same_and_memory_does_not_grow():
    """Yearly hours of 40 cells in blocks of 7 are those of one block; the reader never sees more than 7 cells."""
    asked: list[int] = []

    def read(part: slice):
        asked.append(part.stop - part.start)
        rows = [arrays(windy(4 + 0.05 * k, hours=240, seed=k)) for k in range(part.start, part.stop)]
        return tuple(np.concatenate(columns) for columns in zip(*rows, strict=True))

    factor = np.full((40, 2), UP)
    curves = curve_set([power_curve(GENERIC), power_curve(LIBRARY)])
    hubs = np.array([140.0, 134.0])
    blocked = yearly_hours(40, read, factor, curves, hubs, block=7)
    assert max(asked) == 7
    whole = yearly_hours(40, read, factor, curves, hubs, block=64)
    np.testing.assert_array_equal(blocked, whole)
    assert [(s.start, s.stop) for s in in_blocks(5, 2)] == [(0, 2), (2, 4), (4, 5)]


def test_points_finer_than_the_buckets_are_refused():
    with pytest.raises(ValueError, match="finer"):
        curve_set([PowerCurve(np.array([3.0, 3.00001, 12.0]), np.array([0.0, 0.1, 1.0]), 12.0)])
