"""Tables that cost leaves behind: the waterfall of the cost of energy, its totals, and avoided CO2."""

from __future__ import annotations

from layers.tables import Table, column

COST_WATERFALL = Table(
    "cost_waterfall",
    "What the cost of energy of each candidate consists of; its items add up to it.",
    {
        "candidate_id": column(str, "", "candidate"),
        "cost_item": column(str, "", "modules, operation, land, connection, storage, degradation, ..."),
        "yearly_cny": column(float, "CNY/a", "yearly payment, real, in the study's price year", ge=0),
        "cny_per_kwh": column(float, "CNY/kWh", "by the first year's output; NaN at zero yield", nullable=True, ge=0),
    },
)

COST_BY_TECHNOLOGY = Table(
    "cost_by_technology",
    "What the cost of energy of all candidates of a technology consists of.",
    {
        "technology": column(str, "", "row of technologies.csv"),
        "cost_item": column(str, "", "item of the waterfall"),
        "yearly_cny": column(float, "CNY/a", "yearly payment, real, in the study's price year", ge=0),
        "cny_per_kwh": column(float, "CNY/kWh", "by the first year's output of all", ge=0),
    },
)

CO2_AVOIDED = Table(
    "co2_avoided",
    "CO2 of the grid electricity that the first year's output displaces.",
    {
        "technology": column(str, "", "row of technologies.csv", unique=True),
        "capacity_mw": column(float, "MW", "installed; PV DC, wind AC", ge=0),
        "energy_mwh": column(float, "MWh", "first year's output", ge=0),
        "co2_t": column(float, "t", "avoided in the first year", ge=0),
        "co2_kg_per_kwh": column(float, "kg/kWh", "factor used", ge=0),
        "factor_region": column(str, "", "region of the factor"),
        "factor_year": column(float, "a", "year of the factor"),
        "source": column(str, "", "where the factor comes from, with its confidence"),
    },
)
