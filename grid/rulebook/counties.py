r"""County level of DL/T 2041-2025: the system level shared out, the equipment summed, the lesser of both.

.. math::

    w_i = \sum_x a_x \frac{x_i}{\sum_j x_j}, \qquad S_{S,i} = w_i S_S, \qquad
    S_{D,i} = \sum_k r_{k,i} S_{d,k}, \qquad S_i = \min(S_{S,i}, S_{D,i})

bound by bound. The weights :math:`a_x` are the study's: the edition fixes none. A county's equipment are its
220/330 kV transformers, by share where they serve several counties; a county without one is summed over the highest
level that it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.rulebook.book import RULE_2025, formula, levels
from grid.rulebook.formulas import FilledFormula, filled, number

Interval = tuple[float, float]
UNKNOWN: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class FactorWeight:
    """Weight of one county factor; ``factor`` is one of :data:`grid.rulebook.inputs.FACTORS`."""

    factor: str
    weight: float


@dataclass(frozen=True)
class CountySettings:
    """System level of the whole [MW] and the weights by which the counties share it; NaN: no system level."""

    system_min_mw: float = math.nan
    system_max_mw: float = math.nan
    weights: tuple[FactorWeight, ...] = ()

    @property
    def shares_out(self) -> bool:
        return not math.isnan(self.system_min_mw)


@dataclass(frozen=True)
class County:
    """One county before grading. ``weight`` and ``system`` are NaN where there are none."""

    county_id: str
    name_zh: str
    name_en: str
    connected_mw: float
    registered_mw: float
    weight: float
    system: Interval
    equipment: Interval
    members: tuple[str, ...]
    formulas: tuple[FilledFormula, ...]

    @property
    def interval(self) -> Interval:
        """The lesser of system and equipment level, bound by bound."""
        return (_lesser(self.system[0], self.equipment[0]), _lesser(self.system[1], self.equipment[1]))

    @property
    def binding(self) -> str:
        return "system" if self.system[0] < self.equipment[0] else "equipment"

    @property
    def surplus_mw(self) -> float:
        """Share of the system level that the equipment cannot take, even at its upper bound."""
        return 0.0 if math.isnan(self.system[0]) else max(self.system[0] - self.equipment[1], 0.0)


def _lesser(system: float, equipment: float) -> float:
    return equipment if math.isnan(system) else min(system, equipment)


def county_weights(counties: pd.DataFrame, weights: tuple[FactorWeight, ...]) -> pd.Series:
    """Share of each county in the system level, index as ``counties``; they sum to 1 when the weights do."""
    parts = [one.weight * counties[one.factor] / counties[one.factor].sum() for one in weights]
    return pd.Series(np.sum(parts, axis=0), index=counties.index)


def members_of(
    county: str, shares: pd.DataFrame, superior: Mapping[str, str], vn_kv: Mapping[str, float]
) -> dict[str, float]:
    """Transformers whose hosting capacity the county sums, with the county's share of each.

    Shares come first; a transformer without any serves the county that is its superior. Of these, the highest level
    counts alone, so that nothing is counted twice.
    """
    shared = set(shares["equipment_id"])
    own = {item: 1.0 for item, above in superior.items() if above == county and item not in shared}
    rows = shares[shares["county_id"] == county]
    own |= {str(item): float(share) for item, share in zip(rows["equipment_id"], rows["share"], strict=True)}
    if not own:
        return {}
    places = levels(RULE_2025)
    top = min(places[vn_kv[item]] for item in own)
    return {item: own[item] for item in sorted(own) if places[vn_kv[item]] == top}


def assess_counties(
    counties: pd.DataFrame,
    shares: pd.DataFrame,
    intervals: Mapping[str, Interval],
    vn_kv: Mapping[str, float],
    superior: Mapping[str, str],
    settings: CountySettings,
    floor_at_zero: bool = False,
) -> list[County]:
    """System level, equipment level and their lesser for each county, in the order given.

    Parameters
    ----------
    counties, shares : DataFrame
        As in :mod:`grid.rulebook.inputs`, checked.
    intervals : mapping
        Equipment id -> hosting capacity (lower, upper) [MW].
    floor_at_zero : bool
        Negative hosting capacity of a transformer counts as zero in the sum.
    """
    weights = county_weights(counties, settings.weights) if settings.shares_out else None
    found = []
    for k, row in enumerate(counties.to_dict("records")):
        weight = float(weights.iloc[k]) if weights is not None else math.nan
        system = (float(row["system_min_mw"]), float(row["system_max_mw"]))
        if weights is not None:
            system = (weight * settings.system_min_mw, weight * settings.system_max_mw)
        members = members_of(str(row["county_id"]), shares, superior, vn_kv)
        terms = {
            i: (_counted(intervals[i][0], floor_at_zero), _counted(intervals[i][1], floor_at_zero)) for i in members
        }
        equipment = (
            sum(members[i] * terms[i][0] for i in members),
            sum(members[i] * terms[i][1] for i in members),
        )
        worked = [_weight_formula(counties, k, settings, weight)] if weights is not None else []
        worked += [_system_formula(settings, weight, system)] if weights is not None else []
        worked += [_equipment_formula(members, terms, equipment), *_final_formula(system, equipment)]
        found.append(
            County(
                str(row["county_id"]),
                str(row["name_zh"]),
                str(row["name_en"]),
                float(row["connected_mw"]),
                float(row["registered_mw"]),
                weight,
                system,
                equipment,
                tuple(members),
                tuple(worked),
            )
        )
    return found


def _counted(value: float, floor_at_zero: bool) -> float:
    return max(value, 0.0) if floor_at_zero else value


def _weight_formula(counties: pd.DataFrame, k: int, settings: CountySettings, weight: float) -> FilledFormula:
    terms = " + ".join(
        f"{number(one.weight)}×{number(float(counties[one.factor].iloc[k]))}/{number(float(counties[one.factor].sum()))}"
        for one in settings.weights
    )
    return filled(formula(RULE_2025, "county_weight"), terms=terms, weight=weight)


def _system_formula(settings: CountySettings, weight: float, system: Interval) -> FilledFormula:
    return filled(
        formula(RULE_2025, "county_system"),
        weight=weight,
        system_min=settings.system_min_mw,
        system_max=settings.system_max_mw,
        s_min=system[0],
        s_max=system[1],
    )


def _equipment_formula(
    members: Mapping[str, float], terms: Mapping[str, Interval], equipment: Interval
) -> FilledFormula:
    text = " + ".join(f"{number(members[i])}×[{number(terms[i][0])}, {number(terms[i][1])}]" for i in members)
    return filled(formula(RULE_2025, "county_equipment"), terms=text, s_min=equipment[0], s_max=equipment[1])


def _final_formula(system: Interval, equipment: Interval) -> tuple[FilledFormula, ...]:
    if math.isnan(system[0]):
        return ()
    return (
        filled(
            formula(RULE_2025, "county_final"),
            system_min=system[0],
            system_max=system[1],
            equipment_min=equipment[0],
            equipment_max=equipment[1],
            s_min=min(system[0], equipment[0]),
            s_max=min(system[1], equipment[1]),
        ),
    )
