"""Wind sites with mean speeds and wakes of their own, details of yields, alarms on planted faults."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box
from wind_samples import GENERIC, TABLES, windy

from layers.contracts import InputError, Origin
from siting.contracts import HostType
from siting.technologies.wind import curtailment_rules
from siting.wind.chain import WindOptions
from siting.yields.compute import WindStudy, compute_yields
from siting.yields.contracts import YIELD_DETAILS
from siting.yields.hourly_store import store_of

HOSTS = (
    HostType("wind_plain", "w", "w", "wind", "wind_onshore", 4.0, 3.0, 9.0, "ac gross", 1.0, 1e6, 100.0, 100.0, 1, "",
             "#000000", "test", "C"),
    HostType("ground", "g", "g", "ground", "pv_ground", 50.0, 40.0, 60.0, "dc net", 1.0, 1e4, 20.0, 100.0, 1,
             "ground_fixed", "#000000", "test", "C"),
)  # fmt: skip
D = GENERIC.rotor_diameter_m


def sites(rows: list[tuple[str, str, float, float]]) -> gpd.GeoDataFrame:
    """Rows of (id, host type, AC MW, km2) at the weather cell."""
    wind = [row[1] == "wind_plain" for row in rows]
    frame = pd.DataFrame(
        {
            "candidate_id": [row[0] for row in rows],
            "host_type": [row[1] for row in rows],
            "technology": ["wind_onshore" if w else "pv_ground" for w in wind],
            "kind": ["wind" if w else "ground" for w in wind],
            "district_code": "341600",
            "name_zh": "甲",
            "name_en": "A",
            "area_m2": [row[3] * 1e6 for row in rows],
            "capacity_mw": [row[2] * (1.0 if w else 1.25) for row, w in zip(rows, wind, strict=True)],
            "grid_capacity_mw": [float(row[2]) for row in rows],
            "origin": str(Origin.GENERATED),
            "lon": 115.77,
            "lat": 33.87,
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[box(0, 0, 1, 1)] * len(rows), crs="EPSG:4547")


FARMS = sites([("A", "wind_plain", 33.0, 10.0), ("B", "wind_plain", 33.0, 10.0), ("C", "wind_plain", 3.3, 1.0)])


def sunny(weather):
    """A day of eight hours of light: enough for PV to have a plausible year."""
    hour = weather.hours.index.hour
    light = np.where((hour >= 9) & (hour < 16), 430.0, 0.0)
    return dataclasses.replace(
        weather,
        hours=weather.hours.assign(ghi_w_per_m2=light, dni_w_per_m2=light * 0.4, dhi_w_per_m2=light * 0.75),
    )


WEATHER = windy(3.6)


def of(result, candidate: str) -> pd.Series:
    details = result.details.merge(result.yields, on="candidate_id").set_index("candidate_id")
    return details.loc[candidate]


def test_a_map_gives_each_site_its_wind_in_steps():
    """5.53 and 5.51 m/s are one step, 6.2 another, and a gap in the map falls back to the study's mean."""
    speed = pd.Series({"A": 5.53, "B": 6.2, "C": np.nan})
    study = WindStudy(5.0, "a mast", site_mean_speed=speed)
    result = compute_yields(FARMS, HOSTS, [WEATHER], wind=study)
    assert of(result, "A")["hub_mean_m_per_s"] == pytest.approx(5.5)
    assert of(result, "B")["hub_mean_m_per_s"] == pytest.approx(6.2)
    assert of(result, "C")["hub_mean_m_per_s"] == pytest.approx(5.0)
    assert result.yields["variant_id"].tolist() == [
        "cell/generic_3300_156/5.5m_s", "cell/generic_3300_156/6.2m_s", "cell/generic_3300_156",
    ]  # fmt: skip
    alone = compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(5.5, "a map"))
    assert of(result, "A")["energy_mwh"] == pytest.approx(of(alone, "A")["energy_mwh"], rel=1e-12)


