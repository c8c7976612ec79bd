"""P50, P75, P90: quantiles by hand, years against budget, degradation."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.contracts import InputError
from siting.technologies.tables import TECHNOLOGIES_FOLDER
from siting.yields.uncertainty import (
    UncertaintyItem,
    combined_sigma,
    energy_by_year,
    exceedance,
    exceedance_factor,
    load_uncertainty_budget,
)


def item(name: str, sigma: float) -> UncertaintyItem:
    return UncertaintyItem(name, sigma, "test", "C")


def test_quadrature_and_quantiles_by_hand():
    # sqrt(0.03^2 + 0.04^2) = 0.05; P75 = 1 - 0.67449 * 0.05 = 0.966276, P90 = 1 - 1.28155 * 0.05 = 0.935922
    budget = (item("a", 0.03), item("b", 0.04))
    assert combined_sigma(budget) == pytest.approx(0.05)
    result = exceedance([1000.0, 2000.0], budget)
    np.testing.assert_allclose(result.p50, [1000, 2000])
    np.testing.assert_allclose(result.p75, [966.276, 1932.551], rtol=1e-6)
    np.testing.assert_allclose(result.p90, [935.922, 1871.845], rtol=1e-6)
    assert exceedance_factor(0.05, 0.5) == 1


def test_years_take_the_place_of_the_item_between_years():
    # years 900, 1000, 1100: mean 1000, deviation 100 = 10 %; the mean of three years adds a third of its square
    budget = (item("model", 0.03), item("interannual_irradiance", 0.5))
    result = exceedance(np.array([[900.0], [1000.0], [1100.0]]), budget)
    assert [one.item for one in result.items] == ["model"]
    assert result.sigma_share[0] == pytest.approx(math.sqrt(0.03**2 + 0.1**2 * (1 + 1 / 3)))
    assert result.p50[0] == 1000


def test_two_years_are_too_few_for_a_spread():
    result = exceedance(np.array([[900.0], [1100.0]]), (item("interannual_wind", 0.06),))
    assert result.p50[0] == 1000
    assert result.sigma_share[0] == 0.06


@given(yearly=st.floats(0, 1e6), sigmas=st.lists(st.floats(0, 0.3), max_size=6))
def test_p90_is_below_p75_is_below_p50(yearly: float, sigmas: list[float]):
    result = exceedance(yearly, [item(str(k), sigma) for k, sigma in enumerate(sigmas)])
    assert 0 <= result.p90 <= result.p75 <= result.p50 == yearly


@pytest.mark.parametrize("kind", ["pv", "wind"])
def test_budgets_that_ship_have_sources_and_are_of_the_usual_size(kind):
    budget = load_uncertainty_budget(kind)
    assert len({one.item for one in budget}) == len(budget) >= 5
    assert sum(one.item.startswith("interannual") for one in budget) == 1
    assert all(one.source and one.confidence in "ABC" for one in budget)
    low, high = (0.05, 0.1) if kind == "pv" else (0.08, 0.15)
    assert low < combined_sigma(budget) < high


def test_a_bad_budget_is_refused(tmp_path: Path):
    folder = tmp_path / "t"
    shutil.copytree(TECHNOLOGIES_FOLDER, folder)
    path = folder / "yield_uncertainty.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("pv,soiling,2", "pv,transposition,-2"), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_uncertainty_budget("pv", folder)
    assert [f.rule for f in error.value.findings] == ["technology.out_of_range", "technology.repeated_id"]


def test_nonsense_is_refused():
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="must be numbers"):
            exceedance(bad, ())
    with pytest.raises(ValueError, match="between 0 and 1"):
        exceedance_factor(0.1, 1.0)
    with pytest.raises(ValueError, match="not a life"):
        energy_by_year(1.0, 0.004, 0)


def test_degradation_by_hand():
    # 0.5 % a year after 1 % once: 100, 100 * 0.99 * 0.995 = 98.505, 98.505 * 0.995 = 98.012475
    np.testing.assert_allclose(energy_by_year(100.0, 0.005, 3, first_loss=0.01), [100, 98.505, 98.012475])
    assert energy_by_year([1.0, 2.0], 0.0, 4).shape == (4, 2)
