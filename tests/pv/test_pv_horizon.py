"""Skylines: the sun behind a hill, the sky behind it, and files with faults."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_samples import GROUND, TABLES, bozhou, days, facing

from layers.contracts import InputError
from siting.pv.chain import PvOptions, pv_yield, sun_of_hours
from siting.pv.shading import Horizon, read_horizons, sky_share, sun_is_free


def even(height: float) -> Horizon:
    around = tuple(np.arange(0.0, 360.0, 10.0).tolist())
    return Horizon(around, (height,) * 36)


def test_height_between_the_points_and_across_north():
    skyline = Horizon((10.0, 90.0, 180.0, 350.0), (10.0, 0.0, 4.0, 20.0))
    np.testing.assert_allclose(skyline.at(np.array([50.0, 90.0, 0.0, 360.0, 355.0])), [5.0, 0.0, 15.0, 15.0, 17.5])


@pytest.mark.parametrize("height", [0.0, 5.0, 20.0, 60.0])
def test_an_even_skyline_leaves_cos_squared_of_the_sky(height: float):
    share = sky_share(even(height), np.zeros(1), np.array([180.0]))
    assert share[0] == pytest.approx(np.cos(np.deg2rad(height)) ** 2, abs=1e-9)


def test_a_bare_horizon_takes_nothing():
    np.testing.assert_allclose(sky_share(even(0.0), np.array([0.0, 30.0, 90.0]), np.array([0.0, 99.0, 180.0])), 1)


def test_a_wall_in_front_takes_the_lower_sky_of_a_wall():
    """A wall looks at half a sky; a skyline of height h around leaves ``1 - (2 h + sin 2 h) / pi`` of its light.

    By hand: the wall's light is the integral of cos e * cos e over the elevation, (pi/2 - h - sin(2h)/2) / (pi/2).
    """
    h = np.deg2rad(25.0)
    share = sky_share(even(25.0), np.array([90.0]), np.array([180.0]))
    assert share[0] == pytest.approx(1 - (2 * h + np.sin(2 * h)) / np.pi, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(heights=st.lists(st.floats(0, 60), min_size=12, max_size=12), tilt=st.floats(0, 90), side=st.floats(0, 360))
def test_sky_share_against_a_sum_over_the_dome(heights: list[float], tilt: float, side: float):
    skyline = Horizon(tuple(np.arange(0.0, 360.0, 30.0).tolist()), tuple(heights))
    azimuth, elevation = np.meshgrid(np.arange(0.5, 360, 1), np.arange(0.25, 90, 0.5))
    e, t = np.deg2rad(elevation), np.deg2rad(tilt)
    cosine = np.sin(e) * np.cos(t) + np.cos(e) * np.sin(t) * np.cos(np.deg2rad(azimuth - side))
    light = np.maximum(cosine, 0) * np.cos(e)
    free = elevation > skyline.at(azimuth)
    share = sky_share(skyline, np.array([tilt]), np.array([side]))[0]
    assert share == pytest.approx((light * free).sum() / light.sum(), abs=0.01)
    assert 0 <= share <= 1 + 1e-9


def test_a_hill_in_the_east_takes_the_morning():
    weather = days(bozhou(), 170, 30)
    around = tuple(np.arange(0.0, 360.0, 15.0).tolist())
    hill = Horizon(around, tuple(25.0 if 45 <= a <= 135 else 0.0 for a in around))
    options = PvOptions(horizons={"": hill})
    variants = [facing(25, 90), facing(25, 270), TABLES.pv_variant("ground_tracking")]
    free, shaded = pv_yield(weather, variants), pv_yield(weather, variants, options)
    assert (shaded.power <= free.power + 1e-9).all()
    east, west, _ = 1 - shaded.power.sum(axis=0) / free.power.sum(axis=0)
    assert east > 2 * west > 0
    stages = shaded.stages[0]
    assert stages["plane_of_array"] == pytest.approx(free.stages[0]["plane_of_array"])
    assert stages["horizon"] < stages["plane_of_array"]
    assert "horizon" not in free.stages[0]
    sun = sun_of_hours(weather.hours.index, weather.latitude, weather.longitude, weather.altitude_m)
    hidden = ~sun_is_free(hill, sun) & (sun.lit_share > 0)
    assert hidden.sum() > 30


def test_skylines_belong_to_their_cell():
    weather = days(bozhou(), 100, 5)
    options = PvOptions(horizons={"Bozhou": even(30.0)})
    assert pv_yield(weather, [GROUND], options).power.sum() < pv_yield(weather, [GROUND]).power.sum()
    elsewhere = dataclasses.replace(weather, cell_id="other")
    np.testing.assert_array_equal(pv_yield(elsewhere, [GROUND], options).power, pv_yield(weather, [GROUND]).power)


def write(folder: Path, text: str) -> Path:
    path = folder / "horizon.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reading_a_file(tmp_path: Path):
    rows = "".join(f"{a},{a / 36}\n" for a in range(0, 360, 30))
    (skyline,) = read_horizons(write(tmp_path, "azimuth_deg,elevation_deg\n" + rows), "h.csv").values()
    assert skyline.at(np.array([90.0]))[0] == pytest.approx(2.5)
    rows = "".join(f"{a},1,A\n{a},2,B\n" for a in range(0, 360, 30))
    both = read_horizons(write(tmp_path, "azimuth_deg,elevation_deg,weather_cell\n" + rows), "h.csv")
    assert sorted(both) == ["A", "B"]
    assert both["B"].elevation_deg[0] == 2


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("azimuth_deg\n0\n", ["horizon.column_missing"]),
        ("azimuth_deg,elevation_deg\n", ["horizon.empty"]),
        ("azimuth_deg,elevation_deg\n0,5\n90,x\n", ["horizon.out_of_range", "horizon.too_few"]),
        ("azimuth_deg,elevation_deg\n0,5\n360,5\n", ["horizon.azimuth_twice", "horizon.too_few"]),
        ("azimuth_deg,elevation_deg\n0,95\n", ["horizon.out_of_range"]),
    ],
)
def test_faults_of_a_file_are_named(tmp_path: Path, text: str, rules: list[str]):
    with pytest.raises(InputError) as error:
        read_horizons(write(tmp_path, text), "h.csv")
    assert sorted(f.rule for f in error.value.findings) == rules
    assert all(f.file == "h.csv" and f.remedy for f in error.value.findings)


def test_a_missing_file_is_a_finding(tmp_path: Path):
    with pytest.raises(InputError) as error:
        read_horizons(tmp_path / "none.csv", "none.csv")
    assert [f.rule for f in error.value.findings] == ["horizon.unreadable"]