def test_thousands_of_sites_on_a_map_share_variants():
    rng = np.random.default_rng(5)
    many = sites([(f"S{k:04d}", "wind_plain", 33.0, 10.0) for k in range(2000)])
    speed = pd.Series(rng.uniform(5.0, 6.0, 2000), index=many["candidate_id"])
    result = compute_yields(many, HOSTS, [WEATHER], wind=WindStudy(site_mean_speed=speed, wake="density"))
    assert result.profiles.shape[1] == 11
    assert len(result.yields) == 2000


def test_a_mean_stated_at_another_height_is_carried_to_the_hub():
    """Log law over 0.1 m: 140 m has ln(1400)/ln(1000) = 1.04871 of the wind at 100 m."""
    result = compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(5.5, "map at 100 m", mean_speed_height_m=100.0))
    assert of(result, "A")["hub_mean_m_per_s"] == pytest.approx(5.5 * 1.048709, rel=1e-5)


def test_hub_height_is_one_on_offer():
    base = compute_yields(FARMS, HOSTS, [WEATHER])
    tall = compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(hub_height_m=160.0))
    assert of(tall, "A")["energy_mwh"] > 1.02 * of(base, "A")["energy_mwh"]
    with pytest.raises(InputError, match="Hubs on offer: 120, 140, 160 m"):
        compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(hub_height_m=155.0))


def test_wake_by_density_and_by_layout():
    x = np.arange(10) * 4 * D
    positions = pd.DataFrame({"candidate_id": "A", "x_m": x, "y_m": 0.0})
    west = dataclasses.replace(WEATHER, hours=WEATHER.hours.assign(wind_from_degree=270.0))
    chain = compute_yields(FARMS, HOSTS, [west])
    density = compute_yields(FARMS, HOSTS, [west], wind=WindStudy(wake="density"))
    layout = compute_yields(FARMS, HOSTS, [west], wind=WindStudy(wake="layout", positions=positions))
    assert of(chain, "A")["wake_loss_share"] == pytest.approx(0.08)
    # 3.3 MW/km2 with ten turbines; a single one loses nothing
    assert of(density, "A")["wake_loss_share"] == pytest.approx(0.03, abs=1e-9)
    assert of(density, "C")["wake_loss_share"] == 0
    # a row along the wind at 4 D loses far more; sites without positions take the table and say so
    assert of(layout, "A")["wake_loss_share"] > 0.2
    assert of(layout, "B")["wake_loss_share"] == pytest.approx(0.03, abs=1e-9)
    assert layout.assumptions == ("wake losses by density for wind sites without turbine positions",)
    for result in (chain, density, layout):
        assert result.profiles.to_numpy().max() == pytest.approx(1.0)


def test_layout_without_directions_says_that_its_rose_is_uniform():
    positions = pd.DataFrame({"candidate_id": ["A"] * 2, "x_m": [0.0, 5 * D], "y_m": 0.0})
    result = compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(wake="layout", positions=positions))
    assert "uniform wind rose for wakes: weather cell cell has no wind direction" in result.assumptions
    close = positions.assign(x_m=[0.0, 20.0])
    with pytest.raises(InputError, match=r"wind.layout: .* A: .*20 m apart"):
        compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(wake="layout", positions=close))


def test_curtailment_is_an_item_of_the_losses():
    options = WindOptions(curtailment=curtailment_rules(("bats",)))
    result = compute_yields(FARMS, HOSTS, [WEATHER], wind=WindStudy(options=options))
    items = result.losses["item"].tolist()
    assert items[-1] == "curtailment_bats"
    last = result.losses["kwh_per_kw"].iloc[-1]
    assert of(result, "A")["specific_yield_kwh_per_kw"] == pytest.approx(last)


