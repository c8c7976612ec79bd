"""Cost of energy: by hand, closed forms, and the definition itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siting.cost.energy import avoided_co2_t, capex_cny, capital_recovery_factor, lcoe, levelised_output_share
from siting.technologies.tables import load_technology_tables

TABLES = load_technology_tables()
GROUND = TABLES.technology("pv_ground")


def test_capital_recovery_factor():
    # 6 %, 25 a: 0.06 / (1 - 1.06**-25) = 0.06 / (1 - 0.2329986) = 0.0782267
    assert capital_recovery_factor(0.06, 25) == pytest.approx(0.0782267, abs=1e-7)
    assert capital_recovery_factor(0.0, 20) == pytest.approx(0.05)
    assert capital_recovery_factor(1e-9, 20) == pytest.approx(0.05, rel=1e-6)
    assert capital_recovery_factor(0.08, 1) == pytest.approx(1.08)
    with pytest.raises(ValueError, match="life must be positive"):
        capital_recovery_factor(0.06, 0)


def test_levelised_output_share():
    assert levelised_output_share(0.06, 25, 0.0) == pytest.approx(1)
    # two years, no interest, 10 % degradation: (1 + 0.9) / 2
    assert levelised_output_share(0.0, 2, 0.1) == pytest.approx(0.95)
    # closed form of the geometric sum: q = (1 - d) / (1 + r)
    q = 0.996 / 1.06
    closed = capital_recovery_factor(0.06, 25) / 1.06 * (1 - q**25) / (1 - q)
    assert levelised_output_share(0.06, 25, 0.004) == pytest.approx(closed, rel=1e-12)


def test_lcoe_by_hand():
    # 10 MW DC, 1 000 h: no degradation, 6 %, 25 a, 3 400 CNY/kW, 45 CNY/kW a
    # (0.0782267 * 34e6 + 450e3) / 10e6 kWh = 0.3109708 CNY/kWh
    technology = dataclasses.replace(GROUND, capex_cny_per_kw=3400.0, opex_cny_per_kw_a=45.0, degradation_per_a=0.0)
    assert float(lcoe(technology, 10.0, 10_000.0)) == pytest.approx(0.3109708, abs=1e-6)
    # a connection of 3.4 million CNY is a tenth of the plant: + 0.0782267 * 3.4e6 / 10e6 = 0.0265971
    joined = float(lcoe(technology, 10.0, 10_000.0, connection_cost_cny=3.4e6))
    assert joined == pytest.approx(0.3109708 + 0.0265971, abs=1e-6)
    assert capex_cny(technology, [10.0, 2.5]).tolist() == [34e6, 8.5e6]


def test_nothing_produced_has_no_cost_of_energy():
    result = lcoe(GROUND, [1.0, 1.0], [0.0, 1000.0])
    assert np.isnan(result[0])
    assert result[1] > 0


@settings(max_examples=60, deadline=None)
@given(
    technology=st.sampled_from(TABLES.technologies),
    capacity=st.floats(0.1, 500),
    hours=st.floats(100, 4000),
    rate=st.floats(0, 0.15),
    connection=st.floats(0, 1e8),
)
def test_selling_at_the_cost_of_energy_has_zero_present_value(technology, capacity, hours, rate, connection):
    technology = dataclasses.replace(technology, discount_rate=rate)
    price = float(lcoe(technology, capacity, capacity * hours, connection_cost_cny=connection))
    present = -capacity * 1000 * technology.capex_cny_per_kw - connection
    invested = -present
    for year in range(1, int(technology.life_a) + 1):
        kwh = capacity * hours * 1000 * (1 - technology.degradation_per_a) ** (year - 1)
        present += (price * kwh - capacity * 1000 * technology.opex_cny_per_kw_a) / (1 + rate) ** year
    assert abs(present) < 1e-8 * invested


@settings(max_examples=40, deadline=None)
@given(hours=st.floats(200, 3000), more=st.floats(1.01, 2), scale=st.floats(0.1, 100))
def test_more_hours_are_cheaper_and_size_does_not_matter(hours, more, scale):
    base = float(lcoe(GROUND, 1.0, hours))
    assert float(lcoe(GROUND, 1.0, hours * more)) == pytest.approx(base / more, rel=1e-12)
    assert float(lcoe(GROUND, scale, scale * hours)) == pytest.approx(base, rel=1e-12)


def test_avoided_co2():
    # 1 GWh at the national average of 2022, 0.5366 kg/kWh: 536.6 t
    assert float(avoided_co2_t(1000.0, TABLES.emission_factor("全国"))) == pytest.approx(536.6)
