"""The waterfall of the cost of energy: by hand, its sum exactly, and the traps of cost."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from cost_samples import HOSTS, TABLES, TECHNOLOGIES, case, host, sites
from hypothesis import given, settings
from hypothesis import strategies as st

from siting.cost.energy import implied_hours, lcoe
from siting.cost.tables import emission_factor_of
from siting.cost.waterfall import (
    by_technology,
    co2_table,
    cost_waterfall,
    costed,
    hours_alarms,
    in_prices_of,
    lease_area_m2,
    levelised_cost,
)

POND, WIND, ROOF = ("fish_pond", "pv_pond"), ("wind_plain", "wind_onshore"), ("roof_industrial", "pv_roof")
SCENARIOS = {"land_lease": "typical", "storage": "hangzhou_draft", "connection": "typical"}
CRF_25, CRF_12 = 0.0782267182, 0.1192770294  # 6 %: 25 and 12 years


def test_by_hand_with_every_scenario() -> None:
    """One pond of 12 MW DC = 10 MW AC, 13 200 MWh; 6 %, 25 a; storage lives 12 a.

    modules     0.34 x 3 900 x 12 000 kW x CRF_25 = 1 244 774 CNY/a      / 13.2e6 kWh
    operation   55 x 12 000                       =   660 000
    land        12 MW / 60 MW/km2 = 200 000 m2 x 1.5  = 300 000
    connection  250 x 10 000 kW x CRF_25          =   195 567
    storage     10 % x 2 h x 10 000 kW = 2 000 kWh x 1 300 x (CRF_12 + 2 %) = 362 120
    """
    density = host("fish_pond").density_mw_per_km2
    candidates, energy = sites((*POND, 12.0, 1100.0))
    table = cost_waterfall(candidates, energy, HOSTS, case(**SCENARIOS)).set_index("cost_item")
    yearly = table["yearly_cny"]
    assert yearly["modules"] == pytest.approx(0.34 * 3900 * 12_000 * CRF_25, rel=1e-8)
    assert yearly["operation"] == pytest.approx(660_000)
    assert yearly["land"] == pytest.approx(12 / density * 1e6 * 1.5)
    assert yearly["connection"] == pytest.approx(250 * 10_000 * CRF_25, rel=1e-8)
    assert yearly["storage"] == pytest.approx(2000 * 1300 * (CRF_12 + 0.02), rel=1e-8)
    assert table.at["modules", "cny_per_kwh"] == pytest.approx(yearly["modules"] / 13.2e6)
    # 0.4 % a year for 25 years at 6 %: s = CRF/1.06 (1 - q^25)/(1 - q) with q = 0.996/1.06
    q = 0.996 / 1.06
    share = CRF_25 / 1.06 * (1 - q**25) / (1 - q)
    rest = yearly.drop("degradation").sum()
    assert yearly["degradation"] == pytest.approx(rest * (1 / share - 1), rel=1e-8)


def test_without_scenarios_nothing_is_added() -> None:
    candidates, energy = sites((*POND, 12.0, 1100.0), (*WIND, 50.0, 2000.0))
    table = cost_waterfall(candidates, energy, HOSTS, case())
    added = table[table["cost_item"].isin(["land", "connection", "storage"])]
    assert len(added) == 6
    assert (added["yearly_cny"] == 0).all()


SITES = st.lists(
    st.tuples(st.sampled_from([POND, WIND, ROOF]), st.floats(0.05, 300), st.just(0.0) | st.floats(1, 3000)).map(
        lambda row: (*row[0], row[1], row[2])
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(rows=SITES, connection=st.floats(0, 5e7), scenarios=st.booleans(), year=st.sampled_from([2015, 2021, 2024]))
def test_items_add_up_to_the_cost_of_energy_exactly(rows, connection: float, scenarios: bool, year: int) -> None:
    """The correctly rounded sum of the items is the cost in the list, bit for bit; and it is the textbook formula."""
    candidates, energy = sites(*rows)
    chosen = case(price_year=float(year), **(SCENARIOS if scenarios else {}))
    cost_of_line = pd.Series(connection, index=energy.index)
    table = cost_waterfall(candidates, energy, HOSTS, chosen, connection_cost_cny=cost_of_line)
    yields = pd.DataFrame({"candidate_id": energy.index, "capex_cny": 0.0, "lcoe_cny_per_kwh": 0.0})
    listed = costed(yields, candidates, table, chosen).set_index("candidate_id")["lcoe_cny_per_kwh"]
    for name, items in table.groupby("candidate_id"):
        total = math.fsum(items["cny_per_kwh"])
        assert total == listed[name] or (math.isnan(total) and math.isnan(listed[name]))
        assert math.isnan(total) == (energy[name] == 0)
    if not scenarios:
        for row in candidates.itertuples():
            asked = chosen.technology(row.technology)
            formula = float(lcoe(asked, row.capacity_mw, energy[row.candidate_id], connection_cost_cny=connection))
            assert listed[row.candidate_id] == pytest.approx(formula, rel=1e-12, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(rows=SITES)
def test_each_site_is_counted_as_if_alone(rows) -> None:
    """Vector equals scalar: the items of a site do not depend on the others, nor on their order."""
    candidates, energy = sites(*rows)
    whole = cost_waterfall(candidates, energy, HOSTS, case(**SCENARIOS))
    turned = cost_waterfall(candidates.iloc[::-1], energy, HOSTS, case(**SCENARIOS))
    for row in range(len(candidates)):
        one = candidates.iloc[[row]]
        alone = cost_waterfall(one, energy, HOSTS, case(**SCENARIOS)).reset_index(drop=True)
        for table in (whole, turned):
            mine = table[table["candidate_id"] == one["candidate_id"].iloc[0]].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, alone, check_exact=True)
    assert whole["candidate_id"].drop_duplicates().tolist() == candidates["candidate_id"].tolist()


def test_known_connection_replaces_the_allowance() -> None:
    candidates, energy = sites((*POND, 12.0, 1100.0), (*POND, 12.0, 1100.0))
    known = pd.Series([5e6, np.nan], index=energy.index)
    table = cost_waterfall(candidates, energy, HOSTS, case(**SCENARIOS), connection_cost_cny=known)
    connection = table[table["cost_item"] == "connection"]["yearly_cny"].tolist()
    assert connection == pytest.approx([5e6 * CRF_25, 2.5e6 * CRF_25], rel=1e-8)


def test_prices_of_another_year() -> None:
    """Wind is stated in prices of 2021: times 1.020 x 1.002 in 2023; there and back is the same money."""
    wind = TECHNOLOGIES.technology("wind_onshore")
    later = in_prices_of(wind, 2023, TABLES)
    assert later.capex_cny_per_kw == pytest.approx(wind.capex_cny_per_kw * 1.02 * 1.002)
    assert later.price_year == 2023
    assert in_prices_of(later, 2021, TABLES).opex_cny_per_kw_a == pytest.approx(wind.opex_cny_per_kw_a)
    with pytest.raises(ValueError, match="2010 to 2024"):
        TABLES.price_factor(2009, 2023)


def test_roofs_have_no_storage_in_the_hangzhou_draft() -> None:
    """The draft asks it of wind and centralised PV."""
    candidates, energy = sites((*ROOF, 5.0, 1000.0), (*WIND, 50.0, 2000.0))
    table = cost_waterfall(candidates, energy, HOSTS, case(storage="hangzhou_draft"))
    storage = table[table["cost_item"] == "storage"]["yearly_cny"].tolist()
    assert storage[0] == 0
    # 10 % x 2 h of 50 MW are 10 000 kWh; wind lives 20 a at 6 %, the storage still 12
    assert storage[1] == pytest.approx(10_000 * 1300 * (CRF_12 + 0.02), rel=1e-8)


def test_trap_gross_and_net_density_are_not_mixed() -> None:
    """A roof's density is net (equipped roof), a pond's gross (whole site). Rent by MW is rent by m2 over density in
    either basis; taking a roof's whole host area for the equipped one would rent 1 / usable_share as much."""
    roof, pond = host("roof_industrial"), host("fish_pond")
    assert "net" in roof.density_basis
    assert "gross" in pond.density_basis
    candidates, energy = sites((*ROOF, 10.0, 1000.0), (*POND, 10.0, 1100.0))
    areas = candidates["area_m2"].to_numpy(float)
    for name, area in ((roof, areas[0]), (pond, areas[1])):
        assert float(lease_area_m2(area, name)) == pytest.approx(10 / name.density_mw_per_km2 * 1e6)
    assert areas[0] / float(lease_area_m2(areas[0], roof)) == pytest.approx(1 / roof.usable_share)
    table = cost_waterfall(candidates, energy, HOSTS, case(land_lease="typical"))
    land = table[table["cost_item"] == "land"]["yearly_cny"].tolist()
    assert land[0] == pytest.approx(4.0 * 10 / roof.density_mw_per_km2 * 1e6)
    assert land[1] == pytest.approx(1.5 * 10 / pond.density_mw_per_km2 * 1e6)