def test_details_keep_their_contract_and_their_order():
    mixed = sites([("A", "wind_plain", 33.0, 10.0), ("P", "ground", 20.0, 0.4)])
    result = compute_yields(
        mixed, HOSTS, [sunny(WEATHER)], wind=WindStudy(5.3, "a mast"), site_factor=pd.Series({"P": 0.9})
    )
    YIELD_DETAILS.validate(result.details)
    details = result.details
    assert (details["p50_mwh"] == result.yields["energy_mwh"]).all()
    assert (details["p90_mwh"] < details["p75_mwh"]).all()
    assert (details["p75_mwh"] < details["p50_mwh"]).all()
    # P75 and P90 of a normal distribution
    np.testing.assert_allclose(
        details["p75_mwh"], details["p50_mwh"] * (1 - 0.674490 * details["sigma_share"]), rtol=1e-6
    )
    np.testing.assert_allclose(
        details["p90_mwh"], details["p50_mwh"] * (1 - 1.281552 * details["sigma_share"]), rtol=1e-6
    )
    assert of(result, "A")["sigma_share"] > of(result, "P")["sigma_share"]
    technology = TABLES.technology("wind_onshore")
    years = (1 - technology.degradation_per_a) ** np.arange(20)
    assert of(result, "A")["life_mean_mwh"] == pytest.approx(of(result, "A")["energy_mwh"] * years.mean())
    assert np.isnan(of(result, "P")["wake_loss_share"])
    assert np.isnan(of(result, "P")["hub_mean_m_per_s"])
    whole = compute_yields(mixed, HOSTS, [sunny(WEATHER)], wind=WindStudy(5.3, "a mast"))
    assert of(result, "P")["energy_mwh"] == pytest.approx(0.9 * of(whole, "P")["energy_mwh"])
    assert of(result, "A")["energy_mwh"] == of(whole, "A")["energy_mwh"]
    capacity = mixed.set_index("candidate_id")["grid_capacity_mw"]
    for name in ("A", "P"):
        series = store_of(result, capacity).site_series(name)
        assert series.sum() == pytest.approx(of(result, name)["energy_mwh"], rel=1e-6)


@pytest.mark.parametrize(
    ("fault", "side"),
    [
        (lambda w: w.assign(wind_speed_m_per_s=np.minimum(w["wind_speed_m_per_s"] * 1.94, 60)), "high"),  # knots as m/s
        (lambda w: w.assign(wind_speed_m_per_s=w["wind_speed_m_per_s"] / 3.6), "low"),  # taken for km/h once more
        (lambda w: w.assign(wind_speed_m_per_s=w["wind_speed_m_per_s"] * 0.5), "low"),  # a station in a town
    ],
)
def test_implied_hours_alarm_fires_on_planted_faults_of_wind(fault, side):
    sound = compute_yields(FARMS, HOSTS, [WEATHER])
    assert [f.rule for f in sound.findings] == []
    assert (sound.details["alarm"] == "").all()
    result = compute_yields(FARMS, HOSTS, [dataclasses.replace(WEATHER, hours=fault(WEATHER.hours))])
    alarm = [f for f in result.findings if f.rule == "yield.implied_hours"]
    assert len(alarm) == 1
    assert alarm[0].severity == "warning"
    assert alarm[0].item == "wind_plain in cell"
    assert ("unit" in alarm[0].remedy) == (side == "high")
    assert (result.details["alarm"] == "yield.implied_hours").all()
    hours = float(alarm[0].value.split()[0])
    assert hours > 3200 if side == "high" else hours < 1200


@pytest.mark.parametrize(
    ("fault", "side"),
    [
        (lambda w: w.assign(dhi_w_per_m2=w["dhi_w_per_m2"] * 2.2), "high"),  # diffuse light counted twice
        (lambda w: w.assign(**w[["ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2"]] / 3.6), "low"),  # kJ/m2 taken for Wh
    ],
)
def test_implied_hours_alarm_fires_on_planted_faults_of_pv(fault, side):
    field = sites([("P", "ground", 20.0, 0.4)])
    sound = compute_yields(field, HOSTS, [sunny(WEATHER)])
    assert sound.findings == ()
    assert 700 < of(sound, "P")["specific_yield_kwh_per_kw"] < 1450
    weather = sunny(WEATHER)
    result = compute_yields(field, HOSTS, [dataclasses.replace(weather, hours=fault(weather.hours))])
    assert [f.rule for f in result.findings] == ["yield.implied_hours"]
    hours = of(result, "P")["specific_yield_kwh_per_kw"]
    assert hours > 1450 if side == "high" else hours < 700
