"""Wind on arrays: against windpowerlib's ModelChain, by hand, and at its limits."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yield_samples import clear_sky_weather, weather_of, year

from layers.contracts import InputError
from siting.technologies.tables import load_technology_tables
from siting.wind.chain import (
    PowerCurve,
    WindOptions,
    air_density,
    density_corrected_speed,
    library_power_curve,
    power_curve,
    power_from_speed,
    rotor_power_curve,
    speed_at_height,
    wind_yield,
    with_energy_factor,
)

TABLES = load_technology_tables()
GENERIC = TABLES.turbine("generic_3300_156")
LIBRARY = TABLES.turbine("n131_3000")
# The industry composite falls from 18 m/s on, where its machines cut out one after the other.
PITCHED = tuple(turbine for turbine in TABLES.turbines if turbine.turbine != "iec3_composite")
ROTORS_OF_LIBRARY = {
    "GE120/2500": 120,
    "GE130/3200": 130,
    "N131/3000": 131,
    "N131/3300": 131,
    "N117/2400": 117,
    "V126/3000": 126,
    "SWT142/3150": 142,
    "E-141/4200": 141,
    "S122/3000": 122,
    "SWT130/3300": 130,
    "V112/3000": 112,
}


def weibull_wind(mean: float, hours: int = 8760, shape: float = 2.0, seed: int = 3) -> np.ndarray:
    return mean / math.gamma(1 + 1 / shape) * np.random.default_rng(seed).weibull(shape, hours)


def windy(mean: float):
    weather = clear_sky_weather()
    return dataclasses.replace(weather, hours=weather.hours.assign(wind_speed_m_per_s=weibull_wind(mean)))


def test_power_agrees_with_windpowerlib_model_chain():
    """Log shear, library power curve, no density correction, no losses: the same figures.

    GE 120's library curve reaches 2 530 kW at a rating of 2 500 kW; we stop at the rating.
    """
    from windpowerlib import ModelChain, WindTurbine

    weather = windy(4.5)
    hours = weather.hours
    columns = pd.MultiIndex.from_tuples(
        [("wind_speed", 10), ("temperature", 2), ("pressure", 0), ("roughness_length", 0)]
    )
    data = pd.DataFrame(
        np.column_stack(
            [hours["wind_speed_m_per_s"], hours["temp_air_c"] + 273.15, hours["pressure_pa"], np.full(8760, 0.1)]
        ),
        index=hours.index,
        columns=columns,
    )
    for name in ("n131_3000", "ge120_2500"):
        turbine = TABLES.turbine(name)
        theirs = WindTurbine(turbine_type=turbine.library_type, hub_height=turbine.hub_height_m)
        chain = ModelChain(theirs, power_output_model="power_curve", density_correction=False).run_model(data)
        expected = np.minimum(chain.power_output.to_numpy() / theirs.nominal_power, 1)
        hub = speed_at_height(hours["wind_speed_m_per_s"].to_numpy(), 10, turbine.hub_height_m, 0.1)
        ours = power_from_speed(hub, power_curve(turbine))
        assert ours.sum() == pytest.approx(expected.sum(), rel=1e-3)
        np.testing.assert_allclose(ours, expected, atol=1e-9)
        assert expected.sum() > 1000


def test_air_density_agrees_with_windpowerlib():
    from windpowerlib import ModelChain, WindTurbine

    hours = clear_sky_weather().hours
    chain = ModelChain(WindTurbine(turbine_type="N131/3000", hub_height=134), density_model="ideal_gas")
    columns = pd.MultiIndex.from_tuples([("temperature", 2), ("pressure", 0)])
    data = pd.DataFrame(
        np.column_stack([hours["temp_air_c"] + 273.15, hours["pressure_pa"]]), index=hours.index, columns=columns
    )
    ours = air_density(hours["temp_air_c"].to_numpy(), hours["pressure_pa"].to_numpy(), 134)
    np.testing.assert_allclose(ours, chain.density_hub(data).to_numpy(), rtol=1e-12)


def test_density_by_hand():
    # 15 degC at 2 m, hub 102 m: T = 288.15 - 0.65 = 287.5 K; p = 101325 - 102/8*100 = 100050 Pa
    # rho = 100050 / (287.058 * 287.5) = 1.212299 kg/m3
    assert air_density(np.array([15.0]), np.array([101_325.0]), 102.0)[0] == pytest.approx(1.212299, abs=1e-6)


def test_density_sign_trap():
    """Thin air carries less power: at 1.0 kg/m3 a turbine below its rating loses 18 % (1 - 1/1.225)."""
    speed = np.array([8.0])
    assert density_corrected_speed(speed, np.array([1.225]))[0] == pytest.approx(8.0)
    thin = density_corrected_speed(speed, np.array([1.0]))
    assert thin[0] == pytest.approx(8.0 * (1 / 1.225) ** (1 / 3))
    cubic = PowerCurve(np.linspace(0, 20, 2001), np.linspace(0, 1, 2001) ** 3, 20.0)
    lost = 1 - power_from_speed(speed, cubic, thin) / power_from_speed(speed, cubic)
    assert lost[0] == pytest.approx(1 - 1 / 1.225, abs=1e-4)
    plateau = windy(5.0)
    low_pressure = plateau.hours.assign(pressure_pa=plateau.hours["pressure_pa"] * 0.8)
    energy = [
        wind_yield(cell, GENERIC).stages["air_density"]
        for cell in (plateau, dataclasses.replace(plateau, hours=low_pressure))
    ]
    assert energy[1] < 0.95 * energy[0]


@pytest.mark.parametrize("turbine", PITCHED, ids=lambda turbine: turbine.turbine)
def test_cut_out_trap(turbine):
    """Full power up to cut-out, nothing above it, whatever the density."""
    curve = power_curve(turbine)
    end = curve.cut_out_m_per_s
    speed = np.array([0.0, end, np.nextafter(end, 99), end + 0.01, 26.0, 40.0, 75.0])
    np.testing.assert_array_equal(power_from_speed(speed, curve)[[0, 2, 3, 4, 5, 6]], 0)
    assert power_from_speed(speed, curve)[1] == pytest.approx(1, abs=0.01)
    for density in (0.9, 1.4):
        read = density_corrected_speed(speed, np.full(7, density))
        power = power_from_speed(speed, curve, read)
        assert power[1] > 0.98
        np.testing.assert_array_equal(power[2:], 0)


@pytest.mark.parametrize("turbine", PITCHED, ids=lambda turbine: turbine.turbine)
def test_power_curves_are_well_formed(turbine):
    curve = power_curve(turbine)
    assert (np.diff(curve.speed_m_per_s) > 0).all()
    assert (np.diff(curve.power_share) >= -1e-12).all()
    assert power_from_speed(np.zeros(1), curve)[0] == 0
    assert 1 - 1e-6 <= curve.power_share.max() < 1.02
    assert power_from_speed(np.array([turbine.cut_in_m_per_s - 0.5]), curve)[0] < 0.01
    assert curve.cut_out_m_per_s == turbine.cut_out_m_per_s


def test_rotor_curve_by_hand_below_the_knee():
    # 6 m/s, rotor 156 m: area 19113.4 m2; 0.5 * 1.225 * 19113.4 * 0.43 * 216 / 1000 = 1087.34 kW
    # turbulence 10 %: the mean of (1 + 0.1 x)^3 is 1 + 3 * 0.01 * var(x) with x normal, cut at +-3 (var 0.9733 on
    # the 61 points used): 1.0292 -> 1119.1 kW of 3 300 kW = 0.3391
    curve = rotor_power_curve(GENERIC)
    assert power_from_speed(np.array([6.0]), curve)[0] == pytest.approx(0.3391, abs=2e-4)
    steady = rotor_power_curve(dataclasses.replace(GENERIC, turbulence_share=0.0))
    assert power_from_speed(np.array([6.0]), steady)[0] == pytest.approx(1087.34 / 3300, abs=1e-5)


@pytest.mark.parametrize("mean", [5.0, 6.0, 7.0])
@pytest.mark.parametrize("library_type", ROTORS_OF_LIBRARY)
def test_rotor_model_reproduces_real_turbines(library_type: str, mean: float):
    """The generic turbines' cp and turbulence give the yearly energy of real turbines within 4 %."""
    from windpowerlib import WindTurbine

    rated_kw = WindTurbine(turbine_type=library_type, hub_height=120).nominal_power / 1000
    real = library_power_curve(dataclasses.replace(LIBRARY, library_type=library_type, cut_out_m_per_s=25.0))
    model = dataclasses.replace(
        GENERIC, rated_kw=rated_kw, rotor_diameter_m=ROTORS_OF_LIBRARY[library_type], cut_out_m_per_s=25.0
    )
    speed = np.arange(0.05, 25, 0.1)
    scale = mean / math.gamma(1.5)
    density = speed * np.exp(-((speed / scale) ** 2))
    energy = [float(power_from_speed(speed, curve) @ density) for curve in (rotor_power_curve(model), real)]
    assert energy[0] == pytest.approx(energy[1], rel=0.04)