def test_trap_implied_hours_of_totals() -> None:
    """The published potential of 4 140.5 GW and 7 550 TWh implies 1 823 h: refused for fixed PV; 1 100 h pass."""
    ground = TECHNOLOGIES.technology("pv_ground")
    published = implied_hours(ground, 7550e6, 4_140_500.0)
    assert published.hours == pytest.approx(1823, abs=1)
    assert "1823 h" in published.alarm
    assert implied_hours(ground, 1100.0, 1.0).alarm == ""
    candidates, energy = sites((*POND, 12.0, 1823.0), (*WIND, 50.0, 2000.0))
    (alarm,) = hours_alarms(candidates, energy, TECHNOLOGIES.technologies)
    assert alarm.startswith("pv_pond")


def test_totals_by_technology_are_the_sums() -> None:
    candidates, energy = sites((*POND, 12.0, 1100.0), (*POND, 30.0, 1000.0), (*WIND, 50.0, 2000.0), (*WIND, 5.0, 0.0))
    table = cost_waterfall(candidates, energy, HOSTS, case(**SCENARIOS))
    total = by_technology(table, candidates, energy).set_index(["technology", "cost_item"])
    pond = table[table["candidate_id"].isin(["k0", "k1"]) & (table["cost_item"] == "modules")]
    kwh = (12 * 1100 + 30 * 1000) * 1000
    assert total.loc[("pv_pond", "modules"), "cny_per_kwh"] == pytest.approx(pond["yearly_cny"].sum() / kwh)
    mean = np.average(levelised_cost(table)[["k0", "k1"]], weights=energy[["k0", "k1"]])
    assert total.loc["pv_pond"]["cny_per_kwh"].sum() == pytest.approx(mean)
    wind = levelised_cost(table)["k2"]  # the site without output is left out
    assert total.loc["wind_onshore"]["cny_per_kwh"].sum() == pytest.approx(wind)
    assert total.loc["wind_onshore"].index.tolist()[0] == "turbines"


