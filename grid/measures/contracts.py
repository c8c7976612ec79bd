"""What the menu of measures gives: one table of measures, and what each of them does to the network, limits or power.

================================  ==========  =========================================================================
kind                              effect      what is changed
================================  ==========  =========================================================================
``add_transformer``               network     one more unit between the buses of ``element`` (a transformer)
``replace_transformer``           network     every unit between the buses of ``element`` becomes ``type_name``
``high_impedance``                network     the same with units of the same rating and a higher short-circuit voltage
``second_circuit``                network     one more circuit on the route of ``element`` (a line)
``reconductor``                   network     r, x, c and rating of ``element`` (a line) become those of ``type_name``
``new_station``                   network     station ``element`` at lon, lat with ``count`` units of ``type_name``;
                                              the lines of ``joins`` are looped in
``split_bus``                     network     half of the branches of ``element`` (a bus) move to a section of its own
``reactor``, ``capacitor``        network     a shunt of ``q_mvar`` at ``element`` (a bus)
``dynamic_rating``                limits      ratings of ``element`` (a line) by season, see :class:`RatingEffect`
``storage``                       injection   power and energy at ``element`` (a bus), see :class:`InjectionEffect`
``curtailment_contract``          injection   new plants at ``element`` (a bus) may be held back, paid by the MWh
``demand_response``               injection   load at ``element`` (a bus) may be moved or shed, paid by the MWh
================================  ==========  =========================================================================

``grid.measures.apply.apply_measure(network, measure)`` builds those with the effect *network* and refuses the
others; ``apply_measures(network, table)`` builds the network measures of a table, in an order that respects
``requires``, and leaves the others to the caller, who asks ``grid.measures.effects`` for what they do.

Costs: ``annual_cost_cny = investment_cny x (annuity(life_a, discount_rate) + om_share)`` in prices of ``price_year``;
what is paid by the MWh stands in ``energy_cost_cny_per_mwh`` and comes on top of it. ``scalable`` measures may be
built at any share x in [0, 1]: sizes and costs go with x. Of the measures of one ``exclusive_group`` at most one is
built; a measure is built only with everything that ``requires`` names (ids separated by blanks).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import pandas as pd

from layers.tables import Table, column

Effect = Literal["network", "limits", "injection"]

EFFECTS: dict[str, Effect] = {
    "add_transformer": "network",
    "replace_transformer": "network",
    "high_impedance": "network",
    "second_circuit": "network",
    "reconductor": "network",
    "new_station": "network",
    "split_bus": "network",
    "reactor": "network",
    "capacitor": "network",
    "dynamic_rating": "limits",
    "storage": "injection",
    "curtailment_contract": "injection",
    "demand_response": "injection",
}
"""What each kind of measure acts on."""

KINDS = tuple(EFFECTS)

MEASURES = Table(
    "measures",
    "The menu of measures: what could be built or agreed, what it costs, how long it takes.",
    {
        "measure_id": column(str, "", "stable id, kind:element or kind:element:size", unique=True),
        "kind": column(str, "", "see KINDS", isin=KINDS),
        "effect": column(str, "", "network, limits or injection", isin=("network", "limits", "injection")),
        "element": column(str, "", "transformer_id, line_id, bus_id or (new_station) station_id that it acts on"),
        "station_id": column(str, "", "station (of a line: of its from bus)"),
        "description_zh": column(str, "", "what is built or agreed"),
        "description_en": column(str, "", "what is built or agreed"),
        "type_name": column(str, "", "row of the line or transformer types; empty where none is chosen"),
        "count": column(int, "", "units, circuits, contracts", ge=1),
        "s_mva": column(float, "MVA", "rating that is added: of units, or of one circuit", nullable=True, ge=0),
        "power_mw": column(float, "MW", "of storage, or of the load that responds", nullable=True, ge=0),
        "energy_mwh": column(float, "MWh", "storage content that can be used", nullable=True, ge=0),
        "q_mvar": column(float, "Mvar", "shunt at nominal voltage; positive consumes (reactor)", nullable=True),
        "length_km": column(float, "km", "route length of what is built", nullable=True, ge=0),
        "joins": column(str, "", "new_station: lines that are looped in, and buses that a line is built to"),
        "lon": column(float, "degree", "new_station: place, WGS-84", nullable=True),
        "lat": column(float, "degree", "new_station: place, WGS-84", nullable=True),
        "load_share": column(float, "", "new_station: share of the nearest station's load it takes", ge=0, le=1),
        "load_share_min": column(float, "", "shunts: in from this load share of a case on", ge=0),
        "load_share_max": column(float, "", "shunts: in up to this load share of a case", ge=0),
        "name_zh": column(str, "", "new_station: its name"),
        "name_en": column(str, "", "new_station: its name"),
        "vn_kv": column(float, "kV", "voltage of what is built", gt=0),
        "efficiency": column(float, "", "storage: share that comes back of what was drawn", nullable=True, gt=0, le=1),
        "plant_share": column(float, "", "curtailment: share of new plants' output in an hour", nullable=True, le=1),
        "energy_share_max": column(float, "", "curtailment: share of new plants' year", nullable=True, ge=0, le=1),
        "hours_max": column(float, "h", "demand response: hours of use in a year", nullable=True, ge=0),
        "scalable": column(bool, "", "any share between 0 and 1 of it may be built"),
        "energy_cost_cny_per_mwh": column(float, "CNY/MWh", "paid by the MWh curtailed or called", ge=0),
        "investment_cny": column(float, "CNY", "investment, prices of price_year", ge=0),
        "life_a": column(float, "a", "economic life", gt=0),
        "om_share": column(float, "", "yearly operation and maintenance per investment", ge=0),
        "discount_rate": column(float, "", "per year, real", ge=0),
        "annual_cost_cny": column(float, "CNY", "annuity and operation, without what is paid by the MWh", ge=0),
        "price_year": column(int, "", "year of the prices", ge=1990),
        "lead_time_years": column(float, "a", "from decision to operation", ge=0),
        "exclusive_group": column(str, "", "at most one measure of a group is built; empty: no group"),
        "requires": column(str, "", "measure ids that must be built too, separated by blanks"),
        "cost_source": column(str, "", "where the unit cost is from"),
        "cost_confidence": column(str, "", "A, B or C; the least of what entered", isin=("A", "B", "C")),
    },
)


@dataclass(frozen=True)
class Measure:
    """One row of :data:`MEASURES`, as far as its effect needs it. ``NaN`` where a size does not apply."""

    measure_id: str
    kind: str
    element: str
    station_id: str
    type_name: str
    count: int
    s_mva: float
    power_mw: float
    energy_mwh: float
    q_mvar: float
    length_km: float
    joins: str
    lon: float
    lat: float
    load_share: float
    load_share_min: float
    load_share_max: float
    name_zh: str
    name_en: str
    vn_kv: float
    efficiency: float
    plant_share: float
    energy_share_max: float
    hours_max: float
    energy_cost_cny_per_mwh: float

    @property
    def effect(self) -> Effect:
        return EFFECTS[self.kind]

    @classmethod
    def at(cls, measures: pd.DataFrame, measure_id: str) -> Measure:
        """The measure of an id.

        Raises
        ------
        KeyError
            If the table has no such measure.
        """
        rows = measures[measures["measure_id"] == measure_id]
        if rows.empty:
            raise KeyError(f"no measure {measure_id!r}")
        return cls(**{f.name: rows.iloc[0][f.name] for f in fields(cls)})


@dataclass(frozen=True)
class PlannedStation:
    """A station that a plan names and the network does not have; ``lon`` and ``lat`` in WGS-84."""

    station_id: str
    name_zh: str
    name_en: str
    vn_kv: float
    lon: float
    lat: float
    district_code: str = ""
    source: str = ""


@dataclass(frozen=True)
class RatingEffect:
    """A rating that becomes larger.

    ``factor`` multiplies the rating of ``element`` (a line) that holds in the season without the measure, before
    and after outages alike.
    """

    element: str
    season: str
    factor: float


@dataclass(frozen=True)
class InjectionEffect:
    """Power that a measure may move at a bus; positive feeds the network.

    In every hour the measure's power lies in ``[-charge_mw, discharge_mw]``. ``energy_mwh`` is the content of a
    store (NaN: no store, nothing is carried from hour to hour); charging brings ``efficiency`` of what is drawn
    back, over the whole circle. ``plant_share``: of the output of new plants at the bus this share may be held
    back in an hour, and ``energy_share_max`` of their year's energy at most. ``hours_max`` bounds the hours of use
    in a year (NaN: no bound).
    """

    bus_id: str
    charge_mw: float
    discharge_mw: float
    energy_mwh: float
    efficiency: float
    plant_share: float
    energy_share_max: float
    hours_max: float
    energy_cost_cny_per_mwh: float
