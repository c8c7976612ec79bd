"""Profiles: what a kind of country looks like, as data with a source for every figure.

A profile is a TOML file in ``layers/generated/profiles``: ``[profile]`` names it, and each ``[figures.<name>]``
gives ``value``, ``unit``, ``source`` and ``confidence`` (A read in the source, B well known, C engineering range).
The loader is closed: a figure that is missing or unknown is refused by name.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from typing import Any, TypeVar

from layers.contracts import Finding, InputError

_PACKAGE = "layers.generated"
_FIGURE_KEYS = {"value", "unit", "source", "confidence"}


@dataclass(frozen=True)
class Figure:
    """Where one number of a profile comes from."""

    name: str
    unit: str
    source: str
    confidence: str


@dataclass(frozen=True)
class LandProfile:
    """Figures that shape generated land. Shares are 0..1 of the district's area unless the name says otherwise."""

    id: str
    title_zh: str
    title_en: str
    # people
    population_per_km2: float
    """Used where a district's population is not known."""
    rural_share: float
    persons_per_household: float
    # villages
    village_mean_households: float
    village_sigma: float
    village_area_per_household_m2: float
    roof_per_household_m2: float
    # towns, estates, buildings
    township_every_km2: float
    town_area_per_person_m2: float
    seat_share_of_urban: float
    built_up_share_max: float
    estate_area_per_urban_person_m2: float
    factory_roof_mean_m2: float
    factory_roof_sigma: float
    factory_coverage_share: float
    people_per_public_building: float
    public_roof_mean_m2: float
    public_roof_sigma: float
    # water
    river_azimuth_deg: float
    river_spacing_m: float
    river_width_m: float
    stream_lanes: int
    stream_width_m: float
    pond_share: float
    pond_mean_m2: float
    pond_dyke_m: float
    # coal mining
    coalfield_districts: tuple[str, ...]
    """District codes that certainly lie in a coalfield ..."""
    coalfield_free_districts: tuple[str, ...]
    """... and that certainly do not; any other district does with ``coalfield_chance``."""
    coalfield_chance: float
    subsided_share: float
    subsidence_basin_km2: float
    subsidence_water_share: float
    # transport
    motorway_spacing_m: float
    motorway_width_m: float
    national_road_width_m: float
    county_road_width_m: float
    railway_spacing_m: float
    railway_width_m: float
    # woods, hills, fields
    woodlot_share: float
    woodlot_mean_m2: float
    river_belt_width_m: float
    forest_share: float
    hill_share: float
    red_line_bank_m: float
    red_line_reach_share: float
    red_line_patch_share: float
    basic_farmland_share: float
    """Share of cropland."""
    # names
    surnames_zh: tuple[str, ...]
    village_endings_zh: tuple[str, ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class WeatherProfile:
    """Figures that shape a generated weather year."""

    id: str
    title_zh: str
    title_en: str
    clearness_persistence: float
    clearness_spread: float
    cloud_noise: float
    cloud_persistence: float
    temperature_sigma_winter_c: float
    temperature_sigma_summer_c: float
    temperature_persistence: float
    warmest_hour: float
    weibull_k: float
    wind_persistence: float
    wind_diurnal_share: float
    windiest_hour: float
    roughness_length_m: float
    cell_correlation: float
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class DemandProfile:
    """Figures that shape a generated demand year; hourly tuples run from 0 to 23 h, shares of the day's mean."""

    id: str
    title_zh: str
    title_en: str
    hours_winter: tuple[float, ...]
    hours_spring: tuple[float, ...]
    hours_summer: tuple[float, ...]
    monthly_base: tuple[float, ...]
    monthly_temperature_c: tuple[float, ...]
    temperature_sigma_c: float
    temperature_persistence: float
    cooling_from_c: float
    cooling_per_c: float
    cooling_span_c: float
    """Cooling levels off towards this many degrees: by then every unit runs."""
    heating_below_c: float
    heating_per_c: float
    saturday_factor: float
    sunday_factor: float
    spring_festival_factor: float
    spring_festival_days: tuple[str, ...]
    national_day_factor: float
    noise_share: float
    figures: tuple[Figure, ...] = ()


Profile = TypeVar("Profile", LandProfile, WeatherProfile, DemandProfile)


def land_profile(name: str) -> LandProfile:
    """Land profile ``name`` of the package, e.g. ``"north_anhui_plain"`` or ``"hills"``."""
    return _load(LandProfile, "land", name)


def weather_profile(name: str = "monsoon_plain") -> WeatherProfile:
    """Weather profile ``name`` of the package."""
    return _load(WeatherProfile, "weather", name)


def demand_profile(name: str = "east_china_city") -> DemandProfile:
    """Demand profile ``name`` of the package."""
    return _load(DemandProfile, "demand", name)


def profile_names(kind: str) -> tuple[str, ...]:
    """Names of the profiles of a kind (``"land"``, ``"weather"``, ``"demand"``), sorted."""
    files = (resources.files(_PACKAGE) / "profiles").iterdir()
    return tuple(sorted(f.name[len(kind) + 1 : -5] for f in files if f.name.startswith(f"{kind}-")))


def _load(cls: type[Profile], kind: str, name: str) -> Profile:
    if name not in profile_names(kind):
        raise InputError([_unknown_profile(kind, name)])
    shown = f"layers/generated/profiles/{kind}-{name}.toml"
    text = (resources.files(_PACKAGE) / "profiles" / f"{kind}-{name}.toml").read_text("utf-8")
    return parse_profile(cls, tomllib.loads(text), shown)


def parse_profile(cls: type[Profile], content: dict[str, Any], shown_path: str) -> Profile:
    """Profile from parsed TOML.

    Raises
    ------
    InputError
        One finding for every figure that is missing, unknown, or lacks a source or confidence.
    """
    head, figures = content.get("profile", {}), content.get("figures", {})
    wanted = {f.name for f in fields(cls) if f.default is MISSING} - {"id", "title_zh", "title_en"}
    findings = [
        _finding("profile.figure_missing", shown_path, n, "", "is missing") for n in sorted(wanted - set(figures))
    ]
    findings += [_misspelt(shown_path, n, wanted) for n in sorted(set(figures) - wanted)]
    findings += [
        _finding("profile.figure_incomplete", shown_path, n, str(sorted(f)), f"needs the keys {sorted(_FIGURE_KEYS)}")
        for n, f in sorted(figures.items())
        if set(f) != _FIGURE_KEYS
    ]
    findings += [
        _finding("profile.key_missing", shown_path, f"profile.{n}", "", "is missing")
        for n in ("id", "title_zh", "title_en")
        if n not in head
    ]
    kinds = {f.name: str(f.type) for f in fields(cls)}
    findings += [
        _finding("profile.figure_type", shown_path, n, repr(f["value"]), f"must be of type {kinds[n]}")
        for n, f in sorted(figures.items())
        if n in wanted and set(f) == _FIGURE_KEYS and not _fits(f["value"], kinds[n])
    ]
    if findings:
        raise InputError(findings)
    values: dict[str, Any] = {
        n: tuple(f["value"]) if isinstance(f["value"], list) else f["value"] for n, f in figures.items()
    }
    sources = tuple(Figure(n, f["unit"], f["source"], f["confidence"]) for n, f in figures.items())
    return cls(head["id"], head["title_zh"], head["title_en"], **values, figures=sources)


def _fits(value: object, kind: str) -> bool:
    """Whether a TOML value is of a figure's type: ``float``, ``int``, ``tuple[float, ...]`` or ``tuple[str, ...]``."""
    if kind.startswith("tuple["):
        return isinstance(value, list) and all(_fits(v, kind[6:].split(",")[0]) for v in value)
    wanted = {"float": (int, float), "int": (int,), "str": (str,)}[kind]
    return isinstance(value, wanted) and not isinstance(value, bool)


def _finding(rule: str, path: str, item: str, value: str, message: str) -> Finding:
    return Finding("error", rule, path, "profile", item, value, f"{item} {message}.", f"Give [figures.{item}] in full.")


def _misspelt(path: str, name: str, wanted: set[str]) -> Finding:
    near = difflib.get_close_matches(name, sorted(wanted), n=1)
    hint = f"Did you mean {near[0]}?" if near else "Remove it."
    return Finding("error", "profile.figure_unknown", path, "profile", name, name, f"{name} is not a figure.", hint)


def _unknown_profile(kind: str, name: str) -> Finding:
    known = ", ".join(profile_names(kind))
    path = "layers/generated/profiles"
    return Finding(
        "error",
        "profile.unknown",
        path,
        kind,
        name,
        name,
        f"There is no {kind} profile {name!r}.",
        f"Use one of {known}.",
    )