def test_unknown_library_type_is_told_with_a_remedy():
    with pytest.raises(InputError, match="no power curve for this type"):
        library_power_curve(dataclasses.replace(LIBRARY, library_type="N131/3001"))


def test_shear_by_hand():
    # ln(140/0.1) / ln(10/0.1) = 7.244228 / 4.605170 = 1.573064
    assert speed_at_height(np.array([4.0]), 10, 140, 0.1)[0] == pytest.approx(4 * 1.573064, abs=1e-5)
    power = speed_at_height(np.array([4.0]), 10, 140, 0.1, shear="power", exponent=0.2)
    assert power[0] == pytest.approx(4 * 14**0.2)
    np.testing.assert_array_equal(speed_at_height(np.array([4.0, np.pi]), 10, 10, 0.1), [4.0, np.pi])


def test_roughness_trap():
    """Zero or negative roughness is open water, not NaN; roughness above a height is an error, not a sign."""
    water = speed_at_height(np.array([5.0]), 10, 100, 2e-4)
    for roughness in (0.0, -1.0, 1e-9):
        np.testing.assert_array_equal(speed_at_height(np.array([5.0]), 10, 100, roughness), water)
    assert np.isfinite(water).all()
    for roughness in (10.0, 25.0):
        with pytest.raises(ValueError, match="above the roughness length"):
            speed_at_height(np.array([5.0]), 10, 100, roughness)


