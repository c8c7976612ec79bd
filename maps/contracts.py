"""What a map or a report is drawn from: one record, all positions in WGS-84, all texts in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.contracts import VERDICTS_ALLOWED, Assumption, Case
from layers.contracts import Origin, SourceCard
from layers.tables import Table, column

PROJECTS = Table(
    "projects",
    "The project list: one row a candidate, in the order in which the network was asked.",
    {
        "order": column(int, "", "place in the list, from 1", ge=1, unique=True),
        "candidate_id": column(str, "", "stable id", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "host_type": column(str, "", "host type id"),
        "host_type_zh": column(str, "", "label"),
        "host_type_en": column(str, "", "label"),
        "technology": column(str, "", "row of technologies.csv"),
        "district_code": column(str, "", "district"),
        "district_zh": column(str, "", "label"),
        "district_en": column(str, "", "label"),
        "lon": column(float, "degree", "representative point, WGS-84"),
        "lat": column(float, "degree", "representative point, WGS-84"),
        "area_m2": column(float, "m2", "eligible host area", gt=0),
        "capacity_mw": column(float, "MW", "installed; PV DC, wind AC", gt=0),
        "grid_capacity_mw": column(float, "MW", "AC at the connection point", gt=0),
        "specific_yield_kwh_per_kw": column(float, "kWh/kW", "yearly AC energy per capacity_mw", ge=0),
        "energy_mwh": column(float, "MWh", "yearly AC energy", ge=0),
        "capex_cny": column(float, "CNY", "investment without grid connection", ge=0),
        "connection_cost_cny": column(float, "CNY", "tie line and bay", nullable=True, ge=0),
        "lcoe_cny_per_kwh": column(float, "CNY/kWh", "with grid connection where it is known", nullable=True),
        "score": column(float, "1", "0 to 1; NaN where a criterion is unknown", nullable=True),
        "station_id": column(str, "", "connection station; empty where none is feasible"),
        "station_zh": column(str, "", "label"),
        "station_en": column(str, "", "label"),
        "connection_kv": column(float, "kV", "connection voltage", nullable=True),
        "connection_km": column(float, "km", "tie line", nullable=True),
        "n_0_alone_mw": column(float, "MW", "what the network takes from it alone, N-0", nullable=True),
        "n_1_alone_mw": column(float, "MW", "what the network takes from it alone, N-1", nullable=True),
        "accepted_mw": column(float, "MW", "accepted with all better ranked, N-1 secure", ge=0),
        "verdict": column(str, "", "verdict of the network", isin=VERDICTS_ALLOWED),
        "binding_case": column(str, "", "case that limits"),
        "binding_element": column(str, "", "element that limits"),
        "binding_outage": column(str, "", "outage under which it limits"),
        "upgrade_id": column(str, "", "measure that would lift the limit"),
        "upgrade_zh": column(str, "", "measure in words"),
        "upgrade_en": column(str, "", "measure in words"),
        "reason_zh": column(str, "", "why this verdict"),
        "reason_en": column(str, "", "why this verdict"),
        "origin": column(str, "", "how the host layer came to be", isin=tuple(Origin)),
    },
    optional={
        "cgcs2000_zone": column(int, "", "number of the 3-degree zone: its central meridian / 3", ge=25, le=45),
        "cgcs2000_x_m": column(float, "m", "northing of the point in that zone; x is north in Chinese surveying"),
        "cgcs2000_y_m": column(float, "m", "easting of the point, 500 km at the meridian, without the zone's number"),
    },
)

TARGETS = Table(
    "targets",
    "The plan's figures beside what land and network offer.",
    {
        "region": column(str, "", "region"),
        "quantity_zh": column(str, "", "label"),
        "quantity_en": column(str, "", "label"),
        "technology_group": column(str, "", "pv, wind, renewable or storage"),
        "year": column(int, "", "target year"),
        "target_mw": column(float, "MW", "figure of the plan", gt=0),
        "installed_mw": column(float, "MW", "already there; NaN where not known", nullable=True, ge=0),
        "candidates_mw": column(float, "MW", "capacity of all candidates", ge=0),
        "accepted_mw": column(float, "MW", "capacity that the network accepts", ge=0),
        "gap_mw": column(float, "MW", "target - installed (0 where not known) - accepted; negative is a surplus"),
        "source": column(str, "", "document"),
    },
)


@dataclass(frozen=True)
class SiteProfiles:
    """Shape of the year and of the mean day, shared by the sites that follow one profile.

    ``months`` has shape (profiles, 12), kWh per kW of AC capacity in each month; ``hours`` has shape (profiles, 24),
    mean output as a share of AC capacity by hour of the day, labelled by its start, UTC+08:00. ``sites`` has columns
    candidate_id, profile (row number) and capacity_mw (AC capacity times the site's own yield factor).
    """

    months: npt.NDArray[np.float64]
    hours: npt.NDArray[np.float64]
    sites: pd.DataFrame


@dataclass(frozen=True)
class PictureClass:
    """What one colour of a land picture stands for; ``rule`` is empty for eligible and unknown land."""

    rule: str
    name_zh: str
    name_en: str
    colour: str
    km2: float


@dataclass(frozen=True)
class LandPicture:
    """Land of one host type as a picture: eligible, unknown, and what excludes the rest.

    ``png`` is in Web Mercator, transparent where there is no land of the host type; ``west`` to ``north`` are its
    edges in degrees WGS-84. ``classes`` are those that occur.
    """

    host_type: str
    png: bytes
    west: float
    south: float
    east: float
    north: float
    classes: tuple[PictureClass, ...]


@dataclass(frozen=True)
class Backdrop:
    """What lies under the sites, from the study's own layers. ``kind`` is water, built_up, road or rail; WGS-84."""

    kind: str
    shapes: gpd.GeoSeries


@dataclass(frozen=True)
class SiteMapInput:
    """Everything a site map shows.

    ``projects``: :data:`PROJECTS` plus ``geometry`` (WGS-84 polygons); ``districts``: ``grid``-free frame with
    district_code, name_zh, name_en, geometry; ``substations``: :data:`grid.contracts.SUBSTATIONS` plus lon, lat,
    with its grades by the rule book where there are some;
    ``lines``: columns line_id, name_zh, name_en, vn_kv, length_km, line_type, origin, geometry (LineString);
    ``branch_state`` and ``load_flow`` follow the contracts of :mod:`grid`; ``targets``: :data:`TARGETS`;
    ``host_types``: columns host_type, label_zh, label_en, colour; ``land_states``: siting's STATES table;
    ``upgrades``: grid's UPGRADES table, whose words then stand for the ids of measures in stations' popups.

    What follows may be absent, and its layer or chart is then left out: ``site_facts``: siting's SITE_ATTRIBUTES;
    ``profiles``; ``land_pictures``; ``backdrops``; ``branch_n_1``: grid's BRANCH_N_1; ``measures``: measures of a plan
    (measure_id, stage, kind, name_zh, name_en, element, station_id, cost_cny; may have annual_cost_cny, called_mwh,
    unlocked_mw and, of new stations, lon, lat and joins, the lines that are looped in); ``ties``: planned tie lines
    (candidate_id, station_id, vn_kv, length_km, geometry in WGS-84); ``stages``: stage of each site in a plan
    (candidate_id, stage; may have connection_zh and connection_en: where the plan connects it, if elsewhere than the
    list); ``parks``: siting's PARKS table. ``list_file`` is where the project list lies, relative to the page.
    """

    study: str
    title_zh: str
    title_en: str
    projects: gpd.GeoDataFrame
    districts: gpd.GeoDataFrame
    substations: pd.DataFrame
    lines: gpd.GeoDataFrame
    branch_state: pd.DataFrame
    load_flow: pd.DataFrame
    targets: pd.DataFrame
    host_types: pd.DataFrame
    land_states: pd.DataFrame
    cases: tuple[Case, ...]
    sources: tuple[SourceCard, ...]
    assumptions: tuple[Assumption, ...]
    language: str = "zh"
    upgrades: pd.DataFrame | None = None
    site_facts: pd.DataFrame | None = None
    profiles: SiteProfiles | None = None
    land_pictures: tuple[LandPicture, ...] = ()
    backdrops: tuple[Backdrop, ...] = ()
    branch_n_1: pd.DataFrame | None = None
    measures: pd.DataFrame | None = None
    ties: gpd.GeoDataFrame | None = None
    stages: pd.DataFrame | None = None
    parks: pd.DataFrame | None = None
    list_file: str = ""
