"""Profiles: every figure has a source; a faulty file is refused with everything that is wrong."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from layers.contracts import InputError
from layers.generated import LandProfile, demand_profile, land_profile, profile_names, weather_profile
from layers.generated.profiles import WeatherProfile, parse_profile

LOADERS = {"land": land_profile, "weather": weather_profile, "demand": demand_profile}
ALL = [(kind, name) for kind in LOADERS for name in profile_names(kind)]


def weather_toml() -> dict:
    file = resources.files("layers.generated") / "profiles" / "weather-monsoon_plain.toml"
    return tomllib.loads(file.read_text("utf-8"))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_figure_has_source_and_confidence(kind: str, name: str) -> None:
    profile = LOADERS[kind](name)
    assert profile.id == name
    assert profile.figures
    for figure in profile.figures:
        assert figure.source, figure.name
        assert figure.confidence in {"A", "B", "C"}, figure.name


@pytest.mark.parametrize("name", profile_names("land"))
def test_shares_are_shares(name: str) -> None:
    profile = land_profile(name)
    shares = [value for key, value in vars(profile).items() if key.endswith("_share")]
    assert len(shares) > 8
    assert all(0 <= share <= 1 for share in shares)


def test_there_is_a_plain_and_there_are_hills() -> None:
    assert profile_names("land") == ("hills", "north_anhui_plain")
    assert land_profile("hills").forest_share > land_profile("north_anhui_plain").forest_share


def test_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"hills, north_anhui_plain"):
        land_profile("moon")


def test_all_faults_of_a_file_at_once() -> None:
    content = weather_toml()
    figures = content["figures"]
    del figures["weibull_k"]
    figures["wind_persistance"] = figures.pop("wind_persistence")
    del figures["cloud_noise"]["source"]
    figures["warmest_hour"]["value"] = "afternoon"
    with pytest.raises(InputError) as error:
        parse_profile(WeatherProfile, content, "weather.toml")
    found = {(f.rule, f.item) for f in error.value.findings}
    assert found == {
        ("profile.figure_missing", "weibull_k"),
        ("profile.figure_missing", "wind_persistence"),
        ("profile.figure_unknown", "wind_persistance"),
        ("profile.figure_incomplete", "cloud_noise"),
        ("profile.figure_type", "warmest_hour"),
    }
    assert any("wind_persistence" in f.remedy for f in error.value.findings if f.rule == "profile.figure_unknown")


def test_an_empty_file_misses_everything() -> None:
    with pytest.raises(InputError) as error:
        parse_profile(LandProfile, {}, "land.toml")
    rules = [f.rule for f in error.value.findings]
    assert rules.count("profile.key_missing") == 3
    assert rules.count("profile.figure_missing") > 40