@settings(max_examples=80, deadline=None)
@given(
    speed=st.floats(0, 40), low=st.floats(5, 60), rise=st.floats(1.01, 10), roughness=st.floats(0, 2)
)  # fmt: skip
def test_wind_grows_with_height_and_shear_goes_back(speed, low, rise, roughness):
    high = low * rise
    up = speed_at_height(np.array([speed]), low, high, roughness)
    assert up[0] >= speed
    back = speed_at_height(up, high, low, roughness)
    assert back[0] == pytest.approx(speed, rel=1e-9, abs=1e-12)


def test_losses_are_energy_not_a_cap_trap():
    """Wake and availability cost their share of the energy, and full-load hours still deliver the rating."""
    result = wind_yield(windy(4.0), GENERIC)
    factor = math.prod(1 - loss.loss_share for loss in GENERIC.losses)
    assert result.losses_met
    assert result.power.max() == pytest.approx(1, abs=1e-12)
    assert result.power.sum() == pytest.approx(factor * result.stages["air_density"], rel=1e-9)
    assert result.stages.iloc[-1] == pytest.approx(result.power.sum(), rel=1e-12)
    left = result.stages.loc["air_density":].to_numpy()
    np.testing.assert_allclose(left[1:] / left[:-1], [1 - loss.loss_share for loss in GENERIC.losses], rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(
    power=st.lists(st.floats(0, 1), min_size=1, max_size=60).map(np.array),
    factor=st.floats(0.5, 1),
)
def test_energy_factor_keeps_order_zero_and_full_power(power, factor):
    left, met = with_energy_factor(power, factor)
    assert (left >= 0).all()
    assert (left <= power + 1e-15).all()
    assert (left[power == 1] == 1).all()
    assert (left[power == 0] == 0).all()
    order = np.argsort(power)
    assert (np.diff(left[order]) >= -1e-12).all()
    if met:
        assert left.sum() == pytest.approx(factor * power.sum(), rel=1e-6, abs=1e-9)
    else:
        assert left.sum() > factor * power.sum()


def test_a_plant_always_at_full_load_cannot_lose_without_a_cap():
    left, met = with_energy_factor(np.ones(10), 0.9)
    assert not met
    np.testing.assert_array_equal(left, 1)


def test_losses_of_the_study_replace_items_by_name():
    options = WindOptions(loss_shares=(("availability", 0.1),))
    stages = wind_yield(windy(3.5), GENERIC, options=options).stages
    items = [loss.item for loss in GENERIC.losses]
    assert list(stages.index[-len(items) :]) == items
    before = stages.iloc[list(stages.index).index("availability") - 1]
    assert stages["availability"] == pytest.approx(0.9 * before, rel=1e-9)
    with pytest.raises(ValueError, match="no item 'ice'"):
        wind_yield(windy(3.5), GENERIC, options=WindOptions(loss_shares=(("ice", 0.1),)))


def test_stages_stay_consistent_when_losses_are_not_met():
    stormy = dataclasses.replace(GENERIC, cut_out_m_per_s=40.0)
    weather = clear_sky_weather()
    hours = weather.hours.assign(wind_speed_m_per_s=np.where(np.arange(8760) % 100 == 0, 5.0, 20.0))
    result = wind_yield(dataclasses.replace(weather, hours=hours, wind_height_m=140.0), stormy)
    assert not result.losses_met
    assert result.stages.iloc[-1] == pytest.approx(result.power.sum(), rel=1e-12)
    assert (np.diff(result.stages.loc["air_density":]) <= 0).all()


def test_long_run_mean_speed_at_hub():
    weather = windy(2.5)
    plain = wind_yield(weather, GENERIC)
    scaled = wind_yield(weather, GENERIC, mean_speed_m_per_s=5.5)
    assert scaled.hub_mean_m_per_s == pytest.approx(5.5)
    assert plain.hub_mean_m_per_s == pytest.approx(2.5 * 1.573064, rel=0.02)
    assert scaled.stages["reference_yield"] == plain.stages["reference_yield"]
    assert scaled.stages["long_run_mean_speed"] > 2 * plain.stages["reference_yield"]
    same = wind_yield(weather, GENERIC, mean_speed_m_per_s=plain.hub_mean_m_per_s)
    np.testing.assert_allclose(same.power, plain.power, atol=1e-9)


def test_calm_weather_yields_nothing_and_cannot_be_scaled():
    weather = clear_sky_weather()
    calm = dataclasses.replace(weather, hours=weather.hours.assign(wind_speed_m_per_s=0.0))
    result = wind_yield(calm, GENERIC)
    assert (result.power == 0).all()
    assert (result.stages == 0).all()
    with pytest.raises(ValueError, match="calm weather"):
        wind_yield(calm, GENERIC, mean_speed_m_per_s=5.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), turbine=st.sampled_from(TABLES.turbines))
def test_any_weather_within_its_contract_gives_power_between_zero_and_rating(seed, turbine):
    rng = np.random.default_rng(seed)
    hours = pd.DataFrame(
        {
            "temp_air_c": rng.uniform(-60, 60, 48),
            "wind_speed_m_per_s": rng.uniform(0, 75, 48) * rng.uniform(0, 1),
            "pressure_pa": rng.uniform(50_000, 110_000, 48),
        },
        index=year(48),
    )
    result = wind_yield(weather_of(hours), turbine)
    assert np.isfinite(result.power).all()
    assert 0 <= result.power.min() <= result.power.max() <= 1
    assert (np.diff(result.stages.loc["air_density":]) <= 1e-9).all()