def test_no_candidates_no_rows() -> None:
    candidates, energy = sites((*POND, 12.0, 1100.0))
    table = cost_waterfall(candidates.iloc[:0], energy, HOSTS, case())
    assert table.empty
    assert levelised_cost(table).empty
    assert by_technology(table, candidates.iloc[:0], energy).empty
    assert co2_table(candidates.iloc[:0], energy, TECHNOLOGIES.emission_factor("全国")).empty


def test_co2_by_hand() -> None:
    """13 200 MWh in Anhui, 0.6782 t/MWh: 8 952 t."""
    candidates, energy = sites((*POND, 12.0, 1100.0), (*WIND, 1.0, 2000.0))
    table = co2_table(candidates, energy, TECHNOLOGIES.emission_factor("安徽")).set_index("technology")
    assert table.at["pv_pond", "co2_t"] == pytest.approx(8952.24)
    assert table.at["wind_onshore", "co2_t"] == pytest.approx(1356.4)
    assert table.at["pv_pond", "factor_region"] == "安徽"
    assert "(A)" in table.at["pv_pond", "source"]


@pytest.mark.parametrize(
    ("codes", "region"),
    [
        (["341602", "341621"], "安徽"),
        (["330102"], "浙江"),
        (["341602", "330102"], "华东"),
        (["341602", "511602"], "全国"),
        (["540102"], "西南"),  # Tibet has no factor of its own
        (["G1", "G2"], "全国"),
        (["99999999"], "全国"),
        ([], "全国"),
    ],
)
def test_factor_of_the_districts(codes: list[str], region: str) -> None:
    assert emission_factor_of(codes, TECHNOLOGIES, TABLES).region == region


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0.01, 0.12), dearer=st.floats(1.01, 2))
def test_dearer_money_and_dearer_modules_cost_more(rate: float, dearer: float) -> None:
    candidates, energy = sites((*POND, 12.0, 1100.0))

    def cost(**changes: float) -> float:
        own = tuple(dataclasses.replace(t, **changes) for t in TECHNOLOGIES.technologies)  # type: ignore[arg-type]
        return float(levelised_cost(cost_waterfall(candidates, energy, HOSTS, case(technologies=own))).iloc[0])

    assert cost(discount_rate=rate * dearer) > cost(discount_rate=rate)
    assert cost(capex_cny_per_kw=4000.0 * dearer) > cost(capex_cny_per_kw=4000.0)
