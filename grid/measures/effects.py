"""Measures that change limits or injections, as the records that a plan's rows are made of."""

from __future__ import annotations

import math

from grid.measures.contracts import InjectionEffect, Measure, RatingEffect
from grid.standards_tables import standard_table


def rating_effect(measure: Measure, season: str) -> RatingEffect:
    """What dynamic rating adds in a season, over the season's own rating (``standards/dynamic_rating.csv``).

    Raises
    ------
    ValueError
        If the measure does not change limits.
    KeyError
        If the season is not listed.
    """
    if measure.effect != "limits":
        raise ValueError(f"{measure.measure_id} changes {measure.effect}, not limits")
    table = standard_table("dynamic_rating").set_index("season")
    if season not in table.index:
        raise KeyError(f"no dynamic rating for season {season!r}; there are {', '.join(table.index)}")
    return RatingEffect(measure.element, season, float(table.loc[season, "factor"]))  # type: ignore[arg-type]


def injection_effect(measure: Measure) -> InjectionEffect:
    """What storage, a curtailment contract or demand response may do at its bus.

    Raises
    ------
    ValueError
        If the measure does not change injections.
    """
    if measure.effect != "injection":
        raise ValueError(f"{measure.measure_id} changes {measure.effect}, not injections")
    power = 0.0 if math.isnan(measure.power_mw) else measure.power_mw
    return InjectionEffect(
        bus_id=measure.element,
        charge_mw=power if measure.kind == "storage" else 0.0,
        discharge_mw=power,
        energy_mwh=measure.energy_mwh,
        efficiency=measure.efficiency,
        plant_share=measure.plant_share,
        energy_share_max=measure.energy_share_max,
        hours_max=measure.hours_max,
        energy_cost_cny_per_mwh=measure.energy_cost_cny_per_mwh,
    )
