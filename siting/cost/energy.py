"""Cost of energy and CO2. Money is in CNY of the technology's price year, real, before tax."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from siting.technologies.tables import EmissionFactor, Technology

Floats = npt.NDArray[np.float64]


def capital_recovery_factor(discount_rate: float, life_a: float) -> float:
    """Yearly payment per money invested [1/a]: ``r / (1 - (1 + r)**-n)``; ``1/n`` at r = 0."""
    if life_a <= 0:
        raise ValueError(f"life must be positive, not {life_a} years")
    if abs(discount_rate) < 1e-12:
        return 1 / life_a
    return float(-discount_rate / np.expm1(-life_a * np.log1p(discount_rate)))


def levelised_output_share(discount_rate: float, life_a: float, degradation_per_a: float) -> float:
    """Discounted mean of the yearly output by the first year's output.

    ``CRF sum_{t=1..n} (1 - d)**(t-1) / (1 + r)**t``, whole years; 1 without degradation.
    """
    year = np.arange(1, round(life_a) + 1)
    discount = (1 + discount_rate) ** -year.astype(float)
    return float(((1 - degradation_per_a) ** (year - 1) * discount).sum() / discount.sum())


def capex_cny(technology: Technology, capacity_mw: npt.ArrayLike) -> Floats:
    """Investment without grid connection [CNY]; ``capacity_mw`` is DC for PV and AC for wind."""
    return np.asarray(capacity_mw, dtype=float) * 1000 * technology.capex_cny_per_kw


def lcoe(
    technology: Technology,
    capacity_mw: npt.ArrayLike,
    energy_mwh: npt.ArrayLike,
    *,
    connection_cost_cny: npt.ArrayLike = 0.0,
) -> Floats:
    """Levelised cost of energy [CNY/kWh].

    Parameters
    ----------
    technology : Technology
        Cost, life, discount rate and degradation.
    capacity_mw, energy_mwh, connection_cost_cny : array-like
        Capacity (PV DC, wind AC), output of the first year, and what line, bay and station cost on top of the
        plant; numbers or arrays of one shape.

    Returns
    -------
    array
        NaN where the yield is zero: there is no cost of energy that is not produced.

    Notes
    -----
    ``(CRF (capex + connection) + opex) / (E_1 s)`` with the capital recovery factor CRF and the levelised output
    share s. The connection is paid at the start and lasts as long as the plant.
    """
    capacity, energy, connection = np.broadcast_arrays(
        *(np.asarray(values, dtype=float) for values in (capacity_mw, energy_mwh, connection_cost_cny))
    )
    recovery = capital_recovery_factor(technology.discount_rate, technology.life_a)
    share = levelised_output_share(technology.discount_rate, technology.life_a, technology.degradation_per_a)
    yearly = recovery * (capex_cny(technology, capacity) + connection) + capacity * 1000 * technology.opex_cny_per_kw_a
    kwh = energy * 1000 * share
    return np.asarray(np.divide(yearly, kwh, out=np.full(energy.shape, np.nan), where=kwh > 0))


def avoided_co2_t(energy_mwh: npt.ArrayLike, factor: EmissionFactor) -> Floats:
    """CO2 of the grid electricity that ``energy_mwh`` displaces [t]; kg/kWh equals t/MWh."""
    return np.asarray(energy_mwh, dtype=float) * factor.co2_kg_per_kwh


@dataclass(frozen=True)
class ImpliedHours:
    """Yearly hours that a total of energy and capacity implies [h]; ``alarm`` in words, empty where plausible."""

    hours: float
    alarm: str


def implied_hours(technology: Technology, energy_mwh: float, capacity_mw: float) -> ImpliedHours:
    """Yearly energy by installed capacity, judged against the plausible hours of the technology.

    A published potential of 4 140.5 GW and 7 550 TWh of fixed PV implies 1 823 h, above any real plant of its region
    (Energies 2021, 14(1), 143): totals are divided out before they are believed.
    """
    hours = energy_mwh / capacity_mw
    if technology.hours_low <= hours <= technology.hours_high:
        return ImpliedHours(hours, "")
    basis = "AC" if technology.kind == "wind" else "DC"
    return ImpliedHours(
        hours,
        f"{technology.technology}: {energy_mwh:,.0f} MWh from {capacity_mw:,.1f} MW {basis} are {hours:.0f} h a year, "
        f"outside the plausible {technology.hours_low:.0f}-{technology.hours_high:.0f} h",
    )
