"""All candidates: nearest cell, shared variants, alarms, refusals."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod
from yield_samples import HOST_TYPES, candidates_of, clear_sky_weather, host_type, read_station, weather_of, year

from layers.contracts import WEATHER_HOURS, InputError
from layers.tables import ContractError
from siting.contracts import CANDIDATES
from siting.cost.energy import lcoe
from siting.technologies.tables import load_technology_tables
from siting.yields.compute import check_weather, compute_yields, grid_share, nearest_cell
from siting.yields.contracts import LOSSES, YIELDS

TABLES = load_technology_tables()
MEAN = {"wind_mean_speed": 5.2, "wind_mean_speed_source": "test"}


def cloudy(weather, share: float):
    columns = ["ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2"]
    return dataclasses.replace(weather, hours=weather.hours.assign(**weather.hours[columns] * share))


def within_contract(weather):
    """Huaiyang's file has 2 267 W/m2; the reader mends that, here it is cut at the contract's limit."""
    limits = {name: promise.le for name, promise in WEATHER_HOURS.columns.items()}
    return dataclasses.replace(weather, hours=weather.hours.clip(upper=pd.Series(limits), axis=1))


@pytest.fixture(scope="module")
def two_cells():
    """West cell (haze, 0.7 of clear sky) and east cell (0.6) on the hours of Bozhou."""
    west = cloudy(clear_sky_weather(), 0.7)
    east = dataclasses.replace(cloudy(clear_sky_weather(), 0.6), longitude=116.77, cell_id="east")
    return [dataclasses.replace(west, cell_id="west"), east]


@pytest.fixture(scope="module")
def candidates():
    return candidates_of(
        [
            ("g1", "ground_fixed", 12.5, 10, 115.8, 33.8),
            ("g2", "ground_fixed", 25, 20, 116.9, 33.9),
            ("r1", "roof_flat", 1.15, 1, 115.7, 33.9),
            ("w1", "wind_plain", 50, 50, 116.8, 33.7),
            ("g3", "ground_fixed", 2.5, 2, 115.9, 33.7),
        ]
    )


@pytest.fixture(scope="module")
def result(candidates, two_cells):
    return compute_yields(candidates, HOST_TYPES, two_cells, **MEAN)


def test_tables_keep_their_contracts(result, candidates, two_cells):
    CANDIDATES.validate(candidates)
    YIELDS.validate(result.yields)
    LOSSES.validate(result.losses)
    assert list(result.profiles.columns) == [
        "east/generic_3300_156", "east/ground_fixed", "west/ground_fixed", "west/roof_flat",
    ]  # fmt: skip
    pd.testing.assert_index_equal(result.profiles.index, two_cells[0].hours.index)
    assert result.profiles.to_numpy().min() >= 0
    assert result.profiles.to_numpy().max() <= 1


def test_energy_is_profile_times_grid_capacity(result, candidates):
    yields = result.yields
    assert yields["candidate_id"].tolist() == candidates["candidate_id"].tolist()
    hours = result.profiles.sum()
    for row, candidate in zip(yields.itertuples(), candidates.itertuples(), strict=True):
        assert row.full_load_hours == pytest.approx(hours[row.variant_id])
        assert row.energy_mwh == pytest.approx(hours[row.variant_id] * candidate.grid_capacity_mw)
        assert row.specific_yield_kwh_per_kw == pytest.approx(row.energy_mwh / candidate.capacity_mw)
        technology = TABLES.technology(candidate.technology)
        expected = float(lcoe(technology, candidate.capacity_mw, row.energy_mwh))
        assert row.lcoe_cny_per_kwh == pytest.approx(expected)
        assert row.capex_cny == candidate.capacity_mw * 1000 * technology.capex_cny_per_kw


def test_losses_end_at_the_specific_yield(result):
    for variant, rows in result.losses.groupby("variant_id"):
        assert rows["item"].iloc[0] == "reference_yield"
        assert rows["loss_share"].iloc[0] == 0
        last = rows["kwh_per_kw"].iloc[-1]
        assert np.prod(1 - rows["loss_share"]) * rows["kwh_per_kw"].iloc[0] == pytest.approx(last)
        known = result.yields[result.yields["variant_id"] == variant]["specific_yield_kwh_per_kw"]
        assert known.to_numpy() == pytest.approx(last)
    tilt = result.losses.query("variant_id == 'west/ground_fixed' and item == 'plane_of_array'")
    assert tilt["loss_share"].item() < 0


def test_candidates_of_a_variant_share_one_profile(result):
    yields = result.yields.set_index("candidate_id")
    assert yields.loc["g1", "variant_id"] == yields.loc["g3", "variant_id"] == "west/ground_fixed"
    assert yields.loc["g1", "full_load_hours"] == yields.loc["g3", "full_load_hours"]
    assert yields.loc["g2", "weather_cell"] == "east"


def test_order_of_candidates_and_cells_does_not_matter(result, candidates, two_cells):
    other = compute_yields(candidates.iloc[::-1], HOST_TYPES[::-1], two_cells[::-1], **MEAN)
    pd.testing.assert_frame_equal(other.profiles, result.profiles)
    pd.testing.assert_frame_equal(other.losses, result.losses)
    pd.testing.assert_frame_equal(other.yields.iloc[::-1].reset_index(drop=True), result.yields)
    assert other.alarms == result.alarms


def test_thousands_of_sites_cost_no_more_variants(two_cells):
    rng = np.random.default_rng(7)
    rows = [(f"c{k}", "ground_fixed", 1.25, 1, 115 + 3 * rng.random(), 33 + rng.random()) for k in range(3000)]
    result = compute_yields(candidates_of(rows), HOST_TYPES, two_cells)
    assert result.profiles.shape == (8760, 2)
    assert len(result.yields) == 3000
    assert result.yields["full_load_hours"].nunique() == 2


def test_nearest_is_on_the_ground_not_in_degrees():
    """At 60 N a degree of longitude is half a degree of latitude: 1.5 degrees east is nearer than 1 degree north."""
    north = dataclasses.replace(clear_sky_weather("north"), latitude=61.0, longitude=100.0)
    east = dataclasses.replace(clear_sky_weather("east"), latitude=60.0, longitude=101.5)
    assert nearest_cell([100.0], [60.0], [north, east]).tolist() == [1]


def test_nearest_among_many_cells_and_points_in_blocks():
    """Five thousand points and thirty cells, two of them on one place: as each pair says, the first at the tie."""
    rng = np.random.default_rng(2)
    places = [*zip(rng.uniform(30, 34, 29), rng.uniform(114, 119, 29), strict=True)]
    places.append(places[3])
    cells = [
        dataclasses.replace(clear_sky_weather(f"{k}"), latitude=float(a), longitude=float(o))
        for k, (a, o) in enumerate(places)
    ]
    lon, lat = rng.uniform(114, 119, 5000), rng.uniform(30, 34, 5000)
    geod = Geod(ellps="WGS84")
    distance = np.array([geod.inv(lon, lat, np.full(5000, o), np.full(5000, a))[2] for a, o in places])
    found = nearest_cell(lon, lat, cells)
    np.testing.assert_array_equal(found, distance.argmin(axis=0))
    assert 29 not in found


def test_nearest_against_each_pair():
    rng = np.random.default_rng(1)
    cells = [
        dataclasses.replace(clear_sky_weather(f"{k}"), latitude=float(lat), longitude=float(lon))
        for k, (lat, lon) in enumerate(zip(rng.uniform(20, 50, 6), rng.uniform(75, 130, 6), strict=True))
    ]
    lon, lat = rng.uniform(75, 130, 200), rng.uniform(20, 50, 200)
    geod = Geod(ellps="WGS84")
    for number, x, y in zip(nearest_cell(lon, lat, cells), lon, lat, strict=True):
        distance = [geod.inv(x, y, cell.longitude, cell.latitude)[2] for cell in cells]
        assert distance[number] == min(distance)


def test_implausible_hours_raise_an_alarm(candidates, two_cells, result):
    assert result.alarms == ()
    bright = [cloudy(clear_sky_weather("bright"), 1.0)]
    alarms = compute_yields(candidates, HOST_TYPES, bright, wind_mean_speed=3.0, wind_mean_speed_source="a mast").alarms
    assert len(alarms) == 3
    ground, roof, wind = alarms
    assert ground.startswith("ground_fixed in weather cell bright: ")
    assert ground.endswith("kWh per kW DC lies outside the plausible 700-1450; 3 candidate(s)")
    assert roof.startswith("roof_flat in weather cell bright: ")
    assert "kWh per kW AC lies outside the plausible 1200-3200 (scaled to 3 m/s at hub height, a mast)" in wind
    unscaled = compute_yields(candidates, HOST_TYPES, [cloudy(bright[0], 0.7)])
    assert all("without a long-run mean" in alarm for alarm in unscaled.alarms)
    assert len(unscaled.alarms) == 1


def test_half_a_day_off_is_alarmed(candidates):
    weather = clear_sky_weather("shifted")
    turned = np.roll(weather.hours.to_numpy(), 12, axis=0)
    hours = pd.DataFrame(turned, index=weather.hours.index, columns=weather.hours.columns)
    alarms = compute_yields(candidates, HOST_TYPES, [dataclasses.replace(weather, hours=hours)], **MEAN).alarms
    assert "of the irradiation falls in hours with the sun below the horizon" in alarms[0]


def test_gap_in_the_weather_is_named_by_hour_and_column(candidates, two_cells):
    hours = two_cells[0].hours.copy()
    hours.iloc[100, hours.columns.get_loc("temp_air_c")] = np.nan
    hours.iloc[[200, 201], hours.columns.get_loc("dni_w_per_m2")] = np.inf
    with pytest.raises(InputError) as error:
        compute_yields(candidates, HOST_TYPES, [dataclasses.replace(two_cells[0], hours=hours), two_cells[1]])
    found = {finding.item: (finding.rule, finding.layer, finding.value) for finding in error.value.findings}
    assert found == {
        "2023-01-05 04:00 temp_air_c": ("weather.not_a_number", "west", "nan"),
        "2023-01-09 08:00 dni_w_per_m2": ("weather.not_a_number", "west", "inf"),
    }


def test_weather_of_the_wrong_shape_is_refused():
    weather = clear_sky_weather()
    hours = weather.hours
    late = hours.set_axis(hours.index.tz_convert("UTC"))
    naive = hours.set_axis(hours.index.tz_localize(None))
    gap = hours.drop(hours.index[500])
    doubled = hours.set_axis(hours.index[:-1].insert(4, hours.index[4]))
    cases = {
        "weather.zone": [late, naive],
        "weather.hours": [gap, doubled, hours.iloc[:48]],
        "weather.column_missing": [hours.drop(columns="pressure_pa")],
    }
    for rule, frames in cases.items():
        for frame in frames:
            assert {f.rule for f in check_weather(dataclasses.replace(weather, hours=frame))} == {rule}
    assert check_weather(weather) == []


def test_weather_out_of_range_is_refused(candidates):
    weather = clear_sky_weather()
    negative = weather.hours.assign(ghi_w_per_m2=weather.hours["ghi_w_per_m2"] - 5)
    with pytest.raises(ContractError, match="ghi_w_per_m2"):
        compute_yields(candidates, HOST_TYPES, [dataclasses.replace(weather, hours=negative)])


def test_a_leap_year_is_a_year(candidates):
    index = pd.date_range("2024-01-01", periods=8784, freq="h", tz=year().tz)
    hours = clear_sky_weather().hours
    leap = pd.concat([hours, hours.iloc[-24:]]).set_axis(index)
    result = compute_yields(candidates, HOST_TYPES, [cloudy(weather_of(leap), 0.7)], **MEAN)
    assert len(result.profiles) == 8784


def test_everything_wrong_with_the_inputs_at_once(candidates, two_cells):
    other_year = two_cells[1].hours.set_axis(two_cells[1].hours.index + pd.Timedelta(365, "D"))
    weather = [two_cells[0], two_cells[0], dataclasses.replace(two_cells[1], hours=other_year)]
    hosts = [host_type("ground_fixed", "pv_ground", "ground_fixd"), host_type("roof_flat", "pv_rof", "roof_flat")]
    with pytest.raises(InputError) as error:
        compute_yields(candidates, hosts, weather, wind_mean_speed=55.0)
    assert [finding.rule for finding in error.value.findings] == [
        "weather.repeated_id",
        "weather.hours_differ",
        "wind.mean_speed",
        "wind.mean_speed_source",
        "technology.unknown_id",
        "technology.unknown_id",
        "host_type.unknown",
    ]
    with pytest.raises(InputError, match="There is no weather cell"):
        compute_yields(candidates, HOST_TYPES, [])


def test_capacities_that_do_not_fit_the_design_are_refused(two_cells):
    """The profile is per inverter rating: another DC/AC ratio would silently give another yield."""
    with pytest.raises(ContractError, match=r"the first b: 1\.0000 instead of 1\.2500"):
        compute_yields(
            candidates_of([("a", "ground_fixed", 1.25, 1, 115, 33), ("b", "ground_fixed", 1, 1, 115, 33)]),
            HOST_TYPES,
            two_cells,
        )


def test_grid_share_of_host_types():
    shares = [grid_share(host) for host in HOST_TYPES]
    assert shares == pytest.approx([1 / 1.15, 1 / 1.25, 1 / 1.2, 1.0])


def test_no_candidates_give_empty_tables(two_cells):
    result = compute_yields(
        candidates_of([]).astype(candidates_of([("a", "roof_flat", 1, 1, 1, 1)]).dtypes), (), two_cells
    )
    assert len(result.yields) == len(result.losses) == 0
    assert result.profiles.shape == (8760, 0)
    YIELDS.validate(result.yields)
    LOSSES.validate(result.losses)


def test_darkness_and_calm_have_no_cost_of_energy(candidates):
    dark = cloudy(clear_sky_weather("dark"), 0.0)
    calm = dataclasses.replace(dark, hours=dark.hours.assign(wind_speed_m_per_s=0.0))
    result = compute_yields(candidates, HOST_TYPES, [calm])
    assert (result.yields["energy_mwh"] == 0).all()
    assert result.yields["lcoe_cny_per_kwh"].isna().all()
    assert (result.losses["loss_share"] == 0).all()


def test_calm_weather_with_a_mean_speed_is_bad_input(candidates):
    weather = clear_sky_weather("calm")
    calm = dataclasses.replace(weather, hours=weather.hours.assign(wind_speed_m_per_s=0.0))
    with pytest.raises(InputError, match=r"weather.wind: .* cannot be scaled"):
        compute_yields(candidates, HOST_TYPES, [calm], **MEAN)


def test_roughness_above_the_measuring_height_is_bad_input(candidates):
    weather = dataclasses.replace(clear_sky_weather("forest"), roughness_length_m=12.0)
    with pytest.raises(InputError, match=r"weather.wind: .* forest .* above the roughness length"):
        compute_yields(candidates, HOST_TYPES, [weather])


def test_progress_goes_from_zero_to_one(candidates, two_cells):
    steps: list[tuple[str, float]] = []
    compute_yields(candidates, HOST_TYPES, two_cells, progress=lambda label, share: steps.append((label, share)))
    assert steps == [("yield east", 0.0), ("yield west", 0.5), ("yield", 1.0)]


def test_heavy_libraries_are_imported_late():
    code = "import sys, siting.yields.compute; print({'pvlib', 'windpowerlib', 'pandapower'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.real_data
def test_real_stations_give_plausible_hours(real_data: Path):
    """PV of every station north of the Sichuan basin lies in 700-1450 h; Sichuan and Chongqing raise the alarm that
    their measured hours (2.2-2.5 h a day) deserve."""
    cells = [within_contract(read_station(path)) for path in sorted((real_data / "weather-cswd-epw").glob("*.epw.gz"))]
    rows = [(c.cell_id, "ground_fixed", 1.25, 1, c.longitude, c.latitude) for c in cells]
    result = compute_yields(candidates_of(rows), HOST_TYPES, cells)
    yields = result.yields.set_index("candidate_id")["specific_yield_kwh_per_kw"]
    assert (result.yields["weather_cell"] == result.yields["candidate_id"]).all()
    assert 900 < yields["Hangzhou"] < 1050
    assert 1050 < yields["Boxian"] < 1200
    low = [alarm for alarm in result.alarms if "plausible" in alarm]
    assert [alarm.split(":")[0] for alarm in low] == ["ground_fixed in weather cell Chongqing"]
